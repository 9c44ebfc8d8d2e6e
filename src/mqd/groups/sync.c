/* SyncGroup, Heartbeat, LeaveGroup. */
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

bool
groups_abandon(struct groups_call *c)
{
	struct cmember *m = c->waits;

	if (m == NULL)
		return false;
	if (m->join == c)
		m->join = NULL;
	if (m->sync == c)
		m->sync = NULL;
	c->waits = NULL;
	return true;
}

/* --- SyncGroup -------------------------------------------------------------------- */

/* Clients tell from version 5 on what they think was chosen. */
static bool
disagree(struct wire_str theirs, struct wire_str ours)
{
	return theirs.len >= 0 && ours.len >= 0 && !str_equal(theirs, ours);
}

static int
check_sync(const struct cgroup *g, const struct sync_group_request *r)
{
	int code = cgroup_check_member(g, r->member_id, r->group_instance_id);

	if (code != 0)
		return code;
	if (r->generation_id != g->generation)
		return ERR_ILLEGAL_GENERATION;
	if (disagree(r->protocol_type, g->protocol_type) ||
	    disagree(r->protocol_name, g->protocol))
		return ERR_INCONSISTENT_GROUP_PROTOCOL;
	return 0;
}

/* The leader's assignment is durable, or not. */
static void
assigned(struct write *w, int code)
{
	struct cgroup *g = w->group;

	if (g == NULL || g->state != CGROUP_COMPLETING || g->generation != w->generation)
		return;
	if (code != 0) {
		cgroup_fail_syncs(g, code);
		cgroup_rebalance_or_complete(g);
		return;
	}
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		bytes_release(&m->assignment);
		m->assignment = m->assigning;
		m->assigning = (struct wire_bytes){NULL, 0};
	}
	cgroup_move(g, CGROUP_STABLE, os_wall_ms(w->groups->os));
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		if (cmember_sync_done(m, 0))
			cmember_touch(m, m->session_ms);
	}
}

/* Members that the leader forgot get nothing. */
static int
take_assignment(struct cgroup *g, const struct sync_group_request *r)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;)
		bytes_release(&((struct cmember *)e->value)->assigning);
	for (int32_t i = 0; i < r->assignments.count; i++) {
		struct cmember *m = cgroup_member(g, r->assignments.items[i].member_id);

		if (m != NULL && bytes_set(&m->assigning, r->assignments.items[i].assignment) == -1)
			return -1;
	}
	return 0;
}

static void
sync_as_leader(struct cgroup *g, struct cmember *m, const struct sync_group_request *r)
{
	struct write *w = write_new(g->shard, g, assigned, NULL);
	bool good = w != NULL && take_assignment(g, r) == 0;

	if (good) {
		w->generation = g->generation;
		write_group(w, g, true);
		if (write_start(w) == 0)
			return;
		w = NULL;
	}
	if (w != NULL)
		write_free(w);
	cmember_sync_done(m, ERR_UNKNOWN_SERVER_ERROR);
}

static void
sync_completing(struct cgroup *g, struct cmember *m, struct groups_call *c,
    const struct sync_group_request *r)
{
	if (m->sync != NULL)
		cmember_sync_done(m, ERR_REBALANCE_IN_PROGRESS);
	m->sync = c;
	m->syncing = true;
	c->waits = m;
	if (m == g->live->leader)
		sync_as_leader(g, m, r);
}

static void
sync_member(struct cgroup *g, struct groups_call *c, const struct sync_group_request *r)
{
	struct cmember *m = cgroup_member(g, r->member_id);

	if (g->state == CGROUP_PREPARING) {
		sync_error(c, ERR_REBALANCE_IN_PROGRESS);
		return;
	}
	cgroup_set_sync_due(g, m, false);
	if (g->live->sync_due == 0)
		cgroup_stop_sync_timer(g);
	if (g->state == CGROUP_COMPLETING) {
		sync_completing(g, m, c, r);
		return;
	}
	m->sync = c;
	c->waits = m;
	cmember_sync_done(m, 0);
}

