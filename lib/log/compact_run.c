/*
 * A compaction, step by step.
 *
 *	begin -> round -> map -> group -> copy -> finish -> (swap) -> remove
 *	           ^ \-> done      ^ \                                   |
 *	           |               |  \-> no group left: next round      |
 *	           +---------------+-------------------------------------+
 *
 * Each phase says with what to go on. All of it lies in struct compaction, so that it
 * can stop after any batch and go on later, on another thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/compact_impl.h"

bool
compact_stopped(struct compaction *c)
{
	if (!c->result.stopped && c->args.stop != NULL && c->args.stop(c->args.ctx))
		c->result.stopped = true;
	return c->result.stopped;
}

int
compact_open(struct compaction *c, struct err *err)
{
	struct segment *s = c->log->segments[c->at];

	if (c->reading)
		return 0;
	if (segment_open_log(s, err) == -1)
		return -1;
	scan_start(&c->scan, c->log->os, s->log_fd, 0);
	c->reading = true;
	return 0;
}

void
compact_close(struct compaction *c)
{
	segment_close(c->log->segments[c->at]);
	c->reading = false;
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

static int
done(struct compaction *c, struct err *err)
{
	struct compact_result *out = &c->result;

	c->phase = PHASE_DONE;
	return measure(c, &out->segments_out, &out->bytes_out, err);
}

/* --- rounds: until all is clean ------------------------------------------------------------ */

static int
begin(struct compaction *c, struct err *err)
{
	struct compact_result *out = &c->result;

	c->start = out->first_dirty_offset =
	    compact_first_dirty(c->log, c->args.first_dirty_offset);
	if (compact_find_limit(c->log, &c->args, c->start, &c->limit, err) == -1 ||
	    txn_walk_load(&c->txns, c->log, err) == -1 ||
	    measure(c, &out->segments_in, &out->bytes_in, err) == -1)
		return -1;
	if (out->segments_in == 0)
		return done(c, err);
	c->phase = PHASE_ROUND;
	return 0;
}

static int
begin_copy(struct compaction *c, struct err *err)
{
	if (c->result.stopped || c->end == c->log->segments[0]->base)
		return done(c, err);
	c->result.rounds++;
	txn_walk_begin(&c->txns, 0);
	c->kept = 0;
	c->group = 0;
	c->phase = PHASE_GROUP;
	return 0;
}

static int
begin_round(struct compaction *c, struct err *err)
{
	if (c->start >= c->limit && !c->expire)
		return done(c, err);
	if (c->start < c->limit) {
		compact_map_begin(c);
		c->phase = PHASE_MAP;
		return 0;
	}
	key_map_clear(&c->keys);
	c->end = c->limit;
	return begin_copy(c, err);
}

static int
map_keys(struct compaction *c, struct err *err)
{
	int r = compact_map_keys(c, err);

	return r == 1 ? begin_copy(c, err) : r;
}

static void
end_round(struct compaction *c)
{
	c->result.records_kept = c->kept;
	c->expire = false;
	if (c->end > c->start)
		c->start = c->end;
	c->result.first_dirty_offset = c->start;
	c->phase = PHASE_ROUND;
}

/* --- groups ------------------------------------------------------------------------------- */

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

/* How many segments from number c->group on become one, by Kafka's rules. */
static int
count_group(struct compaction *c, struct err *err)
{
	const struct mlog_config *config = &c->log->config;
	int64_t base = c->log->segments[c->group]->base;
	struct sizes sum, one;

	c->group_count = 1;
	if (sizes_of(c, c->group, &sum, err) == -1)
		return -1;
	for (size_t i = c->group + 1; c->log->segments[i]->base < c->end; i++) {
		if (sizes_of(c, i, &one, err) == -1)
			return -1;
		sum.log += one.log;
		sum.offsets += one.offsets;
		sum.times += one.times;
		if (sum.log > config->segment_bytes || sum.offsets > config->segment_index_bytes ||
		    sum.times > config->segment_index_bytes ||
		    (one.log > 0 && mlog_segment_end(c->log, i) - 1 - base > INT32_MAX))
			return 0;
		c->group_count++;
	}
	return 0;
}

