/*
 * timed OUT COMMAND [ARG...]: runs a command and adds one line to OUT: wall time,
 * user time and system time in microseconds, and the largest resident set in
 * KiB, of the command and of all it waited for. Ends as the command ended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static long long
us_of(const struct timeval *tv)
{
	return tv->tv_sec * 1000000LL + tv->tv_usec;
}

int
main(int argc, char **argv)
{
	struct rusage used;
	long long began, took;
	FILE *out;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: timed OUT COMMAND [ARG...]\n");
		return 2;
	}
	began = now_us();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		fprintf(stderr, "timed: %s: %s\n", argv[2], strerror(errno));
		_exit(127);
	}
	if (pid == -1 || wait4(pid, &status, 0, &used) == -1) {
		perror("timed");
		return 1;
	}
	took = now_us() - began;
	out = fopen(argv[1], "ae");
	if (out == NULL) {
		perror(argv[1]);
		return 1;
	}
	fprintf(out, "%lld %lld %lld %ld\n", took, us_of(&used.ru_utime), us_of(&used.ru_stime),
	    used.ru_maxrss);
	if (fclose(out) == EOF)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
