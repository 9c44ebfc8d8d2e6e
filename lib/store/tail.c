/* The text of mq.tail: see share/doc/format.md section 3. */
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
	    "mq.tail 1 %s %d %lld %lld %lld %lld %lld %lld %lld %lld %d ", h->boot_id, h->epoch,
	    (long long)t->segment_base, (long long)t->size, (long long)t->end_offset,
	    (long long)t->indexed_position, (long long)t->first_timestamp,
	    (long long)t->max_timestamp, (long long)t->max_timestamp_offset,
	    (long long)t->synced_offset, t->producers ? 1 : 0);

	/* 37 + 8 * 20 and the rest stay below TAIL_SIZE. */
	memset(text + len, ' ', (size_t)(TAIL_SIZE - len));
	text[TAIL_SIZE - 1] = '\n';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	memcpy(text + TAIL_SIZE - 1 - CRC_DIGITS, crc, CRC_DIGITS);
}

int
tail_parse(struct tail_hint *h, const char *text, size_t len)
{
	char line[TAIL_SIZE + 1], crc[CRC_DIGITS + 1];
	long long n[8];
	int producers;

	if (len != TAIL_SIZE || text[TAIL_SIZE - 1] != '\n')
		return -1;
	memcpy(line, text, TAIL_SIZE);
	line[TAIL_SIZE] = '\0';
	snprintf(crc, sizeof(crc), "%08x", crc32c(0, text, TAIL_SIZE - 1 - CRC_DIGITS));
	if (memcmp(crc, text + TAIL_SIZE - 1 - CRC_DIGITS, CRC_DIGITS) != 0)
		return -1;
	if (sscanf(line, "mq.tail 1 %36s %d %lld %lld %lld %lld %lld %lld %lld %lld %d", h->boot_id,
	        &h->epoch, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7],
	        &producers) != 11)
		return -1;
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
	};
	return 0;
}
