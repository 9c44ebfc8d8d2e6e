/* Appending, and rolling to a new segment. */
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "log/mlog_impl.h"
#include "log/times.h"

/* --- rolling -------------------------------------------------------------------- */

/* Spread over [0, segment.jitter.ms), the same for one segment each time. */
static int64_t
jitter_ms(const struct mlog *log)
{
	int64_t most = log->config.segment_jitter_ms;
	uint64_t mixed;

	if (most > log->config.segment_ms)
		most = log->config.segment_ms;
	if (most <= 0)
		return 0;
	mixed = fnv1a(log->dir, strlen(log->dir)) + (uint64_t)log->tail.segment_base;
	return (int64_t)(mixed * 0x9e3779b97f4a7c15u >> 1) % most;
}

/* The active segment is not compacted, so one that is not to wait long is closed. */
static int64_t
age_max_ms(const struct mlog_config *c)
{
	int64_t lag = c->max_compaction_lag_ms;

	return c->cleanup_compact && lag > 0 && lag < c->segment_ms ? lag : c->segment_ms;
}

/* Kafka's rule: by the records' time, by the clock only where they have none. */
static bool
is_old(const struct mlog *log, const struct batch *b)
{
	int64_t waited;

	if (log->tail.first_timestamp >= 0)
		waited = b->max_timestamp - log->tail.first_timestamp;
	else
		waited = os_wall_ms(log->os) - mlog_active(log)->created_ms;
	return waited > age_max_ms(&log->config) - jitter_ms(log);
}

/* Whether an index is full. It is not opened to find out while so few bytes are
 * in the segment that it cannot be. */
static int
indexes_full(struct mlog *log, bool *full, struct err *err)
{
	const struct mlog_config *c = &log->config;
	struct segment *s = mlog_active(log);
	int64_t apart = c->index_interval_bytes > BATCH_HEADER ? c->index_interval_bytes :
	    BATCH_HEADER;
	int64_t most = tindex_max(c->segment_index_bytes);

	*full = false;
	if (log->tail.size == 0 || log->tail.size / apart + 2 < most)
		return 0;
	if (segment_open_indexes(s, err) == -1)
		return -1;
	*full = s->offsets->file.count >= oindex_max(c->segment_index_bytes) ||
	    s->times->file.count >= most;
	return 0;
}

static int
roll_due(struct mlog *log, const struct batch *b, bool *due, struct err *err)
{
	const struct mlog_tail *t = &log->tail;

	*due = t->size > 0 && (t->size > log->config.segment_bytes - b->size || is_old(log, b));
	if (*due)
		return 0;
	if (batch_last_offset(b) - t->segment_base > INT32_MAX) {
		*due = true;
		return 0;
	}
	return indexes_full(log, due, err);
}

/* The entry by which a time lookup sees that a finished segment holds nothing
 * newer. */
static int
write_closing_entry(struct mlog *log, struct err *err)
{
	struct segment *s = mlog_active(log);

	if (log->tail.size == 0 || log->tail.max_timestamp < 0)
		return 0;
	if (segment_open_indexes(s, err) == -1)
		return -1;
	if (tindex_append(s->times, log->tail.max_timestamp, log->tail.max_timestamp_offset, err) ==
	    -1)
		return segment_err(s, SEGMENT_TIME, err);
	return 0;
}

static int
write_snapshot(struct mlog *log, int64_t base, struct err *err)
{
	if (log->tail.producers && !log->producers_loaded && mlog_load_producers(log, err) == -1)
		return -1;
	log->producers.end_offset = base;
	return producers_write_snapshot(&log->producers, log->os, log->dir, err);
}

static int
bound_unsynced(struct mlog *log, struct err *err)
{
	size_t waiting = 0, oldest = 0;

	for (size_t i = log->segment_count - 1; i > 0; i--) {
		if (log->segments[i - 1]->unsynced) {
			waiting++;
			oldest = i - 1;
		}
	}
	if (waiting < MLOG_UNSYNCED_MAX)
		return 0;
	return mlog_sync_segment(log, oldest, err);
}

