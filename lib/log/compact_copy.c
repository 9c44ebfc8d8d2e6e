/* The second pass: what stays of each batch (Kafka's Cleaner.cleanInto and
 * MemoryRecords.filterTo). */
#include <string.h>

#include "log/compact_impl.h"

/* What is decided about one batch. */
struct verdict {
	bool discard;      /* no record stays */
	bool retain_empty; /* the batch stays even so */
	bool empty_txn;    /* a marker whose transaction has no records any more */
	bool tombstones;   /* one stays */
	int64_t kept, dropped;
};

/* --- deciding ------------------------------------------------------------------------ */

static bool
has_horizon(const struct batch *b)
{
	return (b->attributes & BATCH_DELETE_HORIZON) != 0;
}

static bool
is_past_horizon(const struct compaction *c, const struct batch *b)
{
	return has_horizon(b) && b->base_timestamp <= c->args.now_ms;
}

/* Without its last batch a live producer's next one would seem out of order. */
static bool
is_last_of_producer(const struct compaction *c, const struct batch *b)
{
	size_t low = 0, high = c->live_count;
	const struct live_producer *p;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->live[mid].id < b->producer_id)
			low = mid + 1;
		else
			high = mid;
	}
	p = &c->live[low];
	if (low == c->live_count || p->id != b->producer_id)
		return false;
	if (p->last_offset >= 0)
		return batch_last_offset(b) == p->last_offset;
	return batch_is_control(b) && b->producer_epoch == p->epoch;
}

static bool
stays(const struct compaction *c, const struct batch *b, const struct record *rec)
{
	if (rec->offset >= c->end)
		return true;
	if (rec->key_size < 0)
		return false;
	if (key_map_get(&c->keys, rec->key, (size_t)rec->key_size) > rec->offset)
		return false;
	return rec->value_size >= 0 || !is_past_horizon(c, b);
}

static bool
keep_bit(const struct compaction *c, int64_t n)
{
	return (c->keep.data[n / 8] >> n % 8 & 1) != 0;
}

static int
push_bit(struct compaction *c, int64_t n, bool bit, struct err *err)
{
	if (n % 8 == 0)
		buf_i8(&c->keep, 0);
	if (c->keep.failed)
		return err_nomem(err);
	c->keep.data[n / 8] |= (uint8_t)(bit << n % 8);
	return 0;
}

/* Fills c->keep and the rest of the verdict. */
static int
judge_records(struct compaction *c, const struct batch *b, struct verdict *v, struct err *err)
{
	struct record rec;
	int64_t n = 0;
	int r;

	buf_clear(&c->keep);
	if (record_reader_open(&c->reader, b, err) == -1)
		return -1;
	for (; (r = record_reader_next(&c->reader, &rec, err)) == 1; n++) {
		bool keep = !v->discard && (batch_is_control(b) || stays(c, b, &rec));

		if (push_bit(c, n, keep, err) == -1)
			return -1;
		v->kept += keep;
		v->tombstones = v->tombstones || (keep && rec.value_size < 0);
	}
	v->dropped = n - v->kept;
	return r;
}

/* --- writing --------------------------------------------------------------------------- */

/* The builder for what stays of `b` in offsets `from` to `to`. */
static void
begin_batch(struct compaction *c, const struct batch *b, int64_t from, int64_t to,
    int64_t horizon)
{
	struct batch_builder *bb = &c->builder;
	struct batch *head = &bb->head;

	batch_builder_reset(bb);
	bb->codec = batch_codec(b);
	bb->level = CODEC_LEVEL_DEFAULT;
	batch_builder_set_range(bb, from, to);
	head->leader_epoch = b->leader_epoch;
	head->attributes = (int16_t)(b->attributes &
	    (BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL));
	head->producer_id = b->producer_id;
	head->producer_epoch = b->producer_epoch;
	head->base_sequence = b->base_sequence;
	if (b->base_sequence >= 0)
		head->base_sequence =
		    sequence_add(b->base_sequence, (int32_t)(from - b->base_offset));
	if (batch_is_append_time(b))
		head->max_timestamp = b->max_timestamp;
	if (horizon >= 0) {
		head->attributes |= BATCH_DELETE_HORIZON;
		head->base_timestamp = horizon;
	}
}

static int
end_batch(struct compaction *c, struct err *err)
{
	struct batch made;

	return batch_builder_finish(&c->builder, &made, err) == -1 ? -1 :
	    out_batch(&c->out, &made, err);
}

