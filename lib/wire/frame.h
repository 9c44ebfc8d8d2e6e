/*
 * frame: the bytes of a connection, cut into requests and responses.
 *
 * A frame is an int32 length, then as many bytes: a header (RequestHeader,
 * ResponseHeader; api.h tells their versions) and a body. frame_reader collects
 * one frame at a time, however the bytes arrive; request_decode and
 * response_decode take the header off; request_encode and response_encode append
 * whole frames.
 *
 * Bounds: a length is compared with the caller's limit before anything is done
 * about it; a frame's memory grows with the bytes that came, at most to twice
 * as many, never to what the length promises.
 *
 * After an error of a reader or of a request's header there is no way to go on:
 * the connection is to be closed. Source: Kafka's protocol guide; KIP-482, 511.
 *
 * Knows bytes and messages; knows no socket, and when to answer nothing.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "wire/api.h"

/* Bytes before a frame: its length. */
#define FRAME_PREFIX 4

/* --- bytes in ---------------------------------------------------------------- */

struct frame_reader {
	uint32_t frame_max;
	struct buf bytes; /* of this frame, prefix excluded, as far as they came */
	uint8_t prefix[FRAME_PREFIX];
	uint8_t prefix_len;
};

/* `frame_max` is the largest length that is taken (socket.request.max.bytes). */
void frame_reader_init(struct frame_reader *r, uint32_t frame_max);
void frame_reader_release(struct frame_reader *r);

/* Takes bytes of the stream up to the end of a frame, and tells how many: fewer
 * than `len` only if a frame is ready now. With one ready it takes none. -1 with
 * err: ERR_TOO_LARGE (a length above frame_max), ERR_CORRUPT (below zero),
 * ERR_NOMEM; the reader then says so for ever. */
ssize_t frame_feed(struct frame_reader *r, const void *data, size_t len, struct err *err);

/* True if a whole frame is there; frame_take hands it over. */
bool frame_ready(const struct frame_reader *r);

/* Where the next bytes of a large frame may be put at once, and how many at most:
 * fewer than `len` only at its end; 0 if it has to go by frame_feed (no prefix yet, or
 * no memory). frame_filled tells how many came. */
size_t frame_room(struct frame_reader *r, size_t len, uint8_t **to);
void frame_filled(struct frame_reader *r, size_t len);

/* The ready frame without its prefix, as a buf that the caller releases, when
 * nothing that was decoded from it is used any more. The reader is fit for the
 * next one. */
struct buf frame_take(struct frame_reader *r);

/* --- headers ------------------------------------------------------------------- */

/* A request without its body. Its slices lie in the frame. */
struct request {
	const struct api *api; /* NULL: a key that nobody here knows */
	int16_t key, version;
	int32_t correlation_id;
	struct wire_str client_id; /* never null: a null one reads as empty, as in Kafka */
	struct slice body;
};

/* Reads the header. -1 with err: ERR_CORRUPT, and
 * ERR_UNSUPPORTED_VERSION for a key or version that we do not have. In the last
 * case `out` is filled as far as it can be known (with an unknown key, no
 * further than the correlation id), as an ApiVersions request of such a version
 * is to be answered, in version 0 and with error 35; after any other the
 * connection is closed. */
int request_decode(struct slice frame, struct request *out, struct err *err);

/* The body as the struct of api->request, in the arena. Bytes behind it are not looked
 * at, as by Kafka. NULL with err as wire_decode. */
void *request_decode_body(const struct request *r, struct arena *a, struct err *err);

/* Reads a response's header: the answer to a request of that API and version.
 * The rest is `body`. -1 with err: ERR_CORRUPT. */
int response_decode(const struct api *api, int version, struct slice frame, int32_t *correlation_id,
    struct slice *body, struct err *err);

/* --- frames out ------------------------------------------------------------------ */

/* A frame by hand: frame_begin appends room for the prefix and tells its place,
 * to be given to frame_end, which fills in the length of what was appended
 * since. -1 with err: ERR_TOO_LARGE (more than an int32 holds), ERR_NOMEM (of
 * anything appended); then the buf's length is what it was before frame_begin. */
size_t frame_begin(struct buf *b);
int frame_end(struct buf *b, size_t begin, struct err *err);

/* Append a whole frame: prefix, header, and `msg`, the struct of api->request or
 * api->response. -1 with err: as wire_encode and frame_end; then the buf's length
 * is what it was before. */
int request_encode(const struct api *api, int version, int32_t correlation_id,
    struct wire_str client_id, const void *msg, struct buf *b, struct err *err);
int response_encode(const struct api *api, int version, int32_t correlation_id, const void *msg,
    struct buf *b, struct err *err);

/* As response_encode, with records that lie elsewhere (wire_encode_open): the prefix
 * counts them. */
int response_encode_open(const struct api *api, int version, int32_t correlation_id,
    const void *msg, struct buf *b, struct wire_holes *holes, struct err *err);

#endif
