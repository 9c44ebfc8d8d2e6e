/* range, times, partitions, escape. */
#include "tap.h"

#include <stdlib.h>
#include <time.h>

#include "cli/escape.h"
#include "cli/range.h"
#include "cli/times.h"

#define NOW 1700000000000
#define HOUR 3600000

static void
ranges(void)
{
	static const struct {
		const char *text;
		struct range want;
	} table[] = {
	    {"beginning", {{POINT_BEGINNING, 0}, {POINT_NONE, 0}}},
	    {"start", {{POINT_BEGINNING, 0}, {POINT_NONE, 0}}},
	    {"earliest", {{POINT_BEGINNING, 0}, {POINT_NONE, 0}}},
	    {"end", {{POINT_END, 0}, {POINT_NONE, 0}}},
	    {"latest", {{POINT_END, 0}, {POINT_NONE, 0}}},
	    {"stored", {{POINT_STORED, 0}, {POINT_NONE, 0}}},
	    {"0", {{POINT_OFFSET, 0}, {POINT_NONE, 0}}},
	    {"9223372036854775807", {{POINT_OFFSET, INT64_MAX}, {POINT_NONE, 0}}},
	    {"+5", {{POINT_AFTER, 5}, {POINT_NONE, 0}}},
	    {"-10", {{POINT_BEFORE, 10}, {POINT_NONE, 0}}},
	    {"5..10", {{POINT_OFFSET, 5}, {POINT_OFFSET, 10}}},
	    {"5..5", {{POINT_OFFSET, 5}, {POINT_OFFSET, 5}}},
	    {"..10", {{POINT_BEGINNING, 0}, {POINT_OFFSET, 10}}},
	    {"5..end", {{POINT_OFFSET, 5}, {POINT_END, 0}}},
	    {"5..", {{POINT_OFFSET, 5}, {POINT_END, 0}}},
	    {"-10..-5", {{POINT_BEFORE, 10}, {POINT_BEFORE, 5}}},
	    {"+1..+4", {{POINT_AFTER, 1}, {POINT_AFTER, 4}}},
	    {"stored..end", {{POINT_STORED, 0}, {POINT_END, 0}}},
	    {"beginning..@now", {{POINT_BEGINNING, 0}, {POINT_TIME, NOW}}},
	    {"@1700000001", {{POINT_TIME, 1700000001000}, {POINT_NONE, 0}}},
	    {"@1700000000123", {{POINT_TIME, 1700000000123}, {POINT_NONE, 0}}},
	    {"@now", {{POINT_TIME, NOW}, {POINT_NONE, 0}}},
	    {"@-90s", {{POINT_TIME, NOW - 90000}, {POINT_NONE, 0}}},
	    {"@-7d", {{POINT_TIME, NOW - 7 * 24 * (int64_t)HOUR}, {POINT_NONE, 0}}},
	    {"@-2h..-1h", {{POINT_TIME, NOW - 2 * HOUR}, {POINT_TIME, NOW - HOUR}}},
	    {"@-2h..@-1h", {{POINT_TIME, NOW - 2 * HOUR}, {POINT_TIME, NOW - HOUR}}},
	    {"@-2h..+1h", {{POINT_TIME, NOW - 2 * HOUR}, {POINT_TIME, NOW - HOUR}}},
	    {"@-2h..now", {{POINT_TIME, NOW - 2 * HOUR}, {POINT_TIME, NOW}}},
	    {"@-2h..end", {{POINT_TIME, NOW - 2 * HOUR}, {POINT_END, 0}}},
	    {"@2023-11-14T22:13:20.5Z..+1h",
		{{POINT_TIME, NOW + 500}, {POINT_TIME, NOW + 500 + HOUR}}},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct range *want = &table[i].want;
		struct range r = RANGE_INIT;
		struct err err = {.text = ""};

		is_int(range_parse(&r, table[i].text, NOW, &err), 0, "-o %s %s", table[i].text,
		    err.text);
		ok(r.from.kind == want->from.kind && r.from.value == want->from.value &&
			r.to.kind == want->to.kind && r.to.value == want->to.value,
		    "-o %s means what it should", table[i].text);
	}
}

