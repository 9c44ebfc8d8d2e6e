/*
 * Peers that hang up while nothing is read from them. libev can wait for bytes to
 * read, which these have, but not for the end behind them; epoll can. So there is an
 * epoll of our own, one more descriptor among libev's.
 */
#include <sys/epoll.h>

#include <unistd.h>

#include "os/os_stream_impl.h"

/* Taken from the kernel in one call. */
#define EVENTS_MAX 64

static void
on_hung(struct ev_loop *loop, ev_io *io, int events)
{
	struct os_real *r = io->data;
	struct epoll_event found[EVENTS_MAX];
	int count = epoll_wait(r->hung_fd, found, EVENTS_MAX, 0);

	(void)loop;
	(void)events;
	for (int i = 0; i < count; i++) {
		struct os_conn *c = found[i].data.ptr;

		c->is_hung_up = true;
		if (c->state == CONN_OPEN && c->is_paused)
			conn_due(c);
	}
}

static int
need_epoll(struct os_real *r)
{
	if (r->hung_fd != -1)
		return 0;
	r->hung_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->hung_fd == -1)
		return -1;
	ev_io_init(&r->hung_io, on_hung, r->hung_fd, EV_READ);
	r->hung_io.data = r;
	ev_io_start(r->loop, &r->hung_io);
	return 0;
}

/* Edge-triggered: an end is told once, and costs nothing more when reading goes on. */
void
conn_await_end(struct os_conn *c)
{
	struct epoll_event e = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};

	c->is_told = false;
	if (c->is_hung_up)
		conn_due(c);
	if (c->is_awaited || c->stream->hung_up == NULL || need_epoll(c->real) == -1)
		return;
	c->is_awaited = epoll_ctl(c->real->hung_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

/* Before its descriptor is closed: a child that was just forked may have it still. */
void
conn_forget_end(struct os_conn *c)
{
	if (c->is_awaited)
		epoll_ctl(c->real->hung_fd, EPOLL_CTL_DEL, c->fd, NULL);
	c->is_awaited = false;
}

void
hung_release(struct os_real *r)
{
	if (r->hung_fd == -1)
		return;
	ev_io_stop(r->loop, &r->hung_io);
	close(r->hung_fd);
	r->hung_fd = -1;
}
