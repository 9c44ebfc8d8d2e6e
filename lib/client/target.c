#include "client/target.h"

int
target_wait(struct target *t, struct call *c)
{
	while (!c->finished)
		os_turn(t->os, -1);
	return c->err.code == 0 ? 0 : -1;
}
