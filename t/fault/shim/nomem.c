/*
 * nomem: a preloaded library in which the Nth allocation of a process fails.
 *
 *	MQ_NOMEM=N            the Nth fails, once
 *	MQ_NOMEM=N:sticky     and so do all that follow
 *	MQ_NOMEM_COUNT=FILE   the number of allocations, 8 bytes as the machine has
 *	                      them, of the last process that was given this file
 *
 * Counted is from the start of main (shared libraries that start up are not our
 * business) and what the program or a library asks for; not what libev does: its
 * tables are small and it ends the process when it cannot have them, which is
 * the one exception that mq states. Built on glibc's own names of malloc and
 * its like.
 */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static _Atomic uint64_t private_count;
static _Atomic uint64_t *count = &private_count;
static uint64_t fail_at; /* 0: never */
static bool sticky, started;
static uintptr_t exempt_from, exempt_to; /* libev's code */

static int
find_libev(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	(void)ctx;
	if (info->dlpi_name == NULL || strstr(info->dlpi_name, "/libev.so") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
			exempt_from = info->dlpi_addr + part->p_vaddr;
			exempt_to = exempt_from + part->p_memsz;
		}
	}
	return 1;
}

__attribute__((constructor)) static void
nomem_init(void)
{
	const char *fail = getenv("MQ_NOMEM"), *path = getenv("MQ_NOMEM_COUNT");
	char *end;

	dl_iterate_phdr(find_libev, NULL);
	if (path != NULL) {
		int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		void *page;

		if (fd == -1 || ftruncate(fd, sizeof(*count)) == -1)
			_exit(99);
		page = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (page == MAP_FAILED)
			_exit(99);
		close(fd);
		count = page;
	}
	if (fail != NULL) {
		fail_at = strtoull(fail, &end, 10);
		sticky = strcmp(end, ":sticky") == 0;
		if (fail_at == 0 || (!sticky && *end != '\0'))
			_exit(99);
	}
	started = true;
}

/* One more allocation, asked for by the code at `caller`. */
static bool
refused(const void *caller)
{
	uint64_t n;

	if (!started || ((uintptr_t)caller >= exempt_from && (uintptr_t)caller < exempt_to))
		return false;
	n = atomic_fetch_add(count, 1) + 1;
	if (fail_at == 0 || n < fail_at || (n > fail_at && !sticky))
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t size)
{
	return refused(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	return refused(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return refused(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *
aligned_alloc(size_t align, size_t size)
{
	return refused(__builtin_return_address(0)) ? NULL : __libc_memalign(align, size);
}

int
posix_memalign(void **p, size_t align, size_t size)
{
	if (refused(__builtin_return_address(0)))
		return ENOMEM;
	*p = __libc_memalign(align, size);
	return *p == NULL ? ENOMEM : 0;
}
