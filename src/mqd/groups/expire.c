/*
 * What goes: offsets whose time is over (KIP-211), groups that hold nothing, deleted
 * groups, offsets of deleted topics. All of it is tombstones.
 *
 * Single offsets are forgotten when their tombstones are in the log. A group that goes
 * as a whole is forgotten at once, so that nobody joins what is going, and is put back
 * if its tombstones could not be written.
 */
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

/* Between two shards of one round. */
#define ROUND_STEP_MS 1

/* --- tombstones of offsets ------------------------------------------------------------ */

/* The tombstones are in the log: the group forgets what they are for, which the write's
 * own records tell. */
static void
dropped(struct write *w, int code)
{
	struct record_reader rr = {0};
	struct record rec;
	struct batch b;
	struct err err;

	if (code != 0 || batch_view(w->append.bytes, w->append.len, &b) != BATCH_OK ||
	    record_reader_open(&rr, &b, &err) == -1)
		return;
	while (record_reader_next(&rr, &rec, &err) == 1) {
		struct cursor c = cursor_of(rec.key, (size_t)rec.key_size);
		const uint8_t *topic;
		int16_t len;

		cursor_i16(&c);
		len = cursor_i16(&c);
		cursor_bytes(&c, (size_t)len);
		len = cursor_i16(&c);
		topic = cursor_bytes(&c, (size_t)len);
		cgroup_drop_offset(w->group, wire_str_of_mem((const char *)topic, (size_t)len),
		    cursor_i32(&c));
	}
	record_reader_release(&rr);
}

/* Which offsets go. */
struct sweep {
	bool (*goes)(const struct sweep *sw, const struct cgroup *g, struct wire_str topic,
	    const struct coffset *o);
	int64_t now_ms;
	struct wire_str topic;
	struct uuid topic_id;
};

/* How many of the group's offsets stay. */
static size_t
count_staying(const struct sweep *sw, const struct cgroup *g)
{
	size_t stay = 0;

	for (uint32_t i = 0; i < g->topic_count; i++)
		for (uint32_t k = 0; k < g->topics[i]->count; k++)
			stay += !sw->goes(sw, g, ctopic_name(g->topics[i]), &g->topics[i]->list[k]);
	return stay;
}

/* Writes tombstones for those that go, in batches that fit. Without memory some are
 * left for the next round. */
static void
sweep_group(const struct sweep *sw, struct cgroup *g)
{
	struct write *w = NULL;

	for (uint32_t i = 0; i < g->topic_count; i++)
		for (uint32_t k = 0; k < g->topics[i]->count; k++) {
			const struct coffset *o = &g->topics[i]->list[k];

			if (!sw->goes(sw, g, ctopic_name(g->topics[i]), o))
				continue;
			if (w == NULL && (w = write_new(g->shard, g, dropped, NULL)) == NULL)
				return;
			write_offset_tombstone(w, g, ctopic_name(g->topics[i]), o->partition);
			if (batch_builder_size(&w->records) < GROUPS_BATCH_BYTES)
				continue;
			write_start(w);
			w = NULL;
		}
	if (w != NULL)
		write_start(w);
}

/* --- whole groups ---------------------------------------------------------------------- */

/* A group on its way out: the shard does not know it any more. */
struct burial {
	struct cgroup *group; /* owned */
	struct shard *shard;
	struct groups_call *call; /* or NULL */
	unsigned writes;          /* under way, and one more while they are begun */
	int code;
};

/* Its offsets are in the log still. What was committed since is newer. */
static void
put_back(struct shard *s, struct cgroup *old)
{
	struct cgroup *g = shard_group(s, old->id);

	if (g == NULL) {
		if (map_put(&s->all, old->id.data, (size_t)old->id.len, old, NULL) == -1)
			cgroup_free(NULL, old);
		return;
	}
	for (uint32_t i = 0; i < old->topic_count; i++)
		for (uint32_t k = 0; k < old->topics[i]->count; k++) {
			const struct coffset *o = &old->topics[i]->list[k];

			cgroup_put_offset(g, ctopic_name(old->topics[i]), o, coffset_metadata(o));
		}
	cgroup_free(NULL, old);
}

