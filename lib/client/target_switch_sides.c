/* The sides of a switch: opened, moved to, let go of. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/target_broker_impl.h"
#include "client/target_switch_impl.h"
#include "store/locks.h"

/* Who may not use the socket may still read the files. */
static void
on_lost(void *ctx, const struct err *why)
{
	struct switcher *sw = ctx;

	sw->is_barred |= why->sys_errno == EACCES;
	switch_wake(sw);
}

static struct side *
side_open(struct switcher *sw, bool is_served, struct err *err)
{
	struct side *s = calloc(1, sizeof(*s));
	struct broker_options bo = sw->broker_options;
	char address[OS_ADDRESS_MAX];

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	bo.servers = address;
	bo.lost = on_lost;
	bo.ctx = sw;
	s->is_served = is_served;
	if (!is_served)
		s->target = target_store_new(sw->target.os, sw->dir, &sw->store_options, err);
	else if (snprintf(address, sizeof(address), "unix:%s/mqd.sock", sw->dir) >=
	    (int)sizeof(address))
		err_set(err, ERR_INVALID, "%s/mqd.sock: the path is too long", sw->dir);
	else
		s->target = target_broker_new(sw->target.os, &bo, err);
	if (s->target != NULL)
		return s;
	free(s);
	return NULL;
}

/* What callers look at is that of the side of now. */
static void
side_show(struct switcher *sw)
{
	const struct target *t = sw->now->target;

	sw->target.node_id = t->node_id;
	sw->target.produce_calls_max = t->produce_calls_max;
	sw->target.batch_bytes = t->batch_bytes;
	sw->target.needs_turns = t->needs_turns;
}

/* A change that the daemon may have made, or not. */
static bool
is_change(const struct errand *e)
{
	if (e->kind != ERRAND_ADMIN)
		return false;
	switch (e->inner.admin.op) {
	case ADMIN_CONFIGS:
	case ADMIN_USAGE:
	case ADMIN_LIST_GROUPS:
	case ADMIN_DESCRIBE_GROUP:
		return false;
	default:
		return true;
	}
}

/* Takes back what the side that was left has not done: of a store only what waits for
 * data, since it does all else at once. */
static void
take_back(struct switcher *sw, const struct side *old)
{
	for (struct errand *e = sw->first; e != NULL; e = e->next) {
		if (e->is_ended && old->is_served && is_change(e))
			continue; /* perhaps it was made: its error stands */
		e->is_ended = e->is_nobodys = false;
		if (e->side != old || (!old->is_served && e->kind != ERRAND_FETCH))
			continue;
		target_withdraw(old->target, &e->inner.call);
		errand_wait(e);
		if (old->is_served && is_change(e)) {
			e->is_ended = true;
			err_set(&e->inner.call.err, ERR_CLOSED,
			    "%s: the daemon went before it had answered", sw->name);
		}
	}
}

static void
tell(struct switcher *sw, enum os_level level, const char *text)
{
	os_note(sw->target.os, level, "%s is %s", sw->name, text);
}

/* Everything that waits fails: there is no side to ask. */
static void
fail_waiting(struct switcher *sw, const struct err *why)
{
	for (struct errand *e = sw->first; e != NULL; e = e->next)
		if (e->side == NULL) {
			e->is_ended = true;
			e->inner.call.err = *why;
		}
}

void
sides_move(struct switcher *sw)
{
	struct side *old = sw->now, *s;
	struct err err;

	s = side_open(sw, !old->is_served, &err);
	if (s == NULL) {
		/* Another daemon comes: the socket is looked for again. */
		if (err.code != ERR_SERVED) {
			take_back(sw, old);
			fail_waiting(sw, &err);
		}
		return;
	}
	tell(sw, OS_INFO, s->is_served ? "now served: through its mqd.sock" : "served no more");
	sw->now = s;
	old->next = sw->old;
	sw->old = old;
	side_show(sw);
	if (sw->watches_topics)
		target_watch_topics(s->target);
	take_back(sw, old);
	members_move(sw, old);
	if (old->is_served) {
		broker_close(old->target);
	} else {
		old->is_flushing = true;
		target_flush(old->target, &old->flush);
	}
}

void
sides_tidy(struct switcher *sw)
{
	for (struct side **at = &sw->old; *at != NULL;) {
		struct side *s = *at;

		if (s->users > 0 || (s->is_served ? !broker_is_closed(s->target)
						  : s->is_flushing && !s->flush.finished)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		target_free(s->target);
		free(s);
	}
}

int
sides_open(struct switcher *sw, struct err *err)
{
	struct os *os = sw->target.os;
	int64_t began = os_mono_ns(os), most_ms = sw->store_options.lock_wait_ms;

	for (;;) {
		sw->now = side_open(sw, lock_serves(os, sw->dir) == 1, err);
		if (sw->now != NULL)
			break;
		if (err->code != ERR_SERVED)
			return -1;
		if (most_ms >= 0 && os_mono_ns(os) - began >= most_ms * 1000000) {
			err->code = ERR_BUSY;
			return -1;
		}
		os_sleep_ms(os, SWITCH_RETRY_MS);
	}
	side_show(sw);
	if (sw->now->is_served)
		tell(sw, OS_INFO, "served: through its mqd.sock");
	return 0;
}
