/*
 * A simulated process's time, chance and loop. A turn runs one event, drawn
 * from those that are ready; when none is, time goes on to the next.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

#define SYNC_QUEUE SIM_WORKERS

int64_t
sim_mono_ns(struct os *os)
{
	return sim_of(os)->disk->net->now_ns;
}

int64_t
sim_wall_ms(struct os *os)
{
	return sim_now_ms(sim_of(os)->disk);
}

void
sim_random(struct os *os, void *data, size_t len)
{
	uint8_t *to = data;

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)sim_random_next(&sim_of(os)->random);
}

void
sim_sleep_ms(struct os *os, int ms)
{
	struct sim_disk *disk = sim_of(os)->disk;

	if (disk->settings.on_sleep != NULL)
		disk->settings.on_sleep(disk->settings.on_sleep_ctx);
	sim_advance_ms(disk, ms);
}

int
sim_boot_id(struct os *os, char id[37])
{
	struct sim_os *s = sim_of(os);

	if (s->dead) {
		errno = EIO;
		return -1;
	}
	snprintf(id, 37, "5eed5eed-0000-4000-8000-%012llx",
	    (unsigned long long)(s->disk->boot & 0xffffffffffff));
	return 0;
}

/* --- timers, jobs, watches ------------------------------------------------ */

void
sim_timer_start(struct os *os, struct os_timer *t, int64_t in_ms)
{
	struct sim_os *s = sim_of(os);

	if (!s->dead)
		timers_insert(&s->timers, t, s->disk->net->now_ns + (in_ms > 0 ? in_ms : 0) * 1000000);
}

void
sim_timer_stop(struct os *os, struct os_timer *t)
{
	timers_remove(&sim_of(os)->timers, t);
}

static void
queue_put(struct sim_os *s, struct sim_queue *q, struct os_job *job)
{
	if (s->dead)
		return;
	job->os_next = NULL;
	if (q->head == NULL)
		q->due_ns = s->disk->net->now_ns + (int64_t)s->disk->settings.sync_ms * 1000000;
	*q->tail = job;
	q->tail = &job->os_next;
}

void
sim_work(struct os *os, unsigned worker, struct os_job *job)
{
	struct sim_os *s = sim_of(os);

	queue_put(s, &s->queues[worker % SIM_WORKERS], job);
}

static void
sync_run(struct os_job *job)
{
	struct os_sync *sync = job->ctx;

	for (size_t i = 0; i < sync->fd_count && sync->result == 0; i++) {
		struct sim_inode *inode = sim_inode_of(sim_of(sync->os_os), sync->fds[i]);
		if (inode == NULL || disk_sync(inode) == -1)
			sync->result = errno;
	}
}

static void
sync_done(struct os_job *job)
{
	struct os_sync *sync = job->ctx;

	sync->done(sync);
}

void
sim_sync_start(struct os *os, struct os_sync *sync)
{
	struct sim_os *s = sim_of(os);

	sync->result = 0;
	sync->os_os = os;
	sync->os_job = (struct os_job){.run = sync_run, .done = sync_done, .ctx = sync};
	queue_put(s, &s->queues[SYNC_QUEUE], &sync->os_job);
}

static int
watch_error(const struct sim_os *s, const struct sim_place *at)
{
	if (at->inode == NULL)
		return ENOENT;
	if (!at->inode->is_dir)
		return ENOTDIR;
	return s->watch_count >= s->disk->settings.watches_max ? ENOSPC : 0;
}

int
sim_watch_start(struct os *os, struct os_watch *w, const char *path)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;
	int why;

	if (s->dead) {
		errno = EIO;
		return -1;
	}
	if (place_find(s->disk, path, &at) == -1)
		return -1;
	why = watch_error(s, &at);
	if (why != 0) {
		errno = why;
		return -1;
	}
	struct sim_watch *mine = calloc(1, sizeof(*mine));
	if (mine == NULL) {
		errno = ENOMEM;
		return -1;
	}
	mine->watch = w;
	mine->dir = at.inode;
	inode_ref(at.inode);
	LIST_INSERT_HEAD(&s->watches, mine, in_os);
	s->watch_count++;
	return 0;
}

static void
watch_free(struct sim_os *s, struct sim_watch *w)
{
	LIST_REMOVE(w, in_os);
	s->watch_count--;
	inode_unref(w->dir);
	free(w);
}

void
sim_watch_stop(struct os *os, struct os_watch *w)
{
	struct sim_os *s = sim_of(os);
	struct sim_watch *mine;

	LIST_FOREACH (mine, &s->watches, in_os) {
		if (mine->watch == w) {
			watch_free(s, mine);
			return;
		}
	}
}

void
sim_changed(struct sim_disk *disk, struct sim_inode *dir)
{
	struct sim_os *s;
	struct sim_watch *w;

	LIST_FOREACH (s, &disk->processes, in_disk)
		LIST_FOREACH (w, &s->watches, in_os)
			if (w->dir == dir)
				w->changed = true;
}

/* --- turns ---------------------------------------------------------------- */

