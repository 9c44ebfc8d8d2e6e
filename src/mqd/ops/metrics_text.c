/* The page of /metrics. */
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/net/conn.h"
#include "mqd/ops/metrics.h"
#include "mqd/replica/partition.h"

/* What stays free for the lines that come after those of partitions. */
#define TAIL_BYTES 4096

static void
one(struct buf *out, const char *type, const char *name, const char *help, int64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help, name, type, name,
	    (long long)value);
}

static void
gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
	one(out, "gauge", name, help, value);
}

static void
counter(struct buf *out, const char *name, const char *help, int64_t value)
{
	one(out, "counter", name, help, value);
}

/* --- the whole broker ----------------------------------------------------------------- */

static void
broker_print(struct broker *b, int64_t started_ms, struct buf *out)
{
	struct net_stats net = net_stats(b->net);
	const struct broker_stats *s = &b->stats;

	gauge(out, "process_start_time_seconds", "When this broker started.", started_ms / 1000);
	counter(out, "kafka_server_brokertopicmetrics_messagesin_total", "Records appended.",
	    s->records_in);
	counter(out, "kafka_server_brokertopicmetrics_bytesin_total", "Bytes of batches appended.",
	    s->bytes_in);
	counter(out, "kafka_server_brokertopicmetrics_bytesout_total", "Bytes of batches fetched.",
	    s->bytes_out);
	counter(out, "kafka_server_brokertopicmetrics_failedproducerequests_total",
	    "Partitions of Produce requests that were refused.", s->produce_failed);
	counter(out, "kafka_network_requestmetrics_requests_total", "Requests of all kinds.",
	    net.requests);
	gauge(out, "kafka_server_socketservermetrics_connection_count", "Connections that are open.",
	    (int64_t)net.connections);
	counter(out, "kafka_server_socketservermetrics_incoming_byte_total", "Bytes received.",
	    net.bytes_in);
	counter(out, "kafka_server_socketservermetrics_outgoing_byte_total", "Bytes sent.",
	    net.bytes_out);
	counter(out, "kafka_network_acceptor_acceptorblocked_total",
	    "Connections turned away by max.connections.", net.refused);
	gauge(out, "kafka_network_requestchannel_requestqueuesize", "Requests under way.",
	    (int64_t)net.under_way);
	gauge(out, "mq_queued_request_bytes", "Memory of requests (queued.max.request.bytes).",
	    net.queued_bytes);
}

static void
metadata_print(struct broker *b, struct buf *out)
{
	const struct image *im = cluster_image(b->cluster);

	gauge(out, "kafka_controller_kafkacontroller_activecontrollercount",
	    "1: this node is the active controller.", 1);
	gauge(out, "kafka_controller_kafkacontroller_globaltopiccount", "Topics.",
	    (int64_t)im->topics.count);
	gauge(out, "kafka_controller_kafkacontroller_globalpartitioncount", "Partitions.",
	    im->partition_count);
	gauge(out, "kafka_server_raftmetrics_currentepoch", "Epoch of the metadata log.",
	    cluster_epoch(b->cluster));
	gauge(out, "kafka_server_raftmetrics_logendoffset", "End of the metadata log.",
	    im->end_offset);
}

/* --- partitions ------------------------------------------------------------------------- */

struct walk {
	struct buf *out;
	const char *name;
	int64_t (*value)(const struct partition *p);
	int64_t count, leaders, offline, left_out;
};

static int
each_count(void *ctx, struct partition *p)
{
	struct walk *w = ctx;

	w->count++;
	w->leaders += p->leader != -1;
	w->offline += p->leader == -1 || (p->log != NULL && p->log->failed);
	return 0;
}

/* Of a log that nobody has used yet nothing is known. */
static int
each_print(void *ctx, struct partition *p)
{
	struct walk *w = ctx;

	if (p->log == NULL || !p->log->loaded)
		return 0;
	if (w->out->len > METRICS_ANSWER_MAX - TAIL_BYTES) {
		w->left_out++;
		return 0;
	}
	buf_printf(w->out, "%s{topic=\"%s\",partition=\"%d\"} %lld\n", w->name, p->topic, p->number,
	    (long long)w->value(p));
	return 0;
}

static int64_t
value_size(const struct partition *p)
{
	return p->log->bytes;
}

static int64_t
value_start(const struct partition *p)
{
	return p->log->start_offset;
}

static int64_t
value_end(const struct partition *p)
{
	return p->log->end_offset;
}

static int64_t
value_high_watermark(const struct partition *p)
{
	return p->high_watermark;
}

static const struct {
	const char *name, *help;
	int64_t (*value)(const struct partition *p);
} per_partition[] = {
    {"kafka_log_log_size", "Bytes of a partition's log.", value_size},
    {"kafka_log_log_logstartoffset", "First offset of a partition's log.", value_start},
    {"kafka_log_log_logendoffset", "Next offset of a partition's log.", value_end},
    {"kafka_cluster_partition_highwatermark", "Up to where a partition is committed.",
        value_high_watermark},
};

static void
partitions_print(struct broker *b, struct buf *out)
{
	struct walk w = {.out = out};

	partitions_each(b->partitions, each_count, &w);
	gauge(out, "kafka_server_replicamanager_partitioncount", "Partitions here.", w.count);
	gauge(out, "kafka_server_replicamanager_leadercount", "Partitions led here.", w.leaders);
	gauge(out, "kafka_server_replicamanager_offlinereplicacount",
	    "Partitions without leader, or whose log has failed.", w.offline);
	for (size_t i = 0; i < sizeof(per_partition) / sizeof(per_partition[0]); i++) {
		w.name = per_partition[i].name;
		w.value = per_partition[i].value;
		buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", w.name, per_partition[i].help, w.name);
		partitions_each(b->partitions, each_print, &w);
	}
	gauge(out, "mq_metrics_left_out", "Lines that did not fit here.", w.left_out);
}

void
metrics_print(struct broker *b, int64_t started_ms, struct buf *out)
{
	broker_print(b, started_ms, out);
	metadata_print(b, out);
	partitions_print(b, out);
}

const char *
metrics_unready(struct broker *b)
{
	if (b->stopped != NULL)
		return "stopping";
	return b->failed ? "the data directory has failed" : NULL;
}
