#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* --- numbers, sizes, durations --------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits, at least one, into a number that is not negative. Returns the
 * first character behind them, or NULL. */
static const char *
digits_read(const char *s, int64_t *out)
{
	int64_t v = 0;

	if (!is_digit(*s))
		return NULL;
	for (; is_digit(*s); s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
			return NULL;
	*out = v;
	return s;
}

static int
within(int64_t v, int64_t min, int64_t max, int64_t *out)
{
	if (v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

int
text_int(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = *s == '-';
	int64_t v = 0;

	s += negative;
	if (!is_digit(*s))
		return -1;
	/* Counted downwards when negative: there is one more of those. */
	for (; is_digit(*s); s++) {
		int digit = negative ? '0' - *s : *s - '0';

		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return -1;
	}
	return *s == '\0' ? within(v, min, max, out) : -1;
}

/* The shift that a size's suffix stands for, or -1. */
static int
size_shift(const char *suffix)
{
	static const struct {
		char letter;
		int shift;
	} units[] = {{'k', 10}, {'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}};

	if (strcmp(suffix, "") == 0 || strcmp(suffix, "B") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		const char *rest = suffix + 1;

		if (units[i].letter != suffix[0])
			continue;
		if (strcmp(rest, "") == 0 || strcmp(rest, "B") == 0 || strcmp(rest, "iB") == 0)
			return units[i].shift;
	}
	return -1;
}

int
text_size(const char *s, int64_t min, int64_t max, int64_t *out)
{
	const char *suffix;
	int64_t v;
	int shift;

	if (*s == '-')
		return text_int(s, min, max, out);
	if ((suffix = digits_read(s, &v)) == NULL || (shift = size_shift(suffix)) == -1)
		return -1;
	if (v > INT64_MAX >> shift)
		return -1;
	return within(v << shift, min, max, out);
}

static const struct time_unit {
	const char *name;
	int64_t ms;
} time_units[] = {
    /* Largest first. */
    {"w", 7 * 86400000LL},
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
};

#define TIME_UNIT_COUNT (sizeof(time_units) / sizeof(time_units[0]))

/* The unit whose name is the letters at `s`; an index, or TIME_UNIT_COUNT. */
static size_t
time_unit_find(const char *s, size_t *name_len)
{
	size_t i, len = strspn(s, "abcdefghijklmnopqrstuvwxyz");

	for (i = 0; i < TIME_UNIT_COUNT; i++)
		if (strlen(time_units[i].name) == len && memcmp(time_units[i].name, s, len) == 0)
			break;
	*name_len = len;
	return i;
}

/* Reads a fraction such as ".5", if there is one; else it is 0 of 1. Returns the
 * first character behind it. */
static const char *
fraction_read(const char *s, int64_t *numerator, int64_t *denominator)
{
	*numerator = 0;
	*denominator = 1;
	if (s[0] != '.' || !is_digit(s[1]))
		return s;
	for (s++; is_digit(*s); s++) {
		if (*denominator == 1000000000)
			continue; /* a part of 10^-9 weeks is under a millisecond */
		*numerator = *numerator * 10 + (*s - '0');
		*denominator *= 10;
	}
	return s;
}

/* A duration without its sign. A number without a unit counts `plain_ms` and
 * stands alone. */
static int
duration_read(const char *s, int64_t plain_ms, int64_t *out)
{
	size_t unit_min = 0; /* units get smaller from part to part */
	int64_t total = 0;

	do {
		int64_t v, numerator, denominator, ms;
		const char *at = digits_read(s, &v);
		size_t name_len, unit;

		if (at == NULL)
			return -1;
		at = fraction_read(at, &numerator, &denominator);
		if (*at == '\0' && unit_min == 0) {
			if (plain_ms == 1 && denominator != 1)
				return -1;
			ms = plain_ms;
		} else {
			unit = time_unit_find(at, &name_len);
			if (unit < unit_min || unit == TIME_UNIT_COUNT)
				return -1;
			ms = time_units[unit].ms;
			unit_min = unit + 1;
			at += name_len;
		}
		if (__builtin_mul_overflow(v, ms, &v) ||
		    __builtin_add_overflow(v, numerator * ms / denominator, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return -1;
		s = at;
	} while (*s != '\0');
	*out = total;
	return 0;
}

static int
duration_parse(const char *s, int64_t plain_ms, int64_t min, int64_t max, int64_t *out)
{
	bool negative = *s == '-';
	int64_t v;

	if (duration_read(s + negative, plain_ms, &v) == -1)
		return -1;
	return within(negative ? -v : v, min, max, out);
}

int
text_duration_ms(const char *s, int64_t min, int64_t max, int64_t *out)
{
	return duration_parse(s, 1, min, max, out);
}

int
text_duration_s(const char *s, int64_t min_ms, int64_t max_ms, int64_t *out_ms)
{
	return duration_parse(s, 1000, min_ms, max_ms, out_ms);
}

/* --- time ------------------------------------------------------------------ */

#define DAYS_400 146097 /* days in 400 years, after which the calendar repeats */
#define DAYS_100 36524	/* the first three centuries of those */
#define DAYS_4 1461
#define DAYS_TO_EPOCH 719468 /* from 0000-03-01 to 1970-01-01 */

/* Rounds towards the past. */
static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days before the `month`-th month of a year that begins in March: 31, 30, 31,
 * 30, 31 and again. */
static int
days_before_month(int month_from_march)
{
	return (month_from_march * 153 + 2) / 5;
}

int64_t
text_days_from_civil(int64_t year, int month, int day)
{
	int m = month > 2 ? month - 3 : month + 9; /* so that a leap day comes last */
	int64_t y = month > 2 ? year : year - 1;
	int64_t cycle = floor_div(y, 400), of_cycle = y - cycle * 400;

	return cycle * DAYS_400 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 +
	       days_before_month(m) + day - 1 - DAYS_TO_EPOCH;
}

void
text_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t cycle = floor_div(days, DAYS_400);
	int left = (int)(days - cycle * DAYS_400) + DAYS_TO_EPOCH % DAYS_400;
	int centuries, fours, years, m = 11;

	cycle += DAYS_TO_EPOCH / DAYS_400 + left / DAYS_400;
	left %= DAYS_400;
	/* The last century and the last year of each are a day longer. */
	centuries = left / DAYS_100 < 3 ? left / DAYS_100 : 3;
	left -= centuries * DAYS_100;
	fours = left / DAYS_4;
	left -= fours * DAYS_4;
	years = left / 365 < 3 ? left / 365 : 3;
	left -= years * 365;
	while (days_before_month(m) > left)
		m--;
	*year = cycle * 400 + centuries * 100 + fours * 4 + years + (m >= 10);
	*month = m < 10 ? m + 3 : m - 9;
	*day = left - days_before_month(m) + 1;
}

void
text_time_ms(int64_t ms, char out[TEXT_TIME_SIZE])
{
	int64_t days = floor_div(ms, 86400000), year;
	int64_t of_day = ms % 86400000 + (ms % 86400000 < 0 ? 86400000 : 0);
	unsigned hour = (unsigned)of_day / 3600000, minute = (unsigned)of_day / 60000 % 60;
	int month, day, n;

	if (ms == -1) {
		memcpy(out, "-", 2);
		return;
	}
	text_civil_from_days(days, &year, &month, &day);
	n = snprintf(out, TEXT_TIME_SIZE, "%s%04lld",
	    year < 0	  ? "-"
	    : year > 9999 ? "+"
			  : "",
	    (long long)(year < 0 ? -year : year));
	snprintf(out + n, TEXT_TIME_SIZE - (size_t)n, "-%02u-%02uT%02u:%02u:%02u.%03uZ",
	    (unsigned)month % 100, (unsigned)day % 100, hour % 100, minute,
	    (unsigned)of_day / 1000 % 60, (unsigned)of_day % 1000);
}

/* --- UTF-8 ----------------------------------------------------------------- */

/* Bytes of the code point at `p`, which it stores, or 0 if it is malformed. */
static size_t
utf8_decode(const uint8_t *p, size_t len, uint32_t *code)
{
	/* By number of bytes: the first code point that needs so many. */
	static const uint32_t first[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n;
	uint32_t v;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	v = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < first[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*code = v;
	return n;
}

size_t
text_utf8_valid(const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t at = 0, n;
	uint32_t code;

	while (at < len) {
		/* Most text is ASCII: eight bytes at once. */
		if (len - at >= 8 && (be64_get(p + at) & 0x8080808080808080u) == 0) {
			at += 8;
			continue;
		}
		if ((n = utf8_decode(p + at, len - at, &code)) == 0)
			break;
		at += n;
	}
	return at;
}

uint32_t
text_utf8_next(struct cursor *c)
{
	uint32_t code;
	size_t n;

	if (c->failed || cursor_left(c) == 0) {
		c->failed = true;
		return 0;
	}
	if ((n = utf8_decode(c->at, cursor_left(c), &code)) == 0) {
		c->at++;
		return 0xfffd;
	}
	c->at += n;
	return code;
}

/* --- base64, hex ------------------------------------------------------------- */

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
text_cut(char *text, size_t len, size_t max)
{
	static const char dots[] = "...";
	size_t keep = max - (sizeof(dots) - 1);

	if (len <= max)
		return len;
	/* Back to where a character begins; what is no UTF-8 is cut anywhere. */
	for (size_t n = 1; n < 4 && n <= keep; n++) {
		unsigned char c = (unsigned char)text[keep - n];

		if ((c & 0xc0) == 0x80)
			continue;
		if (c >= 0xc0)
			keep -= text_utf8_valid(text + keep - n, n) == n ? 0 : n;
		break;
	}
	memcpy(text + keep, dots, sizeof(dots));
	return keep + sizeof(dots) - 1;
}

void
text_base64_put(struct buf *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t *to;

	if (len > SIZE_MAX / 2) {
		b->failed = true;
		return;
	}
	if ((to = buf_extend(b, (len + 2) / 3 * 4)) == NULL)
		return;
	for (size_t n; len > 0; p += n, to += 4, len -= n) {
		uint32_t v = (uint32_t)p[0] << 16;

		n = len < 3 ? len : 3;
		v |= n > 1 ? (uint32_t)p[1] << 8 : 0;
		v |= n > 2 ? p[2] : 0;
		to[0] = (uint8_t)base64_alphabet[v >> 18];
		to[1] = (uint8_t)base64_alphabet[v >> 12 & 63];
		to[2] = n > 1 ? (uint8_t)base64_alphabet[v >> 6 & 63] : '=';
		to[3] = n > 2 ? (uint8_t)base64_alphabet[v & 63] : '=';
	}
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, of which `count` (2 to 4) are digits: count - 1 bytes. */
static int
base64_quad(const char *s, size_t count, uint8_t out[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < count ? base64_digit(s[i]) : 0;

		if (digit == -1)
			return -1;
		v = v << 6 | (uint32_t)digit;
	}
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	return (v & (0xffffffu >> 8 * (count - 1))) == 0 ? 0 : -1;
}

int
text_base64_get(struct buf *b, const char *s, size_t len)
{
	size_t start = b->len;

	if (len % 4 != 0)
		return -1;
	for (; len > 0; s += 4, len -= 4) {
		size_t pad = len > 4 ? 0 : s[3] != '=' ? 0 : s[2] != '=' ? 1 : 2;
		uint8_t bytes[3];

		if (base64_quad(s, 4 - pad, bytes) == -1)
			break;
		buf_put(b, bytes, 3 - pad);
	}
	if (len == 0 && !b->failed)
		return 0;
	b->len = start;
	return -1;
}

void
text_hex_put(struct buf *b, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t *to;

	if (len > SIZE_MAX / 2) {
		b->failed = true;
		return;
	}
	if ((to = buf_extend(b, len * 2)) == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		*to++ = (uint8_t) "0123456789abcdef"[p[i] >> 4];
		*to++ = (uint8_t) "0123456789abcdef"[p[i] & 15];
	}
}

/* --- matching ---------------------------------------------------------------- */

/* The next character as a number: a code point, or, for a malformed byte, one
 * above them all. */
static uint32_t
glob_char(const char **s)
{
	const uint8_t *p = (const uint8_t *)*s;
	uint32_t code;
	size_t n = utf8_decode(p, strnlen(*s, 4), &code);

	*s += n != 0 ? n : 1;
	return n != 0 ? code : 0x110000u + p[0];
}

/* Matches `code` against the set behind a '['. Returns 1 or 0 with *pattern
 * moved behind its ']', or -1 if there is none: the '[' is a plain one. */
static int
glob_set(const char **pattern, uint32_t code)
{
	const char *p = *pattern;
	bool negated = *p == '!', found = false;

	p += negated;
	for (bool first = true; first || *p != ']'; first = false) {
		uint32_t low, high;

		if (*p == '\\' && p[1] != '\0')
			p++;
		if (*p == '\0')
			return -1;
		low = high = glob_char(&p);
		if (p[0] == '-' && p[1] != ']' && p[1] != '\0') {
			p += p[1] == '\\' && p[2] != '\0' ? 2 : 1;
			high = glob_char(&p);
		}
		found = found || (low <= code && code <= high);
	}
	*pattern = p + 1;
	return found != negated;
}

/* Matches one character of `s`, not at its end, with one piece of the pattern
 * that is not '*'; moves both on if it does. */
static bool
glob_one(const char **pattern, const char **s)
{
	const char *p = *pattern, *at = *s;
	uint32_t code = glob_char(&at);
	char kind = *p;
	int in_set = -1;

	if (kind == '\0')
		return false;
	if (kind == '[') {
		p++;
		in_set = glob_set(&p, code);
		if (in_set == -1)
			p = *pattern;
	}
	if (in_set == 0)
		return false;
	if (in_set == -1) {
		if (kind == '\\' && p[1] != '\0')
			p++;
		if (glob_char(&p) != code && kind != '?')
			return false;
	}
	*pattern = p;
	*s = at;
	return true;
}

bool
text_glob(const char *pattern, const char *s)
{
	/* Where to go on when the match fails: the last '*', taking one
	 * character more. Earlier ones need no second try. */
	const char *star = NULL, *star_s = NULL;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			star_s = s;
		} else if (*s == '\0') {
			return *pattern == '\0';
		} else if (!glob_one(&pattern, &s)) {
			if (star == NULL)
				return false;
			glob_char(&star_s);
			pattern = star;
			s = star_s;
		}
	}
}

#define DISTANCE_LEN_MAX 255

size_t
text_distance(const char *a, const char *b, size_t limit)
{
	size_t row[DISTANCE_LEN_MAX + 1];
	size_t a_len = strnlen(a, DISTANCE_LEN_MAX + 1), b_len = strnlen(b, DISTANCE_LEN_MAX + 1);

	if (a_len > DISTANCE_LEN_MAX || b_len > DISTANCE_LEN_MAX)
		return strcmp(a, b) == 0 ? 0 : limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (best > row[j] + 1)
				best = row[j] + 1;
			if (best > row[j - 1] + 1)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_len] > limit ? limit + 1 : row[b_len];
}
