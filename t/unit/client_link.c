/* Tests of links: greeting, pipelining, time-outs, what is no broker. */
#include "client/link.h"
#include "fake_broker.h"

struct world {
	struct sim_disk *disk;
	struct os *os;
	struct fake fake;
	struct link *link;
	int up, down;
	struct err why;
	bool is_freed;
};

static void
on_up(struct link *l, void *ctx)
{
	(void)l;
	((struct world *)ctx)->up++;
}

static void
on_down(struct link *l, void *ctx, const struct err *why)
{
	struct world *w = ctx;

	(void)l;
	w->down++;
	w->why = *why;
}

static void
on_freed(void *ctx)
{
	((struct world *)ctx)->is_freed = true;
}

static void
begin(struct world *w)
{
	static const struct link_identity who = {"test", "0.0"};
	struct link_events events = {.up = on_up, .down = on_down};
	struct err err;

	*w = (struct world){.disk = sim_disk_new()};
	events.ctx = w;
	w->os = sim_os_new(w->disk, 1);
	fake_start(&w->fake, w->os);
	w->link = link_new(w->os, &who, &events, &err);
}

static void
end(struct world *w)
{
	link_free(w->link, on_freed, w);
	while (!w->is_freed && os_turn(w->os, -1) != -1)
		;
	ok(w->is_freed, "a freed link is gone when its stream is");
	fake_stop(&w->fake);
	while (os_turn(w->os, 1000) > 0)
		;
	is_int((intmax_t)sim_os_open_count(w->os), 0, "and no descriptor is left");
	os_free(w->os);
	sim_disk_free(w->disk);
}

static void
until_settled(struct world *w)
{
	while (w->up == 0 && w->down == 0 && os_turn(w->os, -1) != -1)
		;
}

static void
connects(struct world *w)
{
	struct err err;

	link_open(w->link, FAKE_ADDRESS, &err);
	until_settled(w);
}

static int
newest(const struct world *w, int key)
{
	return link_version(w->link, api_find(key), INT16_MAX);
}

static void
greetings(void)
{
	struct world w;

	begin(&w);
	connects(&w);
	is_int(w.up, 1, "a link is up");
	is_int(w.fake.greeted, 1, "after one question");
	is_int(newest(&w, API_FETCH), api_find(API_FETCH)->request->versions.max,
	    "and knows the newest version of both");
	is_int(link_version(w.link, api_find(API_FETCH), 12), 12, "at most the one wanted");
	is_int(link_version(w.link, api_find(API_FETCH), 2), -1, "or none");
	end(&w);

	begin(&w);
	w.fake.api_versions_max = 2;
	connects(&w);
	is_int(w.up, 1, "an old broker says so, in version 0 (KIP-511)");
	is_int(w.fake.greeted, 2, "and is asked again");
	is_int(newest(&w, API_API_VERSIONS), 2, "in the version that it names");
	end(&w);

	begin(&w);
	w.fake.api_versions_max = 0;
	w.fake.says_nothing_of_itself = true;
	connects(&w);
	is_int(w.up, 1, "a very old one names none");
	is_int(newest(&w, API_FETCH), -1, "then nothing is known of it");
	end(&w);
}

/* --- requests ------------------------------------------------------------------ */

struct question {
	struct link_request r;
	int order, code;
};
static int answers;

static void
on_answer(struct link_request *r, struct buf *frame, struct slice body, const struct err *err)
{
	struct question *q = r->ctx;

	(void)frame;
	(void)body;
	q->order = ++answers;
	q->code = err->code;
}

static void
ask(struct world *w, struct question *q, int64_t timeout_ms)
{
	struct metadata_request msg;
	struct err err;

	wire_init(&wire_metadata_request, &msg);
	*q = (struct question){.r = {.api = api_find(API_METADATA),
				   .version = newest(w, API_METADATA),
				   .timeout_ms = timeout_ms,
				   .done = on_answer,
				   .ctx = q}};
	is_int(link_send(w->link, &q->r, &msg, &err), 0, "a request is sent");
}

static void
requests(void)
{
	struct question q[3];
	struct world w;

	begin(&w);
	connects(&w);
	answers = 0;
	for (int i = 0; i < 3; i++)
		ask(&w, &q[i], 1000);
	link_forget(&q[1].r);
	while (answers < 2 && os_turn(w.os, -1) != -1)
		;
	ok(q[0].order == 1 && q[2].order == 2 && q[0].code == 0 && q[2].code == 0,
	    "several are answered in order");
	is_int(q[1].order, 0, "but for one that nobody waits for");

	w.fake.mute = 1;
	ask(&w, &q[0], 700);
	ask(&w, &q[1], 5000);
	while (w.down == 0 && os_turn(w.os, -1) != -1)
		;
	is_int(q[0].code, ERR_NETWORK_EXCEPTION, "no answer in time ends the link");
	is_int(q[1].code, ERR_NETWORK_EXCEPTION, "and with it all that is under way");
	is_int(link_state(w.link), LINK_CLOSED, "it is down");
	w.up = 0;
	connects(&w);
	while (w.up == 0 && os_turn(w.os, -1) != -1)
		;
	is_int(w.up, 1, "and may be opened again");
	end(&w);
}

/* --- no brokers ------------------------------------------------------------------- */

static void
no_brokers(void)
{
	struct world w;
	struct err err;

	begin(&w);
	link_open(w.link, "127.0.0.1:1", &err);
	until_settled(&w);
	is_int(w.down, 1, "a port without listener");
	is_str(w.why.text, "127.0.0.1:1: connection refused", "is told in words");
	end(&w);

	begin(&w);
	w.fake.mute = 1;
	connects(&w);
	is_int(w.down, 1, "one that takes a connection and says nothing is given up");
	is_str(w.why.text, "127.0.0.1:9092: no answer to ApiVersions in time", "in words");
	end(&w);
}

int
main(void)
{
	greetings();
	requests();
	no_brokers();
	return tap_done();
}
