/*
 * groups: the parts of mq-groups, and what they share.
 *
 * mq-groups.c reads the command line, finds the groups that are meant and runs a
 * command. Commands that only look are in groups_show.c, those that set or delete in
 * groups_change.c; groups_read.c knows what a group is made of.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include "base/array.h"
#include "cli/connect.h"
#include "cli/ends.h"
#include "cli/outcome.h"
#include "cli/positions.h"
#include "cli/print.h"
#include "cli/select.h"

struct groups {
	const struct options *options;
	struct connection conn;
	struct arena arena;
	struct selection wanted, topics; /* -G and operands; -t */
	struct partition_set partitions;
	struct point point;         /* -o */
	int64_t max_records, max_ms; /* --max; -1 */
	bool dry_run, over;         /* over: a lag was above --max */
	const char **found;         /* names of groups, in the arena */
	size_t found_count;
	const struct target_topic *all; /* all topics, in the arena, sorted */
	size_t all_count;
	struct ends ends;
	struct outcome outcome;
	struct print table;
};

/* What is known of one group; all in the arena, except places. */
struct group {
	const char *name, *state;
	const struct admin_member *members;
	size_t member_count;
	const struct group_position *committed;
	size_t committed_count;
	const char *damage; /* commits that cannot be read; NULL none */
	bool partial;       /* what is not committed may have been among them */
	bool doubtful;      /* of something shown the newest commit may be lost */
	struct positions places; /* by topic, partition */
};

/* A command. What fails for one group is told, counted in `outcome` and no failure
 * here. Returns 0, or -1 with err: nothing more can be done. */
int mq_groups_list(struct groups *c, struct err *err);
int mq_groups_describe(struct groups *c, struct err *err);
int mq_groups_lag(struct groups *c, struct err *err);
int mq_groups_seek(struct groups *c, struct err *err);
int mq_groups_delete(struct groups *c, struct err *err);

static inline int
groups_admin(struct groups *c, struct admin_call *call, struct err *err)
{
	return connection_admin(&c->conn, call, &c->arena, err);
}

/* The rows of one group. 0, or -1: failed. */
typedef int groups_rows(struct groups *c, struct group *g, struct err *err);

/* A table with one row or several for each group that is meant. */
int groups_each(struct groups *c, const struct column *columns, size_t count, groups_rows *rows,
    struct err *err);

/* What was committed for a partition; NULL: nothing. */
const struct group_position *group_committed_at(const struct group *g, const char *topic,
    int32_t partition);

/* Who consumes a partition now; NULL: nobody. */
const struct admin_member *group_holder(const struct group *g, const char *topic,
    int32_t partition);

/* A cell with a number of which -1 says that there is none. */
static inline void
print_known(struct print *table, int64_t v)
{
	if (v >= 0)
		print_int(table, v);
	else
		print_nothing(table);
}

#endif
