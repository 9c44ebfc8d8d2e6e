/* Fetches that wait: what they miss while they look elsewhere. */
#include "mqd_broker_test.h"

/* How many turns of the loop the one may be before the other. */
#define TURNS 24

/* A fetch of "a" from its end, and of "b", whose epochs are asked for on the way: there
 * the fetch goes on later. */
struct ask {
	struct fetch_request in;
	struct fetch_request_topic topics[2];
	struct fetch_request_partition parts[2];
};

static const struct fetch_request *
ask_two(struct ask *a, int64_t at_a, int64_t at_b, int32_t min_bytes)
{
	struct fetch_ask one;

	ask_fetch(&one, "a", 0, at_a, 5000);
	a->in = one.in;
	for (int i = 0; i < 2; i++) {
		a->parts[i] = one.part;
		a->topics[i] = one.topic;
		a->topics[i].partitions.items = &a->parts[i];
	}
	a->topics[1].topic = wire_str_of("b");
	a->parts[1].fetch_offset = at_b;
	a->parts[1].last_fetched_epoch = 0;
	a->in.topics.items = a->topics;
	a->in.topics.count = 2;
	a->in.min_bytes = min_bytes;
	return &a->in;
}

static void
begin(struct world *w)
{
	struct client *c;

	world_begin(w, 3, NULL);
	make_topic(w, "a", 1);
	make_topic(w, "b", 1);
	c = client_new(w->os, BROKER_ADDRESS);
	produce_one(c, "a", 0, -1, 1, "first");
	produce_one(c, "b", 0, -1, 1, "first");
	client_free(c);
}

static void
end(struct world *w)
{
	world_stop(w);
	world_end(w);
}

/* Turns the loop until the fetch is answered; how long it was, in ms. */
static int64_t
answered_ms(struct client *c, const struct fetch_response **out)
{
	int64_t before = os_mono_ns(c->os);

	*out = client_take(c);
	return (os_mono_ns(c->os) - before) / 1000000;
}

/* Sends the one, turns so often, sends the other. */
static int64_t
race(struct world *w, struct client *consumer, const struct fetch_request *fetch,
    struct client *producer, const struct produce_request *produce, int turns,
    const struct fetch_response **out)
{
	if (turns >= 0)
		client_send(consumer, 1, 12, fetch);
	else
		client_send(producer, 0, 9, produce);
	for (int i = 0; i < abs(turns); i++)
		os_turn(w->os, 1);
	if (turns >= 0)
		client_send(producer, 0, 9, produce);
	else
		client_send(consumer, 1, 12, fetch);
	return answered_ms(consumer, out);
}

/* However a batch and a fetch that waits for it come, nobody waits longer than it takes. */
static void
test_race(int32_t min_bytes, const char *what)
{
	int64_t longest = 0;
	int late = 0, empty = 0;

	for (int turns = -TURNS; turns <= TURNS; turns++) {
		struct world w;
		struct batch_builder bb;
		struct produce_ask p;
		struct ask a;
		struct client *consumer, *producer;
		const struct fetch_response *out;

		begin(&w);
		consumer = client_new(w.os, BROKER_ADDRESS);
		producer = client_new(w.os, BROKER_ADDRESS);
		batch_builder_init(&bb, CODEC_NONE, 0);
		ask_produce(&p, "a", 0, -1, make_batch(&bb, 1, "second"));
		int64_t ms = race(&w, consumer, ask_two(&a, 1, 1, min_bytes), producer, &p.in,
		    turns, &out);
		late += ms > 1000;
		longest = ms > longest ? ms : longest;
		empty += out == NULL || out->responses.items[0].partitions.items[0].records.len == 0;
		batch_builder_release(&bb);
		client_free(consumer);
		client_free(producer);
		end(&w);
	}
	ok(late == 0 && empty == 0, "%s: told at once (%d late, %d empty, %lld ms)", what, late,
	    empty, (long long)longest);
}

