#include "cli/json.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* High bits set in the bytes that are a control character, '"' or '\\'. Bytes
 * from 0x80 on are none of these. A byte above a hit may be marked too; so only
 * "any or none" is asked of it. */
static uint64_t
special_in(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
	uint64_t quote = v ^ (ones * '"'), slash = v ^ (ones * '\\');

	return (((v - ones * ' ') & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
	       high;
}

size_t
json_plain(const uint8_t *data, size_t len)
{
	size_t at = 0;
	uint64_t v;

	while (len - at >= sizeof(v)) {
		memcpy(&v, data + at, sizeof(v));
		if (special_in(v) != 0)
			break;
		at += sizeof(v);
	}
	while (at < len && data[at] >= ' ' && data[at] != '"' && data[at] != '\\')
		at++;
	return at;
}

static void
special_put(struct buf *out, uint8_t c)
{
	static const char names[] = "btn_fr"; /* from 8 on; 11 has none */
	char text[8] = "\\";

	if (c == '"' || c == '\\')
		text[1] = (char)c;
	else if (c >= 8 && c <= 13 && c != 11)
		text[1] = names[c - 8];
	else
		snprintf(text + 1, sizeof(text) - 1, "u%04x", c);
	buf_str(out, text);
}

/* The inside of a string. */
static void
inside_put(struct buf *out, const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;

	while (at < end) {
		size_t plain = json_plain(at, (size_t)(end - at));

		buf_put(out, at, plain);
		at += plain;
		if (at < end)
			special_put(out, *at++);
	}
}

void
json_string_put(struct buf *out, const void *data, size_t len)
{
	buf_put(out, "\"", 1);
	inside_put(out, data, len);
	buf_put(out, "\"", 1);
}

void
json_lossy_put(struct buf *out, const void *data, size_t len)
{
	const uint8_t *at = data;

	buf_put(out, "\"", 1);
	for (size_t left = len; left > 0;) {
		size_t valid = text_utf8_valid(at, left);

		inside_put(out, at, valid);
		at += valid;
		left -= valid;
		if (left == 0)
			break;
		buf_str(out, "\xef\xbf\xbd");
		at++;
		left--;
	}
	buf_put(out, "\"", 1);
}

void
decimal_put(struct buf *out, int64_t v)
{
	char digits[20], *at = digits + sizeof(digits);
	uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (v < 0)
		buf_put(out, "-", 1);
	buf_put(out, at, (size_t)(digits + sizeof(digits) - at));
}
