/* Metadata and admin of a store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/target_store_impl.h"
#include "store/topic_config.h"

/* --- metadata -------------------------------------------------------------- */

/* compression.type, which a broker would recompress to. A store writes batches as
 * they come, so they should come so. */
static void
describe_codec(const struct image *im, const char *topic, struct target_topic *to)
{
	const char *type = topic_config_value(im, topic, "compression.type", NULL), *text;
	char name[48];
	int64_t level;

	to->codec = CODEC_NONE;
	to->codec_level = CODEC_LEVEL_DEFAULT;
	to->has_codec = strcmp(type, "uncompressed") == 0 ||
	    codec_parse(type, strlen(type), &to->codec) == 0;
	snprintf(name, sizeof(name), "compression.%s.level", codec_name(to->codec));
	text = topic_config_value(im, topic, name, NULL);
	if (text != NULL && text_int(text, INT32_MIN + 1, INT32_MAX, &level) == 0 &&
	    codec_level_ok(to->codec, (int)level))
		to->codec_level = (int)level;
}

static int
describe_topic(struct store_target *st, struct arena *a, const struct image_topic *from,
    struct target_topic *to, struct err *err)
{
	struct mlog_config config;
	struct target_partition *parts =
	    arena_array(a, (size_t)from->partition_count + 1, sizeof(*parts));

	to->name = arena_strdup(a, from->name);
	if (parts == NULL || to->name == NULL)
		return err_nomem(err);
	to->id = from->id;
	to->internal = strcmp(from->name, "__consumer_offsets") == 0 ||
	    strcmp(from->name, "__transaction_state") == 0;
	topic_config_resolve(store_image(st->store), from->name, &config);
	to->batch_bytes_max = config.max_message_bytes;
	describe_codec(store_image(st->store), from->name, to);
	to->partitions = parts;
	for (int32_t n = 0; n < from->partition_count; n++) {
		const struct image_partition *p = &from->partitions[n];
		size_t replicas = p->replica_count * sizeof(int32_t);
		size_t isr = p->isr_count * sizeof(int32_t);

		if (!p->exists)
			continue;
		parts[to->partition_count] = (struct target_partition){
		    .number = n,
		    .leader = p->leader,
		    .leader_epoch = p->leader_epoch,
		    .replicas = (int32_t *)(void *)arena_memdup(a, p->replicas, replicas),
		    .isr = (int32_t *)(void *)arena_memdup(a, p->isr, isr),
		    .replica_count = p->replica_count,
		    .isr_count = p->isr_count,
		};
		if (parts[to->partition_count].replicas == NULL ||
		    parts[to->partition_count].isr == NULL)
			return err_nomem(err);
		to->partition_count++;
	}
	return 0;
}

/* Finds a topic, makes it if that is wanted; fills `to`, with its code. */
static int
named_topic(struct store_target *st, const char *name, struct metadata_call *c,
    struct target_topic *to)
{
	struct store_topic_spec spec = {.name = name, .partitions = -1};
	const struct image_topic *t = image_topic(store_image(st->store), name);
	struct err *err = &c->call.err;

	to->name = name;
	to->code = ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (t == NULL && !topic_name_ok(name)) {
		to->code = ERR_INVALID_TOPIC_EXCEPTION;
		return 0;
	}
	if (t == NULL && c->auto_create && st->options.auto_create_topics) {
		if (store_create_topic(st->store, &spec, err) == -1 &&
		    err->code != ERR_TOPIC_ALREADY_EXISTS)
			return -1; /* if somebody else was quicker, as good */
		t = image_topic(store_image(st->store), name);
	}
	if (t == NULL)
		return 0;
	to->code = 0;
	return describe_topic(st, c->arena, t, to, err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct target_topic *)a)->name, ((const struct target_topic *)b)->name);
}

