/* A format's program, run over one record. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/escape.h"
#include "cli/format_ops.h"
#include "cli/json.h"

/* One run. */
struct run {
	const struct record *rec;
	const struct place *at;
	const struct record_header *header; /* that is being printed */
	struct buf *out;
	struct slice null_text;
	struct err *err;
};

/* data NULL: null */
struct text {
	const uint8_t *data;
	size_t len;
};

static struct text
sized(const void *data, int32_t size)
{
	/* An empty text may have no address. */
	return (struct text){size < 0	    ? NULL
			     : data != NULL ? data
					    : "",
	    size < 0 ? 0 : (size_t)size};
}

/* Kafka's lastHeader. Returns 1 and the value, 0 if there is none, or -1. */
static int
header_find(const struct run *r, const char *name, struct text *out)
{
	struct cursor at = cursor_of(r->rec->headers.data, r->rec->headers.len);
	struct record_header h;
	size_t len = strlen(name);
	int rc;

	*out = (struct text){NULL, 0};
	while ((rc = record_header_next(&at, &h)) == 1)
		if ((size_t)h.name_size == len && memcmp(h.name, name, len) == 0)
			*out = sized(h.value, h.value_size);
	return rc == -1 ? err_set(r->err, ERR_CORRUPT, "malformed headers") : 0;
}

static int
text_source(const struct run *r, const struct format_op *op, struct text *out)
{
	switch (op->source) {
	case SOURCE_VALUE:
		*out = sized(r->rec->value, r->rec->value_size);
		return 0;
	case SOURCE_KEY:
		*out = sized(r->rec->key, r->rec->key_size);
		return 0;
	case SOURCE_TOPIC:
		*out = (struct text){(const uint8_t *)r->at->topic, strlen(r->at->topic)};
		return 0;
	case SOURCE_HEADER_NAME:
		assert(r->header != NULL); /* the parser takes it within %h{} only */
		*out = sized(r->header->name, r->header->name_size);
		return 0;
	case SOURCE_HEADER_VALUE:
		assert(r->header != NULL);
		*out = sized(r->header->value, r->header->value_size);
		return 0;
	default:
		return header_find(r, op->name, out);
	}
}

/* --- pack strings ----------------------------------------------------------- */

static size_t
pack_size(char c)
{
	switch (c) {
	case 'b':
	case 'B':
	case 'c':
		return 1;
	case 'h':
	case 'H':
		return 2;
	case 'i':
	case 'I':
		return 4;
	case 'q':
	case 'Q':
		return 8;
	default:
		return 0;
	}
}

static uint64_t
pack_number(const uint8_t *at, size_t size, bool little)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v = v << 8 | at[little ? size - 1 - i : i];
	return v;
}

static void
pack_put(struct buf *out, char c, uint64_t v, size_t size)
{
	int shift = (int)(64 - 8 * size);

	if (c == 'c')
		buf_i8(out, (int8_t)v);
	else if (c >= 'a')
		decimal_put(out, (int64_t)(v << shift) >> shift);
	else
		buf_printf(out, "%llu", (unsigned long long)v);
}

static int
unpack_put(const struct run *r, const char *pack, struct text t)
{
	size_t left = t.len;
	const uint8_t *at = t.data;
	bool little = false;

	for (; *pack != '\0'; pack++) {
		size_t size = pack_size(*pack);

		if (size > left)
			return err_set(r->err, ERR_INVALID,
			    "unpack: '%c' needs %zu bytes, %zu are left", *pack, size, left);
		if (size > 0)
			pack_put(r->out, *pack, pack_number(at, size, little), size);
		else if (*pack == '<' || *pack == '>')
			little = *pack == '<';
		else if (*pack == ' ')
			buf_put(r->out, " ", 1);
		else if (*pack == '$' && left > 0)
			return err_set(
			    r->err, ERR_INVALID, "unpack: %zu bytes are left over", left);
		else if (*pack == 's')
			buf_put(r->out, at, size = left);
		at += size;
		left -= size;
	}
	return 0;
}

/* --- texts ------------------------------------------------------------------ */

static int
text_put(const struct run *r, const struct format_op *op)
{
	struct text t;

	if (text_source(r, op, &t) == -1)
		return -1;
	if (t.data == NULL) {
		if (op->style == STYLE_JSON || op->style == STYLE_QUOTED)
			buf_str(r->out, "null");
		else
			buf_put(r->out, r->null_text.data, r->null_text.len);
		return 0;
	}
	switch (op->style) {
	case STYLE_HEX:
		text_hex_put(r->out, t.data, t.len);
		return 0;
	case STYLE_BASE64:
		text_base64_put(r->out, t.data, t.len);
		return 0;
	case STYLE_JSON:
		json_lossy_put(r->out, t.data, t.len);
		return 0;
	case STYLE_QUOTED:
		buf_put(r->out, "\"", 1);
		escape_put(r->out, t.data, t.len, '"');
		buf_put(r->out, "\"", 1);
		return 0;
	case STYLE_UNPACK:
		return unpack_put(r, op->text, t);
	default:
		buf_put(r->out, t.data, t.len);
		return 0;
	}
}

/* --- numbers ---------------------------------------------------------------- */

