#include "log/batch.h"

#include <assert.h>

#include "base/hash.h"

/* Where the fields are. */
enum {
	AT_LENGTH = 8,
	AT_LEADER_EPOCH = 12,
	AT_MAGIC = 16,
	AT_CRC = 17,
	AT_ATTRIBUTES = 21, /* the checksum begins here */
	AT_LAST_OFFSET_DELTA = 23,
	AT_BASE_TIMESTAMP = 27,
	AT_MAX_TIMESTAMP = 35,
	AT_PRODUCER_ID = 43,
	AT_PRODUCER_EPOCH = 51,
	AT_BASE_SEQUENCE = 53,
	AT_RECORD_COUNT = 57,
};

#define BATCH_ATTRIBUTES_KNOWN 0x7f

/* The least that the length can say: of this version, and of Kafka's first. */
#define LENGTH_MIN (BATCH_HEADER - BATCH_PREFIX)
#define LENGTH_MIN_OLD 14

const char *
batch_fault_name(enum batch_fault fault)
{
	static const char *const names[] = {
	    [BATCH_OK] = "ok",
	    [BATCH_SHORT] = "short",
	    [BATCH_BAD_LENGTH] = "length",
	    [BATCH_BAD_MAGIC] = "magic",
	    [BATCH_BAD_CRC] = "crc",
	    [BATCH_BAD_HEADER] = "header",
	    [BATCH_BAD_RECORDS] = "records",
	    [BATCH_BAD_OFFSET] = "offset",
	};

	return names[fault];
}

int32_t
sequence_add(int32_t sequence, int32_t by)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)by) & INT32_MAX);
}

int32_t
batch_last_sequence(const struct batch *b)
{
	if (b->base_sequence < 0)
		return NO_SEQUENCE;
	return sequence_add(b->base_sequence, b->last_offset_delta);
}

/* The fields behind the checksum; all of the header is there. */
static void
batch_get_fields(const uint8_t *p, struct batch *b)
{
	b->attributes = (int16_t)be16_get(p + AT_ATTRIBUTES);
	b->last_offset_delta = (int32_t)be32_get(p + AT_LAST_OFFSET_DELTA);
	b->base_timestamp = (int64_t)be64_get(p + AT_BASE_TIMESTAMP);
	b->max_timestamp = (int64_t)be64_get(p + AT_MAX_TIMESTAMP);
	b->producer_id = (int64_t)be64_get(p + AT_PRODUCER_ID);
	b->producer_epoch = (int16_t)be16_get(p + AT_PRODUCER_EPOCH);
	b->base_sequence = (int32_t)be32_get(p + AT_BASE_SEQUENCE);
	b->record_count = (int32_t)be32_get(p + AT_RECORD_COUNT);
}

/* Fills `b` with the fields that `len` bytes hold whole: all of them, or those
 * before the checksum's range one by one. */
static void
batch_get(const uint8_t *p, size_t len, struct batch *b)
{
	*b = (struct batch){.bytes = p};
	if (len >= AT_LENGTH)
		b->base_offset = (int64_t)be64_get(p);
	if (len < BATCH_PREFIX)
		return;
	b->length = (int32_t)be32_get(p + AT_LENGTH);
	b->size = (int64_t)b->length + BATCH_PREFIX;
	if (len >= AT_MAGIC)
		b->leader_epoch = (int32_t)be32_get(p + AT_LEADER_EPOCH);
	if (len > AT_MAGIC)
		b->magic = (int8_t)p[AT_MAGIC];
	if (len >= AT_ATTRIBUTES)
		b->crc = be32_get(p + AT_CRC);
	if (len >= BATCH_HEADER)
		batch_get_fields(p, b);
}

static bool
batch_length_ok(const struct batch *b, size_t len)
{
	if (b->size > BATCH_SIZE_MAX || b->length < LENGTH_MIN_OLD)
		return false;
	if (b->length >= LENGTH_MIN || len <= AT_MAGIC)
		return true;
	return b->magic == 0 || b->magic == 1;
}

enum batch_fault
batch_view_header(const void *data, size_t len, struct batch *b)
{
	batch_get(data, len, b);
	if (len < BATCH_PREFIX)
		return BATCH_SHORT;
	if (!batch_length_ok(b, len))
		return BATCH_BAD_LENGTH;
	if (len > AT_MAGIC && b->magic != BATCH_MAGIC)
		return BATCH_BAD_MAGIC;
	return len < BATCH_HEADER ? BATCH_SHORT : BATCH_OK;
}

enum batch_fault
batch_view(const void *data, size_t len, struct batch *b)
{
	enum batch_fault fault = batch_view_header(data, len, b);

	if (fault == BATCH_OK && (uint64_t)b->size > len)
		return BATCH_SHORT;
	return fault;
}

static uint32_t
batch_crc(const uint8_t *bytes, int64_t size)
{
	return crc32c(0, bytes + AT_ATTRIBUTES, (size_t)size - AT_ATTRIBUTES);
}

enum batch_fault
batch_check(const struct batch *b)
{
	if (batch_crc(b->bytes, b->size) != b->crc)
		return BATCH_BAD_CRC;
	return b->record_count >= 0 && batch_offsets_ok(b) ? BATCH_OK : BATCH_BAD_HEADER;
}

static enum batch_fault
batch_check_err(const struct batch *b, struct err *err)
{
	enum batch_fault fault = batch_check(b);

	if (fault == BATCH_BAD_CRC)
		err_set(
		    err, ERR_CORRUPT, "crc %08x, want %08x", b->crc, batch_crc(b->bytes, b->size));
	else if (fault == BATCH_BAD_HEADER)
		err_set(err, ERR_CORRUPT, "base offset %lld, last offset delta %d, %d records",
		    (long long)b->base_offset, b->last_offset_delta, b->record_count);
	return fault;
}

