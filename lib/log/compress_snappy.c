#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "log/compress_codec.h"

/*
 * snappy-java's stream: a magic, two versions, then blocks, each with its size
 * before it. A stream may start over with the magic between two blocks, which is
 * what two streams behind each other look like. Without the magic all of it is
 * one block of raw snappy.
 */
#define SNAPPY_MAGIC "\x82SNAPPY"
#define SNAPPY_MAGIC_SIZE 8 /* with the NUL */
#define SNAPPY_MAGIC_HEAD ((int32_t)0x82534e41)
#define SNAPPY_HEADER 16
#define SNAPPY_VERSION 1
#define SNAPPY_BLOCK 32768

/* What the compressor takes at most for a block, and some: a table of 32 KiB, a
 * copy of the block, room for its compressed form (7/6 of it). */
#define SNAPPY_WORK (112 << 10)

/* Three bytes can make 64, no encoding makes more. */
#define SNAPPY_RATIO_MAX 22

#define SNAPPY_LIBRARY "libsnappy.so.1"
#define SNAPPY_PACKAGE "libsnappy1v5"

/* snappy-c.h: 0 is success. One a thread, so that loading needs no lock; the
 * library itself is loaded once. */
static _Thread_local struct {
	bool tried, loaded;
	int (*compress)(const char *in, size_t in_len, char *out, size_t *out_len);
	int (*uncompress)(const char *in, size_t in_len, char *out, size_t *out_len);
	size_t (*max_compressed_length)(size_t len);
	int (*uncompressed_length)(const char *in, size_t in_len, size_t *len);
} snappy;

/* dlsym gives a data pointer; POSIX wants it copied into a function's. */
static bool
snappy_symbol(void *library, const char *name, void *function)
{
	void *at = dlsym(library, name);

	memcpy(function, &at, sizeof(at));
	return at != NULL;
}

static bool
snappy_load_once(void)
{
	void *library = dlopen(SNAPPY_LIBRARY, RTLD_NOW | RTLD_LOCAL);

	return library != NULL && snappy_symbol(library, "snappy_compress", &snappy.compress) &&
	       snappy_symbol(library, "snappy_uncompress", &snappy.uncompress) &&
	       snappy_symbol(
		   library, "snappy_max_compressed_length", &snappy.max_compressed_length) &&
	       snappy_symbol(library, "snappy_uncompressed_length", &snappy.uncompressed_length);
}

static int
snappy_load(struct err *err)
{
	if (!snappy.tried)
		snappy.loaded = snappy_load_once();
	snappy.tried = true;
	if (snappy.loaded)
		return 0;
	return err_set(err, ERR_UNSUPPORTED_COMPRESSION_TYPE,
	    "snappy: " SNAPPY_LIBRARY " cannot be loaded (package " SNAPPY_PACKAGE ")");
}

/* The compressor takes memory by C++'s new, whose failure ends the process. So it
 * is asked for only when as much could be had a moment ago. */
static bool
snappy_has_room(void)
{
	/* Kept from the compiler, which knows that a block freed unused is none. */
	void *volatile room = malloc(SNAPPY_WORK);
	bool has = room != NULL;

	free(room);
	return has;
}

static int
snappy_block_put(const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	size_t n = snappy.max_compressed_length(len);
	size_t size_at = out->len;

	buf_i32(out, 0);
	if (buf_reserve(out, n) == -1 || !snappy_has_room())
		return err_nomem(err);
	if (snappy.compress((const char *)in, len, (char *)out->data + out->len, &n) != 0)
		return err_set(err, ERR_INVALID, "snappy: cannot compress");
	out->len += n;
	be32_put(out->data + size_at, (uint32_t)n);
	return 0;
}

