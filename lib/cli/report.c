#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"

/* A process is one tool: its name and level are the only state here. */
static const char *tool_name = "mq";
static enum os_level level_shown = OS_WARN;

void
report_init(const char *tool)
{
	tool_name = tool;
}

void
report_set_level(enum os_level level)
{
	level_shown = level;
}

/* Control characters in names and data must not reach a terminal. */
static void
line_write(const char *text)
{
	char line[1024];
	int len = snprintf(line, sizeof(line) - 1, "%s: %s", tool_name, text);
	ssize_t written;

	if (len < 0)
		return;
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	for (int i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';
	/* Nobody is left to tell when stderr fails. */
	written = write(STDERR_FILENO, line, (size_t)len);
	(void)written;
}

__attribute__((format(printf, 2, 0))) static void
say(enum os_level level, const char *fmt, va_list ap)
{
	char text[1000];

	if (level > level_shown)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	line_write(text);
}

#define DEFINE_SAY(name, level)                                                                    \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		say(level, fmt, ap);                                                               \
		va_end(ap);                                                                        \
	}

DEFINE_SAY(report_error, OS_ERROR)
DEFINE_SAY(report_warn, OS_WARN)
DEFINE_SAY(report_info, OS_INFO)
DEFINE_SAY(report_debug, OS_DEBUG)

void
report_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	if (level <= level_shown)
		line_write(text);
}

static const struct status_row {
	int code;
	int status;
} status_table[] = {
    {ERR_IO, EXIT_IO},
    {ERR_NOMEM, EXIT_INTERNAL},
    {ERR_CORRUPT, EXIT_IO},
    {ERR_FULL, EXIT_INTERNAL},
    {ERR_NOT_FOUND, EXIT_NOINPUT},
    {ERR_EXISTS, EXIT_REFUSED},
    {ERR_INVALID, EXIT_DATA},
    {ERR_BUSY, EXIT_LATER},
    {ERR_REFUSED, EXIT_REFUSED},
    {ERR_NO_SPACE, EXIT_IO},
    {ERR_TOO_LARGE, EXIT_DATA},
    {ERR_CONFIG, EXIT_CONFIG},
    {ERR_AGAIN, EXIT_LATER},
    {ERR_CLOSED, EXIT_LATER},
    {ERR_SERVED, EXIT_LATER},
    /* Kafka's, where being retriable does not say it. */
    {ERR_UNKNOWN_SERVER_ERROR, EXIT_INTERNAL},
    {ERR_UNKNOWN_TOPIC_OR_PARTITION, EXIT_NOINPUT},
    {ERR_UNKNOWN_TOPIC_ID, EXIT_NOINPUT},
    {ERR_GROUP_ID_NOT_FOUND, EXIT_NOINPUT},
    {ERR_OFFSET_OUT_OF_RANGE, EXIT_NOINPUT},
    {ERR_RESOURCE_NOT_FOUND, EXIT_NOINPUT},
    {ERR_NON_EMPTY_GROUP, EXIT_LATER},
    {ERR_REASSIGNMENT_IN_PROGRESS, EXIT_LATER},
    {ERR_CORRUPT_MESSAGE, EXIT_IO},
    {ERR_KAFKA_STORAGE_ERROR, EXIT_IO},
    {ERR_MESSAGE_TOO_LARGE, EXIT_DATA},
    {ERR_RECORD_LIST_TOO_LARGE, EXIT_DATA},
    {ERR_INVALID_TIMESTAMP, EXIT_DATA},
    {ERR_INVALID_RECORD, EXIT_DATA},
    {ERR_INVALID_TOPIC_EXCEPTION, EXIT_USAGE},
    {ERR_INVALID_PARTITIONS, EXIT_USAGE},
    {ERR_INVALID_REPLICATION_FACTOR, EXIT_USAGE},
    {ERR_INVALID_GROUP_ID, EXIT_USAGE},
    {ERR_INVALID_CONFIG, EXIT_CONFIG},
    {ERR_UNSUPPORTED_VERSION, EXIT_PROTOCOL},
    {ERR_INVALID_REQUEST, EXIT_PROTOCOL},
    {ERR_TOPIC_AUTHORIZATION_FAILED, EXIT_DENIED},
    {ERR_GROUP_AUTHORIZATION_FAILED, EXIT_DENIED},
    {ERR_CLUSTER_AUTHORIZATION_FAILED, EXIT_DENIED},
    {ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, EXIT_DENIED},
    {ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED, EXIT_DENIED},
    {ERR_UNSUPPORTED_SASL_MECHANISM, EXIT_DENIED},
    {ERR_ILLEGAL_SASL_STATE, EXIT_DENIED},
    {ERR_SASL_AUTHENTICATION_FAILED, EXIT_DENIED},
};

int
report_status(int err_code)
{
	if (err_code == 0)
		return EXIT_OK;
	for (size_t i = 0; i < sizeof(status_table) / sizeof(status_table[0]); i++)
		if (status_table[i].code == err_code)
			return status_table[i].status;
	return err_is_retriable(err_code) ? EXIT_LATER : EXIT_REFUSED;
}

int
report_fail(const struct err *err)
{
	line_write(err->text);
	return report_status(err->code);
}

int
report_usage(const struct err *err)
{
	line_write(err->text);
	return err->code == ERR_INVALID ? EXIT_USAGE : report_status(err->code);
}

int
report_finish(int status)
{
	bool failed_before = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) == 0 && !failed_before)
		return status;
	if (errno == EPIPE)
		signals_raise(SIGPIPE);
	report_error(REPORT_STDOUT ": write: %s", errno != 0 ? strerror(errno) : "failed before");
	clearerr(stdout); /* said once, if a caller looks again */
	return EXIT_IO;
}
