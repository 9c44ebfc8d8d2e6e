/* The consumer over a store: ranges, the last N, groups, what is committed. */
#include "client/consumer.h"

#include <stdlib.h>
#include <string.h>

#include "client/producer.h"
#include "os/os_sim.h"
#include "store/store.h"
#include "tap.h"

static struct sim_disk *disk;

/* A process with the store open. */
struct process {
	struct os *os;
	struct target *target;
	struct consumer *consumer;
	struct consumer_config config;
	char seen[512]; /* values, in order */
	int64_t limit;  /* stop with so many; -1 */
	struct err err;
};

static void
process_init(struct process *p, uint64_t seed)
{
	struct store_options options;

	*p = (struct process){.os = sim_os_new(disk, seed), .limit = -1};
	store_options_default(&options);
	options.create = options.auto_create_topics = true;
	p->target = target_store_new(p->os, "store", &options, &p->err);
	consumer_config_default(&p->config);
	p->config.ctx = p;
}

static void
process_end(struct process *p)
{
	consumer_free(p->consumer);
	target_free(p->target);
	is_int((intmax_t)sim_os_open_count(p->os), 0, "no descriptor is left");
	os_free(p->os);
}

static int
admin(struct process *p, enum admin_op op, const char *topic, int32_t count)
{
	struct admin_call c = {.op = op, .topic = topic, .count = count, .replicas = -1};
	struct arena arena;
	int ret;

	arena_init(&arena, 0);
	c.arena = &arena;
	target_admin(p->target, &c);
	ret = target_wait(p->target, &c.call);
	if (ret == -1)
		printf("# admin: %s\n", c.call.err.text);
	arena_release(&arena);
	return ret;
}

/* Appends records "FROM" to "TO" (exclusive), a batch each. */
static void
produce(struct process *p, const char *topic, int32_t partition, int from, int to)
{
	struct producer_config config;
	struct producer *producer;

	producer_config_default(&config);
	config.batch_records = 1;
	producer = producer_new(p->target, &config, &p->err);
	for (int i = from; i < to; i++) {
		char text[16];
		struct record r = {.timestamp = 1000 + i, .key_size = -1};

		r.value_size = snprintf(text, sizeof(text), "%d", i);
		r.value = (const uint8_t *)text;
		producer_send(producer, producer_topic(producer, topic, &p->err), partition, &r, 0,
		    &p->err);
	}
	if (producer_flush(producer, &p->err) == -1)
		printf("# produce: %s\n", p->err.text);
	producer_free(producer);
}

/* --- a consumer -------------------------------------------------------------- */

static int
on_record(void *ctx, const struct consumed *where, const struct record *r)
{
	struct process *p = ctx;
	size_t at = strlen(p->seen);

	snprintf(p->seen + at, sizeof(p->seen) - at, "%.*s ", (int)r->value_size,
	    (const char *)r->value);
	consumer_handled(p->consumer, where->topic, where->partition, r->offset);
	return p->limit >= 0 && --p->limit == 0;
}

static void
start(struct process *p, const char *topic)
{
	p->config.record = on_record;
	p->seen[0] = '\0';
	consumer_free(p->consumer);
	p->consumer = consumer_new(p->target, &p->config, &p->err);
	if (consumer_add(p->consumer, topic, NULL, 0, &p->err) == -1 ||
	    consumer_start(p->consumer, &p->err) == -1)
		printf("# start: %s\n", p->err.text);
}

/* So many steps of 20 ms. 1: more may come, 0: over, -1. */
static int
steps(struct process *p, int count)
{
	int ret = 1;

	while (count-- > 0 && ret == 1)
		ret = consumer_step(p->consumer, 1 << 20, 20, &p->err);
	return ret;
}

/* All of a range, in one go; "..." at the end if it does not come to one. */
static const char *
consume(struct process *p, const char *topic)
{
	start(p, topic);
	if (steps(p, 200) != 0)
		strcat(p->seen, "...");
	return p->seen;
}

static int64_t
committed(struct process *p, const char *group, const char *topic, int32_t partition)
{
	struct group_position at = {.topic = topic, .partition = partition, .offset = -1};
	struct committed_call c = {.group = group, .positions = &at, .position_count = 1};
	struct arena arena;

	arena_init(&arena, 0);
	c.arena = &arena;
	target_committed(p->target, &c);
	target_wait(p->target, &c.call);
	arena_release(&arena);
	return at.offset;
}

/* --- ranges ------------------------------------------------------------------ */

