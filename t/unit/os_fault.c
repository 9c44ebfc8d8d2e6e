/* Faults by countdown: counting, failing, dying. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_fault.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "tap.h"

static struct sim_disk *disk;
static struct os *os;

static void
begin(void)
{
	disk = sim_disk_new();
	os = fault_new(sim_os_new(disk, 1));
}

static void
end(void)
{
	os_free(os);
	sim_disk_free(disk);
}

static void
plan(unsigned calls, uint64_t at, enum fault_kind kind)
{
	fault_plan(os, &(struct fault_plan){.calls = calls, .at = at, .kind = kind});
}

static int
error_of(intmax_t result)
{
	return result == -1 ? errno : 0;
}

static void
test_counts(void)
{
	struct os_stat st;
	char c;

	begin();
	int fd = os_open(os, "f", OS_WRITE | OS_CREATE);
	os_close(os, os_open(os, "f", OS_READ));
	os_write_at(os, fd, "xy", 2, 0);
	os_read_at(os, fd, &c, 1, 0);
	os_stat(os, fd, &st);
	os_stat_path(os, "f", &st);
	os_sync(os, fd);
	is_int((intmax_t)fault_open_count(os), 1, "one is open");
	os_close(os, fd);
	os_sync_dir(os, "/");
	os_rename(os, "f", "g");
	os_mkdir(os, "d");
	os_rmdir(os, "d");
	os_remove(os, "g");
	is_int((intmax_t)fault_count(os, FAULT_ALL), 14, "all calls are counted");
	is_int((intmax_t)fault_count(os, FAULT_WRITES), 9, "those that change something");
	is_int((intmax_t)fault_count(os, FAULT_READS), 5, "and the others");
	is_int((intmax_t)fault_count(os, FAULT_STAT), 2, "and by kind");
	is_int((intmax_t)fault_count(os, FAULT_CLOSE_WRITTEN), 1,
	    "a close after a write is of another kind than one after a read");
	is_int((intmax_t)fault_open_count(os), 0, "none is open");
	end();
}

static void
test_fail(void)
{
	begin();
	int fd = os_open(os, "f", OS_WRITE | OS_CREATE);
	fault_plan(os, &(struct fault_plan){.calls = FAULT_WRITE, .at = 2, .error = ENOSPC});
	is_int(os_write_at(os, fd, "a", 1, 0), 0, "the first write passes");
	is_int((intmax_t)fault_fired(os), 0, "nothing has happened");
	is_str(fault_where(os), "none", "nowhere");
	is_int(error_of(os_write_at(os, fd, "bb", 2, 1)), ENOSPC, "the second fails");
	is_int(sim_size(disk, "f"), 1, "and writes nothing");
	is_int(os_write_at(os, fd, "b", 1, 1), 0, "once");
	is_int((intmax_t)fault_fired(os), 1, "it happened");
	is_str(fault_where(os), "write_at", "there");

	fault_plan(os,
	    &(struct fault_plan){.calls = FAULT_WRITE | FAULT_TRUNCATE, .at = 2, .sticky = true});
	is_int(os_write_at(os, fd, "a", 1, 0), 0, "a sticky one starts as late");
	is_int(error_of(os_truncate(os, fd, 0)), EIO, "fails");
	is_int(error_of(os_write_at(os, fd, "a", 1, 0)), EIO, "and fails again");
	is_int(os_sync(os, fd), 0, "but only calls of its kinds");
	fault_plan(os, NULL);
	is_int(os_truncate(os, fd, 0), 0, "until the plan is taken back");

	plan(FAULT_ALL, 1, FAULT_FAIL);
	is_int(error_of(os_close(os, fd)), EIO, "a close that fails");
	is_int((intmax_t)sim_os_open_count(fault_inner(os)), 0, "has closed");
	end();
}

static void
test_sync_lies(void)
{
	begin();
	int fd = os_open(os, "f", OS_WRITE | OS_CREATE);
	os_sync_dir(os, "/");
	os_write_at(os, fd, "x", 1, 0);
	plan(FAULT_SYNC, 1, FAULT_FAIL);
	is_int(error_of(os_sync(os, fd)), EIO, "a sync fails");
	is_int(os_sync(os, fd), 0, "tried again, it says it is well");
	is_int((intmax_t)sim_pending_count(disk), 1, "which is a lie");
	end();
}

static void
test_short(void)
{
	struct iovec iov[3] = {{(char[]){"abc"}, 3}, {(char[]){""}, 0}, {(char[]){"defgh"}, 5}};
	struct buf b = BUF_INIT;

	begin();
	int fd = os_open(os, "f", OS_WRITE | OS_CREATE);
	plan(FAULT_WRITE, 1, FAULT_SHORT);
	is_int(error_of(os_writev_at(os, fd, iov, 3, 0)), ENOSPC, "a short write fails");
	sim_read(disk, "f", &b);
	is_str(buf_cstr(&b), "abcd", "after its half");
	fault_plan(os,
	    &(struct fault_plan){
		.calls = FAULT_WRITE, .at = 1, .kind = FAULT_SHORT, .error = EDQUOT, .bytes = 7});
	is_int(error_of(os_writev_at(os, fd, iov, 3, 0)), EDQUOT, "or otherwise");
	buf_clear(&b);
	sim_read(disk, "f", &b);
	is_str(buf_cstr(&b), "abcdefg", "after as much as was planned");
	buf_release(&b);
	end();
}

static void
test_death(void)
{
	struct os *other;
	char id[37];

	begin();
	other = sim_os_new(disk, 2);
	int fd = os_open(os, "f", OS_WRITE | OS_CREATE), held = os_open(other, "f", OS_WRITE);
	os_lock(os, fd, OS_LOCK_EXCLUSIVE);
	plan(FAULT_WRITES, 1, FAULT_DIE_DURING);
	is_int(error_of(os_write_at(os, fd, "abcdef", 6, 0)), EIO, "a process dies in a write");
	ok(fault_is_dead(os), "and is dead");
	is_int(sim_size(disk, "f"), 3, "half of it was done");
	is_int(os_lock(other, held, OS_LOCK_EXCLUSIVE), 0, "its lock is free");
	is_int(error_of(os_write_at(os, fd, "x", 1, 9)) + error_of(os_remove(os, "f")) +
		   error_of(os_open(os, "f", OS_READ)) + error_of(os_close(os, fd)) +
		   error_of(os_boot_id(os, id)) + error_of(os_turn(os, 0)),
	    6 * EIO, "every later call fails");
	is_int(sim_size(disk, "f"), 3, "and does nothing");
	os_free(other);
	end();

	begin();
	plan(FAULT_WRITES, 1, FAULT_DIE_BEFORE);
	os_open(os, "f", OS_WRITE | OS_CREATE);
	is_int(sim_size(disk, "f"), -1, "dead before: not done");
	end();

	begin();
	plan(FAULT_WRITES, 1, FAULT_DIE_AFTER);
	is_int(error_of(os_open(os, "f", OS_WRITE | OS_CREATE)), EIO, "dead after: nobody hears");
	is_int(sim_size(disk, "f"), 0, "but it is done");
	is_int((intmax_t)sim_os_open_count(fault_inner(os)), 0, "and nothing is open");
	end();
}

static void
remove_f(void *ctx)
{
	os_remove(ctx, "f");
}

static void
test_hook(void)
{
	begin();
	struct os *other = sim_os_new(disk, 2);
	sim_write(disk, "f", "x", 1);
	fault_plan(os,
	    &(struct fault_plan){
		.calls = FAULT_OPEN, .at = 1, .kind = FAULT_HOOK, .hook = remove_f, .ctx = other});
	is_int(error_of(os_open(os, "f", OS_READ)), ENOENT, "another process comes between");
	os_free(other);
	end();
}

/* The use this is made for: whatever call fails or is the last, a file that is
 * replaced is the old one or the new one, whole; and no temporary is left
 * where it could be removed. */
