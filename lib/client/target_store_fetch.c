/*
 * Reading from a store: a lockless reader for each partition, and waiting for
 * more: a watch on the partition's directory is a hint, polling does the rest.
 */
#include <stdlib.h>

#include "client/target_store_impl.h"

/* The longest that new data lies unseen where watches do not work. */
#define POLL_MS 250

/* What is kept for a part between fetches. */
struct source {
	struct store_target *st;
	struct reader *reader; /* NULL while the partition has no directory */
	int64_t at;            /* where the reader stands; -1: nowhere yet */
	struct aborted_txn *aborted; /* malloc'd by the reader */
	bool aborted_due; /* not asked for yet: no batch of a transaction was met */
	struct os_watch watch;
	bool watched;
};

static void recheck(struct store_target *st);

/* --- readers ---------------------------------------------------------------- */

void
store_target_drop_spare(struct store_target *st)
{
	reader_free(st->spare.reader);
	st->spare.reader = NULL;
}

/* Takes over a reader (or NULL), which was just opened. */
static void
keep_spare(struct store_target *st, struct reader *r, const struct offset_query *q)
{
	const struct image_topic *t = r == NULL ? NULL : image_topic(store_image(st->store), q->topic);

	store_target_drop_spare(st);
	if (t == NULL) {
		reader_free(r);
		return;
	}
	st->spare.reader = r;
	st->spare.topic_id = t->id;
	st->spare.partition = q->partition;
	st->spare.until_ns = os_mono_ns(st->target.os) + POLL_MS * INT64_C(1000000);
}

/* As store_reader. */
static struct reader *
open_reader(struct store_target *st, const struct fetch_part *p, struct err *err)
{
	const struct image_topic *t = image_topic(store_image(st->store), p->topic);
	struct reader *r = st->spare.reader;

	if (r == NULL || t == NULL || !uuid_equal(&t->id, &st->spare.topic_id) ||
	    p->partition != st->spare.partition ||
	    os_mono_ns(st->target.os) > st->spare.until_ns)
		return store_reader(st->store, p->topic, p->partition, err);
	st->spare.reader = NULL;
	return r;
}

/* --- what is kept of a part -------------------------------------------------- */

static void
changed(struct os_watch *w)
{
	recheck(((struct source *)w->ctx)->st);
}

static struct source *
source_of(struct store_target *st, struct fetch_part *p, struct err *err)
{
	struct source *s = p->backend;

	if (s == NULL) {
		s = calloc(1, sizeof(*s));
		if (s == NULL) {
			err_nomem(err);
			return NULL;
		}
		s->st = st;
		s->at = -1;
		s->watch = (struct os_watch){.changed = changed, .ctx = s};
		p->backend = s;
	}
	if (s->reader == NULL) {
		s->reader = open_reader(st, p, err);
		if (s->reader == NULL && err->code != 0)
			return NULL;
	}
	return s;
}

void
store_target_forget(struct target *t, struct fetch_part *p)
{
	struct source *s = p->backend;

	if (s == NULL)
		return;
	if (s->watched)
		os_watch_stop(t->os, &s->watch);
	reader_free(s->reader);
	free(s->aborted);
	free(s);
	p->backend = NULL;
	p->ready = false;
	p->aborted = NULL;
	p->aborted_count = 0;
}

/* --- what is there now ----------------------------------------------------- */

/* The end that isolation allows, and what was aborted below it. */
static int
look_at_bounds(struct source *s, struct fetch_part *p, enum target_isolation isolation,
    struct err *err)
{
	if (reader_bounds(s->reader, &p->log_start, &p->end, err) == -1)
		return -1;
	if (isolation == READ_UNCOMMITTED)
		return 0;
	if (reader_stable_end(s->reader, &p->end, err) == -1)
		return -1;
	free(s->aborted);
	s->aborted = NULL;
	p->aborted = NULL;
	p->aborted_count = 0;
	s->aborted_due = true;
	return 0;
}

/* What was aborted below the end, for the first batch of a transaction: it takes a
 * look at every .txnindex that may tell of one, which most logs need not pay. */
static int
ask_aborted(struct source *s, struct fetch_part *p, struct err *err)
{
	if (reader_aborted(s->reader, p->offset, p->end, &s->aborted, &p->aborted_count, err) == -1) {
		/* No record is lost that one could go on behind. */
		if (err->code == ERR_CORRUPT)
			err->code = ERR_IO;
		return -1;
	}
	p->aborted = s->aborted;
	s->aborted_due = false;
	return 0;
}

