/* base: bytes, memory, hashes, ids and errors. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/uuid.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

/* Bit by bit, as the definition has it. */
static uint32_t
crc_by_bits(uint32_t crc, const uint8_t *p, size_t len)
{
	crc = ~crc;
	while (len-- > 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void
test_crc32c(void)
{
	static const size_t sizes[] = {191, 192, 193, 767, 768, 775, 6143, 6144, 6145, 7111, 20000};
	uint8_t *data = malloc(20008);
	uint32_t seed = 1;
	bool same = true;

	is_int(crc32c(0, "123456789", 9), 0xe3069283, "crc32c has its check value");
	is_int(crc32c_portable(0, "123456789", 9), 0xe3069283, "so has the portable one");
	is_int(crc32c(0, "", 0), 0, "crc32c of nothing is 0");
	is_int(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283, "crc32c goes on");
	if (data == NULL)
		abort();
	for (size_t i = 0; i < 20008; i++)
		data[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
	for (size_t len = 0; len < 600; len++) {
		uint32_t want = crc_by_bits(7, data + len % 8, len);

		same = same && crc32c(7, data + len % 8, len) == want &&
		       crc32c_portable(7, data + len % 8, len) == want;
	}
	ok(same, "crc32c by instruction, by table and by bits agree up to 600 bytes");
	same = true;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t want = crc_by_bits(0, data + i % 8, sizes[i]);

		same = same && crc32c(0, data + i % 8, sizes[i]) == want &&
		       crc32c_portable(0, data + i % 8, sizes[i]) == want;
	}
	ok(same, "they agree around the lengths where the stripes change");
	free(data);
}

static void
test_hashes(void)
{
	static const char hashes_to_min[] = "polygenelubricants";

	is_int(murmur2("21", 2), -973932308, "murmur2 of 21");
	is_int(murmur2("foobar", 6), -790332482, "murmur2 of foobar");
	is_int(murmur2("abc", 3), 479470107, "murmur2 of abc");
	is_int(murmur2("a-little-bit-long-string", 24), -985981536, "murmur2 of a long string");
	is_int(murmur2("", 0), 275646681, "murmur2 of nothing");
	is_int(fnv1a("", 0), 0x811c9dc5, "fnv1a of nothing is its basis");
	is_int(fnv1a("foobar", 6), 0xbf9cf968, "fnv1a of foobar");
	is_int(java_hash("abc", 3), 96354, "java_hash of abc");
	is_int(java_hash(hashes_to_min, 18), INT32_MIN, "java_hash wraps");
	is_int(java_hash("\xff\xc3", 2), 31 * 0xfffd + 0xfffd, "malformed bytes hash as U+FFFD");
	is_int(group_partition("my-group", 50), 12, "partition of my-group");
	is_int(group_partition("test", 50), 48, "partition of test");
	is_int(group_partition("console-consumer-1", 50), 24, "partition of console-consumer-1");
	is_int(group_partition(hashes_to_min, 50), 0, "partition of the smallest hash");
	is_int(group_partition("group-\u00e9", 50), 33, "partition of a group with an accent");
	is_int(group_partition("\U0001F600", 50), 49, "partition of a surrogate pair");
}

static uint32_t
random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 32);
}

static void
test_cursor(void)
{
	static const uint8_t raw[] = {
	    0xff, 0x80, 0x01, 0x80, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 3, 'x', 'y'};
	struct cursor c = cursor_of(raw, sizeof(raw));

	is_int(cursor_i8(&c), -1, "a cursor reads int8");
	is_int(cursor_i16(&c), -32767, "int16");
	is_int(cursor_i32(&c), INT32_MIN + 2, "int32");
	is_int(cursor_i64(&c), INT64_MIN + 3, "int64");
	is_int((intmax_t)cursor_left(&c), 2, "it knows what is left");
	ok(cursor_i32(&c) == 0 && c.failed, "a get that does not fit gives 0 and fails");
	ok(cursor_left(&c) == 2 && cursor_bytes(&c, 1) == NULL,
	    "a failed cursor stays, and gives no more");
	ok(!cursor_done(&c), "a failed cursor is not done");
	c = cursor_of(raw, 2);
	ok(cursor_bytes(&c, SIZE_MAX) == NULL, "a length that would wrap does not fit");
	c = cursor_of(NULL, 0);
	ok(cursor_done(&c), "an empty cursor is done");
	ok(cursor_uvarint(&c) == 0 && c.failed, "and has no varint");
}

