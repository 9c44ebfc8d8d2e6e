/*
 * range: which records are meant, before it is known where they are.
 *
 * -o takes A, A..B, ..B, A..end, where a point is beginning|start|earliest,
 * end|latest, stored, N, +N (N after the beginning), -N (N before the end) or
 * @TIME; behind "@T1.." a time needs no @, and "+1h" counts from T1. kcat's
 * s@MS and e@MS are read too: they set one side and leave the other. The end is
 * exclusive. Whoever reads resolves points into offsets, once, at the start.
 */
#ifndef CLI_RANGE_H
#define CLI_RANGE_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/range.h"

#define RANGE_INIT {{POINT_NONE, 0}, {POINT_NONE, 0}}

/* Reads one -o into `r`, over what earlier ones have set. `now_ms` is the wall
 * clock. Returns 0, or -1: ERR_INVALID with a text that names what was wrong. */
int range_parse(struct range *r, const char *text, int64_t now_ms, struct err *err);

/* A single point, for tools that take no range: not "stored". */
int point_parse(struct point *p, const char *text, int64_t now_ms, struct err *err);

/* Partitions, as -p takes them: "0,2-5"; "-1" stands for any. */
struct partition_set {
	struct partition_span {
		int32_t first, last; /* inclusive */
	} *spans; /* owned; sorted, apart from each other */
	size_t count;
	bool any;
};

/* An empty set is any. */
#define PARTITION_SET_INIT {NULL, 0, false}

/* Adds one -p to the set. Returns 0, or -1: ERR_INVALID, ERR_NOMEM. */
int partition_set_parse(struct partition_set *set, const char *text, struct err *err);
bool partition_set_has(const struct partition_set *set, int32_t partition);

/* The first partition in the set that is not below `partition_count`: to name it
 * when it is not there; -1 if none. */
int32_t partition_set_beyond(const struct partition_set *set, int32_t partition_count);
void partition_set_release(struct partition_set *set);

#endif
