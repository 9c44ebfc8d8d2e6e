/*
 * positions: partitions, and where in them a point such as "an hour ago" lies.
 *
 * Ends are the log's, those of open transactions included: what Kafka's admin
 * tools show, and what lag is counted from.
 */
#ifndef CLI_POSITIONS_H
#define CLI_POSITIONS_H

#include "base/range.h"
#include "cli/options.h"
#include "cli/range.h"
#include "client/target.h"

struct position {
	const char *topic; /* the caller's */
	int32_t partition;
	const struct target_topic *of;        /* the caller's; NULL: not there */
	const struct target_partition *about; /* the same */
	int64_t start, end;  /* filled by positions_resolve; -1 if not there */
	int64_t at;          /* the point, within [start, end] */
	int64_t seen;        /* the caller's: an offset that is known of; -1 */
	const void *ctx;     /* the caller's */
};

struct positions {
	struct position *list; /* owned */
	size_t count, cap;
};

/* Reads a tool's -o (one point) and -p. Returns 0, or -1: ERR_INVALID. */
int positions_options(const struct options *o, int64_t now_ms, struct point *point,
    struct partition_set *set, struct err *err);

/* One partition. Returns it, or NULL with err. The pointer lives until the next
 * is added. */
struct position *positions_add(struct positions *p, const char *topic, int32_t partition,
    struct err *err);

/* A topic's partitions, those in the set. -1: UNKNOWN_TOPIC_OR_PARTITION if the
 * set names one that the topic has not, with nothing added; ERR_NOMEM. */
int positions_add_topic(struct positions *p, const struct target_topic *t,
    const struct partition_set *set, struct err *err);
void positions_release(struct positions *p);

/* Fills start, end and at of those that are there. Without a record at or after
 * a time, `at` is the end. */
int positions_resolve(struct positions *p, struct target *t, struct point point, struct err *err);

/* The timestamp of the first record at or after `offset`; -1 if there is none. */
int position_time(struct target *t, const char *topic, int32_t partition, int64_t offset,
    int64_t *timestamp, struct err *err);

/* The same in a part that the caller keeps, and lets go of by target_forget. */
int part_time(struct target *t, struct fetch_part *part, int64_t offset, int64_t *timestamp,
    struct err *err);

#endif
