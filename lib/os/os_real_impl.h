/*
 * What the files of os_real share; private to them.
 */
#ifndef OS_OS_REAL_IMPL_H
#define OS_OS_REAL_IMPL_H

#include <bsd/sys/queue.h>
#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>

#include "os/os_real.h"
#include "os/os_timers.h"

/* Workers of our own, behind those for jobs. */
enum { WORKER_SYNC = OS_REAL_WORKERS, WORKER_WARM, WORKER_COUNT };

struct os_worker {
	pthread_t thread;
	pthread_mutex_t mutex; /* guards the queue and the flags */
	pthread_cond_t filled;
	struct os_job *head, **tail;
	struct os_real *real;
	bool started, stopping;
};

TAILQ_HEAD(os_conn_list, os_conn);
TAILQ_HEAD(os_door_list, os_door);

struct os_real {
	struct os os;
	void (*note)(void *ctx, enum os_level level, const char *text);
	void *note_ctx;

	/* The loop; NULL until something needs it. */
	struct ev_loop *loop;
	ev_async async;
	ev_timer until; /* ends the wait of a turn */
	ev_io fd_io;	/* the descriptor of os_real_turn_fd */
	bool fd_ready;
	atomic_bool woken;
	int ran; /* completions in this turn */
	struct os_timers timers;

	/* Watches: inotify_fd is -1 until the first. */
	int inotify_fd;
	ev_io inotify_io;
	struct os_watch *watches;
	struct os_watch *watch_cursor; /* where a walk that calls back goes on */

	/* Streams. Those that have something to send or to say are due. */
	struct os_conn_list conns, due;
	struct os_door_list doors;
	int spare_fd; /* given up for a moment to turn one away; -1: none */
	struct os_send *canceled, **canceled_tail; /* their streams are gone */
	struct os_resolver *resolver;		   /* NULL until the first name */
	int hung_fd; /* epoll's, of peers' ends: libev does not tell them; -1 until the first */
	ev_io hung_io;

	LIST_HEAD(, os_warm) warms; /* readings of what is to be sent */

	/* Work. */
	struct os_worker workers[WORKER_COUNT];
	pthread_mutex_t done_mutex; /* guards the list of finished jobs */
	struct os_job *done_head, **done_tail;
};

static inline struct os_real *
os_real_of(struct os *os)
{
	return (struct os_real *)(void *)os;
}

/* os_file.c, os_lock.c */
int os_file_open(struct os *os, const char *path, int flags);
int os_file_close(struct os *os, int fd);
ssize_t os_file_read_at(struct os *os, int fd, void *data, size_t len, int64_t offset);
int os_file_write_at(struct os *os, int fd, const struct iovec *iov, int iov_count, int64_t offset);
int os_file_truncate(struct os *os, int fd, int64_t size);
int os_file_sync(struct os *os, int fd);
ssize_t os_file_read_resident(struct os *os, int fd, void *data, size_t len, int64_t offset);
int os_file_stat(struct os *os, int fd, struct os_stat *st);
int os_file_stat_path(struct os *os, const char *path, struct os_stat *st);
int os_file_rename(struct os *os, const char *from, const char *to);
int os_file_remove(struct os *os, const char *path);
int os_file_mkdir(struct os *os, const char *path);
int os_file_rmdir(struct os *os, const char *path);
int os_file_list(
    struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx);
int os_file_sync_dir(struct os *os, const char *path);
int os_file_space(struct os *os, const char *path, struct os_space *space);
int os_file_lock(struct os *os, int fd, enum os_lock_kind kind);

/* os_loop.c */
int os_loop_turn(struct os *os, int timeout_ms);
void os_loop_timer_start(struct os *os, struct os_timer *t, int64_t in_ms);
void os_loop_timer_stop(struct os *os, struct os_timer *t);
void os_loop_release(struct os_real *r);
/* Makes the loop if there is none. Returns 0, or -1 with errno. */
int os_loop_need(struct os_real *r);

/* os_watch.c */
int os_watch_add(struct os *os, struct os_watch *w, const char *path);
void os_watch_drop(struct os *os, struct os_watch *w);
void os_watch_release(struct os_real *r);

/* os_stream.c, os_connect.c, os_listen.c */
int os_stream_begin_listen(struct os *os, struct os_listener *l, const char *address);
void os_stream_end_listen(struct os *os, struct os_listener *l);
int os_stream_begin(struct os *os, struct os_stream *s, const char *address);
void os_stream_queue(struct os *os, struct os_stream *s, struct os_send *o);
void os_stream_resume(struct os *os, struct os_stream *s);
void os_stream_end(struct os *os, struct os_stream *s, bool drain, int why);
void os_stream_init(struct os_real *r);
void os_stream_release(struct os_real *r);
/* Sends and closes what is due; returns the completions run. */
int os_stream_settle(struct os_real *r);
bool os_stream_is_due(const struct os_real *r);

/* os_work.c */
void os_work_start(struct os *os, unsigned worker, struct os_job *job);
void os_work_sync(struct os *os, struct os_sync *s);
void os_work_warm(struct os_real *r, struct os_job *job);
/* Runs the completions of finished jobs; returns how many. */
int os_work_finish(struct os_real *r);
bool os_work_is_done(struct os_real *r);
void os_work_init(struct os_real *r);
void os_work_release(struct os_real *r);

#endif
