/* Record batches: the bytes are Kafka's, every record comes back, and bytes that
 * are cut, damaged or lying are told as what they are. */
#include "log/batch.h"

#include <stdlib.h>

#include "base/hash.h"
#include "tap.h"

#define T0 1700000000000

static struct err err;

/* --- helpers ---------------------------------------------------------------- */

static size_t
unhex(const char *hex, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; hex[0] != '\0'; hex += 2)
		out[n++] = (uint8_t)((strchr(digits, hex[0]) - digits) << 4 |
				     (strchr(digits, hex[1]) - digits));
	return n;
}

static struct record
record_of(const char *key, const char *value, int64_t timestamp)
{
	return (struct record){
	    .timestamp = timestamp,
	    .key = (const uint8_t *)key,
	    .key_size = key != NULL ? (int32_t)strlen(key) : -1,
	    .value = (const uint8_t *)value,
	    .value_size = value != NULL ? (int32_t)strlen(value) : -1,
	};
}

static void
add(struct batch_builder *bb, const char *key, const char *value, int64_t timestamp)
{
	struct record rec = record_of(key, value, timestamp);

	if (batch_builder_add(bb, &rec, &err) == -1)
		ok(false, "add: %s", err.text);
}

static bool
is_text(const uint8_t *data, int32_t size, const char *want)
{
	if (want == NULL)
		return size == -1;
	return size == (int32_t)strlen(want) && memcmp(data, want, (size_t)size) == 0;
}

/* Reads to the end. Returns the number of records, or -1. */
static int
count_records(const struct batch *b)
{
	struct record_reader r = {0};
	struct record rec;
	int n = 0, rc = record_reader_open(&r, b, &err);

	while (rc == 0 && (rc = record_reader_next(&r, &rec, &err)) == 1) {
		n++;
		rc = 0;
	}
	/* The end stays the end. */
	if (rc == 0 && n > 0 && record_reader_next(&r, &rec, &err) != 0)
		rc = -1;
	record_reader_release(&r);
	return rc == -1 ? -1 : n;
}

/* A batch of one record whose encoded form (with its size) is given, sealed. */
static struct batch
batch_of_raw(uint8_t *bytes, const char *records_hex, int32_t count)
{
	struct batch b = {.record_count = count, .last_offset_delta = count > 0 ? count - 1 : 0};

	b.size = BATCH_HEADER + (int64_t)unhex(records_hex, bytes + BATCH_HEADER);
	batch_seal(bytes, &b);
	batch_view(bytes, (size_t)b.size, &b);
	return b;
}

/* --- Kafka's own bytes ------------------------------------------------------ */

#define GOLDEN_ONE                                                                                 \
	"00000000000000000000003e0000000002675a95fd0000000000000000018bcfe568000000018bcfe56800"   \
	"ffffffffffffffffffffffffffff0000000118000000026b02760202680231"
#define GOLDEN_MARKER                                                                              \
	"0000000000000005000000420000000002f49faf310030000000000000018bcfe568000000018bcfe56800"   \
	"00000000000000070001ffffffff000000012000000008000000010c00000000000300"

static void
test_golden_build(void)
{
	struct record_header header = {"h", 1, (const uint8_t *)"1", 1};
	struct record rec = record_of("k", "v", T0);
	struct buf headers = BUF_INIT;
	struct batch_builder bb;
	struct batch b;
	uint8_t want[128];
	size_t len = unhex(GOLDEN_ONE, want);

	record_header_put(&headers, &header);
	rec.headers = (struct slice){headers.data, headers.len};
	rec.header_count = 1;
	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	bb.head.leader_epoch = 0;
	batch_builder_add(&bb, &rec, &err);
	is_int(batch_builder_size(&bb), (intmax_t)len, "the size is known before the end");
	ok(batch_builder_finish(&bb, &b, &err) == 0 && b.size == (int64_t)len, "it is built");
	is_mem(b.bytes, want, len, "one record with a header is Kafka's, byte for byte");

	len = unhex(GOLDEN_MARKER, want);
	batch_builder_reset(&bb);
	bb.head.leader_epoch = 0;
	bb.head.base_offset = 5;
	bb.head.attributes = BATCH_CONTROL | BATCH_TRANSACTIONAL;
	bb.head.producer_id = 7;
	bb.head.producer_epoch = 1;
	rec = (struct record){.timestamp = T0,
	    .key = (const uint8_t *)"\0\0\0\1",
	    .key_size = 4,
	    .value = (const uint8_t *)"\0\0\0\0\0\3",
	    .value_size = 6};
	batch_builder_add(&bb, &rec, &err);
	ok(batch_builder_finish(&bb, &b, &err) == 0 && b.size == (int64_t)len, "it is built");
	is_mem(b.bytes, want, len, "a commit marker is Kafka's, byte for byte");
	batch_builder_release(&bb);
	buf_release(&headers);
}

