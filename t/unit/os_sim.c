/* The simulated machine: what survives a crash, processes, time, the loop. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "tap.h"

static int
error_of(intmax_t result)
{
	return result == -1 ? errno : 0;
}

/* Opens, making the file; writes at an offset. */
static int
put_at(struct os *os, const char *path, const char *text, int64_t offset)
{
	int fd = os_open(os, path, OS_WRITE | OS_CREATE);

	os_write_at(os, fd, text, strlen(text), offset);
	return fd;
}

/* A file's content on a disk with zeros shown as dots, or NULL. */
static const char *
content(struct sim_disk *disk, const char *path)
{
	static char text[1024];
	struct buf b = BUF_INIT;

	if (sim_read(disk, path, &b) == -1)
		return NULL;
	snprintf(text, sizeof(text), "%s", "");
	for (size_t i = 0; i < b.len && i < sizeof(text) - 1; i++) {
		text[i] = (char)(b.data[i] == 0 ? '.' : b.data[i]);
		text[i + 1] = '\0';
	}
	buf_release(&b);
	return text;
}

/* The content in the image that some choices make. */
static const char *
content_after(struct sim_disk *disk, const struct sim_choice *choices, const char *path)
{
	struct sim_disk *image = sim_crash_with(disk, choices);
	const char *text = content(image, path);

	sim_disk_free(image);
	return text;
}

static const struct sim_choice keep = {SIM_KEEP, 0}, lose = {SIM_LOSE, 0};

