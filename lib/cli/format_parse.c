/* From a format string to its program. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "cli/escape.h"
#include "cli/format_ops.h"

/* A string while it is read. */
struct reader {
	const char *option, *start, *at;
	bool in_header; /* only %k and %v mean something */
	struct err *err;
};

static const struct token {
	char letter;
	uint8_t kind, source, style;
} tokens[] = {
    {'s', FORMAT_TEXT, SOURCE_VALUE, STYLE_PLAIN},
    {'v', FORMAT_TEXT, SOURCE_VALUE, STYLE_PLAIN},
    {'k', FORMAT_TEXT, SOURCE_KEY, STYLE_PLAIN},
    {'t', FORMAT_TEXT, SOURCE_TOPIC, STYLE_PLAIN},
    {'S', FORMAT_NUMBER, SOURCE_VALUE_SIZE, STYLE_PLAIN},
    {'V', FORMAT_NUMBER, SOURCE_VALUE_SIZE, STYLE_PLAIN},
    {'R', FORMAT_NUMBER, SOURCE_VALUE_SIZE, STYLE_BE32},
    {'K', FORMAT_NUMBER, SOURCE_KEY_SIZE, STYLE_PLAIN},
    {'T', FORMAT_NUMBER, SOURCE_TIMESTAMP, STYLE_PLAIN},
    {'p', FORMAT_NUMBER, SOURCE_PARTITION, STYLE_PLAIN},
    {'o', FORMAT_NUMBER, SOURCE_OFFSET, STYLE_PLAIN},
    {'e', FORMAT_NUMBER, SOURCE_LEADER_EPOCH, STYLE_PLAIN},
    {'x', FORMAT_NUMBER, SOURCE_PRODUCER_ID, STYLE_PLAIN},
    {'y', FORMAT_NUMBER, SOURCE_PRODUCER_EPOCH, STYLE_PLAIN},
    {'i', FORMAT_NUMBER, SOURCE_RUNNING, STYLE_PLAIN},
    {'h', FORMAT_HEADERS, 0, STYLE_PLAIN},
    {'a', FORMAT_ATTRIBUTE, 0, STYLE_PLAIN},
    {0, 0, 0, 0},
};

static const struct token header_tokens[] = {
    {'k', FORMAT_TEXT, SOURCE_HEADER_NAME, STYLE_PLAIN},
    {'v', FORMAT_TEXT, SOURCE_HEADER_VALUE, STYLE_PLAIN},
    {0, 0, 0, 0},
};

enum { FOR_TEXT = 1, FOR_NUMBER = 2, FOR_TIME = 4 };

static const struct modifier {
	const char *name;
	uint8_t style, goes_with;
	bool has_argument; /* in [] */
} modifiers[] = {
    {"hex", STYLE_HEX, FOR_TEXT | FOR_NUMBER, false},
    {"base64", STYLE_BASE64, FOR_TEXT, false},
    {"json", STYLE_JSON, FOR_TEXT, false},
    {"quoted", STYLE_QUOTED, FOR_TEXT, false},
    {"unpack", STYLE_UNPACK, FOR_TEXT, true},
    {"be32", STYLE_BE32, FOR_NUMBER, false},
    {"le32", STYLE_LE32, FOR_NUMBER, false},
    {"varint", STYLE_VARINT, FOR_NUMBER, false},
    {"iso", STYLE_ISO, FOR_TIME, false},
    {"s", STYLE_SECONDS, FOR_TIME, false},
    {"us", STYLE_MICROSECONDS, FOR_TIME, false},
    {"strftime", STYLE_STRFTIME, FOR_TIME, true},
};

static const char *const attributes[] = {"codec", "txn", "control", "tstype"};

__attribute__((format(printf, 3, 4))) static int
bad_at(const struct reader *r, const char *at, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_INVALID, "%s: character %zu: %s", r->option,
	    (size_t)(at - r->start) + 1, text);
}

