/* Classic groups: who joins, who leads, who is dropped; the rules of JoinGroup, SyncGroup,
 * Heartbeat and LeaveGroup. Each was held against Apache Kafka 4.3. */
#include "base/error.h"
#include "mqd_groups_test.h"

/* A group of `n` dynamic members, Stable; their ids. */
static char ids[8][128];
static int32_t generation;

static void
make_stable_as(const char *group, int n, struct who w)
{
	struct call *joins[8], *syncs[8];
	const char *assignments[17] = {NULL};

	w.group = group;
	for (int i = 0; i < n; i++)
		joins[i] = join_two(w);
	pass_ms(10000);
	for (int i = 0; i < n; i++) {
		strcpy(ids[i], joins[i]->member);
		generation = joins[i]->generation;
		assignments[2 * i] = ids[i];
		assignments[2 * i + 1] = i == 0 ? "a0" : i == 1 ? "a1" : "ax";
		call_free(joins[i]);
	}
	for (int i = n - 1; i >= 0; i--)
		syncs[i] = sync_begin(group, ids[i], generation, i == 0 ? assignments : NULL, 5);
	settle();
	for (int i = 0; i < n; i++)
		call_free(syncs[i]);
}

static void
make_stable(const char *group, int n)
{
	make_stable_as(group, n, (struct who){.version = 9});
}

static void
test_first_join(void)
{
	struct call *k, *s;

	bench_up();
	k = join_begin((struct who){.version = 4});
	ok(k->told == 1 && k->code == ERR_MEMBER_ID_REQUIRED, "a new member is given an id first");
	ok(strncmp(k->member, "client-", 7) == 0 && strlen(k->member) == 7 + 36,
	    "which is the client's id and a uuid");
	is_int(k->generation, -1, "in no generation");
	settle();
	is_str(state_of("g"), "Empty", "the group is there");
	ok(bench.appends == 1, "also in the log");
	s = join_begin((struct who){.version = 4, .member = k->member});
	ok(s->told == 0, "with the id it waits for the first rebalance");
	is_str(state_of("g"), "PreparingRebalance", "which is prepared");
	pass_ms(2900);
	ok(s->told == 0, "for group.initial.rebalance.delay.ms");
	pass_ms(200);
	ok(s->told == 1 && s->code == 0 && s->generation == 1, "then it is in generation 1");
	is_str(s->leader, k->member, "and leads");
	ok(s->members == 1 && strcmp(s->names[0], k->member) == 0, "it sees all members");
	is_str(s->protocol, "range", "of the protocol that was chosen");
	is_str(s->type, "consumer", "and its type");
	is_str(state_of("g"), "CompletingRebalance", "its assignment is waited for");
	call_free(k);
	call_free(s);

	k = join_begin((struct who){.group = "old", .version = 3});
	pass_ms(3100);
	ok(k->told == 1 && k->code == 0 && k->member[0] != '\0',
	    "before version 4 the id comes with the answer");
	call_free(k);
	bench_down();
}

static void
test_initial_delay(void)
{
	struct call *a, *b;

	bench_up();
	a = join_two((struct who){0});
	pass_ms(2000);
	b = join_two((struct who){0});
	pass_ms(1500);
	ok(a->told == 0 && b->told == 0, "who comes meanwhile prolongs the first rebalance");
	pass_ms(2600);
	ok(a->told == 1 && b->told == 1, "by one more delay");
	ok(a->generation == 1 && b->generation == 1, "and is in the same generation");
	is_str(b->leader, a->member, "the first one leads");
	ok(a->members == 2 && b->members == 0, "only the leader is told who is in");
	call_free(a);
	call_free(b);

	a = join_two((struct who){.group = "short", .rebalance_ms = 4000});
	b = NULL;
	for (int i = 0; i < 3; i++) {
		pass_ms(1000);
		b = join_two((struct who){.group = "short", .rebalance_ms = 4000});
		call_free(b);
	}
	pass_ms(1100);
	ok(a->told == 1, "at most until the rebalance timeout");
	call_free(a);
	bench_down();
}

