/* Structs as text: one walk, two styles. */
#include "wire/table.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct printer {
	const struct wire_schema *schema;
	int version;
	bool json;
	struct buf *b;
};

static void print_struct(struct printer *p, const struct wire_struct *s, const void *msg);

/* The letter behind the backslash, or NUL if the character has none. */
static char
escape_of(uint32_t u)
{
	switch (u) {
	case '"':
	case '\\':
		return (char)u;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return '\0';
	}
}

/* A JSON string. What is not UTF-8 becomes U+FFFD. */
static void
print_quoted(struct buf *b, const char *data, size_t len)
{
	struct cursor c = cursor_of(data, len);

	buf_i8(b, '"');
	while (cursor_left(&c) > 0) {
		const uint8_t *at = c.at;
		uint32_t u = text_utf8_next(&c);

		if (escape_of(u) != '\0')
			buf_printf(b, "\\%c", escape_of(u));
		else if (u < 0x20)
			buf_printf(b, "\\u%04X", (unsigned)u);
		else if (u == 0xfffd)
			buf_str(b, "\xef\xbf\xbd");
		else
			buf_put(b, at, (size_t)(c.at - at));
	}
	buf_i8(b, '"');
}

/* True for what reads as one word in a line of name=value. */
static bool
is_plain(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)data[i] <= ' ' || (uint8_t)data[i] >= 0x7f ||
		    strchr("\"\\=,[]{}", data[i]) != NULL)
			return false;
	return len > 0 && !(len == 4 && memcmp(data, "null", 4) == 0);
}

static void
print_string(struct printer *p, const struct wire_str *s)
{
	if (s->len < 0)
		buf_str(p->b, "null");
	else if (!p->json && is_plain(s->data, (size_t)s->len))
		buf_put(p->b, s->data, (size_t)s->len);
	else
		print_quoted(p->b, s->data, (size_t)s->len);
}

static void
print_bytes(struct printer *p, const struct wire_bytes *s)
{
	const char *quote = p->json || s->len == 0 ? "\"" : "";

	if (s->len < 0) {
		buf_str(p->b, "null");
		return;
	}
	if (s->data == NULL && s->len > 0) {
		/* A hole: they are sent from where they lie. */
		buf_printf(p->b, "\"%d bytes\"", (int)s->len);
		return;
	}
	buf_str(p->b, quote);
	if (s->len > 0)
		text_base64_put(p->b, s->data, (size_t)s->len);
	buf_str(p->b, quote);
}

/* The shortest form that reads back the same; JSON has no infinities. */
static void
print_float(struct printer *p, double v)
{
	char text[40];

	for (int digits = 1; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_printf(p->b, p->json && !isfinite(v) ? "\"%s\"" : "%s", text);
	if (isfinite(v) && strpbrk(text, ".e") == NULL)
		buf_str(p->b, ".0");
}

static void
print_uuid(struct printer *p, const struct uuid *u)
{
	char text[UUID_TEXT_SIZE];

	uuid_format(u, text);
	buf_printf(p->b, p->json ? "\"%s\"" : "%s", text);
}

static void
print_integer(struct printer *p, enum wire_type type, const void *at)
{
	switch (type) {
	case WIRE_INT8:
		buf_printf(p->b, "%d", *(const int8_t *)at);
		break;
	case WIRE_INT16:
		buf_printf(p->b, "%d", *(const int16_t *)at);
		break;
	case WIRE_UINT16:
		buf_printf(p->b, "%d", *(const uint16_t *)at);
		break;
	case WIRE_INT32:
		buf_printf(p->b, "%" PRId32, *(const int32_t *)at);
		break;
	case WIRE_UINT32:
		buf_printf(p->b, "%" PRIu32, *(const uint32_t *)at);
		break;
	default:
		buf_printf(p->b, "%" PRId64, *(const int64_t *)at);
	}
}

static void
print_value(struct printer *p, const struct wire_field *f, const void *at)
{
	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		buf_i8(p->b, '{');
		print_struct(p, f->fields, at);
		buf_i8(p->b, '}');
		break;
	case WIRE_STRING:
		print_string(p, at);
		break;
	case WIRE_BYTES:
	case WIRE_RECORDS:
		print_bytes(p, at);
		break;
	case WIRE_UUID:
		print_uuid(p, at);
		break;
	case WIRE_BOOL:
		buf_str(p->b, *(const bool *)at ? "true" : "false");
		break;
	case WIRE_FLOAT64:
		print_float(p, *(const double *)at);
		break;
	default:
		print_integer(p, f->type, at);
	}
}

static void
print_field(struct printer *p, const struct wire_field *f, const void *msg)
{
	size_t size = wire_item_size(f);
	struct wire_array a;

	if (!f->array) {
		if (wire_struct_is_null(f, msg))
			buf_str(p->b, "null");
		else
			print_value(p, f, wire_at(f, msg));
		return;
	}
	a = wire_array_at(f, msg);
	if (a.count < 0) {
		buf_str(p->b, "null");
		return;
	}
	buf_i8(p->b, '[');
	for (int32_t i = 0; i < a.count; i++) {
		if (i > 0)
			buf_i8(p->b, ',');
		print_value(p, f, (const char *)a.items + (size_t)i * size);
	}
	buf_i8(p->b, ']');
}

/* topic_id= in text, "topicId": in JSON. */
static void
print_name(struct printer *p, const char *name)
{
	if (!p->json) {
		buf_printf(p->b, "%s=", name);
		return;
	}
	buf_i8(p->b, '"');
	for (const char *c = name; *c != '\0'; c++)
		if (*c == '_' && c[1] >= 'a' && c[1] <= 'z')
			buf_i8(p->b, (int8_t)(*++c - 'a' + 'A'));
		else if (*c != '_')
			buf_i8(p->b, *c);
	buf_str(p->b, "\":");
}

static void
print_struct(struct printer *p, const struct wire_struct *s, const void *msg)
{
	bool first = true;

	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (!wire_range_has(f->versions, p->version) ||
		    (f->tag != -1 && wire_is_default(f, msg)))
			continue;
		if (!first)
			buf_i8(p->b, p->json ? ',' : ' ');
		first = false;
		print_name(p, f->name);
		print_field(p, f, msg);
	}
}

void
wire_print(const struct wire_schema *s, int version, const void *msg, struct buf *b)
{
	struct printer p = {s, version, false, b};

	print_struct(&p, s->body, msg);
}

void
wire_print_json(const struct wire_schema *s, int version, const void *msg, struct buf *b)
{
	struct printer p = {s, version, true, b};

	buf_i8(b, '{');
	print_struct(&p, s->body, msg);
	buf_i8(b, '}');
}
