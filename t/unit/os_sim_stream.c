/* Simulated streams: the same facts as of real ones, and what a net can do. */
#include "base/bytes.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "os_stream_test.h"
#include "tap.h"

#define SECOND ((int64_t)1000000000)

/* Two hosts, one process each, on a net that does nothing unkind. */
static struct sim_net *net;
static struct sim_disk *disk_x, *disk_y;
static struct os *x, *y;

static void
net_open(uint64_t seed)
{
	net = sim_net_new(seed);
	disk_x = sim_disk_new();
	disk_y = sim_disk_new();
	sim_net_attach(net, disk_x, "x");
	sim_net_attach(net, disk_y, "y");
	x = sim_os_new(disk_x, 1);
	y = sim_os_new(disk_y, 2);
	sim_net_settings(net)->link = (struct sim_link){.latency_us = 1000};
	sim_net_settings(net)->split_percent = 0;
}

static void
net_close(void)
{
	os_free(x);
	os_free(y);
	sim_disk_free(disk_x);
	sim_disk_free(disk_y);
	sim_net_free(net);
}

#define net_until(cond)                                                                            \
	for (int turns_ = 0; !(cond) && turns_ < TURNS_MAX && sim_net_turn(net, -1) != -1;         \
	     turns_++)                                                                             \
	continue

static int64_t
seconds(void)
{
	return sim_net_now_ns(net) / SECOND;
}

/* `a` of x connects to `b` of y. */
static void
hosts_connect(size_t cap)
{
	end_init(&a, cap);
	end_init(&b, cap);
	memset(&door, 0, sizeof(door));
	door.l.accepted = on_accepted;
	door.l.ctx = &door;
	door.next = &b;
	os_listen(y, &door.l, "y:9092");
	os_connect(x, &a.s, "y:9092");
	net_until(a.opened && door.accepted);
	sends_done = 0;
}

static void
ends_free(void)
{
	free(a.data);
	free(b.data);
}

/* --- one process ---------------------------------------------------------- */

static void
test_one_process(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct sim_net_settings *set = sim_net_settings(sim_net_of(disk));

	os = sim_os_new(disk, 1);
	dir = "d";
	os_mkdir(os, dir);
	set->split_percent = 0;
	set->link = (struct sim_link){.latency_us = 100};
	test_exchange("127.0.0.1:0");
	test_exchange("[::1]:0");
	test_exchange("unix:d/sock");
	test_names();
	test_not_addresses();
	test_refused();
	set->split_percent = 30;
	set->link =
	    (struct sim_link){.latency_us = 100, .jitter_us = 100, .piece_bytes_max = 30000};
	test_big("127.0.0.1:0");
	test_big("unix:d/sock");
	test_files("127.0.0.1:0");
	test_files("unix:d/sock");
	test_drain("127.0.0.1:0");
	test_hung_up("127.0.0.1:0");
	test_drain("unix:d/sock");
	test_hung_up("unix:d/sock");
	test_callbacks("127.0.0.1:0");
	test_stop_in_callback("127.0.0.1:0");
	test_stop_in_callback("unix:d/sock");
	is_int((intmax_t)sim_os_open_count(os), 0, "no descriptor is left");
	is_int(error_of(os_turn(os, -1)), EDEADLK, "and nothing will ever come");
	os_free(os);
	sim_disk_free(disk);
}

static void
test_paths(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *first = sim_os_new(disk, 1);
	struct os_stat st;

	os = sim_os_new(disk, 2);
	end_init(&a, 8);
	os_connect(os, &a.s, "unix:sock");
	turn_until(a.closed);
	is_int(a.why, ENOENT, "a path that is not there");
	door.l = (struct os_listener){.accepted = on_accepted, .ctx = &door};
	os_listen(first, &door.l, "unix:sock");
	ok(os_stat_path(os, "sock", &st) == 0, "a listener's path is a name on the disk");
	is_int(error_of(os_open(os, "sock", OS_READ)), ENXIO, "that is no file");
	is_int(error_of(door_open(&door, "unix:sock", NULL)), EADDRINUSE, "and is taken");
	sim_os_kill(first);
	a.closed = 0;
	os_connect(os, &a.s, "unix:sock");
	turn_until(a.closed);
	is_int(a.why, ECONNREFUSED, "one of a dead process");
	is_int(error_of(door_open(&door, "unix:sock", NULL)), 0, "is replaced");
	os_listen_stop(os, &door.l);
	ok(os_stat_path(os, "sock", &st) == -1, "and removed when listening stops");
	free(a.data);
	os_free(first);
	os_free(os);
	sim_disk_free(disk);
}

