/*
 * format: a new store, and what Kafka's first leader writes into one; what
 * meta.properties says; how the metadata log is kept.
 *
 * Without locks, but for store_format's own.
 */
#ifndef STORE_FORMAT_H
#define STORE_FORMAT_H

#include "base/error.h"
#include "base/uuid.h"
#include "log/batch.h"
#include "log/mlog.h"
#include "os/os.h"

#define METADATA_TOPIC "__cluster_metadata"

/* The id that Kafka gives the metadata log. */
extern const struct uuid metadata_topic_id;

/* Largest batch of the metadata log (Kafka's KafkaRaftClient.MAX_BATCH_SIZE_BYTES). */
#define METADATA_BATCH_MAX (8 << 20)

/* Settings of the metadata log: it is rolled by no clock and deleted from by nobody
 * but who knows its snapshots. */
void format_metadata_config(struct mlog_config *c);

struct meta_properties {
	struct uuid cluster_id, directory_id;
	int32_t node_id;
	char cluster_id_text[256]; /* which need not be a uuid's */
};

/* Reads DIR/meta.properties. ERR_NOT_FOUND, ERR_CORRUPT. */
int meta_properties_read(struct os *os, const char *dir, struct meta_properties *out,
    struct err *err);

/* The node of a store that tools make. */
#define STORE_NODE_ID 1

/* Makes a store in an empty or missing directory, as Kafka's format does. A
 * store that another process made meanwhile is fine. `cluster_id` NULL: a new one.
 * ERR_NOT_FOUND where there are foreign files. */
int store_format(struct os *os, const char *dir, int32_t node_id, const struct uuid *cluster_id,
    struct err *err);

/* The first records of a metadata log, as its first leader writes them: who
 * leads and votes (a control batch; in a log that has begun, who leads is all of
 * it), features (a data batch). */
int format_leader_change(
    struct batch_builder *bb, int32_t node_id, int64_t now_ms, struct err *err);
int format_leader_batch(struct batch_builder *bb, const struct meta_properties *m, int64_t now_ms,
    struct err *err);
int format_feature_batch(struct batch_builder *bb, int64_t now_ms, struct err *err);

#endif
