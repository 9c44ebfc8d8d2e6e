/*
 * tap: the smallest harness that prints TAP. A test is a fact with a name:
 *
 *	int main(void) { ok(1 + 1 == 2, "one and one is two"); return tap_done(); }
 *
 * tap_done prints the plan and returns main's exit status: 0 if all held.
 */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) tap_is_int((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_mem(got, want, len, ...) tap_is_mem((got), (want), (len), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5), unused)) static bool
tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	__builtin_va_list ap;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	__builtin_va_start(ap, fmt);
	vprintf(fmt, ap);
	__builtin_va_end(ap);
	printf("\n");
	if (!good) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

__attribute__((format(printf, 5, 6), unused)) static bool
tap_is_int(intmax_t got, intmax_t want, const char *file, int line, const char *fmt, ...)
{
	char name[256];
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	__builtin_va_end(ap);
	if (!tap_ok(got == want, file, line, "%s", name))
		printf("# got %jd, want %jd\n", got, want);
	return got == want;
}

__attribute__((format(printf, 5, 6), unused)) static bool
tap_is_str(const char *got, const char *want, const char *file, int line, const char *fmt, ...)
{
	char name[256];
	bool same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	__builtin_va_end(ap);
	if (!tap_ok(same, file, line, "%s", name))
		printf("# got  '%s'\n# want '%s'\n", got ? got : "(null)", want ? want : "(null)");
	return same;
}

__attribute__((format(printf, 6, 7), unused)) static bool
tap_is_mem(const void *got, const void *want, size_t len, const char *file, int line,
    const char *fmt, ...)
{
	char name[256];
	bool same = memcmp(got, want, len) == 0;
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	__builtin_va_end(ap);
	if (!tap_ok(same, file, line, "%s", name)) {
		printf("# got  ");
		for (size_t i = 0; i < len && i < 64; i++)
			printf("%02x", ((const unsigned char *)got)[i]);
		printf("\n# want ");
		for (size_t i = 0; i < len && i < 64; i++)
			printf("%02x", ((const unsigned char *)want)[i]);
		printf("\n");
	}
	return same;
}

__attribute__((unused)) static int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
