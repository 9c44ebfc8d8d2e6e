/* Compaction in small steps, with its log used in between; what is seen from outside. */
#include "compact_test.h"
#include "log/segment.h"

/* What is done to the log between two steps. */
typedef void between(struct world *w, int step);

/* Steps of one byte, so that each ends after one batch. Gives how the last ended; the
 * result in *res. */
static int
run_steps(struct world *w, between *do_between, struct compact_result *res, int *steps)
{
	struct compact_args args = {.limit_offset = mlog_end(&w->log), .now_ms = T0};
	struct compaction *c = compaction_begin(&w->log, &args, &w->err);
	int r = COMPACT_MORE;

	*steps = 0;
	*res = (struct compact_result){0};
	while (c != NULL && (r == COMPACT_MORE || r == COMPACT_SWAP)) {
		do_between(w, *steps);
		*steps += 1;
		if (r == COMPACT_SWAP)
			r = compaction_swap(c, &w->log, &w->err) == 0 ? COMPACT_MORE : -1;
		else
			r = compaction_step(c, 1, &w->err);
	}
	ok(c != NULL && compaction_end(c, res), "nothing is left behind");
	return r;
}

static int
count_temporary(void *ctx, const char *path, bool is_dir, int64_t size)
{
	(void)size;
	if (!is_dir && (strstr(path, ".cleaned") || strstr(path, ".swap") ||
	    strstr(path, ".deleted")))
		*(int *)ctx += 1;
	return 0;
}

static bool
is_tidy(struct world *w)
{
	int count = 0;

	sim_list(w->disk, count_temporary, &count);
	return count == 0;
}

/* Ten segments of three records, keys "0" to "9" three times over, and an active one. */
static void
make_log(struct world *w)
{
	world_init(w);
	world_recover(w, 0);
	w->log.config.segment_bytes = 500;
	for (int i = 0; i < 30; i++) {
		char key[8], value[8];

		snprintf(key, sizeof(key), "%d", i % 10);
		snprintf(value, sizeof(value), "%d", i);
		put(w, key, value);
		if (i % 3 == 2)
			mlog_roll(&w->log, &w->err);
	}
	mlog_sync(&w->log, &w->err);
}

static const char *const latest = "20:0=20 21:1=21 22:2=22 23:3=23 24:4=24 25:5=25 26:6=26 "
    "27:7=27 28:8=28 29:9=29";

static void
append_and_roll(struct world *w, int step)
{
	put(w, "new", "1");
	if (step % 3 == 1)
		mlog_roll(&w->log, &w->err);
}

static void
test_appends(void)
{
	struct world w;
	struct compact_result res;
	struct list all;
	bool there = true;
	int steps, r;

	make_log(&w);
	r = run_steps(&w, append_and_roll, &res, &steps);
	ok(r == COMPACT_DONE && steps > 60,
	    "a compaction in %d steps, with an append in between each", steps);
	is_int(mlog_end(&w.log), 30 + steps, "none of them is lost");
	is_int(res.first_dirty_offset, 30, "what was there when it began is clean");
	is_int(res.records_kept, 10, "ten records stay of it");
	read_all(&w, &all);
	is_int((intmax_t)all.count, 10 + steps, "and are read with all the others");
	for (int64_t o = 30; o < 30 + steps; o++)
		there = there && list_find(&all, o) != NULL;
	ok(there && is_tidy(&w), "every append is there");
	list_release(&all);
	for (size_t i = 1; i < w.log.segment_count; i++)
		there = there && w.log.segments[i - 1]->base < w.log.segments[i]->base;
	ok(there, "the segments are in order");
	compact_from(&w, 30, T0, &res);
	is_int(res.records_kept, 11, "the next compaction goes on from there");
	world_close(&w);
	ok(world_recover(&w, 30 + steps) == 0, "it is opened anew");
	world_release(&w);
}

static void
trim_once(struct world *w, int step)
{
	if (step == 33)
		mlog_set_start(&w->log, 4, &w->err);
}

static void
test_trimmed(void)
{
	struct world w;
	struct compact_result res;
	int steps, r;

	make_log(&w);
	r = run_steps(&w, trim_once, &res, &steps);
	ok(r == -1 && (w.err.code == ERR_AGAIN || w.err.code == ERR_NOT_FOUND),
	    "segments that go meanwhile end it: %s", w.err.text);
	ok(is_tidy(&w) && !w.log.failed, "and the log goes on");
	ok(strncmp(content(&w), "3:3=3 4:4=4 5:5=5", 17) == 0, "with what was there");
	is_int(w.log.start_offset, 4, "from its new start");
	compact_from(&w, 0, T0, &res);
	is_str(content(&w), latest, "it is compacted later");
	world_release(&w);
}

