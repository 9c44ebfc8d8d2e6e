/* A simulated process: its descriptors, and its calls on files and names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

/* --- descriptors ---------------------------------------------------------- */

static bool
is_dead(const struct sim_os *s)
{
	if (s->dead)
		errno = EIO;
	return s->dead;
}

static int
fail(int why)
{
	errno = why;
	return -1;
}

static struct sim_desc *
desc_of(struct sim_os *s, int fd)
{
	size_t index = (size_t)fd - SIM_FD_FIRST;

	if (is_dead(s))
		return NULL;
	if (fd < SIM_FD_FIRST || index >= s->desc_count || s->descs[index] == NULL) {
		errno = EBADF;
		return NULL;
	}
	return s->descs[index];
}

struct sim_inode *
sim_inode_of(struct sim_os *s, int fd)
{
	struct sim_desc *d = desc_of(s, fd);

	return d == NULL ? NULL : d->inode;
}

static int
desc_new(struct sim_os *s, struct sim_inode *i, bool writable)
{
	struct sim_desc *d = malloc(sizeof(*d));

	if (d != NULL && s->desc_count == s->desc_cap) {
		size_t cap = s->desc_cap ? s->desc_cap * 2 : 16;
		struct sim_desc **descs = realloc(s->descs, cap * sizeof(struct sim_desc *));
		if (descs != NULL) {
			s->descs = descs;
			s->desc_cap = cap;
		}
	}
	if (d == NULL || s->desc_count == s->desc_cap) {
		free(d);
		return fail(ENOMEM);
	}
	*d = (struct sim_desc){.inode = i, .writable = writable, .lock = OS_UNLOCK};
	inode_ref(i);
	i->opens++;
	s->open_count++;
	s->descs[s->desc_count] = d;
	return SIM_FD_FIRST + (int)s->desc_count++;
}

static void
desc_unlock(struct sim_desc *d)
{
	if (d->lock == OS_LOCK_EXCLUSIVE)
		d->inode->exclusive = NULL;
	if (d->lock == OS_LOCK_SHARED)
		d->inode->sharers--;
	d->lock = OS_UNLOCK;
}

static void
desc_close(struct sim_os *s, size_t index)
{
	struct sim_desc *d = s->descs[index];

	desc_unlock(d);
	d->inode->opens--;
	inode_unref(d->inode);
	free(d);
	s->descs[index] = NULL;
	s->open_count--;
}

/* --- files ---------------------------------------------------------------- */

/* The place of a call that changes names. */
static int
place_to_change(struct sim_os *s, const char *path, struct sim_place *at)
{
	if (is_dead(s))
		return -1;
	if (s->disk->settings.read_only)
		return fail(EROFS);
	return place_find(s->disk, path, at);
}

static int
sim_open(struct os *os, const char *path, int flags)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;

	if (is_dead(s) || place_find(s->disk, path, &at) == -1)
		return -1;
	if (at.inode == NULL && !(flags & OS_CREATE))
		return fail(ENOENT);
	if (at.inode != NULL && flags & OS_CREATE && flags & OS_EXCL)
		return fail(EEXIST);
	if (at.inode != NULL && at.inode->is_dir)
		return fail(EISDIR);
	if (at.inode != NULL && at.inode->is_socket)
		return fail(ENXIO);
	if (!sim_has_descriptor(s))
		return fail(EMFILE);
	if (s->disk->settings.read_only && (at.inode == NULL || flags & (OS_WRITE | OS_TRUNC)))
		return fail(EROFS);
	if (at.inode == NULL)
		at.inode = disk_create(s->disk, &at, false);
	else if (flags & OS_TRUNC && disk_truncate(at.inode, 0) == -1)
		return -1;
	return at.inode == NULL ? -1 : desc_new(s, at.inode, flags & OS_WRITE);
}

static int
sim_close(struct os *os, int fd)
{
	struct sim_os *s = sim_of(os);

	if (desc_of(s, fd) == NULL)
		return -1;
	desc_close(s, (size_t)(fd - SIM_FD_FIRST));
	return 0;
}

static ssize_t
sim_read_at(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	struct sim_inode *i = sim_inode_of(sim_of(os), fd);

	if (i == NULL)
		return -1;
	if (offset < 0)
		return fail(EINVAL);
	return (ssize_t)content_read(&i->now, data, len, offset);
}

