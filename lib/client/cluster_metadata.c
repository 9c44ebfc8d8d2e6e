/* cluster_metadata: topics, leaders, the controller, coordinators of groups. */
#include <stdlib.h>
#include <string.h>

#include "client/cluster_impl.h"
#include "wire_gen.h"

/* --- topics that are kept ------------------------------------------------------- */

struct cluster_topic *
cluster_topic(struct cluster *c, const char *name)
{
	struct cluster_topic *t = map_get(&c->topics, name, strlen(name));

	if (t != NULL)
		return t;
	t = calloc(1, sizeof(*t));
	if (t == NULL || (t->name = strdup(name)) == NULL ||
	    map_put(&c->topics, name, strlen(name), t, NULL) == -1) {
		if (t != NULL)
			free(t->name);
		free(t);
		return NULL;
	}
	t->code = ERR_LEADER_NOT_AVAILABLE;
	return t;
}

int32_t
cluster_leader(const struct cluster_topic *t, int32_t partition)
{
	return partition >= 0 && partition < t->count ? t->partitions[partition].leader : -1;
}

/* What is known of a partition with a later leader epoch is not given up for a broker's
 * that has not heard yet. */
static void
take_partition(struct cluster_partition *to, const struct cluster_partition *was,
    const struct metadata_response_partition *p)
{
	if (was != NULL && p->leader_epoch >= 0 && was->leader_epoch > p->leader_epoch) {
		*to = *was;
		return;
	}
	*to = (struct cluster_partition){
	    .leader = p->leader_id, .leader_epoch = p->leader_epoch, .code = p->error_code};
}

static int
take_topic(struct cluster_topic *t, const struct metadata_response_topic *from, struct err *err)
{
	struct cluster_partition *list;
	bool is_same = uuid_equal(&t->id, &from->topic_id);
	int32_t count = 0;

	t->is_known = true;
	t->code = from->error_code;
	for (int32_t i = 0; i < from->partitions.count; i++) {
		int32_t n = from->partitions.items[i].partition_index;

		if (n >= from->partitions.count)
			return 0; /* some are missing */
		if (n >= count)
			count = n + 1;
	}
	if (from->error_code != 0)
		return 0; /* what was known of it may still hold */
	list = calloc((size_t)count + 1, sizeof(*list));
	if (list == NULL)
		return err_nomem(err);
	for (int32_t i = 0; i < from->partitions.count; i++) {
		const struct metadata_response_partition *p = &from->partitions.items[i];
		int32_t n = p->partition_index;

		if (n >= 0)
			take_partition(
			    &list[n], is_same && n < t->count ? &t->partitions[n] : NULL, p);
	}
	free(t->partitions);
	t->partitions = list;
	t->count = count;
	t->id = from->topic_id;
	return 0;
}

int
cluster_take(struct cluster *c, const void *response, struct err *err)
{
	const struct metadata_response *m = response;

	for (struct node *n = c->nodes; n != NULL; n = n->next)
		n->is_gone = n->id >= 0;
	for (int32_t i = 0; i < m->brokers.count; i++) {
		const struct metadata_response_broker *b = &m->brokers.items[i];

		if (nodes_take(c, b->node_id, b->host.data, b->host.len, b->port, err) == -1)
			return -1;
	}
	c->controller = m->controller_id;
	c->has_metadata = true;
	for (int32_t i = 0; i < m->topics.count; i++) {
		const struct metadata_response_topic *from = &m->topics.items[i];
		struct cluster_topic *t = from->name.len > 0 ? map_get(&c->topics, from->name.data,
								   (size_t)from->name.len)
							     : NULL;

		if (t != NULL && take_topic(t, from, err) == -1)
			return -1;
	}
	return 0;
}

int
cluster_nodes(struct cluster *c, struct arena *a, int32_t **ids, size_t *count)
{
	size_t n = 0;

	for (struct node *o = c->nodes; o != NULL; o = o->next)
		n++;
	*ids = arena_array(a, n + 1, sizeof(**ids));
	*count = 0;
	if (*ids == NULL)
		return -1;
	for (struct node *o = c->nodes; o != NULL; o = o->next)
		if (o->id >= 0 && !o->is_gone)
			(*ids)[(*count)++] = o->id;
	return 0;
}

/* --- asking for it ---------------------------------------------------------------- */

/* The kept topics; before v1 none at all cannot be said. */
static int
refresh_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct cluster *c = a->ctx;
	struct metadata_request *m = msg;

	(void)version;
	m->allow_auto_topic_creation = version < 4;
	m->topics.items = arena_array(&a->arena, c->topics.count + 1, sizeof(m->topics.items[0]));
	if (m->topics.items == NULL)
		return err_nomem(err);
	m->topics.count = 0;
	for (struct map_entry *e = NULL; (e = map_next(&c->topics, e)) != NULL;) {
		struct metadata_request_topic *t = &m->topics.items[m->topics.count++];

		*t = (struct metadata_request_topic){
		    .name = wire_str_of_mem((const char *)e->key, e->key_len)};
	}
	return 0;
}

static int
refresh_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	(void)version;
	return cluster_take(a->ctx, msg, err);
}

