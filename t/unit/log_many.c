/* Tests of what a log of many segments costs, and that what saves it (one listing
 * of the directory, mq.times) is never believed too long. */
#include "log_many_test.h"

static struct reader *
open_reader(struct world *w)
{
	return reader_open(w->os, DIR_OF_LOG, 0, &w->err);
}

static int
drain(struct world *w, struct reader *r)
{
	struct batch b;
	int n = 0, got;

	while ((got = reader_next(r, &b, &w->err)) == 1)
		n++;
	return got == -1 ? -1 : n;
}

static void
world_open_again(struct world *w, int64_t start)
{
	struct mlog_tail tail = w->log.tail;

	world_close(w);
	world_open(w, &(struct mlog_open_args){.tail = &tail, .start_offset = start});
}

static int64_t
size_of(const struct world *w, int64_t base)
{
	char path[128];

	path_of(path, base, ".log");
	return sim_size(w->disk, path);
}

static size_t
lines_of(struct world *w)
{
	struct os_stat st;

	return os_stat_path(w->os, TIMES, &st) == -1 ? 0 : (size_t)(st.size / TIMES_LINE);
}

/* --- what it costs ------------------------------------------------------------- */

struct cost {
	uint64_t calls, lists;
};

/* A seek by offset and one by time, into the middle of a log of `n` batches. By hints,
 * nobody asks for aborted transactions, as long as there is no batch of one. */
static void
seek_costs(int n, bool hints, struct cost *by_offset, struct cost *by_time)
{
	struct world w;
	struct os *fault;
	struct reader *r;
	struct batch b;
	struct aborted_txn *list;
	size_t count;
	int64_t start, end;

	many(&w, n);
	fault = fault_new(sim_os_new(w.disk, 5));
	r = reader_open(fault, DIR_OF_LOG, 0, &w.err);
	reader_without_producers(r, 2 * n);
	if (hints)
		expect(&w, r, mlog_first_base(&w.log));
	reader_bounds(r, &start, &end, &w.err);
	if (!hints) {
		reader_aborted(r, n, end, &list, &count, &w.err);
		free(list);
	}
	reader_seek(r, n, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.base_offset == n && start == 0 && end == 2 * n,
	    "of %d batches: start, end and the middle are found", n);
	*by_offset = (struct cost){fault_count(fault, FAULT_ALL), fault_count(fault, FAULT_LIST)};
	is_int(offset_for(&w, r, n), n, "of %d batches: a time leads to its record", n);
	*by_time = (struct cost){fault_count(fault, FAULT_ALL) - by_offset->calls,
	    fault_count(fault, FAULT_LIST) - by_offset->lists};
	reader_free(r);
	os_free(fault);
	world_release(&w);
}

static void
test_seeks(void)
{
	struct cost few[2], lots[2];

	seek_costs(12, false, &few[0], &few[1]);
	seek_costs(1200, false, &lots[0], &lots[1]);
	ok(lots[0].calls <= few[0].calls + 2, "a seek makes no more calls among 400 segments (%d) "
	    "than among 4 (%d)", (int)lots[0].calls, (int)few[0].calls);
	is_int((intmax_t)lots[0].lists, 1, "and lists the directory once");
	ok(lots[1].calls <= few[1].calls + 8, "a seek by time makes a few more (%d, %d): log 2",
	    (int)lots[1].calls, (int)few[1].calls);
	is_int((intmax_t)lots[1].lists, 0, "and lists nothing again");

	seek_costs(12, true, &few[0], &few[1]);
	seek_costs(1200, true, &lots[0], &lots[1]);
	ok(lots[0].calls <= few[0].calls + 8, "by hints it makes a few more calls (%d, %d): log 2",
	    (int)lots[0].calls, (int)few[0].calls);
	is_int((intmax_t)(few[0].lists + lots[0].lists), 0, "and lists nothing");
	is_int((intmax_t)(few[1].lists + lots[1].lists), 0, "nor does one by time");
}

