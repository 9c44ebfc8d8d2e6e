/* The frame of checkpoint files: version, count, lines. */
#include "log/checkpoint_text.h"

#include <string.h>

#include "base/text.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without its end; false if there is none. */
static bool
next_line(struct checkpoint_text *t, struct slice *line)
{
	const char *stop;

	if (t->at == t->end)
		return false;
	stop = memchr(t->at, '\n', (size_t)(t->end - t->at));
	line->data = (const uint8_t *)t->at;
	line->len = (size_t)((stop ? stop : t->end) - t->at);
	t->at = stop ? stop + 1 : t->end;
	t->line++;
	return true;
}

/* Cuts a line into exactly `want` fields. */
static bool
split(struct slice line, struct slice *fields, int want)
{
	const char *at = (const char *)line.data, *end = at + line.len;
	int n = 0;

	for (;;) {
		while (at < end && is_blank(*at))
			at++;
		if (at == end)
			return n == want;
		if (n == want)
			return false;
		fields[n].data = (const uint8_t *)at;
		while (at < end && !is_blank(*at))
			at++;
		fields[n].len = (size_t)(at - (const char *)fields[n].data);
		n++;
	}
}

static int
number(struct slice field, int64_t min, int64_t max, int64_t *out)
{
	char digits[24];

	if (field.len == 0 || field.len >= sizeof(digits))
		return -1;
	memcpy(digits, field.data, field.len);
	digits[field.len] = '\0';
	return text_int(digits, min, max, out);
}

static int
bad_line(const struct checkpoint_text *t, const char *want, struct slice found, struct err *err)
{
	int len = found.len > 80 ? 80 : (int)found.len;

	return err_set(err, ERR_CORRUPT, "line %d: want %s, found '%.*s'", t->line, want, len,
	    (const char *)found.data);
}

int
checkpoint_text_open(struct checkpoint_text *t, const char *text, size_t len, int field_count,
    struct err *err)
{
	struct slice line, field;
	int64_t version;

	if (text == NULL)
		text = ""; /* an empty buf's */
	*t = (struct checkpoint_text){.at = text, .end = text + len, .field_count = field_count};
	if (!next_line(t, &line))
		return 0;
	if (!split(line, &field, 1) || number(field, 0, INT32_MAX, &version) == -1 || version != 0)
		return bad_line(t, "version 0", line, err);
	if (!next_line(t, &line))
		return err_set(err, ERR_CORRUPT, "line 2: want the number of entries, found the end");
	if (!split(line, &field, 1) || number(field, 0, INT32_MAX, &t->left) == -1)
		return bad_line(t, "the number of entries", line, err);
	return 0;
}

int
checkpoint_text_next(struct checkpoint_text *t, struct err *err)
{
	struct slice line;

	if (!next_line(t, &line)) {
		if (t->left == 0)
			return 0;
		return err_set(err, ERR_CORRUPT, "line %d: want %lld more entries, found the end",
		    t->line + 1, (long long)t->left);
	}
	if (t->left == 0)
		return bad_line(t, "the end after the promised entries", line, err);
	if (!split(line, t->fields, t->field_count))
		return bad_line(t, t->field_count == 2 ? "two fields" : "three fields", line, err);
	t->left--;
	return 1;
}

int
checkpoint_text_int(const struct checkpoint_text *t, int field, int64_t min, int64_t max,
    int64_t *out, struct err *err)
{
	if (number(t->fields[field], min, max, out) == -1)
		return bad_line(t, "a number in range", t->fields[field], err);
	return 0;
}
