/* Opening a store and following its metadata. */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/snapshot.h"
#include "store/store_impl.h"

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

	if (store_path(s, path, METADATA_TOPIC "-0", err) == -1 ||
	    snapshot_load_newest(s->os, path, &s->image, err) == -1)
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
		if (store_format(s->os, s->dir, STORE_NODE_ID, NULL, err) == -1)
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
