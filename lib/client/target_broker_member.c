/* A member of a group of a cluster: what it holds, takes, and lets go of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_member.h"

/* How often a member says that it lives, and so how soon it hears of a rebalance. */
#define BEAT_MS 1000
#define SESSION_MS 45000

/* How long leaving may hold up a program's end. */
#define LEAVE_MS 2000

static void
on_pump(struct os_timer *t)
{
	struct target_member *m = t->ctx;
	struct member_part *p;
	bool is_letting_go = false;

	/* Those who are told may tell us in turn: look anew each time. */
	do {
		for (p = m->parts; p != NULL; p = p->next)
			if (p->holding == HOLD_NEW || p->holding == HOLD_TO_REVOKE)
				break;
		if (p != NULL && p->holding == HOLD_NEW) {
			p->holding = HOLD_HELD;
			m->events.assigned(m->events.ctx, p->topic, p->partition);
		} else if (p != NULL) {
			p->holding = HOLD_REVOKING;
			m->events.revoke(m->events.ctx, p->topic, p->partition);
		}
	} while (p != NULL);
	for (p = m->parts; p != NULL; p = p->next)
		is_letting_go |= p->holding == HOLD_REVOKING;
	if (is_letting_go)
		return;
	if (m->state == MEMBER_REVOKING)
		member_join(m);
	else if (m->state == MEMBER_STABLE && m->wants_rejoin)
		member_rejoin(m);
}

void
member_wake(struct target_member *m)
{
	os_timer_start(m->bt->target.os, &m->pump, 0);
}

const char *
member_name(struct target_member *m, const char *topic)
{
	char *name = map_get(&m->names, topic, strlen(topic));

	if (name != NULL)
		return name;
	name = strdup(topic);
	if (name == NULL || map_put(&m->names, topic, strlen(topic), name, NULL) == -1) {
		free(name);
		return NULL;
	}
	return name;
}

void
member_fail(struct target_member *m, const struct err *err)
{
	m->state = MEMBER_FAILED;
	m->events.failed(m->events.ctx, err);
}

void
member_rejoin(struct target_member *m)
{
	m->state = MEMBER_REVOKING;
	m->wants_rejoin = false;
	for (struct member_part *p = m->parts; p != NULL && !m->is_cooperative; p = p->next)
		if (p->holding != HOLD_REVOKING)
			p->holding = HOLD_TO_REVOKE;
	os_timer_start(m->bt->target.os, &m->beat, m->beat_ms);
	member_wake(m);
}

void
member_lost(struct target_member *m, const char *why)
{
	bool held = m->parts != NULL;

	os_note(m->bt->target.os, held ? OS_WARN : OS_INFO,
	    "%s: put out of the group%s; joining again", why,
	    held ? ", what was read since the last commit may be read twice" : "");
	member_cancel(m);
	m->generation = -1;
	m->id[0] = '\0';
	m->state = MEMBER_REVOKING;
	m->wants_rejoin = false;
	for (struct member_part *p = m->parts; p != NULL; p = p->next)
		if (p->holding != HOLD_REVOKING)
			p->holding = HOLD_TO_REVOKE;
	member_wake(m);
}

static struct member_part *
part_find(const struct target_member *m, const char *topic, int32_t partition)
{
	for (struct member_part *p = m->parts; p != NULL; p = p->next)
		if (p->partition == partition && strcmp(p->topic, topic) == 0)
			return p;
	return NULL;
}

int
member_take(struct target_member *m, const struct assigned *share, size_t count, struct err *err)
{
	for (struct member_part *p = m->parts; p != NULL; p = p->next)
		p->is_listed = false;
	for (size_t i = 0; i < count; i++) {
		struct member_part *p = part_find(m, share[i].topic, share[i].partition);

		if (p == NULL) {
			p = calloc(1, sizeof(*p));
			if (p == NULL || (p->topic = member_name(m, share[i].topic)) == NULL) {
				free(p);
				return err_nomem(err);
			}
			p->partition = share[i].partition;
			p->holding = HOLD_NEW;
			p->next = m->parts;
			m->parts = p;
		}
		p->is_listed = true;
	}
	for (struct member_part *p = m->parts; p != NULL; p = p->next) {
		if (p->is_listed)
			continue;
		if (p->holding != HOLD_REVOKING)
			p->holding = HOLD_TO_REVOKE;
		m->wants_rejoin = true; /* others wait for it */
	}
	return 0;
}

