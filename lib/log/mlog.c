/* The life of a log: opened, caught up with, released. */
#include "log/mlog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/mlog_impl.h"

void
mlog_config_default(struct mlog_config *c)
{
	*c = (struct mlog_config){
	    .segment_bytes = 1 << 30,
	    .segment_ms = 604800000,
	    .segment_jitter_ms = 0,
	    .segment_index_bytes = 10 << 20,
	    .index_interval_bytes = 4096,
	    .retention_ms = 604800000,
	    .retention_bytes = -1,
	    .cleanup_delete = true,
	    .cleanup_compact = false,
	    .delete_retention_ms = 86400000,
	    .min_compaction_lag_ms = 0,
	    .max_compaction_lag_ms = INT64_MAX,
	    .min_cleanable_ratio = 0.5,
	    .max_message_bytes = 1048588,
	    .append_time = false,
	};
}

int
mlog_fail(struct mlog *log)
{
	log->failed = true;
	return -1;
}

int
mlog_fail_io(struct mlog *log, const struct err *err)
{
	if (err->code == ERR_IO && err->sys_errno != EMFILE && err->sys_errno != ENFILE)
		log->failed = true;
	return -1;
}

int
mlog_usable(const struct mlog *log, struct err *err)
{
	if (!log->failed)
		return 0;
	return err_set(err, ERR_IO, "%s: takes nothing more after a storage error",
	    segment_dir_name(log->dir));
}

int
mlog_begin(struct mlog *log, int64_t base, struct err *err)
{
	if (mlog_push_segment(log, base, err) == -1)
		return -1;
	if (segment_create(mlog_active(log), err) == -1) {
		mlog_drop_segment(log, log->segment_count - 1);
		return -1;
	}
	segment_begin_tail(&log->tail, base);
	return 0;
}

/* --- opening ------------------------------------------------------------------------ */

/* Do batches lead from the last indexed one to where the tail says that the log
 * ends? Their headers are enough. Appending elsewhere would overwrite records, or
 * give their offsets out again. */
static bool
tail_is_end(const struct segment *s, const struct mlog_tail *t)
{
	int64_t end = t->segment_base;
	struct err ignored;
	struct scan scan;
	struct batch b;
	int r;

	scan_init(&scan);
	scan_start(&scan, s->os, s->log_fd, t->indexed_position);
	scan.headers_only = true;
	scan.limit = t->size;
	while ((r = scan_next(&scan, &b, &ignored)) == 1 && b.base_offset >= end)
		end = batch_next_offset(&b);
	scan_release(&scan);
	return r == 0 && scan.position == t->size && end == t->end_offset;
}

/* Could any log have such a tail? */
static bool
tail_is_sane(const struct mlog_tail *t)
{
	return t->size >= 0 && t->segment_base >= 0 && t->end_offset >= t->segment_base &&
	    t->indexed_position >= 0 && t->indexed_position <= t->size &&
	    t->synced_offset <= t->end_offset;
}

/* Does its segment hold at least what the tail says, in batches that end there? */
static bool
holds_tail(struct segment *s, const struct mlog_tail *t)
{
	struct err ignored;

	if (segment_open_log(s, &ignored) == -1)
		return false;
	s->size = -1;
	return segment_stat(s, &ignored) == 0 && s->size >= t->size && tail_is_end(s, t);
}

/* Is the tail one that these files can have? */
static bool
tail_fits(struct mlog *log, const struct mlog_tail *t, size_t *at)
{
	if (log->segment_count == 0 || !tail_is_sane(t))
		return false;
	*at = mlog_segment_of(log, t->segment_base);
	if (log->segments[*at]->base != t->segment_base)
		return false;
	if (*at + 1 < log->segment_count && log->segments[*at + 1]->base < t->end_offset)
		return false;
	return holds_tail(log->segments[*at], t);
}

/* Has the log gone on in another segment? It bears the end's name. */
static bool
is_followed(const struct mlog *log, const struct mlog_tail *t)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;

	if (t->size == 0)
		return false; /* that is its own name */
	segment_path(path, log->dir, t->end_offset, segment_suffix(SEGMENT_LOG));
	return os_stat_path(log->os, path, &st) == 0 || errno != ENOENT;
}

/* Takes the active segment alone, where the tail says all of it: nobody was killed
 * since it was told, and nothing in front of it waits for a sync or a name. False:
 * it does not, and the segments in memory count for nothing. */
