/*
 * groups_impl: what groups_*.c, members.c and membership.c share. Not
 * for others.
 */
#ifndef STORE_GROUPS_IMPL_H
#define STORE_GROUPS_IMPL_H

#include "store/group_replay.h"
#include "store/groups.h"
#include "store/store_impl.h"

#define GROUP_FILE_MAX 160 /* of a group's name in file names, with NUL */
#define MEMBER_FILE_MAX (1 << 20) /* of a member's file: what others read of it */

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

/* --- groups_replay.c --------------------------------------------------------- */

/* Reads on to the end as of now. After an error release it.
 * ERR_TOO_LARGE; ERR_AGAIN: what was read before is there no more: begin anew. */
int group_replay_on(struct group_replay *r, struct store *s, int32_t partition, struct err *err);

/* --- groups_kept.c ----------------------------------------------------------- */

/* Key types of the offsets topic. Keys of both are alike but for the type. */
#define KEY_LEGACY_OFFSET 0
#define KEY_OFFSET 1

/* Most that is kept of one partition: keys and last values, 256 bytes each in
 * practice; and of all together, but for the one that is being read. */
#define GROUPS_KEPT_MAX ((size_t)128 << 20)

/* The last record of one key, not decoded. */
struct kept_value {
	int64_t at;   /* its offset */
	int16_t type; /* of the key */
	bool deleted; /* a tombstone; stays only where damage makes missing keys doubtful */
	uint32_t len, cap;
	uint8_t bytes[];
};

struct kept_group {
	struct map offsets; /* key less its type -> struct kept_value, owned */
	struct map others;  /* keys of other types -> this group */
};

/* What a partition of the offsets topic says. */
struct kept {
	struct uuid topic_id;
	int32_t partition;
	char *only;        /* owned; of this group alone; NULL: of all */
	struct map groups; /* name -> struct kept_group, owned */
	size_t bytes;
	int64_t damaged_to; /* last offset that cannot be read; -1 none */
	char damage[ERR_TEXT_MAX];
	bool told;
	struct group_replay replay;
};

/* What the partition says now, of one group at least, or (NULL) of all; what was
 * read before is not read again. NULL with err. It lives until the next call. Of
 * more than can be kept only one group is told; for all that is ERR_TOO_LARGE. */
struct kept *groups_kept(struct store *s, int32_t partition, const char *group, struct err *err);

/* NULL if there is nothing of the group. */
const struct kept_group *kept_group(const struct kept *k, const char *group);

/* Notes damage, once. */
void kept_tell_damage(struct store *s, struct kept *k);

/* --- members.c ---------------------------------------------------------------- */

/* Does the member of that file live? 1; 0: no, and its file is removed; -1. */
int member_lives(struct store *s, const char *path, struct err *err);

/* Calls `each` with the name of every group that has a live member whose file
 * is in this partition's directory. */
int members_each_group(struct store *s, int32_t partition,
    int (*each)(void *ctx, const char *group, struct err *err), void *ctx, struct err *err);

/* Is the claim on a partition held by anybody? 1, 0 or -1. */
int claim_is_held(struct store *s, const char *group, const char *topic, int32_t partition,
    struct err *err);

#endif
