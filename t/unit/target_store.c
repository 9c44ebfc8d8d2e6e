/* Tests of the store target: what is acknowledged was synced, itself; what topics
 * are told to have. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/target.h"
#include "lib/bounds.h"
#include "lib/turn.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "store/store_impl.h"
#include "tap.h"

#define DIR_OF_STORE "store"
#define SEGMENT DIR_OF_STORE "/t-0/00000000000000000000"

struct world {
	struct sim_disk *disk;
	struct os *os; /* of faults, over the simulated one */
	struct target *target;
	struct err err;
};

static void
world_init(struct world *w)
{
	struct store_options so;

	w->disk = sim_disk_new();
	w->os = fault_new(sim_os_new(w->disk, 1));
	store_options_default(&so);
	so.create = true;
	so.disk_min_free = 0;
	w->target = target_store_new(w->os, DIR_OF_STORE, &so, &w->err);
}

static void
world_release(struct world *w)
{
	target_free(w->target);
	os_free(w->os);
	sim_disk_free(w->disk);
}

static int
make_topic(struct world *w, const char *name, const char *segment_bytes)
{
	struct admin_config config = {"internal.segment.bytes", segment_bytes};
	struct admin_call c = {.op = ADMIN_CREATE_TOPIC,
	    .topic = name,
	    .count = 1,
	    .replicas = -1,
	    .configs = &config,
	    .config_count = segment_bytes != NULL};

	target_admin(w->target, &c);
	if (target_wait(w->target, &c.call) == 0)
		return 0;
	w->err = c.call.err;
	return -1;
}

/* One batch of one record, waiting for its sync. */
struct sent {
	struct produce_call call;
	struct batch_builder builder;
};

