/*
 * logs_impl: what the files of logs share. Not for others.
 *
 *	logs.c           life, handles, queues, failing
 *	logs_turn.c      what the writer does in one go, and the syncs
 *	logs_append.c    one append, on the writer
 *	logs_check.c     batches opened before they reach the writer
 *	logs_open.c      logs are opened, closed, deleted
 *	logs_read.c      reads
 *	logs_find.c      lookups
 *	logs_keep.c      checkpoint files, hints, the clean stop
 *	logs_clean.c     what takes away from a log: trim, retention
 *	logs_compact.c   compaction, beside appends
 *	logs_look.c      what can be seen of a log that is not open
 *	logs_sweep.c     directories that are left over
 *	logs_settings.c  what the metadata says
 *
 * Who owns what
 *  - The loop: all of this but what follows.
 *  - The writer, while a turn is under way (s->turning): s->turn, s->space, and of each
 *    log the part that is marked so. At other times the loop may touch them: there is
 *    one turn at a time. The sync set is the loop's while its sync runs.
 *  - WORKER_KEEP, while a log is being opened: the writer's part of that log.
 *  - WORKER_READ: s->readers.
 *
 *	an item's way:  plog's queue -> s->queue -> a turn (writer) -> done
 *	                     \-> s->soon (a timer) -> done, for what needs no file
 */
#ifndef MQD_REPLICA_LOGS_IMPL_H
#define MQD_REPLICA_LOGS_IMPL_H

#include <bsd/sys/queue.h>
#include <stdatomic.h>

#include "log/checkpoint.h"
#include "mqd/broker.h"
#include "mqd/replica/logs.h"
#include "store/directory.h"
#include "store/tail.h"

#define LOGS_SYNC_SET 512    /* logs in one sync */
#define LOGS_FDS_PER_LOG 10  /* that one log may bring: 3 finished segments, the active one */
#define LOGS_RING 128        /* newest batches of a log whose place is known */
#define LOGS_RETRY_MS 100    /* after a lack of descriptors */
#define LOGS_EXPIRE_MS 600000 /* between two looks for idle producers */
#define LOGS_LENT_MAX 256    /* files that answers are sent from at once */
#define LOGS_LENT_BYTES (64 << 10) /* less than that goes out of memory */
#define LOGS_READERS 32      /* readers kept open for whoever catches up */
#define LOGS_READER_IDLE_MS 30000

enum item_kind { ITEM_APPEND, ITEM_JOB, ITEM_LOAD, ITEM_READ, ITEM_FIND, ITEM_CLOSE, ITEM_TICK };

/* A queue of items. */
struct items {
	struct plog_item *head, **tail;
};

enum plog_state {
	PLOG_CLOSED,  /* no file is open; not even known, perhaps */
	PLOG_OPENING, /* WORKER_KEEP is at it */
	PLOG_OPEN,    /* the writer has it */
	PLOG_CLOSING, /* the writer is told to */
	PLOG_GONE,    /* deleted; waits for what is under way, then for the files to go */
};

/* Where a batch lies in the newest segment. */
struct ring_batch {
	int64_t base_offset, last_offset;
	int64_t position;
	int64_t size;
};

/* The newest batches of a log; all in one segment, one behind the other. */
struct ring {
	int64_t segment_base;
	unsigned first, count;
	struct ring_batch batches[LOGS_RING];
};

/* A segment's file that is open: the newest one, for reads on the loop, or one that
 * answers are sent from. Freed with its last user. */
struct hot {
	LIST_ENTRY(hot) in_logs;
	int fd; /* -1: closed */
	int64_t base;
	unsigned refs;
	bool lent;         /* to answers, which may live longer than the logs */
	uint64_t inode;    /* of one that is lent, */
	const void *log;   /* and whose it is */
	struct logs *logs; /* NULL: they are gone */
	struct os_job os_job;
};

/* How an opening went. */
enum opened {
	OPENED,        /* the log is the writer's */
	OPENED_ABSENT, /* there is none, and none was to be made */
	OPENED_LISTED, /* there is none, but checkpoint files speak of one: forget that first */
	OPENED_FAILED,
};

