/* Appending, syncing and reading partitions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"

/* The most that is appended between two looks at the free space. */
#define SPACE_LOOK_BYTES (64LL << 20)
#define SPACE_LOOK_NS 1000000000LL

/* A partition's share of a set to sync: its active segment and a few finished
 * ones with their indexes; less room than that, and it waits for the next set. */
#define SYNC_FDS_MIN 10

/* --- disk.min.free -------------------------------------------------------------- */

/* Refuses what would leave less than disk.min.free, or than an eighth of a small
 * file system. Looks at the disk once a second or after some bytes. */
static int
check_space(struct store *s, size_t len, struct err *err)
{
	int64_t now = os_mono_ns(s->os), min = s->options.disk_min_free, over;
	struct os_space space;

	if (min <= 0)
		return 0;
	if (s->space_left >= (int64_t)len && now - s->space_looked_ns < SPACE_LOOK_NS) {
		s->space_left -= (int64_t)len;
		return 0;
	}
	if (os_space(s->os, s->dir, &space) == -1)
		return err_sys(err, errno, "%s: statfs", s->dir);
	if (min > (int64_t)(space.total_bytes / 8))
		min = (int64_t)(space.total_bytes / 8);
	over = (int64_t)space.free_bytes - min - (int64_t)len;
	s->space_looked_ns = now;
	s->space_left = 0;
	if (over < 0)
		return err_set(err, ERR_NO_SPACE,
		    "%s: %llu bytes are free, and disk.min.free keeps %lld of them", s->dir,
		    (unsigned long long)space.free_bytes, (long long)min);
	s->space_left = over / 2 < SPACE_LOOK_BYTES ? over / 2 : SPACE_LOOK_BYTES;
	return 0;
}

/* --- appending ---------------------------------------------------------------------- */

/* A record without key could never be compacted (Kafka's LogValidator). */
static int
check_keys(const struct store_partition *p, const struct batch *b, struct err *err)
{
	struct record_reader rr = {0};
	struct record r;
	int got = record_reader_open(&rr, b, err);

	if (got == 0)
		while ((got = record_reader_next(&rr, &r, err)) == 1 && r.key_size >= 0)
			;
	record_reader_release(&rr);
	if (got == 1)
		return err_set(err, ERR_INVALID_RECORD,
		    "%s-%d: a record without key, but cleanup.policy is compact", p->topic, p->number);
	return got;
}

/* What this topic's settings forbid in a batch that is sound in itself. */
static int
check_batch(const struct store_partition *p, const uint8_t *bytes, size_t len, int64_t now,
    struct batch *b, struct err *err)
{
	if (batch_view(bytes, len, b) != BATCH_OK)
		return err_set(err, ERR_CORRUPT_MESSAGE, "%s-%d: not a whole batch", p->topic, p->number);
	if (b->record_count <= 0)
		return err_set(err, ERR_INVALID_RECORD, "%s-%d: a batch without records", p->topic,
		    p->number);
	if (!p->log.config.append_time && b->max_timestamp != NO_TIMESTAMP &&
	    b->max_timestamp > now && b->max_timestamp - now > p->after_max_ms)
		return err_set(err, ERR_INVALID_TIMESTAMP,
		    "%s-%d: timestamp %lld is more than message.timestamp.after.max.ms (%lld) ahead",
		    p->topic, p->number, (long long)b->max_timestamp, (long long)p->after_max_ms);
	if (!p->log.config.append_time && b->base_timestamp >= 0 &&
	    now - b->base_timestamp > p->before_max_ms)
		return err_set(err, ERR_INVALID_TIMESTAMP,
		    "%s-%d: timestamp %lld is more than message.timestamp.before.max.ms (%lld) behind",
		    p->topic, p->number, (long long)b->base_timestamp, (long long)p->before_max_ms);
	return p->log.config.cleanup_compact ? check_keys(p, b, err) : 0;
}

/* A batch that a daemon was sent, which may have written it before it went, bears its
 * producer's number. 1: it is there, `out` says where; 0; -1. One that the log would
 * refuse is not there: nobody waits for its number any more, so it goes without. */
static int
find_again(struct store_partition *p, uint8_t *bytes, struct batch *b,
    struct mlog_appended *out, struct err *err)
{
	struct producer_batch same;
	int got;

