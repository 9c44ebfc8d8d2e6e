/*
 * mq-groups: consumer groups: who reads what, how far behind; set and delete
 * their offsets.
 *
 * The partitions of a group are those of the topics that it has committed
 * offsets of, or that its members want. One without a committed offset is read
 * from its beginning (mq-consume's rule), so all of it is lag.
 */
#include "base/text.h"
#include "cli/ask.h"
#include "cli/tool.h"
#include "groups.h"
#include "programs.h"

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

	if (groups_admin(c, &list, err) == -1)
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
	if (c->options->verb == GROUPS_SEEK)
		c->wanted.hint = "-t TOPIC starts one";
	selection_tell_unmatched(&c->wanted, list.groups, list.group_count,
	    ERR_GROUP_ID_NOT_FOUND, &c->outcome);
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
    [GROUPS_LIST] = mq_groups_list,
    [GROUPS_DESCRIBE] = mq_groups_describe,
    [GROUPS_LAG] = mq_groups_lag,
    [GROUPS_SEEK] = mq_groups_seek,
    [GROUPS_DELETE] = mq_groups_delete,
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