static void
test_golden_read(void)
{
	struct record_reader r = {0};
	struct record_header h;
	struct record rec;
	struct cursor at;
	struct batch b;
	uint8_t bytes[128];
	size_t len = unhex(GOLDEN_ONE, bytes);

	ok(batch_view(bytes, len, &b) == BATCH_OK && batch_check(&b) == BATCH_OK, "it is whole");
	ok(batch_check_records(&b, true, &err) == BATCH_OK, "its records are as they should be");
	ok(b.producer_id == NO_PRODUCER && b.base_sequence == NO_SEQUENCE &&
		batch_last_sequence(&b) == NO_SEQUENCE && b.max_timestamp == T0 &&
		batch_next_offset(&b) == 1,
	    "the header says what Kafka wrote");
	record_reader_open(&r, &b, &err);
	ok(record_reader_next(&r, &rec, &err) == 1, "there is a record");
	ok(is_text(rec.key, rec.key_size, "k") && is_text(rec.value, rec.value_size, "v") &&
		rec.timestamp == T0 && rec.offset == 0,
	    "its key, value, time and offset");
	ok(rec.value > bytes && rec.value < bytes + len, "it was not copied");
	at = cursor_of(rec.headers.data, rec.headers.len);
	ok(rec.header_count == 1 && record_header_next(&at, &h) == 1 && h.name_size == 1 &&
		h.name[0] == 'h' && is_text(h.value, h.value_size, "1"),
	    "its header");
	is_int(record_header_next(&at, &h), 0, "it has no other");
	is_int(record_reader_next(&r, &rec, &err), 0, "there is no other record");
	record_reader_release(&r);

	len = unhex(GOLDEN_MARKER, bytes);
	ok(batch_view(bytes, len, &b) == BATCH_OK &&
		batch_check_records(&b, true, &err) == BATCH_OK,
	    "a marker is whole");
	ok(batch_is_control(&b) && batch_is_transactional(&b) && b.producer_id == 7 &&
		b.base_offset == 5,
	    "a marker is a control batch of its producer");
}

/* --- views ------------------------------------------------------------------ */

static void
test_views(void)
{
	struct batch b;
	uint8_t bytes[128];
	size_t len = unhex(GOLDEN_ONE, bytes), wrong = 0;

	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, bytes, n);
		if (batch_view(cut, n, &b) != BATCH_SHORT ||
		    b.size != (n < BATCH_PREFIX ? 0 : (int64_t)len))
			wrong++;
		free(cut);
	}
	is_int(wrong, 0, "cut anywhere it is short, and says its size once the length is there");
	ok(batch_view_header(bytes, BATCH_HEADER, &b) == BATCH_OK && b.record_count == 1,
	    "a header can be seen alone");
	ok(batch_view(bytes, len + 20 > sizeof(bytes) ? len : len + 20, &b) == BATCH_OK &&
		b.size == (int64_t)len,
	    "what follows does not matter");

	bytes[16] = 3;
	is_int(batch_view(bytes, len, &b), BATCH_BAD_MAGIC, "a future version is told as such");
	bytes[16] = 1;
	be32_put(bytes + 8, 30);
	is_int(batch_view(bytes, len, &b), BATCH_BAD_MAGIC, "so is a short message of an old one");
	bytes[16] = 2;
	is_int(batch_view(bytes, len, &b), BATCH_BAD_LENGTH, "a length below a header is bad");
	be32_put(bytes + 8, 0);
	is_int(batch_view(bytes, BATCH_PREFIX, &b), BATCH_BAD_LENGTH, "a length of zero is bad");
	be32_put(bytes + 8, 0xffffffff);
	is_int(batch_view(bytes, len, &b), BATCH_BAD_LENGTH, "a negative length is bad");
	be32_put(bytes + 8, BATCH_SIZE_MAX - BATCH_PREFIX + 1);
	is_int(batch_view(bytes, len, &b), BATCH_BAD_LENGTH, "a length above the limit is bad");
	be32_put(bytes + 8, BATCH_SIZE_MAX - BATCH_PREFIX);
	is_int(batch_view(bytes, len, &b), BATCH_SHORT, "one at the limit is just not here yet");
}

