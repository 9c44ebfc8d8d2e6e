/* DescribeCluster, ElectLeaders. */
#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "wire_gen.h"

/* --- DescribeCluster ------------------------------------------------------------------ */

enum { ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

/* Controllers are told of on their own listeners. */
static void
refuse_endpoint(struct exchange *x, struct describe_cluster_response *r, int8_t type)
{
	if (type == ENDPOINT_CONTROLLER) {
		r->error_code = ERR_MISMATCHED_ENDPOINT_TYPE;
		r->error_message = wire_str_of("The request was sent to an endpoint of type BROKER, but "
		                               "we wanted an endpoint of type CONTROLLER");
	} else {
		r->error_code = ERR_UNSUPPORTED_ENDPOINT_TYPE;
		r->error_message = view_text(x, "Unsupported endpoint type %d", type);
	}
	r->cluster_id = wire_str_of("");
	dispatch_reply(x, r);
}

void
api_describe_cluster(struct exchange *x)
{
	const struct describe_cluster_request *request = x->body;
	struct describe_cluster_response *r = dispatch_response(x);
	struct describe_cluster_response_broker b = {0};

	if (r == NULL) {
		dispatch_close(x, "no memory");
		return;
	}
	if (request->endpoint_type != ENDPOINT_BROKER) {
		refuse_endpoint(x, r, request->endpoint_type);
		return;
	}
	b.broker_id = x->broker->config->node_id;
	b.rack = wire_str_of(x->broker->config->rack);
	view_address(x, &b.host, &b.port);
	r->brokers.items = &b;
	r->brokers.count = 1;
	r->cluster_id = wire_str_of(cluster_id_text(x->broker->cluster));
	r->controller_id = b.broker_id;
	if (request->include_cluster_authorized_operations)
		r->cluster_authorized_operations = OPERATIONS_CLUSTER;
	dispatch_reply(x, r);
}

/* --- ElectLeaders ------------------------------------------------------------------------ */

enum { ELECTION_PREFERRED = 0, ELECTION_UNCLEAN = 1 };

struct election {
	struct exchange *x;
	const struct image *im;
	const struct elect_leaders_request *request;
	struct elect_leaders_response *response;
};

/* The only replica of every partition leads it: there is nothing to elect. */
static int
elect(struct election *e, struct wire_str topic, int32_t number, struct wire_str *text)
{
	const struct image_topic *t = view_topic(e->im, topic);
	const struct image_partition *p = t != NULL ? image_partition(t, number) : NULL;
	bool preferred = e->request->election_type == ELECTION_PREFERRED;

	if (t == NULL) {
		*text = view_text(e->x, "No such topic as %.*s", topic.len, topic.data);
		return ERR_UNKNOWN_TOPIC_OR_PARTITION;
	}
	if (p == NULL) {
		*text = view_text(e->x, "No such partition as %s-%d", t->name, number);
		return ERR_UNKNOWN_TOPIC_OR_PARTITION;
	}
	if (preferred ? p->leader == p->replicas[0] : p->leader != -1) {
		*text = wire_str_of("Leader election not needed for topic partition.");
		return ERR_ELECTION_NOT_NEEDED;
	}
	return preferred ? ERR_PREFERRED_LEADER_NOT_AVAILABLE : ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE;
}

/* All of one topic that is asked for; `code` not 0: refused, with `why`. */
static int
elect_asked(struct election *e, const struct elect_leaders_request_topic *from, int code,
    struct wire_str why)
{
	struct elect_leaders_response *r = e->response;
	struct elect_leaders_response_topic *to =
	    &r->replica_election_results.items[r->replica_election_results.count++];

	to->topic = from->topic;
	to->partition_result.items = exchange_array(
	    e->x, (size_t)from->partitions.count, sizeof(*to->partition_result.items));
	if (to->partition_result.items == NULL)
		return -1;
	for (int32_t i = 0; i < from->partitions.count; i++) {
		struct elect_leaders_response_partition *p = &to->partition_result.items[i];

		p->partition_id = from->partitions.items[i];
		p->error_message = why;
		p->error_code = (int16_t)(code != 0 ? code
		                                    : elect(e, from->topic, p->partition_id,
		                                          &p->error_message));
	}
	to->partition_result.count = from->partitions.count;
	return 0;
}

/* Of all topics only what needs something to be done is told: nothing. */
static int
elect_all(struct election *e)
{
	struct elect_leaders_response *r = e->response;

	for (struct map_entry *m = NULL; (m = map_next(&e->im->topics, m)) != NULL;)
		r->replica_election_results.items[r->replica_election_results.count++].topic =
		    wire_str_of(((const struct image_topic *)m->value)->name);
	return 0;
}

static int
elect_leaders(struct election *e)
{
	const struct elect_leaders_request *q = e->request;
	bool all = q->topic_partitions.count == -1;
	size_t room = all ? e->im->topics.count : (size_t)q->topic_partitions.count;
	size_t size = sizeof(*e->response->replica_election_results.items);
	struct wire_str why = wire_str_null();
	int code = 0;

	view_make_room(e->x, room * size + 64);
	e->response->replica_election_results.items = exchange_array(e->x, room, size);
	if (e->response->replica_election_results.items == NULL)
		return -1;
	if (q->timeout_ms <= 0) {
		code = ERR_REQUEST_TIMED_OUT;
	} else if (q->election_type != ELECTION_PREFERRED && q->election_type != ELECTION_UNCLEAN) {
		code = ERR_INVALID_REQUEST;
		why = view_text(e->x, "Unknown election type %d", q->election_type);
	}
	if (e->x->request.version >= 1)
		e->response->error_code = (int16_t)code;
	if (all)
		return code == 0 ? elect_all(e) : 0;
	for (int32_t i = 0; i < q->topic_partitions.count; i++)
		if (elect_asked(e, &q->topic_partitions.items[i], code, why) == -1)
			return -1;
	return 0;
}

void
api_elect_leaders(struct exchange *x)
{
	struct election e = {.x = x, .im = cluster_image(x->broker->cluster), .request = x->body};

	e.response = dispatch_response(x);
	if (e.response == NULL || elect_leaders(&e) == -1)
		dispatch_close(x, "no memory");
	else
		dispatch_reply(x, e.response);
}
