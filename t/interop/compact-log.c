/*
 * compact-log: logs for t/interop/compact.bats, which compiles it.
 *
 *	compact-log make DIR CODECS      write a partition that wants compaction
 *	compact-log more DIR CODECS      append a second generation
 *	compact-log clean DIR DIRTY [MEMORY]   compact it from offset DIRTY on, at the
 *	                                 time that ORACLE's delete horizons tell
 *	compact-log print DIR            batches and records, without what a
 *	                                 compressor is free to choose
 *
 * ORACLE (in the environment) is the same partition as Kafka has cleaned it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/compact.h"
#include "log/reader.h"
#include "os/os_real.h"

#define DAY 86400000

static struct os *os;
static struct err err;
static struct mlog mlog;
static unsigned codecs; /* how many of them to use */
static int batches;     /* made so far */
static int32_t sequence[16];

static void
die(void)
{
	fprintf(stderr, "compact-log: %s\n", err.text);
	exit(1);
}

static void
open_log(const char *dir, int64_t retention_ms)
{
	struct mlog_config config;

	mlog_config_default(&config);
	config.segment_bytes = 3000;
	config.index_interval_bytes = 200;
	config.delete_retention_ms = retention_ms;
	if (mlog_open(&mlog, os, dir, &config, &(struct mlog_open_args){.how = MLOG_CLEAN}, &err) ==
	    -1)
		die();
}

static void
append(struct batch_builder *bb)
{
	struct mlog_appended out;
	struct batch b;

	if (batch_builder_finish(bb, &b, &err) == -1 ||
	    mlog_append(&mlog, bb->codec == CODEC_NONE ? bb->raw.data : bb->packed.data,
	    (size_t)b.size, 0, os_wall_ms(os), &out, &err) == -1)
		die();
	batch_builder_release(bb);
	batches++;
}

/* `n` records; a key below 0 is none, values are null now and then. */
static void
put(int64_t producer, int16_t attributes, int64_t timestamp, int n, int key, int stride)
{
	struct batch_builder bb;

	batch_builder_init(&bb, (enum codec)((unsigned)batches % codecs), CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < n; i++) {
		char k[16], v[64];
		struct record rec = {.timestamp = timestamp + i, .key = (uint8_t *)k,
		    .value = (uint8_t *)v, .key_size = -1, .value_size = -1};

		if (key >= 0)
			rec.key_size = sprintf(k, "key %d", key + i * stride);
		if ((batches + i) % 9 != 4)
			rec.value_size = sprintf(v, "value %d of batch %d", i, batches);
		if (batch_builder_add(&bb, &rec, &err) == -1)
			die();
	}
	bb.head.attributes = attributes;
	if ((attributes & BATCH_LOG_APPEND_TIME) != 0)
		bb.head.max_timestamp = timestamp;
	if (producer > 0 && producer < 16) {
		bb.head.producer_id = producer;
		bb.head.producer_epoch = 0;
		bb.head.base_sequence = sequence[producer];
		sequence[producer] += n;
	}
	append(&bb);
}

static void
put_marker(int64_t producer, bool commit, int64_t timestamp)
{
	uint8_t key[4] = {0, 0, 0, commit}, value[6] = {0};
	struct record rec = {.timestamp = timestamp, .key = key, .key_size = 4, .value = value,
	    .value_size = 6};
	struct batch_builder bb;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	if (batch_builder_add(&bb, &rec, &err) == -1)
		die();
	bb.head.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
	bb.head.producer_id = producer;
	bb.head.producer_epoch = 0;
	append(&bb);
}

static void
roll(void)
{
	if (mlog_roll(&mlog, &err) == -1)
		die();
}

static void
put_generation(int from, int64_t now)
{
	for (int i = from; i < from + 12; i++) {
		put(0, 0, now, 5, i % 4, 3);
		put(0, BATCH_LOG_APPEND_TIME, now, 3, i, 1);
		put(0, 0, now, 2, -1, 0);
		put(1, 0, now - 2 * DAY, 2, i % 3, 1);        /* dead, soon enough */
		put(2, 0, now, 3, i, 7);
		put(3, BATCH_TRANSACTIONAL, now, 2, i, 2);
		put(4, BATCH_TRANSACTIONAL, now, 3, i % 5, 2);
		if (i % 2 == 0)
			put_marker(3, i % 4 == 0, now);
		if (i % 3 == 1)
			roll();
		put(0, 0, now, 1, 100 + i % 3, 1);
		put_marker(4, i % 3 == 0, now);
		put(5 + i % 3, BATCH_TRANSACTIONAL, now - 2 * DAY, 2, i, 1);
		put_marker(5 + i % 3, i % 4 == 1, now - 2 * DAY);
		if (i % 4 == 0)
			roll();
	}
	put(2, 0, now, 4, 0, 1);
	put(4, BATCH_TRANSACTIONAL, now, 2, 0, 1);
	put_marker(4, true, now);
	roll();
	put(0, 0, now, 1, 1000, 1);
}

