/*
 * This process as a member of a group: its file, its claims. See share/doc/format.md
 * section 4.
 *
 * Nobody looks at everybody each time: a member comes, goes and shares in one topic
 * more by a change of the directory, which one stat shows; and one that was killed is
 * noticed by the one before it, in the order of ids, who removes its file. So an idle
 * group costs each member two calls a look, however many they are. Now and then all are
 * looked at all the same, should the one before be stopped.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/groups_impl.h"

/* How often a member looks, whatever it hears; and how soon it looks again when
 * it hears something. */
#define LOOK_NS 250000000LL
#define LOOK_AGAIN_NS 20000000LL
#define LOOK_AT_ALL_NS 5000000000LL

/* A directory that changed less than that ago may change again under the same time. */
#define DIR_SETTLED_MS 100

struct claim {
	const char *topic; /* the membership's */
	int32_t partition;
	struct uuid topic_id;
	int fd;
	bool revoking; /* its owner was told */
};

struct membership {
	struct store *s;
	char *group;  /* owned */
	char **topic_list; /* owned, and so are the names */
	size_t topic_count;
	char id[UUID_TEXT_SIZE];
	char file[GROUP_FILE_MAX]; /* the group's name in file names */
	char path[STORE_PATH_MAX]; /* the member's file */
	int fd;
	int64_t size; /* of the file, as far as it is whole lines */
	struct claim *claims;
	size_t claim_count, claim_cap;
	size_t waiting; /* wanted, and still held by others, at the last look */
	struct group_members members;
	bool looking; /* there may be more events from the last look */
	int64_t looked_ns;
	int64_t looked_at_all_ns;
	int64_t dir_mtime_ms; /* when all were last looked at; -1: that says nothing */
	int64_t image_end;    /* of the metadata at the last look */
	struct os_watch watch;
	bool watching, changed;
};

/* --- claims ------------------------------------------------------------------------- */

static void
claim_path(const struct membership *m, const char *topic, int32_t partition,
    char path[STORE_PATH_MAX])
{
	snprintf(path, STORE_PATH_MAX, "%s/%s-%d/mq.claim.%s", m->s->dir, topic, partition, m->file);
}

int
claim_is_held(struct store *s, const char *group, const char *topic, int32_t partition,
    struct err *err)
{
	char path[STORE_PATH_MAX], file[GROUP_FILE_MAX];
	int fd, ret = 0;

	group_file_name(group, file);
	snprintf(path, sizeof(path), "%s/%s-%d/mq.claim.%s", s->dir, topic, partition, file);
	fd = os_open(s->os, path, OS_READ);
	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	if (os_lock(s->os, fd, OS_LOCK_SHARED) == -1)
		ret = errno == EAGAIN ? 1 : err_sys(err, errno, "%s: lock", path);
	os_close(s->os, fd);
	return ret;
}

static struct claim *
claim_find(struct membership *m, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < m->claim_count; i++)
		if (m->claims[i].partition == partition && strcmp(m->claims[i].topic, topic) == 0)
			return &m->claims[i];
	return NULL;
}

static int
claims_room(struct membership *m, struct err *err)
{
	size_t cap = m->claim_cap * 2 + 8;
	struct claim *grown;

	if (m->claim_count < m->claim_cap)
		return 0;
	grown = realloc(m->claims, cap * sizeof(*grown));
	if (grown == NULL)
		return err_nomem(err);
	m->claims = grown;
	m->claim_cap = cap;
	return 0;
}

static int
open_claim(struct membership *m, const char *topic, int32_t partition, const char *path,
    struct err *err)
{
	int fd = os_open(m->s->os, path, OS_WRITE | OS_CREATE);

	if (fd == -1 && errno == ENOENT) {
		if (partition_make_there(m->s, topic, partition, err) == -1)
			return -1;
		fd = os_open(m->s->os, path, OS_WRITE | OS_CREATE);
	}
	return fd == -1 ? err_sys(err, errno, "%s: open", path) : fd;
}

/* Takes the claim on a partition. 1; 0: another has it; -1. */
static int
claim_take(struct membership *m, const char *topic, const struct uuid *id, int32_t partition,
    struct err *err)
{
	struct os *os = m->s->os;
	struct os_stat mine, there;
	char path[STORE_PATH_MAX];
	int fd, ret = 1;

