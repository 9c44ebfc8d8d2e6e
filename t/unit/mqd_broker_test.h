/* mqd_broker_test: a broker on a simulated machine, and clients of it, in few words. */
#ifndef MQD_BROKER_TEST_H
#define MQD_BROKER_TEST_H

#include <stdlib.h>
#include <string.h>

#include "log/batch.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "mqd/net/conn.h"
#include "os/os_sim.h"
#include "tap.h"
#include "wire/frame.h"
#include "wire_gen.h"

#define BROKER_ADDRESS "127.0.0.1:9092"

/* Memory that a test itself needs does not count where memory fails. */
#ifndef MEMORY_HOLD
#define MEMORY_HOLD() 0
#define MEMORY_RESUME(held) (void)(held)
#endif

/* --- the broker -------------------------------------------------------------------- */

struct world {
	struct sim_net *net;
	struct sim_disk *disk;
	struct os *os;
	struct broker_config config;
	struct broker *broker;
};

static inline void
world_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	if (level <= OS_WARN || getenv("MQ_NOTES") != NULL)
		printf("# %s\n", text);
}

/* Starts a process and a broker in it, on the disk that is there. */
static inline bool
world_start(struct world *w)
{
	struct err err = {0};

	w->os = sim_os_new(w->disk, 1);
	sim_os_set_note(w->os, world_note, NULL);
	w->broker = broker_new(w->os, &w->config, &err);
	if (w->broker == NULL)
		printf("# broker_new: %s\n", err.text);
	return w->broker != NULL;
}

/* A machine with a disk, and a configuration; nothing runs. `set`: more keys,
 * "name=value", ended by NULL. */
static inline void
world_init(struct world *w, uint64_t seed, struct sim_disk *disk, const char *const *set)
{
	struct err err = {0};
	bool good = true;

	*w = (struct world){.net = sim_net_new(seed), .disk = disk};
	sim_net_attach(w->net, w->disk, "localhost");
	broker_config_init(&w->config);
	w->os = sim_os_new(w->disk, 1);
	for (; set != NULL && *set != NULL && good; set++) {
		char name[100];
		const char *eq = strchr(*set, '=');

		snprintf(name, sizeof(name), "%.*s", (int)(eq - *set), *set);
		good = broker_config_set(&w->config, name, eq + 1, "test", &err) == 0;
	}
	good = good && broker_config_finish(&w->config, w->os, "store", &err) == 0;
	os_free(w->os);
	w->os = NULL;
	if (good)
		return;
	printf("Bail out! config: %s\n", err.text);
	exit(1);
}

/* With an empty disk, and a broker. */
static inline bool
world_begin(struct world *w, uint64_t seed, const char *const *set)
{
	world_init(w, seed, sim_disk_new(), set);
	return world_start(w);
}

static inline void
world_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

/* A clean stop; the process ends. */
static inline void
world_stop(struct world *w)
{
	bool stopped = false;

	broker_stop(w->broker, world_stopped, &stopped);
	while (!stopped && os_turn(w->os, -1) != -1)
		;
	broker_free(w->broker);
	while (os_turn(w->os, 0) > 0)
		;
	os_free(w->os);
}

/* The process is killed; the machine goes on. */
static inline void
world_kill(struct world *w)
{
	sim_os_kill(w->os);
	broker_free(w->broker);
	os_free(w->os);
}

/* The machine loses power: unsynced writes by `seed`. */
static inline void
world_crash(struct world *w, uint64_t seed)
{
	struct sim_disk *image;

	sim_os_kill(w->os);
	broker_free(w->broker);
	os_free(w->os);
	sim_net_detach(w->disk);
	image = sim_crash(w->disk, seed);
	sim_disk_free(w->disk);
	w->disk = image;
	sim_net_attach(w->net, w->disk, "localhost");
}

static inline void
world_end(struct world *w)
{
	broker_config_release(&w->config);
	sim_net_detach(w->disk);
	sim_disk_free(w->disk);
	sim_net_free(w->net);
}

/* --- a client ----------------------------------------------------------------------- */

struct client {
	struct os_stream stream; /* first */
	struct os *os;
	struct frame_reader reader;
	uint8_t room[4096];
	struct os_send send[64];
	struct buf sent[64];
	int sends;
	struct buf frames[64]; /* answers, in order */
	int count, taken;
	bool opened, closed, paused;
	int32_t correlation_id;
	struct arena arena;
	const struct api *asked[64];
	int versions[64];
};

static inline size_t
client_room(struct os_stream *s, void **to)
{
	struct client *c = (struct client *)(void *)s;

	*to = c->room;
	return c->paused ? 0 : sizeof(c->room);
}

