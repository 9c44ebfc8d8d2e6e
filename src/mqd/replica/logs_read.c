/* Reads: what is resident on the loop, the rest on WORKER_READ. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/reader.h"
#include "log/segment.h"
#include "mqd/replica/logs_impl.h"

/* A reader that stands where somebody stopped who will come back for more. */
struct cached_reader {
	struct reader *reader;
	char *dir;
	int64_t next;  /* offset of what it gives next */
	bool held;     /* and that was read already: */
	struct batch batch;
	int64_t used_ms;
};

/* --- readers, on WORKER_READ ---------------------------------------------------------- */

static void
free_reader(struct cached_reader *c)
{
	reader_free(c->reader);
	free(c->dir);
	*c = (struct cached_reader){0};
}

void
readers_forget(struct logs *s, const char *dir)
{
	for (size_t n = 0; s->readers != NULL && n < LOGS_READERS; n++) {
		struct cached_reader *c = &s->readers[n];

		if (c->reader != NULL && (dir == NULL || strcmp(c->dir, dir) == 0))
			free_reader(c);
	}
	if (dir != NULL)
		return;
	free(s->readers);
	s->readers = NULL;
}

/* The one that stands at `offset`, or else a place for another: an empty one, or that
 * of the one that was used longest ago. */
static struct cached_reader *
find_reader(struct logs *s, const char *dir, int64_t offset)
{
	struct cached_reader *best = &s->readers[0];
	int64_t old_ms = logs_mono_ms(s) - LOGS_READER_IDLE_MS;

	for (size_t n = 0; n < LOGS_READERS; n++) {
		struct cached_reader *c = &s->readers[n];

		if (c->reader != NULL && c->next == offset && strcmp(c->dir, dir) == 0)
			return c;
		if (c->reader != NULL && c->used_ms < old_ms)
			free_reader(c);
		if (best->reader != NULL && (c->reader == NULL || c->used_ms < best->used_ms))
			best = c;
	}
	if (best->reader != NULL)
		free_reader(best);
	return best;
}