struct opening {
	struct os_job os_job;
	bool create;
	bool listed; /* checkpoint files speak of it */
	int64_t recovery_point, start_offset; /* as they say, -1 nothing */
	struct plog_settings settings;
	struct tail_clock clock;
	enum opened result;
	struct err err;
};

/* What the writer tells the loop of a log at the end of a turn. */
struct told {
	int64_t start, end, synced, unstable, bytes;
	bool exact; /* synced may have gone back */
	bool aborts;
};

struct plog_impl {
	struct logs *logs;
	struct plog *plog;
	char *dir; /* owned */
	TAILQ_ENTRY(plog_impl) in_all, in_open;

	enum plog_state state;
	bool absent;       /* there is no directory */
	bool freed;        /* by plog_free: goes when its files are closed */
	bool opening_now;  /* also if it was deleted meanwhile */
	bool closing;      /* ITEM_CLOSE is queued or with the writer */
	bool discard;      /* when it is closed, nothing of it is to be kept */
	bool going;        /* the directory is being removed */
	bool lent;         /* in the sync set */
	bool touched;      /* scratch of a turn's end */
	bool file_open;    /* the writer has a struct mlog */
	struct plog_impl *next_touched;
	bool set_anew;     /* settings that the writer does not have yet */
	bool opened_once;  /* in this process: what was clean at the start is not any more */
	bool aborts;       /* a .txnindex is there */
	struct items queue;   /* appends, jobs, loads that are not with the writer yet */
	struct items readers; /* reads and lookups that wait for the log to be loaded */
	unsigned with_writer; /* items in s->queue or the turn */
	unsigned checking;    /* appends with WORKER_CHECK */
	unsigned reading;     /* reads, lookups and looks with their workers */
	int64_t used_ms;      /* monotonic: when it was last written or jobbed */
	int64_t unstable_written; /* the unstable offset, as the last turn left it */
	int64_t unstable_synced;  /* and as of the last sync that completed */
	struct opening opening;
	struct plog_item close_item, tick_item;
	bool ticking;        /* tick_item is queued or with the writer */
	int64_t ticked_end;  /* end when it last was */
	unsigned trimming;   /* trims that wait or run */
	struct compaction *compaction; /* with whoever has its turn */
	bool compacting;     /* until it ends the log stays open */
	struct plog_compact *compact_paused; /* so that it takes no more than it may; or NULL */
	atomic_bool compact_stop; /* it is to end soon; WORKER_CLEAN asks */
	struct ring *ring;
	struct hot *hot;
	struct os_job gone_job;

	/* The writer's. */
	struct mlog log;
	struct plog_settings settings_used;
	bool dirty; /* in the turn's list of logs that have something to sync */
	bool forced; /* sync it, due or not */
	bool abort_seen;
	int64_t expired_ms;   /* monotonic: when idle producers were last looked for */
	int64_t expire_below; /* the end then */
	struct tail_clock clock;
	int64_t unstable; /* first open transaction */
	int64_t dirty_ms; /* since when, monotonic */
	int64_t size_known; /* bytes in all segments */
	struct plog_impl *next_dirty;
	struct told told;
};

struct sync_entry {
	struct plog_impl *log;
	int64_t end_offset;
	int64_t unstable;
};

enum sync_state {
	SYNC_NONE,    /* the set is empty */
	SYNC_RUNNING, /* it is the loop's and the sync worker's */
	SYNC_DONE,    /* it is to be told to the logs, by the next turn */
};

/* One go of the writer. */
struct turn {
	struct os_job os_job;
	struct items items;
	bool settle;  /* the sync set is to be told to the logs */
	bool collect; /* and a new one made */
	bool force;   /* of all that is dirty, due or not */
	/* out */
	bool left;      /* something is dirty that is not in the set and should be */
	int64_t due_ms; /* monotonic: when the next one is due, by flush.ms; -1 none */
	bool failed;
	struct err err;
};

enum stop_step { STOP_SYNC, STOP_CLOSE, STOP_POINTS, STOP_READERS };

/* disk.min.free, as last looked at. */
struct space {
	int64_t left; /* bytes that may be appended before looking again */
	int64_t looked_ns;
	bool full; /* and that was told */
};

struct cached_reader;
struct keep;
struct sweep;

