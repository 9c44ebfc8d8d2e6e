/* .index, .timeindex, .txnindex and producer snapshots, as they lie in the file;
 * mq-index holds them against their segment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/dump.h"
#include "log/index.h"
#include "log/producers.h"

#define PAGE_ENTRIES 4096
#define PRODUCERS_MAX (256 << 20) /* bytes of a snapshot */

/* Goes through a file of fixed entries, in blocks. */
struct entries {
	struct dump *d;
	int fd;
	int entry_size;
	int64_t position; /* of the entry just read */
	int64_t size;     /* of the file */
	struct buf block;
	size_t at;
};

static int
entries_open(struct entries *e, struct dump *d, int fd, int entry_size, struct err *err)
{
	struct os_stat st;

	*e = (struct entries){.d = d, .fd = fd, .entry_size = entry_size};
	if (os_stat(d->os, fd, &st) == -1)
		return err_sys(err, errno, "%s", d->path);
	e->size = st.size;
	e->position = -entry_size;
	buf_init(&e->block);
	return 0;
}

static int
refill(struct entries *e, struct err *err)
{
	size_t want = (size_t)e->entry_size * PAGE_ENTRIES;
	ssize_t got;

	buf_clear(&e->block);
	e->at = 0;
	if (buf_reserve(&e->block, want) == -1)
		return err_nomem(err);
	got = os_read_at(e->d->os, e->fd, e->block.data, want, e->position);
	if (got == -1)
		return err_sys(err, errno, "%s: byte %lld", e->d->path, (long long)e->position);
	e->block.len = (size_t)got - (size_t)got % (size_t)e->entry_size;
	return 0;
}

/* 1 with the next entry, 0 at the end, -1. */
static int
entries_next(struct entries *e, const uint8_t **entry, struct err *err)
{
	e->position += e->entry_size;
	if (e->at == e->block.len && refill(e, err) == -1)
		return -1;
	if (e->block.len == 0)
		return 0;
	*entry = e->block.data + e->at;
	e->at += (size_t)e->entry_size;
	return 1;
}

/* Kafka preallocates the active segment's indexes; when it was killed, zeros
 * fill the rest. True if nothing but zeros follows. */
static int
zeros_follow(struct entries *e, const uint8_t *entry, struct err *err)
{
	int64_t position = e->position;
	int rc = 1;

	while (rc == 1) {
		for (int i = 0; i < e->entry_size; i++)
			if (entry[i] != 0)
				return 0;
		rc = entries_next(e, &entry, err);
	}
	if (rc == -1)
		return -1;
	e->position = position;
	return 1;
}

static int
entries_close(struct entries *e, int rc)
{
	int64_t over = e->size % e->entry_size;
	char what[96];

	buf_release(&e->block);
	/* What a writer leaves that was killed in the middle of an entry; the next one
	 * cuts it off. Without other marks it is no damage of what is only a cache. */
	if (rc == 0 && over != 0 && e->entry_size != TXNINDEX_ENTRY) {
		dump_torn(e->d, e->size - over, over, "short");
	} else if (rc == 0 && over != 0) {
		snprintf(what, sizeof(what), "%lld bytes are not a multiple of %d",
		    (long long)e->size, e->entry_size);
		dump_bad(e->d, e->size - over, "size", what);
	}
	return rc;
}

static void
bad_order(struct entries *e, const char *name, int64_t got, int64_t before)
{
	char what[96];

	snprintf(what, sizeof(what), "%s %lld after %lld", name, (long long)got,
	    (long long)before);
	dump_bad(e->d, e->position, "order", what);
}

int
dump_offset_index(struct dump *d, int fd, struct err *err)
{
	int64_t base = dump_base_of(d->path), offset = INT64_MIN, position = -1;
	struct entries e;
	const uint8_t *at;
	int rc, zeros = 0;

	if (entries_open(&e, d, fd, OINDEX_ENTRY, err) == -1)
		return -1;
	while ((rc = entries_next(&e, &at, err)) == 1 && !dump_stopped(d)) {
		int64_t next = base + (int32_t)be32_get(at), next_position =
		    (int32_t)be32_get(at + 4);

		if (next_position == 0 && (zeros = zeros_follow(&e, at, err)) != 0)
			break;
		if (!d->verify) {
			struct line *l = dump_line(d, "index", false);
			line_int(l, d->json ? "offset" : "=offset", next);
			line_int(l, "pos", next_position);
			dump_line_end(d, false);
		}
		if (next <= offset)
			bad_order(&e, "offset", next, offset);
		if (next_position <= position)
			bad_order(&e, "position", next_position, position);
		offset = next;
		position = next_position;
	}
	if (zeros == 1)
		dump_torn(d, e.position, e.size - e.position, "zeros");
	return entries_close(&e, rc == -1 || zeros == -1 ? -1 : 0);
}

