/* base: numbers, times and text as people write them. */
#include "base/text.h"
#include "tap.h"

#include <stdlib.h>

#define UNTOUCHED 4242

typedef int parser(const char *, int64_t, int64_t, int64_t *);

static void
parses(parser *parse, const char *s, int64_t want, const char *what)
{
	int64_t got = UNTOUCHED;

	ok(parse(s, INT64_MIN, INT64_MAX, &got) == 0, "%s '%s' parses", what, s);
	is_int(got, want, "%s '%s'", what, s);
}

static void
refuses(parser *parse, const char *s, const char *what)
{
	int64_t got = UNTOUCHED;

	ok(parse(s, INT64_MIN, INT64_MAX, &got) == -1 && got == UNTOUCHED, "%s '%s' is refused",
	    what, s);
}

static void
test_numbers(void)
{
	static const char *const bad[] = {
	    "", "-", "+1", " 1", "1 ", "1x", "--1", "9223372036854775808", "-9223372036854775809"};
	int64_t v = UNTOUCHED;

	parses(text_int, "0", 0, "int");
	parses(text_int, "-1", -1, "int");
	parses(text_int, "9223372036854775807", INT64_MAX, "int");
	parses(text_int, "-9223372036854775808", INT64_MIN, "int");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(text_int, bad[i], "int");
	ok(text_int("5", 5, 5, &v) == 0 && v == 5, "both ends of a range belong to it");
	ok(text_int("4", 5, 9, &v) == -1 && text_int("10", 5, 9, &v) == -1 && v == 5,
	    "others do not");
}

static void
test_sizes(void)
{
	static const char *const bad[] = {
	    "", "k", "1kk", "1KiBs", "1iB", "1m", "1 k", "-1k", "8388608T", "1.5M", "1KB "};
	int64_t v = UNTOUCHED;

	parses(text_size, "0", 0, "size");
	parses(text_size, "-1", -1, "size");
	parses(text_size, "1k", 1024, "size");
	parses(text_size, "1K", 1024, "size");
	parses(text_size, "512M", 536870912, "size");
	parses(text_size, "512MB", 536870912, "size");
	parses(text_size, "2GiB", 2147483648, "size");
	parses(text_size, "512B", 512, "size");
	parses(text_size, "8388607T", 8388607LL << 40, "size");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(text_size, bad[i], "size");
	ok(text_size("-1", 0, 10, &v) == -1 && text_size("1k", 0, 1023, &v) == -1 && v == UNTOUCHED,
	    "a size keeps within its range");
}

static void
test_durations(void)
{
	static const char *const bad[] = {"", "s", "1x", "1h30", "30m1h", "1h1h", "1.s", ".5s",
	    "1.5", "1 h", "1hour", "9223372036854775807s", "1.5.5s", "--1s"};

	parses(text_duration_ms, "604800000", 604800000, "duration");
	parses(text_duration_ms, "-1", -1, "duration");
	parses(text_duration_ms, "7d", 604800000, "duration");
	parses(text_duration_ms, "1h30m", 5400000, "duration");
	parses(text_duration_ms, "1w2d3h4m5s6ms", 788645006, "duration");
	parses(text_duration_ms, "1m1ms", 60001, "duration");
	parses(text_duration_ms, "1.5h", 5400000, "duration");
	parses(text_duration_ms, "-90s", -90000, "duration");
	parses(text_duration_ms, "0.0019s", 1, "duration");
	parses(text_duration_ms, "0.3333333333333333333s", 333, "duration");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(text_duration_ms, bad[i], "duration");
	parses(text_duration_s, "10", 10000, "seconds");
	parses(text_duration_s, "0.25", 250, "seconds");
	parses(text_duration_s, "250ms", 250, "seconds");
	parses(text_duration_s, "2m", 120000, "seconds");
	refuses(text_duration_s, "1m30", "seconds");
}

static void
time_is(int64_t ms, const char *want)
{
	char text[TEXT_TIME_SIZE];

	text_time_ms(ms, text);
	is_str(text, want, "time %jd", (intmax_t)ms);
}

