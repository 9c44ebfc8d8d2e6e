/* What the members of a group have in common: assignors, and topics. */
#include <string.h>

#include "base/hash.h"
#include "mqd/groups/groups_impl.h"

bool
cgroup_is_consumer(const struct cgroup *g)
{
	return str_equal(g->protocol_type, wire_str_of("consumer"));
}

bool
cgroup_supports(const struct cgroup *g, struct wire_str type,
    const struct join_group_request_protocol *list, size_t count)
{
	if (g->state == CGROUP_EMPTY)
		return type.len > 0 && count > 0;
	if (!str_equal(g->protocol_type, type))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct wire_str name = list[i].name;
		size_t have = g->live == NULL ? 0
		                              : (uintptr_t)map_get(&g->live->protocols, name.data,
		                                    (size_t)name.len);

		if (have == cgroup_size(g))
			return true;
	}
	return false;
}

struct wire_bytes
cmember_metadata(const struct cmember *m, struct wire_str protocol)
{
	for (size_t i = 0; i < m->protocols->count; i++)
		if (str_equal(m->protocols->list[i].name, protocol))
			return m->protocols->list[i].metadata;
	return (struct wire_bytes){NULL, 0};
}

/* The member's first among those that all have; NULL: none. */
static const struct cprotocol *
vote(const struct cgroup *g, const struct cmember *m)
{
	for (size_t i = 0; i < m->protocols->count; i++) {
		const struct cprotocol *p = &m->protocols->list[i];

		if ((uintptr_t)map_get(&g->live->protocols, p->name.data, (size_t)p->name.len) ==
		    cgroup_size(g))
			return p;
	}
	return NULL;
}

/* Where Java's HashMap of up to 12 entries has a string: Kafka takes the first of
 * equals in that order. */
static uint32_t
java_slot(const char *s, size_t len)
{
	uint32_t h = (uint32_t)java_hash(s, len);

	return (h ^ h >> 16) & 15;
}

static bool
is_better(const struct map_entry *a, const struct map_entry *b)
{
	uintptr_t x = (uintptr_t)a->value, y = (uintptr_t)b->value;

	if (x != y)
		return x > y;
	return java_slot((const char *)a->key, a->key_len) <
	       java_slot((const char *)b->key, b->key_len);
}

int
cgroup_select_protocol(const struct cgroup *g, struct wire_str *out)
{
	const struct cprotocol *p = NULL;
	struct map_entry *best = NULL;
	struct map votes;
	int ret = 0;

	map_init(&votes);
	for (struct map_entry *e = NULL; ret == 0 && (e = cgroup_next(g, e)) != NULL;) {
		p = vote(g, e->value);
		if (p == NULL) {
			ret = -1;
			break;
		}
		uintptr_t n = (uintptr_t)map_get(&votes, p->name.data, (size_t)p->name.len);
		ret = map_put(&votes, p->name.data, (size_t)p->name.len, (void *)(n + 1), NULL);
	}
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&votes, e)) != NULL;)
		if (best == NULL || is_better(e, best))
			best = e;
	if (ret == 0 && best == NULL)
		ret = -1;
	if (ret == 0)
		ret = str_set(out, wire_str_of_mem((const char *)best->key, best->key_len));
	map_release(&votes);
	return ret;
}

/* --- subscriptions -------------------------------------------------------------------- */

/* Version 0 of ConsumerProtocolSubscription is the beginning of all others: a version,
 * then topics. 1: taken; 0: cannot be read; -1: no memory. */
static int
take_topics(struct map *topics, struct wire_bytes metadata)
{
	struct cursor c = cursor_of(metadata.data, metadata.len > 0 ? (size_t)metadata.len : 0);
	int16_t version = cursor_i16(&c);
	int32_t count = cursor_i32(&c);

	if (c.failed || version < 0 || count < 0 || (size_t)count > cursor_left(&c) / 2)
		return 0;
	for (int32_t i = 0; i < count; i++) {
		int16_t len = cursor_i16(&c);
		const uint8_t *name = len < 0 ? NULL : cursor_bytes(&c, (size_t)len);

		if (name == NULL)
			return 0;
		if (map_put(topics, name, (size_t)len, topics, NULL) == -1)
			return -1;
	}
	return 1;
}

int
cgroup_find_subscriptions(struct cgroup *g)
{
	g->subscriptions_known = false;
	if (g->live != NULL) {
		map_release(&g->live->subscribed);
		map_init(&g->live->subscribed);
	}
	if (!cgroup_is_consumer(g))
		return 0;
	if (cgroup_size(g) > 0 && g->protocol.len < 0)
		return 0;
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		int got = take_topics(&g->live->subscribed, cmember_metadata(e->value, g->protocol));

		if (got != 1)
			return got;
	}
	g->subscriptions_known = true;
	return 0;
}

bool
cgroup_is_subscribed(const struct cgroup *g, struct wire_str topic)
{
	if (!g->subscriptions_known)
		return cgroup_is_consumer(g);
	return g->live != NULL && topic.len >= 0 &&
	       map_get(&g->live->subscribed, topic.data, (size_t)topic.len) != NULL;
}
