/* What the tests of compaction share: logs of keyed records, read back. */
#ifndef COMPACT_TEST_H
#define COMPACT_TEST_H

#include "log/compact.h"
#include "log_test.h"

#define KEY_NULL NULL
#define GONE NULL /* a tombstone's value */

/* One record to write, or one that was read. */
struct kv {
	int64_t offset, timestamp;
	char key[24], value[40]; /* "-": null */
};

/* How a batch is made beyond its records. */
struct how {
	enum codec codec;
	int16_t attributes;
	int64_t producer; /* 0: none */
	int32_t sequence;
	int64_t timestamp; /* of the first record; 0: T0 + its offset */
};

struct list {
	struct kv *all;
	size_t count, cap;
};

__attribute__((unused)) static void
list_add(struct list *l, const struct kv *one)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->all = realloc(l->all, l->cap * sizeof(*l->all));
	}
	l->all[l->count++] = *one;
}

__attribute__((unused)) static void
list_release(struct list *l)
{
	free(l->all);
	*l = (struct list){0};
}

__attribute__((unused)) static const struct kv *
list_find(const struct list *l, int64_t offset)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (l->all[mid].offset < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count && l->all[low].offset == offset ? &l->all[low] : NULL;
}

/* A batch of the given key and value pairs, appended. */
__attribute__((unused)) static int
put_pairs(struct world *w, struct how how, int n, const char *const (*pairs)[2])
{
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	int r = 0;

	batch_builder_init(&bb, how.codec, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < n; i++) {
		const char *key = pairs[i][0], *value = pairs[i][1];
		struct record rec = {
		    .timestamp = (how.timestamp ? how.timestamp : T0 + mlog_end(&w->log)) + i,
		    .key = (const uint8_t *)key,
		    .key_size = key == NULL ? -1 : (int32_t)strlen(key),
		    .value = (const uint8_t *)value,
		    .value_size = value == NULL ? -1 : (int32_t)strlen(value),
		};
		batch_builder_add(&bb, &rec, &w->err);
	}
	bb.head.attributes = how.attributes;
	if (how.producer > 0) {
		bb.head.producer_id = how.producer;
		bb.head.producer_epoch = 0;
		bb.head.base_sequence = how.sequence;
	}
	r = batch_builder_finish(&bb, &b, &w->err);
	if (r == 0)
		r = mlog_append(&w->log, bb.codec == CODEC_NONE ? bb.raw.data : bb.packed.data,
		    (size_t)b.size, 0, T0, &out, &w->err);
	if (r == -1)
		printf("# %s\n", w->err.text);
	batch_builder_release(&bb);
	return r;
}

__attribute__((unused)) static int
put(struct world *w, const char *key, const char *value)
{
	const char *const pair[1][2] = {{key, value}};

	return put_pairs(w, (struct how){0}, 1, pair);
}

/* A transaction marker of a producer. */
__attribute__((unused)) static int
put_marker(struct world *w, int64_t producer, bool commit)
{
	uint8_t key[4] = {0, 0, 0, commit}, value[6] = {0};
	struct record rec = {.timestamp = T0 + mlog_end(&w->log), .key = key, .key_size = 4,
	    .value = value, .value_size = 6};
	struct mlog_appended out;
	struct batch_builder bb;
	struct batch b;
	int r;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	batch_builder_add(&bb, &rec, &w->err);
	bb.head.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
	bb.head.producer_id = producer;
	bb.head.producer_epoch = 0;
	r = batch_builder_finish(&bb, &b, &w->err);
	if (r == 0)
		r = mlog_append(&w->log, bb.raw.data, (size_t)b.size, 0, T0, &out, &w->err);
	batch_builder_release(&bb);
	return r;
}

static void
set_text(char *to, size_t size, const uint8_t *data, int32_t len)
{
	snprintf(to, size, "%.*s", len < 0 ? 1 : (int)len, len < 0 ? "-" : (const char *)data);
}

/* The records of a batch; of a control batch "commit" or "abort". */
__attribute__((unused)) static int
read_records(const struct batch *b, struct list *l)
{
	struct record_reader reader = {0};
	struct record rec;
	struct err err;
	int r = record_reader_open(&reader, b, &err);

	while (r == 0 && record_reader_next(&reader, &rec, &err) == 1) {
		struct kv one = {.offset = rec.offset, .timestamp = rec.timestamp};
		set_text(one.key, sizeof(one.key), rec.key, rec.key_size);
		set_text(one.value, sizeof(one.value), rec.value, rec.value_size);
		if (batch_is_control(b))
			snprintf(one.key, sizeof(one.key), "%s",
			    rec.key[3] ? "(commit)" : "(abort)");
		list_add(l, &one);
	}
	record_reader_release(&reader);
	return r;
}

/* All records from a fresh lockless reader; -1 and a note on any error or on
 * offsets that do not rise. */
__attribute__((unused)) static int
read_all(struct world *w, struct list *l)
{
	struct reader *r = reader_open(w->os, DIR_OF_LOG, 0, &w->err);
	struct batch b;
	int64_t next = -1;
	int got = -1;

	*l = (struct list){0};
	if (r != NULL && reader_seek(r, 0, &w->err) == 0) {
		while ((got = reader_next(r, &b, &w->err)) == 1) {
			if (b.base_offset < next) {
				got = err_set(&w->err, ERR_CORRUPT, "offset %lld again",
				    (long long)b.base_offset);
				break;
			}
			next = batch_next_offset(&b);
			read_records(&b, l);
		}
	}
	reader_free(r);
	if (got == -1)
		printf("# %s\n", w->err.text);
	return got;
}

/* "0:a=1 3:b=- 4:(abort)" of all that is in the log. */
__attribute__((unused)) static const char *
content(struct world *w)
{
	static char text[4096];
	struct list l;
	size_t at = 0;

	text[0] = '\0';
	if (read_all(w, &l) == -1)
		snprintf(text, sizeof(text), "error");
	for (size_t i = 0; i < l.count && at < sizeof(text) - 80; i++) {
		const struct kv *one = &l.all[i];
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld:%s", i ? " " : "",
		    (long long)one->offset, one->key);
		if (one->key[0] != '(')
			at += (size_t)snprintf(text + at, sizeof(text) - at, "=%s", one->value);
	}
	list_release(&l);
	return text;
}

static int64_t producer_expire_ms; /* for compact_from; 0: the default */

/* Compacts all finished segments, as if everything were dirty from `dirty`. */
__attribute__((unused)) static int
compact_from(struct world *w, int64_t dirty, int64_t now_ms, struct compact_result *res)
{
	struct compact_args args = {.first_dirty_offset = dirty, .limit_offset = INT64_MAX,
	    .now_ms = now_ms, .expire = true, .producer_expire_ms = producer_expire_ms};
	int r = mlog_compact(&w->log, &args, res, &w->err);

	if (r == -1)
		printf("# %s\n", w->err.text);
	return r;
}

#endif