struct format_op *
format_add(struct format *f, enum format_kind kind, enum format_source source, const char *text,
    size_t len)
{
	struct format_op *ops = reallocarray(f->ops, f->count + 1, sizeof(*ops)), *op;

	if (ops == NULL)
		return NULL;
	f->ops = ops;
	op = &ops[f->count];
	*op = (struct format_op){.kind = (uint8_t)kind, .source = (uint8_t)source, .text_len = len};
	if (text != NULL) {
		if ((op->text = malloc(len + 1)) == NULL)
			return NULL;
		memcpy(op->text, text, len);
		op->text[len] = '\0';
	}
	f->count++;
	return op;
}

/* Everything up to the next %, unescaped. */
static int
literal_read(struct format *f, struct reader *r)
{
	struct buf text = BUF_INIT;
	struct format_op *op;

	while (*r->at != '\0' && *r->at != '%') {
		uint8_t byte = (uint8_t)*r->at;
		const char *next = r->at + 1;

		if (byte == '\\' && (next = escape_next(r->at + 1, &byte)) == NULL) {
			buf_release(&text);
			return bad_at(
			    r, r->at, "no such escape: '%.4s' (\\n \\t \\r \\0 \\\\ \\xNN)", r->at);
		}
		buf_put(&text, &byte, 1);
		r->at = next;
	}
	op = text.failed ? NULL
			 : format_add(f, FORMAT_LITERAL, 0,
			       text.data != NULL ? (char *)text.data : "", text.len);
	buf_release(&text);
	return op != NULL ? 0 : err_nomem(r->err);
}

static int
pack_check(struct reader *r, const char *pack, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" <>bBhHiIqQcs$", pack[i]) == NULL)
			return bad_at(r, pack + i,
			    "'%c' in a pack string (< > b B h H i I q Q c s $)", pack[i]);
	return len > 0 ? 0 : bad_at(r, pack, "an empty pack string");
}

/* The "[...]" of a modifier; p stands on the bracket, `end` behind it all. */
static int
modifier_argument(struct reader *r, struct format_op *op, const char *p, const char **end)
{
	const char *close = *p == '[' ? strstr(p, "]}") : NULL;
	size_t len;

	if (close == NULL)
		return bad_at(r, p, "[...]} is missing");
	len = (size_t)(close - p) - 1;
	if (op->style == STYLE_UNPACK && pack_check(r, p + 1, len) == -1)
		return -1;
	if ((op->text = strndup(p + 1, len)) == NULL)
		return err_nomem(r->err);
	op->text_len = len;
	*end = close + 1;
	return 0;
}

/* "{...}" behind a token, if it is there. */
static int
modifier_read(struct reader *r, struct format_op *op)
{
	int kind = op->kind == FORMAT_TEXT	    ? FOR_TEXT
		   : op->source == SOURCE_TIMESTAMP ? FOR_TIME | FOR_NUMBER
						    : FOR_NUMBER;
	const char *name = r->at + 1, *end;
	size_t len;

	if (*r->at != '{')
		return 0;
	len = strcspn(name, "[}");
	for (size_t i = 0; i < COUNT(modifiers); i++) {
		const struct modifier *m = &modifiers[i];

		if (strlen(m->name) != len || memcmp(m->name, name, len) != 0)
			continue;
		if ((m->goes_with & kind) == 0)
			return bad_at(r, name, "{%s} does not go with this token", m->name);
		op->style = m->style;
		end = name + len;
		if (m->has_argument && modifier_argument(r, op, end, &end) == -1)
			return -1;
		if (*end != '}')
			return bad_at(r, end, "'}' is missing");
		r->at = end + 1;
		return 0;
	}
	return bad_at(r, name, "unknown modifier '%.*s'", (int)(len < 30 ? len : 30), name);
}

static int
attribute_read(struct reader *r, struct format_op *op)
{
	const char *name = r->at + 1;
	size_t len = *r->at == '{' ? strcspn(name, "}") : 0;

	for (size_t i = 0; len > 0 && i < COUNT(attributes); i++) {
		if (strlen(attributes[i]) != len || memcmp(attributes[i], name, len) != 0)
			continue;
		if (name[len] != '}')
			break;
		op->source = (uint8_t)(SOURCE_CODEC + i);
		r->at = name + len + 1;
		return 0;
	}
	return bad_at(r, r->at, "%%a is followed by {codec}, {txn}, {control} or {tstype}");
}