static int
join_code(struct who w)
{
	struct call *k = join_begin(w);
	int code = k->told == 1 ? k->code : -1000;

	call_free(k);
	return code;
}

static void
test_join_errors(void)
{
	struct call *k;

	bench_up();
	is_int(join_code((struct who){.group = ""}), ERR_INVALID_GROUP_ID, "a group has a name");
	is_int(join_code((struct who){.group = "", .session_ms = 1}), ERR_INVALID_GROUP_ID,
	    "which is looked at first");
	is_int(join_code((struct who){.session_ms = 5999}), ERR_INVALID_SESSION_TIMEOUT,
	    "a session is not too short");
	is_int(join_code((struct who){.session_ms = 1800001}), ERR_INVALID_SESSION_TIMEOUT,
	    "nor too long");
	is_int(join_code((struct who){.group = "no", .member = "m"}), ERR_UNKNOWN_MEMBER_ID,
	    "an id of a group that is not there is unknown");
	is_int(join_code((struct who){.group = "bare", .protocols = ""}),
	    ERR_INCONSISTENT_GROUP_PROTOCOL, "a member has a protocol");
	settle();
	is_str(state_of("bare"), "Empty", "though the group is made by asking");
	is_int(join_code((struct who){.type = ""}), ERR_INCONSISTENT_GROUP_PROTOCOL, "of a type");
	make_stable("g", 1);
	is_int(join_code((struct who){.protocols = "other"}), ERR_INCONSISTENT_GROUP_PROTOCOL,
	    "one that others have");
	is_int(join_code((struct who){.type = "connect"}), ERR_INCONSISTENT_GROUP_PROTOCOL,
	    "of their type");
	is_int(join_code((struct who){.member = "m"}), ERR_UNKNOWN_MEMBER_ID,
	    "an id that was never given out is unknown");
	k = join_begin((struct who){.member = "m", .instance = "i"});
	ok(k->code == ERR_UNKNOWN_MEMBER_ID && k->protocol_null && strcmp(k->member, "m") == 0,
	    "one of a static member that is not there, too");
	call_free(k);
	is_int(join_code((struct who){.group = "g", .member = ids[0], .session_ms = 1}),
	    ERR_INVALID_SESSION_TIMEOUT, "members are held to the bounds, too");
	groups_resigned(bench.gs, 0);
	groups_resigned(bench.gs, 1);
	groups_resigned(bench.gs, 2);
	groups_resigned(bench.gs, 3);
	is_int(join_code((struct who){0}), ERR_NOT_COORDINATOR, "a broker that does not lead says so");
	bench_down();
}

static void
test_sync(void)
{
	struct call *a, *b, *sa, *sb;
	const char *assignments[5] = {NULL};

	bench_up();
	a = join_two((struct who){0});
	b = join_two((struct who){0});
	pass_ms(6100);
	sb = sync_begin("g", b->member, 1, NULL, 5);
	ok(sb->told == 0, "a follower waits for the leader's assignment");
	assignments[0] = b->member;
	assignments[1] = "for b";
	bench.hold = true;
	sa = sync_begin("g", a->member, 1, assignments, 5);
	settle();
	ok(sa->told == 0 && sb->told == 0, "all wait until it is in the log");
	is_str(state_of("g"), "CompletingRebalance", "the group, too");
	release();
	ok(sa->told == 1 && sb->told == 1, "then they are told");
	is_str(sb->text, "for b", "each its own");
	is_str(sa->text, "", "whom the leader forgot nothing");
	is_str(sb->protocol, "range", "with the protocol");
	is_str(state_of("g"), "Stable", "and the group is Stable");
	call_free(sb);
	sb = sync_begin("g", b->member, 1, NULL, 5);
	ok(sb->told == 1 && strcmp(sb->text, "for b") == 0, "who asks again gets it again");
	call_free(sa);
	call_free(sb);

	sa = sync_begin("g", "x", 1, NULL, 5);
	is_int(sa->code, ERR_UNKNOWN_MEMBER_ID, "a stranger gets nothing");
	call_free(sa);
	sa = sync_begin("g", a->member, 2, NULL, 5);
	is_int(sa->code, ERR_ILLEGAL_GENERATION, "nor who is of another generation");
	call_free(sa);
	sa = sync_begin("no", a->member, 1, NULL, 5);
	is_int(sa->code, ERR_UNKNOWN_MEMBER_ID, "a group that is not there has no members");
	call_free(sa);
	sa = sync_begin("", a->member, 1, NULL, 5);
	is_int(sa->code, ERR_INVALID_GROUP_ID, "a group without name cannot be");
	call_free(sa);
	call_free(a);
	call_free(b);
	bench_down();
}

