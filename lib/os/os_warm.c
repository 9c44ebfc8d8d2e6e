/*
 * Parts of files that are to be sent, and are not in memory: sendfile would wait for the
 * disk, and the whole loop with it. So it is looked first, and what is missing is read
 * by a thread of its own, into the page cache.
 */
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os_stream_impl.h"

/* A byte of each such part is looked at: the kernel reads and drops more than a page at
 * a time. */
#define LOOK_BYTES ((size_t)64 * 1024)

/* So much is read at once. */
#define WARM_BYTES ((size_t)1024 * 1024)

/* One reading. It outlives a connection that ends meanwhile. */
struct os_warm {
	LIST_ENTRY(os_warm) in_real;
	struct os_job job;
	struct os_conn *conn; /* NULL: gone */
	int fd; /* its own */
	int64_t position;
	size_t len;
};

static bool
is_resident(int fd, int64_t position, size_t len)
{
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};

	for (size_t at = 0; at < len; at += LOOK_BYTES)
		if (preadv2(fd, &iov, 1, position + (int64_t)at, RWF_NOWAIT) == -1 &&
		    errno == EAGAIN)
			return false;
	return true;
}

static void
warm_run(struct os_job *j)
{
	struct os_warm *w = j->ctx;
	char bytes[LOOK_BYTES];

	for (size_t at = 0; at < w->len; at += sizeof(bytes))
		if (pread(w->fd, bytes, sizeof(bytes), w->position + (int64_t)at) <= 0)
			break;
	close(w->fd);
}

static void
warm_free(struct os_warm *w)
{
	LIST_REMOVE(w, in_real);
	free(w);
}

static void
warm_done(struct os_job *j)
{
	struct os_warm *w = j->ctx;
	struct os_conn *c = w->conn;

	if (c != NULL) {
		c->warm = NULL;
		c->warmed = w->len;
		if (c->state == CONN_OPEN || c->state == CONN_DRAINING)
			conn_due(c);
	}
	warm_free(w);
}

static bool
warm_start(struct os_conn *c, int fd, int64_t position, size_t len)
{
	struct os_warm *w = malloc(sizeof(*w));

	if (w == NULL)
		return false;
	*w = (struct os_warm){.job = {.run = warm_run, .done = warm_done, .ctx = w}, .conn = c,
	    .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .position = position,
	    .len = len < WARM_BYTES ? len : WARM_BYTES};
	if (w->fd == -1) {
		free(w);
		return false;
	}
	LIST_INSERT_HEAD(&c->real->warms, w, in_real);
	c->warm = w;
	os_work_warm(c->real, &w->job);
	return true;
}

size_t
conn_warm(struct os_conn *c, const struct os_send *o, size_t len)
{
	int64_t position = o->position + (int64_t)o->os_at;

	/* What was just read goes, seen again or not: else it might never. */
	if (c->warmed > 0)
		return len < c->warmed ? len : c->warmed;
	if (is_resident(o->fd, position, len) ||
	    !warm_start(c, o->fd, position, o->len - o->os_at))
		return len;
	return 0;
}

void
conn_forget_warm(struct os_conn *c)
{
	if (c->warm != NULL)
		c->warm->conn = NULL;
	c->warm = NULL;
}

void
warms_release(struct os_real *r)
{
	struct os_warm *w;

	while ((w = LIST_FIRST(&r->warms)) != NULL)
		warm_free(w);
}
