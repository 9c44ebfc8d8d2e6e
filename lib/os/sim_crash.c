/*
 * Crash images. An image is made in two steps: which names there are, as maps
 * beside each directory's own; then a new disk from what they lead to, each
 * file from its durable content and what its pending operations left.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim_net_impl.h"

size_t
sim_pending_count(const struct sim_disk *disk)
{
	return disk->op_count;
}

void
sim_pending_at(const struct sim_disk *disk, size_t i, struct sim_pending *out)
{
	const struct sim_op *op = TAILQ_FIRST(&disk->ops);

	while (i-- > 0)
		op = TAILQ_NEXT(op, in_disk);
	*out = (struct sim_pending){.kind = op->kind, .offset = op->offset, .len = op->len};
	if (op_is_data(op))
		out->name = op->inode->last_name;
	else
		out->name = op->kind == SIM_REMOVE ? op->from : op->to;
}

/* --- data ----------------------------------------------------------------- */

/* What a sector holds that the disk never got: what lay there before the file
 * did, most wickedly older bytes of the same file. */
static void
stale_bytes(const struct sim_content *old, uint8_t *data, size_t len, uint64_t *random)
{
	if (old->size > SIM_SECTOR) {
		int64_t sectors = old->size / SIM_SECTOR;
		int64_t at = (int64_t)(sim_random_next(random) % (uint64_t)sectors) * SIM_SECTOR;
		memset(data, 0, len);
		content_read(old, data, len, at);
		return;
	}
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)sim_random_next(random);
}

/* One sector's part of a torn write. Under the durable end a sector is the old
 * or the new one; beyond it may be anything. */
static int
tear_sector(struct sim_content *to, const struct sim_content *old, const uint8_t *data, size_t len,
    int64_t offset, uint64_t *random)
{
	uint8_t other[SIM_SECTOR] = {0};
	uint64_t draw = sim_random_next(random) % 4;

	if (draw == 0)
		return content_write(to, data, len, offset);
	if (draw == 1 || offset < old->size)
		return 0;
	if (draw == 2)
		stale_bytes(old, other, len, random);
	return content_write(to, other, len, offset);
}

static int
tear(struct sim_content *to, const struct sim_content *old, const struct sim_op *op)
{
	uint64_t random = op->choice.arg;

	for (size_t done = 0; done < op->len;) {
		int64_t offset = op->offset + (int64_t)done;
		size_t n = SIM_SECTOR - (size_t)(offset % SIM_SECTOR);
		if (n > op->len - done)
			n = op->len - done;
		if (tear_sector(to, old, op->data + done, n, offset, &random) == -1)
			return -1;
		done += n;
	}
	return 0;
}

static int
op_apply_data(struct sim_content *to, const struct sim_content *old, const struct sim_op *op)
{
	size_t len = op->len;

	if (op->choice.fate == SIM_LOSE)
		return 0;
	if (op->kind == SIM_TRUNCATE)
		return content_resize(to, op->offset);
	if (op->choice.fate == SIM_TEAR)
		return tear(to, old, op);
	if (op->choice.fate == SIM_CUT && op->choice.arg < len)
		len = (size_t)op->choice.arg;
	return content_write(to, op->data, len, op->offset);
}

static int
file_build(struct sim_inode *to, const struct sim_inode *from)
{
	const struct sim_op *op;

	if (content_clone(&to->now, &from->durable) == -1)
		return -1;
	TAILQ_FOREACH (op, &from->ops, in_file)
		if (op_apply_data(&to->now, &from->durable, op) == -1)
			return -1;
	return content_clone(&to->durable, &to->now);
}

/* --- names ---------------------------------------------------------------- */

static struct map *
pick_image(struct sim_inode *dir)
{
	return &dir->image;
}

/* The names in each directory after the crash. */
static int
image_names(struct sim_disk *disk)
{
	struct sim_inode *i;
	struct sim_op *op;

	LIST_FOREACH (i, &disk->inodes, in_disk)
		for (struct map_entry *e = NULL; (e = map_next(&i->durable_names, e)) != NULL;)
			if (names_set(&i->image, (char *)e->key, e->key_len, e->value) == -1)
				return -1;
	TAILQ_FOREACH (op, &disk->ops, in_disk)
		if (!op_is_data(op) && op->choice.fate != SIM_LOSE &&
		    op_apply_names(op, pick_image) == -1)
			return -1;
	return 0;
}

static int
dir_build(struct sim_inode *to, const struct sim_inode *from)
{
	for (struct map_entry *e = NULL; (e = map_next(&from->image, e)) != NULL;) {
		const struct sim_inode *old = e->value;
		const char *name = (char *)e->key;
		struct sim_inode *i = inode_new(to->disk, old->is_dir);
		if (i == NULL)
			return -1;
		i->mtime_ms = old->mtime_ms;
		i->is_socket = old->is_socket;
		inode_place(i, to, name, e->key_len);
		int r = names_set(&to->names, name, e->key_len, i);
		if (r == 0)
			r = names_set(&to->durable_names, name, e->key_len, i);
		if (r == 0)
			r = old->is_dir ? dir_build(i, old) : file_build(i, old);
		inode_unref(i);
		if (r == -1)
			return -1;
	}
	return 0;
}

static struct sim_disk *
disk_build(struct sim_disk *from)
{
	struct sim_disk *to = sim_disk_new();

	if (to == NULL)
		return NULL;
	to->settings = from->settings;
	to->boot = from->boot + 1;
	to->net->now_ns = from->net->now_ns;
	to->wall_offset_ms = from->wall_offset_ms;
	to->next_number = from->next_number;
	if (dir_build(to->root, from->root) == 0)
		return to;
	sim_disk_free(to);
	return NULL;
}

