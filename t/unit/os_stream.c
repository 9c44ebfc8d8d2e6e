/* The machine's streams: over loopback and unix sockets. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
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

#define SECOND ((int64_t)1000000000)

static char temporary[] = "/tmp/mq-os-stream.XXXXXX";

static bool
has_ipv6(void)
{
	bool has = door_open(&door, "[::1]:0", NULL) == 0;

	os_listen_stop(os, &door.l);
	return has;
}

static int
inheritable_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);
		count += flags != -1 && !(flags & FD_CLOEXEC);
	}
	return count;
}

/* A blocking socket that is connected to where the door is. */
static int
raw_connect(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		printf("# connect: %s\n", strerrordesc_np(errno));
	return fd;
}

static int notes;

static void
on_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	(void)level;
	notes += strstr(text, "turns connections away") != NULL;
}

/* --- facts of the machine ------------------------------------------------- */

static void
test_close_on_exec(void)
{
	int before = inheritable_descriptors();

	pair_open("localhost:0", 8);
	is_int(inheritable_descriptors(), before, "a child inherits no stream");
	pair_close();
}

static void
test_options(void)
{
	int value = 0, all = 0;
	socklen_t len = sizeof(value);

	pair_open("127.0.0.1:0", 8);
	for (int fd = 0; fd < 256; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len) == 0 && value == 1 &&
		    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0 && value == 1)
			all++;
	is_int(all, 3, "both ends, and the listener, probe silence and delay nothing");
	pair_close();
}

/* The fast one has megabytes for us, and the other its turn. */
static void
test_fair(void)
{
	uint8_t *data = calloc(1, BIG);
	size_t most = 0;

	pair_open("127.0.0.1:0", BIG);
	struct os_send o = piece(data, BIG);
	os_stream_send(os, &a.s, &o);
	for (size_t before = 0; b.len < BIG; before = b.len) {
		os_turn(os, 100);
		if (b.len - before > most)
			most = b.len - before;
	}
	ok(most <= (size_t)256 * 1024, "a peer gets so much of a turn at most (%zu)", most);
	pair_close();
	free(data);
}

static void
test_many_accepts(void)
{
	int fds[100], most = 0, before = 0;

	door_open(&door, "127.0.0.1:0", NULL);
	for (int i = 0; i < 100; i++)
		fds[i] = raw_connect(door.l.address);
	for (int i = 0; i < 10; i++, before = door.accepted) {
		os_turn(os, 10);
		if (door.accepted - before > most)
			most = door.accepted - before;
	}
	is_int(door.accepted, 100, "all who ask are let in");
	is_int(most, 64, "so many in a turn");
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	os_listen_stop(os, &door.l);
}

