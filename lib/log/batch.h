/*
 * batch: Kafka's record batch, version 2, and the records in it.
 *
 * log is the log on disk: batches, compression, indexes, segments, recovery,
 * retention, compaction, and the small files beside them. It knows files
 * through lib/os and knows nothing of topics, groups, locks between processes
 * or networks. It is plain synchronous code.
 *
 * Layout of a batch (big-endian; share/doc/format.md): 61 bytes of header, then
 * the records, compressed as one stream if the attributes say so. The checksum
 * covers everything from byte 21 on, so base offset and leader epoch can be set
 * in place. A batch is opaque on its way: it is read with batch_view, checked,
 * stamped and written as it came; only whoever wants its records opens it.
 *
 * Sources: Kafka's DefaultRecordBatch, DefaultRecord; KIP-98, KIP-110, KIP-534.
 */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "base/bytes.h"
#include "base/error.h"
#include "log/compress.h"

#define BATCH_PREFIX 12 /* base offset and length: not counted in `length` */
#define BATCH_HEADER 61 /* up to the first record */
#define BATCH_MAGIC 2

/* Bits of the attributes. */
#define BATCH_CODEC_MASK 0x07
#define BATCH_LOG_APPEND_TIME 0x08
#define BATCH_TRANSACTIONAL 0x10
#define BATCH_CONTROL 0x20
#define BATCH_DELETE_HORIZON 0x40

#define NO_TIMESTAMP (-1)
#define NO_PRODUCER (-1)
#define NO_SEQUENCE (-1)

/* A batch in memory: its header decoded, and where its bytes are. The bytes
 * belong to whoever holds them; a view lives as long as they do. */
struct batch {
	const uint8_t *bytes; /* from the base offset on */
	int64_t size;         /* BATCH_PREFIX + length: the whole of it on disk */
	int64_t base_offset;
	int32_t length;
	int32_t leader_epoch;
	int8_t magic;
	uint32_t crc;
	int16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp; /* or the delete horizon, if that bit is set */
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count;
};

/* What is wrong with some bytes that should be a batch, in the order in which
 * it is looked for. */
enum batch_fault {
	BATCH_OK,
	BATCH_SHORT,      /* fewer bytes are here than the batch says, or than a header */
	BATCH_BAD_LENGTH, /* the length field cannot be: too small, or above BATCH_SIZE_MAX */
	BATCH_BAD_MAGIC,  /* not version 2 (0 and 1 are Kafka's old formats) */
	BATCH_BAD_CRC,
	BATCH_BAD_HEADER,  /* negative counts or deltas */
	BATCH_BAD_RECORDS, /* the records do not parse or do not agree with the header */
	BATCH_BAD_OFFSET,  /* offsets do not follow those before */
};

/* The largest batch that mq reads or writes: Kafka's default
 * socket.request.max.bytes, which no batch can exceed. */
#define BATCH_SIZE_MAX (100 << 20)

/* The most bytes that the records of one batch may take once decompressed.
 * Beyond it a batch is a decompression bomb: BATCH_BAD_RECORDS. Reading is by
 * a sliding window, so this bounds time, not memory. */
#define BATCH_INFLATED_MAX (1LL << 30)

/* The largest record that is read, decompressed: what bounds the window. */
#define RECORD_SIZE_MAX BATCH_SIZE_MAX

/* "short", "length", "magic", "crc", "header", "records", "offset": the words
 * that mq-dump-log prints. */
const char *batch_fault_name(enum batch_fault fault);

/* Offsets that there can be, the next one included. What has only its header
 * checked may have others, and none may be computed from them. */
static inline bool
batch_offsets_ok(const struct batch *b)
{
	return b->last_offset_delta >= 0 && b->base_offset >= 0 &&
	    b->base_offset <= INT64_MAX - b->last_offset_delta - 1;
}

static inline int64_t
batch_last_offset(const struct batch *b)
{
	return b->base_offset + b->last_offset_delta;
}

static inline int64_t
batch_next_offset(const struct batch *b)
{
	return b->base_offset + b->last_offset_delta + 1;
}

/* May be a number that no codec has: Kafka keeps such a batch as opaque as any
 * other, so batch_check lets it pass; what opens the records refuses it. */
static inline enum codec
batch_codec(const struct batch *b)
{
	return (enum codec)(b->attributes & BATCH_CODEC_MASK);
}

