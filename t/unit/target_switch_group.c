/* Members of a group of a store, while a daemon comes and goes: a partition is one member's
 * at a time, and who takes it goes on where the one before has committed. */
#include "client/target.h"
#include "mqd_broker_test.h"
#include "store/store.h"

enum { PARTS = 4, TOOLS = 3, SEEDS = 60, BUSY_MS = 20000, QUIET_MS = 120000, FATE_MS = 1000 };

enum holding { NOTHING, LOOKING, HELD, WANTED, COMMITTING };

struct tool;

/* A partition, as a member sees it. */
struct part {
	struct tool *tool;
	int number;
	enum holding holding;
	bool is_wanted; /* back, once it was looked where to begin */
	struct group_position position;
	struct commit_call commit;
	struct committed_call committed;
};

struct tool {
	struct os *os;
	struct target *target;
	struct target_member *member;
	struct part parts[PARTS];
};

static struct world w;
static bool is_served;
static uint64_t processes; /* each has a seed of its own, or members' ids come again */
static uint32_t seed;
static struct tool tools[TOOLS];
static const struct tool *owners[PARTS];
static int64_t consumed[PARTS];
static bool is_wrong;
static int turns;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void
wrong(const char *what, const struct part *p, const char *text)
{
	printf("# %s: member %d, partition %d: %s\n", what, (int)(p->tool - tools), p->number, text);
	is_wrong = true;
}

/* --- a member -------------------------------------------------------------------- */

static void
committed(struct call *c)
{
	struct part *p = c->ctx;
	int64_t begins = p->position.offset >= 0 ? p->position.offset : 0;
	char text[100];

	if (c->err.code != 0)
		wrong("committed", p, c->err.text);
	snprintf(text, sizeof(text), "%lld, but %lld were consumed", (long long)begins,
	    (long long)consumed[p->number]);
	if (c->err.code == 0 && begins != consumed[p->number])
		wrong("begins", p, text);
	p->holding = p->is_wanted ? WANTED : HELD;
}

static void
assigned(void *ctx, const char *topic, int32_t number)
{
	struct tool *t = ctx;
	struct part *p = &t->parts[number];

	(void)topic;
	if (p->holding != NOTHING || owners[number] != NULL)
		wrong("assigned", p, "it is held");
	owners[number] = t;
	p->holding = LOOKING;
	p->is_wanted = false;
	p->position = (struct group_position){.topic = "t", .partition = number, .offset = -1};
	p->committed = (struct committed_call){.call = {.done = committed, .ctx = p},
	    .group = "g",
	    .positions = &p->position,
	    .position_count = 1};
	target_committed(t->target, &p->committed);
}

static void
revoke(void *ctx, const char *topic, int32_t number)
{
	struct part *p = &((struct tool *)ctx)->parts[number];

	(void)topic;
	if (p->holding != LOOKING && p->holding != HELD)
		wrong("revoked", p, "it is not held");
	if (p->holding == LOOKING)
		p->is_wanted = true;
	else
		p->holding = WANTED;
}

static void
failed(void *ctx, const struct err *err)
{
	wrong("failed", &((struct tool *)ctx)->parts[0], err->text);
}

static void
given_back(struct call *c)
{
	struct part *p = c->ctx;

	if (c->err.code != 0)
		wrong("commit", p, c->err.text);
	p->holding = NOTHING;
	owners[p->number] = NULL;
	target_group_released(p->tool->target, p->tool->member, "t", p->number);
}

static void
give_back(struct part *p)
{
	p->holding = COMMITTING;
	p->position = (struct group_position){.topic = "t",
	    .partition = p->number,
	    .offset = consumed[p->number],
	    .leader_epoch = -1,
	    .commit_time_ms = -1};
	p->commit = (struct commit_call){.call = {.done = given_back, .ctx = p},
	    .group = "g",
	    .member = p->tool->member,
	    .positions = &p->position,
	    .position_count = 1};
	target_commit(p->tool->target, &p->commit);
}

