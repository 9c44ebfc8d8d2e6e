/* Drawn calls on the machine and on the simulated one give the same results
 * and leave the same files; and whatever the calls, a crash keeps what was
 * synced. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "tap.h"

#define FDS 6

struct pair {
	struct os *real, *sim;
	struct sim_disk *disk;
	const char *dir;
	int real_fds[FDS], sim_fds[FDS]; /* -1: closed */
	uint64_t random;
};

static unsigned
draw(struct pair *p, unsigned below)
{
	p->random = p->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(p->random >> 33) % below;
}

/* One of a few paths, some below others. */
static const char *
draw_path(struct pair *p)
{
	static const char *const paths[] = {
	    "a", "b", "c", "a/x", "a/y", "b/x", "b/y", "a/x/u", "a/x/v", "b/x/u"};

	return paths[draw(p, 10)];
}

static const char *
real_path(struct pair *p, const char *path)
{
	static char paths[2][128];
	static int turn;
	char *out = paths[turn++ % 2];

	snprintf(out, 128, "%s/%s", p->dir, path);
	return out;
}

/* Results as one number: what came back, or the errno below zero. */
static int64_t
outcome(int64_t result)
{
	return result == -1 ? -errno : result;
}

static int
draw_open(struct pair *p)
{
	const char *path = draw_path(p);
	unsigned slot = draw(p, FDS);
	int flags = OS_WRITE | (draw(p, 4) > 0 ? OS_CREATE : 0) | (draw(p, 8) == 0 ? OS_EXCL : 0) |
		    (draw(p, 8) == 0 ? OS_TRUNC : 0);

	if (p->real_fds[slot] != -1) {
		os_close(p->real, p->real_fds[slot]);
		os_close(p->sim, p->sim_fds[slot]);
	}
	p->real_fds[slot] = os_open(p->real, real_path(p, path), flags);
	int64_t real = p->real_fds[slot] == -1 ? -errno : 0;
	p->sim_fds[slot] = os_open(p->sim, path, flags);
	int64_t sim = p->sim_fds[slot] == -1 ? -errno : 0;
	return real != sim;
}

static int
draw_data(struct pair *p)
{
	unsigned slot = draw(p, FDS), what = draw(p, 8);
	int64_t offset = draw(p, 9000), real, sim;
	size_t len = draw(p, 6000);
	uint8_t one[6000], two[6000];

	if (p->real_fds[slot] == -1)
		return 0;
	if (what == 0) {
		real = outcome(os_truncate(p->real, p->real_fds[slot], offset));
		sim = outcome(os_truncate(p->sim, p->sim_fds[slot], offset));
		return real != sim;
	}
	if (what == 1) {
		real = outcome(os_sync(p->real, p->real_fds[slot]));
		sim = outcome(os_sync(p->sim, p->sim_fds[slot]));
		return real != sim;
	}
	if (what < 5) {
		memset(one, (int)draw(p, 256), len);
		real = outcome(os_write_at(p->real, p->real_fds[slot], one, len, offset));
		sim = outcome(os_write_at(p->sim, p->sim_fds[slot], one, len, offset));
		return real != sim;
	}
	real = outcome(os_read_at(p->real, p->real_fds[slot], one, len, offset));
	sim = outcome(os_read_at(p->sim, p->sim_fds[slot], two, len, offset));
	return real != sim || (real > 0 && memcmp(one, two, (size_t)real) != 0);
}

static int
draw_name(struct pair *p)
{
	const char *path = draw_path(p), *to = draw_path(p);
	int64_t real, sim;

	switch (draw(p, 5)) {
	case 0:
		real = outcome(os_mkdir(p->real, real_path(p, path)));
		sim = outcome(os_mkdir(p->sim, path));
		break;
	case 1:
		real = outcome(os_rmdir(p->real, real_path(p, path)));
		sim = outcome(os_rmdir(p->sim, path));
		break;
	case 2:
		real = outcome(os_remove(p->real, real_path(p, path)));
		sim = outcome(os_remove(p->sim, path));
		break;
	case 3:
		real = outcome(os_sync_dir(p->real, real_path(p, path)));
		sim = outcome(os_sync_dir(p->sim, path));
		break;
	default:
		real = outcome(os_rename(p->real, real_path(p, path), real_path(p, to)));
		sim = outcome(os_rename(p->sim, path, to));
	}
	/* Where several things are wrong, which one is told may differ. */
	return (real < 0) != (sim < 0);
}

