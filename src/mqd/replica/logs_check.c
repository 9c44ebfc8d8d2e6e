/*
 * Batches whose records are looked at before they reach the writer, on WORKER_CHECK:
 * compressed ones, since only opening them shows that they can be opened; those of
 * topics whose settings speak of single records; those that are to have another codec.
 * Kafka's LogValidator.
 */
#include <stdlib.h>
#include <string.h>

#include "mqd/replica/logs_impl.h"

static bool
wants_codec(const struct plog_settings *c, const struct batch *b)
{
	return c->compression != PLOG_AS_PRODUCED && (int)batch_codec(b) != c->compression;
}

static int
refuse(struct plog_append *a, int code, int32_t record, const char *what)
{
	a->bad_record = record;
	return err_set(&a->err, code, "%s", what);
}

static int
refuse_time(struct plog_append *a, int32_t record, int64_t ts, const char *setting, int64_t max,
    const char *how)
{
	a->bad_record = record;
	return err_set(&a->err, ERR_INVALID_TIMESTAMP, "timestamp %lld is more than %s (%lld) %s",
	    (long long)ts, setting, (long long)max, how);
}

/* One record, number `n` of its batch. */
static int
check_record(struct plog_append *a, const struct batch *b, int32_t n, const struct record *r)
{
	const struct plog_settings *c = &a->check.settings;
	int64_t now_ms = a->check.now_ms;

	if (r->offset != b->base_offset + n)
		return refuse(a, ERR_INVALID_RECORD, n, "offsets do not count up by one");
	if (c->log.cleanup_compact && r->key_size < 0)
		return refuse(a, ERR_INVALID_RECORD, n, "a record without key, but cleanup.policy is compact");
	if (c->log.append_time || r->timestamp == NO_TIMESTAMP)
		return 0;
	if (r->timestamp < now_ms && now_ms - r->timestamp > c->before_max_ms)
		return refuse_time(a, n, r->timestamp, "message.timestamp.before.max.ms",
		    c->before_max_ms, "behind");
	if (r->timestamp > now_ms && r->timestamp - now_ms > c->after_max_ms)
		return refuse_time(a, n, r->timestamp, "message.timestamp.after.max.ms",
		    c->after_max_ms, "ahead");
	return 0;
}

/* Bytes that do not parse are the producer's doing; the rest is ours. */
static int
bad_records(struct plog_append *a)
{
	if (a->err.code == ERR_CORRUPT)
		a->err.code = ERR_INVALID_RECORD;
	return err_prefix(&a->err, "%s-%d", a->item.log->topic, a->item.log->number);
}

/* Takes every record to the new codec, if there is one; the head is the old one's. */
static int
begin_packed(struct plog_append *a, const struct batch *b)
{
	const struct plog_settings *c = &a->check.settings;
	struct batch_builder *bb = calloc(1, sizeof(*bb));

	if (bb == NULL)
		return err_nomem(&a->err);
	batch_builder_init(bb, (enum codec)c->compression, c->compression_level);
	a->check.packed = bb;
	bb->head.attributes = (int16_t)(b->attributes & ~BATCH_CODEC_MASK);
	bb->head.producer_id = b->producer_id;
	bb->head.producer_epoch = b->producer_epoch;
	bb->head.base_sequence = b->base_sequence;
	return 0;
}

static int
walk(struct plog_append *a, struct record_reader *rr, const struct batch *b, int64_t *newest)
{
	struct record r;
	int32_t n = 0;
	int got;

	for (; (got = record_reader_next(rr, &r, &a->err)) == 1; n++) {
		if (check_record(a, b, n, &r) == -1)
			return -1;
		if (r.timestamp > *newest)
			*newest = r.timestamp;
		if (a->check.packed != NULL && batch_builder_add(a->check.packed, &r, &a->err) == -1)
			return bad_records(a);
	}
	if (got == -1)
		return bad_records(a);
	if (n == 0 || n != b->record_count || n - 1 != b->last_offset_delta)
		return refuse(a, ERR_INVALID_RECORD, n, "the count is not that of the header");
	return 0;
}

static int
check(struct plog_append *a)
{
	struct record_reader rr = {0};
	struct batch b, packed;
	int64_t newest = NO_TIMESTAMP;
	int ret;

	if (batch_view(a->bytes, a->len, &b) != BATCH_OK || b.size != (int64_t)a->len)
		return err_set(&a->err, ERR_CORRUPT_MESSAGE, "%s-%d: not one whole batch",
		    a->item.log->topic, a->item.log->number);
	if (wants_codec(&a->check.settings, &b) && begin_packed(a, &b) == -1)
		return -1;
	ret = record_reader_open(&rr, &b, &a->err) == -1 ? bad_records(a) :
	    walk(a, &rr, &b, &newest);
	record_reader_release(&rr);
	if (ret == -1)
		return -1;
	if (a->check.packed == NULL) {
		/* Time is looked up by it, and segments are deleted by it. */
		if (newest != b.max_timestamp)
			batch_set_max_timestamp(a->bytes, newest);
		return 0;
	}
	if (batch_builder_finish(a->check.packed, &packed, &a->err) == -1)
		return bad_records(a);
	a->bytes = (uint8_t *)(uintptr_t)packed.bytes;
	a->len = (size_t)packed.size;
	return 0;
}

static void
check_run(struct os_job *j)
{
	struct plog_append *a = j->ctx;

	if (check(a) == 0)
		a->err.code = 0;
	else
		a->code = logs_code(&a->err);
}

static void
check_done(struct os_job *j)
{
	struct plog_append *a = j->ctx;
	struct plog_impl *i = a->item.log->impl;
	struct logs *s = i->logs;

	a->check.running = false;
	i->checking--;
	s->checking--;
	plog_pump(i);
	logs_turn(s);
	stop_pump(s);
}

bool
check_start(struct plog_impl *i, struct plog_append *a)
{
	const struct plog_settings *c = &a->check.settings;
	struct batch b;

	if (a->origin != APPEND_CLIENT || batch_view(a->bytes, a->len, &b) != BATCH_OK)
		return false;
	if (batch_codec(&b) == CODEC_NONE && !c->log.cleanup_compact &&
	    c->before_max_ms == INT64_MAX && !wants_codec(c, &b))
		return false;
	a->check.running = true;
	i->checking++;
	i->logs->checking++;
	a->check.os_job = (struct os_job){.run = check_run, .done = check_done, .ctx = a};
	os_work(i->logs->os, WORKER_CHECK, &a->check.os_job);
	return true;
}

void
check_release(struct plog_append *a)
{
	if (a->check.packed == NULL)
		return;
	batch_builder_release(a->check.packed);
	free(a->check.packed);
	a->check.packed = NULL;
}