/* What java.time.Instant prints, with three digits of milliseconds always. */
static void
test_times(void)
{
	time_is(0, "1970-01-01T00:00:00.000Z");
	time_is(-1, "-");
	time_is(-2, "1969-12-31T23:59:59.998Z");
	time_is(1716716911840, "2024-05-26T09:48:31.840Z");
	time_is(951782399999, "2000-02-28T23:59:59.999Z");
	time_is(951868800123, "2000-03-01T00:00:00.123Z");
	time_is(253402300799999, "9999-12-31T23:59:59.999Z");
	time_is(253402300800000, "+10000-01-01T00:00:00.000Z");
	time_is(-62167219200000, "0000-01-01T00:00:00.000Z");
	time_is(-62167219200001, "-0001-12-31T23:59:59.999Z");
	time_is(INT64_MAX, "+292278994-08-17T07:12:55.807Z");
	time_is(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

static void
test_calendar(void)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t days = text_days_from_civil(-801, 1, 1), y;
	bool good = true;
	int m, d;

	is_int(text_days_from_civil(1970, 1, 1), 0, "the epoch is day 0");
	is_int(text_days_from_civil(2000, 2, 29), 11016, "2000 was a leap year");
	for (int64_t year = -801; year <= 2801; year++) {
		bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

		for (int month = 1; month <= 12; month++) {
			int length = lengths[month - 1] + (month == 2 && leap);

			for (int day = 1; day <= length; day++, days++) {
				text_civil_from_days(days, &y, &m, &d);
				good = good && y == year && m == month && d == day &&
				       text_days_from_civil(year, month, day) == days;
			}
		}
	}
	ok(good, "each day of 3600 years is the one after the last, both ways");
}

static void
test_utf8(void)
{
	static const struct {
		const char *text;
		size_t len, valid;
		const char *name;
	} cases[] = {
	    {"plain ASCII text", 16, 16, "ASCII is valid"},
	    {"", 0, 0, "so is nothing"},
	    {"\0", 1, 1, "so is a NUL"},
	    {"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 18, 18,
		"so are the ends of each length"},
	    {"12345678\xff", 9, 8, "the valid prefix ends at a bad byte"},
	    {"\x80", 1, 0, "a continuation alone is not valid"},
	    {"\xc1\xbf", 2, 0, "nor are two bytes for ASCII"},
	    {"\xe0\x9f\xbf", 3, 0, "nor three for two"},
	    {"\xf0\x8f\xbf\xbf", 4, 0, "nor four for three"},
	    {"\xed\xa0\x80", 3, 0, "nor a surrogate"},
	    {"\xed\xbf\xbf", 3, 0, "nor the last one"},
	    {"\xf4\x90\x80\x80", 4, 0, "nor what is above U+10FFFF"},
	    {"\xf5\x80\x80\x80", 4, 0, "nor a lead byte that has no use"},
	    {"ab\xe2\x82", 4, 2, "nor a character cut short"},
	    {"\xe2\x28\xa1", 3, 0, "nor one broken off"},
	};
	struct cursor c = cursor_of("a\xff\xe2\x82\xac\xe2\x82", 7);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int((intmax_t)text_utf8_valid(cases[i].text, cases[i].len),
		    (intmax_t)cases[i].valid, "UTF-8: %s", cases[i].name);
	is_int(text_utf8_next(&c), 'a', "the first code point");
	is_int(text_utf8_next(&c), 0xfffd, "a malformed byte");
	is_int(text_utf8_next(&c), 0x20ac, "a good one behind it");
	is_int(text_utf8_next(&c), 0xfffd, "a character cut short: one");
	is_int(text_utf8_next(&c), 0xfffd, "for each byte");
	ok(cursor_done(&c) && text_utf8_next(&c) == 0 && c.failed, "then the end");
}

static void
test_base64(void)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
	    {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	    {"\xff\xef\xbe", "/+++"}};
	static const char *const bad[] = {"Z", "Zg",
	    "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9.", "Zm-v", "Zm_v",
	    "Zm9vZ=g=", " Zm9"};
	uint8_t data[64];
	struct buf text, back;
	bool good = true;

	buf_init(&text);
	buf_init(&back);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		buf_clear(&text);
		text_base64_put(&text, pairs[i][0], strlen(pairs[i][0]));
		is_str(buf_cstr(&text), pairs[i][1], "base64 of %zu bytes", strlen(pairs[i][0]));
	}
	buf_str(&back, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(text_base64_get(&back, bad[i], strlen(bad[i])) == -1 && back.len == 4,
		    "base64 '%s' is refused", bad[i]);
	for (size_t len = 0; len <= sizeof(data); len++) {
		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)(i * 89 + len * 31);
		buf_clear(&text);
		buf_clear(&back);
		text_base64_put(&text, data, len);
		good = good && text_base64_get(&back, buf_cstr(&text), text.len) == 0 &&
		       back.len == len && (len == 0 || memcmp(back.data, data, len) == 0);
	}
	ok(good, "base64 of each length is read back");
	ok(text_base64_get(&back, "Zm9\n", 4) == -1, "a newline is no base64");
	back.limit = back.len + 4;
	ok(text_base64_get(&back, "Zm9vYmFy", 8) == -1 && back.len == 64,
	    "a full buf takes no part of it");
	buf_clear(&text);
	text_hex_put(&text, "\x00\x9f\xff", 3);
	is_str(buf_cstr(&text), "009fff", "hex is lower case");
	buf_release(&text);
	buf_release(&back);
}