/* --- fates ---------------------------------------------------------------- */

/* The image that the operations' choices make. */
static struct sim_disk *
image_build(struct sim_disk *disk)
{
	struct sim_disk *image = image_names(disk) == 0 ? disk_build(disk) : NULL;
	struct sim_inode *i;

	/* Nothing is freed by this: what an image names is held by a durable
	 * name or an operation as well. */
	LIST_FOREACH (i, &disk->inodes, in_disk)
		names_release(&i->image);
	return image;
}

struct sim_disk *
sim_crash_with(struct sim_disk *disk, const struct sim_choice *choices)
{
	struct sim_op *op;

	TAILQ_FOREACH (op, &disk->ops, in_disk)
		op->choice = *choices++;
	return image_build(disk);
}

struct sim_disk *
sim_clone(struct sim_disk *disk)
{
	struct sim_op *op;

	TAILQ_FOREACH (op, &disk->ops, in_disk)
		op->choice = (struct sim_choice){.fate = SIM_KEEP};
	return image_build(disk);
}

/* How a seed's fates are drawn. */
enum mood {
	MOOD_LOSE,     /* nothing but what was synced */
	MOOD_KEEP,     /* all */
	MOOD_PREFIX,   /* all up to some operation */
	MOOD_PREFIXES, /* all up to some operation, for each file and directory */
	MOOD_DATA,     /* all names; any data */
	MOOD_NAMES,    /* all data; any names */
	MOOD_ANY,
	MOOD_COUNT,
};

struct draw {
	enum mood mood;
	uint64_t seed, random;
	uint64_t lose_percent;
	size_t count, prefix;
};

static struct sim_choice
draw_any(struct draw *d)
{
	uint64_t draw = sim_random_next(&d->random) % 100;
	uint64_t how = sim_random_next(&d->random) % 8;
	uint64_t arg = sim_random_next(&d->random);

	if (draw < d->lose_percent)
		return (struct sim_choice){.fate = SIM_LOSE};
	if (how == 0)
		return (struct sim_choice){.fate = SIM_TEAR, .arg = arg};
	return (struct sim_choice){.fate = SIM_KEEP};
}

/* The operation at which a crash cuts: any part of it. */
static struct sim_choice
draw_border(struct draw *d, const struct sim_op *op)
{
	uint64_t draw = sim_random_next(&d->random) % 3;
	uint64_t arg = sim_random_next(&d->random);

	if (draw == 0)
		return (struct sim_choice){.fate = SIM_LOSE};
	if (draw == 1)
		return (struct sim_choice){.fate = SIM_CUT, .arg = op->len ? arg % op->len : 0};
	return (struct sim_choice){.fate = SIM_TEAR, .arg = arg};
}

static struct sim_choice
draw_prefix(struct draw *d, const struct sim_op *op, size_t at, size_t prefix)
{
	if (at == prefix)
		return draw_border(d, op);
	return (struct sim_choice){.fate = at < prefix ? SIM_KEEP : SIM_LOSE};
}

/* Where the prefix of a file or directory ends. */
static size_t
prefix_of(const struct draw *d, const struct sim_inode *i)
{
	uint64_t random = d->seed ^ i->number * 0x9e3779b97f4a7c15u;

	return (size_t)(sim_random_next(&random) % (d->count + 1));
}

static struct sim_choice
draw_prefixes(struct draw *d, const struct sim_op *op, size_t at)
{
	size_t prefix = d->count;

	if (op_is_data(op))
		prefix = prefix_of(d, op->inode);
	if (op->from_dir != NULL && prefix_of(d, op->from_dir) < prefix)
		prefix = prefix_of(d, op->from_dir);
	if (op->to_dir != NULL && prefix_of(d, op->to_dir) < prefix)
		prefix = prefix_of(d, op->to_dir);
	return draw_prefix(d, op, at, prefix);
}

static struct sim_choice
draw_choice(struct draw *d, const struct sim_op *op, size_t at)
{
	bool is_data = op_is_data(op);

	switch (d->mood) {
	case MOOD_LOSE:
		return (struct sim_choice){.fate = SIM_LOSE};
	case MOOD_PREFIX:
		return draw_prefix(d, op, at, d->prefix);
	case MOOD_PREFIXES:
		return draw_prefixes(d, op, at);
	case MOOD_DATA:
		if (is_data)
			return draw_any(d);
		break;
	case MOOD_NAMES:
		if (!is_data)
			return draw_any(d);
		break;
	case MOOD_ANY:
		return draw_any(d);
	case MOOD_KEEP:
	case MOOD_COUNT:
		break;
	}
	return (struct sim_choice){.fate = SIM_KEEP};
}

struct sim_disk *
sim_crash(struct sim_disk *disk, uint64_t seed)
{
	struct draw d = {.seed = seed, .random = seed, .count = disk->op_count};
	struct sim_op *op;
	size_t at = 0;

	d.mood = (enum mood)(sim_random_next(&d.random) % MOOD_COUNT);
	d.prefix = (size_t)(sim_random_next(&d.random) % (d.count + 1));
	d.lose_percent = sim_random_next(&d.random) % 101;
	TAILQ_FOREACH (op, &disk->ops, in_disk)
		op->choice = draw_choice(&d, op, at++);
	return image_build(disk);
}
