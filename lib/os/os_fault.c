/* Faults by countdown, over another os. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os/os_fault_impl.h"

enum fd_flags { FD_OPEN = 1, FD_WRITTEN = 2, FD_SYNC_FAILED = 4 };

static const char *const call_names[FAULT_CALL_KINDS] = {"open", "open (create)", "close",
    "close (written)", "read_at", "write_at", "truncate", "sync", "stat", "lock", "rename",
    "remove", "mkdir", "rmdir", "list", "sync_dir", "space", "boot_id", "watch_start",
    "read_resident", "listen", "connect", "send"};

/* --- descriptors ---------------------------------------------------------- */

static int
fd_flags(struct fault_os *f, int fd)
{
	int flags;

	pthread_mutex_lock(&f->mutex);
	flags = fd >= 0 && (size_t)fd < f->fd_cap ? f->fds[fd] : 0;
	pthread_mutex_unlock(&f->mutex);
	return flags;
}

static void
fd_set_flag(struct fault_os *f, int fd, int flag)
{
	pthread_mutex_lock(&f->mutex);
	if (fd >= 0 && (size_t)fd < f->fd_cap && f->fds[fd] != 0)
		f->fds[fd] |= (uint8_t)flag;
	pthread_mutex_unlock(&f->mutex);
}

/* Makes room for a descriptor's flags. Called with the mutex held. */
static int
fd_reserve(struct fault_os *f, int fd)
{
	size_t cap = ((size_t)fd + 1) * 2;
	uint8_t *fds;

	if ((size_t)fd < f->fd_cap)
		return 0;
	fds = realloc(f->fds, cap);
	if (fds == NULL)
		return -1;
	memset(fds + f->fd_cap, 0, cap - f->fd_cap);
	f->fds = fds;
	f->fd_cap = cap;
	return 0;
}

/* Takes a new descriptor in. Returns it, or -1 (ENOMEM), closed again. */
static int
fd_opened(struct fault_os *f, int fd)
{
	int r;

	if (fd == -1)
		return -1;
	pthread_mutex_lock(&f->mutex);
	r = fd_reserve(f, fd);
	if (r == 0) {
		f->fds[fd] = FD_OPEN;
		f->open_count++;
	}
	pthread_mutex_unlock(&f->mutex);
	if (r == 0)
		return fd;
	os_close(f->inner, fd);
	errno = ENOMEM;
	return -1;
}

static void
fd_closed(struct fault_os *f, int fd)
{
	pthread_mutex_lock(&f->mutex);
	if (fd >= 0 && (size_t)fd < f->fd_cap && f->fds[fd] != 0) {
		f->fds[fd] = 0;
		f->open_count--;
	}
	pthread_mutex_unlock(&f->mutex);
}

/* --- the gate ------------------------------------------------------------- */

static void
die(struct fault_os *f)
{
	pthread_mutex_lock(&f->mutex);
	f->dead = true;
	for (size_t fd = 0; fd < f->fd_cap; fd++)
		if (f->fds[fd] != 0)
			os_close(f->inner, (int)fd);
	if (f->fd_cap > 0)
		memset(f->fds, 0, f->fd_cap);
	f->open_count = 0;
	if (f->inner->ops->die != NULL)
		f->inner->ops->die(f->inner);
	pthread_mutex_unlock(&f->mutex);
}

bool
fault_dead(struct fault_os *f)
{
	bool dead;

	pthread_mutex_lock(&f->mutex);
	dead = f->dead;
	pthread_mutex_unlock(&f->mutex);
	return dead;
}

/* Counts a call. True if the plan's fault happens at it. */
static bool
count(struct fault_os *f, enum fault_call call)
{
	int index = __builtin_ctz((unsigned)call);
	bool now = false;

	pthread_mutex_lock(&f->mutex);
	f->counts[index]++;
	if (!f->dead && f->plan.calls & (unsigned)call) {
		f->seen++;
		now = f->seen == f->plan.at || (f->plan.sticky && f->seen > f->plan.at);
	}
	if (now && f->fired++ == 0)
		f->where = call_names[index];
	pthread_mutex_unlock(&f->mutex);
	return now;
}

static enum verdict
dead_now(struct fault_os *f)
{
	if (!fault_dead(f))
		die(f);
	errno = EIO;
	return DEAD;
}

enum verdict
fault_gate(struct fault_os *f, enum fault_call call)
{
	const struct fault_plan *plan = &f->plan;
	bool is_write = call == FAULT_WRITE;
	bool now = count(f, call);

	if (fault_dead(f))
		return dead_now(f);
	if (!now)
		return PASS;
	switch (plan->kind) {
	case FAULT_HOOK:
		plan->hook(plan->ctx);
		return PASS;
	case FAULT_DIE_AFTER:
		return PASS_THEN_DIE;
	case FAULT_DIE_DURING:
		return is_write ? PART_THEN_DIE : dead_now(f);
	case FAULT_DIE_BEFORE:
		return dead_now(f);
	case FAULT_SHORT:
		errno = plan->error != 0 ? plan->error : ENOSPC;
		return is_write ? PART : FAILED;
	case FAULT_FAIL:
		break;
	}
	errno = plan->error != 0 ? plan->error : EIO;
	return FAILED;
}

