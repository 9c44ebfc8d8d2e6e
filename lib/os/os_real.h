/*
 * os_real: the machine as a `struct os`: POSIX files, OFD locks, libev's loop,
 * inotify, and a few threads for work and syncs.
 *
 * Making one is cheap: the loop, inotify and the threads come with their first
 * use, so that a tool that only reads a file starts no more than that.
 *
 * For a program's main and for lib/cli only; everything else sees os.h.
 */
#ifndef OS_OS_REAL_H
#define OS_OS_REAL_H

#include "os/os.h"

struct err;

/* Threads for jobs: worker numbers are taken modulo this. One more syncs. */
#define OS_REAL_WORKERS 6

/* A new os, or NULL with err (ERR_NOMEM). Free it with os_free, on the loop's
 * thread: queued jobs and syncs are run to their end, their completions are
 * dropped. Descriptors stay the caller's to close. */
struct os *os_real_new(struct err *err);

/* Where notes go; at first nowhere. The text ends without a newline. */
void os_real_set_note(
    struct os *os, void (*note)(void *ctx, enum os_level level, const char *text), void *ctx);

/* One turn of the loop, as os_turn, that also ends when `fd` (a pipe, terminal,
 * socket or plain file) is ready for `poll_events` (POLLIN, POLLOUT or both).
 * Returns 1 if it is ready (also at end of file or when the other side is
 * gone), 0 if not, -1 with errno. */
int os_real_turn_fd(struct os *os, int fd, short poll_events, int timeout_ms);

/* Ends the turn that is under way, or the next one before it waits. May be
 * called from a signal handler or another thread. */
void os_real_wake(struct os *os);

#endif