static void
test_ranges(void)
{
	struct process p;
	struct range none = {.from = {POINT_NONE, 0}};

	process_init(&p, 1);
	produce(&p, "ranges", 0, 0, 6);
	p.config.stop_at_end = true;
	is_str(consume(&p, "ranges"), "0 1 2 3 4 5 ", "everything, to the end as of the start");
	p.config.range.from = (struct point){POINT_OFFSET, 4};
	is_str(consume(&p, "ranges"), "4 5 ", "from an offset");
	p.config.range.to = (struct point){POINT_OFFSET, 5};
	is_str(consume(&p, "ranges"), "4 ", "to an offset, exclusive");
	p.config.range.from = (struct point){POINT_BEFORE, 3};
	is_str(consume(&p, "ranges"), "3 4 ", "N before the end");
	p.config.range.from = (struct point){POINT_AFTER, INT64_MAX};
	is_str(consume(&p, "ranges"), "", "more after the beginning than there can be");
	p.config.range.from = (struct point){POINT_TIME, 1002};
	p.config.range.to = (struct point){POINT_TIME, 1004};
	is_str(consume(&p, "ranges"), "2 3 ", "between two times");
	p.config.range = none;
	p.limit = 2;
	is_str(consume(&p, "ranges"), "0 1 ", "a callback ends it");
	p.limit = -1;
	p.config.tail = 2;
	is_str(consume(&p, "ranges"), "4 5 ", "the last two");
	p.config.tail = 100;
	is_str(consume(&p, "ranges"), "0 1 2 3 4 5 ", "the last hundred of six");
	process_end(&p);
}

/* What compaction may leave: the last records gone, the next segment empty. */
static void
test_gap_at_end(void)
{
	struct buf tail = BUF_INIT;
	struct process p;

	process_init(&p, 1);
	produce(&p, "gap", 0, 0, 3);
	sim_write(disk, "store/gap-0/00000000000000000007.log", "", 0);
	/* The hint of whoever rolled would not name the segment before. */
	sim_read(disk, "store/gap-0/mq.tail", &tail);
	sim_write(disk, "store/gap-0/mq.tail", "", 0);
	p.config.stop_at_end = true;
	p.config.group = "gap";
	is_str(consume(&p, "gap"), "0 1 2 ", "a gap before the end is no reason to wait");
	is_int(consumer_commit(p.consumer, &p.err), 0, "the end is committed");
	is_int(committed(&p, "gap", "gap", 0), 7, "behind the gap");
	p.config.group = NULL;
	sim_write(disk, "store/gap-0/mq.tail", tail.data, tail.len);
	buf_release(&tail);
	produce(&p, "gap", 0, 7, 9);
	p.config.tail = 3;
	is_str(consume(&p, "gap"), "2 7 8 ", "the last three records, though offsets have a gap");
	process_end(&p);
}

/* --- topics that change ------------------------------------------------------- */

static void
test_partitions_added(void)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "more", 0, 0, 1);
	start(&p, "more");
	steps(&p, 5);
	is_int(admin(&p, ADMIN_ADD_PARTITIONS, "more", 3), 0, "two partitions are added");
	produce(&p, "more", 2, 1, 2);
	steps(&p, 100);
	is_str(p.seen, "0 1 ", "whoever follows finds them");

	p.config.range.to = (struct point){POINT_OFFSET, 2};
	start(&p, "more");
	steps(&p, 5);
	is_int(admin(&p, ADMIN_ADD_PARTITIONS, "more", 4), 0, "another is added");
	produce(&p, "more", 0, 2, 3);
	produce(&p, "more", 1, 3, 5);
	produce(&p, "more", 2, 5, 6);
	is_int(steps(&p, 200), 0, "it does not keep a range from coming to its end");
	process_end(&p);

	process_init(&p, 1);
	produce(&p, "late", 0, 0, 1);
	p.config.group = "late";
	p.config.stop_at_end = true;
	start(&p, "late");
	admin(&p, ADMIN_ADD_PARTITIONS, "late", 2);
	produce(&p, "late", 1, 1, 2);
	is_int(steps(&p, 200), 0, "nor one that a group assigns");
	is_str(p.seen, "0 ", "it lies behind the end");
	process_end(&p);
}

static void
test_topic_deleted(void)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "gone", 0, 0, 3);
	start(&p, "gone");
	steps(&p, 5);
	admin(&p, ADMIN_DELETE_TOPIC, "gone", 0);
	produce(&p, "gone", 0, 3, 4);
	is_int(steps(&p, 200), -1, "a topic deleted and made anew ends whoever follows it");
	is_int(p.err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "by its name");
	process_end(&p);
}

static bool
is_of_test(void *ctx, const char *topic, int32_t partition)
{
	(void)ctx;
	(void)partition;
	return strncmp(topic, "goes.", 5) == 0;
}

static bool
all_but_stays(void *ctx, const char *topic)
{
	(void)ctx;
	return strcmp(topic, "goes.not") != 0;
}

/* Follows goes.*, of which only goes.not must stay. */
static void
follow_all(struct process *p, const char *topic, const char *group)
{
	p->config.group = group;
	p->config.wants = is_of_test;
	p->config.may_go = all_but_stays;
	start(p, topic);
}

