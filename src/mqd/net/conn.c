/* One connection. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/net/conn_impl.h"
#include "wire_gen.h"

static struct conn *
conn_of(struct os_stream *s)
{
	return (struct conn *)(void *)s;
}

const struct net_listener *
conn_listener(const struct conn *c)
{
	return c->listener;
}

const char *
conn_peer(const struct conn *c)
{
	return c->stream.peer;
}

/* Notes what the connection holds now. */
static void
count(struct conn *c)
{
	size_t held = c->reader.bytes.cap + c->rest.cap;

	net_count(c->net, (int64_t)held - (int64_t)c->held);
	c->held = held;
}

/* --- time -------------------------------------------------------------------------- */

/* When it is to be given up, and why; INT64_MAX: not as things stand. */
static int64_t
deadline_ns(const struct conn *c, const char **why)
{
	int64_t size = (int64_t)c->reader.bytes.limit;

	if (c->stream.unsent > 0 || c->closing) {
		*why = "the other side does not read its answers";
		return c->moved_ns + SEND_MS * 1000000LL;
	}
	*why = "a request that does not come to its end";
	if (c->under_way > 0 || c->waiting || c->blocked)
		return INT64_MAX;
	if (c->reader.prefix_len > 0)
		return c->moved_ns + FRAME_MS * 1000000LL + size * (1000000000LL / FRAME_RATE_MIN);
	*why = "idle";
	return c->moved_ns + c->net->config->idle_ms * 1000000;
}

static void
arm(struct conn *c, int64_t due_ns, int64_t now_ns)
{
	/* What does not end as things stand is looked at again, as they change. */
	if (due_ns == INT64_MAX)
		due_ns = now_ns + SEND_MS * 1000000LL;
	c->watch_ns = due_ns;
	os_timer_start(c->net->broker->os, &c->watch, (due_ns - now_ns) / 1000000 + 1);
}

/* After a change: the deadline may have come nearer. */
static void
watch(struct conn *c, bool moved)
{
	int64_t now_ns = os_mono_ns(c->net->broker->os), due_ns;
	const char *why;

	if (moved) {
		c->moved_ns = now_ns;
		c->unsent_then = c->stream.unsent;
	}
	due_ns = deadline_ns(c, &why);
	if (due_ns < c->watch_ns)
		arm(c, due_ns, now_ns);
}

static void
watch_fired(struct os_timer *t)
{
	struct conn *c = t->ctx;
	int64_t now_ns = os_mono_ns(c->net->broker->os);
	const char *why;
	int64_t due_ns = deadline_ns(c, &why);

	/* A piece of an answer may be large, and the way narrow. */
	if (due_ns <= now_ns && c->stream.unsent + SEND_BYTES_MIN <= c->unsent_then) {
		c->moved_ns = now_ns;
		c->unsent_then = c->stream.unsent;
		due_ns = deadline_ns(c, &why);
	}
	if (due_ns <= now_ns)
		conn_end(c, false, why);
	else
		arm(c, due_ns, now_ns);
}

/* --- answers ----------------------------------------------------------------------- */

static void
out_free(struct out *o)
{
	if (!o->alone)
		LIST_REMOVE(o, all);
	buf_release(&o->bytes);
	free(o->pieces);
	free(o);
}

void
out_drop(struct out *o)
{
	for (size_t i = 0; i < o->piece_count; i++)
		if (o->pieces[i].sent != NULL)
			o->pieces[i].sent(o->pieces[i].ctx);
	out_free(o);
}

void
conn_piece_sent(struct out *o)
{
	struct conn *c = o->conn;

	if (c != NULL)
		watch(c, true);
	if (--o->pieces_left > 0)
		return;
	out_free(o);
	if (c == NULL)
		return;
	if (c->waiting)
		conn_run(c);
	net_settle(c->net);
}

static void
out_send(struct conn *c, struct out *o)
{
	size_t count = o->piece_count;

	o->pieces_left = count;
	for (size_t i = 0; i < count; i++) {
		c->net->stats.bytes_out += (int64_t)o->pieces[i].send.len;
		os_stream_send(c->net->broker->os, &c->stream, &o->pieces[i].send);
	}
	watch(c, true);
}

/* Sends the answers whose turn it is. */
static void
flush(struct conn *c)
{
	struct out *o;

	while (!c->closing && (o = STAILQ_FIRST(&c->outs)) != NULL && o->ready) {
		STAILQ_REMOVE_HEAD(&c->outs, link);
		c->under_way--;
		c->others -= !o->produce;
		if (o->close)
			conn_end(c, true, NULL);
		if (o->close || o->none || c->hung_up)
			out_drop(o);
		else
			out_send(c, o);
	}
}

