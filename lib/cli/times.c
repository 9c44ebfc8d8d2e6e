#include "cli/times.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

/* Reads exactly `count` digits; returns what is behind them, or NULL. NULL in,
 * NULL out, so that reads can be chained. */
static const char *
digits(const char *s, int count, int *out)
{
	*out = 0;
	if (s == NULL)
		return NULL;
	for (int i = 0; i < count; i++, s++) {
		if (*s < '0' || *s > '9')
			return NULL;
		*out = *out * 10 + (*s - '0');
	}
	return s;
}

static const char *
letter(const char *s, char c)
{
	return s != NULL && *s == c ? s + 1 : NULL;
}

/* ".1" is 100 ms; digits behind the third are read and dropped. */
static const char *
fraction(const char *s, int *ms)
{
	int weight = 100;

	*ms = 0;
	if (s == NULL || *s != '.')
		return s;
	if (s[1] < '0' || s[1] > '9')
		return NULL;
	for (s++; *s >= '0' && *s <= '9'; s++) {
		*ms += (*s - '0') * weight;
		weight /= 10;
	}
	return s;
}

/* "Z", "+01:00", "+0100", or nothing (`found` stays false). */
static const char *
zone(const char *s, bool *found, int *offset_minutes)
{
	int hours, minutes, sign;

	*found = false;
	if (s == NULL || *s == '\0')
		return s;
	*found = true;
	*offset_minutes = 0;
	if (*s == 'Z')
		return s + 1;
	if (*s != '+' && *s != '-')
		return NULL;
	sign = *s == '-' ? -1 : 1;
	s = digits(s + 1, 2, &hours);
	if (s != NULL && *s == ':')
		s++;
	s = digits(s, 2, &minutes);
	if (s == NULL || hours > 23 || minutes > 59)
		return NULL;
	*offset_minutes = sign * (hours * 60 + minutes);
	return s;
}

static bool
date_is_real(int year, int month, int day)
{
	int64_t y;
	int m, d;

	if (month < 1 || month > 12 || day < 1)
		return false;
	text_civil_from_days(text_days_from_civil(year, month, day), &y, &m, &d);
	return y == year && m == month && d == day;
}

int
time_parse_iso(const char *s, int64_t *out)
{
	int year, month, day, hour = 0, minute = 0, second = 0, ms = 0, offset_minutes = 0;
	bool has_zone = false;

	s = digits(letter(digits(letter(digits(s, 4, &year), '-'), 2, &month), '-'), 2, &day);
	if (s != NULL && (*s == 'T' || *s == ' ')) {
		s = digits(letter(digits(s + 1, 2, &hour), ':'), 2, &minute);
		if (s != NULL && *s == ':')
			s = fraction(digits(s + 1, 2, &second), &ms);
		s = zone(s, &has_zone, &offset_minutes);
	}
	if (s == NULL || *s != '\0' || !date_is_real(year, month, day))
		return -1;
	if (hour > 23 || minute > 59 || second > 59)
		return -1;
	if (has_zone) {
		int64_t days = text_days_from_civil(year, month, day);

		*out =
		    (((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second) * 1000 + ms;
	} else {
		struct tm tm = {.tm_year = year - 1900,
		    .tm_mon = month - 1,
		    .tm_mday = day,
		    .tm_hour = hour,
		    .tm_min = minute,
		    .tm_sec = second,
		    .tm_isdst = -1};

		*out = (int64_t)mktime(&tm) * 1000 + ms;
	}
	return 0;
}

/* "2h", "1h30m": a duration whose unit is written. */
static int
span_parse(const char *s, int64_t *ms)
{
	size_t len = strlen(s);

	if (*s < '0' || *s > '9' || (s[len - 1] >= '0' && s[len - 1] <= '9'))
		return -1;
	return text_duration_ms(s, 0, INT64_MAX / 4, ms);
}

int
time_parse(const char *s, int64_t now_ms, int64_t base_ms, int64_t *ms)
{
	size_t len = strlen(s);
	int64_t n;

	if (strcmp(s, "now") == 0) {
		*ms = now_ms;
		return 0;
	}
	if (*s == '-' || *s == '+') {
		if ((*s == '+' && base_ms == TIME_NONE) || span_parse(s + 1, &n) == -1)
			return -1;
		*ms = *s == '-' ? now_ms - n : base_ms + n;
		return 0;
	}
	if ((len == 10 || len == 13) && strspn(s, "0123456789") == len) {
		if (text_int(s, 0, INT64_MAX, &n) == -1)
			return -1;
		*ms = len == 10 ? n * 1000 : n;
		return 0;
	}
	return time_parse_iso(s, ms);
}
