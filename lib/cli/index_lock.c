#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/indexes.h"

#define SLEEP_MS 5

static int
wait_for(struct os *os, int fd, enum os_lock_kind kind, const char *path, int64_t wait_ms,
    struct err *err)
{
	int64_t until = os_mono_ns(os) + wait_ms * 1000000;

	while (os_lock(os, fd, kind) == -1) {
		if (errno != EAGAIN)
			return err_sys(err, errno, "%s: lock", path);
		if (os_mono_ns(os) >= until)
			return err_set(err, ERR_BUSY, "%s: locked by another process for %lld ms (-m)",
			    path, (long long)wait_ms);
		os_sleep_ms(os, SLEEP_MS);
	}
	return 0;
}

/* A daemon that waits for the store must not be kept waiting. */
static int
daemon_wait(struct os *os, const char *store, int64_t wait_ms, struct err *err)
{
	char path[LOG_PATH_MAX];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/mqd.starting", store);
	fd = os_open(os, path, OS_READ);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
	rc = wait_for(os, fd, OS_LOCK_SHARED, path, wait_ms, err);
	(void)os_close(os, fd);
	return rc;
}

static int
lock_file(struct os *os, const char *path, enum os_lock_kind kind, int64_t wait_ms, int *fd,
    struct err *err)
{
	*fd = os_open(os, path, OS_WRITE | OS_CREATE);
	if (*fd == -1)
		return err_sys(err, errno, "%s", path);
	return wait_for(os, *fd, kind, path, wait_ms, err);
}

int
index_lock(struct index_lock *l, struct os *os, const char *dir, int64_t wait_ms, struct err *err)
{
	char *whole = realpath(dir, NULL), *slash, path[LOG_PATH_MAX];
	struct os_stat st;
	int rc = 0;

	*l = (struct index_lock){.os = os, .store_fd = -1, .partition_fd = -1};
	if (whole == NULL)
		return err_sys(err, errno, "%s", dir);
	if (asprintf(&l->path, "%s/mq.lock", whole) == -1) {
		l->path = NULL;
		free(whole);
		return err_nomem(err);
	}
	slash = strrchr(whole, '/');
	*slash = '\0';
	snprintf(path, sizeof(path), "%s/meta.properties", whole);
	if (os_stat_path(os, path, &st) == 0) {
		rc = daemon_wait(os, whole, wait_ms, err);
		snprintf(path, sizeof(path), "%s/.lock", whole);
		if (rc == 0)
			rc = lock_file(os, path, OS_LOCK_SHARED, wait_ms, &l->store_fd, err);
		if (rc == 0)
			rc = lock_file(os, l->path, OS_LOCK_EXCLUSIVE, wait_ms, &l->partition_fd, err);
	}
	free(whole);
	l->locked = rc == 0 && l->partition_fd != -1;
	if (rc == -1)
		index_unlock(l);
	return rc;
}

/* A writer that finds another mq.lock than the one it knew opens all files of the
 * partition again: it would go on writing into indexes that were replaced. */
void
index_unlock(struct index_lock *l)
{
	if (l->locked)
		(void)os_remove(l->os, l->path);
	if (l->partition_fd != -1)
		(void)os_close(l->os, l->partition_fd);
	if (l->store_fd != -1)
		(void)os_close(l->os, l->store_fd);
	free(l->path);
	*l = (struct index_lock){.os = l->os, .store_fd = -1, .partition_fd = -1};
}
