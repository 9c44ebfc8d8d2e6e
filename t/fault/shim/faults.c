/*
 * faults: a preloaded library that counts the calls by which a process changes
 * files below one directory, and makes one of them go wrong.
 *
 *	MQ_FAULT_DIR=DIR    what counts lies below it; absolute, without symlinks
 *	MQ_FAULT=...        what happens at the Nth call that counts:
 *	    kill:N                   the process dies (SIGKILL) instead of it
 *	    kill-after:N             ... when it is done
 *	    kill-mid:N               ... when half of what it writes is written; as
 *	                             kill:N if it writes nothing or a single byte
 *	    stop:N                   the process stops (SIGSTOP) before it
 *	    stop-mid:N               ... when half of what it writes is written
 *	    fail:N:ERRNO[:sticky]    it fails; sticky: so do all that follow
 *	    short:N:ERRNO[:sticky]   half of it is written, the next call fails
 *	    count                    nothing, as if unset
 *	MQ_FAULT_ONLY=CLASS,...      what counts: write truncate rename unlink create
 *	                             mkdir sync (these if unset), open read close
 *	MQ_FAULT_NAME=PATTERN        and only on paths, seen from DIR, that fnmatch
 *	MQ_FAULT_SYNC=quick          syncs count, and may fail, but do not reach the disk: a
 *	                             process's death does not ask for them
 *	MQ_FAULT_COUNT=FILE          the count, 8 bytes as the machine has them, shared
 *	                             by all processes that are given this file
 *	MQ_FAULT_LOG=FILE            a line for each call that counts:
 *	                             "PID N CALL PATH [PATH2|SIZE@OFFSET|SIZE] = RESULT",
 *	                             before syncs also "PID N CALL-BEGIN PATH", and for
 *	                             a write to stdout "PID - out SIZE"
 *	MQ_FAULT_DATA=1              with a write's bytes behind its line, so that crash
 *	                             images can be made of it (t/fault/image)
 *	MQ_FAULT_BOOT=FILE           holds the id of a boot, instead of the machine's
 *
 * "create" is an open that makes or empties a file, "unlink" also a rmdir. The
 * count goes on in threads and forked children. What libc's stdio writes is not
 * seen: it does not pass through a symbol that can be replaced.
 */

/* Both the plain and the 64-bit names are defined here. */
#undef _FILE_OFFSET_BITS
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum class {
	WRITE = 1 << 0,
	TRUNCATE = 1 << 1,
	RENAME = 1 << 2,
	UNLINK = 1 << 3,
	CREATE = 1 << 4,
	MKDIR = 1 << 5,
	SYNC = 1 << 6,
	OPEN = 1 << 7,
	READ = 1 << 8,
	CLOSE = 1 << 9,
	CHANGES = SYNC * 2 - 1, /* all up to it */
};

static const struct {
	const char *name;
	enum class class;
} classes[] = {{"write", WRITE}, {"truncate", TRUNCATE}, {"rename", RENAME}, {"unlink", UNLINK},
    {"create", CREATE}, {"mkdir", MKDIR}, {"sync", SYNC}, {"open", OPEN}, {"read", READ},
    {"close", CLOSE}};

enum mode { COUNT, KILL, KILL_AFTER, KILL_MID, STOP, STOP_MID, FAIL, SHORT };

static const struct {
	const char *name;
	enum mode mode;
} modes[] = {{"count", COUNT}, {"kill", KILL}, {"kill-after", KILL_AFTER}, {"kill-mid", KILL_MID},
    {"stop", STOP}, {"stop-mid", STOP_MID}, {"fail", FAIL}, {"short", SHORT}};

static const struct {
	const char *name;
	int number;
} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
    {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EACCES", EACCES}, {"ENOMEM", ENOMEM},
    {"EFBIG", EFBIG}, {"EINTR", EINTR}};

/* Read from the environment once, before main. */
static struct {
	const char *dir; /* NULL: nothing counts */
	size_t dir_len;
	const char *pattern;
	unsigned only;
	enum mode mode;
	uint64_t at;
	int error;
	bool sticky;
	bool quick;
	bool data;
	const char *boot; /* NULL: the machine's own */
	int log_fd; /* -1: none */
} plan = {.log_fd = -1};

static _Atomic uint64_t *count;

/* --- reading the environment ----------------------------------------------- */