static void
test_flips(void)
{
	struct batch b;
	uint8_t bytes[128];
	size_t len = unhex(GOLDEN_ONE, bytes), unseen = 0;

	for (size_t bit = 17 * 8; bit < len * 8; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (batch_view(bytes, len, &b) != BATCH_OK || batch_check(&b) != BATCH_BAD_CRC)
			unseen++;
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	is_int(unseen, 0, "every flipped bit from the checksum on is seen by it");
	batch_view(bytes, len, &b);
	b.crc++;
	ok(batch_check_records(&b, true, &err) == BATCH_BAD_CRC && strstr(err.text, "want") != NULL,
	    "a bad checksum is told with the good one");
}

static void
test_bad_headers(void)
{
	struct batch b;
	uint8_t bytes[128];

	b = batch_of_raw(bytes, "0e00000001027600", 1);
	ok(batch_check(&b) == BATCH_OK && batch_check_records(&b, true, &err) == BATCH_OK,
	    "a batch made by hand is good");
	b.attributes = 0x0f80;
	batch_seal(bytes, &b);
	batch_view(bytes, (size_t)b.size, &b);
	is_int(batch_check_records(&b, true, &err), BATCH_OK, "unknown attribute bits are ignored");
	b.attributes = 5;
	batch_seal(bytes, &b);
	batch_view(bytes, (size_t)b.size, &b);
	is_int(batch_check(&b), BATCH_OK, "a batch of an unknown codec may be kept");
	ok(batch_check_records(&b, true, &err) == BATCH_BAD_HEADER &&
		err.code == ERR_UNSUPPORTED_COMPRESSION_TYPE,
	    "but not opened");
	ok(count_records(&b) == -1 && err.code == ERR_UNSUPPORTED_COMPRESSION_TYPE, "nor read");
	b = batch_of_raw(bytes, "", -1);
	is_int(batch_check(&b), BATCH_BAD_HEADER, "a negative count is bad");
	is_int(count_records(&b), -1, "and gives no records");
	b.record_count = 0;
	b.last_offset_delta = -1;
	batch_seal(bytes, &b);
	batch_view(bytes, (size_t)b.size, &b);
	is_int(batch_check(&b), BATCH_BAD_HEADER, "a negative last offset delta is bad");
	b = batch_of_raw(bytes, "", 0);
	batch_set_base_offset(bytes, INT64_MAX);
	batch_view(bytes, (size_t)b.size, &b);
	is_int(batch_check(&b), BATCH_BAD_HEADER, "an offset that has no next is bad");
}

/* --- records that do not parse ---------------------------------------------- */

static void
test_raw_record(const char *hex, int32_t count, int want, const char *what)
{
	uint8_t bytes[256];
	struct batch b = batch_of_raw(bytes, hex, count);
	struct batch_builder bb;

	is_int(count_records(&b), want, "%s: %s", want == -1 ? "refused" : "read", what);

	/* The same through the window of a compressed batch. */
	batch_builder_init(&bb, CODEC_LZ4, CODEC_LEVEL_DEFAULT);
	buf_extend(&bb.packed, BATCH_HEADER);
	codec_compress(CODEC_LZ4, CODEC_LEVEL_DEFAULT, bytes + BATCH_HEADER,
	    (size_t)b.size - BATCH_HEADER, &bb.packed, &err);
	b.size = (int64_t)bb.packed.len;
	b.attributes = CODEC_LZ4;
	batch_seal(bb.packed.data, &b);
	batch_view(bb.packed.data, bb.packed.len, &b);
	is_int(
	    count_records(&b), want, "%s, compressed: %s", want == -1 ? "refused" : "read", what);
	batch_builder_release(&bb);
}

/* size, attributes, timestamp delta, offset delta, key size, value size and
 * value, number of headers, headers */
static void
test_raw_records(void)
{
	test_raw_record("0e00000001027600", 1, 1, "a record");
	test_raw_record("0e000000010276000e00000201027600", 2, 2, "two records");
	test_raw_record("0e00000001027600", 2, -1, "a record is missing");
	test_raw_record("0e000000010276000e00000201027600", 1, -1, "one too many");
	test_raw_record("0e0000000102760000", 1, -1, "a byte behind the last record");
	test_raw_record("10000000010276007a", 1, -1, "a byte behind the fields");
	test_raw_record("1000000001027600", 1, -1, "a size one above");
	test_raw_record("0c00000001027600", 1, -1, "a size one below");
	test_raw_record("0c000000010276", 1, -1, "no number of headers");
	test_raw_record("0eff000001027600", 1, 1, "attributes have no meaning");
	test_raw_record("0e00000009027600", 1, 1, "a key size of -5 is null, as in Kafka");
	test_raw_record("0e00000001017600", 1, -1, "a null value with a byte behind it");
	test_raw_record("0e00000010027600", 1, -1, "a key longer than the record");
	test_raw_record("0e00000001fe7600", 1, -1, "a value longer than the record");
	test_raw_record("0e00000001027601", 1, -1, "a negative number of headers");
	test_raw_record("0e00000001027602", 1, -1, "a header that is not there");
	test_raw_record("1400000001027602026100", 1, 1, "a header");
	test_raw_record("160000000102760202610001", 1, -1, "more than the headers");
	test_raw_record("12000000010276020261", 1, -1, "a header without a value");
	test_raw_record("12000000010276020001", 1, 1, "a header with an empty name, null value");
	test_raw_record("12000000010276020101", 1, -1, "a header with a null name");
	test_raw_record("12000000010276020009", 1, 1, "a header value size of -5 is null");
	test_raw_record("01", 1, -1, "a negative size");
	test_raw_record("00", 1, -1, "an empty record");
	test_raw_record("feffffff0f00", 1, -1, "a size of 2^31 - 1");
	test_raw_record("ffffffffff0f00", 1, -1, "a size of six bytes");
	test_raw_record("8e8080800000000001027600", 1, 1, "a size in five bytes");
}

static void
test_offsets(void)
{
	static const char *const two[] = {
	    "0e000000010276000e00000201027600", /* 0, 1 */
	    "0e000000010276000e00000401027600", /* 0, 2 */
	    "0e000002010276000e00000201027600", /* 1, 1 */
	    "0e000001010276000e00000201027600", /* -1, 1 */
	};
	static const bool good[4][2] = {
	    {true, true}, {true, false}, {false, false}, {false, false}};
	uint8_t bytes[128];
	struct batch b;

	for (int i = 0; i < 4; i++) {
		b = batch_of_raw(bytes, two[i], 2);
		b.last_offset_delta = i == 1 ? 2 : 1;
		batch_seal(bytes, &b);
		batch_view(bytes, (size_t)b.size, &b);
		for (int strict = 0; strict < 2; strict++)
			is_int(batch_check_records(&b, strict, &err) == BATCH_OK, good[i][strict],
			    "offset deltas, case %d, strict %d", i, strict);
	}
	b = batch_of_raw(bytes, two[0], 2);
	b.last_offset_delta = 0;
	batch_seal(bytes, &b);
	batch_view(bytes, (size_t)b.size, &b);
	is_int(batch_check_records(&b, false, &err), BATCH_BAD_RECORDS,
	    "a record beyond the last offset");
	b = batch_of_raw(bytes, "", 0);
	is_int(batch_check_records(&b, false, &err), BATCH_OK, "no records are fine in a log");
	is_int(batch_check_records(&b, true, &err), BATCH_BAD_RECORDS, "but not from a producer");
}

/* --- round trips ------------------------------------------------------------ */

static void
text_fill(char *p, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		if (i % 5 == 0)
			seed = seed * 1103515245 + 12345;
		p[i] = (char)('a' + (seed >> 16) % 26);
	}
	p[len] = '\0';
}

