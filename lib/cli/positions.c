#include "cli/positions.h"

#include <assert.h>
#include <stdlib.h>

int
positions_options(const struct options *o, int64_t now_ms, struct point *point,
    struct partition_set *set, struct err *err)
{
	const char *text = options_value(o, 'o');
	size_t at = 0;

	if (text != NULL && point_parse(point, text, now_ms, err) == -1)
		return -1;
	while ((text = options_each(o, 'p', &at)) != NULL)
		if (partition_set_parse(set, text, err) == -1)
			return -1;
	return 0;
}

struct position *
positions_add(struct positions *p, const char *topic, int32_t partition, struct err *err)
{
	if (p->count == p->cap) {
		size_t cap = p->cap * 2 + 16;
		struct position *more = reallocarray(p->list, cap, sizeof(*more));

		if (more == NULL) {
			err_nomem(err);
			return NULL;
		}
		p->list = more;
		p->cap = cap;
	}
	p->list[p->count] = (struct position){
	    .topic = topic, .partition = partition, .start = -1, .end = -1, .at = -1,
	    .seen = -1};
	return &p->list[p->count++];
}

int
positions_add_topic(struct positions *p, const struct target_topic *t,
    const struct partition_set *set, struct err *err)
{
	int32_t beyond = partition_set_beyond(set, (int32_t)t->partition_count);

	if (beyond >= 0)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "topic %s has no partition %d, only 0 to %zu", t->name, beyond,
		    t->partition_count - 1);
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct target_partition *about = &t->partitions[i];
		struct position *at;

		if (!partition_set_has(set, about->number))
			continue;
		at = positions_add(p, t->name, about->number, err);
		if (at == NULL)
			return -1;
		at->of = t;
		at->about = about;
	}
	return 0;
}

void
positions_release(struct positions *p)
{
	free(p->list);
	*p = (struct positions){.list = NULL};
}

/* --- points ---------------------------------------------------------------- */

static int64_t
clamp(int64_t v, int64_t low, int64_t high)
{
	return v < low ? low : v > high ? high : v;
}

static int64_t
point_offset(struct point p, int64_t start, int64_t end, int64_t at_time)
{
	switch (p.kind) {
	case POINT_BEGINNING:
		return start;
	case POINT_NONE:
	case POINT_STORED:
	case POINT_END:
		return end;
	case POINT_OFFSET:
		return clamp(p.value, start, end);
	case POINT_AFTER:
		return p.value > end - start ? end : start + p.value;
	case POINT_BEFORE:
		return p.value > end - start ? start : end - p.value;
	case POINT_TIME:
		return at_time == -1 ? end : clamp(at_time, start, end);
	}
	assert(!"a point of no kind");
	return -1;
}

/* Three questions a partition: start, end, time. */
enum { ASK_START, ASK_END, ASK_TIME, ASKED };

static void
questions_put(const struct positions *p, struct point point, struct offsets_call *call)
{
	int64_t times[ASKED] = {OFFSET_EARLIEST, OFFSET_LATEST,
	    point.kind == POINT_TIME ? point.value : OFFSET_EARLIEST};

	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; k < ASKED && p->list[i].about != NULL; k++)
			call->queries[call->query_count++] = (struct offset_query){
			    .topic = p->list[i].topic,
			    .partition = p->list[i].partition,
			    .timestamp = times[k],
			};
}

static int
answers_take(struct positions *p, struct point point, const struct offset_query *q, struct err *err)
{
	for (size_t i = 0; i < p->count; i++) {
		struct position *at = &p->list[i];

		if (at->about == NULL)
			continue;
		for (size_t k = 0; k < ASKED; k++)
			if (q[k].code != 0)
				return err_set(err, q[k].code, "%s-%d: %s", at->topic,
				    at->partition, err_name(q[k].code));
		at->start = q[ASK_START].offset;
		at->end = q[ASK_END].offset;
		at->at = point_offset(point, at->start, at->end, q[ASK_TIME].offset);
		q += ASKED;
	}
	return 0;
}

int
positions_resolve(struct positions *p, struct target *t, struct point point, struct err *err)
{
	struct offsets_call call = {.isolation = READ_UNCOMMITTED};
	int ret;

	call.queries = calloc(p->count * ASKED + 1, sizeof(call.queries[0]));
	if (call.queries == NULL)
		return err_nomem(err);
	questions_put(p, point, &call);
	target_offsets(t, &call);
	ret = target_wait(t, &call.call);
	if (ret == -1)
		*err = call.call.err;
	else
		ret = answers_take(p, point, call.queries, err);
	free(call.queries);
	return ret;
}

/* --- times ----------------------------------------------------------------- */

/* Looks into one batch. Returns 1 if a record was found, 0, or -1. */
static int
batch_time(struct record_reader *r, const struct batch *b, int64_t offset, int64_t *timestamp,
    struct err *err)
{
	struct record rec;
	int got;

	if (batch_is_control(b))
		return 0;
	if (record_reader_open(r, b, err) == -1)
		return -1;
	while ((got = record_reader_next(r, &rec, err)) == 1) {
		if (rec.offset < offset)
			continue;
		*timestamp = rec.timestamp;
		return 1;
	}
	return got;
}

int
part_time(struct target *t, struct fetch_part *part, int64_t offset, int64_t *timestamp,
    struct err *err)
{
	struct record_reader reader = {.batch = NULL};
	struct batch b;
	int got = 0;

	*timestamp = -1;
	part->offset = offset;
	do {
		struct fetch_call call = {.parts = &part, .part_count = 1};

		if (!part->ready || offset >= part->end) {
			target_fetch(t, &call);
			if (target_wait(t, &call.call) == -1) {
				*err = call.call.err;
				got = -1;
				break;
			}
		}
		got = 0;
		while (part->ready && got == 0 && (got = target_next(t, part, &b, err)) == 1)
			got = batch_time(&reader, &b, offset, timestamp, err);
	} while (got == 0 && part->ready);
	record_reader_release(&reader);
	return got == -1 ? -1 : 0;
}

int
position_time(struct target *t, const char *topic, int32_t partition, int64_t offset,
    int64_t *timestamp, struct err *err)
{
	struct fetch_part part = {.topic = topic, .partition = partition};
	int ret = part_time(t, &part, offset, timestamp, err);

	target_forget(t, &part);
	return ret;
}
