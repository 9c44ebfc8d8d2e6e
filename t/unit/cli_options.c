/* options, tools' tables, nearest, report's exit statuses. */
#include "tap.h"

#include <stdlib.h>

#include "cli/nearest.h"
#include "cli/report.h"
#include "cli/tools.h"

#define ARGC_MAX 16

/* Splits "a b c" at spaces and parses; '~' stands for a space in a word. */
static int
parse(struct options *o, const struct tool_spec *tool, const char *line, struct err *err)
{
	static char copy[256];
	static char *argv[ARGC_MAX + 1];
	char name[] = "tool", *rest = copy, *word;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	argv[argc++] = name;
	while (argc < ARGC_MAX && (word = strsep(&rest, " ")) != NULL) {
		for (char *c = word; *c != '\0'; c++)
			if (*c == '~')
				*c = ' ';
		if (*line != '\0')
			argv[argc++] = word;
	}
	err->text[0] = '\0';
	return options_parse(o, tool, argc, argv, err);
}

static void
shapes(void)
{
	struct options o;
	struct err err;
	size_t at = 0;

	is_int(parse(&o, &tool_consume, "-t a -eJ -c5 --topic=b c -o -10 -- -d", &err), 0,
	    "letters, bundles, long names, operands: %s", err.text);
	is_str(options_each(&o, 't', &at), "a", "the first of a repeated option");
	is_str(options_each(&o, 't', &at), "b", "the second");
	is_str(options_each(&o, 't', &at), NULL, "no third");
	ok(options_has(&o, 'e') && options_has(&o, 'J'), "a bundle");
	is_str(options_value(&o, 'c'), "5", "an argument in the same word");
	is_str(options_value(&o, 'o'), "-10", "an argument that begins with a dash");
	is_int((intmax_t)o.operand_count, 2, "operands among options");
	is_str(o.operands[0], "c", "the operand in the middle");
	is_str(o.operands[1], "-d", "after -- all are operands");
	options_release(&o);

	is_int(parse(&o, &tool_consume, "-p -1 -p-1 --partition -1 --offset=-3 -", &err), 0,
	    "-1 in all its places");
	is_int((intmax_t)options_count(&o, 'p'), 3, "three times -p");
	is_str(o.operands[0], "-", "a lone dash is an operand");
	options_release(&o);

	is_int(
	    parse(&o, &tool_produce, "-Pt x -l -Z --null=NIL --null", &err), 0, "kcat's -P and -l");
	is_int((intmax_t)options_count(&o, 'Z'), 3, "an optional argument may be missing");
	is_str(o.found[4].value, "NIL", "and is taken behind =");
	is_str(options_value(&o, 'Z'), NULL, "and never from the next word");
	options_release(&o);
}

static void
choices(void)
{
	struct options o;
	struct err err;

	parse(&o, &tool_produce, "-a1 --partitioner=rr", &err);
	is_int(options_choice(&o, 'a', CHOICE_ACKS_ALL), CHOICE_ACKS_1, "a choice by letter");
	is_int(options_choice(&o, OPT_PARTITIONER, -1), PARTITIONER_RR, "a choice by name");
	is_int(options_choice(&o, 'z', 7), 7, "not given");
	options_release(&o);
	parse(&o, &tool_topics, "--color=never", &err);
	is_int(options_choice(&o, OPT_COLOR, -1), COLOR_NEVER, "an optional choice");
	options_release(&o);
	is_int(parse(&o, &tool_consume, "--commit=after", &err), -1, "no abbreviated choice");
	is_str(err.text, "--commit: 'after' is not one of after-write|end|never", "its message");
	options_release(&o);
}

