/* Tests of recovery: torn tails, rot, crash images, indexes, replacements. */
#include "log_test.h"

#include "log/segment.h"

static void
must_write(struct world *w, int64_t base, const char *suffix, const void *data, size_t len)
{
	char path[128];

	path_of(path, base, suffix);
	if (sim_write(w->disk, path, data, len) == -1)
		printf("# cannot write %s\n", path);
}

static int64_t
size_of(struct world *w, int64_t base, const char *suffix)
{
	char path[128];

	path_of(path, base, suffix);
	return sim_size(w->disk, path);
}

/* Cuts a file to `size` bytes behind everybody's back. */
static void
cut_file(struct world *w, int64_t base, const char *suffix, size_t size)
{
	struct buf b = BUF_INIT;
	char path[128];

	path_of(path, base, suffix);
	sim_read(w->disk, path, &b);
	sim_write(w->disk, path, b.data, size < b.len ? size : b.len);
	buf_release(&b);
}

/* A closed log of `n` batches of two records and 200 bytes. */
static void
make_log(struct world *w, int n)
{
	world_init(w);
	w->config.index_interval_bytes = 300;
	world_recover(w, 0);
	append_many(w, n, 200);
	mlog_sync(&w->log, &w->err);
	world_close(w);
}

static void
test_torn_at_each_byte(void)
{
	int wrong = 0;

	for (size_t size = 600; size < 800; size++) {
		struct world w = {0};
		make_log(&w, 4);
		cut_file(&w, 0, ".log", size);
		world_recover(&w, 6);
		wrong += mlog_end(&w.log) != 6 || size_of(&w, 0, ".log") != 600 ||
		    append_many(&w, 1, 200) == -1 || size_of(&w, 0, ".log.cut") != -1;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "a last batch torn at any byte is cut, and nothing else");
}

static void
test_trusted_tail(void)
{
	struct world w;
	struct mlog_tail tail;
	int64_t next;
	int bad;

	make_log(&w, 3);
	world_recover(&w, 0);
	tail = w.log.tail;
	append_many(&w, 2, 200);
	world_close(&w);
	cut_file(&w, 0, ".log", 900);
	ok(world_open(&w, &(struct mlog_open_args){.tail = &tail}) == 0, "it opens from a tail");
	is_int(mlog_end(&w.log), 8, "a whole batch behind the tail is taken over");
	is_int(size_of(&w, 0, ".log"), 800, "and a torn one is cut");
	ok(strstr(w.notes, "cut 100 bytes") != NULL, "which is told");
	append_many(&w, 1, 200);
	is_int(count_batches(&w, 0, &next, &bad), 5, "what is appended then can be read");
	is_int(bad, 0, "without an error");
	world_release(&w);

	make_log(&w, 3);
	tail.size = 10000;
	ok(world_open(&w, &(struct mlog_open_args){.tail = &tail}) == 0 && mlog_end(&w.log) == 6,
	    "a tail that says more than there is, is not believed");
	world_release(&w);
}

static void
test_trust_costs_little(void)
{
	struct world w;
	struct mlog_tail tail;
	struct os *fault;

	make_log(&w, 3);
	world_recover(&w, 0);
	w.log.config.segment_bytes = 1000;
	append_many(&w, 200, 200);
	mlog_sync(&w.log, &w.err);
	tail = w.log.tail;
	world_close(&w);
	os_free(w.os);
	w.os = fault = fault_new(sim_os_new(w.disk, 2));
	world_open(&w, &(struct mlog_open_args){.tail = &tail});
	is_int((intmax_t)fault_count(fault, FAULT_READ), 2,
	    "a tail that fits: only the epochs are read, and the log from its last indexed batch on");
	is_int((intmax_t)fault_count(fault, FAULT_LIST), 0, "the directory is not listed");
	is_int((intmax_t)fault_count(fault, FAULT_WRITES), 0, "and nothing is written");
	world_close(&w);
	os_free(w.os);
	sim_disk_free(w.disk);
}

