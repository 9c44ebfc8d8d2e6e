/* What the files of the switching target share; for nobody else. */
#ifndef CLIENT_TARGET_SWITCH_IMPL_H
#define CLIENT_TARGET_SWITCH_IMPL_H

#include "client/call_queue.h"
#include "client/target.h"
#include "store/store.h"

/* How often it is looked whether a daemon has come or gone, while something is under way. */
#define SWITCH_LOOK_MS 100

/* How often it is looked whether what was refused may be done now. */
#define SWITCH_RETRY_MS 10

/* A backend, kept while anything of it is used. */
struct side {
	struct target *target;
	bool is_served;    /* the broker; else the store */
	size_t users;      /* errands, parts and seats */
	struct call flush; /* of a store that was left: what it has written gets durable */
	bool is_flushing;
	struct side *next;
};

enum errand_kind {
	ERRAND_METADATA,
	ERRAND_PRODUCE,
	ERRAND_FLUSH,
	ERRAND_FETCH,
	ERRAND_OFFSETS,
	ERRAND_COMMIT,
	ERRAND_COMMITTED,
	ERRAND_ADMIN,
};

/* A call under way: what the caller asked for, and the call to a side that does it. */
struct errand {
	enum errand_kind kind;
	struct switcher *sw;
	struct call *outer;
	struct side *side;   /* NULL: it waits */
	bool is_ended;       /* while it waits: with inner's error, unless it is the daemon's end */
	int64_t since_ns;    /* refused since; 0: not */
	bool is_nobodys;     /* a commit that is refused as nobody's: a member's it must be */
	int64_t deadline_ns; /* of a fetch */
	struct fetch_part **parts;
	struct errand *next, **link;
	union {
		struct call call; /* the first of each */
		struct metadata_call metadata;
		struct produce_call produce;
		struct fetch_call fetch;
		struct offsets_call offsets;
		struct commit_call commit;
		struct committed_call committed;
		struct admin_call admin;
	} inner;
};

struct switcher {
	struct target target; /* first */
	char *name;           /* "store DIR" */
	const char *dir;      /* in it */
	struct store_options store_options;
	struct broker_options broker_options;
	struct side *now, *old;
	struct errand *first, **last; /* in the order in which they were asked for */
	size_t waiting;               /* of them */
	struct call_queue nomem;      /* calls that there was no memory for */
	struct target_member *members;
	struct os_timer tick;
	bool is_ticking, watches_topics;
	bool is_barred; /* from the socket: the store it is */
};

static inline struct switcher *
switcher_of(struct target *t)
{
	return (struct switcher *)t;
}

/* target_switch.c: looks at the store, and at what waits, in the next turn of the loop. */
void switch_wake(struct switcher *sw);

/* The store has refused since then (0: it has not), for as long as a lock is waited for,
 * and no socket has come: err is ERR_BUSY. */
bool switch_is_over(const struct switcher *sw, int64_t since_ns, struct err *err);

/* The side that it was asked of is not to do it; it waits. */
void errand_wait(struct errand *e);

/* target_switch_sides.c: the first side. A daemon that has the store and no socket yet is
 * waited for, if one must write to open a store. Errors as target_switch_new. */
int sides_open(struct switcher *sw, struct err *err);

/* To the other side, with all that is under way. If that cannot be opened, what waits
 * fails, or stays if only another daemon is coming. */
void sides_move(struct switcher *sw);

/* Sides that nobody uses any more go. */
void sides_tidy(struct switcher *sw);

/* target_switch_parts.c: errand->parts become inner parts of the side, and back. */
int switch_parts_in(struct errand *e, struct err *err);
void switch_parts_out(struct errand *e);
int switch_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err);
void switch_forget(struct target *t, struct fetch_part *p);

/* target_switch_group.c */
struct target_member *switch_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err);
void switch_group_released(struct target_member *m, const char *topic, int32_t partition);
int switch_group_add_topic(struct target_member *m, const char *topic, struct err *err);
bool switch_group_settled(const struct target_member *m);
void switch_group_leave(struct target_member *m);

/* Who commits at the side of now: 1 with *inner (NULL: nobody in particular, unless that was
 * refused); 0: it must join first; -1: it cannot. */
int member_committer(const struct target_member *m, bool was_refused,
    struct target_member **inner, struct err *err);

/* The members leave `old` and join the side of now, once all they hold is given back. */
void members_move(struct switcher *sw, struct side *old);

/* What is due: joins, and partitions to be told of. */
void members_tick(struct switcher *sw);

#endif
