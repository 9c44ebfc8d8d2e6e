/* The writer: messages into C structs and field tables. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gen.h"

static const char *
upper(const char *name)
{
	static char out[GEN_NAME_MAX];
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		out[i] = (char)toupper((unsigned char)name[i]);
	out[i] = '\0';
	return out;
}

/* A field's name as C takes it: a keyword gets an underscore behind it. */
static const char *
member(const struct field *f)
{
	static const char *const keywords[] = {"auto", "break", "case", "char", "const", "continue",
	    "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if",
	    "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
	    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile",
	    "while", "bool"};
	static char out[GEN_NAME_MAX + 1];

	snprintf(out, sizeof(out), "%s", f->name);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(f->name, keywords[i]) == 0)
			snprintf(out, sizeof(out), "%s_", f->name);
	return out;
}

static bool
is_nullable(const struct field *f)
{
	return f->nullable.min <= f->nullable.max;
}

/* A nullable struct lies inline, with a flag beside it. */
static bool
has_null_flag(const struct field *f)
{
	return f->prim == P_STRUCT && !f->array && is_nullable(f);
}

/* A comment, its lines each behind `indent`. */
static void
put_doc(FILE *out, const char *indent, const char *doc)
{
	if (doc == NULL || *doc == '\0')
		return;
	fprintf(out, "%s/* ", indent);
	for (const char *c = doc; *c != '\0'; c++)
		if (*c == '\n')
			fprintf(out, "\n%s * ", indent);
		else
			fputc(*c, out);
	fprintf(out, " */\n");
}

static void
forget_emitted(const struct msg *msgs)
{
	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		m->body->emitted = false;
		for (struct strct *s = m->structs; s != NULL; s = s->next)
			s->emitted = false;
	}
}

/* --- the header ------------------------------------------------------------ */

static void
put_member(FILE *out, const struct field *f)
{
	const struct prim_name *type = &prim_names[f->prim];

	put_doc(out, "\t", f->doc);
	if (f->prim != P_STRUCT)
		fprintf(out, "\t%s %s;\n", f->array ? type->c_array : type->c, member(f));
	else if (f->array)
		fprintf(out, "\tstruct {\n\t\tstruct %s *items;\n\t\tint32_t count;\n\t} %s;\n",
		    f->sub->cname, member(f));
	else
		fprintf(out, "\tstruct %s %s;\n", f->sub->cname, member(f));
	if (has_null_flag(f))
		fprintf(out, "\tbool %s_is_null;\n", f->name);
}

static void
put_struct(FILE *out, struct strct *s)
{
	if (s->emitted)
		return;
	s->emitted = true;
	for (int i = 0; i < s->field_count; i++)
		if (s->fields[i].sub != NULL)
			put_struct(out, s->fields[i].sub);
	put_doc(out, "", s->doc);
	fprintf(out, "struct %s {\n", s->cname);
	for (int i = 0; i < s->field_count; i++)
		put_member(out, &s->fields[i]);
	fprintf(out, "\tstruct wire_tags tags;\n};\n\n");
}

/* The numbers, one enum a family: TOPIC_RECORD = 2; of an api both sections have
 * the same: API_FETCH = 1. */
static void
put_numbers(FILE *out, const struct msg *msgs, int family)
{
	bool any = false;
	char api[GEN_NAME_MAX];

	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		if (m->family != family || m->key_count != 1 || family == FAMILY_RESPONSE)
			continue;
		if (!any)
			fprintf(out, "/* %s */\nenum {\n", families[family].tag);
		any = true;
		gen_snake(api, m->api);
		fprintf(out, "\t%s%s = %d,\n", family == FAMILY_REQUEST ? "API_" : "",
		    upper(family == FAMILY_REQUEST ? api : m->cname), m->keys[0]);
	}
	if (any)
		fprintf(out, "};\n\n");
}

void
gen_header(FILE *out, const char *prefix, const struct msg *msgs)
{
	fprintf(out,
	    "/* Made from the schemas in lib/wire/schema: the structs and numbers of their\n"
	    " * messages. Do not edit. */\n"
	    "#ifndef %s_GEN_H\n#define %s_GEN_H\n\n#include \"wire/api.h\"\n\n",
	    upper(prefix), upper(prefix));
	forget_emitted(msgs);
	for (int i = 0; i < family_count; i++)
		put_numbers(out, msgs, i);
	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		put_struct(out, m->body);
		fprintf(out, "extern const struct wire_schema wire_%s;\n\n", m->cname);
	}
	fprintf(out,
	    "/* By number, one table a family; and all, in the order of the files. */\n"
	    "extern const struct wire_table %s_tables[WIRE_FAMILY_COUNT];\n"
	    "extern const struct wire_schema *const %s_schemas[];\n"
	    "extern const int %s_schema_count;\n\n"
	    "/* By key; holes have no request. */\n"
	    "extern const struct api %s_apis[];\nextern const int %s_api_count;\n\n#endif\n",
	    prefix, prefix, prefix, prefix, prefix);
}

