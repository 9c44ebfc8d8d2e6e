/* What the tables say to people (-h) and to machines (--dump-options). */
#include <string.h>

#include "cli/options.h"

#define HELP_COLUMN 28

static bool
is_shown(const struct option_spec *spec)
{
	return (spec->flags & (OPTION_HIDDEN | OPTION_IGNORED)) == 0;
}

/* "-c, --count N", "    --tail N", "    --null[=STR]" */
static int
left_print(const struct option_spec *s, char *out, size_t size)
{
	char letter[8] = "    ";
	const char *arg = s->arg != NULL ? s->arg : "";

	if (s->id < 256)
		snprintf(letter, sizeof(letter), s->name != NULL ? "-%c, " : "-%c", s->id);
	if (s->name == NULL)
		return snprintf(out, size, "%s%s%s", letter, *arg != '\0' ? " " : "", arg);
	if (arg[0] == '[')
		return snprintf(out, size, "%s--%s[=%s", letter, s->name, arg + 1);
	return snprintf(out, size, "%s--%s%s%s", letter, s->name, *arg != '\0' ? "=" : "", arg);
}

/* " (create, alter)" after the help of an option of some commands only. */
static void
verbs_print(const struct tool_spec *tool, uint32_t verbs, const char *before, const char *between,
    const char *after, FILE *out)
{
	bool any = false;

	for (int i = 0; tool->verbs != NULL && tool->verbs[i].name != NULL; i++) {
		if ((verbs & 1u << i) == 0)
			continue;
		fprintf(out, "%s%s", any ? between : before, tool->verbs[i].name);
		any = true;
	}
	if (any)
		fputs(after, out);
}

static void
option_print(const struct tool_spec *tool, const struct option_spec *s, FILE *out)
{
	char left[96];
	int len = left_print(s, left, sizeof(left));

	if (len < HELP_COLUMN)
		fprintf(out, "  %-*s %s", HELP_COLUMN - 1, left, s->help);
	else
		fprintf(out, "  %s\n  %*s%s", left, HELP_COLUMN, "", s->help);
	if (s->verbs != 0)
		verbs_print(tool, s->verbs, " (", ", ", ")", out);
	fputc('\n', out);
}

static void
synopsis_print(const struct tool_spec *tool, FILE *out)
{
	if (tool->verbs == NULL) {
		fprintf(out, "usage: %s [option ...]%s%s\n", tool->name,
		    tool->operands != NULL ? " " : "",
		    tool->operands != NULL ? tool->operands : "");
		return;
	}
	fprintf(out, "usage: %s %scommand%s [option ...] [argument ...]\n", tool->name,
	    tool->default_verb >= 0 ? "[" : "", tool->default_verb >= 0 ? "]" : "");
}

void
options_usage(const struct tool_spec *tool, FILE *out)
{
	synopsis_print(tool, out);
	fprintf(out, "%s\n", tool->help);
	if (tool->verbs != NULL)
		fputs("\nCommands\n", out);
	for (int i = 0; tool->verbs != NULL && tool->verbs[i].name != NULL; i++) {
		const struct verb_spec *v = &tool->verbs[i];
		char left[96];

		snprintf(left, sizeof(left), "%s%s%s", v->name, v->operands != NULL ? " " : "",
		    v->operands != NULL ? v->operands : "");
		fprintf(out, "  %-*s %s%s\n", HELP_COLUMN - 1, left, v->help,
		    i == tool->default_verb ? " (default)" : "");
	}
	for (const struct option_spec *s = tool->options; s->id != 0; s++) {
		if (!is_shown(s))
			continue;
		if (s->group != NULL)
			fprintf(out, "\n%s\n", s->group);
		option_print(tool, s, out);
	}
}

static const char *
or_dash(const char *s)
{
	return s != NULL && *s != '\0' ? s : "-";
}

static const char *
complete_name(uint8_t complete)
{
	static const char *const names[] = {"-", "file", "dir", "topic", "group", "log"};

	return names[complete];
}

void
options_dump(const struct tool_spec *tool, FILE *out)
{
	fprintf(out, "tool\t%s\t%s\t%s\t%s\n", tool->name, tool->help, or_dash(tool->operands),
	    complete_name(tool->complete));
	for (int i = 0; tool->verbs != NULL && tool->verbs[i].name != NULL; i++)
		fprintf(out, "verb\t%s\t%s\t%s\t%s\n", tool->verbs[i].name, tool->verbs[i].help,
		    or_dash(tool->verbs[i].operands), i == tool->default_verb ? "default" : "-");
	for (const struct option_spec *s = tool->options; s->id != 0; s++) {
		char letter[2] = {s->id < 256 ? (char)s->id : '-', '\0'};

		if (!is_shown(s))
			continue;
		fprintf(out, "option\t%s\t%s\t%s\t%s\t", letter, or_dash(s->name), or_dash(s->arg),
		    s->help);
		if (s->verbs == 0)
			fputs("-", out);
		verbs_print(tool, s->verbs, "", ",", "", out);
		fprintf(out, "\t%s\t%s\n", (s->flags & OPTION_REPEAT) != 0 ? "repeat" : "-",
		    complete_name(s->complete));
	}
}
