/* The simulated network: hosts, the ways between them, and its turn. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

#define PRIVATE_HOST "127.0.0.1"
#define LISTEN_PORT_FIRST 32768

#define TRACE_MAX 512

/* --- hosts and ways ------------------------------------------------------- */

static struct sim_host *
host_make(struct sim_net *net, const char *name)
{
	size_t len = strlen(name);
	struct sim_host *h = calloc(1, sizeof(*h) + len + 1);

	if (h == NULL)
		return NULL;
	h->net = net;
	memcpy(h->name, name, len + 1);
	h->next_port = LISTEN_PORT_FIRST;
	h->next_client_port = SIM_CLIENT_PORT_FIRST;
	TAILQ_INSERT_TAIL(&net->hosts, h, in_net);
	return h;
}

struct sim_host *
net_host(struct sim_net *net, const char *name)
{
	struct sim_host *h;

	TAILQ_FOREACH (h, &net->hosts, in_net)
		if (strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

struct sim_way *
net_way(struct sim_host *from, struct sim_host *to)
{
	struct sim_way *way;

	LIST_FOREACH (way, &from->ways, in_host)
		if (way->to == to)
			return way;
	way = calloc(1, sizeof(*way));
	if (way == NULL)
		return NULL;
	way->to = to;
	LIST_INSERT_HEAD(&from->ways, way, in_host);
	return way;
}

const struct sim_link *
net_link(const struct sim_host *from, const struct sim_way *way)
{
	return way != NULL && way->is_own ? &way->link : &from->net->settings.link;
}

/* --- life ----------------------------------------------------------------- */

struct sim_net *
sim_net_new(uint64_t seed)
{
	struct sim_net *net = calloc(1, sizeof(*net));

	if (net == NULL)
		return NULL;
	net->random = seed;
	net->settings = (struct sim_net_settings){
	    .link = {.latency_us = 100, .jitter_us = 50, .piece_bytes_max = 16384},
	    .window_bytes = (size_t)256 * 1024,
	    .split_percent = 10,
	};
	TAILQ_INIT(&net->hosts);
	TAILQ_INIT(&net->conns);
	TAILQ_INIT(&net->dead);
	return net;
}

struct sim_net *
net_new_private(void)
{
	struct sim_net *net = sim_net_new(0);

	if (net == NULL)
		return NULL;
	net->is_private = true;
	if (host_make(net, PRIVATE_HOST) != NULL)
		return net;
	sim_net_free(net);
	return NULL;
}

static void
host_free(struct sim_host *h)
{
	struct sim_way *way;

	while ((way = LIST_FIRST(&h->ways)) != NULL) {
		LIST_REMOVE(way, in_host);
		free(way);
	}
	TAILQ_REMOVE(&h->net->hosts, h, in_net);
	free(h);
}

void
sim_net_free(struct sim_net *net)
{
	struct sim_host *h;
	struct sim_conn *conn, *next;

	if (net == NULL)
		return;
	TAILQ_FOREACH (h, &net->hosts, in_net)
		if (h->disk != NULL && !net->is_private)
			sim_net_detach(h->disk);
	TAILQ_FOREACH_SAFE (conn, &net->conns, in_net, next)
		conn_bury(conn);
	net_sweep(net);
	while ((h = TAILQ_FIRST(&net->hosts)) != NULL)
		host_free(h);
	free(net);
}

struct sim_net_settings *
sim_net_settings(struct sim_net *net)
{
	return &net->settings;
}

struct sim_net *
sim_net_of(struct sim_disk *disk)
{
	return disk->net;
}

int64_t
sim_net_now_ns(const struct sim_net *net)
{
	return net->now_ns;
}

int
sim_net_attach(struct sim_net *net, struct sim_disk *disk, const char *name)
{
	struct sim_host *h = net_host(net, name);

	if (h != NULL && h->disk != NULL) {
		errno = EEXIST;
		return -1;
	}
	if (h == NULL)
		h = host_make(net, name);
	if (h == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (disk->net != disk->own_net)
		sim_net_detach(disk);
	if (disk->net->now_ns > net->now_ns)
		net->now_ns = disk->net->now_ns;
	/* Its wall clock goes on from where it was. */
	disk->wall_offset_ms += (disk->net->now_ns - net->now_ns) / 1000000;
	h->disk = disk;
	disk->host = h;
	disk->net = net;
	net_trace(net, "%s is on", h->name);
	return 0;
}

void
sim_net_detach(struct sim_disk *disk)
{
	struct sim_net *net = disk->net;
	struct sim_host *h = disk->host;
	struct sim_conn *conn, *next;
	struct sim_os *s;

	if (net == disk->own_net)
		return;
	net_trace(net, "%s is off", h->name);
	h->disk = NULL;
	TAILQ_FOREACH_SAFE (conn, &net->conns, in_net, next)
		for (int i = 0; i < 2; i++)
			if (conn->ends[i].host == h)
				end_power_off(&conn->ends[i]);
	LIST_FOREACH (s, &disk->processes, in_disk)
		sim_os_kill(&s->os);
	disk->own_net->now_ns = net->now_ns;
	disk->net = disk->own_net;
	disk->host = TAILQ_FIRST(&disk->own_net->hosts);
}

/* --- what goes wrong ------------------------------------------------------ */

struct sim_link *
sim_net_link(struct sim_net *net, const char *from, const char *to)
{
	struct sim_host *a = net_host(net, from), *b = net_host(net, to);
	struct sim_way *way = a != NULL && b != NULL ? net_way(a, b) : NULL;

	if (way == NULL)
		return NULL;
	if (!way->is_own)
		way->link = net->settings.link;
	way->is_own = true;
	return &way->link;
}

static bool
is_named(const struct sim_host *h, const char *name)
{
	return name == NULL || strcmp(h->name, name) == 0;
}

int
sim_net_lose(struct sim_net *net, const char *from, const char *to, bool lost)
{
	struct sim_host *a, *b;
	struct sim_conn *conn;

	TAILQ_FOREACH (a, &net->hosts, in_net)
		TAILQ_FOREACH (b, &net->hosts, in_net) {
			if (!is_named(a, from) || !is_named(b, to) || a == b)
				continue;
			struct sim_way *way = net_way(a, b);
			if (way == NULL) {
				errno = ENOMEM;
				return -1;
			}
			if (way->is_lost != lost)
				net_trace(
				    net, "%s>%s is %s", a->name, b->name, lost ? "lost" : "found");
			way->is_lost = lost;
		}
	TAILQ_FOREACH (conn, &net->conns, in_net)
		for (int i = 0; i < 2; i++)
			end_way_changed(&conn->ends[i]);
	return 0;
}

int
sim_net_partition(struct sim_net *net, const char *a, const char *b, bool lost)
{
	return sim_net_lose(net, a, b, lost) == -1 ? -1 : sim_net_lose(net, b, a, lost);
}

void
sim_net_cut(struct sim_net *net, const char *a, const char *b)
{
	struct sim_conn *conn, *next;

	TAILQ_FOREACH_SAFE (conn, &net->conns, in_net, next) {
		const struct sim_host *x = conn->ends[0].host, *y = conn->ends[1].host;
		if (x == NULL || y == NULL)
			continue;
		if ((is_named(x, a) && is_named(y, b)) || (is_named(x, b) && is_named(y, a)))
			conn_cut(conn);
	}
}

void
sim_net_cut_stream(struct os_stream *s)
{
	struct sim_end *e = s->os_impl;

	if (e != NULL)
		conn_cut(e->conn);
}

/* --- chance, time, traces ------------------------------------------------- */

uint64_t
net_draw(struct sim_net *net, uint64_t below)
{
	return sim_random_next(&net->random) % below;
}

void
sim_net_set_trace(struct sim_net *net, void (*trace)(void *ctx, const char *line), void *ctx)
{
	net->trace = trace;
	net->trace_ctx = ctx;
}

void
net_trace(struct sim_net *net, const char *fmt, ...)
{
	char line[TRACE_MAX];
	va_list ap;

	if (net->trace == NULL)
		return;
	int at = snprintf(line, sizeof(line), "%lld.%06lld ", (long long)(net->now_ns / 1000000000),
	    (long long)(net->now_ns / 1000 % 1000000));
	va_start(ap, fmt);
	vsnprintf(line + at, sizeof(line) - (size_t)at, fmt, ap);
	va_end(ap);
	net->trace(net->trace_ctx, line);
}

int64_t
net_due(const struct sim_net *net)
{
	return net->events.root != NULL ? net->events.root->os_due_ns : INT64_MAX;
}

void
net_arrive(struct sim_net *net)
{
	struct os_timer *t;

	while ((t = net->events.root) != NULL && t->os_due_ns <= net->now_ns) {
		timers_remove(&net->events, t);
		t->fire(t);
	}
}

/* --- turns ---------------------------------------------------------------- */

/* The processes that can run, one after the other; NULL at first and last. */
static struct sim_os *
process_next(struct sim_net *net, struct sim_os *s)
{
	struct sim_host *h = s != NULL ? s->disk->host : NULL;

	if (s != NULL)
		s = LIST_NEXT(s, in_disk);
	for (;;) {
		while (s != NULL && (s->dead || s->is_stopped))
			s = LIST_NEXT(s, in_disk);
		if (s != NULL)
			return s;
		h = h == NULL ? TAILQ_FIRST(&net->hosts) : TAILQ_NEXT(h, in_net);
		if (h == NULL)
			return NULL;
		s = h->disk != NULL ? LIST_FIRST(&h->disk->processes) : NULL;
	}
}

static size_t
net_ready_count(struct sim_net *net)
{
	size_t count = 0;

	for (struct sim_os *s = NULL; (s = process_next(net, s)) != NULL;) {
		streams_settle(s);
		count += sim_ready_count(s);
	}
	return count;
}

static int
net_ready_run(struct sim_net *net, size_t pick)
{
	for (struct sim_os *s = NULL; (s = process_next(net, s)) != NULL;) {
		size_t count = sim_ready_count(s);
		if (pick < count)
			return sim_ready_run(s, pick);
		pick -= count;
	}
	return 0;
}

static int64_t
net_next_due(struct sim_net *net)
{
	int64_t due = net_due(net);

	for (struct sim_os *s = NULL; (s = process_next(net, s)) != NULL;) {
		int64_t own = sim_next_due(s);
		if (own < due)
			due = own;
	}
	return due;
}

int
sim_net_turn(struct sim_net *net, int timeout_ms)
{
	int64_t until = timeout_ms < 0 ? INT64_MAX : net->now_ns + (int64_t)timeout_ms * 1000000;

	for (;;) {
		net_sweep(net);
		net_arrive(net);
		size_t count = net_ready_count(net);
		if (count > 0) {
			int ran = net_ready_run(net, (size_t)net_draw(net, count));
			if (ran > 0)
				return ran;
			continue;
		}
		int64_t due = net_next_due(net);
		if (due > until) {
			net->now_ns = until;
			return 0;
		}
		if (due == INT64_MAX) {
			errno = EDEADLK;
			return -1;
		}
		if (due > net->now_ns)
			net->now_ns = due;
	}
}
