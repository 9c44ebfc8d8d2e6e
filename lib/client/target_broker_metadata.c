/* Topics of a cluster, and the making of those that are missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/target_broker_impl.h"

/* How long a topic that is being made is waited for. */
#define CREATING_MS 15000

struct metadata_op {
	struct op op;
	struct metadata_call *mc;
	struct ask ask, configs;
	struct target_topic *topics;
	size_t count;
	int64_t until_ns;  /* for topics that are being made */
	bool asked_broker; /* whether it makes topics */
	bool wants_broker;
	bool creates;
};

static void
release(struct op *o)
{
	struct metadata_op *m = (struct metadata_op *)o;

	cluster_cancel(&m->ask);
	cluster_cancel(&m->configs);
	free(m);
}

/* --- the answer ------------------------------------------------------------------- */

static int32_t *
copy_ints(struct arena *a, const struct wire_int32s *from, size_t *count)
{
	int32_t *to = arena_array(a, (size_t)from->count + 1, sizeof(*to));

	*count = from->count > 0 ? (size_t)from->count : 0;
	if (to != NULL && *count > 0)
		memcpy(to, from->items, *count * sizeof(*to));
	return to;
}

static int
by_number(const void *a, const void *b)
{
	const struct target_partition *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int
copy_topic(struct arena *a, const struct metadata_response_topic *from, struct target_topic *to,
    struct err *err)
{
	size_t count = from->partitions.count > 0 ? (size_t)from->partitions.count : 0;
	struct target_partition *parts = arena_array(a, count + 1, sizeof(*parts));

	*to = (struct target_topic){.name = wire_str_dup(a, from->name),
	    .id = from->topic_id,
	    .internal = from->is_internal,
	    .partitions = parts,
	    .partition_count = count,
	    .batch_bytes_max = -1,
	    .code = from->error_code};
	if (parts == NULL || to->name == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		const struct metadata_response_partition *p = &from->partitions.items[i];

		parts[i] = (struct target_partition){.number = p->partition_index,
		    .leader = p->leader_id,
		    .leader_epoch = p->leader_epoch,
		    .code = p->error_code};
		parts[i].replicas = copy_ints(a, &p->replica_nodes, &parts[i].replica_count);
		parts[i].isr = copy_ints(a, &p->isr_nodes, &parts[i].isr_count);
		if (parts[i].replicas == NULL || parts[i].isr == NULL)
			return err_nomem(err);
	}
	qsort(parts, count, sizeof(*parts), by_number);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct target_topic *)a)->name, ((const struct target_topic *)b)->name);
}

/* Those that were asked for stand in the order of the question. */
static int
copy_topics(struct metadata_op *m, const struct metadata_response *from, struct err *err)
{
	struct arena *a = m->mc->arena;
	size_t count = from->topics.count > 0 ? (size_t)from->topics.count : 0;

	m->count = m->mc->names == NULL ? count : m->mc->name_count;
	m->topics = arena_array(a, m->count + 1, sizeof(*m->topics));
	if (m->topics == NULL)
		return err_nomem(err);
	for (size_t i = 0; m->mc->names == NULL && i < count; i++)
		if (copy_topic(a, &from->topics.items[i], &m->topics[i], err) == -1)
			return -1;
	if (m->mc->names == NULL) {
		qsort(m->topics, m->count, sizeof(*m->topics), by_name);
		return 0;
	}
	for (size_t i = 0; i < m->count; i++) {
		size_t k = 0;

		while (k < count && !wire_str_is(from->topics.items[k].name, m->mc->names[i]))
			k++;
		m->topics[i] = (struct target_topic){
		    .name = m->mc->names[i], .code = ERR_UNKNOWN_TOPIC_OR_PARTITION};
		if (k < count && copy_topic(a, &from->topics.items[k], &m->topics[i], err) == -1)
			return -1;
	}
	return 0;
}

static bool
has_code(const struct metadata_op *m, int code)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->topics[i].code == code)
			return true;
	return false;
}

/* A topic that is being made has no leader yet, or is not there yet. */
static bool
is_to_wait(struct metadata_op *m)
{
	if (m->mc->names == NULL || os_mono_ns(m->op.bt->target.os) >= m->until_ns)
		return false;
	if (has_code(m, ERR_LEADER_NOT_AVAILABLE))
		return true;
	if (!m->creates || !has_code(m, ERR_UNKNOWN_TOPIC_OR_PARTITION))
		return false;
	if (!m->asked_broker)
		m->wants_broker = true; /* does it make topics at all? */
	return m->asked_broker;
}

