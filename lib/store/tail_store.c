/* Whether a store believes an mq.tail. */
#include <string.h>

#include "store/store_impl.h"

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
	return tail_read(h, s->os, dir) == 0 ? tail_is_current(s, h) : -1;
}

int64_t
partition_synced(struct store *s, const struct store_partition *p)
{
	struct tail_hint h;

	return tail_peek(s, p->dir, &h) == -1 ? -1 : h.tail.synced_offset;
}
