/*
 * Rebalances: who begins one, when all are in, who is dropped, and what the members
 * are told. The times of Kafka's classic groups:
 *
 *	initial rebalance   waits group.initial.rebalance.delay.ms, again each time
 *	                    somebody came meanwhile, at most the rebalance timeout
 *	later ones          until all are back, at most the rebalance timeout
 *	assignments         who has not asked for his within the rebalance timeout is
 *	                    dropped, and all begin anew
 */
#include <string.h>

#include "mqd/groups/groups_impl.h"

#define RETRY_MS 1000 /* at least, before a rebalance that failed is tried again */

static struct os *
os_of(const struct cgroup *g)
{
	return g->shard->groups->os;
}

static int64_t
now_of(const struct cgroup *g)
{
	return os_wall_ms(os_of(g));
}

/* --- answers -------------------------------------------------------------------- */

void
join_error(struct groups_call *c, struct wire_str id, int code)
{
	struct join_group_response r;

	wire_init(&wire_join_group_response, &r);
	r.error_code = (int16_t)code;
	r.member_id = id;
	if (c->version >= 7)
		r.protocol_name = STR_NULL;
	c->done(c, &r);
}

static int
list_members_of(const struct cgroup *g, struct arena *a, struct join_group_response *r)
{
	size_t count = cgroup_size(g), i = 0;
	struct join_group_response_member *list = arena_array(a, count, sizeof(*list));

	if (list == NULL)
		return -1;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL; i++) {
		const struct cmember *m = e->value;

		list[i].member_id = m->id;
		list[i].group_instance_id = m->instance_id;
		list[i].metadata = cmember_metadata(m, g->protocol);
	}
	r->members.items = list;
	r->members.count = (int32_t)count;
	return 0;
}

void
join_answer_current(struct groups_call *c, const struct cmember *m, bool list_members,
    bool skip_assignment, struct wire_str leader)
{
	const struct cgroup *g = m->group;
	struct join_group_response r;

	wire_init(&wire_join_group_response, &r);
	r.member_id = m->id;
	r.generation_id = g->generation;
	r.protocol_type = g->protocol_type;
	r.protocol_name = g->protocol;
	if (c->version < 7 && r.protocol_name.len < 0)
		r.protocol_name = wire_str_of("");
	r.leader = leader;
	r.skip_assignment = skip_assignment && c->version >= 9;
	if (list_members && list_members_of(g, c->arena, &r) == -1) {
		join_error(c, m->id, ERR_UNKNOWN_SERVER_ERROR);
		return;
	}
	c->done(c, &r);
}

/* The call that waits, which the member is without from now on. */
static struct groups_call *
take_join(struct cmember *m)
{
	struct groups_call *c = m->join;

	cgroup_set_joining(m->group, m, false);
	m->join = NULL;
	if (c != NULL)
		c->waits = NULL;
	return c;
}

void
cmember_join_error(struct cmember *m, struct wire_str id, int code)
{
	struct groups_call *c = take_join(m);

	if (c != NULL)
		join_error(c, id, code);
}

void
cmember_join_current(struct cmember *m, bool list_members, bool skip_assignment,
    struct wire_str leader)
{
	struct groups_call *c = take_join(m);

	if (c != NULL)
		join_answer_current(c, m, list_members, skip_assignment, leader);
}

void
sync_error(struct groups_call *c, int code)
{
	struct sync_group_response r;

	wire_init(&wire_sync_group_response, &r);
	r.error_code = (int16_t)code;
	c->done(c, &r);
}

bool
cmember_sync_done(struct cmember *m, int code)
{
	const struct cgroup *g = m->group;
	struct groups_call *c = m->sync;
	struct sync_group_response r;
	bool waited = m->syncing;

	m->syncing = false;
	m->sync = NULL;
	if (c == NULL)
		return waited;
	c->waits = NULL;
	if (code != 0) {
		sync_error(c, code);
		return waited;
	}
	wire_init(&wire_sync_group_response, &r);
	r.protocol_type = g->protocol_type;
	r.protocol_name = g->protocol;
	r.assignment = m->assignment;
	c->done(c, &r);
	return waited;
}

/* Nobody gets an assignment; whoever waits for one shall join again. */
void
cgroup_fail_syncs(struct cgroup *g, int code)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		bytes_release(&m->assignment);
		bytes_release(&m->assigning);
		if (cmember_sync_done(m, code))
			cmember_touch(m, m->session_ms);
	}
}

