/* Files, names and locks: the same facts of the machine and of the simulated
 * one, seen by two handles. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "tap.h"

static const char *kind; /* "real" or "sim" */
static const char *dir;

/* A path below the test's directory; good until four calls later. */
static const char *
in(const char *name)
{
	static char paths[4][256];
	static int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, 256, "%s/%s", dir, name);
	return path;
}

/* The errno of a call that should fail; 0 if it did not. */
static int
error_of(intmax_t result)
{
	return result == -1 ? errno : 0;
}

static void
put(struct os *os, const char *name, const char *text)
{
	int fd = os_open(os, in(name), OS_WRITE | OS_CREATE | OS_TRUNC);

	if (os_write_at(os, fd, text, strlen(text), 0) == -1 || os_close(os, fd) == -1)
		ok(false, "%s: write %s", kind, name);
}

static const char *
get(struct os *os, const char *name)
{
	static struct buf b;
	struct err err;

	buf_clear(&b);
	return os_read_file(os, in(name), 4096, &b, &err) == -1 ? NULL : buf_cstr(&b);
}

static void
test_open(struct os *os)
{
	is_int(error_of(os_open(os, in("a"), OS_READ)), ENOENT, "%s: no file, no read", kind);
	is_int(error_of(os_open(os, in("a"), OS_WRITE)), ENOENT, "%s: nor write", kind);
	is_int(error_of(os_open(os, in("x/a"), OS_WRITE | OS_CREATE)), ENOENT,
	    "%s: no directory, no file", kind);
	put(os, "a", "hello");
	is_int(error_of(os_open(os, in("a"), OS_WRITE | OS_CREATE | OS_EXCL)), EEXIST,
	    "%s: exclusive wants it absent", kind);
	is_int(error_of(os_open(os, in("a/b"), OS_READ)), ENOTDIR, "%s: a file has no names", kind);
	is_int(error_of(os_open(os, dir, OS_READ)), EISDIR, "%s: a directory is no file", kind);
	is_int(error_of(os_open(os, dir, OS_WRITE)), EISDIR, "%s: nor for writing", kind);
	is_str(get(os, "a"), "hello", "%s: what was written is read", kind);
	os_close(os, os_open(os, in("a"), OS_WRITE | OS_TRUNC));
	is_str(get(os, "a"), "", "%s: truncated at open", kind);
	int fd = os_open(os, in("a"), OS_READ);
	is_int(error_of(os_write_at(os, fd, "x", 1, 0)), EBADF, "%s: opened to read only", kind);
	is_int(os_close(os, fd), 0, "%s: closes", kind);
	is_int(error_of(os_close(os, fd)), EBADF, "%s: closes once", kind);
	is_int(os_remove(os, in("a")), 0, "%s: removed", kind);
}

static void
test_read_write(struct os *os)
{
	int fd = os_open(os, in("f"), OS_WRITE | OS_CREATE);
	struct iovec iov[200];
	struct os_stat st;
	char got[300] = "", digits[] = "0123456789";

	for (int i = 0; i < 200; i++)
		iov[i] = (struct iovec){.iov_base = digits + i % 10, .iov_len = i % 3 != 0};
	is_int(
	    os_writev_at(os, fd, iov, 200, 5), 0, "%s: many pieces, empty ones among them", kind);
	is_int(os_read_at(os, fd, got, sizeof(got), 0), 138, "%s: a short count is the end", kind);
	is_mem(got, "\0\0\0\0\0001245780", 12, "%s: a hole and the pieces", kind);
	is_int(os_read_at(os, fd, got, 10, 138), 0, "%s: nothing at the end", kind);
	is_int(os_read_at(os, fd, got, 10, 5000), 0, "%s: nothing beyond", kind);
	is_int(error_of(os_read_at(os, fd, got, 10, -1)), EINVAL, "%s: nothing before", kind);
	is_int(os_truncate(os, fd, 7), 0, "%s: cut", kind);
	is_int(os_truncate(os, fd, 9), 0, "%s: lengthened", kind);
	is_int(os_read_at(os, fd, got, sizeof(got), 0), 9, "%s: its new length", kind);
	is_mem(got, "\0\0\0\0\00012\0\0", 9, "%s: what was cut came back as zeros", kind);
	is_int(os_sync(os, fd), 0, "%s: synced", kind);
	is_int(os_stat(os, fd, &st), 0, "%s: stat", kind);
	is_int(st.size, 9, "%s: size", kind);
	is_int(st.links, 1, "%s: one name", kind);
	ok(st.mtime_ms <= os_wall_ms(os) && st.mtime_ms > os_wall_ms(os) - 60000,
	    "%s: changed just now", kind);
	os_remove(os, in("f"));
	is_int(os_read_at(os, fd, got, sizeof(got), 0), 9, "%s: removed, still readable", kind);
	os_stat(os, fd, &st);
	is_int(st.links, 0, "%s: and known to be removed", kind);
	os_close(os, fd);
}

