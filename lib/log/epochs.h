/*
 * epochs: which leader epoch began at which offset (leader-epoch-checkpoint).
 *
 *	0
 *	COUNT
 *	EPOCH START_OFFSET
 *
 * Invariant: epochs and start offsets strictly increase from entry to entry.
 * Sources: Kafka's LeaderEpochFileCache, LeaderEpochCheckpointFile; KIP-101,
 * KIP-279, KIP-320.
 */
#ifndef LOG_EPOCHS_H
#define LOG_EPOCHS_H

#include "base/error.h"
#include "os/os.h"

#define EPOCH_NONE (-1)

struct epoch_entry {
	int32_t epoch;
	int64_t start_offset;
};

struct epochs {
	struct epoch_entry *entries;
	size_t count, cap;
	bool dirty; /* differs from the file */
};

void epochs_init(struct epochs *e);
void epochs_release(struct epochs *e);

int epochs_parse(struct epochs *e, const char *text, size_t len, struct err *err);

/* Reads DIR/leader-epoch-checkpoint; a missing file is an empty one. */
int epochs_read(struct epochs *e, struct os *os, const char *dir, struct err *err);

/* Replaces the file if dirty, durably. */
int epochs_write(struct epochs *e, struct os *os, const char *dir, struct err *err);

/* The newest epoch, or EPOCH_NONE. */
int32_t epochs_latest(const struct epochs *e);

/* Notes that `epoch` starts at `start_offset`. An epoch that is not newer is
 * ignored; entries at or above the offset with an older epoch go first, as in
 * Kafka. 0, or -1 when memory failed. */
int epochs_assign(struct epochs *e, int32_t epoch, int64_t start_offset, struct err *err);

/* End of `epoch` for OffsetForLeaderEpoch: the largest known epoch <= it and
 * where that ends. (-1, -1) if undefined or above all. */
struct epoch_entry epochs_end_of(const struct epochs *e, int32_t epoch, int64_t log_end);

/* The epoch of the record at `offset`, or EPOCH_NONE. */
int32_t epochs_at(const struct epochs *e, int64_t offset);

/* Forgets entries that start at or above `end_offset` (truncation, also at an
 * equal end: KAFKA-10706). */
void epochs_truncate_end(struct epochs *e, int64_t end_offset);

/* Forgets entries that end at or below `start_offset`; the one that covers it
 * then starts there. */
void epochs_truncate_start(struct epochs *e, int64_t start_offset);

#endif
