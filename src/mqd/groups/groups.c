/* The coordinator: its shards, and what is on its way into their logs. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mqd/groups/groups_impl.h"

/* --- life ----------------------------------------------------------------------- */

struct groups *
groups_new(const struct groups_options *o)
{
	struct groups *gs = calloc(1, sizeof(*gs));

	if (gs == NULL)
		return NULL;
	gs->o = *o;
	gs->os = o->os;
	gs->later_tail = &gs->later;
	expire_start(gs);
	return gs;
}

static void
shard_free(struct shard *s)
{
	struct barrier *b;
	struct write *w;

	while ((w = s->writes) != NULL) {
		s->writes = w->next;
		if (w->release != NULL)
			w->release(w);
		write_free(w);
	}
	while ((b = s->barriers) != NULL) {
		s->barriers = b->next;
		if (b->call == NULL)
			str_release(&b->name);
		free(b);
	}
	if (s->load != NULL)
		load_forget(s->load);
	shard_release(s);
	free(s);
}

void
groups_free(struct groups *gs)
{
	struct write *w;

	os_timer_stop(gs->os, &gs->expire_timer);
	for (int32_t i = 0; i < gs->count; i++)
		if (gs->shards[i] != NULL)
			shard_free(gs->shards[i]);
	while ((w = gs->gone) != NULL) {
		gs->gone = w->next;
		write_free(w);
	}
	free(gs->shards);
	free(gs);
}

/* --- one thing after another --------------------------------------------------------- */

void
event_begin(struct groups *gs)
{
	assert(!gs->busy);
	gs->busy = true;
}

void
event_end(struct groups *gs)
{
	struct groups_call *c;

	while ((c = gs->later) != NULL) {
		gs->later = c->next;
		if (gs->later == NULL)
			gs->later_tail = &gs->later;
		c->begin(gs, c);
	}
	gs->busy = false;
}

void
call_begin(struct groups *gs, struct groups_call *c,
    void (*begin)(struct groups *gs, struct groups_call *c))
{
	c->begin = begin;
	c->waits = NULL;
	c->next = NULL;
	if (gs->busy) {
		*gs->later_tail = c;
		gs->later_tail = &c->next;
		return;
	}
	event_begin(gs);
	begin(gs, c);
	event_end(gs);
}

/* Frees the groups of a shard. */
void
shard_release(struct shard *s)
{
	for (struct map_entry *e = NULL; (e = map_next(&s->all, e)) != NULL;)
		cgroup_free(s->groups->os, e->value);
	map_release(&s->all);
	map_init(&s->all);
	if (s->open != NULL) {
		group_replay_release(s->open);
		free(s->open);
		s->open = NULL;
	}
}

static struct shard *
shard_new(struct groups *gs, int32_t partition)
{
	struct shard *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->groups = gs;
	s->partition = partition;
	map_init(&s->all);
	s->writes_tail = &s->writes;
	s->barriers_tail = &s->barriers;
	return s;
}

int
groups_set_partitions(struct groups *gs, int32_t count)
{
	struct shard **grown;

	for (int32_t i = count; i < gs->count; i++)
		groups_resigned(gs, i);
	gs->topic_count = count;
	if (count <= gs->count)
		return 0;
	grown = realloc(gs->shards, (size_t)count * sizeof(struct shard *));
	if (grown == NULL)
		return -1;
	gs->shards = grown;
	for (; gs->count < count; gs->count++) {
		grown[gs->count] = shard_new(gs, gs->count);
		if (grown[gs->count] == NULL)
			return -1;
	}
	return 0;
}

int32_t
groups_partition(const struct groups *gs, struct wire_str group)
{
	int32_t count = gs->topic_count > 0 ? gs->topic_count : gs->o.config->offsets_partitions;
	int32_t h = java_hash(group.len > 0 ? group.data : "", group.len > 0 ? (size_t)group.len : 0);

	return h == INT32_MIN ? 0 : (h < 0 ? -h : h) % count;
}