static void
test_big(struct os *os)
{
	size_t len = 3000001;
	char *out = malloc(len), *back = calloc(1, len);
	int fd = os_open(os, in("big"), OS_WRITE | OS_CREATE);

	for (size_t i = 0; i < len; i++)
		out[i] = (char)(i * 7 + i / 4096);
	is_int(os_write_at(os, fd, out, len, 4095), 0, "%s: three megabytes", kind);
	is_int(os_read_at(os, fd, back, len, 4095), (intmax_t)len, "%s: are read", kind);
	is_mem(back, out, len, "%s: as they were written", kind);
	os_close(os, fd);
	os_remove(os, in("big"));
	free(out);
	free(back);
}

static int
count_name(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return 0;
}

static int
stop_at_first(void *ctx, const char *name)
{
	(void)name;
	++*(int *)ctx;
	return 42;
}

static int
names_in(struct os *os, const char *name)
{
	int count = 0;

	return os_list(os, in(name), count_name, &count) == 0 ? count : -1;
}

static void
test_names(struct os *os)
{
	struct os_stat st, old;
	int count = 0;

	is_int(os_mkdir(os, in("d")), 0, "%s: mkdir", kind);
	is_int(error_of(os_mkdir(os, in("d"))), EEXIST, "%s: once", kind);
	is_int(os_stat_path(os, in("d"), &st), 0, "%s: stat of a directory", kind);
	ok(st.is_dir, "%s: says so", kind);
	put(os, "d/a", "a");
	put(os, "d/b", "b");
	is_int(names_in(os, "d"), 2, "%s: two names", kind);
	is_int(os_list(os, in("d"), stop_at_first, &count), 42, "%s: a list can be stopped", kind);
	is_int(count, 1, "%s: at once", kind);
	is_int(error_of(os_list(os, in("e"), count_name, &count)), ENOENT, "%s: no list", kind);
	is_int(error_of(os_list(os, in("d/a"), count_name, &count)), ENOTDIR,
	    "%s: a file has no list", kind);
	is_int(error_of(os_rmdir(os, in("d"))), ENOTEMPTY, "%s: rmdir wants it empty", kind);
	is_int(error_of(os_rmdir(os, in("d/a"))), ENOTDIR, "%s: and a directory", kind);
	is_int(error_of(os_remove(os, in("d"))), EISDIR, "%s: remove wants a file", kind);
	is_int(error_of(os_remove(os, in("d/c"))), ENOENT, "%s: that is there", kind);
	os_stat_path(os, in("d/a"), &old);
	is_int(os_rename(os, in("d/a"), in("d/b")), 0, "%s: rename over another", kind);
	os_stat_path(os, in("d/b"), &st);
	ok(st.inode == old.inode && st.device == old.device, "%s: the same file", kind);
	is_str(get(os, "d/b"), "a", "%s: with its content", kind);
	is_int(names_in(os, "d"), 1, "%s: one name is left", kind);
	is_int(
	    error_of(os_rename(os, in("d/a"), in("d/c"))), ENOENT, "%s: nothing to rename", kind);
	is_int(os_rename(os, in("d/b"), in("d/b")), 0, "%s: to itself is nothing", kind);
	is_int(os_mkdir(os, in("d/s")), 0, "%s: a directory in it", kind);
	is_int(error_of(os_rename(os, in("d/b"), in("d/s"))), EISDIR, "%s: not over a directory",
	    kind);
	is_int(error_of(os_rename(os, in("d"), in("d/s/d"))), EINVAL, "%s: not into itself", kind);
	is_int(os_rename(os, in("d"), in("e")), 0, "%s: a directory moves", kind);
	is_str(get(os, "e/b"), "a", "%s: with what is in it", kind);
	is_int(os_sync_dir(os, in("e")), 0, "%s: sync of names", kind);
	is_int(error_of(os_sync_dir(os, in("d"))), ENOENT, "%s: of a directory", kind);
	is_int(error_of(os_sync_dir(os, in("e/b"))), ENOTDIR, "%s: not of a file", kind);
	is_int(os_rename(os, in("e/b"), in("b")), 0, "%s: between directories", kind);
	is_str(get(os, "b"), "a", "%s: with its content", kind);
	is_int(os_rmdir(os, in("e/s")) | os_rmdir(os, in("e")) | os_remove(os, in("b")), 0,
	    "%s: all away", kind);
}

