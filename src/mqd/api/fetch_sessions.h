/*
 * fetch_sessions: what a consumer fetches, kept between its requests (KIP-227).
 *
 * In a session a client names only the partitions that it adds, changes or drops, and
 * is answered only with those that have news. Sessions have slots; when they are full,
 * one that is idle, or worth less than the new one, goes. What they keep of partitions is
 * bounded for all together: who wants more than there is room for has no session.
 *
 * Source: Kafka's FetchManager, FetchSession.
 */
#ifndef MQD_API_FETCH_SESSIONS_H
#define MQD_API_FETCH_SESSIONS_H

#include <bsd/sys/queue.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/uuid.h"
#include "os/os.h"

/* Partitions that are kept in all sessions, for each slot. */
#define FETCH_ENTRIES_PER_SLOT 1000

struct fetch_request;
struct fetch_request_partition;

/* One partition that is fetched. */
struct fetch_entry {
	TAILQ_ENTRY(fetch_entry) link;
	char *topic; /* NULL: by id */
	size_t topic_len;
	struct uuid topic_id;
	int32_t partition;
	/* as the client asked last */
	int64_t offset;
	int32_t leader_epoch;       /* that the client knows; -1 none */
	int32_t last_fetched_epoch; /* -1 none */
	int32_t bytes_max;
	/* as it was answered last */
	int64_t high_watermark, start_offset;
};

TAILQ_HEAD(fetch_entries, fetch_entry);

struct fetch_session {
	int32_t id, epoch; /* the next epoch that is due */
	bool by_id;        /* topics by id (Fetch 13 and later) */
	bool follower;
	struct fetch_entries entries; /* in the order in which they are served */
	struct map keys;              /* -> struct fetch_entry, owned */
	int64_t made_ns, used_ns;
	unsigned uses; /* requests under way */
	bool closed;   /* it has no slot any more; it goes with the last use */
};

struct fetch_sessions;

struct fetch_sessions *fetch_sessions_new(struct os *os, size_t slots);
void fetch_sessions_free(struct fetch_sessions *all);
size_t fetch_sessions_count(const struct fetch_sessions *all);

/* What a request fetches. */
struct fetch_context {
	struct fetch_session *session; /* NULL: none */
	bool incremental;              /* answer only what has news */
	struct fetch_entries *entries; /* of the session; or in the arena */
	struct fetch_entries own;
};

/* Reads session and partitions of a request. Returns 0, or Kafka's code for the whole
 * request (FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 * FETCH_SESSION_TOPIC_ID_ERROR), or ERR_NOMEM. The context must be ended. */
int fetch_context_begin(struct fetch_sessions *all, const struct fetch_request *in, int version,
    struct arena *a, struct fetch_context *out);

/* The id to answer with: 0, none. */
int32_t fetch_context_id(const struct fetch_context *c);

/* What was answered for a partition: true if it belongs in the answer. One with
 * records is served last the next time, once the session has begun. */
bool fetch_context_answered(struct fetch_context *c, struct fetch_entry *e, int64_t high_watermark,
    int64_t start_offset, bool has_records, bool has_news);

void fetch_context_end(struct fetch_sessions *all, struct fetch_context *c);

#endif
