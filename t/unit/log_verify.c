/* Tests of what mq-index check finds: all damage, and nothing else. */
#include "log_test.h"

#include "log/verify.h"
#include "os/os_real.h"

#define LOG0 DIR_OF_LOG "/00000000000000000000.log"
#define INDEX0 DIR_OF_LOG "/00000000000000000000.index"
#define TIME0 DIR_OF_LOG "/00000000000000000000.timeindex"

struct seen {
	int counts[VERIFY_CHECKS];
	int damage;
	char last[512];
	struct verify_finding finding;
};

static void
see(void *ctx, const struct verify_finding *f)
{
	struct seen *s = ctx;

	s->counts[f->check]++;
	s->damage += f->damage;
	snprintf(s->last, sizeof(s->last), "%s %s %lld: %s", verify_check_name(f->check), f->file,
	    (long long)f->position, f->text);
	s->finding = *f;
}

static struct seen
look(struct world *w, int64_t recovery_point)
{
	struct seen s = {0};
	struct verify_args args = {.recovery_point = recovery_point, .records = true, .found = see,
	    .ctx = &s};
	struct verify_totals totals = {0};

	if (verify_dir(w->os, DIR_OF_LOG, &args, &totals, &w->err) == -1)
		printf("# %s\n", w->err.text);
	if (s.damage > 0)
		printf("# %s\n", s.last);
	return s;
}

/* Three segments. */
static void
make(struct world *w)
{
	world_init(w);
	w->config.segment_bytes = 1000;
	w->config.index_interval_bytes = 300;
	world_recover(w, 0);
	append_many(w, 14, 200);
	mlog_sync(&w->log, &w->err);
	world_close(w);
}

static void
change(struct world *w, const char *path, size_t at, uint8_t value)
{
	struct buf b = BUF_INIT;

	sim_read(w->disk, path, &b);
	b.data[at] = value;
	sim_write(w->disk, path, b.data, b.len);
	buf_release(&b);
}

static void
test_sound(void)
{
	struct world w;
	struct seen s;

	make(&w);
	s = look(&w, -1);
	ok(s.damage == 0 && s.last[0] == '\0', "a sound log gives no finding");
	sim_write(w.disk, DIR_OF_LOG "/notes.txt", "x", 1);
	s = look(&w, -1);
	ok(s.damage == 0 && s.counts[VERIFY_FOREIGN] == 1, "a foreign file is a note");
	world_release(&w);
}

static void
test_batches(void)
{
	struct world w;
	struct seen s;

	make(&w);
	sim_flip_bit(w.disk, LOG0, (400 + 100) * 8);
	s = look(&w, -1);
	ok(s.counts[VERIFY_BATCH] == 1 && s.finding.next_good == 600 && s.finding.lost_first == 4 &&
	    s.finding.lost_last == 5 && s.finding.crc_found != s.finding.crc_wanted,
	    "a bad batch is damage, with all that is to be said of it");
	world_release(&w);

	make(&w);
	sim_flip_bit(w.disk, LOG0, (800 + 100) * 8);
	s = look(&w, -1);
	ok(s.counts[VERIFY_BATCH] == 1 && s.finding.lost_last == 9,
	    "at the end of a segment that others follow it is damage too");
	world_release(&w);

	make(&w);
	sim_flip_bit(w.disk, DIR_OF_LOG "/00000000000000000020.log", (600 + 100) * 8);
	s = look(&w, -1);
	ok(s.damage == 0 && s.counts[VERIFY_TORN] == 1, "at the end of all it is torn: a note");
	s = look(&w, 26);
	ok(s.damage == 0 && s.counts[VERIFY_TORN] == 1, "also above the recovery point");
	s = look(&w, 28);
	ok(s.damage == 1 && s.counts[VERIFY_BATCH] == 1, "but below it it is damage");
	world_release(&w);
}

