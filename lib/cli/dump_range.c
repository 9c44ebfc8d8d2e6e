/* -o: which offsets of a partition are printed. Points are resolved once, before
 * its first file; times when the scan comes to them. */
#include <errno.h>

#include "cli/dump.h"
#include "log/segment.h"

bool
dump_has_range(const struct dump *d)
{
	return d->range.from.kind != POINT_NONE || d->range.to.kind != POINT_NONE;
}

/* First offset in a file, and one past its last one, by headers alone. Leaves
 * them as they are if there is no good batch. */
static int
bounds_of(struct dump *d, const char *path, int64_t *begin, int64_t *end, struct err *err)
{
	int fd = os_open(d->os, path, OS_READ), rc;
	bool first = true;
	struct batch b;
	struct scan s;

	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	scan_init(&s);
	scan_start(&s, d->os, fd, 0);
	s.headers_only = true;
	while ((rc = scan_next(&s, &b, err)) != 0) {
		if (rc == -1 && err->code == ERR_CORRUPT)
			rc = scan_find(&s, s.position + 1, 0, FAR_BASE, &b, err);
		else if (rc == 1 && first) {
			*begin = b.base_offset;
			first = false;
		}
		if (rc == 1)
			*end = batch_next_offset(&b);
		else
			break;
	}
	scan_release(&s);
	(void)os_close(d->os, fd);
	return rc == -1 ? -1 : 0;
}

/* An offset that a point stands for; times are the caller's. */
static int64_t
resolve(const struct point *p, int64_t begin, int64_t end, int64_t otherwise)
{
	switch (p->kind) {
	case POINT_BEGINNING:
		return begin;
	case POINT_END:
		return end;
	case POINT_OFFSET:
		return p->value;
	case POINT_AFTER:
		return p->value > INT64_MAX - begin ? INT64_MAX : begin + p->value;
	case POINT_BEFORE:
		return end - begin > p->value ? end - p->value : begin;
	default:
		return otherwise;
	}
}

int
dump_begin_range(struct dump *d, char *const *paths, size_t count, struct err *err)
{
	int64_t begin = 0, end = 0, unused;

	d->from = INT64_MIN;
	d->to = INT64_MAX;
	d->from_ms = INT64_MIN;
	d->to_ms = INT64_MAX;
	if (!dump_has_range(d) || count == 0)
		return 0;
	if (bounds_of(d, paths[0], &begin, &end, err) == -1)
		return -1;
	if (count > 1 && bounds_of(d, paths[count - 1], &unused, &end, err) == -1)
		return -1;
	d->from = resolve(&d->range.from, begin, end, INT64_MIN);
	d->to = resolve(&d->range.to, begin, end, INT64_MAX);
	if (d->range.to.kind == POINT_END)
		d->to = INT64_MAX;
	if (d->range.from.kind == POINT_TIME)
		d->from_ms = d->range.from.value;
	if (d->range.to.kind == POINT_TIME)
		d->to_ms = d->range.to.value;
	return 0;
}

/* The offset of the first record at or after a time, or -1. */
static int64_t
first_at(struct dump *d, const struct batch *b, int64_t ms)
{
	struct record r;
	struct err err;

	if (b->max_timestamp < ms || record_reader_open(&d->reader, b, &err) == -1)
		return -1;
	while (record_reader_next(&d->reader, &r, &err) == 1)
		if (r.timestamp >= ms)
			return r.offset;
	return -1;
}

bool
dump_wants_batch(struct dump *d, const struct batch *b)
{
	int64_t offset;

	if (d->from_ms != INT64_MIN) {
		offset = first_at(d, b, d->from_ms);
		if (offset == -1)
			return false;
		d->from = offset;
		d->from_ms = INT64_MIN;
	}
	if (d->to_ms != INT64_MAX && (offset = first_at(d, b, d->to_ms)) != -1) {
		d->to = offset;
		d->to_ms = INT64_MAX;
	}
	return batch_last_offset(b) >= d->from && b->base_offset < d->to;
}

bool
dump_wants_offsets(const struct dump *d, int64_t first, int64_t last)
{
	return d->from_ms == INT64_MIN && last >= d->from && first < d->to;
}
