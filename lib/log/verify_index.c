/* Index files, held against the batches they point at. */
#include "log/verify_impl.h"

static struct verify_finding
at_entry(const struct verify_index *ix, int64_t n)
{
	return (struct verify_finding){.position = n * ix->entry_size, .lost_first = -1,
	    .lost_last = -1, .next_good = -1};
}

static struct oindex_entry
offset_entry(const struct verify *v, int64_t n)
{
	const uint8_t *at = v->offsets.bytes.data + n * OINDEX_ENTRY;

	return (struct oindex_entry){v->base + (int32_t)be32_get(at), (int32_t)be32_get(at + 4)};
}

static struct tindex_entry
time_entry(const struct verify *v, int64_t n)
{
	const uint8_t *at = v->times.bytes.data + n * TINDEX_ENTRY;

	return (struct tindex_entry){(int64_t)be64_get(at), v->base + (int32_t)be32_get(at + 8)};
}

/* Entries up to the zeros at the end. */
static int64_t
count_used(const struct verify_index *ix)
{
	size_t len = ix->bytes.len;

	while (len > 0 && ix->bytes.data[len - 1] == 0)
		len--;
	return ((int64_t)len + ix->entry_size - 1) / ix->entry_size;
}

static void
check_file(struct verify *v, struct verify_index *ix)
{
	int64_t whole = (int64_t)ix->bytes.len / ix->entry_size;
	int64_t odd = (int64_t)ix->bytes.len % ix->entry_size;

	ix->count = count_used(ix);
	/* A first entry may be zeros alone: time 0, at the base. */
	if (ix->kind == SEGMENT_TIME && ix->count == 0 && whole == 1)
		ix->count = 1;
	if (ix->count > whole)
		ix->count = whole;
	/* In the last segment, a writer was killed in the middle of an entry. */
	if (odd != 0)
		verify_tell(v, VERIFY_SIZE, !v->last, ix->kind, at_entry(ix, whole),
		    "%zu bytes, want a multiple of %lld", ix->bytes.len, (long long)ix->entry_size);
	if (whole > ix->count)
		verify_tell(v, VERIFY_PADDING, !v->last, ix->kind, at_entry(ix, ix->count),
		    "%lld zero entries behind %lld", (long long)(whole - ix->count),
		    (long long)ix->count);
}

static void
check_order(struct verify *v, struct verify_index *ix)
{
	for (int64_t n = 1; n < ix->count; n++) {
		bool good;

		if (ix->kind == SEGMENT_INDEX) {
			struct oindex_entry a = offset_entry(v, n - 1), b = offset_entry(v, n);
			good = b.offset > a.offset && b.position > a.position;
		} else {
			struct tindex_entry a = time_entry(v, n - 1), b = time_entry(v, n);
			good = b.timestamp > a.timestamp && b.offset >= a.offset;
		}
		if (good)
			continue;
		verify_tell(v, VERIFY_ORDER, true, ix->kind, at_entry(ix, n),
		    "entry %lld does not increase", (long long)n);
		ix->count = n; /* nothing can be said of those behind */
	}
}

int
verify_index_load(struct verify *v, struct verify_index *ix, enum segment_kind kind,
    struct err *err)
{
	char path[LOG_PATH_MAX];

	*ix = (struct verify_index){.kind = kind,
	    .entry_size = kind == SEGMENT_INDEX ? OINDEX_ENTRY : TINDEX_ENTRY};
	segment_path(path, v->dir, v->base, segment_suffix(kind));
	if (os_read_file(v->os, path, VERIFY_INDEX_MAX, &ix->bytes, err) == -1) {
		if (err->code != ERR_NOT_FOUND)
			return -1;
		verify_tell(v, VERIFY_MISSING, true, kind,
		    (struct verify_finding){.position = -1, .lost_first = -1, .lost_last = -1,
		    .next_good = -1}, "no such file; mq-index rebuild makes it");
		return 0;
	}
	ix->there = true;
	check_file(v, ix);
	check_order(v, ix);
	v->totals->index_entries += ix->count;
	return 0;
}

static void
offsets_batch(struct verify *v, const struct batch *b, int64_t position)
{
	struct verify_index *ix = &v->offsets;

	for (; ix->at < ix->count; ix->at++) {
		struct oindex_entry e = offset_entry(v, ix->at);

		if (e.position > position)
			return;
		if (e.position < position)
			verify_tell(v, VERIFY_BOUNDARY, true, ix->kind, at_entry(ix, ix->at),
			    "entry %lld points at byte %lld, where no batch begins",
			    (long long)ix->at, (long long)e.position);
		else if (e.offset != batch_last_offset(b))
			verify_tell(v, VERIFY_BOUNDARY, true, ix->kind, at_entry(ix, ix->at),
			    "entry %lld says offset %lld, the batch at byte %lld ends at %lld",
			    (long long)ix->at, (long long)e.offset, (long long)position,
			    (long long)batch_last_offset(b));
	}
}

