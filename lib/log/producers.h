/*
 * producers: what a partition knows of idempotent and transactional producers,
 * its snapshot file (OFFSET.snapshot), and the index of aborted transactions
 * (BASE.txnindex).
 *
 * The state is a function of the log: it can always be made again by replaying
 * batch headers, from a snapshot or from the start.
 *
 * Sources: Kafka's ProducerStateManager, ProducerAppendInfo, TransactionIndex,
 * ProducerSnapshot.json; KIP-98, KIP-360, KIP-890.
 */
#ifndef LOG_PRODUCERS_H
#define LOG_PRODUCERS_H

#include "base/map.h"
#include "log/batch.h"
#include "os/os.h"

#define PRODUCER_BATCHES 5 /* newest batches remembered per producer, for duplicates */

struct producer_batch {
	int32_t last_sequence;
	int64_t last_offset;
	int32_t offset_delta; /* last minus first */
	int64_t timestamp;
};

/* What the log remembers of one producer (Kafka: ProducerStateEntry). */
struct producer_entry {
	int64_t id;
	int16_t epoch;
	int32_t coordinator_epoch;
	int64_t last_timestamp;
	int64_t txn_first_offset; /* of the open transaction; -1 if none */
	struct producer_batch batches[PRODUCER_BATCHES]; /* oldest first */
	int batch_count;
};

struct producers {
	struct map by_id; /* 8 bytes big-endian -> struct producer_entry, owned */
	int64_t end_offset; /* the state is that of the log up to here */
};

/* An aborted transaction, as one entry of a .txnindex (34 bytes). */
struct aborted_txn {
	int64_t producer_id;
	int64_t first_offset, last_offset;
	int64_t last_stable_offset;
};

void producers_init(struct producers *p);
void producers_release(struct producers *p);
void producers_clear(struct producers *p, int64_t end_offset);

struct producer_entry *producers_find(const struct producers *p, int64_t id);

/* Takes one batch in: sequence and timestamps, begin of a transaction, and for
 * a control batch (whose first record is opened) its end. `aborted` may be
 * NULL; else it is filled and *has_aborted set when the batch is an abort marker
 * that ends an open transaction. A batch without producer id only moves
 * end_offset. Malformed markers: ERR_CORRUPT. */
int producers_replay(struct producers *p, const struct batch *b, struct aborted_txn *aborted,
    bool *has_aborted, struct err *err);

/* May a batch with a producer id be appended? By Kafka's checks of a leader, in their
 * order; `sequences`: of a client, else only epochs count. 0; 1: it is there already,
 * `same` says where; -1: INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER,
 * INVALID_TXN_STATE. Of an unknown producer all is taken (KIP-360). */
int producers_check(const struct producers *p, const struct batch *b, bool sequences,
    struct producer_batch *same, struct err *err);

/* First offset of the oldest open transaction, or -1. */
int64_t producers_first_unstable(const struct producers *p);

/* Drops producers without an open transaction whose newest batch is older than
 * `before_ms`, by its own timestamps, and lies below `below_offset`: one that sends old
 * records now is not idle. */
void producers_expire(struct producers *p, int64_t before_ms, int64_t below_offset);

/* Snapshot content and back (version 1, checksummed). */
int producers_encode(const struct producers *p, struct buf *out, struct err *err);
int producers_decode(struct producers *p, const void *data, size_t len, int64_t end_offset,
    struct err *err);

/* DIR/OFFSET.snapshot: replaced durably; the read one checks everything. */
int producers_write_snapshot(const struct producers *p, struct os *os, const char *dir,
    struct err *err);
int producers_read_snapshot(struct producers *p, struct os *os, const char *dir, int64_t offset,
    struct err *err);

/* The newest OFFSET.snapshot that is sound and not above `max_offset`; its
 * offset, or -1 if there is none (the state is then empty, and err->code is 0)
 * or the directory could not be read (err->code says so). Unsound ones are noted
 * and passed over. */
int64_t producers_load_newest(struct producers *p, struct os *os, const char *dir,
    int64_t max_offset, struct err *err);

/* One .txnindex entry to and from its 34 bytes. -1: version other than 0. */
#define TXNINDEX_ENTRY 34
void aborted_encode(const struct aborted_txn *a, uint8_t out[TXNINDEX_ENTRY]);
int aborted_decode(struct aborted_txn *a, const uint8_t in[TXNINDEX_ENTRY]);

#endif
