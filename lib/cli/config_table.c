/* The names of properties: ours, and those of clients that we pass over. */
#include <string.h>
#include <strings.h>

#include "cli/config.h"

const struct property_spec property_specs[PROP_COUNT] = {
    [PROP_ACKS] = {"acks", "request.required.acks", PROPERTY_TEXT, 0, 0, "all|-1|1|0", "all",
        "wait until records are synced (all), written (1), or not at all (0)"},
    [PROP_AUTO_CREATE_TOPICS] = {"auto.create.topics.enable", "allow.auto.create.topics",
        PROPERTY_BOOL, 0, 1, NULL, "true", "producing creates a missing topic"},
    [PROP_AUTO_OFFSET_RESET] = {"auto.offset.reset", NULL, PROPERTY_TEXT, 0, 0,
        "earliest|beginning|smallest|latest|end|largest|none|error", "earliest",
        "where a group without committed offset begins"},
    [PROP_BATCH_RECORDS] = {"batch.num.messages", NULL, PROPERTY_INT, 1, 1000000, NULL, "",
        "most records of a batch"},
    [PROP_BATCH_BYTES] = {"batch.size", NULL, PROPERTY_SIZE, 1, 100 << 20, NULL, "",
        "bytes of a batch"},
    [PROP_BROKERS] = {"bootstrap.servers", "metadata.broker.list", PROPERTY_TEXT, 0, 0, NULL, "",
        "brokers to connect to"},
    [PROP_CLIENT_ID] = {"client.id", NULL, PROPERTY_TEXT, 0, 0, NULL, "mq",
        "name of this client in a group"},
    [PROP_COMPRESSION_LEVEL] = {"compression.level", NULL, PROPERTY_INT, INT32_MIN, INT32_MAX,
        NULL, "", "compression level of the codec"},
    [PROP_COMPRESSION_TYPE] = {"compression.type", "compression.codec", PROPERTY_TEXT, 0, 0,
        "none|gzip|snappy|lz4|zstd", "none", "codec of batches"},
    [PROP_ISOLATION] = {"isolation.level", NULL, PROPERTY_TEXT, 0, 0,
        "read_committed|read_uncommitted", "read_committed", "which transactions are read"},
    [PROP_LINGER_MS] = {"linger.ms", "queue.buffering.max.ms", PROPERTY_MS, 0, 900000, NULL, "",
        "longest wait of a record for its batch (else until input pauses)"},
    [PROP_LOG_DIRS] = {"log.dirs", "log.dir", PROPERTY_TEXT, 0, 0, NULL, "",
        "store directory (-d)"},
    [PROP_MESSAGE_BYTES_MAX] = {"message.max.bytes", "max.request.size", PROPERTY_SIZE, 1000,
        100 << 20, NULL, "1048588", "largest record of the input, in bytes"},
    [PROP_ASSIGNORS] = {"partition.assignment.strategy", NULL, PROPERTY_TEXT, 0, 0, NULL,
        "range,cooperative-sticky", "how a group of a broker shares partitions, best first"},
    [PROP_PARTITIONER] = {"partitioner", "partitioner.class", PROPERTY_TEXT, 0, 0,
        "murmur2|murmur2_random|crc32|consistent|consistent_random|fnv1a|fnv1a_random|rr|random",
        "murmur2", "how keys are placed in partitions"},
    [PROP_PROFILE] = {"profile", NULL, PROPERTY_TEXT, 0, 0, NULL, "",
        "section [profile NAME] of the file to take"},
    [PROP_SESSION_TIMEOUT] = {"session.timeout.ms", NULL, PROPERTY_MS, 1, INT32_MAX, NULL, "45000",
        "how soon a broker takes a silent member's partitions"},
};

/* What begins like this belongs to a network client. */
static const char *const foreign_prefixes[] = {"ssl.", "sasl.", "socket.", "security.",
    "reconnect.", "retry.", "metadata.", "metrics.", "metric.", "topic.metadata.", "api.version.",
    "broker.", "oauthbearer", "offset.store.", "queued.", "queue.buffering.", "interceptor.",
    "key.", "value.", "test.mock.", "transaction.", "transactional.", "schema.registry.",
    "connections.", "heartbeat.", "request.", "fetch.", "group."};

static const char foreign_names[] =
    " allow.auto.create.topics auto.commit.enable auto.commit.interval.ms auto.include.jmx.reporter"
    " buffer.memory builtin.features check.crcs client.dns.lookup client.rack"
    " compression.gzip.level compression.lz4.level compression.zstd.level config.providers"
    " consume.callback.max.messages coordinator.query.interval.ms debug default.api.timeout.ms"
    " delivery.report.only.error delivery.timeout.ms enable.auto.commit enable.auto.offset.store"
    " enable.gapless.guarantee enable.idempotence enable.metrics.push enable.partition.eof"
    " enable.random.seed enable.sasl.oauthbearer.unsecure.jwt enable.ssl.certificate.verification"
    " exclude.internal.topics interceptor.classes internal.termination.signal log.connection.close"
    " log.queue log.thread.name log_level max.block.ms max.in.flight"
    " max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms"
    " max.poll.records message.copy.max.bytes message.send.max.retries message.timeout.ms"
    " msg_order_cmp partitioner.adaptive.partitioning.enable"
    " partitioner.availability.timeout.ms partitioner.ignore.keys plugin.library.paths"
    " produce.offset.report queuing.strategy receive.buffer.bytes receive.message.max.bytes"
    " retries send.buffer.bytes statistics.interval.ms sticky.partitioning.linger.ms"
    " topic.blacklist ";

bool
property_is_foreign(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(foreign_prefixes) / sizeof(foreign_prefixes[0]); i++)
		if (strncmp(name, foreign_prefixes[i], strlen(foreign_prefixes[i])) == 0)
			return true;
	for (const char *at = foreign_names; len > 0 && (at = strstr(at, name)) != NULL; at++)
		if (at > foreign_names && at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}