/* Three records, the middle one of `len` bytes, and one of nulls. */
static void
test_round_trip(enum codec codec, size_t len)
{
	char *value = malloc(len + 1);
	struct batch_builder bb;
	struct record_reader r = {0};
	struct record rec;
	struct batch b;
	bool good;

	text_fill(value, len, 7);
	batch_builder_init(&bb, codec, CODEC_LEVEL_DEFAULT);
	bb.head.base_offset = 1000;
	add(&bb, "first", "", T0);
	add(&bb, "", value, T0 - 5);
	add(&bb, NULL, "third", T0 + 70000);
	add(&bb, NULL, NULL, T0 + 3);
	good = batch_builder_finish(&bb, &b, &err) == 0 && batch_codec(&b) == codec &&
	       batch_check_records(&b, true, &err) == BATCH_OK && b.base_timestamp == T0 &&
	       b.max_timestamp == T0 + 70000 && batch_last_offset(&b) == 1003 &&
	       record_reader_open(&r, &b, &err) == 0 && record_reader_next(&r, &rec, &err) == 1 &&
	       is_text(rec.key, rec.key_size, "first") && is_text(rec.value, rec.value_size, "") &&
	       rec.offset == 1000 && rec.timestamp == T0 &&
	       record_reader_next(&r, &rec, &err) == 1 && is_text(rec.key, rec.key_size, "") &&
	       is_text(rec.value, rec.value_size, value) && rec.offset == 1001 &&
	       rec.timestamp == T0 - 5 && record_reader_next(&r, &rec, &err) == 1 &&
	       is_text(rec.key, rec.key_size, NULL) &&
	       is_text(rec.value, rec.value_size, "third") && rec.timestamp == T0 + 70000 &&
	       record_reader_next(&r, &rec, &err) == 1 && rec.key_size == -1 &&
	       rec.value_size == -1 && record_reader_next(&r, &rec, &err) == 0;
	ok(good, "%s: a record of %zu bytes between small ones", codec_name(codec), len);
	batch_builder_release(&bb);
	record_reader_release(&r);
	free(value);
}

