/* Listening: doors by which connections come in. */
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_address.h"
#include "os/os_stream_impl.h"

#define ACCEPTS_MAX 64 /* in one turn */
#define BACKLOG 4096   /* the kernel's own limit is often that */
#define FULL_PAUSE_MS 100
#define SOCKET_MODE 0660 /* of a unix socket: its group may connect */

struct os_door {
	TAILQ_ENTRY(os_door) in_real;
	struct os_real *real;
	struct os_listener *listener; /* NULL: stopped, to be freed */
	ev_io io;
	struct os_timer timer;
	bool is_paused, is_noted;
	int fd;
	char *path; /* of a unix socket */
	dev_t device;
	ino_t inode;
};

static int
fail(int why)
{
	errno = why;
	return -1;
}

static int
close_failed(int fd)
{
	int why = errno;

	close(fd);
	return fail(why);
}

/* --- accepting ------------------------------------------------------------ */

static int
accept_one(int fd, struct sockaddr_storage *from)
{
	socklen_t len = sizeof(*from);

	from->ss_family = AF_UNSPEC;
	return accept4(fd, (struct sockaddr *)from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void
spare_need(struct os_real *r)
{
	if (r->spare_fd == -1)
		r->spare_fd = open("/", O_PATH | O_CLOEXEC);
}

static void
door_pause(struct os_door *d)
{
	d->is_paused = true;
	ev_io_stop(d->real->loop, &d->io);
	os_timer_start(&d->real->os, &d->timer, FULL_PAUSE_MS);
}

/* No descriptor is left. The one in reserve serves to tell one peer so: without
 * it all would wait for as long as this lasts. */
static void
door_full(struct os_door *d, int why)
{
	struct os_real *r = d->real;
	struct sockaddr_storage from;

	if (!d->is_noted)
		os_note(&r->os, OS_WARN, "%s: turns connections away: %s", d->listener->address,
		    strerrordesc_np(why));
	d->is_noted = true;
	if (r->spare_fd != -1) {
		close(r->spare_fd);
		r->spare_fd = -1;
		int fd = accept_one(d->fd, &from);
		if (fd != -1)
			close(fd);
		spare_need(r);
	}
	door_pause(d);
}

static void
door_let_in(struct os_door *d, int fd, const struct sockaddr_storage *from)
{
	struct os_real *r = d->real;
	struct os_conn *c = conn_new(r);
	struct os_stream *s = NULL;
	char peer[OS_ADDRESS_MAX];

	if (c == NULL) {
		close(fd);
		return;
	}
	address_print(peer, (const struct sockaddr *)from);
	conn_set_fd(c, fd);
	r->ran++;
	s = d->listener->accepted(d->listener, peer);
	if (s == NULL) {
		conn_free(c);
		return;
	}
	conn_join(c, s, peer);
	conn_open(c);
}

static bool
is_out_of_descriptors(int why)
{
	return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

static void
on_door(struct ev_loop *loop, ev_io *io, int events)
{
	struct os_door *d = io->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_MAX && d->listener != NULL; i++) {
		struct sockaddr_storage from;
		int fd = accept_one(d->fd, &from);
		if (fd != -1) {
			door_let_in(d, fd, &from);
		} else if (is_out_of_descriptors(errno)) {
			door_full(d, errno);
			return;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		}
		/* Any other error is that of one connection, which is gone. */
	}
}

static void
door_resume(struct os_door *d)
{
	if (!d->is_paused || d->listener == NULL)
		return;
	d->is_paused = false;
	os_timer_stop(&d->real->os, &d->timer);
	spare_need(d->real);
	ev_io_start(d->real->loop, &d->io);
}

static void
on_timer(struct os_timer *t)
{
	door_resume(t->ctx);
}

void
doors_resume(struct os_real *r)
{
	struct os_door *d;

	TAILQ_FOREACH (d, &r->doors, in_real)
		door_resume(d);
}

/* --- opening -------------------------------------------------------------- */

/* Is the path a socket's at which nobody answers any more? */
static bool
is_dead_socket(const char *path, const struct sockaddr_un *un)
{
	struct stat st;

	if (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	bool dead =
	    connect(fd, (const struct sockaddr *)un, sizeof(*un)) == -1 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static int
bind_path(struct os_door *d, const char *path, const struct sockaddr_un *un)
{
	const struct sockaddr *sa = (const struct sockaddr *)un;
	struct stat st;

	int r = bind(d->fd, sa, sizeof(*un));
	if (r == -1 && errno == EADDRINUSE) {
		if (!is_dead_socket(path, un))
			return fail(EADDRINUSE);
		if (unlink(path) == -1 && errno != ENOENT)
			return -1;
		r = bind(d->fd, sa, sizeof(*un));
	}
	if (r == -1 || chmod(path, SOCKET_MODE) == -1 || listen(d->fd, BACKLOG) == -1 ||
	    lstat(path, &st) == -1)
		return -1;
	d->path = strdup(path);
	d->device = st.st_dev;
	d->inode = st.st_ino;
	return d->path == NULL ? fail(ENOMEM) : 0;
}

static int
open_path(struct os_door *d, const char *path)
{
	struct sockaddr_un un;
	int dir_fd, r = -1;

	d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1)
		return -1;
	if (address_of_path(path, &un, &dir_fd) == 0)
		r = bind_path(d, path, &un);
	if (dir_fd != -1) {
		int why = errno;
		close(dir_fd);
		errno = why;
	}
	if (r == -1)
		return close_failed(d->fd);
	snprintf(d->listener->address, OS_ADDRESS_MAX, "unix:%s", path);
	return 0;
}

/* The options are inherited by what is accepted. */
static int
open_address(struct os_door *d, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage here;
	socklen_t here_len = sizeof(here);
	int on = 1, off = 0;

	d->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd == -1)
		return -1;
	if (sa->sa_family == AF_INET6)
		setsockopt(d->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    connect_options(d->fd) == -1 || bind(d->fd, sa, len) == -1 ||
	    listen(d->fd, BACKLOG) == -1 ||
	    getsockname(d->fd, (struct sockaddr *)&here, &here_len) == -1)
		return close_failed(d->fd);
	address_print(d->listener->address, (const struct sockaddr *)&here);
	return 0;
}

/* Opens the first of the addresses of a family that can be. */
static int
open_family(struct os_door *d, const struct addrinfo *found, int family)
{
	for (; found != NULL; found = found->ai_next)
		if (found->ai_family == family) {
			if (open_address(d, found->ai_addr, found->ai_addrlen) == 0)
				return 0;
			if (errno == EADDRINUSE)
				return -1;
		}
	return -1;
}

/* Every interface is one socket of both families where there is IPv6. */
static int
open_host(struct os_door *d, const struct address *a)
{
	const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM};
	bool is_any = a->host[0] == '\0';
	struct addrinfo *found;
	char port[8];
	int why;

	snprintf(port, sizeof(port), "%u", a->port);
	why = getaddrinfo(is_any ? NULL : a->host, port, &hints, &found);
	if (why != 0)
		return fail(why == EAI_MEMORY ? ENOMEM : EHOSTUNREACH);
	errno = EADDRNOTAVAIL;
	int r = open_family(d, found, is_any ? AF_INET6 : AF_INET);
	if (r == -1 && errno != EADDRINUSE)
		r = open_family(d, found, is_any ? AF_INET : AF_INET6);
	why = errno;
	freeaddrinfo(found);
	return r == -1 ? fail(why) : 0;
}

int
os_stream_begin_listen(struct os *os, struct os_listener *l, const char *address)
{
	struct os_real *r = os_real_of(os);
	struct address a;

	l->os_impl = NULL;
	if (address_parse(address, &a) == -1)
		return -1;
	if (strlen(address) >= OS_ADDRESS_MAX)
		return fail(ENAMETOOLONG);
	if (os_loop_need(r) == -1)
		return -1;
	struct os_door *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return fail(ENOMEM);
	d->real = r;
	d->listener = l;
	if ((a.path != NULL ? open_path(d, a.path) : open_host(d, &a)) == -1) {
		int why = errno;
		free(d->path);
		free(d);
		return fail(why);
	}
	d->timer.fire = on_timer;
	d->timer.ctx = d;
	ev_io_init(&d->io, on_door, d->fd, EV_READ);
	d->io.data = d;
	ev_io_start(r->loop, &d->io);
	spare_need(r);
	TAILQ_INSERT_TAIL(&r->doors, d, in_real);
	l->os_impl = d;
	return 0;
}

/* --- closing -------------------------------------------------------------- */

static void
door_close(struct os_door *d)
{
	struct stat st;

	if (d->path != NULL && lstat(d->path, &st) == 0 && st.st_dev == d->device &&
	    st.st_ino == d->inode)
		unlink(d->path);
	os_timer_stop(&d->real->os, &d->timer);
	ev_io_stop(d->real->loop, &d->io);
	close(d->fd);
	d->listener = NULL;
}

void
os_stream_end_listen(struct os *os, struct os_listener *l)
{
	(void)os;
	if (l->os_impl != NULL)
		door_close(l->os_impl);
	l->os_impl = NULL;
}

/* A stopped one may have been stopped by its own callback. */
void
doors_sweep(struct os_real *r)
{
	struct os_door *d, *next;

	TAILQ_FOREACH_SAFE (d, &r->doors, in_real, next)
		if (d->listener == NULL) {
			TAILQ_REMOVE(&r->doors, d, in_real);
			free(d->path);
			free(d);
		}
}

void
doors_release(struct os_real *r)
{
	struct os_door *d;

	TAILQ_FOREACH (d, &r->doors, in_real)
		if (d->listener != NULL)
			door_close(d);
	doors_sweep(r);
	if (r->spare_fd != -1)
		close(r->spare_fd);
	r->spare_fd = -1;
}
