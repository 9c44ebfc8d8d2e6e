/* Which segments there are: what hints say of it, or one listing of the directory, kept
 * until there is reason to make another. */
#include <stdlib.h>

#include "log/reader_impl.h"
#include "log/times.h"

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
	r->tail.base = -1;
	if (ret == 0)
		ret = reserve(&r->names, all.count, err);
	if (ret == 0) {
		keep(&r->names, &all);
		r->names.guessed = false;
		r->listed = r->names.count;
		for (size_t i = 0; i < r->names.count; i++)
			r->listed = (r->listed ^ (uint64_t)r->names.names[i].base) * 0x100000001b3;
		r->stale = false;
	}
	segment_names_release(&all);
	return ret;
}

void
reader_expect(struct reader *r, struct reader_tail tail)
{
	r->tail = tail;
}

/* The bases from the segment that holds the log's start on, by the hints; NULL if they
 * say nothing of the first that there is. */
static int64_t *
guess_bases(const struct reader *r, size_t *count)
{
	int64_t start = r->start_offset, *bases;

	if (start < r->tail.first)
		start = r->tail.first;
	if (r->tail.base < start ||
	    times_bases(r->os, r->dir, start, r->tail.base, &bases, count) == -1)
		return NULL;
	if (bases[0] <= r->start_offset || bases[0] == r->tail.first)
		return bases;
	free(bases);
	return NULL;
}

static bool
guess(struct reader *r)
{
	struct err ignored;
	size_t count;
	int64_t *bases = guess_bases(r, &count);

	if (bases == NULL || reserve(&r->names, count, &ignored) == -1) {
		free(bases);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		r->names.names[i] = (struct reader_name){.base = bases[i]};
	free(bases);
	r->names.count = count;
	r->names.guessed = true;
	r->listed = 0;
	r->stale = false;
	return true;
}

bool
reader_guess(struct reader *r)
{
	if (!r->stale && r->names.count > 0)
		return r->names.guessed;
	/* What did not prove right was listed, and is not guessed again. */
	return r->names.count == 0 && r->tail.base >= 0 && guess(r);
}

int
reader_names(struct reader *r, struct err *err)
{
	if ((!r->stale && r->names.count > 0) || reader_guess(r))
		return 0;
	return reader_list(r, err);
}

int
reader_names_listed(struct reader *r, struct err *err)
{
	return r->stale || r->names.count == 0 || r->names.guessed ? reader_list(r, err) : 0;
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
	to->names.guessed = from->names.guessed;
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
