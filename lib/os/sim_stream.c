/*
 * A simulated process's side of its connections. What it sends goes to its
 * kernel at the end of the event in which it was sent; all else that happens to
 * an end is one event each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

/* What one call to the kernel takes of a piece. */
#define SEND_BYTES_MAX ((size_t)64 * 1024)

static int
fail(int why)
{
	errno = why;
	return -1;
}

bool
sim_has_descriptor(const struct sim_os *s)
{
	unsigned max = s->disk->settings.descriptors_max;

	return max == 0 || s->open_count < max;
}

/* --- readiness ------------------------------------------------------------ */

/* The peer's end is to be told while reading pauses. */
static bool
is_hung_up(const struct sim_end *e)
{
	return e->is_paused && !e->is_told && (e->in_fin || e->in_error != 0) &&
	       e->stream->hung_up != NULL;
}

static bool
has_news(const struct sim_end *e)
{
	bool is_readable = e->in_len > 0 || e->in_fin || e->in_error != 0;

	switch (e->state) {
	case END_NEW:
	case END_CLOSING:
		return true;
	case END_CONNECTING:
		return e->is_up || e->in_error != 0;
	case END_OPEN:
		return e->sent != NULL || (e->in_error != 0 && e->sends != NULL) ||
		       (is_readable && !e->is_paused) || is_hung_up(e);
	case END_DRAINING:
		return e->sent != NULL || e->in_error != 0;
	case END_BACKLOG:
	case END_GONE:
		break;
	}
	return false;
}

static void
end_dirty(struct sim_end *e)
{
	if (e->is_dirty || e->os == NULL)
		return;
	e->is_dirty = true;
	TAILQ_INSERT_TAIL(&e->os->dirty, e, in_dirty);
}

void
end_update(struct sim_end *e)
{
	struct sim_os *s = e->os;

	if (s == NULL)
		return;
	bool is_ready = has_news(e);
	if (is_ready && !e->is_ready) {
		TAILQ_INSERT_TAIL(&s->ready, e, in_ready);
		s->ready_count++;
	} else if (!is_ready && e->is_ready) {
		TAILQ_REMOVE(&s->ready, e, in_ready);
		s->ready_count--;
	}
	e->is_ready = is_ready;
	if (e->sends != NULL && e->window > 0 && e->in_error == 0 &&
	    (e->state == END_OPEN || e->state == END_DRAINING))
		end_dirty(e);
}

void
end_join(struct sim_end *e, struct sim_os *s, struct os_stream *stream, const char *peer)
{
	size_t len = strnlen(peer, OS_ADDRESS_MAX - 1);

	e->os = s;
	e->stream = stream;
	TAILQ_INSERT_TAIL(&s->ends, e, in_os);
	s->open_count++;
	stream->os_impl = e;
	stream->unsent = 0;
	memcpy(stream->peer, peer, len);
	stream->peer[len] = '\0';
}

/* Its process has it no more. */
static void
end_part(struct sim_end *e)
{
	struct sim_os *s = e->os;

	TAILQ_REMOVE(&s->ends, e, in_os);
	if (e->is_ready) {
		TAILQ_REMOVE(&s->ready, e, in_ready);
		s->ready_count--;
	}
	if (e->is_dirty)
		TAILQ_REMOVE(&s->dirty, e, in_dirty);
	e->is_ready = e->is_dirty = false;
	s->open_count--;
}

static void
end_fail(struct sim_end *e, int why)
{
	e->state = END_CLOSING;
	e->why = why;
	end_update(e);
}

/* --- sending -------------------------------------------------------------- */

static int
transmit(struct sim_end *e, struct os_send *o, size_t len)
{
	if (o->fd < 0)
		return end_transmit(e, (const uint8_t *)o->data + o->os_at, len) == -1 ? ENOMEM : 0;
	struct sim_inode *i = sim_inode_of(e->os, o->fd);
	if (i == NULL)
		return errno;
	uint8_t *bytes = malloc(len);
	if (bytes == NULL)
		return ENOMEM;
	int why = 0;
	if (content_read(&i->now, bytes, len, o->position + (int64_t)o->os_at) < len)
		why = EIO;
	else if (end_transmit(e, bytes, len) == -1)
		why = ENOMEM;
	free(bytes);
	return why;
}

/* Moves the first piece to those that have gone. */
static void
piece_sent(struct sim_end *e)
{
	struct os_send *o = e->sends;

	e->sends = o->os_next;
	if (e->sends == NULL)
		e->sends_tail = &e->sends;
	o->os_next = NULL;
	*e->sent_tail = o;
	e->sent_tail = &o->os_next;
}

