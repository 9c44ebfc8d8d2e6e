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
 * A broker that gives no producer ids gets one batch of a partition at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_impl.h"

/* Requests under way to one leader: what a broker remembers of a producer is as much. */
#define IN_FLIGHT_MAX 5
#define REQUEST_BYTES_MAX (4u << 20)

/* How long a broker waits for its replicas. */
#define ACKS_TIMEOUT_MS 30000

/* How long a batch is tried for, unless the user says. */
#define DELIVERY_MS 120000

struct pbatch {
	struct produce_call *call; /* NULL: withdrawn */
	struct outlet *outlet;
	struct pbatch *next;
	int32_t records;
	int32_t sequence; /* -1: none yet */
	bool is_flying;
	int64_t deadline_ns;
	struct err err; /* of the last try */
};

/* A partition that is produced to. */
struct outlet {
	struct broker_target *bt;
	struct cluster_topic *topic;
	int32_t partition;
	struct pbatch *first, **last; /* unfinished, in order */
	size_t flying;
	bool is_draining;
	bool is_anew; /* when drained, numbers begin at 0 with the next epoch */
	int tries;
	int64_t retry_ns;
	int64_t id;
	int16_t epoch;
	int32_t next_sequence;
	bool is_ready; /* in the list */
	struct outlet *next_ready;
};

/* A leader. */
struct sender {
	size_t flying; /* requests */
	struct produce_ask *building;
	size_t building_bytes;
};

struct produce_ask {
	struct ask ask;
	struct broker_target *bt;
	struct sender *sender;
	struct pbatch **batches;
	size_t count, cap;
	enum target_acks acks;
	bool by_name; /* some topic has no id */
	struct produce_ask *next, **link;
};

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

static void
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

static struct sender *
sender_find(struct broker_target *bt, int32_t node)
{
	struct sender *s = map_get(&bt->senders, &node, sizeof(node));

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	if (s == NULL || map_put(&bt->senders, &node, sizeof(node), s, NULL) == -1) {
		free(s);
		return NULL;
	}
	return s;
}

/* --- a batch ends ---------------------------------------------------------------- */

static void
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
static void
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

static void
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

static void
batch_answered(struct pbatch *b, const struct produce_response_partition *p)
{
	struct outlet *o = b->outlet;
	struct err err = {.code = 0};
	int code = p->error_code;

	if (code == 0 || code == ERR_DUPLICATE_SEQUENCE_NUMBER) {
		o->tries = 0;
		if (b->call != NULL) {
			b->call->base_offset = code == 0 ? p->base_offset : -1;
			b->call->append_time = p->log_append_time_ms;
		}
		batch_end(b, NULL);
		return;
	}
	broker_err(&err, code, p->error_message, "%s-%d", o->topic->name, o->partition);
	batch_failed(b, &err);
}

/* Finds the batch that an answer is about: mostly the next one. */
static struct pbatch *
batch_of(struct produce_ask *pa, const struct produce_response_topic *t, int32_t partition,
    size_t *hint)
{
	for (size_t i = 0; i < pa->count; i++) {
		size_t n = (*hint + i) % pa->count;
		struct pbatch *b = pa->batches[n];

		if (b == NULL || b->outlet->partition != partition)
			continue;
		if (t->name.len > 0 ? !wire_str_is(t->name, b->outlet->topic->name) :
		                      !uuid_equal(&t->topic_id, &b->outlet->topic->id))
			continue;
		*hint = n + 1;
		pa->batches[n] = NULL;
		return b;
	}
	return NULL;
}

static int
produce_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct produce_response *r = msg;
	struct produce_ask *pa = a->ctx;
	size_t hint = 0;

	(void)version;
	(void)err;
	for (int32_t i = 0; i < r->responses.count; i++) {
		const struct produce_response_topic *t = &r->responses.items[i];

		for (int32_t k = 0; k < t->partition_responses.count; k++) {
			const struct produce_response_partition *p =
			    &t->partition_responses.items[k];
			struct pbatch *b = batch_of(pa, t, p->index, &hint);

			if (b == NULL)
				continue;
			b->is_flying = false;
			b->outlet->flying--;
			outlet_ready(b->outlet);
			batch_answered(b, p);
		}
	}
	return 0;
}

static void
produce_ask_free(struct produce_ask *pa)
{
	*pa->link = pa->next;
	if (pa->next != NULL)
		pa->next->link = pa->link;
	free(pa->batches);
	free(pa);
}

