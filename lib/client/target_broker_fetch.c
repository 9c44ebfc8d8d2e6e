/*
 * Reading from brokers: one fetch under way to each leader, for all partitions that are
 * read from it and of which nothing lies here; the broker holds it until there is
 * something. While a caller goes through what has come, the next is under way.
 *
 * A fetch goes on when its caller's time is up, and what it brings is for the next call.
 * What lies here is bounded: a fetch's bytes, for each leader and partition, and
 * FETCHED_MAX over all.
 */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_fetch.h"

/* What one fetch brings at most (of batches: a larger one comes whole). */
#define FETCH_BYTES (8 << 20)
#define FETCH_PARTITION_BYTES (2 << 20)
#define FETCHED_MAX (32u << 20)

/* The longest that a broker holds a fetch, and so the longest that a partition which is
 * added waits for its turn. */
#define FETCH_WAIT_MS 500

/* Partitions of one fetch. */
#define FETCH_PARTITIONS_MAX 5000

/* One fetch, to one leader. */
struct fetch_ask {
	struct ask ask;
	struct broker_target *bt;
	int32_t node;
	struct source **sources; /* NULL: forgotten meanwhile */
	size_t count, cap;
	int64_t max_wait_ms;
	bool by_name; /* some topic has no id */
	bool is_sent;
	struct fetch_ask *next, **link;
};

/* --- answers ------------------------------------------------------------------- */

static struct source *
source_of(
    struct fetch_ask *fa, const struct fetch_response_topic *t, int32_t partition, size_t *hint)
{
	for (size_t i = 0; i < fa->count; i++) {
		size_t n = (*hint + i) % fa->count;
		struct source *s = fa->sources[n];
		struct uuid id;

		if (s == NULL || s->part->partition != partition)
			continue;
		id = source_topic_id(s);
		if (t->topic.len > 0 ? !wire_str_is(t->topic, s->topic->name)
				     : !uuid_equal(&t->topic_id, &id))
			continue;
		*hint = n + 1;
		return s;
	}
	return NULL;
}

static void
source_pause(struct source *s)
{
	struct os *os = s->bt->target.os;
	int64_t now = os_mono_ns(os);

	if (s->failing_since_ns == 0)
		s->failing_since_ns = now;
	s->retry_ns = now + cluster_backoff_ms(os, ++s->tries) * 1000000;
}

/* A try was for nothing. */
static void
source_failed(struct source *s, const struct err *why)
{
	s->why = *why;
	if (why->code == ERR_OFFSET_OUT_OF_RANGE) {
		source_ask_bounds(s);
		return;
	}
	source_pause(s);
	if (cluster_is_stale(why->code)) {
		cluster_refresh(s->bt->cluster);
	} else if (!err_is_retriable(why->code)) {
		s->has_error = true;
		s->error = *why;
	} else if (why->code == ERR_CORRUPT_MESSAGE) {
		s->has_error = true;
		s->error = *why;
	}
}

/* What a partition's answer says. `is_bare`: nothing came in the whole answer. */
static int
source_take(struct source *s, struct chunk **chunk, struct ask *a,
    const struct fetch_response_partition *p, bool is_bare, struct err *err)
{
	struct fetch_part *part = s->part;
	bool committed = s->bt->isolation == READ_COMMITTED;
	struct err why;

	if (p->error_code != 0) {
		broker_err(
		    &why, p->error_code, wire_str_null(), "%s-%d", s->topic->name, part->partition);
		source_failed(s, &why);
		return 0;
	}
	s->tries = 0;
	s->why.code = 0;
	s->failing_since_ns = 0;
	part->end =
	    committed && p->last_stable_offset >= 0 ? p->last_stable_offset : p->high_watermark;
	if (p->log_start_offset >= 0)
		part->log_start = p->log_start_offset;
	s->is_looked_at = true;
	if (p->records.len > 0)
		return source_add(s, chunk, a, p, err);
	/* Below the end, but nothing is there: compaction has taken the last records. */
	if (is_bare && s->first == NULL && part->offset == s->asked && part->offset < part->end)
		part->offset = s->position = part->end;
	return 0;
}

