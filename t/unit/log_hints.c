/* Tests of a reader that goes by hints instead of a listing (mq.tail, mq.times): it
 * finds what one that lists would find, whatever became of the log since. */
#include "log_many_test.h"

/* A reader that goes by the hints as they are now, on a machine that counts. */
struct guesser {
	struct os *fault;
	struct reader *r;
	int64_t start, end;
};

static void
guesser_init(struct world *w, struct guesser *g, int64_t start)
{
	g->fault = fault_new(sim_os_new(w->disk, 5));
	g->r = reader_open(g->fault, DIR_OF_LOG, start, &w->err);
	expect(w, g->r, mlog_first_base(&w->log));
}

static void
guesser_release(struct guesser *g)
{
	reader_free(g->r);
	os_free(g->fault);
}

/* Are the bounds these, the batch at `offset` what a read from there gives, and all to
 * the end behind it? */
static bool
guesses(struct world *w, struct guesser *g, int64_t start, int64_t end, int64_t offset)
{
	int64_t next = offset;
	struct batch b;
	int got = reader_bounds(g->r, &g->start, &g->end, &w->err);

	if (got == -1 || g->start != start || g->end != end) {
		printf("# %d: %d to %d\n", got, (int)g->start, (int)g->end);
		return false;
	}
	if (reader_seek(g->r, offset, &w->err) == -1)
		return false;
	while ((got = reader_next(g->r, &b, &w->err)) == 1 && b.base_offset == next)
		next = batch_next_offset(&b);
	if (got != 0 || next != end)
		printf("# %d: up to %d\n", got, (int)next);
	return got == 0 && next == end;
}

static int
lists_of(const struct guesser *g)
{
	return (int)fault_count(g->fault, FAULT_LIST);
}

static void
test_guess_stale(void)
{
	struct buf bytes = BUF_INIT;
	struct guesser g;
	struct world w;
	int wrong = 0;

	many(&w, 13);
	guesser_init(&w, &g, 0);
	append_many(&w, 1, 200);
	ok(reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 && g.end == 28 && lists_of(&g) == 0,
	    "what was appended since is seen, without a listing");
	ok(guesses(&w, &g, 0, 28, 8), "and read");
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	append_many(&w, 8, 200);
	ok(guesses(&w, &g, 0, 44, 8), "so are segments that follow");
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	sim_read(w.disk, TIMES, &bytes);
	append_many(&w, 8, 200);
	sim_write(w.disk, TIMES, bytes.data, bytes.len);
	bytes.len = 0;
	ok(guesses(&w, &g, 0, 60, 8), "also those that mq.times does not know, of a broker");
	guesser_release(&g);

	guesser_init(&w, &g, 0);
	mlog_truncate(&w.log, 20, &w.err);
	ok(guesses(&w, &g, 0, 20, 8), "a cut is seen");
	append_many(&w, 6, 200);
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	mlog_restart_at(&w.log, 500, &w.err);
	append_many(&w, 1, 200);
	ok(guesses(&w, &g, 500, 502, 500), "a log that was begun anew, too");
	guesser_release(&g);
	world_release(&w);

	many(&w, 13);
	sim_read(w.disk, TIMES, &bytes);
	for (size_t at = 0; at < bytes.len; at += 3) {
		bytes.data[at] ^= 1;
		sim_write(w.disk, TIMES, bytes.data, bytes.len);
		bytes.data[at] ^= 1;
		guesser_init(&w, &g, 0);
		wrong += reader_bounds(g.r, &g.start, &g.end, &w.err) == -1 || g.start != 0 ||
		    g.end != 26 || lists_of(&g) != 1;
		guesser_release(&g);
	}
	is_int(wrong, 0, "a wrong bit in mq.times leads to a listing");
	sim_write(w.disk, TIMES, bytes.data, bytes.len - TIMES_LINE);
	guesser_init(&w, &g, 0);
	ok(reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 && g.end == 26 &&
	    reader_seek(g.r, 19, &w.err) == 0 && offset_for(&w, g.r, 20) == 20 &&
	    lists_of(&g) == 0, "the newest finished segment needs no line");
	ok(guesses(&w, &g, 0, 26, 8), "and is read");
	guesser_release(&g);
	sim_write(w.disk, TIMES, bytes.data, bytes.len - 2 * TIMES_LINE);
	for (int at = 0; at < 26; at += 2) {
		guesser_init(&w, &g, 0);
		wrong += !guesses(&w, &g, 0, 26, at) || offset_for(&w, g.r, at) != at;
		guesser_release(&g);
	}
	is_int(wrong, 0, "nothing is skipped where more lines are missing");
	/* One in the middle is missing. */
	memmove(bytes.data + TIMES_LINE, bytes.data + 2 * TIMES_LINE, bytes.len - 2 * TIMES_LINE);
	sim_write(w.disk, TIMES, bytes.data, bytes.len - TIMES_LINE);
	guesser_init(&w, &g, 0);
	ok(guesses(&w, &g, 0, 26, 0) && guesses(&w, &g, 0, 26, 14), "nothing is skipped by a gap");
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	is_int(offset_for(&w, g.r, 14), 14, "nor is a time");
	is_int(lists_of(&g), 1, "the directory says what is between");
	guesser_release(&g);
	buf_release(&bytes);
	world_release(&w);
}

