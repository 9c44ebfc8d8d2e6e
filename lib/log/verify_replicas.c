/* Two replicas of a partition against one another. */
#include <stdio.h>
#include <string.h>

#include "log/reader.h"
#include "log/verify_impl.h"

struct side {
	struct reader *reader;
	const char *dir;
	struct batch b;
	bool have; /* b is a batch that is not compared yet */
	bool ended;
};

struct compare {
	const struct verify_args *args;
	struct verify_totals *totals;
	struct side a, b;
	int64_t end; /* offsets from here on are not in both */
};

static void
tell(struct compare *c, enum verify_check check, const struct side *s, int64_t position,
    const char *text)
{
	struct verify_finding f = {.check = check, .damage = true, .position = position,
	    .lost_first = -1, .lost_last = -1, .next_good = -1, .text = text,
	    .why = verify_check_name(check)};
	char file[64];
	int64_t base, at;

	reader_position(s->reader, &base, &at);
	snprintf(file, sizeof(file), "%020lld%s", (long long)base, segment_suffix(SEGMENT_LOG));
	f.file = file;
	c->totals->damaged++;
	if (c->args->found != NULL)
		c->args->found(c->args->ctx, &f);
}

/* Has a batch of this side to compare, unless it has ended. */
static int
fetch(struct compare *c, struct side *s, struct err *err)
{
	while (!s->have && !s->ended) {
		int got = reader_next(s->reader, &s->b, err);

		if (got == 1) {
			s->have = s->b.base_offset < c->end;
			s->ended = !s->have;
		} else if (got == 0) {
			s->ended = true;
		} else if (err->code == ERR_CORRUPT) {
			tell(c, VERIFY_BATCH, s, reader_damage(s->reader)->position, err->text);
		} else {
			return -1;
		}
	}
	return 0;
}

static void
tell_batches(struct compare *c, const struct side *s, const struct side *other, const char *what)
{
	int64_t base, position;
	char text[ERR_TEXT_MAX];

	reader_position(s->reader, &base, &position);
	snprintf(text, sizeof(text), "%s: offsets %lld..%lld: %s %s", segment_dir_name(s->dir),
	    (long long)s->b.base_offset, (long long)batch_last_offset(&s->b), what, other->dir);
	tell(c, VERIFY_DIFFER, s, position, text);
}

static bool
same_bytes(const uint8_t *a, int32_t a_size, const uint8_t *b, int32_t b_size)
{
	return a_size == b_size && (a_size <= 0 || memcmp(a, b, (size_t)a_size) == 0);
}

static bool
same_record(const struct record *a, const struct record *b)
{
	return a->timestamp == b->timestamp && a->header_count == b->header_count &&
	    same_bytes(a->key, a->key_size, b->key, b->key_size) &&
	    same_bytes(a->value, a->value_size, b->value, b->value_size) &&
	    a->headers.len == b->headers.len &&
	    (a->headers.len == 0 || memcmp(a->headers.data, b->headers.data, a->headers.len) == 0);
}

/* Records of both that have the same offset: 1 if they are equal, 0, -1. */
static int
same_records(const struct batch *x, const struct batch *y, struct err *err)
{
	struct record_reader a = {0}, b = {0};
	struct record ra, rb;
	int more_a = -1, more_b = -1, same = 1;

	if (record_reader_open(&a, x, err) == 0 && record_reader_open(&b, y, err) == 0) {
		more_a = record_reader_next(&a, &ra, err);
		more_b = record_reader_next(&b, &rb, err);
	}
	while (same && more_a == 1 && more_b == 1) {
		int64_t at = ra.offset, other = rb.offset;

		if (at == other)
			same = same_record(&ra, &rb);
		if (at <= other)
			more_a = record_reader_next(&a, &ra, err);
		if (other <= at)
			more_b = record_reader_next(&b, &rb, err);
	}
	record_reader_release(&a);
	record_reader_release(&b);
	return more_a == -1 || more_b == -1 ? -1 : same;
}

/* Compares what lies at the front of both, and lets go of what is done with. */
static void
compare_front(struct compare *c)
{
	struct side *a = &c->a, *b = &c->b;
	int64_t next_a = batch_next_offset(&a->b), next_b = batch_next_offset(&b->b);
	struct err err;

	c->totals->batches++;
	if (a->b.size == b->b.size && memcmp(a->b.bytes, b->b.bytes, (size_t)a->b.size) == 0) {
		c->totals->bytes += a->b.size;
		c->totals->records += a->b.record_count;
		a->have = b->have = false;
		return;
	}
	if (next_a <= b->b.base_offset) {
		if (!c->args->compacted)
			tell_batches(c, a, b, "not in");
	} else if (next_b <= a->b.base_offset) {
		if (!c->args->compacted)
			tell_batches(c, b, a, "not in");
	} else if (!c->args->compacted || same_records(&a->b, &b->b, &err) != 1) {
		tell_batches(c, a, b, "differ from");
	}
	a->have = next_a > next_b;
	b->have = next_b > next_a;
}

/* What only one side holds below the common end. */
static void
one_sided(struct compare *c, struct side *s, const struct side *other)
{
	if (!c->args->compacted)
		tell_batches(c, s, other, "not in");
	s->have = false;
}

static int
compare_all(struct compare *c, struct err *err)
{
	for (;;) {
		if (fetch(c, &c->a, err) == -1 || fetch(c, &c->b, err) == -1)
			return -1;
		if (c->a.have && c->b.have)
			compare_front(c);
		else if (c->a.have)
			one_sided(c, &c->a, &c->b);
		else if (c->b.have)
			one_sided(c, &c->b, &c->a);
		else
			return 0;
	}
}

int
verify_replicas(struct os *os, const char *dir_a, const char *dir_b,
    const struct verify_args *args, struct verify_totals *totals, struct err *err)
{
	struct compare c = {.args = args, .totals = totals, .a.dir = dir_a, .b.dir = dir_b};
	int64_t start_a, start_b, end_a, end_b, from;
	int r = -1;

	c.a.reader = reader_open(os, dir_a, 0, err);
	if (c.a.reader != NULL)
		c.b.reader = reader_open(os, dir_b, 0, err);
	if (c.b.reader != NULL && reader_bounds(c.a.reader, &start_a, &end_a, err) == 0 &&
	    reader_bounds(c.b.reader, &start_b, &end_b, err) == 0) {
		from = start_a > start_b ? start_a : start_b;
		c.end = end_a < end_b ? end_a : end_b;
		if (reader_seek(c.a.reader, from, err) == 0 &&
		    reader_seek(c.b.reader, from, err) == 0)
			r = compare_all(&c, err);
	}
	reader_free(c.a.reader);
	reader_free(c.b.reader);
	return r;
}
