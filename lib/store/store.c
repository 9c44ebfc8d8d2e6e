/* Opening a store and following its metadata. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/store_impl.h"

/* The largest batch of a snapshot that is read. */
#define SNAPSHOT_BATCH_MAX BATCH_SIZE_MAX

void
store_options_default(struct store_options *o)
{
	*o = (struct store_options){
	    .create = false,
	    .lock_wait_ms = 60000,
	    .disk_min_free = 16 << 20,
	    .auto_create_topics = true,
	    .num_partitions = 1,
	};
}

int
store_path(const struct store *s, char path[STORE_PATH_MAX], const char *name, struct err *err)
{
	if (snprintf(path, STORE_PATH_MAX, "%s/%s", s->dir, name) >= STORE_PATH_MAX)
		return err_set(err, ERR_INVALID, "%s/%s: the path is too long", s->dir, name);
	return 0;
}

const char *
store_dir(const struct store *s)
{
	return s->dir;
}

struct os *
store_os(struct store *s)
{
	return s->os;
}

int32_t
store_node_id(const struct store *s)
{
	return s->node_id;
}

const struct image *
store_image(const struct store *s)
{
	return &s->image;
}

const char *
store_partition_dir(struct store *s, const char *topic, int32_t partition)
{
	snprintf(s->path, sizeof(s->path), "%s/%s-%d", s->dir, topic, partition);
	return s->path;
}

/* --- snapshots of the metadata ---------------------------------------------------- */

struct snapshot {
	int64_t end_offset;
	int32_t epoch;
};

struct snapshots {
	struct snapshot *list;
	size_t count;
	bool nomem;
};

/* %020d-%010d.checkpoint */
static bool
snapshot_name(const char *name, struct snapshot *out)
{
	char number[21];
	int64_t end, epoch;

	if (strlen(name) != 42 || name[20] != '-' || strcmp(name + 31, ".checkpoint") != 0)
		return false;
	snprintf(number, sizeof(number), "%.20s", name);
	if (strspn(number, "0123456789") != 20)
		return false;
	end = strtoll(number, NULL, 10);
	snprintf(number, sizeof(number), "%.10s", name + 21);
	if (strspn(number, "0123456789") != 10)
		return false;
	epoch = strtoll(number, NULL, 10);
	*out = (struct snapshot){.end_offset = end, .epoch = (int32_t)epoch};
	return epoch <= INT32_MAX;
}