int
dump_time_index(struct dump *d, int fd, struct err *err)
{
	int64_t base = dump_base_of(d->path), offset = INT64_MIN, timestamp = INT64_MIN;
	struct entries e;
	const uint8_t *at;
	int rc, zeros = 0;

	if (entries_open(&e, d, fd, TINDEX_ENTRY, err) == -1)
		return -1;
	while ((rc = entries_next(&e, &at, err)) == 1 && !dump_stopped(d)) {
		int64_t next_time = (int64_t)be64_get(at), next = base +
		    (int32_t)be32_get(at + 8);

		if (next_time == 0 && (zeros = zeros_follow(&e, at, err)) != 0)
			break;
		if (!d->verify) {
			struct line *l = dump_line(d, "time", false);
			line_time(l, d->json ? "ts" : "=ts", next_time);
			line_int(l, "offset", next);
			dump_line_end(d, false);
		}
		if (next_time <= timestamp)
			bad_order(&e, "timestamp", next_time, timestamp);
		if (next < offset)
			bad_order(&e, "offset", next, offset);
		offset = next;
		timestamp = next_time;
	}
	if (zeros == 1)
		dump_torn(d, e.position, e.size - e.position, "zeros");
	return entries_close(&e, rc == -1 || zeros == -1 ? -1 : 0);
}

int
dump_txn_index(struct dump *d, int fd, struct err *err)
{
	struct aborted_txn a;
	struct entries e;
	const uint8_t *at;
	char what[96];
	int rc;

	if (entries_open(&e, d, fd, TXNINDEX_ENTRY, err) == -1)
		return -1;
	while ((rc = entries_next(&e, &at, err)) == 1 && !dump_stopped(d)) {
		if (aborted_decode(&a, at) == -1) {
			snprintf(what, sizeof(what), "version %d, want 0", (int16_t)be16_get(at));
			dump_bad(d, e.position, "version", what);
			continue;
		}
		if (!d->verify) {
			struct line *l = dump_line(d, "abort", false);
			line_range(l, d->json ? "first" : "=first", "last", a.first_offset,
			    a.last_offset);
			line_int(l, "pid", a.producer_id);
			line_int(l, "lso", a.last_stable_offset);
			dump_line_end(d, false);
		}
		if (a.first_offset > a.last_offset)
			bad_order(&e, "last offset", a.last_offset, a.first_offset);
	}
	return entries_close(&e, rc == -1 ? -1 : 0);
}

static void
producer_put(struct dump *d, const struct producer_entry *p)
{
	const struct producer_batch *last =
	    p->batch_count > 0 ? &p->batches[p->batch_count - 1] : NULL;
	struct line *l = dump_line(d, "producer", false);

	line_int(l, d->json ? "pid" : "=pid", p->id);
	line_int(l, d->json ? "pid_epoch" : "epoch", p->epoch);
	line_opt(l, "seq", last != NULL && last->last_sequence >= 0,
	    last != NULL ? last->last_sequence : 0);
	line_opt(l, "last", last != NULL && last->last_offset >= 0,
	    last != NULL ? last->last_offset : 0);
	line_opt(l, "delta", last != NULL, last != NULL ? last->offset_delta : 0);
	line_time(l, "ts", p->last_timestamp);
	line_opt(l, "coordinator", p->coordinator_epoch >= 0, p->coordinator_epoch);
	line_opt(l, "txn", p->txn_first_offset >= 0, p->txn_first_offset);
	dump_line_end(d, false);
}

int
dump_producers(struct dump *d, struct err *err)
{
	struct buf content = BUF_INIT;
	struct producers all;
	int rc = -1;

	producers_init(&all);
	if (os_read_file(d->os, d->path, PRODUCERS_MAX, &content, err) == -1)
		goto out;
	if (producers_decode(&all, content.data, content.len, dump_base_of(d->path), err) == -1) {
		if (err->code != ERR_CORRUPT)
			goto out;
		dump_bad(d, 0, "snapshot", err->text);
	}
	for (struct map_entry *e = NULL; !d->verify && (e = map_next(&all.by_id, e)) != NULL;)
		producer_put(d, e->value);
	rc = 0;
out:
	buf_release(&content);
	producers_release(&all);
	return rc;
}
