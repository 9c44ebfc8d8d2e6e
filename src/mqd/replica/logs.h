/*
 * logs: the partitions' logs of one log directory, as the loop uses them.
 *
 * lib/log is plain synchronous code. Here its logs are owned by one worker
 * (WORKER_WRITE), which runs short jobs in order; the loop keeps of each log only
 * what completions tell it. Syncs run beside, one at a time, over all that was
 * written since the last (group commit). Reads of what is resident are done on the
 * loop; all other reads on WORKER_READ, over the files, beside the writer. Those verify
 * what they read, and give the file itself, if it is much.
 *
 * Invariants
 *  1. No struct mlog is touched outside WORKER_WRITE (its jobs, or before the first).
 *  2. start <= synced <= end; `synced` is what a completed sync has proved.
 *  3. Completions of one log's appends come in the order of the calls.
 *  4. After a storage error the directory takes nothing more (promise 6): every
 *     later append fails with KAFKA_STORAGE_ERROR, synced offsets stand still, and
 *     `failed` is told once.
 *  5. A log that is not used holds no descriptor and no struct mlog.
 *  6. A completion comes from os_turn. Callbacks may call anything here.
 *  7. A directory is made only when no checkpoint file speaks of it, so that what was
 *     said of a deleted topic is never believed of the next one of that name.
 *
 * Knows lib/log, lib/store's pure parts, and os; knows nothing of leaders, requests
 * or the network.
 */
#ifndef MQD_REPLICA_LOGS_H
#define MQD_REPLICA_LOGS_H

#include "base/error.h"
#include "base/uuid.h"
#include "log/batch.h"
#include "log/compact.h"
#include "log/mlog.h"
#include "log/producers.h"
#include "os/os.h"

struct logs;
struct image; /* store/image.h */

struct logs_options {
	const char *dir;
	int64_t disk_min_free; /* disk.min.free: appends are refused below; 0: never */
	int64_t checkpoint_ms; /* log.flush.offset.checkpoint.interval.ms: how often recovery
	                          points and hints are written; 0: LOGS_CHECKPOINT_MS */
	int64_t producer_expire_ms; /* producer.id.expiration.ms; 0: a day */
	size_t open_max;            /* logs that are open at once; 0: LOGS_OPEN_MAX */
	int32_t metadata_epoch_before; /* of the metadata log before this start: hints (mq.tail)
	                                  of this epoch are believed */
	int32_t metadata_epoch;        /* since */
	bool clean;                    /* the last stop was a clean one: believe sizes */
	/* The directory has failed. Every plog has `failed` by then, and is told by `moved`. */
	void (*failed)(void *ctx, const struct err *err);
	/* Does the metadata know the partition? Called from os_turn soon after the start, for
	 * every directory: one that it does not is put away (-stray). NULL: none is. */
	bool (*known)(void *ctx, const char *topic, int32_t number);
	void *ctx;
};

#define LOGS_CHECKPOINT_MS 60000
#define LOGS_PRODUCER_EXPIRE_MS 86400000
#define LOGS_OPEN_MAX 1000   /* each has up to five descriptors */
#define LOGS_IDLE_MS 600000  /* one that was not used for so long is closed */
#define LOGS_SYNC_FDS 1024   /* of one sync: what does not fit waits for the next */

/* Reads the directory's checkpoint files (blocks). What earlier stops left of deleted
 * partitions (-delete) is removed in the background. */
struct logs *logs_new(struct os *os, const struct logs_options *o, struct err *err);

/* After logs_stop is done, and all handles were freed; or as a crash does it, when the
 * os is dead and runs no job any more: then with all handles that are left. */
void logs_free(struct logs *s);

/* Clean stop: everything synced, recovery points and hints written, files closed.
 * Appends are refused from now on (NOT_LEADER_OR_FOLLOWER: timers may bring them), and
 * nothing else is begun; what is under way comes to its end first. `err` is NULL, or says why the stop is not a clean one. Handles stay valid. */
void logs_stop(struct logs *s, void (*done)(void *ctx, const struct err *err), void *ctx);

/* After a stop: logs that the stop before this run, which was not a clean one, may have
 * left damaged, and that nobody has opened since. While there are any, no stop may be
 * called clean, or the next start would believe them. */
size_t logs_unlooked(const struct logs *s);

/* What of a topic's configuration its logs need. */
struct plog_settings {
	struct mlog_config log;
	int64_t flush_messages; /* flush.messages; 1: each append is synced (the default) */
	int64_t flush_ms;       /* flush.ms; -1 none */
	int64_t before_max_ms, after_max_ms; /* message.timestamp.{before,after}.max.ms */
	int compression;                     /* compression.type: a codec, or PLOG_AS_PRODUCED */
	int compression_level;
};

#define PLOG_AS_PRODUCED (-1)

/* What the image says of a topic. */
void plog_settings_resolve(const struct image *im, const char *topic, struct plog_settings *out);

