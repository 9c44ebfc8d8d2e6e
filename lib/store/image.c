#include "store/image_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The most partitions that a topic may have; a number beyond it in a record is
 * damage, and no reason to allocate. */
#define PARTITIONS_MAX 1000000

/* Numbers that no record has filled yet: records come in any order (a snapshot's),
 * but numbers are dense in the end. So many in all topics, and three more for each
 * partition that is there: at most some 6 MB for a log that means harm. */
#define PARTITIONS_UNFILLED 131072
#define PARTITIONS_UNFILLED_EACH 3

void
image_init(struct image *im)
{
	memset(im, 0, sizeof(*im));
	map_init(&im->topics);
	map_init(&im->topic_ids);
	map_init(&im->configs);
	map_init(&im->features);
	buf_init(&im->pending);
}

static void
configs_release(struct image_configs *c)
{
	for (size_t i = 0; i < c->count; i++) {
		free(c->list[i].name);
		free(c->list[i].value);
	}
	free(c->list);
	memset(c, 0, sizeof(*c));
}

static void
topic_free(struct image_topic *t)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		free(t->partitions[i].replicas);
		free(t->partitions[i].isr);
	}
	free(t->partitions);
	configs_release(&t->configs);
	free(t->name);
	free(t);
}

void
image_release(struct image *im)
{
	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;)
		topic_free(e->value);
	for (struct map_entry *e = NULL; (e = map_next(&im->configs, e)) != NULL;) {
		configs_release(e->value);
		free(e->value);
	}
	map_release(&im->topics);
	map_release(&im->topic_ids);
	map_release(&im->configs);
	map_release(&im->features);
	buf_release(&im->pending);
	free(im->voters);
	free(im->brokers);
	memset(im, 0, sizeof(*im));
}

/* --- topics ---------------------------------------------------------------- */

const struct image_topic *
image_topic(const struct image *im, const char *name)
{
	return map_get(&im->topics, name, strlen(name));
}

const struct image_topic *
image_topic_by_id(const struct image *im, const struct uuid *id)
{
	return map_get(&im->topic_ids, id->bytes, sizeof(id->bytes));
}

struct image_topic *
image_topic_wanted(struct image *im, const struct uuid *id, struct err *err)
{
	struct image_topic *t = map_get(&im->topic_ids, id->bytes, sizeof(id->bytes));
	char text[UUID_TEXT_SIZE];

	if (t != NULL)
		return t;
	uuid_format(id, text);
	err_set(err, ERR_CORRUPT, "a record for topic id %s, which no record made", text);
	return NULL;
}

/* The key of a resource in im->configs: its type byte, then its name. */
static int
config_key(struct buf *key, int8_t type, const char *resource, size_t len, struct err *err)
{
	buf_init(key);
	buf_i8(key, type);
	buf_put(key, resource, len);
	if (!key->failed)
		return 0;
	buf_release(key);
	return err_nomem(err);
}

bool
topic_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= TOPIC_NAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

int
image_topic_add(
    struct image *im, const char *name, size_t len, const struct uuid *id, struct err *err)
{
	struct image_topic *t;
	struct image_configs *early;
	struct buf key;

	if (map_get(&im->topics, name, len) != NULL || image_topic_by_id(im, id) != NULL)
		return err_set(err, ERR_CORRUPT, "topic %.*s was made twice", (int)len, name);
	t = calloc(1, sizeof(*t));
	if (t == NULL || (t->name = strndup(name, len)) == NULL) {
		free(t);
		return err_nomem(err);
	}
	if (strlen(t->name) != len || !topic_name_ok(t->name)) {
		topic_free(t);
		return err_set(err, ERR_CORRUPT, "a topic may not be named %.*s", (int)len, name);
	}
	t->id = *id;
	if (map_put(&im->topics, name, len, t, NULL) == -1) {
		topic_free(t);
		return err_nomem(err);
	}
	if (map_put(&im->topic_ids, id->bytes, sizeof(id->bytes), t, NULL) == -1 ||
	    config_key(&key, RESOURCE_TOPIC, name, len, err) == -1) {
		image_topic_remove(im, t);
		return err_nomem(err);
	}
	early = map_del(&im->configs, key.data, key.len);
	buf_release(&key);
	if (early != NULL) {
		t->configs = *early;
		free(early);
	}
	return 0;
}

