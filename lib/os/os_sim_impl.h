/*
 * What the files of os_sim share; private to them.
 *
 *   sim_content.c  the bytes of a file, in blocks that copies share
 *   sim_disk.c     inodes, names, pending operations
 *   sim_crash.c    crash images
 *   sim_tamper.c   looking and tampering from outside
 *   os_sim.c       a process: files and names
 *   sim_loop.c     a process: time, chance, the loop
 *   sim_net_impl.h  the network
 *
 * Invariants
 *  1. A file's durable content with its pending operations applied in order is
 *     its content; likewise a directory's names.
 *  2. An inode lives while a name (current or durable), a pending operation of
 *     a directory, a descriptor or a watch refers to it.
 */
#ifndef OS_OS_SIM_IMPL_H
#define OS_OS_SIM_IMPL_H

#include <bsd/sys/queue.h>

#include "base/map.h"
#include "os/os_sim.h"
#include "os/os_timers.h"

#define SIM_BLOCK 4096
#define SIM_SECTOR 512
#define SIM_WORKERS 8
#define SIM_NAME_MAX 255

/* --- content -------------------------------------------------------------- */

struct sim_block {
	unsigned refs;
	uint8_t data[SIM_BLOCK];
};

struct sim_content {
	int64_t size;
	struct sim_block **blocks; /* NULL: a hole. Bytes beyond size are zero */
	size_t count, cap;
};

void content_release(struct sim_content *c);
int content_clone(struct sim_content *to, const struct sim_content *from);
size_t content_read(const struct sim_content *c, void *data, size_t len, int64_t offset);
int content_write(struct sim_content *c, const void *data, size_t len, int64_t offset);
int content_resize(struct sim_content *c, int64_t size);

/* --- inodes and pending operations ---------------------------------------- */

struct sim_inode;

struct sim_op {
	TAILQ_ENTRY(sim_op) in_disk;
	TAILQ_ENTRY(sim_op) in_file; /* SIM_WRITE, SIM_TRUNCATE */
	enum sim_kind kind;
	bool chosen;		  /* scratch of disk_sync_dir */
	struct sim_choice choice; /* scratch of sim_crash_with */
	struct sim_inode *inode;  /* what it is about; a reference for names only */
	/* SIM_WRITE, SIM_TRUNCATE */
	int64_t offset;
	size_t len;
	/* Names: the old place (SIM_REMOVE, SIM_RENAME), the new (SIM_CREATE,
	 * SIM_RENAME); references. */
	struct sim_inode *from_dir, *to_dir;
	char *from, *to; /* in data */
	uint8_t data[];
};

TAILQ_HEAD(sim_op_list, sim_op);
LIST_HEAD(sim_inode_list, sim_inode);
LIST_HEAD(sim_os_list, sim_os);
LIST_HEAD(sim_watch_list, sim_watch);

static inline bool
op_is_data(const struct sim_op *op)
{
	return op->kind == SIM_WRITE || op->kind == SIM_TRUNCATE;
}

struct sim_inode {
	LIST_ENTRY(sim_inode) in_disk;
	struct sim_disk *disk;
	uint64_t number;
	unsigned refs;
	unsigned opens;
	bool is_dir;
	bool is_socket;
	int64_t mtime_ms;
	struct sim_inode *parent; /* the directory it is in now, not a reference */
	char last_name[SIM_NAME_MAX + 1];
	/* A file. A lock is held by one descriptor or shared by several. */
	struct sim_desc *exclusive;
	unsigned sharers;
	struct sim_content now, durable;
	struct sim_op_list ops;
	/* A directory: name to inode */
	struct map names, durable_names;
	struct map image; /* scratch */
	uint64_t mark;	  /* scratch */
};

struct sim_disk {
	struct sim_settings settings;
	struct sim_inode *root;
	struct sim_inode_list inodes;
	struct sim_op_list ops; /* all pending, oldest first */
	size_t op_count;
	struct sim_os_list processes;
	uint64_t next_number, mark, boot;
	int64_t wall_offset_ms; /* wall = the net's now + offset */
	/* The net gives the time. A disk has one of its own, until it is attached. */
	struct sim_net *net, *own_net;
	struct sim_host *host;
};

/* What a path leads to. */
struct sim_place {
	struct sim_inode *dir;	 /* NULL for the root */
	struct sim_inode *inode; /* NULL: no such name in dir */
	const char *name;	 /* the last part, not terminated */
	size_t name_len;
};

