/*
 * indexes: what mq-index does with the indexes of one partition's segments.
 *
 *   index_check.c    holds them against their .log, and replicas against each other
 *   index_rebuild.c  makes them anew from it
 *   index_lookup.c   uses them as a reader would, and says what that cost
 *   index_lock.c     keeps writers away meanwhile
 *
 * Rows are printed as they come; the caller made the table with the columns that
 * belong to the command.
 */
#ifndef CLI_INDEXES_H
#define CLI_INDEXES_H

#include "base/range.h"
#include "cli/places.h"
#include "cli/print.h"
#include "log/segment.h"
#include "store/locks.h"

/* A partition's directory, or one segment of it. */
struct segments {
	struct os *os;
	const char *dir;
	int64_t only; /* this base; -1: all */
};

/* grade (bad, note), file, pos, problem, detail */
extern const struct column index_check_columns[5];

/* Holds indexes against their segments, and the segments' own batches against
 * themselves (log/verify.h). Adds what is bad to `*damaged`; notes are no damage.
 * 0, or -1 of the machine. */
int index_check(const struct segments *s, struct print *out, int64_t *damaged, struct err *err);

/* Compares two replicas of a partition; `compacted`: either may lack what the
 * other has thinned out. */
int index_compare(struct os *os, const char *dir_a, const char *dir_b, bool compacted,
    struct print *out, int64_t *damaged, struct err *err);

/* file, bytes, offsets, times, aborted, changed */
extern const struct column index_rebuild_columns[6];

/* Rebuilds as Kafka writes them. `interval` is index.interval.bytes. `dry`: only
 * says what would change. Where the .log itself is damaged, the indexes end
 * there: `*damaged`. */
int index_rebuild(const struct segments *s, int64_t interval, bool dry, struct print *out,
    int64_t *damaged, struct err *err);

/* file, entry, entry_pos, offset, last, pos, scanned */
extern const struct column index_lookup_columns[7];

/* Looks up a point (offset, +N, beginning, or a time): the segment, the index
 * entry from which a reader begins, the batch that it comes to, and the bytes
 * passed over on the way. 1: found; 0: nothing there; -1. */
int index_lookup(const struct segments *s, const struct point *at, struct print *out,
    struct err *err);

/* Keeps writers away from a partition that lies in a store, by the store's own
 * protocol; elsewhere there is nobody to keep away. Waits at most `wait_ms`
 * (ERR_BUSY); -1: as long as one does, but not for an mqd to end. Ends with partition_unlock_replaced. */
int index_lock(struct partition_lock *l, struct os *os, const char *dir, int64_t wait_ms,
    struct err *err);

#endif
