/*
 * load: a librdkafka client as load, for benches of brokers.
 *
 *   load produce BROKER TOPIC COUNT SIZE [KEY=VALUE...]
 *   load consume BROKER TOPIC COUNT SIZE [KEY=VALUE...]
 *   load latency BROKER TOPIC COUNT SIZE RATE [KEY=VALUE...]
 *
 * BROKER "mock" is librdkafka's own, in this process, which writes nothing.
 * Record N is its number in 12 digits and x's. Prints one line: milliseconds from
 * the first record to the last acknowledgement, and for latency the time from a
 * record's send to its acknowledgement: p50 p99 p99.9 max, in microseconds.
 * (there the first record is another one, before). Ends with 1 unless every record was acknowledged, or came, once.
 */
#include <err.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

static long count, done_count;
static int64_t *spent_us;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (message->err)
		errx(1, "not delivered: %s", rd_kafka_err2str(message->err));
	if (spent_us != NULL)
		spent_us[done_count] = now_us() - (int64_t)(intptr_t)message->_private;
	done_count++;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
		errx(2, "%s", text);
}

static rd_kafka_t *
client(rd_kafka_type_t type, const char *broker, char **settings)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *rk;

	if (strcmp(broker, "mock") == 0)
		set(conf, "test.mock.num.brokers", "1");
	else
		set(conf, "bootstrap.servers", broker);
	set(conf, "log_level", "3");
	set(conf, "queue.buffering.max.messages", "1000000");
	set(conf, "queue.buffering.max.kbytes", "1048576");
	for (; *settings != NULL; settings++) {
		char *eq = strchr(*settings, '=');

		if (eq == NULL)
			errx(2, "%s: no '='", *settings);
		*eq = '\0';
		set(conf, *settings, eq + 1);
		*eq = '=';
	}
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rk = rd_kafka_new(type, conf, text, sizeof(text));
	if (rk == NULL)
		errx(1, "%s", text);
	return rk;
}

static void
send_one(rd_kafka_t *rk, const char *topic, long n, char *value, size_t size)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%012ld", n);
	memcpy(value, digits, 12);
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_VALUE(value, size),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_OPAQUE((void *)(intptr_t)now_us()), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			errx(1, "%s", rd_kafka_err2str(code));
		rd_kafka_poll(rk, 100);
	}
}

/* Connects, and has the topic made, so that what is timed is not that. */
static void
meet(rd_kafka_t *rk, const char *topic)
{
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *m;
	bool there = false;

	for (int tries = 0; !there; tries++) {
		if (tries == 1000 ||
		    rd_kafka_metadata(rk, 0, t, &m, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
			errx(1, "no metadata of %s", topic);
		there = m->topic_cnt == 1 && m->topics[0].err == 0 &&
		    m->topics[0].partition_cnt > 0 && m->topics[0].partitions[0].leader != -1;
		rd_kafka_metadata_destroy(m);
		if (!there)
			usleep(10000);
	}
	rd_kafka_topic_destroy(t);
}

static void
produce(const char *broker, const char *topic, size_t size, long rate, char **settings)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, broker, settings);
	char *value = malloc(size);
	int64_t begin;

	memset(value, 'x', size);
	meet(rk, topic);
	if (spent_us != NULL) {
		/* The topic is made, its leader known: with a record that is not counted. */
		send_one(rk, topic, 0, value, size);
		rd_kafka_flush(rk, 10000);
		done_count = 0;
	}
	begin = now_us();
	for (long n = 0; n < count; n++) {
		while (rate > 0 && now_us() < begin + n * 1000000 / rate)
			rd_kafka_poll(rk, 0);
		send_one(rk, topic, n, value, size);
		if (n % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	while (done_count < count)
		rd_kafka_poll(rk, 100);
	printf("%.1f", (double)(now_us() - begin) / 1000);
	rd_kafka_destroy(rk);
	free(value);
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void
consume(const char *broker, const char *topic, size_t size, char **settings)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, broker, settings);
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
	rd_kafka_message_t *batch[1000];
	int64_t begin = now_us();
	long n = 0;

	if (rd_kafka_consume_start_queue(t, 0, RD_KAFKA_OFFSET_BEGINNING, q) == -1)
		errx(1, "consume: %s", rd_kafka_err2str(rd_kafka_last_error()));
	while (n < count) {
		ssize_t got = rd_kafka_consume_batch_queue(q, 1000, batch, 1000);
		for (ssize_t i = 0; i < got; i++) {
			if (batch[i]->err == 0) {
				if (batch[i]->len != size || atol(batch[i]->payload) != n)
					errx(1, "record %ld is '%.12s' of %zu bytes", n,
					    (char *)batch[i]->payload, batch[i]->len);
				n++;
			}
			rd_kafka_message_destroy(batch[i]);
		}
	}
	printf("%.1f\n", (double)(now_us() - begin) / 1000);
	/* What is still in the queue may be much: no time for a tidy end. */
	fflush(stdout);
	_exit(0);
}

int
main(int argc, char **argv)
{
	bool latency = argc > 6 && strcmp(argv[1], "latency") == 0;

	if (argc < 6)
		errx(2, "usage: load produce|consume|latency BROKER TOPIC COUNT SIZE [RATE] [KEY=VALUE...]");
	count = atol(argv[4]);
	size_t size = (size_t)atol(argv[5]);
	if (latency)
		spent_us = calloc((size_t)count, sizeof(*spent_us));
	if (strcmp(argv[1], "consume") == 0)
		consume(argv[2], argv[3], size, argv + 6);
	produce(argv[2], argv[3], size, latency ? atol(argv[6]) : 0, argv + (latency ? 7 : 6));
	if (latency) {
		qsort(spent_us, (size_t)count, sizeof(*spent_us), by_size);
		printf(" %lld %lld %lld %lld", (long long)spent_us[count / 2],
		    (long long)spent_us[count * 99 / 100], (long long)spent_us[count * 999 / 1000],
		    (long long)spent_us[count - 1]);
	}
	putchar('\n');
	return 0;
}