static void
test_sync_failed(void)
{
	struct call *a, *s;

	bench_up();
	a = join_two((struct who){0});
	pass_ms(3100);
	bench.fail = ERR_KAFKA_STORAGE_ERROR;
	s = sync_begin("g", a->member, 1, NULL, 5);
	settle();
	ok(s->told == 1 && s->code == ERR_NOT_COORDINATOR,
	    "an assignment that cannot be written is not given out");
	is_str(state_of("g"), "PreparingRebalance", "all join again");
	call_free(s);
	bench.fail = 0;
	s = join_begin((struct who){.member = a->member});
	settle();
	ok(s->told == 1 && s->generation == 2, "in the next generation");
	call_free(s);
	call_free(a);
	bench_down();
}

static void
test_heartbeat(void)
{
	struct call *a;

	bench_up();
	make_stable("g", 2);
	is_int(heartbeat("g", ids[0], NULL, 1), 0, "a member is alive");
	is_int(heartbeat("g", ids[0], NULL, 2), ERR_ILLEGAL_GENERATION, "in its generation");
	is_int(heartbeat("g", "x", NULL, 1), ERR_UNKNOWN_MEMBER_ID, "a stranger is not");
	is_int(heartbeat("no", ids[0], NULL, 1), ERR_UNKNOWN_MEMBER_ID, "nor in another group");
	is_int(heartbeat("", ids[0], NULL, 1), ERR_INVALID_GROUP_ID, "nor in none");
	is_int(heartbeat("g", ids[0], "i", 1), ERR_UNKNOWN_MEMBER_ID, "nor as what it is not");
	for (int i = 0; i < 3; i++) {
		pass_ms(9000);
		heartbeat("g", ids[0], NULL, 1);
	}
	is_int(heartbeat("g", ids[0], NULL, 1), ERR_REBALANCE_IN_PROGRESS,
	    "when another was silent for its session, all join again");
	is_int(heartbeat("g", ids[1], NULL, 1), ERR_UNKNOWN_MEMBER_ID, "without it");
	a = join_begin((struct who){.member = ids[0]});
	settle();
	ok(a->told == 1 && a->generation == 2 && a->members == 1, "who is left is the next generation");
	call_free(a);
	pass_ms(10100);
	is_str(state_of("g"), "Empty", "nobody is heard of, and it is Empty");
	is_int(heartbeat("g", ids[0], NULL, 2), ERR_UNKNOWN_MEMBER_ID, "its members are unknown");
	bench_down();
}

