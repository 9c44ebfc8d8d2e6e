/* The exchanges of a member with its coordinator: join, sync, heartbeat. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_broker_member.h"

/* How long others may take to let go of what they hold, as Kafka's max.poll.interval.ms. */
#define REBALANCE_MS 300000

/* How many heartbeats the leader lets pass before it asks for metadata. */
#define LOOK_BEATS 5

/* --- join -------------------------------------------------------------------------- */

static int
put_protocol(struct target_member *m, struct join_group_request_protocol *p, enum assignor a,
    const struct assignee *self, struct arena *arena, struct err *err)
{
	struct buf blob = BUF_INIT;
	char *copy;

	if (subscription_encode(a, self, &blob, err) == -1) {
		buf_release(&blob);
		return -1;
	}
	copy = arena_memdup(arena, blob.data, blob.len);
	*p = (struct join_group_request_protocol){
	    .name = wire_str_of(assignor_name(a)), .metadata = wire_bytes_of(copy, blob.len)};
	buf_release(&blob);
	(void)m;
	return copy != NULL ? 0 : err_nomem(err);
}

static int
join_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct target_member *m = a->ctx;
	struct join_group_request *r = msg;
	struct assignee self = {
	    .topics = m->topics, .topic_count = m->topic_count, .generation = m->generation};
	struct assigned *owned;
	size_t count = 0;

	for (const struct member_part *p = m->parts; p != NULL; p = p->next)
		count++;
	owned = arena_array(&a->arena, count + 1, sizeof(*owned));
	r->protocols.items =
	    arena_array(&a->arena, m->assignor_count, sizeof(r->protocols.items[0]));
	if (owned == NULL || r->protocols.items == NULL)
		return err_nomem(err);
	for (const struct member_part *p = m->parts; p != NULL; p = p->next)
		if (p->holding == HOLD_HELD || p->holding == HOLD_NEW)
			owned[self.owned_count++] = (struct assigned){p->topic, p->partition};
	self.owned = owned;
	r->group_id = wire_str_of(m->group);
	r->session_timeout_ms = (int32_t)m->session_ms;
	if (version >= 1)
		r->rebalance_timeout_ms = REBALANCE_MS;
	r->member_id = wire_str_of(m->id);
	r->protocol_type = wire_str_of("consumer");
	r->protocols.count = (int32_t)m->assignor_count;
	for (size_t i = 0; i < m->assignor_count; i++)
		if (put_protocol(
			m, &r->protocols.items[i], m->assignors[i], &self, &a->arena, err) == -1)
			return -1;
	return 0;
}

static void
set_id(struct target_member *m, struct wire_str id)
{
	size_t len = id.len > 0 ? (size_t)id.len : 0;

	if (len >= sizeof(m->id))
		len = 0; /* no broker's; it gives another */
	memcpy(m->id, id.data != NULL ? id.data : "", len);
	m->id[len] = '\0';
}

/* What the leader is told: the members, and which topics they want. */
static int
take_members(struct target_member *m, const struct join_group_response *r, struct err *err)
{
	struct map wanted;
	size_t count = (size_t)r->members.count;
	int ret = 0;

	map_init(&wanted);
	arena_reset(&m->arena);
	m->assignees = arena_array(&m->arena, count + 1, sizeof(*m->assignees));
	m->assignee_count = 0;
	for (size_t i = 0; i < count && m->assignees != NULL && ret == 0; i++) {
		const struct join_group_response_member *from = &r->members.items[i];
		struct assignee *to = &m->assignees[m->assignee_count++];

		to->id = wire_str_dup(&m->arena, from->member_id);
		if (from->group_instance_id.len >= 0)
			to->instance = wire_str_dup(&m->arena, from->group_instance_id);
		if (to->id == NULL || (from->group_instance_id.len >= 0 && to->instance == NULL))
			ret = err_nomem(err);
		else
			ret = subscription_decode(m->chosen, from->metadata, &m->arena, to, err);
		for (size_t k = 0; k < to->topic_count && ret == 0; k++)
			if (map_put(&wanted, to->topics[k], strlen(to->topics[k]), m, NULL) == -1)
				ret = err_nomem(err);
	}
	if (ret == 0 && m->assignees == NULL)
		ret = err_nomem(err);
	m->assignables = arena_array(&m->arena, wanted.count + 1, sizeof(*m->assignables));
	m->assignable_count = 0;
	if (m->assignables == NULL)
		ret = err_nomem(err);
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&wanted, e)) != NULL;) {
		struct assignable *t = &m->assignables[m->assignable_count++];

		t->name = arena_memdup(&m->arena, e->key, e->key_len);
		if (t->name == NULL || cluster_topic(m->bt->cluster, t->name) == NULL)
			ret = err_nomem(err);
	}
	map_release(&wanted);
	return ret;
}