/* Many small records, so that they cross the window's edge at all phases. */
static void
test_many(enum codec codec)
{
	struct batch_builder bb;
	struct record_reader r = {0};
	struct record rec;
	struct batch b;
	char value[300];
	int n = 0, bad = 0;

	batch_builder_init(&bb, codec, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < 5000; i++) {
		text_fill(value, (size_t)(i % 290), (unsigned)i);
		add(&bb, "k", value, T0 + i);
	}
	batch_builder_finish(&bb, &b, &err);
	record_reader_open(&r, &b, &err);
	for (; record_reader_next(&r, &rec, &err) == 1; n++) {
		text_fill(value, (size_t)(n % 290), (unsigned)n);
		if (!is_text(rec.value, rec.value_size, value) || rec.offset != n)
			bad++;
	}
	ok(n == 5000 && bad == 0, "%s: five thousand records come back", codec_name(codec));
	ok(r.window.cap <= 65536, "%s: in a window of 64 KiB at most", codec_name(codec));
	record_reader_release(&r);
	batch_builder_release(&bb);
}

static void
test_cut_and_flipped(enum codec codec)
{
	struct batch_builder bb;
	struct batch b, cut;
	char value[200];
	int taken = 0;

	batch_builder_init(&bb, codec, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < 5; i++) {
		text_fill(value, 150, (unsigned)i);
		add(&bb, NULL, value, T0 + i);
	}
	batch_builder_finish(&bb, &b, &err);

	/* Cut, and sealed as if it were whole. */
	for (int64_t n = BATCH_HEADER; n < b.size; n++) {
		uint8_t *bytes = malloc((size_t)n);

		memcpy(bytes, b.bytes, (size_t)n);
		cut = b;
		cut.size = n;
		batch_seal(bytes, &cut);
		batch_view(bytes, (size_t)n, &cut);
		if (batch_check_records(&cut, true, &err) != BATCH_BAD_RECORDS)
			taken++;
		free(bytes);
	}
	is_int(
	    taken, 0, "%s: cut at any byte under a good checksum it is refused", codec_name(codec));

	/* Damaged under a good checksum: whatever is read, it ends. */
	for (int64_t bit = BATCH_HEADER * 8; bit < b.size * 8; bit++) {
		uint8_t *bytes = malloc((size_t)b.size);

		memcpy(bytes, b.bytes, (size_t)b.size);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		batch_seal(bytes, &b);
		batch_view(bytes, (size_t)b.size, &cut);
		if (count_records(&cut) > 5)
			taken++;
		free(bytes);
	}
	is_int(taken, 0, "%s: damaged it gives no more than its records", codec_name(codec));
	batch_builder_release(&bb);
}

