/* Tests of producer state, snapshots and aborted transactions. */
#include "log_test.h"

static size_t
unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		unsigned v;
		sscanf(hex, "%2x", &v);
		out[n++] = (uint8_t)v;
	}
	return n;
}

static void
test_golden(void)
{
	static const char one_hex[] =
	    "00010e237e240000000100000000000000070001000000040000000000000009000000040000018bcfe56800"
	    "00000003ffffffffffffffff";
	uint8_t want[128], bytes[TXNINDEX_ENTRY];
	struct aborted_txn a = {7, 100, 109, 110}, back;
	struct producers p;
	struct producer_entry *one;
	struct buf out = BUF_INIT;
	struct err err;
	size_t n;

	producers_init(&p);
	n = unhex("000148674bc700000000", want);
	producers_encode(&p, &out, &err);
	ok(out.len == n && memcmp(out.data, want, n) == 0, "an empty snapshot is Kafka's");
	n = unhex(one_hex, want);
	ok(producers_decode(&p, want, n, 10, &err) == 0, "Kafka's snapshot of one producer is read");
	one = producers_find(&p, 7);
	ok(one != NULL && one->epoch == 1 && one->batch_count == 1 &&
	    one->batches[0].last_sequence == 4 && one->batches[0].last_offset == 9 &&
	    one->batches[0].offset_delta == 4 && one->last_timestamp == T0 &&
	    one->coordinator_epoch == 3 && one->txn_first_offset == -1, "with all its fields");
	buf_clear(&out);
	producers_encode(&p, &out, &err);
	ok(out.len == n && memcmp(out.data, want, n) == 0, "and written again the same");
	for (size_t bit = 0, bad = 0; bit < n * 8; bit++) {
		want[bit / 8] ^= (uint8_t)(1 << bit % 8);
		bad += producers_decode(&p, want, n, 10, &err) == 0;
		want[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (bit == n * 8 - 1)
			is_int((intmax_t)bad, 0, "no flipped bit goes unseen");
	}
	ok(producers_decode(&p, want, n - 1, 10, &err) == -1, "nor a missing byte");
	aborted_encode(&a, bytes);
	n = unhex("000000000000000000070000000000000064000000000000006d000000000000006e", want);
	ok(n == TXNINDEX_ENTRY && memcmp(bytes, want, n) == 0, "an aborted transaction is Kafka's");
	ok(aborted_decode(&back, bytes) == 0 && back.last_stable_offset == 110, "and read");
	bytes[1] = 1;
	ok(aborted_decode(&back, bytes) == -1, "another version is not");
	buf_release(&out);
	producers_release(&p);
}

static int
replay(struct producers *p, struct made m, int64_t offset, struct aborted_txn *a, bool *has)
{
	struct batch b;
	struct err err;
	int r;

	batch_set_base_offset(m.bytes, offset);
	batch_view(m.bytes, m.len, &b);
	r = producers_replay(p, &b, a, has, &err);
	free(m.bytes);
	return r;
}

static struct made
data(int64_t producer, int32_t sequence, bool transactional)
{
	return make_batch((struct make){.records = 2, .timestamp = T0, .value = 5,
	    .producer = producer, .sequence = sequence,
	    .attributes = transactional ? BATCH_TRANSACTIONAL : 0});
}

/* Type 0 aborts, 1 commits. */
static struct made
marker(int64_t producer, int16_t type)
{
	uint8_t key[4], value[6];
	struct record rec = {.timestamp = T0, .key = key, .key_size = 4, .value = value,
	    .value_size = 6};
	struct batch_builder bb;
	struct made out = {0};
	struct batch b;
	struct err err;

	be16_put(key, 0);
	be16_put(key + 2, (uint16_t)type);
	be16_put(value, 0);
	be32_put(value + 2, 3);
	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	batch_builder_add(&bb, &rec, &err);
	bb.head.producer_id = producer;
	bb.head.producer_epoch = 0;
	bb.head.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
	if (batch_builder_finish(&bb, &b, &err) == 0) {
		out.len = (size_t)b.size;
		out.bytes = malloc(out.len);
		memcpy(out.bytes, b.bytes, out.len);
	}
	batch_builder_release(&bb);
	return out;
}

static void
test_replay(void)
{
	struct producers p;
	struct producer_entry *one;
	struct aborted_txn a;
	bool has;

	producers_init(&p);
	for (int i = 0; i < 7; i++)
		replay(&p, data(7, i * 2, false), i * 2, &a, &has);
	one = producers_find(&p, 7);
	is_int(one->batch_count, PRODUCER_BATCHES, "the newest five batches are remembered");
	is_int(one->batches[0].last_sequence, 5, "the oldest of them first");
	is_int(p.end_offset, 14, "the state is that up to the last batch");
	is_int(producers_first_unstable(&p), -1, "no transaction is open");
	replay(&p, data(8, 0, true), 14, &a, &has);
	replay(&p, data(9, 0, true), 16, &a, &has);
	replay(&p, data(8, 2, true), 18, &a, &has);
	is_int(producers_first_unstable(&p), 14, "an open transaction holds the stable end");
	replay(&p, marker(8, 0), 20, &a, &has);
	ok(has && a.producer_id == 8 && a.first_offset == 14 && a.last_offset == 20 &&
	    a.last_stable_offset == 16, "an abort gives its entry, up to the next open one");
	is_int(producers_first_unstable(&p), 16, "the next oldest holds it now");
	replay(&p, marker(9, 1), 21, &a, &has);
	ok(!has && producers_first_unstable(&p) == -1, "a commit gives none");
	replay(&p, marker(9, 0), 22, &a, &has);
	ok(!has, "nor does an abort of nothing");
	is_int(producers_find(&p, 9)->coordinator_epoch, 3, "but its coordinator epoch is noted");
	replay(&p, data(8, 0, true), 23, &a, &has);
	producers_expire(&p, T0 + 1, 0);
	ok(producers_find(&p, 7) != NULL, "who has appended lately is not idle");
	producers_expire(&p, T0 + 1, INT64_MAX);
	ok(producers_find(&p, 7) == NULL && producers_find(&p, 8) != NULL,
	    "old ones are dropped, not one with an open transaction");
	producers_release(&p);
}

static void
test_snapshots(void)
{
	struct world w;
	struct producers p;
	struct aborted_txn a;
	struct err err;
	bool has;

	world_init(&w);
	producers_init(&p);
	for (int i = 1; i <= 3; i++) {
		replay(&p, data(7, i, false), i * 10, &a, &has);
		p.end_offset = i * 100;
		producers_write_snapshot(&p, w.os, DIR_OF_LOG, &err);
	}
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000300.snapshot", "garbage", 7);
	is_int(producers_load_newest(&p, w.os, DIR_OF_LOG, 1000, &err), 200,
	    "the newest sound snapshot is taken");
	ok(strstr(w.notes, "00000000000000000300.snapshot") != NULL, "the other is told of");
	is_int(producers_load_newest(&p, w.os, DIR_OF_LOG, 150, &err), 100, "none above the limit");
	is_int(producers_load_newest(&p, w.os, DIR_OF_LOG, 50, &err), -1, "or none at all");
	ok(err.code == 0 && p.by_id.count == 0, "which is no error, and an empty state");
	producers_release(&p);
	world_release(&w);
}

/* Transactions through a log and its reader. */
static void
test_in_a_log(void)
{
	struct world w;
	struct reader *r;
	struct aborted_txn *list;
	size_t count;
	int64_t lso;

	world_init(&w);
	world_recover(&w, 0);
	append_made(&w, data(8, 0, true), 0);
	append_made(&w, data(9, 0, true), 0);
	r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
	ok(reader_stable_end(r, &lso, &w.err) == 0 && lso == 0, "a reader sees the open transaction");
	append_made(&w, marker(8, 0), 0);
	ok(reader_stable_end(r, &lso, &w.err) == 0 && lso == 2, "and the next when it has ended");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000000.txnindex"), 34,
	    "the abort is in the .txnindex");
	mlog_roll(&w.log, &w.err);
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000005.snapshot"), 10 + 2 * 46,
	    "the roll writes who there is");
	append_made(&w, data(8, 2, true), 0);
	append_made(&w, marker(9, 0), 0);
	append_made(&w, marker(8, 0), 0);
	append_many(&w, 1, 200);
	for (int fresh = 0; fresh < 2; fresh++) {
		ok(reader_stable_end(r, &lso, &w.err) == 0 && lso == 11, "all is stable again");
		ok(reader_aborted(r, 0, 11, &list, &count, &w.err) == 0 && count == 3,
		    "three transactions were aborted");
		free(list);
		ok(reader_aborted(r, 5, 8, &list, &count, &w.err) == 0 && count == 2,
		    "two of them touch 5..7");
		free(list);
		reader_free(r);
		r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
	}
	reader_without_producers(r, 11);
	append_made(&w, data(9, 1, true), 0);
	ok(reader_stable_end(r, &lso, &w.err) == 0 && lso == 11,
	    "a reader that was told of no producers below finds those above");
	append_made(&w, marker(9, 0), 0);
	ok(reader_stable_end(r, &lso, &w.err) == 0 && lso == mlog_end(&w.log), "and their end");
	ok(reader_aborted(r, 0, lso, &list, &count, &w.err) == 0 && count == 4,
	    "what was aborted below comes from the .txnindex");
	free(list);
	reader_free(r);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	os_remove(w.os, DIR_OF_LOG "/00000000000000000005.snapshot");
	os_remove(w.os, DIR_OF_LOG "/00000000000000000000.txnindex");
	world_recover(&w, 0);
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000000.txnindex"), 34,
	    "recovery makes the .txnindex anew");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000005.txnindex"), 102, "in each segment");
	is_int((intmax_t)w.log.producers.by_id.count, 2, "and the state");
	ok(mlog_truncate(&w.log, 7, &w.err) == 0, "truncation");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000005.txnindex"), 0,
	    "drops the entries of what goes");
	mlog_load_producers(&w.log, &w.err);
	is_int(producers_first_unstable(&w.log.producers), 2, "and producer state follows");
	world_release(&w);
}

int
main(void)
{
	test_golden();
	test_replay();
	test_snapshots();
	test_in_a_log();
	return tap_done();
}
