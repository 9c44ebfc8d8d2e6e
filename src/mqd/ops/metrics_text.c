/* The page of /metrics. */
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/net/conn.h"
#include "mqd/ops/metrics.h"
#include "mqd/replica/partition.h"

/* What stays free for the lines that come after those of partitions. */
#define TAIL_BYTES 4096

static void
heading(struct buf *out, const char *type, const char *name, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
one(struct buf *out, const char *type, const char *name, const char *help, int64_t value)
{
	heading(out, type, name, help);
	buf_printf(out, "%s %lld\n", name, (long long)value);
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

/* --- requests ----------------------------------------------------------------------- */

/* The next API of which requests came. */
static const struct api *
next_asked(const struct broker *b, const struct api *api, const struct api_stats **stats)
{
	while ((api = api_next(api)) != NULL)
		if (api->key < REQUEST_KEYS_MAX && (*stats = b->requests.of[api->key]) != NULL)
			return api;
	return NULL;
}

static void
errors_print(const struct api *api, const struct api_stats *s, const char *name, struct buf *out)
{
	for (int i = 0; s->errors != NULL && i < REQUEST_ERRORS_MAX; i++)
		if (s->errors[i] > 0)
			buf_printf(out, "%s{request=\"%s\",error=\"%s\"} %lld\n", name, api->name,
			    err_name(i - 1), (long long)s->errors[i]);
}

static void
times_print(const struct api *api, const struct api_stats *s, const char *name, struct buf *out)
{
	int64_t sum = 0;

	for (int i = 0; i < REQUEST_BUCKETS; i++)
		buf_printf(out, "%s_bucket{request=\"%s\",le=\"%g\"} %lld\n", name, api->name,
		    (double)request_bucket_us[i] / 1000, (long long)(sum += s->buckets[i]));
	buf_printf(out,
	    "%s_bucket{request=\"%s\",le=\"+Inf\"} %lld\n%s_sum{request=\"%s\"} %lld.%03d\n"
	    "%s_count{request=\"%s\"} %lld\n",
	    name, api->name, (long long)s->count, name, api->name, (long long)(s->sum_us / 1000),
	    (int)(s->sum_us % 1000), name, api->name, (long long)s->count);
}

static void
requests_print(const struct broker *b, struct buf *out)
{
	static const char errors[] = "kafka_network_requestmetrics_errors_total";
	static const char times[] = "kafka_network_requestmetrics_totaltimems";
	static const char requests[] = "kafka_network_requestmetrics_requests_total";
	const struct api_stats *s;

	heading(out, "counter", requests, "Requests that were answered.");
	for (const struct api *a = NULL; (a = next_asked(b, a, &s)) != NULL;)
		buf_printf(out, "%s{request=\"%s\"} %lld\n", requests, a->name, (long long)s->count);
	heading(out, "counter", errors, "Error codes in answers, one for each partition or the like.");
	for (const struct api *a = NULL; (a = next_asked(b, a, &s)) != NULL;)
		errors_print(a, s, errors, out);
	heading(out, "histogram", times, "Milliseconds from a request to its answer.");
	for (const struct api *a = NULL; (a = next_asked(b, a, &s)) != NULL;)
		times_print(a, s, times, out);
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
		heading(out, "gauge", w.name, per_partition[i].help);
		partitions_each(b->partitions, each_print, &w);
	}
	gauge(out, "mq_metrics_left_out", "Lines that did not fit here.", w.left_out);
}

void
metrics_print(struct broker *b, int64_t started_ms, struct buf *out)
{
	broker_print(b, started_ms, out);
	requests_print(b, out);
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
