/* A data directory that Kafka wrote: what the store says of it is what Kafka
 * said, and it can be written on. */
#include <jansson.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "lib/bounds.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "store/groups.h"
#include "tap.h"

#define DATA "t/data/kafka-store"

static const char *
text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static long long
number_of(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
check_topic(struct store *s, json_t *want)
{
	const char *name = text_of(want, "topic"), *key;
	const struct image_topic *t = image_topic(store_image(s), name);
	char id[UUID_TEXT_SIZE];
	json_t *value;
	bool same = true;

	ok(t != NULL, "topic %s is there", name);
	if (t == NULL)
		return;
	uuid_format(&t->id, id);
	is_str(id, text_of(want, "id"), "with its id");
	is_int(t->partition_count, number_of(want, "partitions"), "and its partitions");
	json_object_foreach(json_object_get(want, "configs"), key, value)
	{
		const char *got = image_config(store_image(s), 2, name, key);

		same = same && got != NULL && strcmp(got, json_string_value(value)) == 0;
	}
	ok(same && t->configs.count == json_object_size(json_object_get(want, "configs")),
	    "and its configs");
}

static void
check_bounds(struct store *s, json_t *want)
{
	const char *topic = text_of(want, "topic");
	int32_t partition = (int32_t)number_of(want, "partition");
	int64_t start, end;
	struct err err;

	if (partition_bounds(s, topic, partition, &start, &end, &err) == -1)
		ok(false, "%s-%d: %s", topic, partition, err.text);
	else
		ok(start == number_of(want, "start") && end == number_of(want, "end"),
		    "%s-%d is %lld..%lld", topic, partition, (long long)start, (long long)end);
}

static void
check_offset(struct store *s, json_t *want)
{
	const char *group = text_of(want, "group"), *topic = text_of(want, "topic");
	int32_t partition = (int32_t)number_of(want, "partition");
	struct group_offsets o;
	struct err err;

	if (!ok(group_committed(s, group, &o, &err) == 0, "offsets of group %s are read", group))
		return;
	is_int(group_offsets_get(&o, topic, partition), number_of(want, "offset"),
	    "it committed %s-%d", topic, partition);
	group_offsets_release(&o);
}

static int
count_group(void *ctx, const char *group)
{
	json_t *groups = ctx;

	json_object_set_new(groups, group, json_true());
	return 0;
}

static void
test_state(struct store *s)
{
	json_t *groups = json_object(), *want;
	struct err err;
	bool damaged;
	char line[4096];
	FILE *f = fopen(DATA ".expect/state.jsonl", "r");

	ok(f != NULL, "what Kafka said of it is there");
	if (f == NULL) {
		json_decref(groups);
		return;
	}
	ok(group_list(s, count_group, groups, &damaged, &err) == 0, "groups are listed");
	while (fgets(line, sizeof(line), f) != NULL) {
		want = json_loads(line, 0, NULL);
		if (json_object_get(want, "id") != NULL)
			check_topic(s, want);
		else if (json_object_get(want, "end") != NULL)
			check_bounds(s, want);
		else if (json_object_get(want, "offset") != NULL)
			check_offset(s, want);
		else if (json_object_get(want, "group") != NULL)
			ok(json_object_get(groups, text_of(want, "group")) != NULL,
			    "group %s is among them", text_of(want, "group"));
		json_decref(want);
	}
	fclose(f);
	json_decref(groups);
}

/* --- a copy, to write on -------------------------------------------------------- */

struct copy {
	struct os *from;
	struct sim_disk *to;
	const char *dir; /* below DATA: "" or "/NAME" */
};

static int
copy_name(void *ctx, const char *name)
{
	struct copy *c = ctx;
	char from[512], to[512], below[300];
	struct buf content = BUF_INIT;
	struct os_stat st;
	struct err err;
	int ret = 0;

	snprintf(from, sizeof(from), DATA "%s/%s", c->dir, name);
	snprintf(to, sizeof(to), "store%s/%s", c->dir, name);
	if (os_stat_path(c->from, from, &st) == -1)
		return 1;
	if (st.is_dir) {
		struct copy inner = {c->from, c->to, below};

		snprintf(below, sizeof(below), "/%s", name);
		return os_list(c->from, from, copy_name, &inner);
	}
	if (os_read_file(c->from, from, 64 << 20, &content, &err) == -1 ||
	    sim_write(c->to, to, content.data, content.len) == -1)
		ret = 1;
	buf_release(&content);
	return ret;
}

static int64_t
append(struct store *s, const char *topic, int32_t partition)
{
	static uint8_t text[] = "mq";
	struct record r = {.timestamp = os_wall_ms(store_os(s)),
	    .key = text,
	    .key_size = 2,
	    .value = text,
	    .value_size = 2};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	struct err err;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, 0);
	ret = batch_builder_add(&bb, &r, &err);
	if (ret == 0)
		ret = batch_builder_finish(&bb, &b, &err);
	if (ret == 0)
		ret = store_append(
		    s, topic, partition, (uint8_t *)(uintptr_t)b.bytes, (size_t)b.size, &out, &err);
	batch_builder_release(&bb);
	if (ret == -1)
		printf("# %s\n", err.text);
	return ret == 0 ? out.base_offset : -1;
}

static void
test_writing(struct os *real, const struct store_options *options)
{
	static const char *const topics[] = {"codec-none", "segments", "txn", "idempotent", "nulls",
	    "trimmed", "epochs", "compact", "index-default", "empty", "txn-open"};
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct copy all = {real, disk, ""};
	struct err err = {0};
	struct store *s;

	is_int(os_list(real, DATA, copy_name, &all), 0, "a copy of it");
	s = store_open(os, "store", options, &err);
	if (!ok(s != NULL, "is opened for writing %s", err.text))
		return;
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		int64_t start, end, start2, end2, offset;

		partition_bounds(s, topics[i], 0, &start, &end, &err);
		offset = append(s, topics[i], 0);
		partition_bounds(s, topics[i], 0, &start2, &end2, &err);
		ok(offset == end && end2 == end + 1 && start2 == start,
		    "%s-0 is appended to at %lld", topics[i], (long long)offset);
	}
	ok(sim_size(disk, "store/.kafka_cleanshutdown") == -1, "the marker of a clean stop is gone");
	is_int(store_sync(s, &err), 0, "all is synced");
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	struct store_options options;
	struct err err = {0};
	struct os *os = os_real_new(&err);
	struct store *s;

	store_options_default(&options);
	options.read_only = true;
	s = store_open(os, DATA, &options, &err);
	if (ok(s != NULL, "a store of Kafka's is opened %s", err.text)) {
		test_state(s);
		store_free(s);
		options.read_only = false;
		test_writing(os, &options);
	}
	os_free(os);
	return tap_done();
}