static void
test_data(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct sim_pending p;

	sim_write(disk, "d/f", "base", 4);
	int fd = put_at(os, "d/f", "AA", 4);
	os_write_at(os, fd, "BBB", 3, 6);
	os_truncate(os, fd, 8);
	is_int((intmax_t)sim_pending_count(disk), 3, "each change of a file is pending");
	sim_pending_at(disk, 1, &p);
	ok(p.kind == SIM_WRITE && p.offset == 6 && p.len == 3 && strcmp(p.name, "f") == 0,
	    "and described");
	is_str(content_after(disk, (struct sim_choice[]){lose, lose, lose}, "d/f"), "base",
	    "all lost");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, keep}, "d/f"), "baseAABB",
	    "all kept");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, lose}, "d/f"), "baseAABBB",
	    "a truncate lost");
	is_str(content_after(disk, (struct sim_choice[]){lose, keep, lose}, "d/f"), "base..BBB",
	    "an earlier write lost leaves a hole");
	is_str(content_after(disk, (struct sim_choice[]){lose, lose, keep}, "d/f"), "base....",
	    "a truncate can lengthen");
	is_str(content_after(disk, (struct sim_choice[]){keep, {SIM_CUT, 1}, lose}, "d/f"),
	    "baseAAB", "a write cut short");
	is_str(content(disk, "d/f"), "baseAABB", "the disk itself is as it was");
	os_sync(os, fd);
	is_int((intmax_t)sim_pending_count(disk), 0, "a sync leaves nothing pending");
	is_str(content_after(disk, NULL, "d/f"), "baseAABB", "what was synced is kept");
	os_write_at(os, fd, "X", 1, 0);
	is_str(content_after(disk, &lose, "d/f"), "baseAABB", "an overwrite can be lost");
	is_str(content_after(disk, &keep, "d/f"), "XaseAABB", "or kept");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_tear(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	static char text[6000], base[1000];
	struct buf b = BUF_INIT;
	int kept = 0, zero = 0, other = 0, shorter = 0, durable_lost = 0;

	memset(base, 'b', sizeof(base));
	memset(text, 't', sizeof(text));
	sim_write(disk, "f", base, sizeof(base));
	int fd = os_open(os, "f", OS_WRITE);
	os_write_at(os, fd, text, sizeof(text), 1000);
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim_disk *image = sim_crash_with(disk, &(struct sim_choice){SIM_TEAR, seed});
		buf_clear(&b);
		sim_read(image, "f", &b);
		shorter += b.len < 7000;
		durable_lost += b.len < 1000 || memcmp(b.data, base, 1000) != 0;
		for (size_t at = 1024; at < b.len; at += 512) {
			kept += b.data[at] == 't';
			zero += b.data[at] == 0;
			other += b.data[at] == 'b';
		}
		sim_disk_free(image);
	}
	is_int(durable_lost, 0, "a torn write spares what was synced, also in its sector");
	ok(kept > 50 && zero > 50 && other > 50 && shorter > 5,
	    "else a sector is new, zero, stale, or not there (%d %d %d %d)", kept, zero, other,
	    shorter);
	buf_release(&b);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_names(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);

	int fd = put_at(os, "/f", "data", 0);
	os_sync(os, fd);
	is_int((intmax_t)sim_pending_count(disk), 1, "a synced file's name is still pending");
	is_str(content_after(disk, &lose, "f"), NULL, "and can be lost");
	is_str(content_after(disk, &keep, "f"), "data", "or kept, with the data");
	os_sync_dir(os, "/");
	is_str(content_after(disk, NULL, "f"), "data", "the directory's sync makes it last");

	int tmp = put_at(os, "/f.tmp", "new", 0);
	os_rename(os, "/f.tmp", "/f");
	/* Pending: create, write, rename. */
	is_str(content_after(disk, (struct sim_choice[]){keep, lose, keep}, "f"), "",
	    "a rename without a sync before can leave an empty file");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, lose}, "f"), "data",
	    "a lost rename leaves the old file");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, lose}, "f.tmp"), "new",
	    "and the temporary");
	is_str(content_after(disk, (struct sim_choice[]){lose, keep, keep}, "f"), "data",
	    "a rename of a name that was lost is lost");
	os_sync(os, tmp);
	os_remove(os, "/f");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, lose}, "f"), "new",
	    "a remove can be lost");
	is_str(content_after(disk, (struct sim_choice[]){lose, lose, keep}, "f"), "data",
	    "a remove of another file does not take the old one");
	is_str(content_after(disk, (struct sim_choice[]){keep, keep, keep}, "f"), NULL,
	    "all kept, it is gone");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_directories(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);

	os_mkdir(os, "a");
	os_mkdir(os, "b");
	os_sync(os, put_at(os, "a/f", "x", 0));
	os_sync_dir(os, "a");
	is_int(
	    (intmax_t)sim_pending_count(disk), 2, "a directory's sync leaves its own name pending");
	is_str(content_after(disk, (struct sim_choice[]){lose, keep}, "a/f"), NULL,
	    "a lost directory takes its files along");
	os_sync_dir(os, "/");
	is_str(content_after(disk, NULL, "a/f"), "x", "its parent's sync keeps it");
	put_at(os, "b/early", "", 0);
	os_rename(os, "a/f", "b/g");
	put_at(os, "b/late", "", 0);
	is_int(
	    (intmax_t)sim_pending_count(disk), 3, "a rename between directories is one operation");
	is_str(content_after(disk, (struct sim_choice[]){lose, lose, lose}, "a/f"), "x",
	    "lost, the old name is there");
	is_str(content_after(disk, (struct sim_choice[]){lose, keep, lose}, "b/g"), "x",
	    "kept, the new");
	os_sync_dir(os, "a");
	is_int((intmax_t)sim_pending_count(disk), 1,
	    "synced by either directory, with what came before in the other");
	is_str(content_after(disk, &lose, "b/g"), "x", "it lasts");
	is_str(content_after(disk, &lose, "b/early"), "", "and so does that");
	is_str(content_after(disk, &lose, "b/late"), NULL, "what came after does not");
	os_rename(os, "b", "c");
	os_rename(os, "c/g", "c/h");
	os_sync_dir(os, "c");
	is_str(content_after(disk, &lose, "b/h"), "x", "a moved directory is the same directory");
	os_remove(os, "c/early");
	os_remove(os, "c/late");
	os_remove(os, "c/h");
	os_rmdir(os, "c");
	struct sim_disk *image = sim_clone(disk);
	is_int(sim_size(image, "b/h"), -1, "all removed, all gone");
	sim_disk_free(image);
	os_free(os);
	sim_disk_free(disk);
}

/* A hash of all that is on a disk. */
static int
digest_entry(void *ctx, const char *path, bool is_dir, int64_t size)
{
	uint64_t *digest = ctx;

	for (const char *p = path; *p != '\0'; p++)
		*digest = *digest * 1099511628211u + (uint8_t)*p;
	*digest = *digest * 1099511628211u + (uint64_t)size + is_dir;
	return 0;
}

