/* Reading a partition without a lock. */
#include "log/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/reader_impl.h"

struct reader *
reader_open(struct os *os, const char *dir, int64_t start_offset, struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct os_stat st;

	if (r == NULL || (r->dir = strdup(dir)) == NULL) {
		free(r);
		err_nomem(err);
		return NULL;
	}
	r->os = os;
	r->start_offset = r->offset = start_offset;
	r->plain_offset = -1;
	r->end_base = r->bound_base = r->tail.base = -1;
	view_init(&r->view, os, r->dir);
	producers_init(&r->producers);
	/* It is listed when it is first read from. */
	r->stale = true;
	if (os_stat_path(os, dir, &st) == -1) {
		err_sys(err, errno, "%s", dir);
		reader_free(r);
		return NULL;
	}
	return r;
}

void
reader_free(struct reader *r)
{
	if (r == NULL)
		return;
	reader_free(r->replay);
	view_release(&r->view);
	free(r->names.names);
	producers_release(&r->producers);
	free(r->aborted);
	free(r->dir);
	free(r);
}

/* --- segments --------------------------------------------------------------------- */

/* Opens segment number `i` and stands before r->offset. 1, or -1. */
static int
open_number(struct reader *r, size_t i, struct err *err)
{
	if (view_open(&r->view, r->names.names[i].base, err) == -1)
		return -1;
	r->view.scan.headers_only = r->headers_only;
	return view_seek(&r->view, r->offset, err) == -1 ? -1 : 1;
}

/* Opens the segment that holds r->offset. 1; 0: there is none at all; -1. */
static int
open_current(struct reader *r, struct err *err)
{
	for (int i = 0; i < LOOK_AGAIN_MAX; i++) {
		if (reader_names(r, err) == -1)
			return -1;
		if (r->names.count > 0 && r->names.names[0].base > r->offset &&
		    reader_list_again(r, err) == -1)
			return -1;
		if (r->names.count == 0)
			return 0;
		if (open_number(r, reader_floor(r, r->offset), err) == 1)
			return 1;
		if (err->code != ERR_AGAIN)
			return -1;
		r->stale = true;
	}
	return -1;
}

int
reader_seek(struct reader *r, int64_t offset, struct err *err)
{
	r->offset = offset > r->start_offset ? offset : r->start_offset;
	r->end_base = -1;
	return open_current(r, err) == -1 ? -1 : 0;
}

/* --- the end of a segment ---------------------------------------------------------- */

/* Is the open file no longer what the segment's name stands for? While a
 * replacement takes its place the name is that of the .swap; found under neither,
 * it has to be looked for anew. */
static bool
is_replaced(const struct reader *r)
{
	struct segment_name n = {r->view.base, SEGMENT_LOG, SEGMENT_PLAIN};
	char path[LOG_PATH_MAX];
	struct os_stat st;

	segment_name_path(path, r->dir, &n);
	if (os_stat_path(r->os, path, &st) == 0)
		return st.inode != r->view.inode;
	n.state = SEGMENT_SWAP;
	segment_name_path(path, r->dir, &n);
	return os_stat_path(r->os, path, &st) == -1 || st.inode != r->view.inode;
}

/* Number of the segment to read after the open one, whose records were all
 * read; names.count if there is none. */
static size_t
following(const struct reader *r)
{
	int64_t next = r->view.expected > r->offset ? r->view.expected : r->offset;
	size_t i = reader_floor(r, next);

	if (r->names.count == 0)
		return 0;
	/* The segment was merged into another, or made anew under its name. */
	if (r->names.names[i].base < r->view.base || r->names.names[i].base > next)
		return i;
	if (r->names.names[i].base == r->view.base && is_replaced(r))
		return i;
	while (i < r->names.count && r->names.names[i].base <= r->view.base)
		i++;
	return i;
}

/* Says which segment to read after the open one. As long as the one known to
 * follow goes on where this one ends nothing is listed; with `anew` always. */
