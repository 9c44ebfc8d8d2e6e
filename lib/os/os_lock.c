/*
 * Locks on open file descriptions (F_OFD_SETLK): they belong to the open file,
 * not to the process, so two handles in one process exclude each other; they
 * exclude the POSIX locks that Java takes; and they go with the last
 * descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/os_real_impl.h"

int
os_file_lock(struct os *os, int fd, enum os_lock_kind kind)
{
	static const short types[] = {
	    [OS_UNLOCK] = F_UNLCK, [OS_LOCK_SHARED] = F_RDLCK, [OS_LOCK_EXCLUSIVE] = F_WRLCK};
	struct flock whole = {.l_type = types[kind], .l_whence = SEEK_SET};
	int r;

	(void)os;
	do
		r = fcntl(fd, F_OFD_SETLK, &whole);
	while (r == -1 && errno == EINTR);
	if (r == -1 && errno == EACCES)
		errno = EAGAIN;
	return r;
}
