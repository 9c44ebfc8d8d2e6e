/*
 * CreatePartitions: more partitions for topics. Kafka's ControllerApis.createPartitions;
 * one change for all that can be had.
 */
#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "wire_gen.h"

/* Kafka's QuorumController.MAX_RECORDS_PER_USER_OP. */
#define RECORDS_MAX 10000

struct growth {
	struct exchange *x;
	struct cluster_change ch;
	const struct create_partitions_request *request;
	struct create_partitions_response *response;
	bool *twice; /* of each of the request's topics: it is there more than once */
};

static struct create_partitions_response_topic *
add_result(struct growth *g, struct wire_str name, int code, struct wire_str text)
{
	struct create_partitions_response *r = g->response;
	struct create_partitions_response_topic *to = &r->results.items[r->results.count++];

	to->name = name;
	to->error_code = (int16_t)code;
	to->error_message = text;
	return to;
}

/* First come the names that are there twice, each once. */
static int
add_twice(struct growth *g)
{
	struct map seen;
	int ret = 0;

	map_init(&seen);
	for (int32_t i = 0; i < g->request->topics.count && ret == 0; i++) {
		struct wire_str name = g->request->topics.items[i].name;
		bool *first = map_get(&seen, name.data, (size_t)name.len);

		if (first == NULL) {
			ret = map_put(&seen, name.data, (size_t)name.len, &g->twice[i], NULL);
			continue;
		}
		g->twice[i] = true;
		if (!*first)
			add_result(
			    g, name, ERR_INVALID_REQUEST, wire_str_of("Duplicate topic name."));
		*first = true;
	}
	map_release(&seen);
	return ret;
}

/* A topic's new partitions; -1: of memory. What Kafka refuses is only told. */
static int
grow(struct growth *g, const struct image *im, const struct create_partitions_request_topic *t,
    struct cluster_records *r, struct err *err)
{
	const struct image_topic *topic = view_topic(im, t->name);
	int32_t count = t->assignments.count;
	struct wire_int32s *by_hand = NULL;
	struct wire_str text = wire_str_null();
	int code = 0;

	if (count > 0) {
		by_hand = exchange_array(g->x, (size_t)count, sizeof(*by_hand));
		if (by_hand == NULL)
			return err_nomem(err);
	}
	for (int32_t i = 0; i < count; i++)
		by_hand[i] = t->assignments.items[i].broker_ids;
	if (topic != NULL && count < 0 && (int64_t)t->count - topic->partition_count > RECORDS_MAX)
		return err_set(err, ERR_POLICY_VIOLATION,
		    "Unable to perform excessively large batch operation.");
	if (controller_add_partitions(im, topic != NULL ? topic->name : "", t->count, by_hand, count,
	        g->x->broker->config->node_id, r, err) == -1) {
		if (err->code == ERR_NOMEM)
			return -1;
		code = err->code;
		if (err->text[0] != '\0')
			text = view_text(g->x, "%s", err->text);
		err->code = 0;
	}
	add_result(g, t->name, code, text);
	return 0;
}

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct growth *g = ch->ctx;

	for (int32_t i = 0; i < g->request->topics.count; i++) {
		if (!g->twice[i] && grow(g, im, &g->request->topics.items[i], r, err) == -1)
			return -1;
		if (cluster_record_count(r) > RECORDS_MAX)
			return err_set(err, ERR_POLICY_VIOLATION,
			    "Unable to perform excessively large batch operation.");
	}
	if (g->request->validate_only)
		cluster_drop(r);
	return 0;
}

/* All topics fail alike. */
static void
refuse_all(struct growth *g, int code, struct wire_str text)
{
	g->response->results.count = 0;
	for (int32_t i = 0; i < g->request->topics.count; i++)
		add_result(g, g->request->topics.items[i].name, code, text);
	dispatch_reply(g->x, g->response);
}

static void
done(struct cluster_change *ch)
{
	struct growth *g = ch->ctx;

	if (ch->err.code != 0)
		refuse_all(g, ch->err.code, wire_str_of(ch->err.text));
	else
		dispatch_reply(g->x, g->response);
}

void
api_create_partitions(struct exchange *x)
{
	struct growth *g = exchange_array(x, 1, sizeof(*g));
	size_t count;

	if (g == NULL) {
		dispatch_close(x, "no memory");
		return;
	}
	g->x = x;
	g->request = x->body;
	g->response = dispatch_response(x);
	count = (size_t)g->request->topics.count;
	g->twice = exchange_array(x, count, sizeof(*g->twice));
	if (g->response != NULL)
		g->response->results.items =
		    exchange_array(x, count, sizeof(*g->response->results.items));
	if (g->response == NULL || g->response->results.items == NULL || g->twice == NULL) {
		dispatch_close(x, "no memory");
		return;
	}
	if (g->request->timeout_ms <= 0) {
		refuse_all(g, ERR_REQUEST_TIMED_OUT, wire_str_null());
		return;
	}
	if (add_twice(g) == -1) {
		dispatch_close(x, "no memory");
		return;
	}
	g->ch = (struct cluster_change){.prepare = prepare, .done = done, .ctx = g};
	cluster_change(x->broker->cluster, &g->ch);
}
