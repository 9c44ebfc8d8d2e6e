/* Tests of mlog under faults, beside other writers, and cut at its ends. */
#include "log_test.h"

#include "log/segment.h"

static int64_t
size_of(struct world *w, int64_t base, const char *suffix)
{
	char path[128];

	path_of(path, base, suffix);
	return sim_size(w->disk, path);
}

/* Puts a fault layer between the world and its disk. */
static struct os *
world_fault(struct world *w)
{
	os_free(w->os);
	w->os = fault_new(sim_os_new(w->disk, 9));
	return w->os;
}

static void
test_full_disk(void)
{
	struct world w;
	int64_t next, before;
	int wrong = 0, bad;

	for (int64_t room = 0; room < 1500; room += 7) {
		world_init(&w);
		w.config.segment_bytes = 700;
		w.config.index_interval_bytes = 150;
		world_recover(&w, 0);
		append_many(&w, 3, 200);
		sim_settings(w.disk)->bytes_max = 700 + room;
		while (append_many(&w, 1, 200) == 0)
			continue;
		wrong += w.err.code != ERR_NO_SPACE || w.log.failed;
		before = mlog_end(&w.log);
		wrong += count_batches(&w, 0, &next, &bad) * 2 != before || bad != 0;
		wrong += mlog_sync(&w.log, &w.err) == -1;
		sim_settings(w.disk)->bytes_max = 0;
		wrong += append_many(&w, 4, 200) == -1;
		wrong += count_batches(&w, 0, &next, &bad) * 2 != before + 8 || bad != 0;
		mlog_sync(&w.log, &w.err);
		world_close(&w);
		wrong += world_recover(&w, 0) == -1 || mlog_end(&w.log) != before + 8;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "a full disk refuses appends and nothing else; with space they go on");
}

static void
test_storage_errors(void)
{
	static const unsigned kinds[] = {FAULT_WRITE, FAULT_SYNC};
	struct world w;

	for (size_t i = 0; i < 2; i++) {
		struct os *fault;
		int64_t synced;

		world_init(&w);
		fault = world_fault(&w);
		world_recover(&w, 0);
		append_many(&w, 2, 200);
		mlog_sync(&w.log, &w.err);
		synced = w.log.tail.synced_offset;
		fault_plan(fault, &(struct fault_plan){.calls = kinds[i], .at = 1});
		if (i == 0)
			ok(append_many(&w, 1, 200) == -1 && w.err.code == ERR_IO,
			    "a write that fails is an I/O error: %s", w.err.text);
		append_many(&w, 1, 200);
		ok(mlog_sync(&w.log, &w.err) == -1, "and so is a sync, after either");
		ok(w.log.failed && append_many(&w, 1, 200) == -1 && w.err.code == ERR_IO,
		    "the log takes nothing more");
		ok(mlog_sync(&w.log, &w.err) == -1 && w.log.tail.synced_offset == synced,
		    "a sync is not tried again, and acknowledges nothing");
		world_close(&w);
		is_int((intmax_t)fault_open_count(fault), 0, "no descriptor is left open");
		os_free(w.os);
		sim_disk_free(w.disk);
	}
}

/* One run of everything a writer does. */
static int
work(struct world *w, int64_t *synced)
{
	struct mlog_retained gone;
	int r = 0;

	for (int i = 0; r == 0 && i < 6; i++) {
		r = append_many(w, 2, 200);
		if (r == 0 && i % 2 == 1) {
			r = mlog_sync(&w->log, &w->err);
			if (r == 0)
				*synced = w->log.tail.synced_offset;
		}
	}
	if (r == 0)
		r = mlog_set_start(&w->log, 7, &w->err);
	if (r == 0)
		r = mlog_retain(&w->log, T0, mlog_end(&w->log), &gone, &w->err);
	return r;
}

/* Some segments, all of them synced, and how to go on behind them. */
static struct mlog_tail
begun(struct world *w)
{
	struct mlog_tail tail;

	world_recover(w, 0);
	append_many(w, 8, 200);
	mlog_sync(&w->log, &w->err);
	tail = w->log.tail;
	world_close(w);
	return tail;
}

