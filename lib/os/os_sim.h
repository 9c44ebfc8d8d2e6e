/*
 * os_sim: a simulated machine as a `struct os`, for tests.
 *
 * A disk holds files, names, locks and the time. It outlives the processes on
 * it: each `struct os` made by sim_os_new is one process; several may use a
 * disk at once, and end or be killed on their own. Nothing happens but by
 * calls, and chance comes from seeds: a run repeats exactly.
 *
 * What is durable
 *  - A write or truncate is pending until its file is synced.
 *  - A create, rename, remove, mkdir or rmdir is pending until its directory is
 *    synced; a sync of the file does nothing for its name. A rename between
 *    two directories is done by a sync of either.
 *  - A killed process loses nothing that was written (its page cache stays).
 *  - A crash image holds all that was synced, and of each pending operation
 *    what its fate says: sim_crash draws fates from a seed, sim_crash_with is
 *    told them. A rename is atomic; an operation on a name whose forerunner
 *    was lost is lost too.
 *
 * Stricter than the machine where it helps to find errors: descriptors are
 * not used twice, names are listed in a random order, a turn that could never
 * end fails with EDEADLK. One thread only: jobs run inside os_turn, which
 * runs one event a turn, drawn from those that are ready.
 *
 * Knows files, names and time; knows nothing of logs.
 */
#ifndef OS_OS_SIM_H
#define OS_OS_SIM_H

#include "os/os.h"

struct buf;
struct sim_disk;

/* No file grows beyond this (EFBIG). */
#define SIM_FILE_MAX ((int64_t)1 << 32)

/* --- the machine ---------------------------------------------------------- */

/* A disk with an empty root directory, or NULL when malloc failed. */
struct sim_disk *sim_disk_new(void);

/* Frees a disk. Its processes must have been freed before. */
void sim_disk_free(struct sim_disk *disk);

/* May be changed at any time. */
struct sim_settings {
	int64_t bytes_max;    /* sum of file sizes; 0: no limit. Then ENOSPC, after
			       * the part of a write that fits */
	int sync_ms;	      /* how long a sync takes */
	unsigned watches_max; /* a process gets ENOSPC beyond */
	unsigned cold_percent; /* how often a page is not resident */
	bool read_only;	      /* EROFS */
	bool network;	      /* what os_space says */
	/* Called before a process sleeps, so that a test can let another act. */
	void (*on_sleep)(void *ctx);
	void *on_sleep_ctx;
};

struct sim_settings *sim_settings(struct sim_disk *disk);

/* Time passes, for both clocks; timers fire in their processes' next turns. */
void sim_advance_ms(struct sim_disk *disk, int64_t ms);

/* Sets the wall clock alone. It starts at 1700000000000. */
void sim_set_wall_ms(struct sim_disk *disk, int64_t ms);

/* --- processes ------------------------------------------------------------ */

/* A process on a disk, or NULL when malloc failed. os_free ends it in an
 * orderly way: its descriptors and locks go. */
struct os *sim_os_new(struct sim_disk *disk, uint64_t seed);

/* Kills it: descriptors and locks go, jobs and timers too; every later call
 * fails with EIO and changes nothing. It still wants os_free. */
void sim_os_kill(struct os *os);

/* Descriptors that are open: to find leaks. */
size_t sim_os_open_count(struct os *os);

/* Where notes go; at first nowhere. */
void sim_os_set_note(
    struct os *os, void (*note)(void *ctx, enum os_level level, const char *text), void *ctx);

/* --- looking and tampering ------------------------------------------------ */

/* These go behind the processes' backs; what they write is durable at once.
 * They return -1 with errno. */

/* Appends a whole file to `out`. */
int sim_read(struct sim_disk *disk, const char *path, struct buf *out);

/* Sets a whole file, making it and its directories as needed. */
int sim_write(struct sim_disk *disk, const char *path, const void *data, size_t len);

/* Flips bit `bit` (0: the lowest of the first byte). EINVAL beyond the end. */
int sim_flip_bit(struct sim_disk *disk, const char *path, int64_t bit);

/* The size of a file, or -1. */
int64_t sim_size(struct sim_disk *disk, const char *path);

/* Calls `each` for every file and directory below the root, as "a/b/c", a
 * directory before its content, sorted by name. Stops when it returns nonzero. */
int sim_list(struct sim_disk *disk,
    int (*each)(void *ctx, const char *path, bool is_dir, int64_t size), void *ctx);

/* Copies the disk into a directory of another os that exists, to look at it
 * with tools. */
int sim_save(struct sim_disk *disk, struct os *to, const char *dir);

/* --- crashes -------------------------------------------------------------- */

enum sim_kind { SIM_WRITE, SIM_TRUNCATE, SIM_CREATE, SIM_REMOVE, SIM_RENAME };

/* One pending operation. SIM_CREATE is also mkdir, SIM_REMOVE also rmdir. */
struct sim_pending {
	enum sim_kind kind;
	const char *name; /* last part of the path (of the new one); the disk's */
	int64_t offset;	  /* SIM_WRITE; SIM_TRUNCATE: the new size */
	size_t len;	  /* SIM_WRITE */
};

enum sim_fate {
	SIM_KEEP,
	SIM_LOSE,
	SIM_CUT,  /* of a write, the first `arg` bytes; the file is no longer */
	SIM_TEAR, /* of a write, some sectors of 512 bytes; others hold what was
		   * there before, zeros or stale blocks, as drawn from `arg` */
};

struct sim_choice {
	enum sim_fate fate; /* SIM_CUT and SIM_TEAR of other operations: SIM_KEEP */
	uint64_t arg;
};

/* Pending operations, in the order in which they were made. */
size_t sim_pending_count(const struct sim_disk *disk);
void sim_pending_at(const struct sim_disk *disk, size_t i, struct sim_pending *out);

/* The disk as a machine finds it that comes back from a crash, one choice for
 * each pending operation. A new disk, with nothing pending and another boot
 * id, or NULL when malloc failed; the old one is as it was, and shares its
 * memory with the image as far as possible: images are cheap. */
struct sim_disk *sim_crash_with(struct sim_disk *disk, const struct sim_choice *choices);

/* The same by a seed. Among the seeds are those that keep all, lose all, keep
 * a prefix, keep a prefix of each directory's operations, and any mixture. */
struct sim_disk *sim_crash(struct sim_disk *disk, uint64_t seed);

/* All kept: what a clean stop leaves. */
struct sim_disk *sim_clone(struct sim_disk *disk);

#endif
