/*
 * groups_impl: what the files of groups/ share. Not for others.
 */
#ifndef MQD_GROUPS_GROUPS_IMPL_H
#define MQD_GROUPS_GROUPS_IMPL_H

#include "base/map.h"
#include "log/batch.h"
#include "mqd/groups/groups.h"
#include "store/group_replay.h"

/* A join of a member that got its id with the answer is given up after this. */
#define GROUPS_NEW_JOIN_MS (5 * 60 * 1000)

/* Ids given out with MEMBER_ID_REQUIRED that have not come back: above, the oldest of
 * the group is forgotten, as if its session had ended. */
#define GROUPS_PENDING_MAX 10000

/* Of one member: protocols (clients have a few), and bytes of all of them together. */
#define GROUPS_PROTOCOLS_MAX 1000
#define GROUPS_SUBSCRIPTION_MAX (8 << 20)

/* Of tombstones in one batch; the next begins then. */
#define GROUPS_BATCH_BYTES (256 << 10)

/* --- groups ------------------------------------------------------------------------- */

enum cgroup_state {
	CGROUP_EMPTY,
	CGROUP_PREPARING,  /* members are coming in */
	CGROUP_COMPLETING, /* they wait for the leader's assignment */
	CGROUP_STABLE,
	CGROUP_DEAD,
	CGROUP_STATES,
};

/* A committed offset. */
struct coffset {
	int64_t offset, commit_ms;
	int64_t expire_ms; /* -1: by the broker's settings */
	int64_t at;        /* of the record, in the log */
	struct uuid topic_id;
	char *metadata; /* owned, with its length before it; NULL: empty */
	int32_t partition, leader_epoch;
};

struct ctopic {
	struct coffset *list; /* owned, sorted by partition */
	uint32_t count, cap;
	uint32_t name_len;
	char name[];
};

/* What a member can do: its protocols, best first, in one piece of memory. */
struct cprotocols {
	size_t count;
	struct cprotocol {
		struct wire_str name;
		struct wire_bytes metadata;
	} list[];
};

struct cmember {
	struct cgroup *group;
	struct wire_str id, client_id, client_host; /* owned */
	struct wire_str instance_id;                /* owned; null: not static */
	int32_t rebalance_ms, session_ms;
	struct cprotocols *protocols;    /* owned */
	struct wire_bytes assignment;    /* owned */
	struct wire_bytes assigning;     /* owned; from the leader, not durable yet */
	bool joining, syncing;           /* waits, perhaps for nobody who would hear it */
	bool is_new;                     /* has not been told its id yet */
	bool sync_due;                   /* has not asked for its assignment yet */
	struct groups_call *join, *sync; /* that wait; NULL: none, or abandoned */
	struct os_timer timer;           /* its session's end */
};

/* An id that was given out with MEMBER_ID_REQUIRED. */
struct cpending {
	struct cgroup *group;
	struct wire_str id; /* owned */
	struct os_timer timer;
};

/* Of groups that somebody is in. */
struct clive {
	struct map members;   /* id -> struct cmember, owned; in order of joining */
	struct map statics;   /* instance id -> the same */
	struct map pending;   /* id -> struct cpending, owned */
	struct map protocols; /* name -> how many members have it, as (void *)(uintptr_t) */
	struct map subscribed; /* topic -> this */
	struct cmember *leader;
	size_t joining, sync_due; /* members */
	bool member_added;        /* during an initial rebalance's delay */
	bool initial;             /* the join timer is that of an initial rebalance */
	int32_t delay_ms, remaining_ms;
	struct os_timer join_timer, sync_timer;
};

struct cgroup {
	struct shard *shard; /* NULL while it is loaded */
	struct clive *live;  /* owned; NULL: no member, none pending */
	struct wire_str id;  /* owned */
	struct wire_str protocol_type, protocol; /* owned; null: none */
	int64_t state_ms;        /* wall clock, of the last change; -1 not known */
	struct ctopic **topics;  /* owned, sorted by name */
	uint32_t topic_count, topic_cap;
	int32_t generation;
	uint8_t state, before; /* enum cgroup_state */
	bool subscriptions_known;
	uint32_t writes; /* under way that name this group */
};