/* --- bombs ------------------------------------------------------------------ */

/* A zstd frame that says 2^`log` zeros, in blocks of one repeated byte. */
static void
bomb_put(struct buf *out, const void *start, size_t start_len, int64_t blocks)
{
	static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3 | 0};
	uint32_t raw = (uint32_t)start_len << 3, rle = 131072 << 3 | 1 << 1;

	buf_put(out, frame, sizeof(frame));
	buf_put(out, (uint8_t[]){(uint8_t)raw, (uint8_t)(raw >> 8), (uint8_t)(raw >> 16)}, 3);
	buf_put(out, start, start_len);
	for (int64_t i = 0; i < blocks; i++) {
		uint32_t head = rle | (i == blocks - 1);

		buf_put(out,
		    (uint8_t[]){(uint8_t)head, (uint8_t)(head >> 8), (uint8_t)(head >> 16), 0}, 4);
	}
}

static struct batch
bomb_batch(struct buf *bytes, const char *start_hex, int64_t blocks, int32_t count)
{
	uint8_t start[64];
	size_t start_len = unhex(start_hex, start);
	struct batch b = {
	    .attributes = CODEC_ZSTD, .record_count = count, .last_offset_delta = count - 1};

	buf_clear(bytes);
	buf_extend(bytes, BATCH_HEADER);
	bomb_put(bytes, start, start_len, blocks);
	b.size = (int64_t)bytes->len;
	batch_seal(bytes->data, &b);
	batch_view(bytes->data, bytes->len, &b);
	return b;
}

static void
test_bombs(void)
{
	struct buf bytes = BUF_INIT;
	struct record_reader r = {0};
	struct record rec;
	struct batch b;

	/* A record of 2^30 - 1 bytes, claimed in a stream of some hundred. */
	b = bomb_batch(&bytes, "feffffff07", 10, 1);
	record_reader_open(&r, &b, &err);
	ok(record_reader_next(&r, &rec, &err) == -1 && err.code == ERR_CORRUPT,
	    "a record above the limit is refused");
	ok(r.window.cap <= 4 << 20, "before memory is taken for it");

	/* A record of 64 MiB, claimed where there is 1 MiB. */
	b = bomb_batch(&bytes, "80808040", 8, 1);
	record_reader_open(&r, &b, &err);
	ok(record_reader_next(&r, &rec, &err) == -1 && strstr(err.text, "cut short") != NULL,
	    "a record that is not there is refused");
	ok(r.window.cap <= 4 << 20, "memory grows with bytes, not with claims");
	record_reader_release(&r);

	/* One small record, and 1.1 GiB behind it. */
	b = bomb_batch(&bytes, "0e00000001027600", 9000, 1);
	ok(batch_check_records(&b, true, &err) == BATCH_BAD_RECORDS,
	    "a bomb behind the last record");
	ok(b.size < 40000, "of %d bytes", (int)b.size);

	/* A stream of records of 50 MiB, 1.1 GiB in all. */
	b = bomb_batch(&bytes, "", 9000, 100);
	ok(batch_check_records(&b, false, &err) == BATCH_BAD_RECORDS, "zeros are no records");
	buf_release(&bytes);
}

/* --- building --------------------------------------------------------------- */

