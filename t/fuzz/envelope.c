/*
 * envelope: JSON in and out. A line that is read must be JSON to another reader
 * too, and reads back the same once it is written; so does any record.
 *
 * Input: 0 and a line; or 1, sizes, and a record: key, value, header names and
 * values as parts.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/envelope.h"
#include "lib/fuzz.h"

static bool
same_bytes(const uint8_t *a, int32_t a_size, const uint8_t *b, int32_t b_size)
{
	return a_size == b_size && (a_size <= 0 || memcmp(a, b, (size_t)a_size) == 0);
}

static bool
is_same(const struct record *a, const struct record *b)
{
	return a->offset == b->offset && a->timestamp == b->timestamp &&
	    same_bytes(a->key, a->key_size, b->key, b->key_size) &&
	    same_bytes(a->value, a->value_size, b->value, b->value_size) &&
	    a->header_count == b->header_count &&
	    same_bytes(a->headers.data, (int32_t)a->headers.len, b->headers.data,
		(int32_t)b->headers.len);
}

/* Another reader's opinion. */
static void
check_json(const void *text, size_t len)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	if (json == NULL)
		fprintf(stderr, "%s at %d: %.*s\n", why.text, why.position, (int)len,
		    (const char *)text);
	assert(json_is_object(json));
	json_decref(json);
}

/* Writes a record, and reads it back the same. */
static void
check_identity(const struct record *rec)
{
	struct batch b = {.attributes = rec->offset % 2 ? BATCH_LOG_APPEND_TIME : 0};
	struct place at = {.topic = "a-topic", .partition = 3, .broker = 1};
	struct envelope e = {.error_at = 0};
	struct buf out = BUF_INIT;
	struct framed again;
	struct err err;

	place_set_batch(&at, &b);
	if (envelope_write(&out, rec, &at, &err) == -1)
		abort();
	check_json(out.data, out.len);
	if (envelope_read(&e, out.data, out.len, &again, &err) == -1) {
		fprintf(stderr, "%s: %.*s\n", err.text, (int)out.len, (char *)out.data);
		abort();
	}
	assert(is_same(rec, &again.record));
	assert(again.partition == 3 && again.topic.len == 7 && again.has_key);
	envelope_release(&e);
	buf_release(&out);
}

static void
try_line(struct slice line)
{
	struct envelope e = {.error_at = 0};
	struct framed in;
	struct err err;

	if (envelope_read(&e, line.data, line.len, &in, &err) == -1) {
		assert(e.error_at <= line.len && err.text[0] != '\0');
	} else {
		check_json(line.data, line.len);
		check_identity(&in.record);
	}
	envelope_release(&e);
}

static void
try_record(struct cursor *c)
{
	uint8_t nulls = fuzz_byte(c);
	struct record rec = {.offset = (int64_t)fuzz_byte(c) - 1,
	    .timestamp = (nulls & 4) ? NO_TIMESTAMP : (int64_t)fuzz_byte(c) << (nulls >> 4)};
	struct slice key = fuzz_part(c), value = fuzz_part(c);
	struct buf headers = BUF_INIT;

	rec.key = key.data;
	rec.key_size = nulls & 1 ? -1 : (int32_t)key.len;
	rec.value = value.data;
	rec.value_size = nulls & 2 ? -1 : (int32_t)value.len;
	while (cursor_left(c) > 0) {
		struct slice name = fuzz_part(c), content = fuzz_part(c);
		struct record_header h = {(const char *)name.data, (int32_t)name.len, content.data,
		    nulls & 8 && content.len == 0 ? -1 : (int32_t)content.len};

		record_header_put(&headers, &h);
		rec.header_count++;
	}
	rec.headers = (struct slice){headers.data, headers.len};
	check_identity(&rec);
	buf_release(&headers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);

	if (fuzz_byte(&c) & 1)
		try_record(&c);
	else
		try_line(fuzz_rest(&c));
	return 0;
}
