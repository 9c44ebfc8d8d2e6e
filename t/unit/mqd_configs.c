/* DescribeConfigs, AlterConfigs, IncrementalAlterConfigs and ListConfigResources, as
 * clients see them. What Apache Kafka answers: t/interop/oracle_cases/configs.py. */
#include "mqd/api/configs.h"
#include "mqd_broker_test.h"

#define DESCRIBE 32
#define ALTER 33
#define INCREMENTAL 44
#define LIST 74

enum { SET, DELETE, APPEND, SUBTRACT };

static bool
is_text(struct wire_str s, const char *text)
{
	if (text == NULL)
		return s.len == -1;
	return s.len == (int32_t)strlen(text) && memcmp(s.data, text, strlen(text)) == 0;
}

/* One key of one resource; NULL: there is none. The resource's code is told. */
static const struct describe_configs_response_config *
describe(struct client *c, int8_t type, const char *name, const char *key, int *code)
{
	struct wire_str keys = wire_str_of(key);
	struct describe_configs_request_resource res = {
	    .resource_type = type, .resource_name = wire_str_of(name),
	    .configuration_keys = {&keys, 1}};
	struct describe_configs_request r;
	const struct describe_configs_response *out;

	wire_init(&wire_describe_configs_request, &r);
	r.resources.items = &res;
	r.resources.count = 1;
	r.include_synonyms = true;
	out = client_ask(c, DESCRIBE, 4, &r);
	if (code != NULL)
		*code = out != NULL ? out->results.items[0].error_code : -999;
	return out != NULL && out->results.items[0].configs.count == 1
	    ? &out->results.items[0].configs.items[0]
	    : NULL;
}

static void
holds(struct client *c, int8_t type, const char *name, const char *key, const char *value,
    int source, int synonyms)
{
	const struct describe_configs_response_config *e = describe(c, type, name, key, NULL);

	if (!ok(e != NULL && is_text(e->value, value) && e->config_source == source &&
	            e->synonyms.count == synonyms,
	        "%s: %s is %s, from %d", name, key, value != NULL ? value : "null", source) &&
	    e != NULL)
		printf("# %.*s, source %d, %d synonyms\n", e->value.len, e->value.data,
		    e->config_source, e->synonyms.count);
}

static const struct incremental_alter_configs_response_resource *
change(struct client *c, int8_t type, const char *name, const char *key, int op, const char *value)
{
	struct incremental_alter_configs_request_config config = {
	    .name = wire_str_of(key), .config_operation = (int8_t)op, .value = wire_str_of(value)};
	struct incremental_alter_configs_request_resource res = {
	    .resource_type = type, .resource_name = wire_str_of(name), .configs = {&config, 1}};
	struct incremental_alter_configs_request r;
	const struct incremental_alter_configs_response *out;

	wire_init(&wire_incremental_alter_configs_request, &r);
	r.resources.items = &res;
	r.resources.count = 1;
	out = client_ask(c, INCREMENTAL, 1, &r);
	return out != NULL && out->responses.count == 1 ? &out->responses.items[0] : NULL;
}

static void
gives(struct client *c, int8_t type, const char *name, const char *key, int op, const char *value,
    int code, const char *text)
{
	const struct incremental_alter_configs_response_resource *r =
	    change(c, type, name, key, op, value);

	if (!ok(r != NULL && r->error_code == code && is_text(r->error_message, text),
	        "%s: %s, operation %d, %s: %d", name, key, op, value != NULL ? value : "null", code) &&
	    r != NULL)
		printf("# %d %.*s\n", r->error_code, r->error_message.len, r->error_message.data);
}

