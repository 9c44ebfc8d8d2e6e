/* What a broker does with its logs when nobody asks: retention, compaction. */
#include "log/segment.h"
#include "mqd/replica/partition.h"
#include "mqd_broker_test.h"
#include "os/os_fault.h"

#define NOW 1700000000000 /* where the simulated clock begins */
#define KEYS 7

/* --- words ------------------------------------------------------------------------- */

static const char *const common[] = {"log.roll.ms=60000",
    "log.retention.check.interval.ms=60000", "log.cleaner.backoff.ms=1000",
    "log.index.interval.bytes=500", NULL};

static bool
begin(struct world *w, uint64_t seed, const char *const *more)
{
	const char *set[16];
	size_t n = 0;

	for (const char *const *s = common; *s != NULL; s++)
		set[n++] = *s;
	for (; more != NULL && *more != NULL; more++)
		set[n++] = *more;
	set[n] = NULL;
	return world_begin(w, seed, set);
}

/* Time passes, and what is due happens. */
static void
pass(struct world *w, int64_t ms)
{
	int64_t until = os_mono_ns(w->os) + ms * 1000000;

	while (os_mono_ns(w->os) < until && os_turn(w->os, 1000) != -1)
		;
}

static struct partition *
find(struct world *w, const char *topic, int32_t number)
{
	int code;

	return partitions_find(w->broker->partitions, topic, strlen(topic), NULL, number, &code);
}

static struct plog *
log_of(struct world *w, const char *topic, int32_t number)
{
	return find(w, topic, number)->log;
}

/* Produces one record; its offset, or -1. */
static int64_t
put(struct client *c, const char *topic, int32_t partition, int64_t timestamp, const char *key,
    size_t size)
{
	struct batch_builder bb;
	struct produce_ask a;
	const struct produce_response *out;
	char value[4096] = "";
	struct record rec = {.timestamp = timestamp, .key = (const uint8_t *)key,
	    .key_size = key == NULL ? -1 : (int32_t)strlen(key), .value = (uint8_t *)value,
	    .value_size = (int32_t)size};
	struct batch b;
	struct err err;

	memset(value, 'v', size);
	batch_builder_init(&bb, CODEC_NONE, 0);
	batch_builder_add(&bb, &rec, &err);
	batch_builder_finish(&bb, &b, &err);
	if (c->sends == 64)
		printf("# too many requests of one client\n");
	out = client_ask(c, 0, 9,
	    ask_produce(&a, topic, partition, -1, wire_bytes_of(b.bytes, (size_t)b.size)));
	batch_builder_release(&bb);
	if (out == NULL || out->responses.items[0].partition_responses.items[0].error_code != 0)
		return -1;
	return out->responses.items[0].partition_responses.items[0].base_offset;
}

/* Produces `count` records, each 30 s newer than the one before, the last at `until`;
 * three make a segment. True if all were taken. */
static bool
fill(struct world *w, const char *topic, int count, int64_t until, bool keys, size_t size)
{
	bool good = true;

	for (int i = 0; i < count;) {
		struct client *c = client_new(w->os, BROKER_ADDRESS);

		for (int n = 0; n < 60 && i < count; n++, i++) {
			char key[8];

			snprintf(key, sizeof(key), "%d", i % KEYS);
			good = put(c, topic, 0, until - (count - 1 - i) * 30000, keys ? key : NULL,
			    size) >= 0 && good;
		}
		client_free(c);
	}
	return good;
}

static int
count_name(void *ctx, const char *path, bool is_dir, int64_t size)
{
	(void)size;
	if (!is_dir && (strstr(path, ".cleaned") || strstr(path, ".swap") ||
	    strstr(path, ".log.deleted")))
		*(int *)ctx += 1;
	return 0;
}

/* Temporary files that a compaction left. */
static int
count_left(struct world *w)
{
	int count = 0;

	sim_list(w->disk, count_name, &count);
	return count;
}

/* Reads a partition as a client does: the newest offset of each key, and the number of
 * records. -1: an error. */
