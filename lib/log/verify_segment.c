/* One segment: its batches, and its indexes against them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "log/verify_impl.h"

static const char *const names[VERIFY_CHECKS] = {
    [VERIFY_BATCH] = "batch",
    [VERIFY_RECORDS] = "records",
    [VERIFY_OFFSETS] = "offsets",
    [VERIFY_TORN] = "torn",
    [VERIFY_ORDER] = "order",
    [VERIFY_BOUNDARY] = "boundary",
    [VERIFY_TIME] = "time",
    [VERIFY_SIZE] = "size",
    [VERIFY_PADDING] = "padding",
    [VERIFY_TXN] = "txn",
    [VERIFY_SNAPSHOT] = "snapshot",
    [VERIFY_EPOCHS] = "epochs",
    [VERIFY_MISSING] = "missing",
    [VERIFY_ORPHAN] = "orphan",
    [VERIFY_UNDONE] = "undone",
    [VERIFY_FOREIGN] = "foreign",
    [VERIFY_DIFFER] = "differ",
};

const char *
verify_check_name(enum verify_check check)
{
	return names[check];
}

static void
hand_on(const struct verify_args *args, struct verify_totals *totals, struct verify_finding *f)
{
	if (f->damage)
		totals->damaged++;
	else
		totals->noted++;
	if (f->why == NULL)
		f->why = names[f->check];
	if (args->found != NULL)
		args->found(args->ctx, f);
}

void
verify_tell(struct verify *v, enum verify_check check, bool damage, enum segment_kind kind,
    struct verify_finding f, const char *fmt, ...)
{
	char file[64], text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(file, sizeof(file), "%020lld%s", (long long)v->base, segment_suffix(kind));
	f.check = check;
	f.damage = damage;
	f.file = file;
	f.text = text;
	hand_on(v->args, v->totals, &f);
}

void
verify_tell_file(const struct verify_args *args, struct verify_totals *totals,
    enum verify_check check, bool damage, const char *file, const char *text)
{
	struct verify_finding f = {.check = check, .damage = damage, .file = file, .text = text,
	    .position = -1, .lost_first = -1, .lost_last = -1, .next_good = -1};

	hand_on(args, totals, &f);
}

static struct verify_finding
at_byte(int64_t position)
{
	return (struct verify_finding){.position = position, .lost_first = -1, .lost_last = -1,
	    .next_good = -1};
}

/* --- a good batch --------------------------------------------------------------- */

static void
check_epoch(struct verify *v, const struct batch *b, int64_t position)
{
	int32_t epoch;

	if (v->epochs == NULL || b->leader_epoch < 0)
		return;
	epoch = epochs_at(v->epochs, b->base_offset);
	if (epoch == EPOCH_NONE || epoch == b->leader_epoch)
		return;
	verify_tell(v, VERIFY_EPOCHS, true, SEGMENT_LOG, at_byte(position),
	    "offset %lld has leader epoch %d, the epoch file says %d", (long long)b->base_offset,
	    (int)b->leader_epoch, (int)epoch);
}

static void
good_batch(struct verify *v, const struct batch *b)
{
	int64_t position = v->scan.position - b->size;
	struct err why;

	v->totals->batches++;
	v->totals->records += b->record_count;
	if (v->args->records && batch_check_records(b, false, &why) != BATCH_OK)
		verify_tell(v, VERIFY_RECORDS, true, SEGMENT_LOG, at_byte(position),
		    "offsets %lld..%lld: %s", (long long)b->base_offset,
		    (long long)batch_last_offset(b), why.text);
	check_epoch(v, b, position);
	verify_index_batch(v, b, position);
	v->expected = batch_next_offset(b);
}

static bool
follows(const struct verify *v, const struct batch *b)
{
	return b->base_offset >= v->expected && batch_last_offset(b) - v->base <= INT32_MAX &&
	    !scan_is_misplaced(&v->scan, b, v->expected);
}

/* --- bad bytes ------------------------------------------------------------------ */

static int
find_good(struct verify *v, int64_t position, struct batch *good, struct err *err)
{
	const struct batch bad = v->scan.bad;
	int r;

	if (bad.size >= BATCH_HEADER && v->scan.fault != BATCH_SHORT) {
		scan_move(&v->scan, position + bad.size);
		r = scan_next(&v->scan, good, err);
		scan_move(&v->scan, position + bad.size);
		if (r == 1 && follows(v, good))
			return 1;
		if (r == -1 && err->code != ERR_CORRUPT)
			return -1;
	}
	return scan_find(&v->scan, position + 1, v->expected, v->base, good, err);
}