static void
test_guess_retention(void)
{
	struct mlog_retained gone;
	struct guesser g;
	struct world w;
	int wrong = 0;

	many(&w, 13);
	guesser_init(&w, &g, 0);
	expect(&w, g.r, 7);
	ok(guesses(&w, &g, 0, 26, 0) && lists_of(&g) >= 1, "a hint of a segment that never was");
	guesser_release(&g);
	mlog_set_start(&w.log, 14, &w.err);
	for (int known = 0; known < 2; known++) {
		guesser_init(&w, &g, 14);
		expect(&w, g.r, known ? 12 : -1);
		ok(reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 && g.start == 14 &&
		    g.end == 26 && lists_of(&g) == 0, "a checkpointed log start needs no listing");
		guesser_release(&g);
	}
	guesser_init(&w, &g, 0);
	ok(reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 && g.start == 12 && g.end == 26 &&
	    lists_of(&g) == 0, "nor does one that the hint tells");
	is_int(offset_for(&w, g.r, 0), 12, "the oldest record is found by its time");
	is_int(lists_of(&g), 0, "without a listing");
	guesser_release(&g);
	for (int first = -1; first < 18; first += first == 11 ? 2 : 1) {
		guesser_init(&w, &g, 0);
		expect(&w, g.r, first);
		wrong += !guesses(&w, &g, 12, 26, 12) || lists_of(&g) == 0;
		guesser_release(&g);
	}
	is_int(wrong, 0, "one that is not that of a segment is not believed");
	guesser_init(&w, &g, 14);
	reader_bounds(g.r, &g.start, &g.end, &w.err);
	mlog_set_start(&w.log, 20, &w.err);
	ok(guesses(&w, &g, 18, 26, 18) && lists_of(&g) >= 1, "a deletion under the guess is seen");
	guesser_release(&g);
	world_release(&w);

	many(&w, 13);
	w.config.retention_bytes = w.log.config.retention_bytes = 900;
	mlog_retain(&w.log, T0, 26, &gone, &w.err);
	guesser_init(&w, &g, 0);
	ok(gone.segments == 2 && reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 &&
	    g.start == w.log.segments[0]->base && g.end == 26 && lists_of(&g) == 0,
	    "so it is with what retention left");
	guesser_release(&g);
	world_release(&w);
}

static void
test_guess_merged(void)
{
	struct guesser g;
	struct world w;

	many(&w, 13);
	merge(&w, 6, 12);
	guesser_init(&w, &g, 0);
	ok(guesses(&w, &g, 0, 26, 14), "an offset in a segment that was merged is found");
	ok(lists_of(&g) >= 1, "by a listing");
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	is_int(offset_for(&w, g.r, 14), 14, "so is a time");
	guesser_release(&g);
	guesser_init(&w, &g, 0);
	ok(guesses(&w, &g, 0, 26, 0), "and all is read once");
	guesser_release(&g);
	world_release(&w);
}

/* The active segment grows, is finished, and loses by compaction exactly what it had
 * grown by: as long as the hint says, and its batches end where the hint says, while
 * the log goes on elsewhere. */
static void
test_guess_shrunk(void)
{
	struct buf bytes = BUF_INIT, times = BUF_INIT;
	struct guesser g;
	struct world w;
	char path[128];

	many(&w, 13);
	guesser_init(&w, &g, 0);
	path_of(path, 24, ".log");
	sim_read(w.disk, path, &bytes);
	sim_read(w.disk, TIMES, &times);
	append_many(&w, 3, 200);
	sim_write(w.disk, TIMES, times.data, times.len);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000024.log.swap", bytes.data, bytes.len);
	os_rename(w.os, DIR_OF_LOG "/00000000000000000024.log.swap", path);
	ok(reader_bounds(g.r, &g.start, &g.end, &w.err) == 0 && g.end == 32,
	    "a segment that is again as the hint says is not taken for the end");
	guesser_release(&g);
	buf_release(&bytes);
	buf_release(&times);
	world_release(&w);
}

/* Hints do not say which segments have aborted transactions, nor does the end, where
 * no producer is at work any more. */
static void
test_guess_aborted(void)
{
	const struct aborted_txn old = {.producer_id = 7, .first_offset = 8, .last_offset = 10,
	    .last_stable_offset = 10};
	uint8_t entry[TXNINDEX_ENTRY];
	struct aborted_txn *list;
	struct guesser g;
	struct world w;
	char path[128];
	size_t count;

	many(&w, 13);
	aborted_encode(&old, entry);
	path_of(path, 6, ".txnindex");
	sim_write(w.disk, path, entry, sizeof(entry));
	guesser_init(&w, &g, 0);
	reader_without_producers(g.r, 26);
	reader_bounds(g.r, &g.start, &g.end, &w.err);
	is_int(lists_of(&g), 0, "the bounds are known without a listing");
	ok(reader_aborted(g.r, 0, 26, &list, &count, &w.err) == 0 && count == 1 &&
	    list[0].first_offset == 8, "what was aborted in a finished segment is found");
	is_int(lists_of(&g), 1, "by one");
	free(list);
	guesser_release(&g);
	world_release(&w);
}

