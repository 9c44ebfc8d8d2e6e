/* Peers that mean harm, or are broken: faults 34 to 39 of the reliability page. */
#include "mqd/replica/partition.h"
#include <malloc.h>

#include "mqd_broker_test.h"

static struct world w;

/* What malloc has given out, the simulated network's and the clients' included. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static int64_t
heap_bytes(void)
{
	struct mallinfo2 m;

	if (__sanitizer_get_current_allocated_bytes != NULL)
		return (int64_t)__sanitizer_get_current_allocated_bytes();
	m = mallinfo2();
	return (int64_t)(m.uordblks + m.hblkhd);
}

static void
turn_for(int64_t ms)
{
	int64_t until = os_mono_ns(w.os) + ms * 1000000;

	while (os_mono_ns(w.os) < until && os_turn(w.os, (int)((until - os_mono_ns(w.os)) / 1000000) + 1) != -1)
		;
}

/* Another client's request and its answer, in virtual ms; -1: none. */
static int64_t
latency_ms(void)
{
	struct client *c = client_new(w.os, BROKER_ADDRESS);
	int64_t before = os_mono_ns(w.os);
	const struct produce_response_partition *p = produce_one(c, "t", 0, -1, 1, "x");
	int64_t spent = os_mono_ns(w.os) - before;
	bool good = p != NULL && p->error_code == 0;

	client_free(c);
	return good ? spent / 1000000 : -1;
}

static int64_t
end_of_log(void)
{
	struct client *c = client_new(w.os, BROKER_ADDRESS);
	const struct fetch_response_partition *f = fetch_one(c, "t", 0, 0, 0);
	int64_t end = f != NULL ? f->high_watermark : -1;

	client_free(c);
	return end;
}

static void
begin(const char *const *set)
{
	world_begin(&w, 7, set);
	make_topic(&w, "t", 1);
}

static void
end(void)
{
	world_stop(&w);
	world_end(&w);
}

/* --- 34 ----------------------------------------------------------------------------- */

static void
test_half_request(void)
{
	struct client *c;

	begin(NULL);
	c = client_new(w.os, BROKER_ADDRESS);
	client_send_bytes(c, "\0\0\1\0\0\1", 6);
	turn_for(FRAME_MS / 2);
	ok(!c->closed, "34: a request may take its time");
	ok(latency_ms() >= 0 && latency_ms() < 1000, "34: others do not notice");
	turn_for(FRAME_MS);
	ok(c->closed, "34: one that does not come to its end is given up");
	client_free(c);
	end();
}

/* A byte now and then does not keep a request alive. */
static void
test_slow_loris(void)
{
	struct client *c;
	int bytes = 0;

	begin(NULL);
	c = client_new(w.os, BROKER_ADDRESS);
	client_send_bytes(c, "\0\0\1\0", 4);
	while (!c->closed && bytes < 60) {
		client_send_bytes(c, "\0", 1);
		turn_for(2000);
		bytes++;
	}
	ok(c->closed && bytes < 30, "34: a byte every two seconds is not enough (%d)", bytes);
	client_free(c);
	end();
}

static void
test_idle_crowd(void)
{
	enum { CROWD = 500 };
	static struct client *crowd[CROWD];
	const char *set[] = {"max.connections=400", "connections.max.idle.ms=60000", NULL};
	size_t open = 0;

	begin(set);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = client_new(w.os, BROKER_ADDRESS);
	turn_for(1000);
	for (int i = 0; i < CROWD; i++)
		open += !crowd[i]->closed;
	is_int(open, 400, "34: no more connections than max.connections");
	is_int(net_stats(w.broker->net).queued_bytes, 0, "34: idle ones hold no memory of requests");
	turn_for(61000);
	is_int(net_stats(w.broker->net).connections, 0, "34: idle ones are closed");
	ok(latency_ms() >= 0, "34: then there is room again");
	for (int i = 0; i < CROWD; i++)
		client_free(crowd[i]);
	end();
}

/* --- 35 ----------------------------------------------------------------------------- */

