/* Answers about many partitions, and requests that have no answers. */
#include "mqd_broker_test.h"

enum { MANY = 3000 };

static void
test_session(struct client *c)
{
	static struct fetch_request_partition parts[MANY];
	struct fetch_ask a;
	const struct fetch_response *out;

	ask_fetch(&a, "t", 0, 0, 0);
	for (int i = 0; i < MANY; i++) {
		parts[i] = a.part;
		parts[i].partition = i;
	}
	a.topic.partitions.items = parts;
	a.topic.partitions.count = MANY;
	a.in.session_epoch = 0;
	out = client_ask(c, 1, 12, &a.in);
	ok(out != NULL && out->session_id != 0, "a session of %d partitions", MANY);
	a.in.session_id = out != NULL ? out->session_id : 0;
	a.in.session_epoch = 1;
	a.in.topics.count = 0;
	out = client_ask(c, 1, 12, &a.in);
	ok(out != NULL && out->error_code == 0, "and its next request, which names none");
}

static void
test_log_dirs(struct client *c)
{
	struct describe_log_dirs_request in;
	const struct describe_log_dirs_response *out;

	wire_init(&wire_describe_log_dirs_request, &in);
	in.topics.count = -1;
	out = client_ask(c, 35, 4, &in);
	ok(out != NULL && out->results.count == 1 &&
		out->results.items[0].topics.items[0].partitions.count == MANY,
	    "DescribeLogDirs of all");
}

/* In any order, more than once, and some that are not there. */
static void
test_log_dirs_some(struct client *c)
{
	static int32_t numbers[2 * MANY];
	struct describe_log_dirs_request_topic topics[] = {
	    {.topic = wire_str_of("u")}, {.topic = wire_str_of("t")}, {.topic = wire_str_of("t")}};
	struct describe_log_dirs_request in;
	const struct describe_log_dirs_response *out;
	const struct describe_log_dirs_response_topic *t;
	bool good = true;

	wire_init(&wire_describe_log_dirs_request, &in);
	for (int i = 0; i < 2 * MANY; i++)
		numbers[i] = 2 * (MANY - i);
	topics[0].partitions = (struct wire_int32s){numbers, 2 * MANY};
	topics[1].partitions = (struct wire_int32s){numbers, 2 * MANY};
	topics[2].partitions = (struct wire_int32s){numbers + MANY / 2 + 1, 2};
	in.topics.items = topics;
	in.topics.count = 3;
	out = client_ask(c, 35, 4, &in);
	if (out == NULL || out->results.count != 1 || out->results.items[0].topics.count != 1) {
		ok(false, "DescribeLogDirs of some");
		return;
	}
	t = &out->results.items[0].topics.items[0];
	for (int32_t i = 0; i < t->partitions.count; i++)
		good = good && t->partitions.items[i].partition_index == 2 * i;
	ok(good && t->partitions.count == MANY / 2, "DescribeLogDirs of some: each once (%d)",
	    t->partitions.count);
}

static void
test_list_offsets(struct client *c)
{
	static struct list_offsets_request_partition parts[MANY];
	struct list_offsets_request_topic topic = {.name = wire_str_of("t")};
	struct list_offsets_request in;
	const struct list_offsets_response *out;

	wire_init(&wire_list_offsets_request, &in);
	for (int i = 0; i < MANY; i++)
		parts[i] = (struct list_offsets_request_partition){.partition_index = i,
		    .timestamp = -1, .current_leader_epoch = -1};
	topic.partitions.items = parts;
	topic.partitions.count = MANY;
	in.replica_id = -1;
	in.topics.items = &topic;
	in.topics.count = 1;
	out = client_ask(c, 2, 1, &in);
	ok(out != NULL && out->topics.items[0].partitions.items[MANY - 1].error_code == 0,
	    "ListOffsets of all");
}

