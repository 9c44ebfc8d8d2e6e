/*
 * Membership that outlives a switch. A member has a seat at the side of now. When that is left,
 *
 * - all it holds is taken from the consumer, who commits first, as in any rebalance; to the
 *   side of now. A broker takes that of nobody while the group has no members, of a member
 *   that it knows from before, else of one that has joined: what it refuses of the one is
 *   asked of it as the other;
 * - it joins only when the others must have seen the switch too, and committed: it would be
 *   given what is theirs. What it is assigned is told of when all is given back;
 * - the seat in a store is kept until then: its claims keep others from what is not committed;
 * - a broker that comes back knows the member from before, and would wait for it: the next
 *   seat goes by the same id and generation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_impl.h"
#include "client/target_switch_impl.h"

/* How long the others may need: SWITCH_LOOK_MS to see it, and as long to commit. */
#define JOIN_AFTER_MS (2 * SWITCH_LOOK_MS)

struct seat {
	struct target_member *of;
	struct target_member *inner;
	struct side *side;
};

enum holding {
	HELD_NEW,  /* assigned; to be told */
	HELD,      /* told */
	REVOKED,   /* the seat wants it back, which was told */
	LEFT,      /* of a seat that was left; to be given back */
};

struct held {
	const char *topic; /* the member's */
	int32_t partition;
	enum holding holding;
	struct held *next;
};

struct target_member {
	struct switcher *sw;
	char *group, *client_id;
	char **topics; /* all that were ever named: they live as long as the member */
	size_t topic_count, wanted; /* the first of them are wanted */
	struct target_member_events events;
	struct seat *seat, *left; /* left: in a store; either may be NULL */
	struct held *held;
	bool is_failing; /* `failure` is to be told, unless the daemon has gone */
	struct err failure;
	int64_t join_ns; /* when it may join */
	int64_t refused_ns; /* a store refuses it a seat since then; 0: not */
	char id[MEMBER_ID_MAX]; /* by which brokers know it; "": not yet */
	int32_t generation;
	struct target_member *next, **link;
};

/* --- small things -------------------------------------------------------------- */

static const char *
name_of(struct target_member *m, const char *topic)
{
	char **more, *name;

	for (size_t i = 0; i < m->topic_count; i++)
		if (strcmp(m->topics[i], topic) == 0)
			return m->topics[i];
	more = realloc(m->topics, (m->topic_count + 1) * sizeof(*more));
	if (more != NULL)
		m->topics = more;
	name = strdup(topic);
	if (more == NULL || name == NULL) {
		free(name);
		return NULL;
	}
	return m->topics[m->topic_count++] = name;
}

/* One of a seat that was left, or of the seat that there is: both may have it. */
static struct held **
held_find(struct target_member *m, const char *topic, int32_t partition, bool is_left)
{
	struct held **at = &m->held;

	while (*at != NULL && (((*at)->holding == LEFT) != is_left ||
				  (*at)->partition != partition || strcmp((*at)->topic, topic) != 0))
		at = &(*at)->next;
	return at;
}

static void
held_remove(struct held **at)
{
	struct held *h = *at;

	*at = h->next;
	free(h);
}

static bool
has(const struct target_member *m, enum holding holding)
{
	for (const struct held *h = m->held; h != NULL; h = h->next)
		if (h->holding == holding)
			return true;
	return false;
}

static void
fail(struct target_member *m, const struct err *why)
{
	m->is_failing = true;
	m->failure = *why;
	switch_wake(m->sw);
}

/* --- seats ----------------------------------------------------------------------- */

/* Told from the next look on: the daemon may have come, and then it is void. */
static void
on_assigned(void *ctx, const char *topic, int32_t partition)
{
	struct seat *s = ctx;
	struct target_member *m = s->of;
	struct held *h;
	struct err err;

	if (s != m->seat)
		return;
	h = calloc(1, sizeof(*h));
	if (h == NULL || (h->topic = name_of(m, topic)) == NULL) {
		free(h);
		err_nomem(&err);
		fail(m, &err);
		return;
	}
	h->partition = partition;
	h->holding = HELD_NEW;
	h->next = m->held;
	m->held = h;
	switch_wake(m->sw);
}

