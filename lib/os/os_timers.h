/*
 * Armed timers as a list in order of their due times; those of one time fire
 * in the order in which they were armed. Shared by the real and the simulated
 * loop; private to lib/os.
 */
#ifndef OS_OS_TIMERS_H
#define OS_OS_TIMERS_H

#include "os/os.h"

static inline void
timers_remove(struct os_timer **head, struct os_timer *t)
{
	if (!t->os_armed)
		return;
	while (*head != t)
		head = &(*head)->os_next;
	*head = t->os_next;
	t->os_armed = false;
}

static inline void
timers_insert(struct os_timer **head, struct os_timer *t, int64_t due_ns)
{
	timers_remove(head, t);
	while (*head != NULL && (*head)->os_due_ns <= due_ns)
		head = &(*head)->os_next;
	t->os_due_ns = due_ns;
	t->os_next = *head;
	*head = t;
	t->os_armed = true;
}

#endif
