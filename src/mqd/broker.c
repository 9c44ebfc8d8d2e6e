/* One node, put together. */
#include "mqd/broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/api/fetch_sessions.h"
#include "base/text.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "mqd/groups/home.h"
#include "mqd/net/conn.h"
#include "mqd/ops/housekeeping.h"
#include "mqd/replica/logs.h"
#include "mqd/replica/partition.h"

/* How long clients may take to read their last answers. */
#define STOP_NET_MS 5000

/* How long a start waits for tools that are in the middle of something. */
#define START_WAIT_MS 10000

#define GIVE_UP_MS 10000 /* the same when a start fails */

/* --- what parts tell each other ---------------------------------------------------- */

static void
metadata_changed(void *ctx, const char *topic, const struct uuid *topic_id)
{
	struct broker *b = ctx;

	if (b->stopping)
		return;
	if (topic == NULL) {
		broker_reloaded(b);
		return;
	}
	partitions_changed(b->partitions, cluster_image(b->cluster), topic, topic_id);
	home_changed(b, cluster_image(b->cluster), topic, topic_id);
}

/* Topics' defaults may have changed too. */
void
broker_reloaded(struct broker *b)
{
	const struct image *im = cluster_image(b->cluster);

	broker_config_refresh(b->config, im);
	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		partitions_changed(b->partitions, im, t->name, &t->id);
	}
}

static void
logs_failed(void *ctx, const struct err *err)
{
	struct broker *b = ctx;

	b->failed = true;
	os_note(b->os, OS_ERROR, "%s: the directory takes nothing more until the next start: %s",
	    b->config->dir, err->text);
}

static bool
is_known(void *ctx, const char *topic, int32_t number)
{
	struct broker *b = ctx;
	const struct image_topic *t = image_topic(cluster_image(b->cluster), topic);

	return t != NULL && image_partition(t, number) != NULL;
}

static void
metadata_failed(void *ctx, const struct err *err)
{
	struct broker *b = ctx;

	b->failed = true;
	os_note(b->os, OS_ERROR, "%s: no change is made any more: %s", b->config->dir, err->text);
}

/* --- start -------------------------------------------------------------------------- */

/* What the registration says. Clients are told that of the listener that they came by. */
static void
registered_address(const struct broker_config *c, char host[OS_ADDRESS_MAX], int32_t *port)
{
	const struct broker_listener *l = &c->listeners[c->registered];
	const char *address = l->address;
	const char *colon = strrchr(address, ':');
	int64_t number;

	snprintf(host, OS_ADDRESS_MAX, "%s", l->host != NULL ? l->host : address);
	*port = l->port;
	if (l->host == NULL && strncmp(address, "unix:", 5) != 0 && colon != NULL &&
	    text_int(colon + 1, 0, UINT16_MAX, &number) == 0) {
		host[colon - address] = '\0';
		*port = (int32_t)number;
	}
}

static int
start_cluster(struct broker *b, struct err *err)
{
	const struct broker_config *config = b->config;
	char host[OS_ADDRESS_MAX];
	struct cluster_options o = {.dir = config->dir, .node_id = config->node_id,
	    .cluster_id = config->cluster_id, .host = host, .rack = config->rack,
	    .num_partitions = config->num_partitions, .topic_defaults = &config->topic_defaults,
	    .snapshot_bytes = config->metadata_snapshot_bytes, .lock_wait_ms = START_WAIT_MS,
	    .changed = metadata_changed, .failed = metadata_failed, .ctx = b};

	registered_address(config, host, &o.port);
	b->cluster = cluster_new(b->os, &o, err);
	return b->cluster == NULL ? -1 : 0;
}

static int
start_logs(struct broker *b, struct err *err)
{
	struct logs_options o = {.dir = b->config->dir, .disk_min_free = b->config->disk_min_free,
	    .checkpoint_ms = b->config->checkpoint_ms,
	    .producer_expire_ms = b->config->producer_expire_ms,
	    .metadata_epoch_before = cluster_epoch_before(b->cluster),
	    .metadata_epoch = cluster_epoch(b->cluster), .clean = cluster_was_clean(b->cluster),
	    .failed = logs_failed, .known = is_known, .ctx = b};

	b->logs = logs_new(b->os, &o, err);
	return b->logs == NULL ? -1 : 0;
}

