#include "mqd/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/store_impl.h"

#define CONFIG_BYTES_MAX (1 << 20)
#define VALUE_MAX 4096

void
broker_config_init(struct broker_config *c)
{
	memset(c, 0, sizeof(*c));
	map_init(&c->set);
	map_init(&c->topic_defaults);
	map_init(&c->ignored);
}

static void
texts_release(struct map *m)
{
	for (struct map_entry *e = NULL; (e = map_next(m, e)) != NULL;)
		free(e->value);
	map_release(m);
	map_init(m);
}

static void
fields_release(struct broker_config *c)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		free(c->listeners[i].address);
		free(c->listeners[i].host);
	}
	free(c->listeners);
	free(c->dir);
	free(c->cluster_id);
	free(c->rack);
	free(c->metrics_listen);
	c->listeners = NULL;
	c->listener_count = c->registered = 0;
	c->dir = c->cluster_id = c->rack = c->metrics_listen = NULL;
}

void
broker_config_release(struct broker_config *c)
{
	fields_release(c);
	texts_release(&c->set);
	texts_release(&c->topic_defaults);
	texts_release(&c->ignored);
	for (size_t i = 0; i < c->warning_count; i++)
		free(c->warnings[i]);
	free(c->warnings);
	broker_config_init(c);
}

/* --- setting ------------------------------------------------------------------------- */

int
broker_config_warn(struct broker_config *c, struct err *err, const char *fmt, ...)
{
	char **grown = realloc(c->warnings, (c->warning_count + 1) * sizeof(*grown));
	va_list ap;
	int len;

	if (grown == NULL)
		return err_nomem(err);
	c->warnings = grown;
	va_start(ap, fmt);
	len = vasprintf(&grown[c->warning_count], fmt, ap);
	va_end(ap);
	if (len == -1)
		return err_nomem(err);
	c->warning_count++;
	return 0;
}

static int
text_put(struct map *m, const char *key, const char *text, struct err *err)
{
	char *copy = strdup(text);
	void *old = NULL;

	if (copy == NULL || map_put(m, key, strlen(key), copy, &old) == -1) {
		free(copy);
		return err_nomem(err);
	}
	free(old);
	return 0;
}

static const char *
text_get(const struct map *m, const char *key)
{
	return map_get(m, key, strlen(key));
}

struct nearest_key {
	const char *name, *best;
	size_t distance;
};

static void
nearest_try(struct nearest_key *n, const char *candidate)
{
	size_t d = text_distance(n->name, candidate, n->distance);

	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}

static int
unknown_warn(struct broker_config *c, const char *name, const char *source, struct err *err)
{
	struct nearest_key n = {name, NULL, 1 + (strlen(name) + 2) / 3};

	for (const char *at = name; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			return err_set(err, ERR_CONFIG, "%s: what stands there is no key: no configuration?",
			    source);
	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		nearest_try(&n, k->name);
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++) {
		const char *spelled[3] = {NULL};

		if (t->broker_name != NULL)
			broker_key_spellings(t->broker_name, spelled);
		for (size_t i = 0; i < 3 && spelled[i] != NULL; i++)
			nearest_try(&n, spelled[i]);
	}
	return n.best != NULL
	    ? broker_config_warn(c, err, "%s: unknown key '%s' (did you mean %s?)", source, name, n.best)
	    : broker_config_warn(c, err, "%s: unknown key '%s'", source, name);
}

int
broker_config_set(struct broker_config *c, const char *name, const char *value, const char *source,
    struct err *err)
{
	const struct broker_key *k = broker_key_find(name);
	char text[VALUE_MAX];
	int64_t unit;

