/*
 * Structs into bytes. The same walk serves for sizes: without a buf it only
 * counts. A tagged field's size stands before it, so it is walked twice.
 */
#include "wire/table.h"

#include <string.h>

struct encoder {
	const struct wire_schema *schema;
	int version;
	bool flexible;
	struct buf *b; /* NULL: only count */
	uint64_t n;    /* bytes so far */
	struct err *err;
	struct wire_holes *holes; /* NULL: there may be none */
};

static int encode_struct(struct encoder *e, const struct wire_struct *s, const void *msg);

static int
bad(struct encoder *e, const struct wire_field *f, int code, const char *what)
{
	return err_set(e->err, code, "%s v%d: %s: %s", e->schema->name, e->version, f->name, what);
}

static void
put(struct encoder *e, const void *data, size_t len)
{
	e->n += len;
	if (e->b != NULL && len > 0)
		buf_put(e->b, data, len);
}

static void
put_uvarint(struct encoder *e, uint32_t v)
{
	e->n += uvarint_size(v);
	if (e->b != NULL)
		buf_uvarint(e->b, v);
}

static void
put_i8(struct encoder *e, int8_t v)
{
	put(e, &v, 1);
}

/* A length or count; -1 is null, and refused where there may be none. */
static int
put_length(struct encoder *e, const struct wire_field *f, bool wide, int32_t len)
{
	uint8_t be[4];

	if (len < -1)
		return bad(e, f, ERR_INVALID, "a negative length");
	if (len == -1 && !wire_range_has(f->nullable, e->version))
		return bad(e, f, ERR_INVALID, "null, where there may be none");
	if (e->flexible && !f->inflexible) {
		put_uvarint(e, (uint32_t)len + 1);
		return 0;
	}
	if (wide)
		be32_put(be, (uint32_t)len);
	else
		be16_put(be, (uint16_t)len);
	put(e, be, wide ? 4 : 2);
	return 0;
}

/* Bytes that will be sent from where they lie. (A walk that only counts, for the
 * size of a tagged field, notes no place.) */
static int
put_hole(struct encoder *e, const struct wire_field *f, int32_t len)
{
	struct wire_holes *h = e->holes;

	e->n += (uint64_t)len;
	if (e->b == NULL)
		return 0;
	if (h->count == h->cap)
		return bad(e, f, ERR_INVALID, "more holes than were told");
	h->items[h->count++] = (struct wire_hole){e->b->len, len};
	return 0;
}

static int
encode_blob(struct encoder *e, const struct wire_field *f, bool in_array, const void *at)
{
	bool string = f->type == WIRE_STRING;
	const void *data = string ? (const void *)((const struct wire_str *)at)->data
				  : ((const struct wire_bytes *)at)->data;
	int32_t len =
	    string ? ((const struct wire_str *)at)->len : ((const struct wire_bytes *)at)->len;

	if (in_array && len < 0)
		return bad(e, f, ERR_INVALID, "null, where there may be none");
	if (string && len > WIRE_STRING_MAX)
		return bad(e, f, ERR_INVALID, "a string of more than 32767 bytes");
	if (put_length(e, f, !string, len) == -1)
		return -1;
	if (len > 0 && data == NULL && e->holes != NULL && f->type == WIRE_RECORDS)
		return put_hole(e, f, len);
	if (len > 0)
		put(e, data, (size_t)len);
	return 0;
}

static void
encode_fixed(struct encoder *e, enum wire_type type, const void *at)
{
	uint8_t be[8];
	uint64_t v;

	switch (type) {
	case WIRE_BOOL:
		put_i8(e, *(const bool *)at);
		break;
	case WIRE_INT16:
	case WIRE_UINT16:
		be16_put(be, *(const uint16_t *)at);
		put(e, be, 2);
		break;
	case WIRE_INT32:
	case WIRE_UINT32:
		be32_put(be, *(const uint32_t *)at);
		put(e, be, 4);
		break;
	case WIRE_INT64:
	case WIRE_FLOAT64:
		memcpy(&v, at, sizeof(v));
		be64_put(be, v);
		put(e, be, 8);
		break;
	default: /* WIRE_INT8, WIRE_UUID: as they are */
		put(e, at, wire_fixed_size(type));
	}
}

static int
encode_value(struct encoder *e, const struct wire_field *f, bool in_array, const void *at)
{
	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		return encode_struct(e, f->fields, at);
	case WIRE_STRING:
	case WIRE_BYTES:
	case WIRE_RECORDS:
		return encode_blob(e, f, in_array, at);
	default:
		encode_fixed(e, f->type, at);
		return 0;
	}
}

static int
encode_field(struct encoder *e, const struct wire_field *f, const void *msg)
{
	size_t size = wire_item_size(f);
	struct wire_array a;

	if (!f->array) {
		if (f->type == WIRE_STRUCT && wire_range_has(f->nullable, e->version)) {
			bool is_null = wire_struct_is_null(f, msg);

			/* In a tagged field the mark is a varint, which 0 and 1 fit alike. */
			put_i8(e, f->tag != -1 ? !is_null : is_null ? -1 : 1);
			if (is_null)
				return 0;
		} else if (wire_struct_is_null(f, msg)) {
			return bad(e, f, ERR_INVALID, "null, where there may be none");
		}
		return encode_value(e, f, false, wire_at(f, msg));
	}
	a = wire_array_at(f, msg);
	if (put_length(e, f, true, a.count) == -1)
		return -1;
	for (int32_t i = 0; i < a.count; i++)
		if (encode_value(e, f, true, (const char *)a.items + (size_t)i * size) == -1)
			return -1;
	return 0;
}