static void
test_topic_goes(const char *group)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "goes.1", 0, 0, 3);
	follow_all(&p, "goes.1", group);
	steps(&p, 20);
	is_int(consumer_commit(p.consumer, &p.err), 0, "what was read is committed, in a group");
	produce(&p, "goes.not", 0, 3, 4);
	is_int(steps(&p, 100), 1, "a topic that comes is followed");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.1", 0);
	is_int(steps(&p, 100), 1, "one that may go does not end it");
	produce(&p, "goes.not", 0, 4, 5);
	steps(&p, 100);
	is_str(p.seen, "0 1 2 3 4 ", "the other is read on");
	is_int(consumer_commit(p.consumer, &p.err), 0, "and committed");
	produce(&p, "goes.1", 0, 5, 15);
	is_int(steps(&p, 100), 1, "it is made again");
	is_str(p.seen, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 ", "and read from its beginning");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.not", 0);
	is_int(steps(&p, 100), -1, "one that must stay ends it");
	is_int(p.err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "by its name");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.1", 0);
	process_end(&p);
}

/* No record of the new one is left out or given twice, and no offset of the old one
 * is committed for it. */
static void
test_topic_made_anew(const char *group)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "goes.2", 0, 0, 3);
	follow_all(&p, "goes.2", group);
	steps(&p, 20);
	admin(&p, ADMIN_DELETE_TOPIC, "goes.2", 0);
	produce(&p, "goes.2", 0, 3, 11);
	is_int(consumer_commit(p.consumer, &p.err), 0, "a commit for a topic that is gone");
	if (group != NULL)
		is_int(committed(&p, group, "goes.2", 0), -1, "is none for its successor");
	is_int(steps(&p, 100), 1, "a topic made anew does not end it");
	is_str(p.seen, "0 1 2 3 4 5 6 7 8 9 10 ", "it is read from its beginning");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.2", 0);
	produce(&p, "goes.2", 0, 11, 12);
	steps(&p, 100);
	is_str(p.seen, "0 1 2 3 4 5 6 7 8 9 10 11 ", "each time");
	is_int(consumer_commit(p.consumer, &p.err), 0, "what was read of it is committed");
	if (group != NULL)
		is_int(committed(&p, group, "goes.2", 0), 1, "at its own offsets");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.2", 0);
	process_end(&p);
}

static void
test_last_topic_goes(void)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "goes.3", 0, 0, 1);
	follow_all(&p, "goes.3", NULL);
	admin(&p, ADMIN_DELETE_TOPIC, "goes.3", 0);
	is_int(steps(&p, 100), 1, "without any topic it waits for one");
	p.config.stop_at_end = true;
	produce(&p, "goes.3", 0, 1, 2);
	start(&p, "goes.3");
	admin(&p, ADMIN_DELETE_TOPIC, "goes.3", 0);
	produce(&p, "goes.3", 0, 2, 3);
	is_int(steps(&p, 100), 0, "up to the end: what is gone is at its end");
	is_str(p.seen, "", "and what comes lies behind it");
	process_end(&p);
}

/* --- groups -------------------------------------------------------------------- */

static void
test_commits(void)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "commits", 0, 0, 5);
	p.config.group = "g";
	p.config.stop_at_end = true;
	p.limit = 2;
	is_str(consume(&p, "commits"), "0 1 ", "a member stops in between");
	is_int(committed(&p, "g", "commits", 0), -1, "nothing is committed by itself");
	is_int(consumer_commit(p.consumer, &p.err), 0, "it commits");
	is_int(committed(&p, "g", "commits", 0), 2, "what was handled");
	p.limit = -1;
	is_str(consume(&p, "commits"), "2 3 4 ", "the next goes on there");
	is_int(consumer_commit(p.consumer, &p.err), 0, "and commits");
	is_int(committed(&p, "g", "commits", 0), 5, "the end");
	is_str(consume(&p, "commits"), "", "so nothing is left");
	p.config.range.from = (struct point){POINT_BEGINNING, 0};
	is_str(consume(&p, "commits"), "0 1 2 3 4 ", "a range goes before what is stored");
	p.config.range.from = (struct point){POINT_NONE, 0};
	p.config.group = "h";
	p.config.unstored = POINT_END;
	is_str(consume(&p, "commits"), "", "a new group may begin at the end");
	process_end(&p);
}

