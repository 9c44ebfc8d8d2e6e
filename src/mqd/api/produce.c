/*
 * Produce: batches to the leaders of their partitions (KIP-98, 467, 516, 890, 951).
 *
 * Each partition is looked at for itself: found or not, then its one batch is checked
 * (check_records), appended, and answered when acks is satisfied. The whole is answered
 * when every partition is, or when its time is up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/batch.h"
#include "mqd/api/api.h"
#include "mqd/broker.h"
#include "mqd/net/conn.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

/* timeout_ms is for replicas. With none to wait for Kafka needs no time at all, since it
 * does not sync; we give our own disk as much in any case. */
#define TIMEOUT_MS_MIN 1000

/* Of a batch's version. */
#define MAGIC_AT 16

/* One partition of a request. In the exchange's arena. */
struct part {
	struct partition_append append;
	struct produce *produce;
	struct produce_response_partition *out;
	struct partition *partition; /* the text below is for its error */
	bool under_way;
};

struct produce {
	struct exchange *x;
	struct produce_response *out;
	struct part *parts;
	size_t part_count;
	size_t left; /* that are not answered, and one for the walk over them */
	int16_t acks;
	bool replied;
	bool failed; /* one of them, at least */
	struct os_timer timer;
};

static void
say(struct part *part, int code, const char *text)
{
	struct exchange *x = part->produce->x;

	part->out->error_code = (int16_t)code;
	part->out->base_offset = -1;
	/* Kafka tells the log's start with what it found wrong in the records only. */
	if (code == ERR_CORRUPT_MESSAGE || code == ERR_MESSAGE_TOO_LARGE ||
	    code == ERR_RECORD_LIST_TOO_LARGE || code == ERR_KAFKA_STORAGE_ERROR ||
	    code == ERR_REQUEST_TIMED_OUT)
		part->out->log_start_offset = -1;
	part->produce->failed = true;
	x->broker->stats.produce_failed++;
	if (text != NULL && text[0] != '\0')
		part->out->error_message = wire_str_of(arena_strdup(&x->arena, text));
}

/* One record is refused, and its batch with it (KIP-467). */
static void
say_record(struct part *part, int code, int32_t number, const char *text)
{
	struct exchange *x = part->produce->x;
	struct produce_response_record_error *e = exchange_array(x, 1, sizeof(*e));
	char whole[ERR_TEXT_MAX + 32];

	snprintf(whole, sizeof(whole), "record %d: %s", number, text);
	say(part, code, whole);
	if (e == NULL)
		return;
	e->batch_index = number;
	e->batch_index_error_message = wire_str_of(arena_strdup(&x->arena, text));
	part->out->record_errors.items = e;
	part->out->record_errors.count = 1;
}

/* --- the answer ------------------------------------------------------------------- */

static void
reply(struct produce *p)
{
	struct exchange *x = p->x;

	if (p->replied)
		return;
	p->replied = true;
	os_timer_stop(x->broker->os, &p->timer);
	/* Who asked for no answer learns of a failure by the connection's end, as from
	 * Kafka, and looks up the leader again. */
	if (p->acks == 0 && p->failed)
		dispatch_close(x, "a batch of a request without acks was refused");
	else if (p->acks == 0)
		dispatch_reply_none(x);
	else
		dispatch_reply(x, p->out);
}

static void
one_less(struct produce *p)
{
	if (--p->left == 0)
		reply(p);
}

static void
part_done(struct partition_append *a)
{
	struct part *part = a->ctx;
	struct produce *p = part->produce;
	struct exchange *x = p->x;

	part->under_way = false;
	if (p->replied) {
		/* The time was up. */
	} else if (a->code != 0) {
		part->out->log_start_offset = a->append.start_offset;
		if (a->append.bad_record >= 0)
			say_record(part, a->code, a->append.bad_record, a->append.err.text);
		else
			say(part, a->code, a->append.code != 0 ? a->append.err.text : NULL);
	} else {
		part->out->base_offset = a->append.base_offset;
		part->out->log_append_time_ms = a->append.append_time;
		part->out->log_start_offset = a->append.start_offset;
	}
	if (a->code == 0 && !a->append.duplicate) {
		x->broker->stats.records_in += a->append.last_offset - a->append.base_offset + 1;
		x->broker->stats.bytes_in += (int64_t)a->append.len;
	}
	if (!p->replied)
		one_less(p);
	exchange_drop(x);
}

/* timeout_ms is over. What was written stays and may be committed yet. */
static void
time_is_up(struct os_timer *t)
{
	struct produce *p = t->ctx;

	for (size_t i = 0; i < p->part_count; i++)
		if (p->parts[i].under_way)
			say(&p->parts[i], ERR_REQUEST_TIMED_OUT, NULL);
	reply(p);
}

