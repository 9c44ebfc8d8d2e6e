/*
 * snapshot: what the metadata log said up to some offset, as one file beside it
 * (END_OFFSET-EPOCH.checkpoint), in Kafka's format: batches with offsets of their
 * own, the first of them a header with who votes, the last a footer.
 *
 * A snapshot holds only what was committed, so all below its end was durable when it
 * was made. It is whole under its name, or not there: it is written under another,
 * synced and renamed. Source: KIP-630, 853.
 *
 * Knows images and batches; knows no log.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "os/os.h"
#include "store/image.h"

struct snapshot {
	int64_t end_offset; /* of the log, exclusive */
	int32_t epoch;      /* of the last record before it */
};

/* %020d-%010d.checkpoint, and its NUL. */
#define SNAPSHOT_NAME_SIZE 43

void snapshot_name(const struct snapshot *s, char name[SNAPSHOT_NAME_SIZE]);

/* Those in a directory (the metadata log's), newest first; malloc'd, the caller frees.
 * Names of other files, and of snapshots that were never finished, are passed over. */
int snapshot_list(struct os *os, const char *dir, struct snapshot **list, size_t *count,
    struct err *err);

/* Replaces the image by that of the newest snapshot that is sound, or by an empty one
 * where there is none. What is damaged is told by os_note. */
int snapshot_load_newest(struct os *os, const char *dir, struct image *im, struct err *err);

/* Writes the image as one, durable when this returns. */
int snapshot_write(struct os *os, const char *dir, const struct image *im, struct err *err);

/* --- pieces, for those that a format writes ----------------------------------------- */

/* Adds the header's record; `last_ms` is the time of the last record that is in it. */
int snapshot_add_header(struct batch_builder *bb, int64_t last_ms, int64_t now_ms, struct err *err);

/* Seals what the builder holds as the batch at `*offset`, appends it to `file` and
 * begins anew. */
int snapshot_put_batch(struct buf *file, struct batch_builder *bb, int64_t *offset, int32_t epoch,
    struct err *err);
int snapshot_put_footer(struct buf *file, struct batch_builder *bb, int64_t *offset, int32_t epoch,
    int64_t now_ms, struct err *err);

#endif
