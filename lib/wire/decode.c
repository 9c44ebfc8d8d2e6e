/* Bytes into structs. */
#include "wire/table.h"

#include <stdio.h>
#include <string.h>

struct decoder {
	const struct wire_schema *schema;
	int version;
	bool flexible;
	struct cursor *c;
	struct arena *arena;
	struct err *err;
};

static int decode_struct(struct decoder *d, const struct wire_struct *s, void *msg);

/* Fills err with where and what, and marks the cursor. */
__attribute__((format(printf, 3, 4))) static int
bad(struct decoder *d, const struct wire_field *f, const char *fmt, ...)
{
	char what[160];
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	__builtin_va_end(ap);
	d->c->failed = true;
	return err_set(d->err, ERR_CORRUPT, "%s v%d: %s: %s", d->schema->name, d->version,
	    f ? f->name : "tagged fields", what);
}

static int
cut_short(struct decoder *d, const struct wire_field *f)
{
	return bad(d, f, "the bytes end within it");
}

/* Reads a length or count; -1 is null. Compact ones are one more. A null where
 * there may be none is an error, and so is what no int32 holds. */
static int
read_length(struct decoder *d, const struct wire_field *f, bool wide, int32_t *len)
{
	if (d->flexible && !f->inflexible) {
		uint32_t v = cursor_uvarint(d->c);

		if (v > INT32_MAX)
			return bad(d, f, "length %u", (unsigned)v);
		*len = (int32_t)v - 1;
	} else {
		*len = wide ? cursor_i32(d->c) : cursor_i16(d->c);
	}
	if (d->c->failed)
		return cut_short(d, f);
	if (*len < -1)
		return bad(d, f, "length %d", (int)*len);
	if (*len == -1 && !wire_range_has(f->nullable, d->version))
		return bad(d, f, "null, where there may be none");
	return 0;
}

static int
decode_blob(struct decoder *d, const struct wire_field *f, bool in_array, void *at)
{
	const uint8_t *data = NULL;
	int32_t len = -1;

	if (read_length(d, f, f->type != WIRE_STRING, &len) == -1)
		return -1;
	if (len == -1 && in_array)
		return bad(d, f, "null, where there may be none");
	if (f->type == WIRE_STRING && len > WIRE_STRING_MAX)
		return bad(d, f, "length %d, at most %d", (int)len, WIRE_STRING_MAX);
	if (len > 0 && (data = cursor_bytes(d->c, (size_t)len)) == NULL)
		return bad(d, f, "length %d with %zu bytes left", (int)len, cursor_left(d->c));
	if (f->type == WIRE_STRING)
		*(struct wire_str *)at = (struct wire_str){len == 0 ? "" : (const char *)data, len};
	else
		*(struct wire_bytes *)at = (struct wire_bytes){data, len};
	return 0;
}

/* A fixed-width value out of `p`, which holds its bytes. */
static void
load_fixed(enum wire_type type, const uint8_t *p, void *at)
{
	switch (wire_fixed_size(type)) {
	case 1:
		wire_put_int(type, *p, at);
		break;
	case 2:
		wire_put_int(type, be16_get(p), at);
		break;
	case 4:
		wire_put_int(type, be32_get(p), at);
		break;
	case 8:
		wire_put_int(type, be64_get(p), at);
		break;
	default: /* WIRE_UUID */
		memcpy(at, p, sizeof(struct uuid));
	}
}

/* One value of the field's type: the field itself, or an array's item. */
static int
decode_value(struct decoder *d, const struct wire_field *f, bool in_array, void *at)
{
	size_t size;
	const uint8_t *p;

	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		return decode_struct(d, f->fields, at);
	case WIRE_STRING:
	case WIRE_BYTES:
	case WIRE_RECORDS:
		return decode_blob(d, f, in_array, at);
	default:
		size = wire_fixed_size(f->type);
		if ((p = cursor_bytes(d->c, size)) == NULL)
			return cut_short(d, f);
		load_fixed(f->type, p, at);
		return 0;
	}
}

/* The fewest bytes that an item of the field can take, so that a count can be
 * held against the bytes left before memory is taken for it. */
static size_t
item_size_min(const struct decoder *d, const struct wire_field *f)
{
	const struct wire_struct *s = f->fields;
	size_t sum = d->flexible ? 1 : 0;

	if (f->type == WIRE_STRING)
		return d->flexible ? 1 : 2;
	if (f->type == WIRE_BYTES || f->type == WIRE_RECORDS)
		return d->flexible ? 1 : 4;
	if (f->type != WIRE_STRUCT)
		return wire_fixed_size(f->type);
	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *sub = &s->fields[i];

		if (sub->tag != -1 || !wire_range_has(sub->versions, d->version))
			continue;
		if (sub->array)
			sum += d->flexible ? 1 : 4;
		else if (sub->type == WIRE_STRUCT && wire_range_has(sub->nullable, d->version))
			sum += 1;
		else
			sum += item_size_min(d, sub);
	}
	return sum;
}

