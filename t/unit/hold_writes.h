/*
 * hold_writes: a simulated machine on which memory fails (t/lib/fuzz_wrap.c) but where it
 * writes and syncs. What cannot be undone there ends a directory, as it should, and would
 * hide what else may happen.
 */
#ifndef HOLD_WRITES_H
#define HOLD_WRITES_H

#include <errno.h>

#include "lib/fuzz.h"

#define SYNC_WORKER 7 /* one that the broker has no use for */

static const struct os_ops *sim; /* what it does */

#define HELD(call)                                                                         \
	unsigned held = fuzz_memory_hold();                                                \
	int ret = sim->call;                                                               \
                                                                                           \
	fuzz_memory_resume(held);                                                          \
	return ret

static int
held_write_at(struct os *os, int fd, const struct iovec *iov, int count, int64_t offset)
{
	HELD(write_at(os, fd, iov, count, offset));
}

static int
held_truncate(struct os *os, int fd, int64_t size)
{
	HELD(truncate(os, fd, size));
}

static int
held_sync(struct os *os, int fd)
{
	HELD(sync(os, fd));
}

static int
held_sync_dir(struct os *os, const char *path)
{
	HELD(sync_dir(os, path));
}

static int
held_rename(struct os *os, const char *from, const char *to)
{
	HELD(rename(os, from, to));
}

static int
held_remove(struct os *os, const char *path)
{
	HELD(remove(os, path));
}

static void
sync_run(struct os_job *j)
{
	struct os_sync *y = j->ctx;

	y->result = 0;
	for (size_t i = 0; i < y->fd_count && y->result == 0; i++)
		if (held_sync(y->os_os, y->fds[i]) == -1)
			y->result = errno;
}

static void
sync_done(struct os_job *j)
{
	struct os_sync *y = j->ctx;

	y->done(y);
}

static void
held_sync_start(struct os *os, struct os_sync *y)
{
	y->os_os = os;
	y->os_job = (struct os_job){.run = sync_run, .done = sync_done, .ctx = y};
	os_work(os, SYNC_WORKER, &y->os_job);
}

static void
hold_writes(struct os *os)
{
	static struct os_ops ops;

	sim = os->ops == &ops ? sim : os->ops;
	ops = *sim;
	ops.write_at = held_write_at;
	ops.truncate = held_truncate;
	ops.sync = held_sync;
	ops.sync_dir = held_sync_dir;
	ops.rename = held_rename;
	ops.remove = held_remove;
	ops.sync_start = held_sync_start;
	os->ops = &ops;
}

#endif
