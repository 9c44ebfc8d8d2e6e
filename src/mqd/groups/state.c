/*
 * What is in a group, and the states it goes through:
 *
 *	           somebody joins                  all are back, or time is up
 *	   Empty ----------------> PreparingRebalance --------------> CompletingRebalance
 *	     ^                       |    ^     ^                        |        |
 *	     '------ nobody is ------'    |     '--- somebody comes, ----'        |
 *	             left                 |          goes, does not ask    the leader's
 *	                                  |          for its assignment    assignment is
 *	                                  |                                durable
 *	                                  '----- somebody comes, ----- Stable <---'
 *	                                         goes, is silent
 *
 *	   Dead: the group is not this broker's any more; it is forgotten with that.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mqd/groups/groups_impl.h"

/* [from] -> bits of to. */
static const uint8_t moves[CGROUP_STATES] = {
    [CGROUP_EMPTY] = 1 << CGROUP_PREPARING | 1 << CGROUP_DEAD,
    [CGROUP_PREPARING] = 1 << CGROUP_COMPLETING | 1 << CGROUP_EMPTY | 1 << CGROUP_DEAD,
    [CGROUP_COMPLETING] = 1 << CGROUP_STABLE | 1 << CGROUP_PREPARING | 1 << CGROUP_DEAD,
    [CGROUP_STABLE] = 1 << CGROUP_PREPARING | 1 << CGROUP_DEAD,
    [CGROUP_DEAD] = 1 << CGROUP_DEAD,
};

const char *
cgroup_state_name(enum cgroup_state s)
{
	static const char *const names[CGROUP_STATES] = {[CGROUP_EMPTY] = "Empty",
	    [CGROUP_PREPARING] = "PreparingRebalance",
	    [CGROUP_COMPLETING] = "CompletingRebalance",
	    [CGROUP_STABLE] = "Stable",
	    [CGROUP_DEAD] = "Dead"};

	return names[s];
}

bool
cgroup_may_move(enum cgroup_state from, enum cgroup_state to)
{
	return (moves[from] & 1 << to) != 0;
}

void
cgroup_move(struct cgroup *g, enum cgroup_state to, int64_t now_ms)
{
	assert(cgroup_may_move(g->state, to));
	g->before = g->state;
	g->state = (uint8_t)to;
	g->state_ms = now_ms;
}

/* --- life ----------------------------------------------------------------------- */

struct cgroup *
cgroup_new(struct wire_str id, int64_t now_ms)
{
	struct cgroup *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->id = g->protocol_type = g->protocol = STR_NULL;
	g->state = CGROUP_EMPTY;
	g->before = CGROUP_DEAD;
	g->state_ms = now_ms;
	if (str_set(&g->id, id) == -1) {
		free(g);
		return NULL;
	}
	return g;
}

static void
clive_free(struct os *os, struct clive *l)
{
	if (os != NULL) {
		os_timer_stop(os, &l->join_timer);
		os_timer_stop(os, &l->sync_timer);
	}
	for (struct map_entry *e = NULL; (e = map_next(&l->members, e)) != NULL;)
		cmember_free(os, e->value);
	for (struct map_entry *e = NULL; (e = map_next(&l->pending, e)) != NULL;) {
		struct cpending *p = e->value;

		if (os != NULL)
			os_timer_stop(os, &p->timer);
		str_release(&p->id);
		free(p);
	}
	map_release(&l->members);
	map_release(&l->statics);
	map_release(&l->pending);
	map_release(&l->protocols);
	map_release(&l->subscribed);
	free(l);
}

void
cgroup_free(struct os *os, struct cgroup *g)
{
	if (g->live != NULL)
		clive_free(os, g->live);
	cgroup_drop_offsets(g);
	str_release(&g->id);
	str_release(&g->protocol_type);
	str_release(&g->protocol);
	free(g);
}

int
cgroup_enliven(struct cgroup *g)
{
	struct clive *l;

	if (g->live != NULL)
		return 0;
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return -1;
	map_init(&l->members);
	map_init(&l->statics);
	map_init(&l->pending);
	map_init(&l->protocols);
	map_init(&l->subscribed);
	g->live = l;
	return 0;
}

void
cgroup_rest(struct os *os, struct cgroup *g)
{
	if (g->live == NULL || g->state != CGROUP_EMPTY || g->live->members.count > 0 ||
	    g->live->pending.count > 0)
		return;
	clive_free(os, g->live);
	g->live = NULL;
}

/* --- members -------------------------------------------------------------------- */

