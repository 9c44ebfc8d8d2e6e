/*
 * CreateTopics. Kafka's ControllerApis.createTopics and ReplicationControlManager: its
 * order of checks, its texts; one change for all that can be made.
 */
#include <stdio.h>
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/configs.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "store/format.h"
#include "wire_gen.h"

/* Kafka's MAX_PARTITIONS_PER_BATCH and QuorumController.MAX_RECORDS_PER_USER_OP. */
#define PARTITIONS_MAX 10000
#define RECORDS_MAX 10000

#define CONFIGS_SINCE 5 /* before, the answer has none */

enum { WANTED, TWICE, SILENT, PROHIBITED };

struct creation {
	struct exchange *x;
	struct cluster_change ch;
	const struct create_topics_request *request;
	struct create_topics_response *response;
	int *what;           /* of each of the request's topics */
	size_t config_count; /* topic configurations that there are */
	const char **written; /* of the topic at hand: its configs' values as they came */
};

/* --- results --------------------------------------------------------------------------- */

static struct create_topics_response_topic *
add_result(struct creation *c, struct wire_str name, int code, struct wire_str text)
{
	struct create_topics_response *r = c->response;
	struct create_topics_response_topic *to = &r->topics.items[r->topics.count++];

	*to = (struct create_topics_response_topic){.name = name, .error_code = (int16_t)code,
	    .error_message = text, .num_partitions = -1, .replication_factor = -1};
	return to;
}

/* What holds for the new topic, as DescribeConfigs would say it. */
static int
add_configs(struct creation *c, const struct image *im, const struct topic_wish *w,
    struct create_topics_response_topic *to)
{
	size_t size = sizeof(*to->configs.items);

	if (c->x->request.version < CONFIGS_SINCE)
		return 0;
	view_make_room(c->x, c->config_count * size + 64);
	to->configs.items = exchange_array(c->x, c->config_count, size);
	if (to->configs.items == NULL)
		return -1;
	for (const struct topic_config *t = topic_configs; t->name != NULL; t++) {
		struct create_topics_response_config *one = &to->configs.items[to->configs.count++];
		enum config_source source = CONFIG_DYNAMIC_TOPIC;
		const char *value = NULL;

		for (size_t i = 0; i < w->config_count && value == NULL; i++)
			if (strcmp(w->configs[i].name, t->name) == 0)
				value = c->written[i];
		if (value == NULL)
			value = topic_config_value(im, w->name, t->name, &source);
		one->name = wire_str_of(t->name);
		one->value = wire_str_of(value);
		one->config_source = (int8_t)source;
	}
	return 0;
}

static int
add_made(struct creation *c, const struct image *im, const struct topic_wish *w,
    const struct uuid *id, struct wire_str name)
{
	struct create_topics_response_topic *to = add_result(c, name, 0, wire_str_null());

	to->topic_id = *id;
	if (w->assignment_count > 0) {
		to->num_partitions = (int32_t)w->assignment_count;
		to->replication_factor = (int16_t)w->assignment[0].count;
	} else {
		to->num_partitions =
		    w->partitions == -1 ? c->x->broker->config->num_partitions : w->partitions;
		to->replication_factor = w->replicas == -1 ? 1 : w->replicas;
	}
	return add_configs(c, im, w, to);
}

/* --- configs ---------------------------------------------------------------------------- */

/* A string of the request for those who want a NUL. NULL: no memory. */
static char *
text_of(struct creation *c, struct wire_str s)
{
	return arena_memdup(&c->x->arena, s.data, s.len > 0 ? (size_t)s.len : 0);
}

static int
check_nulls(const struct create_topics_request_topic *t, struct err *err)
{
	char names[ERR_TEXT_MAX - 80] = "";
	size_t len = 0;

	for (int32_t i = 0; i < t->configs.count; i++) {
		struct wire_str name = t->configs.items[i].name;

		if (t->configs.items[i].value.len >= 0)
			continue;
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%.*s",
		    len > 0 ? "," : "", name.len > 100 ? 100 : name.len, name.data);
		if (len >= sizeof(names))
			break;
	}
	return len == 0 ? 0
	                : err_set(err, ERR_INVALID_CONFIG,
	                      "Null value not supported for topic configs: %s", names);
}

