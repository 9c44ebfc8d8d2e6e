/* Frames and headers. Bytes called a broker's went to, or came from, the Apache
 * Kafka that t/interop pins. */
#include "wire/frame.h"

#include <stdlib.h>

#include "tap.h"
#include "wire_gen.h"

static struct arena arena;
static struct err err;

static struct slice
from_hex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *data = arena_alloc(&arena, len);

	for (size_t i = 0; i < len; i++) {
		const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		data[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return (struct slice){data, len};
}

static const char *
to_hex(const void *data, size_t len)
{
	char *hex = arena_alloc(&arena, len * 2 + 1);

	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", ((const uint8_t *)data)[i]);
	return hex;
}

static bool
is_text(struct wire_str s, const char *want)
{
	return s.len == (int32_t)strlen(want) && memcmp(s.data, want, strlen(want)) == 0;
}

/* --- bytes in ---------------------------------------------------------------- */

static ssize_t
feed(struct frame_reader *r, const char *hex)
{
	struct slice s = from_hex(hex);

	return frame_feed(r, s.data, s.len, &err);
}

/* Takes the ready frame and gives its bytes. */
static const char *
taken(struct frame_reader *r)
{
	struct buf frame;
	const char *hex;

	if (!frame_ready(r))
		return "no frame";
	frame = frame_take(r);
	hex = to_hex(frame.data, frame.len);
	buf_release(&frame);
	return hex;
}

static void
test_reader(void)
{
	struct frame_reader r;
	bool early = false;

	frame_reader_init(&r, 1000);
	is_int(feed(&r, "0000000361626300000001"), 7, "bytes are taken to the end of a frame");
	is_int(feed(&r, "00000001"), 0, "and none while one is ready");
	is_str(taken(&r), "616263", "which is given without its length");
	is_int(feed(&r, "000000016400000002"), 5, "then the next");
	is_str(taken(&r), "64", "begins");
	is_int(feed(&r, "00000000"), 4, "a frame of nothing is one");
	is_str(taken(&r), "", "of nothing");

	for (int i = 0; i < 9; i++) {
		early = early || frame_ready(&r);
		is_int(frame_feed(&r, &"\0\0\0\5hello"[i], 1, &err), 1, "byte %d by itself", i);
	}
	ok(!early, "is no frame before the last");
	is_str(taken(&r), "68656c6c6f", "which makes it one");
	is_int(feed(&r, "0000"), 2, "half a length is taken");
	is_int(frame_feed(&r, NULL, 0, &err), 0, "so is nothing at all");
	frame_reader_release(&r);
	ok(!frame_ready(&r), "and forgotten on release");
}

static void
test_reader_errors(void)
{
	struct frame_reader r;

	frame_reader_init(&r, 1000);
	is_int(feed(&r, "000003e9ff"), -1, "a length above the limit is refused");
	ok(err.code == ERR_TOO_LARGE, "as such");
	is_str(err.text, "a frame of 1001 bytes, at most 1000", "in one line");
	ok(feed(&r, "00") == -1 && err.code == ERR_TOO_LARGE, "for ever");
	ok(r.bytes.cap == 0, "and takes no memory");
	frame_reader_release(&r);
	is_int(feed(&r, "000003e8"), 4, "the limit itself is not");
	frame_reader_release(&r);
	ok(feed(&r, "fffffffb") == -1 && err.code == ERR_CORRUPT, "a length below zero is refused");
	is_str(err.text, "a frame of length -5", "and told");
	frame_reader_release(&r);
	frame_reader_init(&r, UINT32_MAX);
	ok(feed(&r, "80000000") == -1 && err.code == ERR_CORRUPT, "whatever the limit");
	frame_reader_release(&r);
}

static void
test_reader_memory(void)
{
	static uint8_t chunk[1000];
	struct frame_reader r;
	bool bounded = true;

	frame_reader_init(&r, INT32_MAX);
	is_int(feed(&r, "7fffffff01"), 5, "a frame that promises 2 GiB");
	ok(r.bytes.cap <= 64, "costs what came of it");
	for (int i = 0; i < 100; i++) {
		frame_feed(&r, chunk, sizeof(chunk), &err);
		bounded = bounded && r.bytes.cap <= 2 * r.bytes.len;
	}
	ok(bounded, "and at most twice that");
	frame_reader_release(&r);

	feed(&r, "000003e9");
	frame_feed(&r, chunk, sizeof(chunk), &err);
	is_int(frame_feed(&r, chunk, sizeof(chunk), &err), 1, "the last byte of 1001");
	is_int(r.bytes.cap, 1001, "ends in just as much memory");
	frame_reader_release(&r);
}

/* --- requests ---------------------------------------------------------------- */

/* ApiVersions v3 of client mq, software mq 1.0, as a broker took it. */
#define VERSIONS_3 "001200030000000700026d7100036d7104312e3000"

static void
test_request(void)
{
	struct request r;
	struct api_versions_request *body;

	is_int(request_decode(from_hex(VERSIONS_3), &r, &err), 0, "a broker's request is read");
	ok(r.api == api_find(API_API_VERSIONS) && r.key == 18 && r.version == 3 &&
		r.correlation_id == 7 && is_text(r.client_id, "mq") && r.body.len == 8,
	    "its header");
	body = request_decode_body(&r, &arena, &err);
	ok(body != NULL && is_text(body->client_software_name, "mq") &&
		is_text(body->client_software_version, "1.0"),
	    "and its body");

	is_int(request_decode(from_hex(VERSIONS_3 "00"), &r, &err), 0, "a byte behind the body");
	ok(request_decode_body(&r, &arena, &err) != NULL, "is not looked at");
	is_int(request_decode(from_hex("001200030000000700026d7100036d7104312e30"), &r, &err), 0,
	    "a byte too few");
	ok(request_decode_body(&r, &arena, &err) == NULL && err.code == ERR_CORRUPT,
	    "is an error of the body");
	is_int(request_decode(from_hex("0012000000000007ffff"), &r, &err), 0, "a null client id");
	is_int(r.client_id.len, 0, "reads as empty");
	is_int(request_decode(from_hex("00100005000000090001780107026162010100"), &r, &err), 0,
	    "a tagged field that a header does not have");
	ok(is_text(r.client_id, "x") && request_decode_body(&r, &arena, &err) != NULL,
	    "is passed over");
}

static void
test_request_errors(void)
{
	struct slice whole = from_hex(VERSIONS_3);
	struct request r;
	bool corrupt = true;

	for (size_t len = 0; len < 13; len++) {
		struct slice cut = {whole.data, len};

		corrupt = corrupt && request_decode(cut, &r, &err) == -1 && err.code == ERR_CORRUPT;
	}
	ok(corrupt, "a header that is cut short is an error");
	is_int(request_decode((struct slice){NULL, 0}, &r, &err), -1, "so is a frame of nothing");
	is_str(err.text, "a request of 0 bytes", "told in one line");
	ok(request_decode(from_hex("0012000000000007006461"), &r, &err) == -1 &&
		err.code == ERR_CORRUPT,
	    "so is a client id longer than the frame");

	is_int(request_decode(from_hex("012c0000000000080000"), &r, &err), -1, "an unknown key");
	ok(err.code == ERR_UNSUPPORTED_VERSION && r.api == NULL && r.key == 300 &&
		r.correlation_id == 8,
	    "is told from that");
	is_int(
	    request_decode(from_hex("0003000e000000080001780000"), &r, &err), -1, "and a version");
	ok(err.code == ERR_UNSUPPORTED_VERSION && r.api == api_find(API_METADATA),
	    "that an API does not have");
	is_str(err.text, "MetadataRequest: version 14, want 0 to 13", "with what it has");
	is_int(request_decode(from_hex("001200630000000700026d7100036d71"), &r, &err), -1,
	    "an ApiVersions version from the future");
	ok(err.code == ERR_UNSUPPORTED_VERSION && r.correlation_id == 7 &&
		is_text(r.client_id, "mq"),
	    "has the new header, and can be answered");
	ok(request_decode(from_hex("001200630000000700026d71"), &r, &err) == -1 &&
		err.code == ERR_CORRUPT,
	    "not so without the tags of that header");
	ok(request_decode(from_hex("0012ffff0000000700026d71"), &r, &err) == -1 &&
		err.code == ERR_UNSUPPORTED_VERSION && r.correlation_id == 7,
	    "one below zero has the old");
}

static void
test_body_memory(void)
{
	struct request r;
	struct arena small;

	request_decode(from_hex(VERSIONS_3), &r, &err);
	arena_init(&small, 1);
	ok(request_decode_body(&r, &small, &err) == NULL && err.code == ERR_NOMEM,
	    "a body that does not fit into its arena is told from a bad one");
	arena_release(&small);
}

/* --- frames out -------------------------------------------------------------- */

static const char *
response(int key, int version, int32_t correlation_id, const void *msg)
{
	struct buf b = BUF_INIT;
	const char *hex;

	if (response_encode(api_find(key), version, correlation_id, msg, &b, &err) == -1)
		printf("# %s\n", err.text);
	hex = to_hex(b.data, b.len);
	buf_release(&b);
	return hex;
}

static void
test_responses(void)
{
	struct api_versions_response_range range = {.api_key = 18, .max_version = 4};
	struct metadata_response_broker broker = {.node_id = 1, .port = 28377};
	struct find_coordinator_response find;
	struct list_groups_response groups;
	struct api_versions_response versions;
	struct metadata_response metadata;

	wire_init(&wire_find_coordinator_response, &find);
	find.error_code = ERR_COORDINATOR_NOT_AVAILABLE;
	find.node_id = find.port = -1;
	is_str(response(API_FIND_COORDINATOR, 0, 3, &find),
	    "0000001000000003000fffffffff0000ffffffff", "a broker's FindCoordinator v0");

	wire_init(&wire_metadata_response, &metadata);
	broker.host = wire_str_of("127.0.0.1");
	broker.rack = wire_str_null();
	metadata.brokers.items = &broker;
	metadata.brokers.count = 1;
	metadata.controller_id = 1;
	is_str(response(API_METADATA, 1, 8, &metadata),
	    "000000250000000800000001"
	    "0000000100093132372e302e302e3100006ed9ffff"
	    "0000000100000000",
	    "a broker's Metadata v1");

	wire_init(&wire_list_groups_response, &groups);
	is_str(response(API_LIST_GROUPS, 5, 9, &groups), "0000000d00000009000000000000000100",
	    "a broker's ListGroups v5, flexible, so with tags in header and body");

	wire_init(&wire_api_versions_response, &versions);
	versions.error_code = ERR_UNSUPPORTED_VERSION;
	versions.api_keys.items = &range;
	versions.api_keys.count = 1;
	is_str(response(API_API_VERSIONS, 0, 7, &versions),
	    "0000001000000007002300000001001200000004",
	    "a broker's answer to an ApiVersions version that it does not have");
	wire_init(&wire_api_versions_response, &versions);
	is_str(response(API_API_VERSIONS, 3, 7, &versions), "0000000c000000070000010000000000",
	    "ApiVersions v3 has a flexible body behind the old header");
}

static void
test_response_decode(void)
{
	const struct api *list = api_find(API_LIST_GROUPS), *versions = api_find(API_API_VERSIONS);
	struct slice body;
	int32_t id = 0;

	ok(response_decode(list, 5, from_hex("00000009000000000000000100"), &id, &body, &err) ==
		    0 &&
		id == 9 && body.len == 8,
	    "a response's header is read");
	ok(response_decode(versions, 3, from_hex("000000070000"), &id, &body, &err) == 0 &&
		id == 7 && body.len == 2,
	    "ApiVersions' is the old one");
	ok(response_decode(list, 5, from_hex("00000009"), &id, &body, &err) == -1 &&
		err.code == ERR_CORRUPT,
	    "one without its tags is an error");
}

static void
test_encode(void)
{
	const struct api *versions = api_find(API_API_VERSIONS);
	struct api_versions_request r;
	struct buf b = BUF_INIT;

	wire_init(&wire_api_versions_request, &r);
	r.client_software_name = wire_str_of("mq");
	r.client_software_version = wire_str_of("1.0");
	buf_str(&b, "before");
	is_int(request_encode(versions, 3, 7, wire_str_of("mq"), &r, &b, &err), 0,
	    "a request is appended");
	is_str(to_hex(b.data + 6, b.len - 6), "00000015" VERSIONS_3,
	    "as the frame that a broker took");
	b.len = 6;
	is_int(request_encode(versions, 5, 7, wire_str_of("mq"), &r, &b, &err), -1,
	    "not in a version that is not there");
	ok(err.code == ERR_UNSUPPORTED_VERSION && b.len == 6, "nothing is appended then");
	b.limit = 20;
	ok(request_encode(versions, 3, 7, wire_str_of("mq"), &r, &b, &err) == -1 &&
		err.code == ERR_NOMEM && b.len == 6,
	    "nor when memory ends");
	buf_release(&b);
}

static void
test_by_hand(void)
{
	struct buf b = BUF_INIT;
	size_t begin;

	buf_str(&b, "x");
	begin = frame_begin(&b);
	buf_str(&b, "token");
	ok(frame_end(&b, begin, &err) == 0, "a frame by hand");
	is_str(to_hex(b.data, b.len), "7800000005746f6b656e", "has its length before it");
	b.limit = b.len + 4;
	begin = frame_begin(&b);
	buf_str(&b, "token");
	ok(frame_end(&b, begin, &err) == -1 && err.code == ERR_NOMEM && b.len == begin,
	    "one that memory was missing for is gone");
	buf_release(&b);
}

/* Default content as a request and as its response, through a reader. */
static bool
passes(const struct api *api, int version)
{
	void *msg = arena_alloc(&arena, api->request->body->size);
	void *answer = arena_alloc(&arena, api->response->body->size);
	struct buf b = BUF_INIT, frames[2];
	struct frame_reader reader;
	struct request r;
	struct slice body;
	int32_t id = 0;
	bool good;

	wire_init(api->request, msg);
	wire_init(api->response, answer);
	good = request_encode(api, version, 5, wire_str_of("c"), msg, &b, &err) == 0 &&
	       response_encode(api, version, 5, answer, &b, &err) == 0;
	frame_reader_init(&reader, 1000);
	for (size_t at = 0, i = 0; i < 2; i++) {
		at += (size_t)frame_feed(&reader, b.data + at, b.len - at, &err);
		frames[i] = frame_take(&reader);
	}
	good = good &&
	       request_decode((struct slice){frames[0].data, frames[0].len}, &r, &err) == 0 &&
	       r.api == api && r.version == version && r.correlation_id == 5 &&
	       request_decode_body(&r, &arena, &err) != NULL &&
	       response_decode(api, version, (struct slice){frames[1].data, frames[1].len}, &id,
		   &body, &err) == 0 &&
	       id == 5 && wire_decode_all(api->response, version, body, &arena, answer, &err) == 0;
	buf_release(&frames[0]);
	buf_release(&frames[1]);
	buf_release(&b);
	return good;
}

static void
test_all(void)
{
	for (const struct api *api = api_next(NULL); api != NULL; api = api_next(api)) {
		bool good = true;

		for (int v = api->request->versions.min; v <= api->request->versions.max; v++)
			good = good && passes(api, v);
		ok(good, "%s goes out and comes in, in every version", api->name);
	}
}

int
main(void)
{
	arena_init(&arena, 0);
	test_reader();
	test_reader_errors();
	test_reader_memory();
	test_request();
	test_request_errors();
	test_body_memory();
	test_responses();
	test_response_decode();
	test_encode();
	test_by_hand();
	test_all();
	arena_release(&arena);
	return tap_done();
}
