/*
 * index: the two sparse indexes of one segment.
 *
 *   oindex  BASE.index      8-byte entries: offset - base, byte position
 *   tindex  BASE.timeindex  12-byte entries: timestamp, offset - base
 *
 * Both are big-endian, sorted, and appended to. An index is a cache of its
 * segment: it is never trusted beyond the segment's end, what a lookup gives is
 * checked against the batch it points at, and it can be made anew at any time.
 *
 * Invariants
 *  1. Relative offsets and positions of an oindex strictly increase; so do
 *     timestamps of a tindex, and its offsets do not decrease.
 *  2. Files are whole entries. A partial one, or the zeros that a Kafka which
 *     was killed leaves behind (it preallocates), count as the end.
 *  3. Lookup is a binary search by reads of one page; the last page is kept.
 *
 * Knows files and bytes; knows nothing of batches or topics.
 * Sources: Kafka's AbstractIndex, OffsetIndex, TimeIndex.
 */
#ifndef LOG_INDEX_H
#define LOG_INDEX_H

#include "base/error.h"
#include "os/os.h"

#define OINDEX_ENTRY 8
#define TINDEX_ENTRY 12

struct oindex_entry {
	int64_t offset;   /* last offset of the batch */
	int64_t position; /* where the batch begins in the .log */
};

struct tindex_entry {
	int64_t timestamp; /* largest up to and with the batch */
	int64_t offset;    /* last offset of the batch that has it */
};

/* What both kinds are made of. */
#define INDEX_PAGE 4080 /* bytes; whole entries of either kind */
struct index_file {
	struct os *os;
	int fd; /* -1: not open */
	int entry_size;
	int64_t base;  /* offset that the entries are relative to */
	int64_t count; /* entries */
	bool unsynced; /* written to since the last sync */
	int64_t page_at;  /* byte in the file of what `page` holds */
	int64_t page_len; /* 0: nothing */
	uint8_t page[INDEX_PAGE];
};

struct oindex {
	struct index_file file;
	struct oindex_entry last; /* (base, 0) while empty */
};

struct tindex {
	struct index_file file;
	struct tindex_entry last; /* (-1, base) while empty */
};

/* Opens for reading (`write` false; ERR_NOT_FOUND if it is not there), or for
 * appending (made if it is not there; a partial entry and zeros at the end are
 * cut off). */
int oindex_open(struct oindex *ix, struct os *os, const char *path, int64_t base, bool write,
    struct err *err);
int tindex_open(struct tindex *ix, struct os *os, const char *path, int64_t base, bool write,
    struct err *err);

/* Closes the file; nothing is synced. */
void oindex_close(struct oindex *ix);
void tindex_close(struct tindex *ix);

/* Entry number `n`, which is below the count. */
int oindex_get(struct oindex *ix, int64_t n, struct oindex_entry *out, struct err *err);
int tindex_get(struct tindex *ix, int64_t n, struct tindex_entry *out, struct err *err);

/* The entry at or before `offset`, or (base, 0). */
int oindex_lookup(struct oindex *ix, int64_t offset, struct oindex_entry *out, struct err *err);

/* The entry at or before `timestamp`, or (-1, base). */
int tindex_lookup(struct tindex *ix, int64_t timestamp, struct tindex_entry *out,
    struct err *err);

/* The last entry at or below `offset`, or (-1, base). */
int tindex_lookup_offset(struct tindex *ix, int64_t offset, struct tindex_entry *out,
    struct err *err);

/* Adds an entry for the batch with `last_offset` that begins at `position`. One
 * that does not advance is ignored. ERR_NO_SPACE leaves the index as it was. */
int oindex_append(struct oindex *ix, int64_t last_offset, int64_t position, struct err *err);

/* As Kafka's maybeAppend: ignored unless `timestamp` is above the last one's. */
int tindex_append(struct tindex *ix, int64_t timestamp, int64_t offset, struct err *err);

/* Drops the entries of batches that begin at or after `position`, or of those
 * at or above `offset`. */
int oindex_cut(struct oindex *ix, int64_t position, struct err *err);
int tindex_cut(struct tindex *ix, int64_t offset, struct err *err);

/* Entries that fit into segment.index.bytes; a tindex keeps one slot spare for
 * the entry written at roll. */
static inline int64_t
oindex_max(int64_t segment_index_bytes)
{
	return segment_index_bytes / OINDEX_ENTRY;
}

static inline int64_t
tindex_max(int64_t segment_index_bytes)
{
	return segment_index_bytes / TINDEX_ENTRY - 1;
}

/* Entries in their file form. */
void oindex_encode(const struct oindex_entry *e, int64_t base, uint8_t out[OINDEX_ENTRY]);
void tindex_encode(const struct tindex_entry *e, int64_t base, uint8_t out[TINDEX_ENTRY]);

#endif
