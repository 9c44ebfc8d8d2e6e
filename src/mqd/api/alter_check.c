/* Whether a configuration may be changed like that, checked in Kafka's order. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mqd/api/alter_impl.h"
#include "mqd/broker.h"

#define VALUE_MAX 32768

int
alter_refuse(struct resource *r, const struct err *err)
{
	r->code = err->code > -100 ? err->code : ERR_UNKNOWN_SERVER_ERROR;
	r->text = arena_strdup(&r->alter->x->arena, err->text);
	return -1;
}

int
alter_refuse_as(struct resource *r, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->code = code;
	r->text = arena_strdup(&r->alter->x->arena, text);
	return -1;
}

static int
node_id(const struct resource *r)
{
	return r->alter->x->broker->config->node_id;
}

/* --- what belongs to each kind of resource -------------------------------------------- */

/* The name under which the image has it: of a broker the plain number. */
static int
check_node(struct resource *r)
{
	char plain[16];
	int64_t id;

	if (text_int(r->name, INT32_MIN, INT32_MAX, &id) == -1)
		return alter_refuse_as(r, ERR_INVALID_REQUEST,
		    "Node id must be an integer, but it is: %.200s", r->name);
	if (id != node_id(r) && r->type == RESOURCE_LOGGER)
		return alter_refuse_as(r, ERR_INVALID_REQUEST,
		    "Unexpected node id. Expected %d, but received %s", node_id(r), r->name);
	if (id != node_id(r))
		return alter_refuse_as(r, ERR_INVALID_REQUEST,
		    "Unexpected broker id, expected %d, but received %s", node_id(r), r->name);
	snprintf(plain, sizeof(plain), "%d", node_id(r));
	r->name = arena_strdup(&r->alter->x->arena, plain);
	return r->name == NULL ? alter_refuse_as(r, ERR_UNKNOWN_SERVER_ERROR, "out of memory") : 0;
}

/* Not to be set for all brokers at once. */
static bool
is_one_brokers(const struct resource *r, const char *name)
{
	return *r->name == '\0' && (strcmp(name, "listeners") == 0 ||
	                               strcmp(name, "listener.security.protocol.map") == 0);
}

/* Not to be set while a broker runs. */
static bool
is_static(const struct resource *r, const char *name)
{
	struct config_rule rule;

	return config_rule_broker(name, &rule) == -1 && !is_one_brokers(r, name);
}

/* Names all keys that are so. */
static int
refuse_all(struct resource *r, bool (*is_so)(const struct resource *r, const char *name),
    const char *what)
{
	char names[300] = "";
	size_t len = 0;

	for (size_t i = 0; i < r->count && len < sizeof(names); i++)
		if (is_so(r, r->wishes[i].name))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
			    len > 0 ? ", " : "", r->wishes[i].name);
	return len == 0 ? 0 : alter_refuse_as(r, ERR_INVALID_REQUEST, "%s: [%s]", what, names);
}

static int
check_dynamic(struct resource *r)
{
	if (refuse_all(r, is_static, "Cannot update these configs dynamically") == -1)
		return -1;
	return refuse_all(r, is_one_brokers,
	    "Cannot update these configs at default cluster level, broker id must be specified");
}

static int
check_broker(struct resource *r)
{
	if (*r->name != '\0' && check_node(r) == -1)
		return -1;
	for (size_t i = 0; i < r->count; i++) {
		const struct wish *w = &r->wishes[i];
		struct config_rule rule;

		if (w->op != OP_APPEND && w->op != OP_SUBTRACT)
			continue;
		if (config_rule_broker(w->name, &rule) == 0)
			return alter_refuse_as(
			    r, ERR_INVALID_CONFIG, "Unknown config name: %.200s", w->name);
		if (rule.type != CONFIG_LIST)
			return alter_refuse_as(r, ERR_INVALID_CONFIG,
			    "Config value %s is not allowed for config key: %.200s",
			    w->op == OP_APPEND ? "append" : "subtract", w->name);
	}
	return check_dynamic(r);
}

