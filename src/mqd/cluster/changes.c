/* Changes of the metadata, one after another: prepared, written, applied, told. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/cluster/cluster_impl.h"
#include "store/records.h"

#define APPLY_RETRY_MS 100

/* --- records ------------------------------------------------------------------------ */

int
cluster_add(struct cluster_records *r, const struct wire_schema *schema, int version,
    const void *msg, struct err *err)
{
	if (records_add_metadata(&r->bb, schema, version, msg, r->now_ms, err) == -1)
		return -1;
	r->count++;
	return 0;
}

size_t
cluster_record_count(const struct cluster_records *r)
{
	return r->count;
}

void
cluster_drop(struct cluster_records *r)
{
	batch_builder_reset(&r->bb);
	r->bb.head.attributes = 0;
	r->count = 0;
}

static void
records_begin(struct cluster *c)
{
	cluster_drop(&c->records);
	c->records.now_ms = os_wall_ms(c->os);
}

/* --- writing -------------------------------------------------------------------------- */

int
cluster_write(struct cluster *c, struct batch_builder *bb, struct batch *b, struct err *err)
{
	struct mlog_appended out;
	uint8_t *bytes;

	if (batch_builder_finish(bb, b, err) == -1)
		return -1;
	bytes = (uint8_t *)(uintptr_t)b->bytes; /* the builder's, which may be stamped */
	if (mlog_append(&c->log, bytes, (size_t)b->size, c->epoch, 0, &out, err) == -1 ||
	    mlog_sync(&c->log, err) == -1)
		return -1;
	(void)batch_view(bytes, (size_t)b->size, b); /* its offset and epoch are set */
	return 0;
}

/* --- applying ------------------------------------------------------------------------- */

static int
touched_add(void *ctx, const struct image_topic *topic, struct err *err)
{
	struct cluster *c = ctx;
	struct touched *grown;
	char *name;

	if (topic == NULL) {
		c->touched_other = true;
		return 0;
	}
	if (map_get(&c->touched_ids, topic->id.bytes, sizeof(topic->id.bytes)) != NULL)
		return 0;
	if (c->touched_count == c->touched_cap) {
		size_t cap = c->touched_cap > 0 ? 2 * c->touched_cap : 16;

		grown = realloc(c->touched, cap * sizeof(*grown));
		if (grown == NULL)
			return err_nomem(err);
		c->touched = grown;
		c->touched_cap = cap;
	}
	name = strdup(topic->name);
	if (name == NULL ||
	    map_put(&c->touched_ids, topic->id.bytes, sizeof(topic->id.bytes), c, NULL) == -1) {
		free(name);
		return err_nomem(err);
	}
	c->touched[c->touched_count++] = (struct touched){.id = topic->id, .name = name};
	return 0;
}

static void
touched_forget(struct cluster *c)
{
	for (size_t i = 0; i < c->touched_count; i++)
		free(c->touched[i].name);
	c->touched_count = 0;
	c->touched_other = false;
	map_release(&c->touched_ids);
	map_init(&c->touched_ids);
}

static void
touched_tell(struct cluster *c)
{
	for (size_t i = 0; i < c->touched_count; i++)
		c->options.changed(c->options.ctx, c->touched[i].name, &c->touched[i].id);
	if (c->touched_other)
		c->options.changed(c->options.ctx, NULL, NULL);
	touched_forget(c);
}

int
cluster_apply(struct cluster *c, const struct batch *b, struct err *err)
{
	if (image_apply(&c->image, b, err) == -1)
		return err_prefix(err, "%s", c->metadata_dir);
	c->snapshot_size += b->size;
	return 0;
}

int
cluster_write_now(struct cluster *c, struct batch_builder *bb, struct err *err)
{
	struct batch b;

	if (cluster_write(c, bb, &b, err) == -1 || cluster_apply(c, &b, err) == -1)
		return -1;
	batch_builder_reset(bb);
	bb->head.attributes = 0;
	return 0;
}

/* --- failing -------------------------------------------------------------------------- */

static void
refuse(struct cluster *c, struct cluster_change *ch)
{
	if (c->failed)
		err_set(&ch->err, ERR_KAFKA_STORAGE_ERROR, "The metadata log has failed: %s",
		    c->failure.text);
	else
		err_set(&ch->err, ERR_NOT_CONTROLLER, "The broker is shutting down.");
	ch->done(ch);
}

void
cluster_fail(struct cluster *c, const struct err *err)
{
	bool first = !c->failed;

	c->failed = true;
	if (first)
		c->failure = *err;
	if (first && c->options.failed != NULL)
		c->options.failed(c->options.ctx, err);
}