/* Ends a drain that has nothing left to do. */
static void
drain_check(struct sim_end *e)
{
	if (e->state == END_DRAINING && e->sends == NULL && e->sent == NULL)
		end_fail(e, 0);
}

static void
end_flush(struct sim_end *e)
{
	if (e->state != END_OPEN && e->state != END_DRAINING)
		return;
	while (e->sends != NULL && e->in_error == 0) {
		struct os_send *o = e->sends;
		size_t n = o->len - o->os_at;
		if (n > e->window)
			n = e->window;
		if (n > SEND_BYTES_MAX)
			n = SEND_BYTES_MAX;
		if (n == 0 && o->os_at < o->len)
			break;
		int why = n > 0 ? transmit(e, o, n) : 0;
		if (why != 0) {
			end_fail(e, why);
			return;
		}
		o->os_at += n;
		e->stream->unsent -= n;
		if (o->os_at == o->len)
			piece_sent(e);
	}
	drain_check(e);
	end_update(e);
}

void
streams_settle(struct sim_os *s)
{
	struct sim_end *e;

	while ((e = TAILQ_FIRST(&s->dirty)) != NULL) {
		TAILQ_REMOVE(&s->dirty, e, in_dirty);
		e->is_dirty = false;
		end_flush(e);
	}
}

/* Takes pieces off a list, one callback each, until the process is dead. */
static int
pieces_done(struct sim_os *s, struct os_send *o, int why)
{
	int count = 0;

	for (struct os_send *next; o != NULL && !s->dead; o = next, count++) {
		next = o->os_next;
		if (o->done != NULL)
			o->done(o, why);
	}
	return count;
}

static int
sent_run(struct sim_end *e)
{
	struct os_send *sent = e->sent;
	struct sim_os *s = e->os;

	e->sent = NULL;
	e->sent_tail = &e->sent;
	int count = pieces_done(s, sent, 0);
	if (s->dead)
		return count;
	drain_check(e);
	end_update(e);
	return count;
}

int
streams_cancel_run(struct sim_os *s)
{
	struct os_send *o = s->canceled;

	s->canceled = NULL;
	s->canceled_tail = &s->canceled;
	return pieces_done(s, o, ECANCELED);
}

/* --- connecting ----------------------------------------------------------- */

/* The host and port, or path, that an address is. 0, or errno. */
static int
find_target(struct sim_conn *conn, const struct address *a)
{
	struct sim_end *from = &conn->ends[0], *to = &conn->ends[1];
	struct sim_place at;

	if (a->path != NULL) {
		if (place_find(from->host->disk, a->path, &at) == -1)
			return errno;
		if (at.inode == NULL)
			return ENOENT;
		if (!at.inode->is_socket)
			return ECONNREFUSED;
		inode_ref(at.inode);
		conn->path = at.inode;
		to->host = from->host;
		return 0;
	}
	conn->is_loopback = host_is_loopback(a->host);
	to->host = conn->is_loopback ? from->host : net_host(conn->net, a->host);
	to->port = a->port;
	if (to->host == NULL)
		return EHOSTUNREACH;
	from->port = from->host->next_client_port++;
	if (from->host->next_client_port == 0)
		from->host->next_client_port = SIM_CLIENT_PORT_FIRST;
	return 0;
}

static void
connect_begin(struct sim_end *e)
{
	struct address a;
	int why = e->in_error;

	if (why == 0 && address_parse(e->conn->target, &a) == -1)
		why = errno;
	if (why == 0)
		why = find_target(e->conn, &a);
	if (why != 0) {
		/* Nobody was asked. */
		e->peer->state = END_GONE;
		end_fail(e, why);
		return;
	}
	if (strcmp(a.host, "localhost") == 0)
		address_write(e->stream->peer, "127.0.0.1", a.port);
	e->state = END_CONNECTING;
	e->is_asked = true;
	end_signal(e, SEG_SYN, 0, 0);
	end_update(e);
}

static int
opened_run(struct sim_end *e)
{
	struct os_stream *s = e->stream;

	if (e->in_error != 0) {
		end_fail(e, e->in_error);
		return 0;
	}
	e->state = e->drain ? END_DRAINING : END_OPEN;
	end_dirty(e);
	end_update(e);
	if (e->state == END_OPEN && s->opened != NULL)
		s->opened(s);
	return 1;
}

/* --- reading -------------------------------------------------------------- */

