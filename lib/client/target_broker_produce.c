/*
 * Producing to brokers: batches leave in order, several requests at once to each leader,
 * at most one batch of a partition in each.
 *
 * With acks other than 0 every batch bears the producer's id and a number (KIP-98), so
 * that what is sent again, after an answer was lost, is not appended twice, and what
 * comes out of order is refused. When a try fails, its partition is drained: nothing new
 * leaves until every answer is there, then all that is left goes again, in order, with
 * the numbers it had. A partition whose broker has lost count begins anew with the next
 * epoch (KIP-360), and so does one where a batch was given up.
 *
 * A batch that comes with a number keeps it, and those behind it go on from there: so a
 * batch in doubt can go from one target to another.
 *
 * A broker that gives no producer ids gets one batch of a partition at a time, and so does
 * one that has not taken any of this producer yet.
 */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_produce.h"

/* How long a batch is tried for, unless the user says. */
#define DELIVERY_MS 120000

/* --- outlets ------------------------------------------------------------------- */

static struct outlet *
outlet_find(struct broker_target *bt, const char *topic, int32_t partition)
{
	size_t len = strlen(topic) + 1;
	char key[300];
	struct outlet *o;

	if (len + sizeof(partition) > sizeof(key))
		return NULL;
	memcpy(key, topic, len);
	memcpy(key + len, &partition, sizeof(partition));
	len += sizeof(partition);
	o = map_get(&bt->outlets, key, len);
	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->bt = bt;
	o->topic = cluster_topic(bt->cluster, topic);
	o->partition = partition;
	o->last = &o->first;
	o->id = NO_PRODUCER;
	if (o->topic == NULL || map_put(&bt->outlets, key, len, o, NULL) == -1) {
		free(o);
		return NULL;
	}
	return o;
}

void
outlet_ready(struct outlet *o)
{
	struct broker_target *bt = o->bt;

	if (o->is_ready || o->first == NULL)
		return;
	o->is_ready = true;
	o->next_ready = NULL;
	*bt->ready_last = o;
	bt->ready_last = &o->next_ready;
}

/* The first that is not under way. */
static struct pbatch *
outlet_waiting(const struct outlet *o)
{
	struct pbatch *b = o->first;

	while (b != NULL && b->is_flying)
		b = b->next;
	return b;
}

/* --- a batch ends ---------------------------------------------------------------- */

void
batch_end(struct pbatch *b, const struct err *why)
{
	struct outlet *o = b->outlet;
	struct broker_target *bt = o->bt;
	struct pbatch **at = &o->first;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	if (o->last == &b->next)
		o->last = at;
	bt->unfinished--;
	if (b->call != NULL) {
		b->call->taken = true;
		broker_finish(bt, &b->call->call, why);
	}
	free(b);
	if (bt->unfinished == 0)
		for (struct call *c; (c = call_queue_pop(&bt->flushes)) != NULL;)
			broker_finish(bt, c, NULL);
}

/* It is given up: what follows it cannot keep its numbers. */
void
batch_fail(struct pbatch *b, const struct err *why)
{
	struct outlet *o = b->outlet;

	if (b->sequence >= 0) {
		o->is_draining = true;
		o->is_anew = true;
	}
	batch_end(b, why);
}

/* --- answers ----------------------------------------------------------------------- */

/* Codes of a try that was for nothing, but whose batch may go again. */
static bool
is_passing(const struct outlet *o, const struct pbatch *b, int code)
{
	switch (code) {
	case ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
	case ERR_UNKNOWN_PRODUCER_ID:
	case ERR_INVALID_PRODUCER_EPOCH:
		return b->sequence >= 0 && (o->is_draining || o->tries < 10);
	default:
		return err_is_retriable(code);
	}
}

/* The broker has lost count, or never had it: unless it is only that an earlier batch has
 * failed, whose own answer says why. */
static bool
has_lost_count(const struct outlet *o, const struct pbatch *b, int code)
{
	return b == o->first &&
	       (code == ERR_OUT_OF_ORDER_SEQUENCE_NUMBER || code == ERR_UNKNOWN_PRODUCER_ID ||
		   code == ERR_INVALID_PRODUCER_EPOCH);
}

void
batch_failed(struct pbatch *b, const struct err *why)
{
	struct outlet *o = b->outlet;

	if (!is_passing(o, b, why->code)) {
		batch_fail(b, why);
		return;
	}
	if (has_lost_count(o, b, why->code))
		o->is_anew = true;
	b->err = *why;
	if (!o->is_draining)
		o->retry_ns = os_mono_ns(o->bt->target.os) +
			      cluster_backoff_ms(o->bt->target.os, ++o->tries) * 1000000;
	o->is_draining = true;
	if (cluster_is_stale(why->code))
		cluster_refresh(o->bt->cluster);
}

