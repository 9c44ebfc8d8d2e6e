#include "cli/options.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/nearest.h"

/* argv while it is being read. */
struct reader {
	char **argv;
	int argc, at; /* the next word */
};

/* Understood by every tool; in no table, because people need not know it. */
static const struct option_spec dump_options = {
    .id = 1,
    .name = "dump-options",
    .flags = OPTION_HIDDEN,
};

const char *
option_name(const struct option_spec *spec, char out[32])
{
	if (spec->id < 256)
		snprintf(out, 32, "-%c", spec->id);
	else
		snprintf(out, 32, "--%s", spec->name);
	return out;
}

const struct option_spec *
option_by_name(const struct tool_spec *tool, const char *name, size_t len)
{
	for (const struct option_spec *s = tool->options; s->id != 0; s++)
		if (s->name != NULL && strlen(s->name) == len && strncmp(s->name, name, len) == 0)
			return s;
	if (strlen(dump_options.name) == len && strncmp(dump_options.name, name, len) == 0)
		return &dump_options;
	return NULL;
}

const struct option_spec *
option_by_letter(const struct tool_spec *tool, char letter)
{
	for (const struct option_spec *s = tool->options; s->id != 0; s++)
		if (s->id == (unsigned char)letter)
			return s;
	return NULL;
}

static bool
takes_optional(const struct option_spec *spec)
{
	return spec->arg != NULL && spec->arg[0] == '[';
}

/* Which of "a|b|c" (in brackets or not) `value` is; -1 for none of them. */
static int
choice_find(const char *arg, const char *value)
{
	size_t len = strlen(value);
	int index = 0;

	for (const char *at = arg + (arg[0] == '['); *at != '\0'; index++) {
		size_t n = strcspn(at, "|]");

		if (n == len && strncmp(at, value, n) == 0)
			return index;
		at += n;
		if (*at == '|' || *at == ']')
			at++;
	}
	return -1;
}

static int
option_add(struct options *o, const struct option_spec *spec, const char *value, struct err *err)
{
	struct option *found;
	int choice = -1;
	char name[32];

	if (value != NULL && spec->arg != NULL && strchr(spec->arg, '|') != NULL) {
		choice = choice_find(spec->arg, value);
		if (choice == -1)
			return err_set(err, ERR_INVALID, "%s: '%s' is not one of %.*s",
			    option_name(spec, name), value,
			    (int)strcspn(spec->arg, "]") - (spec->arg[0] == '['),
			    spec->arg + (spec->arg[0] == '['));
	}
	found = reallocarray(o->found, o->count + 1, sizeof(*found));
	if (found == NULL)
		return err_nomem(err);
	o->found = found;
	found[o->count++] = (struct option){.spec = spec, .value = value, .choice = choice};
	if (spec->id == 'h')
		o->action = OPTIONS_HELP;
	else if (spec->id == 'V')
		o->action = OPTIONS_VERSION;
	else if (spec == &dump_options)
		o->action = OPTIONS_DUMP;
	return 0;
}

static int
unknown_long(const struct options *o, const char *name, size_t len, struct err *err)
{
	char word[64];
	struct nearest n;

	snprintf(
	    word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), name);
	nearest_init(&n, word);
	for (const struct option_spec *s = o->tool->options; s->id != 0; s++)
		if (s->name != NULL && (s->flags & (OPTION_HIDDEN | OPTION_IGNORED)) == 0)
			nearest_try(&n, s->name);
	if (n.best != NULL)
		return err_set(
		    err, ERR_INVALID, "unknown option --%s (did you mean --%s?)", word, n.best);
	return err_set(err, ERR_INVALID, "unknown option --%s (-h lists them)", word);
}

