/* The schema reader: lines into messages, structs and fields. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

#define WORDS_MAX 16

/* One line, cut into words. */
struct line {
	char *words[WORDS_MAX];
	int count;
	int level;
	char *comment; /* NULL: none */
};

struct parser {
	const char *path;
	int line_no;
	char *doc; /* comment lines that wait for what they describe */
	struct msg ***tail;
	struct msg head; /* of the header line; copied into each section's message */
	bool have_head;
	struct msg *msg;		       /* being filled, or NULL */
	struct strct *open[GEN_DEPTH_MAX + 1]; /* by level: whose fields stand there */
};

__attribute__((format(printf, 3, 4), noreturn)) static void
die_at(const struct parser *p, int line_no, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: ", p->path, line_no);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

#define die(p, ...) die_at((p), (p)->line_no, __VA_ARGS__)

static void
copy(char out[GEN_NAME_MAX], const char *name)
{
	snprintf(out, GEN_NAME_MAX, "%s", name);
}

static void *
must(void *p)
{
	if (p == NULL) {
		perror("wire_gen");
		exit(1);
	}
	return p;
}

/* Copies a name after checking its letters: lower-case words for fields and
 * structs, a capital first for messages. */
static void
take_name(const struct parser *p, char out[GEN_NAME_MAX], const char *word, bool message)
{
	const char *c = word;
	bool good = message ? isupper((unsigned char)*c) : islower((unsigned char)*c);

	for (; good && *c != '\0'; c++) {
		if (*c == '_')
			good = !message &&
			       (islower((unsigned char)c[1]) || isdigit((unsigned char)c[1]));
		else
			good = isdigit((unsigned char)*c) || islower((unsigned char)*c) ||
			       (message && isupper((unsigned char)*c));
	}
	if (!good)
		die(p, "'%s' is not a name; want %s", word, message ? "CamelCase" : "snake_case");
	if (strlen(word) >= GEN_NAME_MAX / 2)
		die(p, "the name '%s' is too long", word);
	copy(out, word);
}

static bool
parse_int(const char *s, int *out)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end != '\0' || errno != 0 || v > GEN_VERSION_MAX)
		return false;
	*out = (int)v;
	return true;
}

/* "3", "3-5" or "3+". */
static bool
parse_range(const char *word, struct range *out)
{
	char text[GEN_NAME_MAX], *end;

	copy(text, word);
	end = text + strcspn(text, "+-");
	if (strcmp(end, "+") == 0)
		out->max = GEN_VERSION_MAX;
	else if (*end == '-' && !parse_int(end + 1, &out->max))
		return false;
	if (*end == '\0' && !parse_int(text, &out->max))
		return false;
	if (*end == '+' && end[1] != '\0')
		return false;
	*end = '\0';
	return parse_int(text, &out->min) && out->min <= out->max;
}

static struct range
want_range(const struct parser *p, const char *word)
{
	struct range r;

	if (word == NULL || !parse_range(word, &r))
		die(p, "'%s' is not a range of versions; want 3, 3-5 or 3+", word ? word : "");
	return r;
}

static struct range
intersect(struct range a, struct range b)
{
	struct range r = {a.min > b.min ? a.min : b.min, a.max < b.max ? a.max : b.max};

	return r.min <= r.max ? r : (struct range){0, -1};
}

/* Takes the comment that waits, and what stands on the line itself. */
static char *
take_doc(struct parser *p, const struct line *l)
{
	char *doc = p->doc, *both;
	size_t size;

	p->doc = NULL;
	if (l->comment == NULL || doc == NULL)
		return l->comment != NULL ? l->comment : doc;
	size = strlen(doc) + strlen(l->comment) + 2;
	both = must(malloc(size));
	snprintf(both, size, "%s\n%s", doc, l->comment);
	return both;
}

static struct strct *
new_struct(const struct parser *p, struct msg *m, const char *name)
{
	struct strct *s = must(calloc(1, sizeof(*s)));

	if (name != NULL) {
		take_name(p, s->name, name, false);
		for (const struct strct *o = m->structs; o != NULL; o = o->next)
			if (strcmp(o->name, name) == 0)
				die(p, "there is a struct '%s' already", name);
		if (snprintf(s->cname, sizeof(s->cname), "%s_%s", m->cname, name) >=
		    (int)sizeof(s->cname))
			die(p, "the name '%s_%s' is too long", m->cname, name);
		*m->structs_tail = s;
		m->structs_tail = &s->next;
	}
	return s;
}