static int64_t
number_source(const struct run *r, uint8_t source)
{
	switch (source) {
	case SOURCE_VALUE_SIZE:
		return r->rec->value_size;
	case SOURCE_KEY_SIZE:
		return r->rec->key_size;
	case SOURCE_PARTITION:
		return r->at->partition;
	case SOURCE_OFFSET:
		return r->rec->offset;
	case SOURCE_TIMESTAMP:
		return r->rec->timestamp;
	case SOURCE_LEADER_EPOCH:
		return r->at->leader_epoch;
	case SOURCE_PRODUCER_ID:
		return r->at->producer_id;
	case SOURCE_PRODUCER_EPOCH:
		return r->at->producer_epoch;
	default:
		return r->at->number;
	}
}

static int
fixed32_put(const struct run *r, int64_t v, bool little)
{
	uint8_t raw[4];

	if (v < INT32_MIN || v > UINT32_MAX)
		return err_set(r->err, ERR_INVALID, "%lld does not fit in 32 bits", (long long)v);
	be32_put(raw, little ? __builtin_bswap32((uint32_t)v) : (uint32_t)v);
	buf_put(r->out, raw, sizeof(raw));
	return 0;
}

/* In local time; a timestamp that is not there is "-", as with {iso}. */
static void
strftime_put(struct buf *out, const char *format, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	uint8_t *to;
	size_t room = 4 * strlen(format) + 256;

	if (ms == NO_TIMESTAMP || localtime_r(&seconds, &tm) == NULL) {
		buf_put(out, "-", 1);
		return;
	}
	if ((to = buf_extend(out, room)) == NULL)
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	out->len -= room - strftime((char *)to, room, format, &tm);
#pragma GCC diagnostic pop
}

static int
number_put(const struct run *r, const struct format_op *op)
{
	int64_t v = number_source(r, op->source);
	char text[TEXT_TIME_SIZE];

	switch (op->style) {
	case STYLE_BE32:
	case STYLE_LE32:
		return fixed32_put(r, v, op->style == STYLE_LE32);
	case STYLE_VARINT:
		buf_varlong(r->out, v);
		return 0;
	case STYLE_HEX:
		buf_printf(r->out, v < 0 ? "-%llx" : "%llx",
		    (unsigned long long)(v < 0 ? 0 - (uint64_t)v : (uint64_t)v));
		return 0;
	case STYLE_ISO:
		text_time_ms(v, text);
		buf_str(r->out, text);
		return 0;
	case STYLE_SECONDS:
		decimal_put(r->out, v == NO_TIMESTAMP ? v : v / 1000 - (v % 1000 < 0));
		return 0;
	case STYLE_MICROSECONDS:
		/* By its digits: a product could overflow. */
		decimal_put(r->out, v);
		if (v != NO_TIMESTAMP && v != 0)
			buf_str(r->out, "000");
		return 0;
	case STYLE_STRFTIME:
		strftime_put(r->out, op->text, v);
		return 0;
	default:
		decimal_put(r->out, v);
		return 0;
	}
}

static void
attribute_put(const struct run *r, const struct format_op *op)
{
	int16_t bits = r->at->attributes;

	switch (op->source) {
	case SOURCE_CODEC:
		buf_str(r->out, codec_name((enum codec)(bits & BATCH_CODEC_MASK)));
		break;
	case SOURCE_TXN:
		buf_str(r->out, (bits & BATCH_TRANSACTIONAL) != 0 ? "true" : "false");
		break;
	case SOURCE_CONTROL:
		buf_str(r->out, (bits & BATCH_CONTROL) != 0 ? "true" : "false");
		break;
	default:
		buf_str(r->out, (bits & BATCH_LOG_APPEND_TIME) != 0 ? "logappend" : "create");
		break;
	}
}

/* --- the program ------------------------------------------------------------ */

static int ops_run(const struct format *f, const struct run *r);

static int
headers_run(const struct run *r, const struct format_op *op)
{
	struct cursor at = cursor_of(r->rec->headers.data, r->rec->headers.len);
	struct record_header h;
	struct run each = *r;
	bool first = true;
	int rc;

	each.header = &h;
	/* kcat prints a null header so whether -Z is given or not. */
	if (each.null_text.data == NULL)
		each.null_text = (struct slice){(const uint8_t *)"NULL", 4};
	while ((rc = record_header_next(&at, &h)) == 1) {
		if (!first)
			buf_put(r->out, op->text, op->text_len);
		first = false;
		if (ops_run(op->inner, &each) == -1)
			return -1;
	}
	return rc == -1 ? err_set(r->err, ERR_CORRUPT, "malformed headers") : 0;
}

static int
ops_run(const struct format *f, const struct run *r)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct format_op *op = &f->ops[i];
		int rc = 0;

		switch (op->kind) {
		case FORMAT_LITERAL:
			buf_put(r->out, op->text, op->text_len);
			break;
		case FORMAT_TEXT:
			rc = text_put(r, op);
			break;
		case FORMAT_NUMBER:
			rc = number_put(r, op);
			break;
		case FORMAT_HEADERS:
			rc = headers_run(r, op);
			break;
		case FORMAT_ATTRIBUTE:
			attribute_put(r, op);
			break;
		case FORMAT_ENVELOPE:
			rc = envelope_write(r->out, r->rec, r->at, r->err);
			break;
		}
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
format_run(const struct format *f, const struct record *rec, const struct place *at,
    struct buf *out, struct err *err)
{
	struct run r = {.rec = rec,
	    .at = at,
	    .out = out,
	    .err = err,
	    .null_text = {(const uint8_t *)f->null_text, f->null_size}};
	size_t before = out->len;

	if (ops_run(f, &r) == -1) {
		out->len = before;
		return -1;
	}
	return out->failed ? err_nomem(err) : 0;
}