void
conn_answered(struct out *o)
{
	struct conn *c = o->conn;

	o->x = NULL;
	if (c == NULL) {
		out_drop(o);
		return;
	}
	o->ready = true;
	flush(c);
	if (c->waiting || c->rest.len > 0)
		conn_run(c);
	net_settle(c->net);
}

/* --- requests ---------------------------------------------------------------------- */

static bool
next_is_produce(const struct conn *c)
{
	const struct buf *b = &c->reader.bytes;

	return b->len >= 2 && (int16_t)be16_get(b->data) == wire_produce_request.key;
}

static bool
may_start(const struct conn *c)
{
	if (c->under_way >= PIPELINE_MAX || c->stream.unsent > UNSENT_MAX || c->net->stopping)
		return false;
	return c->under_way == 0 || (c->others == 0 && next_is_produce(c));
}

/* -1: no memory. */
static int
start(struct conn *c)
{
	struct out *o = calloc(1, sizeof(*o));
	struct buf frame;

	if (o == NULL)
		return -1;
	o->conn = c;
	o->produce = next_is_produce(c);
	frame = frame_take(&c->reader);
	o->favoured = c->net->favoured == c;
	if (o->favoured) {
		c->net->favoured = NULL;
		c->net->favour_taken = true;
	}
	/* The frame's bytes stay counted until conn_frame_release. */
	c->held -= frame.cap;
	STAILQ_INSERT_TAIL(&c->outs, o, link);
	LIST_INSERT_HEAD(&c->net->outs, o, all);
	c->under_way++;
	c->others += !o->produce;
	if (dispatch_frame(c->net->broker, c, o, &frame) == 0)
		return 0;
	STAILQ_REMOVE(&c->outs, o, out, link);
	c->under_way--;
	c->others -= !o->produce;
	conn_frame_release(c->net->broker, &frame, o->favoured);
	out_free(o);
	return -1;
}

/* Those under way go on, and are answered for nobody. */
static void
abandon_outs(struct conn *c)
{
	struct out *o = STAILQ_FIRST(&c->outs);

	while (o != NULL) {
		if (o->x == NULL || o->x->conn == NULL) {
			o = STAILQ_NEXT(o, link);
			continue;
		}
		/* It may be answered at once, and others with it. */
		dispatch_forget(o->x);
		o = STAILQ_FIRST(&c->outs);
	}
}

/* Takes frames out of c->feed and starts them, as far as may be. */
static void
run(struct conn *c)
{
	struct err err;

	c->waiting = false;
	while (!c->closing) {
		if (frame_ready(&c->reader)) {
			c->waiting = !may_start(c);
			if (c->waiting)
				return;
			count(c);
			watch(c, true); /* what follows is another frame, and has its own time */
			if (start(c) == -1)
				conn_end(c, false, "out of memory");
			else if (c->hung_up)
				abandon_outs(c);
			continue;
		}
		if (c->feed.len == 0)
			return;
		ssize_t n = frame_feed(&c->reader, c->feed.data, c->feed.len, &err);
		if (n == -1) {
			conn_end(c, true, err.text);
			return;
		}
		c->feed.data += n;
		c->feed.len -= (size_t)n;
	}
}

/* Keeps what is left of c->feed, which may lie in c->rest itself. */
static void
keep_rest(struct conn *c)
{
	struct buf rest = BUF_INIT;

	buf_put(&rest, c->feed.data, c->feed.len);
	if (rest.failed)
		conn_end(c, false, "out of memory");
	buf_release(&c->rest);
	c->rest = rest;
	c->feed = (struct slice){0};
}

void
conn_run(struct conn *c)
{
	bool waited = c->waiting;

	if (c->running || c->closing)
		return;
	c->running = true;
	if (c->feed.len == 0)
		c->feed = (struct slice){c->rest.data, c->rest.len};
	run(c);
	if (c->feed.len > 0 || c->rest.len > 0)
		keep_rest(c);
	count(c);
	c->running = false;
	if (c->closing)
		return;
	if (waited && !c->waiting)
		os_stream_read(c->net->broker->os, &c->stream);
	watch(c, false);
}

/* --- the stream --------------------------------------------------------------------- */

