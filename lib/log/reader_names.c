/* Which segments there are: one listing of the directory, kept until there is
 * reason to make another. */
#include <stdlib.h>

#include "log/reader_impl.h"

static int
reserve(struct reader_names *names, size_t count, struct err *err)
{
	struct reader_name *grown;

	if (count <= names->cap)
		return 0;
	grown = reallocarray(names->names, count, sizeof(*grown));
	if (grown == NULL)
		return err_nomem(err);
	names->names = grown;
	names->cap = count;
	return 0;
}

/* Sorted by base, each .log before its .txnindex. While files are being replaced a
 * listing may miss one, so that none is taken for missing. */
static void
keep(struct reader_names *to, const struct segment_names *from)
{
	bool replacing = false;

	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		replacing = replacing || from->names[i].state != SEGMENT_PLAIN;
	for (size_t i = 0; i < from->count; i++) {
		const struct segment_name *n = &from->names[i];
		bool known = to->count > 0 && to->names[to->count - 1].base == n->base;

		if (n->state != SEGMENT_PLAIN && n->state != SEGMENT_SWAP)
			continue;
		if (n->kind == SEGMENT_TXN && known)
			to->names[to->count - 1].has_txns = true;
		if (n->kind == SEGMENT_LOG && !known)
			to->names[to->count++] = (struct reader_name){n->base, replacing};
	}
}

int
reader_list(struct reader *r, struct err *err)
{
	struct segment_names all = {0};
	int ret = segment_names_read_some(&all, r->os, r->dir,
	    1u << SEGMENT_LOG | 1u << SEGMENT_TXN, err);

	r->stale = true;
	if (ret == 0)
		ret = reserve(&r->names, all.count, err);
	if (ret == 0) {
		keep(&r->names, &all);
		r->listed = r->names.count;
		for (size_t i = 0; i < r->names.count; i++)
			r->listed = (r->listed ^ (uint64_t)r->names.names[i].base) * 0x100000001b3;
		r->stale = false;
	}
	segment_names_release(&all);
	return ret;
}

int
reader_names(struct reader *r, struct err *err)
{
	return r->stale || r->names.count == 0 ? reader_list(r, err) : 0;
}

int
reader_names_copy(struct reader *to, const struct reader *from, struct err *err)
{
	if (from->stale || from->names.count == 0)
		return 0;
	if (reserve(&to->names, from->names.count, err) == -1)
		return -1;
	for (size_t i = 0; i < from->names.count; i++)
		to->names.names[i] = from->names.names[i];
	to->names.count = from->names.count;
	to->listed = from->listed;
	to->stale = false;
	return 0;
}

int
reader_list_again(struct reader *r, struct err *err)
{
	for (int i = 0; i < LOOK_AGAIN_MAX; i++) {
		uint64_t before = r->listed;

		if (reader_list(r, err) == -1)
			return -1;
		if (r->listed == before)
			break;
	}
	return 0;
}

size_t
reader_floor(const struct reader *r, int64_t offset)
{
	size_t low = 0, high = r->names.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (r->names.names[mid].base <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? low - 1 : 0;
}
