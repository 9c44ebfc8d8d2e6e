/* Cutting a log at either end. */
#include <errno.h>

#include "log/mlog_impl.h"
#include "log/times.h"

static int
remove_segment(struct mlog *log, size_t i, struct err *err)
{
	int64_t base = log->segments[i]->base;

	mlog_drop_segment(log, i);
	return segment_remove(log->os, log->dir, base, err);
}

int
mlog_remove_snapshots(struct mlog *log, int64_t from, struct err *err)
{
	struct segment_names names = {0};
	int r = segment_names_read(&names, log->os, log->dir, err);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const struct segment_name *n = &names.names[i];
		if (n->kind == SEGMENT_SNAPSHOT && n->base >= from)
			r = segment_name_remove(log->os, log->dir, n, err);
	}
	segment_names_release(&names);
	return r;
}

static void
forget_producers(struct mlog *log)
{
	producers_clear(&log->producers, 0);
	log->producers_loaded = false;
	log->tail.producers = true;
}

/* The tail of segment `s` when it ends before the batch that reaches `offset`. */
static int
tail_before(struct mlog *log, struct segment *s, int64_t offset, struct mlog_tail *t,
    struct err *err)
{
	struct index_due due;
	struct scan scan;
	struct batch b;
	int r;

	if (mlog_tail_below(s, offset, t, err) == -1) {
		if (err->code != ERR_CORRUPT || segment_open_log(s, err) == -1)
			return -1;
		segment_begin_tail(t, s->base);
	}
	scan_init(&scan);
	scan_start(&scan, log->os, s->log_fd, t->size);
	scan.headers_only = true;
	while ((r = scan_next(&scan, &b, err)) == 1 && batch_next_offset(&b) <= offset)
		segment_account(t, &b, log->config.index_interval_bytes, &due);
	scan_release(&scan);
	if (r == -1)
		return segment_err(s, SEGMENT_LOG, err);
	return 0;
}

static int
truncate_at(struct mlog *log, int64_t offset, struct err *err)
{
	size_t at = mlog_segment_of(log, offset);
	int64_t synced = log->tail.synced_offset;
	struct mlog_tail t;
	struct segment *s;

	log->cuts++;
	if (times_cut(log->os, log->dir, offset, err) == -1)
		return -1;
	while (log->segment_count > at + 1) {
		if (remove_segment(log, log->segment_count - 1, err) == -1)
			return -1;
	}
	s = log->segments[at];
	if (tail_before(log, s, offset, &t, err) == -1)
		return -1;
	if (segment_cut_indexes(s, t.size, t.end_offset, err) == -1)
		return -1;
	if (os_truncate(log->os, s->log_fd, t.size) == -1) {
		err_sys(err, errno, "truncate to %lld bytes", (long long)t.size);
		return segment_err(s, SEGMENT_LOG, err);
	}
	log->tail = t;
	s->size = t.size;
	s->unsynced = false;
	log->tail.synced_offset = synced < t.end_offset ? synced : t.end_offset;
	epochs_truncate_end(&log->epochs, t.end_offset);
	forget_producers(log);
	if (mlog_remove_snapshots(log, t.end_offset + 1, err) == -1 ||
	    mlog_sync_names(log, err) == -1)
		return -1;
	return mlog_sync(log, err) == -1 || segment_sync(s, err) == -1 ? -1 : 0;
}

int
mlog_truncate(struct mlog *log, int64_t offset, struct err *err)
{
	if (mlog_usable(log, err) == -1 || mlog_whole(log, err) == -1)
		return -1;
	if (offset < log->start_offset)
		return mlog_restart_at(log, offset, err);
	if (offset >= log->tail.end_offset) {
		/* Also when no record goes a stale epoch must (KAFKA-10706). */
		epochs_truncate_end(&log->epochs, log->tail.end_offset);
		return epochs_write(&log->epochs, log->os, log->dir, err) == -1 ?
		    mlog_fail(log) : 0;
	}
	if (mlog_refresh(log, err) == -1)
		return -1;
	return truncate_at(log, offset, err) == -1 ? mlog_fail(log) : 0;
}

static int
restart_at(struct mlog *log, int64_t offset, struct err *err)
{
	log->cuts++;
	if (times_cut(log->os, log->dir, -1, err) == -1)
		return -1;
	/* From the end, so that a kill in between leaves a log without holes. */
	while (log->segment_count > 0) {
		if (remove_segment(log, log->segment_count - 1, err) == -1)
			return -1;
	}
	if (mlog_remove_snapshots(log, 0, err) == -1 || mlog_begin(log, offset, err) == -1)
		return -1;
	epochs_truncate_end(&log->epochs, 0);
	producers_clear(&log->producers, offset);
	log->producers_loaded = true;
	log->start_offset = offset;
	return epochs_write(&log->epochs, log->os, log->dir, err);
}

int
mlog_restart_at(struct mlog *log, int64_t offset, struct err *err)
{
	if (mlog_usable(log, err) == -1)
		return -1;
	if (mlog_refresh(log, err) == -1)
		return -1;
	return restart_at(log, offset, err) == -1 ? mlog_fail(log) : 0;
}
