/*
 * A broker whose memory fails while connections come, and while it starts and stops. What
 * can fails and says so; what was acknowledged is there; the next start is a good one.
 */
#include "mqd_nomem_test.h"

struct arm {
	struct os_timer timer;
	unsigned at;
	bool lasts;
};

static void
arm_fire(struct os_timer *t)
{
	const struct arm *a = t->ctx;

	fuzz_memory_fail(a->at, a->lasts);
}

/* A connection comes while memory fails: it is there, or it is not. */
static bool
run_connect(struct sum *s, const struct scene *e, unsigned at, bool lasts)
{
	struct arm a = {.at = at, .lasts = lasts};
	struct run r;
	bool failed;
	char *text;

	run_begin(&r, sim_clone(base));
	if (!start(&r)) {
		wrong(s, e->name, at, lasts, "no start", "");
		return false;
	}
	a.timer = (struct os_timer){.fire = arm_fire, .ctx = &a};
	os_timer_start(r.w.os, &a.timer, 0);
	r.c = client_new(r.w.os, BROKER_ADDRESS);
	turn_for(&r, STICKY_MS);
	failed = fuzz_memory_failed();
	fuzz_memory_hold();
	if (!r.c->closed && client_ask(r.c, 18, 0, plain(&r, 18, 0)) == NULL && !r.c->closed)
		wrong(s, e->name, at, lasts, "neither an answer nor an end", "");
	client_free(r.c);
	if (!is_served(&r))
		wrong(s, e->name, at, lasts, "the broker does not go on", "");
	text = again(&r, at % 2 == 0, at);
	if (text == NULL || strcmp(text, s->after) != 0)
		wrong(s, e->name, at, lasts, "not as it was", text != NULL ? text : "");
	free(text);
	run_end(&r);
	s->runs++;
	return failed;
}

/* It starts, or says why not; the next start is a good one. */
static bool
run_start(struct sum *s, const struct scene *e, unsigned at, bool lasts)
{
	struct err err = {0};
	struct run r;
	bool failed;
	char *text = NULL;

	run_begin(&r, e->key == -1 ? sim_disk_new() : sim_clone(base));
	r.w.os = sim_os_new(r.w.disk, 1);
	hold_writes(r.w.os);
	fuzz_memory_fail(at, lasts);
	r.w.broker = broker_new(r.w.os, &r.w.config, &err);
	failed = fuzz_memory_failed();
	fuzz_memory_hold();
	if (r.w.broker == NULL && err.code == 0)
		wrong(s, e->name, at, lasts, "no start, and no reason", "");
	if (r.w.broker == NULL) {
		if (sim_os_open_count(r.w.os) != 0)
			wrong(s, e->name, at, lasts, "something is left open", "");
		os_free(r.w.os);
		if (!start(&r)) {
			wrong(s, e->name, at, lasts, "no start afterwards", "");
			run_end(&r);
			return failed;
		}
	}
	if (image_topic(cluster_image(r.w.broker->cluster), "keep") == NULL)
		make_topic(&r.w, "keep", 1);
	if (!is_served(&r))
		wrong(s, e->name, at, lasts, "the broker does not serve", "");
	text = again(&r, at % 2 == 0, at);
	if (at == 0)
		s->after = text;
	else if (text == NULL || strcmp(text, s->after) != 0)
		wrong(s, e->name, at, lasts, "not as it was", text != NULL ? text : "");
	if (at != 0)
		free(text);
	run_end(&r);
	s->runs++;
	return failed;
}

/* It comes to its end, and what was acknowledged is there. */
static bool
run_stop(struct sum *s, const struct scene *e, unsigned at, bool lasts)
{
	bool stopped = false, failed;
	const struct produce_response_partition *p;
	int64_t until;
	struct run r;
	char *text;

	run_begin(&r, sim_clone(base));
	if (!start(&r))
		return false;
	r.c = client_new(r.w.os, BROKER_ADDRESS);
	p = produce_one(r.c, "t", 1, -1, 2, "value");
	if (p == NULL || p->error_code != 0)
		wrong(s, e->name, at, lasts, "not written", "");
	fuzz_memory_fail(at, lasts);
	broker_stop(r.w.broker, world_stopped, &stopped);
	until = os_mono_ns(r.w.os) + STICKY_MS * 1000000LL;
	while (!stopped && os_mono_ns(r.w.os) < until && os_turn(r.w.os, 1000) != -1)
		;
	failed = fuzz_memory_failed();
	fuzz_memory_hold();
	until = os_mono_ns(r.w.os) + ANSWER_MS * 1000000LL;
	while (!stopped && os_mono_ns(r.w.os) < until && os_turn(r.w.os, 1000) != -1)
		;
	if (!stopped)
		wrong(s, e->name, at, lasts, "no end", "");
	client_free(r.c);
	text = again(&r, true, at);
	if (at == 0)
		s->after = text;
	else if (text == NULL || strcmp(text, s->after) != 0)
		wrong(s, e->name, at, lasts, "not as it was", text != NULL ? text : "");
	if (at != 0)
		free(text);
	run_end(&r);
	s->runs++;
	return failed;
}

static void
test_life(const char *before)
{
	static const struct scene come = {.name = "a connection"}, begin = {.name = "a start"},
	    format = {.name = "the first start", .key = -1}, end = {.name = "a stop"};
	struct sum s = {.after = strdup(before)};
	unsigned reached = each_call(&s, &come, run_connect);

	is_int(s.wrong, 0, "a connection comes, or not, at %u calls (%d runs)", reached, s.runs);
	s.runs = s.wrong = 0;
	reached = each_call(&s, &begin, run_start);
	is_int(s.wrong, 0, "a start says why it fails at %u calls (%d runs)", reached, s.runs);
	free(s.after);
	s = (struct sum){0};
	(void)run_start(&s, &format, 0, false);
	reached = each_call(&s, &format, run_start);
	is_int(s.wrong, 0, "the first start, too, at %u calls (%d runs)", reached, s.runs);
	free(s.after);
	s = (struct sum){0};
	(void)run_stop(&s, &end, 0, false);
	reached = each_call(&s, &end, run_stop);
	is_int(s.wrong, 0, "a stop loses nothing at %u calls (%d runs)", reached, s.runs);
	free(s.after);
}

int
main(void)
{
	char *before = make_base();

	if (before != NULL)
		test_life(before);
	printf("# %u calls of malloc and its kin reached\n", calls);
	sim_disk_free(base);
	free(before);
	return tap_done();
}
