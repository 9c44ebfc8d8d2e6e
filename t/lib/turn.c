#include "lib/turn.h"

#include <errno.h>

static int
failing_turn(struct os *os, int timeout_ms)
{
	(void)os;
	(void)timeout_ms;
	errno = EIO;
	return -1;
}

struct os_ops
turn_fails(const struct os *os)
{
	struct os_ops ops = *os->ops;

	ops.turn = failing_turn;
	return ops;
}
