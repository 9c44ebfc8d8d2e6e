/*
 * wire: Kafka's messages as data.
 *
 * A message (request, response, metadata record, coordinator record, blob) is a
 * small text file in schema/ (gen/gen.h tells the language); gen/ turns them into C
 * structs (wire_gen.h) and field tables (wire_gen.c), by make. The functions here are
 * the only ones that know the encodings (KIP-482 and what came before it): they
 * walk a table and fill, read, size or print a struct by offset. There is no
 * code per message.
 *
 * Conventions of the structs
 *  1. Names are Kafka's in snake_case: TopicRecord.topicId is topic_record.topic_id.
 *  2. A string or bytes is a slice of somebody else's memory: decoded ones point
 *     into the frame, never copied, so a message lives as long as frame and arena.
 *  3. Null is len -1 (strings, bytes, records), count -1 (arrays), or the flag
 *     NAME_is_null (structs, which lie inline).
 *  4. Arrays are {items, count}; decoded ones lie in the arena.
 *  5. Every struct of a flexible message ends with `tags`, the tagged fields
 *     that the schema does not know: encoding writes them out again.
 *  6. wire_init before filling a struct by hand: defaults are seldom zero.
 *
 * Bounds: nothing is allocated from a count before it is compared with what the
 * bytes left can hold; structs nest as deep as the schema says, which the
 * generator holds under WIRE_DEPTH_MAX; every slice is inside the frame.
 *
 * Knows bytes, arenas, uuids and text; knows no file, connection or record batch.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"

#define WIRE_DEPTH_MAX 8
#define WIRE_STRING_MAX 32767 /* Kafka refuses longer ones, compact or not */

/* --- what generated structs are made of ----------------------------------- */

struct wire_str {
	const char *data; /* UTF-8 as it came, not NUL-terminated, not checked */
	int32_t len;      /* -1: null */
};

struct wire_bytes {
	const uint8_t *data;
	int32_t len; /* -1: null */
};

/* The tagged section of a struct as it came, known fields included, or empty
 * when all of it was known. Encoding picks the unknown ones. */
struct wire_tags {
	const uint8_t *data;
	uint32_t len;
};

/* clang-format off */
struct wire_bools   { bool *items;              int32_t count; };
struct wire_int8s   { int8_t *items;            int32_t count; };
struct wire_int16s  { int16_t *items;           int32_t count; };
struct wire_uint16s { uint16_t *items;          int32_t count; };
struct wire_int32s  { int32_t *items;           int32_t count; };
struct wire_uint32s { uint32_t *items;          int32_t count; };
struct wire_int64s  { int64_t *items;           int32_t count; };
struct wire_float64s { double *items;           int32_t count; };
struct wire_uuids   { struct uuid *items;       int32_t count; };
struct wire_strs    { struct wire_str *items;   int32_t count; };
struct wire_bytess  { struct wire_bytes *items; int32_t count; };
/* clang-format on */

/* A wire_str of a C string (not copied); null for NULL. */
struct wire_str wire_str_of(const char *s);
struct wire_str wire_str_of_mem(const char *data, size_t len);
struct wire_bytes wire_bytes_of(const void *data, size_t len);
static inline struct wire_str
wire_str_null(void)
{
	return (struct wire_str){NULL, -1};
}

/* --- field tables (made by gen/) ------------------------------------------ */

enum wire_type {
	WIRE_BOOL,
	WIRE_INT8,
	WIRE_INT16,
	WIRE_UINT16,
	WIRE_INT32,
	WIRE_UINT32,
	WIRE_INT64,
	WIRE_FLOAT64,
	WIRE_UUID,
	WIRE_STRING,
	WIRE_BYTES,
	WIRE_RECORDS, /* bytes that hold record batches */
	WIRE_STRUCT,
};

/* Versions min..max; empty when max < min. */
struct wire_range {
	int16_t min, max;
};

struct wire_field {
	const char *name; /* snake_case: ours, C's, and the text form's; JSON has it in camelCase */
	uint8_t type;     /* enum wire_type; of the items, for an array */
	bool array;
	bool ignorable;    /* a value is dropped in silence where a version has no such field */
	bool inflexible;   /* never in compact form (the header's client id) */
	bool default_null; /* else the default is the number or, for the rest, emptiness */
	struct wire_range versions, nullable;
	int16_t tag;           /* -1: not tagged; tagged in all its versions */
	uint32_t offset;       /* in the struct */
	uint32_t null_offset;  /* of NAME_is_null; nullable structs only */
	union {
		int64_t default_int; /* bool and integers */
		double default_float;
	};
	const struct wire_struct *fields; /* WIRE_STRUCT */
};

