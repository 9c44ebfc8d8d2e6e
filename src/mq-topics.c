/*
 * mq-topics: topics: list, make, change, trim, delete them; how large they are.
 *
 * A command over several topics or partitions does what it can: each failure is
 * told on stderr, and the exit status is 3 if others went well.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/connect.h"
#include "cli/outcome.h"
#include "cli/positions.h"
#include "cli/print.h"
#include "cli/select.h"
#include "cli/tool.h"
#include "cli/topic_properties.h"
#include "store/store.h"
#include "programs.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* --- asking the target ----------------------------------------------------- */

static int
admin(struct topics *c, struct admin_call *call, struct err *err)
{
	return connection_admin(&c->conn, call, &c->arena, err);
}

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

/* The partitions that are meant, of the topics that are. */
static int
find_places(struct topics *c, struct positions *places, struct err *err)
{
	for (size_t i = 0; i < c->found_count; i++) {
		if (positions_add_topic(places, c->found[i], &c->partitions, err) == 0)
			continue;
		if (err->code == ERR_NOMEM)
			return -1;
		outcome_fail(&c->outcome, err);
	}
	return 0;
}

static int
table_begin(struct topics *c, const struct column *columns, size_t count, struct err *err)
{
	return print_init_stdout(&c->table, columns, count, c->options, err);
}

static int
table_end(struct topics *c, struct err *err)
{
	int ret = print_end(&c->table, err);

	print_release(&c->table);
	return ret;
}

static void
print_place(struct print *table, const struct position *at)
{
	print_text(table, at->topic);
	print_int(table, at->partition);
}

/* --- list, describe -------------------------------------------------------- */

static int
list(struct topics *c, struct err *err)
{
	static const struct column columns[] = {{"topic", false}};

	if (table_begin(c, columns, COUNT(columns), err) == -1)
		return -1;
	/* Bare names, on a terminal too. */
	c->table.heading = options_has(c->options, OPT_HEADING);
	for (size_t i = 0; i < c->found_count; i++) {
		print_text(&c->table, c->found[i]->name);
		if (print_row(&c->table, err) == -1)
			return -1;
		outcome_done(&c->outcome);
	}
	return table_end(c, err);
}

static int
describe_partitions(struct topics *c, const struct positions *places, struct err *err)
{
	static const struct column columns[] = {{"topic", false}, {"partition", true},
	    {"leader", true}, {"epoch", true}, {"replicas", false}, {"isr", false},
	    {"start", true}, {"end", true}, {"id", false}};
	struct print *table = &c->table;

	if (table_begin(c, columns, COUNT(columns), err) == -1)
		return -1;
	for (size_t i = 0, topic = 0; i < places->count; i++) {
		const struct position *at = &places->list[i];
		char id[UUID_TEXT_SIZE];

		while (c->found[topic]->name != at->topic)
			topic++;
		uuid_format(&c->found[topic]->id, id);
		print_place(table, at);
		if (at->about->leader >= 0)
			print_int(table, at->about->leader);
		else
			print_nothing(table);
		print_int(table, at->about->leader_epoch);
		print_ints(table, at->about->replicas, at->about->replica_count);
		print_ints(table, at->about->isr, at->about->isr_count);
		print_int(table, at->start);
		print_int(table, at->end);
		print_text(table, id);
		if (print_row(table, err) == -1)
			return -1;
		outcome_done(&c->outcome);
	}
	return table_end(c, err);
}

/* What a topic sets itself; with -v all that holds for it. */
static int
describe_configs(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"config", false}, {"value", false}, {"from", false}};
	bool all = options_has(c->options, 'v');

	if (table_begin(c, columns, COUNT(columns), err) == -1)
		return -1;
	for (size_t i = 0; i < c->found_count; i++) {
		struct admin_call call = {.op = ADMIN_CONFIGS, .topic = c->found[i]->name};

		if (admin(c, &call, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		}
		for (size_t k = 0; k < call.found_config_count; k++) {
			const struct admin_found_config *f = &call.found_configs[k];

			if (f->source != CONFIG_DYNAMIC_TOPIC && !all)
				continue;
			print_text(&c->table, call.topic);
			print_text(&c->table, f->name);
			print_text(&c->table, f->value);
			print_text(&c->table, config_source_name(f->source));
			if (print_row(&c->table, err) == -1)
				return -1;
		}
	}
	if (c->table.mode == PRINT_ALIGNED && c->table.row_count > 0)
		putchar('\n');
	return table_end(c, err);
}

static int
describe(struct topics *c, struct err *err)
{
	struct positions places = {.list = NULL};
	int ret = -1;

	if (find_places(c, &places, err) == 0 &&
	    positions_resolve(&places, c->conn.target, (struct point){POINT_END, 0}, err) == 0 &&
	    describe_partitions(c, &places, err) == 0)
		ret = describe_configs(c, err);
	positions_release(&places);
	return ret;
}

