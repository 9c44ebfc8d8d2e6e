/*
 * os_fault: a layer over any `struct os` that counts calls and makes the Nth of
 * some kind go wrong: fail, be cut short, or be the last thing that this
 * process does. For tests: run with no plan, take the count, then run once
 * for each N up to it.
 *
 *	struct os *os = fault_new(sim_os_new(disk, 1));
 *	fault_plan(os, &(struct fault_plan){
 *	    .calls = FAULT_WRITES, .at = n, .kind = FAULT_DIE_DURING});
 *
 * After a death every call fails with EIO and nothing reaches the inner os any
 * more; the descriptors are closed there, as a kernel does for a dead process,
 * so its locks are free. Callbacks that were to come do not come.
 *
 * After a sync that failed by plan, later syncs of that descriptor say 0 and
 * do nothing, which is what Linux does: whoever tries again is told a lie.
 *
 * Clocks, chance, sleep, timers, notes, turns, and of the streams what is not
 * named below are not counted. The syncs of
 * a set count one by one, at the time they are done.
 */
#ifndef OS_OS_FAULT_H
#define OS_OS_FAULT_H

#include "os/os.h"

/* Kinds of calls; a set is their sum. */
enum fault_call {
	FAULT_OPEN = 1 << 0,   /* of what is there */
	FAULT_CREATE = 1 << 1, /* open with OS_CREATE or OS_TRUNC */
	FAULT_CLOSE = 1 << 2,
	FAULT_CLOSE_WRITTEN = 1 << 3, /* of a descriptor that was written to */
	FAULT_READ = 1 << 4,
	FAULT_WRITE = 1 << 5,
	FAULT_TRUNCATE = 1 << 6,
	FAULT_SYNC = 1 << 7,
	FAULT_STAT = 1 << 8, /* of a descriptor or a path */
	FAULT_LOCK = 1 << 9,
	FAULT_RENAME = 1 << 10,
	FAULT_REMOVE = 1 << 11,
	FAULT_MKDIR = 1 << 12,
	FAULT_RMDIR = 1 << 13,
	FAULT_LIST = 1 << 14,
	FAULT_SYNC_DIR = 1 << 15,
	FAULT_SPACE = 1 << 16,
	FAULT_BOOT_ID = 1 << 17,
	FAULT_WATCH = 1 << 18,
	FAULT_RESIDENT = 1 << 19, /* read_resident */
	FAULT_LISTEN = 1 << 20,
	FAULT_CONNECT = 1 << 21, /* what fails comes as `closed` */
	FAULT_SEND = 1 << 22,	 /* likewise, and it ends the stream */
};

#define FAULT_CALL_KINDS 23
#define FAULT_ALL ((1u << FAULT_CALL_KINDS) - 1)
/* Calls that change something, or make it durable. */
#define FAULT_WRITES                                                                               \
	(FAULT_CREATE | FAULT_CLOSE_WRITTEN | FAULT_WRITE | FAULT_TRUNCATE | FAULT_SYNC |          \
	    FAULT_RENAME | FAULT_REMOVE | FAULT_MKDIR | FAULT_RMDIR | FAULT_SYNC_DIR)
#define FAULT_READS (FAULT_ALL & ~FAULT_WRITES)

enum fault_kind {
	FAULT_FAIL,	  /* the call fails; the inner os does not see it (but a close closes) */
	FAULT_SHORT,	  /* a write does a part, then fails; other calls fail */
	FAULT_DIE_BEFORE, /* the process dies; the call was not made */
	FAULT_DIE_DURING, /* a part of a write is done; other calls are not made */
	FAULT_DIE_AFTER,  /* the call is done, nobody hears of it */
	FAULT_HOOK,	  /* `hook` is called, then the call is made */
};

struct fault_plan {
	unsigned calls; /* which calls count; 0: no fault */
	uint64_t at;	/* the first of them is 1 */
	enum fault_kind kind;
	bool sticky;		 /* and so for each such call after it */
	int error;		 /* FAULT_FAIL, FAULT_SHORT; 0: EIO, of a short write ENOSPC */
	size_t bytes;		 /* how much of a write is done; 0: half */
	void (*hook)(void *ctx); /* may use other handles, not this one */
	void *ctx;
};

/* Wraps `inner`, and frees it: when os_free is called, or at once if malloc
 * fails (then NULL; also for a NULL inner). */
struct os *fault_new(struct os *inner);

/* What is under it: to look at, not to call. */
struct os *fault_inner(struct os *os);

/* Sets the plan (copied) and counts towards it from here. NULL: no fault. */
void fault_plan(struct os *os, const struct fault_plan *plan);

/* Calls of some kinds since the start, those that failed included. */
uint64_t fault_count(struct os *os, unsigned calls);

/* How often the plan's fault has happened: 0 when N was not reached. */
uint64_t fault_fired(struct os *os);

/* The name of the call at which it first happened ("write_at"), or "none". */
const char *fault_where(struct os *os);

bool fault_is_dead(struct os *os);

/* Descriptors that are open: to find leaks. */
size_t fault_open_count(struct os *os);

#endif