static void
ranges_refused(void)
{
	static const struct {
		const char *text, *want;
	} table[] = {
	    {"", "-o: '' is no point: beginning, end, stored, N, +N, -N or @TIME"},
	    {"..", "-o: '..' has no ends"},
	    {"begining", "-o: unknown 'begining' (did you mean beginning?)"},
	    {"5x", "-o: '5x' is no point: beginning, end, stored, N, +N, -N or @TIME"},
	    {"--5", "-o: '--5' is no point: beginning, end, stored, N, +N, -N or @TIME"},
	    {"10..5", "-o: '10..5' ends before it begins"},
	    {"-5..-10", "-o: '-5..-10' ends before it begins"},
	    {"@-1h..-2h", "-o: '@-1h..-2h' ends before it begins"},
	    {"5..stored", "-o: a range cannot end at 'stored'"},
	    {"@yesterday", "-o: 'yesterday' is no time: " TIME_FORMS},
	    {"@-90", "-o: '-90' is no time: " TIME_FORMS},
	    {"@+1h", "-o: '+1h' is no time: " TIME_FORMS},
	    {"s@x", "-o: 's@x': not milliseconds since 1970"},
	    {"9223372036854775808",
		"-o: '9223372036854775808' is no point: beginning, end, stored, N, "
		"+N, -N or @TIME"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct range r = {{POINT_OFFSET, 1}, {POINT_OFFSET, 2}};
		struct err err = {.text = ""};

		is_int(range_parse(&r, table[i].text, NOW, &err), -1, "-o '%s' is refused",
		    table[i].text);
		is_str(err.text, table[i].want, "with its message");
		ok(r.from.value == 1 && r.to.value == 2, "and changes nothing");
	}
}

static void
kcat_ranges(void)
{
	struct range r = RANGE_INIT;
	struct point p;
	struct err err;

	range_parse(&r, "s@1000", NOW, &err);
	range_parse(&r, "e@2000", NOW, &err);
	ok(r.from.kind == POINT_TIME && r.from.value == 1000, "kcat's s@ sets the start");
	ok(r.to.kind == POINT_TIME && r.to.value == 2000, "kcat's e@ sets the end");
	is_int(point_parse(&p, "@-1h", NOW, &err), 0, "a single point");
	is_int(p.value, NOW - HOUR, "its time");
	is_int(point_parse(&p, "1..2", NOW, &err), -1, "a range is no point");
	is_int(point_parse(&p, "stored", NOW, &err), -1, "'stored' is no place to seek to");
}

static void
times(void)
{
	static const struct {
		const char *text;
		int64_t want; /* TIME_NONE: refused */
	} table[] = {
	    {"1970-01-01T00:00Z", 0},
	    {"2024-01-15T10:00Z", 1705312800000},
	    {"2024-01-15T10:00:01Z", 1705312801000},
	    {"2024-01-15T10:00:01.5Z", 1705312801500},
	    {"2024-01-15T10:00:01.123456Z", 1705312801123},
	    {"2024-01-15T10:00+01:00", 1705312800000 - HOUR},
	    {"2024-01-15T10:00-0130", 1705312800000 + HOUR + HOUR / 2},
	    {"2024-01-15 10:00:00Z", 1705312800000},
	    {"1969-12-31T23:59:59Z", -1000},
	    {"2024-02-29T00:00Z", 1709164800000},
	    /* TZ is three hours ahead in this test */
	    {"2024-01-15", 1705276800000 - 3 * (int64_t)HOUR},
	    {"2024-01-15T10:00", 1705312800000 - 3 * (int64_t)HOUR},
	    {"2023-02-29T00:00Z", TIME_NONE},
	    {"2024-13-01", TIME_NONE},
	    {"2024-01-15T24:00Z", TIME_NONE},
	    {"2024-01-15T10", TIME_NONE},
	    {"2024-01-15T10:00:00.Z", TIME_NONE},
	    {"2024-01-15Z", TIME_NONE},
	    {"2024-1-15", TIME_NONE},
	    {"2024-01-15T10:00Zx", TIME_NONE},
	    {"", TIME_NONE},
	};

	setenv("TZ", "MSK-3", 1);
	tzset();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t ms = TIME_NONE;

		is_int(time_parse_iso(table[i].text, &ms), table[i].want == TIME_NONE ? -1 : 0,
		    "'%s'", table[i].text);
		is_int(ms, table[i].want, "is the right moment");
	}
}

static void
partitions(void)
{
	struct partition_set set = PARTITION_SET_INIT;
	struct err err;

	ok(partition_set_has(&set, 7), "no -p is any partition");
	is_int(partition_set_parse(&set, "0,2-5", &err), 0, "-p 0,2-5");
	ok(partition_set_has(&set, 0) && partition_set_has(&set, 2) && partition_set_has(&set, 5),
	    "those are in");
	ok(!partition_set_has(&set, 1) && !partition_set_has(&set, 6), "others are out");
	is_int(partition_set_beyond(&set, 6), -1, "six partitions are enough");
	is_int(partition_set_beyond(&set, 4), 4, "of four the fifth is missed");
	is_int(partition_set_parse(&set, "1", &err), 0, "another -p adds");
	is_int((intmax_t)set.count, 1, "and spans that touch are joined");
	is_int(partition_set_parse(&set, "-1", &err), 0, "-p -1");
	ok(partition_set_has(&set, 99), "is any");
	partition_set_release(&set);
	is_int(partition_set_parse(&set, "5-2", &err), -1, "backwards");
	is_str(err.text, "-p: '5-2' ends before it begins", "its message");
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = {"", "a", "1,", "1--2", "2147483648", "-2"};

		is_int(partition_set_parse(&set, bad[i], &err), -1, "-p '%s' is refused", bad[i]);
	}
	partition_set_release(&set);
}

static void
escapes(void)
{
	struct buf b = BUF_INIT;
	struct err err;
	uint8_t all[256];

	is_int(escape_parse("a\\n\\t\\0\\x41\\\\b", &b, &err), 0, "escapes");
	ok(b.len == 7 && memcmp(b.data, "a\n\t\0A\\b", 7) == 0, "give their bytes");
	is_int(escape_parse("\\q", &b, &err), -1, "an unknown one is refused");
	is_int(escape_parse("\\x4", &b, &err), -1, "half a byte is refused");
	is_int(escape_parse("\\", &b, &err), -1, "nothing behind the backslash");
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	buf_clear(&b);
	escape_put(&b, all, sizeof(all), '"');
	{
		struct buf back = BUF_INIT;

		is_int(escape_parse(buf_cstr(&b), &back, &err), 0, "what is put can be read");
		ok(back.len == 256 && memcmp(back.data, all, 256) == 0, "and all bytes come back");
		buf_release(&back);
	}
	buf_release(&b);
}

int
main(void)
{
	ranges();
	ranges_refused();
	kcat_ranges();
	times();
	partitions();
	escapes();
	return tap_done();
}
