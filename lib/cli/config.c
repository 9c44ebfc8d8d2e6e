#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/config_files.h"
#include "cli/nearest.h"
#include "cli/report.h"

void
config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
}

void
config_release(struct config *c)
{
	for (size_t i = 0; i < PROP_COUNT; i++)
		free(c->settings[i].value);
	config_init(c);
}

/* --- names ------------------------------------------------------------------ */

/* True if `name` is one of `words`, which `separator` stands between. */
static bool
word_in(const char *words, char separator, const char *name)
{
	size_t len = strlen(name);

	while (words != NULL) {
		size_t n = strcspn(words, (char[]){separator, '\0'});

		if (n == len && memcmp(words, name, len) == 0)
			return true;
		words = words[n] != '\0' ? words + n + 1 : NULL;
	}
	return false;
}

static enum property
property_find(const char *name)
{
	enum property p = 0;

	while (p < PROP_COUNT && strcmp(property_specs[p].name, name) != 0 &&
	       !word_in(property_specs[p].aliases, ' ', name))
		p++;
	return p;
}

static void
unknown_warn(const char *name, const char *source)
{
	struct nearest n;

	nearest_init(&n, name);
	for (size_t i = 0; i < PROP_COUNT; i++)
		nearest_try(&n, property_specs[i].name);
	if (n.best != NULL)
		report_warn("%s: unknown property '%s' (did you mean %s?)", source, name, n.best);
	else
		report_warn("%s: unknown property '%s' (-X list shows all)", source, name);
}

/* --- values ----------------------------------------------------------------- */

static int
bool_parse(const char *s, int64_t *out)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};

	for (size_t i = 0; i < 4; i++) {
		if (strcasecmp(s, yes[i]) != 0 && strcasecmp(s, no[i]) != 0)
			continue;
		*out = strcasecmp(s, yes[i]) == 0;
		return 0;
	}
	return -1;
}

static int
number_parse(const struct property_spec *spec, const char *value, int64_t *out)
{
	switch (spec->type) {
	case PROPERTY_BOOL:
		return bool_parse(value, out);
	case PROPERTY_INT:
		return text_int(value, spec->min, spec->max, out);
	case PROPERTY_SIZE:
		return text_size(value, spec->min, spec->max, out);
	case PROPERTY_MS:
		return text_duration_ms(value, spec->min, spec->max, out);
	case PROPERTY_TEXT:
		break;
	}
	*out = 0;
	return 0;
}

static int
value_check(
    const struct property_spec *spec, const char *value, const char *source, struct err *err)
{
	int64_t n;

	if (spec->words != NULL && !word_in(spec->words, '|', value))
		return err_set(err, ERR_CONFIG, "%s: %s: '%s' is not one of %s", source, spec->name,
		    value, spec->words);
	if (number_parse(spec, value, &n) == 0)
		return 0;
	if (spec->type == PROPERTY_BOOL)
		return err_set(err, ERR_CONFIG, "%s: %s: '%s' is not true or false", source,
		    spec->name, value);
	return err_set(err, ERR_CONFIG, "%s: %s: '%s' is not a %s from %lld to %lld", source,
	    spec->name, value,
	    spec->type == PROPERTY_INT	  ? "number"
	    : spec->type == PROPERTY_SIZE ? "size"
					  : "time",
	    (long long)spec->min, (long long)spec->max);
}

/* Java names partitioners by class, librdkafka acks by number. */
static const char *
value_translate(enum property p, const char *value)
{
	if (p == PROP_PARTITIONER && strstr(value, "RoundRobin") != NULL)
		return "rr";
	if (p == PROP_PARTITIONER && strstr(value, "DefaultPartitioner") != NULL)
		return "murmur2";
	return value;
}

int
config_set(
    struct config *c, const char *name, const char *value, const char *source, struct err *err)
{
	enum property p;
	char *copy;

	/* kcat's prefix for what librdkafka once kept apart. */
	if (strncmp(name, "topic.", 6) == 0 && property_find(name + 6) != PROP_COUNT)
		name += 6;
	if ((p = property_find(name)) == PROP_COUNT) {
		if (!property_is_foreign(name))
			unknown_warn(name, source);
		return 0;
	}
	value = value_translate(p, value);
	if (value_check(&property_specs[p], value, source, err) == -1)
		return -1;
	if ((copy = strdup(value)) == NULL)
		return err_nomem(err);
	free(c->settings[p].value);
	c->settings[p].value = copy;
	snprintf(c->settings[p].source, sizeof(c->settings[p].source), "%s", source);
	return 0;
}

const char *
config_text(const struct config *c, enum property p)
{
	const char *value = c->settings[p].value;

	return value != NULL ? value : property_specs[p].default_value;
}

bool
config_is_set(const struct config *c, enum property p)
{
	return c->settings[p].value != NULL;
}

int64_t
config_number(const struct config *c, enum property p)
{
	int64_t n = 0;

	(void)number_parse(&property_specs[p], config_text(c, p), &n);
	return n;
}

/* --- files ------------------------------------------------------------------ */

static char *
trim(char *s)
{
	size_t len;

	s += strspn(s, " \t\r");
	len = strlen(s);
	while (len > 0 && strchr(" \t\r", s[len - 1]) != NULL)
		len--;
	s[len] = '\0';
	return s;
}

