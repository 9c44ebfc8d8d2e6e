/* InitProducerId, DescribeProducers: idempotent producers (KIP-98, 360, 664). */
#include <stdlib.h>

#include "mqd/api/api.h"
#include "mqd/api/configs.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

void
api_init_producer_id(struct exchange *x)
{
	const struct init_producer_id_request *in = x->body;
	struct init_producer_id_response *out = dispatch_response(x);
	struct err err = {0};

	if (out == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	out->producer_epoch = -1;
	/* Both or none, and -1 is none. */
	if ((in->producer_id == -1) != (in->producer_epoch == -1) || in->transactional_id.len == 0)
		out->error_code = ERR_INVALID_REQUEST;
	else if (in->transactional_id.len > 0) /* there is no coordinator of transactions here */
		out->error_code = ERR_COORDINATOR_NOT_AVAILABLE;
	else if (cluster_producer_id(x->broker->cluster, &out->producer_id, &err) == -1)
		out->error_code = (int16_t)(err.code < 0 ? ERR_UNKNOWN_SERVER_ERROR : err.code);
	else
		out->producer_epoch = 0;
	dispatch_reply(x, out);
}

/* --- DescribeProducers -------------------------------------------------------------- */

struct part {
	struct gather *gather;
	struct describe_producers_response_partition *out;
	struct plog_job job;
	struct producer_entry *entries; /* malloc'd on the writer */
	size_t count;
};

static int
copy_producers(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct part *part = j->ctx;

	if (!log->producers_loaded && mlog_load_producers(log, err) == -1)
		return -1;
	if (log->producers.by_id.count == 0)
		return 0;
	part->entries = calloc(log->producers.by_id.count, sizeof(*part->entries));
	if (part->entries == NULL)
		return err_nomem(err);
	for (struct map_entry *e = NULL; (e = map_next(&log->producers.by_id, e)) != NULL;)
		part->entries[part->count++] = *(const struct producer_entry *)e->value;
	return 0;
}

static int
put_producers(struct exchange *x, struct part *part)
{
	struct describe_producers_response_partition *out = part->out;

	out->active_producers.items =
	    exchange_array(x, part->count, sizeof(*out->active_producers.items));
	if (out->active_producers.items == NULL)
		return -1;
	for (size_t i = 0; i < part->count; i++) {
		const struct producer_entry *e = &part->entries[i];

		out->active_producers.items[out->active_producers.count++] =
		    (struct describe_producers_response_producer){.producer_id = e->id,
			.producer_epoch = e->epoch,
			.last_sequence = e->batch_count > 0
			    ? e->batches[e->batch_count - 1].last_sequence
			    : -1,
			.last_timestamp = e->last_timestamp,
			.coordinator_epoch = e->coordinator_epoch,
			.current_txn_start_offset = e->txn_first_offset};
	}
	return 0;
}

static void
copied(struct plog_job *j)
{
	struct part *part = j->ctx;

	if (j->err.code != 0)
		part->out->error_code = ERR_KAFKA_STORAGE_ERROR;
	else if (put_producers(part->gather->x, part) == -1)
		part->out->error_code = ERR_UNKNOWN_SERVER_ERROR;
	free(part->entries);
	gather_one(part->gather);
}

/* No such partition: there can be no such topic, there is none, or it has no such one. */
static void
say_missing(struct exchange *x, const struct wire_str *topic,
    struct describe_producers_response_partition *out)
{
	char *name = arena_memdup(&x->arena, topic->data, (size_t)topic->len);
	const char *fault = name != NULL ? topic_name_fault(&x->arena, name) : NULL;
	int code;

	(void)partitions_find(
	    x->broker->partitions, topic->data, (size_t)topic->len, NULL, 0, &code);
	if (fault != NULL)
		out->error_code = ERR_INVALID_TOPIC_EXCEPTION;
	else if (code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		fault = "This server does not host this topic-partition.";
	out->error_message = fault != NULL ? wire_str_of(fault) : wire_str_null();
}

static int
start_topic(struct exchange *x, struct gather *g,
    const struct describe_producers_request_topic_request *in,
    struct describe_producers_response_topic *out)
{
	size_t count = (size_t)in->partition_indexes.count;
	struct part *parts = exchange_array(x, count, sizeof(*parts));
	int code;

	out->name = in->name;
	out->partitions.items = exchange_array(x, count, sizeof(*out->partitions.items));
	if (parts == NULL || out->partitions.items == NULL)
		return -1;
	out->partitions.count = in->partition_indexes.count;
	for (size_t i = 0; i < count; i++) {
		int32_t number = in->partition_indexes.items[i];
		struct partition *p = partitions_find(x->broker->partitions, in->name.data,
		    (size_t)in->name.len, NULL, number, &code);

		parts[i] = (struct part){.gather = g, .out = &out->partitions.items[i]};
		*parts[i].out = (struct describe_producers_response_partition){
		    .partition_index = number, .error_code = (int16_t)code,
		    .error_message = wire_str_null()};
		if (p == NULL) {
			say_missing(x, &in->name, parts[i].out);
			continue;
		}
		parts[i].job =
		    (struct plog_job){.run = copy_producers, .done = copied, .look = true,
			.ctx = &parts[i]};
		gather_add(g);
		plog_run(p->log, &parts[i].job);
	}
	return 0;
}

void
api_describe_producers(struct exchange *x)
{
	const struct describe_producers_request *in = x->body;
	struct describe_producers_response *out = dispatch_response(x);
	struct gather *g = arena_alloc(&x->arena, sizeof(*g));
	size_t count = (size_t)in->topics.count, parts = 0;

	if (out != NULL)
		out->topics.items = exchange_array(x, count, sizeof(*out->topics.items));
	if (out == NULL || g == NULL || out->topics.items == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++)
		parts += (size_t)in->topics.items[i].partition_indexes.count;
	view_make_room(x, (parts < ROOM_PARTS ? parts : ROOM_PARTS) * sizeof(struct part));
	gather_begin(g, x, out);
	out->topics.count = (int32_t)count;
	for (size_t i = 0; i < count && !g->short_of_memory; i++)
		if (start_topic(x, g, &in->topics.items[i], &out->topics.items[i]) == -1)
			g->short_of_memory = true;
	gather_one(g);
}
