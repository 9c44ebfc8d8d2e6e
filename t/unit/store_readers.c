/* Tests of what a store tells a reader, so that it need not list the directory: it
 * holds whatever others do meanwhile. */
#include "store_test.h"

#include "lib/bounds.h"
#include "os/os_fault.h"

#define METADATA "store/__cluster_metadata-0"

/* Appends one record with a key; a batch of 100 bytes. */
static int
append_keyed(struct store *s, const char *key, struct err *err)
{
	static const uint8_t value[60] = "value";
	struct record r = {.timestamp = os_wall_ms(store_os(s)),
	    .key = (const uint8_t *)key,
	    .key_size = (int32_t)strlen(key),
	    .value = value,
	    .value_size = (int32_t)sizeof(value)};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, 0);
	ret = batch_builder_add(&bb, &r, err);
	if (ret == 0)
		ret = batch_builder_finish(&bb, &b, err);
	if (ret == 0)
		ret = store_append(s, "t", 0, (uint8_t *)(uintptr_t)b.bytes, (size_t)b.size, &out, err);
	batch_builder_release(&bb);
	return ret;
}

static int
create_with(struct store *s, const char *key, const char *value, const char *segment_bytes)
{
	struct image_config configs[] = {{(char *)(uintptr_t)key, (char *)(uintptr_t)value},
	    {(char[]){"internal.segment.bytes"}, (char *)(uintptr_t)segment_bytes}};
	struct store_topic_spec spec = {.name = "t", .partitions = 1, .configs = configs,
	    .config_count = 2};
	struct err err;

	return store_create_topic(s, &spec, &err);
}

static uint64_t
lists_of_bounds(struct store *s, int64_t *start, int64_t *end)
{
	uint64_t lists = fault_count(store_os(s), FAULT_LIST);
	struct err err = {0};
	struct reader *r = store_reader(s, "t", 0, &err);

	*start = *end = -1;
	if (r == NULL || reader_bounds(r, start, end, &err) == -1)
		printf("# %s\n", err.text);
	reader_free(r);
	return fault_count(store_os(s), FAULT_LIST) - lists;
}

/* Another process: the active segment grows and is finished, then loses just what it
 * had grown by. That mq.times could not be written is no reason to go wrong. */
static void
grow_and_shrink(void *ctx)
{
	struct os *os = sim_os_new(ctx, 2);
	struct store *s = open_store(os);
	struct store_cleaned done;
	struct err err = {0};

	for (const char *key = "bbcc"; *key != '\0'; key++)
		append_keyed(s, (char[]){*key, '\0'}, &err);
	if (store_clean(s, "t", 0, &done, &err) == -1)
		printf("# %s\n", err.text);
	store_free(s);
	os_remove(os, "store/t-0/mq.times");
	os_free(os);
}

static void
test_shrunk(void)
{
	int wrong = 0, hooked = 0;
	bool fired = true;

	for (uint64_t n = 1; fired; n++) {
		struct sim_disk *disk = sim_disk_new();
		struct os *os = fault_new(sim_os_new(disk, 1));
		struct store *s = open_store(os);
		int64_t start, end, size;
		struct err err = {0};
		struct reader *r;

		create_with(s, "cleanup.policy", "compact", "299");
		append_keyed(s, "a", &err);
		size = sim_size(disk, "store/t-0/00000000000000000000.log");
		fault_plan(os, &(struct fault_plan){.calls = FAULT_ALL, .at = n,
		                   .kind = FAULT_HOOK, .hook = grow_and_shrink, .ctx = disk});
		r = store_reader(s, "t", 0, &err);
		wrong += r == NULL || reader_bounds(r, &start, &end, &err) == -1 ||
		    (end != 1 && end != 5);
		fired = fault_fired(os) > 0;
		fault_plan(os, NULL);
		if (fired) {
			hooked++;
			wrong += sim_size(disk, "store/t-0/00000000000000000000.log") != size ||
			    reader_bounds(r, &start, &end, &err) == -1 || end != 5;
		}
		reader_free(r);
		store_free(s);
		os_free(os);
		sim_disk_free(disk);
	}
	ok(hooked > 8, "a segment grows, is finished and shrinks at each of %d calls", hooked);
	is_int(wrong, 0, "and the end is told at the next look");
}

/* Retention deletes and tells nobody but the hint: a process that has opened the
 * log by the hint alone hands it on. */