	if (k == NULL && broker_topic_key(name, &unit) == NULL) {
		/* Who asks for an authorizer must not get a broker without. */
		if (strcmp(name, "authorizer.class.name") == 0)
			return *value == '\0' ? 0
			                      : err_set(err, ERR_CONFIG,
			                            "%s: %s: there is no authorizer in mqd: everybody "
			                            "who can connect may do everything",
			                            source, name);
		return broker_key_is_foreign(name) ? text_put(&c->ignored, name, source, err)
		                                   : unknown_warn(c, name, source, err);
	}
	if (broker_key_check(name, value, text, sizeof(text), err) == -1)
		return err_prefix(err, "%s", source);
	return text_put(&c->set, k != NULL ? k->name : name, text, err);
}

/* --- files ---------------------------------------------------------------------------- */

struct reading {
	struct broker_config *config;
	const char *name;
	struct err *err;
};

static int
line_set(void *ctx, int line, const char *key, const char *value)
{
	struct reading *r = ctx;
	char source[200];

	snprintf(source, sizeof(source), "%.180s:%d", r->name, line);
	return broker_config_set(r->config, key, value, source, r->err);
}

int
broker_config_parse(
    struct broker_config *c, const char *name, const char *text, size_t len, struct err *err)
{
	struct reading r = {c, name, err};

	return properties_parse(text, len, line_set, &r, err);
}

int
broker_config_read(struct broker_config *c, struct os *os, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	int r = os_read_file(os, path, CONFIG_BYTES_MAX, &text, err);

	/* It is there, and will not be better the next time. */
	if (r == -1 && (err->code == ERR_TOO_LARGE ||
	                   (err->code == ERR_IO && err->sys_errno != EIO)))
		err->code = ERR_CONFIG;
	if (r == 0)
		r = broker_config_parse(c, path, (const char *)text.data, text.len, err);
	buf_release(&text);
	return r;
}

/* --- what holds ------------------------------------------------------------------------- */

/* Of the file alone, or built in; a topic's default among them. */
static const char *
file_value(const struct broker_config *c, const char *name, enum config_source *source)
{
	const struct broker_key *k = broker_key_find(name);
	const char *value = text_get(&c->set, k != NULL ? k->name : name);
	const struct topic_config *t;
	int64_t unit;

	*source = CONFIG_STATIC_BROKER;
	if (value != NULL)
		return value;
	if (k == NULL && (t = broker_topic_key(name, &unit)) != NULL && unit == 1 &&
	    (value = text_get(&c->topic_defaults, t->name)) != NULL)
		return value;
	*source = CONFIG_DEFAULT;
	if (k != NULL)
		return k->default_text;
	t = broker_topic_key(name, &unit);
	return t != NULL && unit == 1 ? t->default_text : NULL;
}

const char *
broker_config_value(const struct broker_config *c, const struct image *im, const char *name,
    enum config_source *source)
{
	enum config_source any;
	const char *value;
	char node[16];

	if (source == NULL)
		source = &any;
	if (im != NULL) {
		snprintf(node, sizeof(node), "%d", c->node_id);
		*source = CONFIG_DYNAMIC_BROKER;
		if ((value = image_config(im, 4, node, name)) != NULL)
			return value;
		*source = CONFIG_DYNAMIC_DEFAULT_BROKER;
		if ((value = image_config(im, 4, "", name)) != NULL)
			return value;
	}
	return file_value(c, name, source);
}

/* Values were checked when they were set; what a log says may be anything, and then
 * the field stays. */
static void
field_set(struct broker_config *c, const struct broker_key *k, const char *value)
{
	void *field = (char *)c + k->field;
	int64_t n;

	if (k->type == CONFIG_BOOL) {
		*(bool *)field = strcmp(value, "true") == 0;
	} else if (k->type == CONFIG_DOUBLE) {
		*(double *)field = strtod(value, NULL);
	} else if (text_int(value, k->min, k->max, &n) == 0) {
		if (k->size == sizeof(int32_t))
			*(int32_t *)field = (int32_t)(n * k->factor);
		else
			*(int64_t *)field = n * k->factor;
	}
}

