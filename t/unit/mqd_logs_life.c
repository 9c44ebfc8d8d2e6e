/* mqd's logs: directories made, found, foreign, deleted; disks that are full; rot. */
#include <errno.h>

#include "logs_test.h"

static bool
never(void *ctx, const char *topic, int32_t number)
{
	(void)ctx;
	(void)number;
	return strcmp(topic, "t") == 0;
}

static int
count_named(void *ctx, const char *path, bool is_dir, int64_t size)
{
	void **both = ctx;

	(void)is_dir;
	(void)size;
	*(int *)both[1] += strstr(path, both[0]) != NULL;
	return 0;
}

/* How many paths have `part` in them. */
static int
named(struct node *n, const char *part)
{
	int count = 0;
	void *both[2] = {(void *)(uintptr_t)part, &count};

	sim_list(n->disk, count_named, both);
	return count;
}

static void
write_text(struct node *n, const char *path, const char *text)
{
	if (sim_write(n->disk, path, text, strlen(text)) == -1)
		printf("# cannot write %s\n", path);
}

static void
fill(struct node *n, struct plog *l, int count)
{
	for (int i = 0; i < count; i++)
		append_one(n, l, (struct make){.value = 100}, NULL);
	wait_synced(n, l);
}

static void
test_foreign(void)
{
	static const struct uuid other = {{7, 7, 7}};
	struct plog *l;
	struct node n;

	node_init(&n, 1);
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 3);
	node_kill(&n);
	node_start(&n);
	l = plog_new(n.s, "t", 0, &other, &n.settings);
	is_int(load_one(&n, l), 0, "a topic made anew");
	is_int(l->end_offset, 0, "has none of the records of the one before");
	ok(named(&n, "-stray/00000000000000000000.log") == 1, "whose directory is kept");
	ok(strstr(n.notes, "another topic's: kept as d/t-0.") != NULL, "and named");
	fill(&n, l, 1);
	is_int(l->end_offset, 1, "it has its own");
	node_kill(&n);
	write_text(&n, "d/u-0/00000000000000000000.log", "x");
	node_start(&n);
	l = node_plog(&n, "u");
	is_int(load_one(&n, l), 0, "a log without partition.metadata");
	ok(l->end_offset == 0 && named(&n, "d/u-0.") > 0, "is nobody's, and kept too");
	node_end(&n);
}

static void
test_sweep(void)
{
	struct plog *l;
	struct node n;

	node_init(&n, 2);
	write_text(&n, "d/x-1.0123456789abcdef0123456789abcdef-delete/0.log", "x");
	write_text(&n, "d/x-2/partition.metadata", "x");
	write_text(&n, "d/x-delete/not-ours", "x");
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 1);
	node_kill(&n);
	n.options.known = never;
	node_start(&n);
	node_settle(&n);
	is_int(named(&n, "x-1"), 0, "what a deletion has left is removed at the next start");
	is_int(named(&n, "x-delete"), 2, "what is not ours is let be");
	ok(named(&n, "d/x-2/") == 0 && named(&n, "d/x-2.") == 2, "a topic's that is not known is kept");
	is_int(named(&n, "d/t-0.") + named(&n, "d/t-0/partition.metadata"), 1, "a known one is not moved");
	node_end(&n);
}

static void
test_delete(void)
{
	static const struct uuid other = {{7, 7, 7}};
	struct one_append o[3];
	struct plog *l;
	struct node n;
	int codes = 0;

	node_init(&n, 3);
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 5);
	sim_advance_ms(n.disk, LOGS_CHECKPOINT_MS);
	node_settle(&n);
	for (int i = 0; i < 3; i++)
		append_begin(l, &o[i], (struct make){.value = 10,
		    .codec = i == 1 ? CODEC_GZIP : CODEC_NONE});
	plog_delete(l);
	l = plog_new(n.s, "t", 0, &other, &n.settings);
	is_int(append_one(&n, l, (struct make){.value = 10}, NULL), 0,
	    "a topic deleted, and made anew at once");
	node_settle(&n);
	for (int i = 0; i < 3; i++) {
		codes += o[i].done && (o[i].a.code == 0 || o[i].a.code == ERR_UNKNOWN_TOPIC_OR_PARTITION);
		free(o[i].bytes);
	}
	is_int(codes, 3, "who was waiting is told");
	is_int(l->end_offset, 1, "the new one begins at 0");
	is_int(named(&n, "-delete"), 0, "nothing is left of the old one");
	is_int(named(&n, "-stray"), 0, "nor put away");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