static int
fetch_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct fetch_response *r = msg;
	struct fetch_ask *fa = a->ctx;
	struct chunk *chunk = NULL;
	bool is_bare = r->throttle_time_ms == 0;
	size_t hint = 0;

	(void)version;
	if (r->error_code != 0)
		return err_set(
		    err, r->error_code, "broker %d: fetch: %s", fa->node, err_name(r->error_code));
	for (int32_t i = 0; i < r->responses.count; i++)
		for (int32_t k = 0; k < r->responses.items[i].partitions.count; k++)
			if (r->responses.items[i].partitions.items[k].records.len > 0)
				is_bare = false;
	for (int32_t i = 0; i < r->responses.count; i++) {
		const struct fetch_response_topic *t = &r->responses.items[i];

		for (int32_t k = 0; k < t->partitions.count; k++) {
			const struct fetch_response_partition *p = &t->partitions.items[k];
			struct source *s = source_of(fa, t, p->partition_index, &hint);

			if (s != NULL && source_is_current(s) &&
			    source_take(s, &chunk, a, p, is_bare, err) == -1)
				return -1;
		}
	}
	return 0;
}

static void
fetch_ask_free(struct fetch_ask *fa)
{
	*fa->link = fa->next;
	if (fa->next != NULL)
		fa->next->link = fa->link;
	free(fa->sources);
	free(fa);
}

static void
fetch_done(struct ask *a)
{
	struct fetch_ask *fa = a->ctx;
	struct broker_target *bt = fa->bt;

	for (size_t i = 0; i < fa->count; i++) {
		struct source *s = fa->sources[i];

		if (s == NULL)
			continue;
		s->fetch = NULL;
		if (a->err.code != 0)
			source_failed(s, &a->err);
	}
	fetch_ask_free(fa);
	broker_fetch_pump(bt);
}

/* --- a fetch ----------------------------------------------------------------------- */

static int
fetch_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct fetch_ask *fa = a->ctx;
	struct fetch_request *r = msg;
	struct fetch_request_partition *parts = arena_array(&a->arena, fa->count, sizeof(*parts));
	struct fetch_request_topic *t = NULL;
	const struct cluster_topic *topic = NULL;

	r->topics.items = arena_array(&a->arena, fa->count, sizeof(r->topics.items[0]));
	if (parts == NULL || r->topics.items == NULL)
		return err_nomem(err);
	r->replica_id = -1;
	r->max_wait_ms = (int32_t)fa->max_wait_ms;
	r->min_bytes = 1;
	r->max_bytes = FETCH_BYTES;
	r->isolation_level = fa->bt->isolation == READ_COMMITTED;
	for (size_t i = 0; i < fa->count; i++) {
		struct source *s = fa->sources[i];

		if (s == NULL)
			continue;
		if (t == NULL || topic != s->topic) {
			topic = s->topic;
			t = &r->topics.items[r->topics.count++];
			*t = (struct fetch_request_topic){
			    .topic = wire_str_of(topic->name), .partitions = {parts, 0}};
			if (version >= 13)
				t->topic_id = source_topic_id(s);
		}
		s->asked = source_next_offset(s);
		*parts++ = (struct fetch_request_partition){.partition = s->part->partition,
		    .current_leader_epoch = -1,
		    .fetch_offset = s->asked,
		    .last_fetched_epoch = -1,
		    .log_start_offset = -1,
		    .partition_max_bytes = FETCH_PARTITION_BYTES,
		    .high_watermark = INT64_MAX};
		t->partitions.count++;
	}
	return t != NULL ? 0 : err_set(err, ERR_CLOSED, "nothing is left to fetch");
}

static struct fetch_ask *
fetch_ask_new(struct broker_target *bt, int32_t node)
{
	struct fetch_ask *fa = calloc(1, sizeof(*fa));

	if (fa == NULL)
		return NULL;
	fa->bt = bt;
	fa->node = node;
	fa->ask = (struct ask){.api = API_FETCH,
	    .to = TO_NODE,
	    .node = node,
	    .kind = KIND_FETCH,
	    .once = true,
	    .fill = fetch_fill,
	    .answer = fetch_answer,
	    .done = fetch_done,
	    .ctx = fa};
	fa->next = bt->fetch_asks;
	fa->link = &bt->fetch_asks;
	if (fa->next != NULL)
		fa->next->link = &fa->next;
	bt->fetch_asks = fa;
	return fa;
}

static int
fetch_ask_add(struct fetch_ask *fa, struct source *s)
{
	if (fa->count == fa->cap) {
		size_t cap = fa->cap * 2 + 8;
		struct source **more = realloc(fa->sources, cap * sizeof(struct source *));

		if (more == NULL)
			return -1;
		fa->sources = more;
		fa->cap = cap;
	}
	fa->sources[fa->count++] = s;
	fa->by_name |= uuid_is_zero(&s->topic->id);
	s->fetch = fa;
	return 0;
}