/* A test that is told wrongly must not pass. */
__attribute__((noreturn)) static void
refuse(const char *what, const char *text)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "faults.so: %s '%s' is not understood\n", what, text);

	if (len > 0 && syscall(SYS_write, STDERR_FILENO, line, (size_t)len) == -1)
		_exit(99);
	_exit(99);
}

/* The next piece of *text up to a `stop`; "" at the end. */
static void
next_piece(const char **text, char stop, char *piece, size_t size)
{
	size_t len = strcspn(*text, (char[]){stop, '\0'});

	if (len >= size)
		refuse("this", *text);
	memcpy(piece, *text, len);
	piece[len] = '\0';
	*text += len + ((*text)[len] == stop);
}

static void
read_only(const char *text)
{
	char piece[32];
	size_t i;

	plan.only = 0;
	while (*text != '\0') {
		next_piece(&text, ',', piece, sizeof(piece));
		for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
			if (strcmp(piece, classes[i].name) == 0)
				break;
		if (i == sizeof(classes) / sizeof(classes[0]))
			refuse("MQ_FAULT_ONLY", piece);
		plan.only |= classes[i].class;
	}
}

static void
read_fault(const char *text)
{
	char piece[32], *end;
	size_t i;

	next_piece(&text, ':', piece, sizeof(piece));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(piece, modes[i].name) == 0)
			break;
	if (i == sizeof(modes) / sizeof(modes[0]))
		refuse("MQ_FAULT", piece);
	plan.mode = modes[i].mode;
	if (plan.mode == COUNT)
		return;
	next_piece(&text, ':', piece, sizeof(piece));
	plan.at = strtoull(piece, &end, 10);
	if (plan.at == 0 || *end != '\0')
		refuse("MQ_FAULT: number", piece);
	if (plan.mode != FAIL && plan.mode != SHORT)
		return;
	next_piece(&text, ':', piece, sizeof(piece));
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(piece, errors[i].name) == 0)
			plan.error = errors[i].number;
	if (plan.error == 0)
		refuse("MQ_FAULT: error", piece);
	plan.sticky = strcmp(text, "sticky") == 0;
	if (!plan.sticky && *text != '\0')
		refuse("MQ_FAULT", text);
}

static int
open_raw(const char *path, int flags)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644);

	if (fd == -1)
		refuse("file", path);
	return (int)fd;
}

/* A page of the count's file, or one that only children share. */
static void
map_count(const char *path)
{
	int fd = path != NULL ? open_raw(path, O_RDWR | O_CREAT) : -1;
	void *page;

	if (fd != -1 && syscall(SYS_ftruncate, fd, (off_t)sizeof(*count)) == -1)
		refuse("MQ_FAULT_COUNT", path);
	page = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
	    fd == -1 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		refuse("MQ_FAULT_COUNT", path != NULL ? path : "");
	if (fd != -1)
		syscall(SYS_close, fd);
	count = page;
}

__attribute__((constructor)) static void
faults_init(void)
{
	const char *fault = getenv("MQ_FAULT"), *only = getenv("MQ_FAULT_ONLY");
	const char *log = getenv("MQ_FAULT_LOG"), *dir = getenv("MQ_FAULT_DIR");
	const char *sync = getenv("MQ_FAULT_SYNC");

	if (dir == NULL)
		return;
	if (dir[0] != '/' || strlen(dir) < 2)
		refuse("MQ_FAULT_DIR", dir);
	plan.only = CHANGES;
	if (only != NULL)
		read_only(only);
	if (fault != NULL)
		read_fault(fault);
	if (sync != NULL && strcmp(sync, "quick") != 0)
		refuse("MQ_FAULT_SYNC", sync);
	plan.quick = sync != NULL;
	plan.data = getenv("MQ_FAULT_DATA") != NULL;
	plan.boot = getenv("MQ_FAULT_BOOT");
	plan.pattern = getenv("MQ_FAULT_NAME");
	if (log != NULL)
		plan.log_fd = open_raw(log, O_WRONLY | O_CREAT | O_APPEND);
	map_count(getenv("MQ_FAULT_COUNT"));
	plan.dir_len = strlen(dir);
	plan.dir = dir;
}

/* --- paths ----------------------------------------------------------------- */

static bool
counts(const char *path)
{
	const char *rest;

	if (strncmp(path, plan.dir, plan.dir_len) != 0)
		return false;
	rest = path + plan.dir_len;
	if (*rest != '/' && *rest != '\0')
		return false;
	return plan.pattern == NULL || fnmatch(plan.pattern, rest + (*rest == '/'), 0) == 0;
}

