#include "client/producer.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* What a record costs in a batch besides its bytes, at most: varints, counts. */
#define RECORD_OVERHEAD_MAX 40

/* The memory of a batch, in a list while it is not used. */
struct room {
	struct batch_builder builder;
	struct room *next;
};

/* A batch: first being filled, then under way. */
struct flight {
	struct produce_call call; /* first: completions come with it */
	struct room *room;        /* NULL once the target has taken the bytes */
	struct producer_ack ack;
	struct buf inputs; /* if `numbered`, int64_t each: the caller's numbers of the records */
	struct lane *lane;
	struct flight *next; /* in the list of free ones, or of those under way */
	struct flight **link; /* what points to one under way */
};

/* One partition: the batch being filled, and how many are in flight. */
struct lane {
	struct producer *producer;
	struct producer_topic *topic;
	int32_t partition;
	struct flight *open; /* NULL if there is no record to send */
	struct os_timer linger;
	size_t in_flight;
	bool waiting; /* paused: send what is open once nothing is in flight */
};

struct producer_topic {
	char *name;
	struct lane *lanes;
	int32_t count;
	enum codec codec;
	int level;
	size_t bytes_max;   /* of a batch (max.message.bytes); SIZE_MAX: not known */
	size_t batch_bytes; /* when one is full */
	int32_t sticky; /* where records without a key go now; -1: draw anew */
	int32_t turn;   /* of round robin */
};

struct producer {
	struct target *target;
	struct producer_config config;
	struct map topics;  /* name -> struct producer_topic */
	struct producer_topic *last; /* the one used last */
	struct flight *free;
	struct flight *under_way;
	struct room *rooms; /* free ones */
	size_t in_flight;
	struct err failure; /* what stopped it; code 0: nothing */
};

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

static void
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

static void
topic_free(struct producer *p, struct producer_topic *t)
{
	for (int32_t i = 0; i < t->count; i++) {
		os_timer_stop(p->target->os, &t->lanes[i].linger);
		if (t->lanes[i].open != NULL)
			flight_free(t->lanes[i].open);
	}
	free(t->lanes);
	free(t->name);
	free(t);
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
		topic_free(p, e->value);
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

static void
lane_lingered(struct os_timer *t)
{
	lane_send(t->ctx, true);
}

/* --- topics and partitions ------------------------------------------------- */

/* Where a batch of the topic is full. What does not compress grows a little. */
static void
topic_set_limits(const struct producer *p, struct producer_topic *t, int64_t bytes_max)
{
	size_t most;

	t->bytes_max = most = bytes_max > 0 ? (size_t)bytes_max : SIZE_MAX;
	if (t->codec != CODEC_NONE)
		most -= most / 100;
	t->batch_bytes = p->config.batch_bytes < most ? p->config.batch_bytes : most;
}

/* The topic's codec goes before the producer's; where they agree, the producer's
 * level stands, as a broker leaves such batches alone. */
static void
topic_set_codec(const struct producer *p, struct producer_topic *t,
    const struct target_topic *from)
{
	t->codec = p->config.codec;
	t->level = p->config.level;
	if (!from->has_codec || from->codec == t->codec)
		return;
	t->codec = from->codec;
	t->level = from->codec_level;
	os_note(p->target->os, OS_INFO, "topic %s: codec %s, not %s (compression.type)",
	    from->name, codec_name(t->codec), codec_name(p->config.codec));
}

static struct producer_topic *
topic_new(struct producer *p, const struct target_topic *from, struct err *err)
{
	const char *name = from->name;
	size_t count = from->partition_count;
	struct producer_topic *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_nomem(err);
		return NULL;
	}
	t->name = strdup(name);
	t->lanes = calloc(count, sizeof(*t->lanes));
	t->count = (int32_t)count;
	t->sticky = -1;
	topic_set_codec(p, t, from);
	topic_set_limits(p, t, from->batch_bytes_max);
	if (t->name == NULL || t->lanes == NULL ||
	    map_put(&p->topics, name, strlen(name), t, NULL) == -1) {
		free(t->name);
		free(t->lanes);
		free(t);
		err_nomem(err);
		return NULL;
	}
	for (int32_t i = 0; i < t->count; i++)
		t->lanes[i] = (struct lane){
		    .producer = p,
		    .topic = t,
		    .partition = i,
		    .linger = {.fire = lane_lingered, .ctx = &t->lanes[i]},
		};
	return t;
}

/* Asks the target for a topic, which it may make. */
static struct producer_topic *
topic_fetch(struct producer *p, const char *name, struct err *err)
{
	struct arena arena;
	struct metadata_call mc = {
	    .names = &name, .name_count = 1, .auto_create = true, .arena = &arena};
	struct producer_topic *t = NULL;

	arena_init(&arena, 0);
	target_metadata(p->target, &mc);
	if (target_wait(p->target, &mc.call) == -1)
		*err = mc.call.err;
	else if (mc.topics[0].code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "no topic %s (auto.create.topics.enable is false)", name);
	else if (mc.topics[0].code == ERR_INVALID_TOPIC_EXCEPTION)
		err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "'%s' is no name of a topic", name);
	else if (mc.topics[0].code != 0)
		err_set(err, mc.topics[0].code, "topic %s: %s", name,
		    err_name(mc.topics[0].code));
	else if (mc.topics[0].internal)
		err_set(err, ERR_REFUSED, "topic %s is Kafka's own; records are not written to it", name);
	else if (mc.topics[0].partition_count == 0)
		err_set(err, ERR_LEADER_NOT_AVAILABLE, "topic %s has no partitions", name);
	else
		t = topic_new(p, &mc.topics[0], err);
	arena_release(&arena);
	return t;
}

struct producer_topic *
producer_topic(struct producer *p, const char *name, struct err *err)
{
	struct producer_topic *t = p->last;

	if (p->failure.code != 0) {
		*err = p->failure;
		return NULL;
	}
	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	t = map_get(&p->topics, name, strlen(name));
	if (t == NULL)
		t = topic_fetch(p, name, err);
	if (t != NULL)
		p->last = t;
	return t;
}

/* Uniform enough: counts are far below 2^32. One partition needs no chance. */
static int32_t
draw(struct producer *p, int32_t count)
{
	uint32_t r;

	if (count == 1)
		return 0;
	os_random(p->target->os, &r, sizeof(r));
	return (int32_t)(r % (uint32_t)count);
}

static int32_t
choose(struct producer *p, struct producer_topic *t, const struct record *rec)
{
	int32_t n = partition_for_key(p->config.partitioner, rec->key, rec->key_size, t->count);

	if (n >= 0)
		return n;
	switch (p->config.partitioner) {
	case PARTITION_RR:
		n = t->turn;
		t->turn = (t->turn + 1) % t->count;
		return n;
	case PARTITION_RANDOM:
		return draw(p, t->count);
	default:
		/* Sticky: the same partition until its batch leaves. */
		if (t->sticky == -1)
			t->sticky = draw(p, t->count);
		return t->sticky;
	}
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
		    "a record of %zu bytes; topic %s takes %zu (max.message.bytes)",
		    batch_builder_size(bb), l->topic->name, l->topic->bytes_max);
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
	l = &t->lanes[partition >= 0 ? partition : choose(p, t, rec)];
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