/* What the broker says of the first record that it refused, or else of the batch. */
static struct wire_str
reason(const struct produce_response_partition *p)
{
	const struct produce_response_record_error *e = p->record_errors.items;

	return p->record_errors.count > 0 && e->batch_index_error_message.len > 0
	    ? e->batch_index_error_message
	    : p->error_message;
}

void
batch_answered(struct pbatch *b, const struct produce_response_partition *p)
{
	struct outlet *o = b->outlet;
	struct err err = {.code = 0};
	int code = p->error_code;

	if (code == 0 || code == ERR_DUPLICATE_SEQUENCE_NUMBER) {
		o->tries = 0;
		o->is_known = true;
		if (b->call != NULL) {
			b->call->base_offset = code == 0 ? p->base_offset : -1;
			b->call->append_time = p->log_append_time_ms;
		}
		batch_end(b, NULL);
		return;
	}
	if (code == ERR_MESSAGE_TOO_LARGE && o->topic->batch_bytes_max > 0 && b->call != NULL)
		err_set(&err, code,
		    "%s-%d: a batch of %zu bytes; the topic takes %lld "
		    "(mq-topics alter %s -X max.message.bytes=%zu)",
		    o->topic->name, o->partition, b->call->len,
		    (long long)o->topic->batch_bytes_max, o->topic->name, b->call->len);
	else
		broker_err(&err, code, reason(p), "%s-%d", o->topic->name, o->partition);
	batch_failed(b, &err);
}

/* --- the pump ------------------------------------------------------------------------------ */

/* All answers are there: what is left goes again. */
static void
outlet_drained(struct outlet *o)
{
	o->is_draining = false;
	if (!o->is_anew)
		return;
	o->is_anew = false;
	if (o->id == NO_PRODUCER)
		return;
	if (o->epoch == INT16_MAX) {
		/* It cannot go higher: a new id it is. */
		o->bt->producer = PRODUCER_NONE;
		o->id = NO_PRODUCER;
	} else {
		o->epoch++;
	}
	o->next_sequence = 0;
	o->is_known = false;
	for (struct pbatch *b = o->first; b != NULL; b = b->next)
		b->sequence = -1;
}

/* What has waited too long is given up. */
static void
outlet_expire(struct outlet *o, int64_t now)
{
	struct pbatch *b;
	struct err err;

	while ((b = outlet_waiting(o)) != NULL && now >= b->deadline_ns) {
		err_set(&err, ERR_BUSY, "%s-%d: no broker has taken it in time%s%s", o->topic->name,
		    o->partition, b->err.code != 0 ? ": " : "",
		    b->err.code != 0 ? b->err.text : "");
		batch_fail(b, &err);
	}
}

/* Withdrawn ones are not sent any more. */
static struct pbatch *
outlet_next(struct outlet *o)
{
	struct pbatch *b;

	while ((b = outlet_waiting(o)) != NULL && b->call == NULL)
		batch_fail(b, NULL);
	return b;
}

/* May it leave while others are under way? A broker that knows nothing of a producer takes
 * any number, so that the first batch goes alone. */
static bool
may_overtake(const struct outlet *o, const struct pbatch *b)
{
	return b->call->acks == ACKS_NONE || (o->bt->producer == PRODUCER_READY && o->is_known);
}

/* Nobody leads it, as far as is known: metadata is asked for. */
static void
lacks_leader(struct outlet *o, struct pbatch *b)
{
	const struct err *why = cluster_refresh_error(o->bt->cluster);

	if (o->topic->is_known && o->topic->code != 0)
		broker_err(&b->err, o->topic->code, wire_str_null(), "topic %s", o->topic->name);
	cluster_refresh(o->bt->cluster);
	if (why->code == 0)
		return;
	b->err = *why;
	if (!err_is_retriable(why->code))
		batch_fail(b, why);
}

/* Sends what this partition may send now. Returns true if it is to be looked at again
 * (its place in the list), *due_ns says when. */