/* The page cache's part of a read ends at a page. */
static ssize_t
sim_read_resident(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	struct sim_os *s = sim_of(os);
	unsigned cold = s->dead ? 0 : s->disk->settings.cold_percent;

	if (cold > 0 && sim_random_next(&s->random) % 100 < cold)
		return fail(EAGAIN);
	size_t page_left = SIM_BLOCK - (size_t)(offset & (SIM_BLOCK - 1));
	if (cold > 0 && len > page_left && sim_random_next(&s->random) % 100 < cold)
		len = page_left;
	return sim_read_at(os, fd, data, len, offset);
}

/* How far a file may grow now. */
static int64_t
size_max(const struct sim_inode *i)
{
	int64_t limit = i->disk->settings.bytes_max;

	if (limit == 0)
		return SIM_FILE_MAX;
	int64_t room = limit - disk_used(i->disk);
	return i->now.size + (room > 0 ? room : 0);
}

static struct sim_inode *
inode_to_change(struct os *os, int fd)
{
	struct sim_desc *d = desc_of(sim_of(os), fd);

	if (d == NULL)
		return NULL;
	if (!d->writable)
		errno = EBADF;
	else if (d->inode->disk->settings.read_only)
		errno = EROFS;
	else
		return d->inode;
	return NULL;
}

static int
sim_write_at(struct os *os, int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	struct sim_inode *i = inode_to_change(os, fd);
	size_t len = 0;

	if (i == NULL)
		return -1;
	if (offset < 0)
		return fail(EINVAL);
	for (int k = 0; k < iov_count; k++)
		len += iov[k].iov_len;
	if (offset > SIM_FILE_MAX || (int64_t)len > SIM_FILE_MAX - offset)
		return fail(EFBIG);
	if (len == 0)
		return 0;
	int64_t max = size_max(i), end = offset + (int64_t)len;
	if (end <= max || end <= i->now.size)
		return disk_write(i, iov, len, offset);
	if (offset < max && disk_write(i, iov, (size_t)(max - offset), offset) == -1)
		return -1;
	return fail(ENOSPC);
}

static int
sim_truncate(struct os *os, int fd, int64_t size)
{
	struct sim_inode *i = inode_to_change(os, fd);

	if (i == NULL)
		return -1;
	if (size < 0)
		return fail(EINVAL);
	if (size > SIM_FILE_MAX)
		return fail(EFBIG);
	if (size > i->now.size && size > size_max(i))
		return fail(ENOSPC);
	return disk_truncate(i, size);
}

static int
sim_sync(struct os *os, int fd)
{
	struct sim_inode *i = sim_inode_of(sim_of(os), fd);

	if (i == NULL)
		return -1;
	sim_advance_ms(i->disk, i->disk->settings.sync_ms);
	return disk_sync(i);
}

static void
stat_fill(const struct sim_inode *i, struct os_stat *st)
{
	bool linked = i->parent != NULL || i == i->disk->root;

	*st = (struct os_stat){
	    .size = i->is_dir ? SIM_BLOCK : i->now.size,
	    .mtime_ms = i->mtime_ms,
	    .inode = i->number,
	    .device = 1,
	    .links = !linked	 ? 0
		     : i->is_dir ? 2
				 : 1,
	    .is_dir = i->is_dir,
	};
}

static int
sim_stat(struct os *os, int fd, struct os_stat *st)
{
	struct sim_inode *i = sim_inode_of(sim_of(os), fd);

	if (i == NULL)
		return -1;
	stat_fill(i, st);
	return 0;
}

static int
sim_lock(struct os *os, int fd, enum os_lock_kind kind)
{
	struct sim_desc *d = desc_of(sim_of(os), fd);

	if (d == NULL)
		return -1;
	struct sim_inode *i = d->inode;
	unsigned others = i->sharers - (d->lock == OS_LOCK_SHARED);
	if (kind == OS_LOCK_EXCLUSIVE && !d->writable)
		return fail(EBADF);
	if (kind != OS_UNLOCK && i->exclusive != NULL && i->exclusive != d)
		return fail(EAGAIN);
	if (kind == OS_LOCK_EXCLUSIVE && others > 0)
		return fail(EAGAIN);
	desc_unlock(d);
	d->lock = kind;
	if (kind == OS_LOCK_EXCLUSIVE)
		i->exclusive = d;
	if (kind == OS_LOCK_SHARED)
		i->sharers++;
	return 0;
}

