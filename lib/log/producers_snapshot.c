/* Producer state in files: OFFSET.snapshot, and entries of .txnindex. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "log/producers.h"
#include "log/segment.h"

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_HEADER 10 /* version, checksum, count */
#define SNAPSHOT_CRC_AT 2
#define SNAPSHOT_CRC_FROM 6
#define SNAPSHOT_ENTRY 46
#define SNAPSHOT_MAX (256 << 20) /* bytes */

static int
by_id(const void *a, const void *b)
{
	const struct producer_entry *const *pa = a, *const *pb = b;

	return ((*pa)->id > (*pb)->id) - ((*pa)->id < (*pb)->id);
}

static void
put_producer(struct buf *out, const struct producer_entry *one)
{
	struct producer_batch last = {.last_sequence = -1, .last_offset = -1, .offset_delta = 0};

	if (one->batch_count > 0)
		last = one->batches[one->batch_count - 1];
	buf_i64(out, one->id);
	buf_i16(out, one->epoch);
	buf_i32(out, last.last_sequence);
	buf_i64(out, last.last_offset);
	buf_i32(out, last.offset_delta);
	buf_i64(out, one->last_timestamp);
	buf_i32(out, one->coordinator_epoch);
	buf_i64(out, one->txn_first_offset);
}

int
producers_encode(const struct producers *p, struct buf *out, struct err *err)
{
	const struct producer_entry **all;
	size_t at = out->len, count = 0;

	all = calloc(p->by_id.count + 1, sizeof(const struct producer_entry *));
	if (all == NULL)
		return err_nomem(err);
	for (struct map_entry *e = NULL; (e = map_next(&p->by_id, e)) != NULL;)
		all[count++] = e->value;
	qsort(all, count, sizeof(const struct producer_entry *), by_id);
	buf_i16(out, SNAPSHOT_VERSION);
	buf_i32(out, 0);
	buf_i32(out, (int32_t)count);
	for (size_t i = 0; i < count; i++)
		put_producer(out, all[i]);
	free(all);
	if (out->failed)
		return err_nomem(err);
	be32_put(out->data + at + SNAPSHOT_CRC_AT,
	    crc32c(0, out->data + at + SNAPSHOT_CRC_FROM, out->len - at - SNAPSHOT_CRC_FROM));
	return 0;
}

static void
get_producer(struct cursor *c, struct producer_entry *one)
{
	struct producer_batch last;

	one->id = cursor_i64(c);
	one->epoch = cursor_i16(c);
	last.last_sequence = cursor_i32(c);
	last.last_offset = cursor_i64(c);
	last.offset_delta = cursor_i32(c);
	last.timestamp = one->last_timestamp = cursor_i64(c);
	one->coordinator_epoch = cursor_i32(c);
	one->txn_first_offset = cursor_i64(c);
	if (last.last_offset >= 0)
		one->batches[one->batch_count++] = last;
}

static int
decode_entries(struct producers *p, struct cursor *c, int32_t count, struct err *err)
{
	for (int32_t i = 0; i < count; i++) {
		struct producer_entry *one = calloc(1, sizeof(*one));
		void *old = NULL;
		uint8_t key[8];

		if (one == NULL)
			return err_nomem(err);
		get_producer(c, one);
		be64_put(key, (uint64_t)one->id);
		if (map_put(&p->by_id, key, sizeof(key), one, &old) == -1) {
			free(one);
			return err_nomem(err);
		}
		free(old);
	}
	return 0;
}

int
producers_decode(struct producers *p, const void *data, size_t len, int64_t end_offset,
    struct err *err)
{
	struct cursor c = cursor_of(data, len);
	int16_t version = cursor_i16(&c);
	uint32_t crc = (uint32_t)cursor_i32(&c), found;
	int32_t count = cursor_i32(&c);

