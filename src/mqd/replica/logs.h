/*
 * logs: the partitions' logs of one log directory, as the loop uses them.
 *
 * lib/log is plain synchronous code. Here its logs are owned by one worker
 * (WORKER_WRITE), which runs short jobs in order; the loop keeps of each log only
 * what completions tell it. Syncs run beside, one at a time, over all that was
 * written since the last (group commit). Reads of what is resident are done on the
 * loop; all other reads on WORKER_READ, over the files, beside the writer.
 *
 * Invariants
 *  1. No struct mlog is touched outside WORKER_WRITE (its jobs, or before the first).
 *  2. start <= synced <= end; `synced` is what a completed sync has proved.
 *  3. Completions of one log's appends come in the order of the calls.
 *  4. After a storage error the directory takes nothing more (promise 6): every
 *     later append fails with KAFKA_STORAGE_ERROR, synced offsets stand still, and
 *     `failed` is told once.
 *  5. A log that is not used holds no descriptor and no struct mlog.
 *
 * Knows lib/log, lib/store's pure parts, and os; knows nothing of leaders, requests
 * or the network.
 */
#ifndef MQD_REPLICA_LOGS_H
#define MQD_REPLICA_LOGS_H

#include "base/error.h"
#include "base/uuid.h"
#include "log/batch.h"
#include "log/mlog.h"
#include "log/producers.h"
#include "os/os.h"

struct logs;

struct logs_options {
	const char *dir;
	int64_t disk_min_free; /* disk.min.free: appends are refused below */
	int32_t metadata_epoch_before; /* of the metadata log before this start: hints (mq.tail)
	                                  of this epoch are believed */
	int32_t metadata_epoch;        /* since */
	bool clean;                    /* the last stop was a clean one: believe sizes */
	/* The directory has failed. */
	void (*failed)(void *ctx, const struct err *err);
	void *ctx;
};

struct logs *logs_new(struct os *os, const struct logs_options *o, struct err *err);

/* After logs_stop is done, or as a crash does it. Completions do not come any more. */
void logs_free(struct logs *s);

/* Clean stop: everything synced, recovery points and hints written. */
void logs_stop(struct logs *s, void (*done)(void *ctx, const struct err *err), void *ctx);

/* What of a topic's configuration its logs need. */
struct plog_settings {
	struct mlog_config log;
	int64_t flush_messages; /* flush.messages; 1: each append is synced (the default) */
	int64_t flush_ms;       /* flush.ms; -1 none */
};

/* One partition's log. The upper part is for reading, as of the last completion. */
struct plog {
	int64_t start_offset, end_offset, synced_offset;
	int64_t unstable_offset; /* first offset of the oldest open transaction; -1 none */
	int64_t bytes;           /* of its .log files */
	bool loaded;             /* the above are known: loading is done */
	bool failed;
	/* Called on the loop after any of them moved. */
	void (*moved)(struct plog *l);
	void *ctx;
	const char *topic; /* owned */
	int32_t number;
	struct uuid topic_id;
	struct plog_settings settings;
	struct plog_impl *impl; /* logs*.c */
};

/* A handle; touches no file. NULL: no memory. The directory is made at the first
 * append. A directory of another topic id is put away first (-stray). */
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
	int (*run)(struct plog_job *j, struct mlog *log, struct err *err);
	void (*done)(struct plog_job *j);
	void *ctx;
	struct err err; /* code 0: done well */
	struct plog *log;
	struct os_job os_job;
	struct plog_job *next;
};
void plog_run(struct plog *l, struct plog_job *j);

/* A job that does nothing but load: when it is done the ends are known. */
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
	/* logs' own */
	struct plog *log;
	struct plog_append *next;
};
void plog_append(struct plog *l, struct plog_append *a);

/* --- reading ---------------------------------------------------------------------- */

/* Whole batches from the one that holds `offset` on, all below limit_offset; out of
 * one segment. */
struct plog_read {
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
	int fd;           /* else: verified and resident; pinned until the release */
	int64_t position;
	size_t len;
	struct aborted_txn *aborted_list;
	size_t aborted_count;
	struct plog *log;
	struct os_job os_job;
	void *own;
};

/* 1: answered at once, done is not called; 0: done comes. */
int plog_read(struct plog *l, struct plog_read *r);
void plog_read_release(struct plog_read *r);

/* First offset with a timestamp >= `timestamp`, below limit_offset; or, with
 * PLOG_MAX_TIMESTAMP, the first record of the largest timestamp. -1, -1: none. */
#define PLOG_MAX_TIMESTAMP (-3)
struct plog_find {
	int64_t timestamp, limit_offset;
	void (*done)(struct plog_find *f);
	void *ctx;
	int64_t offset, found_timestamp; /* out */
	int32_t leader_epoch;            /* of that offset; -1 unknown */
	int code;
	struct err err;
	struct plog *log;
	struct os_job os_job;
};
void plog_find(struct plog *l, struct plog_find *f);

/* --- removing --------------------------------------------------------------------- */

/* The topic is gone: the directory is renamed (-delete) and removed, in the
 * background. The handle goes with it; what is under way is told
 * UNKNOWN_TOPIC_OR_PARTITION first. */
void plog_delete(struct plog *l);

#endif
