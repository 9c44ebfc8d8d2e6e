/*
 * envelope: a record as one JSON object, kcat's keys in kcat's order:
 *
 *   {"topic":"t","partition":0,"offset":7,"tstype":"create","ts":1700000000000,
 *    "broker":1,"headers":["h","v"],"key":"k","payload":"v"}
 *
 * null stays null; text that is not UTF-8 becomes payload_b64, key_b64 or
 * headers_b64 (base64; of headers all names and values); headers are left out
 * when there are none. Reading back what was written gives the same record.
 *
 * Reading also takes headers as an object or a list of pairs, "value" for
 * "payload", and an ISO time for ts. All keys may be missing. Anything else is
 * refused: unknown and repeated keys, other types, lone surrogates, bytes that
 * are not UTF-8, text behind the object.
 */
#ifndef CLI_ENVELOPE_H
#define CLI_ENVELOPE_H

#include "log/batch.h"

/* A record from the outside, and what the input says about its place. */
struct framed {
	struct record record;  /* offset -1, NO_TIMESTAMP if not said */
	struct slice topic;    /* data NULL: not said */
	int32_t partition;     /* -1: not said */
	bool has_key;          /* the input says what the key is, if only null */
};

/* Where a record was found, for printing. */
struct place {
	const char *topic;
	int32_t partition;
	int32_t broker; /* node id, -1 if there is none */
	int32_t leader_epoch;
	int64_t producer_id;
	int16_t producer_epoch;
	int16_t attributes; /* of the batch */
	int64_t number;     /* running, from 1 (%i) */
};

/* Fills what a batch says of its records' place; the rest is left alone. */
void place_set_batch(struct place *p, const struct batch *b);

/* Reader; zero it before first use, release it after the last. */
struct envelope {
	struct buf text;    /* what could not be used where it stood */
	struct buf headers; /* encoded */
	size_t error_at;    /* after a failure: the byte, from 0 */
};

/* Reads the one object in `line`. The record points into `line` and into `e`,
 * until the next read. Returns 0, or -1: ERR_INVALID, ERR_NOMEM. */
int envelope_read(struct envelope *e, const uint8_t *line, size_t len, struct framed *out,
    struct err *err);
void envelope_release(struct envelope *e);

/* Appends the object, without a newline. Malformed headers: -1, ERR_CORRUPT. */
int envelope_write(struct buf *out, const struct record *rec, const struct place *at,
    struct err *err);

/* Headers, names and values in turn, as a JSON list; all of them in base64 if one is
 * not text. The first tells: 1, 0, or -1: malformed. */
int envelope_headers_are_text(const struct record *rec);
void envelope_headers_put(struct buf *out, const struct record *rec, bool base64);

#endif
