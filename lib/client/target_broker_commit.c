/* What groups have committed, kept by their coordinators. */
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_impl.h"

struct offsets_of {
	struct op op;
	struct ask ask;
	struct commit_call *commit;
	struct committed_call *committed;
	const struct cluster_topic **topics; /* of a commit's positions */
	size_t *sent;			     /* the positions that are committed */
	size_t sent_count;
};

static void
release(struct op *op)
{
	struct offsets_of *o = (struct offsets_of *)op;

	cluster_cancel(&o->ask);
	free(o->topics);
	free(o->sent);
	free(o);
}

static void
done(struct ask *a)
{
	op_finish(a->ctx, &a->err);
}

/* --- commit -------------------------------------------------------------------- */

static int
commit_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct offsets_of *o = a->ctx;
	struct commit_call *c = o->commit;
	struct offset_commit_request *r = msg;
	struct offset_commit_request_partition *parts =
	    arena_array(&a->arena, o->sent_count + 1, sizeof(*parts));
	struct offset_commit_request_topic *t = NULL;
	const char *topic = NULL;

	(void)version;
	r->topics.items = arena_array(&a->arena, o->sent_count + 1, sizeof(r->topics.items[0]));
	if (parts == NULL || r->topics.items == NULL)
		return err_nomem(err);
	r->group_id = wire_str_of(c->group);
	if (c->member != NULL) {
		r->generation_id_or_member_epoch = member_generation(c->member);
		r->member_id = wire_str_of(member_id(c->member));
	}
	for (size_t i = 0; i < o->sent_count; i++) {
		const struct group_position *p = &c->positions[o->sent[i]];

		parts[i] = (struct offset_commit_request_partition){.partition_index = p->partition,
		    .committed_offset = p->offset,
		    .committed_leader_epoch = p->leader_epoch,
		    .committed_metadata = wire_str_of(p->metadata != NULL ? p->metadata : "")};
		if (topic == NULL || strcmp(topic, p->topic) != 0) {
			topic = p->topic;
			t = &r->topics.items[r->topics.count++];
			*t = (struct offset_commit_request_topic){
			    .name = wire_str_of(topic), .partitions = {&parts[i], 0}};
		}
		t->partitions.count++;
	}
	return 0;
}

/* A member's commit that the group does not want: while others join it waits for the next
 * generation; of one that was put out it is dropped, as its partitions are others' now. One
 * that has not joined here yet has them still, and is told. */
static int
commit_code(struct ask *a, int code, struct wire_str topic, int32_t partition, struct err *err)
{
	struct offsets_of *o = a->ctx;
	struct target_member *m = o->commit->member;

	if (m != NULL && (code == ERR_UNKNOWN_MEMBER_ID || code == ERR_ILLEGAL_GENERATION)) {
		if (member_is_resumed(m)) {
			member_unknown(m, code);
			return err_set(err, code, "group %s", a->group);
		}
		if (member_generation(m) >= 0)
			member_lost(m, err_name(code));
		return 0;
	}
	if (m != NULL && code == ERR_REBALANCE_IN_PROGRESS)
		a->again = true;
	return broker_err(err, code, wire_str_null(), "group %s: committing %.*s-%d", a->group,
	    topic.len, topic.data, partition);
}

/* By what is known now: deleted, or another by the same name. */
static bool
is_gone(const struct group_position *p, const struct cluster_topic *t)
{
	if (uuid_is_zero(&p->topic_id) || !t->is_known)
		return false;
	return t->code == ERR_UNKNOWN_TOPIC_OR_PARTITION ||
	       (t->code == 0 && !uuid_is_zero(&t->id) && !uuid_equal(&t->id, &p->topic_id));
}

static bool
topic_is_gone(const struct offsets_of *o, struct wire_str topic)
{
	for (size_t i = 0; i < o->sent_count; i++) {
		const struct group_position *p = &o->commit->positions[o->sent[i]];

		if (wire_str_is(topic, p->topic))
			return is_gone(p, o->topics[o->sent[i]]);
	}
	return false;
}

static int
commit_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct offset_commit_response *r = msg;

	(void)version;
	for (int32_t i = 0; i < r->topics.count; i++)
		for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++) {
			const struct offset_commit_response_topic *t = &r->topics.items[i];
			const struct offset_commit_response_partition *p = &t->partitions.items[k];

			/* Deleted meanwhile: asked again until that is known, not for ever. */
			if (p->error_code == ERR_UNKNOWN_TOPIC_OR_PARTITION &&
			    topic_is_gone(a->ctx, t->name))
				continue;
			if (p->error_code != 0)
				return commit_code(
				    a, p->error_code, t->name, p->partition_index, err);
		}
	return 0;
}

