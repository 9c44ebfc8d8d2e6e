/* The metadata log of a daemon: taken, led, changed, left; and found again. */
#include "mqd_cluster_test.h"
#include "os/os_fault.h"
#include "store/store_impl.h"
#include "store/snapshot.h"

static char text[4096];

/* A file as text. */
static const char *
content(struct sim_disk *disk, const char *path)
{
	struct buf b = BUF_INIT;

	text[0] = '\0';
	if (sim_read(disk, path, &b) == 0)
		snprintf(text, sizeof(text), "%s", buf_cstr(&b));
	buf_release(&b);
	return text;
}

#define QUORUM_STATE "store/__cluster_metadata-0/quorum-state"
#define MARKER "store/.kafka_cleanshutdown"

static void
test_first_start(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct cluster *c = start(os, &err);
	const struct image_broker *b;

	ok(c != NULL, "a daemon starts where there is nothing: %s", err.text);
	is_int(cluster_epoch(c), 1, "in the first epoch");
	is_int(cluster_epoch_before(c), -1, "which none came before");
	ok(!cluster_was_clean(c), "and no clean stop");
	is_str(content(disk, QUORUM_STATE),
	    "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,"
	    "\"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}",
	    "quorum-state is what Kafka writes");
	b = image_broker(cluster_image(c), 1);
	ok(b != NULL && !b->record->fenced, "this broker is registered and unfenced");
	is_int(b->record->broker_epoch, cluster_broker_epoch(c), "under its epoch");
	is_int(cluster_broker_epoch(c), 12, "the offset of its registration");
	ok(b->record->end_points.items[0].port == 9092 &&
	       memcmp(b->record->end_points.items[0].host.data, "localhost", 9) == 0,
	    "where it is advertised");
	told[0] = '\0';
	is_int(wish_for(c, "t", 2), 0, "a topic is made");
	is_str(told, "t ", "and told of once");
	ok(partition_of(c, "t") != NULL && partition_of(c, "t")->leader == 1,
	    "and this node leads it");
	is_int(wish_for(c, "t", 2), ERR_TOPIC_ALREADY_EXISTS, "but not twice");
	told[0] = '\0';
	is_int(wish_for(c, "t", 0), 0, "it is deleted");
	is_str(told, "t ", "and that is told");
	ok(image_topic(cluster_image(c), "t") == NULL, "and it is gone");
	is_int(stop(c), 0, "a clean stop");
	is_str(content(disk, MARKER), "{\"version\":0,\"brokerEpoch\":12}", "leaves Kafka's marker");
	is_int((intmax_t)sim_os_open_count(os), 0, "and nothing open");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_starts(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct cluster *c = start(os, &err);
	char id[64];

	wish_for(c, "t", 1);
	snprintf(id, sizeof(id), "%s", cluster_id_text(c));
	is_int(partition_of(c, "t")->leader_epoch, 0, "a new partition is in epoch 0");
	stop(c);
	c = start(os, &err);
	ok(c != NULL && cluster_was_clean(c), "a start finds that the stop was clean: %s", err.text);
	is_int(cluster_epoch(c), 2, "begins an epoch");
	is_int(cluster_epoch_before(c), 1, "after the last");
	is_str(cluster_id_text(c), id, "of the same cluster");
	is_int(partition_of(c, "t")->leader_epoch, 0, "and leaves the leaders' epochs alone");
	is_str(content(disk, MARKER), "", "the marker is gone");
	told[0] = '\0';
	cluster_announce(c);
	is_str(told, "t * ", "all topics are announced");
	os_turn(os, 0);

	sim_os_kill(os);
	cluster_free(c);
	os_free(os);
	os = sim_os_new(disk, 2);
	c = start(os, &err);
	ok(c != NULL && !cluster_was_clean(c), "after a kill no stop was clean");
	is_int(cluster_epoch(c), 3, "a new epoch");
	is_int(partition_of(c, "t")->leader_epoch, 1, "and a new one of the leader");
	stop(c);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_tools(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1), *tool = sim_os_new(disk, 2);
	struct store_options o;
	struct store_topic_spec spec = {.name = "by-tool", .partitions = 3};
	struct err err;
	struct cluster *c;
	struct store *s;

	store_options_default(&o);
	o.create = true;
	o.lock_wait_ms = 10;
	s = store_open(tool, "store", &o, &err);
	store_create_topic(s, &spec, &err);
	store_free(s);
	c = start(os, &err);
	ok(c != NULL, "a daemon starts on a tool's store: %s", err.text);
	ok(partition_of(c, "by-tool") != NULL, "and has its topics");
	wish_for(c, "by-mqd", 1);
	s = store_open(tool, "store", &o, &err);
	ok(s != NULL && image_topic(store_image(s), "by-mqd") != NULL, "tools read beside it");
	spec.name = "refused";
	is_int(store_create_topic(s, &spec, &err), -1, "and do not write");
	is_int(err.code, ERR_BUSY, "for it is busy");
	stop(c);
	is_int(store_create_topic(s, &spec, &err), 0, "they do when it has gone: %s", err.text);
	is_str(content(disk, MARKER), "", "and then its stop was no clean one any more");
	store_free(s);
	c = start(os, &err);
	ok(c != NULL && partition_of(c, "refused") != NULL, "it starts on what they wrote: %s",
	    err.text);
	is_int(partition_of(c, "by-mqd")->leader_epoch, 1, "in a new leader epoch");
	ok(start(tool, &err) == NULL && err.code == ERR_BUSY, "no second daemon starts: %s", err.text);
	stop(c);
	os_free(os);
	os_free(tool);
	sim_disk_free(disk);
}

static int64_t files_size;
static int files_count;

/* Counts the files of the metadata log whose names end so. */
static const char *wanted_end;

static int
count_file(void *ctx, const char *path, bool is_dir, int64_t size)
{
	size_t len = strlen(path), n = strlen(wanted_end);

	(void)ctx;
	if (!is_dir && strstr(path, "__cluster_metadata-0/") != NULL && len > n &&
	    strcmp(path + len - n, wanted_end) == 0) {
		files_count++;
		files_size += size;
	}
	return 0;
}

static int
count_files(struct sim_disk *disk, const char *end)
{
	wanted_end = end;
	files_count = 0;
	files_size = 0;
	sim_list(disk, count_file, NULL);
	return files_count;
}

static void
test_snapshots(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct cluster *c;
	char name[16];

	cluster_options.snapshot_bytes = 2000;
	c = start(os, &err);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		wish_for(c, name, 3);
	}
	ok(count_files(disk, ".checkpoint") > 4, "snapshots are made as the log grows");
	is_int(count_files(disk, ".part"), 0, "whole ones");
	sim_advance_ms(disk, 8LL * 24 * 3600 * 1000);
	for (int i = 60; i < 80; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		wish_for(c, name, 3);
	}
	ok(count_files(disk, ".checkpoint") < 6, "old ones go, with time");
	ok(count_files(disk, ".log") < 6 && files_size < 8000, "and the log before them");
	sim_os_kill(os);
	cluster_free(c);
	os_free(os);
	os = sim_os_new(disk, 1);
	c = start(os, &err);
	ok(c != NULL && partition_of(c, "t0") != NULL && partition_of(c, "t79") != NULL,
	    "a start finds all topics: %s", err.text);
	is_int(image_broker(cluster_image(c), 1)->record->log_dirs.count, 1, "and the broker");
	is_int(wish_for(c, "t5", 3), ERR_TOPIC_ALREADY_EXISTS, "and goes on");
	stop(c);
	os_free(os);
	sim_disk_free(disk);
	cluster_options.snapshot_bytes = 20 << 20;
}

