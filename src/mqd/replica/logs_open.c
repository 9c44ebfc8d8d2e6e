/* Logs are opened, closed when nobody uses them, and deleted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/segment.h"
#include "mqd/replica/logs_impl.h"

/* --- opening, on WORKER_KEEP ----------------------------------------------------------- */

static bool
is_directory(struct os *os, const char *dir, bool *there, struct err *err)
{
	struct os_stat st;

	*there = os_stat_path(os, dir, &st) == 0;
	if (*there || errno == ENOENT)
		return true;
	err_sys(err, errno, "%s", dir);
	return false;
}

/* A directory that is not this topic's is kept, under another name. */
static int
put_stray_away(struct plog_impl *i, const struct uuid *id, const char *why, struct err *err)
{
	char gone[STORE_PATH_MAX];
	const struct plog *l = i->plog;

	if (partition_put_away(i->logs->os, i->logs->dir, l->topic, l->number, id, "stray", gone,
	        err) == -1)
		return -1;
	os_note(i->logs->os, OS_WARN, "%s: %s: kept as %s", i->dir, why, gone);
	return 0;
}

/* Is the directory this topic's? 1; 0: there is none, or none any more; -1. */
static int
find_directory(struct plog_impl *i, struct err *err)
{
	struct os *os = i->logs->os;
	struct uuid id;
	bool there;
	int ret;

	if (!is_directory(os, i->dir, &there, err))
		return -1;
	if (!there)
		return 0;
	ret = partition_id_read(os, i->dir, &id, err);
	if (ret == -1)
		return -1;
	if (ret == 1 && uuid_equal(&id, &i->plog->topic_id))
		return 1;
	if (ret == 1)
		return put_stray_away(i, &id, "another topic's", err);
	/* The id is durable before the first record: a log without one is nobody's. */
	ret = partition_has_log(os, i->dir, err);
	if (ret != 1)
		return ret;
	os_random(os, id.bytes, sizeof(id.bytes));
	return put_stray_away(i, &id, "a log without partition.metadata", err);
}

static int
make_directory(struct plog_impl *i, struct err *err)
{
	struct os *os = i->logs->os;

	if (partition_make_directory(os, i->logs->dir, i->dir, err) == -1) {
		/* The log directory itself is gone, which is no matter of this log alone. */
		if (err->code == ERR_NOT_FOUND)
			err->code = ERR_IO;
		return -1;
	}
	return partition_id_write(os, i->dir, &i->plog->topic_id, err);
}

static int
take_txnindex(void *ctx, const char *name)
{
	struct segment_name n;

	(void)ctx;
	return segment_name_parse(name, &n) == 0 && n.kind == SEGMENT_TXN;
}

/* What the writer must not take long for is done here: all segments listed, producers
 * known. */
static int
complete(struct plog_impl *i, bool first, struct err *err)
{
	struct mlog *log = &i->log;
	int aborts;

	if (first && mlog_whole(log, err) == -1)
		return -1;
	if (log->tail.producers && !log->producers_loaded && mlog_load_producers(log, err) == -1)
		return -1;
	if (!log->tail.producers && !log->producers_loaded) {
		producers_clear(&log->producers, mlog_end(log));
		log->producers_loaded = true;
	}
	i->unstable = producers_first_unstable(&log->producers);
	if (!first)
		return 0;
	aborts = os_list(log->os, i->dir, take_txnindex, NULL);
	if (aborts == -1)
		return err_sys(err, errno, "%s: list", i->dir);
	i->abort_seen = aborts == 1 || i->unstable != -1;
	i->size_known = mlog_bytes(log);
	return 0;
}

/* Of this boot, and no other writer came between. */
static bool
is_current(const struct logs *s, const struct tail_hint *h)
{
	return s->boot_id[0] != '\0' && strcmp(h->boot_id, s->boot_id) == 0 &&
	    (h->epoch == s->options.metadata_epoch || h->epoch == s->options.metadata_epoch_before);
}

