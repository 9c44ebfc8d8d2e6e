/* Partitions' directories: whose they are, put away, removed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/store_impl.h"

int
partition_id_read(struct os *os, const char *dir, struct uuid *id, struct err *err)
{
	static const char head[] = "version: 0\ntopic_id: ";
	char path[STORE_PATH_MAX];
	struct buf text = BUF_INIT;
	const char *line;
	int ret;

	if (snprintf(path, sizeof(path), "%s/partition.metadata", dir) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	ret = os_read_file(os, path, 4096, &text, err);
	if (ret == 0) {
		line = buf_cstr(&text);
		if (strncmp(line, head, sizeof(head) - 1) == 0 &&
		    uuid_parse(id, line + sizeof(head) - 1,
		        strcspn(line + sizeof(head) - 1, "\r\n")) == 0)
			ret = 1;
		else
			ret = err_set(err, ERR_CORRUPT, "%s: not a topic id", path);
	} else if (err->code == ERR_NOT_FOUND) {
		ret = 0;
	}
	buf_release(&text);
	return ret;
}

int
partition_put_away(struct store *s, const char *topic, int32_t number, const struct uuid *id,
    char gone[STORE_PATH_MAX], struct err *err)
{
	char from[STORE_PATH_MAX], hex[33], tail[64];
	struct buf b = BUF_INIT;
	size_t name_max;

	text_hex_put(&b, id->bytes, sizeof(id->bytes));
	snprintf(hex, sizeof(hex), "%s", buf_cstr(&b));
	buf_release(&b);
	/* As Kafka does it: the topic is shortened where the name would be too long. */
	snprintf(tail, sizeof(tail), "-%d.%s-delete", number, hex);
	name_max = 255 - strlen(tail);
	snprintf(from, sizeof(from), "%s/%s-%d", s->dir, topic, number);
	snprintf(gone, STORE_PATH_MAX, "%s/%.*s%s", s->dir, (int)name_max, topic, tail);
	if (os_rename(s->os, from, gone) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: rename", from);
	if (os_sync_dir(s->os, s->dir) == -1)
		return err_sys(err, errno, "%s: sync", s->dir);
	return 1;
}

struct removal {
	struct os *os;
	const char *dir;
	char (*names)[256];
	size_t count;
};

static int
take_some_names(void *ctx, const char *name)
{
	struct removal *r = ctx;

	snprintf(r->names[r->count++], sizeof(r->names[0]), "%s", name);
	return r->count == 64;
}

int
directory_remove(struct os *os, const char *dir, struct err *err)
{
	char names[64][256], path[STORE_PATH_MAX];
	struct removal r = {.os = os, .dir = dir, .names = names};

	do {
		r.count = 0;
		if (os_list(os, dir, take_some_names, &r) == -1)
			return errno == ENOENT ? 0 : err_sys(err, errno, "%s: list", dir);
		for (size_t i = 0; i < r.count; i++) {
			if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path))
				return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
			if (os_remove(os, path) == -1 && errno != ENOENT)
				return err_sys(err, errno, "%s: remove", path);
		}
	} while (r.count > 0);
	if (os_rmdir(os, dir) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: rmdir", dir);
	return 0;
}