/* Records once inflated may be more than one batch can hold: then they become
 * several, whose ranges of offsets and sequences follow one another. */
static bool
is_full(const struct compaction *c, const struct record *rec)
{
	size_t size = batch_builder_size(&c->builder) + rec->headers.len + 64;

	size += rec->key_size > 0 ? (size_t)rec->key_size : 0;
	size += rec->value_size > 0 ? (size_t)rec->value_size : 0;
	return size > BATCH_SIZE_MAX && c->builder.head.record_count > 0;
}

static int
write_rest(struct compaction *c, const struct batch *b, int64_t horizon, struct err *err)
{
	int64_t from = b->base_offset, n = 0;
	struct record rec;
	int r;

	begin_batch(c, b, from, batch_last_offset(b), horizon);
	if (record_reader_open(&c->reader, b, err) == -1)
		return -1;
	for (; (r = record_reader_next(&c->reader, &rec, err)) == 1; n++) {
		if (!keep_bit(c, n))
			continue;
		if (is_full(c, &rec)) {
			c->builder.head.last_offset_delta = (int32_t)(rec.offset - 1 - from);
			if (end_batch(c, err) == -1)
				return -1;
			from = rec.offset;
			begin_batch(c, b, from, batch_last_offset(b), horizon);
		}
		if (batch_builder_add_at(&c->builder, &rec, err) == -1)
			return -1;
	}
	return r == -1 ? -1 : end_batch(c, err);
}

static int
write_empty(struct compaction *c, const struct batch *b, struct err *err)
{
	begin_batch(c, b, b->base_offset, batch_last_offset(b), -1);
	c->builder.head.max_timestamp = b->max_timestamp;
	return end_batch(c, err);
}

static int
write_batch(struct compaction *c, const struct batch *b, const struct verdict *v,
    struct err *err)
{
	bool set = (v->tombstones || v->empty_txn) && !has_horizon(b);
	int64_t horizon = -1;

	if (v->kept > 0 ? v->dropped == 0 && !set : b->record_count == 0)
		return out_batch(&c->out, b, err);
	c->changed = true;
	if (v->kept == 0)
		return write_empty(c, b, err);
	if (has_horizon(b))
		horizon = b->base_timestamp;
	if (set)
		horizon = c->args.now_ms + c->log->config.delete_retention_ms;
	return write_rest(c, b, horizon, err);
}

/* --- a batch, a segment -------------------------------------------------------------------- */

static int
copy_batch(struct compaction *c, const struct batch *b, struct err *err)
{
	const struct aborted_txn *keep;
	struct verdict v = {0};
	bool discard;

	if (txn_walk_batch(&c->txns, b, &discard, &keep, err) == -1)
		return -1;
	v.empty_txn = discard && batch_is_control(b);
	v.discard = discard && (!batch_is_control(b) || is_past_horizon(c, b));
	v.retain_empty = is_last_of_producer(c, b) || batch_next_offset(b) == c->limit;
	if (v.discard)
		v.dropped = b->record_count;
	else if (judge_records(c, b, &v, err) == -1)
		return -1;
	c->kept += v.kept;
	c->result.records_dropped += v.dropped;
	if (v.kept == 0 && !v.retain_empty) {
		c->changed = true;
		return 0;
	}
	if (write_batch(c, b, &v, err) == -1)
		return -1;
	return keep != NULL ? out_aborted(&c->out, keep, err) : 0;
}

int
compact_copy(struct compaction *c, struct err *err)
{
	struct segment *s = c->log->segments[c->at];
	struct batch b;
	int r;

	if (compact_open(c, err) == -1)
		return -1;
	while ((r = scan_next(&c->scan, &b, err)) == 1 && !compact_stopped(c)) {
		c->budget -= b.size;
		if (copy_batch(c, &b, err) == -1) {
			/* Only what is wrong with its bytes concerns this batch. */
			if (err->code != ERR_IO && err->code != ERR_NO_SPACE)
				err_prefix(err, "batch at offset %lld", (long long)b.base_offset);
			r = -1;
			break;
		}
		if (c->budget <= 0)
			return out_sync(&c->out, err);
	}
	if (r == -1 && err->code != ERR_IO && err->code != ERR_NO_SPACE)
		segment_err(s, SEGMENT_LOG, err);
	compact_close(c);
	return r == -1 ? -1 : 1;
}
