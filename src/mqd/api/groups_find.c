/* FindCoordinator (KIP-699, 932). */
#include <string.h>

#include "mqd/api/groups.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "mqd/net/conn.h"

/* Kinds of keys. */
enum { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE };

/* Kafka's text of a code. */
static const char *
text_of(int code)
{
	switch (code) {
	case 0:
		return "NONE";
	case ERR_COORDINATOR_NOT_AVAILABLE:
		return "The coordinator is not available.";
	default:
		return "This most likely occurs because of a request being malformed by the client "
		       "library or the message was sent to an incompatible broker. See the broker "
		       "logs for more details.";
	}
}

/* Who leads the key's partition; the topic is made when somebody first asks. */
static int
find_group(struct exchange *x, struct wire_str key)
{
	struct broker *b = x->broker;
	const struct image *im = cluster_image(b->cluster);
	const struct image_topic *t = image_topic(im, GROUPS_TOPIC);
	const struct image_partition *p;

	if (t == NULL) {
		home_make_topic(b);
		return ERR_COORDINATOR_NOT_AVAILABLE;
	}
	p = image_partition(t, groups_partition(b->groups, key));
	return p != NULL && p->leader == b->config->node_id ? 0 : ERR_COORDINATOR_NOT_AVAILABLE;
}

static bool
is_kind(int8_t type)
{
	return type >= KEY_GROUP && type <= KEY_SHARE;
}

/* Transactions and share groups have no coordinator here. */
static int
find(struct exchange *x, int8_t type, struct wire_str key)
{
	return type == KEY_GROUP ? find_group(x, key) : ERR_INVALID_REQUEST;
}

static void
reply_old(struct exchange *x, struct find_coordinator_response *out)
{
	const struct find_coordinator_request *r = x->body;
	const struct net_listener *l = conn_listener(x->conn);
	int code = find(x, r->key_type, r->key);

	out->error_code = (int16_t)code;
	out->error_message = wire_str_of(text_of(code));
	out->node_id = code == 0 ? x->broker->config->node_id : -1;
	out->host = wire_str_of(code == 0 ? l->host : "");
	out->port = code == 0 ? l->port : -1;
	dispatch_reply(x, out);
}

static void
reply_many(struct exchange *x, struct find_coordinator_response *out)
{
	const struct find_coordinator_request *r = x->body;
	const struct net_listener *l = conn_listener(x->conn);
	int32_t count = r->coordinator_keys.count;

	out->coordinators.items =
	    exchange_array(x, (size_t)count, sizeof(*out->coordinators.items));
	if (out->coordinators.items == NULL) {
		groups_no_memory(x);
		return;
	}
	out->coordinators.count = count;
	for (int32_t i = 0; i < count; i++) {
		struct find_coordinator_response_coordinator *c = &out->coordinators.items[i];
		int code = find(x, r->key_type, r->coordinator_keys.items[i]);

		c->key = r->coordinator_keys.items[i];
		c->error_code = (int16_t)code;
		c->node_id = code == 0 ? x->broker->config->node_id : -1;
		c->host = wire_str_of(code == 0 ? l->host : "");
		c->port = code == 0 ? l->port : -1;
		/* As in Kafka: only of a kind that it does not know. */
		c->error_message = wire_str_of(is_kind(r->key_type) ? "" : text_of(code));
	}
	dispatch_reply(x, out);
}

void
api_find_coordinator(struct exchange *x)
{
	struct find_coordinator_response *out = dispatch_response(x);

	if (out == NULL)
		groups_no_memory(x);
	else if (x->request.version < 4)
		reply_old(x, out);
	else
		reply_many(x, out);
}
