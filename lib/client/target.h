/*
 * target: the seam between the tools and where the data is.
 *
 * client is what a tool needs of Kafka, written once: producer, consumer, group
 * and admin work above a `struct target`, a table of operations on whole batches
 * with Kafka's error codes. Two backends fill it: a store on this machine
 * (target_store.c) and brokers (target_broker.c).
 *
 * Every operation is a call: a struct that the caller owns, fills and starts; it
 * is completed from os_turn, never from inside the start, by `done`. Until then
 * the caller keeps it, and what it points to, where it is. A tool that has
 * nothing else to do waits with target_wait.
 *
 * Errors: call.err says whether the call as a whole worked; entries of lists
 * have a `code` of their own (Kafka's numbers).
 *
 * Knows lib/store or the network below it; knows nothing of the shell.
 */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include "base/arena.h"
#include "base/error.h"
#include "base/uuid.h"
#include "log/batch.h"
#include "os/os.h"
#include "store/topic_config.h"

struct target;
struct aborted_txn; /* log/producers.h */

struct call {
	void (*done)(struct call *c); /* may be NULL: see target_wait */
	void *ctx;
	struct err err; /* code 0: done well */
	bool finished;
	struct call *next; /* the backend's, while under way */
	bool is_produce;   /* the backend's: which calls of a queue have an offset */
};

/* --- metadata -------------------------------------------------------------- */

struct target_partition {
	int32_t number;
	int32_t leader; /* -1 none */
	int32_t leader_epoch;
	const int32_t *replicas, *isr;
	size_t replica_count, isr_count;
	int code;
};

struct target_topic {
	const char *name;
	struct uuid id;
	bool internal;
	const struct target_partition *partitions; /* by number */
	size_t partition_count;
	int64_t batch_bytes_max; /* max.message.bytes; -1 not known */
	bool has_codec; /* whoever appends is to bring batches in this codec (compression.type) */
	enum codec codec;
	int codec_level;
	int code; /* UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, … */
};

/* Topics by name, or all. With auto_create a missing one is made, if the target
 * allows that. The answer lies in `arena`, which the caller inits and releases. */
struct metadata_call {
	struct call call;
	const char *const *names; /* NULL: all, sorted */
	size_t name_count;
	bool auto_create;
	struct arena *arena;
	const struct target_topic *topics;
	size_t topic_count;
};

/* --- produce --------------------------------------------------------------- */

enum target_acks { ACKS_ALL = -1, ACKS_NONE = 0, ACKS_LEADER = 1 };

/* One sealed batch. What has a producer's id and number, since another target was given it
 * before, is not appended again if the log has it. In a store: ACKS_ALL is done when it is synced, ACKS_LEADER
 * when it is written, ACKS_NONE when it was taken. */
struct produce_call {
	struct call call;
	const char *topic;
	int32_t partition;
	uint8_t *bytes; /* written into: offset, epoch, append time */
	size_t len;
	enum target_acks acks;
	bool urgent; /* nothing will follow soon: do not wait for company */
	bool taken;  /* set, at the latest before done: the bytes are free again */
	int64_t base_offset;
	int64_t append_time; /* -1 unless LogAppendTime */
};

/* --- fetch ----------------------------------------------------------------- */

enum target_isolation { READ_UNCOMMITTED, READ_COMMITTED };

/* One partition that is read on and on. The caller sets the upper part and may
 * change `offset` between fetches (a seek), and, below `end`, before target_next. */
struct fetch_part {
	const char *topic;
	struct uuid topic_id;   /* only of that topic: else UNKNOWN_TOPIC_OR_PARTITION; or zero */
	int32_t partition;
	int64_t offset;         /* the next one wanted; advanced by target_next */
	bool ready;             /* out: target_next may give something (or an error) */
	int64_t log_start, end; /* out: as of the last fetch; end is what isolation allows */
	const struct aborted_txn *aborted; /* out, READ_COMMITTED: those that may touch what
	                                    * comes, before a batch of a transaction does */
	size_t aborted_count;
	void *backend; /* the target's; NULL at first */
};

