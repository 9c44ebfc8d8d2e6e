/* A log with several writers: what one knows of finished segments, another has
 * compacted or deleted; what one syncs, another goes on behind. */
#include <errno.h>

#include "compact_test.h"

#include "log/segment.h"

static struct os *second;

/* Two processes with the same log of `segments` finished segments, none synced. */
static void
two_writers(struct world *a, struct world *b, int segments)
{
	struct mlog_tail tail;

	world_init(a);
	world_recover(a, 0);
	for (int i = 0; i <= segments; i++) {
		char value[8];

		snprintf(value, sizeof(value), "%d", i);
		put_pairs(a, (struct how){.producer = segments > 0 ? 5 : 0, .sequence = i}, 1,
		    (const char *const[][2]){{"k", value}});
		if (i < segments)
			mlog_roll(&a->log, &a->err);
	}
	tail = a->log.tail;
	*b = *a;
	b->os = second = sim_os_new(a->disk, 2);
	world_open(b, &(struct mlog_open_args){.tail = &tail});
}

static void
release_both(struct world *a, struct world *b)
{
	world_close(b);
	os_free(b->os);
	world_release(a);
}

/* --- stale segments -------------------------------------------------------------- */

static int
sync_it(struct world *w)
{
	return mlog_sync(&w->log, &w->err);
}

static int
sync_elsewhere(struct world *w)
{
	int64_t end;
	int fds[16], r = 0;
	size_t n = mlog_unsynced(&w->log, fds, 16, &end);

	for (size_t i = 0; i < n; i++)
		r |= os_sync(w->os, fds[i]);
	mlog_synced(&w->log, end);
	return r == 0 && w->log.tail.synced_offset == mlog_end(&w->log) ? 0 : -1;
}

static int
roll_it(struct world *w)
{
	return mlog_roll(&w->log, &w->err);
}

static int
load_producers(struct world *w)
{
	return mlog_load_producers(&w->log, &w->err);
}

static int
retain(struct world *w)
{
	struct mlog_retained gone;

	w->log.config.retention_bytes = 1;
	return mlog_retain(&w->log, T0, mlog_end(&w->log), &gone, &w->err);
}

static int
set_start(struct world *w)
{
	return mlog_set_start(&w->log, mlog_end(&w->log), &w->err);
}

static int
truncate_it(struct world *w)
{
	return mlog_truncate(&w->log, 2, &w->err);
}

static int
state(struct world *w)
{
	struct compact_state out;

	return mlog_compact_state(&w->log,
	    &(struct compact_args){.limit_offset = INT64_MAX, .now_ms = T0}, &out, &w->err);
}

static int
compact(struct world *w)
{
	struct compact_result out;

	return mlog_compact(&w->log,
	    &(struct compact_args){.limit_offset = INT64_MAX, .now_ms = T0}, &out, &w->err);
}

static int
delete_two(struct world *w)
{
	return mlog_set_start(&w->log, 2, &w->err);
}

/* One writer has its segments open or not, another compacts or deletes, and the
 * first goes on without having noticed. */
static int
count_failures(int (*act)(struct world *), int (*other_acts)(struct world *), bool is_open)
{
	struct world a, b;
	struct mlog_tail before;
	int wrong = 0;

	two_writers(&a, &b, 3);
	before = b.log.tail;
	if (!is_open) {
		world_close(&a);
		world_open(&a, &(struct mlog_open_args){.tail = &before});
	}
	wrong += other_acts(&b) == -1;
	wrong += mlog_catch_up(&a.log, &b.log.tail, &a.err) == -1;
	if (act(&a) == -1) {
		printf("# %s\n", a.err.text);
		wrong++;
	}
	wrong += a.log.failed;
	wrong += put(&a, "new", "1") == -1;
	world_close(&b);
	os_free(b.os);
	wrong += sim_os_open_count(a.os) > 20;
	world_close(&a);
	wrong += sim_os_open_count(a.os) != 0;
	os_free(a.os);
	sim_disk_free(a.disk);
	return wrong;
}

