/* An interrupted replacement of segments (compaction, split), by Kafka's rules:
 * .cleaned is undone, .swap is finished, .deleted goes. */
#include <errno.h>

#include "log/mlog_impl.h"

/* What one .swap .log covers: up to the offset behind its last good batch. */
static int
swap_end(struct mlog *log, const struct segment_name *n, int64_t *end, struct err *err)
{
	char path[LOG_PATH_MAX];
	struct scan scan;
	struct batch b;
	int fd, r;

	segment_name_path(path, log->dir, n);
	fd = os_open(log->os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	scan_init(&scan);
	scan_start(&scan, log->os, fd, 0);
	scan.headers_only = true;
	while ((r = scan_next(&scan, &b, err)) == 1) {
		if (batch_next_offset(&b) > *end)
			*end = batch_next_offset(&b);
	}
	scan_release(&scan);
	os_close(log->os, fd);
	return r == -1 && err->code != ERR_CORRUPT ? err_prefix(err, "%s", path) : 0;
}

/* Step 1: .deleted goes; so does .cleaned, and a .swap at or above the smallest
 * .cleaned: it belongs to a replacement whose renaming was not done. */
static int
undo(struct mlog *log, const struct segment_names *names, bool *any, struct err *err)
{
	int64_t cleaned = INT64_MAX;
	bool swaps = false;

	for (size_t i = names->count; i > 0; i--) {
		if (names->names[i - 1].state == SEGMENT_CLEANED)
			cleaned = names->names[i - 1].base;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < names->count; i++) {
			const struct segment_name *n = &names->names[i];
			bool swap = n->state == SEGMENT_SWAP && n->base >= cleaned;

			if (pass == 0 ? !swap :
			    n->state != SEGMENT_DELETED && n->state != SEGMENT_CLEANED)
				continue;
			*any = true;
			swaps = swaps || swap;
			if (segment_name_remove(log->os, log->dir, n, err) == -1)
				return -1;
		}
		/* Every such .swap before the first .cleaned, whatever comes in
		 * between: it must not look whole. */
		if (pass == 0 && swaps && mlog_sync_names(log, err) == -1)
			return -1;
	}
	return 0;
}

/* Takes .swap off the logs, from the lowest base up, or off what belongs to them.
 * Each log is durable before the next: a plain file above a .log.swap would be
 * taken for one that is replaced, were the power to fail now. */
static int
take_place(struct mlog *log, const struct segment_names *names, bool logs, struct err *err)
{
	char old[LOG_PATH_MAX], new[LOG_PATH_MAX];

	for (size_t i = 0; i < names->count; i++) {
		struct segment_name plain = names->names[i];

		if (plain.state != SEGMENT_SWAP || (plain.kind == SEGMENT_LOG) != logs)
			continue;
		segment_name_path(old, log->dir, &plain);
		plain.state = SEGMENT_PLAIN;
		segment_name_path(new, log->dir, &plain);
		if (os_rename(log->os, old, new) == -1)
			return err_sys(err, errno, "%s", old);
		if (logs && mlog_sync_names(log, err) == -1)
			return -1;
	}
	return 0;
}

/* Step 2: what the surviving .swap files replace goes, then they take its place. */
static int
finish(struct mlog *log, const struct segment_names *names, struct err *err)
{
	int64_t from = INT64_MAX, to = -1;

	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];
		if (n->state != SEGMENT_SWAP || n->kind != SEGMENT_LOG)
			continue;
		if (n->base < from)
			from = n->base;
		if (swap_end(log, n, &to, err) == -1)
			return -1;
	}
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];
		if (n->state == SEGMENT_PLAIN && n->base >= from && n->base < to &&
		    segment_name_remove(log->os, log->dir, n, err) == -1)
			return -1;
	}
	return take_place(log, names, true, err) == -1 ||
	    take_place(log, names, false, err) == -1 ? -1 : 0;
}

int
mlog_finish_replacement(struct mlog *log, struct segment_names *names, struct err *err)
{
	bool any = false, swaps = false;

	if (undo(log, names, &any, err) == -1)
		return -1;
	if (any && segment_names_read(names, log->os, log->dir, err) == -1)
		return -1;
	for (size_t i = 0; i < names->count; i++)
		swaps = swaps || names->names[i].state == SEGMENT_SWAP;
	if (swaps) {
		os_note(log->os, OS_INFO, "%s: finishing an interrupted replacement of segments",
		    segment_dir_name(log->dir));
		if (finish(log, names, err) == -1)
			return -1;
	}
	if (!any && !swaps)
		return 0;
	if (mlog_sync_names(log, err) == -1)
		return -1;
	return segment_names_read(names, log->os, log->dir, err);
}
