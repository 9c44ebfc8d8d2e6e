/* mqd's logs, when memory fails (t/lib/fuzz_wrap.c): what fails is told, the rest goes on. */
#include "lib/fuzz.h"

#define MEMORY_HOLD() fuzz_memory_hold()
#define MEMORY_RESUME(held) fuzz_memory_resume(held)
#include "logs_story.h"

static void
test_memory(void)
{
	int wrong = 0, runs = 0, early = 0, lost = 0;
	bool failed = true;

	for (unsigned at = 1; failed; at += 1 + at / 200) {
		struct ledger g;
		struct node n;
		bool whole;

		node_init(&n, at);
		settings(&n);
		node_start(&n);
		fuzz_memory_fail(at, false);
		whole = work(&n, &g);
		failed = fuzz_memory_failed();
		fuzz_memory_hold();
		early += g.failed_early;
		/* The simulated machine has no memory left, either, and its writes fail. */
		if (n.failures == 0 && !whole && !n.stop_bad && g.appended > 0)
			lost++;
		if (n.failures == 0 && whole && g.appended < 2 * STEPS - 4)
			lost++;
		if (n.s != NULL)
			node_kill(&n);
		else
			os_free(n.os);
		n.os = NULL;
		say(&wrong, check(&n, &g, false), &n, at, "malloc");
		node_end(&n);
		runs++;
	}
	ok(runs > 300, "memory fails at each of many calls, in %d runs", runs);
	is_int(wrong, 0, "nothing is lost that was told synced");
	is_int(early, 0, "nor told that is not");
	is_int(lost, 0, "no more than what it was needed for fails");
}

static void
test_start(void)
{
	int wrong = 0, runs = 0;
	bool failed = true;

	for (unsigned at = 1; failed; at++) {
		struct node n;

		node_init(&n, at);
		if (sim_write(n.disk, "d/recovery-point-offset-checkpoint", "0\n1\nt 0 50", 11) == -1)
			wrong++;
		fuzz_memory_fail(at, false);
		if (node_start(&n))
			node_settle(&n);
		failed = fuzz_memory_failed();
		fuzz_memory_hold();
		if (n.s == NULL && !failed)
			wrong++;
		node_end(&n);
		runs++;
	}
	ok(runs > 5, "memory fails at each of %d calls of a start", runs);
	is_int(wrong, 0, "which says so, or does without");
}

int
main(void)
{
	test_memory();
	test_start();
	return tap_done();
}
