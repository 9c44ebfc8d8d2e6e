/*
 * partition: a directory full of hostile files. Reader, verification, rebuilding
 * of indexes and recovery must come to an end, in bounds, with nothing left
 * open; what recovery leaves must be a log: sound to verification, read to its
 * end, and ready for more.
 *
 * Input: which call fails; what is repaired (8: it fails in the last recovery, not
 * before) and how the log is opened, in a byte each; then files: kind and state in a
 * byte, base in a byte, content as a part. Batches follow from the base.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "log/compact.h"
#include "log/mlog.h"
#include "log/reader.h"
#include "log/segment.h"
#include "log/verify.h"
#include "store/store_impl.h"

#define DIR "t-0"
#define STEPS_MAX 20000
#define FAIL_LAST 8 /* with the repairs */
#define INPUT_MAX 16384

/* With FUZZ_SHOW set, to see what an input does. */
static void
show(const char *where, const char *text)
{
	if (getenv("FUZZ_SHOW") != NULL)
		fprintf(stderr, "# %s: %s\n", where, text);
}

static void
show_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	(void)level;
	show("note", text);
}

struct work {
	struct machine m;
	struct mlog_config config;
	struct tail_hint tail;
	bool has_tail;
};

static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
static const char *const states[] = {"", ".cleaned", ".swap", ".deleted"};
static const char *const extras[] = {".foreign", ".log.cut", ".log.cut.1", ".log.cut.tmp"};

static int64_t
base_of(uint8_t byte)
{
	if (byte == 255)
		return SEGMENT_BASE_MAX;
	return byte == 254 ? (int64_t)INT32_MAX + 7 : byte;
}

/* --- the directory ---------------------------------------------------------------- */

static void
put_segment_file(struct work *w, uint8_t kind, int64_t base, uint8_t *data, size_t len, int repair)
{
	char path[128];
	unsigned which = kind % 8;

	snprintf(path, sizeof(path), DIR "/%020lld%s%s", (long long)base, suffixes[which],
	    states[kind >> 3 & 3]);
	if (which == SEGMENT_LOG)
		fuzz_repair_batches(data, len, base, repair);
	if (which == SEGMENT_SNAPSHOT && (repair & REPAIR_CRC))
		fuzz_repair_snapshot(data, len);
	machine_write(&w->m, path, (struct slice){data, len});
}

static void
put_file(struct work *w, struct cursor *c, int repair)
{
	uint8_t kind = fuzz_byte(c);
	int64_t base = base_of(fuzz_byte(c));
	struct slice content = fuzz_part(c);
	uint8_t *copy = malloc(content.len + 1), tail[TAIL_SIZE];
	char path[128];

	if (content.len > 0)
		memcpy(copy, content.data, content.len);
	switch (kind % 8) {
	case 5:
		machine_write(&w->m, DIR "/leader-epoch-checkpoint", content);
		break;
	case 6:
		memset(tail, ' ', sizeof(tail));
		memcpy(tail, copy, content.len < sizeof(tail) ? content.len : sizeof(tail));
		fuzz_repair_tail(tail, sizeof(tail));
		w->has_tail = tail_parse(&w->tail, (char *)tail, sizeof(tail)) == 0;
		break;
	case 7:
		snprintf(path, sizeof(path), DIR "/%020lld%s", (long long)base,
		    extras[(kind >> 3) % (sizeof(extras) / sizeof(extras[0]))]);
		machine_write(&w->m, path, content);
		break;
	default:
		put_segment_file(w, kind, base, copy, content.len, repair);
		break;
	}
	free(copy);
}

/* --- looking ------------------------------------------------------------------------ */

/* Reads from `offset` to the end. Returns what comes next, or -1: damage. */
static int64_t
read_from(struct work *w, struct reader *r, int64_t offset)
{
	struct record_reader records = {0};
	int64_t next = offset;
	struct batch b;
	struct record rec;
	struct err err;
	bool damaged = false;
	int got = reader_seek(r, offset, &err), steps = 0;

	while (got != -1 && (got = reader_next(r, &b, &err)) != 0) {
		steps++;
		assert(steps < STEPS_MAX);
		if (got == -1) {
			damaged = true;
			show("read", err.text);
			if (machine_failed(&w->m))
				break;
			assert(err.code == ERR_CORRUPT);
			assert(reader_damage(r)->position >= 0);
			got = 0;
			continue;
		}
		fuzz_touch(b.bytes, b.size);
		next = batch_next_offset(&b);
		if (record_reader_open(&records, &b, &err) == 0)
			while (record_reader_next(&records, &rec, &err) == 1)
				;
	}
	record_reader_release(&records);
	return damaged ? -1 : next;
}

