/* Faults of the loop and of streams. */
#include <errno.h>

#include "os/os_fault_impl.h"

/* The worker that syncs, so that a test's sets keep their order. */
#define SYNC_WORKER 3

int64_t
fault_mono_ns(struct os *os)
{
	return os_mono_ns(fault_of(os)->inner);
}

int64_t
fault_wall_ms(struct os *os)
{
	return os_wall_ms(fault_of(os)->inner);
}

void
fault_random(struct os *os, void *data, size_t len)
{
	os_random(fault_of(os)->inner, data, len);
}

void
fault_sleep_ms(struct os *os, int ms)
{
	os_sleep_ms(fault_of(os)->inner, ms);
}

int
fault_boot_id(struct os *os, char id[37])
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_BOOT_ID);

	return fault_is_made(v) ? fault_leave(f, v, os_boot_id(f->inner, id)) : -1;
}

int
fault_turn(struct os *os, int timeout_ms)
{
	struct fault_os *f = fault_of(os);
	int ran = fault_dead(f) ? 0 : os_turn(f->inner, timeout_ms);

	if (fault_dead(f)) {
		errno = EIO;
		return -1;
	}
	return ran;
}

void
fault_timer_start(struct os *os, struct os_timer *t, int64_t in_ms)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		os_timer_start(f->inner, t, in_ms);
}

void
fault_timer_stop(struct os *os, struct os_timer *t)
{
	os_timer_stop(fault_of(os)->inner, t);
}

void
fault_work(struct os *os, unsigned worker, struct os_job *job)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		os_work(f->inner, worker, job);
}

static void
sync_run(struct os_job *job)
{
	struct os_sync *s = job->ctx;

	for (size_t i = 0; i < s->fd_count && s->result == 0; i++)
		if (os_sync(s->os_os, s->fds[i]) == -1)
			s->result = errno;
}

static void
sync_done(struct os_job *job)
{
	struct os_sync *s = job->ctx;

	if (!fault_dead(fault_of(s->os_os)))
		s->done(s);
}

void
fault_sync_start(struct os *os, struct os_sync *s)
{
	s->result = 0;
	s->os_os = os;
	s->os_job = (struct os_job){.run = sync_run, .done = sync_done, .ctx = s};
	fault_work(os, SYNC_WORKER, &s->os_job);
}

int
fault_watch_start(struct os *os, struct os_watch *w, const char *path)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_WATCH);

	return fault_is_made(v) ? fault_leave(f, v, os_watch_start(f->inner, w, path)) : -1;
}

void
fault_watch_stop(struct os *os, struct os_watch *w)
{
	os_watch_stop(fault_of(os)->inner, w);
}

/* --- streams -------------------------------------------------------------- */

int
fault_listen(struct os *os, struct os_listener *l, const char *address)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_LISTEN);

	return fault_is_made(v) ? fault_leave(f, v, os_listen(f->inner, l, address)) : -1;
}

void
fault_listen_stop(struct os *os, struct os_listener *l)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		os_listen_stop(f->inner, l);
}

int
fault_connect(struct os *os, struct os_stream *s, const char *address)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_CONNECT);
	int why = errno;

	if (v == DEAD)
		return -1;
	int r = os_connect(f->inner, s, address);
	if (r == 0 && !fault_is_made(v))
		f->inner->ops->stream_close(f->inner, s, false, why);
	return fault_leave(f, v == PASS_THEN_DIE ? v : PASS, r);
}

void
fault_stream_send(struct os *os, struct os_stream *s, struct os_send *o)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_SEND);
	int why = errno;

	if (v == DEAD)
		return;
	os_stream_send(f->inner, s, o);
	if (!fault_is_made(v))
		f->inner->ops->stream_close(f->inner, s, false, why);
	fault_leave(f, v == PASS_THEN_DIE ? v : PASS, 0);
}

void
fault_stream_read(struct os *os, struct os_stream *s)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		os_stream_read(f->inner, s);
}

void
fault_stream_close(struct os *os, struct os_stream *s, bool drain, int why)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		f->inner->ops->stream_close(f->inner, s, drain, why);
}