static int
metadata_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct metadata_op *m = a->ctx;
	struct metadata_request *r = msg;

	r->allow_auto_topic_creation = m->creates || version < 4;
	if (m->mc->names == NULL) {
		r->topics.count = version == 0 ? 0 : -1;
		return 0;
	}
	r->topics.items = arena_array(&a->arena, m->mc->name_count + 1, sizeof(r->topics.items[0]));
	if (r->topics.items == NULL)
		return err_nomem(err);
	r->topics.count = (int32_t)m->mc->name_count;
	for (size_t i = 0; i < m->mc->name_count; i++)
		r->topics.items[i] =
		    (struct metadata_request_topic){.name = wire_str_of(m->mc->names[i])};
	return 0;
}

static int
metadata_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	struct metadata_op *m = a->ctx;

	(void)version;
	/* Whoever asks for a topic by name wants to know its leaders next. */
	for (size_t i = 0; m->mc->names != NULL && i < m->mc->name_count; i++)
		if (cluster_topic(a->cluster, m->mc->names[i]) == NULL)
			return err_nomem(err);
	if (cluster_take(a->cluster, msg, err) == -1 || copy_topics(m, msg, err) == -1)
		return -1;
	m->op.bt->target.node_id = cluster_some_node(a->cluster);
	if (is_to_wait(m))
		return err_set(
		    err, ERR_LEADER_NOT_AVAILABLE, "topic %s is being made", m->mc->names[0]);
	return 0;
}

/* --- what a producer should know besides ------------------------------------------- */

static void
take_config(
    struct target_topic *t, const char *name, const char *value, int64_t levels[CODEC_ZSTD + 1])
{
	int64_t n;

	if (strcmp(name, "max.message.bytes") == 0 && text_int(value, 0, INT32_MAX, &n) == 0)
		t->batch_bytes_max = n;
	else if (strcmp(name, "compression.type") == 0)
		t->has_codec = strcmp(value, "uncompressed") == 0 ||
			       codec_parse(value, strlen(value), &t->codec) == 0;
	else if (strcmp(name, "compression.gzip.level") == 0 &&
		 text_int(value, INT32_MIN + 1, INT32_MAX, &n) == 0)
		levels[CODEC_GZIP] = n;
	else if (strcmp(name, "compression.lz4.level") == 0 &&
		 text_int(value, INT32_MIN + 1, INT32_MAX, &n) == 0)
		levels[CODEC_LZ4] = n;
	else if (strcmp(name, "compression.zstd.level") == 0 &&
		 text_int(value, INT32_MIN + 1, INT32_MAX, &n) == 0)
		levels[CODEC_ZSTD] = n;
}

static int
topic_configs_answer(struct metadata_op *m, const struct describe_configs_response_resource *r,
    struct arena *a, struct err *err)
{
	struct target_topic *t = NULL;
	struct cluster_topic *known;
	int64_t levels[CODEC_ZSTD + 1];

	for (size_t i = 0; i < m->count; i++)
		if (wire_str_is(r->resource_name, m->topics[i].name))
			t = &m->topics[i];
	if (t == NULL || r->error_code != 0)
		return 0; /* then it is not known */
	for (int i = 0; i <= CODEC_ZSTD; i++)
		levels[i] = CODEC_LEVEL_DEFAULT;
	for (int32_t i = 0; i < r->configs.count; i++) {
		const char *name = wire_str_dup(a, r->configs.items[i].name);
		const char *value = wire_str_dup(a, r->configs.items[i].value);

		if (name == NULL || value == NULL)
			return err_nomem(err);
		take_config(t, name, value, levels);
	}
	known = cluster_topic(m->op.bt->cluster, t->name);
	if (known != NULL && t->batch_bytes_max > 0)
		known->batch_bytes_max = t->batch_bytes_max;
	t->codec_level = CODEC_LEVEL_DEFAULT;
	if (t->has_codec && codec_level_ok(t->codec, (int)levels[t->codec]))
		t->codec_level = (int)levels[t->codec];
	return 0;
}

