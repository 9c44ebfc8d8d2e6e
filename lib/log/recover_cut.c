/* Cutting a log at a bad batch, and keeping what good batches go with it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/mlog_impl.h"
#include "log/times.h"

#define COPY_BLOCK (256 << 10)
#define CUT_FILES_MAX 1000

/* Does a file hold exactly the bytes of `fd` from `position` on? */
static bool
same_bytes(struct os *os, const char *path, int fd, int64_t position, int64_t len, uint8_t *block)
{
	struct os_stat st;
	int other = os_open(os, path, OS_READ);
	bool same = other != -1 && os_stat(os, other, &st) == 0 && st.size == len;

	for (int64_t done = 0; same && done < len; done += COPY_BLOCK / 2) {
		ssize_t a = os_read_at(os, fd, block, COPY_BLOCK / 2, position + done);
		ssize_t b = os_read_at(os, other, block + COPY_BLOCK / 2, COPY_BLOCK / 2, done);
		same = a > 0 && a == b && memcmp(block, block + COPY_BLOCK / 2, (size_t)a) == 0;
	}
	if (other != -1)
		os_close(os, other);
	return same;
}

static int
copy(struct os *os, int from, int64_t position, int to, uint8_t *block, struct err *err)
{
	int64_t done = 0;
	ssize_t got;

	while ((got = os_read_at(os, from, block, COPY_BLOCK, position + done)) > 0) {
		if (os_write_at(os, to, block, (size_t)got, done) == -1)
			return err_sys(err, errno, "write");
		done += got;
	}
	if (got == -1)
		return err_sys(err, errno, "read at byte %lld", (long long)(position + done));
	return os_sync(os, to) == -1 ? err_sys(err, errno, "sync") : 0;
}

static int
write_cut(struct mlog *log, const struct segment *s, int64_t position, const char *path,
    uint8_t *block, struct err *err)
{
	char tmp[LOG_PATH_MAX + 8];
	int fd, r;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	fd = os_open(log->os, tmp, OS_WRITE | OS_CREATE | OS_TRUNC);
	if (fd == -1)
		return err_sys(err, errno, "%s", tmp);
	r = copy(log->os, s->log_fd, position, fd, block, err);
	os_close(log->os, fd);
	if (r == -1) {
		os_remove(log->os, tmp);
		return err_prefix(err, "%s", tmp);
	}
	if (os_rename(log->os, tmp, path) == -1 || os_sync_dir(log->os, log->dir) == -1)
		return err_sys(err, errno, "%s", path);
	return 0;
}