static void
make(const char *dir, bool more)
{
	open_log(dir, 1000);
	if (more) {
		batches = 1000;
		for (int i = 0; i < 16; i++)
			sequence[i] = 100000; /* whatever it was: nobody checks it */
		roll();
	}
	put_generation(more ? 7 : 0, os_wall_ms(os));
	if (mlog_sync(&mlog, &err) == -1)
		die();
}

/* --- reading ---------------------------------------------------------------------------- */

/* The largest delete horizon: that of the last cleaning. -1: none. */
static int64_t
horizon_in(const char *dir)
{
	struct reader *r = reader_open(os, dir, 0, &err);
	int64_t most = -1;
	struct batch b;
	int got;

	if (r == NULL || reader_seek(r, 0, &err) == -1)
		die();
	while ((got = reader_next(r, &b, &err)) == 1) {
		if ((b.attributes & BATCH_DELETE_HORIZON) != 0 && b.base_timestamp > most)
			most = b.base_timestamp;
	}
	if (got == -1)
		die();
	reader_free(r);
	return most;
}

/* Producer 3 leaves a transaction open. */
static int64_t
stable_end_of(const char *dir)
{
	struct reader *r = reader_open(os, dir, 0, &err);
	int64_t lso;

	if (r == NULL || reader_stable_end(r, &lso, &err) == -1)
		die();
	reader_free(r);
	return lso;
}

static void
clean(const char *dir, const char *dirty, const char *memory)
{
	int64_t retention_ms = 1000;
	struct compact_args args = {.first_dirty_offset = strtoll(dirty, NULL, 10),
	    .limit_offset = stable_end_of(dir), .now_ms = horizon_in(getenv("ORACLE")) - retention_ms,
	    .memory_bytes = (size_t)strtoll(memory, NULL, 10)};
	struct compact_result res;

	open_log(dir, retention_ms);
	if (mlog_compact(&mlog, &args, &res, &err) == -1)
		die();
	printf("%" PRId64 " segments of %" PRId64 ", %" PRId64 " bytes of %" PRId64
	    ", %" PRId64 " records kept, %" PRId64 " dropped, %d rounds\n", res.segments_out,
	    res.segments_in, res.bytes_out, res.bytes_in, res.records_kept, res.records_dropped,
	    res.rounds);
}

static void
print_bytes(const uint8_t *data, int32_t size)
{
	if (size < 0)
		printf(" -");
	else
		printf(" '%.*s'", (int)size, (const char *)data);
}

static void
print(const char *dir)
{
	struct reader *r = reader_open(os, dir, 0, &err);
	struct record_reader records = {0};
	struct record rec;
	struct batch b;
	int64_t base, position;
	int got;

	if (r == NULL || reader_seek(r, 0, &err) == -1)
		die();
	while ((got = reader_next(r, &b, &err)) == 1) {
		reader_position(r, &base, &position);
		printf("%" PRId64 ": %" PRId64 "..%" PRId64 " attributes %x base %" PRId64
		    " max %" PRId64 " producer %" PRId64 " %d %d epoch %d records %d", base,
		    b.base_offset, batch_last_offset(&b), (unsigned)b.attributes, b.base_timestamp,
		    b.max_timestamp, b.producer_id, b.producer_epoch, b.base_sequence,
		    b.leader_epoch, b.record_count);
		if (batch_codec(&b) == CODEC_NONE)
			printf(" crc %08x", b.crc);
		printf("\n");
		if (record_reader_open(&records, &b, &err) == -1)
			die();
		while ((got = record_reader_next(&records, &rec, &err)) == 1) {
			printf("\t%" PRId64 " at %" PRId64, rec.offset, rec.timestamp);
			if (!batch_is_control(&b)) {
				print_bytes(rec.key, rec.key_size);
				print_bytes(rec.value, rec.value_size);
			}
			printf("\n");
		}
		if (got == -1)
			die();
	}
	if (got == -1)
		die();
	record_reader_release(&records);
	reader_free(r);
}

int
main(int argc, char **argv)
{
	os = os_real_new(&err);
	if (os == NULL || argc < 3)
		return 2;
	if (strcmp(argv[1], "print") == 0) {
		print(argv[2]);
	} else if (strcmp(argv[1], "clean") == 0 && argc >= 4) {
		clean(argv[2], argv[3], argc > 4 ? argv[4] : "0");
	} else if (argc == 4) {
		codecs = (unsigned)atoi(argv[3]);
		make(argv[2], strcmp(argv[1], "more") == 0);
	}
	mlog_release(&mlog);
	os_free(os);
	return 0;
}
