/* ListOffsets: the offset at a time, or at an end of the log (KIP-79, 405, 734, 1005). */
#include <stdlib.h>
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

/* Timestamps that are none, and the version that brought each. */
enum {
	TIME_LATEST = -1,
	TIME_EARLIEST = -2,
	TIME_MAX = -3,             /* 7 */
	TIME_EARLIEST_LOCAL = -4,  /* 8 */
	TIME_LATEST_TIERED = -5,   /* 9 */
	TIME_PENDING_UPLOAD = -6,  /* 11 */
};

struct part {
	struct list *list;
	const struct list_offsets_request_topic *topic;
	const struct list_offsets_request_partition *in;
	struct list_offsets_response_partition *out;
	struct plog_job job;
	struct plog_find find;
	int32_t start_epoch;
	bool twice;
};

struct list {
	struct exchange *x;
	const struct list_offsets_request *in;
	struct list_offsets_response *out;
	struct part *parts;
	size_t part_count;
	struct gather gather;
};

/* What the client may be told of at most. */
static int64_t
end_for(const struct list *l, const struct partition *p)
{
	if (l->in->replica_id != -1)
		return p->log->end_offset;
	return partition_readable_end(p, l->in->isolation_level);
}

static void
answer(struct part *part, int64_t offset, int64_t timestamp, int32_t leader_epoch)
{
	part->out->offset = offset;
	part->out->timestamp = timestamp;
	if (part->list->x->request.version >= 4)
		part->out->leader_epoch = leader_epoch;
	gather_one(&part->list->gather);
}

static void
refuse(struct part *part, int code)
{
	part->out->error_code = (int16_t)code;
	gather_one(&part->list->gather);
}

static struct partition *
find(const struct part *part, int *code)
{
	struct partition *p = partitions_find(part->list->x->broker->partitions,
	    part->topic->name.data, (size_t)part->topic->name.len, NULL, part->in->partition_index,
	    code);

	if (p == NULL)
		return NULL;
	*code = partition_check_epoch(p, part->in->current_leader_epoch);
	return *code == 0 ? p : NULL;
}

static void
found(struct plog_find *f)
{
	struct part *part = f->ctx;

	if (f->code != 0)
		refuse(part, f->code);
	else
		answer(part, f->offset, f->found_timestamp, f->offset >= 0 ? f->leader_epoch : -1);
}

/* On the writer. */
static int
read_epoch(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct part *part = j->ctx;

	(void)err;
	part->start_epoch = epochs_at(&log->epochs, log->start_offset);
	return 0;
}

static void
epoch_read(struct plog_job *j)
{
	struct part *part = j->ctx;
	struct partition *p;
	int code;

	p = find(part, &code);
	if (p == NULL || j->err.code != 0) {
		refuse(part, p == NULL ? code : ERR_KAFKA_STORAGE_ERROR);
		return;
	}
	/* Of an empty log it is that of the first record to come. */
	if (p->log->start_offset == p->log->end_offset)
		part->start_epoch = p->leader_epoch;
	answer(part, p->log->start_offset, -1, part->start_epoch);
}

/* Versions in which a sentinel is not known yet are told so, as is any other
 * negative time. */
static bool
is_known(int64_t timestamp, int version)
{
	return timestamp >= TIME_EARLIEST || (timestamp == TIME_MAX && version >= 7) ||
	    (timestamp == TIME_EARLIEST_LOCAL && version >= 8) ||
	    (timestamp == TIME_LATEST_TIERED && version >= 9) ||
	    (timestamp == TIME_PENDING_UPLOAD && version >= 11);
}

/* The log's ends are known. */
static void
look(struct part *part, struct partition *p)
{
	switch (part->in->timestamp) {
	case TIME_LATEST:
		answer(part, end_for(part->list, p), -1, p->leader_epoch);
		return;
	case TIME_EARLIEST:
	case TIME_EARLIEST_LOCAL:
		part->job = (struct plog_job){.run = read_epoch, .done = epoch_read, .look = true,
		    .ctx = part};
		plog_run(p->log, &part->job);
		return;
	case TIME_LATEST_TIERED:
	case TIME_PENDING_UPLOAD:
		answer(part, -1, -1, -1); /* nothing is tiered here */
		return;
	default:
		part->find = (struct plog_find){.timestamp = part->in->timestamp,
		    .limit_offset = end_for(part->list, p), .done = found, .ctx = part};
		plog_find(p->log, &part->find);
	}
}

static void
loaded(struct plog_job *j)
{
	struct part *part = j->ctx;
	struct partition *p;
	int code;

	if (j->err.code != 0) {
		refuse(part, ERR_KAFKA_STORAGE_ERROR);
		return;
	}
	p = find(part, &code);
	if (p == NULL)
		refuse(part, code);
	else
		look(part, p);
}

