/*
 * topics: the parts of mq-topics, and what they share.
 *
 * mq-topics.c reads the command line, finds the topics that are meant and runs a
 * command. Commands that only look are in topics_show.c, those that make, change or
 * delete in topics_change.c.
 */
#ifndef TOPICS_H
#define TOPICS_H

#include "base/array.h"
#include "cli/connect.h"
#include "cli/outcome.h"
#include "cli/positions.h"
#include "cli/print.h"
#include "cli/select.h"

struct topics {
	const struct options *options;
	struct connection conn;
	struct arena arena;
	struct selection wanted;
	struct partition_set partitions;
	struct point point;     /* -o */
	int64_t partition_count; /* --partitions; -1 */
	int64_t replicas;        /* --replicas; -1 */
	const struct admin_config *configs; /* -X, in the arena */
	size_t config_count;
	bool dry_run;
	const struct target_topic **found; /* that are meant, in the arena */
	const char **names;                /* of those */
	size_t found_count;
	struct outcome outcome;
	struct print table;
};

/* A command. What fails for one topic or partition is told, counted in `outcome` and
 * no failure here. Returns 0, or -1 with err: nothing more can be done. */
int topics_list(struct topics *c, struct err *err);
int topics_describe(struct topics *c, struct err *err);
int topics_offsets(struct topics *c, struct err *err);
int topics_usage(struct topics *c, struct err *err);
int topics_create(struct topics *c, struct err *err);
int topics_alter(struct topics *c, struct err *err);
int topics_delete(struct topics *c, struct err *err);
int topics_trim(struct topics *c, struct err *err);
int topics_clean(struct topics *c, struct err *err);

static inline int
topics_admin(struct topics *c, struct admin_call *call, struct err *err)
{
	return connection_admin(&c->conn, call, &c->arena, err);
}

/* A row of a table over partitions: does what is to be done, then prints its cells.
 * 1; 0: there is nothing to tell; -1: failed. */
typedef int topics_row(struct topics *c, const struct position *at, struct err *err);

/* A table with a row for each partition that is meant. `point` is looked up in all
 * of them first; NULL: neither point nor bounds are needed. */
int topics_each_place(struct topics *c, const struct point *point, const struct column *columns,
    size_t column_count, topics_row *row, struct err *err);

#endif
