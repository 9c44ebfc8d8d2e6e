/* The image: what the records of the metadata log add up to. */
#include "store/image.h"

#include <stdlib.h>

#include "store/records.h"
#include "tap.h"

static const struct uuid id_a = {{1, 2, 3}}, id_b = {{9, 9, 9}};
static int32_t node_1[] = {1}, nodes_12[] = {1, 2};

#define CONFIGS_MANY 300000

/* A batch under way, and the log's end. */
static struct batch_builder bb;
static int64_t end;

static void
add(const struct wire_schema *s, int version, const void *msg)
{
	struct err err;

	if (records_add_metadata(&bb, s, version, msg, 1000, &err) == -1)
		printf("# %s\n", err.text);
}

/* Applies what was added as one batch at the end. */
static int
apply(struct image *im, int32_t epoch, struct err *err)
{
	struct batch b;

	err->text[0] = '\0';
	if (batch_builder_finish(&bb, &b, err) == -1)
		return -1;
	b.base_offset = end;
	b.leader_epoch = epoch;
	end = batch_next_offset(&b);
	if (image_apply(im, &b, err) == -1) {
		printf("# %s\n", err->text);
		batch_builder_reset(&bb);
		return -1;
	}
	batch_builder_reset(&bb);
	return 0;
}

static void
add_topic(const char *name, const struct uuid *id)
{
	struct topic_record r;

	wire_init(&wire_topic_record, &r);
	r.name = wire_str_of(name);
	r.topic_id = *id;
	add(&wire_topic_record, 0, &r);
}

