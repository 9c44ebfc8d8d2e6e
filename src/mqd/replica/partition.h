/*
 * partition: what this broker may do with a partition, and who waits for it.
 *
 * Pure decisions over a log (logs.h) and the metadata: leader or not, in which
 * epoch, up to where it is committed (the high watermark), up to where stable (LSO).
 * With one replica the high watermark is the synced end, or, for a topic with
 * flush.messages above 1 or flush.ms, the written end.
 *
 * Waiters are told when an end moves; they hold ids, never connections.
 */
#ifndef MQD_REPLICA_PARTITION_H
#define MQD_REPLICA_PARTITION_H

#include "base/map.h"
#include "mqd/replica/logs.h"

struct broker;
struct partition;
struct image;

/* Somebody who looks again when a partition moves: high watermark, LSO, end, leader,
 * or its end (deleted). `woken` comes from os_turn; the waiter stays until removed. */
struct partition_waiter {
	void (*woken)(struct partition_waiter *w);
	void *ctx;
	struct partition *partition; /* NULL: not waiting */
	struct partition_waiter *prev, *next;
};

/* What housekeeping remembers of a partition; ops/housekeeping.c's. */
struct partition_upkeep {
	/* Retention. */
	bool aged;                   /* the rest holds, as of the last look: */
	int64_t aged_start, aged_end; /* what the log's ends were said to be */
	int64_t start_offset;        /* as its checkpoint had it, if the log is not loaded */
	struct mlog_oldest oldest;
	/* Compaction. */
	bool known;                  /* the rest holds, while the ends stay what they were */
	int64_t end_offset, limit_offset;
	int64_t again_ms;            /* monotonic: then, it must be looked again */
	int64_t first_dirty_offset;
	double dirty_ratio;
	bool due;
	bool uncleanable;            /* it holds what cannot be read */
	unsigned version;            /* of the settings; all but the last two begins anew */
};

struct partition {
	struct plog *log;
	char *topic; /* owned */
	struct uuid topic_id;
	int32_t number;
	int32_t leader, leader_epoch;
	int64_t high_watermark;
	int32_t min_isr; /* min.insync.replicas, at most as many as there are */
	size_t isr_count;
	bool internal;
	bool deleted; /* `log` is NULL; it is freed when nobody waits any more */
	/* partition.c's */
	struct partition_waiter *waiters;
	struct partition_waiter *told_next; /* of these, while they are told */
	struct partition_append *appends; /* that wait for the high watermark, by offset */
	unsigned holds;                   /* appends under way, and calls that may end it */
	struct partition_upkeep upkeep;
};

/* All of them. */
struct partitions *partitions_new(struct broker *b);
void partitions_free(struct partitions *ps);

/* Follows the metadata: called by cluster's `changed`. */
void partitions_changed(struct partitions *ps, const struct image *im, const char *topic,
    const struct uuid *topic_id);

/* By name or by id (name NULL). NULL with a code: UNKNOWN_TOPIC_OR_PARTITION,
 * UNKNOWN_TOPIC_ID, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. */
struct partition *partitions_find(struct partitions *ps, const char *topic, size_t topic_len,
    const struct uuid *id, int32_t number, int *code);

/* current_leader_epoch of a request (-1: none given): 0, FENCED_LEADER_EPOCH,
 * UNKNOWN_LEADER_EPOCH (KIP-320). */
int partition_check_epoch(const struct partition *p, int32_t epoch);

/* Where `epoch` ends in the log of a leader of `leader_epoch`, of which there need be no
 * record yet: as epochs_end_of. Any thread. */
struct epoch_entry partition_epoch_end(
    const struct epochs *e, int32_t leader_epoch, int32_t epoch, int64_t log_end);

/* The end of what is stable: the high watermark, or the first open transaction. */
int64_t partition_stable_end(const struct partition *p);

/* What a reader of that isolation level (1: read_committed) may see. */
int64_t partition_readable_end(const struct partition *p, int8_t isolation_level);

void partition_wait(struct partition *p, struct partition_waiter *w);
void partition_wait_end(struct partition_waiter *w);

/* While it is held it is not freed; `log` goes when it is deleted all the same. */
void partition_hold(struct partition *p);
void partition_release(struct partition *p);

/* Calls `each` for every partition that is here until it returns nonzero, which is
 * then returned. Nothing may come or go meanwhile. */
int partitions_each(
    struct partitions *ps, int (*each)(void *ctx, struct partition *p), void *ctx);

/* An append by a client or by this broker: done when `acks` is satisfied. */
struct partition_append {
	struct plog_append append; /* bytes, len, origin are the caller's */
	int16_t acks;              /* 0, 1: written; -1: committed */
	void (*done)(struct partition_append *a);
	void *ctx;
	int code; /* out; 0: append's out fields hold */
	struct partition *partition;
	struct partition_append *next;
};
void partition_append(struct partition *p, struct partition_append *a);

#endif
