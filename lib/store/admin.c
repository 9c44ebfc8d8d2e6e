/* Topics: made, deleted, altered. Each is one batch in the metadata log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/store_impl.h"
#include "store/topic_config.h"
#include "store/topic_records.h"

#define CONFIG_VALUE_MAX 4096

/* --- records -------------------------------------------------------------------- */

static struct topic_records
records_of(struct change *c)
{
	return (struct topic_records){.im = &c->s->image, .bb = &c->bb, .now_ms = c->now_ms};
}

static int
add_config(struct change *c, const char *topic, const struct image_config *config, struct err *err)
{
	struct topic_records to = records_of(c);
	char value[CONFIG_VALUE_MAX];

	if (config->value == NULL && topic_config_find(config->name) == NULL)
		return topic_config_check(config->name, "", value, sizeof(value), err);
	if (config->value != NULL &&
	    topic_config_check(config->name, config->value, value, sizeof(value), err) == -1)
		return -1;
	return topic_add_config(
	    &to, 2, topic, config->name, config->value != NULL ? value : NULL, err);
}

static int
add_partition(struct change *c, const struct uuid *topic_id, int32_t number, struct err *err)
{
	struct topic_records to = records_of(c);

	return topic_add_partition(
	    &to, topic_id, number, &c->s->node_id, &c->s->directory_id, 1, err);
}

static int
check_name(const struct store *s, const char *name, struct err *err)
{
	const struct image_topic *other;

	if (!topic_name_ok(name))
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "%.260s: a topic name is 1 to 249 of a-z A-Z 0-9 . _ -, and not . or ..", name);
	if (image_topic(&s->image, name) != NULL)
		return err_set(err, ERR_TOPIC_ALREADY_EXISTS, "topic %s is there already", name);
	if (strcmp(name, METADATA_TOPIC) == 0)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "%s is the metadata log", name);
	other = topic_collision(&s->image, name);
	if (other != NULL)
		return err_set(err, ERR_INVALID_TOPIC_EXCEPTION,
		    "%s: differs from topic %s only in . and _", name, other->name);
	return 0;
}

/* --- what deleted topics leave ----------------------------------------------------- */

/* Once the record is durable the topic is gone. What is left of it is only disk
 * space, which need not go at once: whoever deletes a topic, or makes one of the
 * same name, removes it. */

struct dead {
	const struct store *s;
	char name[256];  /* a directory */
	char topic[256]; /* the same without the number */
	int32_t number;
	const char *after; /* names up to here were looked at; NULL: none */
	bool put_away;     /* NAME-N.ID-delete: only to be removed */
};

/* TOPIC-N, of a partition that there is not, or TOPIC-N.ID-delete. */
static bool
looks_dead(struct dead *d, const char *name)
{
	size_t len = strlen(name);
	const char *dash = strrchr(name, '-');
	const struct image_topic *t;
	int64_t number;

	if (len > 255 || dash == NULL || dash == name)
		return false;
	d->put_away = len > 40 && strcmp(name + len - 7, "-delete") == 0 && name[len - 40] == '.';
	if (d->put_away)
		return true;
	if (text_int(dash + 1, 0, INT32_MAX, &number) == -1)
		return false;
	d->number = (int32_t)number;
	snprintf(d->topic, sizeof(d->topic), "%.*s", (int)(dash - name), name);
	if (strcmp(d->topic, METADATA_TOPIC) == 0)
		return false;
	t = image_topic(&d->s->image, d->topic);
	return t == NULL || image_partition(t, d->number) == NULL;
}

/* Names are taken in their order, whatever order they come in. */
static int
find_dead(void *ctx, const char *name)
{
	struct dead *d = ctx, one = *d;

	if ((d->after != NULL && strcmp(name, d->after) <= 0) ||
	    (d->name[0] != '\0' && strcmp(name, d->name) >= 0) || !looks_dead(&one, name))
		return 0;
	*d = one;
	snprintf(d->name, sizeof(d->name), "%s", name);
	return 0;
}

/* Puts a dead partition's directory away under its lock and removes it. One
 * without an id in it may be anybody's, and one with a living topic's id is more
 * than we understand: they stay. */
static int
remove_dead(struct store *s, const struct dead *d, struct err *err)
{
	struct lock_wait w = store_wait(s);
	char path[STORE_PATH_MAX], gone[STORE_PATH_MAX];
	struct uuid id;
	int fd, ret;

	if (store_path(s, path, d->name, err) == -1)
		return -1;
	if (d->put_away)
		return directory_remove(s->os, path, err);
	ret = partition_id_read(s->os, path, &id, err);
	if (ret != 1 || image_topic_by_id(&s->image, &id) != NULL)
		return ret == -1 ? -1 : 0;
	snprintf(path, sizeof(path), "%s/%.255s/mq.lock", s->dir, d->name);
	fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	ret = lock_file(&w, fd, OS_LOCK_EXCLUSIVE, path, LOCK_HOLDER_PARTITION, err);
	if (ret == 0)
		ret = partition_put_away(s->os, s->dir, d->topic, d->number, &id, "delete", gone, err);
	os_close(s->os, fd);
	return ret == 1 ? directory_remove(s->os, gone, err) : ret;
}

/* With the metadata log's lock held, so that no topic is made meanwhile. */
static void
remove_all_dead(struct store *s)
{
	char after[256] = "";
	struct dead d;
	struct err err;

	for (;;) {
		d = (struct dead){.s = s, .after = after};
		if (os_list(s->os, s->dir, find_dead, &d) == -1 || d.name[0] == '\0')
			return;
		if (remove_dead(s, &d, &err) == -1)
			os_note(s->os, OS_WARN, "%s/%s: still there: %s", s->dir, d.name, err.text);
		snprintf(after, sizeof(after), "%s", d.name);
	}
}

/* --- making ---------------------------------------------------------------------- */

static int
create(struct change *c, const struct store_topic_spec *spec, struct err *err)
{
	struct store *s = c->s;
	int32_t count = spec->partitions == -1 ? s->options.num_partitions : spec->partitions;
	struct topic_records to = records_of(c);
	struct uuid id;

	if (check_name(s, spec->name, err) == -1)
		return -1;
	if (count < 1)
		return err_set(err, ERR_INVALID_PARTITIONS, "%s: %d partitions wanted", spec->name, count);
	topic_draw_id(s->os, &s->image, &id);
	if (topic_add_topic(&to, spec->name, &id, err) == -1)
		return -1;
	for (size_t i = 0; i < spec->config_count; i++)
		if (spec->configs[i].value != NULL &&
		    add_config(c, spec->name, &spec->configs[i], err) == -1)
			return -1;
	for (int32_t i = 0; i < count; i++)
		if (add_partition(c, &id, i, err) == -1)
			return -1;
	/* A topic of that name may have left its offsets behind. */
	if (checkpoints_forget(s, spec->name, err) == -1 || change_commit(c, err) == -1)
		return -1;
	/* And directories beyond the partitions that there are now. */
	remove_all_dead(s);
	return 0;
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

static int
delete_topic(struct change *c, const char *topic, struct err *err)
{
	const struct image_topic *t = topic_wanted(c, topic, err);
	struct topic_records to = records_of(c);
	struct err later;

	if (t == NULL)
		return -1;
	if (topic_add_removal(&to, &t->id, err) == -1 || change_commit(c, err) == -1)
		return -1;
	remove_all_dead(c->s);
	if (checkpoints_forget(c->s, topic, &later) == -1)
		os_note(c->s->os, OS_WARN, "%s: %s", topic, later.text);
	return 0;
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
	partition_close_surplus(s);
	return ret;
}