static bool
outlet_pump(struct outlet *o, int64_t now, int64_t *due_ns)
{
	struct broker_target *bt = o->bt;
	struct pbatch *b;
	struct sender *s;
	int32_t leader;

	outlet_expire(o, now);
	if (o->is_draining && o->flying == 0)
		outlet_drained(o);
	b = outlet_next(o);
	if (b == NULL)
		return false;
	if (b->deadline_ns < *due_ns)
		*due_ns = b->deadline_ns;
	if (o->is_draining || (o->flying > 0 && !may_overtake(o, b)))
		return true;
	if (now < o->retry_ns) {
		if (o->retry_ns < *due_ns)
			*due_ns = o->retry_ns;
		return true;
	}
	if (b->call->acks != ACKS_NONE && !producer_is_ready(bt))
		return true;
	leader = cluster_leader(o->topic, o->partition);
	if (leader < 0) {
		lacks_leader(o, b);
		return o->first != NULL;
	}
	s = sender_find(bt, leader);
	if (s != NULL && s->flying < IN_FLIGHT_MAX)
		(void)sender_add(bt, s, leader, b);
	return outlet_waiting(o) != NULL;
}

void
broker_produce_pump(struct broker_target *bt)
{
	struct outlet *o = bt->ready, *next;
	int64_t now = os_mono_ns(bt->target.os), due = INT64_MAX;

	bt->ready = NULL;
	bt->ready_last = &bt->ready;
	for (; o != NULL; o = next) {
		next = o->next_ready;
		o->is_ready = false;
		if (outlet_pump(o, now, &due))
			outlet_ready(o);
	}
	for (struct map_entry *e = NULL; (e = map_next(&bt->senders, e)) != NULL;)
		sender_send(bt, e->value);
	if (due != INT64_MAX)
		os_timer_start(bt->target.os, &bt->produce_timer, (due - now) / 1000000 + 1);
}

static void
on_timer(struct os_timer *t)
{
	broker_produce_pump(t->ctx);
}

/* --- the target's ------------------------------------------------------------------------- */

void
broker_produce(struct target *t, struct produce_call *c)
{
	struct broker_target *bt = broker_target_of(t);
	struct outlet *o = outlet_find(bt, c->topic, c->partition);
	struct pbatch *b = calloc(1, sizeof(*b));
	int64_t timeout_ms = bt->options.timeout_ms > 0 ? bt->options.timeout_ms : DELIVERY_MS;
	struct batch view;
	struct err err;

	if (o == NULL || b == NULL) {
		free(b);
		err_nomem(&err);
		broker_finish(bt, &c->call, &err);
		return;
	}
	if (batch_view(c->bytes, c->len, &view) != BATCH_OK) {
		free(b);
		err_set(&err, ERR_INVALID_RECORD, "%s-%d: no batch", c->topic, c->partition);
		broker_finish(bt, &c->call, &err);
		return;
	}
	c->taken = false;
	c->call.is_produce = true;
	*b = (struct pbatch){.call = c,
	    .outlet = o,
	    .records = view.last_offset_delta + 1,
	    .sequence = -1,
	    .deadline_ns = os_mono_ns(t->os) + timeout_ms * 1000000};
	if (view.producer_id != NO_PRODUCER) {
		/* It was sent before, by another target: the log may have it. */
		b->sequence = view.base_sequence;
		o->id = view.producer_id;
		o->epoch = view.producer_epoch;
		o->next_sequence = sequence_add(b->sequence, b->records);
	}
	*o->last = b;
	o->last = &b->next;
	bt->unfinished++;
	outlet_ready(o);
	broker_produce_pump(bt);
}

void
broker_flush(struct target *t, struct call *c)
{
	struct broker_target *bt = broker_target_of(t);

	if (bt->unfinished == 0)
		broker_finish(bt, c, NULL);
	else
		call_queue_push(&bt->flushes, c);
}

/* What is under way goes on, from the link's copy; nothing is sent again. */
bool
broker_produce_withdraw(struct broker_target *bt, struct call *c)
{
	struct produce_call *pc = (struct produce_call *)c;
	struct outlet *o;

	if (!c->is_produce || (o = outlet_find(bt, pc->topic, pc->partition)) == NULL)
		return false;
	for (struct pbatch *b = o->first; b != NULL; b = b->next)
		if (b->call == pc) {
			b->call = NULL;
			return true;
		}
	return false;
}

void
broker_produce_init(struct broker_target *bt)
{
	map_init(&bt->outlets);
	bt->ready_last = &bt->ready;
	bt->produce_timer = (struct os_timer){.fire = on_timer, .ctx = bt};
	broker_send_init(bt);
}

void
broker_produce_free(struct broker_target *bt)
{
	os_timer_stop(bt->target.os, &bt->produce_timer);
	broker_send_free(bt);
	for (struct map_entry *e = NULL; (e = map_next(&bt->outlets, e)) != NULL;) {
		struct outlet *o = e->value;

		while (o->first != NULL) {
			struct pbatch *b = o->first;

			o->first = b->next;
			free(b);
		}
		free(o);
	}
	map_release(&bt->outlets);
}
