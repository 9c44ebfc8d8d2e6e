/*
 * table: what decoding, encoding and printing share about field tables.
 * Internal to lib/wire.
 */
#ifndef WIRE_TABLE_H
#define WIRE_TABLE_H

#include "wire/wire.h"

/* Any of the array structs: they differ only in the type behind `items`. Read
 * and written by memcpy, as their types are not this one. */
struct wire_array {
	void *items;
	int32_t count;
};

/* Bytes of one item in memory. */
size_t wire_item_size(const struct wire_field *f);

/* Bytes of a fixed-width type on the wire, 0 for the others. */
size_t wire_fixed_size(enum wire_type type);

/* Stores a number of a fixed-width type other than a uuid; a float by its bits. */
void wire_put_int(enum wire_type type, uint64_t v, void *at);

/* True if the field holds its default, so that leaving it out loses nothing. */
bool wire_is_default(const struct wire_field *f, const void *msg);

/* Gives the fields of a struct, or one field, their defaults. */
void wire_init_struct(const struct wire_struct *s, void *msg);
void wire_init_field(const struct wire_field *f, void *msg);

static inline const void *
wire_at(const struct wire_field *f, const void *msg)
{
	return (const char *)msg + f->offset;
}

static inline void *
wire_at_mut(const struct wire_field *f, void *msg)
{
	return (char *)msg + f->offset;
}

static inline struct wire_array
wire_array_at(const struct wire_field *f, const void *msg)
{
	struct wire_array a;

	__builtin_memcpy(&a, wire_at(f, msg), sizeof(a));
	return a;
}

/* The flag beside a nullable struct; never set for another field. */
static inline bool
wire_struct_is_null(const struct wire_field *f, const void *msg)
{
	return f->type == WIRE_STRUCT && !f->array && f->nullable.max >= f->nullable.min &&
	    *(const bool *)((const char *)msg + f->null_offset);
}

/* Compact lengths and a tagged section belong to this version. */
static inline bool
wire_flexible(const struct wire_schema *s, int version)
{
	return wire_range_has(s->flexible, version);
}

/* Fills err: the version is none of the schema's. Returns -1. */
int wire_bad_version(const struct wire_schema *s, int version, struct err *err);

#endif