/* The clock as the log's last writer saw it, on this boot, and not long before we came:
 * it may have jumped in between. */
static void
take_clock(struct plog_impl *i, const struct tail_hint *h)
{
	struct logs *s = i->logs;
	struct tail_clock c = h->clock;

	i->clock = i->opening.clock;
	if (i->opened_once || s->boot_id[0] == '\0' || strcmp(h->boot_id, s->boot_id) != 0)
		return;
	tail_clock_look(&c, s->os);
	if (c.doubt_ms > s->started_ms)
		c.doubt_ms = s->started_ms;
	if (c.doubt_ms != -1 && logs_mono_ms(s) - c.doubt_ms < TAIL_DOUBT_MS)
		i->clock = c;
}

static int
open_log(struct plog_impl *i, struct err *err)
{
	struct logs *s = i->logs;
	struct opening *o = &i->opening;
	struct mlog_open_args args = {.how = MLOG_RECOVER,
	    .recovery_point = o->recovery_point > 0 ? o->recovery_point : 0,
	    .start_offset = o->start_offset > 0 ? o->start_offset : 0};
	struct tail_hint h = {0};

	if (s->options.clean && !i->opened_once)
		args.how = MLOG_CLEAN;
	if (tail_read(&h, s->os, i->dir) == 0) {
		if (h.tail.synced_offset > args.recovery_point)
			args.recovery_point = h.tail.synced_offset;
		if (is_current(s, &h)) {
			args.how = MLOG_TRUST_TAIL;
			args.tail = &h.tail;
		}
	}
	if (mlog_open(&i->log, s->os, i->dir, &o->settings.log, &args, err) == -1)
		return -1;
	i->settings_used = o->settings;
	take_clock(i, &h);
	if (complete(i, !i->opened_once, err) == -1) {
		mlog_release(&i->log);
		return -1;
	}
	/* What is there counts from the first answer on: nobody is told an end that is
	 * below what was seen before. */
	if (i->log.tail.synced_offset < mlog_end(&i->log) && mlog_sync(&i->log, err) == -1) {
		mlog_release(&i->log);
		return -1;
	}
	keep_tail(i);
	plog_tell(i);
	i->told.exact = true;
	return 0;
}

static enum opened
try_open(struct plog_impl *i, struct err *err)
{
	struct opening *o = &i->opening;
	int there = find_directory(i, err);

	if (there == -1)
		return OPENED_FAILED;
	if (there == 0 && !o->create)
		return OPENED_ABSENT;
	if (there == 0 && o->listed)
		return OPENED_LISTED;
	if (there == 0 && make_directory(i, err) == -1)
		return OPENED_FAILED;
	return open_log(i, err) == -1 ? OPENED_FAILED : OPENED;
}

static void
open_run(struct os_job *j)
{
	struct plog_impl *i = j->ctx;

	i->opening.err.code = 0;
	i->opening.result = try_open(i, &i->opening.err);
}

/* --- opening, on the loop ---------------------------------------------------------------- */

static void
is_open(struct plog_impl *i)
{
	struct logs *s = i->logs;

	if (i->clock.doubt_ms != -1 && s->clock.doubt_ms == -1) {
		s->clock = i->clock;
		s->set_anew = true;
	}
	i->opened_once = true;
	i->absent = false;
	i->file_open = true;
	if (i->state != PLOG_GONE)
		i->state = PLOG_OPEN;
	TAILQ_INSERT_TAIL(&s->open, i, in_open);
	s->open_count++;
	i->used_ms = logs_mono_ms(s);
}

static void
has_failed(struct plog_impl *i, const struct err *err)
{
	struct logs *s = i->logs;

	if (logs_is_fatal(err))
		logs_fail(s, err);
	else
		os_note(s->os, OS_ERROR, "%s: cannot be opened: %s", i->dir, err->text);
	plog_fail_queue(i, err);
	read_wake(i, err);
}

