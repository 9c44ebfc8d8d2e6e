/*
 * A turn: what the writer does in one go, and the syncs beside it.
 *
 *	         +--> turn: settle, items, collect --+
 *	 loop ---+                                   +--> loop: results, next turn, dones
 *	         +<-- sync of what was collected <---+
 *
 * One turn and one sync at a time. A turn that finds no sync running collects what is
 * dirty, so that a lone append is written and on its way to the disk in one go of the
 * writer. What is appended during a sync goes with the next one: group commit.
 */
#include <errno.h>

#include "mqd/replica/logs_impl.h"

/* --- on the writer ---------------------------------------------------------------- */

void
turn_fail(struct logs *s, const struct err *err)
{
	s->writer_failed = true;
	if (s->turn.failed)
		return;
	s->turn.failed = true;
	s->turn.err = *err;
}

void
plog_dirty(struct plog_impl *i)
{
	struct logs *s = i->logs;

	if (i->dirty)
		return;
	i->dirty = true;
	i->dirty_ms = logs_mono_ms(s);
	i->next_dirty = NULL;
	*s->dirty_tail = i;
	s->dirty_tail = &i->next_dirty;
}

void
plog_tell(struct plog_impl *i)
{
	i->told.start = i->log.start_offset;
	i->told.end = mlog_end(&i->log);
	i->told.synced = i->log.tail.synced_offset;
	i->told.unstable = i->unstable;
	i->told.bytes = i->size_known;
	i->told.aborts = i->abort_seen;
}

static void
settle(struct logs *s)
{
	for (size_t n = 0; n < s->set_count; n++) {
		struct plog_impl *i = s->set[n].log;

		mlog_synced(&i->log, s->set[n].end_offset);
		if (i->log.tail.synced_offset < mlog_end(&i->log))
			plog_dirty(i);
	}
	s->set_count = s->fd_count = 0;
}

/* A job may have done anything. */
static void
run_job(struct plog_impl *i, struct plog_job *j)
{
	struct logs *s = i->logs;

	if (s->writer_failed) {
		err_set(&j->err, ERR_KAFKA_STORAGE_ERROR, "%s: takes nothing more", i->dir);
		return;
	}
	if (j->run(j, &i->log, &j->err) == 0)
		j->err.code = 0;
	if (i->log.failed)
		turn_fail(s, &j->err);
	if (i->log.producers_loaded)
		i->unstable = producers_first_unstable(&i->log.producers);
	if (!i->log.partial)
		i->size_known = mlog_bytes(&i->log);
	i->told.exact = i->told.exact || j->alone;
	if (i->log.tail.synced_offset < mlog_end(&i->log))
		plog_dirty(i);
	plog_tell(i);
}

static void
run_item(struct plog_item *it)
{
	struct plog_impl *i = it->log->impl;

	switch ((enum item_kind)it->kind) {
	case ITEM_APPEND:
		append_run(i, append_of(it));
		plog_tell(i);
		return;
	case ITEM_JOB:
		run_job(i, job_of(it));
		return;
	case ITEM_LOAD:
		plog_tell(i);
		return;
	case ITEM_CLOSE:
		close_run(i);
		return;
	case ITEM_TICK:
		tick_run(i);
		plog_tell(i);
		return;
	case ITEM_READ:
	case ITEM_FIND:
		return;
	}
}

/* When the log shall be synced: now (0), at a time, or (-1) when more has come. */
static int64_t
due_ms(const struct plog_impl *i, int64_t now_ms)
{
	const struct plog_settings *c = &i->settings_used;
	int64_t at;

	if (i->forced || plog_is_synced(c) ||
	    mlog_end(&i->log) - i->log.tail.synced_offset >= c->flush_messages)
		return 0;
	if (c->flush_ms < 0)
		return -1;
	at = c->flush_ms < INT64_MAX - i->dirty_ms ? i->dirty_ms + c->flush_ms : INT64_MAX;
	return at <= now_ms ? 0 : at;
}

/* Adds a log to the set. False: it has to be looked at again. */
static bool
collect_one(struct logs *s, struct turn *t, struct plog_impl *i)
{
	int64_t end;
	size_t n;

	if (s->set_count == LOGS_SYNC_SET || LOGS_SYNC_FDS - s->fd_count < LOGS_FDS_PER_LOG) {
		t->left = true;
		return false;
	}
	n = mlog_unsynced(&i->log, s->fds + s->fd_count, LOGS_SYNC_FDS - s->fd_count, &end);
	if (n == 0 && end > i->log.tail.synced_offset) {
		mlog_synced(&i->log, end);
		plog_tell(i);
	}
	if (n > 0) {
		s->set[s->set_count++] = (struct sync_entry){i, end, i->unstable};
		s->fd_count += n;
	}
	if (end >= mlog_end(&i->log)) {
		i->forced = false;
		return true;
	}
	t->left = true;
	return false;
}

