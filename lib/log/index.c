/* The sparse indexes of a segment. */
#include "log/index.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

/* --- what both kinds share -------------------------------------------------- */

/* The bytes of entry `n` in the page, which is read if it has to be; NULL on
 * failure, also if the file has shrunk. */
static const uint8_t *
entry_bytes(struct index_file *f, int64_t n, struct err *err)
{
	int64_t at = n * f->entry_size;
	ssize_t got;

	if (at >= f->page_at && at + f->entry_size <= f->page_at + f->page_len)
		return f->page + (at - f->page_at);
	f->page_len = 0;
	f->page_at = at / INDEX_PAGE * INDEX_PAGE;
	got = os_read_at(f->os, f->fd, f->page, INDEX_PAGE, f->page_at);
	if (got == -1) {
		err_sys(err, errno, "index: read at byte %lld", (long long)f->page_at);
		return NULL;
	}
	f->page_len = got;
	if (at + f->entry_size > f->page_at + f->page_len) {
		err_set(err, ERR_CORRUPT, "index: want an entry at byte %lld, found the end",
		    (long long)at);
		return NULL;
	}
	return f->page + (at - f->page_at);
}

static int
file_open(struct index_file *f, struct os *os, const char *path, int64_t base, int entry_size,
    bool write, struct err *err)
{
	struct os_stat st;

	f->os = os;
	f->base = base;
	f->entry_size = entry_size;
	f->unsynced = false;
	f->page_at = f->page_len = 0;
	f->fd = os_open(os, path, write ? OS_WRITE | OS_CREATE : OS_READ);
	if (f->fd == -1)
		return err_sys(err, errno, "%s", path);
	if (os_stat(os, f->fd, &st) == -1) {
		err_sys(err, errno, "%s", path);
		os_close(os, f->fd);
		f->fd = -1;
		return -1;
	}
	f->count = st.size / entry_size;
	return 0;
}

/* What is behind the last entry must go before another is appended. */
static int
file_trim(struct index_file *f, const char *path, struct err *err)
{
	struct os_stat st;

	if (os_stat(f->os, f->fd, &st) == -1)
		return err_sys(err, errno, "%s", path);
	if (st.size == f->count * f->entry_size)
		return 0;
	if (os_truncate(f->os, f->fd, f->count * f->entry_size) == -1)
		return err_sys(err, errno, "%s", path);
	f->unsynced = true;
	f->page_len = 0;
	return 0;
}

static void
file_close(struct index_file *f)
{
	if (f->fd != -1)
		os_close(f->os, f->fd);
	f->fd = -1;
	f->page_len = 0;
}

static int
file_append(struct index_file *f, const uint8_t *entry, struct err *err)
{
	int64_t at = f->count * f->entry_size;

	if (os_write_at(f->os, f->fd, entry, (size_t)f->entry_size, at) == -1) {
		int why = errno;
		/* Half an entry would shift all that follow. */
		os_truncate(f->os, f->fd, at);
		return err_sys(err, why, "index: write at byte %lld", (long long)at);
	}
	f->unsynced = true;
	f->count++;
	f->page_len = 0;
	return 0;
}

static int
file_cut(struct index_file *f, int64_t count, struct err *err)
{
	if (count == f->count)
		return 0;
	if (os_truncate(f->os, f->fd, count * f->entry_size) == -1)
		return err_sys(err, errno, "index: truncate to %lld entries", (long long)count);
	f->count = count;
	f->unsynced = true;
	f->page_len = 0;
	return 0;
}

/* Number of entries for which `below(entry, key)` holds, given that those come
 * first; -1 on failure. */
static int64_t
count_below(struct index_file *f, bool (*below)(const uint8_t *, int64_t, int64_t), int64_t key,
    struct err *err)
{
	int64_t low = 0, high = f->count;

