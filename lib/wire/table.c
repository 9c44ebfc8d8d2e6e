/* Field tables: sizes, defaults, lookups. */
#include "wire/table.h"

#include <assert.h>
#include <string.h>

size_t
wire_item_size(const struct wire_field *f)
{
	static const uint8_t sizes[] = {
	    [WIRE_BOOL] = sizeof(bool),
	    [WIRE_INT8] = 1,
	    [WIRE_INT16] = 2,
	    [WIRE_UINT16] = 2,
	    [WIRE_INT32] = 4,
	    [WIRE_UINT32] = 4,
	    [WIRE_INT64] = 8,
	    [WIRE_FLOAT64] = sizeof(double),
	    [WIRE_UUID] = sizeof(struct uuid),
	    [WIRE_STRING] = sizeof(struct wire_str),
	    [WIRE_BYTES] = sizeof(struct wire_bytes),
	    [WIRE_RECORDS] = sizeof(struct wire_bytes),
	};

	return f->type == WIRE_STRUCT ? f->fields->size : sizes[f->type];
}

size_t
wire_fixed_size(enum wire_type type)
{
	static const uint8_t sizes[] = {
	    [WIRE_BOOL] = 1,
	    [WIRE_INT8] = 1,
	    [WIRE_INT16] = 2,
	    [WIRE_UINT16] = 2,
	    [WIRE_INT32] = 4,
	    [WIRE_UINT32] = 4,
	    [WIRE_INT64] = 8,
	    [WIRE_FLOAT64] = 8,
	    [WIRE_UUID] = 16,
	    [WIRE_STRUCT] = 0,
	};

	return sizes[type];
}

void
wire_put_int(enum wire_type type, uint64_t v, void *at)
{
	switch (type) {
	case WIRE_BOOL:
		*(bool *)at = v != 0;
		break;
	case WIRE_INT8:
		*(uint8_t *)at = (uint8_t)v;
		break;
	case WIRE_INT16:
	case WIRE_UINT16:
		*(uint16_t *)at = (uint16_t)v;
		break;
	case WIRE_INT32:
	case WIRE_UINT32:
		*(uint32_t *)at = (uint32_t)v;
		break;
	default: /* WIRE_INT64, and WIRE_FLOAT64 by its bits */
		memcpy(at, &v, sizeof(v));
	}
}

void
wire_init_field(const struct wire_field *f, void *msg)
{
	void *at = wire_at_mut(f, msg);
	int32_t empty = f->default_null ? -1 : 0;

	if (f->array) {
		struct wire_array a = {NULL, empty};

		memcpy(at, &a, sizeof(a));
		return;
	}
	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		wire_init_struct(f->fields, at);
		if (f->nullable.max >= f->nullable.min)
			*(bool *)((char *)msg + f->null_offset) = f->default_null;
		break;
	case WIRE_STRING:
		*(struct wire_str *)at = (struct wire_str){f->default_null ? NULL : "", empty};
		break;
	case WIRE_BYTES:
	case WIRE_RECORDS:
		*(struct wire_bytes *)at = (struct wire_bytes){NULL, empty};
		break;
	case WIRE_UUID:
		*(struct uuid *)at = uuid_zero;
		break;
	case WIRE_FLOAT64:
		*(double *)at = f->default_float;
		break;
	default:
		wire_put_int((enum wire_type)f->type, (uint64_t)f->default_int, at);
	}
}

void
wire_init_struct(const struct wire_struct *s, void *msg)
{
	static const struct wire_tags none = {NULL, 0};

	for (int i = 0; i < s->field_count; i++)
		wire_init_field(&s->fields[i], msg);
	memcpy((char *)msg + s->tags_offset, &none, sizeof(none));
}

void
wire_init(const struct wire_schema *s, void *msg)
{
	memset(msg, 0, s->body->size);
	wire_init_struct(s->body, msg);
}

static bool
struct_is_default(const struct wire_struct *s, const void *msg)
{
	struct wire_tags tags;

	for (int i = 0; i < s->field_count; i++)
		if (!wire_is_default(&s->fields[i], msg))
			return false;
	memcpy(&tags, (const char *)msg + s->tags_offset, sizeof(tags));
	return tags.len == 0;
}

static bool
number_is_default(const struct wire_field *f, const void *at)
{
	uint64_t want = 0;

	wire_put_int((enum wire_type)f->type, (uint64_t)f->default_int, &want);
	return memcmp(&want, at, wire_fixed_size(f->type)) == 0;
}

bool
wire_is_default(const struct wire_field *f, const void *msg)
{
	const void *at = wire_at(f, msg);
	int32_t empty = f->default_null ? -1 : 0;

	if (f->array)
		return wire_array_at(f, msg).count == empty;
	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		if (wire_struct_is_null(f, msg) || f->default_null)
			return wire_struct_is_null(f, msg) && f->default_null;
		return struct_is_default(f->fields, at);
	case WIRE_STRING:
		return ((const struct wire_str *)at)->len == empty;
	case WIRE_BYTES:
	case WIRE_RECORDS:
		return ((const struct wire_bytes *)at)->len == empty;
	case WIRE_UUID:
		return uuid_is_zero(at);
	case WIRE_FLOAT64: /* as Java's ==, to which -0 is 0 too */
		return *(const double *)at == f->default_float;
	default:
		return number_is_default(f, at);
	}
}

/* --- error codes ------------------------------------------------------------ */

struct errors {
	void (*each)(void *ctx, int16_t code);
	void *ctx;
};

/* Of `count` structs in a row. */
static void
each_error(const struct errors *e, const struct wire_struct *s, const char *msgs, int32_t count)
{
	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];
		bool is_code = f->type == WIRE_INT16 && strcmp(f->name, "error_code") == 0;

		for (int32_t n = 0; (is_code || f->type == WIRE_STRUCT) && n < count; n++) {
			const char *msg = msgs + (size_t)n * s->size;
			struct wire_array a = {NULL, 0};

			if (is_code && *(const int16_t *)wire_at(f, msg) != 0)
				e->each(e->ctx, *(const int16_t *)wire_at(f, msg));
			else if (f->array)
				a = wire_array_at(f, msg);
			if (a.count > 0)
				each_error(e, f->fields, a.items, a.count);
			else if (!is_code && !f->array && !wire_struct_is_null(f, msg))
				each_error(e, f->fields, wire_at(f, msg), 1);
		}
	}
}

void
wire_each_error(const struct wire_schema *s, const void *msg,
    void (*each)(void *ctx, int16_t code), void *ctx)
{
	const struct errors e = {each, ctx};

	each_error(&e, s->body, msg, 1);
}

int
wire_bad_version(const struct wire_schema *s, int version, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED_VERSION, "%s: version %d, want %d to %d", s->name,
	    version, s->versions.min, s->versions.max);
}

const struct wire_schema *
wire_table_find(const struct wire_table *t, int key)
{
	return key >= 0 && key < t->count ? t->schemas[key] : NULL;
}

struct wire_str
wire_str_of(const char *s)
{
	return s ? wire_str_of_mem(s, strlen(s)) : wire_str_null();
}

struct wire_str
wire_str_of_mem(const char *data, size_t len)
{
	assert(len <= INT32_MAX);
	return (struct wire_str){data, (int32_t)len};
}

struct wire_bytes
wire_bytes_of(const void *data, size_t len)
{
	assert(len <= INT32_MAX);
	return (struct wire_bytes){data, (int32_t)len};
}
