/* What has come of a partition from brokers, batch by batch. */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_fetch.h"

/* How soon a partition is looked at again that ends before the offset wanted. */
#define BEYOND_END_NS 500000000LL

/* --- what lies here -------------------------------------------------------------- */

static void
chunk_leave(struct chunk *k)
{
	if (--k->users > 0)
		return;
	buf_release(&k->frame);
	arena_release(&k->arena);
	free(k);
}

static void
fetched_pop(struct source *s)
{
	struct fetched *f = s->first;

	s->first = f->next;
	if (s->first == NULL)
		s->last = &s->first;
	s->queued--;
	s->bt->fetched_bytes -= f->size;
	chunk_leave(f->chunk);
	free(f);
}

static int
by_offset(const void *a, const void *b)
{
	const struct fetch_response_aborted *x = a, *y = b;

	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

/* Takes over the frame, and the arena, where the message that is being read lies. */
static struct chunk *
chunk_new(struct ask *a)
{
	struct chunk *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->frame = a->frame;
	k->arena = a->arena;
	buf_init(&a->frame);
	arena_init(&a->arena, 0);
	return k;
}

/* The offset behind the last whole batch; -1: there is none. */
static int64_t
end_of(struct slice left)
{
	int64_t at = -1;
	struct batch b;

	while (batch_view(left.data, left.len, &b) == BATCH_OK && batch_offsets_ok(&b)) {
		at = batch_next_offset(&b);
		left.data += b.size;
		left.len -= (size_t)b.size;
	}
	return at;
}

int
source_add(struct source *s, struct chunk **chunk, struct ask *a,
    const struct fetch_response_partition *p, struct err *err)
{
	struct fetched *f = calloc(1, sizeof(*f));
	struct arena *arena = *chunk != NULL ? &(*chunk)->arena : &a->arena;
	size_t aborted =
	    p->aborted_transactions.count > 0 ? (size_t)p->aborted_transactions.count : 0;

	if (f == NULL || (f->active = arena_array(arena, aborted, sizeof(*f->active))) == NULL ||
	    (*chunk == NULL && (*chunk = chunk_new(a)) == NULL)) {
		free(f);
		return err_nomem(err);
	}
	f->chunk = *chunk;
	f->bytes = (struct slice){p->records.data, (size_t)p->records.len};
	f->size = f->bytes.len;
	f->next_offset = end_of(f->bytes);
	f->aborted = p->aborted_transactions.items;
	f->aborted_count = aborted;
	if (aborted > 0)
		qsort(f->aborted, aborted, sizeof(*f->aborted), by_offset);
	(*chunk)->users++;
	*s->last = f;
	s->last = &f->next;
	s->queued++;
	s->bt->fetched_bytes += f->size;
	return 0;
}

/* --- a source ---------------------------------------------------------------------- */

struct uuid
source_topic_id(const struct source *s)
{
	return uuid_is_zero(&s->part->topic_id) ? s->topic->id : s->part->topic_id;
}

bool
source_is_current(const struct source *s)
{
	return s->part->offset == s->position && s->asked == source_next_offset(s);
}

int64_t
source_next_offset(const struct source *s)
{
	int64_t at = s->position;

	for (const struct fetched *f = s->first; f != NULL; f = f->next)
		if (f->next_offset > at)
			at = f->next_offset;
	return at;
}

/* Begins at part->offset with empty hands. */
static void
source_rewind(struct source *s)
{
	while (s->first != NULL)
		fetched_pop(s);
	s->position = s->part->offset;
	s->is_looked_at = false;
	s->has_error = false;
	s->why.code = 0;
	s->retry_ns = 0;
	s->tries = 0;
}

struct source *
source_for(struct broker_target *bt, struct fetch_part *p)
{
	struct source *s = p->backend;

	if (s != NULL) {
		if (p->offset != s->position)
			source_rewind(s);
		return s;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL || (s->topic = cluster_topic(bt->cluster, p->topic)) == NULL) {
		free(s);
		return NULL;
	}
	s->bt = bt;
	s->part = p;
	s->position = p->offset;
	s->last = &s->first;
	s->next = bt->sources;
	s->link = &bt->sources;
	if (s->next != NULL)
		s->next->link = &s->next;
	bt->sources = s;
	p->backend = s;
	p->aborted = NULL;
	p->aborted_count = 0;
	return s;
}

void
broker_forget(struct target *t, struct fetch_part *p)
{
	struct source *s = p->backend;

	p->ready = false;
	if (s == NULL)
		return;
	if (s->is_asking_bounds)
		target_withdraw(t, &s->bounds.call);
	if (s->fetch != NULL)
		fetch_ask_forget(s->fetch, s);
	while (s->first != NULL)
		fetched_pop(s);
	*s->link = s->next;
	if (s->next != NULL)
		s->next->link = s->link;
	free(s);
	p->backend = NULL;
}

/* --- an offset that the log does not have --------------------------------------------- */

static void
bounds_done(struct call *c)
{
	struct source *s = c->ctx;
	struct fetch_part *p = s->part;
	int64_t now = os_mono_ns(s->bt->target.os);

	s->is_asking_bounds = false;
	if (c->err.code != 0) {
		s->has_error = true;
		s->error = c->err;
	} else if (p->offset == s->position && s->queries[0].code == 0 && s->queries[1].code == 0) {
		p->log_start = s->queries[0].offset;
		p->end = s->queries[1].offset;
		s->is_looked_at = true;
		if (p->offset < p->log_start) {
			s->has_error = true;
			err_set(&s->error, ERR_OFFSET_OUT_OF_RANGE,
			    "%s-%d: offset %lld is below the log start %lld", p->topic,
			    p->partition, (long long)p->offset, (long long)p->log_start);
		} else if (p->offset > p->end) {
			s->retry_ns = now + BEYOND_END_NS; /* it may come to be there */
		}
	}
	broker_fetch_pump(s->bt);
}

void
source_ask_bounds(struct source *s)
{
	struct offset_query q = {.topic = s->part->topic, .partition = s->part->partition};

	if (s->is_asking_bounds)
		return;
	s->queries[0] = s->queries[1] = q;
	s->queries[0].timestamp = OFFSET_EARLIEST;
	s->queries[1].timestamp = OFFSET_LATEST;
	s->bounds = (struct offsets_call){.call = {.done = bounds_done, .ctx = s},
	    .queries = s->queries,
	    .query_count = 2,
	    .isolation = READ_UNCOMMITTED};
	s->is_asking_bounds = true;
	broker_offsets(&s->bt->target, &s->bounds);
}

/* --- batches out -------------------------------------------------------------------------- */

/* A marker ends its producer's transaction, whichever way. */
static void
end_transaction(struct fetched *f, int64_t producer_id)
{
	for (size_t i = 0; i < f->active_count; i++)
		if (f->active[i] == producer_id)
			f->active[i--] = f->active[--f->active_count];
}

/* Does the batch belong to an aborted transaction? As Kafka's clients see to it: a
 * transaction of the list lasts from its first offset to the producer's next marker. */
static bool
is_aborted(struct fetched *f, const struct batch *b)
{
	while (f->aborted_at < f->aborted_count &&
	       f->aborted[f->aborted_at].first_offset <= batch_last_offset(b))
		f->active[f->active_count++] = f->aborted[f->aborted_at++].producer_id;
	if (batch_is_control(b)) {
		end_transaction(f, b->producer_id);
		return false;
	}
	if (!batch_is_transactional(b))
		return false;
	for (size_t i = 0; i < f->active_count; i++)
		if (f->active[i] == b->producer_id)
			return true;
	return false;
}

/* The next batch at or after the position. 1; 0: nothing is left; -1: it is damaged, and
 * passed over. */
static int
take(struct source *s, struct batch *b, struct err *err)
{
	while (s->first != NULL) {
		struct fetched *f = s->first;
		enum batch_fault fault =
		    f->bytes.len > 0 ? batch_view(f->bytes.data, f->bytes.len, b) : BATCH_SHORT;

		if (fault == BATCH_SHORT) {
			fetched_pop(s); /* the last one was cut where the answer was full */
			continue;
		}
		if (fault == BATCH_BAD_MAGIC || fault == BATCH_BAD_LENGTH || !batch_offsets_ok(b)) {
			fetched_pop(s);
			s->position = s->part->offset = s->part->offset + 1;
			return err_set(err, ERR_CORRUPT, "%s-%d: offset %lld: %s", s->part->topic,
			    s->part->partition, (long long)s->part->offset - 1,
			    fault == BATCH_BAD_MAGIC ? "a batch of an old format (magic 0 or 1)"
						     : "a batch of impossible length");
		}
		f->bytes.data += b->size;
		f->bytes.len -= (size_t)b->size;
		if (batch_next_offset(b) <= s->part->offset)
			continue;
		fault = batch_check(b);
		s->position = s->part->offset = batch_next_offset(b);
		if (fault != BATCH_OK)
			return err_set(err, ERR_CORRUPT, "%s-%d: offsets %lld to %lld: %s",
			    s->part->topic, s->part->partition, (long long)b->base_offset,
			    (long long)batch_last_offset(b), batch_fault_name(fault));
		if (f->aborted_count > 0 && is_aborted(f, b))
			continue;
		return 1;
	}
	return 0;
}

int
broker_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err)
{
	struct source *s = p->backend;
	size_t queued;
	int got;

	(void)t;
	if (s != NULL && p->offset != s->position)
		source_rewind(s);
	if (s == NULL || (s->first == NULL && !s->has_error)) {
		p->ready = false;
		return 0;
	}
	if (s->first == NULL) {
		s->has_error = false;
		*err = s->error;
		if (err->code == ERR_CORRUPT_MESSAGE)
			s->position = ++p->offset; /* whoever goes on goes on behind it */
		return -1;
	}
	queued = s->queued;
	got = take(s, b, err);
	p->ready = s->first != NULL || s->has_error;
	if (s->queued < queued)
		broker_fetch_pump(s->bt);
	return got;
}