static int
read_keys(struct world *w, const char *topic, int64_t newest[KEYS])
{
	int64_t offset = log_of(w, topic, 0)->start_offset, end = -1;
	struct record_reader rr = {0};
	struct record rec;
	struct batch b;
	struct err err;
	int records = 0;

	for (int i = 0; i < KEYS; i++)
		newest[i] = -1;
	while (offset != end && records != -1) {
		struct client *c = client_new(w->os, BROKER_ADDRESS);
		const struct fetch_response_partition *f = fetch_one(c, topic, 0, offset, 0);

		if (f == NULL || f->error_code != 0)
			records = -1;
		for (size_t at = 0; records != -1 && at < (size_t)f->records.len;
		    at += (size_t)b.size) {
			if (batch_view(f->records.data + at, (size_t)f->records.len - at, &b) !=
			    BATCH_OK)
				break;
			record_reader_open(&rr, &b, &err);
			while (record_reader_next(&rr, &rec, &err) == 1) {
				if (rec.offset < offset)
					continue;
				newest[(rec.key[0] - '0') % KEYS] = rec.offset;
				records++;
			}
			offset = batch_next_offset(&b);
		}
		if (records != -1)
			end = f->high_watermark;
		client_free(c);
	}
	record_reader_release(&rr);
	return records;
}

/* --- retention ----------------------------------------------------------------------- */

static void
test_time(void)
{
	static const char *const set[] = {"log.retention.ms=3600000", NULL};
	struct world w;

	begin(&w, 1, set);
	make_topic(&w, "t", 1);
	make_topic(&w, "idle", 1);
	ok(fill(&w, "t", 30, NOW, false, 100) && fill(&w, "idle", 3, NOW, false, 100),
	    "records of the last quarter of an hour");
	pass(&w, 30 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 0, "in half an hour none is old");
	pass(&w, 20 * 60000);
	ok(log_of(&w, "t", 0)->start_offset > 0 && log_of(&w, "t", 0)->start_offset < 21,
	    "then segments go, the oldest first");
	pass(&w, 20 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 30, "and in the end all");
	is_int(log_of(&w, "idle", 0)->start_offset, 3, "also the active one");
	ok(sim_size(w.disk, "store/t-0/00000000000000000000.log") == -1 &&
		sim_size(w.disk, "store/t-0/00000000000000000030.log") == 0,
	    "an empty segment is left");
	fill(&w, "t", 3, os_wall_ms(w.os), false, 100);
	pass(&w, 70 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 33, "what was written since goes, too");
	world_stop(&w);
	world_end(&w);
}

static void
test_size(void)
{
	static const char *const set[] = {"log.retention.bytes=5000", NULL};
	struct world w;

	begin(&w, 2, set);
	make_topic(&w, "t", 1);
	fill(&w, "t", 20, NOW, false, 1000);
	pass(&w, 3 * 60000);
	ok(log_of(&w, "t", 0)->bytes >= 5000 && log_of(&w, "t", 0)->bytes < 5000 + 3 * 1100,
	    "what is above retention.bytes goes, by whole segments");
	ok(log_of(&w, "t", 0)->start_offset >= 12, "from the start");
	fill(&w, "t", 6, NOW + 180000, false, 1000);
	pass(&w, 3 * 60000);
	ok(log_of(&w, "t", 0)->bytes < 5000 + 3 * 1100, "and again");
	world_stop(&w);
	world_end(&w);
}

/* Days must pass, but not all at once: that would be a jump. */
static void
test_clock(void)
{
	static const char *const set[] = {"log.retention.ms=86400000", NULL};
	struct world w;

	begin(&w, 3, set);
	make_topic(&w, "t", 1);
	fill(&w, "t", 9, NOW, false, 100);
	pass(&w, 10 * 60000);
	sim_set_wall_ms(w.disk, NOW + 400 * 86400000LL);
	pass(&w, 30 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 0, "a clock that jumps a year makes nothing old");
	world_stop(&w);
	world_start(&w);
	pass(&w, 25 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 0, "nor does a restart after that");
	pass(&w, 10 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 9, "what has stayed for an hour is believed");
	world_stop(&w);
	world_end(&w);
}

