/* Rounds through the partitions; retention. */
#include "mqd/ops/housekeeping_impl.h"

#include <stdlib.h>

/* --- rounds ------------------------------------------------------------------------ */

struct collect {
	struct housekeeping *h;
	struct round *round;
	bool (*wanted)(const struct housekeeping *h, const struct partition *p);
};

static int
collect(void *ctx, struct partition *p)
{
	const struct collect *c = ctx;
	struct round *r = c->round;

	if (!housekeeping_has(c->h, p) || !c->wanted(c->h, p))
		return 0;
	if (r->count == r->cap) {
		size_t cap = r->cap > 0 ? r->cap * 2 : 32;
		struct partition **all = reallocarray(r->all, cap, sizeof(*all));

		if (all == NULL)
			return 1; /* those that are left out have their turn later */
		r->all = all;
		r->cap = cap;
	}
	partition_hold(p);
	r->all[r->count++] = p;
	return 0;
}

void
round_begin(struct housekeeping *h, struct round *r,
    bool (*wanted)(const struct housekeeping *h, const struct partition *p))
{
	struct collect c = {h, r, wanted};

	r->running = true;
	r->at = 0;
	(void)partitions_each(h->b->partitions, collect, &c);
}

void
round_end(struct round *r)
{
	for (size_t i = 0; i < r->count; i++)
		partition_release(r->all[i]);
	free(r->all);
	*r = (struct round){0};
}

/* --- what can go --------------------------------------------------------------------- */

static bool
is_too_large(const struct partition *p, const struct mlog_config *c)
{
	const struct mlog_oldest *o = &p->upkeep.oldest;
	int64_t bytes = p->log->loaded ? p->log->bytes : o->bytes, over;

	if (c->retention_bytes < 0)
		return false;
	over = bytes - c->retention_bytes;
	return over > 0 && over >= o->first_bytes;
}

/* By what was seen last. An append makes nothing older, so that stays true. */
static bool
can_expire(const struct housekeeping *h, const struct partition *p)
{
	const struct mlog_config *c = &p->log->settings.log;
	const struct mlog_oldest *o = &p->upkeep.oldest;
	int64_t now_ms = os_wall_ms(h->b->os);

	if (o->next_base != -1 && o->next_base <= p->upkeep.start_offset)
		return true;
	if (!c->cleanup_delete || o->newest_ms == -1)
		return false;
	if (is_too_large(p, c))
		return true;
	return c->retention_ms >= 0 && o->newest_ms < now_ms - c->retention_ms && !h->doubted;
}

/* Worth a look? Of an empty log nothing is known once it has been written to. */
static bool
wants_retention(const struct housekeeping *h, const struct partition *p)
{
	const struct partition_upkeep *u = &p->upkeep;

	if (!u->aged || u->aged_start != p->log->start_offset)
		return true;
	if (u->oldest.newest_ms == -1 && u->aged_end != p->log->end_offset)
		return true;
	return can_expire(h, p);
}

static void
look_at_clock(struct housekeeping *h)
{
	bool sound = logs_clock_is_sound(h->b->logs);

	if (!sound && !h->doubted)
		os_note(h->b->os, OS_WARN,
		    "the clock has jumped: nothing is deleted by its age for an hour");
	h->doubted = !sound;
}

/* --- one partition after another -------------------------------------------------------- */

static void
retain_on(struct housekeeping *h)
{
	int64_t spread_ms = h->b->config->retention_check_ms / 2 / (int64_t)h->retain.count;

	h->retain.at++;
	os_timer_start(h->b->os, &h->retain_next,
	    spread_ms < HOUSEKEEPING_SPREAD_MS ? spread_ms : HOUSEKEEPING_SPREAD_MS);
}

