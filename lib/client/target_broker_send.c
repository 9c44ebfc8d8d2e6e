/* Requests that carry batches to leaders, and the producer's id that is in them. */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_produce.h"

#define REQUEST_BYTES_MAX (4u << 20)

/* How long a broker waits for its replicas. */
#define ACKS_TIMEOUT_MS 30000

struct sender *
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

/* --- answers ------------------------------------------------------------------- */

/* Finds the batch that an answer is about: mostly the next one. */
static struct pbatch *
batch_of(
    struct produce_ask *pa, const struct produce_response_topic *t, int32_t partition, size_t *hint)
{
	for (size_t i = 0; i < pa->count; i++) {
		size_t n = (*hint + i) % pa->count;
		struct pbatch *b = pa->batches[n];

		if (b == NULL || b->outlet->partition != partition)
			continue;
		if (t->name.len > 0 ? !wire_str_is(t->name, b->outlet->topic->name)
				    : !uuid_equal(&t->topic_id, &b->outlet->topic->id))
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
	struct produce_request_partition *parts = arena_array(&a->arena, pa->count, sizeof(*parts));
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
		if (t == NULL || topic != b->outlet->topic) {
			topic = b->outlet->topic;
			t = &r->topic_data.items[r->topic_data.count++];
			*t = (struct produce_request_topic){
			    .name = wire_str_of(topic->name), .partition_data = {parts, 0}};
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

void
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
int
sender_add(struct broker_target *bt, struct sender *s, int32_t node, struct pbatch *b)
{
	struct produce_ask *pa = s->building;

	if (pa != NULL &&
	    (s->building_bytes + b->call->len > REQUEST_BYTES_MAX || pa->acks != b->call->acks)) {
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
bool
producer_is_ready(struct broker_target *bt)
{
	if (bt->producer == PRODUCER_READY || bt->producer == PRODUCER_PLAIN)
		return true;
	if (bt->producer == PRODUCER_NONE) {
		bt->producer = PRODUCER_ASKING;
		cluster_ask(bt->cluster, &bt->producer_ask);
	}
	return false;
}

/* --- beginning and end --------------------------------------------------------- */

void
broker_send_init(struct broker_target *bt)
{
	map_init(&bt->senders);
	bt->producer_ask = (struct ask){.api = API_INIT_PRODUCER_ID,
	    .to = TO_ANY,
	    .fill = id_fill,
	    .answer = id_answer,
	    .done = id_done,
	    .ctx = bt};
}

void
broker_send_free(struct broker_target *bt)
{
	while (bt->produce_asks != NULL) {
		cluster_cancel(&bt->produce_asks->ask);
		produce_ask_free(bt->produce_asks);
	}
	cluster_cancel(&bt->producer_ask);
	for (struct map_entry *e = NULL; (e = map_next(&bt->senders, e)) != NULL;)
		free(e->value);
	map_release(&bt->senders);
}