static int
list_following(struct reader *r, bool anew, size_t *next, struct err *err)
{
	if (!anew && !r->stale) {
		*next = following(r);
		if (*next < r->names.count && r->names.names[*next].base <= r->view.expected)
			return 0;
	}
	if (reader_list(r, err) == -1)
		return -1;
	*next = following(r);
	if (*next == r->names.count || r->names.names[*next].base <= r->view.expected)
		return 0;
	if (reader_list_again(r, err) == -1)
		return -1;
	*next = following(r);
	return 0;
}

/* Did a poll a moment ago find the end here? Then a look for the name that a new
 * segment would have is enough, most of the time. */
static bool
still_the_end(struct reader *r)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;

	if (r->end_base != r->view.base || r->end_position != r->view.scan.position ||
	    ++r->polls % POLLS_PER_LIST == 0)
		return false;
	if (r->view.expected == r->view.base)
		return true;
	segment_path(path, r->dir, r->view.expected, segment_suffix(SEGMENT_LOG));
	return os_stat_path(r->os, path, &st) == -1 && errno == ENOENT;
}

static void
mark_end(struct reader *r, int64_t size)
{
	r->end_base = r->view.base;
	r->end_position = r->view.scan.position;
	r->end_size = size;
	scan_again(&r->view.scan);
}

static int64_t
file_size(const struct reader *r)
{
	struct os_stat st;

	return os_stat(r->os, r->view.fd, &st) == -1 ? -1 : st.size;
}

/* Goes to segment number `i`. 1, also when it has to be looked for anew; -1. */
static int
go_to(struct reader *r, size_t i, struct err *err)
{
	if (r->view.expected > r->offset)
		r->offset = r->view.expected;
	if (open_number(r, i, err) == 1)
		return 1;
	if (err->code != ERR_AGAIN)
		return -1;
	r->stale = true;
	return open_current(r, err) == -1 ? -1 : 1;
}

/* All bytes of the segment are read. 1: go on; 0: the end for now; -1. */
static int
at_end(struct reader *r, struct err *err)
{
	int64_t size;
	size_t next;

	scan_forget(&r->view.scan);
	if (still_the_end(r))
		return 0;
	if (list_following(r, false, &next, err) == -1)
		return -1;
	/* Looked at after the list: what was written before a roll is seen. */
	size = file_size(r);
	if (size > r->view.scan.position)
		return 1;
	if (next < r->names.count)
		return go_to(r, next, err);
	mark_end(r, size);
	r->stale = r->stale || size < r->view.scan.position;
	if (size < r->view.scan.position)
		return open_current(r, err) == -1 ? -1 : 0;
	return 0;
}

/* --- bad bytes ---------------------------------------------------------------------- */

/* Tells of the damage and stands at the next good batch. */
static int
report(struct reader *r, const char *why, int64_t next_offset, struct err *err)
{
	struct reader_damage *d = &r->damage;
	char next[64];

	d->lost_first = r->view.expected;
	d->lost_last = next_offset - 1;
	if (d->next_base == -1)
		snprintf(next, sizeof(next), "no good batch follows");
	else if (d->next_base == d->segment_base)
		snprintf(next, sizeof(next), "next good batch at %lld", (long long)d->next_position);
	else
		snprintf(next, sizeof(next), "next good batch in %020lld.log",
		    (long long)d->next_base);
	err_set(err, ERR_CORRUPT, "byte %lld: %s (offsets %lld..%lld; %s)", (long long)d->position,
	    why, (long long)d->lost_first, (long long)d->lost_last, next);
	return view_err(&r->view, err);
}

/* Is it still bad, read afresh? A writer may just have completed it, or cut it
 * and written something else. */
static bool
is_still_bad(struct reader *r, int64_t position)
{
	struct err ignored;
	struct batch b;
	int got;

	scan_move(&r->view.scan, position);
	scan_forget(&r->view.scan);
	r->view.scan.headers_only = false;
	got = scan_next(&r->view.scan, &b, &ignored);
	r->view.scan.headers_only = r->headers_only;
	scan_move(&r->view.scan, position);
	return got == -1 || (got == 1 && !view_fits(&r->view, &b));
}

/* The bad bytes reach to the end of the segment. With a segment behind, or below
 * what was synced, they are rot; else they are being written, or torn. */
