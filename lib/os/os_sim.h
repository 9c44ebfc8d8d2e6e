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
 * Knows files, names, time and connections; knows nothing of logs.
 */
#ifndef OS_OS_SIM_H
#define OS_OS_SIM_H

#include "os/os.h"

struct buf;
struct sim_disk;
struct sim_net;

/* No file grows beyond this (EFBIG). */
#define SIM_FILE_MAX ((int64_t)1 << 32)

/* --- the machine ---------------------------------------------------------- */

/* A disk with an empty root directory, or NULL when malloc failed. */
struct sim_disk *sim_disk_new(void);

/* Frees a disk. Its processes must have been freed before. */
void sim_disk_free(struct sim_disk *disk);

/* May be changed at any time. */
struct sim_settings {
	int64_t bytes_max;	  /* sum of file sizes; 0: no limit. Then ENOSPC, after
				   * the part of a write that fits */
	int sync_ms;		  /* how long a sync takes */
	unsigned watches_max;	  /* a process gets ENOSPC beyond */
	unsigned descriptors_max; /* a process gets EMFILE beyond: files, streams and
				   * listeners; 0: no limit */
	unsigned cold_percent;	  /* how often a page is not resident */
	bool read_only;		  /* EROFS */
	bool network;		  /* what os_space says */
	/* Called before a process sleeps, so that a test can let another act. */
	void (*on_sleep)(void *ctx);
	void *on_sleep_ctx;
};

struct sim_settings *sim_settings(struct sim_disk *disk);

/* Time passes, for both clocks and for all on its net; timers fire in their
 * processes' next turns. */
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

/* Stops it, as SIGSTOP does, or lets it go on: sim_net_turn passes it over. */
void sim_os_stop(struct os *os, bool stopped);

/* Descriptors that are open, streams and listeners too: to find leaks. */
size_t sim_os_open_count(struct os *os);

/* Where notes go; at first nowhere. */
void sim_os_set_note(
    struct os *os, void (*note)(void *ctx, enum os_level level, const char *text), void *ctx);

/* --- the network ---------------------------------------------------------- */

/*
 * A disk is a host, and is at first alone: its processes reach each other by
 * "127.0.0.1", "localhost", "[::1]" and by "unix:PATH". Attached to a net it has
 * a name by which others reach it: "NAME:PORT". All that is attached shares one
 * time: a turn of one process moves it on for all. sim_net_turn runs whatever
 * comes next in any of them.
 *
 * A connection is as TCP's: bytes arrive in order, in pieces, after a while; as
 * many as the window holds may be on the way or unread, the rest stays unsent.
 * A process that dies has its connections closed by its kernel; a host that is
 * detached, or cut off, is silent: what is sent to it is tried again for 15
 * minutes (a connect for 127 s), who waits is told after 45 s, all ETIMEDOUT;
 * what gets through to a host that came back meanwhile is answered with a reset.
 */

/* A net with nobody on it, or NULL when malloc failed. */
struct sim_net *sim_net_new(uint64_t seed);

/* Detaches all and frees it. */
void sim_net_free(struct sim_net *net);

/* Puts a disk on the net; before its processes make streams. The later of both
 * times becomes that of the net; the disk's wall clock stays. The image of a
 * crashed disk takes the place of that disk by its name. -1 with EEXIST (the
 * name is in use) or ENOMEM. */
int sim_net_attach(struct sim_net *net, struct sim_disk *disk, const char *host);

/* Cuts its power: its processes are killed, and nobody hears of it. The disk is
 * alone again. Fine if it is; sim_disk_free does it too. */
void sim_net_detach(struct sim_disk *disk);

/* The net that a disk is on: at first one of its own. */
struct sim_net *sim_net_of(struct sim_disk *disk);

/* One way between two hosts, or within one. May be changed at any time, for what
 * is sent from then on. */
struct sim_link {
	int64_t latency_us;	/* at first 100 */
	int64_t jitter_us;	/* up to so much more, at random; at first 50 */
	int64_t bytes_per_s;	/* of all connections together; 0, at first: no limit */
	size_t piece_bytes_max; /* bytes arrive in pieces of 1 to so many; 0: as sent; at
				 * first 16384 */
};

struct sim_net_settings {
	struct sim_link link;	   /* every way that has none of its own */
	size_t window_bytes;	   /* for connections made from then on; at first 256 KiB */
	unsigned split_percent;	   /* how often a read gets less than is there; at first 10 */
	unsigned refuse_percent;   /* how often a connect is refused though someone listens */
	unsigned cuts_per_million; /* how often a piece that arrives resets its connection */
};

struct sim_net_settings *sim_net_settings(struct sim_net *net);

/* The way's own settings, from now on, at first a copy of the net's; the net's.
 * NULL for an unknown host or when malloc failed. */
struct sim_link *sim_net_link(struct sim_net *net, const char *from, const char *to);

/* Nothing comes through from one host to another any more, or again (lost
 * false). NULL is any host. -1 when malloc failed. */
int sim_net_lose(struct sim_net *net, const char *from, const char *to, bool lost);

/* The same both ways. */
int sim_net_partition(struct sim_net *net, const char *a, const char *b, bool lost);

/* Resets all connections between two hosts, or one: both sides see ECONNRESET.
 * NULL is any host. */
void sim_net_cut(struct sim_net *net, const char *a, const char *b);
void sim_net_cut_stream(struct os_stream *s);

/* As os_turn, for all processes on the net: runs one event, drawn from those that
 * are ready; when none is, time goes on to the next, at most by `timeout_ms` (-1:
 * without limit). -1 with EDEADLK if there never will be one. */
int sim_net_turn(struct sim_net *net, int timeout_ms);

int64_t sim_net_now_ns(const struct sim_net *net);

/* Is told, line by line, what arrives where, and what goes wrong: two runs of one
 * seed say the same. */
void sim_net_set_trace(struct sim_net *net, void (*trace)(void *ctx, const char *line), void *ctx);

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