/* What was there when it was looked at counts, too. */
static void
test_sum(void)
{
	struct world w;
	struct client *consumer, *producer;
	struct fetch_ask a;
	const struct fetch_response *out;

	begin(&w);
	consumer = client_new(w.os, BROKER_ADDRESS);
	producer = client_new(w.os, BROKER_ADDRESS);
	ask_fetch(&a, "a", 0, 0, 5000);
	a.in.min_bytes = 120;
	client_send(consumer, 1, 12, &a.in);
	for (int i = 0; i < TURNS; i++)
		os_turn(w.os, 1);
	produce_one(producer, "a", 0, -1, 1, "second");
	int64_t ms = answered_ms(consumer, &out);
	ok(ms < 1000 && out != NULL &&
		out->responses.items[0].partitions.items[0].records.len >= 120,
	    "min_bytes is of all that is there, not of what is new (%lld ms)", (long long)ms);
	client_free(consumer);
	client_free(producer);
	end(&w);
}

/* Nothing is left of the topic that the fetch has looked at before. */
static void
test_deleted(void)
{
	int late = 0, wrong = 0;

	for (int turns = 0; turns <= 2 * TURNS; turns++) {
		struct world w;
		struct ask a;
		struct client *c;
		const struct fetch_response *out;
		struct make_topic m = {.name = "a"};

		begin(&w);
		c = client_new(w.os, BROKER_ADDRESS);
		m.b = w.broker;
		m.ch = (struct cluster_change){
		    .prepare = make_topic_prepare, .done = make_topic_done, .ctx = &m};
		cluster_change(w.broker->cluster, &m.ch);
		for (int i = 0; i < turns; i++)
			os_turn(w.os, 1);
		client_send(c, 1, 12, ask_two(&a, 1, 1, 1));
		int64_t ms = answered_ms(c, &out);
		late += ms > 1000;
		wrong += out == NULL || out->responses.items[0].partitions.items[0].error_code !=
			ERR_UNKNOWN_TOPIC_OR_PARTITION;
		client_free(c);
		end(&w);
	}
	ok(late == 0 && wrong == 0, "a topic that is deleted meanwhile: told at once (%d late, %d wrong)",
	    late, wrong);
}

/* Before version 13 the answer has the names that the session keeps. */
static void
test_session_ended(void)
{
	const struct fetch_response *out;
	struct client *a, *b;
	struct fetch_ask ask;
	struct world w;
	int32_t id;

	begin(&w);
	a = client_new(w.os, BROKER_ADDRESS);
	b = client_new(w.os, BROKER_ADDRESS);
	ask_fetch(&ask, "a", 0, 1, 0);
	ask.in.session_epoch = 0;
	out = client_ask(a, 1, 12, &ask.in);
	id = out != NULL ? out->session_id : 0;
	ok(id != 0, "a session");
	ask_fetch(&ask, "a", 0, 1, 5000);
	ask.in.session_id = id;
	ask.in.session_epoch = 1;
	client_send(a, 1, 12, &ask.in);
	for (int i = 0; i < TURNS; i++)
		os_turn(w.os, 1);
	ask_fetch(&ask, "b", 0, 1, 0);
	ask.in.session_id = id;
	ask.in.session_epoch = -1;
	out = client_ask(b, 1, 12, &ask.in);
	ok(out != NULL && out->error_code == 0, "is ended by somebody else while a fetch of it waits");
	produce_one(b, "a", 0, -1, 1, "second");
	(void)answered_ms(a, &out);
	ok(out != NULL && out->responses.count == 1 &&
		out->responses.items[0].topic.len == 1 && out->responses.items[0].topic.data[0] == 'a',
	    "which is answered all the same");
	client_free(a);
	client_free(b);
	end(&w);
}

int
main(void)
{
	test_race(1, "a batch that comes while a fetch looks elsewhere");
	test_race(40, "one that is not synced yet when it is looked at");
	test_sum();
	test_deleted();
	test_session_ended();
	return tap_done();
}
