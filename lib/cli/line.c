#include "cli/line.h"

#include <string.h>

#include "base/text.h"
#include "cli/envelope.h"
#include "cli/escape.h"

#define TYPE_WIDTH 5
#define RED "\033[31m"
#define PLAIN "\033[m"

static void
digits_put(struct buf *out, int64_t v)
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

/* A path may hold any byte; JSON may not. */
static void
path_put(struct buf *out, const char *path)
{
	struct buf utf8 = BUF_INIT;
	struct cursor c = cursor_of(path, strlen(path));

	if (text_utf8_valid(path, strlen(path)) == strlen(path)) {
		json_string_put(out, path, strlen(path));
		return;
	}
	while (cursor_left(&c) > 0) {
		const uint8_t *from = c.at;
		if (text_utf8_next(&c) == 0xfffd)
			buf_str(&utf8, "\xef\xbf\xbd");
		else
			buf_put(&utf8, from, (size_t)(c.at - from));
	}
	json_string_put(out, utf8.data, utf8.len);
	buf_release(&utf8);
}

void
line_begin(struct line *l, const char *type, bool loud)
{
	if (l->json) {
		buf_str(l->out, "{\"type\":\"");
		buf_str(l->out, type);
		buf_str(l->out, "\",\"file\":");
		path_put(l->out, l->file);
		return;
	}
	if (loud && l->color)
		buf_str(l->out, RED);
	buf_str(l->out, type);
	for (size_t width = strlen(type); width < TYPE_WIDTH; width++)
		buf_put(l->out, " ", 1);
}

void
line_end(struct line *l, bool loud)
{
	if (l->json)
		buf_put(l->out, "}", 1);
	else if (loud && l->color)
		buf_str(l->out, PLAIN);
	buf_put(l->out, "\n", 1);
}

void
line_json_key(struct line *l, const char *key)
{
	if (!l->json)
		return;
	buf_put(l->out, ",\"", 2);
	buf_str(l->out, key[0] == '=' ? key + 1 : key);
	buf_put(l->out, "\":", 2);
}

static void
key_put(struct line *l, const char *key)
{
	if (l->json) {
		line_json_key(l, key);
		return;
	}
	buf_put(l->out, " ", 1);
	if (key[0] == '=')
		return;
	buf_str(l->out, key);
	buf_put(l->out, "=", 1);
}

static void
nothing_put(struct line *l)
{
	buf_str(l->out, l->json ? "null" : "-");
}

void
line_int(struct line *l, const char *key, int64_t value)
{
	key_put(l, key);
	digits_put(l->out, value);
}

void
line_opt(struct line *l, const char *key, bool has, int64_t value)
{
	key_put(l, key);
	if (has)
		digits_put(l->out, value);
	else
		nothing_put(l);
}

void
line_hex32(struct line *l, const char *key, uint32_t value)
{
	uint8_t bytes[4];

	be32_put(bytes, value);
	key_put(l, key);
	buf_str(l->out, l->json ? "\"" : "");
	text_hex_put(l->out, bytes, sizeof(bytes));
	buf_str(l->out, l->json ? "\"" : "");
}

void
line_word(struct line *l, const char *key, const char *word)
{
	key_put(l, key);
	if (word == NULL) {
		nothing_put(l);
		return;
	}
	buf_str(l->out, l->json ? "\"" : "");
	buf_str(l->out, word);
	buf_str(l->out, l->json ? "\"" : "");
}

void
line_flag(struct line *l, const char *key, bool value)
{
	key_put(l, key);
	if (l->json)
		buf_str(l->out, value ? "true" : "false");
	else
		buf_str(l->out, value ? "yes" : "-");
}

void
line_time(struct line *l, const char *key, int64_t ms)
{
	char text[TEXT_TIME_SIZE];

	key_put(l, key);
	if (ms == -1) {
		nothing_put(l);
	} else if (l->json) {
		digits_put(l->out, ms);
	} else {
		text_time_ms(ms, text);
		buf_str(l->out, text);
	}
}

void
line_range(struct line *l, const char *key, const char *key_last, int64_t first, int64_t last)
{
	line_int(l, key, first);
	if (l->json) {
		line_int(l, key_last, last);
		return;
	}
	buf_put(l->out, "..", 2);
	digits_put(l->out, last);
}

static void
json_bytes_put(struct line *l, const char *key, const void *data, size_t len)
{
	if (text_utf8_valid(data, len) == len) {
		line_json_key(l, key);
		json_string_put(l->out, data, len);
		return;
	}
	buf_put(l->out, ",\"", 2);
	buf_str(l->out, key);
	buf_str(l->out, "_b64\":\"");
	text_base64_put(l->out, data, len);
	buf_put(l->out, "\"", 1);
}

void
line_plain_bytes(struct line *l, const void *data, int64_t size)
{
	if (size < 0) {
		buf_str(l->out, "null");
		return;
	}
	buf_put(l->out, "\"", 1);
	escape_put(l->out, data, (size_t)size, '"');
	buf_put(l->out, "\"", 1);
}

void
line_bytes(struct line *l, const char *key, const void *data, int64_t size)
{
	if (l->json && size >= 0) {
		json_bytes_put(l, key, data, (size_t)size);
		return;
	}
	key_put(l, key);
	line_plain_bytes(l, data, size);
}

void
line_text(struct line *l, const char *text)
{
	if (!l->json)
		buf_str(l->out, text);
}