static void
test_deaf_consumer(void)
{
	static char value[100001];
	struct client *c, *producer;
	struct fetch_ask a;
	size_t most = 0;

	begin(NULL);
	memset(value, 'v', sizeof(value) - 1);
	producer = client_new(w.os, BROKER_ADDRESS);
	for (int i = 0; i < 30; i++)
		produce_one(producer, "t", 0, -1, 1, value);
	c = client_new(w.os, BROKER_ADDRESS);
	c->paused = true;
	for (int i = 0; i < 40; i++)
		client_send(c, 1, 12, ask_fetch(&a, "t", 0, 0, 0));
	for (int i = 0; i < 200; i++) {
		size_t out = (size_t)net_stats(w.broker->net).bytes_out;

		turn_for(10);
		most = out > most ? out : most;
	}
	ok(most < (6 << 20), "35: for who does not read, no more than a few answers are made (%zu bytes)",
	    most);
	ok(latency_ms() >= 0 && latency_ms() < 1000, "35: others do not notice");
	turn_for(2 * SEND_MS);
	is_int(net_stats(w.broker->net).connections, 1, "35: it is given up");
	client_free(c);
	client_free(producer);
	end();
}

/* One that reads, but slowly: a megabyte in minutes. */
static void
test_slow_consumer(void)
{
	static char value[100001];
	struct client *c, *producer;
	struct fetch_ask a;
	int64_t until;

	begin(NULL);
	memset(value, 'v', sizeof(value) - 1);
	producer = client_new(w.os, BROKER_ADDRESS);
	for (int i = 0; i < 9; i++)
		produce_one(producer, "t", 0, -1, 1, value);
	c = client_new(w.os, BROKER_ADDRESS);
	c->paused = true;
	client_send(c, 1, 12, ask_fetch(&a, "t", 0, 0, 0));
	until = os_mono_ns(w.os) + 2LL * SEND_MS * 1000000;
	while (!c->closed && os_mono_ns(w.os) < until) {
		c->paused = false;
		os_stream_read(c->os, &c->stream);
		for (int i = 0; i < 2; i++)
			os_turn(w.os, 1);
		c->paused = true;
		turn_for(2000);
	}
	ok(!c->closed && c->count == 0, "35: who reads an answer slowly may go on");
	turn_for(3 * SEND_MS);
	is_int(net_stats(w.broker->net).connections, 1, "35: until it reads no more");
	client_free(c);
	client_free(producer);
	end();
}

/* A consumer hangs up while its fetch waits for ten minutes, `behind` more behind it, and
 * at last a record that wants no answer. */
static void
hang_up(int behind)
{
	struct client *c = client_new(w.os, BROKER_ADDRESS);
	struct batch_builder bb;
	struct produce_ask pa;
	struct fetch_ask a;
	int code, freed_ms = 0;
	int64_t before = end_of_log();
	const struct partition *p =
	    partitions_find(w.broker->partitions, "t", 1, NULL, 0, &code);

	ask_fetch(&a, "t", 0, before, 600000);
	a.in.min_bytes = 1 << 20;
	batch_builder_init(&bb, CODEC_NONE, 0);
	client_send(c, 1, 12, &a.in);
	for (int i = 0; i < behind; i++)
		client_send(c, 1, 12, &a.in);
	client_send(c, 0, 9, ask_produce(&pa, "t", 0, 0, make_batch(&bb, 1, "last words")));
	turn_for(1000);
	ok(p->waiters != NULL && net_stats(w.broker->net).under_way == 1,
	    "35: a fetch waits, %d requests behind it", behind + 1);
	os_stream_close(w.os, &c->stream, true);
	while (net_stats(w.broker->net).connections > 0 && freed_ms++ < 1000)
		turn_for(1);
	ok(p->waiters == NULL && freed_ms < 1000,
	    "35: when its client hangs up it ends at once (%d ms)", freed_ms);
	is_int(net_stats(w.broker->net).queued_bytes, 0, "35: nothing is kept of it");
	is_int(end_of_log(), before + 1, "35: what came before the end is done all the same");
	client_free(c);
	batch_builder_release(&bb);
}

static void
test_hang_up(void)
{
	begin(NULL);
	latency_ms(); /* the topic's first record */
	hang_up(0);
	hang_up(1);
	hang_up(40);
	end();
}

/* --- 36, 37 --------------------------------------------------------------------------- */

