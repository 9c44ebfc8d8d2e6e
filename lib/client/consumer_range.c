/* consumer_range: from points such as "an hour ago" to offsets. */
#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "client/consumer_impl.h"

/* The first and last that a partition has, and the offset for a time. */
struct bounds {
	int64_t start, end, at_time;
};

static int
ask_bounds(struct consumer *c, struct part **parts, size_t count, struct point p,
    struct bounds *out, struct err *err)
{
	const size_t per_part = 3;
	struct offset_query *q = calloc(count * per_part + 1, sizeof(*q));
	struct offsets_call call = {.queries = q, .isolation = c->config.isolation};
	int64_t timestamp = p.kind == POINT_TIME ? p.value : OFFSET_EARLIEST;
	int ret = 0;

	if (q == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct offset_query one = {
		    .topic = parts[i]->fetch.topic, .partition = parts[i]->fetch.partition};

		q[i * per_part] = q[i * per_part + 1] = q[i * per_part + 2] = one;
		q[i * per_part].timestamp = OFFSET_EARLIEST;
		q[i * per_part + 1].timestamp = OFFSET_LATEST;
		q[i * per_part + 2].timestamp = timestamp;
	}
	call.query_count = count * per_part;
	target_offsets(c->target, &call);
	if (target_wait(c->target, &call.call) == -1) {
		*err = call.call.err;
		ret = -1;
	}
	for (size_t i = 0; i < count && ret == 0; i++) {
		const struct offset_query *at = &q[i * per_part];

		for (size_t k = 0; k < per_part && ret == 0; k++)
			if (at[k].code != 0)
				ret = err_set(err, at[k].code, "%s-%d: %s", at->topic,
				    at->partition, err_name(at[k].code));
		out[i] = (struct bounds){at[0].offset, at[1].offset, at[2].offset};
	}
	free(q);
	return ret;
}

/* Committed offsets of the parts, -1 where there is none, into `out`. */
static int
ask_committed(struct consumer *c, struct part **parts, size_t count, int64_t *out,
    struct err *err)
{
	struct group_position *pos = calloc(count + 1, sizeof(*pos));
	struct committed_call call = {
	    .group = c->config.group, .positions = pos, .position_count = count};
	struct arena arena;
	int ret = 0;

	if (pos == NULL)
		return err_nomem(err);
	arena_init(&arena, 0);
	call.arena = &arena;
	for (size_t i = 0; i < count; i++)
		pos[i] = (struct group_position){.topic = parts[i]->fetch.topic,
		    .partition = parts[i]->fetch.partition,
		    .offset = -1};
	target_committed(c->target, &call);
	if (target_wait(c->target, &call.call) == -1) {
		*err = call.call.err;
		ret = -1;
	}
	for (size_t i = 0; i < count; i++)
		out[i] = pos[i].offset;
	arena_release(&arena);
	free(pos);
	return ret;
}

static int64_t
clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

/* `v` + `by` (both >= 0) without overflow. */
static int64_t
add(int64_t v, int64_t by)
{
	return by > INT64_MAX - v ? INT64_MAX : v + by;
}

static int64_t
point_offset(struct point p, const struct bounds *b)
{
	switch (p.kind) {
	case POINT_NONE:
	case POINT_BEGINNING:
	case POINT_STORED: /* nothing stored: from the beginning */
		return b->start;
	case POINT_END:
		return b->end;
	case POINT_OFFSET:
		return p.value;
	case POINT_AFTER:
		return add(b->start, p.value);
	case POINT_BEFORE:
		return p.value > b->end - b->start ? b->start : b->end - p.value;
	case POINT_TIME:
		return b->at_time == -1 ? b->end : b->at_time;
	}
	assert(!"a point of no kind");
	return -1;
}

