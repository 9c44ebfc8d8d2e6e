/* What the files of a broker target's fetching share; for nobody else. */
#ifndef CLIENT_TARGET_BROKER_FETCH_H
#define CLIENT_TARGET_BROKER_FETCH_H

#include "client/target_broker_impl.h"
#include "log/batch.h"

struct fetch_ask;

/* A response, kept while something of it is still to be read. */
struct chunk {
	size_t users;
	struct buf frame;
	struct arena arena;
};

/* What one response holds of a partition. */
struct fetched {
	struct chunk *chunk;
	struct slice bytes;			/* what is left of the batches */
	size_t size;				/* what it counts in fetched_bytes */
	int64_t next_offset;			/* behind the last whole batch */
	struct fetch_response_aborted *aborted; /* by first offset; in the chunk */
	size_t aborted_count, aborted_at;	/* those before aborted_at have begun */
	int64_t *active; /* producers whose transaction was aborted, likewise */
	size_t active_count;
	struct fetched *next;
};

/* What is kept of a partition that is read. */
struct source {
	struct broker_target *bt;
	struct fetch_part *part;
	struct cluster_topic *topic;
	int64_t position; /* part->offset as we left it: another one is a seek */
	int64_t asked;	  /* the offset of the fetch under way, or the last */
	struct fetched *first, **last;
	size_t queued;
	struct fetch_ask *fetch; /* under way; or NULL */
	unsigned wanted;	 /* the turn of the last fetch call that had it */
	bool is_looked_at;	 /* at this position */
	bool has_error;		 /* target_next is to give it */
	struct err error;
	struct err why;	  /* of the last try that failed */
	struct err fatal; /* for the whole fetch: its topic is gone */
	int tries;
	int64_t retry_ns, failing_since_ns;
	struct offsets_call bounds; /* after OFFSET_OUT_OF_RANGE */
	struct offset_query queries[2];
	bool is_asking_bounds;
	struct source *next, **link;
};

/* target_broker_source.c: NULL: no memory. Drops what lies here if the caller has gone
 * elsewhere. */
struct source *source_for(struct broker_target *bt, struct fetch_part *p);

/* Where the next fetch begins. */
int64_t source_next_offset(const struct source *s);

/* The answer that comes is for where we are, no seek was made since. */
bool source_is_current(const struct source *s);

/* The topic's id: the one that was meant, else as metadata says. */
struct uuid source_topic_id(const struct source *s);

/* Queues an answer's records; *chunk is made of the ask when it is first needed. */
int source_add(struct source *s, struct chunk **chunk, struct ask *a,
    const struct fetch_response_partition *p, struct err *err);

/* Asks where the log begins and ends, to tell of an offset that it does not have. */
void source_ask_bounds(struct source *s);

/* target_broker_fetch.c */
void fetch_ask_forget(struct fetch_ask *fa, const struct source *s);

#endif
