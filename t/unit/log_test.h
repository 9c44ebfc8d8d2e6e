/* What the tests of lib/log share: a simulated disk, batches, a log on it. */
#ifndef LOG_TEST_H
#define LOG_TEST_H

#include <stdlib.h>
#include <string.h>

#include "log/mlog.h"
#include "log/reader.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "tap.h"

#define DIR_OF_LOG "t-0"
#define T0 1700000000000

struct world {
	struct sim_disk *disk;
	struct os *os;
	struct mlog_config config;
	struct mlog log;
	struct err err;
	bool open;
	char notes[2048];
};

__attribute__((unused)) static void
world_note(void *ctx, enum os_level level, const char *text)
{
	struct world *w = ctx;
	size_t at = strlen(w->notes);

	(void)level;
	snprintf(w->notes + at, sizeof(w->notes) - at, "%s\n", text);
}

__attribute__((unused)) static void
world_boot(struct world *w, struct sim_disk *disk)
{
	w->disk = disk;
	w->os = sim_os_new(disk, 1);
	sim_os_set_note(w->os, world_note, w);
	w->notes[0] = '\0';
}

__attribute__((unused)) static void
world_init(struct world *w)
{
	*w = (struct world){0};
	world_boot(w, sim_disk_new());
	mlog_config_default(&w->config);
	os_mkdir(w->os, DIR_OF_LOG);
	if (os_sync_dir(w->os, ".") == -1)
		printf("# the root cannot be synced\n");
}

__attribute__((unused)) static int
world_open(struct world *w, const struct mlog_open_args *args)
{
	int r;

	w->notes[0] = '\0';
	r = mlog_open(&w->log, w->os, DIR_OF_LOG, &w->config, args, &w->err);
	w->open = r == 0;
	if (r == -1)
		printf("# %s\n", w->err.text);
	return r;
}

__attribute__((unused)) static int
world_recover(struct world *w, int64_t point)
{
	return world_open(w, &(struct mlog_open_args){.how = MLOG_RECOVER, .recovery_point = point});
}

__attribute__((unused)) static void
world_close(struct world *w)
{
	if (w->open)
		mlog_release(&w->log);
	w->open = false;
}

/* Turns the power off and on: what was not synced fares as `seed` says. */
__attribute__((unused)) static void
world_crash(struct world *w, uint64_t seed)
{
	struct sim_disk *old = w->disk, *image = sim_crash(old, seed);

	world_close(w);
	os_free(w->os);
	sim_disk_free(old);
	world_boot(w, image);
}

__attribute__((unused)) static void
world_release(struct world *w)
{
	world_close(w);
	is_int((intmax_t)sim_os_open_count(w->os), 0, "no descriptor is left open");
	os_free(w->os);
	sim_disk_free(w->disk);
}

/* A sealed batch of `records` records, the whole of `size` bytes if that is
 * enough; the caller frees. */
struct made {
	uint8_t *bytes;
	size_t len;
};

struct make {
	int records;
	int64_t timestamp;
	size_t value; /* bytes of each value */
	size_t last;  /* and of the last record's in addition */
	int64_t producer;
	int32_t sequence;
	int16_t attributes;
};

__attribute__((unused)) static struct made
make_batch(struct make m)
{
	struct batch_builder bb;
	struct batch b;
	struct err err;
	struct made out = {0};
	uint8_t *value = malloc(m.value + m.last + 1);

	for (size_t i = 0; i < m.value + m.last; i++)
		value[i] = (uint8_t)('a' + i % 26);
	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < m.records; i++) {
		struct record rec = {.timestamp = m.timestamp, .key_size = -1, .value = value,
		    .value_size = (int32_t)(i + 1 < m.records ? m.value : m.value + m.last)};
		batch_builder_add(&bb, &rec, &err);
	}
	if (m.producer > 0) {
		bb.head.producer_id = m.producer;
		bb.head.producer_epoch = 0;
		bb.head.base_sequence = m.sequence;
	}
	bb.head.attributes = m.attributes;
	if (batch_builder_finish(&bb, &b, &err) == 0) {
		out.len = (size_t)b.size;
		out.bytes = malloc(out.len);
		memcpy(out.bytes, b.bytes, out.len);
	} else {
		printf("# %s\n", err.text);
	}
	batch_builder_release(&bb);
	free(value);
	return out;
}

/* A batch of exactly `size` bytes, where that can be. */
__attribute__((unused)) static struct made
make_sized(int records, size_t size, int64_t timestamp)
{
	struct make m = {.records = records, .timestamp = timestamp};
	struct made out = make_batch(m);

	while (out.len < size) {
		size_t more = (size - out.len) / (size_t)records;
		if (more == 0 && m.last++ > 3)
			break;
		m.value += more > 2 ? more - 2 : more > 0 ? 1 : 0;
		free(out.bytes);
		out = make_batch(m);
	}
	return out;
}

__attribute__((unused)) static int
append_made(struct world *w, struct made m, int32_t epoch)
{
	struct mlog_appended out;
	int r = mlog_append(&w->log, m.bytes, m.len, epoch, T0, &out, &w->err);

	free(m.bytes);
	return r;
}

/* Appends `n` batches of two records and about `size` bytes, 1 ms apart. */
__attribute__((unused)) static int
append_many(struct world *w, int n, size_t size)
{
	int r = 0;

	for (int i = 0; r == 0 && i < n; i++)
		r = append_made(w, make_sized(2, size, T0 + mlog_end(&w->log)), 0);
	return r;
}

/* Number of batches that a fresh reader gives from `offset` on; checks that
 * offsets rise. Errors count in *bad. */
__attribute__((unused)) static int
count_batches(struct world *w, int64_t offset, int64_t *next, int *bad)
{
	struct reader *r = reader_open(w->os, DIR_OF_LOG, 0, &w->err);
	struct batch b;
	int got, n = 0, errors = 0;

	*next = -1;
	if (r == NULL || reader_seek(r, offset, &w->err) == -1) {
		reader_free(r);
		return -1;
	}
	while ((got = reader_next(r, &b, &w->err)) != 0) {
		if (got == -1) {
			if (w->err.code != ERR_CORRUPT || ++errors > 100)
				break;
			continue;
		}
		if (batch_next_offset(&b) <= *next)
			errors += 1000;
		*next = batch_next_offset(&b);
		n++;
	}
	if (bad != NULL)
		*bad = errors;
	reader_free(r);
	return n;
}

__attribute__((unused)) static void
path_of(char path[128], int64_t base, const char *suffix)
{
	snprintf(path, 128, "%s/%020lld%s", DIR_OF_LOG, (long long)base, suffix);
}

#endif
