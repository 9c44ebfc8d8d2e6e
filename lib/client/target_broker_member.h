/* What the files of membership share; for nobody else. */
#ifndef CLIENT_TARGET_BROKER_MEMBER_H
#define CLIENT_TARGET_BROKER_MEMBER_H

#include "client/assignors.h"
#include "client/target_broker_impl.h"

#define MEMBER_TOPICS_MAX 10000

/*
 * A member's way (KIP-62, KIP-429):
 *
 *   JOINING --answer--> SYNCING --share--> STABLE
 *      ^                   |                  | heartbeat: a rebalance; topics changed;
 *      |                   |                  | what was to be let go of is let go
 *      +--- REVOKING <-----+------------------+
 *
 * Eager: in REVOKING everything that is held is given back before the next join.
 * Cooperative: nothing is, and what the new share does not have is given back while
 * STABLE, then the member joins again. REVOKING is passed through at once if nothing is
 * to be given back.
 */
enum member_state { MEMBER_REVOKING, MEMBER_JOINING, MEMBER_SYNCING, MEMBER_STABLE, MEMBER_FAILED };

enum part_holding {
	HOLD_NEW, /* ours; to be told */
	HOLD_HELD,
	HOLD_TO_REVOKE, /* to be told to let go */
	HOLD_REVOKING,	/* told */
};

struct member_part {
	const char *topic; /* the member's */
	int32_t partition;
	enum part_holding holding;
	bool is_listed; /* in the share that has just come */
	struct member_part *next;
};

/* A topic that the leader has dealt out, and how many partitions it had then. */
struct dealt {
	const struct cluster_topic *topic;
	struct uuid id;
	int32_t count;
};

struct target_member {
	struct broker_target *bt;
	struct target_member_events events;
	char *group;
	struct map names;    /* topics, for as long as the member lives */
	const char **topics; /* that it wants */
	size_t topic_count;
	enum assignor assignors[ASSIGNOR_COUNT];
	size_t assignor_count;
	bool is_cooperative;
	enum member_state state;
	bool wants_rejoin;  /* as soon as it is STABLE */
	char id[MEMBER_ID_MAX]; /* empty: none yet */
	int32_t generation; /* -1: not in the group */
	bool is_resumed; /* it has not joined yet, and goes by what it was before */
	struct member_part *parts;
	struct ask join, sync, heartbeat, metadata;
	struct os_timer pump, beat;
	int64_t session_ms, beat_ms;
	unsigned beats;
	/* Of the leader, between join and sync. */
	bool is_leader;
	enum assignor chosen;
	char protocol[64];
	struct arena arena;
	struct assignee *assignees;
	size_t assignee_count;
	struct assignable *assignables;
	size_t assignable_count;
	struct dealt *dealt; /* in STABLE; malloc'd */
	size_t dealt_count;
	struct target_member *next, **link;
};

/* target_broker_member.c */
void member_wake(struct target_member *m);
void member_fail(struct target_member *m, const struct err *err);

/* Goes to REVOKING, and on from there. */
void member_rejoin(struct target_member *m);

/* The new share. -1: ERR_NOMEM. */
int member_take(
    struct target_member *m, const struct assigned *share, size_t count, struct err *err);

/* The string, as long as the member lives; NULL: memory. */
const char *member_name(struct target_member *m, const char *topic);

/* target_broker_join.c */
void member_join_init(struct target_member *m);
void member_join(struct target_member *m);
void member_cancel(struct target_member *m);

/* Have the topics changed that the leader dealt out? */
bool member_topics_changed(const struct target_member *m);

#endif
