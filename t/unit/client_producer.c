/* The producer: when batches leave, in which order, and what becomes of failures. */
#include "client/producer.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/turn.h"
#include "os/os_sim.h"
#include "store/store.h"
#include "tap.h"

/* A target that keeps what it is given until the test lets it go. */
#define CALLS 64

struct shelf {
	struct target target; /* first */
	struct produce_call *calls[CALLS];
	int32_t records[CALLS]; /* of each batch */
	int count, told;
	int most_under_way;
	int32_t partitions;
	int64_t batch_bytes_max;
	struct os_timer let_go; /* with `let_go_ms`: the oldest, so long after */
	int let_go_ms;          /* -1: only the test does */
	struct call *flush;
	int withdrawn;
};

static void
shelf_tell(struct shelf *s, int code)
{
	struct produce_call *c = s->calls[s->told];

	c->base_offset = s->told++ * 100;
	c->call.err.code = code;
	c->call.finished = true;
	c->call.done(&c->call);
}

static void
shelf_let_go(struct os_timer *t)
{
	struct shelf *s = t->ctx;

	while (s->told < s->count)
		shelf_tell(s, 0);
	if (s->flush != NULL)
		s->flush->finished = true;
}

static void
shelf_produce(struct target *t, struct produce_call *c)
{
	struct shelf *s = (struct shelf *)t;
	struct batch b;

	ok(batch_view(c->bytes, c->len, &b) == BATCH_OK, "a whole batch is given");
	s->records[s->count] = b.record_count;
	s->calls[s->count++] = c;
	if (s->count - s->told > s->most_under_way)
		s->most_under_way = s->count - s->told;
	if (s->let_go_ms >= 0)
		os_timer_start(t->os, &s->let_go, s->let_go_ms);
}

static void
shelf_flush(struct target *t, struct call *c)
{
	struct shelf *s = (struct shelf *)t;

	s->flush = c;
	os_timer_start(t->os, &s->let_go, 1);
}

static void
shelf_metadata(struct target *t, struct metadata_call *c)
{
	struct shelf *s = (struct shelf *)t;
	struct target_topic *topic = arena_array(c->arena, 1, sizeof(*topic));

	*topic = (struct target_topic){.name = c->names[0],
	    .partition_count = (size_t)s->partitions,
	    .batch_bytes_max = s->batch_bytes_max};
	c->topics = topic;
	c->topic_count = 1;
	c->call.finished = true;
}

static void
shelf_withdraw(struct target *t, struct call *c)
{
	struct shelf *s = (struct shelf *)t;

	s->withdrawn++;
	if (c == s->flush)
		s->flush = NULL;
	else
		s->told++;
}

static const struct target_ops shelf_ops = {.metadata = shelf_metadata,
    .produce = shelf_produce,
    .flush = shelf_flush,
    .withdraw = shelf_withdraw};

/* --- a producer above it ---------------------------------------------------- */

struct bench {
	struct sim_disk *disk;
	struct os *os;
	struct shelf shelf;
	struct producer_config config;
	struct producer *producer;
	char acked[256]; /* the inputs that were acknowledged */
	bool go_on;      /* after a failure */
	int failures;
	struct err err;
};

static void
on_acked(void *ctx, const struct producer_ack *ack)
{
	struct bench *b = ctx;

	for (int32_t i = 0; i < ack->record_count; i++)
		snprintf(b->acked + strlen(b->acked), sizeof(b->acked) - strlen(b->acked), "%d ",
		    (int)ack->inputs[i]);
}

static bool
on_failed(void *ctx, const struct producer_ack *which, const struct err *err)
{
	struct bench *b = ctx;

	(void)which;
	(void)err;
	b->failures++;
	return b->go_on;
}