	if (b->producer_id < 0 || b->base_sequence < 0 || batch_is_transactional(b))
		return 0;
	if (!p->log.producers_loaded && mlog_load_producers(&p->log, err) == -1)
		return -1;
	got = producers_check(&p->log.producers, b, true, &same, err);
	if (got == 1)
		*out = (struct mlog_appended){.base_offset = same.last_offset - same.offset_delta,
		    .last_offset = same.last_offset,
		    .append_time = p->log.config.append_time ? same.timestamp : -1};
	if (got == -1)
		batch_set_producer(bytes, NO_PRODUCER, -1, NO_SEQUENCE);
	return got == 1;
}

static int
append_entered(struct store *s, struct store_partition *p, uint8_t *bytes, size_t len,
    struct mlog_appended *out, struct err *err)
{
	int64_t now = os_wall_ms(s->os);
	struct batch b;
	int got;

	if (check_batch(p, bytes, len, now, &b, err) == -1)
		return -1;
	got = find_again(p, bytes, &b, out, err);
	if (got != 0)
		return got == 1 ? 0 : -1;
	return mlog_append(&p->log, bytes, len, p->leader_epoch, now, out, err);
}

/* Whole expired segments go when one is finished. */
static void
retain(struct store *s, struct store_partition *p)
{
	struct mlog_retained gone;
	struct err err;

	if (p->log.config.cleanup_delete && partition_retain(s, p, &gone, &err) == -1)
		os_note(s->os, OS_WARN, "%s-%d: retention: %s", p->topic, p->number, err.text);
}

/* The batch is in, and no lock is held: what the checkpoints say of older
 * segments follows, and the offsets topic, which each reader of a group reads
 * from its start, is kept short. A failure is only told. */
static void
tidy(struct store *s, struct store_partition *p, bool rolled)
{
	struct store_cleaned done;
	struct err err;

	if (checkpoints_advance(s, p, &err) == -1)
		os_note(s->os, OS_WARN, "recovery point: %s", err.text);
	if (rolled && p->log.config.cleanup_compact && strcmp(p->topic, OFFSETS_TOPIC) == 0 &&
	    partition_clean(s, p, false, &done, &err) == -1)
		os_note(s->os, OS_WARN, "%s-%d: compaction: %s", p->topic, p->number, err.text);
}

int
store_append_reserved(struct store *s, const char *topic, int32_t partition, uint8_t *bytes,
    size_t len, struct mlog_appended *out, struct err *err)
{
	struct store_partition *p;
	int ret;

	if (store_lock(s, err) == -1)
		return -1;
	p = store_partition_find(s, topic, partition, err);
	/* Made by another process since we looked last? */
	if (p == NULL && err->code == ERR_UNKNOWN_TOPIC_OR_PARTITION && store_refresh(s, err) == 0)
		p = store_partition_find(s, topic, partition, err);
	if (p == NULL || partition_enter(s, p, err) == -1) {
		store_unlock(s);
		return -1;
	}
	ret = append_entered(s, p, bytes, len, out, err);
	if (ret == 0 && out->rolled)
		retain(s, p);
	partition_leave(s, p);
	store_unlock(s);
	if (ret == 0)
		tidy(s, p, out->rolled);
	partition_close_surplus(s);
	return ret;
}

int
store_append(struct store *s, const char *topic, int32_t partition, uint8_t *bytes, size_t len,
    struct mlog_appended *out, struct err *err)
{
	if (check_space(s, len, err) == -1)
		return -1;
	return store_append_reserved(s, topic, partition, bytes, len, out, err);
}

/* --- syncing ---------------------------------------------------------------------------- */

static bool
is_dirty(const struct store_partition *p)
{
	return p->log_open && !partition_has_failed(p) &&
	    p->log.tail.synced_offset < mlog_end(&p->log);
}

/* What was appended to a log that is not open any more is found by its files. */
static int
pay_owed(struct store *s, struct store_partition *p, struct err *err)
{
	if (!p->owed || p->log_open)
		return 0;
	if (partition_sync_files(s, p, INT64_MAX, err) == -1)
		return -1;
	p->owed = false;
	return 0;
}

/* Opens the newest segment of the metadata log for a sync of its own, since the
 * reader may go on to another meanwhile. -1: there is nothing to sync. */