/* "[profile NAME]". Returns whether what follows counts: 0 or 1; -1 for others. */
static int
section_read(struct config *c, char *line, const char *source, struct err *err)
{
	size_t len = strlen(line);
	char *name;

	if (strncmp(line, "[profile", 8) != 0 || line[len - 1] != ']' ||
	    (line[8] != ' ' && line[8] != '\t'))
		return err_set(err, ERR_CONFIG, "%s: '%s' is not [profile NAME]", source, line);
	line[len - 1] = '\0';
	name = trim(line + 8);
	if (strcmp(name, config_text(c, PROP_PROFILE)) != 0)
		return 0;
	c->profile_found = true;
	return 1;
}

/* A choice that was made outside of files stands. */
static bool
profile_is_fixed(const struct config *c)
{
	const char *source = c->settings[PROP_PROFILE].source;

	return strcmp(source, "-X") == 0 || strcmp(source, "MQ_PROFILE") == 0;
}

static int
line_read(struct config *c, char *line, const char *source, bool *counts, struct err *err)
{
	char *value;
	int rc;

	if (*line == '\0' || *line == '#' || *line == '!')
		return 0;
	if (*line == '[') {
		rc = section_read(c, line, source, err);
		*counts = rc == 1;
		return rc == -1 ? -1 : 0;
	}
	value = line + strcspn(line, "=:");
	if (*value == '\0' || value == line)
		return err_set(err, ERR_CONFIG, "%s: '%.60s' is not key = value", source, line);
	*value++ = '\0';
	if (strcmp(trim(line), "profile") == 0 && profile_is_fixed(c))
		return 0;
	return *counts ? config_set(c, trim(line), trim(value), source, err) : 0;
}

int
config_parse(struct config *c, const char *name, const char *text, size_t len, struct err *err)
{
	bool counts = true;

	for (int number = 1; len > 0; number++) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;
		char *line = strndup(text, n), source[160];
		int rc;

		if (line == NULL)
			return err_nomem(err);
		snprintf(source, sizeof(source), "%.140s:%d", name, number);
		rc = line_read(c, trim(line), source, &counts, err);
		free(line);
		if (rc == -1)
			return -1;
		text += n + (end != NULL);
		len -= n + (end != NULL);
	}
	return 0;
}

/* --- everything --------------------------------------------------------------- */

static void
list_print(void)
{
	for (size_t i = 0; i < PROP_COUNT; i++) {
		const struct property_spec *spec = &property_specs[i];

		printf("%s\t%s\t%s%s%s\n", spec->name,
		    *spec->default_value ? spec->default_value : "-", spec->help,
		    spec->words != NULL ? ": " : "", spec->words != NULL ? spec->words : "");
	}
}

static void
dump_print(const struct config *c)
{
	for (enum property p = 0; p < PROP_COUNT; p++)
		printf("%s = %s\t%s\n", property_specs[p].name, config_text(c, p),
		    config_is_set(c, p) ? c->settings[p].source : "built in");
}

static int
property_option(struct config *c, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : 0;
	char *name;
	int rc;

	if (len == 0)
		return err_set(err, ERR_INVALID, "-X: '%s' is not NAME=VALUE", text);
	if ((name = strndup(text, len)) == NULL)
		return err_nomem(err);
	if (len >= 9 && strcmp(name + len - 9, ".password") == 0)
		rc = err_set(
		    err, ERR_INVALID, "-X: %s: secrets are never taken from a command line", name);
	else
		rc = config_set(c, name, equals + 1, "-X", err);
	if (rc == -1 && err->code == ERR_CONFIG)
		err->code = ERR_INVALID;
	free(name);
	return rc;
}

/* -X profile=NAME and MQ_PROFILE are known before files are read. */
static int
profile_choose(struct config *c, const struct options *o, bool take_properties, struct err *err)
{
	const char *text, *env = getenv("MQ_PROFILE");
	size_t at = 0;

	if (env != NULL && *env != '\0' && config_set(c, "profile", env, "MQ_PROFILE", err) == -1)
		return -1;
	while (take_properties && (text = options_each(o, 'X', &at)) != NULL)
		if (strncmp(text, "profile=", 8) == 0 && property_option(c, text, err) == -1)
			return -1;
	return 0;
}

int
config_load(struct config *c, const struct options *o, bool take_properties, struct err *err)
{
	const char *text, *print = NULL;
	size_t at = 0;

	if (profile_choose(c, o, take_properties, err) == -1)
		return -1;
	if (config_files_read(c, options_value(o, 'F'), err) == -1)
		return -1;
	if (*config_text(c, PROP_PROFILE) != '\0' && !c->profile_found)
		return err_set(err, ERR_CONFIG, "%s: no [profile %s] in any file",
		    c->settings[PROP_PROFILE].source, config_text(c, PROP_PROFILE));
	while (take_properties && (text = options_each(o, 'X', &at)) != NULL) {
		if (strcmp(text, "list") == 0 || strcmp(text, "dump") == 0)
			print = text;
		else if (property_option(c, text, err) == -1)
			return -1;
	}
	if (print == NULL)
		return 0;
	if (strcmp(print, "list") == 0)
		list_print();
	else
		dump_print(c);
	return 1;
}