static bool
take_active(struct mlog *log, const struct mlog_tail *t)
{
	struct err ignored;

	while (log->segment_count > 0)
		mlog_drop_segment(log, log->segment_count - 1);
	if (t->replacing || !tail_is_sane(t) || t->synced_offset < t->segment_base ||
	    t->end_offset < log->start_offset ||
	    mlog_push_segment(log, t->segment_base, &ignored) == -1)
		return false;
	if (!holds_tail(mlog_active(log), t) || mlog_active(log)->size != t->size ||
	    is_followed(log, t))
		return false;
	log->tail = *t;
	log->partial = true;
	return true;
}

/* Of one that ends just where all is synced, the indexes may not be. */
void
mlog_mark_unsynced(struct mlog *log)
{
	for (size_t i = 0; i + 1 < log->segment_count; i++)
		log->segments[i]->unsynced = mlog_segment_end(log, i) >= log->tail.synced_offset;
}

/* Goes on from a tail that fits. */
static int
advance(struct mlog *log, const struct mlog_tail *t, size_t at, struct err *err)
{
	log->tail = *t;
	log->tail.replacing = false; /* that is done: the names were listed */
	if (at + 1 < log->segment_count || log->segments[at]->size > t->size) {
		if (mlog_verify(log, at, t->end_offset, err) == -1)
			return -1;
		if (epochs_write(&log->epochs, log->os, log->dir, err) == -1)
			return -1;
	}
	mlog_mark_unsynced(log);
	return 0;
}

/* The state behind the batch that index entry `e` points at; false if that is not
 * the batch it should be. */
static bool
tail_at_entry(struct segment *s, const struct oindex_entry *e, struct scan *scan,
    struct mlog_tail *t)
{
	struct tindex_entry newest;
	struct err ignored;
	struct batch b;

	scan_move(scan, e->position);
	if (scan_next(scan, &b, &ignored) != 1 || batch_last_offset(&b) != e->offset ||
	    tindex_lookup_offset(s->times, e->offset, &newest, &ignored) == -1)
		return false;
	t->indexed_position = e->position;
	t->size = e->position + b.size;
	t->end_offset = batch_next_offset(&b);
	t->max_timestamp = newest.timestamp;
	t->max_timestamp_offset = newest.timestamp >= 0 ? newest.offset : -1;
	return true;
}

int
mlog_tail_below(struct segment *s, int64_t offset, struct mlog_tail *t, struct err *err)
{
	struct oindex_entry e = {s->base, 0};
	struct scan scan;
	struct batch b;
	int r;

	segment_begin_tail(t, s->base);
	if (segment_open_log(s, err) == -1 || segment_open_indexes(s, err) == -1)
		return -1;
	scan_init(&scan);
	scan_start(&scan, s->os, s->log_fd, 0);
	r = scan_next(&scan, &b, err);
	if (r == 1 && offset > s->base &&
	    oindex_lookup(s->offsets, offset - 1, &e, err) == -1)
		r = -1;
	if (r == 1 && e.position > 0) {
		if (tail_at_entry(s, &e, &scan, t))
			t->first_timestamp = b.max_timestamp;
		else
			r = err_set(err, ERR_CORRUPT, "its entry for offset %lld is wrong",
			    (long long)e.offset);
	}
	scan_release(&scan);
	t->producers = r != 0;
	return r == -1 ? segment_err(s, SEGMENT_INDEX, err) : 0;
}

static int
open_segments(struct mlog *log, const struct mlog_open_args *args, struct err *err)
{
	const struct mlog_tail *tail = args->how == MLOG_TRUST_TAIL ? args->tail : NULL;
	struct mlog_tail clean;
	size_t at;

	if (tail != NULL && take_active(log, tail))
		return 0;
	if (mlog_load_segments(log, err) == -1)
		return -1;
	if (log->segment_count == 0)
		return mlog_begin(log, args->start_offset, err);
	if (tail != NULL && tail_fits(log, tail, &at))
		return advance(log, tail, at, err);
	/* A clean stop: only the end of the active segment is looked at. Anything odd
	 * about it, and it was none. */
	if (args->how == MLOG_CLEAN &&
	    mlog_tail_below(mlog_active(log), INT64_MAX, &clean, err) == 0) {
		log->tail = clean;
		if (mlog_verify(log, log->segment_count - 1, clean.end_offset, err) == -1)
			return -1;
		log->tail.synced_offset = log->tail.end_offset;
		return 0;
	}
	return mlog_recover(log, args->recovery_point, args->start_offset, err);
}

/* The start is what was deleted up to, but no record is below the first base;
 * a log that ends below its start begins anew there. */