void
fetch_ask_forget(struct fetch_ask *fa, const struct source *s)
{
	for (size_t i = 0; i < fa->count; i++)
		if (fa->sources[i] == s)
			fa->sources[i] = NULL;
}

/* The fetch to a leader that is being put together; NULL: one is under way, or no memory. */
static struct fetch_ask *
fetch_to(struct broker_target *bt, int32_t node)
{
	for (struct fetch_ask *fa = bt->fetch_asks; fa != NULL; fa = fa->next)
		if (fa->node == node)
			return fa->is_sent || fa->count >= FETCH_PARTITIONS_MAX ? NULL : fa;
	return fetch_ask_new(bt, node);
}

/* --- the pump ------------------------------------------------------------------------ */

/* Is more of it to be asked for now, `queued` answers lying here? */
static bool
is_due(struct source *s, size_t queued, int64_t now, int64_t *due_ns)
{
	const struct broker_target *bt = s->bt;

	if (s->wanted != bt->fetch_turn || s->fetch != NULL || s->is_asking_bounds ||
	    s->has_error || s->fatal.code != 0 || s->queued != queued)
		return false;
	if (now < s->retry_ns) {
		if (s->retry_ns < *due_ns)
			*due_ns = s->retry_ns;
		return false;
	}
	return true;
}

/* The topic that was meant is not there any more. */
static bool
is_deleted(struct source *s)
{
	const struct uuid *want = &s->part->topic_id;

	if (!s->topic->is_known)
		return false;
	if (s->topic->code == ERR_UNKNOWN_TOPIC_OR_PARTITION && s->why.code != 0) {
		err_set(&s->fatal, ERR_UNKNOWN_TOPIC_OR_PARTITION, "topic %s was deleted",
		    s->topic->name);
		return true;
	}
	if (s->topic->code == 0 && !uuid_is_zero(want) && !uuid_is_zero(&s->topic->id) &&
	    !uuid_equal(want, &s->topic->id)) {
		err_set(&s->fatal, ERR_UNKNOWN_TOPIC_OR_PARTITION, "topic %s was deleted",
		    s->topic->name);
		return true;
	}
	return false;
}

/* Nobody leads it, as far as is known: metadata is asked for. */
static void
lacks_leader(struct source *s)
{
	struct cluster *c = s->bt->cluster;
	const struct err *why = cluster_refresh_error(c);

	cluster_refresh(c);
	if (!s->topic->is_known && why->code == 0)
		return; /* it was not asked for yet */
	if (why->code != 0)
		s->why = *why;
	else
		broker_err(&s->why, ERR_LEADER_NOT_AVAILABLE, wire_str_null(), "%s-%d",
		    s->topic->name, s->part->partition);
	source_pause(s);
	if (!err_is_retriable(s->why.code)) {
		s->has_error = true;
		s->error = s->why;
	}
}

static void
source_pump(struct source *s, size_t queued, int64_t now, int64_t *due_ns)
{
	struct broker_target *bt = s->bt;
	struct fetch_ask *fa;
	int32_t leader;

	if (!is_due(s, queued, now, due_ns) || is_deleted(s))
		return;
	if (s->first != NULL && bt->fetched_bytes > FETCHED_MAX)
		return;
	leader = cluster_leader(s->topic, s->part->partition);
	if (leader < 0) {
		lacks_leader(s);
		if (s->retry_ns < *due_ns && s->retry_ns > now)
			*due_ns = s->retry_ns;
		return;
	}
	fa = fetch_to(bt, leader);
	if (fa != NULL)
		(void)fetch_ask_add(fa, s);
}

/* Gives up on a broker that has been away for too long, or was never there. */
static bool
is_given_up(struct source *s, int64_t now)
{
	const struct broker_options *o = &s->bt->options;
	int64_t most_ms = o->timeout_ms > 0 ? o->timeout_ms : 60000;

	if (s->has_error && s->why.code == ERR_BUSY)
		return true;
	return s->failing_since_ns != 0 && !o->patient &&
	       now - s->failing_since_ns >= most_ms * 1000000;
}

