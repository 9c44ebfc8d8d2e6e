/*
 * segment: the files of one segment (BASE.log, .index, .timeindex, .txnindex)
 * and their names; how batches are found in a .log; when an index entry is due.
 *
 * Inside lib/log only: writer, recovery, reader and verification are built on
 * it. Descriptors are opened on first use and closed by segment_close.
 *
 * Sources: Kafka's LogSegment, LogFileUtils, FileRecords.
 */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "log/index.h"
#include "log/mlog.h"

#define LOG_PATH_MAX 4352 /* a directory's path, and a name of ours */

/* --- names ------------------------------------------------------------------- */

/* Offsets within a segment are 32 bits wide; above this base they would not fit an
 * offset. No file is named so by Kafka or us. */
#define SEGMENT_BASE_MAX (INT64_MAX - INT32_MAX - 1)

enum segment_kind { SEGMENT_LOG, SEGMENT_INDEX, SEGMENT_TIME, SEGMENT_TXN, SEGMENT_SNAPSHOT };

/* What a suffix behind the kind's says (Kafka's crash-safe replacement). */
enum segment_state { SEGMENT_PLAIN, SEGMENT_CLEANED, SEGMENT_SWAP, SEGMENT_DELETED };

struct segment_name {
	int64_t base; /* of a snapshot: its offset */
	enum segment_kind kind;
	enum segment_state state;
};

/* ".log", ".index", ".timeindex", ".txnindex", ".snapshot". */
const char *segment_suffix(enum segment_kind kind);

/* "", ".cleaned", ".swap", ".deleted". */
const char *segment_state_suffix(enum segment_state state);

/* DIR/%020lld and the suffix. */
void segment_path(char path[LOG_PATH_MAX], const char *dir, int64_t base, const char *suffix);

/* The path of a name. */
void segment_name_path(char path[LOG_PATH_MAX], const char *dir, const struct segment_name *n);

/* Removes the file, if it is there. */
int segment_name_remove(struct os *os, const char *dir, const struct segment_name *n,
    struct err *err);

/* 0, or -1: not one of ours. */
int segment_name_parse(const char *name, struct segment_name *out);

/* The names of a directory that are ours, sorted by base, kind, state. */
struct segment_names {
	struct segment_name *names;
	size_t count, cap;
};

/* Into a zeroed or released struct. ERR_NOT_FOUND if the directory is gone. */
int segment_names_read(struct segment_names *list, struct os *os, const char *dir,
    struct err *err);

/* The same of some kinds only (bits: 1 << SEGMENT_LOG), and all that are not plain:
 * a log of many segments has four times as many names. */
int segment_names_read_some(struct segment_names *list, struct os *os, const char *dir,
    unsigned wanted, struct err *err);
void segment_names_release(struct segment_names *list);

/* The last component of a path ("orders-0"), for messages. */
const char *segment_dir_name(const char *dir);

/* --- batches in a .log --------------------------------------------------------- */

/* Walks the batches of one .log by large reads. Batches are views into its
 * buffer and live until the next call. */
struct scan {
	struct os *os;
	int fd;            /* the caller's */
	int64_t position;  /* of the next batch */
	int64_t limit;     /* bytes from here on are not looked at; INT64_MAX: all */
	bool headers_only; /* do not read or check the records */
	struct buf block;
	int64_t block_at; /* byte in the file of block.data[0] */
	size_t block_size; /* how much to read next */
	int64_t last_size; /* of the batch before, when only headers are read */
	int64_t next_base;  /* base offset in the header behind the batch given; -1 unknown */
	int64_t seen;       /* bytes of the file from its beginning that were looked at */
	int64_t in_vain;    /* bytes checked that were no good batch, since scan_start */
	bool gave_up;       /* too many: scan_find has not looked at all that is there */
	enum batch_fault fault; /* why scan_next said -1 */
	struct batch bad;       /* the header then, as far as it could be read */
};

void scan_init(struct scan *s);
void scan_release(struct scan *s);

/* Stands at byte `position` of `fd`; forgets what was read. */
void scan_start(struct scan *s, struct os *os, int fd, int64_t position);

/* Moves to another byte of the same file, keeping what was read. */
void scan_move(struct scan *s, int64_t position);

/* Forgets what was read: the file may have changed. */
void scan_forget(struct scan *s);

/* What comes is another pass over the file: scan_find begins to count anew. */
void scan_again(struct scan *s);

/* 1: a whole batch with a good checksum and header, and the position is behind
 * it. 0: the end of the file, exactly behind a batch. -1: `fault` says what is
 * wrong at `position`, where it stays, and err->code is ERR_CORRUPT; any other
 * code is of the machine. BATCH_SHORT: the file ends within the batch. */
int scan_next(struct scan *s, struct batch *b, struct err *err);