static inline bool
batch_is_control(const struct batch *b)
{
	return (b->attributes & BATCH_CONTROL) != 0;
}

static inline bool
batch_is_transactional(const struct batch *b)
{
	return (b->attributes & BATCH_TRANSACTIONAL) != 0;
}

static inline bool
batch_is_append_time(const struct batch *b)
{
	return (b->attributes & BATCH_LOG_APPEND_TIME) != 0;
}

/* The last sequence number, with the wrap from 2147483647 to 0; NO_SEQUENCE if
 * there is none. */
int32_t batch_last_sequence(const struct batch *b);

/* `sequence` + `by` with that wrap. */
int32_t sequence_add(int32_t sequence, int32_t by);

/* Decodes the header of what lies at `data` without looking at the records.
 * BATCH_OK: `b` is filled and all its bytes are within `len`. BATCH_SHORT: `b`
 * is filled as far as whole fields fit, the rest is zero (size is 0 if not even
 * the length fits), so that a caller can read `b->size` bytes and ask again.
 * BATCH_BAD_LENGTH and BATCH_BAD_MAGIC are told as soon as their field is there;
 * `b` is filled as far. Kafka's old formats (magic 0, 1) are BAD_MAGIC even
 * where they are shorter than a header of version 2. */
enum batch_fault batch_view(const void *data, size_t len, struct batch *b);

/* Header only, for readers that have no more than `len` >= BATCH_HEADER bytes
 * of it in memory: as batch_view, but the records need not be there. */
enum batch_fault batch_view_header(const void *data, size_t len, struct batch *b);

/* Checks the checksum and that the header makes sense in itself. Attribute bits
 * without a meaning are ignored, as Kafka ignores them. */
enum batch_fault batch_check(const struct batch *b);

/* As batch_check; also opens the records and holds them against the header:
 * lengths, count, nothing left over, offsets that rise within the batch's
 * range. With `strict_offsets`, as Kafka's LogValidator wants it of a produced
 * batch, the deltas are 0..n-1, n is last_offset_delta + 1 and at least 1. An
 * unknown codec is BATCH_BAD_HEADER. `err` says what (UNSUPPORTED_COMPRESSION_TYPE
 * for a codec, else ERR_CORRUPT); it is also how to tell a failure of ours
 * (ERR_NOMEM, snappy not installed), which is BATCH_BAD_RECORDS too. */
enum batch_fault batch_check_records(const struct batch *b, bool strict_offsets, struct err *err);

/* Sets fields in place, in the bytes of a whole batch. The first two are outside
 * the checksum; batch_set_append_time rewrites max timestamp and type, and the
 * checksum if either changed; batch_set_max_timestamp and batch_set_producer those
 * fields and the checksum. A view of the bytes must be taken anew. */
void batch_set_base_offset(uint8_t *bytes, int64_t base_offset);
void batch_set_leader_epoch(uint8_t *bytes, int32_t leader_epoch);
void batch_set_append_time(uint8_t *bytes, int64_t timestamp);
void batch_set_max_timestamp(uint8_t *bytes, int64_t timestamp);
void batch_set_producer(uint8_t *bytes, int64_t id, int16_t epoch, int32_t base_sequence);

/* Writes the header at `bytes` (BATCH_HEADER and more) from `b`, with length
 * from `size` and the checksum computed over the bytes that follow. What `b`
 * holds in `bytes`, `length`, `magic` and `crc` is not looked at. */
void batch_seal(uint8_t *bytes, const struct batch *b);

/* --- records --------------------------------------------------------------- */

struct record_header {
	const char *name; /* UTF-8, not NUL-terminated */
	int32_t name_size;
	const uint8_t *value;
	int32_t value_size; /* -1: null */
};

/* One record. Key, value and headers point into somebody's bytes. Any negative
 * size is null when read from disk, as in Kafka; here it is then -1. */
struct record {
	int64_t offset;
	int64_t timestamp; /* ms; of the batch if it has log append time */
	const uint8_t *key;
	int32_t key_size; /* -1: null */
	const uint8_t *value;
	int32_t value_size; /* -1: null */
	int32_t header_count;
	struct slice headers; /* encoded, without the count; see record_header_next */
};

/* Walks the headers: `at` starts as cursor_of(r->headers.data, r->headers.len).
 * Returns 1 with the next one, 0 at the end, -1 if they are malformed, which
 * those of a record from record_reader_next are not. */
