/* All connections: listeners, the memory that they share, the end. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/net/conn_impl.h"

/* --- memory ----------------------------------------------------------------------- */

static void
forget(struct conn *c)
{
	if (c->blocked)
		TAILQ_REMOVE(&c->net->blocked, c, blocked_link);
	c->blocked = false;
	if (c->net->favoured == c)
		c->net->favoured = NULL;
}

/* One at a time may go on without memory: until its frame is there and freed again. */
static bool
may_favour(const struct net *n)
{
	return n->favoured == NULL && !n->favour_taken;
}

/* Is its frame, of which the length is known, a small one? These have a reserve, so that
 * large ones do not keep them out, however little of those ever comes. */
static bool
is_small(const struct conn *c)
{
	return c->reader.prefix_len == FRAME_PREFIX && c->reader.bytes.limit <= FRAME_SMALL;
}

static int64_t
limit_of(const struct conn *c)
{
	int64_t max = c->net->config->queued_bytes_max;

	return is_small(c) ? max + max / 4 : max;
}

/* Those who wait for memory go on, as far as there is some. */
static void
wake(struct net *n)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&n->blocked)) != NULL &&
	    (n->queued_bytes <= limit_of(c) || may_favour(n))) {
		forget(c);
		if (n->queued_bytes > limit_of(c))
			n->favoured = c;
		/* The wait was ours. */
		c->moved_ns = os_mono_ns(n->broker->os);
		os_stream_read(n->broker->os, &c->stream);
	}
}

void
net_count(struct net *n, int64_t bytes)
{
	n->queued_bytes += bytes;
	assert(n->queued_bytes >= 0);
	if (bytes < 0)
		wake(n);
}

bool
net_is_short(const struct net *n)
{
	return n->queued_bytes > n->config->queued_bytes_max;
}

bool
net_may_read(struct conn *c)
{
	struct net *n = c->net;

	if (n->queued_bytes <= limit_of(c) || n->favoured == c)
		return true;
	if (may_favour(n)) {
		n->favoured = c;
		return true;
	}
	if (!c->blocked && is_small(c))
		TAILQ_INSERT_HEAD(&n->blocked, c, blocked_link);
	else if (!c->blocked)
		TAILQ_INSERT_TAIL(&n->blocked, c, blocked_link);
	c->blocked = true;
	return false;
}

void
net_leave(struct conn *c)
{
	forget(c);
	wake(c->net);
}

void
net_keep(struct net *n, struct exchange *x)
{
	LIST_INSERT_HEAD(&n->exchanges, x, all);
}

void
conn_frame_release(struct broker *b, struct buf *frame, bool favoured)
{
	size_t cap = frame->cap;

	buf_release(frame);
	if (favoured)
		b->net->favour_taken = false;
	net_count(b->net, -(int64_t)cap);
}

/* --- listening -------------------------------------------------------------------- */

static struct os_stream *
on_accepted(struct os_listener *l, const char *peer)
{
	struct net_listener *listener = l->ctx;
	struct net *n = listener->net;
	struct conn *c = NULL;

	if (!n->stopping && n->conn_count < (size_t)n->config->connections_max)
		c = conn_accept(n, listener);
	if (c == NULL) {
		/* Once for each thousand: a flood of connections shall not be one of lines. */
		if (n->stats.refused++ % 1000 == 0)
			os_note(n->broker->os, OS_WARN, "%s: turned away: %zu connections (max.connections)",
			    peer, n->conn_count);
		return NULL;
	}
	return &c->stream;
}

/* "HOST:PORT", "[HOST]:PORT", "unix:PATH" in two. */
static void
split_address(const char *address, char host[OS_ADDRESS_MAX], int32_t *port)
{
	const char *colon = strrchr(address, ':');
	size_t len = strlen(address);

	*port = 0;
	if (strncmp(address, "unix:", 5) != 0 && colon != NULL) {
		*port = (int32_t)strtol(colon + 1, NULL, 10);
		len = (size_t)(colon - address);
		if (len >= 2 && address[0] == '[') {
			address++;
			len -= 2;
		}
	}
	len = len < OS_ADDRESS_MAX - 1 ? len : OS_ADDRESS_MAX - 1;
	memcpy(host, address, len);
	host[len] = '\0';
}

int
net_listen_fault(struct err *err, int why, const char *address)
{
	if (why == EHOSTUNREACH)
		err_set(err, ERR_BUSY, "cannot listen on %s: there is no address of that name", address);
	else
		err_sys(err, why, "cannot listen on %s", address);
	if (why == EADDRINUSE || why == EADDRNOTAVAIL)
		err->code = ERR_BUSY;
	else if (err->code != ERR_NOMEM && err->code != ERR_BUSY)
		err->code = ERR_CONFIG;
	return -1;
}

