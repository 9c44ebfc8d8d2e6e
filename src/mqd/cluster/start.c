/*
 * The start: the directory is taken, the metadata read and found to be this node's
 * alone, a new epoch begun, this broker registered, its partitions led. All of it
 * blocks. What a crash leaves at any point, the next start does again.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/reader.h"
#include "mqd/cluster/cluster_impl.h"
#include "store/directory.h"
#include "store/locks.h"
#include "store/records.h"
#include "store/snapshot.h"
#include "store/tail.h"

/* The newest metadata.version that this code knows the records of (4.3-IV0), and the
 * oldest that Kafka 4 takes. */
#define METADATA_VERSION_MAX 30
#define METADATA_VERSION_MIN 7

/* Another daemon holds mqd.starting as long as it lives; a tool that looks, for an
 * instant. */
#define STARTING_WAIT_MS 500

/* A batch of partition changes is written when it is so large. */
#define CHANGES_BYTES (1 << 20)

#define CLEAN_MARKER_MAX 4096

/* --- the directory ------------------------------------------------------------------- */

static int
take_lock(struct cluster *c, const char *name, int64_t wait_ms, const char *holder, int *fd,
    struct err *err)
{
	struct lock_wait w = {.os = c->os, .most_ms = wait_ms};
	char path[CLUSTER_PATH_MAX];

	if (cluster_path(c, path, name, err) == -1)
		return -1;
	*fd = os_open(c->os, path, OS_WRITE | OS_CREATE);
	if (*fd == -1) {
		bool refused = errno == EROFS || errno == EACCES || errno == EPERM;

		err_sys(err, errno, "%s: open", path);
		if (refused)
			err->code = ERR_REFUSED;
		return -1;
	}
	return lock_file(&w, *fd, OS_LOCK_EXCLUSIVE, path, holder, err);
}

static int
check_file_system(struct cluster *c, struct err *err)
{
	struct os_space space;

	if (os_space(c->os, c->dir, &space) == -1)
		return err_sys(err, errno, "%s: statfs", c->dir);
	if (space.is_read_only)
		return err_set(err, ERR_REFUSED, "%s: the file system is mounted read-only", c->dir);
	if (space.is_network && !c->options.force_network)
		return err_set(err, ERR_REFUSED,
		    "%s: on a network file system, where locks and syncs cannot be trusted", c->dir);
	return 0;
}

