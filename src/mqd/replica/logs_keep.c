/* What is kept about the logs beside them: checkpoint files and hints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/replica/logs_impl.h"

/* --- the files ----------------------------------------------------------------------- */

/* Which of them, and whether what is said on the loop differs from them. */
struct keep_file {
	const char *name;
	struct checkpoint *said;
	bool *changed;
};

#define KEEP_FILES 4

static void
files_of(struct logs *s, struct keep_file files[KEEP_FILES])
{
	files[0] = (struct keep_file){RECOVERY_POINTS, &s->recovery, &s->recovery_changed};
	files[1] = (struct keep_file){LOG_STARTS, &s->starts, &s->starts_changed};
	files[2] = (struct keep_file){CLEANER_POINTS, &s->cleaner, &s->cleaner_changed};
	files[3] = (struct keep_file){HIGH_WATERMARKS, &s->watermarks, &s->watermarks_changed};
}

/* Texts on their way to the disk. */
struct keep {
	struct logs *logs;
	struct os_job os_job;
	struct buf texts[KEEP_FILES];
	bool write[KEEP_FILES];
	struct err err;
};

static int
keep_path(const struct logs *s, char path[STORE_PATH_MAX], const char *name, struct err *err)
{
	if (snprintf(path, STORE_PATH_MAX, "%s/%s", s->dir, name) < STORE_PATH_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "%s: the path is too long", s->dir);
}

static int
load(struct logs *s, struct checkpoint *c, const char *name, struct err *err)
{
	char path[STORE_PATH_MAX];

	checkpoint_init(c);
	if (keep_path(s, path, name, err) == -1)
		return -1;
	return checkpoint_load(c, s->os, path, err);
}

int
keep_load(struct logs *s, struct err *err)
{
	struct keep_file files[KEEP_FILES];

	files_of(s, files);
	for (int n = 0; n < KEEP_FILES; n++)
		if (load(s, files[n].said, files[n].name, err) == -1)
			return -1;
	return 0;
}

static void
keep_free(struct keep *k)
{
	for (int n = 0; k != NULL && n < KEEP_FILES; n++)
		buf_release(&k->texts[n]);
	free(k);
}

void
keep_release(struct logs *s)
{
	struct keep_file files[KEEP_FILES];

	files_of(s, files);
	for (int n = 0; n < KEEP_FILES; n++)
		checkpoint_release(files[n].said);
	keep_free(s->keep);
	s->keep = NULL;
}

bool
keep_find(const struct logs *s, const struct plog *l, int64_t *recovery_point,
    int64_t *start_offset)
{
	*recovery_point = checkpoint_get(&s->recovery, l->topic, l->number);
	*start_offset = checkpoint_get(&s->starts, l->topic, l->number);
	return *recovery_point != -1 || *start_offset != -1 ||
	    checkpoint_get(&s->cleaner, l->topic, l->number) != -1 ||
	    checkpoint_get(&s->watermarks, l->topic, l->number) != -1;
}

void
keep_forget(struct logs *s, const struct plog *l)
{
	struct keep_file files[KEEP_FILES];

	files_of(s, files);
	for (int n = 0; n < KEEP_FILES; n++) {
		if (checkpoint_get(files[n].said, l->topic, l->number) == -1)
			continue;
		checkpoint_del(files[n].said, l->topic, l->number);
		*files[n].changed = true;
	}
}

bool
keep_is_written(const struct logs *s)
{
	return s->keep == NULL && !s->recovery_changed && !s->starts_changed &&
	    !s->cleaner_changed && !s->watermarks_changed;
}

static void
keep_run(struct os_job *j)
{
	static const char *const names[KEEP_FILES] = {
	    RECOVERY_POINTS, LOG_STARTS, CLEANER_POINTS, HIGH_WATERMARKS};
	struct keep *k = j->ctx;
	char path[STORE_PATH_MAX];

	k->err.code = 0;
	for (int n = 0; n < KEEP_FILES; n++) {
		if (!k->write[n])
			continue;
		if (keep_path(k->logs, path, names[n], &k->err) == -1 ||
		    os_replace_file(k->logs->os, path, k->texts[n].data, k->texts[n].len,
		        &k->err) == -1)
			return;
		k->err.code = 0;
		k->write[n] = false;
	}
}