/* As the log has it: seen from DIR, which is "/". */
static const char *
seen(const char *path)
{
	return path[plan.dir_len] != '\0' ? path + plan.dir_len : "/";
}

/* Of a descriptor; "" if it has none. */
static void
path_of_fd(int fd, char path[PATH_MAX])
{
	char link[64];
	long len = -1;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fd >= 0)
		len = syscall(SYS_readlinkat, AT_FDCWD, link, path, (size_t)PATH_MAX - 1);
	path[len > 0 ? len : 0] = '\0';
}

/* Made absolute, with whatever dots it has. */
static void
path_of_name(int dirfd, const char *name, char path[PATH_MAX])
{
	size_t len = 0;

	path[0] = '\0';
	if (name[0] != '/') {
		if (dirfd != AT_FDCWD)
			path_of_fd(dirfd, path);
		else if (syscall(SYS_getcwd, path, (size_t)PATH_MAX) == -1)
			path[0] = '\0';
		len = strlen(path);
	}
	snprintf(path + len, PATH_MAX - len, "%s%s", name[0] == '/' ? "" : "/", name);
}

/* --- the fault ------------------------------------------------------------- */

enum verdict { GO, HALF, REFUSED };

struct op {
	const char *name;
	enum class class;
	uint64_t number;     /* 0: does not count */
	char path[PATH_MAX]; /* seen from DIR, if it counts */
	char more[PATH_MAX + 32];
	const struct iovec *data; /* of a write, for the log; NULL: none */
	int pieces;
};

__attribute__((noreturn)) static void
die(void)
{
	for (;;)
		syscall(SYS_kill, getpid(), SIGKILL);
}

/* A line, and the first `bytes` of what an operation wrote, in one piece: threads share
 * the log. */
static void
put_line(const char *line, int len, const struct op *op, long bytes)
{
	struct iovec all[IOV_MAX] = {{(void *)(uintptr_t)line, (size_t)len}};
	int n = 1, saved = errno;
	long want = len;

	for (; op != NULL && bytes > 0 && n <= op->pieces && n < IOV_MAX; n++) {
		all[n] = op->data[n - 1];
		if ((long)all[n].iov_len > bytes)
			all[n].iov_len = (size_t)bytes;
		bytes -= (long)all[n].iov_len;
		want += (long)all[n].iov_len;
	}
	if (syscall(SYS_writev, plan.log_fd, all, (long)n) != want)
		refuse("MQ_FAULT_LOG", "full");
	errno = saved;
}

__attribute__((format(printf, 3, 4))) static void
note(const struct op *op, long bytes, const char *fmt, ...)
{
	char line[2 * PATH_MAX + 200];
	int len;
	va_list ap;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof(line))
		put_line(line, len, op, bytes);
}

/* Counts the call if op->path counts, and says what shall become of it. */
static enum verdict
before(struct op *op)
{
	bool writes = op->class == WRITE;

	op->number = 0;
	if ((plan.only & op->class) == 0 || !counts(op->path))
		return GO;
	op->number = atomic_fetch_add(count, 1) + 1;
	if (plan.log_fd != -1 && op->class == SYNC)
		note(NULL, 0, "%d %llu %s-begin %s\n", getpid(), (unsigned long long)op->number, op->name,
		    seen(op->path));
	switch (plan.mode) {
	case KILL:
		if (op->number == plan.at)
			die();
		break;
	case KILL_MID:
		if (op->number == plan.at && !writes)
			die();
		return op->number == plan.at ? HALF : GO;
	case STOP:
		if (op->number == plan.at)
			syscall(SYS_kill, getpid(), SIGSTOP);
		break;
	case STOP_MID:
		return op->number == plan.at && writes ? HALF : GO;
	case SHORT:
		if (op->number == plan.at && writes)
			return HALF;
		if (op->number == plan.at + 1 || (plan.sticky && op->number > plan.at)) {
			errno = plan.error;
			return REFUSED;
		}
		break;
	case FAIL:
		if (op->number == plan.at || (plan.sticky && op->number > plan.at)) {
			errno = plan.error;
			return REFUSED;
		}
		break;
	case COUNT:
	case KILL_AFTER:
		break;
	}
	return GO;
}

