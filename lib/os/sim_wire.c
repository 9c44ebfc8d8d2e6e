/*
 * Connections as the kernels of the simulated hosts see them: segments on
 * their way, windows, resets, and what is found out when nothing comes through.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

/* Linux's: what is not answered is sent again after 200 ms, 400 ms... a
 * connection attempt after 1 s, 2 s...; after so long all is given up. */
#define RETRY_NS ((int64_t)200 * 1000000)
#define RETRY_SYN_NS ((int64_t)1000 * 1000000)
#define RETRY_MAX_NS ((int64_t)120 * 1000000000)
#define GIVE_UP_NS ((int64_t)924 * 1000000000)
#define GIVE_UP_SYN_NS ((int64_t)127 * 1000000000)

/* As os_connect.c sets the probes of a silent connection. */
#define PROBE_NS ((int64_t)45 * 1000000000)

static void on_due(struct os_timer *t);
static void on_probe(struct os_timer *t);

/* --- life ----------------------------------------------------------------- */

static void
end_init(struct sim_end *e, struct sim_conn *conn, struct sim_end *peer)
{
	e->conn = conn;
	e->peer = peer;
	e->window = conn->net->settings.window_bytes;
	STAILQ_INIT(&e->out);
	STAILQ_INIT(&e->in);
	e->due = (struct os_timer){.fire = on_due, .ctx = e};
	e->probe = (struct os_timer){.fire = on_probe, .ctx = e};
	e->sends_tail = &e->sends;
	e->sent_tail = &e->sent;
	e->late_tail = &e->late;
}

struct sim_conn *
conn_make(struct sim_net *net, struct sim_host *from)
{
	struct sim_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->net = net;
	conn->number = ++net->conn_count;
	end_init(&conn->ends[0], conn, &conn->ends[1]);
	end_init(&conn->ends[1], conn, &conn->ends[0]);
	conn->ends[0].host = from;
	conn->ends[1].state = END_CONNECTING;
	TAILQ_INSERT_TAIL(&net->conns, conn, in_net);
	return conn;
}

static void
segs_free(struct sim_segs *segs)
{
	struct sim_seg *seg;

	while ((seg = STAILQ_FIRST(segs)) != NULL) {
		STAILQ_REMOVE_HEAD(segs, next);
		free(seg);
	}
}

/* Nothing more goes out. */
static void
end_silence(struct sim_end *e)
{
	segs_free(&e->out);
	timers_remove(&e->conn->net->events, &e->due);
	timers_remove(&e->conn->net->events, &e->probe);
}

void
conn_bury(struct sim_conn *conn)
{
	for (int i = 0; i < 2; i++) {
		conn->ends[i].state = END_GONE;
		end_silence(&conn->ends[i]);
	}
	inode_unref(conn->path);
	conn->path = NULL;
	TAILQ_REMOVE(&conn->net->conns, conn, in_net);
	TAILQ_INSERT_TAIL(&conn->net->dead, conn, in_net);
}

void
net_sweep(struct sim_net *net)
{
	struct sim_conn *conn;

	while ((conn = TAILQ_FIRST(&net->dead)) != NULL) {
		TAILQ_REMOVE(&net->dead, conn, in_net);
		segs_free(&conn->ends[0].in);
		segs_free(&conn->ends[1].in);
		free(conn->target);
		free(conn);
	}
}

/* --- sending -------------------------------------------------------------- */

/* When a segment arrives that is sent now. */
static int64_t
arrival(struct sim_end *e, size_t len)
{
	struct sim_net *net = e->conn->net;
	struct sim_way *way = net_way(e->host, e->peer->host);
	const struct sim_link *link = net_link(e->host, way);
	int64_t leaves = net->now_ns, at;

	if (way != NULL && link->bytes_per_s > 0) {
		if (way->free_ns > leaves)
			leaves = way->free_ns;
		leaves += (int64_t)len * 1000000000 / link->bytes_per_s;
		way->free_ns = leaves;
	}
	at = leaves + link->latency_us * 1000;
	if (link->jitter_us > 0)
		at += (int64_t)net_draw(net, (uint64_t)link->jitter_us + 1) * 1000;
	if (at < e->last_due_ns)
		at = e->last_due_ns;
	e->last_due_ns = at;
	return at;
}

static void
seg_send(struct sim_end *e, struct sim_seg *seg, size_t wire_len)
{
	seg->due_ns = arrival(e, wire_len);
	if (STAILQ_EMPTY(&e->out))
		timers_insert(&e->conn->net->events, &e->due, seg->due_ns);
	STAILQ_INSERT_TAIL(&e->out, seg, next);
}

/* What cannot be sent for want of memory is as good as a cut. */
void
end_signal(struct sim_end *e, enum seg_kind kind, size_t len, int why)
{
	struct sim_seg *seg = calloc(1, sizeof(*seg));

	if (seg == NULL) {
		conn_cut(e->conn);
		return;
	}
	seg->kind = kind;
	seg->len = len;
	seg->why = why;
	seg_send(e, seg, 0);
}

