/* Simulated processes that listen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

#define FULL_PAUSE_MS 100

static int
fail(int why)
{
	errno = why;
	return -1;
}

/* --- knocking ------------------------------------------------------------- */

struct sim_door *
door_for(const struct sim_conn *conn)
{
	const struct sim_host *h = conn->ends[1].host;
	struct sim_door *d;

	LIST_FOREACH (d, &h->doors, in_host) {
		if (conn->path != NULL || d->path != NULL) {
			if (d->path == conn->path)
				return d;
		} else if (d->port == conn->ends[1].port &&
			   (d->is_any || d->is_loopback == conn->is_loopback)) {
			return d;
		}
	}
	return NULL;
}

void
door_knock(struct sim_door *d, struct sim_end *e)
{
	TAILQ_INSERT_TAIL(&d->backlog, e, in_door);
	d->backlog_count++;
}

bool
door_is_ready(const struct sim_door *d)
{
	return !d->is_paused && !TAILQ_EMPTY(&d->backlog);
}

static struct sim_end *
door_take(struct sim_door *d)
{
	struct sim_end *e = TAILQ_FIRST(&d->backlog);

	TAILQ_REMOVE(&d->backlog, e, in_door);
	d->backlog_count--;
	return e;
}

/* Who waits longest is turned away through the descriptor in reserve. */
static void
door_full(struct sim_door *d)
{
	if (!d->is_noted)
		os_note(&d->os->os, OS_WARN, "%s: turns connections away: %s", d->listener->address,
		    strerrordesc_np(EMFILE));
	d->is_noted = true;
	end_leave(door_take(d), false);
	d->is_paused = true;
	sim_timer_start(&d->os->os, &d->timer, FULL_PAUSE_MS);
}

static void
peer_name(const struct sim_end *e, char peer[OS_ADDRESS_MAX])
{
	const struct sim_end *from = e->peer;

	if (from->port == 0)
		snprintf(peer, OS_ADDRESS_MAX, "unix:");
	else
		address_write(
		    peer, e->conn->is_loopback ? "127.0.0.1" : from->host->name, from->port);
}

int
door_run(struct sim_door *d)
{
	struct sim_os *s = d->os;
	char peer[OS_ADDRESS_MAX];

	if (!sim_has_descriptor(s)) {
		door_full(d);
		return 0;
	}
	struct sim_end *e = door_take(d);
	peer_name(e, peer);
	struct os_stream *stream = d->listener->accepted(d->listener, peer);
	if (s->dead || stream == NULL) {
		end_leave(e, s->dead);
		return 1;
	}
	e->state = END_OPEN;
	end_join(e, s, stream, peer);
	end_update(e);
	return 1;
}

static void
on_timer(struct os_timer *t)
{
	struct sim_door *d = t->ctx;

	d->is_paused = false;
}

void
sim_doors_resume(struct sim_os *s)
{
	struct sim_door *d;

	LIST_FOREACH (d, &s->doors, in_os) {
		d->is_paused = false;
		timers_remove(&s->timers, &d->timer);
	}
}

/* --- opening -------------------------------------------------------------- */

static bool
is_one_of(const char *host, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(host, *names) == 0)
			return true;
	return false;
}

bool
host_is_loopback(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};

	return is_one_of(host, names);
}

static bool
port_is_taken(const struct sim_host *h, uint16_t port)
{
	const struct sim_door *d;

	LIST_FOREACH (d, &h->doors, in_host)
		if (d->path == NULL && d->port == port)
			return true;
	return false;
}

static int
open_port(struct sim_door *d, const struct address *a)
{
	static const char *const any[] = {"", "0.0.0.0", "::", NULL};
	struct sim_host *h = d->host;
	const char *host = a->host;

	d->is_any = is_one_of(host, any);
	d->is_loopback = host_is_loopback(host);
	if (!d->is_any && !d->is_loopback && strcmp(host, h->name) != 0)
		return fail(net_host(h->net, host) != NULL ? EADDRNOTAVAIL : EHOSTUNREACH);
	d->port = a->port;
	if (d->port == 0)
		do
			d->port = h->next_port++;
		while (d->port == 0 || port_is_taken(h, d->port));
	else if (port_is_taken(h, d->port))
		return fail(EADDRINUSE);
	if (host[0] == '\0')
		host = "::";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	address_write(d->listener->address, host, d->port);
	return 0;
}

static bool
path_is_taken(const struct sim_host *h, const struct sim_inode *i)
{
	const struct sim_door *d;

	LIST_FOREACH (d, &h->doors, in_host)
		if (d->path == i)
			return true;
	return false;
}

static int
open_path(struct sim_door *d, const char *path)
{
	struct sim_disk *disk = d->os->disk;
	struct sim_place at;

	if (disk->settings.read_only)
		return fail(EROFS);
	if (place_find(disk, path, &at) == -1)
		return -1;
	if (at.inode != NULL) {
		if (!at.inode->is_socket || path_is_taken(d->host, at.inode))
			return fail(EADDRINUSE);
		if (disk_remove(disk, &at) == -1 || place_find(disk, path, &at) == -1)
			return -1;
	}
	d->path = disk_create(disk, &at, false);
	if (d->path == NULL)
		return -1;
	d->path->is_socket = true;
	inode_ref(d->path);
	snprintf(d->listener->address, OS_ADDRESS_MAX, "unix:%s", path);
	return 0;
}

int
sim_listen(struct os *os, struct os_listener *l, const char *address)
{
	struct sim_os *s = sim_of(os);
	struct address a;

	l->os_impl = NULL;
	if (s->dead)
		return fail(EIO);
	if (address_parse(address, &a) == -1)
		return -1;
	if (strlen(address) >= OS_ADDRESS_MAX)
		return fail(ENAMETOOLONG);
	if (!sim_has_descriptor(s))
		return fail(EMFILE);
	struct sim_door *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return fail(ENOMEM);
	d->os = s;
	d->host = s->disk->host;
	d->listener = l;
	d->timer = (struct os_timer){.fire = on_timer, .ctx = d};
	TAILQ_INIT(&d->backlog);
	if ((a.path != NULL ? open_path(d, a.path) : open_port(d, &a)) == -1) {
		int why = errno;
		free(d);
		return fail(why);
	}
	LIST_INSERT_HEAD(&d->host->doors, d, in_host);
	LIST_INSERT_HEAD(&s->doors, d, in_os);
	s->open_count++;
	l->os_impl = d;
	return 0;
}

/* --- closing -------------------------------------------------------------- */

static void
door_close(struct sim_door *d)
{
	struct sim_os *s = d->os;

	while (!TAILQ_EMPTY(&d->backlog))
		end_leave(door_take(d), true);
	timers_remove(&s->timers, &d->timer);
	LIST_REMOVE(d, in_host);
	LIST_REMOVE(d, in_os);
	inode_unref(d->path);
	s->open_count--;
	free(d);
}

void
sim_listen_stop(struct os *os, struct os_listener *l)
{
	struct sim_door *d = l->os_impl;
	const char *path = l->address + strlen("unix:");
	struct sim_place at;

	if (sim_of(os)->dead || d == NULL)
		return;
	l->os_impl = NULL;
	if (d->path != NULL && place_find(d->os->disk, path, &at) == 0 && at.inode == d->path)
		disk_remove(d->os->disk, &at);
	door_close(d);
}

void
sim_doors_close(struct sim_os *s)
{
	while (!LIST_EMPTY(&s->doors))
		door_close(LIST_FIRST(&s->doors));
}
