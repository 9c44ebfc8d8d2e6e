/*
 * DescribeTopicPartitions: topics sorted by name, page by page. Kafka's
 * DescribeTopicPartitionsRequestHandler.
 */
#include <stdlib.h>
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "wire_gen.h"

/* max.request.partition.size.limit */
#define PARTITIONS_MAX 2000

struct page {
	struct exchange *x;
	const struct image *im;
	const struct describe_topic_partitions_request *request;
	struct describe_topic_partitions_response *response;
	struct wire_str *names; /* sorted, each once */
	size_t count;
	int32_t left; /* partitions that may still be told */
};

static int
order(const void *a, const void *b)
{
	const struct wire_str *x = a, *y = b;
	int32_t n = x->len < y->len ? x->len : y->len;
	int cmp = n > 0 ? memcmp(x->data, y->data, (size_t)n) : 0;

	return cmp != 0 ? cmp : x->len - y->len;
}

/* --- which topics -------------------------------------------------------------------- */

static void
take_name(struct page *p, struct wire_str name)
{
	if (p->request->cursor_is_null || order(&name, &p->request->cursor.topic_name) >= 0)
		p->names[p->count++] = name;
}

static int
collect(struct page *p)
{
	const struct describe_topic_partitions_request *r = p->request;
	size_t room = r->topics.count > 0 ? (size_t)r->topics.count : p->im->topics.count, kept = 0;

	view_make_room(p->x, room * sizeof(*p->names) + 64);
	p->names = exchange_array(p->x, room, sizeof(*p->names));
	if (p->names == NULL)
		return -1;
	if (r->topics.count > 0)
		for (int32_t i = 0; i < r->topics.count; i++)
			take_name(p, r->topics.items[i].name);
	else
		for (struct map_entry *e = NULL; (e = map_next(&p->im->topics, e)) != NULL;)
			take_name(p, wire_str_of(((struct image_topic *)e->value)->name));
	if (p->count > 0)
		qsort(p->names, p->count, sizeof(*p->names), order);
	for (size_t i = 0; i < p->count; i++)
		if (i == 0 || order(&p->names[i], &p->names[kept - 1]) != 0)
			p->names[kept++] = p->names[i];
	p->count = kept;
	return 0;
}

/* --- one topic -------------------------------------------------------------------------- */

static int
fill_partition(struct page *p, struct describe_topic_partitions_response_partition *to,
    int32_t number, const struct image_partition *part)
{
	(void)view_leader(p->im, part, &to->leader_id);
	to->partition_index = number;
	to->leader_epoch = part->leader_epoch;
	to->replica_nodes = view_ids(part->replicas, part->replica_count);
	to->isr_nodes = view_ids(part->isr, part->isr_count);
	to->eligible_leader_replicas = view_ids(part->elr.ids, part->elr.count);
	to->last_known_elr = view_ids(part->last_elr.ids, part->last_elr.count);
	to->offline_replicas = view_offline(p->x, p->im, part);
	return to->offline_replicas.count == -1 ? -1 : 0;
}

/* From partition `first` on; 1: the page is full within the topic. */
static int
fill_topic(struct page *p, struct describe_topic_partitions_response_topic *to,
    const struct image_topic *t, int32_t first)
{
	int32_t end = t->partition_count;

	to->topic_id = t->id;
	if (first > end)
		first = end;
	if (end - first > p->left)
		end = first + p->left;
	view_make_room(p->x, (size_t)(end - first) * sizeof(*to->partitions.items) + 64);
	to->partitions.items =
	    exchange_array(p->x, (size_t)(end - first), sizeof(*to->partitions.items));
	if (to->partitions.items == NULL)
		return -1;
	for (int32_t i = first; i < end; i++) {
		const struct image_partition *part = image_partition(t, i);

		if (part != NULL &&
		    fill_partition(p, &to->partitions.items[to->partitions.count++], i, part) == -1)
			return -1;
	}
	p->left -= end - first;
	if (end == t->partition_count)
		return 0;
	p->response->next_cursor_is_null = false;
	p->response->next_cursor.topic_name = wire_str_of(t->name);
	p->response->next_cursor.partition_index = end;
	return 1;
}

