#include "cli/topic_properties.h"

#include <string.h>

#include "cli/print.h"
#include "store/topic_config.h"

/* The longest value. */
#define VALUE_MAX 4096

static int
list_print(const struct options *o, struct err *err)
{
	static const struct column columns[] = {
	    {"config", false}, {"default", false}, {"meaning", false}};
	struct print table;
	int ret = print_init_stdout(&table, columns, 3, o, err);

	for (size_t i = 0; ret == 0 && topic_configs[i].name != NULL; i++) {
		print_text(&table, topic_configs[i].name);
		print_text(&table, topic_configs[i].default_text);
		print_text(&table, topic_configs[i].help);
		ret = print_row(&table, err);
	}
	if (ret == 0)
		ret = print_end(&table, err);
	print_release(&table);
	return ret;
}

static int
read_one(const char *text, bool may_reset, struct arena *arena, struct admin_config *to,
    struct err *err)
{
	const char *equals = strchr(text, '=');
	size_t len = equals != NULL ? (size_t)(equals - text) : strlen(text);
	char *name = arena_memdup(arena, text, len), value[VALUE_MAX];

	if (name == NULL)
		return err_nomem(err);
	*to = (struct admin_config){.name = name};
	if (equals == NULL && !may_reset)
		return err_set(err, ERR_INVALID, "-X: '%s' is not NAME=VALUE", text);
	if (equals == NULL && topic_config_find(name) != NULL)
		return 0;
	if (topic_config_check(name, equals != NULL ? equals + 1 : "", value, sizeof(value), err) ==
	    -1) {
		err->code = ERR_INVALID; /* a mistake on the command line, not in a file */
		return err_prefix(err, "-X");
	}
	to->value = arena_strdup(arena, value);
	return to->value != NULL ? 0 : err_nomem(err);
}

int
topic_properties(const struct options *o, bool may_reset, struct arena *arena,
    const struct admin_config **list, size_t *count, struct err *err)
{
	struct admin_config *found =
	    arena_array(arena, options_count(o, 'X') + 1, sizeof(found[0]));
	const char *text;
	size_t at = 0;

	if (found == NULL)
		return err_nomem(err);
	*list = found;
	*count = 0;
	while ((text = options_each(o, 'X', &at)) != NULL) {
		if (strcmp(text, "list") == 0)
			return list_print(o, err) == -1 ? -1 : 1;
		if (read_one(text, may_reset, arena, &found[(*count)++], err) == -1)
			return -1;
	}
	return 0;
}