struct shard *
shard_of(const struct groups *gs, struct wire_str group, int *code)
{
	int32_t i = groups_partition(gs, group);
	struct shard *s = gs->topic_count > 0 && i < gs->count ? gs->shards[i] : NULL;

	*code = ERR_NOT_COORDINATOR;
	if (s != NULL && s->state == SHARD_LOADING)
		*code = ERR_COORDINATOR_LOAD_IN_PROGRESS;
	return s != NULL && s->state == SHARD_ACTIVE ? s : NULL;
}

/* --- groups of a shard ------------------------------------------------------------ */

struct cgroup *
shard_group(const struct shard *s, struct wire_str id)
{
	return map_get(&s->all, id.len > 0 ? id.data : "", id.len > 0 ? (size_t)id.len : 0);
}

struct cgroup *
shard_make_group(struct shard *s, struct wire_str id)
{
	struct cgroup *g = cgroup_new(id, os_wall_ms(s->groups->os));

	if (g == NULL)
		return NULL;
	if (map_put(&s->all, g->id.data, (size_t)g->id.len, g, NULL) == -1) {
		cgroup_free(NULL, g);
		return NULL;
	}
	g->shard = s;
	return g;
}

void
shard_remove_group(struct shard *s, struct cgroup *g)
{
	assert(g->writes == 0);
	map_del(&s->all, g->id.data, (size_t)g->id.len);
	cgroup_free(s->groups->os, g);
}

/* --- writes ------------------------------------------------------------------------ */

int
groups_append_error(int code)
{
	switch (code) {
	case ERR_UNKNOWN_TOPIC_OR_PARTITION:
	case ERR_NOT_ENOUGH_REPLICAS:
	case ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case ERR_REQUEST_TIMED_OUT:
		return ERR_COORDINATOR_NOT_AVAILABLE;
	case ERR_NOT_LEADER_OR_FOLLOWER:
	case ERR_KAFKA_STORAGE_ERROR:
		return ERR_NOT_COORDINATOR;
	default:
		/* Also what no client would know what to do about: a record too large,
		 * and all of our own. */
		return code > 0 && err_is_retriable(code) ? code : ERR_UNKNOWN_SERVER_ERROR;
	}
}

void
groups_code(struct groups_call *c, int code)
{
	int16_t out = (int16_t)code;

	c->done(c, &out);
}

struct write *
write_new(struct shard *s, struct cgroup *g, void (*done)(struct write *w, int code),
    struct groups_call *c)
{
	struct write *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->groups = s->groups;
	w->shard = s;
	w->group = g;
	w->done = done;
	w->call = c;
	w->commit_ms = os_wall_ms(s->groups->os);
	w->expire_ms = -1;
	batch_builder_init(&w->records, CODEC_NONE, 0);
	w->records.head.base_sequence = 0; /* as Kafka's coordinators write it */
	return w;
}

void
write_free(struct write *w)
{
	batch_builder_release(&w->records);
	free(w->append.own);
	free(w);
}

static void
run_barriers(struct shard *s)
{
	struct barrier *b;

	while ((b = s->barriers) != NULL &&
	       (s->writes == NULL || s->writes->number > b->until)) {
		s->barriers = b->next;
		if (s->barriers == NULL)
			s->barriers_tail = &s->barriers;
		b->run(b, 0);
		free(b);
	}
}

static void
write_drop(struct write **list, struct write ***tail, struct write *w)
{
	while (*list != w)
		list = &(*list)->next;
	*list = w->next;
	if (tail != NULL && *list == NULL)
		*tail = list;
}

static void
finish(struct write *w)
{
	struct shard *s = w->shard;

	if (s == NULL) { /* resigned: all was told */
		write_drop(&w->groups->gone, NULL, w);
		write_free(w);
		return;
	}
	write_drop(&s->writes, &s->writes_tail, w);
	if (w->group != NULL)
		w->group->writes--;
	w->done(w, w->append.code == 0 ? 0 : groups_append_error(w->append.code));
	write_free(w);
	run_barriers(s);
}

