/*
 * frame: the bytes that a connection brings. A stream cut anywhere gives the same
 * frames; requests and responses in them are read, in memory that is in
 * proportion, and written again the same.
 *
 * Input: what is repaired; bytes that come at once; then the stream, or, where
 * lengths are repaired, parts that become frames. Where headers are repaired, a
 * part begins with API, version and length of the client id, and goes on with
 * what follows behind the header.
 */
#include <assert.h>
#include <string.h>

#include "lib/fuzz.h"
#include "wire/frame.h"

#define INPUT_MAX 16384
#define FRAME_MAX 8192
#define CLIENT_MAX 8

/* Memory for a byte of the wire: structs of defaults from a few bytes each. */
#define BYTES_PER_BYTE 128
#define BYTES_AT_LEAST 4096

enum { FIX_LENGTHS = 1, FIX_HEADERS = 2, AS_RESPONSE = 4 };

static const struct api *
pick_api(int nth)
{
	const struct api *api = api_next(NULL);

	while (nth-- > 0)
		if ((api = api_next(api)) == NULL)
			api = api_next(NULL);
	return api;
}

static int
pick_version(const struct api *api, int nth)
{
	struct wire_range v = api->request->versions;

	return v.min + nth % (v.max - v.min + 1);
}

/* Key, version, correlation id, client id, no tags. */
static void
put_header(struct cursor *c, struct buf *out)
{
	const struct api *api = pick_api(fuzz_byte(c));
	int version = pick_version(api, fuzz_byte(c));
	int client = fuzz_byte(c) % CLIENT_MAX;

	buf_i16(out, api->key);
	buf_i16(out, (int16_t)version);
	buf_i32(out, version);
	buf_i16(out, (int16_t)client);
	buf_put(out, "abcdefgh", (size_t)client);
	if (api_request_header(api, version) == 2)
		buf_i8(out, 0);
}

static void
put_frames(struct cursor *c, int how, struct buf *out)
{
	struct err err;

	while (cursor_left(c) > 0) {
		struct slice part = fuzz_part(c);
		struct cursor in = cursor_of(part.data, part.len);
		size_t begin = frame_begin(out);

		if ((how & FIX_HEADERS) && !(how & AS_RESPONSE))
			put_header(&in, out);
		part = fuzz_rest(&in);
		buf_put(out, part.data, part.len);
		assert(frame_end(out, begin, &err) == 0);
	}
}

static void
check_memory(const struct arena *a, size_t len)
{
	assert(a->used <= BYTES_AT_LEAST + BYTES_PER_BYTE * len);
}

static void
check_request(struct slice frame)
{
	struct buf out = BUF_INIT;
	struct request r, again;
	struct arena a;
	struct err err;
	void *msg;

	if (request_decode(frame, &r, &err) == -1) {
		assert(err.code == ERR_CORRUPT || err.code == ERR_UNSUPPORTED_VERSION);
		return;
	}
	arena_init(&a, 0);
	msg = request_decode_body(&r, &a, &err);
	check_memory(&a, frame.len);
	assert(msg != NULL || err.code == ERR_CORRUPT);
	if (msg != NULL) {
		fuzz_check_message(r.api->request, r.version, msg);
		assert(request_encode(
			   r.api, r.version, r.correlation_id, r.client_id, msg, &out, &err) == 0);
		assert(
		    request_decode((struct slice){out.data + FRAME_PREFIX, out.len - FRAME_PREFIX},
			&again, &err) == 0);
		assert(
		    again.api == r.api && again.version == r.version &&
		    again.correlation_id == r.correlation_id &&
		    again.client_id.len == r.client_id.len &&
		    memcmp(again.client_id.data, r.client_id.data, (size_t)r.client_id.len) == 0);
	}
	buf_release(&out);
	arena_release(&a);
}

/* A response says not what it answers: two bytes before it do. */
static void
check_response(struct slice frame)
{
	struct cursor c = cursor_of(frame.data, frame.len);
	const struct api *api = pick_api(fuzz_byte(&c));
	int version = pick_version(api, fuzz_byte(&c));
	struct buf out = BUF_INIT;
	struct slice body;
	struct arena a;
	struct err err;
	int32_t id;
	void *msg;

	if (response_decode(api, version, fuzz_rest(&c), &id, &body, &err) == -1) {
		assert(err.code == ERR_CORRUPT);
		return;
	}
	arena_init(&a, 0);
	msg = arena_alloc(&a, api->response->body->size);
	if (wire_decode_all(api->response, version, body, &a, msg, &err) == 0) {
		fuzz_check_message(api->response, version, msg);
		assert(response_encode(api, version, id, msg, &out, &err) == 0);
	}
	check_memory(&a, frame.len);
	buf_release(&out);
	arena_release(&a);
}

/* Feeds the stream, `step` bytes at once (0: all), and appends what comes of it:
 * each frame behind its length, then 1 if the rest is refused. */
static void
read_stream(const struct buf *stream, size_t step, struct buf *out)
{
	struct frame_reader r;
	struct err err;
	ssize_t n = 0;

	frame_reader_init(&r, FRAME_MAX);
	for (size_t at = 0; at < stream->len && n != -1; at += (size_t)n) {
		size_t len = stream->len - at;

		len = step != 0 && step < len ? step : len;
		n = frame_feed(&r, stream->data + at, len, &err);
		assert(r.bytes.cap <= 64 || r.bytes.cap <= 2 * r.bytes.len);
		if (n == -1)
			assert(err.code == ERR_CORRUPT || err.code == ERR_TOO_LARGE);
		else
			assert((size_t)n == len || frame_ready(&r));
		if (n != -1 && frame_ready(&r)) {
			struct buf frame = frame_take(&r);

			buf_i32(out, (int32_t)frame.len);
			buf_put(out, frame.data, frame.len);
			buf_release(&frame);
		}
	}
	buf_i8(out, n == -1);
	frame_reader_release(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct buf stream = BUF_INIT, whole = BUF_INIT, pieces = BUF_INIT;
	int how = fuzz_byte(&c);
	size_t step = fuzz_byte(&c);
	struct slice rest;

	if (size > INPUT_MAX)
		return 0;
	if (how & FIX_LENGTHS)
		put_frames(&c, how, &stream);
	rest = fuzz_rest(&c);
	buf_put(&stream, rest.data, rest.len);

	read_stream(&stream, 0, &whole);
	read_stream(&stream, step, &pieces);
	assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);

	c = cursor_of(whole.data, whole.len - 1);
	while (cursor_left(&c) > 0) {
		size_t len = (size_t)cursor_i32(&c);
		struct slice frame = {cursor_bytes(&c, len), len};

		if (how & AS_RESPONSE)
			check_response(frame);
		else
			check_request(frame);
	}
	buf_release(&stream);
	buf_release(&whole);
	buf_release(&pieces);
	return 0;
}
