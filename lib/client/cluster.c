/* cluster: asks: whom they go to, when they are tried again, and when no more. */
#include "client/cluster.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cluster_impl.h"
#include "wire_gen.h"

/* How long a broker may take for what it need not hold back. */
#define REQUEST_MS 30000

static void pump(struct cluster *c);

/* --- the list of asks --------------------------------------------------------- */

static void
list_add(struct cluster *c, struct ask *a)
{
	a->next = NULL;
	a->prev = c->last_ask;
	if (c->last_ask != NULL)
		c->last_ask->next = a;
	else
		c->first = a;
	c->last_ask = a;
	c->asks_changed = true;
}

static void
list_remove(struct cluster *c, struct ask *a)
{
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		c->first = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	else
		c->last_ask = a->prev;
	c->asks_changed = true;
}

static void
ask_release(struct ask *a)
{
	list_remove(a->cluster, a);
	link_forget(&a->request);
	arena_release(&a->arena);
	buf_release(&a->frame);
	a->state = ASK_IDLE;
}

static void
ask_end(struct ask *a)
{
	list_remove(a->cluster, a);
	a->state = ASK_IDLE;
	arena_release(&a->arena);
	buf_release(&a->frame);
	a->done(a);
}

void
cluster_wake(struct cluster *c)
{
	if (c->is_freeing)
		return;
	c->wake_soon = true;
	os_timer_start(c->os, &c->wake, 0);
}

void
cluster_ask(struct cluster *c, struct ask *a)
{
	int64_t timeout_ms = a->timeout_ms > 0 ? a->timeout_ms : c->config.timeout_ms;

	assert(a->state == ASK_IDLE);
	a->cluster = c;
	a->state = ASK_WAITING;
	a->tries = 0;
	a->was_lost = a->again = false;
	a->retry_ns = 0;
	a->sent_to = -1;
	a->deadline_ns = os_mono_ns(c->os) + (timeout_ms + a->hold_ms) * 1000000;
	a->request.slot = NULL;
	a->err.code = 0;
	arena_init(&a->arena, 0);
	buf_init(&a->frame);
	list_add(c, a);
	cluster_wake(c);
}

void
cluster_cancel(struct ask *a)
{
	if (a->state != ASK_IDLE)
		ask_release(a);
}

/* --- failing and trying again --------------------------------------------------- */

bool
cluster_is_stale(int code)
{
	switch (code) {
	case ERR_UNKNOWN_TOPIC_OR_PARTITION:
	case ERR_UNKNOWN_TOPIC_ID:
	case ERR_INCONSISTENT_TOPIC_ID:
	case ERR_LEADER_NOT_AVAILABLE:
	case ERR_NOT_LEADER_OR_FOLLOWER:
	case ERR_REPLICA_NOT_AVAILABLE:
	case ERR_FENCED_LEADER_EPOCH:
	case ERR_UNKNOWN_LEADER_EPOCH:
	case ERR_KAFKA_STORAGE_ERROR:
	case ERR_NOT_CONTROLLER:
	case ERR_NETWORK_EXCEPTION:
	case ERR_LISTENER_NOT_FOUND:
		return true;
	default:
		return false;
	}
}

/* Some node that has been connected to; NULL: none has. */
static const struct node *
some_node_up(const struct cluster *c)
{
	for (const struct node *n = c->nodes; n != NULL; n = n->next)
		if (n->ever_up)
			return n;
	return NULL;
}

/* The time is up for something that could not be sent. */
static void
say_late(struct ask *a)
{
	const struct api *api = api_find(a->api);

	for (const struct node *n = a->cluster->nodes; n != NULL && a->err.code == 0; n = n->next)
		if (!n->is_gone && n->err.code != 0)
			a->err = n->err;
		else if (!n->is_gone && !n->ever_up)
			err_set(&a->err, ERR_REQUEST_TIMED_OUT, "%s: no answer in time", n->address);
	if (a->err.code == 0)
		err_set(
		    &a->err, ERR_REQUEST_TIMED_OUT, "no broker to send %s to in time", api->name);
	else if (err_is_retriable(a->err.code) && some_node_up(a->cluster) != NULL)
		err_prefix(&a->err, "tried for too long");
}

/* Something went wrong with a try: it ends, or waits for the next. */
static void
ask_failed(struct ask *a, const struct err *why)
{
	struct cluster *c = a->cluster;
	int64_t pause_ms = cluster_backoff_ms(c->os, ++a->tries);
	bool again = a->again;

	a->again = false;
	if (&a->err != why)
		a->err = *why;
	arena_reset(&a->arena);
	buf_release(&a->frame);
	if (a->to == TO_COORDINATOR &&
	    (why->code == ERR_NOT_COORDINATOR || why->code == ERR_COORDINATOR_NOT_AVAILABLE ||
		why->code == ERR_NETWORK_EXCEPTION))
		cluster_forget_coordinator(c, a->group);
	if (cluster_is_stale(why->code))
		cluster_refresh(c);
	if (a->once || !(err_is_retriable(why->code) || again)) {
		ask_end(a);
		return;
	}
	a->state = ASK_WAITING;
	a->retry_ns = os_mono_ns(c->os) + pause_ms * 1000000;
	if (a->retry_ns >= a->deadline_ns) {
		say_late(a);
		ask_end(a);
		return;
	}
	cluster_wake(c);
}