/* What was not answered for goes again. */
static void
produce_done(struct ask *a)
{
	struct produce_ask *pa = a->ctx;
	struct broker_target *bt = pa->bt;
	struct err why = a->err;

	if (why.code == 0 && !a->silent)
		err_set(&why, ERR_NETWORK_EXCEPTION, "a broker said nothing of a batch");
	pa->sender->flying--;
	for (size_t i = 0; i < pa->count; i++) {
		struct pbatch *b = pa->batches[i];

		if (b == NULL)
			continue;
		b->is_flying = false;
		b->outlet->flying--;
		outlet_ready(b->outlet);
		if (a->silent && why.code == 0)
			batch_end(b, NULL);
		else if (a->silent)
			batch_fail(b, &why);
		else
			batch_failed(b, &why);
	}
	produce_ask_free(pa);
	broker_produce_pump(bt);
}

/* --- a request ---------------------------------------------------------------------- */

static int
produce_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct produce_ask *pa = a->ctx;
	struct produce_request *r = msg;
	struct produce_request_partition *parts =
	    arena_array(&a->arena, pa->count, sizeof(*parts));
	struct produce_request_topic *t = NULL;
	const struct cluster_topic *topic = NULL;

	r->topic_data.items = arena_array(&a->arena, pa->count, sizeof(r->topic_data.items[0]));
	if (parts == NULL || r->topic_data.items == NULL)
		return err_nomem(err);
	r->acks = (int16_t)pa->acks;
	r->timeout_ms = ACKS_TIMEOUT_MS;
	r->topic_data.count = 0;
	for (size_t i = 0; i < pa->count; i++) {
		const struct pbatch *b = pa->batches[i];

		if (b->call == NULL)
			continue; /* withdrawn */
		if (topic != b->outlet->topic) {
			topic = b->outlet->topic;
			t = &r->topic_data.items[r->topic_data.count++];
			*t = (struct produce_request_topic){.name = wire_str_of(topic->name),
			    .partition_data = {parts, 0}};
			if (version >= 13)
				t->topic_id = topic->id;
		}
		*parts++ = (struct produce_request_partition){.index = b->outlet->partition,
		    .records = wire_bytes_of(b->call->bytes, b->call->len)};
		t->partition_data.count++;
	}
	return t != NULL ? 0 : err_set(err, ERR_CLOSED, "nothing is left to send");
}

static struct produce_ask *
produce_ask_new(struct broker_target *bt, struct sender *s, int32_t node, enum target_acks acks)
{
	struct produce_ask *pa = calloc(1, sizeof(*pa));

	if (pa == NULL)
		return NULL;
	pa->bt = bt;
	pa->sender = s;
	pa->acks = acks;
	pa->ask = (struct ask){.api = API_PRODUCE,
	    .to = TO_NODE,
	    .node = node,
	    .kind = KIND_PRODUCE,
	    .hold_ms = acks == ACKS_ALL ? ACKS_TIMEOUT_MS : 0,
	    .once = true,
	    .silent = acks == ACKS_NONE,
	    .fill = produce_fill,
	    .answer = produce_answer,
	    .done = produce_done,
	    .ctx = pa};
	pa->next = bt->produce_asks;
	pa->link = &bt->produce_asks;
	if (pa->next != NULL)
		pa->next->link = &pa->next;
	bt->produce_asks = pa;
	return pa;
}

static int
by_topic(const void *a, const void *b)
{
	const struct pbatch *const *x = a, *const *y = b;
	uintptr_t s = (uintptr_t)(*x)->outlet->topic, t = (uintptr_t)(*y)->outlet->topic;

	return (s > t) - (s < t);
}

static void
sender_send(struct broker_target *bt, struct sender *s)
{
	struct produce_ask *pa = s->building;

	if (pa == NULL)
		return;
	qsort(pa->batches, pa->count, sizeof(struct pbatch *), by_topic);
	s->building = NULL;
	s->building_bytes = 0;
	s->flying++;
	pa->ask.version_max = pa->by_name ? 12 : 0;
	cluster_ask(bt->cluster, &pa->ask);
}

/* Numbers a batch that has none. */
static void
batch_number(struct pbatch *b)
{
	struct outlet *o = b->outlet;

	if (b->call->acks == ACKS_NONE || o->bt->producer != PRODUCER_READY || b->sequence >= 0)
		return;
	if (o->id == NO_PRODUCER) {
		o->id = o->bt->producer_id;
		o->epoch = o->bt->producer_epoch;
	}
	b->sequence = o->next_sequence;
	o->next_sequence = sequence_add(o->next_sequence, b->records);
	batch_set_producer(b->call->bytes, o->id, o->epoch, b->sequence);
}

