/*
 * checkpoint: the small text files that hold one offset per partition
 * (recovery-point-, log-start-, replication- and cleaner-offset-checkpoint).
 *
 *	0
 *	COUNT
 *	TOPIC PARTITION OFFSET
 *
 * An empty file has no entries. Files are replaced whole (os_replace_file).
 * Source: Kafka's CheckpointFile, OffsetCheckpointFile.
 */
#ifndef LOG_CHECKPOINT_H
#define LOG_CHECKPOINT_H

#include "base/bytes.h"
#include "base/error.h"
#include "os/os.h"

#define RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define LOG_STARTS "log-start-offset-checkpoint"
#define CLEANER_POINTS "cleaner-offset-checkpoint"
#define HIGH_WATERMARKS "replication-offset-checkpoint"

struct checkpoint_entry {
	char *topic; /* owned */
	int32_t partition;
	int64_t offset;
};

struct checkpoint {
	struct checkpoint_entry *entries; /* sorted by topic, partition */
	size_t count, cap;
};

void checkpoint_init(struct checkpoint *c);
void checkpoint_release(struct checkpoint *c);

/* The offset of a partition, or -1. */
int64_t checkpoint_get(const struct checkpoint *c, const char *topic, int32_t partition);

/* Sets or adds; 0, or -1 when memory failed. */
int checkpoint_set(struct checkpoint *c, const char *topic, int32_t partition, int64_t offset,
    struct err *err);

void checkpoint_del(struct checkpoint *c, const char *topic, int32_t partition);

/* Parses the text into an empty checkpoint; ERR_CORRUPT names line and what is
 * wrong, and the entries before it are there. Entries may be in any order; of
 * several for one partition the last holds. */
int checkpoint_parse(struct checkpoint *c, const char *text, size_t len, struct err *err);

/* Reads a file into an initialised, empty checkpoint. ERR_NOT_FOUND if it is
 * not there. */
int checkpoint_read(struct checkpoint *c, struct os *os, const char *path, struct err *err);

/* As checkpoint_read into one that is not initialised, but what is not there, or
 * damaged (which is noted), says nothing, as in Kafka: only the machine's errors are. */
int checkpoint_load(struct checkpoint *c, struct os *os, const char *path, struct err *err);

/* The text of the file, appended; -1 when memory failed. */
int checkpoint_format(const struct checkpoint *c, struct buf *out, struct err *err);

/* Replaces the file, durably. */
int checkpoint_write(const struct checkpoint *c, struct os *os, const char *path, struct err *err);

#endif