/* Fails or kills at each call of a new log, or of one that is opened by its tail; what
 * was synced must be there afterwards. */
static void
test_each_call(enum fault_kind kind, unsigned calls, bool by_tail, const char *what)
{
	struct mlog_open_args args = {.how = by_tail ? MLOG_TRUST_TAIL : MLOG_RECOVER};
	int wrong = 0, n;

	for (n = 1; n < 1000; n++) {
		struct world w;
		struct os *fault;
		struct mlog_tail tail;
		int64_t synced = 0, next;
		bool fired;
		int bad;

		world_init(&w);
		w.config.segment_bytes = 700;
		w.config.index_interval_bytes = 150;
		if (by_tail) {
			tail = begun(&w);
			args.tail = &tail;
			synced = tail.synced_offset;
		}
		fault = world_fault(&w);
		fault_plan(fault, &(struct fault_plan){.calls = calls, .at = (uint64_t)n,
		    .kind = kind});
		if (mlog_open(&w.log, w.os, DIR_OF_LOG, &w.config, &args, &w.err) == 0) {
			work(&w, &synced);
			mlog_release(&w.log);
		}
		fired = fault_fired(fault) > 0;
		wrong += fault_open_count(fault) != 0;
		os_free(w.os);
		world_boot(&w, w.disk);
		if (world_recover(&w, synced) == -1) {
			wrong++;
		} else {
			int end = mlog_end(&w.log) < synced;
			append_many(&w, 2, 200);
			count_batches(&w, 0, &next, &bad);
			if (end || bad != 0 || next != mlog_end(&w.log)) {
				wrong++;
				printf("# %s %d: end %d bad %d next %lld of %lld synced %lld\n", what, n,
				    end, bad, (long long)next, (long long)mlog_end(&w.log),
				    (long long)synced);
			}
		}
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
		if (!fired)
			break;
	}
	is_int(wrong, 0, "%s at each of %d calls: nothing synced is lost, the log is whole", what,
	    n - 1);
}

static void
test_other_writer(void)
{
	struct world w;
	struct mlog other;
	struct os *second;
	struct mlog_open_args args = {.how = MLOG_TRUST_TAIL};
	struct mlog_appended out;
	struct mlog_tail tail;
	int64_t next;
	int wrong = 0, bad;

	world_init(&w);
	w.config.segment_bytes = 1000;
	world_recover(&w, 0);
	append_many(&w, 1, 200);
	second = sim_os_new(w.disk, 7);
	tail = w.log.tail;
	args.tail = &tail;
	mlog_open(&other, second, DIR_OF_LOG, &w.config, &args, &w.err);
	for (int i = 0; i < 30; i++) {
		struct mlog *log = i % 2 == 0 ? &other : &w.log;
		struct made m = make_sized(2, 200, T0);
		wrong += mlog_catch_up(log, i % 3 == 0 ? NULL : &tail, &w.err) == -1;
		wrong += mlog_append(log, m.bytes, m.len, 0, T0, &out, &w.err) == -1;
		if (i % 4 != 0)
			tail = log->tail;
		free(m.bytes);
	}
	is_int(wrong, 0, "two writers take turns over rolls, with and without each other's tails");
	mlog_catch_up(&w.log, &tail, &w.err);
	is_int(count_batches(&w, 0, &next, &bad), 31, "and all they wrote is there");
	is_int(bad, 0, "once, and in order");
	mlog_release(&other);
	os_free(second);
	world_release(&w);
}

