/*
 * AlterConfigs and IncrementalAlterConfigs (KIP-133, 339): each resource of a request
 * is looked at for itself, and changes as a whole or not at all; what is good of all
 * of them is one change of the metadata log.
 *
 * Both are the same here: AlterConfigs is a list of SETs, and a DELETE for whatever
 * else the resource has.
 */
#include <string.h>

#include "mqd/api/alter_impl.h"
#include "mqd/api/api.h"
#include "mqd/broker.h"
#include "wire_gen.h"

static int
add_records(struct resource *r, struct cluster_records *to, struct err *err)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct wish *w = &r->wishes[i];
		const char *now = image_config(r->image, r->type, r->name, w->name);

		if (now == w->result || (now != NULL && w->result != NULL && strcmp(now, w->result) == 0))
			continue;
		if (controller_set_config(
		        r->image, r->type, r->name, w->name, w->result, to, err) == -1)
			return -1;
	}
	return 0;
}

/* --- the request ------------------------------------------------------------------------------ */

static void
reply(struct alter *a)
{
	struct exchange *x = a->x;
	/* The two answers have the same fields. */
	struct incremental_alter_configs_response *out = dispatch_response(x);
	struct alter_configs_response *old = (void *)out;

	if (out != NULL && a->incremental)
		out->responses.items =
		    exchange_array(x, a->count, sizeof(*out->responses.items));
	else if (out != NULL)
		old->responses.items = exchange_array(x, a->count, sizeof(*old->responses.items));
	if (out == NULL || (a->incremental ? (void *)out->responses.items
	                                   : (void *)old->responses.items) == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	for (size_t i = 0; i < a->count; i++) {
		const struct resource *r = &a->resources[i];

		if (a->incremental)
			out->responses.items[i] = (struct incremental_alter_configs_response_resource){
			    .error_code = (int16_t)r->code, .error_message = wire_str_of(r->text),
			    .resource_type = r->type, .resource_name = r->wire_name};
		else
			old->responses.items[i] = (struct alter_configs_response_resource){
			    .error_code = (int16_t)r->code, .error_message = wire_str_of(r->text),
			    .resource_type = r->type, .resource_name = r->wire_name};
	}
	if (a->incremental)
		out->responses.count = (int32_t)a->count;
	else
		old->responses.count = (int32_t)a->count;
	dispatch_reply(x, out);
}

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *records,
    struct err *err)
{
	struct alter *a = ch->ctx;

	for (size_t i = 0; i < a->count; i++)
		if (alter_check(&a->resources[i], im) == 0 && !a->validate_only &&
		    add_records(&a->resources[i], records, err) == -1)
			return -1;
	return 0;
}

/* What went wrong with the log is told for all that would have changed. */
static void
done(struct cluster_change *ch)
{
	struct alter *a = ch->ctx;
	struct exchange *x = a->x;

	for (size_t i = 0; ch->err.code != 0 && i < a->count; i++)
		if (a->resources[i].code == 0)
			alter_refuse(&a->resources[i], &ch->err);
	reply(a);
	exchange_drop(x);
}

/* Kafka answers each of those that are named twice, and nothing of them changes. */
static void
refuse_twice(struct alter *a)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < a->count; j++)
			if (i != j && a->resources[i].type == a->resources[j].type &&
			    strcmp(a->resources[i].name, a->resources[j].name) == 0)
				alter_refuse_as(&a->resources[i], ERR_INVALID_REQUEST,
				    "Each resource must appear at most once.");
}

static struct alter *
alter_new(struct exchange *x, size_t count, bool incremental, bool validate_only)
{
	struct alter *a = arena_alloc(&x->arena, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->resources = exchange_array(x, count, sizeof(*a->resources));
	a->x = x;
	a->count = count;
	a->incremental = incremental;
	a->validate_only = validate_only;
	return a->resources == NULL ? NULL : a;
}

static int
resource_begin(struct alter *a, size_t i, int8_t type, struct wire_str name, size_t wishes)
{
	struct resource *r = &a->resources[i];

	*r = (struct resource){.type = type, .wire_name = name, .alter = a, .count = wishes};
	r->name = arena_memdup(&a->x->arena, name.data, (size_t)name.len);
	r->wishes = exchange_array(a->x, wishes, sizeof(*r->wishes));
	return r->name == NULL || r->wishes == NULL ? -1 : 0;
}

static int
wish_set(struct alter *a, struct wish *w, struct wire_str name, int op, struct wire_str value)
{
	w->op = op;
	w->name = arena_memdup(&a->x->arena, name.data, (size_t)name.len);
	w->value = value.len < 0 ? NULL
	                         : arena_memdup(&a->x->arena, value.data, (size_t)value.len);
	return w->name == NULL || (value.len >= 0 && w->value == NULL) ? -1 : 0;
}

static void
alter_start(struct alter *a, bool complete)
{
	if (!complete) {
		dispatch_close(a->x, "out of memory");
		return;
	}
	refuse_twice(a);
	exchange_hold(a->x);
	a->change = (struct cluster_change){.prepare = prepare, .done = done, .ctx = a};
	cluster_change(a->x->broker->cluster, &a->change);
}

void
api_alter_configs(struct exchange *x)
{
	const struct alter_configs_request *in = x->body;
	struct alter *a = alter_new(x, (size_t)in->resources.count, false, in->validate_only);
	bool complete = a != NULL;

	for (int32_t i = 0; complete && i < in->resources.count; i++) {
		const struct alter_configs_request_resource *from = &in->resources.items[i];

		complete = resource_begin(a, (size_t)i, from->resource_type, from->resource_name,
		               (size_t)from->configs.count) == 0;
		for (int32_t j = 0; complete && j < from->configs.count; j++)
			complete = wish_set(a, &a->resources[i].wishes[j], from->configs.items[j].name,
			               OP_SET, from->configs.items[j].value) == 0;
	}
	if (a == NULL)
		dispatch_close(x, "out of memory");
	else
		alter_start(a, complete);
}

void
api_incremental_alter_configs(struct exchange *x)
{
	const struct incremental_alter_configs_request *in = x->body;
	struct alter *a = alter_new(x, (size_t)in->resources.count, true, in->validate_only);
	bool complete = a != NULL;

	for (int32_t i = 0; complete && i < in->resources.count; i++) {
		const struct incremental_alter_configs_request_resource *from = &in->resources.items[i];

		complete = resource_begin(a, (size_t)i, from->resource_type, from->resource_name,
		               (size_t)from->configs.count) == 0;
		for (int32_t j = 0; complete && j < from->configs.count; j++)
			complete = wish_set(a, &a->resources[i].wishes[j], from->configs.items[j].name,
			               from->configs.items[j].config_operation,
			               from->configs.items[j].value) == 0;
	}
	if (a == NULL)
		dispatch_close(x, "out of memory");
	else
		alter_start(a, complete);
}
