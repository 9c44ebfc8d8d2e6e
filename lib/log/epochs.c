/* Leader epochs and where each began. */
#include "log/epochs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/checkpoint_text.h"
#include "log/segment.h"

#define EPOCHS_FILE "leader-epoch-checkpoint"

void
epochs_init(struct epochs *e)
{
	*e = (struct epochs){0};
}

void
epochs_release(struct epochs *e)
{
	free(e->entries);
	epochs_init(e);
}

static int
push(struct epochs *e, int32_t epoch, int64_t start_offset, struct err *err)
{
	if (e->count == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 4;
		struct epoch_entry *entries = reallocarray(e->entries, cap, sizeof(*entries));
		if (entries == NULL)
			return err_nomem(err);
		e->entries = entries;
		e->cap = cap;
	}
	e->entries[e->count++] = (struct epoch_entry){epoch, start_offset};
	return 0;
}

int
epochs_parse(struct epochs *e, const char *text, size_t len, struct err *err)
{
	struct checkpoint_text t;
	int64_t epoch, start;
	int r;

	e->count = 0;
	e->dirty = false;
	if (checkpoint_text_open(&t, text, len, 2, err) == -1)
		return -1;
	while ((r = checkpoint_text_next(&t, err)) == 1) {
		if (checkpoint_text_int(&t, 0, 0, INT32_MAX, &epoch, err) == -1 ||
		    checkpoint_text_int(&t, 1, 0, INT64_MAX, &start, err) == -1)
			return -1;
		if (e->count > 0 && (epoch <= e->entries[e->count - 1].epoch ||
		    start <= e->entries[e->count - 1].start_offset))
			return err_set(err, ERR_CORRUPT,
			    "line %d: want an epoch and an offset above the line before", t.line);
		if (push(e, (int32_t)epoch, start, err) == -1)
			return -1;
	}
	return r;
}

int
epochs_read(struct epochs *e, struct os *os, const char *dir, struct err *err)
{
	struct buf text = BUF_INIT;
	char path[LOG_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, EPOCHS_FILE);
	r = os_read_file(os, path, CHECKPOINT_FILE_MAX, &text, err);
	if (r == -1 && err->code == ERR_NOT_FOUND) {
		e->count = 0;
		e->dirty = false;
		r = 0;
	} else if (r == 0) {
		const char *content = buf_cstr(&text);

		r = text.failed ? err_nomem(err) : epochs_parse(e, content, text.len, err);
		if (r == -1)
			err_prefix(err, "%s", path);
	}
	buf_release(&text);
	return r;
}

int
epochs_write(struct epochs *e, struct os *os, const char *dir, struct err *err)
{
	struct buf text = BUF_INIT;
	char path[LOG_PATH_MAX];
	int r;

	if (!e->dirty)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", dir, EPOCHS_FILE);
	buf_printf(&text, "0\n%zu\n", e->count);
	for (size_t i = 0; i < e->count; i++)
		buf_printf(&text, "%d %lld\n", (int)e->entries[i].epoch,
		    (long long)e->entries[i].start_offset);
	r = text.failed ? err_nomem(err) : os_replace_file(os, path, text.data, text.len, err);
	buf_release(&text);
	if (r == 0)
		e->dirty = false;
	return r;
}

int32_t
epochs_latest(const struct epochs *e)
{
	return e->count > 0 ? e->entries[e->count - 1].epoch : EPOCH_NONE;
}

int
epochs_assign(struct epochs *e, int32_t epoch, int64_t start_offset, struct err *err)
{
	size_t keep = e->count;

	if (epoch < 0 || epoch <= epochs_latest(e))
		return 0;
	while (keep > 0 && e->entries[keep - 1].start_offset >= start_offset)
		keep--;
	if (keep == e->count && push(e, epoch, start_offset, err) == -1)
		return -1;
	e->entries[keep] = (struct epoch_entry){epoch, start_offset};
	e->count = keep + 1;
	e->dirty = true;
	return 0;
}

struct epoch_entry
epochs_end_of(const struct epochs *e, int32_t epoch, int64_t log_end)
{
	struct epoch_entry none = {EPOCH_NONE, -1};
	size_t above = 0;

	if (epoch == EPOCH_NONE || e->count == 0)
		return none;
	if (epoch == epochs_latest(e))
		return (struct epoch_entry){epoch, log_end};
	while (above < e->count && e->entries[above].epoch <= epoch)
		above++;
	if (above == e->count)
		return none;
	if (above == 0)
		return (struct epoch_entry){epoch, e->entries[0].start_offset};
	return (struct epoch_entry){e->entries[above - 1].epoch, e->entries[above].start_offset};
}

int32_t
epochs_at(const struct epochs *e, int64_t offset)
{
	for (size_t i = e->count; i > 0; i--) {
		if (e->entries[i - 1].start_offset <= offset)
			return e->entries[i - 1].epoch;
	}
	return EPOCH_NONE;
}

void
epochs_truncate_end(struct epochs *e, int64_t end_offset)
{
	while (e->count > 0 && e->entries[e->count - 1].start_offset >= end_offset) {
		e->count--;
		e->dirty = true;
	}
}

void
epochs_truncate_start(struct epochs *e, int64_t start_offset)
{
	size_t gone = 0;

	while (gone < e->count && e->entries[gone].start_offset <= start_offset)
		gone++;
	if (gone == 0 || (gone == 1 && e->entries[0].start_offset == start_offset))
		return;
	gone--; /* the last of them still covers start_offset */
	memmove(e->entries, e->entries + gone, (e->count - gone) * sizeof(*e->entries));
	e->count -= gone;
	e->entries[0].start_offset = start_offset;
	e->dirty = true;
}
