/* Producer state of a log: replayed from snapshots and batch headers. */
#include <errno.h>

#include "log/mlog_impl.h"

/* --- every batch from an offset on ---------------------------------------------- */

struct walk {
	struct mlog *log;
	struct scan scan;
	int64_t offset, end;
	int (*each)(void *ctx, const struct batch *b, struct err *err);
	void *ctx;
};

/* Where to begin in a segment for `offset`: an index entry that points at its
 * batch, else the start. */
static int64_t
begin_at(struct segment *s, int64_t offset)
{
	struct oindex_entry e;
	struct err ignored;

	if (offset <= s->base || segment_open_indexes(s, &ignored) == -1)
		return 0;
	if (oindex_lookup(s->offsets, offset - 1, &e, &ignored) == -1)
		return 0;
	return e.position;
}

/* Control batches are opened, so their records must be there. */
static int
read_whole(struct walk *w, struct batch *b, struct err *err)
{
	int64_t at = w->scan.position - b->size;
	int r;

	scan_move(&w->scan, at);
	w->scan.headers_only = false;
	r = scan_next(&w->scan, b, err);
	w->scan.headers_only = true;
	return r;
}

/* 1: a batch; 0: the end of the segment; -1. Rot is passed over. */
static int
next(struct walk *w, const struct segment *s, int64_t expected, struct batch *b, struct err *err)
{
	int r = scan_next(&w->scan, b, err);

	if (r == 1 && batch_is_control(b))
		r = read_whole(w, b, err);
	if (r != -1 || err->code != ERR_CORRUPT)
		return r;
	r = scan_find(&w->scan, w->scan.position + 1, expected, s->base, b, err);
	return r == 1 ? next(w, s, expected, b, err) : r;
}

static int
walk_segment(struct walk *w, struct segment *s, int64_t limit, int64_t start, struct err *err)
{
	int64_t expected = s->base;
	struct batch b;
	int r;

	scan_start(&w->scan, w->log->os, s->log_fd, start);
	w->scan.limit = limit;
	w->scan.headers_only = true;
	while ((r = next(w, s, expected, &b, err)) == 1) {
		if (b.base_offset >= w->end)
			return 0;
		expected = batch_next_offset(&b);
		if (expected <= w->offset)
			continue;
		if (w->each(w->ctx, &b, err) == -1) {
			if (err->code == ERR_CORRUPT)
				continue;
			return -1;
		}
	}
	return r;
}

int
mlog_each_batch(struct mlog *log, int64_t offset, int64_t end,
    int (*each)(void *ctx, const struct batch *b, struct err *err), void *ctx, struct err *err)
{
	struct walk w = {.log = log, .offset = offset, .end = end, .each = each, .ctx = ctx};
	int r = 0;

	scan_init(&w.scan);
	for (size_t i = mlog_segment_of(log, offset); r == 0 && i < log->segment_count; i++) {
		struct segment *s = log->segments[i];
		bool was_open = s->log_fd != -1;
		int64_t limit = s->base == log->tail.segment_base ? log->tail.size : INT64_MAX;

		if (s->base >= end || s->base > log->tail.segment_base)
			break;
		r = segment_open_log(s, err);
		if (r == 0)
			r = walk_segment(&w, s, limit, begin_at(s, offset), err);
		if (!was_open && !s->unsynced)
			segment_close(s);
	}
	scan_release(&w.scan);
	return r;
}

/* --- state ---------------------------------------------------------------------- */

static int
replay(void *ctx, const struct batch *b, struct err *err)
{
	return producers_replay(ctx, b, NULL, NULL, err);
}

int
mlog_load_producers_to(struct mlog *log, int64_t end, struct err *err)
{
	int64_t from = producers_load_newest(&log->producers, log->os, log->dir, end, err);

	log->producers_loaded = false;
	if (from == -1 && err->code != 0)
		return -1;
	if (from == -1)
		from = log->segments[0]->base;
	if (mlog_each_batch(log, from, end, replay, &log->producers, err) == -1) {
		producers_clear(&log->producers, 0);
		return -1;
	}
	log->producers.end_offset = end;
	log->producers_loaded = true;
	return 0;
}

int
mlog_load_producers(struct mlog *log, struct err *err)
{
	if (mlog_refresh(log, err) == -1)
		return -1;
	return mlog_load_producers_to(log, log->tail.end_offset, err);
}

int
mlog_note_producer(struct mlog *log, const struct batch *b, struct err *err)
{
	struct aborted_txn aborted;
	bool has_aborted;

	if (b->producer_id < 0) {
		log->producers.end_offset = batch_next_offset(b);
		return 0;
	}
	if (!log->producers_loaded && batch_is_control(b) && mlog_load_producers(log, err) == -1)
		return -1;
	if (!log->producers_loaded)
		return 0;
	if (producers_replay(&log->producers, b, &aborted, &has_aborted, err) == 0 &&
	    (!has_aborted || segment_append_aborted(mlog_active(log), &aborted, err) == 0))
		return 0;
	/* What is half taken in is loaded anew when it is needed. */
	producers_clear(&log->producers, 0);
	log->producers_loaded = false;
	log->tail.producers = true;
	return mlog_fail_io(log, err);
}
