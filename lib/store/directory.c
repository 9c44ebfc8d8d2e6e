/* Partitions' directories: made, whose they are, put away, removed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "log/segment.h"
#include "store/directory.h"

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
		if (text.failed)
			ret = err_nomem(err);
		else if (strncmp(line, head, sizeof(head) - 1) == 0 &&
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
partition_id_write(struct os *os, const char *dir, const struct uuid *id, struct err *err)
{
	char path[STORE_PATH_MAX], text[64], id_text[UUID_TEXT_SIZE];
	int len;

	if (snprintf(path, sizeof(path), "%s/partition.metadata", dir) >= (int)sizeof(path))
		return err_set(err, ERR_INVALID, "%s: the path is too long", dir);
	uuid_format(id, id_text);
	len = snprintf(text, sizeof(text), "version: 0\ntopic_id: %s", id_text);
	return os_replace_file(os, path, text, (size_t)len, err);
}

int
partition_make_directory(struct os *os, const char *store, const char *dir, struct err *err)
{
	if (os_mkdir(os, dir) == -1 && errno != EEXIST)
		return err_sys(err, errno, "%s: mkdir", dir);
	if (os_sync_dir(os, store) == -1)
		return err_sys(err, errno, "%s: sync", store);
	return 0;
}

static int
take_log(void *ctx, const char *name)
{
	struct segment_name n;

	(void)ctx;
	return segment_name_parse(name, &n) == 0 && n.kind == SEGMENT_LOG;
}

int
partition_has_log(struct os *os, const char *dir, struct err *err)
{
	int ret = os_list(os, dir, take_log, NULL);

	return ret == -1 ? err_sys(err, errno, "%s: list", dir) : ret;
}

int
partition_put_away(struct os *os, const char *store, const char *topic, int32_t number,
    const struct uuid *id, const char *why, char gone[STORE_PATH_MAX], struct err *err)
{
	char from[STORE_PATH_MAX], hex[33], tail[64];
	struct buf b = BUF_INIT;
	size_t name_max;

	text_hex_put(&b, id->bytes, sizeof(id->bytes));
	snprintf(hex, sizeof(hex), "%s", buf_cstr(&b));
	if (b.failed) {
		buf_release(&b);
		return err_nomem(err);
	}
	buf_release(&b);
	/* As Kafka does it: the topic is shortened where the name would be too long. */
	snprintf(tail, sizeof(tail), "-%d.%s-%s", number, hex, why);
	name_max = 255 - strlen(tail);
	snprintf(from, sizeof(from), "%s/%s-%d", store, topic, number);
	snprintf(gone, STORE_PATH_MAX, "%s/%.*s%s", store, (int)name_max, topic, tail);
	if (os_rename(os, from, gone) == -1)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s: rename", from);
	if (os_sync_dir(os, store) == -1)
		return err_sys(err, errno, "%s: sync", store);
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
