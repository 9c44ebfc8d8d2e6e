/* A group's committed offsets: topics by name, in each the partitions by number. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

/* Metadata lies behind its length. */
static char *
metadata_new(struct wire_str metadata)
{
	uint32_t len = (uint32_t)metadata.len;
	char *p = malloc(sizeof(len) + len);

	if (p == NULL)
		return NULL;
	memcpy(p, &len, sizeof(len));
	memcpy(p + sizeof(len), metadata.data, len);
	return p;
}

struct wire_str
coffset_metadata(const struct coffset *o)
{
	uint32_t len;

	if (o->metadata == NULL)
		return (struct wire_str){"", 0};
	memcpy(&len, o->metadata, sizeof(len));
	return (struct wire_str){o->metadata + sizeof(len), (int32_t)len};
}

static int
compare_names(struct wire_str a, struct wire_str b)
{
	size_t least = (size_t)(a.len < b.len ? a.len : b.len);
	int order = least > 0 ? memcmp(a.data, b.data, least) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the topic is, or should be. */
static uint32_t
topic_at(const struct cgroup *g, struct wire_str name, bool *found)
{
	uint32_t low = 0, high = g->topic_count;

	*found = false;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = compare_names(ctopic_name(g->topics[mid]), name);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint32_t
offset_at(const struct ctopic *t, int32_t partition, bool *found)
{
	uint32_t low = 0, high = t->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->list[mid].partition < partition)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < t->count && t->list[low].partition == partition;
	return low;
}

struct coffset *
cgroup_offset(const struct cgroup *g, struct wire_str topic, int32_t partition)
{
	bool found;
	uint32_t i = topic_at(g, topic, &found), k;

	if (!found)
		return NULL;
	k = offset_at(g->topics[i], partition, &found);
	return found ? &g->topics[i]->list[k] : NULL;
}

static struct ctopic *
make_topic(struct cgroup *g, struct wire_str name)
{
	bool found;
	uint32_t i = topic_at(g, name, &found);
	struct ctopic *t;

	if (found)
		return g->topics[i];
	if (g->topic_count == g->topic_cap) {
		uint32_t cap = g->topic_cap < 2 ? g->topic_cap + 1 : g->topic_cap * 2;
		struct ctopic **grown = realloc(g->topics, cap * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		g->topics = grown;
		g->topic_cap = cap;
	}
	t = calloc(1, sizeof(*t) + (size_t)name.len);
	if (t == NULL)
		return NULL;
	t->name_len = (uint32_t)name.len;
	memcpy(t->name, name.data, (size_t)name.len);
	memmove(&g->topics[i + 1], &g->topics[i], (g->topic_count - i) * sizeof(t));
	g->topics[i] = t;
	g->topic_count++;
	return t;
}

static int
insert_offset(struct ctopic *t, uint32_t i, const struct coffset *o)
{
	if (t->count == t->cap) {
		uint32_t cap = t->cap < 4 ? t->cap + 1 : t->cap + t->cap / 2;
		struct coffset *grown = realloc(t->list, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		t->list = grown;
		t->cap = cap;
	}
	memmove(&t->list[i + 1], &t->list[i], (t->count - i) * sizeof(*o));
	t->list[i] = *o;
	t->count++;
	return 0;
}

static void
drop_topic_if_empty(struct cgroup *g, struct wire_str name)
{
	bool found;
	uint32_t i = topic_at(g, name, &found);
	struct ctopic *t;

	if (!found || g->topics[i]->count > 0)
		return;
	t = g->topics[i];
	memmove(&g->topics[i], &g->topics[i + 1], (g->topic_count - i - 1) * sizeof(t));
	g->topic_count--;
	free(t->list);
	free(t);
}

int
cgroup_put_offset(struct cgroup *g, struct wire_str topic, const struct coffset *o,
    struct wire_str metadata)
{
	struct ctopic *t = make_topic(g, topic);
	struct coffset new = *o;
	bool found;
	uint32_t i;

	if (t == NULL)
		return -1;
	new.metadata = NULL;
	i = offset_at(t, o->partition, &found);
	assert(!found || t->list != NULL);
	if (found && t->list[i].at > o->at)
		return 0;
	if (metadata.len > 0 && (new.metadata = metadata_new(metadata)) == NULL) {
		drop_topic_if_empty(g, topic);
		return -1;
	}
	if (found) {
		free(t->list[i].metadata);
		t->list[i] = new;
		return 0;
	}
	if (insert_offset(t, i, &new) == 0)
		return 0;
	free(new.metadata);
	drop_topic_if_empty(g, topic);
	return -1;
}

void
cgroup_drop_offset(struct cgroup *g, struct wire_str topic, int32_t partition)
{
	bool found;
	uint32_t i = topic_at(g, topic, &found), k;
	struct ctopic *t;

	if (!found)
		return;
	t = g->topics[i];
	k = offset_at(t, partition, &found);
	if (!found)
		return;
	free(t->list[k].metadata);
	memmove(&t->list[k], &t->list[k + 1], (t->count - k - 1) * sizeof(t->list[0]));
	t->count--;
	if (t->count == 0)
		drop_topic_if_empty(g, ctopic_name(t));
}

void
cgroup_drop_offsets(struct cgroup *g)
{
	for (uint32_t i = 0; i < g->topic_count; i++) {
		struct ctopic *t = g->topics[i];

		for (uint32_t k = 0; k < t->count; k++)
			free(t->list[k].metadata);
		free(t->list);
		free(t);
	}
	free(g->topics);
	g->topics = NULL;
	g->topic_count = g->topic_cap = 0;
}

size_t
groups_idle_bytes(size_t partitions)
{
	return sizeof(struct cgroup) + sizeof(struct ctopic *) + sizeof(struct ctopic) +
	       partitions * sizeof(struct coffset);
}