static int
decode_array(struct decoder *d, const struct wire_field *f, void *at)
{
	struct wire_array a = {NULL, 0};
	size_t size = wire_item_size(f), min;

	if (read_length(d, f, true, &a.count) == -1)
		return -1;
	if (a.count > 0) {
		min = item_size_min(d, f);
		if ((size_t)a.count > cursor_left(d->c) / (min ? min : 1))
			return bad(
			    d, f, "count %d with %zu bytes left", (int)a.count, cursor_left(d->c));
		if ((a.items = arena_array(d->arena, (size_t)a.count, size)) == NULL) {
			d->c->failed = true;
			return err_nomem(d->err);
		}
	}
	for (int32_t i = 0; i < a.count; i++)
		if (decode_value(d, f, true, (char *)a.items + (size_t)i * size) == -1)
			return -1;
	memcpy(at, &a, sizeof(a));
	return 0;
}

/* A nullable struct has a byte before it: a number below zero is null, in a
 * tagged field a varint 0 is. */
static int
decode_null_flag(struct decoder *d, const struct wire_field *f, bool tagged, bool *is_null)
{
	if (tagged)
		*is_null = cursor_uvarint(d->c) == 0;
	else
		*is_null = cursor_i8(d->c) < 0;
	return d->c->failed ? cut_short(d, f) : 0;
}

static int
decode_field(struct decoder *d, const struct wire_field *f, bool tagged, void *msg)
{
	void *at = wire_at_mut(f, msg);

	if (f->array)
		return decode_array(d, f, at);
	if (f->type == WIRE_STRUCT && wire_range_has(f->nullable, d->version)) {
		bool is_null;

		if (decode_null_flag(d, f, tagged, &is_null) == -1)
			return -1;
		*(bool *)((char *)msg + f->null_offset) = is_null;
		if (is_null) {
			wire_init_struct(f->fields, at);
			return 0;
		}
	}
	return decode_value(d, f, false, at);
}

static const struct wire_field *
find_tagged(const struct decoder *d, const struct wire_struct *s, uint32_t tag)
{
	for (int i = 0; i < s->tagged_count; i++) {
		const struct wire_field *f = &s->fields[s->tagged[i]];

		if ((uint32_t)f->tag == tag && wire_range_has(f->versions, d->version))
			return f;
	}
	return NULL;
}

/* One known tagged field; it must fill its `size` bytes to the last. */
static int
decode_tagged(
    struct decoder *d, const struct wire_field *f, const uint8_t *data, uint32_t size, void *msg)
{
	struct cursor whole = *d->c;
	int rc;

	*d->c = cursor_of(data, size);
	rc = decode_field(d, f, true, msg);
	if (rc == 0 && cursor_left(d->c) > 0)
		rc = bad(d, f, "%zu bytes too many in the tagged field", cursor_left(d->c));
	whole.failed = rc == -1;
	*d->c = whole;
	return rc;
}

/* The tagged section: a count, then tag, size and bytes of each. Order is not
 * insisted upon, as Kafka does not; what is not known is kept as it came. */
static int
decode_tags(struct decoder *d, const struct wire_struct *s, void *msg)
{
	uint32_t count = cursor_uvarint(d->c);
	const uint8_t *start = d->c->at;
	struct wire_tags tags = {NULL, 0};
	bool unknown = false;

	for (uint32_t i = 0; i < count && !d->c->failed; i++) {
		uint32_t tag = cursor_uvarint(d->c), size = cursor_uvarint(d->c);
		const uint8_t *data = cursor_bytes(d->c, size);
		const struct wire_field *f;

		if (data == NULL)
			break;
		if ((f = find_tagged(d, s, tag)) == NULL)
			unknown = true;
		else if (decode_tagged(d, f, data, size, msg) == -1)
			return -1;
	}
	if (d->c->failed)
		return cut_short(d, NULL);
	if (unknown)
		tags = (struct wire_tags){start, (uint32_t)(d->c->at - start)};
	memcpy((char *)msg + s->tags_offset, &tags, sizeof(tags));
	return 0;
}

static int
decode_struct(struct decoder *d, const struct wire_struct *s, void *msg)
{
	static const struct wire_tags none = {NULL, 0};

	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (f->tag != -1 || !wire_range_has(f->versions, d->version))
			wire_init_field(f, msg);
		else if (decode_field(d, f, false, msg) == -1)
			return -1;
	}
	if (d->flexible)
		return decode_tags(d, s, msg);
	memcpy((char *)msg + s->tags_offset, &none, sizeof(none));
	return 0;
}

int
wire_decode(const struct wire_schema *s, int version, struct cursor *c, struct arena *a, void *msg,
    struct err *err)
{
	struct decoder d = {s, version, wire_flexible(s, version), c, a, err};

	if (!wire_range_has(s->versions, version)) {
		c->failed = true;
		return wire_bad_version(s, version, err);
	}
	memset(msg, 0, s->body->size);
	return decode_struct(&d, s->body, msg);
}

int
wire_decode_all(const struct wire_schema *s, int version, struct slice bytes, struct arena *a,
    void *msg, struct err *err)
{
	struct cursor c = cursor_of(bytes.data, bytes.len);

	if (wire_decode(s, version, &c, a, msg, err) == -1)
		return -1;
	if (cursor_left(&c) > 0)
		return err_set(err, ERR_CORRUPT, "%s v%d: %zu bytes after its end", s->name,
		    version, cursor_left(&c));
	return 0;
}