/* Behind the newest record there is nothing to list. */
static void
test_guess_late(void)
{
	struct guesser g;
	struct world w;

	many(&w, 13);
	guesser_init(&w, &g, 0);
	reader_bounds(g.r, &g.start, &g.end, &w.err);
	is_int(offset_for(&w, g.r, 1000), -1, "no record is that new");
	is_int(lists_of(&g), 0, "and that is known without a listing");
	append_many(&w, 9, 200);
	append_at(&w, 2000);
	is_int(offset_for(&w, g.r, 2000), 44, "one that comes later is found");
	guesser_release(&g);
	world_release(&w);
}

static void
test_bases(void)
{
	static const struct {
		int64_t first, last;
		const char *want;
	} asked[] = {{0, 24, "0 6 12 18 24 "}, {5, 24, "0 6 12 18 24 "}, {6, 24, "6 12 18 24 "},
	    {17, 24, "12 18 24 "}, {24, 24, "24 "}, {99, 24, "24 "}, {0, 18, ""}, {0, 23, ""},
	    {0, 30, "0 6 12 18 24 30 "}, {25, 30, "24 30 "}};
	int64_t *bases;
	struct world w;
	size_t count;

	many(&w, 13);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		char got[128] = "";

		(void)times_bases(w.os, DIR_OF_LOG, asked[i].first, asked[i].last, &bases, &count);
		for (size_t k = 0; k < count; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d ", (int)bases[k]);
		free(bases);
		is_str(got, asked[i].want, "bases from %d on, up to %d", (int)asked[i].first,
		    (int)asked[i].last);
	}
	os_remove(w.os, TIMES);
	ok(times_bases(w.os, DIR_OF_LOG, 0, 0, &bases, &count) == 0 && count == 1 && bases[0] == 0,
	    "without the file the first segment is the only one");
	free(bases);
	ok(times_bases(w.os, DIR_OF_LOG, 0, 6, &bases, &count) == 0 && count == 2 && bases[1] == 6,
	    "or what is between is not known");
	free(bases);
	world_release(&w);
}

/* --- power cuts, and a broker that goes on without knowing of the hint ------------- */

/* The power fails at some time of an appending writer that syncs now and then, as a
 * draw of `seed` says, and the hint reaches the disk whole. Whoever has the log next
 * cuts what was torn, and appends later times in the same epoch, up to where it was. */
static int
wrong_after_cut(uint64_t seed, bool removes_hint)
{
	int64_t was, now, later = 100000;
	struct buf hint = BUF_INIT;
	struct world w;
	int wrong = 0, n = 8 + (int)(seed % 14);

	world_init(&w);
	w.config.segment_bytes = 600;
	world_recover(&w, 0);
	for (int i = 0; i < n; i++) {
		append_many(&w, 1, 200);
		if ((seed >> 4) * 7 % 13 > (uint64_t)i % 13)
			mlog_sync(&w.log, &w.err);
	}
	was = mlog_end(&w.log);
	sim_read(w.disk, TIMES, &hint);
	world_crash(&w, seed);
	if (removes_hint) /* a writer of ours finds it, and sees to it */
		sim_write(w.disk, TIMES, hint.data, hint.len);
	world_recover(&w, 0);
	now = mlog_end(&w.log);
	if (!removes_hint) /* a broker leaves it as it is */
		sim_write(w.disk, TIMES, hint.data, hint.len);
	while (mlog_end(&w.log) < was + 6)
		append_at(&w, later + mlog_end(&w.log));
	if (!removes_hint)
		sim_write(w.disk, TIMES, hint.data, hint.len);
	for (int hinted = 0; hinted < 2; hinted++) {
		for (int64_t at = 0; at < was + 6; at += 2) {
			struct reader *r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);

			if (hinted)
				expect(&w, r, mlog_first_base(&w.log));
			if (at >= now)
				wrong += offset_for(&w, r, later + at) != at;
			reader_free(r);
		}
	}
	buf_release(&hint);
	world_close(&w);
	os_free(w.os);
	sim_disk_free(w.disk);
	return wrong;
}

static void
test_times_power_cut(void)
{
	int broker = 0, own = 0;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		broker += wrong_after_cut(seed, false);
		own += wrong_after_cut(seed, true);
	}
	is_int(broker, 0, "a broker that lost a tail and goes on at its offsets: no time is missed");
	is_int(own, 0, "nor when a writer of ours does");
}

int
main(void)
{
	test_guess_stale();
	test_guess_retention();
	test_guess_merged();
	test_guess_shrunk();
	test_guess_aborted();
	test_guess_late();
	test_bases();
	test_times_power_cut();
	return tap_done();
}
