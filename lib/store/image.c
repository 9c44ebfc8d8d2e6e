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
	map_init(&im->brokers);
	map_init(&im->others);
	buf_init(&im->voters_value);
	buf_init(&im->pending);
	im->last_timestamp = -1;
}

struct config_node {
	struct image_config config; /* the first, so that it is its node's address */
	RB_ENTRY(config_node) in;
};

static int
config_order(const struct config_node *a, const struct config_node *b)
{
	return strcmp(a->config.name, b->config.name);
}

RB_GENERATE_INTERNAL(
    config_tree, config_node, in, config_order, __attribute__((unused)) static)

static void
config_free(struct config_node *one)
{
	free(one->config.name);
	free(one->config.value);
	free(one);
}

static void
config_remove(struct image_configs *c, struct config_node *one)
{
	RB_REMOVE(config_tree, &c->tree, one);
	c->count--;
	config_free(one);
}

static void
configs_release(struct image_configs *c)
{
	struct config_node *one;

	while ((one = RB_ROOT(&c->tree)) != NULL)
		config_remove(c, one);
}

static void
topic_free(struct image_topic *t)
{
	for (int32_t i = 0; i < t->partition_count; i++) {
		struct image_partition *p = &t->partitions[i];

		free(p->replicas);
		free(p->isr);
		free(p->elr.ids);
		free(p->last_elr.ids);
		free(p->adding.ids);
		free(p->removing.ids);
		free(p->directories);
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
	image_brokers_release(im);
	buf_release(&im->voters_value);
	buf_release(&im->pending);
	free(im->voters);
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
	int32_t count;
	int64_t unfilled;

	if (number < 0 || number >= PARTITIONS_MAX) {
		err_set(err, ERR_CORRUPT, "topic %s has a partition %d", t->name, number);
		return NULL;
	}
	count = number + 1;
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

int
image_ids_copy(struct image_ids *ids, const int32_t *from, int32_t from_count, struct err *err)
{
	if (from_count > 0)
		return image_ids_set(&ids->ids, &ids->count, from, from_count, err);
	free(ids->ids);
	*ids = (struct image_ids){0};
	return 0;
}

int
image_directories_set(struct image_partition *p, const struct uuid *from, int32_t from_count,
    struct err *err)
{
	struct uuid *copy = NULL;

	if (from_count > 0) {
		copy = malloc((size_t)from_count * sizeof(*copy));
		if (copy == NULL)
			return err_nomem(err);
		memcpy(copy, from, (size_t)from_count * sizeof(*copy));
	}
	free(p->directories);
	p->directories = copy;
	p->directory_count = copy != NULL ? (size_t)from_count : 0;
	return 0;
}

int
image_touched(struct image *im, const struct image_topic *topic, struct err *err)
{
	if (im->watcher.touched == NULL)
		return 0;
	return im->watcher.touched(im->watcher.ctx, topic, err);
}

/* --- configs --------------------------------------------------------------- */

static const struct image_config *
config_find(const struct image_configs *c, const char *name)
{
	struct config_node key = {.config.name = (char *)(uintptr_t)name};
	struct config_tree tree = c->tree;
	const struct config_node *found = RB_FIND(config_tree, &tree, &key);

	return found != NULL ? &found->config : NULL;
}

const struct image_config *
image_config_next(const struct image_configs *c, const struct image_config *before)
{
	struct config_tree tree = c->tree;
	const struct config_node *next;

	if (before == NULL)
		next = RB_MIN(config_tree, &tree);
	else
		next = RB_NEXT(config_tree, &tree, (struct config_node *)(uintptr_t)before);
	return next != NULL ? &next->config : NULL;
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

static struct config_node *
config_new(struct wire_str name, struct wire_str value, struct err *err)
{
	struct config_node *one = calloc(1, sizeof(*one));

	if (one != NULL) {
		one->config.name = strndup(name.data, (size_t)name.len);
		one->config.value = strndup(value.len > 0 ? value.data : "",
		    value.len > 0 ? (size_t)value.len : 0);
		if (one->config.name != NULL && one->config.value != NULL)
			return one;
		config_free(one);
	}
	err_nomem(err);
	return NULL;
}

int
image_config_set(struct image *im, int8_t type, struct wire_str resource, struct wire_str name,
    struct wire_str value, struct err *err)
{
	struct image_configs *c = configs_of(im, type, resource, err);
	struct config_node *one, *before;

	if (c == NULL || (one = config_new(name, value, err)) == NULL)
		return -1;
	before = RB_FIND(config_tree, &c->tree, one);
	if (before != NULL)
		config_remove(c, before);
	if (value.len < 0) {
		config_free(one);
		return 0;
	}
	RB_INSERT(config_tree, &c->tree, one);
	c->count++;
	return 0;
}

const char *
image_config(const struct image *im, int8_t type, const char *resource, const char *name)
{
	const struct image_configs *c = NULL;
	const struct image_topic *t;
	struct buf key;
	const struct image_config *one;
	struct err err;

	if (type == RESOURCE_TOPIC && (t = image_topic(im, resource)) != NULL) {
		c = &t->configs;
	} else if (config_key(&key, type, resource, strlen(resource), &err) == 0) {
		c = map_get(&im->configs, key.data, key.len);
		buf_release(&key);
	}
	if (c == NULL)
		return NULL;
	one = config_find(c, name);
	return one != NULL ? one->value : NULL;
}

/* --- features -------------------------------------------------------------- */

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