static void
appended(struct groups_append *a)
{
	struct write *w = (struct write *)(void *)((char *)a - offsetof(struct write, append));
	struct groups *gs = w->groups;

	event_begin(gs);
	finish(w);
	event_end(gs);
}

int
write_start(struct write *w)
{
	struct shard *s = w->shard;
	struct batch b;
	struct err err;

	if (w->failed || w->count == 0 || batch_builder_finish(&w->records, &b, &err) == -1) {
		write_free(w);
		return -1;
	}
	w->append.partition = s->partition;
	w->append.bytes = (uint8_t *)(uintptr_t)b.bytes;
	w->append.len = (size_t)b.size;
	w->append.done = appended;
	if (w->group != NULL)
		w->group->writes++;
	*s->writes_tail = w;
	s->writes_tail = &w->next;
	w->number = ++s->given;
	s->groups->o.append(s->groups->o.ctx, &w->append);
	return 0;
}

int
barrier_wait(struct shard *s, void (*run)(struct barrier *b, int code), struct groups_call *c,
    struct wire_str name, const struct uuid *id)
{
	struct barrier now = {
	    .run = run, .groups = s->groups, .shard = s, .call = c, .name = name, .id = *id};
	struct barrier *b;

	if (s->writes == NULL) {
		run(&now, 0);
		return 0;
	}
	b = malloc(sizeof(*b));
	if (b == NULL)
		return -1;
	*b = now;
	b->until = s->given;
	*s->barriers_tail = b;
	s->barriers_tail = &b->next;
	return 0;
}

/* --- leading a shard, and no more ------------------------------------------------------ */

void
groups_elected(struct groups *gs, int32_t partition)
{
	struct shard *s = partition < gs->count ? gs->shards[partition] : NULL;

	if (s != NULL && s->state == SHARD_AWAY)
		shard_load(s);
}

static void
fail_writes(struct shard *s)
{
	struct write *w;

	while ((w = s->writes) != NULL) {
		s->writes = w->next;
		w->shard = NULL;
		w->group = NULL;
		w->next = s->groups->gone;
		s->groups->gone = w;
		w->done(w, ERR_NOT_COORDINATOR);
	}
	s->writes_tail = &s->writes;
}

static void
tell_waiting(struct cgroup *g)
{
	for (struct map_entry *e = NULL; (e = cgroup_next(g, e)) != NULL;) {
		struct cmember *m = e->value;

		cmember_join_error(m, m->id, ERR_NOT_COORDINATOR);
		cmember_sync_done(m, ERR_NOT_COORDINATOR);
	}
}

void
groups_stop(struct groups *gs)
{
	event_begin(gs);
	for (int32_t i = 0; i < gs->count; i++)
		for (struct map_entry *e = NULL;
		     (e = map_next(&gs->shards[i]->all, e)) != NULL;)
			tell_waiting(e->value);
	event_end(gs);
}

static void
resign(struct shard *s)
{
	struct barrier *b;

	if (s->load != NULL)
		load_forget(s->load);
	s->load = NULL;
	s->state = SHARD_AWAY;
	fail_writes(s);
	while ((b = s->barriers) != NULL) {
		s->barriers = b->next;
		b->run(b, ERR_NOT_COORDINATOR);
		free(b);
	}
	s->barriers_tail = &s->barriers;
	for (struct map_entry *e = NULL; (e = map_next(&s->all, e)) != NULL;) {
		tell_waiting(e->value);
		cgroup_move(e->value, CGROUP_DEAD, os_wall_ms(s->groups->os));
	}
	shard_release(s);
}

void
groups_resigned(struct groups *gs, int32_t partition)
{
	struct shard *s = partition < gs->count ? gs->shards[partition] : NULL;

	if (s == NULL || s->state == SHARD_AWAY)
		return;
	event_begin(gs);
	resign(s);
	event_end(gs);
}
