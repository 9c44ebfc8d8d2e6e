/* What the tests of logs of many segments share. */
#ifndef LOG_MANY_TEST_H
#define LOG_MANY_TEST_H

#include "log_test.h"

#include "log/segment.h"
#include "log/times.h"

#define TIMES DIR_OF_LOG "/" TIMES_FILE

/* What the store tells a reader of a log that nobody else has written. */
__attribute__((unused)) static void
expect(struct world *w, struct reader *r, int64_t first)
{
	const struct mlog_tail *t = &w->log.tail;
	struct os_stat st = {.inode = 0};
	char path[128];

	path_of(path, t->segment_base, ".log");
	os_stat_path(w->os, path, &st);
	reader_expect(r, (struct reader_tail){.first = first,
	    .base = t->segment_base, .inode = st.inode, .end = t->end_offset});
}

/* As append_many, each durable before the next. */
__attribute__((unused)) static void
append_synced(struct world *w, int n, size_t size)
{
	for (int i = 0; i < n; i++) {
		append_many(w, 1, size);
		mlog_sync(&w->log, &w->err);
	}
}

/* A log of `n` batches of two records, three batches a segment, all durable. */
__attribute__((unused)) static void
many(struct world *w, int n)
{
	world_init(w);
	w->config.segment_bytes = 600;
	world_recover(w, 0);
	append_synced(w, n, 200);
}

__attribute__((unused)) static int64_t
offset_for(struct world *w, struct reader *r, int64_t ms)
{
	int64_t offset, found;

	return reader_offset_for_time(r, T0 + ms, &offset, &found, &w->err) == -1 ? -2 : offset;
}

/* Segment `base` becomes part of the one in front of it, `into`. */
__attribute__((unused)) static void
merge(struct world *w, int64_t into, int64_t base)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	char path[128], to[128];

	path_of(path, base, ".log");
	sim_read(w->disk, path, &b);
	os_remove(w->os, path);
	path_of(to, into, ".log");
	sim_read(w->disk, to, &a);
	buf_put(&a, b.data, b.len);
	path_of(path, into, ".log.swap");
	sim_write(w->disk, path, a.data, a.len);
	os_rename(w->os, path, to);
	path_of(path, into, ".index");
	os_remove(w->os, path);
	buf_release(&a);
	buf_release(&b);
}

__attribute__((unused)) static void
append_at(struct world *w, int64_t ms)
{
	append_made(w, make_sized(2, 200, T0 + ms), 0);
	mlog_sync(&w->log, &w->err);
}

#endif