static int
take_snapshot_name(void *ctx, const char *name)
{
	struct snapshots *all = ctx;
	struct snapshot one, *grown;

	if (!snapshot_name(name, &one))
		return 0;
	grown = realloc(all->list, (all->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		all->nomem = true;
		return 1;
	}
	all->list = grown;
	all->list[all->count++] = one;
	return 0;
}

static int
newest_first(const void *a, const void *b)
{
	const struct snapshot *x = a, *y = b;

	return (x->end_offset < y->end_offset) - (x->end_offset > y->end_offset);
}

/* Applies the batches of an open snapshot; `ended` tells that its footer came. */
static int
read_snapshot(struct store *s, int fd, struct buf *bytes, bool *ended, struct err *err)
{
	uint8_t head[BATCH_HEADER];
	int64_t at = 0;
	struct batch b;
	ssize_t n;

	while ((n = os_read_at(s->os, fd, head, sizeof(head), at)) == BATCH_HEADER) {
		uint8_t *to;

		if (batch_view_header(head, sizeof(head), &b) != BATCH_OK ||
		    b.size > SNAPSHOT_BATCH_MAX)
			return err_set(err, ERR_CORRUPT, "byte %lld: no batch", (long long)at);
		buf_clear(bytes);
		to = buf_extend(bytes, (size_t)b.size);
		if (to == NULL)
			return err_nomem(err);
		if (os_read_at(s->os, fd, to, (size_t)b.size, at) != b.size ||
		    batch_view(to, (size_t)b.size, &b) != BATCH_OK || batch_check(&b) != BATCH_OK)
			return err_set(err, ERR_CORRUPT, "byte %lld: bad batch", (long long)at);
		if (image_apply(&s->image, &b, err) == -1)
			return -1;
		*ended = batch_is_control(&b) && b.record_count == 1 && at > 0;
		at += b.size;
	}
	if (n != 0)
		return err_set(err, ERR_CORRUPT, "byte %lld: no whole batch", (long long)at);
	return 0;
}

/* Replaces the image by a snapshot's. */
static int
load_snapshot(struct store *s, const struct snapshot *snap, struct err *err)
{
	char name[96], path[STORE_PATH_MAX];
	struct buf bytes = BUF_INIT;
	bool ended = false;
	int fd, ret;

	snprintf(name, sizeof(name), METADATA_TOPIC "-0/%020lld-%010d.checkpoint",
	    (long long)snap->end_offset, snap->epoch);
	if (store_path(s, path, name, err) == -1)
		return -1;
	image_release(&s->image);
	image_init(&s->image);
	fd = os_open(s->os, path, OS_READ);
	if (fd == -1)
		return err_sys(err, errno, "%s: open", path);
	ret = read_snapshot(s, fd, &bytes, &ended, err);
	os_close(s->os, fd);
	buf_release(&bytes);
	if (ret == 0 && !ended)
		ret = err_set(err, ERR_CORRUPT, "no footer");
	if (ret == -1)
		return err_prefix(err, "%s", path);
	/* Its records have offsets of their own. */
	s->image.end_offset = snap->end_offset;
	s->image.epoch = snap->epoch;
	return 0;
}

/* The newest snapshot that is sound, or none. */
static int
load_snapshots(struct store *s, struct err *err)
{
	struct snapshots all = {0};
	char path[STORE_PATH_MAX];
	int ret;

	if (store_path(s, path, METADATA_TOPIC "-0", err) == -1)
		return -1;
	ret = os_list(s->os, path, take_snapshot_name, &all);
	if (ret == -1)
		ret = err_sys(err, errno, "%s: list", path);
	else if (all.nomem)
		ret = err_nomem(err);
	if (ret == 0 && all.count > 0)
		qsort(all.list, all.count, sizeof(*all.list), newest_first);
	for (size_t i = 0; ret == 0 && i < all.count; i++) {
		if (load_snapshot(s, &all.list[i], err) == 0)
			break;
		if (err->code != ERR_CORRUPT)
			ret = -1;
		else
			os_note(s->os, OS_WARN, "%s: passed over", err->text);
		image_release(&s->image);
		image_init(&s->image);
	}
	free(all.list);
	return ret;
}

/* --- the metadata log --------------------------------------------------------------- */

/* Remembers where the batch just read ends, so that a look at the size of its
 * file tells whether more has come. */
static void
note_position(struct store *s, const struct batch *b)
{
	char name[96], path[STORE_PATH_MAX];
	int64_t base, position;
	struct err ignored;

	reader_position(s->metadata, &base, &position);
	snprintf(name, sizeof(name), METADATA_TOPIC "-0/%020lld.log", (long long)base);
	if (s->metadata_fd == -1 || position == 0) {
		if (s->metadata_fd != -1)
			os_close(s->os, s->metadata_fd);
		s->metadata_fd = store_path(s, path, name, &ignored) == 0
		                     ? os_open(s->os, path, OS_READ)
		                     : -1;
	}
	s->metadata_size = position + b->size;
}

int
store_read_metadata(struct store *s, struct err *err)
{
	struct batch b;
	int got;

	while ((got = reader_next(s->metadata, &b, err)) == 1) {
		if (image_apply(&s->image, &b, err) == -1)
			return err_prefix(err, "%s/" METADATA_TOPIC "-0", s->dir);
		note_position(s, &b);
	}
	if (got == 0)
		s->looked_ns = os_mono_ns(s->os);
	return got;
}

int
store_refresh(struct store *s, struct err *err)
{
	struct os_stat st;

	if (s->metadata_fd != -1 && s->looked_ns != 0 &&
	    os_mono_ns(s->os) - s->looked_ns < STORE_LOOK_NS &&
	    os_stat(s->os, s->metadata_fd, &st) == 0 && st.size == s->metadata_size && st.links > 0)
		return 0;
	return store_read_metadata(s, err);
}

static int
load_metadata(struct store *s, struct err *err)
{
	char path[STORE_PATH_MAX];

	if (load_snapshots(s, err) == -1 || store_path(s, path, METADATA_TOPIC "-0", err) == -1)
		return -1;
	s->snapshot_end = s->image.end_offset;
	s->metadata = reader_open(s->os, path, s->image.end_offset, err);
	if (s->metadata == NULL || reader_seek(s->metadata, s->image.end_offset, err) == -1)
		return -1;
	return store_read_metadata(s, err);
}

/* --- life ---------------------------------------------------------------------------- */

static struct store *
store_new(struct os *os, const char *dir, const struct store_options *options)
{
	struct store *s = calloc(1, sizeof(*s));
	size_t len = strlen(dir);

	if (s == NULL)
		return NULL;
	while (len > 1 && dir[len - 1] == '/')
		len--;
	s->dir = strndup(dir, len);
	if (s->dir == NULL) {
		free(s);
		return NULL;
	}
	s->os = os;
	s->options = *options;
	s->marker_epoch = -1;
	s->lock_fd = s->metadata_fd = s->metadata_sync_fd = -1;
	image_init(&s->image);
	map_init(&s->partitions);
	map_init(&s->groups_kept);
	return s;
}

static int
read_meta(struct store *s, struct err *err)
{
	struct meta_properties m;
	int ret = meta_properties_read(s->os, s->dir, &m, err);

	if (ret == -1 && err->code == ERR_NOT_FOUND && s->options.create && !s->options.read_only) {
		if (store_format(s->os, s->dir, err) == -1)
			return -1;
		ret = meta_properties_read(s->os, s->dir, &m, err);
	}
	if (ret == -1 && err->code == ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "%s: no store here (no meta.properties)", s->dir);
	if (ret == -1 && err->sys_errno == ENOTDIR)
		return err_set(err, ERR_NOT_FOUND, "%s: no store (not a directory)", s->dir);
	if (ret == -1)
		return -1;
	s->cluster_id = m.cluster_id;
	s->directory_id = m.directory_id;
	s->node_id = m.node_id;
	return 0;
}

/* A new store's metadata log holds nothing yet. Its first records are written
 * now, so that whoever opened it with `create` has a store that can be used. */
static int
begin_metadata(struct store *s, struct err *err)
{
	struct change c;

	if (s->image.end_offset > 0 && image_feature(&s->image, "metadata.version") > 0)
		return 0;
	if (change_begin(&c, s, err) == -1)
		return -1;
	change_end(&c);
	return 0;
}

struct store *
store_open(struct os *os, const char *dir, const struct store_options *options, struct err *err)
{
	struct store *s = store_new(os, dir, options);

	if (s == NULL) {
		err_nomem(err);
		return NULL;
	}
	if (strlen(s->dir) > STORE_PATH_MAX - 1024) {
		err_set(err, ERR_INVALID, "%s: the path is too long", s->dir);
		store_free(s);
		return NULL;
	}
	if (os_boot_id(os, s->boot_id) == -1)
		s->boot_id[0] = '\0';
	if (read_meta(s, err) == -1 || load_metadata(s, err) == -1 ||
	    (options->create && !options->read_only && begin_metadata(s, err) == -1)) {
		store_free(s);
		return NULL;
	}
	return s;
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;)
		partition_free(s, e->value);
	map_release(&s->partitions);
	groups_forget(s);
	map_release(&s->groups_kept);
	reader_free(s->metadata);
	image_release(&s->image);
	if (s->metadata_fd != -1)
		os_close(s->os, s->metadata_fd);
	if (s->metadata_sync_fd != -1)
		os_close(s->os, s->metadata_sync_fd);
	if (s->lock_fd != -1)
		os_close(s->os, s->lock_fd);
	free(s->dir);
	free(s);
}
