/* DescribeLogDirs: the data directory and the size of what lies there (KIP-113, 827). */
#include <stdlib.h>
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

/* What a partition takes in the answer, at most: a topic of its own. */
#define DIR_PART_BYTES                                                                     \
	(sizeof(struct describe_log_dirs_response_partition) +                             \
	    sizeof(struct describe_log_dirs_response_topic) + 512)

struct part {
	struct describe *describe;
	struct partition *partition; /* what is asked about; not kept while waiting */
	struct describe_log_dirs_response_partition *out;
	struct plog_job load;
};

struct asked {
	struct wire_str topic;
	int32_t number;
};

struct describe {
	struct gather gather;
	struct exchange *x;
	bool all; /* are asked about */
	struct asked *asked; /* else these, in order */
	size_t asked_count;
	struct part *parts;
	size_t count, cap;
};

static int
compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;

	if (x->topic.len != y->topic.len)
		return x->topic.len < y->topic.len ? -1 : 1;
	int by_name = memcmp(x->topic.data, y->topic.data, (size_t)x->topic.len);
	if (by_name != 0)
		return by_name;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Whoever asks about many shall not have each partition held against each. */
static int
sort_asked(struct describe *d, const struct describe_log_dirs_request *in)
{
	size_t count = 0;

	d->all = in->topics.count == -1;
	for (int32_t i = 0; i < in->topics.count; i++)
		count += (size_t)in->topics.items[i].partitions.count;
	d->asked = exchange_array(d->x, count, sizeof(*d->asked));
	if (d->asked == NULL)
		return -1;
	for (int32_t i = 0; i < in->topics.count; i++) {
		const struct describe_log_dirs_request_topic *t = &in->topics.items[i];

		for (int32_t j = 0; j < t->partitions.count; j++)
			d->asked[d->asked_count++] =
			    (struct asked){t->topic, t->partitions.items[j]};
	}
	if (count > 1)
		qsort(d->asked, count, sizeof(*d->asked), compare_asked);
	return 0;
}

static bool
is_asked(const struct describe *d, const struct partition *p)
{
	struct asked one = {wire_str_of(p->topic), p->number};

	return d->all || (d->asked_count > 0 && bsearch(&one, d->asked, d->asked_count,
		sizeof(*d->asked), compare_asked) != NULL);
}

static int
count_part(void *ctx, struct partition *p)
{
	struct describe *d = ctx;

	d->cap += is_asked(d, p);
	return 0;
}

static int
add_part(void *ctx, struct partition *p)
{
	struct describe *d = ctx;

	if (is_asked(d, p))
		d->parts[d->count++].partition = p;
	return 0;
}

static void
put(struct part *part, const struct plog *l)
{
	part->out->partition_size = l->bytes;
}

static void
loaded(struct plog_job *j)
{
	struct part *part = j->ctx;

	/* One that cannot be read has no size that is known. */
	if (j->err.code == 0)
		put(part, j->item.log);
	gather_one(&part->describe->gather);
}

static void
start(struct part *part, struct partition *p)
{
	if (p->log->loaded) {
		put(part, p->log);
		return;
	}
	part->load = (struct plog_job){.done = loaded, .ctx = part};
	gather_add(&part->describe->gather);
	plog_load(p->log, &part->load);
}

/* Topics and partitions, as they lie in the table of partitions: by topic. */
static int
put_topics(struct describe *d, struct describe_log_dirs_response_dir *dir)
{
	struct describe_log_dirs_response_partition *items =
	    exchange_array(d->x, d->count, sizeof(*items));
	struct describe_log_dirs_response_topic *t = NULL;

	dir->topics.items = exchange_array(d->x, d->count, sizeof(*dir->topics.items));
	if (items == NULL || dir->topics.items == NULL)
		return -1;
	for (size_t i = 0; i < d->count; i++) {
		struct part *part = &d->parts[i];

		if (i == 0 ||
		    !uuid_equal(&d->parts[i - 1].partition->topic_id, &part->partition->topic_id)) {
			t = &dir->topics.items[dir->topics.count++];
			t->name = wire_str_of(arena_strdup(&d->x->arena, part->partition->topic));
			t->partitions.items = &items[i];
		}
		t->partitions.count++;
		part->describe = d;
		part->out = &items[i];
		part->out->partition_index = part->partition->number;
	}
	return 0;
}

static int
put_dir(struct exchange *x, struct describe_log_dirs_response *out)
{
	const char *path = x->broker->config->dir;
	struct describe_log_dirs_response_dir *dir = exchange_array(x, 1, sizeof(*dir));
	struct os_space space;

	if (dir == NULL)
		return -1;
	dir->log_dir = wire_str_of(path);
	dir->total_bytes = dir->usable_bytes = -1;
	if (os_space(x->broker->os, path, &space) == 0) {
		dir->total_bytes = (int64_t)space.total_bytes;
		dir->usable_bytes = (int64_t)space.free_bytes;
	}
	out->results.items = dir;
	out->results.count = 1;
	return 0;
}

void
api_describe_log_dirs(struct exchange *x)
{
	struct describe_log_dirs_response *out = dispatch_response(x);
	struct describe *d = arena_alloc(&x->arena, sizeof(*d));

	if (out == NULL || d == NULL || put_dir(x, out) == -1)
		goto nomem;
	d->x = x;
	if (sort_asked(d, x->body) == -1)
		goto nomem;
	partitions_each(x->broker->partitions, count_part, d);
	/* The request may be small: it can ask for all. */
	view_make_room(x, d->cap * (sizeof(*d->parts) + DIR_PART_BYTES));
	d->parts = exchange_array(x, d->cap, sizeof(*d->parts));
	if (d->parts == NULL)
		goto nomem;
	partitions_each(x->broker->partitions, add_part, d);
	if (put_topics(d, &out->results.items[0]) == -1)
		goto nomem;
	gather_begin(&d->gather, x, out);
	for (size_t i = 0; i < d->count; i++)
		start(&d->parts[i], d->parts[i].partition);
	gather_one(&d->gather);
	return;
nomem:
	dispatch_close(x, "out of memory");
}
