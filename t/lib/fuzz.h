/*
 * fuzz: what the harnesses of t/fuzz share.
 *
 * An input is read from the front: bytes that choose, and parts, each with its
 * length in two bytes. What it says too much of is cut, so that every input
 * means something. Checksums and lengths are repaired where the input asks for
 * it: else hardly one would get past them.
 */
#ifndef LIB_FUZZ_H
#define LIB_FUZZ_H

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_sim.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next byte, or two of them; 0 behind the end. */
uint8_t fuzz_byte(struct cursor *c);
uint16_t fuzz_u16(struct cursor *c);

/* A length of two bytes and so many bytes, or as many as are left. */
struct slice fuzz_part(struct cursor *c);
struct slice fuzz_rest(struct cursor *c);

/* As a string, up to its first NUL; the caller frees. */
char *fuzz_string(struct slice s);

/* Reads every byte, so that one out of bounds is seen. */
void fuzz_touch(const void *data, int64_t len);

/* An error that must not be: prints it and aborts. */
void fuzz_fail(const struct err *err) __attribute__((noreturn));

/* A message that was decoded must encode, to as many bytes as it says; what that
 * decodes to must encode to the same bytes, and print. */
void fuzz_check_message(const struct wire_schema *s, int version, const void *msg);

/* --- repairs: in place -------------------------------------------------------- */

enum { REPAIR_FRAMES = 1, REPAIR_CRC = 2, REPAIR_OFFSETS = 4 };

/* Of record batches one behind the other: lengths that leave the bytes and magic,
 * checksums, base offsets that do not follow those before (from `base` on). */
void fuzz_repair_batches(uint8_t *data, size_t len, int64_t base, int what);

/* Count and checksum of a producer snapshot. */
void fuzz_repair_snapshot(uint8_t *data, size_t len);

/* The checksum of mq.tail. */
void fuzz_repair_tail(uint8_t *data, size_t len);

/* --- what fails -------------------------------------------------------------------
 *
 * Two bytes say it: 0 is nothing; else the lower 14 bits are the number of the
 * call that fails, FAIL_MEMORY takes it from malloc and its kin, not from the
 * simulated machine, and with FAIL_ON all calls after it fail too. */

enum { FAIL_ON = 1 << 14, FAIL_MEMORY = 1 << 15 };

/* If `fail` is of memory, it counts from here. */
void fuzz_memory(uint16_t fail);

/* 0: no more failures. */
void fuzz_memory_fail(unsigned at, bool lasts);

/* True if it has, since the last fuzz_memory. */
bool fuzz_memory_failed(void);

/* Harnesses' own needs do not count: what is left until the failure, kept by the
 * caller and given back. */
unsigned fuzz_memory_hold(void);
void fuzz_memory_resume(unsigned left);

/* --- a simulated machine ------------------------------------------------------- */

struct machine {
	struct sim_disk *disk;
	struct os *os; /* a fault layer over `sim` */
	struct os *sim;
};

/* A process on `disk`, which becomes the machine's; NULL: an empty one. */
void machine_init(struct machine *m, struct sim_disk *disk);

/* What `fail` says fails, counted from here on; 0: nothing does any more. */
void machine_fail(struct machine *m, uint16_t fail);

/* True if it has: then nothing is promised but an orderly end. */
bool machine_failed(struct machine *m);

/* Nothing may be left open. Memory fails no more. */
void machine_release(struct machine *m);

/* Sets a file; one that cannot be is a broken test. */
void machine_write(struct machine *m, const char *path, struct slice content);

#endif
