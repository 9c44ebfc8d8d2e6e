/* OffsetCommit, OffsetFetch, OffsetDelete. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mqd/groups/groups_impl.h"

/* Java's length of a string: UTF-16 units, which offset.metadata.max.bytes counts. */
static int64_t
java_length(struct wire_str s)
{
	struct cursor c = cursor_of(s.data, s.len > 0 ? (size_t)s.len : 0);
	int64_t units = 0;

	while (cursor_left(&c) > 0)
		units += text_utf8_next(&c) > 0xffff ? 2 : 1;
	return units;
}

/* --- OffsetCommit ----------------------------------------------------------------- */

/* Who may commit: a member of this generation, or, while there is none, anybody who
 * claims no generation. */
static int
check_commit(const struct cgroup *g, const struct offset_commit_request *r)
{
	int32_t generation = r->generation_id_or_member_epoch;
	int code;

	if (generation < 0 && g->state == CGROUP_EMPTY)
		return 0;
	if (generation >= 0 || !str_is_empty(r->member_id) || r->group_instance_id.len >= 0) {
		code = cgroup_check_member(g, r->member_id, r->group_instance_id);
		if (code != 0)
			return code;
		if (generation != g->generation)
			return ERR_ILLEGAL_GENERATION;
	} else if (g->state != CGROUP_EMPTY) {
		return ERR_UNKNOWN_MEMBER_ID;
	}
	return g->state == CGROUP_COMPLETING ? ERR_REBALANCE_IN_PROGRESS : 0;
}

static void
put_item(struct shard *s, struct cgroup *g, const struct write *w, int64_t at,
    const struct groups_commit_item *i)
{
	const struct coffset o = {.offset = i->offset,
	    .commit_ms = w->commit_ms,
	    .expire_ms = w->expire_ms,
	    .at = at,
	    .topic_id = i->topic_id,
	    .partition = i->partition,
	    .leader_epoch = i->leader_epoch};

	if (cgroup_put_offset(g, i->topic, &o, i->metadata) == -1)
		os_note(s->groups->os, OS_ERROR, "group %.*s: no memory for an offset that is in the log",
		    (int)g->id.len, g->id.data);
}

static void
committed(struct write *w, int code)
{
	const struct groups_commit_item *items = w->own;
	int64_t at = w->append.base_offset;

	for (size_t i = 0; code == 0 && i < w->own_count; i++)
		if (items[i].code == 0)
			put_item(w->shard, w->group, w, at++, &items[i]);
	groups_code(w->call, code);
}

static void
touch_committer(struct cgroup *g, struct wire_str id)
{
	struct cmember *m = cgroup_member(g, id);

	if (m != NULL && (g->state == CGROUP_STABLE || g->state == CGROUP_PREPARING))
		cmember_touch(m, m->session_ms);
}

static int
begin_commit(struct shard *s, struct cgroup *g, struct groups_call *c,
    const struct offset_commit_request *r, struct groups_commit_item *items, size_t count)
{
	struct write *w = write_new(s, g, committed, c);
	size_t good = 0;

	if (w == NULL)
		return -1;
	w->own = items;
	w->own_count = count;
	if (r->retention_time_ms != -1 &&
	    __builtin_add_overflow(w->commit_ms, r->retention_time_ms, &w->expire_ms))
		w->expire_ms = INT64_MAX; /* for ever */
	for (size_t i = 0; i < count; i++) {
		items[i].code = 0;
		if (java_length(items[i].metadata) > s->groups->o.config->offset_metadata_max)
			items[i].code = ERR_OFFSET_METADATA_TOO_LARGE;
		else
			write_offset(w, g, &items[i]);
		good += items[i].code == 0;
	}
	if (good == 0) {
		write_free(w);
		groups_code(c, 0);
		return 0;
	}
	return write_start(w);
}

static void
begin_group_commit(struct groups *gs, struct groups_call *c)
{
	const struct offset_commit_request *r = c->request;
	struct cgroup *g;
	int code;
	struct shard *s = shard_of(gs, r->group_id, &code);

	if (s == NULL) {
		groups_code(c, code);
		return;
	}
	g = shard_group(s, r->group_id);
	if (g == NULL && r->generation_id_or_member_epoch >= 0)
		code = c->version >= 9 ? ERR_GROUP_ID_NOT_FOUND : ERR_ILLEGAL_GENERATION;
	else
		code = g != NULL ? check_commit(g, r) : 0;
	if (code == 0 && g == NULL && (g = shard_make_group(s, r->group_id)) == NULL)
		code = ERR_UNKNOWN_SERVER_ERROR;
	if (code != 0) {
		groups_code(c, code);
		return;
	}
	touch_committer(g, r->member_id);
	if (begin_commit(s, g, c, r, c->items, c->count) == -1)
		groups_code(c, ERR_UNKNOWN_SERVER_ERROR);
}

void
groups_commit(struct groups *gs, struct groups_call *c, const struct offset_commit_request *r,
    struct groups_commit_item *items, size_t count)
{
	c->request = r;
	c->items = items;
	c->count = count;
	call_begin(gs, c, begin_group_commit);
}

/* --- OffsetFetch ------------------------------------------------------------------- */

static void
all_written(struct barrier *b, int code)
{
	groups_code(b->call, code);
}

