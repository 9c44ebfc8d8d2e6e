/* What the files that make up producer share; nobody else includes it. */
#ifndef CLIENT_PRODUCER_IMPL_H
#define CLIENT_PRODUCER_IMPL_H

#include "base/map.h"
#include "client/producer.h"

/* The memory of a batch, in a list while it is not used. */
struct room {
	struct batch_builder builder;
	struct room *next;
};

/* A batch: first being filled, then under way. */
struct flight {
	struct produce_call call; /* first: completions come with it */
	struct room *room;        /* NULL once the target has taken the bytes */
	struct producer_ack ack;
	struct buf inputs; /* if `numbered`, int64_t each: the caller's numbers of the records */
	struct lane *lane;
	struct flight *next; /* in the list of free ones, or of those under way */
	struct flight **link; /* what points to one under way */
};

/* One partition: the batch being filled, and how many are in flight. */
struct lane {
	struct producer *producer;
	struct producer_topic *topic;
	int32_t partition;
	struct flight *open; /* NULL if there is no record to send */
	struct os_timer linger;
	size_t in_flight;
	bool waiting; /* paused: send what is open once nothing is in flight */
};

struct producer_topic {
	char *name;
	struct lane *lanes;
	int32_t count;
	enum codec codec;
	int level;
	size_t bytes_max;   /* of a batch (max.message.bytes); SIZE_MAX: not known */
	size_t batch_bytes; /* when one is full */
	int32_t sticky; /* where records without a key go now; -1: draw anew */
	int32_t turn;   /* of round robin */
};

struct producer {
	struct target *target;
	struct producer_config config;
	struct map topics;  /* name -> struct producer_topic */
	struct producer_topic *last; /* the one used last */
	struct flight *free;
	struct flight *under_way;
	struct room *rooms; /* free ones */
	size_t in_flight;
	struct err failure; /* what stopped it; code 0: nothing */
};

/* producer.c */
void flight_free(struct flight *f);

/* The linger of a lane, at its end: its `ctx` is the lane. */
void lane_lingered(struct os_timer *t);

/* producer_topics.c: with the batches that are open, not those under way. */
void producer_topic_free(struct producer *p, struct producer_topic *t);

/* The partition that a record of no particular one goes to. */
int32_t producer_topic_choose(struct producer *p, struct producer_topic *t,
    const struct record *rec);

#endif