static void
test_clock_while_down(void)
{
	static const char *const set[] = {"log.retention.ms=86400000", NULL};
	struct world w;

	begin(&w, 4, set);
	make_topic(&w, "t", 1);
	fill(&w, "t", 9, NOW, false, 100);
	world_stop(&w);
	sim_set_wall_ms(w.disk, NOW + 400 * 86400000LL);
	world_start(&w);
	pass(&w, 50 * 60000);
	is_int(log_of(&w, "t", 0)->start_offset, 0,
	    "a clock that has jumped while no broker ran makes nothing old");
	world_stop(&w);
	world_end(&w);
}

/* Of a log that nobody uses no file is opened for nothing. */
static void
test_idle(void)
{
	static const char *const set[] = {"log.retention.ms=36000000", NULL};
	struct world w;
	struct fault_plan plan = {.calls = FAULT_OPEN | FAULT_LIST, .at = 1u << 30};
	struct err err;
	uint64_t calls;

	begin(&w, 5, set);
	make_topic(&w, "t", 3);
	fill(&w, "t", 9, NOW, false, 100);
	world_stop(&w);
	w.os = fault_new(sim_os_new(w.disk, 2));
	w.broker = broker_new(w.os, &w.config, &err);
	pass(&w, 5 * 60000);
	ok(!log_of(&w, "t", 0)->loaded, "a log in which nothing is old is not opened");
	plan.at = 1;
	plan.kind = FAULT_FAIL;
	fault_plan(w.os, &plan);
	pass(&w, 8 * 3600000);
	calls = fault_fired(w.os);
	fault_plan(w.os, NULL);
	is_int((intmax_t)calls, 0, "nor is its directory looked at, for hours");
	pass(&w, 3 * 3600000);
	is_int(log_of(&w, "t", 0)->start_offset, 9, "until something is");
	world_stop(&w);
	world_end(&w);
}

/* --- compaction ------------------------------------------------------------------------ */

static const char *const compacted[] = {"log.cleanup.policy=compact", NULL};

static void
test_compaction(void)
{
	struct world w;
	int64_t newest[KEYS];
	int records;
	bool good = true;

	begin(&w, 10, compacted);
	make_topic(&w, "t", 1);
	make_topic(&w, "u", 1);
	ok(fill(&w, "t", 100, NOW, true, 50) && fill(&w, "u", 40, NOW, true, 50),
	    "keyed records in two topics");
	pass(&w, 20000);
	records = read_keys(&w, "t", newest);
	for (int i = 0; i < KEYS; i++)
		good = good && newest[i] == 99 - (99 - i) % KEYS;
	ok(good, "each key's last value stays");
	ok(records < 20, "older ones go: %d are left", records);
	ok(read_keys(&w, "u", newest) < 20, "of both topics");
	is_int(log_of(&w, "t", 0)->end_offset, 100, "the end does not move");
	is_int(count_left(&w), 0, "no temporary file is left");
	ok(sim_size(w.disk, "store/cleaner-offset-checkpoint") > 10, "how far is noted");
	fill(&w, "t", 100, NOW + 3000000, true, 50);
	pass(&w, 20000);
	records = read_keys(&w, "t", newest);
	ok(records < 20 && newest[0] == 198, "and so it goes on: %d", records);
	world_stop(&w);
	world_start(&w);
	is_int(read_keys(&w, "t", newest), records, "after a restart it is the same");
	world_stop(&w);
	world_end(&w);
}