static bool
tool_begin(struct tool *t)
{
	static const char *const topics[] = {"t"};
	struct target_member_events events = {
	    .assigned = assigned, .revoke = revoke, .failed = failed, .ctx = t};
	struct broker_options bo = {.client_id = "test", .version = "1", .timeout_ms = -1,
	    .assignors = "cooperative-sticky,range"};
	struct admin_call c = {
	    .op = ADMIN_CREATE_TOPIC, .topic = "t", .count = PARTS, .replicas = -1};
	struct store_options so;
	struct err err;

	memset(t, 0, sizeof(*t));
	for (int i = 0; i < PARTS; i++)
		t->parts[i] = (struct part){.tool = t, .number = i};
	store_options_default(&so);
	so.create = true;
	so.disk_min_free = 0;
	t->os = sim_os_new(w.disk, ++processes);
	t->target = target_switch_new(t->os, "store", &so, &bo, &err);
	if (t->target == NULL)
		return false;
	if (t == tools) {
		target_admin(t->target, &c);
		if (target_wait(t->target, &c.call) == -1)
			return false;
	}
	t->member = target_group_join(t->target, "g", "test", topics, 1, &events, &err);
	return t->member != NULL;
}

static void
tool_end(struct tool *t)
{
	for (int i = 0; i < PARTS; i++) {
		if (t->parts[i].holding == COMMITTING)
			target_withdraw(t->target, &t->parts[i].commit.call);
		if (t->parts[i].holding == LOOKING)
			target_withdraw(t->target, &t->parts[i].committed.call);
	}
	target_group_leave(t->target, t->member);
	target_free(t->target);
	os_free(t->os);
}

/* --- the story --------------------------------------------------------------------- */

static bool
turn_all(void)
{
	bool any = is_served && os_turn(w.os, 0) > 0;

	for (int i = 0; i < TOOLS; i++)
		any |= os_turn(tools[i].os, 0) > 0;
	return any;
}

/* A millisecond, for all processes. */
static void
live(void)
{
	while (turn_all())
		continue;
	for (int i = 0; i < TOOLS; i++)
		for (int n = 0; n < PARTS; n++) {
			struct part *p = &tools[i].parts[n];

			if (p->holding == HELD && draw(5) == 0)
				consumed[n]++;
			if (p->holding == WANTED)
				give_back(p);
		}
	sim_advance_ms(w.disk, 1);
}

static void
serve(void)
{
	struct err err;

	w.os = sim_os_new(w.disk, ++processes);
	w.broker = broker_new(w.os, &w.config, &err);
	is_served = w.broker != NULL;
	is_wrong |= !is_served;
}

static void
stop(void)
{
	bool stopped = false;

	broker_stop(w.broker, world_stopped, &stopped);
	while (!stopped)
		live();
	broker_free(w.broker);
	while (os_turn(w.os, 0) > 0)
		continue;
	os_free(w.os);
}

/* The daemon comes; or it is stopped, or killed, and then perhaps comes at once. */
static void
turn_of_fate(void)
{
	turns++;
	if (!is_served) {
		serve();
		return;
	}
	if (draw(2) == 0)
		stop();
	else
		world_kill(&w);
	is_served = false;
	if (draw(3) == 0)
		serve();
}

static bool
is_settled(void)
{
	for (int i = 0; i < PARTS; i++)
		if (owners[i] == NULL || owners[i]->parts[i].holding != HELD)
			return false;
	for (int i = 0; i < TOOLS; i++)
		if (!target_group_settled(tools[i].target, tools[i].member))
			return false;
	return true;
}

static bool
tell_story(uint32_t number)
{
	static const char *const set[] = {"group.initial.rebalance.delay.ms=0", NULL};
	int ms;

	seed = number;
	is_served = is_wrong = false;
	memset(owners, 0, sizeof(owners));
	memset(consumed, 0, sizeof(consumed));
	world_init(&w, number, sim_disk_new(), set);
	for (int i = 0; i < TOOLS; i++)
		if (!tool_begin(&tools[i]))
			return false;
	for (ms = 0; ms < BUSY_MS && !is_wrong; ms++) {
		if (draw(FATE_MS) == 0)
			turn_of_fate();
		live();
	}
	for (ms = 0; ms < QUIET_MS && !is_wrong && !is_settled(); ms++)
		live();
	if (ms == QUIET_MS)
		printf("# they never settle\n");
	for (int i = 0; i < TOOLS; i++)
		tool_end(&tools[i]);
	if (is_served)
		world_stop(&w);
	world_end(&w);
	return !is_wrong && ms < QUIET_MS;
}

int
main(void)
{
	const char *one = getenv("SEED");
	uint32_t begin = one != NULL ? (uint32_t)atoi(one) : 1;
	uint32_t count = one != NULL ? 1 : SEEDS;
	int good = 0;

	for (uint32_t number = begin; number < begin + count; number++) {
		processes = number * UINT64_C(1000);
		if (tell_story(number))
			good++;
		else
			printf("# SEED=%u\n", number);
	}
	is_int(good, (int)count, "who takes a partition goes on where it was committed (%d times a "
	    "daemon came or went)", turns);
	return tap_done();
}
