/*
 * cluster_impl: what the files of cluster/ share. Not for others.
 *
 * start.c takes the directory and makes this node what it is in it, stop.c leaves it;
 * changes.c appends to the metadata log, one change after another; snapshots.c
 * shortens it; quorum.c is the state of the vote; cluster.c the rest.
 *
 * Invariants
 *  1. The image is that of the log up to the high watermark: with one voter, the synced
 *     end. Nobody is told of a record before that. While memory is short a part of the
 *     batch last written may be missing in it; nobody was told of it then.
 *  2. `log` is touched by one job of WORKER_METADATA at a time, or, while `busy` is
 *     false, by nobody.
 *  3. After a failed write or sync (`failed`) nothing more is written.
 */
#ifndef MQD_CLUSTER_CLUSTER_IMPL_H
#define MQD_CLUSTER_CLUSTER_IMPL_H

#include "log/mlog.h"
#include "mqd/cluster/cluster.h"
#include "store/format.h"
#include "store/topic_records.h"

#define CLUSTER_PATH_MAX 4096

/* Beside the logs: the last stop was a clean one. */
#define CLEAN_MARKER ".kafka_cleanshutdown"

/* Producer ids that are taken at once (Kafka's ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE), and
 * when the next block is asked for. */
#define PRODUCER_IDS 1000
#define PRODUCER_IDS_ASK 900

struct cluster_records {
	struct batch_builder bb;
	int64_t now_ms;
	size_t count;
};

/* A topic that the batch under way has touched. */
struct touched {
	struct uuid id;
	char *name; /* owned */
};

struct producer_ids {
	int64_t next, end; /* of the block in use */
	int64_t reserve;   /* first of the next block; -1 none */
	int64_t wanted;    /* first of the one that is being written */
	bool asked;
	struct cluster_change ask;
};

struct cluster {
	struct os *os;
	struct cluster_options options; /* its strings are owned */
	char *dir, *metadata_dir;       /* owned; DIR/__cluster_metadata-0 */
	int starting_fd, lock_fd;       /* -1: not open */
	struct meta_properties meta;

	struct image image;
	struct mlog log;
	bool log_open;
	int32_t epoch, epoch_before;
	bool clean;
	int64_t broker_epoch;

	/* Changes. */
	struct cluster_change *queue, **queue_tail;
	struct cluster_change *under_way;
	struct cluster_records records;
	struct os_timer timer; /* begins the next change */
	bool busy;             /* a job has the log */
	bool failed, stopping;
	struct err failure;
	struct os_job job;
	struct err job_err;
	struct batch written; /* by it */
	struct os_timer apply_timer; /* applies it, once there is memory */
	struct touched *touched;
	size_t touched_count, touched_cap;
	struct map touched_ids;
	bool touched_other;

	struct producer_ids ids;

	/* Topics that are to be made on the way. */
	struct map wanted; /* their names; the value is nothing */
	struct cluster_change wanted_change;
	bool wanted_asked;

	/* Snapshots. */
	int64_t snapshot_end;  /* of the newest; 0 none */
	int64_t snapshot_size; /* bytes of batches applied since */
	bool snapshotting;
	int64_t snapshot_to; /* end of the one that is being written */
	struct os_job snapshot_job;
	struct err snapshot_err;
	bool clean_due; /* there is a new one: old ones may go */

	/* The stop. */
	void (*stopped)(void *ctx, const struct err *err);
	void *stopped_ctx;
	bool stop_clean, stop_begun;
	struct err stop_err;
};

/* DIR/NAME, or __cluster_metadata-0's; ERR_INVALID if that is too long. */
int cluster_path(const struct cluster *c, char path[CLUSTER_PATH_MAX], const char *name,
    struct err *err);
int cluster_metadata_path(const struct cluster *c, char path[CLUSTER_PATH_MAX], const char *name,
    struct err *err);

/* --- changes.c --------------------------------------------------------------------- */

void cluster_changes_init(struct cluster *c);
void cluster_changes_release(struct cluster *c);

/* From now on `changed` is told. */
void cluster_watch(struct cluster *c);

/* Appends what the builder holds as one batch and makes it durable: on the worker, or at
 * the start. Its bytes then have their offset. */
int cluster_write(struct cluster *c, struct batch_builder *bb, struct batch *b, struct err *err);

/* Applies a batch that is durable. */
int cluster_apply(struct cluster *c, const struct batch *b, struct err *err);

/* Both, for the start. */
int cluster_write_now(struct cluster *c, struct batch_builder *bb, struct err *err);

/* The log has failed: everything that waits is told. */
void cluster_fail(struct cluster *c, const struct err *err);

/* The log is free again: the next change, or the stop. */
void cluster_go_on(struct cluster *c);

/* --- quorum.c ---------------------------------------------------------------------- */

/* quorum-state: the epoch in which this node last voted or led; 0 if there is none.
 * ERR_CORRUPT, ERR_REFUSED (of a version that nobody here knows). */
int quorum_read(struct cluster *c, int32_t *epoch, struct err *err);

/* This node, the only voter, leads `epoch`: durable when it returns. */
int quorum_write(struct cluster *c, int32_t epoch, struct err *err);

/* --- snapshots.c --------------------------------------------------------------------- */

/* Begins a snapshot if enough has been written since the last one; the log must be
 * free. True: it is busy now. */
bool cluster_snapshot_due(struct cluster *c);

/* Removes snapshots that were never finished. */
int cluster_snapshots_sweep(struct cluster *c, struct err *err);

/* --- start.c, stop.c ------------------------------------------------------------------ */

int cluster_start(struct cluster *c, struct err *err);

/* With the log free and no change waiting. */
void cluster_stop_now(struct cluster *c);

/* --- producer_ids.c ------------------------------------------------------------------ */

/* Adds the record for one block; the ids are for use once it is durable. */
int producer_ids_add(struct cluster *c, struct cluster_records *r, struct err *err);
void producer_ids_take(struct cluster *c);

#endif