static bool
is_closed_by(const void *bytes, size_t len)
{
	struct client *c = client_new(w.os, BROKER_ADDRESS);
	bool closed;

	client_send_bytes(c, bytes, len);
	turn_for(1000);
	closed = c->closed;
	client_free(c);
	return closed;
}

static void
test_lengths(void)
{
	begin(NULL);
	ok(is_closed_by("\x7f\xff\xff\xff", 4), "36: a length of 2 GB");
	ok(is_closed_by("\xff\xff\xff\xff", 4), "36: a negative length");
	ok(is_closed_by("\x06\x40\0\1", 4), "36: a length above socket.request.max.bytes");
	ok(is_closed_by("\0\0\0\0", 4), "36: nothing at all");
	ok(is_closed_by("\0\0\0\1\0", 5), "37: less than a header");
	is_int(net_stats(w.broker->net).queued_bytes, 0, "36: nothing was kept of them");
	end();
}

/* A valid request with some bytes changed, cut or doubled. */
static void
garble(struct buf *b, uint64_t *seed)
{
	int edits = 1 + (int)((*seed >> 7) % 4);

	for (int i = 0; i < edits; i++) {
		*seed = *seed * 6364136223846793005u + 1442695040888963407u;
		size_t at = 4 + (size_t)((*seed >> 33) % (b->len - 4));

		b->data[at] = (uint8_t)(*seed >> 17);
	}
}

static void
test_garbled(void)
{
	uint64_t seed = 1;
	struct fetch_ask fa;
	struct produce_ask pa;
	struct batch_builder bb;
	struct err err;
	int answered = 0, closed = 0;

	begin(NULL);
	batch_builder_init(&bb, CODEC_NONE, 0);
	struct wire_bytes records = make_batch(&bb, 2, "value");
	for (int i = 0; i < 600; i++) {
		struct client *c = client_new(w.os, BROKER_ADDRESS);
		struct buf b = BUF_INIT;
		int key = i % 2, version = key == 0 ? 3 + i % 10 : 4 + i % 9;

		request_encode(api_find(key), version, 1, wire_str_of("test"),
		    key == 0 ? (const void *)ask_produce(&pa, "t", 0, -1, records)
			     : (const void *)ask_fetch(&fa, "t", 0, 0, 0),
		    &b, &err);
		garble(&b, &seed);
		client_send_bytes(c, b.data, b.len);
		turn_for(100);
		answered += c->count > 0;
		closed += c->closed;
		buf_release(&b);
		client_free(c);
	}
	ok(answered > 20 && closed > 20, "37: garbled requests are answered (%d) or end the connection (%d)",
	    answered, closed);
	ok(latency_ms() >= 0, "37: and the broker goes on");
	batch_builder_release(&bb);
	end();
}

/* --- 38, 39 --------------------------------------------------------------------------- */

static int
produce_bytes(const void *bytes, size_t len)
{
	struct client *c = client_new(w.os, BROKER_ADDRESS);
	struct produce_ask a;
	const struct produce_response *out =
	    client_ask(c, 0, 9, ask_produce(&a, "t", 0, -1, wire_bytes_of(bytes, len)));
	int code =
	    out != NULL ? out->responses.items[0].partition_responses.items[0].error_code : -1000;

	client_free(c);
	return code;
}

static void
reseal(uint8_t *bytes, size_t len)
{
	struct batch b;

	batch_view_header(bytes, len, &b);
	b.size = (int64_t)len;
	batch_seal(bytes, &b);
}

