/* One segment, read beside whoever writes it. */
#include <errno.h>

#include "log/reader_impl.h"

void
view_init(struct view *v, struct os *os, const char *dir)
{
	*v = (struct view){.os = os, .dir = dir, .fd = -1};
	scan_init(&v->scan);
}

void
view_close(struct view *v)
{
	if (v->fd != -1)
		os_close(v->os, v->fd);
	v->fd = -1;
}

void
view_release(struct view *v)
{
	view_close(v);
	scan_release(&v->scan);
}

int
view_err(const struct view *v, struct err *err)
{
	return err_prefix(err, "%s/%020lld.log", v->dir, (long long)v->base);
}

/* The plain name first: a replacement is renamed onto it, so one that is not
 * found under either name was found too late, not lost. */
static int
open_names(struct view *v, int64_t base, struct err *err)
{
	struct segment_name n = {base, SEGMENT_LOG, SEGMENT_PLAIN};
	char path[LOG_PATH_MAX];
	int fd;

	segment_name_path(path, v->dir, &n);
	fd = os_open(v->os, path, OS_READ);
	if (fd == -1 && errno == ENOENT) {
		n.state = SEGMENT_SWAP;
		segment_name_path(path, v->dir, &n);
		fd = os_open(v->os, path, OS_READ);
	}
	if (fd == -1 && errno == ENOENT)
		return err_set(err, ERR_AGAIN, "%s: gone", path);
	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	return fd;
}

int
view_open(struct view *v, int64_t base, struct err *err)
{
	struct os_stat st;
	int fd = open_names(v, base, err);

	if (fd == -1)
		return -1;
	if (os_stat(v->os, fd, &st) == -1) {
		err_sys(err, errno, "%s/%020lld.log", v->dir, (long long)base);
		os_close(v->os, fd);
		return -1;
	}
	view_close(v);
	v->fd = fd;
	v->base = v->expected = base;
	v->inode = st.inode;
	scan_start(&v->scan, v->os, fd, 0);
	return 0;
}

/* The entry for `offset`, if there is an index to ask. */
static int
ask_index(struct view *v, int64_t offset, struct oindex_entry *e)
{
	char path[LOG_PATH_MAX];
	struct err ignored;
	struct oindex ix;
	int r;

	segment_path(path, v->dir, v->base, segment_suffix(SEGMENT_INDEX));
	if (oindex_open(&ix, v->os, path, v->base, false, &ignored) == -1)
		return -1;
	r = oindex_lookup(&ix, offset, e, &ignored);
	oindex_close(&ix);
	return r;
}

/* An index is a hint: the batch it points at must be the one it says. Its header
 * is enough for that; its checksum is looked at when it is read. 1, 0 or -1. */
static int
is_at(struct view *v, const struct oindex_entry *e, int64_t *base_offset, struct err *err)
{
	bool headers_only = v->scan.headers_only;
	struct batch b;
	int r;

	scan_move(&v->scan, e->position);
	v->scan.headers_only = true;
	r = scan_next(&v->scan, &b, err);
	v->scan.headers_only = headers_only;
	if (r == -1 && err->code != ERR_CORRUPT)
		return view_err(v, err);
	if (r != 1)
		return 0;
	*base_offset = b.base_offset;
	return batch_last_offset(&b) == e->offset && b.base_offset >= v->base;
}

int
view_seek(struct view *v, int64_t offset, struct err *err)
{
	struct oindex_entry e;
	int64_t base_offset = v->base;
	int r;

	scan_move(&v->scan, 0);
	v->expected = v->base;
	if (offset <= v->base || ask_index(v, offset, &e) == -1 || e.position <= 0 ||
	    e.offset > offset)
		return 0;
	r = is_at(v, &e, &base_offset, err);
	if (r == -1)
		return -1;
	scan_move(&v->scan, r == 1 ? e.position : 0);
	if (r == 1)
		v->expected = base_offset;
	return 0;
}

int
view_find_good(struct view *v, struct batch *b, struct err *err)
{
	const struct batch bad = v->scan.bad;
	int64_t at = v->scan.position;
	bool headers_only = v->scan.headers_only;
	int r;

	v->scan.headers_only = false;
	if (bad.size >= BATCH_HEADER && v->scan.fault != BATCH_SHORT) {
		scan_move(&v->scan, at + bad.size);
		r = scan_next(&v->scan, b, err);
		scan_move(&v->scan, at + bad.size);
		v->scan.headers_only = headers_only;
		if (r == 1 && view_fits(v, b))
			return 1;
		if (r == -1 && err->code != ERR_CORRUPT)
			return view_err(v, err);
	}
	v->scan.headers_only = headers_only;
	r = scan_find(&v->scan, at + 1, v->expected, v->base, b, err);
	return r == -1 ? view_err(v, err) : r;
}

int
view_next_good(struct view *v, struct batch *b, struct err *err)
{
	for (;;) {
		int64_t at = v->scan.position;
		int r = scan_next(&v->scan, b, err);

		if (r == 1 && view_fits(v, b)) {
			v->expected = batch_next_offset(b);
			return 1;
		}
		if (r == 0)
			return 0;
		if (r == -1 && err->code != ERR_CORRUPT)
			return view_err(v, err);
		if (r == 1) {
			scan_move(&v->scan, at);
			v->scan.fault = BATCH_BAD_OFFSET;
		}
		r = view_find_good(v, b, err);
		if (r != 1)
			return r;
	}
}
