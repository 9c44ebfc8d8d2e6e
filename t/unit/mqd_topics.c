/* Metadata, CreateTopics, DeleteTopics, CreatePartitions and their kin, as clients see
 * them. What Apache Kafka answers in each case: t/interop/oracle_cases/topics.py. */
#include "mqd/groups/home.h"
#include "mqd_broker_test.h"

#define METADATA 3
#define CREATE_TOPICS 19
#define DELETE_TOPICS 20
#define CREATE_PARTITIONS 37
#define ELECT_LEADERS 43
#define DESCRIBE_CLUSTER 60
#define DESCRIBE_TOPIC_PARTITIONS 75

/* --- requests ---------------------------------------------------------------------- */

static const struct create_topics_response *
create(struct client *c, const struct create_topics_request_topic *topics, int32_t count,
    bool validate_only)
{
	struct create_topics_request r;

	wire_init(&wire_create_topics_request, &r);
	r.topics.items = (struct create_topics_request_topic *)(uintptr_t)topics;
	r.topics.count = count;
	r.validate_only = validate_only;
	return client_ask(c, CREATE_TOPICS, 7, &r);
}

static struct create_topics_request_topic
topic(const char *name, int32_t partitions)
{
	return (struct create_topics_request_topic){
	    .name = wire_str_of(name), .num_partitions = partitions, .replication_factor = -1};
}

static const struct metadata_response *
metadata(struct client *c, const char *name, bool make)
{
	struct metadata_request_topic t = {.name = wire_str_of(name)};
	struct metadata_request r;

	wire_init(&wire_metadata_request, &r);
	r.topics.items = &t;
	r.topics.count = name != NULL ? 1 : -1;
	r.allow_auto_topic_creation = make;
	return client_ask(c, METADATA, 12, &r);
}

static bool
is_text(struct wire_str s, const char *text)
{
	return s.len == (int32_t)strlen(text) && memcmp(s.data, text, strlen(text)) == 0;
}

/* --- tests --------------------------------------------------------------------------- */

static void
test_metadata(struct world *w, struct client *c)
{
	const struct metadata_response *m;
	struct uuid id;

	make_topic(w, "there", 2);
	m = metadata(c, "there", false);
	ok(m != NULL && m->brokers.count == 1 && m->brokers.items[0].node_id == 1 &&
	       is_text(m->brokers.items[0].host, "127.0.0.1") && m->brokers.items[0].port == 9092,
	    "a broker is where the client came in");
	is_int(m->controller_id, 1, "and the controller");
	ok(m->topics.count == 1 && m->topics.items[0].error_code == 0 &&
	       m->topics.items[0].partitions.count == 2 &&
	       m->topics.items[0].partitions.items[1].leader_id == 1,
	    "a topic has partitions, and they a leader");
	is_int(m->topics.items[0].topic_authorized_operations, INT32_MIN, "nobody asked who may what");
	id = m->topics.items[0].topic_id;
	m = metadata(c, "soon", true);
	is_int(m->topics.items[0].error_code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "an unknown topic is not "
	    "there");
	ok(uuid_equal(&m->topics.items[0].topic_id, &uuid_zero), "and has no id");
	while (os_turn(w->os, 0) > 0)
		;
	is_int(metadata(c, "soon", false)->topics.items[0].error_code, 0, "but soon");
	is_int(metadata(c, "not so", true)->topics.items[0].error_code, ERR_INVALID_TOPIC_EXCEPTION,
	    "one with a bad name never");
	metadata(c, "__cluster_metadata", true);
	while (os_turn(w->os, 0) > 0)
		;
	is_int(metadata(c, "__cluster_metadata", false)->topics.items[0].error_code,
	    ERR_UNKNOWN_TOPIC_OR_PARTITION, "nor a topic where the metadata log lies");
	m = metadata(c, NULL, false);
	is_int(m->topics.count, 2, "all topics are those two");
	ok(!uuid_equal(&id, &uuid_zero), "each with an id");
	make_topic(w, "there", 0);
	is_int(metadata(c, "there", false)->topics.items[0].error_code,
	    ERR_UNKNOWN_TOPIC_OR_PARTITION, "a deleted one is gone");
	make_topic(w, "soon", 0);
}

