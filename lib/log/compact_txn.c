/* Transactions as compaction meets them: whose records go, and which markers
 * are still needed. Kafka's CleanedTransactionMetadata. */
#include <errno.h>
#include <stdlib.h>

#include "log/compact_impl.h"

#define MARKER_ABORT 0
#define MARKER_COMMIT 1

/* --- what is known of aborted ones ------------------------------------------------------ */

static int
add(struct txn_walk *w, const struct aborted_txn *entry, struct err *err)
{
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		struct txn_aborted *all = reallocarray(w->aborted, cap, sizeof(*all));
		if (all == NULL)
			return err_nomem(err);
		w->aborted = all;
		w->cap = cap;
	}
	w->aborted[w->count++] = (struct txn_aborted){.entry = *entry};
	return 0;
}

static int
load_file(struct txn_walk *w, struct mlog *log, const char *path, int fd, struct err *err)
{
	uint8_t page[TXNINDEX_ENTRY * 120];
	struct aborted_txn entry;

	for (int64_t at = 0;; at += (int64_t)sizeof(page)) {
		ssize_t got = os_read_at(log->os, fd, page, sizeof(page), at);

		if (got == -1)
			return err_sys(err, errno, "%s: read", path);
		for (ssize_t i = 0; i + TXNINDEX_ENTRY <= got; i += TXNINDEX_ENTRY) {
			if (aborted_decode(&entry, page + i) == -1)
				return err_set(err, ERR_CORRUPT, "%s: byte %lld: unknown version",
				    path, (long long)(at + i));
			if (add(w, &entry, err) == -1)
				return -1;
		}
		if (got < (ssize_t)sizeof(page))
			return 0;
	}
}

static int
compare(const void *a, const void *b)
{
	const struct txn_aborted *x = a, *y = b;

	if (x->entry.first_offset != y->entry.first_offset)
		return x->entry.first_offset < y->entry.first_offset ? -1 : 1;
	return 0;
}

int
txn_walk_load(struct txn_walk *w, struct mlog *log, struct err *err)
{
	char path[LOG_PATH_MAX];

	*w = (struct txn_walk){0};
	map_init(&w->open_aborted);
	map_init(&w->open_committed);
	for (size_t i = 0; i < log->segment_count; i++) {
		int fd, r;

		segment_path(path, log->dir, log->segments[i]->base, segment_suffix(SEGMENT_TXN));
		fd = os_open(log->os, path, OS_READ);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1)
			return err_sys(err, errno, "%s", path);
		r = load_file(w, log, path, fd, err);
		os_close(log->os, fd);
		if (r == -1)
			return -1;
	}
	if (w->count > 0)
		qsort(w->aborted, w->count, sizeof(*w->aborted), compare);
	return 0;
}

void
txn_walk_release(struct txn_walk *w)
{
	free(w->aborted);
	map_release(&w->open_aborted);
	map_release(&w->open_committed);
	*w = (struct txn_walk){0};
}

/* --- the walk ------------------------------------------------------------------------------ */

void
txn_walk_begin(struct txn_walk *w, int64_t offset)
{
	map_release(&w->open_aborted);
	map_release(&w->open_committed);
	map_init(&w->open_aborted);
	map_init(&w->open_committed);
	for (size_t i = 0; i < w->count; i++)
		w->aborted[i].seen = false;
	w->next = 0;
	w->from = offset;
}

/* Those that have begun by `offset` are under way. */
static int
enter_aborted(struct txn_walk *w, int64_t offset, struct err *err)
{
	for (; w->next < w->count && w->aborted[w->next].entry.first_offset <= offset; w->next++) {
		struct txn_aborted *a = &w->aborted[w->next];
		uint8_t id[8];

		if (a->entry.last_offset < w->from)
			continue;
		be64_put(id, (uint64_t)a->entry.producer_id);
		if (map_get(&w->open_aborted, id, sizeof(id)) == NULL &&
		    map_put(&w->open_aborted, id, sizeof(id), a, NULL) == -1)
			return err_nomem(err);
	}
	return 0;
}

static int
take_data(struct txn_walk *w, const struct batch *b, bool *discard, struct err *err)
{
	struct txn_aborted *a;
	uint8_t id[8];

	*discard = false;
	if (!batch_is_transactional(b))
		return 0;
	be64_put(id, (uint64_t)b->producer_id);
	a = map_get(&w->open_aborted, id, sizeof(id));
	if (a != NULL) {
		a->seen = *discard = true;
		return 0;
	}
	return map_put(&w->open_committed, id, sizeof(id), w, NULL) == -1 ? err_nomem(err) : 0;
}

/* The type of a marker; -1 if the batch was emptied before; -2 on failure. */
static int
marker_type(const struct batch *b, struct err *err)
{
	struct record_reader reader = {0};
	struct record rec;
	int type = -1, r = record_reader_open(&reader, b, err);

	if (r == 0)
		r = record_reader_next(&reader, &rec, err);
	if (r == 1) {
		struct cursor key = cursor_of(rec.key, rec.key_size > 0 ? (size_t)rec.key_size : 0);
		cursor_i16(&key); /* version */
		type = cursor_i16(&key);
		if (key.failed || type < 0)
			r = err_set(err, ERR_CORRUPT, "offset %lld: a control record without a type",
			    (long long)b->base_offset);
	}
	record_reader_release(&reader);
	return r == -1 ? -2 : type;
}

static int
take_marker(struct txn_walk *w, const struct batch *b, bool *discard,
    const struct aborted_txn **keep, struct err *err)
{
	struct txn_aborted *a;
	uint8_t id[8];

	be64_put(id, (uint64_t)b->producer_id);
	*discard = true;
	switch (marker_type(b, err)) {
	case -2:
		return -1;
	case -1:
		return 0;
	case MARKER_ABORT:
		a = map_del(&w->open_aborted, id, sizeof(id));
		if (a != NULL && a->seen) {
			*discard = false;
			*keep = &a->entry;
		}
		return 0;
	case MARKER_COMMIT:
		*discard = map_del(&w->open_committed, id, sizeof(id)) == NULL;
		return 0;
	default:
		*discard = false;
		return 0;
	}
}

int
txn_walk_batch(struct txn_walk *w, const struct batch *b, bool *discard,
    const struct aborted_txn **keep, struct err *err)
{
	*keep = NULL;
	if (enter_aborted(w, batch_last_offset(b), err) == -1)
		return -1;
	return batch_is_control(b) ? take_marker(w, b, discard, keep, err) :
	    take_data(w, b, discard, err);
}
