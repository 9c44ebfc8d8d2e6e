/* The clean stop: this broker is fenced, and a marker says that all was written. */
#include <stdio.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/cluster/cluster_impl.h"
#include "store/tail.h"

/* So that the next controller, should it be Kafka's, need not wait until the session of
 * a broker ends that is gone. Partitions keep their leader: it is the only one. */
static int
add_fence(struct cluster *c, struct err *err)
{
	struct broker_registration_change_record b;

	cluster_drop(&c->records);
	c->records.now_ms = os_wall_ms(c->os);
	wire_init(&wire_broker_registration_change_record, &b);
	b.broker_id = c->options.node_id;
	b.broker_epoch = c->broker_epoch;
	b.fenced = 1;
	return cluster_add(&c->records, &wire_broker_registration_change_record, 0, &b, err);
}

/* What a tool may believe of the log's end; without it the tool looks. */
static void
write_tail(struct cluster *c)
{
	struct tail_hint h = {.epoch = c->epoch, .clock = {-1, -1}, .tail = c->log.tail,
	    .first_base = -1};

	if (os_boot_id(c->os, h.boot_id) == 0)
		(void)tail_write(&h, c->os, c->metadata_dir);
}

static int
write_marker(struct cluster *c, struct err *err)
{
	char path[CLUSTER_PATH_MAX], text[64];
	int len = snprintf(text, sizeof(text), "{\"version\":0,\"brokerEpoch\":%lld}",
	    (long long)c->broker_epoch);

	if (cluster_path(c, path, CLEAN_MARKER, err) == -1)
		return -1;
	return os_replace_file(c->os, path, text, (size_t)len, err);
}

/* On the worker. */
static void
stop_run(struct os_job *j)
{
	struct cluster *c = j->ctx;
	struct err *err = &c->stop_err;
	struct batch b;

	err->code = 0;
	/* Where the disk is full, the fence is what can be done without. */
	if ((add_fence(c, err) == -1 || cluster_write(c, &c->records.bb, &b, err) == -1) &&
	    c->log.failed)
		return;
	write_tail(c);
	err->code = 0;
	if (c->stop_clean)
		(void)write_marker(c, err);
}

static void
stop_done(struct os_job *j)
{
	struct cluster *c = j->ctx;

	c->busy = false;
	c->stopped(c->stopped_ctx, &c->stop_err);
}

void
cluster_stop_now(struct cluster *c)
{
	if (c->stop_begun)
		return;
	c->stop_begun = true;
	c->busy = true;
	c->job = (struct os_job){.run = stop_run, .done = stop_done, .ctx = c};
	if (!c->failed) {
		os_work(c->os, WORKER_METADATA, &c->job);
		return;
	}
	c->stop_err = c->failure;
	stop_done(&c->job);
}

void
cluster_stop(
    struct cluster *c, bool clean, void (*done)(void *ctx, const struct err *err), void *ctx)
{
	c->stop_clean = clean;
	c->stopping = true;
	c->stopped = done;
	c->stopped_ctx = ctx;
	cluster_go_on(c);
}