static struct describe_topic_partitions_response_topic *
add_topic(struct page *p, struct wire_str name, int code)
{
	struct describe_topic_partitions_response_topic *to =
	    &p->response->topics.items[p->response->topics.count++];

	to->name = name;
	to->error_code = (int16_t)code;
	to->topic_authorized_operations = OPERATIONS_TOPIC;
	to->is_internal = view_is_internal(name.data, (size_t)name.len);
	return to;
}

/* No topic has such a name: may one? */
static int
unknown_code(struct page *p, struct wire_str name)
{
	char text[TOPIC_NAME_MAX + 2];

	(void)p;
	if (name.len > TOPIC_NAME_MAX || memchr(name.data, '\0', (size_t)name.len) != NULL)
		return ERR_INVALID_TOPIC_EXCEPTION;
	memcpy(text, name.data, (size_t)name.len);
	text[name.len] = '\0';
	return topic_name_ok(text) ? ERR_UNKNOWN_TOPIC_OR_PARTITION : ERR_INVALID_TOPIC_EXCEPTION;
}

static int
fill(struct page *p)
{
	const struct describe_topic_partitions_request *r = p->request;

	for (size_t i = 0; i < p->count; i++) {
		struct wire_str name = p->names[i];
		const struct image_topic *t = view_topic(p->im, name);
		bool at_cursor = !r->cursor_is_null && order(&name, &r->cursor.topic_name) == 0;
		int ret;

		if (p->left == 0) {
			p->response->next_cursor_is_null = false;
			p->response->next_cursor.topic_name = name;
			p->response->next_cursor.partition_index = 0;
			return 0;
		}
		if (t == NULL) {
			add_topic(p, name, unknown_code(p, name));
			continue;
		}
		ret = fill_topic(
		    p, add_topic(p, name, 0), t, at_cursor ? r->cursor.partition_index : 0);
		if (ret != 0)
			return ret == 1 ? 0 : -1;
	}
	return 0;
}

/* --- requests that may not be -------------------------------------------------------------- */

/* A cursor must be within what is asked for; an empty name makes Kafka's broker stumble. */
static int
fault(const struct page *p)
{
	const struct describe_topic_partitions_request *r = p->request;
	bool found = r->cursor_is_null || r->topics.count == 0;

	if (!r->cursor_is_null && r->cursor.partition_index < 0)
		return ERR_INVALID_REQUEST;
	for (int32_t i = 0; i < r->topics.count; i++) {
		if (r->topics.items[i].name.len == 0)
			return ERR_UNKNOWN_SERVER_ERROR;
		found = found || order(&r->topics.items[i].name, &r->cursor.topic_name) == 0;
	}
	return found ? 0 : ERR_INVALID_REQUEST;
}

static void
refuse(struct page *p, int code)
{
	for (int32_t i = 0; i < p->request->topics.count; i++) {
		struct describe_topic_partitions_response_topic *to =
		    add_topic(p, p->request->topics.items[i].name, code);

		to->is_internal = false;
		to->topic_authorized_operations = OPERATIONS_UNASKED;
	}
	dispatch_reply(p->x, p->response);
}

static int
begin(struct page *p)
{
	const struct describe_topic_partitions_request *r = p->request;
	size_t size = sizeof(*p->response->topics.items), room;
	int32_t limit = r->response_partition_limit;

	p->left = limit < 1 ? 1 : limit > PARTITIONS_MAX ? PARTITIONS_MAX : limit;
	p->response = dispatch_response(p->x);
	if (p->response == NULL || collect(p) == -1)
		return -1;
	p->response->next_cursor_is_null = true;
	room = p->count > (size_t)r->topics.count ? p->count : (size_t)r->topics.count;
	view_make_room(p->x, room * size + 64);
	p->response->topics.items = exchange_array(p->x, room, size);
	return p->response->topics.items == NULL ? -1 : 0;
}

void
api_describe_topic_partitions(struct exchange *x)
{
	struct page p = {.x = x, .im = cluster_image(x->broker->cluster), .request = x->body};
	int code = fault(&p);

	if (begin(&p) == -1 || (code == 0 && fill(&p) == -1))
		dispatch_close(x, "no memory");
	else if (code != 0)
		refuse(&p, code);
	else
		dispatch_reply(x, p.response);
}