void
image_topic_remove(struct image *im, struct image_topic *t)
{
	map_del(&im->topics, t->name, strlen(t->name));
	map_del(&im->topic_ids, t->id.bytes, sizeof(t->id.bytes));
	im->partition_slots -= t->partition_count;
	for (int32_t i = 0; i < t->partition_count; i++)
		im->partition_count -= t->partitions[i].exists;
	topic_free(t);
}

const struct image_partition *
image_partition(const struct image_topic *t, int32_t number)
{
	if (number < 0 || number >= t->partition_count || !t->partitions[number].exists)
		return NULL;
	return &t->partitions[number];
}

struct image_partition *
image_partition_make(struct image *im, struct image_topic *t, int32_t number, struct err *err)
{
	struct image_partition *grown;
	int32_t count = number + 1;
	int64_t unfilled;

	if (number < 0 || number >= PARTITIONS_MAX) {
		err_set(err, ERR_CORRUPT, "topic %s has a partition %d", t->name, number);
		return NULL;
	}
	if (count > t->partition_count) {
		unfilled = im->partition_slots + count - t->partition_count - im->partition_count;
		if (unfilled > PARTITIONS_UNFILLED + PARTITIONS_UNFILLED_EACH * im->partition_count) {
			err_set(err, ERR_CORRUPT,
			    "topic %s has a partition %d, but too few below it: %lld are missing",
			    t->name, number, (long long)unfilled - 1);
			return NULL;
		}
		grown = realloc(t->partitions, (size_t)count * sizeof(*grown));
		if (grown == NULL) {
			err_nomem(err);
			return NULL;
		}
		memset(&grown[t->partition_count], 0,
		    (size_t)(count - t->partition_count) * sizeof(*grown));
		im->partition_slots += count - t->partition_count;
		t->partitions = grown;
		t->partition_count = count;
	}
	im->partition_count += !t->partitions[number].exists;
	t->partitions[number].exists = true;
	return &t->partitions[number];
}

int
image_ids_set(
    int32_t **list, size_t *count, const int32_t *from, int32_t from_count, struct err *err)
{
	size_t n = from_count > 0 ? (size_t)from_count : 0;
	int32_t *copy = malloc((n + 1) * sizeof(*copy));

	if (copy == NULL)
		return err_nomem(err);
	if (n > 0)
		memcpy(copy, from, n * sizeof(*copy));
	free(*list);
	*list = copy;
	*count = n;
	return 0;
}

/* --- configs --------------------------------------------------------------- */