/* --- sessions --------------------------------------------------------------------- */

/* True if nothing is expected of it: it waits for us. One that has not been told its id
 * yet can wait for nobody. */
static bool
is_excused(const struct cmember *m)
{
	return !m->is_new && (m->joining || m->syncing);
}

static void
drop_silent(struct cgroup *g, struct cmember *m)
{
	cmember_join_error(m, wire_str_of(""), ERR_UNKNOWN_MEMBER_ID);
	cgroup_remove(os_of(g), g, m);
	if (g->state == CGROUP_STABLE || g->state == CGROUP_COMPLETING)
		cgroup_rebalance_or_complete(g);
	else if (g->state == CGROUP_PREPARING && cgroup_all_joined(g))
		cgroup_complete(g);
	cgroup_rest(os_of(g), g);
}

static void
session_ended(struct os_timer *t)
{
	struct cmember *m = t->ctx;
	struct groups *gs = m->group->shard->groups;

	if (is_excused(m))
		return;
	event_begin(gs);
	drop_silent(m->group, m);
	event_end(gs);
}

void
cmember_touch(struct cmember *m, int64_t ms)
{
	m->timer.fire = session_ended;
	m->timer.ctx = m;
	os_timer_start(os_of(m->group), &m->timer, ms);
}

static void
pending_ended(struct os_timer *t)
{
	struct cpending *p = t->ctx;
	struct cgroup *g = p->group;
	struct groups *gs = g->shard->groups;

	event_begin(gs);
	cgroup_remove_pending(gs->os, g, p);
	if (g->state == CGROUP_PREPARING && cgroup_all_joined(g))
		cgroup_complete(g);
	cgroup_rest(gs->os, g);
	event_end(gs);
}

void
cpending_start(struct cpending *p, int64_t ms)
{
	p->timer.fire = pending_ended;
	p->timer.ctx = p;
	os_timer_start(os_of(p->group), &p->timer, ms);
}

/* --- the join timer ------------------------------------------------------------------ */

static void start_join_timer(struct cgroup *g, int64_t ms);

static int32_t
least(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

static int32_t
at_least_0(int32_t a)
{
	return a > 0 ? a : 0;
}

/* The delay of an initial rebalance is over: another, if somebody came meanwhile. */
static void
initial_ended(struct cgroup *g)
{
	struct clive *l = g->live;
	int32_t delay = l->delay_ms;

	if (!l->member_added || l->remaining_ms == 0) {
		cgroup_complete(g);
		return;
	}
	l->member_added = false;
	l->delay_ms = least(g->shard->groups->o.config->group_initial_delay_ms, l->remaining_ms);
	l->remaining_ms = at_least_0(l->remaining_ms - delay);
	start_join_timer(g, l->delay_ms);
}

static void
join_time_over(struct os_timer *t)
{
	struct cgroup *g = t->ctx;
	struct groups *gs = g->shard->groups;

	if (g->state != CGROUP_PREPARING)
		return;
	event_begin(gs);
	if (g->live->initial)
		initial_ended(g);
	else
		cgroup_complete(g);
	cgroup_rest(gs->os, g);
	event_end(gs);
}

static void
start_join_timer(struct cgroup *g, int64_t ms)
{
	g->live->join_timer.fire = join_time_over;
	g->live->join_timer.ctx = g;
	os_timer_start(os_of(g), &g->live->join_timer, ms);
}

/* --- the sync timer ------------------------------------------------------------------- */

void
cgroup_stop_sync_timer(struct cgroup *g)
{
	os_timer_stop(os_of(g), &g->live->sync_timer);
}

/* Who has not asked for its assignment is dropped. */
static void
sync_time_over(struct os_timer *t)
{
	struct cgroup *g = t->ctx;
	struct groups *gs = g->shard->groups;

	if ((g->state != CGROUP_COMPLETING && g->state != CGROUP_STABLE) || g->live->sync_due == 0)
		return;
	event_begin(gs);
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		if (m->sync_due)
			cgroup_remove(gs->os, g, m);
	}
	cgroup_prepare(g);
	cgroup_rest(gs->os, g);
	event_end(gs);
}

static void
start_sync_timer(struct cgroup *g)
{
	g->live->sync_timer.fire = sync_time_over;
	g->live->sync_timer.ctx = g;
	os_timer_start(os_of(g), &g->live->sync_timer, cgroup_rebalance_ms(g));
}

