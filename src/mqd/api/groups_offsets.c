/* OffsetCommit, OffsetDelete: which partitions are there is looked up here, the rest is
 * the coordinator's (groups/). */
#include <string.h>

#include "base/map.h"
#include "mqd/api/groups.h"
#include "mqd/cluster/cluster.h"

/* --- putting answers together -------------------------------------------------------- */

/* One partition of an answer. */
struct part {
	struct wire_str name;
	struct uuid id;
	size_t of; /* which topic of the request */
	int32_t partition;
	int16_t code;
	size_t topic; /* which topic of the answer */
};

struct parts {
	struct part *list; /* room for all of the request */
	size_t count;
};

static void
put(struct parts *ps, const struct part *p, int32_t partition, int code)
{
	ps->list[ps->count] = *p;
	ps->list[ps->count].partition = partition;
	ps->list[ps->count++].code = (int16_t)code;
}

/* Parts of one topic go together; if `apart`, only those that did in the request. How
 * many topics; -1: no memory. */
static int32_t
number_topics(struct parts *ps, bool apart)
{
	struct map seen;
	int32_t count = 0;

	map_init(&seen);
	for (size_t i = 0; i < ps->count && count >= 0; i++) {
		struct part *p = &ps->list[i];
		const void *key = p->name.len > 0 ? (const void *)p->name.data : p->id.bytes;
		size_t len = p->name.len > 0 ? (size_t)p->name.len : sizeof(p->id.bytes);
		uintptr_t at;

		if (apart) {
			key = &p->of;
			len = sizeof(p->of);
		}
		at = (uintptr_t)map_get(&seen, key, len);
		if (at == 0) {
			at = (uintptr_t)++count;
			if (map_put(&seen, key, len, (void *)at, NULL) == -1)
				count = -1;
		}
		p->topic = at - 1;
	}
	map_release(&seen);
	return count;
}

static int
assemble(struct exchange *x, struct parts *ps, bool apart, struct offset_commit_response *out)
{
	int32_t count = number_topics(ps, apart);

	if (count == -1)
		return -1;
	out->topics.items = exchange_array(x, (size_t)count, sizeof(*out->topics.items));
	if (out->topics.items == NULL)
		return -1;
	out->topics.count = count;
	for (size_t i = 0; i < ps->count; i++)
		out->topics.items[ps->list[i].topic].partitions.count++;
	for (int32_t i = 0; i < count; i++) {
		struct offset_commit_response_topic *t = &out->topics.items[i];

		t->partitions.items =
		    exchange_array(x, (size_t)t->partitions.count, sizeof(*t->partitions.items));
		if (t->partitions.items == NULL)
			return -1;
		t->partitions.count = 0;
	}
	for (size_t i = 0; i < ps->count; i++) {
		const struct part *p = &ps->list[i];
		struct offset_commit_response_topic *t = &out->topics.items[p->topic];

		t->name = p->name;
		t->topic_id = p->id;
		t->partitions.items[t->partitions.count].partition_index = p->partition;
		t->partitions.items[t->partitions.count++].error_code = p->code;
	}
	return 0;
}

/* --- OffsetCommit --------------------------------------------------------------------- */

struct committing {
	struct exchange *x;
	struct parts refused;
	struct part *parts; /* those of the items */
	struct groups_commit_item *items;
	size_t count;
};

static size_t
count_partitions(const struct offset_commit_request *r)
{
	size_t count = 0;

	for (int32_t i = 0; i < r->topics.count; i++)
		count += (size_t)r->topics.items[i].partitions.count;
	return count;
}

