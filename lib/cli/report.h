/*
 * report: what a tool tells people, and what it tells the shell.
 *
 * One line a problem on stderr, "tool: where: what (hint)", written by one
 * write(2), so that lines of several processes do not mix. stdout is for data
 * alone. Exit statuses mean the same in every tool (mq(1)).
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/error.h"
#include "os/os.h"

enum exit_status {
	EXIT_OK = 0,
	EXIT_NO = 1,      /* damage found, nothing matched, lag over --max */
	EXIT_USAGE = 2,
	EXIT_PARTLY = 3,  /* went on past failed items, each named on stderr */
	EXIT_DATA = 65,   /* stopped at the first bad input */
	EXIT_NOINPUT = 66, /* no such file, store, topic, partition, group */
	EXIT_REFUSED = 69, /* refused for good */
	EXIT_INTERNAL = 70,
	EXIT_IO = 74,       /* I/O error, disk full, damage in the way */
	EXIT_LATER = 75,    /* try later: busy, timed out, unreachable */
	EXIT_PROTOCOL = 76,
	EXIT_DENIED = 77,   /* TLS, SASL, ACL */
	EXIT_CONFIG = 78,
};

/* What standard output is called in messages. */
#define REPORT_STDOUT "stdout"

/* The tool's name, for all lines; static. */
void report_init(const char *tool);

/* Which lines are printed: OS_WARN at first; -q OS_ERROR, -v OS_INFO, -vv
 * OS_DEBUG. */
void report_set_level(enum os_level level);

void report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For os_real_set_note; any thread. */
void report_note(void *ctx, enum os_level level, const char *text);

/* The exit status of an error code (Kafka's or ours). */
int report_status(int err_code);

/* Prints the error and returns its exit status: "return report_fail(&err);". */
int report_fail(const struct err *err);

/* The same while a tool sets out: ERR_INVALID is a mistake on the command line,
 * so EXIT_USAGE. */
int report_usage(const struct err *err);

/* At the end of main: flushes stdout. If that fails, now or earlier, says so
 * and returns EXIT_IO (a closed pipe ends the process as SIGPIPE would);
 * else returns `status`. */
int report_finish(int status);

#endif
