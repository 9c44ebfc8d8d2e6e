#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- cursor -------------------------------------------------------------- */

/* An unsigned varint of at most `bits` bits, seven a byte, lowest first. On
 * failure the position stays at its first byte. */
static inline uint64_t
uvarint_get(struct cursor *c, unsigned bits)
{
	const uint8_t *p = c->at;
	uint64_t v = 0;

	if (c->failed)
		return 0;
	for (unsigned shift = 0; shift < bits && p < c->end; shift += 7) {
		uint8_t byte = *p++;

		if (bits - shift < 7 && byte >> (bits - shift) != 0)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			c->at = p;
			return v;
		}
	}
	c->failed = true;
	return 0;
}

uint32_t
cursor_uvarint(struct cursor *c)
{
	return (uint32_t)uvarint_get(c, 32);
}

int32_t
cursor_varint(struct cursor *c)
{
	uint32_t v = (uint32_t)uvarint_get(c, 32);

	return (int32_t)(v >> 1 ^ -(v & 1));
}

int64_t
cursor_varlong(struct cursor *c)
{
	uint64_t v = uvarint_get(c, 64);

	return (int64_t)(v >> 1 ^ -(v & 1));
}

/* --- buf ----------------------------------------------------------------- */

#define BUF_CAP_MIN 64

void
buf_init(struct buf *b)
{
	*b = (struct buf)BUF_INIT;
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* Makes the capacity at least `want`, whatever the limit. */
static int
buf_grow(struct buf *b, size_t want)
{
	size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
	uint8_t *data;

	if (want <= b->cap)
		return 0;
	while (cap < want)
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	if (b->limit != 0 && cap > b->limit)
		cap = want > b->limit ? want : b->limit;
	if ((data = realloc(b->data, cap)) == NULL) {
		b->failed = true;
		return -1;
	}
	b->data = data;
	b->cap = cap;
	return 0;
}

int
buf_reserve(struct buf *b, size_t len)
{
	size_t max = b->limit != 0 ? b->limit : SIZE_MAX - 1;

	if (b->failed || b->len > max || len > max - b->len) {
		b->failed = true;
		return -1;
	}
	return buf_grow(b, b->len + len);
}

uint8_t *
buf_extend(struct buf *b, size_t len)
{
	uint8_t *at;

	/* Room for one byte at least, so that no extent begins at NULL. */
	if (buf_reserve(b, len) == -1 || buf_grow(b, b->len + len + (len == 0)) == -1)
		return NULL;
	at = b->data + b->len;
	b->len += len;
	return at;
}

void
buf_put(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	/* Mostly there is room; a limit may be below it. */
	if ((len > b->cap - b->len || b->limit != 0 || b->failed) && buf_reserve(b, len) == -1)
		return;
	if (len == 1)
		b->data[b->len] = *(const uint8_t *)data;
	else
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

void
buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_i8(struct buf *b, int8_t v)
{
	buf_put(b, &v, 1);
}

void
buf_i16(struct buf *b, int16_t v)
{
	uint8_t raw[2];

	be16_put(raw, (uint16_t)v);
	buf_put(b, raw, sizeof(raw));
}

void
buf_i32(struct buf *b, int32_t v)
{
	uint8_t raw[4];

	be32_put(raw, (uint32_t)v);
	buf_put(b, raw, sizeof(raw));
}

void
buf_i64(struct buf *b, int64_t v)
{
	uint8_t raw[8];

	be64_put(raw, (uint64_t)v);
	buf_put(b, raw, sizeof(raw));
}

static inline void
uvarint_put(struct buf *b, uint64_t v)
{
	uint8_t raw[10];
	size_t n = 0;

	while (v >= 0x80) {
		raw[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	raw[n++] = (uint8_t)v;
	buf_put(b, raw, n);
}

static inline uint32_t
zigzag32(int32_t v)
{
	return (uint32_t)v << 1 ^ (v < 0 ? UINT32_MAX : 0);
}

static inline uint64_t
zigzag64(int64_t v)
{
	return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

void
buf_varint(struct buf *b, int32_t v)
{
	uvarint_put(b, zigzag32(v));
}

void
buf_varlong(struct buf *b, int64_t v)
{
	uvarint_put(b, zigzag64(v));
}

void
buf_uvarint(struct buf *b, uint32_t v)
{
	uvarint_put(b, v);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list ap;
	int n;

	if (b->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(room != 0 ? (char *)b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (buf_reserve(b, (size_t)n) == -1)
		return;
	if ((size_t)n >= room) {
		/* vsnprintf's NUL is no content: the limit does not count it. */
		if (buf_grow(b, b->len + (size_t)n + 1) == -1)
			return;
		va_start(ap, fmt);
		vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

const char *
buf_cstr(struct buf *b)
{
	if (b->failed || buf_grow(b, b->len + 1) == -1)
		return "";
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

/* --- sizes --------------------------------------------------------------- */

static size_t
uvarlong_size(uint64_t v)
{
	unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);

	return (bits + 6) / 7;
}

size_t
varint_size(int32_t v)
{
	return uvarlong_size(zigzag32(v));
}

size_t
varlong_size(int64_t v)
{
	return uvarlong_size(zigzag64(v));
}

size_t
uvarint_size(uint32_t v)
{
	return uvarlong_size(v);
}
