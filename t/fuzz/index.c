/*
 * index: any bytes as an offset or a time index. Opened for reading and for
 * appending, it must answer lookups with what a scan of its entries would give,
 * if they are in order; appending and cutting must leave whole entries.
 *
 * Input: which call fails, which index, its base, a place, then the file.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "log/segment.h"

#define PATH "00.index"

static const int64_t bases[] = {0, 1, 1000, INT32_MAX, (int64_t)1 << 40, SEGMENT_BASE_MAX};

/* --- offsets -------------------------------------------------------------------- */

/* Checks what a lookup gives against all entries; out of order it may be any. */
static void
lookup_offset(struct machine *m, struct oindex *ix, int64_t offset)
{
	struct oindex_entry e, found, want = {ix->file.base, 0}, last = {INT64_MIN, -1};
	bool sorted = true;
	struct err err;

	for (int64_t i = 0; i < ix->file.count; i++, last = e) {
		if (oindex_get(ix, i, &e, &err) == -1) {
			assert(machine_failed(m));
			return;
		}
		sorted = sorted && e.offset > last.offset && e.position > last.position;
		if (e.offset <= offset)
			want = e;
	}
	if (oindex_lookup(ix, offset, &found, &err) == -1)
		assert(!sorted || machine_failed(m));
	else if (sorted)
		assert(found.offset == want.offset && found.position == want.position);
}

static void
try_offsets(struct machine *m, int64_t base, int64_t at)
{
	struct oindex ix;
	struct err err;

	if (oindex_open(&ix, m->os, PATH, base, false, &err) == 0) {
		lookup_offset(m, &ix, base + at);
		oindex_close(&ix);
	}
	if (oindex_open(&ix, m->os, PATH, base, true, &err) == -1)
		return;
	lookup_offset(m, &ix, base + at);
	if (ix.last.offset <= base + at)
		(void)oindex_append(&ix, base + at + 2, ix.last.position + at, &err);
	(void)oindex_append(&ix, base + at, at, &err);
	lookup_offset(m, &ix, base + at);
	if (oindex_cut(&ix, at, &err) == 0)
		lookup_offset(m, &ix, base + at);
	oindex_close(&ix);
}

/* --- times ------------------------------------------------------------------------ */

static void
lookup_time(struct machine *m, struct tindex *ix, int64_t timestamp, int64_t offset)
{
	struct tindex_entry e, found, want = {-1, ix->file.base}, below = want,
				      last = {INT64_MIN, INT64_MIN};
	bool sorted = true;
	struct err err;

	for (int64_t i = 0; i < ix->file.count; i++, last = e) {
		if (tindex_get(ix, i, &e, &err) == -1) {
			assert(machine_failed(m));
			return;
		}
		sorted = sorted && e.timestamp > last.timestamp && e.offset >= last.offset;
		want = e.timestamp <= timestamp ? e : want;
		below = e.offset <= offset ? e : below;
	}
	if (tindex_lookup(ix, timestamp, &found, &err) == -1)
		assert(!sorted || machine_failed(m));
	else if (sorted)
		assert(found.timestamp == want.timestamp && found.offset == want.offset);
	if (tindex_lookup_offset(ix, offset, &found, &err) == -1)
		assert(!sorted || machine_failed(m));
	else if (sorted)
		assert(found.timestamp == below.timestamp && found.offset == below.offset);
}

static void
try_times(struct machine *m, int64_t base, int64_t at)
{
	struct tindex ix;
	struct err err;

	if (tindex_open(&ix, m->os, PATH, base, false, &err) == 0) {
		lookup_time(m, &ix, at, base + at);
		tindex_close(&ix);
	}
	if (tindex_open(&ix, m->os, PATH, base, true, &err) == -1)
		return;
	lookup_time(m, &ix, at, base + at);
	if (ix.last.timestamp < INT64_MAX)
		(void)tindex_append(&ix, ix.last.timestamp + 1, ix.last.offset, &err);
	(void)tindex_append(&ix, at, base + at, &err);
	lookup_time(m, &ix, at, base + at);
	if (tindex_cut(&ix, base + at, &err) == 0)
		lookup_time(m, &ix, at, base + at);
	tindex_close(&ix);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	uint8_t how = fuzz_byte(&c);
	int64_t base = bases[(how >> 1) % (sizeof(bases) / sizeof(bases[0]))];
	int64_t at = fuzz_u16(&c);
	int entry = how & 1 ? OINDEX_ENTRY : TINDEX_ENTRY;
	struct slice file = fuzz_rest(&c);
	struct machine m;

	machine_init(&m, NULL);
	machine_write(&m, PATH, file);
	machine_fail(&m, fail);
	if (how & 1)
		try_offsets(&m, base, at);
	else
		try_times(&m, base, at);
	assert(machine_failed(&m) || sim_size(m.disk, PATH) % entry == 0 ||
	    sim_size(m.disk, PATH) == (int64_t)file.len);
	machine_release(&m);
	return 0;
}
