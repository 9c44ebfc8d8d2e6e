/*
 * verify: holds the files of a partition against each other, and two replicas
 * against one another, changing nothing. For mq-index check and mq-dump-log
 * --verify; safe beside a writer and on a copy.
 *
 * A finding is damage, or only worth a note: a batch torn at the end (above the
 * recovery point), what an unclean stop of Kafka leaves (preallocated zeros, an
 * interrupted replacement), and files that are nobody's.
 */
#ifndef LOG_VERIFY_H
#define LOG_VERIFY_H

#include "base/error.h"
#include "os/os.h"

/* What a finding is about; the words are stable, tools print them. */
enum verify_check {
	VERIFY_BATCH,    /* "batch": a batch that is not good: crc, length, magic, header */
	VERIFY_RECORDS,  /* "records": they do not parse, or not as the header says */
	VERIFY_OFFSETS,  /* "offsets": they do not follow those before, or the base */
	VERIFY_TORN,     /* "torn": the last batch is not all there */
	VERIFY_ORDER,    /* "order": index entries that do not increase */
	VERIFY_BOUNDARY, /* "boundary": an entry that points at no batch's start or end */
	VERIFY_TIME,     /* "time": a time entry that is not the largest so far, or a
	                    finished segment's last one that is not its largest */
	VERIFY_SIZE,     /* "size": not a whole number of entries */
	VERIFY_PADDING,  /* "padding": zeros behind the entries */
	VERIFY_TXN,      /* "txn": a bad entry of a .txnindex */
	VERIFY_SNAPSHOT, /* "snapshot": one that cannot be read */
	VERIFY_EPOCHS,   /* "epochs": the file is bad, or says otherwise than a batch */
	VERIFY_MISSING,  /* "missing": an index file */
	VERIFY_ORPHAN,   /* "orphan": an index without a .log */
	VERIFY_UNDONE,   /* "undone": what an interrupted replacement left */
	VERIFY_FOREIGN,  /* "foreign": a file that is nobody's */
	VERIFY_DIFFER,   /* "differ": two replicas hold different bytes */
	VERIFY_CHECKS,
};

const char *verify_check_name(enum verify_check check);

struct verify_finding {
	enum verify_check check;
	bool damage;          /* false: a note */
	const char *file;     /* name within the directory */
	int64_t position;     /* byte in it; -1: of the whole */
	int64_t lost_first;   /* offsets that cannot be read; -1: none */
	int64_t lost_last;
	int64_t next_good;    /* byte of the next good batch; -1: none in this file */
	uint32_t crc_found, crc_wanted; /* when `why` is "crc" */
	const char *why;      /* of VERIFY_BATCH: batch_fault_name; else the check's name */
	const char *text;     /* what was wanted and found */
};

struct verify_args {
	/* All below was synced: bytes that are torn there are damage. -1: not known,
	 * then a torn end is a note. */
	int64_t recovery_point;
	bool records;   /* open the records of each batch too */
	bool compacted; /* verify_replicas: batches and records may be missing */
	void (*found)(void *ctx, const struct verify_finding *f); /* texts live for the call */
	void *ctx;
};

struct verify_totals {
	int64_t segments, batches, records, bytes;
	int64_t index_entries;
	int64_t damaged, noted; /* findings */
};

/* Checks one partition directory. Returns 0 whatever it finds (see totals, which
 * are added to), -1 if it could not look. */
int verify_dir(struct os *os, const char *dir, const struct verify_args *args,
    struct verify_totals *totals, struct err *err);

/* Checks one segment, its .log and its indexes; `last` if none follows it. */
int verify_segment(struct os *os, const char *dir, int64_t base, bool last,
    const struct verify_args *args, struct verify_totals *totals, struct err *err);

/* Compares two replicas over the offsets that both hold: batches must be equal
 * byte for byte or, with args->compacted, equal in the records that both have. */
int verify_replicas(struct os *os, const char *dir_a, const char *dir_b,
    const struct verify_args *args, struct verify_totals *totals, struct err *err);

#endif
