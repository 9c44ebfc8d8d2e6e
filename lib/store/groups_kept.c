/* What the offsets topic says, kept from one question to the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/groups_impl.h"

/* What an entry of a map takes beside its key. */
#define ENTRY_BYTES 64

/* --- letting go ----------------------------------------------------------------- */

static void
group_free(struct kept_group *g)
{
	for (struct map_entry *e = NULL; (e = map_next(&g->offsets, e)) != NULL;)
		free(e->value);
	map_release(&g->offsets);
	map_release(&g->others);
	free(g);
}

static void
kept_free(struct kept *k)
{
	for (struct map_entry *e = NULL; (e = map_next(&k->groups, e)) != NULL;)
		group_free(e->value);
	map_release(&k->groups);
	group_replay_release(&k->replay);
	free(k->only);
	free(k);
}

static void
forget(struct store *s, struct kept *k)
{
	map_del(&s->groups_kept, &k->partition, sizeof(k->partition));
	s->groups_kept_bytes -= k->bytes;
	kept_free(k);
}

void
groups_forget(struct store *s)
{
	for (struct map_entry *e = NULL; (e = map_next(&s->groups_kept, e)) != NULL;)
		forget(s, e->value);
}

/* --- records -------------------------------------------------------------------- */

static bool
wants(void *ctx, struct slice key)
{
	const struct kept *k = ctx;
	struct slice group;

	if (group_key_group(key, &group) == -1)
		return false;
	return k->only == NULL ||
	       (strlen(k->only) == group.len && memcmp(k->only, group.data, group.len) == 0);
}

static int
grow(struct kept *k, size_t bytes, struct err *err)
{
	k->bytes += bytes;
	if (k->bytes + k->replay.bytes <= GROUPS_KEPT_MAX)
		return 0;
	return err_set(err, ERR_TOO_LARGE,
	    OFFSETS_TOPIC "-%d: committed offsets take more than %zu MiB", k->partition,
	    GROUPS_KEPT_MAX >> 20);
}

static struct kept_group *
group_make(struct kept *k, struct slice name, struct err *err)
{
	struct kept_group *g = map_get(&k->groups, name.data, name.len);

	if (g != NULL)
		return g;
	g = calloc(1, sizeof(*g));
	if (g == NULL || map_put(&k->groups, name.data, name.len, g, NULL) == -1) {
		free(g);
		err_nomem(err);
		return NULL;
	}
	map_init(&g->offsets);
	map_init(&g->others);
	return grow(k, sizeof(*g) + ENTRY_BYTES + name.len, err) == 0 ? g : NULL;
}

/* A key of which only matters that it is there. */
static int
take_other(struct kept *k, struct kept_group *g, struct slice key, bool deleted, struct err *err)
{
	if (deleted) {
		if (map_del(&g->others, key.data, key.len) != NULL)
			k->bytes -= ENTRY_BYTES + key.len;
		return 0;
	}
	if (map_get(&g->others, key.data, key.len) != NULL)
		return 0;
	if (map_put(&g->others, key.data, key.len, g, NULL) == -1)
		return err_nomem(err);
	return grow(k, ENTRY_BYTES + key.len, err);
}

/* The value of a key, with room for `len` bytes. */
static struct kept_value *
value_make(struct kept *k, struct kept_group *g, struct slice key, size_t len, struct err *err)
{
	struct kept_value *v = map_get(&g->offsets, key.data, key.len), *new;
	size_t cap = (len + 31) / 32 * 32;
	void *old = NULL;

	if (v != NULL && v->cap >= len)
		return v;
	new = malloc(sizeof(*new) + cap);
	if (new == NULL || map_put(&g->offsets, key.data, key.len, new, &old) == -1) {
		free(new);
		err_nomem(err);
		return NULL;
	}
	*new = (struct kept_value){.cap = (uint32_t)cap};
	if (v != NULL)
		k->bytes -= sizeof(*v) + v->cap;
	else
		k->bytes += ENTRY_BYTES + key.len;
	free(old);
	return grow(k, sizeof(*new) + cap, err) == 0 ? new : NULL;
}

static int
take_offset(struct kept *k, struct kept_group *g, int64_t at, struct slice key,
    const struct slice *value, int type, struct err *err)
{
	struct kept_value *v = map_get(&g->offsets, key.data, key.len);
	size_t len = value != NULL ? value->len : 0;

	if (v != NULL && v->at > at)
		return 0;
	if (value == NULL && k->damaged_to == -1) {
		if (v != NULL) {
			k->bytes -= sizeof(*v) + v->cap + ENTRY_BYTES + key.len;
			map_del(&g->offsets, key.data, key.len);
			free(v);
		}
		return 0;
	}
	v = value_make(k, g, key, len, err);
	if (v == NULL)
		return -1;
	v->at = at;
	v->type = (int16_t)type;
	v->deleted = value == NULL;
	v->len = (uint32_t)len;
	if (len > 0)
		memcpy(v->bytes, value->data, len);
	return 0;
}

