/* The new segments of one group, under their .cleaned names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/compact_impl.h"

#define OUT_BUFFER (1 << 20) /* bytes of a .log that are written at once */
#define OUT_BUFFER_INDEX (16 << 10)
#define OUT_UNSYNCED (4 << 20) /* bytes that out_sync thinks much */

static void
name_of(const struct out_group *g, const struct out_segment *s, size_t kind, char path[LOG_PATH_MAX])
{
	struct segment_name n = {s->base, (enum segment_kind)kind, SEGMENT_CLEANED};

	segment_name_path(path, g->log->dir, &n);
}

/* --- one file --------------------------------------------------------------------------- */

static int
open_file(struct out_group *g, struct out_segment *s, size_t kind, struct err *err)
{
	char path[LOG_PATH_MAX];

	name_of(g, s, kind, path);
	s->files[kind].fd = os_open(g->log->os, path, OS_WRITE | OS_CREATE | OS_TRUNC);
	return s->files[kind].fd == -1 ? err_sys(err, errno, "%s", path) : 0;
}

static int
flush(struct out_group *g, struct out_segment *s, size_t kind, struct err *err)
{
	struct out_file *f = &s->files[kind];
	char path[LOG_PATH_MAX];

	if (f->buf.len == 0)
		return 0;
	if (os_write_at(g->log->os, f->fd, f->buf.data, f->buf.len, f->size) == -1) {
		int why = errno;
		name_of(g, s, kind, path);
		return err_sys(err, why, "%s: write at byte %lld", path, (long long)f->size);
	}
	f->size += (int64_t)f->buf.len;
	g->unsynced += (int64_t)f->buf.len;
	buf_clear(&f->buf);
	return 0;
}

static int
put(struct out_group *g, struct out_segment *s, size_t kind, const void *data, size_t len,
    struct err *err)
{
	struct out_file *f = &s->files[kind];
	size_t most = kind == SEGMENT_LOG ? OUT_BUFFER : OUT_BUFFER_INDEX;
	uint8_t *at;

	if (f->buf.len + len > most && flush(g, s, kind, err) == -1)
		return -1;
	at = buf_extend(&f->buf, len);
	if (at == NULL)
		return err_nomem(err);
	memcpy(at, data, len);
	return 0;
}

static int
put_time(struct out_group *g, struct out_segment *s, const struct tindex_entry *e,
    struct err *err)
{
	uint8_t bytes[TINDEX_ENTRY];

	if (e->timestamp <= s->last_time.timestamp || e->offset < s->last_time.offset)
		return 0;
	tindex_encode(e, s->base, bytes);
	s->last_time = *e;
	return put(g, s, SEGMENT_TIME, bytes, sizeof(bytes), err);
}

/* --- one segment ---------------------------------------------------------------------------- */

static struct out_segment *
last(const struct out_group *g)
{
	return g->segments[g->count - 1];
}

int
out_begin(struct out_group *g, int64_t base, struct err *err)
{
	struct out_segment **all = reallocarray(g->segments, g->count + 1, sizeof(*all));
	struct out_segment *s;

	if (all == NULL)
		return err_nomem(err);
	g->segments = all;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_nomem(err);
	s->base = base;
	s->last_time = (struct tindex_entry){-1, base};
	segment_begin_tail(&s->tail, base);
	for (size_t k = 0; k < OUT_FILES; k++) {
		s->files[k].fd = -1;
		buf_init(&s->files[k].buf);
	}
	g->segments[g->count++] = s;
	for (size_t k = SEGMENT_LOG; k <= SEGMENT_TIME; k++) {
		if (open_file(g, s, k, err) == -1)
			return -1;
	}
	return 0;
}