static void
burial_step(struct burial *b, int code)
{
	if (b->code == 0)
		b->code = code;
	if (--b->writes > 0)
		return;
	if (b->code != 0 && b->shard->state == SHARD_ACTIVE)
		put_back(b->shard, b->group);
	else
		cgroup_free(NULL, b->group);
	if (b->call != NULL)
		groups_code(b->call, b->code);
	free(b);
}

static void
buried(struct write *w, int code)
{
	burial_step(w->own, code);
}

/* The coordinator goes. */
static void
burial_release(struct write *w)
{
	struct burial *b = w->own;

	if (--b->writes > 0)
		return;
	cgroup_free(NULL, b->group);
	free(b);
}

static void
burial_write(struct burial *b, struct write *w)
{
	w->own = b;
	w->release = burial_release;
	b->writes++;
	if (write_start(w) == -1) {
		b->writes--;
		b->code = ERR_UNKNOWN_SERVER_ERROR;
	}
}

/* Offsets first: a group without its record, but with offsets, would be a simple one. */
static void
write_all_tombstones(struct burial *b)
{
	struct cgroup *g = b->group;
	struct write *w = write_new(b->shard, NULL, buried, NULL);

	for (uint32_t i = 0; i < g->topic_count; i++)
		for (uint32_t k = 0; w != NULL && k < g->topics[i]->count; k++) {
			write_offset_tombstone(w, g, ctopic_name(g->topics[i]),
			    g->topics[i]->list[k].partition);
			if (batch_builder_size(&w->records) < GROUPS_BATCH_BYTES)
				continue;
			burial_write(b, w);
			w = write_new(b->shard, NULL, buried, NULL);
		}
	if (w == NULL) {
		b->code = ERR_UNKNOWN_SERVER_ERROR;
		return;
	}
	write_group_tombstone(w, g);
	burial_write(b, w);
}

/* For an Empty group that nobody is about to join, and of which nothing is being
 * written. The call, if any, is told a code. */
static void
bury(struct shard *s, struct cgroup *g, struct groups_call *c)
{
	struct burial *b = malloc(sizeof(*b));

	if (b != NULL) {
		*b = (struct burial){.group = g, .shard = s, .call = c, .writes = 1};
		write_all_tombstones(b);
	}
	if (b == NULL || b->writes == 1) { /* nothing is under way */
		free(b);
		if (c != NULL)
			groups_code(c, ERR_UNKNOWN_SERVER_ERROR);
		return;
	}
	map_del(&s->all, g->id.data, (size_t)g->id.len);
	burial_step(b, 0);
}

/* --- DeleteGroups ------------------------------------------------------------------------ */

static void
delete_now(struct barrier *b, int code)
{
	struct cgroup *g = code == 0 ? shard_group(b->shard, b->name) : NULL;

	if (code == 0 && g == NULL)
		code = ERR_GROUP_ID_NOT_FOUND;
	else if (code == 0 && g->state != CGROUP_EMPTY)
		code = ERR_NON_EMPTY_GROUP;
	/* One that came behind the barrier's: the log would have it after our tombstones. */
	else if (code == 0 && g->writes > 0)
		code = ERR_COORDINATOR_LOAD_IN_PROGRESS;
	if (code != 0) {
		groups_code(b->call, code);
		return;
	}
	if (g->live != NULL) { /* ids that were given out: they are unknown from now on */
		for (struct map_entry *e = NULL; (e = map_next(&g->live->pending, e)) != NULL;)
			cgroup_remove_pending(b->groups->os, g, e->value);
		cgroup_rest(b->groups->os, g);
	}
	bury(b->shard, g, b->call);
}

static void
begin_group_delete(struct groups *gs, struct groups_call *c)
{
	int code;
	struct shard *s = shard_of(gs, c->group, &code);

	if (s == NULL)
		groups_code(c, code);
	else if (barrier_wait(s, delete_now, c, c->group, &uuid_zero) == -1)
		groups_code(c, ERR_UNKNOWN_SERVER_ERROR);
}

void
groups_delete(struct groups *gs, struct groups_call *c, struct wire_str group)
{
	c->group = group;
	call_begin(gs, c, begin_group_delete);
}

