/*
 * sparse DIR SIZE FIRST_MS: fills the empty partition directory DIR with a log of
 * SIZE GiB, in segments of 1 GiB, and prints its end offset.
 *
 * A batch is 1 MiB with one record: only the 71 bytes of its head are written,
 * its value is a hole of zeros, and its checksum is right, so that every tool
 * takes it for what it seems to be. On disk it costs one block. Offset n has the
 * timestamp FIRST_MS + 100 n. Indexes and producer snapshots are as a broker
 * with the default configuration would have left them, and mq.times as mq would.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/hash.h"

#define BATCH_BYTES (1 << 20)
#define SEGMENT_BATCHES 1024
#define HEADER 61         /* of a batch */
#define CHECKED 21        /* where its checksum begins to cover it */
#define HEAD (HEADER + 10) /* with the fields in front of the record's value */
#define STEP_MS 100

/* --- checksums over holes ----------------------------------------------------- */

/* A linear map of checksum states: column i is where bit i goes. */
struct map32 {
	uint32_t column[32];
};

static uint32_t
map_apply(const struct map32 *m, uint32_t v)
{
	uint32_t out = 0;

	for (int i = 0; i < 32; i++)
		if ((v >> i & 1) != 0)
			out ^= m->column[i];
	return out;
}

static struct map32
map_after(const struct map32 *second, const struct map32 *first)
{
	struct map32 both;

	for (int i = 0; i < 32; i++)
		both.column[i] = map_apply(second, first->column[i]);
	return both;
}

/* What `count` zero bytes do to a state. */
static struct map32
map_zeros(size_t count)
{
	struct map32 power, all;

	for (int i = 0; i < 32; i++) {
		uint8_t zero = 0;

		power.column[i] = ~crc32c(~(1u << i), &zero, 1) ^ ~crc32c(~0u, &zero, 1);
		all.column[i] = 1u << i;
	}
	for (; count > 0; count >>= 1, power = map_after(&power, &power))
		if ((count & 1) != 0)
			all = map_after(&power, &all);
	return all;
}

/* --- files -------------------------------------------------------------------- */

static void
fail(const char *what)
{
	fprintf(stderr, "sparse: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
create(const char *dir, long long base, const char *suffix)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%020lld.%s", dir, base, suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd == -1)
		fail(path);
	return fd;
}

static void
put(int fd, const void *bytes, size_t len, off_t at)
{
	if (pwrite(fd, bytes, len, at) != (ssize_t)len)
		fail("write");
}

static void
whole_file(const char *dir, long long base, const char *suffix, const struct buf *content)
{
	int fd = create(dir, base, suffix);

	if (content->failed)
		fail("memory");
	put(fd, content->data, content->len, 0);
	close(fd);
}

/* No producers: version, checksum, count. */
static void
snapshot(const char *dir, long long base)
{
	struct buf b = BUF_INIT;
	uint8_t count[4] = {0};

	buf_i16(&b, 1);
	buf_i32(&b, (int32_t)crc32c(0, count, sizeof(count)));
	buf_put(&b, count, sizeof(count));
	whole_file(dir, base, "snapshot", &b);
	buf_release(&b);
}

/* --- batches ------------------------------------------------------------------- */

static void
head(struct buf *b, long long offset, long long ms, const struct map32 *hole)
{
	uint32_t crc;

	buf_clear(b);
	buf_i64(b, offset);
	buf_i32(b, BATCH_BYTES - 12);
	buf_i32(b, 0); /* leader epoch */
	buf_i8(b, 2);  /* magic */
	buf_i32(b, 0); /* checksum, below */
	buf_i16(b, 0); /* attributes */
	buf_i32(b, 0); /* last offset delta */
	buf_i64(b, ms);
	buf_i64(b, ms);
	buf_i64(b, -1); /* producer: none */
	buf_i16(b, -1);
	buf_i32(b, -1);
	buf_i32(b, 1); /* records */
	/* The record: size, attributes, two deltas, no key, value's size; behind the
	 * value a zero for no headers. */
	buf_varint(b, BATCH_BYTES - HEADER - 3);
	buf_i8(b, 0);
	buf_varint(b, 0);
	buf_varint(b, 0);
	buf_varint(b, -1);
	buf_varint(b, BATCH_BYTES - HEAD - 1);
	if (b->failed || b->len != HEAD)
		fail("head");
	crc = ~crc32c(0, b->data + CHECKED, HEAD - CHECKED);
	be32_put(b->data + CHECKED - 4, ~map_apply(hole, crc));
}

static void
segment(const char *dir, long long base, long long count, long long first_ms,
    const struct map32 *hole)
{
	struct buf b = BUF_INIT, offsets = BUF_INIT, times = BUF_INIT;
	int fd = create(dir, base, "log");

	for (long long i = 0; i < count; i++) {
		long long ms = first_ms + (base + i) * STEP_MS;

		head(&b, base + i, ms, hole);
		put(fd, b.data, b.len, (off_t)i * BATCH_BYTES);
		/* As Kafka: an entry when bytes have gone by since the last one. */
		if (i > 0) {
			buf_i32(&offsets, (int32_t)i);
			buf_i32(&offsets, (int32_t)(i * BATCH_BYTES));
			buf_i64(&times, ms);
			buf_i32(&times, (int32_t)i);
		}
	}
	if (ftruncate(fd, (off_t)count * BATCH_BYTES) == -1)
		fail("truncate");
	close(fd);
	whole_file(dir, base, "index", &offsets);
	whole_file(dir, base, "timeindex", &times);
	if (base > 0)
		snapshot(dir, base);
	buf_release(&b);
	buf_release(&offsets);
	buf_release(&times);
}

/* mq.times: for each finished segment its end and its last timestamp. */
static void
times(const char *dir, long long count, long long first_ms)
{
	char path[4096], line[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/mq.times", dir);
	f = fopen(path, "we");
	if (f == NULL)
		fail(path);
	for (long long end = SEGMENT_BATCHES; end < count; end += SEGMENT_BATCHES) {
		int len = snprintf(line, sizeof(line), "%20lld %20lld %10d ", end,
		    first_ms + (end - 1) * STEP_MS, 0);

		fprintf(f, "%s%08x\n", line, crc32c(0, line, (size_t)len));
	}
	if (fclose(f) != 0)
		fail(path);
}

int
main(int argc, char **argv)
{
	struct map32 hole = map_zeros(BATCH_BYTES - HEAD);
	long long count, first_ms;

	if (argc != 4) {
		fprintf(stderr, "usage: sparse DIR SIZE-IN-GIB FIRST_MS\n");
		return 2;
	}
	count = strtoll(argv[2], NULL, 10) * SEGMENT_BATCHES;
	first_ms = strtoll(argv[3], NULL, 10);
	/* The last segment is half full, so that it is appended to. */
	count -= SEGMENT_BATCHES / 2;
	for (long long base = 0; base < count; base += SEGMENT_BATCHES)
		segment(argv[1], base,
		    count - base < SEGMENT_BATCHES ? count - base : SEGMENT_BATCHES, first_ms, &hole);
	times(argv[1], count, first_ms);
	printf("%lld\n", count);
	return 0;
}
