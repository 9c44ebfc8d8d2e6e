/*
 * conn: connections: bytes in, frames to dispatch, answers out in order.
 *
 * A request starts when all before it on its connection were answered, or when it and
 * all that are under way are Produce: so a client sees what Kafka shows it, which does
 * one at a time, and producers fill the pipe.
 *
 * Who hangs up is answered nothing more, and what it waited for is abandoned at once;
 * requests that came before the end are still done: some want no answer.
 *
 * Bounds (struct broker_config, and the limits below)
 *  - connections: connections_max; one more is turned away.
 *  - a frame: request_bytes_max, refused by its length. Its memory grows with the
 *    bytes that came.
 *  - all frames that are there or half there: queued_bytes_max. Beyond it nobody reads
 *    but one connection at a time, so at most one frame comes on top.
 *  - per connection: PIPELINE_MAX requests under way; nothing starts while more than
 *    UNSENT_MAX bytes of answers wait in memory for the peer to read them.
 *  - time: a frame that has begun must come in FRAME_MS plus its size at
 *    FRAME_RATE_MIN; of an answer SEND_BYTES_MIN must leave in each SEND_MS, or its end;
 *    idle_ms without either.
 *
 * Knows streams, frames and dispatch; knows no request.
 */
#ifndef MQD_NET_CONN_H
#define MQD_NET_CONN_H

#include <bsd/sys/queue.h>

#include "mqd/net/dispatch.h"

#define PIPELINE_MAX 32
#define UNSENT_MAX (256 << 10)
#define FRAME_MS 30000
#define FRAME_RATE_MIN (64 << 10) /* bytes a second */
#define SEND_MS 60000
#define SEND_BYTES_MIN (64 << 10)

struct net;

/* One address that is listened on, and what clients that came by it are told. */
struct net_listener {
	struct os_listener listener;
	struct net *net;
	char host[OS_ADDRESS_MAX]; /* advertised; "unix:PATH" for a socket */
	int32_t port;
};

/* Listens on the configured addresses. NULL with err: ERR_BUSY (a port is taken),
 * ERR_CONFIG, ERR_NOMEM. Connections are accepted from here on. */
struct net *net_new(struct broker *b, struct err *err);

/* No new connections and no new requests; `done` comes from os_turn when what is
 * under way was answered and sent, or after `limit_ms`. */
void net_stop(struct net *n, int64_t limit_ms, void (*done)(void *ctx), void *ctx);
void net_free(struct net *n);

/* Fills err for an address that cannot be listened on, by errno. Returns -1. ERR_BUSY:
 * it may be there, free or known another time; else ERR_CONFIG, ERR_NOMEM. */
int net_listen_fault(struct err *err, int why, const char *address);

const struct net_listener *net_listeners(const struct net *n, size_t *count);

/* The listener by which a request came: what to advertise. */
const struct net_listener *conn_listener(const struct conn *c);

/* "127.0.0.1:51034" */
const char *conn_peer(const struct conn *c);

struct net_stats {
	size_t connections, under_way;
	int64_t queued_bytes; /* frames in memory */
	int64_t bytes_in, bytes_out, refused;
};
struct net_stats net_stats(const struct net *n);

/* --- for dispatch ---------------------------------------------------------------- */

/* The place of an answer in its connection's order. It outlives its connection if the
 * exchange does. */
struct out {
	STAILQ_ENTRY(out) link;
	LIST_ENTRY(out) all;
	struct exchange *x;      /* NULL: answered */
	bool ready, none, close; /* with an answer, with none, with the connection's end */
	bool produce;            /* its request is one */
	bool favoured;           /* its frame came although there was no memory left */
	bool alone;              /* net is gone; it goes when its stream lets go of it */
	struct buf bytes;          /* the answer without what lies in slices */
	struct out_piece *pieces;  /* in the order of sending */
	size_t piece_count, pieces_left;
	struct conn *conn;
};

struct out_piece {
	struct os_send send;
	struct out *out;
	void (*sent)(void *ctx);
	void *ctx;
};

/* The answer is in `out`: it leaves when its turn comes. */
void conn_answered(struct out *o);

/* One of its pieces is not needed any more. */
void conn_piece_sent(struct out *o);

/* Takes an exchange among those that go with net. */
void net_keep(struct net *n, struct exchange *x);

/* Frees the frame of an exchange, and counts it off; `favoured` as its `out` was. */
void conn_frame_release(struct broker *b, struct buf *frame, bool favoured);

#endif