static void
test_create(struct client *c)
{
	const struct create_topics_request_topic two[] = {topic("a", 2), topic("b", -1)};
	const struct create_topics_request_topic mixed[] = {
	    topic("c", 1), topic("x", 1), topic("a", 1), topic("x", 1), topic("__cluster_metadata", 1)};
	const struct create_topics_request_topic many = topic("many", 10001);
	const struct create_topics_request_topic less[] = {topic("less", -2000000000),
	    topic("many", 2000000000)};
	const struct create_topics_response *r = create(c, two, 2, false);

	ok(r != NULL && r->topics.count == 2 && r->topics.items[0].error_code == 0 &&
	       r->topics.items[0].num_partitions == 2 && r->topics.items[1].num_partitions == 1 &&
	       r->topics.items[1].replication_factor == 1,
	    "two topics are made");
	is_int(r->topics.items[0].configs.count, 33, "whose configurations are told");
	is_int(metadata(c, "a", false)->topics.items[0].partitions.count, 2, "and they are there");
	r = create(c, mixed, 5, true);
	is_int(r->topics.count, 4, "what comes twice is told of once");
	ok(is_text(r->topics.items[0].name, "c") && r->topics.items[0].error_code == 0,
	    "first what could be made");
	ok(r->topics.items[1].error_code == ERR_TOPIC_ALREADY_EXISTS &&
	       is_text(r->topics.items[1].error_message, "Topic 'a' already exists."),
	    "or is there");
	ok(is_text(r->topics.items[2].name, "x") &&
	       is_text(r->topics.items[2].error_message, "Duplicate topic name."),
	    "then what came twice");
	is_int(r->topics.items[3].error_code, ERR_INVALID_REQUEST, "then the metadata log");
	is_int(metadata(c, "c", false)->topics.items[0].error_code, ERR_UNKNOWN_TOPIC_OR_PARTITION,
	    "it was only looked at");
	r = create(c, &many, 1, false);
	is_int(r->topics.items[0].error_code, ERR_POLICY_VIOLATION, "ten thousand partitions are too "
	    "many at once");
	r = create(c, less, 2, false);
	ok(is_text(r->topics.items[1].error_message,
	       "Excessively large number of partitions per request."), "also beside "
	    "a topic that wants fewer than none");
}

static const struct create_topics_response_topic *
with_config(struct client *c, const char *name, const char *value)
{
	struct create_topics_request_config config = {
	    .name = wire_str_of(name), .value = wire_str_of(value)};
	struct create_topics_request_topic t = topic("configured", 1);

	t.configs.items = &config;
	t.configs.count = 1;
	return &create(c, &t, 1, true)->topics.items[0];
}

static void
test_configs(struct client *c)
{
	const struct create_topics_response_topic *t = with_config(c, "retention.ms", " 5 ");
	int given = 0;

	is_int(t->error_code, 0, "a configuration is taken");
	for (int32_t i = 0; i < t->configs.count; i++)
		if (is_text(t->configs.items[i].name, "retention.ms"))
			given = is_text(t->configs.items[i].value, " 5 ") &&
			        t->configs.items[i].config_source == 1;
	ok(given, "as the topic's own, told as it was written");
	t = with_config(c, "retention.ms", "7d");
	ok(t->error_code == ERR_INVALID_CONFIG &&
	       is_text(t->error_message,
	           "Invalid value 7d for configuration retention.ms: Not a number of type LONG"),
	    "a value that is none is refused, in Kafka's words");
	t = with_config(c, "retention.mx", "1");
	ok(is_text(t->error_message, "Unknown topic config name: retention.mx"), "so is a name");
	t = with_config(c, "retention.ms", NULL);
	ok(is_text(t->error_message, "Null value not supported for topic configs: retention.ms"),
	    "and no value at all");
	ok(t->topic_config_error_code == 0 && t->configs.count == 0 && t->num_partitions == -1,
	    "then nothing else is told");
}

static const struct create_partitions_response_topic *
grow(struct client *c, const char *name, int32_t count)
{
	struct create_partitions_request_topic t = {.name = wire_str_of(name), .count = count};
	struct create_partitions_request r;

	t.assignments.count = -1;
	wire_init(&wire_create_partitions_request, &r);
	r.topics.items = &t;
	r.topics.count = 1;
	r.timeout_ms = 1000;
	return &((const struct create_partitions_response *)client_ask(c, CREATE_PARTITIONS, 3, &r))
	            ->results.items[0];
}

