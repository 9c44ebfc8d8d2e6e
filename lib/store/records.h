/*
 * records: puts messages into batches of the metadata log, of snapshots, and of
 * the offsets topic.
 */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

#include "log/batch.h"
#include "wire/record.h"

/* Adds a metadata record. 0, or -1 with err. */
int records_add_metadata(struct batch_builder *bb, const struct wire_schema *s, int version,
    const void *msg, int64_t now_ms, struct err *err);

/* Adds a metadata record whose value is encoded already. */
int records_add_value(struct batch_builder *bb, const struct buf *value, int64_t now_ms,
    struct err *err);

/* Adds a control record of a KRaft message (version 0); the batch becomes a
 * control batch. */
int records_add_control(struct batch_builder *bb, int type, const struct wire_schema *s,
    const void *msg, int64_t now_ms, struct err *err);

/* The same with a value that is encoded already. */
int records_add_control_value(struct batch_builder *bb, int type, const struct buf *value,
    int64_t now_ms, struct err *err);

/* Adds a record of the offsets topic; a `value` NULL makes a tombstone. */
int records_add_group(struct batch_builder *bb, const struct wire_schema *key_schema,
    const void *key, const struct wire_schema *value_schema, int version, const void *value,
    int64_t now_ms, struct err *err);

#endif
