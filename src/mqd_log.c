/*
 * The log: on stderr, one line an event, by one write(2).
 *
 *	2026-02-03T04:05:06.789Z info ready
 *
 * The journal has its own clock and levels: there a line is "<6>ready" (sd-daemon(3)).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "mqd.h"

#define LINE_MAX_BYTES 4096 /* a pipe takes so much in one piece */

static enum os_level level_shown = OS_INFO;
static bool is_journal;

/* JOURNAL_STREAM names the file that stderr is, "DEVICE:INODE", if it still is that. */
static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return false;
	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(here, stream) == 0;
}

void
daemon_log_init(enum os_level level)
{
	level_shown = level;
	is_journal = stderr_is_journal();
}

static int
head_print(char *line, size_t size, enum os_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	static const int syslog[] = {3, 4, 6, 7};
	char when[TEXT_TIME_SIZE];
	struct timespec now;

	if (is_journal)
		return snprintf(line, size, "<%d>", syslog[level]);
	clock_gettime(CLOCK_REALTIME, &now);
	text_time_ms((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, when);
	return snprintf(line, size, "%s %s ", when, names[level]);
}

void
daemon_log(void *ctx, enum os_level level, const char *text)
{
	char line[LINE_MAX_BYTES + 4]; /* with room to see that a character is whole */
	ssize_t written;
	size_t head, len;

	(void)ctx;
	if (level > level_shown)
		return;
	head = (size_t)head_print(line, sizeof(line), level);
	snprintf(line + head, sizeof(line) - head, "%s", text);
	len = text_cut(line, strlen(line), LINE_MAX_BYTES - 1);
	/* Names come from clients: one event stays one line. */
	for (size_t i = head; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';
	/* Nobody is left to tell when stderr fails. */
	written = write(STDERR_FILENO, line, len);
	(void)written;
}
