/* mq-groups' commands that only look: list, describe, lag. */
#include "base/text.h"
#include "cli/report.h"
#include "cli/tools.h"
#include "groups.h"

/* Where the group goes on: what it committed, if that is still there. */
static int64_t
goes_on_at(const struct position *at, const struct group_position *committed)
{
	if (committed == NULL || committed->offset < at->start)
		return at->start;
	return committed->offset < at->end ? committed->offset : at->end;
}

/* Records behind; less than none where the committed offset is beyond the end, as
 * Kafka's tools print it. */
static int64_t
lag_records(const struct position *at, const struct group_position *p)
{
	return at->end - (p != NULL && p->offset > at->end ? p->offset : goes_on_at(at, p));
}

static void
print_lag(struct print *table, const struct position *at, const struct group_position *p)
{
	if (at->about != NULL)
		print_int(table, lag_records(at, p));
	else
		print_nothing(table);
}

/* What is shown of a partition may not be what was committed last; or it is of
 * records that are not there: a topic made anew, a log cut or copied. */
static void
group_check(struct group *g, const struct position *at, const struct group_position *p)
{
	if (p != NULL ? p->code != 0 : g->partial)
		g->doubtful = true;
	if (p != NULL && at->about != NULL && p->offset > at->end)
		report_warn("%s: %s-%d: committed offset %lld is beyond the log's end %lld "
		            "(mq-groups seek sets it)", g->name, at->topic, at->partition,
		    (long long)p->offset, (long long)at->end);
}

/* After its rows: a newer commit than those shown may be lost. */
static int
group_doubt(const struct group *g, struct err *err)
{
	if (!g->doubtful)
		return 0;
	return err_set(err, ERR_CORRUPT,
	    "group %s: newer commits may be lost; mq-groups seek sets them anew: %s", g->name,
	    g->damage);
}

static void
print_nothings(struct print *table, size_t count)
{
	while (count-- > 0)
		print_nothing(table);
}

int
mq_groups_list(struct groups *c, struct err *err)
{
	static const struct column columns[] = {{"group", false}};

	if (print_init_stdout(&c->table, columns, COUNT(columns), c->options, err) == -1)
		return -1;
	/* Bare names, on a terminal too. */
	c->table.heading = options_has(c->options, OPT_HEADING);
	for (size_t i = 0; i < c->found_count; i++) {
		print_text(&c->table, c->found[i]);
		if (print_row(&c->table, err) == -1)
			return -1;
		outcome_done(&c->outcome);
	}
	return print_end(&c->table, err);
}

/* --- describe -------------------------------------------------------------- */

static void
print_member(struct print *table, const struct admin_member *m)
{
	if (m == NULL) {
		print_nothings(table, 3);
		return;
	}
	print_text(table, m->id);
	print_text(table, m->client_id);
	print_known(table, m->pid);
}

static const struct column describe_columns[] = {{"group", false}, {"state", false},
    {"topic", false}, {"partition", true}, {"committed", true}, {"end", true}, {"lag", true},
    {"since", false}, {"member", false}, {"client", false}, {"pid", true}};

static int
describe_place(struct groups *c, struct group *g, const struct position *at,
    struct err *err)
{
	const struct group_position *p = group_committed_at(g, at->topic, at->partition);
	struct print *table = &c->table;
	char since[TEXT_TIME_SIZE];

	group_check(g, at, p);
	print_text(table, g->name);
	print_text(table, g->state);
	print_text(table, at->topic);
	print_int(table, at->partition);
	print_known(table, p != NULL ? p->offset : -1);
	print_known(table, at->end);
	print_lag(table, at, p);
	if (p != NULL && p->commit_time_ms >= 0) {
		text_time_ms(p->commit_time_ms, since);
		print_text(table, since);
	} else {
		print_nothing(table);
	}
	print_member(table, group_holder(g, at->topic, at->partition));
	return print_row(table, err);
}

