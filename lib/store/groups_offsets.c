/* Committed offsets: records of __consumer_offsets, read and written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "store/groups_impl.h"

#define GROUP_NAME_MAX 32767
#define OFFSETS_PARTITIONS 50

/* Key types of the offsets topic. */
#define KEY_LEGACY_OFFSET 0
#define KEY_OFFSET 1

/* Small segments: whoever rolls one compacts, and a commit reads them all. */
#define OFFSETS_SEGMENT_BYTES "1048576"

/* What Kafka writes from 4.1 on. */
#define OFFSET_VALUE_VERSION 4

/* --- lists --------------------------------------------------------------------- */

void
group_offsets_release(struct group_offsets *o)
{
	for (size_t i = 0; i < o->count; i++) {
		free(o->list[i].topic);
		free(o->list[i].metadata);
	}
	free(o->list);
	memset(o, 0, sizeof(*o));
}

static int
compare(const struct group_offset *o, const char *topic, size_t len, int32_t partition)
{
	int order = strncmp(o->topic, topic, len);

	if (order == 0 && o->topic[len] != '\0')
		order = 1;
	return order != 0 ? order : (o->partition > partition) - (o->partition < partition);
}

static size_t
place(const struct group_offsets *o, const char *topic, size_t len, int32_t partition, bool *found)
{
	size_t low = 0, high = o->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(&o->list[middle], topic, len, partition);

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

int64_t
group_offsets_get(const struct group_offsets *o, const char *topic, int32_t partition)
{
	bool found;
	size_t at = place(o, topic, strlen(topic), partition, &found);

	return found ? o->list[at].offset : -1;
}

static void
offsets_del(struct group_offsets *o, struct wire_str topic, int32_t partition)
{
	bool found;
	size_t at = place(o, topic.data, (size_t)topic.len, partition, &found);

	if (!found)
		return;
	free(o->list[at].topic);
	free(o->list[at].metadata);
	memmove(&o->list[at], &o->list[at + 1], (--o->count - at) * sizeof(*o->list));
}

/* Takes over what `one` points to. */
static int
offsets_put(struct group_offsets *o, const struct group_offset *one)
{
	bool found;
	size_t at = place(o, one->topic, strlen(one->topic), one->partition, &found);

	if (found) {
		free(o->list[at].topic);
		free(o->list[at].metadata);
		o->list[at] = *one;
		return 0;
	}
	if (o->count == o->cap) {
		size_t cap = o->cap * 2 + 8;
		struct group_offset *grown = realloc(o->list, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		o->list = grown;
		o->cap = cap;
	}
	memmove(&o->list[at + 1], &o->list[at], (o->count++ - at) * sizeof(*o->list));
	o->list[at] = *one;
	return 0;
}

/* --- names, places ----------------------------------------------------------------- */

void
group_file_name(const char *group, char out[GROUP_FILE_MAX])
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t len = strlen(group), n = 0, most = 150;

	for (const char *p = group; *p != '\0' && n <= most; p++)
		n += strchr(plain, *p) != NULL ? 1 : 3;
	if (n > most)
		most = 120;
	n = 0;
	for (const char *p = group; *p != '\0'; p++) {
		size_t take = strchr(plain, *p) != NULL ? 1 : 3;

		if (n + take > most)
			break;
		if (take == 1)
			out[n] = *p;
		else
			snprintf(out + n, 4, "%%%02X", (unsigned char)*p);
		n += take;
	}
	out[n] = '\0';
	if (most == 120)
		snprintf(out + n, GROUP_FILE_MAX - n, "~%08x%08x%08x", crc32c(0, group, len),
		    (unsigned)murmur2(group, len), fnv1a(group, len));
}

int
group_check_name(const char *group, struct err *err)
{
	size_t len = strlen(group);

	if (len == 0 || len > GROUP_NAME_MAX || text_utf8_valid(group, len) != len)
		return err_set(err, ERR_INVALID_GROUP_ID,
		    "a group's name is UTF-8 of 1 to %d bytes, not '%.100s'", GROUP_NAME_MAX, group);
	return 0;
}

int32_t
group_home(struct store *s, const char *group)
{
	const struct image_topic *t = image_topic(&s->image, OFFSETS_TOPIC);

	return t == NULL || t->partition_count == 0 ? -1 : group_partition(group, t->partition_count);
}

int
offsets_topic_make(struct store *s, struct err *err)
{
	static char policy[] = "cleanup.policy", compact[] = "compact";
	static char type[] = "compression.type", producer[] = "producer";
	static char segment[] = "segment.bytes", bytes[] = OFFSETS_SEGMENT_BYTES;
	const struct image_config configs[] = {
	    {policy, compact}, {type, producer}, {segment, bytes}};
	struct store_topic_spec spec = {.name = OFFSETS_TOPIC,
	    .partitions = OFFSETS_PARTITIONS,
	    .configs = configs,
	    .config_count = 3};

	if (store_refresh(s, err) == -1)
		return -1;
	if (image_topic(&s->image, OFFSETS_TOPIC) != NULL)
		return 0;
	if (store_create_topic(s, &spec, err) == -1 && err->code != ERR_TOPIC_ALREADY_EXISTS)
		return -1;
	return 0;
}

int
partition_make_there(struct store *s, const char *topic, int32_t partition, struct err *err)
{
	struct store_partition *p;
	int ret = -1;

	if (store_lock(s, err) == -1)
		return -1;
	p = partition_find(s, topic, partition, err);
	if (p != NULL && partition_enter(s, p, err) == 0) {
		partition_leave(s, p);
		ret = 0;
	}
	store_unlock(s);
	partition_close_surplus(s);
	return ret;
}

/* --- reading ------------------------------------------------------------------------- */

struct committed {
	struct store *s;
	const char *group;
	struct group_offsets *out;
	struct arena arena;
};

/* An offset of a topic that was deleted and made again is none of this one's. */
static bool
is_of_old_topic(const struct committed *c, struct wire_str name, const struct uuid *id)
{
	const struct image_topic *t = map_get(&c->s->image.topics, name.data, (size_t)name.len);

	return t != NULL && !uuid_is_zero(id) && !uuid_equal(id, &t->id);
}

static int
take_value(struct committed *c, const struct wire_message *key, int type,
    const struct slice *value, struct err *err)
{
	/* Both keys are alike. */
	const struct offset_commit_key *k = key->data;
	struct group_offset one = {.partition = k->partition, .leader_epoch = -1};
	struct wire_str metadata;
	struct wire_message v;

	if (coordinator_value_decode(COORDINATOR_GROUP, type, *value, &c->arena, &v, err) == -1)
		return -1;
	if (type == KEY_OFFSET) {
		const struct offset_commit_value *o = v.data;

		if (is_of_old_topic(c, k->topic, &o->topic_id)) {
			offsets_del(c->out, k->topic, k->partition);
			return 0;
		}
		one.offset = o->offset;
		one.leader_epoch = o->leader_epoch;
		one.commit_time_ms = o->commit_timestamp;
		metadata = o->metadata;
	} else {
		const struct legacy_offset_commit_value *o = v.data;

		one.offset = o->offset;
		one.commit_time_ms = o->commit_timestamp;
		metadata = o->metadata;
	}
	one.topic = strndup(k->topic.data, (size_t)k->topic.len);
	one.metadata = strndup(metadata.len > 0 ? metadata.data : "",
	    metadata.len > 0 ? (size_t)metadata.len : 0);
	if (one.topic != NULL && one.metadata != NULL && offsets_put(c->out, &one) == 0)
		return 0;
	free(one.topic);
	free(one.metadata);
	return err_nomem(err);
}

static int
take_record(void *ctx, struct slice key, const struct slice *value, struct err *err)
{
	struct committed *c = ctx;
	struct wire_message k;
	struct slice group;
	int type = group_key_group(key, &group);

	if ((type != KEY_OFFSET && type != KEY_LEGACY_OFFSET) || group.len != strlen(c->group) ||
	    memcmp(group.data, c->group, group.len) != 0)
		return 0;
	arena_reset(&c->arena);
	if (coordinator_key_decode(COORDINATOR_GROUP, key, &c->arena, &k, err) == -1)
		return -1;
	if (value != NULL)
		return take_value(c, &k, type, value, err);
	offsets_del(c->out, ((const struct offset_commit_key *)k.data)->topic,
	    ((const struct offset_commit_key *)k.data)->partition);
	return 0;
}

int
group_committed(struct store *s, const char *group, struct group_offsets *out, struct err *err)
{
	struct committed c = {.s = s, .group = group, .out = out};
	struct group_replay replay = {.record = take_record, .ctx = &c};
	int32_t home;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (group_check_name(group, err) == -1 || store_refresh(s, err) == -1)
		return -1;
	home = group_home(s, group);
	if (home == -1)
		return 0;
	arena_init(&c.arena, 1 << 20);
	ret = group_replay_partition(s, home, &replay, err);
	arena_release(&c.arena);
	if (ret == -1)
		group_offsets_release(out);
	return ret;
}

/* --- writing --------------------------------------------------------------------------- */

static int
add_offset(struct store *s, struct batch_builder *bb, const char *group,
    const struct group_offset *o, bool tombstone, struct err *err)
{
	const struct image_topic *t = image_topic(&s->image, o->topic);
	struct offset_commit_key key;
	struct offset_commit_value value;

	wire_init(&wire_offset_commit_key, &key);
	key.group = wire_str_of(group);
	key.topic = wire_str_of(o->topic);
	key.partition = o->partition;
	wire_init(&wire_offset_commit_value, &value);
	value.offset = o->offset;
	value.leader_epoch = o->leader_epoch;
	value.metadata = wire_str_of(o->metadata != NULL ? o->metadata : "");
	value.commit_timestamp = o->commit_time_ms;
	if (t != NULL)
		value.topic_id = t->id;
	return records_add_group(bb, &wire_offset_commit_key, &key, &wire_offset_commit_value,
	    OFFSET_VALUE_VERSION, tombstone ? NULL : &value, os_wall_ms(s->os), err);
}

/* Appends what the builder holds to the group's partition, durably. Space for
 * this is kept: disk.min.free does not count here. */
static int
append_durably(struct store *s, const char *group, struct batch_builder *bb, struct err *err)
{
	int32_t home = group_home(s, group);
	struct store_partition *p;
	struct mlog_appended out;
	struct batch b;

	if (batch_builder_finish(bb, &b, err) == -1)
		return -1;
	if (store_append_reserved(s, OFFSETS_TOPIC, home, (uint8_t *)(uintptr_t)b.bytes,
	        (size_t)b.size, &out, err) == -1)
		return -1;
	p = partition_find(s, OFFSETS_TOPIC, home, err);
	return p == NULL ? -1 : partition_sync(s, p, err);
}

static int
write_offsets(struct store *s, const char *group, const struct group_offset *offsets, size_t count,
    bool tombstones, struct err *err)
{
	struct batch_builder bb;
	int ret = 0;

	batch_builder_init(&bb, CODEC_NONE, 0);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = add_offset(s, &bb, group, &offsets[i], tombstones, err);
	if (ret == 0)
		ret = append_durably(s, group, &bb, err);
	batch_builder_release(&bb);
	return ret;
}

int
group_commit(struct store *s, const char *group, const struct group_offset *offsets, size_t count,
    struct err *err)
{
	if (group_check_name(group, err) == -1)
		return -1;
	if (count == 0)
		return 0;
	if (offsets_topic_make(s, err) == -1)
		return -1;
	return write_offsets(s, group, offsets, count, false, err);
}

int
group_delete_offsets(struct store *s, const char *group, const struct group_offset *which,
    size_t count, struct err *err)
{
	struct group_offsets now;
	int ret;

	if (group_committed(s, group, &now, err) == -1)
		return -1;
	ret = now.count == 0 ? err_set(err, ERR_GROUP_ID_NOT_FOUND, "no group %s", group) : 0;
	group_offsets_release(&now);
	if (ret == -1 || count == 0)
		return ret;
	return write_offsets(s, group, which, count, true, err);
}

/* --- deleting --------------------------------------------------------------------------- */

/* All keys of one group that have a value, or all keys there are. */
struct keys {
	const char *group; /* NULL: of all */
	struct map live;   /* key bytes -> this */
};

static int
take_key(void *ctx, struct slice key, const struct slice *value, struct err *err)
{
	struct keys *k = ctx;
	struct slice group;

	if (group_key_group(key, &group) == -1 ||
	    (k->group != NULL && (group.len != strlen(k->group) ||
	                             memcmp(group.data, k->group, group.len) != 0)))
		return 0;
	if (value == NULL)
		map_del(&k->live, key.data, key.len);
	else if (map_put(&k->live, key.data, key.len, k, NULL) == -1)
		return err_nomem(err);
	return 0;
}

/* NON_EMPTY_GROUP while somebody consumes: a member, or a handler that a member
 * has left behind. */
static int
check_idle(struct store *s, const char *group, struct err *err)
{
	struct group_members members;
	struct group_offsets offsets;
	int held = 0;

	if (group_members(s, group, &members, err) == -1)
		return -1;
	held = members.count > 0;
	group_members_release(&members);
	if (held == 0 && group_committed(s, group, &offsets, err) == 0) {
		for (size_t i = 0; held == 0 && i < offsets.count; i++)
			held = claim_is_held(
			    s, group, offsets.list[i].topic, offsets.list[i].partition, err);
		group_offsets_release(&offsets);
	}
	if (held == 1)
		return err_set(err, ERR_NON_EMPTY_GROUP, "group %s has live members", group);
	return held;
}

static int
write_tombstones(struct store *s, const char *group, const struct keys *k, struct err *err)
{
	struct batch_builder bb;
	int ret = 0;

	batch_builder_init(&bb, CODEC_NONE, 0);
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&k->live, e)) != NULL;) {
		struct record r = {.timestamp = os_wall_ms(s->os),
		    .key = e->key,
		    .key_size = (int32_t)e->key_len,
		    .value_size = -1};

		ret = batch_builder_add(&bb, &r, err);
	}
	if (ret == 0)
		ret = append_durably(s, group, &bb, err);
	batch_builder_release(&bb);
	return ret;
}