int
out_batch(struct out_group *g, const struct batch *b, struct err *err)
{
	struct out_segment *s = last(g);
	uint8_t bytes[OINDEX_ENTRY];
	struct index_due due;

	/* Only what compaction made larger, or a segment.bytes that was lowered. */
	if (s->tail.size > 0 && s->tail.size + b->size > g->log->config.segment_bytes) {
		if (out_begin(g, b->base_offset, err) == -1)
			return -1;
		s = last(g);
	}
	segment_account(&s->tail, b, g->log->config.index_interval_bytes, &due);
	if (due.due) {
		oindex_encode(&due.offset, s->base, bytes);
		if (put(g, s, SEGMENT_INDEX, bytes, sizeof(bytes), err) == -1 ||
		    put_time(g, s, &due.time, err) == -1)
			return -1;
	}
	return put(g, s, SEGMENT_LOG, b->bytes, (size_t)b->size, err);
}

int
out_aborted(struct out_group *g, const struct aborted_txn *a, struct err *err)
{
	struct out_segment *s = last(g);
	uint8_t bytes[TXNINDEX_ENTRY];

	if (s->files[SEGMENT_TXN].fd == -1 && open_file(g, s, SEGMENT_TXN, err) == -1)
		return -1;
	aborted_encode(a, bytes);
	return put(g, s, SEGMENT_TXN, bytes, sizeof(bytes), err);
}

int
out_sync(struct out_group *g, struct err *err)
{
	struct out_segment *s = last(g);
	char path[LOG_PATH_MAX];

	if (g->unsynced < OUT_UNSYNCED)
		return 0;
	g->unsynced = 0;
	if (os_sync(g->log->os, s->files[SEGMENT_LOG].fd) == 0)
		return 0;
	name_of(g, s, SEGMENT_LOG, path);
	return err_sys(err, errno, "%s: sync", path);
}

static int
finish_segment(struct out_group *g, struct out_segment *s, struct err *err)
{
	struct tindex_entry closing = {s->tail.max_timestamp, s->tail.max_timestamp_offset};
	char path[LOG_PATH_MAX];

	if (put_time(g, s, &closing, err) == -1)
		return -1;
	for (size_t k = 0; k < OUT_FILES; k++) {
		struct out_file *f = &s->files[k];

		if (f->fd == -1)
			continue;
		if (flush(g, s, k, err) == -1)
			return -1;
		name_of(g, s, k, path);
		if (os_sync(g->log->os, f->fd) == -1)
			return err_sys(err, errno, "%s: sync", path);
		if (os_close(g->log->os, f->fd) == -1) {
			f->fd = -1;
			return err_sys(err, errno, "%s: close", path);
		}
		f->fd = -1;
	}
	return 0;
}

/* --- the group ---------------------------------------------------------------------------------- */

int
out_finish(struct out_group *g, struct err *err)
{
	for (size_t i = 0; i < g->count; i++) {
		if (finish_segment(g, g->segments[i], err) == -1)
			return -1;
	}
	return 0;
}

static void
close_files(struct out_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		for (size_t k = 0; k < OUT_FILES; k++) {
			struct out_file *f = &g->segments[i]->files[k];
			if (f->fd != -1)
				os_close(g->log->os, f->fd);
			f->fd = -1;
			buf_release(&f->buf);
		}
	}
}

/* .swap first: one that is left must not look like all there is. */
int
out_abandon(struct out_group *g, struct err *err)
{
	static const enum segment_state states[] = {SEGMENT_SWAP, SEGMENT_CLEANED};
	char path[LOG_PATH_MAX];

	close_files(g);
	for (size_t i = 0; i < 2 * g->count * OUT_FILES; i++) {
		struct segment_name n = {
		    .base = g->segments[i / OUT_FILES % g->count]->base,
		    .kind = (enum segment_kind)(i % OUT_FILES),
		    .state = states[i / OUT_FILES / g->count],
		};
		segment_name_path(path, g->log->dir, &n);
		if (os_remove(g->log->os, path) == -1 && errno != ENOENT)
			return err_sys(err, errno, "%s: remove", path);
	}
	return 0;
}

void
out_release(struct out_group *g)
{
	close_files(g);
	for (size_t i = 0; i < g->count; i++)
		free(g->segments[i]);
	free(g->segments);
	g->segments = NULL;
	g->count = 0;
}