/* --name, --name=VALUE, --name VALUE */
static int
long_parse(struct options *o, struct reader *r, const char *word, struct err *err)
{
	const char *name = word + 2, *value = strchr(name, '=');
	size_t len = value != NULL ? (size_t)(value - name) : strlen(name);
	const struct option_spec *spec = option_by_name(o->tool, name, len);

	if (spec == NULL)
		return unknown_long(o, name, len, err);
	if (value != NULL && spec->arg == NULL)
		return err_set(err, ERR_INVALID, "--%s takes no argument", spec->name);
	if (value != NULL)
		return option_add(o, spec, value + 1, err);
	if (spec->arg == NULL || takes_optional(spec))
		return option_add(o, spec, NULL, err);
	if (r->at == r->argc)
		return err_set(
		    err, ERR_INVALID, "--%s needs an argument: %s", spec->name, spec->arg);
	return option_add(o, spec, r->argv[r->at++], err);
}

static int
unknown_short(char letter, struct err *err)
{
	if (letter > ' ' && letter < 127)
		return err_set(err, ERR_INVALID, "unknown option -%c (-h lists them)", letter);
	return err_set(
	    err, ERR_INVALID, "unknown option -\\x%02x (-h lists them)", (unsigned char)letter);
}

/* -a, -abc, -cVALUE, -c VALUE */
static int
short_parse(struct options *o, struct reader *r, const char *word, struct err *err)
{
	for (const char *at = word + 1; *at != '\0' && o->action == OPTIONS_RUN; at++) {
		const struct option_spec *spec = option_by_letter(o->tool, *at);

		if (spec == NULL)
			return unknown_short(*at, err);
		if (spec->arg == NULL || takes_optional(spec)) {
			if (option_add(o, spec, NULL, err) == -1)
				return -1;
			continue;
		}
		if (at[1] != '\0')
			return option_add(o, spec, at + 1, err);
		if (r->at == r->argc)
			return err_set(
			    err, ERR_INVALID, "-%c needs an argument: %s", *at, spec->arg);
		return option_add(o, spec, r->argv[r->at++], err);
	}
	return 0;
}

static int
unknown_verb(const struct options *o, const char *word, struct err *err)
{
	const struct tool_spec *tool = o->tool;
	struct nearest n;

	nearest_init(&n, word);
	for (const struct verb_spec *v = tool->verbs; v->name != NULL; v++)
		nearest_try(&n, v->name);
	if (n.best != NULL)
		return err_set(
		    err, ERR_INVALID, "unknown command '%s' (did you mean %s?)", word, n.best);
	/* Where one command is meant without being named, so may its operand be. */
	if (tool->default_verb != -1)
		return err_set(err, ERR_INVALID,
		    "unknown command '%s' (a %s goes behind one: %s %s %s)", word,
		    tool->complete == COMPLETE_GROUP ? "group" : "topic", tool->name,
		    tool->verbs[tool->default_verb].name, word);
	return err_set(err, ERR_INVALID, "unknown command '%s' (-h lists them)", word);
}

/* The first operand of a tool with commands names one. */
static int
verb_take(struct options *o, struct err *err)
{
	const char *word;

	o->verb = o->tool->default_verb;
	if (o->operand_count == 0 && o->verb == -1)
		return err_set(err, ERR_INVALID, "a command is missing (-h lists them)");
	if (o->operand_count == 0)
		return 0;
	word = o->operands[0];
	assert(word != NULL);
	for (int i = 0; o->tool->verbs[i].name != NULL; i++) {
		if (strcmp(o->tool->verbs[i].name, word) != 0)
			continue;
		o->verb = i;
		o->operand_count--;
		memmove(o->operands, o->operands + 1, o->operand_count * sizeof(o->operands[0]));
		return 0;
	}
	return unknown_verb(o, word, err);
}

/* Options and operands that do not go with the command, or with any. */
static int
verb_check(const struct options *o, struct err *err)
{
	const struct verb_spec *verb = o->verb >= 0 ? &o->tool->verbs[o->verb] : NULL;
	const char *operands = verb != NULL ? verb->operands : o->tool->operands;
	char name[32];

	for (size_t i = 0; verb != NULL && i < o->count; i++) {
		const struct option_spec *spec = o->found[i].spec;

		if (spec->verbs != 0 && (spec->verbs & 1u << o->verb) == 0)
			return err_set(err, ERR_INVALID, "%s does not go with %s",
			    option_name(spec, name), verb->name);
	}
	if (operands == NULL && o->operand_count > 0)
		return err_set(err, ERR_INVALID, "too many arguments: '%s'", o->operands[0]);
	return 0;
}