/* Waits until at least one part has something, or max_wait_ms is over. */
struct fetch_call {
	struct call call;
	struct fetch_part **parts;
	size_t part_count;
	int64_t max_wait_ms; /* 0: look once; -1: until something comes */
	enum target_isolation isolation;
	int64_t deadline_ns; /* the backend's */
};

/* --- offsets --------------------------------------------------------------- */

#define OFFSET_LATEST (-1)
#define OFFSET_EARLIEST (-2)

struct offset_query {
	const char *topic;
	int32_t partition;
	int64_t timestamp; /* ms, or one of the above */
	int64_t offset;    /* out; -1: none */
	int64_t found_timestamp;
	int code;
};

struct offsets_call {
	struct call call;
	struct offset_query *queries;
	size_t query_count;
	enum target_isolation isolation;
};

/* --- groups ---------------------------------------------------------------- */

struct group_position {
	const char *topic;
	struct uuid topic_id; /* to commit for: that topic, if it is still there; or zero */
	int32_t partition;
	int64_t offset; /* -1: none committed */
	int32_t leader_epoch;
	int64_t commit_time_ms; /* -1 unknown */
	const char *metadata;
	int code; /* ERR_CORRUPT: a newer commit may be one that cannot be read */
};

struct target_member;

/* Commits for a group; `member` is NULL for one that only commits. */
struct commit_call {
	struct call call;
	const char *group;
	struct target_member *member;
	struct group_position *positions;
	size_t position_count;
};

/* Committed offsets: of the positions given, or (NULL) all of the group, in the
 * caller's arena. Where commits cannot be read and one of the positions given may be
 * among them, the call fails: ERR_CORRUPT. */
struct committed_call {
	struct call call;
	const char *group;
	struct group_position *positions;
	size_t position_count;
	/* Out, if all were asked for. */
	const char *damage; /* what cannot be read; NULL: nothing */
	bool partial;       /* what is not listed may have been among it */
	struct arena *arena;
};

/* What a group does to a member; called from os_turn. `revoke`: finish, commit,
 * then target_group_released. The strings live as long as the member. */
struct target_member_events {
	void (*assigned)(void *ctx, const char *topic, int32_t partition);
	void (*revoke)(void *ctx, const char *topic, int32_t partition);
	void (*failed)(void *ctx, const struct err *err);
	void *ctx;
};

/* --- admin ----------------------------------------------------------------- */

enum admin_op {
	ADMIN_CREATE_TOPIC,   /* topic, count (partitions; -1 default), configs */
	ADMIN_DELETE_TOPIC,   /* topic */
	ADMIN_ADD_PARTITIONS, /* topic, count */
	ADMIN_ALTER_CONFIGS,  /* topic, configs (NULL value: reset) */
	ADMIN_CONFIGS,        /* topic -> found_configs */
	ADMIN_TRIM,           /* topic, partition, offset -> offset */
	ADMIN_CLEAN,          /* topic, partition -> cleaned (stores only) */
	ADMIN_USAGE,          /* topic, partition -> bytes, segments (-1: not known) */
	ADMIN_LIST_GROUPS,    /* -> groups */
	ADMIN_DESCRIBE_GROUP, /* group -> members, state */
	ADMIN_DELETE_GROUP,   /* group */
	ADMIN_DELETE_OFFSETS, /* group, positions */
};

struct admin_config {
	const char *name;
	const char *value; /* NULL: take the override away */
};

struct admin_found_config {
	const char *name, *value;
	enum config_source source;
	const char *help;
};

struct admin_member {
	const char *id, *client_id, *host;
	int32_t pid; /* -1 unknown */
	const char *const *topics;
	size_t topic_count;
	const struct group_position *held; /* partitions it consumes now */
	size_t held_count;
};

struct admin_cleaned {
	int64_t segments_deleted, bytes_deleted;
	int64_t segments_compacted, bytes_before, bytes_after;
};

