/*
 * request: what clients ask of a whole broker, with topics, records, a producer and a
 * group in it. Requests are made along their schemas (t/lib/fuzz_request.h), so that
 * they get past decoding, and some of them spoilt afterwards.
 *
 * Every request is answered, in order, by a message of its response's schema, or its
 * connection ends; another client is served all the time; no memory of requests is
 * kept; the logs are sound; and the broker stops, or crashes, and starts again with
 * the same topics.
 *
 * Input: how it ends, in a byte (END_CRASH and so on), and with END_NOMEM which call of
 * malloc fails while the broker works, in two (lib/fuzz.h); then requests: API, version
 * and manner in a byte each, and a part that its fields are made of.
 */
#include <assert.h>

#include "hold_writes.h"
#include "lib/fuzz_request.h"
#include "log/verify.h"

#define MEMORY_HOLD() fuzz_memory_hold()
#define MEMORY_RESUME(held) fuzz_memory_resume(held)
#include "mqd/replica/partition.h"
#include "mqd_broker_test.h"

#define INPUT_MAX 4096
#define CLIENTS 3
#define ASKED_MAX 60 /* of one client */
#define ENOUGH_MS 1800000
#define STOP_MS 120000

/* A request's manner; the rest says which client's. */
enum {
	HURRY = 4, /* the next one follows at once */
	SPOIL = 8,
	CUT = 16,
	PAUSE = 32, /* the client does nothing for a while */
	LEAVE = 64, /* it goes away and another comes */
};

enum {
	END_CRASH = 1, /* no stop */
	END_HERE = 2,  /* no start after the stop */
	END_UNREAD = 4, /* two more starts and stops before anybody reads */
	END_NOMEM = 8,
};

struct run {
	struct world w;
	struct client *witness;
	struct client *clients[CLIENTS];
	bool silent[CLIENTS][ASKED_MAX + 1]; /* by correlation id: no answer is due */
	int told[CLIENTS];                    /* correlation id of the last answer */
	struct fuzz_facts facts;
	bool waits;   /* somebody wants to wait very long */
	bool altered; /* settings may be any */
	size_t topics;
	unsigned memory; /* calls of malloc that go well still; 0: all */
	bool unread;  /* some logs were not used since the start */
	int64_t kept; /* high watermark of "keep" */
};

/* With FUZZ_SHOW set, to see what an input does. */
static void
show_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	(void)level;
	if (getenv("FUZZ_SHOW") != NULL)
		fprintf(stderr, "# %s\n", text);
}

/* Memory fails nowhere else: not for the harness. */
static int
turn(struct run *r, int ms)
{
	int ret;

	fuzz_memory_resume(r->memory);
	ret = os_turn(r->w.os, ms);
	r->memory = fuzz_memory_hold();
	return ret;
}

static void
turn_for(struct run *r, int64_t ms)
{
	int64_t until = os_mono_ns(r->w.os) + ms * 1000000, now;

	while ((now = os_mono_ns(r->w.os)) < until)
		if (turn(r, (int)((until - now) / 1000000) + 1) == -1)
			return;
}

/* --- answers -------------------------------------------------------------------------- */

static void
learn(struct run *r, const struct api *api, const void *msg)
{
	const struct join_group_response *join = msg;
	const struct init_producer_id_response *init = msg;
	const struct fetch_response *fetch = msg;

	if (api->request == &wire_join_group_request && join->member_id.len > 0) {
		snprintf(r->facts.member, sizeof(r->facts.member), "%.*s", (int)join->member_id.len,
		    join->member_id.data);
		r->facts.generation = join->generation_id;
	}
	if (api->request == &wire_init_producer_id_request && init->error_code == 0) {
		r->facts.producer_id = init->producer_id;
		r->facts.producer_epoch = init->producer_epoch;
		r->facts.sequence = 0;
	}
	if (api->request == &wire_fetch_request && fetch->session_id != 0)
		r->facts.session = fetch->session_id;
}

