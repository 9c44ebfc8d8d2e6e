/*
 * crash-image BEFORE LOG SEED AFTER: what a power cut leaves of a directory below
 * which processes worked.
 *
 * BEFORE is the directory as it was when they began, all of it durable; LOG is what
 * faults.so wrote of them (MQ_FAULT_LOG, with MQ_FAULT_DATA); AFTER, which is made, is
 * an image by SEED: what was synced is there, and of each operation that was not, all,
 * nothing or a part. The calls are made again on the simulated disk, whose crashes are
 * those of all other tests (os_sim.h).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_real.h"
#include "os/os_sim.h"

#define LOG_MAX ((size_t)1 << 31)

static struct os *machine, *sim;
static struct sim_disk *disk;

__attribute__((noreturn, format(printf, 1, 2))) static void
fail(const char *fmt, ...)
{
	va_list ap;

	fputs("crash-image: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static struct buf
read_all(const char *path)
{
	struct buf all = BUF_INIT;
	struct err err;

	if (os_read_file(machine, path, LOG_MAX, &all, &err) == -1)
		fail("%s", err.text);
	return all;
}

/* --- the directory as it was ------------------------------------------------------- */

struct place {
	const char *from; /* on the machine */
	const char *to;   /* on the simulated disk; "" is its root */
};

static int load_entry(void *ctx, const char *name);

static void
load(const struct place *p)
{
	if (os_list(machine, p->from, load_entry, (void *)(uintptr_t)p) == -1)
		fail("%s: %s", p->from, strerror(errno));
}

static int
load_entry(void *ctx, const char *name)
{
	const struct place *p = ctx;
	char from[4096], to[4096];
	struct os_stat st;
	struct buf all;

	snprintf(from, sizeof(from), "%s/%s", p->from, name);
	snprintf(to, sizeof(to), "%s%s%s", p->to, p->to[0] != '\0' ? "/" : "", name);
	if (os_stat_path(machine, from, &st) == -1)
		fail("%s: %s", from, strerror(errno));
	if (st.is_dir) {
		if (os_mkdir(sim, to) == -1)
			fail("%s: %s", to, strerror(errno));
		load(&(struct place){from, to});
		return 0;
	}
	/* A socket is gone with its process. */
	if (strstr(name, ".sock") != NULL)
		return 0;
	all = read_all(from);
	if (sim_write(disk, to, all.data, all.len) == -1)
		fail("%s: %s", to, strerror(errno));
	buf_release(&all);
	return 0;
}

static int
sync_entry(void *ctx, const char *path, bool is_dir, int64_t size)
{
	(void)ctx;
	(void)size;
	return is_dir ? os_sync_dir(sim, path) : 0;
}

/* --- what was done ------------------------------------------------------------------ */

struct call {
	int pid;
	unsigned long long number;
	char name[32], path[1024], more[1024];
	long result;
	const uint8_t *data; /* of a write */
};

/* Takes the next line, and the bytes behind it. False: the log ends, or the process
 * died while it wrote there. */
static bool
next_call(const struct buf *log, size_t *at, struct call *c)
{
	const char *line = (const char *)log->data + *at;
	const char *end = memchr(line, '\n', log->len - *at), *equals;
	char text[4096];
	size_t len;

	if (*at >= log->len || end == NULL)
		return false;
	len = (size_t)(end - line);
	if (len >= sizeof(text))
		fail("byte %zu of the log: a long line", *at);
	memcpy(text, line, len);
	text[len] = '\0';
	*at += len + 1;
	/* What went to stdout. */
	if (sscanf(text, "%*d - out %ld", &c->result) == 1)
		return next_call(log, at, c);
	c->more[0] = '\0';
	c->result = 0;
	c->data = log->data + *at;
	if (sscanf(text, "%d %llu %31s %1023s %1023s", &c->pid, &c->number, c->name, c->path,
	    c->more) < 4)
		fail("not understood: %s", text);
	equals = strrchr(text, '=');
	if (equals != NULL)
		c->result = strtol(equals + 1, NULL, 10);
	if (strncmp(c->name, "pwrite", 6) != 0 && strncmp(c->name, "write", 5) != 0)
		return true;
	if (c->result > 0)
		*at += (size_t)c->result;
	return *at <= log->len;
}

