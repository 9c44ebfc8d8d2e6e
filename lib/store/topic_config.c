#include "store/topic_config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define INT_MAX_D 2147483647.0
#define LONG_MAX_D 9223372036854775807.0
#define LONG_MAX_TEXT "9223372036854775807"

/* clang-format off */
const struct topic_config topic_configs[] = {
	{"cleanup.policy", CONFIG_LIST, "delete", 0, 0, "compact|delete", "log.cleanup.policy",
	    "what becomes of old segments; empty keeps them for ever"},
	{"compression.gzip.level", CONFIG_INT, "-1", -1, 9, NULL, "compression.gzip.level",
	    "level where compression.type is gzip; -1 is zlib's own"},
	{"compression.lz4.level", CONFIG_INT, "9", 1, 17, NULL, "compression.lz4.level",
	    "level where compression.type is lz4"},
	{"compression.type", CONFIG_STRING, "producer", 0, 0,
	    "uncompressed|zstd|lz4|snappy|gzip|producer", "compression.type",
	    "codec on disk; producer keeps what came"},
	{"compression.zstd.level", CONFIG_INT, "3", -131072, 22, NULL, "compression.zstd.level",
	    "level where compression.type is zstd"},
	{"delete.retention.ms", CONFIG_LONG, "86400000", 0, LONG_MAX_D, NULL,
	    "log.cleaner.delete.retention.ms", "how long compaction keeps tombstones"},
	{"file.delete.delay.ms", CONFIG_LONG, "60000", 0, LONG_MAX_D, NULL,
	    "log.segment.delete.delay.ms", "how long a daemon keeps a deleted segment's files"},
	/* Kafka never syncs by itself; here the default is to sync each append. */
	{"flush.messages", CONFIG_LONG, "1", 1, LONG_MAX_D, NULL,
	    "log.flush.interval.messages", "records after which a daemon syncs"},
	{"flush.ms", CONFIG_LONG, LONG_MAX_TEXT, 0, LONG_MAX_D, NULL, "log.flush.interval.ms",
	    "time after which a daemon syncs"},
	{"follower.replication.throttled.replicas", CONFIG_LIST, "", 0, 0, NULL, NULL,
	    "PARTITION:BROKER,... or *: followers that are throttled"},
	{"index.interval.bytes", CONFIG_INT, "4096", 0, INT_MAX_D, NULL, "log.index.interval.bytes",
	    "bytes of log between two index entries"},
	{"leader.replication.throttled.replicas", CONFIG_LIST, "", 0, 0, NULL, NULL,
	    "PARTITION:BROKER,... or *: leaders that are throttled"},
	{"local.retention.bytes", CONFIG_LONG, "-2", -2, LONG_MAX_D, NULL,
	    "log.local.retention.bytes", "tiered storage: bytes kept here; -2 is retention.bytes"},
	{"local.retention.ms", CONFIG_LONG, "-2", -2, LONG_MAX_D, NULL, "log.local.retention.ms",
	    "tiered storage: time kept here; -2 is retention.ms"},
	{"max.compaction.lag.ms", CONFIG_LONG, LONG_MAX_TEXT, 1, LONG_MAX_D, NULL,
	    "log.cleaner.max.compaction.lag.ms", "longest time a record stays uncompacted"},
	{"max.message.bytes", CONFIG_INT, "1048588", 0, INT_MAX_D, NULL, "message.max.bytes",
	    "largest batch"},
	{"message.timestamp.after.max.ms", CONFIG_LONG, "3600000", 0, LONG_MAX_D, NULL,
	    "log.message.timestamp.after.max.ms", "how far ahead of the clock a record's time may be"},
	{"message.timestamp.before.max.ms", CONFIG_LONG, LONG_MAX_TEXT, 0, LONG_MAX_D, NULL,
	    "log.message.timestamp.before.max.ms", "how far behind the clock a record's time may be"},
	{"message.timestamp.type", CONFIG_STRING, "CreateTime", 0, 0, "CreateTime|LogAppendTime",
	    "log.message.timestamp.type", "whose clock stamps records: the producer's or the log's"},
	{"min.cleanable.dirty.ratio", CONFIG_DOUBLE, "0.5", 0, 1, NULL,
	    "log.cleaner.min.cleanable.ratio", "share of uncompacted bytes that starts compaction"},
	{"min.compaction.lag.ms", CONFIG_LONG, "0", 0, LONG_MAX_D, NULL,
	    "log.cleaner.min.compaction.lag.ms", "shortest time a record stays uncompacted"},
	{"min.insync.replicas", CONFIG_INT, "1", 1, INT_MAX_D, NULL, "min.insync.replicas",
	    "replicas that must have a record before acks=all is answered"},
	{"preallocate", CONFIG_BOOL, "false", 0, 0, NULL, "log.preallocate",
	    "whether Kafka makes segment files at full size"},
	{"remote.log.copy.disable", CONFIG_BOOL, "false", 0, 0, NULL, NULL,
	    "tiered storage: copy nothing more"},
	{"remote.log.delete.on.disable", CONFIG_BOOL, "false", 0, 0, NULL, NULL,
	    "tiered storage: delete what was copied when it is switched off"},
	{"remote.storage.enable", CONFIG_BOOL, "false", 0, 0, NULL, NULL,
	    "tiered storage: on for this topic"},
	{"retention.bytes", CONFIG_LONG, "-1", -LONG_MAX_D, LONG_MAX_D, NULL, "log.retention.bytes",
	    "bytes per partition above which old segments are deleted; -1 without limit"},
	{"retention.ms", CONFIG_LONG, "604800000", -1, LONG_MAX_D, NULL, "log.retention.ms",
	    "age above which segments are deleted; -1 keeps them for ever"},
	{"segment.bytes", CONFIG_INT, "1073741824", 1048576, INT_MAX_D, NULL, "log.segment.bytes",
	    "size at which a segment is closed"},
	{"segment.index.bytes", CONFIG_INT, "10485760", 4, INT_MAX_D, NULL,
	    "log.index.size.max.bytes", "largest index; a full one closes the segment"},
	{"segment.jitter.ms", CONFIG_LONG, "0", 0, LONG_MAX_D, NULL, "log.roll.jitter.ms",
	    "spread taken off segment.ms, so that not all close at once"},
	{"segment.ms", CONFIG_LONG, "604800000", 1, LONG_MAX_D, NULL, "log.roll.ms",
	    "age at which a segment is closed"},
	{"unclean.leader.election.enable", CONFIG_BOOL, "false", 0, 0, NULL,
	    "unclean.leader.election.enable", "whether a replica that lacks records may lead"},
	{NULL, CONFIG_BOOL, NULL, 0, 0, NULL, NULL, NULL},
};