/* Appends a record of a transaction that nobody ends, "open". */
static void
produce_open(struct process *p, const char *topic)
{
	struct batch_builder bb;
	struct record r = {
	    .timestamp = 1, .key_size = -1, .value = (const uint8_t *)"open", .value_size = 4};
	struct batch b;
	struct produce_call c = {.topic = topic, .acks = ACKS_LEADER};

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	bb.head.attributes = BATCH_TRANSACTIONAL;
	bb.head.producer_id = 7;
	bb.head.producer_epoch = 0;
	bb.head.base_sequence = 0;
	batch_builder_add(&bb, &r, &p->err);
	batch_builder_finish(&bb, &b, &p->err);
	c.bytes = (uint8_t *)(uintptr_t)b.bytes;
	c.len = (size_t)b.size;
	target_produce(p->target, &c);
	is_int(target_wait(p->target, &c.call), 0, "a transaction is begun");
	batch_builder_release(&bb);
}

/* An offset that lies in an open transaction, behind what may be read, is there. */
static void
test_committed_in_transaction(void)
{
	struct process p;

	process_init(&p, 1);
	produce(&p, "open", 0, 0, 2);
	produce_open(&p, "open");
	p.config.group = "g";
	p.config.stop_at_end = true;
	p.config.isolation = READ_UNCOMMITTED;
	is_str(consume(&p, "open"), "0 1 open ", "uncommitted records are read");
	is_int(consumer_commit(p.consumer, &p.err), 0, "and committed for the group");
	p.config.isolation = READ_COMMITTED;
	p.config.unstored = POINT_NONE;
	is_str(consume(&p, "open"), "", "that offset is not out of range");
	is_int(consumer_commit(p.consumer, &p.err), 0, "nor replaced");
	is_int(committed(&p, "g", "open", 0), 3, "it stays");
	process_end(&p);
}

/* Both step until `a` and `b` have had time to settle. */
static void
both(struct process *a, struct process *b)
{
	for (int i = 0; i < 100; i++) {
		steps(a, 1);
		if (b != NULL)
			steps(b, 1);
	}
}

static void
test_handover(bool never_commits)
{
	struct process a, b;
	const char *group = never_commits ? "never" : "handover";

	process_init(&a, 1);
	process_init(&b, 2);
	admin(&a, ADMIN_CREATE_TOPIC, group, 2);
	produce(&a, group, 0, 0, 2);
	produce(&a, group, 1, 10, 12);
	a.config.group = b.config.group = group;
	a.config.never_commits = never_commits;
	a.config.range.from = (struct point){POINT_BEGINNING, 0};
	start(&a, group);
	both(&a, NULL);
	is_int((intmax_t)strlen(a.seen), (intmax_t)strlen("0 1 10 11 "), "a reads both partitions");
	start(&b, group);
	both(&a, &b);
	if (never_commits) {
		is_int((intmax_t)strlen(b.seen) > 0, 1, "b reads again what nobody committed");
		is_int(committed(&a, group, group, 0), -1, "of partition 0 nothing is committed");
		is_int(committed(&a, group, group, 1), -1, "nor of partition 1");
	} else {
		is_str(b.seen, "", "b takes one over, where a was");
		a.seen[0] = '\0';
		produce(&b, group, 0, 2, 3);
		produce(&b, group, 1, 12, 13);
		both(&a, &b);
		is_int(consumer_commit(b.consumer, &b.err), 0, "b commits");
		consumer_free(b.consumer);
		b.consumer = NULL;
		both(&a, NULL);
		produce(&b, group, 0, 3, 4);
		produce(&b, group, 1, 13, 14);
		both(&a, NULL);
		ok(strcmp(a.seen, "2 3 13 ") == 0 || strcmp(a.seen, "12 3 13 ") == 0 ||
		        strcmp(a.seen, "2 13 3 ") == 0 || strcmp(a.seen, "12 13 3 ") == 0,
		    "given back, it goes on where b was, not at the range again: %s", a.seen);
	}
	process_end(&b);
	process_end(&a);
}

/* A batch job beside a member that holds everything and goes on. */
static void
test_ending_member(void)
{
	struct process a, b;
	int ended = 1;

	process_init(&a, 1);
	process_init(&b, 2);
	admin(&a, ADMIN_CREATE_TOPIC, "ending", 2);
	a.config.group = b.config.group = "ending";
	start(&a, "ending");
	both(&a, NULL);
	b.config.stop_at_end = true;
	start(&b, "ending");
	for (int i = 0; i < 200 && ended == 1; i++) {
		steps(&a, 1);
		ended = steps(&b, 1);
	}
	is_int(ended, 0, "a member with an end comes to it beside one without");
	process_end(&b);
	process_end(&a);
}

int
main(void)
{
	disk = sim_disk_new();
	test_ranges();
	test_gap_at_end();
	test_partitions_added();
	test_topic_deleted();
	test_topic_goes(NULL);
	test_topic_goes("goers");
	test_topic_made_anew(NULL);
	test_topic_made_anew("anew");
	test_last_topic_goes();
	test_commits();
	test_committed_in_transaction();
	test_handover(false);
	test_handover(true);
	test_ending_member();
	sim_disk_free(disk);
	return tap_done();
}