/* Did the sync that begins here end well? The log goes on at `at`. */
static bool
ends(const struct buf *log, size_t at, const struct call *begun)
{
	struct call c;

	while (next_call(log, &at, &c)) {
		if (c.pid == begun->pid && c.number == begun->number)
			return c.result == 0;
	}
	return false;
}

/* A path below the directory: as the simulated disk has it. */
static const char *
below(const char *path)
{
	return path[0] == '/' && path[1] != '\0' ? path + 1 : ".";
}

static int
on_file(const char *path, int flags, const struct call *c)
{
	int fd = os_open(sim, path, flags), ret = fd == -1 ? -1 : 0;
	long long size, offset;

	if (fd == -1)
		return -1;
	if (strcmp(c->name, "fdatasync-begin") == 0 || strcmp(c->name, "fsync-begin") == 0)
		ret = os_sync(sim, fd);
	else if (strncmp(c->name, "ftruncate", 9) == 0)
		ret = os_truncate(sim, fd, strtoll(c->more, NULL, 10));
	else if (sscanf(c->more, "%lld@%lld", &size, &offset) == 2)
		ret = offset == -1 ? -1 :
		    os_write_at(sim, fd, c->data, (size_t)c->result, offset);
	if (os_close(sim, fd) == -1)
		ret = -1;
	return ret;
}

static int
sync_again(const char *path, const struct call *c)
{
	struct os_stat st;

	if (strcmp(path, ".") == 0)
		return os_sync_dir(sim, ".");
	if (os_stat_path(sim, path, &st) == -1)
		return -1;
	return st.is_dir ? os_sync_dir(sim, path) : on_file(path, OS_WRITE, c);
}

static int
make_again(const struct call *c)
{
	const char *path = below(c->path);

	if (strcmp(c->name, "open") == 0)
		return on_file(path, OS_WRITE | OS_CREATE | OS_TRUNC, c);
	/* The directory itself is there from the first. */
	if (strcmp(c->name, "mkdir") == 0)
		return strcmp(path, ".") == 0 ? 0 : os_mkdir(sim, path);
	if (strcmp(c->name, "rename") == 0)
		return os_rename(sim, path, below(c->more));
	if (strcmp(c->name, "unlink") == 0)
		return os_remove(sim, path);
	if (strcmp(c->name, "rmdir") == 0)
		return os_rmdir(sim, path);
	return on_file(path, OS_WRITE, c);
}

static void
replay(const struct buf *log)
{
	size_t at = 0;
	struct call c;
	int ret;

	while (next_call(log, &at, &c)) {
		size_t name = strlen(c.name);
		bool begins = name > 6 && strcmp(c.name + name - 6, "-begin") == 0;

		/* A file that was removed under its descriptor is nobody's any more. */
		if (c.result < 0 || strstr(c.path, ".sock") != NULL || strcmp(c.more, "(deleted)") == 0)
			continue;
		if (begins)
			ret = ends(log, at, &c) ? sync_again(below(c.path), &c) : 0;
		else if (strstr(c.name, "sync") != NULL)
			ret = 0; /* counted when it began: it covers no more than that for sure */
		else
			ret = make_again(&c);
		if (ret == -1)
			fail("call %llu of %d: %s %s %s: %s", c.number, c.pid, c.name, c.path, c.more,
			    strerror(errno));
	}
}

int
main(int argc, char **argv)
{
	struct sim_disk *image;
	struct err err;
	struct buf log;

	if (argc != 5) {
		fputs("usage: crash-image BEFORE LOG SEED AFTER\n", stderr);
		return 2;
	}
	machine = os_real_new(&err);
	disk = sim_disk_new();
	sim = disk != NULL ? sim_os_new(disk, 1) : NULL;
	if (machine == NULL || sim == NULL)
		fail("no memory");
	load(&(struct place){argv[1], ""});
	if (os_sync_dir(sim, ".") == -1 || sim_list(disk, sync_entry, NULL) != 0)
		fail("%s: cannot be synced", argv[1]);
	log = read_all(argv[2]);
	replay(&log);
	buf_release(&log);
	printf("pending: %zu\n", sim_pending_count(disk));
	image = sim_crash(disk, strtoull(argv[3], NULL, 10));
	if (image == NULL || os_mkdir(machine, argv[4]) == -1 ||
	    sim_save(image, machine, argv[4]) == -1)
		fail("%s: cannot be made", argv[4]);
	sim_disk_free(image);
	os_free(sim);
	sim_disk_free(disk);
	os_free(machine);
	return 0;
}
