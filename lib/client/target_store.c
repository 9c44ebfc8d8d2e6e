/*
 * target_store: the target that is a store on this machine. What it does, it
 * does at once, within the start of a call; only syncs, waits for data and
 * completions go through the loop.
 */
#include <stdlib.h>
#include <string.h>

#include "client/target_store_impl.h"

/* The batch that a store likes: each costs two locks and a write, which no longer
 * shows at this size; larger ones only make a seek and a rotten bit cost more. */
#define STORE_BATCH_BYTES (256 << 10)

/* Batches that may wait for a sync: more than one sync covers. */
#define STORE_PRODUCE_CALLS 4096

/* A sync goes on without it: that knows descriptors, not calls. */
static void
store_target_withdraw(struct target *t, struct call *c)
{
	struct store_target *st = store_target_of(t);

	if (!call_queue_remove(&st->done, c) && !call_queue_remove(&st->unsynced, c) &&
	    !call_queue_remove(&st->in_sync, c))
		store_target_fetch_withdraw(st, c);
}

void
store_target_finish(struct store_target *st, struct call *c, int result)
{
	if (result == 0)
		c->err.code = 0;
	if (st->done.first == NULL)
		os_timer_start(st->target.os, &st->tell, 0);
	call_queue_push(&st->done, c);
}

static void
tell(struct os_timer *t)
{
	struct store_target *st = t->ctx;
	struct call_queue now = st->done;
	struct call *c;

	/* What is finished by these completions waits for the next turn. */
	call_queue_init(&st->done);
	while ((c = call_queue_pop(&now)) != NULL) {
		c->finished = true;
		if (c->done != NULL)
			c->done(c);
	}
}

static void
store_target_free(struct target *t)
{
	struct store_target *st = store_target_of(t);

	/* A sync that runs points into us; if its end cannot be waited for, all that
	 * it may touch is left to the process's. */
	while (st->syncing)
		if (os_turn(t->os, -1) == -1)
			return;
	os_timer_stop(t->os, &st->tell);
	os_timer_stop(t->os, &st->sync_due);
	os_timer_stop(t->os, &st->poll);
	if (st->watches_topics)
		os_watch_stop(t->os, &st->topics);
	store_target_drop_spare(st);
	store_free(st->store);
	free(st->sync_fds);
	free(st->name);
	free(st);
}

static const struct target_ops store_target_ops = {
    .metadata = store_target_metadata,
    .produce = store_target_produce,
    .flush = store_target_flush,
    .withdraw = store_target_withdraw,
    .fetch = store_target_fetch,
    .next = store_target_next,
    .forget = store_target_forget,
    .offsets = store_target_offsets,
    .commit = store_target_commit,
    .committed = store_target_committed,
    .group_join = store_target_group_join,
    .group_released = store_target_group_released,
    .group_add_topic = store_target_group_add_topic,
    .group_settled = store_target_group_settled,
    .group_leave = store_target_group_leave,
    .admin = store_target_admin,
    .watch_topics = store_target_watch_topics,
    .free = store_target_free,
};

struct target *
target_store_new(struct os *os, const char *dir, const struct store_options *o, struct err *err)
{
	static const char prefix[] = "store ";
	struct store_target *st = calloc(1, sizeof(*st));
	size_t name_size = sizeof(prefix) + strlen(dir);

	if (st == NULL || (st->name = malloc(name_size)) == NULL) {
		free(st);
		err_nomem(err);
		return NULL;
	}
	memcpy(st->name, prefix, sizeof(prefix) - 1);
	memcpy(st->name + sizeof(prefix) - 1, dir, strlen(dir) + 1);
	st->options = *o;
	st->store = store_open(os, dir, o, err);
	if (st->store == NULL) {
		free(st->name);
		free(st);
		return NULL;
	}
	st->target = (struct target){
	    .ops = &store_target_ops,
	    .os = os,
	    .name = st->name,
	    .node_id = store_node_id(st->store),
	    .produce_calls_max = STORE_PRODUCE_CALLS,
	    .batch_bytes = STORE_BATCH_BYTES,
	};
	call_queue_init(&st->done);
	st->tell = (struct os_timer){.fire = tell, .ctx = st};
	store_target_sync_init(st);
	store_target_fetch_init(st);
	return &st->target;
}
