#include <assert.h>
#include <string.h>

#include "log/batch.h"

/* How much is inflated at a time, at least. */
#define WINDOW_CHUNK 65536

#define VARINT_MAX 5 /* bytes */

/* --- varints ---------------------------------------------------------------- */

static int32_t
unzigzag(uint32_t v)
{
	return (int32_t)(v >> 1 ^ -(v & 1));
}

/* cursor_varint, with one and two bytes (lengths up to 8191) read in place. */
static inline int32_t
varint_get(struct cursor *c)
{
	const uint8_t *p = c->at;

	if (c->end - p >= 1 && p[0] < 0x80) {
		c->at++;
		return unzigzag(p[0]);
	}
	if (c->end - p >= 2 && p[1] < 0x80) {
		c->at += 2;
		return unzigzag((uint32_t)(p[0] & 0x7f) | (uint32_t)p[1] << 7);
	}
	return cursor_varint(c);
}

static inline int64_t
varlong_get(struct cursor *c)
{
	if (cursor_left(c) >= 1 && c->at[0] < 0x80)
		return unzigzag(*c->at++); /* NOLINT(clang-analyzer-core.NullDereference): a byte is left */
	return cursor_varlong(c);
}

/* Bytes behind their size; NULL and -1 for null. */
static inline const uint8_t *
sized_get(struct cursor *c, int32_t *size)
{
	*size = varint_get(c);
	if (*size < 0) {
		*size = -1;
		return NULL;
	}
	return cursor_bytes(c, (size_t)*size);
}

/* --- headers ---------------------------------------------------------------- */

int
record_header_next(struct cursor *at, struct record_header *h)
{
	if (cursor_done(at))
		return 0;
	h->name = (const char *)sized_get(at, &h->name_size);
	if (h->name_size < 0)
		at->failed = true;
	h->value = sized_get(at, &h->value_size);
	return at->failed ? -1 : 1;
}

void
record_header_put(struct buf *b, const struct record_header *h)
{
	buf_varint(b, h->name_size);
	buf_put(b, h->name, (size_t)h->name_size);
	buf_varint(b, h->value_size < 0 ? -1 : h->value_size);
	if (h->value_size > 0)
		buf_put(b, h->value, (size_t)h->value_size);
}

/* As many headers as the count says fill the rest of the record. */
static bool
headers_ok(const struct record *rec)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;

	for (int32_t i = 0; i < rec->header_count; i++) {
		if (record_header_next(&at, &h) != 1)
			return false;
	}
	return cursor_done(&at);
}

/* --- one record ------------------------------------------------------------- */

/* The number of the record being read, from 0, for messages. */
static int32_t
record_number(const struct record_reader *r)
{
	return r->batch->record_count - r->left;
}

static int
record_corrupt(const struct record_reader *r, const char *what, struct err *err)
{
	err_set(err, ERR_CORRUPT, "record %d of %d: %s", record_number(r), r->batch->record_count,
	    what);
	return -1; /* said here, so that static analysis knows */
}

/* Kafka's DefaultRecord.readFrom: `c` is exactly one record without its size. */
static int
record_parse(struct record_reader *r, struct cursor *c, struct record *rec, struct err *err)
{
	const struct batch *b = r->batch;
	int64_t timestamp_delta;

	cursor_i8(c); /* attributes: none has a meaning */
	timestamp_delta = varlong_get(c);
	r->offset_delta = varint_get(c);
	rec->offset = (int64_t)((uint64_t)b->base_offset + (uint64_t)(int64_t)r->offset_delta);
	rec->timestamp = batch_is_append_time(b)
	                     ? b->max_timestamp
	                     : (int64_t)((uint64_t)b->base_timestamp + (uint64_t)timestamp_delta);
	rec->key = sized_get(c, &rec->key_size);
	rec->value = sized_get(c, &rec->value_size);
	/* Mostly there are no headers, and the last byte says so. */
	if (!c->failed && cursor_left(c) == 1 && *c->at == 0) {
		rec->header_count = 0;
		rec->headers = (struct slice){c->end, 0};
		return 0;
	}
	rec->header_count = varint_get(c);
	if (c->failed)
		return record_corrupt(r, "ends within its fields", err);
	rec->headers = (struct slice){c->at, cursor_left(c)};
	if (rec->header_count < 0 || (size_t)rec->header_count > rec->headers.len)
		return record_corrupt(r, "impossible number of headers", err);
	if (rec->header_count == 0 && rec->headers.len == 0)
		return 0;
	if (!headers_ok(rec))
		return record_corrupt(r, "headers do not fill the rest of it", err);
	return 0;
}

/* --- the window of a compressed batch --------------------------------------- */

/* Inflates once more behind what the window holds. Returns 1, 0 at the end of
 * the stream, -1. Memory grows with what was inflated, not with what a record
 * claims. */
