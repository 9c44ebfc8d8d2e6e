/*
 * groups_impl: what groups_offsets.c, groups_replay.c and members.c share. Not
 * for others.
 */
#ifndef STORE_GROUPS_IMPL_H
#define STORE_GROUPS_IMPL_H

#include "store/groups.h"
#include "store/store_impl.h"

#define GROUP_FILE_MAX 160 /* of a group's name in file names, with NUL */

/* A group's name as it stands in file names (format.md section 1). */
void group_file_name(const char *group, char out[GROUP_FILE_MAX]);

/* INVALID_GROUP_ID unless it is non-empty UTF-8 of a length that Kafka takes. */
int group_check_name(const char *group, struct err *err);

/* The partition of the offsets topic that a group's records are in; -1 and no
 * error where there is no such topic. */
int32_t group_home(struct store *s, const char *group);

/* Makes the offsets topic if it is not there. */
int offsets_topic_make(struct store *s, struct err *err);

/* Has the directory of a partition there, with its topic id. */
int partition_make_there(struct store *s, const char *topic, int32_t partition, struct err *err);

/* One record of the offsets topic, as it counts in the end: those of an aborted
 * transaction do not come, those of a committed one at its marker. A NULL value
 * is a tombstone. Return -1 with err to stop. */
struct group_replay {
	int (*record)(void *ctx, struct slice key, const struct slice *value, struct err *err);
	void *ctx;
};

/* Replays one partition of the offsets topic from its start. */
int group_replay_partition(struct store *s, int32_t partition, const struct group_replay *to,
    struct err *err);

/* The group that a key is of, and the key's type; -1 if it cannot be read. All
 * types begin with the group's name. */
int group_key_group(struct slice key, struct slice *group);

/* Calls `each` with the name of every group that has a live member whose file
 * is in this partition's directory. */
int members_each_group(struct store *s, int32_t partition,
    int (*each)(void *ctx, const char *group, struct err *err), void *ctx, struct err *err);

/* Is the claim on a partition held by anybody? 1, 0 or -1. */
int claim_is_held(struct store *s, const char *group, const char *topic, int32_t partition,
    struct err *err);

#endif
