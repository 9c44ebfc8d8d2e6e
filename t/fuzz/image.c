/*
 * image: hostile metadata. The image takes it in or refuses it; a store whose
 * metadata log and snapshot it is opens or does not; and whatever is then done
 * in the store stays in its directory.
 *
 * Input: which call fails; then records: flags in a byte (see below), the value as a part.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bounds.h"
#include "lib/fuzz.h"
#include "store/groups.h"
#include "store/store_impl.h"
#include "store/topic_config.h"

#define INPUT_MAX 8192
#define LOG "s/" METADATA_TOPIC "-0/00000000000000000000.log"
#define SNAPSHOT "s/" METADATA_TOPIC "-0/00000000000000000007-0000000001.checkpoint"
#define PROPERTIES \
	"version=1\ncluster.id=AAAAAAAAQACAAAAAAAAABQ\nnode.id=1\n" \
	"directory.id=AAAAAAAAQACAAAAAAAAABg\n"

enum {
	RECORD_TYPE = 7,      /* of a control record */
	RECORD_CONTROL = 8,
	RECORD_ENDS = 16,     /* the batch ends with it */
	RECORD_SNAPSHOT = 32, /* the next batches are a snapshot's */
	RECORD_RAW = 64,      /* bytes that are one batch, repaired */
};

struct logs {
	struct buf bytes[2]; /* the log, the snapshot */
	int64_t next[2];
	int which;
	struct batch_builder bb;
	int records; /* in the builder */
};