/* --- one try -------------------------------------------------------------------- */

static void
on_answer(struct link_request *r, struct buf *frame, struct slice body, const struct err *why)
{
	struct ask *a = r->ctx;
	struct err err = {.code = 0};
	void *msg;

	if (why->code != 0) {
		a->was_lost = true;
		ask_failed(a, why);
		return;
	}
	if (frame == NULL) {
		ask_end(a);
		return;
	}
	arena_reset(&a->arena);
	a->frame = *frame;
	buf_init(frame);
	msg = arena_alloc(&a->arena, r->api->response->body->size);
	if (msg == NULL)
		err_nomem(&err);
	else if (wire_decode_all(r->api->response, r->version, body, &a->arena, msg, &err) == 0)
		a->answer(a, r->version, msg, &err);
	if (err.code != 0) {
		ask_failed(a, &err);
		return;
	}
	a->err.code = 0;
	ask_end(a);
}

/* Sends it on this link, to the node. */
static void
ask_send(struct ask *a, struct link *l, int32_t node)
{
	const struct api *api = api_find(a->api);
	int version = link_version(l, api, a->version_max > 0 ? a->version_max : INT16_MAX);
	int64_t left_ms = (a->deadline_ns - os_mono_ns(a->cluster->os)) / 1000000 + 1;
	struct err err = {.code = 0};
	void *msg;

	a->request = (struct link_request){.api = api,
	    .version = version,
	    .timeout_ms = REQUEST_MS + a->hold_ms < left_ms ? REQUEST_MS + a->hold_ms : left_ms,
	    .silent = a->silent,
	    .done = on_answer,
	    .ctx = a};
	if (version == -1) {
		err_set(
		    &err, ERR_UNSUPPORTED_VERSION, "broker %d does not know %s", node, api->name);
		ask_failed(a, &err);
		return;
	}
	msg = arena_alloc(&a->arena, api->request->body->size);
	if (msg == NULL) {
		err_nomem(&err);
	} else {
		wire_init(api->request, msg);
		if (a->fill(a, version, msg, &err) == 0 &&
		    link_send(l, &a->request, msg, &err) == 0) {
			a->state = ASK_SENT;
			a->sent_to = node;
			arena_reset(&a->arena);
			return;
		}
	}
	ask_failed(a, &err);
}

/* "127.0.0.1:9092: connected, but broker 1 advertises localhost:9092, which refused (fix its
 * advertised address)" */
static void
say_unreachable(struct cluster *c, struct node *n, struct err *err)
{
	const struct node *via = some_node_up(c);
	const char *what;

	*err = n->err;
	if (err_is_retriable(err->code))
		err->code = ERR_BUSY;
	if (via == NULL || n->is_listed || n->id < 0)
		return;
	what = n->err.sys_errno == ECONNREFUSED	  ? "refused"
	       : n->err.sys_errno == EHOSTUNREACH ? "cannot be found"
	       : n->err.sys_errno == ETIMEDOUT	  ? "does not answer"
						  : "cannot be connected to";
	err_set(err, ERR_BUSY,
	    "%s: connected, but broker %d advertises %s, which %s (fix its advertised address)",
	    via->address, n->id, n->address, what);
	err->sys_errno = n->err.sys_errno;
}

/* To that broker: sends, waits, or fails. */
static void
try_node(struct cluster *c, struct ask *a, int32_t id, int64_t *when_ns)
{
	struct node *n = node_find(c, id);
	struct link *l;
	struct err err;

	if (n == NULL || (n->is_gone && !n->is_listed)) {
		err_set(&err, ERR_NETWORK_EXCEPTION, "broker %d is not there", id);
		ask_failed(a, &err);
		return;
	}
	l = node_link(n, a->kind, when_ns);
	if (l != NULL) {
		if (link_has_room(l))
			ask_send(a, l, id);
		return;
	}
	if (node_is_hopeless(n)) {
		say_unreachable(c, n, &err);
		ask_failed(a, &err);
	} else if (n->links[a->kind].failures > 0 && (a->once || a->to != TO_NODE)) {
		/* Whoever is in charge may be another by now. */
		err = n->err;
		if (err.code != 0 && err_is_retriable(err.code))
			ask_failed(a, &err);
	}
}

static void
try_any(struct cluster *c, struct ask *a, int64_t *when_ns)
{
	struct node *n = NULL;
	struct link *l = nodes_any(c, when_ns, &n);
	const struct err *why;
	struct err err;

	if (l != NULL) {
		if (link_has_room(l))
			ask_send(a, l, n->id);
		return;
	}
	if (!nodes_are_hopeless(c, &why))
		return;
	err = *why;
	if (err_is_retriable(err.code))
		err.code = ERR_BUSY;
	ask_failed(a, &err);
}