static void
uvarint_is(const char *raw, size_t len, bool good, uint32_t want, const char *name)
{
	struct cursor c = cursor_of(raw, len);
	uint32_t got = cursor_uvarint(&c);

	ok(c.failed == !good && got == want && cursor_left(&c) == (good ? 0 : len), "%s", name);
}

static void
varlong_is(const char *raw, size_t len, bool good, int64_t want, const char *name)
{
	struct cursor c = cursor_of(raw, len);
	int64_t got = cursor_varlong(&c);

	ok(c.failed == !good && got == want && cursor_left(&c) == (good ? 0 : len), "%s", name);
}

static void
test_varint_bounds(void)
{
	uvarint_is("\x00", 1, true, 0, "uvarint 0");
	uvarint_is("\x7f", 1, true, 127, "uvarint 127");
	uvarint_is("\x80\x01", 2, true, 128, "uvarint 128");
	uvarint_is("\x80\x00", 2, true, 0, "a uvarint may be longer than it must");
	uvarint_is("\xff\xff\xff\xff\x0f", 5, true, UINT32_MAX, "the largest uvarint");
	uvarint_is("\xff\xff\xff\xff\x1f", 5, false, 0, "a uvarint of 33 bits fails");
	uvarint_is("\x80\x80\x80\x80\x80\x00", 6, false, 0, "a uvarint of six bytes fails");
	uvarint_is("\x80\x80", 2, false, 0, "an unfinished uvarint fails");
	varlong_is("\x01", 1, true, -1, "varlong -1");
	varlong_is("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, INT64_MIN,
	    "the smallest varlong");
	varlong_is(
	    "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, INT64_MAX, "the largest varlong");
	varlong_is(
	    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03", 10, false, 0, "a varlong of 65 bits fails");
	varlong_is("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, false, 0,
	    "a varlong of eleven bytes fails");
}

/* One value through each of the three forms; false on any difference. */
static bool
varints_survive(struct buf *b, uint64_t v)
{
	struct cursor c;
	int32_t v32 = (int32_t)(uint32_t)v;
	size_t sizes = varint_size(v32) + varlong_size((int64_t)v) + uvarint_size((uint32_t)v);

	buf_clear(b);
	buf_varint(b, v32);
	buf_varlong(b, (int64_t)v);
	buf_uvarint(b, (uint32_t)v);
	c = cursor_of(b->data, b->len);
	return b->len == sizes && cursor_varint(&c) == v32 && cursor_varlong(&c) == (int64_t)v &&
	       cursor_uvarint(&c) == (uint32_t)v && cursor_done(&c);
}

static void
test_varint_round_trip(void)
{
	uint64_t state = 1;
	bool good = true;
	struct buf b;

	buf_init(&b);
	for (int bit = 0; bit < 64; bit++) {
		uint64_t v = (uint64_t)1 << bit;

		good = good && varints_survive(&b, v) && varints_survive(&b, v - 1) &&
		       varints_survive(&b, ~v) && varints_survive(&b, -v);
	}
	ok(good, "varints at each power of two are read back, in the size foretold");
	for (int i = 0; i < 20000; i++) {
		uint64_t v = (uint64_t)random_next(&state) << 32 | random_next(&state);

		good = good && varints_survive(&b, v >> random_next(&state) % 64);
	}
	ok(good, "so are 20000 random ones");
	is_int((intmax_t)varint_size(INT32_MIN), 5, "the smallest int32 takes 5 bytes");
	is_int((intmax_t)varlong_size(INT64_MIN), 10, "the smallest int64 takes 10 bytes");
	is_int((intmax_t)varint_size(-64), 1, "-64 takes one byte");
	is_int((intmax_t)varint_size(64), 2, "64 takes two");
	buf_release(&b);
}

static void
test_buf(void)
{
	static const uint8_t want[] = {0xfe, 0xff, 0xfd, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0xfb, 'h', 'i'};
	struct buf b = BUF_INIT;

	is_str(buf_cstr(&b), "", "an empty buf is an empty string");
	buf_i8(&b, -2);
	buf_i16(&b, -3);
	buf_i32(&b, -4);
	buf_i64(&b, -5);
	buf_str(&b, "hi");
	buf_put(&b, NULL, 0);
	ok(b.len == sizeof(want) && !b.failed, "a buf counts what it was given");
	is_mem(b.data, want, sizeof(want), "in big-endian");
	buf_clear(&b);
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	is_int((intmax_t)b.len, 3890, "buf_printf grows as it must");
	is_mem(buf_cstr(&b) + 3886, "999,", 5, "buf_cstr ends it with a NUL");
	is_int((intmax_t)b.len, 3890, "which does not count");
	buf_release(&b);
	ok(b.data == NULL && b.len == 0 && b.cap == 0, "a released buf is empty");
	ok(buf_extend(&b, 0) != NULL && b.len == 0, "an extent of nothing is no failure");
	buf_i8(&b, 1);
	ok(buf_reserve(&b, SIZE_MAX) == -1 && b.failed, "a length that would wrap fails");
	buf_release(&b);
}

static void
test_buf_limit(void)
{
	struct buf b = {.limit = 10};

	buf_printf(&b, "%s", "0123456789");
	ok(b.cap <= 11, "a buf takes no more memory than its limit and a NUL");
	ok(!b.failed && b.len == 10, "it may be filled up to its limit");
	is_str(buf_cstr(&b), "0123456789", "buf_cstr's NUL is beyond the limit");
	buf_i8(&b, 1);
	ok(b.failed && b.len == 10, "one byte more fails and keeps the content");
	ok(buf_extend(&b, 0) == NULL, "a failed buf takes nothing");
	is_str(buf_cstr(&b), "", "and is no string");
	buf_clear(&b);
	ok(!b.failed && b.limit == 10 && b.cap >= 10,
	    "buf_clear forgets the failure, not the limit");
	buf_printf(&b, "%s", "0123456789a");
	ok(b.failed && b.len == 0, "buf_printf beyond the limit leaves nothing");
	buf_release(&b);
}

static void
test_arena(void)
{
	struct arena a;
	bool aligned = true, zeroed = true;
	char *s;

	arena_init(&a, 0);
	ok(arena_alloc(&a, 0) != NULL, "an arena gives a pointer for size 0");
	for (size_t i = 1; i < 3000; i++) {
		unsigned char *p = arena_alloc(&a, i);

		if (p == NULL)
			abort();
		aligned = aligned && (uintptr_t)p % _Alignof(max_align_t) == 0;
		zeroed = zeroed && p[0] == 0 && memcmp(p, p + 1, i - 1) == 0;
		memset(p, 0xa5, i);
		if (i % 1000 == 0)
			arena_reset(&a);
	}
	ok(aligned, "all it gives is aligned");
	ok(zeroed, "and zeroed, after a reset too");
	ok(arena_array(&a, SIZE_MAX / 2, 3) == NULL, "a product that overflows gives NULL");
	ok(arena_alloc(&a, SIZE_MAX) == NULL, "so does the largest size");
	ok((s = arena_alloc(&a, 5 << 20)) != NULL, "a large one gets its own chunk");
	memset(s, 1, 5 << 20);
	is_str(arena_strdup(&a, "text"), "text", "arena_strdup copies");
	s = arena_memdup(&a, "a\0b", 3);
	is_mem(s, "a\0b", 4, "arena_memdup copies NULs and adds one");
	arena_reset(&a);
	ok(a.used == 0 && a.chunks != NULL, "a reset keeps a chunk");
	arena_release(&a);
	ok(a.used == 0 && a.chunks == NULL, "a release keeps none");

	arena_init(&a, 64);
	ok(arena_alloc(&a, 48) != NULL && arena_alloc(&a, 16) != NULL, "a limit can be reached");
	ok(arena_alloc(&a, 1) == NULL && a.used == 64, "not passed");
	arena_reset(&a);
	ok(arena_alloc(&a, 64) != NULL, "and is there again after a reset");
	arena_release(&a);
}

static void
test_uuid(void)
{
	uint8_t random[16];
	char text[UUID_TEXT_SIZE];
	uint64_t state = 3;
	struct uuid u, back;
	bool good = true;

	uuid_format(&uuid_zero, text);
	is_str(text, "AAAAAAAAAAAAAAAAAAAAAA", "the zero uuid is 22 times A");
	ok(uuid_is_zero(&uuid_zero), "it is zero");
	memset(&u, 0xff, sizeof(u));
	uuid_format(&u, text);
	is_str(text, "_____________________w", "the alphabet is the URL-safe one");
	for (int i = 0; i < 2000; i++) {
		bool fine;

		for (size_t j = 0; j < sizeof(random); j++)
			random[j] = (uint8_t)random_next(&state);
		fine = uuid_from_random(&u, random);
		uuid_format(&u, text);
		good = good && uuid_parse(&back, text, strlen(text)) == 0 &&
		       uuid_equal(&u, &back) && fine == (text[0] != '-') && u.bytes[6] >> 4 == 4 &&
		       u.bytes[8] >> 6 == 2;
	}
	ok(good, "random ids are version 4, read back, and never begin with '-'");
	is_int(uuid_parse(&u, "AAAAAAAAAAAAAAAAAAAAA", 21), -1, "21 characters are no uuid");
	is_int(uuid_parse(&u, "AAAAAAAAAAAAAAAAAAAAAAA", 23), -1, "nor 23");
	is_int(uuid_parse(&u, "AAAAAAAAAA+AAAAAAAAAAA", 22), -1, "nor one with '+'");
	is_int(uuid_parse(&u, "AAAAAAAAAA\0AAAAAAAAAAA", 22), -1, "nor one with a NUL");
	ok(uuid_parse(&u, "AAAAAAAAAAAAAAAAAAAAAP", 22) == 0 && uuid_is_zero(&u),
	    "stray bits are ignored");
}

static void
test_err(void)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err;

	is_int(err_set(&err, ERR_CORRUPT, "byte %d", 4096), -1, "err_set gives -1");
	ok(err.code == ERR_CORRUPT && err.sys_errno == 0, "and the code");
	err_prefix(&err, "%s", "a.log");
	is_str(err.text, "a.log: byte 4096", "err_prefix puts a text in front");
	err_set(&err, ERR_CORRUPT, "again: %s", err.text);
	is_str(err.text, "again: a.log: byte 4096", "the text may be its own argument");
	err_sys(&err, EIO, "open %s", "a.log");
	is_str(err.text, "open a.log: Input/output error", "err_sys describes errno");
	ok(err.code == ERR_IO && err.sys_errno == EIO, "and keeps it");
	err_sys(&err, ENOSPC, "x");
	is_int(err.code, ERR_NO_SPACE, "a full disk is told apart");
	err_sys(&err, EDQUOT, "x");
	is_int(err.code, ERR_NO_SPACE, "a full quota too");
	err_sys(&err, ENOMEM, "x");
	is_int(err.code, ERR_NOMEM, "so is memory");
	err_sys(&err, ENOENT, "x");
	is_int(err.code, ERR_NOT_FOUND, "and a missing file");
	err_sys(&err, 99999, "x");
	is_str(err.text, "x: errno 99999", "an unknown errno is a number");
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_sys(&err, EIO, "%s", text);
	is_str(err.text + ERR_TEXT_MAX - 1 - 20, ": Input/output error",
	    "a long text keeps its cause");
	err_prefix(&err, "%s", text);
	is_int((intmax_t)strlen(err.text), ERR_TEXT_MAX - 1, "a long prefix is cut");
	is_int(err_nomem(&err), -1, "err_nomem gives -1");
	is_int(err.code, ERR_NOMEM, "and its code");
	is_str(err_name(3), "UNKNOWN_TOPIC_OR_PARTITION", "Kafka's codes have Kafka's names");
	is_str(err_name(-1), "UNKNOWN_SERVER_ERROR", "-1 too");
	is_str(err_name(ERR_CLOSED), "CLOSED", "ours have their own");
	is_str(err_name(-99), "UNKNOWN", "others have none");
	ok(err_is_retriable(ERR_NOT_LEADER_OR_FOLLOWER), "a moved leader is retriable");
	ok(!err_is_retriable(ERR_MESSAGE_TOO_LARGE) && !err_is_retriable(ERR_IO), "others are not");
}

int
main(void)
{
	test_cursor();
	test_varint_bounds();
	test_varint_round_trip();
	test_buf();
	test_buf_limit();
	test_arena();
	test_crc32c();
	test_hashes();
	test_uuid();
	test_err();
	return tap_done();
}
