/* Walking the batches of a .log, and finding the next good one behind rot. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "log/segment.h"

#define BLOCK_FIRST (64 << 10)  /* bytes; a seek wants little */
#define BLOCK_MOST (512 << 10)  /* a stream wants much */
#define HEADERS_BLOCK (4 << 10) /* between two far headers */
#define MAGIC_AT 16

/* Each byte of rot is checked a few times. What claims more than so many for each
 * byte of the file, and these in addition, was made to keep us busy: headers of
 * which each says that its batch reaches to the end. */
#define VAIN_EACH 16
#define VAIN_FREE (256LL << 20)

void
scan_init(struct scan *s)
{
	*s = (struct scan){.fd = -1, .limit = INT64_MAX};
	buf_init(&s->block);
	s->block_size = BLOCK_FIRST;
}

void
scan_release(struct scan *s)
{
	buf_release(&s->block);
	s->fd = -1;
}

void
scan_start(struct scan *s, struct os *os, int fd, int64_t position)
{
	s->os = os;
	s->fd = fd;
	s->position = position;
	s->limit = INT64_MAX;
	s->block_size = BLOCK_FIRST;
	s->seen = 0;
	scan_forget(s);
	scan_again(s);
}

void
scan_move(struct scan *s, int64_t position)
{
	s->position = position;
}

void
scan_forget(struct scan *s)
{
	buf_clear(&s->block);
	s->block_at = s->position;
}

void
scan_again(struct scan *s)
{
	s->in_vain = 0;
	s->gave_up = false;
}

/* Bytes in memory from the position on. */
static size_t
here(const struct scan *s)
{
	int64_t end = s->block_at + (int64_t)s->block.len;

	if (s->position < s->block_at || s->position > end)
		return 0;
	return (size_t)(end - s->position);
}

static const uint8_t *
bytes_here(const struct scan *s)
{
	return s->block.data + (s->position - s->block_at);
}

/* Drops what lies before the position, so that the block begins there. */
static void
shift(struct scan *s)
{
	size_t keep = here(s);

	if (keep > 0 && s->position > s->block_at)
		memmove(s->block.data, bytes_here(s), keep);
	s->block.len = keep;
	s->block_at = s->position;
}

/* Has at least `want` bytes in memory from the position on, if the file has
 * them; a file that ends earlier is no error. */
static int
need(struct scan *s, size_t want, struct err *err)
{
	int64_t left;
	size_t more;
	ssize_t got;

	if (here(s) >= want)
		return 0;
	shift(s);
	more = s->headers_only && s->last_size >= HEADERS_BLOCK ? HEADERS_BLOCK : s->block_size;
	if (want > more)
		more = want;
	/* A garbage index may have sent us before the beginning. */
	left = s->position >= 0 ? s->limit - s->position : 0;
	if (left < 0)
		left = 0;
	if ((int64_t)more > left)
		more = (size_t)left;
	if (more <= s->block.len)
		return 0;
	more -= s->block.len;
	if (buf_reserve(&s->block, more) == -1) {
		s->block.failed = false;
		return err_nomem(err);
	}
	got = os_read_at(s->os, s->fd, s->block.data + s->block.len, more,
	    s->block_at + (int64_t)s->block.len);
	if (got == -1)
		return err_sys(err, errno, "read at byte %lld",
		    (long long)(s->block_at + (int64_t)s->block.len));
	s->block.len += (size_t)got;
	if (s->seen < s->block_at + (int64_t)s->block.len)
		s->seen = s->block_at + (int64_t)s->block.len;
	if (s->block_size < BLOCK_MOST)
		s->block_size *= 2;
	return 0;
}

static int
bad(struct scan *s, enum batch_fault fault, struct err *err)
{
	s->fault = fault;
	return err_set(err, ERR_CORRUPT, "byte %lld: bad %s", (long long)s->position,
	    batch_fault_name(fault));
}

/* Headers only: the records need to exist, not to be read. */
static int
next_header(struct scan *s, struct batch *b, struct err *err)
{
	enum batch_fault fault = batch_view_header(bytes_here(s), here(s), b);
	struct os_stat st;
	int64_t end;

	s->bad = *b;
	if (fault == BATCH_OK && !batch_offsets_ok(b))
		fault = BATCH_BAD_HEADER;
	if (fault != BATCH_OK)
		return bad(s, fault, err);
	end = s->position + b->size;
	if (end > s->block_at + (int64_t)s->block.len) {
		if (os_stat(s->os, s->fd, &st) == -1)
			return err_sys(err, errno, "stat");
		if (end > st.size || end > s->limit)
			return bad(s, BATCH_SHORT, err);
	}
	s->position = end;
	s->last_size = b->size;
	return 1;
}

/* Reads the base offset of what seems to be the batch behind `b`. */
static int
look_ahead(struct scan *s, struct batch *b, struct err *err)
{
	size_t want = (size_t)b->size + MAGIC_AT + 1;

	if (need(s, want, err) == -1)
		return -1;
	b->bytes = bytes_here(s);
	if (here(s) >= want && b->bytes[want - 1] == BATCH_MAGIC)
		s->next_base = (int64_t)be64_get(b->bytes + b->size);
	return 0;
}

bool
scan_is_misplaced(const struct scan *s, const struct batch *b, int64_t expected)
{
	return b->base_offset > expected && s->next_base >= expected &&
	    s->next_base < batch_next_offset(b);
}