/* Where `name` is, or would be inserted. */
static size_t
configs_place(const struct image_configs *c, const char *name, bool *found)
{
	size_t low = 0, high = c->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(c->list[middle].name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Sets one config; takes over both strings, `value` NULL removes. */
static int
configs_set(struct image_configs *c, char *name, char *value)
{
	bool found;
	size_t at = configs_place(c, name, &found), cap;
	struct image_config *grown;

	if (found && value == NULL) {
		free(c->list[at].name);
		free(c->list[at].value);
		memmove(&c->list[at], &c->list[at + 1], (--c->count - at) * sizeof(*c->list));
	} else if (found) {
		free(c->list[at].value);
		c->list[at].value = value;
	}
	if (found || value == NULL) {
		free(name);
		return 0;
	}
	if (c->count == c->cap) {
		cap = c->cap == 0 ? 4 : 2 * c->cap;
		grown = realloc(c->list, cap * sizeof(*grown));
		if (grown == NULL) {
			free(name);
			free(value);
			return -1;
		}
		c->list = grown;
		c->cap = cap;
	}
	memmove(&c->list[at + 1], &c->list[at], (c->count++ - at) * sizeof(*c->list));
	c->list[at] = (struct image_config){.name = name, .value = value};
	return 0;
}

/* The configs of a resource, made if they are not there; NULL without memory. */
static struct image_configs *
configs_of(struct image *im, int8_t type, struct wire_str resource, struct err *err)
{
	struct image_topic *t;
	struct image_configs *c;
	struct buf key;

	if (type == RESOURCE_TOPIC) {
		t = map_get(&im->topics, resource.data, (size_t)resource.len);
		if (t != NULL)
			return &t->configs;
	}
	if (config_key(&key, type, resource.data, (size_t)resource.len, err) == -1)
		return NULL;
	c = map_get(&im->configs, key.data, key.len);
	if (c == NULL) {
		c = calloc(1, sizeof(*c));
		if (c != NULL && map_put(&im->configs, key.data, key.len, c, NULL) == -1) {
			free(c);
			c = NULL;
		}
	}
	buf_release(&key);
	if (c == NULL)
		err_nomem(err);
	return c;
}

int
image_config_set(struct image *im, int8_t type, struct wire_str resource, struct wire_str name,
    struct wire_str value, struct err *err)
{
	struct image_configs *c = configs_of(im, type, resource, err);
	char *n, *v;

	if (c == NULL)
		return -1;
	n = strndup(name.data, (size_t)name.len);
	v = value.len < 0 ? NULL : strndup(value.len > 0 ? value.data : "", (size_t)value.len);
	if (n == NULL || (v == NULL && value.len >= 0)) {
		free(n);
		free(v);
		return err_nomem(err);
	}
	return configs_set(c, n, v) == -1 ? err_nomem(err) : 0;
}

const char *
image_config(const struct image *im, int8_t type, const char *resource, const char *name)
{
	const struct image_configs *c = NULL;
	const struct image_topic *t;
	struct buf key;
	struct err err;
	bool found;
	size_t at;

	if (type == RESOURCE_TOPIC && (t = image_topic(im, resource)) != NULL) {
		c = &t->configs;
	} else if (config_key(&key, type, resource, strlen(resource), &err) == 0) {
		c = map_get(&im->configs, key.data, key.len);
		buf_release(&key);
	}
	if (c == NULL)
		return NULL;
	at = configs_place(c, name, &found);
	return found ? c->list[at].value : NULL;
}

/* --- features, brokers ------------------------------------------------------ */

int
image_feature_set(struct image *im, const char *name, size_t len, int level, struct err *err)
{
	if (level <= 0) {
		map_del(&im->features, name, len);
		return 0;
	}
	if (map_put(&im->features, name, len, (void *)(intptr_t)(level + 1), NULL) == -1)
		return err_nomem(err);
	return 0;
}

int
image_feature(const struct image *im, const char *name)
{
	intptr_t level = (intptr_t)map_get(&im->features, name, strlen(name));

	return level == 0 ? 0 : (int)(level - 1);
}

struct image_broker *
image_broker(struct image *im, int32_t id, bool make)
{
	struct image_broker *grown;

	for (size_t i = 0; i < im->broker_count; i++)
		if (im->brokers[i].id == id)
			return &im->brokers[i];
	if (!make)
		return NULL;
	grown = realloc(im->brokers, (im->broker_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	im->brokers = grown;
	im->brokers[im->broker_count] = (struct image_broker){.id = id, .epoch = -1};
	return &im->brokers[im->broker_count++];
}

void
image_broker_remove(struct image *im, int32_t id)
{
	struct image_broker *b = image_broker(im, id, false);

	if (b != NULL)
		*b = im->brokers[--im->broker_count];
}

/* --- rule 11 ---------------------------------------------------------------- */

int
image_is_sole(const struct image *im, int32_t node_id, struct err *err)
{
	for (size_t i = 0; i < im->voter_count; i++)
		if (im->voters[i].id != node_id)
			return err_set(err, ERR_REFUSED,
			    "the store belongs to a cluster: node %d votes too; write through its "
			    "daemon",
			    im->voters[i].id);
	if (im->voter_count == 0)
		return err_set(err, ERR_REFUSED,
		    "the metadata log names no voter, so this node %d may not write", node_id);
	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		for (int32_t p = 0; p < t->partition_count; p++) {
			const struct image_partition *part = image_partition(t, p);

			if (part != NULL &&
			    (part->replica_count != 1 || part->replicas[0] != node_id))
				return err_set(err, ERR_REFUSED,
				    "the store belongs to a cluster: %s-%d has replicas beyond node "
				    "%d; write through its daemon",
				    t->name, p, node_id);
		}
	}
	return 0;
}
