/*
 * target_switch: a store, or the broker that serves it, behind one target.
 *
 * A daemon that comes refuses the store's writers, which is how a producer learns of it
 * (ERR_SERVED); otherwise it is looked for while something is under way. That a broker has
 * gone is seen by its locks, at once when a connection ends. Then all that is under way moves:
 *
 * - What the store has not done yet it has refused, and the broker is asked instead. What it
 *   has appended it still makes durable: a sync needs no lock.
 * - What the broker has not answered is taken back and asked of the store, in order. A batch
 *   in doubt bears its producer's number by then, and the log knows whether it has it. A
 *   change of a topic or group in doubt fails: nobody can tell whether it was made.
 * - Parts that are read go on at their offsets; members: see target_switch_group.c.
 *
 * A side that was left is kept until nobody uses it: bytes of batches lie in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_switch_impl.h"
#include "store/locks.h"

static const size_t sizes[] = {
    [ERRAND_METADATA] = sizeof(struct metadata_call),
    [ERRAND_PRODUCE] = sizeof(struct produce_call),
    [ERRAND_FLUSH] = sizeof(struct call),
    [ERRAND_FETCH] = sizeof(struct fetch_call),
    [ERRAND_OFFSETS] = sizeof(struct offsets_call),
    [ERRAND_COMMIT] = sizeof(struct commit_call),
    [ERRAND_COMMITTED] = sizeof(struct committed_call),
    [ERRAND_ADMIN] = sizeof(struct admin_call),
};

/* --- errands ------------------------------------------------------------------- */

static void
tick_in(struct switcher *sw, int64_t ms)
{
	sw->is_ticking = true;
	os_timer_start(sw->target.os, &sw->tick, ms);
}

void
switch_wake(struct switcher *sw)
{
	tick_in(sw, 0);
}

void
errand_wait(struct errand *e)
{
	if (e->side != NULL)
		e->side->users--;
	e->side = NULL;
	e->sw->waiting++;
}

static void
errand_free(struct errand *e)
{
	struct switcher *sw = e->sw;

	*e->link = e->next;
	if (e->next != NULL)
		e->next->link = e->link;
	else
		sw->last = e->link;
	if (e->side != NULL)
		e->side->users--;
	else
		sw->waiting--;
	free(e->parts);
	free(e);
}

/* Tells the caller, as inner says. */
static void
errand_end(struct errand *e)
{
	struct call *outer = e->outer, was = *outer;

	if (e->kind == ERRAND_FETCH) {
		switch_parts_out(e);
		e->inner.fetch.parts = ((struct fetch_call *)outer)->parts;
	}
	if (e->kind == ERRAND_COMMIT)
		e->inner.commit.member = ((struct commit_call *)outer)->member;
	memcpy(outer, &e->inner, sizes[e->kind]);
	outer->done = was.done;
	outer->ctx = was.ctx;
	errand_free(e);
	outer->finished = true;
	if (outer->done != NULL)
		outer->done(outer);
}

/* A commit that was made as nobody's, though there is a member, or as that of one whom the
 * broker does not know any more: it is to be made as the other. */
static bool
is_of_other(const struct errand *e)
{
	int code = e->inner.call.err.code;

	return (code == ERR_UNKNOWN_MEMBER_ID || code == ERR_ILLEGAL_GENERATION) &&
	       e->kind == ERRAND_COMMIT && ((const struct commit_call *)e->outer)->member != NULL;
}

/* An error may be the daemon's end: that is looked at first. */
static void
inner_done(struct call *c)
{
	struct errand *e = c->ctx;
	struct switcher *sw = e->sw;

	sw->target.node_id = sw->now->target->node_id;
	if (is_of_other(e) && e->side == sw->now) {
		errand_wait(e);
		e->is_nobodys = e->inner.commit.member == NULL;
		tick_in(sw, SWITCH_RETRY_MS);
		return;
	}
	if (c->err.code != 0 && e->side == sw->now && sw->now->is_served) {
		errand_wait(e);
		e->is_ended = true;
		switch_wake(sw);
		return;
	}
	errand_end(e);
}

/* Batches keep their order, and so do their acknowledgements: none overtakes one that waits,
 * or that a store which was left is still making durable. */
static bool
is_behind(const struct errand *e)
{
	const struct switcher *sw = e->sw;

	if ((sw->waiting <= 1 && sw->old == NULL) ||
	    (e->kind != ERRAND_PRODUCE && e->kind != ERRAND_FLUSH))
		return false;
	for (const struct errand *x = sw->first; x != e; x = x->next)
		if (x->side != sw->now && !x->is_ended && x->kind == ERRAND_PRODUCE)
			return true;
	return false;
}

