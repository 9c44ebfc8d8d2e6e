/* The first offset at or after a time. */
#include <errno.h>

#include "log/reader_impl.h"
#include "log/times.h"

/* Is the newest entry of a segment's time index true? Then nothing before the
 * last indexed batch is newer. */
static int
ask_times(struct view *v, int64_t timestamp, struct tindex_entry *at, struct tindex_entry *last)
{
	char path[LOG_PATH_MAX];
	struct err ignored;
	struct tindex ix;
	int r;

	segment_path(path, v->dir, v->base, segment_suffix(SEGMENT_TIME));
	if (tindex_open(&ix, v->os, path, v->base, false, &ignored) == -1)
		return -1;
	*last = ix.last;
	r = tindex_lookup(&ix, timestamp - 1, at, &ignored);
	if (ix.file.count == 0)
		r = -1;
	tindex_close(&ix);
	return r;
}

/* Does the batch that an entry names end at its offset with its time? The view
 * then stands behind it. 1, 0 or -1. */
static int
is_true(struct view *v, const struct tindex_entry *e, struct err *err)
{
	struct batch b;
	int r;

	if (e->offset < v->base || view_seek(v, e->offset, err) == -1)
		return 0;
	while ((r = view_next_good(v, &b, err)) == 1 && batch_last_offset(&b) < e->offset)
		continue;
	if (r == -1)
		return -1;
	return r == 1 && batch_last_offset(&b) == e->offset && b.max_timestamp == e->timestamp;
}

/* Scans on from where the view stands for a batch that reaches `timestamp`. */
static int
scan_for(struct view *v, int64_t timestamp, struct batch *b, struct err *err)
{
	int r;

	while ((r = view_next_good(v, b, err)) == 1) {
		if (b->max_timestamp >= timestamp)
			return 1;
	}
	return r;
}

/* Only what lies behind the last time entry, where the view stands, can be newer;
 * if that is not newer either, the segment is passed over. The offset index does
 * not say where to look: the time index may have lost entries that it has not. */
static int
may_hold(struct view *v, int64_t timestamp, const struct tindex_entry *last, struct err *err)
{
	bool headers_only = v->scan.headers_only;
	struct batch b;
	int r;

	if (last->timestamp >= timestamp)
		return 1;
	v->scan.headers_only = true;
	r = scan_for(v, timestamp, &b, err);
	v->scan.headers_only = headers_only;
	return r;
}

int
view_newest(struct view *v, int64_t *ms, struct err *err)
{
	struct tindex_entry at, last;
	struct batch b;
	int r = 0;

	*ms = -1;
	v->scan.headers_only = true;
	if (ask_times(v, INT64_MAX, &at, &last) == 0)
		r = is_true(v, &last, err);
	if (r == 1) {
		*ms = last.timestamp;
	} else {
		scan_move(&v->scan, 0);
		v->expected = v->base;
	}
	while (r != -1 && (r = view_next_good(v, &b, err)) == 1) {
		if (b.max_timestamp > *ms)
			*ms = b.max_timestamp;
	}
	return r;
}

/* The first batch of a segment that reaches `timestamp`. 1, 0 or -1. */
static int
find_batch(struct view *v, int64_t timestamp, struct batch *b, struct err *err)
{
	struct tindex_entry at, last;
	int r;

	if (ask_times(v, timestamp, &at, &last) == 0) {
		r = is_true(v, &last, err);
		if (r == 1)
			r = may_hold(v, timestamp, &last, err);
		else if (r == 0)
			at.timestamp = -1;
		if (r == -1 || (r == 0 && at.timestamp != -1))
			return r;
		/* All before the entry's batch is older than the entry. */
		if (at.timestamp >= 0 && at.timestamp < timestamp) {
			r = is_true(v, &at, err);
			if (r == -1)
				return -1;
			if (r == 1)
				return scan_for(v, timestamp, b, err);
		}
	}
	v->expected = v->base;
	scan_move(&v->scan, 0);
	return scan_for(v, timestamp, b, err);
}

/* The first record of a batch at or after both. 1, 0 or -1. */
static int
find_record(const struct reader *r, const struct batch *b, int64_t timestamp, int64_t *offset,
    int64_t *found, struct err *err)
{
	struct record_reader records = {0};
	struct record rec;
	int got;

	if (record_reader_open(&records, b, err) == -1)
		return err_prefix(err, "offset %lld", (long long)b->base_offset);
	while ((got = record_reader_next(&records, &rec, err)) == 1) {
		if (rec.timestamp < timestamp || rec.offset < r->start_offset)
			continue;
		*offset = rec.offset;
		*found = rec.timestamp;
		break;
	}
	record_reader_release(&records);
	return got == -1 ? err_prefix(err, "offset %lld", (long long)b->base_offset) : got;
}

