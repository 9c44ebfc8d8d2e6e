/* Addresses of streams: text to parts, and sockets' addresses to text. */
#include <arpa/inet.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os_address.h"

#define UNIX_PREFIX "unix:"

static int
fail(int why)
{
	errno = why;
	return -1;
}

static int
port_parse(const char *text, uint16_t *port)
{
	size_t len = strlen(text);

	if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
		return fail(EINVAL);
	long number = strtol(text, NULL, 10);
	if (number > UINT16_MAX)
		return fail(EINVAL);
	*port = (uint16_t)number;
	return 0;
}

int
address_parse(const char *text, struct address *a)
{
	const char *host = text, *end = strrchr(text, ':');

	a->path = NULL;
	a->host[0] = '\0';
	a->port = 0;
	if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0) {
		a->path = text + strlen(UNIX_PREFIX);
		return a->path[0] != '\0' ? 0 : fail(EINVAL);
	}
	if (end == NULL || port_parse(end + 1, &a->port) == -1)
		return fail(EINVAL);
	if (host[0] == '[') {
		host++;
		end--;
		if (end <= host || *end != ']')
			return fail(EINVAL);
	} else if (memchr(host, ':', (size_t)(end - host)) != NULL) {
		return fail(EINVAL);
	}
	if ((size_t)(end - host) >= sizeof(a->host))
		return fail(EINVAL);
	snprintf(a->host, sizeof(a->host), "%.*s", (int)(end - host), host);
	return 0;
}

void
address_write(char text[OS_ADDRESS_MAX], const char *host, uint16_t port)
{
	bool is_ipv6 = strchr(host, ':') != NULL;

	snprintf(
	    text, OS_ADDRESS_MAX, "%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

void
address_print(char text[OS_ADDRESS_MAX], const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in4 = (const void *)sa;
	char host[INET6_ADDRSTRLEN];

	if (sa->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
		address_write(text, host, ntohs(in4->sin_port));
	} else if (sa->sa_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, host, sizeof(host));
		else
			inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		address_write(text, host, ntohs(in6->sin6_port));
	} else {
		snprintf(text, OS_ADDRESS_MAX, UNIX_PREFIX);
	}
}

int
address_of_path(const char *path, struct sockaddr_un *un, int *dir_fd)
{
	const char *slash = strrchr(path, '/');
	char through[32];

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	*dir_fd = -1;
	if (strlen(path) < sizeof(un->sun_path)) {
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
		return 0;
	}
	if (slash == NULL)
		return fail(ENAMETOOLONG);
	char *dir = strndup(path, (size_t)(slash - path) + 1);
	if (dir == NULL)
		return fail(ENOMEM);
	*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int why = errno;
	free(dir);
	if (*dir_fd == -1)
		return fail(why);
	size_t len = (size_t)snprintf(through, sizeof(through), "/proc/self/fd/%d", *dir_fd);
	if (len + strlen(slash) >= sizeof(un->sun_path)) {
		close(*dir_fd);
		*dir_fd = -1;
		return fail(ENAMETOOLONG);
	}
	memcpy(un->sun_path, through, len);
	memcpy(un->sun_path + len, slash, strlen(slash));
	return 0;
}