/* Fills p->ready. -1 only for what concerns the fetch as a whole. */
static int
look(struct store_target *st, struct fetch_part *p, enum target_isolation isolation,
    struct err *err)
{
	struct source *s = source_of(st, p, err);

	if (s == NULL)
		return -1;
	p->ready = false;
	if (s->reader == NULL) {
		p->log_start = p->end = 0;
		return 0;
	}
	if (look_at_bounds(s, p, isolation, err) == -1)
		return -1;
	/* Below the start there is an error to give, above the end nothing. */
	p->ready = p->offset < p->end;
	return 0;
}

static int
next_batch(struct source *s, struct fetch_part *p, struct batch *b, struct err *err)
{
	int got;

	if (s->at != p->offset && reader_seek(s->reader, p->offset, err) == -1)
		return -1;
	do {
		got = reader_next(s->reader, b, err);
	} while (got == 1 && batch_next_offset(b) <= p->offset);
	return got;
}

/* The next batch below the end that the fetch saw. As reader_next. One of a
 * transaction is read again once it is known what was aborted: a file that was
 * replaced meanwhile may hold what no .txnindex tells of any more. */
static int
take(struct source *s, struct fetch_part *p, struct batch *b, struct err *err)
{
	int got = next_batch(s, p, b, err);

	if (got == 1 && s->aborted_due && batch_is_transactional(b)) {
		if (ask_aborted(s, p, err) == -1)
			return -1;
		s->at = -1;
		got = next_batch(s, p, b, err);
	}
	s->at = got == 1 ? -1 : p->offset;
	return got == 1 && b->base_offset >= p->end ? 0 : got;
}

int
store_target_next(struct target *t, struct fetch_part *p, struct batch *b, struct err *err)
{
	struct source *s = p->backend;
	int64_t start, end = -1;
	int got;

	(void)t;
	if (s == NULL || s->reader == NULL || p->offset >= p->end) {
		p->ready = false;
		return 0;
	}
	if (p->offset < p->log_start)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE,
		    "%s-%d: offset %lld is below the log start %lld", p->topic, p->partition,
		    (long long)p->offset, (long long)p->log_start);
	got = take(s, p, b, err);
	if (got == 0) {
		/* Below the end something should be: look once more, with open eyes. */
		if (reader_bounds(s->reader, &start, &end, err) == -1)
			return -1;
		s->at = -1;
		got = take(s, p, b, err);
	}
	if (got == 1) {
		p->offset = s->at = batch_next_offset(b);
		return 1;
	}
	if (got == -1) {
		/* Whoever goes on goes on behind what is lost. */
		if (err->code == ERR_CORRUPT && reader_damage(s->reader)->lost_last >= p->offset)
			p->offset = s->at = reader_damage(s->reader)->lost_last + 1;
		return -1;
	}
	/* A gap: compaction has taken the last records, or a segment was rolled that
	 * begins higher. Whoever reads up to the end is there. */
	if (end >= p->end)
		p->offset = p->end;
	p->ready = false;
	s->at = -1;
	return 0;
}

/* --- waiting --------------------------------------------------------------- */

/* A directory of the same name may be another topic's by now: what was found there
 * must not be given out as this one's. */
static int
check_topics(struct store_target *st, struct fetch_call *c)
{
	if (store_refresh(st->store, &c->call.err) == -1)
		return -1;
	for (size_t i = 0; i < c->part_count; i++) {
		const struct fetch_part *p = c->parts[i];
		const struct image_topic *t;

		if (!p->ready || uuid_is_zero(&p->topic_id))
			continue;
		t = image_topic(store_image(st->store), p->topic);
		if (t == NULL || !uuid_equal(&t->id, &p->topic_id))
			return err_set(&c->call.err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
			    "topic %s was deleted", p->topic);
	}
	return 0;
}

/* Looks at all parts of a fetch: 1 if it is done, 0 if nothing is there, -1. */
static int
fetch_look(struct store_target *st, struct fetch_call *c)
{
	int any = 0;

	for (size_t i = 0; i < c->part_count; i++) {
		if (look(st, c->parts[i], c->isolation, &c->call.err) == -1)
			return -1;
		any |= c->parts[i]->ready;
	}
	return any && check_topics(st, c) == -1 ? -1 : any;
}

static void
watch_parts(struct store_target *st, struct fetch_call *c)
{
	for (size_t i = 0; i < c->part_count; i++) {
		struct source *s = c->parts[i]->backend;

		if (s == NULL || s->watched || s->reader == NULL)
			continue;
		s->watched = os_watch_start(st->target.os, &s->watch,
		                 store_partition_dir(st->store, c->parts[i]->topic,
		                     c->parts[i]->partition)) == 0;
	}
}

