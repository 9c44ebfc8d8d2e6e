/*
 * New segments in the place of old ones, so that whoever looks at the names at
 * any moment, or after any crash, finds the old ones or the new ones.
 *
 *	.cleaned -> .swap     from the highest base down; synced   the new count
 *	old -> .deleted       from the lowest base up; synced
 *	.swap -> plain        logs from the lowest base up, each synced; then indexes, synced
 *	.deleted removed
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
	struct out_group *g;
	size_t at, count; /* of the old segments */
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

/* What cannot be removed now goes when the log is opened next. */
static void
remove_deleted(struct swap *w)
{
	char path[LOG_PATH_MAX];
	struct err err;

	for (size_t i = 0; i < w->count; i++) {
		for (size_t k = 0; k <= SEGMENT_SNAPSHOT; k++) {
			struct segment_name n = {w->log->segments[w->at + i]->base,
			    (enum segment_kind)k, SEGMENT_DELETED};
			segment_name_path(path, w->log->dir, &n);
			if (os_remove(w->log->os, path) == 0 || errno == ENOENT)
				continue;
			err_sys(&err, errno, "%s: remove", path);
			os_note(w->log->os, OS_WARN, "%s", err.text);
			w->log->tail.replacing = true;
		}
	}
}

/* Puts the new segments, which lie behind all others, in the old ones' place. */
static void
splice(struct swap *w)
{
	struct mlog *log = w->log;
	size_t old_count = log->segment_count - w->g->count;

	for (size_t i = 0; i < w->g->count; i++) {
		struct segment *s = log->segments[old_count + i];

		memmove(&log->segments[w->at + w->count + i + 1],
		    &log->segments[w->at + w->count + i],
		    (old_count - w->at - w->count) * sizeof(struct segment *));
		log->segments[w->at + w->count + i] = s;
	}
	for (size_t i = 0; i < w->count; i++)
		mlog_drop_segment(log, w->at);
}

/* Makes room in memory before anything is renamed. */
static int
push_new(struct swap *w, struct err *err)
{
	struct mlog *log = w->log;
	size_t had = log->segment_count;

	for (size_t i = 0; i < w->g->count; i++) {
		if (mlog_push_segment(log, w->g->segments[i]->base, err) == -1) {
			while (log->segment_count > had)
				mlog_drop_segment(log, log->segment_count - 1);
			return -1;
		}
		log->segments[had + i]->size = w->g->segments[i]->tail.size;
	}
	return 0;
}

static void
drop_new(struct swap *w)
{
	for (size_t i = 0; i < w->g->count; i++)
		mlog_drop_segment(w->log, w->log->segment_count - 1);
}

int
compact_swap(struct mlog *log, struct out_group *g, size_t at, size_t count, struct err *err)
{
	struct swap w = {log, g, at, count};
	struct err ignored;

	if (push_new(&w, err) == -1)
		return -1;
	if (commit(&w, err) == -1) {
		drop_new(&w);
		/* What is left would replace segments when the log is opened next. */
		return out_abandon(g, &ignored) == -1 || os_sync_dir(log->os, log->dir) == -1 ?
		    mlog_fail(log) : -1;
	}
	if (retire(&w, err) == -1 || settle(&w, SEGMENT_LOG, SEGMENT_LOG, err) == -1 ||
	    settle(&w, SEGMENT_INDEX, SEGMENT_TXN, err) == -1) {
		drop_new(&w);
		return mlog_fail(log);
	}
	remove_deleted(&w);
	splice(&w);
	return 0;
}