/* The positions of topics that are still those they are meant for. */
static void
commit_start(struct offsets_of *o)
{
	struct commit_call *c = o->commit;
	struct err err = {.code = 0};

	for (size_t i = 0; i < c->position_count; i++) {
		if (!is_gone(&c->positions[i], o->topics[i]))
			o->sent[o->sent_count++] = i;
	}
	if (c->member != NULL && member_generation(c->member) < 0 && member_is_resumed(c->member))
		err_set(&err, ERR_UNKNOWN_MEMBER_ID, "group %s", c->group);
	if (o->sent_count == 0 || (c->member != NULL && member_generation(c->member) < 0))
		op_finish(&o->op, &err);
	else
		cluster_ask(o->op.bt->cluster, &o->ask);
}

void
broker_commit(struct target *t, struct commit_call *c)
{
	struct broker_target *bt = broker_target_of(t);
	struct offsets_of *o = op_new(bt, &c->call, sizeof(*o), release);
	struct err err;
	bool ok = true;

	if (o == NULL)
		return;
	o->commit = c;
	o->topics = calloc(c->position_count + 1, sizeof(o->topics[0]));
	o->sent = calloc(c->position_count + 1, sizeof(o->sent[0]));
	for (size_t i = 0; i < c->position_count && ok && o->topics != NULL; i++) {
		o->topics[i] = cluster_topic(bt->cluster, c->positions[i].topic);
		ok = o->topics[i] != NULL;
	}
	if (!ok || o->topics == NULL || o->sent == NULL) {
		err_nomem(&err);
		op_finish(&o->op, &err);
		return;
	}
	/* Topics by id would be safer still (v10), but a group of mq's is named. */
	o->ask = (struct ask){.api = API_OFFSET_COMMIT,
	    .to = TO_COORDINATOR,
	    .group = c->group,
	    .version_max = 9,
	    .fill = commit_fill,
	    .answer = commit_answer,
	    .done = done,
	    .ctx = o};
	commit_start(o);
}

/* --- committed ------------------------------------------------------------------- */

/* Topics of the question, as v8 and as what came before have them. */
static int
committed_topics(struct offsets_of *o, struct arena *a,
    struct offset_fetch_request_group_topic **list, int32_t *count, struct err *err)
{
	const struct committed_call *c = o->committed;
	int32_t *parts = arena_array(a, c->position_count + 1, sizeof(*parts));
	const char *topic = NULL;

	*list = arena_array(a, c->position_count + 1, sizeof(**list));
	*count = 0;
	if (parts == NULL || *list == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->position_count; i++) {
		const struct group_position *p = &c->positions[i];

		parts[i] = p->partition;
		if (topic == NULL || strcmp(topic, p->topic) != 0) {
			topic = p->topic;
			(*list)[(*count)++] = (struct offset_fetch_request_group_topic){
			    .name = wire_str_of(topic), .partition_indexes = {&parts[i], 0}};
		}
		(*list)[*count - 1].partition_indexes.count++;
	}
	return 0;
}

static int
committed_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct offsets_of *o = a->ctx;
	struct offset_fetch_request *r = msg;
	struct offset_fetch_request_group *g = arena_array(&a->arena, 1, sizeof(*g));
	bool all = o->committed->positions == NULL;

	if (g == NULL)
		return err_nomem(err);
	*g = (struct offset_fetch_request_group){.group_id = wire_str_of(o->committed->group),
	    .member_id = wire_str_null(),
	    .member_epoch = -1,
	    .topics = {NULL, -1}};
	if (!all && committed_topics(o, &a->arena, &g->topics.items, &g->topics.count, err) == -1)
		return -1;
	if (version >= 7)
		r->require_stable = true;
	if (version >= 8) {
		r->groups.items = g;
		r->groups.count = 1;
		return 0;
	}
	r->group_id = g->group_id;
	r->topics.count = g->topics.count;
	if (all)
		return 0;
	r->topics.items =
	    arena_array(&a->arena, (size_t)g->topics.count + 1, sizeof(r->topics.items[0]));
	if (r->topics.items == NULL)
		return err_nomem(err);
	for (int32_t i = 0; i < g->topics.count; i++)
		r->topics.items[i] =
		    (struct offset_fetch_request_topic){.name = g->topics.items[i].name,
			.partition_indexes = g->topics.items[i].partition_indexes};
	return 0;
}

/* One position of the answer. */
static int
take(struct offsets_of *o, struct wire_str topic, int32_t partition, int64_t offset, int32_t epoch,
    struct wire_str metadata, int code, size_t *found, struct err *err)
{
	struct committed_call *c = o->committed;

