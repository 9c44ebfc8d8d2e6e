/* Offsets of partitions, as their leaders say: at a time, or at an end of the log. */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_impl.h"

enum query_state { QUERY_WAITING, QUERY_ASKED, QUERY_DONE };

struct offsets_op;

/* One request to one leader: no partition may stand in it twice. */
struct offsets_ask {
	struct ask ask;
	struct offsets_op *of;
	size_t *queries; /* their numbers */
	size_t count;
	struct offsets_ask *next, **link;
};

struct offsets_op {
	struct op op;
	struct offsets_call *call;
	uint8_t *states; /* enum query_state */
	uint8_t *ranks;	 /* how many before it are about the same partition */
	struct cluster_topic **topics;
	struct offsets_ask *asks;
	struct os_timer retry;
	int tries;
	int64_t deadline_ns;
	struct err err; /* of the last try */
	bool is_pumping;
};

static void pump(struct offsets_op *o);

static void
ask_free(struct offsets_ask *oa)
{
	*oa->link = oa->next;
	if (oa->next != NULL)
		oa->next->link = oa->link;
	free(oa->queries);
	free(oa);
}

static void
release(struct op *op)
{
	struct offsets_op *o = (struct offsets_op *)op;

	os_timer_stop(op->bt->target.os, &o->retry);
	while (o->asks != NULL) {
		cluster_cancel(&o->asks->ask);
		ask_free(o->asks);
	}
	free(o->states);
	free(o->ranks);
	free(o->topics);
	free(o);
}

/* --- one request ------------------------------------------------------------------ */

static int
offsets_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct offsets_ask *oa = a->ctx;
	struct offsets_op *o = oa->of;
	struct list_offsets_request *r = msg;
	struct list_offsets_request_partition *parts =
	    arena_array(&a->arena, oa->count, sizeof(*parts));
	struct list_offsets_request_topic *t = NULL;
	const struct cluster_topic *topic = NULL;

	r->topics.items = arena_array(&a->arena, oa->count, sizeof(r->topics.items[0]));
	if (parts == NULL || r->topics.items == NULL)
		return err_nomem(err);
	r->replica_id = -1;
	if (version >= 2)
		r->isolation_level = o->call->isolation == READ_COMMITTED;
	r->timeout_ms = 30000;
	for (size_t i = 0; i < oa->count; i++) {
		const struct offset_query *q = &o->call->queries[oa->queries[i]];

		parts[i] = (struct list_offsets_request_partition){.partition_index = q->partition,
		    .current_leader_epoch = -1,
		    .timestamp = q->timestamp};
		if (t == NULL || topic != o->topics[oa->queries[i]]) {
			topic = o->topics[oa->queries[i]];
			t = &r->topics.items[r->topics.count++];
			*t = (struct list_offsets_request_topic){
			    .name = wire_str_of(q->topic), .partitions = {&parts[i], 0}};
		}
		t->partitions.count++;
	}
	return 0;
}

static void
take(struct offsets_op *o, size_t n, const struct list_offsets_response_partition *p)
{
	struct offset_query *q = &o->call->queries[n];

	q->code = p->error_code;
	q->offset = p->error_code == 0 ? p->offset : -1;
	q->found_timestamp = p->error_code == 0 ? p->timestamp : -1;
	if (err_is_retriable(q->code)) {
		o->states[n] = QUERY_WAITING;
		broker_err(&o->err, q->code, wire_str_null(), "%s-%d", q->topic, q->partition);
		if (cluster_is_stale(q->code))
			cluster_refresh(o->op.bt->cluster);
	} else {
		o->states[n] = QUERY_DONE;
	}
}

