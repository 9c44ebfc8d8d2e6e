#include "client/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_gen.h"

/* What is read at once, until a response is large enough to be read in place. */
#define READ_BYTES (64u << 10)

/* How long connecting and the first exchange may take. */
#define SETUP_MS 10000

/* API keys that versions are kept of. */
#define KEYS_MAX 128

/* A request under way. It outlives a caller who no longer cares. */
struct link_slot {
	struct link *link;
	struct link_request *owner; /* NULL: nobody waits */
	const struct api *api;
	int version;
	int32_t correlation_id;
	int64_t deadline_ns;
	struct buf bytes;
	struct os_send send;
	bool is_sent, is_silent, is_over; /* over: answered or failed */
	struct link_slot *next;
};

struct link {
	struct os *os;
	struct link_identity who;
	struct link_events events;
	struct os_stream stream;
	char address[OS_ADDRESS_MAX];
	enum link_state state;
	struct frame_reader in;
	uint8_t *chunk;			 /* READ_BYTES */
	struct link_slot *first, **last; /* unanswered, in order */
	size_t in_flight;
	int32_t next_correlation;
	struct wire_range versions[KEYS_MAX]; /* the broker's; max < min: none */
	int greeting_version;
	struct link_request greeting;
	struct os_timer timer;
	int64_t setup_deadline_ns;
	struct err why;
	bool is_freed;
	void (*freed)(void *ctx);
	void *freed_ctx;
};

static void greet(struct link *l, int version);

struct link *
link_new(struct os *os, const struct link_identity *who, const struct link_events *events,
    struct err *err)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->chunk = malloc(READ_BYTES)) == NULL) {
		free(l);
		err_nomem(err);
		return NULL;
	}
	l->os = os;
	l->who = *who;
	l->events = *events;
	l->last = &l->first;
	frame_reader_init(&l->in, LINK_FRAME_MAX);
	return l;
}

enum link_state
link_state(const struct link *l)
{
	return l->state;
}

const struct err *
link_error(const struct link *l)
{
	return &l->why;
}

bool
link_has_room(const struct link *l)
{
	return l->in_flight < LINK_IN_FLIGHT_MAX;
}

int
link_version(const struct link *l, const struct api *api, int most)
{
	struct wire_range mine = api->request->versions, theirs;
	int low, high;

	if (api->key >= KEYS_MAX)
		return -1;
	theirs = l->versions[api->key];
	low = mine.min > theirs.min ? mine.min : theirs.min;
	high = mine.max < theirs.max ? mine.max : theirs.max;
	if (high > most)
		high = most;
	return low <= high ? high : -1;
}

/* --- the end ----------------------------------------------------------------- */

static void
slot_release(struct link_slot *s)
{
	if (!s->is_sent || !s->is_over)
		return;
	buf_release(&s->bytes);
	free(s);
}

static void
slot_tell(struct link_slot *s, struct buf *frame, struct slice body, const struct err *err)
{
	struct link_request *r = s->owner;

	s->owner = NULL;
	s->is_over = true;
	if (r != NULL) {
		r->slot = NULL;
		r->done(r, frame, body, err);
	}
}

static struct link_slot *
slot_pop(struct link *l)
{
	struct link_slot *s = l->first;

	l->first = s->next;
	if (l->first == NULL)
		l->last = &l->first;
	l->in_flight--;
	return s;
}

static void
release(struct link *l)
{
	void (*freed)(void *ctx) = l->freed;
	void *ctx = l->freed_ctx;

	frame_reader_release(&l->in);
	free(l->chunk);
	free(l);
	if (freed != NULL)
		freed(ctx);
}

void
link_end(struct link *l, const struct err *why)
{
	if (l->state == LINK_CLOSED || l->state == LINK_CLOSING)
		return;
	l->why = *why;
	l->state = LINK_CLOSING;
	os_timer_stop(l->os, &l->timer);
	os_stream_close(l->os, &l->stream, false);
}

