/* Read committed: what is stable, and what was aborted. */
#include <stdlib.h>

#include "log/reader_impl.h"

#define TXNINDEX_MAX (64 << 20) /* bytes that are read of one */

static int
add(struct aborted_txn **list, size_t *count, size_t *cap, const struct aborted_txn *a,
    struct err *err)
{
	if (*count == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct aborted_txn *grown = reallocarray(*list, more, sizeof(*grown));
		if (grown == NULL)
			return err_nomem(err);
		*list = grown;
		*cap = more;
	}
	(*list)[(*count)++] = *a;
	return 0;
}

/* Begins from the newest snapshot that is not above `end`, else from the start. */
static int
begin_replay(struct reader *r, int64_t end, struct err *err)
{
	int64_t from = r->plain_offset;

	if (from > end || from == -1)
		from = producers_load_newest(&r->producers, r->os, r->dir, end, err);
	else
		producers_clear(&r->producers, from);
	if (from == -1 && err->code != 0)
		return -1;
	if (from == -1)
		from = 0;
	/* What ends below `from` was in a .txnindex before a snapshot could say so: a
	 * listing from before that would not show it. */
	if (from != r->plain_offset && reader_list(r, err) == -1)
		return -1;
	reader_free(r->replay);
	r->replay = reader_open(r->os, r->dir, from, err);
	if (r->replay == NULL)
		return -1;
	r->replay->headers_only = true;
	if (reader_names_copy(r->replay, r, err) == -1) {
		reader_free(r->replay);
		r->replay = NULL;
		return -1;
	}
	r->replay_from = from;
	r->aborted_count = 0;
	return 0;
}

/* Takes in what was written since the last time, up to `end`. */
static int
replay_to(struct reader *r, int64_t end, struct err *err)
{
	struct aborted_txn aborted;
	bool has_aborted;
	struct batch b;

	while (r->replay->offset < end) {
		int got = reader_next(r->replay, &b, err);

		if (got == 0)
			return 0;
		if (got == -1 && err->code == ERR_CORRUPT)
			continue;
		if (got == -1)
			return -1;
		if (producers_replay(&r->producers, &b, &aborted, &has_aborted, err) == -1) {
			if (err->code != ERR_CORRUPT)
				return -1;
			continue;
		}
		if (has_aborted && add(&r->aborted, &r->aborted_count, &r->aborted_cap, &aborted,
		    err) == -1)
			return -1;
	}
	return 0;
}

void
reader_without_producers(struct reader *r, int64_t offset)
{
	r->plain_offset = offset;
	r->stale = true;
}

int
reader_stable_end(struct reader *r, int64_t *lso, struct err *err)
{
	int64_t start, end, unstable;

	if (reader_bounds(r, &start, &end, err) == -1)
		return -1;
	if ((r->replay == NULL || r->replay->offset > end) && begin_replay(r, end, err) == -1)
		return -1;
	if (replay_to(r, end, err) == -1)
		return -1;
	unstable = producers_first_unstable(&r->producers);
	*lso = unstable != -1 && unstable < end ? unstable : end;
	if (*lso < start)
		*lso = start;
	return 0;
}

/* Entries of one .txnindex whose markers the replay has not seen. 1: no later
 * one can matter; 0; -1. */
static int
read_txnindex(struct reader *r, int64_t base, int64_t from, int64_t to, struct aborted_txn **list,
    size_t *count, size_t *cap, struct err *err)
{
	struct buf in = BUF_INIT;
	char path[LOG_PATH_MAX];
	struct aborted_txn a;
	int done = 0;

	segment_path(path, r->dir, base, segment_suffix(SEGMENT_TXN));
	if (os_read_file(r->os, path, TXNINDEX_MAX, &in, err) == -1) {
		buf_release(&in);
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	}
	for (size_t at = 0; done == 0 && at + TXNINDEX_ENTRY <= in.len; at += TXNINDEX_ENTRY) {
		if (aborted_decode(&a, in.data + at) == -1) {
			done = err_set(err, ERR_CORRUPT, "%s: byte %zu: want version 0", path, at);
			break;
		}
		if (a.last_offset >= r->replay_from)
			break;
		if (a.last_offset >= from && a.first_offset < to)
			done = add(list, count, cap, &a, err);
		if (done == 0 && a.last_stable_offset >= to)
			done = 1;
	}
	buf_release(&in);
	return done;
}

static int
collect(struct reader *r, int64_t from, int64_t to, struct aborted_txn **list, size_t *count,
    size_t *cap, struct err *err)
{
	int done = 0;

	for (size_t i = r->names.count > 0 ? reader_floor(r, from) : 0;
	    done == 0 && i < r->names.count && r->names.names[i].base < r->replay_from; i++) {
		if (r->names.names[i].has_txns)
			done = read_txnindex(r, r->names.names[i].base, from, to, list, count, cap,
			    err);
	}
	if (done != 0)
		return done == 1 ? 0 : -1;
	for (size_t i = 0; i < r->aborted_count; i++) {
		const struct aborted_txn *a = &r->aborted[i];
		if (a->last_offset >= from && a->first_offset < to &&
		    add(list, count, cap, a, err) == -1)
			return -1;
	}
	return 0;
}

int
reader_aborted(struct reader *r, int64_t from, int64_t to, struct aborted_txn **list,
    size_t *count, struct err *err)
{
	size_t cap = 0;
	int64_t lso;

	*list = NULL;
	*count = 0;
	if (reader_stable_end(r, &lso, err) == -1 || reader_names_listed(r, err) == -1)
		return -1;
	if (collect(r, from, to, list, count, &cap, err) == 0)
		return 0;
	free(*list);
	*list = NULL;
	*count = 0;
	return -1;
}