/* --- tagged fields --------------------------------------------------------- */

/* Walks the kept tags; the ones that this version's schema knows are passed
 * over, as their struct members count. */
struct kept_tags {
	struct cursor c;
	const struct wire_struct *s;
	int version;
	uint32_t tag; /* of the current one */
	struct slice data;
	bool have;
};

static void
kept_next(struct kept_tags *k)
{
	for (;;) {
		bool known = false;

		k->tag = cursor_uvarint(&k->c);
		k->data.len = cursor_uvarint(&k->c);
		k->data.data = cursor_bytes(&k->c, k->data.len);
		k->have = !k->c.failed;
		for (int i = 0; k->have && i < k->s->tagged_count; i++) {
			const struct wire_field *f = &k->s->fields[k->s->tagged[i]];

			known = known || ((uint32_t)f->tag == k->tag &&
					     wire_range_has(f->versions, k->version));
		}
		if (!known)
			return;
	}
}

static struct kept_tags
kept_begin(const struct encoder *e, const struct wire_struct *s, const void *msg)
{
	struct kept_tags k = {.s = s, .version = e->version};
	struct wire_tags tags;

	memcpy(&tags, (const char *)msg + s->tags_offset, sizeof(tags));
	if (tags.len == 0)
		return k;
	k.c = cursor_of(tags.data, tags.len);
	kept_next(&k);
	return k;
}

static void
put_kept(struct encoder *e, struct kept_tags *k)
{
	put_uvarint(e, k->tag);
	put_uvarint(e, (uint32_t)k->data.len);
	put(e, k->data.data, k->data.len);
	kept_next(k);
}

static bool
is_written(const struct encoder *e, const struct wire_field *f, const void *msg)
{
	return wire_range_has(f->versions, e->version) && !wire_is_default(f, msg);
}

static int
encode_tagged(struct encoder *e, const struct wire_field *f, const void *msg)
{
	struct encoder count = *e;

	count.b = NULL;
	count.n = 0;
	if (encode_field(&count, f, msg) == -1)
		return -1;
	if (count.n > INT32_MAX)
		return bad(e, f, ERR_INVALID, "too large");
	put_uvarint(e, (uint32_t)f->tag);
	put_uvarint(e, (uint32_t)count.n);
	return encode_field(e, f, msg);
}

/* Known and kept ones, by ascending tag. */
static int
encode_tags(struct encoder *e, const struct wire_struct *s, const void *msg)
{
	struct kept_tags kept = kept_begin(e, s, msg);
	uint32_t count = 0;

	for (int i = 0; i < s->tagged_count; i++)
		count += is_written(e, &s->fields[s->tagged[i]], msg);
	for (struct kept_tags k = kept; k.have; kept_next(&k))
		count++;
	put_uvarint(e, count);
	if (count == 0)
		return 0;
	for (int i = 0; i < s->tagged_count; i++) {
		const struct wire_field *f = &s->fields[s->tagged[i]];

		if (!is_written(e, f, msg))
			continue;
		while (kept.have && kept.tag < (uint32_t)f->tag)
			put_kept(e, &kept);
		if (encode_tagged(e, f, msg) == -1)
			return -1;
	}
	while (kept.have)
		put_kept(e, &kept);
	return 0;
}

static int
encode_struct(struct encoder *e, const struct wire_struct *s, const void *msg)
{
	struct wire_tags tags;

	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (!wire_range_has(f->versions, e->version)) {
			if (!f->ignorable && !wire_is_default(f, msg))
				return bad(e, f, ERR_UNSUPPORTED_VERSION,
				    "has a value, but is not in this version");
		} else if (f->tag == -1 && encode_field(e, f, msg) == -1) {
			return -1;
		}
	}
	if (e->flexible)
		return encode_tags(e, s, msg);
	memcpy(&tags, (const char *)msg + s->tags_offset, sizeof(tags));
	if (tags.len > 0)
		return err_set(e->err, ERR_UNSUPPORTED_VERSION,
		    "%s v%d: unknown tagged fields, but this version has none", e->schema->name,
		    e->version);
	return 0;
}

int
wire_encode(
    const struct wire_schema *s, int version, const void *msg, struct buf *b, struct err *err)
{
	return wire_encode_open(s, version, msg, b, NULL, err);
}

int
wire_encode_open(const struct wire_schema *s, int version, const void *msg, struct buf *b,
    struct wire_holes *holes, struct err *err)
{
	struct encoder e = {s, version, wire_flexible(s, version), b, 0, err, holes};
	size_t before = b->len;

	if (!wire_range_has(s->versions, version))
		return wire_bad_version(s, version, err);
	if (encode_struct(&e, s->body, msg) == -1) {
		b->len = before;
		return -1;
	}
	if (b->failed) {
		b->len = before;
		return err_nomem(err);
	}
	return 0;
}

int64_t
wire_size(const struct wire_schema *s, int version, const void *msg, struct err *err)
{
	struct encoder e = {s, version, wire_flexible(s, version), NULL, 0, err, NULL};

	if (!wire_range_has(s->versions, version))
		return wire_bad_version(s, version, err);
	if (encode_struct(&e, s->body, msg) == -1)
		return -1;
	return (int64_t)e.n;
}