/* --- one partition ------------------------------------------------------------------ */

/* Kafka's ProduceRequest.validateRecords: what is wrong with the whole request's form.
 * Bytes behind the batch that are no whole one are not looked at, as by Kafka; `b` is
 * the batch. Returns a code, with a text. */
static int
check_form(const struct exchange *x, const struct wire_bytes *records, struct batch *b,
    struct err *err)
{
	int version = x->request.version;
	enum batch_fault fault = BATCH_SHORT;
	struct batch second;

	if (records->len > 0)
		fault = batch_view(records->data, (size_t)records->len, b);
	if (fault == BATCH_SHORT)
		return err_set(err, ERR_INVALID_RECORD, "Produce requests with version %d must have "
		    "at least one record batch per partition", version), err->code;
	if (fault == BATCH_BAD_MAGIC && records->data[MAGIC_AT] > 2)
		return err_set(err, ERR_CORRUPT_MESSAGE, "Invalid magic found in record: %d",
		    (int8_t)records->data[MAGIC_AT]), err->code;
	if (fault == BATCH_BAD_MAGIC)
		return err_set(err, ERR_INVALID_RECORD, "Produce requests with version %d are only "
		    "allowed to contain record batches with magic version 2", version), err->code;
	if (fault != BATCH_OK)
		return err_set(err, ERR_CORRUPT_MESSAGE, "a batch with a bad %s",
		    batch_fault_name(fault)), err->code;
	if (version < 7 && batch_codec(b) == CODEC_ZSTD)
		return err_set(err, ERR_UNSUPPORTED_COMPRESSION_TYPE, "Produce requests with version "
		    "%d are not allowed to use ZStandard compression", version), err->code;
	if (batch_view(records->data + b->size, (size_t)(records->len - b->size), &second) !=
	    BATCH_SHORT)
		return err_set(err, ERR_INVALID_RECORD, "Produce requests with version %d are only "
		    "allowed to contain exactly one record batch per partition", version), err->code;
	return 0;
}

/* The records of a batch that is not compressed; `newest` is the time of the newest. */
static int
check_plain_records(const struct batch *b, int64_t *newest, struct err *err)
{
	struct record_reader reader = {0};
	struct record r;
	int32_t n = 0;
	int got = record_reader_open(&reader, b, err);

	*newest = NO_TIMESTAMP;
	while (got != -1 && (got = record_reader_next(&reader, &r, err)) == 1) {
		if (reader.offset_delta != n)
			got = err_set(err, ERR_CORRUPT, "record %d has offset delta %d", n,
			    reader.offset_delta);
		if (r.timestamp > *newest)
			*newest = r.timestamp;
		n++;
	}
	record_reader_release(&reader);
	if (got == 0)
		return 0;
	return err->code == ERR_NOMEM ? ERR_UNKNOWN_SERVER_ERROR : ERR_INVALID_RECORD;
}

/* Kafka's LogValidator, as far as it needs no log. Its time in the header is set right,
 * as there: what is looked up and deleted by time goes by it. */
static int
check_batch(struct batch *b, struct err *err)
{
	enum batch_fault fault = batch_check(b);
	int64_t newest;
	int code;

	if (fault == BATCH_BAD_CRC)
		return err_set(err, ERR_CORRUPT_MESSAGE, "a batch with a bad checksum"), err->code;
	if (batch_is_control(b))
		return err_set(err, ERR_INVALID_RECORD,
		    "Clients are not allowed to write control records"), err->code;
	if (fault != BATCH_OK || b->base_offset != 0 || b->record_count < 1 ||
	    b->record_count != b->last_offset_delta + 1)
		return err_set(err, ERR_INVALID_RECORD, "a batch whose header does not make sense: "
		    "base offset %lld, last offset delta %d, %d records", (long long)b->base_offset,
		    b->last_offset_delta, b->record_count), err->code;
	if (b->producer_id >= 0 && b->base_sequence < 0)
		return err_set(err, ERR_INVALID_RECORD,
		    "Invalid sequence number %d in record batch with producerId %lld",
		    b->base_sequence, (long long)b->producer_id), err->code;
	if (batch_is_transactional(b))
		return err_set(err, ERR_INVALID_TXN_STATE, "transactions are not served here"),
		       err->code;
	if (batch_codec(b) != CODEC_NONE)
		return 0;
	code = check_plain_records(b, &newest, err);
	if (code == 0 && newest != b->max_timestamp && !batch_is_append_time(b))
		batch_set_max_timestamp((uint8_t *)(uintptr_t)b->bytes, newest);
	return code;
}

