/* DeleteRecords: move the start of a log (KIP-107). */
#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

struct part {
	struct gather *gather;
	struct partitions *partitions;
	const struct delete_records_request_topic *topic;
	const struct delete_records_request_partition *in;
	struct delete_records_response_partition *out;
	struct plog_trim trim;
	struct plog_job load;
};

static void
refuse(struct part *part, int code)
{
	part->out->low_watermark = -1;
	part->out->error_code = (int16_t)code;
	gather_one(part->gather);
}

static void
trimmed(struct plog_trim *t)
{
	struct part *part = t->ctx;

	if (t->err.code != 0) {
		/* Kafka's own codes, as that the topic has gone, are above 0. */
		refuse(part, t->err.code > 0 ? t->err.code : ERR_KAFKA_STORAGE_ERROR);
		return;
	}
	part->out->low_watermark = t->start_offset;
	gather_one(part->gather);
}

static struct partition *
find(const struct part *part, int *code)
{
	return partitions_find(part->partitions, part->topic->name.data,
	    (size_t)part->topic->name.len, NULL, part->in->partition_index, code);
}

static void
trim(struct part *part, struct partition *p)
{
	int64_t to = part->in->offset == -1 ? p->high_watermark : part->in->offset;

	if (to < 0 || to > p->high_watermark) {
		refuse(part, ERR_OFFSET_OUT_OF_RANGE);
		return;
	}
	part->trim = (struct plog_trim){.offset = to, .done = trimmed, .ctx = part};
	plog_trim(p->log, &part->trim);
}

static void
loaded(struct plog_job *j)
{
	struct part *part = j->ctx;
	int code;
	struct partition *p = find(part, &code);

	if (p == NULL || j->err.code != 0)
		refuse(part, p == NULL ? code : ERR_KAFKA_STORAGE_ERROR);
	else
		trim(part, p);
}

static void
start(struct part *part)
{
	struct partition *p;
	int code;

	p = find(part, &code);
	if (p != NULL && p->internal) {
		refuse(part, ERR_INVALID_TOPIC_EXCEPTION);
	} else if (p == NULL) {
		refuse(part, code);
	} else if (!p->log->settings.log.cleanup_delete) {
		refuse(part, ERR_POLICY_VIOLATION);
	} else if (p->log->loaded) {
		trim(part, p);
	} else {
		part->load = (struct plog_job){.done = loaded, .ctx = part};
		plog_load(p->log, &part->load);
	}
}

static int
start_topic(struct exchange *x, struct gather *g, const struct delete_records_request_topic *in,
    struct delete_records_response_topic *out)
{
	size_t count = (size_t)in->partitions.count;
	struct part *parts = exchange_array(x, count, sizeof(*parts));

	out->name = in->name;
	out->partitions.items = exchange_array(x, count, sizeof(*out->partitions.items));
	if (parts == NULL || out->partitions.items == NULL)
		return -1;
	out->partitions.count = in->partitions.count;
	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct part){.gather = g, .partitions = x->broker->partitions,
		    .topic = in, .in = &in->partitions.items[i], .out = &out->partitions.items[i]};
		out->partitions.items[i].partition_index = parts[i].in->partition_index;
		gather_add(g);
		start(&parts[i]);
	}
	return 0;
}

void
api_delete_records(struct exchange *x)
{
	const struct delete_records_request *in = x->body;
	struct delete_records_response *out = dispatch_response(x);
	struct gather *g = arena_alloc(&x->arena, sizeof(*g));
	size_t count = (size_t)in->topics.count, parts = 0;

	if (out != NULL)
		out->topics.items = exchange_array(x, count, sizeof(*out->topics.items));
	if (out == NULL || g == NULL || out->topics.items == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	for (size_t i = 0; i < count; i++)
		parts += (size_t)in->topics.items[i].partitions.count;
	view_make_room(x, (parts < ROOM_PARTS ? parts : ROOM_PARTS) * sizeof(struct part));
	gather_begin(g, x, out);
	out->topics.count = (int32_t)count;
	for (size_t i = 0; i < count && !g->short_of_memory; i++)
		if (start_topic(x, g, &in->topics.items[i], &out->topics.items[i]) == -1)
			g->short_of_memory = true;
	gather_one(g);
}
