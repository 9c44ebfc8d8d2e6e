/* mq.times: the largest timestamps up to the end of each finished segment. */
#include "log/times.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "log/mlog_impl.h"
#include "log/reader_impl.h"

#define CRC_AT (TIMES_LINE - 9) /* eight digits and a newline */

struct line {
	int64_t end, newest;
	int32_t epoch;
};

static void
format(const struct line *l, char text[TIMES_LINE + 1])
{
	snprintf(text, TIMES_LINE + 1, "%20lld %20lld %10d ", (long long)l->end,
	    (long long)l->newest, (int)l->epoch);
	snprintf(text + CRC_AT, TIMES_LINE + 1 - CRC_AT, "%08x\n", crc32c(0, text, CRC_AT));
}

/* Line number `n`. 0, or -1 if it is not a good one. */
static int
read_line(struct os *os, int fd, int64_t n, struct line *l)
{
	char text[TIMES_LINE + 1], again[TIMES_LINE + 1];
	long long end, newest;
	int epoch;

	if (os_read_at(os, fd, text, TIMES_LINE, n * TIMES_LINE) != TIMES_LINE)
		return -1;
	text[TIMES_LINE] = '\0';
	if (sscanf(text, "%20lld %20lld %10d", &end, &newest, &epoch) != 3 || end < 0)
		return -1;
	*l = (struct line){end, newest, epoch};
	format(l, again);
	return memcmp(text, again, TIMES_LINE) == 0 ? 0 : -1;
}

static int64_t
count_lines(struct os *os, int fd)
{
	struct os_stat st;

	return os_stat(os, fd, &st) == -1 ? 0 : st.size / TIMES_LINE;
}

/* Did a newer epoch begin below its end? Then what it speaks of is gone. */
static bool
is_outdated(const struct line *l, const struct epochs *epochs)
{
	for (size_t i = 0; i < epochs->count; i++) {
		if (epochs->entries[i].epoch > l->epoch && epochs->entries[i].start_offset < l->end)
			return true;
	}
	return false;
}

static int
open_times(struct os *os, const char *dir, int flags)
{
	char path[LOG_PATH_MAX];

	snprintf(path, sizeof(path), "%s/" TIMES_FILE, dir);
	return os_open(os, path, flags);
}

/* --- asking ---------------------------------------------------------------------- */

