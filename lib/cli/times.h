/*
 * times: points in time as people write them, in milliseconds since 1970.
 */
#ifndef CLI_TIMES_H
#define CLI_TIMES_H

#include <stdint.h>

#define TIME_NONE INT64_MIN

/* "2024-01-15", "2024-01-15T10:00", "…:30", "…:30.123", each time of day with an
 * optional zone: Z, +01:00, -0130. A space may stand for the T. Without a zone
 * it is local time ($TZ). Returns 0, or -1 with nothing stored. */
int time_parse_iso(const char *s, int64_t *out);

/* The above, and: seconds since 1970 (10 digits), milliseconds (13 digits),
 * "now", and durations with units: "-2h" before now, "+1h" after `base_ms`
 * (TIME_NONE: there is nothing that it could follow). */
int time_parse(const char *s, int64_t now_ms, int64_t base_ms, int64_t *ms);

/* What both of them take, for messages. */
#define TIME_FORMS "now, -2h, 1700000000, 1700000000000 or 2024-01-15T10:00[:00[.123]][Z|+01:00]"

#endif
