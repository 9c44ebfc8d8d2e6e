/*
 * select: which topics or groups are meant by the words of a command line.
 *
 * A word is a name, a glob (with * ? or [), or ^REGEX (POSIX extended). As a
 * shell's * passes over names that begin with a dot, globs and expressions pass
 * over names that begin with "__", Kafka's own, unless they begin with "_".
 */
#ifndef CLI_SELECT_H
#define CLI_SELECT_H

#include <regex.h>

#include "cli/options.h"
#include "cli/outcome.h"

enum pattern_kind { PATTERN_NAME, PATTERN_GLOB, PATTERN_REGEX };

struct pattern {
	const char *text; /* argv's */
	enum pattern_kind kind;
	regex_t regex;
	bool matched;
};

struct selection {
	const char *what; /* "topic", for messages */
	const char *hint; /* the caller's: what helps if a name is not there; or NULL */
	struct pattern *list; /* owned */
	size_t count;
};

enum select_flags {
	SELECT_OPERANDS = 1, /* the operands too, behind the option's values */
	SELECT_NAMES = 2,    /* every word is a name, whatever it looks like */
};

/* Takes the values of the option `id`. `s` is released in either case. Returns 0,
 * or -1: ERR_INVALID (an empty word, a bad expression), ERR_NOMEM. */
int selection_init(struct selection *s, const struct options *o, int id, int flags,
    const char *what, struct err *err);
void selection_release(struct selection *s);

/* True if the name is meant; remembers which words it matched. No words mean
 * everything. */
bool selection_has(struct selection *s, const char *name);

/* The first word that matched no name, or NULL. */
const char *selection_unmatched(const struct selection *s);

/* After all `names` went through selection_has: a failure with the nearest name and the hint
 * (ERR_UNKNOWN_TOPIC_OR_PARTITION, ERR_GROUP_ID_NOT_FOUND, or another `code`) for
 * each word that matched none. */
void selection_tell_unmatched(const struct selection *s, const char *const *names,
    size_t name_count, int code, struct outcome *outcome);

#endif
