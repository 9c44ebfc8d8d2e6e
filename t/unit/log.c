/* Tests of mlog: append, roll, sync, reopen. */
#include "log_test.h"

#include "base/hash.h"
#include "log/segment.h"
#include "os/os_real.h"

static void
test_begin(void)
{
	struct world w;
	struct mlog_open_args args = {.how = MLOG_TRUST_TAIL, .start_offset = 40};

	world_init(&w);
	ok(world_open(&w, &args) == 0, "an empty directory becomes a log");
	is_int(mlog_end(&w.log), 40, "which begins at the start offset");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000040.index"), 0, "index: empty");
	ok(append_many(&w, 3, 200) == 0, "three batches are appended");
	is_int(mlog_end(&w.log), 46, "the end moves by their records");
	is_int(w.log.tail.synced_offset, 40, "nothing is synced yet");
	ok(mlog_sync(&w.log, &w.err) == 0 && w.log.tail.synced_offset == 46, "sync moves it");
	world_release(&w);
}

static void
test_index_example(void)
{
	static const uint8_t offsets[] = {0, 0, 0, 5, 0, 0, 0x01, 0x8e, 0, 0, 0, 9, 0, 0, 0x03, 0x1c,
	    0, 0, 0, 13, 0, 0, 0x04, 0xaa, 0, 0, 0, 17, 0, 0, 0x06, 0x38};
	struct world w;
	struct buf found = BUF_INIT;
	char path[128];

	world_init(&w);
	w.config.index_interval_bytes = 300;
	world_open(&w, &(struct mlog_open_args){.how = MLOG_RECOVER, .start_offset = 100});
	for (int i = 0; i < 10; i++) {
		struct made m = make_sized(2, 199, T0 + i);
		if (i == 0)
			is_int((intmax_t)m.len, 199, "batches of 199 bytes");
		append_made(&w, m, 0);
	}
	path_of(path, 100, ".index");
	sim_read(w.disk, path, &found);
	is_int((intmax_t)found.len, sizeof(offsets), "index entries are Kafka's: how many");
	ok(found.len == sizeof(offsets) && memcmp(found.data, offsets, sizeof(offsets)) == 0,
	    "index entries are Kafka's: 5@398, 9@796, 13@1194, 17@1592");
	path_of(path, 100, ".timeindex");
	is_int(sim_size(w.disk, path), 4 * 12, "a time entry goes with each");
	buf_clear(&found);
	ok(mlog_roll(&w.log, &w.err) == 0, "it rolls");
	is_int(sim_size(w.disk, path), 5 * 12, "the roll adds the closing time entry");
	sim_read(w.disk, path, &found);
	is_int((int64_t)be64_get(found.data + 48), T0 + 9, "with the largest timestamp");
	is_int(be32_get(found.data + 56), 19, "and its batch's last offset");
	buf_release(&found);
	world_release(&w);
}

static void
test_carried_counter(void)
{
	struct world one, many;
	struct buf a = BUF_INIT, b = BUF_INIT;
	char path[128];

	world_init(&one);
	world_init(&many);
	world_recover(&one, 0);
	append_many(&one, 100, 199);
	for (int i = 0; i < 100; i++) {
		struct mlog_tail tail = many.log.tail;
		world_open(&many, &(struct mlog_open_args){.tail = i > 0 ? &tail : NULL});
		append_many(&many, 1, 199);
		tail = many.log.tail;
		world_close(&many);
		many.log.tail = tail;
	}
	path_of(path, 0, ".index");
	sim_read(one.disk, path, &a);
	sim_read(many.disk, path, &b);
	ok(a.len > 0 && a.len == b.len && memcmp(a.data, b.data, a.len) == 0,
	    "a hundred writers of one batch each index as one writer does");
	buf_release(&a);
	buf_release(&b);
	world_release(&one);
	world_release(&many);
}

/* What is not to stay uncompacted for long is not to stay in the active segment either. */
static void
test_lag_rolls(void)
{
	struct world w;

	world_init(&w);
	w.config.max_compaction_lag_ms = 1000;
	world_recover(&w, 0);
	append_made(&w, make_sized(1, 100, T0), 0);
	append_made(&w, make_sized(1, 100, T0 + 2000), 0);
	is_int(w.log.tail.segment_base, 0, "max.compaction.lag.ms: nothing to a log that is not compacted");
	w.log.config.cleanup_compact = true;
	append_made(&w, make_sized(1, 100, T0 + 1000), 0);
	is_int(w.log.tail.segment_base, 0, "one that is does not roll at it");
	append_made(&w, make_sized(1, 100, T0 + 1001), 0);
	is_int(w.log.tail.segment_base, 3, "but above it");
	world_release(&w);
}