/* Bytes that reach to the end of the log are a torn batch: no damage, unless they
 * were durable once. */
static bool
is_torn(const struct verify *v, int good)
{
	return good == 0 && v->last && !v->scan.gave_up &&
	    (v->args->recovery_point < 0 || v->expected >= v->args->recovery_point);
}

/* Tells of a bad batch. 1: the scan stands at the next good one; 0: none; -1. */
static int
bad_batch(struct verify *v, struct err *err)
{
	int64_t position = v->scan.position;
	enum batch_fault fault = v->scan.fault;
	struct verify_finding f = at_byte(position);
	struct batch good;
	char why[160];
	int r;

	f.why = batch_fault_name(fault);
	f.crc_found = v->scan.bad.crc;
	f.crc_wanted = fault == BATCH_BAD_CRC ? scan_wanted_crc(&v->scan) : 0;
	scan_fault_text(&v->scan, why, sizeof(why));
	if (fault == BATCH_BAD_OFFSET)
		snprintf(why, sizeof(why), "offsets %lld..%lld, want %lld or above",
		    (long long)v->scan.bad.base_offset, (long long)batch_last_offset(&v->scan.bad),
		    (long long)v->expected);
	r = find_good(v, position, &good, err);
	if (r == -1)
		return -1;
	if (is_torn(v, r)) {
		f.why = NULL;
		verify_tell(v, VERIFY_TORN, false, SEGMENT_LOG, f, "%s; the next writer cuts it", why);
		verify_index_skip(v, INT64_MAX, INT64_MAX);
		return 0;
	}
	f.lost_first = v->expected;
	if (r == 1) {
		f.next_good = v->scan.position;
		f.lost_last = good.base_offset - 1;
	} else {
		f.lost_last = v->last ? v->args->recovery_point - 1 : v->next_base - 1;
	}
	verify_tell(v, fault == BATCH_BAD_OFFSET ? VERIFY_OFFSETS : VERIFY_BATCH, true, SEGMENT_LOG,
	    f, "%s", why);
	if (r == 1)
		v->expected = good.base_offset;
	verify_index_skip(v, r == 1 ? v->scan.position : INT64_MAX,
	    r == 1 ? v->expected : INT64_MAX);
	return r;
}

/* --- the segment ---------------------------------------------------------------- */

static int
walk(struct verify *v, struct err *err)
{
	struct batch b;
	int r;

	for (;;) {
		r = scan_next(&v->scan, &b, err);
		if (r == 1 && follows(v, &b)) {
			good_batch(v, &b);
			continue;
		}
		if (r == 0)
			return 0;
		if (r == -1 && err->code != ERR_CORRUPT)
			return -1;
		if (r == 1) {
			scan_move(&v->scan, v->scan.position - b.size);
			v->scan.fault = BATCH_BAD_OFFSET;
			v->scan.bad = b;
		}
		r = bad_batch(v, err);
		if (r != 1)
			return r;
	}
}

static int
check_files(struct verify *v, int fd, struct err *err)
{
	struct os_stat st;
	int64_t end;

	if (os_stat(v->os, fd, &st) == -1)
		return err_sys(err, errno, "stat");
	/* Indexes first: what they say is then in the log, also beside a writer. */
	if (verify_index_load(v, &v->offsets, SEGMENT_INDEX, err) == -1 ||
	    verify_index_load(v, &v->times, SEGMENT_TIME, err) == -1)
		return -1;
	scan_start(&v->scan, v->os, fd, 0);
	if (walk(v, err) == -1)
		return -1;
	end = v->scan.position;
	verify_index_end(v, end);
	v->totals->segments++;
	v->totals->bytes += st.size;
	return verify_txnindex(v, err);
}

int
verify_one(struct verify *v, struct err *err)
{
	char path[LOG_PATH_MAX];
	int fd, r;

	v->expected = v->base;
	v->max_timestamp = -1;
	v->max_unknown = false;
	segment_path(path, v->dir, v->base, segment_suffix(SEGMENT_LOG));
	fd = os_open(v->os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	scan_init(&v->scan);
	r = check_files(v, fd, err);
	if (r == -1)
		err_prefix(err, "%s", path);
	scan_release(&v->scan);
	buf_release(&v->offsets.bytes);
	buf_release(&v->times.bytes);
	os_close(v->os, fd);
	return r;
}

int
verify_segment(struct os *os, const char *dir, int64_t base, bool last,
    const struct verify_args *args, struct verify_totals *totals, struct err *err)
{
	struct verify v = {.os = os, .dir = dir, .args = args, .totals = totals, .base = base,
	    .last = last, .next_base = INT64_MAX};

	return verify_one(&v, err);
}
