/*
 * locks: who may write into a store now; share/doc/format.md section 2.
 *
 * The protocol on directories, for lib/store itself and for those who replace the
 * files of a partition without opening the store (mq-index rebuild).
 *
 * Waits end with ERR_BUSY, and a text that names the lock and says who may hold it.
 */
#ifndef STORE_LOCKS_H
#define STORE_LOCKS_H

#include "base/error.h"
#include "os/os.h"

struct lock_wait {
	struct os *os;
	int64_t most_ms; /* -1: without limit */
	const char *advice; /* for who waited in vain, behind the text; NULL: none */
};

#define LOCK_ADVICE_TOOL " (-m: wait longer)"

/* Locks a descriptor of PATH; `holder` says who else may: "a daemon". */
int lock_file(const struct lock_wait *w, int fd, enum os_lock_kind kind, const char *path,
    const char *holder, struct err *err);

/* What holds `.lock` of a store exclusively, and what a partition's mq.lock. */
#define LOCK_HOLDER_STORE "a daemon has the store"
#define LOCK_HOLDER_PARTITION "another writer is slow, or stopped"

/* Waits while a daemon is coming, or here: without looking, a busy store would
 * never let it in. */
int lock_no_daemon(const struct lock_wait *w, const char *store, struct err *err);

/* Is a daemon coming, or here? Also where that cannot be seen. */
bool lock_has_daemon(struct os *os, const char *store);

/* Does a daemon serve the store now? 1: it is here, or about to be, and has a socket;
 * 0: there is none; -1: neither can be said. */
int lock_serves(struct os *os, const char *store);

/* Both locks of a writer: `.lock` of STORE shared, mq.lock of PARTITION exclusive. */
struct partition_lock {
	struct os *os;
	int store_fd, partition_fd; /* -1: not open */
	char *path;                 /* of mq.lock; owned */
	bool locked;
};

int partition_lock(struct partition_lock *l, const struct lock_wait *w, const char *store,
    const char *partition, struct err *err);

/* Lets go. mq.lock is removed, so that processes that have the partition open look
 * at its files anew: they would go on writing into those that were replaced. */
void partition_unlock_replaced(struct partition_lock *l);

#endif
