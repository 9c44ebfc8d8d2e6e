/* Deleting whole segments at the start of a log. */
#include <errno.h>

#include "log/mlog_impl.h"
#include "log/reader_impl.h"

/* Removes the oldest segment and its snapshot. Readers that have it open read
 * on; others look at the directory again. */
static int
delete_first(struct mlog *log, struct mlog_retained *out, struct err *err)
{
	struct segment *s = log->segments[0];
	struct segment_name snapshot = {s->base, SEGMENT_SNAPSHOT, SEGMENT_PLAIN};
	int64_t size;

	if (segment_stat(s, err) == -1)
		return -1;
	size = s->size;
	mlog_drop_segment(log, 0);
	if (segment_remove(log->os, log->dir, snapshot.base, err) == -1 ||
	    segment_name_remove(log->os, log->dir, &snapshot, err) == -1)
		return -1;
	out->segments++;
	out->bytes += size;
	return 0;
}

int
mlog_newest_time(struct mlog *log, size_t i, int64_t *ms, struct err *err)
{
	struct segment *s = log->segments[i];
	char path[LOG_PATH_MAX];
	struct os_stat st;
	struct view v;
	int r;

	view_init(&v, log->os, log->dir);
	r = view_open(&v, s->base, err);
	if (r == 0)
		r = view_newest(&v, ms, err);
	view_release(&v);
	if (r == -1 || *ms >= 0)
		return r;
	segment_path(path, log->dir, s->base, segment_suffix(SEGMENT_LOG));
	if (os_stat_path(log->os, path, &st) == -1)
		return err_sys(err, errno, "%s", path);
	*ms = st.mtime_ms;
	return 0;
}

enum breach { BREACH_START, BREACH_SIZE, BREACH_TIME };

struct retain {
	struct mlog *log;
	int64_t now_ms, limit;
	int64_t over; /* bytes above retention.bytes */
	struct mlog_retained *out;
};

/* May the oldest segment go? 1, 0 or -1. */
static int
breached(struct retain *r, enum breach why, struct err *err)
{
	struct mlog *log = r->log;
	struct segment *s = log->segments[0];
	int64_t newest;

	switch (why) {
	case BREACH_START:
		return log->segment_count > 1 && log->segments[1]->base <= log->start_offset;
	case BREACH_SIZE:
		if (log->segment_count == 1)
			s->size = log->tail.size;
		else if (segment_stat(s, err) == -1)
			return -1;
		return r->over >= s->size;
	case BREACH_TIME:
		if (mlog_newest_time(log, 0, &newest, err) == -1)
			return -1;
		return newest < r->now_ms - log->config.retention_ms;
	}
	return 0;
}

static int
delete_while(struct retain *r, enum breach why, struct err *err)
{
	struct mlog *log = r->log;

	for (;;) {
		int64_t size;
		int yes;

		if (mlog_segment_end(log, 0) > r->limit ||
		    (log->segment_count == 1 && log->tail.size == 0))
			return 0;
		yes = breached(r, why, err);
		if (yes != 1)
			return yes;
		/* The active segment goes too, once another has taken its place. */
		if (log->segment_count == 1 && mlog_roll(log, err) == -1)
			return -1;
		if (segment_stat(log->segments[0], err) == -1)
			return -1;
		size = log->segments[0]->size;
		if (delete_first(log, r->out, err) == -1)
			return mlog_fail(log);
		r->over -= size;
	}
}

/* After segments went: start, epochs, names. Where memory or room is short the file of
 * epochs is behind until it is written again, which a log can be opened with. */
static int
settle(struct mlog *log, struct err *err)
{
	if (log->start_offset < log->segments[0]->base)
		log->start_offset = log->segments[0]->base;
	epochs_truncate_start(&log->epochs, log->start_offset);
	if (epochs_write(&log->epochs, log->os, log->dir, err) == -1 ||
	    mlog_sync_names(log, err) == -1)
		return mlog_fail_io(log, err);
	return 0;
}

static int
delete_old(struct retain *r, struct err *err)
{
	const struct mlog_config *c = &r->log->config;

	if (delete_while(r, BREACH_START, err) == -1)
		return -1;
	if (c->cleanup_delete && c->retention_bytes >= 0) {
		r->over = mlog_bytes(r->log) - c->retention_bytes;
		if (r->over > 0 && delete_while(r, BREACH_SIZE, err) == -1)
			return -1;
	}
	if (c->cleanup_delete && c->retention_ms >= 0 && r->now_ms >= 0)
		return delete_while(r, BREACH_TIME, err);
	return 0;
}

int
mlog_retain(struct mlog *log, int64_t now_ms, int64_t limit_offset, struct mlog_retained *out,
    struct err *err)
{
	struct retain r = {.log = log, .now_ms = now_ms, .limit = limit_offset, .out = out};
	int ret;

	*out = (struct mlog_retained){0};
	if (mlog_usable(log, err) == -1 || mlog_refresh(log, err) == -1)
		return -1;
	ret = delete_old(&r, err);
	/* Also after an error: what went is gone, and the log begins behind it. */
	if (out->segments > 0 && !log->failed && settle(log, err) == -1)
		return -1;
	return ret;
}

int
mlog_set_start(struct mlog *log, int64_t offset, struct err *err)
{
	struct mlog_retained gone = {0};
	struct retain r = {.log = log, .limit = INT64_MAX, .out = &gone};

	if (mlog_usable(log, err) == -1 || mlog_whole(log, err) == -1)
		return -1;
	if (offset > log->tail.end_offset)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE,
		    "%s: want a start of at most %lld, got %lld", segment_dir_name(log->dir),
		    (long long)log->tail.end_offset, (long long)offset);
	if (offset <= log->start_offset)
		return 0;
	if (mlog_refresh(log, err) == -1)
		return -1;
	log->start_offset = offset;
	if (delete_while(&r, BREACH_START, err) == -1)
		return -1;
	return settle(log, err);
}

/* --- from outside ------------------------------------------------------------------ */

static int
look(struct mlog *names, struct mlog_oldest *out, struct err *err)
{
	for (size_t i = 0; i < names->segment_count; i++) {
		if (segment_stat(names->segments[i], err) == -1)
			return -1;
		out->bytes += names->segments[i]->size;
	}
	out->segments = (int64_t)names->segment_count;
	if (out->segments == 0)
		return 0;
	out->first_bytes = names->segments[0]->size;
	if (out->segments > 1)
		out->next_base = names->segments[1]->base;
	if (out->segments == 1 && out->first_bytes == 0)
		return 0;
	return mlog_newest_time(names, 0, &out->newest_ms, err);
}

int
mlog_look_oldest(struct os *os, const char *dir, struct mlog_oldest *out, struct err *err)
{
	struct mlog names;
	struct mlog_config none = {0};
	int r = mlog_names_init(&names, os, dir, &none, err);

	*out = (struct mlog_oldest){.newest_ms = -1, .next_base = -1};
	if (r == 0)
		r = mlog_names_read(&names, err);
	if (r == 0)
		r = look(&names, out, err);
	mlog_release(&names);
	return r;
}