static uint64_t
recovery_calls(int n)
{
	struct mlog_open_args args = {.how = MLOG_RECOVER, .recovery_point = 2 * n};
	struct world w;
	struct mlog log;
	struct os *fault;
	uint64_t calls;

	many(&w, n);
	mlog_sync(&w.log, &w.err);
	world_close(&w);
	fault = fault_new(sim_os_new(w.disk, 5));
	if (mlog_open(&log, fault, DIR_OF_LOG, &w.config, &args, &w.err) == 0)
		mlog_release(&log);
	calls = fault_count(fault, FAULT_ALL);
	os_free(fault);
	world_release(&w);
	return calls;
}

static void
test_recovery(void)
{
	int few = (int)recovery_calls(12), lots = (int)recovery_calls(1200);

	ok(lots <= few, "recovery looks at no segment below its point: %d calls of 4, %d of 400", few,
	    lots);
}

/* An append to a log of `n` batches by one who knows its tail. */
static struct cost
append_costs(int n)
{
	struct mlog_tail tail;
	struct world w;
	struct os *fault;
	struct cost cost;

	many(&w, n);
	mlog_sync(&w.log, &w.err);
	tail = w.log.tail;
	world_close(&w);
	os_free(w.os);
	w.os = fault = fault_new(sim_os_new(w.disk, 5));
	world_open(&w, &(struct mlog_open_args){.tail = &tail});
	ok(append_many(&w, 1, 200) == 0 && mlog_sync(&w.log, &w.err) == 0,
	    "of %d batches: another is appended and synced", n);
	world_close(&w);
	cost = (struct cost){fault_count(fault, FAULT_ALL), fault_count(fault, FAULT_LIST)};
	world_release(&w);
	return cost;
}

static void
test_appends(void)
{
	struct cost few = append_costs(13), lots = append_costs(1201);

	is_int((intmax_t)lots.calls, (intmax_t)few.calls,
	    "it makes the same calls among 401 segments as among 5");
	is_int((intmax_t)lots.lists, 0, "and lists nothing");
}

/* --- a log that was opened by its tail ------------------------------------------------ */

/* Five segments of three batches, the last of one: all but it are not known yet. */
static void
part(struct world *w)
{
	struct mlog_tail tail;

	many(w, 13);
	mlog_sync(&w->log, &w->err);
	tail = w->log.tail;
	world_close(w);
	world_open(w, &(struct mlog_open_args){.tail = &tail});
}

static bool
is_whole(const struct world *w, size_t segments, int64_t first, int64_t start)
{
	return !w->log.partial && w->log.segment_count == segments &&
	    w->log.segments[0]->base == first && w->log.start_offset == start;
}

static void
test_part(void)
{
	struct mlog_retained gone;
	struct world w;

	part(&w);
	ok(w.log.partial && w.log.segment_count == 1 && mlog_end(&w.log) == 26,
	    "a tail that says all: the active segment is taken alone");
	os_remove(w.os, DIR_OF_LOG "/00000000000000000000.log");
	ok(mlog_whole(&w.log, &w.err) == 0 && is_whole(&w, 4, 6, 6), "the others on demand");
	is_int(sim_size(w.disk, DIR_OF_LOG "/00000000000000000000.index"), -1,
	    "what is left of one that a killed writer was deleting goes");
	is_int(mlog_bytes(&w.log), 2000, "their bytes are counted");
	world_release(&w);

	part(&w);
	ok(mlog_set_start(&w.log, 7, &w.err) == 0 && is_whole(&w, 4, 6, 7), "a trim deletes older ones");
	world_open_again(&w, 0);
	ok(w.log.partial && mlog_set_start(&w.log, 3, &w.err) == 0 && is_whole(&w, 4, 6, 6),
	    "one below the first segment does not move the start down");
	world_release(&w);

	part(&w);
	w.log.config.retention_bytes = 1300;
	ok(mlog_retain(&w.log, T0, 26, &gone, &w.err) == 0 && gone.segments == 2 &&
	    is_whole(&w, 3, 12, 12), "so does retention");
	world_release(&w);

	part(&w);
	ok(mlog_truncate(&w.log, 8, &w.err) == 0 && mlog_end(&w.log) == 8 && is_whole(&w, 2, 0, 0),
	    "a cut reaches into older ones");
	world_release(&w);

	part(&w);
	ok(mlog_restart_at(&w.log, 90, &w.err) == 0 && is_whole(&w, 1, 90, 90) &&
	    size_of(&w, 0) == -1, "a log that begins anew leaves none");
	world_release(&w);

	part(&w);
	os_remove(w.os, TIMES);
	append_synced(&w, 3, 200);
	is_int((intmax_t)lines_of(&w), 5, "a roll makes the lines of all of them");
	world_release(&w);
}

