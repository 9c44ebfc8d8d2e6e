/*
 * config: what a broker is told: mqd.conf (server.properties' names), options, and
 * the defaults, as one table, each key written once.
 *
 * mqd.conf(5), share/mqd.conf, --check and DescribeConfigs come from the table.
 * There are three kinds of keys: those of broker_keys (config_table.c); the defaults
 * of topic configurations (store/topic_config.h has their names and rules), among
 * them Kafka's older spellings in hours and minutes; and those of Kafka that mean
 * nothing here, which are collected, so that one line can name them.
 *
 * What holds for a key: a dynamic config of this node (in the metadata log), of the
 * cluster, the file and -X, what is built in.
 *
 *	init -> read, set ... -> finish -> (reload) -> release
 *
 * Knows text, the table of topic configurations, and the image.
 */
#ifndef MQD_CONFIG_H
#define MQD_CONFIG_H

#include "base/error.h"
#include "os/os.h"
#include "store/image.h"
#include "store/topic_config.h"

#define BROKER_LISTENERS_MAX 16

/* One address that is listened on, and what those who came by it are told. */
struct broker_listener {
	char *address;   /* for os_listen: "127.0.0.1:9092", "unix:…" */
	char *host;      /* advertised.listeners; NULL: that of the address */
	int32_t port;    /* with `host`; 0: that of the address */
};

/* What the code reads; every field is a key of the table. */
struct broker_config {
	int32_t node_id;
	char *dir;              /* log.dirs, of which one is supported */
	struct broker_listener *listeners;
	size_t listener_count;
	size_t registered;      /* the listener that the cluster is told: inter.broker.listener.name */
	char *cluster_id;       /* cluster.id, or NULL: any */
	char *rack;             /* or NULL */
	char *metrics_listen;   /* metrics.listen: an address, or NULL */
	bool auto_create_topics;           /* auto.create.topics.enable */
	bool delete_topics;                /* delete.topic.enable */
	bool allow_network;                /* allow.anonymous.network */
	int32_t num_partitions;
	int64_t request_bytes_max;         /* socket.request.max.bytes */
	int64_t queued_bytes_max;          /* queued.max.request.bytes: all requests' memory */
	int32_t connections_max;           /* max.connections */
	int64_t idle_ms;                   /* connections.max.idle.ms */
	int64_t fetch_bytes_max;           /* fetch.max.bytes */
	int32_t fetch_sessions_max;        /* max.incremental.fetch.session.cache.slots */
	int64_t disk_min_free;             /* disk.min.free */
	int64_t retention_check_ms;        /* log.retention.check.interval.ms */
	int64_t cleaner_backoff_ms;        /* log.cleaner.backoff.ms */
	int64_t cleaner_memory;            /* log.cleaner.dedupe.buffer.size */
	double cleaner_bytes_per_second;   /* log.cleaner.io.max.bytes.per.second */
	int64_t checkpoint_ms;             /* log.flush.offset.checkpoint.interval.ms */
	int64_t metadata_snapshot_bytes;   /* metadata.log.max.record.bytes.between.snapshots */
	int32_t offsets_partitions;        /* offsets.topic.num.partitions */
	int64_t offsets_retention_ms;      /* offsets.retention.minutes */
	int64_t offsets_retention_check_ms;
	int64_t offsets_segment_bytes;
	int32_t offset_metadata_max;       /* offset.metadata.max.bytes */
	int32_t group_min_session_ms, group_max_session_ms;
	int32_t group_initial_delay_ms;    /* group.initial.rebalance.delay.ms */
	int32_t group_max_size;
	int64_t producer_expire_ms;        /* producer.id.expiration.ms */

	/* What was set, for DescribeConfigs: the key -> its value as text, owned. */
	struct map set;
	/* The same as defaults of topic configurations: the topic's name for it -> a value
	 * as Kafka stores it, owned. struct image's `defaults` points here. */
	struct map topic_defaults;
	/* Kafka's keys that were set and mean nothing here -> where, owned. */
	struct map ignored;
	/* What somebody should know, a line each. */
	char **warnings;
	size_t warning_count;
};

/* --- the table ------------------------------------------------------------------- */

