#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/signals.h"

#define INPUT_BYTES (256 << 10)

int
input_open(struct input *in, const char *path, struct err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct stat st;

	*in = (struct input){.name = is_stdin ? "stdin" : path, .fd = STDIN_FILENO};
	if (!is_stdin && (in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) == -1)
		return err_sys(err, errno, "%s", path);
	if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		input_close(in);
		return err_sys(err, EISDIR, "%s", in->name);
	}
	if ((in->data = malloc(INPUT_BYTES)) == NULL) {
		input_close(in);
		return err_nomem(err);
	}
	in->cap = INPUT_BYTES;
	posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return 0;
}

void
input_close(struct input *in)
{
	if (in->fd > STDERR_FILENO)
		close(in->fd);
	free(in->data);
	in->fd = -1;
	in->data = NULL;
	in->start = in->end = in->cap = 0;
}

/* Free space behind `end`: by moving the rest down, or, when it takes more than
 * half of the buffer, by doubling that. */
static int
room_make(struct input *in, struct err *err)
{
	size_t rest = in->end - in->start;
	uint8_t *data;

	if (rest > 0 && in->start > 0)
		memmove(in->data, in->data + in->start, rest);
	in->start = 0;
	in->end = rest;
	if (rest <= in->cap / 2)
		return 0;
	if ((data = realloc(in->data, in->cap * 2)) == NULL)
		return err_nomem(err);
	in->data = data;
	in->cap *= 2;
	return 0;
}

enum input_event
input_fill(struct input *in, int timeout_ms, struct err *err)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	ssize_t n;

	if (in->ended)
		return INPUT_ENDED;
	if (timeout_ms >= 0 && poll(&p, 1, timeout_ms) == 0)
		return INPUT_BLOCKS;
	if (room_make(in, err) == -1)
		return INPUT_FAILED;
	for (;;) {
		if (signals_caught() != 0)
			return INPUT_INTERRUPTED;
		n = read(in->fd, in->data + in->end, in->cap - in->end);
		if (n >= 0)
			break;
		if (errno == EAGAIN) {
			/* Somebody else made it non-blocking. */
			if (poll(&p, 1, timeout_ms) == 0)
				return INPUT_BLOCKS;
		} else if (errno != EINTR) {
			err_sys(err, errno, "%s", in->name);
			return INPUT_FAILED;
		}
	}
	in->ended = n == 0;
	in->end += (size_t)n;
	return in->ended ? INPUT_ENDED : INPUT_MORE;
}