static int
window_inflate(struct record_reader *r, struct err *err)
{
	struct buf *w = &r->window;
	ssize_t n;

	if (w->len == w->cap && buf_reserve(w, w->cap > 0 ? 1 : WINDOW_CHUNK) == -1)
		return err_nomem(err);
	n = decompress_read(&r->inflate, w->data + w->len, w->cap - w->len, err);
	if (n <= 0)
		return (int)n;
	w->len += (size_t)n;
	r->inflated += n;
	if (r->inflated > BATCH_INFLATED_MAX)
		return err_set(
		    err, ERR_CORRUPT, "more than %lld bytes once decompressed", BATCH_INFLATED_MAX);
	return 1;
}

/* Makes the window hold `want` unread bytes; fewer if the stream ends before.
 * Returns how many it holds, or -1. */
static ssize_t
window_fill(struct record_reader *r, size_t want, struct err *err)
{
	struct buf *w = &r->window;
	int rc = 1;

	if (w->len - r->window_at >= want)
		return (ssize_t)(w->len - r->window_at);
	if (r->window_at > 0) {
		memmove(w->data, w->data + r->window_at, w->len - r->window_at);
		w->len -= r->window_at;
		r->window_at = 0;
	}
	while (w->len < want && rc == 1)
		rc = window_inflate(r, err);
	return rc == -1 ? -1 : (ssize_t)w->len;
}

/* The next record's bytes, cut out of the window. */
static int
window_record(struct record_reader *r, struct cursor *body, struct err *err)
{
	ssize_t have = window_fill(r, VARINT_MAX, err);
	struct cursor c;
	size_t size_len;
	int32_t size;

	if (have == -1)
		return -1;
	c = cursor_of(r->window.data + r->window_at, (size_t)have);
	size = varint_get(&c);
	size_len = (size_t)have - cursor_left(&c);
	if (c.failed || size < 0 || size > RECORD_SIZE_MAX)
		return record_corrupt(r, have == 0 ? "is missing" : "bad size", err);
	r->window_at += size_len;
	have = window_fill(r, (size_t)size, err);
	if (have == -1)
		return -1;
	if (have < size)
		return record_corrupt(r, "is cut short", err);
	assert(r->window.data != NULL); /* the size was read from it */
	*body = cursor_of(r->window.data + r->window_at, (size_t)size);
	r->window_at += (size_t)size;
	return 0;
}

/* --- reader ----------------------------------------------------------------- */

int
record_reader_open(struct record_reader *r, const struct batch *b, struct err *err)
{
	struct slice records = {b->bytes + BATCH_HEADER, (size_t)b->size - BATCH_HEADER};

	r->batch = b;
	r->left = b->record_count;
	r->offset_delta = -1;
	r->inflated = 0;
	r->window_at = 0;
	buf_clear(&r->window);
	if (b->record_count < 0)
		return err_set(err, ERR_CORRUPT, "%d records", b->record_count);
	r->plain = cursor_of(records.data, records.len);
	if (b->record_count == 0 || batch_codec(b) == CODEC_NONE)
		return 0;
	return decompress_open(&r->inflate, batch_codec(b), records, err);
}

static inline int
plain_record(struct record_reader *r, struct cursor *body, struct err *err)
{
	int32_t size = varint_get(&r->plain);
	const uint8_t *at;

	if (r->plain.failed || size < 0)
		return record_corrupt(
		    r, cursor_left(&r->plain) == 0 ? "is missing" : "bad size", err);
	if ((at = cursor_bytes(&r->plain, (size_t)size)) == NULL)
		return record_corrupt(r, "is cut short", err);
	*body = cursor_of(at, (size_t)size);
	return 0;
}

/* Behind the last record nothing may follow. */
static int
record_reader_end(struct record_reader *r, struct err *err)
{
	ssize_t more;

	if (r->batch->record_count == 0)
		return 0;
	if (batch_codec(r->batch) == CODEC_NONE)
		more = (ssize_t)cursor_left(&r->plain);
	else
		more = window_fill(r, 1, err);
	if (more > 0)
		return err_set(err, ERR_CORRUPT, "bytes are left behind the %d records",
		    r->batch->record_count);
	return (int)more;
}

int
record_reader_next(struct record_reader *r, struct record *rec, struct err *err)
{
	struct cursor body;
	int rc;

	if (r->left == 0)
		return record_reader_end(r, err);
	rc = batch_codec(r->batch) == CODEC_NONE ? plain_record(r, &body, err)
	                                         : window_record(r, &body, err);
	if (rc == -1 || record_parse(r, &body, rec, err) == -1)
		return -1;
	r->left--;
	return 1;
}

void
record_reader_release(struct record_reader *r)
{
	decompress_release(&r->inflate);
	buf_release(&r->window);
	*r = (struct record_reader){0};
}
