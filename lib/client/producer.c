/* producer: records are put into batches, and batches handed to the target. */
#include <stdlib.h>
#include <string.h>

#include "client/producer_impl.h"

/* What a record costs in a batch besides its bytes, at most: varints, counts. */
#define RECORD_OVERHEAD_MAX 40

void
producer_config_default(struct producer_config *c)
{
	*c = (struct producer_config){
	    .acks = ACKS_ALL,
	    .codec = CODEC_NONE,
	    .level = CODEC_LEVEL_DEFAULT,
	    .linger_ms = -1,
	    .partitioner = PARTITION_MURMUR2,
	};
}

struct producer *
producer_new(struct target *t, const struct producer_config *c, struct err *err)
{
	struct producer *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		err_nomem(err);
		return NULL;
	}
	p->target = t;
	p->config = *c;
	if (p->config.batch_bytes == 0)
		p->config.batch_bytes = t->batch_bytes;
	map_init(&p->topics);
	return p;
}

static void
room_free(struct room *r)
{
	if (r == NULL)
		return;
	batch_builder_release(&r->builder);
	free(r);
}

void
flight_free(struct flight *f)
{
	room_free(f->room);
	buf_release(&f->inputs);
	free(f);
}

/* A batch is under way. */
static void
flight_enter(struct producer *p, struct flight *f)
{
	p->in_flight++;
	f->lane->in_flight++;
	f->next = p->under_way;
	f->link = &p->under_way;
	if (f->next != NULL)
		f->next->link = &f->next;
	p->under_way = f;
}

/* It no longer is. */
static void
flight_leave(struct producer *p, struct flight *f)
{
	p->in_flight--;
	f->lane->in_flight--;
	*f->link = f->next;
	if (f->next != NULL)
		f->next->link = f->link;
}

/* The loop cannot wait: nothing under way will be told. */
static void
withdraw_all(struct producer *p)
{
	while (p->under_way != NULL) {
		struct flight *f = p->under_way;

		target_withdraw(p->target, &f->call.call);
		flight_leave(p, f);
		flight_free(f);
	}
}

/* One turn of the loop. */
static void
turn(struct producer *p)
{
	struct err err;

	if (target_turn(p->target, -1, &err) == 0)
		return;
	withdraw_all(p);
	if (p->failure.code == 0)
		p->failure = err;
}

void
producer_free(struct producer *p)
{
	if (p == NULL)
		return;
	/* Calls under way point into us. */
	while (p->in_flight > 0)
		turn(p);
	for (struct map_entry *e = NULL; (e = map_next(&p->topics, e)) != NULL;)
		producer_topic_free(p, e->value);
	map_release(&p->topics);
	while (p->free != NULL) {
		struct flight *f = p->free;

		p->free = f->next;
		flight_free(f);
	}
	while (p->rooms != NULL) {
		struct room *r = p->rooms;

		p->rooms = r->next;
		room_free(r);
	}
	free(p);
}

int
producer_check(const struct producer *p, struct err *err)
{
	if (p->failure.code == 0)
		return 0;
	*err = p->failure;
	return -1;
}

/* --- a batch leaves, and comes back ---------------------------------------- */

static void flight_done(struct call *call);

/* The batch's memory is free for the next one. */
static void
room_return(struct producer *p, struct flight *f)
{
	if (f->room == NULL)
		return;
	f->room->next = p->rooms;
	p->rooms = f->room;
	f->room = NULL;
}