/* Those that wait for the files to say no more of an older topic. */
static void
wake_waiting(struct logs *s, const struct err *err)
{
	struct plog_impl *i;

	TAILQ_FOREACH (i, &s->all, in_all) {
		if (i->state != PLOG_CLOSED || (i->queue.head == NULL && i->readers.head == NULL))
			continue;
		if (err->code != 0) {
			plog_fail_queue(i, err);
			read_wake(i, err);
		} else {
			plog_pump(i);
		}
	}
}

static void
keep_failed(struct logs *s, const struct err *err)
{
	/* Not found: the directory itself is gone. */
	if (logs_is_fatal(err) || err->code == ERR_NOT_FOUND)
		logs_fail(s, err);
	else
		os_note(s->os, OS_WARN, "%s: checkpoints: %s", s->dir, err->text);
	wake_waiting(s, err);
}

static void
keep_done(struct os_job *j)
{
	struct keep *k = j->ctx;
	struct logs *s = k->logs;
	struct keep_file files[KEEP_FILES];
	struct err err = k->err;

	files_of(s, files);
	for (int n = 0; n < KEEP_FILES; n++)
		*files[n].changed = *files[n].changed || k->write[n];
	keep_free(k);
	s->keep = NULL;
	if (err.code == 0 && !keep_is_written(s)) {
		keep_write(s);
		if (s->keep == NULL)
			err_nomem(&err);
	}
	if (err.code != 0)
		keep_failed(s, &err);
	else if (s->keep == NULL)
		wake_waiting(s, &err);
	trims_pump(s, &err);
	logs_turn(s);
	stop_pump(s);
}

void
keep_write(struct logs *s)
{
	struct keep_file files[KEEP_FILES];
	struct keep *k;
	struct err err;

	if (s->keep != NULL || keep_is_written(s) || s->failed)
		return;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return; /* the next time */
	files_of(s, files);
	for (int n = 0; n < KEEP_FILES; n++) {
		if (!*files[n].changed)
			continue;
		if (checkpoint_format(files[n].said, &k->texts[n], &err) == -1) {
			keep_free(k);
			return;
		}
		k->write[n] = true;
	}
	for (int n = 0; n < KEEP_FILES; n++)
		*files[n].changed = false;
	k->logs = s;
	s->keep = k;
	k->os_job = (struct os_job){.run = keep_run, .done = keep_done, .ctx = k};
	os_work(s->os, WORKER_KEEP, &k->os_job);
}

/* --- now and then ----------------------------------------------------------------------- */

void
keep_tail(struct plog_impl *i)
{
	struct logs *s = i->logs;
	struct tail_hint h = {
	    .epoch = s->options.metadata_epoch, .clock = i->clock, .tail = i->log.tail,
	    .first_base = mlog_first_base(&i->log)};

	if (s->boot_id[0] == '\0' || i->log.failed)
		return;
	memcpy(h.boot_id, s->boot_id, sizeof(h.boot_id));
	/* A hint: where it cannot be written, the next one looks. */
	(void)tail_write(&h, s->os, i->dir);
}

void
tick_run(struct plog_impl *i)
{
	struct logs *s = i->logs;
	int64_t now_ms = logs_mono_ms(s);

	if (i->log.producers_loaded && now_ms - i->expired_ms >= LOGS_EXPIRE_MS) {
		producers_expire(&i->log.producers,
		    os_wall_ms(s->os) - s->options.producer_expire_ms, i->expire_below);
		i->expired_ms = now_ms;
		i->expire_below = mlog_end(&i->log);
	}
	keep_tail(i);
}

/* All below is durable, whatever happens. */
static void
note_point(struct plog_impl *i)
{
	struct logs *s = i->logs;
	struct plog *l = i->plog;
	struct err ignored;

	if (!l->loaded || i->absent || i->freed || i->state == PLOG_GONE ||
	    l->synced_offset == checkpoint_get(&s->recovery, l->topic, l->number))
		return;
	if (checkpoint_set(&s->recovery, l->topic, l->number, l->synced_offset, &ignored) == 0)
		s->recovery_changed = true;
}

static void
note_points(struct logs *s)
{
	struct plog_impl *i;

	TAILQ_FOREACH (i, &s->all, in_all)
		note_point(i);
	keep_write(s);
}

