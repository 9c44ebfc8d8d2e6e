/* The metadata log of a daemon: taken, led, changed, left; and found again. */
#include "lib/bounds.h"
#include "mqd_cluster_test.h"
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

int
main(void)
{
	test_first_start();
	test_starts();
	test_tools();
	return tap_done();
}