static void
bench_init(struct bench *b, int32_t partitions)
{
	*b = (struct bench){.disk = sim_disk_new()};
	b->os = sim_os_new(b->disk, 1);
	b->shelf = (struct shelf){.partitions = partitions,
	    .batch_bytes_max = -1,
	    .let_go_ms = -1,
	    .let_go = {.fire = shelf_let_go, .ctx = &b->shelf},
	    .target = {.ops = &shelf_ops, .os = b->os, .produce_calls_max = 16, .batch_bytes = 4096}};
	producer_config_default(&b->config);
	b->config.numbered = true;
	b->config.acked = on_acked;
	b->config.failed = on_failed;
	b->config.ctx = b;
}

/* Sends a record whose value is `text`; starts the producer at the first. */
static int
send(struct bench *b, int32_t partition, const char *text, int64_t input)
{
	struct record r = {.timestamp = 1,
	    .key_size = -1,
	    .value = (const uint8_t *)text,
	    .value_size = (int32_t)strlen(text)};

	if (b->producer == NULL)
		b->producer = producer_new(&b->shelf.target, &b->config, &b->err);
	return producer_send(b->producer, producer_topic(b->producer, "t", &b->err), partition, &r,
	    input, &b->err);
}

static void
bench_release(struct bench *b)
{
	shelf_let_go(&b->shelf.let_go);
	producer_free(b->producer);
	os_free(b->os);
	sim_disk_free(b->disk);
}

/* --- when a batch leaves ---------------------------------------------------- */

static void
test_pause(void)
{
	struct bench b;

	bench_init(&b, 1);
	send(&b, 0, "a", 1);
	is_int(b.shelf.count, 0, "a record waits for company");
	producer_pause(b.producer);
	is_int(b.shelf.count, 1, "when the input pauses its batch leaves");
	ok(b.shelf.calls[0]->urgent, "and says that nothing follows soon");
	for (int i = 2; i <= 4; i++) {
		send(&b, 0, "b", i);
		producer_pause(b.producer);
	}
	is_int(b.shelf.count, 1, "while one is under way the next waits for it");
	shelf_tell(&b.shelf, 0);
	is_int(b.shelf.count, 2, "and leaves when that is acknowledged");
	is_int(b.shelf.records[1], 3, "with all that has come meanwhile");
	shelf_tell(&b.shelf, 0);
	is_str(b.acked, "1 2 3 4 ", "acknowledgements name the records in order");
	producer_pause(b.producer);
	is_int(b.shelf.count, 2, "with nothing new a pause sends nothing");
	bench_release(&b);
}

static void
test_linger(void)
{
	struct bench b;

	bench_init(&b, 1);
	b.config.linger_ms = 100;
	send(&b, 0, "a", 1);
	os_turn(b.os, 60);
	send(&b, 0, "b", 2);
	producer_pause(b.producer);
	is_int(b.shelf.count, 0, "with a linger a pause sends nothing");
	os_turn(b.os, 30);
	is_int(b.shelf.count, 0, "nor does anything before its time");
	os_turn(b.os, 11);
	is_int(b.shelf.count, 1, "the first record's age counts");
	is_int(b.shelf.records[0], 2, "and all go that are there");
	os_turn(b.os, 500);
	is_int(b.shelf.count, 1, "an empty batch does not leave");
	bench_release(&b);
}

static void
test_full(void)
{
	struct bench b;
	char big[1500];

	bench_init(&b, 1);
	b.config.batch_records = 3;
	for (int i = 1; i <= 7; i++)
		send(&b, 0, "a", i);
	is_int(b.shelf.count, 2, "a batch leaves with the last record that it may hold");
	is_int(b.shelf.records[0] + b.shelf.records[1], 6, "not before");
	ok(!b.shelf.calls[0]->urgent, "and is not urgent");
	bench_release(&b);

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	bench_init(&b, 1);
	for (int i = 1; i <= 3; i++)
		send(&b, 0, big, i);
	is_int(b.shelf.count, 1, "a record that no longer fits goes into the next batch");
	is_int(b.shelf.records[0], 2, "which leaves the others theirs");
	bench_release(&b);
}

