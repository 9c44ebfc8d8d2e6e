/* Tests of the lockless reader, beside a writer and on damaged files. */
#include "log_test.h"

#include "log/segment.h"

static struct reader *
open_reader(struct world *w)
{
	return reader_open(w->os, DIR_OF_LOG, 0, &w->err);
}

/* Reads until the end: how many batches came. */
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
test_follow(void)
{
	struct world w;
	struct reader *r;
	int wrong = 0;

	world_init(&w);
	w.config.segment_bytes = 1000;
	r = open_reader(&w);
	ok(r != NULL && drain(&w, r) == 0, "a directory without segments is empty");
	world_recover(&w, 0);
	for (int i = 0; i < 60; i++) {
		append_many(&w, i % 4, 200);
		for (int polls = 0; polls < i % 3; polls++)
			drain(&w, r);
		if (i % 3 == 0)
			wrong += drain(&w, r) == -1;
	}
	reader_seek(r, 0, &w.err);
	is_int(drain(&w, r), 90, "a reader follows a writer over its rolls");
	is_int(wrong, 0, "without an error");
	is_int(drain(&w, r), 0, "and then there is nothing, for now");
	append_many(&w, 1, 200);
	is_int(drain(&w, r), 1, "until more is written");
	reader_free(r);
	world_release(&w);
}

/* Each prefix of a batch at the end is waited for, not given and not an error. */
static void
test_half_written(void)
{
	struct world w;
	struct reader *r;
	struct buf all = BUF_INIT;
	struct batch b;
	int wrong = 0;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, 3, 200);
	sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &all);
	r = open_reader(&w);
	for (size_t size = 401; size < 600; size++) {
		sim_write(w.disk, DIR_OF_LOG "/00000000000000000000.log", all.data, size);
		reader_seek(r, 0, &w.err);
		wrong += drain(&w, r) != 2;
		wrong += reader_next(r, &b, &w.err) != 0;
		sim_write(w.disk, DIR_OF_LOG "/00000000000000000000.log", all.data, 600);
		wrong += reader_next(r, &b, &w.err) != 1 || b.base_offset != 4;
	}
	is_int(wrong, 0, "a batch that is half written is waited for, whatever the half");
	reader_free(r);
	buf_release(&all);
	world_release(&w);
}

static void
test_polling_costs(void)
{
	struct world w;
	struct reader *r;
	struct os *fault;
	uint64_t before, lists;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, 100, 200);
	fault = fault_new(sim_os_new(w.disk, 5));
	r = reader_open(fault, DIR_OF_LOG, 0, &w.err);
	drain(&w, r);
	drain(&w, r);
	before = fault_count(fault, FAULT_ALL);
	lists = fault_count(fault, FAULT_LIST);
	for (int i = 0; i < 10; i++)
		drain(&w, r);
	ok(fault_count(fault, FAULT_ALL) - before <= 21, "an idle poll is two calls");
	ok(fault_count(fault, FAULT_LIST) - lists <= 1, "and seldom lists the directory");
	reader_free(r);
	os_free(fault);
	world_release(&w);
}

static void
test_deleted(void)
{
	struct world w;
	struct reader *r;
	struct batch b;
	int64_t start, end;

	world_init(&w);
	w.config.segment_bytes = 1000;
	world_recover(&w, 0);
	append_many(&w, 20, 200);
	r = open_reader(&w);
	reader_next(r, &b, &w.err);
	ok(mlog_set_start(&w.log, 25, &w.err) == 0, "the log start moves");
	is_int(w.log.segments[0]->base, 20, "segments below it are deleted");
	is_int(drain(&w, r), 14, "a reader in one of them ends it, then goes on at the first left");
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && start == 20 && end == 40, "bounds follow");
	reader_seek(r, 0, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.base_offset == 20,
	    "seeking below the start gives the first batch there is");
	reader_free(r);
	world_release(&w);
}

/* The segment that the bounds were looked up in is another file now, longer. */
static void
test_made_anew(void)
{
	struct world w;
	struct reader *r;
	int64_t start, end;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, 3, 200);
	r = open_reader(&w);
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && end == 6, "a log of three batches");
	ok(mlog_restart_at(&w.log, 0, &w.err) == 0 && append_many(&w, 1, 700) == 0,
	    "is made anew, and longer");
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && start == 0 && end == 2,
	    "its end is not looked for behind that of the old one");
	reader_free(r);
	world_release(&w);
}