/* What a checkpoint says of a deleted topic is not believed of the next of its name. */
static void
test_listed(void)
{
	static const char points[] = "0\n1\nt 0 500\n", none[] = "0\n0\n";
	struct buf b = BUF_INIT;
	struct plog *l;
	struct node n;

	node_init(&n, 4);
	write_text(&n, "d/log-start-offset-checkpoint", points);
	write_text(&n, "d/recovery-point-offset-checkpoint", points);
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(load_one(&n, l), 0, "a topic without a directory");
	is_int(l->start_offset, 0, "starts at 0, whatever a checkpoint says");
	fill(&n, l, 1);
	ok(l->start_offset == 0 && l->end_offset == 1, "with its first record too");
	sim_read(n.disk, "d/log-start-offset-checkpoint", &b);
	ok(b.len == strlen(none) && memcmp(b.data, none, b.len) == 0, "for that was taken out first");
	buf_release(&b);
	node_end(&n);
}

/* A checkpoint file that cannot be written now is so when there is space again. */
static void
test_listed_full(void)
{
	struct one_append o;
	struct plog *l;
	struct node n;

	node_init(&n, 12);
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 1);
	sim_advance_ms(n.disk, LOGS_CHECKPOINT_MS);
	node_settle(&n);
	fault_plan(n.os, &(struct fault_plan){
			     .calls = FAULT_CREATE, .at = 1, .kind = FAULT_FAIL, .error = ENOSPC});
	plog_delete(l);
	node_settle(&n);
	is_int((intmax_t)fault_fired(n.os), 1, "the disk is full as a topic is deleted");
	l = node_plog(&n, "u");
	append_begin(l, &o, (struct make){.value = 10});
	node_settle(&n);
	ok(o.done && o.a.code == 0, "the next one is made as soon as it is not");
	free(o.bytes);
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

/* What a timer of somebody's brings when the stop has begun. */
static void
test_stopping(void)
{
	struct one_append late = {0};
	struct plog *l;
	struct node n;

	node_init(&n, 13);
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 1);
	logs_stop(n.s, node_is_stopped, &n);
	append_begin(l, &late, (struct make){.value = 10});
	node_settle(&n);
	ok(late.done && late.a.code == ERR_NOT_LEADER_OR_FOLLOWER, "a stop takes nothing more");
	ok(n.stopped && !n.stop_bad && l->end_offset == 1, "and is a clean one");
	free(late.bytes);
	node_end(&n);
}

static void
test_idle(void)
{
	struct plog *l[3];
	struct node n;
	size_t open;
	int records;

	node_init(&n, 5);
	n.options.open_max = 2;
	node_start(&n);
	for (int i = 0; i < 3; i++) {
		l[i] = node_plog(&n, (const char *[]){"a", "b", "c"}[i]);
		fill(&n, l[i], 2);
		node_settle(&n);
	}
	open = fault_open_count(n.os);
	fill(&n, l[0], 1);
	is_int(l[0]->end_offset, 3, "a log that was closed for there were too many goes on");
	sim_advance_ms(n.disk, LOGS_IDLE_MS + LOGS_CHECKPOINT_MS);
	node_settle(&n);
	sim_advance_ms(n.disk, LOGS_CHECKPOINT_MS);
	node_settle(&n);
	ok(open > 0 && fault_open_count(n.os) == 0, "logs that nobody uses have no file open");
	is_int(read_all(&n, l[1], 0, &records), 2, "they can be read");
	fill(&n, l[1], 1);
	is_int(l[1]->end_offset, 3, "and written");
	is_str(n.notes, "", "without a word");
	ok(node_stop(&n, l, 3), "a clean stop");
	node_end(&n);
}

