/*
 * follow: many consumers of one broker in one process, for benches.
 *
 *   follow crowd BROKER TOPIC PARTITIONS CONSUMERS RATE SECONDS
 *       CONSUMERS connections, each of which follows one of the topic's partitions,
 *       by turns, while RATE records a second are produced, each in a batch of its
 *       own, to all partitions by turns. Prints the time from a record's being sent
 *       by the producer to its arrival at a consumer: p50 p99 p99.9 max, in
 *       microseconds, and how many arrived. The first second is not counted. Ends
 *       with 1 unless every consumer got every record of its partition, in order.
 *
 *   follow read BROKER TOPIC BYTES READERS SECONDS [DIR]
 *       READERS connections that read partition 0 from its beginning to its end, and
 *       again, BYTES at a time, for so long; the files of the directory DIR are put
 *       out of the page cache meanwhile. Prints MiB a second, and answers.
 *
 * The topic is there, on an empty one for crowd.
 */
#include <err.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "log/batch.h"
#include "os/os_real.h"
#include "wire/frame.h"
#include "wire_gen.h"

#define FETCH_VERSION 12
#define PRODUCE_VERSION 9
#define WAIT_MS 500
#define VALUE_BYTES 100
#define EVICT_MS 20
#define LATE_MS 30000 /* what did not come by then is missed */
#define ROOM ((size_t)1 << 20)

struct client {
	struct os_stream stream; /* first */
	struct frame_reader reader;
	struct os_send send;
	struct buf sent; /* the request that is on its way */
	bool open;
	int32_t partition;
	int64_t offset; /* that it wants next */
	int64_t end_offset;
	int64_t requests;
};

static struct os *os;
static const char *topic;
static struct client *clients, producer;
static size_t client_count, open_count;
static int32_t partition_bytes_max = 1 << 20;
static uint8_t *room;
static struct arena arena;

/* crowd */
static long partitions, rate, total, produced, acknowledged, arrived;
static int64_t begin_ns, *spent_us;
static size_t spent_count, spent_max;

/* read */
static const char *evict_dir;
static int64_t bytes_read, answers;
static bool over;

/* --- connections ---------------------------------------------------------------------- */

static void answered(struct client *c, struct buf *frame);

static struct client *
client_of(struct os_stream *s)
{
	return (struct client *)(void *)s;
}

static void
on_opened(struct os_stream *s)
{
	client_of(s)->open = true;
	open_count++;
}

static size_t
on_room(struct os_stream *s, void **to)
{
	(void)s;
	*to = room;
	return ROOM;
}

static void
on_bytes(struct os_stream *s, size_t len)
{
	struct client *c = client_of(s);
	const uint8_t *at = room;
	struct err err;

	while (len > 0) {
		ssize_t n = frame_feed(&c->reader, at, len, &err);

		if (n == -1)
			errx(1, "%s", err.text);
		at += n;
		len -= (size_t)n;
		if (frame_ready(&c->reader)) {
			struct buf frame = frame_take(&c->reader);

			answered(c, &frame);
			buf_release(&frame);
		}
	}
}

static void
on_closed(struct os_stream *s, int why)
{
	if (!over)
		errx(1, "%s: the connection ended: %s", s->peer, strerror(why));
}

static void
client_connect(struct client *c, const char *broker)
{
	c->stream = (struct os_stream){
	    .opened = on_opened, .room = on_room, .bytes = on_bytes, .closed = on_closed};
	frame_reader_init(&c->reader, 1 << 30);
	if (os_connect(os, &c->stream, broker) == -1)
		err(1, "%s", broker);
}

static void
ask(struct client *c, int key, int version, const void *msg)
{
	struct err err;

	c->sent.len = 0;
	if (request_encode(api_find(key), version, (int32_t)++c->requests, wire_str_of("follow"),
		msg, &c->sent, &err) == -1)
		errx(1, "%s", err.text);
	c->send = (struct os_send){.data = c->sent.data, .len = c->sent.len, .fd = -1};
	os_stream_send(os, &c->stream, &c->send);
}

static void *
read_answer(int key, int version, const struct buf *frame)
{
	const struct api *api = api_find(key);
	struct slice body;
	struct err err;
	int32_t id;
	void *msg;

	arena_reset(&arena);
	msg = arena_alloc(&arena, api->response->body->size);
	if (msg == NULL ||
	    response_decode(api, version, (struct slice){frame->data, frame->len}, &id, &body,
		&err) == -1 ||
	    wire_decode_all(api->response, version, body, &arena, msg, &err) == -1)
		errx(1, "%s: %s", api->name, msg == NULL ? "out of memory" : err.text);
	return msg;
}

/* --- consumers ------------------------------------------------------------------------ */

