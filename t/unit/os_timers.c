/* The heap of timers: order, ties, removal, cost. */
#include <stdlib.h>

#include "os/os_timers.h"
#include "tap.h"

#define COUNT 20000

static struct os_timer timers[COUNT];
static uint64_t state = 1;

static unsigned
draw(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % below;
}

/* Takes the first off, as the loop does. */
static struct os_timer *
take(struct os_timers *h)
{
	struct os_timer *t = h->root;

	if (t != NULL)
		timers_remove(h, t);
	return t;
}

static void
test_order(void)
{
	struct os_timers h = {.root = NULL};
	const struct os_timer *last = NULL;
	size_t count = 0, wrong = 0;

	for (size_t i = 0; i < COUNT; i++)
		timers_insert(&h, &timers[i], draw(1000));
	for (const struct os_timer *t; (t = take(&h)) != NULL; last = t, count++)
		wrong += last != NULL &&
			 (last->os_due_ns > t->os_due_ns ||
			     (last->os_due_ns == t->os_due_ns && last->os_turn > t->os_turn));
	is_int((intmax_t)count, COUNT, "all come out");
	is_int((intmax_t)wrong, 0, "the earliest first, those of one time as they were armed");
}

static void
test_one_time(void)
{
	struct os_timers h = {.root = NULL};
	size_t wrong = 0;

	for (size_t i = 0; i < COUNT; i++)
		timers_insert(&h, &timers[i], 7);
	for (size_t i = 0; i < COUNT; i++)
		wrong += take(&h) != &timers[i];
	is_int((intmax_t)wrong, 0, "all at one time: in order");
}

/* Against a plain array: arms, arms anew, stops and takes at random. */
static void
test_any_order(void)
{
	enum { SOME = 60 };
	struct os_timers h = {.root = NULL};
	size_t wrong = 0;

	for (int step = 0; step < 200000; step++) {
		struct os_timer *t = &timers[draw(SOME)], *first = NULL;
		switch (draw(4)) {
		case 0:
		case 1:
			timers_insert(&h, t, draw(50));
			break;
		case 2:
			timers_remove(&h, t);
			break;
		case 3:
			take(&h);
			break;
		}
		for (int i = 0; i < SOME; i++)
			if (timers[i].os_armed &&
			    (first == NULL || timers_is_before(&timers[i], first)))
				first = &timers[i];
		wrong += h.root != first;
	}
	while (take(&h) != NULL)
		continue;
	is_int((intmax_t)wrong, 0, "the first is the first after any arming and stopping");
}

/* Each armed anew for later, as time-outs are: a list would take minutes. */
static void
test_cost(void)
{
	struct os_timers h = {.root = NULL};

	for (size_t i = 0; i < COUNT; i++)
		timers_insert(&h, &timers[i], (int64_t)i);
	for (int round = 1; round <= 50; round++)
		for (size_t i = 0; i < COUNT; i++)
			timers_insert(&h, &timers[i], round * (int64_t)COUNT + (int64_t)i);
	is_int(h.root->os_due_ns, 50 * (int64_t)COUNT, "a million armings of twenty thousand");
	while (take(&h) != NULL)
		continue;
}

int
main(void)
{
	test_order();
	test_one_time();
	test_any_order();
	test_cost();
	return tap_done();
}
