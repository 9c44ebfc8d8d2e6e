/* Taking away from a log: trim, retention, compaction. */
#include <string.h>

#include "log/compact.h"
#include "store/store_impl.h"

/* With the metadata's lock held, since the log start goes into a file that all
 * partitions share. */
static int
trim(struct change *c, struct store_partition *p, int64_t offset, int64_t *start, struct err *err)
{
	int64_t end = mlog_end(&p->log), known;

	if (mlog_whole(&p->log, err) == -1)
		return -1;
	known = checkpoints_get(c->s, LOG_STARTS, p->topic, p->number);
	if (known < p->log.start_offset)
		known = p->log.start_offset;
	if (offset == -1)
		offset = end;
	if (offset < 0 || offset > end)
		return err_set(err, ERR_OFFSET_OUT_OF_RANGE, "%s-%d: offset %lld is not in %lld..%lld",
		    p->topic, p->number, (long long)offset, (long long)known, (long long)end);
	*start = known;
	if (offset <= known)
		return 0;
	/* Durable first: the start is not below what it was, whatever happens. */
	if (mlog_sync(&p->log, err) == -1 ||
	    checkpoints_set(c->s, LOG_STARTS, p->topic, p->number, offset, err) == -1 ||
	    mlog_set_start(&p->log, offset, err) == -1)
		return -1;
	*start = offset;
	return 0;
}

int
store_trim(struct store *s, const char *topic, int32_t partition, int64_t offset, int64_t *start,
    struct err *err)
{
	struct store_partition *p;
	struct change c;
	int ret = -1;

	if (change_begin(&c, s, err) == -1)
		return -1;
	p = store_partition_find(s, topic, partition, err);
	if (p != NULL)
		partition_forget(p);
	if (p != NULL && partition_enter(s, p, err) == 0) {
		ret = trim(&c, p, offset, start, err);
		partition_leave(s, p);
	}
	change_end(&c);
	partition_close_surplus(s);
	return ret;
}

/* Where compaction must stop: an open transaction may still be aborted. */
static int
compact_limit(struct store_partition *p, int64_t *limit, struct err *err)
{
	*limit = INT64_MAX;
	if (!p->log.producers_loaded && mlog_load_producers(&p->log, err) == -1)
		return -1;
	if (producers_first_unstable(&p->log.producers) >= 0)
		*limit = producers_first_unstable(&p->log.producers);
	return 0;
}

static int
compact(struct store *s, struct store_partition *p, bool wanted,
    struct store_cleaned *out, int64_t *first_dirty, struct err *err)
{
	struct compact_args args = {.now_ms = os_wall_ms(s->os), .expire = wanted};
	struct compact_result done = {0};
	struct compact_state state;
	int ret;

	*first_dirty = -1;
	args.first_dirty_offset = checkpoints_get(s, CLEANER_POINTS, p->topic, p->number);
	if (compact_limit(p, &args.limit_offset, err) == -1)
		return -1;
	if (!wanted) {
		if (mlog_compact_state(&p->log, &args, &state, err) == -1)
			return -1;
		if (!compact_is_due(&p->log.config, &state, args.now_ms))
			return 0;
	}
	if (partition_tell_replacing(s, p, err) == -1)
		return -1;
	ret = mlog_compact(&p->log, &args, &done, err);
	if (ret == 0 && done.segments_in > 0)
		*first_dirty = done.first_dirty_offset;
	out->segments_compacted = done.segments_in;
	out->bytes_before = done.bytes_in;
	out->bytes_after = done.bytes_out;
	return ret;
}

/* A clock that has jumped makes nothing old until it has stayed so for a while. */
int
partition_retain(struct store *s, struct store_partition *p, struct mlog_retained *gone,
    struct err *err)
{
	bool jumped = p->clock.doubt_ms != -1;

	if (jumped && p->log.config.retention_ms >= 0)
		os_note(s->os, OS_WARN,
		    "%s-%d: the clock has jumped: nothing is deleted by its age for an hour",
		    p->topic, p->number);
	return mlog_retain(&p->log, jumped ? -1 : os_wall_ms(s->os), mlog_end(&p->log), gone, err);
}

static int
clean_entered(struct store *s, struct store_partition *p, bool wanted, struct store_cleaned *out,
    int64_t *first_dirty, struct err *err)
{
	struct mlog_retained gone = {0};
	int ret = 0;

	if (wanted && p->log.config.cleanup_delete) {
		ret = partition_retain(s, p, &gone, err);
		out->segments_deleted = gone.segments;
		out->bytes_deleted = gone.bytes;
	}
	if (ret == 0 && p->log.config.cleanup_compact)
		ret = compact(s, p, wanted, out, first_dirty, err);
	return ret;
}

int
partition_clean(struct store *s, struct store_partition *p, bool wanted, struct store_cleaned *out,
    struct err *err)
{
	int64_t first_dirty = -1;
	int ret;

	memset(out, 0, sizeof(*out));
	if (store_lock(s, err) == -1)
		return -1;
	partition_forget(p);
	ret = partition_enter(s, p, err);
	if (ret == 0) {
		ret = clean_entered(s, p, wanted, out, &first_dirty, err);
		partition_leave(s, p);
	}
	store_unlock(s);
	return ret == 0 ? checkpoints_cleaned(s, p, first_dirty, err) : -1;
}

int
store_clean(struct store *s, const char *topic, int32_t partition, struct store_cleaned *out,
    struct err *err)
{
	struct store_partition *p;
	int ret;

	if (store_refresh(s, err) == -1 || (p = store_partition_find(s, topic, partition, err)) == NULL)
		return -1;
	ret = partition_clean(s, p, true, out, err);
	partition_close_surplus(s);
	return ret;
}
