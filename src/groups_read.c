/* What mq-groups knows of a group: its members, what it committed, its partitions. */
#include <string.h>

#include "cli/signals.h"
#include "cli/tools.h"
#include "groups.h"

static bool
group_reads(const struct group *g, const char *topic)
{
	for (size_t i = 0; i < g->committed_count; i++)
		if (strcmp(g->committed[i].topic, topic) == 0)
			return true;
	for (size_t i = 0; i < g->member_count; i++)
		for (size_t k = 0; k < g->members[i].topic_count; k++)
			if (strcmp(g->members[i].topics[k], topic) == 0)
				return true;
	return false;
}

const struct group_position *
group_committed_at(const struct group *g, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < g->committed_count; i++)
		if (g->committed[i].partition == partition &&
		    strcmp(g->committed[i].topic, topic) == 0)
			return &g->committed[i];
	return NULL;
}

const struct admin_member *
group_holder(const struct group *g, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < g->member_count; i++) {
		const struct admin_member *m = &g->members[i];

		for (size_t k = 0; k < m->held_count; k++)
			if (m->held[k].partition == partition &&
			    strcmp(m->held[k].topic, topic) == 0)
				return m;
	}
	return NULL;
}

static bool
topic_exists(const struct groups *c, const char *name)
{
	for (size_t i = 0; i < c->all_count; i++)
		if (strcmp(c->all[i].name, name) == 0)
			return true;
	return false;
}

/* Partitions of a topic that the group has to do with. Those of a topic that is
 * gone are known only by what was committed. */
static int
group_places(struct groups *c, struct group *g, struct err *err)
{
	bool by_name = c->options->verb == GROUPS_SEEK && c->topics.count > 0;

	for (size_t i = 0; i < c->all_count; i++) {
		const struct target_topic *t = &c->all[i];

		if (!selection_has(&c->topics, t->name) || !(by_name || group_reads(g, t->name)))
			continue;
		if (positions_add_topic(&g->places, t, &c->partitions, err) == -1) {
			if (err->code == ERR_NOMEM)
				return -1;
			outcome_fail(&c->outcome, err);
		}
	}
	for (size_t i = 0; i < g->committed_count; i++) {
		const struct group_position *p = &g->committed[i];

		if (topic_exists(c, p->topic) || !selection_has(&c->topics, p->topic) ||
		    !partition_set_has(&c->partitions, p->partition))
			continue;
		if (positions_add(&g->places, p->topic, p->partition, err) == NULL)
			return -1;
	}
	return 0;
}

/* Where the partitions begin and end, after what was committed in them was read. */
static int
group_resolve(struct groups *c, struct group *g, struct err *err)
{
	if (c->options->verb == GROUPS_SEEK)
		return positions_resolve(&g->places, c->conn.target, c->point, err);
	for (size_t i = 0; i < g->places.count; i++) {
		struct position *at = &g->places.list[i];
		const struct group_position *p = group_committed_at(g, at->topic, at->partition);

		if (p != NULL)
			at->seen = p->offset;
	}
	return ends_resolve(&c->ends, c->conn.target, &g->places, err);
}

static int
group_read(struct groups *c, const char *name, struct group *g, struct err *err)
{
	struct admin_call call = {.op = ADMIN_DESCRIBE_GROUP, .group = name};
	struct committed_call committed = {.group = name, .arena = &c->arena};

	*g = (struct group){.name = name};
	if (groups_admin(c, &call, err) == -1)
		return -1;
	target_committed(c->conn.target, &committed);
	if (connection_wait(&c->conn, &committed.call, err) == -1)
		return -1;
	g->state = call.state;
	g->members = call.members;
	g->member_count = call.member_count;
	g->committed = committed.positions;
	g->committed_count = committed.position_count;
	g->damage = committed.damage;
	g->partial = committed.partial;
	if (group_places(c, g, err) == 0 && group_resolve(c, g, err) == 0)
		return 0;
	positions_release(&g->places);
	return -1;
}

int
groups_each(struct groups *c, const struct column *columns, size_t count, groups_rows *rows,
    struct err *err)
{
	if (print_init_stdout(&c->table, columns, count, c->options, err) == -1)
		return -1;
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++) {
		size_t before = c->table.row_count;
		struct group g;
		int ret = group_read(c, c->found[i], &g, err);

		if (ret == 0) {
			ret = rows(c, &g, err);
			positions_release(&g.places);
		}
		if (ret == -1 && err->code == ERR_NOMEM)
			return -1;
		if (ret == -1)
			outcome_fail(&c->outcome, err);
		if (c->table.row_count > before)
			outcome_done(&c->outcome);
	}
	return print_end(&c->table, err);
}
