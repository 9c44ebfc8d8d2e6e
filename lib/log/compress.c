#include "log/compress.h"

#include <stdlib.h>
#include <string.h>

#include "log/compress_codec.h"

static int
none_compress(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	(void)level;
	buf_put(out, in, len);
	return out->failed ? err_nomem(err) : 0;
}

static ssize_t
none_read(struct decompressor *d, uint8_t *out, size_t len, struct err *err)
{
	size_t n = cursor_left(&d->in) < len ? cursor_left(&d->in) : len;

	(void)err;
	if (n > 0)
		memcpy(out, cursor_bytes(&d->in, n), n);
	d->ended = cursor_left(&d->in) == 0;
	return (ssize_t)n;
}

static const struct codec_impl codec_none = {
    .name = "none",
    .compress = none_compress,
    .read = none_read,
};

static const struct codec_impl *const codecs[CODEC_COUNT] = {
    [CODEC_NONE] = &codec_none,
    [CODEC_GZIP] = &codec_gzip,
    [CODEC_SNAPPY] = &codec_snappy,
    [CODEC_LZ4] = &codec_lz4,
    [CODEC_ZSTD] = &codec_zstd,
};

/* NULL for a number that came from disk and is none. */
static const struct codec_impl *
codec_of(enum codec codec)
{
	return (unsigned)codec < CODEC_COUNT ? codecs[codec] : NULL;
}

const char *
codec_name(enum codec codec)
{
	const struct codec_impl *impl = codec_of(codec);

	return impl != NULL ? impl->name : "unknown";
}

int
codec_parse(const char *name, size_t len, enum codec *out)
{
	for (int i = 0; i < CODEC_COUNT; i++) {
		if (strlen(codecs[i]->name) == len && memcmp(codecs[i]->name, name, len) == 0) {
			*out = (enum codec)i;
			return 0;
		}
	}
	return -1;
}

bool
codec_level_ok(enum codec codec, int level)
{
	const struct codec_impl *impl = codec_of(codec);

	if (impl == NULL)
		return false;
	return level == CODEC_LEVEL_DEFAULT || (impl->level_ok != NULL && impl->level_ok(level));
}

static int
codec_unsupported(enum codec codec, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED_COMPRESSION_TYPE, "codec %d: want 0 to %d", (int)codec,
	    CODEC_COUNT - 1);
}

int
codec_compress(
    enum codec codec, int level, const void *in, size_t len, struct buf *out, struct err *err)
{
	const struct codec_impl *impl = codec_of(codec);

	if (impl == NULL)
		return codec_unsupported(codec, err);
	if (!codec_level_ok(codec, level))
		return err_set(err, ERR_INVALID, "%s: level %d", impl->name, level);
	/* The libraries count in int here and there. */
	if (len > INT32_MAX / 2)
		return err_set(err, ERR_TOO_LARGE, "%s: %zu bytes at once", impl->name, len);
	if (out->failed)
		return err_nomem(err);
	if (level == CODEC_LEVEL_DEFAULT)
		level = impl->level_default;
	return impl->compress(level, in, len, out, err);
}

int
decompress_open(struct decompressor *d, enum codec codec, struct slice in, struct err *err)
{
	const struct codec_impl *impl = codec_of(codec);

	if (impl == NULL)
		return codec_unsupported(codec, err);
	d->codec = codec;
	d->in = cursor_of(in.data, in.len);
	d->ended = false;
	if (codec != CODEC_NONE && in.len == 0)
		return err_set(err, ERR_CORRUPT, "%s: no stream", impl->name);
	return impl->open != NULL ? impl->open(d, err) : 0;
}

ssize_t
decompress_read(struct decompressor *d, void *out, size_t len, struct err *err)
{
	if (d->ended)
		return 0;
	return codecs[d->codec]->read(d, out, len, err);
}

void
decompress_release(struct decompressor *d)
{
	for (int i = 0; i < CODEC_COUNT; i++) {
		if (d->state[i] != NULL)
			codecs[i]->release(d->state[i]);
	}
	buf_release(&d->block);
	*d = (struct decompressor){0};
}