/* Is a call done? 1; 0; -1 with err. */
static int
fetch_look(struct fetch_call *c, int64_t now, struct err *err)
{
	bool is_ready = false, is_known = true;

	for (size_t i = 0; i < c->part_count; i++) {
		struct fetch_part *p = c->parts[i];
		struct source *s = p->backend;

		if (s->fatal.code != 0 || is_given_up(s, now)) {
			*err = s->fatal.code != 0 ? s->fatal : s->why;
			return -1;
		}
		p->ready = s->first != NULL || s->has_error;
		is_ready |= p->ready;
		if (!s->is_looked_at || (p->offset < p->end && !p->ready))
			is_known = false;
	}
	if (is_ready || (c->max_wait_ms == 0 && is_known))
		return 1;
	return c->max_wait_ms > 0 && now >= c->deadline_ns;
}

/* Ends the calls that are done. */
static void
tell_calls(struct broker_target *bt, int64_t now, int64_t *due_ns)
{
	struct fetch_call **at = &bt->fetches;

	while (*at != NULL) {
		struct fetch_call *c = *at;
		struct err err;
		int got = fetch_look(c, now, &err);

		if (got != 0) {
			*at = (struct fetch_call *)c->call.next;
			broker_finish(bt, &c->call, got == -1 ? &err : NULL);
			continue;
		}
		if (c->max_wait_ms > 0 && c->deadline_ns < *due_ns)
			*due_ns = c->deadline_ns;
		at = (struct fetch_call **)&c->call.next;
	}
}

static int64_t
wait_ms(const struct broker_target *bt)
{
	for (const struct fetch_call *c = bt->fetches; c != NULL;
	     c = (const struct fetch_call *)c->call.next)
		if (c->max_wait_ms == 0)
			return 0;
	return FETCH_WAIT_MS;
}

void
broker_fetch_pump(struct broker_target *bt)
{
	int64_t now = os_mono_ns(bt->target.os), due = INT64_MAX;

	/* First those of which nothing lies here, since a fetch is filled in its order. */
	for (size_t queued = 0; queued < 2; queued++)
		for (struct source *s = bt->sources; s != NULL; s = s->next)
			source_pump(s, queued, now, &due);
	for (struct fetch_ask *fa = bt->fetch_asks; fa != NULL; fa = fa->next) {
		if (fa->is_sent)
			continue;
		fa->is_sent = true;
		fa->max_wait_ms = fa->ask.hold_ms = wait_ms(bt);
		fa->ask.version_max = fa->by_name ? 12 : 0;
		cluster_ask(bt->cluster, &fa->ask);
	}
	tell_calls(bt, now, &due);
	if (due == INT64_MAX)
		os_timer_stop(bt->target.os, &bt->fetch_timer);
	else
		os_timer_start(
		    bt->target.os, &bt->fetch_timer, due > now ? (due - now) / 1000000 + 1 : 0);
}

static void
on_timer(struct os_timer *t)
{
	broker_fetch_pump(t->ctx);
}

/* --- the target's ---------------------------------------------------------------------- */

void
broker_fetch(struct target *t, struct fetch_call *c)
{
	struct broker_target *bt = broker_target_of(t);
	struct err err;

	bt->isolation = c->isolation;
	bt->fetch_turn++;
	for (size_t i = 0; i < c->part_count; i++) {
		struct source *s = source_for(bt, c->parts[i]);

		if (s == NULL) {
			err_nomem(&err);
			broker_finish(bt, &c->call, &err);
			return;
		}
		s->wanted = bt->fetch_turn;
	}
	c->deadline_ns = os_mono_ns(t->os) + (c->max_wait_ms > 0 ? c->max_wait_ms : 0) * 1000000;
	c->call.next = bt->fetches != NULL ? &bt->fetches->call : NULL;
	bt->fetches = c;
	broker_fetch_pump(bt);
}

bool
broker_fetch_withdraw(struct broker_target *bt, struct call *c)
{
	for (struct fetch_call **at = &bt->fetches; *at != NULL;
	     at = (struct fetch_call **)&(*at)->call.next)
		if (&(*at)->call == c) {
			*at = (struct fetch_call *)c->next;
			return true;
		}
	return false;
}

void
broker_fetch_init(struct broker_target *bt)
{
	bt->fetch_timer = (struct os_timer){.fire = on_timer, .ctx = bt};
}

void
broker_fetch_free(struct broker_target *bt)
{
	os_timer_stop(bt->target.os, &bt->fetch_timer);
	while (bt->fetch_asks != NULL) {
		cluster_cancel(&bt->fetch_asks->ask);
		fetch_ask_free(bt->fetch_asks);
	}
	while (bt->sources != NULL)
		broker_forget(&bt->target, bt->sources->part);
}
