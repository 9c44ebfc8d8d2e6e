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
	free(o->damage);
	memset(o, 0, sizeof(*o));
}

static int
compare(const void *a, const void *b)
{
	const struct group_offset *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

const struct group_offset *
group_offsets_find(const struct group_offsets *o, const char *topic, int32_t partition)
{
	struct group_offset one = {.topic = (char *)(uintptr_t)topic, .partition = partition};

	return o->count == 0
	           ? NULL
	           : bsearch(&one, o->list, o->count, sizeof(*o->list), compare);
}

int64_t
group_offsets_get(const struct group_offsets *o, const char *topic, int32_t partition)
{
	const struct group_offset *found = group_offsets_find(o, topic, partition);

	if (found == NULL)
		return o->partial ? GROUP_OFFSET_UNKNOWN : GROUP_OFFSET_NONE;
	return found->known ? found->offset : GROUP_OFFSET_UNKNOWN;
}

/* Takes over what `one` points to. */
static int
offsets_add(struct group_offsets *o, const struct group_offset *one)
{
	if (o->count == o->cap) {
		size_t cap = o->cap * 2 + 8;
		struct group_offset *grown = realloc(o->list, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		o->list = grown;
		o->cap = cap;
	}
	o->list[o->count++] = *one;
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
	p = store_partition_find(s, topic, partition, err);
	if (p != NULL && partition_enter(s, p, err) == 0) {
		partition_leave(s, p);
		ret = 0;
	}
	store_unlock(s);
	partition_close_surplus(s);
	return ret;
}

/* --- reading ------------------------------------------------------------------------- */

/* An offset of a topic that was deleted and made again is none of this one's. */
static bool
is_of_old_topic(const struct store *s, struct wire_str name, const struct uuid *id)
{
	const struct image_topic *t = map_get(&s->image.topics, name.data, (size_t)name.len);

	return t != NULL && !uuid_is_zero(id) && !uuid_equal(id, &t->id);
}

static char *
copy_str(struct wire_str text)
{
	return strndup(text.len > 0 ? text.data : "", text.len > 0 ? (size_t)text.len : 0);
}

struct reading {
	struct store *s;
	const struct kept *k;
	struct group_offsets *out;
	struct arena arena;
	struct buf key; /* whole, with a type */
};

/* What cannot be decoded is doubtful, as if it were damaged; the first is told. */
static int
doubt(struct reading *r, const struct kept_value *v, struct err *err)
{
	if (err->code == ERR_NOMEM)
		return -1;
	err_prefix(err, OFFSETS_TOPIC "-%d: offset %lld", r->k->partition, (long long)v->at);
	if (r->out->damage == NULL)
		r->out->damage = strdup(err->text);
	return r->out->damage == NULL ? err_nomem(err) : 0;
}

/* 1; 0: it is of a topic that is gone; -1. */
static int
read_value(struct reading *r, struct wire_str topic, const struct kept_value *v,
    struct group_offset *one, struct wire_str *metadata, struct err *err)
{
	struct slice value = {v->bytes, v->len};
	struct wire_message m;

	if (v->deleted) {
		one->offset = GROUP_OFFSET_NONE;
		one->commit_time_ms = -1;
		return 1;
	}
	if (coordinator_value_decode(COORDINATOR_GROUP, v->type, value, &r->arena, &m, err) == -1) {
		one->known = false;
		one->offset = GROUP_OFFSET_NONE;
		one->commit_time_ms = -1;
		return doubt(r, v, err) == -1 ? -1 : 1;
	}
	if (v->type == KEY_OFFSET) {
		const struct offset_commit_value *o = m.data;

		if (is_of_old_topic(r->s, topic, &o->topic_id))
			return 0;
		one->offset = o->offset;
		one->leader_epoch = o->leader_epoch;
		one->commit_time_ms = o->commit_timestamp;
		*metadata = o->metadata;
	} else {
		const struct legacy_offset_commit_value *o = m.data;

		one->offset = o->offset;
		one->commit_time_ms = o->commit_timestamp;
		*metadata = o->metadata;
	}
	return 1;
}

static int
read_one(struct reading *r, const struct map_entry *e, struct err *err)
{
	const struct kept_value *v = e->value;
	struct group_offset one = {.leader_epoch = -1, .known = v->at > r->k->damaged_to};
	const struct offset_commit_key *key; /* keys of both types are alike */
	struct wire_str metadata = {.len = 0};
	struct wire_message m;
	int got;

	buf_clear(&r->key);
	buf_i16(&r->key, KEY_OFFSET);
	buf_put(&r->key, e->key, e->key_len);
	if (r->key.failed)
		return err_nomem(err);
	arena_reset(&r->arena);
	if (coordinator_key_decode(COORDINATOR_GROUP, (struct slice){r->key.data, r->key.len},
	        &r->arena, &m, err) == -1) {
		r->out->partial = true;
		return doubt(r, v, err);
	}
	key = m.data;
	got = read_value(r, key->topic, v, &one, &metadata, err);
	if (got != 1)
		return got;
	one.partition = key->partition;
	one.topic = copy_str(key->topic);
	one.metadata = copy_str(metadata);
	if (one.topic != NULL && one.metadata != NULL && offsets_add(r->out, &one) == 0)
		return 0;
	free(one.topic);
	free(one.metadata);
	return err_nomem(err);
}

static int
read_group(struct reading *r, const char *group, struct err *err)
{
	const struct kept_group *g = kept_group(r->k, group);
	struct group_offsets *out = r->out;
	int ret = 0;

	out->partial = r->k->damaged_to >= 0;
	if (out->partial && (out->damage = strdup(r->k->damage)) == NULL)
		return err_nomem(err);
	for (struct map_entry *e = NULL;
	     ret == 0 && g != NULL && (e = map_next(&g->offsets, e)) != NULL;)
		ret = read_one(r, e, err);
	if (ret == 0 && out->count > 0)
		qsort(out->list, out->count, sizeof(*out->list), compare);
	return ret;
}

int
group_committed(struct store *s, const char *group, struct group_offsets *out, struct err *err)
{
	struct reading r = {.s = s, .out = out, .key = BUF_INIT};
	int32_t home;
	int ret;

	memset(out, 0, sizeof(*out));
	if (group_check_name(group, err) == -1 || store_refresh(s, err) == -1)
		return -1;
	home = group_home(s, group);
	if (home == -1)
		return 0;
	r.k = groups_kept(s, home, group, err);
	if (r.k == NULL)
		return -1;
	arena_init(&r.arena, 1 << 20);
	ret = read_group(&r, group, err);
	arena_release(&r.arena);
	buf_release(&r.key);
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
	if (!uuid_is_zero(&o->topic_id))
		value.topic_id = o->topic_id;
	else if (t != NULL)
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
	p = store_partition_find(s, OFFSETS_TOPIC, home, err);
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
	if (held == 0) {
		if (group_committed(s, group, &offsets, err) == -1)
			return -1;
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
add_tombstone(struct store *s, struct batch_builder *bb, const void *key, size_t len,
    struct err *err)
{
	struct record r = {.timestamp = os_wall_ms(s->os),
	    .key = key,
	    .key_size = (int32_t)len,
	    .value_size = -1};

	return batch_builder_add(bb, &r, err);
}

/* A tombstone for each of the group's keys; `count` of them. */
static int
add_tombstones(struct store *s, const struct kept_group *g, struct batch_builder *bb,
    size_t *count, struct err *err)
{
	struct buf key = BUF_INIT;
	int ret = 0;

	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&g->offsets, e)) != NULL;) {
		const struct kept_value *v = e->value;

		if (v->deleted)
			continue;
		buf_clear(&key);
		buf_i16(&key, v->type);
		buf_put(&key, e->key, e->key_len);
		ret = key.failed ? err_nomem(err) : add_tombstone(s, bb, key.data, key.len, err);
		++*count;
	}
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&g->others, e)) != NULL;) {
		ret = add_tombstone(s, bb, e->key, e->key_len, err);
		++*count;
	}
	buf_release(&key);
	return ret;
}