static void
test_rot_below(void)
{
	struct world w;
	int64_t next;
	int bad;

	make_log(&w, 5);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (400 + 100) * 8);
	world_recover(&w, 10);
	is_int(mlog_end(&w.log), 10, "rot below the recovery point cuts nothing");
	is_int(size_of(&w, 0, ".log"), 1000, "all bytes stay");
	ok(strstr(w.notes, "byte 400: crc") && strstr(w.notes, "offsets 4..5 are lost"),
	    "file, byte and offsets are named");
	is_int(count_batches(&w, 0, &next, &bad), 4, "the reader gives the others");
	is_int(bad, 1, "and one error");
	ok(strstr(w.err.text, "t-0/00000000000000000000.log: byte 400: crc") != NULL &&
	    strstr(w.err.text, "(offsets 4..5; next good batch at 600)") != NULL,
	    "which names file, byte, offsets and what follows: %s", w.err.text);
	world_release(&w);
}

static void
test_rot_at_the_end_below(void)
{
	struct world w;
	int64_t next;
	int bad;

	make_log(&w, 5);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (800 + 100) * 8);
	world_recover(&w, 10);
	is_int(mlog_end(&w.log), 10, "offsets below the recovery point are not given out again");
	is_int(w.log.tail.segment_base, 10, "writing goes on in a new segment");
	is_int(size_of(&w, 0, ".log"), 1000, "the damaged one stays as it is");
	append_many(&w, 1, 200);
	is_int(count_batches(&w, 0, &next, &bad), 5, "the reader goes on into the new one");
	is_int(bad, 1, "after one error");
	ok(strstr(w.err.text, "offsets 8..9; next good batch in 00000000000000000010.log") != NULL,
	    "that names the lost offsets: %s", w.err.text);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	world_recover(&w, 10);
	ok(mlog_end(&w.log) == 12 && w.log.segment_count == 2, "a second recovery changes nothing");
	world_release(&w);
}

static void
test_rot_above(void)
{
	struct world w;

	make_log(&w, 5);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (400 + 100) * 8);
	world_recover(&w, 2);
	is_int(mlog_end(&w.log), 4, "rot above the recovery point: the log ends there");
	is_int(size_of(&w, 0, ".log.cut"), 600, "good batches behind it are kept beside the segment");
	ok(strstr(w.notes, "kept as .log.cut") != NULL, "which is told: %s", w.notes);
	for (int i = 0; i < 3; i++)
		append_made(&w, make_sized(2, 200, T0 + 99), 0);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (400 + 100) * 8);
	world_recover(&w, 2);
	is_int(size_of(&w, 0, ".log.cut.1"), 600, "a second cut does not overwrite the first");
	world_release(&w);
}

static void
test_rot_above_before_segments(void)
{
	struct world w;

	make_log(&w, 3);
	world_recover(&w, 0);
	w.log.config.segment_bytes = 600;
	append_many(&w, 6, 200);
	mlog_sync(&w.log, &w.err);
	is_int((intmax_t)w.log.segment_count, 3, "three segments");
	world_close(&w);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (400 + 100) * 8);
	world_recover(&w, 0);
	is_int(mlog_end(&w.log), 4, "rot above, in the first of three: the log ends there");
	is_int((intmax_t)w.log.segment_count, 1, "later segments are no part of it any more");
	ok(size_of(&w, 6, ".log.cut") == 600 && size_of(&w, 12, ".log.cut") == 600,
	    "but kept beside it");
	ok(size_of(&w, 6, ".index") == -1 && size_of(&w, 6, ".snapshot") == -1,
	    "without indexes and snapshots");
	world_release(&w);
}