/* --- create, alter --------------------------------------------------------- */

/* Says on stdout what would be done: `what` and its configs. */
static void
would(struct topics *c, const char *what, const char *topic)
{
	printf("would %s %s", what, topic);
	if (c->partition_count > 0)
		printf(" --partitions=%lld", (long long)c->partition_count);
	for (size_t i = 0; i < c->config_count; i++)
		printf(" -X %s%s%s", c->configs[i].name, c->configs[i].value != NULL ? "=" : "",
		    c->configs[i].value != NULL ? c->configs[i].value : "");
	putchar('\n');
	outcome_done(&c->outcome);
}

/* Without a store (a dry run makes none) nothing is there. */
static int
create_check(struct topics *c, const char *name, struct err *err)
{
	struct metadata_call call = {.names = &name, .name_count = 1, .arena = &c->arena};
	int code = ERR_UNKNOWN_TOPIC_OR_PARTITION;

	if (!topic_name_ok(name))
		code = ERR_INVALID_TOPIC_EXCEPTION;
	else if (c->conn.target != NULL) {
		target_metadata(c->conn.target, &call);
		if (connection_wait(&c->conn, &call.call, err) == -1)
			return -1;
		code = call.topics[0].code;
	}
	if (code == 0)
		return err_set(err, ERR_TOPIC_ALREADY_EXISTS, "topic %s is there already", name);
	if (code == ERR_INVALID_TOPIC_EXCEPTION)
		return err_set(err, code,
		    "topic '%s': names are 1 to 249 of letters, digits, '.', '_' and '-'", name);
	return 0;
}

static int
create_one(struct topics *c, const char *name, struct err *err)
{
	struct admin_call call = {.op = ADMIN_CREATE_TOPIC,
	    .topic = name,
	    .count = (int32_t)c->partition_count,
	    .replicas = (int32_t)c->replicas,
	    .configs = c->configs,
	    .config_count = c->config_count};

	if (create_check(c, name, err) == -1)
		return -1;
	if (c->dry_run) {
		would(c, "create", name);
		return 0;
	}
	if (admin(c, &call, err) == -1)
		return -1;
	outcome_done(&c->outcome);
	report_info("topic %s created", name);
	return 0;
}

static int
create(struct topics *c, struct err *err)
{
	for (size_t i = 0; i < c->wanted.count && signals_caught() == 0; i++) {
		if (create_one(c, c->wanted.list[i].text, err) == 0)
			continue;
		if (err->code == ERR_TOPIC_ALREADY_EXISTS &&
		    options_has(c->options, OPT_IF_NOT_EXISTS)) {
			report_info("%s", err->text);
			outcome_done(&c->outcome);
		} else {
			outcome_fail(&c->outcome, err);
		}
	}
	return 0;
}

static int
alter_one(struct topics *c, const struct target_topic *t, struct err *err)
{
	struct admin_call grow = {.op = ADMIN_ADD_PARTITIONS,
	    .topic = t->name,
	    .count = (int32_t)c->partition_count};
	struct admin_call set = {.op = ADMIN_ALTER_CONFIGS,
	    .topic = t->name,
	    .configs = c->configs,
	    .config_count = c->config_count};

	if (c->partition_count >= 0 && c->partition_count <= (int64_t)t->partition_count)
		return err_set(err, ERR_INVALID_PARTITIONS,
		    "topic %s has %zu partitions already, and none can be taken away", t->name,
		    t->partition_count);
	if (c->dry_run) {
		would(c, "alter", t->name);
		return 0;
	}
	if (c->partition_count >= 0 && admin(c, &grow, err) == -1)
		return -1;
	if (c->config_count > 0 && admin(c, &set, err) == -1)
		return -1;
	outcome_done(&c->outcome);
	report_info("topic %s changed", t->name);
	return 0;
}

static int
alter(struct topics *c, struct err *err)
{
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++)
		if (alter_one(c, c->found[i], err) == -1)
			outcome_fail(&c->outcome, err);
	return 0;
}

/* --- delete, trim, clean --------------------------------------------------- */

static int
remove_topics(struct topics *c, struct err *err)
{
	bool asks = !options_has(c->options, 'y') && !c->dry_run && c->found_count > 0;

	if (asks && !ask_delete("topic", "records", c->names, c->found_count)) {
		c->outcome = (struct outcome){.failed = 1, .status = EXIT_NO};
		return 0;
	}
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++) {
		struct admin_call call = {.op = ADMIN_DELETE_TOPIC, .topic = c->found[i]->name};

		if (c->dry_run)
			printf("would delete %s\n", call.topic);
		else if (admin(c, &call, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		} else
			report_info("topic %s deleted", call.topic);
		outcome_done(&c->outcome);
	}
	return 0;
}

