/*
 * What the files of the simulated network share; private to them.
 *
 *   sim_net.c     hosts, links, partitions; the turn of a whole net
 *   sim_wire.c    the kernels' side of a connection: segments on their way
 *   sim_door.c    listening and accepting
 *   sim_stream.c  a process's side of a connection
 *
 * A connection is two ends. What an end sends goes, as segments with the times
 * at which they arrive, into its queue `out`; when the head's time comes the
 * kernel of the other side takes it, whatever its process does. A process's
 * callbacks come only from its turns, from ends and doors that are ready.
 *
 * Invariants
 *  1. Segments of one direction arrive in the order in which they were sent.
 *  2. Bytes sent and not yet read are never more than the window.
 *  3. A connection is freed by net_sweep only, between events: a callback may
 *     kill its own process.
 */
#ifndef OS_SIM_NET_IMPL_H
#define OS_SIM_NET_IMPL_H

#include "os/os_address.h"
#include "os/os_sim_impl.h"

/* Those of who connects; below are those of who lets the machine choose. */
#define SIM_CLIENT_PORT_FIRST 49152

/* --- the net -------------------------------------------------------------- */

/* One way between two hosts, or within one. */
struct sim_way {
	LIST_ENTRY(sim_way) in_host;
	struct sim_host *to;
	bool is_own; /* `link` counts, not the net's */
	bool is_lost;
	struct sim_link link;
	int64_t free_ns; /* when what was sent before will have left */
};

struct sim_host {
	TAILQ_ENTRY(sim_host) in_net;
	struct sim_net *net;
	struct sim_disk *disk; /* NULL: it is off */
	LIST_HEAD(, sim_way) ways;
	LIST_HEAD(, sim_door) doors;
	uint16_t next_port, next_client_port;
	char name[];
};

struct sim_net {
	struct sim_net_settings settings;
	int64_t now_ns;
	uint64_t random;
	struct os_timers events;
	TAILQ_HEAD(, sim_host) hosts;
	TAILQ_HEAD(, sim_conn) conns, dead;
	uint64_t conn_count; /* ever */
	bool is_private;     /* of one disk: nobody else knows it */
	void (*trace)(void *ctx, const char *line);
	void *trace_ctx;
};

