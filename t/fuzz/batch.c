/*
 * batch: bytes that say they are a record batch.
 *
 * The input is taken three ways: as it is; as a batch whose length, version,
 * codec and checksum were repaired, for each codec, so that what lies behind
 * those checks is reached; and as the records of a batch, plain and compressed.
 * Nothing may be read out of bounds, and what the checks let pass must hold:
 * the header agrees with the records, and the builder makes the same of them.
 * What a codec compresses at any level comes back as it was.
 *
 * Input: which call of malloc fails; a codec and a level, in a byte each; the bytes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "log/batch.h"

#define INPUT_MAX 65536

/* Reads every byte, so that one out of bounds is seen. */
static uint32_t
touch(const uint8_t *data, int64_t len)
{
	uint32_t sum = 0;

	for (int64_t i = 0; i < len; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static uint32_t
touch_record(const struct record *rec)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;
	uint32_t sum = (uint32_t)rec->timestamp + (uint32_t)rec->offset;
	int32_t headers = 0;

	assert(rec->key_size >= -1 && rec->value_size >= -1);
	sum = sum * 31 + touch(rec->key, rec->key_size);
	sum = sum * 31 + touch(rec->value, rec->value_size);
	for (; record_header_next(&at, &h) == 1; headers++) {
		sum = sum * 31 + touch((const uint8_t *)h.name, h.name_size);
		sum = sum * 31 + touch(h.value, h.value_size);
	}
	assert(cursor_done(&at) && headers == rec->header_count);
	return sum;
}

/* Reads to the end or the first error. Returns the sum of all records. */
static uint32_t
read_records(const struct batch *b, bool *good)
{
	static struct record_reader reader; /* reused: it must open anew from any state */
	struct record rec;
	struct err err;
	uint32_t sum = 0;
	int32_t n = 0;
	int rc = record_reader_open(&reader, b, &err);

	while (rc == 0 && (rc = record_reader_next(&reader, &rec, &err)) == 1) {
		sum = sum * 31 + touch_record(&rec);
		n++;
		rc = 0;
	}
	assert(n <= b->record_count || n == 0);
	*good = rc == 0;
	return sum;
}

/* The builder gives a batch of the same records. */
static int
build_again(const struct batch *b, struct batch_builder *bb, struct batch *built)
{
	struct record_reader reader = {0};
	struct record rec;
	struct err err;
	int rc, ret = 0;

	bb->head.attributes = b->attributes;
	bb->head.base_timestamp = b->base_timestamp;
	bb->head.max_timestamp = b->max_timestamp;
	batch_builder_set_range(bb, b->base_offset, batch_last_offset(b));
	rc = record_reader_open(&reader, b, &err);
	while (rc == 0 && ret == 0 && (rc = record_reader_next(&reader, &rec, &err)) == 1) {
		ret = batch_builder_add_at(bb, &rec, &err);
		rc = 0;
	}
	record_reader_release(&reader);
	return rc == -1 || ret == -1 ? -1 : batch_builder_finish(bb, built, &err);
}

static void
rebuild(const struct batch *b, uint32_t sum)
{
	struct batch_builder bb;
	struct batch built;
	struct err err;
	uint32_t built_sum;
	bool good;

	batch_builder_init(&bb, CODEC_LZ4, CODEC_LEVEL_DEFAULT);
	if (build_again(b, &bb, &built) == 0) {
		fuzz_memory(0);
		assert(batch_check_records(&built, false, &err) == BATCH_OK);
		built_sum = read_records(&built, &good);
		assert(good && built_sum == sum);
		assert(batch_last_offset(&built) == batch_last_offset(b));
	} else {
		assert(fuzz_memory_failed());
	}
	batch_builder_release(&bb);
}

static void
look_at(const uint8_t *data, size_t size)
{
	struct batch b;
	struct err err;
	uint32_t sum;
	bool good, fits;

	batch_view_header(data, size, &b);
	if (batch_view(data, size, &b) != BATCH_OK)
		return;
	sum = read_records(&b, &good);
	fits = batch_check_records(&b, false, &err) == BATCH_OK;
	assert(good || !fits || fuzz_memory_failed());
	if (batch_check_records(&b, true, &err) == BATCH_OK)
		assert(fits || fuzz_memory_failed());
	if (good && fits)
		rebuild(&b, sum);
}

/* Makes a good header of what is there, with `codec`. */
static void
look_repaired(const uint8_t *data, size_t size, int codec)
{
	unsigned held = fuzz_memory_hold();
	uint8_t *bytes = malloc(size);
	struct batch b;

	fuzz_memory_resume(held);
	memcpy(bytes, data, size);
	bytes[16] = BATCH_MAGIC;
	be32_put(bytes + 8, (uint32_t)(size - BATCH_PREFIX));
	batch_view(bytes, size, &b);
	b.attributes = (int16_t)((b.attributes & ~BATCH_CODEC_MASK) | codec);
	b.base_offset &= INT64_MAX >> 1;
	b.last_offset_delta &= INT32_MAX;
	batch_seal(bytes, &b);
	look_at(bytes, size);
	free(bytes);
}

/* The input as records: their number and last offset are in its first bytes. */
static void
look_as_records(const uint8_t *data, size_t size, enum codec codec)
{
	struct batch b = {
	    .attributes = (int16_t)codec, .record_count = data[0], .last_offset_delta = data[1]};
	struct buf bytes = BUF_INIT;
	struct err err;

	if (buf_extend(&bytes, BATCH_HEADER) != NULL &&
	    codec_compress(codec, CODEC_LEVEL_DEFAULT, data + 2, size - 2, &bytes, &err) == 0) {
		b.size = (int64_t)bytes.len;
		batch_seal(bytes.data, &b);
		look_at(bytes.data, bytes.len);
	}
	buf_release(&bytes);
}

/* Reads a stream in steps of `step` bytes. */
static int
decompress(enum codec codec, struct slice in, size_t step, struct buf *out, struct err *err)
{
	static struct decompressor d; /* as the reader above */
	uint8_t piece[4096];
	ssize_t got = decompress_open(&d, codec, in, err);

	while (got == 0 && (got = decompress_read(&d, piece, step, err)) > 0) {
		buf_put(out, piece, (size_t)got);
		got = 0;
		if (d.ended)
			break;
	}
	return got == -1 || out->failed ? -1 : 0;
}

static void
try_codec(enum codec codec, int level, const uint8_t *data, size_t size)
{
	struct buf bytes = BUF_INIT, back = BUF_INIT;
	const char *name = codec_name(codec);
	enum codec again;
	struct err err;

	if (codec_parse(name, strlen(name), &again) == 0)
		assert(again == codec);
	if (codec_compress(codec, level, data, size, &bytes, &err) == -1) {
		assert(!codec_level_ok(codec, level) || fuzz_memory_failed());
	} else if (decompress(codec, (struct slice){bytes.data, bytes.len}, 1 + size % 4096, &back,
		       &err) == -1) {
		assert(fuzz_memory_failed() || (codec != CODEC_NONE && bytes.len == 0));
	} else {
		assert(back.len == size && (size == 0 || memcmp(back.data, data, size) == 0));
	}
	buf_release(&bytes);
	buf_release(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	uint8_t codec = fuzz_byte(&c);
	int8_t level = (int8_t)fuzz_byte(&c);
	struct slice rest = fuzz_rest(&c);

	if (rest.len == 0 || size > INPUT_MAX)
		return 0;
	fuzz_memory(fail);
	try_codec((enum codec)(codec % 6), level == INT8_MIN ? CODEC_LEVEL_DEFAULT : level, rest.data,
	    rest.len);
	look_at(rest.data, rest.len);
	for (int i = 0; rest.len >= BATCH_HEADER && i < CODEC_COUNT; i++)
		look_repaired(rest.data, rest.len, i);
	if (rest.len >= 2) {
		look_as_records(rest.data, rest.len, CODEC_NONE);
		look_as_records(rest.data, rest.len, CODEC_LZ4);
	}
	fuzz_memory(0);
	return 0;
}
