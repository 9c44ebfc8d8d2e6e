/*
 * groups: the coordinator of classic consumer groups.
 *
 * Who is in a group, in which generation, with which assignment; and how far a group
 * has consumed. A group belongs to one partition of __consumer_offsets, by its name;
 * the broker that leads the partition is in charge of the group. All that must
 * outlive a crash is records of that partition, as Apache Kafka writes them.
 *
 *	handler -> groups_join ... -> the group's state machine -> groups_call.done
 *	                                   |      ^
 *	                          records, append  durable
 *
 * A handler hands over a call and the request's struct; the answer comes through
 * `done`, at once or later. Nothing is told that the log could still lose: what
 * depends on a record waits until its append is done.
 *
 * Invariants
 *  1. Committed offsets are what the log says up to the last append that is done, in
 *     the log's order: they are set when the append is done, not before.
 *  2. A group's state moves only along the table in state.c.
 *  3. While a shard (a partition's groups) is being loaded only the worker touches it.
 *
 * Pure: knows time and timers (struct os), the log's files through lib/log/reader, and
 * an append function; knows no connection, no cluster (home.c does that).
 *
 * Sources: Apache Kafka's classic protocol; KIP-62, 134, 211, 229, 345, 394, 496, 518,
 * 559, 800, 814, 848 (offset commits), 1043.
 */
#ifndef MQD_GROUPS_GROUPS_H
#define MQD_GROUPS_GROUPS_H

#include "base/arena.h"
#include "mqd/config.h"
#include "os/os.h"
#include "wire/wire.h"
#include "wire_gen.h"

#define GROUPS_TOPIC "__consumer_offsets"

struct groups;

/* Whole batches for one partition of the offsets topic. `bytes` is the groups' until
 * `done`, which comes from os_turn; of one partition in the order of the calls, but for
 * those that failed. */
struct groups_append {
	int32_t partition;
	uint8_t *bytes;
	size_t len;
	void (*done)(struct groups_append *a);
	/* out */
	int code; /* 0: durable and committed; else Kafka's: not written, or not known to be */
	int64_t base_offset;
	/* the appender's own */
	void *own; /* freed with the append; NULL: nothing */
	struct os_timer timer;
};

struct groups_options {
	struct os *os;
	const struct broker_config *config; /* read whenever it is needed */
	unsigned load_worker;               /* os_work's number, for loading */
	void (*append)(void *ctx, struct groups_append *a);
	void *ctx;
};

/* NULL: no memory. */
struct groups *groups_new(const struct groups_options *o);

/* Lets go of everything; calls that wait are forgotten, not answered. No append's
 * completion may come any more. */
void groups_free(struct groups *gs);

/* The broker stops: joins and syncs that wait are told NOT_COORDINATOR, so that nobody
 * waits for them. What is being written goes on. */
void groups_stop(struct groups *gs);

/* --- where the groups live -------------------------------------------------------- */

/* The offsets topic has so many partitions (0: there is no such topic). */
int groups_set_partitions(struct groups *gs, int32_t count);

/* The partition of a group, also before there is a topic. */
int32_t groups_partition(const struct groups *gs, struct wire_str group);

/* This broker has become the leader of a partition, whose log is recovered: loads it.
 * Until that is done its groups' answer is COORDINATOR_LOAD_IN_PROGRESS. */
void groups_elected(struct groups *gs, int32_t partition);

/* It is not the leader any more, or the partition is gone: all that wait are told
 * NOT_COORDINATOR, and the groups are forgotten. */
void groups_resigned(struct groups *gs, int32_t partition);

/* A topic was deleted: offsets for it are removed, if they are not known to be of another
 * that has its name. */
void groups_topic_deleted(struct groups *gs, struct wire_str topic, const struct uuid *id);

/* --- calls -------------------------------------------------------------------------- */

/* A request under way. The caller's, until `done`; its memory is the arena's, where
 * the request's struct lies too. */
