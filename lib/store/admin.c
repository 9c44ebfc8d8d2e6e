/* Topics: made, deleted, altered. Each is one batch in the metadata log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"
#include "store/topic_config.h"

#define TOPIC_NAME_MAX 249
#define CONFIG_VALUE_MAX 4096

bool
topic_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= TOPIC_NAME_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* --- records -------------------------------------------------------------------- */

static int
add_config(struct change *c, const char *topic, const struct image_config *config, struct err *err)
{
	char value[CONFIG_VALUE_MAX];
	struct config_record r;

	wire_init(&wire_config_record, &r);
	r.resource_type = 2;
	r.resource_name = wire_str_of(topic);
	r.name = wire_str_of(config->name);
	r.value = wire_str_null();
	if (config->value == NULL) {
		if (topic_config_find(config->name) == NULL)
			return topic_config_check(config->name, "", value, sizeof(value), err);
	} else {
		if (topic_config_check(config->name, config->value, value, sizeof(value), err) == -1)
			return -1;
		r.value = wire_str_of(value);
	}
	return change_add(c, &wire_config_record, 0, &r, err);
}

static int
add_partition(struct change *c, const struct uuid *topic_id, int32_t number, struct err *err)
{
	int32_t node = c->s->node_id;
	struct uuid directory = c->s->directory_id;
	struct partition_record r;

	wire_init(&wire_partition_record, &r);
	r.partition_id = number;
	r.topic_id = *topic_id;
	r.replicas.items = r.isr.items = &node;
	r.replicas.count = r.isr.count = 1;
	r.leader = node;
	r.leader_epoch = r.partition_epoch = 0;
	r.directories.items = &directory;
	r.directories.count = 1;
	return change_add(c, &wire_partition_record, 2, &r, err);
}

/* '.' and '_' are the same in Kafka's metric names, so it refuses topics that
 * differ in nothing else. */
static bool
names_collide(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
			return false;
	return *a == *b;
}

static int
check_name(const struct store *s, const char *name, struct err *err)
{
	if (!topic_name_ok(name))
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "%.260s: a topic name is 1 to 249 of a-z A-Z 0-9 . _ -, and not . or ..", name);
	if (image_topic(&s->image, name) != NULL)
		return err_set(err, ERR_TOPIC_ALREADY_EXISTS, "topic %s is there already", name);
	if (strcmp(name, METADATA_TOPIC) == 0)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "%s is the metadata log", name);
	for (struct map_entry *e = NULL; (e = map_next(&s->image.topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		if (names_collide(t->name, name))
			return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
			    "%s: differs from topic %s only in . and _", name, t->name);
	}
	return 0;
}

static void
draw_id(struct store *s, struct uuid *id)
{
	uint8_t random[16];

	do
		os_random(s->os, random, sizeof(random));
	while (!uuid_from_random(id, random) || image_topic_by_id(&s->image, id) != NULL);
}

/* --- making ---------------------------------------------------------------------- */

static int
create(struct change *c, const struct store_topic_spec *spec, struct err *err)
{
	struct store *s = c->s;
	int32_t count = spec->partitions == -1 ? s->options.num_partitions : spec->partitions;
	struct topic_record r;

	if (check_name(s, spec->name, err) == -1)
		return -1;
	if (count < 1)
		return err_set(err, ERR_INVALID_PARTITIONS, "%s: %d partitions wanted", spec->name, count);
	wire_init(&wire_topic_record, &r);
	r.name = wire_str_of(spec->name);
	draw_id(s, &r.topic_id);
	if (change_add(c, &wire_topic_record, 0, &r, err) == -1)
		return -1;
	for (size_t i = 0; i < spec->config_count; i++)
		if (spec->configs[i].value != NULL &&
		    add_config(c, spec->name, &spec->configs[i], err) == -1)
			return -1;
	for (int32_t i = 0; i < count; i++)
		if (add_partition(c, &r.topic_id, i, err) == -1)
			return -1;
	/* A topic of that name may have left its offsets behind. */
	if (checkpoints_forget(s, spec->name, err) == -1)
		return -1;
	return change_commit(c, err);
}

int
store_create_topic(struct store *s, const struct store_topic_spec *spec, struct err *err)
{
	struct change c;
	int ret;

	if (change_begin(&c, s, err) == -1)
		return -1;
	ret = create(&c, spec, err);
	change_end(&c);
	return ret;
}

/* The topic, or NULL with err. */
static const struct image_topic *
topic_wanted(struct change *c, const char *topic, struct err *err)
{
	const struct image_topic *t = image_topic(&c->s->image, topic);

	if (t == NULL)
		err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no topic %s", topic);
	return t;
}