static void
test_locks(struct os *a, struct os *b)
{
	put(a, "l", "");
	int one = os_open(a, in("l"), OS_WRITE), two = os_open(b, in("l"), OS_WRITE);
	int three = os_open(a, in("l"), OS_WRITE), reader = os_open(b, in("l"), OS_READ);

	is_int(os_lock(a, one, OS_LOCK_SHARED), 0, "%s: shared", kind);
	is_int(os_lock(b, two, OS_LOCK_SHARED), 0, "%s: by two", kind);
	is_int(
	    error_of(os_lock(b, two, OS_LOCK_EXCLUSIVE)), EAGAIN, "%s: none gets it alone", kind);
	is_int(os_lock(a, one, OS_UNLOCK), 0, "%s: one lets go", kind);
	is_int(os_lock(b, two, OS_LOCK_EXCLUSIVE), 0, "%s: the other gets it alone", kind);
	is_int(error_of(os_lock(a, one, OS_LOCK_SHARED)), EAGAIN, "%s: others do not", kind);
	is_int(error_of(os_lock(a, three, OS_LOCK_EXCLUSIVE)), EAGAIN, "%s: nor alone", kind);
	is_int(os_lock(b, two, OS_LOCK_EXCLUSIVE), 0, "%s: taking it again is nothing", kind);
	is_int(os_lock(b, two, OS_LOCK_SHARED), 0, "%s: and back to shared", kind);
	is_int(os_lock(a, one, OS_LOCK_SHARED), 0, "%s: others share", kind);
	is_int(os_close(b, two) | os_close(a, one), 0, "%s: closing lets go", kind);
	is_int(os_lock(a, three, OS_LOCK_EXCLUSIVE), 0, "%s: so it is free", kind);
	is_int(error_of(os_lock(b, reader, OS_LOCK_SHARED)), EAGAIN, "%s: also for readers", kind);
	os_lock(a, three, OS_UNLOCK);
	is_int(os_lock(b, reader, OS_LOCK_SHARED), 0, "%s: who may share", kind);
	os_lock(b, reader, OS_UNLOCK);
	is_int(error_of(os_lock(b, reader, OS_LOCK_EXCLUSIVE)), EBADF, "%s: but not more", kind);
	os_close(a, three);
	os_close(b, reader);
	os_remove(a, in("l"));
}

