#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "log/batch.h"

/* The most that the numbers of a record take: its size, attributes, timestamp
 * and offset deltas, three lengths. */
#define RECORD_NUMBERS_MAX (5 + 1 + 10 + 5 + 3 * 5)

static void
batch_builder_set_head(struct batch_builder *bb)
{
	bb->head = (struct batch){
	    .magic = BATCH_MAGIC,
	    .leader_epoch = -1,
	    .base_timestamp = NO_TIMESTAMP,
	    .max_timestamp = NO_TIMESTAMP,
	    .producer_id = NO_PRODUCER,
	    .producer_epoch = -1,
	    .base_sequence = NO_SEQUENCE,
	};
	bb->last_delta = -1;
	bb->base_set = false;
}

void
batch_builder_init(struct batch_builder *bb, enum codec codec, int level)
{
	*bb = (struct batch_builder){.codec = codec, .level = level};
	batch_builder_set_head(bb);
}

void
batch_builder_release(struct batch_builder *bb)
{
	buf_release(&bb->raw);
	buf_release(&bb->packed);
	batch_builder_set_head(bb);
}

void
batch_builder_reset(struct batch_builder *bb)
{
	buf_clear(&bb->raw);
	buf_clear(&bb->packed);
	batch_builder_set_head(bb);
}

void
batch_builder_set_range(struct batch_builder *bb, int64_t base_offset, int64_t last_offset)
{
	assert(bb->head.record_count == 0);
	assert(last_offset >= base_offset && last_offset - base_offset <= INT32_MAX);
	bb->head.base_offset = base_offset;
	bb->head.last_offset_delta = (int32_t)(last_offset - base_offset);
	bb->base_set = true;
}

/* --- encoding --------------------------------------------------------------- */

static inline uint32_t
zigzag(int32_t v)
{
	return (uint32_t)v << 1 ^ -(uint32_t)(v < 0);
}

static inline uint64_t
zigzag_long(int64_t v)
{
	return (uint64_t)v << 1 ^ -(uint64_t)(v < 0);
}

/* Bytes of a varint whose zigzag is `v`: one for every seven bits begun. */
static inline size_t
zigzag_size(uint64_t v)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);

	return (bits * 9 + 64) / 64;
}