static int
open_metadata_sync(struct store *s)
{
	char path[STORE_PATH_MAX], name[64];
	int64_t base, position;
	struct err err;

	if (s->metadata_durable >= s->image.end_offset || s->metadata_fd == -1 ||
	    s->metadata_sync_fd != -1)
		return -1;
	reader_position(s->metadata, &base, &position);
	snprintf(name, sizeof(name), METADATA_TOPIC "-0/%020lld.log", (long long)base);
	if (store_path(s, path, name, &err) == -1)
		return -1;
	s->metadata_sync_fd = os_open(s->os, path, OS_WRITE);
	s->metadata_sync_end = s->image.end_offset;
	return s->metadata_sync_fd;
}

static void
end_metadata_sync(struct store *s, int result)
{
	if (s->metadata_sync_fd == -1)
		return;
	os_close(s->os, s->metadata_sync_fd);
	s->metadata_sync_fd = -1;
	if (result != 0)
		s->failed = true;
	else if (s->metadata_sync_end > s->metadata_durable)
		s->metadata_durable = s->metadata_sync_end;
}

int
metadata_sync(struct store *s, struct err *err)
{
	int fd = open_metadata_sync(s), ret;

	if (fd == -1)
		return 0;
	ret = os_sync(s->os, fd) == -1 ? err_sys(err, errno, "%s/" METADATA_TOPIC "-0: sync", s->dir)
	                               : 0;
	end_metadata_sync(s, ret == 0 ? 0 : err->sys_errno);
	return ret;
}

size_t
store_unsynced(struct store *s, int *fds, size_t max)
{
	size_t count = 0;
	struct err err;
	int fd;

	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;) {
		struct store_partition *p = e->value;
		size_t n;

		if (!partition_has_failed(p) && pay_owed(s, p, &err) == -1)
			os_note(s->os, OS_ERROR, "%s-%d: %s", p->topic, p->number, err.text);
		if (!is_dirty(p) || p->syncing || max - count < SYNC_FDS_MIN)
			continue;
		n = mlog_unsynced(&p->log, fds + count, max - count - 1, &p->sync_end);
		p->syncing = n > 0;
		count += n;
	}
	/* A topic that another process has just made must not vanish from under what
	 * we acknowledge. */
	if (count > 0 && count < max && (fd = open_metadata_sync(s)) != -1)
		fds[count++] = fd;
	return count;
}

int
store_synced(struct store *s, int result, struct err *err)
{
	int ret = 0;

	end_metadata_sync(s, result);
	if (result == 0 && partition_metadata(s, err) == NULL)
		return -1;
	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;) {
		struct store_partition *p = e->value;

		/* Which file it was is not known, and a second try would be told a lie. */
		if (result != 0 && (p->syncing || p->has_retired)) {
			p->failed = true;
			ret = err_sys(err, result, "%s: sync", p->dir);
		}
		if (p->failed && p->owed)
			ret = err_set(err, ERR_IO, "%s: a storage error came before the sync", p->dir);
		if (result == 0 && p->syncing)
			mlog_synced(&p->log, p->sync_end);
		partition_end_sync(p);
	}
	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&s->partitions, e)) != NULL;) {
		struct store_partition *p = e->value;

		if (strcmp(p->topic, METADATA_TOPIC) != 0 && !partition_has_failed(p) &&
		    checkpoints_advance(s, p, err) == -1)
			os_note(s->os, OS_WARN, "recovery point: %s", err->text);
	}
	return ret;
}

int
store_is_synced(struct store *s, const char *topic, int32_t partition, int64_t offset,
    struct err *err)
{
	char key[PARTITION_KEY_MAX];
	struct store_partition *p = map_get(&s->partitions, key,
	    partition_key(key, topic, partition));

	if (p == NULL || (p->log_open ? p->log.tail.synced_offset >= offset : !p->owed))
		return 1;
	if (partition_has_failed(p))
		return err_set(err, ERR_KAFKA_STORAGE_ERROR,
		    "%s: a write or sync failed before offset %lld was synced", p->dir,
		    (long long)offset);
	return 0;
}

/* Was the topic deleted, so that there is nothing left to make durable? */
static bool
is_gone(struct store *s, const struct store_partition *p)
{
	const struct image_topic *t;
	struct err ignored;

	if (store_refresh(s, &ignored) == -1)
		return false;
	t = image_topic(&s->image, p->topic);
	return t == NULL || !uuid_equal(&t->id, &p->topic_id);
}