void
broker_config_refresh(struct broker_config *c, const struct image *im)
{
	enum config_source source;

	for (const struct broker_key *k = broker_keys; k->name != NULL; k++) {
		if (k->size == 0 || (k->flags & KEY_DYNAMIC) == 0)
			continue;
		field_set(c, k, file_value(c, k->name, &source));
		field_set(c, k, broker_config_value(c, im, k->name, NULL));
	}
}

/* --- finishing --------------------------------------------------------------------------- */

static int
default_put(struct broker_config *c, const char *broker_name, struct err *err)
{
	const char *value = text_get(&c->set, broker_name);
	const struct topic_config *t;
	int64_t unit, n;
	char text[32];

	if (value == NULL || (t = broker_topic_key(broker_name, &unit)) == NULL)
		return 0;
	if (unit == 1)
		return text_put(&c->topic_defaults, t->name, value, err);
	if (text_int(value, INT64_MIN, INT64_MAX, &n) == -1)
		return err_set(err, ERR_CONFIG, "%s=%s: not a number", broker_name, value);
	snprintf(text, sizeof(text), "%lld", (long long)(n < 0 ? n : n * unit));
	return text_put(&c->topic_defaults, t->name, text, err);
}

/* Of several spellings the one that counts most is put last. */
static int
topic_defaults_set(struct broker_config *c, struct err *err)
{
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++) {
		const char *spelled[3];

		if (t->broker_name == NULL)
			continue;
		broker_key_spellings(t->broker_name, spelled);
		for (size_t i = 3; i-- > 0;)
			if (spelled[i] != NULL && default_put(c, spelled[i], err) == -1)
				return -1;
	}
	return 0;
}

static void
fields_set(struct broker_config *c)
{
	enum config_source source;

	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		if (k->size > 0)
			field_set(c, k, file_value(c, k->name, &source));
}

static int
dir_set(struct broker_config *c, const char *dir, struct err *err)
{
	const char *dirs = text_get(&c->set, "log.dirs");

	if (dirs != NULL && strchr(dirs, ',') != NULL)
		return err_set(err, ERR_CONFIG, "log.dirs=%s: one directory is supported", dirs);
	if (dirs != NULL && *dirs == '\0')
		return err_set(err, ERR_CONFIG, "log.dirs: an empty name");
	if ((c->dir = strdup(dirs != NULL ? dirs : dir)) == NULL)
		return err_nomem(err);
	return dirs != NULL ? 0 : text_put(&c->set, "log.dirs", dir, err);
}

/* What is there goes before what is not said; a new directory is node 1's. */
static int
node_set(struct broker_config *c, struct os *os, struct err *err)
{
	const char *said = text_get(&c->set, "node.id");
	struct meta_properties m;
	struct err no_meta;
	int64_t id = 1;
	char text[16];

	if (said != NULL) {
		if (text_int(said, 0, INT32_MAX, &id) == -1)
			return err_set(err, ERR_CONFIG, "node.id=%s: not a number", said);
	} else if (meta_properties_read(os, c->dir, &m, &no_meta) == 0) {
		id = m.node_id;
	}
	c->node_id = (int32_t)id;
	snprintf(text, sizeof(text), "%d", c->node_id);
	return said != NULL ? 0 : text_put(&c->set, "node.id", text, err);
}

static bool
list_holds(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; *list != '\0'; list += strcspn(list, ",") , list += strspn(list, ", "))
		if (strncmp(list, word, len) == 0 && strchr(", ", list[len]) != NULL)
			return true;
	return false;
}

static int
roles_check(struct broker_config *c, struct err *err)
{
	enum config_source source;
	const char *roles = file_value(c, "process.roles", &source);

	if (list_holds(roles, "broker") && list_holds(roles, "controller"))
		return 0;
	return err_set(err, ERR_CONFIG,
	    "process.roles=%s: this mqd is both broker and controller, or nothing", roles);
}

