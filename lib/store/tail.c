/* mq.tail: its text, and whether to believe it. See share/doc/format.md section 3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "store/store_impl.h"

#define CRC_DIGITS 8

void
tail_format(const struct tail_hint *h, char text[TAIL_SIZE])
{
	const struct mlog_tail *t = &h->tail;
	char crc[CRC_DIGITS + 1];
	int len = snprintf(text, TAIL_SIZE,
	    "mq.tail 1 %s %d %lld %lld %lld %lld %lld %lld %lld %lld %d %lld %lld %d ", h->boot_id,
	    h->epoch, (long long)t->segment_base, (long long)t->size, (long long)t->end_offset,
	    (long long)t->indexed_position, (long long)t->first_timestamp,
	    (long long)t->max_timestamp, (long long)t->max_timestamp_offset,
	    (long long)t->synced_offset, t->producers ? 1 : 0, (long long)h->clock.offset_ms,
	    (long long)h->clock.doubt_ms, t->replacing ? 1 : 0);

	/* 37 + 10 * 20 and the rest stay below TAIL_SIZE. */
	memset(text + len, ' ', (size_t)(TAIL_SIZE - len));
	text[TAIL_SIZE - 1] = '\n';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	memcpy(text + TAIL_SIZE - 1 - CRC_DIGITS, crc, CRC_DIGITS);
}

int
tail_parse(struct tail_hint *h, const char *text, size_t len)
{
	char line[TAIL_SIZE + 1], crc[CRC_DIGITS + 1];
	long long n[10];
	int producers, replacing = 1, found;

	if (len != TAIL_SIZE || text[TAIL_SIZE - 1] != '\n')
		return -1;
	memcpy(line, text, TAIL_SIZE);
	line[TAIL_SIZE] = '\0';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	if (memcmp(crc, text + TAIL_SIZE - 1 - CRC_DIGITS, CRC_DIGITS) != 0)
		return -1;
	/* Without the last word, which was not always told, it may be either. */
	found = sscanf(line,
	    "mq.tail 1 %36s %d %lld %lld %lld %lld %lld %lld %lld %lld %d %lld %lld %d",
	    h->boot_id, &h->epoch, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7],
	    &producers, &n[8], &n[9], &replacing);
	if (found < 13)
		return -1;
	h->clock = (struct tail_clock){n[8], n[9]};
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

/* --- the clock ------------------------------------------------------------------- */

/* A clock that moved further between two looks has jumped, a lesser move is a
 * correction; nobody writes the tail for one below a second. What has stayed for an
 * hour after a jump is believed. */
#define CLOCK_JUMP_MS 60000
#define CLOCK_STEP_MS 1000
#define CLOCK_DOUBT_MS 3600000

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
		if (mono - c->doubt_ms < CLOCK_DOUBT_MS)
			return;
	}
	c->doubt_ms = -1;
	if (moved > CLOCK_STEP_MS)
		c->offset_ms = now;
}

/* --- what it is worth ---------------------------------------------------------- */

bool
tail_is_of_boot(const struct store *s, const struct tail_hint *h)
{
	return s->boot_id[0] != '\0' && strcmp(h->boot_id, s->boot_id) == 0;
}

bool
tail_is_current(const struct store *s, const struct tail_hint *h)
{
	return tail_is_of_boot(s, h) && h->epoch == s->image.epoch;
}

int
tail_peek(struct store *s, const char *dir, struct tail_hint *h)
{
	char path[STORE_PATH_MAX];
	struct buf text = BUF_INIT;
	struct err ignored;
	int ret = -1;

	snprintf(path, sizeof(path), "%s/mq.tail", dir);
	if (os_read_file(s->os, path, TAIL_SIZE, &text, &ignored) == 0 &&
	    tail_parse(h, (const char *)text.data, text.len) == 0)
		ret = tail_is_current(s, h);
	buf_release(&text);
	return ret;
}

int64_t
partition_synced(struct store *s, const struct store_partition *p)
{
	struct tail_hint h;

	return tail_peek(s, p->dir, &h) == -1 ? -1 : h.tail.synced_offset;
}
