/* bounds: where a partition of a store begins and ends, for tests. */
#ifndef LIB_BOUNDS_H
#define LIB_BOUNDS_H

#include "store/store.h"

/* 0..0 if it has no directory. Returns 0, or -1 with err. */
int partition_bounds(struct store *s, const char *topic, int32_t partition, int64_t *start,
    int64_t *end, struct err *err);

#endif