/* The inner call, anew from the outer one. 1; 0: not yet; -1: it fails. */
static int
errand_fill(struct errand *e)
{
	struct target *t = &e->sw->target;
	struct err err = {.code = 0};
	int ret = 1;

	memcpy(&e->inner, e->outer, sizes[e->kind]);
	e->inner.call = (struct call){.done = inner_done, .ctx = e};
	switch (e->kind) {
	case ERRAND_PRODUCE:
		e->inner.produce.urgent |= e->since_ns != 0;
		break;
	case ERRAND_FETCH:
		ret = switch_parts_in(e, &err) == -1 ? -1 : 1;
		if (e->inner.fetch.max_wait_ms > 0)
			e->inner.fetch.max_wait_ms =
			    (e->deadline_ns - os_mono_ns(t->os) + 999999) / 1000000;
		if (e->inner.fetch.max_wait_ms < 0 && e->deadline_ns != INT64_MAX)
			e->inner.fetch.max_wait_ms = 0;
		break;
	case ERRAND_COMMIT:
		if (e->inner.commit.member != NULL)
			ret = member_committer(e->inner.commit.member, e->is_nobodys,
			    &e->inner.commit.member, &err);
		break;
	default:
		break;
	}
	e->inner.call.err = err;
	return ret;
}

static void
errand_ask(struct errand *e, struct target *t)
{
	switch (e->kind) {
	case ERRAND_METADATA:
		target_metadata(t, &e->inner.metadata);
		break;
	case ERRAND_PRODUCE:
		target_produce(t, &e->inner.produce);
		break;
	case ERRAND_FLUSH:
		target_flush(t, &e->inner.call);
		break;
	case ERRAND_FETCH:
		target_fetch(t, &e->inner.fetch);
		break;
	case ERRAND_OFFSETS:
		target_offsets(t, &e->inner.offsets);
		break;
	case ERRAND_COMMIT:
		target_commit(t, &e->inner.commit);
		break;
	case ERRAND_COMMITTED:
		target_committed(t, &e->inner.committed);
		break;
	case ERRAND_ADMIN:
		target_admin(t, &e->inner.admin);
		break;
	}
}

/* Asks the side of now; what is refused, or must wait, waits on. */
static void
errand_start(struct errand *e)
{
	struct switcher *sw = e->sw;
	int64_t now = os_mono_ns(sw->target.os);
	int got;

	if (is_behind(e)) {
		tick_in(sw, SWITCH_RETRY_MS);
		return;
	}
	got = errand_fill(e);
	if (got != 1) {
		e->is_ended = got == -1;
		tick_in(sw, e->is_ended ? 0 : SWITCH_RETRY_MS);
		return;
	}
	sw->waiting--;
	e->side = sw->now;
	e->side->users++;
	errand_ask(e, e->side->target);
	/* What a store refuses it has refused by now. */
	if (!e->side->is_served && e->inner.call.err.code == ERR_SERVED) {
		target_withdraw(e->side->target, &e->inner.call);
		errand_wait(e);
		e->since_ns = e->since_ns != 0 ? e->since_ns : now;
		tick_in(sw, SWITCH_RETRY_MS);
	} else if (e->kind == ERRAND_PRODUCE) {
		((struct produce_call *)e->outer)->taken = e->inner.produce.taken;
	}
}

static void
begin(struct target *t, enum errand_kind kind, struct call *c)
{
	struct switcher *sw = switcher_of(t);
	struct errand *e = calloc(1, sizeof(*e));

	c->is_produce = kind == ERRAND_PRODUCE;
	if (e == NULL) {
		err_nomem(&c->err);
		call_queue_push(&sw->nomem, c);
		switch_wake(sw);
		return;
	}
	*e = (struct errand){.kind = kind, .sw = sw, .outer = c, .deadline_ns = INT64_MAX};
	if (kind == ERRAND_FETCH && ((struct fetch_call *)c)->max_wait_ms >= 0)
		e->deadline_ns =
		    os_mono_ns(t->os) + ((struct fetch_call *)c)->max_wait_ms * 1000000;
	if (kind == ERRAND_PRODUCE)
		((struct produce_call *)c)->taken = false;
	e->link = sw->last;
	*sw->last = e;
	sw->last = &e->next;
	sw->waiting++;
	errand_start(e);
	if (!sw->is_ticking)
		tick_in(sw, SWITCH_LOOK_MS);
}

/* --- now and then ---------------------------------------------------------------- */

bool
switch_is_over(const struct switcher *sw, int64_t since_ns, struct err *err)
{
	int64_t most_ms = sw->store_options.lock_wait_ms;

	if (sw->now->is_served || since_ns == 0 || most_ms < 0 ||
	    os_mono_ns(sw->target.os) - since_ns < most_ms * 1000000)
		return false;
	err_set(err, ERR_BUSY, "%s/.lock: locked by another process for %lld ms: %s%s", sw->dir,
	    (long long)most_ms, LOCK_HOLDER_STORE, LOCK_ADVICE_TOOL);
	return true;
}

static void
start_waiting(struct switcher *sw)
{
	for (struct errand *e = sw->first; e != NULL; e = e->next) {
		if (e->side != NULL || e->is_ended)
			continue;
		errand_start(e);
		if (e->side == NULL && switch_is_over(sw, e->since_ns, &e->inner.call.err))
			e->is_ended = true;
	}
}