int
end_transmit(struct sim_end *e, const uint8_t *data, size_t len)
{
	struct sim_net *net = e->conn->net;
	size_t max = net_link(e->host, net_way(e->host, e->peer->host))->piece_bytes_max;

	while (len > 0) {
		size_t n = max > 0 ? 1 + (size_t)net_draw(net, max) : len;
		if (n > len)
			n = len;
		struct sim_seg *seg = malloc(sizeof(*seg) + n);
		if (seg == NULL)
			return -1;
		*seg = (struct sim_seg){.kind = SEG_DATA, .len = n};
		memcpy(seg->data, data, n);
		seg_send(e, seg, n);
		e->window -= n;
		data += n;
		len -= n;
	}
	return 0;
}

/* --- receiving ------------------------------------------------------------ */

static void
end_error(struct sim_end *e, int why)
{
	end_silence(e);
	if (e->in_error == 0)
		e->in_error = why;
	if (e->state == END_GONE && e->peer->state == END_GONE)
		conn_bury(e->conn);
	else
		end_update(e);
}

void
conn_cut(struct sim_conn *conn)
{
	net_trace(conn->net, "#%llu is cut", (unsigned long long)conn->number);
	for (int i = 0; i < 2; i++) {
		struct sim_end *e = &conn->ends[i];
		if (e->state == END_CONNECTING && e->os == NULL)
			e->state = END_GONE;
		end_silence(e);
		if (e->in_error == 0)
			e->in_error = ECONNRESET;
	}
	if (conn->ends[0].state == END_GONE && conn->ends[1].state == END_GONE) {
		conn_bury(conn);
		return;
	}
	end_update(&conn->ends[0]);
	end_update(&conn->ends[1]);
}

/* A connection is asked for: `e` would be the accepting end. */
static void
receive_syn(struct sim_end *e)
{
	struct sim_net *net = e->conn->net;
	unsigned refuse = net->settings.refuse_percent;
	struct sim_door *d = door_for(e->conn);

	inode_unref(e->conn->path);
	e->conn->path = NULL;
	if (d != NULL && (refuse == 0 || net_draw(net, 100) >= refuse)) {
		e->state = END_BACKLOG;
		end_signal(e, SEG_SYNACK, 0, 0);
		door_knock(d, e);
		return;
	}
	e->state = END_GONE;
	if (e->peer->state == END_GONE)
		conn_bury(e->conn);
	else
		end_signal(e, SEG_RST, 0, ECONNREFUSED);
}

/* Keeps the segment if it holds data, else frees it. */
static void
receive(struct sim_end *e, struct sim_seg *seg)
{
	switch (seg->kind) {
	case SEG_SYN:
		receive_syn(e);
		break;
	case SEG_SYNACK:
		e->is_up = true;
		break;
	case SEG_DATA:
		if (e->state == END_GONE) {
			end_signal(e, SEG_RST, 0, ECONNRESET);
			break;
		}
		STAILQ_INSERT_TAIL(&e->in, seg, next);
		e->in_len += seg->len;
		end_update(e);
		return;
	case SEG_CREDIT:
		e->window += seg->len;
		break;
	case SEG_FIN:
		e->in_fin = true;
		break;
	case SEG_RST:
		end_error(e, seg->why);
		free(seg);
		return;
	}
	free(seg);
	end_update(e);
}

size_t
end_take(struct sim_end *e, void *to, size_t len)
{
	size_t done = 0;
	struct sim_seg *seg;

	while (done < len && (seg = STAILQ_FIRST(&e->in)) != NULL) {
		size_t n = seg->len - seg->at < len - done ? seg->len - seg->at : len - done;
		memcpy((uint8_t *)to + done, seg->data + seg->at, n);
		seg->at += n;
		done += n;
		if (seg->at < seg->len)
			break;
		STAILQ_REMOVE_HEAD(&e->in, next);
		free(seg);
	}
	e->in_len -= done;
	e->unread_told += done;
	if (e->unread_told >= e->conn->net->settings.window_bytes / 4 && e->in_error == 0) {
		end_signal(e, SEG_CREDIT, e->unread_told, 0);
		e->unread_told = 0;
	}
	return done;
}

/* --- the way -------------------------------------------------------------- */

static bool
is_lost(const struct sim_host *from, const struct sim_host *to)
{
	const struct sim_way *way;

	LIST_FOREACH (way, &from->ways, in_host)
		if (way->to == to)
			return way->is_lost || to->disk == NULL;
	return to->disk == NULL;
}

bool
end_is_cut(const struct sim_end *e)
{
	const struct sim_host *to = e->peer->host;

	return to != NULL && (is_lost(e->host, to) || is_lost(to, e->host));
}