static int
offsets_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct list_offsets_response *r = msg;
	struct offsets_ask *oa = a->ctx;
	struct offsets_op *o = oa->of;
	size_t hint = 0;

	(void)version;
	(void)err;
	for (int32_t i = 0; i < r->topics.count; i++)
		for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++) {
			const struct list_offsets_response_partition *p =
			    &r->topics.items[i].partitions.items[k];

			for (size_t tried = 0; tried < oa->count; tried++) {
				size_t at = (hint + tried) % oa->count, n = oa->queries[at];

				if (o->call->queries[n].partition != p->partition_index ||
				    o->states[n] != QUERY_ASKED ||
				    !wire_str_is(r->topics.items[i].name, o->topics[n]->name))
					continue;
				take(o, n, p);
				hint = at + 1;
				break;
			}
		}
	return 0;
}

static void
offsets_done(struct ask *a)
{
	struct offsets_ask *oa = a->ctx;
	struct offsets_op *o = oa->of;

	for (size_t i = 0; i < oa->count; i++)
		if (o->states[oa->queries[i]] == QUERY_ASKED)
			o->states[oa->queries[i]] = QUERY_WAITING;
	if (a->err.code != 0)
		o->err = a->err;
	ask_free(oa);
	if (o->err.code != 0 && !err_is_retriable(o->err.code)) {
		op_finish(&o->op, &o->err);
		return;
	}
	pump(o);
}

static int
ask_new(struct offsets_op *o, int32_t leader, uint8_t rank)
{
	struct offsets_ask *oa = calloc(1, sizeof(*oa));

	if (oa == NULL || (oa->queries = calloc(o->call->query_count, sizeof(size_t))) == NULL) {
		free(oa);
		return -1;
	}
	oa->of = o;
	oa->ask = (struct ask){.api = API_LIST_OFFSETS,
	    .to = TO_NODE,
	    .node = leader,
	    .once = true,
	    .fill = offsets_fill,
	    .answer = offsets_answer,
	    .done = offsets_done,
	    .ctx = oa};
	oa->next = o->asks;
	oa->link = &o->asks;
	if (oa->next != NULL)
		oa->next->link = &oa->next;
	o->asks = oa;
	for (size_t i = 0; i < o->call->query_count; i++) {
		const struct offset_query *q = &o->call->queries[i];

		if (o->states[i] != QUERY_WAITING || o->ranks[i] != rank ||
		    cluster_leader(o->topics[i], q->partition) != leader)
			continue;
		o->states[i] = QUERY_ASKED;
		oa->queries[oa->count++] = i;
	}
	cluster_ask(o->op.bt->cluster, &oa->ask);
	return 0;
}

/* --- all of them -------------------------------------------------------------------- */

/* What is known without a leader. True if the query must wait for metadata. */
static bool
lacks_leader(struct offsets_op *o, size_t i)
{
	struct offset_query *q = &o->call->queries[i];
	const struct cluster_topic *t = o->topics[i];

	if (!t->is_known)
		return true;
	if (t->code == 0 && q->partition >= t->count)
		q->code = ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else if (t->code != 0 &&
		 (t->code == ERR_UNKNOWN_TOPIC_OR_PARTITION || !err_is_retriable(t->code)))
		q->code = t->code;
	else
		return cluster_leader(t, q->partition) < 0;
	o->states[i] = QUERY_DONE;
	return false;
}

/* Asks every leader that something is to be asked of. Returns how many queries wait, or
 * -1: no memory. */
static long
ask_leaders(struct offsets_op *o)
{
	long waiting = 0;

	for (size_t i = 0; i < o->call->query_count; i++) {
		if (o->states[i] != QUERY_WAITING)
			continue;
		if (lacks_leader(o, i)) {
			waiting++;
			continue;
		}
		if (o->states[i] == QUERY_WAITING &&
		    ask_new(o, cluster_leader(o->topics[i], o->call->queries[i].partition),
			o->ranks[i]) == -1)
			return -1;
	}
	return waiting;
}

static void
finish_late(struct offsets_op *o)
{
	if (o->err.code == 0)
		err_set(&o->err, ERR_REQUEST_TIMED_OUT, "no leader of %s-%d",
		    o->call->queries[0].topic, o->call->queries[0].partition);
	op_finish(&o->op, &o->err);
}

