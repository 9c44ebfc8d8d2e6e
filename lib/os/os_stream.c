/* Connections of the machine: reading, sending, closing. */
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_address.h"
#include "os/os_stream_impl.h"

/* What one connection may take of a turn, so that a fast peer starves nobody. */
#define READ_BYTES_MAX ((size_t)256 * 1024)
#define READ_CALLS_MAX 16
#define SEND_BYTES_MAX ((size_t)1024 * 1024)

/* Pieces of memory that leave in one call. */
#define SEND_PIECES_MAX 64

/* Of a file in one call: it was looked whether it is in memory. */
#define FILE_BYTES_MAX ((size_t)256 * 1024)

/* How much of a file goes through memory at a time where sendfile cannot. */
#define COPY_BYTES_MAX ((size_t)64 * 1024)

/* How long a peer may take to see what was sent before the close. */
#define LINGER_MS 1000

/* --- life ----------------------------------------------------------------- */

void
os_stream_init(struct os_real *r)
{
	TAILQ_INIT(&r->conns);
	TAILQ_INIT(&r->due);
	TAILQ_INIT(&r->doors);
	r->spare_fd = -1;
	r->hung_fd = -1;
	r->canceled_tail = &r->canceled;
}

static void
on_timer(struct os_timer *t)
{
	struct os_conn *c = t->ctx;

	if (c->state == CONN_LINGERING)
		conn_due(c);
	else
		connect_timer(c);
}

struct os_conn *
conn_new(struct os_real *r)
{
	struct os_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->real = r;
	c->fd = -1;
	c->sends_tail = &c->sends;
	c->late_tail = &c->late;
	c->timer.fire = on_timer;
	c->timer.ctx = c;
	TAILQ_INSERT_TAIL(&r->conns, c, in_real);
	return c;
}

void
conn_free(struct os_conn *c)
{
	struct os_real *r = c->real;

	os_timer_stop(&r->os, &c->timer);
	connect_release(c);
	conn_forget_warm(c);
	conn_close_fd(c);
	if (c->is_due)
		TAILQ_REMOVE(&r->due, c, in_due);
	TAILQ_REMOVE(&r->conns, c, in_real);
	free(c);
}

void
conn_join(struct os_conn *c, struct os_stream *s, const char *peer)
{
	c->stream = s;
	s->os_impl = c;
	s->unsent = 0;
	memcpy(s->peer, peer, strnlen(peer, OS_ADDRESS_MAX - 1));
	s->peer[strnlen(peer, OS_ADDRESS_MAX - 1)] = '\0';
}

void
conn_due(struct os_conn *c)
{
	if (c->is_due)
		return;
	c->is_due = true;
	TAILQ_INSERT_TAIL(&c->real->due, c, in_due);
}

void
conn_watch(struct os_conn *c, int events)
{
	if (ev_is_active(&c->io) ? c->io.events == events : events == 0)
		return;
	ev_io_stop(c->real->loop, &c->io);
	if (events == 0)
		return;
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->real->loop, &c->io);
}

/* What an open connection waits for; there is something to send if it is full. */
static void
conn_wait(struct os_conn *c)
{
	int events = c->state == CONN_OPEN && !c->is_paused ? EV_READ : 0;

	conn_watch(c, events | (c->sends != NULL && c->warm == NULL ? EV_WRITE : 0));
}

void
conn_open(struct os_conn *c)
{
	c->state = c->drain ? CONN_DRAINING : CONN_OPEN;
	conn_wait(c);
	conn_due(c);
}

void
conn_fail(struct os_conn *c, int why)
{
	c->state = CONN_CLOSING;
	c->why = why;
	conn_watch(c, 0);
	conn_due(c);
}

/* --- reading -------------------------------------------------------------- */

static ssize_t
recv_some(int fd, void *to, size_t len)
{
	ssize_t n;

	do
		n = recv(fd, to, len, 0);
	while (n == -1 && errno == EINTR);
	return n;
}

/* One read to where the owner wants it. False if that is all for now. */
static bool
read_once(struct os_conn *c, size_t *left)
{
	struct os_stream *s = c->stream;
	void *to = NULL;
	size_t want = s->room(s, &to);

	if (c->state != CONN_OPEN)
		return false;
	if (want == 0) {
		c->is_paused = true;
		conn_await_end(c);
		return false;
	}
	if (want > *left)
		want = *left;
	ssize_t n = recv_some(c->fd, to, want);
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		conn_fail(c, n == 0 ? 0 : errno);
		return false;
	}
	*left -= (size_t)n;
	c->real->ran++;
	s->bytes(s, (size_t)n);
	return (size_t)n == want && *left > 0;
}

static void
read_some(struct os_conn *c)
{
	size_t left = READ_BYTES_MAX;
	int calls = 0;

	while (c->state == CONN_OPEN && !c->is_paused && calls++ < READ_CALLS_MAX)
		if (!read_once(c, &left))
			break;
	if (c->state == CONN_OPEN)
		conn_wait(c);
}

