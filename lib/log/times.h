/*
 * times: which part of a log is older than a time, without a look at every segment,
 * and at which offsets the segments begin, without a listing of the directory.
 *
 * PARTITION/mq.times is a hint of ours, which may be deleted at any time: a line
 * for each finished segment that is durable, in order,
 *
 *	END NEWEST EPOCH CRC32C
 *
 * padded to TIMES_LINE bytes: no record below offset END has a timestamp above
 * NEWEST (-1: none has one); EPOCH is the newest leader epoch then. The writer adds
 * a line when it rolls, and removes the file when it cuts the log below an END.
 *
 * Invariants
 *  1. END rises and NEWEST does not fall from line to line, although records'
 *     timestamps need not ascend: a time is found by a binary search.
 *  2. What removes records (retention, compaction) leaves every line true. A
 *     broker that cuts durable records and goes on writes in a new epoch, which
 *     begins below the END of the lines that are true no more.
 *  3. Each line is true by itself; whoever meets one with a wrong checksum goes
 *     without the file.
 */
#ifndef LOG_TIMES_H
#define LOG_TIMES_H

#include "log/mlog.h"

#define TIMES_FILE "mq.times"
#define TIMES_LINE 62 /* bytes */

/* An offset below which no record has a timestamp at or after `timestamp`; 0 if no
 * more is known. */
int64_t times_before(struct os *os, const char *dir, int64_t timestamp);

/* Bases of the segments from the one that holds `first` to the one that begins at
 * `last`, as far as the lines tell: what is gone or merged since is still among them,
 * and what was finished of late may not be. malloc'd. -1 if the lines go beyond `last`,
 * one is not good, or there is no memory: whoever asks lists the directory instead.
 * Reads the file once, from the first line on that matters. */
int times_bases(struct os *os, const char *dir, int64_t first, int64_t last, int64_t **bases,
    size_t *count);

/* The log has just rolled: the segment before the active one is finished, and its
 * largest timestamp is `newest`. Where lines are missing they are made first, from
 * the segments (view_newest). Segments that are not durable wait for a later roll;
 * what fails is left out. */
void times_add(struct mlog *log, int64_t newest);

/* The log is about to end at `offset`. */
int times_cut(struct os *os, const char *dir, int64_t offset, struct err *err);

#endif
