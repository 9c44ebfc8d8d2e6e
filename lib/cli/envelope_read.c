/* Envelopes in: one pass over the line, straight into a record. */
#include "cli/envelope.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/json.h"
#include "cli/nearest.h"
#include "cli/times.h"

/* Each slot may be filled once, by whichever of its names. */
enum slot {
	SLOT_TOPIC,
	SLOT_PARTITION,
	SLOT_OFFSET,
	SLOT_TSTYPE,
	SLOT_TS,
	SLOT_BROKER,
	SLOT_HEADERS,
	SLOT_KEY,
	SLOT_VALUE,
};

static const struct field {
	const char *name;
	size_t len;
	enum slot slot;
	bool base64;
} fields[] = {
    {"topic", 5, SLOT_TOPIC, false},
    {"partition", 9, SLOT_PARTITION, false},
    {"offset", 6, SLOT_OFFSET, false},
    {"tstype", 6, SLOT_TSTYPE, false},
    {"ts", 2, SLOT_TS, false},
    {"broker", 6, SLOT_BROKER, false},
    {"headers", 7, SLOT_HEADERS, false},
    {"key", 3, SLOT_KEY, false},
    {"payload", 7, SLOT_VALUE, false},
    {"value", 5, SLOT_VALUE, false},
    {"headers_b64", 11, SLOT_HEADERS, true},
    {"key_b64", 7, SLOT_KEY, true},
    {"payload_b64", 11, SLOT_VALUE, true},
    {"value_b64", 9, SLOT_VALUE, true},
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

struct parser {
	const uint8_t *start, *at, *end;
	struct envelope *e;
	struct framed *out;
	struct err *err;
	size_t next_field; /* where the next key probably is in `fields` */
	unsigned seen;	   /* bit per slot */
};

/* --- errors ---------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
bad_at(struct parser *p, const uint8_t *at, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->e->error_at = (size_t)(at - p->start);
	return err_set(p->err, ERR_INVALID, "%s", text);
}

/* What stands where `wanted` should. */
static int
unexpected(struct parser *p, const char *wanted)
{
	if (p->at == p->end)
		return bad_at(p, p->at, "the line ends where %s should be", wanted);
	if (*p->at > ' ' && *p->at < 127)
		return bad_at(p, p->at, "'%c' where %s should be", *p->at, wanted);
	return bad_at(p, p->at, "byte 0x%02x where %s should be", *p->at, wanted);
}

/* --- words ----------------------------------------------------------------- */

static void
space_skip(struct parser *p)
{
	while (
	    p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n'))
		p->at++;
}

static bool
char_take(struct parser *p, char c)
{
	space_skip(p);
	if (p->at == p->end || *p->at != (uint8_t)c)
		return false;
	p->at++;
	return true;
}

static bool
null_take(struct parser *p)
{
	if (p->end - p->at < 4 || memcmp(p->at, "null", 4) != 0)
		return false;
	p->at += 4;
	return true;
}

static int
hex4(const uint8_t *at, const uint8_t *end, uint32_t *out)
{
	uint32_t v = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		uint8_t c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit == -1)
			return -1;
		v = v << 4 | (uint32_t)digit;
	}
	*out = v;
	return 0;
}

