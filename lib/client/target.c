#include "client/target.h"

#include <errno.h>

int
target_turn(struct target *t, int timeout_ms, struct err *err)
{
	if (os_turn(t->os, timeout_ms) != -1)
		return 0;
	return err_sys(err, errno, "%s: waiting", t->name);
}

int
target_wait(struct target *t, struct call *c)
{
	while (!c->finished)
		if (target_turn(t, -1, &c->err) == -1) {
			target_withdraw(t, c);
			return -1;
		}
	return c->err.code == 0 ? 0 : -1;
}
