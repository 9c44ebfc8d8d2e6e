/* The sharing protocol: who may write now. See share/doc/format.md section 2. */
#include <errno.h>

#include "store/store_impl.h"

/* A wait looks again after 1, 2, 4 and then every 8 ms. */
#define LOCK_SLEEP_MAX_MS 8

struct wait {
	int64_t until_ns; /* -1: without limit */
	int sleep_ms;
};

static void
wait_begin(struct wait *w, struct store *s)
{
	w->sleep_ms = 1;
	w->until_ns = s->options.lock_wait_ms < 0
	                  ? -1
	                  : os_mono_ns(s->os) + s->options.lock_wait_ms * 1000000;
}

/* Sleeps a little; -1 when the time is over. */
static int
wait_more(struct wait *w, struct store *s)
{
	if (w->until_ns >= 0 && os_mono_ns(s->os) >= w->until_ns)
		return -1;
	os_sleep_ms(s->os, w->sleep_ms);
	if (w->sleep_ms < LOCK_SLEEP_MAX_MS)
		w->sleep_ms *= 2;
	return 0;
}

int
lock_wait(struct store *s, int fd, enum os_lock_kind kind, const char *what, struct err *err)
{
	struct wait w;

	if (os_lock(s->os, fd, kind) == 0)
		return 0;
	wait_begin(&w, s);
	do {
		if (errno != EAGAIN)
			return err_sys(err, errno, "%s: lock", what);
		if (wait_more(&w, s) == -1)
			return err_set(err, ERR_BUSY, "%s: locked by another process for %lld ms", what,
			    (long long)s->options.lock_wait_ms);
	} while (os_lock(s->os, fd, kind) == -1);
	return 0;
}

/* A daemon that is coming, or here, holds a lock on this file; without looking
 * at it a busy store would never let the daemon in. 1: it does. */
static int
daemon_is_coming(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct os_stat st;
	int fd, ret;

	if (store_path(s, path, "mqd.starting", err) == -1)
		return -1;
	if (os_stat_path(s->os, path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: stat", path);
	fd = os_open(s->os, path, OS_READ);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	ret = os_lock(s->os, fd, OS_LOCK_SHARED) == 0 ? 0 : 1;
	os_close(s->os, fd);
	return ret;
}

static int
no_daemon(struct store *s, struct err *err)
{
	struct wait w;
	int ret;

	wait_begin(&w, s);
	while ((ret = daemon_is_coming(s, err)) == 1)
		if (wait_more(&w, s) == -1)
			return err_set(err, ERR_BUSY, "%s: a daemon has the store", s->dir);
	return ret;
}

static int
open_lock_file(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];

	if (s->lock_fd != -1)
		return 0;
	if (store_path(s, path, ".lock", err) == -1)
		return -1;
	s->lock_fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
	if (s->lock_fd != -1)
		return 0;
	if (errno == EROFS || errno == EACCES || errno == EPERM) {
		err_sys(err, errno, "%s: the store cannot be written", path);
		err->code = ERR_REFUSED;
		return -1;
	}
	return err_sys(err, errno, "%s: open", path);
}

/* What forbids writing for good; looked at once. */
static int
check_writable(struct store *s, struct err *err)
{
	struct os_space space;

	if (s->options.read_only)
		return err_set(err, ERR_REFUSED, "%s: opened for reading only", s->dir);
	if (s->failed)
		return err_set(err, ERR_IO, "%s: takes nothing more after a storage error", s->dir);
	if (s->checked_writable)
		return 0;
	if (os_space(s->os, s->dir, &space) == -1)
		return err_sys(err, errno, "%s: statfs", s->dir);
	if (space.is_read_only)
		return err_set(err, ERR_REFUSED, "%s: the file system is mounted read-only", s->dir);
	if (space.is_network && !s->options.force_network)
		return err_set(err, ERR_REFUSED,
		    "%s: on a network file system, where locks and syncs cannot be trusted", s->dir);
	if (open_lock_file(s, err) == -1)
		return -1;
	s->checked_writable = true;
	return 0;
}

/* The marker of a daemon's clean stop no longer holds once a tool writes. A
 * daemon that ran meanwhile has left another epoch in the metadata log, so the
 * marker is looked for once in each. */
int
store_remove_marker(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];

	if (s->marker_epoch == s->image.epoch)
		return 0;
	if (store_path(s, path, ".kafka_cleanshutdown", err) == -1)
		return -1;
	if (os_remove(s->os, path) == 0) {
		if (os_sync_dir(s->os, s->dir) == -1)
			return err_sys(err, errno, "%s: sync", s->dir);
	} else if (errno != ENOENT) {
		return err_sys(err, errno, "%s: remove", path);
	}
	s->marker_epoch = s->image.epoch;
	return 0;
}

int
store_lock(struct store *s, struct err *err)
{
	if (check_writable(s, err) == -1 || no_daemon(s, err) == -1)
		return -1;
	return lock_wait(s, s->lock_fd, OS_LOCK_SHARED, s->dir, err);
}

void
store_unlock(struct store *s)
{
	(void)os_lock(s->os, s->lock_fd, OS_UNLOCK);
}
