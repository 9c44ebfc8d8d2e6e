/* conn_impl: what conn.c (one connection) and net.c (all of them) share. */
#ifndef MQD_NET_CONN_IMPL_H
#define MQD_NET_CONN_IMPL_H

#include "mqd/net/conn.h"

/* Read at once, where it is not known how much of it is which frame's. */
#define SCRATCH_BYTES (64 << 10)

/* A frame that is no longer counts as small. */
#define FRAME_SMALL (64 << 10)

STAILQ_HEAD(out_queue, out);

struct conn {
	struct os_stream stream; /* first: its callbacks find the conn by it */
	struct net *net;
	const struct net_listener *listener;
	LIST_ENTRY(conn) link;

	struct frame_reader reader;
	struct slice feed; /* bytes behind those in the reader, while they are looked at */
	struct buf rest;   /* the same, while a frame has to wait */
	bool direct;       /* the stream reads into the reader's frame */
	size_t held;       /* of net->queued_bytes */

	struct out_queue outs; /* answers that are due, in order */
	size_t under_way;      /* of these */
	size_t others;         /* of these, that are not Produce */

	bool running;  /* conn_run is */
	bool waiting;  /* a frame is there that may not start yet: nothing is read */
	bool blocked;  /* there is no memory to read on */
	bool hung_up;  /* the client's end has come behind what waits */
	bool closing;
	TAILQ_ENTRY(conn) blocked_link;

	struct os_timer watch;
	int64_t watch_ns; /* when it fires */
	int64_t moved_ns; /* when bytes last went in or out */
	size_t unsent_then; /* of its stream */
};

struct net {
	struct broker *broker;
	const struct broker_config *config;
	struct net_listener *listeners;
	size_t listener_count;
	LIST_HEAD(, conn) conns;
	size_t conn_count;
	int64_t queued_bytes;
	TAILQ_HEAD(, conn) blocked;
	struct conn *favoured; /* may read on although there is no memory left */
	bool favour_taken;     /* its frame is there, and not freed yet: nobody else may */
	LIST_HEAD(, exchange) exchanges;
	LIST_HEAD(, out) outs; /* all: those of connections that are gone, too */
	struct net_stats stats;
	bool stopping;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	struct os_timer stop_timer;
	int64_t stop_ms;
	uint8_t scratch[SCRATCH_BYTES];
};

/* --- conn.c -------------------------------------------------------------------------- */

/* NULL: no memory. */
struct conn *conn_accept(struct net *n, const struct net_listener *l);

/* Ends it once what was answered is sent, or at once; noted with why, unless NULL. */
void conn_end(struct conn *c, bool drain, const char *why);

/* Frees an answer that is not sent. */
void out_drop(struct out *o);

/* Starts what may start. */
void conn_run(struct conn *c);

/* Lets go of it at once; its own memory goes when os_turn tells that the stream is
 * closed. Its answers are the caller's to drop, those in the stream's hands too. */
void conn_abort(struct conn *c);

/* --- net.c ---------------------------------------------------------------------------- */

/* Bytes of requests more, or fewer, are in memory. */
void net_count(struct net *n, int64_t bytes);

/* Is there no memory for frames but the small ones' reserve? */
bool net_is_short(const struct net *n);

/* May this connection take more into memory? If not, it is told when it may. */
bool net_may_read(struct conn *c);

/* It goes: it does not wait for memory any more, nor is it favoured. */
void net_leave(struct conn *c);

/* Looks whether a stop is finished. */
void net_settle(struct net *n);

#endif