static void
keep_note(void *ctx, enum os_level level, const char *text)
{
	struct buf *notes = ctx;

	(void)level;
	buf_str(notes, text);
	buf_str(notes, "|");
}

/* FAULTS 17. */
static void
test_out_of_descriptors(void)
{
	static const char note[] = "127.0.0.1:9092: turns connections away: Too many open files|";
	struct sim_disk *disk = sim_disk_new();
	struct buf notes = BUF_INIT;
	struct end c;

	os = sim_os_new(disk, 1);
	sim_os_set_note(os, keep_note, &notes);
	end_init(&a, 8);
	end_init(&b, 8);
	end_init(&c, 8);
	door_open(&door, "localhost:9092", &b);
	sim_settings(disk)->descriptors_max = 4;
	os_connect(os, &a.s, "localhost:9092");
	turn_until(a.opened && door.accepted);
	os_connect(os, &c.s, "localhost:9092");
	turn_until(c.closed);
	is_int(c.opened, 1, "without a descriptor to accept with");
	ok(c.closed == 1 && door.accepted == 1, "one is turned away");
	is_str(buf_cstr(&notes), note, "which is noted");
	for (int i = 0; i < 3; i++) {
		c.closed = 0;
		os_connect(os, &c.s, "localhost:9092");
		turn_until(c.closed);
	}
	is_int((intmax_t)notes.len, (intmax_t)strlen(note), "once");
	is_int(error_of(os_open(os, "f", OS_WRITE | OS_CREATE)), 0, "a file takes one too");
	is_int(error_of(os_open(os, "f", OS_READ)), EMFILE, "as far as there are any");
	os_connect(os, &c.s, "localhost:9092");
	c.closed = 0;
	turn_until(c.closed);
	is_int(c.why, EMFILE, "a connect wants one");
	sim_settings(disk)->descriptors_max = 0;
	struct end d;
	end_init(&d, 8);
	door.next = &d;
	c.closed = c.opened = 0;
	os_connect(os, &c.s, "localhost:9092");
	turn_until(door.accepted == 2);
	is_int(door.accepted, 2, "accepting goes on when there are some again");
	os_free(os);
	sim_disk_free(disk);
	buf_release(&notes);
	ends_free();
	free(c.data);
	free(d.data);
}

static void
test_resident(void)
{
	struct sim_disk *disk = sim_disk_new();
	static char data[20000];
	int whole = 0, part = 0, cold = 0;

	os = sim_os_new(disk, 1);
	sim_write(disk, "f", data, sizeof(data));
	int fd = os_open(os, "f", OS_READ);
	is_int(os_read_resident(os, fd, data, sizeof(data), 0), sizeof(data),
	    "at first all is resident");
	sim_settings(disk)->cold_percent = 30;
	for (int i = 0; i < 100; i++) {
		ssize_t n = os_read_resident(os, fd, data, sizeof(data), 100);
		whole += n == sizeof(data) - 100;
		part += n == 4096 - 100;
		cold += n == -1 && errno == EAGAIN;
	}
	ok(whole + part + cold == 100 && whole > 0 && part > 0 && cold > 0,
	    "else all of it (%d), up to a page (%d), nothing (%d)", whole, part, cold);
	os_free(os);
	sim_disk_free(disk);
}

/* --- several hosts -------------------------------------------------------- */

static void
test_time(void)
{
	struct os_send o = piece("hello", 5);

	net_open(1);
	hosts_connect(64);
	is_int(sim_net_now_ns(net), 2000000, "a connect takes there and back");
	ok(strcmp(a.s.peer, "y:9092") == 0 && strncmp(b.s.peer, "x:", 2) == 0, "hosts have names");
	os_stream_send(x, &a.s, &o);
	net_until(b.len == 5);
	is_int(sim_net_now_ns(net), 3000000, "and bytes there");
	ok(os_mono_ns(x) == os_mono_ns(y) && os_mono_ns(x) == sim_net_now_ns(net),
	    "all share one time");
	os_stream_close(x, &a.s, false);
	net_until(b.closed);
	is_int(b.why, 0, "an end is an end there too");
	is_int(error_of(sim_net_turn(net, -1)), EDEADLK, "nothing more will ever come");
	is_int(sim_net_turn(net, 500), 0, "but time can pass");
	is_int(sim_net_now_ns(net), 504000000, "by what was said");
	ends_free();
	net_close();
}