static void
test_topic(struct client *c)
{
	holds(c, 2, "t", "retention.ms", "7200000", 5, 0); /* log.retention.hours, as Kafka tells it */
	gives(c, 2, "t", "retention.ms", SET, " 5000 ", 0, NULL);
	holds(c, 2, "t", "retention.ms", "5000", 1, 1);
	gives(c, 2, "t", "retention.ms", DELETE, NULL, 0, NULL);
	holds(c, 2, "t", "segment.bytes", "2097152", 4, 2);
	holds(c, 2, "t", "flush.messages", "1", 5, 1);
	gives(c, 2, "t", "cleanup.policy", APPEND, "compact", 0, NULL);
	holds(c, 2, "t", "cleanup.policy", "delete,compact", 1, 2);
	gives(c, 2, "t", "cleanup.policy", SUBTRACT, "delete", 0, NULL);
	holds(c, 2, "t", "cleanup.policy", "compact", 1, 2);
	gives(c, 2, "t", "retention.ms", SET, "7d", 40,
	    "Invalid value 7d for configuration retention.ms: Not a number of type LONG");
	gives(c, 2, "t", "segment.bytes", SET, "10", 40,
	    "Invalid value 10 for configuration segment.bytes: Value must be at least 1048576");
	gives(c, 2, "t", "compression.type", SET, "zst", 40,
	    "Invalid value zst for configuration compression.type: String must be one of: "
	    "uncompressed, zstd, lz4, snappy, gzip, producer");
	gives(c, 2, "t", "min.cleanable.dirty.ratio", SET, "2", 40,
	    "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more "
	    "than 1");
	gives(c, 2, "t", "nonsense", SET, "1", 40, "Unknown topic config name: nonsense");
	gives(c, 2, "t", "retention.ms", APPEND, "1", 40,
	    "Can't APPEND to key retention.ms because its type is not LIST.");
	gives(c, 2, "t", "retention.ms", SET, NULL, 42, "Null value not supported for : retention.ms");
	gives(c, 2, "none", "retention.ms", SET, "1", 3, "The topic 'none' does not exist.");
	gives(c, 2, "", "retention.ms", SET, "1", 42, "Default topic resources are not allowed.");
	gives(c, 2, "t", "retention.ms", 9, "1", -1, NULL);
}

static void
test_broker(struct world *w, struct client *c)
{
	holds(c, 4, "1", "log.retention.ms", NULL, 5, 0);
	holds(c, 4, "1", "log.retention.hours", "2", 4, 2);
	gives(c, 4, "1", "log.retention.ms", SET, "99999", 0, NULL);
	holds(c, 4, "1", "log.retention.ms", "99999", 2, 3);
	holds(c, 2, "t", "retention.ms", "99999", 2, 3);
	gives(c, 4, "", "max.connections", SET, "77", 0, NULL);
	holds(c, 4, "1", "max.connections", "77", 3, 2);
	holds(c, 4, "", "max.connections", "77", 3, 1);
	is_int(w->config.connections_max, 77, "a dynamic config holds at once");
	gives(c, 4, "", "max.connections", DELETE, NULL, 0, NULL);
	is_int(w->config.connections_max, INT32_MAX, "and no more when it is gone");
	gives(c, 4, "1", "num.partitions", SET, "3", 42,
	    "Cannot update these configs dynamically: [num.partitions]");
	gives(c, 4, "1", "max.connections", SET, "-1", 42,
	    "Invalid value -1 for configuration max.connections: Value must be at least 0");
	gives(c, 4, "1", "max.connections", APPEND, "1", 40,
	    "Config value append is not allowed for config key: max.connections");
	gives(c, 4, "9", "max.connections", SET, "1", 42,
	    "Unexpected broker id, expected 1, but received 9");
	gives(c, 4, "x", "max.connections", SET, "1", 42,
	    "Node id must be an integer, but it is: x");
	gives(c, 4, "1", "what.nobody.knows", SET, "1", 0, NULL);
}