/* A tail that is not all there is to know. */
static void
test_not_part(void)
{
	struct mlog_open_args args = {.how = MLOG_TRUST_TAIL};
	struct mlog_tail tail;
	struct world w;
	char path[128];

	part(&w);
	tail = w.log.tail;
	append_many(&w, 2, 200);
	append_many(&w, 1, 200);
	world_close(&w);
	args.tail = &tail;
	ok(world_open(&w, &args) == 0 && mlog_end(&w.log) == 32 && is_whole(&w, 6, 0, 0),
	    "what follows a tail is taken over");
	mlog_sync(&w.log, &w.err);
	tail = w.log.tail;
	tail.synced_offset = 7;
	world_close(&w);
	ok(world_open(&w, &args) == 0 && is_whole(&w, 6, 0, 0) && w.log.segments[1]->unsynced,
	    "finished segments that wait for a sync are known");
	mlog_sync(&w.log, &w.err);
	tail = w.log.tail;
	world_close(&w);
	path_of(path, tail.end_offset, ".log");
	sim_write(w.disk, path, "", 0);
	ok(world_open(&w, &args) == 0 && w.log.tail.segment_base == 32 && is_whole(&w, 7, 0, 0),
	    "so is a segment that a killed writer had just begun");
	tail = w.log.tail;
	world_close(&w);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000006.log.cleaned", "half", 4);
	ok(world_open(&w, &args) == 0 && w.log.partial, "a compaction that nobody told of is not seen");
	tail.replacing = true;
	ok(mlog_catch_up(&w.log, &tail, &w.err) == 0 && is_whole(&w, 7, 0, 0) &&
	    sim_size(w.disk, DIR_OF_LOG "/00000000000000000006.log.cleaned") == -1 &&
	    !w.log.tail.replacing, "one that was killed is put right by who has the log open");
	world_close(&w);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000006.log.cleaned", "half", 4);
	ok(world_open(&w, &args) == 0 && is_whole(&w, 7, 0, 0) &&
	    sim_size(w.disk, DIR_OF_LOG "/00000000000000000006.log.cleaned") == -1 &&
	    !w.log.tail.replacing, "and by who opens it");
	world_release(&w);
}

/* Two take turns: neither lists the directory for what the other has appended. */
static void
test_turns(void)
{
	struct mlog_tail tail;
	struct world w, other;
	struct os *fault;
	int wrong = 0;

	part(&w);
	tail = w.log.tail;
	other = w;
	other.os = fault = fault_new(sim_os_new(w.disk, 6));
	world_open(&other, &(struct mlog_open_args){.tail = &tail});
	for (int i = 0; i < 12; i++) {
		struct world *one = i % 2 == 0 ? &w : &other;
		uint64_t lists = fault_count(fault, FAULT_LIST);
		int64_t base;

		wrong += mlog_catch_up(&one->log, &tail, &one->err) == -1;
		base = one->log.tail.segment_base;
		wrong += append_many(one, 1, 200) == -1 || mlog_sync(&one->log, &one->err) == -1;
		tail = one->log.tail;
		wrong += one == &other && base == tail.segment_base &&
		    fault_count(fault, FAULT_LIST) != lists;
	}
	is_int(wrong, 0, "writers that take turns list nothing but to roll");
	is_int(mlog_end(&other.log), 50, "and all is there");
	world_close(&other);
	os_free(fault);
	world_release(&w);
}

/* --- one listing ----------------------------------------------------------------- */

