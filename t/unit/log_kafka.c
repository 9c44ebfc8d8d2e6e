/* Logs that a real Kafka wrote (t/data/kafka-store): our indexes, snapshots and
 * epochs of them are Kafka's, byte for byte. */
#include "log_test.h"

#include "log/segment.h"
#include "os/os_real.h"

#define STORE "t/data/kafka-store"

struct dirs {
	char names[64][96];
	int count;
};

static int
take_dir(void *ctx, const char *name)
{
	struct dirs *d = ctx;

	if (d->count < 64 && strlen(name) < 90 && strchr(name, '-') != NULL &&
	    strstr(name, "checkpoint") == NULL)
		snprintf(d->names[d->count++], sizeof(d->names[0]), "%s", name);
	return 0;
}

struct copying {
	struct world *w;
	struct os *real;
	const char *from;
};

static int
copy_file(void *ctx, const char *name)
{
	struct copying *c = ctx;
	struct buf b = BUF_INIT;
	char from[300], to[300];

	snprintf(from, sizeof(from), "%s/%s", c->from, name);
	snprintf(to, sizeof(to), "%s/%s", DIR_OF_LOG, name);
	if (os_read_file(c->real, from, 64 << 20, &b, &c->w->err) == 0)
		sim_write(c->w->disk, to, b.len ? b.data : (const uint8_t *)"", b.len);
	buf_release(&b);
	return 0;
}

static void
load(struct world *w, struct os *real, const char *name)
{
	char from[200];
	struct copying c = {w, real, from};

	snprintf(from, sizeof(from), "%s/%s", STORE, name);
	world_init(w);
	os_list(real, from, copy_file, &c);
}

static bool
same_file(struct world *a, struct world *b, const char *path)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same = sim_read(a->disk, path, &x) == 0 && sim_read(b->disk, path, &y) == 0 &&
	    x.len == y.len && (x.len == 0 || memcmp(x.data, y.data, x.len) == 0);

	buf_release(&x);
	buf_release(&y);
	return same;
}

/* Is all that Kafka's snapshot says known to us too? Kafka drops producers that
 * were idle for a day, by their records' time, when it starts. */
static bool
holds_all(struct world *w, struct world *kafka, int64_t offset)
{
	struct producers theirs;
	bool all = true;

	producers_init(&theirs);
	if (producers_read_snapshot(&theirs, kafka->os, DIR_OF_LOG, offset, &w->err) == -1)
		all = false;
	for (struct map_entry *e = NULL; (e = map_next(&theirs.by_id, e)) != NULL;) {
		const struct producer_entry *a = e->value, *b = producers_find(&w->log.producers, a->id);
		int n = b != NULL ? b->batch_count : 0;

		all = all && b != NULL && a->epoch == b->epoch &&
		    a->last_timestamp == b->last_timestamp &&
		    a->coordinator_epoch == b->coordinator_epoch &&
		    a->txn_first_offset == b->txn_first_offset &&
		    (a->batch_count == 0) == (n == 0) &&
		    (n == 0 || (a->batches[0].last_sequence == b->batches[n - 1].last_sequence &&
		    a->batches[0].last_offset == b->batches[n - 1].last_offset &&
		    a->batches[0].offset_delta == b->batches[n - 1].offset_delta));
	}
	producers_release(&theirs);
	return all;
}

/* Compaction takes transactions and idle producers out of what can be replayed. */
static bool
is_compacted(const char *name)
{
	return strncmp(name, "compact", 7) == 0;
}

