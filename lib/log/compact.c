/* What there is to compact, and whether it is due. */
#include "log/compact.h"

#include "log/compact_impl.h"

/* --- what there is to do ----------------------------------------------------------------- */

int64_t
compact_first_dirty(const struct mlog *log, int64_t checkpoint)
{
	if (checkpoint < log->start_offset || checkpoint > log->tail.end_offset)
		return log->start_offset;
	return checkpoint;
}

int
compact_find_limit(struct mlog *log, const struct compact_args *args, int64_t dirty,
    int64_t *limit, struct err *err)
{
	int64_t lag = log->config.min_compaction_lag_ms, newest;
	size_t i = 0;

	for (; i + 1 < log->segment_count; i++) {
		int64_t end = mlog_segment_end(log, i);

		if (end > args->limit_offset)
			break;
		if (lag <= 0 || end <= dirty)
			continue;
		if (mlog_newest_time(log, i, &newest, err) == -1)
			return -1;
		if (newest > args->now_ms - lag)
			break;
	}
	*limit = log->segments[i]->base;
	return 0;
}

/* Time of the first batch of a segment; -1 if there is none. */
static int
first_time(struct mlog *log, size_t i, int64_t *ms, struct err *err)
{
	struct segment *s = log->segments[i];
	bool was_open = s->log_fd != -1;
	struct scan scan;
	struct batch b;
	int r;

	*ms = -1;
	if (segment_open_log(s, err) == -1)
		return -1;
	scan_init(&scan);
	scan_start(&scan, log->os, s->log_fd, 0);
	scan.headers_only = true;
	r = scan_next(&scan, &b, err);
	if (r == 1)
		*ms = b.max_timestamp;
	scan_release(&scan);
	if (!was_open)
		segment_close(s);
	return r == -1 ? segment_err(s, SEGMENT_LOG, err) : 0;
}

int
compact_state_of(struct mlog *log, const struct compact_args *args,
    struct compact_state *out, struct err *err)
{
	int64_t dirty, ms;

	*out = (struct compact_state){.earliest_dirty_ms = -1};
	out->first_dirty_offset = dirty = compact_first_dirty(log, args->first_dirty_offset);
	if (compact_find_limit(log, args, dirty, &out->limit_offset, err) == -1)
		return -1;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		bool is_clean = mlog_segment_end(log, i) <= dirty;

		if (segment_stat(log->segments[i], err) == -1)
			return -1;
		if (is_clean)
			out->clean_bytes += log->segments[i]->size;
		else if (log->segments[i]->base < out->limit_offset)
			out->dirty_bytes += log->segments[i]->size;
		if (is_clean || log->config.max_compaction_lag_ms == INT64_MAX)
			continue;
		if (first_time(log, i, &ms, err) == -1)
			return -1;
		if (ms > 0 && (out->earliest_dirty_ms == -1 || ms < out->earliest_dirty_ms))
			out->earliest_dirty_ms = ms;
	}
	return 0;
}

int
mlog_compact_state(struct mlog *log, const struct compact_args *args,
    struct compact_state *out, struct err *err)
{
	*out = (struct compact_state){.earliest_dirty_ms = -1};
	return mlog_refresh(log, err) == -1 ? -1 : compact_state_of(log, args, out, err);
}

/* --- by names alone ------------------------------------------------------------------------ */

int
compact_look(struct os *os, const char *dir, const struct mlog_config *config,
    const struct compact_args *args, int64_t start_offset, int64_t end_offset,
    struct compact_state *out, struct err *err)
{
	struct mlog view;
	int r = mlog_names_init(&view, os, dir, config, err);

	*out = (struct compact_state){.earliest_dirty_ms = -1};
	if (r == 0)
		r = mlog_names_read(&view, err);
	if (r == 0 && view.segment_count > 0) {
		if (start_offset > view.start_offset)
			view.start_offset = start_offset;
		view.tail.end_offset = end_offset;
		r = compact_state_of(&view, args, out, err);
	}
	mlog_release(&view);
	return r;
}

bool
compact_is_due(const struct mlog_config *config, const struct compact_state *state,
    int64_t now_ms)
{
	int64_t lag = config->max_compaction_lag_ms > 0 ? config->max_compaction_lag_ms : 0;
	int64_t all = state->clean_bytes + state->dirty_bytes;

	if (state->dirty_bytes == 0)
		return false;
	if (state->earliest_dirty_ms >= 0 && state->earliest_dirty_ms < now_ms - lag)
		return true;
	return (double)state->dirty_bytes / (double)all > config->min_cleanable_ratio;
}
