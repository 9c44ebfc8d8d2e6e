/* One append, on the writer; and on the loop the newest batches' places. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/replica/logs_impl.h"

/* The most that is appended between two looks at the free space. */
#define SPACE_LOOK_BYTES (64LL << 20)
#define SPACE_LOOK_NS 1000000000LL

/* --- disk.min.free ------------------------------------------------------------------ */

/* Refuses what would leave less than disk.min.free, or than an eighth of a small
 * file system. Looks at the disk once a second or after some bytes. */
static int
check_space(struct logs *s, size_t len, struct err *err)
{
	int64_t now = os_mono_ns(s->os), min = s->options.disk_min_free, over;
	struct os_space space;

	if (min <= 0)
		return 0;
	if (s->space.left >= (int64_t)len && now - s->space.looked_ns < SPACE_LOOK_NS) {
		s->space.left -= (int64_t)len;
		return 0;
	}
	if (os_space(s->os, s->dir, &space) == -1)
		return err_sys(err, errno, "%s: statfs", s->dir);
	if (min > (int64_t)(space.total_bytes / 8))
		min = (int64_t)(space.total_bytes / 8);
	over = (int64_t)space.free_bytes - min - (int64_t)len;
	s->space.looked_ns = now;
	s->space.left = 0;
	if (over < 0) {
		err_set(err, ERR_NO_SPACE,
		    "%s: %llu bytes are free, and disk.min.free keeps %lld of them", s->dir,
		    (unsigned long long)space.free_bytes, (long long)min);
		if (!s->space.full)
			os_note(s->os, OS_WARN, "%s: what is produced is refused", err->text);
		s->space.full = true;
		return -1;
	}
	/* Not at once: a small batch may fit where a large one does not. */
	if (s->space.full && over >= min / 8)
		os_note(s->os, OS_INFO, "%s: there is room again", s->dir);
	s->space.full = s->space.full && over < min / 8;
	s->space.left = over / 2 < SPACE_LOOK_BYTES ? over / 2 : SPACE_LOOK_BYTES;
	return 0;
}

/* --- one batch ------------------------------------------------------------------------ */

/* What the topic's settings say of a header. */
static int
check_header(const struct plog_impl *i, const struct plog_append *a, const struct batch *b,
    struct err *err)
{
	const struct plog_settings *c = &i->settings_used;

	if (b->size > c->log.max_message_bytes)
		return err_set(err, ERR_MESSAGE_TOO_LARGE,
		    "%s-%d: a batch of %lld bytes; the topic takes %lld (max.message.bytes)",
		    i->plog->topic, i->plog->number, (long long)b->size,
		    (long long)c->log.max_message_bytes);
	if (a->origin != APPEND_CLIENT)
		return 0;
	if (batch_is_append_time(b))
		return err_set(err, ERR_INVALID_TIMESTAMP,
		    "%s-%d: a batch that says of itself that it has log append time",
		    i->plog->topic, i->plog->number);
	if (c->log.append_time)
		return 0;
	if (b->max_timestamp > a->check.now_ms &&
	    b->max_timestamp - a->check.now_ms > c->after_max_ms)
		return err_set(err, ERR_INVALID_TIMESTAMP,
		    "%s-%d: timestamp %lld is more than message.timestamp.after.max.ms (%lld) ahead",
		    i->plog->topic, i->plog->number, (long long)b->max_timestamp,
		    (long long)c->after_max_ms);
	return 0;
}

/* 0; 1: it is a duplicate, and `a` says of what; -1. */
static int
check_producer(struct plog_impl *i, struct plog_append *a, const struct batch *b, struct err *err)
{
	struct producer_batch same;
	int ret;

	if (b->producer_id < 0)
		return 0;
	if (!i->log.producers_loaded && mlog_load_producers(&i->log, err) == -1)
		return -1;
	ret = producers_check(&i->log.producers, b, a->origin == APPEND_CLIENT, &same, err);
	if (ret == -1)
		return err_prefix(err, "%s-%d", i->plog->topic, i->plog->number);
	if (ret == 1) {
		a->duplicate = true;
		a->last_offset = same.last_offset;
		a->base_offset = same.last_offset - same.offset_delta;
		a->append_time = same.timestamp; /* whichever time that is, as Kafka */
	}
	return ret;
}

