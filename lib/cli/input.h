/*
 * input: the bytes of a file or pipe, in large pieces.
 *
 * What was read and not consumed stays at the front; pointers into it hold
 * until the next input_fill.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct input {
	const char *name; /* for messages: the path, or "stdin" */
	int fd;
	uint8_t *data; /* owned */
	size_t start, end, cap; /* unread bytes lie in [start, end) of data */
	bool ended;             /* nothing comes behind `end` */
};

enum input_event {
	INPUT_FAILED = -1,
	INPUT_ENDED, /* nothing more comes */
	INPUT_MORE,
	INPUT_BLOCKS,      /* nothing is there within the time given */
	INPUT_INTERRUPTED, /* a signal was caught */
};

/* Opens `path` for reading; "-" is stdin. Returns 0, or -1: ERR_NOT_FOUND,
 * ERR_IO (also for a directory), ERR_NOMEM. */
int input_open(struct input *in, const char *path, struct err *err);
void input_close(struct input *in);

/* Waits at most `timeout_ms` (-1: without limit, 0: not at all) for more bytes,
 * and reads what is there. Makes room when the unread bytes fill the buffer. */
enum input_event input_fill(struct input *in, int timeout_ms, struct err *err);

#endif
