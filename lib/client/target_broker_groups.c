/* Groups of a cluster, as their coordinators describe them. */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_admin.h"

/* --- describe ------------------------------------------------------------------ */

static int
describe_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct describe_groups_request *r = msg;
	struct wire_str *name = arena_array(&a->arena, 1, sizeof(*name));

	(void)version;
	if (name == NULL)
		return err_nomem(err);
	*name = wire_str_of(admin_call_of(a)->group);
	r->groups = (struct wire_strs){name, 1};
	return 0;
}

/* A blob after its version. What cannot be read is some other client's. */
static bool
read_blob(const struct wire_schema *s, struct wire_bytes blob, struct arena *a, void *msg)
{
	struct cursor c = cursor_of(blob.data, blob.len > 0 ? (size_t)blob.len : 0);
	int version = cursor_i16(&c);
	struct err err;

	if (c.failed || version < s->versions.min)
		return false;
	if (version > s->versions.max)
		version = s->versions.max; /* later ones begin alike */
	return wire_decode(s, version, &c, a, msg, &err) == 0;
}

static int
take_topics(struct admin_member *m, struct wire_bytes blob, struct arena *from, struct arena *to)
{
	struct consumer_protocol_subscription sub;
	const char **topics;

	if (!read_blob(&wire_consumer_protocol_subscription, blob, from, &sub))
		return 0;
	m->topic_count = (size_t)sub.topics.count;
	m->topics = topics = arena_array(to, m->topic_count + 1, sizeof(*topics));
	for (size_t i = 0; topics != NULL && i < m->topic_count; i++)
		if ((topics[i] = wire_str_dup(to, sub.topics.items[i])) == NULL)
			return -1;
	return topics != NULL ? 0 : -1;
}

static int
take_held(struct admin_member *m, struct wire_bytes blob, struct arena *from, struct arena *to)
{
	struct consumer_protocol_assignment as;
	struct group_position *held;
	size_t count = 0;

	if (!read_blob(&wire_consumer_protocol_assignment, blob, from, &as))
		return 0;
	for (int32_t i = 0; i < as.assigned_partitions.count; i++)
		count += (size_t)as.assigned_partitions.items[i].partitions.count;
	m->held = held = arena_array(to, count + 1, sizeof(*held));
	if (held == NULL)
		return -1;
	for (int32_t i = 0; i < as.assigned_partitions.count; i++) {
		const struct consumer_protocol_assignment_topic_partition *t =
		    &as.assigned_partitions.items[i];
		const char *topic = wire_str_dup(to, t->topic);

		if (topic == NULL)
			return -1;
		for (int32_t k = 0; k < t->partitions.count; k++)
			held[m->held_count++] = (struct group_position){
			    .topic = topic, .partition = t->partitions.items[k]};
	}
	return 0;
}

static int
take_members(struct ask *a, const struct describe_groups_response_group *g, struct err *err)
{
	struct admin_call *c = admin_call_of(a);
	size_t count = g->members.count > 0 ? (size_t)g->members.count : 0;
	struct admin_member *list = arena_array(c->arena, count + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		const struct describe_groups_response_member *m = &g->members.items[i];

		list[i] = (struct admin_member){.id = wire_str_dup(c->arena, m->member_id),
		    .client_id = wire_str_dup(c->arena, m->client_id),
		    .host = wire_str_dup(c->arena, m->client_host),
		    .pid = -1};
		if (list[i].id == NULL || list[i].client_id == NULL || list[i].host == NULL ||
		    take_topics(&list[i], m->member_metadata, &a->arena, c->arena) == -1 ||
		    take_held(&list[i], m->member_assignment, &a->arena, c->arena) == -1)
			return err_nomem(err);
	}
	c->members = list;
	c->member_count = count;
	return 0;
}

