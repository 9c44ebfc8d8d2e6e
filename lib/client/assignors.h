/*
 * assignors: who of a group's members reads which partitions, as pure functions.
 *
 * The leader of a group of classic members computes the shares of all (KIP-62), by the
 * assignor that all of them have. They are Kafka's, by name and by what they promise:
 *
 *   range               each topic by itself, in ranges; the first members get more
 *   roundrobin          all partitions of all topics, dealt out in turn
 *   sticky              as even as can be, and as few moves as can be (KIP-54)
 *   cooperative-sticky  the same; what moves is given to nobody in this round, so that
 *                       its holder lets go of it first (KIP-429)
 *
 * range and roundrobin give what Kafka's would give to the last partition; the sticky
 * ones keep the same promises, but may break ties in other ways. Also here: what a
 * member tells the leader of itself (its subscription), and the share (its assignment),
 * in the blobs of JoinGroup and SyncGroup.
 *
 * Knows messages; knows no broker, no connection, and no time.
 */
#ifndef CLIENT_ASSIGNORS_H
#define CLIENT_ASSIGNORS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "wire/wire.h"

enum assignor {
	ASSIGNOR_RANGE,
	ASSIGNOR_ROUNDROBIN,
	ASSIGNOR_STICKY,
	ASSIGNOR_COOPERATIVE,
	ASSIGNOR_COUNT
};

/* Kafka's name, and back; -1: there is no such. */
const char *assignor_name(enum assignor a);
int assignor_parse(const char *name, size_t len, enum assignor *out);

/* Of a Java class: "RangeAssignor". */
int assignor_parse_class(const char *name, size_t len, enum assignor *out);

struct assigned {
	const char *topic;
	int32_t partition;
};

/* A member as it presents itself. The strings are the caller's. */
struct assignee {
	const char *id;
	const char *instance; /* of a static member; or NULL */
	const char **topics;
	size_t topic_count;
	const struct assigned *owned; /* what it had; for the sticky ones */
	size_t owned_count;
	int32_t generation;	/* when it had them; -1 not known */
	struct assigned *share; /* out, in the arena: by topic, then partition */
	size_t share_count;
};

struct assignable {
	const char *name;
	int32_t partition_count; /* 0: it is not there */
};

/* Fills every member's share. `topics` are all that any of them wants, in any order;
 * both arrays may be put in another order. -1: ERR_NOMEM. */
int assign(enum assignor a, struct assignee *members, size_t member_count,
    struct assignable *topics, size_t topic_count, struct arena *arena, struct err *err);

/* --- blobs ------------------------------------------------------------------------- */

/* What a member of these topics says to the leader: appended to `out`. -1: ERR_NOMEM. */
int subscription_encode(
    enum assignor a, const struct assignee *m, struct buf *out, struct err *err);

/* The other way; strings lie in the arena. What is in there but cannot be read is left out;
 * -1: ERR_CORRUPT (not even the topics can), ERR_NOMEM. */
int subscription_decode(enum assignor a, struct wire_bytes blob, struct arena *arena,
    struct assignee *out, struct err *err);

int assignment_encode(const struct assigned *share, size_t count, struct buf *out, struct err *err);

/* The share in the arena. -1: ERR_CORRUPT, ERR_NOMEM. An empty blob is an empty share. */
int assignment_decode(struct wire_bytes blob, struct arena *arena, struct assigned **share,
    size_t *count, struct err *err);

#endif
