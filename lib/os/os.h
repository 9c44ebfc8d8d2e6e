/*
 * os: the only door to the machine.
 *
 * lib/{base,wire,log,store,client} and the broker make no system call; time,
 * chance, files, locks, watches, timers, streams and work for other threads
 * come through a `struct os`, a table of functions. There are three kinds:
 *
 *   os_real.h   the machine: libev, POSIX files, a few worker threads
 *   os_sim.h    a simulated one: virtual time, files that keep synced and
 *               unsynced writes apart and can be crashed, everything from a seed
 *   os_fault.h  a layer over either: counts calls, fails or kills at call N
 *
 * Rules
 *  1. Calls return -1 with errno, as POSIX does; EINTR is never seen.
 *  2. File calls are synchronous and may be made on any thread that owns the
 *     file; streams, timers, watches, syncs and work belong to the loop's
 *     thread.
 *  3. A completion comes from os_turn, never from inside the call that started
 *     it. Until then the caller keeps the struct it passed where it is.
 *  4. Descriptors are close-on-exec.
 *  5. Paths are byte strings; in the simulation there is one flat tree.
 */
#ifndef OS_OS_H
#define OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum os_open_flags {
	OS_READ = 0,
	OS_WRITE = 1,   /* read and write */
	OS_CREATE = 2,  /* make it if it is not there (mode 0644 less umask) */
	OS_EXCL = 4,    /* with OS_CREATE: EEXIST if it is there */
	OS_TRUNC = 8,   /* cut it to nothing */
};

enum os_lock_kind { OS_UNLOCK, OS_LOCK_SHARED, OS_LOCK_EXCLUSIVE };

enum os_level { OS_ERROR, OS_WARN, OS_INFO, OS_DEBUG };

struct os_stat {
	int64_t size;     /* bytes */
	int64_t mtime_ms; /* wall clock, of the last change */
	uint64_t inode;   /* tells a replaced file from the one that was opened */
	uint64_t device;
	uint32_t links; /* 0: the name is gone */
	bool is_dir;
};

struct os_space {
	uint64_t free_bytes;  /* that this process may use */
	uint64_t total_bytes;
	bool is_network; /* NFS, SMB, 9p and the like: OFD locks cannot be trusted */
	bool is_read_only;
};

struct os;

/* A timer fires once. Zero it before first use; the os_ fields are its own. */
struct os_timer {
	void (*fire)(struct os_timer *t);
	void *ctx;
	struct os_timer *os_child, *os_next, *os_prev;
	int64_t os_due_ns;
	uint64_t os_turn; /* among those of one time */
	bool os_armed;
};

/* Work for another thread: `run` there, then `done` on the loop. Jobs given to
 * one worker run in order. `run` may make file calls and nothing else. */
struct os_job {
	void (*run)(struct os_job *j);
	void (*done)(struct os_job *j);
	void *ctx;
	struct os_job *os_next;
};

/* Makes the data of some files durable, with one completion. `result` is 0 or
 * the first errno. After an error nothing is known of any of the files: never
 * retry (promise 6 of the reliability page). */
struct os_sync {
	const int *fds; /* the caller's until done */
	size_t fd_count;
	void (*done)(struct os_sync *s);
	void *ctx;
	int result;
	struct os_job os_job;
	struct os *os_os;
};

/* Tells that a directory (its names or its files' sizes) may have changed. It
 * is a hint: it may come late, twice, or never (when watches run out it never
 * comes), so whoever waits also polls. */
struct os_watch {
	void (*changed)(struct os_watch *w);
	void *ctx;
	struct os_watch *os_next;
	int os_id;
};

/* --- streams --- */

/* An address is "HOST:PORT", "[IPV6]:PORT" or "unix:PATH". Listening, an empty
 * HOST is every interface and port 0 lets the machine choose; a unix socket's mode
 * is 0660. */
#define OS_ADDRESS_MAX 320

/* A piece to be sent: bytes in memory or, with fd >= 0, of a file. It and what
 * it points to stay where they are until `done`. */
struct os_send {
	const void *data;
	size_t len;
	int fd;		  /* -1: data */
	int64_t position; /* in the file */
	/* 0: the kernel has it all; else errno, and the stream is closing. May be NULL. */
	void (*done)(struct os_send *o, int why);
	void *ctx;
	struct os_send *os_next;
	size_t os_at;
};

/* A connection: the caller's memory, from os_connect or `accepted` until
 * `closed`. Zero it and set the callbacks; all come from os_turn. */
