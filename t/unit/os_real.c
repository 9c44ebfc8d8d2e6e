/* The machine's os: its loop, threads, watches, and locks between processes. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "os/os_real.h"
#include "tap.h"

static char dir[] = "/tmp/mq-os-real.XXXXXX";
static char file[64];

static struct os *
os_new(void)
{
	struct err err;

	return os_real_new(&err);
}

static int
open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static int
inheritable_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);
		count += flags != -1 && !(flags & FD_CLOEXEC);
	}
	return count;
}

static int
thread_count(void)
{
	char line[256];
	int count = -1;
	FILE *status = fopen("/proc/self/status", "r");

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "Threads:", 8) == 0)
			count = (int)strtol(line + 8, NULL, 10);
	if (status != NULL)
		fclose(status);
	return count;
}

static void
test_start(void)
{
	int fds = open_descriptors(), threads = thread_count();
	struct os *os = os_new();
	struct os_timer t = {.fire = NULL};

	os_close(os, os_open(os, file, OS_READ));
	os_timer_start(os, &t, 1000);
	os_timer_stop(os, &t);
	is_int(os_turn(os, 0), 0, "a turn that does not wait");
	is_int(open_descriptors(), fds, "costs no descriptor");
	is_int(thread_count(), threads, "nor thread");
	os_free(os);
}

static void
test_close_on_exec(void)
{
	int before = inheritable_descriptors();
	struct os *os = os_new();
	struct os_watch w = {.changed = NULL};
	int fd = os_open(os, file, OS_READ);

	os_watch_start(os, &w, dir);
	os_turn(os, 1);
	is_int(inheritable_descriptors(), before, "a child inherits no descriptor");
	os_watch_stop(os, &w);
	os_close(os, fd);
	os_free(os);
}

/* --- timers --------------------------------------------------------------- */

static char trace[64];

static void
trace_add(const char *what)
{
	strncat(trace, what, sizeof(trace) - strlen(trace) - 1);
}

static void
on_timer(struct os_timer *t)
{
	trace_add(t->ctx);
}

struct again {
	struct os_timer timer;
	struct os *os;
	int fired;
};

static void
on_again(struct os_timer *t)
{
	struct again *a = t->ctx;

	a->fired++;
	os_timer_start(a->os, t, 0);
}

static void
test_timers(void)
{
	struct os *os = os_new();
	struct os_timer a = {.fire = on_timer, .ctx = (char[]){"a"}};
	struct os_timer b = {.fire = on_timer, .ctx = (char[]){"b"}};
	struct os_timer c = {.fire = on_timer, .ctx = (char[]){"c"}};
	struct again again = {.timer = {.fire = on_again, .ctx = &again}, .os = os};
	int64_t start = os_mono_ns(os);
	int ran = 0;

	os_timer_start(os, &a, 30);
	os_timer_start(os, &b, 10);
	os_timer_start(os, &c, 20);
	os_timer_stop(os, &c);
	while (ran < 2)
		ran += os_turn(os, -1);
	is_str(trace, "ba", "timers fire in order, stopped ones do not");
	ok(os_mono_ns(os) - start >= 30000000, "and not early");
	start = os_mono_ns(os);
	is_int(os_turn(os, 20), 0, "a turn ends without events");
	ok(os_mono_ns(os) - start >= 20000000, "after its time-out");
	os_timer_start(os, &again.timer, 0);
	is_int(os_turn(os, 1000), 1, "a timer armed anew in its own call");
	is_int(again.fired, 1, "waits for the next turn");
	is_int(os_turn(os, 1000), 1, "which comes");
	os_timer_stop(os, &again.timer);
	os_free(os);
}

/* --- work ----------------------------------------------------------------- */

struct step {
	struct os_job job;
	int number;
	pthread_t ran_on;
	bool masked;
};

static int steps_run[64];
static atomic_int steps_run_count;

static void
step_run(struct os_job *j)
{
	struct step *s = j->ctx;
	sigset_t blocked;

	s->ran_on = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	s->masked = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGCHLD);
	steps_run[steps_run_count++] = s->number;
}

static void
step_done(struct os_job *j)
{
	(void)j;
	trace_add(".");
}

static void
on_sync(struct os_sync *s)
{
	++*(int *)s->ctx;
}