static void
test_indexes(void)
{
	struct world w;
	struct seen s;
	struct buf b = BUF_INIT;

	make(&w);
	change(&w, INDEX0, 7, 0x91);
	s = look(&w, -1);
	ok(s.counts[VERIFY_BOUNDARY] == 1, "an entry that points into a batch");
	world_release(&w);

	make(&w);
	change(&w, INDEX0, 3, 6);
	s = look(&w, -1);
	ok(s.counts[VERIFY_BOUNDARY] == 1, "an entry of another offset");
	world_release(&w);

	make(&w);
	change(&w, INDEX0, 11, 1);
	s = look(&w, -1);
	ok(s.counts[VERIFY_ORDER] == 1, "entries that do not increase");
	world_release(&w);

	make(&w);
	change(&w, TIME0, 7, 0xff);
	s = look(&w, -1);
	ok(s.counts[VERIFY_TIME] + s.counts[VERIFY_ORDER] >= 1, "a time that is no batch's");
	world_release(&w);

	make(&w);
	sim_read(w.disk, TIME0, &b);
	sim_write(w.disk, TIME0, b.data, b.len - 12);
	s = look(&w, -1);
	ok(s.counts[VERIFY_TIME] == 1, "a finished segment without its closing time entry");
	sim_write(w.disk, TIME0, b.data, b.len - 5);
	s = look(&w, -1);
	ok(s.counts[VERIFY_SIZE] == 1, "a size that is no multiple");
	memset(buf_extend(&b, 24), 0, 24);
	sim_write(w.disk, TIME0, b.data, b.len);
	s = look(&w, -1);
	ok(s.damage == 1 && s.counts[VERIFY_PADDING] == 1, "zeros behind the entries");
	world_release(&w);

	make(&w);
	os_remove(w.os, INDEX0);
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000077.index", "", 0);
	s = look(&w, -1);
	ok(s.counts[VERIFY_MISSING] == 1 && s.counts[VERIFY_ORPHAN] == 1,
	    "a missing index, and one that is nobody's");
	sim_write(w.disk, DIR_OF_LOG "/00000000000000000010.snapshot", "x", 1);
	sim_write(w.disk, DIR_OF_LOG "/leader-epoch-checkpoint", "0\n1\n4 0\n", 8);
	s = look(&w, -1);
	ok(s.counts[VERIFY_SNAPSHOT] == 1 && s.counts[VERIFY_EPOCHS] == 14,
	    "a bad snapshot, and epochs that are not the batches'");
	world_release(&w);
	buf_release(&b);
}

static int
copy_name(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct world *w = ctx;
	struct buf b = BUF_INIT;
	char to[128];

	(void)size;
	if (is_dir || strncmp(path, DIR_OF_LOG "/", 4) != 0)
		return 0;
	sim_read(w->disk, path, &b);
	snprintf(to, sizeof(to), "r-0/%s", path + 4);
	sim_write(w->disk, to, b.len ? b.data : (const uint8_t *)"", b.len);
	buf_release(&b);
	return 0;
}

static struct seen
compare(struct world *w, bool compacted)
{
	struct seen s = {0};
	struct verify_args args = {.found = see, .ctx = &s, .compacted = compacted};
	struct verify_totals totals = {0};

	if (verify_replicas(w->os, DIR_OF_LOG, "r-0", &args, &totals, &w->err) == -1)
		printf("# %s\n", w->err.text);
	return s;
}

static void
test_replicas(void)
{
	struct world w;
	struct seen s;
	struct buf b = BUF_INIT;

	make(&w);
	sim_list(w.disk, copy_name, &w);
	s = compare(&w, false);
	is_int(s.damage, 0, "two equal replicas have no difference");
	sim_read(w.disk, "r-0/00000000000000000020.log", &b);
	sim_write(w.disk, "r-0/00000000000000000020.log", b.data, 400);
	s = compare(&w, false);
	is_int(s.damage, 0, "one may be behind");
	change(&w, "r-0/00000000000000000010.log", 15, 7);
	s = compare(&w, false);
	ok(s.counts[VERIFY_DIFFER] == 1 && strstr(s.last, "offsets 10..11") != NULL,
	    "a byte that differs is found, outside the checksum too");
	buf_clear(&b);
	sim_read(w.disk, LOG0, &b);
	memmove(b.data + 200, b.data + 400, b.len - 400);
	sim_write(w.disk, "r-0/00000000000000000000.log", b.data, b.len - 200);
	s = compare(&w, false);
	is_int(s.counts[VERIFY_DIFFER], 2, "so is a batch that is missing");
	s = compare(&w, true);
	is_int(s.damage, 0, "which is fine where they are compacted");
	buf_release(&b);
	world_release(&w);
}

struct store {
	struct os *os;
	int dirs, damage;
};

static int
check_kafka(void *ctx, const char *name)
{
	struct store *st = ctx;
	struct seen s = {0};
	struct verify_args args = {.recovery_point = -1, .records = true, .found = see, .ctx = &s};
	struct verify_totals totals = {0};
	struct err err;
	char dir[300];

	if (strchr(name, '-') == NULL || strstr(name, "checkpoint") != NULL)
		return 0;
	snprintf(dir, sizeof(dir), "t/data/kafka-store/%s", name);
	st->dirs++;
	if (verify_dir(st->os, dir, &args, &totals, &err) == -1 || s.damage > 0 ||
	    s.counts[VERIFY_FOREIGN] > 0) {
		st->damage++;
		printf("# %s: %s\n", name, s.last);
	}
	return 0;
}

static void
test_kafkas(void)
{
	struct err err;
	struct store st = {.os = os_real_new(&err)};

	os_list(st.os, "t/data/kafka-store", check_kafka, &st);
	ok(st.dirs > 20 && st.damage == 0, "a real Kafka's %d partitions are all sound", st.dirs);
	os_free(st.os);
}

int
main(void)
{
	test_sound();
	test_batches();
	test_indexes();
	test_replicas();
	test_kafkas();
	return tap_done();
}
