/*
 * groups: consumer groups of a store without a daemon: committed offsets in
 * __consumer_offsets, live members as locked files, claims on partitions.
 * Protocol: share/doc/format.md section 4.
 */
#ifndef STORE_GROUPS_H
#define STORE_GROUPS_H

#include "store/store.h"

struct group_offset {
	char *topic; /* owned by the list */
	struct uuid topic_id; /* to commit for; zero: whatever topic has the name now */
	int32_t partition;
	int64_t offset;       /* -1: deleted (listed only where commits cannot be read), or a
	                         value that cannot be read */
	int32_t leader_epoch; /* -1 unknown */
	int64_t commit_time_ms;
	char *metadata; /* owned; never NULL */
	bool known;     /* nothing newer can be lost; else the last that can be read */
};

struct group_offsets {
	struct group_offset *list; /* sorted by topic, partition */
	size_t count, cap;
	char *damage; /* owned; NULL, or file and byte of commits that cannot be read */
	bool partial; /* what is not listed may have been among them */
};

void group_offsets_release(struct group_offsets *o);

/* NULL if there is none. */
const struct group_offset *group_offsets_find(const struct group_offsets *o, const char *topic,
    int32_t partition);

/* The offset, or that nothing was committed, or that the newest commit may be one
 * that cannot be read: nobody should go on from an older one as if it were not. */
#define GROUP_OFFSET_NONE (-1)
#define GROUP_OFFSET_UNKNOWN (-2)
int64_t group_offsets_get(const struct group_offsets *o, const char *topic, int32_t partition);

/* All committed offsets of a group; none is an empty list, not an error. A store
 * keeps what it reads here (of this group; once another in the same partition is
 * asked for, of all: at most 128 MiB a partition, and 128 MiB more of others), so
 * that asking again costs only what is new; what is over that is ERR_TOO_LARGE. */
int group_committed(struct store *s, const char *group, struct group_offsets *out,
    struct err *err);

/* Commits offsets in one durable batch (appended and synced when it returns).
 * Makes __consumer_offsets if it is not there. GROUP names may be any non-empty
 * UTF-8 (INVALID_GROUP_ID). */
int group_commit(struct store *s, const char *group, const struct group_offset *offsets,
    size_t count, struct err *err);

/* Names of groups that have a committed offset, group metadata, or a live
 * member; `each` is called once per name, sorted. `damaged`: some could not be read,
 * which was noted. */
int group_list(struct store *s, int (*each)(void *ctx, const char *group), void *ctx,
    bool *damaged, struct err *err);

/* Tombstones for everything of the group. NON_EMPTY_GROUP if it has live
 * members, GROUP_ID_NOT_FOUND. */
int group_delete(struct store *s, const char *group, struct err *err);

/* Tombstones for some partitions of it (Kafka's OffsetDelete). */
int group_delete_offsets(struct store *s, const char *group, const struct group_offset *which,
    size_t count, struct err *err);

/* --- members --------------------------------------------------------------- */

struct group_member {
	char id[23];     /* random, base64url */
	char *client_id; /* owned */
	int32_t pid;
	char **topics; /* owned */
	size_t topic_count;
};

struct group_members {
	struct group_member *list; /* sorted by id; only the living */
	size_t count, cap;
};

void group_members_release(struct group_members *m);

/* Who lives now; removes the files of the dead. */
int group_members(struct store *s, const char *group, struct group_members *out, struct err *err);

/* This process as a member. Its claims are held until left. */
struct membership;

struct membership *membership_join(struct store *s, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, struct err *err);

/* One topic more to share in. ERR_TOO_LARGE: the names that it ever shared in fill
 * its file, which only grows; the topic is left to the other members. */
int membership_add_topic(struct membership *m, const char *topic, struct err *err);

/* Leaves: claims are let go; commits are the caller's affair, before. */
void membership_leave(struct membership *m);

const char *membership_id(const struct membership *m);

struct membership_event {
	enum { MEMBER_ASSIGNED, MEMBER_REVOKE } kind;
	const char *topic; /* the membership's */
	int32_t partition;
};

/* Looks at the members again if something may have changed (directory watch, or
 * 250 ms since; at all of them only if the directory has changed, or 5 s since) and
 * gives one event at a time: 1 with an event, 0 none, -1
 * (UNKNOWN_MEMBER_ID: somebody removed this member's file, or the offsets topic).
 * ASSIGNED: the claim is held: read the committed offset, begin there. REVOKE:
 * finish and commit the partition, then call membership_released. */
int membership_poll(struct membership *m, struct membership_event *ev, struct err *err);
void membership_released(struct membership *m, const char *topic, int32_t partition);

/* Number of claims held, and of those wanted but still held by others. */
void membership_counts(const struct membership *m, size_t *held, size_t *waiting);

/* Range assignment: partitions of each topic over the members that want it,
 * sorted by id, as Kafka's RangeAssignor. Pure. Returns the index of the member
 * that should hold the partition, or -1. */
int assign_range(const struct group_members *m, const char *topic, int32_t partition,
    int32_t partition_count);

#endif