static void
mistakes(void)
{
	static const struct {
		const struct tool_spec *tool;
		const char *line, *want;
	} table[] = {
	    {&tool_consume, "--offst 3", "unknown option --offst (did you mean --offset?)"},
	    {&tool_consume, "--off 3", "unknown option --off (did you mean --offset?)"},
	    {&tool_consume, "--xyzzy", "unknown option --xyzzy (-h lists them)"},
	    {&tool_consume, "-9", "unknown option -9 (-h lists them)"},
	    {&tool_consume, "-e\x01", "unknown option -\\x01 (-h lists them)"},
	    {&tool_consume, "-t", "-t needs an argument: TOPIC"},
	    {&tool_consume, "--topic", "--topic needs an argument: TOPIC"},
	    {&tool_consume, "--json=1", "--json takes no argument"},
	    {&tool_topics, "lst", "unknown command 'lst' (did you mean list?)"},
	    {&tool_topics, "xyzzy", "unknown command 'xyzzy' (a topic goes behind one: mq-topics list xyzzy)"},
	    {&tool_topics, "list --partitions 3", "--partitions does not go with list"},
	    {&tool_topics, "-o 3 create x", "-o does not go with create"},
	    {&tool_topics, "-n", "-n does not go with list"},
	    {&tool_index, "", "a command is missing (-h lists them)"},
	};
	struct options o;
	struct err err;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		is_int(parse(&o, table[i].tool, table[i].line, &err), -1, "refused: %s",
		    table[i].line);
		is_str(err.text, table[i].want, "its message");
		options_release(&o);
	}
}

static void
commands(void)
{
	struct options o;
	struct err err;

	parse(&o, &tool_topics, "-d /tmp describe a b", &err);
	is_int(o.verb, TOPICS_DESCRIBE, "the command may follow options");
	is_int((intmax_t)o.operand_count, 2, "and is no operand");
	is_str(o.operands[0], "a", "which come behind it");
	options_release(&o);
	parse(&o, &tool_groups, "", &err);
	is_int(o.verb, GROUPS_LIST, "a command by default");
	options_release(&o);
	parse(&o, &tool_topics, "create -h --nonsense", &err);
	is_int(o.action, OPTIONS_HELP, "-h ends parsing");
	options_release(&o);
	parse(&o, &tool_index, "--dump-options", &err);
	is_int(o.action, OPTIONS_DUMP, "the table for machines");
	options_release(&o);
}

static void
numbers(void)
{
	struct options o;
	struct err err;
	int64_t n = 42;

	parse(&o, &tool_consume, "-c 12 -m 1.5", &err);
	is_int(options_int(&o, 'c', 1, 100, &n, &err), 0, "a number");
	is_int(n, 12, "its value");
	is_int(options_seconds(&o, 'm', 0, 100000, &n, &err), 0, "seconds");
	is_int(n, 1500, "in milliseconds");
	is_int(options_int(&o, OPT_TAIL, 1, 100, &n, &err), 0, "an option that was not given");
	is_int(n, 1500, "leaves the value alone");
	is_int(options_int(&o, 'c', 20, 100, &n, &err), -1, "out of range");
	is_str(err.text, "-c: 12 is out of range (20 to 100)", "its message");
	options_release(&o);
	parse(&o, &tool_consume, "-c 12x", &err);
	is_int(options_int(&o, 'c', 1, 100, &n, &err), -1, "no number");
	is_str(err.text, "-c: '12x' is not a number", "its message");
	options_release(&o);
}

/* What holds for every row of every table. */
static void
tables(void)
{
	for (size_t t = 0; tools_all[t] != NULL; t++) {
		const struct option_spec *rows = tools_all[t]->options;
		bool unique = true, helped = true, fits = true;

		for (const struct option_spec *a = rows; a->id != 0; a++) {
			for (const struct option_spec *b = rows; b < a; b++)
				unique &= a->id != b->id && (a->name == NULL || b->name == NULL ||
								strcmp(a->name, b->name) != 0);
			helped &= (a->flags & OPTION_IGNORED) != 0 ||
				  (a->name != NULL && a->help[0] != '\0');
			fits &= strpbrk(a->help, "\t\n") == NULL && strlen(a->help) <= 60;
		}
		ok(unique, "%s: each letter and name once", tools_all[t]->name);
		ok(helped, "%s: each option has a long name and help", tools_all[t]->name);
		ok(fits, "%s: help fits a line", tools_all[t]->name);
		ok(rows[0].group != NULL, "%s: the first option has a heading", tools_all[t]->name);
	}
}