/* Refused; by some codes a person would not know what to change. */
static int
join_refused(const struct target_member *m, int code, struct err *err)
{
	const char *text = "";

	if (code == ERR_INVALID_SESSION_TIMEOUT)
		text = "session.timeout.ms is not between the broker's "
		       "group.min.session.timeout.ms and group.max.session.timeout.ms";
	else if (code == ERR_INCONSISTENT_GROUP_PROTOCOL)
		text = "its members share in another way (partition.assignment.strategy)";
	return broker_err(err, code, wire_str_of(text), "group %s", m->group);
}

static int
join_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct join_group_response *r = msg;
	struct target_member *m = a->ctx;

	(void)version;
	if (r->error_code == ERR_MEMBER_ID_REQUIRED)
		set_id(m, r->member_id);
	if (r->error_code != 0)
		return join_refused(m, r->error_code, err);
	set_id(m, r->member_id);
	m->generation = r->generation_id;
	m->is_resumed = false;
	m->is_leader = wire_str_is(r->leader, m->id);
	snprintf(m->protocol, sizeof(m->protocol), "%.*s",
	    r->protocol_name.len > 0 ? r->protocol_name.len : 0,
	    r->protocol_name.len > 0 ? r->protocol_name.data : "");
	if (assignor_parse(m->protocol, strlen(m->protocol), &m->chosen) == -1)
		return err_set(err, ERR_INCONSISTENT_GROUP_PROTOCOL,
		    "group %s shares partitions by '%s', which is not known here", m->group,
		    m->protocol);
	return m->is_leader ? take_members(m, r, err) : 0;
}

/* What an error of any of the exchanges means: true if the member goes on with a new
 * join. */
static bool
begin_anew(struct target_member *m, const struct err *err)
{
	switch (err->code) {
	case ERR_MEMBER_ID_REQUIRED:
		member_join(m);
		return true;
	case ERR_REBALANCE_IN_PROGRESS:
		member_rejoin(m);
		return true;
	case ERR_UNKNOWN_MEMBER_ID:
	case ERR_ILLEGAL_GENERATION:
		member_lost(m, err->text);
		return true;
	default:
		return false;
	}
}

static void
explain(struct target_member *m, struct err *err)
{
	if (err->code == ERR_INCONSISTENT_GROUP_PROTOCOL && m->protocol[0] == '\0')
		err_set(err, err->code,
		    "group %s: its members share partitions in another way than %s "
		    "(partition.assignment.strategy)",
		    m->group, m->bt->options.assignors);
}

static void
join_done(struct ask *a)
{
	struct target_member *m = a->ctx;

	if (a->err.code == 0) {
		m->state = MEMBER_SYNCING;
		cluster_ask(m->bt->cluster, m->is_leader ? &m->metadata : &m->sync);
	} else if (!begin_anew(m, &a->err)) {
		explain(m, &a->err);
		member_fail(m, &a->err);
	}
}

/* --- the leader's part ----------------------------------------------------------------- */

