/* report, signals, tool: how a tool speaks and ends. Each in a child process. */
#include "tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/tool.h"

static char said[4096]; /* what the last child wrote to stderr */

/* Runs `body` in a child with stdout at `out`; returns the wait status. */
static int
child(void (*body)(void), int out)
{
	int fds[2], status = -1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		return -1;
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (out != -1)
			dup2(out, STDOUT_FILENO);
		body();
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	return status;
}

static bool
died_of(int status, int signo)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signo;
}

static bool
ended_with(int status, int code)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static void
speak(void)
{
	struct err err;

	report_init("mq-test");
	report_error("a %s", "b\033[31m\n");
	report_info("unseen");
	report_set_level(OS_INFO);
	report_info("seen");
	report_set_level(OS_ERROR);
	report_warn("unseen");
	report_note(NULL, OS_ERROR, "noted");
	err_set(&err, ERR_NOT_FOUND, "no topic");
	_exit(report_fail(&err));
}

static void
interrupted_once(void)
{
	signals_init();
	raise(SIGTERM);
	if (signals_caught() != SIGTERM)
		_exit(1);
	signals_raise(signals_caught());
}

static void
interrupted_twice(void)
{
	signals_init();
	raise(SIGTERM);
	raise(SIGINT);
	_exit(1);
}

static void
ignoring(void)
{
	signal(SIGHUP, SIG_IGN);
	signals_init();
	raise(SIGHUP);
	_exit(signals_caught() == 0 ? 0 : 1);
}

static void
printing(void)
{
	report_init("mq-test");
	signals_init();
	printf("data\n");
	_exit(report_finish(EXIT_OK));
}

static void
starting(void)
{
	char name[] = "mq-topics", bad[] = "--partitons";
	char *argv[] = {name, bad, NULL};
	struct options o;

	_exit(tool_start(&o, &tool_topics, 2, argv));
}

static void
without_stdout(void)
{
	close(STDOUT_FILENO);
	starting();
}

int
main(void)
{
	int fds[2], full = open("/dev/full", O_WRONLY), null = open("/dev/null", O_WRONLY);

	ok(ended_with(child(speak, -1), EXIT_NOINPUT), "an error becomes an exit status");
	is_str(said, "mq-test: a b?[31m?\nmq-test: seen\nmq-test: noted\nmq-test: no topic\n",
	    "one line a problem, by level, without control characters");
	ok(died_of(child(interrupted_once, -1), SIGTERM), "a caught signal is raised again");
	ok(died_of(child(interrupted_twice, -1), SIGINT), "a second one ends at once");
	ok(ended_with(child(ignoring, -1), 0), "an ignored one stays ignored");
	ok(ended_with(child(printing, null), EXIT_OK), "output that is written");
	ok(ended_with(child(printing, full), EXIT_IO), "output on a full disk");
	is_str(said, "mq-test: stdout: write: No space left on device\n", "is named");
	if (pipe(fds) == -1)
		return 1;
	close(fds[0]);
	ok(died_of(child(printing, fds[1]), SIGPIPE), "output into a closed pipe");
	is_str(said, "", "is silent");
	ok(ended_with(child(starting, null), EXIT_USAGE), "a mistake in the options");
	is_str(said, "mq-topics: unknown option --partitons (did you mean --partitions?)\n",
	    "is told in one line");
	ok(ended_with(child(without_stdout, -1), EXIT_USAGE), "also without a stdout");
	return tap_done();
}
