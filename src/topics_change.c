/* mq-topics' commands that make, change or delete: create, alter, delete, trim, clean. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/signals.h"
#include "cli/tools.h"
#include "store/store.h"
#include "topics.h"

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
	if (topics_admin(c, &call, err) == -1)
		return -1;
	outcome_done(&c->outcome);
	report_info("topic %s created", name);
	return 0;
}

int
topics_create(struct topics *c, struct err *err)
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

	if (c->partition_count == (int64_t)t->partition_count)
		return err_set(err, ERR_REFUSED, "topic %s already has %zu partition%s", t->name,
		    t->partition_count, t->partition_count == 1 ? "" : "s");
	if (c->partition_count >= 0 && c->partition_count < (int64_t)t->partition_count)
		return err_set(err, ERR_REFUSED,
		    "topic %s has %zu partitions, and none can be taken away", t->name,
		    t->partition_count);
	if (c->dry_run) {
		would(c, "alter", t->name);
		return 0;
	}
	if (c->partition_count >= 0 && topics_admin(c, &grow, err) == -1)
		return -1;
	if (c->config_count > 0 && topics_admin(c, &set, err) == -1)
		return -1;
	outcome_done(&c->outcome);
	report_info("topic %s changed", t->name);
	return 0;
}

int
topics_alter(struct topics *c, struct err *err)
{
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++)
		if (alter_one(c, c->found[i], err) == -1)
			outcome_fail(&c->outcome, err);
	return 0;
}

/* --- delete, trim, clean --------------------------------------------------- */

/* Takes Kafka's own topics out of those whose records go: with them every group would
 * forget where it was. */
static void
refuse_internal(struct topics *c, const char *done, struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->found_count; i++) {
		const struct target_topic *t = c->found[i];

		if (!t->internal) {
			c->names[kept] = t->name;
			c->found[kept++] = t;
			continue;
		}
		err_set(err, ERR_REFUSED, "topic %s is Kafka's own, and is not %s%s", t->name, done,
		    strcmp(t->name, "__consumer_offsets") == 0
		        ? " (mq-groups delete GROUP forgets a group's offsets)"
		        : "");
		outcome_fail(&c->outcome, err);
	}
	c->found_count = kept;
}

int
topics_delete(struct topics *c, struct err *err)
{
	bool asks;

	refuse_internal(c, "deleted", err);
	asks = !options_has(c->options, 'y') && !c->dry_run && c->found_count > 0;
	if (asks && !ask_delete("topic", "records", c->names, c->found_count)) {
		c->outcome = (struct outcome){.failed = 1, .status = EXIT_NO};
		return 0;
	}
	for (size_t i = 0; i < c->found_count && signals_caught() == 0; i++) {
		struct admin_call call = {.op = ADMIN_DELETE_TOPIC, .topic = c->found[i]->name};

		if (c->dry_run)
			printf("would delete %s\n", call.topic);
		else if (topics_admin(c, &call, err) == -1) {
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
	if (topics_admin(c, &call, err) == -1)
		return -1;
	*start = call.offset;
	return 0;
}

static int
trim_row(struct topics *c, const struct position *at, struct err *err)
{
	int64_t start;

	if (trim_one(c, at, &start, err) == -1)
		return -1;
	print_text(&c->table, at->topic);
	print_int(&c->table, at->partition);
	print_int(&c->table, at->start);
	print_int(&c->table, start);
	return 1;
}

int
topics_trim(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"old", true}, {"new", true}};

	refuse_internal(c, "trimmed", err);
	return topics_each_place(c, &c->point, columns, COUNT(columns), trim_row, err);
}

static int
clean_row(struct topics *c, const struct position *at, struct err *err)
{
	struct admin_call call = {
	    .op = ADMIN_CLEAN, .topic = at->topic, .partition = at->partition};

	if (topics_admin(c, &call, err) == -1)
		return -1;
	print_text(&c->table, at->topic);
	print_int(&c->table, at->partition);
	print_int(&c->table, call.cleaned.segments_deleted);
	print_int(&c->table, call.cleaned.bytes_deleted);
	print_int(&c->table, call.cleaned.segments_compacted);
	print_int(&c->table, call.cleaned.bytes_before);
	print_int(&c->table, call.cleaned.bytes_after);
	return 1;
}

int
topics_clean(struct topics *c, struct err *err)
{
	static const struct column columns[] = {{"topic", false}, {"partition", true},
	    {"deleted", true}, {"bytes_deleted", true}, {"compacted", true},
	    {"bytes_before", true}, {"bytes_after", true}};

	return topics_each_place(c, NULL, columns, COUNT(columns), clean_row, err);
}
