/* OffsetFetch: of one group (below version 8), or of many; of named partitions, or of all
 * that the group has (KIP-447, 709, 848). */
#include <assert.h>
#include <string.h>

#include "mqd/api/groups.h"
#include "mqd/cluster/cluster.h"

/* The request and the answer in the form of version 8, whatever version they are. */
struct fetching {
	struct exchange *x;
	struct offset_fetch_response *out;
	struct fetching_of_one *ones;
	size_t left; /* groups that are not done, and one while they are begun */
	bool stable;
};

struct fetching_of_one {
	struct groups_call call;
	struct fetching *all;
	const struct offset_fetch_request_group *in;
	struct offset_fetch_response_group *out;
	bool failed;     /* no memory */
	uint32_t topics; /* that there is room for */
};

/* --- the answer ------------------------------------------------------------------------ */

/* Before version 8 the one group stands at the top, in other structs. */
static int
flatten(struct exchange *x, struct offset_fetch_response *out)
{
	const struct offset_fetch_response_group *g = &out->groups.items[0];

	out->error_code = g->error_code;
	out->topics.items = exchange_array(x, (size_t)g->topics.count, sizeof(*out->topics.items));
	if (out->topics.items == NULL)
		return -1;
	out->topics.count = g->topics.count;
	for (int32_t i = 0; i < g->topics.count; i++) {
		const struct offset_fetch_response_group_topic *in = &g->topics.items[i];
		struct offset_fetch_response_topic *t = &out->topics.items[i];

		t->name = in->name;
		t->partitions.count = in->partitions.count;
		t->partitions.items = exchange_array(
		    x, (size_t)in->partitions.count, sizeof(*t->partitions.items));
		if (t->partitions.items == NULL)
			return -1;
		for (int32_t k = 0; k < in->partitions.count; k++)
			t->partitions.items[k] = (struct offset_fetch_response_partition){
			    .partition_index = in->partitions.items[k].partition_index,
			    .committed_offset = in->partitions.items[k].committed_offset,
			    .committed_leader_epoch = in->partitions.items[k].committed_leader_epoch,
			    .metadata = in->partitions.items[k].metadata,
			    .error_code = in->partitions.items[k].error_code};
	}
	out->groups.count = 0;
	return 0;
}

static void
one_less(struct fetching *f)
{
	struct exchange *x = f->x;

	if (--f->left > 0)
		return;
	for (int32_t i = 0; i < f->out->groups.count; i++)
		if (f->ones[i].failed) {
			groups_no_memory(x);
			return;
		}
	if (x->request.version < 8 && flatten(x, f->out) == -1)
		groups_no_memory(x);
	else
		dispatch_reply(x, f->out);
}

/* --- one group --------------------------------------------------------------------------- */

/* The groups' memory is not there any more when the answer of all is given. */
static int
put_offset(struct fetching_of_one *one, const struct groups_offset *o,
    struct offset_fetch_response_group_partition *p)
{
	p->partition_index = o->partition;
	p->committed_offset = -1;
	p->committed_leader_epoch = -1;
	p->metadata = wire_str_of("");
	if (one->all->stable && o->pending) {
		p->error_code = ERR_UNSTABLE_OFFSET_COMMIT;
		return 0;
	}
	p->committed_offset = o->offset;
	p->committed_leader_epoch = o->leader_epoch;
	if (o->metadata.len <= 0)
		return 0;
	p->metadata.data =
	    arena_memdup(&one->all->x->arena, o->metadata.data, (size_t)o->metadata.len);
	p->metadata.len = o->metadata.len;
	return p->metadata.data == NULL ? -1 : 0;
}

static int
fill_topic(struct fetching_of_one *one, const struct offset_fetch_request_group_topic *in,
    struct wire_str name, const struct uuid *id, int code,
    struct offset_fetch_response_group_topic *t)
{
	struct exchange *x = one->all->x;
	size_t count = (size_t)in->partition_indexes.count;
	struct groups_offset o;

	t->name = in->name;
	t->topic_id = in->topic_id;
	t->partitions.items = exchange_array(x, count, sizeof(*t->partitions.items));
	if (t->partitions.items == NULL)
		return -1;
	t->partitions.count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		int32_t n = in->partition_indexes.items[i];