static char order[8];

static void
on_timer(struct os_timer *t)
{
	strncat(order, t->ctx, sizeof(order) - strlen(order) - 1);
}

static void
test_timers(void)
{
	struct os_timer first = {.fire = on_timer, .ctx = (char[]){"1"}};
	struct os_timer second = {.fire = on_timer, .ctx = (char[]){"2"}};
	struct os_timer third = {.fire = on_timer, .ctx = (char[]){"3"}};

	net_open(1);
	os_timer_start(y, &second, 20);
	os_timer_start(x, &first, 10);
	os_timer_start(x, &third, 30);
	while (sim_net_turn(net, -1) > 0)
		continue;
	is_str(order, "123", "the earliest event of all processes comes first");
	order[0] = '\0';
	os_timer_start(x, &first, 10);
	os_timer_start(y, &second, 20);
	sim_os_stop(x, true);
	sim_net_turn(net, 50);
	is_str(order, "2", "a stopped process has no turns");
	sim_os_stop(x, false);
	sim_net_turn(net, 0);
	is_str(order, "21", "and goes on where it was");
	net_close();
}

static void
test_bandwidth(void)
{
	uint8_t *data = calloc(1, BIG);
	struct os_send o = piece(data, BIG);
	int64_t start;

	net_open(1);
	sim_net_link(net, "x", "y")->bytes_per_s = (int64_t)1024 * 1024;
	hosts_connect(BIG);
	start = sim_net_now_ns(net);
	os_stream_send(x, &a.s, &o);
	net_until(b.len == BIG);
	int64_t took = (sim_net_now_ns(net) - start) / 1000000;
	ok(took >= 8000 && took < 8500, "8 MiB at a MiB a second take 8 s (%lld ms)",
	    (long long)took);
	net_close();
	ends_free();
	free(data);
}

static void
test_partition(void)
{
	struct os_send o = piece("late", 4);
	struct end c;
	int64_t start;

	net_open(1);
	hosts_connect(64);
	sim_net_partition(net, "x", "y", true);
	os_stream_send(x, &a.s, &o);
	sim_net_turn(net, 5000);
	is_int(sends_done, 1, "the kernel takes what");
	sim_net_turn(net, 5000);
	is_int((intmax_t)b.len, 0, "does not come through a partition");
	sim_net_partition(net, "x", "y", false);
	net_until(b.len == 4);
	is_mem(b.data, "late", 4, "but after it");
	start = seconds();
	ok(start < 20, "soon (after %lld s)", (long long)start);

	sim_net_partition(net, "x", "y", true);
	net_until(b.closed);
	ok(b.why == ETIMEDOUT && seconds() - start == 45,
	    "who only waits is told after 45 s of silence");
	net_until(a.closed);
	is_int(a.why, ETIMEDOUT, "on both sides");
	end_init(&c, 8);
	start = seconds();
	os_connect(x, &c.s, "y:9092");
	net_until(c.closed);
	ok(c.why == ETIMEDOUT && seconds() - start >= 127 && seconds() - start < 250,
	    "a connect hangs (%lld s)", (long long)(seconds() - start));
	net_close();
	ends_free();
	free(c.data);
}

static void
test_one_way(void)
{
	struct os_send there = piece("there", 5), back = piece("back", 4);
	uint8_t *data = calloc(1, BIG);
	struct os_send big = piece(data, BIG);

	net_open(1);
	hosts_connect(BIG);
	sim_net_lose(net, "x", "y", true);
	os_stream_send(x, &a.s, &there);
	os_stream_send(y, &b.s, &back);
	os_stream_send(y, &b.s, &big);
	sim_net_turn(net, 1000);
	while (sim_net_turn(net, 10) > 0)
		continue;
	ok(b.len == 0 && a.len >= 4, "one way lost, the other not");
	ok(a.len <= sim_net_settings(net)->window_bytes,
	    "but without an answer no more than a window comes");
	sim_net_lose(net, NULL, NULL, false);
	net_until(a.len == BIG + 4 || a.cap == a.len);
	is_int((intmax_t)b.len, 5, "all comes when the way is found again");
	net_close();
	ends_free();
	free(data);
}

