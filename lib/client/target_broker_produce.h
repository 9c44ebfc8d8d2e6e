/* What the files of a broker target's producing share; for nobody else. */
#ifndef CLIENT_TARGET_BROKER_PRODUCE_H
#define CLIENT_TARGET_BROKER_PRODUCE_H

#include "client/target_broker_impl.h"

/* Requests under way to one leader: what a broker remembers of a producer is as much. */
#define IN_FLIGHT_MAX 5

struct pbatch {
	struct produce_call *call; /* NULL: withdrawn */
	struct outlet *outlet;
	struct pbatch *next;
	int32_t records;
	int32_t sequence; /* -1: none yet */
	bool is_flying;
	int64_t deadline_ns;
	struct err err; /* of the last try */
};

/* A partition that is produced to. */
struct outlet {
	struct broker_target *bt;
	struct cluster_topic *topic;
	int32_t partition;
	struct pbatch *first, **last; /* unfinished, in order */
	size_t flying;
	bool is_draining;
	bool is_anew;  /* when drained, numbers begin at 0 with the next epoch */
	bool is_known; /* the leader has taken a batch of this id and epoch */
	int tries;
	int64_t retry_ns;
	int64_t id;
	int16_t epoch;
	int32_t next_sequence;
	bool is_ready; /* in the list */
	struct outlet *next_ready;
};

/* A leader. */
struct sender {
	size_t flying; /* requests */
	struct produce_ask *building;
	size_t building_bytes;
};

struct produce_ask {
	struct ask ask;
	struct broker_target *bt;
	struct sender *sender;
	struct pbatch **batches;
	size_t count, cap;
	enum target_acks acks;
	bool by_name; /* some topic has no id */
	struct produce_ask *next, **link;
};

/* target_broker_produce.c */

/* It has something to send: the pump will look. */
void outlet_ready(struct outlet *o);

/* What an answer says of a batch; it ends, or goes again. */
void batch_answered(struct pbatch *b, const struct produce_response_partition *p);

/* A try failed as a whole; what was sent without acknowledgement goes by batch_end. */
void batch_failed(struct pbatch *b, const struct err *why);
void batch_fail(struct pbatch *b, const struct err *why);
void batch_end(struct pbatch *b, const struct err *why);

/* target_broker_send.c */

/* What is kept of a leader; NULL: no memory. */
struct sender *sender_find(struct broker_target *bt, int32_t node);

/* Puts a batch into the request that is being built for a leader. 1; 0: not now; -1: no
 * memory. */
int sender_add(struct broker_target *bt, struct sender *s, int32_t node, struct pbatch *b);

/* The request leaves. */
void sender_send(struct broker_target *bt, struct sender *s);

/* True if batches may leave: there is a producer id, or there will be none. */
bool producer_is_ready(struct broker_target *bt);

void broker_send_init(struct broker_target *bt);
void broker_send_free(struct broker_target *bt);

#endif