static void
begin_fetch(struct groups *gs, struct groups_call *c)
{
	int code;
	struct shard *s = shard_of(gs, c->group, &code);

	if (s == NULL)
		groups_code(c, code);
	else if (c->count == 0)
		groups_code(c, 0);
	else if (barrier_wait(s, all_written, c, c->group, &uuid_zero) == -1)
		groups_code(c, ERR_UNKNOWN_SERVER_ERROR);
}

void
groups_fetch(struct groups *gs, struct groups_call *c, struct wire_str group, bool stable)
{
	c->group = group;
	c->count = stable;
	call_begin(gs, c, begin_fetch);
}

/* An offset of a topic that was deleted and made again is none of the new one's. */
static bool
is_of_another(const struct uuid *have, const struct uuid *want)
{
	return !uuid_is_zero(have) && !uuid_is_zero(want) && !uuid_equal(have, want);
}

static void
fill(const struct shard *s, const struct cgroup *g, struct wire_str topic, const struct coffset *o,
    struct groups_offset *out)
{
	*out = (struct groups_offset){.topic = topic,
	    .topic_id = o->topic_id,
	    .partition = o->partition,
	    .offset = o->offset,
	    .leader_epoch = o->leader_epoch,
	    .metadata = coffset_metadata(o),
	    .pending = shard_has_open(s, g->id, topic, o->partition)};
}

bool
groups_offset(const struct groups *gs, struct wire_str group, struct wire_str topic,
    const struct uuid *topic_id, int32_t partition, struct groups_offset *out)
{
	int code;
	struct shard *s = shard_of(gs, group, &code);
	struct cgroup *g = s != NULL ? shard_group(s, group) : NULL;
	struct coffset *o = g != NULL ? cgroup_offset(g, topic, partition) : NULL;

	if (o != NULL && !is_of_another(&o->topic_id, topic_id)) {
		fill(s, g, topic, o, out);
		return true;
	}
	*out = (struct groups_offset){.topic = topic,
	    .topic_id = *topic_id,
	    .partition = partition,
	    .offset = -1,
	    .leader_epoch = -1,
	    .metadata = {"", 0},
	    .pending = s != NULL && shard_has_open(s, group, topic, partition)};
	return false;
}

int
groups_each_offset(const struct groups *gs, struct wire_str group,
    int (*each)(void *ctx, const struct groups_offset *o), void *ctx)
{
	int code, ret = 0;
	struct shard *s = shard_of(gs, group, &code);
	struct cgroup *g = s != NULL ? shard_group(s, group) : NULL;
	struct groups_offset o;

	for (uint32_t i = 0; g != NULL && ret == 0 && i < g->topic_count; i++)
		for (uint32_t k = 0; ret == 0 && k < g->topics[i]->count; k++) {
			fill(s, g, ctopic_name(g->topics[i]), &g->topics[i]->list[k], &o);
			ret = each(ctx, &o);
		}
	return ret;
}

/* --- OffsetDelete ---------------------------------------------------------------------- */

static void
deleted(struct write *w, int code)
{
	const struct groups_delete_item *items = w->own;

	for (size_t i = 0; code == 0 && i < w->own_count; i++)
		if (items[i].code == 0)
			cgroup_drop_offset(w->group, items[i].topic, items[i].partition);
	groups_code(w->call, code);
}

static int
begin_delete(struct shard *s, struct cgroup *g, struct groups_call *c,
    struct groups_delete_item *items, size_t count)
{
	struct write *w = write_new(s, g, deleted, c);

	assert(g != NULL);
	if (w == NULL)
		return -1;
	w->own = items;
	w->own_count = count;
	for (size_t i = 0; i < count; i++) {
		items[i].code = 0;
		if (cgroup_is_subscribed(g, items[i].topic))
			items[i].code = ERR_GROUP_SUBSCRIBED_TO_TOPIC;
		else if (cgroup_offset(g, items[i].topic, items[i].partition) != NULL ||
		         shard_has_open(s, g->id, items[i].topic, items[i].partition))
			write_offset_tombstone(w, g, items[i].topic, items[i].partition);
	}
	if (w->count == 0 && !w->failed) {
		write_free(w);
		groups_code(c, 0);
		return 0;
	}
	return write_start(w);
}

static void
begin_offset_delete(struct groups *gs, struct groups_call *c)
{
	int code = ERR_INVALID_GROUP_ID;
	struct shard *s = str_is_empty(c->group) ? NULL : shard_of(gs, c->group, &code);
	struct cgroup *g = s != NULL ? shard_group(s, c->group) : NULL;

	if (s != NULL) {
		code = g == NULL ? ERR_GROUP_ID_NOT_FOUND : 0;
		if (g != NULL && g->state != CGROUP_EMPTY && !cgroup_is_consumer(g))
			code = ERR_NON_EMPTY_GROUP;
	}
	if (code != 0)
		groups_code(c, code);
	else if (begin_delete(s, g, c, c->items, c->count) == -1)
		groups_code(c, ERR_UNKNOWN_SERVER_ERROR);
}

void
groups_delete_offsets(struct groups *gs, struct groups_call *c, struct wire_str group,
    struct groups_delete_item *items, size_t count)
{
	c->group = group;
	c->items = items;
	c->count = count;
	call_begin(gs, c, begin_offset_delete);
}
