/*
 * producers: a snapshot, as it is and with its checksum repaired, and batches
 * replayed on top of it. A state that was written must read back the same.
 *
 * Input: which call fails, the snapshot as a part, then batches, which are repaired.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "log/producers.h"

#define DIR "t-0"
#define END 100

/* Written, read and written again it is the same bytes. */
static void
check_identity(struct machine *m, const struct producers *p)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct producers again;
	struct err err;

	producers_init(&again);
	if (producers_encode(p, &once, &err) == -1 ||
	    producers_decode(&again, once.data, once.len, p->end_offset, &err) == -1 ||
	    producers_encode(&again, &twice, &err) == -1) {
		assert(fuzz_memory_failed());
	} else {
		assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
		assert(producers_first_unstable(p) == producers_first_unstable(&again));
	}
	if (p->end_offset >= 0) {
		if (producers_write_snapshot(p, m->os, DIR, &err) == -1 ||
		    producers_load_newest(&again, m->os, DIR, INT64_MAX, &err) < p->end_offset)
			assert(machine_failed(m));
	}
	producers_release(&again);
	buf_release(&once);
	buf_release(&twice);
}

static void
replay(struct producers *p, const uint8_t *data, size_t len)
{
	struct aborted_txn aborted, back;
	uint8_t entry[TXNINDEX_ENTRY];
	struct batch b;
	struct err err;
	bool has;

	while (batch_view(data, len, &b) == BATCH_OK && batch_check(&b) == BATCH_OK) {
		has = false;
		if (producers_replay(p, &b, &aborted, &has, &err) == -1)
			return;
		if (has) {
			aborted_encode(&aborted, entry);
			assert(aborted_decode(&back, entry) == 0);
			assert(back.first_offset == aborted.first_offset &&
			    back.last_stable_offset == aborted.last_stable_offset);
		}
		if (b.producer_id >= 0)
			(void)producers_find(p, b.producer_id);
		data += b.size;
		len -= (size_t)b.size;
	}
}

static void
read_as_it_is(struct machine *m, struct slice snapshot, uint16_t fail)
{
	struct producers p;
	struct err err;

	producers_init(&p);
	machine_write(m, DIR "/00000000000000000100.snapshot", snapshot);
	machine_fail(m, fail);
	if (producers_read_snapshot(&p, m->os, DIR, END, &err) == 0)
		check_identity(m, &p);
	producers_load_newest(&p, m->os, DIR, INT64_MAX, &err);
	producers_load_newest(&p, m->os, DIR, END - 1, &err);
	producers_release(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	struct slice snapshot = fuzz_part(&c), log = fuzz_rest(&c);
	uint8_t *repaired = malloc(snapshot.len + 1), *batches = malloc(log.len + 1);
	struct producers p;
	struct machine m;
	struct err err;

	if (snapshot.len > 0)
		memcpy(repaired, snapshot.data, snapshot.len);
	if (log.len > 0)
		memcpy(batches, log.data, log.len);
	fuzz_repair_snapshot(repaired, snapshot.len);
	fuzz_repair_batches(
	    batches, log.len, END, REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	machine_init(&m, NULL);
	read_as_it_is(&m, snapshot, fail);

	producers_init(&p);
	fuzz_memory(fail);
	if (producers_decode(&p, repaired, snapshot.len, END, &err) == 0)
		check_identity(&m, &p);
	replay(&p, batches, log.len);
	check_identity(&m, &p);
	producers_expire(&p, 1700000000000, INT64_MAX);
	check_identity(&m, &p);
	producers_release(&p);
	machine_release(&m);
	free(repaired);
	free(batches);
	return 0;
}