/* A broker that does not make topics need not be waited for. */
static void
broker_config_answer(struct metadata_op *m, const struct describe_configs_response_resource *r)
{
	m->asked_broker = true;
	for (int32_t i = 0; i < r->configs.count; i++)
		if (wire_str_is(r->configs.items[i].name, "auto.create.topics.enable") &&
		    wire_str_is(r->configs.items[i].value, "false"))
			m->creates = false;
}

static int
configs_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct describe_configs_response *r = msg;
	struct metadata_op *m = a->ctx;

	(void)version;
	for (int32_t i = 0; i < r->results.count; i++) {
		if (m->wants_broker)
			broker_config_answer(m, &r->results.items[i]);
		else if (topic_configs_answer(m, &r->results.items[i], &a->arena, err) == -1)
			return -1;
	}
	return 0;
}

static int
configs_fill(struct ask *a, int version, void *msg, struct err *err)
{
	static const char *const topic_keys[] = {"max.message.bytes", "compression.type",
	    "compression.gzip.level", "compression.lz4.level", "compression.zstd.level"};
	static const char *const broker_keys[] = {"auto.create.topics.enable"};
	struct metadata_op *m = a->ctx;
	const char *const *keys = m->wants_broker ? broker_keys : topic_keys;
	size_t key_count = m->wants_broker ? 1 : sizeof(topic_keys) / sizeof(topic_keys[0]);
	size_t count = m->wants_broker ? 1 : m->count;
	struct describe_configs_request *r = msg;
	struct wire_str *names = arena_array(&a->arena, key_count, sizeof(*names));
	char *id = arena_alloc(&a->arena, 16);

	(void)version;
	r->resources.items = arena_array(&a->arena, count + 1, sizeof(r->resources.items[0]));
	if (names == NULL || id == NULL || r->resources.items == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < key_count; i++)
		names[i] = wire_str_of(keys[i]);
	snprintf(id, 16, "%d", a->node);
	r->resources.count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		r->resources.items[i] = (struct describe_configs_request_resource){
		    .resource_type = m->wants_broker ? 4 : 2,
		    .resource_name = wire_str_of(m->wants_broker ? id : m->topics[i].name),
		    .configuration_keys = {names, (int32_t)key_count}};
	return 0;
}

static void
finish(struct metadata_op *m, const struct err *why)
{
	m->mc->topics = m->topics;
	m->mc->topic_count = m->count;
	op_finish(&m->op, why);
}

/* Without these it goes on, as with a broker that does not tell. */
static void
configs_done(struct ask *a)
{
	struct metadata_op *m = a->ctx;

	if (!m->wants_broker) {
		finish(m, a->err.code == ERR_NOMEM ? &a->err : NULL);
		return;
	}
	m->asked_broker = true;
	m->wants_broker = false;
	cluster_ask(m->op.bt->cluster, &m->ask);
}

static void
metadata_done(struct ask *a)
{
	struct metadata_op *m = a->ctx;
	struct cluster *c = m->op.bt->cluster;

	if (a->err.code != 0) {
		finish(m, &a->err);
		return;
	}
	if (m->wants_broker) {
		m->configs.to = TO_NODE;
		m->configs.node = m->op.bt->target.node_id;
		cluster_ask(c, &m->configs);
	} else if (m->mc->auto_create && m->count > 0 && m->topics[0].code == 0) {
		m->configs.to = TO_ANY;
		cluster_ask(c, &m->configs);
	} else {
		finish(m, NULL);
	}
}

void
broker_metadata(struct target *t, struct metadata_call *mc)
{
	struct broker_target *bt = broker_target_of(t);
	struct metadata_op *m = op_new(bt, &mc->call, sizeof(*m), release);

	mc->topics = NULL;
	mc->topic_count = 0;
	if (m == NULL)
		return;
	m->mc = mc;
	m->creates = mc->auto_create && bt->options.auto_create_topics;
	m->until_ns = os_mono_ns(t->os) + CREATING_MS * INT64_C(1000000);
	m->ask = (struct ask){.api = API_METADATA,
	    .to = TO_ANY,
	    .fill = metadata_fill,
	    .answer = metadata_answer,
	    .done = metadata_done,
	    .ctx = m};
	m->configs = (struct ask){.api = API_DESCRIBE_CONFIGS,
	    .fill = configs_fill,
	    .answer = configs_answer,
	    .done = configs_done,
	    .ctx = m};
	cluster_ask(bt->cluster, &m->ask);
}