/* Kafka leaves the batch where it is, and serves the log to its end. */
static void
test_overlap(void)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	char path[128];
	struct world w;
	int64_t next;
	int bad;

	make_log(&w, 3);
	world_recover(&w, 0);
	w.log.config.segment_bytes = 600;
	append_many(&w, 6, 200);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	path_of(path, 6, ".log");
	sim_read(w.disk, path, &second);
	path_of(path, 0, ".log");
	sim_read(w.disk, path, &first);
	buf_put(&first, second.data, 200);
	must_write(&w, 0, ".log", first.data, first.len);

	world_recover(&w, 0);
	is_int(size_of(&w, 0, ".log"), 600, "a segment ends where the next one begins");
	is_int(size_of(&w, 0, ".log.cut"), 200, "what it had behind is kept");
	ok(strstr(w.notes, "200 bytes kept as .log.cut") != NULL, "and told");
	is_int(mlog_end(&w.log), 18, "the log goes on to its end");
	is_int(count_batches(&w, 0, &next, &bad), 9, "with every record once");
	ok(next == 18 && bad == 0, "and no error");
	buf_release(&first);
	buf_release(&second);
	world_release(&w);
}

/* Same indexes, whether written batch by batch or rebuilt? */
static void
test_indexes(void)
{
	static const char *const kinds[] = {".index", ".timeindex"};
	uint8_t garbage[4096];
	struct world w;

	memset(garbage, 0x5a, sizeof(garbage));
	for (int what = 0; what < 4; what++) {
		for (size_t k = 0; k < 2; k++) {
			struct buf want = BUF_INIT, got = BUF_INIT;
			int64_t next;
			int bad;
			char path[128];

			make_log(&w, 50);
			path_of(path, 0, kinds[k]);
			sim_read(w.disk, path, &want);
			if (what == 0)
				os_remove(w.os, path);
			else if (what == 1)
				must_write(&w, 0, kinds[k], garbage, sizeof(garbage));
			else if (what == 2)
				must_write(&w, 0, kinds[k], "", 0);
			else
				cut_file(&w, 0, kinds[k], want.len - 3);
			is_int(count_batches(&w, 70, &next, &bad), 15,
			    "%s damaged in way %d: a reader seeks all the same", kinds[k], what);
			world_recover(&w, 10);
			sim_read(w.disk, path, &got);
			ok(got.len == want.len && memcmp(got.data, want.data, got.len) == 0,
			    "%s damaged in way %d: recovery makes it anew", kinds[k], what);
			buf_release(&want);
			buf_release(&got);
			world_close(&w);
			os_free(w.os);
			sim_disk_free(w.disk);
		}
	}
}

static void
test_preallocated(void)
{
	struct world w;
	struct buf index = BUF_INIT;
	char path[128];
	struct oindex ix;
	struct err err;
	int64_t next;

	make_log(&w, 50);
	path_of(path, 0, ".index");
	sim_read(w.disk, path, &index);
	memset(buf_extend(&index, 1 << 20), 0, 1 << 20);
	sim_write(w.disk, path, index.data, index.len);
	ok(oindex_open(&ix, w.os, path, 0, false, &err) == 0, "a preallocated index opens");
	is_int(ix.file.count, 24, "its zeros do not count");
	oindex_close(&ix);
	is_int(count_batches(&w, 70, &next, NULL), 15, "a reader seeks by it");
	world_open(&w, &(struct mlog_open_args){.how = MLOG_CLEAN});
	is_int(mlog_end(&w.log), 100, "a clean open finds the end");
	append_many(&w, 2, 200);
	is_int(size_of(&w, 0, ".index"), 25 * 8, "appending to it drops the zeros");
	buf_release(&index);
	world_release(&w);
}

static void
test_below_start(void)
{
	struct world w;

	make_log(&w, 3);
	world_open(&w, &(struct mlog_open_args){.how = MLOG_RECOVER, .start_offset = 100});
	is_int(mlog_end(&w.log), 100, "a log that ends below its start begins anew there");
	is_int(w.log.segments[0]->base, 100, "with nothing else");
	world_release(&w);
}