static struct cached_reader *
get_reader(struct logs *s, const char *dir, const struct plog_read *r, struct err *err)
{
	struct cached_reader *c;

	if (s->readers == NULL &&
	    (s->readers = calloc(LOGS_READERS, sizeof(*s->readers))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	c = find_reader(s, dir, r->offset);
	if (c->reader != NULL)
		return c;
	c->dir = strdup(dir);
	c->reader = c->dir != NULL ? reader_open(s->os, dir, r->start_offset, err) : NULL;
	if (c->dir == NULL)
		err_nomem(err);
	if (c->reader == NULL || reader_seek(c->reader, r->offset, err) == -1) {
		free_reader(c);
		return NULL;
	}
	if (r->plain_offset >= 0)
		reader_without_producers(c->reader, r->plain_offset);
	c->next = r->offset;
	return c;
}

/* --- one read, on WORKER_READ ---------------------------------------------------------- */

/* 1: the next batch is in c->batch; 0; -1. */
static int
next_batch(struct cached_reader *c, struct err *err)
{
	int got;

	if (c->held)
		return 1;
	got = reader_next(c->reader, &c->batch, err);
	c->held = got == 1;
	return got;
}

/* Opens the file once more, for the answer to be sent from; false: it is to be held in
 * memory. */
static bool
lend_file(struct logs *s, const struct plog_read *r, int64_t base, uint64_t inode)
{
	char path[LOG_PATH_MAX];
	struct os_stat st;

	segment_path(path, r->item.log->impl->dir, base, segment_suffix(SEGMENT_LOG));
	r->file->fd = os_open(s->os, path, OS_READ);
	if (r->file->fd == -1)
		return false;
	r->file->inode = inode;
	/* Compaction may have put another one in its place. */
	if (os_stat(s->os, r->file->fd, &st) == 0 && st.inode == inode)
		return true;
	os_close(s->os, r->file->fd);
	r->file->fd = -1;
	return false;
}

/* Batches up to an error, which lie one behind the other in one file. When they are of
 * some size the file is lent, and `out` is empty. 0, or -1: the reader stands behind it. */
static int
collect(struct logs *s, struct plog_read *r, struct cached_reader *c, struct buf *out,
    struct err *err)
{
	bool may_lend = r->file != NULL, lent = false;
	int64_t base, position;
	uint64_t inode = 0;
	int got;

	for (; (got = next_batch(c, err)) == 1; c->held = false) {
		size_t size = (size_t)c->batch.size;

		reader_position(c->reader, &base, &position);
		if (r->len == 0) {
			r->position = position;
			inode = reader_inode(c->reader);
		}
		if (batch_last_offset(&c->batch) >= r->limit_offset ||
		    reader_inode(c->reader) != inode || position != r->position + (int64_t)r->len ||
		    (r->len + size > r->bytes_max && (r->len > 0 || !r->one_at_least)))
			return 0;
		if (may_lend && r->len + size >= LOGS_LENT_BYTES) {
			may_lend = false;
			lent = lend_file(s, r, base, inode);
			if (lent)
				buf_release(out);
		}
		if (!lent)
			buf_put(out, c->batch.bytes, size);
		if (out->failed)
			return err_nomem(err);
		r->len += size;
		c->next = batch_next_offset(&c->batch);
	}
	return got;
}

int
logs_read_code(const struct err *err)
{
	return err->code == ERR_CORRUPT ? ERR_CORRUPT_MESSAGE : logs_code(err);
}

static int
read_batches(struct logs *s, struct plog_read *r, struct buf *out, struct err *err)
{
	const char *dir = r->item.log->impl->dir;
	struct cached_reader *c = get_reader(s, dir, r, err);
	bool bad;
	int ret;

	if (c == NULL)
		return -1;
	reader_synced(c->reader, r->limit_offset);
	bad = collect(s, r, c, out, err) == -1;
	/* What came before an error is given; who reads on finds the error. */
	ret = bad && (r->len == 0 || out->failed) ? -1 : 0;
	if (ret == 0 && r->aborted && r->len > 0)
		ret = reader_aborted(c->reader, r->offset, c->next, &r->aborted_list,
		    &r->aborted_count, err);
	c->used_ms = logs_mono_ms(s);
	if (ret == -1 || bad)
		free_reader(c);
	return ret;
}

/* For later reads on the loop. */
static void
open_hot(struct logs *s, struct plog_read *r)
{
	char path[LOG_PATH_MAX];

	if (r->hot_base < 0)
		return;
	segment_path(path, r->item.log->impl->dir, r->hot_base, segment_suffix(SEGMENT_LOG));
	r->hot_fd = os_open(s->os, path, OS_READ);
}

static void
read_run(struct os_job *j)
{
	struct plog_read *r = j->ctx;
	struct logs *s = r->item.log->impl->logs;
	struct buf out = BUF_INIT;
	int ret = read_batches(s, r, &out, &r->err);

	if (ret == -1) {
		r->code = logs_read_code(&r->err);
		r->len = 0;
		buf_release(&out);
	} else {
		r->err.code = 0;
	}
	r->own = out.data;
	r->data = out.data;
	open_hot(s, r);
}

/* --- files that are open, on the loop ------------------------------------------------------ */

static void
hot_run(struct os_job *j)
{
	struct hot *h = j->ctx;

	/* Not on the loop: it may be the last of a deleted file. */
	os_close(h->logs->os, h->fd);
	h->fd = -1;
}

static void
hot_done(struct os_job *j)
{
	struct hot *h = j->ctx;
	struct logs *s = h->logs;

	LIST_REMOVE(h, in_logs);
	free(h);
	s->reading--;
	stop_pump(s);
}

void
hots_free(struct logs *s)
{
	struct hot *h;

	while ((h = LIST_FIRST(&s->hots)) != NULL) {
		LIST_REMOVE(h, in_logs);
		if (h->fd != -1)
			os_close(s->os, h->fd);
		h->logs = NULL;
		/* Else the answer frees it. */
		if (!h->lent || h->refs == 0)
			free(h);
	}
}

static void
hot_unref(struct hot *h)
{
	if (--h->refs > 0)
		return;
	if (h->logs == NULL) {
		free(h);
		return;
	}
	h->logs->reading++;
	h->os_job = (struct os_job){.run = hot_run, .done = hot_done, .ctx = h};
	os_work(h->logs->os, WORKER_READ, &h->os_job);
}

void
hot_drop(struct plog_impl *i)
{
	if (i->hot != NULL)
		hot_unref(i->hot);
	i->hot = NULL;
}

static void
hot_take(struct plog_impl *i, int fd, int64_t base)
{
	struct hot *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		os_close(i->logs->os, fd);
		return;
	}
	*h = (struct hot){.fd = fd, .base = base, .refs = 1, .logs = i->logs};
	LIST_INSERT_HEAD(&i->logs->hots, h, in_logs);
	hot_drop(i);
	i->hot = h;
}

/* Before a read: for an answer of some size, if not too many are lent. NULL: it is to be
 * held in memory. */
static struct hot *
lent_new(struct logs *s, const struct plog_read *r)
{
	struct hot *h;

	if (r->bytes_max < LOGS_LENT_BYTES || s->lent_files >= LOGS_LENT_MAX)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	*h = (struct hot){
	    .fd = -1, .base = -1, .refs = 1, .logs = s, .log = r->item.log->impl};
	LIST_INSERT_HEAD(&s->hots, h, in_logs);
	s->lent_files++;
	return h;
}

static void
lent_release(struct plog_read *r)
{
	struct hot *h = r->file;

	if (h == NULL)
		return;
	r->file = NULL;
	r->fd = -1;
	if (h->logs != NULL && h->refs == 1)
		h->logs->lent_files--;
	if (h->fd == -1 && h->logs != NULL) {
		LIST_REMOVE(h, in_logs);
		free(h);
	} else {
		hot_unref(h);
	}
}

/* A read that has opened a file gives it to its answer, or another answer's, if that has
 * the same: a crowd of clients that read the same segments takes few descriptors. */
static void
lend(struct plog_read *r)
{
	struct hot *h;

	LIST_FOREACH (h, &r->file->logs->hots, in_logs)
		if (h->lent && h->refs > 0 && h->inode == r->file->inode &&
		    h->log == r->file->log)
			break;
	if (h != NULL) {
		lent_release(r);
		r->file = h;
		h->refs++;
	}
	r->file->lent = true;
	r->fd = r->file->fd;
}

static const struct ring_batch *
ring_at(const struct ring *r, unsigned n)
{
	return &r->batches[(r->first + n) % LOGS_RING];
}

/* Number of the batch that holds `offset` or is the first behind it, if the ring knows
 * that; else its count. */
static unsigned
ring_find(const struct ring *r, int64_t offset)
{
	unsigned low = 0, high = r->count;

	if (r->count == 0 || ring_at(r, 0)->base_offset > offset)
		return r->count;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (ring_at(r, mid)->last_offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* What a read at the tail takes: bytes from *position on; 0: not for the ring. */
static size_t
ring_range(const struct ring *r, const struct plog_read *q, int64_t *position)
{
	unsigned n = ring_find(r, q->offset);
	int64_t end = -1;
	size_t len = 0;

	for (; n < r->count; n++) {
		const struct ring_batch *b = ring_at(r, n);
		size_t size = (size_t)b->size;

		if (b->last_offset >= q->limit_offset || (end != -1 && b->position != end) ||
		    (len + size > q->bytes_max && (len > 0 || !q->one_at_least)))
			break;
		if (len == 0)
			*position = b->position;
		len += size;
		end = b->position + b->size;
	}
	return len;
}

/* --- reads, on the loop ---------------------------------------------------------------------- */

static void
read_done(struct os_job *j)
{
	struct plog_read *r = j->ctx;
	struct plog_impl *i = r->item.log->impl;
	struct logs *s = i->logs;

	i->reading--;
	s->reading--;
	if (r->hot_fd != -1)
		hot_take(i, r->hot_fd, r->hot_base);
	if (!i->file_open)
		hot_drop(i); /* the log was closed meanwhile */
	if (r->code != 0 || (r->file != NULL && r->file->fd == -1))
		lent_release(r);
	if (r->file != NULL)
		lend(r);
	r->done(r);
	if (i->state == PLOG_GONE)
		plog_pump(i);
	logs_turn(s);
	stop_pump(s);
}

/* A page that was evicted and has come back is no longer what was checked when it was
 * appended. */
static bool
is_sound(const uint8_t *data, size_t len)
{
	struct batch b;

	for (size_t at = 0; at < len; at += (size_t)b.size)
		if (batch_view(data + at, len - at, &b) != BATCH_OK || batch_check(&b) != BATCH_OK)
			return false;
	return true;
}

/* Reads from memory's cache of the disk. True: done. */
static bool
read_hot(struct plog_impl *i, struct plog_read *r)
{
	int64_t position = 0;
	size_t len;
	void *data;

	if (i->ring == NULL || (len = ring_range(i->ring, r, &position)) == 0)
		return false;
	if (i->hot == NULL || i->hot->base != i->ring->segment_base) {
		r->hot_base = i->ring->segment_base;
		return false;
	}
	if (r->aborted && i->aborts)
		return false;
	data = malloc(len);
	if (data == NULL)
		return false;
	if (os_read_resident(i->logs->os, i->hot->fd, data, len, position) != (ssize_t)len ||
	    !is_sound(data, len)) {
		free(data);
		return false;
	}
	r->own = data;
	r->data = data;
	r->len = len;
	return true;
}

/* What can be said at once. */
static bool
read_at_once(struct plog_impl *i, struct plog_read *r)
{
	const struct plog *l = i->plog;

	if (r->offset < l->start_offset || r->offset > l->end_offset) {
		err_set(&r->err, ERR_OFFSET_OUT_OF_RANGE, "%s-%d: offset %lld is not in %lld..%lld",
		    l->topic, l->number, (long long)r->offset, (long long)l->start_offset,
		    (long long)l->end_offset);
		r->code = ERR_OFFSET_OUT_OF_RANGE;
		return true;
	}
	if (r->limit_offset > l->end_offset)
		r->limit_offset = l->end_offset;
	return r->offset >= r->limit_offset || read_hot(i, r);
}

static void
read_start(struct plog_impl *i, struct plog_read *r)
{
	r->start_offset = i->plog->start_offset;
	/* While a transaction is open the reader finds out by itself who has begun. */
	r->plain_offset = i->unstable_written == -1 ? i->plog->end_offset : -1;
	r->aborted = r->aborted && i->aborts;
	i->reading++;
	i->logs->reading++;
	r->file = lent_new(i->logs, r);
	r->os_job = (struct os_job){.run = read_run, .done = read_done, .ctx = r};
	os_work(i->logs->os, WORKER_READ, &r->os_job);
}

int
plog_read(struct plog *l, struct plog_read *r)
{
	struct plog_impl *i = l->impl;

	r->item = (struct plog_item){.log = l, .kind = ITEM_READ};
	r->code = 0;
	r->err.code = 0;
	r->data = r->own = NULL;
	r->file = NULL;
	r->fd = r->hot_fd = -1;
	r->hot_base = -1;
	r->position = 0;
	r->len = r->aborted_count = 0;
	r->aborted_list = NULL;
	if (!l->loaded) {
		items_put(&i->readers, &r->item);
		plog_pump(i);
		return 0;
	}
	if (read_at_once(i, r))
		return 1;
	read_start(i, r);
	return 0;
}

void
plog_read_release(struct plog_read *r)
{
	lent_release(r);
	free(r->own);
	free(r->aborted_list);
	r->own = NULL;
	r->data = NULL;
	r->aborted_list = NULL;
	r->len = r->aborted_count = 0;
}

void
read_wake(struct plog_impl *i, const struct err *err)
{
	struct items waiting;
	struct plog_item *it;

	items_init(&waiting);
	items_move(&waiting, &i->readers);
	while ((it = items_take(&waiting)) != NULL) {
		if (err->code != 0)
			logs_soon(i->logs, it, err);
		else if (it->kind == ITEM_FIND)
			find_start(i, (struct plog_find *)(void *)it);
		else if (read_at_once(i, (struct plog_read *)(void *)it))
			item_done(it);
		else
			read_start(i, (struct plog_read *)(void *)it);
	}
}
