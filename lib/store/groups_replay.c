/* Replaying a partition of the offsets topic, and later on from where it stopped. */
#include <stdlib.h>
#include <string.h>

#include "store/groups_impl.h"

static size_t
held_bytes(const struct group_held *h)
{
	return sizeof(*h) + h->key_len + h->value_len;
}

static void
held_release(struct group_replay *r, struct group_held *h)
{
	r->bytes -= held_bytes(h);
	free(h->key);
	free(h->value);
}

void
group_replay_release(struct group_replay *r)
{
	for (size_t i = 0; i < r->count; i++)
		held_release(r, &r->held[i]);
	free(r->held);
	reader_free(r->from);
}

static uint8_t *
copy(const void *data, size_t len)
{
	uint8_t *to = malloc(len + 1);

	if (to != NULL && len > 0)
		memcpy(to, data, len);
	return to;
}

static int
hold(struct group_replay *r, int64_t producer_id, int64_t at, struct slice key,
    const struct slice *value, struct err *err)
{
	struct group_held h = {.producer_id = producer_id, .at = at, .key_len = key.len};

	if (r->count == r->cap) {
		size_t cap = r->cap * 2 + 16;
		struct group_held *grown = realloc(r->held, cap * sizeof(*grown));

		if (grown == NULL)
			return err_nomem(err);
		r->held = grown;
		r->cap = cap;
	}
	h.key = copy(key.data, key.len);
	if (value != NULL) {
		h.value = copy(value->data, value->len);
		h.value_len = value->len;
	}
	r->bytes += held_bytes(&h);
	if (h.key == NULL || (value != NULL && h.value == NULL)) {
		held_release(r, &h);
		return err_nomem(err);
	}
	r->held[r->count++] = h;
	if (r->bytes <= r->bytes_max)
		return 0;
	return err_set(err, ERR_TOO_LARGE, "%s: open transactions take more than %zu MiB", r->dir,
	    r->bytes_max >> 20);
}

/* A tombstone outside of transactions also takes what open ones have of its key. */
static void
drop_held(struct group_replay *r, struct slice key)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct group_held *h = &r->held[i];

		if (h->key_len == key.len && memcmp(h->key, key.data, key.len) == 0)
			held_release(r, h);
		else
			r->held[kept++] = *h;
	}
	r->count = kept;
}

/* The end of a producer's transaction: its records count now, or never. */
static int
end_transaction(struct group_replay *r, int64_t producer_id, bool commit, struct err *err)
{
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct group_held *h = &r->held[i];
		struct slice key = {h->key, h->key_len}, value = {h->value, h->value_len};

		if (h->producer_id != producer_id) {
			r->held[kept++] = *h;
			continue;
		}
		if (ret == 0 && commit)
			ret = r->record(r->ctx, h->at, key, h->value != NULL ? &value : NULL, err);
		held_release(r, h);
	}
	r->count = kept;
	return ret;
}

/* What cannot be read of a whole batch is damage; what the machine refuses is not. */
static int
bad_batch(struct group_replay *r, const struct batch *b, struct err *err)
{
	int64_t base, position, last = batch_next_offset(b) - 1;

	if (err->code == ERR_NOMEM || err->code == ERR_IO)
		return -1;
	reader_position(r->from, &base, &position);
	err_prefix(err, "%s/%020lld.log: byte %lld: offsets %lld..%lld",
	    strrchr(r->dir, '/') + 1, (long long)base, (long long)position,
	    (long long)b->base_offset, (long long)last);
	r->damaged(r->ctx, last, err->text);
	return 0;
}

static int
replay_record(struct group_replay *r, const struct batch *b, const struct record *rec,
    struct err *err)
{
	struct slice key = {rec->key, rec->key_size > 0 ? (size_t)rec->key_size : 0};
	struct slice value = {rec->value, rec->value_size > 0 ? (size_t)rec->value_size : 0};
	const struct slice *v = rec->value_size >= 0 ? &value : NULL;
	int type;

