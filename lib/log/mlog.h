/*
 * mlog: the log of one partition, as its one writer sees it.
 *
 * A directory of segments (BASE.log with its indexes), appended at the end of
 * the last one, cut at either end. One `struct mlog` writes; whoever holds it
 * has made sure that nobody else does (a lock between processes: lib/store; a
 * worker per directory: mqd). Readers of the same files, in any process, use
 * reader.h and take no lock.
 *
 * Invariants
 *  1. start_offset <= synced_offset <= end_offset (synced may lag start once
 *     the start was moved); segments are sorted by base and do not overlap.
 *  2. Bytes are written to the log before the index entry that points at them;
 *     data is synced before the checkpoint or tail that says so.
 *  3. Every batch below end_offset was whole and valid when it was written or
 *     recovered. After a failed write or sync the log takes nothing more
 *     (`failed`), and what was not synced is never acknowledged.
 *  4. Index files hold whole entries and grow by append; they are never trusted
 *     beyond the log.
 *  5. While `partial`, `segments` lacks those that were finished before the log was
 *     opened, all of them durable: an append needs none of them. start_offset may
 *     then be below the first base. Whoever looks at either calls mlog_whole first.
 *
 * The tail is what a later writer may believe without looking, as long as the
 * machine has not been booted since: lib/store keeps it in a hint file.
 *
 * Sources: Kafka's UnifiedLog, LocalLog, LogSegment, LogLoader. Rules for
 * torn tails: share/doc/reliability.md.
 */
#ifndef LOG_MLOG_H
#define LOG_MLOG_H

#include "base/bytes.h"
#include "base/error.h"
#include "log/batch.h"
#include "log/epochs.h"
#include "log/producers.h"
#include "os/os.h"

/* Settings that a log needs, under Kafka's names; defaults are Kafka's except
 * where DESIGN says otherwise. Filled by lib/store from topic configs. */
struct mlog_config {
	int64_t segment_bytes;         /* segment.bytes */
	int64_t segment_ms;            /* segment.ms */
	int64_t segment_jitter_ms;     /* segment.jitter.ms */
	int64_t segment_index_bytes;   /* segment.index.bytes */
	int64_t index_interval_bytes;  /* index.interval.bytes */
	int64_t retention_ms;          /* retention.ms; -1 for ever */
	int64_t retention_bytes;       /* retention.bytes; -1 without limit */
	bool cleanup_delete;           /* cleanup.policy */
	bool cleanup_compact;
	int64_t delete_retention_ms;   /* delete.retention.ms */
	int64_t min_compaction_lag_ms; /* min.compaction.lag.ms */
	int64_t max_compaction_lag_ms; /* max.compaction.lag.ms */
	double min_cleanable_ratio;    /* min.cleanable.dirty.ratio */
	int64_t max_message_bytes;     /* max.message.bytes */
	bool append_time;              /* message.timestamp.type = LogAppendTime */
};

void mlog_config_default(struct mlog_config *c);

/* What the writer knows of the end of its log. */
struct mlog_tail {
	int64_t segment_base;         /* of the active segment */
	int64_t size;                 /* of its .log, in bytes: whole valid batches */
	int64_t end_offset;           /* of the next record */
	int64_t indexed_position;     /* start of the last indexed batch, 0 if none */
	int64_t first_timestamp;      /* max timestamp of the segment's first batch, -1 none */
	int64_t max_timestamp;        /* largest so far in the segment, -1 none */
	int64_t max_timestamp_offset; /* last offset of the batch that has it */
	int64_t synced_offset;        /* all below it is durable (true after any crash) */
	bool producers;               /* a producer id occurs in the active segment or in
	                                 the snapshot at its base: state must be replayed */
	bool replacing;               /* segments are being replaced (mlog_compact): if nobody
	                                 takes it back, the next to open the log finishes that */
};

struct segment; /* segment.h */

struct mlog {
	struct os *os;
	char *dir; /* owned; its last component is TOPIC-PARTITION */
	struct mlog_config config;
	struct segment **segments; /* sorted by base offset; the last is active */
	size_t segment_count, segment_cap;
	struct segment *left; /* no longer among them, but in a sync that is under way */
	int64_t start_offset; /* log start: max(first base, what was deleted up to) */
	struct mlog_tail tail;
	struct epochs epochs;
	struct producers producers; /* valid if producers_loaded */
	bool producers_loaded;
	bool partial; /* older segments are there that are not in `segments` (invariant 5) */
	unsigned cuts; /* how often its end was cut: what was planned upon it before is void */
	bool failed;
};

enum mlog_open_how {
	/* Believe the tail that is given (same boot): check only what was written
	 * behind it, cut a torn batch. If nothing was, the directory is not even
	 * listed (`partial`). No tail: recover from 0. */
	MLOG_TRUST_TAIL,
	/* Check every batch from the recovery point on, rebuild indexes there,
	 * cut at the first bad one (keeping cut bytes as BASE.log.cut where valid
	 * batches follow), finish or undo an interrupted replacement. */
	MLOG_RECOVER,
	/* All is as a clean stop left it: believe file sizes. */
	MLOG_CLEAN,
};

struct mlog_open_args {
	enum mlog_open_how how;
	const struct mlog_tail *tail; /* for MLOG_TRUST_TAIL */
	int64_t recovery_point;       /* for MLOG_RECOVER; all below was synced */
	int64_t start_offset;         /* from the log-start checkpoint, else 0 */
};

