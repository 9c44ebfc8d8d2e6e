/* Tests of compaction: what stays, what goes, and that the log goes on. */
#include "compact_test.h"

#include "log/compact_impl.h"

#define DAY 86400000

/* --- keys -------------------------------------------------------------------------- */

static void
test_siphash(void)
{
	/* From the reference implementation: key 00..0f, input 00 01 02 … */
	static const uint8_t want[4][16] = {
	    {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
	        0x02, 0x93},
	    {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22,
	        0xfc, 0x45},
	};
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const uint8_t input[1] = {0};

	for (size_t n = 0; n < 2; n++) {
		uint64_t out[2];
		uint8_t bytes[16];

		siphash(key, input, n, out);
		for (int i = 0; i < 16; i++)
			bytes[i] = (uint8_t)(out[i / 8] >> 8 * (i % 8));
		is_mem(bytes, want[n], 16, "siphash of %zu bytes is the reference's", n);
	}
}

static void
test_key_map(void)
{
	struct world w;
	struct key_map m;
	int r = 1, n = 0;
	bool right = true;

	world_init(&w);
	key_map_init(&m, w.os, 24 * 5000);
	is_int(key_map_get(&m, "x", 1), -1, "an empty map has no key");
	for (; r == 1; n += r == 1)
		r = key_map_put(&m, &n, sizeof(n), 10 + n, &w.err);
	is_int(r, 0, "a map becomes full");
	is_int(n, 4500, "at nine tenths of its slots");
	for (int i = 0; i < n; i++)
		right = right && key_map_get(&m, &i, sizeof(i)) == 10 + i;
	ok(right, "and knows the offset of each key");
	is_int(key_map_get(&m, &n, sizeof(n)), -1, "not of one that did not fit");
	n = 7;
	ok(key_map_put(&m, &n, sizeof(n), 99999, &w.err) == 1 &&
	    key_map_get(&m, &n, sizeof(n)) == 99999, "one that it has is still moved on");
	key_map_clear(&m);
	is_int(key_map_get(&m, &n, sizeof(n)), -1, "cleared, it has none");
	key_map_release(&m);
	world_release(&w);
}

/* --- values and tombstones -------------------------------------------------------------- */

static void
test_latest(void)
{
	struct world w;
	struct compact_result res;

	world_init(&w);
	world_recover(&w, 0);
	put(&w, "a", "1");
	put(&w, "b", "1");
	put(&w, "a", "2");
	mlog_roll(&w.log, &w.err);
	put(&w, "c", "1");
	put(&w, "b", "2");
	mlog_roll(&w.log, &w.err);
	put(&w, "c", "2");
	ok(compact_from(&w, 0, T0, &res) == 0, "two segments are compacted");
	is_str(content(&w), "2:a=2 3:c=1 4:b=2 5:c=2",
	    "the last value below the active segment stays of each key");
	is_int((intmax_t)w.log.segment_count, 2, "the two have become one");
	is_int(res.segments_in, 2, "as the result says: from two");
	is_int(res.segments_out, 1, "to one");
	is_int(res.records_dropped, 2, "two records went");
	is_int(res.records_kept, 3, "three stayed");
	is_int(res.rounds, 1, "in one round");
	is_int(res.first_dirty_offset, 5, "all below the active segment is clean");
	is_int(mlog_end(&w.log), 6, "the end is where it was");
	put(&w, "d", "1");
	is_str(content(&w), "2:a=2 3:c=1 4:b=2 5:c=2 6:d=1", "appends go on");
	mlog_roll(&w.log, &w.err);
	ok(compact_from(&w, res.first_dirty_offset, T0, &res) == 0, "it is compacted again");
	is_str(content(&w), "2:a=2 4:b=2 5:c=2 6:d=1", "the clean part loses what is now old");
	world_close(&w);
	world_open(&w, &(struct mlog_open_args){.how = MLOG_CLEAN});
	is_str(content(&w), "2:a=2 4:b=2 5:c=2 6:d=1", "opened anew it holds the same");
	world_release(&w);
}