static inline uint8_t *
zigzag_put(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static inline size_t
sized_size(int32_t size)
{
	return zigzag_size(zigzag(size < 0 ? -1 : size)) + (size < 0 ? 0 : (size_t)size);
}

static inline uint8_t *
sized_put(uint8_t *p, const uint8_t *data, int32_t size)
{
	p = zigzag_put(p, zigzag(size < 0 ? -1 : size));
	if (size <= 0)
		return p;
	memcpy(p, data, (size_t)size);
	return p + size;
}

static inline size_t
bytes_of(int32_t size)
{
	return size < 0 ? 0 : (size_t)size;
}

/* Makes room behind what is there for `rec` at its largest; for the header too
 * if it is the first. */
static int
record_reserve(struct batch_builder *bb, const struct record *rec, struct err *err)
{
	size_t len = bb->raw.len > 0 ? bb->raw.len : BATCH_HEADER;
	size_t most = RECORD_NUMBERS_MAX + bytes_of(rec->key_size) + bytes_of(rec->value_size);

	if (rec->headers.len > BATCH_SIZE_MAX || most + rec->headers.len > BATCH_SIZE_MAX - len)
		return err_set(err, ERR_MESSAGE_TOO_LARGE,
		    "a record of %zu bytes does not fit a batch of %zu, limit %d",
		    most + rec->headers.len, len, BATCH_SIZE_MAX);
	most += rec->headers.len + len - bb->raw.len;
	if (bb->raw.cap - bb->raw.len < most && buf_reserve(&bb->raw, most) == -1)
		return err_nomem(err);
	bb->raw.len = len;
	return 0;
}

/* Encodes behind what is there; record_reserve has made room. */
static inline void
record_encode(
    struct buf *raw, const struct record *rec, int64_t timestamp_delta, int32_t offset_delta)
{
	uint64_t time = zigzag_long(timestamp_delta), offset = zigzag(offset_delta);
	uint64_t headers = zigzag(rec->header_count);
	size_t body = 1 + zigzag_size(time) + zigzag_size(offset) + sized_size(rec->key_size) +
	              sized_size(rec->value_size) + zigzag_size(headers) + rec->headers.len;
	uint8_t *p = raw->data + raw->len;

	p = zigzag_put(p, zigzag((int32_t)body));
	*p++ = 0; /* attributes */
	p = zigzag_put(p, time);
	p = zigzag_put(p, offset);
	p = sized_put(p, rec->key, rec->key_size);
	p = sized_put(p, rec->value, rec->value_size);
	p = zigzag_put(p, headers);
	if (rec->headers.len > 0)
		memcpy(p, rec->headers.data, rec->headers.len);
	raw->len = (size_t)(p - raw->data) + rec->headers.len;
}

/* Adds at base + `delta`, which is in order. */
static int
batch_builder_put(
    struct batch_builder *bb, const struct record *rec, int32_t delta, struct err *err)
{
	struct batch *head = &bb->head;
	uint64_t timestamp_delta;

	assert(rec->header_count >= 0);
	if (record_reserve(bb, rec, err) == -1)
		return -1;
	if (head->record_count == 0 && (head->attributes & BATCH_DELETE_HORIZON) == 0)
		head->base_timestamp = rec->timestamp;
	timestamp_delta = (uint64_t)rec->timestamp - (uint64_t)head->base_timestamp;
	record_encode(&bb->raw, rec, (int64_t)timestamp_delta, delta);
	if (rec->timestamp > head->max_timestamp && !batch_is_append_time(head))
		head->max_timestamp = rec->timestamp;
	if (delta > head->last_offset_delta)
		head->last_offset_delta = delta;
	bb->last_delta = delta;
	head->record_count++;
	return 0;
}

/* --- adding ----------------------------------------------------------------- */

int
batch_builder_add(struct batch_builder *bb, const struct record *rec, struct err *err)
{
	if (bb->last_delta == INT32_MAX)
		return err_set(err, ERR_INVALID, "no offset is left in the batch");
	return batch_builder_put(bb, rec, bb->last_delta + 1, err);
}

int
batch_builder_add_at(struct batch_builder *bb, const struct record *rec, struct err *err)
{
	bool sets_base = bb->head.record_count == 0 && !bb->base_set;
	int64_t base = sets_base ? rec->offset : bb->head.base_offset;

	if (rec->offset < 0 || rec->offset < base || rec->offset - base <= bb->last_delta ||
	    rec->offset - base > INT32_MAX)
		return err_set(err, ERR_INVALID,
		    "offset %" PRId64 " in a batch from %" PRId64 ", whose last delta is %" PRId32,
		    rec->offset, base, bb->last_delta);
	if (batch_builder_put(bb, rec, (int32_t)(rec->offset - base), err) == -1)
		return -1;
	bb->head.base_offset = base;
	return 0;
}

/* --- finishing -------------------------------------------------------------- */

/* Room for the header alone. */
static int
batch_builder_finish_empty(struct batch_builder *bb, struct err *err)
{
	buf_clear(&bb->raw);
	return buf_extend(&bb->raw, BATCH_HEADER) != NULL ? 0 : err_nomem(err);
}

static int
batch_builder_pack(struct batch_builder *bb, struct err *err)
{
	buf_clear(&bb->packed);
	if (buf_extend(&bb->packed, BATCH_HEADER) == NULL)
		return err_nomem(err);
	return codec_compress(bb->codec, bb->level, bb->raw.data + BATCH_HEADER,
	    bb->raw.len - BATCH_HEADER, &bb->packed, err);
}

int
batch_builder_finish(struct batch_builder *bb, struct batch *out, struct err *err)
{
	struct batch head = bb->head;
	struct buf *whole = &bb->raw;

	head.attributes &= ~BATCH_CODEC_MASK;
	if (head.record_count == 0) {
		if (batch_builder_finish_empty(bb, err) == -1)
			return -1;
		head.attributes &= ~BATCH_DELETE_HORIZON;
		head.base_timestamp = NO_TIMESTAMP;
	} else if (bb->codec != CODEC_NONE) {
		if (batch_builder_pack(bb, err) == -1)
			return -1;
		head.attributes |= (int16_t)bb->codec;
		whole = &bb->packed;
	}
	if (whole->len > BATCH_SIZE_MAX)
		return err_set(err, ERR_MESSAGE_TOO_LARGE, "a batch of %zu bytes, limit %d",
		    whole->len, BATCH_SIZE_MAX);
	head.size = (int64_t)whole->len;
	batch_seal(whole->data, &head);
	if (batch_view(whole->data, whole->len, out) != BATCH_OK)
		assert(!"a batch that was just sealed is whole");
	return 0;
}
