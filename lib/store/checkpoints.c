/* The checkpoint files, which all partitions share: written under the metadata
 * log's lock. */
#include <string.h>

#include "store/store_impl.h"

static int
load(struct store *s, const char *file, struct checkpoint *c, char path[STORE_PATH_MAX],
    struct err *err)
{
	checkpoint_init(c);
	if (store_path(s, path, file, err) == -1)
		return -1;
	return checkpoint_load(c, s->os, path, err);
}

int64_t
checkpoints_get(struct store *s, const char *file, const char *topic, int32_t number)
{
	char path[STORE_PATH_MAX];
	struct checkpoint c;
	struct err err;
	int64_t offset = -1;

	if (load(s, file, &c, path, &err) == 0)
		offset = checkpoint_get(&c, topic, number);
	checkpoint_release(&c);
	return offset;
}

int
checkpoints_set(struct store *s, const char *file, const char *topic, int32_t number,
    int64_t offset, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct checkpoint c;
	int ret = load(s, file, &c, path, err);

	if (ret == 0 && checkpoint_get(&c, topic, number) != offset) {
		ret = checkpoint_set(&c, topic, number, offset, err);
		if (ret == 0)
			ret = checkpoint_write(&c, s->os, path, err);
	}
	checkpoint_release(&c);
	return ret;
}

static int
forget_in(struct store *s, const char *file, const char *topic, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct checkpoint c;
	int ret = load(s, file, &c, path, err);
	size_t before = c.count;

	for (size_t i = 0; ret == 0 && i < c.count;) {
		if (strcmp(c.entries[i].topic, topic) == 0)
			checkpoint_del(&c, topic, c.entries[i].partition);
		else
			i++;
	}
	if (ret == 0 && c.count != before)
		ret = checkpoint_write(&c, s->os, path, err);
	checkpoint_release(&c);
	return ret;
}

int
checkpoints_forget(struct store *s, const char *topic, struct err *err)
{
	static const char *const files[] = {
	    RECOVERY_POINTS, LOG_STARTS, CLEANER_POINTS, HIGH_WATERMARKS};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (forget_in(s, files[i], topic, err) == -1)
			return -1;
	return 0;
}

/* Sets an entry under the metadata's lock, unless the topic was deleted. */
static int
set_locked(struct store *s, const char *file, const struct store_partition *p, int64_t offset,
    struct err *err)
{
	const struct image_topic *t;
	struct change c;
	int ret = 0;

	if (change_begin(&c, s, err) == -1)
		return -1;
	t = image_topic(&s->image, p->topic);
	if (t != NULL && uuid_equal(&t->id, &p->topic_id))
		ret = checkpoints_set(s, file, p->topic, p->number, offset, err);
	change_end(&c);
	return ret;
}

int
checkpoints_advance(struct store *s, struct store_partition *p, struct err *err)
{
	int64_t base = p->log_open ? p->log.tail.segment_base : 0;

	if (base <= p->checkpointed || p->log.tail.synced_offset < base)
		return 0;
	if (set_locked(s, RECOVERY_POINTS, p, base, err) == -1)
		return -1;
	p->checkpointed = base;
	return 0;
}

int
checkpoints_cleaned(struct store *s, struct store_partition *p, int64_t first_dirty,
    struct err *err)
{
	return first_dirty < 0 ? 0 : set_locked(s, CLEANER_POINTS, p, first_dirty, err);
}