/* Kafka's way around the floor of segment.bytes, for tests; it lists it nowhere
 * and so do we. */
static const struct topic_config internal_segment_bytes = {
	"internal.segment.bytes", CONFIG_INT, NULL, 1, INT_MAX_D, NULL, NULL,
	"as segment.bytes, without its floor; for tests"};
/* clang-format on */

const struct topic_config *
topic_config_find(const char *name)
{
	for (const struct topic_config *c = topic_configs; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return strcmp(internal_segment_bytes.name, name) == 0 ? &internal_segment_bytes : NULL;
}

/* --- checking --------------------------------------------------------------- */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int64_t
bound(double d)
{
	if (d >= LONG_MAX_D)
		return INT64_MAX;
	return d <= -LONG_MAX_D ? INT64_MIN : (int64_t)d;
}

/* A whole number; with suffixes where the unit is bytes or milliseconds. */
static int
parse_int(const struct topic_config *c, const char *value, int64_t *out)
{
	int64_t min = bound(c->min), max = bound(c->max);

	if (text_int(value, min, max, out) == 0)
		return 0;
	if (ends_with(c->name, ".bytes"))
		return text_size(value, min, max, out);
	if (ends_with(c->name, ".ms"))
		return text_duration_ms(value, min, max, out);
	return -1;
}

static int
parse_double(const struct topic_config *c, const char *value, double *out)
{
	char *end;
	double d = strtod(value, &end);

	if (end == value || *end != '\0' || !isfinite(d) || d < c->min || d > c->max)
		return -1;
	*out = d;
	return 0;
}

/* Is the word one of "a|b|c"? */
static bool
is_among(const char *word, size_t len, const char *values)
{
	while (values != NULL) {
		size_t n = strcspn(values, "|");

		if (n == len && memcmp(values, word, len) == 0)
			return true;
		values = values[n] == '\0' ? NULL : values + n + 1;
	}
	return false;
}

/* PARTITION:BROKER */
static bool
is_replica(const char *word, size_t len)
{
	char text[32], *colon;
	int64_t n;

	if (len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	colon = strchr(text, ':');
	if (colon == NULL)
		return false;
	*colon = '\0';
	return text_int(text, 0, INT32_MAX, &n) == 0 && text_int(colon + 1, 0, INT32_MAX, &n) == 0;
}

static bool
list_ok(const struct topic_config *c, const char *value)
{
	if (*value == '\0' || (c->values == NULL && strcmp(value, "*") == 0))
		return true;
	for (;;) {
		size_t n = strcspn(value, ",");

		if (c->values != NULL ? !is_among(value, n, c->values) : !is_replica(value, n))
			return false;
		if (value[n] == '\0')
			return true;
		value += n + 1;
	}
}

static int
unknown_name(const char *name, struct err *err)
{
	const char *best = NULL;
	size_t distance = 1 + (strlen(name) + 2) / 3;

	for (const struct topic_config *c = topic_configs; c->name != NULL; c++) {
		size_t d = text_distance(name, c->name, distance);

		if (d < distance) {
			distance = d;
			best = c->name;
		}
	}
	if (best == NULL)
		return err_set(err, ERR_CONFIG, "%s: no such topic configuration", name);
	return err_set(
	    err, ERR_CONFIG, "%s: no such topic configuration (did you mean %s?)", name, best);
}

static int
bad_value(const struct topic_config *c, const char *value, struct err *err)
{
	switch (c->type) {
	case CONFIG_BOOL:
		return err_set(err, ERR_CONFIG, "%s=%s: want true or false", c->name, value);
	case CONFIG_INT:
	case CONFIG_LONG:
		return err_set(err, ERR_CONFIG, "%s=%s: want a number from %lld to %lld%s", c->name,
		    value, (long long)bound(c->min), (long long)bound(c->max),
		    ends_with(c->name, ".bytes") ? ", or one such as 512M"
		    : ends_with(c->name, ".ms")  ? ", or a time such as 7d"
		                                 : "");
	case CONFIG_DOUBLE:
		return err_set(err, ERR_CONFIG, "%s=%s: want a number from %g to %g", c->name, value,
		    c->min, c->max);
	case CONFIG_LIST:
	case CONFIG_STRING:
		break;
	}
	return err_set(err, ERR_CONFIG, "%s=%s: want %s%s", c->name, value,
	    c->type == CONFIG_LIST ? "a list of " : "",
	    c->values != NULL ? c->values : "PARTITION:BROKER, or *");
}

int
topic_config_check(
    const char *name, const char *value, char *out, size_t out_size, struct err *err)
{
	const struct topic_config *c = topic_config_find(name);
	int64_t number;
	double real;
	int len = -1;

	if (c == NULL)
		return unknown_name(name, err);
	switch (c->type) {
	case CONFIG_BOOL:
		if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0)
			len = snprintf(out, out_size, "%s",
			    strcasecmp(value, "true") == 0 ? "true" : "false");
		break;
	case CONFIG_INT:
	case CONFIG_LONG:
		if (parse_int(c, value, &number) == 0)
			len = snprintf(out, out_size, "%lld", (long long)number);
		break;
	case CONFIG_DOUBLE:
		if (parse_double(c, value, &real) == 0)
			len = snprintf(out, out_size, "%s", value);
		break;
	case CONFIG_STRING:
		if (is_among(value, strlen(value), c->values))
			len = snprintf(out, out_size, "%s", value);
		break;
	case CONFIG_LIST:
		if (list_ok(c, value))
			len = snprintf(out, out_size, "%s", value);
		break;
	}
	if (len < 0)
		return bad_value(c, value, err);
	if ((size_t)len >= out_size)
		return err_set(err, ERR_CONFIG, "%s: a value of %d bytes is too long", name, len);
	return 0;
}

/* --- what holds -------------------------------------------------------------- */

const char *
config_source_name(enum config_source source)
{
	switch (source) {
	case CONFIG_DYNAMIC_TOPIC:
		return "DYNAMIC_TOPIC_CONFIG";
	case CONFIG_DYNAMIC_BROKER:
		return "DYNAMIC_BROKER_CONFIG";
	case CONFIG_DYNAMIC_DEFAULT_BROKER:
		return "DYNAMIC_DEFAULT_BROKER_CONFIG";
	case CONFIG_STATIC_BROKER:
		return "STATIC_BROKER_CONFIG";
	case CONFIG_DEFAULT:
		break;
	}
	return "DEFAULT_CONFIG";
}

/* The broker's default: of the only node, then of the cluster, then of the file. */
static const char *
broker_default(const struct image *im, const struct topic_config *c, enum config_source *source)
{
	const char *value = NULL;
	char node[16];

	if (c->broker_name == NULL)
		return NULL;
	*source = CONFIG_DYNAMIC_BROKER;
	if (im->voter_count == 1) {
		snprintf(node, sizeof(node), "%d", im->voters[0].id);
		value = image_config(im, 4, node, c->broker_name);
	}
	if (value != NULL)
		return value;
	*source = CONFIG_DYNAMIC_DEFAULT_BROKER;
	value = image_config(im, 4, "", c->broker_name);
	if (value != NULL || im->defaults == NULL)
		return value;
	*source = CONFIG_STATIC_BROKER;
	return map_get(im->defaults, c->name, strlen(c->name));
}

const char *
topic_config_value(const struct image *im, const char *topic, const char *name,
    enum config_source *source)
{
	const struct topic_config *c = topic_config_find(name);
	enum config_source from = CONFIG_DYNAMIC_TOPIC;
	const char *value;

	if (c == NULL)
		return NULL;
	value = image_config(im, 2, topic, name);
	if (value == NULL)
		value = broker_default(im, c, &from);
	if (value == NULL) {
		from = CONFIG_DEFAULT;
		value = c->default_text;
	}
	if (source != NULL)
		*source = from;
	return value;
}

/* A number that holds for the topic. What cannot be read counts as not set. */
static int64_t
number_of(const struct image *im, const char *topic, const char *name)
{
	const struct topic_config *c = topic_config_find(name);
	enum config_source any;
	const char *set = image_config(im, 2, topic, name), *broker = broker_default(im, c, &any);
	int64_t n = -1;

	if (set != NULL && parse_int(c, set, &n) == 0)
		return n;
	if (broker != NULL && parse_int(c, broker, &n) == 0)
		return n;
	if (c->default_text != NULL)
		(void)parse_int(c, c->default_text, &n);
	return n;
}

static double
real_of(const struct image *im, const char *topic, const char *name)
{
	const struct topic_config *c = topic_config_find(name);
	enum config_source any;
	const char *set = image_config(im, 2, topic, name), *broker = broker_default(im, c, &any);
	double d = 0;

	if (set != NULL && parse_double(c, set, &d) == 0)
		return d;
	if (broker != NULL && parse_double(c, broker, &d) == 0)
		return d;
	(void)parse_double(c, c->default_text, &d);
	return d;
}

static bool
list_holds(const char *list, const char *word)
{
	for (;;) {
		size_t n = strcspn(list, ",");

		if (n == strlen(word) && memcmp(list, word, n) == 0)
			return true;
		if (list[n] == '\0')
			return false;
		list += n + 1;
	}
}

void
topic_config_resolve(const struct image *im, const char *topic, struct mlog_config *out)
{
	const char *policy = topic_config_value(im, topic, "cleanup.policy", NULL);
	int64_t internal = number_of(im, topic, internal_segment_bytes.name);

	out->segment_bytes = internal > 0 ? internal : number_of(im, topic, "segment.bytes");
	out->segment_ms = number_of(im, topic, "segment.ms");
	out->segment_jitter_ms = number_of(im, topic, "segment.jitter.ms");
	out->segment_index_bytes = number_of(im, topic, "segment.index.bytes");
	out->index_interval_bytes = number_of(im, topic, "index.interval.bytes");
	out->retention_ms = number_of(im, topic, "retention.ms");
	out->retention_bytes = number_of(im, topic, "retention.bytes");
	out->cleanup_delete = list_holds(policy, "delete");
	out->cleanup_compact = list_holds(policy, "compact");
	out->delete_retention_ms = number_of(im, topic, "delete.retention.ms");
	out->min_compaction_lag_ms = number_of(im, topic, "min.compaction.lag.ms");
	out->max_compaction_lag_ms = number_of(im, topic, "max.compaction.lag.ms");
	out->min_cleanable_ratio = real_of(im, topic, "min.cleanable.dirty.ratio");
	out->max_message_bytes = number_of(im, topic, "max.message.bytes");
	out->append_time = strcmp(topic_config_value(im, topic, "message.timestamp.type", NULL),
	                       "LogAppendTime") == 0;
}