struct cprotocols *
cprotocols_new(const struct join_group_request_protocol *list, size_t count)
{
	size_t bytes = 0;
	struct cprotocols *p;
	uint8_t *at;

	for (size_t i = 0; i < count; i++)
		bytes += (size_t)list[i].name.len +
		         (size_t)(list[i].metadata.len > 0 ? list[i].metadata.len : 0);
	p = malloc(sizeof(*p) + count * sizeof(p->list[0]) + bytes);
	if (p == NULL)
		return NULL;
	p->count = count;
	at = (uint8_t *)&p->list[count];
	for (size_t i = 0; i < count; i++) {
		size_t name = (size_t)list[i].name.len;
		size_t data = list[i].metadata.len > 0 ? (size_t)list[i].metadata.len : 0;

		p->list[i].name = (struct wire_str){(const char *)at, list[i].name.len};
		if (name > 0)
			memcpy(at, list[i].name.data, name);
		at += name;
		p->list[i].metadata = (struct wire_bytes){at, (int32_t)data};
		if (data > 0)
			memcpy(at, list[i].metadata.data, data);
		at += data;
	}
	return p;
}

bool
cprotocols_equal(const struct cprotocols *p, const struct join_group_request_protocol *list,
    size_t count)
{
	if (p->count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!str_equal(p->list[i].name, list[i].name) ||
		    !bytes_equal(p->list[i].metadata, list[i].metadata))
			return false;
	return true;
}

struct cmember *
cmember_new(struct wire_str id, struct wire_str instance_id, struct wire_str client_id,
    struct wire_str client_host, struct cprotocols *protocols)
{
	struct cmember *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->id = m->instance_id = m->client_id = m->client_host = STR_NULL;
	if (str_set(&m->id, id) == -1 || str_set(&m->instance_id, instance_id) == -1 ||
	    str_set(&m->client_id, client_id) == -1 || str_set(&m->client_host, client_host) == -1) {
		cmember_free(NULL, m);
		return NULL;
	}
	m->protocols = protocols;
	return m;
}

void
cmember_free(struct os *os, struct cmember *m)
{
	if (os != NULL)
		os_timer_stop(os, &m->timer);
	str_release(&m->id);
	str_release(&m->instance_id);
	str_release(&m->client_id);
	str_release(&m->client_host);
	bytes_release(&m->assignment);
	bytes_release(&m->assigning);
	free(m->protocols);
	free(m);
}

/* A name that a member has twice counts once. */
static bool
is_first(const struct cprotocols *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_equal(p->list[k].name, p->list[i].name))
			return false;
	return true;
}

static void
uncount_protocols(struct clive *l, const struct cprotocols *p, size_t upto)
{
	for (size_t i = 0; i < upto; i++) {
		struct wire_str name = p->list[i].name;
		uintptr_t n = (uintptr_t)map_get(&l->protocols, name.data, (size_t)name.len);

		if (!is_first(p, i))
			continue;
		if (n <= 1)
			map_del(&l->protocols, name.data, (size_t)name.len);
		else
			map_put(&l->protocols, name.data, (size_t)name.len, (void *)(n - 1), NULL);
	}
}

static int
count_protocols(struct clive *l, const struct cprotocols *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct wire_str name = p->list[i].name;
		uintptr_t n = (uintptr_t)map_get(&l->protocols, name.data, (size_t)name.len);

		if (!is_first(p, i))
			continue;
		if (map_put(&l->protocols, name.data, (size_t)name.len, (void *)(n + 1), NULL) == -1) {
			uncount_protocols(l, p, i);
			return -1;
		}
	}
	return 0;
}

static int
index_member(struct clive *l, struct cmember *m)
{
	if (map_put(&l->members, m->id.data, (size_t)m->id.len, m, NULL) == -1)
		return -1;
	if (m->instance_id.len >= 0 &&
	    map_put(&l->statics, m->instance_id.data, (size_t)m->instance_id.len, m, NULL) == -1) {
		map_del(&l->members, m->id.data, (size_t)m->id.len);
		return -1;
	}
	return 0;
}

static void
unindex_member(struct clive *l, const struct cmember *m)
{
	map_del(&l->members, m->id.data, (size_t)m->id.len);
	if (m->instance_id.len >= 0)
		map_del(&l->statics, m->instance_id.data, (size_t)m->instance_id.len);
}

int
cgroup_add(struct cgroup *g, struct cmember *m, struct wire_str protocol_type)
{
	struct clive *l;

	if (cgroup_enliven(g) == -1)
		return -1;
	l = g->live;
	if (l->members.count == 0 && str_set(&g->protocol_type, protocol_type) == -1)
		return -1;
	if (index_member(l, m) == -1)
		return -1;
	if (count_protocols(l, m->protocols) == -1) {
		unindex_member(l, m);
		return -1;
	}
	m->group = g;
	if (l->leader == NULL)
		l->leader = m;
	return 0;
}

