#include "base/hash.h"

#include "base/bytes.h"
#include "base/text.h"

#include <string.h>

static inline uint32_t
le32_get(const void *at)
{
	return __builtin_bswap32(be32_get(at)); /* two swaps, or none: no cost */
}

static inline uint64_t
le64_get(const void *at)
{
	return __builtin_bswap64(be64_get(at));
}

/* --- CRC32C by table, eight bytes a step ---------------------------------- */

/*
 * The table of slice k says what byte i becomes after k more zero bytes. It is
 * linear in the bits of i, so that eight constants span it: the remainders of
 * the single bits, lowest first. (Bits reflected, polynomial 0x82f63b78.)
 */
#define SPAN1(x, a) (x), (x) ^ (a)
#define SPAN2(x, a, b) SPAN1(x, a), SPAN1((x) ^ (b), a)
#define SPAN3(x, a, b, c) SPAN2(x, a, b), SPAN2((x) ^ (c), a, b)
#define SPAN4(x, a, b, c, d) SPAN3(x, a, b, c), SPAN3((x) ^ (d), a, b, c)
#define SPAN5(x, a, b, c, d, e) SPAN4(x, a, b, c, d), SPAN4((x) ^ (e), a, b, c, d)
#define SPAN6(x, a, b, c, d, e, f) SPAN5(x, a, b, c, d, e), SPAN5((x) ^ (f), a, b, c, d, e)
#define SPAN7(x, a, b, c, d, e, f, g) SPAN6(x, a, b, c, d, e, f), SPAN6((x) ^ (g), a, b, c, d, e, f)
#define SPAN8(x, a, b, c, d, e, f, g, h)                                                           \
	SPAN7(x, a, b, c, d, e, f, g), SPAN7((x) ^ (h), a, b, c, d, e, f, g)

static const uint32_t crc_slices[8][256] = {
    {SPAN8(0u, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu,
	0x417b1dbcu, 0x82f63b78u)},
    {SPAN8(0u, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u,
	0xff17c604u, 0xfbc3faf9u)},
    {SPAN8(0u, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u,
	0xc76580d9u, 0x8b277743u)},
    {SPAN8(0u, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu,
	0xaba65fe7u, 0x52a0c93fu)},
    {SPAN8(0u, 0x38116facu, 0x7022df58u, 0xe045beb0u, 0xc5670b91u, 0x8f2261d3u, 0x1ba8b557u,
	0x37516aaeu, 0x6ea2d55cu)},
    {SPAN8(0u, 0xef306b19u, 0xdb8ca0c3u, 0xb2f53777u, 0x6006181fu, 0xc00c303eu, 0x85f4168du,
	0x0e045bebu, 0x1c08b7d6u)},
    {SPAN8(0u, 0x68032cc8u, 0xd0065990u, 0xa5e0c5d1u, 0x4e2dfd53u, 0x9c5bfaa6u, 0x3d5b83bdu,
	0x7ab7077au, 0xf56e0ef4u)},
    {SPAN8(0u, 0x493c7d27u, 0x9278fa4eu, 0x211d826du, 0x423b04dau, 0x847609b4u, 0x0d006599u,
	0x1a00cb32u, 0x34019664u)},
};

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; len >= 8; p += 8, len -= 8) {
		uint32_t lo = le32_get(p) ^ crc, hi = le32_get(p + 4);

		crc = crc_slices[7][lo & 255] ^ crc_slices[6][lo >> 8 & 255] ^
		      crc_slices[5][lo >> 16 & 255] ^ crc_slices[4][lo >> 24] ^
		      crc_slices[3][hi & 255] ^ crc_slices[2][hi >> 8 & 255] ^
		      crc_slices[1][hi >> 16 & 255] ^ crc_slices[0][hi >> 24];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ crc_slices[0][(crc ^ *p) & 255];
	return ~crc;
}

/* --- CRC32C by instruction ----------------------------------------------- */

#if defined(__x86_64__)
#include <immintrin.h>

#define CRC_TARGET __attribute__((target("sse4.2,pclmul")))

static inline bool
crc_has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

/* What `crc` becomes after n more zero bits, for factor = x^(n - 33) modulo the
 * polynomial. The product of two reflected 32-bit values is one power of x
 * ahead of a reflected 64-bit one, and the instruction that reduces it adds 32
 * zero bits: hence the 33. */
