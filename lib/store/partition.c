/* One partition of a store: found, entered (locked, looked at again, its log
 * open), left. See share/doc/format.md sections 2 and 3. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/store_impl.h"
#include "store/topic_config.h"

/* How often a directory may be replaced while we wait for its lock. */
#define ENTER_TRIES 100

/* --- in memory ------------------------------------------------------------------ */

static struct store_partition *
partition_new(const struct store *s, const char *topic, int32_t number, const struct uuid *id)
{
	struct store_partition *p = calloc(1, sizeof(*p));
	size_t size = strlen(s->dir) + strlen(topic) + 16;

	if (p == NULL)
		return NULL;
	p->topic = strdup(topic);
	p->dir = malloc(size);
	if (p->topic == NULL || p->dir == NULL) {
		free(p->topic);
		free(p->dir);
		free(p);
		return NULL;
	}
	snprintf(p->dir, size, "%s/%s-%d", s->dir, topic, number);
	p->number = number;
	p->topic_id = *id;
	p->lock_fd = p->tail_fd = -1;
	p->config_offset = -1;
	p->clock = (struct tail_clock){-1, -1};
	p->first_base = -1;
	return p;
}

size_t
partition_key(char key[PARTITION_KEY_MAX], const char *topic, int32_t number)
{
	return (size_t)snprintf(key, PARTITION_KEY_MAX, "%s-%d", topic, number);
}

static struct store_partition *
partition_get(struct store *s, const char *topic, int32_t number, const struct uuid *id,
    struct err *err)
{
	char key[PARTITION_KEY_MAX];
	size_t len = partition_key(key, topic, number);
	struct store_partition *p = map_get(&s->partitions, key, len);

	if (p == NULL) {
		p = partition_new(s, topic, number, id);
		if (p != NULL && map_put(&s->partitions, key, len, p, NULL) == -1) {
			partition_free(s, p);
			p = NULL;
		}
		if (p == NULL)
			err_nomem(err);
	}
	return p;
}

struct store_partition *
store_partition_find(struct store *s, const char *topic, int32_t number, struct err *err)
{
	const struct image_topic *t = image_topic(&s->image, topic);

	if (t == NULL || image_partition(t, number) == NULL) {
		err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no partition %s-%d", topic, number);
		return NULL;
	}
	return partition_get(s, topic, number, &t->id, err);
}

struct store_partition *
partition_metadata(struct store *s, struct err *err)
{
	return partition_get(s, METADATA_TOPIC, 0, &metadata_topic_id, err);
}

static bool
is_metadata(const struct store_partition *p)
{
	return strcmp(p->topic, METADATA_TOPIC) == 0;
}

bool
partition_has_failed(const struct store_partition *p)
{
	return p->failed || (p->log_open && p->log.failed);
}

/* What we appended and nobody has synced is still owed. Descriptors that are in a
 * sync stay open until it is over. */
void
partition_forget(struct store_partition *p)
{
	if (p->log_open) {
		p->failed = p->failed || p->log.failed;
		p->owed = p->owed || p->log.tail.synced_offset < mlog_end(&p->log);
		if (p->syncing) {
			p->retired = p->log;
			p->has_retired = true;
			p->log = (struct mlog){0};
		} else {
			mlog_release(&p->log);
		}
	}
	p->syncing = false;
	p->log_open = false;
	p->tail_text[0] = '\0';
	p->checkpointed = p->proved = 0;
	p->config_offset = -1; /* the settings went with the log */
}

/* The topic is no more, or another: nothing is owed to it. */
static void
forget_topic(struct store_partition *p)
{
	partition_forget(p);
	p->owed = p->failed = false;
}

void
partition_end_sync(struct store_partition *p)
{
	p->syncing = false;
	if (p->has_retired)
		mlog_release(&p->retired);
	p->has_retired = false;
}

/* Closes the lock and the tail; the log's own files may stay. */
static void
close_files(struct store *s, struct store_partition *p)
{
	if (p->lock_fd != -1) {
		os_close(s->os, p->lock_fd);
		s->open_count--;
	}
	if (p->tail_fd != -1)
		os_close(s->os, p->tail_fd);
	p->lock_fd = p->tail_fd = -1;
}