/* What is dirty and due becomes the next sync. */
static void
collect(struct logs *s, struct turn *t)
{
	struct plog_impl *i = s->dirty, *next;
	int64_t now_ms = logs_mono_ms(s);

	s->dirty = NULL;
	s->dirty_tail = &s->dirty;
	for (; i != NULL; i = next) {
		int64_t at = t->force ? 0 : due_ms(i, now_ms), since = i->dirty_ms;

		next = i->next_dirty;
		i->dirty = false;
		if (at == 0 && collect_one(s, t, i))
			continue;
		plog_dirty(i);
		i->dirty_ms = since;
		if (at > 0 && (t->due_ms == -1 || at < t->due_ms))
			t->due_ms = at;
	}
}

static void
turn_run(struct os_job *j)
{
	struct logs *s = j->ctx;
	struct turn *t = &s->turn;

	if (t->settle)
		settle(s);
	for (struct plog_item *it = t->items.head; it != NULL; it = it->next)
		run_item(it);
	if (t->collect && !s->writer_failed)
		collect(s, t);
}

/* --- on the loop: what came of it ---------------------------------------------------- */

/* What readers of what is stable may not pass: a transaction whose marker is not
 * durable yet counts as open. */
static void
set_unstable(struct plog_impl *i)
{
	int64_t written = i->unstable_written, synced = i->unstable_synced;

	if (!plog_is_synced(&i->plog->settings) || synced == -1)
		i->plog->unstable_offset = written;
	else
		i->plog->unstable_offset = written == -1 || synced < written ? synced : written;
}

void
take_told(struct plog_impl *i)
{
	const struct told *t = &i->told;
	struct plog *l = i->plog;

	l->start_offset = t->start;
	l->end_offset = t->end;
	l->bytes = t->bytes;
	i->aborts = t->aborts;
	i->unstable_written = t->unstable;
	if (t->exact || (t->synced > l->synced_offset && !i->logs->failed))
		l->synced_offset = t->synced;
	if (l->synced_offset > t->end)
		l->synced_offset = t->end;
	i->told.exact = false;
	if (t->synced >= t->end)
		i->unstable_synced = t->unstable;
	set_unstable(i);
}

static void
closed(struct plog_impl *i)
{
	struct logs *s = i->logs;

	TAILQ_REMOVE(&s->open, i, in_open);
	s->open_count--;
	i->closing = false;
	ring_free(i);
	hot_drop(i);
	i->file_open = false;
	if (i->state != PLOG_GONE)
		i->state = PLOG_CLOSED;
	if (i->freed)
		plog_reap(s);
	plog_pump(i);
}

static void
fail_append(struct plog_append *a, const struct err *why)
{
	a->code = ERR_KAFKA_STORAGE_ERROR;
	a->err = *why;
}

/* Takes over what the writer says of the logs that it touched; the list of them. */
static struct plog_impl *
take_results(struct logs *s, struct items *items)
{
	struct plog_impl *touched = NULL;

	for (struct plog_item *it = items->head; it != NULL; it = it->next) {
		struct plog_impl *i = it->log->impl;

		i->with_writer--;
		if (it->kind == ITEM_CLOSE) {
			closed(i);
			continue;
		}
		take_told(i);
		if (it->kind == ITEM_TICK)
			i->ticking = false;
		if (!i->touched) {
			i->touched = true;
			i->next_touched = touched;
			touched = i;
		}
		if (it->kind == ITEM_JOB && job_of(it)->alone) {
			ring_free(i); /* what was written before may have been cut */
			hot_drop(i);
		}
		if (it->kind != ITEM_APPEND)
			continue;
		if (s->failed && append_of(it)->code == 0)
			fail_append(append_of(it), &s->why);
		append_of(it)->start_offset = i->plog->start_offset;
		ring_note(i, append_of(it));
	}
	return touched;
}

/* The set is told of, or never will be: its logs may be cut and closed again. */
static void
end_sync(struct logs *s)
{
	for (size_t n = 0; n < s->set_count; n++)
		s->set[n].log->lent = false;
	s->sync_state = SYNC_NONE;
}

/* What was synced counts at once; that its logs are told of it can wait for the next
 * turn, which will have the set. */