struct wire_struct {
	const char *name; /* its C name */
	uint32_t size;
	uint32_t tags_offset;
	uint16_t field_count;
	uint16_t tagged_count;
	const struct wire_field *fields;
	const uint16_t *tagged; /* indexes of the tagged fields, by ascending tag */
};

/* Where a message belongs, that is, whose numbers `keys` are. */
enum wire_family {
	WIRE_DATA,     /* no number: blobs and parts */
	WIRE_METADATA, /* records of __cluster_metadata */
	WIRE_CONTROL,  /* values of control records */
	WIRE_GROUP_KEY, /* __consumer_offsets */
	WIRE_GROUP_VALUE,
	WIRE_TXN_KEY, /* __transaction_state */
	WIRE_TXN_VALUE,
	WIRE_SHARE_KEY, /* __share_group_state */
	WIRE_SHARE_VALUE,
	WIRE_REQUEST,
	WIRE_RESPONSE,
	WIRE_FAMILY_COUNT,
};

struct wire_schema {
	const char *name; /* Kafka's: "PartitionRecord" */
	enum wire_family family;
	int16_t key;                           /* its (first) number; -1: none */
	struct wire_range versions, flexible; /* flexible is empty for "none" */
	const struct wire_struct *body;
};

/* The schemas of a family by number; holes are NULL. */
struct wire_table {
	const struct wire_schema *const *schemas;
	int count;
};

static inline bool
wire_range_has(struct wire_range r, int version)
{
	return version >= r.min && version <= r.max;
}

/* The schema with that number, or NULL. */
const struct wire_schema *wire_table_find(const struct wire_table *t, int key);

/* --- the interpreter ------------------------------------------------------- */

/* Gives every field its default. `msg` is the message's struct. */
void wire_init(const struct wire_schema *s, void *msg);

/* Fills `msg` from the cursor, which is left after the message. Memory for
 * arrays comes from the arena. Fields that the version does not have get their
 * defaults. -1 with err: ERR_CORRUPT (names message, version, field and what was
 * found; the cursor is marked failed), ERR_UNSUPPORTED_VERSION, ERR_NOMEM
 * (memory, or the arena's limit); then `msg` is not to be used. */
int wire_decode(const struct wire_schema *s, int version, struct cursor *c, struct arena *a,
    void *msg, struct err *err);

/* As wire_decode for a whole slice: leftover bytes are ERR_CORRUPT. */
int wire_decode_all(const struct wire_schema *s, int version, struct slice bytes, struct arena *a,
    void *msg, struct err *err);

/* Appends `msg`. A field that the version does not have must be ignorable or
 * hold its default. -1 with err: ERR_UNSUPPORTED_VERSION (that, or the version
 * itself), ERR_INVALID (null where there may be none, a string too long),
 * ERR_NOMEM; then the buf's length is what it was before. */
int wire_encode(const struct wire_schema *s, int version, const void *msg, struct buf *b,
    struct err *err);

/* Record batches that are not copied into the buf, but sent from where they lie: the
 * value of a records field with data NULL and len above 0. */
struct wire_hole {
	size_t at;   /* in the buf: the bytes belong before what is there */
	int32_t len; /* counted in no length of the buf's */
};

struct wire_holes {
	struct wire_hole *items; /* the caller's; in the order of the bytes */
	size_t count, cap;
};

/* As wire_encode, with holes; more than holes->cap of them: ERR_INVALID. */
int wire_encode_open(const struct wire_schema *s, int version, const void *msg, struct buf *b,
    struct wire_holes *holes, struct err *err);

/* The bytes that wire_encode would append, or -1 with the same errors. */
int64_t wire_size(const struct wire_schema *s, int version, const void *msg, struct err *err);

/* Calls `each` for every field error_code that is not 0, however deep it lies. */
void wire_each_error(const struct wire_schema *s, const void *msg,
    void (*each)(void *ctx, int16_t code), void *ctx);

/* Appends one line without newline: name=value, spaces between, snake_case,
 * arrays in [], structs in {}. A string is bare if it is a plain word, else
 * quoted as in JSON; bytes are base64. Tagged fields at their default are left
 * out, as on the wire. */
void wire_print(const struct wire_schema *s, int version, const void *msg, struct buf *b);

/* Appends a JSON object on one line, as Kafka's JSON converters (and so its
 * DumpLogSegments) write it: camelCase, schema order, tagged fields at their
 * default left out, uuids as 22 characters, bytes as base64. */
void wire_print_json(const struct wire_schema *s, int version, const void *msg, struct buf *b);

#endif