static void
test_others(struct client *c)
{
	int code;

	gives(c, 32, "g", "consumer.session.timeout.ms", SET, "50000", 0, NULL);
	holds(c, 32, "g", "consumer.session.timeout.ms", "50000", 8, 2);
	gives(c, 32, "g", "consumer.session.timeout.ms", SET, "1", 40,
	    "consumer.session.timeout.ms must be greater than or equal to "
	    "group.consumer.min.session.timeout.ms");
	gives(c, 16, "m", "interval.ms", SET, "1000", 0, NULL);
	holds(c, 16, "m", "interval.ms", "1000", 7, 1);
	gives(c, 16, "m", "match", SET, "nonsense=a", 40, "Illegal client matching pattern: nonsense=a");
	gives(c, 8, "1", "root", APPEND, "x", 42,
	    "APPEND operation is not allowed for the BROKER_LOGGER resource");
	gives(c, 3, "x", "y", SET, "z", 42, "Unknown resource type 3");
	describe(c, 2, "none", "retention.ms", &code);
	is_int(code, 3, "an unknown topic has no settings");
	describe(c, 4, "7", "node.id", &code);
	is_int(code, 42, "nor has another broker");
}

/* AlterConfigs replaces what is there. */
static void
test_alter(struct client *c)
{
	struct alter_configs_request_config config = {
	    .name = wire_str_of("segment.ms"), .value = wire_str_of("77")};
	struct alter_configs_request_resource res = {
	    .resource_type = 2, .resource_name = wire_str_of("t"), .configs = {&config, 1}};
	struct alter_configs_request r;
	const struct alter_configs_response *out;

	wire_init(&wire_alter_configs_request, &r);
	r.resources.items = &res;
	r.resources.count = 1;
	r.validate_only = true;
	out = client_ask(c, ALTER, 2, &r);
	ok(out != NULL && out->responses.items[0].error_code == 0, "what is only looked at is good");
	holds(c, 2, "t", "segment.ms", "604800000", 5, 0);
	r.validate_only = false;
	out = client_ask(c, ALTER, 2, &r);
	ok(out != NULL && out->responses.items[0].error_code == 0, "and then it is set");
	holds(c, 2, "t", "segment.ms", "77", 1, 1);
	holds(c, 2, "t", "cleanup.policy", "delete", 5, 1);
}

static bool
lists(const struct list_config_resources_response *out, int type, const char *name)
{
	for (int32_t i = 0; out != NULL && i < out->config_resources.count; i++)
		if (out->config_resources.items[i].resource_type == type &&
		    is_text(out->config_resources.items[i].resource_name, name))
			return true;
	return false;
}

static void
test_list(struct client *c)
{
	struct list_config_resources_request r;
	const struct list_config_resources_response *out;
	int8_t bad = 3;

	wire_init(&wire_list_config_resources_request, &r);
	out = client_ask(c, LIST, 1, &r);
	ok(lists(out, 2, "t") && lists(out, 4, "1") && lists(out, 8, "1") && lists(out, 16, "m") &&
	        lists(out, 32, "g"), "all kinds are listed");
	out = client_ask(c, LIST, 0, &r);
	ok(out != NULL && out->config_resources.count == 1, "at first only client metrics were");
	r.resource_types.items = &bad;
	r.resource_types.count = 1;
	out = client_ask(c, LIST, 1, &r);
	ok(out != NULL && out->error_code == 35, "an unknown kind is refused");
}

/* What was set is there after a crash. */
static void
test_again(struct world *w)
{
	struct client *c;

	world_crash(w, 7);
	ok(world_start(w), "the broker starts again");
	c = client_new(w->os, BROKER_ADDRESS);
	holds(c, 2, "t", "segment.ms", "77", 1, 1);
	holds(c, 4, "1", "log.retention.ms", "99999", 2, 3);
	client_free(c);
}

int
main(void)
{
	static const char *const set[] = {"log.retention.hours=2", "log.segment.bytes=2M", NULL};
	struct world w;
	struct client *c;

	if (!ok(world_begin(&w, 1, set), "a broker starts"))
		return tap_done();
	make_topic(&w, "t", 1);
	c = client_new(w.os, BROKER_ADDRESS);
	test_topic(c);
	client_free(c);
	c = client_new(w.os, BROKER_ADDRESS);
	test_broker(&w, c);
	client_free(c);
	c = client_new(w.os, BROKER_ADDRESS);
	test_others(c);
	test_alter(c);
	test_list(c);
	client_free(c);
	test_again(&w);
	world_stop(&w);
	world_end(&w);
	return tap_done();
}
