/* What is compacted, in which groups, in how many rounds. */
#include "log/compact.h"

#include <errno.h>

#include "log/compact_impl.h"

/* --- what there is to do ----------------------------------------------------------------- */

static int64_t
first_dirty(const struct mlog *log, int64_t checkpoint)
{
	if (checkpoint < log->start_offset || checkpoint > log->tail.end_offset)
		return log->start_offset;
	return checkpoint;
}

/* Base of the first segment that may not be cleaned: the active one, one that
 * reaches the limit, or a dirty one that is younger than min.compaction.lag.ms. */
static int
find_limit(struct mlog *log, const struct compact_args *args, int64_t dirty, int64_t *limit,
    struct err *err)
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
mlog_compact_state(struct mlog *log, const struct compact_args *args,
    struct compact_state *out, struct err *err)
{
	int64_t dirty, ms;

	*out = (struct compact_state){.earliest_dirty_ms = -1};
	if (mlog_refresh(log, err) == -1)
		return -1;
	out->first_dirty_offset = dirty = first_dirty(log, args->first_dirty_offset);
	if (find_limit(log, args, dirty, &out->limit_offset, err) == -1)
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

/* --- groups ------------------------------------------------------------------------------- */

bool
compact_stopped(struct compaction *c)
{
	if (!c->result->stopped && c->args->stop != NULL && c->args->stop(c->args->ctx))
		c->result->stopped = true;
	return c->result->stopped;
}

int
compact_open(struct compaction *c, size_t i, bool *opened, struct err *err)
{
	struct segment *s = c->log->segments[i];

	*opened = s->log_fd == -1 && s->offsets == NULL && s->txn_fd == -1;
	if (segment_open_log(s, err) == -1)
		return -1;
	scan_start(&c->scan, c->log->os, s->log_fd, 0);
	return 0;
}

/* Entries that an index of segment number `i` has, in bytes. */
static int
index_bytes(struct compaction *c, size_t i, enum segment_kind kind, int64_t *size,
    struct err *err)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;

	segment_path(path, c->log->dir, c->log->segments[i]->base, segment_suffix(kind));
	*size = 0;
	if (os_stat_path(c->log->os, path, &st) == 0)
		*size = st.size;
	else if (errno != ENOENT)
		return err_sys(err, errno, "%s", path);
	return 0;
}

struct sizes {
	int64_t log, offsets, times;
};

static int
sizes_of(struct compaction *c, size_t i, struct sizes *out, struct err *err)
{
	struct segment *s = c->log->segments[i];

	if (segment_stat(s, err) == -1)
		return -1;
	out->log = s->size;
	return index_bytes(c, i, SEGMENT_INDEX, &out->offsets, err) == -1 ||
	    index_bytes(c, i, SEGMENT_TIME, &out->times, err) == -1 ? -1 : 0;
}

/* How many segments from number `at` on become one, by Kafka's rules. */
static int
group_at(struct compaction *c, size_t at, size_t *count, struct err *err)
{
	const struct mlog_config *config = &c->log->config;
	int64_t base = c->log->segments[at]->base;
	struct sizes sum, one;

	*count = 1;
	if (sizes_of(c, at, &sum, err) == -1)
		return -1;
	for (size_t i = at + 1; c->log->segments[i]->base < c->end; i++) {
		if (sizes_of(c, i, &one, err) == -1)
			return -1;
		sum.log += one.log;
		sum.offsets += one.offsets;
		sum.times += one.times;
		if (sum.log > config->segment_bytes || sum.offsets > config->segment_index_bytes ||
		    sum.times > config->segment_index_bytes ||
		    (one.log > 0 && mlog_segment_end(c->log, i) - 1 - base > INT32_MAX))
			return 0;
		*count += 1;
	}
	return 0;
}

/* Segments that are not durable must not be replaced by one that claims to be. */
static int
sync_group(struct compaction *c, size_t at, size_t count, struct err *err)
{
	for (size_t i = at; i < at + count; i++) {
		if (c->log->segments[i]->unsynced && mlog_sync_segment(c->log, i, err) == -1)
			return -1;
	}
	return 0;
}

/* Replaces `count` segments from number `at` on; *made: by how many. */
static int
compact_group(struct compaction *c, size_t at, size_t count, size_t *made, struct err *err)
{
	struct err ignored;
	int r;

	c->changed = count > 1;
	*made = count;
	if (sync_group(c, at, count, err) == -1)
		return -1;
	c->out = (struct out_group){.log = c->log};
	r = out_begin(&c->out, c->log->segments[at]->base, err);
	for (size_t i = at; r == 0 && i < at + count && !c->result->stopped; i++)
		r = compact_copy(c, i, err);
	if (r == 0 && c->changed && !c->result->stopped)
		r = out_finish(&c->out, err);
	if (r == -1) {
		/* What is left goes when the log is opened or compacted next. */
		out_abandon(&c->out, &ignored);
	} else if (!c->changed || c->result->stopped) {
		r = out_abandon(&c->out, err);
	} else {
		r = compact_swap(c->log, &c->out, at, count, err);
		*made = c->out.count;
	}
	out_release(&c->out);
	return r;
}

