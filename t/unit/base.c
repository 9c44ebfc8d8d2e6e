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

int
main(void)
{
	test_crc32c();
	test_hashes();
	return tap_done();
}
