/* Fetch sessions. */
#include "mqd/api/fetch_sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "wire_gen.h"

/* A session that was not used for so long may be replaced (Kafka's
 * INCREMENTAL_FETCH_SESSION_EVICTION_MS). */
#define EVICTION_NS (120 * 1000000000LL)

struct fetch_sessions {
	struct os *os;
	size_t slots;
	size_t entries;   /* of all sessions */
	struct map by_id; /* 4 bytes -> struct fetch_session */
};

/* --- entries ------------------------------------------------------------------------ */

/* "NUMBER" and the topic's name or id. */
#define KEY_MAX (4 + 32768)

static size_t
key_put(uint8_t *key, const char *topic, size_t topic_len, const struct uuid *id, int32_t number)
{
	be32_put(key, (uint32_t)number);
	if (topic == NULL) {
		memcpy(key + 4, id->bytes, sizeof(id->bytes));
		return 4 + sizeof(id->bytes);
	}
	memcpy(key + 4, topic, topic_len);
	return 4 + topic_len;
}

static void
entry_set(struct fetch_entry *e, const struct fetch_request_partition *p)
{
	e->partition = p->partition;
	e->offset = p->fetch_offset;
	e->leader_epoch = p->current_leader_epoch;
	e->last_fetched_epoch = p->last_fetched_epoch;
	e->bytes_max = p->partition_max_bytes;
}

static void
entry_free(struct fetch_entry *e)
{
	free(e->topic);
	free(e);
}

/* --- sessions ------------------------------------------------------------------------ */

static void
session_free(struct fetch_sessions *all, struct fetch_session *s)
{
	struct fetch_entry *e, *next;

	all->entries -= s->keys.count;
	TAILQ_FOREACH_SAFE(e, &s->entries, link, next)
	entry_free(e);
	map_release(&s->keys);
	free(s);
}

/* Gives its slot back. */
static void
session_close(struct fetch_sessions *all, struct fetch_session *s)
{
	uint8_t key[4];

	be32_put(key, (uint32_t)s->id);
	map_del(&all->by_id, key, sizeof(key));
	s->closed = true;
	if (s->uses == 0)
		session_free(all, s);
}

static struct fetch_session *
session_find(const struct fetch_sessions *all, int32_t id)
{
	uint8_t key[4];

	be32_put(key, (uint32_t)id);
	return map_get(&all->by_id, key, sizeof(key));
}