static void
test_crashes(void)
{
	int lost = 0, gaps = 0, errors = 0;

	for (uint64_t seed = 0; seed < 150; seed++) {
		struct world w;
		int64_t synced, next;
		int bad;

		world_init(&w);
		w.config.segment_bytes = 1500;
		w.config.index_interval_bytes = 300;
		world_recover(&w, 0);
		for (int i = 0; i < 12; i++) {
			append_many(&w, 1 + (int)(seed + (uint64_t)i) % 3, 200);
			if ((seed + (uint64_t)i) % 5 == 0)
				mlog_sync(&w.log, &w.err);
		}
		synced = w.log.tail.synced_offset;
		world_crash(&w, seed);
		if (world_recover(&w, synced) == -1) {
			errors++;
		} else {
			lost += mlog_end(&w.log) < synced;
			append_many(&w, 3, 200);
			count_batches(&w, 0, &next, &bad);
			gaps += bad != 0 || next != mlog_end(&w.log);
		}
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(errors, 0, "every crash image is recovered");
	is_int(lost, 0, "no synced record is lost in a crash");
	is_int(gaps, 0, "and what is left can be read from end to end");
}

/* Kills recovery at each call that changes something, and recovers again. */
static void
test_killed_recovery(void)
{
	int wrong = 0, n;

	for (n = 1; n < 200; n++) {
		struct world w;
		struct os *fault;
		int64_t next;
		bool fired;
		int bad;

		make_log(&w, 3);
		world_recover(&w, 0);
		w.log.config.segment_bytes = 600;
		append_many(&w, 6, 200);
		mlog_sync(&w.log, &w.err);
		world_close(&w);
		sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (400 + 100) * 8);
		os_free(w.os);
		w.os = fault = fault_new(sim_os_new(w.disk, 3));
		fault_plan(fault, &(struct fault_plan){.calls = FAULT_WRITES, .at = (uint64_t)n,
		    .kind = FAULT_DIE_DURING});
		if (mlog_open(&w.log, w.os, DIR_OF_LOG, &w.config,
		    &(struct mlog_open_args){.how = MLOG_RECOVER}, &w.err) == 0)
			mlog_release(&w.log);
		fired = fault_fired(fault) > 0;
		os_free(w.os);
		w.os = sim_os_new(w.disk, 4);
		if (world_recover(&w, 0) == -1)
			wrong++;
		count_batches(&w, 0, &next, &bad);
		wrong += next != 4 || bad != 0 || size_of(&w, 0, ".log.cut") != 200 ||
		    size_of(&w, 6, ".log.cut") != 600 || size_of(&w, 12, ".log.cut") != 600;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
		if (!fired)
			break;
	}
	is_int(wrong, 0, "recovery killed at any of %d calls is done by the next", n - 1);
	ok(n > 10 && n < 200, "which were all tried");
}

static void
rename_segment(struct world *w, int64_t base, const char *from, const char *to)
{
	static const char *const kinds[] = {".log", ".index", ".timeindex"};
	char a[140], b[140];

	for (size_t i = 0; i < 3; i++) {
		snprintf(a, sizeof(a), "%s/%020lld%s%s", DIR_OF_LOG, (long long)base, kinds[i], from);
		snprintf(b, sizeof(b), "%s/%020lld%s%s", DIR_OF_LOG, (long long)base, kinds[i], to);
		os_rename(w->os, a, b);
	}
}

/* A log of 0..5, 6..11, 12..; what replaces the first two (0..11 in one segment,
 * batch 2..3 gone) lies in *merged. */
static void
make_replaceable(struct world *w, struct buf *merged)
{
	struct buf second = BUF_INIT, first = BUF_INIT;

	make_log(w, 3);
	world_recover(w, 0);
	w->log.config.segment_bytes = 600;
	append_many(w, 6, 200);
	mlog_sync(&w->log, &w->err);
	world_close(w);
	sim_read(w->disk, DIR_OF_LOG "/00000000000000000000.log", &first);
	sim_read(w->disk, DIR_OF_LOG "/00000000000000000006.log", &second);
	buf_clear(merged);
	buf_put(merged, first.data, 200);
	buf_put(merged, first.data + 400, 200);
	buf_put(merged, second.data, second.len);
	buf_release(&first);
	buf_release(&second);
}

