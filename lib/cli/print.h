/*
 * print: rows for people and for programs.
 *
 *   on a terminal   aligned columns under a heading
 *   into a pipe     tab-separated values without heading (--heading forces one)
 *   -J              one JSON object a row, keyed by the columns' names
 *
 * "-" stands for nothing (null in JSON). Tabs, newlines and what is not text are
 * escaped in cells. Rows appear as they are added, except aligned ones, which
 * wait for print_end.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "cli/options.h"

struct column {
	const char *name; /* lower case; the JSON key */
	bool right;       /* aligned right: numbers */
};

enum print_mode { PRINT_TSV, PRINT_ALIGNED, PRINT_JSON };

struct print {
	const struct column *columns;
	size_t column_count;
	enum print_mode mode;
	bool heading, color;
	FILE *out;
	struct buf row;   /* the row that is being made; of an aligned table, all */
	size_t cell;      /* columns of it that are filled */
	size_t *widths;   /* owned; characters */
	size_t row_count; /* done */
};

/* A table on `out` in a given mode. Returns 0, or -1: ERR_NOMEM. */
int print_init(struct print *p, const struct column *columns, size_t column_count,
    enum print_mode mode, bool heading, FILE *out, struct err *err);

/* A table on stdout, as -J, --heading, --color and the terminal ask for. */
int print_init_stdout(struct print *p, const struct column *columns, size_t column_count,
    const struct options *o, struct err *err);
void print_release(struct print *p);

/* The next cell of the row; one call per column, then print_row. NULL is nothing. */
void print_text(struct print *p, const char *s);
void print_bytes(struct print *p, const void *data, size_t len);
void print_int(struct print *p, int64_t v);
void print_bool(struct print *p, bool v);
void print_seconds(struct print *p, int64_t ms); /* "12.345"; a number in JSON too */
void print_nothing(struct print *p);

/* "1,2,3", a list in JSON. */
void print_ints(struct print *p, const int32_t *list, size_t count);

/* Ends a row. Returns 0, or -1: ERR_NOMEM. A failed write shows in
 * report_finish. */
int print_row(struct print *p, struct err *err);

/* Ends the table: prints it if it was aligned, and releases it. Returns 0, or -1:
 * ERR_NOMEM. */
int print_end(struct print *p, struct err *err);

#endif