static int
settle_start(struct mlog *log, int64_t start_offset, struct err *err)
{
	log->start_offset = log->partial ? 0 : log->segments[0]->base;
	if (start_offset > log->start_offset)
		log->start_offset = start_offset;
	if (log->tail.end_offset >= log->start_offset)
		return 0;
	os_note(log->os, OS_WARN, "%s: ends at offset %lld, below its start %lld: begun anew there",
	    segment_dir_name(log->dir), (long long)log->tail.end_offset,
	    (long long)log->start_offset);
	return mlog_restart_at(log, log->start_offset, err);
}

/* Epochs that cannot be read are made again from the batches. */
static int
load_epochs(struct mlog *log, struct err *err)
{
	if (epochs_read(&log->epochs, log->os, log->dir, err) == 0)
		return 0;
	if (err->code != ERR_CORRUPT)
		return -1;
	os_note(log->os, OS_WARN, "%s: made anew from the log", err->text);
	log->epochs.count = 0;
	log->epochs.dirty = true;
	return 0;
}

int
mlog_open(struct mlog *log, struct os *os, const char *dir, const struct mlog_config *config,
    const struct mlog_open_args *args, struct err *err)
{
	*log = (struct mlog){.os = os, .config = *config, .start_offset = args->start_offset};
	epochs_init(&log->epochs);
	producers_init(&log->producers);
	log->dir = strdup(dir);
	if (log->dir == NULL)
		return err_nomem(err);
	if (load_epochs(log, err) == -1 || open_segments(log, args, err) == -1 ||
	    settle_start(log, args->start_offset, err) == -1) {
		mlog_release(log);
		return -1;
	}
	return 0;
}

void
mlog_release(struct mlog *log)
{
	while (log->segment_count > 0)
		mlog_drop_segment(log, log->segment_count - 1);
	mlog_end_sync(log);
	free(log->segments);
	epochs_release(&log->epochs);
	producers_release(&log->producers);
	free(log->dir);
	*log = (struct mlog){0};
}

void
mlog_close_files(struct mlog *log)
{
	for (size_t i = 0; i < log->segment_count; i++) {
		bool active = i + 1 == log->segment_count;
		if (active ? log->tail.synced_offset >= log->tail.end_offset :
		    !log->segments[i]->unsynced)
			segment_close(log->segments[i]);
	}
}

/* --- catching up -------------------------------------------------------------------- */

/* Nobody wrote since: the active file is as long as we know, and no segment
 * follows it. */
static bool
is_current(struct mlog *log)
{
	struct segment *s = mlog_active(log);
	struct err ignored;
	struct os_stat st;

	if (segment_open_log(s, &ignored) == -1)
		return false;
	if (os_stat(log->os, s->log_fd, &st) == -1 || st.size != log->tail.size || st.links == 0)
		return false;
	return !is_followed(log, &log->tail);
}

static bool
same_tail(const struct mlog_tail *a, const struct mlog_tail *b)
{
	return a->segment_base == b->segment_base && a->size == b->size &&
	    a->end_offset == b->end_offset && !a->replacing;
}

int
mlog_catch_up(struct mlog *log, const struct mlog_tail *tail, struct err *err)
{
	struct mlog_tail known = log->tail;
	int64_t start = log->start_offset;
	size_t at;

	if (mlog_usable(log, err) == -1)
		return -1;
	if (is_current(log) && (tail == NULL || same_tail(tail, &log->tail))) {
		if (tail != NULL && tail->synced_offset > log->tail.synced_offset)
			mlog_note_synced(log, tail->synced_offset);
		return 0;
	}
	producers_clear(&log->producers, 0);
	log->producers_loaded = false;
	if (load_epochs(log, err) == -1)
		return mlog_fail(log);
	if (tail != NULL && take_active(log, tail))
		return 0;
	if (mlog_load_segments(log, err) == -1)
		return mlog_fail(log);
	if (tail != NULL && tail_fits(log, tail, &at))
		known = *tail;
	else if (!tail_fits(log, &known, &at))
		return mlog_recover(log, known.synced_offset, start, err) == -1 ? mlog_fail(log) :
		    settle_start(log, start, err);
	if (advance(log, &known, at, err) == -1)
		return mlog_fail(log);
	return settle_start(log, start, err);
}

int64_t
mlog_bytes(const struct mlog *log)
{
	struct err ignored;
	int64_t sum = 0;

	for (size_t i = 0; i < log->segment_count; i++) {
		struct segment *s = log->segments[i];
		if (i + 1 == log->segment_count)
			sum += log->tail.size;
		else if (segment_stat(s, &ignored) == 0)
			sum += s->size;
	}
	return sum;
}