void
link_free(struct link *l, void (*freed)(void *ctx), void *ctx)
{
	static const struct err none;

	if (l == NULL)
		return;
	for (struct link_slot *s = l->first; s != NULL; s = s->next)
		if (s->owner != NULL)
			link_forget(s->owner);
	l->is_freed = true;
	l->freed = freed;
	l->freed_ctx = ctx;
	if (l->state == LINK_CLOSED)
		release(l);
	else
		link_end(l, &none);
}

/* In words, what connect's errno says of an address. */
static void
say_why(struct link *l, int why)
{
	struct err *err = &l->why;

	switch (why) {
	case 0:
		err_set(err, ERR_NETWORK_EXCEPTION,
		    l->state == LINK_GREETING ? "%s: closed the connection at once (no Kafka "
						"broker, or one that wants TLS?)"
					      : "%s: closed the connection",
		    l->address);
		break;
	case ECONNREFUSED:
		err_set(err, ERR_NETWORK_EXCEPTION, "%s: connection refused", l->address);
		break;
	case EHOSTUNREACH:
		err_set(
		    err, ERR_NETWORK_EXCEPTION, "%s: no such host, or no way to it", l->address);
		break;
	default:
		err_set(err, ERR_NETWORK_EXCEPTION, "%s: %s", l->address, strerrordesc_np(why));
	}
	err->sys_errno = why;
}

static void
on_closed(struct os_stream *stream, int why)
{
	struct link *l = stream->ctx;
	static const struct slice nothing = {NULL, 0};

	os_timer_stop(l->os, &l->timer);
	if (l->state != LINK_CLOSING)
		say_why(l, why);
	l->state = LINK_CLOSING; /* those who are told may free it */
	frame_reader_release(&l->in);
	frame_reader_init(&l->in, LINK_FRAME_MAX);
	while (l->first != NULL) {
		struct link_slot *s = slot_pop(l);

		s->is_sent = true; /* its done has come, before this */
		slot_tell(s, NULL, nothing, &l->why);
		slot_release(s);
	}
	l->state = LINK_CLOSED;
	if (l->is_freed)
		release(l);
	else
		l->events.down(l, l->events.ctx, &l->why);
}

/* --- time-outs --------------------------------------------------------------- */

static void
timer_arm(struct link *l)
{
	int64_t due = INT64_MAX, now = os_mono_ns(l->os);

	if (l->state == LINK_CONNECTING || l->state == LINK_GREETING)
		due = l->setup_deadline_ns;
	for (const struct link_slot *s = l->first; s != NULL; s = s->next)
		if (s->deadline_ns < due)
			due = s->deadline_ns;
	if (due == INT64_MAX)
		os_timer_stop(l->os, &l->timer);
	else
		os_timer_start(l->os, &l->timer, due > now ? (due - now) / 1000000 + 1 : 0);
}

static void
on_timer(struct os_timer *t)
{
	struct link *l = t->ctx;
	int64_t now = os_mono_ns(l->os);
	struct err err;

	for (const struct link_slot *s = l->first; s != NULL; s = s->next)
		if (s->deadline_ns <= now) {
			err_set(&err, ERR_NETWORK_EXCEPTION, "%s: no answer to %s in time",
			    l->address, s->api->name);
			err.sys_errno = ETIMEDOUT;
			link_end(l, &err);
			return;
		}
	if (l->state != LINK_UP && now >= l->setup_deadline_ns) {
		err_set(&err, ERR_NETWORK_EXCEPTION, "%s: %s", l->address,
		    l->state == LINK_CONNECTING ? "no answer to connecting"
						: "connected, but nobody answers");
		err.sys_errno = ETIMEDOUT;
		link_end(l, &err);
		return;
	}
	timer_arm(l);
}

/* --- bytes in ---------------------------------------------------------------- */

/* The first answer already is none: trying again would not help. */
static void
end_foreign(struct link *l)
{
	struct err err;

	err_set(&err, ERR_UNSUPPORTED_VERSION, "%s: what answers there is no Kafka broker",
	    l->address);
	link_end(l, &err);
}

