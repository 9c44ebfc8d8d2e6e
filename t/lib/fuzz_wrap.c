/* What harnesses put between the code and libc (the linker's --wrap, in the
 * Makefile): memory that fails by countdown, paths of the simulated machine, and
 * a stderr that nobody reads. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fuzz.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
ssize_t __real_write(int fd, const void *data, size_t len);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);
char *__wrap_realpath(const char *path, char *resolved);
ssize_t __wrap_write(int fd, const void *data, size_t len);

static unsigned calls_until_failure; /* 0: never */
static bool failure_lasts, has_failed;

void
fuzz_memory_fail(unsigned at, bool lasts)
{
	calls_until_failure = at;
	failure_lasts = lasts;
	has_failed = false;
}

unsigned
fuzz_memory_hold(void)
{
	unsigned left = calls_until_failure;

	calls_until_failure = 0;
	return left;
}

void
fuzz_memory_resume(unsigned left)
{
	calls_until_failure = left;
}

bool
fuzz_memory_failed(void)
{
	return has_failed;
}

static bool
fails_now(void)
{
	if (calls_until_failure == 0 || --calls_until_failure > 0)
		return false;
	calls_until_failure = failure_lasts;
	has_failed = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __real_realloc(p, size);
}

void *
__wrap_reallocarray(void *p, size_t count, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(p, count, size);
}

char *
__wrap_strdup(const char *s)
{
	return fails_now() ? NULL : __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t len)
{
	return fails_now() ? NULL : __real_strndup(s, len);
}

/* Simulated paths have neither links nor dots in them. */
char *
__wrap_realpath(const char *path, char *resolved)
{
	(void)resolved;
	return fails_now() ? NULL : __real_strdup(path);
}

/* What tools report is not looked at; sanitizers have their own way out. */
ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	return fd == STDERR_FILENO ? (ssize_t)len : __real_write(fd, data, len);
}
