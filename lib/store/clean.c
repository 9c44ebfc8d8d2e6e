/* Taking away from the front of a log: trim and retention. */
#include <string.h>

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

int
store_clean(struct store *s, const char *topic, int32_t partition, struct store_cleaned *out,
    struct err *err)
{
	struct mlog_retained gone = {0};
	struct store_partition *p;
	int ret = -1;

	memset(out, 0, sizeof(*out));
	if (store_lock(s, err) == -1)
		return -1;
	p = store_refresh(s, err) == 0 ? partition_find(s, topic, partition, err) : NULL;
	if (p != NULL && partition_enter(s, p, err) == 0) {
		ret = 0;
		if (p->log.config.cleanup_delete)
			ret = mlog_retain(&p->log, os_wall_ms(s->os), mlog_end(&p->log), &gone, err);
		partition_leave(s, p);
	}
	store_unlock(s);
	partition_close_surplus(s);
	out->segments_deleted = gone.segments;
	out->bytes_deleted = gone.bytes;
	return ret;
}
