/*
 * What the files of os_real's streams share; private to them.
 *
 *   os_stream.c   a connection: reading, sending, closing
 *   os_warm.c     parts of files that are to be sent, and are not in memory
 *   os_hung.c     seeing a peer's end while nothing is read
 *   os_connect.c  making one: names to addresses, one after the other
 *   os_listen.c   being given one
 *
 * A connection is freed in one place, when a turn settles what is due, and no
 * event of libev is being handed out: an event never meets one that is gone.
 */
#ifndef OS_OS_STREAM_IMPL_H
#define OS_OS_STREAM_IMPL_H

#include "os/os_real_impl.h"

enum conn_state {
	CONN_NEW,	/* its connect begins when the turn settles */
	CONN_WAITING,	/* for a name, or for the kernel to connect */
	CONN_OPEN,	/* reading and sending */
	CONN_DRAINING,	/* sends what is queued, then closes */
	CONN_CLOSING,	/* `closed` is due */
	CONN_LINGERING, /* has no stream any more; waits for the peer's end */
};

struct os_lookup;
struct addrinfo;

struct os_conn {
	TAILQ_ENTRY(os_conn) in_real;
	TAILQ_ENTRY(os_conn) in_due;
	bool is_due;
	struct os_real *real;
	struct os_stream *stream; /* NULL: lingering */
	enum conn_state state;
	bool drain;	/* a CONN_DRAINING to be, once open; or one that was */
	bool is_paused; /* room said 0 */
	bool is_awaited; /* its peer's end is, by hung_fd */
	bool is_hung_up; /* the peer's end has come */
	bool is_told;    /* of it, in this pause */
	int why;	/* of `closed` */
	int fd;
	ev_io io;
	struct os_timer timer; /* of an attempt to connect; of lingering */
	struct os_send *sends, **sends_tail;
	struct os_send *late, **late_tail; /* came after the close; canceled with it */
	struct os_warm *warm; /* what is to be sent next is being read; NULL: not */
	size_t warmed;	      /* so many bytes of it have been */
	/* While it connects. */
	char *address;
	struct os_lookup *lookup;
	struct addrinfo *found, *next; /* addresses, and the one to be tried next */
};

/* os_stream.c */
struct os_conn *conn_new(struct os_real *r);
void conn_free(struct os_conn *c);
/* Puts a descriptor under a connection, takes it away again. */
void conn_set_fd(struct os_conn *c, int fd);
void conn_close_fd(struct os_conn *c);
void conn_watch(struct os_conn *c, int events);
/* Joins it with the caller's stream, to which `peer` is copied. */
void conn_join(struct os_conn *c, struct os_stream *s, const char *peer);
void conn_open(struct os_conn *c);
void conn_fail(struct os_conn *c, int why);
void conn_due(struct os_conn *c);

/* os_hung.c */
/* Reading pauses: from now on the peer's end is looked for. */
void conn_await_end(struct os_conn *c);
void conn_forget_end(struct os_conn *c);
void hung_release(struct os_real *r);

/* os_warm.c */
/* How many of the next `len` bytes of a file can be sent without waiting for the disk;
 * 0: none, and the connection is due when there are some. */
size_t conn_warm(struct os_conn *c, const struct os_send *o, size_t len);
void conn_forget_warm(struct os_conn *c);
/* After the workers have ended. */
void warms_release(struct os_real *r);

/* os_connect.c */
void connect_begin(struct os_conn *c);
/* A socket became writable, or an attempt took its time. */
void connect_event(struct os_conn *c);
void connect_timer(struct os_conn *c);
/* Frees what only connecting needs. */
void connect_release(struct os_conn *c);
int connect_options(int fd);
/* Goes on with what the threads have found. */
void lookups_finish(struct os_real *r);
void lookups_release(struct os_real *r);

/* os_listen.c */
/* A descriptor was closed: whoever paused may accept again. */
void doors_resume(struct os_real *r);
void doors_sweep(struct os_real *r);
void doors_release(struct os_real *r);

#endif
