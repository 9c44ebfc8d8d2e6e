/* The partitions' logs: their life, their queues, and what happens when the disk fails. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/replica/logs_impl.h"

/* --- completions ----------------------------------------------------------------- */

void
item_done(struct plog_item *it)
{
	switch ((enum item_kind)it->kind) {
	case ITEM_APPEND: {
		struct plog_append *a = append_of(it);
		check_release(a);
		a->done(a);
		return;
	}
	case ITEM_JOB:
	case ITEM_LOAD:
		job_of(it)->done(job_of(it));
		return;
	case ITEM_READ: {
		struct plog_read *r = (struct plog_read *)(void *)it;
		r->done(r);
		return;
	}
	case ITEM_FIND: {
		struct plog_find *f = (struct plog_find *)(void *)it;
		f->done(f);
		return;
	}
	case ITEM_TICK:
	case ITEM_CLOSE:
		return;
	}
}

static void
item_set(struct plog_item *it, const struct err *err)
{
	switch ((enum item_kind)it->kind) {
	case ITEM_APPEND:
		append_of(it)->code = logs_code(err);
		append_of(it)->err = *err;
		return;
	case ITEM_JOB:
	case ITEM_LOAD:
		job_of(it)->err = *err;
		return;
	case ITEM_READ:
		((struct plog_read *)(void *)it)->code = logs_code(err);
		((struct plog_read *)(void *)it)->err = *err;
		return;
	case ITEM_FIND:
		((struct plog_find *)(void *)it)->code = logs_code(err);
		((struct plog_find *)(void *)it)->err = *err;
		return;
	case ITEM_TICK:
	case ITEM_CLOSE:
		return;
	}
}

void
logs_soon(struct logs *s, struct plog_item *it, const struct err *err)
{
	item_set(it, err);
	items_put(&s->soon, it);
	os_timer_start(s->os, &s->soon_timer, 0);
}

/* Frees the handles that were let go of and have nothing under way. */
static void
reap(struct logs *s)
{
	struct plog_impl *i, *next;

	TAILQ_FOREACH_SAFE (i, &s->all, in_all, next) {
		if (i->freed && i->state == PLOG_CLOSED)
			plog_drop(i);
	}
	s->reaping = false;
}

void
plog_reap(struct logs *s)
{
	s->reaping = true;
	os_timer_start(s->os, &s->soon_timer, 0);
}

static void
soon_fire(struct os_timer *t)
{
	struct logs *s = t->ctx;
	struct items now;
	struct plog_item *it;

	items_init(&now);
	items_move(&now, &s->soon);
	while ((it = items_take(&now)) != NULL)
		item_done(it);
	if (s->reaping)
		reap(s);
	logs_turn(s);
	stop_pump(s);
}

int
logs_code(const struct err *err)
{
	if (err->code >= 0)
		return err->code;
	switch (err->code) {
	case ERR_IO:
	case ERR_NO_SPACE:
	case ERR_NOT_FOUND:
	case ERR_CORRUPT:
		return ERR_KAFKA_STORAGE_ERROR;
	default:
		return ERR_UNKNOWN_SERVER_ERROR;
	}
}

/* --- failing ---------------------------------------------------------------------- */

bool
logs_is_fatal(const struct err *err)
{
	return err->code == ERR_IO && err->sys_errno != EMFILE && err->sys_errno != ENFILE;
}

void
plog_fail_queue(struct plog_impl *i, const struct err *err)
{
	struct items left;
	struct plog_item *it;

	items_init(&left);
	while ((it = items_take(&i->queue)) != NULL) {
		/* What WORKER_CHECK has comes back by itself. */
		if (it->kind == ITEM_APPEND && append_of(it)->check.running)
			items_put(&left, it);
		else
			logs_soon(i->logs, it, err);
	}
	items_move(&i->queue, &left);
}

void
logs_fail(struct logs *s, const struct err *err)
{
	struct plog_impl *i;

	if (s->failed)
		return;
	s->failed = true;
	s->why = *err;
	TAILQ_FOREACH (i, &s->all, in_all)
		i->plog->failed = true;
	TAILQ_FOREACH (i, &s->all, in_all)
		compact_ask_stop(i);
	TAILQ_FOREACH (i, &s->all, in_all)
		if (i->state != PLOG_GONE)
			plog_fail_queue(i, &s->why);
	/* No handle vanishes meanwhile: they are freed by a timer. */
	TAILQ_FOREACH (i, &s->all, in_all)
		plog_moved(i);
	if (s->options.failed != NULL)
		s->options.failed(s->options.ctx, &s->why);
}

/* --- handles ---------------------------------------------------------------------- */