void
keep_tick(struct os_timer *t)
{
	struct logs *s = t->ctx;
	struct plog_impl *i;

	tail_clock_look(&s->clock, s->os);
	os_timer_start(s->os, &s->tick, s->options.checkpoint_ms);
	if (s->failed)
		return;
	note_points(s);
	s->set_anew = true; /* the clock */
	TAILQ_FOREACH (i, &s->open, in_open) {
		if (i->state != PLOG_OPEN || i->closing || i->ticking ||
		    i->ticked_end == i->plog->end_offset)
			continue;
		i->ticked_end = i->plog->end_offset;
		i->ticking = true;
		i->with_writer++;
		items_put(&s->queue, &i->tick_item);
	}
	close_surplus(s);
	logs_turn(s);
}

/* --- the clean stop ------------------------------------------------------------------------ */

static bool
is_busy(const struct logs *s)
{
	return s->turning || s->queue.head != NULL || s->sync_state != SYNC_NONE ||
	    s->soon.head != NULL || s->openings > 0 || s->deletions > 0 || s->checking > 0 ||
	    s->compactions > 0 ||
	    s->reading > 0 || s->keep != NULL || s->trims != NULL || s->sweep != NULL;
}

/* Asks the writer to sync all there is. True: it is. */
static bool
stop_sync(struct logs *s)
{
	if (s->failed || s->dirty == NULL)
		return true;
	/* What could not be begun is tried again by a timer. */
	if (!s->stop_asked) {
		s->stop_asked = true;
		s->wanted = true;
		logs_turn(s);
	}
	return false;
}

static bool
stop_close(struct logs *s)
{
	struct plog_impl *i;

	if (TAILQ_EMPTY(&s->open))
		return true;
	TAILQ_FOREACH (i, &s->open, in_open)
		(void)close_start(i);
	logs_turn(s);
	return false;
}

/* On WORKER_READ; nothing else is under way, so all may be looked at. */
static void
stop_run(struct os_job *j)
{
	struct logs *s = j->ctx;
	struct plog_impl *i;
	struct os_stat st;

	readers_forget(s, NULL);
	if (s->options.clean)
		return;
	TAILQ_FOREACH (i, &s->all, in_all)
		s->unlooked += !i->opened_once && i->state != PLOG_GONE &&
		    (os_stat_path(s->os, i->dir, &st) == 0 || errno != ENOENT);
}

size_t
logs_unlooked(const struct logs *s)
{
	return s->unlooked;
}

static void
stop_done(struct os_job *j)
{
	struct logs *s = j->ctx;
	void (*stopped)(void *ctx, const struct err *err) = s->stopped;
	struct err err;

	s->stopped = NULL;
	if (!s->failed && !keep_is_written(s)) {
		err_set(&err, ERR_IO, "%s: not all checkpoint files could be written", s->dir);
		stopped(s->stopped_ctx, &err);
		return;
	}
	stopped(s->stopped_ctx, s->failed ? &s->why : NULL);
}

void
stop_pump(struct logs *s)
{
	if (!s->stopping || is_busy(s))
		return;
	switch (s->stop_step) {
	case STOP_SYNC:
		if (!stop_sync(s))
			return;
		s->stop_step = STOP_CLOSE;
		/* fallthrough */
	case STOP_CLOSE:
		if (!stop_close(s))
			return;
		s->stop_step = STOP_POINTS;
		note_points(s);
		if (s->keep != NULL)
			return;
		/* fallthrough */
	case STOP_POINTS:
		s->stop_step = STOP_READERS;
		s->stop_job = (struct os_job){.run = stop_run, .done = stop_done, .ctx = s};
		os_work(s->os, WORKER_READ, &s->stop_job);
		return;
	case STOP_READERS:
		return;
	}
}

void
logs_stop(struct logs *s, void (*done)(void *ctx, const struct err *err), void *ctx)
{
	struct plog_impl *i;

	s->stopping = true;
	TAILQ_FOREACH (i, &s->all, in_all)
		compact_ask_stop(i);
	s->stopped = done;
	s->stopped_ctx = ctx;
	os_timer_stop(s->os, &s->tick);
	stop_pump(s);
}
