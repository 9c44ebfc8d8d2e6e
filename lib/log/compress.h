/*
 * compress: the codecs of a batch's records, in Kafka's framings.
 *
 *   gzip    one gzip stream
 *   snappy  snappy-java's stream: magic, versions, blocks of 32 KiB; raw snappy
 *           is read too, as librdkafka does
 *   lz4     an LZ4 frame: 64 KiB independent blocks, no checksums, no size
 *   zstd    one zstd frame
 *
 * zlib, lz4 and zstd are linked; snappy, with its C++ runtime, is loaded on
 * first use (UNSUPPORTED_COMPRESSION_TYPE with a hint if it is not installed).
 */
#ifndef LOG_COMPRESS_H
#define LOG_COMPRESS_H

#include "base/bytes.h"
#include "base/error.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

#define CODEC_LEVEL_DEFAULT INT32_MIN

/* "none", "gzip", … */
const char *codec_name(enum codec codec);

/* Returns 0, or -1 for a name that is none of them. */
int codec_parse(const char *name, size_t len, enum codec *out);

/* The levels a codec takes (Kafka's compression.*.level); none and snappy take
 * only CODEC_LEVEL_DEFAULT. */
bool codec_level_ok(enum codec codec, int level);

/* Appends `in` compressed to `out`. */
int compress(enum codec codec, int level, const void *in, size_t len, struct buf *out,
    struct err *err);

/* Streaming decompression of one slice. Zeroed before first use; memory and
 * library contexts are kept from one slice to the next until released. */
struct decompressor {
	enum codec codec;
	struct cursor in;
	void *state[CODEC_COUNT]; /* the library's own, per codec, made on first use */
	struct buf block;         /* one block of snappy */
	size_t block_at;
	bool ended;
};

/* `in` must stay until the last read. */
int decompress_open(struct decompressor *d, enum codec codec, struct slice in, struct err *err);

/* Up to `len` bytes; 0 at the end of the stream; -1: ERR_CORRUPT, also for
 * bytes left over behind the stream. A short count is not the end. */
ssize_t decompress_read(struct decompressor *d, void *out, size_t len, struct err *err);

void decompress_release(struct decompressor *d);

#endif
