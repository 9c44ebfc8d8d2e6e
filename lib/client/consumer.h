/*
 * consumer: batches in, records out: which partitions, from where to where, in
 * which order, what may be committed.
 *
 * Ranges are resolved once, at the start; the end is exclusive. Control batches,
 * aborted transactions (READ_COMMITTED) and records outside the range are passed
 * over. Within a partition records come in order; over several, partitions take
 * turns, a batch at a time.
 *
 * A partition that the group takes away and gives back goes on where the group
 * has got to, whatever the range says. Without an end, partitions that are added
 * are read as well, and topics that are wanted; with one they lie behind it. They are
 * found when the target hears of a change, or else within a second. So is that a
 * topic was deleted: one that may go is read no more, and noted (OS_INFO); one of
 * its name that is made later is another.
 */
#ifndef CLIENT_CONSUMER_H
#define CLIENT_CONSUMER_H

#include "base/range.h"
#include "client/target.h"

/* Where a record came from. */
struct consumed {
	const char *topic;
	int32_t partition;
	const struct batch *batch;
};

struct consumer_config {
	struct range range; /* from POINT_NONE: stored with a group, else beginning */
	/* Where a group begins that has stored nothing, or an offset that the log does
	 * not have (which is noted): POINT_BEGINNING, POINT_END, or POINT_NONE: that is
	 * an error, OFFSET_OUT_OF_RANGE. */
	enum point_kind unstored;
	bool stop_at_end;     /* -e: the end as of the start */
	int64_t tail;         /* --tail N: the last N records of each partition; -1 off */
	const char *group;    /* NULL: none */
	bool never_commits; /* also not what the group takes away */
	const char *client_id;
	enum target_isolation isolation;
	bool skip_errors;     /* -E: tell damage through `damage` and go on */
	/* Without an end: is this partition of a topic that was made after the start to
	 * be read as well? NULL: none is. */
	bool (*wants)(void *ctx, const char *topic, int32_t partition);
	/* May this topic be deleted meanwhile? If not, or NULL, that is an error. */
	bool (*may_go)(void *ctx, const char *topic);
	/* A record. Return 0 to go on, 1 to stop (the record counts as delivered),
	 * -1 to stop without it. */
	int (*record)(void *ctx, const struct consumed *where, const struct record *rec);
	/* Damage that was passed over. */
	void (*damage)(void *ctx, const char *topic, int32_t partition, const struct err *err);
	/* A partition reached its end for now (or for good, with an end). */
	void (*at_end)(void *ctx, const char *topic, int32_t partition, int64_t offset);
	/* The group takes this partition away: deliver what you hold, call
	 * consumer_handled for it; it is committed (unless
	 * `never_commits`) and released after this. */
	void (*revoked)(void *ctx, const char *topic, int32_t partition);
	void *ctx;
};

struct consumer;

void consumer_config_default(struct consumer_config *c);

struct consumer *consumer_new(struct target *t, const struct consumer_config *c, struct err *err);
void consumer_free(struct consumer *c);

/* Adds a topic: all its partitions, or those listed. UNKNOWN_TOPIC_OR_PARTITION.
 * All are added before the first consumer_step. */
int consumer_add(struct consumer *c, const char *topic, const int32_t *partitions,
    size_t partition_count, struct err *err);

/* Resolves ranges, joins the group. Call once, then consumer_step. */
int consumer_start(struct consumer *c, struct err *err);

/* Delivers what is there, at most about `budget` bytes; then, if there was
 * nothing, waits at most `timeout_ms`. Returns 1 while there may be more, 0 when
 * every range is at its end or a callback said stop, -1 on an error:
 * UNKNOWN_TOPIC_OR_PARTITION if a topic was deleted meanwhile that may not go. */
int consumer_step(struct consumer *c, size_t budget, int timeout_ms, struct err *err);

/* The record at `offset` of a partition and all before it are dealt with: the
 * next commit says offset + 1. `topic` is the pointer that the record came with. */
void consumer_handled(struct consumer *c, const char *topic, int32_t partition, int64_t offset);

/* Commits what was handled since the last commit; durable on return 0. Nothing
 * to commit is fine. */
int consumer_commit(struct consumer *c, struct err *err);

/* Leaves the group and closes readers; does not commit. */
void consumer_stop(struct consumer *c);

#endif