static void
times_batch(struct verify *v, const struct batch *b)
{
	struct verify_index *ix = &v->times;

	for (; ix->at < ix->count; ix->at++) {
		struct tindex_entry e = time_entry(v, ix->at);
		int64_t largest = b->max_timestamp > v->max_timestamp ? b->max_timestamp :
		    v->max_timestamp;

		if (e.offset > batch_last_offset(b))
			return;
		if (e.offset < batch_last_offset(b))
			verify_tell(v, VERIFY_BOUNDARY, true, ix->kind, at_entry(ix, ix->at),
			    "entry %lld says offset %lld, where no batch ends", (long long)ix->at,
			    (long long)e.offset);
		else if (e.timestamp != b->max_timestamp ||
		    (e.timestamp != largest && !v->max_unknown))
			verify_tell(v, VERIFY_TIME, true, ix->kind, at_entry(ix, ix->at),
			    "entry %lld says time %lld at offset %lld, want %lld, the largest up to there",
			    (long long)ix->at, (long long)e.timestamp, (long long)e.offset,
			    (long long)largest);
	}
}

void
verify_index_batch(struct verify *v, const struct batch *b, int64_t position)
{
	offsets_batch(v, b, position);
	times_batch(v, b);
	if (b->max_timestamp > v->max_timestamp)
		v->max_timestamp = b->max_timestamp;
}

void
verify_index_skip(struct verify *v, int64_t position, int64_t offset)
{
	v->max_unknown = true;
	while (v->offsets.at < v->offsets.count &&
	    offset_entry(v, v->offsets.at).position < position)
		v->offsets.at++;
	while (v->times.at < v->times.count && time_entry(v, v->times.at).offset < offset)
		v->times.at++;
}

void
verify_index_end(struct verify *v, int64_t size)
{
	struct verify_index *ix = &v->offsets;

	if (ix->at < ix->count)
		verify_tell(v, VERIFY_BOUNDARY, true, ix->kind, at_entry(ix, ix->at),
		    "entry %lld points at byte %lld, beyond the last batch, which ends at %lld",
		    (long long)ix->at, (long long)offset_entry(v, ix->at).position, (long long)size);
	ix = &v->times;
	if (ix->at < ix->count)
		verify_tell(v, VERIFY_BOUNDARY, true, ix->kind, at_entry(ix, ix->at),
		    "entry %lld says offset %lld, beyond the last, %lld", (long long)ix->at,
		    (long long)time_entry(v, ix->at).offset, (long long)v->expected - 1);
	else if (ix->there && !v->last && v->max_timestamp >= 0 && !v->max_unknown &&
	    (ix->count == 0 || time_entry(v, ix->count - 1).timestamp != v->max_timestamp))
		verify_tell(v, VERIFY_TIME, true, ix->kind, at_entry(ix, ix->count),
		    "the last entry is not the largest time of the segment, %lld",
		    (long long)v->max_timestamp);
}

int
verify_txnindex(struct verify *v, struct err *err)
{
	struct verify_index ix = {.kind = SEGMENT_TXN, .entry_size = TXNINDEX_ENTRY};
	char path[LOG_PATH_MAX];
	struct aborted_txn a;

	segment_path(path, v->dir, v->base, segment_suffix(SEGMENT_TXN));
	if (os_read_file(v->os, path, VERIFY_INDEX_MAX, &ix.bytes, err) == -1) {
		buf_release(&ix.bytes);
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	}
	ix.count = (int64_t)ix.bytes.len / TXNINDEX_ENTRY;
	v->totals->index_entries += ix.count;
	if (ix.bytes.len % TXNINDEX_ENTRY != 0)
		verify_tell(v, VERIFY_SIZE, true, SEGMENT_TXN, at_entry(&ix, ix.count),
		    "%zu bytes, want a multiple of %d", ix.bytes.len, TXNINDEX_ENTRY);
	for (int64_t n = 0; n < ix.count; n++) {
		if (aborted_decode(&a, ix.bytes.data + n * TXNINDEX_ENTRY) == -1)
			verify_tell(v, VERIFY_TXN, true, SEGMENT_TXN, at_entry(&ix, n),
			    "entry %lld: want version 0", (long long)n);
		else if (a.first_offset > a.last_offset || a.last_offset < v->base ||
		    a.last_offset >= v->expected)
			verify_tell(v, VERIFY_TXN, true, SEGMENT_TXN, at_entry(&ix, n),
			    "entry %lld: offsets %lld..%lld are not of this segment (%lld..%lld)",
			    (long long)n, (long long)a.first_offset, (long long)a.last_offset,
			    (long long)v->base, (long long)v->expected - 1);
	}
	buf_release(&ix.bytes);
	return 0;
}
