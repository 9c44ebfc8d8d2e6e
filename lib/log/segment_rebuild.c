/* Indexes made anew from the .log. */
#include <errno.h>
#include <string.h>

#include "log/segment.h"

struct rebuild {
	struct os *os;
	const char *dir;
	int64_t base;
	int64_t interval; /* index.interval.bytes */
	struct producers *producers;
	struct mlog_tail tail;
	struct buf offsets, times, aborted;
	struct tindex_entry last_time;
	struct segment_rebuilt *out;
};

static void
put_time(struct rebuild *r, const struct tindex_entry *e)
{
	uint8_t *at;

	if (e->timestamp <= r->last_time.timestamp)
		return;
	at = buf_extend(&r->times, TINDEX_ENTRY);
	if (at == NULL)
		return;
	tindex_encode(e, r->base, at);
	r->last_time = *e;
	r->out->time_entries++;
}

static int
put_aborted(struct rebuild *r, const struct batch *b, struct err *err)
{
	struct aborted_txn aborted;
	bool has_aborted = false;
	uint8_t *at;

	if (r->producers == NULL)
		return 0;
	if (producers_replay(r->producers, b, &aborted, &has_aborted, err) == -1)
		return -1;
	if (!has_aborted)
		return 0;
	at = buf_extend(&r->aborted, TXNINDEX_ENTRY);
	if (at != NULL)
		aborted_encode(&aborted, at);
	r->out->txn_entries++;
	return 0;
}

static int
put_batch(struct rebuild *r, const struct batch *b, struct err *err)
{
	struct index_due due;
	uint8_t *at;

	segment_account(&r->tail, b, r->interval, &due);
	if (due.due) {
		at = buf_extend(&r->offsets, OINDEX_ENTRY);
		if (at != NULL)
			oindex_encode(&due.offset, r->base, at);
		r->out->offset_entries++;
		put_time(r, &due.time);
	}
	r->out->batches++;
	return put_aborted(r, b, err);
}

static bool
follows(const struct rebuild *r, const struct scan *scan, const struct batch *b)
{
	return b->base_offset >= r->tail.end_offset &&
	    batch_last_offset(b) - r->base <= INT32_MAX &&
	    !scan_is_misplaced(scan, b, r->tail.end_offset);
}

static int
read_batches(struct rebuild *r, int fd, struct err *err)
{
	struct scan scan;
	struct batch b;
	int got;

	scan_init(&scan);
	scan_start(&scan, r->os, fd, 0);
	while ((got = scan_next(&scan, &b, err)) == 1) {
		if (!follows(r, &scan, &b))
			break;
		if (put_batch(r, &b, err) == -1) {
			got = -1;
			break;
		}
	}
	scan_release(&scan);
	if (got == -1 && err->code != ERR_CORRUPT)
		return -1;
	put_time(r, &(struct tindex_entry){r->tail.max_timestamp, r->tail.max_timestamp_offset});
	if (r->offsets.failed || r->times.failed || r->aborted.failed)
		return err_nomem(err);
	r->out->bytes = r->tail.size;
	r->out->next_offset = r->tail.end_offset;
	return 0;
}

/* Replaces a file unless it has this content already. An empty .txnindex is not
 * kept: Kafka makes one at the first abort. */
static int
replace(struct rebuild *r, enum segment_kind kind, const struct buf *want, bool dry,
    struct err *err)
{
	static const uint8_t none[1];
	bool no_file = kind == SEGMENT_TXN && want->len == 0;
	struct buf found = BUF_INIT;
	char path[LOG_PATH_MAX];
	bool same = false;

	segment_path(path, r->dir, r->base, segment_suffix(kind));
	if (os_read_file(r->os, path, want->len + 1, &found, err) == 0)
		same = found.len == want->len &&
		    (want->len == 0 || memcmp(found.data, want->data, want->len) == 0);
	else if (err->code == ERR_NOT_FOUND)
		same = no_file;
	else if (err->code != ERR_TOO_LARGE) {
		buf_release(&found);
		return -1;
	}
	buf_release(&found);
	if (same)
		return 0;
	r->out->changed = true;
	if (dry)
		return 0;
	if (no_file && os_remove(r->os, path) == -1)
		return err_sys(err, errno, "%s: remove", path);
	return no_file ? 0 : os_replace_file(r->os, path, want->len ? want->data : none, want->len, err);
}

int
segment_rebuild(struct os *os, const char *dir, int64_t base, int64_t index_interval_bytes,
    struct producers *producers, bool dry, struct segment_rebuilt *out, struct err *err)
{
	struct rebuild r = {.os = os, .dir = dir, .base = base, .interval = index_interval_bytes,
	    .producers = producers, .out = out, .last_time = {-1, base}};
	char path[LOG_PATH_MAX];
	int fd, result;

	*out = (struct segment_rebuilt){0};
	segment_begin_tail(&r.tail, base);
	segment_path(path, dir, base, segment_suffix(SEGMENT_LOG));
	fd = os_open(os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	result = read_batches(&r, fd, err);
	os_close(os, fd);
	if (result == 0)
		result = replace(&r, SEGMENT_INDEX, &r.offsets, dry, err);
	if (result == 0)
		result = replace(&r, SEGMENT_TIME, &r.times, dry, err);
	if (result == 0 && producers != NULL)
		result = replace(&r, SEGMENT_TXN, &r.aborted, dry, err);
	buf_release(&r.offsets);
	buf_release(&r.times);
	buf_release(&r.aborted);
	return result;
}
