/* Snapshots: what the metadata log said comes back whole, also what nobody looked into. */
#include "store/snapshot.h"

#include <stdlib.h>

#include "os/os_sim.h"
#include "store/records.h"
#include "tap.h"

#define DIR "meta"

static const struct uuid id_a = {{1, 2, 3}}, id_b = {{4, 5}};
static int32_t node_1[] = {1};
static struct batch_builder bb;
static struct image im;

static void
add(const struct wire_schema *s, int version, const void *msg)
{
	struct err err;

	if (records_add_metadata(&bb, s, version, msg, 1000, &err) == -1)
		printf("# %s\n", err.text);
}

static void
apply(void)
{
	struct batch b;
	struct err err;

	batch_builder_finish(&bb, &b, &err);
	b.base_offset = im.end_offset;
	b.leader_epoch = 7;
	if (image_apply(&im, &b, &err) == -1)
		printf("# %s\n", err.text);
	batch_builder_reset(&bb);
	bb.head.attributes = 0;
}

static void
add_quorum(void)
{
	struct k_raft_version_record version;
	struct voters_record_voter voter = {.voter_id = 1, .voter_directory_id = id_b};
	struct voters_record voters;
	struct err err;

	wire_init(&wire_k_raft_version_record, &version);
	version.k_raft_version = 1;
	wire_init(&wire_voters_record, &voters);
	voters.voters.items = &voter;
	voters.voters.count = 1;
	records_add_control(
	    &bb, CONTROL_KRAFT_VERSION, &wire_k_raft_version_record, &version, 1000, &err);
	records_add_control(&bb, CONTROL_KRAFT_VOTERS, &wire_voters_record, &voters, 1000, &err);
	apply();
}

static void
add_feature(const char *name, int16_t level)
{
	struct feature_level_record r;

	wire_init(&wire_feature_level_record, &r);
	r.name = wire_str_of(name);
	r.feature_level = level;
	add(&wire_feature_level_record, 0, &r);
}

static void
add_config(int8_t type, const char *resource, const char *name, const char *value)
{
	struct config_record r;

	wire_init(&wire_config_record, &r);
	r.resource_type = type;
	r.resource_name = wire_str_of(resource);
	r.name = wire_str_of(name);
	r.value = wire_str_of(value);
	add(&wire_config_record, 0, &r);
}

static void
add_topic(void)
{
	struct uuid directory = id_b;
	struct topic_record t;
	struct partition_record p;
	struct partition_change_record change;

	wire_init(&wire_topic_record, &t);
	t.name = wire_str_of("a");
	t.topic_id = id_a;
	add(&wire_topic_record, 0, &t);
	wire_init(&wire_partition_record, &p);
	p.topic_id = id_a;
	p.replicas = p.isr = (struct wire_int32s){node_1, 1};
	p.directories = (struct wire_uuids){&directory, 1};
	p.leader = 1;
	p.leader_epoch = p.partition_epoch = 3;
	for (p.partition_id = 0; p.partition_id < 3; p.partition_id++)
		add(&wire_partition_record, 2, &p);
	/* As Kafka leaves it when it stops. */
	wire_init(&wire_partition_change_record, &change);
	change.topic_id = id_a;
	change.partition_id = 1;
	change.isr.count = 0;
	change.leader = -1;
	change.leader_recovery_state = 1;
	change.eligible_leader_replicas = change.last_known_elr = (struct wire_int32s){node_1, 1};
	add(&wire_partition_change_record, 2, &change);
}

static void
add_broker(void)
{
	struct uuid directory = id_b;
	struct register_broker_record_broker_endpoint e = {
	    .name = wire_str_of("PLAINTEXT"), .host = wire_str_of("here"), .port = 9092};
	struct register_broker_record r;
	struct broker_registration_change_record change;

	wire_init(&wire_register_broker_record, &r);
	r.broker_id = 1;
	r.broker_epoch = 44;
	r.end_points.items = &e;
	r.end_points.count = 1;
	r.rack = wire_str_null();
	r.log_dirs = (struct wire_uuids){&directory, 1};
	add(&wire_register_broker_record, 4, &r);
	wire_init(&wire_broker_registration_change_record, &change);
	change.broker_id = 1;
	change.fenced = -1;
	change.cordoned_log_dirs = (struct wire_uuids){&directory, 1};
	add(&wire_broker_registration_change_record, 3, &change);
}

