/* A partition's segments by their names alone: how much they take, and making
 * durable what others wrote. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"

struct bases {
	int64_t *list;
	size_t count, cap;
	bool nomem;
};

/* %020d.log */
static int
take_base(void *ctx, const char *name)
{
	struct bases *b = ctx;

	if (strlen(name) != 24 || strspn(name, "0123456789") != 20 || strcmp(name + 20, ".log") != 0)
		return 0;
	if (b->count == b->cap) {
		size_t cap = b->cap * 2 + 16;
		int64_t *grown = realloc(b->list, cap * sizeof(*grown));

		if (grown == NULL) {
			b->nomem = true;
			return 1;
		}
		b->list = grown;
		b->cap = cap;
	}
	b->list[b->count++] = strtoll(name, NULL, 10);
	return 0;
}

static int
by_base(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The segments' bases, sorted; none where there is no directory. */
static int
bases_read(struct store *s, const char *dir, struct bases *b, struct err *err)
{
	*b = (struct bases){0};
	if (os_list(s->os, dir, take_base, b) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: list", dir);
	if (b->nomem) {
		free(b->list);
		return err_nomem(err);
	}
	if (b->count > 0)
		qsort(b->list, b->count, sizeof(*b->list), by_base);
	return 0;
}

/* --- durable, whoever wrote it ---------------------------------------------------- */

/* A segment that has gone meanwhile was deleted, or replaced by one that was
 * synced before it took its place. */
static int
sync_segment(struct store *s, const char *dir, int64_t base, struct err *err)
{
	char path[STORE_PATH_MAX];
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/%020lld.log", dir, (long long)base);
	fd = os_open(s->os, path, OS_READ);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	if (os_sync(s->os, fd) == -1)
		ret = err_sys(err, errno, "%s: sync", path);
	os_close(s->os, fd);
	return ret;
}

int
partition_sync_files(struct store *s, struct store_partition *p, int64_t offset, struct err *err)
{
	int64_t synced = partition_synced(s, p);
	struct bases b;
	int ret;

	if (synced >= offset)
		return 0;
	ret = bases_read(s, p->dir, &b, err);
	for (size_t i = 0; ret == 0 && i < b.count && b.list[i] < offset; i++)
		if (i + 1 == b.count || b.list[i + 1] > synced)
			ret = sync_segment(s, p->dir, b.list[i], err);
	free(b.list);
	if (ret == -1)
		p->failed = true; /* a second sync would be told a lie */
	return ret;
}

int
store_sync_partition(struct store *s, const char *topic, int32_t partition, int64_t offset,
    struct err *err)
{
	struct store_partition *p = store_partition_find(s, topic, partition, err);

	if (p == NULL)
		return -1;
	if (partition_has_failed(p))
		return err_set(err, ERR_IO, "%s-%d: a storage error came before the sync", topic,
		    partition);
	if (metadata_sync(s, err) == -1)
		return -1;
	if (p->proved >= offset)
		return 0;
	if (partition_sync_files(s, p, offset, err) == -1)
		return -1;
	p->proved = offset;
	return 0;
}

/* --- sizes -------------------------------------------------------------------------- */

struct usage {
	struct store *s;
	const char *dir;
	int64_t bytes, segments;
};

static int
add_file(void *ctx, const char *name)
{
	struct usage *u = ctx;
	char path[STORE_PATH_MAX];
	struct os_stat st;
	size_t len = strlen(name);

	if (snprintf(path, sizeof(path), "%s/%s", u->dir, name) >= (int)sizeof(path) ||
	    os_stat_path(u->s->os, path, &st) == -1)
		return 0;
	u->bytes += st.size;
	if (len == 24 && strcmp(name + 20, ".log") == 0)
		u->segments++;
	return 0;
}

int
store_usage(struct store *s, const char *topic, int32_t partition, int64_t *bytes,
    int64_t *segments, struct err *err)
{
	struct store_partition *p = store_partition_find(s, topic, partition, err);
	struct usage u = {.s = s};

	if (p == NULL)
		return -1;
	u.dir = p->dir;
	if (os_list(s->os, p->dir, add_file, &u) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: list", p->dir);
	*bytes = u.bytes;
	*segments = u.segments;
	return 0;
}