static void
begin_sync(struct groups *gs, struct groups_call *c)
{
	const struct sync_group_request *r = c->request;
	struct cgroup *g;
	struct shard *s;
	int code = ERR_INVALID_GROUP_ID;

	/* From version 5 on both are mandatory, though nullable (KIP-559). */
	if (c->version >= 5 && (r->protocol_type.len < 0 || r->protocol_name.len < 0)) {
		sync_error(c, ERR_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	s = str_is_empty(r->group_id) ? NULL : shard_of(gs, r->group_id, &code);
	if (s == NULL) {
		sync_error(c, code);
		return;
	}
	g = shard_group(s, r->group_id);
	code = g == NULL || g->state == CGROUP_EMPTY ? ERR_UNKNOWN_MEMBER_ID : check_sync(g, r);
	if (code != 0)
		sync_error(c, code);
	else
		sync_member(g, c, r);
}

void
groups_sync(struct groups *gs, struct groups_call *c, const struct sync_group_request *r)
{
	c->request = r;
	call_begin(gs, c, begin_sync);
}

/* --- Heartbeat ----------------------------------------------------------------------- */

static int
heartbeat(const struct shard *s, const struct heartbeat_request *r)
{
	struct cgroup *g = shard_group(s, r->group_id);
	struct cmember *m;
	int code;

	if (g == NULL)
		return ERR_UNKNOWN_MEMBER_ID;
	code = cgroup_check_member(g, r->member_id, r->group_instance_id);
	if (code != 0)
		return code;
	if (r->generation_id != g->generation)
		return ERR_ILLEGAL_GENERATION;
	if (g->state == CGROUP_EMPTY)
		return ERR_UNKNOWN_MEMBER_ID;
	m = cgroup_member(g, r->member_id);
	cmember_touch(m, m->session_ms);
	return g->state == CGROUP_PREPARING ? ERR_REBALANCE_IN_PROGRESS : 0;
}

static void
begin_heartbeat(struct groups *gs, struct groups_call *c)
{
	const struct heartbeat_request *r = c->request;
	struct heartbeat_response out;
	int code = ERR_INVALID_GROUP_ID;
	struct shard *s = NULL;

	wire_init(&wire_heartbeat_response, &out);
	if (!str_is_empty(r->group_id))
		s = shard_of(gs, r->group_id, &code);
	if (s != NULL)
		code = heartbeat(s, r);
	else if (code == ERR_COORDINATOR_LOAD_IN_PROGRESS)
		code = 0; /* the group is loaded with fresh sessions: it is alive */
	out.error_code = (int16_t)code;
	c->done(c, &out);
}

void
groups_heartbeat(struct groups *gs, struct groups_call *c, const struct heartbeat_request *r)
{
	c->request = r;
	call_begin(gs, c, begin_heartbeat);
}

/* --- LeaveGroup ------------------------------------------------------------------------- */

/* Takes a member out. One who waits for a join is told, so that it may come again. */
static void
leave_member(struct cgroup *g, struct cmember *m)
{
	cmember_join_error(m, wire_str_of(""), ERR_UNKNOWN_MEMBER_ID);
	cmember_sync_done(m, ERR_UNKNOWN_MEMBER_ID);
	cgroup_remove(g->shard->groups->os, g, m);
}

static int
leave_one(struct cgroup *g, struct wire_str id, struct wire_str instance_id)
{
	struct cmember *m;
	int code;

	if (str_is_empty(id)) { /* an administrator, or an old static member */
		m = cgroup_static(g, instance_id);
		if (m == NULL)
			return ERR_UNKNOWN_MEMBER_ID;
		leave_member(g, m);
		return 0;
	}
	if (cgroup_pending(g, id) != NULL) {
		cgroup_remove_pending(g->shard->groups->os, g, cgroup_pending(g, id));
		return 0;
	}
	code = cgroup_check_member(g, id, instance_id);
	if (code == 0)
		leave_member(g, cgroup_member(g, id));
	return code;
}

static void
leave_answer(struct groups_call *c, struct leave_group_response *out, int code)
{
	if (c->version < 3 && code == 0 && out->members.count == 1)
		code = out->members.items[0].error_code;
	out->error_code = (int16_t)code;
	if (c->version < 3 || code != 0)
		out->members.count = 0;
	c->done(c, out);
}

struct leaving {
	struct groups_call call; /* the write's, which tells a code */
	struct groups_call *asked;
	struct leave_group_response out;
};

static void
left_durably(struct groups_call *c, const void *response)
{
	struct leaving *l = c->ctx;

	leave_answer(l->asked, &l->out, *(const int16_t *)response);
}

/* What each is told, in the arena; how many could leave. */
static int
leave_all(struct cgroup *g, struct groups_call *c, const struct leave_group_request *r,
    struct leave_group_response *out)
{
	struct leave_group_request_member alone = {
	    .member_id = r->member_id, .group_instance_id = STR_NULL};
	const struct leave_group_request_member *list = c->version < 3 ? &alone : r->members.items;
	int32_t count = c->version < 3 ? 1 : r->members.count, left = 0;

	out->members.items = arena_array(c->arena, (size_t)count, sizeof(*out->members.items));
	if (out->members.items == NULL)
		return -1;
	out->members.count = count;
	for (int32_t i = 0; i < count; i++) {
		int code = g == NULL ? ERR_UNKNOWN_MEMBER_ID
		                     : leave_one(g, list[i].member_id, list[i].group_instance_id);

		out->members.items[i].member_id = list[i].member_id;
		out->members.items[i].group_instance_id = list[i].group_instance_id;
		out->members.items[i].error_code = (int16_t)code;
		left += code == 0;
	}
	return left;
}

static struct write *
after_leaving(struct cgroup *g)
{
	if (g->state == CGROUP_STABLE || g->state == CGROUP_COMPLETING)
		return cgroup_rebalance_or_complete(g);
	return cgroup_maybe_complete(g);
}

static void
leave(struct shard *s, struct groups_call *c, const struct leave_group_request *r)
{
	struct cgroup *g = shard_group(s, r->group_id);
	struct leaving *l = arena_alloc(c->arena, sizeof(*l));
	struct leave_group_response out;
	struct write *w = NULL;
	int left;

	wire_init(&wire_leave_group_response, &out);
	left = l != NULL ? leave_all(g, c, r, &out) : -1;
	if (left == -1) {
		leave_answer(c, &out, ERR_UNKNOWN_SERVER_ERROR);
		return;
	}
	if (left > 0)
		w = after_leaving(g);
	if (g != NULL)
		cgroup_rest(s->groups->os, g);
	if (w == NULL) {
		leave_answer(c, &out, 0);
		return;
	}
	*l = (struct leaving){.call = {.done = left_durably, .ctx = l}, .asked = c, .out = out};
	w->call = &l->call;
}

static void
begin_leave(struct groups *gs, struct groups_call *c)
{
	const struct leave_group_request *r = c->request;
	struct leave_group_response out;
	int code = ERR_INVALID_GROUP_ID;
	struct shard *s = NULL;

	if (!str_is_empty(r->group_id))
		s = shard_of(gs, r->group_id, &code);
	if (s != NULL) {
		leave(s, c, r);
		return;
	}
	wire_init(&wire_leave_group_response, &out);
	leave_answer(c, &out, code);
}

void
groups_leave(struct groups *gs, struct groups_call *c, const struct leave_group_request *r)
{
	c->request = r;
	call_begin(gs, c, begin_leave);
}
