#include "cli/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "cli/report.h"

/* What a pipe is asked to hold, where no account is kept of what left it: with
 * the usual 64 KiB, writer and reader wait for each other four times a write. */
#define PIPE_BYTES (1 << 20)

/* How often a pipe is looked at that is being drained. */
#define DRAIN_POLL_MS 5

void
sink_init(struct sink *s, int fd, bool marking)
{
	struct stat st;

	memset(s, 0, sizeof(*s));
	buf_init(&s->out);
	s->fd = fd;
	s->marking = marking;
	s->kind = SINK_OTHER;
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			s->kind = SINK_FILE;
		else if (S_ISFIFO(st.st_mode))
			s->kind = SINK_PIPE;
		else if (S_ISSOCK(st.st_mode))
			s->kind = SINK_SOCKET;
	}
	if (s->kind == SINK_PIPE && !marking && fcntl(fd, F_GETPIPE_SZ) < PIPE_BYTES)
		fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* refused: it works as it is */
}

void
sink_release(struct sink *s)
{
	buf_release(&s->out);
	free(s->marks);
	s->marks = NULL;
	s->mark_count = s->mark_cap = 0;
}

static int
marks_grow(struct sink *s, struct err *err)
{
	size_t cap = s->mark_cap * 2 + 64;
	struct sink_mark *more = calloc(cap, sizeof(*more));

	if (more == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < s->mark_count; i++)
		more[i] = s->marks[(s->mark_first + i) % s->mark_cap];
	free(s->marks);
	s->marks = more;
	s->mark_cap = cap;
	s->mark_first = 0;
	return 0;
}

int
sink_mark(struct sink *s, const char *topic, int32_t partition, int64_t offset, struct err *err)
{
	if (s->out.failed)
		return err_nomem(err);
	if (!s->marking)
		return 0;
	if (s->mark_count == s->mark_cap && marks_grow(s, err) == -1)
		return -1;
	s->marks[(s->mark_first + s->mark_count++) % s->mark_cap] = (struct sink_mark){
	    .end = s->written + (int64_t)s->out.len,
	    .topic = topic,
	    .partition = partition,
	    .offset = offset,
	};
	return 0;
}

int
sink_flush(struct sink *s, struct err *err)
{
	size_t at = 0;

	while (at < s->out.len) {
		ssize_t n = write(s->fd, s->out.data + at, s->out.len - at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			/* Somebody shares the pipe with us and made it non-blocking. */
			poll(&(struct pollfd){.fd = s->fd, .events = POLLOUT}, 1, -1);
			continue;
		}
		if (n == -1) {
			s->closed = errno == EPIPE;
			if (s->closed)
				return err_set(err, ERR_CLOSED, REPORT_STDOUT ": the reader is gone");
			return err_sys(err, errno, REPORT_STDOUT ": write");
		}
		at += (size_t)n;
		s->written += n;
	}
	buf_clear(&s->out);
	return 0;
}

/* Bytes that were written and that nobody has read yet. */
static int64_t
unread(const struct sink *s)
{
	int n = 0;

	if (s->kind == SINK_PIPE && ioctl(s->fd, FIONREAD, &n) == 0)
		return n;
	if (s->kind == SINK_SOCKET && ioctl(s->fd, SIOCOUTQ, &n) == 0)
		return n;
	return 0;
}

bool
sink_reader_gone(struct sink *s)
{
	struct pollfd p = {.fd = s->fd, .events = 0};

	if (s->closed || s->kind == SINK_FILE || s->kind == SINK_OTHER)
		return s->closed;
	if (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0)
		s->closed = true;
	return s->closed;
}

void
sink_drain(struct sink *s, int timeout_ms, bool (*stop)(void))
{
	while (unread(s) > 0 && timeout_ms != 0 && !sink_reader_gone(s)) {
		if (stop != NULL && stop())
			return;
		poll(NULL, 0, DRAIN_POLL_MS);
		if (timeout_ms > 0)
			timeout_ms = timeout_ms > DRAIN_POLL_MS ? timeout_ms - DRAIN_POLL_MS : 0;
	}
}

int
sink_settle(struct sink *s, void (*left)(void *ctx, const struct sink_mark *m), void *ctx,
    struct err *err)
{
	int64_t gone = s->written - unread(s);

	if (s->mark_count == 0 || s->marks[s->mark_first].end > gone)
		return 0;
	if (s->kind == SINK_FILE && fdatasync(s->fd) == -1 && errno != EINVAL)
		return err_sys(err, errno, REPORT_STDOUT ": sync");
	while (s->mark_count > 0 && s->marks[s->mark_first].end <= gone) {
		left(ctx, &s->marks[s->mark_first]);
		s->mark_first = (s->mark_first + 1) % s->mark_cap;
		s->mark_count--;
	}
	return 0;
}
