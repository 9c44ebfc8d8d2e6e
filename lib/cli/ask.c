#include "cli/ask.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool
ask_can(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool
ask_delete(const char *what, const char *with, const char *const *names, size_t count)
{
	char line[64];

	if (count == 1) {
		fprintf(stderr, "delete %s %s and all its %s? [y/N] ", what, names[0], with);
	} else {
		for (size_t i = 0; i < count; i++)
			fprintf(stderr, "%s\n", names[i]);
		fprintf(stderr, "delete these %zu %ss and all their %s? [y/N] ", count, what,
		    with);
	}
	if (fgets(line, sizeof(line), stdin) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}