static uint64_t
digest(struct sim_disk *disk)
{
	uint64_t sum = 0;

	sim_list(disk, digest_entry, &sum);
	return sum;
}

static void
test_seeds(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	uint64_t seen[200];
	int distinct = 0, repeated = 0, lost = 0, whole = 0;

	for (int i = 0; i < 6; i++) {
		char path[16];
		snprintf(path, sizeof(path), "f%d", i);
		int fd = put_at(os, path, "some text", 0);
		os_write_at(os, fd, "more of it", 10, 9);
		os_close(os, fd);
	}
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sim_disk *one = sim_crash(disk, seed), *two = sim_crash(disk, seed);
		bool old = false;
		seen[seed] = digest(one);
		repeated += seen[seed] == digest(two);
		for (uint64_t i = 0; i < seed && !old; i++)
			old = seen[i] == seen[seed];
		distinct += !old;
		lost += sim_size(one, "f0") == -1 && sim_size(one, "f5") == -1;
		whole += seen[seed] == digest(disk);
		sim_disk_free(one);
		sim_disk_free(two);
	}
	is_int(repeated, 200, "a seed makes one image");
	ok(distinct > 60, "seeds make many (%d of 200)", distinct);
	ok(lost > 10 && whole > 10, "among them the empty one and the whole one (%d, %d)", lost,
	    whole);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_processes(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *a = sim_os_new(disk, 1), *b = sim_os_new(disk, 2);
	char boot[37], next_boot[37];

	int fd = put_at(a, "f", "text", 0), other = os_open(b, "f", OS_WRITE);
	os_lock(a, fd, OS_LOCK_EXCLUSIVE);
	is_int(error_of(os_lock(b, other, OS_LOCK_SHARED)), EAGAIN, "a lock holds");
	sim_os_kill(a);
	is_int(os_lock(b, other, OS_LOCK_SHARED), 0, "until its holder is killed");
	is_str(content(disk, "f"), "text", "what it wrote is there");
	is_int(error_of(os_write_at(a, fd, "x", 1, 0)), EIO, "a dead process writes nothing");
	is_int(error_of(os_open(a, "f", OS_READ)), EIO, "opens nothing");
	is_int(error_of(os_turn(a, 0)), EIO, "has no loop");
	is_int((intmax_t)sim_os_open_count(a), 0, "has no descriptors");
	is_int((intmax_t)sim_os_open_count(b), 1, "the other has its own");
	struct sim_disk *image = sim_clone(disk);
	struct os *c = sim_os_new(image, 3);
	int again = os_open(c, "f", OS_WRITE);
	is_int(os_lock(c, again, OS_LOCK_EXCLUSIVE), 0, "a crash frees all locks");
	os_boot_id(b, boot);
	os_boot_id(c, next_boot);
	ok(strcmp(boot, next_boot) != 0, "and the boot id is another");
	os_free(a);
	os_free(b);
	os_free(c);
	sim_disk_free(disk);
	sim_disk_free(image);
}

