/* Compaction: which log, and what came of it. */
#include "mqd/ops/housekeeping_impl.h"

/* Up to where it may go; as far as is known. */
static int64_t
limit_of(const struct partition *p)
{
	return p->log->loaded ? partition_stable_end(p) : INT64_MAX;
}

static bool
wants_compaction(const struct housekeeping *h, const struct partition *p)
{
	(void)h;
	return p->log->settings.log.cleanup_compact && !p->upkeep.uncleanable;
}

static bool
is_stale(const struct housekeeping *h, const struct partition *p)
{
	const struct partition_upkeep *u = &p->upkeep;

	return !u->known || u->end_offset != p->log->end_offset ||
	    u->limit_offset != limit_of(p) || housekeeping_mono_ms(h) >= u->again_ms;
}

/* --- rounds ------------------------------------------------------------------------ */

static void
clean_end(struct housekeeping *h, bool again)
{
	int64_t wait_ms = again ? 0 : h->b->config->cleaner_backoff_ms;

	h->cleaning = NULL;
	round_end(&h->clean);
	if (h->stopping)
		return;
	if (!again && wait_ms < CLEANER_LEAST_MS)
		wait_ms = CLEANER_LEAST_MS;
	os_timer_start(h->b->os, &h->clean_timer, wait_ms);
}

/* Nothing is to be done with it for a while. */
static void
put_off(struct housekeeping *h, struct partition *p)
{
	struct partition_upkeep *u = &p->upkeep;

	u->known = true;
	u->due = false;
	u->end_offset = p->log->end_offset;
	u->limit_offset = limit_of(p);
	u->again_ms = housekeeping_mono_ms(h) + CLEANER_RETRY_MS;
}

/* --- the compaction ------------------------------------------------------------------ */

/* Is it what is in the log that is wrong? */
static bool
is_bad(const struct err *err)
{
	switch (err->code) {
	case ERR_AGAIN:
	case ERR_NOT_FOUND:
	case ERR_NOMEM:
	case ERR_NO_SPACE:
	case ERR_IO:
	case ERR_KAFKA_STORAGE_ERROR:
		return false;
	default:
		return true;
	}
}

static void
clean_failed(struct housekeeping *h, struct partition *p, const struct err *err)
{
	if (is_bad(err)) {
		p->upkeep.uncleanable = true;
		os_note(h->b->os, OS_ERROR, "%s-%d: not compacted any more until the next start: %s",
		    p->topic, p->number, err->text);
		return;
	}
	put_off(h, p);
	if (err->code != ERR_AGAIN && err->code != ERR_NOT_FOUND)
		os_note(h->b->os, OS_WARN, "%s-%d: compaction: %s", p->topic, p->number, err->text);
}

static void
cleaned(struct plog_compact *c)
{
	struct housekeeping *h = c->ctx;
	struct partition *p = h->cleaning;
	const struct compact_result *r = &c->result;
	bool moved = r->segments_in > 0 && r->first_dirty_offset > p->upkeep.first_dirty_offset;

	if (!housekeeping_has(h, p)) {
		clean_end(h, !h->stopping);
		return;
	}
	p->upkeep.aged = false;
	if (c->err.code != 0) {
		clean_failed(h, p, &c->err);
		clean_end(h, false);
		return;
	}
	p->upkeep.known = false;
	if (moved)
		os_note(h->b->os, OS_INFO,
		    "%s-%d: compacted up to offset %lld: %lld bytes in %lld segments became %lld in %lld",
		    p->topic, p->number, (long long)r->first_dirty_offset, (long long)r->bytes_in,
		    (long long)r->segments_in, (long long)r->bytes_out, (long long)r->segments_out);
	else
		put_off(h, p);
	clean_end(h, moved);
}

/* 0: as many as there are. */
static int64_t
bytes_per_second(const struct housekeeping *h)
{
	double most = h->b->config->cleaner_bytes_per_second;

	if (most >= (double)INT64_MAX / 2)
		return 0;
	return most < 1 ? 1 : (int64_t)most;
}