	claim_path(m, topic, partition, path);
	if (claims_room(m, err) == -1)
		return -1;
	fd = open_claim(m, topic, partition, path, err);
	if (fd == -1) /* it may just be deleted, which the next look will find */
		return err->code == ERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : -1;
	if (os_lock(os, fd, OS_LOCK_EXCLUSIVE) == -1)
		ret = errno == EAGAIN ? 0 : err_sys(err, errno, "%s: lock", path);
	/* A deleted topic's file is nobody's claim. */
	if (ret == 1 && (os_stat(os, fd, &mine) == -1 || os_stat_path(os, path, &there) == -1 ||
	                    mine.inode != there.inode))
		ret = 0;
	if (ret != 1) {
		os_close(os, fd);
		return ret;
	}
	m->claims[m->claim_count++] =
	    (struct claim){.topic = topic, .partition = partition, .topic_id = *id, .fd = fd};
	return 1;
}

void
membership_released(struct membership *m, const char *topic, int32_t partition)
{
	struct claim *c = claim_find(m, topic, partition);

	if (c == NULL)
		return;
	os_close(m->s->os, c->fd);
	*c = m->claims[--m->claim_count];
	m->looking = true;
}

/* --- joining -------------------------------------------------------------------------- */

/* The process id, for people who read the file. There is none in a simulation. */
static int
process_id(struct os *os)
{
	char text[32] = "";
	int fd = os_open(os, "/proc/self/stat", OS_READ);

	if (fd == -1)
		return 0;
	(void)os_read_at(os, fd, text, sizeof(text) - 1, 0);
	os_close(os, fd);
	return atoi(text);
}

static const char *
home_dir(const struct membership *m, char dir[STORE_PATH_MAX])
{
	snprintf(dir, STORE_PATH_MAX, "%s/" OFFSETS_TOPIC "-%d", m->s->dir,
	    group_home(m->s, m->group));
	return dir;
}

static void
put_line(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		buf_i8(b, *text == '\n' ? ' ' : *text);
	buf_i8(b, '\n');
}

/* Complete and locked before it has its name, so that nobody ever sees a member
 * that is half there or takes it for dead. */
