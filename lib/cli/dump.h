/*
 * dump: prints what lies in the files of a log, checked byte for byte, for
 * mq-dump-log. Takes no lock and trusts nothing: a file may be torn, rotten,
 * hostile, or written to at this moment.
 *
 *   dump.c          which kind a file is; its "file" line; printing as it goes
 *   dump_log.c      record batches: .log, KRaft's .checkpoint, loose batches
 *   dump_damage.c   what is bad about them, and whether it is a torn tail
 *   dump_range.c    -o
 *   dump_record.c   records, their keys and values, decoded where Kafka wrote them
 *   dump_index.c    .index .timeindex .txnindex .snapshot
 *   dump_verify.c   --verify of a partition's index files
 *   dump_text.c     checkpoints, epochs, properties, JSON
 *
 * Memory is bounded by the largest batch and the largest record.
 */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "base/arena.h"
#include "base/range.h"
#include "cli/line.h"
#include "cli/sink.h"
#include "log/batch.h"
#include "os/os.h"

enum dump_kind {
	DUMP_UNKNOWN,
	DUMP_LOG,        /* BASE.log */
	DUMP_SNAPSHOT,   /* END-EPOCH.checkpoint, bootstrap.checkpoint: batches too */
	DUMP_LOOSE,      /* batches under any other name */
	DUMP_INDEX,
	DUMP_TIME,
	DUMP_TXN,
	DUMP_PRODUCERS,  /* OFFSET.snapshot */
	DUMP_EPOCHS,     /* leader-epoch-checkpoint */
	DUMP_OFFSETS,    /* the store's *-offset-checkpoint */
	DUMP_PROPERTIES, /* meta.properties, partition.metadata */
	DUMP_JSON,       /* quorum-state, .kafka_cleanshutdown */
};

/* Whose records are messages, by the name of the directory they lie in. */
enum dump_topic { TOPIC_USER, TOPIC_GROUPS, TOPIC_TXNS, TOPIC_SHARES, TOPIC_METADATA };

struct dump {
	struct os *os;
	bool json, color;
	bool records, keys, data; /* each includes the one before */
	bool verify;              /* check records too, print only damage */
	bool headings;            /* a "file" line before a file's first one */
	struct range range;       /* of offsets or times */

	struct sink sink;    /* stdout */
	bool failed;         /* it takes no more; that has been told */
	int status;          /* then, the exit status */
	int64_t damaged;     /* "bad" lines */
	int64_t torn;        /* "torn" lines: noted, no damage */
	int64_t files, batches, record_count; /* looked at */

	/* The file under way. */
	const char *path;
	bool headed; /* its "file" line is out */
	enum dump_kind kind;
	enum dump_topic topic;
	struct line line;
	struct arena arena;          /* one record's decoded messages */
	struct record_reader reader; /* kept from batch to batch */

	/* The range, resolved for the partition under way. */
	int64_t from, to;         /* offsets, exclusive end */
	int64_t from_ms, to_ms;   /* still to be met; INT64_MIN, INT64_MAX: none */
};

void dump_init(struct dump *d, struct os *os);
void dump_release(struct dump *d);

/* True if -o was given. */
bool dump_has_range(const struct dump *d);

/* Resolves the range for the segments `paths`, in order; call it before the
 * first of them is dumped. 0, or -1. */
int dump_begin_range(struct dump *d, char *const *paths, size_t count, struct err *err);

/* What a file is, by its name; DUMP_UNKNOWN if that does not tell. */
enum dump_kind dump_kind_of(const char *path);

/* The number in front of a segment file's name, or -1. */
int64_t dump_base_of(const char *path);

/* Prints one file. Damage is printed and counted. Returns 0, or -1 with err for
 * what is no log file (ERR_INVALID), is not there, or cannot be read. */
int dump_file(struct dump *d, const char *path, struct err *err);

/* With --verify: what is bad about the index files and epochs of a partition
 * directory, held against its batches. dump_file is not needed for files of the
 * kinds that this covers. */
int dump_verify_dir(struct dump *d, const char *dir, struct err *err);
bool dump_verify_covers(enum dump_kind kind);

/* True if there is no use in going on: stdout is gone, or a signal came. */
bool dump_stopped(const struct dump *d);

/* Writes out what is buffered. A reader that is gone ends the process, as SIGPIPE
 * would; any other failure is told once. */
void dump_flush(struct dump *d);

/* For scan_find, where no base bounds the offsets. */
#define FAR_BASE (INT64_MAX - INT32_MAX - 1)

/* --- between the parts -------------------------------------------------------- */

/* A line of the file under way; ends with dump_line_end. `loud`: of damage,
 * which is counted, and printed even with --verify; others are not called then. */
struct line *dump_line(struct dump *d, const char *type, bool loud);
void dump_line_end(struct dump *d, bool loud);

/* "bad   pos=4096 why=size what="...""; for files other than logs. */
void dump_bad(struct dump *d, int64_t position, const char *why, const char *what);

/* "torn  pos=4096 bytes=312 why=zeros": noted, no damage. */
void dump_torn(struct dump *d, int64_t position, int64_t bytes, const char *why);

/* "note  pos=24 why=padding what="..."": no damage. */
void dump_note(struct dump *d, int64_t position, const char *why, const char *what);

int dump_log(struct dump *d, int fd, struct err *err);
int dump_offset_index(struct dump *d, int fd, struct err *err);
int dump_time_index(struct dump *d, int fd, struct err *err);
int dump_txn_index(struct dump *d, int fd, struct err *err);
int dump_producers(struct dump *d, struct err *err);
int dump_epochs(struct dump *d, struct err *err);
int dump_offsets(struct dump *d, struct err *err);
int dump_properties(struct dump *d, struct err *err);
int dump_json(struct dump *d, struct err *err);

/* Goes through a batch's records: prints those in the range (if records are
 * asked for), checks them all. Returns 0, or -1: ERR_CORRUPT, what is wrong
 * with them; other codes are of the machine. */
int dump_records(struct dump *d, const struct batch *b, struct err *err);

/* "commit", "leader-change,kraft-version", …; NULL if it is no control batch;
 * "?" if its records cannot be read. Lives until the next call. */
const char *dump_control_names(struct dump *d, const struct batch *b, char *text, size_t size);

/* True if some of the batch, or of these offsets, lies in the range. */
bool dump_wants_batch(struct dump *d, const struct batch *b);
bool dump_wants_offsets(const struct dump *d, int64_t first, int64_t last);

#endif