/* The one that was used longest ago and that nobody needs open. */
static struct store_partition *
least_used(struct store *s)
{
	struct store_partition *least = NULL;

	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;) {
		struct store_partition *p = e->value;

		if (p->lock_fd != -1 && !p->locked && !p->syncing &&
		    (least == NULL || p->used < least->used))
			least = p;
	}
	return least;
}

/* Lets go of what deleted topics have left: an open file keeps its disk space. */
static void
close_deleted(struct store *s)
{
	for (struct map_entry *e = NULL; (e = map_next(&s->partitions, e)) != NULL;) {
		struct store_partition *p = e->value;
		const struct image_topic *t = image_topic(&s->image, p->topic);

		if (is_metadata(p) || p->locked || p->syncing ||
		    (t != NULL && uuid_equal(&t->id, &p->topic_id)))
			continue;
		forget_topic(p);
		close_files(s, p);
	}
	s->swept_offset = s->image.end_offset;
}

void
partition_close_surplus(struct store *s)
{
	if (s->swept_offset != s->image.end_offset)
		close_deleted(s);
	while (s->open_count > STORE_OPEN_MAX) {
		struct store_partition *p = least_used(s);
		struct err err;

		if (p == NULL)
			return;
		/* What is closed unsynced could not be told from synced later on. A
		 * failure stays in the log, which then takes no more. */
		if (p->log_open && !p->log.failed && p->log.tail.synced_offset < mlog_end(&p->log) &&
		    mlog_sync(&p->log, &err) == -1)
			os_note(s->os, OS_ERROR, "%s-%d: %s", p->topic, p->number, err.text);
		if (p->log_open)
			mlog_close_files(&p->log);
		close_files(s, p);
	}
}

/* --- locking --------------------------------------------------------------------------- */

