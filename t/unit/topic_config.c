/* Topic configurations: the table, checks, and what holds. */
#include "store/topic_config.h"

#include <stdlib.h>

#include "store/records.h"
#include "tap.h"

static void
test_table(void)
{
	char out[64];
	struct err err;
	const char *before = "";

	for (const struct topic_config *c = topic_configs; c->name != NULL; c++) {
		ok(strcmp(before, c->name) < 0, "%s is in its place", c->name);
		is_int(topic_config_check(c->name, c->default_text, out, sizeof(out), &err), 0,
		    "and its default is a good value");
		is_str(out, c->default_text, "written as it is stored");
		before = c->name;
	}
}

static void
check(const char *name, const char *value, const char *want)
{
	char out[64] = "";
	struct err err = {0};
	int ret = topic_config_check(name, value, out, sizeof(out), &err);

	if (want == NULL)
		ok(ret == -1 && err.code == ERR_CONFIG, "%s=%s is refused", name, value);
	else
		ok(ret == 0 && strcmp(out, want) == 0, "%s=%s is %s", name, value, want);
}

static void
test_check(void)
{
	char out[8];
	struct err err;

	check("retention.ms", "7d", "604800000");
	check("retention.ms", "-1", "-1");
	check("retention.ms", "-2", NULL);
	check("retention.bytes", "1G", "1073741824");
	check("segment.bytes", "1M", "1048576");
	check("segment.bytes", "1048575", NULL);
	check("segment.bytes", "3G", NULL);
	check("internal.segment.bytes", "1000", "1000");
	check("min.insync.replicas", "0", NULL);
	check("min.insync.replicas", "2k", NULL);
	check("cleanup.policy", "compact,delete", "compact,delete");
	check("cleanup.policy", "", "");
	check("cleanup.policy", "compact,", NULL);
	check("cleanup.policy", "shred", NULL);
	check("min.cleanable.dirty.ratio", "0.25", "0.25");
	check("min.cleanable.dirty.ratio", "1.5", NULL);
	check("min.cleanable.dirty.ratio", "nan", NULL);
	check("preallocate", "TRUE", "true");
	check("preallocate", "yes", NULL);
	check("compression.type", "zstd", "zstd");
	check("compression.type", "zst", NULL);
	check("message.timestamp.type", "LogAppendTime", "LogAppendTime");
	check("leader.replication.throttled.replicas", "0:1,1:2", "0:1,1:2");
	check("leader.replication.throttled.replicas", "*", "*");
	check("leader.replication.throttled.replicas", "0", NULL);
	check("retention.mss", "1", NULL);
	topic_config_check("retension.ms", "1", out, sizeof(out), &err);
	ok(strstr(err.text, "did you mean retention.ms") != NULL, "a typo gets the nearest name");
	is_int(topic_config_check("retention.ms", "123456789", out, sizeof(out), &err), -1,
	    "a value that does not fit is refused");
}

/* Sets a config in an image. */
static void
set(struct image *im, int8_t type, const char *resource, const char *name, const char *value)
{
	struct batch_builder bb;
	struct config_record r;
	struct batch b;
	struct err err;

	batch_builder_init(&bb, CODEC_NONE, 0);
	wire_init(&wire_config_record, &r);
	r.resource_type = type;
	r.resource_name = wire_str_of(resource);
	r.name = wire_str_of(name);
	r.value = wire_str_of(value);
	if (records_add_metadata(&bb, &wire_config_record, 0, &r, 0, &err) == -1 ||
	    batch_builder_finish(&bb, &b, &err) == -1)
		printf("# %s\n", err.text);
	b.base_offset = im->end_offset;
	if (image_apply(im, &b, &err) == -1)
		printf("# %s\n", err.text);
	batch_builder_release(&bb);
}

static void
test_resolve(void)
{
	struct mlog_config c;
	struct image im;
	enum config_source source;

	image_init(&im);
	topic_config_resolve(&im, "t", &c);
	ok(c.segment_bytes == 1 << 30 && c.segment_ms == 604800000 && c.segment_jitter_ms == 0 &&
	       c.segment_index_bytes == 10 << 20 && c.index_interval_bytes == 4096 &&
	       c.retention_ms == 604800000 && c.retention_bytes == -1 && c.cleanup_delete &&
	       !c.cleanup_compact && c.delete_retention_ms == 86400000 &&
	       c.min_compaction_lag_ms == 0 && c.max_compaction_lag_ms == INT64_MAX &&
	       c.min_cleanable_ratio == 0.5 && c.max_message_bytes == 1048588 && !c.append_time,
	    "with nothing set, Kafka's defaults hold");
	set(&im, 4, "", "log.retention.ms", "11");
	topic_config_resolve(&im, "t", &c);
	is_int(c.retention_ms, 11, "a broker default holds, under the broker's name");
	set(&im, 2, "t", "retention.ms", "12");
	set(&im, 2, "t", "cleanup.policy", "compact");
	set(&im, 2, "t", "message.timestamp.type", "LogAppendTime");
	set(&im, 2, "t", "segment.bytes", "many");
	topic_config_resolve(&im, "t", &c);
	is_int(c.retention_ms, 12, "an override comes before it");
	ok(c.cleanup_compact && !c.cleanup_delete && c.append_time, "words are understood");
	is_int(c.segment_bytes, 1 << 30, "a value that cannot be read counts as not set");
	set(&im, 2, "t", "internal.segment.bytes", "500");
	topic_config_resolve(&im, "t", &c);
	is_int(c.segment_bytes, 500, "internal.segment.bytes comes before segment.bytes");
	is_str(topic_config_value(&im, "t", "retention.ms", &source), "12", "a value is told");
	is_str(config_source_name(source), "DYNAMIC_TOPIC_CONFIG", "and that the topic sets it");
	is_str(topic_config_value(&im, "u", "retention.ms", &source), "11",
	    "as is the cluster's default");
	is_str(config_source_name(source), "DYNAMIC_DEFAULT_BROKER_CONFIG", "and whose it is");
	set(&im, 4, "1", "log.retention.ms", "10");
	is_str(topic_config_value(&im, "u", "retention.ms", &source), "11",
	    "a node's own default does not hold if it may not be the only node");
	topic_config_value(&im, "u", "segment.ms", &source);
	is_str(config_source_name(source), "DEFAULT_CONFIG", "what nobody sets is built in");
	ok(topic_config_value(&im, "t", "nonsense", NULL) == NULL, "an unknown name has no value");
	image_release(&im);
}

int
main(void)
{
	test_table();
	test_check();
	test_resolve();
	return tap_done();
}