/* What the peer still sends goes nowhere; its end is the end. */
static void
read_nothing(struct os_conn *c)
{
	char bytes[16384];
	ssize_t n = recv_some(c->fd, bytes, sizeof(bytes));

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK)) {
		conn_watch(c, 0);
		conn_due(c);
	}
}

static void
on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct os_conn *c = io->data;

	(void)loop;
	if (c->state == CONN_LINGERING)
		read_nothing(c);
	else if (events & EV_ERROR)
		conn_fail(c, ENOMEM);
	else if (c->state == CONN_WAITING)
		connect_event(c);
	if (c->state == CONN_OPEN && events & EV_READ)
		read_some(c);
	if (events & EV_WRITE)
		conn_due(c);
}

void
conn_set_fd(struct os_conn *c, int fd)
{
	c->fd = fd;
	ev_io_init(&c->io, on_io, fd, 0);
	c->io.data = c;
}

void
conn_close_fd(struct os_conn *c)
{
	if (c->fd == -1)
		return;
	conn_watch(c, 0);
	conn_forget_end(c);
	close(c->fd);
	c->fd = -1;
	doors_resume(c->real);
}

/* --- sending -------------------------------------------------------------- */

/* Is there more behind the first piece? */
static int
more_flag(const struct os_send *o)
{
	return o->os_next != NULL ? MSG_MORE : 0;
}

/* Sends pieces of memory up to the next piece of a file. */
static ssize_t
send_memory(struct os_conn *c)
{
	struct iovec iov[SEND_PIECES_MAX];
	struct msghdr msg = {.msg_iov = iov};
	const struct os_send *o = c->sends;
	size_t sum = 0;

	for (; o != NULL && o->fd < 0 && msg.msg_iovlen < SEND_PIECES_MAX; o = o->os_next) {
		iov[msg.msg_iovlen].iov_base = (char *)(uintptr_t)o->data + o->os_at;
		iov[msg.msg_iovlen++].iov_len = o->len - o->os_at;
		sum += o->len - o->os_at;
	}
	if (sum == 0)
		return 0;
	return sendmsg(c->fd, &msg, MSG_NOSIGNAL | (o != NULL ? MSG_MORE : 0));
}

/* sendfile without SIGPIPE, which it has no flag for. */
static ssize_t
sendfile_quietly(int to, int from, off_t position, size_t len)
{
	struct sigaction action;
	sigset_t pipe_set, before;
	const struct timespec now = {.tv_sec = 0};

	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
		return sendfile(to, from, &position, len);
	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
	ssize_t n = sendfile(to, from, &position, len);
	int why = errno;
	if (n == -1 && why == EPIPE && !sigismember(&before, SIGPIPE))
		sigtimedwait(&pipe_set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = why;
	return n;
}

/* The same through memory, for file systems that know no sendfile. */
static ssize_t
send_copy(struct os_conn *c, const struct os_send *o, off_t position, size_t len)
{
	char *bytes = malloc(COPY_BYTES_MAX);
	ssize_t n;

	if (bytes == NULL)
		return -1;
	n = os_file_read_at(
	    &c->real->os, o->fd, bytes, len < COPY_BYTES_MAX ? len : COPY_BYTES_MAX, position);
	if (n > 0)
		n = send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL | more_flag(o));
	int why = errno;
	free(bytes);
	errno = why;
	return n;
}

static ssize_t
send_file(struct os_conn *c)
{
	const struct os_send *o = c->sends;
	off_t position = o->position + (int64_t)o->os_at;
	size_t len = o->len - o->os_at;
	ssize_t n;

	if (len == 0)
		return 0;
	if (len > FILE_BYTES_MAX)
		len = FILE_BYTES_MAX;
	len = conn_warm(c, o, len);
	if (len == 0) {
		errno = EAGAIN;
		return -1;
	}
	n = sendfile_quietly(c->fd, o->fd, position, len);
	if (n == -1 && (errno == EINVAL || errno == ENOSYS))
		n = send_copy(c, o, position, len);
	if (n == 0) {
		/* The file ends before what was promised of it. */
		errno = EIO;
		n = -1;
	}
	if (n > 0)
		c->warmed -= (size_t)n < c->warmed ? (size_t)n : c->warmed;
	return n;
}

/* The kernel took so many bytes: takes the pieces that went off the queue. */
static void
sent(struct os_conn *c, size_t len)
{
	c->stream->unsent -= len;
	while (c->sends != NULL && c->state != CONN_CLOSING) {
		struct os_send *o = c->sends;
		size_t left = o->len - o->os_at;
		if (len < left) {
			o->os_at += len;
			return;
		}
		len -= left;
		o->os_at = o->len;
		c->sends = o->os_next;
		if (c->sends == NULL)
			c->sends_tail = &c->sends;
		c->real->ran++;
		if (o->done != NULL)
			o->done(o, 0);
	}
}

static void
send_some(struct os_conn *c)
{
	size_t left = SEND_BYTES_MAX;

	while (c->sends != NULL && c->warm == NULL && left > 0) {
		ssize_t n = c->sends->fd >= 0 ? send_file(c) : send_memory(c);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n == -1) {
			conn_fail(c, errno);
			return;
		}
		sent(c, (size_t)n);
		if (c->state == CONN_CLOSING)
			return;
		left -= (size_t)n < left ? (size_t)n : left;
	}
	conn_wait(c);
}