static void
refresh_done(struct ask *a)
{
	struct cluster *c = a->ctx;
	int64_t pause_ms;

	c->refresh_err = a->err;
	c->refresh_failures = a->err.code == 0 ? 0 : c->refresh_failures + 1;
	/* One that has helped need not be followed by another at once. */
	pause_ms = cluster_backoff_ms(c->os, c->refresh_failures + 1);
	c->refresh_not_before_ns = os_mono_ns(c->os) + pause_ms * 1000000;
	if (a->err.code != 0)
		os_note(c->os, OS_DEBUG, "metadata: %s", a->err.text);
	c->events.refreshed(c->events.ctx);
	cluster_wake(c);
}

const struct err *
cluster_refresh_error(const struct cluster *c)
{
	return &c->refresh_err;
}

void
metadata_init(struct cluster *c)
{
	map_init(&c->topics);
	map_init(&c->coordinators);
	c->refresh = (struct ask){.api = API_METADATA,
	    .to = TO_ANY,
	    .fill = refresh_fill,
	    .answer = refresh_answer,
	    .done = refresh_done,
	    .ctx = c};
}

void
metadata_free(struct cluster *c)
{
	for (struct map_entry *e = NULL; (e = map_next(&c->topics, e)) != NULL;) {
		struct cluster_topic *t = e->value;

		free(t->partitions);
		free(t->name);
		free(t);
	}
	for (struct map_entry *e = NULL; (e = map_next(&c->coordinators, e)) != NULL;) {
		struct coordinator *k = e->value;

		free(k->find);
		free(k);
	}
	map_release(&c->topics);
	map_release(&c->coordinators);
}

void
cluster_refresh(struct cluster *c)
{
	if (c->refresh_wanted)
		return;
	c->refresh_wanted = true;
	cluster_wake(c);
}

void
metadata_pump(struct cluster *c, int64_t *when_ns)
{
	if (!c->refresh_wanted || c->refresh.state != ASK_IDLE)
		return;
	if (os_mono_ns(c->os) < c->refresh_not_before_ns) {
		soonest(when_ns, c->refresh_not_before_ns);
		return;
	}
	c->refresh_wanted = false;
	cluster_ask(c, &c->refresh);
}

/* --- coordinators ------------------------------------------------------------------- */

static int
find_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct find_coordinator_request *m = msg;

	if (version < 4) {
		m->key = wire_str_of(a->group);
		return 0;
	}
	m->coordinator_keys.items = arena_array(&a->arena, 1, sizeof(m->coordinator_keys.items[0]));
	if (m->coordinator_keys.items == NULL)
		return err_nomem(err);
	m->coordinator_keys.items[0] = wire_str_of(a->group);
	m->coordinator_keys.count = 1;
	return 0;
}

static int
find_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct find_coordinator_response *m = msg;
	struct find_coordinator_response_coordinator one = {
	    .node_id = m->node_id, .host = m->host, .port = m->port, .error_code = m->error_code};
	struct coordinator *k = a->ctx;

	if (version >= 4) {
		if (m->coordinators.count != 1)
			return err_set(err, ERR_UNSUPPORTED_VERSION,
			    "FindCoordinator: %d answers to one question", m->coordinators.count);
		one = m->coordinators.items[0];
	}
	if (one.error_code != 0)
		return err_set(err, one.error_code, "coordinator of group %s: %s", a->group,
		    err_name(one.error_code));
	if (nodes_take(a->cluster, one.node_id, one.host.data, one.host.len, one.port, err) == -1)
		return -1;
	k->node = one.node_id;
	return 0;
}

static void
find_done(struct ask *a)
{
	cluster_wake(a->cluster);
}

int32_t
coordinator_node(struct cluster *c, const char *group, struct err *err)
{
	struct coordinator *k = map_get(&c->coordinators, group, strlen(group));

	if (k == NULL) {
		k = calloc(1, sizeof(*k));
		if (k == NULL || (k->find = calloc(1, sizeof(*k->find))) == NULL ||
		    map_put(&c->coordinators, group, strlen(group), k, NULL) == -1) {
			if (k != NULL)
				free(k->find);
			free(k);
			err_nomem(err);
			return -1;
		}
		k->node = -1;
		*k->find = (struct ask){.api = API_FIND_COORDINATOR,
		    .to = TO_ANY,
		    .fill = find_fill,
		    .answer = find_answer,
		    .done = find_done,
		    .ctx = k};
	}
	if (k->node >= 0)
		return k->node;
	if (k->find->state != ASK_IDLE)
		return -1;
	if (k->find->err.code != 0) {
		*err = k->find->err;
		k->find->err.code = 0;
		return -1;
	}
	/* The map's copy of the name lives as long as the entry. */
	for (struct map_entry *e = NULL; (e = map_next(&c->coordinators, e)) != NULL;)
		if (e->value == k)
			k->find->group = (const char *)e->key;
	cluster_ask(c, k->find);
	return -1;
}

void
cluster_forget_coordinator(struct cluster *c, const char *group)
{
	struct coordinator *k = map_get(&c->coordinators, group, strlen(group));

	if (k != NULL)
		k->node = -1;
}
