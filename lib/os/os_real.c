/* The machine's os: its table, its clocks, chance and notes. */
#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "os/os_real_impl.h"

static int64_t
real_mono_ns(struct os *os)
{
	struct timespec ts;

	(void)os;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t
real_wall_ms(struct os *os)
{
	struct timespec ts;

	(void)os;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
real_random(struct os *os, void *data, size_t len)
{
	uint8_t *to = data;

	(void)os;
	while (len > 0) {
		ssize_t n = getrandom(to, len, 0);
		/* It has no other failure on the kernels we run on. */
		assert(n > 0 || (n == -1 && errno == EINTR));
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
}

static void
real_sleep_ms(struct os *os, int ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	(void)os;
	nanosleep(&ts, NULL);
}

static int
real_boot_id(struct os *os, char id[37])
{
	int fd = os_file_open(os, "/proc/sys/kernel/random/boot_id", OS_READ);

	if (fd == -1)
		return -1;
	ssize_t n = os_file_read_at(os, fd, id, 36, 0);
	int why = n == -1 ? errno : EIO;
	close(fd);
	id[36] = '\0';
	if (n == 36)
		return 0;
	errno = why;
	return -1;
}

static void
real_note(struct os *os, enum os_level level, const char *text)
{
	struct os_real *r = os_real_of(os);

	if (r->note != NULL)
		r->note(r->note_ctx, level, text);
}

static void
real_free(struct os *os)
{
	struct os_real *r = os_real_of(os);

	os_work_release(r);
	os_stream_release(r);
	os_watch_release(r);
	os_loop_release(r);
	free(r);
}

static const struct os_ops real_ops = {
    .open = os_file_open,
    .close = os_file_close,
    .read_at = os_file_read_at,
    .write_at = os_file_write_at,
    .truncate = os_file_truncate,
    .sync = os_file_sync,
    .read_resident = os_file_read_resident,
    .stat = os_file_stat,
    .lock = os_file_lock,
    .stat_path = os_file_stat_path,
    .rename = os_file_rename,
    .remove = os_file_remove,
    .mkdir = os_file_mkdir,
    .rmdir = os_file_rmdir,
    .list = os_file_list,
    .sync_dir = os_file_sync_dir,
    .space = os_file_space,
    .mono_ns = real_mono_ns,
    .wall_ms = real_wall_ms,
    .random = real_random,
    .sleep_ms = real_sleep_ms,
    .boot_id = real_boot_id,
    .turn = os_loop_turn,
    .timer_start = os_loop_timer_start,
    .timer_stop = os_loop_timer_stop,
    .work = os_work_start,
    .sync_start = os_work_sync,
    .watch_start = os_watch_add,
    .watch_stop = os_watch_drop,
    .listen = os_stream_begin_listen,
    .listen_stop = os_stream_end_listen,
    .connect = os_stream_begin,
    .stream_send = os_stream_queue,
    .stream_read = os_stream_resume,
    .stream_close = os_stream_end,
    .note = real_note,
    .free = real_free,
};

struct os *
os_real_new(struct err *err)
{
	struct os_real *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		err_nomem(err);
		return NULL;
	}
	r->os.ops = &real_ops;
	r->inotify_fd = -1;
	os_work_init(r);
	os_stream_init(r);
	return &r->os;
}

void
os_real_set_note(
    struct os *os, void (*note)(void *ctx, enum os_level level, const char *text), void *ctx)
{
	struct os_real *r = os_real_of(os);

	r->note = note;
	r->note_ctx = ctx;
}
