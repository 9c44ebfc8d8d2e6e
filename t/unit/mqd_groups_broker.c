/* Groups of a whole broker: found, joined, committed to, over a simulated network and
 * across crashes. */
#include "mqd_broker_test.h"

static const char *const quick[] = {"group.initial.rebalance.delay.ms=0", NULL};

static const struct find_coordinator_response *
find(struct client *c, int version)
{
	static struct wire_str key;
	struct find_coordinator_request in;

	key = wire_str_of("g");
	wire_init(&wire_find_coordinator_request, &in);
	if (version < 4) {
		in.key = key;
	} else {
		in.coordinator_keys.items = &key;
		in.coordinator_keys.count = 1;
	}
	return client_ask(c, 10, version, &in);
}

/* Asks until there is a coordinator, as clients do. */
static bool
find_well(struct world *w, struct client *c)
{
	for (int i = 0; i < 100; i++) {
		const struct find_coordinator_response *out = find(c, 4);

		if (out == NULL)
			return false;
		if (out->coordinators.items[0].error_code == 0)
			return true;
		os_turn(w->os, 10);
	}
	return false;
}

static int
commit(struct client *c, int version, const char *topic, const struct uuid *id, int32_t partition,
    int64_t offset)
{
	struct offset_commit_request in;
	struct offset_commit_request_topic t = {.name = wire_str_of(topic)};
	struct offset_commit_request_partition p = {.partition_index = partition,
	    .committed_offset = offset,
	    .committed_leader_epoch = -1,
	    .committed_metadata = wire_str_of("")};
	const struct offset_commit_response *out;

	wire_init(&wire_offset_commit_request, &in);
	in.group_id = wire_str_of("g");
	if (id != NULL) {
		t.topic_id = *id;
		t.name = wire_str_of("");
	}
	t.partitions.items = &p;
	t.partitions.count = 1;
	in.topics.items = &t;
	in.topics.count = 1;
	for (int i = 0; i < 200; i++) {
		out = client_ask(c, 8, version, &in);
		if (out == NULL || out->topics.count != 1)
			return -1000;
		if (out->topics.items[0].partitions.items[0].error_code !=
		    ERR_COORDINATOR_LOAD_IN_PROGRESS)
			break;
	}
	return out->topics.items[0].partitions.items[0].error_code;
}

/* The committed offset; below -1000: an error. */
static int64_t
committed(struct client *c, int version, const struct uuid *id, int32_t partition)
{
	struct offset_fetch_request in;
	struct offset_fetch_request_topic old = {.name = wire_str_of("t")};
	struct offset_fetch_request_group_topic t = {.name = wire_str_of("t")};
	struct offset_fetch_request_group g = {.group_id = wire_str_of("g"), .member_epoch = -1};
	const struct offset_fetch_response *out = NULL;

	wire_init(&wire_offset_fetch_request, &in);
	g.member_id = wire_str_null();
	t.partition_indexes.items = old.partition_indexes.items = &partition;
	t.partition_indexes.count = old.partition_indexes.count = 1;
	if (version >= 10) {
		t.topic_id = *id;
		t.name = wire_str_of("");
	}
	if (version < 8) {
		in.group_id = wire_str_of("g");
		in.topics.items = &old;
		in.topics.count = 1;
	} else {
		g.topics.items = &t;
		g.topics.count = 1;
		in.groups.items = &g;
		in.groups.count = 1;
	}
	for (int i = 0; i < 200; i++) {
		out = client_ask(c, 9, version, &in);
		if (out == NULL)
			return -1000;
		if (version < 8 || out->groups.items[0].error_code != ERR_COORDINATOR_LOAD_IN_PROGRESS)
			break;
	}
	if (version < 8 && (out->error_code != 0 || out->topics.count != 1))
		return -2000 - out->error_code;
	if (version >= 8 && (out->groups.items[0].error_code != 0 ||
	                        out->groups.items[0].topics.count != 1))
		return -2000 - out->groups.items[0].error_code;
	if (version < 8)
		return out->topics.items[0].partitions.items[0].committed_offset;
	if (out->groups.items[0].topics.items[0].partitions.items[0].error_code != 0)
		return -3000 - out->groups.items[0].topics.items[0].partitions.items[0].error_code;
	return out->groups.items[0].topics.items[0].partitions.items[0].committed_offset;
}

static struct uuid
id_of(struct world *w, const char *topic)
{
	const struct image_topic *t = image_topic(cluster_image(w->broker->cluster), topic);

	return t != NULL ? t->id : uuid_zero;
}