static void
take_partition(struct committing *c, const struct part *p, const struct image_topic *t,
    const struct offset_commit_request_partition *in)
{
	int code = 0;

	if (t == NULL)
		code = c->x->request.version >= 10 ? ERR_UNKNOWN_TOPIC_ID
		                                   : ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else if (image_partition(t, in->partition_index) == NULL)
		code = ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (code != 0) {
		put(&c->refused, p, in->partition_index, code);
		return;
	}
	c->parts[c->count] = *p;
	c->items[c->count++] = (struct groups_commit_item){
	    .topic = wire_str_of(t->name),
	    .topic_id = t->id,
	    .partition = in->partition_index,
	    .offset = in->committed_offset,
	    .leader_epoch = in->committed_leader_epoch,
	    .metadata = in->committed_metadata};
}

static const struct image_topic *
topic_of_name(const struct image *im, struct wire_str name)
{
	return map_get(&im->topics, name.len > 0 ? name.data : "", name.len > 0 ? (size_t)name.len : 0);
}

/* -1: no memory. */
static int
take_partitions(struct committing *c)
{
	const struct offset_commit_request *r = c->x->body;
	const struct image *im = cluster_image(c->x->broker->cluster);
	size_t room = count_partitions(r);

	c->refused.list = exchange_array(c->x, room, sizeof(*c->refused.list));
	c->parts = exchange_array(c->x, room, sizeof(*c->parts));
	c->items = exchange_array(c->x, room, sizeof(*c->items));
	if (c->refused.list == NULL || c->parts == NULL || c->items == NULL)
		return -1;
	for (int32_t i = 0; i < r->topics.count; i++) {
		const struct offset_commit_request_topic *t = &r->topics.items[i];
		const struct image_topic *found = c->x->request.version >= 10
		                                      ? image_topic_by_id(im, &t->topic_id)
		                                      : topic_of_name(im, t->name);
		struct part p = {.name = t->name, .id = t->topic_id, .of = (size_t)i};

		for (int32_t k = 0; k < t->partitions.count; k++)
			take_partition(c, &p, found, &t->partitions.items[k]);
	}
	/* The topic's name is the image's, which may change before the answer. */
	for (size_t i = 0; i < c->count; i++) {
		char *name = arena_memdup(&c->x->arena, c->items[i].topic.data,
		    (size_t)c->items[i].topic.len);

		if (name == NULL)
			return -1;
		c->items[i].topic.data = name;
	}
	return 0;
}

static void
commit_reply(struct committing *c, int code)
{
	struct offset_commit_response *out = dispatch_response(c->x);
	struct parts all = {.list = exchange_array(
				    c->x, c->refused.count + c->count, sizeof(*all.list))};

	if (out == NULL || all.list == NULL) {
		groups_no_memory(c->x);
		return;
	}
	for (size_t i = 0; i < c->refused.count; i++)
		all.list[all.count++] = c->refused.list[i];
	for (size_t i = 0; i < c->count; i++)
		put(&all, &c->parts[i], c->items[i].partition,
		    code != 0 ? code : c->items[i].code);
	if (assemble(c->x, &all, c->refused.count == 0, out) == -1)
		groups_no_memory(c->x);
	else
		dispatch_reply(c->x, out);
}

static void
commit_done(struct groups_call *call, const void *response)
{
	commit_reply(call->ctx, *(const int16_t *)response);
}

void
api_offset_commit(struct exchange *x)
{
	struct groups_call *call = groups_call_of(x);
	struct committing *c;

	if (call == NULL)
		return;
	c = arena_alloc(&x->arena, sizeof(*c));
	if (c != NULL)
		c->x = x;
	if (c == NULL || take_partitions(c) == -1) {
		groups_no_memory(x);
		return;
	}
	if (c->count == 0) {
		commit_reply(c, 0);
		return;
	}
	call->done = commit_done;
	call->ctx = c;
	groups_commit(x->broker->groups, call, x->body, c->items, c->count);
}

/* --- OffsetDelete ------------------------------------------------------------------------ */

struct deleting {
	struct exchange *x;
	struct parts refused;
	struct part *parts;
	struct groups_delete_item *items;
	size_t count;
};

