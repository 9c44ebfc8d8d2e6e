/* The codecs: what is compressed comes back, in the framings Kafka knows, and
 * nothing else comes back from bytes that are cut, damaged or lying. */
#include "log/compress.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <lz4frame.h>
#include <zstd.h>

#include "tap.h"

static struct err err;

/* Bytes that compress somewhat: runs of different lengths. */
static uint8_t *
text_make(size_t len)
{
	uint8_t *p = malloc(len + 1);
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		if (i % 7 == 0)
			x = x * 1103515245 + 12345;
		p[i] = (uint8_t)(x >> (i % 3 * 8 + 4));
	}
	return p;
}

/* Inflates into `out` by pieces of `piece` bytes. Returns 0 or -1. */
static int
inflate_all(
    struct decompressor *d, enum codec codec, struct slice in, size_t piece, struct buf *out)
{
	ssize_t n;

	buf_clear(out);
	if (decompress_open(d, codec, in, &err) == -1)
		return -1;
	for (;;) {
		if (buf_reserve(out, piece) == -1)
			return -1;
		n = decompress_read(d, out->data + out->len, piece, &err);
		if (n <= 0)
			return (int)n;
		out->len += (size_t)n;
	}
}

static int
inflate_bytes(enum codec codec, const void *data, size_t len, struct buf *out)
{
	struct decompressor d = {0};
	int rc = inflate_all(&d, codec, (struct slice){data, len}, 4096, out);

	decompress_release(&d);
	return rc;
}

static bool
same(const struct buf *got, const uint8_t *want, size_t len)
{
	return got->len == len && (len == 0 || memcmp(got->data, want, len) == 0);
}

static void
test_names(void)
{
	enum codec codec;

	for (int i = 0; i < CODEC_COUNT; i++) {
		const char *name = codec_name((enum codec)i);

		ok(codec_parse(name, strlen(name), &codec) == 0 && codec == (enum codec)i,
		    "%s is the name of codec %d", name, i);
	}
	ok(codec_parse("gzi", 3, &codec) == -1, "half a name is none");
	ok(codec_parse("lzma", 4, &codec) == -1, "a foreign name is none");
	is_str(codec_name((enum codec)7), "unknown", "a number that no codec has is unknown");
}

static void
test_levels(void)
{
	struct buf out = BUF_INIT;

	for (int i = 0; i < CODEC_COUNT; i++)
		ok(codec_level_ok((enum codec)i, CODEC_LEVEL_DEFAULT), "%s has a default level",
		    codec_name((enum codec)i));
	ok(codec_level_ok(CODEC_GZIP, -1) && codec_level_ok(CODEC_GZIP, 9), "gzip: -1 and 9");
	ok(!codec_level_ok(CODEC_GZIP, 0) && !codec_level_ok(CODEC_GZIP, 10), "gzip: not 0, 10");
	ok(codec_level_ok(CODEC_LZ4, 1) && codec_level_ok(CODEC_LZ4, 17), "lz4: 1 and 17");
	ok(!codec_level_ok(CODEC_LZ4, 0) && !codec_level_ok(CODEC_LZ4, 18), "lz4: not 0, 18");
	ok(codec_level_ok(CODEC_ZSTD, -131072) && codec_level_ok(CODEC_ZSTD, 22), "zstd: to 22");
	ok(!codec_level_ok(CODEC_ZSTD, 23), "zstd: not 23");
	ok(!codec_level_ok(CODEC_SNAPPY, 1), "snappy has no levels");
	ok(codec_compress(CODEC_GZIP, 10, "x", 1, &out, &err) == -1 && err.code == ERR_INVALID,
	    "a level that is none is refused");
	ok(codec_compress((enum codec)5, 1, "x", 1, &out, &err) == -1 &&
		err.code == ERR_UNSUPPORTED_COMPRESSION_TYPE,
	    "a codec that is none is refused");
	buf_release(&out);
}

static void
test_round_trip(struct decompressor *d, enum codec codec, int level, size_t len, size_t piece)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	uint8_t *text = text_make(len);

	buf_str(&packed, "before");
	ok(codec_compress(codec, level, text, len, &packed, &err) == 0 &&
		memcmp(packed.data, "before", 6) == 0 &&
		inflate_all(
		    d, codec, (struct slice){packed.data + 6, packed.len - 6}, piece, &out) == 0 &&
		same(&out, text, len),
	    "%s: %zu bytes come back, in reads of %zu, level %d", codec_name(codec), len, piece,
	    level == CODEC_LEVEL_DEFAULT ? 0 : level);
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

