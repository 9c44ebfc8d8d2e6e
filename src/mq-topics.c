/*
 * mq-topics: topics: list, make, change, trim, delete them; how large they are.
 *
 * A command over several topics or partitions does what it can: each failure is
 * told on stderr, and the exit status is 3 if others went well.
 */
#include "cli/ask.h"
#include "cli/tool.h"
#include "cli/topic_properties.h"
#include "programs.h"
#include "topics.h"

/* No word means all topics but Kafka's own, as the glob '*' does. */
static bool
is_meant(struct topics *c, const struct target_topic *t)
{
	if (c->wanted.count == 0)
		return !t->internal;
	return selection_has(&c->wanted, t->name);
}

/* Finds the topics that are meant; tells of words that mean none. */
static int
find_topics(struct topics *c, struct err *err)
{
	struct metadata_call all = {.names = NULL, .arena = &c->arena};
	const char **names;

	target_metadata(c->conn.target, &all);
	if (connection_wait(&c->conn, &all.call, err) == -1)
		return -1;
	c->found = arena_array(&c->arena, all.topic_count + 1, sizeof(c->found[0]));
	c->names = arena_array(&c->arena, all.topic_count + 1, sizeof(c->names[0]));
	names = arena_array(&c->arena, all.topic_count + 1, sizeof(names[0]));
	if (c->found == NULL || c->names == NULL || names == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < all.topic_count; i++) {
		names[i] = all.topics[i].name;
		if (!is_meant(c, &all.topics[i]))
			continue;
		c->names[c->found_count] = names[i];
		c->found[c->found_count++] = &all.topics[i];
	}
	selection_tell_unmatched(&c->wanted, names, all.topic_count,
	    ERR_UNKNOWN_TOPIC_OR_PARTITION, &c->outcome);
	return 0;
}

/* --- options --------------------------------------------------------------- */

/* Options that a command cannot do without. */
static int
check_options(const struct topics *c, struct err *err)
{
	switch (c->options->verb) {
	case TOPICS_ALTER:
		if (c->config_count == 0 && c->partition_count < 0)
			return err_set(err, ERR_INVALID, "nothing to alter (-X, --partitions)");
		break;
	case TOPICS_DELETE:
		if (!options_has(c->options, 'y') && !c->dry_run && !ask_can())
			return err_set(err, ERR_INVALID,
			    "delete asks first, but there is no terminal (-y: do not ask)");
		break;
	case TOPICS_TRIM:
		if (c->point.kind == POINT_NONE)
			return err_set(err, ERR_INVALID, "trim up to where? (-o)");
		break;
	default:
		return 0;
	}
	return 0;
}

static bool
needs_topic(enum topics_verb verb)
{
	return verb == TOPICS_CREATE || verb == TOPICS_ALTER || verb == TOPICS_DELETE ||
	    verb == TOPICS_TRIM;
}

/* Returns 0; 1 if -X list was all there was to do; or -1. */
static int
read_options(struct topics *c, struct err *err)
{
	const struct options *o = c->options;
	enum topics_verb verb = (enum topics_verb)o->verb;
	int flags = SELECT_OPERANDS | (verb == TOPICS_CREATE ? SELECT_NAMES : 0), got;

	c->partition_count = c->replicas = -1;
	c->dry_run = options_has(o, 'n');
	got = 0;
	if (verb == TOPICS_CREATE || verb == TOPICS_ALTER)
		got = topic_properties(o, verb == TOPICS_ALTER, &c->arena, &c->configs,
		    &c->config_count, err);
	if (got != 0)
		return got;
	if (selection_init(&c->wanted, o, 't', flags, "topic", err) == -1)
		return -1;
	if (needs_topic(verb) && c->wanted.count == 0)
		return err_set(err, ERR_INVALID, "no topic; name one");
	if (positions_options(o, os_wall_ms(c->conn.os), &c->point, &c->partitions, err) == -1 ||
	    options_int(o, OPT_PARTITIONS, 1, INT32_MAX, &c->partition_count, err) == -1 ||
	    options_int(o, OPT_REPLICAS, 1, INT16_MAX, &c->replicas, err) == -1)
		return -1;
	return check_options(c, err);
}

/* --- running --------------------------------------------------------------- */

static int (*const commands[])(struct topics *, struct err *) = {
    [TOPICS_LIST] = topics_list,
    [TOPICS_DESCRIBE] = topics_describe,
    [TOPICS_CREATE] = topics_create,
    [TOPICS_ALTER] = topics_alter,
    [TOPICS_DELETE] = topics_delete,
    [TOPICS_TRIM] = topics_trim,
    [TOPICS_CLEAN] = topics_clean,
    [TOPICS_OFFSETS] = topics_offsets,
    [TOPICS_DU] = topics_usage,
};

/* A dry run of create may do without a store, for it makes none. */
static int
open_target(struct topics *c, struct err *err)
{
	if (connection_open(&c->conn, err) == 0)
		return 0;
	return c->dry_run && c->options->verb == TOPICS_CREATE && err->code == ERR_NOT_FOUND ? 0
	                                                                                   : -1;
}

static int
run(struct topics *c)
{
	struct err err;
	int got = read_options(c, &err);

	if (got == 1)
		return EXIT_OK;
	if (got == -1)
		return report_usage(&err);
	if (open_target(c, &err) == -1 ||
	    (c->options->verb != TOPICS_CREATE && find_topics(c, &err) == -1) ||
	    commands[c->options->verb](c, &err) == -1)
		return report_fail(&err);
	return outcome_status(&c->outcome);
}

int
mq_topics(const struct options *o)
{
	struct topics c = {.options = o, .partitions = PARTITION_SET_INIT};
	bool creates = o->verb == TOPICS_CREATE;
	bool owns_properties = creates || o->verb == TOPICS_ALTER;
	int status;

	arena_init(&c.arena, 0);
	status = connection_init(&c.conn, c.options,
	    creates && !options_has(c.options, 'n') ? CONNECT_WRITE : CONNECT_READ,
	    !owns_properties);
	if (status == -1)
		status = run(&c);
	print_release(&c.table);
	selection_release(&c.wanted);
	partition_set_release(&c.partitions);
	connection_release(&c.conn);
	arena_release(&c.arena);
	return status;
}
