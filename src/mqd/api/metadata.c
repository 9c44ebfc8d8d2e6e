/*
 * Metadata: brokers, topics, leaders. Kafka's KafkaApis.handleTopicMetadataRequest.
 *
 * Topics that are not there are answered at once with error 3, and made meanwhile where
 * that is wanted: clients ask again.
 */
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "mqd/groups/home.h"
#include "store/format.h"
#include "wire_gen.h"

#define IDS_SINCE 12           /* before, ids in a request are an error */
#define NO_LISTENER_SINCE 6    /* before, LISTENER_NOT_FOUND is told as no leader */
#define TOP_ERROR_SINCE 13

struct answer {
	struct exchange *x;
	const struct image *im;
	const struct metadata_request *request;
	struct metadata_response *response;
	struct map seen; /* topics that were answered */
	size_t room;     /* in response->topics */
};

/* --- one topic --------------------------------------------------------------------- */

static struct metadata_response_topic *
add_topic(struct answer *a, int code, struct wire_str name)
{
	struct metadata_response *r = a->response;
	struct metadata_response_topic *t = &r->topics.items[r->topics.count++];

	t->error_code = (int16_t)code;
	t->name = name;
	t->is_internal = name.len > 0 && view_is_internal(name.data, (size_t)name.len);
	t->topic_authorized_operations = a->request->include_topic_authorized_operations
	                                     ? OPERATIONS_TOPIC
	                                     : OPERATIONS_UNASKED;
	return t;
}

static int
fill_partition(struct answer *a, struct metadata_response_partition *to, int32_t number,
    const struct image_partition *p)
{
	int code = view_leader(a->im, p, &to->leader_id);

	if (code == ERR_LISTENER_NOT_FOUND && a->x->request.version < NO_LISTENER_SINCE)
		code = ERR_LEADER_NOT_AVAILABLE;
	to->error_code = (int16_t)code;
	to->partition_index = number;
	to->leader_epoch = p->leader_epoch;
	to->replica_nodes = view_ids(p->replicas, p->replica_count);
	to->isr_nodes = view_ids(p->isr, p->isr_count);
	to->offline_replicas = view_offline(a->x, a->im, p);
	return to->offline_replicas.count == -1 ? -1 : 0;
}

static int
add_known(struct answer *a, const struct image_topic *t)
{
	struct metadata_response_topic *to = add_topic(a, 0, wire_str_of(t->name));
	size_t size = sizeof(*to->partitions.items);

	to->topic_id = t->id;
	view_make_room(a->x, (size_t)t->partition_count * size + 64);
	to->partitions.items = exchange_array(a->x, (size_t)t->partition_count, size);
	if (to->partitions.items == NULL)
		return -1;
	for (int32_t i = 0; i < t->partition_count; i++) {
		const struct image_partition *p = image_partition(t, i);

		if (p != NULL &&
		    fill_partition(a, &to->partitions.items[to->partitions.count++], i, p) == -1)
			return -1;
	}
	return 0;
}

/* --- topics that are not there ------------------------------------------------------- */

static bool
is_wanted(const struct answer *a)
{
	return a->request->allow_auto_topic_creation && a->x->broker->config->auto_create_topics;
}

/* Of Kafka's own topics only the offsets topic is made here; the metadata log is none. */
static void
make_soon(struct answer *a, const char *name)
{
	struct broker *b = a->x->broker;

	if (strcmp(name, GROUPS_TOPIC) == 0)
		home_make_topic(b);
	else if (!view_is_internal(name, strlen(name)) && strcmp(name, METADATA_TOPIC) != 0)
		cluster_auto_create(b->cluster, name);
}

static int
add_unknown(struct answer *a, struct wire_str name)
{
	char *text = arena_memdup(&a->x->arena, name.data, (size_t)name.len);

	if (text == NULL)
		return -1;
	if (strlen(text) != (size_t)name.len || !topic_name_ok(text)) {
		add_topic(a, ERR_INVALID_TOPIC_EXCEPTION, name);
		return 0;
	}
	if (is_wanted(a))
		make_soon(a, text);
	add_topic(a, ERR_UNKNOWN_TOPIC_OR_PARTITION, name);
	return 0;
}

/* --- which topics ---------------------------------------------------------------------- */

/* 1: it is the first time that this one comes. */
static int
is_new(struct answer *a, const void *key, size_t len)
{
	if (map_get(&a->seen, key, len) != NULL)
		return 0;
	return map_put(&a->seen, key, len, a, NULL) == -1 ? -1 : 1;
}

/* First those that are there, as Kafka has it. */
static int
add_by_name(struct answer *a, bool known)
{
	for (int32_t i = 0; i < a->request->topics.count; i++) {
		struct wire_str name = a->request->topics.items[i].name;
		const struct image_topic *t = view_topic(a->im, name);
		int first;

		if ((t != NULL) != known)
			continue;
		first = is_new(a, name.data, (size_t)name.len);
		if (first == -1 || (first == 1 && (t != NULL ? add_known(a, t) : add_unknown(a, name)) ==
		                                      -1))
			return -1;
	}
	return 0;
}