/* Another writer dies within a write of its batch, at each length. */
static void
test_died_writing(void)
{
	int wrong = 0;

	for (size_t bytes = 1; bytes < 200; bytes += 3) {
		struct world w;
		struct mlog other;
		struct os *dying;
		struct mlog_tail tail;
		struct mlog_appended out;
		struct made m = make_sized(2, 200, T0);
		int64_t next;
		int bad;

		world_init(&w);
		world_recover(&w, 0);
		append_many(&w, 2, 200);
		tail = w.log.tail;
		dying = fault_new(sim_os_new(w.disk, 8));
		mlog_open(&other, dying, DIR_OF_LOG, &w.config,
		    &(struct mlog_open_args){.tail = &tail}, &w.err);
		fault_plan(dying, &(struct fault_plan){.calls = FAULT_WRITE, .at = 1,
		    .kind = FAULT_DIE_DURING, .bytes = bytes});
		wrong += mlog_append(&other, m.bytes, m.len, 0, T0, &out, &w.err) != -1;
		mlog_release(&other);
		os_free(dying);
		free(m.bytes);
		wrong += size_of(&w, 0, ".log") != 400 + (int64_t)bytes;
		wrong += count_batches(&w, 0, &next, &bad) != 2 || bad != 0;
		wrong += mlog_catch_up(&w.log, &tail, &w.err) == -1;
		wrong += append_many(&w, 1, 200) == -1;
		wrong += count_batches(&w, 0, &next, &bad) != 3 || bad != 0;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "what a writer left that died within its write is cut by the next");
}

/* Another process merges the segments 0 and 6 into one behind this writer. */
static void
test_compacted_by_another(void)
{
	struct world w;
	struct mlog_retained gone;
	struct buf a = BUF_INIT, b = BUF_INIT;

	world_init(&w);
	w.config.segment_bytes = 600;
	world_recover(&w, 0);
	append_many(&w, 9, 200);
	mlog_sync(&w.log, &w.err);
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &a);
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000006.log", &b);
	buf_put(&a, b.data, b.len);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000000.log", a.data, a.len);
	os_remove(w.os, DIR_OF_LOG "/00000000000000000006.log");
	os_remove(w.os, DIR_OF_LOG "/00000000000000000006.index");
	os_remove(w.os, DIR_OF_LOG "/00000000000000000006.timeindex");
	ok(mlog_set_start(&w.log, 8, &w.err) == 0 && w.log.segments[0]->base == 0,
	    "what another process merged is not deleted by its old bounds");
	is_int(mlog_bytes(&w.log), 1800, "its size is looked at anew");
	ok(mlog_load_producers(&w.log, &w.err) == 0, "and it is read under its new name");
	ok(mlog_set_start(&w.log, 12, &w.err) == 0 && w.log.segments[0]->base == 12,
	    "it goes when all of it is below the start");
	w.log.config.retention_ms = 1;
	ok(mlog_retain(&w.log, T0 + 100000, 18, &gone, &w.err) == 0, "retention goes on");
	buf_release(&a);
	buf_release(&b);
	world_release(&w);
}

static void
test_truncate(void)
{
	int wrong = 0;

	for (int64_t to = 0; to <= 24; to++) {
		struct world w;
		int64_t next, want = to / 2 * 2;
		int bad;

		world_init(&w);
		w.config.segment_bytes = 700;
		w.config.index_interval_bytes = 150;
		world_recover(&w, 0);
		for (int i = 0; i < 12; i++)
			append_made(&w, make_sized(2, 200, T0 + i), i / 4);
		wrong += mlog_truncate(&w.log, to, &w.err) == -1;
		wrong += mlog_end(&w.log) != want;
		wrong += epochs_latest(&w.log.epochs) != (want > 0 ? (want - 1) / 8 : -1);
		count_batches(&w, 0, &next, &bad);
		wrong += (want > 0 && next != want) || bad != 0;
		wrong += to < 24 && w.log.tail.synced_offset != want;
		append_made(&w, make_sized(2, 200, T0 + 100), 5);
		mlog_sync(&w.log, &w.err);
		world_close(&w);
		wrong += world_recover(&w, want) == -1 || mlog_end(&w.log) != want + 2;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "a log can be cut at every offset; a batch that spans it goes whole");
}

static void
test_restart(void)
{
	struct world w;

	world_init(&w);
	w.config.segment_bytes = 700;
	world_recover(&w, 0);
	append_many(&w, 12, 200);
	ok(mlog_restart_at(&w.log, 500, &w.err) == 0 && mlog_end(&w.log) == 500 &&
	    w.log.start_offset == 500, "a log begins anew at another offset");
	is_int(size_of(&w, 0, ".log"), -1, "with nothing of the old one");
	is_int(epochs_latest(&w.log.epochs), EPOCH_NONE, "nor its epochs");
	ok(append_many(&w, 1, 200) == 0 && mlog_end(&w.log) == 502, "and goes on from there");
	world_release(&w);
}

