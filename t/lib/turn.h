/* turn: a loop that cannot wait. */
#ifndef LIB_TURN_H
#define LIB_TURN_H

#include "os/os.h"

/* The calls of `os`, but for a turn that fails with EIO. */
struct os_ops turn_fails(const struct os *os);

#endif