int
partition_sync(struct store *s, struct store_partition *p, struct err *err)
{
	if (partition_has_failed(p) && !is_gone(s, p))
		return err_set(err, ERR_IO, "%s-%d: a storage error came before the sync", p->topic,
		    p->number);
	if (pay_owed(s, p, err) == -1)
		return is_gone(s, p) ? 0 : -1;
	if (!is_dirty(p))
		return 0;
	if (mlog_sync(&p->log, err) == -1)
		return is_gone(s, p) ? 0 : -1;
	if (metadata_sync(s, err) == -1)
		return -1;
	if (strcmp(p->topic, METADATA_TOPIC) != 0 && checkpoints_advance(s, p, err) == -1)
		os_note(s->os, OS_WARN, "recovery point: %s", err->text);
	return 0;
}

int
store_sync(struct store *s, struct err *err)
{
	struct err first = {0};

	/* So that none is added to the map while we walk it. */
	if (partition_metadata(s, err) == NULL)
		return -1;
	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;)
		if (partition_sync(s, e->value, err) == -1 && first.code == 0)
			first = *err;
	if (first.code == 0)
		return 0;
	*err = first;
	return -1;
}

/* --- reading ------------------------------------------------------------------------------- */

/* 1: the directory is there and the topic's; 0: there is none yet; -1. */
static int
find_directory(struct store *s, const char *topic, int32_t partition, char path[STORE_PATH_MAX],
    struct err *err)
{
	const struct image_topic *t = image_topic(&s->image, topic);
	struct uuid id;
	int ret;

	if (t == NULL || image_partition(t, partition) == NULL) {
		if (store_refresh(s, err) == -1)
			return -1;
		t = image_topic(&s->image, topic);
	}
	if (t == NULL || image_partition(t, partition) == NULL)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no partition %s-%d", topic,
		    partition);
	snprintf(path, STORE_PATH_MAX, "%s/%s-%d", s->dir, topic, partition);
	ret = partition_id_read(s->os, path, &id, err);
	/* Left over from a topic that had this name before. */
	if (ret == 1 && !uuid_equal(&id, &t->id))
		return 0;
	return ret;
}

/* Which file is that of the active segment? The hint still has to name it after the
 * look at it: it names the next one before this one may be replaced, or is of an older
 * epoch by then. A daemon, though, tells its hints now and then, and as a follower
 * begins segments where nobody would look for them. */
static bool
find_active(struct store *s, const char *dir, int64_t base, uint64_t *inode)
{
	char path[STORE_PATH_MAX + 32];
	struct tail_hint again;
	struct os_stat st;
	struct err ignored;

	snprintf(path, sizeof(path), "%s/%020lld.log", dir, (long long)base);
	if (os_stat_path(s->os, path, &st) == -1 || lock_has_daemon(s->os, s->dir) ||
	    store_refresh(s, &ignored) == -1)
		return false;
	*inode = st.inode;
	return tail_peek(s, dir, &again) == 1 && again.tail.segment_base == base &&
	    !again.tail.replacing;
}

/* What checkpoint and hint know of the log, so that the reader need not look. */
static void
tell_reader(struct store *s, struct reader *r, const char *dir, int64_t synced)
{
	struct tail_hint hint;
	uint64_t inode;
	int current = tail_peek(s, dir, &hint);

	if (current != -1 && hint.tail.synced_offset > synced)
		synced = hint.tail.synced_offset;
	reader_synced(r, synced);
	if (current == 1 && !hint.tail.producers)
		reader_without_producers(r, hint.tail.end_offset);
	if (current == 1 && find_active(s, dir, hint.tail.segment_base, &inode))
		reader_expect(r, (struct reader_tail){.first = hint.first_base,
		    .base = hint.tail.segment_base, .inode = inode, .end = hint.tail.end_offset});
}

struct reader *
store_reader(struct store *s, const char *topic, int32_t partition, struct err *err)
{
	char path[STORE_PATH_MAX];
	int64_t start;
	struct reader *r;

	err->code = 0;
	switch (find_directory(s, topic, partition, path, err)) {
	case 0:
		err->code = 0;
		return NULL;
	case -1:
		return NULL;
	default:
		break;
	}
	start = checkpoints_get(s, LOG_STARTS, topic, partition);
	r = reader_open(s->os, path, start > 0 ? start : 0, err);
	if (r == NULL && err->code == ERR_NOT_FOUND)
		err->code = 0;
	if (r != NULL)
		tell_reader(s, r, path, checkpoints_get(s, RECOVERY_POINTS, topic, partition));
	return r;
}
