/*
 * cluster: the brokers behind a list of addresses: which there are, who leads which
 * partition, who coordinates which group, and requests to them that are tried again.
 *
 * An ask is one request with all its tries. It says whom it is for (any broker, one,
 * the controller, a group's coordinator), fills the message once the version is
 * known, and judges the answer. What fails for a reason that passes is asked again,
 * after a pause that grows and is drawn at random (full jitter), until its time is
 * up; one that is marked `once` fails at once, for callers that route anew
 * themselves.
 *
 * Asks to one broker of one kind leave in the order in which they were made.
 *
 * Metadata is kept of topics that somebody wants (cluster_topic) and asked for anew
 * by cluster_refresh, at most once in a while; whoever waits for leaders is told by
 * `refreshed`.
 *
 * Knows links and messages; knows nothing of batches, groups and tools.
 */
#ifndef CLIENT_CLUSTER_H
#define CLIENT_CLUSTER_H

#include "base/map.h"
#include "client/link.h"

struct cluster;

/* A broker's connections: requests that it may hold back for a while must not stand
 * in the way of the others. */
enum link_kind { KIND_MAIN, KIND_PRODUCE, KIND_FETCH, KIND_GROUP, KIND_COUNT };

enum route {
	TO_ANY,
	TO_NODE, /* ask.node */
	TO_CONTROLLER,
	TO_COORDINATOR, /* of ask.group */
	TO_LEADER,	/* of ask.topic, ask.partition */
};

enum ask_state { ASK_IDLE, ASK_WAITING, ASK_SENT };

struct ask {
	/* The caller's; the struct stays where it is until `done` or cluster_cancel. */
	int api;
	enum route to;
	int32_t node;
	const char *group, *topic;
	int32_t partition;
	enum link_kind kind;
	int64_t timeout_ms; /* with all tries; 0: the cluster's */
	int64_t hold_ms;    /* how long the broker may hold the answer back */
	int version_max;    /* 0: none */
	bool once, silent;
	/* Fills the message (initialized), with memory of ask->arena. -1 with err: the
	 * ask fails with it. */
	int (*fill)(struct ask *a, int version, void *msg, struct err *err);
	/* 0: well; -1 with err: failed, or, for a reason that passes, to be tried
	 * again. What it keeps of `msg` lies in ask->frame and ask->arena, which it may
	 * take over (leaving them initialized). Not called for a silent one. */
	int (*answer)(struct ask *a, int version, const void *msg, struct err *err);
	/* From os_turn; err.code 0: answered. The last that the cluster does with it. */
	void (*done)(struct ask *a);
	void *ctx;
	struct err err;
	/* Theirs until done. */
	struct arena arena;
	struct buf frame;
	bool again;    /* set by `answer` with an error: try again, whatever the code */
	bool was_lost; /* an earlier try may have been carried out */
	/* The cluster's. */
	enum ask_state state;
	struct link_request request;
	struct cluster *cluster;
	int64_t deadline_ns, retry_ns;
	int tries;
	int32_t sent_to;
	struct ask *next, *prev;
};

struct cluster_partition {
	int32_t leader; /* -1: none, or not known */
	int32_t leader_epoch;
	int code;
};

/* What is known of a topic. */
struct cluster_topic {
	char *name;
	struct uuid id; /* zero: not known, or the cluster has none */
	int code;	/* of the topic; ERR_LEADER_NOT_AVAILABLE until it is known */
	bool is_known;	/* asked for at least once */
	struct cluster_partition *partitions;
	int32_t count;
	int64_t batch_bytes_max; /* 0: not known; of whoever looks it up */
};

struct cluster_config {
	const char *servers; /* HOST[:PORT],... or unix:PATH */
	struct link_identity who;
	int64_t timeout_ms;  /* of an ask with all its tries */
	int64_t patience_ms; /* for the first contact; -1: as long as it makes sense */
};

struct cluster_events {
	void (*refreshed)(void *ctx); /* new metadata, or the attempt failed */
	/* A connection was lost, or not had; NULL: it is noted. */
	void (*lost)(void *ctx, const struct err *why);
	void *ctx;
};

/* Is it a list of brokers? -1: ERR_INVALID. */
int cluster_check_servers(const char *servers, struct err *err);

/* Connects to nothing yet. NULL: ERR_INVALID (no list of addresses), ERR_NOMEM. */
struct cluster *client_cluster_new(struct os *os, const struct cluster_config *config,
    const struct cluster_events *events, struct err *err);

/* Cancels all asks, closes all links; turns the loop until they are gone. */
void client_cluster_free(struct cluster *c);

/* The same in steps, for who may not turn the loop: once it is closed, freeing waits for
 * nothing. Nothing may be asked any more. */
void client_cluster_close(struct cluster *c);
bool client_cluster_is_closed(const struct cluster *c);

void cluster_ask(struct cluster *c, struct ask *a);

/* The ask is its owner's again; `done` will not come. Fine for an idle one. */
void cluster_cancel(struct ask *a);

/* What is known of a topic, which is kept from now on; NULL: ERR_NOMEM. The pointer
 * lives as long as the cluster; partitions until the next refresh. */
struct cluster_topic *cluster_topic(struct cluster *c, const char *name);

/* Asks for metadata of the kept topics, soon. */
void cluster_refresh(struct cluster *c);

/* What came of the last cluster_refresh; code 0: it went well. Of a code that is not
 * retriable: nobody can be reached, and there is no sense in waiting. */
const struct err *cluster_refresh_error(const struct cluster *c);

/* A partition's leader; -1: none known. */
int32_t cluster_leader(const struct cluster_topic *t, int32_t partition);

/* Takes over what a metadata response says (a struct metadata_response): brokers,
 * controller, kept topics. -1: ERR_NOMEM. */
int cluster_take(struct cluster *c, const void *response, struct err *err);

/* The ids of the brokers, in the arena. */
int cluster_nodes(struct cluster *c, struct arena *a, int32_t **ids, size_t *count);

/* A coordinator is no longer where it was, as an answer said. */
void cluster_forget_coordinator(struct cluster *c, const char *group);

/* Milliseconds to wait before the next try after `tries` of them: full jitter. */
int64_t cluster_backoff_ms(struct os *os, int tries);

/* Codes after which leaders are to be looked up anew. */
bool cluster_is_stale(int code);

/* Some broker's id, for messages; -1: none met. */
int32_t cluster_some_node(const struct cluster *c);

/* The highest version of an API that the broker `node` has told of (or, for -1, any that
 * is connected); -1: not there; -2: not connected. */
int cluster_version(const struct cluster *c, int32_t node, int api);

#endif
