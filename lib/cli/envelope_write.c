/* Envelopes out. */
#include "cli/envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void
place_set_batch(struct place *p, const struct batch *b)
{
	p->leader_epoch = b->leader_epoch;
	p->producer_id = b->producer_id;
	p->producer_epoch = b->producer_epoch;
	p->attributes = b->attributes;
}

/* High bits set in the bytes that are a control character, '"' or '\\'. Bytes
 * from 0x80 on are none of these. A byte above a hit may be marked too; so only
 * "any or none" is asked of it. */
static uint64_t
special_in(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');

	return (((v - ones * ' ') & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
	    high;
}

size_t
json_plain(const uint8_t *data, size_t len)
{
	size_t at = 0;
	uint64_t v;

	while (len - at >= sizeof(v)) {
		memcpy(&v, data + at, sizeof(v));
		if (special_in(v) != 0)
			break;
		at += sizeof(v);
	}
	while (at < len && data[at] >= ' ' && data[at] != '"' && data[at] != '\\')
		at++;
	return at;
}

static void
special_put(struct buf *out, uint8_t c)
{
	static const char names[] = "btn_fr"; /* from 8 on; 11 has none */
	char text[8] = "\\";

	if (c == '"' || c == '\\')
		text[1] = (char)c;
	else if (c >= 8 && c <= 13 && c != 11)
		text[1] = names[c - 8];
	else
		snprintf(text + 1, sizeof(text) - 1, "u%04x", c);
	buf_str(out, text);
}

void
json_string_put(struct buf *out, const void *data, size_t len)
{
	const uint8_t *at = data, *end = at + len;

	buf_put(out, "\"", 1);
	while (at < end) {
		size_t plain = json_plain(at, (size_t)(end - at));

		buf_put(out, at, plain);
		at += plain;
		if (at < end)
			special_put(out, *at++);
	}
	buf_put(out, "\"", 1);
}

#define LITERAL_PUT(out, text) buf_put(out, text, sizeof(text) - 1)

static void
int_put(struct buf *out, int64_t v)
{
	char digits[20], *at = digits + sizeof(digits);
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (v < 0)
		buf_put(out, "-", 1);
	buf_put(out, at, (size_t)(digits + sizeof(digits) - at));
}

/* A name without its closing quote, then one of: ":null, ":"text", _b64":"…". */
static void
bytes_put(struct buf *out, const uint8_t *data, int32_t size)
{
	if (size < 0) {
		LITERAL_PUT(out, "\":null");
	} else if (text_utf8_valid(data, (size_t)size) == (size_t)size) {
		LITERAL_PUT(out, "\":");
		json_string_put(out, data, (size_t)size);
	} else {
		LITERAL_PUT(out, "_b64\":\"");
		text_base64_put(out, data, (size_t)size);
		LITERAL_PUT(out, "\"");
	}
}

static bool
header_is_text(const struct record_header *h)
{
	size_t name = (size_t)h->name_size, value = h->value_size > 0 ? (size_t)h->value_size : 0;

	return text_utf8_valid(h->name, name) == name && text_utf8_valid(h->value, value) == value;
}

static void
header_part_put(struct buf *out, const void *data, int32_t size, bool base64)
{
	if (size < 0) {
		LITERAL_PUT(out, "null");
	} else if (base64) {
		LITERAL_PUT(out, "\"");
		text_base64_put(out, data, (size_t)size);
		LITERAL_PUT(out, "\"");
	} else {
		json_string_put(out, data, (size_t)size);
	}
}

static int
headers_put(struct buf *out, const struct record *rec, struct err *err)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;
	bool base64 = false;
	const char *before = "";
	int rc;

	while ((rc = record_header_next(&at, &h)) == 1)
		base64 |= !header_is_text(&h);
	if (rc == -1)
		return err_set(err, ERR_CORRUPT, "malformed headers");
	buf_str(out, base64 ? "\"headers_b64\":[" : "\"headers\":[");
	at = cursor_of(rec->headers.data, rec->headers.len);
	while (record_header_next(&at, &h) == 1) {
		buf_str(out, before);
		header_part_put(out, h.name, h.name_size, base64);
		LITERAL_PUT(out, ",");
		header_part_put(out, h.value, h.value_size, base64);
		before = ",";
	}
	LITERAL_PUT(out, "],");
	return 0;
}

int
envelope_write(struct buf *out, const struct record *rec, const struct place *at, struct err *err)
{
	LITERAL_PUT(out, "{\"topic\":");
	json_string_put(out, at->topic, strlen(at->topic));
	LITERAL_PUT(out, ",\"partition\":");
	int_put(out, at->partition);
	LITERAL_PUT(out, ",\"offset\":");
	int_put(out, rec->offset);
	if ((at->attributes & BATCH_LOG_APPEND_TIME) != 0)
		LITERAL_PUT(out, ",\"tstype\":\"logappend\",\"ts\":");
	else
		LITERAL_PUT(out, ",\"tstype\":\"create\",\"ts\":");
	int_put(out, rec->timestamp);
	LITERAL_PUT(out, ",\"broker\":");
	int_put(out, at->broker);
	LITERAL_PUT(out, ",");
	if (rec->header_count > 0 && headers_put(out, rec, err) == -1)
		return -1;
	LITERAL_PUT(out, "\"key");
	bytes_put(out, rec->key, rec->key_size);
	LITERAL_PUT(out, ",\"payload");
	bytes_put(out, rec->value, rec->value_size);
	LITERAL_PUT(out, "}");
	return out->failed ? err_nomem(err) : 0;
}