struct compare {
	struct sim_disk *disk; /* that the other is listed against */
	struct sim_disk *listed;
	int count, different;
};

static int
compare_entry(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct compare *c = ctx;
	struct buf one = BUF_INIT, two = BUF_INIT;

	(void)size;
	c->count++;
	if (!is_dir) {
		c->different += sim_read(c->disk, path, &one) == -1 ||
				sim_read(c->listed, path, &two) == -1 || one.len != two.len ||
				(one.len > 0 && memcmp(one.data, two.data, one.len) != 0);
	}
	buf_release(&one);
	buf_release(&two);
	return 0;
}

/* How many files of one disk are not the same on the other; and that they have
 * as many. */
static int
differences(struct sim_disk *a, struct sim_disk *b)
{
	struct compare one = {.disk = b, .listed = a}, two = {.disk = a, .listed = b};

	sim_list(a, compare_entry, &one);
	sim_list(b, compare_entry, &two);
	return one.different + two.different + (one.count != two.count);
}

static int
sync_entry(void *ctx, const char *path, bool is_dir, int64_t size)
{
	struct os *os = ctx;

	(void)size;
	if (is_dir)
		return os_sync_dir(os, path);
	int fd = os_open(os, path, OS_READ);
	int r = os_sync(os, fd);
	os_close(os, fd);
	return r;
}

/* Removes what the calls left, in both. */
static int
remove_entry(void *ctx, const char *name)
{
	struct pair *p = ctx;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	if (os_remove(p->real, path) == -1 && os_rmdir(p->real, path) == -1) {
		const char *dir = p->dir;
		p->dir = path;
		os_list(p->real, path, remove_entry, p);
		p->dir = dir;
		os_rmdir(p->real, path);
	}
	return 0;
}

static int
lossless(struct pair *p, uint64_t seed)
{
	static struct sim_choice none[4096];
	struct sim_disk *clone = sim_clone(p->disk), *image;
	int bad = differences(p->disk, clone);

	sim_disk_free(clone);
	/* Any image can be made, whatever it holds. */
	sim_disk_free(sim_crash(p->disk, seed));
	sim_list(p->disk, sync_entry, p->sim);
	os_sync_dir(p->sim, "/");
	for (size_t i = 0; i < 4096; i++)
		none[i].fate = SIM_LOSE;
	if (sim_pending_count(p->disk) > 4096)
		return bad + 1;
	image = sim_crash_with(p->disk, none);
	bad += differences(p->disk, image);
	sim_disk_free(image);
	return bad;
}

static void
test_seed(const char *dir, uint64_t seed, int *different, int *lost)
{
	struct err err;
	struct pair p = {.dir = dir, .random = seed, .real = os_real_new(&err)};

	p.disk = sim_disk_new();
	p.sim = sim_os_new(p.disk, seed);
	for (int i = 0; i < FDS; i++)
		p.real_fds[i] = p.sim_fds[i] = -1;
	for (int i = 0; i < 400; i++) {
		unsigned what = draw(&p, 10);
		int bad = what < 3 ? draw_open(&p) : what < 7 ? draw_data(&p) : draw_name(&p);
		if (bad != 0 && (*different)++ == 0)
			printf("# seed %d, step %d, kind %u\n", (int)seed, i, what);
		if (i % 100 == 99)
			*lost += lossless(&p, seed + (uint64_t)i);
	}
	for (int i = 0; i < FDS; i++)
		if (p.real_fds[i] != -1)
			os_close(p.real, p.real_fds[i]);
	os_list(p.real, dir, remove_entry, &p);
	os_free(p.real);
	os_free(p.sim);
	sim_disk_free(p.disk);
}

int
main(void)
{
	char dir[] = "/tmp/mq-os-random.XXXXXX";
	int different = 0, lost = 0;

	if (mkdtemp(dir) == NULL)
		return 1;
	for (uint64_t seed = 1; seed <= 40; seed++)
		test_seed(dir, seed, &different, &lost);
	is_int(different, 0, "16000 drawn calls do the same on the machine and simulated");
	is_int(lost, 0, "what is synced, files and names, no crash takes");
	is_int(rmdir(dir), 0, "nothing is left behind");
	return tap_done();
}
