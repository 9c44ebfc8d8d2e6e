/* mqd's logs: appended, synced, read, stopped, found again. */
#include "logs_test.h"

static void
test_append(void)
{
	struct node n;
	struct plog_append a;
	struct plog *l;
	int records;

	node_init(&n, 1);
	ok(node_start(&n), "logs in an empty directory");
	l = node_plog(&n, "t");
	is_int(load_one(&n, l), 0, "a log that was never written to can be loaded");
	ok(l->loaded && l->end_offset == 0, "and is empty");
	is_int(sim_size(n.disk, "d/t-0/partition.metadata"), -1, "without a directory");
	is_int(append_one(&n, l, (struct make){.records = 3, .value = 100}, &a), 0, "an append");
	is_int(a.base_offset, 0, "gets the first offset");
	is_int(a.last_offset, 2, "and the others");
	is_int(l->end_offset, 3, "the end follows");
	is_int(l->synced_offset, 0, "what is written is not synced yet");
	ok(wait_synced(&n, l), "a sync follows by itself");
	is_int(read_all(&n, l, 0, &records), 3, "all can be read");
	is_int(records, 3, "every record");
	ok(l->bytes > 300, "the size is known");
	ok(node_stop(&n, &l, 1), "a clean stop");

	ok(node_start(&n), "another start");
	l = node_plog(&n, "t");
	is_int(load_one(&n, l), 0, "finds the log");
	is_int(l->end_offset, 3, "with its end");
	is_int(l->synced_offset, 3, "all of it synced");
	is_str(n.notes, "", "without a word");
	is_int(append_one(&n, l, (struct make){.value = 10}, &a), 0, "it goes on");
	is_int(a.base_offset, 3, "where it was");
	node_end(&n);
}

static void
test_many(void)
{
	struct one_append o[50];
	struct plog *logs[2];
	struct node n;
	int done = 0, rising = 0, records;

	node_init(&n, 2);
	node_start(&n);
	logs[0] = node_plog(&n, "a");
	logs[1] = node_plog(&n, "b");
	for (int i = 0; i < 50; i++)
		append_begin(logs[i % 2], &o[i], (struct make){.value = 50, .records = 2,
		    .codec = i % 3 == 0 ? CODEC_LZ4 : CODEC_NONE});
	node_settle(&n);
	for (int i = 0; i < 50; i++) {
		done += o[i].done && o[i].a.code == 0;
		rising += o[i].a.base_offset == i / 2 * 2;
		free(o[i].bytes);
	}
	is_int(done, 50, "fifty appends to two logs at once");
	is_int(rising, 50, "keep the order of the calls, opened or not");
	is_int(logs[0]->synced_offset, 50, "all is synced");
	is_int(read_all(&n, logs[1], 0, &records), 50, "and can be read");
	ok(node_stop(&n, logs, 2), "a clean stop");
	node_end(&n);
}