static void
fetch(struct client *c)
{
	struct fetch_request in;
	struct fetch_request_partition part = {.partition = c->partition,
	    .fetch_offset = c->offset, .partition_max_bytes = partition_bytes_max,
	    .current_leader_epoch = -1, .last_fetched_epoch = -1, .log_start_offset = -1};
	struct fetch_request_topic t = {.topic = wire_str_of(topic)};

	wire_init(&wire_fetch_request, &in);
	t.partitions.items = &part;
	t.partitions.count = 1;
	in.max_wait_ms = WAIT_MS;
	in.min_bytes = 1;
	in.max_bytes = INT32_MAX;
	in.session_epoch = -1;
	in.topics.items = &t;
	in.topics.count = 1;
	ask(c, 1, FETCH_VERSION, &in);
}

/* The only record of a batch holds when it was sent. */
static void
take_record(struct client *c, const struct batch *b)
{
	struct record_reader r = {0};
	struct record rec;
	struct err err;

	if (b->base_offset != c->offset || record_reader_open(&r, b, &err) == -1 ||
	    record_reader_next(&r, &rec, &err) != 1 || rec.value_size != VALUE_BYTES)
		errx(1, "partition %d: not the record of offset %lld", c->partition,
		    (long long)c->offset);
	int64_t sent_ns = (int64_t)be64_get(rec.value);
	record_reader_release(&r);
	arrived++;
	if (sent_ns >= begin_ns + 1000000000 && spent_count < spent_max)
		spent_us[spent_count++] = (os_mono_ns(os) - sent_ns) / 1000;
}

static void
take_records(struct client *c, struct wire_bytes records)
{
	const uint8_t *at = records.data;
	size_t left = records.len > 0 ? (size_t)records.len : 0;
	struct batch b;

	/* The last one may be cut off. */
	for (; left > 0 && batch_view(at, left, &b) == BATCH_OK; c->offset = batch_next_offset(&b)) {
		if (spent_us != NULL)
			take_record(c, &b);
		at += b.size;
		left -= (size_t)b.size;
	}
	bytes_read += records.len;
	answers++;
	if (spent_us == NULL && c->offset >= c->end_offset)
		c->offset = 0;
}

static void
acknowledge(const struct buf *frame)
{
	const struct produce_response *out = read_answer(0, PRODUCE_VERSION, frame);
	int code = out->responses.items[0].partition_responses.items[0].error_code;

	if (code != 0)
		errx(1, "produce: error %d", code);
	acknowledged++;
}

static void
answered(struct client *c, struct buf *frame)
{
	const struct fetch_response *out;
	const struct fetch_response_partition *p;

	if (c == &producer) {
		acknowledge(frame);
		return;
	}
	out = read_answer(1, FETCH_VERSION, frame);
	if (out->error_code != 0 || out->responses.count != 1)
		errx(1, "fetch: error %d", out->error_code);
	p = &out->responses.items[0].partitions.items[0];
	/* Kafka tells some at first that it does not lead yet. */
	if (p->error_code != 0 && c->offset > 0)
		errx(1, "fetch: partition %d: error %d", c->partition, p->error_code);
	c->end_offset = p->high_watermark;
	take_records(c, p->records);
	if (!over)
		fetch(c);
}

static void
begin_clients(const char *broker)
{
	clients = calloc(client_count, sizeof(*clients));
	if (clients == NULL)
		err(1, NULL);
	for (size_t i = 0; i < client_count; i++) {
		clients[i].partition = partitions > 0 ? (int32_t)((long)i % partitions) : 0;
		client_connect(&clients[i], broker);
		/* No more at once than wait to be accepted. */
		while (open_count + 50 < i)
			os_turn(os, 100);
	}
	while (open_count < client_count)
		os_turn(os, 100);
	for (size_t i = 0; i < client_count; i++)
		fetch(&clients[i]);
}

/* --- the producer ----------------------------------------------------------------------- */

/* A request that is on its way. */
struct parcel {
	struct os_send send;
	struct buf bytes;
};

static void
parcel_sent(struct os_send *s, int why)
{
	struct parcel *p = s->ctx;

	(void)why;
	buf_release(&p->bytes);
	free(p);
}

