/* mqd_cluster_test: a cluster on a simulated disk, in few words. */
#ifndef MQD_CLUSTER_TEST_H
#define MQD_CLUSTER_TEST_H

#include <stdio.h>
#include <string.h>

#include "mqd/cluster/cluster_impl.h"
#include "os/os_sim.h"
#include "tap.h"

/* What `changed` and `failed` were told, a line each. */
static char told[4096];
static int failures;

static inline void
on_changed(void *ctx, const char *topic, const struct uuid *id)
{
	(void)ctx;
	(void)id;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s ", topic != NULL ? topic : "*");
}

static inline void
on_failed(void *ctx, const struct err *err)
{
	(void)ctx;
	(void)err;
	failures++;
}

static struct cluster_options cluster_options = {
    .dir = "store",
    .node_id = 1,
    .host = "localhost",
    .port = 9092,
    .snapshot_bytes = 20 << 20,
    .lock_wait_ms = 20,
    .changed = on_changed,
    .failed = on_failed,
};

static inline struct cluster *
start(struct os *os, struct err *err)
{
	err->text[0] = '\0';
	err->code = 0;
	return cluster_new(os, &cluster_options, err);
}

/* --- changes ---------------------------------------------------------------------- */

/* One that makes a topic, deletes it (partitions 0) or does nothing (name NULL). */
struct wish {
	struct cluster_change ch;
	struct cluster *c;
	const char *name;
	int32_t partitions;
	int prepared, done;
	struct uuid id;
};

static inline int
wish_prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct wish *w = ch->ctx;
	struct topic_wish t = {.name = w->name, .partitions = w->partitions, .replicas = -1};
	const struct image_topic *topic;

	w->prepared++;
	if (w->name == NULL)
		return 0;
	topic = image_topic(im, w->name);
	if (w->partitions == 0)
		return controller_delete_topic(im, topic != NULL ? &topic->id : &uuid_zero, r, err);
	return controller_create_topic(im, &t, 1, 1, w->c->os, r, &w->id, err);
}

static inline void
wish_done(struct cluster_change *ch)
{
	((struct wish *)ch->ctx)->done++;
}

static inline void
begin_wish(struct cluster *c, struct wish *w, const char *name, int32_t partitions)
{
	*w = (struct wish){.c = c, .name = name, .partitions = partitions};
	w->ch = (struct cluster_change){.prepare = wish_prepare, .done = wish_done, .ctx = w};
	cluster_change(c, &w->ch);
}

/* Turns until nothing is left to do. */
static inline void
settle(struct os *os)
{
	while (os_turn(os, 0) > 0)
		;
}

/* Makes it come true; Kafka's code. */
static inline int
wish_for(struct cluster *c, const char *name, int32_t partitions)
{
	struct wish w;

	begin_wish(c, &w, name, partitions);
	while (w.done == 0)
		if (os_turn(c->os, 0) == -1)
			return ERR_IO;
	settle(c->os);
	return w.ch.err.code;
}

static int stopped = -1;

static inline void
on_stopped(void *ctx, const struct err *err)
{
	(void)ctx;
	stopped = err->code;
}

static inline int
stop(struct cluster *c)
{
	struct os *os = c->os;

	stopped = -1;
	cluster_stop(c, true, on_stopped, NULL);
	settle(os);
	cluster_free(c);
	return stopped;
}

static inline const struct image_partition *
partition_of(struct cluster *c, const char *topic)
{
	const struct image_topic *t = image_topic(cluster_image(c), topic);

	return t != NULL ? image_partition(t, 0) : NULL;
}

#endif
