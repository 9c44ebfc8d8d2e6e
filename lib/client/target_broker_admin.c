/* Making, changing and deleting topics of a cluster, and what is known of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_admin.h"

/* How long a controller may take, and how long brokers are waited for to hear of it. */
#define ADMIN_MS 30000
#define SETTLE_MS 10000

#define RESOURCE_TOPIC 2

/* --- create, delete, add partitions ------------------------------------------------ */

static int
create_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct create_topics_request *r = msg;
	struct admin_call *c = admin_call_of(a);
	struct create_topics_request_topic *t = arena_array(&a->arena, 1, sizeof(*t));

	if (t == NULL)
		return err_nomem(err);
	*t = (struct create_topics_request_topic){.name = wire_str_of(c->topic),
	    .num_partitions = c->count > 0 ? c->count : -1,
	    .replication_factor = (int16_t)(c->replicas > 0 ? c->replicas : -1)};
	/* Brokers before 2.4 have no defaults to ask for (KIP-464). */
	if (version < 4 && t->num_partitions == -1)
		t->num_partitions = 1;
	if (version < 4 && t->replication_factor == -1)
		t->replication_factor = 1;
	t->configs.items = arena_array(&a->arena, c->config_count + 1, sizeof(t->configs.items[0]));
	if (t->configs.items == NULL)
		return err_nomem(err);
	t->configs.count = (int32_t)c->config_count;
	for (size_t i = 0; i < c->config_count; i++)
		t->configs.items[i] =
		    (struct create_topics_request_config){.name = wire_str_of(c->configs[i].name),
			.value = wire_str_of(c->configs[i].value)};
	r->topics.items = t;
	r->topics.count = 1;
	r->timeout_ms = ADMIN_MS;
	return 0;
}

/* An answer that got lost may have told that it was done. */
static int
topic_result(
    struct ask *a, int count, int code, struct wire_str message, int done_before, struct err *err)
{
	const char *topic = admin_call_of(a)->topic;

	if (count != 1)
		return err_set(err, ERR_UNSUPPORTED_VERSION, "topic %s: %d answers to one question",
		    topic, count);
	if (code == 0 || (a->was_lost && code == done_before))
		return 0;
	return broker_err(err, code, message, "topic %s", topic);
}

static int
create_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct create_topics_response *r = msg;
	const struct create_topics_response_topic *t = r->topics.items;
	int n = r->topics.count;

	(void)version;
	return topic_result(a, n, n == 1 ? t->error_code : 0,
	    n == 1 ? t->error_message : wire_str_null(), ERR_TOPIC_ALREADY_EXISTS, err);
}

static int
delete_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct delete_topics_request *r = msg;
	struct wire_str *name = arena_array(&a->arena, 1, sizeof(*name));

	r->topics.items = arena_array(&a->arena, 1, sizeof(r->topics.items[0]));
	if (name == NULL || r->topics.items == NULL)
		return err_nomem(err);
	*name = wire_str_of(admin_call_of(a)->topic);
	r->timeout_ms = ADMIN_MS;
	if (version >= 6) {
		r->topics.items[0] = (struct delete_topics_request_topic){.name = *name};
		r->topics.count = 1;
	} else {
		r->topic_names = (struct wire_strs){name, 1};
	}
	return 0;
}

static int
delete_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct delete_topics_response *r = msg;
	const struct delete_topics_response_topic *t = r->responses.items;
	int n = r->responses.count;

	(void)version;
	return topic_result(a, n, n == 1 ? t->error_code : 0,
	    n == 1 ? t->error_message : wire_str_null(), ERR_UNKNOWN_TOPIC_OR_PARTITION, err);
}

static int
add_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct create_partitions_request *r = msg;
	struct create_partitions_request_topic *t = arena_array(&a->arena, 1, sizeof(*t));

	(void)version;
	if (t == NULL)
		return err_nomem(err);
	*t = (struct create_partitions_request_topic){.name = wire_str_of(admin_call_of(a)->topic),
	    .count = admin_call_of(a)->count,
	    .assignments = {NULL, -1}};
	r->topics.items = t;
	r->topics.count = 1;
	r->timeout_ms = ADMIN_MS;
	return 0;
}

