/* From a frame to its handler, and back. */
#include "mqd/net/dispatch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "mqd/api/api.h"
#include "mqd/broker.h"
#include "mqd/net/conn.h"
#include "wire_gen.h"

/* What a request may take beside its frame: decoded arrays, the handler's state, the
 * answer's struct. A frame of N bytes decodes into a few times N. */
#define ARENA_PER_BYTE 48
#define ARENA_MIN ((size_t)1 << 20)

static const struct handler {
	int16_t key;
	void (*handle)(struct exchange *x);
} handlers[] = {
    {0, api_produce},
    {1, api_fetch},
    {2, api_list_offsets},
    {3, api_metadata},
    {8, api_offset_commit},
    {9, api_offset_fetch},
    {10, api_find_coordinator},
    {11, api_join_group},
    {12, api_heartbeat},
    {13, api_leave_group},
    {14, api_sync_group},
    {15, api_describe_groups},
    {16, api_list_groups},
    {18, api_api_versions},
    {19, api_create_topics},
    {20, api_delete_topics},
    {21, api_delete_records},
    {22, api_init_producer_id},
    {23, api_offset_for_leader_epoch},
    {32, api_describe_configs},
    {33, api_alter_configs},
    {35, api_describe_log_dirs},
    {37, api_create_partitions},
    {42, api_delete_groups},
    {43, api_elect_leaders},
    {44, api_incremental_alter_configs},
    {47, api_offset_delete},
    {60, api_describe_cluster},
    {61, api_describe_producers},
    {74, api_list_config_resources},
    {75, api_describe_topic_partitions},
};

static const struct handler *
handler_find(int key)
{
	for (size_t i = 0; i < COUNT(handlers); i++)
		if (handlers[i].key == key)
			return &handlers[i];
	return NULL;
}

bool
dispatch_serves(int key)
{
	return handler_find(key) != NULL;
}

/* --- up -------------------------------------------------------------------------- */

static void
exchange_free(struct exchange *x)
{
	LIST_REMOVE(x, all);
	arena_release(&x->arena);
	conn_frame_release(x->broker, &x->frame, x->favoured);
	free(x);
}

/* The answer is in x->out, which goes to its connection; the exchange ends. */
static void
finish(struct exchange *x)
{
	struct out *o = x->out;

	if (x->request.api != NULL)
		request_stats_count(&x->broker->requests, x->request.api,
		    os_mono_ns(x->broker->os) - x->came_ns);
	x->out = NULL;
	x->conn = NULL;
	x->abandoned = NULL;
	if (x->holds == 0)
		exchange_free(x);
	conn_answered(o);
}

void
exchange_drop(struct exchange *x)
{
	assert(x->holds > 0);
	if (--x->holds == 0 && x->out == NULL)
		exchange_free(x);
}

static void
piece_sent(struct os_send *s, int why)
{
	struct out_piece *p = s->ctx;

	(void)why;
	if (p->sent != NULL)
		p->sent(p->ctx);
	p->sent = NULL;
	conn_piece_sent(p->out);
}

static void
add_piece(struct out *o, const void *data, int fd, int64_t position, size_t len)
{
	struct out_piece *p = &o->pieces[o->piece_count++];

	p->out = o;
	p->send = (struct os_send){.data = data, .fd = fd, .position = position, .len = len,
	    .done = piece_sent, .ctx = p};
}

/* The buf and the slices, in turn. */
static int
lay_out(struct out *o, const struct wire_holes *holes, const struct reply_slice *slices)
{
	size_t at = 0;

	o->pieces = calloc(2 * holes->count + 1, sizeof(*o->pieces));
	if (o->pieces == NULL)
		return -1;
	for (size_t i = 0; i < holes->count; i++) {
		const struct reply_slice *s = &slices[i];

		add_piece(o, o->bytes.data + at, -1, 0, holes->items[i].at - at);
		at = holes->items[i].at;
		add_piece(o, s->data, s->data != NULL ? -1 : s->fd, s->position, s->len);
		o->pieces[o->piece_count - 1].sent = s->sent;
		o->pieces[o->piece_count - 1].ctx = s->ctx;
	}
	if (o->bytes.len > at)
		add_piece(o, o->bytes.data + at, -1, 0, o->bytes.len - at);
	return 0;
}

static void
let_go(const struct reply_slice *slices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slices[i].sent != NULL)
			slices[i].sent(slices[i].ctx);
}

/* Of a line that tells a message; batches alone can be of megabytes. */
#define TRACE_MAX 4000
#define TRACE_BYTES_MAX ((size_t)4 << 20)

