/* The sharing protocol: who may write now. See share/doc/format.md section 2. */
#include "store/locks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store_impl.h"

/* A wait looks again after 1, 2, 4 and then every 8 ms. */
#define LOCK_SLEEP_MAX_MS 8

/* A writer looks this seldom whether a daemon is coming. */
#define DAEMON_LOOK_NS 10000000

struct pause {
	const struct lock_wait *w;
	int64_t until_ns;
	int sleep_ms;
};

static void
pause_begin(struct pause *p, const struct lock_wait *w)
{
	*p = (struct pause){.w = w, .sleep_ms = 1};
	p->until_ns = w->most_ms < 0 ? INT64_MAX : os_mono_ns(w->os) + w->most_ms * 1000000;
}

/* Sleeps a little; -1 when the time is over. */
static int
pause_more(struct pause *p, const char *path, const char *holder, struct err *err)
{
	if (os_mono_ns(p->w->os) >= p->until_ns)
		return err_set(err, ERR_BUSY,
		    "%s: locked by another process for %lld ms: %s%s", path,
		    (long long)p->w->most_ms, holder, p->w->advice != NULL ? p->w->advice : "");
	os_sleep_ms(p->w->os, p->sleep_ms);
	if (p->sleep_ms < LOCK_SLEEP_MAX_MS)
		p->sleep_ms *= 2;
	return 0;
}

int
lock_file(const struct lock_wait *w, int fd, enum os_lock_kind kind, const char *path,
    const char *holder, struct err *err)
{
	struct pause p;

	if (os_lock(w->os, fd, kind) == 0)
		return 0;
	pause_begin(&p, w);
	do {
		if (errno != EAGAIN)
			return err_sys(err, errno, "%s: lock", path);
		if (pause_more(&p, path, holder, err) == -1)
			return -1;
	} while (os_lock(w->os, fd, kind) == -1);
	return 0;
}

