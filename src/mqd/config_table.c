/* The keys of a broker: ours, those of topics' defaults, and Kafka's that mean nothing
 * here. Types, defaults and limits are those of Kafka 4.3 (KafkaConfig). */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/text.h"
#include "mqd/config.h"

#define INT INT32_MAX
#define LONG INT64_MAX
#define FIELD(name) offsetof(struct broker_config, name), sizeof(((struct broker_config *)0)->name), 1
#define FIELD_IN(name, factor) \
	offsetof(struct broker_config, name), sizeof(((struct broker_config *)0)->name), factor
#define ELSEWHERE 0, 0, 1

/* clang-format off */
const struct broker_key broker_keys[] = {
	{"advertised.listeners", CONFIG_LIST, NULL, 0, 0, NULL,
	    "addresses that clients are told to connect to, each for the listener of its name: "
	    "PLAINTEXT://host:9092",
	    0, ELSEWHERE},
	{"allow.anonymous.network", CONFIG_BOOL, "false", 0, 0, NULL,
	    "listen beyond this machine, although nobody has to say who they are",
	    KEY_OWN, FIELD(allow_network)},
	{"auto.create.topics.enable", CONFIG_BOOL, "true", 0, 0, NULL,
	    "a topic that a client asks for is made if it is not there",
	    0, FIELD(auto_create_topics)},
	{"broker.rack", CONFIG_STRING, NULL, 0, 0, NULL,
	    "where this node stands, told to clients", 0, ELSEWHERE},
	{"cluster.id", CONFIG_STRING, NULL, 0, 0, NULL,
	    "the cluster that the directory must be of; a new one is made for it",
	    KEY_OWN, ELSEWHERE},
	{"connections.max.idle.ms", CONFIG_LONG, "600000", -1, LONG, NULL,
	    "a connection on which nothing happens so long is closed; -1 never",
	    0, FIELD(idle_ms)},
	{"controller.listener.names", CONFIG_LIST, NULL, 0, 0, NULL,
	    "listeners for controllers; one node needs none, so they are not opened",
	    0, ELSEWHERE},
	{"controller.quorum.bootstrap.servers", CONFIG_LIST, "", 0, 0, NULL,
	    "where controllers are; one node is its own", 0, ELSEWHERE},
	{"controller.quorum.voters", CONFIG_LIST, "", 0, 0, NULL,
	    "voters of the metadata log, ID@HOST:PORT; one, this node", 0, ELSEWHERE},
	{"delete.topic.enable", CONFIG_BOOL, "true", 0, 0, NULL,
	    "whether clients may delete topics", 0, FIELD(delete_topics)},
	{"disk.min.free", CONFIG_LONG, "16777216", 0, LONG, NULL,
	    "bytes of the disk that are kept free: what is produced beyond is refused",
	    KEY_OWN, FIELD(disk_min_free)},
	{"fetch.max.bytes", CONFIG_INT, "57671680", 1024, INT, NULL,
	    "most bytes that one fetch is answered with", 0, FIELD(fetch_bytes_max)},
	{"group.initial.rebalance.delay.ms", CONFIG_INT, "3000", 0, INT, NULL,
	    "how long an empty group waits for more members before it starts",
	    0, FIELD(group_initial_delay_ms)},
	{"group.max.session.timeout.ms", CONFIG_INT, "1800000", 0, INT, NULL,
	    "longest session time-out that a member may ask for",
	    0, FIELD(group_max_session_ms)},
	{"group.max.size", CONFIG_INT, "2147483647", 1, INT, NULL,
	    "most members of a group", 0, FIELD(group_max_size)},
	{"group.min.session.timeout.ms", CONFIG_INT, "6000", 0, INT, NULL,
	    "shortest session time-out that a member may ask for",
	    0, FIELD(group_min_session_ms)},
	{"inter.broker.listener.name", CONFIG_STRING, NULL, 0, 0, NULL,
	    "listener that other brokers use; the metadata log names its address",
	    0, ELSEWHERE},
	{"listener.security.protocol.map", CONFIG_STRING,
	    "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", 0, 0, NULL,
	    "protocol of each listener's name; PLAINTEXT is the one that there is",
	    0, ELSEWHERE},
	{"listeners", CONFIG_LIST, "PLAINTEXT://127.0.0.1:9092", 0, 0, NULL,
	    "addresses: NAME://HOST:PORT, HOST:PORT or unix:PATH; the data directory's mqd.sock "
	    "is always one more", KEY_DEFAULT, ELSEWHERE},
	{"log.cleaner.backoff.ms", CONFIG_LONG, "15000", 0, LONG, NULL,
	    "how often it is looked for something to compact",
	    KEY_DYNAMIC, FIELD(cleaner_backoff_ms)},
	{"log.cleaner.dedupe.buffer.size", CONFIG_LONG, "134217728", 1048576, LONG, NULL,
	    "most memory for the keys of one compaction", KEY_DYNAMIC, FIELD(cleaner_memory)},
	{"log.cleaner.io.max.bytes.per.second", CONFIG_DOUBLE, "1.7976931348623157E308", 0, 0, NULL,
	    "most bytes that compaction reads and writes in a second",
	    KEY_DYNAMIC, FIELD(cleaner_bytes_per_second)},
	{"log.dirs", CONFIG_LIST, NULL, 0, 0, NULL,
	    "the data directory (-d); one", 0, ELSEWHERE},
	{"log.flush.offset.checkpoint.interval.ms", CONFIG_INT, "60000", 0, INT, NULL,
	    "how often it is written down up to where logs are synced", 0, FIELD(checkpoint_ms)},
	{"log.retention.check.interval.ms", CONFIG_LONG, "300000", 1, LONG, NULL,
	    "how often it is looked for segments to delete", 0, FIELD(retention_check_ms)},
	{"max.connections", CONFIG_INT, "2147483647", 0, INT, NULL,
	    "most connections at a time", KEY_DYNAMIC, FIELD(connections_max)},
	{"max.incremental.fetch.session.cache.slots", CONFIG_INT, "1000", 0, INT, NULL,
	    "most fetch sessions that are remembered", 0, FIELD(fetch_sessions_max)},
	{"metadata.log.max.record.bytes.between.snapshots", CONFIG_LONG, "20971520", 1, LONG, NULL,
	    "bytes of the metadata log after which a snapshot is written",
	    0, FIELD(metadata_snapshot_bytes)},
	{"metrics.listen", CONFIG_STRING, NULL, 0, 0, NULL,
	    "address, HOST:PORT or unix:PATH, of /metrics, /health and /ready over HTTP",
	    KEY_OWN, ELSEWHERE},
	{"node.id", CONFIG_INT, NULL, 0, INT, NULL,
	    "this node's number; else that of the directory, 1 in a new one", KEY_DEFAULT, ELSEWHERE},
	{"num.partitions", CONFIG_INT, "1", 1, INT, NULL,
	    "partitions of a topic whose maker does not say", 0, FIELD(num_partitions)},
	{"offset.metadata.max.bytes", CONFIG_INT, "4096", 0, INT, NULL,
	    "longest text that a group may commit beside an offset", 0, FIELD(offset_metadata_max)},
	{"offsets.retention.check.interval.ms", CONFIG_LONG, "600000", 1, LONG, NULL,
	    "how often it is looked for offsets to forget", 0, FIELD(offsets_retention_check_ms)},
	{"offsets.retention.minutes", CONFIG_INT, "10080", 1, INT, NULL,
	    "how long the offsets of a group without members are kept",
	    0, FIELD_IN(offsets_retention_ms, 60000)},
	{"offsets.topic.num.partitions", CONFIG_INT, "50", 1, INT, NULL,
	    "partitions of __consumer_offsets, when it is made", 0, FIELD(offsets_partitions)},
	{"offsets.topic.segment.bytes", CONFIG_INT, "104857600", 1048576, INT, NULL,
	    "segments of __consumer_offsets, when it is made", 0, FIELD(offsets_segment_bytes)},
	{"process.roles", CONFIG_LIST, "broker,controller", 0, 0, "broker|controller",
	    "what this node does; both", KEY_DEFAULT, ELSEWHERE},
	{"producer.id.expiration.ms", CONFIG_INT, "86400000", 1, INT, NULL,
	    "an idempotent producer that is silent so long is forgotten",
	    KEY_DYNAMIC, FIELD(producer_expire_ms)},
	{"queued.max.request.bytes", CONFIG_LONG, "268435456", 1048576, LONG, NULL,
	    "most memory for all requests under way: beyond it nothing more is read",
	    KEY_DEFAULT, FIELD(queued_bytes_max)},
	{"security.inter.broker.protocol", CONFIG_STRING, "PLAINTEXT", 0, 0,
	    "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
	    "protocol between brokers; PLAINTEXT", 0, ELSEWHERE},
	{"socket.request.max.bytes", CONFIG_INT, "104857600", 1024, INT, NULL,
	    "longest request", 0, FIELD(request_bytes_max)},
	{NULL, CONFIG_BOOL, NULL, 0, 0, NULL, NULL, 0, ELSEWHERE},
};
/* clang-format on */

