/* Tests of the two sparse indexes. */
#include "log/index.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "tap.h"

#include "base/bytes.h"

static struct sim_disk *disk;
static struct os *os;
static struct err err;

static void
test_offsets(void)
{
	struct oindex ix;
	struct oindex_entry e;
	int wrong = 0;

	ok(oindex_open(&ix, os, "a.index", 100, false, &err) == -1 && err.code == ERR_NOT_FOUND,
	    "an index that is not there is not found for reading");
	ok(oindex_open(&ix, os, "a.index", 100, true, &err) == 0, "but made for writing");
	oindex_lookup(&ix, 500, &e, &err);
	ok(e.offset == 100 && e.position == 0, "an empty one says: the start");
	for (int i = 1; i <= 5000; i++)
		oindex_append(&ix, 100 + i * 10, i * 1000, &err);
	is_int(ix.file.count, 5000, "entries are added");
	oindex_append(&ix, 100 + 50000, 999999999, &err);
	oindex_append(&ix, 99999999, 5000000, &err);
	is_int(ix.file.count, 5000, "those that do not advance are not");
	for (int64_t offset = 100; offset < 50200; offset += 7) {
		int64_t n = (offset - 100) / 10 > 5000 ? 5000 : (offset - 100) / 10;
		oindex_lookup(&ix, offset, &e, &err);
		wrong += e.position != n * 1000 || e.offset != (n > 0 ? 100 + n * 10 : 100);
	}
	is_int(wrong, 0, "a lookup gives the entry at or before, or the start");
	ok(oindex_cut(&ix, 2500000, &err) == 0 && ix.file.count == 2499 &&
	    ix.last.position == 2499000, "a cut drops entries at or after a position");
	oindex_append(&ix, 100 + 25000, 2500000, &err);
	oindex_close(&ix);
	oindex_open(&ix, os, "a.index", 100, false, &err);
	is_int(ix.file.count, 2500, "all is there when it is opened again");
	oindex_close(&ix);
}

static void
test_times(void)
{
	struct tindex ix;
	struct tindex_entry e;

	tindex_open(&ix, os, "a.timeindex", 100, true, &err);
	tindex_lookup(&ix, 5, &e, &err);
	ok(e.timestamp == -1 && e.offset == 100, "an empty time index says: the start");
	tindex_append(&ix, -1, 105, &err);
	is_int(ix.file.count, 0, "no timestamp gives no entry");
	tindex_append(&ix, 1000, 105, &err);
	tindex_append(&ix, 1000, 109, &err);
	tindex_append(&ix, 900, 111, &err);
	is_int(ix.file.count, 1, "an entry is added only for a larger timestamp");
	tindex_append(&ix, 2000, 113, &err);
	tindex_lookup(&ix, 1999, &e, &err);
	ok(e.timestamp == 1000 && e.offset == 105, "a lookup gives the entry at or before");
	tindex_lookup(&ix, 2000, &e, &err);
	ok(e.timestamp == 2000 && e.offset == 113, "also at it");
	ok(tindex_cut(&ix, 113, &err) == 0 && ix.last.timestamp == 1000, "a cut is by offset");
	tindex_close(&ix);
}

static void
test_odd_ends(void)
{
	uint8_t bytes[1200] = {0};
	struct oindex ix;
	struct tindex tx;

	be32_put(bytes, 5);
	be32_put(bytes + 4, 500);
	sim_write(disk, "b.index", bytes, 11);
	oindex_open(&ix, os, "b.index", 0, false, &err);
	is_int(ix.file.count, 1, "a partial entry does not count");
	oindex_close(&ix);
	oindex_open(&ix, os, "b.index", 0, true, &err);
	is_int(sim_size(disk, "b.index"), 8, "and is cut off before more is added");
	oindex_close(&ix);
	sim_write(disk, "b.index", bytes, sizeof(bytes));
	oindex_open(&ix, os, "b.index", 0, true, &err);
	is_int(sim_size(disk, "b.index"), 8, "so are the zeros of a preallocated one");
	oindex_close(&ix);

	memset(bytes, 0, sizeof(bytes));
	sim_write(disk, "b.timeindex", bytes, sizeof(bytes));
	tindex_open(&tx, os, "b.timeindex", 0, false, &err);
	is_int(tx.file.count, 0, "a time index of zeros is empty");
	tindex_close(&tx);
	be64_put(bytes + 12, 7);
	be32_put(bytes + 20, 3);
	sim_write(disk, "b.timeindex", bytes, sizeof(bytes));
	tindex_open(&tx, os, "b.timeindex", 0, false, &err);
	is_int(tx.file.count, 2, "unless a second entry shows that the first is of time 0");
	tindex_close(&tx);
}

static void
test_faults(void)
{
	struct os *fault = fault_new(sim_os_new(disk, 2));
	struct oindex ix;

	oindex_open(&ix, fault, "c.index", 0, true, &err);
	oindex_append(&ix, 1, 100, &err);
	fault_plan(fault, &(struct fault_plan){.calls = FAULT_WRITE, .at = 1, .kind = FAULT_SHORT});
	ok(oindex_append(&ix, 2, 200, &err) == -1 && err.code == ERR_NO_SPACE, "a full disk");
	is_int(sim_size(disk, "c.index"), 8, "leaves no half entry");
	ok(oindex_append(&ix, 2, 200, &err) == 0 && ix.file.count == 2, "and it goes on after it");
	oindex_close(&ix);
	os_free(fault);
}

int
main(void)
{
	disk = sim_disk_new();
	os = sim_os_new(disk, 1);
	test_offsets();
	test_times();
	test_odd_ends();
	test_faults();
	os_free(os);
	sim_disk_free(disk);
	return tap_done();
}
