/* JoinGroup, SyncGroup, Heartbeat, LeaveGroup: the coordinator (groups/) knows their
 * rules. */
#include "mqd/api/groups.h"

#include <string.h>

#include "mqd/net/conn.h"

void
groups_no_memory(struct exchange *x)
{
	dispatch_close(x, "no memory");
}

/* As Java prints an address without a host's name: "/127.0.0.1". */
static struct wire_str
client_host(struct exchange *x)
{
	const char *peer = conn_peer(x->conn), *end = strrchr(peer, ':');
	size_t len = end != NULL ? (size_t)(end - peer) : strlen(peer);
	char *text = arena_alloc(&x->arena, len + 2);

	if (text == NULL)
		return wire_str_of("/");
	text[0] = '/';
	if (len > 2 && peer[0] == '[' && peer[len - 1] == ']') {
		peer++;
		len -= 2;
	}
	memcpy(text + 1, peer, len);
	return wire_str_of_mem(text, len + 1);
}

struct groups_call *
groups_call_of(struct exchange *x)
{
	struct groups_call *c = arena_alloc(&x->arena, sizeof(*c));

	if (c == NULL) {
		groups_no_memory(x);
		return NULL;
	}
	c->done = groups_reply;
	c->ctx = x;
	c->arena = &x->arena;
	c->version = x->request.version;
	c->client_id = x->request.client_id;
	c->client_host = client_host(x);
	return c;
}

void
groups_reply(struct groups_call *c, const void *response)
{
	dispatch_reply(c->ctx, response);
}

/* The connection of one that waits has ended. Its member stays until its session ends. */
static void
forget(struct exchange *x)
{
	x->abandoned = NULL;
	if (groups_abandon(x->state))
		dispatch_reply(x, NULL);
}

void
api_join_group(struct exchange *x)
{
	struct groups_call *c = groups_call_of(x);

	if (c == NULL)
		return;
	x->state = c;
	x->abandoned = forget;
	x->arena.limit += GROUPS_ANSWER_MAX;
	groups_join(x->broker->groups, c, x->body);
}

void
api_sync_group(struct exchange *x)
{
	struct groups_call *c = groups_call_of(x);

	if (c == NULL)
		return;
	x->state = c;
	x->abandoned = forget;
	groups_sync(x->broker->groups, c, x->body);
}

void
api_heartbeat(struct exchange *x)
{
	struct groups_call *c = groups_call_of(x);

	if (c != NULL)
		groups_heartbeat(x->broker->groups, c, x->body);
}

void
api_leave_group(struct exchange *x)
{
	struct groups_call *c = groups_call_of(x);

	if (c != NULL)
		groups_leave(x->broker->groups, c, x->body);
}
