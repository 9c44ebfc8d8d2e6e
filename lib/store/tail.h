/*
 * tail: PARTITION/mq.tail, a hint of ours of where a log ends, which may be deleted at
 * any time: boot id, epoch of the metadata log, what the last writer knew of the end
 * (struct mlog_tail), and how far the wall clock is believed. One line of fixed size
 * with a checksum, so that it can be written over in place.
 *
 * Whom to believe is the reader's to say; share/doc/format.md section 3. Readers go by
 * it without a lock (store_reader), but while a daemon has the store. So whoever has
 * written one, and goes on to write into that log in the same boot and epoch, writes
 * it again before he replaces a segment, with `replacing` set; appends, rolls and
 * deletions are found by the files.
 */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include "log/mlog.h"

#define TAIL_FILE "mq.tail"
#define TAIL_SIZE 320 /* bytes, always */

/* The wall clock as the writers of one boot see it: all share the monotonic one. */
struct tail_clock {
	int64_t offset_ms; /* wall less monotonic, as it is believed; -1 unknown */
	int64_t doubt_ms;  /* monotonic time since which it is another; -1 it is not */
};

struct tail_hint {
	char boot_id[37];
	int32_t epoch; /* of the metadata log */
	struct tail_clock clock;
	struct mlog_tail tail;
	int64_t first_base; /* of the first segment there is; -1 not known */
};

void tail_format(const struct tail_hint *h, char text[TAIL_SIZE]);

/* -1 if it is not whole. */
int tail_parse(struct tail_hint *h, const char *text, size_t len);

/* Reads DIR/mq.tail; -1: there is none that is whole. Writes it, not synced; -1. */
int tail_read(struct tail_hint *h, struct os *os, const char *dir);
int tail_write(const struct tail_hint *h, struct os *os, const char *dir);

/* A clock that has jumped is believed again when it has stayed so for so long. */
#define TAIL_DOUBT_MS 3600000

/* Looks at the clock now, `c` being what the last look left. */
void tail_clock_look(struct tail_clock *c, struct os *os);

#endif