static int
format(struct cluster *c, struct err *err)
{
	const char *id = c->options.cluster_id;
	struct uuid uuid;

	if (id != NULL && uuid_parse(&uuid, id, strlen(id)) == -1)
		return err_set(err, ERR_CONFIG,
		    "cluster.id=%s: for a new directory it is a uuid, 22 characters of base64url", id);
	if (store_format(c->os, c->dir, c->options.node_id, id != NULL ? &uuid : NULL, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		err->code = ERR_REFUSED;
	return -1;
}

/* Formats it if it holds nothing, and takes it: share/doc/format.md section 2. */
static int
take_directory(struct cluster *c, struct err *err)
{
	if (meta_properties_read(c->os, c->dir, &c->meta, err) == -1) {
		if (err->sys_errno == ENOTDIR)
			return err_set(err, ERR_REFUSED, "%s: not a directory", c->dir);
		if (err->code != ERR_NOT_FOUND)
			return -1;
		if (format(c, err) == -1)
			return -1;
	}
	if (check_file_system(c, err) == -1 ||
	    take_lock(c, "mqd.starting", STARTING_WAIT_MS, "another mqd has the store",
	        &c->starting_fd, err) == -1 ||
	    take_lock(c, ".lock", c->options.lock_wait_ms,
	        "Apache Kafka has the store, or a tool is at work", &c->lock_fd, err) == -1)
		return -1;
	return meta_properties_read(c->os, c->dir, &c->meta, err);
}

static int
check_identity(struct cluster *c, struct err *err)
{
	const char *wanted = c->options.cluster_id;

	if (c->meta.node_id != c->options.node_id)
		return err_set(err, ERR_REFUSED,
		    "%s: the store of node %d (meta.properties), but node.id is %d", c->dir,
		    c->meta.node_id, c->options.node_id);
	if (wanted != NULL && strcmp(wanted, c->meta.cluster_id_text) != 0)
		return err_set(err, ERR_REFUSED,
		    "%s: of cluster %s (meta.properties), but cluster.id is %s", c->dir,
		    c->meta.cluster_id_text, wanted);
	return 0;
}

/* --- the metadata ---------------------------------------------------------------------- */

/* The log's directory has its id, as any other partition's. */
static int
check_metadata_id(struct cluster *c, struct err *err)
{
	struct os_stat st;
	struct uuid id;
	int ret;

	if (os_stat_path(c->os, c->metadata_dir, &st) == -1 && errno == ENOENT)
		return err_set(err, ERR_REFUSED,
		    "%s: meta.properties, but no " METADATA_TOPIC "-0: its metadata log is lost, or "
		    "elsewhere (metadata.log.dir)", c->dir);
	ret = partition_id_read(c->os, c->metadata_dir, &id, err);
	if (ret == 0)
		return partition_id_write(c->os, c->metadata_dir, &metadata_topic_id, err);
	if (ret == 1 && !uuid_equal(&id, &metadata_topic_id))
		return err_set(
		    err, ERR_CORRUPT, "%s: not the metadata log's topic id", c->metadata_dir);
	return ret == 1 ? 0 : -1;
}

/* What a snapshot holds was durable before it was made: the log is checked from there.
 * A log that ends below it lacks what the snapshot has: it begins anew (KIP-630). */
static int
open_log(struct cluster *c, struct err *err)
{
	struct mlog_open_args args = {.how = MLOG_RECOVER, .recovery_point = c->snapshot_end};
	struct mlog_config config;

	format_metadata_config(&config);
	if (mlog_open(&c->log, c->os, c->metadata_dir, &config, &args, err) == -1)
		return -1;
	c->log_open = true;
	if (mlog_end(&c->log) < c->snapshot_end &&
	    mlog_restart_at(&c->log, c->snapshot_end, err) == -1)
		return -1;
	if (c->log.start_offset > c->snapshot_end)
		return err_set(err, ERR_CORRUPT,
		    "%s: the log begins at offset %lld, but no snapshot reaches that far",
		    c->metadata_dir, (long long)c->log.start_offset);
	return 0;
}

static int
read_log(struct cluster *c, struct err *err)
{
	struct reader *r = reader_open(c->os, c->metadata_dir, c->snapshot_end, err);
	struct batch b;
	int got;

	if (r == NULL)
		return -1;
	got = reader_seek(r, c->snapshot_end, err) == -1 ? -1 : 1;
	while (got == 1 && c->image.end_offset < mlog_end(&c->log)) {
		got = reader_next(r, &b, err);
		if (got == 1 && cluster_apply(c, &b, err) == -1)
			got = -1;
	}
	reader_free(r);
	if (got == -1)
		return -1;
	if (c->image.end_offset != mlog_end(&c->log))
		return err_set(err, ERR_CORRUPT,
		    "%s: the log ends at offset %lld, but %lld could be read", c->metadata_dir,
		    (long long)mlog_end(&c->log), (long long)c->image.end_offset);
	return 0;
}

static int
check_versions(struct cluster *c, struct err *err)
{
	int level = image_feature(&c->image, "metadata.version");

	/* 0: nobody has led yet, or only the first batch was written. */
	if (level != 0 && (level < METADATA_VERSION_MIN || level > METADATA_VERSION_MAX))
		return err_set(err, ERR_REFUSED,
		    "%s: metadata.version %d; this mqd knows %d to %d", c->dir, level,
		    METADATA_VERSION_MIN, METADATA_VERSION_MAX);
	return image_is_sole(&c->image, c->options.node_id, err) == -1
	           ? err_prefix(err, "%s", c->dir)
	           : 0;
}

static int
load(struct cluster *c, struct err *err)
{
	char path[CLUSTER_PATH_MAX];

	if (check_metadata_id(c, err) == -1 || cluster_snapshots_sweep(c, err) == -1 ||
	    snapshot_load_newest(c->os, c->metadata_dir, &c->image, err) == -1)
		return -1;
	c->snapshot_end = c->image.end_offset;
	if (open_log(c, err) == -1 || read_log(c, err) == -1 || check_versions(c, err) == -1)
		return -1;
	/* A tool believes this hint within its boot; we do not keep it up. */
	if (cluster_metadata_path(c, path, TAIL_FILE, err) == -1)
		return -1;
	if (os_remove(c->os, path) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: remove", path);
	return 0;
}

/* --- the clean stop's marker ------------------------------------------------------------- */

/* The broker epoch in it, or -1: no marker, or none that can be read. */
static int64_t
marker_epoch(struct cluster *c, const char *path)
{
	struct buf text = BUF_INIT;
	struct err ignored;
	int64_t epoch = -1;
	json_t *marker = NULL;

	if (os_read_file(c->os, path, CLEAN_MARKER_MAX, &text, &ignored) == 0)
		marker = json_loads(buf_cstr(&text), 0, NULL);
	if (json_is_integer(json_object_get(marker, "brokerEpoch")))
		epoch = (int64_t)json_integer_value(json_object_get(marker, "brokerEpoch"));
	json_decref(marker);
	buf_release(&text);
	return epoch;
}

/* The marker goes as soon as a start begins: what comes is not clean until the next
 * stop (KAFKA-10471). It counts if it is of the broker's last life. */
static int
take_marker(struct cluster *c, struct err *err)
{
	const struct image_broker *self = image_broker(&c->image, c->options.node_id);
	char path[CLUSTER_PATH_MAX];
	int64_t epoch;

	if (cluster_path(c, path, CLEAN_MARKER, err) == -1)
		return -1;
	epoch = marker_epoch(c, path);
	c->clean = self != NULL && epoch == self->record->broker_epoch;
	if (os_remove(c->os, path) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: remove", path);
	return os_sync_dir(c->os, c->dir) == -1 ? err_sys(err, errno, "%s: sync", c->dir) : 0;
}

/* --- leading ------------------------------------------------------------------------------ */

/* The epoch is durable in quorum-state before a record has it. */
static int
begin_epoch(struct cluster *c, struct err *err)
{
	int32_t voted;

	if (quorum_read(c, &voted, err) == -1)
		return -1;
	c->epoch_before = c->image.end_offset > 0 ? c->image.epoch : -1;
	c->epoch = voted > c->image.epoch ? voted : c->image.epoch;
	if (c->epoch == INT32_MAX)
		return err_set(err, ERR_CORRUPT, "%s: epoch %d", c->metadata_dir, c->epoch);
	return quorum_write(c, ++c->epoch, err);
}

static int
write_leader(struct cluster *c, struct batch_builder *bb, struct err *err)
{
	int64_t now = os_wall_ms(c->os);
	int ret;

	if (c->image.end_offset == 0)
		ret = format_leader_batch(bb, &c->meta, now, err);
	else
		ret = format_leader_change(bb, c->options.node_id, now, err);
	return ret == 0 ? cluster_write_now(c, bb, err) : -1;
}

/* A metadata transaction that a controller has left open is ended as the next one
 * ends it. */
static int
write_abort(struct cluster *c, struct batch_builder *bb, struct err *err)
{
	struct abort_transaction_record r;

	if (!c->image.in_transaction)
		return 0;
	wire_init(&wire_abort_transaction_record, &r);
	r.reason = wire_str_of("the controller has failed over");
	if (records_add_metadata(
	        bb, &wire_abort_transaction_record, 0, &r, os_wall_ms(c->os), err) == -1)
		return -1;
	return cluster_write_now(c, bb, err);
}

static int
write_features(struct cluster *c, struct batch_builder *bb, struct err *err)
{
	if (image_feature(&c->image, "metadata.version") > 0)
		return 0;
	if (format_feature_batch(bb, os_wall_ms(c->os), err) == -1)
		return -1;
	return cluster_write_now(c, bb, err);
}

/* --- this broker ---------------------------------------------------------------------------- */

/* What a broker that reads and writes these records can do (Kafka 4.3's list). */
static struct register_broker_record_broker_feature features[] = {
    {.name = {"eligible.leader.replicas.version", 32}, 0, 1},
    {.name = {"group.version", 13}, 0, 1},
    {.name = {"kraft.version", 13}, 0, 1},
    {.name = {"metadata.version", 16}, METADATA_VERSION_MIN, METADATA_VERSION_MAX},
    {.name = {"share.version", 13}, 0, 1},
    {.name = {"streams.version", 15}, 0, 1},
    {.name = {"transaction.version", 19}, 0, 2},
};

static int
add_registration(struct cluster *c, struct cluster_records *r, struct err *err)
{
	int version = image_broker_version(&c->image);
	struct register_broker_record_broker_endpoint endpoint = {
	    .name = wire_str_of("PLAINTEXT"),
	    .host = wire_str_of(c->options.host),
	    .port = (uint16_t)c->options.port,
	};
	struct register_broker_record b;

	wire_init(&wire_register_broker_record, &b);
	b.broker_id = c->options.node_id;
	os_random(c->os, b.incarnation_id.bytes, sizeof(b.incarnation_id.bytes));
	b.broker_epoch = c->broker_epoch;
	b.end_points.items = &endpoint;
	b.end_points.count = 1;
	b.features.items = features;
	b.features.count = (int32_t)(sizeof(features) / sizeof(features[0]));
	b.rack = wire_str_of(c->options.rack);
	if (version >= 3) {
		b.log_dirs.items = &c->meta.directory_id;
		b.log_dirs.count = 1;
	}
	return cluster_add(r, &wire_register_broker_record, version, &b, err);
}

static int
add_fencing(struct cluster_records *r, int32_t id, int64_t epoch, int8_t fenced, struct err *err)
{
	struct broker_registration_change_record b;

	wire_init(&wire_broker_registration_change_record, &b);
	b.broker_id = id;
	b.broker_epoch = epoch;
	b.fenced = fenced;
	return cluster_add(r, &wire_broker_registration_change_record, 0, &b, err);
}

/* Brokers that a cluster of more nodes has left, without replicas: no heartbeat of
 * theirs can come. */
static int
fence_others(struct cluster *c, struct cluster_records *r, struct err *err)
{
	for (struct map_entry *e = NULL; (e = map_next(&c->image.brokers, e)) != NULL;) {
		const struct register_broker_record *b = ((struct image_broker *)e->value)->record;

		if (b->broker_id != c->options.node_id && !b->fenced &&
		    add_fencing(r, b->broker_id, b->broker_epoch, 1, err) == -1)
			return -1;
	}
	return 0;
}

/* In one batch: a broker that registered and was never heard of again is of no use. Its
 * epoch is the offset of its registration. */
static int
write_broker(struct cluster *c, struct cluster_records *r, struct err *err)
{
	r->now_ms = os_wall_ms(c->os);
	c->broker_epoch = c->image.end_offset;
	if (add_registration(c, r, err) == -1 ||
	    add_fencing(r, c->options.node_id, c->broker_epoch, -1, err) == -1 ||
	    fence_others(c, r, err) == -1 || producer_ids_add(c, r, err) == -1 ||
	    cluster_write_now(c, &r->bb, err) == -1)
		return -1;
	producer_ids_take(c);
	return 0;
}

/* --- its partitions --------------------------------------------------------------------------- */

/*
 * After an unclean stop every leader epoch rises, also where this node led before: with
 * a relaxed flush.messages consumers may have seen offsets that the crash has taken,
 * and they will be given out again. Only a new epoch tells the old records from the
 * new ones (KIP-101, KIP-320), to consumers and to whoever copied them. After a clean
 * stop nothing was lost, and the epoch stands.
 */
static bool
needs_leader(const struct cluster *c, const struct image_partition *p)
{
	return !c->clean || p->leader != c->options.node_id || p->isr_count != 1 ||
	       p->isr[0] != c->options.node_id || p->elr.count > 0 || p->last_elr.count > 0 ||
	       p->recovering;
}

static int
add_leader(struct cluster *c, struct cluster_records *r, const struct image_topic *t,
    int32_t number, struct err *err)
{
	const struct image_partition *p = &t->partitions[number];
	int version = image_partition_version(&c->image);
	int32_t self = c->options.node_id;
	struct partition_change_record change;

	wire_init(&wire_partition_change_record, &change);
	change.partition_id = number;
	change.topic_id = t->id;
	change.leader = self;
	if (p->isr_count != 1 || p->isr[0] != self)
		change.isr = (struct wire_int32s){&self, 1};
	if (version >= 2 && p->elr.count > 0)
		change.eligible_leader_replicas.count = 0;
	if (version >= 2 && p->last_elr.count > 0)
		change.last_known_elr.count = 0;
	if (p->recovering)
		change.leader_recovery_state = 0;
	return cluster_add(r, &wire_partition_change_record, version, &change, err);
}

static int
write_leaders(struct cluster *c, struct cluster_records *r, struct err *err)
{
	r->count = 0;
	for (struct map_entry *e = NULL; (e = map_next(&c->image.topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		for (int32_t i = 0; i < t->partition_count; i++) {
			const struct image_partition *p = image_partition(t, i);

			if (p == NULL || !needs_leader(c, p))
				continue;
			if (add_leader(c, r, t, i, err) == -1)
				return -1;
			if (batch_builder_size(&r->bb) < CHANGES_BYTES)
				continue;
			/* No topic comes or goes with it: the walk goes on. */
			if (cluster_write_now(c, &r->bb, err) == -1)
				return -1;
			r->count = 0;
		}
	}
	return r->count > 0 ? cluster_write_now(c, &r->bb, err) : 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int
lead(struct cluster *c, struct err *err)
{
	struct cluster_records *r = &c->records;

	if (begin_epoch(c, err) == -1 || write_leader(c, &r->bb, err) == -1 ||
	    write_abort(c, &r->bb, err) == -1 || write_features(c, &r->bb, err) == -1 ||
	    write_broker(c, r, err) == -1)
		return -1;
	return write_leaders(c, r, err);
}

int
cluster_start(struct cluster *c, struct err *err)
{
	if (take_directory(c, err) == -1 || check_identity(c, err) == -1 || load(c, err) == -1 ||
	    take_marker(c, err) == -1)
		return -1;
	return lead(c, err);
}
