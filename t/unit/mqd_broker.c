/* A broker and its clients, on a simulated machine and network. */
#include "mqd_broker_test.h"

static void
test_versions(void)
{
	struct world w;
	struct client *c;
	struct api_versions_request in;
	const struct api_versions_response *out;

	ok(world_begin(&w, 1, NULL), "a broker starts on nothing");
	c = client_new(w.os, BROKER_ADDRESS);
	wire_init(&wire_api_versions_request, &in);
	in.client_software_name = wire_str_of("test");
	in.client_software_version = wire_str_of("1.0");
	out = client_ask(c, 18, 3, &in);
	ok(out != NULL && out->error_code == 0 && out->api_keys.count > 3, "ApiVersions");
	in.client_software_name = wire_str_of("-");
	out = client_ask(c, 18, 3, &in);
	ok(out != NULL && out->error_code == ERR_INVALID_REQUEST, "a bad software name");
	client_send_bytes(c, "\0\0\0\x0c\0\x12\0\x63\0\0\0\x03\0\1x\0", 16);
	c->asked[2] = api_find(18);
	c->versions[2] = 0;
	out = client_take(c);
	ok(out != NULL && out->error_code == ERR_UNSUPPORTED_VERSION && out->api_keys.count == 1 &&
		out->api_keys.items[0].max_version == 4,
	    "version 99 is answered in version 0, with what there is");
	client_send_bytes(c, "\0\0\0\x0a\x7f\xff\0\0\0\0\0\4\0\0", 14);
	client_take(c);
	ok(c->closed, "an unknown key closes the connection");
	client_free(c);
	world_stop(&w);
	ok(world_start(&w) && cluster_was_clean(w.broker->cluster), "after a clean stop it starts again");
	world_stop(&w);
	world_end(&w);
}