static bool
is_done(const struct offsets_op *o)
{
	for (size_t i = 0; i < o->call->query_count; i++)
		if (o->states[i] != QUERY_DONE)
			return false;
	return true;
}

static bool
has_failed_try(const struct offsets_op *o)
{
	for (size_t i = 0; i < o->call->query_count; i++)
		if (o->states[i] == QUERY_WAITING && o->err.code != 0)
			return true;
	return false;
}

/* Asks what can be asked; ends if all is known, or late. */
static void
pump(struct offsets_op *o)
{
	struct os *os = o->op.bt->target.os;
	struct err err;
	long waiting;

	if (has_failed_try(o)) {
		/* After a pause; what is under way goes on. */
		if (os_mono_ns(os) >= o->deadline_ns) {
			finish_late(o);
			return;
		}
		o->err.code = 0;
		os_timer_start(os, &o->retry, cluster_backoff_ms(os, ++o->tries));
		return;
	}
	waiting = ask_leaders(o);
	if (waiting == -1) {
		err_nomem(&err);
		op_finish(&o->op, &err);
	} else if (is_done(o)) {
		op_finish(&o->op, NULL);
	} else if (waiting > 0) {
		const struct err *why = cluster_refresh_error(o->op.bt->cluster);

		cluster_refresh(o->op.bt->cluster);
		if (why->code != 0 && !err_is_retriable(why->code))
			op_finish(&o->op, why);
		else if (os_mono_ns(os) >= o->deadline_ns)
			finish_late(o);
		else
			os_timer_start(os, &o->retry, 1000);
	}
}

static void
on_retry(struct os_timer *t)
{
	pump(t->ctx);
}

static void
on_refreshed(struct op *op)
{
	pump((struct offsets_op *)op);
}

/* Topics, and which queries are about a partition that came before. */
static int
prepare(struct offsets_op *o, struct cluster *c)
{
	struct map seen;
	char key[300];
	int ret = 0;

	map_init(&seen);
	for (size_t i = 0; i < o->call->query_count && ret == 0; i++) {
		struct offset_query *q = &o->call->queries[i];
		size_t len = strnlen(q->topic, 260);
		uintptr_t rank;

		q->code = 0;
		q->offset = q->found_timestamp = -1;
		o->topics[i] = cluster_topic(c, q->topic);
		memcpy(key, q->topic, len);
		memcpy(key + len, &q->partition, sizeof(q->partition));
		len += sizeof(q->partition);
		rank = (uintptr_t)map_get(&seen, key, len);
		o->ranks[i] = (uint8_t)rank;
		if (o->topics[i] == NULL || rank >= UINT8_MAX ||
		    map_put(&seen, key, len, (void *)(rank + 1), NULL) == -1)
			ret = -1;
	}
	map_release(&seen);
	return ret;
}

void
broker_offsets(struct target *t, struct offsets_call *call)
{
	struct broker_target *bt = broker_target_of(t);
	struct offsets_op *o;
	struct err err;

	if (call->query_count == 0) {
		broker_finish(bt, &call->call, NULL);
		return;
	}
	o = op_new(bt, &call->call, sizeof(*o), release);
	if (o == NULL)
		return;
	o->call = call;
	o->op.refreshed = on_refreshed;
	o->retry = (struct os_timer){.fire = on_retry, .ctx = o};
	o->deadline_ns = os_mono_ns(t->os) +
			 (bt->options.timeout_ms > 0 ? bt->options.timeout_ms : 60000) * 1000000;
	o->states = calloc(call->query_count, 1);
	o->ranks = calloc(call->query_count, 1);
	o->topics = calloc(call->query_count, sizeof(struct cluster_topic *));
	if (o->states == NULL || o->ranks == NULL || o->topics == NULL ||
	    prepare(o, bt->cluster) == -1) {
		err_nomem(&err);
		op_finish(&o->op, &err);
		return;
	}
	pump(o);
}
