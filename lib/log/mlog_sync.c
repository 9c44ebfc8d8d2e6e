/* Making what was appended durable. */
#include <errno.h>

#include "log/mlog_impl.h"

/* The files of a finished segment that may not be durable: 1, and they are open; 0:
 * what they were is no more; -1. Another process may have written it, and left
 * indexes that nobody synced: they are small, so they are synced with it. */
static int
open_finished(struct segment *s, struct err *err)
{
	int current = segment_is_current(s, err);

	if (current == 0) {
		s->unsynced = false;
		s->size = -1;
		segment_close(s);
	}
	return current == 1 && segment_open_indexes(s, err) == -1 ? -1 : current;
}

int
mlog_sync_segment(struct mlog *log, size_t i, struct err *err)
{
	struct segment *s = log->segments[i];
	int current = open_finished(s, err);

	if (current != 1)
		return current;
	s->offsets->file.unsynced = s->times->file.unsynced = true;
	if (segment_sync(s, err) == -1)
		return mlog_fail(log);
	s->unsynced = false;
	segment_close(s);
	return 0;
}

int
mlog_sync_names(struct mlog *log, struct err *err)
{
	return os_sync_dir(log->os, log->dir) == -1 ?
	    err_sys(err, errno, "%s: sync", log->dir) : 0;
}

int
mlog_sync(struct mlog *log, struct err *err)
{
	struct segment *s = mlog_active(log);

	if (mlog_usable(log, err) == -1)
		return -1;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		if (log->segments[i]->unsynced && mlog_sync_segment(log, i, err) == -1)
			return -1;
	}
	if (log->tail.synced_offset < log->tail.end_offset) {
		if (segment_open_log(s, err) == -1)
			return -1;
		if (segment_sync(s, err) == -1)
			return mlog_fail(log);
	} else if (segment_sync_indexes(s, err) == -1) {
		return mlog_fail(log);
	}
	if (epochs_write(&log->epochs, log->os, log->dir, err) == -1)
		return mlog_fail(log);
	log->tail.synced_offset = log->tail.end_offset;
	return 0;
}

/* Number of descriptors; -1 if they cannot be had now. */
static int
add_finished(struct segment *s, int *fds)
{
	struct err ignored;
	int current = open_finished(s, &ignored);

	if (current != 1)
		return current;
	s->lent = s->lent_whole = true;
	fds[0] = s->log_fd;
	fds[1] = s->offsets->file.fd;
	fds[2] = s->times->file.fd;
	return 3;
}

size_t
mlog_unsynced(struct mlog *log, int *fds, size_t max, int64_t *end_offset)
{
	struct segment *active = mlog_active(log);
	struct err ignored;
	size_t n = 0;
	int added;

	*end_offset = log->tail.synced_offset;
	if (log->failed)
		return 0;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		log->segments[i]->lent_whole = false;
		if (!log->segments[i]->unsynced)
			continue;
		if (max - n < 3 || (added = add_finished(log->segments[i], fds + n)) == -1)
			return n;
		n += (size_t)added;
		*end_offset = log->segments[i + 1]->base;
	}
	if (log->tail.synced_offset >= log->tail.end_offset) {
		*end_offset = log->tail.end_offset;
		return n;
	}
	if (n == max || segment_open_log(active, &ignored) == -1)
		return n;
	active->lent = true;
	active->lent_whole = false;
	fds[n++] = active->log_fd;
	*end_offset = log->tail.end_offset;
	return n;
}

void
mlog_end_sync(struct mlog *log)
{
	for (struct segment *s; (s = log->left) != NULL;) {
		log->left = s->next;
		segment_free(s);
	}
	for (size_t i = 0; i < log->segment_count; i++)
		log->segments[i]->lent = false;
}

/* A segment that was finished while its log was being synced still has indexes that are
 * not durable. Whoever syncs more than that syncs them first. */
void
mlog_note_synced(struct mlog *log, int64_t end_offset)
{
	if (end_offset > log->tail.end_offset)
		end_offset = log->tail.end_offset;
	if (end_offset > log->tail.synced_offset)
		log->tail.synced_offset = end_offset;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		struct segment *s = log->segments[i];
		int64_t end = mlog_segment_end(log, i);
		if (!s->unsynced || end > end_offset || (end == end_offset && !s->lent_whole))
			continue;
		s->unsynced = s->lent_whole = false;
		segment_close(s);
	}
}

void
mlog_synced(struct mlog *log, int64_t end_offset)
{
	mlog_end_sync(log);
	mlog_note_synced(log, end_offset);
}