static void
test_whole_files(struct os *os)
{
	struct buf b = BUF_INIT;
	struct err err;

	buf_str(&b, "> ");
	is_int(
	    os_replace_file(os, in("w"), "one", 3, &err), 0, "%s: replace what is not there", kind);
	is_int(os_replace_file(os, in("w"), "second", 6, &err), 0, "%s: and what is", kind);
	is_int(os_read_file(os, in("w"), 6, &b, &err), 0, "%s: read it whole", kind);
	is_str(buf_cstr(&b), "> second", "%s: appended", kind);
	is_int(os_read_file(os, in("w"), 5, &b, &err), -1, "%s: not above the limit", kind);
	is_int(err.code, ERR_TOO_LARGE, "%s: too large", kind);
	is_int(os_read_file(os, in("v"), 5, &b, &err), -1, "%s: not what is not there", kind);
	is_int(err.code, ERR_NOT_FOUND, "%s: not found", kind);
	is_str(buf_cstr(&b), "> second", "%s: failing adds nothing", kind);
	is_int(error_of(os_stat_path(os, in("w.tmp"), &(struct os_stat){0})), ENOENT,
	    "%s: no temporary is left", kind);
	is_int(
	    os_replace_file(os, in("no/w"), "one", 3, &err), -1, "%s: needs its directory", kind);
	os_mkdir(os, in("w2"));
	is_int(os_replace_file(os, in("w2"), "one", 3, &err), -1, "%s: not a directory", kind);
	is_int(error_of(os_stat_path(os, in("w2.tmp"), &(struct os_stat){0})), ENOENT,
	    "%s: then the temporary is removed", kind);
	os_rmdir(os, in("w2"));
	os_remove(os, in("w"));
	buf_release(&b);
}

static void
test_rest(struct os *os)
{
	struct os_space space;
	char id[37], again[37];
	uint8_t random[2][16];

	is_int(os_space(os, dir, &space), 0, "%s: space", kind);
	ok(space.free_bytes <= space.total_bytes && space.total_bytes > 0, "%s: some", kind);
	is_int(os_boot_id(os, id) | os_boot_id(os, again), 0, "%s: boot id", kind);
	ok(strlen(id) == 36 && strcmp(id, again) == 0, "%s: of 36 characters, stays", kind);
	os_random(os, random[0], 16);
	os_random(os, random[1], 16);
	ok(memcmp(random[0], random[1], 16) != 0, "%s: chance changes", kind);
	int64_t before = os_mono_ns(os);
	os_sleep_ms(os, 3);
	ok(os_mono_ns(os) - before >= 3000000, "%s: a sleep takes its time", kind);
}

static void
test_all(struct os *a, struct os *b)
{
	test_open(a);
	test_read_write(a);
	test_big(a);
	test_names(a);
	test_locks(a, b);
	test_whole_files(a);
	test_rest(a);
}

static void
test_real(void)
{
	char path[] = "/tmp/mq-os-files.XXXXXX";
	struct err err;
	struct os *a = os_real_new(&err), *b = os_real_new(&err);

	kind = "real";
	dir = mkdtemp(path);
	test_all(a, b);
	is_int(rmdir(path), 0, "%s: nothing is left behind", kind);
	os_free(a);
	os_free(b);
}

static void
test_sim(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *a = sim_os_new(disk, 1), *b = sim_os_new(disk, 2);

	kind = "sim";
	dir = "/t";
	os_mkdir(a, dir);
	test_all(a, b);
	is_int(names_in(a, ""), 0, "%s: nothing is left behind", kind);
	is_int(
	    (intmax_t)(sim_os_open_count(a) + sim_os_open_count(b)), 0, "%s: all is closed", kind);
	os_free(a);
	os_free(b);
	sim_disk_free(disk);
}

int
main(void)
{
	test_real();
	test_sim();
	return tap_done();
}