/* --- the target's ---------------------------------------------------------------------- */

static int
parse_assignors(struct target_member *m, const char *list, struct err *err)
{
	m->is_cooperative = true;
	while (*list != '\0') {
		size_t skip = strspn(list, ", "), len = strcspn(list + skip, ", ");
		const char *word = list + skip, *dot = word;
		enum assignor a;

		list = word + len;
		if (len == 0)
			break;
		/* Java names classes: org.apache.kafka.clients.consumer.RangeAssignor. */
		for (const char *at = word; at < word + len; at++)
			if (*at == '.')
				dot = at + 1;
		len -= (size_t)(dot - word);
		if (assignor_parse(dot, len, &a) == -1 && assignor_parse_class(dot, len, &a) == -1)
			return err_set(err, ERR_CONFIG,
			    "partition.assignment.strategy: '%.*s' is none of range, roundrobin, "
			    "sticky, cooperative-sticky",
			    (int)len, dot);
		for (size_t i = 0; i < m->assignor_count; i++)
			if (m->assignors[i] == a)
				return err_set(err, ERR_CONFIG,
				    "partition.assignment.strategy: %s stands there twice",
				    assignor_name(a));
		m->assignors[m->assignor_count++] = a;
		m->is_cooperative &= a == ASSIGNOR_COOPERATIVE;
	}
	return m->assignor_count > 0
		   ? 0
		   : err_set(err, ERR_CONFIG, "partition.assignment.strategy: an empty list");
}

static void
member_free(struct target_member *m)
{
	while (m->parts != NULL) {
		struct member_part *p = m->parts;

		m->parts = p->next;
		free(p);
	}
	for (struct map_entry *e = NULL; (e = map_next(&m->names, e)) != NULL;)
		free(e->value);
	map_release(&m->names);
	arena_release(&m->arena);
	free(m->topics);
	free(m->dealt);
	free(m->group);
	free(m);
}

struct target_member *
broker_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err)
{
	struct broker_target *bt = broker_target_of(t);
	struct target_member *m = calloc(1, sizeof(*m));

	(void)client_id; /* the connection has said it */
	if (m == NULL || (m->group = strdup(group)) == NULL) {
		free(m);
		err_nomem(err);
		return NULL;
	}
	m->bt = bt;
	m->events = *events;
	m->generation = -1;
	map_init(&m->names);
	arena_init(&m->arena, 0);
	m->session_ms =
	    bt->options.session_timeout_ms > 0 ? bt->options.session_timeout_ms : SESSION_MS;
	m->beat_ms = m->session_ms / 3 < BEAT_MS ? m->session_ms / 3 : BEAT_MS;
	m->pump = (struct os_timer){.fire = on_pump, .ctx = m};
	member_join_init(m);
	if (parse_assignors(m, bt->options.assignors, err) == -1) {
		member_free(m);
		return NULL;
	}
	for (size_t i = 0; i < topic_count; i++)
		if (broker_group_add_topic(m, topics[i], err) == -1) {
			member_free(m);
			return NULL;
		}
	m->next = bt->members;
	m->link = &bt->members;
	if (m->next != NULL)
		m->next->link = &m->next;
	bt->members = m;
	m->state = MEMBER_REVOKING; /* nothing; so it joins */
	member_wake(m);
	return m;
}

int
broker_group_add_topic(struct target_member *m, const char *topic, struct err *err)
{
	const char **more = realloc(m->topics, (m->topic_count + 1) * sizeof(*more));
	const char *name = member_name(m, topic);

	if (more != NULL)
		m->topics = more;
	if (more == NULL || name == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < m->topic_count; i++)
		if (m->topics[i] == name)
			return 0;
	m->topics[m->topic_count++] = name;
	m->wants_rejoin = m->link != NULL;
	if (m->state == MEMBER_STABLE && m->link != NULL)
		member_wake(m);
	return 0;
}

/* One that was to go is gone. One that was not is given back for a topic that went, or to
 * be told of again. */