/* What is stable is known. */
static void
clean_loaded(struct plog_job *j)
{
	struct housekeeping *h = j->ctx;
	struct partition *p = h->cleaning;

	if (j->err.code != 0 || !housekeeping_has(h, p)) {
		if (housekeeping_has(h, p))
			put_off(h, p);
		clean_end(h, false);
		return;
	}
	h->clean_run = (struct plog_compact){.limit_offset = partition_stable_end(p),
	    .memory_bytes = (size_t)h->b->config->cleaner_memory,
	    .bytes_per_second = bytes_per_second(h), .always = true,
	    .done = cleaned, .ctx = h};
	plog_compact(p->log, &h->clean_run);
}

/* --- choosing ---------------------------------------------------------------------------- */

static struct partition *
dirtiest(const struct housekeeping *h)
{
	const struct round *r = &h->clean;
	struct partition *best = NULL;

	for (size_t i = 0; i < r->count; i++) {
		struct partition *p = r->all[i];

		if (housekeeping_has(h, p) && p->upkeep.known && p->upkeep.due &&
		    (best == NULL || p->upkeep.dirty_ratio > best->upkeep.dirty_ratio))
			best = p;
	}
	return best;
}

static void
choose(struct housekeeping *h)
{
	h->cleaning = dirtiest(h);
	if (h->cleaning == NULL) {
		clean_end(h, false);
		return;
	}
	h->clean_load = (struct plog_job){.done = clean_loaded, .ctx = h};
	plog_load(h->cleaning->log, &h->clean_load);
}

static void look_next(struct housekeeping *h);

static void
take_state(struct housekeeping *h, struct partition *p, const struct plog_look *k)
{
	const struct mlog_config *c = &p->log->settings.log;
	const struct compact_state *s = &k->state;
	struct partition_upkeep *u = &p->upkeep;
	int64_t bytes = s->clean_bytes + s->dirty_bytes;

	u->known = true;
	u->due = k->due;
	u->first_dirty_offset = s->first_dirty_offset;
	u->dirty_ratio = bytes > 0 ? (double)s->dirty_bytes / (double)bytes : 0;
	/* By the clock alone only a lag comes to its end. */
	u->again_ms = INT64_MAX;
	if (c->min_compaction_lag_ms > 0 || c->max_compaction_lag_ms != INT64_MAX)
		u->again_ms = housekeeping_mono_ms(h) + h->b->config->cleaner_backoff_ms;
}

static void
clean_looked(struct plog_look *k)
{
	struct housekeeping *h = k->ctx;
	struct partition *p = h->clean.all[h->clean.at];
	struct partition_upkeep *u = &p->upkeep;

	if (housekeeping_has(h, p) && u->version == h->clean_version) {
		if (k->err.code == 0)
			take_state(h, p, k);
		else if (k->err.code != ERR_AGAIN)
			put_off(h, p);
	}
	h->clean.at++;
	look_next(h);
}

/* Looks at those of which it is not known how dirty they are. */
static void
look_next(struct housekeeping *h)
{
	struct round *r = &h->clean;
	struct partition *p;

	while (r->at < r->count &&
	    (!housekeeping_has(h, r->all[r->at]) || !is_stale(h, r->all[r->at])))
		r->at++;
	if (r->at == r->count) {
		choose(h);
		return;
	}
	p = r->all[r->at];
	p->upkeep.end_offset = p->log->end_offset;
	p->upkeep.limit_offset = limit_of(p);
	h->clean_version = p->upkeep.version;
	h->clean_look = (struct plog_look){.compaction = true,
	    .limit_offset = p->upkeep.limit_offset, .done = clean_looked, .ctx = h};
	plog_look(p->log, &h->clean_look);
}

static void
clean_fire(struct os_timer *t)
{
	struct housekeeping *h = t->ctx;

	round_begin(h, &h->clean, wants_compaction);
	look_next(h);
}

void
cleaner_init(struct housekeeping *h)
{
	h->clean_timer = (struct os_timer){.fire = clean_fire, .ctx = h};
	clean_end(h, false);
}
