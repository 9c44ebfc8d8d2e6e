/*
 * text: numbers, sizes, durations, times, UTF-8 and base64 as people and files
 * write them. The libc locale plays no part.
 *
 * Parsers take a whole string, return 0, or -1 with nothing stored.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

/* A decimal integer within [min, max]; no spaces, no '+'. */
int text_int(const char *s, int64_t min, int64_t max, int64_t *out);

/* A size in bytes: a number with an optional suffix k K M G T (powers of 1024,
 * optionally followed by B or iB). "-1" is accepted where min allows it. */
int text_size(const char *s, int64_t min, int64_t max, int64_t *out);

/* A duration in milliseconds: a number (milliseconds, as Kafka's *.ms mean) or
 * numbers with units w d h m s ms, in this order, such as "7d", "1h30m" or
 * "1.5h"; what is below a millisecond is cut off. A leading '-' negates. */
int text_duration_ms(const char *s, int64_t min, int64_t max, int64_t *out);

/* As text_duration_ms, but a plain number (also with a fraction) is seconds. */
int text_duration_s(const char *s, int64_t min_ms, int64_t max_ms, int64_t *out_ms);

/* Civil time: days since 1970-01-01 of a date, and back (proleptic Gregorian). */
int64_t text_days_from_civil(int64_t year, int month, int day);
void text_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

#define TEXT_TIME_SIZE 40
/* "2024-05-26T09:48:11.840Z" for milliseconds since 1970, UTC; "-" for -1.
 * Years beyond 0000..9999 get a sign: "+10000-01-01...", "-0001-12-31...". */
void text_time_ms(int64_t ms, char out[TEXT_TIME_SIZE]);

/* Length of the valid UTF-8 prefix of `data`; == len if all is valid.
 * Surrogates, overlong forms and code points over U+10FFFF are not valid. */
size_t text_utf8_valid(const void *data, size_t len);

/* One valid code point out of the cursor, or U+FFFD for one malformed byte.
 * At the end: 0 and failed. */
uint32_t text_utf8_next(struct cursor *c);

/* Shortens a string of `len` bytes to at most `max`, with "..." at its end and no
 * character cut in half; one that fits stays as it is. Returns its length. */
size_t text_cut(char *text, size_t len, size_t max);

/* Standard base64 with padding: appends. Decoding is strict: returns 0, or -1
 * for any byte outside the alphabet, wrong length or stray bits. */
void text_base64_put(struct buf *b, const void *data, size_t len);
int text_base64_get(struct buf *b, const char *s, size_t len);

/* Appends lower-case hex. */
void text_hex_put(struct buf *b, const void *data, size_t len);

/* Glob match of a whole string, by code points: * ? [a-z] [!a-z] and backslash.
 * A '[' that nothing closes is a plain one. */
bool text_glob(const char *pattern, const char *s);

/* Edit distance, for "did you mean"; at most `limit` + 1, and that for
 * different strings of which one is over 255 bytes. */
size_t text_distance(const char *a, const char *b, size_t limit);

#endif
