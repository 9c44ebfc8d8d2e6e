/* What configurations may be, told as Kafka tells it (ConfigDef, LogConfig). */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/text.h"
#include "mqd/api/configs.h"

#define INT_MAX_D 2147483647.0
#define LONG_MAX_D 9223372036854775807.0
#define ANY_INT -INT_MAX_D, INT_MAX_D
#define FREE INT64_MIN, INT64_MAX, NULL, NULL

/* clang-format off */
const struct resource_config group_configs[] = {
	{{"consumer.assignment.interval.ms", CONFIG_INT, 0, INT_MAX_D, NULL}, "1000",
	    "group.consumer.assignment.interval.ms", 0, 15000,
	    "group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms",
	    "consumer protocol: shortest time between assignments"},
	{{"consumer.heartbeat.interval.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "5000",
	    "group.consumer.heartbeat.interval.ms", 5000, 15000,
	    "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms",
	    "consumer protocol: time between heartbeats"},
	{{"consumer.session.timeout.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "45000",
	    "group.consumer.session.timeout.ms", 45000, 60000,
	    "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms",
	    "consumer protocol: silence after which a member is gone"},
	{{"share.assignment.interval.ms", CONFIG_INT, 0, INT_MAX_D, NULL}, "1000",
	    "group.share.assignment.interval.ms", 0, 15000,
	    "group.share.min.assignment.interval.ms", "group.share.max.assignment.interval.ms",
	    "share groups: shortest time between assignments"},
	{{"share.auto.offset.reset", CONFIG_STRING, 0, 0, NULL}, "latest",
	    "share.auto.offset.reset", FREE, "share groups: where a new one begins"},
	{{"share.delivery.count.limit", CONFIG_INT, 2, INT_MAX_D, NULL}, "5",
	    "group.share.delivery.count.limit", 2, 10,
	    "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit",
	    "share groups: how often a record is delivered"},
	{{"share.heartbeat.interval.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "5000",
	    "group.share.heartbeat.interval.ms", 5000, 15000,
	    "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms",
	    "share groups: time between heartbeats"},
	{{"share.isolation.level", CONFIG_STRING, 0, 0, "read_committed|read_uncommitted"},
	    "read_uncommitted", "share.isolation.level", FREE,
	    "share groups: which transactions are read"},
	{{"share.partition.max.record.locks", CONFIG_INT, 100, INT_MAX_D, NULL}, "2000",
	    "group.share.partition.max.record.locks", 100, 4000,
	    "group.share.min.partition.max.record.locks",
	    "group.share.max.partition.max.record.locks",
	    "share groups: records of a partition that are locked at a time"},
	{{"share.record.lock.duration.ms", CONFIG_INT, 1000, INT_MAX_D, NULL}, "30000",
	    "group.share.record.lock.duration.ms", 15000, 60000,
	    "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms",
	    "share groups: how long a record is locked"},
	{{"share.renew.acknowledge.enable", CONFIG_BOOL, 0, 0, NULL}, "true",
	    "share.renew.acknowledge.enable", FREE, "share groups: whether locks can be renewed"},
	{{"share.session.timeout.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "45000",
	    "group.share.session.timeout.ms", 45000, 60000,
	    "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms",
	    "share groups: silence after which a member is gone"},
	{{"streams.assignment.interval.ms", CONFIG_INT, 0, INT_MAX_D, NULL}, "1000",
	    "group.streams.assignment.interval.ms", 0, 15000,
	    "group.streams.min.assignment.interval.ms", "group.streams.max.assignment.interval.ms",
	    "streams groups: shortest time between assignments"},
	{{"streams.heartbeat.interval.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "5000",
	    "group.streams.heartbeat.interval.ms", 5000, 15000,
	    "group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms",
	    "streams groups: time between heartbeats"},
	{{"streams.initial.rebalance.delay.ms", CONFIG_INT, 0, INT_MAX_D, NULL}, "3000",
	    "group.streams.initial.rebalance.delay.ms", FREE,
	    "streams groups: how long an empty one waits for members"},
	{{"streams.num.standby.replicas", CONFIG_INT, 0, INT_MAX_D, NULL}, "0",
	    "group.streams.num.standby.replicas", INT64_MIN, 2,
	    NULL, "group.streams.max.standby.replicas", "streams groups: standby tasks"},
	{{"streams.session.timeout.ms", CONFIG_INT, 1, INT_MAX_D, NULL}, "45000",
	    "group.streams.session.timeout.ms", 45000, 60000,
	    "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms",
	    "streams groups: silence after which a member is gone"},
	{{NULL, CONFIG_INT, 0, 0, NULL}, NULL, NULL, FREE, NULL},
};

const struct resource_config metrics_configs[] = {
	{{"interval.ms", CONFIG_INT, ANY_INT, NULL}, "300000", NULL, FREE,
	    "how often clients would push metrics"},
	{{"match", CONFIG_LIST, 0, 0, NULL}, "", NULL, FREE, "which clients"},
	{{"metrics", CONFIG_LIST, 0, 0, NULL}, "", NULL, FREE, "which metrics"},
	{{NULL, CONFIG_INT, 0, 0, NULL}, NULL, NULL, FREE, NULL},
};
/* clang-format on */

const struct resource_config *
resource_config_find(const struct resource_config *table, const char *name)
{
	for (; table->rule.name != NULL; table++)
		if (strcmp(table->rule.name, name) == 0)
			return table;
	return NULL;
}

/* --- one value ----------------------------------------------------------------------- */

static int
invalid(const struct config_rule *r, const char *value, struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID_CONFIG, "Invalid value %s for configuration %s: %s", value,
	    r->name, why);
}

static int
check_range(const struct config_rule *r, const char *value, double d, struct err *err)
{
	char why[80];

	if (strcmp(r->name, "compression.gzip.level") == 0 && (d < r->min || d > r->max || d == 0))
		return invalid(r, value, err, "Value must be between 1 and 9 or equal to -1");
	if (d < r->min) {
		snprintf(why, sizeof(why), "Value must be at least %.0f", r->min);
		return invalid(r, value, err, why);
	}
	if (d > r->max) {
		snprintf(why, sizeof(why), "Value must be no more than %.0f", r->max);
		return invalid(r, value, err, why);
	}
	return 0;
}

static int
check_whole(const struct config_rule *r, const char *value, char *out, size_t out_size,
    struct err *err)
{
	bool is_int = r->type == CONFIG_INT;
	int64_t n;

	if (text_int(value[0] == '+' && value[1] != '-' ? value + 1 : value,
	        is_int ? INT32_MIN : INT64_MIN, is_int ? INT32_MAX : INT64_MAX, &n) == -1)
		return invalid(
		    r, value, err, is_int ? "Not a number of type INT" : "Not a number of type LONG");
	snprintf(out, out_size, "%lld", (long long)n);
	return check_range(r, out, (double)n, err);
}

static int
check_real(const struct config_rule *r, const char *value, char *out, size_t out_size,
    struct err *err)
{
	char *end;
	double d = strtod(value, &end);

	if (end == value || *end != '\0' || !isfinite(d))
		return invalid(r, value, err, "Not a number of type DOUBLE");
	snprintf(out, out_size, fabs(d) < 1e9 && d * 10 == (double)(int64_t)(d * 10) ? "%.1f" : "%g", d);
	return check_range(r, out, d, err);
}

static bool
is_among(const char *word, const char *values)
{
	size_t len = strlen(word);

	while (values != NULL) {
		size_t n = strcspn(values, "|");

		if (n == len && memcmp(values, word, len) == 0)
			return true;
		values = values[n] == '\0' ? NULL : values + n + 1;
	}
	return false;
}

static int
check_word(const struct config_rule *r, const char *word, struct err *err)
{
	char why[200] = "String must be one of: ";
	size_t len = strlen(why);

	if (r->values == NULL || is_among(word, r->values))
		return 0;
	for (const char *at = r->values; *at != '\0' && len < sizeof(why) - 3; at++) {
		why[len++] = *at == '|' ? ',' : *at;
		if (*at == '|')
			why[len++] = ' ';
	}
	why[len] = '\0';
	return invalid(r, word, err, why);
}

/* PARTITION:BROKER */
static bool
is_replica(const char *word)
{
	const char *colon = strchr(word, ':');
	char first[16];
	int64_t n;

	if (colon == NULL || colon - word >= (ptrdiff_t)sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(colon - word), word);
	return text_int(first, 0, INT32_MAX, &n) == 0 && text_int(colon + 1, 0, INT32_MAX, &n) == 0;
}

static int
check_replicas(const struct config_rule *r, const char *list, const char *word, struct err *err)
{
	if (strstr(r->name, ".throttled.replicas") == NULL || strcmp(list, "*") == 0 ||
	    is_replica(word))
		return 0;
	return err_set(err, ERR_INVALID_CONFIG,
	    "Invalid value [%s] for configuration %s: %s must be the literal '*' or a list of "
	    "replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],"
	    "...", list, r->name, r->name);
}

/* Each word without spaces around it, with commas between. */
static int
check_list(const struct config_rule *r, const char *value, char *out, size_t out_size,
    struct err *err)
{
	size_t len = 0;

	if (strlen(value) >= out_size)
		return err_set(err, ERR_INVALID_CONFIG, "%s: the value is too long", r->name);
	out[0] = '\0';
	while (*value != '\0') {
		char *word = out + len + (len > 0);
		size_t n;

		value += strspn(value, " \t");
		n = strcspn(value, ",");
		if (len > 0)
			out[len++] = ',';
		memcpy(word, value, n);
		value += n + (value[n] == ',');
		while (n > 0 && strchr(" \t", word[n - 1]) != NULL)
			n--;
		word[n] = '\0';
		len += n;
		if (check_word(r, word, err) == -1 || check_replicas(r, out, word, err) == -1)
			return -1;
	}
	return 0;
}

static int
check_typed(const struct config_rule *r, const char *value, char *out, size_t out_size,
    struct err *err)
{
	switch (r->type) {
	case CONFIG_BOOL:
		if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
			return invalid(r, value, err, "Expected value to be either true or false");
		snprintf(out, out_size, "%s", strcasecmp(value, "true") == 0 ? "true" : "false");
		return 0;
	case CONFIG_INT:
	case CONFIG_LONG:
		return check_whole(r, value, out, out_size, err);
	case CONFIG_DOUBLE:
		return check_real(r, value, out, out_size, err);
	case CONFIG_LIST:
		return check_list(r, value, out, out_size, err);
	case CONFIG_STRING:
		break;
	}
	if ((size_t)snprintf(out, out_size, "%s", value) >= out_size)
		return err_set(err, ERR_INVALID_CONFIG, "%s: the value is too long", r->name);
	return check_word(r, value, err);
}

int
config_rule_check(
    const struct config_rule *r, const char *value, char *out, size_t out_size, struct err *err)
{
	char *copy, *trimmed;
	size_t len;
	int rc;

	if ((copy = strdup(value)) == NULL)
		return err_nomem(err);
	trimmed = copy + strspn(copy, " \t\r\n");
	for (len = strlen(trimmed); len > 0 && strchr(" \t\r\n", trimmed[len - 1]) != NULL;)
		trimmed[--len] = '\0';
	rc = check_typed(r, trimmed, out, out_size, err);
	free(copy);
	return rc;
}

/* --- whose -------------------------------------------------------------------------------- */

bool
config_rule_topic(const char *name, struct config_rule *out)
{
	const struct topic_config *t = topic_config_find(name);

	if (t == NULL)
		return false;
	*out = (struct config_rule){t->name, t->type, t->min, t->max, t->values};
	return true;
}

int
config_rule_broker(const char *name, struct config_rule *out)
{
	const struct broker_key *k = broker_key_find(name);
	const struct topic_config *t;
	int64_t unit;

	if (k != NULL) {
		*out = (struct config_rule){k->name, k->type, (double)k->min,
		    k->type == CONFIG_DOUBLE ? DBL_MAX : (double)k->max, k->values};
		return (k->flags & KEY_DYNAMIC) != 0 ? 1 : -1;
	}
	if ((t = broker_topic_key(name, &unit)) == NULL)
		return 0;
	*out = (struct config_rule){t->broker_name, t->type, t->min, t->max, t->values};
	return unit == 1 ? 1 : -1;
}

static int64_t
whole(const char *text)
{
	int64_t n;

	return text != NULL && text_int(text, INT64_MIN, INT64_MAX, &n) == 0 ? n : 0;
}

int
config_check_topic(const char *(*value)(void *ctx, const char *name), void *ctx, struct err *err)
{
	const char *min = value(ctx, "min.compaction.lag.ms");
	const char *max = value(ctx, "max.compaction.lag.ms");
	const char *remote = value(ctx, "remote.storage.enable");

	if (min != NULL && max != NULL && whole(min) > whole(max))
		return err_set(err, ERR_INVALID_CONFIG,
		    "conflict topic config setting min.compaction.lag.ms (%lld) > "
		    "max.compaction.lag.ms (%lld)", (long long)whole(min), (long long)whole(max));
	if (remote != NULL && strcmp(remote, "true") == 0)
		return err_set(err, ERR_INVALID_CONFIG,
		    "Tiered Storage functionality is disabled in the broker. Topic cannot be "
		    "configured with remote log storage.");
	return 0;
}

const struct image_configs *
resource_configs(const struct image *im, int8_t type, const char *name)
{
	const struct image_topic *topic;
	char key[1 + 256];
	size_t len = strlen(name);

	if (type == RESOURCE_TOPIC)
		return (topic = image_topic(im, name)) != NULL ? &topic->configs : NULL;
	if (len >= sizeof(key))
		return NULL;
	key[0] = (char)type;
	memcpy(key + 1, name, len);
	return map_get(&im->configs, key, len + 1);
}

const char *
topic_name_fault(struct arena *a, const char *name)
{
	char text[400];

	if (topic_name_ok(name))
		return NULL;
	if (*name == '\0')
		return "Topic name is invalid: the empty string is not allowed";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "Topic name is invalid: '.' or '..' is not allowed";
	if (strlen(name) > TOPIC_NAME_MAX)
		snprintf(text, sizeof(text),
		    "Topic name is invalid: the length of '%.250s' is longer than the max allowed "
		    "length %d", name, TOPIC_NAME_MAX);
	else
		snprintf(text, sizeof(text),
		    "Topic name is invalid: '%s' contains one or more characters other than ASCII "
		    "alphanumerics, '.', '_' and '-'", name);
	return arena_strdup(a, text);
}

/* --- defaults ------------------------------------------------------------------------------- */

const char *
broker_key_default(const char *name)
{
	static const char *const own[][2] = {{"log.retention.ms", NULL},
	    {"log.retention.minutes", NULL}, {"log.retention.hours", "168"}, {"log.roll.ms", NULL},
	    {"log.roll.hours", "168"}, {"log.roll.jitter.ms", NULL}, {"log.roll.jitter.hours", "0"},
	    {"log.flush.interval.ms", NULL}};
	const struct broker_key *k = broker_key_find(name);
	const struct topic_config *t;
	int64_t unit;

	if (k != NULL)
		return k->default_text;
	for (size_t i = 0; i < COUNT(own); i++)
		if (strcmp(own[i][0], name) == 0)
			return own[i][1];
	t = broker_topic_key(name, &unit);
	return t != NULL ? t->default_text : NULL;
}