/* Passes the result on. */
static long
after(const struct op *op, long result)
{
	if (op->number == 0)
		return result;
	if (plan.log_fd != -1)
		note(op, plan.data ? result : 0, "%d %llu %s %s %s= %ld\n", getpid(), (unsigned long long)op->number,
		    op->name, seen(op->path), op->more, result);
	if (op->number == plan.at && (plan.mode == KILL_AFTER || plan.mode == KILL_MID))
		die();
	if (op->number == plan.at && plan.mode == STOP_MID)
		syscall(SYS_kill, getpid(), SIGSTOP);
	return result;
}

/* --- calls on descriptors -------------------------------------------------- */

/* The first half of the bytes, at least one byte short. */
static int
halve(const struct iovec *iov, int n, struct iovec *half)
{
	size_t total = 0;
	int used = 0;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	total /= 2;
	for (; used < n && total > 0; used++) {
		half[used] = iov[used];
		if (half[used].iov_len > total)
			half[used].iov_len = total;
		total -= half[used].iov_len;
	}
	return used;
}

/* All writes: at `offset`, or where the descriptor stands (-1). */
static ssize_t
write_any(const char *name, int fd, const struct iovec *iov, int n, int64_t offset, int flags)
{
	struct op op = {.name = name, .class = WRITE};
	struct iovec half[IOV_MAX];
	long result = -1;

	if (plan.dir != NULL) {
		path_of_fd(fd, op.path);
		switch (before(&op)) {
		case GO:
			break;
		case HALF:
			n = halve(iov, n, half);
			if (n == 0)
				die();
			iov = half;
			break;
		case REFUSED:
			return after(&op, -1);
		}
	}
	result = syscall(SYS_pwritev2, fd, iov, (long)n, (long)offset, 0L, (long)flags);
	op.data = iov;
	op.pieces = n;
	if (op.number != 0 && plan.log_fd != -1)
		snprintf(op.more, sizeof(op.more), "%ld@%lld ", result, (long long)offset);
	else if (fd == STDOUT_FILENO && plan.dir != NULL && plan.log_fd != -1)
		note(NULL, 0, "%d - out %ld\n", getpid(), result);
	return after(&op, result);
}

static long
call_on_fd(const char *name, enum class class, int fd, long number, long a, long b, long c)
{
	struct op op = {.name = name, .class = class};

	if (plan.dir != NULL && ((plan.only & class) != 0 || plan.quick)) {
		path_of_fd(fd, op.path);
		if (class == TRUNCATE)
			snprintf(op.more, sizeof(op.more), "%ld ", a);
		if (before(&op) == REFUSED) {
			/* A close that fails has closed. */
			if (class == CLOSE)
				syscall(SYS_close, fd);
			errno = plan.error;
			return after(&op, -1);
		}
		if (plan.quick && class == SYNC)
			return after(&op, 0);
	}
	return after(&op, syscall(number, fd, a, b, c));
}

ssize_t
write(int fd, const void *data, size_t len)
{
	return write_any("write", fd, &(struct iovec){(void *)(uintptr_t)data, len}, 1, -1, 0);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	return write_any("writev", fd, iov, n, -1, 0);
}

#define DEFINE_WRITES(pwrite, pwritev, pwritev2, off) \
	ssize_t pwrite(int fd, const void *data, size_t len, off at) \
	{ \
		return write_any("pwrite", fd, &(struct iovec){(void *)(uintptr_t)data, len}, 1, \
		    at, 0); \
	} \
	ssize_t pwritev(int fd, const struct iovec *iov, int n, off at) \
	{ \
		return write_any("pwritev", fd, iov, n, at, 0); \
	} \
	ssize_t pwritev2(int fd, const struct iovec *iov, int n, off at, int flags) \
	{ \
		return write_any("pwritev2", fd, iov, n, at, flags); \
	}

DEFINE_WRITES(pwrite, pwritev, pwritev2, off_t)
DEFINE_WRITES(pwrite64, pwritev64, pwritev64v2, off64_t)

ssize_t
read(int fd, void *data, size_t len)
{
	return call_on_fd("read", READ, fd, SYS_read, (long)data, (long)len, 0);
}

#define DEFINE_BY_OFFSET(pread, ftruncate, off) \
	ssize_t pread(int fd, void *data, size_t len, off at) \
	{ \
		return call_on_fd("pread", READ, fd, SYS_pread64, (long)data, (long)len, at); \
	} \
	int ftruncate(int fd, off size) \
	{ \
		return (int)call_on_fd("ftruncate", TRUNCATE, fd, SYS_ftruncate, size, 0, 0); \
	}

DEFINE_BY_OFFSET(pread, ftruncate, off_t)
DEFINE_BY_OFFSET(pread64, ftruncate64, off64_t)