static bool
queue_ready(const struct sim_os *s, int queue)
{
	const struct sim_queue *q = &s->queues[queue];

	return q->head != NULL && (queue != SYNC_QUEUE || q->due_ns <= s->disk->net->now_ns);
}

/* One step of a queue's head: its work, or else its completion. Returns the
 * completions run. */
static int
queue_step(struct sim_os *s, struct sim_queue *q)
{
	struct os_job *job = q->head;

	if (!q->ran) {
		q->ran = true;
		job->run(job);
		return 0;
	}
	q->ran = false;
	q->head = job->os_next;
	if (q->head == NULL)
		q->tail = &q->head;
	q->due_ns = s->disk->net->now_ns + (int64_t)s->disk->settings.sync_ms * 1000000;
	job->done(job);
	return 1;
}

static bool
timer_ready(const struct sim_os *s)
{
	return s->timers.root != NULL && s->timers.root->os_due_ns <= s->disk->net->now_ns;
}

size_t
sim_ready_count(const struct sim_os *s)
{
	const struct sim_watch *w;
	const struct sim_door *d;
	size_t count = timer_ready(s) + s->ready_count + (s->canceled != NULL);

	for (int q = 0; q <= SYNC_QUEUE; q++)
		count += queue_ready(s, q);
	LIST_FOREACH (w, &s->watches, in_os)
		count += w->changed;
	LIST_FOREACH (d, &s->doors, in_os)
		count += door_is_ready(d);
	return count;
}

/* Runs the `pick`th of the ready events of streams. */
static int
ready_run_stream(struct sim_os *s, size_t pick)
{
	struct sim_door *d;
	struct sim_end *e;

	if (s->canceled != NULL && pick-- == 0)
		return streams_cancel_run(s);
	TAILQ_FOREACH (e, &s->ready, in_ready)
		if (pick-- == 0)
			return end_run(e);
	LIST_FOREACH (d, &s->doors, in_os)
		if (door_is_ready(d) && pick-- == 0)
			return door_run(d);
	return 0;
}

static int
ready_run(struct sim_os *s, size_t pick)
{
	struct sim_watch *w;

	if (timer_ready(s) && pick-- == 0) {
		struct os_timer *t = s->timers.root;
		timers_remove(&s->timers, t);
		t->fire(t);
		return 1;
	}
	for (int q = 0; q <= SYNC_QUEUE; q++)
		if (queue_ready(s, q) && pick-- == 0)
			return queue_step(s, &s->queues[q]);
	LIST_FOREACH (w, &s->watches, in_os) {
		if (w->changed && pick-- == 0) {
			w->changed = false;
			w->watch->changed(w->watch);
			return 1;
		}
	}
	return ready_run_stream(s, pick);
}

/* Runs the `pick`th of the ready events, and hands over what was sent in it.
 * Returns the completions run. */
int
sim_ready_run(struct sim_os *s, size_t pick)
{
	int ran = ready_run(s, pick);

	streams_settle(s);
	return ran;
}

int64_t
sim_next_due(const struct sim_os *s)
{
	const struct sim_queue *q = &s->queues[SYNC_QUEUE];
	int64_t due = s->timers.root != NULL ? s->timers.root->os_due_ns : INT64_MAX;

	return q->head != NULL && q->due_ns < due ? q->due_ns : due;
}

int
sim_turn(struct os *os, int timeout_ms)
{
	struct sim_os *s = sim_of(os);
	struct sim_net *net = s->disk->net;
	int64_t until = timeout_ms < 0 ? INT64_MAX : net->now_ns + (int64_t)timeout_ms * 1000000;

	while (!s->dead) {
		net_sweep(net);
		net_arrive(net);
		streams_settle(s);
		size_t count = sim_ready_count(s);
		if (count > 0) {
			int ran = sim_ready_run(s, (size_t)(sim_random_next(&s->random) % count));
			if (ran > 0)
				return ran;
			continue;
		}
		int64_t due = sim_next_due(s);
		if (net_due(net) < due)
			due = net_due(net);
		if (due > until) {
			net->now_ns = until;
			return 0;
		}
		if (due == INT64_MAX) {
			errno = EDEADLK;
			return -1;
		}
		if (due > net->now_ns)
			net->now_ns = due;
	}
	errno = EIO;
	return -1;
}

void
sim_loop_init(struct sim_os *s)
{
	TAILQ_INIT(&s->ends);
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->dirty);
	s->canceled = NULL;
	s->canceled_tail = &s->canceled;
	for (int q = 0; q <= SYNC_QUEUE; q++)
		s->queues[q].tail = &s->queues[q].head;
}

void
sim_loop_release(struct sim_os *s)
{
	struct sim_watch *w, *next;

	streams_kill(s);
	LIST_FOREACH_SAFE(w, &s->watches, in_os, next)
	watch_free(s, w);
	while (s->timers.root != NULL)
		timers_remove(&s->timers, s->timers.root);
	for (int q = 0; q <= SYNC_QUEUE; q++)
		s->queues[q].head = NULL;
	sim_loop_init(s);
}