static int
begin_group(struct compaction *c, struct err *err)
{
	if (c->log->segments[c->group]->base >= c->end) {
		end_round(c);
		return 0;
	}
	if (count_group(c, err) == -1)
		return -1;
	c->changed = c->group_count > 1;
	c->at = c->group;
	c->out = (struct out_group){.log = c->log};
	c->phase = PHASE_COPY;
	return out_begin(&c->out, c->log->segments[c->group]->base, err);
}

/* Leaves the group as it is. */
static int
leave_group(struct compaction *c, struct err *err)
{
	if (out_abandon(&c->out, err) == -1)
		return -1;
	out_release(&c->out);
	c->group += c->group_count;
	c->phase = PHASE_GROUP;
	return c->result.stopped ? done(c, err) : 0;
}

static int
copy_group(struct compaction *c, struct err *err)
{
	while (c->at < c->group + c->group_count && !c->result.stopped) {
		int r = compact_copy(c, err);

		if (r != 1)
			return r;
		c->at++;
	}
	if (c->result.stopped || !c->changed)
		return leave_group(c, err);
	c->phase = PHASE_FINISH;
	return 0;
}

static int
finish_group(struct compaction *c, struct err *err)
{
	int64_t *gone = reallocarray(c->gone, c->group_count, sizeof(*gone));

	if (gone == NULL)
		return err_nomem(err);
	c->gone = gone;
	c->gone_count = c->group_count;
	for (size_t i = 0; i < c->gone_count; i++)
		gone[i] = c->log->segments[c->group + i]->base;
	if (out_finish(&c->out, err) == -1)
		return -1;
	c->phase = PHASE_SWAP;
	return 0;
}

int
compaction_swap(struct compaction *c, struct mlog *log, struct err *err)
{
	if (mlog_usable(log, err) == -1)
		return -1;
	if (log->cuts != c->cuts)
		return err_set(err, ERR_AGAIN, "%s: its end was cut while it was compacted",
		    segment_dir_name(log->dir));
	if (compact_swap(log, c->log, &c->out, c->group, c->group_count, err) == -1) {
		/* Half-way the new files may be all there is. */
		if (log->failed)
			out_release(&c->out);
		return -1;
	}
	c->group += c->out.count;
	out_release(&c->out);
	c->phase = PHASE_REMOVE;
	return 0;
}

/* What cannot be removed now goes when the log is opened next. */
static void
remove_gone(struct compaction *c)
{
	for (size_t i = 0; i < c->gone_count; i++) {
		if (compact_remove_deleted(c->log->os, c->log->dir, c->gone[i]) == -1)
			c->rests = true;
	}
	c->gone_count = 0;
}

static int
next_group(struct compaction *c, struct err *err)
{
	(void)err;
	remove_gone(c);
	c->phase = PHASE_GROUP;
	return 0;
}

/* --- the life of one ---------------------------------------------------------------------- */

int
compaction_step(struct compaction *c, int64_t bytes, struct err *err)
{
	static int (*const phases[])(struct compaction *c, struct err *err) = {
	    [PHASE_BEGIN] = begin,
	    [PHASE_ROUND] = begin_round,
	    [PHASE_MAP] = map_keys,
	    [PHASE_GROUP] = begin_group,
	    [PHASE_COPY] = copy_group,
	    [PHASE_FINISH] = finish_group,
	    [PHASE_REMOVE] = next_group,
	};

	c->budget = bytes;
	while (c->phase != PHASE_SWAP && c->phase != PHASE_DONE) {
		if (phases[c->phase](c, err) == -1)
			return -1;
		if (c->budget <= 0)
			return COMPACT_MORE;
	}
	return c->phase == PHASE_SWAP ? COMPACT_SWAP : COMPACT_DONE;
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

/* Segments that are not durable must not be replaced by one that claims to be. */
static int
sync_finished(struct mlog *log, int64_t limit, struct err *err)
{
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		if (log->segments[i]->unsynced && mlog_segment_end(log, i) <= limit &&
		    mlog_sync_segment(log, i, err) == -1)
			return -1;
	}
	return 0;
}