CRC_TARGET static inline uint64_t
crc_shift(uint64_t crc, uint32_t factor)
{
	__m128i product = _mm_clmulepi64_si128(
	    _mm_cvtsi64_si128((long long)crc), _mm_cvtsi32_si128((int)factor), 0);

	return (uint64_t)_mm_cvtsi128_si64(product);
}

/* The instruction takes three cycles and one can start in each, so three equal
 * stripes are summed side by side and joined at the end: by far_factor over two
 * stripes, by near_factor over one. */
CRC_TARGET static inline __attribute__((always_inline)) uint32_t
crc_stripes(
    uint32_t crc, const uint8_t *p, size_t stripe, uint32_t near_factor, uint32_t far_factor)
{
	uint64_t a = crc, b = 0, c = 0;

	for (const uint8_t *end = p + stripe; p < end; p += 8) {
		a = _mm_crc32_u64(a, le64_get(p));
		b = _mm_crc32_u64(b, le64_get(p + stripe));
		c = _mm_crc32_u64(c, le64_get(p + 2 * stripe));
	}
	a = crc_shift(a, far_factor) ^ crc_shift(b, near_factor);
	return (uint32_t)(_mm_crc32_u64(0, a) ^ c);
}

CRC_TARGET static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 3 * 2048; p += 3 * 2048, len -= 3 * 2048)
		crc = crc_stripes(crc, p, 2048, 0xa51b6135u, 0x82f89c77u);
	for (; len >= 3 * 256; p += 3 * 256, len -= 3 * 256)
		crc = crc_stripes(crc, p, 256, 0xb9e02b86u, 0xdd7e3b0cu);
	for (; len >= 3 * 64; p += 3 * 64, len -= 3 * 64)
		crc = crc_stripes(crc, p, 64, 0x9e4addf8u, 0x0d3b6092u);
	for (; len >= 8; p += 8, len -= 8)
		crc = (uint32_t)_mm_crc32_u64(crc, le64_get(p));
	for (; len > 0; p++, len--)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>

static inline bool
crc_has_instruction(void)
{
	return (getauxval(AT_HWCAP) & 1ul << 7) != 0; /* HWCAP_CRC32 */
}

__attribute__((target("+crc"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8)
		crc = __crc32cd(crc, le64_get(p));
	for (; len > 0; p++, len--)
		crc = __crc32cb(crc, *p);
	return crc;
}

#else

static inline bool
crc_has_instruction(void)
{
	return false;
}

static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	return ~crc32c_portable(~crc, p, len);
}

#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	if (!crc_has_instruction())
		return crc32c_portable(crc, data, len);
	return ~crc_by_instruction(~crc, data, len);
}

/* --- hashes that place keys ------------------------------------------------ */

int32_t
murmur2(const void *data, size_t len)
{
	const uint32_t m = 0x5bd1e995;
	const uint8_t *p = data;
	uint32_t h = 0x9747b28c ^ (uint32_t)len;

	for (; len >= 4; p += 4, len -= 4) {
		uint32_t k = le32_get(p) * m;

		h = h * m ^ (k ^ k >> 24) * m;
	}
	if (len > 0) {
		for (size_t i = 0; i < len; i++)
			h ^= (uint32_t)p[i] << 8 * i;
		h *= m;
	}
	h = (h ^ h >> 13) * m;
	return (int32_t)(h ^ h >> 15);
}

uint32_t
fnv1a(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t h = 0x811c9dc5;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x01000193;
	return h;
}

int32_t
java_hash(const char *utf8, size_t len)
{
	struct cursor c = cursor_of(utf8, len);
	uint32_t h = 0;

	while (cursor_left(&c) != 0) {
		uint32_t code = text_utf8_next(&c);

		if (code >= 0x10000) {
			code -= 0x10000;
			h = 31 * h + (0xd800 | code >> 10);
			code = 0xdc00 | (code & 0x3ff);
		}
		h = 31 * h + code;
	}
	return (int32_t)h;
}

int32_t
group_partition(const char *group, int32_t partition_count)
{
	int32_t h = java_hash(group, strlen(group));

	if (h == INT32_MIN)
		return 0;
	return (h < 0 ? -h : h) % partition_count;
}