/* --- names ---------------------------------------------------------------- */

static int
sim_stat_path(struct os *os, const char *path, struct os_stat *st)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;

	if (is_dead(s) || place_find(s->disk, path, &at) == -1)
		return -1;
	if (at.inode == NULL)
		return fail(ENOENT);
	stat_fill(at.inode, st);
	return 0;
}

/* Why a name cannot be replaced by an inode; 0 if it can. */
static int
replace_error(const struct sim_inode *by, const struct sim_place *to)
{
	for (const struct sim_inode *up = to->dir; up != NULL; up = up->parent)
		if (up == by)
			return EINVAL;
	if (to->dir == NULL)
		return EBUSY;
	if (to->inode == NULL)
		return 0;
	if (to->inode->is_dir && !by->is_dir)
		return EISDIR;
	if (!to->inode->is_dir && by->is_dir)
		return ENOTDIR;
	return to->inode->is_dir && to->inode->names.count > 0 ? ENOTEMPTY : 0;
}

static int
sim_rename(struct os *os, const char *from, const char *to)
{
	struct sim_os *s = sim_of(os);
	struct sim_place source, target;

	if (place_to_change(s, from, &source) == -1 || place_to_change(s, to, &target) == -1)
		return -1;
	if (source.inode == NULL)
		return fail(ENOENT);
	if (source.inode == target.inode)
		return 0;
	if (source.dir == NULL)
		return fail(EBUSY);
	int why = replace_error(source.inode, &target);
	return why != 0 ? fail(why) : disk_rename(s->disk, &source, &target);
}

static int
sim_remove(struct os *os, const char *path)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;

	if (place_to_change(s, path, &at) == -1)
		return -1;
	if (at.inode == NULL)
		return fail(ENOENT);
	if (at.inode->is_dir)
		return fail(EISDIR);
	return disk_remove(s->disk, &at);
}

static int
sim_mkdir(struct os *os, const char *path)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;

	if (place_to_change(s, path, &at) == -1)
		return -1;
	if (at.inode != NULL)
		return fail(EEXIST);
	return disk_create(s->disk, &at, true) == NULL ? -1 : 0;
}

static int
sim_rmdir(struct os *os, const char *path)
{
	struct sim_os *s = sim_of(os);
	struct sim_place at;

	if (place_to_change(s, path, &at) == -1)
		return -1;
	if (at.inode == NULL)
		return fail(ENOENT);
	if (!at.inode->is_dir)
		return fail(ENOTDIR);
	if (at.dir == NULL)
		return fail(EBUSY);
	if (at.inode->names.count > 0)
		return fail(ENOTEMPTY);
	return disk_remove(s->disk, &at);
}

/* The directory at a path, or NULL with errno. */
static struct sim_inode *
dir_at(struct sim_os *s, const char *path)
{
	struct sim_place at;

	if (is_dead(s) || place_find(s->disk, path, &at) == -1)
		return NULL;
	if (at.inode == NULL)
		errno = ENOENT;
	else if (!at.inode->is_dir)
		errno = ENOTDIR;
	else
		return at.inode;
	return NULL;
}

/* Copies of a directory's names in a drawn order; NULL when malloc failed. */
static char **
names_shuffled(const struct map *names, uint64_t *random)
{
	char **copies = calloc(names->count + 1, sizeof(*copies));
	size_t count = 0;

	if (copies == NULL)
		return NULL;
	for (struct map_entry *e = NULL; (e = map_next(names, e)) != NULL;) {
		char *copy = strndup((char *)e->key, e->key_len);
		size_t at = (size_t)(sim_random_next(random) % (count + 1));
		if (copy == NULL) {
			while (count > 0)
				free(copies[--count]);
			free(copies);
			return NULL;
		}
		copies[count++] = copies[at];
		copies[at] = copy;
	}
	return copies;
}