/* The n-th name for cut bytes of a segment. 1: something has it; 0: it is free; -1. */
static int
cut_path(const struct mlog *log, int64_t base, int n, char path[LOG_PATH_MAX], struct err *err)
{
	char suffix[32];
	struct os_stat st;

	snprintf(suffix, sizeof(suffix), n == 0 ? ".log.cut" : ".log.cut.%d", n);
	segment_path(path, log->dir, base, suffix);
	if (os_stat_path(log->os, path, &st) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
}

/* The first free name. What was set aside before is never replaced. */
static int
free_cut_path(const struct mlog *log, int64_t base, char path[LOG_PATH_MAX], struct err *err)
{
	int r = 1;

	for (int n = 0; r == 1 && n < CUT_FILES_MAX; n++)
		r = cut_path(log, base, n, path, err);
	return r == 1 ? err_set(err, ERR_EXISTS, "%s: too many of them; move them away", path) : r;
}

/* Keeps the bytes from `position` on beside the segment, under a free name or one
 * that holds the same already: a recovery that was killed goes on where it was. */
static int
keep_bytes(struct mlog *log, const struct segment *s, int64_t position, struct err *err)
{
	uint8_t *block = malloc(COPY_BLOCK);
	char path[LOG_PATH_MAX];
	bool same = false;
	int r = 1;

	if (block == NULL)
		return err_nomem(err);
	for (int n = 0; !same && r == 1 && n < CUT_FILES_MAX; n++) {
		r = cut_path(log, s->base, n, path, err);
		same = r == 1 && same_bytes(log->os, path, s->log_fd, position, s->size - position,
		    block);
	}
	if (!same) {
		r = free_cut_path(log, s->base, path, err);
		if (r == 0)
			r = write_cut(log, s, position, path, block, err);
	}
	free(block);
	return r == -1 ? -1 : 0;
}

static int
holds_good(struct mlog *log, struct segment *s, struct err *err)
{
	struct scan scan;
	struct batch b;
	int r;

	if (segment_open_log(s, err) == -1)
		return -1;
	scan_init(&scan);
	scan_start(&scan, log->os, s->log_fd, 0);
	r = scan_find(&scan, 0, s->base, s->base, &b, err);
	if (r == 0 && scan.gave_up)
		r = 1; /* there may be */
	scan_release(&scan);
	return r;
}

/* Takes a later segment out of the log: its .log is renamed if good batches are
 * in it, its other files go. */
static int
drop_later(struct mlog *log, size_t i, struct err *err)
{
	struct segment *s = log->segments[i];
	int64_t base = s->base;
	char from[LOG_PATH_MAX], to[LOG_PATH_MAX];
	int good = holds_good(log, s, err);

	if (good == -1 || segment_stat(s, err) == -1)
		return -1;
	if (good == 1) {
		if (free_cut_path(log, base, to, err) == -1)
			return -1;
		segment_path(from, log->dir, base, segment_suffix(SEGMENT_LOG));
		if (os_rename(log->os, from, to) == -1)
			return err_sys(err, errno, "%s", from);
		os_note(log->os, OS_WARN, "%s: segment %020lld follows a cut: %lld bytes kept as %s",
		    segment_dir_name(log->dir), (long long)base, (long long)s->size,
		    strrchr(to, '/') + 1);
	}
	mlog_drop_segment(log, i);
	return segment_remove(log->os, log->dir, base, err);
}

int
mlog_cut(struct mlog *log, size_t at, int64_t position, int64_t offset, bool good_behind,
    struct err *err)
{
	struct segment *s = log->segments[at];
	int64_t gone = s->size - position;
	bool kept = good_behind;

	for (size_t i = at + 1; !kept && i < log->segment_count; i++) {
		int good = holds_good(log, log->segments[i], err);
		if (good == -1)
			return -1;
		kept = good == 1;
	}
	if (kept && gone > 0 && keep_bytes(log, s, position, err) == -1)
		return -1;
	if (times_cut(log->os, log->dir, offset, err) == -1)
		return -1;
	while (log->segment_count > at + 1) {
		if (drop_later(log, log->segment_count - 1, err) == -1)
			return -1;
	}
	if (mlog_remove_snapshots(log, offset + 1, err) == -1 || mlog_sync_names(log, err) == -1)
		return -1;
	if (os_truncate(log->os, s->log_fd, position) == -1)
		return err_sys(err, errno, "%s/%020lld.log: truncate to %lld bytes",
		    segment_dir_name(log->dir), (long long)s->base, (long long)position);
	s->size = position;
	if (gone > 0)
		os_note(log->os, OS_WARN, "%s: cut %lld bytes of a torn batch at offset %lld, byte %lld "
		    "of %020lld.log%s", segment_dir_name(log->dir), (long long)gone,
		    (long long)offset, (long long)position, (long long)s->base,
		    kept ? ": good batches follow it, kept as .log.cut" : "");
	return 0;
}

int
mlog_cut_overlap(struct mlog *log, size_t at, int64_t position, struct err *err)
{
	struct segment *s = log->segments[at];

	if (keep_bytes(log, s, position, err) == -1)
		return -1;
	if (os_truncate(log->os, s->log_fd, position) == -1)
		return err_sys(err, errno, "%s/%020lld.log: truncate to %lld bytes",
		    segment_dir_name(log->dir), (long long)s->base, (long long)position);
	os_note(log->os, OS_WARN, "%s: %020lld.log goes on behind byte %lld, where the segment "
	    "%020lld begins: %lld bytes kept as .log.cut", segment_dir_name(log->dir),
	    (long long)s->base, (long long)position, (long long)log->segments[at + 1]->base,
	    (long long)(s->size - position));
	s->size = position;
	return 0;
}
