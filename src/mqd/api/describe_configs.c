/*
 * DescribeConfigs: settings, and where they come from (KIP-133, 226, 569).
 *
 * A value's synonyms are all that could have set it, the one that holds first:
 * topic, this broker, all brokers, the file, built in. As in Kafka the list begins
 * with the key's own name, so log.roll.hours is no synonym of segment.ms unless
 * log.roll.ms is there too, and the source is then told as "default".
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mqd/api/api.h"
#include "mqd/api/configs.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "wire_gen.h"

#define SYNONYMS_MAX 16

struct describe {
	struct exchange *x;
	const struct describe_configs_request *in;
	const struct describe_configs_request_resource *wanted;
	struct describe_configs_response_resource *out;
	size_t room;
	bool failed; /* no memory */
};

static const struct image *
image_of(const struct describe *d)
{
	return cluster_image(d->x->broker->cluster);
}

static bool
is_wanted(const struct describe *d, const char *name)
{
	const struct wire_strs *keys = &d->wanted->configuration_keys;

	if (keys->count <= 0)
		return true;
	for (int32_t i = 0; i < keys->count; i++)
		if (keys->items[i].len == (int32_t)strlen(name) &&
		    memcmp(keys->items[i].data, name, strlen(name)) == 0)
			return true;
	return false;
}

static void
fail(struct describe *d, int code, const char *text)
{
	d->out->error_code = (int16_t)code;
	d->out->error_message = wire_str_of(text);
	d->failed = d->failed || text == NULL;
}

/* --- one entry -------------------------------------------------------------------------- */

/* What may have set it; `count` grows. */
struct synonyms {
	struct describe_configs_response_synonym list[SYNONYMS_MAX];
	size_t count;
};

static void
synonym_add(struct synonyms *s, const char *name, const char *value, int source)
{
	if (value != NULL && s->count < SYNONYMS_MAX)
		s->list[s->count++] = (struct describe_configs_response_synonym){
		    .name = wire_str_of(name), .value = wire_str_of(value), .source = (int8_t)source};
}

/* Those of a broker's key, all of them or only what all brokers have. */
static void
broker_synonyms(const struct describe *d, struct synonyms *s, const char *name)
{
	const struct broker_config *c = d->x->broker->config;
	const struct image *im = image_of(d);
	const char *spelled[3];
	size_t before = s->count, skip;
	char node[16];

	snprintf(node, sizeof(node), "%d", c->node_id);
	broker_key_spellings(name, spelled);
	for (int i = 0; i < 3 && spelled[i] != NULL; i++)
		synonym_add(s, spelled[i], image_config(im, RESOURCE_BROKER, node, spelled[i]),
		    CONFIG_DYNAMIC_BROKER);
	for (int i = 0; i < 3 && spelled[i] != NULL; i++)
		synonym_add(s, spelled[i], image_config(im, RESOURCE_BROKER, "", spelled[i]),
		    CONFIG_DYNAMIC_DEFAULT_BROKER);
	for (int i = 0; i < 3 && spelled[i] != NULL; i++)
		synonym_add(s, spelled[i], map_get(&c->set, spelled[i], strlen(spelled[i])),
		    CONFIG_STATIC_BROKER);
	for (int i = 0; i < 3 && spelled[i] != NULL; i++)
		synonym_add(s, spelled[i], broker_key_default(spelled[i]), CONFIG_DEFAULT);
	/* Up to the first of the very name. */
	for (skip = before; skip < s->count; skip++)
		if (strncmp(s->list[skip].name.data, name, strlen(name) + 1) == 0)
			break;
	memmove(&s->list[before], &s->list[skip], (s->count - skip) * sizeof(s->list[0]));
	s->count -= skip - before;
}

static int8_t
wire_config_type(enum config_type type)
{
	switch (type) {
	case CONFIG_BOOL:
		return 1;
	case CONFIG_STRING:
		return 2;
	case CONFIG_INT:
		return 3;
	case CONFIG_LONG:
		return 5;
	case CONFIG_DOUBLE:
		return 6;
	case CONFIG_LIST:
		return 7;
	}
	return 0;
}

