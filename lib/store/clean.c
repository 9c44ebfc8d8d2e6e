/* Taking away from a log: trim and retention from its front, compaction. */
#include <string.h>

#include "log/compact.h"
#include "store/store_impl.h"

/* With the metadata's lock held, since the log start goes into a file that all
 * partitions share. */
static int
trim(struct change *c, struct store_partition *p, int64_t offset, int64_t *start, struct err *err)
{
	int64_t end = mlog_end(&p->log), known;

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
	p = partition_find(s, topic, partition, err);
	if (p != NULL && partition_enter(s, p, err) == 0) {
		ret = trim(&c, p, offset, start, err);
		partition_leave(s, p);
	}
	change_end(&c);
	partition_close_surplus(s);
	return ret;
}

/* Everything up to the oldest open transaction, due or not. */
static int
compact(struct store *s, struct store_partition *p, struct compact_result *done, struct err *err)
{
	struct compact_args args = {
	    .first_dirty_offset = checkpoints_get(s, CLEANER_POINTS, p->topic, p->number),
	    .limit_offset = mlog_end(&p->log),
	    .now_ms = os_wall_ms(s->os),
	    .expire = true,
	};
	int64_t unstable;

	if (!p->log.producers_loaded && mlog_load_producers(&p->log, err) == -1)
		return -1;
	unstable = producers_first_unstable(&p->log.producers);
	if (unstable >= 0)
		args.limit_offset = unstable;
	return mlog_compact(&p->log, &args, done, err);
}

/* Where the next compaction begins. Set after the partition was let go of: the
 * metadata's lock comes first, and copying would hold it for long. Somebody who
 * has compacted meanwhile loses his point; what it costs is another look. */
static int
cleaner_point_set(struct store *s, const char *topic, int32_t number, int64_t offset,
    struct err *err)
{
	struct change c;
	int ret;

	if (change_begin(&c, s, err) == -1)
		return -1;
	ret = checkpoints_set(s, CLEANER_POINTS, topic, number, offset, err);
	change_end(&c);
	return ret;
}

static int
clean(struct store *s, struct store_partition *p, struct store_cleaned *out,
    struct compact_result *done, struct err *err)
{
	struct mlog_retained gone = {0};

	if (p->log.config.cleanup_delete &&
	    mlog_retain(&p->log, os_wall_ms(s->os), mlog_end(&p->log), &gone, err) == -1)
		return -1;
	out->segments_deleted = gone.segments;
	out->bytes_deleted = gone.bytes;
	if (!p->log.config.cleanup_compact)
		return 0;
	if (compact(s, p, done, err) == -1)
		return -1;
	out->segments_compacted = done->segments_in;
	out->bytes_before = done->bytes_in;
	out->bytes_after = done->bytes_out;
	return 0;
}

int
store_clean(struct store *s, const char *topic, int32_t partition, struct store_cleaned *out,
    struct err *err)
{
	struct compact_result done = {.first_dirty_offset = -1};
	struct store_partition *p;
	int ret = -1;

	memset(out, 0, sizeof(*out));
	if (store_lock(s, err) == -1)
		return -1;
	p = store_refresh(s, err) == 0 ? partition_find(s, topic, partition, err) : NULL;
	if (p != NULL && partition_enter(s, p, err) == 0) {
		ret = clean(s, p, out, &done, err);
		partition_leave(s, p);
	}
	store_unlock(s);
	if (ret == 0 && done.segments_in > 0)
		ret = cleaner_point_set(s, topic, partition, done.first_dirty_offset, err);
	partition_close_surplus(s);
	return ret;
}
