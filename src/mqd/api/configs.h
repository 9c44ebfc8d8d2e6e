/*
 * configs: what the requests about configurations share: the rules of values, in
 * Kafka's words, and what there is of each kind of resource.
 *
 * Rules come from the tables (mqd/config.h, store/topic_config.h), and from those here
 * of groups and of client metrics subscriptions, which Kafka's tools may set although
 * this broker has no use for them.
 */
#ifndef MQD_API_CONFIGS_H
#define MQD_API_CONFIGS_H

#include "base/arena.h"
#include "mqd/config.h"

/* Kafka's ConfigResource.Type. */
enum resource_type {
	RESOURCE_TOPIC = 2,
	RESOURCE_BROKER = 4,
	RESOURCE_LOGGER = 8,
	RESOURCE_METRICS = 16,
	RESOURCE_GROUP = 32,
};

/* ConfigEntry.ConfigSource, where store/topic_config.h has no name for it. */
enum {
	SOURCE_LOGGER = 6,
	SOURCE_METRICS = 7,
	SOURCE_GROUP = 8,
};

/* What a value must be. */
struct config_rule {
	const char *name;
	enum config_type type;
	double min, max;
	const char *values; /* "a|b", or NULL */
};

/* Checks a value as Kafka does (no suffixes) and writes it in the form that it is kept
 * in. INVALID_CONFIG with Kafka's text. */
int config_rule_check(
    const struct config_rule *r, const char *value, char *out, size_t out_size, struct err *err);

/* The rule for a topic's configuration; false: "Unknown topic config name". */
bool config_rule_topic(const char *name, struct config_rule *out);

/* The rule for a broker's key that may be set while it runs. 1: there is one; 0: the
 * name is unknown or means nothing here, any value will do; -1: it cannot be set. */
int config_rule_broker(const char *name, struct config_rule *out);

/* All of one topic, as a set: every name and value, then what goes together. `value`
 * gives what would hold for a name, NULL: nobody set it. */
int config_check_topic(
    const char *(*value)(void *ctx, const char *name), void *ctx, struct err *err);

/* Configurations of groups and of client metrics subscriptions. */
struct resource_config {
	struct config_rule rule;
	const char *default_text;
	const char *broker_name; /* whose default it takes; or its own, NULL: none */
	int64_t low, high;       /* what this broker allows; LONG limits: anything */
	const char *low_name, *high_name;
	const char *help;
};
extern const struct resource_config group_configs[], metrics_configs[]; /* to a NULL name */

const struct resource_config *resource_config_find(
    const struct resource_config *table, const char *name);

/* All that is set on a resource; NULL: nothing was ever. */
const struct image_configs *resource_configs(
    const struct image *im, int8_t type, const char *name);

/* Kafka's text for a name that no topic can have; NULL: it is good. In the arena. */
const char *topic_name_fault(struct arena *a, const char *name);

/* What Kafka calls the default of a broker's key: of log.retention.ms and its like it
 * has none, those in hours do. NULL: none. */
const char *broker_key_default(const char *name);

#endif