/* --- state.c: what is in a group ------------------------------------------------------ */

const char *cgroup_state_name(enum cgroup_state s);
bool cgroup_may_move(enum cgroup_state from, enum cgroup_state to);
void cgroup_move(struct cgroup *g, enum cgroup_state to, int64_t now_ms);

struct cgroup *cgroup_new(struct wire_str id, int64_t now_ms);

/* Stops its timers (os NULL: none was started); calls that wait must have been told. */
void cgroup_free(struct os *os, struct cgroup *g);

int cgroup_enliven(struct cgroup *g);

/* Lets go of what only members need, if there are none. At the end of an event only. */
void cgroup_rest(struct os *os, struct cgroup *g);

struct cprotocols *cprotocols_new(const struct join_group_request_protocol *list, size_t count);
bool cprotocols_equal(const struct cprotocols *p, const struct join_group_request_protocol *list,
    size_t count);

/* NULL: no memory. Takes over `protocols` if it gives a member. */
struct cmember *cmember_new(struct wire_str id, struct wire_str instance_id,
    struct wire_str client_id, struct wire_str client_host, struct cprotocols *protocols);
void cmember_free(struct os *os, struct cmember *m);

/* The group takes it over; -1 no memory. */
int cgroup_add(struct cgroup *g, struct cmember *m, struct wire_str protocol_type);

/* Takes it out and frees it; calls that wait for it must have been told. */
void cgroup_remove(struct os *os, struct cgroup *g, struct cmember *m);

/* New protocols for a member, which takes them over and gives those it had; NULL: no
 * memory, and nothing has changed. */
struct cprotocols *cgroup_update(
    struct cgroup *g, struct cmember *m, struct cprotocols *protocols);

/* The member goes on under another id. -1: no memory, and all is as before. */
int cgroup_rename(struct cgroup *g, struct cmember *m, struct wire_str id);

void cgroup_set_joining(struct cgroup *g, struct cmember *m, bool joining);
void cgroup_set_sync_due(struct cgroup *g, struct cmember *m, bool due);

struct cmember *cgroup_member(const struct cgroup *g, struct wire_str id);
struct cmember *cgroup_static(const struct cgroup *g, struct wire_str instance_id);
struct cpending *cgroup_pending(const struct cgroup *g, struct wire_str id);
int cgroup_add_pending(struct os *os, struct cgroup *g, struct wire_str id, struct cpending **out);
void cgroup_remove_pending(struct os *os, struct cgroup *g, struct cpending *p);
size_t cgroup_size(const struct cgroup *g);

/* The next member behind `e` (NULL: the first). */
struct map_entry *cgroup_next(const struct cgroup *g, struct map_entry *e);

bool cgroup_all_joined(const struct cgroup *g);
int32_t cgroup_rebalance_ms(const struct cgroup *g);

/* Of the first protocols that members vote for: the one with most votes; among equals
 * the one that Kafka would take. -1: no memory, or none that all have. */
int cgroup_select_protocol(const struct cgroup *g, struct wire_str *out);
bool cgroup_supports(const struct cgroup *g, struct wire_str type,
    const struct join_group_request_protocol *list, size_t count);
struct wire_bytes cmember_metadata(const struct cmember *m, struct wire_str protocol);

/* What its members subscribe to, as far as that can be read. */
int cgroup_find_subscriptions(struct cgroup *g);
bool cgroup_is_subscribed(const struct cgroup *g, struct wire_str topic);
bool cgroup_is_consumer(const struct cgroup *g);

/* Checks who asks: 0, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
int cgroup_check_member(const struct cgroup *g, struct wire_str id, struct wire_str instance_id);

/* --- text.c: owned strings --------------------------------------------------------------- */

