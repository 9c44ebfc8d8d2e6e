/* Tests of files beside the log that lie: nothing that they say may cost records. */
#include "log_test.h"

#include "log/index.h"
#include "log/segment.h"

#define HOUR 3600000
#define FORGED 8000

/* A closed log of segments of three batches of two records and 200 bytes, 1 ms
 * apart; the last segment holds two. */
static void
make_log(struct world *w)
{
	world_init(w);
	w->config.index_interval_bytes = 150;
	w->config.segment_bytes = 650;
	w->config.retention_ms = HOUR;
	world_recover(w, 0);
	append_many(w, 8, 200);
	mlog_sync(&w->log, &w->err);
}

static void
write_file(struct world *w, int64_t base, const char *suffix, const void *data, size_t len)
{
	char path[128];

	path_of(path, base, suffix);
	sim_write(w->disk, path, data, len);
}

static void
write_time(struct world *w, int64_t base, int64_t timestamp, int64_t offset)
{
	uint8_t entry[TINDEX_ENTRY];

	tindex_encode(&(struct tindex_entry){timestamp, offset}, base, entry);
	write_file(w, base, ".timeindex", entry, sizeof(entry));
}

static void
test_old_times(void)
{
	struct mlog_retained gone;
	struct world w;
	int64_t next;
	int bad;

	make_log(&w);
	world_close(&w);
	write_time(&w, 0, 1, 5);
	write_time(&w, 6, T0 - 2 * HOUR, 7);
	world_recover(&w, 12);
	w.log.tail.max_timestamp = 1;
	ok(mlog_retain(&w.log, T0 + 1000, mlog_end(&w.log), &gone, &w.err) == 0, "retention runs");
	is_int(gone.segments, 0, "no time index makes it delete what is not old");
	is_int(count_batches(&w, 0, &next, &bad), 8, "every batch is there");
	ok(mlog_retain(&w.log, T0 + 3 * HOUR, mlog_end(&w.log), &gone, &w.err) == 0 &&
	    gone.segments == 3, "what is old goes");
	world_release(&w);

	make_log(&w);
	world_close(&w);
	/* True, but the entries behind it are gone. */
	write_time(&w, 0, T0, 1);
	world_recover(&w, 12);
	ok(mlog_retain(&w.log, T0 + HOUR + 3, mlog_end(&w.log), &gone, &w.err) == 0 &&
	    gone.segments == 0, "nor one that has lost its last entries");
	world_release(&w);
}

static void
test_lost_times(void)
{
	int64_t offset, found;
	struct reader *r;
	struct world w;
	int wrong = 0;

	make_log(&w);
	write_time(&w, 0, T0, 1);
	r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
	for (int64_t t = 0; t < 6; t += 2) {
		wrong += reader_offset_for_time(r, T0 + t, &offset, &found, &w.err) == -1 ||
		    offset != t || found != T0 + t;
	}
	is_int(wrong, 0, "a time index that has lost its last entries hides no record");
	reader_free(r);
	world_release(&w);
}

static void
test_tails(void)
{
	struct mlog_tail lies[64], t;
	struct world w;
	size_t n = 0;
	int wrong = 0;

	make_log(&w);
	t = w.log.tail;
	world_release(&w);
	for (int64_t size = 1; size <= t.size; size += 133) {
		lies[n] = t;
		lies[n].size = size;
		lies[n].indexed_position = 0;
		lies[n++].synced_offset = size % 2 ? 0 : t.end_offset;
	}
	lies[n] = t;
	lies[n++].end_offset -= 2;
	lies[n] = t;
	lies[n++].end_offset += 100;
	lies[n] = t;
	lies[n++].end_offset = INT64_MAX;
	lies[n] = t;
	lies[n++].indexed_position = 61;
	lies[n] = t;
	lies[n].size = 200;
	lies[n++].end_offset = t.end_offset;
	lies[n] = t;
	lies[n].size = 0;
	lies[n++].indexed_position = 0;
	lies[n] = t;
	lies[n].segment_base = 6;
	lies[n++].size = 600;
	for (size_t i = 0; i < n; i++) {
		struct mlog_open_args args = {.tail = &lies[i]};
		int64_t next = -1;
		int bad = 0;

		make_log(&w);
		world_close(&w);
		w.config.segment_bytes = 10000;
		if (world_open(&w, &args) == -1 || append_many(&w, 1, 200) == -1 ||
		    count_batches(&w, 0, &next, &bad) != 9 || bad != 0 || next != 18) {
			printf("# tail %zu: %s next %lld bad %d\n", i, w.notes, (long long)next, bad);
			wrong++;
		}
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "no tail makes a writer cut or overwrite records, or leave a gap (%zu)", n);
}

/* The process that has the log open finds it shorter than it left it. */
static void
test_shrunk(void)
{
	struct buf b = BUF_INIT;
	struct world w;
	int64_t next;
	char path[128];
	int bad;

	make_log(&w);
	path_of(path, 0, ".log");
	sim_read(w.disk, path, &b);
	b.data[300] ^= 1;
	sim_write(w.disk, path, b.data, b.len);
	path_of(path, 12, ".log");
	buf_clear(&b);
	sim_read(w.disk, path, &b);
	sim_write(w.disk, path, b.data, 300);
	w.notes[0] = '\0';
	mlog_catch_up(&w.log, NULL, &w.err);
	is_int(count_batches(&w, 0, &next, &bad), 6, "rot in a synced segment stays where it is");
	buf_release(&b);
	world_release(&w);
}