static void
look(struct work *w)
{
	int64_t start = 0, end = 0, a, b;
	struct aborted_txn *list;
	struct err err;
	size_t count;
	struct reader *r = reader_open(w->m.os, DIR, 0, &err);

	if (r == NULL)
		return;
	reader_bounds(r, &start, &end, &err);
	read_from(w, r, start);
	read_from(w, r, start + (end - start) / 2);
	reader_position(r, &a, &b);
	reader_offset_for_time(r, 1700000000000, &a, &b, &err);
	reader_offset_for_time(r, 5, &a, &b, &err);
	reader_stable_end(r, &a, &err);
	if (reader_aborted(r, start, end, &list, &count, &err) == 0) {
		fuzz_touch(list, (int64_t)(count * sizeof(*list)));
		free(list);
	}
	reader_synced(r, end);
	read_from(w, r, end);
	reader_without_producers(r, end);
	reader_stable_end(r, &a, &err);
	reader_free(r);
}

struct findings {
	int64_t damaged;
};

/* What recovery answers for: batches that follow each other, and their indexes.
 * It does not open records, and takes the epoch file's word. */
static const bool recovered[VERIFY_CHECKS] = {
    [VERIFY_BATCH] = true,
    [VERIFY_OFFSETS] = true,
    [VERIFY_TORN] = true,
    [VERIFY_ORDER] = true,
    [VERIFY_BOUNDARY] = true,
    [VERIFY_TIME] = true,
    [VERIFY_SIZE] = true,
    [VERIFY_MISSING] = true,
};

static void
found(void *ctx, const struct verify_finding *f)
{
	struct findings *n = ctx;

	assert(f->file != NULL && f->text != NULL && f->why != NULL);
	fuzz_touch(f->text, (int64_t)strlen(f->text));
	fuzz_touch(verify_check_name(f->check), 1);
	if (f->damage)
		show(f->file, f->text);
	if (f->damage && recovered[f->check])
		n->damaged++;
}

static int64_t
verify(struct work *w, int64_t recovery_point)
{
	struct findings n = {0};
	struct verify_args args = {.recovery_point = recovery_point,
	    .records = true,
	    .found = found,
	    .ctx = &n};
	struct verify_totals totals = {0};
	struct err err;

	verify_dir(w->m.os, DIR, &args, &totals, &err);
	verify_segment(w->m.os, DIR, 0, true, &args, &(struct verify_totals){0}, &err);
	return n.damaged;
}

/* --- writing ------------------------------------------------------------------------ */

static int
append(struct mlog *log)
{
	struct record rec = {.timestamp = 1700000000000, .key_size = -1, .value_size = -1};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	struct err err;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	if (batch_builder_add(&bb, &rec, &err) == -1 || batch_builder_finish(&bb, &b, &err) == -1) {
		assert(fuzz_memory_failed());
		batch_builder_release(&bb);
		return -1;
	}
	ret = mlog_append(log, bb.raw.data, (size_t)b.size, epochs_latest(&log->epochs),
	    rec.timestamp, &out, &err);
	batch_builder_release(&bb);
	return ret;
}

static void
use_log(struct mlog *log, uint8_t how)
{
	struct compact_args args = {.limit_offset = INT64_MAX, .now_ms = 1800000000000};
	struct compact_result compacted;
	struct compact_state state;
	struct mlog_retained retained;
	struct err err;

	if (how & 1)
		mlog_load_producers(log, &err);
	append(log);
	mlog_sync(log, &err);
	mlog_catch_up(log, NULL, &err);
	if (how & 2)
		mlog_roll(log, &err);
	if (how & 4)
		mlog_compact(log, &args, &compacted, &err);
	if (mlog_compact_state(log, &args, &state, &err) == 0)
		compact_is_due(&log->config, &state, args.now_ms);
	mlog_catch_up(log, &log->tail, &err);
	if (how & 8)
		mlog_truncate(log, log->start_offset + (mlog_end(log) - log->start_offset) / 2, &err);
	if (how & 16)
		mlog_set_start(log, log->start_offset + (mlog_end(log) - log->start_offset) / 2,
		    &err);
	if (how & 32)
		mlog_retain(log, 1800000000000, INT64_MAX, &retained, &err);
	append(log);
}