/* By topic and number. */
static int
compare_parts(const void *a, const void *b)
{
	const struct part *x = *(struct part *const *)a, *y = *(struct part *const *)b;
	int32_t len = x->topic->name.len < y->topic->name.len ? x->topic->name.len
							      : y->topic->name.len;
	int by = memcmp(x->topic->name.data, y->topic->name.data, (size_t)len);

	if (by == 0)
		by = (x->topic->name.len > y->topic->name.len) -
		    (x->topic->name.len < y->topic->name.len);
	if (by == 0)
		by = (x->in->partition_index > y->in->partition_index) -
		    (x->in->partition_index < y->in->partition_index);
	return by;
}

/* Marks those that are listed twice: nobody could tell which answer is which. */
static int
mark_twice(struct list *l)
{
	struct part **sorted = exchange_array(l->x, l->part_count, sizeof(struct part *));

	if (sorted == NULL)
		return -1;
	for (size_t i = 0; i < l->part_count; i++)
		sorted[i] = &l->parts[i];
	qsort(sorted, l->part_count, sizeof(struct part *), compare_parts);
	for (size_t i = 1; i < l->part_count; i++)
		if (compare_parts(&sorted[i - 1], &sorted[i]) == 0)
			sorted[i - 1]->twice = sorted[i]->twice = true;
	return 0;
}

static void
start(struct part *part)
{
	struct partition *p;
	int code;

	if (part->twice) {
		refuse(part, ERR_INVALID_REQUEST);
		return;
	}
	if (part->list->in->isolation_level < 0 || part->list->in->isolation_level > 1) {
		refuse(part, ERR_UNKNOWN_SERVER_ERROR); /* as Kafka */
		return;
	}
	if (!is_known(part->in->timestamp, part->list->x->request.version)) {
		refuse(part, ERR_UNSUPPORTED_VERSION);
		return;
	}
	p = find(part, &code);
	if (p == NULL) {
		refuse(part, code);
		return;
	}
	if (p->log->loaded) {
		look(part, p);
		return;
	}
	part->job = (struct plog_job){.done = loaded, .ctx = part};
	plog_load(p->log, &part->job);
}

static int
lay_out_topic(struct list *l, const struct list_offsets_request_topic *in,
    struct list_offsets_response_topic *out)
{
	out->name = in->name;
	out->partitions.items = exchange_array(
	    l->x, (size_t)in->partitions.count, sizeof(*out->partitions.items));
	if (out->partitions.items == NULL)
		return -1;
	out->partitions.count = in->partitions.count;
	for (int32_t i = 0; i < in->partitions.count; i++) {
		struct part *part = &l->parts[l->part_count++];

		part->list = l;
		part->topic = in;
		part->in = &in->partitions.items[i];
		part->out = &out->partitions.items[i];
		*part->out = (struct list_offsets_response_partition){
		    .partition_index = part->in->partition_index, .timestamp = -1, .offset = -1,
		    .leader_epoch = -1};
	}
	return 0;
}

static int
lay_out(struct list *l)
{
	const struct list_offsets_request *in = l->in;
	size_t count = 0;

	for (int32_t i = 0; i < in->topics.count; i++)
		count += (size_t)in->topics.items[i].partitions.count;
	l->out = dispatch_response(l->x);
	view_make_room(l->x, (count < ROOM_PARTS ? count : ROOM_PARTS) * sizeof(*l->parts));
	l->parts = exchange_array(l->x, count, sizeof(*l->parts));
	if (l->out == NULL || l->parts == NULL)
		return -1;
	l->out->topics.items =
	    exchange_array(l->x, (size_t)in->topics.count, sizeof(*l->out->topics.items));
	if (l->out->topics.items == NULL)
		return -1;
	l->out->topics.count = in->topics.count;
	for (int32_t i = 0; i < in->topics.count; i++)
		if (lay_out_topic(l, &in->topics.items[i], &l->out->topics.items[i]) == -1)
			return -1;
	return 0;
}

void
api_list_offsets(struct exchange *x)
{
	struct list *l = arena_alloc(&x->arena, sizeof(*l));

	if (l == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	l->x = x;
	l->in = x->body;
	if (lay_out(l) == -1 || mark_twice(l) == -1) {
		dispatch_close(x, "out of memory");
		return;
	}
	gather_begin(&l->gather, x, l->out);
	for (size_t i = 0; i < l->part_count; i++) {
		gather_add(&l->gather);
		start(&l->parts[i]);
	}
	gather_one(&l->gather);
}