static void
test_rejoin(void)
{
	struct call *a, *b, *c;

	bench_up();
	make_stable("g", 2);
	a = join_begin((struct who){.member = ids[1]});
	ok(a->told == 1 && a->generation == 1 && a->members == 0,
	    "a follower that joins as it is gets the generation that it has");
	is_str(state_of("g"), "Stable", "and nobody is disturbed");
	call_free(a);
	a = join_begin((struct who){.member = ids[1], .topic = "new"});
	ok(a->told == 0, "one with another subscription brings a rebalance");
	is_str(state_of("g"), "PreparingRebalance", "for all");
	b = join_begin((struct who){.member = ids[0]});
	ok(a->told == 1 && b->told == 1 && b->generation == 2, "which ends when all are back");
	call_free(a);
	call_free(b);
	a = join_begin((struct who){.member = ids[0]});
	ok(a->told == 1 && a->generation == 2 && a->members == 2,
	    "before the assignment, too, who joins as it is gets what it has");
	call_free(a);
	a = join_begin((struct who){.member = ids[1], .topic = "newer"});
	b = sync_begin("g", ids[0], 2, NULL, 5);
	is_int(b->code, ERR_REBALANCE_IN_PROGRESS, "in a rebalance there are no assignments");
	call_free(b);
	pass_ms(9900);
	ok(a->told == 0, "who is missing is waited for");
	pass_ms(200);
	ok(a->told == 1 && a->generation == 3 && a->members == 1,
	    "until its session ends; who is back goes on, and leads");
	call_free(a);
	make_stable_as("l", 2, (struct who){.session_ms = 100000});
	a = join_begin((struct who){.group = "l", .member = ids[1], .topic = "x"});
	pass_ms(59900);
	ok(a->told == 0, "or");
	pass_ms(200);
	ok(a->told == 1 && a->generation == 2 && a->members == 1, "at most the rebalance timeout");
	is_int(heartbeat("l", ids[0], NULL, 1), ERR_UNKNOWN_MEMBER_ID, "and is out then");
	call_free(a);
	make_stable("h", 1);
	a = join_begin((struct who){.group = "h", .member = ids[0]});
	ok(a->told == 1 && a->generation == 2, "a leader that joins brings a rebalance");
	call_free(a);
	c = join_two((struct who){.group = "h"});
	is_int(heartbeat("h", ids[0], NULL, 2), ERR_REBALANCE_IN_PROGRESS, "as does one who is new");
	call_free(c);
	bench_down();
}

static void
test_sync_expiration(void)
{
	struct call *a, *b, *s;

	bench_up();
	a = join_two((struct who){.rebalance_ms = 8000, .session_ms = 20000});
	b = join_two((struct who){.rebalance_ms = 8000, .session_ms = 20000});
	pass_ms(6100);
	s = sync_begin("g", b->member, 1, NULL, 5);
	pass_ms(7800);
	ok(s->told == 0, "the leader's assignment is waited for");
	pass_ms(300);
	ok(s->told == 1 && s->code == ERR_REBALANCE_IN_PROGRESS,
	    "for the rebalance timeout; then all begin anew");
	is_int(heartbeat("g", a->member, NULL, 1), ERR_UNKNOWN_MEMBER_ID,
	    "without who did not ask for its assignment");
	call_free(a);
	call_free(b);
	call_free(s);
	bench_down();
}

/* Joins the group "p" with so many protocols. */
static struct call *
join_many(size_t count)
{
	struct call *k = call_new(3);
	struct join_group_request *r = arena_alloc(&k->arena, sizeof(*r));

	wire_init(&wire_join_group_request, r);
	r->group_id = wire_str_of("p");
	r->member_id = wire_str_of("");
	r->group_instance_id = wire_str_null();
	r->protocol_type = wire_str_of("consumer");
	r->session_timeout_ms = r->rebalance_timeout_ms = 10000;
	r->protocols.items = arena_array(&k->arena, count, sizeof(*r->protocols.items));
	r->protocols.count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		char *name = arena_array(&k->arena, 16, 1);

		snprintf(name, 16, "%zu", i);
		r->protocols.items[i].name = wire_str_of(name);
	}
	k->c.done = join_told;
	groups_join(bench.gs, &k->c, r);
	return k;
}