int
group_delete(struct store *s, const char *group, struct err *err)
{
	struct keys k = {.group = group};
	struct group_replay replay = {.record = take_key, .ctx = &k};
	int32_t home;
	int ret;

	if (group_check_name(group, err) == -1 || check_idle(s, group, err) == -1)
		return -1;
	home = group_home(s, group);
	map_init(&k.live);
	ret = home == -1 ? 0 : group_replay_partition(s, home, &replay, err);
	if (ret == 0 && k.live.count == 0)
		ret = err_set(err, ERR_GROUP_ID_NOT_FOUND, "no group %s", group);
	if (ret == 0)
		ret = write_tombstones(s, group, &k, err);
	map_release(&k.live);
	return ret;
}

/* --- listing ------------------------------------------------------------------------------ */

static int
take_name(void *ctx, const char *group, struct err *err)
{
	struct map *names = ctx;

	return map_put(names, group, strlen(group), names, NULL) == -1 ? err_nomem(err) : 0;
}

static int
names_of(struct store *s, int32_t partition, struct map *names, struct err *err)
{
	struct keys k = {.group = NULL};
	struct group_replay replay = {.record = take_key, .ctx = &k};
	struct slice group;
	int ret;

	map_init(&k.live);
	ret = group_replay_partition(s, partition, &replay, err);
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&k.live, e)) != NULL;) {
		struct slice key = {e->key, e->key_len};

		if (group_key_group(key, &group) >= 0 &&
		    map_put(names, group.data, group.len, names, NULL) == -1)
			ret = err_nomem(err);
	}
	map_release(&k.live);
	return ret == 0 ? members_each_group(s, partition, take_name, names, err) : -1;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