static int
snappy_stream_put(int level, const uint8_t *in, size_t len, struct buf *out, struct err *err)
{
	(void)level;
	if (snappy_load(err) == -1)
		return -1;
	buf_put(out, SNAPPY_MAGIC, SNAPPY_MAGIC_SIZE);
	buf_i32(out, SNAPPY_VERSION);
	buf_i32(out, SNAPPY_VERSION);
	for (size_t at = 0; at < len; at += SNAPPY_BLOCK) {
		size_t n = len - at < SNAPPY_BLOCK ? len - at : SNAPPY_BLOCK;

		if (snappy_block_put(in + at, n, out, err) == -1)
			return -1;
	}
	return out->failed ? err_nomem(err) : 0;
}

/* The header at the cursor. snappy-java does not look at the versions. */
static int
snappy_header_get(struct decompressor *d, struct err *err)
{
	const uint8_t *header = cursor_bytes(&d->in, SNAPPY_HEADER);

	if (header == NULL || memcmp(header, SNAPPY_MAGIC, SNAPPY_MAGIC_SIZE) != 0)
		return err_set(err, ERR_CORRUPT, "snappy: bad stream header");
	return 0;
}

static int
snappy_open(struct decompressor *d, struct err *err)
{
	if (snappy_load(err) == -1)
		return -1;
	buf_clear(&d->block);
	d->block_at = 0;
	d->framed = cursor_left(&d->in) >= SNAPPY_HEADER &&
	            memcmp(d->in.at, SNAPPY_MAGIC, SNAPPY_MAGIC_SIZE) == 0;
	return d->framed ? snappy_header_get(d, err) : 0;
}

/* Inflates one block, whose size is compared before memory is taken for it. */
static int
snappy_block_inflate(struct decompressor *d, const uint8_t *in, size_t len, struct err *err)
{
	uint8_t *out;
	size_t n;

	if (snappy.uncompressed_length((const char *)in, len, &n) != 0)
		return err_set(err, ERR_CORRUPT, "snappy: bad block");
	if (n > SNAPPY_BLOCK_MAX || n / SNAPPY_RATIO_MAX > len)
		return err_set(err, ERR_CORRUPT, "snappy: a block of %zu bytes claims %zu", len, n);
	buf_clear(&d->block);
	d->block_at = 0;
	if ((out = buf_extend(&d->block, n)) == NULL)
		return err_nomem(err);
	if (snappy.uncompress((const char *)in, len, (char *)out, &n) != 0) {
		buf_clear(&d->block);
		return err_set(err, ERR_CORRUPT, "snappy: bad block");
	}
	return 0;
}

static int
snappy_block_get(struct decompressor *d, struct err *err)
{
	const uint8_t *in;
	int32_t len;

	if (!d->framed) {
		len = (int32_t)(cursor_left(&d->in) < INT32_MAX ? cursor_left(&d->in) : INT32_MAX);
		return snappy_block_inflate(d, cursor_bytes(&d->in, (size_t)len), (size_t)len, err);
	}
	len = cursor_i32(&d->in);
	if (len == SNAPPY_MAGIC_HEAD && !d->in.failed) {
		d->in.at -= sizeof(len);
		return snappy_header_get(d, err);
	}
	if (d->in.failed || len < 0 || (in = cursor_bytes(&d->in, (size_t)len)) == NULL)
		return err_set(err, ERR_CORRUPT, "snappy: the stream is cut short");
	return snappy_block_inflate(d, in, (size_t)len, err);
}

static ssize_t
snappy_read(struct decompressor *d, uint8_t *out, size_t len, struct err *err)
{
	size_t n;

	while (d->block_at == d->block.len) {
		if (cursor_left(&d->in) == 0) {
			d->ended = true;
			return 0;
		}
		if (snappy_block_get(d, err) == -1)
			return -1;
	}
	n = d->block.len - d->block_at < len ? d->block.len - d->block_at : len;
	memcpy(out, d->block.data + d->block_at, n);
	d->block_at += n;
	return (ssize_t)n;
}

const struct codec_impl codec_snappy = {
    .name = "snappy",
    .compress = snappy_stream_put,
    .open = snappy_open,
    .read = snappy_read,
};