static size_t
take_sync(struct logs *s, struct plog_impl **to_tell)
{
	for (size_t n = 0; n < s->set_count; n++) {
		struct plog_impl *i = s->set[n].log;

		if (s->set[n].end_offset > i->plog->synced_offset && !s->failed)
			i->plog->synced_offset = s->set[n].end_offset;
		i->unstable_synced = s->set[n].unstable;
		set_unstable(i);
		to_tell[n] = i;
	}
	return s->set_count;
}

static void
sync_done(struct os_sync *y)
{
	struct logs *s = y->ctx;
	struct plog_impl *to_tell[LOGS_SYNC_SET];
	size_t count = 0;
	struct err err;

	if (y->result != 0) {
		end_sync(s);
		s->set_count = s->fd_count = 0;
		err_sys(&err, y->result, "%s: sync", s->dir);
		logs_fail(s, &err);
	} else {
		s->sync_state = SYNC_DONE;
		count = take_sync(s, to_tell);
	}
	/* The next turn begins before anybody is told, so that the writer is not idle. */
	logs_turn(s);
	for (size_t n = 0; n < count; n++)
		plog_moved(to_tell[n]);
	stop_pump(s);
}

static void
start_sync(struct logs *s)
{
	if (s->set_count == 0)
		return;
	for (size_t n = 0; n < s->set_count; n++)
		s->set[n].log->lent = true;
	s->sync_state = SYNC_RUNNING;
	s->sync = (struct os_sync){.fds = s->fds, .fd_count = s->fd_count, .done = sync_done,
	    .ctx = s};
	os_sync_start(s->os, &s->sync);
}

/* What was not collected: later, or, where a sync runs, after that. */
static void
plan_sync(struct logs *s)
{
	const struct turn *t = &s->turn;
	int64_t in_ms = t->due_ms == -1 ? -1 : t->due_ms - logs_mono_ms(s);

	if (t->left && s->sync_state == SYNC_NONE && (in_ms == -1 || in_ms > LOGS_RETRY_MS))
		in_ms = LOGS_RETRY_MS;
	if (in_ms >= 0 || t->due_ms != -1)
		os_timer_start(s->os, &s->due, in_ms > 0 ? in_ms : 0);
}

/* --- turns ------------------------------------------------------------------------- */

static void
turn_done(struct os_job *j)
{
	struct logs *s = j->ctx;
	struct plog_impl *touched, *i;
	struct plog_item *it;
	struct items items;

	items_init(&items);
	items_move(&items, &s->turn.items);
	s->turning = false;
	if (s->turn.failed)
		logs_fail(s, &s->turn.err);
	touched = take_results(s, &items);
	if (s->turn.collect) {
		start_sync(s);
		plan_sync(s);
	}
	s->dirty_left = s->turn.left || s->turn.due_ms != -1 || s->dirty != NULL;
	logs_turn(s);
	while ((it = items_take(&items)) != NULL)
		item_done(it);
	while ((i = touched) != NULL) {
		touched = i->next_touched;
		i->touched = false;
		plog_moved(i);
		if (i->state == PLOG_GONE)
			plog_pump(i);
	}
	close_surplus(s);
	logs_turn(s);
	stop_pump(s);
}

/* Those that wait until no turn and no sync has them. */
static void
scan(struct logs *s)
{
	struct plog_impl *i, *next;

	s->scan = false;
	TAILQ_FOREACH_SAFE (i, &s->open, in_open, next) {
		if (i->queue.head != NULL || i->freed || i->state == PLOG_GONE)
			plog_pump(i);
	}
}

/* No turn is under way, so the writer's part of a log may be written to: settings. */
static void
give_news(struct logs *s)
{
	struct plog_impl *i;

	s->set_anew = false;
	TAILQ_FOREACH (i, &s->open, in_open) {
		if (!i->file_open)
			continue;
		if (i->set_anew) {
			i->settings_used = i->plog->settings;
			i->log.config = i->plog->settings.log;
		}
		i->clock = s->clock;
		i->set_anew = false;
	}
}

void
logs_turn(struct logs *s)
{
	struct turn *t = &s->turn;
	bool done = s->sync_state == SYNC_DONE;

	if (s->turning)
		return;
	if (done)
		end_sync(s);
	if (s->scan)
		scan(s);
	if (s->queue.head == NULL && !done && !s->wanted)
		return;
	if (s->set_anew)
		give_news(s);
	*t = (struct turn){.settle = done, .force = s->stopping, .due_ms = -1,
	    .collect = !s->failed && s->sync_state == SYNC_NONE};
	items_init(&t->items);
	items_move(&t->items, &s->queue);
	t->os_job = (struct os_job){.run = turn_run, .done = turn_done, .ctx = s};
	s->wanted = false;
	s->turning = true;
	os_work(s->os, WORKER_WRITE, &t->os_job);
}
