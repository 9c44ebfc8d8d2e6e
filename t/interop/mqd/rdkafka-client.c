/*
 * rdkafka-client: a small program over librdkafka, as people write them.
 *
 *   rdkafka-client produce BROKER TOPIC COUNT [KEY=VALUE...]
 *	COUNT records into each partition, "PARTITION NUMBER"; 1 unless each was
 *	acknowledged, which is told by its delivery report
 *   rdkafka-client member BROKER TOPIC GROUP [KEY=VALUE...]
 *	a group's member: prints "assign P...", "revoke P...", "got P OFFSET VALUE",
 *	until TERM, which makes it commit and leave
 *
 * KEY=VALUE are librdkafka's settings.
 */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

static volatile sig_atomic_t stopped;
static long acknowledged;

static void
stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (message->err)
		errx(1, "not delivered: %s", rd_kafka_err2str(message->err));
	acknowledged++;
}

static void
print_partitions(const char *word, const rd_kafka_topic_partition_list_t *list)
{
	fputs(word, stdout);
	for (int i = 0; i < list->cnt; i++)
		printf(" %d", list->elems[i].partition);
	putchar('\n');
}

static void
rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	bool cooperative = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
	bool assign = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	(void)opaque;
	print_partitions(assign ? "assign" : "revoke", list);
	if (cooperative)
		rd_kafka_error_destroy(assign ? rd_kafka_incremental_assign(rk, list)
		                              : rd_kafka_incremental_unassign(rk, list));
	else
		rd_kafka_assign(rk, assign ? list : NULL);
}

static rd_kafka_conf_t *
settings(const char *broker, char **given)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	rd_kafka_conf_set(conf, "bootstrap.servers", broker, NULL, 0);
	for (; *given != NULL; given++) {
		char *value = strchr(*given, '=');

		if (value == NULL)
			errx(2, "%s: not KEY=VALUE", *given);
		*value++ = '\0';
		if (rd_kafka_conf_set(conf, *given, value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
			errx(2, "%s", text);
	}
	return conf;
}

static int
count_partitions(rd_kafka_t *rk, const char *topic)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	int count = 0;

	for (int tries = 0; count == 0 && tries < 100; tries++) {
		const struct rd_kafka_metadata *metadata;

		if (rd_kafka_metadata(rk, 0, rkt, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		count = metadata->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(metadata);
		rd_kafka_poll(rk, 50);
	}
	rd_kafka_topic_destroy(rkt);
	return count;
}

static void
produce_one(rd_kafka_t *rk, const char *topic, int partition, long number)
{
	char value[64];
	int size = snprintf(value, sizeof(value), "%d %ld", partition, number);

	while (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
	           RD_KAFKA_V_VALUE(value, (size_t)size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	           RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(rk, 100);
	rd_kafka_poll(rk, 0);
}

static int
produce(rd_kafka_conf_t *conf, const char *topic, long count)
{
	char text[512];
	rd_kafka_t *rk;
	int partitions;

	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL)
		errx(1, "%s", text);
	partitions = count_partitions(rk, topic);
	if (partitions == 0)
		errx(1, "%s: no partitions", topic);

	for (long i = 0; i < count; i++)
		for (int p = 0; p < partitions; p++)
			produce_one(rk, topic, p, i);
	rd_kafka_flush(rk, 60000);
	rd_kafka_destroy(rk);
	return acknowledged == count * partitions ? 0 : 1;
}

static int
member(rd_kafka_conf_t *conf, const char *topic, const char *group)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	char text[512];
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
	rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (rk == NULL)
		errx(1, "%s", text);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_subscribe(rk, list);
	rd_kafka_topic_partition_list_destroy(list);

	while (!stopped) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);

		if (message == NULL)
			continue;
		if (message->err)
			warnx("%s", rd_kafka_message_errstr(message));
		else
			printf("got %d %lld %.*s\n", message->partition, (long long)message->offset,
			    (int)message->len, (const char *)message->payload);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return 0;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf;

	if (argc < 5)
		errx(2, "usage: rdkafka-client produce|member BROKER TOPIC COUNT|GROUP [KEY=VALUE...]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, stop);
	conf = settings(argv[2], argv + 5);
	if (strcmp(argv[1], "produce") == 0)
		return produce(conf, argv[3], strtol(argv[4], NULL, 10));
	return member(conf, argv[3], argv[4]);
}