	producers_clear(p, end_offset);
	if (c.failed)
		return err_set(err, ERR_CORRUPT, "want a snapshot of at least %d bytes, found %zu",
		    SNAPSHOT_HEADER, len);
	if (version != SNAPSHOT_VERSION)
		return err_set(err, ERR_CORRUPT, "want snapshot version %d, found %d",
		    SNAPSHOT_VERSION, version);
	found = crc32c(0, (const uint8_t *)data + SNAPSHOT_CRC_FROM, len - SNAPSHOT_CRC_FROM);
	if (found != crc)
		return err_set(err, ERR_CORRUPT, "crc %08x, want %08x", (unsigned)crc,
		    (unsigned)found);
	if (count < 0 || cursor_left(&c) != (size_t)count * SNAPSHOT_ENTRY)
		return err_set(err, ERR_CORRUPT, "want %d producers, found %zu bytes", (int)count,
		    cursor_left(&c));
	if (decode_entries(p, &c, count, err) == -1) {
		producers_clear(p, end_offset);
		return -1;
	}
	return 0;
}

int
producers_write_snapshot(const struct producers *p, struct os *os, const char *dir,
    struct err *err)
{
	struct buf out = BUF_INIT;
	char path[LOG_PATH_MAX];
	int r = producers_encode(p, &out, err);

	segment_path(path, dir, p->end_offset, ".snapshot");
	if (r == 0)
		r = os_replace_file(os, path, out.data, out.len, err);
	buf_release(&out);
	return r;
}

int
producers_read_snapshot(struct producers *p, struct os *os, const char *dir, int64_t offset,
    struct err *err)
{
	struct buf in = BUF_INIT;
	char path[LOG_PATH_MAX];
	int r;

	segment_path(path, dir, offset, ".snapshot");
	r = os_read_file(os, path, SNAPSHOT_MAX, &in, err);
	if (r == 0) {
		r = producers_decode(p, in.data, in.len, offset, err);
		if (r == -1)
			err_prefix(err, "%s", path);
	}
	buf_release(&in);
	return r;
}

int64_t
producers_load_newest(struct producers *p, struct os *os, const char *dir, int64_t max_offset,
    struct err *err)
{
	struct segment_names names = {0};
	int64_t found = -1;

	producers_clear(p, 0);
	*err = (struct err){0};
	if (segment_names_read(&names, os, dir, err) == -1)
		return -1;
	for (size_t i = names.count; i > 0 && found == -1; i--) {
		const struct segment_name *n = &names.names[i - 1];
		if (n->kind != SEGMENT_SNAPSHOT || n->state != SEGMENT_PLAIN ||
		    n->base > max_offset)
			continue;
		if (producers_read_snapshot(p, os, dir, n->base, err) == 0) {
			found = n->base;
		} else if (err->code == ERR_CORRUPT) {
			os_note(os, OS_WARN, "%s: passed over", err->text);
			*err = (struct err){0};
		} else if (err->code == ERR_NOT_FOUND) {
			*err = (struct err){0};
		} else {
			break;
		}
	}
	segment_names_release(&names);
	if (found == -1)
		producers_clear(p, 0);
	return found;
}

void
aborted_encode(const struct aborted_txn *a, uint8_t out[TXNINDEX_ENTRY])
{
	be16_put(out, 0);
	be64_put(out + 2, (uint64_t)a->producer_id);
	be64_put(out + 10, (uint64_t)a->first_offset);
	be64_put(out + 18, (uint64_t)a->last_offset);
	be64_put(out + 26, (uint64_t)a->last_stable_offset);
}

int
aborted_decode(struct aborted_txn *a, const uint8_t in[TXNINDEX_ENTRY])
{
	if (be16_get(in) != 0)
		return -1;
	a->producer_id = (int64_t)be64_get(in + 2);
	a->first_offset = (int64_t)be64_get(in + 10);
	a->last_offset = (int64_t)be64_get(in + 18);
	a->last_stable_offset = (int64_t)be64_get(in + 26);
	return 0;
}