static int
look(struct scan *s, struct batch *b, struct err *err)
{
	enum batch_fault fault;

	*b = (struct batch){0};
	s->bad = *b;
	s->next_base = -1;
	if (need(s, BATCH_HEADER, err) == -1)
		return -1;
	if (here(s) == 0)
		return 0;
	if (s->headers_only && here(s) >= BATCH_HEADER)
		return next_header(s, b, err);
	fault = batch_view(bytes_here(s), here(s), b);
	if (fault == BATCH_SHORT && b->size > 0) {
		size_t want = (size_t)b->size;
		if (need(s, want, err) == -1)
			return -1;
		if (here(s) >= want)
			fault = batch_view(bytes_here(s), here(s), b);
	}
	if (fault == BATCH_OK)
		fault = batch_check(b);
	s->bad = *b;
	if (fault != BATCH_OK)
		return bad(s, fault, err);
	if (look_ahead(s, b, err) == -1)
		return -1;
	s->position += b->size;
	return 1;
}

int
scan_next(struct scan *s, struct batch *b, struct err *err)
{
	int r;

	s->fault = BATCH_OK;
	r = look(s, b, err);
	if (r == -1 && s->bad.size > 0)
		s->in_vain += s->bad.size < (int64_t)here(s) ? s->bad.size : (int64_t)here(s);
	return r;
}

uint32_t
scan_wanted_crc(const struct scan *s)
{
	const struct batch *b = &s->bad;

	if (b->bytes == NULL || b->size < BATCH_HEADER || (int64_t)here(s) < b->size)
		return 0;
	return crc32c(0, bytes_here(s) + 21, (size_t)b->size - 21);
}

void
scan_fault_text(const struct scan *s, char *text, size_t size)
{
	const struct batch *b = &s->bad;

	switch (s->fault) {
	case BATCH_BAD_CRC:
		snprintf(text, size, "crc %08x, want %08x", (unsigned)b->crc,
		    (unsigned)scan_wanted_crc(s));
		break;
	case BATCH_SHORT:
		snprintf(text, size, "the file ends within a batch of %lld bytes",
		    (long long)b->size);
		break;
	case BATCH_BAD_LENGTH:
		snprintf(text, size, "length %d, want %d to %d", (int)b->length,
		    BATCH_HEADER - BATCH_PREFIX, BATCH_SIZE_MAX - BATCH_PREFIX);
		break;
	case BATCH_BAD_MAGIC:
		snprintf(text, size, "magic %d, want %d", (int)b->magic, BATCH_MAGIC);
		break;
	default:
		snprintf(text, size, "bad %s", batch_fault_name(s->fault));
		break;
	}
}

/* --- the next good batch ------------------------------------------------------- */

struct hunt {
	int64_t offset, segment_base; /* what offsets are believable */
};

static bool
believable(const struct hunt *h, const struct batch *b)
{
	return b->base_offset >= h->offset && b->last_offset_delta >= 0 &&
	    b->base_offset <= h->segment_base + INT32_MAX - b->last_offset_delta &&
	    b->record_count >= 0 && b->record_count <= (int64_t)b->last_offset_delta + 1;
}

/* Has the pass cost as much as it may? */
static bool
is_spent(const struct scan *s)
{
	return (s->in_vain - VAIN_FREE) / VAIN_EACH > s->seen;
}

/* Is there a good batch at the position? */
static int
try_here(struct scan *s, const struct hunt *h, struct batch *b, struct err *err)
{
	int64_t at = s->position;
	int r;

	if (batch_view_header(bytes_here(s), here(s), b) != BATCH_OK || !believable(h, b))
		return 0;
	r = scan_next(s, b, err);
	s->position = at;
	if (r == 1)
		return 1;
	return r == -1 && err->code != ERR_CORRUPT ? -1 : 0;
}

/* Moves to the next byte that could begin a batch within what is in memory;
 * false if there is none. */
static bool
next_candidate(struct scan *s)
{
	size_t have = here(s);
	const uint8_t *from, *hit;

	if (have < BATCH_HEADER)
		return false;
	from = bytes_here(s) + MAGIC_AT;
	hit = memchr(from, BATCH_MAGIC, have - MAGIC_AT);
	if (hit == NULL) {
		s->position += (int64_t)(have - MAGIC_AT);
		return false;
	}
	s->position += hit - from;
	return true;
}

int
scan_find(struct scan *s, int64_t from, int64_t offset, int64_t segment_base, struct batch *b,
    struct err *err)
{
	const struct hunt h = {offset, segment_base};
	bool headers_only = s->headers_only;
	enum batch_fault fault = s->fault;
	struct batch was = s->bad;
	int r = 0;

	s->headers_only = false;
	scan_move(s, from);
	while (!(s->gave_up = is_spent(s))) {
		if ((r = need(s, BATCH_HEADER, err)) == -1)
			break;
		if (here(s) < BATCH_HEADER)
			break;
		if (!next_candidate(s))
			continue;
		if (here(s) < BATCH_HEADER)
			continue;
		if ((r = try_here(s, &h, b, err)) != 0)
			break;
		s->position++;
	}
	s->headers_only = headers_only;
	s->fault = fault;
	s->bad = was;
	return r;
}