static void
test_work(void)
{
	struct os *os = os_new();
	struct step steps[20];
	int ran = 0, in_order = 0, elsewhere = 0, masked = 0, synced = 0;

	trace[0] = '\0';
	for (int i = 0; i < 20; i++) {
		steps[i] = (struct step){.number = i};
		steps[i].job =
		    (struct os_job){.run = step_run, .done = step_done, .ctx = &steps[i]};
		os_work(os, 2, &steps[i].job);
	}
	is_str(trace, "", "no completion inside the call");
	while (ran < 20)
		ran += os_turn(os, -1);
	for (int i = 0; i < 20; i++) {
		in_order += steps_run[i] == i;
		elsewhere += !pthread_equal(steps[i].ran_on, pthread_self());
		masked += steps[i].masked;
	}
	is_int(ran, 20, "each job completes once");
	is_int(in_order, 20, "a worker's jobs run in order");
	is_int(elsewhere, 20, "on another thread");
	is_int(masked, 20, "with signals blocked");

	int fds[2] = {os_open(os, file, OS_WRITE), os_open(os, file, OS_WRITE)};
	struct os_sync s = {.fds = fds, .fd_count = 2, .done = on_sync, .ctx = &synced};
	os_sync_start(os, &s);
	is_int(synced, 0, "a set of syncs completes later");
	while (synced == 0)
		os_turn(os, -1);
	is_int(s.result, 0, "well");
	os_close(os, fds[1]);
	os_sync_start(os, &s);
	while (synced == 1)
		os_turn(os, -1);
	is_int(s.result, EBADF, "or with an error");
	os_close(os, fds[0]);
	for (int i = 0; i < 20; i++)
		os_work(os, (unsigned)i, &steps[i].job);
	os_free(os);
	ok(true, "ends with jobs in its queues");
}

/* --- watches -------------------------------------------------------------- */

struct seen {
	struct os_watch watch;
	struct os *os;
	struct os_watch *stop; /* stopped by the call */
	int count;
};

static void
on_watch(struct os_watch *w)
{
	struct seen *s = w->ctx;

	s->count++;
	if (s->stop != NULL)
		os_watch_stop(s->os, s->stop);
}

static void
test_watches(void)
{
	struct os *os = os_new();
	struct seen a = {.watch = {.changed = on_watch, .ctx = &a}, .os = os};
	struct seen b = {.watch = {.changed = on_watch, .ctx = &b}, .os = os};
	int fd = os_open(os, file, OS_WRITE);

	is_int(os_watch_start(os, &a.watch, dir) | os_watch_start(os, &b.watch, dir), 0,
	    "two watch one directory");
	os_write_at(os, fd, "a", 1, 0);
	os_write_at(os, fd, "b", 1, 1);
	while (a.count == 0 || b.count == 0)
		os_turn(os, -1);
	is_int(os_turn(os, 0), 0, "changes that came together are told once");
	os_watch_stop(os, &a.watch);
	os_write_at(os, fd, "c", 1, 2);
	while (b.count == 1)
		os_turn(os, -1);
	is_int(a.count, 1, "one stops, the other goes on");
	is_int(os_watch_start(os, &a.watch, dir), 0, "and starts again");
	a.stop = &b.watch;
	b.stop = &a.watch;
	os_write_at(os, fd, "d", 1, 3);
	is_int(os_turn(os, -1), 1, "a call that stops the other watch");
	is_int(a.count + b.count, 4, "is the only one");
	ok(os_watch_start(os, &a.watch, "/nonexistent") == -1 && errno == ENOENT,
	    "no watch of what is not there");
	ok(os_watch_start(os, &a.watch, file) == -1 && errno == ENOTDIR, "nor of a file");
	os_close(os, fd);
	os_free(os);
}

/* --- turns with a descriptor, signals ------------------------------------- */

static struct os *signalled;

static void
on_alarm(int number)
{
	(void)number;
	os_real_wake(signalled);
}

static void
test_turn_fd(void)
{
	struct os *os = os_new();
	int p[2];

	ok(pipe(p) == 0, "a pipe");
	is_int(os_real_turn_fd(os, p[0], POLLIN, 0), 0, "an empty pipe is not ready");
	is_int(os_real_turn_fd(os, p[0], POLLIN, 10), 0, "nor in a while");
	is_int(os_real_turn_fd(os, p[1], POLLOUT, 10), 1, "but it takes bytes");
	ok(write(p[1], "x", 1) == 1, "a byte is written");
	is_int(os_real_turn_fd(os, p[0], POLLIN, 0), 1, "a byte makes it ready");
	is_int(os_real_turn_fd(os, p[0], POLLIN, -1), 1, "however long one waits");
	trace[0] = '\0';
	struct os_timer t = {.fire = on_timer, .ctx = (char[]){"t"}};
	char c;
	ok(read(p[0], &c, 1) == 1, "and is read");
	os_timer_start(os, &t, 5);
	while (trace[0] == '\0')
		is_int(os_real_turn_fd(os, p[0], POLLIN, -1), 0, "a timer ends the turn");
	pid_t child = fork();
	if (child == 0) {
		usleep(10000);
		_exit(write(p[1], "y", 1) == 1 ? 0 : 1);
	}
	is_int(os_real_turn_fd(os, p[0], POLLIN, -1), 1, "a byte that comes later ends it");
	waitpid(child, NULL, 0);
	ok(read(p[0], &c, 1) == 1, "it is read");
	close(p[1]);
	is_int(os_real_turn_fd(os, p[0], POLLIN, -1), 1, "the end of a pipe is ready");
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	is_int(os_real_turn_fd(os, fd, POLLIN, -1), 1, "so is a plain file");
	close(fd);
	close(p[0]);
	os_free(os);
}