static void
test_first_base(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = fault_new(sim_os_new(disk, 1)), *other = sim_os_new(disk, 2);
	struct store *s = open_store(os), *late;
	int64_t start, end, trimmed;
	struct buf tail = BUF_INIT;
	struct err err = {0};
	uint64_t lists;

	create_with(s, "retention.bytes", "900", "299");
	for (int i = 0; i < 21; i++)
		append_keyed(s, "a", &err);
	lists = lists_of_bounds(s, &start, &end);
	ok(start >= 8 && start % 2 == 0 && end == 21 && lists == 0,
	    "what retention left is known without a listing (%d..%d)", (int)start, (int)end);
	store_sync(s, &err);
	store_free(s);

	s = open_store(os);
	late = open_store(other);
	append_keyed(late, "a", &err);
	lists = lists_of_bounds(s, &start, &end);
	ok(start >= 8 && end == 22 && lists == 0, "also after an append by another process");
	store_free(late);
	store_trim(s, "t", 0, 15, &trimmed, &err);
	lists = lists_of_bounds(s, &start, &end);
	ok(start == 15 && end == 22 && lists == 0, "a trim is seen");

	sim_read(disk, "store/t-0/mq.tail", &tail);
	sim_write(disk, "store/t-0/mq.tail", "", 0);
	lists = lists_of_bounds(s, &start, &end);
	ok(start == 15 && end == 22 && lists > 0, "without the hint it is listed");
	sim_write(disk, "store/t-0/mq.tail", tail.data, tail.len);
	os_remove(other, "store/t-0/mq.times");
	lists = lists_of_bounds(s, &start, &end);
	ok(start == 15 && end == 22 && lists > 0, "so it is without mq.times");
	buf_release(&tail);
	store_free(s);
	os_free(os);
	os_free(other);
	sim_disk_free(disk);
}

/* A daemon begins with a batch in the metadata log, in a new epoch. */
static void
raise_epoch(struct sim_disk *disk)
{
	struct mlog_open_args args = {.how = MLOG_RECOVER};
	struct os *os = sim_os_new(disk, 2);
	struct buf bytes = BUF_INIT;
	struct mlog_appended out;
	struct mlog_config config;
	struct batch first;
	struct err err = {0};
	struct mlog log;

	mlog_config_default(&config);
	sim_read(disk, METADATA "/00000000000000000000.log", &bytes);
	batch_view(bytes.data, bytes.len, &first);
	if (mlog_open(&log, os, METADATA, &config, &args, &err) == -1 ||
	    mlog_append(&log, bytes.data, (size_t)first.size, 99, 0, &out, &err) == -1)
		printf("# %s\n", err.text);
	mlog_release(&log);
	buf_release(&bytes);
	os_free(os);
}

/* A daemon has written: what the hint says may be of long ago, and it is not asked.
 * Its epoch is seen also by a process that has read the metadata before. */
static void
test_epoch(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = fault_new(sim_os_new(disk, 1)), *other = sim_os_new(disk, 3);
	struct store *s = open_store(os);
	struct tail_hint hint;
	int64_t start, end;
	struct buf tail = BUF_INIT;
	char text[TAIL_SIZE];
	struct err err = {0};
	int fd;

	create_with(s, "retention.bytes", "-1", "299");
	append_keyed(s, "a", &err);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 0, "a hint of this epoch is believed");
	sim_read(disk, "store/t-0/mq.tail", &tail);
	tail_parse(&hint, (const char *)tail.data, tail.len);
	hint.epoch++;
	tail_format(&hint, text);
	sim_write(disk, "store/t-0/mq.tail", text, TAIL_SIZE);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 1, "one of another epoch is not");
	hint.epoch--;
	hint.tail.replacing = true;
	tail_format(&hint, text);
	sim_write(disk, "store/t-0/mq.tail", text, TAIL_SIZE);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 1,
	    "nor is one that was left in the middle of a compaction");
	sim_write(disk, "store/t-0/mq.tail", tail.data, tail.len);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 0, "that of the writer is");
	fd = os_open(other, "store/mqd.starting", OS_WRITE | OS_CREATE);
	os_lock(other, fd, OS_LOCK_EXCLUSIVE);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 1, "while no daemon has the store");
	os_close(other, fd);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 0, "and when it has gone");
	raise_epoch(disk);
	is_int((intmax_t)lists_of_bounds(s, &start, &end), 2,
	    "until a daemon begins its epoch: then both logs are listed");
	buf_release(&tail);
	store_free(s);
	os_free(os);
	os_free(other);
	sim_disk_free(disk);
}

int
main(void)
{
	store_options_default(&options);
	options.create = true;
	options.disk_min_free = 0;
	test_shrunk();
	test_first_base();
	test_epoch();
	return tap_done();
}
