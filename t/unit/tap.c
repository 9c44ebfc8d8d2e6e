/* tap: the harness itself. A failed check must count, or no other test means anything. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* Runs `test` in a child whose output is dropped; returns its exit status. */
static int
status_of(void (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(99);
		tap_count = tap_failed = 0;
		test();
		exit(tap_done());
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
all_hold(void)
{
	ok(true, "a");
	is_int(7, 7, "b");
	is_str("x", "x", "c");
	is_str(NULL, NULL, "d");
	is_mem("\0x", "\0x", 2, "e");
}

static void
condition_fails(void)
{
	ok(false, "a");
	ok(true, "b");
}

static void
number_fails(void)
{
	is_int(7, 8, "a");
}

static void
text_fails(void)
{
	is_str("x", "y", "a");
}

static void
missing_text_fails(void)
{
	is_str(NULL, "", "a");
}

static void
bytes_fail(void)
{
	is_mem("\0x", "\0y", 2, "a");
}

int
main(void)
{
	is_int(status_of(all_hold), 0, "a program whose checks all hold ends with 0");
	is_int(status_of(condition_fails), 1, "one failed condition makes it 1");
	is_int(status_of(number_fails), 1, "so does a number");
	is_int(status_of(text_fails), 1, "so does a text");
	is_int(status_of(missing_text_fails), 1, "no text is not the empty text");
	is_int(status_of(bytes_fail), 1, "so do bytes behind a NUL");
	return tap_done();
}
