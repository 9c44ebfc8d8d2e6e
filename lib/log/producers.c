/* Producer state: replaying batches into it. */
#include "log/producers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MARKER_ABORT 0
#define MARKER_COMMIT 1

static void
key_of(int64_t id, uint8_t key[8])
{
	be64_put(key, (uint64_t)id);
}

void
producers_init(struct producers *p)
{
	map_init(&p->by_id);
	p->end_offset = 0;
}

void
producers_release(struct producers *p)
{
	for (struct map_entry *e = NULL; (e = map_next(&p->by_id, e)) != NULL;)
		free(e->value);
	map_release(&p->by_id);
	map_init(&p->by_id);
}

void
producers_clear(struct producers *p, int64_t end_offset)
{
	producers_release(p);
	p->end_offset = end_offset;
}

struct producer_entry *
producers_find(const struct producers *p, int64_t id)
{
	uint8_t key[8];

	key_of(id, key);
	return map_get(&p->by_id, key, sizeof(key));
}

static struct producer_entry *
find_or_add(struct producers *p, const struct batch *b, struct err *err)
{
	struct producer_entry *one = producers_find(p, b->producer_id);
	uint8_t key[8];

	if (one != NULL)
		return one;
	one = calloc(1, sizeof(*one));
	if (one == NULL) {
		err_nomem(err);
		return NULL;
	}
	one->id = b->producer_id;
	one->epoch = b->producer_epoch;
	one->coordinator_epoch = -1;
	one->last_timestamp = NO_TIMESTAMP;
	one->txn_first_offset = -1;
	key_of(one->id, key);
	if (map_put(&p->by_id, key, sizeof(key), one, NULL) == -1) {
		free(one);
		err_nomem(err);
		return NULL;
	}
	return one;
}

/* A new epoch starts its own sequence: the old batches are no duplicates. */
static void
enter_epoch(struct producer_entry *one, int16_t epoch)
{
	if (one->epoch == epoch)
		return;
	one->epoch = epoch;
	one->batch_count = 0;
}

static void
replay_data(struct producer_entry *one, const struct batch *b)
{
	struct producer_batch *batches = one->batches;

	enter_epoch(one, b->producer_epoch);
	if (one->batch_count == PRODUCER_BATCHES) {
		memmove(batches, batches + 1, (PRODUCER_BATCHES - 1) * sizeof(*batches));
		one->batch_count--;
	}
	batches[one->batch_count++] = (struct producer_batch){
	    .last_sequence = batch_last_sequence(b),
	    .last_offset = batch_last_offset(b),
	    .offset_delta = b->last_offset_delta,
	    .timestamp = b->max_timestamp,
	};
	one->last_timestamp = b->max_timestamp;
	if (batch_is_transactional(b) && one->txn_first_offset == -1)
		one->txn_first_offset = b->base_offset;
}

struct marker {
	int16_t type;
	int32_t coordinator_epoch;
	int64_t timestamp;
};

/* Reads the record of a control batch. 1; 0 if compaction has emptied the
 * batch; -1. */
static int
read_marker(const struct batch *b, struct marker *m, struct err *err)
{
	struct record_reader reader = {0};
	struct record rec;
	int r = record_reader_open(&reader, b, err);

	if (r == 0)
		r = record_reader_next(&reader, &rec, err);
	if (r == 1) {
		struct cursor key = cursor_of(rec.key, rec.key_size > 0 ? (size_t)rec.key_size : 0);
		struct cursor value =
		    cursor_of(rec.value, rec.value_size > 0 ? (size_t)rec.value_size : 0);
		cursor_i16(&key);
		m->type = cursor_i16(&key);
		cursor_i16(&value);
		m->coordinator_epoch = cursor_i32(&value);
		m->timestamp = rec.timestamp;
		if (key.failed ||
		    (value.failed && (m->type == MARKER_ABORT || m->type == MARKER_COMMIT)))
			r = err_set(err, ERR_CORRUPT,
			    "want a transaction marker at offset %lld, found a record that is none",
			    (long long)b->base_offset);
	}
	record_reader_release(&reader);
	return r;
}

/* First offset of the oldest open transaction of anybody but `but`, or -1. */
static int64_t
first_open(const struct producers *p, const struct producer_entry *but)
{
	int64_t first = -1;

	for (struct map_entry *e = NULL; (e = map_next(&p->by_id, e)) != NULL;) {
		const struct producer_entry *one = e->value;
		if (one == but || one->txn_first_offset == -1)
			continue;
		if (first == -1 || one->txn_first_offset < first)
			first = one->txn_first_offset;
	}
	return first;
}

static void
fill_aborted(const struct producers *p, const struct producer_entry *one, const struct batch *b,
    struct aborted_txn *aborted)
{
	int64_t next = first_open(p, one);

	*aborted = (struct aborted_txn){
	    .producer_id = one->id,
	    .first_offset = one->txn_first_offset,
	    .last_offset = b->base_offset,
	    .last_stable_offset = next != -1 ? next : b->base_offset + 1,
	};
}

static int
replay_marker(struct producers *p, const struct batch *b, struct aborted_txn *aborted,
    bool *has_aborted, struct err *err)
{
	struct marker m;
	struct producer_entry *one;
	int r = read_marker(b, &m, err);

	if (r != 1)
		return r;
	if (m.type != MARKER_ABORT && m.type != MARKER_COMMIT)
		return 0;
	one = find_or_add(p, b, err);
	if (one == NULL)
		return -1;
	if (one->txn_first_offset != -1 && m.type == MARKER_ABORT && aborted != NULL) {
		assert(has_aborted != NULL);
		fill_aborted(p, one, b, aborted);
		*has_aborted = true;
	}
	one->txn_first_offset = -1;
	enter_epoch(one, b->producer_epoch);
	one->coordinator_epoch = m.coordinator_epoch;
	one->last_timestamp = m.timestamp;
	return 0;
}

int
producers_replay(struct producers *p, const struct batch *b, struct aborted_txn *aborted,
    bool *has_aborted, struct err *err)
{
	struct producer_entry *one;

	if (has_aborted != NULL)
		*has_aborted = false;
	if (b->producer_id < 0) {
		p->end_offset = batch_next_offset(b);
		return 0;
	}
	if (batch_is_control(b)) {
		if (replay_marker(p, b, aborted, has_aborted, err) == -1)
			return -1;
	} else {
		one = find_or_add(p, b, err);
		if (one == NULL)
			return -1;
		replay_data(one, b);
	}
	p->end_offset = batch_next_offset(b);
	return 0;
}

int64_t
producers_first_unstable(const struct producers *p)
{
	return first_open(p, NULL);
}

void
producers_expire(struct producers *p, int64_t before_ms, int64_t below_offset)
{
	uint8_t key[8];

	for (struct map_entry *e = NULL; (e = map_next(&p->by_id, e)) != NULL;) {
		struct producer_entry *one = e->value;
		if (one->txn_first_offset != -1 || one->last_timestamp >= before_ms ||
		    (one->batch_count > 0 &&
		        one->batches[one->batch_count - 1].last_offset >= below_offset))
			continue;
		key_of(one->id, key);
		free(map_del(&p->by_id, key, sizeof(key)));
	}
}