/* --- headers --------------------------------------------------------------- */

static int ops_read(struct format *f, struct reader *r);

/* What stands behind the last token separates headers. */
static int
separator_take(struct reader *r, const char *at, struct format_op *op)
{
	struct format *inner = op->inner;
	struct format_op *last;

	if (inner->count == 0 || (inner->count == 1 && inner->ops[0].kind == FORMAT_LITERAL))
		return bad_at(r, at, "%%h{...} needs %%k or %%v");
	last = &inner->ops[inner->count - 1];
	if (last->kind != FORMAT_LITERAL)
		return 0;
	op->text = last->text;
	op->text_len = last->text_len;
	inner->count--;
	return 0;
}

static int
headers_each(struct reader *r, struct format_op *op, const char *text, size_t len)
{
	struct reader sub = {.option = r->option, .in_header = true, .err = r->err};
	char *copy = strndup(text, len);
	int rc = -1;

	if (copy == NULL || (op->inner = calloc(1, sizeof(*op->inner))) == NULL) {
		free(copy);
		return err_nomem(r->err);
	}
	sub.start = sub.at = copy;
	if (ops_read(op->inner, &sub) == 0)
		rc = separator_take(r, text, op);
	free(copy);
	return rc;
}

/* The closing brace of the template that begins at `s`, or NULL. */
static const char *
template_end(const char *s)
{
	for (int depth = 0; *s != '\0'; s++) {
		if (*s == '{')
			depth++;
		else if (*s == '}' && depth-- == 0)
			return s;
	}
	return NULL;
}

/* %h, %h{...} or %h[name]{...} */
static int
headers_read(struct reader *r, struct format_op *op)
{
	const char *text = r->at + 1, *end;

	if (*r->at == '[') {
		if ((end = strchr(text, ']')) == NULL || end == text)
			return bad_at(r, r->at, "%%h[name]: the name or ']' is missing");
		op->kind = FORMAT_TEXT;
		op->source = SOURCE_HEADER;
		r->at = end + 1;
		if ((op->name = strndup(text, (size_t)(end - text))) == NULL)
			return err_nomem(r->err);
		return modifier_read(r, op);
	}
	if (*r->at != '{')
		return headers_each(r, op, "%k=%v,", 6);
	if ((end = template_end(text)) == NULL)
		return bad_at(r, r->at, "'}' is missing");
	r->at = end + 1;
	return headers_each(r, op, text, (size_t)(end - text));
}

/* --- the string ------------------------------------------------------------ */

/* r->at stands on the letter behind the percent sign. */
static int
token_read(struct format *f, struct reader *r)
{
	struct format_op *op;

	for (const struct token *t = r->in_header ? header_tokens : tokens; t->letter != 0; t++) {
		if (t->letter != *r->at)
			continue;
		if ((op = format_add(f, t->kind, t->source, NULL, 0)) == NULL)
			return err_nomem(r->err);
		op->style = t->style;
		r->at++;
		if (t->kind == FORMAT_HEADERS)
			return headers_read(r, op);
		if (t->kind == FORMAT_ATTRIBUTE)
			return attribute_read(r, op);
		return modifier_read(r, op);
	}
	if (*r->at == '\0')
		return bad_at(r, r->at - 1, "nothing behind the %%");
	return bad_at(r, r->at - 1, "unknown token %%%c%s", *r->at,
	    r->in_header ? " (within %h{}: %k %v)" : "");
}

static int
ops_read(struct format *f, struct reader *r)
{
	while (*r->at != '\0') {
		int rc;

		if (*r->at != '%') {
			rc = literal_read(f, r);
		} else if (r->at[1] == '%') {
			rc = format_add(f, FORMAT_LITERAL, 0, "%", 1) != NULL ? 0
									      : err_nomem(r->err);
			r->at += 2;
		} else {
			r->at++;
			rc = token_read(f, r);
		}
		if (rc == -1)
			return -1;
	}
	return 0;
}

