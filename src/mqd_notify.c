/* The service manager's protocol (sd_notify(3)): datagrams to NOTIFY_SOCKET. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "mqd.h"

void
daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	socklen_t len;
	int fd;

	if (path == NULL || (*path != '/' && *path != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (*path == '@')
		to.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	/* Who does not listen need not be told. */
	(void)sendto(
	    fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)(const void *)&to, len);
	close(fd);
}

int64_t
daemon_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	int64_t us, pid;

	if (usec == NULL || text_int(usec, 1, INT64_MAX, &us) == -1)
		return 0;
	if (whose != NULL && (text_int(whose, 1, INT32_MAX, &pid) == -1 || pid != getpid()))
		return 0;
	return us >= 2000 ? us / 2000 : 1; /* half of it */
}
