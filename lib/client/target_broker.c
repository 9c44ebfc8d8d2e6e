/*
 * target_broker: the target that is a cluster of brokers.
 *
 * Calls become asks (cluster.h), one or several. What is for the leaders of partitions
 * is routed here, and anew when leaders move: produce, fetch, offsets.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_impl.h"

/* A batch that is worth a request, and few enough bytes in flight to be held again. */
#define BROKER_BATCH_BYTES (256 << 10)
#define BROKER_PRODUCE_CALLS 64

/* How long things are tried for, unless the user says. */
#define TIMEOUT_MS 60000
#define PATIENT_MS (INT64_C(10) * 365 * 86400 * 1000)

void
broker_finish(struct broker_target *bt, struct call *c, const struct err *why)
{
	if (why == NULL || why->code == 0)
		c->err.code = 0;
	else if (why != &c->err)
		c->err = *why;
	if (bt->done.first == NULL)
		os_timer_start(bt->target.os, &bt->tell, 0);
	call_queue_push(&bt->done, c);
}

static void
tell(struct os_timer *t)
{
	struct broker_target *bt = t->ctx;
	struct call *c;

	while ((c = call_queue_pop(&bt->done)) != NULL) {
		c->finished = true;
		if (c->done != NULL)
			c->done(c);
	}
}

/* --- ops ----------------------------------------------------------------------- */

void *
op_new(struct broker_target *bt, struct call *c, size_t size, void (*release)(struct op *o))
{
	struct op *o = calloc(1, size);
	struct err err;

	if (o == NULL) {
		err_nomem(&err);
		broker_finish(bt, c, &err);
		return NULL;
	}
	o->bt = bt;
	o->call = c;
	o->release = release;
	o->next = bt->ops;
	o->link = &bt->ops;
	if (o->next != NULL)
		o->next->link = &o->next;
	bt->ops = o;
	return o;
}

static void
op_unlink(struct op *o)
{
	*o->link = o->next;
	if (o->next != NULL)
		o->next->link = o->link;
}

void
op_finish(struct op *o, const struct err *why)
{
	op_unlink(o);
	broker_finish(o->bt, o->call, why);
	o->release(o);
}

static bool
op_withdraw(struct broker_target *bt, struct call *c)
{
	for (struct op *o = bt->ops; o != NULL; o = o->next)
		if (o->call == c) {
			op_unlink(o);
			o->release(o);
			return true;
		}
	return false;
}

/* --- small things --------------------------------------------------------------- */

char *
wire_str_dup(struct arena *a, struct wire_str s)
{
	return s.len > 0 ? arena_memdup(a, s.data, (size_t)s.len) : arena_strdup(a, "");
}