static void
add_partition(const struct uuid *id, int32_t number, int32_t *replicas, int32_t count)
{
	struct partition_record r;

	wire_init(&wire_partition_record, &r);
	r.partition_id = number;
	r.topic_id = *id;
	r.replicas = r.isr = (struct wire_int32s){.items = replicas, .count = count};
	r.leader = replicas[0];
	r.leader_epoch = r.partition_epoch = 0;
	add(&wire_partition_record, 2, &r);
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

/* Falling order is the worst for a sorted list: it would move 7 * 10^11 bytes, which
 * takes minutes. */
static void
test_many_configs(void)
{
	const struct image_config *one = NULL;
	struct image im;
	struct err err;
	char name[16], before[16] = "";
	int wrong = 0, n = 0;

	image_init(&im);
	end = 0;
	for (int i = CONFIGS_MANY; i-- > 0;) {
		snprintf(name, sizeof(name), "c%06d", i);
		add_config(2, "t", name, "v");
		if (i % 10000 == 0)
			apply(&im, 0, &err);
	}
	add_topic("t", &id_a);
	add_config(2, "t", "c000007", "other");
	add_config(2, "t", "c000008", NULL);
	is_int(apply(&im, 0, &err), 0, "many configs of a topic, before it");
	while ((one = image_config_next(&image_topic(&im, "t")->configs, one)) != NULL) {
		wrong += strcmp(before, one->name) >= 0;
		snprintf(before, sizeof(before), "%s", one->name);
		n++;
	}
	ok(wrong == 0 && n == CONFIGS_MANY - 1, "are all there, in order");
	is_str(image_config(&im, 2, "t", "c000007"), "other", "and each is found");
	image_release(&im);
}

static void
add_remove(const struct uuid *id)
{
	struct remove_topic_record r;

	wire_init(&wire_remove_topic_record, &r);
	r.topic_id = *id;
	add(&wire_remove_topic_record, 0, &r);
}

static void
add_bare(const struct wire_schema *s)
{
	union {
		struct begin_transaction_record begin;
		struct end_transaction_record end;
		struct abort_transaction_record abort;
	} u;

	wire_init(s, &u);
	add(s, 0, &u);
}

static void
test_topics(void)
{
	struct partition_change_record change;
	const struct image_topic *t;
	const struct image_partition *p;
	struct image im;
	struct err err;

	image_init(&im);
	end = 0;
	add_topic("orders", &id_a);
	add_config(2, "orders", "retention.ms", "5");
	add_config(2, "orders", "cleanup.policy", "compact");
	add_partition(&id_a, 0, node_1, 1);
	add_partition(&id_a, 1, node_1, 1);
	is_int(apply(&im, 3, &err), 0, "a topic's records are applied");
	is_int(im.end_offset, 5, "the image stands behind the last record");
	is_int(im.epoch, 3, "and knows the batch's epoch");
	t = image_topic(&im, "orders");
	ok(t != NULL && t == image_topic_by_id(&im, &id_a), "a topic is found by name and by id");
	is_int(t->partition_count, 2, "it has its partitions");
	is_str(image_config(&im, 2, "orders", "retention.ms"), "5", "it has its configs");
	is_str(image_config_next(&t->configs, NULL)->name, "cleanup.policy", "sorted by name");
	ok(image_partition(t, 2) == NULL && image_partition(t, -1) == NULL,
	    "a partition number out of range is none");

	wire_init(&wire_partition_change_record, &change);
	change.partition_id = 1;
	change.topic_id = id_a;
	change.leader = -1;
	add(&wire_partition_change_record, 2, &change);
	is_int(apply(&im, 3, &err), 0, "a partition change is applied");
	p = image_partition(t, 1);
	ok(p->leader == -1 && p->leader_epoch == 1 && p->partition_epoch == 1 &&
	       p->replica_count == 1 && p->isr_count == 1,
	    "a change of leader raises both epochs and leaves the rest");
	change.leader = -2;
	change.isr = (struct wire_int32s){.items = nodes_12, .count = 2};
	add(&wire_partition_change_record, 2, &change);
	apply(&im, 3, &err);
	ok(p->leader == -1 && p->leader_epoch == 1 && p->partition_epoch == 2 && p->isr_count == 2,
	    "a change of the ISR alone leaves the leader epoch");

	add_config(2, "orders", "retention.ms", NULL);
	apply(&im, 3, &err);
	ok(image_config(&im, 2, "orders", "retention.ms") == NULL, "a null value removes a config");

	add_remove(&id_a);
	add_topic("orders", &id_b);
	apply(&im, 3, &err);
	t = image_topic(&im, "orders");
	ok(t != NULL && uuid_equal(&t->id, &id_b) && t->partition_count == 0 &&
	       t->configs.count == 0 && image_topic_by_id(&im, &id_a) == NULL,
	    "a topic made again is another topic");
	image_release(&im);
}

static void
test_transactions(void)
{
	struct image im;
	struct err err;

	image_init(&im);
	end = 0;
	add_bare(&wire_begin_transaction_record);
	add_topic("a", &id_a);
	is_int(apply(&im, 1, &err), 0, "a transaction begins");
	ok(image_topic(&im, "a") == NULL, "its records do not count before its end");
	add_partition(&id_a, 0, node_1, 1);
	apply(&im, 1, &err);
	add_bare(&wire_end_transaction_record);
	apply(&im, 1, &err);
	ok(image_topic(&im, "a") != NULL && image_topic(&im, "a")->partition_count == 1,
	    "then they all do, over several batches");
	add_bare(&wire_begin_transaction_record);
	add_remove(&id_a);
	add_bare(&wire_abort_transaction_record);
	add_topic("b", &id_b);
	apply(&im, 1, &err);
	ok(image_topic(&im, "a") != NULL && image_topic(&im, "b") != NULL,
	    "those of an aborted one never do");
	add_bare(&wire_end_transaction_record);
	is_int(apply(&im, 1, &err), -1, "an end without a beginning is damage");
	image_release(&im);
}

static void
test_faults(void)
{
	struct image im;
	struct batch b;
	struct err err;
	struct record odd = {.key_size = -1, .value = (const uint8_t *)"\1\x7f\0", .value_size = 3};

	image_init(&im);
	end = 0;
	add_partition(&id_a, 0, node_1, 1);
	is_int(apply(&im, 1, &err), -1, "a partition of no topic is damage");
	is_int(err.code, ERR_CORRUPT, "and said to be");
	image_release(&im);

	image_init(&im);
	end = 0;
	add_topic("a", &id_a);
	add_partition(&id_a, 99999, node_1, 1);
	is_int(apply(&im, 1, &err), 0, "the last partition may come first");
	add_topic("b", &id_b);
	add_partition(&id_b, 99999, node_1, 1);
	is_int(apply(&im, 1, &err), -1, "but not for so many topics that memory goes to nothing");
	is_int(err.code, ERR_CORRUPT, "which is damage: %s", err.text);
	image_release(&im);

	image_init(&im);
	end = 0;
	add_topic("a", &id_a);
	add_partition(&id_a, INT32_MAX, node_1, 1);
	is_int(apply(&im, 1, &err), -1, "no partition has so high a number");
	image_release(&im);

	image_init(&im);
	end = 0;
	batch_builder_add(&bb, &odd, &err);
	is_int(apply(&im, 1, &err), -1, "an unknown record type is refused");
	is_int(err.code, ERR_UNSUPPORTED_VERSION, "as a version that we do not know");
	image_release(&im);

	image_init(&im);
	end = 7;
	add_topic("a", &id_a);
	is_int(apply(&im, 1, &err), -1, "records that are missing are noticed");
	image_release(&im);

	image_init(&im);
	end = 0;
	add_topic("a", &id_a);
	batch_builder_finish(&bb, &b, &err);
	is_int(image_apply(&im, &b, &err), 0, "a batch is applied once");
	is_int(image_apply(&im, &b, &err), 0, "and passed over when it comes again");
	batch_builder_reset(&bb);
	image_release(&im);
}

static void
add_voters(int32_t *ids, int32_t count)
{
	struct voters_record_voter list[2];
	struct voters_record r;
	struct err err;

	wire_init(&wire_voters_record, &r);
	memset(list, 0, sizeof(list));
	for (int32_t i = 0; i < count; i++)
		list[i].voter_id = ids[i];
	r.voters.items = list;
	r.voters.count = count;
	if (records_add_control(&bb, CONTROL_KRAFT_VOTERS, &wire_voters_record, &r, 0, &err) == -1)
		printf("# %s\n", err.text);
}

static void
test_sole(void)
{
	struct feature_level_record f;
	struct image im;
	struct err err;

	image_init(&im);
	end = 0;
	is_int(image_is_sole(&im, 1, &err), -1, "without voters nobody is the only one");
	add_voters(node_1, 1);
	is_int(apply(&im, 1, &err), 0, "a voters record is applied");
	is_int(image_is_sole(&im, 1, &err), 0, "a node that votes alone may write");
	is_int(image_is_sole(&im, 2, &err), -1, "another may not");
	add_topic("a", &id_a);
	add_partition(&id_a, 0, nodes_12, 2);
	apply(&im, 1, &err);
	is_int(image_is_sole(&im, 1, &err), -1, "nor where a partition has another replica");
	is_int(err.code, ERR_REFUSED, "which is refused for good");
	add_remove(&id_a);
	apply(&im, 1, &err);
	add_voters(nodes_12, 2);
	apply(&im, 1, &err);
	is_int(image_is_sole(&im, 1, &err), -1, "nor where another node votes");

	wire_init(&wire_feature_level_record, &f);
	f.name = wire_str_of("metadata.version");
	f.feature_level = 30;
	add(&wire_feature_level_record, 0, &f);
	add_config(4, "", "min.insync.replicas", "2");
	apply(&im, 1, &err);
	is_int(image_feature(&im, "metadata.version"), 30, "a feature has its level");
	is_int(image_feature(&im, "other"), 0, "one that is not there has 0");
	is_str(image_config(&im, 4, "", "min.insync.replicas"), "2", "the cluster has configs too");
	image_release(&im);
}

int
main(void)
{
	batch_builder_init(&bb, CODEC_NONE, 0);
	test_topics();
	test_many_configs();
	test_transactions();
	test_faults();
	test_sole();
	batch_builder_release(&bb);
	return tap_done();
}
