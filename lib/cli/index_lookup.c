#include <errno.h>
#include <stdio.h>

#include "cli/indexes.h"
#include "cli/report.h"

const struct column index_lookup_columns[7] = {
    {"file", false}, {"entry", true}, {"entry_pos", true}, {"offset", true}, {"last", true},
    {"pos", true}, {"scanned", true}};

struct lookup {
	const struct segments *s;
	struct print *out;
	struct err *err;
	int64_t base;
	struct oindex_entry entry;
	bool has_entry;
	struct batch found;
	int64_t position;
};

/* Goes on from the entry by headers until a batch reaches the offset, or the
 * time. 1: found; 0: not in this segment; -1, also when there is no batch. */
static int
scan_from_entry(struct lookup *l, int64_t offset, int64_t ms)
{
	char path[LOG_PATH_MAX];
	struct scan scan;
	int fd, rc;

	segment_path(path, l->s->dir, l->base, segment_suffix(SEGMENT_LOG));
	fd = os_open(l->s->os, path, OS_READ);
	if (fd == -1)
		return err_sys(l->err, errno, "%s", path);
	scan_init(&scan);
	scan_start(&scan, l->s->os, fd, l->entry.position);
	scan.headers_only = true;
	while ((rc = scan_next(&scan, &l->found, l->err)) == 1) {
		l->position = scan.position - l->found.size;
		if (batch_last_offset(&l->found) >= offset && l->found.max_timestamp >= ms)
			break;
	}
	scan_release(&scan);
	(void)os_close(l->s->os, fd);
	return rc;
}

/* The same; an entry that leads astray is passed over, as readers do. */
static int
scan_on(struct lookup *l, int64_t offset, int64_t ms)
{
	bool astray;
	int rc;

	l->position = -1;
	rc = scan_from_entry(l, offset, ms);
	astray = l->position == -1 ||
	    (rc == 1 && offset != INT64_MIN && l->found.base_offset > offset);
	if (rc == -1 && l->err->code != ERR_CORRUPT)
		return -1;
	if (astray && l->has_entry) {
		report_warn("%s: segment %lld: the index entry %lld at byte %lld leads astray", l->s->dir,
		    (long long)l->base, (long long)l->entry.offset, (long long)l->entry.position);
		l->entry = (struct oindex_entry){l->base, 0};
		l->has_entry = false;
		rc = scan_from_entry(l, offset, ms);
	}
	return rc == -1 && l->err->code == ERR_CORRUPT ? 0 : rc;
}

/* The offset entry at or before an offset; a missing index is an empty one. */
static int
offset_entry(struct lookup *l, int64_t offset)
{
	struct oindex ix;
	char path[LOG_PATH_MAX];
	int rc;

	l->entry = (struct oindex_entry){l->base, 0};
	l->has_entry = false;
	segment_path(path, l->s->dir, l->base, segment_suffix(SEGMENT_INDEX));
	if (oindex_open(&ix, l->s->os, path, l->base, false, l->err) == -1)
		return l->err->code == ERR_NOT_FOUND ? 0 : -1;
	rc = oindex_lookup(&ix, offset, &l->entry, l->err);
	l->has_entry = rc == 0 && l->entry.position != 0;
	oindex_close(&ix);
	return rc;
}

static int
time_entry(struct lookup *l, int64_t ms, struct tindex_entry *entry)
{
	struct tindex ix;
	char path[LOG_PATH_MAX];
	int rc;

	*entry = (struct tindex_entry){-1, l->base};
	segment_path(path, l->s->dir, l->base, segment_suffix(SEGMENT_TIME));
	if (tindex_open(&ix, l->s->os, path, l->base, false, l->err) == -1)
		return l->err->code == ERR_NOT_FOUND ? 0 : -1;
	rc = tindex_lookup(&ix, ms, entry, l->err);
	tindex_close(&ix);
	return rc;
}

static int
row_put(struct lookup *l)
{
	char path[LOG_PATH_MAX];

	segment_path(path, l->s->dir, l->base, segment_suffix(SEGMENT_LOG));
	print_text(l->out, path);
	if (l->has_entry) {
		print_int(l->out, l->entry.offset);
		print_int(l->out, l->entry.position);
	} else {
		print_nothing(l->out);
		print_nothing(l->out);
	}
	print_int(l->out, l->found.base_offset);
	print_int(l->out, batch_last_offset(&l->found));
	print_int(l->out, l->position);
	print_int(l->out, l->position - l->entry.position + BATCH_HEADER);
	return print_row(l->out, l->err) == -1 ? -1 : 1;
}

/* Every batch up to the time entry's offset is older: one with the time itself
 * may begin there, so the search starts at the entry before. */
static int
by_time(struct lookup *l, int64_t ms)
{
	struct tindex_entry entry;

	if (time_entry(l, ms - 1, &entry) == -1 || offset_entry(l, entry.offset) == -1)
		return -1;
	return scan_on(l, INT64_MIN, ms);
}

static int
by_offset(struct lookup *l, int64_t offset)
{
	if (offset_entry(l, offset) == -1)
		return -1;
	return scan_on(l, offset, INT64_MIN);
}

static int64_t
offset_of(const struct point *at, int64_t first)
{
	if (at->kind == POINT_OFFSET)
		return at->value;
	if (at->kind == POINT_AFTER)
		return at->value > INT64_MAX - first ? INT64_MAX : first + at->value;
	return first;
}

int
index_lookup(const struct segments *s, const struct point *at, struct print *out, struct err *err)
{
	struct lookup l = {.s = s, .out = out, .err = err};
	struct segment_names names = {0};
	int64_t first = -1, offset;
	int rc = segment_names_read(&names, s->os, s->dir, err);

	for (size_t i = 0; i < names.count && rc == 0; i++) {
		const struct segment_name *n = &names.names[i];
		bool later = false;

		if (n->kind != SEGMENT_LOG || n->state != SEGMENT_PLAIN ||
		    (s->only != -1 && s->only != n->base))
			continue;
		first = first == -1 ? n->base : first;
		offset = offset_of(at, first);
		for (size_t j = i + 1; j < names.count && s->only == -1 && !later; j++)
			later = names.names[j].kind == SEGMENT_LOG &&
			    names.names[j].state == SEGMENT_PLAIN && names.names[j].base <= offset;
		if (at->kind != POINT_TIME && later)
			continue;
		l.base = n->base;
		rc = at->kind == POINT_TIME ? by_time(&l, at->value) : by_offset(&l, offset);
	}
	segment_names_release(&names);
	return rc == 1 ? row_put(&l) : rc;
}