/* Does the other kernel not hear the head of `out`? */
static bool
is_unheard(const struct sim_end *e)
{
	const struct sim_door *d;

	if (is_lost(e->host, e->peer->host))
		return true;
	if (STAILQ_FIRST(&e->out)->kind != SEG_SYN)
		return false;
	d = door_for(e->conn);
	return d != NULL && d->backlog_count >= SIM_BACKLOG_MAX;
}

/* The head of `out` did not come through: again later, or never. */
static void
retry(struct sim_end *e)
{
	struct sim_net *net = e->conn->net;
	bool is_syn = STAILQ_FIRST(&e->out)->kind == SEG_SYN;
	int64_t wait = is_syn ? RETRY_SYN_NS : RETRY_NS;

	if (e->retries == 0)
		e->lost_since_ns = net->now_ns;
	if (net->now_ns - e->lost_since_ns < (is_syn ? GIVE_UP_SYN_NS : GIVE_UP_NS)) {
		for (int i = 0; i < e->retries && wait < RETRY_MAX_NS; i++)
			wait *= 2;
		e->retries++;
		timers_insert(&net->events, &e->due, net->now_ns + wait);
		return;
	}
	if (is_syn)
		e->peer->state = END_GONE;
	net_trace(net, "#%llu %s gives up", (unsigned long long)e->conn->number, e->host->name);
	end_error(e, ETIMEDOUT);
}

static void
trace_seg(const struct sim_end *e, const struct sim_seg *seg)
{
	static const char *const names[] = {"syn", "synack", "data", "credit", "fin", "rst"};

	net_trace(e->conn->net, "#%llu %s:%u>%s:%u %s %zu", (unsigned long long)e->conn->number,
	    e->host->name, e->port, e->peer->host->name, e->peer->port, names[seg->kind], seg->len);
}

static void
on_due(struct os_timer *t)
{
	struct sim_end *e = t->ctx;
	struct sim_net *net = e->conn->net;
	unsigned cuts = net->settings.cuts_per_million;
	struct sim_seg *seg = STAILQ_FIRST(&e->out);

	if (is_unheard(e)) {
		retry(e);
		return;
	}
	e->retries = 0;
	STAILQ_REMOVE_HEAD(&e->out, next);
	if (!STAILQ_EMPTY(&e->out)) {
		int64_t next = STAILQ_FIRST(&e->out)->due_ns;
		timers_insert(&net->events, &e->due, next > net->now_ns ? next : net->now_ns);
	}
	trace_seg(e, seg);
	if (cuts > 0 && seg->kind == SEG_DATA && net_draw(net, 1000000) < cuts) {
		free(seg);
		conn_cut(e->conn);
	} else if (e->peer->is_off) {
		/* The host came back, and knows nothing of this. */
		free(seg);
		end_error(e, ECONNRESET);
	} else {
		receive(e->peer, seg);
	}
}

/* Nothing was heard for long; what waits to be sent has its own limit. */
static void
on_probe(struct os_timer *t)
{
	struct sim_end *e = t->ctx;

	if (e->state == END_GONE || !STAILQ_EMPTY(&e->out))
		return;
	if (end_is_cut(e))
		end_error(e, ETIMEDOUT);
	else if (e->peer->is_off)
		end_error(e, ECONNRESET);
}

void
end_way_changed(struct sim_end *e)
{
	struct sim_net *net = e->conn->net;

	if (e->state == END_GONE || e->in_error != 0)
		return;
	if (!end_is_cut(e) && !e->peer->is_off)
		timers_remove(&net->events, &e->probe);
	else if (!e->probe.os_armed)
		timers_insert(&net->events, &e->probe, net->now_ns + PROBE_NS);
}

/* --- the end -------------------------------------------------------------- */

void
end_leave(struct sim_end *e, bool abruptly)
{
	bool has_asked = e == &e->conn->ends[0];
	bool is_new = has_asked && !e->is_asked, is_asking = has_asked && !e->is_up;

	e->state = END_GONE;
	e->os = NULL;
	e->stream = NULL;
	if (is_new)
		e->peer->state = END_GONE;
	if (e->peer->state == END_GONE) {
		conn_bury(e->conn);
		return;
	}
	timers_remove(&e->conn->net->events, &e->probe);
	if (e->in_error != 0)
		return;
	if (abruptly || is_asking || e->in_len > 0)
		end_signal(e, SEG_RST, 0, ECONNRESET);
	else
		end_signal(e, SEG_FIN, 0, 0);
}

void
end_power_off(struct sim_end *e)
{
	struct sim_end *peer = e->peer;

	/* One that is still asked for is nobody's. */
	if (e->state == END_CONNECTING && e->os == NULL)
		return;
	e->is_off = true;
	end_silence(e);
	e->in_error = ETIMEDOUT;
	if (peer->state == END_CONNECTING && peer->os == NULL)
		peer->state = END_GONE;
	if (e->state == END_GONE && peer->state == END_GONE)
		conn_bury(e->conn);
	else
		end_way_changed(peer);
}
