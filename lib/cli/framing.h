/*
 * framing: cuts input into records.
 *
 *   delimited  each ends at a byte string (-D, newline by default; -0: NUL)
 *   whole      each input is one record (-w)
 *   JSON       each line is an envelope (-J; envelope.h)
 *
 * and within the first two: a key in front of a delimiter (-K). An empty line
 * is an empty record. Nothing is copied on the way: a record's slices point
 * into the input, except where JSON had to be unescaped. It is fed any pieces
 * of input: what is no whole record yet is asked for again, longer.
 */
#ifndef CLI_FRAMING_H
#define CLI_FRAMING_H

#include "cli/envelope.h"
#include "cli/input.h"
#include "cli/options.h"

enum framing_kind { FRAMING_DELIMITED, FRAMING_WHOLE, FRAMING_JSON };

struct framing {
	enum framing_kind kind;
	struct buf delimiter;
	struct buf key_delimiter; /* empty: none */
	bool key_optional, skip_empty;
	const char *key; /* of records that bring none; NULL: null */
	size_t key_size;
	const char *null_text; /* NULL: nothing stands for null */
	size_t null_size;
	struct buf headers; /* fixed ones, encoded */
	int32_t header_count;
	size_t record_bytes_max;

	/* Where the input is. */
	const char *name; /* of the file */
	int64_t line;     /* records cut so far */
	size_t scanned;   /* bytes of the unfinished record that hold no delimiter */
	bool discarding;  /* in the middle of a record that was too large */
	struct envelope envelope;
	struct buf all_headers; /* an envelope's and the fixed ones */
};

/* Reads -D -0 -w -J -K -k -H -Z --key-optional --skip-empty. Returns 0, or -1
 * with ERR_INVALID (a usage error) or ERR_NOMEM; release it in either case.
 * Strings of `o` are used as long as `f` is. A record takes at most
 * `record_bytes_max` bytes of input, at most INT32_MAX. */
int framing_init(struct framing *f, const struct options *o, size_t record_bytes_max,
    struct err *err);
void framing_release(struct framing *f);

/* A new input begins; `name` is for messages. */
void framing_begin(struct framing *f, const char *name);

/* Cuts the next record out of `data`; `is_last`: no more input comes behind it.
 * Returns 1 with the record; 0 if more input is needed (or, with is_last, at
 * the end); -1 if the record is bad: ERR_INVALID or ERR_TOO_LARGE, the text
 * begins with file and line. `used` is always set: bytes that are done with, a
 * bad record's included, so that the caller may go on behind it. What is not
 * used must be at the front of the next call's data. */
int framing_next(struct framing *f, const uint8_t *data, size_t len, bool is_last, size_t *used,
    struct framed *out, struct err *err);

enum framing_event {
	FRAMING_FAILED = -2, /* the input cannot be read */
	FRAMING_BAD = -1,    /* a bad record; go on, or end with EXIT_DATA */
	FRAMING_ENDED,
	FRAMING_RECORD,
	FRAMING_BLOCKS, /* no whole record within `timeout_ms` */
	FRAMING_INTERRUPTED,
};

/* The same from an input: the next record, waiting at most `timeout_ms` for it
 * (-1: without limit; 0 tells when it would block). The record's slices hold
 * until the next call. */
enum framing_event framing_read(struct framing *f, struct input *in, int timeout_ms,
    struct framed *out, struct err *err);

#endif
