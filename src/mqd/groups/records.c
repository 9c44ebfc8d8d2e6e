/* The groups' records: written as Kafka 4.3 writes them, and read. */
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"
#include "store/records.h"
#include "wire/record.h"

#define GROUP_VALUE_VERSION 3
#define OFFSET_VALUE_VERSION 4
#define OFFSET_VALUE_EXPIRES 1 /* the only one that has an expire time */

/* --- writing -------------------------------------------------------------------- */

static void
add(struct write *w, const struct wire_schema *key_schema, const void *key,
    const struct wire_schema *schema, int version, const void *value)
{
	struct err err;

	if (w->failed)
		return;
	w->failed = records_add_group(&w->records, key_schema, key, schema, version, value,
	                os_wall_ms(w->groups->os), &err) == -1;
	w->count++;
}

static int
list_members(const struct cgroup *g, bool assigning, struct group_metadata_value *v)
{
	size_t count = cgroup_size(g), i = 0;
	struct group_metadata_value_member_metadata *list = calloc(count + 1, sizeof(*list));

	if (list == NULL)
		return -1;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL; i++) {
		const struct cmember *m = e->value;

		list[i].member_id = m->id;
		list[i].group_instance_id = m->instance_id;
		list[i].client_id = m->client_id;
		list[i].client_host = m->client_host;
		list[i].rebalance_timeout = m->rebalance_ms;
		list[i].session_timeout = m->session_ms;
		list[i].subscription = cmember_metadata(m, g->protocol);
		list[i].assignment = assigning ? m->assigning : m->assignment;
	}
	v->members.items = list;
	v->members.count = (int32_t)count;
	return 0;
}

static void
add_group(struct write *w, const struct cgroup *g, const struct group_metadata_value *v)
{
	struct group_metadata_key key;

	wire_init(&wire_group_metadata_key, &key);
	key.group = g->id;
	add(w, &wire_group_metadata_key, &key, &wire_group_metadata_value, GROUP_VALUE_VERSION, v);
}

void
write_group(struct write *w, const struct cgroup *g, bool assigning)
{
	struct group_metadata_value v;

	wire_init(&wire_group_metadata_value, &v);
	v.protocol_type = g->protocol_type.len >= 0 ? g->protocol_type : wire_str_of("");
	v.generation = g->generation;
	v.protocol = g->protocol;
	v.leader = g->live != NULL && g->live->leader != NULL ? g->live->leader->id : STR_NULL;
	v.current_state_timestamp = g->state_ms;
	if (list_members(g, assigning, &v) == -1) {
		w->failed = true;
		return;
	}
	add_group(w, g, &v);
	free(v.members.items);
}

void
write_empty_group(struct write *w, const struct cgroup *g)
{
	struct group_metadata_value v;

	wire_init(&wire_group_metadata_value, &v);
	v.protocol = v.leader = STR_NULL;
	v.current_state_timestamp = g->state_ms;
	add_group(w, g, &v);
}

void
write_group_tombstone(struct write *w, const struct cgroup *g)
{
	add_group(w, g, NULL);
}

static struct offset_commit_key
offset_key(const struct cgroup *g, struct wire_str topic, int32_t partition)
{
	struct offset_commit_key key;

	wire_init(&wire_offset_commit_key, &key);
	key.group = g->id;
	key.topic = topic;
	key.partition = partition;
	return key;
}

void
write_offset(struct write *w, const struct cgroup *g, const struct groups_commit_item *i)
{
	struct offset_commit_key key = offset_key(g, i->topic, i->partition);
	struct offset_commit_value v;

	wire_init(&wire_offset_commit_value, &v);
	v.offset = i->offset;
	v.leader_epoch = i->leader_epoch;
	v.metadata = i->metadata.len >= 0 ? i->metadata : wire_str_of("");
	v.commit_timestamp = w->commit_ms;
	v.expire_timestamp = w->expire_ms;
	v.topic_id = i->topic_id;
	add(w, &wire_offset_commit_key, &key, &wire_offset_commit_value,
	    w->expire_ms != -1 ? OFFSET_VALUE_EXPIRES : OFFSET_VALUE_VERSION, &v);
}

void
write_offset_tombstone(struct write *w, const struct cgroup *g, struct wire_str topic,
    int32_t partition)
{
	struct offset_commit_key key = offset_key(g, topic, partition);

	add(w, &wire_offset_commit_key, &key, &wire_offset_commit_value, OFFSET_VALUE_VERSION, NULL);
}

/* --- reading ---------------------------------------------------------------------- */

/* As Kafka: an offset of a group that nothing else is known of makes a simple group. */
static struct cgroup *
replay_group(struct map *all, struct wire_str id, int64_t state_ms)
{
	struct cgroup *g = map_get(all, id.len > 0 ? id.data : "", (size_t)id.len);

	if (g != NULL)
		return g;
	g = cgroup_new(id, state_ms);
	if (g != NULL && map_put(all, g->id.data, (size_t)g->id.len, g, NULL) == -1) {
		cgroup_free(NULL, g);
		return NULL;
	}
	return g;
}

static int
replay_member(struct cgroup *g, const struct group_metadata_value *v,
    const struct group_metadata_value_member_metadata *in)
{
	struct join_group_request_protocol p = {
	    .name = v->protocol.len >= 0 ? v->protocol : wire_str_of(""),
	    .metadata = in->subscription};
	struct cprotocols *list = cprotocols_new(&p, 1);
	struct cmember *m;

	if (list == NULL)
		return -1;
	m = cmember_new(in->member_id, in->group_instance_id, in->client_id, in->client_host, list);
	if (m == NULL) {
		free(list);
		return -1;
	}
	m->session_ms = in->session_timeout;
	m->rebalance_ms = in->rebalance_timeout == -1 ? in->session_timeout : in->rebalance_timeout;
	if (bytes_set(&m->assignment, in->assignment) == -1 ||
	    cgroup_add(g, m, v->protocol_type) == -1) {
		cmember_free(NULL, m);
		return -1;
	}
	return 0;
}