/* Hands the open batch to the target. */
static void
lane_send(struct lane *l, bool urgent)
{
	struct producer *p = l->producer;
	struct flight *f = l->open;
	struct batch b;

	l->waiting = false;
	if (f == NULL || p->failure.code != 0)
		return;
	l->open = NULL;
	if (l->topic->sticky == l->partition)
		l->topic->sticky = -1;
	os_timer_stop(p->target->os, &l->linger);
	flight_enter(p, f);
	f->call = (struct produce_call){
	    .call = {.done = flight_done},
	    .topic = l->topic->name,
	    .partition = l->partition,
	    .acks = p->config.acks,
	    .urgent = urgent,
	    .base_offset = -1,
	    .append_time = NO_TIMESTAMP,
	};
	f->ack.record_count = f->room->builder.head.record_count;
	if (batch_builder_finish(&f->room->builder, &b, &f->call.call.err) == -1) {
		flight_done(&f->call.call);
		return;
	}
	f->ack.timestamp = b.base_timestamp;
	/* A view is const; the memory is the builder's, and so ours. */
	f->call.bytes = (uint8_t *)(uintptr_t)b.bytes;
	f->call.len = (size_t)b.size;
	target_produce(p->target, &f->call);
	if (f->call.taken)
		room_return(p, f);
}

static void
flight_done(struct call *call)
{
	struct flight *f = (struct flight *)call;
	struct lane *l = f->lane;
	struct producer *p = l->producer;

	flight_leave(p, f);
	f->ack.base_offset = f->call.base_offset;
	f->ack.inputs = (const int64_t *)(const void *)f->inputs.data;
	if (f->call.append_time != NO_TIMESTAMP)
		f->ack.timestamp = f->call.append_time;
	if (call->err.code == 0) {
		if (p->config.acked != NULL)
			p->config.acked(p->config.ctx, &f->ack);
	} else if (p->config.failed == NULL ||
	    !p->config.failed(p->config.ctx, &f->ack, &call->err)) {
		if (p->failure.code == 0)
			p->failure = call->err;
	}
	room_return(p, f);
	f->next = p->free;
	p->free = f;
	if (l->waiting && l->in_flight == 0)
		lane_send(l, true);
}

void
lane_lingered(struct os_timer *t)
{
	lane_send(t->ctx, true);
}

/* --- records come in ------------------------------------------------------- */

static struct room *
room_take(struct producer *p, const struct producer_topic *t)
{
	struct room *r = p->rooms;

	if (r != NULL) {
		p->rooms = r->next;
		batch_builder_reset(&r->builder);
		r->builder.codec = t->codec;
		r->builder.level = t->level;
	} else if ((r = calloc(1, sizeof(*r))) != NULL) {
		batch_builder_init(&r->builder, t->codec, t->level);
	}
	return r;
}

/* Begins a batch, with what an earlier one has left behind if there is any. */
static struct flight *
flight_begin(struct producer *p, struct lane *l, struct err *err)
{
	struct flight *f = p->free;

	if (f != NULL)
		p->free = f->next;
	else
		f = calloc(1, sizeof(*f));
	if (f == NULL || (f->room = room_take(p, l->topic)) == NULL) {
		if (f != NULL)
			flight_free(f);
		err_nomem(err);
		return NULL;
	}
	buf_clear(&f->inputs);
	f->lane = l;
	f->ack = (struct producer_ack){.topic = l->topic->name, .partition = l->partition};
	if (p->config.linger_ms >= 0)
		os_timer_start(p->target->os, &l->linger, p->config.linger_ms);
	return f;
}

/* Turns the loop until one more batch may be under way. */
static int
wait_for_room(struct producer *p, struct err *err)
{
	if (p->target->needs_turns && p->failure.code == 0 &&
	    target_turn(p->target, 0, err) == -1)
		return -1;
	while (p->in_flight >= p->target->produce_calls_max && p->failure.code == 0)
		turn(p);
	if (p->failure.code != 0) {
		*err = p->failure;
		return -1;
	}
	return 0;
}

static size_t
record_room(const struct record *rec)
{
	return RECORD_OVERHEAD_MAX + rec->headers.len +
	    (size_t)(rec->key_size > 0 ? rec->key_size : 0) +
	    (size_t)(rec->value_size > 0 ? rec->value_size : 0);
}

static bool
lane_full(const struct lane *l, size_t more)
{
	const struct producer_config *c = &l->producer->config;
	const struct batch_builder *bb = &l->open->room->builder;

	return batch_builder_size(bb) + more > l->topic->batch_bytes ||
	    (c->batch_records > 0 && bb->head.record_count >= c->batch_records);
}