static int
all_topics(struct store_target *st, struct metadata_call *c)
{
	const struct map *topics = &store_image(st->store)->topics;
	struct target_topic *list = arena_array(c->arena, topics->count + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(&c->call.err);
	for (struct map_entry *e = NULL; (e = map_next(topics, e)) != NULL;)
		if (describe_topic(st, c->arena, e->value, &list[c->topic_count++], &c->call.err) == -1)
			return -1;
	qsort(list, c->topic_count, sizeof(*list), by_name);
	c->topics = list;
	return 0;
}

static int
named_topics(struct store_target *st, struct metadata_call *c)
{
	struct target_topic *list = arena_array(c->arena, c->name_count + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(&c->call.err);
	for (size_t i = 0; i < c->name_count; i++)
		if (named_topic(st, c->names[i], c, &list[i]) == -1)
			return -1;
	c->topics = list;
	c->topic_count = c->name_count;
	return 0;
}

void
store_target_metadata(struct target *t, struct metadata_call *c)
{
	struct store_target *st = store_target_of(t);
	int ret = store_refresh(st->store, &c->call.err);

	c->topics = NULL;
	c->topic_count = 0;
	if (ret == 0)
		ret = c->names == NULL ? all_topics(st, c) : named_topics(st, c);
	store_target_finish(st, &c->call, ret);
}

static void
metadata_grew(struct os_watch *w)
{
	struct store_target *st = w->ctx;

	st->target.topics_changed = true;
}

void
store_target_watch_topics(struct target *t)
{
	struct store_target *st = store_target_of(t);

	if (st->watches_topics)
		return;
	st->topics = (struct os_watch){.changed = metadata_grew, .ctx = st};
	st->watches_topics = os_watch_start(t->os, &st->topics,
	                         store_partition_dir(st->store, "__cluster_metadata", 0)) == 0;
}

/* --- topics ---------------------------------------------------------------- */

static struct image_config *
configs_of(struct admin_call *c)
{
	struct image_config *list = calloc(c->config_count + 1, sizeof(*list));

	if (list == NULL) {
		err_nomem(&c->call.err);
		return NULL;
	}
	for (size_t i = 0; i < c->config_count; i++) {
		list[i].name = (char *)(uintptr_t)c->configs[i].name;
		list[i].value = (char *)(uintptr_t)c->configs[i].value;
	}
	return list;
}

static int
change_topic(struct store_target *st, struct admin_call *c)
{
	struct image_config *configs = configs_of(c);
	struct store_topic_spec spec = {.name = c->topic,
	    .partitions = c->count,
	    .configs = configs,
	    .config_count = c->config_count};

	int ret;

	if (configs == NULL)
		return -1;
	if (c->op == ADMIN_ALTER_CONFIGS)
		ret = store_alter_configs(st->store, c->topic, configs, c->config_count, &c->call.err);
	else if (c->replicas > 1)
		ret = err_set(&c->call.err, ERR_INVALID_REPLICATION_FACTOR,
		    "%d replicas wanted, but a store without a daemon is one node", c->replicas);
	else
		ret = store_create_topic(st->store, &spec, &c->call.err);
	free(configs);
	return ret;
}

static int
add_found(struct admin_call *c, struct admin_found_config *f, const char *value)
{
	f->value = arena_strdup(c->arena, value);
	return f->value != NULL ? 0 : err_nomem(&c->call.err);
}

/* Those of the table, then what the topic sets beyond it: the internal ones of
 * tests, those of a newer Kafka. */
static int
find_configs(struct store_target *st, struct admin_call *c)
{
	const struct image *im = store_image(st->store);
	const struct image_topic *t = image_topic(im, c->topic);
	struct admin_found_config *list;
	size_t count = 0, found;

	if (t == NULL)
		return err_set(&c->call.err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no topic %s",
		    c->topic);
	while (topic_configs[count].name != NULL)
		count++;
	list = arena_array(c->arena, count + t->configs.count + 1, sizeof(*list));
	if (list == NULL)
		return err_nomem(&c->call.err);
	for (size_t i = 0; i < count; i++) {
		const struct topic_config *tc = &topic_configs[i];
		const char *value;

		list[i] = (struct admin_found_config){.name = tc->name, .help = tc->help};
		value = topic_config_value(im, c->topic, tc->name, &list[i].source);
		if (add_found(c, &list[i], value) == -1)
			return -1;
	}
	found = count;
	for (const struct image_config *own = NULL;
	    (own = image_config_next(&t->configs, own)) != NULL;) {
		size_t k = 0;

		while (k < count && strcmp(topic_configs[k].name, own->name) != 0)
			k++;
		if (k < count)
			continue;
		list[found] = (struct admin_found_config){
		    .name = arena_strdup(c->arena, own->name),
		    .source = CONFIG_DYNAMIC_TOPIC,
		    .help = ""};
		if (list[found].name == NULL)
			return err_nomem(&c->call.err);
		if (add_found(c, &list[found++], own->value) == -1)
			return -1;
	}
	c->found_configs = list;
	c->found_config_count = found;
	return 0;
}

static int
clean(struct store_target *st, struct admin_call *c)
{
	struct store_cleaned done;

	if (store_clean(st->store, c->topic, c->partition, &done, &c->call.err) == -1)
		return -1;
	c->cleaned = (struct admin_cleaned){
	    .segments_deleted = done.segments_deleted,
	    .bytes_deleted = done.bytes_deleted,
	    .segments_compacted = done.segments_compacted,
	    .bytes_before = done.bytes_before,
	    .bytes_after = done.bytes_after,
	};
	return 0;
}

/* --- groups ---------------------------------------------------------------- */

struct name_list {
	struct arena *arena;
	const char **names;
	size_t count, cap;
};

static int
add_name(void *ctx, const char *name)
{
	struct name_list *l = ctx;

	if (l->count == l->cap) {
		size_t cap = l->cap * 2 + 16;
		const char **more = arena_array(l->arena, cap, sizeof(*more));

		if (more == NULL)
			return -1;
		if (l->count > 0)
			memcpy(more, l->names, l->count * sizeof(*more));
		l->names = more;
		l->cap = cap;
	}
	l->names[l->count] = arena_strdup(l->arena, name);
	return l->names[l->count++] == NULL ? -1 : 0;
}

static int
list_groups(struct store_target *st, struct admin_call *c)
{
	struct name_list l = {.arena = c->arena};
	int ret = group_list(st->store, add_name, &l, &c->damaged, &c->call.err);

	c->groups = l.names;
	c->group_count = l.count;
	return ret;
}

/* What member `index` of the group should hold, in the arena. */
static int
held_by(struct store_target *st, const struct group_members *all, size_t index,
    struct admin_member *m, struct admin_call *c)
{
	const struct group_member *from = &all->list[index];
	struct group_position *held;
	size_t most = 0;

	for (size_t i = 0; i < from->topic_count; i++) {
		const struct image_topic *t = image_topic(store_image(st->store), from->topics[i]);

		most += t != NULL ? (size_t)t->partition_count : 0;
	}
	held = arena_array(c->arena, most + 1, sizeof(*held));
	if (held == NULL)
		return err_nomem(&c->call.err);
	for (size_t i = 0; i < from->topic_count; i++) {
		const struct image_topic *t = image_topic(store_image(st->store), from->topics[i]);

		for (int32_t n = 0; t != NULL && n < t->partition_count; n++)
			if (assign_range(all, t->name, n, t->partition_count) == (int)index)
				held[m->held_count++] = (struct group_position){
				    .topic = arena_strdup(c->arena, t->name), .partition = n};
	}
	m->held = held;
	return 0;
}

static int
copy_members(struct store_target *st, const struct group_members *all, struct admin_call *c)
{
	struct admin_member *list = arena_array(c->arena, all->count + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(&c->call.err);
	for (size_t i = 0; i < all->count; i++) {
		const struct group_member *from = &all->list[i];
		const char **topics =
		    arena_array(c->arena, from->topic_count + 1, sizeof(*topics));

		if (topics == NULL)
			return err_nomem(&c->call.err);
		for (size_t k = 0; k < from->topic_count; k++)
			topics[k] = arena_strdup(c->arena, from->topics[k]);
		list[i] = (struct admin_member){
		    .id = arena_strdup(c->arena, from->id),
		    .client_id = arena_strdup(c->arena, from->client_id),
		    .host = "localhost",
		    .pid = from->pid,
		    .topics = topics,
		    .topic_count = from->topic_count,
		};
		if (list[i].id == NULL || list[i].client_id == NULL ||
		    held_by(st, all, i, &list[i], c) == -1)
			return err_nomem(&c->call.err);
	}
	c->members = list;
	c->member_count = all->count;
	return 0;
}

static int
describe_group(struct store_target *st, struct admin_call *c)
{
	struct group_members members = {.list = NULL};
	struct group_offsets offsets = {.list = NULL};
	int ret = group_members(st->store, c->group, &members, &c->call.err);

	if (ret == 0)
		ret = group_committed(st->store, c->group, &offsets, &c->call.err);
	if (ret == 0)
		ret = copy_members(st, &members, c);
	c->state = members.count > 0 ? "Stable" : offsets.count > 0 ? "Empty" : "Dead";
	group_members_release(&members);
	group_offsets_release(&offsets);
	return ret;
}

static int
delete_offsets(struct store_target *st, struct admin_call *c)
{
	struct group_offset *list = calloc(c->position_count + 1, sizeof(*list));

	int ret;

	if (list == NULL)
		return err_nomem(&c->call.err);
	for (size_t i = 0; i < c->position_count; i++) {
		list[i].topic = (char *)(uintptr_t)c->positions[i].topic;
		list[i].partition = c->positions[i].partition;
	}
	ret = group_delete_offsets(st->store, c->group, list, c->position_count, &c->call.err);
	free(list);
	return ret;
}

/* --- the switch ------------------------------------------------------------ */

static int
admin(struct store_target *st, struct admin_call *c)
{
	struct store *s = st->store;
	struct err *err = &c->call.err;

	switch (c->op) {
	case ADMIN_CREATE_TOPIC:
	case ADMIN_ALTER_CONFIGS:
		return change_topic(st, c);
	case ADMIN_DELETE_TOPIC:
		return store_delete_topic(s, c->topic, err);
	case ADMIN_ADD_PARTITIONS:
		return store_add_partitions(s, c->topic, c->count, err);
	case ADMIN_CONFIGS:
		return find_configs(st, c);
	case ADMIN_TRIM:
		return store_trim(s, c->topic, c->partition, c->offset, &c->offset, err);
	case ADMIN_CLEAN:
		return clean(st, c);
	case ADMIN_USAGE:
		return store_usage(s, c->topic, c->partition, &c->bytes, &c->segments, err);
	case ADMIN_LIST_GROUPS:
		return list_groups(st, c);
	case ADMIN_DESCRIBE_GROUP:
		return describe_group(st, c);
	case ADMIN_DELETE_GROUP:
		return group_delete(s, c->group, err);
	case ADMIN_DELETE_OFFSETS:
		return delete_offsets(st, c);
	}
	return err_set(err, ERR_INVALID_REQUEST, "unknown admin operation %d", (int)c->op);
}

void
store_target_admin(struct target *t, struct admin_call *c)
{
	struct store_target *st = store_target_of(t);
	int ret = store_refresh(st->store, &c->call.err);

	store_target_drop_spare(st);
	if (ret == 0)
		ret = admin(st, c);
	store_target_finish(st, &c->call, ret);
}