/* Does a sync come after each append? Then what counts is the synced end, else the
 * written one. */
static inline bool
plog_is_synced(const struct plog_settings *s)
{
	return s->flush_messages <= 1;
}

/* One partition's log. The upper part is for reading, as of the last completion. */
struct plog {
	int64_t start_offset, end_offset, synced_offset;
	int64_t unstable_offset; /* first offset of the oldest transaction that is open, or
	                            whose marker is not synced yet; -1 none */
	int64_t bytes;           /* of its .log files */
	bool loaded;             /* the above are known: loading is done */
	bool failed;
	/* Called on the loop after any of them moved, and when the directory failed; after
	 * the `done` of the appends that moved it. NULL: not. */
	void (*moved)(struct plog *l);
	void *ctx;
	const char *topic; /* owned */
	int32_t number;
	struct uuid topic_id;
	struct plog_settings settings;
	struct plog_impl *impl; /* logs*.c */
};

/* What is waiting to be done with a log; the first member of what callers pass. */
struct plog_item {
	struct plog *log;
	struct plog_item *next;
	int kind; /* logs_impl.h */
};

/* A handle; touches no file. NULL: no memory. The directory is made at the first
 * append or job. A directory of another topic id is put away first (-stray). */
struct plog *plog_new(struct logs *s, const char *topic, int32_t number, const struct uuid *topic_id,
    const struct plog_settings *settings);

/* Lets go of the handle; files stay. Nothing may be under way. */
void plog_free(struct plog *l);

/* New settings hold from the next append on. */
void plog_set(struct plog *l, const struct plog_settings *settings);

/* --- jobs: anything, on the writer ---------------------------------------------- */

/* `run` is called on WORKER_WRITE with the log open (recovered if need be), then
 * `done` on the loop, with the plog's upper part up to date. If the log cannot be
 * opened, run is not called and err says why. The struct is the caller's. */
struct plog_job {
	struct plog_item item;
	int (*run)(struct plog_job *j, struct mlog *log, struct err *err);
	void (*done)(struct plog_job *j);
	void *ctx;
	bool alone;     /* not while a sync of the log is under way: for what cuts its end */
	bool look;      /* makes no log: of one that was never written to, run is not called */
	struct err err; /* code 0: done well */
};
void plog_run(struct plog *l, struct plog_job *j);

/* A job that does nothing but load: when it is done the ends are known. Makes no
 * directory: a log that was never written to is empty. */
void plog_load(struct plog *l, struct plog_job *j);

/* --- appending -------------------------------------------------------------------- */

enum append_origin {
	APPEND_CLIENT,      /* sequences and producer epochs are checked (KIP-98, 360) */
	APPEND_COORDINATOR, /* by this broker itself */
	APPEND_REPLICA,     /* as it is: keeps offset, epoch, time */
};

/* One or more whole batches. For clients: exactly one, whose header was checked
 * (batch_check) and, if the records are not compressed, they too; of compressed ones
 * plog_append has them opened on WORKER_CHECK first, keeping the order of the log.
 * Written into: offset, epoch, append time. */
struct plog_append {
	struct plog_item item;
	uint8_t *bytes;
	size_t len;
	enum append_origin origin;
	int32_t leader_epoch;
	bool internal_topic;
	void (*done)(struct plog_append *a); /* written (not synced) or refused */
	void *ctx;
	/* out */
	int code; /* Kafka's: 0, INVALID_RECORD, CORRUPT_MESSAGE, OUT_OF_ORDER_SEQUENCE_NUMBER,
	             INVALID_PRODUCER_EPOCH, MESSAGE_TOO_LARGE, INVALID_TIMESTAMP, KAFKA_STORAGE_ERROR… */
	struct err err; /* the text for it */
	bool duplicate; /* was there already: base_offset is that of the first time */
	int64_t base_offset, last_offset;
	int64_t append_time;  /* -1 unless LogAppendTime */
	int64_t start_offset; /* of the log */
	int32_t bad_record;   /* of INVALID_RECORD and the like: which; -1: the batch */
	/* logs' own */
	struct plog_check {
		struct plog_settings settings;
		int64_t now_ms;
		bool running;
		struct batch_builder *packed; /* the batch in another codec */
		struct os_job os_job;
	} check;
	int64_t written_at; /* byte in the segment; -1: not one place */
	int64_t segment_base;
};
void plog_append(struct plog *l, struct plog_append *a);

/* --- reading ---------------------------------------------------------------------- */

/* Whole batches from the one that holds `offset` on, all below limit_offset; out of
 * one segment. */