/* The member that has not asked for its assignment has gone, and another has its name. */
static void
test_sync_expiration_static(void)
{
	struct call *a, *b, *k;

	bench_up();
	a = join_begin((struct who){.instance = "i1", .rebalance_ms = 8000, .session_ms = 60000});
	b = join_begin((struct who){.instance = "i2", .rebalance_ms = 8000, .session_ms = 60000});
	pass_ms(6100);
	k = sync_begin("g", a->member, 1, (const char *const[]){a->member, "x", NULL}, 5);
	settle();
	is_str(state_of("g"), "Stable", "one of two static members has its assignment");
	call_free(b);
	call_free(k);
	bench.hold = true;
	b = join_begin((struct who){.instance = "i2", .rebalance_ms = 8000, .session_ms = 60000});
	pass_ms(8100);
	ok(b->told == 0, "the other comes back while the disk is slow");
	release();
	ok(b->told == 1 && b->code == 0 && b->generation == 1, "and is told, however late");
	is_str(state_of("g"), "Stable", "nobody is disturbed");
	is_int(heartbeat("g", b->member, "i2", 1), 0, "it is a member");
	call_free(a);
	call_free(b);
	bench_down();
}

/* Each is a few bytes on the wire, but not in memory, and they are held against each other. */
static void
test_protocols(void)
{
	size_t count = 1001;
	struct call *k;

	bench_up();
	k = join_many(count - 1);
	pass_ms(3100);
	ok(k->told == 1 && k->code == 0, "a thousand protocols are taken");
	call_free(k);
	k = join_many(count);
	ok(k->told == 1 && k->code == ERR_UNKNOWN_SERVER_ERROR, "more are not");
	call_free(k);
	bench_down();
}

static void
test_pending(void)
{
	struct call *a, *b;

	bench_up();
	make_stable("g", 1);
	b = join_begin((struct who){.session_ms = 7000});
	is_int(b->code, ERR_MEMBER_ID_REQUIRED, "somebody is given an id");
	a = join_begin((struct who){.member = ids[0]});
	ok(a->told == 0, "and is waited for by those who join again");
	pass_ms(7100);
	ok(a->told == 1 && a->generation == 2, "for its session");
	is_int(join_code((struct who){.member = b->member}), ERR_UNKNOWN_MEMBER_ID,
	    "then the id is unknown");
	call_free(a);
	call_free(b);
	b = join_begin((struct who){0});
	a = join_begin((struct who){.member = ids[0], .topic = "x"});
	ok(a->told == 0, "again");
	call_free(leave_begin("g", b->member, NULL, 3));
	settle();
	call_free(b);
	ok(a->told == 1, "an id that is given back is not waited for");
	call_free(a);
	bench_down();
}

static void
test_leave(void)
{
	struct call *k, *a;

	bench_up();
	make_stable("g", 2);
	k = leave_begin("g", "x", NULL, 3);
	ok(k->told == 1 && k->code == 0 && k->codes[0] == ERR_UNKNOWN_MEMBER_ID,
	    "a stranger cannot leave");
	call_free(k);
	k = leave_begin("g", "x", NULL, 2);
	is_int(k->code, ERR_UNKNOWN_MEMBER_ID, "told at the top before version 3");
	call_free(k);
	k = leave_begin("no", "x", NULL, 3);
	ok(k->code == 0 && k->members == 1 && k->codes[0] == ERR_UNKNOWN_MEMBER_ID,
	    "a group that is not there has no members");
	call_free(k);
	k = leave_begin("", "x", NULL, 3);
	is_int(k->code, ERR_INVALID_GROUP_ID, "one without name cannot be");
	call_free(k);
	k = leave_begin("g", ids[0], NULL, 3);
	ok(k->told == 1 && k->codes[0] == 0 && strcmp(k->names[0], ids[0]) == 0, "a member can");
	call_free(k);
	is_int(heartbeat("g", ids[1], NULL, 1), ERR_REBALANCE_IN_PROGRESS, "others join again");
	a = join_begin((struct who){.member = ids[1]});
	ok(a->told == 1 && a->members == 1, "and one of them leads");
	call_free(a);
	bench.hold = true;
	k = leave_begin("g", ids[1], NULL, 3);
	ok(k->told == 0, "the last one waits until the empty group is in the log");
	release();
	ok(k->told == 1 && k->code == 0, "then it is told");
	is_str(state_of("g"), "Empty", "and the group is Empty");
	call_free(k);
	bench_down();
}

