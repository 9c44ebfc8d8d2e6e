/*
 * options: command lines of every tool, configuration files, and what the tools
 * make of both.
 *
 * Input: which call of malloc fails; which tool in a byte (bit 7: a configuration
 * file), then words, apart by NUL, or the file.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config.h"
#include "cli/format.h"
#include "cli/framing.h"
#include "cli/positions.h"
#include "cli/report.h"
#include "cli/select.h"
#include "cli/tools.h"
#include "cli/topic_properties.h"
#include "lib/fuzz.h"
#include "store/topic_config.h"

#define WORDS_MAX 32
#define NOW 1700000000000

static FILE *
nowhere(void)
{
	static FILE *file;

	if (file == NULL && (file = fopen("/dev/null", "w")) == NULL)
		abort();
	return file;
}

/* --- configuration ------------------------------------------------------------------ */

static void
use_config(const struct config *c)
{
	for (int p = 0; p < PROP_COUNT; p++) {
		const char *text = config_text(c, (enum property)p);

		fuzz_touch(text, (int64_t)strlen(text));
		if (property_specs[p].type != PROPERTY_TEXT)
			config_number(c, (enum property)p);
		(void)config_is_set(c, (enum property)p);
	}
}

static void
try_file(struct slice text)
{
	struct config c;
	struct err err;

	config_init(&c);
	if (config_parse(&c, "mq.conf", (const char *)text.data, text.len, &err) == 0)
		use_config(&c);
	config_release(&c);
}

/* NAME=VALUE as -X has it, of the client's and of a topic's configuration. */
static void
try_property(const char *text)
{
	unsigned held = fuzz_memory_hold();
	char *name = strdup(text), *equals = strchr(name, '='), out[4096], again[4096];
	struct config c;
	struct err err;

	fuzz_memory_resume(held);
	if (equals != NULL) {
		*equals = '\0';
		config_init(&c);
		if (config_set(&c, name, equals + 1, "-X", &err) == 0)
			use_config(&c);
		config_release(&c);
		(void)property_is_foreign(name);
		if (topic_config_check(name, equals + 1, out, sizeof(out), &err) == 0) {
			/* What is stored is good, and stays as it is. */
			assert(topic_config_check(name, out, again, sizeof(again), &err) == 0);
			assert(strcmp(out, again) == 0);
		}
	}
	free(name);
}

/* --- what the tools read off their options -------------------------------------------- */

static void
read_numbers(const struct options *o)
{
	struct err err;
	int64_t v;

	for (const struct option_spec *spec = o->tool->options; spec->id != 0; spec++) {
		char name[32];

		if (spec->arg == NULL)
			continue;
		v = 1;
		if (options_int(o, spec->id, 0, 1000, &v, &err) == 0)
			assert(v >= 0 && v <= 1000);
		(void)options_seconds(o, spec->id, 0, INT32_MAX, &v, &err);
		(void)options_choice(o, spec->id, 0);
		(void)option_name(spec, name);
	}
}

static void
read_topics(const struct options *o)
{
	static const char *const names[] = {"orders", "__consumer_offsets"};
	struct outcome outcome = {0};
	struct selection s;
	struct err err;

	if (selection_init(&s, o, 't', SELECT_OPERANDS, "topic", &err) == 0) {
		selection_has(&s, "orders");
		selection_has(&s, "__consumer_offsets");
		(void)selection_unmatched(&s);
		selection_tell_unmatched(&s, names, sizeof(names) / sizeof(names[0]),
		    ERR_UNKNOWN_TOPIC_OR_PARTITION, &outcome);
		assert((outcome.failed == 0) == (selection_unmatched(&s) == NULL));
	}
	selection_release(&s);
}

static bool
asks_for_list(const struct options *o)
{
	const char *text;
	size_t at = 0;

	while ((text = options_each(o, 'X', &at)) != NULL)
		if (strcmp(text, "list") == 0 || strcmp(text, "dump") == 0)
			return true;
	return false;
}

static void
read_properties(const struct options *o)
{
	const struct admin_config *list;
	const char *text;
	struct arena arena;
	struct err err;
	size_t at = 0, count;

	if (asks_for_list(o))
		return;
	while ((text = options_each(o, 'X', &at)) != NULL)
		try_property(text);
	arena_init(&arena, 1 << 20);
	(void)topic_properties(o, true, &arena, &list, &count, &err);
	(void)topic_properties(o, false, &arena, &list, &count, &err);
	arena_release(&arena);
}

/* What it prints is not looked at. */
static int
load_config(struct config *c, const struct options *o)
{
	FILE *kept = stdout;
	struct err err;
	int rc;

	stdout = nowhere();
	rc = config_load(c, o, true, &err);
	stdout = kept;
	return rc;
}

static void
read_all(const struct options *o)
{
	struct partition_set set = PARTITION_SET_INIT;
	struct framing framing;
	struct format *format;
	struct where where;
	struct config c;
	struct point point;
	struct err err;

	read_numbers(o);
	read_topics(o);
	read_properties(o);
	config_init(&c);
	/* Files are not what is tried here. */
	if (!options_has(o, 'F') && load_config(&c, o) == 0)
		use_config(&c);
	if (where_choose(&where, o, &c, &err) == 0)
		where_release(&where);
	config_release(&c);
	if (o->tool == &tool_produce) {
		(void)framing_init(&framing, o, 1000, &err);
		framing_release(&framing);
	}
	if (o->tool == &tool_consume && (format = format_from_options(o, &err)) != NULL)
		format_free(format);
	if (o->tool == &tool_topics || o->tool == &tool_groups)
		(void)positions_options(o, NOW, &point, &set, &err);
	partition_set_release(&set);
}

/* Expressions are libc's to read, and cost it what they say: not these. */
static bool
is_expression(const char *word)
{
	return strchr(word, '^') != NULL && strpbrk(word, "{*+") != NULL;
}

static void
try_words(const struct tool_spec *tool, char *words, size_t len)
{
	char *argv[WORDS_MAX + 2], name[] = "mq";
	struct options o;
	struct err err;
	int argc = 0;

	argv[argc++] = name;
	for (char *at = words; at < words + len && argc <= WORDS_MAX; at += strlen(at) + 1) {
		if (is_expression(at))
			return;
		argv[argc++] = at;
	}
	argv[argc] = NULL;
	options_complete(tool, (size_t)argc - 1, argv + 1, nowhere());
	if (options_parse(&o, tool, argc, argv, &err) == 0) {
		if (o.action == OPTIONS_RUN)
			read_all(&o);
		else if (o.action == OPTIONS_HELP)
			options_usage(tool, nowhere());
		else
			options_dump(tool, nowhere());
	} else {
		assert(err.text[0] != '\0');
	}
	options_release(&o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	uint8_t which = fuzz_byte(&c);
	struct slice rest = fuzz_rest(&c);
	char *words = fuzz_string(rest);

	setenv("MQ_CONFIG", "none", 1);
	fuzz_memory(fail);
	if (which & 128)
		try_file(rest);
	else
		try_words(tools_all[which % 6], words, rest.len);
	fuzz_memory(0);
	free(words);
	return 0;
}
