/*
 * Connecting: a name is looked up by a thread of its own, which may take as
 * long as its servers do and holds up nobody, not even the end of this os; the
 * addresses found are tried one after the other.
 */
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_address.h"
#include "os/os_stream_impl.h"

#define STACK_BYTES ((size_t)1024 * 1024)

/* How long an address that does not answer may keep the others waiting. */
#define ATTEMPT_MS 2000

/* When a unix socket's queue is full it says so at once; look again after. */
#define UNIX_RETRY_MS 10

/* A connection on which nothing is heard is probed, and given up 45 s after its
 * last word. */
#define PROBE_IDLE_S 30
#define PROBE_INTERVAL_S 5
#define PROBE_COUNT 3

/* What the threads have found. It outlives the os while one of them runs. */
struct os_resolver {
	pthread_mutex_t mutex;
	struct os_real *real; /* NULL: gone */
	unsigned refs;
	struct os_lookup *done;
};

struct os_lookup {
	struct os_resolver *resolver;
	struct os_lookup *next;
	struct os_conn *conn; /* the loop's; NULL: nobody waits for it */
	char host[ADDRESS_HOST_MAX], port[8];
	struct addrinfo *found;
	int error; /* getaddrinfo's */
};

/* --- names ---------------------------------------------------------------- */

static void
resolver_unref(struct os_resolver *v)
{
	pthread_mutex_lock(&v->mutex);
	bool last = --v->refs == 0;
	pthread_mutex_unlock(&v->mutex);
	if (!last)
		return;
	pthread_mutex_destroy(&v->mutex);
	free(v);
}

static void
lookup_free(struct os_lookup *l)
{
	if (l->found != NULL)
		freeaddrinfo(l->found);
	free(l);
}

static int
lookup(struct os_lookup *l, int flags)
{
	struct addrinfo hints = {
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICSERV | flags,
	};

	l->error = getaddrinfo(l->host, l->port, &hints, &l->found);
	if (l->error != 0)
		l->found = NULL;
	return l->error;
}

static void *
lookup_main(void *ctx)
{
	struct os_lookup *l = ctx;
	struct os_resolver *v = l->resolver;

	lookup(l, 0);
	pthread_mutex_lock(&v->mutex);
	if (v->real != NULL) {
		l->next = v->done;
		v->done = l;
		ev_async_send(v->real->loop, &v->real->async);
		l = NULL;
	}
	pthread_mutex_unlock(&v->mutex);
	if (l != NULL)
		lookup_free(l);
	resolver_unref(v);
	return NULL;
}

static struct os_resolver *
resolver_need(struct os_real *r)
{
	if (r->resolver != NULL)
		return r->resolver;
	r->resolver = calloc(1, sizeof(*r->resolver));
	if (r->resolver == NULL)
		return NULL;
	pthread_mutex_init(&r->resolver->mutex, NULL);
	r->resolver->real = r;
	r->resolver->refs = 1;
	return r->resolver;
}

/* Starts the thread, with all signals blocked: they are the loop's. */
static int
lookup_start(struct os_lookup *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int why;

	pthread_mutex_lock(&l->resolver->mutex);
	l->resolver->refs++;
	pthread_mutex_unlock(&l->resolver->mutex);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	why = pthread_create(&thread, &attr, lookup_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (why != 0)
		resolver_unref(l->resolver);
	return why;
}

static void try_next(struct os_conn *c, int why);

/* Takes over what was found, and goes on with it. */
static void
lookup_taken(struct os_conn *c, struct os_lookup *l)
{
	c->lookup = NULL;
	c->found = c->next = l->found;
	l->found = NULL;
	try_next(c, l->error == EAI_MEMORY ? ENOMEM : EHOSTUNREACH);
}

void
lookups_finish(struct os_real *r)
{
	struct os_resolver *v = r->resolver;
	struct os_lookup *l, *next;

	if (v == NULL)
		return;
	pthread_mutex_lock(&v->mutex);
	l = v->done;
	v->done = NULL;
	pthread_mutex_unlock(&v->mutex);
	for (; l != NULL; l = next) {
		next = l->next;
		if (l->conn != NULL)
			lookup_taken(l->conn, l);
		lookup_free(l);
	}
}

void
lookups_release(struct os_real *r)
{
	struct os_resolver *v = r->resolver;

	if (v == NULL)
		return;
	lookups_finish(r);
	pthread_mutex_lock(&v->mutex);
	v->real = NULL;
	pthread_mutex_unlock(&v->mutex);
	/* One that came between the two is nobody's. */
	for (struct os_lookup *l = v->done, *next; l != NULL; l = next) {
		next = l->next;
		lookup_free(l);
	}
	v->done = NULL;
	resolver_unref(v);
}

/* --- attempts ------------------------------------------------------------- */

int
connect_options(int fd)
{
	const struct {
		int level, name, value;
	} options[] = {
	    {IPPROTO_TCP, TCP_NODELAY, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, PROBE_IDLE_S},
	    {IPPROTO_TCP, TCP_KEEPINTVL, PROBE_INTERVAL_S},
	    {IPPROTO_TCP, TCP_KEEPCNT, PROBE_COUNT},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value)) == -1)
			return -1;
	return 0;
}