static inline void
client_bytes(struct os_stream *s, size_t len)
{
	struct client *c = (struct client *)(void *)s;
	unsigned held = MEMORY_HOLD();
	const uint8_t *at = c->room;
	struct err err;

	while (len > 0) {
		ssize_t n = frame_feed(&c->reader, at, len, &err);
		if (n == -1)
			break;
		at += n;
		len -= (size_t)n;
		if (frame_ready(&c->reader))
			c->frames[c->count++] = frame_take(&c->reader);
	}
	MEMORY_RESUME(held);
}

static inline void
client_opened(struct os_stream *s)
{
	((struct client *)(void *)s)->opened = true;
}

static inline void
client_closed(struct os_stream *s, int why)
{
	(void)why;
	((struct client *)(void *)s)->closed = true;
}

static inline struct client *
client_new(struct os *os, const char *address)
{
	struct client *c = calloc(1, sizeof(*c));

	c->os = os;
	c->stream = (struct os_stream){.opened = client_opened, .room = client_room,
	    .bytes = client_bytes, .closed = client_closed};
	frame_reader_init(&c->reader, 100 << 20);
	arena_init(&c->arena, 0);
	if (os_connect(os, &c->stream, address) == -1)
		c->closed = true;
	while (!c->opened && !c->closed && os_turn(os, 10000) > 0)
		;
	return c;
}

static inline void
client_free(struct client *c)
{
	if (!c->closed)
		os_stream_close(c->os, &c->stream, false);
	while (!c->closed && os_turn(c->os, 1000) > 0)
		;
	for (int i = 0; i < c->sends; i++)
		buf_release(&c->sent[i]);
	for (int i = c->taken; i < c->count; i++)
		buf_release(&c->frames[i]);
	frame_reader_release(&c->reader);
	arena_release(&c->arena);
	free(c);
}

static inline void
client_send_bytes(struct client *c, const void *data, size_t len)
{
	int i = c->sends++;

	buf_put(&c->sent[i], data, len);
	c->send[i] = (struct os_send){.data = c->sent[i].data, .len = len, .fd = -1};
	if (!c->closed)
		os_stream_send(c->os, &c->stream, &c->send[i]);
}

/* Sends a request and does not wait. */
static inline void
client_send(struct client *c, int key, int version, const void *msg)
{
	struct buf b = BUF_INIT;
	struct err err;

	c->asked[c->sends] = api_find(key);
	c->versions[c->sends] = version;
	if (request_encode(api_find(key), version, ++c->correlation_id, wire_str_of("test"), msg, &b,
		&err) == -1)
		printf("# request_encode: %s\n", err.text);
	client_send_bytes(c, b.data, b.len);
	buf_release(&b);
}

/* The next answer, in order; its slices live as long as the client. NULL: the
 * connection ended, or nothing came in a minute. */
static inline void *
client_take(struct client *c)
{
	int64_t until = os_mono_ns(c->os) + 60000000000LL;
	int i = c->taken;
	int32_t id;
	struct slice body;
	struct err err;
	void *msg;

	while (c->count <= c->taken && !c->closed && os_mono_ns(c->os) < until)
		if (os_turn(c->os, 1000) == -1)
			return NULL;
	if (c->count <= c->taken)
		return NULL;
	c->taken++;
	msg = arena_alloc(&c->arena, c->asked[i]->response->body->size);
	const uint8_t *copy =
	    (const uint8_t *)arena_memdup(&c->arena, c->frames[i].data, c->frames[i].len);
	struct slice frame = {copy, c->frames[i].len};
	buf_release(&c->frames[i]);
	if (response_decode(c->asked[i], c->versions[i], frame, &id, &body, &err) == -1 ||
	    wire_decode_all(c->asked[i]->response, c->versions[i], body, &c->arena, msg, &err) == -1) {
		printf("# %s v%d: %s\n", c->asked[i]->name, c->versions[i], err.text);
		return NULL;
	}
	if (id != i + 1)
		printf("# answer %d has correlation id %d\n", i + 1, id);
	return msg;
}

static inline void *
client_ask(struct client *c, int key, int version, const void *msg)
{
	client_send(c, key, version, msg);
	return client_take(c);
}

/* --- requests ------------------------------------------------------------------------ */

struct make_topic {
	struct cluster_change ch;
	const char *name;
	int32_t partitions;
	struct broker *b;
	bool done;
};