static void
test_static(void)
{
	struct call *a, *b, *k;
	char old[128];

	bench_up();
	a = join_begin((struct who){.instance = "i1"});
	ok(a->told == 0, "a static member joins at once");
	pass_ms(3100);
	ok(a->told == 1 && strncmp(a->member, "i1-", 3) == 0, "its id begins with its own");
	k = sync_begin("g", a->member, 1, (const char *const[]){a->member, "x", NULL}, 5);
	settle();
	call_free(k);
	strcpy(old, a->member);
	is_int(heartbeat("g", old, "i1", 1), 0, "it is alive by both");
	is_int(heartbeat("g", "other", "i1", 1), ERR_FENCED_INSTANCE_ID, "another is fenced");
	call_free(a);
	bench.hold = true;
	a = join_begin((struct who){.instance = "i1"});
	ok(a->told == 0, "who comes back without its id waits until its new one is in the log");
	release();
	ok(a->told == 1 && a->code == 0 && a->generation == 1 && strcmp(a->member, old) != 0,
	    "then it has a new one, in the same generation");
	ok(a->skip && a->members == 1 && strcmp(a->leader, a->member) == 0,
	    "a leader is told to skip the assignment");
	is_str(state_of("g"), "Stable", "nobody is disturbed");
	is_int(heartbeat("g", old, "i1", 1), ERR_FENCED_INSTANCE_ID, "the old id is fenced");
	is_int(join_code((struct who){.member = old, .instance = "i1"}), ERR_FENCED_INSTANCE_ID,
	    "everywhere");
	k = sync_begin("g", a->member, 1, NULL, 5);
	is_str(k->text, "x", "the new one has the old one's assignment");
	call_free(k);
	b = join_begin((struct who){.instance = "i1", .version = 5, .protocols = "range,roundrobin"});
	settle();
	ok(!b->skip && b->members == 0 && strcmp(b->leader, a->member) == 0,
	    "before version 9 it is told that its former self leads");
	call_free(a);
	a = join_begin((struct who){.instance = "i1", .protocols = "roundrobin"});
	settle();
	ok(a->told == 1 && a->generation == 2,
	    "one that changes the protocol brings a rebalance");
	call_free(a);
	call_free(b);
	bench_down();
}