struct logs {
	struct os *os;
	struct logs_options options;
	char *dir; /* owned */
	char boot_id[37];
	TAILQ_HEAD(, plog_impl) all, open; /* open: by use, the oldest first */
	size_t open_count;
	bool failed;
	struct err why;

	/* Turns. */
	struct items queue;
	struct turn turn;
	bool turning;
	bool writer_failed; /* the writer's */
	struct plog_impl *dirty, **dirty_tail; /* the writer's */
	struct space space; /* the writer's */
	struct os_timer due; /* a sync is due by flush.ms, or to be tried again */
	bool wanted; /* a turn, though nothing is queued */
	bool scan;   /* somebody may wait for the end of a turn or sync */
	bool dirty_left; /* after the last turn something waited for a sync to come */

	/* The sync set. */
	enum sync_state sync_state;
	struct os_sync sync;
	int fds[LOGS_SYNC_FDS];
	size_t fd_count;
	struct sync_entry set[LOGS_SYNC_SET];
	size_t set_count;

	/* Completions that need no worker. */
	struct items soon;
	struct os_timer soon_timer;
	bool reaping;  /* handles are to be freed */
	bool set_anew; /* there is something that the writer is to be given (give_news) */

	/* logs_keep.c */
	struct checkpoint recovery, starts, cleaner, watermarks;
	bool recovery_changed, starts_changed, cleaner_changed, watermarks_changed;
	struct plog_trim *trims; /* that wait for the files to say so */
	struct keep *keep; /* files being written; NULL: none */
	struct os_timer tick;
	struct sweep *sweep; /* NULL: over */
	struct tail_clock clock;
	int64_t started_ms; /* monotonic */
	unsigned openings, deletions, checking, compactions;

	/* The clean stop. */
	bool stopping;
	enum stop_step stop_step;
	bool stop_asked;
	void (*stopped)(void *ctx, const struct err *err);
	void *stopped_ctx;
	struct os_job stop_job;
	size_t unlooked;

	/* WORKER_READ's. */
	struct cached_reader *readers;
	size_t reader_count;
	unsigned reading; /* the loop's: jobs with that worker */
	LIST_HEAD(, hot) hots; /* the loop's */
	unsigned lent_files;   /* of these, that answers are sent from */
};

/* --- queues ------------------------------------------------------------------------ */

