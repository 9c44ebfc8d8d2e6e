/*
 * dispatch: from a frame to its handler, and the one way back.
 *
 * A request is an `exchange` from its frame to its answer. Its memory is one arena
 * and the frame; both live until the answer was given, and the answer's own bytes
 * until they were sent. Answers leave in the order of the requests, whatever order
 * they are given in. A handler answers exactly once, at once or later.
 *
 *	frame -> dispatch_frame -> header, version, body -> handlers[key] -> api_NAME(x)
 *	                                                     ... dispatch_reply(x, &response)
 *
 * Knows frames, the table of APIs and that of handlers; knows no field of any body
 * but ApiVersions'.
 */
#ifndef MQD_NET_DISPATCH_H
#define MQD_NET_DISPATCH_H

#include <bsd/sys/queue.h>

#include "base/arena.h"
#include "os/os.h"
#include "wire/frame.h"

struct broker;
struct conn;

struct exchange {
	struct broker *broker;
	struct conn *conn; /* NULL: the client is gone, the answer will go nowhere */
	struct request request;
	const void *body; /* struct of request.api->request; may be written into */
	struct arena arena; /* the request's; limited */
	void *state;        /* the handler's own, in the arena; NULL at first */
	/* Set by a handler that waits: the client is gone, so answer soon (with
	 * anything), to free what is held. Called from os_turn, at most once. */
	void (*abandoned)(struct exchange *x);
	int64_t came_ns; /* os_mono_ns */
	struct buf frame;
	/* dispatch's own */
	LIST_ENTRY(exchange) all; /* net's */
	struct out *out;
	bool favoured; /* as `out` was */
	unsigned holds;
};

/* A part of a response's records that is not copied into it: in schema order, one
 * for each field of type records whose `data` is NULL and `len` above 0. */
struct reply_slice {
	const void *data; /* with fd -1 */
	int fd;           /* else of this file (sendfile) */
	int64_t position;
	size_t len;
	void (*sent)(void *ctx); /* may be NULL: it is not needed any more */
	void *ctx;
};

/* Answers: `response` is the struct of request.api->response and may go when this
 * returns, as the exchange does. What cannot be encoded is a bug of ours: it is
 * noted and the connection closed. */
void dispatch_reply(struct exchange *x, const void *response);
void dispatch_reply_slices(
    struct exchange *x, const void *response, const struct reply_slice *slices, size_t count);

/* No answer is due (Produce with acks 0): the next one's turn. */
void dispatch_reply_none(struct exchange *x);

/* The answer is that the connection ends. */
void dispatch_close(struct exchange *x, const char *why);

/* Keeps the exchange's memory beyond its answer, for work that still points into it,
 * until as many calls of exchange_drop. */
static inline void
exchange_hold(struct exchange *x)
{
	x->holds++;
}
void exchange_drop(struct exchange *x);

/* A struct of the response, with defaults, in the exchange's arena; NULL: no memory
 * (dispatch_close then). */
void *dispatch_response(struct exchange *x);

/* An array of `count` zeroed items in the arena, or NULL. */
static inline void *
exchange_array(struct exchange *x, size_t count, size_t size)
{
	return arena_array(&x->arena, count, size);
}

/* An API is served here: its key has a handler. */
bool dispatch_serves(int key);

/* --- for conn -------------------------------------------------------------------- */

struct out;

/* Takes the frame over and calls its handler; -1: no memory, nothing was taken. The
 * answer comes in `o`, perhaps before this returns. */
int dispatch_frame(struct broker *b, struct conn *c, struct out *o, struct buf *frame);

/* Its client is gone. May answer from within. */
void dispatch_forget(struct exchange *x);

/* Frees one that will never be answered: the broker goes. */
void dispatch_drop(struct exchange *x);

#endif