static int
describe_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct describe_groups_response *r = msg;
	const struct describe_groups_response_group *g = r->groups.items;
	struct admin_call *c = admin_call_of(a);

	(void)version;
	if (r->groups.count != 1)
		return err_set(err, ERR_UNSUPPORTED_VERSION, "group %s: %d answers to one question",
		    c->group, r->groups.count);
	c->members = NULL;
	c->member_count = 0;
	if (g->error_code == ERR_GROUP_ID_NOT_FOUND) {
		c->state = "Dead";
		return 0;
	}
	if (g->error_code != 0)
		return broker_err(err, g->error_code, g->error_message, "group %s", c->group);
	c->state = wire_str_dup(c->arena, g->group_state);
	return c->state == NULL ? err_nomem(err) : take_members(a, g, err);
}

const struct admin_spec admin_describe_group = {
    API_DESCRIBE_GROUPS, TO_COORDINATOR, 0, describe_fill, describe_answer, false};

/* --- delete ---------------------------------------------------------------------- */

static int
delete_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct delete_groups_request *r = msg;
	struct wire_str *name = arena_array(&a->arena, 1, sizeof(*name));

	(void)version;
	if (name == NULL)
		return err_nomem(err);
	*name = wire_str_of(admin_call_of(a)->group);
	r->groups_names = (struct wire_strs){name, 1};
	return 0;
}

static int
delete_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct delete_groups_response *r = msg;
	struct admin_call *c = admin_call_of(a);
	int code =
	    r->results.count == 1 ? r->results.items[0].error_code : ERR_UNKNOWN_SERVER_ERROR;

	(void)version;
	if (code == 0 || (a->was_lost && code == ERR_GROUP_ID_NOT_FOUND))
		return 0;
	if (code == ERR_NON_EMPTY_GROUP)
		return err_set(err, ERR_NON_EMPTY_GROUP, "group %s has live members", c->group);
	return broker_err(err, code, wire_str_null(), "group %s", c->group);
}

const struct admin_spec admin_delete_group = {
    API_DELETE_GROUPS, TO_COORDINATOR, 0, delete_fill, delete_answer, false};

static int
offsets_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct offset_delete_request *r = msg;
	struct admin_call *c = admin_call_of(a);
	struct offset_delete_request_partition *parts =
	    arena_array(&a->arena, c->position_count + 1, sizeof(*parts));
	const char *topic = NULL;

	(void)version;
	r->topics.items = arena_array(&a->arena, c->position_count + 1, sizeof(r->topics.items[0]));
	if (parts == NULL || r->topics.items == NULL)
		return err_nomem(err);
	r->group_id = wire_str_of(c->group);
	for (size_t i = 0; i < c->position_count; i++) {
		parts[i] = (struct offset_delete_request_partition){
		    .partition_index = c->positions[i].partition};
		if (topic == NULL || strcmp(topic, c->positions[i].topic) != 0) {
			topic = c->positions[i].topic;
			r->topics.items[r->topics.count++] = (struct offset_delete_request_topic){
			    .name = wire_str_of(topic), .partitions = {&parts[i], 0}};
		}
		r->topics.items[r->topics.count - 1].partitions.count++;
	}
	return 0;
}

static int
offsets_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct offset_delete_response *r = msg;
	struct admin_call *c = admin_call_of(a);

	(void)version;
	if (r->error_code != 0)
		return broker_err(err, r->error_code, wire_str_null(), "group %s", c->group);
	for (int32_t i = 0; i < r->topics.count; i++)
		for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++) {
			const struct offset_delete_response_partition *p =
			    &r->topics.items[i].partitions.items[k];

			if (p->error_code != 0)
				return broker_err(err, p->error_code, wire_str_null(),
				    "group %s: %.*s-%d", c->group, r->topics.items[i].name.len,
				    r->topics.items[i].name.data, p->partition_index);
		}
	return 0;
}

const struct admin_spec admin_delete_offsets = {
    API_OFFSET_DELETE, TO_COORDINATOR, 0, offsets_fill, offsets_answer, false};