struct admin_call {
	struct call call;
	enum admin_op op;
	const char *topic;
	const char *group;
	int32_t partition;
	int32_t count;
	int32_t replicas; /* of ADMIN_CREATE_TOPIC; -1 default */
	int64_t offset;
	const struct admin_config *configs;
	size_t config_count;
	struct group_position *positions;
	size_t position_count;
	struct arena *arena; /* for what is found; the caller's */
	const struct admin_found_config *found_configs;
	size_t found_config_count;
	const char *const *groups;
	size_t group_count;
	bool damaged; /* there may be more groups: some could not be read, which was noted */
	const struct admin_member *members;
	size_t member_count;
	const char *state; /* Kafka's: Stable, Empty, Dead … */
	struct admin_cleaned cleaned;
	int64_t bytes, segments;
};

/* --- the table ------------------------------------------------------------- */

struct target_ops {
	void (*metadata)(struct target *t, struct metadata_call *c);
	void (*produce)(struct target *t, struct produce_call *c);
	void (*flush)(struct target *t, struct call *c);
	void (*withdraw)(struct target *t, struct call *c);
	void (*fetch)(struct target *t, struct fetch_call *c);
	int (*next)(struct target *t, struct fetch_part *p, struct batch *b, struct err *err);
	void (*forget)(struct target *t, struct fetch_part *p);
	void (*offsets)(struct target *t, struct offsets_call *c);
	void (*commit)(struct target *t, struct commit_call *c);
	void (*committed)(struct target *t, struct committed_call *c);
	struct target_member *(*group_join)(struct target *t, const char *group,
	    const char *client_id, const char *const *topics, size_t topic_count,
	    const struct target_member_events *events, struct err *err);
	void (*group_released)(struct target_member *m, const char *topic, int32_t partition);
	int (*group_add_topic)(struct target_member *m, const char *topic, struct err *err);
	bool (*group_settled)(const struct target_member *m);
	void (*group_leave)(struct target_member *m);
	void (*admin)(struct target *t, struct admin_call *c);
	void (*watch_topics)(struct target *t);
	void (*free)(struct target *t);
};

struct target {
	const struct target_ops *ops;
	struct os *os;
	const char *name;         /* "store /var/lib/mq", for messages */
	int32_t node_id;          /* the broker's that answers */
	size_t produce_calls_max; /* how many may be under way at once */
	size_t batch_bytes;       /* a good batch size to fill when input does not block */
	bool needs_turns; /* batches leave in turns of the loop only: whoever hands over many turns it */
	bool topics_changed;      /* see target_watch_topics; cleared by who looks */
};

static inline void
target_metadata(struct target *t, struct metadata_call *c)
{
	t->ops->metadata(t, c);
}

static inline void
target_produce(struct target *t, struct produce_call *c)
{
	t->ops->produce(t, c);
}

/* Done when everything produced so far with ACKS_ALL is done, and in a store
 * when everything with ACKS_LEADER is written. */
static inline void
target_flush(struct target *t, struct call *c)
{
	t->ops->flush(t, c);
}

/* Lets go of a call that is under way, which is never told then: the caller's
 * struct is its own again. What it asked for may still happen. */
static inline void
target_withdraw(struct target *t, struct call *c)
{
	t->ops->withdraw(t, c);
}

static inline void
target_fetch(struct target *t, struct fetch_call *c)
{
	t->ops->fetch(t, c);
}

/* After a fetch said `ready`: 1 with the next whole batch at or after
 * part->offset (it may begin below it), whose bytes live until the next call for
 * this part; 0: fetch again; -1: an error of this partition, such as
 * ERR_CORRUPT with the offsets that are lost (the next call goes on behind
 * them) or OFFSET_OUT_OF_RANGE. */
static inline int
target_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err)
{
	return t->ops->next(t, p, b, err);
}

/* Lets go of what the target keeps for a part. Not while a fetch has it. */
static inline void
target_forget(struct target *t, struct fetch_part *p)
{
	t->ops->forget(t, p);
}