/* A log is closed while it is read: the reader's files are all that stays open. */
static void
test_idle_read(void)
{
	size_t least = SIZE_MAX, most = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct one_append o;
		struct one_read r = {0};
		struct plog *l[2];
		struct node n;
		size_t open;

		node_init(&n, 800 + seed);
		n.options.open_max = 1;
		node_start(&n);
		l[0] = node_plog(&n, "a");
		l[1] = node_plog(&n, "b");
		fill(&n, l[0], 1);
		append_begin(l[1], &o, (struct make){.value = 10});
		for (uint64_t turns = seed % 8; turns > 0; turns--)
			os_turn(n.os, 0);
		(void)read_one(&n, l[0], &r, 0, 1000);
		plog_read_release(&r.r);
		node_settle(&n);
		sim_advance_ms(n.disk, LOGS_IDLE_MS + LOGS_CHECKPOINT_MS);
		node_settle(&n);
		open = fault_open_count(n.os);
		least = open < least ? open : least;
		most = open > most ? open : most;
		free(o.bytes);
		node_end(&n);
	}
	is_int((intmax_t)most, (intmax_t)least, "a log that is closed while it is read leaves no file open");
}

static void
test_full(void)
{
	struct plog_append a;
	struct node n;
	struct plog *l;
	int records;

	node_init(&n, 6);
	n.options.disk_min_free = 200000;
	sim_settings(n.disk)->bytes_max = 2000000;
	node_start(&n);
	l = node_plog(&n, "t");
	while (append_one(&n, l, (struct make){.value = 50000}, &a) == 0)
		continue;
	is_int(a.code, ERR_KAFKA_STORAGE_ERROR, "below disk.min.free an append is refused");
	ok(l->bytes < 2000000 - 200000, "before the disk is full");
	is_int(read_all(&n, l, 0, &records), l->end_offset, "reads go on");
	sim_settings(n.disk)->bytes_max = 4000000;
	sim_advance_ms(n.disk, 2000);
	is_int(append_one(&n, l, (struct make){.value = 50000}, &a), 0,
	    "service resumes by itself when space is back");
	is_int(n.failures, 0, "the directory has not failed");
	sim_settings(n.disk)->bytes_max = l->bytes + 30000;
	n.options.disk_min_free = 0;
	node_kill(&n);
	node_start(&n);
	l = node_plog(&n, "t");
	while (append_one(&n, l, (struct make){.value = 50000}, &a) == 0)
		continue;
	is_int(a.code, ERR_KAFKA_STORAGE_ERROR, "a full disk refuses an append");
	is_int(read_all(&n, l, 0, &records), l->end_offset, "half a batch is cut again");
	sim_settings(n.disk)->bytes_max = 0;
	is_int(append_one(&n, l, (struct make){.value = 50000}, &a), 0, "and the log goes on");
	is_int(n.failures, 0, "without the directory having failed");
	node_end(&n);
}

static void
test_sync_fails(void)
{
	struct plog_append a;
	struct node n;
	struct plog *l[2];

	node_init(&n, 7);
	node_start(&n);
	l[0] = node_plog(&n, "a");
	l[1] = node_plog(&n, "b");
	fill(&n, l[0], 2);
	fill(&n, l[1], 1);
	fault_plan(n.os, &(struct fault_plan){.calls = FAULT_SYNC, .at = 1, .kind = FAULT_FAIL});
	append_one(&n, l[0], (struct make){.value = 10}, NULL);
	node_settle(&n);
	is_int(n.failures, 1, "a sync that fails fails the directory");
	ok(l[0]->failed && l[1]->failed, "with all its logs");
	is_int(l[0]->synced_offset, 2, "what it was to sync is not told synced");
	is_int(append_one(&n, l[1], (struct make){.value = 10}, &a), ERR_KAFKA_STORAGE_ERROR,
	    "no log takes anything more");
	is_int(a.err.code != 0, 1, "and says why");
	logs_stop(n.s, node_is_stopped, &n);
	ok(node_turn(&n, &n.stopped) && n.stop_bad, "the stop is not a clean one");
	node_end(&n);
}

struct one_trim {
	struct plog_trim t;
	bool done;
};

static void
one_trim_done(struct plog_trim *t)
{
	((struct one_trim *)t->ctx)->done = true;
}

