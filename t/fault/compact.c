/*
 * Compaction under faults: killed at every call that changes something, then
 * also struck by a power failure; every call failing; readers at every step.
 *
 * Whatever happens, a reader finds every record that a compaction keeps, and
 * none that was not there before: the old segments or the new, never neither.
 */
#include <errno.h>

#include "compact_test.h"

#include "log/segment.h"

#define IMAGES 6 /* power failures tried for each call */
#define NOW (T0 + 10)
#define MERGE 1400 /* segment.bytes, as the log was written */
#define SPLIT 200  /* lowered since, so that one segment becomes several */

static struct sim_disk *origin;    /* the log before the compaction under test */
static struct mlog_tail tail;
static struct list before, after;  /* its records, and those that stay */
static struct list last;           /* those that stay however often it is compacted */
static struct mlog_config config;

/* --- the log ---------------------------------------------------------------------- */

static int32_t sequence;

static void
put_numbered(struct world *w, int i, int64_t producer, int16_t attributes)
{
	char key[8], other[8], value[16];
	const char *const pairs[2][2] = {{key, i % 11 == 3 ? GONE : value}, {other, value}};

	snprintf(key, sizeof(key), "k%d", i % 7);
	snprintf(other, sizeof(other), "j%d", i % 13);
	snprintf(value, sizeof(value), "%d", i);
	put_pairs(w, (struct how){.codec = i % 3 == 0 ? CODEC_LZ4 : CODEC_NONE,
	    .attributes = attributes, .producer = producer, .sequence = sequence}, 2, pairs);
	if (producer > 0)
		sequence += 2;
}

/* Twenty batches, a roll after each fifth: plain ones, an aborted and a
 * committed transaction. */
static void
put_generation(struct world *w, int from)
{
	for (int i = from; i < from + 20; i++) {
		bool txn = i % 10 >= 6 && i % 10 <= 8;

		put_numbered(w, i, txn ? 5 : i % 4 == 0 ? 9 : 0, txn ? BATCH_TRANSACTIONAL : 0);
		if (i % 10 == 8)
			put_marker(w, 5, i % 20 > 10);
		if (i % 5 == 4)
			mlog_roll(&w->log, &w->err);
	}
}

static int
compact(struct world *w, struct compact_result *res)
{
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = NOW, .expire = true,
	    .producer_expire_ms = -1};

	return mlog_compact(&w->log, &args, res, &w->err);
}

/* A first generation that was compacted once, so that tombstones and markers
 * may go, and a second that was not. */
static void
make_origin(int64_t segment_bytes)
{
	struct compact_result res;
	struct world w, done;

	world_init(&w);
	w.config.delete_retention_ms = 0;
	w.config.index_interval_bytes = 100;
	w.config.segment_bytes = MERGE;
	world_recover(&w, 0);
	put_generation(&w, 0);
	compact(&w, &res);
	put_generation(&w, 20);
	put_numbered(&w, 40, 0, 0);
	ok(mlog_sync(&w.log, &w.err) == 0, "a log of two generations");
	tail = w.log.tail;
	read_all(&w, &before);
	world_close(&w);
	os_sync_dir(w.os, ".");
	os_free(w.os);
	origin = w.disk;
	config = w.config;
	config.segment_bytes = segment_bytes;

	done = (struct world){.config = config};
	world_boot(&done, sim_clone(origin));
	world_open(&done, &(struct mlog_open_args){.tail = &tail});
	ok(mlog_whole(&done.log, &done.err) == 0 && done.log.segment_count == 7,
	    "seven segments are there before");
	ok(compact(&done, &res) == 0, "it can be compacted");
	printf("# %lld records of %zu stay, %lld bytes of %lld, %lld segments of %lld\n",
	    (long long)res.records_kept, before.count, (long long)res.bytes_out,
	    (long long)res.bytes_in, (long long)res.segments_out, (long long)res.segments_in);
	if (segment_bytes == MERGE)
		ok(res.segments_out > 1 && res.segments_out < res.segments_in - 1,
		    "in several groups of several segments");
	else
		ok(res.segments_out > res.segments_in, "into more segments than there were");
	read_all(&done, &after);
	ok(after.count > 10 && after.count < before.count, "some records go, some stay");
	for (int i = 0; i < 3; i++)
		compact(&done, &res);
	read_all(&done, &last);
	ok(last.count > 10 && last.count < after.count, "markers go later");
	world_release(&done);
}

/* --- what must hold ------------------------------------------------------------------ */

/* NULL, or what is wrong with what a reader found: `stay` must be in it. */
static const char *
judge(const struct list *found, const struct list *stay)
{
	static char text[96];

	for (size_t i = 0; i < found->count; i++) {
		const struct kv *was = list_find(&before, found->all[i].offset);
		if (was == NULL || strcmp(was->value, found->all[i].value) != 0 ||
		    strcmp(was->key, found->all[i].key) != 0 ||
		    was->timestamp != found->all[i].timestamp) {
			snprintf(text, sizeof(text), "offset %lld was not so before",
			    (long long)found->all[i].offset);
			return text;
		}
		if (i > 0 && found->all[i].offset <= found->all[i - 1].offset)
			return "offsets do not rise";
	}
	for (size_t i = 0; i < stay->count; i++) {
		if (list_find(found, stay->all[i].offset) == NULL) {
			snprintf(text, sizeof(text), "offset %lld is missing",
			    (long long)stay->all[i].offset);
			return text;
		}
	}
	return NULL;
}