static int
bad_to_the_end(struct reader *r, int64_t size, const char *why, struct err *err)
{
	int64_t position = r->damage.position;
	size_t next;
	int said = 0;

	if (list_following(r, true, &next, err) == -1)
		return -1;
	if (!is_still_bad(r, position) || file_size(r) != size)
		return 1;
	if (next == r->names.count) {
		mark_end(r, size);
		if (r->synced_offset <= r->view.expected)
			return 0;
		/* They were whole once: a sync said so. */
		report(r, why, r->synced_offset, err);
		r->view.expected = r->offset = r->synced_offset;
		return -1;
	}
	if (r->names.names[next].base > r->offset) {
		r->damage.next_base = r->names.names[next].base;
		r->damage.next_position = 0;
		said = report(r, why, r->damage.next_base, err);
		r->offset = r->damage.next_base;
	}
	if (said == 0)
		return go_to(r, next, err);
	view_close(&r->view);
	return -1;
}

static int
bad_batch(struct reader *r, struct err *err)
{
	struct scan *scan = &r->view.scan;
	int64_t position = scan->position, size = file_size(r);
	struct batch good;
	char why[160];
	int found;

	/* Nothing new since the last poll found these bytes at the end. */
	if (r->end_base == r->view.base && r->end_position == position && r->end_size == size &&
	    ++r->polls % POLLS_PER_LIST != 0) {
		scan_forget(scan);
		return 0;
	}
	r->damage = (struct reader_damage){.segment_base = r->view.base, .position = position,
	    .fault = scan->fault, .crc_found = scan->bad.crc,
	    .crc_wanted = scan->fault == BATCH_BAD_CRC ? scan_wanted_crc(scan) : 0,
	    .next_base = -1, .next_position = -1};
	scan_fault_text(scan, why, sizeof(why));
	found = view_find_good(&r->view, &good, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return bad_to_the_end(r, size, why, err);
	r->damage.next_base = r->view.base;
	r->damage.next_position = scan->position;
	if (!is_still_bad(r, position))
		return 1;
	scan_move(scan, r->damage.next_position);
	if (good.base_offset <= r->offset) {
		r->view.expected = good.base_offset;
		return 1;
	}
	report(r, why, good.base_offset, err);
	r->view.expected = r->offset = good.base_offset;
	return -1;
}

const struct reader_damage *
reader_damage(const struct reader *r)
{
	return &r->damage;
}

/* --- reading ------------------------------------------------------------------------- */

/* Control batches are opened also by who wants headers only. */
static int
read_control(struct reader *r, struct batch *b, struct err *err)
{
	int got;

	scan_move(&r->view.scan, r->view.scan.position - b->size);
	r->view.scan.headers_only = false;
	got = scan_next(&r->view.scan, b, err);
	r->view.scan.headers_only = true;
	return got;
}

/* Takes what the scan gave. 1: the batch is to be given; 0: go on. */
static int
take(struct reader *r, const struct batch *b)
{
	struct view *v = &r->view;

	v->expected = batch_next_offset(b);
	if (v->expected <= r->offset)
		return 0;
	r->offset = v->expected;
	r->last_base = v->base;
	r->last_position = v->scan.position - b->size;
	return 1;
}

int
reader_next(struct reader *r, struct batch *b, struct err *err)
{
	struct view *v = &r->view;
	int got;

	for (;;) {
		if (v->fd == -1 && (got = open_current(r, err)) != 1)
			return got;
		got = scan_next(&v->scan, b, err);
		if (got == 1 && r->headers_only && batch_is_control(b))
			got = read_control(r, b, err);
		if (got == 1 && !view_fits(v, b)) {
			scan_move(&v->scan, v->scan.position - b->size);
			v->scan.fault = BATCH_BAD_OFFSET;
			got = bad_batch(r, err);
		} else if (got == 1) {
			if (take(r, b))
				return 1;
			continue;
		} else if (got == 0) {
			got = at_end(r, err);
		} else if (err->code == ERR_CORRUPT) {
			got = bad_batch(r, err);
		} else {
			return view_err(v, err);
		}
		if (got != 1)
			return got;
	}
}

void
reader_position(const struct reader *r, int64_t *segment_base, int64_t *position)
{
	*segment_base = r->last_base;
	*position = r->last_position;
}

uint64_t
reader_inode(const struct reader *r)
{
	return r->view.inode;
}