static int
topics_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct target_member *m = a->ctx;
	struct metadata_request *r = msg;

	r->topics.items =
	    arena_array(&a->arena, m->assignable_count + 1, sizeof(r->topics.items[0]));
	if (r->topics.items == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < m->assignable_count; i++)
		r->topics.items[i] =
		    (struct metadata_request_topic){.name = wire_str_of(m->assignables[i].name)};
	r->topics.count = (int32_t)m->assignable_count;
	r->allow_auto_topic_creation = version < 4;
	return 0;
}

static int
topics_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	struct target_member *m = a->ctx;
	struct dealt *list = calloc(m->assignable_count + 1, sizeof(*list));

	(void)version;
	if (list == NULL)
		return err_nomem(err);
	free(m->dealt);
	m->dealt = list;
	m->dealt_count = 0;
	if (cluster_take(a->cluster, msg, err) == -1)
		return -1;
	for (size_t i = 0; i < m->assignable_count; i++) {
		const struct cluster_topic *t = cluster_topic(a->cluster, m->assignables[i].name);

		if (t == NULL)
			return err_nomem(err);
		m->assignables[i].partition_count =
		    t->code == ERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : t->count;
		list[m->dealt_count++] =
		    (struct dealt){t, t->id, m->assignables[i].partition_count};
	}
	return assign(m->chosen, m->assignees, m->assignee_count, m->assignables,
	    m->assignable_count, &m->arena, err);
}

static void
topics_done(struct ask *a)
{
	struct target_member *m = a->ctx;

	if (a->err.code != 0)
		member_fail(m, &a->err);
	else
		cluster_ask(m->bt->cluster, &m->sync);
}

bool
member_topics_changed(const struct target_member *m)
{
	for (size_t i = 0; i < m->dealt_count; i++) {
		const struct dealt *d = &m->dealt[i];
		const struct cluster_topic *t = d->topic;
		bool gone = t->code == ERR_UNKNOWN_TOPIC_OR_PARTITION;

		if (t->code != 0 && !gone)
			continue; /* not known now */
		if ((gone ? 0 : t->count) != d->count || (!gone && !uuid_equal(&t->id, &d->id)))
			return true;
	}
	return false;
}

/* --- sync ---------------------------------------------------------------------------------- */

static int
sync_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct target_member *m = a->ctx;
	struct sync_group_request *r = msg;
	size_t count = m->is_leader ? m->assignee_count : 0;

	r->group_id = wire_str_of(m->group);
	r->generation_id = m->generation;
	r->member_id = wire_str_of(m->id);
	if (version >= 5) {
		r->protocol_type = wire_str_of("consumer");
		r->protocol_name = wire_str_of(m->protocol);
	}
	r->assignments.items = arena_array(&a->arena, count + 1, sizeof(r->assignments.items[0]));
	if (r->assignments.items == NULL)
		return err_nomem(err);
	r->assignments.count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct assignee *to = &m->assignees[i];
		struct buf blob = BUF_INIT;
		char *copy = NULL;

		if (assignment_encode(to->share, to->share_count, &blob, err) == 0)
			copy = arena_memdup(&a->arena, blob.data, blob.len);
		r->assignments.items[i] = (struct sync_group_request_assignment){
		    .member_id = wire_str_of(to->id), .assignment = wire_bytes_of(copy, blob.len)};
		buf_release(&blob);
		if (copy == NULL)
			return err_nomem(err);
	}
	return 0;
}

static int
sync_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct sync_group_response *r = msg;
	struct target_member *m = a->ctx;
	struct assigned *share;
	size_t count;

	(void)version;
	if (r->error_code != 0)
		return broker_err(err, r->error_code, wire_str_null(), "group %s", m->group);
	if (assignment_decode(r->assignment, &a->arena, &share, &count, err) == -1)
		return -1;
	return member_take(m, share, count, err);
}

static void
sync_done(struct ask *a)
{
	struct target_member *m = a->ctx;

	if (a->err.code == 0) {
		m->state = MEMBER_STABLE;
		if (!m->is_leader)
			m->dealt_count = 0;
		os_timer_start(m->bt->target.os, &m->beat, m->beat_ms);
		member_wake(m);
	} else if (!begin_anew(m, &a->err)) {
		member_fail(m, &a->err);
	}
}