static int
note_temporary(void *ctx, const char *path, bool is_dir, int64_t size)
{
	(void)size;
	if (!is_dir && (strstr(path, ".cleaned") || strstr(path, ".swap") ||
	    strstr(path, ".deleted")))
		*(const char **)ctx = "a temporary file is left";
	return 0;
}

static const char *
judge_content(struct world *w, const struct list *stay)
{
	struct list found = {0};
	const char *why = read_all(w, &found) == -1 ? "it cannot be read" : judge(&found, stay);

	if (why == NULL)
		sim_list(w->disk, note_temporary, &why);
	list_release(&found);
	return why;
}

/* The log is opened anew, by what the last tail said of a replacement or, without
 * power, by recovery; holds what it must, takes an append, and is compacted to the
 * end. Frees the disk. */
static const char *
judge_reopened(struct sim_disk *disk, bool same_boot, bool replacing)
{
	struct mlog_tail told = tail;
	struct world w = {.config = config};
	struct compact_result res;
	struct list found = {0};
	const char *why;

	told.replacing = replacing;
	world_boot(&w, disk);
	if (world_open(&w, same_boot ? &(struct mlog_open_args){.tail = &told} :
	    &(struct mlog_open_args){.how = MLOG_RECOVER, .recovery_point = tail.end_offset}) == -1) {
		why = "it does not open";
	} else {
		why = judge_content(&w, &after);
		if (why == NULL && mlog_end(&w.log) != tail.end_offset)
			why = "its end has moved";
		if (why == NULL && compact(&w, &res) == -1)
			why = "it cannot be compacted again";
		if (why == NULL)
			why = judge_content(&w, &last);
		if (why == NULL && put(&w, "new", "1") == -1)
			why = "it takes no append";
		if (why == NULL && read_all(&w, &found) == 0) {
			if (found.count == 0 ||
			    found.all[found.count - 1].offset != tail.end_offset)
				why = "the append is not read";
			list_release(&found);
		}
	}
	world_close(&w);
	os_free(w.os);
	sim_disk_free(disk);
	return why;
}

/* --- faults ------------------------------------------------------------------------------ */

/* Compacts with a plan; the world is left as it then is. With `stray`, another
 * process was killed in its compaction since the log was opened. */
static int
run(struct world *w, const struct fault_plan *plan, bool stray)
{
	struct compact_result res;
	struct sim_disk *disk = sim_clone(origin);

	*w = (struct world){.config = config, .disk = disk};
	w->os = fault_new(sim_os_new(disk, 1));
	if (world_open(w, &(struct mlog_open_args){.tail = &tail}) == -1)
		return -1;
	if (stray)
		sim_write(disk, DIR_OF_LOG "/00000000000000000001.log.cleaned", "half", 4);
	fault_plan(w->os, plan);
	return compact(w, &res);
}

static void
end(struct world *w)
{
	world_close(w);
	os_free(w->os);
	sim_disk_free(w->disk);
}

static void
test_killed(enum fault_kind kind, const char *when)
{
	const char *why = NULL;
	uint64_t n;

	for (n = 1; why == NULL; n++) {
		struct world w;
		bool fired;

		run(&w, &(struct fault_plan){.calls = FAULT_WRITES, .at = n, .kind = kind},
		    true);
		fired = fault_fired(w.os) > 0;
		if (fired) {
			struct sim_disk *killed;

			printf("# %llu: %s\n", (unsigned long long)n, fault_where(w.os));
			for (uint64_t seed = 0; why == NULL && seed < IMAGES; seed++)
				why = judge_reopened(sim_crash(w.disk, seed * 100 + n), false, true);
			killed = sim_clone(w.disk);
			if (why == NULL)
				why = judge_reopened(killed, true, true);
			else
				sim_disk_free(killed);
		}
		end(&w);
		if (!fired)
			break;
	}
	ok(why == NULL, "killed %s each of %llu calls, then also without power: old or new", when,
	    (unsigned long long)n - 1);
	if (why != NULL)
		printf("# call %llu: %s\n", (unsigned long long)n - 1, why);
}