/* A net for one disk; NULL when malloc failed. */
struct sim_net *net_new_private(void);
struct sim_host *net_host(struct sim_net *net, const char *name);
/* The way from one host to another; makes it. */
struct sim_way *net_way(struct sim_host *from, struct sim_host *to);
const struct sim_link *net_link(const struct sim_host *from, const struct sim_way *way);
uint64_t net_draw(struct sim_net *net, uint64_t below);
/* Lets the kernels take what has arrived by now. */
void net_arrive(struct sim_net *net);
/* When the next event is due; INT64_MAX: never. */
int64_t net_due(const struct sim_net *net);
void net_sweep(struct sim_net *net);
void net_trace(struct sim_net *net, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- connections ---------------------------------------------------------- */

enum seg_kind { SEG_SYN, SEG_SYNACK, SEG_DATA, SEG_CREDIT, SEG_FIN, SEG_RST };

struct sim_seg {
	STAILQ_ENTRY(sim_seg) next;
	enum seg_kind kind;
	int why; /* SEG_RST: what the other side is told */
	int64_t due_ns;
	size_t len, at; /* SEG_DATA; SEG_CREDIT: so much room more */
	uint8_t data[];
};

STAILQ_HEAD(sim_segs, sim_seg);

enum end_state {
	END_NEW,	/* its connect begins in its process's next turn */
	END_CONNECTING, /* for the accepting side: its SYN is on the way */
	END_BACKLOG,	/* open, and not accepted */
	END_OPEN,
	END_DRAINING, /* sends what is queued, then closes */
	END_CLOSING,  /* `closed` is due */
	END_GONE,     /* has no process; its `out` may be on the way */
};

struct sim_end {
	struct sim_conn *conn;
	struct sim_end *peer;
	struct sim_host *host;
	uint16_t port;
	bool is_off; /* the power was cut: its kernel knows nothing of it */
	enum end_state state;
	/* The kernel's. */
	struct sim_segs out;   /* on the way to the peer */
	struct os_timer due;   /* of the head of `out` */
	struct os_timer probe; /* finds out that the peer is silent */
	int64_t last_due_ns, lost_since_ns;
	int retries;
	size_t window; /* what the peer's kernel takes still */
	struct sim_segs in;
	size_t in_len, unread_told;
	bool in_fin;
	int in_error;
	/* The process's. */
	struct sim_os *os;
	struct os_stream *stream;
	TAILQ_ENTRY(sim_end) in_os, in_ready, in_dirty, in_door;
	bool is_ready, is_dirty, is_paused, drain;
	bool is_told; /* of the peer's end, in this pause */
	bool is_asked, is_up; /* of who connects: the question and the answer */
	int why;
	struct os_send *sends, **sends_tail; /* the first has not wholly gone */
	struct os_send *sent, **sent_tail;   /* gone, and not yet told */
	struct os_send *late, **late_tail;   /* came after the close; canceled with it */
};

struct sim_conn {
	TAILQ_ENTRY(sim_conn) in_net;
	struct sim_net *net;
	uint64_t number;
	struct sim_end ends[2]; /* who connected, who listens */
	/* Where to. */
	struct sim_inode *path; /* of a unix socket; a reference */
	bool is_loopback;	/* by such a name */
	char *target;		/* the address until it begins */
};

struct sim_conn *conn_make(struct sim_net *net, struct sim_host *from);
/* Both sides are done with it: leaves it to net_sweep. */
void conn_bury(struct sim_conn *conn);
/* Both ends are reset, now. */
void conn_cut(struct sim_conn *conn);
/* Sends something that is no data. */
void end_signal(struct sim_end *e, enum seg_kind kind, size_t len, int why);
/* Sends bytes, in pieces, as many as the window has room for at least; -1 when
 * malloc failed. */
int end_transmit(struct sim_end *e, const uint8_t *data, size_t len);
/* Takes bytes that came; tells the sender that there is room. */
size_t end_take(struct sim_end *e, void *to, size_t len);
/* The process lets go: the kernel ends it. */
void end_leave(struct sim_end *e, bool abruptly);
void end_power_off(struct sim_end *e);
/* A way was lost or found again. */
void end_way_changed(struct sim_end *e);
bool end_is_cut(const struct sim_end *e);

/* --- processes ------------------------------------------------------------ */

struct sim_door {
	LIST_ENTRY(sim_door) in_host;
	LIST_ENTRY(sim_door) in_os;
	struct sim_host *host;
	struct sim_os *os;
	struct os_listener *listener;
	uint16_t port;
	bool is_any, is_loopback;
	struct sim_inode *path; /* a reference */
	TAILQ_HEAD(, sim_end) backlog;
	size_t backlog_count;
	bool is_paused, is_noted;
	struct os_timer timer;
};

/* sim_door.c */
/* "localhost" and the like. */
bool host_is_loopback(const char *host);
/* As many wait to be accepted at most; then none is heard. */
#define SIM_BACKLOG_MAX 128
/* Who listens for a connection; NULL: nobody. */
struct sim_door *door_for(const struct sim_conn *conn);
/* Puts an end into its queue. */
void door_knock(struct sim_door *d, struct sim_end *e);
bool door_is_ready(const struct sim_door *d);
int door_run(struct sim_door *d);
void sim_doors_resume(struct sim_os *s);
void sim_doors_close(struct sim_os *s);
int sim_listen(struct os *os, struct os_listener *l, const char *address);
void sim_listen_stop(struct os *os, struct os_listener *l);

/* sim_stream.c */
/* Is a descriptor left for one more? */
bool sim_has_descriptor(const struct sim_os *s);
/* Looks whether the end is ready for its process, which may have none. */
void end_update(struct sim_end *e);
void end_join(struct sim_end *e, struct sim_os *s, struct os_stream *stream, const char *peer);
/* The next event of an end that is ready. Returns the completions run. */
int end_run(struct sim_end *e);
/* Hands to the kernel what was sent in this turn. */
void streams_settle(struct sim_os *s);
int streams_cancel_run(struct sim_os *s);
/* A process dies: the kernel closes what it had. */
void streams_kill(struct sim_os *s);
int sim_connect(struct os *os, struct os_stream *s, const char *address);
void sim_stream_send(struct os *os, struct os_stream *s, struct os_send *o);
void sim_stream_read(struct os *os, struct os_stream *s);
void sim_stream_close(struct os *os, struct os_stream *s, bool drain, int why);

#endif
