/* Where a broker's configuration comes from, and --check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/config_files.h"
#include "cli/tools.h"
#include "mqd.h"

/* --- from where -------------------------------------------------------------------------- */

static int
property_set(struct broker_config *c, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	char *name;
	int r;

	if (equals == NULL || equals == text)
		return err_set(err, ERR_INVALID, "-X: '%s' is not NAME=VALUE", text);
	if ((name = strndup(text, (size_t)(equals - text))) == NULL)
		return err_nomem(err);
	if (strlen(name) >= 9 && strcmp(name + strlen(name) - 9, ".password") == 0)
		r = err_set(
		    err, ERR_INVALID, "-X: %s: secrets are never taken from a command line", name);
	else
		r = broker_config_set(c, name, equals + 1, "-X", err);
	free(name);
	return r;
}

/* All of --listen, as one list. */
static int
listen_set(struct daemon *d, struct broker_config *c, struct err *err)
{
	struct buf list = BUF_INIT;
	const char *text;
	size_t at = 0;
	int r = 0;

	while ((text = options_each(d->options, OPT_LISTEN, &at)) != NULL) {
		buf_str(&list, list.len > 0 ? "," : "");
		buf_str(&list, text);
	}
	buf_cstr(&list);
	if (list.failed)
		r = err_nomem(err);
	else if (options_has(d->options, OPT_LISTEN) && list.len == 0)
		r = err_set(err, ERR_INVALID, "--listen: an empty address");
	else if (list.len > 0)
		r = broker_config_set(c, "listeners", buf_cstr(&list), "--listen", err);
	buf_release(&list);
	return r;
}

/* A free port, and nothing that the file says of another; -X may say more. */
static int
free_port_set(struct broker_config *c, struct err *err)
{
	if (broker_config_set(c, "listeners", "127.0.0.1:0", "--ephemeral", err) == -1)
		return -1;
	if (broker_config_set(c, "advertised.listeners", "", "--ephemeral", err) == -1)
		return -1;
	return broker_config_set(c, "inter.broker.listener.name", "", "--ephemeral", err);
}

static int
dir_set(struct daemon *d, struct broker_config *c, const char *dir, const char *reason,
    struct err *err)
{
	snprintf(d->dir_reason, sizeof(d->dir_reason), "%s", reason);
	return broker_config_set(c, "log.dirs", dir, reason, err);
}

/* -X log.dirs is seen as such because it comes later. */
static int
environment_set(struct daemon *d, struct broker_config *c, struct err *err)
{
	const char *dir = getenv("MQ_DIR");

	snprintf(d->dir_reason, sizeof(d->dir_reason), "log.dirs");
	return dir != NULL && *dir != '\0' ? dir_set(d, c, dir, "MQ_DIR", err) : 0;
}

static int
properties_set(struct daemon *d, struct broker_config *c, struct err *err)
{
	const char *text;
	size_t at = 0;

	while ((text = options_each(d->options, 'X', &at)) != NULL) {
		if (strncmp(text, "log.dir", 7) == 0)
			snprintf(d->dir_reason, sizeof(d->dir_reason), "-X");
		if (property_set(c, text, err) == -1)
			return -1;
	}
	return 0;
}

static int
options_set(struct daemon *d, struct broker_config *c, struct err *err)
{
	const char *dir = options_value(d->options, 'd');

	if (listen_set(d, c, err) == -1)
		return -1;
	if (d->temporary != NULL)
		return dir_set(d, c, d->temporary, "temporary", err);
	return dir != NULL ? dir_set(d, c, dir, "-d", err) : 0;
}

/* The same default as the tools'. */
static int
finish(struct daemon *d, struct broker_config *c, struct err *err)
{
	char *dir;
	int r;

	if (map_get(&c->set, "log.dirs", 8) != NULL)
		return broker_config_finish(c, d->os, "", err);
	snprintf(d->dir_reason, sizeof(d->dir_reason), "default");
	if ((dir = config_home_path("XDG_DATA_HOME", ".local/share")) == NULL)
		return err_set(err, ERR_CONFIG, "no home directory, so no default store (use -d DIR)");
	r = broker_config_finish(c, d->os, dir, err);
	free(dir);
	return r;
}

int
daemon_config_load(struct daemon *d, struct broker_config *c, struct err *err)
{
	const struct options *o = d->options;
	const char *file = options_value(o, 'F');

	if (d->temporary != NULL && broker_config_set(c, "group.initial.rebalance.delay.ms", "0",
	                                "--ephemeral", err) == -1)
		return -1;
	if (file != NULL && strcmp(file, "none") != 0 &&
	    broker_config_read(c, d->os, file, err) == -1)
		return -1;
	if ((options_has(o, OPT_EPHEMERAL) || options_has(o, OPT_RUN)) && free_port_set(c, err) == -1)
		return -1;
	if (environment_set(d, c, err) == -1 || properties_set(d, c, err) == -1 ||
	    options_set(d, c, err) == -1)
		return -1;
	return finish(d, c, err);
}

/* --- what is said of it ---------------------------------------------------------------------- */

void
daemon_config_tell(struct daemon *d, const struct broker_config *c)
{
	struct buf names = BUF_INIT;

	for (size_t i = 0; i < c->warning_count; i++)
		os_note(d->os, OS_WARN, "%s", c->warnings[i]);
	for (struct map_entry *e = NULL; (e = map_next(&c->ignored, e)) != NULL;)
		buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", (const char *)e->key);
	if (names.len > 0)
		os_note(d->os, OS_WARN, "these keys have no meaning here (--check lists them): %s",
		    buf_cstr(&names));
	buf_release(&names);
}

static const char *
source_word(enum config_source source)
{
	return source == CONFIG_STATIC_BROKER ? "set" : "default";
}

static void
value_print(const struct broker_config *c, const char *name)
{
	enum config_source source;
	const char *value = broker_config_value(c, NULL, name, &source);

	printf("key\t%s\t%s\t%s\n", name, value != NULL && *value != '\0' ? value : "-",
	    source_word(source));
}

void
daemon_config_print(const struct broker_config *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		printf("listen\t%s\n", c->listeners[i].address);
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i].host != NULL)
			printf("advertise\t%s:%d\t%s\n", c->listeners[i].host, c->listeners[i].port,
			    c->listeners[i].address);
	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		value_print(c, k->name);
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++)
		if (t->broker_name != NULL)
			value_print(c, t->broker_name);
	for (struct map_entry *e = NULL; (e = map_next(&c->ignored, e)) != NULL;)
		printf("ignored\t%s\t%s\n", (const char *)e->key, (const char *)e->value);
}

void
daemon_keys_print(void)
{
	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		printf("%s\t%s\t%s\n", k->name,
		    k->default_text != NULL && *k->default_text != '\0' ? k->default_text : "-",
		    k->help);
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++)
		if (t->broker_name != NULL)
			printf("%s\t%s\t%s\n", t->broker_name, t->default_text,
			    t->help);
}
