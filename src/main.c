/* main: finds the tool that this program was called as, and runs it. */

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "cli/tool.h"
#include "programs.h"

static const struct program {
	const struct tool_spec *spec;
	int (*run)(const struct options *o);
} programs[] = {
    {&tool_produce, mq_produce},
    {&tool_consume, mq_consume},
    {&tool_topics, mq_topics},
    {&tool_groups, mq_groups},
    {&tool_dump_log, mq_dump_log},
    {&tool_index, mq_index},
    {&tool_mqd, mqd},
};

/* NULL: none has this name. */
static const struct program *
program_find(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;

	for (size_t i = 0; i < COUNT(programs); i++)
		if (strcmp(programs[i].spec->name, name) == 0)
			return &programs[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	const struct program *program = program_find(argc > 0 ? argv[0] : "");
	struct options o;
	int status;

	if (program == NULL) {
		fprintf(stderr, "mq: called as '%s', which is no tool's name (link it as mq-produce, "
		    "mq-consume, ...)\n", argc > 0 ? argv[0] : "");
		return EXIT_USAGE;
	}
	status = tool_start(&o, program->spec, argc, argv);
	if (status == -1)
		status = program->run(&o);
	options_release(&o);
	status = report_finish(status);
	if (signals_caught() != 0)
		signals_raise(signals_caught());
	return status;
}