static void
open_done(struct os_job *j)
{
	static const struct err well;
	struct plog_impl *i = j->ctx;
	struct logs *s = i->logs;
	struct opening *o = &i->opening;

	s->openings--;
	i->opening_now = false;
	if (i->state == PLOG_OPENING)
		i->state = PLOG_CLOSED;
	switch (o->result) {
	case OPENED:
		is_open(i);
		take_told(i);
		i->plog->loaded = true;
		s->set_anew = s->set_anew || i->set_anew;
		break;
	case OPENED_ABSENT:
		i->absent = i->plog->loaded = true;
		break;
	case OPENED_LISTED:
		keep_forget(s, i->plog);
		keep_write(s);
		break;
	case OPENED_FAILED:
		if (i->state != PLOG_GONE)
			has_failed(i, &o->err);
		break;
	}
	if (i->plog->loaded)
		read_wake(i, &well);
	plog_pump(i);
	close_surplus(s);
	logs_turn(s);
	if (i->plog->loaded)
		plog_moved(i);
	if (i->freed)
		plog_reap(s);
	stop_pump(s);
}

void
open_start(struct plog_impl *i, bool create)
{
	struct logs *s = i->logs;
	struct opening *o = &i->opening;

	/* A file that still speaks of a deleted topic, or its directory, must go first. */
	if (i->state != PLOG_CLOSED || gone_has(s, i->plog->topic, i->plog->number) || i->freed ||
	    s->failed)
		return;
	if (create && !keep_is_written(s)) {
		struct err err;

		keep_write(s);
		if (s->keep == NULL) {
			err_nomem(&err);
			has_failed(i, &err);
		}
		return;
	}
	i->state = PLOG_OPENING;
	i->opening_now = true;
	s->openings++;
	o->create = create;
	o->settings = i->plog->settings;
	o->clock = s->clock;
	i->set_anew = false;
	o->listed = keep_find(s, i->plog, &o->recovery_point, &o->start_offset);
	o->os_job = (struct os_job){.run = open_run, .done = open_done, .ctx = i};
	os_work(s->os, WORKER_KEEP, &o->os_job);
}

/* --- closing ------------------------------------------------------------------------------ */

static void
not_dirty(struct plog_impl *i)
{
	struct logs *s = i->logs;
	struct plog_impl **at = &s->dirty;

	if (!i->dirty)
		return;
	while (*at != i)
		at = &(*at)->next_dirty;
	*at = i->next_dirty;
	if (*at == NULL)
		s->dirty_tail = at;
	i->dirty = false;
}

void
close_run(struct plog_impl *i)
{
	struct err err;

	not_dirty(i);
	if (!i->discard && !i->log.failed && !i->logs->writer_failed) {
		if (mlog_sync(&i->log, &err) == -1) {
			if (i->log.failed)
				turn_fail(i->logs, &err);
		} else {
			keep_tail(i);
		}
	}
	i->told.synced = i->log.tail.synced_offset;
	mlog_release(&i->log);
}

bool
close_start(struct plog_impl *i)
{
	struct logs *s = i->logs;

	if (i->state != PLOG_OPEN && i->state != PLOG_GONE)
		return false;
	if (i->closing || !i->file_open || i->queue.head != NULL || i->with_writer > 0 ||
	    i->checking > 0 || i->compacting || !plog_is_quiet(i))
		return false;
	i->closing = true;
	i->discard = i->state == PLOG_GONE;
	i->with_writer++;
	items_put(&s->queue, &i->close_item);
	return true;
}

void
close_surplus(struct logs *s)
{
	struct plog_impl *i, *next;
	int64_t idle_since = logs_mono_ms(s) - LOGS_IDLE_MS;
	size_t many = s->open_count > s->options.open_max ? s->open_count - s->options.open_max : 0;

	if (s->turning || s->stopping)
		return;
	TAILQ_FOREACH_SAFE (i, &s->open, in_open, next) {
		if (many == 0 && i->used_ms > idle_since)
			break;
		if (i->plog->synced_offset == i->plog->end_offset && close_start(i) && many > 0)
			many--;
	}
}

