/*
 * range: which records are meant, before it is known where they are: the type
 * that the command line fills (cli/range.h) and the consumer resolves.
 */
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include <stdint.h>

enum point_kind {
	POINT_NONE, /* not given */
	POINT_BEGINNING,
	POINT_END,
	POINT_STORED, /* the group's committed offset */
	POINT_OFFSET, /* value: the offset */
	POINT_AFTER,  /* value: so many offsets after the beginning */
	POINT_BEFORE, /* value: so many offsets before the end */
	POINT_TIME,   /* value: ms since 1970; the first record at or after it */
};

struct point {
	enum point_kind kind;
	int64_t value;
};

struct range {
	struct point from; /* POINT_NONE: the reader's default */
	struct point to;   /* exclusive; POINT_NONE: without end */
};

#endif