/* --- time --------------------------------------------------------------------------------- */

/* Kafka's rules: an offset with a time of its own goes by it. Else in a group of
 * members, all go when it has been Empty for the retention; while it is Stable, those
 * of topics that nobody in it subscribes to, by their commits; a simple group's go by
 * their commits. */
static bool
is_expired(const struct sweep *sw, const struct cgroup *g, struct wire_str topic,
    const struct coffset *o)
{
	bool simple = g->protocol_type.len < 0;
	int64_t since = o->commit_ms;

	if (cgroup_is_subscribed(g, topic) || shard_has_open(g->shard, g->id, topic, o->partition))
		return false;
	if (o->expire_ms != -1)
		return sw->now_ms >= o->expire_ms;
	if (!simple && g->state == CGROUP_EMPTY && g->state_ms != -1)
		since = g->state_ms;
	return sw->now_ms - since >= g->shard->groups->o.config->offsets_retention_ms;
}

static bool
may_expire(const struct cgroup *g)
{
	if (g->writes > 0)
		return false;
	if (g->protocol_type.len < 0 || g->state == CGROUP_EMPTY)
		return true;
	return g->state == CGROUP_STABLE && cgroup_is_consumer(g) && g->subscriptions_known;
}

static void
expire_group(struct shard *s, struct cgroup *g)
{
	const struct sweep sw = {.goes = is_expired, .now_ms = os_wall_ms(s->groups->os)};
	size_t stay;

	if (!may_expire(g))
		return;
	stay = count_staying(&sw, g);
	if (stay == 0 && g->state == CGROUP_EMPTY && g->live == NULL &&
	    !shard_group_has_open(s, g->id))
		bury(s, g, NULL);
	else
		sweep_group(&sw, g);
}

static void
expire_shard(struct shard *s)
{
	for (struct map_entry *e = NULL; (e = map_next(&s->all, e)) != NULL;)
		expire_group(s, e->value);
}

static void
next_round(struct os_timer *t)
{
	struct groups *gs = t->ctx;
	struct shard *s;

	if (gs->expire_next < gs->count) {
		s = gs->shards[gs->expire_next++];
		event_begin(gs);
		if (s->state == SHARD_ACTIVE)
			expire_shard(s);
		event_end(gs);
	}
	if (gs->expire_next < gs->count) {
		os_timer_start(gs->os, t, ROUND_STEP_MS);
		return;
	}
	gs->expire_next = 0;
	os_timer_start(gs->os, t, gs->o.config->offsets_retention_check_ms);
}

void
expire_start(struct groups *gs)
{
	gs->expire_timer.fire = next_round;
	gs->expire_timer.ctx = gs;
	os_timer_start(gs->os, &gs->expire_timer, gs->o.config->offsets_retention_check_ms);
}

/* --- deleted topics -------------------------------------------------------------------------- */

static bool
is_of_topic(const struct sweep *sw, const struct cgroup *g, struct wire_str topic,
    const struct coffset *o)
{
	(void)g;
	return str_equal(topic, sw->topic) &&
	       (uuid_is_zero(&o->topic_id) || uuid_equal(&o->topic_id, &sw->topic_id));
}

/* All that was being committed when the topic went is in. */
static void
topic_gone(struct barrier *b, int code)
{
	const struct sweep sw = {.goes = is_of_topic, .topic = b->name, .topic_id = b->id};

	for (struct map_entry *e = NULL; code == 0 && (e = map_next(&b->shard->all, e)) != NULL;)
		sweep_group(&sw, e->value);
	str_release(&b->name);
}

void
groups_topic_deleted(struct groups *gs, struct wire_str topic, const struct uuid *id)
{
	event_begin(gs);
	for (int32_t i = 0; i < gs->count; i++) {
		struct wire_str name = STR_NULL;

		if (gs->shards[i]->state != SHARD_ACTIVE || gs->shards[i]->all.count == 0)
			continue;
		if (str_set(&name, topic) == -1 ||
		    barrier_wait(gs->shards[i], topic_gone, NULL, name, id) == -1)
			str_release(&name);
	}
	event_end(gs);
}
