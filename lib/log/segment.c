/* One segment: its files, and when an index entry is due. */
#include "log/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- accounting ----------------------------------------------------------------- */

void
segment_begin_tail(struct mlog_tail *t, int64_t base)
{
	*t = (struct mlog_tail){
	    .segment_base = base,
	    .end_offset = base,
	    .first_timestamp = NO_TIMESTAMP,
	    .max_timestamp = NO_TIMESTAMP,
	    .max_timestamp_offset = -1,
	    .synced_offset = base,
	};
}

void
segment_account(struct mlog_tail *t, const struct batch *b, int64_t index_interval_bytes,
    struct index_due *due)
{
	if (t->size == 0)
		t->first_timestamp = b->max_timestamp;
	if (b->max_timestamp > t->max_timestamp) {
		t->max_timestamp = b->max_timestamp;
		t->max_timestamp_offset = batch_last_offset(b);
	}
	due->due = t->size - t->indexed_position > index_interval_bytes;
	if (due->due) {
		due->offset = (struct oindex_entry){batch_last_offset(b), t->size};
		due->time = (struct tindex_entry){t->max_timestamp, t->max_timestamp_offset};
		t->indexed_position = t->size;
	}
	if (b->producer_id >= 0)
		t->producers = true;
	t->size += b->size;
	t->end_offset = batch_next_offset(b);
}

/* --- files ------------------------------------------------------------------------ */

struct segment *
segment_new(struct os *os, const char *dir, int64_t base, struct err *err)
{
	struct segment *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	s->os = os;
	s->dir = dir;
	s->base = base;
	s->size = -1;
	s->created_ms = os_wall_ms(os);
	s->log_fd = s->txn_fd = -1;
	return s;
}

static void
close_fd(struct os *os, int *fd)
{
	if (*fd != -1)
		os_close(os, *fd);
	*fd = -1;
}

static void
close_indexes(struct segment *s)
{
	if (s->offsets != NULL) {
		oindex_close(s->offsets);
		free(s->offsets);
		s->offsets = NULL;
	}
	if (s->times != NULL) {
		tindex_close(s->times);
		free(s->times);
		s->times = NULL;
	}
}

void
segment_close(struct segment *s)
{
	if (s->lent)
		return;
	close_fd(s->os, &s->log_fd);
	close_fd(s->os, &s->txn_fd);
	close_indexes(s);
}

void
segment_free(struct segment *s)
{
	if (s == NULL)
		return;
	s->lent = false;
	segment_close(s);
	free(s);
}

int
segment_err(const struct segment *s, enum segment_kind kind, struct err *err)
{
	return err_prefix(err, "%s/%020lld%s", segment_dir_name(s->dir), (long long)s->base,
	    segment_suffix(kind));
}

static int
open_file(struct segment *s, enum segment_kind kind, int flags, int *fd, struct err *err)
{
	char path[LOG_PATH_MAX];

	if (*fd != -1)
		return 0;
	segment_path(path, s->dir, s->base, segment_suffix(kind));
	*fd = os_open(s->os, path, flags);
	return *fd == -1 ? err_sys(err, errno, "%s", path) : 0;
}

int
segment_open_log(struct segment *s, struct err *err)
{
	return open_file(s, SEGMENT_LOG, OS_WRITE, &s->log_fd, err);
}

int
segment_open_indexes(struct segment *s, struct err *err)
{
	char path[LOG_PATH_MAX];

	if (s->offsets != NULL && s->times != NULL)
		return 0;
	close_indexes(s);
	s->offsets = malloc(sizeof(*s->offsets));
	s->times = malloc(sizeof(*s->times));
	if (s->offsets == NULL || s->times == NULL) {
		free(s->offsets);
		free(s->times);
		s->offsets = NULL;
		s->times = NULL;
		return err_nomem(err);
	}
	s->offsets->file.fd = s->times->file.fd = -1;
	segment_path(path, s->dir, s->base, segment_suffix(SEGMENT_INDEX));
	if (oindex_open(s->offsets, s->os, path, s->base, true, err) == 0) {
		segment_path(path, s->dir, s->base, segment_suffix(SEGMENT_TIME));
		if (tindex_open(s->times, s->os, path, s->base, true, err) == 0)
			return 0;
	}
	close_indexes(s);
	return -1;
}

/* Indexes first: a .log whose .index is missing is read anew by Kafka. */
static int
create_files(struct segment *s, struct err *err)
{
	static const enum segment_kind made[] = {SEGMENT_INDEX, SEGMENT_TIME};
	int fd;

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		fd = -1;
		if (open_file(s, made[i], OS_WRITE | OS_CREATE | OS_TRUNC, &fd, err) == -1)
			return -1;
		os_close(s->os, fd);
	}
	return open_file(s, SEGMENT_LOG, OS_WRITE | OS_CREATE | OS_EXCL, &s->log_fd, err);
}

int
segment_create(struct segment *s, struct err *err)
{
	if (s->base > SEGMENT_BASE_MAX)
		return err_set(err, ERR_INVALID, "no segment can begin at offset %lld",
		    (long long)s->base);
	if (create_files(s, err) == -1)
		return -1;
	if (os_sync_dir(s->os, s->dir) == -1)
		return err_sys(err, errno, "%s: sync", s->dir);
	s->size = 0;
	return 0;
}

