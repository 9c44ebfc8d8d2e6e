#include <errno.h>
#include <stdio.h>

#include "cli/indexes.h"
#include "cli/report.h"

#define TXNINDEX_MAX (64 << 20) /* bytes */

const struct column index_rebuild_columns[6] = {
    {"file", false}, {"bytes", true}, {"offsets", true}, {"times", true}, {"aborted", true},
    {"changed", false}};

/* The bases of the .log files. */
static int
bases_read(const struct segments *s, struct segment_names *names, struct err *err)
{
	size_t kept = 0;

	if (segment_names_read(names, s->os, s->dir, err) == -1)
		return -1;
	for (size_t i = 0; i < names->count; i++)
		if (names->names[i].kind == SEGMENT_LOG && names->names[i].state == SEGMENT_PLAIN)
			names->names[kept++] = names->names[i];
	names->count = kept;
	return 0;
}

/* Takes the batches of one segment into the state, from where it ends. */
static int
replay(const struct segments *s, struct producers *p, int64_t base, struct err *err)
{
	char path[LOG_PATH_MAX];
	struct aborted_txn aborted;
	struct scan scan;
	struct batch b;
	bool has_aborted;
	int fd, rc;

	segment_path(path, s->dir, base, segment_suffix(SEGMENT_LOG));
	fd = os_open(s->os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	scan_init(&scan);
	scan_start(&scan, s->os, fd, 0);
	while ((rc = scan_next(&scan, &b, err)) == 1)
		if (b.base_offset >= p->end_offset &&
		    (rc = producers_replay(p, &b, &aborted, &has_aborted, err)) == -1)
			break;
	if (rc == -1)
		err_prefix(err, "%s", path);
	scan_release(&scan);
	(void)os_close(s->os, fd);
	return rc;
}

/* The producer state at `base`: the newest snapshot at or below it, and what the
 * segments hold from there on. */
static int
producers_at(const struct segments *s, struct producers *p, const struct segment_names *logs,
    int64_t base, struct err *err)
{
	int64_t from = producers_load_newest(p, s->os, s->dir, base, err);

	if (from == -1 && err->code != 0)
		return -1;
	for (size_t i = 0; i < logs->count && logs->names[i].base < base; i++)
		if (i + 1 == logs->count || logs->names[i + 1].base > from)
			if (replay(s, p, logs->names[i].base, err) == -1)
				return -1;
	return 0;
}

static int
row_put(struct print *out, const char *path, const struct segment_rebuilt *done, bool txns,
    struct err *err)
{
	print_text(out, path);
	print_int(out, done->bytes);
	print_int(out, done->offset_entries);
	print_int(out, done->time_entries);
	if (txns)
		print_int(out, done->txn_entries);
	else
		print_nothing(out);
	print_bool(out, done->changed);
	return print_row(out, err);
}

/* Whole entries that lie in the .txnindex of a segment; 0 if it is not there, or
 * one of them is garbage. */
static int64_t
aborted_on_disk(const struct segments *s, int64_t base, int64_t end)
{
	struct buf content = BUF_INIT;
	char path[LOG_PATH_MAX];
	struct aborted_txn a;
	struct err err;
	int64_t count = 0;

	segment_path(path, s->dir, base, segment_suffix(SEGMENT_TXN));
	if (os_read_file(s->os, path, TXNINDEX_MAX, &content, &err) == -1 ||
	    content.len % TXNINDEX_ENTRY != 0)
		content.len = 0;
	for (size_t at = 0; at < content.len; at += TXNINDEX_ENTRY) {
		if (aborted_decode(&a, content.data + at) == -1 || a.last_offset < base ||
		    a.last_offset >= end || a.first_offset > a.last_offset) {
			count = 0;
			break;
		}
		count++;
	}
	buf_release(&content);
	return count;
}

/* Rebuilds with, or without, the .txnindex. */
static int
rebuild_with(const struct segments *s, const struct segment_names *logs, int64_t base,
    int64_t interval, bool txns, bool dry, struct segment_rebuilt *done, struct err *err)
{
	struct producers producers;
	int rc = 0;

	producers_init(&producers);
	err->code = 0;
	if (txns)
		rc = producers_at(s, &producers, logs, base, err);
	if (rc == 0)
		rc = segment_rebuild(s->os, s->dir, base, interval, txns ? &producers : NULL, dry,
		    done, err);
	producers_release(&producers);
	return rc;
}

/* A compacted segment no longer shows where an aborted transaction began, so its
 * entries cannot be made again and stay. */
static int
rebuild_one(const struct segments *s, const struct segment_names *logs, int64_t base,
    int64_t interval, bool dry, struct print *out, int64_t *damaged, struct err *err)
{
	struct segment_rebuilt done = {0};
	char path[LOG_PATH_MAX];
	struct os_stat st;
	bool txns = true;

	segment_path(path, s->dir, base, segment_suffix(SEGMENT_LOG));
	if (rebuild_with(s, logs, base, interval, true, true, &done, err) == -1) {
		if (err->code != ERR_CORRUPT)
			return -1;
		report_warn("%s: the .txnindex stays as it is: %s", path, err->text);
		txns = false;
	} else if (aborted_on_disk(s, base, done.next_offset) > done.txn_entries) {
		report_info("%s: compacted: the .txnindex stays as it is", path);
		txns = false;
	}
	if ((!dry || !txns) &&
	    rebuild_with(s, logs, base, interval, txns, dry, &done, err) == -1)
		return -1;
	if (os_stat_path(s->os, path, &st) == 0 && done.bytes < st.size) {
		report_warn("%s: bad at byte %lld: the indexes end there (mq-dump-log tells more)",
		    path, (long long)done.bytes);
		(*damaged)++;
	}
	return row_put(out, path, &done, txns, err);
}

int
index_rebuild(const struct segments *s, int64_t interval, bool dry, struct print *out,
    int64_t *damaged, struct err *err)
{
	struct segment_names logs = {0};
	int rc = bases_read(s, &logs, err);

	for (size_t i = 0; i < logs.count && rc == 0; i++)
		if (s->only == -1 || s->only == logs.names[i].base)
			rc = rebuild_one(s, &logs, logs.names[i].base, interval, dry, out, damaged, err);
	segment_names_release(&logs);
	return rc;
}
