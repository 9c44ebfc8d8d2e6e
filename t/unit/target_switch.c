/* A store below tools while a daemon comes and goes, at every moment: what is produced is
 * there once and in order, and so is what is read. */
#include "client/target.h"
#include "mqd_broker_test.h"
#include "store/store.h"

enum { BATCHES = 60, AT_ONCE = 4, SEEDS = 100 };

/* One batch of one record, whose value is its number. */
struct sent {
	struct produce_call call;
	struct batch_builder builder;
	bool is_under_way;
};

struct tool {
	struct os *os;
	struct target *target;
	struct sent sent[BATCHES];
	int begun, acked;
	struct fetch_part part, *parts;
	struct fetch_call fetch;
	bool is_fetching;
	int seen;
	bool is_wrong;
};

static struct target *
open_switch(struct os *os, struct err *err)
{
	struct store_options so;
	struct broker_options bo = {.client_id = "test",
	    .version = "1",
	    .timeout_ms = -1,
	    .auto_create_topics = true};

	store_options_default(&so);
	so.create = true;
	so.disk_min_free = 0;
	return target_switch_new(os, "store", &so, &bo, err);
}

/* --- producing ----------------------------------------------------------------- */

static void
acked(struct call *c)
{
	struct tool *t = c->ctx;
	struct sent *s = (struct sent *)(void *)c;

	if (c->err.code != 0 || s != &t->sent[t->acked]) {
		printf("# batch %d, awaited %d: %s\n", (int)(s - t->sent), t->acked,
		    c->err.code != 0 ? c->err.text : "well done");
		t->is_wrong = true;
	}
	t->acked++;
	s->is_under_way = false;
	batch_builder_release(&s->builder);
}