int
fault_leave(struct fault_os *f, enum verdict v, int result)
{
	if (v == PASS)
		return result;
	dead_now(f);
	return -1;
}

/* --- files ---------------------------------------------------------------- */

static int
fault_open(struct os *os, const char *path, int flags)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, flags & (OS_CREATE | OS_TRUNC) ? FAULT_CREATE : FAULT_OPEN);

	if (!fault_is_made(v))
		return -1;
	return fault_leave(f, v, fd_opened(f, os_open(f->inner, path, flags)));
}

static int
fault_close(struct os *os, int fd)
{
	struct fault_os *f = fault_of(os);
	bool written = fd_flags(f, fd) & FD_WRITTEN;
	enum verdict v = fault_gate(f, written ? FAULT_CLOSE_WRITTEN : FAULT_CLOSE);
	int why = errno;

	if (v == DEAD)
		return -1;
	fd_closed(f, fd);
	int r = os_close(f->inner, fd);
	if (v == FAILED) {
		errno = why;
		return -1;
	}
	return fault_leave(f, v, r);
}

static ssize_t
fault_read_at(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_READ);

	if (!fault_is_made(v))
		return -1;
	ssize_t n = os_read_at(f->inner, fd, data, len, offset);
	return v == PASS ? n : fault_leave(f, v, -1);
}

static ssize_t
fault_read_resident(struct os *os, int fd, void *data, size_t len, int64_t offset)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_RESIDENT);

	if (!fault_is_made(v))
		return -1;
	ssize_t n = os_read_resident(f->inner, fd, data, len, offset);
	return v == PASS ? n : fault_leave(f, v, -1);
}

/* Writes the part of a write that the plan lets through. */
static void
write_part(struct fault_os *f, int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	size_t len = 0, part = f->plan.bytes;

	for (int i = 0; i < iov_count; i++)
		len += iov[i].iov_len;
	if (part == 0 || part > len)
		part = len / 2;
	for (; part > 0; iov++) {
		size_t n = iov->iov_len < part ? iov->iov_len : part;
		if (os_write_at(f->inner, fd, iov->iov_base, n, offset) == -1)
			return;
		offset += (int64_t)n;
		part -= n;
	}
}

static int
fault_write_at(struct os *os, int fd, const struct iovec *iov, int iov_count, int64_t offset)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_WRITE);
	int why = errno;

	fd_set_flag(f, fd, FD_WRITTEN);
	if (v == PART || v == PART_THEN_DIE) {
		write_part(f, fd, iov, iov_count, offset);
		errno = why;
		return v == PART ? -1 : fault_leave(f, v, -1);
	}
	if (!fault_is_made(v))
		return -1;
	return fault_leave(f, v, os_writev_at(f->inner, fd, iov, iov_count, offset));
}

static int
fault_truncate(struct os *os, int fd, int64_t size)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_TRUNCATE);

	fd_set_flag(f, fd, FD_WRITTEN);
	return fault_is_made(v) ? fault_leave(f, v, os_truncate(f->inner, fd, size)) : -1;
}

static int
fault_sync(struct os *os, int fd)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_SYNC);

	if (v == FAILED)
		fd_set_flag(f, fd, FD_SYNC_FAILED);
	if (!fault_is_made(v))
		return -1;
	if (fd_flags(f, fd) & FD_SYNC_FAILED)
		return fault_leave(f, v, 0);
	return fault_leave(f, v, os_sync(f->inner, fd));
}

static int
fault_stat(struct os *os, int fd, struct os_stat *st)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_STAT);

	return fault_is_made(v) ? fault_leave(f, v, os_stat(f->inner, fd, st)) : -1;
}

static int
fault_lock(struct os *os, int fd, enum os_lock_kind kind)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_LOCK);

	return fault_is_made(v) ? fault_leave(f, v, os_lock(f->inner, fd, kind)) : -1;
}

/* --- names ---------------------------------------------------------------- */

static int
fault_stat_path(struct os *os, const char *path, struct os_stat *st)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_STAT);

	return fault_is_made(v) ? fault_leave(f, v, os_stat_path(f->inner, path, st)) : -1;
}

static int
fault_rename(struct os *os, const char *from, const char *to)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_RENAME);

	return fault_is_made(v) ? fault_leave(f, v, os_rename(f->inner, from, to)) : -1;
}

