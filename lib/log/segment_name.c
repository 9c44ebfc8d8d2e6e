/* File names of a partition directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "log/segment.h"

#define BASE_DIGITS 20

static const char *const kinds[] = {
    [SEGMENT_LOG] = ".log",
    [SEGMENT_INDEX] = ".index",
    [SEGMENT_TIME] = ".timeindex",
    [SEGMENT_TXN] = ".txnindex",
    [SEGMENT_SNAPSHOT] = ".snapshot",
};

static const char *const states[] = {
    [SEGMENT_PLAIN] = "",
    [SEGMENT_CLEANED] = ".cleaned",
    [SEGMENT_SWAP] = ".swap",
    [SEGMENT_DELETED] = ".deleted",
};

const char *
segment_suffix(enum segment_kind kind)
{
	return kinds[kind];
}

const char *
segment_state_suffix(enum segment_state state)
{
	return states[state];
}

void
segment_path(char path[LOG_PATH_MAX], const char *dir, int64_t base, const char *suffix)
{
	snprintf(path, LOG_PATH_MAX, "%s/%020lld%s", dir, (long long)base, suffix);
}

void
segment_name_path(char path[LOG_PATH_MAX], const char *dir, const struct segment_name *n)
{
	char suffix[32];

	snprintf(suffix, sizeof(suffix), "%s%s", kinds[n->kind], states[n->state]);
	segment_path(path, dir, n->base, suffix);
}

int
segment_name_remove(struct os *os, const char *dir, const struct segment_name *n, struct err *err)
{
	char path[LOG_PATH_MAX];

	segment_name_path(path, dir, n);
	return os_remove(os, path) == -1 && errno != ENOENT ? err_sys(err, errno, "%s: remove", path) : 0;
}

/* Twenty digits that make a base. */
static int
parse_base(const char *name, int64_t *base)
{
	uint64_t value = 0;

	for (int i = 0; i < BASE_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		if (value > (uint64_t)INT64_MAX / 10)
			return -1;
		value = value * 10 + (uint64_t)(name[i] - '0');
	}
	if (value > SEGMENT_BASE_MAX)
		return -1;
	*base = (int64_t)value;
	return 0;
}

int
segment_name_parse(const char *name, struct segment_name *out)
{
	const char *rest;

	if (parse_base(name, &out->base) == -1)
		return -1;
	rest = name + BASE_DIGITS;
	for (size_t kind = 0; kind < COUNT(kinds); kind++) {
		size_t len = strlen(kinds[kind]);
		if (strncmp(rest, kinds[kind], len) != 0)
			continue;
		for (size_t state = 0; state < COUNT(states); state++) {
			if (strcmp(rest + len, states[state]) == 0) {
				out->kind = (enum segment_kind)kind;
				out->state = (enum segment_state)state;
				return 0;
			}
		}
	}
	return -1;
}

struct listing {
	struct segment_names *list;
	unsigned wanted; /* bits */
};

static int
take_name(void *ctx, const char *name)
{
	const struct listing *l = ctx;
	struct segment_names *list = l->list;
	struct segment_name n;

	if (segment_name_parse(name, &n) == -1)
		return 0;
	if (n.state == SEGMENT_PLAIN && (l->wanted & 1u << n.kind) == 0)
		return 0;
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 32;
		struct segment_name *names = reallocarray(list->names, cap, sizeof(*names));
		if (names == NULL)
			return 1;
		list->names = names;
		list->cap = cap;
	}
	list->names[list->count++] = n;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct segment_name *x = a, *y = b;

	if (x->base != y->base)
		return x->base < y->base ? -1 : 1;
	if (x->kind != y->kind)
		return (int)x->kind - (int)y->kind;
	return (int)x->state - (int)y->state;
}

int
segment_names_read_some(struct segment_names *list, struct os *os, const char *dir,
    unsigned wanted, struct err *err)
{
	struct listing l = {list, wanted};
	int r;

	list->count = 0;
	r = os_list(os, dir, take_name, &l);
	if (r == -1)
		return err_sys(err, errno, "%s", dir);
	if (r == 1)
		return err_nomem(err);
	if (list->count > 0)
		qsort(list->names, list->count, sizeof(*list->names), compare);
	return 0;
}

int
segment_names_read(struct segment_names *list, struct os *os, const char *dir, struct err *err)
{
	return segment_names_read_some(list, os, dir, ~0u, err);
}

void
segment_names_release(struct segment_names *list)
{
	free(list->names);
	*list = (struct segment_names){0};
}

const char *
segment_dir_name(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : dir;
}