static int
append_replica(struct plog_impl *i, struct plog_append *a, struct err *err)
{
	struct mlog_appended out;
	struct batch b;
	bool first = true;

	for (size_t at = 0; at < a->len; at += (size_t)b.size) {
		if (batch_view(a->bytes + at, a->len - at, &b) != BATCH_OK)
			return err_set(err, ERR_CORRUPT_MESSAGE, "%s-%d: not whole batches",
			    i->plog->topic, i->plog->number);
		if (mlog_append_as_is(&i->log, a->bytes + at, (size_t)b.size, &out, err) == -1)
			return -1;
		i->size_known += b.size;
		if (first) {
			a->base_offset = out.base_offset;
			a->segment_base = i->log.tail.segment_base;
			a->written_at = i->log.tail.size - b.size;
		} else if (out.rolled) {
			a->written_at = -1;
		}
		first = false;
		a->last_offset = out.last_offset;
	}
	return 0;
}

static int
append_new(struct plog_impl *i, struct plog_append *a, struct err *err)
{
	struct mlog_appended out;
	struct batch b;
	int ret;

	if (batch_view(a->bytes, a->len, &b) != BATCH_OK || b.size != (int64_t)a->len)
		return err_set(err, ERR_CORRUPT_MESSAGE, "%s-%d: not one whole batch", i->plog->topic,
		    i->plog->number);
	if ((!a->internal_topic && check_space(i->logs, a->len, err) == -1) ||
	    check_header(i, a, &b, err) == -1)
		return -1;
	ret = check_producer(i, a, &b, err);
	if (ret != 0)
		return ret == 1 ? 0 : -1;
	if (mlog_append(&i->log, a->bytes, a->len, a->leader_epoch, a->check.now_ms, &out, err) == -1)
		return -1;
	i->size_known += (int64_t)a->len;
	a->base_offset = out.base_offset;
	a->last_offset = out.last_offset;
	a->append_time = out.append_time;
	a->segment_base = i->log.tail.segment_base;
	a->written_at = i->log.tail.size - (int64_t)a->len;
	return 0;
}

/* Transactions begin and end with such batches only. */
static void
note_transactions(struct plog_impl *i, const struct plog_append *a)
{
	struct batch b;

	for (size_t at = 0; at < a->len && batch_view(a->bytes + at, a->len - at, &b) == BATCH_OK;
	    at += (size_t)b.size) {
		if (!batch_is_transactional(&b) && !batch_is_control(&b))
			continue;
		i->unstable = producers_first_unstable(&i->log.producers);
		i->abort_seen = i->abort_seen || batch_is_control(&b);
	}
}

void
append_run(struct plog_impl *i, struct plog_append *a)
{
	struct logs *s = i->logs;
	int ret;

	if (a->code != 0)
		return; /* WORKER_CHECK has refused it */
	if (s->writer_failed) {
		err_set(&a->err, ERR_KAFKA_STORAGE_ERROR, "%s: takes nothing more", i->dir);
		a->code = ERR_KAFKA_STORAGE_ERROR;
		return;
	}
	ret = a->origin == APPEND_REPLICA ? append_replica(i, a, &a->err) : append_new(i, a, &a->err);
	if (ret == -1) {
		a->code = logs_code(&a->err);
		if (i->log.failed)
			turn_fail(s, &a->err);
	} else {
		a->err.code = 0;
		note_transactions(i, a);
	}
	if (i->log.tail.synced_offset < mlog_end(&i->log))
		plog_dirty(i);
}

/* --- the newest batches' places, on the loop ------------------------------------------- */

void
ring_free(struct plog_impl *i)
{
	free(i->ring);
	i->ring = NULL;
}

static void
ring_put(struct ring *r, const struct ring_batch *b)
{
	if (r->count == LOGS_RING) {
		r->first = (r->first + 1) % LOGS_RING;
		r->count--;
	}
	r->batches[(r->first + r->count++) % LOGS_RING] = *b;
}

void
ring_note(struct plog_impl *i, const struct plog_append *a)
{
	struct batch b;
	int64_t at = a->written_at;

	if (a->code != 0 || a->duplicate)
		return;
	if (a->written_at == -1) {
		ring_free(i);
		return;
	}
	if (i->ring == NULL && (i->ring = calloc(1, sizeof(*i->ring))) == NULL)
		return; /* reads are slower for it */
	if (i->ring->segment_base != a->segment_base)
		i->ring->count = i->ring->first = 0;
	i->ring->segment_base = a->segment_base;
	for (size_t n = 0; n < a->len && batch_view(a->bytes + n, a->len - n, &b) == BATCH_OK;
	    n += (size_t)b.size) {
		struct ring_batch rb = {b.base_offset, batch_last_offset(&b), at, b.size};

		ring_put(i->ring, &rb);
		at += b.size;
	}
}
