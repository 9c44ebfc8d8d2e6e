/*
 * Armed timers, the earliest first; those of one time fire in the order in
 * which they were armed. Shared by the real and the simulated loop; private to
 * lib/os.
 *
 * A pairing heap inside the timers: arming costs no more than a comparison,
 * stopping and firing O(log n) on average, and no memory is wanted. A timer
 * that is armed is the root, or os_prev is its left neighbour or, of a first
 * child, its parent.
 */
#ifndef OS_OS_TIMERS_H
#define OS_OS_TIMERS_H

#include "os/os.h"

struct os_timers {
	struct os_timer *root; /* the earliest, or NULL */
	uint64_t armed;	       /* how many there were ever */
};

static inline bool
timers_is_before(const struct os_timer *a, const struct os_timer *b)
{
	return a->os_due_ns != b->os_due_ns ? a->os_due_ns < b->os_due_ns : a->os_turn < b->os_turn;
}

/* Makes one heap of two that have no neighbours; either may be NULL. */
static inline struct os_timer *
timers_meld(struct os_timer *a, struct os_timer *b)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	if (timers_is_before(b, a)) {
		struct os_timer *t = a;
		a = b;
		b = t;
	}
	b->os_prev = a;
	b->os_next = a->os_child;
	if (b->os_next != NULL)
		b->os_next->os_prev = b;
	a->os_child = b;
	return a;
}

/* Makes one heap of a list of neighbours: in pairs from the left, then all of
 * them from the right. */
static inline struct os_timer *
timers_meld_list(struct os_timer *t)
{
	struct os_timer *pairs = NULL, *heap = NULL;

	while (t != NULL) {
		struct os_timer *a = t, *b = t->os_next;
		t = b != NULL ? b->os_next : NULL;
		a->os_next = NULL;
		if (b != NULL)
			b->os_next = NULL;
		a = timers_meld(a, b);
		a->os_next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct os_timer *a = pairs;
		pairs = a->os_next;
		a->os_next = NULL;
		heap = timers_meld(heap, a);
	}
	if (heap != NULL)
		heap->os_prev = NULL;
	return heap;
}

static inline void
timers_remove(struct os_timers *h, struct os_timer *t)
{
	struct os_timer *rest;

	if (!t->os_armed)
		return;
	rest = timers_meld_list(t->os_child);
	if (t == h->root) {
		h->root = rest;
	} else {
		if (t->os_prev->os_child == t)
			t->os_prev->os_child = t->os_next;
		else
			t->os_prev->os_next = t->os_next;
		if (t->os_next != NULL)
			t->os_next->os_prev = t->os_prev;
		h->root = timers_meld(h->root, rest);
	}
	t->os_child = t->os_next = t->os_prev = NULL;
	t->os_armed = false;
}

static inline void
timers_insert(struct os_timers *h, struct os_timer *t, int64_t due_ns)
{
	timers_remove(h, t);
	t->os_child = t->os_next = t->os_prev = NULL;
	t->os_due_ns = due_ns;
	t->os_turn = h->armed++;
	t->os_armed = true;
	h->root = timers_meld(h->root, t);
}

#endif