/* A member twice would be a lie of the log's: the first counts. */
static bool
is_known(const struct cgroup *g, const struct group_metadata_value_member_metadata *in)
{
	return cgroup_member(g, in->member_id) != NULL ||
	       cgroup_static(g, in->group_instance_id) != NULL;
}

static int
replay_members(struct cgroup *g, const struct group_metadata_value *v)
{
	struct cmember *leader;

	for (int32_t i = 0; i < v->members.count; i++)
		if (!is_known(g, &v->members.items[i]) &&
		    replay_member(g, v, &v->members.items[i]) == -1)
			return -1;
	leader = cgroup_member(g, v->leader);
	if (leader != NULL)
		g->live->leader = leader;
	if (cgroup_size(g) > 0) {
		g->state = CGROUP_STABLE;
		g->before = CGROUP_COMPLETING;
	}
	return cgroup_find_subscriptions(g);
}

/* The group as the record says; its offsets stay. */
static int
replay_metadata(struct map *all, struct wire_str id, const struct group_metadata_value *v)
{
	struct cgroup *old = map_get(all, id.len > 0 ? id.data : "", (size_t)id.len);
	struct cgroup *g = cgroup_new(id, v->current_state_timestamp);

	if (g == NULL)
		return -1;
	g->generation = v->generation;
	if ((v->protocol_type.len > 0 && str_set(&g->protocol_type, v->protocol_type) == -1) ||
	    str_set(&g->protocol, v->protocol) == -1 || replay_members(g, v) == -1 ||
	    map_put(all, g->id.data, (size_t)g->id.len, g, NULL) == -1) {
		cgroup_free(NULL, g);
		return -1;
	}
	if (old != NULL) {
		g->topics = old->topics;
		g->topic_count = old->topic_count;
		g->topic_cap = old->topic_cap;
		old->topics = NULL;
		old->topic_count = 0;
		cgroup_free(NULL, old);
	}
	return 0;
}

/* A tombstone takes the group, but not offsets, which have their own: they are kept in
 * a simple group, if there are any. */
static int
replay_tombstone(struct map *all, struct wire_str id)
{
	struct cgroup *old = map_get(all, id.len > 0 ? id.data : "", (size_t)id.len);
	struct group_metadata_value none;

	if (old == NULL)
		return 0;
	if (old->topic_count == 0) {
		map_del(all, old->id.data, (size_t)old->id.len);
		cgroup_free(NULL, old);
		return 0;
	}
	wire_init(&wire_group_metadata_value, &none);
	none.protocol = none.leader = STR_NULL;
	return replay_metadata(all, id, &none);
}

static int
replay_offset(struct map *all, int64_t at, const struct offset_commit_key *key,
    const struct wire_message *value)
{
	struct coffset o = {.at = at, .partition = key->partition, .leader_epoch = -1, .expire_ms = -1};
	struct wire_str metadata;
	struct cgroup *g;

	if (value->type == OFFSET_COMMIT_VALUE) {
		const struct offset_commit_value *v = value->data;

		o.offset = v->offset;
		o.leader_epoch = v->leader_epoch;
		o.commit_ms = v->commit_timestamp;
		o.expire_ms = v->expire_timestamp;
		o.topic_id = v->topic_id;
		metadata = v->metadata;
	} else {
		const struct legacy_offset_commit_value *v = value->data;

		o.offset = v->offset;
		o.commit_ms = v->commit_timestamp;
		metadata = v->metadata;
	}
	g = replay_group(all, key->group, o.commit_ms);
	return g == NULL ? -1 : cgroup_put_offset(g, key->topic, &o, metadata);
}

static int
replay_offset_tombstone(struct map *all, int64_t at, const struct offset_commit_key *key)
{
	struct cgroup *g = map_get(all, key->group.len > 0 ? key->group.data : "",
	    (size_t)key->group.len);
	struct coffset *o = g != NULL ? cgroup_offset(g, key->topic, key->partition) : NULL;

	if (o != NULL && o->at <= at)
		cgroup_drop_offset(g, key->topic, key->partition);
	return 0;
}

static int
apply(struct map *all, int64_t at, const struct wire_message *key, const struct wire_message *value)
{
	if (key->type == GROUP_METADATA_KEY) {
		const struct group_metadata_key *k = key->data;

		return value == NULL ? replay_tombstone(all, k->group)
		                     : replay_metadata(all, k->group, value->data);
	}
	/* The keys of both kinds of offsets are alike. */
	return value == NULL ? replay_offset_tombstone(all, at, key->data)
	                     : replay_offset(all, at, key->data, value);
}

int
replay_apply(struct map *all, int64_t at, struct slice key, const struct slice *value,
    struct err *err)
{
	struct wire_message k, v;
	struct arena a;
	int ret;

	arena_init(&a, 0);
	ret = coordinator_key_decode(COORDINATOR_GROUP, key, &a, &k, err);
	if (ret == 0 && k.type != OFFSET_COMMIT_KEY && k.type != LEGACY_OFFSET_COMMIT_KEY &&
	    k.type != GROUP_METADATA_KEY) {
		arena_release(&a);
		return 0;
	}
	if (ret == 0 && value != NULL)
		ret = coordinator_value_decode(COORDINATOR_GROUP, k.type, *value, &a, &v, err);
	if (ret == 0 && apply(all, at, &k, value != NULL ? &v : NULL) == -1)
		ret = err_nomem(err);
	arena_release(&a);
	return ret;
}