/* Of a config that comes twice the last one counts. */
static struct image_config *
config_slot(struct topic_wish *w, struct image_config *list, const char *name)
{
	for (size_t i = 0; i < w->config_count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return &list[w->config_count++];
}

static int
take_config(struct creation *c, const struct create_topics_request_config *from,
    struct topic_wish *w, struct image_config *list, struct err *err)
{
	size_t size = (size_t)from->value.len + 64;
	char *name = text_of(c, from->name), *value = text_of(c, from->value);
	char *kept = exchange_array(c->x, size, 1);
	struct config_rule rule;
	struct image_config *slot;

	if (name == NULL || value == NULL || kept == NULL)
		return err_nomem(err);
	if (!config_rule_topic(name, &rule))
		return err_set(err, ERR_INVALID_CONFIG, "Unknown topic config name: %.300s", name);
	if (config_rule_check(&rule, value, kept, size, err) == -1)
		return -1;
	slot = config_slot(w, list, name);
	slot->name = name;
	slot->value = kept;
	c->written[slot - list] = value;
	return 0;
}

static const char *
wished_value(void *ctx, const char *name)
{
	const struct topic_wish *w = ctx;

	for (size_t i = 0; i < w->config_count; i++)
		if (strcmp(w->configs[i].name, name) == 0)
			return w->configs[i].value;
	return NULL;
}

static int
take_configs(struct creation *c, const struct create_topics_request_topic *t, struct topic_wish *w, struct err *err)
{
	struct image_config *list;
	size_t most = (size_t)t->configs.count;

	/* No more of them have different names that are known. */
	if (most > c->config_count + 1)
		most = c->config_count + 1;
	list = exchange_array(c->x, most, sizeof(*list));
	c->written = exchange_array(c->x, most, sizeof(*c->written));
	if (list == NULL || c->written == NULL)
		return err_nomem(err);
	if (check_nulls(t, err) == -1)
		return -1;
	for (int32_t i = 0; i < t->configs.count; i++)
		if (take_config(c, &t->configs.items[i], w, list, err) == -1)
			return -1;
	w->configs = list;
	return config_check_topic(wished_value, w, err);
}

/* --- one topic ----------------------------------------------------------------------------- */

static int
take_assignments(struct creation *c, const struct create_topics_request_topic *t, struct topic_wish *w, struct err *err)
{
	size_t count = (size_t)t->assignments.count;
	int32_t *numbers = exchange_array(c->x, count, sizeof(*numbers));
	struct wire_int32s *replicas = exchange_array(c->x, count, sizeof(*replicas));

	if (numbers == NULL || replicas == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		numbers[i] = t->assignments.items[i].partition_index;
		replicas[i] = t->assignments.items[i].broker_ids;
	}
	w->numbers = numbers;
	w->assignment = replicas;
	w->assignment_count = count;
	return 0;
}

static int
create(struct creation *c, const struct image *im, const struct create_topics_request_topic *t,
    struct cluster_records *r, struct err *err)
{
	const struct broker_config *config = c->x->broker->config;
	struct topic_wish w = {.name = text_of(c, t->name), .partitions = t->num_partitions,
	    .replicas = t->replication_factor};
	struct uuid id;

	if (w.name == NULL)
		return err_nomem(err);
	if (strlen(w.name) != (size_t)t->name.len)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "Topic name is invalid: it contains one or more characters other than ASCII "
		    "alphanumerics, '.', '_' and '-'");
	if (controller_check_name(im, w.name, err) == -1 || take_configs(c, t, &w, err) == -1 ||
	    take_assignments(c, t, &w, err) == -1 ||
	    controller_create_topic(
	        im, &w, config->node_id, config->num_partitions, c->x->broker->os, r, &id, err) == -1)
		return -1;
	return add_made(c, im, &w, &id, t->name) == -1 ? err_nomem(err) : 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* A topic that wants fewer than none does not make room for another. */
static int64_t
partitions_wanted(const struct creation *c)
{
	int64_t sum = 0;

	for (int32_t i = 0; i < c->request->topics.count; i++) {
		const struct create_topics_request_topic *t = &c->request->topics.items[i];

		if (c->what[i] != WANTED)
			continue;
		if (t->assignments.count > 0)
			sum += t->assignments.count;
		else if (t->num_partitions == -1)
			sum += c->x->broker->config->num_partitions;
		else if (t->num_partitions > 0)
			sum += t->num_partitions;
	}
	return sum;
}

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct creation *c = ch->ctx;

	if (partitions_wanted(c) > PARTITIONS_MAX)
		return err_set(err, ERR_POLICY_VIOLATION,
		    "Excessively large number of partitions per request.");
	for (int32_t i = 0; i < c->request->topics.count; i++) {
		const struct create_topics_request_topic *t = &c->request->topics.items[i];

		if (c->what[i] != WANTED || create(c, im, t, r, err) == 0)
			continue;
		if (err->code == ERR_NOMEM)
			return -1;
		add_result(c, t->name, err->code, view_text(c->x, "%s", err->text));
		err->code = 0;
	}
	if (cluster_record_count(r) > RECORDS_MAX)
		return err_set(err, ERR_POLICY_VIOLATION,
		    "Unable to perform excessively large batch operation.");
	if (c->request->validate_only)
		cluster_drop(r);
	return 0;
}

