/*
 * record: records that are messages, in the logs that Kafka keeps for itself.
 *
 *   __cluster_metadata   key null; value = three unsigned varints (frame version
 *                        1, type, version), then the message
 *   control batches      key = int16 version 0, int16 type; value of a marker =
 *                        int16 version, then the message; of a KRaft record the
 *                        message, whose first field is its version
 *   __consumer_offsets, __transaction_state, __share_group_state
 *                        key = int16 type, then the message; value = int16
 *                        version, then the message; a null value deletes the key
 *
 * Decoding finds the schema by number and gives a message that says what it is,
 * so that one printer serves all of them. Its struct and arrays lie in the
 * arena, its strings in the record.
 *
 * Errors of all decoders: ERR_CORRUPT, ERR_NOMEM, and ERR_UNSUPPORTED_VERSION
 * for a type or version that no schema has; then `out` still tells type and
 * version where they could be read (schema NULL if the type is unknown). Bytes
 * left over are ERR_CORRUPT behind a metadata record, and passed over behind the
 * others, as Kafka does.
 */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include "wire/wire.h"
#include "wire_gen.h" /* made at build time: the structs, and TOPIC_RECORD = 2 and so on */

struct wire_message {
	const struct wire_schema *schema; /* NULL: unknown type */
	int type;                         /* -1: not read */
	int version;                      /* -1: not read */
	void *data;                       /* the schema's struct; NULL on an error */
};

/* Types of control records. */
enum {
	CONTROL_ABORT = 0,
	CONTROL_COMMIT = 1,
	CONTROL_LEADER_CHANGE = 2,
	CONTROL_SNAPSHOT_HEADER = 3,
	CONTROL_SNAPSHOT_FOOTER = 4,
	CONTROL_KRAFT_VERSION = 5,
	CONTROL_KRAFT_VOTERS = 6,
};

/* The logs whose records are a typed key and a versioned value. */
enum coordinator_log {
	COORDINATOR_GROUP, /* __consumer_offsets */
	COORDINATOR_TXN,   /* __transaction_state */
	COORDINATOR_SHARE, /* __share_group_state */
};

/* Metadata record values. Encoding appends frame and message; the schema must
 * be of the metadata family. Errors as wire_encode. */
int metadata_record_decode(struct slice value, struct arena *a, struct wire_message *out,
    struct err *err);
int metadata_record_encode(const struct wire_schema *s, int version, const void *msg, struct buf *b,
    struct err *err);

/* The type of a control record, or -1 with err (ERR_CORRUPT). Versions above 0
 * are read alike, as Kafka does; types that nobody knows are returned too. */
int control_key_decode(struct slice key, struct err *err);
void control_key_encode(int type, struct buf *b);

/* Control record values, of the type that their key gave. A marker of a newer
 * version is read as the newest known, as Kafka does. To encode, KRaft messages
 * carry their version themselves: fill it in. */
int control_value_decode(int type, struct slice value, struct arena *a, struct wire_message *out,
    struct err *err);
int control_value_encode(const struct wire_schema *s, int version, const void *msg, struct buf *b,
    struct err *err);

/* Coordinator keys: out->version is 0. Encoding writes the schema's number. */
int coordinator_key_decode(enum coordinator_log log, struct slice key, struct arena *a,
    struct wire_message *out, struct err *err);
int coordinator_key_encode(const struct wire_schema *s, const void *msg, struct buf *b,
    struct err *err);

/* Coordinator values, of the type that their key gave. Not for null values. */
int coordinator_value_decode(enum coordinator_log log, int type, struct slice value,
    struct arena *a, struct wire_message *out, struct err *err);
int coordinator_value_encode(const struct wire_schema *s, int version, const void *msg,
    struct buf *b, struct err *err);

/* As wire_print and wire_print_json, for a message that was decoded. */
void wire_message_print(const struct wire_message *m, struct buf *b);
void wire_message_print_json(const struct wire_message *m, struct buf *b);

#endif
