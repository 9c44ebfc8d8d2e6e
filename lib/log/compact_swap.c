/*
 * New segments in the place of old ones, so that whoever looks at the names at
 * any moment, or after any crash, finds the old ones or the new ones.
 *
 *	.cleaned -> .swap     from the highest base down; synced   the new count
 *	old -> .deleted       from the lowest base up; synced
 *	.swap -> plain        logs from the lowest base up, each synced; then indexes, synced
 *	.deleted removed, by and by
 *
 * Old ones go from the lowest base up because the new segment bears that base:
 * a reader that misses the old one finds the new one as .swap. Kafka syncs once,
 * at the end; the syncs in between are for file systems that may carry out the
 * renames in one directory in another order.
 */
#include <errno.h>
#include <string.h>

#include "log/compact_impl.h"

struct swap {
	struct mlog *log;
	struct mlog *view;
	struct out_group *g;
	size_t at, view_at; /* the first of the old segments, in either */
	size_t count;
};

static int
rename_to(struct swap *w, struct segment_name n, enum segment_state to, struct err *err)
{
	char old[LOG_PATH_MAX], new[LOG_PATH_MAX];

	segment_name_path(old, w->log->dir, &n);
	n.state = to;
	segment_name_path(new, w->log->dir, &n);
	if (os_rename(w->log->os, old, new) == -1 && (errno != ENOENT || n.kind == SEGMENT_LOG))
		return err_sys(err, errno, "%s: rename", old);
	return 0;
}

static int
sync_names(struct swap *w, struct err *err)
{
	if (os_sync_dir(w->log->os, w->log->dir) == -1)
		return err_sys(err, errno, "%s: sync", w->log->dir);
	return 0;
}

/* From here on recovery takes the new ones. The lowest is the last: until it is
 * durable all of them are undone by the .cleaned that is left. */
static int
commit(struct swap *w, struct err *err)
{
	for (size_t i = w->g->count; i > 0; i--) {
		if (i == 1 && w->g->count > 1 && sync_names(w, err) == -1)
			return -1;
		for (size_t k = 0; k < OUT_FILES; k++) {
			struct segment_name n = {w->g->segments[i - 1]->base,
			    (enum segment_kind)k, SEGMENT_CLEANED};
			if (rename_to(w, n, SEGMENT_SWAP, err) == -1)
				return -1;
		}
	}
	return sync_names(w, err);
}

/* A snapshot at a base that no segment has any more says nothing that is needed. */
static bool
has_heir(const struct swap *w, int64_t base)
{
	for (size_t i = 0; i < w->g->count; i++) {
		if (w->g->segments[i]->base == base)
			return true;
	}
	return false;
}

static int
retire(struct swap *w, struct err *err)
{
	for (size_t i = 0; i < w->count; i++) {
		int64_t base = w->log->segments[w->at + i]->base;
		size_t kinds = has_heir(w, base) ? SEGMENT_SNAPSHOT : SEGMENT_SNAPSHOT + 1;

		for (size_t k = 0; k < kinds; k++) {
			struct segment_name n = {base, (enum segment_kind)k, SEGMENT_PLAIN};
			if (rename_to(w, n, SEGMENT_DELETED, err) == -1)
				return -1;
		}
	}
	return sync_names(w, err);
}

static int
settle(struct swap *w, size_t from_kind, size_t to_kind, struct err *err)
{
	for (size_t i = 0; i < w->g->count; i++) {
		for (size_t k = from_kind; k <= to_kind; k++) {
			struct segment_name n = {w->g->segments[i]->base, (enum segment_kind)k,
			    SEGMENT_SWAP};
			if (rename_to(w, n, SEGMENT_PLAIN, err) == -1)
				return -1;
		}
		/* A plain .log above one that is still .swap counts as an old one. */
		if (from_kind == SEGMENT_LOG && sync_names(w, err) == -1)
			return -1;
	}
	return from_kind == SEGMENT_LOG ? 0 : sync_names(w, err);
}