static size_t
on_room(struct os_stream *s, void **to)
{
	struct conn *c = conn_of(s);
	size_t want = c->reader.bytes.len > SCRATCH_BYTES ? c->reader.bytes.len : SCRATCH_BYTES;
	uint8_t *at;

	if (c->waiting || c->closing || c->net->stopping)
		return 0;
	/* How long a frame is costs no memory, and tells whether it is a small one. */
	if (c->reader.prefix_len < FRAME_PREFIX && net_is_short(c->net)) {
		c->direct = false;
		*to = c->net->scratch;
		return FRAME_PREFIX - c->reader.prefix_len;
	}
	if (!net_may_read(c))
		return 0;
	/* A frame that is large goes where it will lie: at most twice of what has come. */
	c->direct = c->reader.prefix_len == FRAME_PREFIX &&
	    c->reader.bytes.limit - c->reader.bytes.len >= SCRATCH_BYTES;
	if (c->direct) {
		size_t room = frame_room(&c->reader, want, &at);

		*to = at;
		c->direct = room > 0;
		if (room > 0)
			return room;
	}
	*to = c->net->scratch;
	return SCRATCH_BYTES;
}

static void
on_bytes(struct os_stream *s, size_t len)
{
	struct conn *c = conn_of(s);

	if (c->closing)
		return;
	c->net->stats.bytes_in += (int64_t)len;
	/* The deadline of a frame counts from its begin. */
	if (c->reader.prefix_len == 0)
		watch(c, true);
	if (c->direct)
		frame_filled(&c->reader, len);
	else
		c->feed = (struct slice){c->net->scratch, len};
	conn_run(c);
}

static void
on_hung_up(struct os_stream *s)
{
	struct conn *c = conn_of(s);

	c->hung_up = true;
	abandon_outs(c);
}

/* Those under way go on without it. */
static void
leave_outs(struct conn *c)
{
	struct out *o;

	while ((o = STAILQ_FIRST(&c->outs)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->outs, link);
		o->conn = NULL;
		if (o->ready)
			out_drop(o);
		else if (o->x->conn != NULL)
			dispatch_forget(o->x);
	}
}

/* All but the memory of its stream. */
static void
conn_release(struct conn *c)
{
	struct net *n = c->net;

	os_timer_stop(n->broker->os, &c->watch);
	net_leave(c);
	net_count(n, -(int64_t)c->held);
	frame_reader_release(&c->reader);
	buf_release(&c->rest);
	LIST_REMOVE(c, link);
	n->conn_count--;
}

static void
on_closed(struct os_stream *s, int why)
{
	struct conn *c = conn_of(s);
	struct net *n = c->net;

	c->closing = true;
	if (why != 0 && why != ECANCELED) {
		struct err err;

		err_sys(&err, why, "%s", s->peer);
		os_note(n->broker->os, OS_DEBUG, "%s", err.text);
	}
	leave_outs(c);
	conn_release(c);
	free(c);
	net_settle(n);
}

static size_t
no_room(struct os_stream *s, void **to)
{
	(void)s;
	(void)to;
	return 0;
}

static void
closed_alone(struct os_stream *s, int why)
{
	(void)why;
	free(conn_of(s));
}

void
conn_abort(struct conn *c)
{
	struct os *os = c->net->broker->os;

	conn_release(c);
	if (c->stream.os_impl == NULL) {
		free(c);
		return;
	}
	c->stream.room = no_room;
	c->stream.hung_up = NULL;
	c->stream.closed = closed_alone;
	os_stream_close(os, &c->stream, false);
}

void
conn_end(struct conn *c, bool drain, const char *why)
{
	bool again = c->closing;

	if (why != NULL && !again)
		os_note(c->net->broker->os, OS_INFO, "%s: connection closed: %s", c->stream.peer, why);
	c->closing = true;
	if (!again || !drain)
		os_stream_close(c->net->broker->os, &c->stream, drain);
	watch(c, !again);
}

struct conn *
conn_accept(struct net *n, const struct net_listener *l)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->stream = (struct os_stream){
	    .room = on_room, .bytes = on_bytes, .hung_up = on_hung_up, .closed = on_closed};
	c->net = n;
	c->listener = l;
	c->watch = (struct os_timer){.fire = watch_fired, .ctx = c};
	c->watch_ns = INT64_MAX;
	frame_reader_init(&c->reader, (uint32_t)n->config->request_bytes_max);
	STAILQ_INIT(&c->outs);
	LIST_INSERT_HEAD(&n->conns, c, link);
	n->conn_count++;
	watch(c, true);
	return c;
}