void
cgroup_remove(struct os *os, struct cgroup *g, struct cmember *m)
{
	struct clive *l = g->live;
	struct map_entry *e;

	assert(m->join == NULL && m->sync == NULL);
	cgroup_set_joining(g, m, false);
	cgroup_set_sync_due(g, m, false);
	uncount_protocols(l, m->protocols, m->protocols->count);
	unindex_member(l, m);
	if (l->leader == m) {
		e = map_next(&l->members, NULL);
		l->leader = e != NULL ? e->value : NULL;
	}
	cmember_free(os, m);
}

struct cprotocols *
cgroup_update(struct cgroup *g, struct cmember *m, struct cprotocols *protocols)
{
	struct cprotocols *old = m->protocols;

	if (count_protocols(g->live, protocols) == -1)
		return NULL;
	uncount_protocols(g->live, old, old->count);
	m->protocols = protocols;
	return old;
}

int
cgroup_rename(struct cgroup *g, struct cmember *m, struct wire_str id)
{
	struct clive *l = g->live;
	struct wire_str new = STR_NULL;

	if (str_set(&new, id) == -1)
		return -1;
	if (map_put(&l->members, new.data, (size_t)new.len, m, NULL) == -1) {
		str_release(&new);
		return -1;
	}
	map_del(&l->members, m->id.data, (size_t)m->id.len);
	str_release(&m->id);
	m->id = new;
	return 0;
}

void
cgroup_set_joining(struct cgroup *g, struct cmember *m, bool joining)
{
	if (joining && !m->joining)
		g->live->joining++;
	if (!joining && m->joining)
		g->live->joining--;
	m->joining = joining;
}

void
cgroup_set_sync_due(struct cgroup *g, struct cmember *m, bool due)
{
	if (due && !m->sync_due)
		g->live->sync_due++;
	if (!due && m->sync_due)
		g->live->sync_due--;
	m->sync_due = due;
}

struct cmember *
cgroup_member(const struct cgroup *g, struct wire_str id)
{
	if (g->live == NULL || id.len < 0)
		return NULL;
	return map_get(&g->live->members, id.data, (size_t)id.len);
}

struct cmember *
cgroup_static(const struct cgroup *g, struct wire_str instance_id)
{
	if (g->live == NULL || instance_id.len < 0)
		return NULL;
	return map_get(&g->live->statics, instance_id.data, (size_t)instance_id.len);
}

size_t
cgroup_size(const struct cgroup *g)
{
	return g->live != NULL ? g->live->members.count : 0;
}

struct map_entry *
cgroup_next(const struct cgroup *g, struct map_entry *e)
{
	return g->live != NULL ? map_next(&g->live->members, e) : NULL;
}

int
cgroup_check_member(const struct cgroup *g, struct wire_str id, struct wire_str instance_id)
{
	const struct cmember *m = cgroup_member(g, id);

	if (instance_id.len >= 0) {
		const struct cmember *s = cgroup_static(g, instance_id);

		if (s == NULL)
			return ERR_UNKNOWN_MEMBER_ID;
		if (s != m)
			return ERR_FENCED_INSTANCE_ID;
	}
	return m != NULL ? 0 : ERR_UNKNOWN_MEMBER_ID;
}

/* --- ids that were given out ------------------------------------------------------ */

struct cpending *
cgroup_pending(const struct cgroup *g, struct wire_str id)
{
	if (g->live == NULL || id.len < 0)
		return NULL;
	return map_get(&g->live->pending, id.data, (size_t)id.len);
}

int
cgroup_add_pending(struct os *os, struct cgroup *g, struct wire_str id, struct cpending **out)
{
	struct cpending *p;

	if (cgroup_enliven(g) == -1)
		return -1;
	if (g->live->pending.count >= GROUPS_PENDING_MAX)
		cgroup_remove_pending(os, g, map_next(&g->live->pending, NULL)->value);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return -1;
	p->id = STR_NULL;
	p->group = g;
	if (str_set(&p->id, id) == -1 ||
	    map_put(&g->live->pending, id.data, (size_t)id.len, p, NULL) == -1) {
		str_release(&p->id);
		free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void
cgroup_remove_pending(struct os *os, struct cgroup *g, struct cpending *p)
{
	os_timer_stop(os, &p->timer);
	map_del(&g->live->pending, p->id.data, (size_t)p->id.len);
	str_release(&p->id);
	free(p);
}

bool
cgroup_all_joined(const struct cgroup *g)
{
	const struct clive *l = g->live;

	return l == NULL || (l->members.count == l->joining && l->pending.count == 0);
}

int32_t
cgroup_rebalance_ms(const struct cgroup *g)
{
	int32_t ms = 0;

	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		const struct cmember *m = e->value;

		ms = m->rebalance_ms > ms ? m->rebalance_ms : ms;
	}
	return ms;
}
