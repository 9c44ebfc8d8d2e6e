/*
 * image: what the metadata log says, as of some offset.
 *
 * A pure function of records: snapshot, then log, batch by batch. Tools replay
 * it when they open a store; a broker replays it as the log grows. It knows the
 * records (lib/wire) and nothing of files. What it does not look into (ACLs, quotas,
 * credentials, tokens, controllers) it keeps as it came, so that a snapshot of the
 * image (image_write) is a snapshot of the whole log.
 *
 * Records between BeginTransaction and EndTransaction take effect at the end,
 * those before AbortTransaction never. Unknown record types are an error, as in
 * Kafka: a newer metadata.version must not be half understood.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include <bsd/sys/tree.h>

#include "base/error.h"
#include "base/map.h"
#include "base/uuid.h"
#include "log/batch.h"
#include "wire/record.h"

/* Broker ids; owned. */
struct image_ids {
	int32_t *ids;
	size_t count;
};

struct image_partition {
	int32_t *replicas; /* owned; broker ids, preferred leader first */
	size_t replica_count;
	int32_t *isr;
	size_t isr_count;
	struct image_ids elr, last_elr;    /* eligible leader replicas, last known ones (KIP-966) */
	struct image_ids adding, removing; /* of a reassignment under way */
	struct uuid *directories;          /* owned; of each replica, or none are known */
	size_t directory_count;
	int32_t leader; /* -1: none */
	int32_t leader_epoch;
	int32_t partition_epoch;
	bool recovering; /* an unclean leader that has not caught up */
	bool exists; /* numbers are dense in practice, but records come one by one */
};

struct image_config {
	char *name, *value; /* owned */
};

/* Configs of one resource, sorted by name. */
struct image_configs {
	RB_HEAD(config_tree, config_node) tree;
	size_t count;
};

/* The config behind `before`, the first one behind NULL; NULL at the end. */
const struct image_config *image_config_next(const struct image_configs *c,
    const struct image_config *before);

struct image_topic {
	char *name; /* owned */
	struct uuid id;
	struct image_partition *partitions;
	int32_t partition_count; /* one past the highest number */
	struct image_configs configs;
};

/* A broker as it registered, and what has changed since. */
struct image_broker {
	struct buf bytes;   /* of its registration, */
	struct arena arena; /* and what it was decoded into */
	struct register_broker_record *record; /* with what has changed since */
};

struct image_voter {
	int32_t id;
	struct uuid directory_id;
};

/* Who wants to hear which topics a batch has touched; called while it is applied:
 * once or more for each topic, when one that is made is there, and one that goes is
 * there still; with `topic` NULL for anything else. */
struct image_watcher {
	int (*touched)(void *ctx, const struct image_topic *topic, struct err *err);
	void *ctx;
};

struct image {
	int64_t end_offset;       /* the next record to be applied */
	int32_t epoch;            /* of the last batch applied */
	struct map topics;        /* name -> struct image_topic, owned */
	struct map topic_ids;     /* 16 bytes -> the same */
	struct map configs;       /* resource type byte + name -> struct image_configs */
	struct map features;      /* name -> level, as (void *)(intptr_t)(level + 1) */
	struct map brokers;       /* 4 bytes, the id -> struct image_broker, owned */
	struct map others;        /* record type and what it is about -> struct buf, owned:
	                             a record's value, kept for snapshots */
	struct image_voter *voters;
	size_t voter_count;
	struct buf voters_value; /* of the record that named them, kept for snapshots */
	int64_t next_producer_id;
	int64_t last_timestamp;   /* of the batch last applied; -1 none */
	int64_t partition_count;  /* that exist, of all topics */
	int64_t partition_slots;  /* room for partitions, those that do not exist included */
	struct buf pending; /* records of an open metadata transaction, kept back */
	bool in_transaction;
	struct image_watcher watcher; /* of image_apply; touched NULL: nobody */
	/* No record: the defaults for topic configurations that the node's file sets, by the
	 * topic's name for them (char *). Not owned; NULL: none. Set by whoever has them. */
	const struct map *defaults;
};

void image_init(struct image *im);
void image_release(struct image *im);

/* Applies one batch of the metadata log or of a snapshot. Batches that end below
 * end_offset are passed over. On an error the image must be dropped; but with ERR_NOMEM
 * the same batch may be applied again: it goes on with the record that failed, unless
 * that is one of an open metadata transaction. */
int image_apply(struct image *im, const struct batch *b, struct err *err);

#define TOPIC_NAME_MAX 249

/* Kafka's rule for topic names: [a-zA-Z0-9._-], 1 to TOPIC_NAME_MAX, not "." or "..". All of an
 * image's keep it: they become names of directories. */
bool topic_name_ok(const char *name);

const struct image_topic *image_topic(const struct image *im, const char *name);
const struct image_topic *image_topic_by_id(const struct image *im, const struct uuid *id);

/* NULL if the number is out of range or does not exist. */
const struct image_partition *image_partition(const struct image_topic *t, int32_t number);

/* A config that is set on the resource itself; NULL if not. Resource types are
 * Kafka's: 2 topic, 4 broker (name "" is the cluster default), 32 group. */
const char *image_config(const struct image *im, int8_t type, const char *resource,
    const char *name);

/* Level of a finalized feature, 0 if there is none. */
int image_feature(const struct image *im, const char *name);

/* A broker that is registered, or NULL. */
const struct image_broker *image_broker(const struct image *im, int32_t id);

/* Versions in which records are written at the log's metadata.version, as Kafka does. */
int image_partition_version(const struct image *im);
int image_broker_version(const struct image *im);

/* The records that make this image, in Kafka's order: `add` is called for each with
 * the value of a metadata record, which lives until it returns, until it fails. */
int image_write(const struct image *im, int (*add)(void *ctx, const struct buf *value,
    struct err *err), void *ctx, struct err *err);

/* Rule 11: 0 if this node is the only voter and the only replica of everything;
 * else -1 with ERR_REFUSED and who else there is. */
int image_is_sole(const struct image *im, int32_t node_id, struct err *err);

#endif