static struct sim_disk *
clone(struct sim_disk *disk)
{
	unsigned held = fuzz_memory_hold();
	struct sim_disk *copy = sim_clone(disk);

	fuzz_memory_resume(held);
	return copy;
}

/* A tail was believed, a clean stop or a recovery point: what comes of it need
 * not be sound. */
static void
open_believing(struct work *w, uint8_t how, struct mlog_open_args args)
{
	struct work copy = *w;
	struct mlog log;
	struct err err;

	machine_init(&copy.m, clone(w->m.disk));
	if (mlog_open(&log, copy.m.os, DIR, &w->config, &args, &err) == 0) {
		use_log(&log, how);
		mlog_release(&log);
	}
	look(&copy);
	machine_release(&copy.m);
}

/* Opened by recovery; if that fails, then once more, as if nothing had been. */
static int
recover(struct work *w, struct mlog *log)
{
	struct mlog_open_args args = {.how = MLOG_RECOVER};
	struct err err;
	int ret = mlog_open(log, w->m.os, DIR, &w->config, &args, &err);

	if (ret == -1 && machine_failed(&w->m)) {
		show("recovery", err.text);
		machine_fail(&w->m, 0);
		ret = mlog_open(log, w->m.os, DIR, &w->config, &args, &err);
	}
	return ret;
}

/* Recovered, it is sound, and stays so. */
static void
open_recovering(struct work *w, uint8_t how)
{
	struct mlog log;
	struct reader *r;
	struct err err;
	int64_t end;

	if (recover(w, &log) == -1)
		return;
	assert(log.start_offset <= mlog_end(&log));
	assert(verify(w, mlog_end(&log)) == 0 || machine_failed(&w->m));
	end = mlog_end(&log);
	if (append(&log) == 0)
		assert(mlog_end(&log) == end + 1);
	r = reader_open(w->m.os, DIR, log.start_offset, &err);
	assert(r != NULL || machine_failed(&w->m));
	if (r != NULL && mlog_end(&log) > log.start_offset)
		assert(read_from(w, r, log.start_offset) == mlog_end(&log) ||
		    machine_failed(&w->m));
	reader_free(r);
	use_log(&log, how);
	mlog_release(&log);
	look(w);
}

/* All segments in order, as mq-index does it. */
static void
rebuild(struct work *w, uint8_t how)
{
	struct segment_names names = {.count = 0};
	struct segment_rebuilt rebuilt;
	struct producers producers;
	struct err err;

	producers_init(&producers);
	if (segment_names_read(&names, w->m.os, DIR, &err) == -1)
		assert(machine_failed(&w->m));
	for (size_t i = 0; i < names.count; i++)
		if (names.names[i].kind == SEGMENT_LOG && names.names[i].state == SEGMENT_PLAIN)
			segment_rebuild(w->m.os, DIR, names.names[i].base, 200,
			    how & 32 ? &producers : NULL, how & 128, &rebuilt, &err);
	segment_names_release(&names);
	producers_release(&producers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	int repair = fuzz_byte(&c) ^ (REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	uint8_t how = fuzz_byte(&c);
	struct work w = {.has_tail = false};

	if (size > INPUT_MAX)
		return 0;
	mlog_config_default(&w.config);
	w.config.segment_bytes = 4000;
	w.config.index_interval_bytes = 200;
	w.config.retention_bytes = 2000;
	machine_init(&w.m, NULL);
	sim_os_set_note(w.m.sim, show_note, NULL);
	if (os_mkdir(w.m.os, DIR) == -1)
		abort();
	for (int i = 0; i < 16 && cursor_left(&c) > 0; i++)
		put_file(&w, &c, repair);
	machine_fail(&w.m, repair & FAIL_LAST ? 0 : fail);
	look(&w);
	verify(&w, -1);
	verify(&w, 5);
	rebuild(&w, how);
	open_believing(&w, how, (struct mlog_open_args){
	    .how = how & 64 ? MLOG_CLEAN : MLOG_TRUST_TAIL,
	    .tail = w.has_tail ? &w.tail.tail : NULL});
	open_believing(&w, how, (struct mlog_open_args){.how = MLOG_RECOVER,
	    .recovery_point = how & 64 ? 1000 : 40, .start_offset = how & 16 ? 3 : 0});
	if (repair & FAIL_LAST)
		machine_fail(&w.m, fail);
	open_recovering(&w, how);
	machine_release(&w.m);
	return 0;
}
