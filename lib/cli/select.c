#include "cli/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/nearest.h"

static int
regex_init(struct pattern *p, const char *what, struct err *err)
{
	int bad = regcomp(&p->regex, p->text, REG_EXTENDED | REG_NOSUB);
	char text[200];

	if (bad == 0)
		return 0;
	regerror(bad, &p->regex, text, sizeof(text));
	p->kind = PATTERN_NAME; /* nothing to free */
	return err_set(err, ERR_INVALID, "%s '%s': %s", what, p->text, text);
}

static int
add(struct selection *s, const char *text, int flags, struct err *err)
{
	struct pattern *p = &s->list[s->count++];

	*p = (struct pattern){.text = text, .kind = PATTERN_NAME};
	if (*text == '\0')
		return err_set(err, ERR_INVALID, "an empty name of a %s", s->what);
	if ((flags & SELECT_NAMES) != 0)
		return 0;
	if (*text != '^') {
		p->kind = strpbrk(text, "*?[") != NULL ? PATTERN_GLOB : PATTERN_NAME;
		return 0;
	}
	p->kind = PATTERN_REGEX;
	return regex_init(p, s->what, err);
}

int
selection_init(struct selection *s, const struct options *o, int id, int flags,
    const char *what, struct err *err)
{
	size_t operands = (flags & SELECT_OPERANDS) != 0 ? o->operand_count : 0, at = 0;
	const char *text;

	*s = (struct selection){.what = what};
	s->list = calloc(options_count(o, id) + operands + 1, sizeof(s->list[0]));
	if (s->list == NULL)
		return err_nomem(err);
	while ((text = options_each(o, id, &at)) != NULL)
		if (add(s, text, flags, err) == -1)
			return -1;
	for (size_t i = 0; i < operands; i++)
		if (add(s, o->operands[i], flags, err) == -1)
			return -1;
	return 0;
}

void
selection_release(struct selection *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].kind == PATTERN_REGEX)
			regfree(&s->list[i].regex);
	free(s->list);
	*s = (struct selection){.list = NULL};
}

static bool
pattern_matches(const struct pattern *p, const char *name)
{
	if (p->kind == PATTERN_NAME)
		return strcmp(p->text, name) == 0;
	if (strncmp(name, "__", 2) == 0 && p->text[p->kind == PATTERN_REGEX] != '_')
		return false;
	if (p->kind == PATTERN_GLOB)
		return text_glob(p->text, name);
	return regexec(&p->regex, name, 0, NULL, 0) == 0;
}

bool
selection_has(struct selection *s, const char *name)
{
	bool has = s->count == 0;

	for (size_t i = 0; i < s->count; i++) {
		if (!pattern_matches(&s->list[i], name))
			continue;
		s->list[i].matched = true;
		has = true;
	}
	return has;
}

const char *
selection_unmatched(const struct selection *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->list[i].matched)
			return s->list[i].text;
	return NULL;
}

void
selection_tell_unmatched(const struct selection *s, const char *const *names,
    size_t name_count, int code, struct outcome *outcome)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct pattern *p = &s->list[i];
		struct nearest n;
		struct err err;

		if (p->matched)
			continue;
		nearest_init(&n, p->text);
		for (size_t k = 0; k < name_count && p->kind == PATTERN_NAME; k++)
			nearest_try(&n, names[k]);
		if (p->kind != PATTERN_NAME)
			err_set(&err, code, "no %s matches %s", s->what, p->text);
		else if (n.best != NULL && s->hint != NULL)
			err_set(&err, code, "no %s %s (did you mean %s? %s)", s->what, p->text,
			    n.best, s->hint);
		else if (s->hint != NULL)
			err_set(&err, code, "no %s %s (%s)", s->what, p->text, s->hint);
		else if (n.best != NULL)
			err_set(&err, code, "no %s %s (did you mean %s?)", s->what, p->text,
			    n.best);
		else
			err_set(&err, code, "no %s %s", s->what, p->text);
		outcome_fail(outcome, &err);
	}
}
