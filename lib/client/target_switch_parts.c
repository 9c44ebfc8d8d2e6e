/* Parts that are read, from one side or the other. Each has an inner part, which the side
 * knows; it is let go of at the next call for it, since a batch of it may be in use. */
#include <stdlib.h>

#include "client/target_switch_impl.h"

struct inner_part {
	struct fetch_part part;
	struct side *side;
};

static void
leave(struct inner_part *ip)
{
	target_forget(ip->side->target, &ip->part);
	ip->side->users--;
}

static void
enter(struct inner_part *ip, const struct fetch_part *p, struct side *s)
{
	ip->part = (struct fetch_part){
	    .topic = p->topic, .topic_id = p->topic_id, .partition = p->partition};
	ip->side = s;
	s->users++;
}

/* What the caller may see of it. */
static void
show(const struct inner_part *ip, struct fetch_part *p)
{
	p->offset = ip->part.offset;
	p->ready = ip->part.ready;
	p->log_start = ip->part.log_start;
	p->end = ip->part.end;
	p->aborted = ip->part.aborted;
	p->aborted_count = ip->part.aborted_count;
}

static struct inner_part *
inner_of(struct switcher *sw, struct fetch_part *p)
{
	struct inner_part *ip = p->backend;

	if (ip == NULL) {
		ip = calloc(1, sizeof(*ip));
		if (ip == NULL)
			return NULL;
		p->backend = ip;
		enter(ip, p, sw->now);
	} else if (ip->side != sw->now) {
		leave(ip);
		enter(ip, p, sw->now);
		p->ready = false;
		p->aborted = NULL;
		p->aborted_count = 0;
	}
	ip->part.offset = p->offset;
	return ip;
}

int
switch_parts_in(struct errand *e, struct err *err)
{
	struct fetch_call *c = &e->inner.fetch;
	struct fetch_part **parts = c->parts;

	if (e->parts == NULL)
		e->parts = calloc(c->part_count + 1, sizeof(struct fetch_part *));
	if (e->parts == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->part_count; i++) {
		struct inner_part *ip = inner_of(e->sw, parts[i]);

		if (ip == NULL)
			return err_nomem(err);
		e->parts[i] = &ip->part;
	}
	c->parts = e->parts;
	return 0;
}

void
switch_parts_out(struct errand *e)
{
	const struct fetch_call *c = (const struct fetch_call *)e->outer;

	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->backend != NULL)
			show(c->parts[i]->backend, c->parts[i]);
}

int
switch_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err)
{
	struct inner_part *ip = p->backend;
	int got;

	if (ip == NULL || ip->side != switcher_of(t)->now) {
		p->ready = false;
		return 0;
	}
	ip->part.offset = p->offset;
	got = target_next(ip->side->target, &ip->part, b, err);
	show(ip, p);
	return got;
}

void
switch_forget(struct target *t, struct fetch_part *p)
{
	struct inner_part *ip = p->backend;

	(void)t;
	if (ip == NULL)
		return;
	leave(ip);
	free(ip);
	p->backend = NULL;
	p->ready = false;
	p->aborted = NULL;
	p->aborted_count = 0;
}
