#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_real.h"

/* A file that the tool opens must not become its stdout. What stands in fails
 * in the direction that is used: reading /dev/null write-only, and so on. */
static void
descriptors_fill(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			/* cppcheck-suppress leakReturnValNotUsed ; it is kept open on purpose */
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static void
level_set(const struct options *o)
{
	size_t verbose = options_count(o, 'v');

	if (verbose > 0)
		report_set_level(verbose > 1 ? OS_DEBUG : OS_INFO);
	else if (options_has(o, 'q'))
		report_set_level(OS_ERROR);
}

int
tool_start(struct options *o, const struct tool_spec *tool, int argc, char **argv)
{
	struct err err;

	descriptors_fill();
	report_init(tool->name);
	signals_init();
	if (argc >= 2 && strcmp(argv[1], "--complete-words") == 0) {
		*o = (struct options){.tool = tool, .verb = -1};
		options_complete(tool, (size_t)argc - 2, argv + 2, stdout);
		return report_finish(EXIT_OK);
	}
	if (options_parse(o, tool, argc, argv, &err) == -1)
		return report_usage(&err);
	switch (o->action) {
	case OPTIONS_HELP:
		options_usage(tool, stdout);
		return report_finish(EXIT_OK);
	case OPTIONS_VERSION:
		printf("%s %s\n", tool->name, MQ_VERSION);
		return report_finish(EXIT_OK);
	case OPTIONS_DUMP:
		options_dump(tool, stdout);
		return report_finish(EXIT_OK);
	case OPTIONS_RUN:
		break;
	}
	level_set(o);
	return -1;
}

int
tool_run(const struct options *o, int (*run)(struct os *os, const struct options *o))
{
	struct err err;
	struct os *os = os_real_new(&err);
	int status;

	if (os == NULL)
		return report_fail(&err);
	os_real_set_note(os, report_note, NULL);
	status = run(os, o);
	os_free(os);
	return status;
}

bool
tool_color(const struct options *o, int fd)
{
	const struct option *found = options_last(o, OPT_COLOR);
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	/* A bare --color means always. */
	if (found != NULL && found->choice != COLOR_AUTO)
		return found->choice != COLOR_NEVER;
	if (no_color != NULL && *no_color != '\0')
		return false;
	return isatty(fd) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}