/* An offset's key less its type. What lies behind a key is no part of it, as in
 * Kafka: else a partition would be listed twice. */
static struct slice
offset_key(struct slice key)
{
	struct slice rest = {key.data + 2, key.len - 2};
	struct cursor c = cursor_of(rest.data, rest.len);

	for (int i = 0; i < 2; i++) {
		int16_t len = cursor_i16(&c);

		cursor_bytes(&c, len > 0 ? (size_t)len : 0);
	}
	cursor_i32(&c);
	if (!c.failed)
		rest.len -= cursor_left(&c);
	return rest;
}

static int
take_record(void *ctx, int64_t at, struct slice key, const struct slice *value, struct err *err)
{
	struct kept *k = ctx;
	struct slice name;
	int type = group_key_group(key, &name);
	struct kept_group *g = group_make(k, name, err);

	if (g == NULL)
		return -1;
	if (type == KEY_OFFSET || type == KEY_LEGACY_OFFSET)
		return take_offset(k, g, at, offset_key(key), value, type, err);
	return take_other(k, g, key, value == NULL, err);
}

static void
take_damage(void *ctx, int64_t last, const char *text)
{
	struct kept *k = ctx;

	if (last <= k->damaged_to)
		return;
	k->damaged_to = last;
	k->told = false;
	snprintf(k->damage, sizeof(k->damage), "%s", text);
}

void
kept_tell_damage(struct store *s, struct kept *k)
{
	if (k->damaged_to == -1 || k->told)
		return;
	k->told = true;
	os_note(s->os, OS_WARN, "committed offsets: %s", k->damage);
}

/* --- keeping -------------------------------------------------------------------- */

static struct kept *
kept_new(struct store *s, int32_t partition, const char *only, struct err *err)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		err_nomem(err);
		return NULL;
	}
	k->partition = partition;
	k->topic_id = image_topic(&s->image, OFFSETS_TOPIC)->id;
	k->damaged_to = -1;
	k->replay = (struct group_replay){
	    .wants = wants,
	    .record = take_record,
	    .damaged = take_damage,
	    .ctx = k,
	    .bytes_max = GROUPS_KEPT_MAX};
	map_init(&k->groups);
	if (only != NULL)
		k->only = strdup(only);
	if ((only != NULL && k->only == NULL) ||
	    map_put(&s->groups_kept, &partition, sizeof(partition), k, NULL) == -1) {
		kept_free(k);
		err_nomem(err);
		return NULL;
	}
	return k;
}

/* Reads on; -1: it is gone. */
static int
kept_read(struct store *s, struct kept *k, struct err *err)
{
	size_t before = k->bytes;
	int ret = group_replay_on(&k->replay, s, k->partition, err);

	s->groups_kept_bytes += k->bytes - before;
	if (ret == -1)
		forget(s, k);
	return ret;
}

/* What was kept, if it is of this topic and says enough. Of a second group that is
 * asked for all are read: then somebody asks for many. */
static struct kept *
find(struct store *s, int32_t partition, const char *group, bool *all)
{
	struct kept *k = map_get(&s->groups_kept, &partition, sizeof(partition));
	const struct image_topic *t = image_topic(&s->image, OFFSETS_TOPIC);

	*all = group == NULL || (k != NULL && k->only == NULL);
	if (k == NULL)
		return NULL;
	if (uuid_equal(&k->topic_id, &t->id) &&
	    (k->only == NULL || (group != NULL && strcmp(k->only, group) == 0)))
		return k;
	*all = true;
	forget(s, k);
	return NULL;
}

static void
forget_others(struct store *s, const struct kept *k)
{
	for (struct map_entry *e = NULL;
	     s->groups_kept_bytes > GROUPS_KEPT_MAX && (e = map_next(&s->groups_kept, e)) != NULL;)
		if (e->value != k)
			forget(s, e->value);
}

static struct kept *
read_anew(struct store *s, int32_t partition, const char *only, struct err *err)
{
	struct kept *k = kept_new(s, partition, only, err);

	return k != NULL && kept_read(s, k, err) == -1 ? NULL : k;
}

struct kept *
groups_kept(struct store *s, int32_t partition, const char *group, struct err *err)
{
	bool all;
	struct kept *k = find(s, partition, group, &all);

	if (k != NULL && kept_read(s, k, err) == -1) {
		if (err->code != ERR_AGAIN && err->code != ERR_TOO_LARGE)
			return NULL;
		k = NULL;
	}
	if (k == NULL)
		k = read_anew(s, partition, all ? NULL : group, err);
	if (k == NULL && all && group != NULL && err->code == ERR_TOO_LARGE)
		k = read_anew(s, partition, group, err);
	if (k != NULL)
		forget_others(s, k);
	return k;
}

const struct kept_group *
kept_group(const struct kept *k, const char *group)
{
	return map_get(&k->groups, group, strlen(group));
}
