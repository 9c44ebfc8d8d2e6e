/*
 * signals: how a tool ends when it is told to.
 *
 * The first INT, TERM or HUP is only noted: the running batch is finished, and
 * what needs writing is written; then the tool raises the signal again, so that
 * its parent sees how it died (130, 143). A second one ends it at once (the
 * same within a tenth of a second is no second one). PIPE is
 * ignored, so that a write gives EPIPE and commits can be held back; the tool
 * then raises it, silently (141). XFSZ is ignored too: a file at the limit of
 * sizes (ulimit -f) is an error of the write, EFBIG, and no death in the middle of it.
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

struct os;

/* Sets the handlers. A signal that was ignored at the start stays ignored
 * (nohup, background jobs). Reads and waits are interrupted (EINTR). */
void signals_init(void);

/* A signal also ends the turn of this os that is under way or comes next, so that
 * none is lost between a look at signals_caught and a wait. NULL: no more. */
void signals_wake(struct os *os);

/* The signal that was caught, or 0. */
int signals_caught(void);

/* A daemon's: HUP does not end it but is told by signals_hup, once for each look,
 * unless it was ignored at the start. */
void signals_keep_hup(void);
bool signals_hup(void);

/* What was caught was obeyed, and is no death: it is not raised again. */
void signals_forget(void);

/* Ends the process by `signo`, as if it had never been caught. */
_Noreturn void signals_raise(int signo);

#endif