static void
test_partitions(struct client *c)
{
	const struct create_partitions_response_topic *t = grow(c, "a", 4);

	is_int(t->error_code, 0, "a topic grows");
	is_int(metadata(c, "a", false)->topics.items[0].partitions.count, 4, "to so many");
	t = grow(c, "a", 3);
	ok(t->error_code == ERR_INVALID_PARTITIONS &&
	       is_text(t->error_message,
	           "The topic a currently has 4 partition(s); 3 would not be an increase."),
	    "and never shrinks");
	t = grow(c, "nope", 3);
	ok(t->error_code == ERR_UNKNOWN_TOPIC_OR_PARTITION && t->error_message.len == -1,
	    "one that is not there does not");
}

static const struct delete_topics_response *
delete(struct client *c, const struct delete_topics_request_topic *topics, int32_t count)
{
	struct delete_topics_request r;

	wire_init(&wire_delete_topics_request, &r);
	r.topics.items = (struct delete_topics_request_topic *)(uintptr_t)topics;
	r.topics.count = count;
	r.timeout_ms = 1000;
	return client_ask(c, DELETE_TOPICS, 6, &r);
}

static void
test_delete(struct client *c)
{
	struct uuid a = metadata(c, "a", false)->topics.items[0].topic_id;
	struct uuid b = metadata(c, "b", false)->topics.items[0].topic_id;
	const struct delete_topics_request_topic bad[] = {
	    {.name = wire_str_null(), .topic_id = a},
	    {.name = wire_str_of("a")},
	    {.name = wire_str_of("b"), .topic_id = b},
	    {.name = wire_str_of("nope")},
	    {.name = wire_str_of("twice")},
	    {.name = wire_str_of("twice")},
	    {.name = wire_str_null()}};
	const struct delete_topics_request_topic good[] = {
	    {.name = wire_str_null(), .topic_id = a}, {.name = wire_str_of("b")}};
	const struct delete_topics_response *r = delete(c, bad, 7);

	is_int(r->responses.count, 5, "what is said twice is told of once");
	is_int(metadata(c, "a", false)->topics.items[0].error_code, 0, "a topic that is named both ways "
	    "stays");
	ok(is_text(r->responses.items[0].error_message,
	       "The provided topic name maps to an ID that was already supplied."), "which is told");
	ok(is_text(r->responses.items[1].error_message,
	       "You may not specify both topic name and topic id."), "as is both at once");
	is_int(r->responses.items[2].error_code, ERR_UNKNOWN_TOPIC_OR_PARTITION, "and a name that none "
	    "has");
	ok(is_text(r->responses.items[4].error_message, "Neither topic name nor id were specified."),
	    "and none at all");
	r = delete(c, good, 2);
	ok(r->responses.count == 2 && r->responses.items[0].error_code == 0 &&
	       is_text(r->responses.items[0].name, "a") && r->responses.items[1].error_code == 0 &&
	       uuid_equal(&r->responses.items[1].topic_id, &b),
	    "by id and by name topics go");
	is_int(metadata(c, NULL, false)->topics.count, 0, "and are gone");
}

static void
test_pages(struct world *w, struct client *c)
{
	struct describe_topic_partitions_request_topic_request names[] = {
	    {.name = wire_str_of("q")}, {.name = wire_str_of("p")}};
	struct describe_topic_partitions_request r;
	const struct describe_topic_partitions_response *d;

	make_topic(w, "p", 3);
	make_topic(w, "q", 2);
	wire_init(&wire_describe_topic_partitions_request, &r);
	r.topics.items = names;
	r.topics.count = 2;
	r.response_partition_limit = 2;
	d = client_ask(c, DESCRIBE_TOPIC_PARTITIONS, 0, &r);
	ok(d->topics.count == 1 && d->topics.items[0].partitions.count == 2 &&
	       !d->next_cursor_is_null && is_text(d->next_cursor.topic_name, "p") &&
	       d->next_cursor.partition_index == 2,
	    "a page ends within a topic");
	r.cursor_is_null = false;
	r.cursor.topic_name = wire_str_of("p");
	r.cursor.partition_index = 2;
	r.response_partition_limit = 10;
	d = client_ask(c, DESCRIBE_TOPIC_PARTITIONS, 0, &r);
	ok(d->topics.count == 2 && d->topics.items[0].partitions.count == 1 &&
	       d->topics.items[0].partitions.items[0].partition_index == 2 &&
	       d->topics.items[1].partitions.count == 2 && d->next_cursor_is_null,
	    "and the next begins there");
	r.cursor.topic_name = wire_str_of("elsewhere");
	d = client_ask(c, DESCRIBE_TOPIC_PARTITIONS, 0, &r);
	is_int(d->topics.items[0].error_code, ERR_INVALID_REQUEST, "but nowhere else");
}