/* A producer that does not stop, while the log is compacted. */
static void
test_latency(void)
{
	struct world w;
	struct client *c;
	int64_t newest[KEYS], began, longest = 0, usual = 0, start, waited;
	int i;

	begin(&w, 11, compacted);
	make_topic(&w, "t", 1);
	fill(&w, "t", 300, NOW, true, 50);
	sim_settings(w.disk)->sync_ms = 5;
	began = os_mono_ns(w.os);
	for (i = 300; i < 700;) {
		c = client_new(w.os, BROKER_ADDRESS);
		for (int n = 0; n < 60 && i < 700; n++, i++) {
			char key[8];

			snprintf(key, sizeof(key), "%d", i % KEYS);
			start = os_mono_ns(w.os);
			if (put(c, "t", 0, NOW + (i - 300) * 1000, key, 50) != i)
				printf("# %d was not taken\n", i);
			waited = os_mono_ns(w.os) - start;
			longest = waited > longest ? waited : longest;
			usual += waited;
		}
		client_free(c);
	}
	usual /= 400;
	printf("# %lld ms in all, an append %lld us, at most %lld us\n",
	    (long long)(os_mono_ns(w.os) - began) / 1000000, (long long)usual / 1000,
	    (long long)longest / 1000);
	ok(longest < 300 * 1000000LL, "appends do not wait for a compaction");
	pass(&w, 20000);
	ok(read_keys(&w, "t", newest) < 60 && newest[(699) % KEYS] == 699,
	    "the log was compacted all the same");
	world_stop(&w);
	world_end(&w);
}

/* The dirtier one is first. */
static void
test_order(void)
{
	struct world w;
	int64_t at[2] = {-1, -1};

	begin(&w, 12, compacted);
	make_topic(&w, "a", 1);
	make_topic(&w, "b", 1);
	fill(&w, "a", 60, NOW - 3600000, true, 50);
	pass(&w, 10000);
	ok(find(&w, "a", 0)->upkeep.first_dirty_offset > 50, "one is clean");
	/* Two thirds of it are dirty now; of the other, all. */
	for (int i = 0; i < 2; i++)
		fill(&w, i == 0 ? "a" : "b", 60, NOW, true, 50);
	for (int i = 0; i < 200000 && (at[0] == -1 || at[1] == -1); i++) {
		os_turn(w.os, 1000);
		if (at[0] == -1 && find(&w, "a", 0)->upkeep.first_dirty_offset > 100)
			at[0] = i;
		if (at[1] == -1 && find(&w, "b", 0)->upkeep.first_dirty_offset > 50)
			at[1] = i;
	}
	ok(at[1] != -1 && at[0] != -1, "both are compacted");
	world_stop(&w);
	world_end(&w);
}

static void
test_rot(void)
{
	struct world w;
	int64_t newest[KEYS];

	begin(&w, 13, compacted);
	make_topic(&w, "bad", 1);
	make_topic(&w, "good", 1);
	fill(&w, "bad", 60, NOW, true, 50);
	world_stop(&w);
	sim_flip_bit(w.disk, "store/bad-0/00000000000000000000.log", 100 * 8);
	world_start(&w);
	pass(&w, 20000);
	ok(find(&w, "bad", 0)->upkeep.uncleanable, "a broken segment ends its compaction");
	is_int(count_left(&w), 0, "and leaves no file");
	fill(&w, "good", 60, NOW, true, 50);
	pass(&w, 20000);
	ok(read_keys(&w, "good", newest) < 20, "the others go on");
	ok(fill(&w, "bad", 3, NOW + 30000, true, 50), "and it takes records");
	world_stop(&w);
	world_end(&w);
}

static void
test_delete_topic(void)
{
	int wrong = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		struct world w;

		begin(&w, 100 + seed, compacted);
		make_topic(&w, "t", 1);
		fill(&w, "t", 40, NOW, true, 50);
		pass(&w, 900);
		for (uint64_t i = 0; i < seed * 3; i++)
			os_turn(w.os, 100);
		make_topic(&w, "t", 0);
		pass(&w, 5000);
		wrong += sim_size(w.disk, "store/t-0/partition.metadata") != -1 || count_left(&w) > 0;
		make_topic(&w, "t", 1);
		wrong += !fill(&w, "t", 10, NOW, true, 50);
		world_stop(&w);
		world_end(&w);
	}
	is_int(wrong, 0, "a topic that is deleted while it is compacted goes, and may come again");
}