static void
test_cut(void)
{
	struct os_send o = piece("x", 1);

	net_open(1);
	hosts_connect(8);
	sim_net_cut(net, "y", NULL);
	net_until(a.closed && b.closed);
	ok(a.why == ECONNRESET && b.why == ECONNRESET, "a cut resets both sides");
	ends_free();
	end_init(&a, 8);
	end_init(&b, 8);
	os_connect(x, &a.s, "y:9092");
	net_until(a.opened);
	b.paused = true;
	os_stream_send(x, &a.s, &o);
	net_until(sends_done);
	sim_net_turn(net, 10);
	os_stream_close(y, &b.s, false);
	net_until(a.closed);
	is_int(a.why, ECONNRESET, "so does a close with bytes unread");
	sim_net_settings(net)->refuse_percent = 100;
	a.closed = 0;
	os_connect(x, &a.s, "y:9092");
	net_until(a.closed);
	is_int(a.why, ECONNREFUSED, "a connect may be refused");
	a.closed = 0;
	os_connect(x, &a.s, "z:9092");
	net_until(a.closed);
	is_int(a.why, EHOSTUNREACH, "or know no such host");
	is_int(error_of(os_listen(x, &door.l, "y:1")), EADDRNOTAVAIL,
	    "a host listens at its own names only");
	net_close();
	ends_free();
}

static void
test_deaths(void)
{
	struct sim_disk *image;
	struct os_send o = piece("x", 1);

	net_open(1);
	hosts_connect(8);
	os_stream_send(y, &b.s, &o);
	sim_net_turn(net, -1);
	sim_os_kill(y);
	net_until(a.closed);
	ok(a.why == 0 && a.len == 1, "a killed process's kernel ends what it had");
	is_int(b.closed, 0, "itself hears nothing");
	os_free(y);
	y = sim_os_new(disk_y, 3);
	free(a.data);
	free(b.data);
	hosts_connect(8);
	image = sim_crash(disk_y, 1);
	sim_net_detach(disk_y);
	sim_net_turn(net, 1000);
	is_int(a.closed, 0, "a host without power says nothing");
	is_int(sim_net_attach(net, image, "x"), -1, "a name is one host's");
	is_int(sim_net_attach(net, image, "y"), 0, "its image takes its place");
	os_stream_send(x, &a.s, &o);
	net_until(a.closed);
	is_int(a.why, ECONNRESET, "and knows nothing of old connections");
	os_free(y);
	sim_disk_free(disk_y);
	disk_y = image;
	y = sim_os_new(disk_y, 4);
	free(a.data);
	free(b.data);
	hosts_connect(8);
	sim_net_detach(disk_y);
	int64_t start = seconds();
	net_until(a.closed);
	ok(a.why == ETIMEDOUT && seconds() - start == 45, "who waits for it is told after 45 s");
	net_close();
	ends_free();
}

/* --- chance --------------------------------------------------------------- */

struct chat {
	struct end end;
	struct os *os;
	struct os_send o;
	char line[200];
	int rounds;
	bool is_busy;
};

static void
chat_said(struct os_send *o, int why)
{
	struct chat *c = o->ctx;

	(void)why;
	c->is_busy = false;
}

static void
chat_say(struct chat *c, size_t len)
{
	c->is_busy = true;
	c->o = (struct os_send){.data = c->line, .len = len, .fd = -1, .done = chat_said, .ctx = c};
	os_stream_send(c->os, &c->end.s, &c->o);
}

static void
chat_bytes(struct os_stream *s, size_t len)
{
	struct end *e = s->ctx;
	struct chat *c = (struct chat *)e;

	e->len = 0;
	e->bytes_calls++;
	if (c->is_busy || c->rounds == 0)
		return;
	c->rounds--;
	chat_say(c, 1 + len * 7 % sizeof(c->line));
}

static void
keep_trace(void *ctx, const char *line)
{
	buf_str(ctx, line);
	buf_str(ctx, "\n");
}

static struct chat chats[20];
static int chats_taken;

static struct os_stream *
chat_accepted(struct os_listener *l, const char *peer)
{
	(void)l;
	(void)peer;
	return chats_taken < 20 ? &chats[chats_taken++].end.s : NULL;
}