static void
test_replace(void)
{
	int torn = 0, leaks = 0, left = 0, silent = 0;
	uint64_t runs = 0, n;

	for (int kind = FAULT_FAIL; kind <= FAULT_DIE_AFTER; kind++) {
		for (n = 1;; n++, runs++) {
			struct err err;
			begin();
			sim_write(disk, "d/f", "old", 3);
			plan(FAULT_ALL, n, (enum fault_kind)kind);
			int r = os_replace_file(os, "d/f", "newer", 5, &err);
			uint64_t fired = fault_fired(os);
			silent += fired != 0 && r == 0;
			leaks += fault_open_count(os) != 0;
			left += !fault_is_dead(os) && sim_size(disk, "d/f.tmp") != -1;
			for (uint64_t seed = 0; seed < 20; seed++) {
				struct sim_disk *image = sim_crash(disk, seed);
				struct buf b = BUF_INIT;
				sim_read(image, "d/f", &b);
				bool new = strcmp(buf_cstr(&b), "newer") == 0;
				torn += !new && (r == 0 || strcmp(buf_cstr(&b), "old") != 0);
				buf_release(&b);
				sim_disk_free(image);
			}
			end();
			if (fired == 0)
				break;
		}
	}
	printf("# %d faults, 20 images each\n", (int)runs);
	ok(runs >= 25, "every call was reached");
	is_int(torn, 0, "a replaced file is old or new, and new once it is said");
	is_int(silent, 0, "no error is kept silent");
	is_int(leaks, 0, "no descriptor is left open");
	is_int(left, 0, "no temporary is left by a process that lives");
}

