/*
 * store_impl: what the files of lib/store share. Not for others.
 *
 * store.c opens and refreshes, format.c makes a new store, locks.c is the
 * sharing protocol, partition.c enters a partition (lock, look again, log),
 * tail_store.c is how its hint is read, append.c appends and syncs, checkpoints.c are
 * the files that all partitions share, change.c appends to the metadata log, admin.c and
 * clean.c are topics, groups_*.c committed offsets, members.c who lives, and
 * membership.c this process as a member.
 */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include "log/checkpoint.h"
#include "store/directory.h"
#include "store/format.h"
#include "store/locks.h"
#include "store/records.h"
#include "store/store.h"
#include "store/tail.h"

#define OFFSETS_TOPIC "__consumer_offsets"

/* Partitions whose files are held open at once, beyond those that wait for a
 * sync; each takes up to five descriptors. */
#define STORE_OPEN_MAX 100

/* How long the list of metadata segments is believed: a daemon that comes and
 * goes takes longer. */
#define STORE_LOOK_NS 1000000000LL

struct store_partition {
	char *topic; /* owned */
	int32_t number;
	struct uuid topic_id;
	char *dir; /* owned */
	int lock_fd, tail_fd; /* -1: closed */
	uint64_t lock_inode;  /* of the lock file when it was opened */
	bool locked;
	struct mlog log;
	bool log_open;
	char tail_text[TAIL_SIZE]; /* as we last wrote it; empty if not ours */
	int64_t config_offset;     /* of the image that the settings are from; -1 none */
	int64_t before_max_ms, after_max_ms; /* message.timestamp.{before,after}.max.ms */
	int32_t leader_epoch;
	int64_t checkpointed; /* recovery point in the checkpoint, as far as we wrote it */
	int64_t proved;       /* all below was durable when we synced what others wrote */
	bool syncing;         /* its descriptors are in somebody's sync */
	int64_t sync_end;     /* what that sync proves */
	struct mlog retired;  /* let go of while it was; released when that sync is over */
	bool has_retired;
	bool owed;            /* not all that we appended was durable when the log was let go of */
	bool failed;          /* nor can it be made so any more */
	struct tail_clock clock; /* how far the wall clock is believed */
	int64_t first_base;      /* as the tail had it; -1 it had none */
	uint64_t used;        /* for closing the one that was used longest ago */
};

struct store {
	struct os *os;
	char *dir; /* owned */
	struct store_options options;
	struct uuid cluster_id, directory_id;
	int32_t node_id;
	char boot_id[37];

	struct image image;
	int64_t snapshot_end;     /* of the snapshot that the image began with; 0 none */
	struct reader *metadata;  /* stands behind what the image has */
	int metadata_fd;          /* of its newest segment; -1 unknown */
	int64_t metadata_size;    /* of that segment, as far as it was applied */
	int64_t looked_ns;        /* when the directory was last listed */
	int64_t metadata_durable; /* metadata known to be synced up to here */
	int metadata_sync_fd;     /* in a sync under way; -1 none */
	int64_t metadata_sync_end;

	struct map partitions; /* "TOPIC-N" -> struct store_partition, owned */
	int64_t swept_offset; /* of the image when deleted topics' files were let go of */
	size_t open_count;
	uint64_t uses;

	int32_t marker_epoch; /* of the metadata, in which no clean stop's marker is left */
	int lock_fd; /* .lock; -1 until the first write */
	int64_t daemon_looked_ns; /* when mqd.starting was last looked at; 0: never */
	bool checked_writable;
	bool failed; /* a sync of the metadata failed: nothing more is written */
	int64_t space_left; /* bytes that may be appended before looking again */
	int64_t space_looked_ns;
	struct map groups_kept; /* partition number -> struct kept, owned */
	size_t groups_kept_bytes;
	char path[STORE_PATH_MAX]; /* for store_partition_dir */
};

/* --- store.c ----------------------------------------------------------------- */

/* DIR/NAME; ERR_INVALID if that is too long. */
int store_path(const struct store *s, char path[STORE_PATH_MAX], const char *name,
    struct err *err);

/* Reads on in the metadata log, whether or not it seems to have grown. */
int store_read_metadata(struct store *s, struct err *err);

/* --- locks.c ------------------------------------------------------------------ */

/* `.lock` shared. ERR_BUSY, ERR_SERVED, ERR_REFUSED. */
int store_lock(struct store *s, struct err *err);
void store_unlock(struct store *s);

/* With it held and the metadata read: no clean stop's marker stays. */
int store_remove_marker(struct store *s, struct err *err);

/* How long to wait for a lock. */
static inline struct lock_wait
store_wait(const struct store *s)
{
	return (struct lock_wait){
	    .os = s->os, .most_ms = s->options.lock_wait_ms, .advice = LOCK_ADVICE_TOOL};
}

/* --- partition.c --------------------------------------------------------------- */

