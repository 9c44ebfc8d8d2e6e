/* The list of a log's segments: one after the other, or by the names in its directory. */
#include <stdlib.h>
#include <string.h>

#include "log/mlog_impl.h"

int
mlog_push_segment(struct mlog *log, int64_t base, struct err *err)
{
	struct segment *s;

	if (log->segment_count == log->segment_cap) {
		size_t cap = log->segment_cap ? log->segment_cap * 2 : 4;
		struct segment **all = reallocarray(log->segments, cap, sizeof(struct segment *));
		if (all == NULL)
			return err_nomem(err);
		log->segments = all;
		log->segment_cap = cap;
	}
	s = segment_new(log->os, log->dir, base, err);
	if (s == NULL)
		return -1;
	log->segments[log->segment_count++] = s;
	return 0;
}

void
mlog_drop_segment(struct mlog *log, size_t i)
{
	struct segment *s = log->segments[i];

	if (s->lent) {
		s->next = log->left;
		log->left = s;
	} else {
		segment_free(s);
	}
	log->segment_count--;
	memmove(&log->segments[i], &log->segments[i + 1],
	    (log->segment_count - i) * sizeof(struct segment *));
}

size_t
mlog_segment_of(const struct mlog *log, int64_t offset)
{
	size_t low = 0, high = log->segment_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (log->segments[mid]->base <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? low - 1 : 0;
}

/* Is there a .log of that base? Names are sorted, a plain .log first. */
static bool
has_log(const struct segment_names *names, int64_t base)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (names->names[mid].base < base)
			low = mid + 1;
		else
			high = mid;
	}
	return low < names->count && names->names[low].base == base &&
	    names->names[low].kind == SEGMENT_LOG && names->names[low].state == SEGMENT_PLAIN;
}

static int
take_names(struct mlog *log, const struct segment_names *names, struct err *err)
{
	int64_t last_log = -1;

	while (log->segment_count > 0)
		mlog_drop_segment(log, log->segment_count - 1);
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];
		if (n->state != SEGMENT_PLAIN || n->kind == SEGMENT_SNAPSHOT)
			continue;
		if (n->kind == SEGMENT_LOG) {
			/* Sorted by base, the .log before its indexes. */
			last_log = n->base;
			if (mlog_push_segment(log, n->base, err) == -1)
				return -1;
		} else if (n->base == last_log) {
			if (n->kind == SEGMENT_INDEX)
				mlog_active(log)->has_index = true;
		} else {
			/* It belongs to nothing (Kafka removes it too). */
			if (segment_name_remove(log->os, log->dir, n, err) == -1)
				return -1;
		}
	}
	return 0;
}

/* No name is missing now, so that the first base says where the log starts, too. */
static void
now_whole(struct mlog *log)
{
	log->partial = false;
	if (log->segment_count > 0 && log->start_offset < log->segments[0]->base)
		log->start_offset = log->segments[0]->base;
}

int
mlog_load_segments(struct mlog *log, struct err *err)
{
	struct segment_names names = {0};
	int r = segment_names_read(&names, log->os, log->dir, err);

	if (r == 0)
		r = mlog_finish_replacement(log, &names, err);
	if (r == 0)
		r = take_names(log, &names, err);
	segment_names_release(&names);
	if (r == -1)
		return -1;
	log->tail.replacing = false;
	now_whole(log);
	return 0;
}

/* Adds a segment where it belongs. */
static int
insert_segment(struct mlog *log, int64_t base, struct err *err)
{
	struct segment *s;
	size_t i;

	if (mlog_push_segment(log, base, err) == -1)
		return -1;
	s = mlog_active(log);
	for (i = log->segment_count - 1; i > 0 && log->segments[i - 1]->base > base; i--)
		log->segments[i] = log->segments[i - 1];
	log->segments[i] = s;
	return 0;
}

/* A file that we have open may no longer be the one with the name. */
static int
is_there(struct segment *s, const struct segment_names *names, struct err *err)
{
	if (!has_log(names, s->base))
		return 0;
	return s->log_fd == -1 ? 1 : segment_is_current(s, err);
}

static int
take_finished(struct mlog *log, const struct segment_names *names, struct err *err)
{
	int64_t active = mlog_active(log)->base;

	for (size_t i = log->segment_count - 1; i > 0; i--) {
		struct segment *s = log->segments[i - 1];
		int there = is_there(s, names, err);

		if (there == -1)
			return -1;
		if (there == 0) {
			mlog_drop_segment(log, i - 1);
			continue;
		}
		s->size = -1;
		if (!s->unsynced)
			segment_close(s);
	}
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];

		if (n->kind != SEGMENT_LOG || n->state != SEGMENT_PLAIN || n->base >= active ||
		    log->segments[mlog_segment_of(log, n->base)]->base == n->base)
			continue;
		if (insert_segment(log, n->base, err) == -1)
			return -1;
	}
	return 0;
}

/* What a killed writer has left of segments that it deleted: the .log goes first. */
static int
remove_orphans(struct mlog *log, const struct segment_names *names, struct err *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];

		if (n->state == SEGMENT_PLAIN && n->kind != SEGMENT_LOG &&
		    n->kind != SEGMENT_SNAPSHOT && !has_log(names, n->base) &&
		    segment_name_remove(log->os, log->dir, n, err) == -1)
			return -1;
	}
	return 0;
}

int
mlog_refresh(struct mlog *log, struct err *err)
{
	struct segment_names names = {0};
	int r = segment_names_read(&names, log->os, log->dir, err);

	if (r == 0)
		r = take_finished(log, &names, err);
	if (r == 0 && log->partial)
		r = remove_orphans(log, &names, err);
	segment_names_release(&names);
	if (r == 0 && log->partial)
		now_whole(log);
	return r;
}

int64_t
mlog_first_base(const struct mlog *log)
{
	return log->partial || log->segment_count == 0 ? -1 : log->segments[0]->base;
}

int
mlog_whole(struct mlog *log, struct err *err)
{
	return log->partial ? mlog_refresh(log, err) : 0;
}

/* --- names alone ------------------------------------------------------------------- */

int
mlog_names_init(struct mlog *names, struct os *os, const char *dir,
    const struct mlog_config *config, struct err *err)
{
	*names = (struct mlog){.os = os, .config = *config, .dir = strdup(dir)};
	epochs_init(&names->epochs);
	producers_init(&names->producers);
	return names->dir == NULL ? err_nomem(err) : 0;
}

int
mlog_names_read(struct mlog *names, struct err *err)
{
	struct segment_names list = {0};
	int r = segment_names_read_some(&list, names->os, names->dir, 1u << SEGMENT_LOG, err);

	for (size_t i = 0; r == 0 && i < list.count; i++) {
		if (list.names[i].state == SEGMENT_PLAIN)
			r = mlog_push_segment(names, list.names[i].base, err);
	}
	segment_names_release(&list);
	if (r == 0 && names->segment_count > 0)
		names->start_offset = names->segments[0]->base;
	return r;
}
