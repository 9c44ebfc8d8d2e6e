/*
 * Watches on directories, by inotify. Several watches of one directory share a
 * kernel watch: inotify gives them one number.
 */
#include <sys/inotify.h>

#include <errno.h>
#include <unistd.h>

#include "os/os_real_impl.h"

#define WATCH_EVENTS                                                                               \
	(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |        \
	    IN_MOVE_SELF)

/* Directories that are told apart in one round; beyond, all are called. */
#define CHANGED_MAX 64

struct changed {
	int ids[CHANGED_MAX];
	int count;
	bool all;
};

static void
changed_add(struct changed *c, int id)
{
	for (int i = 0; i < c->count; i++)
		if (c->ids[i] == id)
			return;
	if (c->count == CHANGED_MAX)
		c->all = true;
	else
		c->ids[c->count++] = id;
}

static bool
changed_has(const struct changed *c, int id)
{
	if (c->all)
		return true;
	for (int i = 0; i < c->count; i++)
		if (c->ids[i] == id)
			return true;
	return false;
}

/* Takes what inotify has to say: which directories changed. */
static void
drain(int fd, struct changed *c)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t n;

	while ((n = read(fd, events, sizeof(events))) > 0 || (n == -1 && errno == EINTR)) {
		for (ssize_t at = 0; at < n;) {
			struct inotify_event *e = (struct inotify_event *)(void *)(events + at);
			if (e->mask & IN_Q_OVERFLOW)
				c->all = true;
			else
				changed_add(c, e->wd);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
}

/* A callback may stop any watch, also the next: os_watch_drop moves the cursor
 * along. */
static void
on_inotify(struct ev_loop *loop, ev_io *io, int events)
{
	struct os_real *r = io->data;
	struct changed c = {.count = 0};

	(void)loop;
	(void)events;
	drain(r->inotify_fd, &c);
	r->watch_cursor = r->watches;
	while (r->watch_cursor != NULL) {
		struct os_watch *w = r->watch_cursor;
		r->watch_cursor = w->os_next;
		if (changed_has(&c, w->os_id)) {
			r->ran++;
			w->changed(w);
		}
	}
}

static int
need_inotify(struct os_real *r)
{
	if (r->inotify_fd != -1)
		return 0;
	if (os_loop_need(r) == -1)
		return -1;
	r->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify_fd == -1)
		return -1;
	ev_io_init(&r->inotify_io, on_inotify, r->inotify_fd, EV_READ);
	r->inotify_io.data = r;
	ev_io_start(r->loop, &r->inotify_io);
	return 0;
}

int
os_watch_add(struct os *os, struct os_watch *w, const char *path)
{
	struct os_real *r = os_real_of(os);

	if (need_inotify(r) == -1)
		return -1;
	int id = inotify_add_watch(r->inotify_fd, path, WATCH_EVENTS | IN_ONLYDIR);
	if (id == -1)
		return -1;
	w->os_id = id;
	w->os_next = r->watches;
	r->watches = w;
	return 0;
}

static bool
is_watched(const struct os_real *r, int id)
{
	for (const struct os_watch *w = r->watches; w != NULL; w = w->os_next)
		if (w->os_id == id)
			return true;
	return false;
}

void
os_watch_drop(struct os *os, struct os_watch *w)
{
	struct os_real *r = os_real_of(os);
	struct os_watch **at = &r->watches;

	while (*at != NULL && *at != w)
		at = &(*at)->os_next;
	if (*at == NULL)
		return;
	*at = w->os_next;
	if (r->watch_cursor == w)
		r->watch_cursor = w->os_next;
	/* Fails harmlessly when the directory, and the watch with it, is gone. */
	if (!is_watched(r, w->os_id))
		inotify_rm_watch(r->inotify_fd, w->os_id);
}

void
os_watch_release(struct os_real *r)
{
	if (r->inotify_fd == -1)
		return;
	ev_io_stop(r->loop, &r->inotify_io);
	close(r->inotify_fd);
}