static int
create_next(struct mlog *log, int64_t base, struct err *err)
{
	struct err ignored;

	if (mlog_push_segment(log, base, err) == -1)
		return -1;
	if (segment_create(mlog_active(log), err) == 0)
		return 0;
	mlog_drop_segment(log, log->segment_count - 1);
	if (err->sys_errno != EEXIST)
		segment_remove(log->os, log->dir, base, &ignored);
	return -1;
}

int
mlog_roll_at(struct mlog *log, int64_t base, struct err *err)
{
	struct segment *old = mlog_active(log);
	int64_t synced = log->tail.synced_offset, newest = log->tail.max_timestamp;
	struct err ignored;
	bool producers, replacing = log->tail.replacing;

	if (base == log->tail.segment_base)
		return 0;
	if (bound_unsynced(log, err) == -1)
		return -1;
	if (write_closing_entry(log, err) == -1 || write_snapshot(log, base, err) == -1 ||
	    create_next(log, base, err) == -1) {
		/* Without space the log goes on in the old segment when there is some. */
		return mlog_fail_io(log, err);
	}
	old->size = log->tail.size;
	old->unsynced = synced < log->tail.end_offset ||
	    (old->times != NULL && old->times->file.unsynced) ||
	    (old->offsets != NULL && old->offsets->file.unsynced);
	producers = log->tail.producers && log->producers.by_id.count > 0;
	if (!old->unsynced)
		segment_close(old);
	segment_begin_tail(&log->tail, base);
	log->tail.synced_offset = synced;
	log->tail.producers = producers;
	log->tail.replacing = replacing;
	/* Without the older ones its lines would say too little of them. */
	if (mlog_whole(log, &ignored) == 0)
		times_add(log, newest);
	return 0;
}

int
mlog_roll(struct mlog *log, struct err *err)
{
	if (mlog_usable(log, err) == -1)
		return -1;
	return log->tail.size == 0 ? 0 : mlog_roll_at(log, log->tail.end_offset, err);
}

/* --- appending -------------------------------------------------------------------- */

int
mlog_index_batch(struct mlog *log, const struct index_due *due, int64_t indexed_before,
    struct err *err)
{
	struct segment *s = mlog_active(log);

	if (!due->due)
		return 0;
	if (segment_open_indexes(s, err) == 0) {
		if (oindex_append(s->offsets, due->offset.offset, due->offset.position, err) == 0 &&
		    tindex_append(s->times, due->time.timestamp, due->time.offset, err) == 0)
			return 0;
		segment_err(s, SEGMENT_INDEX, err);
	}
	mlog_fail_io(log, err);
	if (log->failed || err->code == ERR_CORRUPT)
		return mlog_fail(log);
	/* The batch is in the log and found by scanning: the next one tries again. */
	log->tail.indexed_position = indexed_before;
	return 0;
}

/* Takes half a write back. Only a full disk is something to go on after. */
static int
write_failed(struct mlog *log, const struct batch *b, int why, struct err *err)
{
	struct segment *s = mlog_active(log);
	struct err ignored;

	err_sys(err, why, "write %lld bytes at byte %lld", (long long)b->size,
	    (long long)log->tail.size);
	segment_err(s, SEGMENT_LOG, err);
	if (b->producer_id >= 0) {
		producers_clear(&log->producers, 0);
		log->producers_loaded = false;
		log->tail.producers = true;
	}
	if (err->code != ERR_NO_SPACE || os_truncate(log->os, s->log_fd, log->tail.size) == -1)
		return mlog_fail(log);
	if (s->txn_fd != -1 && segment_cut_indexes(s, log->tail.size, log->tail.end_offset,
	    &ignored) == -1)
		return mlog_fail(log);
	return -1;
}

/* The epoch file says where an epoch begins before a record of it can be read. */
static int
note_epoch(struct mlog *log, const struct batch *b, struct err *err)
{
	if (b->leader_epoch < 0 || b->leader_epoch <= epochs_latest(&log->epochs))
		return 0;
	if (epochs_assign(&log->epochs, b->leader_epoch, b->base_offset, err) == -1)
		return -1;
	if (epochs_write(&log->epochs, log->os, log->dir, err) == 0)
		return 0;
	epochs_truncate_end(&log->epochs, b->base_offset);
	return mlog_fail_io(log, err);
}