/* Segments 0.. and 6.. become one while a reader is in the first. */
static void
test_merged(void)
{
	struct world w;
	struct reader *r;
	struct buf a = BUF_INIT, b = BUF_INIT;
	struct batch batch;

	for (int read_first = 0; read_first <= 6; read_first++) {
		world_init(&w);
		w.config.segment_bytes = 600;
		world_recover(&w, 0);
		append_many(&w, 9, 200);
		r = open_reader(&w);
		for (int i = 0; i < read_first; i++)
			reader_next(r, &batch, &w.err);
		buf_clear(&a);
		buf_clear(&b);
		sim_read(w.disk, DIR_OF_LOG "/00000000000000000000.log", &a);
		sim_read(w.disk, DIR_OF_LOG "/00000000000000000006.log", &b);
		buf_put(&a, b.data, b.len);
		os_rename(w.os, DIR_OF_LOG "/00000000000000000000.log", DIR_OF_LOG "/x");
		os_remove(w.os, DIR_OF_LOG "/00000000000000000006.log");
		os_remove(w.os, DIR_OF_LOG "/00000000000000000000.index");
		sim_write(w.disk, DIR_OF_LOG "/00000000000000000000.log.swap", a.data, a.len);
		os_rename(w.os, DIR_OF_LOG "/00000000000000000000.log.swap",
		    DIR_OF_LOG "/00000000000000000000.log");
		is_int(drain(&w, r), 9 - read_first,
		    "segments merged after %d batches were read: each comes once", read_first);
		reader_free(r);
		world_release(&w);
	}
	buf_release(&a);
	buf_release(&b);
}

/* Rot in the last batch looks like one that is being written, but for what a
 * checkpoint or hint says of it. */
static struct os_ops real_ops, missing_ops;
static const char *missed; /* a name that one listing does not show */
static int listings, miss_at;

struct filter {
	int (*each)(void *ctx, const char *name);
	void *ctx;
};

static int
filter_name(void *ctx, const char *name)
{
	const struct filter *f = ctx;

	return listings == miss_at && strcmp(name, missed) == 0 ? 0 : f->each(f->ctx, name);
}

static int
list_missing(struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct filter f = {each, ctx};

	listings++;
	return real_ops.list(os, path, filter_name, &f);
}

/* POSIX lets a listing miss a name that is renamed meanwhile. */
static void
test_missed_names(void)
{
	static const char *const names[] = {"00000000000000000000.log", "00000000000000000004.log",
	    "00000000000000000008.log"};
	struct world w;
	int64_t start, end, next, at, found, found_ms;
	int wrong = 0, bad;

	world_init(&w);
	w.config.segment_bytes = 500;
	world_recover(&w, 0);
	append_many(&w, 8, 200);
	real_ops = missing_ops = *w.os->ops;
	missing_ops.list = list_missing;
	w.os->ops = &missing_ops;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		missed = names[i];
		for (miss_at = 1; miss_at < 12; miss_at++) {
			struct reader *r;

			listings = 0;
			wrong += count_batches(&w, 0, &next, &bad) != 8 || bad != 0;
			listings = 0;
			r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
			wrong += reader_bounds(r, &start, &end, &w.err) == -1 || start != 0 || end != 16;
			reader_free(r);
			listings = 0;
			r = reader_open(w.os, DIR_OF_LOG, 0, &w.err);
			at = i == 0 ? 0 : (int64_t)i * 4;
			wrong += reader_offset_for_time(r, T0 + at, &found, &found_ms, &w.err) == -1 ||
			    found != at;
			reader_free(r);
		}
	}
	is_int(wrong, 0, "a name that a listing misses is no hole");
	w.os->ops = &real_ops;
	world_release(&w);
}

static void
test_rot_at_the_end(void)
{
	struct world w;
	struct reader *r;
	struct batch b;
	int64_t start, end, good;

	world_init(&w);
	world_recover(&w, 0);
	append_many(&w, 3, 200);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", (2 * 200 + 150) * 8);
	r = open_reader(&w);
	is_int(drain(&w, r), 2, "a bad batch at the end is waited for");
	ok(reader_bounds(r, &start, &good, &w.err) == 0 && good < mlog_end(&w.log),
	    "and the end lies before it");
	reader_free(r);

	r = open_reader(&w);
	reader_synced(r, mlog_end(&w.log));
	ok(reader_bounds(r, &start, &end, &w.err) == 0 && end == mlog_end(&w.log),
	    "unless it was synced: then it is counted");
	reader_next(r, &b, &w.err);
	reader_next(r, &b, &w.err);
	ok(reader_next(r, &b, &w.err) == -1 && w.err.code == ERR_CORRUPT, "and told as damage");
	is_int(reader_damage(r)->lost_first, good, "from the first lost offset");
	is_int(reader_damage(r)->lost_last, mlog_end(&w.log) - 1, "to the last that was synced");
	is_int(drain(&w, r), 0, "once");
	append_many(&w, 1, 200);
	is_int(drain(&w, r), 1, "and what comes behind is read");
	reader_free(r);
	world_release(&w);
}

