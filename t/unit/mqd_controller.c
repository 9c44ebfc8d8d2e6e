/* The controller: what a wish becomes, or why it cannot be. */
#include "mqd_cluster_test.h"

#include <stdlib.h>

#include "store/records.h"

static const struct uuid directory = {{7, 7}};
static struct image im;
static struct cluster_records records;

static void
add(const struct wire_schema *s, int version, const void *msg)
{
	struct err err;

	if (records_add_metadata(&records.bb, s, version, msg, 1, &err) == -1)
		printf("# %s\n", err.text);
}

/* Makes the image what the records say. */
static void
apply(void)
{
	struct batch b;
	struct err err;

	batch_builder_finish(&records.bb, &b, &err);
	b.base_offset = im.end_offset;
	b.leader_epoch = 1;
	if (image_apply(&im, &b, &err) == -1)
		printf("# %s\n", err.text);
	cluster_drop(&records);
}

static void
add_broker(int32_t id, bool fenced)
{
	struct register_broker_record r;

	wire_init(&wire_register_broker_record, &r);
	r.broker_id = id;
	r.fenced = fenced;
	r.log_dirs.items = (struct uuid *)(uintptr_t)&directory;
	r.log_dirs.count = 1;
	add(&wire_register_broker_record, 4, &r);
}

static void
begin(void)
{
	struct feature_level_record f;

	image_init(&im);
	batch_builder_init(&records.bb, CODEC_NONE, 0);
	cluster_drop(&records);
	wire_init(&wire_feature_level_record, &f);
	f.name = wire_str_of("metadata.version");
	f.feature_level = 30;
	add(&wire_feature_level_record, 0, &f);
	add_broker(1, false);
	add_broker(2, true);
	apply();
}

static void
end(void)
{
	image_release(&im);
	batch_builder_release(&records.bb);
}

/* Kafka's code and text for a topic; "": it is made. */
static const char *
wish(struct os *os, const struct topic_wish *w)
{
	static char text[ERR_TEXT_MAX + 40];
	struct uuid id;
	struct err err = {0};

	if (controller_create_topic(&im, w, 1, 3, os, &records, &id, &err) == 0)
		return "";
	snprintf(text, sizeof(text), "%s: %s", err_name(err.code), err.text);
	return text;
}

static const char *
named(struct os *os, const char *name)
{
	return wish(os, &(struct topic_wish){.name = name, .partitions = 1, .replicas = 1});
}

static const char *
counted(struct os *os, int32_t partitions, int16_t replicas)
{
	return wish(os,
	    &(struct topic_wish){.name = "counted", .partitions = partitions, .replicas = replicas});
}

static void
test_names(struct os *os)
{
	char name[TOPIC_NAME_MAX + 2];

	is_str(named(os, "good"), "", "a topic is made");
	apply();
	is_str(named(os, "good"), "TOPIC_ALREADY_EXISTS: Topic 'good' already exists.", "not twice");
	is_str(named(os, "a.b"), "", "one with a dot");
	apply();
	is_str(named(os, "a_b"),
	    "INVALID_TOPIC_EXCEPTION: Topic 'a_b' collides with existing topic: a.b",
	    "then none with an underline in its place");
	is_str(named(os, ""),
	    "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed",
	    "none without a name");
	is_str(named(os, ".."), "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '..' is not allowed",
	    "none called ..");
	is_str(named(os, "a b"),
	    "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'a b' contains one or more characters "
	    "other than ASCII alphanumerics, '.', '_' and '-'", "none with a blank");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ok(strstr(named(os, name), "is longer than the max allowed length 249") != NULL,
	    "none of 250 letters");
	is_int((intmax_t)records.count, 0, "what is refused leaves no record");
}

static void
test_counts(struct os *os)
{
	is_str(counted(os, 0, 1),
	    "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value.",
	    "no topic without partitions");
	is_str(counted(os, 1, 0),
	    "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the "
	    "default value.", "none without replicas");
	is_str(counted(os, 1, 2),
	    "INVALID_REPLICATION_FACTOR: Unable to replicate the partition 2 time(s): The target "
	    "replication factor of 2 cannot be reached because only 2 broker(s) are registered or "
	    "some brokers have all their log directories cordoned.", "none with more than one");
	is_str(counted(os, -1, -1), "", "without numbers it has the defaults");
	is_int((intmax_t)records.count, 4, "a topic and num.partitions");
	apply();
	is_int(image_topic(&im, "counted")->partition_count, 3, "partitions");
	ok(image_topic(&im, "counted")->partitions[0].directory_count == 1 &&
	       uuid_equal(&image_topic(&im, "counted")->partitions[0].directories[0], &directory),
	    "in the broker's directory");
}

