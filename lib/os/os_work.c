/*
 * Work for other threads: each worker is a thread with a queue, started by its
 * first job. The last worker does nothing but syncs, so that a slow disk holds
 * up no other job. Finished jobs come back through one list that the turn
 * empties.
 */
#include <errno.h>
#include <signal.h>

#include "os/os_real_impl.h"

#define STACK_BYTES (1024 * 1024)

void
os_work_init(struct os_real *r)
{
	pthread_mutex_init(&r->done_mutex, NULL);
	r->done_tail = &r->done_head;
	for (int i = 0; i < WORKER_COUNT; i++) {
		struct os_worker *w = &r->workers[i];
		w->real = r;
		w->tail = &w->head;
		pthread_mutex_init(&w->mutex, NULL);
		pthread_cond_init(&w->filled, NULL);
	}
}

static void
job_done(struct os_real *r, struct os_job *job)
{
	job->os_next = NULL;
	pthread_mutex_lock(&r->done_mutex);
	*r->done_tail = job;
	r->done_tail = &job->os_next;
	pthread_mutex_unlock(&r->done_mutex);
}

/* The next job, or NULL when the worker shall end. */
static struct os_job *
job_next(struct os_worker *w)
{
	struct os_job *job;

	pthread_mutex_lock(&w->mutex);
	while (w->head == NULL && !w->stopping)
		pthread_cond_wait(&w->filled, &w->mutex);
	job = w->head;
	if (job != NULL) {
		w->head = job->os_next;
		if (w->head == NULL)
			w->tail = &w->head;
	}
	pthread_mutex_unlock(&w->mutex);
	return job;
}

static void *
worker_main(void *ctx)
{
	struct os_worker *w = ctx;
	struct os_job *job;

	while ((job = job_next(w)) != NULL) {
		job->run(job);
		job_done(w->real, job);
		ev_async_send(w->real->loop, &w->real->async);
	}
	return NULL;
}

/* Starts the thread, with all signals blocked: they are the loop's. */
static int
worker_need(struct os_worker *w)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (w->started)
		return 0;
	if (os_loop_need(w->real) == -1)
		return -1;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	w->started = pthread_create(&w->thread, &attr, worker_main, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return w->started ? 0 : -1;
}

static void
worker_give(struct os_worker *w, struct os_job *job)
{
	job->os_next = NULL;
	if (worker_need(w) == -1) {
		/* No thread to be had: slower, but it is done. */
		job->run(job);
		job_done(w->real, job);
		return;
	}
	pthread_mutex_lock(&w->mutex);
	*w->tail = job;
	w->tail = &job->os_next;
	pthread_mutex_unlock(&w->mutex);
	/* Not before: the worker would wake only to wait for the lock. */
	pthread_cond_signal(&w->filled);
}

void
os_work_start(struct os *os, unsigned worker, struct os_job *job)
{
	worker_give(&os_real_of(os)->workers[worker % OS_REAL_WORKERS], job);
}

static void
sync_run(struct os_job *job)
{
	struct os_sync *s = job->ctx;

	for (size_t i = 0; i < s->fd_count && s->result == 0; i++)
		if (os_file_sync(s->os_os, s->fds[i]) == -1)
			s->result = errno;
}

static void
sync_done(struct os_job *job)
{
	struct os_sync *s = job->ctx;

	s->done(s);
}

void
os_work_sync(struct os *os, struct os_sync *s)
{
	s->result = 0;
	s->os_os = os;
	s->os_job = (struct os_job){.run = sync_run, .done = sync_done, .ctx = s};
	worker_give(&os_real_of(os)->workers[WORKER_SYNC], &s->os_job);
}

void
os_work_warm(struct os_real *r, struct os_job *job)
{
	worker_give(&r->workers[WORKER_WARM], job);
}

bool
os_work_is_done(struct os_real *r)
{
	pthread_mutex_lock(&r->done_mutex);
	bool done = r->done_head != NULL;
	pthread_mutex_unlock(&r->done_mutex);
	return done;
}

int
os_work_finish(struct os_real *r)
{
	struct os_job *job, *next;
	int count = 0;

	pthread_mutex_lock(&r->done_mutex);
	job = r->done_head;
	r->done_head = NULL;
	r->done_tail = &r->done_head;
	pthread_mutex_unlock(&r->done_mutex);
	for (; job != NULL; job = next, count++) {
		next = job->os_next;
		job->done(job);
	}
	return count;
}

void
os_work_release(struct os_real *r)
{
	for (int i = 0; i < WORKER_COUNT; i++) {
		struct os_worker *w = &r->workers[i];
		if (w->started) {
			pthread_mutex_lock(&w->mutex);
			w->stopping = true;
			pthread_cond_signal(&w->filled);
			pthread_mutex_unlock(&w->mutex);
			pthread_join(w->thread, NULL);
		}
		pthread_mutex_destroy(&w->mutex);
		pthread_cond_destroy(&w->filled);
	}
	pthread_mutex_destroy(&r->done_mutex);
}
