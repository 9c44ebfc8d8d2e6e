/* mq-topics' commands that only look: list, describe, offsets, du. */
#include <stdio.h>
#include <string.h>

#include "cli/signals.h"
#include "cli/tools.h"
#include "topics.h"

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

/* Looks a point up in each by itself, so that one that cannot be read does not hide
 * the others: it is told, and taken out. */
static int
resolve_each(struct topics *c, struct positions *places, struct point point, struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < places->count && signals_caught() == 0; i++) {
		struct positions one = {.list = &places->list[i], .count = 1};

		if (positions_resolve(&one, c->conn.target, point, err) == 0)
			places->list[kept++] = places->list[i];
		else if (err->code == ERR_NOMEM)
			return -1;
		else
			outcome_fail(&c->outcome, err);
	}
	places->count = kept;
	return 0;
}

static int
resolve(struct topics *c, struct positions *places, struct point point, struct err *err)
{
	if (positions_resolve(places, c->conn.target, point, err) == 0)
		return 0;
	return err->code == ERR_NOMEM ? -1 : resolve_each(c, places, point, err);
}

static int
print_rows(struct topics *c, const struct positions *places, topics_row *row, struct err *err)
{
	for (size_t i = 0; i < places->count && signals_caught() == 0; i++) {
		int got = row(c, &places->list[i], err);

		/* What is refused here is refused of all. */
		if (got == -1 && i == 0 && err->code == ERR_REFUSED)
			return -1;
		if (got == -1)
			outcome_fail(&c->outcome, err);
		if (got == 1 && print_row(&c->table, err) == -1)
			return -1;
		if (got == 1)
			outcome_done(&c->outcome);
	}
	return print_end(&c->table, err);
}

int
topics_each_place(struct topics *c, const struct point *point, const struct column *columns,
    size_t column_count, topics_row *row, struct err *err)
{
	const struct options *options = c->options;
	struct positions places = {.list = NULL};
	int ret = find_places(c, &places, err);

	if (ret == 0 && point != NULL)
		ret = resolve(c, &places, *point, err);
	if (ret == 0)
		ret = print_init_stdout(&c->table, columns, column_count, options, err);
	if (ret == 0)
		ret = print_rows(c, &places, row, err);
	positions_release(&places);
	return ret;
}

/* --- list, describe -------------------------------------------------------- */

int
topics_list(struct topics *c, struct err *err)
{
	static const struct column columns[] = {{"topic", false}};

	if (print_init_stdout(&c->table, columns, COUNT(columns), c->options, err) == -1)
		return -1;
	/* Bare names, on a terminal too. */
	c->table.heading = options_has(c->options, OPT_HEADING);
	for (size_t i = 0; i < c->found_count; i++) {
		print_text(&c->table, c->found[i]->name);
		if (print_row(&c->table, err) == -1)
			return -1;
		outcome_done(&c->outcome);
	}
	return print_end(&c->table, err);
}

static int
describe_row(struct topics *c, const struct position *at, struct err *err)
{
	struct print *table = &c->table;
	char id[UUID_TEXT_SIZE];

	(void)err;
	uuid_format(&at->of->id, id);
	print_text(table, at->topic);
	print_int(table, at->partition);
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
	return 1;
}

/* What a topic sets itself; with -v all that holds for it. */
static int
describe_configs(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"config", false}, {"value", false}, {"from", false}};
	bool all = options_has(c->options, 'v');

	if (print_init_stdout(&c->table, columns, COUNT(columns), c->options, err) == -1)
		return -1;
	for (size_t i = 0; i < c->found_count; i++) {
		struct admin_call call = {.op = ADMIN_CONFIGS, .topic = c->found[i]->name};

		if (topics_admin(c, &call, err) == -1) {
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
	return print_end(&c->table, err);
}

int
topics_describe(struct topics *c, struct err *err)
{
	static const struct column columns[] = {{"topic", false}, {"partition", true},
	    {"leader", true}, {"epoch", true}, {"replicas", false}, {"isr", false},
	    {"start", true}, {"end", true}, {"id", false}};
	struct point end = {POINT_END, 0};

	if (topics_each_place(c, &end, columns, COUNT(columns), describe_row, err) == -1)
		return -1;
	return describe_configs(c, err);
}

/* --- offsets, du ----------------------------------------------------------- */

static int
offsets_row(struct topics *c, const struct position *at, struct err *err)
{
	(void)err;
	print_text(&c->table, at->topic);
	print_int(&c->table, at->partition);
	print_int(&c->table, at->at);
	return 1;
}

int
topics_offsets(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"offset", true}};

	return topics_each_place(c, &c->point, columns, COUNT(columns), offsets_row, err);
}

/* Of the many partitions that an internal topic has from its beginning most have no
 * files yet: they are not told of. */
static int
usage_row(struct topics *c, const struct position *at, struct err *err)
{
	struct admin_call call = {
	    .op = ADMIN_USAGE, .topic = at->topic, .partition = at->partition};

	if (topics_admin(c, &call, err) == -1)
		return -1;
	if (at->of->internal && call.segments == 0 && call.bytes == 0)
		return 0;
	print_text(&c->table, at->topic);
	print_int(&c->table, at->partition);
	if (call.segments >= 0)
		print_int(&c->table, call.segments);
	else
		print_nothing(&c->table);
	print_int(&c->table, call.bytes);
	return 1;
}

int
topics_usage(struct topics *c, struct err *err)
{
	static const struct column columns[] = {
	    {"topic", false}, {"partition", true}, {"segments", true}, {"bytes", true}};

	return topics_each_place(c, NULL, columns, COUNT(columns), usage_row, err);
}