static void
take_answer(struct run *r, int n, const struct buf *frame)
{
	struct client *c = r->clients[n];
	int32_t id = (int32_t)be32_get(frame->data);
	const struct api *api;
	struct slice body;
	struct arena a;
	struct err err;
	void *msg;
	int version;

	assert(frame->len >= 4 && id > r->told[n] && id <= c->correlation_id);
	/* Those between: no answer was due to them. */
	while (++r->told[n] < id)
		assert(r->silent[n][r->told[n]]);
	api = c->asked[id - 1];
	version = c->versions[id - 1];
	if (!api_has_version(api, version)) {
		assert(api->request == &wire_api_versions_request);
		version = 0;
	}
	arena_init(&a, 0);
	msg = arena_alloc(&a, api->response->body->size);
	if (response_decode(api, version, (struct slice){frame->data, frame->len}, &id, &body,
		&err) == -1 ||
	    wire_decode_all(api->response, version, body, &a, msg, &err) == -1)
		fuzz_fail(&err);
	learn(r, api, msg);
	arena_release(&a);
}

static void
take_answers(struct run *r)
{
	for (int n = 0; n < CLIENTS; n++) {
		struct client *c = r->clients[n];

		for (; c->taken < c->count; c->taken++) {
			take_answer(r, n, &c->frames[c->taken]);
			buf_release(&c->frames[c->taken]);
		}
	}
}

/* Answers that are due, of connections that are there. */
static int
missing(const struct run *r)
{
	int count = 0;

	for (int n = 0; n < CLIENTS; n++)
		for (int id = r->told[n] + 1; id <= r->clients[n]->correlation_id; id++)
			count += !r->clients[n]->closed && !r->silent[n][id];
	return count;
}

static void
wait_answers(struct run *r, int64_t ms)
{
	int64_t until = os_mono_ns(r->w.os) + ms * 1000000;

	while (missing(r) > 0 && os_mono_ns(r->w.os) < until) {
		if (turn(r, 1000) == -1)
			return;
		take_answers(r);
	}
}

/* --- requests -------------------------------------------------------------------------- */

static void
come(struct run *r, int n)
{
	if (r->clients[n] != NULL)
		client_free(r->clients[n]);
	r->clients[n] = client_new(r->w.os, BROKER_ADDRESS);
	r->told[n] = 0;
	memset(r->silent[n], 0, sizeof(r->silent[n]));
}

static const struct api *
pick_api(uint8_t pick)
{
	const struct api *api = NULL;

	for (int left = pick + 1; left > 0; left -= api != NULL && dispatch_serves(api->key))
		api = api_next(api);
	return api;
}

/* One too many at the end: unsupported. */
static int
pick_version(const struct api *api, uint8_t pick)
{
	struct wire_range v = api->request->versions;

	return v.max - pick % (v.max - v.min + 2);
}

/* Behind the header, so that it is told what was asked; the length is made good. */
static void
spoil(struct cursor *c, uint8_t how, struct buf *frame, size_t header)
{
	size_t len = frame->len - header;

	for (int i = 0; (how & SPOIL) && len > 0 && i < 3; i++) {
		size_t at = fuzz_u16(c) % len;

		frame->data[header + at] = fuzz_byte(c);
	}
	if (how & CUT)
		frame->len -= len > 0 ? fuzz_u16(c) % len : 0;
	be32_put(frame->data, (uint32_t)(frame->len - FRAME_PREFIX));
}

static void
note_request(struct run *r, int n, uint8_t how, const void *msg)
{
	struct client *c = r->clients[n];
	const struct api *api = c->asked[c->sends];
	const struct produce_request *produce = msg;

	c->correlation_id++;
	if (api->request == &wire_produce_request) {
		r->silent[n][c->correlation_id] = produce->acks == 0 || (how & (SPOIL | CUT));
		r->facts.sequence++;
	}
	r->waits = r->waits || (how & SPOIL);
	r->altered = r->altered || strstr(api->name, "Alter") != NULL;
}