static int
start(struct broker *b, struct err *err)
{
	if (start_cluster(b, err) == -1 || start_logs(b, err) == -1)
		return -1;
	broker_config_refresh(b->config, cluster_image(b->cluster));
	b->partitions = partitions_new(b);
	b->fetch_sessions =
	    fetch_sessions_new(b->os, (size_t)b->config->fetch_sessions_max);
	if (b->partitions == NULL || b->fetch_sessions == NULL || home_new(b) == -1)
		return err_nomem(err);
	cluster_announce(b->cluster);
	b->housekeeping = housekeeping_new(b);
	if (b->housekeeping == NULL)
		return err_nomem(err);
	b->net = net_new(b, err);
	return b->net == NULL ? -1 : 0;
}

/* --- stop --------------------------------------------------------------------------- */

static void
unclean(struct broker *b, const struct err *err)
{
	b->failed = true;
	os_note(b->os, OS_ERROR, "not a clean stop: %s", err->text);
}

static void
cluster_stopped(void *ctx, const struct err *err)
{
	struct broker *b = ctx;

	if (err->code != 0)
		unclean(b, err);
	b->stopped(b->stopped_ctx);
}

/* Without what the logs owe there is no clean stop to be told. */
static void
logs_stopped(void *ctx, const struct err *err)
{
	struct broker *b = ctx;

	size_t unlooked = logs_unlooked(b->logs);

	if (unlooked > 0)
		os_note(b->os, OS_INFO, "partitions that were not used since a stop that was "
		    "not clean, and are looked at when they are: %zu", unlooked);
	cluster_stop(b->cluster, err == NULL && unlooked == 0, cluster_stopped, b);
	if (err != NULL)
		unclean(b, err);
}

static void
net_stopped(void *ctx)
{
	struct broker *b = ctx;

	b->stopping = true;
	logs_stop(b->logs, logs_stopped, b);
}

void
broker_stop(struct broker *b, void (*done)(void *ctx), void *ctx)
{
	b->stopped = done;
	b->stopped_ctx = ctx;
	net_stop(b->net, STOP_NET_MS, net_stopped, b);
	groups_stop(b->groups);
	housekeeping_stop(b->housekeeping);
}

void
broker_free(struct broker *b)
{
	if (b == NULL)
		return;
	/* What answers hold of the logs goes with net, so the logs go after it. */
	net_free(b->net);
	fetch_sessions_free(b->fetch_sessions);
	housekeeping_free(b->housekeeping);
	partitions_free(b->partitions);
	if (b->logs != NULL)
		logs_free(b->logs);
	home_free(b);
	if (b->cluster != NULL)
		cluster_free(b->cluster);
	request_stats_release(&b->requests);
	free(b);
}

/* --- a start that fails -------------------------------------------------------------- */

static void
given_up(void *ctx)
{
	((struct broker *)ctx)->given_up = true;
}

/* Workers may be under way: they end before what they work on goes. */
static void
give_up(struct broker *b)
{
	int64_t until = os_mono_ns(b->os) + GIVE_UP_MS * 1000000LL;

	b->stopped = given_up;
	b->stopped_ctx = b;
	if (b->logs != NULL)
		logs_stop(b->logs, logs_stopped, b);
	else if (b->cluster != NULL)
		cluster_stop(b->cluster, false, cluster_stopped, b);
	else
		b->given_up = true;
	while (!b->given_up && os_mono_ns(b->os) < until && os_turn(b->os, 100) != -1)
		;
}

struct broker *
broker_new(struct os *os, struct broker_config *config, struct err *err)
{
	struct broker *b = calloc(1, sizeof(*b));

	if (b == NULL) {
		err_nomem(err);
		return NULL;
	}
	b->os = os;
	b->config = config;
	if (start(b, err) == -1) {
		give_up(b);
		broker_free(b);
		return NULL;
	}
	return b;
}
