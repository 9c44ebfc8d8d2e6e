/* A simulated disk: its inodes, names and pending operations. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

int64_t
sim_now_ms(const struct sim_disk *disk)
{
	return disk->net->now_ns / 1000000 + disk->wall_offset_ms;
}

/* --- inodes --------------------------------------------------------------- */

struct sim_inode *
inode_new(struct sim_disk *disk, bool is_dir)
{
	struct sim_inode *i = calloc(1, sizeof(*i));

	if (i == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	i->disk = disk;
	i->number = disk->next_number++;
	i->refs = 1;
	i->is_dir = is_dir;
	i->mtime_ms = sim_now_ms(disk);
	TAILQ_INIT(&i->ops);
	map_init(&i->names);
	map_init(&i->durable_names);
	map_init(&i->image);
	LIST_INSERT_HEAD(&disk->inodes, i, in_disk);
	return i;
}

void
inode_place(struct sim_inode *i, struct sim_inode *dir, const char *name, size_t len)
{
	i->parent = dir;
	memcpy(i->last_name, name, len);
	i->last_name[len] = '\0';
}

void
inode_ref(struct sim_inode *i)
{
	i->refs++;
}

void
inode_unref(struct sim_inode *i)
{
	struct sim_op *op, *next;

	if (i == NULL || --i->refs > 0)
		return;
	TAILQ_FOREACH_SAFE (op, &i->ops, in_file, next)
		op_drop(i->disk, op);
	content_release(&i->now);
	content_release(&i->durable);
	names_release(&i->names);
	names_release(&i->durable_names);
	LIST_REMOVE(i, in_disk);
	free(i);
}

int
names_set(struct map *names, const char *name, size_t len, struct sim_inode *i)
{
	void *old = NULL;

	if (i == NULL) {
		old = map_del(names, name, len);
	} else {
		if (map_put(names, name, len, i, &old) == -1) {
			errno = ENOMEM;
			return -1;
		}
		inode_ref(i);
	}
	inode_unref(old);
	return 0;
}

void
names_release(struct map *names)
{
	for (struct map_entry *e = NULL; (e = map_next(names, e)) != NULL;)
		inode_unref(e->value);
	map_release(names);
}

/* --- the disk ------------------------------------------------------------- */

struct sim_disk *
sim_disk_new(void)
{
	struct sim_disk *disk = calloc(1, sizeof(*disk));

	if (disk == NULL)
		return NULL;
	disk->settings.watches_max = 1024;
	disk->next_number = 1;
	disk->boot = 1;
	disk->wall_offset_ms = 1700000000000;
	TAILQ_INIT(&disk->ops);
	disk->own_net = disk->net = net_new_private();
	if (disk->net != NULL) {
		disk->host = TAILQ_FIRST(&disk->net->hosts);
		disk->host->disk = disk;
		disk->root = inode_new(disk, true);
	}
	if (disk->root == NULL) {
		sim_net_free(disk->own_net);
		free(disk);
		return NULL;
	}
	return disk;
}

void
sim_disk_free(struct sim_disk *disk)
{
	struct sim_op *op, *next;

	sim_net_detach(disk);
	sim_net_free(disk->own_net);
	/* Those on names may free inodes, and these their operations on data. */
	TAILQ_FOREACH_SAFE (op, &disk->ops, in_disk, next)
		if (op_is_data(op))
			op_drop(disk, op);
	TAILQ_FOREACH_SAFE (op, &disk->ops, in_disk, next)
		op_drop(disk, op);
	inode_unref(disk->root);
	free(disk);
}

struct sim_settings *
sim_settings(struct sim_disk *disk)
{
	return &disk->settings;
}

int64_t
disk_used(const struct sim_disk *disk)
{
	const struct sim_inode *i;
	int64_t used = 0;

	LIST_FOREACH (i, &disk->inodes, in_disk)
		if (!i->is_dir && (i->parent != NULL || i->opens > 0))
			used += i->now.size;
	return used;
}

/* One part of a path: steps down from at->inode. */
static int
place_step(struct sim_place *at, const char *name, size_t len)
{
	if (at->inode == NULL)
		errno = ENOENT;
	else if (!at->inode->is_dir)
		errno = ENOTDIR;
	else if (len > SIM_NAME_MAX)
		errno = ENAMETOOLONG;
	else {
		at->dir = at->inode;
		at->name = name;
		at->name_len = len;
		at->inode = map_get(&at->dir->names, name, len);
		return 0;
	}
	return -1;
}

int
place_find(struct sim_disk *disk, const char *path, struct sim_place *at)
{
	*at = (struct sim_place){.dir = NULL, .inode = disk->root, .name = "", .name_len = 0};
	while (*path != '\0') {
		size_t len = strcspn(path, "/");
		bool here = len == 0 || (len == 1 && path[0] == '.');
		if (!here && place_step(at, path, len) == -1)
			return -1;
		path += len;
		path += *path == '/';
	}
	return 0;
}

/* --- pending operations --------------------------------------------------- */

static struct sim_op *
op_new(enum sim_kind kind, size_t data_len)
{
	struct sim_op *op = calloc(1, sizeof(*op) + data_len);

	if (op == NULL)
		errno = ENOMEM;
	else
		op->kind = kind;
	return op;
}

static void
op_log(struct sim_disk *disk, struct sim_op *op)
{
	TAILQ_INSERT_TAIL(&disk->ops, op, in_disk);
	disk->op_count++;
}

static void
op_unlog(struct sim_disk *disk, struct sim_op *op)
{
	TAILQ_REMOVE(&disk->ops, op, in_disk);
	disk->op_count--;
}

static void
op_free(struct sim_op *op)
{
	if (op_is_data(op)) {
		TAILQ_REMOVE(&op->inode->ops, op, in_file);
	} else {
		inode_unref(op->inode);
		inode_unref(op->from_dir);
		inode_unref(op->to_dir);
	}
	free(op);
}

void
op_drop(struct sim_disk *disk, struct sim_op *op)
{
	op_unlog(disk, op);
	op_free(op);
}

/* --- files ---------------------------------------------------------------- */

static void
file_log(struct sim_inode *i, struct sim_op *op)
{
	op->inode = i;
	TAILQ_INSERT_TAIL(&i->ops, op, in_file);
	op_log(i->disk, op);
	i->mtime_ms = sim_now_ms(i->disk);
	if (i->parent != NULL)
		sim_changed(i->disk, i->parent);
}

int
disk_write(struct sim_inode *i, const struct iovec *iov, size_t len, int64_t offset)
{
	struct sim_op *op = op_new(SIM_WRITE, len);

	if (op == NULL)
		return -1;
	op->offset = offset;
	op->len = len;
	for (size_t done = 0; done < len; iov++) {
		size_t n = iov->iov_len < len - done ? iov->iov_len : len - done;
		memcpy(op->data + done, iov->iov_base, n);
		done += n;
	}
	/* Logged also when memory fails in its middle: part of it is written. */
	int r = content_write(&i->now, op->data, len, offset);
	file_log(i, op);
	return r;
}

int
disk_truncate(struct sim_inode *i, int64_t size)
{
	struct sim_op *op;

	if (size == i->now.size)
		return 0;
	op = op_new(SIM_TRUNCATE, 0);
	if (op == NULL)
		return -1;
	if (content_resize(&i->now, size) == -1) {
		free(op);
		return -1;
	}
	op->offset = size;
	file_log(i, op);
	return 0;
}

int
disk_sync(struct sim_inode *i)
{
	struct sim_op *op, *next;

	if (TAILQ_EMPTY(&i->ops))
		return 0;
	if (content_clone(&i->durable, &i->now) == -1)
		return -1;
	TAILQ_FOREACH_SAFE (op, &i->ops, in_file, next)
		op_drop(i->disk, op);
	return 0;
}

/* --- names ---------------------------------------------------------------- */

/* An operation on names, with its own copies of them. Either place may be
 * NULL. */
static struct sim_op *
op_new_names(enum sim_kind kind, struct sim_inode *i, const struct sim_place *from,
    const struct sim_place *to)
{
	size_t from_len = from != NULL ? from->name_len : 0;
	size_t to_len = to != NULL ? to->name_len : 0;
	struct sim_op *op = op_new(kind, from_len + to_len + 2);

	if (op == NULL)
		return NULL;
	op->inode = i;
	inode_ref(i);
	op->from = (char *)op->data;
	op->to = op->from + from_len + 1;
	if (from != NULL) {
		op->from_dir = from->dir;
		inode_ref(from->dir);
		memcpy(op->from, from->name, from_len);
	}
	if (to != NULL) {
		op->to_dir = to->dir;
		inode_ref(to->dir);
		memcpy(op->to, to->name, to_len);
	}
	return op;
}

static struct map *
pick_names(struct sim_inode *dir)
{
	return &dir->names;
}

static struct map *
pick_durable(struct sim_inode *dir)
{
	return &dir->durable_names;
}

int
op_apply_names(const struct sim_op *op, struct map *(*pick)(struct sim_inode *dir))
{
	size_t from_len = strlen(op->from), to_len = strlen(op->to);

	if (op->from_dir != NULL && map_get(pick(op->from_dir), op->from, from_len) != op->inode)
		return 0;
	if (op->kind == SIM_CREATE && map_get(pick(op->to_dir), op->to, to_len) != NULL)
		return 0;
	if (op->to_dir != NULL && names_set(pick(op->to_dir), op->to, to_len, op->inode) == -1)
		return -1;
	if (op->from_dir != NULL)
		names_set(pick(op->from_dir), op->from, from_len, NULL);
	return 0;
}

static void
dir_touched(struct sim_inode *dir)
{
	if (dir == NULL)
		return;
	dir->mtime_ms = sim_now_ms(dir->disk);
	sim_changed(dir->disk, dir);
}

/* Does a new operation on names and logs it as pending. */
static int
op_do(struct sim_disk *disk, struct sim_op *op)
{
	op_log(disk, op);
	if (op_apply_names(op, pick_names) == -1) {
		op_drop(disk, op);
		return -1;
	}
	dir_touched(op->from_dir);
	dir_touched(op->to_dir);
	return 0;
}

struct sim_inode *
disk_create(struct sim_disk *disk, const struct sim_place *at, bool is_dir)
{
	struct sim_inode *i = inode_new(disk, is_dir);

	if (i == NULL)
		return NULL;
	struct sim_op *op = op_new_names(SIM_CREATE, i, NULL, at);
	int r = op == NULL ? -1 : op_do(disk, op);
	if (r == 0)
		inode_place(i, at->dir, at->name, at->name_len);
	inode_unref(i);
	return r == 0 ? i : NULL;
}

int
disk_remove(struct sim_disk *disk, const struct sim_place *at)
{
	struct sim_op *op = op_new_names(SIM_REMOVE, at->inode, at, NULL);

	if (op == NULL || op_do(disk, op) == -1)
		return -1;
	/* The operation holds it. */
	at->inode->parent = NULL;
	return 0;
}

int
disk_rename(struct sim_disk *disk, const struct sim_place *from, const struct sim_place *to)
{
	struct sim_op *op = op_new_names(SIM_RENAME, from->inode, from, to);
	struct sim_inode *replaced = to->inode;

	if (op == NULL)
		return -1;
	if (replaced != NULL)
		inode_ref(replaced);
	int r = op_do(disk, op);
	if (r == 0) {
		inode_place(from->inode, to->dir, to->name, to->name_len);
		if (replaced != NULL)
			replaced->parent = NULL;
	}
	inode_unref(replaced);
	return r;
}

/* A rename between directories ties them: what came before it in the other one
 * becomes durable with it. */
static void
choose_for_sync(struct sim_disk *disk, struct sim_inode *dir)
{
	uint64_t mark = ++disk->mark;
	struct sim_op *op;

	dir->mark = mark;
	TAILQ_FOREACH_REVERSE(op, &disk->ops, sim_op_list, in_disk)
	{
		op->chosen =
		    !op_is_data(op) && ((op->from_dir != NULL && op->from_dir->mark == mark) ||
					   (op->to_dir != NULL && op->to_dir->mark == mark));
		if (op->chosen && op->from_dir != NULL)
			op->from_dir->mark = mark;
		if (op->chosen && op->to_dir != NULL)
			op->to_dir->mark = mark;
	}
}

int
disk_sync_dir(struct sim_disk *disk, struct sim_inode *dir)
{
	struct sim_op_list chosen = TAILQ_HEAD_INITIALIZER(chosen);
	struct sim_op *op, *next;
	int r = 0;

	choose_for_sync(disk, dir);
	/* First apart, then done: the latter may free inodes, and with them
	 * operations on their data that are still in the disk's list. */
	TAILQ_FOREACH_SAFE (op, &disk->ops, in_disk, next) {
		if (op->chosen) {
			op_unlog(disk, op);
			TAILQ_INSERT_TAIL(&chosen, op, in_disk);
		}
	}
	TAILQ_FOREACH_SAFE (op, &chosen, in_disk, next) {
		if (op_apply_names(op, pick_durable) == -1)
			r = -1;
		op_free(op);
	}
	return r;
}
