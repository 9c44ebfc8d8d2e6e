/*
 * Recovery: what is on disk becomes a log again.
 *
 * Below the recovery point all was durable once, so a bad batch there is rot:
 * it stays, and readers name it. Above it the log ends at the first bad batch.
 * Every step leaves files from which recovery can begin again.
 */
#include <errno.h>
#include <string.h>

#include "log/mlog_impl.h"
#include "log/times.h"

#define SNAPSHOT_LOOK (256 << 20) /* bytes of one that are compared */

struct recovery {
	struct mlog *log;
	struct scan scan;
	int64_t point; /* all below it was synced */
	size_t at;     /* number of the segment in work */
	bool damaged;  /* it ends in bytes that are bad but may not go */
	bool overlaps; /* nothing is bad, but it goes on where the next one begins */
};

/* Does a batch reach into the next segment? Its offsets would be there twice. */
static bool
reaches_next(const struct recovery *rc, const struct batch *b)
{
	const struct mlog *log = rc->log;

	return rc->at + 1 < log->segment_count &&
	    batch_last_offset(b) >= log->segments[rc->at + 1]->base;
}

static bool
follows(const struct recovery *rc, const struct batch *b)
{
	const struct mlog_tail *t = &rc->log->tail;

	return !reaches_next(rc, b) && b->base_offset >= t->end_offset &&
	    batch_last_offset(b) - t->segment_base <= INT32_MAX &&
	    !scan_is_misplaced(&rc->scan, b, t->end_offset);
}

/* Takes in a good batch: indexes, epochs, producers, ends. The segment in work
 * is not the last of the array, so index entries go to it by hand. */
static int
take(struct recovery *rc, const struct batch *b, struct err *err)
{
	struct mlog *log = rc->log;
	struct segment *s = log->segments[rc->at];
	struct index_due due;
	struct aborted_txn aborted;
	bool has_aborted = false;

	if (b->leader_epoch > epochs_latest(&log->epochs) &&
	    epochs_assign(&log->epochs, b->leader_epoch, b->base_offset, err) == -1)
		return -1;
	if (b->producer_id >= 0 && !log->producers_loaded && batch_is_control(b) &&
	    mlog_load_producers_to(log, log->tail.end_offset, err) == -1)
		return -1;
	if (log->producers_loaded) {
		if (producers_replay(&log->producers, b, &aborted, &has_aborted, err) == -1 &&
		    err->code != ERR_CORRUPT)
			return -1;
		if (has_aborted && segment_append_aborted(s, &aborted, err) == -1)
			return -1;
	}
	segment_account(&log->tail, b, log->config.index_interval_bytes, &due);
	if (!due.due)
		return 0;
	if (oindex_append(s->offsets, due.offset.offset, due.offset.position, err) == -1)
		return segment_err(s, SEGMENT_INDEX, err);
	if (tindex_append(s->times, due.time.timestamp, due.time.offset, err) == -1)
		return segment_err(s, SEGMENT_TIME, err);
	return 0;
}

/* Takes in good batches up to the end of the segment (1) or to a bad one (0),
 * at which the tail then ends. */
static int
take_good(struct recovery *rc, struct err *err)
{
	struct mlog *log = rc->log;
	struct batch b;
	int r;

	rc->overlaps = false;
	while ((r = scan_next(&rc->scan, &b, err)) == 1) {
		if (!follows(rc, &b)) {
			rc->overlaps = reaches_next(rc, &b) && b.base_offset == log->tail.end_offset;
			rc->scan.position = log->tail.size;
			rc->scan.fault = BATCH_BAD_OFFSET;
			return 0;
		}
		if (take(rc, &b, err) == -1)
			return -1;
	}
	if (r == 0)
		return 1;
	if (err->code == ERR_CORRUPT)
		return 0;
	return segment_err(log->segments[rc->at], SEGMENT_LOG, err);
}

/* The next good batch behind the bad one: right behind it if its length is
 * right, else wherever bytes make one. */
static int
find_good(struct recovery *rc, int64_t position, struct batch *good, struct err *err)
{
	const struct batch bad = rc->scan.bad;
	struct mlog *log = rc->log;
	int r;

	if (bad.size >= BATCH_HEADER && rc->scan.fault != BATCH_SHORT) {
		scan_move(&rc->scan, position + bad.size);
		r = scan_next(&rc->scan, good, err);
		if (r == -1 && err->code != ERR_CORRUPT)
			return -1;
		if (r == 1 && follows(rc, good)) {
			scan_move(&rc->scan, position + bad.size);
			return 1;
		}
	}
	return scan_find(&rc->scan, position + 1, log->tail.end_offset, log->tail.segment_base,
	    good, err);
}