static int
words_parse(struct options *o, struct reader *r, struct err *err)
{
	bool options_ended = false;

	while (r->at < r->argc && o->action == OPTIONS_RUN) {
		const char *word = r->argv[r->at++];
		int rc = 0;

		if (options_ended || word[0] != '-' || word[1] == '\0')
			o->operands[o->operand_count++] = word;
		else if (strcmp(word, "--") == 0)
			options_ended = true;
		else if (word[1] == '-')
			rc = long_parse(o, r, word, err);
		else
			rc = short_parse(o, r, word, err);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
options_parse(
    struct options *o, const struct tool_spec *tool, int argc, char **argv, struct err *err)
{
	struct reader r = {.argv = argv, .argc = argc, .at = argc > 0 ? 1 : 0};

	*o = (struct options){.tool = tool, .verb = -1};
	o->operands = calloc((size_t)argc + 1, sizeof(o->operands[0]));
	if (o->operands == NULL)
		return err_nomem(err);
	if (words_parse(o, &r, err) == -1)
		return -1;
	if (o->action != OPTIONS_RUN)
		return 0;
	if (tool->verbs != NULL && verb_take(o, err) == -1)
		return -1;
	return verb_check(o, err);
}

void
options_release(struct options *o)
{
	free(o->found);
	free(o->operands);
	*o = (struct options){.verb = -1};
}

/* --- asking ---------------------------------------------------------------- */

size_t
options_count(const struct options *o, int id)
{
	size_t count = 0;

	for (size_t i = 0; i < o->count; i++)
		count += o->found[i].spec->id == id;
	return count;
}

const struct option *
options_last(const struct options *o, int id)
{
	for (size_t i = o->count; i > 0; i--)
		if (o->found[i - 1].spec->id == id)
			return &o->found[i - 1];
	return NULL;
}

const char *
options_value(const struct options *o, int id)
{
	const struct option *found = options_last(o, id);

	return found != NULL ? found->value : NULL;
}

int
options_choice(const struct options *o, int id, int otherwise)
{
	const struct option *found = options_last(o, id);

	return found != NULL && found->choice >= 0 ? found->choice : otherwise;
}

const char *
options_each(const struct options *o, int id, size_t *at)
{
	while (*at < o->count) {
		const struct option *found = &o->found[(*at)++];

		if (found->spec->id == id && found->value != NULL)
			return found->value;
	}
	return NULL;
}

static int
options_number(const struct options *o, int id,
    int (*parse)(const char *, int64_t, int64_t, int64_t *), const char *what, int64_t min,
    int64_t max, int64_t *out, struct err *err)
{
	const struct option *found = options_last(o, id);
	char name[32];
	int64_t any;

	if (found == NULL || found->value == NULL)
		return 0;
	if (parse(found->value, min, max, out) == 0)
		return 0;
	option_name(found->spec, name);
	if (parse(found->value, INT64_MIN, INT64_MAX, &any) == 0)
		return err_set(err, ERR_INVALID, "%s: %s is out of range (%lld to %lld)", name,
		    found->value, (long long)min, (long long)max);
	return err_set(err, ERR_INVALID, "%s: '%s' is not %s", name, found->value, what);
}

int
options_int(
    const struct options *o, int id, int64_t min, int64_t max, int64_t *out, struct err *err)
{
	return options_number(o, id, text_int, "a number", min, max, out, err);
}

int
options_seconds(const struct options *o, int id, int64_t min_ms, int64_t max_ms, int64_t *out_ms,
    struct err *err)
{
	return options_number(o, id, text_duration_s, "a time, such as 1.5 (seconds) or 2m", min_ms,
	    max_ms, out_ms, err);
}
