/*
 * checkpoint_text: the frame that Kafka's checkpoint files share: a line with
 * the version 0, a line with the number of entries, then one entry a line,
 * fields apart by blanks. An empty file has no entries.
 */
#ifndef LOG_CHECKPOINT_TEXT_H
#define LOG_CHECKPOINT_TEXT_H

#include "base/bytes.h"
#include "base/error.h"

#define CHECKPOINT_FIELDS_MAX 3
#define CHECKPOINT_FILE_MAX (64 << 20) /* bytes; a million partitions and more */

struct checkpoint_text {
	const char *at, *end;
	int line;            /* of the entry just read, counted from 1 */
	int64_t left;        /* entries that the count promises */
	int field_count;     /* of each entry */
	struct slice fields[CHECKPOINT_FIELDS_MAX];
};

/* Reads version and count. Returns 0, or -1: ERR_CORRUPT with the line. */
int checkpoint_text_open(struct checkpoint_text *t, const char *text, size_t len, int field_count,
    struct err *err);

/* 1: the next entry is in `fields`; 0: that was all, and as many as promised;
 * -1: ERR_CORRUPT with the line. */
int checkpoint_text_next(struct checkpoint_text *t, struct err *err);

/* A field as a number within [min, max]; ERR_CORRUPT names the line. */
int checkpoint_text_int(const struct checkpoint_text *t, int field, int64_t min, int64_t max,
    int64_t *out, struct err *err);

#endif