/* --- the tables ------------------------------------------------------------ */

static void
put_default(FILE *out, const struct field *f)
{
	if (!f->has_default)
		return;
	if (strcmp(f->def, "null") == 0)
		fprintf(out, ", .default_null = true");
	else if (f->prim == P_FLOAT64)
		fprintf(out, ", .default_float = %s", f->def);
	else if (f->prim == P_INT64 && strcmp(f->def, "-9223372036854775808") == 0)
		fprintf(out, ", .default_int = INT64_MIN");
	else
		fprintf(out, ", .default_int = %s", f->def);
}

static void
put_field(FILE *out, const struct strct *s, const struct field *f)
{
	fprintf(out,
	    "\t{.name = \"%s\", .type = %s, .versions = {%d, %d}, "
	    ".nullable = {%d, %d},\n\t    .tag = %d, .offset = offsetof(struct %s, %s)",
	    f->name, prim_names[f->prim].tag, f->versions.min, f->versions.max, f->nullable.min,
	    f->nullable.max, f->tag, s->cname, member(f));
	if (f->array)
		fprintf(out, ", .array = true");
	if (f->ignorable)
		fprintf(out, ", .ignorable = true");
	if (f->inflexible)
		fprintf(out, ", .inflexible = true");
	if (has_null_flag(f))
		fprintf(out, ",\n\t    .null_offset = offsetof(struct %s, %s_is_null)", s->cname,
		    f->name);
	if (f->sub != NULL)
		fprintf(out, ",\n\t    .fields = &struct_%s", f->sub->cname);
	put_default(out, f);
	fprintf(out, "},\n");
}

/* The indexes of the tagged fields, by ascending tag. Returns how many. */
static int
put_tagged(FILE *out, const struct strct *s)
{
	int count = 0, last = -1;

	for (int i = 0; i < s->field_count; i++)
		count += s->fields[i].tag >= 0;
	if (count == 0)
		return 0;
	fprintf(out, "static const uint16_t tagged_%s[] = {", s->cname);
	for (int n = 0; n < count; n++) {
		int best = -1;

		for (int i = 0; i < s->field_count; i++)
			if (s->fields[i].tag > last &&
			    (best == -1 || s->fields[i].tag < s->fields[best].tag))
				best = i;
		last = s->fields[best].tag;
		fprintf(out, "%s%d", n ? ", " : "", best);
	}
	fprintf(out, "};\n");
	return count;
}

static void
put_table(FILE *out, struct strct *s)
{
	int tagged;

	if (s->emitted)
		return;
	s->emitted = true;
	for (int i = 0; i < s->field_count; i++)
		if (s->fields[i].sub != NULL)
			put_table(out, s->fields[i].sub);
	if (s->field_count > 0) {
		fprintf(out, "static const struct wire_field fields_%s[] = {\n", s->cname);
		for (int i = 0; i < s->field_count; i++)
			put_field(out, s, &s->fields[i]);
		fprintf(out, "};\n");
	}
	tagged = put_tagged(out, s);
	fprintf(out,
	    "static const struct wire_struct struct_%s = {.name = \"%s\", .size = sizeof(struct "
	    "%s),\n"
	    "    .tags_offset = offsetof(struct %s, tags), .field_count = %d, .tagged_count = %d",
	    s->cname, s->cname, s->cname, s->cname, s->field_count, tagged);
	if (s->field_count > 0)
		fprintf(out, ", .fields = fields_%s", s->cname);
	if (tagged > 0)
		fprintf(out, ", .tagged = tagged_%s", s->cname);
	fprintf(out, "};\n\n");
}

/* Message `m` under each of its numbers, in a family's table. Returns its size. */
static int
put_family(FILE *out, const struct msg *msgs, int family)
{
	int count = 0;

	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		if (m->family != family)
			continue;
		if (count == 0 && m->key_count > 0)
			fprintf(out, "static const struct wire_schema *const table_%s[] = {\n",
			    families[family].tag);
		for (int i = 0; i < m->key_count; i++) {
			fprintf(out, "\t[%d] = &wire_%s,\n", m->keys[i], m->cname);
			count = m->keys[i] >= count ? m->keys[i] + 1 : count;
		}
	}
	if (count > 0)
		fprintf(out, "};\n");
	return count;
}