static int
make_file(struct membership *m, const char *client_id, struct err *err)
{
	char dir[STORE_PATH_MAX], tmp[STORE_PATH_MAX];
	struct os *os = m->s->os;
	struct buf text = BUF_INIT;
	int ret = 0;

	if (snprintf(tmp, sizeof(tmp), "%s/mq.joining.%s", home_dir(m, dir), m->id) >=
	        (int)sizeof(tmp) ||
	    snprintf(m->path, sizeof(m->path), "%s/mq.member.%s.%s", dir, m->file, m->id) >=
	        (int)sizeof(m->path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	buf_str(&text, m->group);
	buf_i8(&text, '\n');
	put_line(&text, client_id);
	buf_printf(&text, "%d\n", process_id(os));
	for (size_t i = 0; i < m->topic_count; i++)
		put_line(&text, m->topic_list[i]);
	m->fd = os_open(os, tmp, OS_WRITE | OS_CREATE | OS_EXCL);
	if (m->fd == -1)
		ret = err_sys(err, errno, "%s: open", tmp);
	else if (text.failed)
		ret = err_nomem(err);
	else if (os_lock(os, m->fd, OS_LOCK_EXCLUSIVE) == -1 ||
	         os_write_at(os, m->fd, text.data, text.len, 0) == -1 ||
	         os_rename(os, tmp, m->path) == -1)
		ret = err_sys(err, errno, "%s", tmp);
	m->size = (int64_t)text.len;
	if (ret == -1 && m->fd != -1)
		os_remove(os, tmp);
	buf_release(&text);
	return ret;
}

static int
add_topic(struct membership *m, const char *topic, struct err *err)
{
	char **more = realloc(m->topic_list, (m->topic_count + 1) * sizeof(*more));
	char *name = strdup(topic);

	if (more != NULL)
		m->topic_list = more;
	if (more == NULL || name == NULL) {
		free(name);
		return err_nomem(err);
	}
	m->topic_list[m->topic_count++] = name;
	return 0;
}

static int
add_topics(struct membership *m, const char *const *topics, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (add_topic(m, topics[i], err) == -1)
			return -1;
	return 0;
}

static bool
has_topic(const struct membership *m, const char *topic)
{
	for (size_t i = 0; i < m->topic_count; i++)
		if (strcmp(m->topic_list[i], topic) == 0)
			return true;
	return false;
}

/* Has the others look at all members. */
static void
touch_dir(const struct membership *m)
{
	char dir[STORE_PATH_MAX], tmp[STORE_PATH_MAX];
	int fd;

	if (snprintf(tmp, sizeof(tmp), "%s/mq.joining.%s", home_dir(m, dir), m->id) >= (int)sizeof(tmp))
		return;
	fd = os_open(m->s->os, tmp, OS_WRITE | OS_CREATE);
	if (fd == -1)
		return;
	os_close(m->s->os, fd);
	(void)os_remove(m->s->os, tmp);
}

/* A line more in the member's file: whoever reads half of it takes it for none. */
int
membership_add_topic(struct membership *m, const char *topic, struct err *err)
{
	struct buf line = BUF_INIT;
	int ret = 0;

	/* It was deleted, and made anew. */
	if (has_topic(m, topic))
		return 0;
	put_line(&line, topic);
	if (line.failed)
		ret = err_nomem(err);
	else if (m->size + (int64_t)line.len > MEMBER_FILE_MAX) /* the others could not read it */
		ret = err_set(err, ERR_TOO_LARGE, "%s: no room for topic %s in %d bytes of names, those "
		    "of deleted topics with them (start this member again)", m->path, topic,
		    MEMBER_FILE_MAX);
	else if (os_write_at(m->s->os, m->fd, line.data, line.len, m->size) == -1)
		ret = err_sys(err, errno, "%s", m->path);
	else
		ret = add_topic(m, topic, err);
	if (ret == 0) {
		m->size += (int64_t)line.len;
		touch_dir(m);
	}
	m->dir_mtime_ms = -1;
	m->changed = true;
	buf_release(&line);
	return ret;
}

static void
heard(struct os_watch *w)
{
	struct membership *m = w->ctx;

	m->changed = true;
}

static int
join(struct membership *m, const char *client_id, struct err *err)
{
	char dir[STORE_PATH_MAX];
	struct uuid id;

	if (offsets_topic_make(m->s, err) == -1 ||
	    partition_make_there(m->s, OFFSETS_TOPIC, group_home(m->s, m->group), err) == -1)
		return -1;
	os_random(m->s->os, id.bytes, sizeof(id.bytes));
	uuid_format(&id, m->id);
	group_file_name(m->group, m->file);
	if (make_file(m, client_id, err) == -1)
		return -1;
	/* A hint only: without it we look every 250 ms. */
	m->watch = (struct os_watch){.changed = heard, .ctx = m};
	m->watching = os_watch_start(m->s->os, &m->watch, home_dir(m, dir)) == 0;
	return 0;
}

struct membership *
membership_join(struct store *s, const char *group, const char *client_id,
    const char *const *topics, size_t topic_count, struct err *err)
{
	struct membership *m;

	if (group_check_name(group, err) == -1)
		return NULL;
	if (strchr(group, '\n') != NULL) {
		err_set(err, ERR_INVALID_GROUP_ID, "a newline in the name of a group with members");
		return NULL;
	}
	m = calloc(1, sizeof(*m));
	if (m == NULL) {
		err_nomem(err);
		return NULL;
	}
	m->s = s;
	m->fd = -1;
	m->group = strdup(group);
	m->changed = true;
	m->dir_mtime_ms = -1;
	if (m->group == NULL)
		err_nomem(err);
	if (m->group == NULL || add_topics(m, topics, topic_count, err) == -1 ||
	    join(m, client_id != NULL ? client_id : "", err) == -1) {
		membership_leave(m);
		return NULL;
	}
	return m;
}

void
membership_leave(struct membership *m)
{
	struct os *os;

	if (m == NULL)
		return;
	os = m->s->os;
	if (m->watching)
		os_watch_stop(os, &m->watch);
	for (size_t i = 0; i < m->claim_count; i++)
		os_close(os, m->claims[i].fd);
	if (m->fd != -1) {
		os_remove(os, m->path);
		os_close(os, m->fd);
	}
	group_members_release(&m->members);
	free(m->claims);
	free(m->group);
	for (size_t i = 0; i < m->topic_count; i++)
		free(m->topic_list[i]);
	free(m->topic_list);
	free(m);
}

const char *
membership_id(const struct membership *m)
{
	return m->id;
}

void
membership_counts(const struct membership *m, size_t *held, size_t *waiting)
{
	*held = m->claim_count;
	*waiting = m->waiting;
}

/* --- events ----------------------------------------------------------------------------- */

/* Should the partition be ours, by the members as last seen? */
static bool
is_ours(const struct membership *m, const char *topic, int32_t partition, int32_t count)
{
	int index = assign_range(&m->members, topic, partition, count);

	return index >= 0 && strcmp(m->members.list[index].id, m->id) == 0;
}

static bool
should_keep(const struct membership *m, const struct claim *c)
{
	const struct image_topic *t = image_topic(&m->s->image, c->topic);

	return t != NULL && uuid_equal(&t->id, &c->topic_id) &&
	       is_ours(m, c->topic, c->partition, t->partition_count);
}

static int
next_revoke(struct membership *m, struct membership_event *ev)
{
	for (size_t i = 0; i < m->claim_count; i++) {
		struct claim *c = &m->claims[i];

		if (c->revoking || should_keep(m, c))
			continue;
		c->revoking = true;
		*ev = (struct membership_event){
		    .kind = MEMBER_REVOKE, .topic = c->topic, .partition = c->partition};
		return 1;
	}
	return 0;
}

/* Tries for what should be ours and is not; counts what others still hold. */
static int
next_assigned(struct membership *m, struct membership_event *ev, struct err *err)
{
	m->waiting = 0;
	for (size_t i = 0; i < m->topic_count; i++) {
		const char *topic = m->topic_list[i];
		const struct image_topic *t;

		/* Taking a claim may read on in the metadata: look it up each time. */
		for (int32_t p = 0; (t = image_topic(&m->s->image, topic)) != NULL &&
		                    p < t->partition_count;
		     p++) {
			struct uuid id = t->id;
			int ret;

			if (!is_ours(m, topic, p, t->partition_count) ||
			    claim_find(m, topic, p) != NULL)
				continue;
			ret = claim_take(m, topic, &id, p, err);
			if (ret == -1)
				return -1;
			if (ret == 1) {
				*ev = (struct membership_event){
				    .kind = MEMBER_ASSIGNED, .topic = topic, .partition = p};
				return 1;
			}
			m->waiting++;
		}
	}
	return 0;
}

/* Without its file nobody counts this member: it would wait for ever, and others
 * for what it holds. */
static int
check_listed(const struct membership *m, const struct group_members *now, struct err *err)
{
	for (size_t i = 0; i < now->count; i++)
		if (strcmp(now->list[i].id, m->id) == 0)
			return 0;
	return err_set(err, ERR_UNKNOWN_MEMBER_ID,
	    "%s: removed, so this process is no member of group %s any more", m->path, m->group);
}

static int
look_at_all(struct membership *m, struct err *err)
{
	struct group_members now;

	m->looked_at_all_ns = os_mono_ns(m->s->os);
	if (group_members(m->s, m->group, &now, err) == -1)
		return -1;
	if (check_listed(m, &now, err) == -1) {
		group_members_release(&now);
		return -1;
	}
	group_members_release(&m->members);
	m->members = now;
	return 0;
}

/* 1: the next member after this one lives, or there is none; 0: it was removed. */
static int
check_next(const struct membership *m, struct err *err)
{
	const struct group_members *all = &m->members;
	char dir[STORE_PATH_MAX], path[STORE_PATH_MAX];
	const struct group_member *next = NULL;

	for (size_t i = 0; i < all->count && next == NULL; i++)
		if (strcmp(all->list[i].id, m->id) == 0)
			next = &all->list[(i + 1) % all->count];
	if (next == NULL || strcmp(next->id, m->id) == 0)
		return 1;
	if (snprintf(path, sizeof(path), "%s/mq.member.%s.%s", home_dir(m, dir), m->file, next->id) >=
	    (int)sizeof(path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	return member_lives(m->s, path, err);
}

/* 1: the members are those that were last seen; 0: perhaps not; -1. Notes the
 * directory's time for the next look. */
static int
is_unchanged(struct membership *m, struct err *err)
{
	struct os *os = m->s->os;
	int64_t was = m->dir_mtime_ms;
	char dir[STORE_PATH_MAX];
	struct os_stat st;

	m->dir_mtime_ms = -1;
	if (os_stat_path(os, home_dir(m, dir), &st) == -1)
		return 0; /* whoever lists it says why */
	if (os_wall_ms(os) - st.mtime_ms > DIR_SETTLED_MS)
		m->dir_mtime_ms = st.mtime_ms;
	if (was == -1 || was != m->dir_mtime_ms || m->members.count == 0 ||
	    os_mono_ns(os) - m->looked_at_all_ns >= LOOK_AT_ALL_NS)
		return 0;
	return check_next(m, err);
}

static int
look(struct membership *m, struct err *err)
{
	int same;

	m->changed = false;
	if (store_refresh(m->s, err) == -1 || (same = is_unchanged(m, err)) == -1 ||
	    (same == 0 && look_at_all(m, err) == -1))
		return -1;
	m->looked_ns = os_mono_ns(m->s->os);
	if (same == 0 || m->waiting > 0 || m->image_end != m->s->image.end_offset)
		m->looking = true;
	m->image_end = m->s->image.end_offset;
	return 0;
}

int
membership_poll(struct membership *m, struct membership_event *ev, struct err *err)
{
	int64_t since = os_mono_ns(m->s->os) - m->looked_ns;
	int ret;

	if (m->members.count == 0 || since >= LOOK_NS || (m->changed && since >= LOOK_AGAIN_NS))
		if (look(m, err) == -1)
			return -1;
	if (!m->looking)
		return 0;
	ret = next_revoke(m, ev);
	if (ret == 0)
		ret = next_assigned(m, ev, err);
	m->looking = ret == 1;
	return ret;
}