/* There is one logger; its level is chosen when mqd is started. */
static int
check_logger(struct resource *r)
{
	if (check_node(r) == -1)
		return -1;
	for (size_t i = 0; i < r->count; i++) {
		const struct wish *w = &r->wishes[i];

		if (w->op == OP_APPEND || w->op == OP_SUBTRACT)
			return alter_refuse_as(r, ERR_INVALID_REQUEST,
			    "%s operation is not allowed for the BROKER_LOGGER resource",
			    w->op == OP_APPEND ? "APPEND" : "SUBTRACT");
		if (strcmp(w->name, "root") != 0)
			return alter_refuse_as(
			    r, ERR_INVALID_CONFIG, "Logger %.200s does not exist!", w->name);
		if (w->op == OP_DELETE)
			return alter_refuse_as(r, ERR_INVALID_REQUEST,
			    "Removing the log level of the root logger is not allowed");
		if (strstr(" DEBUG ERROR FATAL INFO TRACE WARN ", w->value) == NULL)
			return alter_refuse_as(r, ERR_INVALID_CONFIG,
			    "Cannot set the log level of root to %.100s as it is not a supported log "
			    "level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
			    w->value);
		return alter_refuse_as(r, ERR_INVALID_REQUEST,
		    "The log level is chosen when mqd is started (-q, -v)");
	}
	return 0;
}

static int
check_kind(struct resource *r)
{
	if (r->type == RESOURCE_BROKER)
		return check_broker(r);
	if (r->type == RESOURCE_LOGGER && r->alter->incremental)
		return check_logger(r);
	if (r->type == RESOURCE_TOPIC || r->type == RESOURCE_METRICS || r->type == RESOURCE_GROUP)
		return 0;
	return alter_refuse_as(r, ERR_INVALID_REQUEST, "Unknown resource type %d", r->type);
}

static int
check_name(struct resource *r)
{
	const char *fault;

	switch (r->type) {
	case RESOURCE_METRICS:
		return *r->name != '\0'
		    ? 0
		    : alter_refuse_as(r, ERR_INVALID_REQUEST, "Subscription name can't be empty");
	case RESOURCE_GROUP:
		return *r->name != '\0' ? 0
		                        : alter_refuse_as(r, ERR_INVALID_REQUEST,
		                              "Default group resources are not allowed.");
	case RESOURCE_TOPIC:
		break;
	default:
		return 0;
	}
	if (*r->name == '\0')
		return alter_refuse_as(
		    r, ERR_INVALID_REQUEST, "Default topic resources are not allowed.");
	if ((fault = topic_name_fault(&r->alter->x->arena, r->name)) != NULL)
		return alter_refuse_as(r, ERR_INVALID_TOPIC_EXCEPTION, "%s", fault);
	return 0;
}

/* Comes last, as in Kafka. */
static int
check_exists(struct resource *r)
{
	if (r->type != RESOURCE_TOPIC || image_topic(r->image, r->name) != NULL)
		return 0;
	return alter_refuse_as(
	    r, ERR_UNKNOWN_TOPIC_OR_PARTITION, "The topic '%s' does not exist.", r->name);
}

/* --- append and subtract --------------------------------------------------------------- */

/* The rule for a name; false: there is none, any value is good, or an error was set. */
static bool
rule_of(struct resource *r, const char *name, struct config_rule *rule, const char **built_in)
{
	const struct resource_config *c;
	const struct topic_config *t;

	*built_in = NULL;
	switch (r->type) {
	case RESOURCE_TOPIC:
		if ((t = topic_config_find(name)) != NULL)
			*built_in = t->default_text;
		return config_rule_topic(name, rule);
	case RESOURCE_BROKER:
		*built_in = broker_key_default(name);
		return config_rule_broker(name, rule) == 1;
	default:
		c = resource_config_find(
		    r->type == RESOURCE_GROUP ? group_configs : metrics_configs, name);
		if (c != NULL)
			*rule = c->rule;
		return c != NULL;
	}
}