int
consumer_resolve_ends(struct consumer *c, struct part **parts, size_t count, struct err *err)
{
	struct point to = c->config.range.to;
	struct bounds *b;
	int ret = 0;

	if (to.kind == POINT_NONE && !c->config.stop_at_end) {
		for (size_t i = 0; i < count; i++)
			parts[i]->to = -1;
		return 0;
	}
	b = calloc(count + 1, sizeof(*b));
	if (b == NULL)
		return err_nomem(err);
	ret = ask_bounds(c, parts, count, to, b, err);
	for (size_t i = 0; i < count && ret == 0; i++) {
		int64_t at = to.kind == POINT_NONE ? b[i].end : point_offset(to, &b[i]);

		/* -e beside a range: whichever comes first. */
		parts[i]->to = c->config.stop_at_end ? clamp(at, 0, b[i].end) : at;
	}
	free(b);
	return ret;
}

/* --- the last N records ---------------------------------------------------- */

/* Counts the records of [from, to) that would be given out. */
static int
count_records(struct consumer *c, const struct part *p, int64_t from, int64_t to, int64_t *count,
    struct err *err)
{
	struct part look = {.fetch = {.topic = p->fetch.topic,
	                        .topic_id = p->fetch.topic_id,
	                        .partition = p->fetch.partition,
	                        .offset = from}};
	struct fetch_part *asked = &look.fetch;
	struct fetch_call call = {
	    .parts = &asked, .part_count = 1, .isolation = c->config.isolation};
	struct batch b;
	struct record rec;
	int got = 0;

	*count = 0;
	while (look.fetch.offset < to) {
		call.call = (struct call){.done = NULL};
		target_fetch(c->target, &call);
		if (target_wait(c->target, &call.call) == -1) {
			*err = call.call.err;
			got = -1;
			break;
		}
		if (!look.fetch.ready)
			break;
		while ((got = target_next(c->target, &look.fetch, &b, err)) == 1) {
			if (batch_is_control(&b) || part_is_aborted(&look, &b))
				continue;
			if (record_reader_open(&c->reader, &b, err) == -1)
				break;
			while (record_reader_next(&c->reader, &rec, err) == 1)
				if (rec.offset >= from && rec.offset < to)
					++*count;
		}
		if (got == -1 && err->code != ERR_CORRUPT)
			break;
		got = 0; /* damage is told when the records are read for good */
	}
	target_forget(c->target, &look.fetch);
	return got;
}

/* Finds where the last `tail` records begin: steps back until enough lie
 * between, since offsets have gaps; passes over the surplus. */
static int
resolve_tail(struct consumer *c, struct part *p, const struct bounds *b, struct err *err)
{
	int64_t want = c->config.tail;
	int64_t end = p->to >= 0 ? clamp(p->to, b->start, b->end) : b->end;
	int64_t span = want, count;

	for (;;) {
		p->fetch.offset = span > end - b->start ? b->start : end - span;
		if (count_records(c, p, p->fetch.offset, end, &count, err) == -1)
			return -1;
		if (count >= want || p->fetch.offset == b->start)
			break;
		span = add(span, add(span, want - count));
	}
	p->skip = count > want ? count - want : 0;
	return 0;
}

/* --- committed offsets that the log does not have --------------------------- */

/* One past the last record written, also in a transaction that is open. */
static int
ask_written_end(struct consumer *c, const struct part *p, int64_t *end, struct err *err)
{
	struct offset_query q = {.topic = p->fetch.topic,
	    .partition = p->fetch.partition,
	    .timestamp = OFFSET_LATEST};
	struct offsets_call call = {
	    .queries = &q, .query_count = 1, .isolation = READ_UNCOMMITTED};

	target_offsets(c->target, &call);
	if (target_wait(c->target, &call.call) == -1) {
		*err = call.call.err;
		return -1;
	}
	if (q.code != 0)
		return err_set(err, q.code, "%s-%d: %s", q.topic, q.partition, err_name(q.code));
	*end = q.offset;
	return 0;
}

/* Does the log have p->committed? Its end counts, where the next record will be.
 * 1; 0 with the end; -1. Records may have been added, and committed, since the
 * bounds were asked for, so only the end as of now says that it has not. */
