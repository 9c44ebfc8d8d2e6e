/*
 * mq-groups: consumer groups: who reads what, how far behind; set and delete
 * their offsets.
 *
 * The partitions of a group are those of the topics that it has committed
 * offsets of, or that its members want. One without a committed offset is read
 * from its beginning (mq-consume's rule), so all of it is lag.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/connect.h"
#include "cli/ends.h"
#include "cli/outcome.h"
#include "cli/positions.h"
#include "cli/print.h"
#include "cli/select.h"
#include "cli/tool.h"
#include "programs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* --- asking the target ----------------------------------------------------- */

static int
admin(struct groups *c, struct admin_call *call, struct err *err)
{
	return connection_admin(&c->conn, call, &c->arena, err);
}

static int
find_topics(struct groups *c, struct err *err)
{
	struct metadata_call all = {.names = NULL, .arena = &c->arena};

	target_metadata(c->conn.target, &all);
	if (connection_wait(&c->conn, &all.call, err) == -1)
		return -1;
	c->all = all.topics;
	c->all_count = all.topic_count;
	return 0;
}

/* The words that name topics must name some. */
static int
check_topics(struct groups *c, struct err *err)
{
	const char **names = arena_array(&c->arena, c->all_count + 1, sizeof(names[0]));

	if (names == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->all_count; i++) {
		names[i] = c->all[i].name;
		selection_has(&c->topics, names[i]);
	}
	selection_tell_unmatched(&c->topics, names, c->all_count, ERR_UNKNOWN_TOPIC_OR_PARTITION,
	    &c->outcome);
	return 0;
}

/* May the words mean groups that were not found? */
static bool
is_open(const struct selection *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].kind != PATTERN_NAME)
			return true;
	return s->count == 0;
}

/* Finds the groups that are meant. seek -t makes one that is named and not there. */
static int
find_groups(struct groups *c, struct err *err)
{
	bool makes = c->options->verb == GROUPS_SEEK && c->topics.count > 0;
	struct admin_call list = {.op = ADMIN_LIST_GROUPS};

	if (admin(c, &list, err) == -1)
		return -1;
	c->found = arena_array(&c->arena, list.group_count + c->wanted.count + 1,
	    sizeof(c->found[0]));
	if (c->found == NULL)
		return err_nomem(err);
	/* Said already; a list that may lack some is not whole. */
	if (list.damaged && is_open(&c->wanted))
		c->outcome = (struct outcome){.failed = 1, .status = EXIT_IO};
	for (size_t i = 0; i < list.group_count; i++)
		if (selection_has(&c->wanted, list.groups[i]))
			c->found[c->found_count++] = list.groups[i];
	for (size_t i = 0; makes && i < c->wanted.count; i++) {
		struct pattern *p = &c->wanted.list[i];

		if (p->matched || p->kind != PATTERN_NAME)
			continue;
		p->matched = true;
		c->found[c->found_count++] = p->text;
	}
	selection_tell_unmatched(&c->wanted, list.groups, list.group_count,
	    ERR_GROUP_ID_NOT_FOUND, &c->outcome);
	return 0;
}

/* --- one group ------------------------------------------------------------- */

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

static const struct group_position *
group_committed_at(const struct group *g, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < g->committed_count; i++)
		if (g->committed[i].partition == partition &&
		    strcmp(g->committed[i].topic, topic) == 0)
			return &g->committed[i];
	return NULL;
}

static const struct admin_member *
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
	if (admin(c, &call, err) == -1)
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

/* --- tables ---------------------------------------------------------------- */

static int
table_begin(struct groups *c, const struct column *columns, size_t count, struct err *err)
{
	return print_init_stdout(&c->table, columns, count, c->options, err);
}

static int
table_end(struct groups *c, struct err *err)
{
	int ret = print_end(&c->table, err);

	print_release(&c->table);
	return ret;
}

/* A number of which -1 says that there is none. */
static void
print_known(struct print *table, int64_t v)
{
	if (v >= 0)
		print_int(table, v);
	else
		print_nothing(table);
}

static void
print_nothings(struct print *table, size_t count)
{
	while (count-- > 0)
		print_nothing(table);
}

/* One row or several for each group. */
static int
each_group(struct groups *c, const struct column *columns, size_t count,
    int (*rows)(struct groups *, struct group *, struct err *), struct err *err)
{
	if (table_begin(c, columns, count, err) == -1)
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
	return table_end(c, err);
}

/* --- list, describe, lag --------------------------------------------------- */