		if (code == 0)
			groups_offset(x->broker->groups, one->in->group_id, name, id, n, &o);
		else
			o = (struct groups_offset){.partition = n, .offset = -1, .leader_epoch = -1};
		if (put_offset(one, &o, &t->partitions.items[i]) == -1)
			return -1;
		if (code != 0)
			t->partitions.items[i].error_code = (int16_t)code;
	}
	return 0;
}

/* Partitions that the request names. Topics whose id nobody knows come last. */
static int
fill_named(struct fetching_of_one *one)
{
	struct exchange *x = one->all->x;
	const struct image *im = cluster_image(x->broker->cluster);
	size_t count = (size_t)one->in->topics.count;

	one->out->topics.items = exchange_array(x, count, sizeof(*one->out->topics.items));
	if (one->out->topics.items == NULL)
		return -1;
	for (int unknown = 0; unknown < 2; unknown++)
		for (size_t i = 0; i < count; i++) {
			const struct offset_fetch_request_group_topic *in =
			    &one->in->topics.items[i];
			bool by_id = x->request.version >= 10;
			const struct image_topic *t =
			    by_id ? image_topic_by_id(im, &in->topic_id) : NULL;
			struct wire_str name = t != NULL ? wire_str_of(t->name) : in->name;

			if ((by_id && t == NULL) != unknown)
				continue;
			if (fill_topic(one, in, name, &in->topic_id,
			        unknown ? ERR_UNKNOWN_TOPIC_ID : 0,
			        &one->out->topics.items[one->out->topics.count++]) == -1)
				return -1;
		}
	return 0;
}

/* --- all that a group has ------------------------------------------------------------------ */

static int
count_topic(void *ctx, const struct groups_offset *o)
{
	struct fetching_of_one *one = ctx;
	struct offset_fetch_response_group_topic *t = one->out->topics.items;
	const struct wire_str *last = one->out->topics.count > 0
	                                  ? &t[one->out->topics.count - 1].name
	                                  : NULL;

	if (last == NULL || last->len != o->topic.len ||
	    memcmp(last->data, o->topic.data, (size_t)o->topic.len) != 0) {
		if ((uint32_t)one->out->topics.count == one->topics) {
			uint32_t cap = one->topics * 2 + 8;

			t = exchange_array(one->all->x, cap, sizeof(*t));
			if (t == NULL)
				return -1;
			if (one->topics > 0) {
				assert(one->out->topics.items != NULL);
				memcpy(t, one->out->topics.items, one->topics * sizeof(*t));
			}
			one->out->topics.items = t;
			one->topics = cap;
		}
		assert(one->out->topics.items != NULL);
		t = &one->out->topics.items[one->out->topics.count++];
		t->name = (struct wire_str){
		    arena_memdup(&one->all->x->arena, o->topic.data, (size_t)o->topic.len),
		    o->topic.len};
		if (t->name.data == NULL)
			return -1;
	}
	one->out->topics.items[one->out->topics.count - 1].partitions.count++;
	return 0;
}

struct filling {
	struct fetching_of_one *one;
	int32_t topic, partition;
};

static int
fill_next(void *ctx, const struct groups_offset *o)
{
	struct filling *f = ctx;
	struct offset_fetch_response_group_topic *t = &f->one->out->topics.items[f->topic];

	if (f->partition == 0) {
		t->partitions.items = exchange_array(f->one->all->x,
		    (size_t)t->partitions.count, sizeof(*t->partitions.items));
		if (t->partitions.items == NULL)
			return -1;
	}
	if (put_offset(f->one, o, &t->partitions.items[f->partition]) == -1)
		return -1;
	if (++f->partition == t->partitions.count) {
		f->partition = 0;
		f->topic++;
	}
	return 0;
}

/* From version 10 on topics are told by their ids: those that are gone cannot be. */
static void
name_by_id(struct fetching_of_one *one)
{
	const struct image *im = cluster_image(one->all->x->broker->cluster);
	struct offset_fetch_response_group_topic *list = one->out->topics.items;
	int32_t kept = 0;

	for (int32_t i = 0; i < one->out->topics.count; i++) {
		const struct image_topic *t =
		    map_get(&im->topics, list[i].name.data, (size_t)list[i].name.len);

		if (t == NULL)
			continue;
		list[i].topic_id = t->id;
		list[i].name = wire_str_of("");
		list[kept++] = list[i];
	}
	one->out->topics.count = kept;
}

