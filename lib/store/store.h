/*
 * store: a data directory, shared by processes without a daemon.
 *
 * It puts together the metadata log and its image, the partitions' logs, the
 * checkpoints, and the sharing protocol of share/doc/format.md (locks, hints,
 * what is looked at again under a lock). Everything here blocks: tools call it
 * through lib/client's store target, mqd only uses the parts that are pure.
 *
 * Names that are passed in are copied where they are kept, but must not be the
 * image's own strings, which any call may let go of.
 *
 * It knows directories, topics and locks; it knows nothing of clients, batching,
 * networks or the shell.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/error.h"
#include "log/mlog.h"
#include "log/reader.h"
#include "os/os.h"
#include "store/image.h"

struct store;

struct store_options {
	bool create;             /* format the directory if it holds no store */
	bool read_only;          /* never write, not even hints */
	bool force_network;      /* write although it is on a network file system */
	int64_t lock_wait_ms;    /* longest wait for a lock; -1 without limit */
	bool yields;             /* a daemon is not waited for: ERR_SERVED at once */
	int64_t disk_min_free;   /* refuse appends below; bytes; at most an eighth of the
	                            file system. Metadata and commits may use it up */
	bool auto_create_topics; /* auto.create.topics.enable */
	int32_t num_partitions;  /* num.partitions, for topics made by producing */
};

void store_options_default(struct store_options *o);

/* Opens the store in `dir` and reads its metadata. Takes no lock unless it
 * formats. Errors: ERR_NOT_FOUND (no store here; a directory with foreign files
 * is never formatted), ERR_CORRUPT, ERR_REFUSED, ERR_IO. */
struct store *store_open(struct os *os, const char *dir, const struct store_options *options,
    struct err *err);
void store_free(struct store *s);

const char *store_dir(const struct store *s);
struct os *store_os(struct store *s);
int32_t store_node_id(const struct store *s);

/* The image as of the last refresh. Valid until the next call that takes a
 * non-const store. */
const struct image *store_image(const struct store *s);

/* Reads what others have added to the metadata log; cheap if nothing. */
int store_refresh(struct store *s, struct err *err);

/* --- appending ------------------------------------------------------------- */

/* Appends one sealed and checked batch to a partition: locks, looks again,
 * appends, writes the hint, unlocks. Errors: UNKNOWN_TOPIC_OR_PARTITION,
 * ERR_BUSY (lock wait over), ERR_SERVED, ERR_REFUSED, ERR_NO_SPACE, ERR_IO, INVALID_TIMESTAMP
 * (message.timestamp.before/after.max.ms), INVALID_RECORD (no key, but the topic
 * is compacted), and mlog's. */
int store_append(struct store *s, const char *topic, int32_t partition, uint8_t *bytes, size_t len,
    struct mlog_appended *out, struct err *err);

/* What must be synced so that everything this process has appended is durable:
 * descriptors (at most `max`; the count is returned) that stay open until
 * store_synced. Call store_synced with the outcome of the sync (0 or errno),
 * on the same thread as all else; partitions whose sync failed take no more. */
size_t store_unsynced(struct store *s, int *fds, size_t max);
int store_synced(struct store *s, int result, struct err *err);

/* Is what this process appended to a partition durable below `offset`? 1: yes
 * (also if the topic was deleted since); 0: not yet; -1: it never will be, since
 * its log has failed. */
int store_is_synced(struct store *s, const char *topic, int32_t partition, int64_t offset,
    struct err *err);

/* The same, blocking. */
int store_sync(struct store *s, struct err *err);

/* Makes all that lies in a partition durable, whoever wrote it: a consumer does
 * so before it commits an offset. Takes no lock; nothing to do if the hint says
 * that all below `offset` is synced. */
int store_sync_partition(struct store *s, const char *topic, int32_t partition, int64_t offset,
    struct err *err);

/* --- reading --------------------------------------------------------------- */

/* A lockless reader of a partition, at its log start; ERR_NOT_FOUND or
 * UNKNOWN_TOPIC_OR_PARTITION. The caller frees it. A partition that has no
 * directory yet is empty: NULL with err->code 0. */
struct reader *store_reader(struct store *s, const char *topic, int32_t partition, struct err *err);

/* DIR/TOPIC-N, in a buffer of the store's that lives until the next call. */
const char *store_partition_dir(struct store *s, const char *topic, int32_t partition);

/* --- topics (admin.c) ------------------------------------------------------ */

struct store_topic_spec {
	const char *name;
	int32_t partitions; /* -1: num.partitions */
	const struct image_config *configs;
	size_t config_count;
};

/* Each is one durable batch in the metadata log. Errors are Kafka's:
 * TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS,
 * UNKNOWN_TOPIC_OR_PARTITION, and ERR_CONFIG.
 * A deletion that has returned 0, or could not remove all files (which is noted),
 * is durable; files that are left go with the next deletion. */
int store_create_topic(struct store *s, const struct store_topic_spec *spec, struct err *err);
int store_delete_topic(struct store *s, const char *topic, struct err *err);
int store_add_partitions(struct store *s, const char *topic, int32_t count, struct err *err);

/* Sets configs; a NULL value takes the override away. */
int store_alter_configs(struct store *s, const char *topic, const struct image_config *configs,
    size_t count, struct err *err);

/* Moves the log start of a partition up (DeleteRecords); -1 is the end. Gives
 * the new start. OFFSET_OUT_OF_RANGE. */
int store_trim(struct store *s, const char *topic, int32_t partition, int64_t offset,
    int64_t *start, struct err *err);

struct store_cleaned {
	int64_t segments_deleted, bytes_deleted;
	int64_t segments_compacted, bytes_before, bytes_after;
};

/* Runs retention and compaction on a partition now (mq-topics clean), due or not,
 * under its lock. Segments and bytes compacted are those that went in. */
int store_clean(struct store *s, const char *topic, int32_t partition, struct store_cleaned *out,
    struct err *err);

/* Bytes on disk of a partition's directory, and number of segments. */
int store_usage(struct store *s, const char *topic, int32_t partition, int64_t *bytes,
    int64_t *segments, struct err *err);

#endif