tell_names(const struct map *names, int (*each)(void *ctx, const char *group), void *ctx,
    struct err *err)
{
	const char **sorted = calloc(names->count + 1, sizeof(*sorted));
	size_t count = 0;
	int ret = 0;

	if (sorted == NULL)
		return err_nomem(err);
	for (struct map_entry *e = NULL; (e = map_next(names, e)) != NULL;)
		sorted[count++] = (const char *)e->key;
	qsort(sorted, count, sizeof(*sorted), by_text);
	for (size_t i = 0; ret == 0 && i < count; i++)
		if (each(ctx, sorted[i]) != 0)
			ret = err_set(err, ERR_NOMEM, "the list of groups was stopped");
	free(sorted);
	return ret;
}

int
group_list(
    struct store *s, int (*each)(void *ctx, const char *group), void *ctx, struct err *err)
{
	const struct image_topic *t;
	struct map names;
	int32_t count;
	int ret = 0;

	if (store_refresh(s, err) == -1)
		return -1;
	t = image_topic(&s->image, OFFSETS_TOPIC);
	count = t != NULL ? t->partition_count : 0;
	map_init(&names);
	for (int32_t i = 0; ret == 0 && i < count; i++)
		ret = names_of(s, i, &names, err);
	if (ret == 0)
		ret = tell_names(&names, each, ctx, err);
	map_release(&names);
	return ret;
}
