/* A daemon's metadata log, killed, crashed and failed at every call of a start, of
 * changes, snapshots and stops: what was told done is there, and the next start works. */
#include <stdlib.h>

#include "mqd_cluster_test.h"
#include "os/os_fault.h"
#include "store/store_impl.h"

#define TOPICS 12
#define CRASHES 3

/* What somebody was told. */
struct ledger {
	bool made[TOPICS], deleting[TOPICS], deleted[TOPICS];
	int32_t epoch;
	int64_t id; /* the largest producer id given */
	bool clean; /* a stop was begun, and nothing since */
};

static const char *
name_of(int i)
{
	static char name[TOPICS][8];

	snprintf(name[i], sizeof(name[i]), "t%d", i);
	return name[i];
}

/* Turns as long as the process lives. */
static void
await(struct os *os, const int *done)
{
	for (int i = 0; i < 1000 && *done == 0; i++)
		if (os_turn(os, 0) == -1)
			return;
}

static void
do_wish(struct cluster *c, const char *name, int32_t partitions, bool *heard)
{
	struct wish w;

	begin_wish(c, &w, name, partitions);
	await(c->os, &w.done);
	if (w.done && w.ch.err.code == 0)
		*heard = true;
	/* It is ours still: a dead process calls nobody back. */
	if (!w.done && c->under_way == &w.ch)
		c->under_way = NULL;
}

static void
stop_told(void *ctx, const struct err *err)
{
	(void)err;
	*(int *)ctx = 1;
}

/* One life: a start, changes, snapshots between them, and a stop. */
static void
live(struct os *os, struct ledger *g, int from)
{
	struct err err;
	struct cluster *c = start(os, &err);
	int64_t id;

	if (c == NULL)
		return;
	g->clean = false;
	g->epoch = cluster_epoch(c);
	for (int i = from; i < from + TOPICS / 2; i++) {
		do_wish(c, name_of(i), 3, &g->made[i]);
		g->deleting[i] = i % 3 == 1;
		if (g->deleting[i])
			do_wish(c, name_of(i), 0, &g->deleted[i]);
		if (cluster_producer_id(c, &id, &err) == 0)
			g->id = id;
	}
	for (int i = 0; i < 200 && os_turn(os, 0) > 0; i++)
		;
	stopped = 0;
	g->clean = true;
	cluster_stop(c, true, stop_told, &stopped);
	await(os, &stopped);
	cluster_free(c);
}

/* Starts on what was left; what was told is true. "": all is well. */
static const char *
check(struct sim_disk *disk, const struct ledger *g)
{
	static char why[ERR_TEXT_MAX + 100];
	struct os *os = sim_os_new(disk, 9);
	struct store_options o;
	struct store *s;
	struct err err;
	struct cluster *c = start(os, &err);
	int64_t id = -1;

	why[0] = '\0';
	if (c == NULL) {
		snprintf(why, sizeof(why), "no start: %s", err.text);
		os_free(os);
		return why;
	}
	for (int i = 0; i < TOPICS; i++) {
		bool there = partition_of(c, name_of(i)) != NULL;

		if (g->deleted[i] ? there : g->made[i] && !g->deleting[i] && !there)
			snprintf(why, sizeof(why), "%s is %s", name_of(i), there ? "there" : "gone");
		if (there && (partition_of(c, name_of(i))->leader != 1 ||
		                 image_topic(&c->image, name_of(i))->partition_count != 3))
			snprintf(why, sizeof(why), "%s is not whole", name_of(i));
	}
	if (cluster_epoch(c) <= g->epoch)
		snprintf(why, sizeof(why), "epoch %d after %d", cluster_epoch(c), g->epoch);
	if (cluster_producer_id(c, &id, &err) == -1 || id <= g->id)
		snprintf(why, sizeof(why), "producer id %lld after %lld", (long long)id, (long long)g->id);
	if (cluster_was_clean(c) && !g->clean && g->epoch > 0)
		snprintf(why, sizeof(why), "a clean stop that was none");
	if (wish_for(c, "after", 1) != 0 || stop(c) != 0)
		snprintf(why, sizeof(why), "no change, or no stop");
	store_options_default(&o);
	s = store_open(os, "store", &o, &err);
	if (s == NULL || image_topic(store_image(s), "after") == NULL)
		snprintf(why, sizeof(why), "a tool: %s", err.text);
	store_free(s);
	os_free(os);
	return why;
}

/* What a first, whole life has left, and what it told. */
static struct sim_disk *
make_disk(struct ledger *g)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);

	*g = (struct ledger){.id = -1};
	live(os, g, 0);
	os_free(os);
	return disk;
}

/* The second life with one call that goes wrong. 0: there are no more calls. */
static int
run(struct sim_disk *before, const struct ledger *first, const struct fault_plan *plan, bool crash)
{
	struct sim_disk *disk = sim_clone(before), *image;
	struct os *os = fault_new(sim_os_new(disk, 2));
	struct ledger g = *first;
	const char *why;
	bool hit;

	fault_plan(os, plan);
	live(os, &g, TOPICS / 2);
	hit = fault_fired(os) > 0;
	os_free(os);
	for (uint64_t seed = 1; seed <= (crash ? CRASHES : 1); seed++) {
		image = crash ? sim_crash(disk, seed) : sim_clone(disk);
		why = check(image, &g);
		if (why[0] != '\0')
			ok(false, "call %llu, kind %d, crash %d, seed %llu: %s",
			    (unsigned long long)plan->at, (int)plan->kind, crash,
			    (unsigned long long)seed, why);
		sim_disk_free(image);
	}
	sim_disk_free(disk);
	return hit;
}

static void
test_all(const char *what, unsigned calls, enum fault_kind kind, bool sticky, bool crash)
{
	struct ledger g;
	struct sim_disk *disk = make_disk(&g);
	struct fault_plan plan = {.calls = calls, .at = 1, .kind = kind, .sticky = sticky};
	int failed = tap_failed;

	while (run(disk, &g, &plan, crash))
		plan.at++;
	ok(tap_failed == failed, "%s at each of %llu calls", what, (unsigned long long)plan.at - 1);
	ok(plan.at > 20, "which are many");
	sim_disk_free(disk);
}

/* The first life of all, with its format. */
static void
test_first(const char *what, enum fault_kind kind, bool crash)
{
	struct sim_disk *disk = sim_disk_new();
	struct ledger g = {.id = -1};
	struct fault_plan plan = {.calls = FAULT_WRITES, .at = 1, .kind = kind};
	int failed = tap_failed;

	while (run(disk, &g, &plan, crash))
		plan.at++;
	ok(tap_failed == failed, "a first start %s at each of %llu calls", what,
	    (unsigned long long)plan.at - 1);
	sim_disk_free(disk);
}

int
main(void)
{
	cluster_options.snapshot_bytes = 1500;
	test_all("killed", FAULT_WRITES, FAULT_DIE_DURING, false, false);
	test_all("crashed", FAULT_WRITES, FAULT_DIE_DURING, false, true);
	test_all("crashed after it", FAULT_WRITES, FAULT_DIE_AFTER, false, true);
	test_all("failed", FAULT_ALL, FAULT_FAIL, false, false);
	test_all("failed for ever", FAULT_WRITES, FAULT_FAIL, true, true);
	test_all("out of space", FAULT_WRITE, FAULT_SHORT, false, true);
	test_first("killed", FAULT_DIE_DURING, false);
	test_first("crashed", FAULT_DIE_DURING, true);
	return tap_done();
}