struct os_stream {
	/* A connect succeeded. Not called for accepted ones. */
	void (*opened)(struct os_stream *s);
	/* Where the next bytes shall go, and how many at most; 0: reading pauses
	 * until os_stream_read. It may be asked again though nothing came. */
	size_t (*room)(struct os_stream *s, void **to);
	/* Reading pauses, and the peer has ended its side: nothing will come but what
	 * it sent before, which is there to be read, and then `closed`. Told once in a
	 * pause; perhaps not, where descriptors run out. May be NULL. */
	void (*hung_up)(struct os_stream *s);
	/* So many came, at the place that room gave. */
	void (*bytes)(struct os_stream *s, size_t len);
	/* The last callback; the memory is the caller's again. 0: the peer's
	 * orderly end, or our os_stream_close; else errno. Every unfinished
	 * os_send has had its done before. */
	void (*closed)(struct os_stream *s, int why);
	void *ctx;
	char peer[OS_ADDRESS_MAX]; /* "127.0.0.1:51034"; "unix:" for an unnamed one */
	size_t unsent;		   /* bytes given to os_stream_send that the kernel has not taken */
	void *os_impl; /* NULL: the os uses no memory of it (any more) */
};

struct os_listener {
	/* A connection came: the stream to use for it, callbacks set, or NULL to
	 * turn it away. */
	struct os_stream *(*accepted)(struct os_listener *l, const char *peer);
	void *ctx;
	char address[OS_ADDRESS_MAX]; /* out: where it listens, with the real port */
	void *os_impl;
};

struct os_ops {
	/* Files. Offsets and sizes in bytes. */
	int (*open)(struct os *os, const char *path, int flags);
	int (*close)(struct os *os, int fd);
	ssize_t (*read_at)(struct os *os, int fd, void *data, size_t len, int64_t offset);
	int (*write_at)(struct os *os, int fd, const struct iovec *iov, int iov_count,
	    int64_t offset);
	int (*truncate)(struct os *os, int fd, int64_t size);
	int (*sync)(struct os *os, int fd);
	ssize_t (*read_resident)(struct os *os, int fd, void *data, size_t len, int64_t offset);
	int (*stat)(struct os *os, int fd, struct os_stat *st);
	int (*lock)(struct os *os, int fd, enum os_lock_kind kind);
	/* Names. */
	int (*stat_path)(struct os *os, const char *path, struct os_stat *st);
	int (*rename)(struct os *os, const char *from, const char *to);
	int (*remove)(struct os *os, const char *path);
	int (*mkdir)(struct os *os, const char *path);
	int (*rmdir)(struct os *os, const char *path);
	int (*list)(struct os *os, const char *path, int (*each)(void *ctx, const char *name),
	    void *ctx);
	int (*sync_dir)(struct os *os, const char *path);
	int (*space)(struct os *os, const char *path, struct os_space *space);
	/* Time and chance. */
	int64_t (*mono_ns)(struct os *os);
	int64_t (*wall_ms)(struct os *os);
	void (*random)(struct os *os, void *data, size_t len);
	void (*sleep_ms)(struct os *os, int ms);
	int (*boot_id)(struct os *os, char id[37]);
	/* The loop. */
	int (*turn)(struct os *os, int timeout_ms);
	void (*timer_start)(struct os *os, struct os_timer *t, int64_t in_ms);
	void (*timer_stop)(struct os *os, struct os_timer *t);
	void (*work)(struct os *os, unsigned worker, struct os_job *job);
	void (*sync_start)(struct os *os, struct os_sync *s);
	int (*watch_start)(struct os *os, struct os_watch *w, const char *path);
	void (*watch_stop)(struct os *os, struct os_watch *w);
	/* Streams. `why` is what `closed` will say. */
	int (*listen)(struct os *os, struct os_listener *l, const char *address);
	void (*listen_stop)(struct os *os, struct os_listener *l);
	int (*connect)(struct os *os, struct os_stream *s, const char *address);
	void (*stream_send)(struct os *os, struct os_stream *s, struct os_send *o);
	void (*stream_read)(struct os *os, struct os_stream *s);
	void (*stream_close)(struct os *os, struct os_stream *s, bool drain, int why);
	/* People. */
	void (*note)(struct os *os, enum os_level level, const char *text);
	/* What a kernel does when this process dies; NULL where only os_free can. */
	void (*die)(struct os *os);
	void (*free)(struct os *os);
};

/* The first member of every kind of os. */
struct os {
	const struct os_ops *ops;
};