/* A member that holds nothing is seen too, and a group that has nothing. */
static int
describe_idle(struct groups *c, const struct group *g, const struct admin_member *m,
    struct err *err)
{
	print_text(&c->table, g->name);
	print_text(&c->table, g->state);
	print_nothings(&c->table, 6);
	print_member(&c->table, m);
	return print_row(&c->table, err);
}

static int
describe_rows(struct groups *c, struct group *g, struct err *err)
{
	for (size_t i = 0; i < g->places.count; i++)
		if (describe_place(c, g, &g->places.list[i], err) == -1)
			return -1;
	for (size_t i = 0; i < g->member_count; i++)
		if (g->members[i].held_count == 0 &&
		    describe_idle(c, g, &g->members[i], err) == -1)
			return -1;
	if (g->places.count == 0 && g->member_count == 0 &&
	    describe_idle(c, g, NULL, err) == -1)
		return -1;
	return group_doubt(g, err);
}

int
mq_groups_describe(struct groups *c, struct err *err)
{
	return groups_each(c, describe_columns, COUNT(describe_columns), describe_rows, err);
}

/* --- lag ------------------------------------------------------------------- */

static const struct column lag_columns[] = {{"group", false}, {"topic", false},
    {"partition", true}, {"committed", true}, {"end", true}, {"lag", true}, {"seconds", true}};

static void
lag_check(struct groups *c, const struct group *g, const struct position *at, int64_t lag,
    int64_t ms)
{
	bool by_records = c->max_records >= 0 && lag > c->max_records;
	bool by_time = c->max_ms >= 0 && ms > c->max_ms;

	if (by_records)
		report_warn("%s: %s-%d: %lld records behind, over --max %lld", g->name, at->topic,
		    at->partition, (long long)lag, (long long)c->max_records);
	if (by_time)
		report_warn("%s: %s-%d: %lld.%03d s behind, over --max %lld.%03d s", g->name,
		    at->topic, at->partition, (long long)ms / 1000, (int)(ms % 1000),
		    (long long)c->max_ms / 1000, (int)(c->max_ms % 1000));
	c->over = c->over || by_records || by_time;
}

/* How long ago the record was stamped that the group reads next. */
static int
lag_time(struct groups *c, const struct position *at, int64_t next, int64_t *ms,
    struct err *err)
{
	int64_t stamped = -1, now = os_wall_ms(c->conn.os);

	if (next < at->end &&
	    ends_time(&c->ends, c->conn.target, at, next, &stamped, err) == -1)
		return -1;
	*ms = stamped >= 0 && stamped < now ? now - stamped : 0;
	return 0;
}

static int
lag_place(struct groups *c, struct group *g, const struct position *at, struct err *err)
{
	const struct group_position *p = group_committed_at(g, at->topic, at->partition);
	int64_t next = goes_on_at(at, p), ms = -1;

	group_check(g, at, p);
	if (at->about != NULL && lag_time(c, at, next, &ms, err) == -1)
		outcome_fail(&c->outcome, err);
	print_text(&c->table, g->name);
	print_text(&c->table, at->topic);
	print_int(&c->table, at->partition);
	print_known(&c->table, p != NULL ? p->offset : -1);
	print_known(&c->table, at->end);
	print_lag(&c->table, at, p);
	if (ms >= 0)
		print_seconds(&c->table, ms);
	else
		print_nothing(&c->table);
	if (at->about != NULL)
		lag_check(c, g, at, at->end - next, ms);
	return print_row(&c->table, err);
}

static int
lag_rows(struct groups *c, struct group *g, struct err *err)
{
	for (size_t i = 0; i < g->places.count; i++)
		if (lag_place(c, g, &g->places.list[i], err) == -1)
			return -1;
	return group_doubt(g, err);
}

int
mq_groups_lag(struct groups *c, struct err *err)
{
	return groups_each(c, lag_columns, COUNT(lag_columns), lag_rows, err);
}