static struct format *
format_empty(const char *null_text, struct err *err)
{
	struct format *f = calloc(1, sizeof(*f));

	if (f != NULL && null_text != NULL) {
		f->null_text = strdup(null_text);
		f->null_size = strlen(null_text);
	}
	if (f == NULL || (null_text != NULL && f->null_text == NULL)) {
		free(f);
		err_nomem(err);
		return NULL;
	}
	return f;
}

struct format *
format_new(const char *option, const char *text, const char *null_text, struct err *err)
{
	struct reader r = {.option = option, .start = text, .at = text, .err = err};
	struct format *f = format_empty(null_text, err);

	if (f == NULL)
		return NULL;
	if (ops_read(f, &r) == -1) {
		format_free(f);
		return NULL;
	}
	return f;
}

void
format_free(struct format *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		free(f->ops[i].name);
		free(f->ops[i].text);
		format_free(f->ops[i].inner);
	}
	free(f->ops);
	free(f->null_text);
	free(f);
}

/* --- from the options ------------------------------------------------------ */

/* An escaped string as a literal op. */
static int
delimiter_add(struct format *f, const char *option, const char *text, struct err *err)
{
	struct buf bytes = BUF_INIT;
	int rc = 0;

	if (escape_parse(text, &bytes, err) == -1)
		rc = err_prefix(err, "%s", option);
	else if (format_add(f, FORMAT_LITERAL, 0, bytes.len > 0 ? (char *)bytes.data : "",
		     bytes.len) == NULL)
		rc = err_nomem(err);
	buf_release(&bytes);
	return rc;
}

static int
part_add(struct format *f, enum format_kind kind, enum format_source source, struct err *err)
{
	return format_add(f, kind, source, NULL, 0) != NULL ? 0 : err_nomem(err);
}

/* Without -f: [offset KEY_DELIMITER] [key KEY_DELIMITER] value DELIMITER */
static int
parts_add(struct format *f, const struct options *o, struct err *err)
{
	const char *key_delimiter = options_value(o, 'K'), *delimiter = options_value(o, 'D');
	const char *between = key_delimiter != NULL ? key_delimiter : "\\t";

	if (options_has(o, 'J')) {
		if (part_add(f, FORMAT_ENVELOPE, 0, err) == -1)
			return -1;
	} else {
		if (options_has(o, 'O') && (part_add(f, FORMAT_NUMBER, SOURCE_OFFSET, err) == -1 ||
					       delimiter_add(f, "-K", between, err) == -1))
			return -1;
		if (key_delimiter != NULL && (part_add(f, FORMAT_TEXT, SOURCE_KEY, err) == -1 ||
						 delimiter_add(f, "-K", key_delimiter, err) == -1))
			return -1;
		if (part_add(f, FORMAT_TEXT, SOURCE_VALUE, err) == -1)
			return -1;
	}
	if (options_has(o, '0'))
		return delimiter_add(f, "-0", "\\0", err);
	return delimiter_add(f, "-D", delimiter != NULL ? delimiter : "\\n", err);
}

struct format *
format_from_options(const struct options *o, struct err *err)
{
	const char *null_text = options_value(o, 'Z'), *text = options_value(o, 'f');
	struct format *f = NULL;

	if (options_has(o, 'Z') && null_text == NULL)
		null_text = "NULL";
	if (options_has(o, 'D') && options_has(o, '0'))
		err_set(err, ERR_INVALID, "-D and -0 exclude each other");
	else if (text != NULL && options_has(o, 'J'))
		err_set(err, ERR_INVALID, "-f and -J exclude each other");
	else if (options_has(o, 'J') && options_has(o, 'K'))
		err_set(err, ERR_INVALID, "-J and -K exclude each other");
	else if (text != NULL)
		f = format_new("-f", text, null_text, err);
	else if ((f = format_empty(null_text, err)) != NULL && parts_add(f, o, err) == -1) {
		format_free(f);
		f = NULL;
	}
	return f;
}