static void
retained(struct plog_retain *r)
{
	struct housekeeping *h = r->ctx;
	struct partition *p = h->retain.all[h->retain.at];

	p->upkeep.aged = false;
	if (r->gone.segments > 0)
		os_note(h->b->os, OS_INFO, "%s-%d: retention: %lld segments deleted, %lld bytes",
		    p->topic, p->number, (long long)r->gone.segments, (long long)r->gone.bytes);
	if (r->err.code != 0 && housekeeping_has(h, p))
		os_note(h->b->os, OS_WARN, "%s-%d: retention: %s", p->topic, p->number,
		    r->err.text);
	retain_on(h);
}

/* What is committed is known. */
static void
retain_loaded(struct plog_job *j)
{
	struct housekeeping *h = j->ctx;
	struct partition *p = h->retain.all[h->retain.at];

	if (j->err.code != 0 || !housekeeping_has(h, p)) {
		retain_on(h);
		return;
	}
	h->retain_run = (struct plog_retain){
	    .limit_offset = p->high_watermark, .done = retained, .ctx = h};
	plog_retain(p->log, &h->retain_run);
}

static void
retain_looked(struct plog_look *k)
{
	struct housekeeping *h = k->ctx;
	struct partition *p = h->retain.all[h->retain.at];
	struct partition_upkeep *u = &p->upkeep;
	bool known = k->err.code == 0 || k->err.code == ERR_NOT_FOUND;

	if (!known || !housekeeping_has(h, p) || u->version != h->retain_version) {
		retain_on(h);
		return;
	}
	u->aged = true;
	u->start_offset = k->start_offset;
	u->oldest = k->oldest;
	if (!can_expire(h, p)) {
		retain_on(h);
		return;
	}
	h->retain_load = (struct plog_job){.done = retain_loaded, .ctx = h};
	plog_load(p->log, &h->retain_load);
}

static void
retain_next(struct os_timer *t)
{
	struct housekeeping *h = t->ctx;
	struct round *r = &h->retain;
	struct partition *p;

	while (r->at < r->count && !housekeeping_has(h, r->all[r->at]))
		r->at++;
	if (r->at == r->count) {
		round_end(r);
		return;
	}
	p = r->all[r->at];
	p->upkeep.aged_start = p->log->start_offset;
	p->upkeep.aged_end = p->log->end_offset;
	h->retain_version = p->upkeep.version;
	h->retain_look = (struct plog_look){.done = retain_looked, .ctx = h};
	plog_look(p->log, &h->retain_look);
}

static void
retain_fire(struct os_timer *t)
{
	struct housekeeping *h = t->ctx;

	os_timer_start(h->b->os, t, h->b->config->retention_check_ms);
	if (h->retain.running)
		return;
	look_at_clock(h);
	round_begin(h, &h->retain, wants_retention);
	retain_next(&h->retain_next);
}

/* --- life --------------------------------------------------------------------------- */

struct housekeeping *
housekeeping_new(struct broker *b)
{
	struct housekeeping *h = calloc(1, sizeof(*h));
	int64_t first_ms = b->config->retention_check_ms;

	if (h == NULL)
		return NULL;
	h->b = b;
	h->retain_timer = (struct os_timer){.fire = retain_fire, .ctx = h};
	h->retain_next = (struct os_timer){.fire = retain_next, .ctx = h};
	os_timer_start(b->os, &h->retain_timer,
	    first_ms < HOUSEKEEPING_FIRST_MS ? first_ms : HOUSEKEEPING_FIRST_MS);
	cleaner_init(h);
	return h;
}

void
housekeeping_stop(struct housekeeping *h)
{
	h->stopping = true;
	os_timer_stop(h->b->os, &h->retain_timer);
	os_timer_stop(h->b->os, &h->clean_timer);
}

void
housekeeping_free(struct housekeeping *h)
{
	if (h == NULL)
		return;
	housekeeping_stop(h);
	os_timer_stop(h->b->os, &h->retain_next);
	round_end(&h->retain);
	round_end(&h->clean);
	free(h);
}