static void
test_produce_fetch(void)
{
	struct world w;
	struct client *c;
	const struct produce_response_partition *p;
	const struct fetch_response_partition *f;
	struct batch b;

	world_begin(&w, 2, NULL);
	c = client_new(w.os, BROKER_ADDRESS);
	p = produce_one(c, "t", 0, -1, 3, "hello");
	ok(p != NULL && p->error_code == ERR_UNKNOWN_TOPIC_OR_PARTITION, "no such topic");
	make_topic(&w, "t", 2);
	p = produce_one(c, "t", 0, -1, 3, "hello");
	ok(p != NULL && p->error_code == 0 && p->base_offset == 0, "three records are acknowledged");
	p = produce_one(c, "t", 0, 1, 2, "world");
	ok(p != NULL && p->error_code == 0 && p->base_offset == 3, "two more, acks 1");
	p = produce_one(c, "t", 2, -1, 1, "x");
	ok(p != NULL && p->error_code == ERR_UNKNOWN_TOPIC_OR_PARTITION, "no such partition");
	p = produce_one(c, "t", 1, 2, 1, "x");
	ok(p != NULL && p->error_code == ERR_INVALID_REQUIRED_ACKS, "acks 2");
	f = fetch_one(c, "t", 0, 0, 100);
	ok(f != NULL && f->error_code == 0 && f->records.len > 0 &&
		batch_view(f->records.data, (size_t)f->records.len, &b) == BATCH_OK &&
		b.base_offset == 0 && b.record_count == 3 && batch_check(&b) == BATCH_OK,
	    "the first batch is fetched, whole");
	f = fetch_one(c, "t", 0, 3, 1000);
	ok(f != NULL && batch_view(f->records.data, (size_t)f->records.len, &b) == BATCH_OK &&
		b.base_offset == 3 && b.record_count == 2 && f->high_watermark == 5,
	    "and the second");
	f = fetch_one(c, "t", 0, 6, 100);
	ok(f != NULL && f->error_code == ERR_OFFSET_OUT_OF_RANGE, "an offset beyond the end");
	f = fetch_one(c, "t", 0, 5, 100);
	ok(f != NULL && f->error_code == 0 && f->records.len == 0, "at the end there is nothing");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

static const struct fetch_response_partition *
fetched(const struct fetch_response *out)
{
	return out != NULL && out->responses.count == 1
	    ? &out->responses.items[0].partitions.items[0]
	    : NULL;
}

/* What followers say of themselves and of where they are (KIP-595). */
static void
test_fetch_epochs(void)
{
	struct world w;
	struct client *c;
	struct fetch_ask a;
	const struct fetch_response_partition *f;

	world_begin(&w, 7, NULL);
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	produce_one(c, "t", 0, -1, 3, "hello");

	ask_fetch(&a, "t", 0, 2, 0);
	a.part.last_fetched_epoch = 0;
	f = fetched(client_ask(c, 1, 12, &a.in));
	ok(f != NULL && f->error_code == 0 && f->diverging_epoch.epoch == -1 && f->records.len > 0,
	    "the last epoch fetched is the log's: records");
	a.part.fetch_offset = 5;
	f = fetched(client_ask(c, 1, 12, &a.in));
	ok(f != NULL && f->error_code == 0 && f->diverging_epoch.epoch == 0 &&
		f->diverging_epoch.end_offset == 3 && f->records.len == 0,
	    "it ends before the offset: where they part");
	a.part.last_fetched_epoch = 7;
	f = fetched(client_ask(c, 1, 12, &a.in));
	ok(f != NULL && f->error_code == ERR_OFFSET_OUT_OF_RANGE && f->high_watermark == -1,
	    "an epoch that is none yet");
	ask_fetch(&a, "t", 0, 0, 0);
	a.in.replica_id = 7;
	f = fetched(client_ask(c, 1, 12, &a.in));
	ok(f != NULL && f->error_code == ERR_NOT_LEADER_OR_FOLLOWER, "a replica that there is not");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

/* The time of a batch's newest record is looked up and deleted by. */
static void
test_header_time(void)
{
	struct world w;
	struct client *c;
	struct batch_builder bb;
	struct produce_ask a;
	struct wire_bytes records;
	const struct fetch_response_partition *f;
	uint8_t bytes[512];
	struct batch b;
	int64_t newest;

	world_begin(&w, 8, NULL);
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	batch_builder_init(&bb, CODEC_NONE, 0);
	records = make_batch(&bb, 2, "x");
	memcpy(bytes, records.data, (size_t)records.len);
	batch_view(bytes, (size_t)records.len, &b);
	newest = b.max_timestamp;
	batch_set_max_timestamp(bytes, newest + 500);
	ask_produce(&a, "t", 0, -1, (struct wire_bytes){bytes, records.len});
	client_ask(c, 0, 9, &a.in);
	f = fetch_one(c, "t", 0, 0, 100);
	ok(f != NULL && batch_view(f->records.data, (size_t)f->records.len, &b) == BATCH_OK &&
		batch_check(&b) == BATCH_OK && b.max_timestamp == newest,
	    "a time in the header that no record has is set right");
	batch_builder_release(&bb);
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

static void
test_long_poll(void)
{
	struct world w;
	struct client *consumer, *producer;
	struct fetch_ask a;
	const struct fetch_response *out;

	world_begin(&w, 3, NULL);
	make_topic(&w, "t", 1);
	consumer = client_new(w.os, BROKER_ADDRESS);
	producer = client_new(w.os, BROKER_ADDRESS);
	client_send(consumer, 1, 12, ask_fetch(&a, "t", 0, 0, 20000));
	for (int i = 0; i < 50; i++)
		os_turn(w.os, 10);
	is_int(consumer->count, 0, "a fetch at the end waits");
	int64_t before = os_mono_ns(w.os);
	produce_one(producer, "t", 0, -1, 1, "x");
	out = client_take(consumer);
	ok(out != NULL && out->responses.items[0].partitions.items[0].records.len > 0 &&
		os_mono_ns(w.os) - before < 1000000000,
	    "and is answered when something came");
	client_send(consumer, 1, 12, ask_fetch(&a, "t", 0, 1, 20000));
	for (int i = 0; i < 50; i++)
		os_turn(w.os, 10);
	make_topic(&w, "t", 0);
	out = client_take(consumer);
	ok(out != NULL && out->responses.items[0].partitions.items[0].error_code ==
		ERR_UNKNOWN_TOPIC_OR_PARTITION,
	    "it is told that its topic was deleted");
	client_free(consumer);
	client_free(producer);
	world_stop(&w);
	world_end(&w);
}

/* Requests that are sent at once are answered in order, and appended in order. */
static void
test_pipeline(void)
{
	struct world w;
	struct client *c;
	struct batch_builder bb;
	struct produce_ask a;
	struct fetch_ask fa;
	bool in_order = true;

	world_begin(&w, 4, NULL);
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	batch_builder_init(&bb, CODEC_NONE, 0);
	for (int i = 0; i < 20; i++) {
		batch_builder_reset(&bb);
		client_send(c, 0, 9, ask_produce(&a, "t", 0, -1, make_batch(&bb, i + 1, "v")));
	}
	client_send(c, 1, 12, ask_fetch(&fa, "t", 0, 209, 0));
	for (int i = 0, next = 0; i < 20; next += ++i) {
		const struct produce_response *out = client_take(c);

		in_order = in_order && out != NULL &&
		    out->responses.items[0].partition_responses.items[0].base_offset == next;
	}
	ok(in_order, "twenty requests in the pipe are appended and answered in order");
	const struct fetch_response *out = client_take(c);
	ok(out != NULL && out->responses.items[0].partitions.items[0].high_watermark == 210,
	    "what comes behind them sees them");
	batch_builder_release(&bb);
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

/* What was acknowledged is there after a crash, whatever became of unsynced writes. */
static void
test_crash(void)
{
	bool kept = true;

	for (uint64_t seed = 0; seed < 30; seed++) {
		struct world w;
		struct client *c;
		const struct produce_response_partition *p = NULL;
		const struct fetch_response_partition *f;

		world_begin(&w, seed, NULL);
		make_topic(&w, "t", 1);
		c = client_new(w.os, BROKER_ADDRESS);
		for (int i = 0; i < 5; i++)
			p = produce_one(c, "t", 0, -1, 2, "kept");
		kept = kept && p != NULL && p->base_offset == 8;
		client_free(c);
		world_crash(&w, seed);
		kept = kept && world_start(&w);
		c = client_new(w.os, BROKER_ADDRESS);
		f = fetch_one(c, "t", 0, 9, 0);
		kept = kept && f != NULL && f->error_code == 0 && f->high_watermark == 10 &&
		    f->records.len > 0;
		client_free(c);
		world_stop(&w);
		world_end(&w);
	}
	ok(kept, "what was acknowledged survives every crash");
}

static int64_t
latest(struct client *c, const char *topic)
{
	struct list_offsets_request in;
	struct list_offsets_request_partition part = {.current_leader_epoch = -1, .timestamp = -1};
	struct list_offsets_request_topic t = {.name = wire_str_of(topic)};
	const struct list_offsets_response *out;

	wire_init(&wire_list_offsets_request, &in);
	t.partitions.items = &part;
	t.partitions.count = 1;
	in.replica_id = -1;
	in.topics.items = &t;
	in.topics.count = 1;
	out = client_ask(c, 2, 7, &in);
	return out != NULL ? out->topics.items[0].partitions.items[0].offset : -1;
}

/* The end is not told lower after a kill than what has been written. */
static void
test_kill(void)
{
	struct world w;
	struct client *c;

	world_begin(&w, 5, NULL);
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	sim_settings(w.disk)->sync_ms = 500;
	produce_one(c, "t", 0, -1, 2, "x");
	produce_one(c, "t", 0, 1, 3, "x");
	client_free(c);
	world_kill(&w);
	world_start(&w);
	c = client_new(w.os, BROKER_ADDRESS);
	is_int(latest(c, "t"), 5, "after a kill the end is that of all that was written");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

/* A clean stop does not vouch for what a crash before has left and nobody looked at. */
static void
test_unlooked(void)
{
	struct world w;
	struct client *c;

	world_begin(&w, 6, NULL);
	make_topic(&w, "t", 1);
	make_topic(&w, "empty", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	produce_one(c, "t", 0, -1, 2, "x");
	client_free(c);
	world_crash(&w, 3);
	world_start(&w);
	world_stop(&w);
	world_start(&w);
	ok(!cluster_was_clean(w.broker->cluster), "a log that nobody opened since the crash: not clean");
	c = client_new(w.os, BROKER_ADDRESS);
	is_int(latest(c, "t"), 2, "now it is opened");
	client_free(c);
	world_stop(&w);
	world_start(&w);
	ok(cluster_was_clean(w.broker->cluster), "then a stop is a clean one");
	world_stop(&w);
	world_start(&w);
	ok(cluster_was_clean(w.broker->cluster), "and the next, though nothing was used");
	world_stop(&w);
	world_end(&w);
}

int
main(void)
{
	test_versions();
	test_produce_fetch();
	test_fetch_epochs();
	test_header_time();
	test_long_poll();
	test_pipeline();
	test_kill();
	test_unlooked();
	test_crash();
	return tap_done();
}
