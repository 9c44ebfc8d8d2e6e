/* What the files that make up compact share; nobody else includes it. */
#ifndef LOG_COMPACT_IMPL_H
#define LOG_COMPACT_IMPL_H

#include "base/map.h"
#include "log/compact.h"
#include "log/mlog_impl.h"

/* --- keys: compact_map.c ------------------------------------------------------------ */

/* The newest offset of each key, which is known by its keyed hash alone: with
 * 128 bits that nobody can aim at, two keys never meet. */
struct key_slot {
	uint64_t hash[2];
	int64_t offset_1; /* offset + 1; 0: the slot is empty */
};

struct key_map {
	struct key_slot *slots;
	size_t slot_count, slot_max; /* now, and at most */
	size_t used;
	uint64_t key[2]; /* drawn for each compaction */
};

/* SipHash-2-4 with 128 bits of result. */
void siphash(const uint64_t key[2], const void *data, size_t len, uint64_t out[2]);

/* Bounded by `memory_bytes`, but with room for a few keys at least. */
void key_map_init(struct key_map *m, struct os *os, size_t memory_bytes);
void key_map_release(struct key_map *m);
void key_map_clear(struct key_map *m);

/* Sets the offset of a key, which is above those set before. 1; 0: the map is
 * full and unchanged; -1. */
int key_map_put(struct key_map *m, const void *key, size_t len, int64_t offset,
    struct err *err);

/* The offset of a key, or -1. */
int64_t key_map_get(const struct key_map *m, const void *key, size_t len);

/* --- transactions: compact_txn.c ------------------------------------------------------ */

struct txn_aborted {
	struct aborted_txn entry;
	bool seen; /* a batch of it was met since txn_walk_begin */
};

/* Which transactions are under way while batches are walked in order. */
struct txn_walk {
	struct txn_aborted *aborted; /* all of the log's, by first offset */
	size_t count, cap, next;
	int64_t from; /* the walk began here: what ended before is over */
	struct map open_aborted;   /* producer id -> struct txn_aborted */
	struct map open_committed; /* producer id -> anything */
};

/* Reads every .txnindex. */
int txn_walk_load(struct txn_walk *w, struct mlog *log, struct err *err);
void txn_walk_release(struct txn_walk *w);

/* Starts a walk at `offset`. */
void txn_walk_begin(struct txn_walk *w, int64_t offset);

/* Takes in the next batch. `discard`: of data, it is of an aborted transaction;
 * of a marker, no record of its transaction was met. `keep`, else NULL, is the
 * .txnindex entry to go with an abort marker that stays. */
int txn_walk_batch(struct txn_walk *w, const struct batch *b, bool *discard,
    const struct aborted_txn **keep, struct err *err);

/* --- output: compact_out.c ------------------------------------------------------------- */

#define OUT_FILES 4

struct out_file {
	int fd; /* -1: not open */
	int64_t size; /* of what was written; `buf` comes behind it */
	struct buf buf;
};

/* One new segment, under its .cleaned names. */
struct out_segment {
	int64_t base;
	struct out_file files[OUT_FILES]; /* by enum segment_kind; .txnindex if needed */
	struct mlog_tail tail;
	struct tindex_entry last_time;
};

/* What replaces one group of segments: one segment, or more if they grew. */
struct out_group {
	struct mlog *log;
	struct out_segment **segments; /* by base */
	size_t count;
	int64_t unsynced; /* bytes written since out_sync */
};

int out_begin(struct out_group *g, int64_t base, struct err *err);
int out_batch(struct out_group *g, const struct batch *b, struct err *err);
int out_aborted(struct out_group *g, const struct aborted_txn *a, struct err *err);

/* Makes durable what was written, if that is much by now: so that the sync at the end
 * is short, and nobody else's waits for all of it. */
int out_sync(struct out_group *g, struct err *err);

/* Writes what is buffered and the closing entry, syncs, closes. */
int out_finish(struct out_group *g, struct err *err);