/* Each segment's indexes, rebuilt without a look at the old ones. */
static void
check_rebuild(struct world *w, const char *name)
{
	int64_t interval = strcmp(name, "segments-0") == 0 ? 300 : 4096;
	struct segment_names names = {0};
	struct segment_rebuilt out;
	struct producers p;
	int wrong = 0, segments = 0;

	/* Its Kafka was started again in mid-segment, and counts from there. */
	if (strcmp(name, "__cluster_metadata-0") == 0)
		return;
	producers_init(&p);
	segment_names_read(&names, w->os, DIR_OF_LOG, &w->err);
	for (size_t i = 0; i < names.count; i++) {
		if (names.names[i].kind != SEGMENT_LOG)
			continue;
		segments++;
		if (segment_rebuild(w->os, DIR_OF_LOG, names.names[i].base, interval,
		    is_compacted(name) ? NULL : &p, true, &out, &w->err) == -1 || out.changed) {
			wrong++;
			printf("# %s %lld: %lld of %lld bytes\n", name, (long long)names.names[i].base,
			    (long long)out.bytes, (long long)out.next_offset);
		}
	}
	ok(segments > 0 && wrong == 0, "%s: all indexes of %d segments rebuilt equal Kafka's", name,
	    segments);
	segment_names_release(&names);
	producers_release(&p);
}

/* Recovery from nothing but the .log files: state at the end as Kafka's. */
static void
check_recovery(struct world *w, struct world *kafka, const char *name)
{
	struct segment_names names = {0};
	int64_t snapshot = -1, next;
	int bad = 0;

	segment_names_read(&names, w->os, DIR_OF_LOG, &w->err);
	for (size_t i = 0; i < names.count; i++) {
		char path[LOG_PATH_MAX];
		if (names.names[i].kind == SEGMENT_LOG)
			continue;
		if (names.names[i].kind == SEGMENT_SNAPSHOT)
			snapshot = names.names[i].base;
		segment_name_path(path, DIR_OF_LOG, &names.names[i]);
		os_remove(w->os, path);
	}
	segment_names_release(&names);
	ok(world_recover(w, 0) == 0, "%s: is recovered", name);
	ok(w->notes[0] == '\0', "%s: without a complaint%s", name, w->notes);
	/* A leader notes its epoch before there is a record of it. */
	if (mlog_end(&w->log) > 0)
		ok(same_file(w, kafka, DIR_OF_LOG "/leader-epoch-checkpoint"),
		    "%s: its epochs are Kafka's", name);
	if (snapshot == mlog_end(&w->log) && !is_compacted(name)) {
		mlog_load_producers(&w->log, &w->err);
		ok(holds_all(w, kafka, snapshot), "%s: so is its producer state", name);
	}
	count_batches(w, 0, &next, &bad);
	ok(bad == 0 && (next == -1 || next == mlog_end(&w->log)), "%s: a reader reads all of it",
	    name);
}

static void
check_clean(struct world *w, const char *name)
{
	int64_t end, start, found;
	struct reader *r;

	world_open(w, &(struct mlog_open_args){.how = MLOG_CLEAN});
	end = mlog_end(&w->log);
	world_close(w);
	r = reader_open(w->os, DIR_OF_LOG, 0, &w->err);
	ok(reader_bounds(r, &start, &found, &w->err) == 0 && found == end,
	    "%s: a clean open and a reader agree on the end", name);
	reader_free(r);
	world_recover(w, 0);
	is_int(mlog_end(&w->log), end, "%s: so does recovery", name);
	world_close(w);
}

int
main(void)
{
	struct err err;
	struct os *real = os_real_new(&err);
	struct dirs dirs = {.count = 0};

	os_list(real, STORE, take_dir, &dirs);
	ok(dirs.count > 20, "the fixtures are there");
	for (int i = 0; i < dirs.count; i++) {
		struct world w = {0}, kafka = {0};
		load(&kafka, real, dirs.names[i]);
		load(&w, real, dirs.names[i]);
		check_rebuild(&w, dirs.names[i]);
		check_clean(&w, dirs.names[i]);
		world_release(&w);
		load(&w, real, dirs.names[i]);
		check_recovery(&w, &kafka, dirs.names[i]);
		world_release(&w);
		world_release(&kafka);
	}
	os_free(real);
	return tap_done();
}
