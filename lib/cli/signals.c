#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdatomic.h>
#include <unistd.h>

#include "os/os_real.h"

static volatile sig_atomic_t caught;
static _Atomic(struct os *) woken;

static void
on_signal(int signo)
{
	if (caught != 0)
		signals_raise(signo);
	caught = signo;
	if (atomic_load(&woken) != NULL)
		os_real_wake(atomic_load(&woken));
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
	signal(SIGXFSZ, SIG_IGN);
}

void
signals_wake(struct os *os)
{
	atomic_store(&woken, os);
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