/* --- list: every broker knows those that it coordinates ------------------------------- */

static int
list_fill(struct ask *a, int version, void *msg, struct err *err)
{
	(void)a;
	(void)version;
	(void)msg;
	(void)err;
	return 0;
}

static int
add_name(struct admin_work *o, struct wire_str name)
{
	struct arena *a = o->call->arena;

	if (o->name_count == o->name_cap) {
		size_t cap = o->name_cap * 2 + 16;
		const char **more = arena_array(a, cap, sizeof(*more));

		if (more == NULL)
			return -1;
		if (o->name_count > 0)
			memcpy(more, o->names, o->name_count * sizeof(*more));
		o->names = more;
		o->name_cap = cap;
	}
	o->names[o->name_count] = wire_str_dup(a, name);
	return o->names[o->name_count++] == NULL ? -1 : 0;
}

static int
list_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct list_groups_response *r = msg;
	struct admin_work *o = a->ctx;

	(void)version;
	if (r->error_code != 0)
		return broker_err(
		    err, r->error_code, wire_str_null(), "broker %d: groups", a->node);
	for (int32_t i = 0; i < r->groups.count; i++)
		if (add_name(o, r->groups.items[i].group_id) == -1)
			return err_nomem(err);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
list_finish(struct admin_work *o)
{
	size_t kept = 0;

	if (o->name_count > 0)
		qsort(o->names, o->name_count, sizeof(*o->names), by_name);
	for (size_t i = 0; i < o->name_count; i++)
		if (kept == 0 || strcmp(o->names[kept - 1], o->names[i]) != 0)
			o->names[kept++] = o->names[i];
	o->call->groups = o->names;
	o->call->group_count = kept;
	op_finish(&o->op, &o->err);
}

static void
list_done(struct ask *a)
{
	struct admin_work *o = a->ctx;

	if (a->err.code != 0)
		o->err = a->err;
	if (--o->each_left == 0)
		list_finish(o);
}

/* --- who is there? ---------------------------------------------------------------------- */

static int
nodes_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct metadata_request *r = msg;

	(void)a;
	(void)err;
	r->topics.count = version == 0 ? 1 : 0; /* of v0, none at all would be all of them */
	if (version == 0 &&
	    (r->topics.items = arena_alloc(&a->arena, sizeof(r->topics.items[0]))) == NULL)
		return err_nomem(err);
	r->allow_auto_topic_creation = version < 4;
	return 0;
}

static int
nodes_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	(void)version;
	return cluster_take(a->cluster, msg, err);
}

static void
nodes_done(struct ask *a)
{
	struct admin_work *o = a->ctx;
	struct cluster *c = o->op.bt->cluster;
	int32_t *ids;
	size_t count = 0;
	struct err err;

	if (a->err.code != 0) {
		op_finish(&o->op, &a->err);
		return;
	}
	if (cluster_nodes(c, o->call->arena, &ids, &count) == -1 ||
	    (o->each = calloc(count + 1, sizeof(*o->each))) == NULL) {
		err_nomem(&err);
		op_finish(&o->op, &err);
		return;
	}
	o->each_count = o->each_left = count;
	for (size_t i = 0; i < count; i++) {
		o->each[i] = (struct ask){.api = API_LIST_GROUPS,
		    .to = TO_NODE,
		    .node = ids[i],
		    .fill = list_fill,
		    .answer = list_answer,
		    .done = list_done,
		    .ctx = o};
		cluster_ask(c, &o->each[i]);
	}
	if (count == 0)
		list_finish(o);
}

void
admin_list_groups(struct admin_work *o)
{
	o->ask = (struct ask){.api = API_METADATA,
	    .to = TO_ANY,
	    .fill = nodes_fill,
	    .answer = nodes_answer,
	    .done = nodes_done,
	    .ctx = o};
	cluster_ask(o->op.bt->cluster, &o->ask);
}
