/*
 * reader: reads a partition's directory without a lock, beside a writer, on a
 * read-only mount, or on a copy; for consumers without a daemon, mq-dump-log
 * and mq-index.
 *
 * What it may meet and must survive: a batch half written at the end (read
 * again later, never kept), segments that roll, are deleted, or are replaced by
 * compaction while it reads (the directory is listed again when a name
 * vanishes; X.log is looked for before X.log.swap, so that a replacement is
 * never mistaken for a hole), missing or garbage indexes (it scans), rot (an
 * error that names offsets, then the next good batch).
 */
#ifndef LOG_READER_H
#define LOG_READER_H

#include "log/batch.h"
#include "log/producers.h"
#include "os/os.h"

struct reader; /* opaque */

/* Opens a partition directory. ERR_NOT_FOUND if it is not there. `start_offset`
 * is the log start as far as the caller knows (checkpoint), else 0. */
struct reader *reader_open(struct os *os, const char *dir, int64_t start_offset, struct err *err);
void reader_free(struct reader *r);

/* First offset that can be read, and the end as of now (one past the last
 * whole valid batch); looks at the files anew. */
int reader_bounds(struct reader *r, int64_t *start, int64_t *end, struct err *err);

/* The next reader_next gives the batch that holds `offset`, or the first after
 * it. Costs one index lookup and one short scan. */
int reader_seek(struct reader *r, int64_t offset, struct err *err);

/* 1: the next batch, whole and with a good checksum; its bytes live until the
 * next call. 0: the end for now; more may come. -1: ERR_CORRUPT with file, byte,
 * what was wanted and found and the offsets that are lost; the reader then
 * stands at the next good batch, so that a caller who goes on past errors can.
 * Other errors are of the machine. */
int reader_next(struct reader *r, struct batch *b, struct err *err);

/* What reader_next found bad when it last said ERR_CORRUPT. */
struct reader_damage {
	int64_t segment_base, position; /* where the bad bytes begin */
	enum batch_fault fault;
	uint32_t crc_found, crc_wanted;  /* for BATCH_BAD_CRC */
	int64_t lost_first, lost_last;   /* offsets */
	int64_t next_base, next_position; /* of the next good batch; -1: none known */
};
const struct reader_damage *reader_damage(const struct reader *r);

/* Where the batch just read lies: its segment's base offset and the byte. */
void reader_position(const struct reader *r, int64_t *segment_base, int64_t *position);

/* The file in which it lies: tells it from one that has taken its name since. */
uint64_t reader_inode(const struct reader *r);

/* First offset whose record has a timestamp >= `timestamp` (ms), and that
 * timestamp; -1 and -1 if there is none. Uses time indexes where they are sound. */
int reader_offset_for_time(struct reader *r, int64_t timestamp, int64_t *offset,
    int64_t *found_timestamp, struct err *err);

/* The largest timestamp of any record, -1 if there is none; looks at every segment. */
int reader_newest_time(struct reader *r, int64_t *timestamp, struct err *err);

/* The caller knows (a checkpoint, a hint) that all below `offset` was durable
 * once: bad bytes at the end that hide it are rot and told as such, not taken for
 * a batch that is being written. */
void reader_synced(struct reader *r, int64_t offset);

/* What the caller knows (a hint) of a log that nobody writes to but whoever leaves such
 * hints. With mq.times it saves listing the directory, where the files bear it out. */
struct reader_tail {
	int64_t first;  /* base of the first segment there is; -1: not known */
	int64_t base;   /* of the active segment; -1: nothing is known */
	uint64_t inode; /* its .log's, seen when it was the active one: as long as the name
	                 * leads to it, it was only appended to */
	int64_t end;    /* of the log, at least */
};
void reader_expect(struct reader *r, struct reader_tail tail);

/* The caller knows that no producer is at work below `offset`: no transaction is
 * open there, and none is aborted behind the newest snapshot. Saves replaying
 * headers. */
void reader_without_producers(struct reader *r, int64_t offset);

/* Read committed: end of what is stable (LSO), and the aborted transactions
 * that touch [from, to). Replays batch headers from the newest producer
 * snapshot. `list` is malloc'd, the caller frees it. */
int reader_stable_end(struct reader *r, int64_t *lso, struct err *err);
int reader_aborted(struct reader *r, int64_t from, int64_t to, struct aborted_txn **list,
    size_t *count, struct err *err);

#endif
