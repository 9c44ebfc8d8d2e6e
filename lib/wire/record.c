#include "wire/record.h"

#include <assert.h>

#define METADATA_FRAME_VERSION 1
#define CONTROL_KEY_VERSION 0

/* Finds the schema of out->type and fills out->data from the cursor. */
static int
decode_message(enum wire_family family, const char *what, struct cursor *c, struct arena *a,
    struct wire_message *out, struct err *err)
{
	void *data;

	out->schema = wire_table_find(&wire_tables[family], out->type);
	if (out->schema == NULL)
		return err_set(
		    err, ERR_UNSUPPORTED_VERSION, "%s of unknown type %d", what, out->type);
	if ((data = arena_alloc(a, out->schema->body->size)) == NULL)
		return err_nomem(err);
	if (wire_decode(out->schema, out->version, c, a, data, err) == -1)
		return -1;
	out->data = data;
	return 0;
}

static int
check_end(struct wire_message *out, const struct cursor *c, struct err *err)
{
	if (cursor_left(c) == 0)
		return 0;
	out->data = NULL;
	return err_set(err, ERR_CORRUPT, "%s v%d: %zu bytes after its end", out->schema->name,
	    out->version, cursor_left(c));
}

static struct wire_message
nothing_yet(void)
{
	return (struct wire_message){NULL, -1, -1, NULL};
}

/* --- metadata -------------------------------------------------------------- */

int
metadata_record_decode(
    struct slice value, struct arena *a, struct wire_message *out, struct err *err)
{
	struct cursor c = cursor_of(value.data, value.len);
	uint32_t frame = cursor_uvarint(&c), type = cursor_uvarint(&c),
		 version = cursor_uvarint(&c);

	*out = nothing_yet();
	if (c.failed)
		return err_set(
		    err, ERR_CORRUPT, "metadata record: %zu bytes hold no frame", value.len);
	if (frame != METADATA_FRAME_VERSION)
		return err_set(err, ERR_UNSUPPORTED_VERSION,
		    "metadata record: frame version %u, want %d", (unsigned)frame,
		    METADATA_FRAME_VERSION);
	if (type > INT16_MAX || version > INT16_MAX)
		return err_set(err, ERR_CORRUPT, "metadata record: type %u, version %u",
		    (unsigned)type, (unsigned)version);
	out->type = (int)type;
	out->version = (int)version;
	if (decode_message(WIRE_METADATA, "metadata record", &c, a, out, err) == -1)
		return -1;
	return check_end(out, &c, err);
}

int
metadata_record_encode(
    const struct wire_schema *s, int version, const void *msg, struct buf *b, struct err *err)
{
	size_t before = b->len;

	assert(s->family == WIRE_METADATA);
	buf_uvarint(b, METADATA_FRAME_VERSION);
	buf_uvarint(b, (uint32_t)s->key);
	buf_uvarint(b, (uint32_t)version);
	if (wire_encode(s, version, msg, b, err) == 0)
		return 0;
	b->len = before;
	return -1;
}

/* --- control --------------------------------------------------------------- */

int
control_key_decode(struct slice key, struct err *err)
{
	struct cursor c = cursor_of(key.data, key.len);
	int16_t version = cursor_i16(&c), type = cursor_i16(&c);

	if (c.failed)
		return err_set(
		    err, ERR_CORRUPT, "control record: a key of %zu bytes, want 4", key.len);
	if (version < 0 || type < 0)
		return err_set(
		    err, ERR_CORRUPT, "control record: key version %d, type %d", version, type);
	return type;
}

void
control_key_encode(int type, struct buf *b)
{
	buf_i16(b, CONTROL_KEY_VERSION);
	buf_i16(b, (int16_t)type);
}