static int
check_partition(const struct produce *p, const struct partition *part, struct err *err)
{
	if (part->internal &&
	    (p->x->request.client_id.len != 14 ||
		memcmp(p->x->request.client_id.data, "__admin_client", 14) != 0))
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "Cannot append to internal topic %s", part->topic), err->code;
	if (p->acks == -1 && (int64_t)part->isr_count < part->min_isr)
		return err_set(err, ERR_NOT_ENOUGH_REPLICAS,
		    "%zu in sync, but min.insync.replicas is %d", part->isr_count,
		    part->min_isr), err->code;
	return 0;
}

static void
start_part(struct part *part, struct partition *partition, const struct wire_bytes *records)
{
	struct produce *p = part->produce;
	struct err err = {0};
	struct batch b;
	int code = check_partition(p, partition, &err);

	if (code == 0)
		code = check_form(p->x, records, &b, &err);
	if (code == 0) {
		part->out->log_start_offset = partition->log->loaded ? partition->log->start_offset : -1;
		code = check_batch(&b, &err);
	}
	if (code != 0) {
		say(part, code, err.text);
		return;
	}
	part->append = (struct partition_append){
	    /* The frame is ours: offset, epoch and time are written into it. */
	    .append = {.bytes = (uint8_t *)(uintptr_t)records->data, .len = (size_t)b.size,
		.origin = APPEND_CLIENT},
	    .acks = p->acks, .done = part_done, .ctx = part};
	part->under_way = true;
	p->left++;
	exchange_hold(p->x);
	partition_append(partition, &part->append);
}

static struct part *
next_part(struct produce *p, struct produce_response_partition *out, int32_t index)
{
	struct part *part = &p->parts[p->part_count++];

	part->produce = p;
	part->out = out;
	*out = (struct produce_response_partition){.index = index, .base_offset = -1,
	    .log_append_time_ms = -1, .log_start_offset = -1,
	    .error_message = wire_str_null(), .current_leader = {.leader_id = -1, .leader_epoch = -1}};
	return part;
}

static void
start_topic(struct produce *p, const struct produce_request_topic *in,
    struct produce_response_topic *out)
{
	struct partitions *all = p->x->broker->partitions;
	bool by_id = p->x->request.version >= 13;
	int code;

	for (int32_t i = 0; i < in->partition_data.count; i++) {
		const struct produce_request_partition *from = &in->partition_data.items[i];
		struct part *part = next_part(p, &out->partition_responses.items[i], from->index);
		struct partition *partition;

		if (p->acks < -1 || p->acks > 1) {
			say(part, ERR_INVALID_REQUIRED_ACKS, NULL);
			continue;
		}
		partition = partitions_find(all, by_id ? NULL : in->name.data,
		    by_id ? 0 : (size_t)in->name.len, &in->topic_id, from->index, &code);
		if (partition == NULL)
			say(part, code, NULL);
		else
			start_part(part, partition, &from->records);
	}
}

/* --- the request --------------------------------------------------------------------- */

/* All of the answer, and what to keep while it is made. -1: no memory. */
static int
lay_out(struct produce *p, const struct produce_request *in)
{
	struct exchange *x = p->x;
	size_t count = 0;

	p->out = dispatch_response(x);
	if (p->out == NULL)
		return -1;
	p->out->responses.items = exchange_array(x, (size_t)in->topic_data.count,
	    sizeof(*p->out->responses.items));
	if (p->out->responses.items == NULL)
		return -1;
	p->out->responses.count = in->topic_data.count;
	for (int32_t i = 0; i < in->topic_data.count; i++) {
		const struct produce_request_topic *from = &in->topic_data.items[i];
		struct produce_response_topic *to = &p->out->responses.items[i];

		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partition_responses.items = exchange_array(x,
		    (size_t)from->partition_data.count, sizeof(*to->partition_responses.items));
		if (to->partition_responses.items == NULL)
			return -1;
		to->partition_responses.count = from->partition_data.count;
		count += (size_t)from->partition_data.count;
	}
	p->parts = exchange_array(x, count, sizeof(*p->parts));
	return p->parts == NULL ? -1 : 0;
}

void
api_produce(struct exchange *x)
{
	const struct produce_request *in = x->body;
	struct produce *p = arena_alloc(&x->arena, sizeof(*p));

	if (p == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	p->x = x;
	p->acks = in->acks;
	if (lay_out(p, in) == -1) {
		dispatch_close(x, "out of memory");
		return;
	}
	p->left = 1;
	p->timer = (struct os_timer){.fire = time_is_up, .ctx = p};
	if (in->acks == -1)
		os_timer_start(x->broker->os, &p->timer,
		    in->timeout_ms < TIMEOUT_MS_MIN ? TIMEOUT_MS_MIN : in->timeout_ms);
	exchange_hold(x);
	for (int32_t i = 0; i < in->topic_data.count; i++)
		start_topic(p, &in->topic_data.items[i], &p->out->responses.items[i]);
	one_less(p);
	exchange_drop(x);
}
