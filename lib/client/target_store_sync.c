/*
 * Producing into a store: append at once, acknowledge when synced.
 *
 * One sync runs at a time, on a worker, and covers all that was appended before
 * it began; what is appended meanwhile waits for the next. A sync begins when
 * SYNC_BYTES wait, when the oldest has waited SYNC_MS, and at once when a call is
 * urgent (the input pauses) or a flush asks.
 */
#include <stdlib.h>

#include "client/target_store_impl.h"

#define SYNC_BYTES (64u << 20)
#define SYNC_MS 1000

/* Descriptors of one sync. What does not fit is left to the next. */
#define SYNC_FDS 4096

static void sync_begin(struct store_target *st);

/* What became of a call: not what was synced, but whether its own bytes were. 1,
 * 0: not yet; -1. */
static int
is_durable(struct store_target *st, struct call *c)
{
	const struct produce_call *p = (const struct produce_call *)c;

	if (!c->is_produce)
		return 1;
	/* A batch holds at least one record. */
	return store_is_synced(st->store, p->topic, p->partition, p->base_offset + 1, &c->err);
}

/* Tells the calls of a sync that has succeeded, in order up to the first that it
 * did not cover; the others wait for the next one, before those that came since. */
static void
tell_synced(struct store_target *st)
{
	struct call *c;
	int got = 1;

	while (got != 0 && st->in_sync.first != NULL) {
		got = is_durable(st, st->in_sync.first);
		if (got != 0)
			store_target_finish(st, call_queue_pop(&st->in_sync), got == -1 ? -1 : 0);
	}
	if (st->in_sync.first == NULL)
		return;
	while ((c = call_queue_pop(&st->unsynced)) != NULL)
		call_queue_push(&st->in_sync, c);
	st->unsynced = st->in_sync;
	call_queue_init(&st->in_sync);
	st->sync_wanted = true;
}

static void
sync_done(struct os_sync *s)
{
	struct store_target *st = s->ctx;
	struct err err;
	struct call *c;

	st->syncing = false;
	if (store_synced(st->store, s->result, &err) == 0)
		tell_synced(st);
	while ((c = call_queue_pop(&st->in_sync)) != NULL) {
		c->err = err;
		store_target_finish(st, c, -1);
	}
	if (st->sync_wanted)
		sync_begin(st);
}

static void
sync_begin(struct store_target *st)
{
	struct call *c;
	size_t n;

	st->sync_wanted = st->syncing;
	if (st->syncing)
		return;
	os_timer_stop(st->target.os, &st->sync_due);
	st->unsynced_bytes = 0;
	while ((c = call_queue_pop(&st->unsynced)) != NULL)
		call_queue_push(&st->in_sync, c);
	if (st->sync_fds == NULL &&
	    (st->sync_fds = calloc(SYNC_FDS, sizeof(*st->sync_fds))) == NULL) {
		while ((c = call_queue_pop(&st->in_sync)) != NULL)
			store_target_finish(st, c, err_nomem(&c->err));
		return;
	}
	n = store_unsynced(st->store, st->sync_fds, SYNC_FDS);
	st->sync = (struct os_sync){
	    .fds = st->sync_fds, .fd_count = n, .done = sync_done, .ctx = st};
	st->syncing = true;
	os_sync_start(st->target.os, &st->sync);
}

static void
sync_is_due(struct os_timer *t)
{
	sync_begin(t->ctx);
}

void
store_target_sync_init(struct store_target *st)
{
	call_queue_init(&st->unsynced);
	call_queue_init(&st->in_sync);
	st->sync_due = (struct os_timer){.fire = sync_is_due, .ctx = st};
}

void
store_target_produce(struct target *t, struct produce_call *c)
{
	struct store_target *st = store_target_of(t);
	struct mlog_appended done;

	c->taken = true;
	if (store_append(st->store, c->topic, c->partition, c->bytes, c->len, &done,
	        &c->call.err) == -1) {
		store_target_finish(st, &c->call, -1);
		return;
	}
	c->base_offset = done.base_offset;
	c->append_time = done.append_time;
	if (c->acks != ACKS_ALL) {
		store_target_finish(st, &c->call, 0);
		return;
	}
	if (st->unsynced.first == NULL)
		os_timer_start(t->os, &st->sync_due, SYNC_MS);
	c->call.is_produce = true;
	call_queue_push(&st->unsynced, &c->call);
	st->unsynced_bytes += c->len;
	if (c->urgent || st->unsynced_bytes >= SYNC_BYTES)
		sync_begin(st);
}

void
store_target_flush(struct target *t, struct call *c)
{
	struct store_target *st = store_target_of(t);

	if (st->unsynced.first != NULL) {
		call_queue_push(&st->unsynced, c);
		sync_begin(st);
	} else if (st->syncing) {
		call_queue_push(&st->in_sync, c);
	} else {
		store_target_finish(st, c, 0);
	}
}