static void
entry_add(struct describe *d, const char *name, const char *value, bool read_only, int8_t type,
    const char *help, const struct synonyms *s)
{
	struct describe_configs_response_config *e;

	if (!is_wanted(d, name) || (size_t)d->out->configs.count == d->room)
		return;
	e = &d->out->configs.items[d->out->configs.count++];
	*e = (struct describe_configs_response_config){.name = wire_str_of(name),
	    .value = wire_str_of(value), .read_only = read_only, .config_type = type,
	    .config_source = s->count > 0 ? s->list[0].source : CONFIG_DEFAULT,
	    .documentation = d->in->include_documentation ? wire_str_of(help) : wire_str_null()};
	if (!d->in->include_synonyms || s->count == 0)
		return;
	e->synonyms.items = exchange_array(d->x, s->count, sizeof(s->list[0]));
	if (e->synonyms.items == NULL) {
		d->failed = true;
		return;
	}
	memcpy(e->synonyms.items, s->list, s->count * sizeof(s->list[0]));
	e->synonyms.count = (int32_t)s->count;
}

static int
entries_begin(struct describe *d, size_t room)
{
	d->out->configs.items = exchange_array(d->x, room, sizeof(*d->out->configs.items));
	d->room = room;
	d->failed = d->failed || d->out->configs.items == NULL;
	return d->out->configs.items == NULL ? -1 : 0;
}

/* --- topics ------------------------------------------------------------------------------- */

static size_t
topic_config_count(void)
{
	size_t n = 0;

	while (topic_configs[n].name != NULL)
		n++;
	return n;
}

static void
describe_topic(struct describe *d, const char *topic)
{
	const struct image *im = image_of(d);
	const char *fault = topic_name_fault(&d->x->arena, topic);

	if (!topic_name_ok(topic)) {
		fail(d, ERR_INVALID_TOPIC_EXCEPTION, fault);
		return;
	}
	if (image_topic(im, topic) == NULL) {
		fail(d, ERR_UNKNOWN_TOPIC_OR_PARTITION, "");
		return;
	}
	if (entries_begin(d, topic_config_count()) == -1)
		return;
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++) {
		struct synonyms s = {.count = 0};

		synonym_add(&s, t->name, image_config(im, RESOURCE_TOPIC, topic, t->name),
		    CONFIG_DYNAMIC_TOPIC);
		if (t->broker_name != NULL)
			broker_synonyms(d, &s, t->broker_name);
		entry_add(d, t->name, topic_config_value(im, topic, t->name, NULL), false,
		    wire_config_type(t->type), t->help, &s);
	}
}

/* --- brokers ------------------------------------------------------------------------------ */

static void
broker_entry(struct describe *d, const char *name, enum config_type type, bool read_only,
    const char *help)
{
	struct synonyms s = {.count = 0};
	const char *value;

	broker_synonyms(d, &s, name);
	value = s.count > 0 ? s.list[0].value.data : NULL;
	entry_add(d, name, value, read_only, wire_config_type(type), help, &s);
}

static void
describe_node(struct describe *d)
{
	static const char *const units[] = {"log.retention.hours", "log.retention.minutes",
	    "log.roll.hours", "log.roll.jitter.hours"};
	size_t count = topic_config_count() + sizeof(units) / sizeof(units[0]);

	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		count++;
	if (entries_begin(d, count) == -1)
		return;
	for (const struct broker_key *k = broker_keys; k->name != NULL; k++)
		broker_entry(d, k->name, k->type, (k->flags & KEY_DYNAMIC) == 0, k->help);
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++)
		if (t->broker_name != NULL)
			broker_entry(d, t->broker_name, t->type, false, t->help);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		broker_entry(d, units[i], CONFIG_INT, true, "log.retention.ms, log.roll.ms and "
		    "log.roll.jitter.ms in another unit");
}

/* What is set for all brokers, and nothing else. */
static void
describe_all_nodes(struct describe *d)
{
	const struct image_configs *set = resource_configs(image_of(d), RESOURCE_BROKER, "");
	const struct image_config *c = NULL;

	if (set == NULL || entries_begin(d, set->count) == -1)
		return;
	while ((c = image_config_next(set, c)) != NULL) {
		struct synonyms s = {.count = 0};
		struct config_rule rule = {.type = CONFIG_STRING};

		(void)config_rule_broker(c->name, &rule);
		synonym_add(&s, c->name, c->value, CONFIG_DYNAMIC_DEFAULT_BROKER);
		entry_add(d, c->name, c->value, false, wire_config_type(rule.type), "", &s);
	}
}

/* True if it is this node's number; else the error is set. */
static bool
is_this_node(struct describe *d, const char *name, const char *expected)
{
	char text[400];
	int64_t id;

	if (text_int(name, INT32_MIN, INT32_MAX, &id) == -1)
		snprintf(text, sizeof(text), "Broker id must be an integer, but it is: %.200s", name);
	else if (id != d->x->broker->config->node_id)
		snprintf(text, sizeof(text), "Unexpected broker id, expected %d%s but received %s",
		    d->x->broker->config->node_id, expected, name);
	else
		return true;
	fail(d, ERR_INVALID_REQUEST, arena_strdup(&d->x->arena, text));
	return false;
}