int
group_delete(struct store *s, const char *group, struct err *err)
{
	const struct kept_group *g = NULL;
	struct batch_builder bb;
	struct kept *k = NULL;
	size_t count = 0;
	int32_t home;
	int ret = 0;

	if (group_check_name(group, err) == -1 || check_idle(s, group, err) == -1)
		return -1;
	home = group_home(s, group);
	if (home != -1 && (k = groups_kept(s, home, group, err)) == NULL)
		return -1;
	if (k != NULL)
		g = kept_group(k, group);
	batch_builder_init(&bb, CODEC_NONE, 0);
	if (g != NULL)
		ret = add_tombstones(s, g, &bb, &count, err);
	if (ret == 0 && count == 0)
		ret = err_set(err, ERR_GROUP_ID_NOT_FOUND, "no group %s", group);
	if (ret == 0)
		ret = append_durably(s, group, &bb, err);
	batch_builder_release(&bb);
	return ret;
}

/* --- listing ------------------------------------------------------------------------------ */

static int
take_name(void *ctx, const char *group, struct err *err)
{
	struct map *names = ctx;

	return map_put(names, group, strlen(group), names, NULL) == -1 ? err_nomem(err) : 0;
}

static bool
has_live(const struct kept_group *g)
{
	for (struct map_entry *e = NULL; (e = map_next(&g->offsets, e)) != NULL;)
		if (!((struct kept_value *)e->value)->deleted)
			return true;
	return g->others.count > 0;
}

static int
names_of(struct store *s, int32_t partition, struct map *names, bool *damaged, struct err *err)
{
	struct kept *k = groups_kept(s, partition, NULL, err);

	if (k == NULL)
		return -1;
	kept_tell_damage(s, k);
	*damaged = *damaged || k->damaged_to >= 0;
	for (struct map_entry *e = NULL; (e = map_next(&k->groups, e)) != NULL;)
		if (has_live(e->value) && map_put(names, e->key, e->key_len, names, NULL) == -1)
			return err_nomem(err);
	return members_each_group(s, partition, take_name, names, err);
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
group_list(struct store *s, int (*each)(void *ctx, const char *group), void *ctx, bool *damaged,
    struct err *err)
{
	const struct image_topic *t;
	struct map names;
	int32_t count;
	int ret = 0;

	*damaged = false;
	if (store_refresh(s, err) == -1)
		return -1;
	t = image_topic(&s->image, OFFSETS_TOPIC);
	count = t != NULL ? t->partition_count : 0;
	map_init(&names);
	for (int32_t i = 0; ret == 0 && i < count; i++)
		ret = names_of(s, i, &names, damaged, err);
	if (ret == 0)
		ret = tell_names(&names, each, ctx, err);
	map_release(&names);
	return ret;
}