static void
ask(struct run *r, struct cursor *c)
{
	const struct api *api = pick_api(fuzz_byte(c));
	int version = pick_version(api, fuzz_byte(c)), shape;
	uint8_t how = fuzz_byte(c);
	int n = how % 4 % CLIENTS;
	struct slice part = fuzz_part(c);
	struct cursor in = cursor_of(part.data, part.len);
	struct client *client;
	struct buf frame = BUF_INIT;
	struct arena a;
	struct err err;
	void *msg;

	if (r->clients[n]->closed || r->clients[n]->sends == ASKED_MAX)
		come(r, n);
	client = r->clients[n];
	shape = version < api->request->versions.min ? api->request->versions.min : version;
	arena_init(&a, 0);
	msg = fuzz_request(&in, &r->facts, api, shape, &a, &r->waits);
	client->asked[client->sends] = api;
	client->versions[client->sends] = version;
	note_request(r, n, how, msg);
	if (request_encode(api, shape, client->correlation_id, wire_str_of("fuzz"), msg, &frame,
		&err) == -1)
		fuzz_fail(&err);
	spoil(&in, how, &frame,
	    FRAME_PREFIX + 8 + 2 + 4 + (size_t)(api_request_header(api, shape) == 2));
	be16_put(frame.data + FRAME_PREFIX + 2, (uint16_t)version);
	client_send_bytes(client, frame.data, frame.len);
	buf_release(&frame);
	arena_release(&a);
	if (how & LEAVE)
		come(r, n);
	if (!(how & HURRY))
		wait_answers(r, 100);
	if (how & PAUSE)
		turn_for(r, 11000);
	take_answers(r);
}

/* --- the broker -------------------------------------------------------------------------- */

static void
produce_some(struct run *r, const char *topic, int count)
{
	const struct produce_response_partition *p =
	    produce_one(r->witness, topic, 0, -1, count, "value");

	assert(p != NULL && p->error_code == 0);
}

static void
topic_ids(struct run *r)
{
	static const char *const names[] = {"t", "u", "__consumer_offsets"};
	const struct image *im = cluster_image(r->w.broker->cluster);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (image_topic(im, names[i]) != NULL)
			r->facts.topics[i] = image_topic(im, names[i])->id;
}

static void
begin(struct run *r)
{
	static const char *const set[] = {"group.initial.rebalance.delay.ms=0",
	    "offsets.topic.num.partitions=1",
	    "metadata.log.max.record.bytes.between.snapshots=2000", NULL};
	/* FindCoordinator, JoinGroup (3: in at once), SyncGroup, InitProducerId. */
	static const uint8_t find[] = {6, 0, 0, 0, 0};
	static const uint8_t join[] = {7, 6, 0, 0, 0};
	static const uint8_t sync[] = {10, 0, 0, 0, 0};
	static const uint8_t init[] = {17, 0, 0, 0, 0};
	struct cursor c;

	if (!world_begin(&r->w, 7, set))
		abort();
	sim_os_set_note(r->w.os, show_note, NULL);
	r->w.broker->trace = getenv("FUZZ_SHOW") != NULL;
	make_topic(&r->w, "t", 2);
	make_topic(&r->w, "u", 1);
	make_topic(&r->w, "keep", 1);
	r->witness = client_new(r->w.os, BROKER_ADDRESS);
	for (int n = 0; n < CLIENTS; n++)
		come(r, n);
	produce_some(r, "t", 5);
	produce_some(r, "keep", 1);
	r->kept = 1;
	c = cursor_of(find, sizeof(find));
	ask(r, &c);
	turn_for(r, 500);
	c = cursor_of(join, sizeof(join));
	ask(r, &c);
	c = cursor_of(sync, sizeof(sync));
	ask(r, &c);
	c = cursor_of(init, sizeof(init));
	ask(r, &c);
	topic_ids(r);
}

/* Somebody else is served. */
static void
check_served(struct run *r)
{
	const struct fetch_response_partition *f;
	const struct produce_response_partition *p;

	/* It may have been idle for long. */
	client_free(r->witness);
	r->witness = client_new(r->w.os, BROKER_ADDRESS);
	p = produce_one(r->witness, "keep", 0, -1, 1, "value");
	assert(p != NULL && (p->error_code == 0 || r->altered) && !r->w.broker->failed);
	r->kept += p->error_code == 0;
	f = fetch_one(r->witness, "keep", 0, 0, 0);
	assert(f != NULL && f->error_code == 0 && f->high_watermark == r->kept);
}

static void
found(void *ctx, const struct verify_finding *f)
{
	if (f->damage)
		fprintf(stderr, "# %s/%s: %s: %s\n", (const char *)ctx, f->file, f->why, f->text);
	assert(!f->damage);
}