static void
test_untouched(void)
{
	struct world w;
	struct compact_result res;
	struct buf before = BUF_INIT, after = BUF_INIT;

	world_init(&w);
	world_recover(&w, 0);
	for (int i = 0; i < 200; i++) {
		char key[8];
		snprintf(key, sizeof(key), "k%d", i);
		put(&w, key, "a value of some length, so that there is an index");
	}
	mlog_roll(&w.log, &w.err);
	put(&w, "a", "2");
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &before);
	ok(compact_from(&w, 0, T0, &res) == 0 && res.records_dropped == 0, "nothing is old");
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &after);
	ok(before.len == after.len && memcmp(before.data, after.data, before.len) == 0,
	    "every byte stays");
	is_int(res.first_dirty_offset, 200, "and counts as clean");
	buf_release(&before);
	buf_release(&after);
	world_release(&w);
}

static void
test_tombstones(void)
{
	struct world w;
	struct compact_result res;

	world_init(&w);
	world_recover(&w, 0);
	put(&w, "a", "1");
	put(&w, "b", "1");
	put(&w, "a", GONE);
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	compact_from(&w, 0, T0, &res);
	is_str(content(&w), "1:b=1 2:a=- 3:x=1", "a tombstone stays at first");
	compact_from(&w, 3, T0 + DAY - 1, &res);
	is_str(content(&w), "1:b=1 2:a=- 3:x=1", "until delete.retention.ms have passed");
	compact_from(&w, 3, T0 + DAY, &res);
	is_str(content(&w), "1:b=1 3:x=1", "since it was compacted first");
	world_release(&w);
}

static void
test_horizon(void)
{
	static const char *const pairs[3][2] = {{"a", "1"}, {"b", GONE}, {"a", "2"}};
	struct world w;
	struct compact_result res;
	struct buf bytes = BUF_INIT;
	struct batch b;
	struct list l;

	world_init(&w);
	world_recover(&w, 0);
	put_pairs(&w, (struct how){.timestamp = 5000}, 3, pairs);
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	compact_from(&w, 0, T0, &res);
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &bytes);
	ok(batch_view(bytes.data, bytes.len, &b) == BATCH_OK, "one batch");
	ok((b.attributes & BATCH_DELETE_HORIZON) != 0, "with a delete horizon");
	is_int(b.base_timestamp, T0 + DAY, "in the place of its base timestamp");
	is_int(b.max_timestamp, 5002, "its largest timestamp stays");
	is_int(b.base_offset, 0, "so does its base offset, though the first record went");
	is_int(batch_last_offset(&b), 2, "and its last");
	read_all(&w, &l);
	ok(l.count > 0 && l.all[0].timestamp == 5001, "timestamps of records are told from the horizon");
	list_release(&l);
	buf_release(&bytes);
	world_release(&w);
}

static void
test_null_keys(void)
{
	struct world w;
	struct compact_result res;

	world_init(&w);
	world_recover(&w, 0);
	put(&w, KEY_NULL, "1");
	put(&w, "", "empty");
	put(&w, KEY_NULL, GONE);
	put(&w, "a", "");
	mlog_roll(&w.log, &w.err);
	put(&w, KEY_NULL, "active");
	compact_from(&w, 0, T0, &res);
	is_str(content(&w), "1:=empty 3:a= 4:-=active", "records without a key go; empty ones stay");
	world_release(&w);
}

/* --- producers and transactions ------------------------------------------------------ */

/* "0..2 p7 n0 s5" for each batch of the finished segments. */
static const char *
batches(struct world *w)
{
	static char text[2048];
	struct reader *r = reader_open(w->os, DIR_OF_LOG, 0, &w->err);
	struct batch b;
	size_t at = 0;

	text[0] = '\0';
	reader_seek(r, 0, &w->err);
	while (reader_next(r, &b, &w->err) == 1 && b.base_offset < w->log.tail.segment_base)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld..%lld p%lld s%d n%d",
		    at ? ", " : "", (long long)b.base_offset, (long long)batch_last_offset(&b),
		    (long long)b.producer_id, (int)b.base_sequence, (int)b.record_count);
	reader_free(r);
	return text;
}