static int
fault_remove(struct os *os, const char *path)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_REMOVE);

	return fault_is_made(v) ? fault_leave(f, v, os_remove(f->inner, path)) : -1;
}

static int
fault_mkdir(struct os *os, const char *path)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_MKDIR);

	return fault_is_made(v) ? fault_leave(f, v, os_mkdir(f->inner, path)) : -1;
}

static int
fault_rmdir(struct os *os, const char *path)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_RMDIR);

	return fault_is_made(v) ? fault_leave(f, v, os_rmdir(f->inner, path)) : -1;
}

static int
fault_list(struct os *os, const char *path, int (*each)(void *ctx, const char *name), void *ctx)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_LIST);

	return fault_is_made(v) ? fault_leave(f, v, os_list(f->inner, path, each, ctx)) : -1;
}

static int
fault_sync_dir(struct os *os, const char *path)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_SYNC_DIR);

	return fault_is_made(v) ? fault_leave(f, v, os_sync_dir(f->inner, path)) : -1;
}

static int
fault_space(struct os *os, const char *path, struct os_space *space)
{
	struct fault_os *f = fault_of(os);
	enum verdict v = fault_gate(f, FAULT_SPACE);

	return fault_is_made(v) ? fault_leave(f, v, os_space(f->inner, path, space)) : -1;
}

/* --- the table ------------------------------------------------------------ */

static void
fault_note(struct os *os, enum os_level level, const char *text)
{
	struct fault_os *f = fault_of(os);

	if (!fault_dead(f))
		f->inner->ops->note(f->inner, level, text);
}

static void
fault_free(struct os *os)
{
	struct fault_os *f = fault_of(os);

	/* First the inner one: its workers may be in the middle of our calls. */
	os_free(f->inner);
	pthread_mutex_destroy(&f->mutex);
	free(f->fds);
	free(f);
}

static const struct os_ops fault_ops = {
    .open = fault_open,
    .close = fault_close,
    .read_at = fault_read_at,
    .read_resident = fault_read_resident,
    .write_at = fault_write_at,
    .truncate = fault_truncate,
    .sync = fault_sync,
    .stat = fault_stat,
    .lock = fault_lock,
    .stat_path = fault_stat_path,
    .rename = fault_rename,
    .remove = fault_remove,
    .mkdir = fault_mkdir,
    .rmdir = fault_rmdir,
    .list = fault_list,
    .sync_dir = fault_sync_dir,
    .space = fault_space,
    .mono_ns = fault_mono_ns,
    .wall_ms = fault_wall_ms,
    .random = fault_random,
    .sleep_ms = fault_sleep_ms,
    .boot_id = fault_boot_id,
    .turn = fault_turn,
    .timer_start = fault_timer_start,
    .timer_stop = fault_timer_stop,
    .work = fault_work,
    .sync_start = fault_sync_start,
    .watch_start = fault_watch_start,
    .watch_stop = fault_watch_stop,
    .listen = fault_listen,
    .listen_stop = fault_listen_stop,
    .connect = fault_connect,
    .stream_send = fault_stream_send,
    .stream_read = fault_stream_read,
    .stream_close = fault_stream_close,
    .note = fault_note,
    .free = fault_free,
};

/* --- the plan ------------------------------------------------------------- */

struct os *
fault_new(struct os *inner)
{
	struct fault_os *f;

	if (inner == NULL)
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL) {
		os_free(inner);
		return NULL;
	}
	f->os.ops = &fault_ops;
	f->inner = inner;
	pthread_mutex_init(&f->mutex, NULL);
	return &f->os;
}

struct os *
fault_inner(struct os *os)
{
	return fault_of(os)->inner;
}

void
fault_plan(struct os *os, const struct fault_plan *plan)
{
	struct fault_os *f = fault_of(os);

	pthread_mutex_lock(&f->mutex);
	f->plan = plan != NULL ? *plan : (struct fault_plan){.calls = 0};
	f->seen = 0;
	f->fired = 0;
	f->where = NULL;
	pthread_mutex_unlock(&f->mutex);
}

uint64_t
fault_count(struct os *os, unsigned calls)
{
	struct fault_os *f = fault_of(os);
	uint64_t sum = 0;

	pthread_mutex_lock(&f->mutex);
	for (unsigned i = 0; i < FAULT_CALL_KINDS; i++)
		if (calls & 1u << i)
			sum += f->counts[i];
	pthread_mutex_unlock(&f->mutex);
	return sum;
}

uint64_t
fault_fired(struct os *os)
{
	return fault_of(os)->fired;
}

const char *
fault_where(struct os *os)
{
	const char *where = fault_of(os)->where;

	return where != NULL ? where : "none";
}

bool
fault_is_dead(struct os *os)
{
	return fault_dead(fault_of(os));
}

size_t
fault_open_count(struct os *os)
{
	return fault_of(os)->open_count;
}
