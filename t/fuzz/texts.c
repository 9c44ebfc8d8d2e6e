/*
 * texts: the small text files of a store and its partitions, each as it is (a
 * tail also with its checksum repaired). What is read and written must read
 * back the same.
 *
 * Input: which call fails, which file, then its content.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "log/checkpoint.h"
#include "log/epochs.h"
#include "store/store_impl.h"

static void
try_checkpoint(struct machine *m, struct slice text)
{
	struct checkpoint c, again;
	struct err err;

	checkpoint_init(&c);
	checkpoint_init(&again);
	machine_write(m, "points", text);
	if (checkpoint_read(&c, m->os, "points", &err) == 0) {
		if (checkpoint_write(&c, m->os, "points", &err) == -1 ||
		    checkpoint_read(&again, m->os, "points", &err) == -1)
			assert(machine_failed(m));
		else
			assert(again.count == c.count);
		for (size_t i = 0; i < again.count; i++) {
			struct checkpoint_entry *e = &c.entries[i];

			assert(checkpoint_get(&again, e->topic, e->partition) == e->offset);
		}
		if (checkpoint_set(&c, "t", 1, 5, &err) == 0)
			assert(checkpoint_get(&c, "t", 1) == 5);
		else
			assert(fuzz_memory_failed());
		checkpoint_del(&c, "t", 1);
		checkpoint_del(&c, "t", 2);
		assert(checkpoint_get(&c, "t", 1) == -1);
	}
	checkpoint_release(&c);
	checkpoint_release(&again);
}

/* Epochs stay in order whatever is done to them. */
static void
check_epochs(const struct epochs *e)
{
	for (size_t i = 1; i < e->count; i++) {
		assert(e->entries[i].epoch > e->entries[i - 1].epoch);
		assert(e->entries[i].start_offset > e->entries[i - 1].start_offset);
	}
}

static void
use_epochs(struct epochs *e)
{
	int32_t latest = epochs_latest(e);
	int64_t middle = e->count > 0 ? e->entries[e->count / 2].start_offset : 7;
	struct err err;

	check_epochs(e);
	assert(epochs_at(e, middle) <= latest);
	epochs_end_of(e, latest, INT64_MAX);
	epochs_end_of(e, latest / 2, middle);
	if (latest < INT32_MAX && epochs_assign(e, latest + 1, middle, &err) == 0)
		assert(epochs_latest(e) == latest + 1);
	check_epochs(e);
	epochs_truncate_start(e, middle / 2);
	check_epochs(e);
	epochs_truncate_end(e, middle);
	check_epochs(e);
}

static void
try_epochs(struct machine *m, struct slice text)
{
	struct epochs e, again;
	struct err err;

	epochs_init(&e);
	epochs_init(&again);
	machine_write(m, "t-0/leader-epoch-checkpoint", text);
	if (epochs_read(&e, m->os, "t-0", &err) == 0) {
		e.dirty = true;
		if (epochs_write(&e, m->os, "t-0", &err) == -1 ||
		    epochs_read(&again, m->os, "t-0", &err) == -1)
			assert(machine_failed(m));
		else
			assert(again.count == e.count);
		for (size_t i = 0; i < again.count; i++)
			assert(again.entries[i].epoch == e.entries[i].epoch &&
			    again.entries[i].start_offset == e.entries[i].start_offset);
		use_epochs(&e);
	}
	epochs_release(&e);
	epochs_release(&again);
}

static void
try_properties(struct machine *m, struct slice text)
{
	struct meta_properties meta;
	struct err err;

	machine_write(m, "s/meta.properties", text);
	if (meta_properties_read(m->os, "s", &meta, &err) == 0)
		assert(meta.node_id >= 0);
	else
		assert(err.code == ERR_CORRUPT || err.code == ERR_TOO_LARGE || machine_failed(m));
}

static void
try_partition_metadata(struct machine *m, struct slice text)
{
	struct uuid id = uuid_zero;
	struct err err;

	machine_write(m, "t-0/partition.metadata", text);
	if (partition_id_read(m->os, "t-0", &id, &err) == 1)
		fuzz_touch(&id, sizeof(id));
}

/* What it says of the clock is doubted, and believed at last. */
static void
use_clock(struct machine *m, struct tail_clock clock)
{
	for (int hour = 0; hour < 3; hour++) {
		tail_clock_look(&clock, m->os);
		assert(clock.offset_ms >= 0 && clock.doubt_ms >= -1);
		sim_advance_ms(m->disk, 3600000);
	}
	assert(clock.doubt_ms == -1);
}

static void
try_tail(struct machine *m, struct slice text)
{
	struct tail_hint h, again;
	char out[TAIL_SIZE], out_again[TAIL_SIZE];

	if (tail_parse(&h, (const char *)text.data, text.len) == -1)
		return;
	assert(strlen(h.boot_id) < sizeof(h.boot_id));
	use_clock(m, h.clock);
	tail_format(&h, out);
	assert(tail_parse(&again, out, sizeof(out)) == 0);
	tail_format(&again, out_again);
	assert(memcmp(out, out_again, sizeof(out)) == 0);
}

static void
try_repaired_tail(struct machine *m, struct slice text)
{
	uint8_t bytes[TAIL_SIZE];

	memset(bytes, ' ', sizeof(bytes));
	if (text.len > 0)
		memcpy(bytes, text.data, text.len < sizeof(bytes) ? text.len : sizeof(bytes));
	fuzz_repair_tail(bytes, sizeof(bytes));
	try_tail(m, (struct slice){bytes, sizeof(bytes)});
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	uint8_t which = fuzz_byte(&c);
	struct slice text = fuzz_rest(&c);
	struct machine m;

	machine_init(&m, NULL);
	machine_fail(&m, fail);
	switch (which % 5) {
	case 0:
		try_checkpoint(&m, text);
		break;
	case 1:
		try_epochs(&m, text);
		break;
	case 2:
		try_properties(&m, text);
		break;
	case 3:
		try_partition_metadata(&m, text);
		break;
	default:
		try_tail(&m, text);
		try_repaired_tail(&m, text);
		break;
	}
	machine_release(&m);
	return 0;
}