void
broker_group_released(struct target_member *m, const char *topic, int32_t partition)
{
	for (struct member_part **at = &m->parts; *at != NULL; at = &(*at)->next) {
		struct member_part *p = *at;

		if (p->partition != partition || strcmp(p->topic, topic) != 0)
			continue;
		if (p->holding == HOLD_HELD) {
			p->holding = HOLD_NEW;
		} else if (p->holding == HOLD_REVOKING || p->holding == HOLD_TO_REVOKE) {
			*at = p->next;
			free(p);
		}
		member_wake(m);
		return;
	}
}

bool
broker_group_settled(const struct target_member *m)
{
	if (m->state != MEMBER_STABLE || m->wants_rejoin)
		return false;
	for (const struct member_part *p = m->parts; p != NULL; p = p->next)
		if (p->holding != HOLD_HELD)
			return false;
	return true;
}

void
broker_members_refreshed(struct broker_target *bt)
{
	for (struct target_member *m = bt->members; m != NULL; m = m->next)
		if (m->state == MEMBER_STABLE && m->is_leader && member_topics_changed(m)) {
			m->wants_rejoin = true;
			member_wake(m);
		}
}

int32_t
member_generation(const struct target_member *m)
{
	return m->generation;
}

void
member_resume(struct target_member *m, const char *id, int32_t generation, int64_t wait_ms)
{
	snprintf(m->id, sizeof(m->id), "%s", id);
	m->generation = generation;
	m->is_resumed = true;
	os_timer_start(m->bt->target.os, &m->pump, wait_ms);
}

bool
member_is_resumed(const struct target_member *m)
{
	return m->is_resumed;
}

void
member_unknown(struct target_member *m, int code)
{
	if (code == ERR_UNKNOWN_MEMBER_ID)
		m->id[0] = '\0';
	m->generation = -1;
}

const char *
member_id(const struct target_member *m)
{
	return m->id;
}

/* --- leaving ------------------------------------------------------------------------------- */

struct leave {
	struct ask ask;
	struct broker_target *bt;
	char *group;
	char id[256];
};

static int
leave_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct leave *l = a->ctx;
	struct leave_group_request *r = msg;

	r->group_id = wire_str_of(l->group);
	if (version < 3) {
		r->member_id = wire_str_of(l->id);
		return 0;
	}
	r->members.items = arena_array(&a->arena, 1, sizeof(r->members.items[0]));
	if (r->members.items == NULL)
		return err_nomem(err);
	r->members.items[0] = (struct leave_group_request_member){.member_id = wire_str_of(l->id),
	    .group_instance_id = wire_str_null(),
	    .reason = wire_str_null()};
	r->members.count = 1;
	return 0;
}

/* Whatever it says: who is not told finds out when the session ends. */
static int
leave_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	(void)a;
	(void)version;
	(void)msg;
	(void)err;
	return 0;
}

static void
leave_done(struct ask *a)
{
	struct leave *l = a->ctx;

	l->bt->leaving--;
	free(l->group);
	free(l);
}

/* Not on the members' connection, where a join may be waiting. */
static void
leave(struct target_member *m)
{
	struct leave *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return;
	l->bt = m->bt;
	l->group = m->group;
	m->group = NULL;
	memcpy(l->id, m->id, sizeof(l->id));
	l->ask = (struct ask){.api = API_LEAVE_GROUP,
	    .to = TO_COORDINATOR,
	    .group = l->group,
	    .timeout_ms = LEAVE_MS,
	    .fill = leave_fill,
	    .answer = leave_answer,
	    .done = leave_done,
	    .ctx = l};
	m->bt->leaving++;
	cluster_ask(m->bt->cluster, &l->ask);
}

static void
member_unlink(struct target_member *m)
{
	os_timer_stop(m->bt->target.os, &m->pump);
	member_cancel(m);
	*m->link = m->next;
	if (m->next != NULL)
		m->next->link = m->link;
}

void
broker_group_abandon(struct target_member *m)
{
	member_unlink(m);
	member_free(m);
}

void
broker_group_leave(struct target_member *m)
{
	struct broker_target *bt = m->bt;

	member_unlink(m);
	if (m->id[0] != '\0' && m->state != MEMBER_FAILED)
		leave(m);
	/* Whoever leaves may end at once, by a signal: the others should not have to wait for
	 * the session's end. */
	while (bt->leaving > 0 && os_turn(bt->target.os, -1) != -1)
		;
	member_free(m);
}