enum key_flags {
	KEY_DYNAMIC = 1, /* may be set while the broker runs (read-only is false) */
	KEY_OWN = 2,     /* Kafka does not have it */
	KEY_DEFAULT = 4, /* Kafka's default is another */
};

struct broker_key {
	const char *name;
	enum config_type type;
	const char *default_text; /* as Kafka prints it; NULL: none */
	int64_t min, max;         /* of numbers */
	const char *values;       /* "a|b": the only ones; NULL any */
	const char *help;         /* one line */
	int flags;                /* enum key_flags */
	int field;                /* offset in struct broker_config; 0: read elsewhere */
	int size;                 /* of the field */
	int64_t factor;           /* to the field's unit */
};

/* Sorted by name, ended by a NULL name. */
extern const struct broker_key broker_keys[];

const struct broker_key *broker_key_find(const char *name);

/* The topic configuration that `name` is the broker's default of; NULL if none. For
 * log.retention.hours and its like `unit_ms` is what one of it means, else 1. */
const struct topic_config *broker_topic_key(const char *name, int64_t *unit_ms);

/* The spellings of a broker's key that are looked at for it, nearest first: at most 3,
 * the rest NULL. */
void broker_key_spellings(const char *name, const char *out[3]);

/* One of Kafka's, without effect here. */
bool broker_key_is_foreign(const char *name);

/* Checks a value of a key of the first two kinds and writes it as Kafka stores it.
 * ERR_CONFIG with what would be allowed. */
int broker_key_check(const char *name, const char *value, char *out, size_t out_size,
    struct err *err);

/* --- reading ----------------------------------------------------------------------- */

void broker_config_init(struct broker_config *c);
void broker_config_release(struct broker_config *c);

/* One key; `source` says where it stands ("mqd.conf:3", "-X"). ERR_CONFIG for a bad
 * value; a name that nobody knows is warned about. The last one holds. */
int broker_config_set(struct broker_config *c, const char *name, const char *value,
    const char *source, struct err *err);

/* A whole text in the syntax of Java's properties, called `name` in messages. */
int broker_config_parse(struct broker_config *c, const char *name, const char *text, size_t len,
    struct err *err);
int broker_config_read(struct broker_config *c, struct os *os, const char *path, struct err *err);

/* When everything was set: fills the fields and checks what goes together. Without
 * log.dirs the directory is `dir` (required). node.id comes from the directory if
 * nothing else says it. ERR_CONFIG, also for listening beyond this machine. */
int broker_config_finish(struct broker_config *c, struct os *os, const char *dir, struct err *err);

/* Takes over what can change while a broker runs from a freshly read configuration
 * (dynamic keys and topics' defaults). What differs elsewhere is named in warnings of
 * `fresh`: it needs a restart. */
int broker_config_reload(struct broker_config *c, struct broker_config *fresh, struct err *err);

/* Sets the fields of dynamic keys to what holds now. */
void broker_config_refresh(struct broker_config *c, const struct image *im);

/* What holds for a key of the first two kinds ("" key of the file, else default), and
 * whose it is; `im` NULL: without dynamic configs. NULL: no value. */
const char *broker_config_value(const struct broker_config *c, const struct image *im,
    const char *name, enum config_source *source);

/* Whether `address`, the value of `key`, is HOST:PORT or unix:PATH, and of this machine
 * alone (loopback or a Unix socket) unless more is allowed. 0, or -1 with ERR_CONFIG. */
int broker_address_check(const struct broker_config *c, const char *key, const char *address,
    struct err *err);

/* --- parts ---------------------------------------------------------------------------- */

/* config_listeners.c: listeners, advertised.listeners and what goes with them. */
int broker_config_listeners(struct broker_config *c, struct err *err);

/* One more line in warnings. */
int broker_config_warn(struct broker_config *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Goes through a text in the syntax of Java's properties (comments with # and !, =, :
 * or space after the key, backslash continues a line and escapes). Keys and values
 * last as long as the call. `each` ends it by returning nonzero, which is returned. */
int properties_parse(const char *text, size_t len,
    int (*each)(void *ctx, int line, const char *key, const char *value), void *ctx,
    struct err *err);

#endif
