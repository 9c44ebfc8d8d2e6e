/*
 * Compaction beside appends.
 *
 *	writer: begin (which segments) -> clean: copy a group -> writer: put it in place -+
 *	                                    ^                                             |
 *	                                    +---------------------------------------------+
 *
 * Until it ends the log stays open, and its directory.
 */
#include "mqd/replica/logs_impl.h"

/* Where there is a limit on its bytes: how long a step is to take, at least of how
 * many bytes. */
#define STEP_MS 100
#define STEP_BYTES_MIN (64 << 10)

/* --- on WORKER_CLEAN ------------------------------------------------------------------------ */

static bool
shall_stop(void *ctx)
{
	struct plog_impl *i = ctx;

	return atomic_load(&i->compact_stop);
}

static struct compaction *
compaction_of(const struct plog_compact *c)
{
	return c->job.item.log->impl->compaction;
}

/* 1: it is due; 0; -1. */
static int
is_due(struct plog_compact *c)
{
	struct compact_state state;

	if (c->always || c->ran)
		return 1;
	if (compaction_state(compaction_of(c), &state, &c->err) == -1)
		return -1;
	return compact_is_due(&c->config, &state, c->now_ms);
}

/* Half of what may be read and written, as what is read may be written too. */
static int64_t
step_bytes(const struct plog_compact *c)
{
	int64_t bytes = c->bytes_per_second / 2 * STEP_MS / 1000;

	if (c->bytes_per_second == 0)
		return COMPACT_ALL;
	return bytes < STEP_BYTES_MIN ? STEP_BYTES_MIN : bytes;
}

static void
copy_run(struct os_job *j)
{
	struct plog_compact *c = j->ctx;
	int r = c->over ? 0 : is_due(c);

	if (r == 1) {
		c->ran = true;
		r = compaction_step(compaction_of(c), step_bytes(c), &c->err);
	}
	c->more = r == COMPACT_MORE;
	c->swap = r == COMPACT_SWAP;
	if (c->more || c->swap)
		return;
	c->rests = !compaction_end(compaction_of(c), &c->result);
	c->job.item.log->impl->compaction = NULL;
	if (r != -1 && !c->over)
		c->err.code = 0;
}

/* --- on the writer ---------------------------------------------------------------------------- */

static int
begin_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct plog_compact *c = j->ctx;
	struct plog_impl *i = j->item.log->impl;
	struct compact_args args = {.first_dirty_offset = c->first_dirty_offset,
	    .limit_offset = c->limit_offset, .now_ms = c->now_ms, .memory_bytes = c->memory_bytes,
	    .producer_expire_ms = i->logs->options.producer_expire_ms, .expire = c->expire,
	    .stop = shall_stop, .ctx = i};

	c->config = log->config;
	i->compaction = compaction_begin(log, &args, err);
	return i->compaction == NULL ? -1 : 0;
}

static int
swap_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct plog_impl *i = j->item.log->impl;
	int r;

	/* Who opens the log by its hint after a kill in the middle must finish it. */
	log->tail.replacing = true;
	keep_tail(i);
	r = compaction_swap(i->compaction, log, err);
	keep_tail(i);
	return r;
}

/* What was replaced is removed. */
static int
settle_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct plog_compact *c = j->ctx;

	(void)err;
	log->tail.replacing = c->rests;
	keep_tail(j->item.log->impl);
	return 0;
}

/* --- on the loop -------------------------------------------------------------------------------- */

static void
finish(struct plog_compact *c)
{
	struct plog_impl *i = c->job.item.log->impl;
	struct logs *s = i->logs;
	struct plog *l = i->plog;
	struct err ignored;

	i->compacting = false;
	s->compactions--;
	if (c->err.code != 0 && logs_is_fatal(&c->err))
		logs_fail(s, &c->err);
	if (i->state != PLOG_GONE && c->result.segments_in > 0 &&
	    c->result.first_dirty_offset != checkpoint_get(&s->cleaner, l->topic, l->number) &&
	    checkpoint_set(&s->cleaner, l->topic, l->number, c->result.first_dirty_offset,
	        &ignored) == 0) {
		s->cleaner_changed = true;
		keep_write(s);
	}
	c->done(c);
	if (i->state == PLOG_GONE)
		plog_pump(i);
	logs_turn(s);
	stop_pump(s);
}

static void
settled(struct plog_job *j)
{
	finish(j->ctx);
}

static void swapped(struct plog_job *j);
static void pause(struct plog_compact *c);

static void
copied(struct os_job *j)
{
	struct plog_compact *c = j->ctx;
	struct plog *l = c->job.item.log;

	if (c->more) {
		pause(c);
		return;
	}
	if (!c->swap && !c->swapped) {
		finish(c);
		return;
	}
	c->swapped = true;
	c->job = (struct plog_job){.run = c->swap ? swap_run : settle_run,
	    .done = c->swap ? swapped : settled, .ctx = c};
	plog_run(l, &c->job);
}

static void
copy_on(struct plog_compact *c)
{
	struct os *os = c->job.item.log->impl->logs->os;

	c->stepped_ns = os_mono_ns(os);
	c->os_job = (struct os_job){.run = copy_run, .done = copied, .ctx = c};
	os_work(os, WORKER_CLEAN, &c->os_job);
}

static void
pause_fire(struct os_timer *t)
{
	struct plog_compact *c = t->ctx;

	c->job.item.log->impl->compact_paused = NULL;
	copy_on(c);
}

/* The next step begins when this one's bytes have had their time. */
static void
pause(struct plog_compact *c)
{
	struct plog_impl *i = c->job.item.log->impl;
	struct os *os = i->logs->os;
	int64_t ms;

	if (c->bytes_per_second == 0 || c->over || atomic_load(&i->compact_stop)) {
		copy_on(c);
		return;
	}
	ms = (int64_t)((double)step_bytes(c) * 2000 / (double)c->bytes_per_second) -
	    (os_mono_ns(os) - c->stepped_ns) / 1000000;
	i->compact_paused = c;
	c->pause = (struct os_timer){.fire = pause_fire, .ctx = c};
	os_timer_start(os, &c->pause, ms > 0 ? ms : 0);
}

/* After an error it only ends. That segments went meanwhile is none. */
static void
swapped(struct plog_job *j)
{
	struct plog_compact *c = j->ctx;

	c->over = j->err.code != 0;
	c->err = j->err;
	if (c->err.code == ERR_AGAIN)
		c->err.code = 0;
	pause(c);
}

static void
begun(struct plog_job *j)
{
	struct plog_compact *c = j->ctx;

	c->err = j->err;
	if (compaction_of(c) == NULL)
		finish(c);
	else
		copy_on(c);
}

void
plog_compact(struct plog *l, struct plog_compact *c)
{
	struct plog_impl *i = l->impl;
	struct logs *s = i->logs;

	c->err.code = 0;
	c->result = (struct compact_result){0};
	c->ran = c->over = c->more = c->swap = c->swapped = c->rests = false;
	c->now_ms = os_wall_ms(s->os);
	c->first_dirty_offset = checkpoint_get(&s->cleaner, l->topic, l->number);
	i->compacting = true;
	atomic_store(&i->compact_stop, s->stopping || s->failed);
	s->compactions++;
	c->job = (struct plog_job){.run = begin_run, .done = begun, .look = true, .ctx = c};
	plog_run(l, &c->job);
}

void
compact_ask_stop(struct plog_impl *i)
{
	if (!i->compacting)
		return;
	atomic_store(&i->compact_stop, true);
	if (i->compact_paused != NULL)
		os_timer_start(i->logs->os, &i->compact_paused->pause, 0);
}