	if (code == ERR_UNSTABLE_OFFSET_COMMIT)
		return err_set(
		    err, code, "group %s: a transaction is committing offsets", c->group);
	if (code != 0 && code != ERR_UNKNOWN_TOPIC_OR_PARTITION)
		return broker_err(err, code, wire_str_null(), "group %s: %.*s-%d", c->group,
		    topic.len, topic.data, partition);
	if (found != NULL) {
		struct group_position *p = &c->positions[*found];

		if (offset < 0)
			return 0;
		*p = (struct group_position){.topic = wire_str_dup(c->arena, topic),
		    .partition = partition,
		    .offset = offset,
		    .leader_epoch = epoch,
		    .commit_time_ms = -1,
		    .metadata = wire_str_dup(c->arena, metadata)};
		++*found;
		return p->topic != NULL && p->metadata != NULL ? 0 : err_nomem(err);
	}
	for (size_t i = 0; i < c->position_count; i++)
		if (c->positions[i].partition == partition &&
		    wire_str_is(topic, c->positions[i].topic))
			c->positions[i].offset = offset >= 0 ? offset : -1;
	return 0;
}

/* Makes room for `count` positions, if all of them were asked for. */
static int
make_room(struct committed_call *c, size_t count, struct err *err)
{
	c->positions = arena_array(c->arena, count + 1, sizeof(*c->positions));
	return c->positions == NULL ? err_nomem(err) : 0;
}

static int
committed_old(
    struct offsets_of *o, const struct offset_fetch_response *r, size_t *found, struct err *err)
{
	size_t count = 0;

	for (int32_t i = 0; i < r->topics.count; i++)
		count += (size_t)(r->topics.items[i].partitions.count > 0
				      ? r->topics.items[i].partitions.count
				      : 0);
	if (found != NULL && make_room(o->committed, count, err) == -1)
		return -1;
	for (int32_t i = 0; i < r->topics.count; i++)
		for (int32_t k = 0; k < r->topics.items[i].partitions.count; k++) {
			const struct offset_fetch_response_partition *p =
			    &r->topics.items[i].partitions.items[k];

			if (take(o, r->topics.items[i].name, p->partition_index,
				p->committed_offset, p->committed_leader_epoch, p->metadata,
				p->error_code, found, err) == -1)
				return -1;
		}
	return 0;
}

static int
committed_new(struct offsets_of *o, const struct offset_fetch_response_group *g, size_t *found,
    struct err *err)
{
	size_t count = 0;

	for (int32_t i = 0; i < g->topics.count; i++)
		count += (size_t)(g->topics.items[i].partitions.count > 0
				      ? g->topics.items[i].partitions.count
				      : 0);
	if (found != NULL && make_room(o->committed, count, err) == -1)
		return -1;
	for (int32_t i = 0; i < g->topics.count; i++)
		for (int32_t k = 0; k < g->topics.items[i].partitions.count; k++) {
			const struct offset_fetch_response_group_partition *p =
			    &g->topics.items[i].partitions.items[k];

			if (take(o, g->topics.items[i].name, p->partition_index,
				p->committed_offset, p->committed_leader_epoch, p->metadata,
				p->error_code, found, err) == -1)
				return -1;
		}
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct group_position *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static int
committed_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct offset_fetch_response *r = msg;
	struct offsets_of *o = a->ctx;
	struct committed_call *c = o->committed;
	bool all = o->sent_count == 0;
	size_t found = 0;
	int code = version >= 8 ? (r->groups.count == 1 ? r->groups.items[0].error_code
							: ERR_UNKNOWN_SERVER_ERROR)
				: r->error_code;

	if (code != 0 && code != ERR_GROUP_ID_NOT_FOUND)
		return broker_err(err, code, wire_str_null(), "group %s", c->group);
	if ((version >= 8 ? committed_new(o, &r->groups.items[0], all ? &found : NULL, err)
			  : committed_old(o, r, all ? &found : NULL, err)) == -1) {
		if (all)
			c->positions = NULL;
		return -1;
	}
	if (all) {
		c->position_count = found;
		qsort(c->positions, found, sizeof(*c->positions), by_place);
	}
	return 0;
}

void
broker_committed(struct target *t, struct committed_call *c)
{
	struct broker_target *bt = broker_target_of(t);
	struct offsets_of *o = op_new(bt, &c->call, sizeof(*o), release);

	if (o == NULL)
		return;
	o->committed = c;
	o->sent_count = c->positions == NULL ? 0 : 1;
	c->damage = NULL;
	c->partial = false;
	/* From v10 on topics are named by their ids, which deleted ones have no more. */
	o->ask = (struct ask){.api = API_OFFSET_FETCH,
	    .to = TO_COORDINATOR,
	    .group = c->group,
	    .version_max = 9,
	    .fill = committed_fill,
	    .answer = committed_answer,
	    .done = done,
	    .ctx = o};
	cluster_ask(bt->cluster, &o->ask);
}