/* The base offset is outside the checksum. One that leaves a gap behind
 * `expected` into which the next batch fits is wrong, not the next one. For the
 * batch that scan_next just gave. */
bool scan_is_misplaced(const struct scan *s, const struct batch *b, int64_t expected);

/* Looks for the next good batch at or after `from` whose base offset is at
 * least `offset` and within int32 of `segment_base`. 1 (position stands there,
 * and `b` is its header), 0 if there is none, -1. The work of a whole pass is
 * linear, also over bytes that were made to look like batches: when that would
 * take more, the answer is 0 and `gave_up` is set. */
int scan_find(struct scan *s, int64_t from, int64_t offset, int64_t segment_base, struct batch *b,
    struct err *err);

/* "crc 00000000, want 1f2e3d4c" and the like, for the fault just found; before
 * the scan is moved. */
void scan_fault_text(const struct scan *s, char *text, size_t size);

/* What the bad batch's checksum should have been; 0 if it is not all there. */
uint32_t scan_wanted_crc(const struct scan *s);

/* --- accounting ----------------------------------------------------------------- */

/* What a segment of base `base` is before its first batch. */
void segment_begin_tail(struct mlog_tail *t, int64_t base);

struct index_due {
	bool due; /* an offset entry; and, if it advances, a time entry */
	struct oindex_entry offset;
	struct tindex_entry time;
};

/* Takes in a batch that lies at t->size, by Kafka's rule (LogSegment.append),
 * and says which index entries it calls for. */
void segment_account(struct mlog_tail *t, const struct batch *b, int64_t index_interval_bytes,
    struct index_due *due);

/* --- one segment ------------------------------------------------------------------ */

struct segment {
	struct os *os;
	const char *dir; /* the log's */
	int64_t base;
	int64_t size;       /* of the .log in bytes; -1: not looked at yet */
	int64_t created_ms; /* wall clock when this process first saw it */
	int log_fd;         /* -1: not open */
	int txn_fd;
	struct oindex *offsets; /* NULL: not open */
	struct tindex *times;
	bool has_index; /* its .index was there when the directory was listed */
	bool unsynced; /* a finished segment that may hold bytes that are not durable */
	bool lent;     /* its descriptors are in somebody's sync: they stay open */
	bool lent_whole; /* with those of its indexes */
	struct segment *next; /* of those that left the log while they were lent */
};

struct segment *segment_new(struct os *os, const char *dir, int64_t base, struct err *err);
void segment_free(struct segment *s); /* closes, lent or not */
void segment_close(struct segment *s); /* unless it is lent */

/* Makes the files of an empty segment, and their names durable. */
int segment_create(struct segment *s, struct err *err);

/* Opens what is not open yet; for writing. */
int segment_open_log(struct segment *s, struct err *err);
int segment_open_indexes(struct segment *s, struct err *err);

/* 1: the .log is open, and is the one that has the name. 0: another process has
 * deleted it, or put in its place one that it had synced: of what we knew there is
 * nothing left to make durable, and nothing to read. */
int segment_is_current(struct segment *s, struct err *err);

/* Fills s->size from the file if it is not known. */
int segment_stat(struct segment *s, struct err *err);

/* Appends to the .txnindex, which is made on first use. */
int segment_append_aborted(struct segment *s, const struct aborted_txn *a, struct err *err);

/* Syncs what is open: the .log, and indexes that were written to. */
int segment_sync(struct segment *s, struct err *err);
int segment_sync_indexes(struct segment *s, struct err *err);

/* Drops index entries for what lies from byte `position` (offset `offset`) on. */
int segment_cut_indexes(struct segment *s, int64_t position, int64_t offset, struct err *err);

/* Removes all files of the segment (not its snapshot); names are not synced. */
int segment_remove(struct os *os, const char *dir, int64_t base, struct err *err);

/* "orders-0/00000000000000000000.log" in front of an error's text. */
int segment_err(const struct segment *s, enum segment_kind kind, struct err *err);

/* --- rebuilding ----------------------------------------------------------------- */

struct segment_rebuilt {
	int64_t bytes;      /* of whole good batches, from the start on */
	int64_t batches;
	int64_t next_offset;
	int64_t offset_entries, time_entries, txn_entries;
	bool changed; /* a file on disk differed, and was replaced */
};

/* Makes the indexes of segment `base` anew from its .log, as Kafka writes them
 * (a clean stop's, so with the closing time entry), up to the first bad batch.
 * Files that differ are replaced: temporary file, fsync, rename. `producers` is
 * the state at `base`, and is moved on to the end; NULL leaves .txnindex alone.
 * With `dry` nothing is written and `changed` says what would be. */
int segment_rebuild(struct os *os, const char *dir, int64_t base, int64_t index_interval_bytes,
    struct producers *producers, bool dry, struct segment_rebuilt *out, struct err *err);

#endif