static int
add_at(struct batch_builder *bb, int64_t offset)
{
	struct record rec = record_of("k", "v", T0);

	rec.offset = offset;
	return batch_builder_add_at(bb, &rec, &err);
}

static void
test_add_at(void)
{
	struct batch_builder bb;
	struct record_reader r = {0};
	struct record rec;
	struct batch b;

	batch_builder_init(&bb, CODEC_GZIP, CODEC_LEVEL_DEFAULT);
	ok(add_at(&bb, 100) == 0 && add_at(&bb, 105) == 0, "offsets may leave gaps");
	ok(add_at(&bb, 105) == -1 && err.code == ERR_INVALID, "but must rise");
	ok(add_at(&bb, 99) == -1, "and not fall below the first");
	ok(add_at(&bb, 100 + (1LL << 31)) == -1, "nor be too far from it");
	add(&bb, "k", "v", T0);
	batch_builder_finish(&bb, &b, &err);
	ok(b.base_offset == 100 && b.last_offset_delta == 6 && b.record_count == 3,
	    "a plain add goes on behind them");
	record_reader_open(&r, &b, &err);
	record_reader_next(&r, &rec, &err);
	is_int(rec.offset, 100, "the first offset comes back");
	record_reader_next(&r, &rec, &err);
	is_int(rec.offset, 105, "so does the second");
	is_int(batch_check_records(&b, false, &err), BATCH_OK, "gaps are fine in a log");
	is_int(batch_check_records(&b, true, &err), BATCH_BAD_RECORDS, "but not from a producer");

	batch_builder_reset(&bb);
	batch_builder_set_range(&bb, 90, 120);
	ok(add_at(&bb, 89) == -1 && add_at(&bb, 95) == 0, "a range is kept");
	batch_builder_finish(&bb, &b, &err);
	ok(b.base_offset == 90 && batch_last_offset(&b) == 120 && b.record_count == 1,
	    "though its ends have no records");
	record_reader_open(&r, &b, &err);
	record_reader_next(&r, &rec, &err);
	is_int(rec.offset, 95, "the record is where it was");
	record_reader_release(&r);
	batch_builder_release(&bb);
}

/* Kafka's writeEmptyHeader: what compaction leaves of a producer's last batch. */
static void
test_empty(void)
{
	struct batch_builder bb;
	struct batch b;
	uint8_t want[BATCH_HEADER];

	batch_builder_init(&bb, CODEC_ZSTD, CODEC_LEVEL_DEFAULT);
	is_int(batch_builder_size(&bb), BATCH_HEADER, "an empty batch is its header");
	batch_builder_set_range(&bb, 40, 49);
	bb.head.leader_epoch = 2;
	bb.head.attributes = BATCH_TRANSACTIONAL | BATCH_DELETE_HORIZON;
	bb.head.max_timestamp = T0;
	bb.head.producer_id = 7;
	bb.head.producer_epoch = 1;
	bb.head.base_sequence = INT32_MAX - 4;
	ok(batch_builder_finish(&bb, &b, &err) == 0, "it is built");
	unhex("00000000000000280000003100000002020000000000100000000"
	      "9ffffffffffffffff"
	      "0000018bcfe5680000000000000000070001"
	      "7ffffffb"
	      "00000000",
	    want);
	be32_put(want + 17, crc32c(0, want + 21, sizeof(want) - 21));
	is_mem(b.bytes, want, BATCH_HEADER, "codec, horizon and base timestamp are gone");
	is_int(batch_last_sequence(&b), 4, "the last sequence is kept, and wraps");
	is_int(count_records(&b), 0, "it has no records");
	is_int(batch_check_records(&b, false, &err), BATCH_OK, "and is in order");
	batch_builder_release(&bb);
}