static void
test_wake(void)
{
	struct os *os = os_new();
	struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;

	os_real_wake(os);
	is_int(os_turn(os, -1), 0, "a wake before ends the next turn");
	signalled = os;
	sigaction(SIGUSR1, &act, &old);
	pid_t parent = getpid(), child = fork();
	if (child == 0) {
		usleep(20000);
		_exit(kill(parent, SIGUSR1) == 0 ? 0 : 1);
	}
	is_int(os_turn(os, -1), 0, "a signal that wakes ends the turn under way");
	waitpid(child, NULL, 0);
	sigaction(SIGUSR1, &old, NULL);
	os_free(os);
}

/* --- locks between processes ---------------------------------------------- */

/* What a child gets when it asks for a lock: 0 or errno; its death frees it. */
static int
ask_in_child(enum os_lock_kind kind)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		struct os *os = os_new();
		int fd = os_open(os, file, OS_WRITE);
		_exit(os_lock(os, fd, kind) == -1 ? errno : 0);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_locks(void)
{
	struct os *os = os_new();
	int fd = os_open(os, file, OS_WRITE), other = os_open(os, file, OS_WRITE);

	os_lock(os, fd, OS_LOCK_SHARED);
	is_int(ask_in_child(OS_LOCK_SHARED), 0, "a process shares with another");
	is_int(ask_in_child(OS_LOCK_EXCLUSIVE), EAGAIN, "but gets nothing alone");
	is_int(os_lock(os, fd, OS_LOCK_EXCLUSIVE), 0, "its end lets go");
	is_int(ask_in_child(OS_LOCK_SHARED), EAGAIN, "alone excludes all");
	os_close(os, other);
	is_int(ask_in_child(OS_LOCK_SHARED), EAGAIN, "closing another descriptor lets nothing go");
	struct flock posix = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	other = os_open(os, file, OS_WRITE);
	ok(fcntl(other, F_SETLK, &posix) == -1, "POSIX locks, which Java takes, are excluded");
	os_close(os, fd);
	is_int(ask_in_child(OS_LOCK_EXCLUSIVE), 0, "closing its own does");
	os_close(os, other);
	os_free(os);
}

static void
on_synced(struct os_sync *s)
{
	*(bool *)s->ctx = true;
}

/* libev alone would abort. */
static void
test_no_descriptors(void)
{
	struct os *os = os_new();
	struct os_timer t = {.fire = on_timer, .ctx = (char[]){"t"}};
	bool synced = false;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct os_sync sync = {.fds = &fd, .fd_count = 1, .done = on_synced, .ctx = &synced};
	struct rlimit all, none;

	getrlimit(RLIMIT_NOFILE, &all);
	none = all;
	none.rlim_cur = (rlim_t)fd + 2;
	setrlimit(RLIMIT_NOFILE, &none);
	trace[0] = '\0';
	os_timer_start(os, &t, 5);
	os_sync_start(os, &sync);
	while (!synced || trace[0] == '\0')
		os_turn(os, -1);
	ok(synced && sync.result == 0, "without descriptors to be had a sync is done");
	is_str(trace, "t", "and a timer fires");
	is_int(os_real_turn_fd(os, fd, POLLIN, -1), 1, "and a descriptor is waited for");
	setrlimit(RLIMIT_NOFILE, &all);
	is_int(os_turn(os, 1), 0, "when there are some again the loop is made");
	close(fd);
	os_free(os);
}

static void
note_keep(void *ctx, enum os_level level, const char *text)
{
	snprintf(ctx, 64, "%d %s", (int)level, text);
}

static void
test_note(void)
{
	struct os *os = os_new();
	char text[64] = "";

	os_note(os, OS_WARN, "to nobody");
	os_real_set_note(os, note_keep, text);
	os_note(os, OS_WARN, "cut %d bytes", 312);
	is_str(text, "1 cut 312 bytes", "notes go where they are sent");
	os_free(os);
}

static void
test_no_files(void)
{
	struct os *os = os_new();
	char fifo[80];

	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	is_int(mkfifo(fifo, 0600), 0, "a fifo where a file should be");
	ok(os_open(os, fifo, OS_READ) == -1 && errno == EOPNOTSUPP, "is not opened");
	ok(os_open(os, fifo, OS_WRITE | OS_CREATE) == -1 && errno == EOPNOTSUPP, "nor to write");
	ok(os_open(os, "/dev/zero", OS_READ) == -1 && errno == EOPNOTSUPP,
	    "nor a device, which may have no end");
	unlink(fifo);
	os_free(os);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(file, sizeof(file), "%s/f", dir);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	test_start();
	test_close_on_exec();
	test_timers();
	test_work();
	test_watches();
	test_turn_fd();
	test_wake();
	test_locks();
	test_no_descriptors();
	test_no_files();
	test_note();
	unlink(file);
	rmdir(dir);
	return tap_done();
}
