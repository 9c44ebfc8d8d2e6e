/* OffsetForLeaderEpoch: where a log ends an epoch (KIP-101, 279, 320). */
#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

struct part {
	struct gather *gather;
	struct partitions *partitions;
	const struct offset_for_leader_epoch_request_topic *topic;
	const struct offset_for_leader_epoch_request_partition *in;
	struct offset_for_leader_epoch_response_partition *out;
	struct plog_job job;
	int32_t leader_epoch; /* when it was asked for */
	struct epoch_entry end;
};

static struct partition *
find(const struct part *part, int *code)
{
	struct partition *p = partitions_find(part->partitions, part->topic->topic.data,
	    (size_t)part->topic->topic.len, NULL, part->in->partition, code);

	if (p == NULL)
		return NULL;
	*code = partition_check_epoch(p, part->in->current_leader_epoch);
	return *code == 0 ? p : NULL;
}

/* On the writer. */
static int
read_end(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct part *part = j->ctx;

	(void)err;
	part->end = partition_epoch_end(
	    &log->epochs, part->leader_epoch, part->in->leader_epoch, mlog_end(log));
	return 0;
}

static void
end_read(struct plog_job *j)
{
	struct part *part = j->ctx;
	struct partition *p;
	int code;

	p = find(part, &code);
	if (p != NULL && j->err.code != 0)
		code = ERR_KAFKA_STORAGE_ERROR;
	if (code != 0) {
		part->out->error_code = (int16_t)code;
	} else {
		part->out->leader_epoch = part->end.epoch;
		part->out->end_offset = part->end.start_offset;
	}
	gather_one(part->gather);
}

static void
start(struct part *part)
{
	struct partition *p;
	int code;

	*part->out = (struct offset_for_leader_epoch_response_partition){
	    .partition = part->in->partition, .leader_epoch = -1, .end_offset = -1};
	p = find(part, &code);
	if (p == NULL) {
		part->out->error_code = (int16_t)code;
		return;
	}
	part->leader_epoch = p->leader_epoch;
	/* Of a log that was never written. */
	part->end = partition_epoch_end(
	    &(struct epochs){0}, p->leader_epoch, part->in->leader_epoch, p->log->end_offset);
	part->job = (struct plog_job){.run = read_end, .done = end_read, .look = true, .ctx = part};
	gather_add(part->gather);
	plog_run(p->log, &part->job);
}

static int
start_topic(struct exchange *x, struct gather *g,
    const struct offset_for_leader_epoch_request_topic *in,
    struct offset_for_leader_epoch_response_topic *out)
{
	size_t count = (size_t)in->partitions.count;
	struct part *parts = exchange_array(x, count, sizeof(*parts));

	out->topic = in->topic;
	out->partitions.items = exchange_array(x, count, sizeof(*out->partitions.items));
	if (parts == NULL || out->partitions.items == NULL)
		return -1;
	out->partitions.count = in->partitions.count;
	for (size_t i = 0; i < count; i++) {
		parts[i] = (struct part){.gather = g, .partitions = x->broker->partitions,
		    .topic = in, .in = &in->partitions.items[i], .out = &out->partitions.items[i]};
		start(&parts[i]);
	}
	return 0;
}

void
api_offset_for_leader_epoch(struct exchange *x)
{
	const struct offset_for_leader_epoch_request *in = x->body;
	struct offset_for_leader_epoch_response *out = dispatch_response(x);
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
