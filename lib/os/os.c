/* What is built from the table of functions, for every kind of os. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "os/os.h"

#define NOTE_MAX 1024

void
os_note(struct os *os, enum os_level level, const char *fmt, ...)
{
	/* With room to see that a character is whole. */
	char text[NOTE_MAX + 4] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)text_cut(text, strlen(text), NOTE_MAX - 1);
	os->ops->note(os, level, text);
}

/* Appends an open file to `out`, and takes back what it added if it fails. */
static int
read_into(struct os *os, int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
	struct os_stat st;
	size_t before = out->len;

	if (os_stat(os, fd, &st) == -1)
		return err_sys(err, errno, "%s", path);
	if (st.size < 0 || (uint64_t)st.size > max)
		return err_set(err, ERR_TOO_LARGE, "%s: %lld bytes, at most %zu wanted", path,
		    (long long)st.size, max);
	if (st.size == 0)
		return 0;
	uint8_t *to = buf_extend(out, (size_t)st.size);
	if (to == NULL)
		return err_nomem(err);
	ssize_t n = os_read_at(os, fd, to, (size_t)st.size, 0);
	/* It may have shrunk since the stat: then what is there is the file. */
	out->len = before + (n > 0 ? (size_t)n : 0);
	return n == -1 ? err_sys(err, errno, "%s", path) : 0;
}

int
os_read_file(struct os *os, const char *path, size_t max, struct buf *out, struct err *err)
{
	int fd = os_open(os, path, OS_READ);

	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	int r = read_into(os, fd, path, max, out, err);
	os_close(os, fd);
	return r;
}

/* Writes the new content, durably, under the temporary name. */
static int
write_new(struct os *os, const char *path, const void *data, size_t len)
{
	int fd = os_open(os, path, OS_WRITE | OS_CREATE | OS_TRUNC);

	if (fd == -1)
		return -1;
	if (os_write_at(os, fd, data, len, 0) == -1 || os_sync(os, fd) == -1) {
		int why = errno;
		os_close(os, fd);
		errno = why;
		return -1;
	}
	return os_close(os, fd);
}

static int
sync_parent(struct os *os, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return os_sync_dir(os, ".");
	if (slash == path)
		return os_sync_dir(os, "/");
	char *dir = strndup(path, (size_t)(slash - path));
	if (dir == NULL) {
		errno = ENOMEM;
		return -1;
	}
	int r = os_sync_dir(os, dir);
	int why = errno;
	free(dir);
	errno = why;
	return r;
}

int
os_replace_file(struct os *os, const char *path, const void *data, size_t len, struct err *err)
{
	size_t size = strlen(path) + sizeof(".tmp");
	char *tmp = malloc(size);
	int r = 0;

	if (tmp == NULL)
		return err_nomem(err);
	snprintf(tmp, size, "%s.tmp", path);
	if (write_new(os, tmp, data, len) == -1 || os_rename(os, tmp, path) == -1) {
		r = err_sys(err, errno, "%s", tmp);
		/* Best effort: a name that is left over is harmless. */
		os_remove(os, tmp);
	} else if (sync_parent(os, path) == -1) {
		r = err_sys(err, errno, "%s: sync of its directory", path);
	}
	free(tmp);
	return r;
}
