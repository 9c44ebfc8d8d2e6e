#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "os/os_real.h"

static volatile sig_atomic_t caught, hung_up;
static _Atomic(struct os *) woken;

/* timeout(1) sends its signal to the process and then to its group: that is one. */
#define SAME_MS 100

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
on_signal(int signo)
{
	static volatile int64_t when_ms; /* one handler runs at a time: see sa_mask */

	if (caught == signo && now_ms() - when_ms < SAME_MS)
		return;
	if (caught != 0)
		signals_raise(signo);
	when_ms = now_ms();
	caught = signo;
	if (atomic_load(&woken) != NULL)
		os_real_wake(atomic_load(&woken));
}

static void
on_hup(int signo)
{
	(void)signo;
	hung_up = 1;
	if (atomic_load(&woken) != NULL)
		os_real_wake(atomic_load(&woken));
}

static void
handle(int signo, void (*handler)(int signo))
{
	struct sigaction act = {.sa_handler = handler}, old;

	sigemptyset(&act.sa_mask);
	sigaddset(&act.sa_mask, SIGINT);
	sigaddset(&act.sa_mask, SIGTERM);
	sigaddset(&act.sa_mask, SIGHUP);
	if (sigaction(signo, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	sigaction(signo, &act, NULL);
}

void
signals_init(void)
{
	handle(SIGINT, on_signal);
	handle(SIGTERM, on_signal);
	handle(SIGHUP, on_signal);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

void
signals_keep_hup(void)
{
	handle(SIGHUP, on_hup);
}

bool
signals_hup(void)
{
	bool was = hung_up != 0;

	hung_up = 0;
	return was;
}

void
signals_forget(void)
{
	caught = 0;
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
