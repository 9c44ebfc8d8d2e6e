#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/indexes.h"

const struct column index_check_columns[6] = {
    {"grade", false}, {"file", false}, {"pos", true}, {"problem", false}, {"want", true},
    {"got", true}};

struct check {
	const struct segments *s;
	struct print *out;
	int64_t *damaged;
	struct err *err;
	int64_t base;
	bool active; /* the newest segment: a writer may be at work */
	struct oindex offsets;
	struct tindex times;
	bool has_offsets, has_times;
	int64_t offset_at, time_at; /* numbers of the next entries */
	int64_t max_timestamp, max_first, max_last; /* of the batch that has it */
	int64_t offset_before, position_before, time_before;
};

/* --- rows ---------------------------------------------------------------------- */

#define NOTHING INT64_MIN

static void
number(struct print *out, int64_t v)
{
	if (v == NOTHING)
		print_nothing(out);
	else
		print_int(out, v);
}

static int
row(struct check *c, bool bad, const char *name, int64_t pos, const char *problem, int64_t want,
    int64_t got)
{
	char path[LOG_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", c->s->dir, name);
	print_text(c->out, bad ? "bad" : "note");
	print_text(c->out, path);
	number(c->out, pos);
	print_text(c->out, problem);
	number(c->out, want);
	number(c->out, got);
	*c->damaged += bad ? 1 : 0;
	return print_row(c->out, c->err);
}

static int
segment_row(struct check *c, bool bad, enum segment_kind kind, int64_t pos, const char *problem,
    int64_t want, int64_t got)
{
	char name[64];

	snprintf(name, sizeof(name), "%020lld%s", (long long)c->base, segment_suffix(kind));
	return row(c, bad, name, pos, problem, want, got);
}

/* --- files ---------------------------------------------------------------------- */

/* Size multiple and padding: what the entries do not show. */
static int
check_size(struct check *c, enum segment_kind kind, const struct index_file *f)
{
	int64_t whole = f->count * f->entry_size, over;
	struct os_stat st;

	if (os_stat(c->s->os, f->fd, &st) == -1)
		return err_sys(c->err, errno, "stat");
	over = st.size % f->entry_size;
	/* The active one's may be half written; Kafka preallocates it. */
	if (over != 0 && segment_row(c, !c->active, kind, st.size - over, "size", f->entry_size,
	    over) == -1)
		return -1;
	if (st.size - over > whole)
		return segment_row(c, !c->active, kind, whole, "zeros", 0, st.size - over - whole);
	return 0;
}

/* Missing is told; other failures are the machine's. */
static int
open_indexes(struct check *c)
{
	char path[LOG_PATH_MAX];

	segment_path(path, c->s->dir, c->base, segment_suffix(SEGMENT_INDEX));
	c->has_offsets = oindex_open(&c->offsets, c->s->os, path, c->base, false, c->err) == 0;
	if (!c->has_offsets && (c->err->code != ERR_NOT_FOUND ||
	    segment_row(c, true, SEGMENT_INDEX, NOTHING, "missing", NOTHING, NOTHING) == -1))
		return -1;
	segment_path(path, c->s->dir, c->base, segment_suffix(SEGMENT_TIME));
	c->has_times = tindex_open(&c->times, c->s->os, path, c->base, false, c->err) == 0;
	if (!c->has_times && (c->err->code != ERR_NOT_FOUND ||
	    segment_row(c, true, SEGMENT_TIME, NOTHING, "missing", NOTHING, NOTHING) == -1))
		return -1;
	if (c->has_offsets && check_size(c, SEGMENT_INDEX, &c->offsets.file) == -1)
		return -1;
	return c->has_times ? check_size(c, SEGMENT_TIME, &c->times.file) : 0;
}

static void
close_indexes(struct check *c)
{
	if (c->has_offsets)
		oindex_close(&c->offsets);
	if (c->has_times)
		tindex_close(&c->times);
}

/* --- entries, along the batches ---------------------------------------------------- */

/* Offset entries up to the batch at `position`: each must be the start of a
 * batch, and name its last offset. NOTHING: the log has ended. */
static int
check_offsets(struct check *c, int64_t position, int64_t last)
{
	struct oindex_entry e;
	int64_t at;

	for (; c->has_offsets && c->offset_at < c->offsets.file.count; c->offset_at++) {
		const char *problem = NULL;
		int64_t want = NOTHING, got = NOTHING;
		bool bad = true;

		if (oindex_get(&c->offsets, c->offset_at, &e, c->err) == -1)
			return -1;
		at = c->offset_at * OINDEX_ENTRY;
		if (c->offset_at > 0 &&
		    (e.offset <= c->offset_before || e.position <= c->position_before)) {
			problem = "order";
			want = c->offset_before;
			got = e.offset;
		} else if (position == NOTHING) {
			/* A crash may leave it behind, the next writer cuts it. */
			problem = "beyond";
			got = e.position;
			bad = !c->active;
		} else if (e.position > position) {
			return 0;
		} else if (e.position < position) {
			problem = "boundary";
			got = e.position;
		} else if (e.offset != last) {
			problem = "offset";
			want = last;
			got = e.offset;
		}
		if (problem != NULL && segment_row(c, bad, SEGMENT_INDEX, at, problem, want, got) == -1)
			return -1;
		c->offset_before = e.offset;
		c->position_before = e.position;
	}
	return 0;
}

/* Time entries up to the largest timestamp so far: each must have been the
 * largest one at some batch, and name that batch. */
static int
check_times(struct check *c, bool end)
{
	struct tindex_entry e;

	for (; c->has_times && c->time_at < c->times.file.count; c->time_at++) {
		const char *problem = NULL;
		int64_t want = NOTHING, got = NOTHING;

		if (tindex_get(&c->times, c->time_at, &e, c->err) == -1)
			return -1;
		if (c->time_at > 0 && e.timestamp <= c->time_before) {
			problem = "order";
			want = c->time_before;
			got = e.timestamp;
		} else if (!end && e.timestamp > c->max_timestamp) {
			return 0;
		} else if (e.timestamp != c->max_timestamp) {
			problem = "timestamp";
			want = c->max_timestamp;
			got = e.timestamp;
		} else if (e.offset < c->max_first || e.offset > c->max_last) {
			problem = "offset";
			want = c->max_last;
			got = e.offset;
		}
		if (problem != NULL && segment_row(c, true, SEGMENT_TIME,
		    c->time_at * TINDEX_ENTRY, problem, want, got) == -1)
			return -1;
		c->time_before = e.timestamp;
	}
	return 0;
}

static int
check_batch(struct check *c, const struct batch *b, int64_t position)
{
	if (check_offsets(c, position, batch_last_offset(b)) == -1)
		return -1;
	if (b->max_timestamp > c->max_timestamp) {
		c->max_timestamp = b->max_timestamp;
		c->max_first = b->base_offset;
		c->max_last = batch_last_offset(b);
	}
	return check_times(c, false);
}

/* The closing entry, which a segment gets when it is rolled. */
static int
check_end(struct check *c)
{
	int64_t last = -1;

	if (check_offsets(c, NOTHING, NOTHING) == -1 || check_times(c, true) == -1)
		return -1;
	if (c->active || !c->has_times || c->max_timestamp < 0)
		return 0;
	if (c->times.file.count > 0)
		last = c->times.last.timestamp;
	if (last >= c->max_timestamp)
		return 0;
	return segment_row(c, true, SEGMENT_TIME, c->times.file.count * TINDEX_ENTRY, "largest",
	    c->max_timestamp, last);
}

static int
check_log(struct check *c, int fd)
{
	struct batch b;
	struct scan scan;
	int rc;

	scan_init(&scan);
	scan_start(&scan, c->s->os, fd, 0);
	scan.headers_only = true;
	while ((rc = scan_next(&scan, &b, c->err)) == 1)
		if ((rc = check_batch(c, &b, scan.position - b.size)) == -1)
			break;
	if (rc == -1 && c->err->code == ERR_CORRUPT) {
		/* What lies behind is mq-dump-log's to tell. */
		bool torn = c->active && scan.fault == BATCH_SHORT;
		rc = segment_row(c, !torn, SEGMENT_LOG, scan.position,
		    torn ? "torn" : batch_fault_name(scan.fault), NOTHING, NOTHING);
		if (!torn)
			goto out;
	}
	if (rc == 0)
		rc = check_end(c);
out:
	scan_release(&scan);
	return rc;
}

/* Entries of aborted transactions: their version, and offsets of the segment. */
static int
check_aborted(struct check *c)
{
	struct buf content = BUF_INIT;
	struct aborted_txn a;
	char path[LOG_PATH_MAX];
	int rc = 0;

	segment_path(path, c->s->dir, c->base, segment_suffix(SEGMENT_TXN));
	if (os_read_file(c->s->os, path, 64 << 20, &content, c->err) == -1)
		return c->err->code == ERR_NOT_FOUND ? 0 : -1;
	if (content.len % TXNINDEX_ENTRY != 0)
		rc = segment_row(c, true, SEGMENT_TXN,
		    (int64_t)(content.len - content.len % TXNINDEX_ENTRY), "size", TXNINDEX_ENTRY,
		    (int64_t)(content.len % TXNINDEX_ENTRY));
	for (size_t at = 0; rc == 0 && at + TXNINDEX_ENTRY <= content.len; at += TXNINDEX_ENTRY) {
		if (aborted_decode(&a, content.data + at) == -1)
			rc = segment_row(c, true, SEGMENT_TXN, (int64_t)at, "version", 0,
			    (int16_t)be16_get(content.data + at));
		else if (a.last_offset < c->base || a.first_offset > a.last_offset)
			rc = segment_row(c, true, SEGMENT_TXN, (int64_t)at, "offset", c->base,
			    a.last_offset);
	}
	buf_release(&content);
	return rc;
}

static int
check_segment(const struct check *like, int64_t base, bool active)
{
	struct check c = *like;
	char path[LOG_PATH_MAX];
	int fd, rc;

	c.base = base;
	c.active = active;
	c.max_timestamp = c.max_first = c.max_last = -1;
	segment_path(path, c.s->dir, base, segment_suffix(SEGMENT_LOG));
	fd = os_open(c.s->os, path, OS_READ);
	if (fd == -1)
		return err_sys(c.err, errno, "%s", path);
	rc = open_indexes(&c);
	if (rc == 0)
		rc = check_log(&c, fd);
	close_indexes(&c);
	if (rc == 0)
		rc = check_aborted(&c);
	(void)os_close(c.s->os, fd);
	return rc;
}

/* --- the directory --------------------------------------------------------------- */

static bool
has_log(const struct segment_names *names, int64_t base)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->names[i].base == base && names->names[i].kind == SEGMENT_LOG &&
		    names->names[i].state == SEGMENT_PLAIN)
			return true;
	return false;
}