static int
listen_on(struct net *n, struct net_listener *l, const struct broker_listener *what, struct err *err)
{
	l->net = n;
	l->listener = (struct os_listener){.accepted = on_accepted, .ctx = l};
	if (os_listen(n->broker->os, &l->listener, what->address) == -1) {
		l->net = NULL;
		return net_listen_fault(err, errno, what->address);
	}
	split_address(l->listener.address, l->host, &l->port);
	if (what->host != NULL) {
		snprintf(l->host, sizeof(l->host), "%s", what->host);
		l->port = what->port > 0 ? what->port : l->port;
	}
	os_note(n->broker->os, OS_INFO, "listening on %s", l->listener.address);
	return 0;
}

static void
stop_listening(struct net *n)
{
	for (size_t i = 0; i < n->listener_count; i++) {
		if (n->listeners[i].net != NULL)
			os_listen_stop(n->broker->os, &n->listeners[i].listener);
		n->listeners[i].net = NULL;
	}
}

/* --- life ------------------------------------------------------------------------- */

static void
stop_now(struct os_timer *t)
{
	struct net *n = t->ctx;
	struct conn *c, *next;

	LIST_FOREACH_SAFE(c, &n->conns, link, next)
	conn_end(c, false, "the broker stops");
}

struct net *
net_new(struct broker *b, struct err *err)
{
	const struct broker_config *config = b->config;
	struct net *n = calloc(1, sizeof(*n));

	if (n == NULL) {
		err_nomem(err);
		return NULL;
	}
	n->broker = b;
	n->config = config;
	LIST_INIT(&n->conns);
	LIST_INIT(&n->exchanges);
	LIST_INIT(&n->outs);
	TAILQ_INIT(&n->blocked);
	n->stop_timer = (struct os_timer){.fire = stop_now, .ctx = n};
	n->listeners = calloc(config->listener_count + 1, sizeof(*n->listeners));
	if (n->listeners == NULL) {
		free(n);
		err_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < config->listener_count; i++) {
		n->listener_count = i + 1;
		if (listen_on(n, &n->listeners[i], &config->listeners[i], err) == -1) {
			net_free(n);
			return NULL;
		}
	}
	return n;
}

void
net_settle(struct net *n)
{
	struct conn *c, *next;
	void (*stopped)(void *ctx) = n->stopped;

	if (!n->stopping || stopped == NULL)
		return;
	LIST_FOREACH_SAFE(c, &n->conns, link, next)
	if (c->under_way == 0 && !c->closing)
		conn_end(c, true, NULL);
	if (n->conn_count > 0)
		return;
	n->stopped = NULL;
	os_timer_stop(n->broker->os, &n->stop_timer);
	stopped(n->stopped_ctx);
}

/* Also where there is no connection it is told from os_turn. */
static void
stop_begin(struct os_timer *t)
{
	struct net *n = t->ctx;

	n->stop_timer.fire = stop_now;
	os_timer_start(n->broker->os, &n->stop_timer, n->stop_ms);
	net_settle(n);
}

void
net_stop(struct net *n, int64_t limit_ms, void (*done)(void *ctx), void *ctx)
{
	stop_listening(n);
	n->stopping = true;
	n->stopped = done;
	n->stopped_ctx = ctx;
	n->stop_ms = limit_ms;
	n->stop_timer.fire = stop_begin;
	os_timer_start(n->broker->os, &n->stop_timer, 0);
}

void
net_free(struct net *n)
{
	struct conn *c, *next;
	struct exchange *x;
	struct out *o;

	if (n == NULL)
		return;
	stop_listening(n);
	os_timer_stop(n->broker->os, &n->stop_timer);
	while ((x = LIST_FIRST(&n->exchanges)) != NULL)
		dispatch_drop(x);
	while ((o = LIST_FIRST(&n->outs)) != NULL) {
		if (o->pieces_left == 0 || o->conn == NULL || o->conn->stream.os_impl == NULL) {
			out_drop(o);
			continue;
		}
		LIST_REMOVE(o, all);
		o->alone = true;
		o->conn = NULL;
	}
	LIST_FOREACH_SAFE(c, &n->conns, link, next)
	conn_abort(c);
	free(n->listeners);
	free(n);
}

const struct net_listener *
net_listeners(const struct net *n, size_t *count)
{
	*count = n->listener_count;
	return n->listeners;
}

struct net_stats
net_stats(const struct net *n)
{
	struct net_stats s = n->stats;
	const struct conn *c;

	s.connections = n->conn_count;
	s.queued_bytes = n->queued_bytes;
	LIST_FOREACH (c, &n->conns, link)
		s.under_way += c->under_way;
	return s;
}