static void
printed(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	options_dump(&tool_topics, f);
	fclose(f);
	ok(strstr(text, "option\t-\tpartitions\tN\tnumber of partitions\tcreate,alter\t-\t-\n") !=
		NULL,
	    "a row of the dump");
	ok(strstr(text, "verb\tlist\tnames\t[topic ...]\tdefault\n") != NULL, "a command's row");
	free(text);
	f = open_memstream(&text, &size);
	options_usage(&tool_produce, f);
	fclose(f);
	ok(strstr(text, "  -Z, --null[=STR]            an empty") != NULL,
	    "a line of the usage text");
	ok(strstr(text, "-P") == NULL, "ignored options are not shown");
	free(text);
}

static void
statuses(void)
{
	is_int(report_status(0), 0, "done");
	is_int(report_status(ERR_INVALID), EXIT_DATA, "bad input");
	is_int(report_status(ERR_NOT_FOUND), EXIT_NOINPUT, "not found");
	is_int(report_status(ERR_UNKNOWN_TOPIC_OR_PARTITION), EXIT_NOINPUT, "no such topic");
	is_int(report_status(ERR_REFUSED), EXIT_REFUSED, "refused");
	is_int(report_status(ERR_BUSY), EXIT_LATER, "busy");
	is_int(report_status(ERR_NO_SPACE), EXIT_IO, "disk full");
	is_int(report_status(ERR_CONFIG), EXIT_CONFIG, "configuration");
	is_int(report_status(ERR_REQUEST_TIMED_OUT), EXIT_LATER, "retriable");
	is_int(report_status(ERR_TOPIC_AUTHORIZATION_FAILED), EXIT_DENIED, "denied");
	is_int(report_status(ERR_INVALID_REQUIRED_ACKS), EXIT_REFUSED, "any other of Kafka's");
}

/* What `line`, split at spaces, could go on with; lines joined by a space. */
static void
completes(const struct tool_spec *tool, const char *line, const char *want)
{
	char copy[128], *words[ARGC_MAX], *rest = copy, *word, *text = NULL;
	size_t size = 0, count = 0;
	FILE *f = open_memstream(&text, &size);

	snprintf(copy, sizeof(copy), "%s", line);
	while (count < ARGC_MAX && (word = strsep(&rest, " ")) != NULL)
		words[count++] = word;
	options_complete(tool, count, words, f);
	fclose(f);
	for (char *c = text, *to = text; (*to = *c) != '\0'; c++) {
		/* without the help texts */
		if (*c == '\t' && text[0] != ':')
			c += strcspn(c, "\n");
		*to++ = *c == '\n' ? ' ' : *c;
	}
	is_str(text, want, "%s %s<TAB>", tool->name, line);
	free(text);
}

static void
completion(void)
{
	completes(&tool_topics, "cr", "create ");
	completes(&tool_topics, "create --pa", "--partitions ");
	completes(&tool_topics, "list --pa", "");
	completes(&tool_topics, "describe ", ":topic ");
	completes(&tool_topics, "-d /x describe ", ":topic\t-d/x ");
	completes(&tool_topics, "--dir=/x describe ", ":topic\t-d/x ");
	completes(&tool_consume, "-eG", "");
	completes(&tool_consume, "-eG ", ":group ");
	completes(&tool_consume, "--dir = /y -t ", ":topic\t-d/y ");
	completes(&tool_consume, "-F conf -bh:1,[::1]:2 -t ", ":topic\t-bh:1,[::1]:2\t-Fconf ");
	completes(&tool_consume, "--commit ", "after-write end never ");
	completes(&tool_consume, "--commit=e", "--commit=end ");
	completes(&tool_consume, "--commit = e", "end ");
	completes(&tool_consume, "--commit =", "after-write end never ");
	completes(&tool_topics, "--color = al", "always ");
	completes(&tool_consume, "--tail ", "");
	completes(&tool_produce, "-- --", ":file ");
	completes(&tool_produce, "-a", "");
	completes(&tool_dump_log, "", ":file :topic ");
}

int
main(void)
{
	completion();
	shapes();
	choices();
	mistakes();
	commands();
	numbers();
	tables();
	printed();
	statuses();
	return tap_done();
}