static int
add_by_id(struct answer *a, bool known)
{
	for (int32_t i = 0; i < a->request->topics.count; i++) {
		const struct uuid *id = &a->request->topics.items[i].topic_id;
		const struct image_topic *t = image_topic_by_id(a->im, id);
		int first;

		if (uuid_equal(id, &uuid_zero) || (t != NULL) != known)
			continue;
		first = is_new(a, id->bytes, sizeof(id->bytes));
		if (first == -1 || (first == 1 && t != NULL && add_known(a, t) == -1))
			return -1;
		if (first == 1 && t == NULL)
			add_topic(a, ERR_UNKNOWN_TOPIC_ID, wire_str_null())->topic_id = *id;
	}
	return 0;
}

static int
add_all(struct answer *a)
{
	for (struct map_entry *e = NULL; (e = map_next(&a->im->topics, e)) != NULL;)
		if (add_known(a, e->value) == -1)
			return -1;
	return 0;
}

static bool
wants_all(const struct answer *a)
{
	return a->request->topics.count == -1 ||
	       (a->request->topics.count == 0 && a->x->request.version == 0);
}

static int
add_topics(struct answer *a)
{
	bool by_id = false;

	if (wants_all(a))
		return add_all(a);
	for (int32_t i = 0; i < a->request->topics.count; i++)
		by_id = by_id || !uuid_equal(&a->request->topics.items[i].topic_id, &uuid_zero);
	if (by_id)
		return add_by_id(a, false) == -1 || add_by_id(a, true) == -1 ? -1 : 0;
	return add_by_name(a, true) == -1 || add_by_name(a, false) == -1 ? -1 : 0;
}

/* --- requests that may not be ------------------------------------------------------------ */

/* Before ids were understood neither they nor missing names may come; since, a topic
 * without both makes Kafka's broker stumble. */
static int
fault(const struct answer *a)
{
	bool some_id = false, some_null = false;

	for (int32_t i = 0; i < a->request->topics.count; i++) {
		some_id = some_id || !uuid_equal(&a->request->topics.items[i].topic_id, &uuid_zero);
		some_null = some_null || a->request->topics.items[i].name.len == -1;
	}
	if (a->x->request.version < IDS_SINCE)
		return some_id || some_null ? ERR_INVALID_REQUEST : 0;
	return some_null && !some_id ? ERR_UNKNOWN_SERVER_ERROR : 0;
}

static void
refuse(struct answer *a, int code)
{
	for (int32_t i = 0; i < a->request->topics.count; i++) {
		const struct metadata_request_topic *t = &a->request->topics.items[i];
		struct metadata_response_topic *to =
		    add_topic(a, code, t->name.len >= 0 ? t->name : wire_str_of(""));

		to->topic_id = t->topic_id;
		to->is_internal = false;
		to->topic_authorized_operations = OPERATIONS_UNASKED;
	}
	if (a->x->request.version >= TOP_ERROR_SINCE)
		a->response->error_code = (int16_t)code;
	dispatch_reply(a->x, a->response);
}

/* --- the answer ---------------------------------------------------------------------------- */

static int
begin(struct answer *a)
{
	size_t size = sizeof(*a->response->topics.items);

	a->room = wants_all(a) ? a->im->topics.count : (size_t)a->request->topics.count;
	view_make_room(a->x, a->room * size + 64);
	a->response = dispatch_response(a->x);
	if (a->response == NULL)
		return -1;
	a->response->topics.items = exchange_array(a->x, a->room, size);
	return a->response->topics.items == NULL ? -1 : 0;
}

static int
add_cluster(struct answer *a)
{
	struct metadata_response *r = a->response;
	struct metadata_response_broker *b = exchange_array(a->x, 1, sizeof(*b));

	if (b == NULL)
		return -1;
	b->node_id = a->x->broker->config->node_id;
	b->rack = wire_str_of(a->x->broker->config->rack);
	view_address(a->x, &b->host, &b->port);
	r->brokers.items = b;
	r->brokers.count = 1;
	r->cluster_id = wire_str_of(cluster_id_text(a->x->broker->cluster));
	r->controller_id = b->node_id;
	if (a->request->include_cluster_authorized_operations)
		r->cluster_authorized_operations = OPERATIONS_CLUSTER;
	return 0;
}

void
api_metadata(struct exchange *x)
{
	struct answer a = {
	    .x = x, .im = cluster_image(x->broker->cluster), .request = x->body};
	int code = fault(&a), ret;

	if (begin(&a) == -1) {
		dispatch_close(x, "no memory");
		return;
	}
	if (code != 0) {
		refuse(&a, code);
		return;
	}
	map_init(&a.seen);
	ret = add_cluster(&a) == -1 || add_topics(&a) == -1 ? -1 : 0;
	map_release(&a.seen);
	if (ret == -1)
		dispatch_close(x, "no memory");
	else
		dispatch_reply(x, a.response);
}
