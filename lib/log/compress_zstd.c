#include <zstd.h>
#include <zstd_errors.h>

#include "log/compress_codec.h"

#define ZSTD_LEVEL_DEFAULT 3 /* Kafka's and zstd's */

static bool
zstd_level_ok(int level)
{
	return level >= ZSTD_minCLevel() && level <= ZSTD_maxCLevel();
}

static int
zstd_err(size_t code, struct err *err)
{
	if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
		return err_nomem(err);
	return err_set(err, ERR_CORRUPT, "zstd: %s", ZSTD_getErrorName(code));
}

static int
zstd_compress(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	size_t bound = ZSTD_compressBound(len), n;

	if (buf_reserve(out, bound) == -1)
		return err_nomem(err);
	n = ZSTD_compress(out->data + out->len, bound, in, len, level);
	if (ZSTD_isError(n))
		return zstd_err(n, err);
	out->len += n;
	return 0;
}

static int
zstd_open(struct decompressor *d, struct err *err)
{
	ZSTD_DCtx *ctx = d->state[CODEC_ZSTD];

	if (ctx != NULL) {
		ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only);
		return 0;
	}
	if ((ctx = ZSTD_createDCtx()) == NULL)
		return err_nomem(err);
	ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	d->state[CODEC_ZSTD] = ctx;
	return 0;
}

static ssize_t
zstd_read(struct decompressor *d, uint8_t *out, size_t len, struct err *err)
{
	ZSTD_outBuffer to = {out, len, 0};

	while (to.pos == 0 && !d->ended) {
		ZSTD_inBuffer from = {d->in.at, cursor_left(&d->in), 0};
		size_t hint = ZSTD_decompressStream(d->state[CODEC_ZSTD], &to, &from);

		if (ZSTD_isError(hint))
			return zstd_err(hint, err);
		d->in.at += from.pos;
		/* A frame is whole; if bytes are left another one begins there. */
		d->ended = hint == 0 && cursor_left(&d->in) == 0;
		if (!d->ended && to.pos == 0 && from.pos == 0)
			return err_set(err, ERR_CORRUPT, "zstd: the stream is cut short");
	}
	return (ssize_t)to.pos;
}

static void
zstd_release(void *state)
{
	ZSTD_freeDCtx(state);
}

const struct codec_impl codec_zstd = {
    .name = "zstd",
    .level_default = ZSTD_LEVEL_DEFAULT,
    .level_ok = zstd_level_ok,
    .compress = zstd_compress,
    .open = zstd_open,
    .read = zstd_read,
    .release = zstd_release,
};