static void
test_bad_batches(void)
{
	struct batch_builder bb;
	uint8_t bytes[512];

	begin(NULL);
	batch_builder_init(&bb, CODEC_NONE, 0);
	struct wire_bytes good = make_batch(&bb, 2, "value");
	size_t len = (size_t)good.len;
#define FRESH memcpy(bytes, good.data, len)
	FRESH;
	bytes[len - 1] ^= 1;
	is_int(produce_bytes(bytes, len), ERR_CORRUPT_MESSAGE, "38: a bad checksum");
	FRESH;
	bytes[16] = 3;
	is_int(produce_bytes(bytes, len), ERR_CORRUPT_MESSAGE, "38: a magic of the future");
	FRESH;
	bytes[16] = 1;
	is_int(produce_bytes(bytes, len), ERR_INVALID_RECORD, "38: a magic of the past");
	FRESH;
	be32_put(bytes + 8, 10);
	is_int(produce_bytes(bytes, len), ERR_CORRUPT_MESSAGE, "38: a length that is too small");
	is_int(produce_bytes(good.data, len - 1), ERR_INVALID_RECORD, "38: a batch that is cut short");
	is_int(produce_bytes(good.data, 0), ERR_INVALID_RECORD, "38: no batch");
	FRESH;
	memcpy(bytes + len, good.data, len);
	is_int(produce_bytes(bytes, 2 * len), ERR_INVALID_RECORD, "38: two batches");
	FRESH;
	be32_put(bytes + 57, 3);
	reseal(bytes, len);
	is_int(produce_bytes(bytes, len), ERR_INVALID_RECORD, "38: a wrong number of records");
	FRESH;
	bytes[61] ^= 0x20;
	reseal(bytes, len);
	is_int(produce_bytes(bytes, len), ERR_INVALID_RECORD, "38: records that do not parse");
	FRESH;
	bytes[22] |= BATCH_CONTROL;
	reseal(bytes, len);
	is_int(produce_bytes(bytes, len), ERR_INVALID_RECORD, "38: a control batch");
	FRESH;
	bytes[22] |= CODEC_GZIP;
	reseal(bytes, len);
	ok(produce_bytes(bytes, len) > 0, "39: what is not in the codec that it names");
	is_int(end_of_log(), 0, "38, 39: the log is untouched");
	is_int(produce_bytes(good.data, len), 0, "38: the good one is taken");
	is_int(end_of_log(), 2, "38: and there");
	FRESH;
	bytes[len] = 7;
	is_int(produce_bytes(bytes, len + 1), 0, "38: what is no batch behind one is not looked at");
	is_int(end_of_log(), 4, "38: nor stored");
	batch_builder_release(&bb);
	end();
}

/* --- memory ---------------------------------------------------------------------------- */

/* Large requests from many at once share queued.max.request.bytes; all are done. */
static void
test_memory_cap(void)
{
	enum { CLIENTS = 12, SIZE = 900000 };
	const char *set[] = {
	    "queued.max.request.bytes=2000000", "socket.request.max.bytes=1000000", NULL};
	static char value[SIZE + 1];
	struct client *c[CLIENTS];
	struct batch_builder bb;
	struct produce_ask a;
	int64_t most = 0;
	int done = 0;

	begin(set);
	memset(value, 'v', SIZE);
	batch_builder_init(&bb, CODEC_NONE, 0);
	struct wire_bytes batch = make_batch(&bb, 1, value);
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = client_new(w.os, BROKER_ADDRESS);
		client_send(c[i], 0, 9, ask_produce(&a, "t", 0, -1, batch));
	}
	for (int turns = 0; done < CLIENTS && turns < 100000; turns++) {
		int64_t now = net_stats(w.broker->net).queued_bytes;

		os_turn(w.os, 1000);
		most = now > most ? now : most;
		done = 0;
		for (int i = 0; i < CLIENTS; i++)
			done += c[i]->count;
	}
	is_int(done, CLIENTS, "34: large requests from many at once are all answered");
	ok(most <= 2000000 + 500000 + 2 * SIZE, "34: within the cap and one frame (%lld bytes)",
	    (long long)most);
	for (int i = 0; i < CLIENTS; i++)
		client_free(c[i]);
	batch_builder_release(&bb);
	is_int(net_stats(w.broker->net).queued_bytes, 0, "34: and all memory is given back");
	end();
}

/* Hundreds of clients that send parts of large requests, or only their lengths. What the
 * process really takes is held against the cap. */
