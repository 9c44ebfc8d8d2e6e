/*
 * sink: stdout as a consumer of records sees it: buffered, and with an account
 * of which records have really left.
 *
 * A record has left when its bytes were written and, if stdout is a pipe or a
 * socket, when the other side has taken them out of it: what lies unread in a
 * pipe that is closed was never processed by anyone, so its offset must not be
 * committed. A regular file is synced before its records count.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include "base/bytes.h"
#include "base/error.h"

enum sink_kind { SINK_FILE, SINK_PIPE, SINK_SOCKET, SINK_OTHER };

/* A record on its way out. */
struct sink_mark {
	int64_t end; /* bytes of output up to the end of it */
	const char *topic;
	int32_t partition;
	int64_t offset;
};

struct sink {
	int fd;
	enum sink_kind kind;
	struct buf out;  /* not written yet; append records here */
	int64_t written; /* bytes that write(2) has taken */
	bool marking;
	struct sink_mark *marks; /* a ring */
	size_t mark_first, mark_count, mark_cap;
	bool closed; /* the reader is gone (EPIPE) */
};

/* `marking`: keep account of records (a group will commit). */
void sink_init(struct sink *s, int fd, bool marking);
void sink_release(struct sink *s);

/* What was appended to `out` since the last mark was this record. The topic's
 * name is kept as a pointer. 0, or -1: ERR_NOMEM. */
int sink_mark(struct sink *s, const char *topic, int32_t partition, int64_t offset,
    struct err *err);

/* Writes what is buffered. -1: ERR_CLOSED if the reader is gone, ERR_IO,
 * ERR_NO_SPACE. Interrupted by a signal it goes on: the buffer is small. */
int sink_flush(struct sink *s, struct err *err);

/* Waits at most `timeout_ms` (-1: without limit) until the reader has taken all
 * that was written; ends early when the reader or (with `stop` not NULL and
 * returning true) the user has gone. */
void sink_drain(struct sink *s, int timeout_ms, bool (*stop)(void));

/* Calls `left` for the records that have left since the last call, oldest
 * first. Syncs a regular file before. -1: ERR_IO. */
int sink_settle(struct sink *s, void (*left)(void *ctx, const struct sink_mark *m), void *ctx,
    struct err *err);

/* True if the reader of a pipe or socket is gone. */
bool sink_reader_gone(struct sink *s);

#endif