/* --- heartbeats ------------------------------------------------------------------------------ */

static int
beat_fill(struct ask *a, int version, void *msg, struct err *err)
{
	struct target_member *m = a->ctx;
	struct heartbeat_request *r = msg;

	(void)version;
	(void)err;
	r->group_id = wire_str_of(m->group);
	r->generation_id = m->generation;
	r->member_id = wire_str_of(m->id);
	return 0;
}

static int
beat_answer(struct ask *a, int version, const void *msg, struct err *err)
{
	const struct heartbeat_response *r = msg;
	struct target_member *m = a->ctx;

	(void)version;
	if (r->error_code != 0)
		return broker_err(err, r->error_code, wire_str_null(), "group %s", m->group);
	return 0;
}

/* While a member lets go, it is known that a rebalance is on. */
static void
beat_done(struct ask *a)
{
	struct target_member *m = a->ctx;

	os_timer_start(m->bt->target.os, &m->beat, m->beat_ms);
	if (a->err.code == 0 || err_is_retriable(a->err.code) || a->err.code == ERR_BUSY)
		return;
	if (a->err.code == ERR_REBALANCE_IN_PROGRESS && m->state != MEMBER_STABLE)
		return;
	if (!begin_anew(m, &a->err))
		member_fail(m, &a->err);
}

/* What the leader has dealt out may have changed: topics of others too, which nobody here
 * may ask about. */
static void
look_at_topics(struct target_member *m)
{
	if (m->state != MEMBER_STABLE || !m->is_leader)
		return;
	if (member_topics_changed(m)) {
		m->wants_rejoin = true;
		member_wake(m);
	} else if (++m->beats % LOOK_BEATS == 0) {
		cluster_refresh(m->bt->cluster);
	}
}

static void
on_beat(struct os_timer *t)
{
	struct target_member *m = t->ctx;

	look_at_topics(m);
	if (m->generation < 0 || m->heartbeat.state != ASK_IDLE ||
	    (m->state != MEMBER_STABLE && m->state != MEMBER_REVOKING))
		return;
	m->heartbeat.timeout_ms = m->session_ms;
	cluster_ask(m->bt->cluster, &m->heartbeat);
}

/* --- all of them ---------------------------------------------------------------------------------
 */

void
member_join(struct target_member *m)
{
	m->state = MEMBER_JOINING;
	m->wants_rejoin = false;
	m->protocol[0] = '\0';
	cluster_cancel(&m->heartbeat);
	os_timer_stop(m->bt->target.os, &m->beat);
	cluster_ask(m->bt->cluster, &m->join);
}

void
member_cancel(struct target_member *m)
{
	cluster_cancel(&m->join);
	cluster_cancel(&m->sync);
	cluster_cancel(&m->heartbeat);
	cluster_cancel(&m->metadata);
	os_timer_stop(m->bt->target.os, &m->beat);
}

void
member_join_init(struct target_member *m)
{
	struct ask a = {.to = TO_COORDINATOR, .group = m->group, .kind = KIND_GROUP, .ctx = m};

	m->join = m->sync = m->heartbeat = a;
	m->join.api = API_JOIN_GROUP;
	m->join.hold_ms = REBALANCE_MS;
	m->join.fill = join_fill;
	m->join.answer = join_answer;
	m->join.done = join_done;
	m->sync.api = API_SYNC_GROUP;
	m->sync.hold_ms = REBALANCE_MS;
	m->sync.fill = sync_fill;
	m->sync.answer = sync_answer;
	m->sync.done = sync_done;
	m->heartbeat.api = API_HEARTBEAT;
	m->heartbeat.fill = beat_fill;
	m->heartbeat.answer = beat_answer;
	m->heartbeat.done = beat_done;
	m->metadata = (struct ask){.api = API_METADATA,
	    .to = TO_ANY,
	    .fill = topics_fill,
	    .answer = topics_answer,
	    .done = topics_done,
	    .ctx = m};
	m->beat = (struct os_timer){.fire = on_beat, .ctx = m};
}