static void
test_static_waiting(void)
{
	struct call *a, *b, *c, *k;

	bench_up();
	a = join_begin((struct who){.instance = "i1"});
	b = join_begin((struct who){.instance = "i1"});
	ok(a->told == 1 && a->code == ERR_FENCED_INSTANCE_ID && a->protocol_null,
	    "who waits is fenced by who comes with its name");
	pass_ms(6100);
	ok(b->told == 1 && b->code == 0 && b->generation == 1, "who goes on in its place");
	c = join_begin((struct who){.instance = "i1"});
	settle();
	ok(c->told == 1 && c->generation == 2, "before the assignment it brings a rebalance");
	call_free(a);
	call_free(b);
	k = leave_begin("g", "", "i2", 3);
	is_int(k->codes[0], ERR_UNKNOWN_MEMBER_ID, "nobody removes who is not there");
	call_free(k);
	k = leave_begin("g", "other", "i1", 3);
	is_int(k->codes[0], ERR_FENCED_INSTANCE_ID, "nor with a wrong id");
	call_free(k);
	k = leave_begin("g", "", "i1", 3);
	settle();
	ok(k->told == 1 && k->codes[0] == 0, "an administrator removes a static member by its name");
	is_str(state_of("g"), "Empty", "it is gone");
	call_free(k);
	call_free(c);

	make_stable_as("h", 1, (struct who){.instance = NULL});
	a = join_begin((struct who){.group = "h", .instance = "s"});
	k = join_begin((struct who){.group = "h", .member = ids[0]});
	ok(a->told == 1 && k->told == 1, "static and dynamic members share a group");
	call_free(k);
	k = join_begin((struct who){.group = "h", .member = ids[0], .topic = "x", .rebalance_ms = 7000,
	        .session_ms = 100000});
	pass_ms(9900);
	ok(k->told == 0, "one that does not come back is waited for");
	pass_ms(51000);
	ok(k->told == 1, "until its session or the rebalance ends");
	call_free(k);
	call_free(a);

	/* Members of this group wait for others not a millisecond. */
	make_stable_as("n", 1, (struct who){.instance = "s"});
	a = join_two((struct who){.group = "n", .rebalance_ms = -1});
	b = join_begin((struct who){.group = "n", .member = ids[0], .instance = "s", .rebalance_ms = -1});
	ok(b->told == 1 && b->generation == 2, "all that are known are there");
	call_free(sync_begin("n", b->leader, 2, (const char *const[]){ids[0], "x", NULL}, 5));
	call_free(sync_begin("n", strcmp(b->leader, ids[0]) == 0 ? a->member : ids[0], 2, NULL, 5));
	settle();
	call_free(leave_begin("n", a->member, NULL, 3));
	pass_ms(2000);
	is_str(state_of("n"), "PreparingRebalance",
	    "a group whose only member is away waits for it, at its leisure");
	pass_ms(60000);
	is_str(state_of("n"), "Empty", "until its session ends");
	call_free(a);
	call_free(b);
	bench_down();
}

static void
test_max_size(void)
{
	struct call *a, *b;

	bench_up();
	bench.config.group_max_size = 1;
	make_stable("g", 1);
	is_int(join_code((struct who){0}), ERR_GROUP_MAX_SIZE_REACHED, "a full group takes nobody");
	a = join_begin((struct who){.member = ids[0]});
	ok(a->told == 1 && a->code == 0, "but who is in");
	call_free(a);
	a = join_begin((struct who){.group = "h", .instance = "1"});
	b = join_begin((struct who){.group = "h", .instance = "2"});
	ok(b->told == 1 && b->code == ERR_GROUP_MAX_SIZE_REACHED,
	    "in a rebalance those who wait are counted");
	call_free(a);
	call_free(b);
	bench_down();
}

static void
test_votes(void)
{
	struct call *a, *b, *c;

	bench_up();
	a = join_two((struct who){.protocols = "range,roundrobin,sticky"});
	b = join_two((struct who){.protocols = "roundrobin,range"});
	c = join_two((struct who){.protocols = "sticky,roundrobin,range"});
	pass_ms(6100);
	is_str(a->protocol, c->protocol, "all are told one protocol");
	ok(strcmp(a->protocol, "sticky") != 0, "one that all have");
	call_free(a);
	call_free(b);
	call_free(c);
	a = join_two((struct who){.group = "h", .protocols = "range,roundrobin"});
	b = join_two((struct who){.group = "h", .protocols = "roundrobin,range"});
	c = join_two((struct who){.group = "h", .protocols = "roundrobin,range"});
	pass_ms(6100);
	is_str(a->protocol, "roundrobin", "the one with the most first votes");
	call_free(a);
	call_free(b);
	call_free(c);
	bench_down();
}