static void
note_kept(const struct recovery *rc, const char *why, int64_t to)
{
	const struct mlog *log = rc->log;

	os_note(log->os, OS_ERROR,
	    "%s/%020lld.log: byte %lld: %s: below the recovery point %lld, so it stays "
	    "(offsets %lld..%lld are lost)",
	    segment_dir_name(log->dir), (long long)log->tail.segment_base,
	    (long long)log->tail.size, why, (long long)rc->point, (long long)log->tail.end_offset,
	    (long long)to - 1);
}

/* Below the recovery point: steps over the bad bytes. 1: goes on in this
 * segment; 0: nothing good follows in it. */
static int
step_over(struct recovery *rc, int good, const struct batch *b, const char *why)
{
	struct mlog *log = rc->log;
	int64_t to = rc->point;

	if (good)
		to = b->base_offset;
	else if (rc->at + 1 < log->segment_count)
		to = log->segments[rc->at + 1]->base;
	note_kept(rc, why, to);
	if (!good) {
		rc->damaged = true;
		log->tail.size = log->segments[rc->at]->size;
		if (to > log->tail.end_offset)
			log->tail.end_offset = to;
		return 0;
	}
	log->tail.size = rc->scan.position;
	return 1;
}

/* Checks one segment to its end. 0; 1 if the log was cut in it; -1. */
static int
verify_segment(struct recovery *rc, struct err *err)
{
	struct mlog *log = rc->log;
	struct segment *s = log->segments[rc->at];
	char why[160];
	int r, good;

	if (segment_open_log(s, err) == -1 || segment_open_indexes(s, err) == -1)
		return -1;
	s->size = -1;
	if (segment_stat(s, err) == -1)
		return -1;
	scan_start(&rc->scan, log->os, s->log_fd, log->tail.size);
	while ((r = take_good(rc, err)) == 0) {
		int64_t position = log->tail.size;
		struct batch b;

		if (rc->overlaps && log->tail.end_offset >= rc->point)
			return mlog_cut_overlap(log, rc->at, position, err);
		scan_fault_text(&rc->scan, why, sizeof(why));
		good = find_good(rc, position, &b, err);
		if (good == -1)
			return segment_err(s, SEGMENT_LOG, err);
		if (log->tail.end_offset >= rc->point) {
			r = mlog_cut(log, rc->at, position, log->tail.end_offset,
			    good == 1 || rc->scan.gave_up, err);
			return r == -1 ? -1 : 1;
		}
		if (!step_over(rc, good, &b, why))
			return 0;
	}
	return r == -1 ? -1 : 0;
}

/* A snapshot at the next segment's base may tell of batches that the power took, in
 * front of a name that was durable already: what is not true is made anew, or a
 * producer that sends them again would be told that they are there. */
static int
correct_snapshot(struct mlog *log, int64_t base, struct err *err)
{
	struct buf now = BUF_INIT, there = BUF_INIT;
	char path[LOG_PATH_MAX];
	int r = 0;

	if (!log->producers_loaded)
		return 0;
	log->producers.end_offset = base;
	segment_path(path, log->dir, base, segment_suffix(SEGMENT_SNAPSHOT));
	if (os_read_file(log->os, path, SNAPSHOT_LOOK, &there, err) == -1)
		r = err->code == ERR_NOT_FOUND ? 0 : -1;
	else if (producers_encode(&log->producers, &now, err) == -1)
		r = -1;
	else if (now.len != there.len || memcmp(now.data, there.data, now.len) != 0)
		r = producers_write_snapshot(&log->producers, log->os, log->dir, err);
	buf_release(&now);
	buf_release(&there);
	return r;
}

/* A segment that others follow: its closing time entry, then the next one. */
static int
finish_segment(struct recovery *rc, struct err *err)
{
	struct mlog *log = rc->log;
	struct segment *s = log->segments[rc->at];
	int64_t synced = log->tail.synced_offset;
	bool producers = log->tail.producers;

	if (log->tail.max_timestamp >= 0 &&
	    tindex_append(s->times, log->tail.max_timestamp, log->tail.max_timestamp_offset, err) ==
	    -1)
		return segment_err(s, SEGMENT_TIME, err);
	if (correct_snapshot(log, log->segments[rc->at + 1]->base, err) == -1)
		return -1;
	s->unsynced = true;
	segment_close(s); /* there may be many */
	segment_begin_tail(&log->tail, log->segments[rc->at + 1]->base);
	log->tail.synced_offset = synced;
	log->tail.producers = producers;
	rc->at++;
	rc->damaged = false;
	return 0;
}

/* The last segment ends in bytes that are bad but may not go: writing goes on in
 * a new one, at offsets that were never given out. */
