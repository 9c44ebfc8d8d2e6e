/*
 * Shortening the metadata log, so that a start need not read all of it: from time to
 * time the log is rolled, what it says up to there is written as a snapshot, and old
 * segments and snapshots are removed (Kafka's MetadataLogConfig: above 100 MiB, or
 * older than 7 days).
 *
 * The snapshot is made by a worker that reads the files as any other process would: the
 * loop's image is not touched, and changes go on meanwhile.
 */
#include "store/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/reader.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster_impl.h"

#define RETENTION_BYTES (100 << 20)
#define RETENTION_MS (7 * 24 * 3600 * (int64_t)1000)

/* --- removing what is old ---------------------------------------------------------------- */

static int
remove_snapshot(struct cluster *c, const struct snapshot *s, struct err *err)
{
	char name[SNAPSHOT_NAME_SIZE], path[CLUSTER_PATH_MAX];

	snapshot_name(s, name);
	if (cluster_metadata_path(c, path, name, err) == -1)
		return -1;
	if (os_remove(c->os, path) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: remove", path);
	return 0;
}

/* Its size, and when it was made. */
static int
look_at(struct cluster *c, const struct snapshot *s, int64_t *size, int64_t *made_ms,
    struct err *err)
{
	char name[SNAPSHOT_NAME_SIZE], path[CLUSTER_PATH_MAX];
	struct os_stat st;

	snapshot_name(s, name);
	if (cluster_metadata_path(c, path, name, err) == -1)
		return -1;
	if (os_stat_path(c->os, path, &st) == -1)
		return err_sys(err, errno, "%s: stat", path);
	*size = st.size;
	*made_ms = st.mtime_ms;
	return 0;
}

/* From the oldest on, as long as there is a newer one: the log then begins there. */
static int
remove_old(struct cluster *c, const struct snapshot *list, size_t count, struct err *err)
{
	int64_t total = mlog_bytes(&c->log), now = os_wall_ms(c->os), size, made_ms;

	for (size_t i = 0; i < count; i++) {
		if (look_at(c, &list[i], &size, &made_ms, err) == -1)
			return -1;
		total += size;
	}
	for (size_t i = count; i-- > 1;) {
		int64_t before = mlog_bytes(&c->log);

		if (look_at(c, &list[i], &size, &made_ms, err) == -1)
			return -1;
		if (total <= RETENTION_BYTES && now - made_ms <= RETENTION_MS)
			return 0;
		/* First the log: with its beginning gone, only the newer snapshot counts. */
		if (list[i - 1].end_offset > c->log.start_offset &&
		    mlog_set_start(&c->log, list[i - 1].end_offset, err) == -1)
			return -1;
		if (remove_snapshot(c, &list[i], err) == -1)
			return -1;
		total -= size + before - mlog_bytes(&c->log);
	}
	return 0;
}

static void
clean_run(struct os_job *j)
{
	struct cluster *c = j->ctx;
	struct snapshot *list = NULL;
	size_t count = 0;
	struct err err;
	int ret = snapshot_list(c->os, c->metadata_dir, &list, &count, &err);

	if (ret == 0)
		ret = remove_old(c, list, count, &err);
	free(list);
	if (ret == -1)
		os_note(c->os, OS_WARN, "%s: old snapshots stay: %s", c->metadata_dir, err.text);
}

static void
clean_done(struct os_job *j)
{
	struct cluster *c = j->ctx;
	struct err err = {.code = ERR_IO};

	c->busy = false;
	if (c->log.failed) {
		err_set(&err, ERR_IO, "%s: a segment could not be removed", c->metadata_dir);
		cluster_fail(c, &err);
	}
	cluster_go_on(c);
}

/* --- making one ------------------------------------------------------------------------------ */

/* Reads up to where the snapshot shall end, where the log was rolled. */
static int
replay(struct cluster *c, struct image *im, struct err *err)
{
	struct reader *r;
	struct batch b;
	int got = 1;

	if (snapshot_load_newest(c->os, c->metadata_dir, im, err) == -1)
		return -1;
	r = reader_open(c->os, c->metadata_dir, im->end_offset, err);
	if (r == NULL)
		return -1;
	if (reader_seek(r, im->end_offset, err) == -1)
		got = -1;
	while (got == 1 && im->end_offset < c->snapshot_to) {
		got = reader_next(r, &b, err);
		if (got == 1 && image_apply(im, &b, err) == -1)
			got = -1;
	}
	reader_free(r);
	if (got == -1)
		return -1;
	if (im->end_offset != c->snapshot_to)
		return err_set(err, ERR_CORRUPT, "read up to offset %lld, wanted up to %lld",
		    (long long)im->end_offset, (long long)c->snapshot_to);
	return 0;
}

/* On WORKER_KEEP: touches nothing of the cluster's but what is its own. */
static void
snapshot_run(struct os_job *j)
{
	struct cluster *c = j->ctx;
	struct image im;

	c->snapshot_err.code = 0;
	image_init(&im);
	if (replay(c, &im, &c->snapshot_err) == 0)
		(void)snapshot_write(c->os, c->metadata_dir, &im, &c->snapshot_err);
	image_release(&im);
}

static void
snapshot_done(struct os_job *j)
{
	struct cluster *c = j->ctx;

	c->snapshotting = false;
	if (c->snapshot_err.code == 0) {
		c->snapshot_end = c->snapshot_to;
		c->clean_due = true;
	} else {
		os_note(c->os, OS_WARN, "%s: no snapshot up to offset %lld: %s", c->metadata_dir,
		    (long long)c->snapshot_to, c->snapshot_err.text);
	}
	cluster_go_on(c);
}

/* The log's own worker: a start then reads and checks what is behind the snapshot, and
 * no more of a large segment. */
static void
roll_run(struct os_job *j)
{
	struct cluster *c = j->ctx;

	c->job_err.code = 0;
	/* What is below the snapshot counts as synced, its indexes too. */
	if (mlog_roll(&c->log, &c->job_err) == 0)
		(void)mlog_sync(&c->log, &c->job_err);
}

static void
roll_done(struct os_job *j)
{
	struct cluster *c = j->ctx;

	c->busy = false;
	c->snapshot_size = 0; /* also if it fails: the next try is after as much again */
	if (c->job_err.code != 0) {
		os_note(c->os, OS_WARN, "%s: no snapshot: %s", c->metadata_dir, c->job_err.text);
		if (c->log.failed)
			cluster_fail(c, &c->job_err);
	} else {
		c->snapshotting = true;
		c->snapshot_to = c->image.end_offset;
		c->snapshot_job =
		    (struct os_job){.run = snapshot_run, .done = snapshot_done, .ctx = c};
		os_work(c->os, WORKER_KEEP, &c->snapshot_job);
	}
	cluster_go_on(c);
}

bool
cluster_snapshot_due(struct cluster *c)
{
	if (c->failed || c->stopping || c->snapshotting)
		return false;
	if (c->clean_due) {
		c->clean_due = false;
		c->job = (struct os_job){.run = clean_run, .done = clean_done, .ctx = c};
	} else if (c->snapshot_size >= c->options.snapshot_bytes) {
		c->job = (struct os_job){.run = roll_run, .done = roll_done, .ctx = c};
	} else {
		return false;
	}
	c->busy = true;
	os_work(c->os, WORKER_METADATA, &c->job);
	return true;
}

/* --- what a crash left ------------------------------------------------------------------------- */

#define LEFT_MAX 16

struct left {
	char names[LEFT_MAX][256];
	size_t count;
};

/* Of a snapshot that was being written, or deleted (by Kafka). */
static int
find_left(void *ctx, const char *name)
{
	static const char *const suffixes[] = {".checkpoint.part", ".checkpoint.deleted"};
	struct left *left = ctx;
	size_t len = strlen(name);

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && len < sizeof(left->names[0]) &&
		    strcmp(name + len - n, suffixes[i]) == 0 && left->count < LEFT_MAX)
			memcpy(left->names[left->count++], name, len + 1);
	}
	return left->count == LEFT_MAX;
}

int
cluster_snapshots_sweep(struct cluster *c, struct err *err)
{
	struct left left;
	char path[CLUSTER_PATH_MAX];

	do {
		left.count = 0;
		if (os_list(c->os, c->metadata_dir, find_left, &left) == -1)
			return err_sys(err, errno, "%s: list", c->metadata_dir);
		for (size_t i = 0; i < left.count; i++) {
			if (cluster_metadata_path(c, path, left.names[i], err) == -1)
				return -1;
			if (os_remove(c->os, path) == -1 && errno != ENOENT)
				return err_sys(err, errno, "%s: remove", path);
		}
	} while (left.count == LEFT_MAX);
	return 0;
}
