/* The syntax of Java's properties, as server.properties has it (java.util.Properties). */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mqd/config.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\f' || c == '\r';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A code point below 0x10000, in UTF-8. */
static void
put_utf8(struct buf *to, unsigned c)
{
	if (c < 0x80) {
		buf_i8(to, (int8_t)c);
	} else if (c < 0x800) {
		buf_i8(to, (int8_t)(0xc0 | c >> 6));
		buf_i8(to, (int8_t)(0x80 | (c & 0x3f)));
	} else {
		buf_i8(to, (int8_t)(0xe0 | c >> 12));
		buf_i8(to, (int8_t)(0x80 | (c >> 6 & 0x3f)));
		buf_i8(to, (int8_t)(0x80 | (c & 0x3f)));
	}
}

/* What follows a backslash. */
static const char *
escape_read(const char *at, const char *end, struct buf *to)
{
	static const char letters[] = "tnrf", meaning[] = "\t\n\r\f";
	const char *known;
	unsigned code = 0;

	if (*at != 'u' || end - at < 5) {
		known = strchr(letters, *at);
		buf_i8(to, (int8_t)(known != NULL && *at != '\0' ? meaning[known - letters] : *at));
		return at + 1;
	}
	for (int i = 1; i <= 4; i++) {
		if (hex_digit(at[i]) == -1) {
			buf_i8(to, 'u');
			return at + 1;
		}
		code = code << 4 | (unsigned)hex_digit(at[i]);
	}
	put_utf8(to, code);
	return at + 5;
}

/* Up to the first byte of `ends` that is not escaped, or the end. */
static const char *
word_read(const char *at, const char *end, const char *ends, struct buf *to)
{
	while (at < end && strchr(ends, *at) == NULL) {
		if (*at == '\\' && at + 1 < end) {
			at = escape_read(at + 1, end, to);
		} else {
			buf_i8(to, (int8_t)*at);
			at++;
		}
	}
	return at;
}

/* A natural line and those that continue it, without what joins them. Returns where
 * the next one begins; a comment is never continued. */
static const char *
line_join(const char *at, const char *end, struct buf *line, int *lines)
{
	bool more = true, comment = false, first = true;

	buf_clear(line);
	while (more && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		const char *next = stop != NULL ? stop + 1 : end;
		size_t backslashes = 0;

		stop = stop != NULL ? stop : end;
		if (stop > at && stop[-1] == '\r')
			stop--;
		while (at < stop && is_space(*at))
			at++;
		if (first)
			comment = at < stop && (*at == '#' || *at == '!');
		first = false;
		while (stop - backslashes > at && stop[-1 - (ptrdiff_t)backslashes] == '\\')
			backslashes++;
		more = !comment && backslashes % 2 == 1;
		buf_put(line, at, (size_t)(stop - at) - more);
		++*lines;
		at = next;
	}
	if (comment)
		buf_clear(line);
	return at;
}

static int
line_parse(const struct buf *line, struct buf *key, struct buf *value)
{
	const char *at = (const char *)line->data, *end = at + line->len;
	bool separated = false;

	buf_clear(key);
	buf_clear(value);
	at = word_read(at, end, "=: \t\f", key);
	for (; at < end && (is_space(*at) || (!separated && (*at == '=' || *at == ':'))); at++)
		separated = separated || *at == '=' || *at == ':';
	while (end > at && is_space(end[-1]) && (end - at < 2 || end[-2] != '\\'))
		end--;
	word_read(at, end, "", value);
	return 0;
}

int
properties_parse(const char *text, size_t len,
    int (*each)(void *ctx, int line, const char *key, const char *value), void *ctx,
    struct err *err)
{
	struct buf line = BUF_INIT, key = BUF_INIT, value = BUF_INIT;
	const char *end = text + len;
	int lines = 0, r = 0;

	while (r == 0 && text < end) {
		int number = lines + 1;

		text = line_join(text, end, &line, &lines);
		if (line.len == 0 && !line.failed)
			continue;
		line_parse(&line, &key, &value);
		buf_cstr(&key);
		buf_cstr(&value);
		if (line.failed || key.failed || value.failed)
			r = err_nomem(err);
		else
			r = each(ctx, number, buf_cstr(&key), buf_cstr(&value));
	}
	buf_release(&line);
	buf_release(&key);
	buf_release(&value);
	return r;
}