/* Ten connections that talk, on a bad net; what happened goes into `trace`. */
static void
run_seed(uint64_t seed, struct buf *trace)
{
	struct os_listener l = {.accepted = chat_accepted};
	struct sim_net_settings *set;

	net_open(seed);
	set = sim_net_settings(net);
	set->link = (struct sim_link){.latency_us = 300, .jitter_us = 900, .piece_bytes_max = 50};
	set->split_percent = 50;
	set->cuts_per_million = 5000;
	set->refuse_percent = 10;
	sim_net_set_trace(net, keep_trace, trace);
	os_listen(y, &l, ":9092");
	chats_taken = 10;
	for (int i = 0; i < 20; i++) {
		struct chat *c = &chats[i];
		memset(c, 0, sizeof(*c));
		end_init(&c->end, 100);
		c->end.s.bytes = chat_bytes;
		c->os = i < 10 ? x : y;
		c->rounds = 30;
		if (i >= 10)
			continue;
		os_connect(x, &c->end.s, "y:9092");
		chat_say(c, 100);
	}
	for (int i = 0; i < 400; i++)
		sim_net_turn(net, 1);
	sim_net_partition(net, "x", "y", true);
	for (int i = 0; i < 40; i++)
		sim_net_turn(net, 1);
	sim_net_partition(net, "x", "y", false);
	for (int i = 0; i < 2000; i++)
		sim_net_turn(net, 10);
	net_close();
	for (int i = 0; i < 20; i++)
		free(chats[i].end.data);
}

static void
test_seeds(void)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	size_t different = 0, same = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		one.len = two.len = 0;
		run_seed(seed, &one);
		run_seed(seed, &two);
		same += one.len == two.len && memcmp(one.data, two.data, one.len) == 0;
		two.len = 0;
		run_seed(seed + 1, &two);
		different += one.len != two.len || memcmp(one.data, two.data, one.len) != 0;
	}
	is_int((intmax_t)same, 20, "a seed says the same twice");
	is_int((intmax_t)different, 20, "and another something else");
	ok(one.len > 10000, "and not nothing (%zu bytes)", one.len);
	buf_release(&one);
	buf_release(&two);
}

/* --- faults --------------------------------------------------------------- */

static void
test_faults(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os_send o = piece("x", 1), p = piece("y", 1);

	os = fault_new(sim_os_new(disk, 1));
	fault_plan(os, &(struct fault_plan){.calls = FAULT_LISTEN, .at = 1, .error = EACCES});
	is_int(error_of(door_open(&door, ":1", NULL)), EACCES, "a listen fails by plan");
	end_init(&a, 8);
	end_init(&b, 8);
	door_open(&door, ":1", &b);
	fault_plan(os, &(struct fault_plan){.calls = FAULT_CONNECT, .at = 1, .error = ENETDOWN});
	is_int(os_connect(os, &a.s, "localhost:1"), 0, "a connect");
	turn_until(a.closed);
	ok(a.why == ENETDOWN && a.opened == 0, "fails as it would");
	is_int(error_of(os_turn(os, -1)), EDEADLK, "and asks nobody");
	a.closed = 0;
	os_connect(os, &a.s, "localhost:1");
	turn_until(a.opened && door.accepted);
	fault_plan(os, &(struct fault_plan){.calls = FAULT_SEND, .at = 2, .error = EPIPE});
	os_stream_send(os, &a.s, &o);
	turn_until(b.len == 1);
	sends_done = 0;
	os_stream_send(os, &a.s, &p);
	turn_until(a.closed);
	ok(a.why == EPIPE && sends_done == 1 && send_why == EPIPE, "a send fails its stream");
	is_str(fault_where(os), "send", "where it said");
	turn_until(b.closed);
	ok(b.len == 1 && b.why == 0, "the other side sees an end");
	is_int((intmax_t)fault_count(os, FAULT_SEND), 2, "sends are counted");
	ends_free();
	os_free(os);
	sim_disk_free(disk);
}

static void
test_fault_death(void)
{
	struct os_send o = piece("x", 1);

	net_open(1);
	x = fault_new(x);
	hosts_connect(8);
	fault_plan(x, &(struct fault_plan){.calls = FAULT_SEND, .at = 1, .kind = FAULT_DIE_BEFORE});
	os_stream_send(x, &a.s, &o);
	net_until(b.closed);
	ok(fault_is_dead(x) && b.why == 0 && b.len == 0, "who dies at a send is gone for all");
	is_int(a.closed, 0, "and hears nothing");
	is_int(error_of(os_connect(x, &a.s, "y:1")), EIO, "every call fails");
	os_stream_close(x, &a.s, false);
	is_int(error_of(os_turn(x, 0)), EIO, "for ever");
	net_close();
	ends_free();
}

int
main(void)
{
	test_one_process();
	test_paths();
	test_out_of_descriptors();
	test_resident();
	test_time();
	test_timers();
	test_bandwidth();
	test_partition();
	test_one_way();
	test_cut();
	test_deaths();
	test_seeds();
	test_faults();
	test_fault_death();
	return tap_done();
}