static void
utf8_put(struct buf *b, uint32_t code)
{
	uint8_t raw[4];
	size_t n = 0;

	if (code < 0x80) {
		raw[n++] = (uint8_t)code;
	} else if (code < 0x800) {
		raw[n++] = (uint8_t)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		raw[n++] = (uint8_t)(0xe0 | code >> 12);
		raw[n++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	} else {
		raw[n++] = (uint8_t)(0xf0 | code >> 18);
		raw[n++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		raw[n++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	}
	if (code >= 0x80)
		raw[n++] = (uint8_t)(0x80 | (code & 0x3f));
	buf_put(b, raw, n);
}

/* \uXXXX, and the second half of a pair; p->at stands on the u. */
static int
unicode_take(struct parser *p)
{
	uint32_t code, low;
	const uint8_t *escape = p->at - 1;

	if (hex4(p->at + 1, p->end, &code) == -1)
		return bad_at(p, escape, "\\u needs four hexadecimal digits");
	p->at += 5;
	if (code >= 0xdc00 && code <= 0xdfff)
		return bad_at(p, escape, "a lone surrogate \\u%04x", code);
	if (code >= 0xd800 && code <= 0xdbff) {
		if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u' ||
		    hex4(p->at + 2, p->end, &low) == -1 || low < 0xdc00 || low > 0xdfff)
			return bad_at(p, escape, "a lone surrogate \\u%04x", code);
		p->at += 6;
		code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
	}
	utf8_put(&p->e->text, code);
	return 0;
}

/* p->at stands behind the backslash. */
static int
escape_take(struct parser *p)
{
	static const char names[] = "\"\\/bfnrt";
	static const char stands_for[] = "\"\\/\b\f\n\r\t";
	const char *name;

	if (p->at < p->end && *p->at == 'u')
		return unicode_take(p);
	if (p->at == p->end || *p->at == '\0' || (name = strchr(names, *p->at)) == NULL)
		return bad_at(p, p->at - 1, "no such escape");
	buf_i8(&p->e->text, stands_for[name - names]);
	p->at++;
	return 0;
}

/* The rest of a string with escapes, unescaped; what stands before the first
 * one is in [begin, p->at). */
static int
string_unescape(struct parser *p, const uint8_t *begin, struct slice *out)
{
	struct buf *text = &p->e->text;
	size_t start = text->len;

	buf_put(text, begin, (size_t)(p->at - begin));
	while (p->at < p->end && *p->at == '\\') {
		size_t plain;

		p->at++;
		if (escape_take(p) == -1)
			return -1;
		plain = json_plain(p->at, (size_t)(p->end - p->at));
		buf_put(text, p->at, plain);
		p->at += plain;
	}
	if (p->at == p->end || *p->at != '"')
		return unexpected(p, "the rest of a string");
	p->at++;
	*out = (struct slice){text->data + start, text->len - start};
	return 0;
}

static int
string_take(struct parser *p, struct slice *out, const char *wanted)
{
	const uint8_t *begin;

	space_skip(p);
	if (p->at == p->end || *p->at != '"')
		return unexpected(p, wanted);
	begin = ++p->at;
	p->at += json_plain(p->at, (size_t)(p->end - p->at));
	if (p->at == p->end || *p->at != '"')
		return string_unescape(p, begin, out);
	*out = (struct slice){begin, (size_t)(p->at - begin)};
	p->at++;
	return 0;
}

/* A string, decoded if it is base64. `data` is NULL for null, where allowed. */
static int
bytes_take(struct parser *p, bool base64, bool null_allowed, struct slice *out)
{
	struct buf *text = &p->e->text;
	size_t start;
	const uint8_t *begin;

	space_skip(p);
	if (null_allowed && null_take(p)) {
		*out = (struct slice){NULL, 0};
		return 0;
	}
	begin = p->at;
	if (string_take(p, out, null_allowed ? "a string or null" : "a string") == -1)
		return -1;
	if (!base64)
		return 0;
	start = text->len;
	if (text_base64_get(text, (const char *)out->data, out->len) == -1)
		return bad_at(p, begin, "not base64");
	*out = (struct slice){text->data + start, text->len - start};
	return 0;
}

static int
int_take(struct parser *p, int64_t min, int64_t max, int64_t *out)
{
	const uint8_t *begin;
	char digits[24];
	size_t len = 0;

	space_skip(p);
	begin = p->at;
	if (p->at < p->end && *p->at == '-')
		p->at++;
	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	len = (size_t)(p->at - begin);
	if (len == 0 || begin[len - 1] == '-')
		return unexpected(p, "an integer");
	if (p->at < p->end && (*p->at == '.' || *p->at == 'e' || *p->at == 'E'))
		return bad_at(p, begin, "not an integer");
	if (len > 1 && begin[*begin == '-'] == '0')
		return bad_at(p, begin, "a number with leading zero");
	if (len < sizeof(digits)) {
		memcpy(digits, begin, len);
		digits[len] = '\0';
		if (text_int(digits, min, max, out) == 0)
			return 0;
	}
	return bad_at(p, begin, "%.*s is out of range", (int)(len < 40 ? len : 40), begin);
}

/* --- values ---------------------------------------------------------------- */

static int
ts_take(struct parser *p)
{
	struct slice s;
	char text[64];
	const uint8_t *begin;

	space_skip(p);
	begin = p->at;
	if (p->at == p->end || *p->at != '"')
		return int_take(p, NO_TIMESTAMP, INT64_MAX, &p->out->record.timestamp);
	if (string_take(p, &s, "a time") == -1)
		return -1;
	if (s.len >= sizeof(text))
		return bad_at(p, begin, "not a time");
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	if (strlen(text) != s.len || time_parse_iso(text, &p->out->record.timestamp) == -1)
		return bad_at(p, begin, "not a time (milliseconds or 2024-01-15T10:00:00.123Z)");
	if (p->out->record.timestamp < 0)
		return bad_at(p, begin, "a time before 1970");
	return 0;
}

static int
tstype_take(struct parser *p)
{
	static const char *const words[] = {"create", "logappend", "unknown"};
	const uint8_t *begin;
	struct slice s;

	space_skip(p);
	begin = p->at;
	if (string_take(p, &s, "a string") == -1)
		return -1;
	for (size_t i = 0; i < 3; i++)
		if (strlen(words[i]) == s.len && memcmp(words[i], s.data, s.len) == 0)
			return 0;
	return bad_at(p, begin, "tstype is create, logappend or unknown");
}

static void
header_put(struct parser *p, struct slice name, struct slice value)
{
	struct record_header h = {
	    .name = (const char *)name.data,
	    .name_size = (int32_t)name.len,
	    .value = value.data,
	    .value_size = value.data != NULL ? (int32_t)value.len : -1,
	};

	record_header_put(&p->e->headers, &h);
	p->out->record.header_count++;
}

/* NAME, VALUE; with `separator` between. */
static int
header_take(struct parser *p, bool base64, char separator)
{
	struct slice name, value;

	if (bytes_take(p, base64, false, &name) == -1)
		return -1;
	if (!char_take(p, separator))
		return unexpected(p, separator == ':' ? "':'" : "a header's value");
	if (bytes_take(p, base64, true, &value) == -1)
		return -1;
	header_put(p, name, value);
	return 0;
}

static bool
slice_equal(struct slice a, const struct record_header *h)
{
	return a.len == (size_t)h->name_size && memcmp(a.data, h->name, a.len) == 0;
}

/* In an object a name stands for one value. */
static int
header_is_new(struct parser *p, const uint8_t *at, size_t before)
{
	struct cursor all = cursor_of(p->e->headers.data, before);
	struct cursor last = cursor_of(p->e->headers.data + before, p->e->headers.len - before);
	struct record_header h, added;

	if (p->e->headers.failed || record_header_next(&last, &added) != 1)
		return 0;
	while (record_header_next(&all, &h) == 1)
		if (slice_equal(
			(struct slice){(const uint8_t *)added.name, (size_t)added.name_size}, &h))
			return bad_at(p, at, "a header twice in one object; use a list");
	return 0;
}

static int
headers_object(struct parser *p, bool base64)
{
	if (char_take(p, '}'))
		return 0;
	do {
		size_t before = p->e->headers.len;
		const uint8_t *at;

		space_skip(p);
		at = p->at;
		if (header_take(p, base64, ':') == -1 || header_is_new(p, at, before) == -1)
			return -1;
	} while (char_take(p, ','));
	return char_take(p, '}') ? 0 : unexpected(p, "',' or '}'");
}

static int
headers_list(struct parser *p, bool base64)
{
	bool pairs;

	if (char_take(p, ']'))
		return 0;
	space_skip(p);
	pairs = p->at < p->end && *p->at == '[';
	do {
		if (pairs && !char_take(p, '['))
			return unexpected(p, "a pair");
		if (header_take(p, base64, ',') == -1)
			return -1;
		if (pairs && !char_take(p, ']'))
			return unexpected(p, "']'");
	} while (char_take(p, ','));
	return char_take(p, ']') ? 0 : unexpected(p, "',' or ']'");
}

static int
headers_take(struct parser *p, bool base64)
{
	space_skip(p);
	if (null_take(p))
		return 0;
	if (char_take(p, '['))
		return headers_list(p, base64);
	if (char_take(p, '{'))
		return headers_object(p, base64);
	return unexpected(p, "a list or an object");
}

static int
value_take(struct parser *p, const struct field *f)
{
	struct record *r = &p->out->record;
	struct slice s;
	int64_t n;

	switch (f->slot) {
	case SLOT_TOPIC:
		return bytes_take(p, false, false, &p->out->topic);
	case SLOT_PARTITION:
		if (int_take(p, -1, INT32_MAX, &n) == -1)
			return -1;
		p->out->partition = (int32_t)n;
		return 0;
	case SLOT_OFFSET:
		return int_take(p, -1, INT64_MAX, &r->offset);
	case SLOT_TSTYPE:
		return tstype_take(p);
	case SLOT_TS:
		return ts_take(p);
	case SLOT_BROKER:
		return int_take(p, INT32_MIN, INT32_MAX, &n);
	case SLOT_HEADERS:
		return headers_take(p, f->base64);
	case SLOT_KEY:
		if (bytes_take(p, f->base64, true, &s) == -1)
			return -1;
		p->out->has_key = true;
		r->key = s.data;
		r->key_size = s.data != NULL ? (int32_t)s.len : -1;
		return 0;
	case SLOT_VALUE:
		if (bytes_take(p, f->base64, true, &s) == -1)
			return -1;
		r->value = s.data;
		r->value_size = s.data != NULL ? (int32_t)s.len : -1;
		return 0;
	}
	return -1;
}

/* --- the object ------------------------------------------------------------ */

static int
unknown_field(struct parser *p, const uint8_t *at, struct slice name)
{
	char word[40];
	struct nearest n;
	int len = name.len < sizeof(word) ? (int)name.len : (int)sizeof(word) - 1;

	snprintf(word, sizeof(word), "%.*s", len, (const char *)name.data);
	nearest_init(&n, word);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		nearest_try(&n, fields[i].name);
	if (n.best != NULL)
		return bad_at(p, at, "unknown key \"%s\" (did you mean \"%s\"?)", word, n.best);
	return bad_at(p, at, "unknown key \"%s\"", word);
}

/* Keys mostly come in the order of the table. */
static const struct field *
field_find(struct parser *p, struct slice name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *f = &fields[(p->next_field + i) % FIELD_COUNT];

		if (f->len != name.len || memcmp(f->name, name.data, name.len) != 0)
			continue;
		p->next_field = (size_t)(f - fields) + 1;
		return f;
	}
	return NULL;
}

static int
member_take(struct parser *p)
{
	const struct field *f;
	const uint8_t *at;
	struct slice name;

	space_skip(p);
	at = p->at;
	if (string_take(p, &name, "a key") == -1)
		return -1;
	if ((f = field_find(p, name)) == NULL)
		return unknown_field(p, at, name);
	if ((p->seen & 1u << f->slot) != 0)
		return bad_at(p, at, "\"%s\" for the second time", f->name);
	p->seen |= 1u << f->slot;
	if (!char_take(p, ':'))
		return unexpected(p, "':'");
	return value_take(p, f);
}

static int
object_take(struct parser *p)
{
	if (!char_take(p, '{'))
		return unexpected(p, "'{'");
	if (!char_take(p, '}')) {
		do {
			if (member_take(p) == -1)
				return -1;
		} while (char_take(p, ','));
		if (!char_take(p, '}'))
			return unexpected(p, "',' or '}'");
	}
	space_skip(p);
	return p->at == p->end ? 0 : bad_at(p, p->at, "text behind the object");
}

int
envelope_read(
    struct envelope *e, const uint8_t *line, size_t len, struct framed *out, struct err *err)
{
	struct parser p = {
	    .start = line, .at = line, .end = line + len, .e = e, .out = out, .err = err};
	const uint8_t *text;
	size_t valid;

	*out = (struct framed){.partition = -1};
	out->record = (struct record){
	    .offset = -1, .timestamp = NO_TIMESTAMP, .key_size = -1, .value_size = -1};
	buf_clear(&e->text);
	buf_clear(&e->headers);
	/* Nothing gets longer by being unescaped or decoded, and a string is both
	 * at most, so that what points into `text` stays where it is. */
	if (buf_reserve(&e->text, 2 * len + 16) == -1)
		return err_nomem(err);
	text = e->text.data;
	if ((valid = text_utf8_valid(line, len)) < len)
		return bad_at(&p, line + valid, "not UTF-8");
	if (object_take(&p) == -1)
		return -1;
	if (e->text.failed || e->headers.failed)
		return err_nomem(err);
	assert(e->text.data == text);
	out->record.headers = (struct slice){e->headers.data, e->headers.len};
	return 0;
}

void
envelope_release(struct envelope *e)
{
	buf_release(&e->text);
	buf_release(&e->headers);
}
