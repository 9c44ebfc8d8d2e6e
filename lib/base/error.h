/*
 * error: what went wrong, in a form that one clear line can be printed from.
 *
 * base is the bottom of libmq: bytes, memory, hashes, ids, text and errors.
 * It knows nothing of files, logs or networks, and makes no system call.
 *
 * Every fallible call above lib/os takes a `struct err *` (never NULL), returns
 * -1 (or NULL) and has filled it. Codes from 0 up are Kafka's (its Errors
 * table); ours are below -1.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Ours. The range is disjoint from Kafka's (-1 and up). */
	ERR_IO = -100,        /* a file call failed; sys_errno says how */
	ERR_NOMEM = -101,     /* malloc failed */
	ERR_CORRUPT = -102,   /* bytes on disk are not what they should be */
	ERR_FULL = -103,      /* an index or segment must roll */
	ERR_NOT_FOUND = -104, /* no such file, store, topic, partition, group */
	ERR_EXISTS = -105,    /* already there */
	ERR_INVALID = -106,   /* an argument or input makes no sense */
	ERR_BUSY = -107,      /* locked, or a time-out: try later */
	ERR_REFUSED = -108,   /* refused for good: cluster store, read-only, needs mqd */
	ERR_NO_SPACE = -109,  /* the disk is full, or below disk.min.free */
	ERR_TOO_LARGE = -110, /* over a named limit */
	ERR_CONFIG = -111,    /* a configuration value is bad */
	ERR_AGAIN = -112,     /* the files changed under a lockless reader: look again */
	ERR_CLOSED = -113,    /* the other side is gone */
	ERR_SERVED = -114,    /* a daemon has the store, or is about to: go through it */

	/* Kafka's: all of them, by name. */
#define ERR_KAFKA(code, name, retriable) ERR_##name = (code),
#include "base/error_kafka.h"
#undef ERR_KAFKA
};

#define ERR_TEXT_MAX 480

struct err {
	int code;                /* 0, one of ours, or Kafka's */
	int sys_errno;           /* 0 if no system call was the cause */
	char text[ERR_TEXT_MAX]; /* where, what was wanted, what was found; no newline */
};

/* Fills `err` and returns -1, so that a function can `return err_set(...)`.
 * Text beyond the bound is cut. */
int err_set(struct err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set for a failed os call: remembers `sys_errno` and appends ": " and
 * its description. The code becomes ERR_NO_SPACE for ENOSPC and EDQUOT,
 * ERR_NOMEM for ENOMEM, ERR_NOT_FOUND for ENOENT, else ERR_IO. */
int err_sys(struct err *err, int sys_errno, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "malloc failed" in one word. Returns -1. */
int err_nomem(struct err *err);

/* Kafka's name of a code ("UNKNOWN_TOPIC_OR_PARTITION"), or of one of ours
 * ("IO"); "UNKNOWN" for any other number. Static. */
const char *err_name(int code);

/* True for the codes that Kafka's clients retry (RetriableException). */
bool err_is_retriable(int code);

#endif