static int
add_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct create_partitions_response *r = msg;
	const struct create_partitions_response_topic *t = r->results.items;
	int n = r->results.count;

	(void)version;
	return topic_result(a, n, n == 1 ? t->error_code : 0,
	    n == 1 ? t->error_message : wire_str_null(), ERR_INVALID_PARTITIONS, err);
}

/* --- until it is seen ----------------------------------------------------------------- */

static int
settle_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct metadata_request *r = msg;

	r->topics.items = arena_array(&a->arena, 1, sizeof(r->topics.items[0]));
	if (r->topics.items == NULL)
		return err_nomem(err);
	r->topics.items[0] =
	    (struct metadata_request_topic){.name = wire_str_of(admin_call_of(a)->topic)};
	r->topics.count = 1;
	r->allow_auto_topic_creation = version < 4;
	return 0;
}

static bool
has_leaders(const struct metadata_response_topic *t)
{
	for (int32_t i = 0; i < t->partitions.count; i++)
		if (t->partitions.items[i].leader_id < 0)
			return false;
	return t->partitions.count > 0;
}

static int
settle_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct metadata_response *r = msg;
	const struct admin_call *c = admin_call_of(a);
	const struct metadata_response_topic *t = r->topics.count == 1 ? r->topics.items : NULL;
	bool seen;

	(void)version;
	if (cluster_take(a->cluster, msg, err) == -1)
		return -1;
	if (t == NULL)
		return 0;
	if (c->op == ADMIN_DELETE_TOPIC)
		seen = t->error_code == ERR_UNKNOWN_TOPIC_OR_PARTITION;
	else
		seen = t->error_code == 0 && has_leaders(t) && t->partitions.count >= c->count;
	return seen ? 0 : err_set(err, ERR_LEADER_NOT_AVAILABLE, "topic %s is changing", c->topic);
}

/* It is done, whether all know or not. */
static void
settle_done(struct ask *a)
{
	struct admin_work *o = a->ctx;

	op_finish(&o->op, NULL);
}

/* --- configs ----------------------------------------------------------------------------- */

static int
alter_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct incremental_alter_configs_request *r = msg;
	struct admin_call *c = admin_call_of(a);
	struct incremental_alter_configs_request_resource *t =
	    arena_array(&a->arena, 1, sizeof(*t));

	(void)version;
	if (t == NULL)
		return err_nomem(err);
	*t = (struct incremental_alter_configs_request_resource){
	    .resource_type = RESOURCE_TOPIC, .resource_name = wire_str_of(c->topic)};
	t->configs.items = arena_array(&a->arena, c->config_count + 1, sizeof(t->configs.items[0]));
	if (t->configs.items == NULL)
		return err_nomem(err);
	t->configs.count = (int32_t)c->config_count;
	for (size_t i = 0; i < c->config_count; i++)
		t->configs.items[i] = (struct incremental_alter_configs_request_config){
		    .name = wire_str_of(c->configs[i].name),
		    .config_operation = c->configs[i].value == NULL,
		    .value = wire_str_of(c->configs[i].value)};
	r->resources.items = t;
	r->resources.count = 1;
	return 0;
}

static int
alter_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct incremental_alter_configs_response *r = msg;
	int n = r->responses.count;

	(void)version;
	return topic_result(a, n, n == 1 ? r->responses.items[0].error_code : 0,
	    n == 1 ? r->responses.items[0].error_message : wire_str_null(), 0, err);
}

static int
configs_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct describe_configs_request *r = msg;
	struct describe_configs_request_resource *t = arena_array(&a->arena, 1, sizeof(*t));

	if (t == NULL)
		return err_nomem(err);
	*t = (struct describe_configs_request_resource){.resource_type = RESOURCE_TOPIC,
	    .resource_name = wire_str_of(admin_call_of(a)->topic),
	    .configuration_keys = {NULL, -1}};
	r->resources.items = t;
	r->resources.count = 1;
	if (version >= 3)
		r->include_documentation = true;
	return 0;
}