/* -1: no memory, and `to` is as it was. Null stays null. */
int str_set(struct wire_str *to, struct wire_str from);
void str_release(struct wire_str *s);
bool str_equal(struct wire_str a, struct wire_str b);
static inline bool
str_is_empty(struct wire_str s)
{
	return s.len <= 0;
}
int bytes_set(struct wire_bytes *to, struct wire_bytes from);
void bytes_release(struct wire_bytes *b);
static inline bool
bytes_equal(struct wire_bytes a, struct wire_bytes b)
{
	return a.len == b.len && (a.len <= 0 || __builtin_memcmp(a.data, b.data, (size_t)a.len) == 0);
}
#define STR_NULL ((struct wire_str){NULL, -1})

/* --- offsets.c ---------------------------------------------------------------------------- */

struct coffset *cgroup_offset(const struct cgroup *g, struct wire_str topic, int32_t partition);

/* Sets an offset, unless one of a later record is there. -1: no memory. `metadata` is
 * copied; o->metadata is not looked at. */
int cgroup_put_offset(struct cgroup *g, struct wire_str topic, const struct coffset *o,
    struct wire_str metadata);
void cgroup_drop_offset(struct cgroup *g, struct wire_str topic, int32_t partition);
void cgroup_drop_offsets(struct cgroup *g);
struct wire_str coffset_metadata(const struct coffset *o);
static inline struct wire_str
ctopic_name(const struct ctopic *t)
{
	return (struct wire_str){t->name, (int32_t)t->name_len};
}

/* --- shards -------------------------------------------------------------------------------- */

enum shard_state { SHARD_AWAY, SHARD_LOADING, SHARD_ACTIVE };

/* Records on their way into the log. */
struct write {
	struct groups_append append;
	struct groups *groups;
	struct shard *shard;  /* NULL: it was resigned, and done was told */
	struct cgroup *group; /* or NULL */
	/* 0, or what to tell a client. Frees what it made; the write goes by itself. */
	void (*done)(struct write *w, int code);
	void (*release)(struct write *w); /* instead of done: frees it only; may be NULL */
	struct groups_call *call;         /* or NULL */
	struct batch_builder records;
	size_t count;
	bool failed; /* no memory for a record */
	uint64_t number; /* of the shard's */
	int32_t generation;
	int64_t commit_ms, expire_ms;
	void *own; /* the maker's */
	size_t own_count;
	struct write *next;
};

/* Who waits until all that is being written now is done. */
struct barrier {
	void (*run)(struct barrier *b, int code);
	struct groups *groups;
	struct shard *shard;
	struct groups_call *call; /* NULL: run frees the name, and may not come at all */
	struct wire_str name;     /* the call's, or owned */
	struct uuid id;           /* the maker's */
	uint64_t until;
	struct barrier *next;
};

struct shard {
	struct groups *groups;
	int32_t partition;
	enum shard_state state;
	struct map all;            /* id -> struct cgroup, owned */
	struct load *load;         /* under way */
	struct group_replay *open; /* owned; records of open transactions; NULL: none */
	struct write *writes, **writes_tail;
	uint64_t given; /* writes, counted */
	struct barrier *barriers, **barriers_tail;
};

struct groups {
	struct groups_options o;
	struct os *os;
	struct shard **shards; /* owned */
	int32_t count;       /* of shards */
	int32_t topic_count; /* of the topic's partitions; 0: there is no topic */
	struct os_timer expire_timer;
	int32_t expire_next; /* shard to look at; count: wait for the next round */
	struct write *gone;  /* whose shard was resigned: their appends are still under way */
	bool busy;           /* an event is being dealt with */
	struct groups_call *later, **later_tail; /* begun meanwhile */
};

/* One thing happens after another: whatever changes groups stands between these two.
 * What is told to a client may bring its next request at once, which waits so long. */