/* --- one after another ------------------------------------------------------------------ */

static struct cluster_change *
take(struct cluster *c)
{
	struct cluster_change *ch = c->queue;

	if (ch == NULL)
		return NULL;
	c->queue = ch->next;
	if (c->queue == NULL)
		c->queue_tail = &c->queue;
	ch->next = NULL;
	return ch;
}

/* On the worker. */
static void
write_run(struct os_job *j)
{
	struct cluster *c = j->ctx;

	c->job_err.code = 0;
	(void)cluster_write(c, &c->records.bb, &c->written, &c->job_err);
}

/* The change under way has come to its end, well or not. */
static void
finish(struct cluster *c, const struct err *err)
{
	struct cluster_change *ch = c->under_way;

	c->under_way = NULL;
	c->busy = false;
	ch->err.code = 0;
	if (err->code != 0) {
		/* A disk that is full fails this change; what there is stays whole. */
		touched_forget(c);
		err_set(&ch->err, ERR_KAFKA_STORAGE_ERROR, "The metadata log cannot be written: %s",
		    err->text);
	} else {
		touched_tell(c);
	}
	ch->done(ch);
	cluster_go_on(c);
}

/* What has been written is the truth: where there is no memory to apply it, it is tried
 * again until there is. Where it cannot be applied at all, this node knows no more what
 * holds. */
static void
apply_written(struct os_timer *t)
{
	struct cluster *c = t->ctx;
	struct err err = {0};

	if (cluster_apply(c, &c->written, &err) == -1) {
		if (err.code == ERR_NOMEM && !c->stopping) {
			os_timer_start(c->os, &c->apply_timer, APPLY_RETRY_MS);
			return;
		}
		cluster_fail(c, &err);
	}
	finish(c, &err);
}

static void
write_done(struct os_job *j)
{
	struct cluster *c = j->ctx;

	if (c->job_err.code == 0) {
		apply_written(&c->apply_timer);
		return;
	}
	if (c->log.failed)
		cluster_fail(c, &c->job_err);
	finish(c, &c->job_err);
}

/* True: the log is busy with it. */
static bool
begin(struct cluster *c, struct cluster_change *ch)
{
	records_begin(c);
	ch->err.code = 0;
	if (ch->prepare(ch, &c->image, &c->records, &ch->err) == -1 || c->records.count == 0) {
		ch->done(ch);
		return false;
	}
	if (batch_builder_size(&c->records.bb) > METADATA_BATCH_MAX) {
		err_set(&ch->err, ERR_POLICY_VIOLATION,
		    "The change takes more than %d bytes in the metadata log.", METADATA_BATCH_MAX);
		ch->done(ch);
		return false;
	}
	c->under_way = ch;
	c->busy = true;
	c->job = (struct os_job){.run = write_run, .done = write_done, .ctx = c};
	os_work(c->os, WORKER_METADATA, &c->job);
	return true;
}

static void
step(struct os_timer *t)
{
	struct cluster *c = t->ctx;
	struct cluster_change *ch;

	if (c->busy || cluster_snapshot_due(c))
		return;
	while ((ch = take(c)) != NULL) {
		if (c->failed || c->stopping)
			refuse(c, ch);
		else if (begin(c, ch))
			return;
	}
	if (c->stopping && !c->snapshotting)
		cluster_stop_now(c);
}

void
cluster_go_on(struct cluster *c)
{
	if (!c->busy)
		os_timer_start(c->os, &c->timer, 0);
}

void
cluster_change(struct cluster *c, struct cluster_change *ch)
{
	ch->next = NULL;
	*c->queue_tail = ch;
	c->queue_tail = &ch->next;
	cluster_go_on(c);
}

/* --- life -------------------------------------------------------------------------------- */

void
cluster_changes_init(struct cluster *c)
{
	c->queue_tail = &c->queue;
	c->timer = (struct os_timer){.fire = step, .ctx = c};
	c->apply_timer = (struct os_timer){.fire = apply_written, .ctx = c};
	batch_builder_init(&c->records.bb, CODEC_NONE, 0);
	map_init(&c->touched_ids);
}

void
cluster_watch(struct cluster *c)
{
	c->image.watcher = (struct image_watcher){.touched = touched_add, .ctx = c};
}

void
cluster_changes_release(struct cluster *c)
{
	os_timer_stop(c->os, &c->timer);
	os_timer_stop(c->os, &c->apply_timer);
	touched_forget(c);
	free(c->touched);
	map_release(&c->touched_ids);
	batch_builder_release(&c->records.bb);
}