/* 1: it is in the request being built; 0: not now; -1: no memory. */
static int
sender_add(struct broker_target *bt, struct sender *s, int32_t node, struct pbatch *b)
{
	struct produce_ask *pa = s->building;

	if (pa != NULL &&
	    (s->building_bytes + b->call->len > REQUEST_BYTES_MAX ||
	        pa->acks != b->call->acks)) {
		sender_send(bt, s);
		pa = NULL;
	}
	if (s->flying >= IN_FLIGHT_MAX)
		return 0;
	if (pa == NULL && (pa = produce_ask_new(bt, s, node, b->call->acks)) == NULL)
		return -1;
	s->building = pa;
	if (pa->count == pa->cap) {
		size_t cap = pa->cap * 2 + 4;
		struct pbatch **more = realloc(pa->batches, cap * sizeof(struct pbatch *));

		if (more == NULL)
			return -1;
		pa->batches = more;
		pa->cap = cap;
	}
	batch_number(b);
	pa->batches[pa->count++] = b;
	pa->by_name |= uuid_is_zero(&b->outlet->topic->id);
	s->building_bytes += b->call->len;
	b->is_flying = true;
	b->outlet->flying++;
	return 1;
}

/* --- a producer id --------------------------------------------------------------------- */

static int
id_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct init_producer_id_request *r = msg;

	(void)a;
	(void)version;
	(void)err;
	r->transactional_id = wire_str_null();
	r->transaction_timeout_ms = INT32_MAX;
	return 0;
}

static int
id_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct init_producer_id_response *r = msg;
	struct broker_target *bt = a->ctx;

	(void)version;
	if (r->error_code != 0)
		return err_set(err, r->error_code, "a producer id: %s", err_name(r->error_code));
	bt->producer_id = r->producer_id;
	bt->producer_epoch = r->producer_epoch;
	return 0;
}

static void
id_done(struct ask *a)
{
	struct broker_target *bt = a->ctx;
	int code = a->err.code;

	if (code == 0) {
		bt->producer = PRODUCER_READY;
	} else if (code == ERR_UNSUPPORTED_VERSION || code == ERR_CLUSTER_AUTHORIZATION_FAILED) {
		os_note(bt->target.os, OS_INFO, "%s: what is sent again may be there twice",
		    a->err.text);
		bt->producer = PRODUCER_PLAIN;
	} else {
		bt->producer = PRODUCER_NONE;
		for (struct map_entry *e = NULL; (e = map_next(&bt->outlets, e)) != NULL;) {
			struct outlet *o = e->value;

			while (o->first != NULL && o->flying == 0)
				batch_end(o->first, &a->err);
		}
	}
	broker_produce_pump(bt);
}

/* True if batches may leave. */
static bool
has_producer(struct broker_target *bt)
{
	if (bt->producer == PRODUCER_READY || bt->producer == PRODUCER_PLAIN)
		return true;
	if (bt->producer == PRODUCER_NONE) {
		bt->producer = PRODUCER_ASKING;
		cluster_ask(bt->cluster, &bt->producer_ask);
	}
	return false;
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
		err_set(&err, ERR_BUSY, "%s-%d: no broker has taken it in time%s%s",
		    o->topic->name, o->partition, b->err.code != 0 ? ": " : "",
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
	if (o->is_draining || (bt->producer == PRODUCER_PLAIN && o->flying > 0 && b->call->acks != ACKS_NONE))
		return true;
	if (now < o->retry_ns) {
		if (o->retry_ns < *due_ns)
			*due_ns = o->retry_ns;
		return true;
	}
	if (b->call->acks != ACKS_NONE && !has_producer(bt))
		return true;
	leader = cluster_leader(o->topic, o->partition);
	if (leader < 0) {
		if (o->topic->is_known && o->topic->code != 0)
			broker_err(&b->err, o->topic->code, wire_str_null(), "topic %s",
			    o->topic->name);
		cluster_refresh(bt->cluster);
		return true;
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
	map_init(&bt->senders);
	bt->ready_last = &bt->ready;
	bt->produce_timer = (struct os_timer){.fire = on_timer, .ctx = bt};
	bt->producer_ask = (struct ask){.api = API_INIT_PRODUCER_ID,
	    .to = TO_ANY,
	    .fill = id_fill,
	    .answer = id_answer,
	    .done = id_done,
	    .ctx = bt};
}

void
broker_produce_free(struct broker_target *bt)
{
	os_timer_stop(bt->target.os, &bt->produce_timer);
	while (bt->produce_asks != NULL) {
		cluster_cancel(&bt->produce_asks->ask);
		produce_ask_free(bt->produce_asks);
	}
	cluster_cancel(&bt->producer_ask);
	for (struct map_entry *e = NULL; (e = map_next(&bt->outlets, e)) != NULL;) {
		struct outlet *o = e->value;

		while (o->first != NULL) {
			struct pbatch *b = o->first;

			o->first = b->next;
			free(b);
		}
		free(o);
	}
	for (struct map_entry *e = NULL; (e = map_next(&bt->senders, e)) != NULL;)
		free(e->value);
	map_release(&bt->outlets);
	map_release(&bt->senders);
}