static inline int
make_topic_prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct make_topic *m = ch->ctx;
	struct topic_wish wish = {.name = m->name, .partitions = m->partitions, .replicas = -1};
	const struct image_topic *t = image_topic(im, m->name);
	struct uuid id;

	if (m->partitions == 0)
		return controller_delete_topic(im, &t->id, r, err);
	return controller_create_topic(im, &wish, 1, 1, m->b->os, r, &id, err);
}

static inline void
make_topic_done(struct cluster_change *ch)
{
	((struct make_topic *)ch->ctx)->done = true;
}

/* Makes a topic, or deletes it (partitions 0), behind the clients' backs. */
static inline void
make_topic(struct world *w, const char *name, int32_t partitions)
{
	struct make_topic m = {.name = name, .partitions = partitions, .b = w->broker};

	m.ch = (struct cluster_change){
	    .prepare = make_topic_prepare, .done = make_topic_done, .ctx = &m};
	cluster_change(w->broker->cluster, &m.ch);
	while (!m.done && os_turn(w->os, -1) != -1)
		;
	if (m.ch.err.code != 0)
		printf("# make_topic: %s\n", m.ch.err.text);
}

/* A batch of `count` records "value", in the builder's memory. */
static inline struct wire_bytes
make_batch(struct batch_builder *bb, int count, const char *value)
{
	struct record rec = {.timestamp = 1700000000000, .key_size = -1,
	    .value = (const uint8_t *)value, .value_size = (int32_t)strlen(value)};
	struct batch b;
	struct err err;

	for (int i = 0; i < count; i++)
		batch_builder_add(bb, &rec, &err);
	if (batch_builder_finish(bb, &b, &err) == -1)
		printf("# %s\n", err.text);
	return wire_bytes_of(b.bytes, (size_t)b.size);
}

struct produce_ask {
	struct produce_request in;
	struct produce_request_topic topic;
	struct produce_request_partition part;
};

static inline const struct produce_request *
ask_produce(struct produce_ask *a, const char *topic, int32_t partition, int16_t acks,
    struct wire_bytes records)
{
	wire_init(&wire_produce_request, &a->in);
	a->part = (struct produce_request_partition){.index = partition, .records = records};
	a->topic = (struct produce_request_topic){.name = wire_str_of(topic)};
	a->topic.partition_data.items = &a->part;
	a->topic.partition_data.count = 1;
	a->in.acks = acks;
	a->in.timeout_ms = 30000;
	a->in.topic_data.items = &a->topic;
	a->in.topic_data.count = 1;
	return &a->in;
}

/* Produces and gives the answer of the only partition; NULL: none. */
static inline const struct produce_response_partition *
produce_one(struct client *c, const char *topic, int32_t partition, int16_t acks, int count,
    const char *value)
{
	struct batch_builder bb;
	struct produce_ask a;
	const struct produce_response *out;

	batch_builder_init(&bb, CODEC_NONE, 0);
	out = client_ask(
	    c, 0, 9, ask_produce(&a, topic, partition, acks, make_batch(&bb, count, value)));
	batch_builder_release(&bb);
	return out != NULL && out->responses.count == 1
	    ? &out->responses.items[0].partition_responses.items[0]
	    : NULL;
}

struct fetch_ask {
	struct fetch_request in;
	struct fetch_request_topic topic;
	struct fetch_request_partition part;
};

static inline const struct fetch_request *
ask_fetch(struct fetch_ask *a, const char *topic, int32_t partition, int64_t offset, int32_t wait_ms)
{
	wire_init(&wire_fetch_request, &a->in);
	a->part = (struct fetch_request_partition){.partition = partition, .fetch_offset = offset,
	    .partition_max_bytes = 1 << 20, .current_leader_epoch = -1, .last_fetched_epoch = -1,
	    .log_start_offset = -1, .high_watermark = INT64_MAX};
	a->topic = (struct fetch_request_topic){.topic = wire_str_of(topic)};
	a->topic.partitions.items = &a->part;
	a->topic.partitions.count = 1;
	a->in.max_wait_ms = wait_ms;
	a->in.min_bytes = 1;
	a->in.max_bytes = 50 << 20;
	a->in.topics.items = &a->topic;
	a->in.topics.count = 1;
	return &a->in;
}

static inline const struct fetch_response_partition *
fetch_one(struct client *c, const char *topic, int32_t partition, int64_t offset, int32_t wait_ms)
{
	struct fetch_ask a;
	const struct fetch_response *out =
	    client_ask(c, 1, 12, ask_fetch(&a, topic, partition, offset, wait_ms));

	return out != NULL && out->responses.count == 1 ? &out->responses.items[0].partitions.items[0]
							: NULL;
}

#endif
