/* mq-groups' commands that change: seek, delete. */
#include <stdio.h>

#include "cli/ask.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/tools.h"
#include "groups.h"

static const struct column seek_columns[] = {
    {"group", false}, {"topic", false}, {"partition", true}, {"old", true}, {"new", true}};

static int
refuse_live(const struct groups *c, const struct group *g, struct err *err)
{
	bool is_process = g->member_count > 0 && g->members[0].pid >= 0;

	if (g->member_count == 0 || (is_process && options_has(c->options, OPT_FORCE)))
		return 0;
	if (!is_process)
		return err_set(err, ERR_NON_EMPTY_GROUP,
		    "group %s has %zu live member%s, such as %s of %s (a broker lets nobody else set "
		    "its offsets)", g->name, g->member_count, g->member_count > 1 ? "s" : "",
		    g->members[0].client_id, g->members[0].host);
	return err_set(err, ERR_NON_EMPTY_GROUP,
	    "group %s has %zu live member%s, such as process %d (--force: set the offsets even so)",
	    g->name, g->member_count, g->member_count > 1 ? "s" : "", g->members[0].pid);
}

static int
seek_commit(struct groups *c, const struct group *g, struct err *err)
{
	struct commit_call call = {.group = g->name};
	struct group_position *list =
	    arena_array(&c->arena, g->places.count + 1, sizeof(list[0]));

	if (list == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < g->places.count; i++)
		if (g->places.list[i].about != NULL)
			list[call.position_count++] = (struct group_position){
			    .topic = g->places.list[i].topic,
			    .partition = g->places.list[i].partition,
			    .offset = g->places.list[i].at,
			    .leader_epoch = -1,
			    .commit_time_ms = -1,
			};
	call.positions = list;
	if (call.position_count == 0 || c->dry_run)
		return 0;
	target_commit(c->conn.target, &call);
	return connection_wait(&c->conn, &call.call, err);
}

static int
seek_rows(struct groups *c, struct group *g, struct err *err)
{
	if (refuse_live(c, g, err) == -1 || seek_commit(c, g, err) == -1)
		return -1;
	for (size_t i = 0; i < g->places.count; i++) {
		const struct position *at = &g->places.list[i];
		const struct group_position *p = group_committed_at(g, at->topic, at->partition);

		if (at->about == NULL)
			continue;
		if (c->point.kind == POINT_OFFSET && c->point.value != at->at)
			report_warn("%s-%d: there is no offset %lld; set to %lld", at->topic,
			    at->partition, (long long)c->point.value, (long long)at->at);
		print_text(&c->table, g->name);
		print_text(&c->table, at->topic);
		print_int(&c->table, at->partition);
		print_known(&c->table, p != NULL ? p->offset : -1);
		print_int(&c->table, at->at);
		if (print_row(&c->table, err) == -1)
			return -1;
	}
	return 0;
}

int
mq_groups_seek(struct groups *c, struct err *err)
{
	return groups_each(c, seek_columns, COUNT(seek_columns), seek_rows, err);
}

/* --- delete ---------------------------------------------------------------- */

int
mq_groups_delete(struct groups *c, struct err *err)
{
	bool asks = !options_has(c->options, 'y') && !c->dry_run && c->found_count > 0;

	if (asks && !ask_delete("group", "offsets", c->found, c->found_count)) {
		c->outcome = (struct outcome){.failed = 1, .status = EXIT_NO};
		return 0;
	}
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++) {
		struct admin_call call = {.op = ADMIN_DELETE_GROUP, .group = c->found[i]};

		if (c->dry_run)
			printf("would delete %s\n", call.group);
		else if (groups_admin(c, &call, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		} else
			report_info("group %s deleted", call.group);
		outcome_done(&c->outcome);
	}
	return 0;
}
