/*
 * places: what the operands of mq-dump-log and mq-index mean on disk.
 *
 *   FILE            itself
 *   DIR             a partition's directory, or a store's: all its partitions
 *   TOPIC[:PARTS]   partitions of the store; TOPIC may be a glob, PARTS as -p's
 *
 * A path that exists is a path; -t says that a topic is meant. Nothing is
 * locked and no metadata is read: a copied directory is as good as a store.
 */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "cli/options.h"
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
	char *path;    /* owned */
};

struct places {
	struct os *os;
	const char *store;                  /* where topics are looked for */
	const struct partition_set *wanted; /* -p; of topics and store directories */
	struct place *items;                /* owned */
	size_t count, cap;
};

/* The store that is meant: -d, MQ_DIR, else the user's own. `why` says which.
 * ERR_INVALID if nothing says where. */
int places_store(const struct options *o, struct buf *store, const char **why, struct err *err);

/* Add what an operand, or -t's value, stands for. -1: ERR_NOT_FOUND (says what
 * there is), ERR_INVALID (PARTS), or of the machine. */
int places_add(struct places *p, const char *operand, struct err *err);
int places_add_topic(struct places *p, const char *topic, struct err *err);
void places_release(struct places *p);

/* The files of a place in order: segment by segment .log, .index, .timeindex,
 * .txnindex, .snapshot, then the others that belong to a partition; `segments`:
 * only the .log files. A replacement that was interrupted (.log.swap) stands in
 * for its .log. */
int place_files(struct os *os, const struct place *place, bool segments, struct strings *files,
    struct err *err);

#endif