static void
produce(struct tool *t)
{
	struct sent *s = &t->sent[t->begun];
	int32_t number = t->begun++;
	struct record rec = {.timestamp = os_wall_ms(t->os),
	    .key_size = -1,
	    .value = (const uint8_t *)&number,
	    .value_size = sizeof(number)};
	struct batch b;
	struct err err;

	*s = (struct sent){.call = {.call = {.done = acked, .ctx = t},
			       .topic = "t",
			       .acks = ACKS_ALL,
			       .urgent = true},
	    .is_under_way = true};
	batch_builder_init(&s->builder, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	batch_builder_add(&s->builder, &rec, &err);
	batch_builder_finish(&s->builder, &b, &err);
	s->call.bytes = (uint8_t *)(uintptr_t)b.bytes;
	s->call.len = (size_t)b.size;
	target_produce(t->target, &s->call);
}

/* --- reading ------------------------------------------------------------------- */

static void
take(struct tool *t, const struct batch *b)
{
	struct record_reader rr = {0};
	struct record rec;
	struct err err;
	int32_t number = -1;

	if (record_reader_open(&rr, b, &err) == 0 && record_reader_next(&rr, &rec, &err) == 1 &&
	    rec.value_size == sizeof(number))
		memcpy(&number, rec.value, sizeof(number));
	if (number != t->seen) {
		printf("# read %d, awaited %d\n", number, t->seen);
		t->is_wrong = true;
	}
	t->seen++;
	record_reader_release(&rr);
}

static void
fetched(struct call *c)
{
	struct tool *t = c->ctx;
	struct batch b;
	struct err err;
	int got;

	t->is_fetching = false;
	while (c->err.code == 0 && (got = target_next(t->target, &t->part, &b, &err)) != 0) {
		if (got == 1) {
			take(t, &b);
			continue;
		}
		c->err = err;
	}
	if (c->err.code == 0)
		return;
	printf("# fetch: %s\n", c->err.text);
	t->is_wrong = true;
}

static void
fetch(struct tool *t)
{
	t->parts = &t->part;
	t->fetch = (struct fetch_call){.call = {.done = fetched, .ctx = t},
	    .parts = &t->parts,
	    .part_count = 1,
	    .max_wait_ms = 500};
	t->is_fetching = true;
	target_fetch(t->target, &t->fetch);
}

/* --- the story ------------------------------------------------------------------ */

/* A machine, with a daemon on it or none. */
struct machine {
	struct world *w;
	bool is_served;
};

static bool
tool_begin(struct tool *t, struct sim_disk *disk)
{
	struct admin_call c = {
	    .op = ADMIN_CREATE_TOPIC, .topic = "t", .count = 1, .replicas = -1};
	struct err err;

	memset(t, 0, sizeof(*t));
	t->os = sim_os_new(disk, 2);
	t->target = open_switch(t->os, &err);
	t->part = (struct fetch_part){.topic = "t"};
	if (t->target == NULL)
		return false;
	target_admin(t->target, &c);
	return target_wait(t->target, &c.call) == 0;
}

static void
tool_end(struct tool *t)
{
	if (t->is_fetching)
		target_withdraw(t->target, &t->fetch.call);
	for (int i = 0; i < t->begun; i++)
		if (t->sent[i].is_under_way) {
			target_withdraw(t->target, &t->sent[i].call.call);
			batch_builder_release(&t->sent[i].builder);
		}
	target_forget(t->target, &t->part);
	target_free(t->target);
	os_free(t->os);
}

/* A millisecond, for both processes. */
static void
live(struct machine *m, struct tool *t)
{
	while (os_turn(t->os, 0) > 0 || (m->is_served && os_turn(m->w->os, 0) > 0))
		continue;
	sim_advance_ms(m->w->disk, 1);
}

static void
stop(struct machine *m, struct tool *t)
{
	bool stopped = false;

	broker_stop(m->w->broker, world_stopped, &stopped);
	while (!stopped)
		live(m, t);
	broker_free(m->w->broker);
	while (os_turn(m->w->os, 0) > 0)
		continue;
	os_free(m->w->os);
}

static uint32_t
draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

/* The daemon comes, is stopped, or killed. */
static void
turn_of_fate(struct machine *m, struct tool *t, uint32_t *seed, int *turns)
{
	++*turns;
	if (!m->is_served) {
		m->is_served = world_start(m->w);
		return;
	}
	if (draw(seed, 2) == 0)
		stop(m, t);
	else
		world_kill(m->w);
	m->is_served = false;
}

static bool
tell_story(uint32_t seed, int *turns)
{
	static struct tool t;
	struct world w;
	struct machine m = {.w = &w};
	int64_t left_ms = 120000;

	world_init(&w, seed, sim_disk_new(), NULL);
	if (!tool_begin(&t, w.disk))
		return false;
	sim_settings(w.disk)->sync_ms = 3;
	while (!t.is_wrong && --left_ms > 0 && (t.acked < BATCHES || t.seen < BATCHES)) {
		if (t.begun < BATCHES && t.begun - t.acked < AT_ONCE && draw(&seed, 8) == 0)
			produce(&t);
		if (!t.is_fetching)
			fetch(&t);
		if (t.begun < BATCHES && draw(&seed, 100) == 0)
			turn_of_fate(&m, &t, &seed, turns);
		live(&m, &t);
	}
	if (left_ms == 0)
		printf("# only %d of %d acknowledged, and %d read\n", t.acked, t.begun, t.seen);
	tool_end(&t);
	if (m.is_served)
		world_stop(&w);
	world_end(&w);
	return !t.is_wrong && left_ms > 0;
}

int
main(void)
{
	const char *one = getenv("SEED");
	uint32_t begin = one != NULL ? (uint32_t)atoi(one) : 1;
	uint32_t count = one != NULL ? 1 : SEEDS;
	int turns = 0, good = 0;

	for (uint32_t seed = begin; seed < begin + count; seed++)
		if (tell_story(seed, &turns))
			good++;
		else
			printf("# SEED=%u\n", seed);
	is_int(good, (int)count, "each batch is there once, in order, and read so (%d times a daemon "
	    "came or went)", turns);
	return tap_done();
}