static int
search_segment(struct reader *r, struct view *v, int64_t timestamp, int64_t *offset,
    int64_t *found, struct err *err)
{
	struct batch b;
	int got = find_batch(v, timestamp, &b, err);

	/* Compaction leaves batches whose newest record is gone, and the log start
	 * may lie within one: then the search goes on behind it. */
	while (got == 1) {
		got = find_record(r, &b, timestamp, offset, found, err);
		if (got == 1)
			return 1;
		if (got == -1)
			return view_err(v, err);
		got = scan_for(v, timestamp, &b, err);
	}
	return got;
}

/* Looks through the known segments from the one that holds `from` on. 1, 0; -1, with
 * ERR_AGAIN if one is gone, or if there may be one between two, unless the names are
 * `sure`: then what is missing between two is missing. */
static int
search_from(struct reader *r, struct view *v, int64_t from, bool sure, int64_t timestamp,
    int64_t *offset, int64_t *found, struct err *err)
{
	int64_t reached = from;
	int got = 0;

	if (r->names.count == 0)
		return 0;
	for (size_t i = reader_floor(r, from); got == 0 && i < r->names.count; i++) {
		if (!sure && r->names.names[i].base > reached)
			return err_set(err, ERR_AGAIN, "%s: no segment at %lld", r->dir,
			    (long long)reached);
		got = view_open(v, r->names.names[i].base, err);
		if (got == 0)
			got = search_segment(r, v, timestamp, offset, found, err);
		reached = v->expected;
	}
	return got;
}

/* Has the view read the segment to its end that was the last when the bounds were
 * looked at, and does none follow it? */
static bool
is_last(const struct reader *r, const struct view *v)
{
	return v->fd != -1 && v->base == r->bound_base && v->inode == r->bound_inode &&
	    v->expected > v->base && !reader_has(r, v->expected);
}

int
reader_offset_for_time(struct reader *r, int64_t timestamp, int64_t *offset,
    int64_t *found_timestamp, struct err *err)
{
	int64_t from = times_before(r->os, r->dir, timestamp);
	bool anew = false, whole = false, sure = false;
	struct view v;
	int got = 0;

	*offset = *found_timestamp = -1;
	if (from < r->start_offset)
		from = r->start_offset;
	if (from < r->bound_start)
		from = r->bound_start;
	view_init(&v, r->os, r->dir);
	for (int i = 0; i < LOOK_AGAIN_MAX; i++) {
		bool fresh = anew || r->stale;
		uint64_t before = r->listed;

		got = anew ? reader_list(r, err) : reader_names(r, err);
		/* What is there now was looked through. */
		if (got == -1 || (whole && r->listed == before))
			break;
		fresh = fresh && !r->names.guessed;
		/* The same names twice in a row: none is just being renamed. */
		sure = anew && r->listed == before;
		got = search_from(r, &v, from, sure, timestamp, offset, found_timestamp, err);
		whole = got == 0;
		if (got == 1 || (got == -1 && err->code != ERR_AGAIN) ||
		    (whole && (fresh || is_last(r, &v))))
			break;
		anew = true;
	}
	view_release(&v);
	return got == -1 ? -1 : 0;
}

static int
newest_of(struct reader *r, int64_t *timestamp, struct err *err)
{
	struct view v;
	int got = 0;

	*timestamp = -1;
	view_init(&v, r->os, r->dir);
	for (size_t i = 0; got == 0 && i < r->names.count; i++) {
		int64_t newest;

		got = view_open(&v, r->names.names[i].base, err);
		if (got == 0)
			got = view_newest(&v, &newest, err);
		if (got == 0 && newest > *timestamp)
			*timestamp = newest;
	}
	view_release(&v);
	return got;
}

int
reader_newest_time(struct reader *r, int64_t *timestamp, struct err *err)
{
	for (int i = 0; i < LOOK_AGAIN_MAX; i++) {
		if (reader_list(r, err) == -1)
			return -1;
		if (newest_of(r, timestamp, err) == 0)
			return 0;
		if (err->code != ERR_AGAIN)
			return -1;
	}
	return -1;
}
