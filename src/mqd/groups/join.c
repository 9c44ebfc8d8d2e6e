/* JoinGroup. */
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

/* A text of a random uuid, as Java prints it. */
#define UUID_HEX 36

struct joining {
	struct groups *groups;
	struct groups_call *call;
	const struct join_group_request *r;
	struct cgroup *group;
	int32_t rebalance_ms;
};

static void
refuse(struct joining *j, struct wire_str id, int code)
{
	join_error(j->call, id, code);
}

static void
refuse_nomem(struct joining *j)
{
	refuse(j, wire_str_of(""), ERR_UNKNOWN_SERVER_ERROR);
}

/* group.max.size. While members come in, those who wait count: so the last of too many
 * are turned away. */
static bool
has_room(const struct joining *j)
{
	const struct cgroup *g = j->group;
	const struct cmember *m = cgroup_member(g, j->r->member_id);
	size_t most = (size_t)j->groups->o.config->group_max_size;

	switch (g->state) {
	case CGROUP_PREPARING:
		return (m != NULL && m->joining) || g->live->joining < most;
	case CGROUP_COMPLETING:
	case CGROUP_STABLE:
		return m != NULL || cgroup_size(g) < most;
	default:
		return true;
	}
}

static void
turn_away(struct joining *j)
{
	struct cmember *m = cgroup_member(j->group, j->r->member_id);
	struct cpending *p = cgroup_pending(j->group, j->r->member_id);

	if (m != NULL)
		cgroup_remove(j->groups->os, j->group, m);
	if (p != NULL)
		cgroup_remove_pending(j->groups->os, j->group, p);
	refuse(j, wire_str_of(""), ERR_GROUP_MAX_SIZE_REACHED);
}

/* instance id or client id, then a uuid. */
static struct wire_str
make_member_id(struct joining *j)
{
	static const char hex[] = "0123456789abcdef";
	struct wire_str name = j->r->group_instance_id;
	uint8_t random[16];
	size_t len;
	char *id, *at;

	if (name.len < 0)
		name = j->call->client_id;
	len = name.len > 0 ? (size_t)name.len : 0;
	if (len > WIRE_STRING_MAX - UUID_HEX - 1)
		len = WIRE_STRING_MAX - UUID_HEX - 1;
	id = arena_alloc(j->call->arena, len + UUID_HEX + 2);
	if (id == NULL)
		return STR_NULL;
	os_random(j->groups->os, random, sizeof(random));
	random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
	random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
	if (len > 0)
		memcpy(id, name.data, len);
	at = id + len;
	*at++ = '-';
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[random[i] >> 4];
		*at++ = hex[random[i] & 15];
	}
	return wire_str_of_mem(id, (size_t)(at - id));
}

/* The call waits at the member. One that waited there before is told to begin again. */
static void
park(struct joining *j, struct cmember *m)
{
	if (m->join != NULL)
		cmember_join_error(m, m->id, ERR_REBALANCE_IN_PROGRESS);
	m->join = j->call;
	j->call->waits = m;
	cgroup_set_joining(m->group, m, true);
}

static struct cprotocols *
protocols_of(const struct join_group_request *r)
{
	return cprotocols_new(r->protocols.items, (size_t)r->protocols.count);
}

static void
add_member(struct joining *j, struct wire_str id)
{
	struct cgroup *g = j->group;
	struct cprotocols *p = protocols_of(j->r);
	struct cmember *m = NULL;

	if (p != NULL)
		m = cmember_new(id, j->r->group_instance_id, j->call->client_id,
		    j->call->client_host, p);
	if (m == NULL) {
		free(p);
		refuse_nomem(j);
		return;
	}
	m->session_ms = j->r->session_timeout_ms;
	m->rebalance_ms = j->rebalance_ms;
	m->is_new = true;
	if (cgroup_add(g, m, j->r->protocol_type) == -1) {
		cmember_free(j->groups->os, m);
		refuse_nomem(j);
		return;
	}
	if (g->state == CGROUP_PREPARING && g->before == CGROUP_EMPTY)
		g->live->member_added = true;
	if (cgroup_pending(g, id) != NULL)
		cgroup_remove_pending(j->groups->os, g, cgroup_pending(g, id));
	park(j, m);
	/* It has no id to be alive by, and we do not hear of a connection that ends while
	 * a join waits on it: so this one ends some time. */
	cmember_touch(m, GROUPS_NEW_JOIN_MS);
	cgroup_rebalance_or_complete(g);
}

/* Gives what the member had, or NULL, and the call was refused. */
static struct cprotocols *
update(struct joining *j, struct cmember *m)
{
	struct cprotocols *p = protocols_of(j->r), *old = NULL;

	if (p != NULL)
		old = cgroup_update(j->group, m, p);
	if (old == NULL) {
		free(p);
		refuse_nomem(j);
		return NULL;
	}
	m->rebalance_ms = j->rebalance_ms;
	m->session_ms = j->r->session_timeout_ms;
	park(j, m);
	return old;
}

