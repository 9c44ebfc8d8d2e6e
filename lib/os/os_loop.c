/*
 * The machine's loop: turns and timers, on libev, which is only told how long
 * to wait for the first timer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "os/os_stream_impl.h"

/* libev may wake a few microseconds before our clock agrees. */
#define WAIT_SLACK_S 0.00005

/* What a loop opens: epoll's descriptor, and one or two to be woken by. */
#define LOOP_FDS 3

/* The longest wait without a loop: a signal that comes just before it is seen
 * only after it. */
#define NAP_MS 100

static void
on_async(struct ev_loop *loop, ev_async *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
}

static void
on_until(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
}

static void
on_fd(struct ev_loop *loop, ev_io *w, int events)
{
	struct os_real *r = w->data;

	(void)loop;
	(void)events;
	r->fd_ready = true;
}

/* libev aborts when it finds no descriptor to be woken by, so we look first. */
static int
need_descriptors(void)
{
	int fds[LOOP_FDS], count = 0, why = 0;

	while (count < LOOP_FDS && (fds[count] = open("/", O_PATH | O_CLOEXEC)) != -1)
		count++;
	if (count < LOOP_FDS)
		why = errno;
	while (count > 0)
		close(fds[--count]);
	errno = why;
	return why == 0 ? 0 : -1;
}

int
os_loop_need(struct os_real *r)
{
	if (r->loop != NULL)
		return 0;
	if (need_descriptors() == -1)
		return -1;
	r->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV | EVFLAG_NOSIGMASK);
	if (r->loop == NULL) {
		errno = EMFILE;
		return -1;
	}
	ev_async_init(&r->async, on_async);
	ev_async_start(r->loop, &r->async);
	ev_timer_init(&r->until, on_until, 0., 0.);
	ev_io_init(&r->fd_io, on_fd, 0, 0);
	r->fd_io.data = r;
	return 0;
}

void
os_loop_release(struct os_real *r)
{
	struct ev_loop *loop = r->loop;

	if (loop == NULL)
		return;
	ev_async_stop(loop, &r->async);
	ev_loop_destroy(loop);
}

void
os_loop_timer_stop(struct os *os, struct os_timer *t)
{
	timers_remove(&os_real_of(os)->timers, t);
}

void
os_loop_timer_start(struct os *os, struct os_timer *t, int64_t in_ms)
{
	timers_insert(
	    &os_real_of(os)->timers, t, os_mono_ns(os) + (in_ms > 0 ? in_ms : 0) * 1000000);
}

/* Fires what was due when the turn came here: a timer that fires and is armed
 * anew waits for the next turn. */
static int
fire_due(struct os_real *r)
{
	int64_t now;
	int fired = 0;

	if (r->timers.root == NULL)
		return 0;
	now = os_mono_ns(&r->os);
	while (r->timers.root != NULL && r->timers.root->os_due_ns < now) {
		struct os_timer *t = r->timers.root;
		timers_remove(&r->timers, t);
		fired++;
		t->fire(t);
	}
	return fired;
}

/* How long this turn may wait, in seconds; below zero: without limit. */
static double
wait_s(struct os_real *r, int timeout_ms)
{
	double wait = timeout_ms < 0 ? -1. : timeout_ms / 1e3;

	if (os_work_is_done(r) || os_stream_is_due(r) || atomic_load(&r->woken))
		return 0.;
	if (r->timers.root != NULL) {
		double due = (double)(r->timers.root->os_due_ns - os_mono_ns(&r->os)) / 1e9;
		if (due < 0.)
			due = 0.;
		if (wait < 0. || due < wait)
			wait = due;
	}
	return wait;
}

/* One round of libev; calls back for watches and marks fd_ready. */
static void
poll_once(struct os_real *r, double wait)
{
	if (wait == 0.) {
		ev_run(r->loop, EVRUN_NOWAIT);
		return;
	}
	if (wait > 0.) {
		ev_now_update(r->loop);
		ev_timer_set(&r->until, wait + WAIT_SLACK_S, 0.);
		ev_timer_start(r->loop, &r->until);
	}
	ev_run(r->loop, EVRUN_ONCE);
	ev_timer_stop(r->loop, &r->until);
}

/* Waits where there is no loop. Then there are no threads and no watches either:
 * only time, a signal, and perhaps a descriptor. */
static void
nap(struct pollfd *p, nfds_t count, double wait)
{
	poll(p, count, wait < 0. || wait > NAP_MS / 1e3 ? NAP_MS : (int)(wait * 1e3) + 1);
}

int
os_loop_turn(struct os *os, int timeout_ms)
{
	struct os_real *r = os_real_of(os);
	double wait;

	/* What was sent between turns leaves before this one waits. */
	r->ran = os_stream_settle(r);
	wait = wait_s(r, r->ran > 0 ? 0 : timeout_ms);
	if (wait != 0. && os_loop_need(r) == -1)
		nap(NULL, 0, wait);
	/* Between the look at `woken` above and the making of the loop a signal
	 * may have come. */
	if (wait != 0. && atomic_load(&r->woken))
		wait = 0.;
	if (r->loop != NULL)
		poll_once(r, wait);
	atomic_store(&r->woken, false);
	r->ran += os_work_finish(r);
	lookups_finish(r);
	r->ran += fire_due(r);
	r->ran += os_stream_settle(r);
	return r->ran;
}

static bool
ready_now(int fd, short poll_events)
{
	struct pollfd p = {.fd = fd, .events = poll_events};

	return poll(&p, 1, 0) == 1;
}

int
os_real_turn_fd(struct os *os, int fd, short poll_events, int timeout_ms)
{
	struct os_real *r = os_real_of(os);
	int events = (poll_events & POLLIN ? EV_READ : 0) | (poll_events & POLLOUT ? EV_WRITE : 0);

	if (timeout_ms == 0 || ready_now(fd, poll_events)) {
		bool ready = ready_now(fd, poll_events);
		return os_loop_turn(os, 0) == -1 ? -1 : ready;
	}
	if (os_loop_need(r) == -1) {
		nap(&(struct pollfd){.fd = fd, .events = poll_events}, 1, wait_s(r, timeout_ms));
		return os_loop_turn(os, 0) == -1 ? -1 : ready_now(fd, poll_events);
	}
	r->fd_ready = false;
	ev_io_set(&r->fd_io, fd, events);
	ev_io_start(r->loop, &r->fd_io);
	int ran = os_loop_turn(os, timeout_ms);
	ev_io_stop(r->loop, &r->fd_io);
	return ran == -1 ? -1 : r->fd_ready;
}

void
os_real_wake(struct os *os)
{
	struct os_real *r = os_real_of(os);

	atomic_store(&r->woken, true);
	if (r->loop != NULL)
		ev_async_send(r->loop, &r->async);
}