static int
by_config(const void *a, const void *b)
{
	return strcmp(((const struct admin_found_config *)a)->name,
	    ((const struct admin_found_config *)b)->name);
}

static int
configs_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct describe_configs_response *r = msg;
	const struct describe_configs_response_resource *t = r->results.items;
	struct admin_call *c = admin_call_of(a);
	struct admin_found_config *list;
	size_t count;

	(void)version;
	if (topic_result(a, r->results.count, r->results.count == 1 ? t->error_code : 0,
		r->results.count == 1 ? t->error_message : wire_str_null(), 0, err) == -1)
		return -1;
	count = t->configs.count > 0 ? (size_t)t->configs.count : 0;
	list = arena_array(c->arena, count + 1, sizeof(*list));
	if (list == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		const struct describe_configs_response_config *f = &t->configs.items[i];

		list[i] = (struct admin_found_config){.name = wire_str_dup(c->arena, f->name),
		    .value = wire_str_dup(c->arena, f->value),
		    .source = (enum config_source)f->config_source,
		    .help = wire_str_dup(c->arena, f->documentation)};
		if (list[i].name == NULL || list[i].value == NULL || list[i].help == NULL)
			return err_nomem(err);
	}
	qsort(list, count, sizeof(*list), by_config);
	c->found_configs = list;
	c->found_config_count = count;
	return 0;
}

/* --- a partition -------------------------------------------------------------------------- */

static int
trim_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct delete_records_request *r = msg;
	struct admin_call *c = admin_call_of(a);
	struct delete_records_request_topic *t = arena_array(&a->arena, 1, sizeof(*t));
	struct delete_records_request_partition *p = arena_array(&a->arena, 1, sizeof(*p));

	(void)version;
	if (t == NULL || p == NULL)
		return err_nomem(err);
	*p = (struct delete_records_request_partition){
	    .partition_index = c->partition, .offset = c->offset};
	*t = (struct delete_records_request_topic){
	    .name = wire_str_of(c->topic), .partitions = {p, 1}};
	r->topics.items = t;
	r->topics.count = 1;
	r->timeout_ms = ADMIN_MS;
	return 0;
}

static int
trim_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct delete_records_response *r = msg;
	struct admin_call *c = admin_call_of(a);
	const struct delete_records_response_partition *p;

	(void)version;
	if (r->topics.count != 1 || r->topics.items[0].partitions.count != 1)
		return err_set(err, ERR_UNSUPPORTED_VERSION, "%s-%d: no answer for it", c->topic,
		    c->partition);
	p = r->topics.items[0].partitions.items;
	if (p->error_code != 0)
		return broker_err(
		    err, p->error_code, wire_str_null(), "%s-%d", c->topic, c->partition);
	c->offset = p->low_watermark;
	return 0;
}

static int
usage_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct describe_log_dirs_request *r = msg;
	struct admin_call *c = admin_call_of(a);
	struct describe_log_dirs_request_topic *t = arena_array(&a->arena, 1, sizeof(*t));
	int32_t *p = arena_array(&a->arena, 1, sizeof(*p));

	(void)version;
	if (t == NULL || p == NULL)
		return err_nomem(err);
	*p = c->partition;
	*t = (struct describe_log_dirs_request_topic){
	    .topic = wire_str_of(c->topic), .partitions = {p, 1}};
	r->topics.items = t;
	r->topics.count = 1;
	return 0;
}

static int
usage_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct describe_log_dirs_response *r = msg;
	struct admin_call *c = admin_call_of(a);

	(void)version;
	if (r->error_code != 0)
		return broker_err(
		    err, r->error_code, wire_str_null(), "%s-%d", c->topic, c->partition);
	c->bytes = 0;
	c->segments = -1; /* a broker does not tell */
	for (int32_t d = 0; d < r->results.count; d++)
		for (int32_t i = 0; i < r->results.items[d].topics.count; i++)
			for (int32_t k = 0;
			     k < r->results.items[d].topics.items[i].partitions.count; k++)
				c->bytes += r->results.items[d]
						.topics.items[i]
						.partitions.items[k]
						.partition_size;
	return 0;
}