	while (low < high) {
		int64_t mid = low + (high - low) / 2;
		const uint8_t *entry = entry_bytes(f, mid, err);

		if (entry == NULL)
			return -1;
		if (below(entry, f->base, key))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- offsets ----------------------------------------------------------------- */

static struct oindex_entry
oindex_decode(const uint8_t *in, int64_t base)
{
	return (struct oindex_entry){base + (int32_t)be32_get(in), (int32_t)be32_get(in + 4)};
}

void
oindex_encode(const struct oindex_entry *e, int64_t base, uint8_t out[OINDEX_ENTRY])
{
	be32_put(out, (uint32_t)(e->offset - base));
	be32_put(out + 4, (uint32_t)e->position);
}

/* A segment's first batch is never indexed, so no entry has position 0: zeros
 * are what was preallocated. */
static bool
oindex_in_use(const uint8_t *in, int64_t base, int64_t key)
{
	(void)key;
	return oindex_decode(in, base).position > 0;
}

static bool
oindex_at_or_below(const uint8_t *in, int64_t base, int64_t offset)
{
	return oindex_decode(in, base).offset <= offset;
}

static bool
oindex_before(const uint8_t *in, int64_t base, int64_t position)
{
	return oindex_decode(in, base).position < position;
}

int
oindex_get(struct oindex *ix, int64_t n, struct oindex_entry *out, struct err *err)
{
	const uint8_t *entry = entry_bytes(&ix->file, n, err);

	if (entry == NULL)
		return -1;
	*out = oindex_decode(entry, ix->file.base);
	return 0;
}

static int
oindex_load_last(struct oindex *ix, struct err *err)
{
	ix->last = (struct oindex_entry){ix->file.base, 0};
	return ix->file.count > 0 ? oindex_get(ix, ix->file.count - 1, &ix->last, err) : 0;
}

int
oindex_open(struct oindex *ix, struct os *os, const char *path, int64_t base, bool write,
    struct err *err)
{
	int64_t count;

	if (file_open(&ix->file, os, path, base, OINDEX_ENTRY, write, err) == -1)
		return -1;
	count = count_below(&ix->file, oindex_in_use, 0, err);
	if (count != -1)
		ix->file.count = count;
	if (count == -1 || (write && file_trim(&ix->file, path, err) == -1) ||
	    oindex_load_last(ix, err) == -1) {
		oindex_close(ix);
		return -1;
	}
	return 0;
}

void
oindex_close(struct oindex *ix)
{
	file_close(&ix->file);
}

int
oindex_lookup(struct oindex *ix, int64_t offset, struct oindex_entry *out, struct err *err)
{
	int64_t n = count_below(&ix->file, oindex_at_or_below, offset, err);

	if (n == -1)
		return -1;
	*out = (struct oindex_entry){ix->file.base, 0};
	return n > 0 ? oindex_get(ix, n - 1, out, err) : 0;
}

int
oindex_append(struct oindex *ix, int64_t last_offset, int64_t position, struct err *err)
{
	struct oindex_entry e = {last_offset, position};
	uint8_t bytes[OINDEX_ENTRY];

	if (ix->file.count > 0 && (last_offset <= ix->last.offset || position <= ix->last.position))
		return 0;
	oindex_encode(&e, ix->file.base, bytes);
	if (file_append(&ix->file, bytes, err) == -1)
		return -1;
	ix->last = e;
	return 0;
}

int
oindex_cut(struct oindex *ix, int64_t position, struct err *err)
{
	int64_t n;

	if (ix->file.count == 0 || (position > 0 && ix->last.position < position))
		return 0;
	n = position > 0 ? count_below(&ix->file, oindex_before, position, err) : 0;
	if (n == -1 || file_cut(&ix->file, n, err) == -1)
		return -1;
	return oindex_load_last(ix, err);
}

/* --- times ------------------------------------------------------------------- */

static struct tindex_entry
tindex_decode(const uint8_t *in, int64_t base)
{
	return (struct tindex_entry){(int64_t)be64_get(in), base + (int32_t)be32_get(in + 8)};
}

void
tindex_encode(const struct tindex_entry *e, int64_t base, uint8_t out[TINDEX_ENTRY])
{
	be64_put(out, (uint64_t)e->timestamp);
	be32_put(out + 8, (uint32_t)(e->offset - base));
}

/* Only the first entry of all can have timestamp 0. */
static bool
tindex_in_use(const uint8_t *in, int64_t base, int64_t key)
{
	(void)key;
	return tindex_decode(in, base).timestamp > 0;
}

static bool
tindex_at_or_below(const uint8_t *in, int64_t base, int64_t timestamp)
{
	return tindex_decode(in, base).timestamp <= timestamp;
}

static bool
tindex_before(const uint8_t *in, int64_t base, int64_t offset)
{
	return tindex_decode(in, base).offset < offset;
}

int
tindex_get(struct tindex *ix, int64_t n, struct tindex_entry *out, struct err *err)
{
	const uint8_t *entry = entry_bytes(&ix->file, n, err);

	if (entry == NULL)
		return -1;
	*out = tindex_decode(entry, ix->file.base);
	return 0;
}

static int
tindex_load_last(struct tindex *ix, struct err *err)
{
	ix->last = (struct tindex_entry){-1, ix->file.base};
	return ix->file.count > 0 ? tindex_get(ix, ix->file.count - 1, &ix->last, err) : 0;
}

/* Zeros at the end are preallocated. A first entry of time 0 is told from them
 * by what follows it, or by the file's ending there. */
static int64_t
tindex_count(struct tindex *ix, struct err *err)
{
	struct index_file *f = &ix->file;
	struct tindex_entry first, second;

	if (f->count == 0)
		return 0;
	if (tindex_get(ix, 0, &first, err) == -1)
		return -1;
	if (first.timestamp != 0)
		return count_below(f, tindex_in_use, 0, err);
	if (f->count == 1)
		return 1;
	if (tindex_get(ix, 1, &second, err) == -1)
		return -1;
	if (second.timestamp <= 0)
		return first.offset != f->base ? 1 : 0;
	/* Entry 1 is in use, so the search never asks for entry 0. */
	return count_below(f, tindex_in_use, 0, err);
}

int
tindex_open(struct tindex *ix, struct os *os, const char *path, int64_t base, bool write,
    struct err *err)
{
	int64_t count;

	if (file_open(&ix->file, os, path, base, TINDEX_ENTRY, write, err) == -1)
		return -1;
	count = tindex_count(ix, err);
	if (count != -1)
		ix->file.count = count;
	if (count == -1 || (write && file_trim(&ix->file, path, err) == -1) ||
	    tindex_load_last(ix, err) == -1) {
		tindex_close(ix);
		return -1;
	}
	return 0;
}

void
tindex_close(struct tindex *ix)
{
	file_close(&ix->file);
}

int
tindex_lookup(struct tindex *ix, int64_t timestamp, struct tindex_entry *out, struct err *err)
{
	int64_t n = count_below(&ix->file, tindex_at_or_below, timestamp, err);

	if (n == -1)
		return -1;
	*out = (struct tindex_entry){-1, ix->file.base};
	return n > 0 ? tindex_get(ix, n - 1, out, err) : 0;
}

int
tindex_lookup_offset(struct tindex *ix, int64_t offset, struct tindex_entry *out, struct err *err)
{
	int64_t n = count_below(&ix->file, tindex_before, offset + 1, err);

	if (n == -1)
		return -1;
	*out = (struct tindex_entry){-1, ix->file.base};
	return n > 0 ? tindex_get(ix, n - 1, out, err) : 0;
}

int
tindex_append(struct tindex *ix, int64_t timestamp, int64_t offset, struct err *err)
{
	struct tindex_entry e = {timestamp, offset};
	uint8_t bytes[TINDEX_ENTRY];

	if (timestamp <= ix->last.timestamp || offset < ix->last.offset)
		return 0;
	tindex_encode(&e, ix->file.base, bytes);
	if (file_append(&ix->file, bytes, err) == -1)
		return -1;
	ix->last = e;
	return 0;
}

int
tindex_cut(struct tindex *ix, int64_t offset, struct err *err)
{
	int64_t n;

	if (ix->file.count == 0 || ix->last.offset < offset)
		return 0;
	n = offset > ix->file.base ? count_below(&ix->file, tindex_before, offset, err) : 0;
	if (n == -1 || file_cut(&ix->file, n, err) == -1)
		return -1;
	return tindex_load_last(ix, err);
}
