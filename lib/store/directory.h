/*
 * directory: the partitions' directories of a data directory: made, whose they are
 * (partition.metadata), put away, removed. Without locks: the caller has them.
 */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "base/error.h"
#include "base/uuid.h"
#include "os/os.h"

#define STORE_PATH_MAX 4096

/* Removes a directory and the files in it. */
int directory_remove(struct os *os, const char *dir, struct err *err);

/* Renames a partition's directory out of the way, as Kafka does it: `why` is
 * "delete" or "stray", `id` is the topic's, or random; `gone` receives the new name.
 * 1; 0 if it is not there; -1. */
int partition_put_away(struct os *os, const char *store, const char *topic, int32_t number,
    const struct uuid *id, const char *why, char gone[STORE_PATH_MAX], struct err *err);

/* 1 if there is a .log file in a directory, in whatever state; 0, -1. */
int partition_has_log(struct os *os, const char *dir, struct err *err);

/* The topic id in a directory's partition.metadata: 1, 0 if there is none, -1. */
int partition_id_read(struct os *os, const char *dir, struct uuid *id, struct err *err);

/* Makes the directory `dir` in `store`, whose name is then durable. */
int partition_make_directory(struct os *os, const char *store, const char *dir, struct err *err);

/* Writes the topic's id into it, durably. */
int partition_id_write(struct os *os, const char *dir, const struct uuid *id, struct err *err);

#endif
