/*
 * config: properties from files, the environment and -X; where the data is.
 *
 * Precedence: -X, the user's file, /etc/mq/mq.conf, built in. MQ_CONFIG or -F
 * names the only file to read ("none": none). A file has lines "key = value",
 * comments with # or !, and sections "[profile NAME]" of which one is taken:
 * the one named by -X profile=NAME, MQ_PROFILE, or "profile = NAME" above all
 * sections. Names are Kafka's; librdkafka's and Java's spellings of them are
 * understood. What clients know and a store has no use for is passed over; what
 * nobody knows is warned about, with the nearest name.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/options.h"

/* Properties that have an effect; rows in config_table.c. */
enum property {
	PROP_ACKS,
	PROP_AUTO_CREATE_TOPICS,
	PROP_AUTO_OFFSET_RESET,
	PROP_BATCH_RECORDS,
	PROP_BATCH_BYTES,
	PROP_BROKERS,
	PROP_CLIENT_ID,
	PROP_COMPRESSION_LEVEL,
	PROP_COMPRESSION_TYPE,
	PROP_ISOLATION,
	PROP_LINGER_MS,
	PROP_LOG_DIRS,
	PROP_MESSAGE_BYTES_MAX,
	PROP_ASSIGNORS,
	PROP_PARTITIONER,
	PROP_PROFILE,
	PROP_SESSION_TIMEOUT,
	PROP_COUNT,
};

enum property_type { PROPERTY_TEXT, PROPERTY_BOOL, PROPERTY_INT, PROPERTY_SIZE, PROPERTY_MS };

struct property_spec {
	const char *name;
	const char *aliases; /* separated by spaces, or NULL */
	enum property_type type;
	int64_t min, max;          /* of numbers */
	const char *words;         /* "a|b": the only values; or NULL */
	const char *default_value; /* "" : none */
	const char *help;
};

extern const struct property_spec property_specs[PROP_COUNT];

/* True for names that clients know and mq passes over. */
bool property_is_foreign(const char *name);

struct setting {
	char *value; /* owned; NULL: built in */
	char source[160]; /* "mq.conf:3", "-X" */
};

struct config {
	struct setting settings[PROP_COUNT];
	bool profile_found;
};

void config_init(struct config *c);
void config_release(struct config *c);

/* Reads everything that the options (-F, -X) and the environment name. With
 * `take_properties` false, -X is left to the caller (mq-topics create). "-X list"
 * and "-X dump" are printed to stdout. Returns 0: go on; 1: something was
 * printed, end with success; -1: ERR_INVALID (a mistake in -X), ERR_CONFIG,
 * ERR_NOT_FOUND (-F), ERR_IO, ERR_NOMEM. Warns by report_warn. */
int config_load(struct config *c, const struct options *o, bool take_properties, struct err *err);

/* The parts of it. Text of a file called `name`: */
int config_parse(struct config *c, const char *name, const char *text, size_t len,
    struct err *err);

/* One property; `source` says where it stands. An unknown name is warned about,
 * a bad value is ERR_CONFIG. */
int config_set(struct config *c, const char *name, const char *value, const char *source,
    struct err *err);

/* The value in effect ("" if there is none), also when it is built in. */
const char *config_text(const struct config *c, enum property p);

/* True if it was set anywhere. */
bool config_is_set(const struct config *c, enum property p);

/* Numbers, sizes in bytes, times in ms, and bools as 0 and 1. Values were checked
 * when they were set. */
int64_t config_number(const struct config *c, enum property p);

/* Where the data is: a store's directory or brokers, and why there. */
struct where {
	char *path;       /* owned; NULL: brokers */
	char *brokers;    /* owned; NULL: a store */
	char reason[200]; /* "-d", "MQ_BROKERS", "log.dirs in mq.conf:3", "default" */
};

/* -d or -b, else MQ_DIR or MQ_BROKERS, else the configuration, else the user's own
 * store. -1: ERR_INVALID (both are named), ERR_CONFIG, ERR_NOMEM. */
int where_choose(struct where *w, const struct options *o, const struct config *c, struct err *err);

/* The same for a tool that reads files: ERR_REFUSED where brokers are named. */
int where_choose_store(struct where *w, const struct options *o, const struct config *c,
    struct err *err);
void where_release(struct where *w);

#endif