/* Adds or changes one partition. -1: no memory. */
static int
session_add(struct fetch_sessions *all, struct fetch_session *s, const struct fetch_request_topic *t,
    const struct fetch_request_partition *p)
{
	const char *topic = s->by_id ? NULL : t->topic.data;
	size_t topic_len = s->by_id ? 0 : (size_t)t->topic.len;
	uint8_t key[KEY_MAX];
	size_t len = key_put(key, topic, topic_len, &t->topic_id, p->partition);
	struct fetch_entry *e = map_get(&s->keys, key, len);

	if (e != NULL) {
		entry_set(e, p);
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -1;
	entry_set(e, p);
	e->topic_id = t->topic_id;
	e->topic_len = topic_len;
	e->high_watermark = e->start_offset = -1;
	e->topic = topic != NULL ? strndup(topic, topic_len) : NULL;
	if ((topic != NULL && e->topic == NULL) || map_put(&s->keys, key, len, e, NULL) == -1) {
		entry_free(e);
		return -1;
	}
	TAILQ_INSERT_TAIL(&s->entries, e, link);
	all->entries++;
	return 0;
}

static int
session_add_all(struct fetch_sessions *all, struct fetch_session *s, const struct fetch_request *in)
{
	for (int32_t i = 0; i < in->topics.count; i++) {
		const struct fetch_request_topic *t = &in->topics.items[i];

		for (int32_t j = 0; j < t->partitions.count; j++)
			if (session_add(all, s, t, &t->partitions.items[j]) == -1)
				return -1;
	}
	return 0;
}

static void
session_forget(struct fetch_sessions *all, struct fetch_session *s, const struct fetch_request *in)
{
	uint8_t key[KEY_MAX];

	for (int32_t i = 0; i < in->forgotten_topics_data.count; i++) {
		const struct fetch_request_forgotten_topic *t = &in->forgotten_topics_data.items[i];

		for (int32_t j = 0; j < t->partitions.count; j++) {
			size_t len = key_put(key, s->by_id ? NULL : t->topic.data,
			    s->by_id ? 0 : (size_t)t->topic.len, &t->topic_id,
			    t->partitions.items[j]);
			struct fetch_entry *e = map_del(&s->keys, key, len);

			if (e == NULL)
				continue;
			TAILQ_REMOVE(&s->entries, e, link);
			entry_free(e);
			all->entries--;
		}
	}
}

/* Is `a` worth less than `b`? Followers above consumers, then by partitions. */
static bool
is_worth_less(const struct fetch_session *a, const struct fetch_session *b)
{
	return a->follower != b->follower ? b->follower : a->keys.count < b->keys.count;
}

/* The one that was not used for longest, if that is long; NULL: none. */
static struct fetch_session *
find_idle(const struct fetch_sessions *all, int64_t now_ns)
{
	struct fetch_session *idle = NULL;

	for (struct map_entry *e = NULL; (e = map_next(&all->by_id, e)) != NULL;) {
		struct fetch_session *s = e->value;

		if (idle == NULL || s->used_ns < idle->used_ns)
			idle = s;
	}
	return idle != NULL && now_ns - idle->used_ns > EVICTION_NS ? idle : NULL;
}

/* Makes room for a session; false: there is none to be had. */
static bool
make_room(struct fetch_sessions *all, const struct fetch_session *next, int64_t now_ns)
{
	struct fetch_session *goes, *least = NULL;

	if (all->by_id.count < all->slots)
		return true;
	for (struct map_entry *e = NULL; (e = map_next(&all->by_id, e)) != NULL;) {
		struct fetch_session *s = e->value;

		if (is_worth_less(s, next) && (least == NULL || is_worth_less(s, least)) &&
		    (now_ns - s->made_ns > EVICTION_NS || (next->follower && !s->follower)))
			least = s;
	}
	goes = find_idle(all, now_ns);
	if (goes == NULL)
		goes = least;
	if (goes == NULL)
		return false;
	session_close(all, goes);
	return true;
}

/* Is there room for the partitions of a request? One that is idle makes some. */
static bool
has_room(struct fetch_sessions *all, const struct fetch_request *in)
{
	size_t most = all->slots * FETCH_ENTRIES_PER_SLOT, count = 0;
	struct fetch_session *idle;

	for (int32_t i = 0; i < in->topics.count; i++)
		count += (size_t)in->topics.items[i].partitions.count;
	if (all->entries + count > most && (idle = find_idle(all, os_mono_ns(all->os))) != NULL)
		session_close(all, idle);
	return all->entries + count <= most;
}

/* Gives it a slot and an id, if there is room. */
static bool
session_enter(struct fetch_sessions *all, struct fetch_session *s)
{
	uint8_t key[4];
	uint32_t id;

	if (!make_room(all, s, s->made_ns))
		return false;
	do {
		os_random(all->os, &id, sizeof(id));
		s->id = (int32_t)(id & INT32_MAX);
	} while (s->id == 0 || session_find(all, s->id) != NULL);
	be32_put(key, (uint32_t)s->id);
	return map_put(&all->by_id, key, sizeof(key), s, NULL) == 0;
}

static struct fetch_session *
session_new(struct fetch_sessions *all, const struct fetch_request *in, int version)
{
	struct fetch_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	TAILQ_INIT(&s->entries);
	map_init(&s->keys);
	s->by_id = version >= 13;
	s->follower = in->replica_id >= 0 || in->replica_state.replica_id >= 0;
	s->epoch = 1;
	s->made_ns = s->used_ns = os_mono_ns(all->os);
	if (session_add_all(all, s, in) == -1) {
		session_free(all, s);
		return NULL;
	}
	return s;
}

/* --- contexts ------------------------------------------------------------------------- */

static int
add_own(struct fetch_context *c, const struct fetch_request_topic *t,
    const struct fetch_request_partition *p, int version, struct arena *a)
{
	struct fetch_entry *e = arena_alloc(a, sizeof(*e));

	if (e == NULL)
		return -1;
	entry_set(e, p);
	e->topic_id = t->topic_id;
	if (version < 13) {
		e->topic = (char *)(uintptr_t)t->topic.data;
		e->topic_len = (size_t)t->topic.len;
	}
	TAILQ_INSERT_TAIL(&c->own, e, link);
	return 0;
}

/* All partitions of the request, for this request only. */
static int
begin_without(struct fetch_context *c, const struct fetch_request *in, int version, struct arena *a)
{
	TAILQ_INIT(&c->own);
	c->entries = &c->own;
	for (int32_t i = 0; i < in->topics.count; i++) {
		const struct fetch_request_topic *t = &in->topics.items[i];

		for (int32_t j = 0; j < t->partitions.count; j++)
			if (add_own(c, t, &t->partitions.items[j], version, a) == -1)
				return ERR_NOMEM;
	}
	return 0;
}

static void
use(struct fetch_context *c, struct fetch_session *s)
{
	s->uses++;
	c->session = s;
	c->entries = &s->entries;
}

/* A full request: epoch 0 asks for a session, -1 for none; both end an old one. */
static int
begin_full(struct fetch_sessions *all, const struct fetch_request *in, int version,
    struct arena *a, struct fetch_context *c)
{
	struct fetch_session *old = session_find(all, in->session_id), *s;

	if (in->session_id != 0 && old != NULL)
		session_close(all, old);
	if (in->session_epoch == 0 && has_room(all, in)) {
		s = session_new(all, in, version);
		if (s == NULL)
			return ERR_NOMEM;
		if (session_enter(all, s)) {
			use(c, s);
			return 0;
		}
		session_free(all, s);
	}
	return begin_without(c, in, version, a);
}

static int
begin_incremental(struct fetch_sessions *all, const struct fetch_request *in, int version,
    struct fetch_context *c)
{
	struct fetch_session *s = session_find(all, in->session_id);

	if (s == NULL)
		return ERR_FETCH_SESSION_ID_NOT_FOUND;
	/* While a request of it is under way its entries must stay, and no client sends
	 * a second one. */
	if (s->epoch != in->session_epoch || s->uses > 0)
		return ERR_INVALID_FETCH_SESSION_EPOCH;
	if (s->by_id != (version >= 13))
		return ERR_FETCH_SESSION_TOPIC_ID_ERROR;
	s->used_ns = os_mono_ns(all->os);
	if (!has_room(all, in)) {
		session_close(all, s);
		return ERR_FETCH_SESSION_ID_NOT_FOUND;
	}
	if (session_add_all(all, s, in) == -1)
		return ERR_NOMEM;
	session_forget(all, s, in);
	s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
	use(c, s);
	c->incremental = true;
	if (s->keys.count == 0)
		session_close(all, s);
	return 0;
}

int
fetch_context_begin(struct fetch_sessions *all, const struct fetch_request *in, int version,
    struct arena *a, struct fetch_context *c)
{
	int code;

	*c = (struct fetch_context){0};
	if (in->session_epoch == 0 || in->session_epoch == -1)
		code = begin_full(all, in, version, a, c);
	else
		code = begin_incremental(all, in, version, c);
	if (code != 0 && c->entries == NULL) {
		TAILQ_INIT(&c->own);
		c->entries = &c->own;
	}
	return code;
}

int32_t
fetch_context_id(const struct fetch_context *c)
{
	/* One without partitions was ended by this very request. */
	return c->session != NULL && !c->session->closed ? c->session->id : 0;
}

bool
fetch_context_answered(struct fetch_context *c, struct fetch_entry *e, int64_t high_watermark,
    int64_t start_offset, bool has_records, bool has_news)
{
	bool changed = e->high_watermark != high_watermark || e->start_offset != start_offset;

	e->high_watermark = high_watermark;
	e->start_offset = start_offset;
	if (has_records && c->incremental) {
		TAILQ_REMOVE(c->entries, e, link);
		TAILQ_INSERT_TAIL(c->entries, e, link);
	}
	return has_records || has_news || changed || !c->incremental;
}

void
fetch_context_end(struct fetch_sessions *all, struct fetch_context *c)
{
	struct fetch_session *s = c->session;

	if (s != NULL && --s->uses == 0 && s->closed)
		session_free(all, s);
	c->session = NULL;
}

/* --- life ------------------------------------------------------------------------------ */

struct fetch_sessions *
fetch_sessions_new(struct os *os, size_t slots)
{
	struct fetch_sessions *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return NULL;
	all->os = os;
	all->slots = slots;
	map_init(&all->by_id);
	return all;
}

void
fetch_sessions_free(struct fetch_sessions *all)
{
	if (all == NULL)
		return;
	for (struct map_entry *e = NULL; (e = map_next(&all->by_id, e)) != NULL;)
		session_free(all, e->value);
	map_release(&all->by_id);
	free(all);
}

size_t
fetch_sessions_count(const struct fetch_sessions *all)
{
	return all->by_id.count;
}
