/*
 * compress_codec: what a codec is made of. Private to compress*.c.
 *
 * A codec keeps its library's context in d->state[d->codec], made at the first
 * open and released once; it consumes d->in and sets d->ended when the stream
 * is whole.
 */
#ifndef LOG_COMPRESS_CODEC_H
#define LOG_COMPRESS_CODEC_H

#include "log/compress.h"

struct codec_impl {
	const char *name;
	int level_default;
	bool (*level_ok)(int level); /* NULL: only CODEC_LEVEL_DEFAULT */

	/* `level` is resolved and in range, `out` has not failed. */
	int (*compress)(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err);

	/* NULL if there is nothing to do. */
	int (*open)(struct decompressor *d, struct err *err);

	/* At least one byte, or 0 and d->ended, or -1. Not called once ended. */
	ssize_t (*read)(struct decompressor *d, uint8_t *out, size_t len, struct err *err);

	/* NULL if there is no state. */
	void (*release)(void *state);
};

extern const struct codec_impl codec_gzip, codec_snappy, codec_lz4, codec_zstd;

#endif
