/* mqd's logs, killed, crashed and failed at every call: what was told synced is there. */
#include <errno.h>

#include "logs_story.h"

static void
test_whole(void)
{
	struct ledger g;
	struct node n;
	const char *why;

	node_init(&n, 1);
	settings(&n);
	node_start(&n);
	ok(work(&n, &g), "the story comes to its end");
	is_int(g.appended, 2 * STEPS, "with all appended");
	is_int(n.failures, 0, "and no failure");
	is_int((intmax_t)fault_open_count(n.os), 0, "no descriptor is left open");
	os_free(n.os);
	n.os = NULL;
	why = check(&n, &g, false);
	ok(why == NULL, "it is all there afterwards");
	if (why != NULL)
		printf("# %s\n", why);
	node_end(&n);
}

/* In whatever order things happen. */
static void
test_orders(void)
{
	int wrong = 0, ended = 0;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct ledger g;
		struct node n;

		node_init(&n, seed);
		settings(&n);
		sim_settings(n.disk)->sync_ms = (int)(seed % 4);
		node_start(&n);
		ended += work(&n, &g) && g.appended == 2 * STEPS && fault_open_count(n.os) == 0;
		if (n.s != NULL)
			node_kill(&n);
		else
			os_free(n.os);
		n.os = NULL;
		say(&wrong, check(&n, &g, false), &n, seed, "seed");
		node_end(&n);
	}
	is_int(ended, 200, "the story comes to its end two hundred times");
	is_int(wrong, 0, "and it is all there afterwards");
}

static void
test_killed(void)
{
	static const enum fault_kind kinds[] = {FAULT_DIE_BEFORE, FAULT_DIE_DURING, FAULT_DIE_AFTER};
	int wrong = 0, runs = 0;
	bool fired = true;

	for (uint64_t at = 1; fired; at++) {
		struct ledger g;
		struct node n;
		char where[32];

		node_init(&n, at);
		settings(&n);
		node_start(&n);
		fault_plan(n.os, &(struct fault_plan){.calls = FAULT_WRITES, .at = at,
		    .kind = kinds[at % 3]});
		work(&n, &g);
		fired = fault_fired(n.os) > 0;
		snprintf(where, sizeof(where), "%s", fault_where(n.os));
		if (n.s != NULL)
			node_kill(&n);
		else
			os_free(n.os);
		n.os = NULL;
		/* The machine goes on, or it went down, too. */
		if (at % 2 == 0) {
			struct sim_disk *image = sim_crash(n.disk, at / 2);

			sim_disk_free(n.disk);
			n.disk = image;
		}
		say(&wrong, check(&n, &g, false), &n, at, where);
		node_end(&n);
		runs++;
	}
	ok(runs > 200, "killed at each of %d calls that write, half of them with the power", runs);
	is_int(wrong, 0, "all that was told synced is there, once");
}

static void
test_failed(void)
{
	int wrong = 0, runs = 0, early = 0, twice = 0;
	bool fired = true;

	for (uint64_t at = 1; fired; at++) {
		struct ledger g;
		struct node n;
		char where[32];

		node_init(&n, at);
		settings(&n);
		node_start(&n);
		fault_plan(n.os, &(struct fault_plan){.calls = FAULT_ALL, .at = at, .kind = FAULT_FAIL,
		    .sticky = at % 2, .error = at % 3 == 0 ? ENOSPC : at % 3 == 1 ? EIO : EMFILE});
		work(&n, &g);
		fired = fault_fired(n.os) > 0;
		snprintf(where, sizeof(where), "%s", fault_where(n.os));
		early += g.failed_early;
		twice += n.failures > 1;
		if (n.s != NULL)
			node_kill(&n);
		else
			os_free(n.os);
		n.os = NULL;
		say(&wrong, check(&n, &g, false), &n, at, where);
		node_end(&n);
		runs++;
	}
	ok(runs > 300, "a failure at each of %d calls", runs);
	is_int(wrong, 0, "loses nothing that was told synced");
	is_int(early, 0, "nothing is told synced after the directory failed");
	is_int(twice, 0, "which is told once");
}

int
main(void)
{
	test_whole();
	test_orders();
	test_killed();
	test_failed();
	return tap_done();
}
