/* The machine's streams: over loopback and unix sockets. */
#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "os/os_real.h"
#include "os_stream_test.h"
#include "tap.h"

static char temporary[] = "/tmp/mq-os-stream.XXXXXX";

static bool
has_ipv6(void)
{
	bool has = door_open(&door, "[::1]:0", NULL) == 0;

	os_listen_stop(os, &door.l);
	return has;
}

/* --- facts ---------------------------------------------------------------- */

/* Files of /proc know no sendfile. */
static void
test_file_copy(void)
{
	char want[64];
	int fd = os_open(os, "/proc/self/comm", OS_READ);
	ssize_t len = os_read_at(os, fd, want, sizeof(want), 0);
	struct os_send file = {.fd = fd, .len = (size_t)len, .done = on_sent};

	pair_open("127.0.0.1:0", 64);
	os_stream_send(os, &a.s, &file);
	turn_until(b.len == (size_t)len);
	is_mem(b.data, want, (size_t)len, "a file that cannot be sent so is copied");
	pair_close();
	os_close(os, fd);
}

/* SIGPIPE would end this program. */
static void
test_sigpipe(const char *address)
{
	uint8_t data[4096] = {0};
	int fd = file_make("pipe", data, sizeof(data));

	for (int use_file = 0; use_file < 2; use_file++) {
		struct os_send o = piece(data, sizeof(data));
		o.fd = use_file ? fd : -1;
		pair_open(address, 64);
		/* Who does not read does not hear of its peer's end. */
		a.paused = true;
		os_stream_send(os, &b.s, &(struct os_send){.data = "x", .len = 1, .fd = -1});
		os_turn(os, 10);
		os_turn(os, 10);
		os_stream_close(os, &b.s, false);
		turn_until(b.closed);
		for (int i = 0; i < 100 && !a.closed; i++) {
			os_stream_send(os, &a.s, &o);
			os_turn(os, 1);
		}
		ok(a.why == EPIPE || a.why == ECONNRESET, "%s: sending %s to nobody is an error",
		    address, use_file ? "a file" : "memory");
		pair_close();
	}
	os_close(os, fd);
}

int
main(void)
{
	struct err err;
	char address[128];

	dir = mkdtemp(temporary);
	if (dir == NULL)
		return 1;
	os = os_real_new(&err);
	snprintf(address, sizeof(address), "unix:%s/sock", dir);
	test_exchange("127.0.0.1:0");
	if (has_ipv6())
		test_exchange("[::1]:0");
	test_exchange(address);
	test_names();
	test_not_addresses();
	test_refused();
	test_big("127.0.0.1:0");
	test_big(address);
	test_files("127.0.0.1:0");
	test_files(address);
	test_file_copy();
	test_sigpipe("127.0.0.1:0");
	test_sigpipe(address);
	test_drain("127.0.0.1:0");
	test_drain(address);
	os_free(os);
	return tap_done();
}