static void
test_bounds(void)
{
	struct bench b;
	char acked[64] = "";

	bench_init(&b, 1);
	b.config.batch_records = 1;
	b.shelf.target.produce_calls_max = 2;
	b.shelf.let_go_ms = 10;
	for (int i = 1; i <= 9; i++) {
		is_int(send(&b, 0, "a", i), 0, "record %d is taken", i);
		snprintf(acked + strlen(acked), sizeof(acked) - strlen(acked), "%d ", i);
	}
	is_int(b.shelf.most_under_way, 2, "no more calls are under way than the target takes");
	is_int(producer_flush(b.producer, &b.err), 0, "a flush waits for all");
	is_str(b.acked, acked, "all are acknowledged, in order");
	bench_release(&b);
}

/* --- which partition -------------------------------------------------------- */

static void
test_partitions(void)
{
	struct bench b;

	bench_init(&b, 3);
	b.config.partitioner = PARTITION_RR;
	for (int i = 1; i <= 6; i++)
		send(&b, -1, "a", i);
	is_int(send(&b, 3, "a", 7), -1, "a partition that is not there is refused");
	is_int(b.err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "by its name");
	is_int(producer_flush(b.producer, &b.err), 0, "which stops nothing");
	is_int(b.shelf.count, 3, "in turns every partition has its batch");
	is_int(b.shelf.records[0] * 100 + b.shelf.records[1] * 10 + b.shelf.records[2], 222,
	    "of as many records");
	bench_release(&b);

	bench_init(&b, 3);
	for (int i = 1; i <= 6; i++)
		send(&b, -1, "a", i);
	is_int(producer_flush(b.producer, &b.err), 0, "flushed");
	is_int(b.shelf.count, 1, "records without a key stick to one partition a batch");
	bench_release(&b);
}

/* --- failures --------------------------------------------------------------- */

static void
test_failure_stops(void)
{
	struct bench b;

	bench_init(&b, 1);
	b.config.batch_records = 1;
	send(&b, 0, "a", 1);
	send(&b, 0, "b", 2);
	is_int(producer_check(b.producer, &b.err), 0, "all is well");
	shelf_tell(&b.shelf, ERR_IO);
	is_int(producer_check(b.producer, &b.err), -1, "a batch that failed stops the producer");
	is_int(b.err.code, ERR_IO, "with its error");
	is_int(producer_send(b.producer, NULL, 0, NULL, 3, &b.err), -1, "nothing more is taken");
	ok(producer_topic(b.producer, "u", &b.err) == NULL, "nor is a topic made");
	is_int(producer_flush(b.producer, &b.err), -1, "a flush says so too");
	is_str(b.acked, "2 ", "what was under way is waited for");
	bench_release(&b);
}

static void
test_failure_passed_over(void)
{
	struct bench b;

	bench_init(&b, 1);
	b.go_on = true;
	send(&b, 0, "a", 1);
	producer_pause(b.producer);
	send(&b, 0, "b", 2);
	producer_pause(b.producer);
	shelf_tell(&b.shelf, ERR_MESSAGE_TOO_LARGE);
	is_int(b.shelf.count, 2, "the next batch leaves also when the one before it failed");
	is_int(producer_flush(b.producer, &b.err), 0, "and all goes on");
	is_str(b.acked, "2 ", "without what failed");
	is_int(b.failures, 1, "which was told once");
	bench_release(&b);
}

static void
test_too_large(void)
{
	struct bench b;
	char big[400];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	bench_init(&b, 1);
	b.shelf.batch_bytes_max = 300;
	send(&b, 0, "a", 1);
	is_int(send(&b, 0, big, 2), -1, "a record that no batch of the topic holds is refused");
	is_int(b.err.code, ERR_MESSAGE_TOO_LARGE, "by its name");
	is_int(send(&b, 0, "c", 3), 0, "the next is taken");
	is_int(producer_flush(b.producer, &b.err), 0, "and sent");
	is_str(b.acked, "1 3 ", "as is the one before");
	bench_release(&b);
}