static bool
list_holds(const char *list, const char *word, size_t len)
{
	while (*list != '\0') {
		size_t n = strcspn(list, ",");

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* Puts the words of `list` into `out`, less those that `without` has and those that
 * are there already. */
static void
words_put(struct buf *out, const char *list, const char *without)
{
	while (*list != '\0') {
		size_t n = strcspn(list, ","), from = strspn(list, " \t"), len = n;

		from = from < n ? from : n;
		while (len > from && strchr(" \t", list[len - 1]) != NULL)
			len--;
		len -= from;
		if (len > 0 && !list_holds(without, list + from, len) &&
		    !list_holds(buf_cstr(out), list + from, len)) {
			buf_str(out, out->len > 0 ? "," : "");
			buf_put(out, list + from, len);
		}
		list += n + (list[n] == ',');
	}
}

static int
combine(struct resource *r, struct wish *w)
{
	struct config_rule rule = {.type = CONFIG_STRING};
	struct buf list = BUF_INIT;
	const char *now, *built_in;

	if (r->type == RESOURCE_METRICS || !rule_of(r, w->name, &rule, &built_in) ||
	    rule.type != CONFIG_LIST)
		return alter_refuse_as(r, ERR_INVALID_CONFIG,
		    "Can't %s to key %.200s because its type is not LIST.",
		    w->op == OP_APPEND ? "APPEND" : "SUBTRACT", w->name);
	now = image_config(r->image, r->type, r->name, w->name);
	if (now == NULL)
		now = built_in != NULL ? built_in : "";
	words_put(&list, now, w->op == OP_SUBTRACT ? w->value : "");
	if (w->op == OP_APPEND)
		words_put(&list, w->value, "");
	w->result = list.failed ? NULL : arena_strdup(&r->alter->x->arena, buf_cstr(&list));
	buf_release(&list);
	return w->result == NULL ? alter_refuse_as(r, ERR_UNKNOWN_SERVER_ERROR, "out of memory") : 0;
}

/* --- values -------------------------------------------------------------------------------- */

/* What this broker allows a group. */
static int
check_limits(struct resource *r, const struct wish *w)
{
	const struct resource_config *c = resource_config_find(group_configs, w->name);
	int64_t n;

	if (strcmp(w->name, "share.auto.offset.reset") == 0 && strcmp(w->result, "latest") != 0 &&
	    strcmp(w->result, "earliest") != 0 && strncmp(w->result, "by_duration:P", 13) != 0)
		return alter_refuse_as(r, ERR_INVALID_CONFIG,
		    "Invalid value %s for configuration %s: Invalid value `%s` for configuration %s. "
		    "The value must be either 'earliest', 'latest' or of the format "
		    "'by_duration:<PnDTnHnMn.nS>'.", w->result, w->name, w->result, w->name);
	if (c == NULL || text_int(w->result, INT64_MIN, INT64_MAX, &n) == -1)
		return 0;
	if (n < c->low)
		return alter_refuse_as(r, ERR_INVALID_CONFIG, "%s must be greater than or equal to %s",
		    w->name, c->low_name);
	if (n > c->high)
		return alter_refuse_as(r, ERR_INVALID_CONFIG, "%s must be less than or equal to %s",
		    w->name, c->high_name);
	return 0;
}

/* KEY=PATTERN, several with commas; the pattern itself is left to who would use it. */
static int
check_match(struct resource *r, const struct wish *w)
{
	static const char keys[] = " client_instance_id client_id client_software_name "
	                           "client_software_version client_source_address "
	                           "client_source_port ";

	for (const char *at = w->result; *at != '\0';) {
		size_t n = strcspn(at, ","), len = strcspn(at, "=,");
		char word[40];

		snprintf(word, sizeof(word), " %.*s ", len < 36 ? (int)len : 36, at);
		if (at[len] != '=' || strstr(keys, word) == NULL)
			return alter_refuse_as(r, ERR_INVALID_CONFIG,
			    "Illegal client matching pattern: %.*s", (int)(n < 200 ? n : 200), at);
		at += n + (at[n] == ',');
	}
	return 0;
}

static int
check_metrics(struct resource *r, const struct wish *w)
{
	int64_t n;

	if (strcmp(w->name, "match") == 0)
		return check_match(r, w);
	if (strcmp(w->name, "interval.ms") != 0 || text_int(w->result, 100, 3600000, &n) == 0)
		return 0;
	return alter_refuse_as(r, ERR_INVALID_REQUEST,
	    "Invalid value %s for interval.ms, interval must be between 100 and 3600000 (1 hour)",
	    w->result);
}

static int
unknown_name(struct resource *r, const char *name)
{
	if (r->type == RESOURCE_METRICS)
		return alter_refuse_as(r, ERR_INVALID_REQUEST,
		    "Unknown client metrics configuration: %.200s", name);
	return alter_refuse_as(r, ERR_INVALID_CONFIG, "Unknown %s config name: %.200s",
	    r->type == RESOURCE_TOPIC ? "topic" : "group", name);
}

static int
check_value(struct resource *r, struct wish *w)
{
	struct config_rule rule;
	const char *built_in;
	char text[VALUE_MAX];
	struct err err;

	if (w->result == NULL || !rule_of(r, w->name, &rule, &built_in))
		return 0; /* brokers take anything under names that nobody knows */
	if (config_rule_check(&rule, w->result, text, sizeof(text), &err) == -1) {
		if (r->type == RESOURCE_BROKER && err.code == ERR_INVALID_CONFIG)
			err.code = ERR_INVALID_REQUEST;
		return alter_refuse(r, &err);
	}
	w->result = arena_strdup(&r->alter->x->arena, text);
	if (w->result == NULL)
		return alter_refuse_as(r, ERR_UNKNOWN_SERVER_ERROR, "out of memory");
	if (r->type == RESOURCE_GROUP)
		return check_limits(r, w);
	return r->type == RESOURCE_METRICS ? check_metrics(r, w) : 0;
}

static const char *
value_then(void *ctx, const char *name)
{
	const struct resource *r = ctx;

	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->wishes[i].name, name) == 0)
			return r->wishes[i].result;
	return image_config(r->image, r->type, r->name, name);
}