static void
send(struct world *w, struct sent *s, const char *topic)
{
	static const uint8_t value[100] = "x";
	struct record rec = {
	    .timestamp = 1, .key_size = -1, .value = value, .value_size = sizeof(value)};
	struct batch b;

	*s = (struct sent){.call = {.topic = topic, .acks = ACKS_ALL}};
	batch_builder_init(&s->builder, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	batch_builder_add(&s->builder, &rec, &w->err);
	batch_builder_finish(&s->builder, &b, &w->err);
	s->call.bytes = (uint8_t *)(uintptr_t)b.bytes;
	s->call.len = (size_t)b.size;
	target_produce(w->target, &s->call);
	batch_builder_release(&s->builder);
}

/* A write that fails after others, which were not synced yet, takes them along:
 * nobody will ever sync that log. */
static void
test_failed_log(void)
{
	struct world w;
	struct sent first, second;
	struct call flush = {.done = NULL};

	world_init(&w);
	is_int(make_topic(&w, "t", NULL), 0, "a topic is made");
	send(&w, &first, "t");
	ok(!first.call.call.finished, "a batch waits for its sync");
	fault_plan(w.os, &(struct fault_plan){.calls = FAULT_WRITES,
	                     .at = 1,
	                     .kind = FAULT_FAIL,
	                     .sticky = true,
	                     .error = EIO});
	send(&w, &second, "t");
	fault_plan(w.os, NULL);
	target_flush(w.target, &flush);
	target_wait(w.target, &flush);
	target_wait(w.target, &second.call.call);
	ok(second.call.call.err.code != 0, "a write that fails is told");
	target_wait(w.target, &first.call.call);
	ok(first.call.call.err.code != 0, "and what was not synced before it is not acknowledged");
	world_release(&w);
}

/* More files than one sync takes: each batch waits for the sync that has it. */
static void
test_many_segments(void)
{
	enum { COUNT = 1500 };
	struct world w;
	struct sent *sent = calloc(COUNT, sizeof(*sent));
	struct call flush = {.done = NULL};
	struct sim_disk *image;
	struct os *after;
	struct store *s;
	int64_t start, end = -1;
	int failed = 0;

	world_init(&w);
	is_int(make_topic(&w, "t", "250"), 0, "a topic of tiny segments is made");
	for (int i = 0; i < COUNT; i++)
		send(&w, &sent[i], "t");
	target_flush(w.target, &flush);
	is_int(target_wait(w.target, &flush), 0, "all is synced");
	for (int i = 0; i < COUNT; i++)
		failed += !sent[i].call.call.finished || sent[i].call.call.err.code != 0;
	is_int(failed, 0, "and acknowledged, before the flush is");
	image = sim_crash(w.disk, 7);
	after = sim_os_new(image, 2);
	s = store_open(after, DIR_OF_STORE, &(struct store_options){.lock_wait_ms = 1000}, &w.err);
	ok(s != NULL && partition_bounds(s, "t", 0, &start, &end, &w.err) == 0 && end == COUNT,
	    "and there after a power failure");
	if (s != NULL)
		store_free(s);
	os_free(after);
	sim_disk_free(image);
	world_release(&w);
	free(sent);
}

/* A default of the broker's, under its own name, as Kafka's tools set it for a
 * cluster. */
static void
set_broker_default(struct world *w, const char *name, const char *value)
{
	struct os *os = sim_os_new(w->disk, 3);
	struct store_options so;
	struct config_record r;
	struct change c;
	struct store *s;

	store_options_default(&so);
	s = store_open(os, DIR_OF_STORE, &so, &w->err);
	wire_init(&wire_config_record, &r);
	r.resource_type = 4;
	r.resource_name = wire_str_of("");
	r.name = wire_str_of(name);
	r.value = wire_str_of(value);
	if (s != NULL && change_begin(&c, s, &w->err) == 0) {
		ok(records_add_metadata(&c.bb, &wire_config_record, 0, &r, c.now_ms, &w->err) == 0 &&
		    change_commit(&c, &w->err) == 0, "a broker's default is set");
		change_end(&c);
	}
	store_free(s);
	os_free(os);
}

static void
test_configs(void)
{
	struct world w;
	struct arena arena;
	struct admin_call c = {.op = ADMIN_CONFIGS, .topic = "t", .arena = &arena};
	const char *value = "none";
	enum config_source source = CONFIG_DEFAULT;

	world_init(&w);
	make_topic(&w, "t", NULL);
	set_broker_default(&w, "log.retention.ms", "1234");
	sim_advance_ms(w.disk, 2000);
	arena_init(&arena, 1 << 20);
	target_admin(w.target, &c);
	is_int(target_wait(w.target, &c.call), 0, "configs are found");
	for (size_t i = 0; i < c.found_config_count; i++) {
		if (strcmp(c.found_configs[i].name, "retention.ms") == 0) {
			value = c.found_configs[i].value;
			source = c.found_configs[i].source;
		}
	}
	is_str(value, "1234", "a topic shows the broker's default, whose name is log.retention.ms");
	is_str(config_source_name(source), "DYNAMIC_DEFAULT_BROKER_CONFIG", "and whose it is");
	arena_release(&arena);
	world_release(&w);
}

/* What a call under way is, when the loop cannot wait for it: nothing of the
 * target's; calls before and after it are as they were. */
static void
test_withdraw(void)
{
	struct world w;
	struct sent first, second;
	struct fetch_part part = {.topic = "t"};
	struct fetch_part *parts = &part;
	struct arena arena;
	const struct os_ops *whole;
	struct os_ops failing;

	world_init(&w);
	make_topic(&w, "t", NULL);
	arena_init(&arena, 1 << 20);
	whole = w.os->ops;
	failing = turn_fails(w.os);
	send(&w, &first, "t");
	send(&w, &second, "t");
	part.offset = 2;
	w.os->ops = &failing;
	{
		struct metadata_call done = {.arena = &arena};
		struct fetch_call waits = {.parts = &parts, .part_count = 1, .max_wait_ms = -1};
		struct call flush = {.done = NULL};

		target_metadata(w.target, &done);
		target_fetch(w.target, &waits);
		is_int(target_wait(w.target, &second.call.call), -1, "a loop that fails is an end");
		is_int(second.call.call.err.sys_errno, EIO, "with its error");
		is_int(target_wait(w.target, &done.call), -1, "also for what is done, not told");
		is_int(target_wait(w.target, &waits.call), -1, "and for what waits for data");
		target_flush(w.target, &flush);
		is_int(target_wait(w.target, &flush), -1, "and for what waits for a sync");
		memset(&done, 0xff, sizeof(done));
		memset(&waits, 0xff, sizeof(waits));
		memset(&flush, 0xff, sizeof(flush));
	}
	memset(&second.call, 0xff, sizeof(second.call));
	w.os->ops = whole;
	is_int(target_wait(w.target, &first.call.call), 0, "the others are told as ever");
	for (int i = 0; i < 2; i++) {
		struct metadata_call more = {.arena = &arena};

		target_metadata(w.target, &more);
		is_int(target_wait(w.target, &more.call), 0, "the next call is answered");
	}
	target_forget(w.target, &part);
	arena_release(&arena);
	world_release(&w);
}

/* Asks for the end of a topic's partition 0, then fetches what is at its
 * beginning. -2: no end; -1: no fetch; else whether something is there. *lists is
 * how often the fetch listed a directory. `between` is called between the two. */
static int
offsets_then_fetch(struct world *w, int64_t end, void (*between)(struct world *), uint64_t *lists)
{
	struct offset_query q = {.topic = "t", .timestamp = OFFSET_LATEST};
	struct offsets_call ask = {.queries = &q, .query_count = 1};
	struct fetch_part part = {.topic = "t"};
	struct fetch_part *parts = &part;
	struct fetch_call fetch = {.parts = &parts, .part_count = 1};
	struct batch b;
	int got;

	target_offsets(w->target, &ask);
	if (target_wait(w->target, &ask.call) == -1 || q.offset != end)
		return -2;
	if (between != NULL)
		between(w);
	*lists = fault_count(w->os, FAULT_LIST);
	target_fetch(w->target, &fetch);
	got = target_wait(w->target, &fetch.call);
	if (got == 0 && part.ready)
		got = target_next(w->target, &part, &b, &w->err);
	*lists = fault_count(w->os, FAULT_LIST) - *lists;
	target_forget(w->target, &part);
	return got;
}

/* By another process. */
static void
make_anew(struct world *w)
{
	struct os *os = sim_os_new(w->disk, 4);
	struct store_options so;
	struct arena arena;
	struct metadata_call see = {.arena = &arena};
	struct world other = {.disk = w->disk, .os = os};
	struct admin_call gone = {.op = ADMIN_DELETE_TOPIC, .topic = "t"};

	store_options_default(&so);
	so.disk_min_free = 0;
	other.target = target_store_new(os, DIR_OF_STORE, &so, &other.err);
	target_admin(other.target, &gone);
	is_int(target_wait(other.target, &gone.call), 0, "the topic is deleted by another");
	is_int(make_topic(&other, "t", NULL), 0, "and made anew");
	target_free(other.target);
	os_free(os);
	arena_init(&arena, 1 << 20);
	target_metadata(w->target, &see);
	target_wait(w->target, &see.call);
	arena_release(&arena);
}

/* So that there is no hint, and to look means to list. */
static void
lose_hint(struct world *w)
{
	sim_write(w->disk, DIR_OF_STORE "/t-0/mq.tail", "", 0);
}

static void
wait_long(struct world *w)
{
	sim_advance_ms(w->disk, 1000);
}

/* Whoever asks for offsets mostly reads then: one listing is enough for both. */
static void
test_offsets_then_fetch(void)
{
	struct call flush = {.done = NULL};
	struct sent sent[20];
	struct world w;
	uint64_t lists;

	world_init(&w);
	make_topic(&w, "t", NULL);
	for (int i = 0; i < 20; i++)
		send(&w, &sent[i], "t");
	target_flush(w.target, &flush);
	target_wait(w.target, &flush);
	is_int(offsets_then_fetch(&w, 20, NULL, &lists), 1, "a fetch follows a question");
	is_int((intmax_t)lists, 0, "and lists nothing");
	is_int(offsets_then_fetch(&w, 20, wait_long, &lists), 1, "one that comes late too");
	is_int((intmax_t)lists, 0, "which goes by the hints anew");
	lose_hint(&w);
	is_int(offsets_then_fetch(&w, 20, NULL, &lists), 1, "one without hints");
	is_int((intmax_t)lists, 0, "does with the listing of the question");
	is_int(offsets_then_fetch(&w, 20, wait_long, &lists), 1, "if it does not come late");
	is_int((intmax_t)lists, 1, "for then it looks for itself");
	is_int(offsets_then_fetch(&w, 20, make_anew, &lists), 0,
	    "one of a topic that was made anew meanwhile finds nothing");
	world_release(&w);
}

/* A batch of producer 7's transaction, or the marker that aborts it. */
static int
append_transactional(struct world *w, bool marker)
{
	static const uint8_t abort_key[4] = {0}, abort_value[6] = {0}, value[100] = "x";
	struct record rec = {.timestamp = 1,
	    .key = abort_key,
	    .key_size = marker ? 4 : -1,
	    .value = marker ? abort_value : value,
	    .value_size = marker ? sizeof(abort_value) : sizeof(value)};
	struct produce_call c = {.topic = "t", .acks = ACKS_LEADER};
	struct batch_builder bb;
	struct batch b;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	bb.head.attributes = BATCH_TRANSACTIONAL | (marker ? BATCH_CONTROL : 0);
	bb.head.producer_id = 7;
	bb.head.producer_epoch = 0;
	bb.head.base_sequence = marker ? -1 : 0;
	batch_builder_add(&bb, &rec, &w->err);
	batch_builder_finish(&bb, &b, &w->err);
	c.bytes = (uint8_t *)(uintptr_t)b.bytes;
	c.len = (size_t)b.size;
	target_produce(w->target, &c);
	ret = target_wait(w->target, &c.call);
	batch_builder_release(&bb);
	return ret;
}

/* Compacts the first segment as Kafka would: the batch at offset 1 was aborted. */
static void
take_aborted_out(struct world *w)
{
	struct os *os = sim_os_new(w->disk, 4);
	struct buf bytes = BUF_INIT;
	struct batch first, second;

	sim_read(w->disk, SEGMENT ".log", &bytes);
	batch_view(bytes.data, bytes.len, &first);
	batch_view(bytes.data + first.size, bytes.len - (size_t)first.size, &second);
	bytes.len -= (size_t)second.size;
	memmove(bytes.data + first.size, bytes.data + first.size + second.size,
	    bytes.len - (size_t)first.size);
	sim_write(w->disk, SEGMENT ".log.swap", bytes.data, bytes.len);
	os_remove(os, SEGMENT ".txnindex");
	os_rename(os, SEGMENT ".log.swap", SEGMENT ".log");
	buf_release(&bytes);
	os_free(os);
}

/* What was aborted is asked for when the first batch of a transaction was read. Where
 * compaction came in between, the file that is open has what no index tells of. */
static void
test_aborted_meanwhile(void)
{
	struct fetch_part part = {.topic = "t"};
	struct fetch_part *parts = &part;
	struct fetch_call fetch = {.parts = &parts, .part_count = 1, .isolation = READ_COMMITTED};
	struct sent sent;
	struct world w;
	struct batch b;
	char seen[64] = "";

	world_init(&w);
	sim_set_wall_ms(w.disk, 1); /* nothing is too old */
	make_topic(&w, "t", "500");
	send(&w, &sent, "t");
	is_int(append_transactional(&w, false) + append_transactional(&w, true), 0,
	    "a transaction is aborted");
	send(&w, &sent, "t");
	target_fetch(w.target, &fetch);
	target_wait(w.target, &fetch.call);
	while (target_next(w.target, &part, &b, &w.err) == 1) {
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%d ", (int)b.base_offset);
		if (b.base_offset == 0)
			take_aborted_out(&w);
	}
	is_str(seen, "0 2 3 ", "what compaction took out is not read as committed");
	target_forget(w.target, &part);
	world_release(&w);
}

int
main(void)
{
	test_configs();
	test_failed_log();
	test_many_segments();
	test_withdraw();
	test_offsets_then_fetch();
	test_aborted_meanwhile();
	return tap_done();
}