static void
test_idempotent(void)
{
	static const char *const pairs[2][2] = {{"a", "1"}, {"b", "1"}};
	struct world w;
	struct compact_result res;
	struct producer_entry *p;

	world_init(&w);
	world_recover(&w, 0);
	put_pairs(&w, (struct how){.producer = 7, .sequence = 0}, 2, pairs);
	put_pairs(&w, (struct how){.producer = 7, .sequence = 2}, 2, pairs);
	put_pairs(&w, (struct how){.producer = 8, .sequence = 0}, 2, pairs);
	put(&w, "a", "3");
	put(&w, "b", "3");
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	compact_from(&w, 0, T0, &res);
	is_str(batches(&w), "2..3 p7 s2 n0, 4..5 p8 s0 n0, 6..6 p-1 s-1 n1, 7..7 p-1 s-1 n1",
	    "the last batch of each live producer stays, empty");
	ok(mlog_load_producers(&w.log, &w.err) == 0, "producers are loaded from what is left");
	p = producers_find(&w.log.producers, 7);
	is_int(p == NULL ? -1 : p->batches[p->batch_count - 1].last_sequence, 3,
	    "the last sequence is known");
	compact_from(&w, 0, T0 + DAY - 1, &res);
	is_str(batches(&w), "2..3 p7 s2 n0, 4..5 p8 s0 n0, 6..6 p-1 s-1 n1, 7..7 p-1 s-1 n1",
	    "and stays while they live");
	compact_from(&w, 0, T0 + DAY + 10, &res);
	is_str(batches(&w), "6..6 p-1 s-1 n1, 7..7 p-1 s-1 n1",
	    "not after producer.id.expiration.ms");
	world_release(&w);
}

static void
test_last_offset(void)
{
	struct world w;
	struct compact_result res;
	struct buf bytes = BUF_INIT;

	world_init(&w);
	w.config.delete_retention_ms = 0;
	world_recover(&w, 0);
	put(&w, "a", "1");
	put(&w, "a", GONE);
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	compact_from(&w, 0, T0, &res);
	compact_from(&w, 2, T0 + 1, &res);
	is_str(batches(&w), "1..1 p-1 s-1 n0", "the last batch stays, empty, for its offset");
	compact_from(&w, 2, T0 + 1, &res);
	is_str(batches(&w), "1..1 p-1 s-1 n0", "and still stays");
	mlog_roll(&w.log, &w.err);
	put(&w, "y", "1");
	compact_from(&w, 2, T0 + 1, &res);
	is_str(batches(&w), "2..2 p-1 s-1 n1", "until another one is the last");
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &bytes);
	is_int((intmax_t)w.log.segment_count, 2, "in one segment");
	buf_release(&bytes);
	world_release(&w);
}

static void
put_txn(struct world *w, int64_t producer, int32_t at, const char *value)
{
	const char *const pairs[2][2] = {{"a", value}, {"b", value}};

	put_pairs(w, (struct how){.producer = producer, .sequence = at,
	    .attributes = BATCH_TRANSACTIONAL}, 2, pairs);
}

static void
test_transactions(void)
{
	struct world w;
	struct compact_result res;
	char txnindex[128];

	/* Else their last batches stay, empty, and with them their markers. */
	producer_expire_ms = 1;
	world_init(&w);
	world_recover(&w, 0);
	put_txn(&w, 5, 0, "committed");
	put_marker(&w, 5, true);
	put_txn(&w, 5, 2, "aborted");
	mlog_roll(&w.log, &w.err);
	put_marker(&w, 5, false);
	put_txn(&w, 6, 0, "also aborted");
	put_marker(&w, 6, false);
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	path_of(txnindex, 0, ".txnindex");
	compact_from(&w, 0, T0 + 100, &res);
	is_str(content(&w), "0:a=committed 1:b=committed 2:(commit) 5:(abort) 8:(abort) 9:x=1",
	    "records of aborted transactions go and hide nothing; markers stay");
	is_int(sim_size(w.disk, txnindex), 2 * TXNINDEX_ENTRY, "so do their index entries");
	compact_from(&w, 9, T0 + 101, &res);
	is_str(content(&w), "0:a=committed 1:b=committed 2:(commit) 5:(abort) 8:(abort) 9:x=1",
	    "a marker that is not needed gets a delete horizon");
	is_int(sim_size(w.disk, txnindex), -1, "its index entry goes");
	compact_from(&w, 9, T0 + DAY + 100, &res);
	is_str(content(&w), "0:a=committed 1:b=committed 2:(commit) 5:(abort) 8:(abort) 9:x=1",
	    "before which it stays");
	compact_from(&w, 9, T0 + DAY + 101, &res);
	is_str(content(&w), "0:a=committed 1:b=committed 2:(commit) 9:x=1",
	    "after which it goes; one whose records are there does not");
	put(&w, "a", "2");
	put(&w, "b", "2");
	mlog_roll(&w.log, &w.err);
	put(&w, "y", "1");
	for (int i = 1; i <= 3; i++)
		compact_from(&w, i == 1 ? 9 : 12, T0 + i * 2LL * DAY, &res);
	is_str(content(&w), "9:x=1 10:a=2 11:b=2 12:y=1", "a commit marker goes the same way");
	world_release(&w);
	producer_expire_ms = 0;
}