static int
add_partitions(struct change *c, const char *topic, int32_t count, struct err *err)
{
	const struct image_topic *t = topic_wanted(c, topic, err);

	if (t == NULL)
		return -1;
	if (count <= t->partition_count)
		return err_set(err, ERR_INVALID_PARTITIONS, "%s: has %d partitions, %d wanted", topic,
		    t->partition_count, count);
	for (int32_t i = t->partition_count; i < count; i++)
		if (add_partition(c, &t->id, i, err) == -1)
			return -1;
	return change_commit(c, err);
}

int
store_add_partitions(struct store *s, const char *topic, int32_t count, struct err *err)
{
	struct change c;
	int ret;

	if (change_begin(&c, s, err) == -1)
		return -1;
	ret = add_partitions(&c, topic, count, err);
	change_end(&c);
	return ret;
}

static int
alter_configs(struct change *c, const char *topic, const struct image_config *configs,
    size_t count, struct err *err)
{
	if (topic_wanted(c, topic, err) == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (add_config(c, topic, &configs[i], err) == -1)
			return -1;
	return count == 0 ? 0 : change_commit(c, err);
}

int
store_alter_configs(struct store *s, const char *topic, const struct image_config *configs,
    size_t count, struct err *err)
{
	struct change c;
	int ret;

	if (change_begin(&c, s, err) == -1)
		return -1;
	ret = alter_configs(&c, topic, configs, count, err);
	change_end(&c);
	return ret;
}

/* --- deleting --------------------------------------------------------------------- */

struct leftovers {
	const struct store *s;
	char name[256];
};

/* PARTITION.ID-delete: what a deletion put away and could not finish. */
static int
find_leftover(void *ctx, const char *name)
{
	struct leftovers *l = ctx;
	size_t len = strlen(name);

	if (len < 40 || strcmp(name + len - 7, "-delete") != 0 || name[len - 40] != '.')
		return 0;
	snprintf(l->name, sizeof(l->name), "%s", name);
	return 1;
}

/* Removes directories that were put away, by us or by one that died. */
static int
remove_leftovers(struct store *s, struct err *err)
{
	struct leftovers l = {.s = s};
	char path[STORE_PATH_MAX];
	int found, ret = 0;

	if (store_lock(s, err) == -1)
		return -1;
	while (ret == 0 && (found = os_list(s->os, s->dir, find_leftover, &l)) == 1)
		if (store_path(s, path, l.name, err) == -1 || directory_remove(s->os, path, err) == -1)
			ret = -1;
	if (ret == 0 && found == -1)
		ret = err_sys(err, errno, "%s: list", s->dir);
	store_unlock(s);
	return ret;
}

/* Puts a partition's directory away under its lock, if it is there. */
static int
put_away(struct store *s, const char *topic, int32_t number, const struct uuid *id,
    struct err *err)
{
	char path[STORE_PATH_MAX], gone[STORE_PATH_MAX];
	int fd, ret;

	snprintf(path, sizeof(path), "%s/%s-%d/mq.lock", s->dir, topic, number);
	fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	ret = lock_wait(s, fd, OS_LOCK_EXCLUSIVE, path, err);
	if (ret == 0)
		ret = partition_put_away(s, topic, number, id, gone, err);
	os_close(s->os, fd);
	return ret == -1 ? -1 : 0;
}

/* Once the record is durable the topic is gone; what is left is only disk space,
 * and whoever finds it removes it. */
static int
delete_files(struct change *c, const char *topic, const struct uuid *id, int32_t count,
    struct err *err)
{
	for (int32_t i = 0; i < count; i++)
		if (put_away(c->s, topic, i, id, err) == -1)
			return -1;
	return checkpoints_forget(c->s, topic, err);
}

static int
delete_topic(struct change *c, const char *topic, struct err *err)
{
	const struct image_topic *t = topic_wanted(c, topic, err);
	struct remove_topic_record r;
	int32_t count;

	if (t == NULL)
		return -1;
	count = t->partition_count;
	wire_init(&wire_remove_topic_record, &r);
	r.topic_id = t->id;
	if (change_add(c, &wire_remove_topic_record, 0, &r, err) == -1 ||
	    change_commit(c, err) == -1)
		return -1;
	return delete_files(c, topic, &r.topic_id, count, err);
}

int
store_delete_topic(struct store *s, const char *topic, struct err *err)
{
	char name[TOPIC_NAME_MAX + 1];
	struct change c;
	int ret;

	/* The caller's may be the image's own, which goes with the topic. */
	snprintf(name, sizeof(name), "%s", topic);
	if (change_begin(&c, s, err) == -1)
		return -1;
	ret = delete_topic(&c, name, err);
	change_end(&c);
	return ret == 0 ? remove_leftovers(s, err) : -1;
}
