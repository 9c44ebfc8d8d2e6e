/* A whole partition directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/verify_impl.h"

/* --- names ---------------------------------------------------------------------- */

/* Files beside the segments that Kafka or mq put there. */
static bool
is_known(const char *name)
{
	static const char *const whole[] = {
	    "leader-epoch-checkpoint", "partition.metadata", "quorum-state", "lock"};
	static const char *const ends[] = {
	    ".checkpoint", ".checkpoint.deleted", ".checkpoint.part", ".hint", ".lock", ".tmp"};
	size_t len = strlen(name);

	if (strncmp(name, "mq.", 3) == 0) /* hints and locks of a store */
		return true;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		if (strcmp(name, whole[i]) == 0)
			return true;
	}
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);
		if (len > n && strcmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return name[0] == '.' || strstr(name, ".log.cut") != NULL;
}

struct foreign {
	const struct verify_args *args;
	struct verify_totals *totals;
};

static int
check_name(void *ctx, const char *name)
{
	struct foreign *f = ctx;
	struct segment_name n;

	if (segment_name_parse(name, &n) == -1 && !is_known(name))
		verify_tell_file(f->args, f->totals, VERIFY_FOREIGN, false, name,
		    "neither Kafka's nor mq's");
	return 0;
}

static void
file_name(char out[64], const struct segment_name *n)
{
	snprintf(out, 64, "%020lld%s%s", (long long)n->base, segment_suffix(n->kind),
	    segment_state_suffix(n->state));
}

static bool
has_log(const struct segment_names *names, int64_t base)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];
		if (n->base == base && n->kind == SEGMENT_LOG &&
		    (n->state == SEGMENT_PLAIN || n->state == SEGMENT_SWAP))
			return true;
	}
	return false;
}

/* Left where a writer was killed: before the .log of a new segment was there, or
 * after that of the oldest was removed. The next writer removes it. Between other
 * segments a .log is missing, unless a replacement is to finish. */
static bool
is_left_over(const struct segment_names *names, int64_t base)
{
	bool before = false, after = false;

	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];
		if (n->kind != SEGMENT_LOG)
			continue;
		if (n->state != SEGMENT_PLAIN)
			return true;
		before |= n->base < base;
		after |= n->base > base;
	}
	return !before || !after;
}

static int
check_snapshot(struct verify *v, const struct segment_name *n, struct err *err)
{
	struct producers p;
	char name[64];
	int r;

	producers_init(&p);
	r = producers_read_snapshot(&p, v->os, v->dir, n->base, err);
	producers_release(&p);
	if (r == 0 || err->code == ERR_NOT_FOUND)
		return 0;
	if (err->code != ERR_CORRUPT)
		return -1;
	file_name(name, n);
	verify_tell_file(v->args, v->totals, VERIFY_SNAPSHOT, true, name, err->text);
	return 0;
}

/* Files that belong to no segment, or to one in the making. */
static int
check_others(struct verify *v, const struct segment_names *names, struct err *err)
{
	char name[64];

	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];

		file_name(name, n);
		if (n->state != SEGMENT_PLAIN)
			verify_tell_file(v->args, v->totals, VERIFY_UNDONE, false, name,
			    "of a replacement that is under way or was interrupted");
		else if (n->kind == SEGMENT_SNAPSHOT && check_snapshot(v, n, err) == -1)
			return -1;
		else if (n->kind != SEGMENT_LOG && n->kind != SEGMENT_SNAPSHOT &&
		    !has_log(names, n->base))
			verify_tell_file(v->args, v->totals, VERIFY_ORPHAN,
			    !is_left_over(names, n->base), name, "its .log is not there");
	}
	return 0;
}

/* --- segments ------------------------------------------------------------------- */

static int64_t
base_after(const struct segment_names *names, size_t i)
{
	for (size_t k = i + 1; k < names->count; k++) {
		if (names->names[k].kind == SEGMENT_LOG && names->names[k].state == SEGMENT_PLAIN)
			return names->names[k].base;
	}
	return INT64_MAX;
}

/* A segment that was deleted meanwhile is no finding. */
static int
check_segments(struct verify *v, const struct segment_names *names, struct err *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const struct segment_name *n = &names->names[i];

		if (n->kind != SEGMENT_LOG || n->state != SEGMENT_PLAIN)
			continue;
		v->base = n->base;
		v->next_base = base_after(names, i);
		v->last = v->next_base == INT64_MAX;
		if (verify_one(v, err) == -1) {
			if (err->code != ERR_NOT_FOUND)
				return -1;
			continue;
		}
		if (v->expected > v->next_base)
			verify_tell(v, VERIFY_OFFSETS, true, SEGMENT_LOG,
			    (struct verify_finding){.position = -1, .lost_first = -1, .lost_last = -1,
			    .next_good = -1}, "ends at offset %lld, above the next segment's base %lld",
			    (long long)v->expected - 1, (long long)v->next_base);
	}
	return 0;
}

static int
load_epochs(struct verify *v, struct epochs *epochs, struct err *err)
{
	if (epochs_read(epochs, v->os, v->dir, err) == 0) {
		v->epochs = epochs;
		return 0;
	}
	if (err->code != ERR_CORRUPT)
		return -1;
	verify_tell_file(v->args, v->totals, VERIFY_EPOCHS, true, "leader-epoch-checkpoint",
	    err->text);
	return 0;
}

int
verify_dir(struct os *os, const char *dir, const struct verify_args *args,
    struct verify_totals *totals, struct err *err)
{
	struct verify v = {.os = os, .dir = dir, .args = args, .totals = totals};
	struct foreign foreign = {args, totals};
	struct segment_names names = {0};
	struct epochs epochs;
	int r;

	epochs_init(&epochs);
	r = segment_names_read(&names, os, dir, err);
	if (r == 0)
		r = load_epochs(&v, &epochs, err);
	if (r == 0)
		r = check_segments(&v, &names, err);
	if (r == 0)
		r = check_others(&v, &names, err);
	if (r == 0 && os_list(os, dir, check_name, &foreign) == -1)
		r = err_sys(err, errno, "%s", dir);
	segment_names_release(&names);
	epochs_release(&epochs);
	return r;
}