/* Four segments, of which three are old, and the n-th read fails. */
static void
test_retention_stopped(void)
{
	int wrong = 0, partly = 0, r;

	for (unsigned n = 1; n < 50; n++) {
		struct mlog_retained gone;
		struct world w;
		struct os *fault;

		world_init(&w);
		w.config.segment_bytes = 600;
		w.config.retention_ms = 1000;
		fault = world_fault(&w);
		world_recover(&w, 0);
		for (int i = 0; i < 12; i++)
			append_made(&w, make_sized(2, 200, T0 + i * 1000), 0);
		fault_plan(fault, &(struct fault_plan){.calls = FAULT_READ, .at = n});
		r = mlog_retain(&w.log, T0 + 10000, 24, &gone, &w.err);
		partly += r == -1 && gone.segments > 0;
		wrong += w.log.start_offset != w.log.segments[0]->base ||
		    w.log.epochs.entries[0].start_offset != w.log.start_offset;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	ok(partly > 0, "retention that cannot read stops, also half way");
	is_int(wrong, 0, "and the log begins where it does");
}

static void
test_retention(void)
{
	struct world w;
	struct mlog_retained gone;

	world_init(&w);
	w.config.segment_bytes = 600;
	w.config.retention_bytes = 1500;
	world_recover(&w, 0);
	for (int i = 0; i < 12; i++)
		append_made(&w, make_sized(2, 200, T0 + i * 1000), 0);
	is_int(mlog_bytes(&w.log), 2400, "four segments of 600 bytes");
	ok(mlog_retain(&w.log, T0, 4, &gone, &w.err) == 0 && gone.segments == 0,
	    "nothing above the high watermark is deleted");
	mlog_retain(&w.log, T0, 24, &gone, &w.err);
	ok(gone.segments == 1 && gone.bytes == 600, "by size: as long as enough is left");
	is_int(w.log.start_offset, 6, "the start follows");
	is_int(w.log.epochs.entries[0].start_offset, 6, "so do epochs");
	w.log.config.retention_bytes = -1;
	w.log.config.retention_ms = 1000;
	mlog_retain(&w.log, T0 + 5000 + 1000, 24, &gone, &w.err);
	is_int(gone.segments, 0, "by time: not at retention.ms exactly");
	mlog_retain(&w.log, T0 + 5000 + 1001, 24, &gone, &w.err);
	is_int(gone.segments, 1, "but above it, by the records' time");
	mlog_retain(&w.log, T0 + 1000000, 24, &gone, &w.err);
	is_int(gone.segments, 2, "the active one goes too, once another is there");
	ok(mlog_end(&w.log) == 24 && w.log.start_offset == 24 && mlog_bytes(&w.log) == 0,
	    "the end stays");
	is_int(size_of(&w, 18, ".snapshot"), -1, "snapshots go with their segments");
	mlog_retain(&w.log, T0 + 1000000, 24, &gone, &w.err);
	is_int(gone.segments, 0, "an empty log has nothing to delete");
	world_release(&w);
}

int
main(void)
{
	test_full_disk();
	test_storage_errors();
	test_each_call(FAULT_DIE_DURING, FAULT_WRITES, false, "killed");
	test_each_call(FAULT_DIE_AFTER, FAULT_WRITES, false, "killed after");
	test_each_call(FAULT_FAIL, FAULT_ALL & ~FAULT_BOOT_ID, false, "a failure");
	test_each_call(FAULT_DIE_DURING, FAULT_WRITES, true, "behind a tail: killed");
	test_each_call(FAULT_DIE_AFTER, FAULT_WRITES, true, "behind a tail: killed after");
	test_each_call(FAULT_FAIL, FAULT_ALL & ~FAULT_BOOT_ID, true, "behind a tail: a failure");
	test_other_writer();
	test_died_writing();
	test_compacted_by_another();
	test_truncate();
	test_restart();
	test_retention();
	test_retention_stopped();
	return tap_done();
}
