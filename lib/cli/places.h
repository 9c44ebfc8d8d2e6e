/*
 * places: what the operands of mq-dump-log and mq-index mean on disk.
 *
 *   FILE            itself
 *   DIR             a partition's directory, or a store's: all its partitions
 *   TOPIC[:PARTS]   partitions of the store; TOPIC may be a glob, PARTS as -p's;
 *                   or ^REGEX
 *
 * A path that exists is a path; -t says that a topic is meant. Nothing is
 * locked and no metadata is read: a copied directory is as good as a store.
 */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "cli/config.h"
#include "cli/range.h"
#include "os/os.h"

struct strings {
	char **items; /* owned */
	size_t count, cap;
};

int strings_add(struct strings *s, const char *text, struct err *err);
void strings_release(struct strings *s);

enum place_kind { PLACE_FILE, PLACE_PARTITION };

struct place {
	enum place_kind kind;
	bool by_topic; /* named by its topic: its segments are meant, not all its files */
	bool by_store; /* one of a store's own files, found by naming the store */
	char *path;    /* owned */
};

struct places {
	struct os *os;
	const struct options *options;
	struct config config;
	struct partition_set wanted; /* -p; of topics and store directories */
	struct where store;      /* where topics are looked for; chosen when needed */
	struct place *items;         /* owned */
	size_t count, cap;
};

/* Reads -p, -F, -X (unless `take_properties` is false: then it is the caller's)
 * and the configuration. Returns -1: go on; else an exit status,
 * after having said why. Release in any case. */
int places_init(struct places *p, struct os *os, const struct options *o, bool take_properties);
void places_release(struct places *p);

/* Finds what the operands and -t stand for. What is not there is told (and what
 * there is), the others are still found. Returns an exit status. */
int places_find(struct places *p);

/* The files of a place in order: segment by segment .log, .index, .timeindex,
 * .txnindex, .snapshot, then the others that belong to a partition; `segments`:
 * only the .log files. A replacement that was interrupted (.log.swap) stands in
 * for its .log. */
int place_files(struct os *os, const struct place *place, bool segments, struct strings *files,
    struct err *err);

/* Up to where a partition was synced, by the checkpoint of the store around its
 * directory (places_recovery.c): INT64_MAX after a clean stop, -1 if nothing
 * tells. */
int64_t partition_recovery_point(struct os *os, const char *dir);

#endif