static void
on_revoke(void *ctx, const char *topic, int32_t partition)
{
	struct seat *s = ctx;
	struct target_member *m = s->of;
	struct held **at = held_find(m, topic, partition, false);

	if (s != m->seat)
		return;
	if (*at != NULL && (*at)->holding == HELD) {
		(*at)->holding = REVOKED;
		m->events.revoke(m->events.ctx, (*at)->topic, partition);
		return;
	}
	if (*at != NULL)
		held_remove(at);
	target_group_released(s->side->target, s->inner, topic, partition);
}

static void
on_failed(void *ctx, const struct err *err)
{
	struct seat *s = ctx;

	if (s == s->of->seat)
		fail(s->of, err);
}

/* Joins at the side of now. A store's ERR_SERVED is one for a while only: then ERR_BUSY. */
static int
seat_take(struct target_member *m, struct err *err)
{
	struct seat *s = calloc(1, sizeof(*s));
	struct target_member_events events = {
	    .assigned = on_assigned, .revoke = on_revoke, .failed = on_failed, .ctx = s};
	int64_t wait_ms;

	if (s == NULL)
		return err_nomem(err);
	s->of = m;
	s->side = m->sw->now;
	s->inner = target_group_join(s->side->target, m->group, m->client_id,
	    (const char *const *)m->topics, m->wanted, &events, err);
	if (s->inner == NULL) {
		if (m->refused_ns == 0)
			m->refused_ns = os_mono_ns(m->sw->target.os);
		if (err->code == ERR_SERVED)
			(void)switch_is_over(m->sw, m->refused_ns, err);
		free(s);
		return -1;
	}
	m->refused_ns = 0;
	s->side->users++;
	m->seat = s;
	wait_ms = (m->join_ns - os_mono_ns(m->sw->target.os)) / 1000000;
	if (s->side->is_served)
		member_resume(s->inner, m->id, m->generation, wait_ms > 0 ? wait_ms : 0);
	return 0;
}

/* `is_gone`: of a broker that nobody answers for. */
static void
seat_leave(struct seat *s, bool is_gone)
{
	if (s == NULL)
		return;
	if (is_gone)
		broker_group_abandon(s->inner);
	else
		target_group_leave(s->side->target, s->inner);
	s->side->users--;
	free(s);
}

/* In a store that refuses, later. */
static void
sit_down(struct target_member *m)
{
	struct err err;

	if (m->seat != NULL || m->is_failing ||
	    (!m->sw->now->is_served && os_mono_ns(m->sw->target.os) < m->join_ns))
		return;
	if (seat_take(m, &err) == -1 && err.code != ERR_SERVED)
		fail(m, &err);
}

/* --- moving ------------------------------------------------------------------------ */

static void
member_move(struct target_member *m, const struct side *old)
{
	struct seat *was = m->seat;

	m->is_failing = false;
	m->seat = NULL;
	m->refused_ns = 0;
	m->join_ns = os_mono_ns(m->sw->target.os) + JOIN_AFTER_MS * INT64_C(1000000);
	if (was != NULL && old->is_served) {
		snprintf(m->id, sizeof(m->id), "%s", member_id(was->inner));
		m->generation = member_generation(was->inner);
		seat_leave(was, true);
	} else if (was != NULL) {
		seat_leave(m->left, false);
		m->left = was;
	}
	for (struct held **at = &m->held; *at != NULL;)
		if ((*at)->holding == HELD_NEW)
			held_remove(at);
		else
			at = &(*at)->next;
	for (struct held *h = m->held, *next; h != NULL; h = next) {
		bool is_told = h->holding != HELD;

		next = h->next;
		h->holding = LEFT;
		if (!is_told)
			m->events.revoke(m->events.ctx, h->topic, h->partition);
	}
	sit_down(m);
}

void
members_move(struct switcher *sw, struct side *old)
{
	for (struct target_member *m = sw->members; m != NULL; m = m->next)
		member_move(m, old);
}