static void
test_cluster(struct client *c)
{
	struct describe_cluster_request q;
	struct elect_leaders_request_topic t = {.topic = wire_str_of("p")};
	int32_t partitions[] = {0, 9};
	struct elect_leaders_request e;
	const struct describe_cluster_response *d;
	const struct elect_leaders_response *l;

	wire_init(&wire_describe_cluster_request, &q);
	q.include_cluster_authorized_operations = true;
	d = client_ask(c, DESCRIBE_CLUSTER, 2, &q);
	ok(d->error_code == 0 && d->brokers.count == 1 && d->controller_id == 1 &&
	       d->cluster_id.len == 22 && d->cluster_authorized_operations == 8096,
	    "a cluster is described");
	q.endpoint_type = 2;
	d = client_ask(c, DESCRIBE_CLUSTER, 2, &q);
	is_int(d->error_code, ERR_MISMATCHED_ENDPOINT_TYPE, "not to who wants controllers");
	t.partitions = (struct wire_int32s){partitions, 2};
	wire_init(&wire_elect_leaders_request, &e);
	e.topic_partitions.items = &t;
	e.topic_partitions.count = 1;
	l = client_ask(c, ELECT_LEADERS, 2, &e);
	ok(l->replica_election_results.items[0].partition_result.items[0].error_code ==
	            ERR_ELECTION_NOT_NEEDED &&
	       l->replica_election_results.items[0].partition_result.items[1].error_code ==
	           ERR_UNKNOWN_TOPIC_OR_PARTITION,
	    "no leader needs to be elected");
}

/* Ten thousand partitions, told to somebody who asks with a few bytes. */
static void
test_many(struct client *c)
{
	struct create_topics_request_topic t[] = {topic("m1", 5000), topic("m2", 4998)};
	const struct metadata_response *m;

	is_int(create(c, t, 2, false)->topics.items[1].error_code, 0, "many partitions are made");
	m = metadata(c, NULL, false);
	ok(m != NULL && m->topics.count == 4, "and told of");
}

/* Nobody waits for a topic that is made on the way, so a stop may come before it is. */
static void
test_stop(void)
{
	int ended = 0;

	for (int drawn = 0; drawn < 100; drawn++) {
		struct world w;
		bool stopped = false;
		uint8_t chance;

		world_begin(&w, 2, NULL);
		for (int i = 0; i < drawn; i++) /* what comes first is another each time */
			os_random(w.os, &chance, 1);
		home_make_topic(w.broker);
		broker_stop(w.broker, world_stopped, &stopped);
		while (!stopped && os_turn(w.os, 1000) > 0)
			;
		ended += stopped;
		broker_free(w.broker);
		while (os_turn(w.os, 0) > 0)
			;
		os_free(w.os);
		world_end(&w);
	}
	is_int(ended, 100, "a topic that is made as the broker stops does not hold it up");
}

int
main(void)
{
	struct world w;
	struct client *c;

	if (!world_begin(&w, 1, NULL))
		return 1;
	c = client_new(w.os, BROKER_ADDRESS);
	test_metadata(&w, c);
	test_create(c);
	test_configs(c);
	test_partitions(c);
	test_delete(c);
	test_pages(&w, c);
	test_cluster(c);
	test_many(c);
	client_free(c);
	world_stop(&w);
	world_end(&w);
	test_stop();
	return tap_done();
}