static void
test_replacements(void)
{
	struct buf merged = BUF_INIT;
	struct world w;
	int64_t next;
	int bad;

	make_replaceable(&w, &merged);
	must_write(&w, 0, ".log.cleaned", merged.data, merged.len / 2);
	is_int(count_batches(&w, 0, &next, &bad), 9, "beside .cleaned a reader reads the old files");
	world_recover(&w, 18);
	is_int(size_of(&w, 0, ".log.cleaned"), -1, ".cleaned is undone");
	is_int(count_batches(&w, 0, &next, &bad), 9, "with nothing changed");
	world_release(&w);

	make_replaceable(&w, &merged);
	must_write(&w, 0, ".log.swap", merged.data, merged.len);
	rename_segment(&w, 6, "", ".deleted");
	rename_segment(&w, 0, "", ".deleted");
	is_int(count_batches(&w, 0, &next, &bad), 8, "a .swap is read where its .log is missing");
	world_recover(&w, 18);
	is_int(count_batches(&w, 0, &next, &bad), 8, "a complete .swap takes its place");
	is_int((intmax_t)w.log.segment_count, 2, "for both that it replaces");
	is_int(size_of(&w, 0, ".log.deleted"), -1, "and .deleted goes");
	ok(size_of(&w, 0, ".index") > 0, "its missing index is made");
	world_release(&w);

	make_replaceable(&w, &merged);
	must_write(&w, 0, ".log.swap", merged.data, merged.len);
	world_recover(&w, 18);
	is_int(count_batches(&w, 0, &next, &bad), 8, "also before the old files were renamed");
	is_int(bad, 0, "without an error");
	world_release(&w);

	make_replaceable(&w, &merged);
	must_write(&w, 6, ".log.swap", merged.data + 400, merged.len - 400);
	must_write(&w, 0, ".log.cleaned", merged.data, 400);
	world_recover(&w, 18);
	is_int(count_batches(&w, 0, &next, &bad), 9, "a .swap above a .cleaned is undone");
	is_int(size_of(&w, 6, ".log.swap"), -1, "and gone");
	world_release(&w);
	buf_release(&merged);
}

/* The power fails in the middle of a replacement, and again while that is undone:
 * of what was removed by then, only the .cleaned stays so. */
static void
test_undone_twice(void)
{
	struct buf merged = BUF_INIT;
	int wrong = 0;
	uint64_t n;

	for (n = 1;; n++) {
		struct sim_disk *old;
		struct sim_choice *choices;
		struct sim_pending op;
		struct world w;
		int64_t next;
		bool fired;

		make_replaceable(&w, &merged);
		must_write(&w, 6, ".log.swap", merged.data + 600, merged.len - 600);
		must_write(&w, 0, ".log.cleaned", merged.data, 400);
		os_sync_dir(w.os, DIR_OF_LOG);
		w.os = fault_new(w.os);
		fault_plan(w.os, &(struct fault_plan){
		    .calls = FAULT_WRITES, .at = n, .kind = FAULT_DIE_AFTER});
		w.open = mlog_open(&w.log, w.os, DIR_OF_LOG, &w.config,
		    &(struct mlog_open_args){.how = MLOG_RECOVER, .recovery_point = 18}, &w.err) == 0;
		fired = fault_fired(w.os) > 0;
		world_close(&w);
		choices = calloc(sim_pending_count(w.disk) + 1, sizeof(*choices));
		for (size_t i = 0; i < sim_pending_count(w.disk); i++) {
			sim_pending_at(w.disk, i, &op);
			if (op.kind == SIM_REMOVE && strstr(op.name, ".swap") != NULL)
				choices[i].fate = SIM_LOSE;
		}
		old = w.disk;
		os_free(w.os);
		world_boot(&w, sim_crash_with(old, choices));
		sim_disk_free(old);
		free(choices);
		wrong += world_recover(&w, 18) == -1 || count_batches(&w, 0, &next, NULL) != 9;
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
		if (!fired)
			break;
	}
	is_int(wrong, 0, "struck again at each of %d calls while it is undone, it stays undone",
	    (int)n - 1);
	buf_release(&merged);
}