int record_header_next(struct cursor *at, struct record_header *h);

/* Appends one encoded header, for building a record's `headers`. */
void record_header_put(struct buf *b, const struct record_header *h);

/* Reads the records of a batch, decompressing as it goes in bounded memory. */
struct record_reader {
	const struct batch *batch;
	struct decompressor inflate;
	struct buf window; /* inflated bytes that are not consumed yet */
	size_t window_at;
	struct cursor plain;  /* the records, if not compressed */
	int64_t inflated;     /* bytes so far */
	int32_t left;         /* records still to come */
	int32_t offset_delta; /* of the record last returned */
};

/* A zeroed reader may be opened again and again; it keeps its memory until
 * record_reader_release. The batch must be a whole view that outlives its use;
 * its checksum is not looked at. Returns 0 or -1: as decompress_open. */
int record_reader_open(struct record_reader *r, const struct batch *b, struct err *err);

/* Returns 1 with the next record, whose slices live until the next call; 0
 * after the last, when nothing is left over; -1 if the bytes are bad
 * (ERR_CORRUPT, text without offset of the batch: the caller prefixes where) or
 * memory is short; then close or open anew. What Kafka's DefaultRecord refuses
 * is refused, and no more: offsets are not held against the header. A batch
 * whose count is 0 has no records, whatever lies behind its header. */
int record_reader_next(struct record_reader *r, struct record *rec, struct err *err);

void record_reader_release(struct record_reader *r);

/* --- building -------------------------------------------------------------- */

/* Collects records and makes a batch of them. Uncompressed records are encoded
 * straight behind room for the header, so that nothing is copied twice. */
struct batch_builder {
	struct buf raw;    /* BATCH_HEADER bytes of room, then encoded records */
	struct buf packed; /* the same compressed */
	struct batch head; /* what is known of the header so far */
	enum codec codec;
	int level;
	int32_t last_delta; /* of the record last added, -1: none */
	bool base_set;      /* by batch_builder_set_range */
};

void batch_builder_init(struct batch_builder *bb, enum codec codec, int level);
void batch_builder_release(struct batch_builder *bb);

/* Starts anew, keeps memory, codec and level; the head is as after init. */
void batch_builder_reset(struct batch_builder *bb);

/* Adds a record; its offset becomes the last one's + 1 (the first's: the base),
 * record->offset is not looked at. The first record's timestamp becomes the
 * base timestamp, unless the head has BATCH_DELETE_HORIZON: then its
 * base_timestamp, the horizon, was set by the caller. Returns 0, or -1 and the
 * builder is as before: ERR_NOMEM, MESSAGE_TOO_LARGE above BATCH_SIZE_MAX. */
int batch_builder_add(struct batch_builder *bb, const struct record *rec, struct err *err);

/* Adds a record at a given offset, above the last one's: for compaction and
 * mirrors, which keep offsets. The first record sets the base offset, unless
 * batch_builder_set_range did. Also ERR_INVALID: an offset that does not rise,
 * or more than 2^31 - 1 above the base. */
int batch_builder_add_at(struct batch_builder *bb, const struct record *rec, struct err *err);

/* Before the first record: the batch will span these offsets, whatever records
 * it gets; compaction keeps the range of what it thins out, as Kafka does. A
 * record beyond `last_offset` widens it. */
void batch_builder_set_range(struct batch_builder *bb, int64_t base_offset, int64_t last_offset);

/* Bytes that the batch would take now, uncompressed. */
static inline size_t
batch_builder_size(const struct batch_builder *bb)
{
	return bb->raw.len > 0 ? bb->raw.len : BATCH_HEADER;
}

/* Compresses and seals with what bb->head holds (base offset 0, epoch -1, no
 * producer, unless the caller set them there; attributes other than the codec
 * are taken from it; with log append time, max_timestamp too, so set it before
 * finishing). The bytes belong to the builder until its next reset or add.
 * Returns 0 and a view, or -1: as codec_compress, or MESSAGE_TOO_LARGE. An empty builder gives
 * Kafka's empty batch: no codec, no delete horizon, base timestamp -1; max_timestamp and
 * last_offset_delta as the caller set them. */
int batch_builder_finish(struct batch_builder *bb, struct batch *out, struct err *err);

#endif
