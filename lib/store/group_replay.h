/*
 * group_replay: one partition of the offsets topic, read from its start and then on,
 * with its transactions.
 *
 * A record of a transaction counts once its commit marker comes, but at its own
 * offset: one that was written behind it stays the newest (as in Kafka's
 * OffsetMetadataManager).
 *
 * Knows batches and lib/log's reader; knows no store. For the tools and for mqd.
 */
#ifndef STORE_GROUP_REPLAY_H
#define STORE_GROUP_REPLAY_H

#include "log/reader.h"

/* The last batch that was read. */
struct group_mark {
	int64_t base_offset;
	int32_t size; /* 0: none */
	uint32_t crc;
};

/* A record of a transaction that is still open. */
struct group_held {
	int64_t producer_id, at;
	uint8_t *key, *value; /* owned; value NULL: a tombstone */
	size_t key_len, value_len;
};

/* The caller sets the upper part. */
struct group_replay {
	/* Are records of this key of interest? */
	bool (*wants)(void *ctx, struct slice key);

	/* One record, at its offset, once it counts: those of an aborted transaction do
	 * not come, those of a committed one at its marker. A NULL value is a tombstone.
	 * Return -1 with err to stop. */
	int (*record)(void *ctx, int64_t at, struct slice key, const struct slice *value,
	    struct err *err);

	/* What cannot be read, up to and with an offset; with file and byte. */
	void (*damaged)(void *ctx, int64_t last, const char *text);
	void *ctx;
	size_t bytes_max; /* of open transactions, as they are kept until their end */

	struct reader *from; /* NULL while there is nothing to read */
	struct group_mark last;
	const char *dir;
	struct group_held *held; /* records of open transactions */
	size_t count, cap, bytes;
};

/* Reads all that r->from, which stands at the start or behind what was read, has now;
 * r->dir is its directory, for messages. After an error release it. ERR_TOO_LARGE. */
int group_replay_read(struct group_replay *r, struct err *err);
void group_replay_release(struct group_replay *r);

/* The group that a key is of, and the key's type; -1 if it cannot be read. All
 * types begin with the group's name. */
int group_key_group(struct slice key, struct slice *group);

#endif
