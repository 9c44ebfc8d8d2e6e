/* Replaying the offsets topic, with its transactions. */
#include <stdlib.h>
#include <string.h>

#include "store/groups_impl.h"

/* A record of a transaction that is still open. */
struct held {
	int64_t producer_id;
	uint8_t *key, *value; /* owned; value NULL: a tombstone */
	size_t key_len, value_len;
};

struct replay {
	const struct group_replay *to;
	struct held *held;
	size_t count, cap;
};

static void
held_release(struct held *h)
{
	free(h->key);
	free(h->value);
}

static void
replay_release(struct replay *r)
{
	for (size_t i = 0; i < r->count; i++)
		held_release(&r->held[i]);
	free(r->held);
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
hold(struct replay *r, int64_t producer_id, struct slice key, const struct slice *value,
    struct err *err)
{
	struct held h = {.producer_id = producer_id, .key_len = key.len};

	if (r->count == r->cap) {
		size_t cap = r->cap * 2 + 16;
		struct held *grown = realloc(r->held, cap * sizeof(*grown));

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
	if (h.key == NULL || (value != NULL && h.value == NULL)) {
		held_release(&h);
		return err_nomem(err);
	}
	r->held[r->count++] = h;
	return 0;
}

/* The end of a producer's transaction: its records count now, or never. */
static int
end_transaction(struct replay *r, int64_t producer_id, bool commit, struct err *err)
{
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct held *h = &r->held[i];
		struct slice key = {h->key, h->key_len}, value = {h->value, h->value_len};

		if (h->producer_id != producer_id) {
			r->held[kept++] = *h;
			continue;
		}
		if (ret == 0 && commit)
			ret = r->to->record(r->to->ctx, key, h->value != NULL ? &value : NULL, err);
		held_release(h);
	}
	r->count = kept;
	return ret;
}

static int
replay_record(struct replay *r, const struct batch *b, const struct record *rec, struct err *err)
{
	struct slice key = {rec->key, rec->key_size > 0 ? (size_t)rec->key_size : 0};
	struct slice value = {rec->value, rec->value_size > 0 ? (size_t)rec->value_size : 0};
	const struct slice *v = rec->value_size >= 0 ? &value : NULL;
	int type;

	if (batch_is_control(b)) {
		type = control_key_decode(key, err);
		if (type == -1)
			return -1;
		if (type != CONTROL_COMMIT && type != CONTROL_ABORT)
			return 0;
		return end_transaction(r, b->producer_id, type == CONTROL_COMMIT, err);
	}
	if (batch_is_transactional(b))
		return hold(r, b->producer_id, key, v, err);
	return r->to->record(r->to->ctx, key, v, err);
}

static int
replay_batch(struct replay *r, struct record_reader *rr, const struct batch *b, struct err *err)
{
	struct record rec;
	int got = record_reader_open(rr, b, err);

	if (got == -1)
		return -1;
	while ((got = record_reader_next(rr, &rec, err)) == 1)
		if (replay_record(r, b, &rec, err) == -1)
			return -1;
	return got;
}

/* Damage is passed over, and said: an offset that is lost means that records are
 * consumed again. */
static int
replay_all(struct store *s, struct replay *r, struct reader *from, struct err *err)
{
	struct record_reader rr = {0};
	struct batch b;
	int got;

	for (;;) {
		got = reader_next(from, &b, err);
		if (got == 1)
			got = replay_batch(r, &rr, &b, err) == -1 ? -1 : 1;
		if (got == 0)
			break;
		if (got == -1 && err->code != ERR_CORRUPT)
			break;
		if (got == -1)
			os_note(s->os, OS_WARN, "committed offsets: %s", err->text);
	}
	record_reader_release(&rr);
	return got;
}

int
group_replay_partition(
    struct store *s, int32_t partition, const struct group_replay *to, struct err *err)
{
	struct replay r = {.to = to};
	struct reader *from = store_reader(s, OFFSETS_TOPIC, partition, err);
	int64_t start, end;
	int ret;

	if (from == NULL)
		return err->code == 0 ? 0 : -1;
	ret = reader_bounds(from, &start, &end, err);
	if (ret == 0)
		ret = reader_seek(from, start, err);
	if (ret == 0)
		ret = replay_all(s, &r, from, err);
	replay_release(&r);
	reader_free(from);
	return ret;
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
