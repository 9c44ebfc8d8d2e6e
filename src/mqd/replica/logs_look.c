/* What can be seen of a log that is not open: on WORKER_KEEP, by names and sizes. */
#include "mqd/replica/logs_impl.h"

static int
look(struct plog_look *k, struct err *err)
{
	struct plog_impl *i = k->item.log->impl;
	struct os *os = i->logs->os;

	if (mlog_look_oldest(os, i->dir, &k->oldest, err) == -1)
		return -1;
	if (!k->compaction)
		return 0;
	return compact_look(os, i->dir, &k->config, &k->args, k->start_offset, k->end_offset,
	    &k->state, err);
}

static void
look_run(struct os_job *j)
{
	struct plog_look *k = j->ctx;

	if (look(k, &k->err) == -1)
		return;
	k->err.code = 0;
	k->due = k->compaction && compact_is_due(&k->config, &k->state, k->args.now_ms);
}

static void
look_done(struct os_job *j)
{
	struct plog_look *k = j->ctx;
	struct plog_impl *i = k->item.log->impl;
	struct logs *s = i->logs;

	i->reading--;
	s->reading--;
	k->done(k);
	if (i->state == PLOG_GONE)
		plog_pump(i);
	logs_turn(s);
	stop_pump(s);
}

void
plog_look(struct plog *l, struct plog_look *k)
{
	struct plog_impl *i = l->impl;
	struct logs *s = i->logs;
	int64_t recovery_point, start = l->start_offset, end = INT64_MAX;

	if (l->loaded)
		end = l->end_offset;
	else
		(void)keep_find(s, l, &recovery_point, &start);
	k->item = (struct plog_item){.log = l};
	k->config = l->settings.log;
	k->start_offset = start;
	k->end_offset = end;
	k->due = false;
	k->oldest = (struct mlog_oldest){.newest_ms = -1, .next_base = -1};
	k->args = (struct compact_args){.limit_offset = k->limit_offset,
	    .first_dirty_offset = checkpoint_get(&s->cleaner, l->topic, l->number),
	    .now_ms = os_wall_ms(s->os)};
	i->reading++;
	s->reading++;
	k->os_job = (struct os_job){.run = look_run, .done = look_done, .ctx = k};
	os_work(s->os, WORKER_KEEP, &k->os_job);
}

bool
logs_clock_is_sound(struct logs *s)
{
	tail_clock_look(&s->clock, s->os);
	s->set_anew = true;
	return s->clock.doubt_ms == -1;
}