/* Removes all that bears a temporary name. While one is left nothing may be
 * replaced: recovery would take it for part of that replacement. */
int out_abandon(struct out_group *g, struct err *err);

void out_release(struct out_group *g); /* closes and frees */

/* --- replacement: compact_swap.c --------------------------------------------------------- */

/* Puts a finished group in the place of segments number `at` to `at + count` - 1 of the
 * view, in the log and in the view. On failure either nothing has changed (ERR_AGAIN: the
 * log has not got these segments any more), or the log has `failed`. The old files are
 * left under their .deleted names. */
int compact_swap(struct mlog *log, struct mlog *view, struct out_group *g, size_t at,
    size_t count, struct err *err);

/* Removes the .deleted files of a base. -1: some cannot be, which was noted. */
int compact_remove_deleted(struct os *os, const char *dir, int64_t base);

/* --- what is compacted: compact.c ------------------------------------------------------------ */

/* Where the dirty part begins, by a checkpoint. */
int64_t compact_first_dirty(const struct mlog *log, int64_t checkpoint);

/* Base of the first segment that may not be cleaned: the active one, one that
 * reaches the limit, or a dirty one that is younger than min.compaction.lag.ms. */
int compact_find_limit(struct mlog *log, const struct compact_args *args, int64_t dirty,
    int64_t *limit, struct err *err);

/* What there is to decide upon, of a log or a view of one. */
int compact_state_of(struct mlog *log, const struct compact_args *args,
    struct compact_state *out, struct err *err);

/* --- the two passes: compact_run.c, compact_keys.c, compact_copy.c -------------------------- */

/* A producer that is live, as the log knew it. */
struct live_producer {
	int64_t id;
	int64_t last_offset; /* of its last batch; -1: there is none but markers */
	int16_t epoch;
};

enum compact_phase {
	PHASE_BEGIN,
	PHASE_ROUND,  /* what next? */
	PHASE_MAP,
	PHASE_GROUP,  /* the next segments that become one */
	PHASE_COPY,
	PHASE_FINISH,
	PHASE_SWAP,   /* the owner's turn */
	PHASE_REMOVE, /* what was replaced */
	PHASE_DONE,
};

struct compaction {
	struct mlog view;         /* the log as it was; its segments are our own */
	struct mlog *log;         /* the view */
	struct compact_args args;
	struct compact_result result;
	struct live_producer *live; /* by id */
	size_t live_count;
	unsigned cuts; /* the log's, then */
	enum compact_phase phase;
	int64_t budget; /* bytes that may yet be read in this step */
	bool expire;    /* a round although nothing is dirty */
	bool rests;     /* temporary files could not be removed */
	size_t at;      /* segment in work */
	bool reading;   /* and it is open for the scan */
	size_t group, group_count; /* segments of the group in work */
	int64_t *gone;  /* bases of those that were replaced */
	size_t gone_count;
	struct key_map keys;
	struct txn_walk txns;
	int64_t start; /* of this round: the first dirty offset */
	int64_t limit; /* nothing at or above; a segment's base */
	int64_t end;   /* all below it is mapped */
	int64_t kept;  /* records, in this round */
	struct scan scan;
	struct record_reader reader;
	struct batch_builder builder;
	struct buf keep; /* a bit for each record of the batch in work */
	struct out_group out;
	bool changed; /* something of the group in work was dropped or rewritten */
};

/* True, and so noted, if the caller wants no more. */
bool compact_stopped(struct compaction *c);

/* Opens segment number c->at for the scan, at its start; and ends that. */
int compact_open(struct compaction *c, struct err *err);
void compact_close(struct compaction *c);

/* Stands at the segment that holds the round's start. */
void compact_map_begin(struct compaction *c);

/* Maps the keys from there up to the limit, or till the map is full; sets c->end.
 * 1; 0: the budget is spent; -1. */
int compact_map_keys(struct compaction *c, struct err *err);

/* Copies what stays of segment number c->at to c->out. 1; 0: the budget is spent; -1. */
int compact_copy(struct compaction *c, struct err *err);

#endif
