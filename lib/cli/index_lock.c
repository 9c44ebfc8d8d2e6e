/* Locking a partition by its path, if it lies in a store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/indexes.h"

#define LOCK_WAIT_MS 60000 /* without -m */

int
index_lock(struct partition_lock *l, struct os *os, const char *dir, int64_t wait_ms,
    struct err *err)
{
	struct lock_wait w = {.os = os, .most_ms = wait_ms < 0 ? LOCK_WAIT_MS : wait_ms,
	    .advice = LOCK_ADVICE_TOOL};
	char *whole = realpath(dir, NULL), *store, path[LOG_PATH_MAX];
	struct os_stat st;
	int rc = 0;

	*l = (struct partition_lock){.os = os, .store_fd = -1, .partition_fd = -1};
	if (whole == NULL)
		return err_sys(err, errno, "%s", dir);
	store = strdup(whole);
	if (store == NULL) {
		free(whole);
		return err_nomem(err);
	}
	*strrchr(store, '/') = '\0';
	snprintf(path, sizeof(path), "%s/meta.properties", store);
	if (os_stat_path(os, path, &st) == 0 && wait_ms < 0 && lock_has_daemon(os, store))
		rc = err_set(err, ERR_BUSY, "%s: an mqd has the store (stop it first; -m: wait for its end)",
		    store);
	else if (os_stat_path(os, path, &st) == 0)
		rc = partition_lock(l, &w, store, whole, err);
	free(store);
	free(whole);
	return rc;
}
