/* What the files of the broker target share; for nobody else. */
#ifndef CLIENT_TARGET_BROKER_IMPL_H
#define CLIENT_TARGET_BROKER_IMPL_H

#include "client/call_queue.h"
#include "client/cluster.h"
#include "client/target.h"
#include <string.h>

#include "wire_gen.h"

#define MEMBER_ID_MAX 256

struct broker_target;
struct outlet;
struct source;

/* A call under way that is neither produce nor fetch. */
struct op {
	struct broker_target *bt;
	struct call *call;
	void (*release)(struct op *o);	 /* cancels its asks, frees it */
	void (*refreshed)(struct op *o); /* metadata came; or NULL */
	struct op *next, **link;
};

enum producer_state { PRODUCER_NONE, PRODUCER_ASKING, PRODUCER_READY, PRODUCER_PLAIN };

struct broker_target {
	struct target target; /* first */
	struct broker_options options;
	char *name, *servers, *client_id, *assignors;
	struct cluster *cluster;
	struct call_queue done; /* finished, not told yet */
	struct os_timer tell;
	struct op *ops;

	/* Producing. */
	struct map outlets;		    /* topic, NUL, partition -> struct outlet */
	struct outlet *ready, **ready_last; /* have batches to send */
	struct map senders;		    /* node -> struct sender */
	struct produce_ask *produce_asks;
	struct os_timer produce_timer;
	enum producer_state producer;
	int64_t producer_id;
	int16_t producer_epoch;
	struct ask producer_ask;
	size_t unfinished; /* batches */
	struct call_queue flushes;

	/* Fetching. */
	struct source *sources;
	struct fetch_call *fetches; /* linked through call.next */
	struct fetch_ask *fetch_asks;
	struct os_timer fetch_timer;
	size_t fetched_bytes; /* that lie here */
	unsigned fetch_turn;
	enum target_isolation isolation; /* of the last fetch */

	struct target_member *members;
	size_t leaving; /* asks that say so */
};

static inline struct broker_target *
broker_target_of(struct target *t)
{
	return (struct broker_target *)t;
}

/* The call is finished: it is told from the next turn of the loop. With `why` NULL or
 * of code 0 it went well. */
void broker_finish(struct broker_target *bt, struct call *c, const struct err *why);

/* An op of `size` bytes whose first member is struct op; NULL: the call is finished
 * with ERR_NOMEM. */
void *op_new(struct broker_target *bt, struct call *c, size_t size, void (*release)(struct op *o));

/* Finishes its call and releases it. */
void op_finish(struct op *o, const struct err *why);

static inline bool
wire_str_is(struct wire_str s, const char *text)
{
	return s.len >= 0 && strlen(text) == (size_t)s.len &&
	       memcmp(s.data, text, (size_t)s.len) == 0;
}

/* A copy with NUL; NULL: memory. A null one is "". */
char *wire_str_dup(struct arena *a, struct wire_str s);

/* "NAME: MESSAGE" of an error code. -1. */
int broker_err(struct err *err, int code, struct wire_str message, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* target_broker.c: the brokers are gone for good: nothing is tried any more. Calls that are
 * finished are told, others must have been withdrawn. target_free waits for nothing once
 * broker_is_closed. */
void broker_close(struct target *t);
bool broker_is_closed(struct target *t);

/* target_broker_metadata.c */
void broker_metadata(struct target *t, struct metadata_call *c);

/* target_broker_produce.c */
void broker_produce_init(struct broker_target *bt);
void broker_produce_free(struct broker_target *bt);
void broker_produce(struct target *t, struct produce_call *c);
void broker_flush(struct target *t, struct call *c);
bool broker_produce_withdraw(struct broker_target *bt, struct call *c);
void broker_produce_pump(struct broker_target *bt);

/* target_broker_fetch.c */
void broker_fetch_init(struct broker_target *bt);
void broker_fetch_free(struct broker_target *bt);
void broker_fetch(struct target *t, struct fetch_call *c);
int broker_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err);
void broker_forget(struct target *t, struct fetch_part *p);
bool broker_fetch_withdraw(struct broker_target *bt, struct call *c);
void broker_fetch_pump(struct broker_target *bt);

/* target_broker_offsets.c */
void broker_offsets(struct target *t, struct offsets_call *c);

/* target_broker_commit.c */
void broker_commit(struct target *t, struct commit_call *c);
void broker_committed(struct target *t, struct committed_call *c);

/* target_broker_member.c */
struct target_member *broker_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err);
void broker_group_released(struct target_member *m, const char *topic, int32_t partition);
int broker_group_add_topic(struct target_member *m, const char *topic, struct err *err);
bool broker_group_settled(const struct target_member *m);
void broker_group_leave(struct target_member *m);
void broker_members_refreshed(struct broker_target *bt);
/* Whose commits they are; generation -1: it was put out of the group. */
int32_t member_generation(const struct target_member *m);
const char *member_id(const struct target_member *m);
/* One that has just been made is the member that it was before ("", -1: none), so that its
 * commits hold and the group need not wait for that one's session to end. It joins after
 * wait_ms. */
void member_resume(struct target_member *m, const char *id, int32_t generation, int64_t wait_ms);
/* It has not joined since. What it commits may be refused, as the group does not know the
 * one that it was (member_unknown says so), but its partitions are nobody else's yet: the
 * commit fails with the code, and may be made as nobody's. */
bool member_is_resumed(const struct target_member *m);
void member_unknown(struct target_member *m, int code);
/* As leaving, but nobody is there to be told. */
void broker_group_abandon(struct target_member *m);
/* A commit was refused: it is not in the group any more. */
void member_lost(struct target_member *m, const char *why);

/* target_broker_admin.c */
void broker_admin(struct target *t, struct admin_call *c);

#endif
