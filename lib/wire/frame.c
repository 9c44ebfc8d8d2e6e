/* Frames and the headers in them. */
#include "wire/frame.h"

#include <assert.h>
#include <string.h>

#include "wire/table.h"
#include "wire_gen.h"

/* --- bytes in ---------------------------------------------------------------- */

void
frame_reader_init(struct frame_reader *r, uint32_t frame_max)
{
	*r = (struct frame_reader){.frame_max = frame_max};
}

void
frame_reader_release(struct frame_reader *r)
{
	buf_release(&r->bytes);
	frame_reader_init(r, r->frame_max);
}

static bool
has_prefix(const struct frame_reader *r)
{
	return r->prefix_len == FRAME_PREFIX;
}

static int
check_size(const struct frame_reader *r, uint32_t size, struct err *err)
{
	if (size > INT32_MAX)
		return err_set(err, ERR_CORRUPT, "a frame of length %d", (int)(int32_t)size);
	if (size > r->frame_max)
		return err_set(err, ERR_TOO_LARGE, "a frame of %u bytes, at most %u",
		    (unsigned)size, (unsigned)r->frame_max);
	return 0;
}

ssize_t
frame_feed(struct frame_reader *r, const void *data, size_t len, struct err *err)
{
	size_t head = FRAME_PREFIX - r->prefix_len, rest;

	head = head < len ? head : len;
	if (head > 0)
		memcpy(r->prefix + r->prefix_len, data, head);
	r->prefix_len += (uint8_t)head;
	if (!has_prefix(r))
		return (ssize_t)head;
	if (check_size(r, be32_get(r->prefix), err) == -1)
		return -1;

	r->bytes.limit = be32_get(r->prefix);
	rest = r->bytes.limit - r->bytes.len;
	rest = rest < len - head ? rest : len - head;
	buf_put(&r->bytes, (const uint8_t *)data + head, rest);
	if (r->bytes.failed)
		return err_nomem(err);
	return (ssize_t)(head + rest);
}

size_t
frame_room(struct frame_reader *r, size_t len, uint8_t **to)
{
	size_t rest;

	if (!has_prefix(r) || r->bytes.failed)
		return 0;
	rest = r->bytes.limit - r->bytes.len;
	len = rest < len ? rest : len;
	if (len == 0 || buf_reserve(&r->bytes, len) == -1)
		return 0;
	*to = r->bytes.data + r->bytes.len;
	return len;
}

void
frame_filled(struct frame_reader *r, size_t len)
{
	assert(len <= r->bytes.cap - r->bytes.len);
	r->bytes.len += len;
}

bool
frame_ready(const struct frame_reader *r)
{
	return has_prefix(r) && r->bytes.len == be32_get(r->prefix);
}

struct buf
frame_take(struct frame_reader *r)
{
	struct buf frame = r->bytes;

	assert(frame_ready(r));
	frame.limit = 0;
	frame_reader_init(r, r->frame_max);
	return frame;
}

/* --- headers ----------------------------------------------------------------- */

/* Key, version and correlation id, which stand alike before every request. */
static int
decode_start(struct slice frame, struct request *out, struct err *err)
{
	struct cursor c = cursor_of(frame.data, frame.len);

	*out = (struct request){.key = cursor_i16(&c)};
	out->version = cursor_i16(&c);
	out->correlation_id = cursor_i32(&c);
	out->client_id = wire_str_of("");
	if (c.failed)
		return err_set(err, ERR_CORRUPT, "a request of %zu bytes", frame.len);
	out->api = api_find(out->key);
	if (out->api == NULL)
		return err_set(
		    err, ERR_UNSUPPORTED_VERSION, "a request of unknown key %d", out->key);
	return 0;
}

/* Headers have no arrays, so decoding takes no memory. */
static int
decode_header(
    const struct wire_schema *s, int version, struct slice *frame, void *msg, struct err *err)
{
	struct cursor c = cursor_of(frame->data, frame->len);
	struct arena none;

	arena_init(&none, 1);
	if (wire_decode(s, version, &c, &none, msg, err) == -1)
		return -1;
	*frame = (struct slice){c.at, cursor_left(&c)};
	return 0;
}