static int
list(struct groups *c, struct err *err)
{
	static const struct column columns[] = {{"group", false}};

	if (table_begin(c, columns, COUNT(columns), err) == -1)
		return -1;
	/* Bare names, on a terminal too. */
	c->table.heading = options_has(c->options, OPT_HEADING);
	for (size_t i = 0; i < c->found_count; i++) {
		print_text(&c->table, c->found[i]);
		if (print_row(&c->table, err) == -1)
			return -1;
		outcome_done(&c->outcome);
	}
	return table_end(c, err);
}

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

static int
describe(struct groups *c, struct err *err)
{
	return each_group(c, describe_columns, COUNT(describe_columns), describe_rows, err);
}

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

static int
lag(struct groups *c, struct err *err)
{
	return each_group(c, lag_columns, COUNT(lag_columns), lag_rows, err);
}

/* --- seek ------------------------------------------------------------------ */

static const struct column seek_columns[] = {
    {"group", false}, {"topic", false}, {"partition", true}, {"old", true}, {"new", true}};

static int
refuse_live(const struct groups *c, const struct group *g, struct err *err)
{
	if (g->member_count == 0 || options_has(c->options, OPT_FORCE))
		return 0;
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

static int
seek(struct groups *c, struct err *err)
{
	return each_group(c, seek_columns, COUNT(seek_columns), seek_rows, err);
}

/* --- delete ---------------------------------------------------------------- */

static int
remove_groups(struct groups *c, struct err *err)
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
		else if (admin(c, &call, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		} else
			report_info("group %s deleted", call.group);
		outcome_done(&c->outcome);
	}
	return 0;
}

/* --- options --------------------------------------------------------------- */

/* Each --max is a number of records or a time. */
static int
read_max(struct groups *c, struct err *err)
{
	const char *text;
	size_t at = 0;

	c->max_records = c->max_ms = -1;
	while ((text = options_each(c->options, OPT_MAX, &at)) != NULL)
		if (text_int(text, 0, INT64_MAX, &c->max_records) == -1 &&
		    text_duration_ms(text, 0, INT64_MAX, &c->max_ms) == -1)
			return err_set(err, ERR_INVALID,
			    "--max: '%s' is neither a number of records nor a time such as 30s",
			    text);
	return 0;
}

static int
check_options(const struct groups *c, struct err *err)
{
	const struct options *o = c->options;

	if ((o->verb == GROUPS_SEEK || o->verb == GROUPS_DELETE) && c->wanted.count == 0)
		return err_set(err, ERR_INVALID, "no group; name one");
	if (o->verb == GROUPS_SEEK && c->point.kind == POINT_NONE)
		return err_set(err, ERR_INVALID, "seek to where? (-o)");
	if (o->verb == GROUPS_DELETE && !options_has(o, 'y') && !c->dry_run && !ask_can())
		return err_set(err, ERR_INVALID,
		    "delete asks first, but there is no terminal (-y: do not ask)");
	return 0;
}

static int
read_options(struct groups *c, struct err *err)
{
	const struct options *o = c->options;

	c->dry_run = options_has(o, 'n');
	if (selection_init(&c->wanted, o, 'G', SELECT_OPERANDS, "group", err) == -1 ||
	    selection_init(&c->topics, o, 't', 0, "topic", err) == -1)
		return -1;
	if (positions_options(o, os_wall_ms(c->conn.os), &c->point, &c->partitions, err) == -1)
		return -1;
	if (read_max(c, err) == -1)
		return -1;
	return check_options(c, err);
}

/* --- running --------------------------------------------------------------- */

static int (*const commands[])(struct groups *, struct err *) = {
    [GROUPS_LIST] = list,
    [GROUPS_DESCRIBE] = describe,
    [GROUPS_LAG] = lag,
    [GROUPS_SEEK] = seek,
    [GROUPS_DELETE] = remove_groups,
};

static int
run(struct groups *c)
{
	struct err err;

	if (read_options(c, &err) == -1)
		return report_usage(&err);
	if (connection_open(&c->conn, &err) == -1 || find_topics(c, &err) == -1 ||
	    check_topics(c, &err) == -1 || find_groups(c, &err) == -1 ||
	    commands[c->options->verb](c, &err) == -1)
		return report_fail(&err);
	if (c->outcome.failed == 0 && c->over)
		return EXIT_NO;
	return outcome_status(&c->outcome);
}

int
mq_groups(const struct options *o)
{
	struct groups c = {.options = o, .partitions = PARTITION_SET_INIT};
	int status;

	arena_init(&c.arena, 0);
	ends_init(&c.ends);
	status = connection_init(&c.conn, c.options, CONNECT_READ, true);
	if (status == -1)
		status = run(&c);
	ends_release(&c.ends, c.conn.target);
	print_release(&c.table);
	selection_release(&c.wanted);
	selection_release(&c.topics);
	partition_set_release(&c.partitions);
	connection_release(&c.conn);
	arena_release(&c.arena);
	return status;
}