/* "broker,controller", of an api. */
static int
parse_listeners(const struct parser *p, const struct msg *m, const char *list)
{
	if (strcmp(families[m->family].word, "api") == 0 && list != NULL) {
		if (strcmp(list, "broker") == 0)
			return ON_BROKER;
		if (strcmp(list, "controller") == 0)
			return ON_CONTROLLER;
		if (strcmp(list, "broker,controller") == 0)
			return ON_BROKER | ON_CONTROLLER;
	}
	die(p, "'%s' are no listeners of a message of this family", list ? list : "");
}

/* "versions V flexible V on LISTENERS forwarded" from words[at] on. */
static void
parse_versions(const struct parser *p, struct msg *m, const struct line *l, int at)
{
	for (; at < l->count; at++) {
		const char *word = l->words[at];
		const char *value = at + 1 < l->count ? l->words[at + 1] : NULL;

		if (strcmp(word, "forwarded") == 0 && m->listeners != 0) {
			m->forwarded = true;
			continue;
		}
		if (strcmp(word, "versions") == 0)
			m->versions = want_range(p, value);
		else if (strcmp(word, "flexible") == 0)
			m->flexible = want_range(p, value);
		else if (strcmp(word, "on") == 0)
			m->listeners = parse_listeners(p, m, value);
		else
			die(p, "'%s' instead of versions, flexible, on or forwarded", word);
		at++;
	}
	if (m->versions.max == GEN_VERSION_MAX)
		die(p, "a message's versions must end somewhere");
}

/* A message begins: the whole, or a section of it. */
static void
begin_message(struct parser *p, int family, const char *section)
{
	struct msg *m = must(malloc(sizeof(*m)));
	char name[GEN_NAME_MAX * 2];

	*m = p->head;
	copy(m->api, m->name);
	m->family = family;
	m->structs_tail = &m->structs;
	if (m->versions.max < m->versions.min)
		die(p, "%s has no versions", m->name);
	snprintf(name, sizeof(name), "%s%c%s", m->name,
	    section ? toupper((unsigned char)*section) : '\0', section ? section + 1 : "");
	if (strlen(name) >= GEN_NAME_MAX / 2)
		die(p, "the name '%s' is too long", name);
	copy(m->name, name);
	gen_snake(m->cname, m->name);
	m->body = new_struct(p, m, NULL);
	copy(m->body->cname, m->cname);
	m->body->doc = m->doc;
	m->line = p->line_no;
	memset(p->open, 0, sizeof(p->open));
	p->open[1] = m->body;
	p->msg = m;
	**p->tail = m;
	*p->tail = &m->next;
}

static int
find_family(const char *word, const char *section)
{
	for (int i = 0; i < family_count; i++)
		if (strcmp(families[i].word, word) == 0 &&
		    (section == NULL ||
			(families[i].section != NULL && strcmp(families[i].section, section) == 0)))
			return i;
	return -1;
}

/* FAMILY [NUMBER,...] NAME versions V [flexible V] */
static void
parse_head(struct parser *p, const struct line *l)
{
	int at = 1, family = find_family(l->words[0], NULL);
	struct msg *m = &p->head;

	if (p->have_head)
		die(p, "a second message in one file");
	memset(m, 0, sizeof(*m));
	m->file = p->path;
	m->family = family;
	m->versions = m->flexible = (struct range){0, -1};
	m->doc = take_doc(p, l);
	if (family != 0) {
		char *save, *word = at < l->count ? strtok_r(l->words[at], ",", &save) : NULL;

		for (; word != NULL; word = strtok_r(NULL, ",", &save)) {
			if (m->key_count == 4 || !parse_int(word, &m->keys[m->key_count]))
				die(p, "'%s' is not a %s number", word, l->words[0]);
			m->key_count++;
		}
		if (m->key_count == 0)
			die(p, "the number is missing");
		at++;
	}
	if (at >= l->count)
		die(p, "the name is missing");
	take_name(p, m->name, l->words[at++], true);
	parse_versions(p, m, l, at);
	p->have_head = true;
	if (families[family].section == NULL)
		begin_message(p, family, NULL);
}

static void
parse_section(struct parser *p, const struct line *l, int family)
{
	struct msg head = p->head;

	parse_versions(p, &p->head, l, 1);
	begin_message(p, family, l->words[0]);
	p->msg->doc = p->msg->body->doc = p->doc || l->comment ? take_doc(p, l) : head.doc;
	p->head = head;
}