int
broker_err(struct err *err, int code, struct wire_str message, const char *fmt, ...)
{
	char where[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(where, sizeof(where), fmt, ap);
	va_end(ap);
	if (message.len > (int)strlen(where) && strncmp(message.data, where, strlen(where)) == 0)
		return err_set(err, code, "%.*s (%s)", message.len, message.data, err_name(code));
	if (message.len > 0)
		return err_set(
		    err, code, "%s: %.*s (%s)", where, message.len, message.data, err_name(code));
	return err_set(err, code, "%s: %s", where, err_name(code));
}

/* --- the table -------------------------------------------------------------------- */

static void
on_refreshed(void *ctx)
{
	struct broker_target *bt = ctx;

	for (struct op *o = bt->ops, *next; o != NULL; o = next) {
		next = o->next;
		if (o->refreshed != NULL)
			o->refreshed(o);
	}
	broker_produce_pump(bt);
	broker_fetch_pump(bt);
	broker_members_refreshed(bt);
	bt->target.node_id = cluster_some_node(bt->cluster);
}

static void
on_lost(void *ctx, const struct err *why)
{
	struct broker_target *bt = ctx;

	bt->options.lost(bt->options.ctx, why);
}

static void
broker_withdraw(struct target *t, struct call *c)
{
	struct broker_target *bt = broker_target_of(t);

	if (!call_queue_remove(&bt->done, c) && !op_withdraw(bt, c) &&
	    !call_queue_remove(&bt->flushes, c) && !broker_produce_withdraw(bt, c))
		broker_fetch_withdraw(bt, c);
}

/* Changes are not told of by a broker: who waits looks now and then. */
static void
broker_watch_topics(struct target *t)
{
	(void)t;
}

static void
broker_free(struct target *t)
{
	struct broker_target *bt = broker_target_of(t);

	while (bt->ops != NULL) {
		struct op *o = bt->ops;

		op_unlink(o);
		o->release(o);
	}
	if (bt->cluster != NULL) {
		broker_produce_free(bt);
		broker_fetch_free(bt);
	}
	os_timer_stop(t->os, &bt->tell);
	client_cluster_free(bt->cluster);
	free(bt->name);
	free(bt->servers);
	free(bt->client_id);
	free(bt->assignors);
	free(bt);
}

void
broker_close(struct target *t)
{
	struct broker_target *bt = broker_target_of(t);

	os_timer_stop(t->os, &bt->produce_timer);
	os_timer_stop(t->os, &bt->fetch_timer);
	client_cluster_close(bt->cluster);
}

bool
broker_is_closed(struct target *t)
{
	return client_cluster_is_closed(broker_target_of(t)->cluster);
}

static const struct target_ops broker_ops = {
    .metadata = broker_metadata,
    .produce = broker_produce,
    .flush = broker_flush,
    .withdraw = broker_withdraw,
    .fetch = broker_fetch,
    .next = broker_next,
    .forget = broker_forget,
    .offsets = broker_offsets,
    .commit = broker_commit,
    .committed = broker_committed,
    .group_join = broker_group_join,
    .group_released = broker_group_released,
    .group_add_topic = broker_group_add_topic,
    .group_settled = broker_group_settled,
    .group_leave = broker_group_leave,
    .admin = broker_admin,
    .watch_topics = broker_watch_topics,
    .free = broker_free,
};

/* The strings are copied: the caller's need not live as long as we do. */
static int
copy_options(struct broker_target *bt, const struct broker_options *o)
{
	static const char prefix[] = "brokers ";
	size_t size = sizeof(prefix) + strlen(o->servers);

	bt->options = *o;
	bt->servers = strdup(o->servers);
	bt->client_id = strdup(o->client_id);
	bt->assignors = strdup(o->assignors != NULL ? o->assignors : "range,cooperative-sticky");
	bt->name = malloc(size);
	if (bt->servers == NULL || bt->client_id == NULL || bt->assignors == NULL ||
	    bt->name == NULL)
		return -1;
	snprintf(bt->name, size, "%s%s", prefix, o->servers);
	bt->options.servers = bt->servers;
	bt->options.client_id = bt->client_id;
	bt->options.assignors = bt->assignors;
	return 0;
}

int
target_broker_check(const char *servers, struct err *err)
{
	return cluster_check_servers(servers, err);
}

struct target *
target_broker_new(struct os *os, const struct broker_options *o, struct err *err)
{
	struct broker_target *bt = calloc(1, sizeof(*bt));
	struct cluster_events events = {.refreshed = on_refreshed, .ctx = bt};
	struct cluster_config config;

	if (bt == NULL || copy_options(bt, o) == -1) {
		err_nomem(err);
		goto fail;
	}
	if (o->lost != NULL)
		events.lost = on_lost;
	bt->target = (struct target){
	    .ops = &broker_ops,
	    .os = os,
	    .name = bt->name,
	    .node_id = -1,
	    .produce_calls_max = BROKER_PRODUCE_CALLS,
	    .batch_bytes = BROKER_BATCH_BYTES,
	    .needs_turns = true,
	};
	config = (struct cluster_config){.servers = bt->servers,
	    .who = {.client_id = bt->client_id, .software_version = o->version},
	    .timeout_ms = o->timeout_ms > 0 ? o->timeout_ms
			  : o->patient	    ? PATIENT_MS
					    : TIMEOUT_MS,
	    .patience_ms = o->timeout_ms};
	call_queue_init(&bt->done);
	call_queue_init(&bt->flushes);
	bt->tell = (struct os_timer){.fire = tell, .ctx = bt};
	bt->cluster = client_cluster_new(os, &config, &events, err);
	if (bt->cluster == NULL)
		goto fail;
	broker_produce_init(bt);
	broker_fetch_init(bt);
	return &bt->target;
fail:
	if (bt != NULL) {
		free(bt->name);
		free(bt->servers);
		free(bt->client_id);
		free(bt->assignors);
	}
	free(bt);
	return NULL;
}