static void
on_frame(struct link *l)
{
	struct buf frame = frame_take(&l->in);
	struct slice bytes = {frame.data, frame.len}, body;
	struct link_slot *s = l->first;
	struct err err;
	int32_t id;

	if (s == NULL) {
		err_set(
		    &err, ERR_NETWORK_EXCEPTION, "%s: an answer that nobody asked for", l->address);
		link_end(l, &err);
	} else if (response_decode(s->api, s->version, bytes, &id, &body, &err) == -1) {
		err_prefix(&err, "%s", l->address);
		if (l->state == LINK_GREETING && err.code != ERR_NOMEM)
			end_foreign(l);
		else
			link_end(l, &err);
	} else if (id != s->correlation_id && l->state == LINK_GREETING) {
		end_foreign(l);
	} else if (id != s->correlation_id) {
		err_set(&err, ERR_NETWORK_EXCEPTION, "%s: answer %d to request %d (%s)", l->address,
		    id, s->correlation_id, s->api->name);
		link_end(l, &err);
	} else {
		err.code = 0;
		slot_pop(l);
		slot_tell(s, &frame, body, &err);
		slot_release(s);
		if (l->state == LINK_UP)
			timer_arm(l);
	}
	buf_release(&frame);
}

static size_t
on_room(struct os_stream *stream, void **to)
{
	struct link *l = stream->ctx;

	*to = l->chunk;
	return READ_BYTES;
}

static void
on_bytes(struct os_stream *stream, size_t len)
{
	struct link *l = stream->ctx;
	const uint8_t *at = l->chunk;
	struct err err;

	while (len > 0 && l->state != LINK_CLOSING) {
		ssize_t took = frame_feed(&l->in, at, len, &err);

		if (took == -1) {
			if (l->state == LINK_GREETING && err.code != ERR_NOMEM) {
				end_foreign(l);
				return;
			}
			if (err.code != ERR_NOMEM)
				err_set(&err, ERR_NETWORK_EXCEPTION,
				    "%s: no broker would answer so", l->address);
			link_end(l, &err);
			return;
		}
		at += took;
		len -= (size_t)took;
		while (frame_ready(&l->in) && l->state != LINK_CLOSING)
			on_frame(l);
	}
}

/* --- requests out ------------------------------------------------------------ */

static void
on_sent(struct os_send *o, int why)
{
	struct link_slot *s = o->ctx;
	static const struct slice nothing = {NULL, 0};
	struct err err = {.code = 0};

	s->is_sent = true;
	buf_release(&s->bytes);
	if (s->is_silent && !s->is_over) {
		if (why != 0)
			err_set(&err, ERR_NETWORK_EXCEPTION, "%s: %s", s->link->address,
			    strerrordesc_np(why));
		slot_tell(s, NULL, nothing, &err);
	}
	slot_release(s);
}

int
link_send(struct link *l, struct link_request *r, const void *msg, struct err *err)
{
	struct link_slot *s = calloc(1, sizeof(*s));

	assert(l->state == LINK_UP || r == &l->greeting);
	if (s == NULL)
		return err_nomem(err);
	*s = (struct link_slot){.link = l,
	    .owner = r,
	    .api = r->api,
	    .version = r->version,
	    .correlation_id = l->next_correlation,
	    .deadline_ns = os_mono_ns(l->os) + r->timeout_ms * 1000000,
	    .is_silent = r->silent};
	if (request_encode(r->api, r->version, s->correlation_id, wire_str_of(l->who.client_id),
		msg, &s->bytes, err) == -1) {
		buf_release(&s->bytes);
		free(s);
		return -1;
	}
	l->next_correlation = l->next_correlation == INT32_MAX ? 0 : l->next_correlation + 1;
	s->send = (struct os_send){
	    .data = s->bytes.data, .len = s->bytes.len, .fd = -1, .done = on_sent, .ctx = s};
	r->slot = s;
	if (!s->is_silent) {
		*l->last = s;
		l->last = &s->next;
		l->in_flight++;
		timer_arm(l);
	}
	os_stream_send(l->os, &l->stream, &s->send);
	return 0;
}