/* TYPE: [][name][?[V]]. Leaves the name in `name`, "" for a bare []. */
static struct range
parse_type(const struct parser *p, char *word, struct field *f, char name[GEN_NAME_MAX])
{
	char *mark = strchr(word, '?');
	struct range nullable = {0, -1};

	if (mark != NULL) {
		*mark++ = '\0';
		nullable = *mark != '\0' ? want_range(p, mark) : (struct range){0, GEN_VERSION_MAX};
	}
	if (strncmp(word, "[]", 2) == 0) {
		f->array = true;
		word += 2;
	}
	if (strlen(word) >= GEN_NAME_MAX)
		die(p, "the type '%s' is too long", word);
	copy(name, word);
	return nullable;
}

/* Finds the type by name; a struct that is not known yet begins here. */
static void
resolve_type(struct parser *p, struct field *f, const char *type, int level)
{
	struct strct *s;

	for (f->prim = 0; f->prim < P_STRUCT; f->prim++)
		if (strcmp(prim_names[f->prim].schema, type) == 0)
			return;
	for (s = p->msg->structs; s != NULL; s = s->next)
		if (strcmp(s->name, *type ? type : f->name) == 0)
			break;
	if (s == NULL) {
		s = new_struct(p, p->msg, *type ? type : f->name);
		if (level + 1 > GEN_DEPTH_MAX)
			die(p, "structs nest deeper than %d", GEN_DEPTH_MAX);
		s->doc = f->doc;
		p->open[level + 1] = s;
	}
	for (int i = 1; i <= level; i++)
		if (p->open[i] == s)
			die(p, "struct '%s' contains itself", s->name);
	f->sub = s;
}

static void
check_default(const struct parser *p, const struct field *f)
{
	static const struct {
		long long min, max;
	} bounds[] = {[P_INT8] = {-128, 127},
	    [P_INT16] = {-32768, 32767},
	    [P_UINT16] = {0, 65535},
	    [P_INT32] = {-2147483648LL, 2147483647},
	    [P_UINT32] = {0, 4294967295LL},
	    [P_INT64] = {-0x7fffffffffffffffLL - 1, 0x7fffffffffffffffLL}};
	char *end;
	long long v;

	if (strcmp(f->def, "null") == 0) {
		if (f->nullable.max < f->nullable.min)
			die(p, "%s cannot be null, yet its default is", f->name);
		return;
	}
	if (!f->array && f->prim == P_BOOL &&
	    (strcmp(f->def, "true") == 0 || strcmp(f->def, "false") == 0))
		return;
	errno = 0;
	if (!f->array && f->prim == P_FLOAT64) {
		(void)strtod(f->def, &end);
		if (end != f->def && *end == '\0' && errno == 0)
			return;
	} else if (!f->array && f->prim >= P_INT8 && f->prim <= P_INT64) {
		v = strtoll(f->def, &end, 10);
		if (end != f->def && *end == '\0' && errno == 0 && v >= bounds[f->prim].min &&
		    v <= bounds[f->prim].max)
			return;
	}
	die(p, "'%s' cannot be the default of %s", f->def, f->name);
}

/* What follows the type: [V] [tag N] [default D] [ignorable] [inflexible] */
static void
parse_attributes(const struct parser *p, const struct line *l, struct field *f)
{
	int at = 2;

	if (at < l->count && isdigit((unsigned char)l->words[at][0])) {
		f->versions = want_range(p, l->words[at]);
		at++;
	}
	for (; at < l->count; at++) {
		const char *word = l->words[at], *next = at + 1 < l->count ? l->words[at + 1] : "";

		if (strcmp(word, "ignorable") == 0) {
			f->ignorable = true;
		} else if (strcmp(word, "inflexible") == 0) {
			f->inflexible = true;
		} else if (strcmp(word, "tag") == 0) {
			if (!parse_int(next, &f->tag))
				die(p, "'%s' is not a tag number", next);
			at++;
		} else if (strcmp(word, "default") == 0) {
			if (*next == '\0' || strlen(next) >= sizeof(f->def))
				die(p, "the default is missing, or too long");
			f->has_default = true;
			copy(f->def, next);
			at++;
		} else {
			die(p, "'%s' instead of tag, default, ignorable or inflexible", word);
		}
	}
}

static void
check_field(const struct parser *p, const struct strct *s, const struct field *f)
{
	struct range live = intersect(f->versions, p->msg->versions);

	if (live.max < live.min)
		die(p, "%s is in no version of %s", f->name, p->msg->name);
	if (f->tag >= 0 && (live.min < p->msg->flexible.min || live.max > p->msg->flexible.max))
		die(p, "%s is tagged in versions that are not flexible", f->name);
	for (int i = 0; i < s->field_count; i++) {
		if (strcmp(s->fields[i].name, f->name) == 0)
			die(p, "there is a field '%s' already", f->name);
		if (f->tag >= 0 && s->fields[i].tag == f->tag)
			die(p, "tag %d is %s already", f->tag, s->fields[i].name);
	}
	if (strcmp(f->name, "tags") == 0)
		die(p, "'tags' is where unknown tagged fields are kept");
	if (f->nullable.min <= f->nullable.max && !f->array && f->prim <= P_UUID)
		die(p, "a %s cannot be null", prim_names[f->prim].schema);
	if (f->has_default)
		check_default(p, f);
}