static void
test_find(void)
{
	const struct find_coordinator_response *out;
	const struct image_topic *t;
	struct world w;
	struct client *c;

	world_begin(&w, 1, quick);
	c = client_new(w.os, BROKER_ADDRESS);
	out = find(c, 1);
	ok(out != NULL && out->error_code == ERR_COORDINATOR_NOT_AVAILABLE && out->node_id == -1,
	    "at first there is no coordinator");
	ok(find_well(&w, c), "soon there is");
	out = find(c, 1);
	ok(out != NULL && out->error_code == 0 && out->port == 9092 && out->error_message.len == 4,
	    "it is this broker");
	t = image_topic(cluster_image(w.broker->cluster), "__consumer_offsets");
	is_int(t->partition_count, 50, "the offsets topic has 50 partitions");
	ok(strcmp(image_config(cluster_image(w.broker->cluster), 2, "__consumer_offsets",
	              "cleanup.policy"),
	       "compact") == 0,
	    "and is compacted");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

static void
test_offsets(void)
{
	struct uuid id, none = {{9}};
	struct world w;
	struct client *c;

	world_begin(&w, 2, quick);
	make_topic(&w, "t", 2);
	c = client_new(w.os, BROKER_ADDRESS);
	is_int(commit(c, 8, "t", NULL, 0, 1), ERR_NOT_COORDINATOR,
	    "before anybody has looked for it there is no coordinator");
	find_well(&w, c);
	id = id_of(&w, "t");
	is_int(commit(c, 2, "t", NULL, 0, 1), 0, "a commit of version 2");
	is_int(commit(c, 10, "t", &id, 1, 7), 0, "and of 10, by the topic's id");
	is_int(commit(c, 9, "u", NULL, 0, 1), ERR_UNKNOWN_TOPIC_OR_PARTITION, "of no topic");
	is_int(commit(c, 9, "t", NULL, 2, 1), ERR_UNKNOWN_TOPIC_OR_PARTITION, "of no partition");
	is_int(commit(c, 10, "t", &none, 1, 7), ERR_UNKNOWN_TOPIC_ID, "of no id");
	is_int(committed(c, 1, NULL, 0), 1, "told in version 1");
	is_int(committed(c, 7, NULL, 1), 7, "in 7");
	is_int(committed(c, 8, NULL, 1), 7, "in 8");
	is_int(committed(c, 10, &id, 1), 7, "in 10");
	is_int(committed(c, 10, &none, 1), -3000 - ERR_UNKNOWN_TOPIC_ID, "no id, no offset");
	make_topic(&w, "t", 0);
	make_topic(&w, "t", 2);
	is_int(committed(c, 8, NULL, 1), -1, "a topic that is made again has none");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

/* A whole membership: join, sync, commit; crashes between. */
static void
test_crash(void)
{
	struct world w;
	struct client *c;
	int64_t last = 0;

	world_begin(&w, 3, quick);
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	find_well(&w, c);
	produce_one(c, "t", 0, -1, 40, "x");
	for (int round = 0; round < 8; round++) {
		int64_t now;

		for (int i = 0; i < 5; i++)
			if (commit(c, 9, "t", NULL, 0, last + 1) == 0)
				last++;
		client_free(c);
		world_crash(&w, (uint64_t)round + 1);
		ok(world_start(&w), "a crash, and a start");
		c = client_new(w.os, BROKER_ADDRESS);
		now = committed(c, 8, NULL, 0);
		is_int(now, last, "what was answered is committed");
		const struct fetch_response_partition *f = fetch_one(c, "t", 0, now, 0);
		ok(f != NULL && f->error_code == 0, "and the group goes on from there");
	}
	client_free(c);
	world_stop(&w);
	ok(world_start(&w), "a clean stop, and a start");
	c = client_new(w.os, BROKER_ADDRESS);
	is_int(committed(c, 8, NULL, 0), last, "too");
	client_free(c);
	world_stop(&w);
	world_end(&w);
}

static const struct join_group_request *
ask_join(struct join_group_request *in, struct join_group_request_protocol *p, const char *instance)
{
	wire_init(&wire_join_group_request, in);
	in->group_id = wire_str_of("g");
	in->group_instance_id = wire_str_of(instance);
	in->session_timeout_ms = 10000;
	in->rebalance_timeout_ms = 60000;
	in->protocol_type = wire_str_of("consumer");
	*p = (struct join_group_request_protocol){.name = wire_str_of("range")};
	in->protocols.items = p;
	in->protocols.count = 1;
	return in;
}

static void
test_members(void)
{
	struct join_group_request in;
	struct join_group_request_protocol p;
	const struct join_group_response *a, *b;
	struct client *c, *d;
	bool stopped = false;
	struct world w;

	world_begin(&w, 4, quick);
	c = client_new(w.os, BROKER_ADDRESS);
	find_well(&w, c);
	a = client_ask(c, 11, 9, ask_join(&in, &p, "one"));
	ok(a != NULL && a->error_code == 0 && a->generation_id == 1, "a member joins");
	d = client_new(w.os, BROKER_ADDRESS);
	client_send(d, 11, 9, ask_join(&in, &p, "two"));
	for (int i = 0; i < 20; i++)
		os_turn(w.os, 10);
	ok(d->count == 0, "the next waits for it");
	client_free(d); /* its connection ends while it waits */
	d = client_new(w.os, BROKER_ADDRESS);
	client_send(d, 11, 9, ask_join(&in, &p, "three"));
	for (int i = 0; i < 20; i++)
		os_turn(w.os, 10);
	ask_join(&in, &p, "one");
	in.member_id = a->member_id;
	b = client_ask(c, 11, 9, &in);
	ok(b != NULL && b->error_code == 0 && b->generation_id == 2 && b->members.count == 3,
	    "all are in, also the one whose connection has ended");
	a = client_take(d);
	ok(a != NULL && a->error_code == 0 && a->generation_id == 2, "the last one, too");
	client_send(d, 11, 9, ask_join(&in, &p, "four"));
	for (int i = 0; i < 20; i++)
		os_turn(w.os, 10);
	int64_t from = os_mono_ns(w.os);
	broker_stop(w.broker, world_stopped, &stopped);
	while (!stopped && os_turn(w.os, -1) != -1)
		;
	ok(stopped && os_mono_ns(w.os) - from < 1000000000, "a broker stops though somebody waits");
	a = client_take(d);
	ok(a != NULL && a->error_code == ERR_NOT_COORDINATOR, "who is told that it is over");
	client_free(c);
	client_free(d);
	broker_free(w.broker);
	while (os_turn(w.os, 0) > 0)
		;
	os_free(w.os);
	world_end(&w);
}

int
main(void)
{
	test_find();
	test_offsets();
	test_crash();
	test_members();
	return tap_done();
}
