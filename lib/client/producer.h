/*
 * producer: records in, batches out.
 *
 * Fills a batch per partition, chooses partitions, compresses, keeps order
 * within a partition, and tells what was acknowledged.
 *
 * When a batch leaves: when it is full (batch bytes or records), when it is
 * older than linger_ms, at producer_flush, and at producer_pause, which the
 * caller calls when its input would block: then a batch leaves at once if
 * nothing of its partition is in flight, else as soon as that is acknowledged.
 * So a line of `tail -f` is never delayed, and a fast writer of single lines
 * does not cost a sync a line.
 */
#ifndef CLIENT_PRODUCER_H
#define CLIENT_PRODUCER_H

#include "client/target.h"

enum partitioner {
	PARTITION_MURMUR2, /* Java's: keyless records stick to one partition a batch */
	PARTITION_CRC32,   /* librdkafka's consistent_random: crc32 of the key */
	PARTITION_FNV1A,   /* sarama's */
	PARTITION_RR,      /* round robin, keys do not matter */
	PARTITION_RANDOM,
};

/* The partition for a key, pure. -1: the key does not decide (no key; for
 * crc32 also an empty one). */
int32_t partition_for_key(enum partitioner p, const void *key, int32_t key_size, int32_t count);

/* A batch that was acknowledged, or failed; in order within its partition. */
struct producer_ack {
	const char *topic;
	int32_t partition;
	int64_t base_offset;
	int32_t record_count;
	int64_t timestamp;     /* of its first record, or append time */
	const int64_t *inputs; /* the caller's number of each record, see producer_send;
	                        * NULL without `numbered` */
};

struct producer_config {
	enum target_acks acks;
	enum codec codec; /* where the topic has none of its own (compression.type) */
	int level;
	size_t batch_bytes;    /* 0: what the target likes */
	int32_t batch_records; /* 0: no limit */
	int64_t linger_ms;     /* -1: only full, paused or flushed */
	enum partitioner partitioner;
	bool numbered; /* acknowledgements name each record's `input` */
	void (*acked)(void *ctx, const struct producer_ack *ack); /* may be NULL */
	/* A batch that failed for good. Return true to go on with the others. */
	bool (*failed)(void *ctx, const struct producer_ack *which, const struct err *err);
	void *ctx;
};

void producer_config_default(struct producer_config *c);

struct producer;
struct producer_topic;

struct producer *producer_new(struct target *t, const struct producer_config *c, struct err *err);

/* Frees; what was not flushed is lost. */
void producer_free(struct producer *p);

/* The topic of that name, which the target may make now. It is the producer's.
 * NULL: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, ERR_NOMEM, or the
 * error that stopped the producer. */
struct producer_topic *producer_topic(struct producer *p, const char *name, struct err *err);

/* Adds a record: to `partition`, or -1: the partitioner's choice. `input` is a
 * number of the caller's (a line), given back in acks. The record's timestamp
 * is used as it is. Key, value and headers are copied.
 * Returns 0; -1 with UNKNOWN_TOPIC_OR_PARTITION, MESSAGE_TOO_LARGE, ERR_NOMEM,
 * or the error that stopped the producer. Blocks (turns the loop) while too much
 * is in flight. */
int producer_send(struct producer *p, struct producer_topic *topic, int32_t partition,
    const struct record *rec, int64_t input, struct err *err);

/* The caller's input would block now. */
void producer_pause(struct producer *p);

/* -1, with err, if something failed for good, so that nothing more is taken: who
 * waits for input asks, since no call of its own will say so. */
int producer_check(const struct producer *p, struct err *err);

/* Sends everything and waits until all is acknowledged, or something failed for
 * good. */
int producer_flush(struct producer *p, struct err *err);

#endif