static void
poll_start(struct store_target *st)
{
	int64_t in_ms = POLL_MS;

	for (struct fetch_call *c = st->fetches; c != NULL; c = (struct fetch_call *)c->call.next) {
		int64_t left_ms =
		    (c->deadline_ns - os_mono_ns(st->target.os)) / 1000000 + 1;

		if (c->max_wait_ms >= 0 && left_ms < in_ms)
			in_ms = left_ms < 0 ? 0 : left_ms;
	}
	if (st->fetches != NULL)
		os_timer_start(st->target.os, &st->poll, in_ms);
}

static void
recheck(struct store_target *st)
{
	int64_t now = os_mono_ns(st->target.os);
	struct fetch_call **at = &st->fetches;

	while (*at != NULL) {
		struct fetch_call *c = *at;
		int got = fetch_look(st, c);

		if (got != 0 || (c->max_wait_ms >= 0 && now >= c->deadline_ns)) {
			*at = (struct fetch_call *)c->call.next;
			store_target_finish(st, &c->call, got == -1 ? -1 : 0);
		} else {
			at = (struct fetch_call **)&c->call.next;
		}
	}
	poll_start(st);
}

static void
poll_fired(struct os_timer *t)
{
	recheck(t->ctx);
}

void
store_target_fetch_init(struct store_target *st)
{
	st->poll = (struct os_timer){.fire = poll_fired, .ctx = st};
}

void
store_target_fetch(struct target *t, struct fetch_call *c)
{
	struct store_target *st = store_target_of(t);
	int got = fetch_look(st, c);

	store_target_drop_spare(st);
	if (got != 0 || c->max_wait_ms == 0) {
		store_target_finish(st, &c->call, got == -1 ? -1 : 0);
		return;
	}
	watch_parts(st, c);
	c->deadline_ns = os_mono_ns(t->os) + c->max_wait_ms * 1000000;
	c->call.next = st->fetches != NULL ? &st->fetches->call : NULL;
	st->fetches = c;
	poll_start(st);
}

void
store_target_fetch_withdraw(struct store_target *st, struct call *c)
{
	struct fetch_call **at = &st->fetches;

	while (*at != NULL && &(*at)->call != c)
		at = (struct fetch_call **)&(*at)->call.next;
	if (*at != NULL)
		*at = (struct fetch_call *)c->next;
}

/* --- offsets --------------------------------------------------------------- */

static int
answer(struct reader *r, struct offset_query *q, enum target_isolation isolation,
    struct err *err)
{
	int64_t start, end;

	if (reader_bounds(r, &start, &end, err) == -1)
		return -1;
	if (isolation == READ_COMMITTED && q->timestamp != OFFSET_EARLIEST &&
	    reader_stable_end(r, &end, err) == -1)
		return -1;
	if (q->timestamp == OFFSET_EARLIEST) {
		q->offset = start;
	} else if (q->timestamp == OFFSET_LATEST) {
		q->offset = end;
	} else {
		if (reader_offset_for_time(r, q->timestamp, &q->offset, &q->found_timestamp,
		        err) == -1)
			return -1;
		if (q->offset >= end)
			q->offset = q->found_timestamp = -1;
	}
	return 0;
}

/* 0, also with a code of its own; -1 for what concerns the call. */
static int
answer_query(struct store_target *st, struct reader **r, struct offset_query *q, bool same,
    enum target_isolation isolation, struct err *err)
{
	q->code = 0;
	q->offset = q->found_timestamp = -1;
	if (!same) {
		err->code = 0;
		reader_free(*r);
		*r = store_reader(st->store, q->topic, q->partition, err);
	}
	if (*r != NULL)
		return answer(*r, q, isolation, err);
	if (err->code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		q->code = err->code;
	else if (err->code != 0)
		return -1;
	else if (q->timestamp < 0)
		q->offset = 0; /* no directory yet: empty */
	return 0;
}

void
store_target_offsets(struct target *t, struct offsets_call *c)
{
	struct store_target *st = store_target_of(t);
	struct reader *r = NULL;
	int got = 0;

	for (size_t i = 0; i < c->query_count && got == 0; i++) {
		struct offset_query *q = &c->queries[i];
		bool same = i > 0 && q[-1].partition == q->partition && q[-1].topic == q->topic;

		got = answer_query(st, &r, q, same, c->isolation, &c->call.err);
	}
	if (got == 0 && c->query_count > 0)
		keep_spare(st, r, &c->queries[c->query_count - 1]);
	else
		reader_free(r);
	store_target_finish(st, &c->call, got);
}
