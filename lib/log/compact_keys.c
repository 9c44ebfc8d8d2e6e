/* The first pass: the newest offset of each key in the dirty part. */
#include "log/compact_impl.h"

static int
corrupt(const struct segment *s, const struct batch *b, struct err *err)
{
	err_prefix(err, "batch at offset %lld", (long long)b->base_offset);
	return segment_err(s, SEGMENT_LOG, err);
}

/* 1; 0 when the map is full, after the record that was mapped last; -1. */
static int
map_records(struct compaction *c, const struct batch *b, struct err *err)
{
	struct record rec;
	int r;

	if (record_reader_open(&c->reader, b, err) == -1)
		return -1;
	while ((r = record_reader_next(&c->reader, &rec, err)) == 1) {
		if (rec.key_size < 0 || rec.offset < c->start)
			continue;
		r = key_map_put(&c->keys, rec.key, (size_t)rec.key_size, rec.offset, err);
		if (r != 1)
			return r;
		c->end = rec.offset + 1;
	}
	return r == 0 ? 1 : -1;
}

enum mapped { MAPPED_SEGMENT, MAPPED_FULL, MAPPED_SPENT };

/* An enum mapped, or -1. */
static int
map_segment(struct compaction *c, struct err *err)
{
	struct segment *s = c->log->segments[c->at];
	const struct aborted_txn *keep;
	struct batch b;
	bool discard;
	int r;

	while ((r = scan_next(&c->scan, &b, err)) == 1 && !compact_stopped(c)) {
		c->budget -= b.size;
		if (batch_next_offset(&b) <= c->start)
			continue;
		if (txn_walk_batch(&c->txns, &b, &discard, &keep, err) == -1)
			return corrupt(s, &b, err);
		if (!batch_is_control(&b) && !discard) {
			r = map_records(c, &b, err);
			if (r == -1)
				return corrupt(s, &b, err);
			if (r == 0)
				return MAPPED_FULL;
		}
		c->end = batch_next_offset(&b);
		if (c->budget <= 0)
			return MAPPED_SPENT;
	}
	return r == -1 ? segment_err(s, SEGMENT_LOG, err) : MAPPED_SEGMENT;
}

/* Stands at the batch that holds the start, by the index if it says so. */
static void
skip_to_start(struct compaction *c, struct segment *s)
{
	struct oindex_entry e;
	struct err ignored;
	struct batch b;

	if (c->start <= s->base || segment_open_indexes(s, &ignored) == -1 ||
	    oindex_lookup(s->offsets, c->start, &e, &ignored) == -1 || e.position <= 0)
		return;
	scan_move(&c->scan, e.position);
	if (scan_next(&c->scan, &b, &ignored) == 1 && batch_last_offset(&b) == e.offset &&
	    b.base_offset <= c->start)
		scan_move(&c->scan, e.position);
	else
		scan_move(&c->scan, 0);
}

void
compact_map_begin(struct compaction *c)
{
	key_map_clear(&c->keys);
	txn_walk_begin(&c->txns, c->start);
	c->end = c->start;
	c->at = mlog_segment_of(c->log, c->start);
}

int
compact_map_keys(struct compaction *c, struct err *err)
{
	int r = MAPPED_SEGMENT;

	while (r == MAPPED_SEGMENT && !c->result.stopped && c->at < c->log->segment_count &&
	    c->log->segments[c->at]->base < c->limit) {
		bool fresh = !c->reading;

		if (compact_open(c, err) == -1)
			return -1;
		if (fresh)
			skip_to_start(c, c->log->segments[c->at]);
		r = map_segment(c, err);
		if (r == MAPPED_SPENT)
			return 0;
		compact_close(c);
		c->at++;
	}
	if (r == MAPPED_SEGMENT)
		c->end = c->limit;
	return r == -1 ? -1 : 1;
}