/* --- others --------------------------------------------------------------------------- */

static void
test_codecs(void)
{
	static const char *const pairs[4][2] = {{"a", "1"}, {"b", "1"}, {"a", "2"}, {"c", GONE}};
	struct world w;
	struct compact_result res;

	for (int codec = 0; codec < CODEC_COUNT; codec++) {
		struct reader *r;
		struct batch b;

		world_init(&w);
		world_recover(&w, 0);
		put_pairs(&w, (struct how){.codec = (enum codec)codec, .timestamp = T0}, 4, pairs);
		mlog_roll(&w.log, &w.err);
		put(&w, "x", "1");
		compact_from(&w, 0, T0, &res);
		is_str(content(&w), "1:b=1 2:a=2 3:c=- 4:x=1", "%s: what stays",
		    codec_name((enum codec)codec));
		r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
		reader_seek(r, 0, &w.err);
		ok(reader_next(r, &b, &w.err) == 1 && batch_codec(&b) == (enum codec)codec,
		    "%s: the batch keeps its codec", codec_name((enum codec)codec));
		reader_free(r);
		world_release(&w);
	}
}

static void
test_append_time(void)
{
	static const char *const pairs[2][2] = {{"a", "1"}, {"b", "1"}};
	struct world w;
	struct compact_result res;
	struct list l;

	world_init(&w);
	w.config.append_time = true;
	world_recover(&w, 0);
	put_pairs(&w, (struct how){.timestamp = 5}, 2, pairs);
	put(&w, "a", "2");
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	compact_from(&w, 0, T0, &res);
	read_all(&w, &l);
	ok(l.count == 3 && l.all[0].timestamp == T0, "log append time stays what it was");
	list_release(&l);
	world_release(&w);
}

/* Far more keys than the map can hold: the same in the end, in more rounds. */
static void
test_rounds(void)
{
	struct world w;
	struct compact_result res;
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = T0,
	    .memory_bytes = 24 * 100};
	struct list before, after;
	int64_t newest[700] = {0};
	size_t kept = 0;
	bool right = true;

	world_init(&w);
	w.config.segment_bytes = 4000;
	world_recover(&w, 0);
	for (int i = 0; i < 3000; i++) {
		char keys[3][8];
		const char *pairs[3][2];
		for (int k = 0; k < 3; k++) {
			snprintf(keys[k], sizeof(keys[k]), "%d", i * (k + 7) % 700);
			pairs[k][0] = keys[k];
			pairs[k][1] = "some value";
		}
		put_pairs(&w, (struct how){.codec = i % 5 ? CODEC_NONE : CODEC_ZSTD}, 3,
		    (const char *const (*)[2])pairs);
	}
	mlog_roll(&w.log, &w.err);
	read_all(&w, &before);
	for (size_t i = 0; i < before.count; i++)
		newest[atoi(before.all[i].key)] = before.all[i].offset;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0, "seven hundred keys, room for ninety");
	ok(res.rounds > 10, "take many rounds");
	is_int(res.first_dirty_offset, mlog_end(&w.log), "at the end all is clean");
	read_all(&w, &after);
	for (size_t i = 0; i < after.count; i++)
		right = right && newest[atoi(after.all[i].key)] == after.all[i].offset;
	for (size_t i = 0; i < before.count; i++)
		kept += newest[atoi(before.all[i].key)] == before.all[i].offset;
	ok(right, "only newest values are left");
	is_int((intmax_t)after.count, (intmax_t)kept, "and all of them");
	list_release(&before);
	list_release(&after);
	world_release(&w);
}