struct plog_read {
	struct plog_item item;
	int64_t offset;
	int64_t limit_offset; /* at most end_offset */
	size_t bytes_max;
	bool one_at_least; /* the first batch even if it is larger than bytes_max */
	bool aborted;      /* wanted: aborted transactions that touch what is read */
	void (*done)(struct plog_read *r);
	void *ctx;
	/* out; kept until plog_read_release */
	int code;       /* 0; OFFSET_OUT_OF_RANGE; CORRUPT_MESSAGE (rot: err names the offsets),
	                   KAFKA_STORAGE_ERROR */
	struct err err;
	const void *data; /* with fd -1 */
	int fd;           /* else of this file, as it was verified just now; it stays open,
	                     even if its name goes, until the release */
	int64_t position;
	size_t len;
	struct aborted_txn *aborted_list;
	size_t aborted_count;
	/* logs' own */
	struct os_job os_job;
	void *own;
	struct hot *file; /* that fd is of */
	int64_t start_offset, synced_offset, plain_offset;
	int64_t hot_base;
	int hot_fd;
};

/* 1: answered at once, done is not called; 0: done comes. An offset at limit_offset
 * reads nothing. The log is loaded first, if need be. */
int plog_read(struct plog *l, struct plog_read *r);
void plog_read_release(struct plog_read *r);

/* First offset with a timestamp >= `timestamp`, below limit_offset; or, with
 * PLOG_MAX_TIMESTAMP, the first record of the largest timestamp. -1, -1: none. */
#define PLOG_MAX_TIMESTAMP (-3)
struct plog_find {
	struct plog_item item;
	int64_t timestamp, limit_offset;
	void (*done)(struct plog_find *f);
	void *ctx;
	int64_t offset, found_timestamp; /* out */
	int32_t leader_epoch;            /* of that offset; -1 unknown */
	int code;
	struct err err;
	int64_t start_offset;
	struct os_job os_job;
};
void plog_find(struct plog *l, struct plog_find *f);

/* --- looking ---------------------------------------------------------------------- */

/* What housekeeping goes by, from the names and sizes in the directory: the log is not
 * opened, and its writer not held up. */
struct plog_look {
	bool compaction;      /* also `state` and `due` */
	int64_t limit_offset; /* of a compaction; INT64_MAX: not known */
	void (*done)(struct plog_look *k);
	void *ctx;
	struct err err; /* code 0: done well; ERR_NOT_FOUND: nothing was ever written, or files
	                   went meanwhile, as with ERR_AGAIN */
	/* out */
	int64_t start_offset; /* of the log, as far as it is known */
	struct mlog_oldest oldest;
	struct compact_state state;
	bool due; /* by state */
	/* logs' own */
	struct plog_item item;
	struct os_job os_job;
	struct mlog_config config;
	struct compact_args args;
	int64_t end_offset;
};
void plog_look(struct plog *l, struct plog_look *k);

/* Can the wall clock be believed? Not for an hour after it has jumped. */
bool logs_clock_is_sound(struct logs *s);

/* --- taking away ------------------------------------------------------------------ */

/* Moves the log start up to `offset` (DeleteRecords): durable when it is done. One that
 * is not above the start changes nothing. OFFSET_OUT_OF_RANGE above the end. */
struct plog_trim {
	int64_t offset;
	void (*done)(struct plog_trim *t);
	void *ctx;
	struct err err;       /* code 0: done well */
	int64_t start_offset; /* out */
	/* logs' own */
	struct plog_job job;
	struct plog_trim *next;
};
void plog_trim(struct plog *l, struct plog_trim *t);

/* Deletes the segments below limit_offset that retention allows; none by its age while
 * the clock is in doubt. */
struct plog_retain {
	int64_t limit_offset;
	void (*done)(struct plog_retain *r);
	void *ctx;
	struct err err;
	struct mlog_retained gone; /* out */
	struct plog_job job;       /* logs' own */
};
void plog_retain(struct plog *l, struct plog_retain *r);

/* Compacts what lies below limit_offset (the end of what is stable), if it is due or
 * `always`; beside appends. One at a time for a log; of several each takes its memory.
 * A stop, a deletion or a failure ends it early: what was replaced stays so. */
struct plog_compact {
	int64_t limit_offset;
	size_t memory_bytes; /* log.cleaner.dedupe.buffer.size */
	int64_t bytes_per_second; /* log.cleaner.io.max.bytes.per.second; 0: no limit */
	bool always;
	bool expire; /* also when nothing is dirty: tombstones and markers go that may */
	void (*done)(struct plog_compact *c);
	void *ctx;
	struct err err; /* code 0: done well */
	bool ran;       /* out: it was due */
	struct compact_result result;
	/* logs' own */
	struct plog_job job;
	struct os_job os_job;
	struct mlog_config config;
	int64_t now_ms, first_dirty_offset;
	bool more, swap, swapped, rests, over;
	struct os_timer pause;
	int64_t stepped_ns;
};
void plog_compact(struct plog *l, struct plog_compact *c);

/* --- removing --------------------------------------------------------------------- */

/* The topic is gone: the directory is renamed (-delete) and removed, in the
 * background. What is waiting is told UNKNOWN_TOPIC_OR_PARTITION; then the handle
 * is freed, from os_turn: nothing is called with it after the last `done`. */
void plog_delete(struct plog *l);

#endif
