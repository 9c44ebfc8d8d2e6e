/*
 * Two ends, a door, and the facts that hold of the streams of any os. To be
 * included once; set `os`, and `dir` to a directory of it.
 */
#ifndef OS_STREAM_TEST_H
#define OS_STREAM_TEST_H

#include <errno.h>
#include <stdlib.h>

#include "os/os.h"
#include "tap.h"

#define BIG ((size_t)8 * 1024 * 1024)
#define TURNS_MAX 20000

static const char *dir;
static struct os *os;

/* One end: it keeps what comes, up to `cap` bytes, and says what was called. */
struct end {
	struct os_stream s;
	uint8_t *data;
	size_t cap, len, room_max, bytes_calls;
	bool paused;
	int opened, hung_up, closed, why;
};

static void
on_opened(struct os_stream *s)
{
	struct end *e = s->ctx;

	e->opened++;
}

static void
on_hung_up(struct os_stream *s)
{
	struct end *e = s->ctx;

	e->hung_up++;
}

static size_t
on_room(struct os_stream *s, void **to)
{
	struct end *e = s->ctx;
	size_t room = e->cap - e->len;

	if (e->paused)
		return 0;
	*to = e->data + e->len;
	return e->room_max != 0 && room > e->room_max ? e->room_max : room;
}

static void
on_bytes(struct os_stream *s, size_t len)
{
	struct end *e = s->ctx;

	e->len += len;
	e->bytes_calls++;
}

static void
on_closed(struct os_stream *s, int why)
{
	struct end *e = s->ctx;

	e->closed++;
	e->why = why;
}

static void
end_init(struct end *e, size_t cap)
{
	memset(e, 0, sizeof(*e));
	e->data = malloc(cap);
	e->cap = cap;
	e->s = (struct os_stream){
	    .opened = on_opened, .room = on_room, .bytes = on_bytes, .closed = on_closed, .ctx = e};
}

/* A door, and the end that the next connection gets (NULL: turned away). */
struct door {
	struct os_listener l;
	struct end *next;
	int accepted;
	char peer[OS_ADDRESS_MAX];
};

static struct os_stream *
on_accepted(struct os_listener *l, const char *peer)
{
	struct door *d = l->ctx;

	d->accepted++;
	snprintf(d->peer, sizeof(d->peer), "%s", peer);
	return d->next == NULL ? NULL : &d->next->s;
}

static int
door_open(struct door *d, const char *address, struct end *next)
{
	memset(d, 0, sizeof(*d));
	d->l.accepted = on_accepted;
	d->l.ctx = d;
	d->next = next;
	return os_listen(os, &d->l, address);
}

static int sends_done, send_why;
static char send_order[16];

static void
on_sent(struct os_send *o, int why)
{
	sends_done++;
	send_why = why;
	if (o->ctx != NULL)
		strncat(send_order, o->ctx, sizeof(send_order) - strlen(send_order) - 1);
}

static struct os_send
piece(const void *data, size_t len)
{
	return (struct os_send){.data = data, .len = len, .fd = -1, .done = on_sent};
}

#define turn_until(cond)                                                                           \
	for (int turns_ = 0; !(cond) && turns_ < TURNS_MAX; turns_++)                              \
	os_turn(os, 100)

static struct end a, b;
static struct door door;

/* Two ends that are connected: `a` asked, `b` was given. */
static void
pair_open(const char *address, size_t cap)
{
	end_init(&a, cap);
	end_init(&b, cap);
	if (door_open(&door, address, &b) == -1 || os_connect(os, &a.s, door.l.address) == -1)
		return;
	turn_until(a.opened && door.accepted);
	sends_done = 0;
	send_order[0] = '\0';
}

static void
pair_close(void)
{
	os_stream_close(os, &a.s, false);
	os_stream_close(os, &b.s, false);
	turn_until(a.closed && b.closed);
	os_listen_stop(os, &door.l);
	free(a.data);
	free(b.data);
}

static int
error_of(int result)
{
	return result == -1 ? errno : 0;
}

/* --- facts ---------------------------------------------------------------- */