void
plog_moved(struct plog_impl *i)
{
	if (!i->freed && i->state != PLOG_GONE && i->plog->moved != NULL)
		i->plog->moved(i->plog);
}

struct plog *
plog_new(struct logs *s, const char *topic, int32_t number, const struct uuid *topic_id,
    const struct plog_settings *settings)
{
	struct plog *l = calloc(1, sizeof(*l));
	struct plog_impl *i = calloc(1, sizeof(*i));
	size_t size = strlen(s->dir) + strlen(topic) + 16;
	char *name = strdup(topic), *dir = malloc(size);

	if (l == NULL || i == NULL || name == NULL || dir == NULL) {
		free(l);
		free(i);
		free(name);
		free(dir);
		return NULL;
	}
	snprintf(dir, size, "%s/%s-%d", s->dir, topic, number);
	*l = (struct plog){.unstable_offset = -1, .failed = s->failed, .topic = name,
	    .number = number, .topic_id = *topic_id, .settings = *settings, .impl = i};
	i->logs = s;
	i->plog = l;
	i->dir = dir;
	i->unstable = i->unstable_written = i->unstable_synced = -1;
	i->settings_used = *settings;
	i->close_item = (struct plog_item){.log = l, .kind = ITEM_CLOSE};
	i->tick_item = (struct plog_item){.log = l, .kind = ITEM_TICK};
	i->ticked_end = -1;
	items_init(&i->queue);
	items_init(&i->readers);
	TAILQ_INSERT_TAIL(&s->all, i, in_all);
	return l;
}

/* Frees one that has no file open and nothing under way. */
void
plog_drop(struct plog_impl *i)
{
	TAILQ_REMOVE(&i->logs->all, i, in_all);
	ring_free(i);
	free(i->dir);
	free((char *)(uintptr_t)i->plog->topic);
	free(i->plog);
	free(i);
}

static bool
is_busy(const struct plog_impl *i)
{
	return i->queue.head != NULL || i->readers.head != NULL || i->with_writer > 0 ||
	    i->reading > 0 || i->trimming > 0 || i->compacting;
}

void
plog_free(struct plog *l)
{
	struct plog_impl *i = l->impl;
	struct logs *s = i->logs;

	assert(!is_busy(i) && !i->freed && i->state != PLOG_GONE);
	i->freed = true;
	plog_reap(s);
	if (i->state != PLOG_CLOSED)
		(void)close_start(i);
}

void
plog_set(struct plog *l, const struct plog_settings *settings)
{
	struct plog_impl *i = l->impl;

	l->settings = *settings;
	i->set_anew = true;
	i->logs->set_anew = true;
	i->logs->wanted = true; /* a sync may be due by now */
	logs_turn(i->logs);
}

void
plog_used(struct plog_impl *i)
{
	struct logs *s = i->logs;

	i->used_ms = logs_mono_ms(s);
	if (i->state == PLOG_OPEN) {
		TAILQ_REMOVE(&s->open, i, in_open);
		TAILQ_INSERT_TAIL(&s->open, i, in_open);
	}
}

/* --- queues ------------------------------------------------------------------------ */

/* May the first item of the queue go to the writer now? */
static bool
may_go(const struct plog_impl *i, struct plog_item *it)
{
	if (it->kind == ITEM_APPEND)
		return !append_of(it)->check.running;
	if (it->kind == ITEM_JOB && job_of(it)->alone)
		return plog_is_quiet(i);
	return true;
}

/* Does the item make a log where there is none? */
static bool
makes(struct plog_item *it)
{
	return it->kind == ITEM_APPEND || (it->kind == ITEM_JOB && !job_of(it)->look);
}

/* Has the item been waiting only to be told something? */
static bool
is_settled(struct plog_impl *i, struct plog_item *it)
{
	static const struct err well;

	if (!i->plog->loaded || makes(it) || (it->kind == ITEM_JOB && !i->absent))
		return false;
	(void)items_take(&i->queue);
	logs_soon(i->logs, it, &well);
	return true;
}

void
plog_pump(struct plog_impl *i)
{
	struct logs *s = i->logs;
	struct plog_item *it;

	if (i->state == PLOG_GONE) {
		gone_pump(i);
		return;
	}
	while ((it = i->queue.head) != NULL) {
		if (is_settled(i, it))
			continue;
		if (s->failed) {
			plog_fail_queue(i, &s->why);
			break;
		}
		if (i->state == PLOG_CLOSED && may_go(i, it))
			open_start(i, makes(it));
		if (i->state != PLOG_OPEN || i->closing || !may_go(i, it))
			break;
		(void)items_take(&i->queue);
		i->with_writer++;
		items_put(&s->queue, it);
	}
	if (i->readers.head != NULL && i->state == PLOG_CLOSED && !i->plog->loaded && !s->failed)
		open_start(i, false);
	if (i->freed && i->state == PLOG_OPEN)
		(void)close_start(i);
}