/* --- rounds --------------------------------------------------------------------------------- */

static int
copy_all(struct compaction *c, struct err *err)
{
	size_t count, made;

	txn_walk_begin(&c->txns, 0);
	c->kept = 0;
	for (size_t at = 0; c->log->segments[at]->base < c->end; at += made) {
		if (group_at(c, at, &count, err) == -1 ||
		    compact_group(c, at, count, &made, err) == -1)
			return -1;
		if (c->result->stopped)
			return 0;
	}
	c->result->records_kept = c->kept;
	return 0;
}

/* Round by round until all is clean. */
static int
run(struct compaction *c, struct err *err)
{
	bool expire = c->args->expire;

	while (c->start < c->limit || expire) {
		if (c->start >= c->limit) {
			key_map_clear(&c->keys);
			c->end = c->limit;
		} else if (compact_map_keys(c, err) == -1) {
			return -1;
		}
		if (c->result->stopped || c->end == c->log->segments[0]->base)
			return 0;
		c->result->rounds++;
		if (copy_all(c, err) == -1)
			return -1;
		if (c->result->stopped)
			return 0;
		expire = false;
		if (c->end > c->start)
			c->start = c->end;
		c->result->first_dirty_offset = c->start;
	}
	return 0;
}

/* Finished segments below the limit and their bytes. */
static int
measure(struct compaction *c, int64_t *segments, int64_t *bytes, struct err *err)
{
	*segments = *bytes = 0;
	for (size_t i = 0; c->log->segments[i]->base < c->limit; i++) {
		if (segment_stat(c->log->segments[i], err) == -1)
			return -1;
		*segments += 1;
		*bytes += c->log->segments[i]->size;
	}
	return 0;
}

/* Are the names in the directory those of our segments? */
static bool
names_fit(const struct mlog *log, const struct segment_names *names)
{
	size_t at = 0;

	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];

		if (n->state != SEGMENT_PLAIN)
			return false;
		if (n->kind != SEGMENT_LOG)
			continue;
		if (at == log->segment_count || log->segments[at]->base != n->base)
			return false;
		at++;
	}
	return at == log->segment_count;
}

/* Another process may have compacted this log, or been killed while it did. A
 * .cleaned that it left would undo what we replace, were we killed, too. */
static int
refresh(struct mlog *log, struct err *err)
{
	struct segment_names names = {0};
	int r = segment_names_read(&names, log->os, log->dir, err);
	bool fit = r == 0 && names_fit(log, &names);

	segment_names_release(&names);
	if (r == -1)
		return -1;
	if (fit)
		return mlog_refresh(log, err); /* the same names, but the same files? */
	if (mlog_load_segments(log, err) == -1)
		return mlog_fail(log);
	mlog_mark_unsynced(log);
	return 0;
}

static int
prepare(struct compaction *c, struct err *err)
{
	struct mlog *log = c->log;

	if (mlog_usable(log, err) == -1 || refresh(log, err) == -1)
		return -1;
	c->start = c->result->first_dirty_offset = first_dirty(log, c->args->first_dirty_offset);
	if (find_limit(log, c->args, c->start, &c->limit, err) == -1)
		return -1;
	if (log->tail.producers && !log->producers_loaded && mlog_load_producers(log, err) == -1)
		return -1;
	return txn_walk_load(&c->txns, log, err);
}

int
mlog_compact(struct mlog *log, const struct compact_args *args, struct compact_result *out,
    struct err *err)
{
	struct compaction c = {.log = log, .args = args, .result = out};
	size_t memory = args->memory_bytes > 0 ? args->memory_bytes : COMPACT_MEMORY_DEFAULT;
	struct err ignored;
	int r;

	*out = (struct compact_result){0};
	scan_init(&c.scan);
	batch_builder_init(&c.builder, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	key_map_init(&c.keys, log->os, memory);
	r = prepare(&c, err);
	log->tail.replacing = false; /* nothing is left now of what others began */
	if (r == 0)
		r = measure(&c, &out->segments_in, &out->bytes_in, err);
	if (r == 0 && out->segments_in > 0) {
		r = run(&c, err);
		if (measure(&c, &out->segments_out, &out->bytes_out, &ignored) == -1 && r == 0)
			r = -1;
	}
	if (r == -1)
		log->tail.replacing = true;
	scan_release(&c.scan);
	record_reader_release(&c.reader);
	batch_builder_release(&c.builder);
	buf_release(&c.keep);
	key_map_release(&c.keys);
	txn_walk_release(&c.txns);
	return r;
}