static const char *
by_hand(struct os *os, const int32_t *numbers, const struct wire_int32s *replicas, size_t count)
{
	return wish(os, &(struct topic_wish){.name = "by-hand",
	                    .partitions = -1,
	                    .replicas = -1,
	                    .numbers = numbers,
	                    .assignment = replicas,
	                    .assignment_count = count});
}

static void
test_assignments(struct os *os)
{
	static int32_t one[] = {1}, two[] = {2}, five[] = {1, 5}, twice[] = {1, 1}, both[] = {1, 2};
	const int32_t straight[] = {0, 1}, hole[] = {0, 2}, same[] = {0, 0}, swapped[] = {1, 0};
	const struct wire_int32s ones[] = {{one, 1}, {one, 1}}, mixed[] = {{one, 1}, {both, 2}};

	is_str(by_hand(os, hole, ones, 2),
	    "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence",
	    "numbers by hand have no hole");
	is_str(by_hand(os, same, ones, 2),
	    "INVALID_REPLICA_ASSIGNMENT: Found multiple manual partition assignments for partition 0",
	    "and none comes twice");
	is_str(by_hand(os, straight, mixed, 2),
	    "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 2 "
	    "replica(s), but this is not consistent with previous partitions, which have 1 "
	    "replica(s).", "all have as many replicas");
	is_str(by_hand(os, straight, &(struct wire_int32s){five, 2}, 1),
	    "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 5, but no "
	    "such broker is registered.", "on brokers that there are");
	is_str(by_hand(os, straight, &(struct wire_int32s){twice, 2}, 1),
	    "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more "
	    "than once.", "each once");
	is_str(by_hand(os, straight, &(struct wire_int32s){two, 1}, 1),
	    "INVALID_REPLICA_ASSIGNMENT: All brokers specified in the manual partition assignment for "
	    "partition 0 are fenced or in controlled shutdown.", "one of which lives");
	is_str(by_hand(os, straight, &(struct wire_int32s){NULL, 0}, 1),
	    "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica "
	    "list.", "and there is one");
	is_str(by_hand(os, swapped, ones, 2), "", "their order is free");
	apply();
	is_int(image_topic(&im, "by-hand")->partition_count, 2, "they are made");
}

static void
test_growth(void)
{
	static int32_t one[] = {1};
	const struct wire_int32s ones[] = {{one, 1}, {one, 1}};
	struct err err = {0};

	is_int(controller_add_partitions(&im, "by-hand", 2, NULL, -1, 1, &records, &err), -1,
	    "no partitions are added where there are as many");
	is_str(err.text, "Topic already has 2 partition(s).", "which it says");
	controller_add_partitions(&im, "by-hand", INT32_MIN, NULL, -1, 1, &records, &err);
	is_str(err.text,
	    "The topic by-hand currently has 2 partition(s); -2147483648 would not be an increase.",
	    "nor fewer");
	controller_add_partitions(&im, "by-hand", 4, ones, 1, 1, &records, &err);
	is_str(err.text,
	    "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
	    "by hand all of them");
	is_int(controller_add_partitions(&im, "none", 4, NULL, -1, 1, &records, &err), -1, "a topic "
	    "that there is not does not grow");
	is_int(err.code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "for it is not there");
	is_int(controller_add_partitions(&im, "by-hand", 4, ones, 2, 1, &records, &err), 0, "they "
	    "are added");
	apply();
	is_int(image_topic(&im, "by-hand")->partition_count, 4, "behind the others");
	is_int(controller_delete_topic(&im, &directory, &records, &err), -1, "no topic, no deletion");
	is_int(err.code, ERR_UNKNOWN_TOPIC_ID, "by an id that none has");
}

int
main(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);

	begin();
	test_names(os);
	test_counts(os);
	test_assignments(os);
	test_growth();
	end();
	os_free(os);
	sim_disk_free(disk);
	return tap_done();
}