static int
by_id(const void *a, const void *b)
{
	const struct live_producer *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static bool
is_live(const struct compaction *c, const struct producer_entry *p)
{
	int64_t most = c->args.producer_expire_ms;

	if (most == 0)
		most = COMPACT_PRODUCER_EXPIRE_MS;
	return most < 0 || p->txn_first_offset != -1 || p->last_timestamp > c->args.now_ms - most;
}

static int
take_producers(struct compaction *c, const struct mlog *log, struct err *err)
{
	if (!log->producers_loaded || log->producers.by_id.count == 0)
		return 0;
	c->live = calloc(log->producers.by_id.count, sizeof(*c->live));
	if (c->live == NULL)
		return err_nomem(err);
	for (struct map_entry *e = NULL; (e = map_next(&log->producers.by_id, e)) != NULL;) {
		const struct producer_entry *p = e->value;

		if (!is_live(c, p))
			continue;
		c->live[c->live_count++] = (struct live_producer){.id = p->id, .epoch = p->epoch,
		    .last_offset =
			p->batch_count > 0 ? p->batches[p->batch_count - 1].last_offset : -1};
	}
	if (c->live_count > 0)
		qsort(c->live, c->live_count, sizeof(*c->live), by_id);
	return 0;
}

static int
take_view(struct compaction *c, const struct mlog *log, struct err *err)
{
	if (mlog_names_init(&c->view, log->os, log->dir, &log->config, err) == -1)
		return -1;
	for (size_t i = 0; i < log->segment_count; i++) {
		if (mlog_push_segment(&c->view, log->segments[i]->base, err) == -1)
			return -1;
	}
	c->view.start_offset = log->start_offset;
	c->view.tail.end_offset = log->tail.end_offset;
	c->cuts = log->cuts;
	return take_producers(c, log, err);
}

static int
prepare(struct compaction *c, struct mlog *log, struct err *err)
{
	if (mlog_usable(log, err) == -1 || refresh(log, err) == -1 ||
	    sync_finished(log, c->args.limit_offset, err) == -1)
		return -1;
	c->result.first_dirty_offset = compact_first_dirty(log, c->args.first_dirty_offset);
	if (log->tail.producers && !log->producers_loaded && mlog_load_producers(log, err) == -1)
		return -1;
	return take_view(c, log, err);
}

struct compaction *
compaction_begin(struct mlog *log, const struct compact_args *args, struct err *err)
{
	struct compaction *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->log = &c->view;
	c->args = *args;
	c->expire = args->expire;
	scan_init(&c->scan);
	batch_builder_init(&c->builder, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	key_map_init(&c->keys, log->os,
	    args->memory_bytes > 0 ? args->memory_bytes : COMPACT_MEMORY_DEFAULT);
	if (prepare(c, log, err) == 0)
		return c;
	(void)compaction_end(c, NULL);
	return NULL;
}

int
compaction_state(struct compaction *c, struct compact_state *out, struct err *err)
{
	return compact_state_of(c->log, &c->args, out, err);
}

bool
compaction_end(struct compaction *c, struct compact_result *out)
{
	struct err ignored;
	bool rests;

	if (c->phase == PHASE_REMOVE)
		remove_gone(c);
	if (c->out.segments != NULL && out_abandon(&c->out, &ignored) == -1)
		c->rests = true;
	if (c->phase != PHASE_BEGIN && c->phase != PHASE_DONE)
		(void)done(c, &ignored);
	rests = c->rests;
	if (out != NULL)
		*out = c->result;
	out_release(&c->out);
	scan_release(&c->scan);
	record_reader_release(&c->reader);
	batch_builder_release(&c->builder);
	buf_release(&c->keep);
	key_map_release(&c->keys);
	txn_walk_release(&c->txns);
	mlog_release(&c->view);
	free(c->live);
	free(c->gone);
	free(c);
	return !rests;
}

int
mlog_compact(struct mlog *log, const struct compact_args *args, struct compact_result *out,
    struct err *err)
{
	struct compaction *c = compaction_begin(log, args, err);
	int r = c == NULL ? -1 : COMPACT_SWAP;

	*out = (struct compact_result){0};
	log->tail.replacing = false; /* nothing is left now of what others began */
	while (r == COMPACT_SWAP) {
		r = compaction_step(c, COMPACT_ALL, err);
		if (r == COMPACT_SWAP && compaction_swap(c, log, err) == -1)
			r = -1;
	}
	if ((c != NULL && !compaction_end(c, out)) || r == -1)
		log->tail.replacing = true;
	return r == -1 ? -1 : 0;
}