static int
fill_all(struct fetching_of_one *one)
{
	struct groups *gs = one->all->x->broker->groups;
	struct filling f = {.one = one};

	if (groups_each_offset(gs, one->in->group_id, count_topic, one) != 0 ||
	    groups_each_offset(gs, one->in->group_id, fill_next, &f) != 0)
		return -1;
	if (one->all->x->request.version >= 10)
		name_by_id(one);
	return 0;
}

/* Version 1 has no place for an error of the group: all partitions have it. */
static int
fill_error_of_old(struct fetching_of_one *one, int code)
{
	size_t count = (size_t)one->in->topics.count;

	one->out->error_code = 0;
	one->out->topics.items =
	    exchange_array(one->all->x, count, sizeof(*one->out->topics.items));
	if (one->out->topics.items == NULL)
		return -1;
	one->out->topics.count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		if (fill_topic(one, &one->in->topics.items[i], one->in->topics.items[i].name,
		        &uuid_zero, code, &one->out->topics.items[i]) == -1)
			return -1;
	return 0;
}

static void
group_ready(struct groups_call *c, const void *response)
{
	struct fetching_of_one *one = c->ctx;
	int16_t code = *(const int16_t *)response;
	int ret = 0;

	one->out->group_id = one->in->group_id;
	one->out->error_code = code;
	if (code != 0 && one->all->x->request.version < 2)
		ret = fill_error_of_old(one, code);
	else if (code == 0)
		ret = one->in->topics.count == -1 ? fill_all(one) : fill_named(one);
	one->failed = ret == -1;
	one_less(one->all);
}

/* --- the request -------------------------------------------------------------------------- */

/* The one group of an old request in the form of the new. */
static const struct offset_fetch_request_group *
group_of_old(struct exchange *x)
{
	const struct offset_fetch_request *r = x->body;
	struct offset_fetch_request_group *g = arena_alloc(&x->arena, sizeof(*g));
	size_t count = r->topics.count > 0 ? (size_t)r->topics.count : 0;

	if (g == NULL)
		return NULL;
	g->group_id = r->group_id;
	g->topics.count = r->topics.count;
	g->topics.items = exchange_array(x, count, sizeof(*g->topics.items));
	if (g->topics.items == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		g->topics.items[i].name = r->topics.items[i].name;
		g->topics.items[i].partition_indexes = r->topics.items[i].partition_indexes;
	}
	return g;
}

static struct fetching *
fetching_of(struct exchange *x, size_t count)
{
	const struct offset_fetch_request *r = x->body;
	struct fetching *f = arena_alloc(&x->arena, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->x = x;
	f->stable = r->require_stable;
	f->left = count + 1;
	f->out = dispatch_response(x);
	f->ones = exchange_array(x, count, sizeof(*f->ones));
	if (f->out == NULL || f->ones == NULL)
		return NULL;
	f->out->groups.items = exchange_array(x, count, sizeof(*f->out->groups.items));
	f->out->groups.count = (int32_t)count;
	return f->out->groups.items != NULL ? f : NULL;
}

void
api_offset_fetch(struct exchange *x)
{
	const struct offset_fetch_request *r = x->body;
	bool old = x->request.version < 8;
	const struct offset_fetch_request_group *list = old ? group_of_old(x) : r->groups.items;
	size_t count = old ? 1 : (size_t)r->groups.count;
	struct fetching *f = old && list == NULL ? NULL : fetching_of(x, count);

	x->arena.limit += GROUPS_ANSWER_MAX;
	if (f == NULL) {
		groups_no_memory(x);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct fetching_of_one *one = &f->ones[i];

		*one = (struct fetching_of_one){
		    .all = f, .in = &list[i], .out = &f->out->groups.items[i]};
		one->call = (struct groups_call){.done = group_ready,
		    .ctx = one,
		    .arena = &x->arena,
		    .version = x->request.version};
		groups_fetch(x->broker->groups, &one->call, list[i].group_id, f->stable);
	}
	one_less(f);
}