static void
put_bytes(struct logs *l, struct slice raw)
{
	struct buf *to = &l->bytes[l->which];
	size_t at = to->len;

	if (raw.len == 0)
		return;
	buf_put(to, raw.data, raw.len);
	fuzz_repair_batches(to->data + at, to->len - at, l->next[l->which],
	    REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	while (at < to->len) {
		struct batch b;

		if (batch_view(to->data + at, to->len - at, &b) != BATCH_OK ||
		    batch_check(&b) != BATCH_OK)
			break;
		l->next[l->which] = batch_next_offset(&b);
		at += (size_t)b.size;
	}
}

static void
end_batch(struct logs *l)
{
	struct batch b;
	struct err err;

	if (l->records > 0 && batch_builder_finish(&l->bb, &b, &err) == 0)
		put_bytes(l, (struct slice){b.bytes, (size_t)b.size});
	batch_builder_reset(&l->bb);
	l->bb.head.attributes = 0;
	l->records = 0;
}

static void
put_record(struct logs *l, uint8_t flags, struct slice value)
{
	uint8_t key[4] = {0, 0, 0, flags & RECORD_TYPE};
	bool control = flags & RECORD_CONTROL;
	struct record rec = {.timestamp = 5,
	    .key = key,
	    .key_size = control ? (int32_t)sizeof(key) : -1,
	    .value = value.data,
	    .value_size = (int32_t)value.len};
	struct err err;

	if (l->records > 0 && control != (l->bb.head.attributes == BATCH_CONTROL))
		end_batch(l);
	l->bb.head.attributes = control ? BATCH_CONTROL : 0;
	if (batch_builder_add(&l->bb, &rec, &err) == 0)
		l->records++;
	if (flags & RECORD_ENDS)
		end_batch(l);
	if (flags & RECORD_SNAPSHOT) {
		end_batch(l);
		l->which = !l->which;
	}
}

static void
logs_make(struct logs *l, struct cursor *c)
{
	memset(l, 0, sizeof(*l));
	batch_builder_init(&l->bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	while (cursor_left(c) > 0) {
		uint8_t flags = fuzz_byte(c);
		struct slice value = fuzz_part(c);

		if (flags & RECORD_RAW) {
			end_batch(l);
			put_bytes(l, value);
		} else {
			put_record(l, flags, value);
		}
	}
	end_batch(l);
	batch_builder_release(&l->bb);
}

/* --- the image alone --------------------------------------------------------------- */

static void
query(const struct image *im)
{
	struct mlog_config config;
	struct err err;

	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		assert(topic_name_ok(t->name));
		assert(image_topic(im, t->name) == t && image_topic_by_id(im, &t->id) == t);
		for (int32_t p = -1; p <= t->partition_count && p < 100; p++) {
			const struct image_partition *part = image_partition(t, p);

			if (part != NULL)
				fuzz_touch(part->replicas,
				    (int64_t)(part->replica_count * sizeof(int32_t)));
		}
		topic_config_resolve(im, t->name, &config);
		assert(config.segment_bytes > 0);
		for (const struct topic_config *row = topic_configs; row->name != NULL; row++) {
			const char *value = topic_config_value(im, t->name, row->name, NULL);

			assert(value != NULL);
			fuzz_touch(value, (int64_t)strlen(value));
		}
	}
	image_config(im, 4, "", "min.insync.replicas");
	image_config(im, 2, "nobody", "x");
	image_feature(im, "metadata.version");
	image_is_sole(im, 1, &err);
}

static void
apply(struct image *im, const struct buf *bytes)
{
	struct err err;
	size_t at = 0;

	while (at < bytes->len) {
		struct batch b;

		if (batch_view(bytes->data + at, bytes->len - at, &b) != BATCH_OK ||
		    batch_check(&b) != BATCH_OK || image_apply(im, &b, &err) == -1)
			break;
		at += (size_t)b.size;
	}
}

/* --- a store of it -------------------------------------------------------------------- */

static int
is_inside(void *ctx, const char *path, bool is_dir, int64_t size)
{
	(void)ctx;
	(void)is_dir;
	(void)size;
	if (strcmp(path, "s") != 0 && strncmp(path, "s/", 2) != 0 && strcmp(path, "canary-0") != 0 &&
	    strcmp(path, "canary-0/file") != 0) {
		fprintf(stderr, "outside: %s\n", path);
		abort();
	}
	return 0;
}

static void
append_one(struct store *s, const char *topic, int32_t partition)
{
	struct record rec = {.timestamp = 1700000000000, .key = (const uint8_t *)"k", .key_size = 1,
	    .value_size = -1};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	struct err err;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	if (batch_builder_add(&bb, &rec, &err) == 0 && batch_builder_finish(&bb, &b, &err) == 0)
		store_append(s, topic, partition, bb.raw.data, (size_t)b.size, &out, &err);
	batch_builder_release(&bb);
}

static int
no_group(void *ctx, const char *group)
{
	(void)ctx;
	fuzz_touch(group, (int64_t)strlen(group));
	return 0;
}

/* The first topics' names, as commands would have them. */
static size_t
some_topics(struct store *s, char names[4][TOPIC_NAME_MAX + 1])
{
	const struct image *im = store_image(s);
	size_t n = 0;

	for (struct map_entry *e = NULL; n < 4 && (e = map_next(&im->topics, e)) != NULL;)
		snprintf(names[n++], sizeof(names[0]), "%s",
		    ((const struct image_topic *)e->value)->name);
	return n;
}

static void
use_topic(struct store *s, const char *name)
{
	static char key[] = "retention.ms", value[] = "77";
	struct image_config config = {key, value};
	int64_t start, end, bytes, segments;
	struct store_cleaned cleaned;
	struct err err;

	partition_bounds(s, name, 0, &start, &end, &err);
	append_one(s, name, 0);
	append_one(s, name, 1);
	store_sync(s, &err);
	store_sync_partition(s, name, 0, INT64_MAX, &err);
	store_trim(s, name, 0, -1, &start, &err);
	store_usage(s, name, 0, &bytes, &segments, &err);
	store_clean(s, name, 0, &cleaned, &err);
	store_alter_configs(s, name, &config, 1, &err);
	store_add_partitions(s, name, 3, &err);
	store_delete_topic(s, name, &err);
}

static void
use_store(struct store *s)
{
	static char topic[] = "made", note[] = "";
	struct store_topic_spec spec = {.name = topic, .partitions = 2};
	struct group_offset offset = {.topic = topic, .metadata = note};
	char names[4][TOPIC_NAME_MAX + 1];
	size_t n = some_topics(s, names);
	struct err err;
	bool damaged;

	query(store_image(s));
	for (size_t i = 0; i < n; i++)
		use_topic(s, names[i]);
	if (store_create_topic(s, &spec, &err) == 0)
		assert(image_topic(store_image(s), "made") != NULL);
	group_commit(s, "g", &offset, 1, &err);
	group_list(s, no_group, NULL, &damaged, &err);
	store_refresh(s, &err);
}

static void
open_store(const struct logs *l, uint16_t fail)
{
	struct slice properties = {(const uint8_t *)PROPERTIES, strlen(PROPERTIES)};
	struct store_options options;
	struct machine m;
	struct store *s;
	struct err err;

	machine_init(&m, NULL);
	machine_write(&m, "canary-0/file", properties);
	machine_write(&m, "s/meta.properties", properties);
	machine_write(&m, LOG, (struct slice){l->bytes[0].data, l->bytes[0].len});
	if (l->bytes[1].len > 0)
		machine_write(&m, SNAPSHOT, (struct slice){l->bytes[1].data, l->bytes[1].len});
	machine_fail(&m, fail);
	store_options_default(&options);
	options.lock_wait_ms = 0;
	s = store_open(m.os, "s", &options, &err);
	if (s != NULL) {
		use_store(s);
		store_free(s);
	}
	fuzz_memory(0);
	sim_list(m.disk, is_inside, NULL);
	assert(sim_size(m.disk, "canary-0/file") == (int64_t)properties.len);
	machine_release(&m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct image im;
	struct logs l;
	uint16_t fail;

	if (size > INPUT_MAX)
		return 0;
	fail = fuzz_u16(&c);
	logs_make(&l, &c);
	for (int i = 0; i < 2; i++) {
		image_init(&im);
		fuzz_memory(fail);
		apply(&im, &l.bytes[i]);
		fuzz_memory(0);
		query(&im);
		image_release(&im);
	}
	open_store(&l, fail);
	buf_release(&l.bytes[0]);
	buf_release(&l.bytes[1]);
	return 0;
}