static int
trim_one(struct topics *c, const struct position *at, int64_t *start, struct err *err)
{
	struct admin_call call = {.op = ADMIN_TRIM,
	    .topic = at->topic,
	    .partition = at->partition,
	    .offset = at->at};

	if (c->point.kind == POINT_OFFSET && c->point.value > at->end)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE, "%s-%d: offset %lld is beyond the end, %lld",
		    at->topic, at->partition, (long long)c->point.value, (long long)at->end);
	*start = at->at;
	if (c->dry_run)
		return 0;
	if (admin(c, &call, err) == -1)
		return -1;
	*start = call.offset;
	return 0;
}

static int
trim(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"old", true}, {"new", true}};
	struct positions places = {.list = NULL};
	int ret = -1;

	if (find_places(c, &places, err) == -1 ||
	    positions_resolve(&places, c->conn.target, c->point, err) == -1 ||
	    table_begin(c, columns, COUNT(columns), err) == -1)
		goto out;
	for (size_t i = 0; i < places.count && signals_caught() == 0; i++) {
		int64_t start;

		if (trim_one(c, &places.list[i], &start, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		}
		print_place(&c->table, &places.list[i]);
		print_int(&c->table, places.list[i].start);
		print_int(&c->table, start);
		if (print_row(&c->table, err) == -1)
			goto out;
		outcome_done(&c->outcome);
	}
	ret = table_end(c, err);
out:
	positions_release(&places);
	return ret;
}

static void
print_cleaned(struct print *table, const struct admin_call *call)
{
	const struct admin_cleaned *done = &call->cleaned;

	print_int(table, done->segments_deleted);
	print_int(table, done->bytes_deleted);
	print_int(table, done->segments_compacted);
	print_int(table, done->bytes_before);
	print_int(table, done->bytes_after);
}

static void
print_usage(struct print *table, const struct admin_call *call)
{
	print_int(table, call->segments);
	print_int(table, call->bytes);
}

/* Of the many partitions that an internal topic has from its beginning most have no
 * files yet: they are not told of. */
static bool
is_unused(const struct admin_call *call)
{
	return call->op == ADMIN_USAGE && call->segments == 0 && call->bytes == 0 &&
	    strncmp(call->topic, "__", 2) == 0;
}

/* A table with one admin call for each partition. */
static int
each_partition(struct topics *c, enum admin_op op, const struct column *columns, size_t count,
    void (*print_cells)(struct print *, const struct admin_call *), struct err *err)
{
	struct positions places = {.list = NULL};
	int ret = -1;

	if (find_places(c, &places, err) == -1 || table_begin(c, columns, count, err) == -1)
		goto out;
	for (size_t i = 0; i < places.count && signals_caught() == 0; i++) {
		struct admin_call call = {.op = op,
		    .topic = places.list[i].topic,
		    .partition = places.list[i].partition};

		if (admin(c, &call, err) == -1) {
			outcome_fail(&c->outcome, err);
			continue;
		}
		if (is_unused(&call))
			continue;
		print_place(&c->table, &places.list[i]);
		print_cells(&c->table, &call);
		if (print_row(&c->table, err) == -1)
			goto out;
		outcome_done(&c->outcome);
	}
	ret = table_end(c, err);
out:
	positions_release(&places);
	return ret;
}

static int
clean(struct topics *c, struct err *err)
{
	static const struct column columns[] = {{"topic", false}, {"partition", true},
	    {"deleted", true}, {"bytes_deleted", true}, {"compacted", true},
	    {"bytes_before", true}, {"bytes_after", true}};

	return each_partition(c, ADMIN_CLEAN, columns, COUNT(columns), print_cleaned, err);
}

static int
disk_usage(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"segments", true}, {"bytes", true}};

	return each_partition(c, ADMIN_USAGE, columns, COUNT(columns), print_usage, err);
}

/* --- offsets --------------------------------------------------------------- */

static int
offsets(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"offset", true}};
	struct positions places = {.list = NULL};
	int ret = -1;

	if (find_places(c, &places, err) == -1 ||
	    positions_resolve(&places, c->conn.target, c->point, err) == -1 ||
	    table_begin(c, columns, COUNT(columns), err) == -1)
		goto out;
	for (size_t i = 0; i < places.count; i++) {
		print_place(&c->table, &places.list[i]);
		print_int(&c->table, places.list[i].at);
		if (print_row(&c->table, err) == -1)
			goto out;
		outcome_done(&c->outcome);
	}
	ret = table_end(c, err);
out:
	positions_release(&places);
	return ret;
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
    [TOPICS_LIST] = list,
    [TOPICS_DESCRIBE] = describe,
    [TOPICS_CREATE] = create,
    [TOPICS_ALTER] = alter,
    [TOPICS_DELETE] = remove_topics,
    [TOPICS_TRIM] = trim,
    [TOPICS_CLEAN] = clean,
    [TOPICS_OFFSETS] = offsets,
    [TOPICS_DU] = disk_usage,
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