/* --- files --------------------------------------------------------------- */

/* Opens a file; returns a descriptor. Never a directory (EISDIR). */
static inline int
os_open(struct os *os, const char *path, int flags)
{
	return os->ops->open(os, path, flags);
}

/* Closes; an error that close reports is returned, the descriptor is gone. */
static inline int
os_close(struct os *os, int fd)
{
	return os->ops->close(os, fd);
}

/* Reads until `len` bytes or the end of the file: a short count is the end. */
static inline ssize_t
os_read_at(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	return os->ops->read_at(os, fd, data, len, offset);
}

/* As os_read_at, but only what the page cache holds and without waiting: -1
 * with EAGAIN if the first byte is not there, or where the file system cannot
 * tell. A short count may be the end of what is resident; 0 is the end of the
 * file. */
static inline ssize_t
os_read_resident(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	return os->ops->read_resident(os, fd, data, len, offset);
}

/* Writes all, or returns -1 with any part of it written. */
static inline int
os_write_at(struct os *os, int fd, const void *data, size_t len, int64_t offset)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	return os->ops->write_at(os, fd, &iov, 1, offset);
}

static inline int
os_writev_at(struct os *os, int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	return os->ops->write_at(os, fd, iov, iov_count, offset);
}

static inline int
os_truncate(struct os *os, int fd, int64_t size)
{
	return os->ops->truncate(os, fd, size);
}

/* fdatasync: blocks. After an error nothing is known; never retry. */
static inline int
os_sync(struct os *os, int fd)
{
	return os->ops->sync(os, fd);
}

static inline int
os_stat(struct os *os, int fd, struct os_stat *st)
{
	return os->ops->stat(os, fd, st);
}

/* An open-file-description lock on the whole file. Does not wait: EAGAIN if
 * another holds it. Goes with the descriptor, so a killed holder lets go. */
static inline int
os_lock(struct os *os, int fd, enum os_lock_kind kind)
{
	return os->ops->lock(os, fd, kind);
}

/* --- names --------------------------------------------------------------- */

static inline int
os_stat_path(struct os *os, const char *path, struct os_stat *st)
{
	return os->ops->stat_path(os, path, st);
}

/* Replaces `to` if it is there; atomic. */
static inline int
os_rename(struct os *os, const char *from, const char *to)
{
	return os->ops->rename(os, from, to);
}

static inline int
os_remove(struct os *os, const char *path)
{
	return os->ops->remove(os, path);
}

/* One level; EEXIST if it is there. */
static inline int
os_mkdir(struct os *os, const char *path)
{
	return os->ops->mkdir(os, path);
}

static inline int
os_rmdir(struct os *os, const char *path)
{
	return os->ops->rmdir(os, path);
}

/* Calls `each` for every name in a directory except . and .., in no order,
 * until it returns nonzero, which is then returned. Names are copied by the
 * callee if it keeps them; the directory may be changed after, not during. */
static inline int
os_list(struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
	return os->ops->list(os, path, each, ctx);
}

/* Makes the names in a directory durable. */
static inline int
os_sync_dir(struct os *os, const char *path)
{
	return os->ops->sync_dir(os, path);
}

static inline int
os_space(struct os *os, const char *path, struct os_space *space)
{
	return os->ops->space(os, path, space);
}

/* --- time and chance ----------------------------------------------------- */

/* Monotonic nanoseconds, for time-outs. Counts from an unknown point. */
static inline int64_t
os_mono_ns(struct os *os)
{
	return os->ops->mono_ns(os);
}

/* Wall clock, milliseconds since 1970: stamps records, drives retention. */
static inline int64_t
os_wall_ms(struct os *os)
{
	return os->ops->wall_ms(os);
}

static inline void
os_random(struct os *os, void *data, size_t len)
{
	os->ops->random(os, data, len);
}

/* Blocks the thread, less long if a signal comes: for tools that wait for a
 * lock; never in the daemon. */
static inline void
os_sleep_ms(struct os *os, int ms)
{
	os->ops->sleep_ms(os, ms);
}

/* The kernel's boot id, 36 characters: while it stays the page cache is whole. */
static inline int
os_boot_id(struct os *os, char id[37])
{
	return os->ops->boot_id(os, id);
}

/* --- the loop ------------------------------------------------------------ */

/* Waits at most `timeout_ms` (-1: without limit) for an event and runs the
 * completions that are due. Returns how many ran; 0 after the time-out, or
 * earlier when a signal came; -1 with errno when it cannot wait. */