static void
test_settings(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct os_space space;
	struct os_watch w = {.changed = NULL};

	sim_settings(disk)->bytes_max = 10;
	int fd = put_at(os, "f", "1234567", 0);
	is_int(error_of(os_write_at(os, fd, "89abc", 5, 7)), ENOSPC, "a full disk");
	is_str(content(disk, "f"), "123456789a", "took what fitted");
	is_int(os_write_at(os, fd, "X", 1, 0), 0, "and takes overwrites");
	os_space(os, "/", &space);
	ok(space.free_bytes == 0 && space.total_bytes == 10, "and says so");
	is_int(error_of(os_truncate(os, fd, 11)), ENOSPC, "no lengthening");
	is_int(os_truncate(os, fd, 2), 0, "cutting makes room");
	is_int(os_write_at(os, fd, "89abcdef", 8, 2), 0, "for as much");
	os_remove(os, "f");
	is_int(error_of(os_write_at(os, put_at(os, "g", "", 0), "x", 1, 0)), ENOSPC,
	    "a removed file has its room while it is open");
	os_close(os, fd);
	is_int(os_write_at(os, put_at(os, "g", "", 0), "x", 1, 0), 0, "but not longer");
	sim_settings(disk)->read_only = true;
	is_int(error_of(os_open(os, "h", OS_WRITE | OS_CREATE)), EROFS, "read-only: no new file");
	is_int(error_of(os_open(os, "g", OS_WRITE)), EROFS, "no writing");
	is_int(error_of(os_remove(os, "g")), EROFS, "no removing");
	ok(os_open(os, "g", OS_READ) != -1, "but reading");
	sim_settings(disk)->watches_max = 0;
	is_int(error_of(os_watch_start(os, &w, "/")), ENOSPC, "out of watches");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_tamper(void)
{
	struct sim_disk *disk = sim_disk_new(), *copy = sim_disk_new();
	struct os *os = sim_os_new(disk, 1), *to = sim_os_new(copy, 1);

	is_int(sim_write(disk, "/a/b//c", "text", 4), 0, "a file from outside, with directories");
	is_int((intmax_t)sim_pending_count(disk), 0, "nothing pending");
	is_str(content_after(disk, NULL, "a/b/c"), "text", "it lasts");
	is_int(sim_flip_bit(disk, "a/b/c", 8), 0, "a bit flips");
	is_str(content_after(disk, NULL, "a/b/c"), "tdxt", "for good");
	is_int(error_of(sim_flip_bit(disk, "a/b/c", 32)), EINVAL, "not beyond the end");
	is_int(error_of(sim_write(disk, "a/b", "", 0)), EISDIR, "not over a directory");
	put_at(os, "a/b/c", "XXXXXX", 2);
	is_int(sim_write(disk, "a/b/c", "0", 1), 0, "over a file that has changes pending");
	is_str(content_after(disk, NULL, "a/b/c"), "0", "it wins");
	is_int(sim_size(disk, "a/b/c"), 1, "its size");
	is_int(sim_save(disk, to, ""), 0, "a disk is saved into another os");
	is_str(content(copy, "a/b/c"), "0", "whole");
	os_free(os);
	os_free(to);
	sim_disk_free(disk);
	sim_disk_free(copy);
}

/* --- time and the loop ---------------------------------------------------- */

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

static void
on_watch(struct os_watch *w)
{
	trace_add(w->ctx);
}

static void
job_run(struct os_job *j)
{
	char lower[2] = {(char)(*(char *)j->ctx + 32), '\0'};

	trace_add(lower);
}

static void
job_done(struct os_job *j)
{
	trace_add(j->ctx);
}

static void
on_sync(struct os_sync *s)
{
	trace_add(s->result == 0 ? s->ctx : "!");
}

static void
test_timers(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct os_timer a = {.fire = on_timer, .ctx = (char[]){"a"}},
			b = {.fire = on_timer, .ctx = (char[]){"b"}};
	int64_t start = os_mono_ns(os), wall = os_wall_ms(os);

	trace[0] = '\0';
	is_int(error_of(os_turn(os, -1)), EDEADLK, "a turn that cannot end says so");
	os_timer_start(os, &a, 1000);
	os_timer_start(os, &b, 500);
	is_int(os_turn(os, 100), 0, "nothing for 100 ms");
	is_int(os_mono_ns(os) - start, 100000000, "which pass");
	is_int(os_turn(os, -1), 1, "a timer fires");
	is_str(trace, "b", "the earlier");
	is_int(os_mono_ns(os) - start, 500000000, "in its time");
	os_timer_start(os, &a, 2000);
	is_int(os_turn(os, 1000), 0, "a timer armed anew waits anew");
	os_timer_stop(os, &a);
	is_int(os_turn(os, 5000), 0, "one that is stopped never fires");
	is_int(os_wall_ms(os) - wall, 6500, "both clocks went on");
	sim_set_wall_ms(disk, wall - 1000000);
	is_int(os_wall_ms(os), wall - 1000000, "the wall clock jumps");
	is_int(os_mono_ns(os) - start, 6500000000, "the other does not");
	os_sleep_ms(os, 500);
	is_int(os_mono_ns(os) - start, 7000000000, "a sleep takes its time");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_work(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 7);
	struct os_job a = {.run = job_run, .done = job_done, .ctx = (char[]){"A"}};
	struct os_job b = {.run = job_run, .done = job_done, .ctx = (char[]){"B"}};
	int fds[2] = {put_at(os, "f", "x", 0), put_at(os, "g", "x", 0)};
	struct os_sync s = {.fds = fds, .fd_count = 2, .done = on_sync, .ctx = (char[]){"S"}};

	trace[0] = '\0';
	os_work(os, 3, &a);
	os_work(os, 3, &b);
	is_str(trace, "", "a job does not run inside the call");
	is_int(os_turn(os, -1) + os_turn(os, -1), 2, "but in turns");
	is_str(trace, "aAbB", "one worker's in order");
	sim_settings(disk)->sync_ms = 30;
	int64_t start = os_mono_ns(os);
	size_t pending = sim_pending_count(disk);
	os_sync_start(os, &s);
	is_int(os_turn(os, 29), 0, "a sync takes time");
	is_int(
	    (intmax_t)sim_pending_count(disk), (intmax_t)pending, "until then nothing is synced");
	is_int(os_turn(os, -1), 1, "it completes");
	is_str(trace, "aAbBS", "well");
	is_int(os_mono_ns(os) - start, 30000000, "when it should");
	is_int((intmax_t)(pending - sim_pending_count(disk)), 2, "both files are synced");
	os_close(os, fds[1]);
	os_sync_start(os, &s);
	os_turn(os, -1);
	is_int(s.result, EBADF, "an error is told");
	os_work(os, 1, &a);
	sim_os_kill(os);
	is_int(error_of(os_turn(os, -1)), EIO, "a killed process's jobs never run");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_watches(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *a = sim_os_new(disk, 1), *b = sim_os_new(disk, 2);
	struct os_watch w = {.changed = on_watch, .ctx = (char[]){"w"}},
			v = {.changed = on_watch, .ctx = (char[]){"v"}};

	trace[0] = '\0';
	os_mkdir(a, "d");
	os_mkdir(a, "e");
	is_int(os_watch_start(a, &w, "d") | os_watch_start(b, &v, "d"), 0, "two watch");
	int fd = put_at(b, "d/f", "x", 0);
	put_at(b, "e/f", "x", 0);
	is_int(os_turn(a, -1), 1, "a change calls");
	is_int(os_turn(a, 0), 0, "once");
	os_turn(b, -1);
	is_str(trace, "wv", "each of them");
	os_write_at(b, fd, "y", 1, 1);
	is_int(os_turn(a, 0), 1, "a file that grows is a change");
	os_watch_stop(a, &w);
	os_remove(b, "d/f");
	is_int(os_turn(a, 0), 0, "no call after the stop");
	is_int(error_of(os_watch_start(a, &w, "none")), ENOENT, "no watch of nothing");
	os_free(a);
	os_free(b);
	sim_disk_free(disk);
}

/* A big file's images share its memory. */
static void
test_cheap(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1), *machine;
	struct err err;
	size_t len = 8 << 20;
	char *data = calloc(1, len);
	int fd = os_open(os, "big", OS_WRITE | OS_CREATE);

	machine = os_real_new(&err);
	os_write_at(os, fd, data, len, 0);
	os_sync(os, fd);
	os_sync_dir(os, "/");
	os_write_at(os, fd, "tail", 4, (int64_t)len);
	int64_t start = os_mono_ns(machine);
	for (uint64_t seed = 0; seed < 100; seed++)
		sim_disk_free(sim_crash(disk, seed));
	int64_t took_ms = (os_mono_ns(machine) - start) / 1000000;
	printf("# 100 images of 8 MB: %" PRId64 " ms\n", took_ms);
	ok(took_ms < 2000, "images of a big file are cheap");
	os_free(machine);
	os_free(os);
	sim_disk_free(disk);
	free(data);
}

int
main(void)
{
	test_data();
	test_tear();
	test_names();
	test_directories();
	test_seeds();
	test_processes();
	test_settings();
	test_tamper();
	test_timers();
	test_work();
	test_watches();
	test_cheap();
	return tap_done();
}
