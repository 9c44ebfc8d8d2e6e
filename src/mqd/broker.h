/*
 * broker: one node of a cluster, built of parts that know nothing of each other.
 *
 *	net/      connections, and which handler a request goes to
 *	api/      a handler for each request; the only code that knows requests' fields
 *	replica/  partitions: their logs on disk, what a leader may tell and must wait for
 *	cluster/  the metadata log: its quorum, its controller, what is in it
 *	groups/   consumer groups and their committed offsets
 *	ops/      housekeeping, metrics
 *
 * A broker is single-threaded, driven by one struct os, and owns no globals: several
 * live in one process. It makes no system call. What takes time on a disk is done by
 * workers (below), whose completions come back on the loop.
 *
 * Knows its parts; they know it only through the callbacks that they are given,
 * except api/, whose handlers find everything here.
 */
#ifndef MQD_BROKER_H
#define MQD_BROKER_H

#include "base/error.h"
#include "mqd/net/request_stats.h"
#include "os/os.h"

struct broker_config; /* config.h */
struct cluster;       /* cluster/cluster.h */
struct fetch_sessions; /* api/fetch_sessions.h */
struct groups;        /* groups/groups.h */
struct housekeeping;  /* ops/housekeeping.h */
struct home;          /* groups/home.h */
struct logs;          /* replica/logs.h */
struct net;           /* net/conn.h */
struct partitions;    /* replica/partition.h */

/* Whose jobs a worker of struct os runs (os_work's number). Syncs have their own. */
enum broker_worker {
	WORKER_WRITE, /* owns all logs: appends, rolls, cuts, deletes; short jobs, in order */
	WORKER_READ,  /* cold reads, lookups */
	WORKER_CHECK, /* opens compressed batches that were produced */
	WORKER_KEEP,  /* what may take long: recovery, loading groups; checkpoint files */
	WORKER_METADATA, /* owns the metadata log: a change is one append and its sync */
	WORKER_CLEAN, /* compaction's copying */
};

/* Counted since the start, for monitors. */
struct broker_stats {
	int64_t records_in, bytes_in; /* appended for clients */
	int64_t bytes_out;            /* of batches, fetched */
	int64_t produce_failed;       /* partitions of requests */
};

struct broker {
	struct os *os;
	struct broker_config *config;
	struct logs *logs;
	struct cluster *cluster;
	struct partitions *partitions;
	struct groups *groups;
	struct housekeeping *housekeeping;
	struct home *home; /* of the groups */
	struct fetch_sessions *fetch_sessions;
	struct net *net;
	bool trace; /* note every request and answer (mqd -v -v) */
	void (*stopped)(void *ctx); /* broker_stop's */
	void *stopped_ctx;
	bool stopping; /* the logs are: what the metadata says now is for the next start */
	bool given_up; /* a start that fails has come to rest */
	bool failed; /* the data directory takes nothing more, or not what a stop owes it */
	struct broker_stats stats;
	struct request_stats requests;
};

/* Builds a broker on the data directory that the configuration names (formatting it
 * if it is empty), and starts it: recovery of the metadata log, leadership, listeners.
 * Returns once it listens, or NULL with err: ERR_CONFIG, ERR_BUSY (another daemon, or
 * a port that is taken), ERR_REFUSED, ERR_IO... Turn the os meanwhile and afterwards.
 * Fields of `config` that dynamic configs set follow these. */
struct broker *broker_new(struct os *os, struct broker_config *config, struct err *err);

/* The configuration was read again (broker_config_reload): lets it hold. */
void broker_reloaded(struct broker *b);

/* Begins a clean stop: no new connections, what was taken is answered, logs are
 * synced, checkpoints and the clean stop's marker written. `done` comes from os_turn. */
void broker_stop(struct broker *b, void (*done)(void *ctx), void *ctx);

/* Lets go of everything, at once: after a stop, or as a crash does. */
void broker_free(struct broker *b);

#endif