	if (batch_is_control(b)) {
		type = control_key_decode(key, err);
		if (type == -1)
			return bad_batch(r, b, err);
		if (type != CONTROL_COMMIT && type != CONTROL_ABORT)
			return 0;
		return end_transaction(r, b->producer_id, type == CONTROL_COMMIT, err);
	}
	if (!r->wants(r->ctx, key))
		return 0;
	if (batch_is_transactional(b))
		return hold(r, b->producer_id, rec->offset, key, v, err);
	if (v == NULL && r->count > 0)
		drop_held(r, key);
	return r->record(r->ctx, rec->offset, key, v, err);
}

static int
replay_batch(struct group_replay *r, struct record_reader *rr, const struct batch *b,
    struct err *err)
{
	struct record rec;
	int got = record_reader_open(rr, b, err);

	while (got != -1 && (got = record_reader_next(rr, &rec, err)) == 1)
		if (replay_record(r, b, &rec, err) == -1)
			return -1;
	return got == -1 ? bad_batch(r, b, err) : 0;
}

static struct group_mark
mark_of(const struct batch *b)
{
	return (struct group_mark){.base_offset = b->base_offset, .size = b->size, .crc = b->crc};
}

static int
replay_all(struct group_replay *r, struct record_reader *rr, struct err *err)
{
	struct batch b;
	int got;

	for (;;) {
		got = reader_next(r->from, &b, err);
		if (got == 0)
			return 0;
		if (got == 1 && replay_batch(r, rr, &b, err) == -1)
			return -1;
		if (got == 1)
			r->last = mark_of(&b);
		if (got == -1 && err->code != ERR_CORRUPT)
			return -1;
		if (got == -1)
			r->damaged(r->ctx, reader_damage(r->from)->lost_last, err->text);
	}
}

int
group_replay_read(struct group_replay *r, struct err *err)
{
	struct record_reader rr = {0};
	int ret = replay_all(r, &rr, err);

	record_reader_release(&rr);
	return ret;
}

static int
replay_open(struct group_replay *r, struct store *s, int32_t partition, struct err *err)
{
	int64_t start, end;

	r->from = store_reader(s, OFFSETS_TOPIC, partition, err);
	if (r->from == NULL)
		return err->code == 0 ? 0 : -1;
	if (reader_bounds(r->from, &start, &end, err) == -1)
		return -1;
	return reader_seek(r->from, start, err);
}

/* Stands behind the last batch that was read. A log that was cut, or compacted, or
 * of which the files were replaced, has another there. */
static int
replay_again(struct group_replay *r, struct err *err)
{
	struct group_mark now;
	struct batch b;
	int got;

	if (reader_seek(r->from, r->last.base_offset, err) == -1)
		return -1;
	got = reader_next(r->from, &b, err);
	if (got == -1 && err->code != ERR_CORRUPT)
		return -1;
	if (got == 1) {
		now = mark_of(&b);
		if (now.base_offset == r->last.base_offset && now.size == r->last.size &&
		    now.crc == r->last.crc)
			return 0;
	}
	return err_set(err, ERR_AGAIN, "%s: is another log now", r->dir);
}

int
group_replay_on(struct group_replay *r, struct store *s, int32_t partition, struct err *err)
{
	r->dir = store_partition_dir(s, OFFSETS_TOPIC, partition);
	if (r->last.size > 0) {
		if (replay_again(r, err) == -1)
			return -1;
	} else {
		reader_free(r->from);
		if (replay_open(r, s, partition, err) == -1)
			return -1;
	}
	return r->from == NULL ? 0 : group_replay_read(r, err);
}

int
group_key_group(struct slice key, struct slice *group)
{
	struct cursor c = cursor_of(key.data, key.len);
	int type = cursor_i16(&c);
	int16_t len = cursor_i16(&c);

	if (c.failed || type < 0 || len < 0)
		return -1;
	group->len = (size_t)len;
	group->data = cursor_bytes(&c, group->len);
	return c.failed ? -1 : type;
}
