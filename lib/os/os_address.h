/*
 * Addresses of streams as text; private to lib/os.
 */
#ifndef OS_OS_ADDRESS_H
#define OS_OS_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/os.h"

#define ADDRESS_HOST_MAX 256

struct address {
	const char *path;	     /* of "unix:PATH", in the text; else NULL */
	char host[ADDRESS_HOST_MAX]; /* without brackets; may be empty */
	uint16_t port;
};

/* Takes an address apart. -1 with EINVAL if it is none. */
int address_parse(const char *text, struct address *a);

/* "HOST:PORT", with brackets where they are needed. */
void address_write(char text[OS_ADDRESS_MAX], const char *host, uint16_t port);

/* The text of a socket's address; "unix:" for every unix one. */
void address_print(char text[OS_ADDRESS_MAX], const struct sockaddr *sa);

/* A socket's address for a path. One that is too long leads through the
 * descriptor of its directory, to be closed after use; else *dir_fd is -1.
 * Returns 0, or -1 with errno. */
int address_of_path(const char *path, struct sockaddr_un *un, int *dir_fd);

#endif