/* Names that Kafka reads as another key. */
static const char *const aliases[][2] = {{"log.dir", "log.dirs"}, {"broker.id", "node.id"}};

/* Kafka's older spellings of topics' defaults. The nearer to milliseconds, the more
 * one counts. */
static const struct topic_unit {
	const char *name, *topic_name;
	int64_t unit_ms;
} topic_units[] = {
    {"log.retention.hours", "retention.ms", 3600000},
    {"log.retention.minutes", "retention.ms", 60000},
    {"log.roll.hours", "segment.ms", 3600000},
    {"log.roll.jitter.hours", "segment.jitter.ms", 3600000},
};

/* What Kafka knows and has no meaning here: whole names, and beginnings. */
static const char foreign_names[] =
    " add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms"
    " alter.config.policy.class.name alter.log.dirs.replication.quota.window.num"
    " alter.log.dirs.replication.quota.window.size.seconds auto.leader.rebalance.enable"
    " background.threads broker.heartbeat.interval.ms broker.session.timeout.ms"
    " client.quota.callback.class config.providers connection.failed.authentication.delay.ms"
    " connections.max.reauth.ms controlled.shutdown.enable controller.socket.timeout.ms"
    " controller.quota.window.num controller.quota.window.size.seconds cordoned.log.dirs"
    " create.topic.policy.class.name default.replication.factor"
    " delete.records.purgatory.purge.interval.requests early.start.listeners"
    " fetch.purgatory.purge.interval.requests follower.fetch.last.tiered.offset.enable"
    " initial.broker.registration.timeout.ms leader.imbalance.check.interval.seconds"
    " leader.imbalance.per.broker.percentage log.cleaner.enable"
    " log.cleaner.io.buffer.load.factor log.cleaner.io.buffer.size"
    " log.cleaner.threads log.dir.failure.timeout.ms"
    " log.flush.scheduler.interval.ms log.flush.start.offset.checkpoint.interval.ms"
    " log.initial.task.delay.ms log.message.downconversion.enable log.message.format.version"
    " max.connection.creation.rate max.connections.per.ip max.connections.per.ip.overrides"
    " max.request.partition.size.limit metadata.log.dir metadata.log.max.snapshot.interval.ms"
    " metadata.log.segment.bytes metadata.log.segment.ms metadata.max.idle.interval.ms"
    " metadata.max.retention.bytes metadata.max.retention.ms metric.reporters"
    " metrics.num.samples metrics.recording.level metrics.sample.window.ms num.io.threads"
    " num.network.threads num.recovery.threads.per.data.dir"
    " num.replica.alter.log.dirs.threads num.replica.fetchers offsets.commit.required.acks"
    " offsets.commit.timeout.ms offsets.load.buffer.size offsets.topic.compression.codec"
    " offsets.topic.replication.factor principal.builder.class"
    " producer.id.expiration.check.interval.ms producer.purgatory.purge.interval.requests"
    " queued.max.requests quota.window.num quota.window.size.seconds"
    " replica.fetch.backoff.ms replica.fetch.max.bytes replica.fetch.min.bytes"
    " replica.fetch.response.max.bytes replica.fetch.wait.max.ms"
    " replica.high.watermark.checkpoint.interval.ms replica.lag.time.max.ms"
    " replica.selector.class replica.socket.receive.buffer.bytes replica.socket.timeout.ms"
    " replication.quota.window.num replication.quota.window.size.seconds request.timeout.ms"
    " security.providers server.max.startup.time.ms share.fetch.purgatory.purge.interval.requests"
    " socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms"
    " socket.listen.backlog.size socket.receive.buffer.bytes socket.send.buffer.bytes"
    " super.users allow.everyone.if.no.acl.found telemetry.max.bytes"
    " transaction.abort.timed.out.transaction.cleanup.interval.ms transaction.max.timeout.ms"
    " transaction.partition.verification.enable"
    " transaction.remove.expired.transaction.cleanup.interval.ms"
    " transaction.two.phase.commit.enable transactional.id.expiration.ms"
    " unclean.leader.election.interval.ms unstable.api.versions.enable"
    " unstable.feature.versions.enable zookeeper.connect ";