static inline void
target_offsets(struct target *t, struct offsets_call *c)
{
	t->ops->offsets(t, c);
}

/* In a store: durable when done, and so is what was consumed before it. */
static inline void
target_commit(struct target *t, struct commit_call *c)
{
	t->ops->commit(t, c);
}

static inline void
target_committed(struct target *t, struct committed_call *c)
{
	t->ops->committed(t, c);
}

/* Joins a group; events come from os_turn until target_group_leave. */
static inline struct target_member *
target_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err)
{
	return t->ops->group_join(t, group, client_id, topics, topic_count, events, err);
}

static inline void
target_group_released(struct target *t, struct target_member *m, const char *topic,
    int32_t partition)
{
	t->ops->group_released(m, topic, partition);
}

/* The member wants to share in this topic too. */
static inline int
target_group_add_topic(struct target *t, struct target_member *m, const char *topic,
    struct err *err)
{
	return t->ops->group_add_topic(m, topic, err);
}

/* True if the member holds exactly its share, as far as it knows: nothing is
 * still to come from another member. */
static inline bool
target_group_settled(struct target *t, const struct target_member *m)
{
	return t->ops->group_settled(m);
}

static inline void
target_group_leave(struct target *t, struct target_member *m)
{
	t->ops->group_leave(m);
}

static inline void
target_admin(struct target *t, struct admin_call *c)
{
	t->ops->admin(t, c);
}

/* From now on t->topics_changed is set when topics may have been made, changed or
 * deleted. A hint: it may come late or never, so whoever waits looks now and then. */
static inline void
target_watch_topics(struct target *t)
{
	t->ops->watch_topics(t);
}

static inline void
target_free(struct target *t)
{
	if (t != NULL)
		t->ops->free(t);
}

/* Turns the loop until the call is finished. Returns 0, or -1 if c->err is set,
 * also when the loop cannot wait: the call is withdrawn then.
 * Use with calls whose `done` is NULL. */
int target_wait(struct target *t, struct call *c);

/* One turn of the loop (os_turn). Returns 0, or -1 with err: it cannot wait, and
 * nothing that is under way will ever be told. */
int target_turn(struct target *t, int timeout_ms, struct err *err);

/* --- backends -------------------------------------------------------------- */

struct store_options;

/* A store. Errors as store_open. */
struct target *target_store_new(struct os *os, const char *dir, const struct store_options *o,
    struct err *err);

struct broker_options {
	const char *servers;   /* HOST[:PORT],... (also [IPV6]:PORT, unix:PATH) */
	const char *client_id; /* in the brokers' logs and in groups */
	const char *version;   /* of this program */
	int64_t timeout_ms;    /* the longest wait for a broker; -1: as is usual */
	bool auto_create_topics;
	bool patient;          /* brokers that were there and have gone are waited for */
	const char *assignors; /* of group members, best first: "cooperative-sticky,range" */
	int64_t session_timeout_ms; /* of group members; 0: as is usual */
	/* A connection was lost, or not had; NULL: the user is told. */
	void (*lost)(void *ctx, const struct err *why);
	void *ctx;
};

/* The brokers of a cluster, which are not connected to yet: whoever cannot be reached
 * is told of by the first call. ERR_INVALID (servers is no such list), ERR_NOMEM. */
struct target *target_broker_new(struct os *os, const struct broker_options *o, struct err *err);

/* A store, or the broker that serves it: whichever it is now, also when that changes while
 * calls are under way, and while a group is consumed. A daemon that has the store without a
 * socket, as Apache Kafka's, is waited for: so->lock_wait_ms, then ERR_BUSY. `bo` names no
 * servers; its strings live as long as the target. Errors as store_open; ERR_BUSY. */
struct target *target_switch_new(struct os *os, const char *dir, const struct store_options *so,
    const struct broker_options *bo, struct err *err);

/* Is it a list of brokers? -1: ERR_INVALID. */
int target_broker_check(const char *servers, struct err *err);

#endif