static int
leave_damaged(struct recovery *rc, struct err *err)
{
	return mlog_roll_at(rc->log, rc->log->tail.end_offset, err);
}

int
mlog_verify(struct mlog *log, size_t at, int64_t recovery_point, struct err *err)
{
	struct recovery rc = {.log = log, .point = recovery_point, .at = at};
	struct segment *s = log->segments[at];
	int r;

	scan_init(&rc.scan);
	r = segment_cut_indexes(s, log->tail.size, log->tail.end_offset, err);
	while (r == 0) {
		r = verify_segment(&rc, err);
		if (r != 0 || rc.at + 1 == log->segment_count)
			break;
		r = finish_segment(&rc, err);
		if (r == 0)
			r = segment_cut_indexes(log->segments[rc.at], 0, log->tail.segment_base,
			    err);
	}
	if (r == 0 && rc.damaged)
		r = leave_damaged(&rc, err);
	scan_release(&rc.scan);
	return r == -1 ? -1 : 0;
}

/* --- the whole of it --------------------------------------------------------------- */

/* Below the recovery point indexes were durable with their log. One that is missing
 * is made anew; the others are not opened, for a log may have thousands: whoever
 * uses an entry proves it, and goes without if it is not true. */
static int
make_indexes(struct mlog *log, size_t i, struct err *err)
{
	struct segment_rebuilt rebuilt;
	int64_t base = log->segments[i]->base;

	if (segment_rebuild(log->os, log->dir, base, log->config.index_interval_bytes, NULL, false,
	    &rebuilt, err) == -1)
		return -1;
	if (rebuilt.changed)
		os_note(log->os, OS_WARN, "%s/%020lld.index: rebuilt from the log",
		    segment_dir_name(log->dir), (long long)base);
	return 0;
}

static int
assign_epoch(void *ctx, const struct batch *b, struct err *err)
{
	struct epochs *e = ctx;

	if (b->leader_epoch <= epochs_latest(e))
		return 0;
	return epochs_assign(e, b->leader_epoch, b->base_offset, err);
}

static int
settle_epochs(struct mlog *log, struct err *err)
{
	epochs_truncate_end(&log->epochs, log->tail.end_offset);
	epochs_truncate_start(&log->epochs, log->start_offset);
	return epochs_write(&log->epochs, log->os, log->dir, err);
}

static int
sync_recovered(struct mlog *log, size_t from, struct err *err)
{
	for (size_t i = from; i + 1 < log->segment_count; i++) {
		if (mlog_sync_segment(log, i, err) == -1)
			return -1;
	}
	if (segment_open_log(mlog_active(log), err) == -1 ||
	    segment_sync(mlog_active(log), err) == -1)
		return -1;
	log->tail.synced_offset = log->tail.end_offset;
	return 0;
}

/* Files may have lost whole batches at their end. The log goes on where it ends,
 * as Kafka's does, but not in silence. */
static void
note_lost(struct mlog *log, int64_t recovery_point)
{
	if (log->tail.end_offset < recovery_point)
		os_note(log->os, OS_ERROR,
		    "%s: ends at offset %lld, below the recovery point %lld: offsets %lld..%lld "
		    "are lost, and will be given out again",
		    segment_dir_name(log->dir), (long long)log->tail.end_offset,
		    (long long)recovery_point, (long long)log->tail.end_offset,
		    (long long)recovery_point - 1);
}

int
mlog_recover(struct mlog *log, int64_t recovery_point, int64_t start_offset, struct err *err)
{
	/* The point may be where a segment was finished whose indexes were not durable yet. */
	size_t at = mlog_segment_of(log, recovery_point > 0 ? recovery_point - 1 : 0);

	for (size_t i = 0; i < at; i++) {
		if (!log->segments[i]->has_index && make_indexes(log, i, err) == -1)
			return -1;
	}
	segment_begin_tail(&log->tail, log->segments[at]->base);
	if (log->epochs.count == 0 && at > 0 && mlog_each_batch(log, log->segments[0]->base,
	    log->segments[at]->base, assign_epoch, &log->epochs, err) == -1)
		return -1;
	if (mlog_load_producers_to(log, log->segments[at]->base, err) == -1)
		return -1;
	log->tail.producers = log->producers.by_id.count > 0;
	if (mlog_verify(log, at, recovery_point, err) == -1 || sync_recovered(log, at, err) == -1)
		return -1;
	note_lost(log, recovery_point);
	log->start_offset = log->segments[0]->base;
	if (start_offset > log->start_offset)
		log->start_offset = start_offset;
	if (times_cut(log->os, log->dir, log->tail.end_offset, err) == -1)
		return -1;
	return settle_epochs(log, err);
}