static int
read_run(struct sim_end *e)
{
	struct sim_net *net = e->conn->net;
	struct os_stream *s = e->stream;
	void *to = NULL;
	size_t want = s->room(s, &to);

	if (e->state != END_OPEN)
		return 1;
	if (want == 0) {
		e->is_paused = true;
		e->is_told = false;
		end_update(e);
		return 1;
	}
	if (e->in_len == 0) {
		end_fail(e, e->in_fin ? 0 : e->in_error);
		return 0;
	}
	if (want > e->in_len)
		want = e->in_len;
	if (net_draw(net, 100) < net->settings.split_percent)
		want = 1 + (size_t)net_draw(net, want);
	want = end_take(e, to, want);
	end_update(e);
	s->bytes(s, want);
	return 1;
}

/* --- the end -------------------------------------------------------------- */

static int
closed_run(struct sim_end *e)
{
	struct os_stream *stream = e->stream;
	struct os_send *sent = e->sent, *sends = e->sends, *late = e->late;
	struct sim_os *s = e->os;
	int why = e->why, count;

	end_part(e);
	stream->os_impl = NULL;
	stream->unsent = 0;
	/* Bytes that nobody has read make it a reset; after a drain the peer may
	 * still read what was sent. */
	if (e->drain)
		e->in_len = 0;
	end_leave(e, false);
	sim_doors_resume(s);
	count = pieces_done(s, sent, 0);
	count += pieces_done(s, sends, why != 0 ? why : ECANCELED);
	count += pieces_done(s, late, ECANCELED);
	if (s->dead)
		return count;
	stream->closed(stream, why);
	return count + 1;
}

int
end_run(struct sim_end *e)
{
	switch (e->state) {
	case END_NEW:
		connect_begin(e);
		return 0;
	case END_CONNECTING:
		return opened_run(e);
	case END_CLOSING:
		return closed_run(e);
	default:
		break;
	}
	if (e->sent != NULL)
		return sent_run(e);
	if (e->in_error != 0 && (e->sends != NULL || e->state == END_DRAINING)) {
		end_fail(e, e->in_error);
		return 0;
	}
	if (is_hung_up(e)) {
		e->is_told = true;
		end_update(e);
		e->stream->hung_up(e->stream);
		return 1;
	}
	return read_run(e);
}

void
streams_kill(struct sim_os *s)
{
	struct sim_end *e;

	sim_doors_close(s);
	while ((e = TAILQ_FIRST(&s->ends)) != NULL) {
		if (e->stream != NULL)
			e->stream->os_impl = NULL;
		end_part(e);
		end_leave(e, false);
	}
}

/* --- calls ---------------------------------------------------------------- */

int
sim_connect(struct os *os, struct os_stream *stream, const char *address)
{
	struct sim_os *s = sim_of(os);
	struct address a;

	if (s->dead)
		return fail(EIO);
	if (address_parse(address, &a) == -1)
		return -1;
	if (a.path == NULL && (a.host[0] == '\0' || a.port == 0))
		return fail(EINVAL);
	struct sim_conn *conn = conn_make(s->disk->net, s->disk->host);
	if (conn == NULL)
		return fail(ENOMEM);
	conn->target = strdup(address);
	if (conn->target == NULL) {
		conn_bury(conn);
		return fail(ENOMEM);
	}
	if (!sim_has_descriptor(s))
		conn->ends[0].in_error = EMFILE;
	end_join(&conn->ends[0], s, stream, address);
	end_update(&conn->ends[0]);
	return 0;
}

void
sim_stream_send(struct os *os, struct os_stream *stream, struct os_send *o)
{
	struct sim_os *s = sim_of(os);
	struct sim_end *e = stream->os_impl;

	if (s->dead)
		return;
	o->os_next = NULL;
	o->os_at = 0;
	if (e == NULL) {
		*s->canceled_tail = o;
		s->canceled_tail = &o->os_next;
	} else if (e->drain || e->state == END_CLOSING) {
		*e->late_tail = o;
		e->late_tail = &o->os_next;
	} else {
		*e->sends_tail = o;
		e->sends_tail = &o->os_next;
		stream->unsent += o->len;
		end_dirty(e);
	}
}

void
sim_stream_read(struct os *os, struct os_stream *stream)
{
	struct sim_end *e = stream->os_impl;

	if (sim_of(os)->dead || e == NULL || !e->is_paused)
		return;
	e->is_paused = false;
	end_update(e);
}

void
sim_stream_close(struct os *os, struct os_stream *stream, bool drain, int why)
{
	struct sim_end *e = stream->os_impl;

	if (sim_of(os)->dead || e == NULL || e->state == END_CLOSING)
		return;
	if (!drain) {
		e->drain = false;
		end_fail(e, why);
		return;
	}
	e->drain = true;
	if (e->state != END_OPEN)
		return;
	e->state = END_DRAINING;
	end_dirty(e);
	end_update(e);
}