/* Its topic is looked up anew after a failure that may be about that. */
static void
try_leader(struct cluster *c, struct ask *a, int64_t *when_ns)
{
	struct cluster_topic *t = cluster_topic(c, a->topic);
	int32_t leader = t != NULL ? cluster_leader(t, a->partition) : -1;
	struct err err;

	if (t == NULL) {
		err_nomem(&err);
	} else if (!t->is_known) {
		cluster_refresh(c);
		return;
	} else if (t->code != 0) {
		err_set(&err, t->code, "topic %s: %s", a->topic, err_name(t->code));
		if (t->code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
			a->once = true;
	} else if (a->partition >= t->count) {
		err_set(&err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "topic %s has no partition %d",
		    a->topic, a->partition);
		a->once = true;
	} else if (leader < 0) {
		err_set(
		    &err, ERR_LEADER_NOT_AVAILABLE, "%s-%d has no leader", a->topic, a->partition);
	} else {
		try_node(c, a, leader, when_ns);
		return;
	}
	ask_failed(a, &err);
}

static void
try_ask(struct cluster *c, struct ask *a, int64_t *when_ns)
{
	struct err err = {.code = 0};
	int32_t id;

	switch (a->to) {
	case TO_NODE:
		try_node(c, a, a->node, when_ns);
		return;
	case TO_CONTROLLER:
		if (c->has_metadata && c->controller >= 0 && node_find(c, c->controller) != NULL)
			try_node(c, a, c->controller, when_ns);
		else if (c->has_metadata)
			try_any(c, a, when_ns);
		else
			cluster_refresh(c);
		return;
	case TO_COORDINATOR:
		id = coordinator_node(c, a->group, &err);
		if (err.code != 0)
			ask_failed(a, &err);
		else if (id >= 0)
			try_node(c, a, id, when_ns);
		return;
	case TO_LEADER:
		try_leader(c, a, when_ns);
		return;
	case TO_ANY:
		try_any(c, a, when_ns);
		return;
	}
}

/* --- the pump ------------------------------------------------------------------- */

/* Looks at one ask that waits. */
static void
visit(struct cluster *c, struct ask *a, int64_t now, int64_t *when_ns)
{
	if (now >= a->deadline_ns) {
		say_late(a);
		ask_end(a);
		return;
	}
	soonest(when_ns, a->deadline_ns);
	if (now < a->retry_ns)
		soonest(when_ns, a->retry_ns);
	else
		try_ask(c, a, when_ns);
}

static void
pump(struct cluster *c)
{
	int64_t when = INT64_MAX, now;
	struct ask *a;

	c->wake_soon = false;
	now = os_mono_ns(c->os);
	metadata_pump(c, &when);
	do {
		c->asks_changed = false;
		/* What is visited may be gone after it, and others too. */
		a = c->first;
		while (a != NULL && !c->asks_changed) {
			struct ask *next = a->next;

			if (a->state == ASK_WAITING)
				visit(c, a, now, &when);
			a = next;
		}
	} while (c->asks_changed);
	if (when == INT64_MAX || c->wake_soon)
		return;
	now = os_mono_ns(c->os);
	os_timer_start(c->os, &c->wake, when > now ? (when - now) / 1000000 + 1 : 0);
}

static void
on_wake(struct os_timer *t)
{
	pump(t->ctx);
}

/* --- beginning and end ---------------------------------------------------------- */

struct cluster *
client_cluster_new(struct os *os, const struct cluster_config *config, const struct cluster_events *events,
    struct err *err)
{
	struct cluster *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->os = os;
	c->config = *config;
	c->events = *events;
	c->controller = -1;
	c->wake = (struct os_timer){.fire = on_wake, .ctx = c};
	metadata_init(c);
	if (nodes_from_list(c, err) == -1) {
		client_cluster_free(c);
		return NULL;
	}
	return c;
}

void
client_cluster_close(struct cluster *c)
{
	c->is_freeing = true;
	while (c->first != NULL)
		ask_release(c->first);
	os_timer_stop(c->os, &c->wake);
	nodes_close(c);
}

bool
client_cluster_is_closed(const struct cluster *c)
{
	return c->links_live == 0;
}

void
client_cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	client_cluster_close(c);
	metadata_free(c);
	nodes_free(c);
	free(c);
}

int32_t
cluster_some_node(const struct cluster *c)
{
	for (const struct node *n = c->nodes; n != NULL; n = n->next)
		if (n->id >= 0 && !n->is_gone)
			return n->id;
	return -1;
}

int
cluster_version(const struct cluster *c, int32_t node, int api)
{
	for (const struct node *n = c->nodes; n != NULL; n = n->next) {
		if (node >= 0 && n->id != node)
			continue;
		for (int k = 0; k < KIND_COUNT; k++)
			if (n->links[k].link != NULL && link_state(n->links[k].link) == LINK_UP)
				return link_version(n->links[k].link, api_find(api), INT16_MAX);
	}
	return -2;
}