static void
test_timestamps(void)
{
	struct batch_builder bb;
	struct record_reader r = {0};
	struct record rec;
	struct batch b;
	uint8_t *bytes;

	/* The base timestamp holds the horizon, and the records count from it. */
	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	bb.head.attributes = BATCH_DELETE_HORIZON;
	bb.head.base_timestamp = T0 + 86400000;
	add(&bb, "k", NULL, T0);
	batch_builder_finish(&bb, &b, &err);
	record_reader_open(&r, &b, &err);
	record_reader_next(&r, &rec, &err);
	ok(b.base_timestamp == T0 + 86400000 && b.max_timestamp == T0 && rec.timestamp == T0,
	    "a delete horizon does not move the records' time");

	bytes = malloc((size_t)b.size);
	memcpy(bytes, b.bytes, (size_t)b.size);
	batch_set_append_time(bytes, T0 + 9);
	batch_view(bytes, (size_t)b.size, &b);
	record_reader_open(&r, &b, &err);
	record_reader_next(&r, &rec, &err);
	ok(batch_check(&b) == BATCH_OK && batch_is_append_time(&b) && rec.timestamp == T0 + 9,
	    "append time is every record's time");
	batch_set_append_time(bytes, T0 + 9);
	ok(memcmp(bytes + 12, b.bytes + 12, (size_t)b.size - 12) == 0, "setting it twice is once");
	free(bytes);

	batch_builder_reset(&bb);
	add(&bb, "k", NULL, INT64_MAX);
	add(&bb, "k", NULL, INT64_MIN);
	batch_builder_finish(&bb, &b, &err);
	record_reader_open(&r, &b, &err);
	record_reader_next(&r, &rec, &err);
	record_reader_next(&r, &rec, &err);
	ok(rec.timestamp == INT64_MIN && b.max_timestamp == INT64_MAX, "deltas wrap, as Java's do");

	batch_builder_reset(&bb);
	bb.head.attributes = BATCH_LOG_APPEND_TIME;
	bb.head.max_timestamp = T0;
	add(&bb, "k", NULL, T0 + 50);
	batch_builder_finish(&bb, &b, &err);
	is_int(b.max_timestamp, T0, "the builder leaves append time to the caller");
	record_reader_release(&r);
	batch_builder_release(&bb);
}

static void
test_setters(void)
{
	struct batch b;
	uint8_t bytes[128];
	size_t len = unhex(GOLDEN_ONE, bytes);

	batch_set_base_offset(bytes, 77);
	batch_set_leader_epoch(bytes, 5);
	batch_view(bytes, len, &b);
	ok(b.base_offset == 77 && b.leader_epoch == 5 && b.crc == 0x675a95fd &&
		batch_check(&b) == BATCH_OK,
	    "offset and epoch are outside the checksum");
	batch_set_producer(bytes, 9, 3, INT32_MAX);
	batch_view(bytes, len, &b);
	ok(b.producer_id == 9 && b.producer_epoch == 3 && b.base_sequence == INT32_MAX &&
		batch_check(&b) == BATCH_OK,
	    "a producer is set, and sealed again");
	is_int(sequence_add(INT32_MAX, 1), 0, "sequences wrap to 0");
	is_int(sequence_add(INT32_MAX - 1, 5), 3, "and beyond");
	is_int(sequence_add(4, 0), 4, "and stay where they are");
}

static void
test_too_large(void)
{
	struct batch_builder bb;
	struct record rec = {.key_size = -1, .value_size = BATCH_SIZE_MAX};
	struct batch b;

	rec.value = malloc(1);
	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	add(&bb, "k", "v", T0);
	ok(batch_builder_add(&bb, &rec, &err) == -1 && err.code == ERR_MESSAGE_TOO_LARGE,
	    "a record that no batch can hold is refused");
	ok(batch_builder_finish(&bb, &b, &err) == 0 && count_records(&b) == 1,
	    "and the builder is as before");
	free((void *)(uintptr_t)rec.value);
	batch_builder_release(&bb);
}

int
main(void)
{
	static const size_t sizes[] = {0, 1, 63, 64, 8191, 8192, 65535, 65536, 65537, 1 << 20};

	test_golden_build();
	test_golden_read();
	test_views();
	test_flips();
	test_bad_headers();
	test_raw_records();
	test_offsets();
	for (int c = 0; c < CODEC_COUNT; c++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			test_round_trip((enum codec)c, sizes[i]);
		test_many((enum codec)c);
		test_cut_and_flipped((enum codec)c);
	}
	test_bombs();
	test_add_at();
	test_empty();
	test_timestamps();
	test_setters();
	test_too_large();
	return tap_done();
}