/* KIP-966: while there are eligible leader replicas it stands once, for all brokers. */
static int
check_min_insync(struct resource *r)
{
	if (image_feature(r->image, "eligible.leader.replicas.version") < 1)
		return 0;
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->wishes[i].name, "min.insync.replicas") != 0)
			continue;
		if (*r->name != '\0')
			return alter_refuse_as(r, ERR_INVALID_CONFIG,
			    "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
		if (r->wishes[i].result == NULL)
			return alter_refuse_as(r, ERR_INVALID_CONFIG,
			    "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
	}
	return 0;
}

static int
check_values(struct resource *r)
{
	struct config_rule rule;
	const char *built_in;
	struct err err;

	for (size_t i = 0; r->type != RESOURCE_BROKER && i < r->count; i++)
		if (r->wishes[i].result != NULL &&
		    !rule_of(r, r->wishes[i].name, &rule, &built_in))
			return unknown_name(r, r->wishes[i].name);
	for (size_t i = 0; i < r->count; i++)
		if (check_value(r, &r->wishes[i]) == -1)
			return -1;
	if (r->type == RESOURCE_BROKER)
		return check_min_insync(r);
	if (r->type == RESOURCE_TOPIC && config_check_topic(value_then, r, &err) == -1)
		return alter_refuse(r, &err);
	return 0;
}

/* --- one resource ---------------------------------------------------------------------------- */

static int
check_request(struct resource *r)
{
	for (size_t i = 0; i < r->count; i++)
		for (size_t j = i + 1; j < r->count; j++)
			if (strcmp(r->wishes[i].name, r->wishes[j].name) == 0)
				return alter_refuse_as(
				    r, ERR_INVALID_REQUEST, "Error due to duplicate config keys");
	for (size_t i = 0; i < r->count; i++)
		if (r->wishes[i].value == NULL && r->wishes[i].op != OP_DELETE)
			return alter_refuse_as(r, ERR_INVALID_REQUEST,
			    "Null value not supported for : %.200s", r->wishes[i].name);
	for (size_t i = 0; i < r->count; i++)
		if (r->wishes[i].op < OP_SET || r->wishes[i].op > OP_SUBTRACT) {
			r->code = ERR_UNKNOWN_SERVER_ERROR;
			return -1;
		}
	return 0;
}

/* AlterConfigs: what is set and not named goes. */
static int
add_deletes(struct resource *r)
{
	const struct image_configs *set = resource_configs(r->image, r->type, r->name);
	const struct image_config *c = NULL;
	struct wish *all;
	size_t named = r->count;

	if (r->alter->incremental || set == NULL)
		return 0;
	all = arena_array(&r->alter->x->arena, r->count + set->count, sizeof(*all));
	if (all == NULL)
		return alter_refuse_as(r, ERR_UNKNOWN_SERVER_ERROR, "out of memory");
	if (named > 0)
		memcpy(all, r->wishes, named * sizeof(*all));
	r->wishes = all;
	while ((c = image_config_next(set, c)) != NULL) {
		size_t i = 0;

		while (i < named && strcmp(all[i].name, c->name) != 0)
			i++;
		if (i == named) /* the image may change before this is encoded */
			all[r->count++] = (struct wish){
			    .name = arena_strdup(&r->alter->x->arena, c->name), .op = OP_DELETE};
	}
	return 0;
}

int
alter_check(struct resource *r, const struct image *im)
{
	r->image = im;
	if (r->code != 0 || check_request(r) == -1 || check_kind(r) == -1 || add_deletes(r) == -1)
		return -1;
	for (size_t i = 0; i < r->count; i++) {
		struct wish *w = &r->wishes[i];

		if (w->name == NULL)
			return alter_refuse_as(r, ERR_UNKNOWN_SERVER_ERROR, "out of memory");
		w->result = w->op == OP_SET ? w->value : NULL;
		if ((w->op == OP_APPEND || w->op == OP_SUBTRACT) && combine(r, w) == -1)
			return -1;
	}
	return check_name(r) == -1 || check_values(r) == -1 ? -1 : check_exists(r);
}