/* A log's start is moved up, twice, while a sync, or a sync of the checkpoint files, fails. */
static void
test_trim_fails(void)
{
	int hung = 0, stuck = 0, wrong = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct one_trim trims[2] = {{.t.offset = 1}, {.t.offset = 2}};
		struct one_append o;
		struct node n;
		struct plog *l;

		node_init(&n, 700 + seed);
		node_start(&n);
		l = node_plog(&n, "t");
		fill(&n, l, 5);
		fault_plan(n.os, &(struct fault_plan){
				     .calls = FAULT_SYNC, .at = seed % 3 + 1, .kind = FAULT_FAIL});
		append_begin(l, &o, (struct make){.value = 10});
		for (int i = 0; i < 2; i++) {
			trims[i].t.done = one_trim_done;
			trims[i].t.ctx = &trims[i];
			plog_trim(l, &trims[i].t);
			for (uint64_t turns = seed / 6; i == 0 && turns > 0; turns--)
				os_turn(n.os, 0);
		}
		node_settle(&n);
		hung += !trims[0].done || !trims[1].done || !o.done;
		for (int i = 0; i < 2; i++)
			wrong += trims[i].done && trims[i].t.err.code == ERR_NOMEM;
		logs_stop(n.s, node_is_stopped, &n);
		stuck += !node_turn(&n, &n.stopped);
		node_end(&n);
		free(o.bytes);
	}
	ok(hung == 0, "whoever moves a log's start is told, whatever fails (%d not)", hung);
	ok(stuck == 0, "and a stop ends (%d not)", stuck);
	ok(wrong == 0, "no failure is called a lack of memory (%d were)", wrong);
}

/* Rot below the recovery point, on the only replica. */
static void
test_rot(void)
{
	struct one_read o = {0};
	struct node n;
	struct plog *l;

	node_init(&n, 8);
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 10);
	ok(node_stop(&n, &l, 1), "a clean stop");
	sim_flip_bit(n.disk, "d/t-0/00000000000000000000.log", 8L * (5 * 170 + 100));
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(load_one(&n, l), 0, "a log with a flipped bit is opened");
	is_int(l->end_offset, 10, "nothing is cut");
	is_int(read_one(&n, l, &o, 0, 100000), 0, "what is before it can be read");
	ok(o.r.len > 100 && o.r.len < 1200, "up to it");
	plog_read_release(&o.r);
	is_int(read_one(&n, l, &o, 5, 100000), ERR_CORRUPT_MESSAGE, "there a read is an error");
	ok(strstr(o.r.err.text, "offsets 5..5") != NULL, "that names the offsets");
	plog_read_release(&o.r);
	is_int(read_one(&n, l, &o, 6, 100000), 0, "what is behind it can be read");
	ok(o.r.len > 400, "all of it");
	plog_read_release(&o.r);
	node_end(&n);
}

static int
cut_run(struct plog_job *j, struct mlog *log, struct err *err)
{
	(void)j;
	return mlog_truncate(log, 4, err);
}