/* 1: a daemon is coming, or here. It holds a lock on this file. */
static int
daemon_is_coming(struct os *os, const char *path, struct err *err)
{
	struct os_stat st;
	int fd, ret;

	if (os_stat_path(os, path, &st) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: stat", path);
	fd = os_open(os, path, OS_READ);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	ret = os_lock(os, fd, OS_LOCK_SHARED) == 0 ? 0 : 1;
	os_close(os, fd);
	return ret;
}

bool
lock_has_daemon(struct os *os, const char *store)
{
	char path[STORE_PATH_MAX];
	struct err ignored;

	return snprintf(path, sizeof(path), "%s/mqd.starting", store) >= (int)sizeof(path) ||
	    daemon_is_coming(os, path, &ignored) != 0;
}

int
lock_serves(struct os *os, const char *store)
{
	char path[STORE_PATH_MAX];
	struct os_stat st;
	struct err ignored;

	if (snprintf(path, sizeof(path), "%s/mqd.starting", store) >= (int)sizeof(path))
		return -1;
	switch (daemon_is_coming(os, path, &ignored)) {
	case 0:
		return 0;
	case 1:
		snprintf(path, sizeof(path), "%s/mqd.sock", store);
		return os_stat_path(os, path, &st) == 0 ? 1 : -1;
	default:
		return -1;
	}
}

int
lock_no_daemon(const struct lock_wait *w, const char *store, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct pause p;
	int ret;

	if (snprintf(path, sizeof(path), "%s/mqd.starting", store) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", store);
	pause_begin(&p, w);
	while ((ret = daemon_is_coming(w->os, path, err)) == 1)
		if (pause_more(&p, path, LOCK_HOLDER_STORE, err) == -1)
			return -1;
	return ret;
}

/* The file, or -1: refused, if it is for good. */
static int
open_to_lock(struct os *os, const char *path, struct err *err)
{
	int fd = os_open(os, path, OS_WRITE | OS_CREATE);
	bool refused = errno == EROFS || errno == EACCES || errno == EPERM;

	if (fd != -1)
		return fd;
	if (!refused)
		return err_sys(err, errno, "%s: open", path);
	err_sys(err, errno, "%s: the store cannot be written", path);
	err->code = ERR_REFUSED;
	return -1;
}

/* --- a store's own ----------------------------------------------------------------- */

static int
open_lock_file(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];

	if (s->lock_fd != -1)
		return 0;
	if (store_path(s, path, ".lock", err) == -1)
		return -1;
	s->lock_fd = open_to_lock(s->os, path, err);
	return s->lock_fd != -1 ? 0 : -1;
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

/* It is about who comes first, not about who may: a daemon that is coming can wait for
 * those few more appends. */
static int
make_way(struct store *s, const struct lock_wait *w, struct err *err)
{
	int64_t now = os_mono_ns(s->os);

	if (s->daemon_looked_ns != 0 && now - s->daemon_looked_ns < DAEMON_LOOK_NS)
		return 0;
	if (lock_no_daemon(w, s->dir, err) == -1)
		return -1;
	s->daemon_looked_ns = now;
	return 0;
}

int
store_lock(struct store *s, struct err *err)
{
	struct lock_wait w = store_wait(s);
	char path[STORE_PATH_MAX];

	if (s->options.yields)
		w.most_ms = 0;
	if (check_writable(s, err) == -1 || store_path(s, path, ".lock", err) == -1)
		return -1;
	if (make_way(s, &w, err) == 0 &&
	    lock_file(&w, s->lock_fd, OS_LOCK_SHARED, path, LOCK_HOLDER_STORE, err) == 0)
		return 0;
	if (s->options.yields && err->code == ERR_BUSY)
		err_set(err, ERR_SERVED, "%s: " LOCK_HOLDER_STORE, path);
	return -1;
}

void
store_unlock(struct store *s)
{
	(void)os_lock(s->os, s->lock_fd, OS_UNLOCK);
}

/* --- a partition's, from outside --------------------------------------------------- */

static int
open_and_lock(const struct lock_wait *w, const char *path, enum os_lock_kind kind,
    const char *holder, int *fd, struct err *err)
{
	*fd = open_to_lock(w->os, path, err);
	if (*fd == -1)
		return -1;
	return lock_file(w, *fd, kind, path, holder, err);
}

/* Whoever had mq.lock may have removed it while we waited: then what we locked is
 * not what others lock now. */
static int
lock_present(struct partition_lock *l, const struct lock_wait *w, struct err *err)
{
	struct os_stat ours, now;

	for (;;) {
		if (open_and_lock(w, l->path, OS_LOCK_EXCLUSIVE, LOCK_HOLDER_PARTITION,
		        &l->partition_fd, err) == -1)
			return -1;
		if (os_stat(l->os, l->partition_fd, &ours) == -1)
			return err_sys(err, errno, "%s: stat", l->path);
		if (os_stat_path(l->os, l->path, &now) == 0 && now.inode == ours.inode)
			return 0;
		(void)os_close(l->os, l->partition_fd);
		l->partition_fd = -1;
	}
}

int
partition_lock(struct partition_lock *l, const struct lock_wait *w, const char *store,
    const char *partition, struct err *err)
{
	char path[STORE_PATH_MAX];

	*l = (struct partition_lock){.os = w->os, .store_fd = -1, .partition_fd = -1};
	if (asprintf(&l->path, "%s/mq.lock", partition) == -1) {
		l->path = NULL;
		return err_nomem(err);
	}
	if (lock_no_daemon(w, store, err) == -1)
		goto fail;
	snprintf(path, sizeof(path), "%s/.lock", store);
	if (open_and_lock(w, path, OS_LOCK_SHARED, LOCK_HOLDER_STORE, &l->store_fd, err) == -1 ||
	    lock_present(l, w, err) == -1)
		goto fail;
	l->locked = true;
	return 0;
fail:
	partition_unlock_replaced(l);
	return -1;
}

void
partition_unlock_replaced(struct partition_lock *l)
{
	if (l->locked)
		(void)os_remove(l->os, l->path);
	if (l->partition_fd != -1)
		os_close(l->os, l->partition_fd);
	if (l->store_fd != -1)
		os_close(l->os, l->store_fd);
	free(l->path);
	*l = (struct partition_lock){.os = l->os, .store_fd = -1, .partition_fd = -1};
}
