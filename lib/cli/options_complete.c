/* Completion: what could stand where the cursor is. */
#include <string.h>

#include "cli/options.h"

/* What the words before the cursor say. */
struct state {
	const struct tool_spec *tool;
	FILE *out;
	const struct option_spec *wants; /* an argument comes next */
	int verb;			 /* -1: none yet */
	bool options_ended;
	int place_letter; /* of -b or -d, the last of them; 0: none */
	const char *place;
	const char *config; /* -F; NULL: none */
};

static bool
needs_argument(const struct option_spec *spec)
{
	return spec->arg != NULL && spec->arg[0] != '[';
}

static void
argument_seen(struct state *s, const struct option_spec *spec, const char *value)
{
	if (spec->id == 'd' || spec->id == 'b') {
		s->place_letter = spec->id;
		s->place = value;
	} else if (spec->id == 'F') {
		s->config = value;
	}
}

static void
long_seen(struct state *s, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct option_spec *spec = option_by_name(s->tool, name, len);

	if (spec == NULL)
		return;
	if (name[len] == '=')
		argument_seen(s, spec, name + len + 1);
	else if (needs_argument(spec))
		s->wants = spec;
}

static void
short_seen(struct state *s, const char *letters)
{
	for (; *letters != '\0'; letters++) {
		const struct option_spec *spec = option_by_letter(s->tool, *letters);

		if (spec == NULL || !needs_argument(spec))
			continue;
		if (letters[1] != '\0')
			argument_seen(s, spec, letters + 1);
		else
			s->wants = spec;
		return;
	}
}

static void
operand_seen(struct state *s, const char *word)
{
	for (int i = 0; s->verb == -1 && s->tool->verbs != NULL && s->tool->verbs[i].name != NULL;
	     i++)
		if (strcmp(s->tool->verbs[i].name, word) == 0)
			s->verb = i;
}

static void
word_seen(struct state *s, const char *word)
{
	if (s->wants != NULL) {
		if (strcmp(word, "=") == 0)
			return;
		argument_seen(s, s->wants, word);
		s->wants = NULL;
	} else if (s->options_ended || word[0] != '-' || word[1] == '\0') {
		operand_seen(s, word);
	} else if (strcmp(word, "--") == 0) {
		s->options_ended = true;
	} else if (word[1] == '-') {
		long_seen(s, word + 2);
	} else {
		short_seen(s, word + 1);
	}
}

/* --- candidates ------------------------------------------------------------- */

/* What mq-topics and mq-groups are to list, and the options that say where. */
static void
names_offer(const struct state *s, const char *kind)
{
	fputs(kind, s->out);
	if (s->place_letter != 0)
		fprintf(s->out, "\t-%c%s", s->place_letter, s->place);
	if (s->config != NULL)
		fprintf(s->out, "\t-F%s", s->config);
	fputc('\n', s->out);
}

static void
kind_offer(const struct state *s, uint8_t complete)
{
	switch (complete) {
	case COMPLETE_FILE:
		fputs(":file\n", s->out);
		break;
	case COMPLETE_DIR:
		fputs(":dir\n", s->out);
		break;
	case COMPLETE_LOG:
		fputs(":file\n", s->out);
		/* FALLTHROUGH */
	case COMPLETE_TOPIC:
		names_offer(s, ":topic");
		break;
	case COMPLETE_GROUP:
		names_offer(s, ":group");
		break;
	default:
		break;
	}
}

/* An argument that begins with `start`; `before` is put in front of it. */
static void
argument_offer(const struct state *s, const struct option_spec *spec, const char *before,
    size_t before_len, const char *start)
{
	const char *at = spec->arg + (spec->arg[0] == '[');

	if (strchr(spec->arg, '|') == NULL) {
		kind_offer(s, spec->complete);
		return;
	}
	while (*at != '\0') {
		size_t n = strcspn(at, "|]");

		if (strncmp(at, start, strlen(start)) == 0)
			fprintf(s->out, "%.*s%.*s\n", (int)before_len, before, (int)n, at);
		at += n + (at[n] != '\0');
	}
}

static void
options_offer(const struct state *s, const char *word)
{
	for (const struct option_spec *spec = s->tool->options; spec->id != 0; spec++) {
		if ((spec->flags & (OPTION_HIDDEN | OPTION_IGNORED)) != 0)
			continue;
		if (s->verb >= 0 && spec->verbs != 0 && (spec->verbs & 1u << s->verb) == 0)
			continue;
		if (spec->id < 256 && strcmp(word, "-") == 0)
			fprintf(s->out, "-%c\t%s\n", spec->id, spec->help);
		if (strcmp(word, "-") == 0 ||
		    (word[1] == '-' && strncmp(spec->name, word + 2, strlen(word + 2)) == 0))
			fprintf(s->out, "--%s\t%s\n", spec->name, spec->help);
	}
}

static void
operands_offer(const struct state *s, const char *word)
{
	const struct verb_spec *verbs = s->tool->verbs;

	if (verbs == NULL || (s->verb >= 0 && verbs[s->verb].operands != NULL))
		kind_offer(s, s->tool->complete);
	for (int i = 0; s->verb == -1 && verbs != NULL && verbs[i].name != NULL; i++)
		if (strncmp(verbs[i].name, word, strlen(word)) == 0)
			fprintf(s->out, "%s\t%s\n", verbs[i].name, verbs[i].help);
}

/* "--name=start" in one word. */
static void
assignment_offer(const struct state *s, const char *word)
{
	size_t len = strcspn(word, "=");
	const struct option_spec *spec = option_by_name(s->tool, word + 2, len - 2);

	if (spec != NULL && spec->arg != NULL)
		argument_offer(s, spec, word, len + 1, word + len + 1);
}

/* Bash makes three words of --name=value; an argument may be optional then. */
static const struct option_spec *
split_assignment(const struct state *s, size_t count, char *const *words)
{
	const char *name;

	if (count >= 2 && strcmp(words[count - 1], "=") == 0)
		name = words[count - 2];
	else if (count >= 3 && strcmp(words[count - 2], "=") == 0)
		name = words[count - 3];
	else
		return NULL;
	return strncmp(name, "--", 2) == 0 ? option_by_name(s->tool, name + 2, strlen(name + 2))
					   : NULL;
}

void
options_complete(const struct tool_spec *tool, size_t word_count, char *const *words, FILE *out)
{
	struct state s = {.tool = tool, .out = out, .verb = -1};
	const char *word = word_count > 0 ? words[word_count - 1] : "";
	const struct option_spec *split = split_assignment(&s, word_count, words);

	for (size_t i = 0; i + 1 < word_count; i++)
		word_seen(&s, words[i]);
	if (split != NULL && split->arg != NULL)
		argument_offer(&s, split, "", 0, strcmp(word, "=") == 0 ? "" : word);
	else if (s.wants != NULL)
		argument_offer(&s, s.wants, "", 0, word);
	else if (!s.options_ended && strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL)
		assignment_offer(&s, word);
	else if (!s.options_ended && word[0] == '-')
		options_offer(&s, word);
	else
		operands_offer(&s, word);
}