int
request_decode(struct slice frame, struct request *out, struct err *err)
{
	struct request_header h;

	if (decode_start(frame, out, err) == -1)
		return -1;
	if (decode_header(&wire_request_header, api_request_header(out->api, out->version), &frame,
		&h, err) == -1)
		return -1;
	if (h.client_id.len > 0)
		out->client_id = h.client_id;
	out->body = frame;
	if (!api_has_version(out->api, out->version))
		return wire_bad_version(out->api->request, out->version, err);
	return 0;
}

void *
request_decode_body(const struct request *r, struct arena *a, struct err *err)
{
	const struct wire_schema *s = r->api->request;
	struct cursor c = cursor_of(r->body.data, r->body.len);
	void *msg = arena_alloc(a, s->body->size);

	if (msg == NULL) {
		err_nomem(err);
		return NULL;
	}
	return wire_decode(s, r->version, &c, a, msg, err) == -1 ? NULL : msg;
}

int
response_decode(const struct api *api, int version, struct slice frame, int32_t *correlation_id,
    struct slice *body, struct err *err)
{
	struct response_header h;

	if (decode_header(
		&wire_response_header, api_response_header(api, version), &frame, &h, err) == -1)
		return -1;
	*correlation_id = h.correlation_id;
	*body = frame;
	return 0;
}

/* --- frames out -------------------------------------------------------------- */

size_t
frame_begin(struct buf *b)
{
	size_t begin = b->len;

	buf_i32(b, 0);
	return begin;
}

static int
end_frame(struct buf *b, size_t begin, size_t elsewhere, struct err *err)
{
	size_t len;

	if (b->failed) {
		b->len = begin;
		return err_nomem(err);
	}
	assert(b->len >= begin + FRAME_PREFIX);
	len = b->len - begin - FRAME_PREFIX + elsewhere;
	if (len > INT32_MAX) {
		b->len = begin;
		return err_set(err, ERR_TOO_LARGE, "a frame of %zu bytes", len);
	}
	be32_put(b->data + begin, (uint32_t)len);
	return 0;
}

int
frame_end(struct buf *b, size_t begin, struct err *err)
{
	return end_frame(b, begin, 0, err);
}

/* A header or body, as wire_encode has it. */
struct part {
	const struct wire_schema *schema;
	int version;
	const void *msg;
};

static int
encode_frame(struct part header, struct part body, struct buf *b, struct wire_holes *holes,
    struct err *err)
{
	size_t begin = frame_begin(b), elsewhere = 0;

	if (wire_encode(header.schema, header.version, header.msg, b, err) == -1 ||
	    wire_encode_open(body.schema, body.version, body.msg, b, holes, err) == -1) {
		b->len = begin;
		return -1;
	}
	for (size_t i = 0; holes != NULL && i < holes->count; i++)
		elsewhere += (size_t)holes->items[i].len;
	return end_frame(b, begin, elsewhere, err);
}

int
request_encode(const struct api *api, int version, int32_t correlation_id,
    struct wire_str client_id, const void *msg, struct buf *b, struct err *err)
{
	struct request_header h;
	struct part header = {&wire_request_header, api_request_header(api, version), &h};

	wire_init(&wire_request_header, &h);
	h.request_api_key = api->key;
	h.request_api_version = (int16_t)version;
	h.correlation_id = correlation_id;
	h.client_id = client_id;
	return encode_frame(header, (struct part){api->request, version, msg}, b, NULL, err);
}

int
response_encode(const struct api *api, int version, int32_t correlation_id, const void *msg,
    struct buf *b, struct err *err)
{
	return response_encode_open(api, version, correlation_id, msg, b, NULL, err);
}

int
response_encode_open(const struct api *api, int version, int32_t correlation_id, const void *msg,
    struct buf *b, struct wire_holes *holes, struct err *err)
{
	struct response_header h;
	struct part header = {&wire_response_header, api_response_header(api, version), &h};

	wire_init(&wire_response_header, &h);
	h.correlation_id = correlation_id;
	return encode_frame(header, (struct part){api->response, version, msg}, b, holes, err);
}