static void
member_tick(struct target_member *m)
{
	struct held *h;

	if (m->is_failing) {
		seat_leave(m->seat, m->seat != NULL && m->seat->side->is_served);
		m->seat = NULL;
		m->is_failing = m->failure.code != ERR_SERVED;
		if (m->is_failing)
			m->events.failed(m->events.ctx, &m->failure);
	}
	sit_down(m);
	if (has(m, LEFT))
		return;
	seat_leave(m->left, false);
	m->left = NULL;
	do {
		for (h = m->held; h != NULL && h->holding != HELD_NEW;)
			h = h->next;
		if (h != NULL) {
			h->holding = HELD;
			m->events.assigned(m->events.ctx, h->topic, h->partition);
		}
	} while (h != NULL);
}

void
members_tick(struct switcher *sw)
{
	for (struct target_member *m = sw->members; m != NULL; m = m->next)
		member_tick(m);
}

int
member_committer(const struct target_member *m, bool was_refused, struct target_member **inner,
    struct err *err)
{
	const struct seat *s = m->seat;

	*inner = NULL;
	if (m->is_failing) {
		*err = m->failure;
		return -1;
	}
	if (!m->sw->now->is_served)
		return 1;
	if (s == NULL || member_generation(s->inner) < 0)
		return !was_refused;
	*inner = s->inner;
	return 1;
}

/* --- the target's -------------------------------------------------------------------- */

static void
member_free(struct target_member *m)
{
	while (m->held != NULL)
		held_remove(&m->held);
	for (size_t i = 0; i < m->topic_count; i++)
		free(m->topics[i]);
	free(m->topics);
	free(m->group);
	free(m->client_id);
	free(m);
}

struct target_member *
switch_group_join(struct target *t, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, const struct target_member_events *events,
    struct err *err)
{
	struct switcher *sw = switcher_of(t);
	struct target_member *m = calloc(1, sizeof(*m));
	bool ok = m != NULL;

	err_nomem(err);
	if (ok) {
		m->sw = sw;
		m->generation = -1;
		m->events = *events;
		m->group = strdup(group);
		m->client_id = strdup(client_id != NULL ? client_id : "");
		ok = m->group != NULL && m->client_id != NULL;
	}
	for (size_t i = 0; i < topic_count && ok; i++)
		ok = name_of(m, topics[i]) != NULL;
	if (ok)
		m->wanted = m->topic_count;
	if (!ok || (seat_take(m, err) == -1 && err->code != ERR_SERVED)) {
		if (m != NULL)
			member_free(m);
		return NULL;
	}
	m->next = sw->members;
	m->link = &sw->members;
	if (m->next != NULL)
		m->next->link = &m->next;
	sw->members = m;
	switch_wake(sw);
	return m;
}

void
switch_group_released(struct target_member *m, const char *topic, int32_t partition)
{
	struct held **at = held_find(m, topic, partition, true);

	if (*at != NULL) {
		held_remove(at);
		switch_wake(m->sw);
		return;
	}
	at = held_find(m, topic, partition, false);
	if (*at != NULL)
		held_remove(at);
	if (m->seat != NULL)
		target_group_released(m->seat->side->target, m->seat->inner, topic, partition);
}

int
switch_group_add_topic(struct target_member *m, const char *topic, struct err *err)
{
	size_t i = 0;
	char *name;

	if (name_of(m, topic) == NULL)
		return err_nomem(err);
	while (strcmp(m->topics[i], topic) != 0)
		i++;
	if (i >= m->wanted) {
		name = m->topics[i];
		m->topics[i] = m->topics[m->wanted];
		m->topics[m->wanted++] = name;
	}
	return m->seat == NULL
		   ? 0
		   : target_group_add_topic(m->seat->side->target, m->seat->inner, topic, err);
}

bool
switch_group_settled(const struct target_member *m)
{
	return m->seat != NULL && !has(m, LEFT) && !has(m, HELD_NEW) &&
	       target_group_settled(m->seat->side->target, m->seat->inner);
}

void
switch_group_leave(struct target_member *m)
{
	*m->link = m->next;
	if (m->next != NULL)
		m->next->link = m->link;
	seat_leave(m->left, false);
	seat_leave(m->seat, false);
	member_free(m);
}