/* It is: its peer is named, its owner told. */
static void
connected(struct os_conn *c)
{
	struct os_stream *s = c->stream;

	os_timer_stop(&c->real->os, &c->timer);
	connect_release(c);
	conn_open(c);
	c->real->ran++;
	if (c->state == CONN_OPEN && s->opened != NULL)
		s->opened(s);
}

/* One attempt. Returns 0 if it is under way or done, else errno. */
static int
try_address(struct os_conn *c, const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return errno;
	conn_set_fd(c, fd);
	if (sa->sa_family != AF_UNIX) {
		address_print(c->stream->peer, sa);
		if (connect_options(fd) == -1)
			return errno;
	}
	c->state = CONN_WAITING;
	if (connect(fd, sa, len) == 0) {
		connected(c);
		return 0;
	}
	if (errno != EINPROGRESS)
		return errno;
	conn_watch(c, EV_WRITE);
	if (c->next != NULL)
		os_timer_start(&c->real->os, &c->timer, ATTEMPT_MS);
	return 0;
}

/* Tries addresses until one does not fail at once. `why` is how the one before
 * failed, and how the whole fails when there is no more. */
static void
try_next(struct os_conn *c, int why)
{
	os_timer_stop(&c->real->os, &c->timer);
	while (c->next != NULL) {
		struct addrinfo *at = c->next;
		c->next = at->ai_next;
		conn_close_fd(c);
		why = try_address(c, at->ai_addr, at->ai_addrlen);
		if (why == 0)
			return;
	}
	conn_fail(c, why);
}

static void
try_path(struct os_conn *c, const char *path)
{
	struct sockaddr_un un;
	int dir_fd, why = 0;

	conn_close_fd(c);
	if (address_of_path(path, &un, &dir_fd) == -1)
		why = errno;
	else
		why = try_address(c, (const struct sockaddr *)&un, sizeof(un));
	if (why == EAGAIN)
		os_timer_start(&c->real->os, &c->timer, UNIX_RETRY_MS);
	else if (why != 0)
		conn_fail(c, why);
	if (dir_fd != -1)
		close(dir_fd);
}

/* A port that the kernel gave us is also what it may connect us to. */
static bool
is_connected_to_itself(int fd)
{
	struct sockaddr_storage here = {.ss_family = 0}, there = {.ss_family = 0};
	socklen_t here_len = sizeof(here), there_len = sizeof(there);

	return getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&there, &there_len) == 0 &&
	       here_len == there_len && here.ss_family != AF_UNIX &&
	       memcmp(&here, &there, here_len) == 0;
}

void
connect_event(struct os_conn *c)
{
	int why = 0;
	socklen_t len = sizeof(why);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1)
		why = errno;
	if (why == 0 && is_connected_to_itself(c->fd))
		why = ECONNREFUSED;
	if (why != 0)
		try_next(c, why);
	else
		connected(c);
}

void
connect_timer(struct os_conn *c)
{
	struct address a;

	if (c->state != CONN_WAITING)
		return;
	if (address_parse(c->address, &a) == 0 && a.path != NULL)
		try_path(c, a.path);
	else
		try_next(c, ETIMEDOUT);
}

void
connect_release(struct os_conn *c)
{
	if (c->lookup != NULL)
		c->lookup->conn = NULL;
	c->lookup = NULL;
	if (c->found != NULL)
		freeaddrinfo(c->found);
	c->found = c->next = NULL;
	free(c->address);
	c->address = NULL;
}

/* --- beginning ------------------------------------------------------------ */

static int
begin_lookup(struct os_conn *c, const struct address *a)
{
	struct os_resolver *v = resolver_need(c->real);
	struct os_lookup *l = v != NULL ? calloc(1, sizeof(*l)) : NULL;

	if (l == NULL)
		return ENOMEM;
	l->resolver = v;
	snprintf(l->host, sizeof(l->host), "%s", a->host);
	snprintf(l->port, sizeof(l->port), "%u", a->port);
	c->state = CONN_WAITING;
	if (lookup(l, AI_NUMERICHOST) == 0) {
		lookup_taken(c, l);
		lookup_free(l);
		return 0;
	}
	l->conn = c;
	int why = lookup_start(l);
	if (why != 0)
		lookup_free(l);
	else
		c->lookup = l;
	return why;
}

void
connect_begin(struct os_conn *c)
{
	struct address a;
	int why = 0;

	if (os_loop_need(c->real) == -1 || address_parse(c->address, &a) == -1)
		why = errno;
	else if (a.path != NULL)
		try_path(c, a.path);
	else
		why = begin_lookup(c, &a);
	if (why != 0)
		conn_fail(c, why);
}

int
os_stream_begin(struct os *os, struct os_stream *s, const char *address)
{
	struct os_real *r = os_real_of(os);
	struct address a;

	if (address_parse(address, &a) == -1)
		return -1;
	if (a.path == NULL && (a.host[0] == '\0' || a.port == 0)) {
		errno = EINVAL;
		return -1;
	}
	struct os_conn *c = conn_new(r);
	char *copy = strdup(address);
	if (c == NULL || copy == NULL) {
		free(copy);
		if (c != NULL)
			conn_free(c);
		errno = ENOMEM;
		return -1;
	}
	c->address = copy;
	conn_join(c, s, address);
	conn_due(c);
	return 0;
}