/* Whoever is told may ask for more: each time from the beginning. */
static void
end_ended(struct switcher *sw)
{
	struct errand *e;
	struct call *c;

	do {
		for (e = sw->first; e != NULL && !e->is_ended;)
			e = e->next;
		if (e != NULL)
			errand_end(e);
	} while (e != NULL);
	while ((c = call_queue_pop(&sw->nomem)) != NULL) {
		c->finished = true;
		if (c->done != NULL)
			c->done(c);
	}
}

static void
on_tick(struct os_timer *t)
{
	struct switcher *sw = t->ctx;
	int serves = sw->is_barred ? 0 : lock_serves(sw->target.os, sw->dir);

	sw->is_ticking = false;
	if (serves != -1 && (serves == 1) != sw->now->is_served)
		sides_move(sw);
	members_tick(sw);
	start_waiting(sw);
	sw->target.topics_changed |= sw->now->target->topics_changed;
	sw->now->target->topics_changed = false;
	end_ended(sw);
	sides_tidy(sw);
	if (!sw->is_ticking && (sw->first != NULL || sw->members != NULL || sw->old != NULL))
		tick_in(sw, sw->waiting > 0 ? SWITCH_RETRY_MS : SWITCH_LOOK_MS);
}

/* --- the table -------------------------------------------------------------------- */

static void
switch_metadata(struct target *t, struct metadata_call *c)
{
	begin(t, ERRAND_METADATA, &c->call);
}

static void
switch_produce(struct target *t, struct produce_call *c)
{
	begin(t, ERRAND_PRODUCE, &c->call);
}

static void
switch_flush(struct target *t, struct call *c)
{
	begin(t, ERRAND_FLUSH, c);
}

static void
switch_fetch(struct target *t, struct fetch_call *c)
{
	begin(t, ERRAND_FETCH, &c->call);
}

static void
switch_offsets(struct target *t, struct offsets_call *c)
{
	begin(t, ERRAND_OFFSETS, &c->call);
}

static void
switch_commit(struct target *t, struct commit_call *c)
{
	begin(t, ERRAND_COMMIT, &c->call);
}

static void
switch_committed(struct target *t, struct committed_call *c)
{
	begin(t, ERRAND_COMMITTED, &c->call);
}

static void
switch_admin(struct target *t, struct admin_call *c)
{
	begin(t, ERRAND_ADMIN, &c->call);
}

static void
switch_withdraw(struct target *t, struct call *c)
{
	struct switcher *sw = switcher_of(t);

	for (struct errand *e = sw->first; e != NULL; e = e->next)
		if (e->outer == c) {
			if (e->side != NULL)
				target_withdraw(e->side->target, &e->inner.call);
			errand_free(e);
			return;
		}
	(void)call_queue_remove(&sw->nomem, c);
}

static void
switch_watch_topics(struct target *t)
{
	struct switcher *sw = switcher_of(t);

	sw->watches_topics = true;
	target_watch_topics(sw->now->target);
}

static void
switch_free(struct target *t)
{
	struct switcher *sw = switcher_of(t);

	while (sw->first != NULL)
		switch_withdraw(t, sw->first->outer);
	if (sw->now != NULL) {
		sw->now->next = sw->old;
		sw->old = sw->now;
	}
	while (sw->old != NULL) {
		struct side *s = sw->old;

		sw->old = s->next;
		target_free(s->target);
		free(s);
	}
	os_timer_stop(t->os, &sw->tick);
	free(sw->name);
	free(sw);
}

static const struct target_ops switch_ops = {
    .metadata = switch_metadata,
    .produce = switch_produce,
    .flush = switch_flush,
    .withdraw = switch_withdraw,
    .fetch = switch_fetch,
    .next = switch_next,
    .forget = switch_forget,
    .offsets = switch_offsets,
    .commit = switch_commit,
    .committed = switch_committed,
    .group_join = switch_group_join,
    .group_released = switch_group_released,
    .group_add_topic = switch_group_add_topic,
    .group_settled = switch_group_settled,
    .group_leave = switch_group_leave,
    .admin = switch_admin,
    .watch_topics = switch_watch_topics,
    .free = switch_free,
};

struct target *
target_switch_new(struct os *os, const char *dir, const struct store_options *so,
    const struct broker_options *bo, struct err *err)
{
	static const char prefix[] = "store ";
	struct switcher *sw = calloc(1, sizeof(*sw));
	size_t size = sizeof(prefix) + strlen(dir);

	if (sw == NULL || (sw->name = malloc(size)) == NULL) {
		free(sw);
		err_nomem(err);
		return NULL;
	}
	snprintf(sw->name, size, "%s%s", prefix, dir);
	sw->dir = sw->name + strlen(prefix);
	sw->store_options = *so;
	sw->store_options.yields = true;
	sw->broker_options = *bo;
	sw->last = &sw->first;
	call_queue_init(&sw->nomem);
	sw->target = (struct target){.ops = &switch_ops, .os = os, .name = sw->name};
	sw->tick = (struct os_timer){.fire = on_tick, .ctx = sw};
	if (sides_open(sw, err) == 0)
		return &sw->target;
	switch_free(&sw->target);
	return NULL;
}