static void
test_round_trips(void)
{
	static const size_t sizes[] = {1 << 20, 65537, 65536, 65535, 32769, 32768, 100, 1, 0};
	struct decompressor d = {0}; /* one for all: contexts must reset */

	for (int c = 0; c < CODEC_COUNT; c++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			test_round_trip(&d, (enum codec)c, CODEC_LEVEL_DEFAULT, sizes[i], 65536);
			test_round_trip(&d, (enum codec)c, CODEC_LEVEL_DEFAULT, sizes[i] / 7, 13);
		}
	}
	test_round_trip(&d, CODEC_GZIP, 9, 100000, 4096);
	test_round_trip(&d, CODEC_LZ4, 1, 100000, 4096);
	test_round_trip(&d, CODEC_LZ4, 9, 100000, 4096);
	test_round_trip(&d, CODEC_LZ4, 17, 100000, 4096);
	test_round_trip(&d, CODEC_ZSTD, -5, 100000, 4096);
	test_round_trip(&d, CODEC_ZSTD, 19, 100000, 4096);
	decompress_release(&d);
}

/* A stream that is cut anywhere, or has a byte too many, is not taken for whole. */
static void
test_cut(enum codec codec)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	size_t len = 700, taken = 0, more;
	uint8_t *text = text_make(len);

	codec_compress(codec, CODEC_LEVEL_DEFAULT, text, len, &packed, &err);
	for (size_t n = 0; n < packed.len; n++) {
		/* Snappy's framing has no end mark: its first 16 bytes are a whole
		 * stream of nothing. */
		if (inflate_bytes(codec, packed.data, n, &out) == 0 &&
		    !(codec == CODEC_SNAPPY && n == 16 && out.len == 0))
			taken++;
	}
	is_int(taken, 0, "%s: no cut stream is taken for whole", codec_name(codec));
	more = packed.len;
	buf_str(&packed, "garbage");
	ok(inflate_bytes(codec, packed.data, more, &out) == 0 && same(&out, text, len),
	    "%s: the whole stream is whole", codec_name(codec));
	ok(inflate_bytes(codec, packed.data, more + 1, &out) == -1 && err.code == ERR_CORRUPT,
	    "%s: one byte behind the stream is an error", codec_name(codec));
	ok(inflate_bytes(codec, packed.data, more + 7, &out) == -1 && err.code == ERR_CORRUPT,
	    "%s: seven bytes behind the stream are an error", codec_name(codec));
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

/* Flips each bit of a stream in turn: whatever comes of it, it ends, and gzip's
 * checksum sees it. The decompressor is used again and again on the way. */
