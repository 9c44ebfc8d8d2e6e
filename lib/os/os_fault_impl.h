/*
 * What the files of os_fault share; private to them.
 *
 *   os_fault.c       the gate, files and names
 *   os_fault_loop.c  time, chance, the loop and streams
 */
#ifndef OS_OS_FAULT_IMPL_H
#define OS_OS_FAULT_IMPL_H

#include <pthread.h>

#include "os/os_fault.h"

struct fault_os {
	struct os os;
	struct os *inner;
	pthread_mutex_t mutex; /* guards the rest: workers make calls too */
	struct fault_plan plan;
	uint64_t seen; /* calls of the plan's kinds */
	uint64_t fired;
	const char *where;
	uint64_t counts[FAULT_CALL_KINDS];
	bool dead;
	uint8_t *fds; /* flags by descriptor */
	size_t fd_cap, open_count;
};

/* What becomes of a call. */
enum verdict { PASS, PART, PASS_THEN_DIE, PART_THEN_DIE, FAILED, DEAD };

static inline struct fault_os *
fault_of(struct os *os)
{
	return (struct fault_os *)(void *)os;
}

static inline bool
fault_is_made(enum verdict v)
{
	return v == PASS || v == PASS_THEN_DIE;
}

bool fault_dead(struct fault_os *f);

/* Counts a call, and says what becomes of it; errno is set unless it is made. */
enum verdict fault_gate(struct fault_os *f, enum fault_call call);

/* The end of a call that was made: its result, unless the process dies now. */
int fault_leave(struct fault_os *f, enum verdict v, int result);

/* os_fault_loop.c */
int64_t fault_mono_ns(struct os *os);
int64_t fault_wall_ms(struct os *os);
void fault_random(struct os *os, void *data, size_t len);
void fault_sleep_ms(struct os *os, int ms);
int fault_boot_id(struct os *os, char id[37]);
int fault_turn(struct os *os, int timeout_ms);
void fault_timer_start(struct os *os, struct os_timer *t, int64_t in_ms);
void fault_timer_stop(struct os *os, struct os_timer *t);
void fault_work(struct os *os, unsigned worker, struct os_job *job);
void fault_sync_start(struct os *os, struct os_sync *s);
int fault_watch_start(struct os *os, struct os_watch *w, const char *path);
void fault_watch_stop(struct os *os, struct os_watch *w);
int fault_listen(struct os *os, struct os_listener *l, const char *address);
void fault_listen_stop(struct os *os, struct os_listener *l);
int fault_connect(struct os *os, struct os_stream *s, const char *address);
void fault_stream_send(struct os *os, struct os_stream *s, struct os_send *o);
void fault_stream_read(struct os *os, struct os_stream *s);
void fault_stream_close(struct os *os, struct os_stream *s, bool drain, int why);

#endif