int
segment_is_current(struct segment *s, struct err *err)
{
	struct os_stat named, known;
	char path[LOG_PATH_MAX];

	if (segment_open_log(s, err) == -1)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	segment_path(path, s->dir, s->base, segment_suffix(SEGMENT_LOG));
	if (os_stat_path(s->os, path, &named) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
	if (os_stat(s->os, s->log_fd, &known) == -1)
		return err_sys(err, errno, "%s", path);
	return named.inode == known.inode;
}

int
segment_stat(struct segment *s, struct err *err)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;
	int r;

	if (s->size >= 0)
		return 0;
	segment_path(path, s->dir, s->base, segment_suffix(SEGMENT_LOG));
	r = s->log_fd != -1 ? os_stat(s->os, s->log_fd, &st) : os_stat_path(s->os, path, &st);
	if (r == -1)
		return err_sys(err, errno, "%s", path);
	s->size = st.size;
	return 0;
}

int
segment_append_aborted(struct segment *s, const struct aborted_txn *a, struct err *err)
{
	uint8_t bytes[TXNINDEX_ENTRY];
	struct os_stat st;
	int64_t at;

	if (open_file(s, SEGMENT_TXN, OS_WRITE | OS_CREATE, &s->txn_fd, err) == -1)
		return -1;
	if (os_stat(s->os, s->txn_fd, &st) == -1) {
		err_sys(err, errno, "stat");
		return segment_err(s, SEGMENT_TXN, err);
	}
	at = st.size / TXNINDEX_ENTRY * TXNINDEX_ENTRY;
	aborted_encode(a, bytes);
	if (os_write_at(s->os, s->txn_fd, bytes, sizeof(bytes), at) == -1) {
		err_sys(err, errno, "write at byte %lld", (long long)at);
		os_truncate(s->os, s->txn_fd, at);
		return segment_err(s, SEGMENT_TXN, err);
	}
	return 0;
}

static int
sync_fd(struct segment *s, enum segment_kind kind, int fd, struct err *err)
{
	if (os_sync(s->os, fd) == 0)
		return 0;
	err_sys(err, errno, "sync");
	return segment_err(s, kind, err);
}

int
segment_sync_indexes(struct segment *s, struct err *err)
{
	if (s->offsets != NULL && s->offsets->file.unsynced) {
		if (sync_fd(s, SEGMENT_INDEX, s->offsets->file.fd, err) == -1)
			return -1;
		s->offsets->file.unsynced = false;
	}
	if (s->times != NULL && s->times->file.unsynced) {
		if (sync_fd(s, SEGMENT_TIME, s->times->file.fd, err) == -1)
			return -1;
		s->times->file.unsynced = false;
	}
	if (s->txn_fd != -1 && sync_fd(s, SEGMENT_TXN, s->txn_fd, err) == -1)
		return -1;
	return 0;
}

int
segment_sync(struct segment *s, struct err *err)
{
	if (s->log_fd != -1 && sync_fd(s, SEGMENT_LOG, s->log_fd, err) == -1)
		return -1;
	return segment_sync_indexes(s, err);
}

/* A .txnindex is short: what goes is counted from its end. */
static int
cut_aborted(struct segment *s, int64_t offset, struct err *err)
{
	uint8_t bytes[TXNINDEX_ENTRY];
	struct aborted_txn a;
	struct os_stat st;
	int64_t size;

	if (open_file(s, SEGMENT_TXN, OS_WRITE, &s->txn_fd, err) == -1)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (os_stat(s->os, s->txn_fd, &st) == -1)
		return err_sys(err, errno, "stat");
	for (size = st.size / TXNINDEX_ENTRY * TXNINDEX_ENTRY; size > 0; size -= TXNINDEX_ENTRY) {
		if (os_read_at(s->os, s->txn_fd, bytes, sizeof(bytes), size - TXNINDEX_ENTRY) !=
		    (ssize_t)sizeof(bytes))
			return err_sys(err, errno, "read");
		if (aborted_decode(&a, bytes) == 0 && a.last_offset < offset)
			break;
	}
	if (size == st.size)
		return 0;
	return os_truncate(s->os, s->txn_fd, size) == -1 ? err_sys(err, errno, "truncate") : 0;
}

int
segment_cut_indexes(struct segment *s, int64_t position, int64_t offset, struct err *err)
{
	if (segment_open_indexes(s, err) == -1)
		return -1;
	if (oindex_cut(s->offsets, position, err) == -1)
		return segment_err(s, SEGMENT_INDEX, err);
	/* From the start on all goes, also entries that are garbage. */
	if (tindex_cut(s->times, position == 0 ? INT64_MIN : offset, err) == -1)
		return segment_err(s, SEGMENT_TIME, err);
	if (cut_aborted(s, offset, err) == -1)
		return segment_err(s, SEGMENT_TXN, err);
	return 0;
}

int
segment_remove(struct os *os, const char *dir, int64_t base, struct err *err)
{
	/* The .log goes first: what is left without it is cleared away later. */
	static const enum segment_kind kinds[] = {
	    SEGMENT_LOG, SEGMENT_INDEX, SEGMENT_TIME, SEGMENT_TXN};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct segment_name n = {base, kinds[i], SEGMENT_PLAIN};
		if (segment_name_remove(os, dir, &n, err) == -1)
			return -1;
	}
	return 0;
}