struct groups_call {
	/* The answer; `response` is a struct of the API or, where so stated, an int16_t
	 * with Kafka's code; valid during the call. Perhaps from inside the call that
	 * began it. Other calls may be begun from it; they are looked at afterwards. */
	void (*done)(struct groups_call *c, const void *response);
	void *ctx;
	struct arena *arena;
	int16_t version;
	struct wire_str client_id;
	struct wire_str client_host; /* "/127.0.0.1" */
	/* groups' own */
	void (*begin)(struct groups *gs, struct groups_call *c);
	const void *request;
	struct wire_str group;
	void *items;
	size_t count;
	struct cmember *waits;
	struct groups_call *next;
};

void groups_join(struct groups *gs, struct groups_call *c, const struct join_group_request *r);
void groups_sync(struct groups *gs, struct groups_call *c, const struct sync_group_request *r);
void groups_heartbeat(struct groups *gs, struct groups_call *c, const struct heartbeat_request *r);

/* Version 0 to 2 name one member, outside the list. */
void groups_leave(struct groups *gs, struct groups_call *c, const struct leave_group_request *r);

/* Whoever asked is gone. A join or sync that waits is forgotten (true: its memory may
 * go, done will not come); its member stays until its session ends, as in Kafka.
 * False: done will come, soon. */
bool groups_abandon(struct groups_call *c);

/* --- committed offsets --------------------------------------------------------------- */

struct groups_commit_item {
	struct wire_str topic;
	struct uuid topic_id; /* zero: not known */
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;     /* -1: not known */
	struct wire_str metadata; /* null is empty */
	int16_t code;             /* out: 0, OFFSET_METADATA_TOO_LARGE */
};

/* For partitions that are there. Of the request, names and generation are read. The
 * answer is a code for all items, or 0: then each has its own. */
void groups_commit(struct groups *gs, struct groups_call *c, const struct offset_commit_request *r,
    struct groups_commit_item *items, size_t count);

/* Answers with a code. After 0 the offsets can be asked for, until the call returns.
 * `stable`: what is being written is waited for (KIP-447). */
void groups_fetch(struct groups *gs, struct groups_call *c, struct wire_str group, bool stable);

struct groups_offset {
	struct wire_str topic;
	struct uuid topic_id; /* zero: not known */
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	struct wire_str metadata;
	bool pending; /* a transaction that writes it is open; offset may be -1 */
};

/* One offset, unless it was committed for a topic of another id (zero: any). */
bool groups_offset(const struct groups *gs, struct wire_str group, struct wire_str topic,
    const struct uuid *topic_id, int32_t partition, struct groups_offset *out);

/* All of a group, sorted by topic and partition, until `each` returns nonzero. */
int groups_each_offset(const struct groups *gs, struct wire_str group,
    int (*each)(void *ctx, const struct groups_offset *o), void *ctx);

struct groups_delete_item {
	struct wire_str topic;
	int32_t partition;
	int16_t code; /* out: 0, GROUP_SUBSCRIBED_TO_TOPIC */
};

/* OffsetDelete (KIP-496). The answer is a code for all, or 0: then each has its own. */
void groups_delete_offsets(struct groups *gs, struct groups_call *c, struct wire_str group,
    struct groups_delete_item *items, size_t count);

/* --- for people ------------------------------------------------------------------------ */

/* Fills one group of the answer, with its error; in the arena, pointing to the groups'
 * memory: encode it before anything else happens. -1: no memory. */
int groups_describe(struct groups *gs, struct arena *a, int version, struct wire_str group,
    struct describe_groups_response_group *out);

/* Fills groups and error. -1: no memory. */
int groups_list(struct groups *gs, struct arena *a, const struct list_groups_request *r,
    struct list_groups_response *out);

/* DeleteGroups, one group. The answer is a code. */
void groups_delete(struct groups *gs, struct groups_call *c, struct wire_str group);

/* Bytes of memory that a group without members takes which has committed offsets for
 * so many partitions of one topic: for people who plan (and the test that holds it). */
size_t groups_idle_bytes(size_t partitions);

#endif