/* Takes back a batch that no record got into. */
static void
lane_drop(struct lane *l)
{
	struct producer *p = l->producer;
	struct flight *f = l->open;

	l->open = NULL;
	os_timer_stop(p->target->os, &l->linger);
	room_return(p, f);
	f->next = p->free;
	p->free = f;
}

/* Adds to the open batch. A record that no batch may hold is told before others
 * share its fate; of a compressed one only the target can tell. */
static int
lane_add(struct lane *l, const struct record *rec, int64_t input, struct err *err)
{
	struct producer *p = l->producer;
	struct flight *f = l->open;
	struct batch_builder *bb = &f->room->builder;

	/* A record in the batch without its number would shift those of the others. */
	if (p->config.numbered && buf_reserve(&f->inputs, sizeof(input)) == -1) {
		if (bb->head.record_count == 0)
			lane_drop(l);
		return err_nomem(err);
	}
	if (batch_builder_add(bb, rec, err) == -1) {
		if (bb->head.record_count == 0)
			lane_drop(l);
		return -1;
	}
	if (bb->head.record_count == 1 && bb->codec == CODEC_NONE &&
	    batch_builder_size(bb) > l->topic->bytes_max) {
		err_set(err, ERR_MESSAGE_TOO_LARGE,
		    "a record of %zu bytes; topic %s takes %zu "
		    "(mq-topics alter %s -X max.message.bytes=%zu)",
		    batch_builder_size(bb), l->topic->name, l->topic->bytes_max, l->topic->name,
		    batch_builder_size(bb));
		lane_drop(l);
		return -1;
	}
	if (p->config.numbered)
		buf_put(&f->inputs, &input, sizeof(input));
	return 0;
}

int
producer_send(struct producer *p, struct producer_topic *t, int32_t partition,
    const struct record *rec, int64_t input, struct err *err)
{
	struct lane *l;

	if (p->failure.code != 0) {
		*err = p->failure;
		return -1;
	}
	if (partition >= t->count)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "topic %s has no partition %d, only 0 to %d", t->name, partition, t->count - 1);
	l = &t->lanes[partition >= 0 ? partition : producer_topic_choose(p, t, rec)];
	if (l->open != NULL && lane_full(l, record_room(rec))) {
		lane_send(l, false);
		if (wait_for_room(p, err) == -1)
			return -1;
	}
	if (l->open == NULL && (l->open = flight_begin(p, l, err)) == NULL)
		return -1;
	if (lane_add(l, rec, input, err) == -1)
		return -1;
	/* With the last record that fits, a batch need not wait for another. */
	if (lane_full(l, 0)) {
		lane_send(l, false);
		return wait_for_room(p, err);
	}
	return 0;
}

/* Calls `each` for every partition that has a batch open. */
static void
each_open(struct producer *p, void (*each)(struct lane *l))
{
	for (struct map_entry *e = NULL; (e = map_next(&p->topics, e)) != NULL;) {
		struct producer_topic *t = e->value;

		for (int32_t i = 0; i < t->count; i++)
			if (t->lanes[i].open != NULL)
				each(&t->lanes[i]);
	}
}

static void
lane_pause(struct lane *l)
{
	if (l->in_flight > 0)
		l->waiting = true;
	else
		lane_send(l, true);
}

static void
lane_flush(struct lane *l)
{
	lane_send(l, true);
}

void
producer_pause(struct producer *p)
{
	/* With a linger of his own the user chose when batches leave. */
	if (p->config.linger_ms < 0)
		each_open(p, lane_pause);
}

int
producer_flush(struct producer *p, struct err *err)
{
	struct call flush = {.done = NULL};

	each_open(p, lane_flush);
	target_flush(p->target, &flush);
	if (target_wait(p->target, &flush) == -1 && p->failure.code == 0)
		p->failure = flush.err;
	while (p->in_flight > 0)
		turn(p);
	if (p->failure.code != 0) {
		*err = p->failure;
		return -1;
	}
	return 0;
}