/* Behind the others, those that were not even looked at. */
static void
answer(struct creation *c)
{
	for (int32_t i = 0; i < c->request->topics.count; i++)
		if (c->what[i] == TWICE)
			add_result(c, c->request->topics.items[i].name, ERR_INVALID_REQUEST,
			    wire_str_of("Duplicate topic name."));
	for (int32_t i = 0; i < c->request->topics.count; i++)
		if (c->what[i] == PROHIBITED)
			add_result(c, c->request->topics.items[i].name, ERR_INVALID_REQUEST,
			    wire_str_of(
			        "Creation of internal topic " METADATA_TOPIC " is prohibited."));
	dispatch_reply(c->x, c->response);
}

/* All that might have been made fail alike. */
static void
refuse_all(struct creation *c, int code, struct wire_str text)
{
	c->response->topics.count = 0;
	for (int32_t i = 0; i < c->request->topics.count; i++)
		if (c->what[i] == WANTED)
			add_result(c, c->request->topics.items[i].name, code, text);
	answer(c);
}

static void
done(struct cluster_change *ch)
{
	struct creation *c = ch->ctx;

	if (ch->err.code != 0)
		refuse_all(c, ch->err.code, wire_str_of(ch->err.text));
	else
		answer(c);
}

/* A name that comes twice is told of once. */
static int
sort_out(struct creation *c)
{
	struct map seen;
	int ret = 0;

	map_init(&seen);
	for (int32_t i = 0; i < c->request->topics.count && ret == 0; i++) {
		struct wire_str name = c->request->topics.items[i].name;
		int *first = map_get(&seen, name.data, (size_t)name.len);

		if (name.len == (int32_t)strlen(METADATA_TOPIC) &&
		    memcmp(name.data, METADATA_TOPIC, (size_t)name.len) == 0)
			c->what[i] = PROHIBITED;
		if (first == NULL) {
			ret = map_put(&seen, name.data, (size_t)name.len, &c->what[i], NULL);
			continue;
		}
		*first = TWICE;
		c->what[i] = SILENT;
	}
	map_release(&seen);
	return ret;
}

static int
begin(struct creation *c)
{
	size_t count = (size_t)c->request->topics.count;

	c->response = dispatch_response(c->x);
	c->what = exchange_array(c->x, count, sizeof(*c->what));
	if (c->response == NULL || c->what == NULL)
		return -1;
	view_make_room(c->x, count * sizeof(*c->response->topics.items));
	c->response->topics.items =
	    exchange_array(c->x, count, sizeof(*c->response->topics.items));
	while (topic_configs[c->config_count].name != NULL)
		c->config_count++;
	return c->response->topics.items == NULL ? -1 : sort_out(c);
}

void
api_create_topics(struct exchange *x)
{
	struct creation *c = exchange_array(x, 1, sizeof(*c));

	if (c != NULL) {
		c->x = x;
		c->request = x->body;
	}
	if (c == NULL || begin(c) == -1) {
		dispatch_close(x, "no memory");
		return;
	}
	if (c->request->timeout_ms <= 0) {
		refuse_all(c, ERR_REQUEST_TIMED_OUT, wire_str_null());
		return;
	}
	c->ch = (struct cluster_change){.prepare = prepare, .done = done, .ctx = c};
	cluster_change(x->broker->cluster, &c->ch);
}