static void
test_exchange(const char *address)
{
	struct os_send hello = piece("hello", 5), there = piece(" there", 6);

	pair_open(address, 64);
	is_int(a.opened, 1, "%s: a connect opens", address);
	is_int(b.opened, 0, "an accepted one is open from the start");
	hello.ctx = (char[]){"1"};
	there.ctx = (char[]){"2"};
	os_stream_send(os, &a.s, &hello);
	os_stream_send(os, &a.s, &there);
	is_int((intmax_t)a.s.unsent, 11, "what is queued is unsent");
	is_int(sends_done, 0, "and not done from inside the call");
	turn_until(b.len == 11);
	is_mem(b.data, "hello there", 11, "it comes");
	is_int((intmax_t)b.bytes_calls, 1, "the pieces of a turn in one");
	is_str(send_order, "12", "and is done in order");
	is_int((intmax_t)a.s.unsent, 0, "nothing is unsent then");
	os_stream_close(os, &a.s, false);
	is_int(a.closed, 0, "closed does not come from inside the call");
	turn_until(a.closed && b.closed);
	ok(a.why == 0 && b.why == 0, "an orderly end is 0 on both sides");
	pair_close();
}

static void
test_not_addresses(void)
{
	static const char *const bad[] = {"", "host", "host:", "host:x", "host:65536", "host:-1",
	    "::1:9092", "[::1:9092", "[]:9092", "unix:", "host:000001"};
	struct end e;

	end_init(&e, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(error_of(door_open(&door, bad[i], NULL)) == EINVAL &&
			error_of(os_connect(os, &e.s, bad[i])) == EINVAL,
		    "'%s' is no address", bad[i]);
	is_int(error_of(os_connect(os, &e.s, "localhost:0")), EINVAL, "nothing is at port 0");
	is_int(error_of(os_connect(os, &e.s, ":9092")), EINVAL, "nor at no host");
	free(e.data);
}

static void
test_refused(void)
{
	char address[OS_ADDRESS_MAX];
	struct os_send o = piece("x", 1);

	door_open(&door, "127.0.0.1:0", NULL);
	memcpy(address, door.l.address, sizeof(address));
	is_int(error_of(door_open(&(struct door){.accepted = 0}, address, NULL)), EADDRINUSE,
	    "a port that is taken is said to be");
	end_init(&a, 8);
	os_connect(os, &a.s, address);
	turn_until(a.closed);
	ok(door.accepted == 1 && a.closed, "one that is turned away is closed");
	free(a.data);
	os_listen_stop(os, &door.l);

	end_init(&a, 8);
	sends_done = 0;
	os_connect(os, &a.s, address);
	os_stream_send(os, &a.s, &o);
	is_int(a.closed, 0, "a refusal does not come from inside the call");
	turn_until(a.closed);
	ok(a.why == ECONNREFUSED && a.opened == 0, "where nobody listens it is refused");
	ok(sends_done == 1 && send_why == ECONNREFUSED, "and what was queued is done with");
	sends_done = 0;
	os_stream_send(os, &a.s, &o);
	is_int(sends_done, 0, "also what is sent after the end");
	turn_until(sends_done);
	is_int(send_why, ECANCELED, "is canceled");
	os_stream_close(os, &a.s, false);
	os_stream_read(os, &a.s);
	is_int(os_turn(os, 0), 0, "a close after the end is nothing");
	free(a.data);
}

static void
test_big(const char *address)
{
	uint8_t *data = malloc(BIG);
	struct os_send o = piece(data, BIG), last = piece("!", 1);

	for (size_t i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 7 + i / 4096);
	pair_open(address, BIG + 1);
	b.paused = true;
	os_stream_send(os, &a.s, &o);
	os_stream_send(os, &a.s, &last);
	for (int i = 0; i < 10; i++)
		os_turn(os, 1);
	ok(a.s.unsent > 0 && a.s.unsent < BIG, "%s: who does not read holds up the sender",
	    address);
	is_int(sends_done, 0, "whose piece is not done");
	is_int((intmax_t)b.len, 0, "a paused one gets nothing");
	b.paused = false;
	os_stream_read(os, &b.s);
	turn_until(b.len == BIG + 1);
	ok(b.len == BIG + 1 && memcmp(b.data, data, BIG) == 0, "then all of it comes");
	is_int(sends_done, 2, "and is done");
	pair_close();
	free(data);
}

static int
file_make(const char *name, const void *data, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = os_open(os, path, OS_WRITE | OS_CREATE | OS_TRUNC);
	os_write_at(os, fd, data, len, 0);
	return fd;
}

static void
test_files(const char *address)
{
	size_t len = (size_t)3 * 1024 * 1024;
	uint8_t *data = malloc(len);
	struct os_send head = piece("head", 4), tail = piece("tail", 4), file = piece(NULL, len);

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 13 + i / 4096);
	file.fd = file_make("slice", data, len);
	file.position = 100;
	file.len = len - 200;
	pair_open(address, len);
	os_stream_send(os, &a.s, &head);
	os_stream_send(os, &a.s, &file);
	os_stream_send(os, &a.s, &tail);
	turn_until(b.len == file.len + 8);
	ok(b.len == file.len + 8 && memcmp(b.data, "head", 4) == 0 &&
		memcmp(b.data + 4, data + 100, file.len) == 0 &&
		memcmp(b.data + 4 + file.len, "tail", 4) == 0,
	    "%s: a slice of a file goes out between memory", address);
	is_int(sends_done, 3, "done as they are");
	b.len = 0;
	file.position = (int64_t)len - 10;
	file.len = 20;
	os_stream_send(os, &a.s, &file);
	turn_until(a.closed && b.closed);
	ok(a.why == EIO && send_why == EIO, "a file that ends too early ends the stream");
	pair_close();
	os_close(os, file.fd);
	free(data);
}

