/*
 * compact: keeps the last value of each key, by Kafka's rules, below the active
 * segment of one partition.
 *
 * What stays, of the finished segments below the limit:
 *  - of each key the record with the largest offset; an older one goes if a
 *    newer one lies below the limit, too. Records without a key go;
 *  - a tombstone (null value) until its batch's delete horizon has passed: the
 *    first compaction that meets it sets the horizon to its own time plus
 *    delete.retention.ms (attribute bit 6; the base timestamp then holds it);
 *  - of an aborted transaction no record; its marker, and that of a committed
 *    one, until a compaction that met none of its records, plus the same time;
 *  - the last batch of each live producer, and the batch that ends at the limit,
 *    without records if none stays, so that sequences and offsets survive.
 * Offsets, epochs, sequences, codec and timestamps stay as they are; a batch of
 * which all stays is copied byte for byte.
 *
 * Invariants
 *  1. Two passes: the dirty part's keys go into a map of bounded memory, then
 *     every segment from the first one on is copied. If not all keys fit, what
 *     is mapped is cleaned, and another round begins there.
 *  2. Small neighbours become one segment, never above segment.bytes, the index
 *     limits or the range of offsets in one segment.
 *  3. Each group of segments is replaced on its own: written as .cleaned and
 *     synced, renamed .swap (from here on the new ones count; recovery finishes
 *     the rest), old ones renamed .deleted, .swap taken off, old ones removed;
 *     names are synced in between. Groups go from low offsets to high, so a
 *     tombstone is never gone before what it deletes.
 *  4. At most one batch is in memory, and one record of a compressed one.
 *  5. All but the renaming is done on a view of its own, made when it begins: the log
 *     may be appended to, rolled, and cut at its start meanwhile, by another thread.
 *
 * Sources: Kafka's Cleaner, LogCleanerManager, CleanedTransactionMetadata,
 * MemoryRecords.filterTo; KIP-58, KIP-354, KIP-534.
 */
#ifndef LOG_COMPACT_H
#define LOG_COMPACT_H

#include "log/mlog.h"

#define COMPACT_MEMORY_DEFAULT ((size_t)128 << 20) /* log.cleaner.dedupe.buffer.size */
#define COMPACT_PRODUCER_EXPIRE_MS 86400000        /* producer.id.expiration.ms */

struct compact_args {
	int64_t first_dirty_offset; /* cleaner-offset-checkpoint; one that is not
	                               within the log counts as the log start */
	int64_t limit_offset;       /* nothing at or above: high watermark, or the end of
	                               what is stable; INT64_MAX: the caller knows that no
	                               transaction is open */
	int64_t now_ms;             /* wall clock */
	size_t memory_bytes;        /* for the key map, 24 a key; half as much again while
	                               it grows. 0: COMPACT_MEMORY_DEFAULT */
	int64_t producer_expire_ms; /* a producer idle for longer is not live; 0:
	                               COMPACT_PRODUCER_EXPIRE_MS; -1: all are live */
	bool expire; /* also when nothing is dirty: tombstones and markers go that may */
	bool (*stop)(void *ctx); /* asked now and then; NULL: never stop */
	void *ctx;
};

#define COMPACT_ALL INT64_MAX /* bytes of a step: as many as there are */

struct compact_result {
	int64_t first_dirty_offset; /* for the checkpoint; also after an error or stop */
	int64_t segments_in, segments_out; /* finished ones below the limit */
	int64_t bytes_in, bytes_out;       /* of their .log */
	int64_t records_kept;              /* by the last round */
	int64_t records_dropped;           /* by all rounds */
	int rounds;
	bool stopped; /* by `stop`: what was replaced stays so */
};

/* Compacts now, due or not. The log goes on as it was: end, tail, producers.
 * Finished segments that are not durable are synced first. `out` is filled also
 * on failure, after which the segments not yet replaced are as they were and
 * the temporary files are gone; the log takes appends unless `failed` (a rename
 * or sync went wrong half-way: open it anew, which finishes the replacement).
 * Where others open the log by a tail, one with `replacing` was told to them before;
 * log->tail has it afterwards if something is left to be done.
 * Errors: ERR_NO_SPACE, ERR_IO, ERR_NOMEM, ERR_CORRUPT (rot, with file and
 * byte), UNSUPPORTED_COMPRESSION_TYPE. */
int mlog_compact(struct mlog *log, const struct compact_args *args, struct compact_result *out,
    struct err *err);

/* --- when ------------------------------------------------------------------------------ */

/* What there is to decide upon. */
struct compact_state {
	int64_t first_dirty_offset;
	int64_t limit_offset;      /* base of the first segment that may not be cleaned */
	int64_t clean_bytes;       /* of segments below the first dirty offset */
	int64_t dirty_bytes;       /* of those from there up to the limit */
	int64_t earliest_dirty_ms; /* time of the oldest dirty batch; -1: none is known.
	                              Looked for only if max.compaction.lag.ms is set */
};

/* Fills it from the same arguments as mlog_compact. */
int mlog_compact_state(struct mlog *log, const struct compact_args *args,
    struct compact_state *out, struct err *err);

/* The same from the names in the directory of a log, which need not be open and may be
 * used by its owner; of the log [start_offset, end_offset) is known (INT64_MAX: not).
 * ERR_NOT_FOUND if files vanish meanwhile. */
int compact_look(struct os *os, const char *dir, const struct mlog_config *config,
    const struct compact_args *args, int64_t start_offset, int64_t end_offset,
    struct compact_state *out, struct err *err);

/* Kafka's decision: the dirty ratio is above min.cleanable.dirty.ratio, or
 * something cleanable is dirty and max.compaction.lag.ms has passed. */
bool compact_is_due(const struct mlog_config *config, const struct compact_state *state,
    int64_t now_ms);

/* --- step by step, beside the log's owner -------------------------------------------- */

/*	begin (owner) -> step ... -> swap (owner) -> step ... -> end
 *
 * mlog_compact is made of these. The steps and the end make file calls only, on any
 * thread, one at a time; the log may meanwhile be used by its owner, but not closed. */
struct compaction;

/* Looks at what the log is now. On failure NULL. */
struct compaction *compaction_begin(struct mlog *log, const struct compact_args *args,
    struct err *err);

enum compact_step {
	COMPACT_DONE,
	COMPACT_MORE, /* the bytes are spent */
	COMPACT_SWAP, /* a group is ready: compaction_swap is next */
};

/* Goes on, for about `bytes` read. An enum compact_step, or -1: nothing but the end is
 * left to do. ERR_NOT_FOUND: segments went meanwhile. */
int compaction_step(struct compaction *c, int64_t bytes, struct err *err);

/* What there was when it began, for a look whether it is due; before the first step. */
int compaction_state(struct compaction *c, struct compact_state *out, struct err *err);

/* Puts the group in its place. ERR_AGAIN: what it is to replace is not there any more.
 * Otherwise as mlog_compact. */
int compaction_swap(struct compaction *c, struct mlog *log, struct err *err);

/* Gives up what is not done, and frees; fills `out` unless it is NULL. False: temporary
 * files are left, which the next to open the log shall remove (log->tail.replacing). */
bool compaction_end(struct compaction *c, struct compact_result *out);

#endif