/* What LogValidator wants to see in the header of a produced batch. */
static enum batch_fault
batch_check_strict(const struct batch *b, struct err *err)
{
	if (b->record_count > 0 && b->record_count - 1 == b->last_offset_delta)
		return BATCH_OK;
	err_set(err, ERR_CORRUPT, "%d records, last offset delta %d", b->record_count,
	    b->last_offset_delta);
	return BATCH_BAD_RECORDS;
}

static bool
batch_delta_ok(const struct record_reader *r, int32_t last_delta, bool strict)
{
	if (strict)
		return r->offset_delta == last_delta + 1;
	return r->offset_delta > last_delta && r->offset_delta <= r->batch->last_offset_delta;
}

static enum batch_fault
batch_read_through(struct record_reader *r, const struct batch *b, bool strict, struct err *err)
{
	struct record rec;
	int32_t last_delta = -1;
	int rc;

	if (record_reader_open(r, b, err) == -1)
		return BATCH_BAD_RECORDS;
	while ((rc = record_reader_next(r, &rec, err)) == 1) {
		if (!batch_delta_ok(r, last_delta, strict)) {
			err_set(err, ERR_CORRUPT, "offset delta %d after %d, last of the batch %d",
			    r->offset_delta, last_delta, b->last_offset_delta);
			return BATCH_BAD_RECORDS;
		}
		last_delta = r->offset_delta;
	}
	return rc == 0 ? BATCH_OK : BATCH_BAD_RECORDS;
}

enum batch_fault
batch_check_records(const struct batch *b, bool strict_offsets, struct err *err)
{
	struct record_reader reader = {0};
	enum batch_fault fault = batch_check_err(b, err);

	if (fault == BATCH_OK && batch_codec(b) >= CODEC_COUNT) {
		err_set(err, ERR_UNSUPPORTED_COMPRESSION_TYPE, "codec %d", batch_codec(b));
		fault = BATCH_BAD_HEADER;
	}
	if (fault == BATCH_OK && strict_offsets)
		fault = batch_check_strict(b, err);
	if (fault != BATCH_OK)
		return fault;
	fault = batch_read_through(&reader, b, strict_offsets, err);
	record_reader_release(&reader);
	return fault;
}

void
batch_set_base_offset(uint8_t *bytes, int64_t base_offset)
{
	be64_put(bytes, (uint64_t)base_offset);
}

void
batch_set_leader_epoch(uint8_t *bytes, int32_t leader_epoch)
{
	be32_put(bytes + AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

static void
batch_set_crc(uint8_t *bytes)
{
	int64_t size = (int64_t)be32_get(bytes + AT_LENGTH) + BATCH_PREFIX;

	be32_put(bytes + AT_CRC, batch_crc(bytes, size));
}

void
batch_set_append_time(uint8_t *bytes, int64_t timestamp)
{
	uint16_t attributes = be16_get(bytes + AT_ATTRIBUTES);

	if ((attributes & BATCH_LOG_APPEND_TIME) != 0 &&
	    (int64_t)be64_get(bytes + AT_MAX_TIMESTAMP) == timestamp)
		return;
	/* Kafka builds the attributes anew, so bits without a meaning go. */
	attributes = (attributes & BATCH_ATTRIBUTES_KNOWN) | BATCH_LOG_APPEND_TIME;
	be16_put(bytes + AT_ATTRIBUTES, attributes);
	be64_put(bytes + AT_MAX_TIMESTAMP, (uint64_t)timestamp);
	batch_set_crc(bytes);
}

void
batch_set_max_timestamp(uint8_t *bytes, int64_t timestamp)
{
	be64_put(bytes + AT_MAX_TIMESTAMP, (uint64_t)timestamp);
	batch_set_crc(bytes);
}

void
batch_set_producer(uint8_t *bytes, int64_t id, int16_t epoch, int32_t base_sequence)
{
	be64_put(bytes + AT_PRODUCER_ID, (uint64_t)id);
	be16_put(bytes + AT_PRODUCER_EPOCH, (uint16_t)epoch);
	be32_put(bytes + AT_BASE_SEQUENCE, (uint32_t)base_sequence);
	batch_set_crc(bytes);
}

void
batch_seal(uint8_t *bytes, const struct batch *b)
{
	assert(b->size >= BATCH_HEADER && b->size <= BATCH_SIZE_MAX);
	be64_put(bytes, (uint64_t)b->base_offset);
	be32_put(bytes + AT_LENGTH, (uint32_t)(b->size - BATCH_PREFIX));
	be32_put(bytes + AT_LEADER_EPOCH, (uint32_t)b->leader_epoch);
	bytes[AT_MAGIC] = BATCH_MAGIC;
	be16_put(bytes + AT_ATTRIBUTES, (uint16_t)b->attributes);
	be32_put(bytes + AT_LAST_OFFSET_DELTA, (uint32_t)b->last_offset_delta);
	be64_put(bytes + AT_BASE_TIMESTAMP, (uint64_t)b->base_timestamp);
	be64_put(bytes + AT_MAX_TIMESTAMP, (uint64_t)b->max_timestamp);
	be64_put(bytes + AT_PRODUCER_ID, (uint64_t)b->producer_id);
	be16_put(bytes + AT_PRODUCER_EPOCH, (uint16_t)b->producer_epoch);
	be32_put(bytes + AT_BASE_SEQUENCE, (uint32_t)b->base_sequence);
	be32_put(bytes + AT_RECORD_COUNT, (uint32_t)b->record_count);
	batch_set_crc(bytes);
}