/* --- deleting ------------------------------------------------------------------------------ */

bool
gone_has(const struct logs *s, const char *topic, int32_t number)
{
	const struct plog_impl *i;

	if (s->deletions == 0)
		return false;
	TAILQ_FOREACH (i, &s->all, in_all) {
		if (i->state == PLOG_GONE && i->plog->number == number &&
		    strcmp(i->plog->topic, topic) == 0)
			return true;
	}
	return false;
}

/* The directory is gone; so is the handle. Whoever waited for the name goes on. */
static void
gone_done(struct os_job *j)
{
	struct plog_impl *i = j->ctx, *o;
	struct logs *s = i->logs;

	if (i->opening.err.code != 0)
		os_note(s->os, OS_WARN, "%s: %s", i->dir, i->opening.err.text);
	if (i->opening.err.code != 0 && logs_is_fatal(&i->opening.err))
		logs_fail(s, &i->opening.err);
	s->deletions--;
	plog_drop(i);
	TAILQ_FOREACH (o, &s->all, in_all)
		if (o->state == PLOG_CLOSED && (o->queue.head != NULL || o->readers.head != NULL))
			plog_pump(o);
	logs_turn(s);
	stop_pump(s);
}

/* On WORKER_KEEP. Only under its own id: another topic's may have the name by now. */
static void
gone_run(struct os_job *j)
{
	struct plog_impl *i = j->ctx;
	struct logs *s = i->logs;
	char gone[STORE_PATH_MAX];
	struct err *err = &i->opening.err;
	struct uuid id;
	int ret = partition_id_read(s->os, i->dir, &id, err);

	if (ret == 1 && !uuid_equal(&id, &i->plog->topic_id))
		ret = 0;
	if (ret == 1)
		ret = partition_put_away(s->os, s->dir, i->plog->topic, i->plog->number, &id,
		    "delete", gone, err);
	if (ret == 1)
		ret = directory_remove(s->os, gone, err);
	if (ret != -1)
		err->code = 0;
}

/* No reader is left: the directory may go. */
static void
gone_unread(struct os_job *j)
{
	struct plog_impl *i = j->ctx;

	i->logs->reading--;
	keep_forget(i->logs, i->plog);
	keep_write(i->logs);
	i->gone_job = (struct os_job){.run = gone_run, .done = gone_done, .ctx = i};
	os_work(i->logs->os, WORKER_KEEP, &i->gone_job);
}

static void
gone_forget(struct os_job *j)
{
	struct plog_impl *i = j->ctx;

	readers_forget(i->logs, i->dir);
}

void
gone_pump(struct plog_impl *i)
{
	static const struct err gone = {.code = ERR_UNKNOWN_TOPIC_OR_PARTITION,
	    .text = "the topic was deleted"};
	struct logs *s = i->logs;

	plog_fail_queue(i, &gone);
	read_wake(i, &gone);
	if (i->going || i->opening_now || i->checking > 0 || i->with_writer > 0 || i->reading > 0 ||
	    i->trimming > 0 || i->compacting)
		return;
	if (i->file_open) {
		(void)close_start(i);
		return;
	}
	i->going = true;
	hot_drop(i);
	s->reading++;
	i->gone_job = (struct os_job){.run = gone_forget, .done = gone_unread, .ctx = i};
	os_work(s->os, WORKER_READ, &i->gone_job);
}

void
plog_delete(struct plog *l)
{
	struct plog_impl *i = l->impl;
	struct logs *s = i->logs;

	i->state = PLOG_GONE;
	compact_ask_stop(i);
	s->deletions++;
	gone_pump(i);
	logs_turn(s);
}
