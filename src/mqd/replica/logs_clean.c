/* Taking away from a log: its start moved up, what retention allows. */
#include "mqd/replica/logs_impl.h"

/* A deleted file's room is free when nobody has it open. */
void
plog_forget_gone(struct plog_impl *i)
{
	if (i->ring != NULL && i->ring->segment_base < i->plog->start_offset)
		ring_free(i);
	if (i->hot != NULL && i->hot->base < i->plog->start_offset)
		hot_drop(i);
}

/* --- the start --------------------------------------------------------------------------- */

static void
trim_finish(struct plog_trim *t)
{
	struct plog_impl *i = t->job.item.log->impl;

	i->trimming--;
	t->start_offset = i->plog->start_offset;
	t->done(t);
	if (i->state == PLOG_GONE)
		plog_pump(i);
}

static int
trim_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct plog_trim *t = j->ctx;

	return mlog_set_start(log, t->offset, err);
}

static void
trim_done(struct plog_job *j)
{
	struct plog_trim *t = j->ctx;

	t->err = j->err;
	plog_forget_gone(j->item.log->impl);
	trim_finish(t);
}

void
trims_pump(struct logs *s, const struct err *err)
{
	struct plog_trim *t, *next;

	if (s->failed)
		err = &s->why;
	if (err->code == 0 && !keep_is_written(s))
		return;
	t = s->trims;
	s->trims = NULL;
	for (; t != NULL; t = next) {
		struct plog *l = t->job.item.log;

		next = t->next;
		if (err->code != 0) {
			t->err = *err;
			trim_finish(t);
			continue;
		}
		t->job = (struct plog_job){.run = trim_run, .done = trim_done, .ctx = t};
		plog_run(l, &t->job);
	}
}

/* The log is loaded. The new start is durable before anything goes, so that it is
 * never below what it was. */
static void
trim_loaded(struct plog_job *j)
{
	struct plog_trim *t = j->ctx;
	struct plog *l = j->item.log;
	struct logs *s = l->impl->logs;

	t->err = j->err;
	if (t->err.code == 0 && t->offset > l->end_offset)
		err_set(&t->err, ERR_OFFSET_OUT_OF_RANGE, "%s-%d: offset %lld is not in %lld..%lld",
		    l->topic, l->number, (long long)t->offset, (long long)l->start_offset,
		    (long long)l->end_offset);
	if (t->err.code != 0 || t->offset <= l->start_offset ||
	    checkpoint_set(&s->starts, l->topic, l->number, t->offset, &t->err) == -1) {
		trim_finish(t);
		return;
	}
	s->starts_changed = true;
	t->next = s->trims;
	s->trims = t;
	keep_write(s);
	if (s->keep == NULL) {
		struct err why = s->why;

		if (!s->failed)
			err_nomem(&why);
		trims_pump(s, &why);
	}
}

void
plog_trim(struct plog *l, struct plog_trim *t)
{
	t->err.code = 0;
	t->job = (struct plog_job){.done = trim_loaded, .ctx = t};
	l->impl->trimming++;
	plog_load(l, &t->job);
}

/* --- retention ----------------------------------------------------------------------------- */

static int
retain_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct plog_retain *r = j->ctx;
	const struct plog_impl *i = j->item.log->impl;
	struct tail_clock clock = i->clock;
	int64_t now_ms = os_wall_ms(log->os);

	/* A clock that has jumped makes nothing old until it has stayed so for a while; it
	 * may have done so just now. */
	tail_clock_look(&clock, log->os);
	if (clock.doubt_ms != -1 && log->config.retention_ms >= 0) {
		os_note(log->os, OS_WARN,
		    "%s: the clock has jumped: nothing is deleted by its age for an hour", i->dir);
		now_ms = -1;
	}
	return mlog_retain(log, now_ms, r->limit_offset, &r->gone, err);
}

static void
retain_done(struct plog_job *j)
{
	struct plog_retain *r = j->ctx;

	r->err = j->err;
	plog_forget_gone(j->item.log->impl);
	r->done(r);
}

void
plog_retain(struct plog *l, struct plog_retain *r)
{
	r->gone = (struct mlog_retained){0};
	r->job = (struct plog_job){.run = retain_run, .done = retain_done, .look = true, .ctx = r};
	plog_run(l, &r->job);
}
