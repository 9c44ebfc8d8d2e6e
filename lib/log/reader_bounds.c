/* Where a log begins and ends, as of now. */
#include <errno.h>

#include "log/reader_impl.h"

/* Goes on from where the end was last time, or from the last index entry. */
static int
walk_to_end(struct reader *r, struct view *v, int64_t *end, struct err *err)
{
	struct os_stat st;
	struct batch b;
	int got;

	if (v->base == r->bound_base && v->inode == r->bound_inode &&
	    os_stat(r->os, v->fd, &st) == 0 && st.size >= r->bound_position) {
		scan_move(&v->scan, r->bound_position);
		v->expected = r->bound_end;
	} else if (view_seek(v, INT64_MAX, err) == -1) {
		return -1;
	}
	r->bound_position = v->scan.position;
	while ((got = view_next_good(v, &b, err)) == 1)
		r->bound_position = v->scan.position;
	if (got == -1)
		return -1;
	r->bound_base = v->base;
	r->bound_inode = v->inode;
	*end = r->bound_end = v->expected;
	/* What rotted at the end was there: whoever reads up to it is told. */
	if (r->synced_offset > *end && os_stat(r->os, v->fd, &st) == 0 &&
	    st.size > r->bound_position)
		*end = r->synced_offset;
	return 0;
}

void
reader_synced(struct reader *r, int64_t offset)
{
	r->synced_offset = offset;
}

/* Was the listing used by the last look at the bounds, and is it likely to hold?
 * A log's last segment is followed by one that begins where it ends; one that was
 * replaced is the last no more. */
static bool
is_listed(struct reader *r)
{
	return !r->stale && r->names.count > 0 &&
	    r->names.names[r->names.count - 1].base == r->bound_base &&
	    ++r->bound_polls % POLLS_PER_LIST != 0;
}

bool
reader_has(const struct reader *r, int64_t base)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;

	segment_path(path, r->dir, base, segment_suffix(SEGMENT_LOG));
	return os_stat_path(r->os, path, &st) == 0 || errno != ENOENT;
}

static int
list_for_bounds(struct reader *r, struct err *err)
{
	if (reader_list(r, err) == -1)
		return -1;
	if (r->names.count > 0 && r->names.names[0].base > r->start_offset)
		return reader_list_again(r, err);
	return 0;
}

/* Is all as the hint says: a segment that holds the log's start, and the file that was
 * the active one? A replacement could end lower than what it replaced did. */
static bool
is_proved(const struct reader *r, const struct view *v)
{
	return v->base == r->tail.base && v->inode == r->tail.inode &&
	    v->expected >= r->tail.end && v->expected > v->base &&
	    reader_has(r, r->names.names[0].base);
}

/* Looks at the last segment that is known by hints only. As look_at_last. */
static int
look_at_guessed(struct reader *r, struct view *v, int64_t *end, struct err *err)
{
	if (view_open(v, r->names.names[r->names.count - 1].base, err) == -1)
		return err->code == ERR_AGAIN ? 1 : -1;
	if (walk_to_end(r, v, end, err) == -1)
		return -1;
	return !is_proved(r, v) || reader_has(r, v->expected);
}

/* Looks at the last segment that is known. 1: there may be others; 0; -1. */
static int
look_at_last(struct reader *r, struct view *v, bool cached, int64_t *end, struct err *err)
{
	uint64_t inode = r->bound_inode;

	if (view_open(v, r->names.names[r->names.count - 1].base, err) == -1)
		return err->code == ERR_AGAIN ? 1 : -1;
	if (cached && (v->inode != inode || !reader_has(r, r->names.names[0].base)))
		return 1;
	if (walk_to_end(r, v, end, err) == -1)
		return -1;
	return cached && v->expected > v->base && reader_has(r, v->expected);
}

int
reader_bounds(struct reader *r, int64_t *start, int64_t *end, struct err *err)
{
	struct view v;
	int got = 1;

	*start = *end = r->start_offset;
	view_init(&v, r->os, r->dir);
	for (int i = 0; got == 1 && i < LOOK_AGAIN_MAX; i++) {
		bool guessed = i == 0 && r->bound_base == -1 && reader_guess(r);
		bool cached = i == 0 && !guessed && is_listed(r);

		if (guessed)
			got = look_at_guessed(r, &v, end, err);
		else if (!cached && list_for_bounds(r, err) == -1)
			got = -1;
		else if (r->names.count == 0)
			got = 0;
		else
			got = look_at_last(r, &v, cached, end, err);
	}
	if (got == 0 && r->names.count > 0) {
		if (r->names.names[0].base > *start)
			*start = r->names.names[0].base;
		if (*end < *start)
			*end = *start;
	}
	r->bound_start = *start;
	view_release(&v);
	return got == 0 ? 0 : -1;
}
