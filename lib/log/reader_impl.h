/* What the files that make up reader share, and retention and times, which read a
 * segment through a view; nobody else includes it. */
#ifndef LOG_READER_IMPL_H
#define LOG_READER_IMPL_H

#include "log/reader.h"
#include "log/segment.h"

/* One segment, open for reading. */
struct view {
	struct os *os;
	const char *dir;
	int64_t base;
	int fd; /* -1: none open */
	uint64_t inode;
	struct scan scan;
	int64_t expected; /* offset that follows what was read */
};

/* What a listing shows of a segment. */
struct reader_name {
	int64_t base;
	bool has_txns; /* there is a .txnindex */
};

struct reader_names {
	struct reader_name *names;
	size_t count, cap;
	bool guessed; /* from hints: some may be gone, some missing, has_txns unknown */
};

struct reader {
	struct os *os;
	char *dir;
	int64_t start_offset;
	struct reader_names names; /* the segments, as last listed, sorted by base */
	uint64_t listed;           /* a digest of them */
	bool stale;                /* they are to be listed before they are used */
	struct reader_tail tail;   /* what the caller knows of the end; base -1: nothing */
	struct view view;
	int64_t synced_offset; /* all below was durable, so whole, once */
	int64_t offset; /* the next batch to give ends above it */
	int64_t last_base, last_position; /* of the batch given last */
	/* The end as last seen, so that a poll costs little. */
	int64_t end_base, end_position; /* nothing was behind it, and no segment */
	int64_t end_size;               /* of the file; bytes up to it are no batch */
	unsigned polls;
	bool headers_only;
	struct reader_damage damage;
	/* Where reader_bounds looked last. */
	int64_t bound_start, bound_base, bound_position, bound_end;
	uint64_t bound_inode;
	unsigned bound_polls;
	/* Transactions, once asked for. */
	struct reader *replay;
	int64_t plain_offset; /* no producer below it that matters; -1: not known */
	struct producers producers;
	int64_t replay_from; /* markers from here on were replayed */
	struct aborted_txn *aborted;
	size_t aborted_count, aborted_cap;
};

#define LOOK_AGAIN_MAX 64 /* times that names may vanish in a row */
#define POLLS_PER_LIST 16 /* idle polls between two looks at the whole directory */

/* Lists the directory's segments into r->names. A listing costs as much as there
 * are segments: it is kept until a name of it has vanished, or what is sought is
 * not in it, and then made again. What it does not show yet is found when the last
 * segment that it does show is at its end. */
int reader_list(struct reader *r, struct err *err);

/* The same, unless there is a listing that may be used, or the first use of the names
 * can do with what hints say of them. What is guessed has to be proved: a name by
 * opening it, that nothing lies between two by the first one's end reaching the
 * second, the last one by its inode and its end (reader_bounds). What does not prove
 * right leads to a listing. */
int reader_names(struct reader *r, struct err *err);

/* Is there a BASE.log? What cannot be looked at counts as there. */
bool reader_has(const struct reader *r, int64_t base);

/* Are the names guessed, or can they be? Lists nothing. */
bool reader_guess(struct reader *r);

/* The same as reader_names for what must be listed: a guess is not enough. */
int reader_names_listed(struct reader *r, struct err *err);

/* Hands over a listing to a reader of the same directory. */
int reader_names_copy(struct reader *to, const struct reader *from, struct err *err);

/* A listing may miss a name that is being renamed. Where one that was just made
 * shows a gap, it is made again until two agree. */
int reader_list_again(struct reader *r, struct err *err);

/* Number of the segment that holds `offset`, or of the first; names is not
 * empty. */
size_t reader_floor(const struct reader *r, int64_t offset);

/* Can a batch come next, by its offsets? */
static inline bool
view_fits(const struct view *v, const struct batch *b)
{
	return b->base_offset >= v->expected && batch_last_offset(b) - v->base <= INT32_MAX &&
	    !scan_is_misplaced(&v->scan, b, v->expected);
}

void view_init(struct view *v, struct os *os, const char *dir);
void view_close(struct view *v);
void view_release(struct view *v);

/* Opens BASE.log, or BASE.log.swap. ERR_AGAIN if neither is there. */
int view_open(struct view *v, int64_t base, struct err *err);

/* Stands at a batch from which scanning forward reaches `offset`: by an index
 * entry that proves right, else the segment's start. */
int view_seek(struct view *v, int64_t offset, struct err *err);

/* The next good batch as it can be found, rot passed over; 1, 0 or -1. */
int view_next_good(struct view *v, struct batch *b, struct err *err);

/* "orders-0/00000000000000000000.log" in front of an error's text. */
int view_err(const struct view *v, struct err *err);

/* Finds the next good batch behind the bad one at the position: right behind it
 * or wherever bytes make one. 1 (the position is there), 0, -1. */
int view_find_good(struct view *v, struct batch *b, struct err *err);

/* The largest timestamp of the batches in a view that was just opened, -1: none.
 * The time index is asked, and believed only where batches bear it out. */
int view_newest(struct view *v, int64_t *ms, struct err *err);

#endif