/* The last line whose times are all below `timestamp`. 1; 0: none that is good. */
static int
find_line(struct os *os, int fd, int64_t timestamp, struct line *found)
{
	int64_t low = 0, high = count_lines(os, fd);
	struct line l;

	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (read_line(os, fd, mid, &l) == -1)
			return 0;
		if (l.newest < timestamp) {
			*found = l;
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low > 0;
}

int64_t
times_before(struct os *os, const char *dir, int64_t timestamp)
{
	int fd = open_times(os, dir, OS_READ);
	struct epochs epochs;
	struct err ignored;
	struct line l;
	int64_t end = 0;

	if (fd == -1)
		return 0;
	epochs_init(&epochs);
	if (find_line(os, fd, timestamp, &l) == 1 &&
	    epochs_read(&epochs, os, dir, &ignored) == 0 && !is_outdated(&l, &epochs))
		end = l.end;
	epochs_release(&epochs);
	os_close(os, fd);
	return end;
}

/* --- the bases of segments --------------------------------------------------------- */

#define BASES_MAX (1 << 20)

/* The END of a line whose checksum is right, else -1. */
static int64_t
end_of(const char text[TIMES_LINE])
{
	uint32_t crc = 0;
	int64_t end = 0;
	int i = 0;

	for (int k = CRC_AT; k < TIMES_LINE - 1; k++) {
		const char *digits = "0123456789abcdef", *at = strchr(digits, text[k]);

		if (text[k] == '\0' || at == NULL)
			return -1;
		crc = crc << 4 | (uint32_t)(at - digits);
	}
	if (text[TIMES_LINE - 1] != '\n' || crc != crc32c(0, text, CRC_AT))
		return -1;
	while (i < 19 && text[i] == ' ')
		i++;
	for (; i < 20; i++) {
		if (text[i] < '0' || text[i] > '9' || end > SEGMENT_BASE_MAX / 10)
			return -1;
		end = end * 10 + (text[i] - '0');
	}
	return end;
}

/* How many lines end at or below `offset`; -1 if one is not good. */
static int64_t
lines_below(struct os *os, int fd, int64_t count, int64_t offset)
{
	int64_t low = 0, high = count;
	struct line l;

	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		if (read_line(os, fd, mid, &l) == -1)
			return -1;
		if (l.end <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The ENDs of lines number `from` to `to`, which rise from `bases`[0] on. */
static int
read_ends(struct os *os, int fd, int64_t from, int64_t to, int64_t *bases)
{
	size_t len = (size_t)(to - from) * TIMES_LINE;
	char *text = malloc(len + 1);
	int ret = -1;

	if (text != NULL && os_read_at(os, fd, text, len, from * TIMES_LINE) == (ssize_t)len)
		ret = 0;
	for (int64_t i = 0; ret == 0 && i < to - from; i++) {
		bases[i + 1] = end_of(text + i * TIMES_LINE);
		if (bases[i + 1] <= bases[i])
			ret = -1;
	}
	free(text);
	return ret;
}

static int
bases_from(struct os *os, int fd, int64_t first, int64_t last, int64_t **bases, size_t *count)
{
	int64_t lines = fd == -1 ? 0 : count_lines(os, fd), at = 0;
	struct line l = {.end = 0};

	if (lines > 0 && (at = lines_below(os, fd, lines, first)) == -1)
		return -1;
	if (at > 0 && read_line(os, fd, at - 1, &l) == -1)
		return -1;
	if (lines - at >= BASES_MAX)
		return -1;
	*count = (size_t)(lines - at) + 1;
	*bases = reallocarray(NULL, *count + 1, sizeof(**bases));
	if (*bases == NULL)
		return -1;
	(*bases)[0] = l.end;
	if (lines > at && read_ends(os, fd, at, lines, *bases) == -1)
		return -1;
	if ((*bases)[*count - 1] < last)
		(*bases)[(*count)++] = last;
	return (*bases)[*count - 1] == last ? 0 : -1;
}

int
times_bases(struct os *os, const char *dir, int64_t first, int64_t last, int64_t **bases,
    size_t *count)
{
	int fd = open_times(os, dir, OS_READ), ret;

	*bases = NULL;
	ret = bases_from(os, fd, first, last, bases, count);
	if (ret == -1) {
		free(*bases);
		*bases = NULL;
		*count = 0;
	}
	if (fd != -1)
		os_close(os, fd);
	return ret;
}

/* --- writing ---------------------------------------------------------------------- */

/* Where to go on: behind the last line, if it is good and ends at a segment's base,
 * else from the beginning. *line is the number of the line to write, *newest goes
 * for all before it; the number of the segment that it is for. */
static size_t
resume(const struct mlog *log, int fd, int64_t *line, int64_t *newest)
{
	int64_t count = count_lines(log->os, fd);
	struct line last;
	size_t at;

	*line = 0;
	*newest = NO_TIMESTAMP;
	if (count == 0 || read_line(log->os, fd, count - 1, &last) == -1 ||
	    is_outdated(&last, &log->epochs))
		return 0;
	at = mlog_segment_of(log, last.end);
	if (log->segments[at]->base != last.end || at + 1 >= log->segment_count)
		return 0;
	*line = count;
	*newest = last.newest;
	return at;
}

static int
newest_of(const struct mlog *log, size_t i, int64_t *newest)
{
	struct err ignored;
	struct view v;
	int r;

	view_init(&v, log->os, log->dir);
	r = view_open(&v, log->segments[i]->base, &ignored);
	if (r == 0)
		r = view_newest(&v, newest, &ignored);
	view_release(&v);
	return r;
}

/* A line must not outlive what it speaks of: a broker that loses unsynced records goes
 * on at their offsets, with other times, and knows nothing of the line. */
static bool
is_durable(const struct mlog *log, size_t i)
{
	return !log->segments[i]->unsynced ||
	    mlog_segment_end(log, i) <= log->tail.synced_offset;
}

/* The lines for the segments from number `at` up to the one just finished, or up to
 * one that is not durable, or of which nothing can be said. */
static void
make_lines(const struct mlog *log, size_t at, int64_t newest, int64_t of_last, struct buf *out)
{
	for (; at + 1 < log->segment_count; at++) {
		int64_t own = of_last;
		char text[TIMES_LINE + 1];

		if (!is_durable(log, at) ||
		    (at + 2 < log->segment_count && newest_of(log, at, &own) == -1))
			return;
		if (own > newest)
			newest = own;
		format(&(struct line){log->segments[at + 1]->base, newest,
		    epochs_latest(&log->epochs)}, text);
		buf_put(out, text, TIMES_LINE);
	}
}

void
times_add(struct mlog *log, int64_t newest)
{
	int fd = open_times(log->os, log->dir, OS_WRITE | OS_CREATE);
	struct buf out = BUF_INIT;
	int64_t line, before;
	struct err ignored;
	size_t at;

	if (fd == -1)
		return;
	at = resume(log, fd, &line, &before);
	/* Others may have compacted or deleted what is to be looked at. */
	if (at + 2 < log->segment_count && mlog_refresh(log, &ignored) == 0)
		at = resume(log, fd, &line, &before);
	make_lines(log, at, before, newest, &out);
	if (!out.failed && (line > 0 || os_truncate(log->os, fd, 0) == 0) && out.len > 0)
		(void)os_write_at(log->os, fd, out.data, out.len, line * TIMES_LINE);
	buf_release(&out);
	os_close(log->os, fd);
}

int
times_cut(struct os *os, const char *dir, int64_t offset, struct err *err)
{
	int fd = open_times(os, dir, OS_READ);
	char path[LOG_PATH_MAX];
	struct line last;
	int64_t count;
	bool holds;

	if (fd == -1 && errno == ENOENT)
		return 0;
	count = fd == -1 ? 0 : count_lines(os, fd);
	holds = count > 0 && read_line(os, fd, count - 1, &last) == 0 && last.end <= offset;
	if (fd != -1)
		os_close(os, fd);
	if (holds)
		return 0;
	snprintf(path, sizeof(path), "%s/" TIMES_FILE, dir);
	if (os_remove(os, path) == -1 && errno != ENOENT)
		return err_sys(err, errno, "%s: remove", path);
	/* It must not come back, after a power failure, beside what is written next. */
	return os_sync_dir(os, dir) == -1 ? err_sys(err, errno, "%s: sync", dir) : 0;
}
