#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void
on_signal(int signo)
{
	if (caught != 0)
		signals_raise(signo);
	caught = signo;
}

static void
handle(int signo)
{
	struct sigaction act = {.sa_handler = on_signal}, old;

	sigemptyset(&act.sa_mask);
	if (sigaction(signo, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(signo, &act, NULL);
}

void
signals_init(void)
{
	handle(SIGINT);
	handle(SIGTERM);
	handle(SIGHUP);
	signal(SIGPIPE, SIG_IGN);
}

int
signals_caught(void)
{
	return caught;
}

/* Async-signal-safe: also called from the handler. */
_Noreturn void
signals_raise(int signo)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigemptyset(&act.sa_mask);
	sigaction(signo, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signo);
	_exit(128 + signo);
}
