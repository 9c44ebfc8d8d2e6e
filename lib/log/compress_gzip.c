#include <stdlib.h>

#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "log/compress_codec.h"

/* The largest window; 16 more means gzip's wrapping. */
#define GZIP_WINDOW_BITS (MAX_WBITS + 16)
#define GZIP_MEM_LEVEL 8

static bool
gzip_level_ok(int level)
{
	return level == Z_DEFAULT_COMPRESSION ||
	       (level >= Z_BEST_SPEED && level <= Z_BEST_COMPRESSION);
}

static int
gzip_compress(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	z_stream z = {0};
	uLong bound;
	int rc;

	if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEM_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK)
		return err_nomem(err);
	bound = deflateBound(&z, len);
	if (buf_reserve(out, bound) == -1) {
		deflateEnd(&z);
		return err_nomem(err);
	}
	z.next_in = in;
	z.avail_in = (uInt)len;
	z.next_out = out->data + out->len;
	z.avail_out = (uInt)bound;
	rc = deflate(&z, Z_FINISH);
	out->len += bound - z.avail_out;
	deflateEnd(&z);
	if (rc != Z_STREAM_END)
		return err_set(err, ERR_INVALID, "gzip: deflate: %d", rc);
	return 0;
}

static int
gzip_open(struct decompressor *d, struct err *err)
{
	z_stream *z = d->state[CODEC_GZIP];

	if (z != NULL) {
		inflateReset(z);
		return 0;
	}
	if ((z = calloc(1, sizeof(*z))) == NULL)
		return err_nomem(err);
	if (inflateInit2(z, GZIP_WINDOW_BITS) != Z_OK) {
		free(z);
		return err_nomem(err);
	}
	d->state[CODEC_GZIP] = z;
	return 0;
}

/* One call of inflate, from d->in to `out`. Returns zlib's result. */
static int
gzip_step(struct decompressor *d, uint8_t *out, size_t len, size_t *produced)
{
	z_stream *z = d->state[CODEC_GZIP];
	uInt in_len = (uInt)(cursor_left(&d->in) < UINT32_MAX ? cursor_left(&d->in) : UINT32_MAX);
	uInt out_len = (uInt)(len < UINT32_MAX ? len : UINT32_MAX);
	int rc;

	z->next_in = d->in.at;
	z->avail_in = in_len;
	z->next_out = out;
	z->avail_out = out_len;
	rc = inflate(z, Z_NO_FLUSH);
	d->in.at += in_len - z->avail_in;
	*produced = out_len - z->avail_out;
	return rc;
}

/* At the end of a member: the stream is whole, or another member follows. */
static int
gzip_member_end(struct decompressor *d, struct err *err)
{
	if (cursor_left(&d->in) == 0) {
		d->ended = true;
		return 0;
	}
	if (cursor_left(&d->in) < 2 || d->in.at[0] != 0x1f || d->in.at[1] != 0x8b)
		return err_set(
		    err, ERR_CORRUPT, "gzip: %zu bytes behind the stream", cursor_left(&d->in));
	inflateReset(d->state[CODEC_GZIP]);
	return 0;
}

static ssize_t
gzip_read(struct decompressor *d, uint8_t *out, size_t len, struct err *err)
{
	const z_stream *z = d->state[CODEC_GZIP];
	size_t produced = 0;

	while (produced == 0 && !d->ended) {
		switch (gzip_step(d, out, len, &produced)) {
		case Z_OK:
			break;
		case Z_STREAM_END:
			if (gzip_member_end(d, err) == -1)
				return -1;
			break;
		case Z_BUF_ERROR:
			return err_set(err, ERR_CORRUPT, "gzip: the stream is cut short");
		case Z_MEM_ERROR:
			return err_nomem(err);
		default:
			return err_set(err, ERR_CORRUPT, "gzip: %s",
			    z->msg != NULL ? z->msg : "needs a dictionary");
		}
	}
	return (ssize_t)produced;
}

static void
gzip_release(void *state)
{
	inflateEnd(state);
	free(state);
}

const struct codec_impl codec_gzip = {
    .name = "gzip",
    .level_default = Z_DEFAULT_COMPRESSION,
    .level_ok = gzip_level_ok,
    .compress = gzip_compress,
    .open = gzip_open,
    .read = gzip_read,
    .release = gzip_release,
};
