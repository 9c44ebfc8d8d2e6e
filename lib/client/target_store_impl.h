/* What the files of the store target share; for nobody else. */
#ifndef CLIENT_TARGET_STORE_IMPL_H
#define CLIENT_TARGET_STORE_IMPL_H

#include "client/call_queue.h"
#include "client/target.h"
#include "store/groups.h"
#include "store/store.h"

struct store_target {
	struct target target; /* first */
	char *name;
	struct store *store;
	struct store_options options;

	struct call_queue done; /* finished, not told yet */
	struct os_timer tell;

	/* Syncing: one sync at a time, of all that was appended before it began. */
	struct os_sync sync;
	int *sync_fds;
	bool syncing;
	bool sync_wanted;           /* begin the next one as soon as this one ends */
	struct call_queue unsynced; /* wait for a sync that has not begun */
	struct call_queue in_sync;  /* wait for the one that runs */
	size_t unsynced_bytes;
	struct os_timer sync_due;

	struct fetch_call *fetches; /* that wait for data, linked through call.next */
	struct os_timer poll;

	/* The reader that told offsets last, for the fetch that mostly follows: what
	 * it has listed need not be listed again. */
	struct {
		struct reader *reader; /* NULL: none */
		struct uuid topic_id;
		int32_t partition;
		int64_t until_ns; /* what it was told at its opening is taken for news */
	} spare;

	struct os_watch topics; /* of the metadata log */
	bool watches_topics;
};

static inline struct store_target *
store_target_of(struct target *t)
{
	return (struct store_target *)t;
}

/* The call is finished: it is told from the next turn of the loop. With `result`
 * 0 it went well, whatever those below have left in its err. */
void store_target_finish(struct store_target *st, struct call *c, int result);

/* target_store_sync.c */
void store_target_produce(struct target *t, struct produce_call *c);
void store_target_flush(struct target *t, struct call *c);
void store_target_sync_init(struct store_target *st);

/* target_store_fetch.c */
void store_target_fetch(struct target *t, struct fetch_call *c);
int store_target_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err);
void store_target_forget(struct target *t, struct fetch_part *p);
void store_target_offsets(struct target *t, struct offsets_call *c);
void store_target_fetch_withdraw(struct store_target *st, struct call *c);
void store_target_fetch_init(struct store_target *st);
void store_target_drop_spare(struct store_target *st);

/* target_store_group.c */
void store_target_commit(struct target *t, struct commit_call *c);
void store_target_committed(struct target *t, struct committed_call *c);
struct target_member *store_target_group_join(struct target *t, const char *group,
    const char *client_id, const char *const *topics, size_t topic_count,
    const struct target_member_events *events, struct err *err);
void store_target_group_released(struct target_member *m, const char *topic, int32_t partition);
int store_target_group_add_topic(struct target_member *m, const char *topic, struct err *err);
bool store_target_group_settled(const struct target_member *m);
void store_target_group_leave(struct target_member *m);

/* target_store_admin.c */
void store_target_metadata(struct target *t, struct metadata_call *c);
void store_target_watch_topics(struct target *t);
void store_target_admin(struct target *t, struct admin_call *c);

#endif
