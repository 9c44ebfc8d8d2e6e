#include "cli/escape.h"

#include <string.h>

#include "base/text.h"

static const char letters[] = "ntr0abefv\\\"'%";
static const uint8_t bytes[] = "\n\t\r\0\a\b\033\f\v\\\"'%";

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

const char *
escape_next(const char *s, uint8_t *byte)
{
	const char *letter;

	if (*s == 'x') {
		int high = hex_digit(s[1]), low = high == -1 ? -1 : hex_digit(s[2]);

		if (low == -1)
			return NULL;
		*byte = (uint8_t)(high << 4 | low);
		return s + 3;
	}
	if (*s == '\0' || (letter = strchr(letters, *s)) == NULL)
		return NULL;
	*byte = bytes[letter - letters];
	return s + 1;
}

int
escape_parse(const char *s, struct buf *out, struct err *err)
{
	while (*s != '\0') {
		const char *plain = strchrnul(s, '\\');
		uint8_t byte;

		buf_put(out, s, (size_t)(plain - s));
		if (*plain == '\0')
			break;
		s = escape_next(plain + 1, &byte);
		if (s == NULL)
			return err_set(err, ERR_INVALID,
			    "no such escape: '%.4s' (\\n \\t \\r \\0 \\\\ \\xNN)", plain);
		buf_i8(out, (int8_t)byte);
	}
	return out->failed ? err_nomem(err) : 0;
}

static void
escape_byte(struct buf *out, uint8_t byte)
{
	const uint8_t *named = memchr(bytes, byte, 9);

	if (named != NULL)
		buf_printf(out, "\\%c", letters[named - bytes]);
	else
		buf_printf(out, "\\x%02x", byte);
}

void
escape_put(struct buf *out, const void *data, size_t len, char quote)
{
	const uint8_t *at = data, *end = at + len;

	while (at < end) {
		size_t valid = text_utf8_valid(at, (size_t)(end - at)), plain = 0;

		while (plain < valid && at[plain] >= ' ' && at[plain] != 127 && at[plain] != '\\' &&
		       (quote == 0 || at[plain] != (uint8_t)quote))
			plain++;
		buf_put(out, at, plain);
		at += plain;
		if (at == end)
			break;
		if (*at == '\\' || (quote != 0 && *at == (uint8_t)quote))
			buf_printf(out, "\\%c", *at);
		else
			escape_byte(out, *at);
		at++;
	}
}