static int
sim_list_dir(struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct sim_os *s = sim_of(os);
	struct sim_inode *dir = dir_at(s, path);
	int r = 0;

	if (dir == NULL)
		return -1;
	char **names = names_shuffled(&dir->names, &s->random);
	if (names == NULL)
		return fail(ENOMEM);
	for (char **name = names; *name != NULL; name++) {
		if (r == 0)
			r = each(ctx, *name);
		free(*name);
	}
	free(names);
	return r;
}

static int
sim_sync_dir(struct os *os, const char *path)
{
	struct sim_os *s = sim_of(os);
	struct sim_inode *dir = dir_at(s, path);

	if (dir == NULL)
		return -1;
	sim_advance_ms(s->disk, s->disk->settings.sync_ms);
	return disk_sync_dir(s->disk, dir);
}

static int
sim_space(struct os *os, const char *path, struct os_space *space)
{
	struct sim_os *s = sim_of(os);
	const struct sim_settings *set = &s->disk->settings;
	struct sim_place at;

	if (is_dead(s) || place_find(s->disk, path, &at) == -1)
		return -1;
	if (at.inode == NULL)
		return fail(ENOENT);
	int64_t total = set->bytes_max != 0 ? set->bytes_max : (int64_t)1 << 40;
	int64_t left = total - disk_used(s->disk);
	*space = (struct os_space){
	    .free_bytes = left > 0 ? (uint64_t)left : 0,
	    .total_bytes = (uint64_t)total,
	    .is_network = set->network,
	    .is_read_only = set->read_only,
	};
	return 0;
}

/* --- the process ---------------------------------------------------------- */

static void
sim_note(struct os *os, enum os_level level, const char *text)
{
	struct sim_os *s = sim_of(os);

	if (s->note != NULL)
		s->note(s->note_ctx, level, text);
}

void
sim_os_kill(struct os *os)
{
	struct sim_os *s = sim_of(os);

	for (size_t i = 0; i < s->desc_count; i++)
		if (s->descs[i] != NULL)
			desc_close(s, i);
	sim_loop_release(s);
	s->dead = true;
}

static void
sim_free(struct os *os)
{
	struct sim_os *s = sim_of(os);

	sim_os_kill(os);
	LIST_REMOVE(s, in_disk);
	free(s->descs);
	free(s);
}

static const struct os_ops sim_ops = {
    .open = sim_open,
    .close = sim_close,
    .read_at = sim_read_at,
    .read_resident = sim_read_resident,
    .write_at = sim_write_at,
    .truncate = sim_truncate,
    .sync = sim_sync,
    .stat = sim_stat,
    .lock = sim_lock,
    .stat_path = sim_stat_path,
    .rename = sim_rename,
    .remove = sim_remove,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .list = sim_list_dir,
    .sync_dir = sim_sync_dir,
    .space = sim_space,
    .mono_ns = sim_mono_ns,
    .wall_ms = sim_wall_ms,
    .random = sim_random,
    .sleep_ms = sim_sleep_ms,
    .boot_id = sim_boot_id,
    .turn = sim_turn,
    .timer_start = sim_timer_start,
    .timer_stop = sim_timer_stop,
    .work = sim_work,
    .sync_start = sim_sync_start,
    .watch_start = sim_watch_start,
    .watch_stop = sim_watch_stop,
    .listen = sim_listen,
    .listen_stop = sim_listen_stop,
    .connect = sim_connect,
    .stream_send = sim_stream_send,
    .stream_read = sim_stream_read,
    .stream_close = sim_stream_close,
    .note = sim_note,
    .die = sim_os_kill,
    .free = sim_free,
};

struct os *
sim_os_new(struct sim_disk *disk, uint64_t seed)
{
	struct sim_os *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->os.ops = &sim_ops;
	s->disk = disk;
	s->random = seed;
	if (disk->net->is_private)
		disk->net->random ^= seed;
	sim_loop_init(s);
	LIST_INSERT_HEAD(&disk->processes, s, in_disk);
	return &s->os;
}

void
sim_os_stop(struct os *os, bool stopped)
{
	sim_of(os)->is_stopped = stopped;
}

size_t
sim_os_open_count(struct os *os)
{
	return sim_of(os)->open_count;
}

void
sim_os_set_note(
    struct os *os, void (*note)(void *ctx, enum os_level level, const char *text), void *ctx)
{
	struct sim_os *s = sim_of(os);

	s->note = note;
	s->note_ctx = ctx;
}