static void
test_listing_grows_old(void)
{
	struct world w;
	struct reader *r;
	struct batch b;
	int64_t start, end;

	many(&w, 9);
	r = open_reader(&w);
	reader_bounds(r, &start, &end, &w.err);
	append_many(&w, 20, 200);
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && end == 58, "the end follows over rolls");
	append_many(&w, 20, 200);
	reader_seek(r, 90, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.base_offset == 90,
	    "an offset in a segment that was made since is found");
	append_at(&w, 5000);
	append_many(&w, 5, 200);
	is_int(offset_for(&w, r, 5000), 98, "so is a time");
	mlog_set_start(&w.log, 80, &w.err);
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && start == 78, "the start follows a deletion");
	reader_seek(r, 0, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.base_offset == 78,
	    "an offset in a segment that was deleted gives the first there is");
	mlog_restart_at(&w.log, 500, &w.err);
	append_many(&w, 1, 200);
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && start == 500 && end == 502,
	    "a log that was begun anew is seen");
	reader_free(r);
	world_release(&w);
}

static void
test_listing_compacted(void)
{
	struct buf bytes = BUF_INIT;
	struct world w;
	struct reader *r;
	struct batch b;
	int64_t start, end;

	many(&w, 12);
	r = open_reader(&w);
	reader_bounds(r, &start, &end, &w.err);
	merge(&w, 6, 12);
	reader_seek(r, 14, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.base_offset == 14,
	    "an offset in a segment that was merged is found in the other");
	is_int(offset_for(&w, r, 13), 14, "so is its time");
	is_int(drain(&w, r), 4, "and what follows comes once");
	/* The last segment that is known loses its last batch when it is finished: at
	 * its new end no segment begins. */
	append_many(&w, 3, 200);
	reader_bounds(r, &start, &end, &w.err);
	is_int(end, 30, "the end is that of the last segment");
	append_many(&w, 1, 200);
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000024.log", &bytes);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000024.log.swap", bytes.data, 400);
	os_rename(w.os, DIR_OF_LOG "/00000000000000000024.log.swap",
	    DIR_OF_LOG "/00000000000000000024.log");
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && end == 32,
	    "the end is seen behind one that was replaced since");
	buf_release(&bytes);
	reader_free(r);
	world_release(&w);
}

/* --- mq.times ---------------------------------------------------------------------- */

static const int64_t jumbled[] = {0, 50, 10, 400, 30, 400, 500, 90, 1000, 20, 70, 600, 5, 1, 2,
    1500, 3, 4, 900, 800, 700};
#define JUMBLED (int)(sizeof(jumbled) / sizeof(jumbled[0]))

/* How many times of all lead elsewhere than to the first record of that time or a
 * later one, from offset `first` on. */
static int
wrong_times(struct world *w, const int64_t *times, int count, int64_t first)
{
	struct reader *r = open_reader(w);
	int wrong = 0;

	for (int64_t t = -1; t <= 1600; t += 7) {
		int64_t want = -1, got;

		for (int i = (int)(first / 2); i < count && want == -1; i++)
			want = times[i] >= t ? i * 2 : -1;
		got = offset_for(w, r, t);
		if (got != want && wrong++ == 0)
			printf("# T0%+d: got %d, want %d\n", (int)t, (int)got, (int)want);
	}
	reader_free(r);
	return wrong;
}

static void
begin_jumbled(struct world *w, int per_segment)
{
	world_init(w);
	w->config.segment_bytes = per_segment * 200;
	world_recover(w, 0);
	for (int i = 0; i < JUMBLED; i++)
		append_at(w, jumbled[i]);
}

static void
test_times_jumbled(void)
{
	struct world w;

	for (int per_segment = 1; per_segment <= 4; per_segment++) {
		begin_jumbled(&w, per_segment);
		is_int((intmax_t)lines_of(&w), (JUMBLED - 1) / per_segment,
		    "%d batches a segment: a line for each finished one", per_segment);
		is_int(wrong_times(&w, jumbled, JUMBLED, 0), 0,
		    "times that do not ascend are found through them");
		os_remove(w.os, TIMES);
		is_int(wrong_times(&w, jumbled, JUMBLED, 0), 0, "and without");
		append_at(&w, 0);
		mlog_roll(&w.log, &w.err);
		is_int((intmax_t)lines_of(&w), (JUMBLED + per_segment) / per_segment,
		    "the next roll makes them anew");
		world_release(&w);
	}
}