/* --- what is due ---------------------------------------------------------- */

static void
linger(struct os_conn *c)
{
	c->state = CONN_LINGERING;
	if (c->is_due)
		TAILQ_REMOVE(&c->real->due, c, in_due);
	c->is_due = false;
	os_timer_start(&c->real->os, &c->timer, LINGER_MS);
	conn_watch(c, EV_READ);
}

static void
pieces_done(struct os_real *r, struct os_send *o, int why)
{
	for (struct os_send *next; o != NULL; o = next) {
		next = o->os_next;
		r->ran++;
		if (o->done != NULL)
			o->done(o, why);
	}
}

/* The end of a stream: its pieces, then itself. The connection lives on for a
 * moment after a drain: a close with bytes of the peer's unread would be a
 * reset, and take from the peer what it has not yet got. */
static void
finish(struct os_conn *c)
{
	struct os_stream *s = c->stream;
	struct os_send *sends = c->sends, *late = c->late;
	struct os_real *r = c->real;
	int why = c->why;

	s->os_impl = NULL;
	s->unsent = 0;
	c->stream = NULL;
	c->sends = NULL;
	if (c->drain && why == 0 && shutdown(c->fd, SHUT_WR) == 0)
		linger(c);
	else
		conn_free(c);
	pieces_done(r, sends, why != 0 ? why : ECANCELED);
	pieces_done(r, late, ECANCELED);
	r->ran++;
	s->closed(s, why);
}

static void
tell_end(struct os_conn *c)
{
	c->is_told = true;
	c->real->ran++;
	c->stream->hung_up(c->stream);
}

static void
conn_settle(struct os_conn *c)
{
	if (c->state == CONN_LINGERING) {
		conn_free(c);
		return;
	}
	if (c->state == CONN_NEW)
		connect_begin(c);
	if (c->state == CONN_OPEN || c->state == CONN_DRAINING)
		send_some(c);
	if (c->state == CONN_OPEN && c->is_paused && c->is_hung_up && !c->is_told)
		tell_end(c);
	if (c->state == CONN_DRAINING && c->sends == NULL)
		c->state = CONN_CLOSING;
	if (c->state == CONN_CLOSING)
		finish(c);
}

/* Pieces that came for streams that were gone. */
static void
settle_canceled(struct os_real *r)
{
	struct os_send *o = r->canceled;

	r->canceled = NULL;
	r->canceled_tail = &r->canceled;
	pieces_done(r, o, ECANCELED);
}

int
os_stream_settle(struct os_real *r)
{
	int ran = r->ran;
	struct os_conn *last = TAILQ_LAST(&r->due, os_conn_list), *c;

	r->ran = 0;
	doors_sweep(r);
	settle_canceled(r);
	/* What becomes due meanwhile waits for the next time. */
	while (last != NULL && (c = TAILQ_FIRST(&r->due)) != NULL) {
		TAILQ_REMOVE(&r->due, c, in_due);
		c->is_due = false;
		bool is_last = c == last;
		conn_settle(c);
		if (is_last)
			break;
	}
	int settled = r->ran;
	r->ran = ran;
	return settled;
}

bool
os_stream_is_due(const struct os_real *r)
{
	return r->canceled != NULL || !TAILQ_EMPTY(&r->due);
}

/* --- calls ---------------------------------------------------------------- */

void
os_stream_queue(struct os *os, struct os_stream *s, struct os_send *o)
{
	struct os_real *r = os_real_of(os);
	struct os_conn *c = s->os_impl;

	o->os_next = NULL;
	o->os_at = 0;
	if (c == NULL) {
		*r->canceled_tail = o;
		r->canceled_tail = &o->os_next;
	} else if (c->drain || c->state == CONN_CLOSING) {
		*c->late_tail = o;
		c->late_tail = &o->os_next;
	} else {
		*c->sends_tail = o;
		c->sends_tail = &o->os_next;
		s->unsent += o->len;
		if (c->state == CONN_OPEN)
			conn_due(c);
	}
}

void
os_stream_resume(struct os *os, struct os_stream *s)
{
	struct os_conn *c = s->os_impl;

	(void)os;
	if (c == NULL || !c->is_paused)
		return;
	c->is_paused = false;
	if (c->state == CONN_OPEN)
		conn_wait(c);
}

void
os_stream_end(struct os *os, struct os_stream *s, bool drain, int why)
{
	struct os_conn *c = s->os_impl;

	(void)os;
	if (c == NULL || c->state == CONN_CLOSING)
		return;
	if (!drain) {
		c->drain = false;
		conn_fail(c, why);
		return;
	}
	c->drain = true;
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_DRAINING;
	conn_wait(c);
	conn_due(c);
}

void
os_stream_release(struct os_real *r)
{
	struct os_conn *c;

	while ((c = TAILQ_FIRST(&r->conns)) != NULL)
		conn_free(c);
	warms_release(r);
	hung_release(r);
	doors_release(r);
	lookups_release(r);
}