static void
test_stale(void)
{
	static const struct {
		int (*act)(struct world *);
		const char *what;
	} acts[] = {{sync_it, "syncs"}, {sync_elsewhere, "syncs on another thread"}, {roll_it, "rolls"},
	    {load_producers, "loads its producers"}, {retain, "deletes"}, {set_start, "trims"},
	    {truncate_it, "truncates"}, {state, "looks for what to compact"}, {compact, "compacts"}};

	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		int wrong = 0;

		for (int is_open = 0; is_open < 2; is_open++) {
			wrong += count_failures(acts[i].act, compact, is_open);
			wrong += count_failures(acts[i].act, delete_two, is_open);
		}
		is_int(wrong, 0, "a writer %s, though another has compacted or deleted its segments",
		    acts[i].what);
	}
}

/* The replacement bears the name of what it replaced, and the old file is in a sync. */
static void
test_same_name(void)
{
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = T0};
	struct compact_result out;
	struct world a, b;
	int64_t end;
	int fds[16];

	two_writers(&a, &b, 0);
	put(&a, "j", "1");
	put(&a, "x", "2");
	a.log.config.segment_bytes = b.log.config.segment_bytes = 100; /* none are merged */
	put(&a, "j", "3");
	put(&a, "x", "4");
	mlog_catch_up(&b.log, &a.log.tail, &b.err);
	mlog_unsynced(&a.log, fds, 16, &end);
	args.first_dirty_offset = 0;
	is_int(mlog_compact(&b.log, &args, &out, &b.err), 0, "another process compacts");
	is_str(content(&b), "0:k=0 2:x=2 3:j=3 4:x=4", "with segments of the same names");
	mlog_catch_up(&a.log, &b.log.tail, &a.err);
	put(&a, "k", "5");
	args.first_dirty_offset = 4;
	is_int(mlog_compact(&a.log, &args, &out, &a.err), 0, "a writer that syncs the old file, too");
	is_str(content(&a), "0:k=0 3:j=3 4:x=4 5:k=5", "what had gone does not come back");
	release_both(&a, &b);
}

/* --- descriptors that were lent ------------------------------------------------------ */

static int
count_closed(struct world *w, const int *fds, size_t n)
{
	struct os_stat st;
	int closed = 0;

	for (size_t i = 0; i < n; i++)
		closed += os_stat(w->os, fds[i], &st) == -1;
	return closed;
}

static void
test_lent(void)
{
	struct world a, b;
	int64_t end;
	int fds[16];
	size_t n;

	two_writers(&a, &b, 2);
	n = mlog_unsynced(&a.log, fds, 16, &end);
	is_int((intmax_t)n, 7, "two finished segments and the active one are to be synced");
	for (int i = 0; i < 5; i++) {
		put(&a, "x", "1");
		mlog_roll(&a.log, &a.err);
	}
	is_int(count_closed(&a, fds, n), 0, "their descriptors stay open while the writer rolls on");
	mlog_catch_up(&b.log, &a.log.tail, &b.err);
	put(&b, "y", "1");
	compact(&b);
	ok(mlog_catch_up(&a.log, &b.log.tail, &a.err) == 0 && compact(&a) == 0,
	    "another writes and compacts, and so does this one");
	is_int(count_closed(&a, fds, n), 0, "they still stay");
	mlog_synced(&a.log, end);
	ok(count_closed(&a, fds, n) > 0, "until the sync is told of");
	mlog_sync(&a.log, &a.err);
	mlog_close_files(&a.log);
	is_int((intmax_t)sim_os_open_count(a.os), 0, "then an idle log has none open");
	n = mlog_unsynced(&a.log, fds, 16, &end);
	is_int((intmax_t)n, 0, "and nothing more to sync");
	release_both(&a, &b);
}

int
main(void)
{
	test_stale();
	test_same_name();
	test_lent();
	return tap_done();
}
