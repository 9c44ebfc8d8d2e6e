/* call_queue: calls in order, linked through call.next; for backends. */
#ifndef CLIENT_CALL_QUEUE_H
#define CLIENT_CALL_QUEUE_H

#include "client/target.h"

struct call_queue {
	struct call *first, **last;
};

static inline void
call_queue_init(struct call_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static inline void
call_queue_push(struct call_queue *q, struct call *c)
{
	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
}

static inline struct call *
call_queue_pop(struct call_queue *q)
{
	struct call *c = q->first;

	if (c != NULL && (q->first = c->next) == NULL)
		q->last = &q->first;
	return c;
}

/* True if it was there. */
static inline bool
call_queue_remove(struct call_queue *q, struct call *c)
{
	for (struct call **at = &q->first; *at != NULL; at = &(*at)->next) {
		if (*at != c)
			continue;
		*at = c->next;
		if (c->next == NULL)
			q->last = at;
		return true;
	}
	return false;
}

#endif