static inline int
os_turn(struct os *os, int timeout_ms)
{
	return os->ops->turn(os, timeout_ms);
}

/* (Re)arms a timer, monotonic. */
static inline void
os_timer_start(struct os *os, struct os_timer *t, int64_t in_ms)
{
	os->ops->timer_start(os, t, in_ms);
}

/* No more fire after this; fine if it is not armed. */
static inline void
os_timer_stop(struct os *os, struct os_timer *t)
{
	os->ops->timer_stop(os, t);
}

static inline void
os_work(struct os *os, unsigned worker, struct os_job *job)
{
	os->ops->work(os, worker, job);
}

static inline void
os_sync_start(struct os *os, struct os_sync *s)
{
	os->ops->sync_start(os, s);
}

/* Returns 0, or -1 (ENOSPC: out of watches): then only polling is left. */
static inline int
os_watch_start(struct os *os, struct os_watch *w, const char *path)
{
	return os->ops->watch_start(os, w, path);
}

static inline void
os_watch_stop(struct os *os, struct os_watch *w)
{
	os->ops->watch_stop(os, w);
}

/* --- streams ------------------------------------------------------------- */

/* Listens. A HOST that is a name is looked up here and now (for a daemon's
 * start), IPv4 first, as Java does. -1 with errno: EINVAL (not an address),
 * EADDRINUSE (of a unix path: only if something answers there or it is no
 * socket; a dead socket file is replaced), EADDRNOTAVAIL, EHOSTUNREACH (the name
 * is unknown), ENAMETOOLONG (the address is longer than OS_ADDRESS_MAX - 1)...
 * When descriptors run out (EMFILE, ENFILE) one connection is turned away,
 * accepting pauses and goes on when a stream is closed, at most 100 ms later;
 * noted once for each listener. */
static inline int
os_listen(struct os *os, struct os_listener *l, const char *address)
{
	return os->ops->listen(os, l, address);
}

/* No more `accepted` after this; connections live on. Removes a unix path if it
 * is still ours. Fine if it does not listen. */
static inline void
os_listen_stop(struct os *os, struct os_listener *l)
{
	os->ops->listen_stop(os, l);
}

/* Begins to connect. Names are resolved off the loop; their addresses are tried
 * in turn. -1 with errno only for what is no address (EINVAL) or ENOMEM; else
 * `opened` or `closed` comes from os_turn: closed with EHOSTUNREACH for a name
 * that does not resolve. There is no time limit but the kernel's. What is sent
 * before `opened` goes out after it. */
static inline int
os_connect(struct os *os, struct os_stream *s, const char *address)
{
	return os->ops->connect(os, s, address);
}

/* Queues a piece. What is queued in one turn leaves together at its end, what is
 * queued between turns before the next one waits. The order is kept, also that
 * of the `done`s. After os_stream_close, or `closed`: done comes with ECANCELED,
 * before `closed` if that is still to come and no such done sends again. */
static inline void
os_stream_send(struct os *os, struct os_stream *s, struct os_send *o)
{
	os->ops->stream_send(os, s, o);
}

/* Reads on after `room` said 0. A stream that is paused closes by its peer's end
 * only when it reads on or sends; `hung_up` tells of it before. */
static inline void
os_stream_read(struct os *os, struct os_stream *s)
{
	os->ops->stream_read(os, s);
}

/* Closes: no more room and bytes. What is queued is dropped, or with `drain` sent
 * first, without a time limit: whoever wants one arms a timer and closes again
 * without. `closed` comes from os_turn. Fine if it is closed. */
static inline void
os_stream_close(struct os *os, struct os_stream *s, bool drain)
{
	os->ops->stream_close(os, s, drain, 0);
}

/* --- people -------------------------------------------------------------- */

/* One line for whoever runs this program, no newline: "orders-0: cut 312 bytes
 * of a torn batch at offset 40". */
void os_note(struct os *os, enum os_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline void
os_free(struct os *os)
{
	os->ops->free(os);
}

/* --- built from the above ------------------------------------------------- */

struct err;
struct buf;

/* Reads a whole small file into `out` (appended). ERR_NOT_FOUND if absent,
 * ERR_TOO_LARGE above `max` bytes. */
int os_read_file(struct os *os, const char *path, size_t max, struct buf *out, struct err *err);

/* Replaces a file so that a crash leaves the old or the new one, whole:
 * PATH.tmp, write, fsync, rename, fsync of the directory. */
int os_replace_file(struct os *os, const char *path, const void *data, size_t len,
    struct err *err);

#endif