static void
test_memory_attack(void)
{
	enum { CLIENTS = 300, SIZE = 1000000, SENT = 200000, WINDOW = 16 << 10, CAP = 4000000 };
	const char *set[] = {"queued.max.request.bytes=4000000",
	    "socket.request.max.bytes=1000000", NULL};
	static struct client *c[CLIENTS];
	static uint8_t part[SENT];
	int64_t before, most = 0, spent;

	begin(set);
	sim_net_settings(w.net)->window_bytes = WINDOW;
	be32_put(part, SIZE);
	before = heap_bytes();
	for (int i = 0; i < CLIENTS; i++) {
		size_t len = i % 3 == 0 ? SENT : i % 3 == 1 ? 4 : 6000;

		c[i] = client_new(w.os, BROKER_ADDRESS);
		client_send_bytes(c[i], part, len);
		/* The test's own. */
		before += (int64_t)(sizeof(*c[i]) + c[i]->sent[0].cap);
	}
	for (int i = 0; i < 500; i++) {
		turn_for(10);
		most = heap_bytes() - before > most ? heap_bytes() - before : most;
	}
	spent = latency_ms();
	ok(spent >= 0 && spent < 1000, "34: others keep their latency (%lld ms)", (long long)spent);
	/* In front of the broker the kernels hold a window for each. */
	ok(most < CAP + CAP / 4 + 2 * SIZE + CLIENTS * WINDOW,
	    "34: %d clients' parts of requests take %lld bytes in all", CLIENTS, (long long)most);
	turn_for(FRAME_MS + 20000);
	for (int i = 0; i < CLIENTS; i++)
		client_free(c[i]);
	turn_for(1000);
	is_int(net_stats(w.broker->net).queued_bytes, 0, "34: and none when they are gone");
	end();
}

/* Consumers that ask much and read nothing. */
static void
test_memory_deaf(void)
{
	enum { CLIENTS = 50, VALUE = 100000 };
	static char value[VALUE + 1];
	static struct client *c[CLIENTS];
	struct client *producer;
	struct fetch_ask a;
	int64_t before, most = 0, spent;

	begin(NULL);
	sim_net_settings(w.net)->window_bytes = 16 << 10;
	memset(value, 'v', VALUE);
	producer = client_new(w.os, BROKER_ADDRESS);
	for (int i = 0; i < 30; i++)
		produce_one(producer, "t", 0, -1, 1, value);
	before = heap_bytes();
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = client_new(w.os, BROKER_ADDRESS);
		c[i]->paused = true;
		for (int n = 0; n < 40; n++)
			client_send(c[i], 1, 12, ask_fetch(&a, "t", 0, 0, 0));
		before += (int64_t)sizeof(*c[i]);
	}
	for (int i = 0; i < 200; i++) {
		turn_for(10);
		most = heap_bytes() - before > most ? heap_bytes() - before : most;
	}
	spent = latency_ms();
	ok(spent >= 0 && spent < 1000, "35: others keep their latency (%lld ms)", (long long)spent);
	ok(most < CLIENTS * (int64_t)(2 << 20), "35: %d deaf consumers take %lld bytes in all",
	    CLIENTS, (long long)most);
	for (int i = 0; i < CLIENTS; i++)
		client_free(c[i]);
	client_free(producer);
	end();
}

/* A megabyte of nothing but zeros, packed: it is opened piece by piece. */
static void
test_bomb(void)
{
	enum { VALUE = 64 << 20 };
	char *value = malloc(VALUE + 1);
	struct batch_builder bb;
	struct wire_bytes batch;
	int64_t before, after;
	int code;

	begin(NULL);
	memset(value, '0', VALUE);
	value[VALUE] = '\0';
	batch_builder_init(&bb, CODEC_GZIP, 9);
	batch = make_batch(&bb, 1, value);
	before = heap_bytes();
	code = produce_bytes(batch.data, (size_t)batch.len);
	after = heap_bytes();
	ok(code == 0 || code > 0, "39: %d bytes that were %d are opened: %d", batch.len, VALUE, code);
	ok(after - before < (4 << 20), "39: and nothing of them is kept (%lld bytes)",
	    (long long)(after - before));
	ok(latency_ms() >= 0, "39: others are served");
	batch_builder_release(&bb);
	free(value);
	end();
}

int
main(void)
{
	test_half_request();
	test_slow_loris();
	test_idle_crowd();
	test_deaf_consumer();
	test_slow_consumer();
	test_hang_up();
	test_lengths();
	test_garbled();
	test_bad_batches();
	test_memory_cap();
	test_memory_attack();
	test_memory_deaf();
	test_bomb();
	return tap_done();
}