/* "1@host:9093", perhaps with a directory id; one, and that is this node. */
static int
voters_check(struct broker_config *c, struct err *err)
{
	const char *voters = text_get(&c->set, "controller.quorum.voters");
	const char *at;
	char id[16];
	int64_t n;

	if (voters == NULL || *voters == '\0')
		return 0;
	if (strchr(voters, ',') != NULL)
		return err_set(err, ERR_CONFIG,
		    "controller.quorum.voters=%s: this mqd is a cluster of one node", voters);
	at = strchr(voters, '@');
	if (at == NULL || at - voters >= (ptrdiff_t)sizeof(id) ||
	    (snprintf(id, sizeof(id), "%.*s", (int)(at - voters), voters),
	        text_int(id, 0, INT32_MAX, &n)) == -1)
		return err_set(
		    err, ERR_CONFIG, "controller.quorum.voters=%s: want ID@HOST:PORT", voters);
	if (n != c->node_id)
		return err_set(err, ERR_CONFIG,
		    "controller.quorum.voters=%s: the one voter must be this node, node.id=%d", voters,
		    c->node_id);
	return 0;
}

static int
rest_set(struct broker_config *c, struct err *err)
{
	const char *rack = text_get(&c->set, "broker.rack");
	const char *metrics = text_get(&c->set, "metrics.listen");
	const char *cluster = text_get(&c->set, "cluster.id");

	if (rack != NULL && *rack != '\0' && (c->rack = strdup(rack)) == NULL)
		return err_nomem(err);
	if (cluster != NULL && *cluster != '\0' && (c->cluster_id = strdup(cluster)) == NULL)
		return err_nomem(err);
	if (c->group_min_session_ms > c->group_max_session_ms)
		return err_set(err, ERR_CONFIG,
		    "group.min.session.timeout.ms=%d is above group.max.session.timeout.ms=%d",
		    c->group_min_session_ms, c->group_max_session_ms);
	if (c->queued_bytes_max < c->request_bytes_max)
		return err_set(err, ERR_CONFIG,
		    "queued.max.request.bytes=%lld is below socket.request.max.bytes=%lld",
		    (long long)c->queued_bytes_max, (long long)c->request_bytes_max);
	if (metrics == NULL || *metrics == '\0')
		return 0;
	if (broker_address_check(c, "metrics.listen", metrics, err) == -1)
		return -1;
	return (c->metrics_listen = strdup(metrics)) == NULL ? err_nomem(err) : 0;
}

int
broker_config_finish(struct broker_config *c, struct os *os, const char *dir, struct err *err)
{
	fields_set(c);
	if (topic_defaults_set(c, err) == -1 || dir_set(c, dir, err) == -1 ||
	    node_set(c, os, err) == -1 || roles_check(c, err) == -1 || voters_check(c, err) == -1)
		return -1;
	return broker_config_listeners(c, err) == -1 ? -1 : rest_set(c, err);
}

/* --- again -------------------------------------------------------------------------------- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A key that the two have in different ways: taken over, or named. */
static int
key_reload(struct broker_config *c, struct broker_config *fresh, const char *name, bool dynamic,
    struct err *err)
{
	const char *was = text_get(&c->set, name), *is = text_get(&fresh->set, name);

	if (same_text(was, is))
		return 0;
	if (!dynamic)
		return broker_config_warn(fresh, err, "%s: a change takes effect at the next start", name);
	if (is != NULL)
		return text_put(&c->set, name, is, err);
	free(map_del(&c->set, name, strlen(name)));
	return 0;
}

int
broker_config_reload(struct broker_config *c, struct broker_config *fresh, struct err *err)
{
	static const char *const units[] = {"log.retention.hours", "log.retention.minutes",
	    "log.roll.hours", "log.roll.jitter.hours"};

	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		if (key_reload(c, fresh, k->name, (k->flags & KEY_DYNAMIC) != 0, err) == -1)
			return -1;
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++)
		if (t->broker_name != NULL && key_reload(c, fresh, t->broker_name, true, err) == -1)
			return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (key_reload(c, fresh, units[i], true, err) == -1)
			return -1;
	texts_release(&c->topic_defaults);
	return topic_defaults_set(c, err);
}