static void
on_sync(struct os_sync *s)
{
	++*(int *)s->ctx;
}

/* A set of syncs, over an os whose syncs run in a thread. */
static void
test_sync_set(struct os *inner, const char *path, const char *name)
{
	struct os *wrapped = fault_new(inner);
	int done = 0;
	int fds[2] = {os_open(wrapped, path, OS_WRITE | OS_CREATE), 0};
	struct os_sync s = {.fds = fds, .fd_count = 2, .done = on_sync, .ctx = &done};

	fds[1] = fds[0];
	os_sync_start(wrapped, &s);
	while (done == 0)
		os_turn(wrapped, -1);
	is_int(s.result, 0, "%s: a set of syncs passes", name);
	is_int((intmax_t)fault_count(wrapped, FAULT_SYNC), 2, "%s: counted one by one", name);
	fault_plan(wrapped, &(struct fault_plan){.calls = FAULT_SYNC, .at = 2, .error = ENOSPC});
	os_sync_start(wrapped, &s);
	while (done == 1)
		os_turn(wrapped, -1);
	is_int(s.result, ENOSPC, "%s: one fails, the set fails", name);
	fault_plan(
	    wrapped, &(struct fault_plan){.calls = FAULT_SYNC, .at = 1, .kind = FAULT_DIE_AFTER});
	os_sync_start(wrapped, &s);
	while (os_turn(wrapped, 1000) != -1)
		;
	is_int(done, 2, "%s: the dead hear of nothing", name);
	os_free(wrapped);
}

int
main(void)
{
	char path[] = "/tmp/mq-os-fault.XXXXXX";
	struct err err;

	test_counts();
	test_fail();
	test_sync_lies();
	test_short();
	test_death();
	test_hook();
	test_replace();
	disk = sim_disk_new();
	test_sync_set(sim_os_new(disk, 1), "f", "sim");
	sim_disk_free(disk);
	close(mkstemp(path));
	test_sync_set(os_real_new(&err), path, "real");
	unlink(path);
	return tap_done();
}
