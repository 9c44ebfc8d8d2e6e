/*
 * dump_damage: what is bad about the batches of one file, what is lost by it,
 * and where the next good one is.
 *
 * Base offset and leader epoch are outside the checksum, so they are held
 * against the batches around them: a flipped one makes the batch overlap the
 * one before or the one behind.
 */
#ifndef CLI_DUMP_DAMAGE_H
#define CLI_DUMP_DAMAGE_H

#include "cli/dump.h"
#include "log/segment.h"

struct damage {
	struct dump *d;
	struct scan scan;
	int64_t base;  /* of the segment; -1: its name does not tell */
	int64_t limit; /* offsets are below: the next segment's, or the index's */
	bool last_segment;      /* no later one lies beside it */
	int64_t recovery_point; /* of the partition; -1: not known */
	bool seen;              /* a batch: */
	struct batch before;    /* the last one that was in order; its bytes are gone */
	int64_t before_at;      /* its position */
	int64_t floor;          /* the least that its base offset could be */
	int32_t floor_epoch;
	bool ended; /* nothing good follows */
};

int damage_begin(struct damage *at, struct dump *d, int fd, struct err *err);
void damage_end(struct damage *at);

/* Tells if offsets and epochs do not follow. The scan stands behind `b`. */
void damage_in_order(struct damage *at, const struct batch *b);

/* After scan_next failed with ERR_CORRUPT: tells what is bad and moves to the
 * next good batch, or notes the torn tail and ends. 0, or -1 of the machine. */
int damage_of_batch(struct damage *at, struct err *err);

/* Records that cannot be read, behind a good checksum: `err` says why. 0 when
 * that was damage, -1 when it was the machine. */
int damage_of_records(struct damage *at, const struct batch *b, int64_t position,
    struct err *err);

#endif
