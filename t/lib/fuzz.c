#include "lib/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "log/batch.h"
#include "os/os_fault.h"

#define SNAPSHOT_HEADER 10
#define SNAPSHOT_ENTRY 46
#define TAIL_BYTES 320
#define CRC_DIGITS 8
#define FAIL_AT (FAIL_ON - 1)

uint8_t
fuzz_byte(struct cursor *c)
{
	return cursor_left(c) > 0 ? *cursor_bytes(c, 1) : 0;
}

uint16_t
fuzz_u16(struct cursor *c)
{
	unsigned high = fuzz_byte(c);

	return (uint16_t)(high << 8 | fuzz_byte(c));
}

struct slice
fuzz_rest(struct cursor *c)
{
	size_t len = cursor_left(c);

	return (struct slice){cursor_bytes(c, len), len};
}

struct slice
fuzz_part(struct cursor *c)
{
	size_t len = fuzz_u16(c);

	if (len > cursor_left(c))
		return fuzz_rest(c);
	return (struct slice){cursor_bytes(c, len), len};
}

char *
fuzz_string(struct slice s)
{
	char *copy = malloc(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return copy;
}

void
fuzz_touch(const void *data, int64_t len)
{
	static volatile uint8_t sum;

	for (int64_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

void
fuzz_fail(const struct err *err)
{
	fprintf(stderr, "%s: %s\n", err_name(err->code), err->text);
	abort();
}

/* --- repairs ------------------------------------------------------------------- */

void
fuzz_repair_batches(uint8_t *data, size_t len, int64_t base, int what)
{
	while (len >= BATCH_HEADER) {
		struct batch b;
		size_t size = (size_t)be32_get(data + 8) + BATCH_PREFIX;

		if (what & REPAIR_FRAMES) {
			if (size < BATCH_HEADER || size > len)
				size = len;
			be32_put(data + 8, (uint32_t)(size - BATCH_PREFIX));
			data[16] = BATCH_MAGIC;
		}
		if (batch_view(data, len, &b) != BATCH_OK)
			return;
		if ((what & REPAIR_OFFSETS) && (b.base_offset < base || b.base_offset > base + 1000))
			batch_set_base_offset(data, base);
		if (what & REPAIR_CRC) {
			be32_put(data + 23, be32_get(data + 23) & INT32_MAX);
			be32_put(data + 17, crc32c(0, data + 21, size - 21));
		}
		batch_view(data, len, &b);
		base = b.last_offset_delta >= 0 && b.base_offset < INT64_MAX - INT32_MAX
		    ? batch_next_offset(&b)
		    : base;
		data += size;
		len -= size;
	}
}

void
fuzz_repair_snapshot(uint8_t *data, size_t len)
{
	if (len < SNAPSHOT_HEADER)
		return;
	be16_put(data, 1);
	be32_put(data + 6, (uint32_t)((len - SNAPSHOT_HEADER) / SNAPSHOT_ENTRY));
	be32_put(data + 2, crc32c(0, data + 6, len - 6));
}

void
fuzz_repair_tail(uint8_t *data, size_t len)
{
	char crc[CRC_DIGITS + 1];

	if (len != TAIL_BYTES)
		return;
	data[len - 1] = '\n';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, data, len - 1 - CRC_DIGITS));
	memcpy(data + len - 1 - CRC_DIGITS, crc, CRC_DIGITS);
}

void
fuzz_check_message(const struct wire_schema *s, int version, const void *msg)
{
	struct buf once = BUF_INIT, twice = BUF_INIT, text = BUF_INIT;
	struct arena a;
	struct err err;
	void *again;

	arena_init(&a, 0);
	again = arena_alloc(&a, s->body->size);
	assert(wire_encode(s, version, msg, &once, &err) == 0);
	assert(wire_size(s, version, msg, &err) == (int64_t)once.len);
	assert(
	    wire_decode_all(s, version, (struct slice){once.data, once.len}, &a, again, &err) == 0);
	assert(wire_encode(s, version, again, &twice, &err) == 0);
	assert(once.len == twice.len);
	assert(once.len == 0 || memcmp(once.data, twice.data, once.len) == 0);
	wire_print(s, version, msg, &text);
	wire_print_json(s, version, msg, &text);
	buf_release(&once);
	buf_release(&twice);
	buf_release(&text);
	arena_release(&a);
}

/* --- what fails ------------------------------------------------------------------ */

void
fuzz_memory(uint16_t fail)
{
	fuzz_memory_fail(fail & FAIL_MEMORY ? fail & FAIL_AT : 0, fail & FAIL_ON);
}

/* --- a simulated machine --------------------------------------------------------- */

void
machine_init(struct machine *m, struct sim_disk *disk)
{
	unsigned held = fuzz_memory_hold();

	m->disk = disk != NULL ? disk : sim_disk_new();
	m->sim = sim_os_new(m->disk, 1);
	m->os = fault_new(m->sim);
	assert(m->disk != NULL && m->os != NULL);
	fuzz_memory_resume(held);
}

void
machine_fail(struct machine *m, uint16_t fail)
{
	struct fault_plan plan = {.calls = FAULT_ALL & ~(unsigned)(FAULT_CLOSE | FAULT_CLOSE_WRITTEN),
	    .at = fail & FAIL_AT,
	    .sticky = fail & FAIL_ON};

	fault_plan(m->os, plan.at != 0 && !(fail & FAIL_MEMORY) ? &plan : NULL);
	fuzz_memory(fail);
}

bool
machine_failed(struct machine *m)
{
	return fault_fired(m->os) > 0 || fuzz_memory_failed();
}

void
machine_release(struct machine *m)
{
	fuzz_memory(0);
	assert(sim_os_open_count(m->sim) == 0);
	os_free(m->os);
	sim_disk_free(m->disk);
}

void
machine_write(struct machine *m, const char *path, struct slice content)
{
	unsigned held = fuzz_memory_hold();

	if (sim_write(m->disk, path, content.len > 0 ? (const void *)content.data : "",
		content.len) == -1)
		abort();
	fuzz_memory_resume(held);
}