static void
test_producer_ids(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct cluster *c = start(os, &err);
	int64_t id = -1, before = -1;
	int waits = 0, wrong = 0;

	for (int i = 0; i < 2500; i++) {
		while (cluster_producer_id(c, &id, &err) == -1) {
			waits++;
			settle(os);
		}
		wrong += id != before + 1;
		before = id;
		if (i % 50 == 0)
			settle(os);
	}
	is_int(wrong, 0, "producer ids follow each other");
	is_int(waits, 0, "without waits, since the next block comes in time");
	for (int i = 0; i < 2000; i++)
		waits += cluster_producer_id(c, &id, &err) == -1;
	ok(waits > 0 && err.code == ERR_COORDINATOR_LOAD_IN_PROGRESS, "else one is told to wait");
	settle(os);
	is_int(cluster_producer_id(c, &id, &err), 0, "until it is there");
	before = id;
	stop(c);
	c = start(os, &err);
	ok(cluster_producer_id(c, &id, &err) == 0 && id > before, "none is given twice");
	stop(c);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_auto_create(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct err err;
	struct cluster *c;

	cluster_options.num_partitions = 2;
	c = start(os, &err);
	cluster_auto_create(c, "soon");
	cluster_auto_create(c, "soon");
	cluster_auto_create(c, "also");
	cluster_auto_create(c, "not good");
	ok(image_topic(cluster_image(c), "soon") == NULL, "a topic that is wanted is not there yet");
	settle(os);
	ok(image_topic(cluster_image(c), "soon") != NULL &&
	       image_topic(cluster_image(c), "soon")->partition_count == 2 &&
	       image_topic(cluster_image(c), "also") != NULL,
	    "but soon is, as others are");
	cluster_auto_create(c, "a.b");
	cluster_auto_create(c, "a_b");
	settle(os);
	is_int((intmax_t)cluster_image(c)->topics.count, 4,
	    "two that collide are made, as in Kafka, where they came at once");
	stop(c);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_failures(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = fault_new(sim_os_new(disk, 1));
	struct err err;
	struct cluster *c = start(os, &err);
	struct wish w[3];

	fault_plan(os, &(struct fault_plan){.calls = FAULT_WRITE, .at = 1, .kind = FAULT_SHORT});
	is_int(wish_for(c, "full", 1), ERR_KAFKA_STORAGE_ERROR, "where the disk is full a change fails");
	ok(failures == 0 && image_topic(cluster_image(c), "full") == NULL, "and only that");
	is_int(wish_for(c, "full", 1), 0, "the next one is made");
	begin_wish(c, &w[0], NULL, 0);
	begin_wish(c, &w[1], "none", 0);
	settle(os);
	ok(w[0].done == 1 && w[0].ch.err.code == 0, "one without records is done");
	is_int(w[1].ch.err.code, ERR_UNKNOWN_TOPIC_ID, "one that cannot be is told why");
	fault_plan(os, &(struct fault_plan){.calls = FAULT_SYNC, .at = 1, .kind = FAULT_FAIL});
	begin_wish(c, &w[0], "a", 1);
	begin_wish(c, &w[1], "b", 1);
	settle(os);
	is_int(w[0].ch.err.code, ERR_KAFKA_STORAGE_ERROR, "a sync that fails fails the change");
	is_int(failures, 1, "and the node");
	ok(w[1].ch.err.code == ERR_KAFKA_STORAGE_ERROR && w[1].prepared == 0, "and all that follow");
	is_int(stop(c), ERR_IO, "its stop is no clean one");
	is_str(content(disk, MARKER), "", "and leaves no marker");
	c = start(os, &err);
	begin_wish(c, &w[0], "c", 1);
	begin_wish(c, &w[1], "d", 1);
	os_turn(os, 0);
	is_int(stop(c), 0, "a stop waits for the change under way");
	ok(w[0].ch.err.code == 0 && w[1].ch.err.code == ERR_NOT_CONTROLLER,
	    "and refuses those that are not begun");
	os_free(os);
	sim_disk_free(disk);
}

/* Refused: its text. */
static const char *
refusal(struct os *os)
{
	static char said[ERR_TEXT_MAX + 20];
	struct err err;
	struct cluster *c = start(os, &err);

	if (c != NULL) {
		stop(c);
		return "started";
	}
	snprintf(said, sizeof(said), "%s: %s", err_name(err.code), err.text);
	return said;
}

static void
test_refusals(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);

	sim_write(disk, "store/precious.txt", "x", 1);
	ok(strstr(refusal(os), "REFUSED: store: no store") != NULL, "foreign files are let be");
	os_remove(os, "store/precious.txt");
	is_str(refusal(os), "started", "an empty directory is formatted");
	cluster_options.node_id = 2;
	is_str(refusal(os),
	    "REFUSED: store: the store of node 1 (meta.properties), but node.id is 2",
	    "another node's store is refused");
	cluster_options.node_id = 1;
	cluster_options.cluster_id = "AAAA";
	ok(strstr(refusal(os), "(meta.properties), but cluster.id is AAAA") != NULL,
	    "another cluster's too");
	cluster_options.cluster_id = NULL;
	sim_settings(disk)->network = true;
	ok(strstr(refusal(os), "REFUSED: store: on a network file system") != NULL,
	    "and a network file system");
	sim_settings(disk)->network = false;
	sim_write(disk, QUORUM_STATE, "{\"data_version\":7,\"leaderEpoch\":1}", 34);
	ok(strstr(refusal(os), "REFUSED: store/__cluster_metadata-0/quorum-state: data_version 7") !=
	        NULL, "and a vote of a newer Kafka");
	sim_write(disk, QUORUM_STATE, "{\"data_version\":1,\"leaderEpoch\":40}", 35);
	is_str(refusal(os), "started", "an epoch that was voted in is not led again");
	ok(strstr(content(disk, QUORUM_STATE), "\"leaderEpoch\":41,") != NULL, "but the next");
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	test_snapshots();
	test_producer_ids();
	test_auto_create();
	test_failures();
	test_refusals();
	test_first_start();
	test_starts();
	test_tools();
	return tap_done();
}
