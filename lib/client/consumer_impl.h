/* What consumer.c and consumer_range.c share; for nobody else. */
#ifndef CLIENT_CONSUMER_IMPL_H
#define CLIENT_CONSUMER_IMPL_H

#include "client/consumer.h"

enum part_state {
	PART_IDLE,     /* another member's, or not started */
	PART_STARTING, /* ours; its start must be resolved */
	PART_READING,
	PART_REVOKING, /* to be committed and released */
	PART_DONE,     /* its range is at its end */
};

/* One partition of a consumer. */
struct part {
	struct fetch_part fetch; /* first; fetch.offset is the position */
	const struct ctopic *of;
	enum part_state state;
	int64_t to;        /* exclusive; -1: follow */
	int64_t delivered; /* one past the last record given out */
	int64_t handled;   /* one past the last record dealt with */
	int64_t committed; /* as of the last commit */
	int64_t skip;      /* records to pass over still (--tail) */
	bool told_end;
	bool is_reset; /* what the group has committed is not in the log */
	bool begun; /* it was resolved once; a group may give it back to us */
};

struct ctopic {
	char *name;
	struct uuid id;
	bool all;  /* also partitions that are added later */
	bool late; /* it was not there at the start: config.wants says which partitions */
	struct ctopic *next; /* of those that are gone */
};

struct consumer {
	struct target *target;
	struct consumer_config config;
	struct ctopic **topics;
	size_t topic_count;
	struct ctopic *gone; /* were deleted; records may still be named after them */
	struct part **parts; /* of all topics, in the order in which they take turns */
	size_t part_count, part_cap;
	size_t turn;
	struct fetch_part **asked; /* the fetch under way */
	size_t asked_cap;
	struct target_member *member;
	struct record_reader reader;
	struct err failure; /* from a group event */
	int64_t refreshed_ns;
	bool stopped; /* a callback said so */
	bool started;
};

/* True if the ranges end: what is added after the start lies behind their ends. */
bool consumer_has_end(const struct consumer *c);

/* Adds a part. Also called while a fetch is under way, which has c->asked: that
 * stays as it is. NULL: ERR_NOMEM. */
struct part *part_add(struct consumer *c, struct ctopic *t, int32_t number, struct err *err);
struct part *part_find(const struct consumer *c, const char *topic, int32_t partition);

/* Takes in what was added to topics, and topics that were added, and drops those
 * that were deleted and may go, when it is time to look. UNKNOWN_TOPIC_OR_PARTITION
 * if another was deleted. Drops parts: not while a fetch is under way. */
int consumer_refresh(struct consumer *c, struct err *err);

/* Looks at the topics at once, or only at those of which the group has just given
 * or taken something. 1: some were dropped; 0; -1 as above. */
int consumer_drop_deleted(struct consumer *c, bool moved_only, struct err *err);

/* Resolves the ends of the ranges of parts[0..count): part->to. */
int consumer_resolve_ends(struct consumer *c, struct part **parts, size_t count, struct err *err);

/* Resolves where to begin: part->fetch.offset and what follows from it. */
int consumer_resolve_starts(struct consumer *c, struct part **parts, size_t count,
    struct err *err);

/* True if a batch belongs to an aborted transaction of the part. */
bool part_is_aborted(const struct part *p, const struct batch *b);

#endif
