/*
 * ends: start, end and record times of partitions, each asked for once in a run:
 * a thousand groups that read one topic stand in the same few partitions.
 *
 * What is told is as of when it was first asked for, but never older than an
 * offset that the caller knows of.
 */
#ifndef CLI_ENDS_H
#define CLI_ENDS_H

#include "base/map.h"
#include "cli/positions.h"

struct ends {
	struct map known; /* "TOPIC-N" -> struct known_end, owned */
	size_t open_count;
};

void ends_init(struct ends *e);
void ends_release(struct ends *e, struct target *t);

/* As positions_resolve, for the end: fills start and end of those that are there.
 * One whose `seen` is beyond the end that is known is asked for again. */
int ends_resolve(struct ends *e, struct target *t, struct positions *p, struct err *err);

/* As position_time; the last answer for each partition is kept, and up to 256
 * partitions are kept open. */
int ends_time(struct ends *e, struct target *t, const struct position *at, int64_t offset,
    int64_t *timestamp, struct err *err);

#endif
