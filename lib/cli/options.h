/*
 * options: a command line as a table, and what was found on one.
 *
 * cli is what the tools share above libmq: options, configuration, messages to
 * people, records in and out, tables. It may make system calls and write to
 * stdout and stderr; its parsers are pure. It knows nothing of stores and logs
 * beyond `struct record`.
 *
 * One table per tool (tools.c) feeds parsing, usage text, the man page's check
 * and the completions; no option is written down twice.
 *
 * Grammar: -a -bVALUE -b VALUE, bundles (-ac5), --name=VALUE, --name VALUE,
 * "--" ends the options, operands may stand among options. An option that
 * takes an argument takes the next word whatever it looks like ("-o -10"). An
 * optional argument is only taken as --name=VALUE. Names are not abbreviated.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum option_flags {
	OPTION_REPEAT = 1,  /* may be given more than once; else the last one holds */
	OPTION_HIDDEN = 2,  /* not in usage, man page and completions */
	OPTION_IGNORED = 4, /* kcat's: accepted, without effect; hidden too */
};

/* What a completion offers for an argument. */
enum option_complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIR,
	COMPLETE_TOPIC,
	COMPLETE_GROUP,
	COMPLETE_LOG, /* a topic, a file or a directory */
};

/* One row. The id is the short letter, or a number above 255 (tools.h) for an
 * option that has only a long name. */
struct option_spec {
	int id;            /* 0 ends the table */
	const char *name;  /* long name, without dashes; NULL: none */
	const char *arg;   /* NULL: none. "[X]": optional. "a|b|c": one of these words */
	const char *help;  /* one line, lower case, no full stop */
	const char *group; /* heading in the usage text; NULL: that of the row before */
	uint32_t verbs;    /* bit per verb of the tool; 0: goes with all */
	uint8_t flags;
	uint8_t complete;
};

struct verb_spec {
	const char *name;
	const char *operands; /* as in the synopsis; NULL: takes none */
	const char *help;
};

struct tool_spec {
	const char *name; /* "mq-produce" */
	const char *help; /* one line */
	const char *operands;
	const struct verb_spec *verbs; /* NULL: no commands; else ends with name NULL */
	int default_verb;              /* -1: one must be named */
	const struct option_spec *options;
	uint8_t complete; /* of operands */
};

/* One option as found. */
struct option {
	const struct option_spec *spec;
	const char *value; /* argv's, or NULL */
	int choice;        /* which of "a|b|c", or -1 */
};

enum option_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_DUMP };

struct options {
	const struct tool_spec *tool;
	enum option_action action;
	int verb; /* index into the tool's verbs, -1 if it has none */
	struct option *found;
	size_t count;
	const char **operands; /* argv's words */
	size_t operand_count;
};

/* Parses argv[1..]. Returns 0, or -1 with err (ERR_INVALID: a usage error, one
 * line that names the option and suggests the nearest; ERR_NOMEM). -h, -V and
 * --dump-options end parsing and set `action`. The result points into argv;
 * release it in either case. */
int options_parse(struct options *o, const struct tool_spec *tool, int argc, char **argv,
    struct err *err);
void options_release(struct options *o);

/* How often an option was given. */
size_t options_count(const struct options *o, int id);

static inline bool
options_has(const struct options *o, int id)
{
	return options_count(o, id) > 0;
}

/* The last one given, or NULL. Its value, or NULL. Its choice, or `otherwise`. */
const struct option *options_last(const struct options *o, int id);
const char *options_value(const struct options *o, int id);
int options_choice(const struct options *o, int id, int otherwise);

/* Goes through one option's values in order: `at` starts at 0; NULL at the end. */
const char *options_each(const struct options *o, int id, size_t *at);

/* Reads the last value as a number, or as a time (plain numbers are seconds; told
 * in milliseconds), within [min, max]; leaves `out` alone if the option was not
 * given. Returns 0, or -1 with err: "-c: '12x' is not ...". */
int options_int(const struct options *o, int id, int64_t min, int64_t max, int64_t *out,
    struct err *err);
int options_seconds(const struct options *o, int id, int64_t min_ms, int64_t max_ms,
    int64_t *out_ms, struct err *err);

/* A row of the table, or NULL. */
const struct option_spec *option_by_name(const struct tool_spec *tool, const char *name,
    size_t len);
const struct option_spec *option_by_letter(const struct tool_spec *tool, char letter);

/* "-c", "--tail": an option's name for a message. */
const char *option_name(const struct option_spec *spec, char out[32]);

/* The usage text (-h). */
void options_usage(const struct tool_spec *tool, FILE *out);

/* The table for machines (--dump-options), tab-separated, "-" for nothing:
 *   tool    NAME  HELP  OPERANDS  COMPLETE
 *   verb    NAME  HELP  OPERANDS  default|-
 *   option  SHORT LONG  ARG HELP  VERBS(comma)  repeat|-  COMPLETE
 * Hidden options are left out. Completions and tests read it. */
void options_dump(const struct tool_spec *tool, FILE *out);

/* What the last of `words` could become (--complete-words; completions/ call
 * it): a candidate a line, with a tab and its help, or a request to the shell:
 *   :file  :dir  :topic DIR  :group DIR      (tab-separated; DIR as -d gave it)
 * Bash's splitting of --name=value into three words is understood. */
void options_complete(const struct tool_spec *tool, size_t word_count, char *const *words,
    FILE *out);

#endif
