#include <string.h>

#include <lz4frame.h>

#include "log/compress_codec.h"

/* Kafka's numbers (compression.lz4.level). Its default means the fast
 * compressor, not level 9 of the slow one; any other level is the slow one's,
 * which begins at 3 here and ends at 12. */
#define LZ4_LEVEL_MIN 1
#define LZ4_LEVEL_DEFAULT 9
#define LZ4_LEVEL_MAX 17
#define LZ4_SLOW_MIN 3

static bool
lz4_level_ok(int level)
{
	return level >= LZ4_LEVEL_MIN && level <= LZ4_LEVEL_MAX;
}

static int
lz4_err(size_t code, struct err *err)
{
	const char *name = LZ4F_getErrorName(code);

	if (strcmp(name, "ERROR_allocation_failed") == 0)
		return err_nomem(err);
	return err_set(err, ERR_CORRUPT, "lz4: %s", name);
}

static int
lz4_compress(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	LZ4F_preferences_t prefs = {
	    .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
	};
	size_t bound, n;

	if (level != LZ4_LEVEL_DEFAULT)
		prefs.compressionLevel = level < LZ4_SLOW_MIN ? LZ4_SLOW_MIN : level;
	bound = LZ4F_compressFrameBound(len, &prefs);
	if (buf_reserve(out, bound) == -1)
		return err_nomem(err);
	n = LZ4F_compressFrame(out->data + out->len, bound, in, len, &prefs);
	if (LZ4F_isError(n))
		return lz4_err(n, err);
	out->len += n;
	return 0;
}

static int
lz4_open(struct decompressor *d, struct err *err)
{
	LZ4F_dctx *ctx = d->state[CODEC_LZ4];

	if (ctx != NULL) {
		LZ4F_resetDecompressionContext(ctx);
		return 0;
	}
	if (LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)))
		return err_nomem(err);
	d->state[CODEC_LZ4] = ctx;
	return 0;
}

static ssize_t
lz4_read(struct decompressor *d, uint8_t *out, size_t len, struct err *err)
{
	size_t produced = 0;

	while (produced == 0 && !d->ended) {
		size_t consumed = cursor_left(&d->in), hint;

		produced = len;
		hint =
		    LZ4F_decompress(d->state[CODEC_LZ4], out, &produced, d->in.at, &consumed, NULL);
		if (LZ4F_isError(hint))
			return lz4_err(hint, err);
		d->in.at += consumed;
		d->ended = hint == 0;
		if (!d->ended && produced == 0 && consumed == 0)
			return err_set(err, ERR_CORRUPT, "lz4: the stream is cut short");
	}
	if (d->ended && cursor_left(&d->in) > 0)
		return err_set(
		    err, ERR_CORRUPT, "lz4: %zu bytes behind the stream", cursor_left(&d->in));
	return (ssize_t)produced;
}

static void
lz4_release(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

const struct codec_impl codec_lz4 = {
    .name = "lz4",
    .level_default = LZ4_LEVEL_DEFAULT,
    .level_ok = lz4_level_ok,
    .compress = lz4_compress,
    .open = lz4_open,
    .read = lz4_read,
    .release = lz4_release,
};
