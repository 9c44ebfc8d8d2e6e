/*
 * topic_config: the table of topic configurations: names, types, defaults,
 * limits, as Kafka has them (LogConfig), each written once.
 *
 * Values are kept as text in the metadata log. The table checks a text, gives
 * the default, and fills a struct mlog_config.
 */
#ifndef STORE_TOPIC_CONFIG_H
#define STORE_TOPIC_CONFIG_H

#include "base/error.h"
#include "log/mlog.h"
#include "store/image.h"

enum config_type { CONFIG_BOOL, CONFIG_STRING, CONFIG_INT, CONFIG_LONG, CONFIG_DOUBLE, CONFIG_LIST };

struct topic_config {
	const char *name;
	enum config_type type;
	const char *default_text; /* as Kafka prints it */
	double min, max;          /* of numbers */
	const char *values;       /* "a|b|c": what a string or a list may hold; NULL any */
	const char *broker_name;  /* the broker's default for it; NULL if it has none */
	const char *help;         /* one line */
};

/* The table, ended by a NULL name, sorted by name. */
extern const struct topic_config topic_configs[];

const struct topic_config *topic_config_find(const char *name);

/* Checks a value as the shell gives it (sizes and times may have suffixes where
 * the unit is bytes or ms) and writes it as Kafka stores it. ERR_CONFIG with the
 * nearest name, or with what would be allowed. */
int topic_config_check(const char *name, const char *value, char *out, size_t out_size,
    struct err *err);

/* Whose a value is; Kafka's numbers (ConfigEntry.ConfigSource). */
enum config_source {
	CONFIG_DYNAMIC_TOPIC = 1,
	CONFIG_DYNAMIC_BROKER = 2,         /* one node's */
	CONFIG_DYNAMIC_DEFAULT_BROKER = 3, /* the cluster's, for all nodes */
	CONFIG_STATIC_BROKER = 4,          /* the node's file */
	CONFIG_DEFAULT = 5,                /* built in */
};

/* As kafka-configs.sh says it: "DYNAMIC_TOPIC_CONFIG", ... */
const char *config_source_name(enum config_source source);

/* What holds for a topic: its override, else the broker's default in the image
 * (a dynamic config of the only node, then of the cluster), else that of the node's
 * file (the image's `defaults`), else the table's. Lives as long as the image.
 * NULL for an unknown name. `source` may be NULL. */
const char *topic_config_value(const struct image *im, const char *topic, const char *name,
    enum config_source *source);

/* Effective values, by the same rule. A value that cannot be read counts as not set. */
void topic_config_resolve(const struct image *im, const char *topic, struct mlog_config *out);

#endif