static void
test_grouping(void)
{
	struct world w;
	struct compact_result res;

	world_init(&w);
	w.config.segment_bytes = 300;
	world_recover(&w, 0);
	for (int i = 0; i < 40; i++) {
		char key[8];
		snprintf(key, sizeof(key), "%d", i % 20);
		put(&w, key, "v");
	}
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	is_int((intmax_t)w.log.segment_count, 11, "ten full segments");
	compact_from(&w, 0, T0, &res);
	is_int((intmax_t)w.log.segment_count, 11, "full ones are not merged, though they are empty now");
	is_int(w.log.segments[1]->size, 0, "an empty one keeps its place");
	compact_from(&w, 40, T0, &res);
	is_int((intmax_t)w.log.segment_count, 6, "the next time empty ones go into their neighbours");
	ok(strncmp(content(&w), "20:0=v 21:1=v", 13) == 0, "and all is read");
	world_close(&w);
	ok(world_recover(&w, 41) == 0, "a recovery finds it in order");
	ok(strncmp(content(&w), "20:0=v 21:1=v", 13) == 0, "and all is read");
	world_release(&w);
}

static bool
stop_now(void *ctx)
{
	int *left = ctx;

	return (*left)-- == 0;
}

static void
test_stop(void)
{
	struct world w;
	struct compact_result res;
	int left = 5;
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = T0, .stop = stop_now,
	    .ctx = &left};

	world_init(&w);
	world_recover(&w, 0);
	for (int i = 0; i < 10; i++)
		put(&w, "a", "1");
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.stopped, "it can be stopped");
	is_int(res.first_dirty_offset, 0, "nothing is clean then");
	left = 15;
	res.stopped = false;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.stopped,
	    "also while it copies");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000000.log.cleaned"), -1,
	    "nothing is left behind");
	compact_from(&w, 0, T0, &res);
	is_str(content(&w), "9:a=1 10:x=1", "and begun again");
	world_release(&w);
}

/* Two processes that take turns, as the store's lock has them do. */
static void
test_two_writers(void)
{
	struct world a, b;
	struct compact_result res;
	struct mlog_tail tail;

	world_init(&a);
	world_recover(&a, 0);
	put(&a, "a", "1");
	mlog_roll(&a.log, &a.err);
	put(&a, "a", "2");
	mlog_roll(&a.log, &a.err);
	put(&a, "x", "1");
	tail = a.log.tail;
	b = a;
	b.os = sim_os_new(a.disk, 2);
	world_open(&b, &(struct mlog_open_args){.tail = &tail});
	compact_from(&a, 0, T0, &res);
	put(&a, "a", "3");
	mlog_roll(&a.log, &a.err);
	put(&a, "x", "2");
	ok(mlog_catch_up(&b.log, &a.log.tail, &b.err) == 0, "another writer catches up");
	ok(compact_from(&b, 0, T0, &res) == 0, "and compacts");
	ok(mlog_catch_up(&a.log, &b.log.tail, &a.err) == 0 &&
	    compact_from(&a, 0, T0, &res) == 0, "the first, too, whose segments went");
	is_str(content(&a), "2:x=1 3:a=3 4:x=2", "nothing is lost");
	world_close(&b);
	os_free(b.os);
	world_release(&a);
}