int
control_value_decode(
    int type, struct slice value, struct arena *a, struct wire_message *out, struct err *err)
{
	struct cursor c = cursor_of(value.data, value.len);
	bool marker = type == CONTROL_ABORT || type == CONTROL_COMMIT;

	*out = nothing_yet();
	out->type = type;
	out->version = cursor_i16(&c);
	if (c.failed) {
		out->version = -1;
		return err_set(err, ERR_CORRUPT, "control record of type %d: a value of %zu bytes",
		    type, value.len);
	}
	if (!marker)
		c = cursor_of(value.data, value.len); /* the version is the first field */
	else if (out->version > wire_end_txn_marker.versions.max)
		out->version = wire_end_txn_marker.versions.max;
	return decode_message(WIRE_CONTROL, "control record", &c, a, out, err);
}

int
control_value_encode(
    const struct wire_schema *s, int version, const void *msg, struct buf *b, struct err *err)
{
	size_t before = b->len;

	assert(s->family == WIRE_CONTROL);
	if (s == &wire_end_txn_marker)
		buf_i16(b, (int16_t)version);
	if (wire_encode(s, version, msg, b, err) == 0)
		return 0;
	b->len = before;
	return -1;
}

/* --- coordinators ---------------------------------------------------------- */

static const struct {
	const char *topic;
	enum wire_family key, value;
} coordinator_logs[] = {
    [COORDINATOR_GROUP] = {"__consumer_offsets", WIRE_GROUP_KEY, WIRE_GROUP_VALUE},
    [COORDINATOR_TXN] = {"__transaction_state", WIRE_TXN_KEY, WIRE_TXN_VALUE},
    [COORDINATOR_SHARE] = {"__share_group_state", WIRE_SHARE_KEY, WIRE_SHARE_VALUE},
};

int
coordinator_key_decode(enum coordinator_log log, struct slice key, struct arena *a,
    struct wire_message *out, struct err *err)
{
	struct cursor c = cursor_of(key.data, key.len);

	*out = nothing_yet();
	out->version = 0;
	out->type = cursor_i16(&c);
	if (c.failed) {
		out->type = -1;
		return err_set(err, ERR_CORRUPT, "%s: a key of %zu bytes",
		    coordinator_logs[log].topic, key.len);
	}
	return decode_message(
	    coordinator_logs[log].key, coordinator_logs[log].topic, &c, a, out, err);
}

int
coordinator_key_encode(const struct wire_schema *s, const void *msg, struct buf *b, struct err *err)
{
	size_t before = b->len;

	assert(s->family == WIRE_GROUP_KEY || s->family == WIRE_TXN_KEY ||
	       s->family == WIRE_SHARE_KEY);
	buf_i16(b, s->key);
	if (wire_encode(s, 0, msg, b, err) == 0)
		return 0;
	b->len = before;
	return -1;
}

int
coordinator_value_decode(enum coordinator_log log, int type, struct slice value, struct arena *a,
    struct wire_message *out, struct err *err)
{
	struct cursor c = cursor_of(value.data, value.len);

	*out = nothing_yet();
	out->type = type;
	out->version = cursor_i16(&c);
	if (c.failed) {
		out->version = -1;
		return err_set(err, ERR_CORRUPT, "%s: a value of %zu bytes",
		    coordinator_logs[log].topic, value.len);
	}
	return decode_message(
	    coordinator_logs[log].value, coordinator_logs[log].topic, &c, a, out, err);
}

int
coordinator_value_encode(
    const struct wire_schema *s, int version, const void *msg, struct buf *b, struct err *err)
{
	size_t before = b->len;

	assert(s->family == WIRE_GROUP_VALUE || s->family == WIRE_TXN_VALUE ||
	       s->family == WIRE_SHARE_VALUE);
	buf_i16(b, (int16_t)version);
	if (wire_encode(s, version, msg, b, err) == 0)
		return 0;
	b->len = before;
	return -1;
}

/* --- printing -------------------------------------------------------------- */

void
wire_message_print(const struct wire_message *m, struct buf *b)
{
	wire_print(m->schema, m->version, m->data, b);
}

void
wire_message_print_json(const struct wire_message *m, struct buf *b)
{
	wire_print_json(m->schema, m->version, m->data, b);
}