/* One line, for who wants to see what clients say and hear. */
static void
trace(const struct exchange *x, char way, const struct wire_schema *s, const void *msg)
{
	struct os *os = x->broker->os;
	struct buf b = BUF_INIT;

	buf_printf(&b, "%s %c %s v%d #%d ", conn_peer(x->conn), way, x->request.api->name,
	    x->request.version, x->request.correlation_id);
	b.limit = TRACE_BYTES_MAX;
	wire_print(s, x->request.version, msg, &b);
	if (b.len > TRACE_MAX)
		(void)text_cut((char *)b.data, b.len, TRACE_MAX);
	/* Not os_note, whose lines are shorter. */
	os->ops->note(os, OS_DEBUG, b.len > TRACE_MAX ? (const char *)b.data : buf_cstr(&b));
	buf_release(&b);
}

static int
encode(struct exchange *x, const void *response, const struct reply_slice *slices, size_t count,
    struct err *err)
{
	const struct request *r = &x->request;
	struct wire_holes holes = {exchange_array(x, count, sizeof(*holes.items)), 0, count};

	if (holes.items == NULL)
		return err_nomem(err);
	if (response_encode_open(
		r->api, r->version, r->correlation_id, response, &x->out->bytes, &holes, err) == -1)
		return -1;
	if (holes.count != count)
		return err_set(err, ERR_INVALID, "%zu slices for %zu holes", count, holes.count);
	return lay_out(x->out, &holes, slices) == -1 ? err_nomem(err) : 0;
}

void
dispatch_reply_slices(
    struct exchange *x, const void *response, const struct reply_slice *slices, size_t count)
{
	struct err err;

	if (x->conn != NULL)
		request_stats_errors(&x->broker->requests, x->request.api, response);
	if (x->conn != NULL && x->broker->trace)
		trace(x, '<', x->request.api->response, response);
	if (x->conn == NULL) {
		let_go(slices, count);
		x->out->none = true;
	} else if (encode(x, response, slices, count, &err) == -1) {
		os_note(x->broker->os, OS_ERROR, "%s v%d to %s: %s: the connection is closed",
		    x->request.api->name, x->request.version, conn_peer(x->conn), err.text);
		let_go(slices, count);
		x->out->close = true;
	}
	finish(x);
}

void
dispatch_reply(struct exchange *x, const void *response)
{
	dispatch_reply_slices(x, response, NULL, 0);
}

void
dispatch_reply_none(struct exchange *x)
{
	x->out->none = true;
	finish(x);
}

void
dispatch_close(struct exchange *x, const char *why)
{
	if (x->conn != NULL)
		os_note(x->broker->os, OS_INFO, "%s: connection closed: %s", conn_peer(x->conn),
		    why);
	x->out->close = true;
	finish(x);
}

void *
dispatch_response(struct exchange *x)
{
	const struct wire_schema *s = x->request.api->response;
	void *msg = arena_alloc(&x->arena, s->body->size);

	if (msg != NULL)
		wire_init(s, msg);
	return msg;
}

/* --- down ------------------------------------------------------------------------ */

/* An ApiVersions of a version that is not ours is answered in version 0, so that the
 * client can ask again (KIP-511). */
static bool
is_versions_probe(const struct exchange *x)
{
	return x->request.api != NULL && x->request.api->key == wire_api_versions_request.key;
}

static void
handle(struct exchange *x)
{
	const struct handler *h;
	struct err err;

	if (request_decode((struct slice){x->frame.data, x->frame.len}, &x->request, &err) == -1) {
		if (err.code != ERR_UNSUPPORTED_VERSION || !is_versions_probe(x)) {
			dispatch_close(x, err.text);
			return;
		}
		x->request.version = 0;
		api_versions_unsupported(x);
		return;
	}
	h = handler_find(x->request.key);
	if (h == NULL) {
		dispatch_close(x, "a request that is not served here");
		return;
	}
	x->body = request_decode_body(&x->request, &x->arena, &err);
	if (x->body == NULL) {
		dispatch_close(x, err.text);
		return;
	}
	if (x->broker->trace)
		trace(x, '>', x->request.api->request, x->body);
	h->handle(x);
}

int
dispatch_frame(struct broker *b, struct conn *c, struct out *o, struct buf *frame)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return -1;
	x->broker = b;
	x->conn = c;
	x->out = o;
	x->favoured = o->favoured;
	o->x = x;
	net_keep(b->net, x);
	x->frame = *frame;
	buf_init(frame);
	x->came_ns = os_mono_ns(b->os);
	arena_init(&x->arena, ARENA_MIN + x->frame.len * ARENA_PER_BYTE);
	handle(x);
	return 0;
}

void
dispatch_forget(struct exchange *x)
{
	x->conn = NULL;
	if (x->abandoned != NULL)
		x->abandoned(x);
}

void
dispatch_drop(struct exchange *x)
{
	exchange_free(x);
}