static void
test_delete_records(struct client *c)
{
	static struct delete_records_request_partition parts[MANY];
	struct delete_records_request_topic topic = {.name = wire_str_of("t")};
	struct delete_records_request in;
	const struct delete_records_response *out;

	wire_init(&wire_delete_records_request, &in);
	for (int i = 0; i < MANY; i++)
		parts[i] = (struct delete_records_request_partition){.partition_index = i};
	topic.partitions.items = parts;
	topic.partitions.count = MANY;
	in.timeout_ms = 10000;
	in.topics.items = &topic;
	in.topics.count = 1;
	out = client_ask(c, 21, 1, &in);
	ok(out != NULL && out->topics.count == 1 && out->topics.items[0].partitions.count == MANY &&
		out->topics.items[0].partitions.items[MANY - 1].error_code == 0,
	    "DeleteRecords of all");
}

static void
test_epochs(struct client *c)
{
	static struct offset_for_leader_epoch_request_partition parts[MANY];
	struct offset_for_leader_epoch_request_topic topic = {.topic = wire_str_of("t")};
	struct offset_for_leader_epoch_request in;
	const struct offset_for_leader_epoch_response *out;

	wire_init(&wire_offset_for_leader_epoch_request, &in);
	for (int i = 0; i < MANY; i++)
		parts[i] = (struct offset_for_leader_epoch_request_partition){
		    .partition = i, .current_leader_epoch = -1};
	topic.partitions.items = parts;
	topic.partitions.count = MANY;
	in.topics.items = &topic;
	in.topics.count = 1;
	out = client_ask(c, 23, 3, &in);
	ok(out != NULL && out->topics.count == 1 && out->topics.items[0].partitions.count == MANY,
	    "OffsetForLeaderEpoch of all");
}

static void
test_producers(struct client *c)
{
	static int32_t numbers[MANY];
	struct describe_producers_request_topic_request topic = {.name = wire_str_of("t")};
	struct describe_producers_request in;
	const struct describe_producers_response *out;

	wire_init(&wire_describe_producers_request, &in);
	for (int i = 0; i < MANY; i++)
		numbers[i] = i;
	topic.partition_indexes = (struct wire_int32s){numbers, MANY};
	in.topics.items = &topic;
	in.topics.count = 1;
	out = client_ask(c, 61, 0, &in);
	ok(out != NULL && out->topics.count == 1 && out->topics.items[0].partitions.count == MANY,
	    "DescribeProducers of all");
}

/* Every read ends in the middle of a frame. */
static void
test_no_answers(struct world *w)
{
	struct client *c = client_new(w->os, BROKER_ADDRESS);
	struct batch_builder bb;
	struct produce_ask a;
	struct buf b = BUF_INIT, piece = BUF_INIT;
	struct err err;
	int i;

	batch_builder_init(&bb, CODEC_NONE, 0);
	request_encode(api_find(0), 9, 1, wire_str_of("test"),
	    ask_produce(&a, "t", 0, 0, make_batch(&bb, 1, "x")), &b, &err);
	for (i = 0; i < 60 && !c->closed; i++) {
		int64_t until = os_mono_ns(w->os) + 2000000000LL;

		/* The end of one and the beginning of the next. */
		buf_release(&piece);
		if (i > 0)
			buf_put(&piece, b.data + 20, b.len - 20);
		buf_put(&piece, b.data, 20);
		client_send_bytes(c, piece.data, piece.len);
		while (os_mono_ns(w->os) < until && !c->closed)
			os_turn(w->os, 2000);
	}
	ok(!c->closed, "a producer without acks goes on (%d)", i);
	buf_release(&b);
	buf_release(&piece);
	batch_builder_release(&bb);
	client_free(c);
}

int
main(void)
{
	struct world w;
	struct client *c;

	world_begin(&w, 5, NULL);
	make_topic(&w, "t", MANY);
	void (*tests[])(struct client *) = {test_session, test_log_dirs, test_log_dirs_some,
	    test_list_offsets, test_delete_records, test_epochs, test_producers};
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		c = client_new(w.os, BROKER_ADDRESS);
		tests[i](c);
		client_free(c);
	}
	test_no_answers(&w);
	world_stop(&w);
	world_end(&w);
	return tap_done();
}
