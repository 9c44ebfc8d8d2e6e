/* DescribeGroups, ListGroups, DeleteGroups. */
#include <string.h>

#include "mqd/api/groups.h"

/* READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS: all that there is, as bits. */
#define GROUP_OPERATIONS (1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11)

void
api_describe_groups(struct exchange *x)
{
	const struct describe_groups_request *r = x->body;
	struct describe_groups_response *out = dispatch_response(x);
	size_t count = (size_t)r->groups.count;

	x->arena.limit += GROUPS_ANSWER_MAX;
	if (out == NULL ||
	    (out->groups.items = exchange_array(x, count, sizeof(*out->groups.items))) == NULL) {
		groups_no_memory(x);
		return;
	}
	out->groups.count = r->groups.count;
	for (size_t i = 0; i < count; i++) {
		struct describe_groups_response_group *g = &out->groups.items[i];

		if (groups_describe(x->broker->groups, &x->arena, x->request.version,
		        r->groups.items[i], g) == -1) {
			groups_no_memory(x);
			return;
		}
		if (r->include_authorized_operations && g->error_code == 0)
			g->authorized_operations = GROUP_OPERATIONS;
	}
	dispatch_reply(x, out);
}

void
api_list_groups(struct exchange *x)
{
	struct list_groups_response out;

	x->arena.limit += GROUPS_ANSWER_MAX;
	if (groups_list(x->broker->groups, &x->arena, x->body, &out) == -1)
		groups_no_memory(x);
	else
		dispatch_reply(x, &out);
}

/* --- DeleteGroups --------------------------------------------------------------------- */

struct deletion {
	struct exchange *x;
	struct delete_groups_response *out;
	size_t left; /* that are not done, and one while they are begun */
};

struct deletion_of_one {
	struct groups_call call;
	struct deletion *all;
	size_t i;
};

static void
one_less(struct deletion *d)
{
	if (--d->left == 0)
		dispatch_reply(d->x, d->out);
}

static void
group_deleted(struct groups_call *c, const void *response)
{
	struct deletion_of_one *one = c->ctx;

	one->all->out->results.items[one->i].error_code = *(const int16_t *)response;
	one_less(one->all);
}

/* Named twice is named once. */
static int
take_names(struct exchange *x, struct delete_groups_response *out)
{
	const struct delete_groups_request *r = x->body;
	struct map seen;
	int ret = 0;

	out->results.items =
	    exchange_array(x, (size_t)r->groups_names.count, sizeof(*out->results.items));
	if (out->results.items == NULL)
		return -1;
	map_init(&seen);
	for (int32_t i = 0; ret == 0 && i < r->groups_names.count; i++) {
		struct wire_str name = r->groups_names.items[i];
		const char *data = name.len > 0 ? name.data : "";

		if (map_get(&seen, data, (size_t)name.len) != NULL)
			continue;
		ret = map_put(&seen, data, (size_t)name.len, x, NULL);
		out->results.items[out->results.count++].group_id = name;
	}
	map_release(&seen);
	return ret;
}

void
api_delete_groups(struct exchange *x)
{
	struct delete_groups_response *out = dispatch_response(x);
	struct deletion *d = arena_alloc(&x->arena, sizeof(*d));
	struct deletion_of_one *ones = NULL;

	if (out != NULL && d != NULL && take_names(x, out) == 0)
		ones = exchange_array(x, (size_t)out->results.count, sizeof(*ones));
	if (ones == NULL) {
		groups_no_memory(x);
		return;
	}
	*d = (struct deletion){.x = x, .out = out, .left = (size_t)out->results.count + 1};
	for (size_t i = 0; i < (size_t)out->results.count; i++) {
		ones[i] = (struct deletion_of_one){.all = d, .i = i};
		ones[i].call = (struct groups_call){.done = group_deleted,
		    .ctx = &ones[i],
		    .arena = &x->arena,
		    .version = x->request.version};
		groups_delete(x->broker->groups, &ones[i].call, out->results.items[i].group_id);
	}
	one_less(d);
}