/* --- all operations --------------------------------------------------------------------------- */

static const struct admin_spec *
spec_of(enum admin_op op)
{
	static const struct admin_spec create = {
	    API_CREATE_TOPICS, TO_CONTROLLER, 0, create_fill, create_answer, true};
	static const struct admin_spec delete = {
	    API_DELETE_TOPICS, TO_CONTROLLER, 0, delete_fill, delete_answer, true};
	static const struct admin_spec add = {
	    API_CREATE_PARTITIONS, TO_CONTROLLER, 0, add_fill, add_answer, true};
	static const struct admin_spec alter = {
	    API_INCREMENTAL_ALTER_CONFIGS, TO_CONTROLLER, 0, alter_fill, alter_answer, false};
	static const struct admin_spec configs = {
	    API_DESCRIBE_CONFIGS, TO_ANY, 0, configs_fill, configs_answer, false};
	static const struct admin_spec trim = {
	    API_DELETE_RECORDS, TO_LEADER, 0, trim_fill, trim_answer, false};
	static const struct admin_spec usage = {
	    API_DESCRIBE_LOG_DIRS, TO_LEADER, 0, usage_fill, usage_answer, false};

	switch (op) {
	case ADMIN_CREATE_TOPIC:
		return &create;
	case ADMIN_DELETE_TOPIC:
		return &delete;
	case ADMIN_ADD_PARTITIONS:
		return &add;
	case ADMIN_ALTER_CONFIGS:
		return &alter;
	case ADMIN_CONFIGS:
		return &configs;
	case ADMIN_TRIM:
		return &trim;
	case ADMIN_USAGE:
		return &usage;
	case ADMIN_DESCRIBE_GROUP:
		return &admin_describe_group;
	case ADMIN_DELETE_GROUP:
		return &admin_delete_group;
	case ADMIN_DELETE_OFFSETS:
		return &admin_delete_offsets;
	case ADMIN_CLEAN:
	case ADMIN_LIST_GROUPS:
		break;
	}
	return NULL;
}

static void
release(struct op *op)
{
	struct admin_work *o = (struct admin_work *)op;

	cluster_cancel(&o->ask);
	cluster_cancel(&o->settle);
	for (size_t i = 0; i < o->each_count; i++)
		cluster_cancel(&o->each[i]);
	free(o->each);
	free(o);
}

static void
admin_done(struct ask *a)
{
	struct admin_work *o = a->ctx;
	const struct admin_spec *spec = spec_of(o->call->op);

	if (a->err.code != 0 || !spec->settles) {
		op_finish(&o->op, &a->err);
		return;
	}
	o->settle = (struct ask){.api = API_METADATA,
	    .to = TO_ANY,
	    .timeout_ms = SETTLE_MS,
	    .fill = settle_fill,
	    .answer = settle_answer,
	    .done = settle_done,
	    .ctx = o};
	cluster_ask(o->op.bt->cluster, &o->settle);
}

void
broker_admin(struct target *t, struct admin_call *c)
{
	struct broker_target *bt = broker_target_of(t);
	struct admin_work *o = op_new(bt, &c->call, sizeof(*o), release);
	const struct admin_spec *spec = spec_of(c->op);
	struct err err;

	if (o == NULL)
		return;
	o->call = c;
	if (c->op == ADMIN_LIST_GROUPS) {
		admin_list_groups(o);
		return;
	}
	if (spec == NULL) {
		err_set(&err, ERR_REFUSED, "a broker cleans by itself; clean is for stores that none serves");
		op_finish(&o->op, &err);
		return;
	}
	o->ask = (struct ask){.api = spec->api,
	    .to = spec->to,
	    .group = c->group,
	    .topic = c->topic,
	    .partition = c->partition,
	    .version_max = spec->version_max,
	    .fill = spec->fill,
	    .answer = spec->answer,
	    .done = admin_done,
	    .ctx = o};
	cluster_ask(bt->cluster, &o->ask);
}