static void
update_and_rebalance(struct joining *j, struct cmember *m)
{
	struct cprotocols *old = update(j, m);

	if (old == NULL)
		return;
	free(old);
	cgroup_rebalance_or_complete(j->group);
}

/* --- static members --------------------------------------------------------------- */

/* What a static member was before another took its place. */
struct former {
	struct wire_str id, new_id, leader; /* owned */
	struct cprotocols *protocols;       /* owned */
	int32_t session_ms, rebalance_ms;
};

static void
former_free(struct former *f)
{
	str_release(&f->id);
	str_release(&f->new_id);
	str_release(&f->leader);
	free(f->protocols);
	free(f);
}

static struct former *
former_new(const struct cmember *m, struct wire_str new_id)
{
	struct former *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->id = f->new_id = f->leader = STR_NULL;
	f->session_ms = m->session_ms;
	f->rebalance_ms = m->rebalance_ms;
	if (str_set(&f->id, m->id) == 0 && str_set(&f->new_id, new_id) == 0 &&
	    str_set(&f->leader, m->group->live->leader->id) == 0)
		return f;
	former_free(f);
	return NULL;
}

static void
former_release(struct write *w)
{
	former_free(w->own);
}

/* The record was not written: the member is again who it was. */
static void
restore(struct cgroup *g, struct cmember *m, struct former *f, int code)
{
	struct cprotocols *new = cgroup_update(g, m, f->protocols);

	if (new != NULL)
		f->protocols = new;
	cgroup_rename(g, m, f->id);
	m->session_ms = f->session_ms;
	m->rebalance_ms = f->rebalance_ms;
	cmember_join_error(m, wire_str_of(""), code);
}

/* The record that names the new id is durable: now the member may know it. If a
 * rebalance has begun meanwhile, it waits for that. */
static void
replaced(struct write *w, int code)
{
	struct former *f = w->own;
	struct cgroup *g = w->group;
	struct cmember *m = g != NULL ? cgroup_member(g, f->new_id) : NULL;

	if (m == NULL || !m->joining || g->state != CGROUP_STABLE) {
		former_free(f);
		return;
	}
	if (code != 0)
		restore(g, m, f, code);
	else if (m->join != NULL && m->join->version >= 9)
		cmember_join_current(m, m == g->live->leader, m == g->live->leader,
		    g->live->leader->id);
	else /* before it could be told to skip the assignment a leader is told that the
	      * former one leads, so that it does not assign */
		cmember_join_current(m, false, false, f->leader);
	cmember_touch(m, m->session_ms);
	former_free(f);
}

static void
replace_in_stable(struct cgroup *g, struct cmember *m, struct former *f)
{
	struct wire_str next = STR_NULL;
	bool same = cgroup_select_protocol(g, &next) == 0 && str_equal(next, g->protocol);
	struct write *w;

	str_release(&next);
	if (!same) {
		former_free(f);
		cgroup_rebalance_or_complete(g);
		return;
	}
	w = write_new(g->shard, g, replaced, NULL);
	if (w != NULL) {
		w->own = f;
		w->release = former_release;
		write_group(w, g, false);
	}
	if (w == NULL || write_start(w) == -1) {
		restore(g, m, f, ERR_UNKNOWN_SERVER_ERROR);
		former_free(f);
	}
}

/* A static member that comes back without its id: the old id is fenced. */
static void
replace_static(struct joining *j, struct cmember *m, struct wire_str new_id)
{
	struct cgroup *g = j->group;
	struct former *f = former_new(m, new_id);

	if (f == NULL || cgroup_rename(g, m, new_id) == -1) {
		if (f != NULL)
			former_free(f);
		refuse_nomem(j);
		return;
	}
	cmember_join_error(m, f->id, ERR_FENCED_INSTANCE_ID);
	cmember_sync_done(m, ERR_FENCED_INSTANCE_ID);
	/* Its own assignment was due from the former one. */
	cgroup_set_sync_due(g, m, false);
	m->is_new = false;
	cmember_touch(m, m->session_ms);
	f->protocols = update(j, m);
	if (f->protocols == NULL) {
		former_free(f);
		return;
	}
	if (g->state == CGROUP_STABLE) {
		replace_in_stable(g, m, f);
		return;
	}
	former_free(f);
	/* The leader may have been told of the old id already. */
	if (g->state == CGROUP_COMPLETING)
		cgroup_prepare(g);
	else
		cgroup_maybe_complete(g);
}

/* --- the two ways in --------------------------------------------------------------- */

