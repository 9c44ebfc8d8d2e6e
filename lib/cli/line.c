#include "cli/line.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "cli/escape.h"
#include "cli/json.h"

#define TYPE_WIDTH 5
#define RED "\033[31m"
#define PLAIN "\033[m"

void
line_begin(struct line *l, const char *type, bool loud)
{
	if (l->json) {
		buf_str(l->out, "{\"type\":\"");
		buf_str(l->out, type);
		buf_str(l->out, "\",\"file\":");
		json_lossy_put(l->out, l->file, strlen(l->file));
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
	decimal_put(l->out, value);
}

void
line_opt(struct line *l, const char *key, bool has, int64_t value)
{
	key_put(l, key);
	if (has)
		decimal_put(l->out, value);
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
		decimal_put(l->out, ms);
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
	decimal_put(l->out, last);
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

/* Does it stand for itself, as one word? */
static bool
is_word(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("._/+-:@%~,", text[i]) == NULL)
			return false;
	return len > 0;
}

void
line_name(struct line *l, const char *key, const char *name, size_t len)
{
	if (l->json) {
		line_json_key(l, key);
		json_lossy_put(l->out, name, len);
	} else if (is_word(name, len)) {
		key_put(l, key);
		buf_put(l->out, name, len);
	} else {
		line_bytes(l, key, name, (int64_t)len);
	}
}

void
line_text(struct line *l, const char *text)
{
	if (!l->json)
		buf_str(l->out, text);
}
