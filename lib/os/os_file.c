/* The machine's files and names. */
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/os_real_impl.h"

/* Not in every linux/magic.h. */
#define MAGIC_CIFS 0xFF534D42u
#define MAGIC_SMB2 0xFE534D42u
#define MAGIC_LUSTRE 0x0BD00BD0u

static int
close_failed(int fd, int why)
{
	close(fd);
	errno = why;
	return -1;
}

int
os_file_open(struct os *os, const char *path, int flags)
{
	/* O_NONBLOCK: a fifo where a file should be does not hang here. */
	int mode = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (flags & OS_WRITE ? O_RDWR : O_RDONLY);
	struct stat st;
	int fd;

	(void)os;
	if (flags & OS_CREATE)
		mode |= O_CREAT;
	if (flags & OS_EXCL)
		mode |= O_EXCL;
	if (flags & OS_TRUNC)
		mode |= O_TRUNC;
	do
		fd = open(path, mode, 0644);
	while (fd == -1 && errno == EINTR);
	if (fd == -1)
		return fd;
	if (fstat(fd, &st) == -1)
		return close_failed(fd, errno);
	if (S_ISDIR(st.st_mode))
		return close_failed(fd, EISDIR);
	/* A device may have no end, and be searched for a good batch for ever. */
	if (!S_ISREG(st.st_mode))
		return close_failed(fd, EOPNOTSUPP);
	return fd;
}

int
os_file_close(struct os *os, int fd)
{
	(void)os;
	/* Linux has closed it also when it says EINTR. */
	return close(fd) == -1 && errno != EINTR ? -1 : 0;
}

ssize_t
os_file_read_at(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	uint8_t *to = data;
	size_t got = 0;

	(void)os;
	while (got < len) {
		ssize_t n = pread(fd, to + got, len - got, offset + (int64_t)got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

ssize_t
os_file_read_resident(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	struct iovec iov = {.iov_base = data, .iov_len = len};
	ssize_t n;

	(void)os;
	do
		n = preadv2(fd, &iov, 1, offset, RWF_NOWAIT);
	while (n == -1 && errno == EINTR);
	/* Where the file system knows no RWF_NOWAIT, a plain read might wait. */
	if (n == -1 && errno == EOPNOTSUPP)
		errno = EAGAIN;
	return n;
}

/* pwritev without EINTR and without a silent nothing. */
static ssize_t
write_some(int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	ssize_t n;

	do
		n = pwritev(fd, iov, iov_count, offset);
	while (n == -1 && errno == EINTR);
	if (n == 0) {
		errno = EIO;
		return -1;
	}
	return n;
}

/* Goes on through the pieces from byte `skip` on, a window of them at a time:
 * the caller's array is not ours to adjust. */
static int
write_rest(int fd, const struct iovec *iov, int iov_count, int64_t offset, size_t skip)
{
	struct iovec window[64];

	for (;;) {
		int count = 0;
		for (; iov_count > 0 && skip >= iov->iov_len; iov++, iov_count--)
			skip -= iov->iov_len;
		for (; count < iov_count && count < 64; count++)
			window[count] = iov[count];
		if (count == 0)
			return 0;
		window[0].iov_base = (char *)window[0].iov_base + skip;
		window[0].iov_len -= skip;
		ssize_t n = write_some(fd, window, count, offset);
		if (n == -1)
			return -1;
		offset += n;
		skip += (size_t)n;
	}
}

int
os_file_write_at(struct os *os, int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	size_t len = 0;

	(void)os;
	for (int i = 0; i < iov_count; i++)
		len += iov[i].iov_len;
	if (len == 0)
		return 0;
	if (iov_count > IOV_MAX)
		return write_rest(fd, iov, iov_count, offset, 0);
	ssize_t n = write_some(fd, iov, iov_count, offset);
	if (n == -1)
		return -1;
	if ((size_t)n == len)
		return 0;
	return write_rest(fd, iov, iov_count, offset + n, (size_t)n);
}

int
os_file_truncate(struct os *os, int fd, int64_t size)
{
	int r;

	(void)os;
	do
		r = ftruncate(fd, size);
	while (r == -1 && errno == EINTR);
	return r;
}

int
os_file_sync(struct os *os, int fd)
{
	int r;

	(void)os;
	/* Interrupted is not failed: nothing was reported, nothing forgotten. */
	do
		r = fdatasync(fd);
	while (r == -1 && errno == EINTR);
	return r;
}

static void
stat_convert(const struct stat *from, struct os_stat *to)
{
	*to = (struct os_stat){
	    .size = from->st_size,
	    .mtime_ms = (int64_t)from->st_mtim.tv_sec * 1000 + from->st_mtim.tv_nsec / 1000000,
	    .inode = from->st_ino,
	    .device = from->st_dev,
	    .links = (uint32_t)from->st_nlink,
	    .is_dir = S_ISDIR(from->st_mode),
	};
}

int
os_file_stat(struct os *os, int fd, struct os_stat *st)
{
	struct stat s;

	(void)os;
	if (fstat(fd, &s) == -1)
		return -1;
	stat_convert(&s, st);
	return 0;
}

int
os_file_stat_path(struct os *os, const char *path, struct os_stat *st)
{
	struct stat s;

	(void)os;
	if (stat(path, &s) == -1)
		return -1;
	stat_convert(&s, st);
	return 0;
}

int
os_file_rename(struct os *os, const char *from, const char *to)
{
	(void)os;
	return rename(from, to);
}

int
os_file_remove(struct os *os, const char *path)
{
	(void)os;
	return unlink(path);
}

int
os_file_mkdir(struct os *os, const char *path)
{
	(void)os;
	return mkdir(path, 0755);
}

int
os_file_rmdir(struct os *os, const char *path)
{
	(void)os;
	return rmdir(path);
}

int
os_file_list(struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int result = 0;

	(void)os;
	if (dir == NULL)
		return -1;
	while (result == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = each(ctx, entry->d_name);
	int why = errno;
	if (result == 0 && why != 0)
		result = -1;
	closedir(dir);
	errno = why;
	return result;
}

int
os_file_sync_dir(struct os *os, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	(void)os;
	if (fd == -1)
		return -1;
	do
		r = fsync(fd);
	while (r == -1 && errno == EINTR);
	if (r == -1)
		return close_failed(fd, errno);
	return os_file_close(os, fd);
}

/* FUSE is not among them: most of what it carries is local. */
static bool
is_network(const struct statfs *fs)
{
	switch ((uint32_t)fs->f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case MAGIC_CIFS:
	case MAGIC_SMB2:
	case MAGIC_LUSTRE:
	case V9FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case AFS_SUPER_MAGIC:
	case AFS_FS_MAGIC:
	case CODA_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

int
os_file_space(struct os *os, const char *path, struct os_space *space)
{
	struct statvfs vfs;
	struct statfs fs;

	(void)os;
	if (statvfs(path, &vfs) == -1 || statfs(path, &fs) == -1)
		return -1;
	*space = (struct os_space){
	    .free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize,
	    .total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize,
	    .is_network = is_network(&fs),
	    .is_read_only = (vfs.f_flag & ST_RDONLY) != 0,
	};
	return 0;
}
