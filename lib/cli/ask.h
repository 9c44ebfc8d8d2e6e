/*
 * ask: a question to the person at the terminal.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>
#include <stddef.h>

/* True if somebody can be asked: stdin and stderr are terminals. */
bool ask_can(void);

/* "delete topic NAME and all its records? [y/N] ", or the same of several, which
 * are listed before. `with` is what goes with one: "records". True for y and yes
 * only. */
bool ask_delete(const char *what, const char *with, const char *const *names, size_t count);

#endif