/* Does the metadata, as far as it was read, know the partition? */
static int
is_there(struct store *s, const struct store_partition *p, struct err *err)
{
	const struct image_topic *t;

	if (is_metadata(p))
		return 0;
	t = image_topic(&s->image, p->topic);
	if (t != NULL && image_partition(t, p->number) != NULL)
		return 0;
	return err_set(
	    err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no partition %s-%d", p->topic, p->number);
}

/* Opens mq.lock, making the directory if it is not there. 1: it went away again,
 * for the topic was deleted. */
static int
open_lock(struct store *s, struct store_partition *p, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct os_stat st;

	snprintf(path, sizeof(path), "%s/mq.lock", p->dir);
	p->lock_fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
	if (p->lock_fd == -1 && errno == ENOENT) {
		if (store_refresh(s, err) == -1 || is_there(s, p, err) == -1 ||
		    partition_make_directory(s->os, s->dir, p->dir, err) == -1)
			return -1;
		p->lock_fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
		if (p->lock_fd == -1 && errno == ENOENT)
			return 1;
	}
	if (p->lock_fd == -1)
		return err_sys(err, errno, "%s: open", path);
	s->open_count++;
	if (os_stat(s->os, p->lock_fd, &st) == -1)
		return err_sys(err, errno, "%s: stat", path);
	/* Another file than before: the directory is another too. */
	if (st.inode != p->lock_inode)
		partition_forget(p);
	p->lock_inode = st.inode;
	return 0;
}

/* Locks. 1: the file that we locked is no longer at its path; let go of. */
static int
lock_once(struct store *s, struct store_partition *p, struct err *err)
{
	struct lock_wait w = store_wait(s);
	char path[STORE_PATH_MAX];
	struct os_stat st;

	if (p->lock_fd == -1) {
		int ret = open_lock(s, p, err);

		if (ret != 0) {
			close_files(s, p);
			return ret;
		}
	}
	snprintf(path, sizeof(path), "%s/mq.lock", p->dir);
	if (lock_file(&w, p->lock_fd, OS_LOCK_EXCLUSIVE, path, LOCK_HOLDER_PARTITION, err) == -1)
		return -1;
	if (os_stat_path(s->os, path, &st) == 0 && st.inode == p->lock_inode) {
		p->locked = true;
		return 0;
	}
	partition_forget(p);
	close_files(s, p);
	return 1;
}

static void
let_go(struct store *s, struct store_partition *p)
{
	p->locked = false;
	if (os_lock(s->os, p->lock_fd, OS_UNLOCK) == -1)
		close_files(s, p);
}

/* --- looking again ----------------------------------------------------------------------- */

/* What the image says of the partition now. */
static int
take_settings(struct store *s, struct store_partition *p, struct err *err)
{
	const struct image_topic *t = image_topic(&s->image, p->topic);
	const struct image_partition *part = image_partition(t, p->number);
	int64_t most;

	if (image_is_sole(&s->image, s->node_id, err) == -1)
		return -1;
	if (!uuid_equal(&t->id, &p->topic_id))
		forget_topic(p);
	p->topic_id = t->id;
	p->leader_epoch = part->leader_epoch;
	topic_config_resolve(&s->image, p->topic, &p->log.config);
	most = INT64_MAX;
	(void)text_int(topic_config_value(&s->image, p->topic, "message.timestamp.before.max.ms",
	                   NULL),
	    0, INT64_MAX, &most);
	p->before_max_ms = most;
	most = INT64_MAX;
	(void)text_int(
	    topic_config_value(&s->image, p->topic, "message.timestamp.after.max.ms", NULL), 0,
	    INT64_MAX, &most);
	p->after_max_ms = most;
	p->config_offset = s->image.end_offset;
	return 0;
}

static void
metadata_settings(struct store *s, struct store_partition *p)
{
	format_metadata_config(&p->log.config);
	p->leader_epoch = s->image.epoch;
}

/* The id is durable before the first record, so a log without one is nobody's: no
 * reader shows it, and it must not come to life under our first append. Kafka puts
 * it away as stray. */
static int
take_without_id(struct store *s, struct store_partition *p, struct err *err)
{
	char gone[STORE_PATH_MAX];
	struct uuid random;
	int has_log = is_metadata(p) ? 0 : partition_has_log(s->os, p->dir, err);

	if (has_log == -1)
		return -1;
	if (has_log == 0)
		return partition_id_write(s->os, p->dir, &p->topic_id, err);
	os_random(s->os, random.bytes, sizeof(random.bytes));
	if (partition_put_away(s->os, s->dir, p->topic, p->number, &random, "stray", gone, err) == -1)
		return -1;
	os_note(s->os, OS_WARN, "%s: has a log but no partition.metadata, so it is nobody's: kept as %s",
	    p->dir, gone);
	let_go(s, p);
	close_files(s, p);
	return 1;
}

/* Does the directory belong to the topic as it is now? One of a deleted topic is
 * put away, under the lock that we hold on it; then 1: begin again. */
static int
check_id(struct store *s, struct store_partition *p, struct err *err)
{
	char gone[STORE_PATH_MAX];
	struct uuid id;
	int ret = partition_id_read(s->os, p->dir, &id, err);

	if (ret == -1)
		return -1;
	if (ret == 0)
		return take_without_id(s, p, err);
	if (uuid_equal(&id, &p->topic_id))
		return 0;
	if (is_metadata(p))
		return err_set(err, ERR_CORRUPT, "%s: not the metadata log's topic id", p->dir);
	if (partition_put_away(s->os, s->dir, p->topic, p->number, &id, "delete", gone, err) == -1)
		return -1;
	let_go(s, p);
	close_files(s, p);
	return directory_remove(s->os, gone, err) == -1 ? -1 : 1;
}

/* --- the log ---------------------------------------------------------------------------------- */

/* Reads mq.tail. 1: it is of this boot and of this epoch of the metadata log, so
 * that no daemon has run since; 0: only what it says of syncs holds; -1: none. */
static int
read_tail(struct store *s, struct store_partition *p, struct tail_hint *h, char text[TAIL_SIZE])
{
	char path[STORE_PATH_MAX];
	ssize_t n;

	text[0] = '\0';
	if (p->tail_fd == -1) {
		snprintf(path, sizeof(path), "%s/mq.tail", p->dir);
		p->tail_fd = os_open(s->os, path, OS_WRITE | OS_CREATE);
	}
	if (p->tail_fd == -1)
		return -1;
	n = os_read_at(s->os, p->tail_fd, text, TAIL_SIZE, 0);
	if (n != TAIL_SIZE || tail_parse(h, text, TAIL_SIZE) == -1) {
		text[0] = '\0';
		return -1;
	}
	return is_metadata(p) ? tail_is_of_boot(s, h) : tail_is_current(s, h);
}

static int
open_log(struct store *s, struct store_partition *p, int trust, const struct tail_hint *h,
    struct err *err)
{
	struct mlog_config config = p->log.config;
	struct mlog_open_args args = {
	    .how = trust == 1 ? MLOG_TRUST_TAIL : MLOG_RECOVER,
	    .tail = trust == 1 ? &h->tail : NULL,
	    .recovery_point = 0,
	};

	if (!is_metadata(p)) {
		args.recovery_point = checkpoints_get(s, RECOVERY_POINTS, p->topic, p->number);
		args.start_offset = checkpoints_get(s, LOG_STARTS, p->topic, p->number);
		p->checkpointed = args.recovery_point;
	} else {
		/* A log that ends below the snapshot begins anew there (KRaft). What the
		 * snapshot holds was durable before it was made. */
		args.start_offset = args.recovery_point = s->snapshot_end;
	}
	if (trust >= 0 && h->tail.synced_offset > args.recovery_point)
		args.recovery_point = h->tail.synced_offset;
	if (args.recovery_point < 0)
		args.recovery_point = 0;
	if (p->checkpointed < 0)
		p->checkpointed = 0;
	if (args.start_offset < 0)
		args.start_offset = 0;
	if (mlog_open(&p->log, s->os, p->dir, &config, &args, err) == -1) {
		p->log.config = config;
		return -1;
	}
	p->log_open = true;
	p->owed = false; /* the log knows from its tail what is not durable */
	return 0;
}

/* Why no try to lock came to an end: the directory goes and comes, or its lock file
 * cannot be made although the directory is there. */
static int
never_locked(struct store *s, const struct store_partition *p, struct err *err)
{
	char path[STORE_PATH_MAX];
	struct os_stat st;

	snprintf(path, sizeof(path), "%s/mq.lock", p->dir);
	if (os_stat_path(s->os, path, &st) == -1 && os_stat_path(s->os, p->dir, &st) == 0)
		return err_set(err, ERR_IO, "%s: cannot be made: is it a symbolic link to nothing?",
		    path);
	return err_set(err, ERR_BUSY, "%s: replaced again and again", p->dir);
}

/* Has the log open and at its end. */
static int
catch_up(struct store *s, struct store_partition *p, struct err *err)
{
	struct mlog_config config = p->log.config;
	struct tail_hint h;
	char text[TAIL_SIZE];
	int trust = read_tail(s, p, &h, text);

	if (trust >= 0 && tail_is_of_boot(s, &h))
		p->clock = h.clock;
	p->first_base = trust == 1 ? h.first_base : -1;
	tail_clock_look(&p->clock, s->os);
	if (partition_has_failed(p))
		return err_set(err, ERR_IO, "%s-%d: takes nothing more after a storage error", p->topic,
		    p->number);
	/* Another process wrote a tail of another time: what we know is too old, but for the
	 * settings, which were just looked at. */
	if (p->log_open && trust != 1 && p->tail_text[0] != '\0') {
		partition_forget(p);
		p->log.config = config;
	}
	if (!p->log_open)
		return open_log(s, p, trust, &h, err);
	return mlog_catch_up(&p->log, trust == 1 ? &h.tail : NULL, err);
}

/* The topic was deleted while we waited for the lock, or made the directory:
 * what we hold belongs to nobody, and is removed. */
static void
remove_deleted(struct store *s, struct store_partition *p)
{
	char gone[STORE_PATH_MAX];
	struct err ignored;

	if (partition_put_away(s->os, s->dir, p->topic, p->number, &p->topic_id, "delete", gone,
	        &ignored) == 1)
		(void)directory_remove(s->os, gone, &ignored);
	forget_topic(p);
}

static int
look_again(struct store *s, struct store_partition *p, struct err *err)
{
	int ret = 0;

	if (is_metadata(p)) {
		metadata_settings(s, p);
	} else {
		if (store_refresh(s, err) == -1 || store_remove_marker(s, err) == -1)
			return -1;
		if (is_there(s, p, err) == -1) {
			remove_deleted(s, p);
			return -1;
		}
		if (p->config_offset != s->image.end_offset)
			ret = take_settings(s, p, err);
	}
	if (ret == 0 && !p->log_open)
		ret = check_id(s, p, err);
	return ret == 0 ? catch_up(s, p, err) : ret;
}

int
partition_enter(struct store *s, struct store_partition *p, struct err *err)
{
	assert(!p->locked);
	p->used = ++s->uses;
	for (int i = 0; i < ENTER_TRIES; i++) {
		int ret = lock_once(s, p, err);

		if (ret == 0)
			ret = look_again(s, p, err);
		if (ret == 0)
			return 0;
		if (ret == -1) {
			if (p->locked)
				let_go(s, p);
			return -1;
		}
	}
	return never_locked(s, p, err);
}

/* The tail is a hint: where it cannot be written, the next one looks. -1: so it is. */
static int
write_tail(struct store *s, struct store_partition *p)
{
	struct tail_hint h = {
	    .epoch = s->image.epoch, .clock = p->clock, .tail = p->log.tail,
	    .first_base = p->log.partial ? p->first_base : mlog_first_base(&p->log)};
	char text[TAIL_SIZE];

	memcpy(h.boot_id, s->boot_id, sizeof(h.boot_id));
	tail_format(&h, text);
	if (s->boot_id[0] == '\0' || p->log.failed || memcmp(text, p->tail_text, TAIL_SIZE) == 0)
		return 0;
	p->tail_text[0] = '\0';
	if (p->tail_fd == -1 || os_write_at(s->os, p->tail_fd, text, TAIL_SIZE, 0) == -1)
		return -1;
	memcpy(p->tail_text, text, TAIL_SIZE);
	return 0;
}

int
partition_tell_replacing(struct store *s, struct store_partition *p, struct err *err)
{
	p->log.tail.replacing = true;
	if (write_tail(s, p) == 0)
		return 0;
	return err_set(err, ERR_IO, "%s/mq.tail: cannot be written, and the next writer goes by it",
	    p->dir);
}

void
partition_leave(struct store *s, struct store_partition *p)
{
	assert(p->locked);
	if (p->log_open)
		(void)write_tail(s, p);
	let_go(s, p);
}

/* What was synced since the last append is told at the end, if that can be done
 * at once and nobody else has written: it saves recovery after a power failure. */
static void
tell_synced(struct store *s, struct store_partition *p)
{
	char text[TAIL_SIZE];
	struct tail_hint h;

	if (!p->log_open || p->lock_fd == -1 || p->tail_text[0] == '\0' ||
	    os_lock(s->os, s->lock_fd, OS_LOCK_SHARED) == -1)
		return;
	if (os_lock(s->os, p->lock_fd, OS_LOCK_EXCLUSIVE) == 0) {
		(void)read_tail(s, p, &h, text);
		if (memcmp(text, p->tail_text, TAIL_SIZE) == 0)
			(void)write_tail(s, p);
		(void)os_lock(s->os, p->lock_fd, OS_UNLOCK);
	}
	store_unlock(s);
}

void
partition_free(struct store *s, struct store_partition *p)
{
	assert(!p->locked);
	tell_synced(s, p);
	partition_forget(p);
	partition_end_sync(p);
	close_files(s, p);
	free(p->topic);
	free(p->dir);
	free(p);
}