static void
test_rot(void)
{
	struct world w;
	struct compact_result res;
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = T0};

	world_init(&w);
	world_recover(&w, 0);
	put(&w, "a", "1");
	put(&w, "a", "2");
	mlog_roll(&w.log, &w.err);
	put(&w, "x", "1");
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", 100 * 8);
	ok(mlog_compact(&w.log, &args, &res, &w.err) == -1 && w.err.code == ERR_CORRUPT,
	    "rot is an error");
	ok(strstr(w.err.text, "t-0/00000000000000000000.log") != NULL &&
	    strstr(w.err.text, "byte 70") != NULL, "that says where: %s", w.err.text);
	ok(put(&w, "y", "1") == 0, "the log goes on");
	world_release(&w);
}

/* --- limits ---------------------------------------------------------------------------- */

static void
test_limits(void)
{
	struct world w;
	struct compact_result res;
	struct compact_args args = {.now_ms = T0 + 1000};

	world_init(&w);
	world_recover(&w, 0);
	for (int i = 0; i < 6; i++) {
		const char *const pair[1][2] = {{"a", "1"}};
		put_pairs(&w, (struct how){.timestamp = T0 + i * 100}, 1, pair);
		if (i % 2 == 1)
			mlog_roll(&w.log, &w.err);
	}
	args.limit_offset = 1;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.rounds == 0,
	    "nothing is done above the limit");
	args.limit_offset = 3;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.first_dirty_offset == 2,
	    "a segment that reaches the limit is left alone");
	is_str(content(&w), "1:a=1 2:a=1 3:a=1 4:a=1 5:a=1", "and only the one below is compacted");
	args.limit_offset = INT64_MAX;
	w.log.config.min_compaction_lag_ms = 500;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.first_dirty_offset == 6,
	    "min.compaction.lag.ms: at its age a segment is compacted");
	is_str(content(&w), "5:a=1", "so one value is left");
	put(&w, "a", "2");
	mlog_roll(&w.log, &w.err);
	args.now_ms = T0 + 500;
	ok(mlog_compact(&w.log, &args, &res, &w.err) == 0 && res.rounds == 0,
	    "a younger one is not");
	world_release(&w);
}

static void
test_state(void)
{
	struct world w;
	struct compact_state st;
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = T0};
	struct mlog_config c;

	world_init(&w);
	world_recover(&w, 0);
	w.log.config.max_compaction_lag_ms = 1000;
	put(&w, "a", "1");
	mlog_roll(&w.log, &w.err);
	put(&w, "a", "22");
	mlog_roll(&w.log, &w.err);
	put(&w, "a", "333");
	args.first_dirty_offset = 1;
	ok(mlog_compact_state(&w.log, &args, &st, &w.err) == 0, "the state of a log");
	is_int(st.limit_offset, 2, "the active segment is the limit");
	is_int(st.clean_bytes, 70, "bytes below the first dirty offset");
	is_int(st.dirty_bytes, 71, "bytes from there up to the limit");
	is_int(st.earliest_dirty_ms, T0 + 1, "the oldest dirty batch");
	args.first_dirty_offset = 77;
	mlog_compact_state(&w.log, &args, &st, &w.err);
	is_int(st.first_dirty_offset, 0, "a checkpoint beyond the end means the log start");
	world_release(&w);

	mlog_config_default(&c);
	st = (struct compact_state){.clean_bytes = 100, .dirty_bytes = 100, .earliest_dirty_ms = T0};
	ok(!compact_is_due(&c, &st, T0), "half dirty is not due");
	st.dirty_bytes = 101;
	ok(compact_is_due(&c, &st, T0), "more than half is");
	st.dirty_bytes = 1;
	c.max_compaction_lag_ms = 1000;
	ok(!compact_is_due(&c, &st, T0 + 1000), "a little is not at max.compaction.lag.ms");
	ok(compact_is_due(&c, &st, T0 + 1001), "but above");
	st.dirty_bytes = 0;
	ok(!compact_is_due(&c, &st, T0 + 100000), "nothing dirty is never due");
}

int
main(void)
{
	test_siphash();
	test_key_map();
	test_latest();
	test_untouched();
	test_tombstones();
	test_horizon();
	test_null_keys();
	test_idempotent();
	test_last_offset();
	test_transactions();
	test_codecs();
	test_append_time();
	test_rounds();
	test_grouping();
	test_stop();
	test_two_writers();
	test_rot();
	test_limits();
	test_state();
	return tap_done();
}