/* FAULTS 17. */
static void
test_out_of_descriptors(void)
{
	struct rlimit before, none;
	char byte;
	int first, second, turns = 0, fd;

	getrlimit(RLIMIT_NOFILE, &before);
	end_init(&b, 8);
	door_open(&door, "127.0.0.1:0", &b);
	os_real_set_note(os, on_note, NULL);
	first = raw_connect(door.l.address);
	second = raw_connect(door.l.address);
	/* The lowest that is free is what the next one would get. */
	fd = dup(first);
	close(fd);
	none = before;
	none.rlim_cur = (rlim_t)fd;
	setrlimit(RLIMIT_NOFILE, &none);
	int64_t start = os_mono_ns(os);
	while (os_mono_ns(os) - start < 50000000) {
		os_turn(os, 10);
		turns++;
	}
	ok(door.accepted == 0 && turns < 50, "without a descriptor nobody is let in (%d turns)",
	    turns);
	is_int(recv(first, &byte, 1, MSG_DONTWAIT), 0, "who came first is turned away");
	ok(recv(second, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "the next one waits");
	is_int(notes, 1, "and it is noted");
	setrlimit(RLIMIT_NOFILE, &before);
	turn_until(door.accepted);
	ok(door.accepted == 1 && os_mono_ns(os) - start < SECOND, "until there is one");
	close(first);
	close(second);
	turn_until(b.closed);
	os_listen_stop(os, &door.l);
	free(b.data);
}

static void
test_dead_sockets(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char address[200], path[100], other[100];
	struct door second;
	struct stat st;

	snprintf(path, sizeof(path), "%s/dead", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	snprintf(address, sizeof(address), "unix:%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	is_int(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0, "a socket");
	close(fd);
	is_int(error_of(door_open(&door, address, NULL)), 0, "that is dead is replaced");
	is_int(error_of(door_open(&second, address, NULL)), EADDRINUSE, "one that answers is not");
	is_int(stat(path, &st), 0, "and stays");
	os_listen_stop(os, &door.l);
	is_int(stat(path, &st), -1, "who stops listening removes it");
	door_open(&door, address, NULL);
	rename(path, other);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	os_listen_stop(os, &door.l);
	is_int(stat(path, &st), 0, "but nothing else in its place");
	is_int(error_of(door_open(&door, address, NULL)), EADDRINUSE, "nor is a file replaced");
	is_int(stat(path, &st), 0, "nor removed");
}

static void
test_long_path(void)
{
	char path[200], address[400];

	snprintf(path, sizeof(path), "%s/%0100d", dir, 0);
	mkdir(path, 0700);
	snprintf(address, sizeof(address), "unix:%s/sock", path);
	test_exchange(address);
	snprintf(address, sizeof(address), "unix:%s/sock-%0100d", path, 0);
	is_int(error_of(door_open(&door, address, NULL)), ENAMETOOLONG, "a name has a limit");
}

static void
test_resident(void)
{
	static uint8_t data[3 * 4096], got[sizeof(data)];
	int fd = file_make("resident", data, sizeof(data));
	ssize_t n = os_read_resident(os, fd, got, sizeof(got), 0);

	ok(n == (ssize_t)sizeof(got) || (n == -1 && errno == EAGAIN),
	    "what was just written is resident (%zd)", n);
	n = os_read_resident(os, fd, got, sizeof(got), sizeof(data));
	ok(n == 0 || (n == -1 && errno == EAGAIN), "nothing is beyond the end (%zd)", n);
	os_sync(os, fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	n = os_read_resident(os, fd, got, sizeof(got), 0);
	ok(n == (ssize_t)sizeof(got) || (n == -1 && errno == EAGAIN),
	    "what was let go is not waited for (%zd)", n);
	os_close(os, fd);
}

/* With streams in all states. */
/* What is not in memory is read elsewhere, and comes all the same. */
static void
test_evicted(void)
{
	size_t len = (size_t)5 * 1024 * 1024;
	uint8_t *data = malloc(len);
	struct os_send file = piece(NULL, len), tail = piece("tail", 4);
	char byte;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 13 + i / 4096);
	file.fd = file_make("evicted", data, len);
	os_sync(os, file.fd);
	posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
	/* A file system in memory forgets nothing. */
	bool gone = os_read_resident(os, file.fd, &byte, 1, 4 << 20) == -1;
	pair_open("127.0.0.1:0", len + 4);
	os_stream_send(os, &a.s, &file);
	os_stream_send(os, &a.s, &tail);
	turn_until(b.len == len + 4);
	ok(b.len == len + 4 && memcmp(b.data, data, len) == 0 &&
		memcmp(b.data + len, "tail", 4) == 0,
	    "a slice of a file that was%s evicted comes whole", gone ? "" : " not");
	is_int(sends_done, 2, "and is done");
	posix_fadvise(file.fd, 0, 0, POSIX_FADV_DONTNEED);
	os_stream_send(os, &a.s, &file);
	for (int i = 0; i < 3; i++)
		os_turn(os, 0);
	os_stream_close(os, &a.s, false);
	turn_until(a.closed);
	ok(a.closed && sends_done == 3, "one that closes meanwhile waits for nothing");
	pair_close();
	os_close(os, file.fd);
	free(data);
}

static void
test_free(void)
{
	struct err err;
	struct end c;
	char address[200], path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/left", dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	pair_open(address, 8);
	end_init(&c, 8);
	os_connect(os, &c.s, "localhost:1");
	os_turn(os, 0);
	os_free(os);
	is_int(a.closed + b.closed + c.closed, 0, "a freed os calls nobody");
	is_int(stat(path, &st), -1, "and leaves no socket behind");
	free(a.data);
	free(b.data);
	free(c.data);
	os = os_real_new(&err);
}

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
	test_hung_up("127.0.0.1:0");
	test_drain(address);
	test_hung_up(address);
	test_callbacks("127.0.0.1:0");
	test_callbacks(address);
	test_stop_in_callback("127.0.0.1:0");
	test_stop_in_callback(address);
	test_close_on_exec();
	test_options();
	test_fair();
	test_many_accepts();
	test_out_of_descriptors();
	test_dead_sockets();
	test_long_path();
	test_resident();
	test_evicted();
	test_free();
	os_free(os);
	return tap_done();
}
