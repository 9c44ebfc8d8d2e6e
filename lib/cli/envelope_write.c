/* Envelopes out. */
#include "cli/envelope.h"

#include <string.h>

#include "base/text.h"
#include "cli/json.h"

void
place_set_batch(struct place *p, const struct batch *b)
{
	p->leader_epoch = b->leader_epoch;
	p->producer_id = b->producer_id;
	p->producer_epoch = b->producer_epoch;
	p->attributes = b->attributes;
}

#define LITERAL_PUT(out, text) buf_put(out, text, sizeof(text) - 1)

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

int
envelope_headers_are_text(const struct record *rec)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;
	bool text = true;
	int rc;

	while ((rc = record_header_next(&at, &h)) == 1)
		text = text && header_is_text(&h);
	return rc == -1 ? -1 : text;
}

void
envelope_headers_put(struct buf *out, const struct record *rec, bool base64)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;
	const char *before = "";

	LITERAL_PUT(out, "[");
	while (record_header_next(&at, &h) == 1) {
		buf_str(out, before);
		header_part_put(out, h.name, h.name_size, base64);
		LITERAL_PUT(out, ",");
		header_part_put(out, h.value, h.value_size, base64);
		before = ",";
	}
	LITERAL_PUT(out, "]");
}

static int
headers_put(struct buf *out, const struct record *rec, struct err *err)
{
	int text = envelope_headers_are_text(rec);

	if (text == -1)
		return err_set(err, ERR_CORRUPT, "malformed headers");
	buf_str(out, text ? "\"headers\":" : "\"headers_b64\":");
	envelope_headers_put(out, rec, !text);
	LITERAL_PUT(out, ",");
	return 0;
}

int
envelope_write(struct buf *out, const struct record *rec, const struct place *at, struct err *err)
{
	LITERAL_PUT(out, "{\"topic\":");
	json_string_put(out, at->topic, strlen(at->topic));
	LITERAL_PUT(out, ",\"partition\":");
	decimal_put(out, at->partition);
	LITERAL_PUT(out, ",\"offset\":");
	decimal_put(out, rec->offset);
	if ((at->attributes & BATCH_LOG_APPEND_TIME) != 0)
		LITERAL_PUT(out, ",\"tstype\":\"logappend\",\"ts\":");
	else
		LITERAL_PUT(out, ",\"tstype\":\"create\",\"ts\":");
	decimal_put(out, rec->timestamp);
	LITERAL_PUT(out, ",\"broker\":");
	decimal_put(out, at->broker);
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