static void
parse_field(struct parser *p, struct line *l)
{
	struct field f = {.tag = -1, .versions = {0, GEN_VERSION_MAX}, .line = p->line_no};
	struct strct *s = p->open[l->level];
	char type[GEN_NAME_MAX];
	struct range nullable;

	if (s == NULL || p->msg == NULL)
		die(p, "a field that belongs to nothing: wrong indentation?");
	for (int i = l->level + 1; i <= GEN_DEPTH_MAX; i++)
		p->open[i] = NULL;
	take_name(p, f.name, l->words[0], false);
	if (l->count < 2)
		die(p, "the type of %s is missing", f.name);
	nullable = parse_type(p, l->words[1], &f, type);
	f.doc = take_doc(p, l);
	parse_attributes(p, l, &f);
	f.nullable = intersect(nullable, f.versions);
	resolve_type(p, &f, type, l->level);
	check_field(p, s, &f);
	s->fields = must(realloc(s->fields, (size_t)(s->field_count + 1) * sizeof(f)));
	s->fields[s->field_count++] = f;
}

static void
parse_line(struct parser *p, struct line *l)
{
	const char *first = l->words[0];
	int family;

	if (l->level > 0) {
		parse_field(p, l);
		return;
	}
	if (p->have_head && (family = find_family(families[p->head.family].word, first)) != -1)
		parse_section(p, l, family);
	else if (find_family(first, NULL) != -1)
		parse_head(p, l);
	else
		die(p, "'%s' begins nothing that may stand here", first);
}

/* Cuts `text` into words; false for a line that says nothing. */
static bool
split(struct parser *p, char *text, struct line *l)
{
	char *hash = strchr(text, '#'), *save;
	size_t indent = strspn(text, " ");

	memset(l, 0, sizeof(*l));
	if (text[indent] == '\t')
		die(p, "a tab; indentation is two spaces a level");
	if (hash != NULL) {
		*hash = '\0';
		l->comment = must(strdup(hash + 1 + strspn(hash + 1, " ")));
		if (strstr(l->comment, "*/") != NULL)
			die(p, "a comment that would end C's");
	}
	for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (l->count == WORDS_MAX)
			die(p, "too many words");
		l->words[l->count++] = w;
	}
	if (l->count == 0) {
		if (l->comment != NULL)
			p->doc = take_doc(p, l);
		return false;
	}
	if (indent % 2 != 0 || indent / 2 > GEN_DEPTH_MAX)
		die(p, "indentation is two spaces a level, at most %d levels", GEN_DEPTH_MAX);
	l->level = (int)indent / 2;
	return true;
}

static int
depth_of(const struct strct *s)
{
	int deepest = 0;

	for (int i = 0; i < s->field_count; i++)
		if (s->fields[i].sub != NULL) {
			int d = depth_of(s->fields[i].sub);

			deepest = d > deepest ? d : deepest;
		}
	return deepest + 1;
}

static void
check_message(const struct parser *p, const struct msg *m)
{
	if (depth_of(m->body) > GEN_DEPTH_MAX)
		die_at(p, m->line, "structs nest deeper than %d", GEN_DEPTH_MAX);
	if (m->family == FAMILY_REQUEST && (m->next == NULL || m->next->family != FAMILY_RESPONSE))
		die_at(p, m->line, "%s is not followed by its response", m->name);
	for (struct strct *s = m->structs; s != NULL; s = s->next)
		if (s->field_count == 0)
			die_at(p, m->line, "struct '%s' has no fields (or is not known here)",
			    s->name);
}

void
gen_parse(const char *path, struct msg ***tail)
{
	struct parser p = {.path = path, .tail = tail};
	struct msg **first = *tail;
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;

	if (in == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	while ((len = getline(&text, &cap, in)) != -1) {
		struct line l;

		p.line_no++;
		if (len > 0 && text[len - 1] == '\n')
			text[len - 1] = '\0';
		if (split(&p, text, &l))
			parse_line(&p, &l);
	}
	fclose(in);
	free(text);
	if (*first == NULL)
		die_at(&p, p.line_no, "no message in this file");
	for (struct msg *m = *first; m != NULL; m = m->next)
		check_message(&p, m);
}