/* --- rebalances ------------------------------------------------------------------------- */

struct write *
cgroup_prepare(struct cgroup *g)
{
	bool initial = g->state == CGROUP_EMPTY;
	struct clive *l = g->live;

	if (g->state == CGROUP_COMPLETING)
		cgroup_fail_syncs(g, ERR_REBALANCE_IN_PROGRESS);
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;)
		cgroup_set_sync_due(g, e->value, false);
	cgroup_stop_sync_timer(g);
	l->initial = initial;
	if (initial) {
		l->delay_ms = g->shard->groups->o.config->group_initial_delay_ms;
		l->remaining_ms = at_least_0(cgroup_rebalance_ms(g) - l->delay_ms);
		start_join_timer(g, l->delay_ms);
	}
	cgroup_move(g, CGROUP_PREPARING, now_of(g));
	if (initial)
		return NULL;
	if (cgroup_all_joined(g))
		return cgroup_complete(g);
	start_join_timer(g, cgroup_rebalance_ms(g));
	return NULL;
}

struct write *
cgroup_maybe_complete(struct cgroup *g)
{
	if (g->state != CGROUP_PREPARING || g->before == CGROUP_EMPTY || !cgroup_all_joined(g))
		return NULL;
	return cgroup_complete(g);
}

struct write *
cgroup_rebalance_or_complete(struct cgroup *g)
{
	if (cgroup_may_move(g->state, CGROUP_PREPARING))
		return cgroup_prepare(g);
	return cgroup_maybe_complete(g);
}

/* Dynamic members that did not come back; static ones stay until their session ends. */
static void
drop_absent(struct cgroup *g)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		if (!m->joining && m->instance_id.len < 0)
			cgroup_remove(os_of(g), g, m);
	}
}

/* The leader must be somebody who is there. */
static bool
elect_leader(struct cgroup *g)
{
	struct clive *l = g->live;

	if (l->leader == NULL || l->leader->joining)
		return l->leader != NULL;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		if (m->joining) {
			l->leader = m;
			return true;
		}
	}
	return false;
}

static void
empty_written(struct write *w, int code)
{
	/* If it is lost, the last generation comes back with the next start, and ends when
	 * nobody of it is heard of. */
	if (w->call != NULL)
		groups_code(w->call, code);
}

static struct write *
become_empty(struct cgroup *g)
{
	struct write *w;

	str_release(&g->protocol);
	cgroup_find_subscriptions(g);
	cgroup_move(g, CGROUP_EMPTY, now_of(g));
	w = write_new(g->shard, g, empty_written, NULL);
	if (w == NULL)
		return NULL;
	write_group(w, g, false);
	return write_start(w) == 0 ? w : NULL;
}

static void
tell_generation(struct cgroup *g)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		m->is_new = false;
		cgroup_set_sync_due(g, m, true);
		cmember_touch(m, m->session_ms);
		cmember_join_current(m, m == g->live->leader, false, g->live->leader->id);
	}
	start_sync_timer(g);
}

/* It did not come about; members may have said that they wait no time at all. */
static void
try_again_later(struct cgroup *g)
{
	int64_t ms = cgroup_rebalance_ms(g);

	start_join_timer(g, ms > RETRY_MS ? ms : RETRY_MS);
}

/* Without memory, or a protocol that all have: those who wait shall try again. */
static void
fail_joins(struct cgroup *g)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		if (m->joining)
			cmember_touch(m, m->session_ms);
		cmember_join_error(m, m->id, ERR_UNKNOWN_SERVER_ERROR);
	}
	try_again_later(g);
}

struct write *
cgroup_complete(struct cgroup *g)
{
	os_timer_stop(os_of(g), &g->live->join_timer);
	drop_absent(g);
	if (!elect_leader(g) && cgroup_size(g) > 0) {
		g->live->initial = false;
		try_again_later(g);
		return NULL;
	}
	if (cgroup_size(g) > 0 && cgroup_select_protocol(g, &g->protocol) == -1) {
		fail_joins(g);
		return NULL;
	}
	g->generation = (int32_t)((uint32_t)g->generation + 1);
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;)
		cgroup_set_sync_due(g, e->value, false);
	if (cgroup_size(g) == 0)
		return become_empty(g);
	cgroup_find_subscriptions(g);
	cgroup_move(g, CGROUP_COMPLETING, now_of(g));
	tell_generation(g);
	return NULL;
}