/* Whole batches that were synced may be gone, with nothing torn to show for it. */
static void
test_lost_batches(void)
{
	struct buf b = BUF_INIT;
	struct world w;
	char path[128];

	make_log(&w);
	world_close(&w);
	path_of(path, 12, ".log");
	sim_read(w.disk, path, &b);
	sim_write(w.disk, path, b.data, 200);
	world_recover(&w, 16);
	ok(strstr(w.notes, "offsets 14..15 are lost") != NULL, "batches lost at the end are told of");
	world_close(&w);
	world_recover(&w, 14);
	is_str(w.notes, "", "and nothing is told where none are");
	buf_release(&b);
	world_release(&w);
}

/* A header that is not checked further may name offsets that no sum can hold. */
static void
test_far_headers(void)
{
	struct buf b = BUF_INIT;
	struct world w;
	struct batch got;
	struct scan scan;
	char path[128];
	int fd;

	make_log(&w);
	path_of(path, 0, ".log");
	sim_read(w.disk, path, &b);
	be64_put(b.data + 200, (uint64_t)INT64_MAX);
	sim_write(w.disk, path, b.data, b.len);
	ok(mlog_load_producers(&w.log, &w.err) == 0, "producers are replayed past it");
	scan_init(&scan);
	fd = os_open(w.os, path, OS_READ);
	scan_start(&scan, w.os, fd, 200);
	scan.headers_only = true;
	is_int(scan_next(&scan, &got, &w.err), -1, "it is no batch");
	is_int(scan.fault, BATCH_BAD_HEADER, "but a bad header");
	scan_release(&scan);
	os_close(w.os, fd);
	buf_release(&b);
	world_release(&w);
}

/* A segment of headers that each say that their batch reaches to the end of the
 * file, and of small batches between them, so that every one is come upon. */
static void
forge_headers(struct world *w, int batches)
{
	struct buf b = BUF_INIT, forged = BUF_INIT;
	size_t one, size;
	char path[128];

	path_of(path, 0, ".log");
	sim_read(w->disk, path, &b);
	one = b.len / (size_t)batches;
	size = (one + BATCH_HEADER) * (size_t)batches;
	for (int i = 0; i < batches; i++) {
		const uint8_t *good = b.data + one * (size_t)i;
		size_t at = forged.len;

		buf_put(&forged, good, BATCH_HEADER);
		be32_put(forged.data + at + 8, (uint32_t)(size - at - BATCH_PREFIX));
		buf_put(&forged, good, one);
	}
	sim_write(w->disk, path, forged.data, forged.len);
	buf_release(&b);
	buf_release(&forged);
}

static void
test_forged_headers(void)
{
	struct world w;
	struct batch got;
	struct scan scan;
	char path[128];
	int fd, r;
	int64_t work = 0, size;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, FORGED, 0);
	world_close(&w);
	forge_headers(&w, FORGED);
	path_of(path, 0, ".log");
	scan_init(&scan);
	fd = os_open(w.os, path, OS_READ);
	scan_start(&scan, w.os, fd, 0);
	while ((r = scan_next(&scan, &got, &w.err)) != 0) {
		if (r == -1)
			work += scan.bad.size;
		if (r == -1 && scan_find(&scan, scan.position + 1, 0, 0, &got, &w.err) != 1)
			break;
	}
	size = scan.seen;
	ok(r == -1 && scan.gave_up, "a pass over forged headers is given up");
	ok(work <= (256 << 20) + 17 * size, "after work that is linear: %lld MB for %lld",
	    (long long)work >> 20, (long long)size);
	scan_release(&scan);
	os_close(w.os, fd);

	world_recover(&w, 0);
	ok(strstr(w.notes, "kept as .log.cut") != NULL, "what was not looked at is kept");
	world_release(&w);
}

/* What was set aside before stays, whatever names it has taken. */
static void
test_names_taken(void)
{
	struct buf b = BUF_INIT;
	char suffix[32], path[128];
	struct world w;
	int kept = 0;

	make_log(&w);
	world_close(&w);
	for (int64_t base = 6; base <= 12; base += 6) {
		for (int i = 0; i <= 1000; i++) {
			snprintf(suffix, sizeof(suffix), i == 0 ? ".log.cut" : ".log.cut.%d", i);
			write_file(&w, base, suffix, "old", 3);
		}
	}
	path_of(path, 0, ".log");
	sim_read(w.disk, path, &b);
	b.data[300] ^= 1;
	sim_write(w.disk, path, b.data, b.len);
	is_int(world_recover(&w, 0), -1, "a cut whose names are all taken is refused");
	ok(strstr(w.err.text, "too many") != NULL, "%s", w.err.text);
	for (int64_t base = 6; base <= 12; base += 6) {
		path_of(path, base, ".log.cut.1000");
		buf_clear(&b);
		kept += sim_read(w.disk, path, &b) == 0 && b.len == 3;
		path_of(path, base, ".log");
		buf_clear(&b);
		kept += sim_read(w.disk, path, &b) == 0 && b.len > 300;
	}
	is_int(kept, 4, "and nothing is replaced, nothing lost");
	buf_release(&b);
	world_release(&w);
}

int
main(void)
{
	test_old_times();
	test_lost_times();
	test_tails();
	test_shrunk();
	test_lost_batches();
	test_far_headers();
	test_forged_headers();
	test_names_taken();
	return tap_done();
}