static int
take_deletions(struct deleting *d)
{
	const struct offset_delete_request *r = d->x->body;
	const struct image *im = cluster_image(d->x->broker->cluster);
	size_t room = 0;

	for (int32_t i = 0; i < r->topics.count; i++)
		room += (size_t)r->topics.items[i].partitions.count;
	d->refused.list = exchange_array(d->x, room, sizeof(*d->refused.list));
	d->parts = exchange_array(d->x, room, sizeof(*d->parts));
	d->items = exchange_array(d->x, room, sizeof(*d->items));
	if (d->refused.list == NULL || d->parts == NULL || d->items == NULL)
		return -1;
	for (int32_t i = 0; i < r->topics.count; i++) {
		const struct offset_delete_request_topic *t = &r->topics.items[i];
		const struct image_topic *found = topic_of_name(im, t->name);
		struct part p = {.name = t->name, .of = (size_t)i};

		for (int32_t k = 0; k < t->partitions.count; k++) {
			int32_t n = t->partitions.items[k].partition_index;

			if (found == NULL || image_partition(found, n) == NULL) {
				put(&d->refused, &p, n, ERR_UNKNOWN_TOPIC_OR_PARTITION);
				continue;
			}
			d->parts[d->count] = p;
			d->items[d->count++] =
			    (struct groups_delete_item){.topic = t->name, .partition = n};
		}
	}
	return 0;
}

/* The same as of a commit, in the other request's structs. */
static int
convert(struct exchange *x, const struct offset_commit_response *from,
    struct offset_delete_response *to)
{
	to->topics.items = exchange_array(x, (size_t)from->topics.count, sizeof(*to->topics.items));
	if (to->topics.items == NULL)
		return -1;
	to->topics.count = from->topics.count;
	for (int32_t i = 0; i < from->topics.count; i++) {
		const struct offset_commit_response_topic *in = &from->topics.items[i];
		struct offset_delete_response_topic *t = &to->topics.items[i];

		t->name = in->name;
		t->partitions.count = in->partitions.count;
		t->partitions.items = exchange_array(
		    x, (size_t)in->partitions.count, sizeof(*t->partitions.items));
		if (t->partitions.items == NULL)
			return -1;
		for (int32_t k = 0; k < in->partitions.count; k++) {
			t->partitions.items[k].partition_index =
			    in->partitions.items[k].partition_index;
			t->partitions.items[k].error_code = in->partitions.items[k].error_code;
		}
	}
	return 0;
}

/* An error of the group is all that is told. */
static void
delete_done(struct groups_call *call, const void *response)
{
	struct deleting *d = call->ctx;
	struct offset_delete_response *out = dispatch_response(d->x);
	struct offset_commit_response parts = {0};
	int16_t code = *(const int16_t *)response;
	bool apart = d->refused.count == 0;

	if (out == NULL) {
		groups_no_memory(d->x);
		return;
	}
	out->error_code = code;
	for (size_t i = 0; code == 0 && i < d->count; i++)
		put(&d->refused, &d->parts[i], d->items[i].partition, d->items[i].code);
	if (code == 0 && (assemble(d->x, &d->refused, apart, &parts) == -1 ||
	                     convert(d->x, &parts, out) == -1))
		groups_no_memory(d->x);
	else
		dispatch_reply(d->x, out);
}

void
api_offset_delete(struct exchange *x)
{
	const struct offset_delete_request *r = x->body;
	struct groups_call *call = groups_call_of(x);
	struct deleting *d;

	if (call == NULL)
		return;
	d = arena_alloc(&x->arena, sizeof(*d));
	if (d != NULL)
		d->x = x;
	if (d == NULL || take_deletions(d) == -1) {
		groups_no_memory(x);
		return;
	}
	call->done = delete_done;
	call->ctx = d;
	groups_delete_offsets(x->broker->groups, call, r->group_id, d->items, d->count);
}