static void
produce(int32_t partition)
{
	static struct batch_builder bb;
	uint8_t value[VALUE_BYTES] = {0};
	struct record rec = {.timestamp = os_wall_ms(os), .key_size = -1, .value = value,
	    .value_size = VALUE_BYTES};
	struct produce_request in;
	struct produce_request_partition part = {.index = partition};
	struct produce_request_topic t = {.name = wire_str_of(topic)};
	struct parcel *p = calloc(1, sizeof(*p));
	struct batch b;
	struct err err;

	if (p == NULL)
		errx(1, "out of memory");
	be64_put(value, (uint64_t)os_mono_ns(os));
	batch_builder_reset(&bb);
	if (batch_builder_add(&bb, &rec, &err) == -1 || batch_builder_finish(&bb, &b, &err) == -1)
		errx(1, "%s", err.text);
	wire_init(&wire_produce_request, &in);
	part.records = wire_bytes_of(b.bytes, (size_t)b.size);
	t.partition_data.items = &part;
	t.partition_data.count = 1;
	in.acks = -1;
	in.timeout_ms = 30000;
	in.topic_data.items = &t;
	in.topic_data.count = 1;
	if (request_encode(api_find(0), PRODUCE_VERSION, (int32_t)++producer.requests,
		wire_str_of("follow"), &in, &p->bytes, &err) == -1)
		errx(1, "%s", err.text);
	p->send = (struct os_send){.data = p->bytes.data, .len = p->bytes.len, .fd = -1,
	    .done = parcel_sent, .ctx = p};
	os_stream_send(os, &producer.stream, &p->send);
}

static void
produce_due(struct os_timer *t)
{
	int64_t now_ns = os_mono_ns(os);

	while (produced < total && begin_ns + produced * 1000000000LL / rate <= now_ns) {
		produce((int32_t)(produced % partitions));
		produced++;
	}
	if (produced < total)
		os_timer_start(os, t, 1);
}

/* --- crowd --------------------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* How many arrivals there must be. */
static long
expected(void)
{
	long sum = 0;

	for (size_t i = 0; i < client_count; i++)
		sum += total / partitions + (clients[i].partition < total % partitions);
	return sum;
}

static void
crowd(const char *broker, long seconds)
{
	struct os_timer timer = {.fire = produce_due};
	int64_t late_ns;

	total = rate * seconds;
	spent_max = (size_t)total * (client_count / (size_t)partitions + 1);
	spent_us = calloc(spent_max, sizeof(*spent_us));
	if (spent_us == NULL)
		err(1, NULL);
	begin_clients(broker);
	client_connect(&producer, broker);
	while (open_count <= client_count)
		os_turn(os, 100);
	begin_ns = os_mono_ns(os);
	late_ns = begin_ns + seconds * 1000000000 + LATE_MS * 1000000LL;
	produce_due(&timer);
	while (arrived < expected() && os_mono_ns(os) < late_ns)
		os_turn(os, 100);
	if (arrived != expected() || spent_count == 0)
		errx(1, "%ld records arrived, of %ld; %ld sent, %ld acknowledged", arrived,
		    expected(), produced, acknowledged);
	qsort(spent_us, spent_count, sizeof(*spent_us), by_size);
	printf("%lld %lld %lld %lld %ld\n", (long long)spent_us[spent_count / 2],
	    (long long)spent_us[spent_count * 99 / 100],
	    (long long)spent_us[spent_count * 999 / 1000],
	    (long long)spent_us[spent_count - 1], arrived);
}

/* --- read ---------------------------------------------------------------------------------- */

static void
evict(struct os_timer *t)
{
	DIR *d = opendir(evict_dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);

		if (fd == -1)
			continue;
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	if (d != NULL)
		closedir(d);
	os_timer_start(os, t, EVICT_MS);
}

static void
read_all(const char *broker, long seconds)
{
	struct os_timer timer = {.fire = evict};
	int64_t until_ns;

	if (evict_dir != NULL)
		evict(&timer);
	begin_clients(broker);
	begin_ns = os_mono_ns(os);
	until_ns = begin_ns + seconds * 1000000000;
	while (os_mono_ns(os) < until_ns)
		os_turn(os, 100);
	printf("%.0f %lld\n", (double)bytes_read / (1 << 20) / (double)seconds, (long long)answers);
}

int
main(int argc, char **argv)
{
	struct err why;

	os = os_real_new(&why);
	room = malloc(ROOM);
	if (os == NULL || room == NULL)
		errx(1, "out of memory");
	arena_init(&arena, 0);
	if (argc == 8 && strcmp(argv[1], "crowd") == 0) {
		topic = argv[3];
		partitions = atol(argv[4]);
		client_count = (size_t)atol(argv[5]);
		rate = atol(argv[6]);
		crowd(argv[2], atol(argv[7]));
	} else if ((argc == 7 || argc == 8) && strcmp(argv[1], "read") == 0) {
		topic = argv[3];
		partition_bytes_max = atoi(argv[4]);
		client_count = (size_t)atol(argv[5]);
		evict_dir = argv[7];
		read_all(argv[2], atol(argv[6]));
	} else {
		errx(2, "usage: follow crowd BROKER TOPIC PARTITIONS CONSUMERS RATE SECONDS\n"
			"       follow read BROKER TOPIC BYTES READERS SECONDS [DIR]");
	}
	fflush(stdout);
	/* No time for a tidy end. */
	_exit(0);
}