/* Opens (or begins, if the directory holds no segment: base = start_offset) the
 * log in `dir`, which exists. What was cut is told by os_note. */
int mlog_open(struct mlog *log, struct os *os, const char *dir, const struct mlog_config *config,
    const struct mlog_open_args *args, struct err *err);

/* Closes the files without syncing; memory is freed. */
void mlog_release(struct mlog *log);

/* Closes the descriptors that no sync waits for; the next append opens them
 * again. For a log that is idle. */
void mlog_close_files(struct mlog *log);

/* Takes in the segments that a partial log does not know of yet, and where it starts;
 * lists the directory. Of a whole log: nothing. On failure it stays partial. */
int mlog_whole(struct mlog *log, struct err *err);

static inline int64_t
mlog_end(const struct mlog *log)
{
	return log->tail.end_offset;
}

/* Looks at what other writers did since this one last held the lock. `tail` is
 * what the last of them left (NULL if unknown): takes over new segments and new
 * bytes after checking them, cuts a killed writer's torn batch. */
int mlog_catch_up(struct mlog *log, const struct mlog_tail *tail, struct err *err);

struct mlog_appended {
	int64_t base_offset, last_offset;
	int64_t append_time; /* -1 unless message.timestamp.type is LogAppendTime */
	bool rolled;
};

/* Appends one whole sealed batch: gives it the next offset, `leader_epoch` and,
 * for LogAppendTime, `now_ms`, all in place in `bytes`; rolls first if due;
 * one write, then the index entries that are due. The batch has been checked by
 * the caller (batch_check, batch_check_records). Not synced.
 * Errors: ERR_NO_SPACE (what was half-written is cut again; the log goes on),
 * ERR_IO (`failed`), MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE. */
int mlog_append(struct mlog *log, uint8_t *bytes, size_t len, int32_t leader_epoch, int64_t now_ms,
    struct mlog_appended *out, struct err *err);

/* As mlog_append for a follower or mirror: the batch keeps offset, epoch and
 * time; base offset must be at or above the end. For a log with one writer: a
 * segment that begins behind a gap is not under the name at which another, or one
 * that opens the log by an older tail, would look for it. */
int mlog_append_as_is(struct mlog *log, const uint8_t *bytes, size_t len,
    struct mlog_appended *out, struct err *err);

/* Makes all that is appended durable (log, then indexes and epochs) and moves
 * synced_offset. After a failure: `failed`. */
int mlog_sync(struct mlog *log, struct err *err);

/* For a sync on another thread: the descriptors that must be synced so that all
 * below the current end is durable (at most `max`), and the offset to tell
 * mlog_synced when that has succeeded. Whatever becomes of the segments, the
 * descriptors stay open until mlog_release or until mlog_synced was told; one such
 * sync at a time. */
size_t mlog_unsynced(struct mlog *log, int *fds, size_t max, int64_t *end_offset);
void mlog_synced(struct mlog *log, int64_t end_offset);

/* Closes the active segment and begins a new one at the end offset. */
int mlog_roll(struct mlog *log, struct err *err);

/* Cuts the log so that it ends at `offset` (a batch that spans it goes whole);
 * epochs and producer state follow. The cut, and all that is left, is durable
 * when it returns; at or above the end nothing is cut but a stale epoch. Not
 * while a sync of descriptors from mlog_unsynced is under way. */
int mlog_truncate(struct mlog *log, int64_t offset, struct err *err);

/* Drops everything and begins anew at `offset`. */
int mlog_restart_at(struct mlog *log, int64_t offset, struct err *err);

/* Moves the log start up to `offset` (<= end) and deletes the segments that are
 * wholly below it. The caller checkpoints the start before it calls. */
int mlog_set_start(struct mlog *log, int64_t offset, struct err *err);

struct mlog_retained {
	int64_t segments, bytes; /* deleted */
};

/* Deletes whole segments that retention.ms, retention.bytes or the log start
 * allow, never one above `limit_offset` (the high watermark); may roll the
 * active one to delete it. Time is the records' own; `now_ms` -1: it is not known,
 * and nothing goes by its age. */
int mlog_retain(struct mlog *log, int64_t now_ms, int64_t limit_offset, struct mlog_retained *out,
    struct err *err);

/* What retention goes by. */
struct mlog_oldest {
	int64_t segments, bytes; /* all there are */
	int64_t first_bytes;     /* of the oldest one */
	int64_t newest_ms;       /* its largest timestamp; -1: it holds nothing */
	int64_t next_base;       /* of the one behind it; -1 none */
};

/* Looks at the names and sizes in the directory of a log, which need not be open and may
 * be used by its owner. ERR_NOT_FOUND, ERR_AGAIN if files vanish meanwhile. */
int mlog_look_oldest(struct os *os, const char *dir, struct mlog_oldest *out, struct err *err);

/* Loads producer state (newest snapshot, then headers up to the end). */
int mlog_load_producers(struct mlog *log, struct err *err);

/* Base of the first segment; -1 of a partial log, which does not know it. */
int64_t mlog_first_base(const struct mlog *log);

/* Total size in bytes of the .log files of a whole log. */
int64_t mlog_bytes(const struct mlog *log);

#endif