int64_t sim_now_ms(const struct sim_disk *disk);
int place_find(struct sim_disk *disk, const char *path, struct sim_place *at);
struct sim_inode *inode_new(struct sim_disk *disk, bool is_dir);
/* Says where an inode is now. */
void inode_place(struct sim_inode *i, struct sim_inode *dir, const char *name, size_t len);
void inode_ref(struct sim_inode *i);
void inode_unref(struct sim_inode *i);
/* Sets a name to an inode, or removes it (NULL), and keeps the references. */
int names_set(struct map *names, const char *name, size_t len, struct sim_inode *i);
void names_release(struct map *names);
/* Drops a pending operation; its effect stays as it is. */
void op_drop(struct sim_disk *disk, struct sim_op *op);

/* File changes, all logged as pending. */
/* Writes the first `len` bytes, which the pieces must have. */
int disk_write(struct sim_inode *i, const struct iovec *iov, size_t len, int64_t offset);
int disk_truncate(struct sim_inode *i, int64_t size);
int disk_sync(struct sim_inode *i);
/* Name changes. Creating gives the inode; the caller has no reference to it. */
struct sim_inode *disk_create(struct sim_disk *disk, const struct sim_place *at, bool is_dir);
int disk_remove(struct sim_disk *disk, const struct sim_place *at);
int disk_rename(struct sim_disk *disk, const struct sim_place *from, const struct sim_place *to);
int disk_sync_dir(struct sim_disk *disk, struct sim_inode *dir);
int64_t disk_used(const struct sim_disk *disk);

/* Does an operation on names in the map that `pick` gives for a directory, if
 * its forerunners were done there; else nothing. -1 when malloc failed. */
int op_apply_names(const struct sim_op *op, struct map *(*pick)(struct sim_inode *dir));

/* --- processes ------------------------------------------------------------ */

struct sim_desc {
	struct sim_inode *inode; /* a reference */
	bool writable;
	enum os_lock_kind lock;
};

struct sim_watch {
	LIST_ENTRY(sim_watch) in_os;
	struct os_watch *watch;
	struct sim_inode *dir; /* a reference */
	bool changed;
};

struct sim_queue {
	struct os_job *head, **tail;
	bool ran;	/* the head has run, its completion has not */
	int64_t due_ns; /* of a sync at the head */
};

struct sim_os {
	struct os os;
	LIST_ENTRY(sim_os) in_disk;
	struct sim_disk *disk;
	uint64_t random;
	bool dead;
	struct sim_desc **descs; /* by descriptor less SIM_FD_FIRST; NULL: closed */
	size_t desc_count, desc_cap, open_count;
	struct os_timers timers;
	struct sim_queue queues[SIM_WORKERS + 1]; /* the last one syncs */
	struct sim_watch_list watches;
	unsigned watch_count;
	bool is_stopped; /* has no turns */
	TAILQ_HEAD(, sim_end) ends, ready, dirty;
	size_t ready_count;
	LIST_HEAD(, sim_door) doors;
	struct os_send *canceled, **canceled_tail; /* their streams are gone */
	void (*note)(void *ctx, enum os_level level, const char *text);
	void *note_ctx;
};

#define SIM_FD_FIRST 1000

static inline struct sim_os *
sim_of(struct os *os)
{
	return (struct sim_os *)(void *)os;
}

/* The next number of a sequence (splitmix64). */
static inline uint64_t
sim_random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* The inode of an open descriptor, or NULL with errno. */
struct sim_inode *sim_inode_of(struct sim_os *s, int fd);

/* A turn's parts: how many events are ready now, to run one of them, and when
 * time alone brings the next. */
size_t sim_ready_count(const struct sim_os *s);
int sim_ready_run(struct sim_os *s, size_t pick);
int64_t sim_next_due(const struct sim_os *s);

/* Tells every process that watches `dir`. */
void sim_changed(struct sim_disk *disk, struct sim_inode *dir);

/* sim_loop.c */
int64_t sim_mono_ns(struct os *os);
int64_t sim_wall_ms(struct os *os);
void sim_random(struct os *os, void *data, size_t len);
void sim_sleep_ms(struct os *os, int ms);
int sim_boot_id(struct os *os, char id[37]);
int sim_turn(struct os *os, int timeout_ms);
void sim_timer_start(struct os *os, struct os_timer *t, int64_t in_ms);
void sim_timer_stop(struct os *os, struct os_timer *t);
void sim_work(struct os *os, unsigned worker, struct os_job *job);
void sim_sync_start(struct os *os, struct os_sync *s);
int sim_watch_start(struct os *os, struct os_watch *w, const char *path);
void sim_watch_stop(struct os *os, struct os_watch *w);
void sim_loop_init(struct sim_os *s);
void sim_loop_release(struct sim_os *s);

#endif