static int
has_committed(struct consumer *c, const struct part *p, const struct bounds *b, int64_t *end,
    struct err *err)
{
	*end = b->end;
	if (p->committed >= b->start && p->committed <= b->end)
		return 1;
	if (ask_written_end(c, p, end, err) == -1)
		return -1;
	return p->committed >= b->start && p->committed <= *end;
}

/* As after Kafka's OFFSET_OUT_OF_RANGE: on where auto.offset.reset says. */
static int
reset(struct consumer *c, struct part *p, const struct bounds *b, int64_t end, struct err *err)
{
	int64_t was = p->committed;

	p->committed = -1;
	p->is_reset = true;
	if (c->config.unstored == POINT_NONE)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE,
		    "%s-%d: group %s has committed offset %lld, but the log begins at %lld and ends "
		    "at %lld (auto.offset.reset is none)", p->fetch.topic, p->fetch.partition,
		    c->config.group, (long long)was, (long long)b->start, (long long)end);
	p->fetch.offset = point_offset((struct point){c->config.unstored, 0}, b);
	os_note(c->target->os, OS_WARN,
	    "%s-%d: group %s has committed offset %lld, but the log begins at %lld and ends at "
	    "%lld; going on at %lld (auto.offset.reset)", p->fetch.topic, p->fetch.partition,
	    c->config.group, (long long)was, (long long)b->start, (long long)end,
	    (long long)p->fetch.offset);
	return 0;
}

/* Where a part begins: `stored` is what its group has committed, or -1. One that
 * the group gives back is not begun again as the range says: others have read on. */
static int
resolve_start(struct consumer *c, struct part *p, const struct bounds *b, int64_t stored,
    struct err *err)
{
	struct point from = c->config.range.from;
	bool from_stored = c->config.group != NULL &&
	    (from.kind == POINT_STORED || from.kind == POINT_NONE);
	int64_t end;
	int has = 1;

	p->committed = from_stored || p->begun ? stored : -1;
	p->is_reset = false;
	if (p->committed >= 0 && (has = has_committed(c, p, b, &end, err)) == -1)
		return -1;
	if (c->config.tail >= 0 && !p->begun) {
		if (has == 0)
			p->committed = -1;
		return resolve_tail(c, p, b, err);
	}
	if (has == 0)
		return reset(c, p, b, end, err);
	if (p->committed >= 0)
		p->fetch.offset = p->committed;
	else if (p->begun)
		p->fetch.offset = p->delivered;
	else if (from_stored && c->config.unstored == POINT_NONE)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE,
		    "%s-%d: group %s has no committed offset (auto.offset.reset is none)",
		    p->fetch.topic, p->fetch.partition, c->config.group);
	else if (from_stored)
		p->fetch.offset = point_offset((struct point){c->config.unstored, 0}, b);
	else
		p->fetch.offset = clamp(point_offset(from, b), b->start, INT64_MAX);
	return 0;
}

int
consumer_resolve_starts(struct consumer *c, struct part **parts, size_t count, struct err *err)
{
	struct bounds *b = calloc(count + 1, sizeof(*b));
	int64_t *stored = calloc(count + 1, sizeof(*stored));
	int ret = 0;

	if (b == NULL || stored == NULL)
		ret = err_nomem(err);
	for (size_t i = 0; i < count && ret == 0; i++)
		stored[i] = -1;
	if (ret == 0)
		ret = ask_bounds(c, parts, count, c->config.range.from, b, err);
	if (ret == 0 && c->config.group != NULL)
		ret = ask_committed(c, parts, count, stored, err);
	for (size_t i = 0; i < count && ret == 0; i++) {
		struct part *p = parts[i];

		ret = resolve_start(c, p, &b[i], stored[i], err);
		p->begun = ret == 0;
		p->delivered = p->handled = p->fetch.offset;
	}
	free(b);
	free(stored);
	return ret;
}