/* Jobs that cut the end wait for a sync that is under way. */
static void
test_cut(void)
{
	struct one_append o[20];
	struct one_job j = {.j = {.run = cut_run, .done = one_job_done, .ctx = &j, .alone = true}};
	struct node n;
	struct plog *l;
	int records, done = 0, tail = 0;

	node_init(&n, 9);
	sim_settings(n.disk)->sync_ms = 5;
	node_start(&n);
	l = node_plog(&n, "t");
	fill(&n, l, 6);
	for (int i = 0; i < 20; i++) {
		if (i == 10)
			plog_run(l, &j.j);
		append_begin(l, &o[i], (struct make){.value = 20});
	}
	node_settle(&n);
	for (int i = 0; i < 20; i++) {
		done += o[i].done && o[i].a.code == 0 && o[i].a.base_offset == (i < 10 ? 6 + i : i - 6);
		free(o[i].bytes);
	}
	ok(j.done && j.j.err.code == 0, "the end is cut between appends");
	is_int(done, 20, "which all have the offsets of their order");
	is_int(l->synced_offset, 14, "all is synced in the end");
	is_int(read_all(&n, l, 0, &records), 14, "and can be read");
	for (int64_t at = 3; at < 14; at++)
		tail += read_all(&n, l, at, &records) == 14 && records == 14 - at;
	is_int(tail, 11, "wherever a read begins");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

/* Also where the log is closed, and the writer is busy with another; and what was written
 * in the same go, and cut, is not read where the next batches lie. */
static void
test_cut_closed(void)
{
	static const struct make one = {.value = 101}, two = {.records = 2, .value = 48};
	struct one_job j = {.j = {.run = cut_run, .done = one_job_done, .ctx = &j, .alone = true}};
	struct one_append o[4];
	struct one_read r = {0};
	struct plog *l[2];
	struct batch b;
	struct node n;

	node_init(&n, 14);
	node_start(&n);
	l[0] = node_plog(&n, "a");
	l[1] = node_plog(&n, "b");
	for (int i = 0; i < 6; i++)
		append_one(&n, l[0], one, NULL);
	fill(&n, l[1], 1);
	sim_advance_ms(n.disk, LOGS_IDLE_MS / 2);
	fill(&n, l[1], 1);
	sim_advance_ms(n.disk, LOGS_IDLE_MS / 2 + LOGS_CHECKPOINT_MS);
	node_settle(&n);
	append_begin(l[1], &o[0], one);
	append_begin(l[0], &o[1], one);
	append_begin(l[0], &o[2], one);
	plog_run(l[0], &j.j);
	append_begin(l[0], &o[3], one);
	node_settle(&n);
	ok(j.done && j.j.err.code == 0 && l[0]->end_offset == 5, "a closed log is opened to be cut");
	append_one(&n, l[0], two, NULL);
	append_one(&n, l[0], one, NULL);
	append_one(&n, l[0], one, NULL);
	wait_synced(&n, l[0]);
	for (int i = 0; i < 2; i++) {
		is_int(read_one(&n, l[0], &r, 6, 1), 0, "a read behind the cut");
		ok(batch_view(r.r.data, r.r.len, &b) == BATCH_OK && b.base_offset == 5,
		    "finds the batch that was written since");
		plog_read_release(&r.r);
	}
	for (int i = 0; i < 4; i++)
		free(o[i].bytes);
	ok(node_stop(&n, l, 2), "a clean stop");
	node_end(&n);
}

static void
test_relaxed(void)
{
	struct node n;
	struct plog *l;

	node_init(&n, 10);
	n.settings.flush_messages = 10;
	n.settings.flush_ms = 500;
	node_start(&n);
	l = node_plog(&n, "t");
	for (int i = 0; i < 9; i++)
		append_one(&n, l, (struct make){.value = 10}, NULL);
	for (int i = 0; i < 20; i++)
		os_turn(n.os, 0);
	is_int(l->synced_offset, 0, "flush.messages puts a sync off");
	append_one(&n, l, (struct make){.value = 10}, NULL);
	node_settle(&n);
	is_int(l->synced_offset, 10, "until there are enough");
	append_one(&n, l, (struct make){.value = 10}, NULL);
	sim_advance_ms(n.disk, 600);
	node_settle(&n);
	is_int(l->synced_offset, 11, "or flush.ms has passed");
	append_one(&n, l, (struct make){.value = 10}, NULL);
	n.settings.flush_messages = 1;
	plog_set(l, &n.settings);
	node_settle(&n);
	is_int(l->synced_offset, 12, "or the setting is another");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

static void
test_codec(void)
{
	struct one_read o = {0};
	struct plog_append a;
	struct node n;
	struct plog *l;
	struct batch b;

	node_init(&n, 11);
	n.settings.compression = CODEC_ZSTD;
	n.settings.compression_level = 3;
	node_start(&n);
	l = node_plog(&n, "t");
	is_int(append_one(&n, l, (struct make){.value = 5000, .records = 4, .codec = CODEC_GZIP,
	    .producer = 4}, &a), 0, "compression.type that is not the producer's");
	is_int(read_one(&n, l, &o, 0, 100000), 0, "is what is read");
	ok(batch_view(o.r.data, o.r.len, &b) == BATCH_OK && batch_codec(&b) == CODEC_ZSTD &&
	    batch_check(&b) == BATCH_OK && b.record_count == 4 && b.producer_id == 4 &&
	    b.base_sequence == 0, "with all else as it was");
	plog_read_release(&o.r);
	is_int(append_one(&n, l, (struct make){.value = 5000, .records = 4, .codec = CODEC_GZIP,
	    .producer = 4}, &a), 0, "sent again");
	ok(a.duplicate, "it is known");
	ok(node_stop(&n, &l, 1), "a clean stop");
	node_end(&n);
}

int
main(void)
{
	test_foreign();
	test_sweep();
	test_delete();
	test_listed();
	test_listed_full();
	test_stopping();
	test_idle();
	test_idle_read();
	test_full();
	test_sync_fails();
	test_trim_fails();
	test_rot();
	test_cut();
	test_cut_closed();
	test_relaxed();
	test_codec();
	return tap_done();
}