static void
test_times_bad(void)
{
	struct world w;
	struct buf b = BUF_INIT;
	int wrong = 0;

	begin_jumbled(&w, 2);
	sim_read(w.disk, TIMES, &b);
	for (size_t at = 0; at < b.len; at++) {
		uint8_t was = b.data[at];

		if (at % 5 != 0 && at > 2 * TIMES_LINE)
			continue;
		b.data[at] ^= 1;
		sim_write(w.disk, TIMES, b.data, b.len);
		wrong += wrong_times(&w, jumbled, JUMBLED, 0);
		b.data[at] = was;
	}
	is_int(wrong, 0, "a line with a wrong bit is not believed");
	sim_write(w.disk, TIMES, b.data, b.len - 70);
	is_int(wrong_times(&w, jumbled, JUMBLED, 0), 0, "one that is torn neither");
	append_at(&w, 1);
	append_at(&w, 1);
	append_at(&w, 1);
	is_int((intmax_t)lines_of(&w), 11, "and the next roll puts it right");
	is_int(wrong_times(&w, jumbled, JUMBLED, 0), 0, "so that all is found");
	buf_release(&b);
	world_release(&w);
}

/* After a cut other times stand at the same offsets. */
static void
test_times_cut(void)
{
	int64_t times[JUMBLED];
	struct world w;

	begin_jumbled(&w, 2);
	memcpy(times, jumbled, sizeof(times));
	mlog_truncate(&w.log, 12, &w.err);
	is_int((intmax_t)lines_of(&w), 0, "a cut below finished segments drops the hint");
	for (int i = 6; i < JUMBLED; i++)
		append_at(&w, times[i] = 1550 - jumbled[i]);
	is_int(wrong_times(&w, times, JUMBLED, 0), 0, "so that new times are found behind it");
	is_int((intmax_t)lines_of(&w), 10, "and lines are there again");
	mlog_set_start(&w.log, 20, &w.err);
	is_int(wrong_times(&w, times, JUMBLED, 20), 0, "deleted segments leave it true");
	mlog_truncate(&w.log, 41, &w.err);
	is_int((intmax_t)lines_of(&w), 10, "a cut in the active segment leaves it alone");
	world_release(&w);
}

/* A broker that knows nothing of the hint cuts the log, then goes on in a new
 * epoch, with the same segments. */
static void
test_times_behind_our_back(void)
{
	int64_t times[JUMBLED];
	struct buf b = BUF_INIT;
	struct world w;

	begin_jumbled(&w, 2);
	memcpy(times, jumbled, sizeof(times));
	sim_read(w.disk, TIMES, &b);
	mlog_truncate(&w.log, 12, &w.err);
	for (int i = 6; i < JUMBLED; i++)
		append_made(&w, make_sized(2, 200, T0 + (times[i] = 1550 - jumbled[i])), 1);
	sim_write(w.disk, TIMES, b.data, b.len);
	is_int(wrong_times(&w, times, JUMBLED, 0), 0,
	    "a hint from before a newer epoch is not believed where that reaches");
	for (int i = 0; i < 2; i++) {
		mlog_sync(&w.log, &w.err);
		append_made(&w, make_sized(2, 200, T0), 1);
	}
	is_int(wrong_times(&w, times, JUMBLED, 0), 0, "nor extended: it is made anew");
	is_int((intmax_t)lines_of(&w), 11, "with a line for each segment");
	buf_release(&b);
	world_release(&w);
}

int
main(void)
{
	test_seeks();
	test_recovery();
	test_appends();
	test_part();
	test_not_part();
	test_turns();
	test_listing_grows_old();
	test_listing_compacted();
	test_times_jumbled();
	test_times_bad();
	test_times_cut();
	test_times_behind_our_back();
	return tap_done();
}