static int
append(struct mlog *log, const struct batch *b, struct mlog_appended *out, struct err *err)
{
	int64_t indexed = log->tail.indexed_position;
	struct index_due due;
	struct segment *s;

	if (roll_due(log, b, &out->rolled, err) == -1)
		return -1;
	if (out->rolled) {
		if (mlog_roll_at(log, b->base_offset, err) == -1)
			return -1;
		indexed = 0;
	}
	s = mlog_active(log);
	if (segment_open_log(s, err) == -1 || note_epoch(log, b, err) == -1 ||
	    mlog_note_producer(log, b, err) == -1)
		return -1;
	if (os_write_at(log->os, s->log_fd, b->bytes, (size_t)b->size, log->tail.size) == -1)
		return write_failed(log, b, errno, err);
	segment_account(&log->tail, b, log->config.index_interval_bytes, &due);
	s->size = log->tail.size;
	out->base_offset = b->base_offset;
	out->last_offset = batch_last_offset(b);
	return mlog_index_batch(log, &due, indexed, err);
}

static int
view_one(const struct mlog *log, const uint8_t *bytes, size_t len, struct batch *b,
    struct err *err)
{
	enum batch_fault fault = batch_view(bytes, len, b);

	if (fault == BATCH_OK && (b->size != (int64_t)len || b->last_offset_delta < 0))
		fault = BATCH_BAD_LENGTH;
	if (fault != BATCH_OK)
		return err_set(err, ERR_INVALID, "%s: want one whole batch of %zu bytes: bad %s",
		    segment_dir_name(log->dir), len, batch_fault_name(fault));
	return 0;
}

static int
check_size(const struct mlog *log, const struct batch *b, struct err *err)
{
	const char *name = segment_dir_name(log->dir), *dash = strrchr(name, '-');

	if (b->size > log->config.max_message_bytes)
		return err_set(err, ERR_MESSAGE_TOO_LARGE,
		    "%s: a batch of %lld bytes; the topic takes %lld "
		    "(mq-topics alter %.*s -X max.message.bytes=%lld)",
		    name, (long long)b->size, (long long)log->config.max_message_bytes,
		    dash != NULL ? (int)(dash - name) : (int)strlen(name), name,
		    (long long)b->size);
	if (b->size > log->config.segment_bytes)
		return err_set(err, ERR_RECORD_LIST_TOO_LARGE,
		    "%s: a batch of %lld bytes is above segment.bytes (%lld)",
		    name, (long long)b->size,
		    (long long)log->config.segment_bytes);
	return 0;
}

int
mlog_append(struct mlog *log, uint8_t *bytes, size_t len, int32_t leader_epoch, int64_t now_ms,
    struct mlog_appended *out, struct err *err)
{
	struct batch b;

	*out = (struct mlog_appended){.append_time = -1};
	if (mlog_usable(log, err) == -1 || view_one(log, bytes, len, &b, err) == -1 ||
	    check_size(log, &b, err) == -1)
		return -1;
	batch_set_base_offset(bytes, log->tail.end_offset);
	batch_set_leader_epoch(bytes, leader_epoch);
	if (log->config.append_time) {
		batch_set_append_time(bytes, now_ms);
		out->append_time = now_ms;
	}
	if (view_one(log, bytes, len, &b, err) == -1)
		return -1;
	return append(log, &b, out, err);
}

int
mlog_append_as_is(struct mlog *log, const uint8_t *bytes, size_t len,
    struct mlog_appended *out, struct err *err)
{
	struct batch b;

	*out = (struct mlog_appended){.append_time = -1};
	if (mlog_usable(log, err) == -1 || view_one(log, bytes, len, &b, err) == -1)
		return -1;
	if (b.base_offset < log->tail.end_offset)
		return err_set(err, ERR_INVALID, "%s: want a batch at offset %lld or above, got %lld",
		    segment_dir_name(log->dir), (long long)log->tail.end_offset,
		    (long long)b.base_offset);
	return append(log, &b, out, err);
}