static void
test_flips(enum codec codec)
{
	struct decompressor d = {0};
	struct buf packed = BUF_INIT, out = BUF_INIT;
	size_t len = 300, unseen = 0;
	uint8_t *text = text_make(len);

	codec_compress(codec, CODEC_LEVEL_DEFAULT, text, len, &packed, &err);
	for (size_t bit = 0; bit < packed.len * 8; bit++) {
		struct slice in = {packed.data, packed.len};

		packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (inflate_all(&d, codec, in, 4096, &out) == 0 && !same(&out, text, len))
			unseen++;
		packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	if (codec == CODEC_GZIP)
		is_int(unseen, 0, "gzip: no flipped bit gives other data");
	ok(inflate_all(&d, codec, (struct slice){packed.data, packed.len}, 4096, &out) == 0 &&
		same(&out, text, len),
	    "%s: after %zu damaged streams a good one is read", codec_name(codec), packed.len * 8);
	decompress_release(&d);
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

/* Two streams behind each other, and one and a half. */
static void
test_two_in_a_row(enum codec codec)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;

	codec_compress(codec, CODEC_LEVEL_DEFAULT, "first ", 6, &packed, &err);
	codec_compress(codec, CODEC_LEVEL_DEFAULT, "second", 6, &packed, &err);
	ok(inflate_bytes(codec, packed.data, packed.len, &out) == 0 &&
		same(&out, (const uint8_t *)"first second", 12),
	    "%s: two streams in a row are read as one", codec_name(codec));
	ok(inflate_bytes(codec, packed.data, packed.len - 1, &out) == -1,
	    "%s: the second may not be cut", codec_name(codec));
	buf_release(&packed);
	buf_release(&out);
}

static void
test_lz4_framing(void)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	uint8_t *text = text_make(200000);
	LZ4F_preferences_t prefs = {0};
	size_t n;

	codec_compress(CODEC_LZ4, CODEC_LEVEL_DEFAULT, text, 200000, &packed, &err);
	is_mem(packed.data, "\x04\x22\x4d\x18\x60\x40\x82", 7,
	    "lz4: Kafka's magic, flags and descriptor checksum");
	is_mem(packed.data + packed.len - 4, "\0\0\0\0", 4, "lz4: ends with the end mark");

	for (int i = 0; i < 32; i++) {
		prefs.frameInfo.blockSizeID = i & 1 ? LZ4F_max4MB : LZ4F_max64KB;
		prefs.frameInfo.blockMode = i & 2 ? LZ4F_blockLinked : LZ4F_blockIndependent;
		prefs.frameInfo.contentChecksumFlag = i & 4 ? 1 : 0;
		prefs.frameInfo.blockChecksumFlag = i & 8 ? 1 : 0;
		prefs.frameInfo.contentSize = i & 16 ? 200000 : 0;
		buf_clear(&packed);
		buf_reserve(&packed, LZ4F_compressFrameBound(200000, &prefs));
		n = LZ4F_compressFrame(packed.data, packed.cap, text, 200000, &prefs);
		ok(inflate_bytes(CODEC_LZ4, packed.data, n, &out) == 0 && same(&out, text, 200000),
		    "lz4: a frame with flags %02x %02x is read", packed.data[4], packed.data[5]);
	}
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

static void
test_zstd_framing(void)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	uint8_t *text = text_make(200000);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	uint8_t wide[] = {0x28, 0xb5, 0x2f, 0xfd, 0, (ZSTD_WINDOW_LOG_MAX - 10 + 1) << 3, 1, 0, 0};
	size_t n;

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	buf_reserve(&packed, ZSTD_compressBound(200000));
	n = ZSTD_compress2(ctx, packed.data, packed.cap, text, 200000);
	ok(inflate_bytes(CODEC_ZSTD, packed.data, n, &out) == 0 && same(&out, text, 200000),
	    "zstd: a frame without size, with checksum, is read");
	packed.data[n - 1] ^= 1;
	ok(inflate_bytes(CODEC_ZSTD, packed.data, n, &out) == -1 && err.code == ERR_CORRUPT,
	    "zstd: its checksum is checked");
	ok(inflate_bytes(CODEC_ZSTD, wide, sizeof(wide), &out) == -1 && err.code == ERR_CORRUPT,
	    "zstd: a window beyond the limit is refused");
	wide[5] -= 1 << 3;
	ok(inflate_bytes(CODEC_ZSTD, wide, sizeof(wide), &out) == 0 && out.len == 0,
	    "zstd: a window at the limit is not");
	ZSTD_freeCCtx(ctx);
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

static void
test_snappy_framing(void)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	uint8_t *text = text_make(32768 * 2 + 5);
	/* "claims": a length of 2^27 - 1, then one literal byte. */
	static const uint8_t claims[] = {0xff, 0xff, 0xff, 0x3f, 0x00, 'x'};
	static const uint8_t raw[] = {3, 2 << 2, 'a', 'b', 'c'};
	uint8_t framed[16 + 4 + sizeof(raw)];

	codec_compress(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, text, 32768 * 2 + 5, &packed, &err);
	is_mem(packed.data, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16, "snappy: snappy-java's header");
	is_int(packed.data[20] | packed.data[21] << 8 | packed.data[22] << 16,
	    (32768 & 0x7f) | 0x80 | 0x80 << 8 | 2 << 16, "snappy: a block holds 32 KiB");

	ok(inflate_bytes(CODEC_SNAPPY, raw, sizeof(raw), &out) == 0 &&
		same(&out, (const uint8_t *)"abc", 3),
	    "snappy: a raw block is read");
	ok(inflate_bytes(CODEC_SNAPPY, claims, sizeof(claims), &out) == -1 && out.cap < 100000 &&
		err.code == ERR_CORRUPT,
	    "snappy: a length that cannot be is refused before memory is taken");

	memcpy(framed, packed.data, 16);
	be32_put(framed + 16, sizeof(raw));
	memcpy(framed + 20, raw, sizeof(raw));
	ok(inflate_bytes(CODEC_SNAPPY, framed, sizeof(framed), &out) == 0 && out.len == 3,
	    "snappy: a framed block is read");
	be32_put(framed + 16, sizeof(raw) + 1);
	ok(inflate_bytes(CODEC_SNAPPY, framed, sizeof(framed), &out) == -1,
	    "snappy: a block longer than the stream is refused");
	be32_put(framed + 16, 0x80000000);
	ok(inflate_bytes(CODEC_SNAPPY, framed, sizeof(framed), &out) == -1,
	    "snappy: a negative block size is refused");
	be32_put(framed + 16, 0);
	ok(inflate_bytes(CODEC_SNAPPY, framed, sizeof(framed), &out) == -1,
	    "snappy: an empty block is refused");
	buf_release(&packed);
	buf_release(&out);
	free(text);
}