int
fsync(int fd)
{
	return (int)call_on_fd("fsync", SYNC, fd, SYS_fsync, 0, 0, 0);
}

int
fdatasync(int fd)
{
	return (int)call_on_fd("fdatasync", SYNC, fd, SYS_fdatasync, 0, 0, 0);
}

int
close(int fd)
{
	return (int)call_on_fd("close", CLOSE, fd, SYS_close, 0, 0, 0);
}

/* --- calls on names -------------------------------------------------------- */

static int
open_any(int dirfd, const char *name, int flags, mode_t mode)
{
	struct op op = {.name = "open", .class = OPEN};
	struct stat st;

	if (plan.boot != NULL && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0)
		name = plan.boot;
	if (plan.dir != NULL) {
		/* One that makes nothing and empties nothing changes nothing. */
		if ((plan.only & OPEN) == 0 &&
		    ((flags & O_TRUNC) != 0 ||
		        ((flags & O_CREAT) != 0 && fstatat(dirfd, name, &st, 0) == -1)))
			op.class = CREATE;
		path_of_name(dirfd, name, op.path);
		if (before(&op) == REFUSED)
			return (int)after(&op, -1);
	}
	return (int)after(&op, syscall(SYS_openat, dirfd, name, flags, mode));
}

/* The optional mode of an open. */
#define MODE_OF(flags, mode) \
	do { \
		va_list ap; \
		va_start(ap, flags); \
		(mode) = ((flags) & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0; \
		va_end(ap); \
	} while (0)

#define DEFINE_OPENS(open, openat, creat) \
	int open(const char *name, int flags, ...) \
	{ \
		mode_t mode; \
		MODE_OF(flags, mode); \
		return open_any(AT_FDCWD, name, flags, mode); \
	} \
	int openat(int dirfd, const char *name, int flags, ...) \
	{ \
		mode_t mode; \
		MODE_OF(flags, mode); \
		return open_any(dirfd, name, flags, mode); \
	} \
	int creat(const char *name, mode_t mode) \
	{ \
		return open_any(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, mode); \
	}

DEFINE_OPENS(open, openat, creat)
DEFINE_OPENS(open64, openat64, creat64)

/* What fortified programs call where no mode is needed. */
#define DEFINE_FORTIFIED(open, openat) \
	int open(const char *name, int flags); \
	int openat(int dirfd, const char *name, int flags); \
	int open(const char *name, int flags) \
	{ \
		return open_any(AT_FDCWD, name, flags, 0); \
	} \
	int openat(int dirfd, const char *name, int flags) \
	{ \
		return open_any(dirfd, name, flags, 0); \
	}

DEFINE_FORTIFIED(__open_2, __openat_2)
DEFINE_FORTIFIED(__open64_2, __openat64_2)

static int
call_on_name(const char *call, enum class class, long number, int dirfd, const char *name, long arg)
{
	struct op op = {.name = call, .class = class};

	if (plan.dir != NULL) {
		path_of_name(dirfd, name, op.path);
		if (before(&op) == REFUSED)
			return (int)after(&op, -1);
	}
	return (int)after(&op, syscall(number, dirfd, name, arg));
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	return call_on_name("unlink", UNLINK, SYS_unlinkat, dirfd, name, flags);
}

int
unlink(const char *name)
{
	return call_on_name("unlink", UNLINK, SYS_unlinkat, AT_FDCWD, name, 0);
}

int
rmdir(const char *name)
{
	return call_on_name("rmdir", UNLINK, SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR);
}

int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	return call_on_name("mkdir", MKDIR, SYS_mkdirat, dirfd, name, mode);
}

int
mkdir(const char *name, mode_t mode)
{
	return call_on_name("mkdir", MKDIR, SYS_mkdirat, AT_FDCWD, name, mode);
}

/* Counts if either name does. */
int
renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	struct op op = {.name = "rename", .class = RENAME};

	if (plan.dir != NULL) {
		path_of_name(to_fd, to, op.path);
		snprintf(op.more, sizeof(op.more), "%s ",
		    counts(op.path) ? seen(op.path) : "-");
		path_of_name(from_fd, from, op.path);
		if (!counts(op.path))
			path_of_name(to_fd, to, op.path);
		if (before(&op) == REFUSED)
			return (int)after(&op, -1);
	}
	return (int)after(&op, syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return renameat2(from_fd, from, to_fd, to, 0);
}

int
rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