/* "TOPIC-N", under which the store keeps it; returns its length. */
#define PARTITION_KEY_MAX 300
size_t partition_key(char key[PARTITION_KEY_MAX], const char *topic, int32_t number);

/* The partition as the image has it; made in memory when new. */
struct store_partition *store_partition_find(
    struct store *s, const char *topic, int32_t number, struct err *err);

/* The metadata log's. */
struct store_partition *partition_metadata(struct store *s, struct err *err);

/* With `.lock` held: locks the partition, looks again, and has its log open and
 * at its end. Makes the directory if it is not there. */
int partition_enter(struct store *s, struct store_partition *p, struct err *err);

/* Writes the tail if the log moved, and lets go. */
void partition_leave(struct store *s, struct store_partition *p);

/* Of one that was entered: tells the next writer, should this one be killed, that a
 * replacement of segments is to be finished. The next tail takes it back. */
int partition_tell_replacing(struct store *s, struct store_partition *p, struct err *err);

/* After a storage error: takes nothing more. */
bool partition_has_failed(const struct store_partition *p);

/* Lets go of the log, so that the next partition_enter lists the directory: who
 * deletes or replaces segments must not go by what others have replaced. That it
 * has failed, or what is not durable, is not forgotten. */
void partition_forget(struct store_partition *p);

/* Lets go of files and memory of a partition that is not locked. */
void partition_free(struct store *s, struct store_partition *p);

/* A sync is over that partitions were in. */
void partition_end_sync(struct store_partition *p);

/* What mq.tail says was synced, whatever its boot; -1 if nothing. */
int64_t partition_synced(struct store *s, const struct store_partition *p);

/* Closes files beyond STORE_OPEN_MAX, and those of deleted topics. */
void partition_close_surplus(struct store *s);

/* --- tail_store.c -------------------------------------------------------------------- */

/* Reads DIR/mq.tail without a lock. 1: it is of this boot and of this epoch of the
 * metadata log; 0: only what it says of syncs holds; -1: there is none. */
int tail_peek(struct store *s, const char *dir, struct tail_hint *h);

/* Was it written since the machine was booted? And has no daemon run since, which
 * would have raised the metadata log's epoch? */
bool tail_is_of_boot(const struct store *s, const struct tail_hint *h);
bool tail_is_current(const struct store *s, const struct tail_hint *h);

/* --- checkpoints.c --------------------------------------------------------------- */

/* What a checkpoint says, -1 if nothing (an unreadable file says nothing). */
int64_t checkpoints_get(struct store *s, const char *file, const char *topic, int32_t number);

/* Sets one entry, with the metadata log's lock held. */
int checkpoints_set(struct store *s, const char *file, const char *topic, int32_t number,
    int64_t offset, struct err *err);

/* Forgets all of a topic in all files, with that lock held. */
int checkpoints_forget(struct store *s, const char *topic, struct err *err);

/* After an append or a sync, without locks: moves the recovery point when a
 * segment was finished and all of it is durable. */
int checkpoints_advance(struct store *s, struct store_partition *p, struct err *err);

/* The same for what a compaction has cleaned. */
int checkpoints_cleaned(struct store *s, struct store_partition *p, int64_t first_dirty,
    struct err *err);

/* --- clean.c ---------------------------------------------------------------------- */

/* Deletes segments of a partition that was entered, by age only if the clock can be
 * believed. */
int partition_retain(struct store *s, struct store_partition *p, struct mlog_retained *gone,
    struct err *err);

/* Enters a partition, applies retention and compaction, and writes what the
 * checkpoint should say. Not `wanted`: compaction alone, if it is due. */
int partition_clean(struct store *s, struct store_partition *p, bool wanted,
    struct store_cleaned *out, struct err *err);

/* --- change.c --------------------------------------------------------------------- */

/* A change of the metadata: locks, records, one durable batch. */
struct change {
	struct store *s;
	struct store_partition *metadata;
	struct batch_builder bb; /* the records */
	int64_t now_ms;
};

/* Locks and reads all there is; then the image is the truth until change_end. */
int change_begin(struct change *c, struct store *s, struct err *err);

/* Appends, syncs, applies. */
int change_commit(struct change *c, struct err *err);
void change_end(struct change *c);

/* --- append.c ----------------------------------------------------------------------- */

/* As store_append for what must not be refused for lack of space: the reserve. */
int store_append_reserved(struct store *s, const char *topic, int32_t partition, uint8_t *bytes,
    size_t len, struct mlog_appended *out, struct err *err);

/* segments.c: makes durable what lies below `offset` and is not known to be. */
int partition_sync_files(struct store *s, struct store_partition *p, int64_t offset,
    struct err *err);

/* Makes durable what this process has appended to a partition. */
int partition_sync(struct store *s, struct store_partition *p, struct err *err);

/* Makes what was read of the metadata durable. */
int metadata_sync(struct store *s, struct err *err);

/* --- groups_kept.c ------------------------------------------------------------------ */

/* Lets go of what was read of the offsets topic. */
void groups_forget(struct store *s);

#endif
