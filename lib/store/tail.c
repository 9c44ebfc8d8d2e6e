/* mq.tail: its text, and the clock in it. See share/doc/format.md section 3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "log/segment.h"
#include "store/tail.h"

#define CRC_DIGITS 8

void
tail_format(const struct tail_hint *h, char text[TAIL_SIZE])
{
	const struct mlog_tail *t = &h->tail;
	char crc[CRC_DIGITS + 1];
	int len = snprintf(text, TAIL_SIZE,
	    "mq.tail 1 %s %d %lld %lld %lld %lld %lld %lld %lld %lld %d %lld %lld %d %lld ", h->boot_id,
	    h->epoch, (long long)t->segment_base, (long long)t->size, (long long)t->end_offset,
	    (long long)t->indexed_position, (long long)t->first_timestamp,
	    (long long)t->max_timestamp, (long long)t->max_timestamp_offset,
	    (long long)t->synced_offset, t->producers ? 1 : 0, (long long)h->clock.offset_ms,
	    (long long)h->clock.doubt_ms, t->replacing ? 1 : 0, (long long)h->first_base);

	/* 37 + 11 * 20 and the rest stay below TAIL_SIZE. */
	memset(text + len, ' ', (size_t)(TAIL_SIZE - len));
	text[TAIL_SIZE - 1] = '\n';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	memcpy(text + TAIL_SIZE - 1 - CRC_DIGITS, crc, CRC_DIGITS);
}

int
tail_parse(struct tail_hint *h, const char *text, size_t len)
{
	char line[TAIL_SIZE + 1], crc[CRC_DIGITS + 1];
	long long n[10], first_base = -1;
	int producers, replacing = 1, found;

	if (len != TAIL_SIZE || text[TAIL_SIZE - 1] != '\n')
		return -1;
	memcpy(line, text, TAIL_SIZE);
	line[TAIL_SIZE] = '\0';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	if (memcmp(crc, text + TAIL_SIZE - 1 - CRC_DIGITS, CRC_DIGITS) != 0)
		return -1;
	/* The last two words were not always told: the checksum is none of them. */
	line[TAIL_SIZE - 1 - CRC_DIGITS] = '\0';
	found = sscanf(line,
	    "mq.tail 1 %36s %d %lld %lld %lld %lld %lld %lld %lld %lld %d %lld %lld %d %lld",
	    h->boot_id, &h->epoch, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7],
	    &producers, &n[8], &n[9], &replacing, &first_base);
	if (found < 13)
		return -1;
	h->clock = (struct tail_clock){n[8], n[9]};
	h->first_base = first_base;
	h->tail = (struct mlog_tail){
	    .segment_base = n[0],
	    .size = n[1],
	    .end_offset = n[2],
	    .indexed_position = n[3],
	    .first_timestamp = n[4],
	    .max_timestamp = n[5],
	    .max_timestamp_offset = n[6],
	    .synced_offset = n[7],
	    .producers = producers != 0,
	    .replacing = replacing != 0,
	};
	return 0;
}

/* --- the file -------------------------------------------------------------------- */

int
tail_read(struct tail_hint *h, struct os *os, const char *dir)
{
	char path[LOG_PATH_MAX];
	struct buf text = BUF_INIT;
	struct err ignored;
	int ret = -1;

	if (snprintf(path, sizeof(path), "%s/" TAIL_FILE, dir) < (int)sizeof(path) &&
	    os_read_file(os, path, TAIL_SIZE, &text, &ignored) == 0)
		ret = tail_parse(h, (const char *)text.data, text.len);
	buf_release(&text);
	return ret;
}

int
tail_write(const struct tail_hint *h, struct os *os, const char *dir)
{
	char path[LOG_PATH_MAX], text[TAIL_SIZE];
	int fd, ret;

	if (snprintf(path, sizeof(path), "%s/" TAIL_FILE, dir) >= (int)sizeof(path))
		return -1;
	tail_format(h, text);
	fd = os_open(os, path, OS_WRITE | OS_CREATE);
	if (fd == -1)
		return -1;
	ret = os_write_at(os, fd, text, TAIL_SIZE, 0);
	return os_close(os, fd) == -1 ? -1 : ret;
}

/* --- the clock ------------------------------------------------------------------- */

/* A clock that moved further between two looks has jumped, a lesser move is a
 * correction; nobody writes the tail for one below a second. */
#define CLOCK_JUMP_MS 60000
#define CLOCK_STEP_MS 1000

void
tail_clock_look(struct tail_clock *c, struct os *os)
{
	int64_t mono = os_mono_ns(os) / 1000000, now = os_wall_ms(os) - mono;
	int64_t moved;

	if (c->offset_ms < 0 || c->doubt_ms < 0)
		c->doubt_ms = -1;
	if (c->offset_ms < 0)
		c->offset_ms = now;
	moved = now > c->offset_ms ? now - c->offset_ms : c->offset_ms - now;

	if (moved > CLOCK_JUMP_MS) {
		if (c->doubt_ms == -1 || c->doubt_ms > mono)
			c->doubt_ms = mono;
		if (mono - c->doubt_ms < TAIL_DOUBT_MS)
			return;
	}
	c->doubt_ms = -1;
	if (moved > CLOCK_STEP_MS)
		c->offset_ms = now;
}
