/*
 * bytes: reading within bounds, and a buffer that grows.
 *
 * A cursor reads a slice of memory that somebody else owns. The first get that
 * does not fit marks it as failed; from then on every get gives 0 or NULL and
 * the position stays. So a decoder reads straight down and asks once, before
 * it uses what it read. All multi-byte integers are big-endian, as in Kafka.
 *
 * A buf owns memory that grows as it is written. When memory runs out, or the
 * limit is passed, it is marked as failed, keeps what it has, and takes no
 * more; one check at the end is enough. Nothing aborts.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct slice {
	const uint8_t *data;
	size_t len;
};

/* Fixed-width big-endian access; the caller has checked the bounds. */
static inline uint16_t
be16_get(const void *at)
{
	const uint8_t *p = at;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be32_get(const void *at)
{
	uint32_t v;
	__builtin_memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap32(v) : v;
}

static inline uint64_t
be64_get(const void *at)
{
	uint64_t v;
	__builtin_memcpy(&v, at, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline void
be16_put(void *at, uint16_t v)
{
	uint8_t *p = at;
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
be32_put(void *at, uint32_t v)
{
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		v = __builtin_bswap32(v);
	__builtin_memcpy(at, &v, sizeof(v));
}

static inline void
be64_put(void *at, uint64_t v)
{
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		v = __builtin_bswap64(v);
	__builtin_memcpy(at, &v, sizeof(v));
}

/* --- cursor: bounded reading --------------------------------------------- */

struct cursor {
	const uint8_t *at, *end;
	bool failed; /* a get did not fit, or a value was malformed */
};

static inline struct cursor
cursor_of(const void *data, size_t len)
{
	const uint8_t *at = data != NULL ? data : (const uint8_t *)""; /* for arithmetic */

	return (struct cursor){.at = at, .end = at + len, .failed = false};
}

static inline size_t
cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* True if all was read and nothing failed. */
static inline bool
cursor_done(const struct cursor *c)
{
	return !c->failed && c->at == c->end;
}

/* The next `len` bytes, or NULL (and failed). Points into the slice. */
static inline const uint8_t *
cursor_bytes(struct cursor *c, size_t len)
{
	const uint8_t *p = c->at;

	if (c->failed || len > cursor_left(c)) {
		c->failed = true;
		return NULL;
	}
	c->at += len;
	return p;
}

static inline int8_t
cursor_i8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);
	return p ? (int8_t)p[0] : 0;
}

static inline int16_t
cursor_i16(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 2);
	return p ? (int16_t)be16_get(p) : 0;
}

static inline int32_t
cursor_i32(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 4);
	return p ? (int32_t)be32_get(p) : 0;
}

static inline int64_t
cursor_i64(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 8);
	return p ? (int64_t)be64_get(p) : 0;
}

/* Zigzag varints of records (at most 5 and 10 bytes), and the unsigned varint
 * of flexible messages (at most 5 bytes). Longer or overflowing ones fail. */
int32_t cursor_varint(struct cursor *c);
int64_t cursor_varlong(struct cursor *c);
uint32_t cursor_uvarint(struct cursor *c);

/* --- buf: growing writer ------------------------------------------------- */

struct buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t len, cap;
	size_t limit; /* 0: none; growing beyond it fails */
	bool failed;
};

#define BUF_INIT {NULL, 0, 0, 0, false}

void buf_init(struct buf *b);
void buf_release(struct buf *b); /* frees, and leaves an empty buf */

/* Forgets the content and a failure, keeps the memory. */
void buf_clear(struct buf *b);

/* Makes room for `len` more bytes. Returns 0, or -1 (failed). */
int buf_reserve(struct buf *b, size_t len);

/* `len` fresh bytes at the end, not cleared, or NULL. Valid until the next
 * call that may grow the buf. */
uint8_t *buf_extend(struct buf *b, size_t len);

/* All of these append; after a failure they do nothing. */
void buf_put(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_i8(struct buf *b, int8_t v);
void buf_i16(struct buf *b, int16_t v);
void buf_i32(struct buf *b, int32_t v);
void buf_i64(struct buf *b, int64_t v);
void buf_varint(struct buf *b, int32_t v);
void buf_varlong(struct buf *b, int64_t v);
void buf_uvarint(struct buf *b, uint32_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Ends the content with a NUL that is not counted in len, and returns it as a
 * string; "" when memory failed. */
const char *buf_cstr(struct buf *b);

/* Encoded sizes, in bytes. */
size_t varint_size(int32_t v);
size_t varlong_size(int64_t v);
size_t uvarint_size(uint32_t v);

#endif