static void
test_drain(const char *address)
{
	uint8_t *data = calloc(1, BIG);
	struct os_send o = piece(data, BIG), more = piece("x", 1);

	o.ctx = (char[]){"1"};
	more.ctx = (char[]){"2"};
	pair_open(address, BIG + 1);
	os_stream_send(os, &b.s, &(struct os_send){.data = "unread", .len = 6, .fd = -1});
	a.paused = true;
	os_turn(os, 10);
	os_stream_send(os, &a.s, &o);
	os_stream_close(os, &a.s, true);
	os_stream_send(os, &a.s, &more);
	turn_until(a.closed && b.closed);
	ok(b.len == BIG && b.why == 0, "%s: a drain sends what is queued, then ends", address);
	ok(a.why == 0 && sends_done == 2, "both are told");
	is_str(send_order, "12", "what is sent after the close is canceled before its end");
	is_int(send_why, ECANCELED, "the one that came too late");
	pair_close();

	pair_open(address, 8);
	b.paused = true;
	os_stream_send(os, &a.s, &o);
	os_stream_close(os, &a.s, true);
	for (int i = 0; i < 5; i++)
		os_turn(os, 1);
	is_int(a.closed, 0, "a drain waits for a peer that does not read");
	os_stream_close(os, &a.s, false);
	turn_until(a.closed);
	ok(a.why == 0 && send_why == ECANCELED, "until a hard close");
	pair_close();
	free(data);
}

/* `b` is paused when bytes are there, and the end of `a` comes behind them. */
static void
test_hung_up(const char *address)
{
	struct os_send o = piece("later", 5);

	pair_open(address, 64);
	b.s.hung_up = on_hung_up;
	b.paused = true;
	os_stream_send(os, &a.s, &o);
	turn_until(sends_done);
	for (int i = 0; i < 5; i++)
		os_turn(os, 1);
	is_int(b.hung_up, 0, "%s: a pause is no end", address);
	os_stream_close(os, &a.s, true);
	turn_until(b.hung_up);
	for (int i = 0; i < 5; i++)
		os_turn(os, 1);
	ok(b.hung_up == 1 && b.closed == 0, "who is paused is told once that its peer is gone (%d)",
	    b.hung_up);
	os_stream_read(os, &b.s);
	turn_until(b.hung_up == 2);
	is_int(b.hung_up, 2, "and again in another pause");
	b.paused = false;
	os_stream_read(os, &b.s);
	turn_until(b.closed);
	ok(b.len == 5 && memcmp(b.data, "later", 5) == 0, "what came before is still there");
	ok(b.closed == 1 && b.why == 0 && b.hung_up == 2, "then it is closed");
	pair_close();

	pair_open(address, 64);
	b.s.hung_up = on_hung_up;
	os_stream_send(os, &a.s, &o);
	turn_until(b.len == 5);
	os_stream_close(os, &a.s, false);
	turn_until(b.closed);
	is_int(b.hung_up, 0, "who reads is not told: it is closed");
	pair_close();
}

