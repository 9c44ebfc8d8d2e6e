/*
 * compress: the codecs of a batch's records, in Kafka's framings.
 *
 *   gzip    one gzip stream; several members in a row are read, as Java reads them
 *   snappy  snappy-java's stream: magic, versions, blocks of 32 KiB; raw snappy,
 *           which librdkafka writes, is read too
 *   lz4     an LZ4 frame: 64 KiB independent blocks, no checksums, no size;
 *           frames with any legal flags are read
 *   zstd    one zstd frame; several in a row are read
 *
 * zlib, lz4 and zstd are linked; snappy, with its C++ runtime, is loaded on
 * first use (UNSUPPORTED_COMPRESSION_TYPE with a hint if it is not installed).
 * That handle, one a thread, is the only thing that is not in a caller's struct.
 *
 * Memory while reading: gzip 32 KiB, lz4 at most two blocks of 4 MiB, zstd the
 * frame's window (2^ZSTD_WINDOW_LOG_MAX at most), snappy one block (at most
 * SNAPPY_BLOCK_MAX; 32 KiB as Kafka writes it, the whole stream if it is raw).
 */
#ifndef LOG_COMPRESS_H
#define LOG_COMPRESS_H

#include "base/bytes.h"
#include "base/error.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

#define CODEC_LEVEL_DEFAULT INT32_MIN

/* The largest window of a zstd frame that is read, as a power of two: zstd's
 * and so Kafka's own limit. */
#define ZSTD_WINDOW_LOG_MAX 27

/* The largest snappy block that is read, in bytes once decompressed. */
#define SNAPPY_BLOCK_MAX (100 << 20)

/* "none", "gzip", …; "unknown" for a number from disk that is no codec. */
const char *codec_name(enum codec codec);

/* Returns 0, or -1 for a name that is none of them. */
int codec_parse(const char *name, size_t len, enum codec *out);

/* The levels a codec takes (Kafka's compression.*.level): gzip -1 and 1..9, lz4
 * 1..17 (9, the default, is the fast compressor, as in Kafka; the others are
 * the slow one), zstd -131072..22; none and snappy take only
 * CODEC_LEVEL_DEFAULT, which all take. */
bool codec_level_ok(enum codec codec, int level);

/* Appends `in` compressed to `out`; none copies. Returns 0, or -1: ERR_NOMEM,
 * ERR_INVALID for a level that codec_level_ok refuses,
 * UNSUPPORTED_COMPRESSION_TYPE. `out` may have grown by then. */
int codec_compress(
    enum codec codec, int level, const void *in, size_t len, struct buf *out, struct err *err);

/* Streaming decompression of one slice. Zeroed before first use; memory and
 * library contexts are kept from one slice to the next until released. */
struct decompressor {
	enum codec codec;
	struct cursor in;
	void *state[CODEC_COUNT]; /* the library's own, per codec, made on first use */
	struct buf block;         /* one block of snappy */
	size_t block_at;
	bool framed; /* snappy: blocks in snappy-java's framing */
	bool ended;  /* the stream is whole; nothing may follow */
};

/* Starts on a slice; `in` must stay until the last read. none passes bytes
 * through. Returns 0, or -1: ERR_NOMEM, ERR_CORRUPT for a bad or missing
 * stream header (not all codecs look at it here), UNSUPPORTED_COMPRESSION_TYPE. */
int decompress_open(struct decompressor *d, enum codec codec, struct slice in, struct err *err);

/* Up to `len` > 0 bytes; 0 at the end of the stream; -1: ERR_CORRUPT, also for
 * a stream that is cut short and for bytes left over behind it; ERR_NOMEM. A
 * short count is not the end. */
ssize_t decompress_read(struct decompressor *d, void *out, size_t len, struct err *err);

void decompress_release(struct decompressor *d);

#endif