static const char *const foreign_prefixes[] = {"confluent.", "controller.performance.",
    "controller.quorum.", "delegation.token.", "group.consumer.", "group.coordinator.",
    "group.share.", "group.streams.", "internal.", "kafka.metrics.", "listener.name.",
    "remote.fetch.", "remote.list.", "remote.log.", "rlmm.", "rsm.", "sasl.",
    "share.coordinator.", "ssl.", "transaction.state.log.", "zookeeper."};

const struct broker_key *
broker_key_find(const char *name)
{
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (strcmp(aliases[i][0], name) == 0)
			name = aliases[i][1];
	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

const struct topic_config *
broker_topic_key(const char *name, int64_t *unit_ms)
{
	*unit_ms = 1;
	for (size_t i = 0; i < COUNT(topic_units); i++) {
		if (strcmp(topic_units[i].name, name) == 0) {
			*unit_ms = topic_units[i].unit_ms;
			return topic_config_find(topic_units[i].topic_name);
		}
	}
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++)
		if (t->broker_name != NULL && strcmp(t->broker_name, name) == 0)
			return t;
	return NULL;
}

/* What counts most first. */
static const char *const spellings[][3] = {
    {"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
    {"log.roll.ms", "log.roll.hours", NULL},
    {"log.roll.jitter.ms", "log.roll.jitter.hours", NULL},
};

void
broker_key_spellings(const char *name, const char *out[3])
{
	out[0] = name;
	out[1] = out[2] = NULL;
	for (size_t i = 0; i < COUNT(spellings); i++) {
		if (strcmp(spellings[i][0], name) == 0) {
			out[1] = spellings[i][1];
			out[2] = spellings[i][2];
		}
	}
}

bool
broker_key_is_foreign(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < COUNT(foreign_prefixes); i++)
		if (strncmp(name, foreign_prefixes[i], strlen(foreign_prefixes[i])) == 0)
			return true;
	for (const char *at = foreign_names; len > 0 && (at = strstr(at, name)) != NULL; at++)
		if (at > foreign_names && at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

/* --- checking ---------------------------------------------------------------------- */

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

/* Each of a list's words, or the one of a string. */
static bool
words_ok(const struct broker_key *k, const char *value)
{
	if (k->values == NULL)
		return true;
	if (k->type == CONFIG_STRING)
		return is_among(value, strlen(value), k->values);
	for (;;) {
		size_t n = strcspn(value, ",");

		if (!is_among(value, n, k->values))
			return false;
		if (value[n] == '\0')
			return true;
		value += n + 1 + strspn(value + n + 1, " ");
	}
}

static int
bool_parse(const char *s, bool *out)
{
	static const char *const words[] = {"false", "no", "off", "0", "true", "yes", "on", "1"};

	for (size_t i = 0; i < COUNT(words); i++) {
		if (strcasecmp(s, words[i]) == 0) {
			*out = i >= COUNT(words) / 2;
			return 0;
		}
	}
	return -1;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

/* Suffixes where the unit is bytes or milliseconds. */
static bool
is_size(const struct broker_key *k)
{
	return strstr(k->name, "bytes") != NULL || ends_with(k->name, ".size") ||
	       strcmp(k->name, "disk.min.free") == 0;
}

static int
number_parse(const struct broker_key *k, const char *value, int64_t *out)
{
	if (text_int(value, k->min, k->max, out) == 0)
		return 0;
	if (ends_with(k->name, ".ms"))
		return text_duration_ms(value, k->min, k->max, out);
	if (is_size(k) && strcmp(k->name, "group.max.size") != 0)
		return text_size(value, k->min, k->max, out);
	return -1;
}

/* Kept as it is written; a size such as 10M in bytes. */
static int
real_parse(const struct broker_key *k, const char *value, char *out, size_t out_size)
{
	char *end;
	double real = strtod(value, &end);
	int64_t size;

	if (is_size(k) && text_size(value, 0, LONG, &size) == 0)
		return snprintf(out, out_size, "%lld", (long long)size) > 0 ? 0 : -1;
	if (end == value || *end != '\0' || !(real >= 0) || strlen(value) >= out_size)
		return -1;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

static int
key_check(const struct broker_key *k, const char *value, char *out, size_t out_size,
    struct err *err)
{
	int64_t number;
	bool yes;
	int len;

	switch (k->type) {
	case CONFIG_BOOL:
		if (bool_parse(value, &yes) == -1)
			return err_set(
			    err, ERR_CONFIG, "%s=%s: want true or false", k->name, value);
		len = snprintf(out, out_size, "%s", yes ? "true" : "false");
		break;
	case CONFIG_INT:
	case CONFIG_LONG:
		if (number_parse(k, value, &number) == -1)
			return err_set(err, ERR_CONFIG, "%s=%s: want a number from %lld to %lld%s",
			    k->name, value, (long long)k->min, (long long)k->max,
			    ends_with(k->name, ".ms") ? ", or a time such as 10s"
			    : is_size(k)              ? ", or one such as 64M"
			                              : "");
		len = snprintf(out, out_size, "%lld", (long long)number);
		break;
	case CONFIG_DOUBLE:
		if (real_parse(k, value, out, out_size) == -1)
			return err_set(
			    err, ERR_CONFIG, "%s=%s: want a number from 0 on", k->name, value);
		return 0;
	default:
		if (!words_ok(k, value))
			return err_set(
			    err, ERR_CONFIG, "%s=%s: want %s", k->name, value, k->values);
		len = snprintf(out, out_size, "%s", value);
		break;
	}
	if (len < 0 || (size_t)len >= out_size)
		return err_set(err, ERR_CONFIG, "%s: the value is too long", k->name);
	return 0;
}

/* It is told of under the name that was given. */
static int
topic_key_check(const struct topic_config *t, const char *name, const char *value, char *out,
    size_t out_size, struct err *err)
{
	size_t len = strlen(t->name);
	char why[ERR_TEXT_MAX];

	if (topic_config_check(t->name, value, out, out_size, err) == 0)
		return 0;
	snprintf(why, sizeof(why), "%s", err->text);
	return strncmp(why, t->name, len) == 0 ? err_set(err, err->code, "%s%s", name, why + len)
	                                       : err_prefix(err, "%s", name);
}

int
broker_key_check(
    const char *name, const char *value, char *out, size_t out_size, struct err *err)
{
	const struct broker_key *k = broker_key_find(name);
	const struct topic_config *t;
	int64_t unit, number;

	if (k != NULL)
		return key_check(k, value, out, out_size, err);
	if ((t = broker_topic_key(name, &unit)) == NULL)
		return err_set(err, ERR_CONFIG, "%s: no such key", name);
	if (unit == 1)
		return topic_key_check(t, name, value, out, out_size, err);
	if (text_int(value, -1, INT32_MAX, &number) == -1)
		return err_set(err, ERR_CONFIG, "%s=%s: want a number from -1 to %d", name, value,
		    INT32_MAX);
	snprintf(out, out_size, "%lld", (long long)number);
	return 0;
}