static void
test_foreign_files(void)
{
	struct world w;

	make_log(&w, 3);
	sim_write(w.disk, DIR_OF_LOG "/notes.txt", "x", 1);
	sim_write(w.disk, DIR_OF_LOG "/0.log", "x", 1);
	sim_write(w.disk, DIR_OF_LOG "/99999999999999999999.log", "x", 1);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000100.index", "x", 1);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000000-0000000000.checkpoint.deleted", "x", 1);
	world_recover(&w, 0);
	is_int((intmax_t)w.log.segment_count, 1, "names that are no segment's are passed over");
	is_int(sim_size(w.disk, DIR_OF_LOG "/notes.txt"), 1, "and left alone");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000000-0000000000.checkpoint.deleted"), 1,
	    "also a snapshot that is being deleted");
	is_int(size_of(&w, 100, ".index"), -1, "but an index without a log goes");
	world_release(&w);
}

static void
test_epochs_rebuilt(void)
{
	struct world w;

	make_log(&w, 3);
	world_recover(&w, 0);
	w.log.config.segment_bytes = 600;
	append_made(&w, make_sized(1, 200, T0), 3);
	append_made(&w, make_sized(1, 200, T0), 7);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	for (int garbage = 0; garbage < 2; garbage++) {
		if (garbage)
			sim_write(w.disk, DIR_OF_LOG "/leader-epoch-checkpoint", "0\n9\nx", 5);
		else
			os_remove(w.os, DIR_OF_LOG "/leader-epoch-checkpoint");
		world_recover(&w, 8);
		ok(w.log.epochs.count == 3 && epochs_at(&w.log.epochs, 5) == 0 &&
		    epochs_at(&w.log.epochs, 6) == 3 && epochs_at(&w.log.epochs, 7) == 7,
		    "epochs that are %s are made from the batches", garbage ? "garbage" : "missing");
		world_close(&w);
	}
	world_release(&w);
}

/* The power took the last batch of a segment, and left the name of the next one. */
static void
test_snapshot_of_lost(void)
{
	struct mlog_open_args trust = {.how = MLOG_TRUST_TAIL};
	struct mlog_tail tail;
	struct producer_entry *one;
	struct world w;
	int64_t size = 0;

	world_init(&w);
	world_recover(&w, 0);
	mlog_load_producers(&w.log, &w.err);
	for (int i = 0; i < 3; i++) {
		size = w.log.tail.size;
		append_made(&w, make_batch((struct make){.records = 1, .producer = 7, .sequence = i,
		    .timestamp = T0}), 0);
	}
	mlog_roll(&w.log, &w.err);
	world_close(&w);
	cut_file(&w, 0, ".log", (size_t)size);
	is_int(world_recover(&w, 0), 0, "a log that lacks a batch in front of a segment is opened");
	is_int(mlog_end(&w.log), 3, "its offset is not given out again");
	tail = w.log.tail;
	world_close(&w);
	trust.tail = &tail;
	world_open(&w, &trust);
	is_int(mlog_load_producers(&w.log, &w.err), 0, "whoever opens it next knows its producers");
	one = producers_find(&w.log.producers, 7);
	ok(one != NULL && one->batches[one->batch_count - 1].last_sequence == 1,
	    "and not of the batch that is gone");
	world_release(&w);
}

int
main(void)
{
	test_torn_at_each_byte();
	test_trusted_tail();
	test_trust_costs_little();
	test_rot_below();
	test_rot_at_the_end_below();
	test_rot_above();
	test_rot_above_before_segments();
	test_overlap();
	test_indexes();
	test_preallocated();
	test_below_start();
	test_crashes();
	test_killed_recovery();
	test_replacements();
	test_undone_twice();
	test_foreign_files();
	test_epochs_rebuilt();
	test_snapshot_of_lost();
	return tap_done();
}
