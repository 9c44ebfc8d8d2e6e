/*
 * Loading a shard: a worker reads the partition's log from its start and makes the
 * groups; then the loop takes them over, and the members' sessions begin anew.
 *
 * A log that cannot be read whole is not taken for a shorter one, as offsets would go
 * back: its groups have no coordinator then, as in Kafka, and a note says where.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/groups/groups_impl.h"

/* Of records of open transactions. */
#define OPEN_BYTES_MAX ((size_t)64 << 20)

struct load {
	struct os_job job;
	struct shard *shard; /* NULL: forgotten */
	struct os *os;
	struct map all;
	struct group_replay replay;
	struct err err; /* code 0: done well */
	bool stop;      /* read by the worker: nobody wants it any more */
	char dir[];
};

/* --- on the worker ------------------------------------------------------------------ */

static bool
wants(void *ctx, struct slice key)
{
	struct slice group;
	int type = group_key_group(key, &group);

	(void)ctx;
	return type == LEGACY_OFFSET_COMMIT_KEY || type == OFFSET_COMMIT_KEY ||
	       type == GROUP_METADATA_KEY;
}

static int
take_record(void *ctx, int64_t at, struct slice key, const struct slice *value, struct err *err)
{
	struct load *l = ctx;

	if (__atomic_load_n(&l->stop, __ATOMIC_RELAXED))
		return err_set(err, ERR_CLOSED, "not wanted any more");
	if (replay_apply(&l->all, at, key, value, err) == 0)
		return 0;
	return err_prefix(err, "offset %lld", (long long)at);
}

static void
take_damage(void *ctx, int64_t last, const char *text)
{
	struct load *l = ctx;

	(void)last;
	if (l->err.code == 0)
		err_set(&l->err, ERR_CORRUPT, "%s", text);
}

static void
load_run(struct os_job *job)
{
	struct load *l = job->ctx;
	int64_t start, end;
	struct err err = {0};

	l->replay = (struct group_replay){.wants = wants,
	    .record = take_record,
	    .damaged = take_damage,
	    .ctx = l,
	    .bytes_max = OPEN_BYTES_MAX,
	    .dir = l->dir};
	l->replay.from = reader_open(l->os, l->dir, 0, &err);
	if (l->replay.from == NULL) {
		if (err.code != ERR_NOT_FOUND)
			l->err = err;
		return;
	}
	if (reader_bounds(l->replay.from, &start, &end, &err) == -1 ||
	    reader_seek(l->replay.from, start, &err) == -1 ||
	    group_replay_read(&l->replay, &err) == -1)
		l->err = err;
	reader_free(l->replay.from);
	l->replay.from = NULL;
}

/* --- on the loop ---------------------------------------------------------------------- */

static void
load_free(struct load *l)
{
	for (struct map_entry *e = NULL; (e = map_next(&l->all, e)) != NULL;)
		cgroup_free(NULL, e->value);
	map_release(&l->all);
	group_replay_release(&l->replay);
	free(l);
}

static void
begin_sessions(struct shard *s)
{
	size_t most = (size_t)s->groups->o.config->group_max_size;

	for (struct map_entry *e = NULL; (e = map_next(&s->all, e)) != NULL;) {
		struct cgroup *g = e->value;

		g->shard = s;
		for (struct map_entry *m = NULL; (m = cgroup_next(g, m)) != NULL;)
			cmember_touch(m->value, ((struct cmember *)m->value)->session_ms);
		if (cgroup_size(g) > most) /* the limit was lowered */
			cgroup_prepare(g);
		cgroup_rest(s->groups->os, g);
	}
}

static void
keep_open(struct shard *s, struct group_replay *r)
{
	if (r->count == 0)
		return;
	s->open = malloc(sizeof(*s->open));
	if (s->open == NULL)
		return;
	*s->open = *r;
	memset(r, 0, sizeof(*r));
}

static void
load_done(struct os_job *job)
{
	struct load *l = job->ctx;
	struct shard *s = l->shard;

	if (s == NULL) {
		load_free(l);
		return;
	}
	s->load = NULL;
	if (l->err.code != 0) {
		os_note(l->os, OS_ERROR, "groups of " GROUPS_TOPIC "-%d have no coordinator: %s",
		    s->partition, l->err.text);
		s->state = SHARD_AWAY;
		load_free(l);
		return;
	}
	map_release(&s->all);
	s->all = l->all;
	map_init(&l->all);
	keep_open(s, &l->replay);
	load_free(l);
	s->state = SHARD_ACTIVE;
	event_begin(s->groups);
	begin_sessions(s);
	event_end(s->groups);
}

void
load_forget(struct load *l)
{
	l->shard = NULL;
	__atomic_store_n(&l->stop, true, __ATOMIC_RELAXED);
}

void
shard_load(struct shard *s)
{
	const struct groups *gs = s->groups;
	size_t len = strlen(gs->o.config->dir) + sizeof("/" GROUPS_TOPIC "-2147483647");
	struct load *l = calloc(1, sizeof(*l) + len);

	if (l == NULL) {
		os_note(gs->os, OS_ERROR, "groups of " GROUPS_TOPIC "-%d have no coordinator: no memory",
		    s->partition);
		return;
	}
	snprintf(l->dir, len, "%s/" GROUPS_TOPIC "-%d", gs->o.config->dir, s->partition);
	l->shard = s;
	l->os = gs->os;
	map_init(&l->all);
	l->job = (struct os_job){.run = load_run, .done = load_done, .ctx = l};
	s->load = l;
	s->state = SHARD_LOADING;
	os_work(gs->os, gs->o.load_worker, &l->job);
}

/* --- open transactions ------------------------------------------------------------------- */

static bool
is_key_of(const struct group_held *h, struct wire_str group, struct wire_str topic,
    const int32_t *partition)
{
	struct cursor c = cursor_of(h->key, h->key_len);
	struct wire_str parts[2] = {group, topic};
	int type = cursor_i16(&c);

	if (type != OFFSET_COMMIT_KEY && type != LEGACY_OFFSET_COMMIT_KEY)
		return false;
	for (int i = 0; i < (partition != NULL ? 2 : 1); i++) {
		int16_t len = cursor_i16(&c);
		const uint8_t *data = cursor_bytes(&c, len > 0 ? (size_t)len : 0);

		if (c.failed || !str_equal(wire_str_of_mem((const char *)data, (size_t)len), parts[i]))
			return false;
	}
	return partition == NULL || (cursor_i32(&c) == *partition && !c.failed);
}

bool
shard_has_open(const struct shard *s, struct wire_str group, struct wire_str topic,
    int32_t partition)
{
	for (size_t i = 0; s->open != NULL && i < s->open->count; i++)
		if (s->open->held[i].value != NULL &&
		    is_key_of(&s->open->held[i], group, topic, &partition))
			return true;
	return false;
}

bool
shard_group_has_open(const struct shard *s, struct wire_str group)
{
	for (size_t i = 0; s->open != NULL && i < s->open->count; i++)
		if (is_key_of(&s->open->held[i], group, STR_NULL, NULL))
			return true;
	return false;
}
