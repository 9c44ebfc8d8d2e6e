/*
 * format: a format string (-f) compiled and run on a record.
 *
 * Input: numbers in a byte each; the format, the text for null, key, value and
 * encoded headers as parts.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cli/format.h"
#include "lib/fuzz.h"

static const int64_t numbers[] = {
    0, -1, 1, 1700000000000, INT64_MAX, INT64_MIN, INT32_MAX, 253402300800000};

static int64_t
number(struct cursor *c)
{
	uint8_t byte = fuzz_byte(c);

	return byte < 128 ? byte : numbers[byte % 8];
}

/* Headers are those of a record that was checked: whole ones, counted. */
static void
take_headers(struct record *rec, struct slice bytes)
{
	struct cursor c = cursor_of(bytes.data, bytes.len);
	struct record_header h;

	rec->headers = (struct slice){c.at, 0};
	while (record_header_next(&c, &h) == 1) {
		rec->header_count++;
		rec->headers.len = (size_t)(c.at - rec->headers.data);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t how = fuzz_byte(&c);
	struct record rec = {.offset = number(&c), .timestamp = number(&c)};
	struct place at = {.topic = "a-topic", .partition = (int32_t)number(&c), .broker = 1,
	    .leader_epoch = (int32_t)number(&c), .producer_id = number(&c),
	    .producer_epoch = (int16_t)number(&c), .attributes = (int16_t)number(&c), .number = 9};
	char *text = fuzz_string(fuzz_part(&c)), *null_text = fuzz_string(fuzz_part(&c));
	struct slice key = fuzz_part(&c), value = fuzz_part(&c);
	struct buf out = BUF_INIT, twice = BUF_INIT;
	struct format *f;
	struct err err = {0};

	rec.key = key.data;
	rec.key_size = how & 1 ? -1 : (int32_t)key.len;
	rec.value = value.data;
	rec.value_size = how & 2 ? -1 : (int32_t)value.len;
	take_headers(&rec, fuzz_part(&c));
	f = format_new("-f", text, how & 4 ? NULL : null_text, &err);
	if (f == NULL) {
		assert(err.code == ERR_INVALID && strncmp(err.text, "-f", 2) == 0);
	} else if (format_run(f, &rec, &at, &out, &err) == 0) {
		if (format_run(f, &rec, &at, &twice, &err) == -1)
			abort();
		assert(out.len == twice.len &&
		    (out.len == 0 || memcmp(out.data, twice.data, out.len) == 0));
	} else {
		assert(out.len == 0 && err.text[0] != '\0');
	}
	format_free(f);
	buf_release(&out);
	buf_release(&twice);
	free(text);
	free(null_text);
	return 0;
}