static void
test_no_partitions(void)
{
	struct bench b;

	bench_init(&b, 0);
	b.producer = producer_new(&b.shelf.target, &b.config, &b.err);
	ok(producer_topic(b.producer, "t", &b.err) == NULL,
	    "a topic without a partition is not produced to");
	is_str(b.err.text, "topic t has no partitions", "and that is said");
	bench_release(&b);
}

/* --- a loop that cannot wait ------------------------------------------------- */

static void
test_no_turn(void)
{
	struct bench b;
	const struct os_ops *whole;
	struct os_ops failing;

	bench_init(&b, 1);
	b.config.batch_records = 1;
	send(&b, 0, "a", 1);
	send(&b, 0, "b", 2);
	whole = b.os->ops;
	failing = turn_fails(b.os);
	b.os->ops = &failing;
	is_int(producer_flush(b.producer, &b.err), -1, "a flush that cannot wait ends");
	is_int(b.err.sys_errno, EIO, "with the loop's error");
	is_int(b.shelf.withdrawn, 3, "the flush and both batches are taken back");
	producer_free(b.producer);

	b.producer = NULL;
	b.shelf.count = b.shelf.told = b.shelf.withdrawn = 0;
	send(&b, 0, "c", 3);
	producer_free(b.producer);
	is_int(b.shelf.withdrawn, 1, "so is what is under way when the producer goes");

	b.producer = NULL;
	b.shelf.count = b.shelf.told = b.shelf.withdrawn = 0;
	b.shelf.target.produce_calls_max = 1;
	is_int(send(&b, 0, "d", 4), -1, "who cannot wait for room is told");
	b.os->ops = whole;
	bench_release(&b);
}

/* --- over a store ----------------------------------------------------------- */

static const struct os_ops *sim_ops;
static int syncs;

static void
counted_sync_start(struct os *os, struct os_sync *s)
{
	syncs++;
	sim_ops->sync_start(os, s);
}

/* Lines that come one at a time, 1 ms apart, while a sync takes 50: a sync covers
 * many of them. */
static void
test_syncs(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct os_ops ops = *os->ops;
	struct store_options options;
	struct producer_config config;
	struct producer *p;
	struct producer_topic *t;
	struct target *target;
	struct err err;
	struct record r = {
	    .timestamp = 1, .key_size = -1, .value = (const uint8_t *)"x", .value_size = 1};

	sim_ops = os->ops;
	ops.sync_start = counted_sync_start;
	os->ops = &ops;
	store_options_default(&options);
	options.create = options.auto_create_topics = true;
	target = target_store_new(os, "store", &options, &err);
	producer_config_default(&config);
	p = producer_new(target, &config, &err);
	t = producer_topic(p, "t", &err);
	producer_send(p, t, 0, &r, 0, &err);
	is_int(producer_flush(p, &err), 0, "the partition is made");
	sim_settings(disk)->sync_ms = 50;
	syncs = 0;
	for (int i = 1; i <= 200; i++) {
		producer_send(p, t, 0, &r, i, &err);
		producer_pause(p);
		for (int64_t until = os_mono_ns(os) + 1000000; os_mono_ns(os) < until;)
			os_turn(os, 1);
	}
	is_int(producer_flush(p, &err), 0, "200 lines");
	ok(syncs >= 4 && syncs <= 5, "within 200 ms cost a sync each 50 ms: %d", syncs);
	producer_free(p);
	target_free(target);
	is_int((intmax_t)sim_os_open_count(os), 0, "no descriptor is left");
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	test_pause();
	test_linger();
	test_full();
	test_bounds();
	test_partitions();
	test_failure_stops();
	test_failure_passed_over();
	test_too_large();
	test_no_partitions();
	test_no_turn();
	test_syncs();
	return tap_done();
}