void event_begin(struct groups *gs);
void event_end(struct groups *gs);

/* Runs begin(gs, c), now or when the event is over. */
void call_begin(struct groups *gs, struct groups_call *c,
    void (*begin)(struct groups *gs, struct groups_call *c));

/* The shard that has the group. NULL with a code: COORDINATOR_LOAD_IN_PROGRESS,
 * NOT_COORDINATOR. */
struct shard *shard_of(const struct groups *gs, struct wire_str group, int *code);
struct cgroup *shard_group(const struct shard *s, struct wire_str id);

/* A new group, Empty, in memory only; NULL: no memory. */
struct cgroup *shard_make_group(struct shard *s, struct wire_str id);

/* Nothing of it may be under way. */
void shard_remove_group(struct shard *s, struct cgroup *g);
void shard_release(struct shard *s);

struct write *write_new(struct shard *s, struct cgroup *g,
    void (*done)(struct write *w, int code), struct groups_call *c);

/* Sends it off; without records, or if memory failed, -1 and it is freed without done
 * being told. */
int write_start(struct write *w);
void write_free(struct write *w);

/* Runs at once if nothing is being written. -1: no memory. */
int barrier_wait(struct shard *s, void (*run)(struct barrier *b, int code), struct groups_call *c,
    struct wire_str name, const struct uuid *id);

/* What a client is told when an append failed with `code`. */
int groups_append_error(int code);

void groups_code(struct groups_call *c, int code);

/* --- records.c ------------------------------------------------------------------------------ */

/* `assigning`: with the members' next assignments. */
void write_group(struct write *w, const struct cgroup *g, bool assigning);
void write_empty_group(struct write *w, const struct cgroup *g);
void write_offset(struct write *w, const struct cgroup *g, const struct groups_commit_item *i);
void write_offset_tombstone(struct write *w, const struct cgroup *g, struct wire_str topic,
    int32_t partition);
void write_group_tombstone(struct write *w, const struct cgroup *g);

/* Applies a record of a log that is being loaded. -1 with err: no memory. */
int replay_apply(struct map *all, int64_t at, struct slice key, const struct slice *value,
    struct err *err);

/* --- rebalance.c ------------------------------------------------------------------------------ */

/* These may begin a write, which is returned: whoever must not answer before it is
 * done sets its call. NULL: none. */
struct write *cgroup_rebalance_or_complete(struct cgroup *g);
struct write *cgroup_prepare(struct cgroup *g);
struct write *cgroup_maybe_complete(struct cgroup *g);
struct write *cgroup_complete(struct cgroup *g);

/* (Re)starts the session of a member. */
void cmember_touch(struct cmember *m, int64_t ms);
void cpending_start(struct cpending *p, int64_t ms);
void cgroup_stop_sync_timer(struct cgroup *g);

/* Tells who waits for a join or a sync, if anybody; the member waits no more. */
void cmember_join_error(struct cmember *m, struct wire_str id, int code);
void cmember_join_current(struct cmember *m, bool list_members, bool skip_assignment,
    struct wire_str leader);
bool cmember_sync_done(struct cmember *m, int code);
void cgroup_fail_syncs(struct cgroup *g, int code);
void join_error(struct groups_call *c, struct wire_str id, int code);
void join_answer_current(struct groups_call *c, const struct cmember *m, bool list_members,
    bool skip_assignment, struct wire_str leader);
void sync_error(struct groups_call *c, int code);

/* --- load.c, expire.c --------------------------------------------------------------------------- */

/* Begins to load a shard; it is SHARD_LOADING until it is done. */
void shard_load(struct shard *s);
void load_forget(struct load *l);
bool shard_has_open(const struct shard *s, struct wire_str group, struct wire_str topic,
    int32_t partition);
bool shard_group_has_open(const struct shard *s, struct wire_str group);

void expire_start(struct groups *gs);

#endif