static void
describe_broker(struct describe *d, const char *name)
{
	if (*name == '\0')
		describe_all_nodes(d);
	else if (is_this_node(d, name, " or empty string,"))
		describe_node(d);
}

/* There is one logger, and what it tells is chosen when mqd is started. */
static void
describe_logger(struct describe *d, const char *name)
{
	struct synonyms s = {.count = 0};

	if (*name == '\0') {
		fail(d, ERR_INVALID_REQUEST, "Broker id must not be empty");
		return;
	}
	if (!is_this_node(d, name, "") || entries_begin(d, 1) == -1)
		return;
	entry_add(d, "root", "INFO", true, 0, "", &s);
	if (d->out->configs.count > 0) {
		d->out->configs.items[0].config_source = SOURCE_LOGGER;
		d->out->configs.items[0].documentation = wire_str_of("");
	}
}

/* --- groups, client metrics ------------------------------------------------------------------ */

static void
describe_table(struct describe *d, const char *name, int8_t type, int source,
    const struct resource_config *table)
{
	size_t count = 0;

	while (table[count].rule.name != NULL)
		count++;
	if (entries_begin(d, count) == -1)
		return;
	for (; table->rule.name != NULL; table++) {
		struct synonyms s = {.count = 0};
		const char *set = image_config(image_of(d), type, name, table->rule.name);

		synonym_add(&s, table->rule.name, set, source);
		if (table->broker_name != NULL)
			synonym_add(&s, table->broker_name, table->default_text, CONFIG_DEFAULT);
		entry_add(d, table->rule.name, set != NULL ? set : table->default_text, false,
		    wire_config_type(table->rule.type), table->help, &s);
	}
}

static void
describe_resource(struct describe *d)
{
	const struct wire_str *from = &d->wanted->resource_name;
	const char *name = arena_memdup(&d->x->arena, from->data, (size_t)from->len);

	if (name == NULL) {
		d->failed = true;
		return;
	}
	switch (d->wanted->resource_type) {
	case RESOURCE_TOPIC:
		describe_topic(d, name);
		break;
	case RESOURCE_BROKER:
		describe_broker(d, name);
		break;
	case RESOURCE_LOGGER:
		describe_logger(d, name);
		break;
	case RESOURCE_METRICS:
		if (*name == '\0')
			fail(d, ERR_INVALID_REQUEST,
			    "Client metrics subscription name must not be empty");
		else
			describe_table(d, name, RESOURCE_METRICS, SOURCE_METRICS, metrics_configs);
		break;
	case RESOURCE_GROUP:
		if (*name == '\0')
			fail(d, ERR_INVALID_REQUEST, "Group name must not be empty");
		else
			describe_table(d, name, RESOURCE_GROUP, SOURCE_GROUP, group_configs);
		break;
	}
}

/* One kind of resource that nobody knows, and Kafka answers nothing of the request. */
static bool
all_known(const struct describe_configs_request *in)
{
	for (int32_t i = 0; i < in->resources.count; i++) {
		switch (in->resources.items[i].resource_type) {
		case RESOURCE_TOPIC:
		case RESOURCE_BROKER:
		case RESOURCE_LOGGER:
		case RESOURCE_METRICS:
		case RESOURCE_GROUP:
			continue;
		}
		return false;
	}
	return true;
}

void
api_describe_configs(struct exchange *x)
{
	const struct describe_configs_request *in = x->body;
	struct describe_configs_response *out = dispatch_response(x);
	struct describe d = {.x = x, .in = in};
	bool known;

	if (out != NULL && in->resources.count > 0)
		out->results.items = exchange_array(x, (size_t)in->resources.count,
		    sizeof(*out->results.items));
	if (out == NULL || (in->resources.count > 0 && out->results.items == NULL)) {
		dispatch_close(x, "out of memory");
		return;
	}
	known = all_known(in);
	for (int32_t i = 0; i < in->resources.count; i++) {
		d.wanted = &in->resources.items[i];
		d.out = &out->results.items[out->results.count++];
		d.out->error_message = wire_str_of("");
		d.out->resource_type = d.wanted->resource_type;
		d.out->resource_name = d.wanted->resource_name;
		if (known)
			describe_resource(&d);
		else
			fail(&d, ERR_INVALID_REQUEST,
			    "This most likely occurs because of a request being malformed by the client "
			    "library or the message was sent to an incompatible broker. See the broker "
			    "logs for more details.");
	}
	if (d.failed)
		dispatch_close(x, "out of memory");
	else
		dispatch_reply(x, out);
}