static void
test_rolls(void)
{
	struct world w;
	struct mlog_tail before;
	struct buf snapshot = BUF_INIT;
	char path[128];

	world_init(&w);
	w.config.segment_bytes = 1000;
	world_recover(&w, 0);
	append_many(&w, 5, 200);
	is_int((intmax_t)w.log.segment_count, 1, "a segment that is just full does not roll");
	append_many(&w, 1, 200);
	is_int((intmax_t)w.log.segment_count, 2, "size: the batch that does not fit rolls");
	is_int(w.log.tail.segment_base, 10, "the new base is its first offset");
	path_of(path, 10, ".snapshot");
	sim_read(w.disk, path, &snapshot);
	is_int((intmax_t)snapshot.len, 10, "a snapshot of no producers has 10 bytes");
	world_close(&w);

	world_open(&w, &(struct mlog_open_args){.how = MLOG_RECOVER});
	w.log.config.segment_ms = 1000;
	before = w.log.tail;
	append_made(&w, make_sized(1, 100, before.first_timestamp + 1000), 0);
	is_int(w.log.tail.segment_base, 10, "time: not at segment.ms exactly");
	append_made(&w, make_sized(1, 100, before.first_timestamp + 1001), 0);
	is_int(w.log.tail.segment_base, 13, "time: above segment.ms, by the records' time");

	w.log.config.segment_ms = INT64_MAX;
	w.log.config.segment_bytes = 1 << 20;
	w.log.config.index_interval_bytes = 0;
	w.log.config.segment_index_bytes = 48;
	for (int i = 0; i < 3; i++)
		append_made(&w, make_sized(1, 100, T0 + 5000 + i), 0);
	is_int(w.log.tail.segment_base, 13, "full index: a time index of four holds three entries");
	append_made(&w, make_sized(1, 100, T0 + 6000), 0);
	is_int(w.log.tail.segment_base, 17, "full index: the next batch rolls");
	path_of(path, 13, ".timeindex");
	is_int(sim_size(w.disk, path), 36, "a closing entry that says nothing new is left out");
	buf_release(&snapshot);
	world_release(&w);
}

static void
test_far_offsets(void)
{
	struct world w;
	struct mlog_appended out;
	struct made m;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, 1, 100);
	m = make_sized(1, 100, T0);
	batch_set_base_offset(m.bytes, 3000000000);
	ok(mlog_append_as_is(&w.log, m.bytes, m.len, &out, &w.err) == 0, "a far offset is taken");
	ok(out.rolled && w.log.tail.segment_base == 3000000000,
	    "an offset beyond int32 of the base rolls");
	batch_set_base_offset(m.bytes, 2999999999);
	ok(mlog_append_as_is(&w.log, m.bytes, m.len, &out, &w.err) == -1, "one below the end is not");
	free(m.bytes);
	world_release(&w);
}

static void
test_limits(void)
{
	struct world w;

	world_init(&w);
	w.config.max_message_bytes = 500;
	w.config.segment_bytes = 400;
	world_recover(&w, 0);
	ok(append_made(&w, make_sized(1, 600, T0), 0) == -1 && w.err.code == ERR_MESSAGE_TOO_LARGE,
	    "a batch above max.message.bytes is MESSAGE_TOO_LARGE");
	ok(append_made(&w, make_sized(1, 450, T0), 0) == -1 &&
	    w.err.code == ERR_RECORD_LIST_TOO_LARGE, "above segment.bytes: RECORD_LIST_TOO_LARGE");
	is_int(mlog_end(&w.log), 0, "and nothing is written");
	world_release(&w);
}

static void
test_unsynced(void)
{
	struct world w;
	int64_t end;
	int fds[16];

	world_init(&w);
	w.config.segment_bytes = 500;
	world_recover(&w, 0);
	is_int((intmax_t)mlog_unsynced(&w.log, fds, 16, &end), 0, "an empty log needs no sync");
	append_many(&w, 3, 200);
	is_int((intmax_t)w.log.segment_count, 2, "two segments hold unsynced bytes");
	is_int((intmax_t)mlog_unsynced(&w.log, fds, 16, &end), 4,
	    "the finished one's log and indexes, and the active log, are to be synced");
	is_int(end, 6, "for the end");
	is_int((intmax_t)mlog_unsynced(&w.log, fds, 3, &end), 3, "with less room: the oldest");
	is_int(end, 4, "for the end of those");
	mlog_synced(&w.log, 4);
	is_int(w.log.tail.synced_offset, 4, "told so, the synced offset moves");
	is_int((intmax_t)mlog_unsynced(&w.log, fds, 16, &end), 1, "and only the active one is left");
	mlog_synced(&w.log, 6);
	mlog_close_files(&w.log);
	is_int((intmax_t)sim_os_open_count(w.os), 0, "an idle log has no open descriptor");
	ok(append_many(&w, 1, 200) == 0, "and takes more all the same");
	world_release(&w);
}