static void
test_glob(void)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"**", "abc", true},
	    {"?", "", false},
	    {"?", "a", true},
	    {"?", "\u00e9", true},
	    {"??", "\u00e9", false},
	    {"a*c", "abbbc", true},
	    {"a*c", "abbbd", false},
	    {"*a*b*", "xxaxxbxx", true},
	    {"*a*b*", "xxbxxaxx", false},
	    {"orders-[0-9]", "orders-7", true},
	    {"orders-[0-9]", "orders-x", false},
	    {"[!a-c]", "d", true},
	    {"[!a-c]", "b", false},
	    {"[]a]", "]", true},
	    {"[a-]", "-", true},
	    {"[!]]", "]", false},
	    {"[\\]]", "]", true},
	    {"[a\\-z]", "m", false},
	    {"[a\\-z]", "-", true},
	    {"[\u00e0-\u00ff]", "\u00e9", true},
	    {"[abc", "[abc", true},
	    {"[abc", "a", false},
	    {"[", "[", true},
	    {"\\*", "*", true},
	    {"\\*", "a", false},
	    {"a\\", "a\\", true},
	    {"*.log", "a.log.log", true},
	    {"A", "a", false},

	    {"a", "", false},
	    {"a?", "a", false},
	    {"*[b]", "aab", true},
	};
	char many[201];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(text_glob(cases[i].pattern, cases[i].text) == cases[i].match,
		    "glob '%s' %s '%s'", cases[i].pattern,
		    cases[i].match ? "matches" : "does not match", cases[i].text);
	memset(many, 'a', 200);
	many[200] = '\0';
	ok(text_glob("\xff", "\xff") && !text_glob("\xff", "\xfe"),
	    "malformed bytes match themselves");
	ok(text_glob("?", "\xff"), "and count as a character each");
	ok(!text_glob("*\xa9", "\u00e9"), "a star takes whole characters");
	ok(!text_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", many), "many stars end soon");
}

static void
test_distance(void)
{
	char long_a[400], long_b[400];

	is_int((intmax_t)text_distance("", "", 3), 0, "nothing is near nothing");
	is_int((intmax_t)text_distance("topic", "topic", 0), 0, "equal is 0");
	is_int((intmax_t)text_distance("", "abc", 5), 3, "three insertions");
	is_int((intmax_t)text_distance("kitten", "sitting", 5), 3, "kitten and sitting");
	is_int((intmax_t)text_distance("sitting", "kitten", 5), 3, "and the other way");
	is_int((intmax_t)text_distance("retention.ms", "retenton.ms", 2), 1, "one letter missing");
	is_int((intmax_t)text_distance("kitten", "sitting", 2), 3, "no more than limit + 1");
	is_int((intmax_t)text_distance("abcdef", "uvwxyz", 2), 3, "however far");
	memset(long_a, 'a', sizeof(long_a) - 1);
	long_a[sizeof(long_a) - 1] = '\0';
	memcpy(long_b, long_a, sizeof(long_b));
	is_int((intmax_t)text_distance(long_a, long_b, 2), 0, "long strings are near when equal");
	long_b[0] = 'b';
	is_int((intmax_t)text_distance(long_a, long_b, 2), 3, "else far");
}

static void
test_cut(void)
{
	static const struct {
		const char *text;
		size_t max;
		const char *cut;
	} cases[] = {
	    {"abcdef", 6, "abcdef"},
	    {"abcdefg", 6, "abc..."},
	    {"ab\xc3\xa4" "cdef", 6, "ab..."},
	    {"a\xc3\xa4" "cdefg", 6, "a\xc3\xa4..."},
	    {"\xe2\x82\xac" "defg", 6, "\xe2\x82\xac..."},
	    {"a\xe2\x82\xac" "defg", 6, "a..."},
	    {"\xf0\x9f\x98\x80" "efgh", 7, "\xf0\x9f\x98\x80..."},
	    {"a\xf0\x9f\x98\x80" "fgh", 7, "a..."},
	    {"\x80\x80\x80\x80\x80\x80\x80", 6, "\x80\x80\x80..."},
	};
	char text[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;

		snprintf(text, sizeof(text), "%s", cases[i].text);
		len = text_cut(text, strlen(text), cases[i].max);
		ok(strcmp(text, cases[i].cut) == 0 && len == strlen(cases[i].cut),
		    "a text is cut between characters (%zu)", i + 1);
	}
}

int
main(void)
{
	test_numbers();
	test_sizes();
	test_durations();
	test_times();
	test_calendar();
	test_utf8();
	test_base64();
	test_glob();
	test_distance();
	test_cut();
	return tap_done();
}