static inline void
items_init(struct items *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static inline void
items_put(struct items *q, struct plog_item *i)
{
	i->next = NULL;
	*q->tail = i;
	q->tail = &i->next;
}

static inline struct plog_item *
items_take(struct items *q)
{
	struct plog_item *i = q->head;

	if (i != NULL && (q->head = i->next) == NULL)
		q->tail = &q->head;
	return i;
}

/* Moves all of `from` behind `to`. */
static inline void
items_move(struct items *to, struct items *from)
{
	if (from->head == NULL)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	items_init(from);
}

static inline struct plog_append *
append_of(struct plog_item *i)
{
	return (struct plog_append *)(void *)i;
}

static inline struct plog_job *
job_of(struct plog_item *i)
{
	return (struct plog_job *)(void *)i;
}

/* --- logs.c ------------------------------------------------------------------------ */

/* The directory has failed: tells everybody, and takes nothing more. */
void logs_fail(struct logs *s, const struct err *err);

/* Is this an error after which nothing of the disk can be believed? A lack of
 * memory, space or descriptors is not. */
bool logs_is_fatal(const struct err *err);

/* Kafka's code for an error of ours. */
int logs_code(const struct err *err);

/* Moves on whatever can be: opens the log, hands items to the writer. */
void plog_pump(struct plog_impl *i);

/* Completes an item from the loop, with an error or (code 0) well, from os_turn. */
void logs_soon(struct logs *s, struct plog_item *it, const struct err *err);

/* Calls an item's done. */
void item_done(struct plog_item *it);

/* Is no sync of the log under way, nor can one begin before what is queued now has
 * run? If not, the log is pumped again at the end of a turn. */
bool plog_is_quiet(const struct plog_impl *i);

/* Tells the owner that it moved. */
void plog_moved(struct plog_impl *i);

/* Lets go of the newest batches' places and segment, if that segment is gone. */
void plog_forget_gone(struct plog_impl *i);

/* Frees a handle that has no file open and nothing under way; soon, all such that the
 * owner let go of. */
void plog_drop(struct plog_impl *i);
void plog_reap(struct logs *s);

/* Fails all that waits for a log. */
void plog_fail_queue(struct plog_impl *i, const struct err *err);

/* The log was used: it is the last to be closed. */
void plog_used(struct plog_impl *i);

static inline int64_t
logs_mono_ms(const struct logs *s)
{
	return os_mono_ns(s->os) / 1000000;
}

/* --- logs_turn.c -------------------------------------------------------------------- */

/* Begins a turn if there is something to do and none is under way. */
void logs_turn(struct logs *s);

/* The writer's: the log has something to sync. */
void plog_dirty(struct plog_impl *i);

/* The writer's: what the loop shall know of the log; and the loop takes it over. */
void plog_tell(struct plog_impl *i);
void take_told(struct plog_impl *i);

/* The writer's: nothing more is written. */
void turn_fail(struct logs *s, const struct err *err);

/* --- logs_append.c ------------------------------------------------------------------- */

/* On the writer. */
void append_run(struct plog_impl *i, struct plog_append *a);

/* On the loop: where its batches lie, for reads at the tail. */
void ring_note(struct plog_impl *i, const struct plog_append *a);
void ring_free(struct plog_impl *i);

/* --- logs_check.c --------------------------------------------------------------------- */

/* Must its records be looked at first? If so WORKER_CHECK has it. */
bool check_start(struct plog_impl *i, struct plog_append *a);
void check_release(struct plog_append *a);

/* --- logs_open.c ----------------------------------------------------------------------- */

void open_start(struct plog_impl *i, bool create);

/* The writer's: lets go of a log, with its hint written if all is well. */
void close_run(struct plog_impl *i);

/* On the loop: asks the writer to close a log that nobody uses, if that is so. */
bool close_start(struct plog_impl *i);

/* Closes what is too many, or idle. */
void close_surplus(struct logs *s);

/* Goes on with a deletion, when nothing is under way any more. */
void gone_pump(struct plog_impl *i);

/* Is a partition's directory being removed, for a deleted topic? */
bool gone_has(const struct logs *s, const char *topic, int32_t number);

/* --- logs_read.c ------------------------------------------------------------------------- */

/* The log is loaded, or cannot be (err): reads that wait for it go on. */
void read_wake(struct plog_impl *i, const struct err *err);
int logs_read_code(const struct err *err);
void find_start(struct plog_impl *i, struct plog_find *f);

/* WORKER_READ's: lets go of the readers of a directory, or (NULL) of all. */
void readers_forget(struct logs *s, const char *dir);

/* On the loop: lets go of the newest segment; of all, when no worker runs any more. */
void hot_drop(struct plog_impl *i);
void hots_free(struct logs *s);

/* --- logs_keep.c ------------------------------------------------------------------------- */

int keep_load(struct logs *s, struct err *err);
void keep_release(struct logs *s);

/* What the checkpoint files say of a log; true if they say anything. */
bool keep_find(const struct logs *s, const struct plog *l, int64_t *recovery_point,
    int64_t *start_offset);

/* Forgets a log; keep_write then. */
void keep_forget(struct logs *s, const struct plog *l);

/* Begins to write what has changed, if nothing is being written. */
void keep_write(struct logs *s);

/* Is what was said on the loop in the files? */
bool keep_is_written(const struct logs *s);

void keep_tick(struct os_timer *t);

/* Writes the hint of an open log: the writer's, or WORKER_KEEP's while it opens it. */
void keep_tail(struct plog_impl *i);

/* On the writer: what is done now and then with an open log that was written to. */
void tick_run(struct plog_impl *i);

/* logs_compact.c: a compaction of the log, if there is one, is to end. */
void compact_ask_stop(struct plog_impl *i);

/* logs_sweep.c: looks for directories that nobody will ask for. */
void sweep_start(struct logs *s);
void sweep_release(struct logs *s);

/* logs_clean.c: the checkpoint files were written, or (err) could not be: trims that
 * wait for that go on. */
void trims_pump(struct logs *s, const struct err *err);

/* The clean stop goes on, if nothing is under way. */
void stop_pump(struct logs *s);

#endif
