/*
 * link: one connection to a broker: requests out, responses in.
 *
 * A link connects, asks what the broker speaks (ApiVersions, with the fall-back to
 * version 0 that KIP-511 describes), and is up. From then on requests may be sent,
 * several before the first is answered; a broker answers in order. What goes wrong
 * on it (no answer in time, an answer out of order, garbage, the end of the
 * connection) ends it: every request that is under way is told, then `down`.
 *
 * Bounds: LINK_IN_FLIGHT_MAX requests without answer; a response of at most
 * LINK_FRAME_MAX bytes, whose memory grows as they come.
 *
 * Knows streams, frames and messages; knows no cluster, and no meaning of a request.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include "os/os.h"
#include "wire/frame.h"

#define LINK_IN_FLIGHT_MAX 128
#define LINK_FRAME_MAX (160u << 20) /* the largest batch, and what a fetch holds besides */

struct link;
struct link_slot;

enum link_state {
	LINK_CLOSED, /* not opened yet, or down */
	LINK_CONNECTING,
	LINK_GREETING, /* ApiVersions is under way */
	LINK_UP,
	LINK_CLOSING, /* `down` will come */
};

struct link_events {
	void (*up)(struct link *l, void *ctx);
	/* It is down; why. May free the link. */
	void (*down)(struct link *l, void *ctx, const struct err *why);
	void *ctx;
};

/* A request: the caller's, from link_send to `done` or link_forget. */
struct link_request {
	const struct api *api;
	int version;
	int64_t timeout_ms; /* for the answer; then the link ends */
	bool silent;	    /* there is no answer (Produce with acks 0): done when it was sent */
	/* From os_turn. err->code 0: `frame` holds the response, which may be taken
	 * over (copy the struct, then buf_init what is there); `body` lies in it. Both
	 * are NULL for a silent one. Else why there is no answer. */
	void (*done)(
	    struct link_request *r, struct buf *frame, struct slice body, const struct err *err);
	void *ctx;
	struct link_slot *slot; /* the link's */
};

/* What a link says of itself to a broker. The strings are the caller's. */
struct link_identity {
	const char *client_id;
	const char *software_version; /* of the program "mq" */
};

/* NULL: ERR_NOMEM. */
struct link *link_new(struct os *os, const struct link_identity *who,
    const struct link_events *events, struct err *err);

/* Begins to connect a link that is closed. -1: ERR_INVALID (no address), ERR_NOMEM. */
int link_open(struct link *l, const char *address, struct err *err);

/* Closes at once; nothing is told any more. The memory goes when the stream has
 * ended, which takes turns of the loop: `freed` (or NULL) is called then. */
void link_free(struct link *l, void (*freed)(void *ctx), void *ctx);

/* Ends it: everything under way fails with `why`, then `down`. */
void link_end(struct link *l, const struct err *why);

enum link_state link_state(const struct link *l);

/* Why it went down last. */
const struct err *link_error(const struct link *l);

/* The highest version of an API that both sides have, at most `most`; -1: none.
 * Of a link that is up. */
int link_version(const struct link *l, const struct api *api, int most);

/* True if one more request may be sent. */
bool link_has_room(const struct link *l);

/* Sends `msg`, the struct of r->api->request in r->version, on a link that is up and
 * has room. -1 with err as wire_encode: nothing was sent, and `done` will not come. */
int link_send(struct link *l, struct link_request *r, const void *msg, struct err *err);

/* Nobody waits for the answer any more: `done` will not come. */
void link_forget(struct link_request *r);

#endif