static int
check_names(struct check *c, const struct segment_names *names)
{
	int rc = 0;

	for (size_t i = 0; i < names->count && rc == 0; i++) {
		const struct segment_name *n = &names->names[i];
		char name[64];

		snprintf(name, sizeof(name), "%020lld%s%s", (long long)n->base,
		    segment_suffix(n->kind), segment_state_suffix(n->state));
		if (n->state != SEGMENT_PLAIN)
			rc = row(c, false, name, NOTHING, "leftover", NOTHING, NOTHING);
		else if (n->kind != SEGMENT_LOG && n->kind != SEGMENT_SNAPSHOT &&
		    !has_log(names, n->base))
			rc = row(c, true, name, NOTHING, "orphan", NOTHING, NOTHING);
	}
	return rc;
}

static int
check_foreign(struct check *c)
{
	struct strings foreign = {0};
	int rc = place_foreign(c->s->os, c->s->dir, &foreign, c->err);

	for (size_t i = 0; i < foreign.count && rc == 0; i++)
		rc = row(c, false, foreign.items[i], NOTHING, "foreign", NOTHING, NOTHING);
	strings_release(&foreign);
	return rc;
}

int
index_check(const struct segments *s, struct print *out, int64_t *damaged, struct err *err)
{
	struct check c = {.s = s, .out = out, .damaged = damaged, .err = err};
	struct segment_names names = {0};
	int64_t newest = -1;
	int rc = segment_names_read(&names, s->os, s->dir, err);

	for (size_t i = 0; i < names.count; i++)
		if (names.names[i].kind == SEGMENT_LOG && names.names[i].state == SEGMENT_PLAIN)
			newest = names.names[i].base;
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		const struct segment_name *n = &names.names[i];
		if (n->kind == SEGMENT_LOG && n->state == SEGMENT_PLAIN &&
		    (s->only == -1 || s->only == n->base))
			rc = check_segment(&c, n->base, n->base == newest);
	}
	if (rc == 0 && s->only == -1)
		rc = check_names(&c, &names);
	segment_names_release(&names);
	return rc == 0 && s->only == -1 ? check_foreign(&c) : rc;
}