bool
plog_is_quiet(const struct plog_impl *i)
{
	/* Of a turn that is under way a sync may come that must be waited for. */
	if (!i->lent && (!i->logs->turning || !i->file_open))
		return true;
	i->logs->scan = true;
	return false;
}

static void
enqueue(struct plog *l, struct plog_item *it, enum item_kind kind)
{
	it->log = l;
	it->kind = kind;
	items_put(&l->impl->queue, it);
	plog_used(l->impl);
	plog_pump(l->impl);
	logs_turn(l->impl->logs);
}

void
plog_run(struct plog *l, struct plog_job *j)
{
	j->err.code = 0;
	enqueue(l, &j->item, ITEM_JOB);
}

void
plog_load(struct plog *l, struct plog_job *j)
{
	j->err.code = 0;
	enqueue(l, &j->item, ITEM_LOAD);
}

void
plog_append(struct plog *l, struct plog_append *a)
{
	static const struct err stopping = {.code = ERR_NOT_LEADER_OR_FOLLOWER,
	    .text = "the broker stops"};

	a->item.log = l;
	a->item.kind = ITEM_APPEND;
	a->code = 0;
	a->err.code = 0;
	a->duplicate = false;
	a->base_offset = a->last_offset = a->append_time = a->written_at = -1;
	a->bad_record = -1;
	a->start_offset = l->start_offset;
	a->check = (struct plog_check){.settings = l->settings, .now_ms = os_wall_ms(l->impl->logs->os)};
	if (l->impl->logs->stopping) {
		logs_soon(l->impl->logs, &a->item, &stopping);
		return;
	}
	if (l->failed || !check_start(l->impl, a)) {
		enqueue(l, &a->item, ITEM_APPEND);
		return;
	}
	items_put(&l->impl->queue, &a->item);
	plog_used(l->impl);
	if (l->impl->state == PLOG_CLOSED)
		open_start(l->impl, true); /* meanwhile */
}

/* --- the whole --------------------------------------------------------------------- */

static void
due_fire(struct os_timer *t)
{
	struct logs *s = t->ctx;

	s->wanted = true;
	logs_turn(s);
}

static void
init(struct logs *s, struct os *os, const struct logs_options *o)
{
	s->os = os;
	s->options = *o;
	if (s->options.checkpoint_ms <= 0)
		s->options.checkpoint_ms = LOGS_CHECKPOINT_MS;
	if (s->options.producer_expire_ms <= 0)
		s->options.producer_expire_ms = LOGS_PRODUCER_EXPIRE_MS;
	if (s->options.open_max == 0)
		s->options.open_max = LOGS_OPEN_MAX;
	if (os_boot_id(os, s->boot_id) == -1)
		s->boot_id[0] = '\0';
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->open);
	items_init(&s->queue);
	items_init(&s->turn.items);
	items_init(&s->soon);
	s->dirty_tail = &s->dirty;
	s->due = (struct os_timer){.fire = due_fire, .ctx = s};
	s->soon_timer = (struct os_timer){.fire = soon_fire, .ctx = s};
	s->tick = (struct os_timer){.fire = keep_tick, .ctx = s};
	s->clock = (struct tail_clock){-1, -1};
	tail_clock_look(&s->clock, os);
	s->started_ms = logs_mono_ms(s);
}

struct logs *
logs_new(struct os *os, const struct logs_options *o, struct err *err)
{
	struct logs *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->dir = strdup(o->dir)) == NULL) {
		free(s);
		err_nomem(err);
		return NULL;
	}
	init(s, os, o);
	if (keep_load(s, err) == -1) {
		logs_free(s);
		return NULL;
	}
	os_timer_start(os, &s->tick, s->options.checkpoint_ms);
	sweep_start(s);
	return s;
}

void
logs_free(struct logs *s)
{
	struct plog_impl *i, *next;

	if (s == NULL)
		return;
	os_timer_stop(s->os, &s->due);
	os_timer_stop(s->os, &s->soon_timer);
	os_timer_stop(s->os, &s->tick);
	TAILQ_FOREACH_SAFE (i, &s->all, in_all, next) {
		if (i->compaction != NULL)
			(void)compaction_end(i->compaction, NULL);
		if (i->log.dir != NULL)
			mlog_release(&i->log);
		plog_drop(i);
	}
	hots_free(s);
	readers_forget(s, NULL);
	keep_release(s);
	sweep_release(s);
	free(s->dir);
	free(s);
}
