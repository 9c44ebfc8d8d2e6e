/*
 * words: what people type: ranges, times, partitions, numbers, escapes, globs,
 * ids. What is printed of a value must read back as it.
 *
 * Input: which, then one or two words, apart by NUL.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/uuid.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/nearest.h"
#include "cli/range.h"
#include "cli/times.h"
#include "lib/fuzz.h"

#define NOW 1700000000000

static void
try_range(const char *word, const char *other)
{
	struct range r = RANGE_INIT;
	struct point p;
	struct err err;

	if (range_parse(&r, word, NOW, &err) == 0)
		(void)range_parse(&r, other, NOW, &err);
	if (point_parse(&p, word, NOW, &err) == 0)
		assert(p.kind != POINT_STORED && p.kind != POINT_NONE);
}

static void
try_partitions(const char *word, const char *other)
{
	struct partition_set set = PARTITION_SET_INIT;
	struct err err;
	int32_t beyond;

	if (partition_set_parse(&set, word, &err) == 0 &&
	    partition_set_parse(&set, other, &err) == 0) {
		for (size_t i = 0; i < set.count; i++) {
			assert(set.spans[i].first <= set.spans[i].last);
			assert(i == 0 || set.spans[i].first > set.spans[i - 1].last);
			assert(partition_set_has(&set, set.spans[i].last));
		}
		beyond = partition_set_beyond(&set, 5);
		assert(beyond == -1 || beyond >= 5);
	}
	partition_set_release(&set);
}

/* A time that is printed is the same time. */
static void
try_times(const char *word)
{
	char text[TEXT_TIME_SIZE];
	int64_t ms, again;

	if (time_parse_iso(word, &ms) == 0) {
		text_time_ms(ms, text);
		if (ms != -1 && text[0] != '+' && text[0] != '-')
			assert(time_parse_iso(text, &again) == 0 && again == ms);
	}
	(void)time_parse(word, NOW, TIME_NONE, &ms);
	(void)time_parse(word, NOW, NOW - 5000, &ms);
	(void)time_parse(word, INT64_MAX, INT64_MIN + 1, &ms);
}

static void
try_numbers(const char *word)
{
	int64_t v;

	if (text_int(word, -1, 1000, &v) == 0)
		assert(v >= -1 && v <= 1000);
	(void)text_int(word, INT64_MIN, INT64_MAX, &v);
	if (text_size(word, -1, INT64_MAX, &v) == 0)
		assert(v >= -1);
	if (text_duration_ms(word, 0, 86400000, &v) == 0)
		assert(v >= 0 && v <= 86400000);
	(void)text_duration_ms(word, INT64_MIN, INT64_MAX, &v);
	(void)text_duration_s(word, INT64_MIN, INT64_MAX, &v);
	if (strlen(word) >= 8) {
		char text[TEXT_TIME_SIZE];
		int64_t days = (int64_t)be64_get(word), year;
		int month, day;

		text_time_ms(days, text);
		days %= 100000000;
		text_civil_from_days(days, &year, &month, &day);
		assert(text_days_from_civil(year, month, day) == days);
	}
}

static void
try_escapes(struct slice bytes, const char *word)
{
	struct buf shown = BUF_INIT, back = BUF_INIT;
	struct err err;

	escape_put(&shown, bytes.data, bytes.len, '\'');
	assert(text_utf8_valid(shown.data, shown.len) == shown.len);
	if (escape_parse(buf_cstr(&shown), &back, &err) == -1)
		abort();
	assert(back.len == bytes.len && (back.len == 0 || memcmp(back.data, bytes.data, back.len) == 0));
	buf_clear(&back);
	(void)escape_parse(word, &back, &err);
	buf_release(&shown);
	buf_release(&back);
}

static bool
is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") == NULL &&
	    text_utf8_valid(pattern, strlen(pattern)) == strlen(pattern);
}

static void
try_globs(const char *pattern, const char *word)
{
	bool matches = text_glob(pattern, word);
	struct nearest near;

	if (is_plain(pattern))
		assert(matches == (strcmp(pattern, word) == 0));
	assert(text_glob("*", word));
	nearest_init(&near, pattern);
	nearest_try(&near, word);
	nearest_try(&near, "retention.ms");
	if (strlen(word) < 100 && strlen(pattern) < 100)
		assert(text_distance(pattern, word, 200) == text_distance(word, pattern, 200));
	(void)text_distance(pattern, word, 3);
}

/* Bytes as text, in all the ways there are. */
static void
try_bytes(struct slice bytes)
{
	struct cursor c = cursor_of(bytes.data, bytes.len);
	struct buf out = BUF_INIT, back = BUF_INIT;
	char text[UUID_TEXT_SIZE];
	struct uuid id, again;

	text_base64_put(&out, bytes.data, bytes.len);
	assert(text_base64_get(&back, (char *)out.data, out.len) == 0);
	assert(back.len == bytes.len && (back.len == 0 || memcmp(back.data, bytes.data, back.len) == 0));
	(void)text_base64_get(&back, (const char *)c.at, bytes.len);
	text_hex_put(&out, bytes.data, bytes.len);
	json_lossy_put(&out, bytes.data, bytes.len);
	assert(text_utf8_valid(out.data, out.len) == out.len);
	if (text_utf8_valid(bytes.data, bytes.len) == bytes.len)
		json_string_put(&out, bytes.data, bytes.len);
	while (cursor_left(&c) > 0)
		assert(text_utf8_next(&c) <= 0x10ffff);
	if (uuid_parse(&id, (const char *)bytes.data, bytes.len) == 0) {
		uuid_format(&id, text);
		assert(uuid_parse(&again, text, strlen(text)) == 0 && uuid_equal(&id, &again));
	}
	buf_release(&out);
	buf_release(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t which = fuzz_byte(&c);
	struct slice rest = fuzz_rest(&c);
	char *word = fuzz_string(rest);
	size_t first = strlen(word);
	const char *other = first < rest.len ? word + first + 1 : "";

	switch (which % 7) {
	case 0:
		try_range(word, other);
		break;
	case 1:
		try_partitions(word, other);
		break;
	case 2:
		try_times(word);
		break;
	case 3:
		try_numbers(word);
		break;
	case 4:
		try_escapes(rest, word);
		break;
	case 5:
		try_globs(word, other);
		break;
	default:
		try_bytes(rest);
		break;
	}
	free(word);
	return 0;
}
