/* What the files that make up mlog share; nobody else includes it. */
#ifndef LOG_MLOG_IMPL_H
#define LOG_MLOG_IMPL_H

#include "log/mlog.h"
#include "log/segment.h"

/* Finished segments that may wait for a sync at once; a roll beyond that syncs
 * the oldest itself. */
#define MLOG_UNSYNCED_MAX 3

static inline struct segment *
mlog_active(const struct mlog *log)
{
	return log->segments[log->segment_count - 1];
}

/* Offset behind the last of segment number `i`: the next one's base, or the end. */
static inline int64_t
mlog_segment_end(const struct mlog *log, size_t i)
{
	return i + 1 < log->segment_count ? log->segments[i + 1]->base : log->tail.end_offset;
}

/* The log takes nothing more; returns -1. */
int mlog_fail(struct mlog *log);

/* The same if the error is one of storage, not of a want of memory, space or
 * descriptors, after which a log can go on. */
int mlog_fail_io(struct mlog *log, const struct err *err);

/* ERR_IO if it has failed before. */
int mlog_usable(const struct mlog *log, struct err *err);

/* Adds a segment behind the others, or drops number `i` from memory. */
int mlog_push_segment(struct mlog *log, int64_t base, struct err *err);
void mlog_drop_segment(struct mlog *log, size_t i);

/* The .log files of the directory as segments, replacing what was known, after
 * an interrupted replacement was finished or undone and what belongs to no
 * segment was removed. */
int mlog_load_segments(struct mlog *log, struct err *err);

/* Segments before the active one that reach above the synced offset may hold
 * bytes that are not durable: marks them so. */
void mlog_mark_unsynced(struct mlog *log);

/* The sync of what mlog_unsynced gave is over: its descriptors may be closed. */
void mlog_end_sync(struct mlog *log);

/* What is below `end_offset` is durable: no finished segment there waits. */
void mlog_note_synced(struct mlog *log, int64_t end_offset);

/* Looks at the names of the finished segments anew: another process may have
 * compacted or deleted some since. For whatever touches more than the active
 * one. */
int mlog_refresh(struct mlog *log, struct err *err);

/* A log that is nothing but the names of its segments, for whoever looks at them beside
 * the log's owner: mlog_release lets go of it. On failure, too. */
int mlog_names_init(struct mlog *names, struct os *os, const char *dir,
    const struct mlog_config *config, struct err *err);

/* Takes in those that are in the directory; start_offset is the first. */
int mlog_names_read(struct mlog *names, struct err *err);

/* Makes durable which names there are. */
int mlog_sync_names(struct mlog *log, struct err *err);

/* Removes the snapshots at or above `from`, which say nothing of what is left. */
int mlog_remove_snapshots(struct mlog *log, int64_t from, struct err *err);

/* Number of the segment that holds `offset`: the last with base <= offset, or 0. */
size_t mlog_segment_of(const struct mlog *log, int64_t offset);

/* What the tail was at the last index entry below `offset`, or at the start of the
 * segment: whoever wants to know more scans on from there. ERR_CORRUPT if the
 * entry is not true. */
int mlog_tail_below(struct segment *s, int64_t offset, struct mlog_tail *t, struct err *err);

/* Makes the first segment of a log that has none. */
int mlog_begin(struct mlog *log, int64_t base, struct err *err);

/* mlog_roll to a given base offset, at or above the end. */
int mlog_roll_at(struct mlog *log, int64_t base, struct err *err);

/* Syncs the finished segment number `i` and closes its files. */
int mlog_sync_segment(struct mlog *log, size_t i, struct err *err);

/* Adds the index entries of a batch just accounted for to the active segment.
 * `before` is the tail as it was: lack of space only puts the entry off. */
int mlog_index_batch(struct mlog *log, const struct index_due *due, int64_t indexed_before,
    struct err *err);

/* Before a batch is written: producer state and .txnindex take it in. */
int mlog_note_producer(struct mlog *log, const struct batch *b, struct err *err);

/* Largest timestamp of segment number `i`: the closing entry of its time index if
 * the batches bear it out, else theirs; if they have none, the time the file was
 * changed, as in Kafka. Segments are deleted by it, so no index is believed. */
int mlog_newest_time(struct mlog *log, size_t i, int64_t *ms, struct err *err);

/* Producer state up to `end`, from snapshots and batch headers. */
int mlog_load_producers_to(struct mlog *log, int64_t end, struct err *err);

/* Calls `each` with the header of every batch in segments from `offset` on and
 * below `end`; control batches come whole. Rot is passed over. */
int mlog_each_batch(struct mlog *log, int64_t offset, int64_t end,
    int (*each)(void *ctx, const struct batch *b, struct err *err), void *ctx, struct err *err);

/* recover.c: checks all bytes from log->tail (a trusted state within segment
 * number `at`) to the end; cuts or keeps what is bad, as `recovery_point` says;
 * leaves log->tail at the end. Nothing is synced. */
int mlog_verify(struct mlog *log, size_t at, int64_t recovery_point, struct err *err);

/* recover.c: the whole of MLOG_RECOVER. */
int mlog_recover(struct mlog *log, int64_t recovery_point, int64_t start_offset, struct err *err);

/* recover_cut.c: cuts segment number `at` at byte `position`, where offset
 * `offset` would follow, and drops later segments; good batches that go are kept
 * in .log.cut files. `good_behind`: there are some in this segment. */
int mlog_cut(struct mlog *log, size_t at, int64_t position, int64_t offset, bool good_behind,
    struct err *err);

/* recover_cut.c: ends segment number `at` at byte `position`, from which on it has
 * a good batch of offsets that the next segment has too; what is there is kept in
 * .log.cut, and the log goes on with the next segment. Kafka leaves such a batch,
 * and serves the log. */
int mlog_cut_overlap(struct mlog *log, size_t at, int64_t position, struct err *err);

/* recover_replace.c */
int mlog_finish_replacement(struct mlog *log, struct segment_names *names, struct err *err);

#endif