static void
cut_once(struct world *w, int step)
{
	if (step != 33)
		return;
	mlog_truncate(&w->log, 10, &w->err);
	for (int i = 0; i < 20; i++) {
		put(w, "other", "x");
		if (i % 3 == 1) /* the segments have the same bases as before */
			mlog_roll(&w->log, &w->err);
	}
}

static void
test_cut(void)
{
	struct world w;
	struct compact_result res;
	int steps;

	make_log(&w);
	ok(run_steps(&w, cut_once, &res, &steps) == -1 && w.err.code == ERR_AGAIN,
	    "what was planned is void after a cut: %s", w.err.text);
	ok(is_tidy(&w) && !w.log.failed, "and the log goes on");
	compact_from(&w, 0, T0, &res);
	is_str(content(&w), "0:0=0 1:1=1 2:2=2 3:3=3 4:4=4 5:5=5 6:6=6 7:7=7 8:8=8 9:9=9 "
	    "29:other=x", "nothing of what was cut comes back");
	world_release(&w);
}

static void
test_given_up(void)
{
	struct world w;
	int swaps = 0;

	for (int stop = 0; stop < 80; stop++) {
		struct compact_args args = {.limit_offset = 30, .now_ms = T0};
		struct compaction *c;
		struct list all;
		int r = COMPACT_MORE;

		make_log(&w);
		c = compaction_begin(&w.log, &args, &w.err);
		for (int i = 0; i < stop && r != COMPACT_DONE; i++) {
			swaps += r == COMPACT_SWAP;
			if (r == COMPACT_SWAP)
				r = compaction_swap(c, &w.log, &w.err) == 0 ? COMPACT_MORE : -1;
			else
				r = compaction_step(c, 1, &w.err);
		}
		compaction_end(c, NULL);
		read_all(&w, &all);
		if (!is_tidy(&w) || list_find(&all, 20) == NULL || list_find(&all, 29) == NULL)
			swaps = -1000;
		list_release(&all);
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	ok(swaps > 0, "given up after any step it leaves a log in order, and no file");
}

static void
test_look(void)
{
	struct world w;
	struct compact_args args = {.first_dirty_offset = 9, .limit_offset = INT64_MAX,
	    .now_ms = T0};
	struct compact_state from_outside, from_inside;
	struct mlog_oldest old;
	int64_t size;

	make_log(&w);
	w.log.config.max_compaction_lag_ms = 1000;
	mlog_compact_state(&w.log, &args, &from_inside, &w.err);
	ok(compact_look(w.os, DIR_OF_LOG, &w.log.config, &args, 0, INT64_MAX, &from_outside,
	    &w.err) == 0 && memcmp(&from_inside, &from_outside, sizeof(from_inside)) == 0,
	    "from outside the state is the same");
	ok(from_outside.dirty_bytes > 2 * from_outside.clean_bytes &&
	    from_outside.first_dirty_offset == 9 && from_outside.limit_offset == 30,
	    "a third is clean");
	compact_look(w.os, DIR_OF_LOG, &w.log.config, &args, 0, 8, &from_outside, &w.err);
	is_int(from_outside.first_dirty_offset, 0, "a checkpoint beyond the end counts for nothing");
	size = sim_size(w.disk, DIR_OF_LOG "/00000000000000000000.log");
	ok(mlog_look_oldest(w.os, DIR_OF_LOG, &old, &w.err) == 0, "the oldest segment is looked at");
	ok(old.segments == 11 && old.first_bytes == size && old.bytes == mlog_bytes(&w.log) &&
	    old.next_base == 3, "its size, and that of all");
	is_int(old.newest_ms, T0 + 2, "its newest record");
	mlog_restart_at(&w.log, 100, &w.err);
	mlog_look_oldest(w.os, DIR_OF_LOG, &old, &w.err);
	ok(old.segments == 1 && old.newest_ms == -1 && old.bytes == 0, "an empty log has nothing old");
	ok(mlog_look_oldest(w.os, "none-0", &old, &w.err) == -1 && w.err.code == ERR_NOT_FOUND,
	    "no directory is an error");
	world_release(&w);
}

int
main(void)
{
	test_appends();
	test_trimmed();
	test_cut();
	test_given_up();
	test_look();
	return tap_done();
}
