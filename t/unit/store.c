/* A store on a simulated disk: opened, formatted, written by several. */
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "lib/bounds.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "store/groups.h"
#include "store/store_impl.h"
#include "store_test.h"
#include "tap.h"

/* A tail without the last word, of which the checksum begins with a digit. */
static void
old_tail(char text[TAIL_SIZE])
{
	char crc[9] = "";

	for (int epoch = 0; crc[0] < '1' || crc[0] > '9'; epoch++) {
		int len = snprintf(text, TAIL_SIZE, "mq.tail 1 boot %d 0 1 1 0 1 1 0 1 0 1 -1 0 ", epoch);

		memset(text + len, ' ', (size_t)(TAIL_SIZE - len));
		snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 9));
		memcpy(text + TAIL_SIZE - 9, crc, 8);
		text[TAIL_SIZE - 1] = '\n';
	}
}

static void
test_tail(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct buf text = BUF_INIT;
	struct tail_hint h = {.boot_id = "6e0b9a5e-0000-4000-8000-00000000cafe",
	    .epoch = INT32_MIN,
	    .clock = {INT64_MAX, INT64_MAX},
	    .tail = {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN,
	        INT64_MIN, true, true},
	    .first_base = INT64_MIN},
	                 back;
	char line[TAIL_SIZE], again[TAIL_SIZE], old[TAIL_SIZE];
	struct err err;
	int refused = 0;

	tail_format(&h, line);
	is_int(tail_parse(&back, line, TAIL_SIZE), 0, "the longest tail fits");
	tail_format(&back, again);
	is_mem(again, line, TAIL_SIZE, "and comes back as it was");
	for (int i = 0; i < TAIL_SIZE; i++) {
		line[i] ^= 1;
		refused += tail_parse(&back, line, TAIL_SIZE) == -1;
		line[i] ^= 1;
	}
	is_int(refused, TAIL_SIZE, "a flipped bit anywhere makes it none");
	is_int(tail_parse(&back, line, TAIL_SIZE - 1), -1, "and so does a missing byte");
	old_tail(old);
	is_int(tail_parse(&back, old, TAIL_SIZE), 0, "one without the last word is read");
	ok(!back.tail.replacing && back.first_base == -1, "and leaves open what it would say");

	create(s, "t", 1, &err);
	append(s, "t", 0, "x", &err);
	store_sync(s, &err);
	store_free(s);
	sim_read(disk, "store/t-0/mq.tail", &text);
	ok(tail_parse(&h, (const char *)text.data, text.len) == 0 && h.tail.end_offset == 1 &&
	       h.tail.synced_offset == 1,
	    "who leaves tells what was synced");
	buf_release(&text);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_format(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct store *s;

	options.create = false;
	ok(store_open(os, "store", &options, &err) == NULL && err.code == ERR_NOT_FOUND,
	    "where there is nothing there is no store");
	options.create = true;
	s = open_store(os);
	ok(s != NULL, "a store is made where it is wanted");
	is_int(store_node_id(s), 1, "its node is 1");
	is_int(image_feature(store_image(s), "metadata.version"), 30, "at Kafka 4.3's level");
	is_int(image_feature(store_image(s), "kraft.version"), 1, "with voters in the log");
	is_int((intmax_t)store_image(s)->voter_count, 1, "of whom there is one");
	store_free(s);
	is_int((intmax_t)sim_os_open_count(os), 0, "a store that is closed leaves no descriptor");
	options.create = false;
	s = open_store(os);
	ok(s != NULL, "and is a store when it is opened again");
	store_free(s);

	sim_write(disk, "other/notes.txt", "hi", 2);
	options.create = true;
	ok(store_open(os, "other", &options, &err) == NULL && err.code == ERR_NOT_FOUND &&
	        strstr(err.text, "notes.txt") != NULL,
	    "a directory with other files is never made a store");
	s = store_open(os, "a/b/c", &options, &err);
	ok(s != NULL, "directories above a new store are made");
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_topics(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	char retension[] = "retention.mss", retention[] = "retention.ms", one[] = "7d";
	struct image_config odd = {.name = retension, .value = one};
	struct image_config week = {.name = retention, .value = one};
	struct store_topic_spec spec = {.name = "c", .partitions = 1, .configs = &odd, .config_count = 1};
	struct err err;

	is_int(create(s, "orders", 3, &err), 0, "a topic is made");
	is_int(image_topic(store_image(s), "orders")->partition_count, 3, "with its partitions");
	is_int(create(s, "orders", 3, &err), -1, "not twice");
	is_int(err.code, ERR_TOPIC_ALREADY_EXISTS, "as Kafka says it");
	is_int(create(s, "a b", 1, &err), -1, "nor under a bad name");
	is_int(err.code, ERR_INVALID_TOPIC_EXCEPTION, "as Kafka says it");
	create(s, "x.y", 1, &err);
	is_int(create(s, "x_y", 1, &err), -1, "nor one that differs in a dot only");
	is_int(create(s, "z", 0, &err), -1, "nor without partitions");
	is_int(err.code, ERR_INVALID_PARTITIONS, "as Kafka says it");
	is_int(store_create_topic(s, &spec, &err), -1, "nor with a config that is not there");
	ok(image_topic(store_image(s), "c") == NULL, "of which then nothing is left");
	spec.configs = &week;
	is_int(store_create_topic(s, &spec, &err), 0, "a config is taken");
	is_str(image_config(store_image(s), 2, "c", "retention.ms"), "604800000",
	    "as Kafka stores it");
	week.value = NULL;
	is_int(store_alter_configs(s, "c", &week, 1, &err), 0, "a config is taken away");
	ok(image_config(store_image(s), 2, "c", "retention.ms") == NULL, "and is gone");

	is_int(store_add_partitions(s, "orders", 5, &err), 0, "a topic gets more partitions");
	is_int(image_topic(store_image(s), "orders")->partition_count, 5, "as many as wanted");
	is_int(store_add_partitions(s, "orders", 5, &err), -1, "never fewer");

	is_int(append(s, "orders", 0, "one", &err), 0, "a record is appended");
	is_int(append(s, "orders", 5, "one", &err), -1, "not to a partition that is not there");
	is_int(err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "as Kafka says it");
	is_str(contents(s, "orders", 0), "one,", "it is read");
	is_str(contents(s, "orders", 1), "", "what has no directory yet is empty");
	is_int(store_delete_topic(s, "orders", &err), 0, "a topic is deleted");
	ok(sim_size(disk, "store/orders-0/mq.lock") == -1, "with its directories");
	is_str(contents(s, "orders", 0), "UNKNOWN_TOPIC_OR_PARTITION", "and cannot be read");
	create(s, "orders", 1, &err);
	is_int(append(s, "orders", 0, "two", &err), 0, "made again it begins at 0");
	is_str(contents(s, "orders", 0), "two,", "with nothing of the old one");
	sim_write(disk, "store/log-start-offset-checkpoint", "0\n1\nlate 0 7\n", 13);
	create(s, "late", 1, &err);
	is_int(append(s, "late", 0, "x", &err), 0,
	    "what an old topic of the name left in a checkpoint does not count");
	is_int(store_delete_topic(s, "nix", &err), -1, "what is not there is not deleted");
	is_int(store_sync(s, &err), 0, "all can be synced");
	store_free(s);
	is_int((intmax_t)sim_os_open_count(os), 0, "no descriptor is left");
	os_free(os);
	sim_disk_free(disk);
}

/* Two processes write one partition, by turns; one sees what the other does. */
static void
test_sharing(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *a_os = sim_os_new(disk, 1), *b_os = sim_os_new(disk, 2);
	struct store *a = open_store(a_os), *b = open_store(b_os);
	struct err err;

	create(a, "t", 1, &err);
	is_int(append(b, "t", 0, "b0", &err), 0, "a topic that another made is found");
	is_int(append(a, "t", 0, "a1", &err), 1, "offsets go on");
	is_int(append(a, "t", 0, "a2", &err), 2, "and on");
	is_int(append(b, "t", 0, "b3", &err), 3, "from wherever the other left them");
	is_str(contents(a, "t", 0), "b0,a1,a2,b3,", "all is read in order");

	store_delete_topic(a, "t", &err);
	is_int(append(b, "t", 0, "lost", &err), -1, "a topic that another deleted is gone");
	is_int(err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "as Kafka says it");
	is_int(store_sync(b, &err), 0, "and nothing is left of it to sync");
	create(a, "t", 1, &err);
	is_int(append(b, "t", 0, "new", &err), 0, "made again it is the new one for all");
	is_str(contents(a, "t", 0), "new,", "and has what belongs to it");
	append(a, "t", 0, "more", &err);

	sim_os_kill(b_os);
	is_int(append(a, "t", 0, "on", &err), 2, "a writer's death stops nobody");
	store_free(a);
	store_free(b);
	os_free(a_os);
	os_free(b_os);
	sim_disk_free(disk);
}

/* What was appended is made durable, or is not said to be, whatever becomes of
 * the log that knew of it. */
static void
test_owed(void)
{
	struct sim_disk *disk = sim_disk_new(), *image;
	struct os *os = fault_new(sim_os_new(disk, 1)), *other = sim_os_new(disk, 2), *killed;
	struct sim_choice *choices;
	struct store_cleaned done;
	struct store *s, *back;
	struct err err;
	int fds[32], fd;
	size_t n;

	options.lock_wait_ms = 20;
	s = open_store(os);
	create(s, "t", 1, &err);
	append(s, "t", 0, "one", &err);
	store_sync(s, &err);
	append(s, "t", 0, "two", &err);
	n = store_unsynced(s, fds, 32);
	fd = os_open(other, "store/t-0/mq.lock", OS_WRITE);
	os_lock(other, fd, OS_LOCK_EXCLUSIVE);
	is_int(store_clean(s, "t", 0, &done, &err), -1, "a partition that another holds");
	is_int(err.code, ERR_BUSY, "is not cleaned");
	is_str(err.text, "store/t-0/mq.lock: locked by another process for 20 ms: another writer is "
	    "slow, or stopped (-m: wait longer)", "which says what lock, and who may hold it");
	for (size_t i = 0; i < n; i++)
		n = os_sync(os, fds[i]) == 0 ? n : 0;
	ok(n > 0, "what a sync has been given stays open meanwhile");
	is_int(store_synced(s, 0, &err), 0, "until it is over");
	append(s, "t", 0, "not taken", &err);
	is_int(err.code, ERR_BUSY, "nothing is appended");
	os_close(other, fd);

	append(s, "t", 0, "three", &err);
	fd = os_open(other, "store/t-0/mq.lock", OS_WRITE);
	os_lock(other, fd, OS_LOCK_EXCLUSIVE);
	store_clean(s, "t", 0, &done, &err);
	is_int(store_sync(s, &err), 0, "what was appended before is synced by its name");
	choices = calloc(sim_pending_count(disk) + 1, sizeof(*choices));
	for (size_t i = 0; i < sim_pending_count(disk); i++)
		choices[i].fate = SIM_LOSE;
	image = sim_crash_with(disk, choices);
	free(choices);
	back = open_store(sim_os_new(image, 3));
	is_str(contents(back, "t", 0), "one,two,three,", "and survives a power failure");
	killed = store_os(back);
	store_free(back);
	os_free(killed);
	sim_disk_free(image);
	os_free(other);
	options.lock_wait_ms = 60000;
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

static struct os *daemon_os;
static int daemon_fd;

/* The daemon goes while somebody waits for it. */
static void
daemon_goes(void *ctx)
{
	int *sleeps = ctx;

	if (++*sleeps == 3)
		os_close(daemon_os, daemon_fd);
}

static void
test_daemon(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct err err;
	int sleeps = 0;

	daemon_os = sim_os_new(disk, 2);
	create(s, "t", 1, &err);
	append(s, "t", 0, "0", &err);
	daemon_fd = os_open(daemon_os, "store/.lock", OS_WRITE);
	os_lock(daemon_os, daemon_fd, OS_LOCK_EXCLUSIVE);
	options.lock_wait_ms = 50;
	store_free(s);
	s = open_store(os);
	ok(s != NULL, "a store that a daemon has can be opened");
	is_str(contents(s, "t", 0), "0,", "and read");
	is_int(append(s, "t", 0, "1", &err), -1, "but not written");
	is_int(err.code, ERR_BUSY, "for the time being");
	options.lock_wait_ms = 60000;
	store_free(s);
	s = open_store(os);
	sim_settings(disk)->on_sleep = daemon_goes;
	sim_settings(disk)->on_sleep_ctx = &sleeps;
	is_int(append(s, "t", 0, "1", &err), 1, "a writer waits until the daemon has gone");
	sim_settings(disk)->on_sleep = NULL;

	daemon_fd = os_open(daemon_os, "store/mqd.starting", OS_WRITE | OS_CREATE);
	os_lock(daemon_os, daemon_fd, OS_LOCK_EXCLUSIVE);
	sleeps = 0;
	is_int(append(s, "t", 0, "2", &err), 2, "one that looked just now does not look again");
	os_sleep_ms(os, 10);
	sim_settings(disk)->on_sleep = daemon_goes;
	is_int(append(s, "t", 0, "3", &err), 3, "then it lets one in that is starting");
	is_int(sleeps, 3, "by waiting before it takes the lock");
	sim_settings(disk)->on_sleep = NULL;

	sim_write(disk, "store/.kafka_cleanshutdown", "{}", 2);
	store_free(s);
	s = open_store(os);
	is_int(append(s, "t", 0, "4", &err), 4, "after a clean stop the log goes on");
	ok(sim_size(disk, "store/.kafka_cleanshutdown") == -1, "and the marker of it is gone");
	store_free(s);
	os_free(os);
	os_free(daemon_os);
	sim_disk_free(disk);
}

static void
test_refusals(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct err err;

	create(s, "t", 1, &err);
	store_free(s);
	sim_settings(disk)->network = true;
	s = open_store(os);
	is_int(append(s, "t", 0, "x", &err), -1, "a store on a network is not written");
	is_int(err.code, ERR_REFUSED, "which is for good");
	store_free(s);
	options.force_network = true;
	s = open_store(os);
	is_int(append(s, "t", 0, "x", &err), 0, "unless that is forced");
	store_free(s);
	options.force_network = false;
	sim_settings(disk)->network = false;
	sim_settings(disk)->read_only = true;
	s = open_store(os);
	is_str(contents(s, "t", 0), "x,", "a read-only disk is read");
	is_int(append(s, "t", 0, "x", &err), -1, "but not written");
	is_int(err.code, ERR_REFUSED, "which is for good");
	store_free(s);
	sim_settings(disk)->read_only = false;
	options.read_only = true;
	s = open_store(os);
	is_int(append(s, "t", 0, "x", &err), -1, "nor is what was opened for reading");
	store_free(s);
	options.read_only = false;
	os_free(os);
	sim_disk_free(disk);
}

/* Retention and compaction, on demand and by whoever finishes a segment. */
static void
test_clean(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct image_config small[] = {{(char[]){"internal.segment.bytes"}, (char[]){"400"}},
	    {(char[]){"retention.bytes"}, (char[]){"500"}}};
	struct store_topic_spec spec = {.name = "t", .partitions = 1, .configs = small, .config_count = 2};
	struct group_offset o = {.topic = (char[]){"t"}, .metadata = (char[]){""}};
	struct store_cleaned done;
	struct group_offsets back;
	struct err err = {0};
	int64_t start, end, bytes, segments;

	store_create_topic(s, &spec, &err);
	for (int i = 0; i < 40; i++)
		append(s, "t", 0, "some words to fill a segment", &err);
	partition_bounds(s, "t", 0, &start, &end, &err);
	ok(start > 0 && end == 40, "old segments go when one is finished (%d..%d)", (int)start,
	    (int)end);
	store_usage(s, "t", 0, &bytes, &segments, &err);
	ok(segments >= 1 && segments <= 4 && bytes > 500, "a few are left (%d)", (int)segments);
	is_int(store_trim(s, "t", 0, 39, &start, &err), 0, "a log is trimmed");
	is_int(start, 39, "to where it was wanted");
	is_int(store_trim(s, "t", 0, 41, &start, &err), -1, "not beyond its end");
	is_int(err.code, ERR_OFFSET_OUT_OF_RANGE, "as Kafka says it");
	is_str(contents(s, "t", 0), "some words to fill a segment,", "what is before is not read");

	group_commit(s, "g", &o, 1, &err);
	store_alter_configs(s, "__consumer_offsets", small, 1, &err);
	for (int i = 1; i <= 60; i++) {
		o.offset = i;
		group_commit(s, "g", &o, 1, &err);
	}
	store_usage(s, "__consumer_offsets", group_partition("g", 50), &bytes, &segments, &err);
	ok(segments < 8, "offsets are compacted on the way (%d segments)", (int)segments);
	is_int(store_clean(s, "__consumer_offsets", group_partition("g", 50), &done, &err), 0,
	    "and on demand %s", err.text);
	ok(done.segments_compacted > 0 && done.bytes_after <= done.bytes_before,
	    "which tells what it did");
	group_committed(s, "g", &back, &err);
	is_int(group_offsets_get(&back, "t", 0), 60, "the last offset stays");
	group_offsets_release(&back);
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

/* Deleting by age, beside a clock that jumps by ten days. */
static void
test_clock(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct image_config small[] = {{(char[]){"internal.segment.bytes"}, (char[]){"100"}}};
	struct store_topic_spec spec = {.name = "t", .partitions = 1, .configs = small, .config_count = 1};
	struct store_cleaned done;
	struct err err = {0};
	int64_t start, end;

	store_create_topic(s, &spec, &err);
	for (int i = 0; i < 5; i++)
		append(s, "t", 0, "some words to fill a segment", &err);
	store_free(s);
	sim_set_wall_ms(disk, os_wall_ms(os) + 10 * 86400000LL);
	s = open_store(os);
	append(s, "t", 0, "some words to fill a segment", &err);
	partition_bounds(s, "t", 0, &start, &end, &err);
	append(s, "t", 0, "some words to fill a segment", &err);
	store_clean(s, "t", 0, &done, &err);
	partition_bounds(s, "t", 0, &start, &end, &err);
	ok(start == 0 && end == 7, "a clock that has jumped between two processes deletes nothing");
	sim_set_wall_ms(disk, os_wall_ms(os) - 10 * 86400000LL);
	append(s, "t", 0, "some words to fill a segment", &err);
	sim_set_wall_ms(disk, os_wall_ms(os) + 10 * 86400000LL);
	sim_advance_ms(disk, 3599000);
	store_clean(s, "t", 0, &done, &err);
	sim_advance_ms(disk, 3599000);
	store_clean(s, "t", 0, &done, &err);
	is_int(done.segments_deleted, 0, "nor one that jumps back and forth");
	sim_advance_ms(disk, 2000);
	store_clean(s, "t", 0, &done, &err);
	ok(done.segments_deleted > 0, "but one that has stayed for an hour is believed");
	store_free(s);
	sim_advance_ms(disk, 10 * 86400000LL);
	s = open_store(os);
	append(s, "t", 0, "some words to fill a segment", &err);
	sim_advance_ms(disk, 10 * 86400000LL);
	store_clean(s, "t", 0, &done, &err);
	ok(done.segments_deleted > 0, "time that has really passed is no jump");
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

/* However many partitions are written, few are open. */
static void
test_bounds(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os);
	struct err err = {0};
	size_t most = 0;
	int good = 0;

	create(s, "t", 300, &err);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 300; i++) {
			good += append(s, "t", i, "x", &err) == round;
			if (sim_os_open_count(os) > most)
				most = sim_os_open_count(os);
		}
	}
	is_int(good, 600, "300 partitions are written by turns %s", err.text);
	ok(most < 5 * STORE_OPEN_MAX + 10, "with at most %d descriptors", (int)most);
	is_int(store_sync(s, &err), 0, "all of them can be synced");
	is_str(contents(s, "t", 299), "x,x,", "and read");
	store_free(s);
	is_int((intmax_t)sim_os_open_count(os), 0, "no descriptor is left");
	os_free(os);
	sim_disk_free(disk);
}

/* A disk that fills keeps room for what must not be half written. */
static void
test_space(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s;
	struct group_offset o = {.topic = (char[]){"t"}, .offset = 1, .metadata = (char[]){""}};
	struct err err = {0};
	char kilobyte[1001];
	int appended = 0;

	memset(kilobyte, 'x', 1000);
	kilobyte[1000] = '\0';
	sim_settings(disk)->bytes_max = 1 << 20;
	s = open_store(os);
	create(s, "t", 1, &err);
	group_commit(s, "g", &o, 1, &err);
	while (appended < 2000 && append(s, "t", 0, kilobyte, &err) >= 0)
		appended++;
	is_int(err.code, ERR_NO_SPACE, "appends are refused before the disk is full");
	ok(appended > 800 && appended < 930, "with an eighth of a small disk left (%d)", appended);
	is_int(group_commit(s, "g", &o, 1, &err), 0, "offsets can still be committed");
	is_int(create(s, "u", 1, &err), 0, "and topics made");
	is_int(store_delete_topic(s, "t", &err), 0, "or deleted");
	sim_advance_ms(disk, 2000);
	is_int(append(s, "u", 0, kilobyte, &err), 0, "then there is room again %s", err.text);
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

/* One writer at work costs about a dozen calls a batch. */
static void
test_cost(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = fault_new(sim_os_new(disk, 1));
	struct store *s = open_store(os);
	struct err err;
	uint64_t before;

	create(s, "t", 1, &err);
	for (int i = 0; i < 10; i++)
		append(s, "t", 0, "warm", &err);
	before = fault_count(os, FAULT_ALL);
	for (int i = 0; i < 10; i++)
		append(s, "t", 0, "work", &err);
	before = fault_count(os, FAULT_ALL) - before;
	ok(before <= 14 * 10, "an append takes %d calls", (int)before / 10);
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	store_options_default(&options);
	options.create = true;
	test_format();
	test_tail();
	test_topics();
	test_sharing();
	test_owed();
	test_daemon();
	test_refusals();
	test_clean();
	test_clock();
	test_bounds();
	test_space();
	test_cost();
	return tap_done();
}