/* Flips each bit of a batch in the middle: the others come, this one does not. */
static void
test_flips(void)
{
	int wrong = 0, harmless = 0;

	for (int64_t bit = 0; bit < 200 * 8; bit++) {
		struct world w;
		struct reader *r;
		struct batch b;
		int got, good = 0, bad = 0;

		world_init(&w);
		world_recover(&w, 0);
		append_many(&w, 4, 200);
		sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000000.log", 200 * 8 + bit);
		r = open_reader(&w);
		while ((got = reader_next(r, &b, &w.err)) != 0 && good + bad < 20) {
			if (got == 1 && b.base_offset != 2)
				good++;
			else if (got == 1)
				harmless++;
			else
				bad++;
		}
		/* The leader epoch is outside the checksum, and means nothing
		 * here; the base offset is too, but must fit its neighbours. */
		if (bit < 96 || bit >= 128)
			wrong += good != 3 || bad != 1 ||
			    strstr(w.err.text, "next good batch at 400") == NULL;
		else
			wrong += good != 3 || bad != 0;
		reader_free(r);
		world_close(&w);
		os_free(w.os);
		sim_disk_free(w.disk);
	}
	is_int(wrong, 0, "a flipped bit costs one batch and one error, wherever it is");
	is_int(harmless, 32, "but in the leader epoch");
}

static void
test_big_batches(void)
{
	struct world w;
	struct reader *r;
	struct batch b;
	int64_t base, position;

	world_init(&w);
	w.config.max_message_bytes = 64 << 20;
	world_recover(&w, 0);
	append_many(&w, 1, 200);
	append_made(&w, make_batch((struct make){.records = 1, .timestamp = T0, .value = 5 << 20}), 0);
	append_many(&w, 1, 200);
	r = open_reader(&w);
	reader_next(r, &b, &w.err);
	ok(reader_next(r, &b, &w.err) == 1 && b.size > 5 << 20, "a batch larger than any block comes");
	reader_position(r, &base, &position);
	ok(base == 0 && position == 200, "with its position");
	is_int(drain(&w, r), 1, "and what follows it");
	reader_free(r);
	world_release(&w);
}

/* A time lookup must equal what a scan of all records finds. */
static void
test_times(bool damaged)
{
	static const int64_t times[] = {0, 50, 10, 400, 30, 400, 500, 90, 1000, 20};
	struct world w;
	struct reader *r;
	int wrong = 0;

	world_init(&w);
	w.config.segment_bytes = 700;
	w.config.index_interval_bytes = 150;
	world_recover(&w, 0);
	for (int i = 0; i < 10; i++)
		append_made(&w, make_sized(2, 200, T0 + times[i]), 0);
	mlog_sync(&w.log, &w.err);
	if (damaged) {
		sim_write(w.disk, DIR_OF_LOG "/00000000000000000000.timeindex", "abcdefghijkl", 12);
		os_remove(w.os, DIR_OF_LOG "/00000000000000000006.timeindex");
		sim_write(w.disk, DIR_OF_LOG "/00000000000000000006.index", "abcdefgh", 8);
	}
	r = open_reader(&w);
	for (int64_t t = -5; t < 1010; t++) {
		int64_t want = -1, want_time = -1, offset, found;
		for (int i = 9; i >= 0; i--) {
			if (times[i] >= t) {
				want = i * 2;
				want_time = T0 + times[i];
			}
		}
		if (reader_offset_for_time(r, T0 + t, &offset, &found, &w.err) == -1 ||
		    offset != want || found != want_time) {
			if (wrong++ == 0)
				printf("# T0%+lld: got %lld, want %lld\n", (long long)t,
				    (long long)offset, (long long)want);
		}
	}
	is_int(wrong, 0, "a time gives its first offset, %s",
	    damaged ? "also with damaged indexes" : "through indexes");
	reader_free(r);
	world_release(&w);
}

static void
test_record_in_batch(void)
{
	struct world w;
	struct reader *r;
	struct batch_builder bb;
	struct batch b;
	struct made m;
	int64_t offset, found;

	world_init(&w);
	world_recover(&w, 0);
	batch_builder_init(&bb, CODEC_GZIP, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < 10; i++) {
		struct record rec = {.timestamp = T0 + i * 10, .key_size = -1, .value_size = -1};
		batch_builder_add(&bb, &rec, &w.err);
	}
	batch_builder_finish(&bb, &b, &w.err);
	m.len = (size_t)b.size;
	m.bytes = malloc(m.len);
	memcpy(m.bytes, b.bytes, m.len);
	append_made(&w, m, 0);
	r = open_reader(&w);
	reader_offset_for_time(r, T0 + 41, &offset, &found, &w.err);
	ok(offset == 5 && found == T0 + 50, "inside a compressed batch the record is found");
	reader_free(r);
	batch_builder_release(&bb);
	world_release(&w);
}

int
main(void)
{
	test_follow();
	test_half_written();
	test_polling_costs();
	test_deleted();
	test_made_anew();
	test_merged();
	test_flips();
	test_missed_names();
	test_rot_at_the_end();
	test_big_batches();
	test_times(false);
	test_times(true);
	test_record_in_batch();
	return tap_done();
}