static int
check_log(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct run *r = ctx;
	struct verify_args args = {
	    .recovery_point = -1, .records = true, .found = found, .ctx = (void *)(uintptr_t)path};
	struct verify_totals totals = {0};
	struct err err;
	struct os *os;

	(void)size;
	if (!is_dir || strchr(path, '/') == NULL)
		return 0;
	os = sim_os_new(r->w.disk, 1);
	if (verify_dir(os, path, &args, &totals, &err) == -1)
		fuzz_fail(&err);
	os_free(os);
	return 0;
}

static void
stop(struct run *r)
{
	bool stopped = false;

	broker_stop(r->w.broker, world_stopped, &stopped);
	for (int64_t until = os_mono_ns(r->w.os) + STOP_MS * 1000000LL;
	     !stopped && os_mono_ns(r->w.os) < until;)
		os_turn(r->w.os, 1000);
	assert(stopped);
	broker_free(r->w.broker);
	while (os_turn(r->w.os, 0) > 0)
		;
	os_free(r->w.os);
	if (!r->unread)
		sim_list(r->w.disk, check_log, r);
}

#define LOGS_MAX 64

struct names {
	struct {
		char topic[250];
		int32_t number;
	} items[LOGS_MAX];
	int count;
};

static int
take_name(void *ctx, struct partition *p)
{
	struct names *n = ctx;

	if (n->count == LOGS_MAX)
		return 1;
	snprintf(n->items[n->count].topic, sizeof(n->items[0].topic), "%s", p->topic);
	n->items[n->count++].number = p->number;
	return 0;
}

/* A log is recovered when it is first used: until then its files are as the crash left
 * them. False: there are too many. */
static bool
recover_all(struct run *r)
{
	struct names *n = calloc(1, sizeof(*n));
	bool all = partitions_each(r->w.broker->partitions, take_name, n) == 0;

	for (int i = 0; i < n->count; i++) {
		struct client *c = client_new(r->w.os, BROKER_ADDRESS);

		assert(fetch_one(c, n->items[i].topic, n->items[i].number, 0, 0) != NULL);
		client_free(c);
	}
	free(n);
	return all;
}

/* Starts and stops; nobody uses the logs. */
static void
pass_by(struct run *r)
{
	if (!world_start(&r->w))
		abort();
	sim_os_set_note(r->w.os, show_note, NULL);
	r->unread = true;
	stop(r);
}

static void
check_restart(struct run *r)
{
	if (!world_start(&r->w))
		abort();
	sim_os_set_note(r->w.os, show_note, NULL);
	assert(cluster_image(r->w.broker->cluster)->topics.count == r->topics);
	r->witness = client_new(r->w.os, BROKER_ADDRESS);
	check_served(r);
	r->unread = !recover_all(r);
	client_free(r->witness);
	stop(r);
}

static void
end(struct run *r, uint8_t how)
{
	r->memory = 0;
	wait_answers(r, ENOUGH_MS);
	assert(r->waits || missing(r) == 0);
	check_served(r);
	for (int n = 0; n < CLIENTS; n++)
		client_free(r->clients[n]);
	turn_for(r, 1000);
	assert(net_stats(r->w.broker->net).queued_bytes == 0);
	client_free(r->witness);
	r->topics = cluster_image(r->w.broker->cluster)->topics.count;
	if (how & END_CRASH)
		world_crash(&r->w, how >> 2);
	else
		stop(r);
	for (int i = 0; i < 2 && (how & END_UNREAD); i++)
		pass_by(r);
	if (!(how & END_HERE) || (how & END_CRASH))
		check_restart(r);
	world_end(&r->w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t how = fuzz_byte(&c);
	struct run *r;

	if (size > INPUT_MAX)
		return 0;
	r = calloc(1, sizeof(*r));
	begin(r);
	if (how & END_NOMEM) {
		hold_writes(r->w.os);
		fuzz_memory(fuzz_u16(&c) | FAIL_MEMORY);
		r->memory = fuzz_memory_hold();
	}
	for (int i = 0; !cursor_done(&c) && i < ASKED_MAX; i++)
		ask(r, &c);
	end(r, how);
	free(r);
	return 0;
}