/* Reads at the tail want no worker, once the newest segment is open for them. */
static void
test_tail(void)
{
	struct one_read o = {0};
	struct node n;
	struct plog *l;

	node_init(&n, 3);
	node_start(&n);
	l = node_plog(&n, "t");
	for (int i = 0; i < 10; i++)
		append_one(&n, l, (struct make){.value = 100}, NULL);
	is_int(read_one(&n, l, &o, 10, 1000), 0, "a read at the end");
	ok(o.at_once && o.r.len == 0, "says so at once");
	plog_read_release(&o.r);
	is_int(read_one(&n, l, &o, 9, 1000), 0, "a read of the newest batch");
	ok(!o.at_once && o.r.len > 100, "is done by a worker");
	plog_read_release(&o.r);
	append_one(&n, l, (struct make){.value = 100}, NULL);
	is_int(read_one(&n, l, &o, 8, 100000), 0, "the next read near the end");
	ok(o.at_once && o.r.len > 300 && o.r.len < 600, "is done at once, all that is there");
	plog_read_release(&o.r);
	is_int(read_one(&n, l, &o, 0, 1), 0, "a read from the start, of one byte at most");
	ok(o.r.len > 100 && o.r.len < 300, "gives one batch");
	plog_read_release(&o.r);
	o.r.limit_offset = 5;
	is_int(read_one(&n, l, &o, 3, 100000), 0, "a read below a limit");
	ok(o.r.len > 200 && o.r.len < 400, "ends there");
	plog_read_release(&o.r);
	o.r.limit_offset = 0;
	is_int(read_one(&n, l, &o, 12, 1000), ERR_OFFSET_OUT_OF_RANGE, "beyond the end is nothing");
	plog_read_release(&o.r);
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

static void
test_refused(void)
{
	struct plog_append a;
	struct node n;
	struct plog *l;

	node_init(&n, 4);
	n.settings.log.max_message_bytes = 1000;
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(append_one(&n, l, (struct make){.value = 2000}, &a), ERR_MESSAGE_TOO_LARGE,
	    "max.message.bytes");
	is_int(append_one(&n, l, (struct make){.timestamp = T0 + 7200000}, &a), ERR_INVALID_TIMESTAMP,
	    "message.timestamp.after.max.ms");
	is_int(append_one(&n, l, (struct make){.attributes = BATCH_LOG_APPEND_TIME}, &a),
	    ERR_INVALID_TIMESTAMP, "a client does not set log append time");
	n.settings.log.cleanup_compact = true;
	n.settings.before_max_ms = 1000;
	plog_set(l, &n.settings);
	is_int(append_one(&n, l, (struct make){.value = 1}, &a), ERR_INVALID_RECORD,
	    "a compacted topic wants keys");
	is_int(a.bad_record, 0, "and the first record has none");
	is_int(append_one(&n, l, (struct make){.value = 1, .key = "k", .timestamp = T0 - 5000}, &a),
	    ERR_INVALID_TIMESTAMP, "message.timestamp.before.max.ms");
	is_int(l->end_offset, 0, "nothing was written");
	is_int(append_one(&n, l, (struct make){.value = 1, .key = "k"}, &a), 0, "the rest is taken");
	n.settings.log.append_time = true;
	plog_set(l, &n.settings);
	is_int(append_one(&n, l, (struct make){.value = 1, .key = "k", .timestamp = 5}, &a), 0,
	    "with log append time any timestamp is");
	ok(a.append_time >= T0, "and gets the log's");
	node_end(&n);
}

static void
test_sequences(void)
{
	struct make m = {.producer = 7, .records = 2};
	struct plog_append a;
	struct node n;
	struct plog *l;

	node_init(&n, 5);
	node_start(&n);
	l = node_plog(&n, "t");
	for (m.sequence = 0; m.sequence < 12; m.sequence += 2)
		append_one(&n, l, m, &a);
	is_int(a.base_offset, 10, "six batches in sequence");
	m.sequence = 4;
	is_int(append_one(&n, l, m, &a), 0, "one of the last five again");
	ok(a.duplicate && a.base_offset == 4 && a.last_offset == 5, "is answered as the first time");
	m.sequence = 0;
	is_int(append_one(&n, l, m, &a), ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "an older one is not");
	m.sequence = 14;
	is_int(append_one(&n, l, m, &a), ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "nor is a gap");
	m.epoch = 1;
	is_int(append_one(&n, l, m, &a), ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
	    "a new epoch begins at 0");
	m.sequence = 0;
	is_int(append_one(&n, l, m, &a), 0, "which is taken");
	m.epoch = 0;
	m.sequence = 12;
	is_int(append_one(&n, l, m, &a), ERR_INVALID_PRODUCER_EPOCH, "and the old epoch is no more");
	is_int(l->end_offset, 14, "nothing was written that was refused");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_start(&n);
	l = node_plog(&n, "t");
	m.epoch = 1;
	m.sequence = 0;
	is_int(append_one(&n, l, m, &a), 0, "after another start");
	ok(a.duplicate && a.base_offset == 12, "a duplicate is still known");
	node_kill(&n);
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(append_one(&n, l, m, &a), 0, "after a kill");
	ok(a.duplicate && a.base_offset == 12, "too");
	node_end(&n);
}

struct one_find {
	struct plog_find f;
	bool done;
};

static void
one_find_done(struct plog_find *f)
{
	((struct one_find *)f->ctx)->done = true;
}

static int64_t
find_one(struct node *n, struct plog *l, int64_t timestamp, int64_t limit)
{
	struct one_find o = {.f = {.timestamp = timestamp, .limit_offset = limit,
	    .done = one_find_done, .ctx = &o}};

	plog_find(l, &o.f);
	if (!node_turn(n, &o.done) || o.f.code != 0)
		return -1000;
	if (o.f.offset != -1)
		is_int(o.f.leader_epoch, 4, "its epoch is known");
	return o.f.offset;
}

static void
test_find(void)
{
	struct node n;
	struct plog *l;

	node_init(&n, 6);
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(find_one(&n, l, 0, INT64_MAX), -1, "in an empty log no time is found");
	for (int i = 0; i < 20; i++) {
		struct one_append o;

		make_batch(&o.a, (struct make){.timestamp = T0 + (i == 15 ? 1000 : i)});
		o = (struct one_append){.a = o.a, .bytes = o.a.bytes};
		o.a.leader_epoch = 4;
		o.a.done = one_append_done;
		o.a.ctx = &o;
		plog_append(l, &o.a);
		node_turn(&n, &o.done);
		free(o.bytes);
	}
	is_int(find_one(&n, l, T0 + 5, INT64_MAX), 5, "a time is found");
	is_int(find_one(&n, l, T0 + 900, INT64_MAX), 15, "the first at or after it");
	is_int(find_one(&n, l, T0 + 900, 15), -1, "but not at the limit");
	is_int(find_one(&n, l, T0 + 2000, INT64_MAX), -1, "none is so late");
	is_int(find_one(&n, l, PLOG_MAX_TIMESTAMP, INT64_MAX), 15, "the largest time");
	node_end(&n);
}

int
main(void)
{
	test_append();
	test_many();
	test_tail();
	test_refused();
	test_sequences();
	test_find();
	return tap_done();
}