static void
join_unknown(struct joining *j)
{
	const struct join_group_request *r = j->r;
	struct cgroup *g = j->group;
	struct cpending *p;
	struct cmember *m;
	struct wire_str id;

	if (!cgroup_supports(g, r->protocol_type, r->protocols.items, (size_t)r->protocols.count)) {
		refuse(j, wire_str_of(""), ERR_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	id = make_member_id(j);
	if (id.len < 0) {
		refuse_nomem(j);
		return;
	}
	m = cgroup_static(g, r->group_instance_id);
	if (m != NULL) {
		replace_static(j, m, id);
		return;
	}
	if (r->group_instance_id.len >= 0 || j->call->version < 4) {
		add_member(j, id);
		return;
	}
	if (cgroup_add_pending(j->groups->os, g, id, &p) == -1) {
		refuse_nomem(j);
		return;
	}
	cpending_start(p, r->session_timeout_ms);
	refuse(j, id, ERR_MEMBER_ID_REQUIRED);
}

static void
join_known(struct joining *j)
{
	const struct join_group_request *r = j->r;
	struct cgroup *g = j->group;
	struct cmember *m;
	bool same;
	int code;

	if (!cgroup_supports(g, r->protocol_type, r->protocols.items, (size_t)r->protocols.count)) {
		refuse(j, r->member_id, ERR_INCONSISTENT_GROUP_PROTOCOL);
		return;
	}
	if (cgroup_pending(g, r->member_id) != NULL) {
		if (r->group_instance_id.len >= 0)
			refuse(j, wire_str_of(""), ERR_UNKNOWN_SERVER_ERROR);
		else
			add_member(j, r->member_id);
		return;
	}
	code = cgroup_check_member(g, r->member_id, r->group_instance_id);
	if (code != 0) {
		join_error(j->call, r->member_id, code);
		return;
	}
	m = cgroup_member(g, r->member_id);
	same = cprotocols_equal(m->protocols, r->protocols.items, (size_t)r->protocols.count);
	if (g->state == CGROUP_EMPTY)
		refuse(j, r->member_id, ERR_UNKNOWN_MEMBER_ID);
	else if (g->state == CGROUP_COMPLETING && same)
		join_answer_current(j->call, m, m == g->live->leader, false, g->live->leader->id);
	else if (g->state == CGROUP_STABLE && same && m != g->live->leader)
		join_answer_current(j->call, m, false, false, g->live->leader->id);
	else
		update_and_rebalance(j, m);
}

/* --- new groups ----------------------------------------------------------------------- */

/* The record that says that the group is there was not written: nobody joins. */
static void
created(struct write *w, int code)
{
	struct cgroup *g = w->group;

	if (code == 0 || g == NULL)
		return;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;)
		cmember_join_error(e->value, wire_str_of(""), code);
}

static void
write_created(struct cgroup *g)
{
	struct write *w = write_new(g->shard, g, created, NULL);

	if (w == NULL)
		return;
	write_empty_group(w, g);
	write_start(w);
}

static void
join_group(struct joining *j, struct shard *s)
{
	bool unknown = str_is_empty(j->r->member_id), is_new;

	j->group = shard_group(s, j->r->group_id);
	is_new = j->group == NULL;
	if (is_new && !unknown) {
		refuse(j, j->r->member_id, ERR_UNKNOWN_MEMBER_ID);
		return;
	}
	if (is_new)
		j->group = shard_make_group(s, j->r->group_id);
	if (j->group == NULL) {
		refuse_nomem(j);
		return;
	}
	if (!has_room(j))
		turn_away(j);
	else if (unknown)
		join_unknown(j);
	else
		join_known(j);
	if (is_new)
		write_created(j->group);
	cgroup_rest(j->groups->os, j->group);
}

static size_t
bytes_of(const struct join_group_request *r)
{
	size_t bytes = 0;

	for (int32_t i = 0; i < r->protocols.count; i++)
		bytes += (size_t)r->protocols.items[i].name.len +
		         (size_t)(r->protocols.items[i].metadata.len > 0
		                      ? r->protocols.items[i].metadata.len
		                      : 0);
	return bytes;
}

static void
begin_join(struct groups *gs, struct groups_call *c)
{
	const struct join_group_request *r = c->request;
	const struct broker_config *config = gs->o.config;
	struct joining j = {.groups = gs, .call = c, .r = r};
	struct shard *s;
	int code;

	j.rebalance_ms = c->version == 0 ? r->session_timeout_ms : r->rebalance_timeout_ms;
	if (str_is_empty(r->group_id)) {
		refuse(&j, r->member_id, ERR_INVALID_GROUP_ID);
		return;
	}
	if (r->session_timeout_ms < config->group_min_session_ms ||
	    r->session_timeout_ms > config->group_max_session_ms) {
		refuse(&j, r->member_id, ERR_INVALID_SESSION_TIMEOUT);
		return;
	}
	s = shard_of(gs, r->group_id, &code);
	if (s == NULL)
		refuse(&j, wire_str_of(""), code);
	else if (r->protocols.count > GROUPS_PROTOCOLS_MAX ||
	         bytes_of(r) > GROUPS_SUBSCRIPTION_MAX)
		refuse(&j, wire_str_of(""), ERR_UNKNOWN_SERVER_ERROR);
	else
		join_group(&j, s);
}

void
groups_join(struct groups *gs, struct groups_call *c, const struct join_group_request *r)
{
	c->request = r;
	call_begin(gs, c, begin_join);
}