static void
put_tables(FILE *out, const char *prefix, const struct msg *msgs)
{
	int counts[32], total = 0;

	for (int i = 0; i < family_count; i++)
		counts[i] = put_family(out, msgs, i);
	fprintf(out, "\nconst struct wire_table %s_tables[WIRE_FAMILY_COUNT] = {\n", prefix);
	for (int i = 0; i < family_count; i++)
		if (counts[i] > 0)
			fprintf(out, "\t[WIRE_%s] = {table_%s, %d},\n", upper(families[i].tag),
			    families[i].tag, counts[i]);
	fprintf(out, "};\n\nconst struct wire_schema *const %s_schemas[] = {\n", prefix);
	for (const struct msg *m = msgs; m != NULL; m = m->next, total++)
		fprintf(out, "\t&wire_%s,\n", m->cname);
	fprintf(out, "};\nconst int %s_schema_count = %d;\n", prefix, total);
}

/* Both sections of each api under its key. */
static void
put_apis(FILE *out, const char *prefix, const struct msg *msgs)
{
	int count = 0;

	fprintf(out, "\nconst struct api %s_apis[] = {\n", prefix);
	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		const struct msg *answer = m->next;

		if (m->family != FAMILY_REQUEST)
			continue;
		fprintf(out,
		    "\t[%d] = {.name = \"%s\", .key = %d, .listeners = %d, .forwarded = %d,\n"
		    "\t    .request = &wire_%s, .response = &wire_%s},\n",
		    m->keys[0], m->api, m->keys[0], m->listeners, m->forwarded, m->cname,
		    answer->cname);
		count = m->keys[0] >= count ? m->keys[0] + 1 : count;
	}
	fprintf(out, "};\nconst int %s_api_count = %d;\n", prefix, count);
}

void
gen_source(FILE *out, const char *prefix, const struct msg *msgs)
{
	fprintf(out,
	    "/* Made from the schemas in lib/wire/schema: their field tables. Do not edit. */\n"
	    "#include <stddef.h>\n\n#include \"%s_gen.h\"\n\n",
	    prefix);
	forget_emitted(msgs);
	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		put_table(out, m->body);
		fprintf(out,
		    "const struct wire_schema wire_%s = {.name = \"%s\", .family = WIRE_%s, "
		    ".key = %d,\n    .versions = {%d, %d}, .flexible = {%d, %d}, "
		    ".body = &struct_%s};\n\n",
		    m->cname, m->name, upper(families[m->family].tag),
		    m->key_count > 0 ? m->keys[0] : -1, m->versions.min, m->versions.max,
		    m->flexible.min, m->flexible.max, m->cname);
	}
	put_tables(out, prefix, msgs);
	put_apis(out, prefix, msgs);
}

/* --- the dump -------------------------------------------------------------- */

static void
dump_range(FILE *out, const char *word, struct range r)
{
	if (r.min > r.max)
		return;
	fprintf(out, " %s %d", word, r.min);
	if (r.max == GEN_VERSION_MAX)
		fputc('+', out);
	else if (r.max > r.min)
		fprintf(out, "-%d", r.max);
}

/* Ranges are cut to those of what they are in, so that "2+" equals "2-4". */
static struct range
cut(struct range r, struct range by)
{
	struct range c = {r.min > by.min ? r.min : by.min, r.max < by.max ? r.max : by.max};

	return c.min <= c.max ? c : (struct range){0, -1};
}

static void
dump_struct(FILE *out, struct range versions, const struct strct *s, const char *path)
{
	for (int i = 0; i < s->field_count; i++) {
		const struct field *f = &s->fields[i];
		char camel[GEN_NAME_MAX], sub[GEN_NAME_MAX * (GEN_DEPTH_MAX + 1)];

		struct range live = cut(f->versions, versions);

		gen_camel(camel, f->name);
		snprintf(sub, sizeof(sub), "%s.%s", path, camel);
		fprintf(out, "%s %s%s", sub, f->array ? "[]" : "", prim_names[f->prim].schema);
		dump_range(out, "versions", live);
		dump_range(out, "nullable", cut(f->nullable, live));
		if (f->tag >= 0)
			fprintf(out, " tag %d", f->tag);
		if (f->has_default)
			fprintf(out, " default %s", f->def);
		fprintf(out, "%s%s\n", f->ignorable ? " ignorable" : "",
		    f->inflexible ? " inflexible" : "");
		if (f->sub != NULL)
			dump_struct(out, live, f->sub, sub);
	}
}

void
gen_dump(FILE *out, const struct msg *msgs)
{
	for (const struct msg *m = msgs; m != NULL; m = m->next) {
		fprintf(out, "%s %s", m->name, families[m->family].tag);
		for (int i = 0; i < m->key_count; i++)
			fprintf(out, "%s%d", i ? "," : " ", m->keys[i]);
		dump_range(out, "versions", m->versions);
		dump_range(out, "flexible", cut(m->flexible, m->versions));
		if (m->family == FAMILY_REQUEST && m->listeners != 0)
			fprintf(out, " on%s%s", m->listeners & ON_BROKER ? " broker" : "",
			    m->listeners & ON_CONTROLLER ? " controller" : "");
		fputc('\n', out);
		dump_struct(out, m->versions, m->body, m->name);
	}
}