static void
test_abandoned(void)
{
	struct call *a, *b, *s;

	bench_up();
	a = join_two((struct who){0});
	b = join_two((struct who){0});
	ok(groups_abandon(&b->c), "a connection ends while its join waits");
	pass_ms(6100);
	ok(b->told == 0 && a->told == 1 && a->members == 2, "the member stays, as in Kafka");
	s = sync_begin("g", a->member, 1, NULL, 5);
	ok(!groups_abandon(&a->c), "an answered call has nothing to abandon");
	settle();
	call_free(s);
	heartbeat("g", a->member, NULL, 1);
	pass_ms(9000);
	heartbeat("g", a->member, NULL, 1);
	pass_ms(1100);
	is_str(state_of("g"), "PreparingRebalance", "until its session ends");
	call_free(a);
	call_free(b);
	bench_down();
}

/* A client may have sent its next request already: it is answered from within. */
static struct call *next_call;

static void
leave_from_within(struct groups_call *c, const void *response)
{
	const struct join_group_response *r = response;
	struct call *k = c->ctx;
	struct leave_group_request *l;
	static struct leave_group_request_member one;

	join_told(c, r);
	next_call = call_new(3);
	l = arena_alloc(&next_call->arena, sizeof(*l));
	wire_init(&wire_leave_group_request, l);
	l->group_id = wire_str_of("g");
	one = (struct leave_group_request_member){
	    .member_id = wire_str_of(k->member), .group_instance_id = wire_str_null()};
	l->members.items = &one;
	l->members.count = 1;
	next_call->c.done = leave_told;
	groups_leave(bench.gs, &next_call->c, l);
	ok(next_call->told == 0, "what an answer brings waits for its turn");
}

static void
test_nested(void)
{
	struct call *a, *b;

	bench_up();
	a = join_two((struct who){0});
	b = join_two((struct who){0});
	a->c.done = leave_from_within;
	pass_ms(6100);
	ok(b->told == 1 && b->generation == 1, "all are told of the generation first");
	ok(next_call->told == 1 && next_call->codes[0] == 0, "then one leaves");
	is_str(state_of("g"), "PreparingRebalance", "and there is another rebalance");
	call_free(a);
	call_free(b);
	call_free(next_call);
	bench_down();
}

static void
test_resigned(void)
{
	struct call *a, *b, *k, *o;

	bench_up();
	a = join_two((struct who){0});
	make_stable("h", 1);
	bench.hold = true;
	o = commit_begin((struct commit){.group = "h", .member = ids[0], .generation = 1, .offset = 3});
	b = join_two((struct who){.group = "h"});
	for (int i = 0; i < PARTITIONS; i++)
		groups_resigned(bench.gs, i);
	ok(b->told == 1 && b->code == ERR_NOT_COORDINATOR,
	    "who waits is told that the coordinator is another");
	ok(o->told == 1 && o->code == ERR_NOT_COORDINATOR, "who commits, too");
	release();
	ok(o->told == 1, "once");
	for (int i = 0; i < PARTITIONS; i++)
		groups_elected(bench.gs, i);
	k = join_begin((struct who){0});
	is_int(k->code, ERR_COORDINATOR_LOAD_IN_PROGRESS, "while groups are loaded clients wait");
	is_int(heartbeat("g", "m", NULL, 1), 0, "but a heartbeat is a good one");
	call_free(k);
	settle();
	k = join_begin((struct who){0});
	is_int(k->code, ERR_MEMBER_ID_REQUIRED, "then they go on");
	call_free(k);
	call_free(a);
	call_free(b);
	call_free(o);
	bench_down();
}

int
main(void)
{
	test_first_join();
	test_initial_delay();
	test_join_errors();
	test_sync();
	test_sync_failed();
	test_heartbeat();
	test_rejoin();
	test_sync_expiration();
	test_sync_expiration_static();
	test_protocols();
	test_pending();
	test_leave();
	test_static();
	test_static_waiting();
	test_max_size();
	test_votes();
	test_abandoned();
	test_nested();
	test_resigned();
	return tap_done();
}