/* Two of each that is only kept, one of which goes again. */
static void
add_others(void)
{
	struct access_control_entry_record acl;
	struct remove_access_control_entry_record no_acl;
	struct client_quota_record quota;
	struct client_quota_record_entity_data entity[2] = {
	    {.entity_type = wire_str_of("user"), .entity_name = wire_str_of("u")},
	    {.entity_type = wire_str_of("client-id"), .entity_name = wire_str_null()}};
	struct client_quota_record_entity_data swapped[2] = {entity[1], entity[0]};
	struct user_scram_credential_record scram;
	struct register_controller_record controller;

	wire_init(&wire_access_control_entry_record, &acl);
	acl.resource_name = acl.principal = acl.host = wire_str_of("x");
	acl.id = id_a;
	add(&wire_access_control_entry_record, 0, &acl);
	acl.id = id_b;
	add(&wire_access_control_entry_record, 0, &acl);
	wire_init(&wire_remove_access_control_entry_record, &no_acl);
	no_acl.id = id_a;
	add(&wire_remove_access_control_entry_record, 0, &no_acl);
	wire_init(&wire_client_quota_record, &quota);
	quota.entity.items = entity;
	quota.entity.count = 2;
	quota.key = wire_str_of("producer_byte_rate");
	quota.value = 5;
	add(&wire_client_quota_record, 0, &quota);
	quota.key = wire_str_of("consumer_byte_rate");
	add(&wire_client_quota_record, 0, &quota);
	quota.entity.items = swapped;
	quota.remove = true;
	add(&wire_client_quota_record, 0, &quota);
	wire_init(&wire_user_scram_credential_record, &scram);
	scram.name = wire_str_of("u");
	scram.mechanism = 1;
	add(&wire_user_scram_credential_record, 0, &scram);
	wire_init(&wire_register_controller_record, &controller);
	controller.controller_id = 1;
	add(&wire_register_controller_record, 0, &controller);
}

static void
fill(void)
{
	struct producer_ids_record ids;

	add_quorum();
	add_feature("metadata.version", 30);
	add_feature("group.version", 1);
	add_broker();
	add_topic();
	add_config(2, "a", "retention.ms", "1");
	add_config(4, "", "min.insync.replicas", "1");
	add_others();
	wire_init(&wire_producer_ids_record, &ids);
	ids.next_producer_id = 5000;
	add(&wire_producer_ids_record, 0, &ids);
	apply();
}

static int
put(void *ctx, const struct buf *value, struct err *err)
{
	(void)err;
	buf_put(ctx, value->data, value->len);
	return 0;
}

static void
test_round_trip(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct image back;
	const struct image_partition *p;
	struct err err = {0};

	image_init(&back);
	os_mkdir(os, DIR);
	is_int(snapshot_write(os, DIR, &im, &err), 0, "a snapshot is written %s", err.text);
	is_int(snapshot_load_newest(os, DIR, &back, &err), 0, "and read %s", err.text);
	is_int(back.end_offset, im.end_offset, "up to the same offset");
	is_int(back.epoch, 7, "of the same epoch");
	image_write(&im, put, &before, &err);
	image_write(&back, put, &after, &err);
	ok(before.len == after.len && memcmp(before.data, after.data, before.len) == 0,
	    "its records make the same ones");
	is_int((intmax_t)back.others.count, 4, "an ACL, a quota, a credential and a controller stayed");
	is_int((intmax_t)back.voter_count, 1, "the voter too");
	is_int(image_feature(&back, "kraft.version"), 1, "and his version");
	ok(!image_broker(&back, 1)->record->fenced &&
	       image_broker(&back, 1)->record->cordoned_log_dirs.count == 1,
	    "a broker is as it was changed");
	p = image_partition(image_topic(&back, "a"), 1);
	ok(p->leader == -1 && p->leader_epoch == 4 && p->isr_count == 0 && p->elr.count == 1 &&
	       p->last_elr.count == 1 && p->recovering && p->directory_count == 1,
	    "and a partition");
	is_int(back.next_producer_id, 5000, "and the next producer id");
	buf_release(&before);
	buf_release(&after);
	image_release(&back);
	os_free(os);
	sim_disk_free(disk);
}

/* A damaged one is passed over for the one before it. */
static void
test_damage(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	char name[SNAPSHOT_NAME_SIZE], path[64];
	struct snapshot newest, *list;
	struct image back;
	struct err err;
	int64_t first = im.end_offset;
	int wrong = 0;
	size_t count;

	image_init(&back);
	os_mkdir(os, DIR);
	snapshot_write(os, DIR, &im, &err);
	add_feature("share.version", 1);
	apply();
	snapshot_write(os, DIR, &im, &err);
	newest = (struct snapshot){im.end_offset, 7};
	snapshot_name(&newest, name);
	snprintf(path, sizeof(path), DIR "/%s", name);
	for (int64_t bit = 0; bit < sim_size(disk, path) * 8; bit += 97) {
		sim_flip_bit(disk, path, bit);
		if (snapshot_load_newest(os, DIR, &back, &err) == -1 ||
		    (back.end_offset != first && back.end_offset != im.end_offset))
			wrong++;
		sim_flip_bit(disk, path, bit);
	}
	is_int(wrong, 0, "a damaged snapshot is passed over");
	sim_write(disk, DIR "/00000000000000009999-0000000007-0.checkpoint.part", "x", 1);
	is_int(snapshot_list(os, DIR, &list, &count, &err), 0, "they are listed");
	ok(count == 2 && list[0].end_offset == im.end_offset, "the newest first, none unfinished");
	free(list);
	image_release(&back);
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	image_init(&im);
	batch_builder_init(&bb, CODEC_NONE, 0);
	fill();
	test_round_trip();
	test_damage();
	image_release(&im);
	batch_builder_release(&bb);
	return tap_done();
}