/* The sync of what mlog_unsynced gives, with the disk's part before `meanwhile` batches are
 * appended, and what the log is told of it behind them. */
static void
sync_beside(struct world *w, int meanwhile)
{
	int64_t end;
	int fds[16];
	size_t n = mlog_unsynced(&w->log, fds, 16, &end);

	for (size_t i = 0; i < n; i++)
		os_sync(w->os, fds[i]);
	append_many(w, meanwhile, 200);
	mlog_synced(&w->log, end);
}

/* A segment is finished just where the sync that is under way ends; the power fails then,
 * or when `more` syncs have gone by. */
static int
wrong_indexes(uint64_t seed, int more)
{
	static const char index[] = DIR_OF_LOG "/00000000000000000000.index";
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct world w;
	int64_t synced;
	int wrong;

	world_init(&w);
	w.config.segment_bytes = 500;
	w.config.index_interval_bytes = 0;
	world_recover(&w, 0);
	append_many(&w, 2, 200);
	sync_beside(&w, 1);
	for (int i = 0; i < more; i++)
		sync_beside(&w, 0);
	synced = w.log.tail.synced_offset;
	sim_read(w.disk, index, &before);
	world_crash(&w, seed);
	world_recover(&w, synced);
	sim_read(w.disk, index, &after);
	wrong = before.len == 0 || mlog_end(&w.log) < synced || after.len != before.len ||
	    memcmp(before.data, after.data, before.len) != 0;
	buf_release(&before);
	buf_release(&after);
	world_close(&w);
	os_free(w.os);
	sim_disk_free(w.disk);
	return wrong;
}

static void
test_finished_meanwhile(void)
{
	int at_once = 0, later = 0;

	for (uint64_t seed = 1; seed <= 100; seed++) {
		at_once += wrong_indexes(seed, 0);
		later += wrong_indexes(seed, 1);
	}
	is_int(at_once, 0, "a segment that is finished beside a sync: recovery sees to its indexes");
	is_int(later, 0, "and the next sync does");
}

static void
test_read_back(void)
{
	struct world w;
	int64_t next;
	int bad = 0;

	world_init(&w);
	w.config.segment_bytes = 5000;
	world_recover(&w, 0);
	append_many(&w, 200, 199);
	is_int(count_batches(&w, 0, &next, &bad), 200, "a reader gives all batches over all segments");
	is_int(next, 400, "up to the end");
	is_int(bad, 0, "without an error");
	is_int(count_batches(&w, 201, &next, &bad), 100, "from the batch that holds an offset on");
	is_int(count_batches(&w, 400, &next, &bad), 0, "none at the end");
	world_release(&w);
}

/* The same files on the machine. */
static void
test_on_the_machine(void)
{
	char dir[] = "/tmp/mq-log-XXXXXX", path[64];
	static const char *const names[] = {"00000000000000000000.log", "00000000000000000000.index",
	    "00000000000000000000.timeindex", "00000000000000000010.log",
	    "00000000000000000010.index", "00000000000000000010.timeindex",
	    "00000000000000000010.snapshot", "leader-epoch-checkpoint", "mq.times"};
	struct world w = {0};
	struct mlog_tail tail;
	struct reader *r;
	struct batch b;
	int n = 0, gone = 0;

	if (!ok(mkdtemp(dir) != NULL, "a directory"))
		return;
	w.os = os_real_new(&w.err);
	mlog_config_default(&w.config);
	w.config.segment_bytes = 1000;
	ok(mlog_open(&w.log, w.os, dir, &w.config, &(struct mlog_open_args){.how = MLOG_RECOVER},
	    &w.err) == 0, "a log on the machine opens");
	append_many(&w, 7, 200);
	ok(mlog_sync(&w.log, &w.err) == 0, "is synced");
	tail = w.log.tail;
	mlog_release(&w.log);
	ok(mlog_open(&w.log, w.os, dir, &w.config, &(struct mlog_open_args){.tail = &tail},
	    &w.err) == 0 && mlog_end(&w.log) == 14, "and opens again at its end");
	append_many(&w, 1, 200);
	mlog_release(&w.log);
	r = reader_open(w.os, dir, 0, &w.err);
	while (r != NULL && reader_next(r, &b, &w.err) == 1)
		n++;
	is_int(n, 8, "a reader gives all of it");
	reader_free(r);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		gone += os_remove(w.os, path) == 0;
	}
	ok(gone == 9 && os_rmdir(w.os, dir) == 0, "it is these nine files, and no other");
	os_free(w.os);
}

int
main(void)
{
	test_begin();
	test_index_example();
	test_carried_counter();
	test_rolls();
	test_lag_rolls();
	test_far_offsets();
	test_limits();
	test_unsynced();
	test_finished_meanwhile();
	test_read_back();
	test_on_the_machine();
	return tap_done();
}
