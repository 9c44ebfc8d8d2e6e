/* Members of groups: files that live as long as somebody holds their lock. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/groups_impl.h"

static void
member_release(struct group_member *m)
{
	free(m->client_id);
	for (size_t i = 0; i < m->topic_count; i++)
		free(m->topics[i]);
	free(m->topics);
}

void
group_members_release(struct group_members *m)
{
	for (size_t i = 0; i < m->count; i++)
		member_release(&m->list[i]);
	free(m->list);
	memset(m, 0, sizeof(*m));
}

/* --- one member's file ------------------------------------------------------------ */

/* The next line, cut off in place; NULL at the end. */
static char *
next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return line;
}

static int
add_topic(struct group_member *m, const char *topic)
{
	char **grown = realloc(m->topics, (m->topic_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return -1;
	m->topics = grown;
	m->topics[m->topic_count] = strdup(topic);
	return m->topics[m->topic_count++] == NULL ? -1 : 0;
}

/* Group, client id, process id, topics, a line each. 1: a member of `group`
 * (NULL: of any); 0: of another, or nothing that can be read; -1. */
static int
parse_member(char *text, const char *group, struct group_member *m, char **name)
{
	char *line = next_line(&text);
	int64_t pid = 0;

	if (line == NULL || (group != NULL && strcmp(line, group) != 0))
		return 0;
	*name = line;
	line = next_line(&text);
	if (line == NULL)
		return 0;
	m->client_id = strdup(line);
	line = next_line(&text);
	if (line != NULL && text_int(line, 0, INT32_MAX, &pid) == 0)
		m->pid = (int32_t)pid;
	while ((line = next_line(&text)) != NULL)
		if (add_topic(m, line) == -1)
			return -1;
	return m->client_id == NULL ? -1 : 1;
}

/* --- who lives ---------------------------------------------------------------------- */

struct names {
	const char *prefix;
	char (*list)[256];
	size_t count, cap;
	bool nomem;
};

static int
take_name(void *ctx, const char *name)
{
	struct names *n = ctx;

	if (strncmp(name, n->prefix, strlen(n->prefix)) != 0 || strlen(name) > 255)
		return 0;
	if (n->count == n->cap) {
		size_t cap = n->cap * 2 + 16;
		char(*grown)[256] = realloc(n->list, cap * sizeof(*grown));

		if (grown == NULL) {
			n->nomem = true;
			return 1;
		}
		n->list = grown;
		n->cap = cap;
	}
	snprintf(n->list[n->count++], sizeof(n->list[0]), "%s", name);
	return 0;
}

static int
names_read(struct store *s, const char *dir, const char *prefix, struct names *n, struct err *err)
{
	*n = (struct names){.prefix = prefix};
	if (os_list(s->os, dir, take_name, n) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: list", dir);
	if (!n->nomem)
		return 0;
	free(n->list);
	return err_nomem(err);
}

/* A shared lock is tried, so that two who look at the same time do not take each other
 * for the member. */
int
member_lives(struct store *s, const char *path, struct err *err)
{
	int fd = os_open(s->os, path, OS_READ), ret = 1;

	if (fd == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: open", path);
	if (os_lock(s->os, fd, OS_LOCK_SHARED) == 0) {
		if (!s->options.read_only)
			(void)os_remove(s->os, path);
		ret = 0;
	} else if (errno != EAGAIN) {
		ret = err_sys(err, errno, "%s: lock", path);
	}
	os_close(s->os, fd);
	return ret;
}

/* As member_lives, and its text is appended. */
static int
read_living(struct store *s, const char *path, struct buf *text, struct err *err)
{
	int ret = member_lives(s, path, err);

	if (ret == 1 && os_read_file(s->os, path, MEMBER_FILE_MAX, text, err) == -1)
		ret = err->code == ERR_NOT_FOUND ? 0 : -1;
	return ret;
}

static int
members_add(struct group_members *all, struct group_member *m)
{
	if (all->count == all->cap) {
		size_t cap = all->cap * 2 + 8;
		struct group_member *grown = realloc(all->list, cap * sizeof(*grown));

		if (grown == NULL)
			return -1;
		all->list = grown;
		all->cap = cap;
	}
	all->list[all->count++] = *m;
	return 0;
}

/* Takes one file into the list, if its member lives and is one of `group` (NULL:
 * any); `found` is then the group's name, in `text`. */
static int
take_member(struct store *s, const char *dir, const char *name, const char *group,
    struct group_members *all, struct buf *text, char **found, struct err *err)
{
	struct group_member m = {.pid = 0};
	char path[STORE_PATH_MAX];
	const char *dot = strrchr(name, '.');
	int ret;

	*found = NULL;
	if (dot == NULL || strlen(dot + 1) != sizeof(m.id) - 1)
		return 0;
	memcpy(m.id, dot + 1, sizeof(m.id));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_clear(text);
	ret = read_living(s, path, text, err);
	if (ret != 1)
		return ret;
	buf_put(text, "", 1);
	if (text->failed)
		return err_nomem(err);
	ret = parse_member((char *)text->data, group, &m, found);
	if (ret == 1 && members_add(all, &m) == 0)
		return 0;
	member_release(&m);
	return ret == 0 ? 0 : err_nomem(err);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct group_member *)a)->id, ((const struct group_member *)b)->id);
}

int
group_members(struct store *s, const char *group, struct group_members *out, struct err *err)
{
	char prefix[GROUP_FILE_MAX + 16], file[GROUP_FILE_MAX], dir[STORE_PATH_MAX], *found;
	struct buf text = BUF_INIT;
	struct names names;
	int32_t home;
	int ret = 0;

	memset(out, 0, sizeof(*out));
	if (store_refresh(s, err) == -1)
		return -1;
	home = group_home(s, group);
	if (home == -1)
		return 0;
	group_file_name(group, file);
	snprintf(prefix, sizeof(prefix), "mq.member.%s.", file);
	snprintf(dir, sizeof(dir), "%s/" OFFSETS_TOPIC "-%d", s->dir, home);
	if (names_read(s, dir, prefix, &names, err) == -1)
		return -1;
	for (size_t i = 0; ret == 0 && i < names.count; i++)
		ret = take_member(s, dir, names.list[i], group, out, &text, &found, err);
	free(names.list);
	buf_release(&text);
	if (ret == -1)
		group_members_release(out);
	else if (out->count > 0)
		qsort(out->list, out->count, sizeof(*out->list), by_id);
	return ret;
}

int
members_each_group(struct store *s, int32_t partition,
    int (*each)(void *ctx, const char *group, struct err *err), void *ctx, struct err *err)
{
	struct group_members all = {0};
	char dir[STORE_PATH_MAX], *group;
	struct buf text = BUF_INIT;
	struct names names;
	int ret = 0;

	snprintf(dir, sizeof(dir), "%s/" OFFSETS_TOPIC "-%d", s->dir, partition);
	if (names_read(s, dir, "mq.member.", &names, err) == -1)
		return -1;
	for (size_t i = 0; ret == 0 && i < names.count; i++) {
		ret = take_member(s, dir, names.list[i], NULL, &all, &text, &group, err);
		if (ret == 0 && group != NULL)
			ret = each(ctx, group, err);
	}
	free(names.list);
	buf_release(&text);
	group_members_release(&all);
	return ret;
}

/* --- assignment ------------------------------------------------------------------------ */

static bool
wants(const struct group_member *m, const char *topic)
{
	for (size_t i = 0; i < m->topic_count; i++)
		if (strcmp(m->topics[i], topic) == 0)
			return true;
	return false;
}

int
assign_range(
    const struct group_members *m, const char *topic, int32_t partition, int32_t partition_count)
{
	int32_t count = 0, each, more, number = 0;

	for (size_t i = 0; i < m->count; i++)
		count += wants(&m->list[i], topic);
	if (count == 0 || partition < 0 || partition >= partition_count)
		return -1;
	each = partition_count / count;
	more = partition_count % count; /* so many get one more */
	for (size_t i = 0; i < m->count; i++) {
		int32_t start;

		if (!wants(&m->list[i], topic))
			continue;
		start = each * number + (number < more ? number : more);
		if (partition >= start && partition < start + each + (number < more))
			return (int)i;
		number++;
	}
	return -1;
}