static void
test_names(void)
{
	char address[OS_ADDRESS_MAX];

	pair_open("127.0.0.1:0", 8);
	ok(strncmp(door.l.address, "127.0.0.1:", 10) == 0 && strlen(door.l.address) > 11,
	    "the machine chooses a port (%s)", door.l.address);
	is_str(a.s.peer, door.l.address, "the peer of who connects is who listens");
	ok(strncmp(b.s.peer, "127.0.0.1:", 10) == 0 && strcmp(b.s.peer, door.peer) == 0,
	    "that of who was accepted has a port of its own");
	snprintf(address, sizeof(address), "localhost:%s", strrchr(door.l.address, ':') + 1);
	pair_close();

	end_init(&a, 8);
	end_init(&b, 8);
	door_open(&door, address, &b);
	os_connect(os, &a.s, address);
	turn_until(a.opened || a.closed);
	is_int(a.opened, 1, "a name is looked up, and its addresses are tried");
	pair_close();

	end_init(&a, 8);
	/* A label has at most 63 characters: no server is asked. */
	snprintf(address, sizeof(address), "%064d.invalid:1", 0);
	os_connect(os, &a.s, address);
	turn_until(a.closed);
	is_int(a.why, EHOSTUNREACH, "an unknown name is an unreachable host");
	free(a.data);
	door_open(&door, ":0", NULL);
	ok(strncmp(door.l.address, "[::]:", 5) == 0 || strncmp(door.l.address, "0.0.0.0:", 8) == 0,
	    "no host is every interface (%s)", door.l.address);
	os_listen_stop(os, &door.l);
}

enum { AT_NEVER, AT_OPENED, AT_ROOM, AT_BYTES, AT_DONE };

/* A stream that is closed by one of its callbacks: `act` says by which. */
struct actor {
	struct end end;
	struct os_send o;
	int act, calls_after, again;
};

static void
actor_act(struct actor *c, int where)
{
	if (c->end.s.os_impl != NULL && c->act < 0)
		c->calls_after++;
	if (c->act != where)
		return;
	c->act = -1;
	os_stream_close(os, &c->end.s, false);
}

static void
actor_opened(struct os_stream *s)
{
	actor_act(s->ctx, AT_OPENED);
}

static size_t
actor_room(struct os_stream *s, void **to)
{
	actor_act(s->ctx, AT_ROOM);
	return on_room(s, to);
}

static void
actor_bytes(struct os_stream *s, size_t len)
{
	on_bytes(s, len);
	actor_act(s->ctx, AT_BYTES);
}

static void
actor_done(struct os_send *o, int why)
{
	struct actor *c = o->ctx;

	on_sent(&(struct os_send){.data = NULL}, why);
	if (why != 0)
		return;
	actor_act(c, AT_DONE);
	if (c->again-- > 0)
		os_stream_send(os, &c->end.s, &c->o);
}

static void
test_callbacks(const char *address)
{
	struct actor c;

	for (int where = AT_NEVER; where <= AT_DONE; where++) {
		end_init(&b, 64);
		memset(&c, 0, sizeof(c));
		end_init(&c.end, 64);
		c.end.s.opened = actor_opened;
		c.end.s.room = actor_room;
		c.end.s.bytes = actor_bytes;
		c.end.s.ctx = &c;
		c.act = where;
		c.again = 9;
		c.o = (struct os_send){
		    .data = "x", .len = 1, .fd = -1, .done = actor_done, .ctx = &c};
		sends_done = 0;
		door_open(&door, address, &b);
		os_connect(os, &c.end.s, door.l.address);
		os_stream_send(os, &c.end.s, &c.o);
		turn_until(door.accepted);
		struct os_send o = piece("yy", 2);
		os_stream_send(os, &b.s, &o);
		if (where == AT_NEVER) {
			turn_until(b.len == 10);
			is_int((intmax_t)b.len, 10, "%s: a done may send again", address);
			os_stream_close(os, &c.end.s, false);
		}
		turn_until(c.end.closed && b.closed);
		ok(c.end.closed == 1 && b.closed == 1 && c.calls_after == 0,
		    "%s: a stream closed by its callback %d", address, where);
		os_listen_stop(os, &door.l);
		free(c.end.data);
		free(b.data);
	}
}

static struct os_stream *
accepted_stops(struct os_listener *l, const char *peer)
{
	struct os_stream *s = on_accepted(l, peer);

	os_listen_stop(os, l);
	return s;
}

static void
test_stop_in_callback(const char *address)
{
	end_init(&a, 8);
	end_init(&b, 8);
	door_open(&door, address, &b);
	door.l.accepted = accepted_stops;
	os_connect(os, &a.s, door.l.address);
	turn_until(a.opened && door.accepted);
	struct os_send o = piece("x", 1);
	os_stream_send(os, &a.s, &o);
	turn_until(b.len == 1);
	is_int((intmax_t)b.len, 1, "%s: who stops listening keeps what was accepted", address);
	struct end c;
	end_init(&c, 1);
	os_connect(os, &c.s, door.l.address);
	turn_until(c.closed);
	ok(c.why == ECONNREFUSED || c.why == ENOENT, "and is asked no more");
	free(c.data);
	pair_close();
}

#endif
