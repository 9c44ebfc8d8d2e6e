/* A simulated disk seen and changed from outside, behind its processes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "os/sim_net_impl.h"

void
sim_advance_ms(struct sim_disk *disk, int64_t ms)
{
	disk->net->now_ns += ms * 1000000;
}

void
sim_set_wall_ms(struct sim_disk *disk, int64_t ms)
{
	disk->wall_offset_ms = ms - disk->net->now_ns / 1000000;
}

/* The file at a path, or NULL with errno. */
static struct sim_inode *
file_at(struct sim_disk *disk, const char *path)
{
	struct sim_place at;

	if (place_find(disk, path, &at) == -1)
		return NULL;
	if (at.inode == NULL)
		errno = ENOENT;
	else if (at.inode->is_dir)
		errno = EISDIR;
	else
		return at.inode;
	return NULL;
}

int
sim_read(struct sim_disk *disk, const char *path, struct buf *out)
{
	const struct sim_inode *i = file_at(disk, path);

	if (i == NULL)
		return -1;
	if (i->now.size == 0)
		return 0;
	uint8_t *to = buf_extend(out, (size_t)i->now.size);
	if (to == NULL) {
		errno = ENOMEM;
		return -1;
	}
	content_read(&i->now, to, (size_t)i->now.size, 0);
	return 0;
}

int64_t
sim_size(struct sim_disk *disk, const char *path)
{
	const struct sim_inode *i = file_at(disk, path);

	return i == NULL ? -1 : i->now.size;
}

int
sim_flip_bit(struct sim_disk *disk, const char *path, int64_t bit)
{
	struct sim_inode *i = file_at(disk, path);
	struct sim_content *both[2];
	uint8_t byte;

	if (i == NULL)
		return -1;
	if (bit < 0 || bit / 8 >= i->now.size) {
		errno = EINVAL;
		return -1;
	}
	both[0] = &i->now;
	both[1] = &i->durable;
	for (int k = 0; k < 2; k++) {
		if (content_read(both[k], &byte, 1, bit / 8) == 0)
			continue;
		byte ^= (uint8_t)(1 << bit % 8);
		if (content_write(both[k], &byte, 1, bit / 8) == -1)
			return -1;
	}
	return 0;
}

/* Makes a name that is there now and durably, with an inode of its own if it
 * has none. */
static struct sim_inode *
name_need(struct sim_disk *disk, struct sim_inode *dir, const char *name, size_t len, bool is_dir)
{
	struct sim_inode *i = map_get(&dir->names, name, len);
	int r;

	if (len > SIM_NAME_MAX) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (i == NULL) {
		i = inode_new(disk, is_dir);
		if (i == NULL)
			return NULL;
		inode_place(i, dir, name, len);
	} else {
		inode_ref(i);
	}
	r = names_set(&dir->names, name, len, i);
	if (r == 0)
		r = names_set(&dir->durable_names, name, len, i);
	inode_unref(i);
	if (r == -1)
		return NULL;
	if (i->is_dir != is_dir) {
		errno = is_dir ? ENOTDIR : EISDIR;
		return NULL;
	}
	return i;
}

int
sim_write(struct sim_disk *disk, const char *path, const void *data, size_t len)
{
	struct sim_inode *i = disk->root;
	struct sim_op *op, *next;

	path += strspn(path, "/");
	while (i != NULL && *path != '\0') {
		size_t part = strcspn(path, "/");
		size_t gap = strspn(path + part, "/");
		i = name_need(disk, i, path, part, path[part + gap] != '\0');
		path += part + gap;
	}
	if (i == NULL)
		return -1;
	if (i->is_dir) {
		errno = EISDIR;
		return -1;
	}
	if (content_resize(&i->now, 0) == -1 || content_write(&i->now, data, len, 0) == -1)
		return -1;
	TAILQ_FOREACH_SAFE (op, &i->ops, in_file, next)
		op_drop(disk, op);
	i->mtime_ms = sim_now_ms(disk);
	sim_changed(disk, i->parent);
	return content_clone(&i->durable, &i->now);
}

static int
entry_compare(const void *a, const void *b)
{
	const struct map_entry *x = *(struct map_entry *const *)a,
			       *y = *(struct map_entry *const *)b;
	size_t len = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(x->key, y->key, len);

	return c != 0 ? c : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

struct walk {
	int (*each)(void *ctx, const char *path, bool is_dir, int64_t size);
	void *ctx;
	struct buf path;
};

static int walk_dir(struct walk *w, const struct sim_inode *dir);

static int
walk_entry(struct walk *w, const struct map_entry *e)
{
	const struct sim_inode *i = e->value;
	size_t before = w->path.len;
	int r;

	if (before > 0)
		buf_str(&w->path, "/");
	buf_put(&w->path, e->key, e->key_len);
	r = w->each(w->ctx, buf_cstr(&w->path), i->is_dir, i->is_dir ? 0 : i->now.size);
	if (r == 0 && i->is_dir)
		r = walk_dir(w, i);
	w->path.len = before;
	return r;
}

static int
walk_dir(struct walk *w, const struct sim_inode *dir)
{
	size_t count = 0;
	int r = 0;

	if (dir->names.count == 0)
		return 0;
	struct map_entry **entries = malloc(dir->names.count * sizeof(struct map_entry *));
	if (entries == NULL) {
		errno = ENOMEM;
		return -1;
	}
	for (struct map_entry *e = NULL; (e = map_next(&dir->names, e)) != NULL;)
		entries[count++] = e;
	qsort(entries, count, sizeof(struct map_entry *), entry_compare);
	for (size_t k = 0; k < count && r == 0; k++)
		r = walk_entry(w, entries[k]);
	free(entries);
	return r;
}

int
sim_list(struct sim_disk *disk, int (*each)(void *ctx, const char *path, bool is_dir, int64_t size),
    void *ctx)
{
	struct walk w = {.each = each, .ctx = ctx, .path = BUF_INIT};
	int r = walk_dir(&w, disk->root);

	buf_release(&w.path);
	return r;
}

struct save {
	struct sim_disk *disk;
	struct os *to;
	const char *dir;
};

static int
save_file(struct save *s, const char *from, const char *to)
{
	struct buf content = BUF_INIT;
	int fd = -1, r = -1;

	if (sim_read(s->disk, from, &content) == 0)
		fd = os_open(s->to, to, OS_WRITE | OS_CREATE | OS_TRUNC);
	if (fd != -1) {
		r = os_write_at(s->to, fd, content.data, content.len, 0);
		if (os_close(s->to, fd) == -1)
			r = -1;
	}
	buf_release(&content);
	return r;
}

static int
save_entry(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct save *s = ctx;
	struct buf to = BUF_INIT;
	int r;

	(void)size;
	buf_printf(&to, "%s/%s", s->dir, path);
	if (is_dir)
		r = os_mkdir(s->to, buf_cstr(&to));
	else
		r = save_file(s, path, buf_cstr(&to));
	buf_release(&to);
	return r;
}

int
sim_save(struct sim_disk *disk, struct os *to, const char *dir)
{
	struct save s = {.disk = disk, .to = to, .dir = dir};

	return sim_list(disk, save_entry, &s);
}