static void
test_failing(enum fault_kind kind, int error, const char *what)
{
	const char *why = NULL;
	int failed = 0, said = 0;
	uint64_t n;

	for (n = 1; why == NULL; n++) {
		struct world w;
		int r = run(&w, &(struct fault_plan){.calls = FAULT_ALL, .at = n, .kind = kind,
		    .error = error}, false);
		uint64_t fired = fault_fired(w.os);
		char where[32];

		snprintf(where, sizeof(where), "%s", fault_where(w.os));
		fault_plan(w.os, NULL);
		if (fired > 0 && w.log.failed)
			failed++;
		said += r == -1;
		if (fired > 0 && r == -1 && w.err.text[0] == '\0')
			why = "the error has no text";
		if (why == NULL && fired > 0 && strcmp(where, "remove") == 0)
			why = judge_reopened(sim_clone(w.disk), true, w.log.tail.replacing);
		else if (why == NULL && fired > 0 && !w.log.failed) {
			why = judge_content(&w, &after);
			if (why == NULL && put(&w, "new", "1") == -1)
				why = "the log takes no append";
		}
		if (why == NULL && fired > 0 && w.log.failed)
			why = judge_reopened(sim_clone(w.disk), true, w.log.tail.replacing);
		if (why != NULL)
			printf("# call %llu, %s: %s\n", (unsigned long long)n, where, why);
		world_close(&w);
		if (why == NULL && fault_open_count(w.os) != 0)
			why = "a descriptor is left open";
		end(&w);
		if (fired == 0)
			break;
	}
	ok(why == NULL, "%s at each of %llu calls: the log goes on, or opens anew", what,
	    (unsigned long long)n - 1);
	printf("# %d told of, %d of them failed the log\n", said, failed);
}

/* --- readers ------------------------------------------------------------------------------ */

#define READERS 64

struct watcher {
	struct world *w;
	struct os *os;
	struct reader *readers[READERS];
	struct list found[READERS];
	const char *why;
	uint64_t calls;
	uint64_t at; /* the call at which the readers go on */
};

static int
read_on(struct watcher *v, int i, int batches)
{
	struct err err;
	struct batch b;
	int got = 1;

	while (batches-- != 0 && (got = reader_next(v->readers[i], &b, &err)) == 1)
		read_records(&b, &v->found[i]);
	if (got == -1)
		printf("# reader %d: %s\n", i, err.text);
	return got;
}

static void
look(void *ctx)
{
	struct watcher *v = ctx;
	struct world fresh = {.disk = v->w->disk, .os = v->os};
	struct list found = {0};

	v->calls++;
	if (v->why == NULL && read_all(&fresh, &found) == -1)
		v->why = "a fresh reader fails";
	else if (v->why == NULL)
		v->why = judge(&found, &after);
	list_release(&found);
	if (v->calls != v->at)
		return;
	for (int i = 0; v->why == NULL && i < READERS; i++) {
		if (read_on(v, i, -1) == -1)
			v->why = "an old reader fails";
		else
			v->why = judge(&v->found[i], &after);
		if (v->why != NULL)
			printf("# the reader that had read %d batches\n", i);
	}
}

/* One compaction; at call `at` each reader, of which number i has read i batches
 * before, reads to the end. */
static bool
watch(uint64_t at, const char **why, uint64_t *calls)
{
	struct watcher v = {.at = at};
	struct compact_result res;
	struct world w = {.config = config, .disk = sim_clone(origin)};

	w.os = fault_new(sim_os_new(w.disk, 1));
	v.w = &w;
	v.os = sim_os_new(w.disk, 2);
	world_open(&w, &(struct mlog_open_args){.tail = &tail});
	for (int i = 0; i < READERS; i++) {
		v.readers[i] = reader_open(v.os, DIR_OF_LOG, 0, &w.err);
		reader_seek(v.readers[i], 0, &w.err);
		read_on(&v, i, i);
	}
	fault_plan(w.os, &(struct fault_plan){.calls = FAULT_WRITES, .at = 1, .sticky = true,
	    .kind = FAULT_HOOK, .hook = look, .ctx = &v});
	if (compact(&w, &res) == -1)
		v.why = "compaction failed";
	for (int i = 0; i < READERS; i++) {
		reader_free(v.readers[i]);
		list_release(&v.found[i]);
	}
	os_free(v.os);
	end(&w);
	*why = v.why;
	*calls = v.calls;
	return v.why == NULL && v.calls >= at;
}

static void
test_readers(void)
{
	const char *why = NULL;
	uint64_t calls = 0, n = 1;

	while (watch(n, &why, &calls))
		n++;
	ok(why == NULL, "readers old and new at each of %llu calls see no hole",
	    (unsigned long long)calls);
	if (why != NULL)
		printf("# call %llu: %s\n", (unsigned long long)n, why);
}

static void
test_all(int64_t segment_bytes)
{
	sequence = 0;
	make_origin(segment_bytes);
	test_readers();
	test_failing(FAULT_FAIL, 0, "EIO");
	test_failing(FAULT_FAIL, ENOSPC, "ENOSPC");
	test_failing(FAULT_SHORT, 0, "a write cut short");
	test_killed(FAULT_DIE_BEFORE, "before");
	test_killed(FAULT_DIE_DURING, "during");
	test_killed(FAULT_DIE_AFTER, "after");
	list_release(&before);
	list_release(&after);
	list_release(&last);
	sim_disk_free(origin);
}

int
main(void)
{
	test_all(MERGE);
	test_all(SPLIT);
	return tap_done();
}