/* --- crashes --------------------------------------------------------------------------------- */

/* Runs a broker on the disk until call `at` kills it, or the log is compacted. True: it
 * was killed. */
static bool
run_to_death(struct world *w, uint64_t at, enum fault_kind kind)
{
	struct fault_plan plan = {.calls = FAULT_WRITES, .at = at, .kind = kind};
	struct err err;
	bool died;

	w->os = fault_new(sim_os_new(w->disk, at));
	w->broker = broker_new(w->os, &w->config, &err);
	fault_plan(w->os, &plan);
	for (int64_t until = os_mono_ns(w->os) + 5000000000LL; os_mono_ns(w->os) < until;)
		if (os_turn(w->os, 1000) == -1)
			break;
	died = fault_fired(w->os) > 0;
	sim_os_kill(fault_inner(w->os));
	broker_free(w->broker);
	os_free(w->os);
	return died;
}

static void
turn_power_off(struct world *w, uint64_t seed)
{
	struct sim_disk *image;

	sim_net_detach(w->disk);
	image = sim_crash(w->disk, seed);
	sim_disk_free(w->disk);
	w->disk = image;
	sim_net_attach(w->net, w->disk, "localhost");
}

static const char *
check_after(struct world *w)
{
	int64_t newest[KEYS];
	int records;

	if (!world_start(w))
		return "no start";
	records = read_keys(w, "t", newest);
	for (int i = 0; i < KEYS && records != -1; i++)
		if (newest[i] != 59 - (59 - i) % KEYS)
			return "a key's last value is gone";
	if (records == -1)
		return "it cannot be read";
	pass(w, 5000);
	records = read_keys(w, "t", newest);
	if (records == -1 || records >= 20)
		return "it is not compacted in the end";
	for (int i = 0; i < KEYS; i++)
		if (newest[i] != 59 - (59 - i) % KEYS)
			return "then a key's last value is gone";
	return fill(w, "t", 3, NOW + 30000, true, 50) ? NULL : "it takes no record";
}

static void
test_killed(void)
{
	static const enum fault_kind kinds[] = {FAULT_DIE_BEFORE, FAULT_DIE_DURING, FAULT_DIE_AFTER};
	struct sim_disk *origin;
	struct world w;
	struct err err;
	int runs = 0, wrong = 0;
	bool died = true;

	begin(&w, 20, (const char *[]){"log.cleanup.policy=compact",
	    "log.cleaner.backoff.ms=100000", NULL});
	make_topic(&w, "t", 1);
	fill(&w, "t", 60, NOW, true, 50);
	world_stop(&w);
	broker_config_set(&w.config, "log.cleaner.backoff.ms", "1000", "test", &err);
	sim_net_detach(w.disk);
	origin = w.disk;
	for (uint64_t at = 1; died; at++) {
		const char *why;

		w.disk = sim_clone(origin);
		sim_net_attach(w.net, w.disk, "localhost");
		died = run_to_death(&w, at, kinds[at % 3]);
		if (at % 2 == 1)
			turn_power_off(&w, at);
		why = check_after(&w);
		if (why != NULL && wrong++ < 5)
			printf("# call %d: %s\n", (int)at, why);
		world_stop(&w);
		sim_net_detach(w.disk);
		sim_disk_free(w.disk);
		runs++;
	}
	ok(runs > 100, "killed at each of %d calls, every other time without power", runs - 1);
	is_int(wrong, 0, "each key's last value is there");
	broker_config_release(&w.config);
	sim_disk_free(origin);
	sim_net_free(w.net);
}

int
main(void)
{
	test_time();
	test_size();
	test_clock();
	test_clock_while_down();
	test_idle();
	test_compaction();
	test_latency();
	test_order();
	test_rot();
	test_delete_topic();
	test_killed();
	return tap_done();
}