static void
test_no_stream(void)
{
	struct buf out = BUF_INIT;

	for (int c = CODEC_GZIP; c < CODEC_COUNT; c++)
		ok(inflate_bytes((enum codec)c, "", 0, &out) == -1 && err.code == ERR_CORRUPT,
		    "%s: no bytes are no stream", codec_name((enum codec)c));
	ok(inflate_bytes(CODEC_NONE, "", 0, &out) == 0, "none: no bytes are no bytes");
	ok(inflate_bytes((enum codec)6, "x", 1, &out) == -1 &&
		err.code == ERR_UNSUPPORTED_COMPRESSION_TYPE,
	    "a codec that is none cannot be read");
	buf_release(&out);
}

#ifndef __SANITIZE_ADDRESS__ /* which takes address space as it likes */
static struct buf incompressible = BUF_INIT;

/* Compresses with `room` bytes more of address space than are taken, in a process
 * of its own: 0, 1 out of memory, else how it died. */
static int
compress_within(rlim_t room)
{
	struct rlimit most;
	struct buf out = BUF_INIT;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		long pages = 0;
		FILE *f = fopen("/proc/self/statm", "r");

		if (f == NULL || fscanf(f, "%ld", &pages) != 1)
			_exit(3);
		fclose(f);
		most.rlim_cur = most.rlim_max = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + room;
		close(2);
		setrlimit(RLIMIT_AS, &most);
		_exit(codec_compress(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, incompressible.data,
		    incompressible.len, &out, &err) == -1);
	}
	waitpid(pid, &status, 0);
	return status == 0 || status == 1 << 8 ? status >> 8 : status;
}

static void
test_snappy_nomem(void)
{
	struct buf loaded = BUF_INIT;
	int failed = 0, died = 0;

	for (uint32_t i = 0, x = 1; i < 400000; i++, x = x * 1664525 + 1013904223)
		buf_i8(&incompressible, (int8_t)(x >> 24));
	codec_compress(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, "x", 1, &loaded, &err);
	buf_release(&loaded);
	for (rlim_t room = 0; room < 2000000; room += 16384) {
		int how = compress_within(room);

		failed += how == 1;
		died += how > 1;
	}
	is_int(died, 0, "snappy: too little memory does not end the process");
	ok(failed > 0, "snappy: it is told");
	buf_release(&incompressible);
}
#endif

int
main(void)
{
#ifndef __SANITIZE_ADDRESS__
	test_snappy_nomem(); /* while the heap has nothing to give */
#endif
	test_names();
	test_levels();
	test_round_trips();
	for (int c = CODEC_GZIP; c < CODEC_COUNT; c++) {
		test_cut((enum codec)c);
		test_flips((enum codec)c);
	}
	test_two_in_a_row(CODEC_GZIP);
	test_two_in_a_row(CODEC_SNAPPY);
	test_two_in_a_row(CODEC_ZSTD);
	test_lz4_framing();
	test_zstd_framing();
	test_snappy_framing();
	test_no_stream();
	return tap_done();
}
