/* One offset per partition, in a text file that is replaced whole. */
#include "log/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "log/checkpoint_text.h"

void
checkpoint_init(struct checkpoint *c)
{
	*c = (struct checkpoint){0};
}

void
checkpoint_release(struct checkpoint *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->entries[i].topic);
	free(c->entries);
	checkpoint_init(c);
}

static int
compare(const struct checkpoint_entry *e, const char *topic, int32_t partition)
{
	int order = strcmp(e->topic, topic);

	if (order != 0)
		return order;
	return (e->partition > partition) - (e->partition < partition);
}

/* Index of the first entry that is not below. */
static size_t
place(const struct checkpoint *c, const char *topic, int32_t partition)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (compare(&c->entries[mid], topic, partition) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
holds(const struct checkpoint *c, size_t at, const char *topic, int32_t partition)
{
	return at < c->count && compare(&c->entries[at], topic, partition) == 0;
}

int64_t
checkpoint_get(const struct checkpoint *c, const char *topic, int32_t partition)
{
	size_t at = place(c, topic, partition);

	return holds(c, at, topic, partition) ? c->entries[at].offset : -1;
}

static int
grow(struct checkpoint *c, struct err *err)
{
	size_t cap = c->cap ? c->cap * 2 : 16;
	struct checkpoint_entry *entries;

	if (c->count < c->cap)
		return 0;
	entries = reallocarray(c->entries, cap, sizeof(*entries));
	if (entries == NULL)
		return err_nomem(err);
	c->entries = entries;
	c->cap = cap;
	return 0;
}

int
checkpoint_set(struct checkpoint *c, const char *topic, int32_t partition, int64_t offset,
    struct err *err)
{
	size_t at = place(c, topic, partition);
	char *name;

	if (holds(c, at, topic, partition)) {
		c->entries[at].offset = offset;
		return 0;
	}
	if (grow(c, err) == -1)
		return -1;
	name = strdup(topic);
	if (name == NULL)
		return err_nomem(err);
	memmove(&c->entries[at + 1], &c->entries[at], (c->count - at) * sizeof(*c->entries));
	c->entries[at] = (struct checkpoint_entry){name, partition, offset};
	c->count++;
	return 0;
}

void
checkpoint_del(struct checkpoint *c, const char *topic, int32_t partition)
{
	size_t at = place(c, topic, partition);

	if (!holds(c, at, topic, partition))
		return;
	free(c->entries[at].topic);
	c->count--;
	memmove(&c->entries[at], &c->entries[at + 1], (c->count - at) * sizeof(*c->entries));
}

/* Behind the last one, wherever it belongs. */
static int
push(struct checkpoint *c, const char *topic, int32_t partition, int64_t offset, struct err *err)
{
	char *name;

	if (grow(c, err) == -1)
		return -1;
	name = strdup(topic);
	if (name == NULL)
		return err_nomem(err);
	c->entries[c->count++] = (struct checkpoint_entry){name, partition, offset};
	return 0;
}

static int
take_entry(struct checkpoint *c, const struct checkpoint_text *t, struct err *err)
{
	char topic[256]; /* Kafka's names have at most 249 characters */
	int64_t partition, offset;

	if (t->fields[0].len >= sizeof(topic) ||
	    memchr(t->fields[0].data, '\0', t->fields[0].len) != NULL)
		return err_set(err, ERR_CORRUPT, "line %d: want a topic name, found %zu bytes",
		    t->line, t->fields[0].len);
	memcpy(topic, t->fields[0].data, t->fields[0].len);
	topic[t->fields[0].len] = '\0';
	if (checkpoint_text_int(t, 1, 0, INT32_MAX, &partition, err) == -1 ||
	    checkpoint_text_int(t, 2, INT64_MIN, INT64_MAX, &offset, err) == -1)
		return -1;
	return push(c, topic, (int32_t)partition, offset, err);
}

/* An entry, and how many came before it. */
struct numbered {
	struct checkpoint_entry entry;
	size_t number;
};

static int
compare_numbered(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int order = compare(&x->entry, y->entry.topic, y->entry.partition);

	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

/* Of several entries for one partition the last holds. */
static void
take_sorted(struct checkpoint *c, const struct numbered *all)
{
	size_t count = c->count;

	c->count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct checkpoint_entry *e = &all[i].entry;

		if (i + 1 < count &&
		    compare(e, all[i + 1].entry.topic, all[i + 1].entry.partition) == 0)
			free(e->topic);
		else
			c->entries[c->count++] = *e;
	}
}

/* Kafka writes the entries in any order. All are sorted at once: to insert each
 * where it belongs takes for ever where there are many. */
static int
sort(struct checkpoint *c, struct err *err)
{
	struct numbered *all = reallocarray(NULL, c->count + 1, sizeof(*all));

	if (all == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->count; i++)
		all[i] = (struct numbered){c->entries[i], i};
	qsort(all, c->count, sizeof(*all), compare_numbered);
	take_sorted(c, all);
	free(all);
	return 0;
}

int
checkpoint_parse(struct checkpoint *c, const char *text, size_t len, struct err *err)
{
	struct checkpoint_text t;
	struct err unsorted;
	int r;

	if (checkpoint_text_open(&t, text, len, 3, err) == -1)
		return -1;
	while ((r = checkpoint_text_next(&t, err)) == 1) {
		if (take_entry(c, &t, err) == -1) {
			r = -1;
			break;
		}
	}
	if (sort(c, &unsorted) == -1) {
		checkpoint_release(c);
		*err = unsorted;
		r = -1;
	}
	return r;
}

int
checkpoint_read(struct checkpoint *c, struct os *os, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	int r = os_read_file(os, path, CHECKPOINT_FILE_MAX, &text, err);

	if (r == 0) {
		const char *content = buf_cstr(&text);

		r = text.failed ? err_nomem(err) : checkpoint_parse(c, content, text.len, err);
		if (r == -1)
			err_prefix(err, "%s", path);
	}
	buf_release(&text);
	return r;
}

int
checkpoint_load(struct checkpoint *c, struct os *os, const char *path, struct err *err)
{
	checkpoint_init(c);
	if (checkpoint_read(c, os, path, err) == 0)
		return 0;
	checkpoint_release(c);
	checkpoint_init(c);
	if (err->code == ERR_CORRUPT)
		os_note(os, OS_WARN, "%s: taken for empty", err->text);
	return err->code == ERR_CORRUPT || err->code == ERR_NOT_FOUND ? 0 : -1;
}

int
checkpoint_format(const struct checkpoint *c, struct buf *out, struct err *err)
{
	buf_printf(out, "0\n%zu\n", c->count);
	for (size_t i = 0; i < c->count; i++)
		buf_printf(out, "%s %d %lld\n", c->entries[i].topic, (int)c->entries[i].partition,
		    (long long)c->entries[i].offset);
	return out->failed ? err_nomem(err) : 0;
}

int
checkpoint_write(const struct checkpoint *c, struct os *os, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	int r = checkpoint_format(c, &text, err);

	if (r == 0)
		r = os_replace_file(os, path, text.data, text.len, err);
	buf_release(&text);
	return r;
}
