/* Groups of a store: commits, and membership by polling. */
#include <stdlib.h>
#include <string.h>

#include "client/target_store_impl.h"

/* How often a member looks whether its share has changed. What costs anything
 * is looked at less often: see membership_poll. */
#define MEMBER_POLL_MS 50

struct target_member {
	struct store_target *st;
	struct membership *membership;
	struct target_member_events events;
	struct os_timer poll;
	bool polled; /* at least once: held and waiting mean something */
};

/* Is a position's topic still the one that it is meant for? */
static bool
is_same_topic(const struct store_target *st, const struct group_position *p)
{
	const struct image_topic *t = image_topic(store_image(st->store), p->topic);

	return uuid_is_zero(&p->topic_id) || (t != NULL && uuid_equal(&t->id, &p->topic_id));
}

void
store_target_commit(struct target *t, struct commit_call *c)
{
	struct store_target *st = store_target_of(t);
	struct group_offset *list = calloc(c->position_count + 1, sizeof(*list));
	int64_t now = os_wall_ms(t->os);
	int ok = list == NULL ? err_nomem(&c->call.err) : store_refresh(st->store, &c->call.err);
	size_t count = 0;

	for (size_t i = 0; i < c->position_count && ok == 0; i++) {
		const struct group_position *p = &c->positions[i];

		if (!is_same_topic(st, p))
			continue;
		/* What the offset stands for must not vanish while the offset stays. */
		ok = store_sync_partition(st->store, p->topic, p->partition, p->offset,
		    &c->call.err);
		list[count++] = (struct group_offset){
		    .topic = (char *)(uintptr_t)p->topic,
		    .topic_id = p->topic_id,
		    .partition = p->partition,
		    .offset = p->offset,
		    .leader_epoch = p->leader_epoch,
		    .commit_time_ms = p->commit_time_ms >= 0 ? p->commit_time_ms : now,
		    .metadata = (char *)(uintptr_t)(p->metadata != NULL ? p->metadata : ""),
		};
	}
	if (ok == 0)
		ok = group_commit(st->store, c->group, list, count, &c->call.err);
	free(list);
	store_target_finish(st, &c->call, ok);
}

static int
all_positions(struct committed_call *c, const struct group_offsets *o, struct err *err)
{
	struct group_position *p = arena_array(c->arena, o->count + 1, sizeof(*p));

	if (p == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < o->count; i++) {
		const struct group_offset *from = &o->list[i];

		p[i] = (struct group_position){
		    .topic = arena_strdup(c->arena, from->topic),
		    .partition = from->partition,
		    .offset = from->offset,
		    .leader_epoch = from->leader_epoch,
		    .commit_time_ms = from->commit_time_ms,
		    .metadata = arena_strdup(c->arena, from->metadata),
		    .code = from->known ? 0 : ERR_CORRUPT,
		};
		if (p[i].topic == NULL || p[i].metadata == NULL)
			return err_nomem(err);
	}
	if (o->damage != NULL && (c->damage = arena_strdup(c->arena, o->damage)) == NULL)
		return err_nomem(err);
	c->positions = p;
	c->position_count = o->count;
	c->partial = o->partial;
	return 0;
}

static int
some_positions(struct committed_call *c, const struct group_offsets *o, struct err *err)
{
	for (size_t i = 0; i < c->position_count; i++) {
		struct group_position *p = &c->positions[i];

		p->offset = group_offsets_get(o, p->topic, p->partition);
		if (p->offset == GROUP_OFFSET_UNKNOWN)
			return err_set(err, ERR_CORRUPT,
			    "what group %s last committed for %s-%d may be lost; mq-groups "
			    "seek sets it anew: %s", c->group, p->topic, p->partition, o->damage);
	}
	return 0;
}

void
store_target_committed(struct target *t, struct committed_call *c)
{
	struct store_target *st = store_target_of(t);
	struct group_offsets o = {.list = NULL};
	int ret = group_committed(st->store, c->group, &o, &c->call.err);

	if (ret == 0 && c->positions == NULL)
		ret = all_positions(c, &o, &c->call.err);
	else if (ret == 0)
		ret = some_positions(c, &o, &c->call.err);
	group_offsets_release(&o);
	store_target_finish(st, &c->call, ret);
}

static void
member_poll(struct os_timer *t)
{
	struct target_member *m = t->ctx;
	struct membership_event ev;
	struct err err = {.code = 0};
	int got;

	while ((got = membership_poll(m->membership, &ev, &err)) == 1) {
		if (ev.kind == MEMBER_ASSIGNED)
			m->events.assigned(m->events.ctx, ev.topic, ev.partition);
		else
			m->events.revoke(m->events.ctx, ev.topic, ev.partition);
	}
	m->polled = true;
	if (got == -1)
		m->events.failed(m->events.ctx, &err);
	else
		os_timer_start(m->st->target.os, &m->poll, MEMBER_POLL_MS);
}

struct target_member *
store_target_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err)
{
	struct store_target *st = store_target_of(t);
	struct target_member *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		err_nomem(err);
		return NULL;
	}
	m->st = st;
	m->events = *events;
	m->membership = membership_join(st->store, group, client_id, topics, topic_count, err);
	if (m->membership == NULL) {
		free(m);
		return NULL;
	}
	m->poll = (struct os_timer){.fire = member_poll, .ctx = m};
	os_timer_start(t->os, &m->poll, 0);
	return m;
}

void
store_target_group_released(struct target_member *m, const char *topic, int32_t partition)
{
	membership_released(m->membership, topic, partition);
}

int
store_target_group_add_topic(struct target_member *m, const char *topic, struct err *err)
{
	return membership_add_topic(m->membership, topic, err);
}

bool
store_target_group_settled(const struct target_member *m)
{
	size_t held, waiting;

	membership_counts(m->membership, &held, &waiting);
	return m->polled && waiting == 0;
}

void
store_target_group_leave(struct target_member *m)
{
	os_timer_stop(m->st->target.os, &m->poll);
	membership_leave(m->membership);
	free(m);
}