void
link_forget(struct link_request *r)
{
	if (r->slot != NULL)
		r->slot->owner = NULL;
	r->slot = NULL;
}

/* --- the beginning ------------------------------------------------------------ */

static void
take_versions(struct link *l, const struct api_versions_response *msg)
{
	for (size_t i = 0; i < KEYS_MAX; i++)
		l->versions[i] = (struct wire_range){0, -1};
	for (int32_t i = 0; i < msg->api_keys.count; i++) {
		const struct api_versions_response_range *r = &msg->api_keys.items[i];

		if (r->api_key >= 0 && r->api_key < KEYS_MAX)
			l->versions[r->api_key] =
			    (struct wire_range){r->min_version, r->max_version};
	}
}

/* A broker that does not have our version says so in version 0, and mostly names its
 * own. */
static void
greeted(struct link_request *r, struct buf *frame, struct slice body, const struct err *why)
{
	struct link *l = r->ctx;
	struct api_versions_response msg;
	struct arena arena;
	struct err err;
	int version = r->version, code = body.len >= 2 ? (int16_t)be16_get(body.data) : 0;

	(void)frame;
	if (why->code != 0)
		return; /* the link ends */
	if (code == ERR_UNSUPPORTED_VERSION)
		version = 0;
	arena_init(&arena, 1 << 20);
	if (wire_decode_all(r->api->response, version, body, &arena, &msg, &err) == -1) {
		err_prefix(&err, "%s", l->address);
		if (err.code != ERR_NOMEM)
			end_foreign(l);
		else
			link_end(l, &err);
	} else if (code == 0) {
		take_versions(l, &msg);
		l->state = LINK_UP;
		timer_arm(l);
		l->events.up(l, l->events.ctx);
	} else if (code == ERR_UNSUPPORTED_VERSION && r->version > 0) {
		take_versions(l, &msg);
		version = link_version(l, r->api, r->version - 1);
		greet(l, version > 0 ? version : 0);
	} else {
		err_set(&err, code, "%s: ApiVersions: %s", l->address, err_name(code));
		link_end(l, &err);
	}
	arena_release(&arena);
}

static void
greet(struct link *l, int version)
{
	struct api_versions_request msg;
	struct err err;

	wire_init(&wire_api_versions_request, &msg);
	msg.client_software_name = wire_str_of("mq");
	msg.client_software_version = wire_str_of(l->who.software_version);
	l->greeting = (struct link_request){.api = api_find(API_API_VERSIONS),
	    .version = version,
	    .timeout_ms = SETUP_MS,
	    .done = greeted,
	    .ctx = l};
	if (link_send(l, &l->greeting, &msg, &err) == -1)
		link_end(l, &err);
}

static void
on_opened(struct os_stream *stream)
{
	struct link *l = stream->ctx;

	if (l->state != LINK_CONNECTING)
		return;
	l->state = LINK_GREETING;
	greet(l, api_find(API_API_VERSIONS)->request->versions.max);
}

int
link_open(struct link *l, const char *address, struct err *err)
{
	assert(l->state == LINK_CLOSED);
	if (strlen(address) >= sizeof(l->address))
		return err_set(err, ERR_INVALID, "'%s' is no address", address);
	snprintf(l->address, sizeof(l->address), "%s", address);
	l->stream = (struct os_stream){
	    .opened = on_opened, .room = on_room, .bytes = on_bytes, .closed = on_closed, .ctx = l};
	l->timer = (struct os_timer){.fire = on_timer, .ctx = l};
	if (os_connect(l->os, &l->stream, address) == -1)
		return errno == ENOMEM ? err_nomem(err)
				       : err_set(err, ERR_INVALID, "'%s' is no address", address);
	l->state = LINK_CONNECTING;
	l->setup_deadline_ns = os_mono_ns(l->os) + SETUP_MS * INT64_C(1000000);
	timer_arm(l);
	return 0;
}
