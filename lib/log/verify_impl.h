/* What the files that make up verify share; nobody else includes it. */
#ifndef LOG_VERIFY_IMPL_H
#define LOG_VERIFY_IMPL_H

#include "log/segment.h"
#include "log/verify.h"

#define VERIFY_INDEX_MAX (256 << 20) /* bytes of an index file that are read */

/* One .index or .timeindex, walked in step with the batches. */
struct verify_index {
	enum segment_kind kind;
	bool there;
	struct buf bytes;
	int64_t count; /* entries in use */
	int64_t at;    /* number of the next one to meet */
	int64_t entry_size;
};

struct verify {
	struct os *os;
	const char *dir;
	const struct verify_args *args;
	struct verify_totals *totals;
	const struct epochs *epochs; /* NULL: not known */
	int64_t base;
	bool last; /* no segment follows */
	int64_t next_base; /* of the one that follows; INT64_MAX */
	struct scan scan;
	int64_t expected; /* next offset */
	int64_t max_timestamp;
	bool max_unknown; /* a batch could not be read */
	struct verify_index offsets, times;
};

/* Counts a finding and hands it on; `f` holds what is not told by the rest. */
void verify_tell(struct verify *v, enum verify_check check, bool damage, enum segment_kind kind,
    struct verify_finding f, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* For files that are no segment's. */
void verify_tell_file(const struct verify_args *args, struct verify_totals *totals,
    enum verify_check check, bool damage, const char *file, const char *text);

/* Reads an index file; says what is wrong with it as a file. */
int verify_index_load(struct verify *v, struct verify_index *ix, enum segment_kind kind,
    struct err *err);

/* The batch at `position` is next: entries that point at it are held against it,
 * those that were passed point at none. */
void verify_index_batch(struct verify *v, const struct batch *b, int64_t position);

/* Bytes up to `position`, offsets up to `offset`, cannot be read: nothing is said
 * of the entries that point there. */
void verify_index_skip(struct verify *v, int64_t position, int64_t offset);

/* No batch follows the byte `size`. */
void verify_index_end(struct verify *v, int64_t size);

int verify_txnindex(struct verify *v, struct err *err);

/* Checks segment v->base. */
int verify_one(struct verify *v, struct err *err);

#endif