int
compact_remove_deleted(struct os *os, const char *dir, int64_t base)
{
	char path[LOG_PATH_MAX];
	struct err err;
	int ret = 0;

	for (size_t k = 0; k <= SEGMENT_SNAPSHOT; k++) {
		struct segment_name n = {base, (enum segment_kind)k, SEGMENT_DELETED};

		segment_name_path(path, dir, &n);
		if (os_remove(os, path) == 0 || errno == ENOENT)
			continue;
		err_sys(&err, errno, "%s: remove", path);
		os_note(os, OS_WARN, "%s", err.text);
		ret = -1;
	}
	return ret;
}

/* --- in memory ----------------------------------------------------------------------- */

/* Where the old segments are in the log; false: not there any more, or not one after
 * another. */
static bool
find_old(struct swap *w)
{
	struct segment **old = &w->view->segments[w->view_at];

	w->at = mlog_segment_of(w->log, old[0]->base);
	for (size_t i = 0; i <= w->count; i++) {
		if (w->at + i >= w->log->segment_count ||
		    w->log->segments[w->at + i]->base != old[i]->base)
			return false;
	}
	return true;
}

/* Puts the new segments, which lie behind all others, in the old ones' place. */
static void
splice(struct swap *w, struct mlog *log, size_t at)
{
	size_t old_count = log->segment_count - w->g->count;

	for (size_t i = 0; i < w->g->count; i++) {
		struct segment *s = log->segments[old_count + i];

		memmove(&log->segments[at + w->count + i + 1], &log->segments[at + w->count + i],
		    (old_count - at - w->count) * sizeof(struct segment *));
		log->segments[at + w->count + i] = s;
	}
	for (size_t i = 0; i < w->count; i++)
		mlog_drop_segment(log, at);
}

static void
drop_last(struct mlog *log, size_t count)
{
	while (count-- > 0)
		mlog_drop_segment(log, log->segment_count - 1);
}

static int
push_new(struct swap *w, struct mlog *log, struct err *err)
{
	for (size_t i = 0; i < w->g->count; i++) {
		if (mlog_push_segment(log, w->g->segments[i]->base, err) == -1) {
			drop_last(log, i);
			return -1;
		}
		mlog_active(log)->size = w->g->segments[i]->tail.size;
	}
	return 0;
}

/* Makes room in memory before anything is renamed. */
static int
push_both(struct swap *w, struct err *err)
{
	if (push_new(w, w->log, err) == -1)
		return -1;
	if (push_new(w, w->view, err) == 0)
		return 0;
	drop_last(w->log, w->g->count);
	return -1;
}

static void
drop_both(struct swap *w)
{
	drop_last(w->log, w->g->count);
	drop_last(w->view, w->g->count);
}

int
compact_swap(struct mlog *log, struct mlog *view, struct out_group *g, size_t at, size_t count,
    struct err *err)
{
	struct swap w = {.log = log, .view = view, .g = g, .view_at = at, .count = count};
	struct err ignored;

	if (!find_old(&w))
		return err_set(err, ERR_AGAIN, "%s: segments went while they were compacted",
		    segment_dir_name(log->dir));
	if (push_both(&w, err) == -1)
		return -1;
	if (commit(&w, err) == -1) {
		drop_both(&w);
		/* What is left would replace segments when the log is opened next. */
		return out_abandon(g, &ignored) == -1 || os_sync_dir(log->os, log->dir) == -1 ?
		    mlog_fail(log) : -1;
	}
	if (retire(&w, err) == -1 || settle(&w, SEGMENT_LOG, SEGMENT_LOG, err) == -1 ||
	    settle(&w, SEGMENT_INDEX, SEGMENT_TXN, err) == -1) {
		drop_both(&w);
		return mlog_fail(log);
	}
	splice(&w, log, w.at);
	splice(&w, view, w.view_at);
	return 0;
}
