/* Committed offsets of groups: who may commit, what is told, what outlives a crash, what
 * goes and when; groups that are described, listed, deleted. */
#include "base/error.h"
#include "mqd_groups_test.h"

static const struct uuid id_a = {{1}}, id_b = {{2}};

static struct call *
member_of(const char *group, const char *topic)
{
	struct call *k = join_two((struct who){.group = group, .topic = topic}), *s;

	pass_ms(3100);
	s = sync_begin(group, k->member, k->generation, NULL, 5);
	settle();
	call_free(s);
	return k;
}

static int
delete_group(const char *group)
{
	struct call *k = call_new(2);
	int code;

	k->c.done = code_told;
	groups_delete(bench.gs, &k->c, wire_str_of(group));
	settle();
	code = k->told == 1 ? k->code : -1000;
	call_free(k);
	return code;
}

static int
delete_offset(const char *group, const char *topic, int32_t partition)
{
	struct call *k = call_new(0);
	struct groups_delete_item i = {.topic = wire_str_of(topic), .partition = partition};
	int code;

	k->c.done = code_told;
	groups_delete_offsets(bench.gs, &k->c, wire_str_of(group), &i, 1);
	settle();
	code = k->told != 1 ? -1000 : k->code != 0 ? k->code : i.code;
	call_free(k);
	return code;
}

static int
list(const char *state, const char *type, char *first)
{
	struct wire_str s = wire_str_of(state), t = wire_str_of(type);
	struct list_groups_request r;
	struct list_groups_response out;
	struct arena a;
	int count;

	wire_init(&wire_list_groups_request, &r);
	r.states_filter.items = &s;
	r.states_filter.count = state != NULL;
	r.types_filter.items = &t;
	r.types_filter.count = type != NULL;
	arena_init(&a, 0);
	groups_list(bench.gs, &a, &r, &out);
	count = out.error_code != 0 ? -out.error_code : out.groups.count;
	if (count > 0)
		take_text(first, 64, out.groups.items[0].group_id);
	arena_release(&a);
	return count;
}

static void
test_simple(void)
{
	struct groups_offset o;
	struct call *k;

	bench_up();
	is_int(offset_of("g", "t", 0), -1, "nothing was committed");
	bench.hold = true;
	k = commit_begin((struct commit){.offset = 7, .metadata = "here"});
	settle();
	ok(k->told == 0, "a commit is answered when it is in the log");
	is_int(offset_of("g", "t", 0), -1, "and seen then, not before");
	release();
	ok(k->told == 1 && k->code == 0, "then");
	call_free(k);
	groups_offset(bench.gs, wire_str_of("g"), wire_str_of("t"), &uuid_zero, 0, &o);
	ok(o.offset == 7 && o.leader_epoch == -1 && o.metadata.len == 4 &&
	        memcmp(o.metadata.data, "here", 4) == 0,
	    "offset and metadata are as they were given");
	is_str(state_of("g"), "Empty", "the group is a simple one");
	is_int(commit((struct commit){.generation = 5, .offset = 8, .group = "no"}),
	    ERR_GROUP_ID_NOT_FOUND, "a member of no group cannot commit");
	is_int(commit((struct commit){.generation = 5, .offset = 8, .group = "no", .version = 8}),
	    ERR_ILLEGAL_GENERATION, "said otherwise before version 9");
	is_int(commit((struct commit){.generation = 5, .offset = 8}), ERR_UNKNOWN_MEMBER_ID,
	    "nor one that an empty group does not know");
	is_int(commit((struct commit){.member = "m", .offset = 9}), 0,
	    "without a generation anybody may, while it is empty");
	is_int(offset_of("g", "t", 0), 9, "and does");
	bench.fail = ERR_MESSAGE_TOO_LARGE;
	is_int(commit((struct commit){.offset = 10}), ERR_UNKNOWN_SERVER_ERROR,
	    "what cannot be written is an error");
	is_int(offset_of("g", "t", 0), 9, "and is not committed");
	bench.fail = ERR_NOT_ENOUGH_REPLICAS;
	is_int(commit((struct commit){.offset = 10}), ERR_COORDINATOR_NOT_AVAILABLE,
	    "one that clients know to retry");
	bench_down();
}

static void
test_metadata_limit(void)
{
	char text[5000];

	bench_up();
	memset(text, 'x', sizeof(text));
	text[4097] = '\0';
	is_int(commit((struct commit){.offset = 1, .metadata = text}), ERR_OFFSET_METADATA_TOO_LARGE,
	    "metadata has a limit");
	is_int(offset_of("g", "t", 0), -1, "above which nothing is committed");
	text[4096] = '\0';
	is_int(commit((struct commit){.offset = 1, .metadata = text}), 0, "up to which it is");
	for (int i = 0; i < 4096; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	is_int(commit((struct commit){.offset = 2, .metadata = text}), 0, "in characters");
	bench_down();
}

static void
test_members(void)
{
	struct call *m, *k;

	bench_up();
	m = member_of("g", "t");
	is_int(commit((struct commit){.member = m->member, .generation = 1, .offset = 5}), 0,
	    "a member commits in its generation");
	is_int(commit((struct commit){.member = m->member, .generation = 2, .offset = 6}),
	    ERR_ILLEGAL_GENERATION, "not in another");
	is_int(commit((struct commit){.member = "x", .generation = 1, .offset = 6}),
	    ERR_UNKNOWN_MEMBER_ID, "a stranger does not");
	is_int(commit((struct commit){.offset = 6}), ERR_UNKNOWN_MEMBER_ID,
	    "nor somebody without a generation");
	is_int(commit((struct commit){.member = m->member, .offset = 6}), ERR_ILLEGAL_GENERATION,
	    "not even a member");
	is_int(commit((struct commit){.member = m->member, .generation = 1, .instance = "i"}),
	    ERR_UNKNOWN_MEMBER_ID, "nor as a static member that is not there");
	pass_ms(9000);
	is_int(commit((struct commit){.member = m->member, .generation = 1, .offset = 7}), 0,
	    "a commit is a sign of life");
	pass_ms(9000);
	is_str(state_of("g"), "Stable", "as good as a heartbeat");
	k = join_begin((struct who){.member = m->member, .topic = "t"});
	is_int(commit((struct commit){.member = m->member, .generation = 2, .offset = 8}),
	    ERR_REBALANCE_IN_PROGRESS, "before its assignment is known nobody commits");
	call_free(k);
	call_free(m);
	bench_down();
}

static void
test_static_commit(void)
{
	struct call *m, *s;

	bench_up();
	m = join_begin((struct who){.instance = "i"});
	pass_ms(3100);
	s = sync_begin("g", m->member, 1, NULL, 5);
	settle();
	is_int(commit((struct commit){.member = "x", .instance = "i", .generation = 1}),
	    ERR_FENCED_INSTANCE_ID, "who lost its name to another cannot commit");
	is_int(commit((struct commit){.member = m->member, .instance = "i", .generation = 1}), 0,
	    "who has it can");
	call_free(s);
	call_free(m);
	bench_down();
}

static void
test_restart(void)
{
	struct call *m, *k;

	bench_up();
	commit((struct commit){.group = "simple", .offset = 3, .partition = 2, .metadata = "md"});
	commit((struct commit){.group = "simple", .offset = 4, .topic = "u", .topic_id = id_a});
	m = member_of("g", "t");
	commit((struct commit){.member = m->member, .generation = 1, .offset = 11});
	delete_offset("simple", "u", 0);
	bench_restart();
	is_int(offset_of("simple", "t", 2), 3, "what was committed is there after a restart");
	is_int(offset_of("simple", "u", 0), -1, "what was deleted is not");
	is_int(offset_of("g", "t", 0), 11, "members' offsets, too");
	is_str(state_of("g"), "Stable", "and members");
	is_int(heartbeat("g", m->member, NULL, 1), 0, "which go on as if nothing had been");
	k = sync_begin("g", m->member, 1, NULL, 5);
	is_int(k->code, 0, "with their assignment");
	call_free(k);
	pass_ms(9900);
	is_str(state_of("g"), "Stable", "their sessions begin anew");
	pass_ms(200);
	is_str(state_of("g"), "Empty", "and end");
	is_int(offset_of("g", "t", 0), 11, "offsets outlive them");
	bench_restart();
	is_str(state_of("g"), "Empty", "also the next restart");
	is_int(offset_of("g", "t", 0), 11, "with all");
	k = join_two((struct who){0});
	pass_ms(3100);
	is_int(k->generation, 3, "generations go on");
	call_free(k);
	call_free(m);
	bench_down();
}

static void
test_damage(void)
{
	bench_up();
	for (int i = 1; i <= 3; i++)
		commit((struct commit){.offset = i});
	for (int i = 0; i < PARTITIONS; i++)
		if (bench.log[i].len > 0)
			bench.log[i].data[bench.log[i].len / 2] ^= 1;
	bench_restart();
	is_int(commit((struct commit){.offset = 9}), ERR_NOT_COORDINATOR,
	    "a log that rotted is not served from: offsets would go back");
	is_int(commit((struct commit){.group = "other-3", .offset = 9}), 0, "others are");
	bench_down();
}

static void
test_topic_ids(void)
{
	struct groups_offset o;

	bench_up();
	commit((struct commit){.offset = 5, .topic_id = id_a});
	ok(groups_offset(bench.gs, wire_str_of("g"), wire_str_of("t"), &id_a, 0, &o),
	    "an offset is that of a topic");
	ok(!groups_offset(bench.gs, wire_str_of("g"), wire_str_of("t"), &id_b, 0, &o) &&
	        o.offset == -1,
	    "and of no other that took its name");
	ok(groups_offset(bench.gs, wire_str_of("g"), wire_str_of("t"), &uuid_zero, 0, &o),
	    "who knows names only gets it");
	groups_topic_deleted(bench.gs, wire_str_of("t"), &id_b);
	settle();
	is_int(offset_of("g", "t", 0), 5, "it stays when another of that name goes");
	groups_topic_deleted(bench.gs, wire_str_of("t"), &id_a);
	settle();
	is_int(offset_of("g", "t", 0), -1, "it goes with its topic");
	bench_restart();
	is_int(offset_of("g", "t", 0), -1, "for good");
	bench_down();
}

static struct call *fetch;

static void
test_stable_fetch(void)
{
	struct call *k;

	bench_up();
	bench.hold = true;
	k = commit_begin((struct commit){.offset = 5});
	fetch = call_new(8);
	fetch->c.done = code_told;
	groups_fetch(bench.gs, &fetch->c, wire_str_of("g"), true);
	ok(fetch->told == 0, "a fetch of what is stable waits for what is being written");
	release();
	ok(fetch->told == 1 && fetch->code == 0, "and no longer");
	is_int(offset_of("g", "t", 0), 5, "and has it");
	call_free(fetch);
	fetch = call_new(8);
	fetch->c.done = code_told;
	groups_fetch(bench.gs, &fetch->c, wire_str_of("nobody"), true);
	ok(fetch->told == 1 && fetch->code == 0, "a group that is not there has no offsets");
	call_free(fetch);
	call_free(k);
	bench_down();
}

static void
test_expiry(void)
{
	struct call *m;

	bench_up();
	commit((struct commit){.group = "simple", .offset = 1});
	commit((struct commit){.group = "early", .offset = 1, .retention_ms = 1000, .version = 2});
	commit((struct commit){.group = "ever", .offset = 1, .retention_ms = INT64_MAX, .version = 2});
	commit((struct commit){.group = "mixed", .offset = 1, .retention_ms = 1000, .version = 2});
	commit((struct commit){.group = "mixed", .offset = 2, .partition = 1});
	m = member_of("g", "t");
	commit((struct commit){.group = "g", .member = m->member, .generation = 1, .offset = 1});
	commit((struct commit){.group = "g", .member = m->member, .generation = 1, .offset = 1,
	    .topic = "unsubscribed"});
	pass_ms(600000);
	is_int(offset_of("early", "t", 0), -1, "an offset with a time of its own goes by it");
	is_str(state_of("early"), "Dead", "and the group with its last one");
	is_str(state_of("g"), "Empty", "(by now a group of members is without)");
	is_int(offset_of("mixed", "t", 1), 2, "what has none stays");
	is_int(offset_of("mixed", "t", 0), -1, "the other goes");
	call_free(m);

	pass_ms(1000);
	sim_advance_ms(bench.disk, 7 * 86400000LL - 1300000);
	settle();
	is_int(offset_of("simple", "t", 0), 1, "a simple group's offsets stay for the retention");
	is_int(offset_of("ever", "t", 0), 1, "one that is to stay for ever does");
	sim_advance_ms(bench.disk, 700000);
	settle();
	pass_ms(700000);
	is_int(offset_of("simple", "t", 0), -1, "and go then");
	is_int(offset_of("g", "t", 0), -1, "those of a group that has been empty so long, too");
	bench_restart();
	is_int(offset_of("simple", "t", 0), -1, "for good");
	is_str(state_of("g"), "Dead", "with the group");
	bench_down();
}

static void
test_expiry_subscribed(void)
{
	struct call *m;

	bench_up();
	bench.config.offsets_retention_ms = 20000;
	bench.config.offsets_retention_check_ms = 5000;
	bench_restart();
	m = member_of("g", "t");
	commit((struct commit){.member = m->member, .generation = 1, .offset = 1});
	commit((struct commit){.member = m->member, .generation = 1, .offset = 1, .topic = "u"});
	for (int i = 0; i < 5; i++) {
		pass_ms(5000);
		heartbeat("g", m->member, NULL, 1);
	}
	is_int(offset_of("g", "t", 0), 1, "while somebody subscribes to a topic its offsets stay");
	is_int(offset_of("g", "u", 0), -1, "those of others go");
	is_int(delete_offset("g", "t", 0), ERR_GROUP_SUBSCRIBED_TO_TOPIC,
	    "nobody deletes the offset of a topic that is subscribed to");
	is_int(delete_offset("g", "u", 0), 0, "but of another");
	is_int(delete_offset("no", "u", 0), ERR_GROUP_ID_NOT_FOUND, "of a group that is there");
	is_int(delete_offset("", "u", 0), ERR_INVALID_GROUP_ID, "and has a name");
	call_free(m);
	bench_down();
}

static void
test_delete_group(void)
{
	struct call *m, *k;

	bench_up();
	commit((struct commit){.group = "a", .offset = 1});
	m = member_of("g", "t");
	is_int(delete_group("no"), ERR_GROUP_ID_NOT_FOUND, "a group that is not there is not deleted");
	is_int(delete_group("g"), ERR_NON_EMPTY_GROUP, "nor one with members");
	is_int(delete_group("a"), 0, "one without is");
	is_str(state_of("a"), "Dead", "and is gone");
	is_int(delete_group("a"), ERR_GROUP_ID_NOT_FOUND, "once");
	bench_restart();
	is_int(offset_of("a", "t", 0), -1, "for good");
	commit((struct commit){.group = "a", .offset = 4});
	bench.fail = ERR_KAFKA_STORAGE_ERROR;
	is_int(delete_group("a"), ERR_NOT_COORDINATOR, "what cannot be written does not happen");
	bench.fail = 0;
	is_int(offset_of("a", "t", 0), 4, "and all is as before");
	bench.hold = true;
	k = commit_begin((struct commit){.group = "new", .offset = 1});
	release();
	is_int(delete_group("new"), 0, "a group that was just made, too");
	call_free(k);
	call_free(m);
	bench_down();
}

static void
test_describe(void)
{
	struct describe_groups_response_group g;
	struct call *m;
	struct arena a;
	char name[64];

	bench_up();
	arena_init(&a, 0);
	groups_describe(bench.gs, &a, 5, wire_str_of("no"), &g);
	ok(g.error_code == 0 && g.group_state.len == 4, "a group that is not there is Dead");
	groups_describe(bench.gs, &a, 6, wire_str_of("no"), &g);
	ok(g.error_code == ERR_GROUP_ID_NOT_FOUND && g.error_message.len == 19 &&
	        memcmp(g.error_message.data, "Group no not found.", 19) == 0,
	    "from version 6 on with an error");
	m = member_of("g", "t");
	groups_describe(bench.gs, &a, 6, wire_str_of("g"), &g);
	ok(g.members.count == 1 && g.members.items[0].member_metadata.len > 0 &&
	        g.protocol_data.len == 5 && g.protocol_type.len == 8,
	    "a Stable one shows members, protocol and subscriptions");
	commit((struct commit){.group = "s", .offset = 1});
	is_int(list(NULL, NULL, name), 2, "all groups are listed");
	is_int(list("stable", NULL, name), 1, "or those in a state, in any case");
	is_str(name, "g", "which is that one");
	is_int(list("Empty", "Classic", name), 1, "and of a type");
	is_int(list(NULL, "consumer", name), 0, "of which there may be none");
	is_int(list("nonsense", NULL, name), 0, "nor of a state that is none");
	call_free(m);
	arena_release(&a);
	bench_down();
}

static void
test_many(void)
{
	char name[32];

	bench_up();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "group-%d", i);
		commit((struct commit){.group = name, .offset = i});
	}
	for (int i = 99; i >= 0; i--)
		commit((struct commit){.group = "wide", .offset = i, .partition = i});
	bench_restart();
	is_int(offset_of("group-777", "t", 0), 777, "a thousand groups are loaded");
	ok(offset_of("wide", "t", 0) == 0 && offset_of("wide", "t", 99) == 99,
	    "and many partitions of one");
	ok(groups_idle_bytes(1) <= 320, "an idle group takes at most 320 bytes, and its name");
	printf("# idle: %zu bytes, and %zu a partition more\n", groups_idle_bytes(1),
	    groups_idle_bytes(2) - groups_idle_bytes(1));
	bench_down();
}

int
main(void)
{
	test_simple();
	test_metadata_limit();
	test_members();
	test_static_commit();
	test_restart();
	test_damage();
	test_topic_ids();
	test_stable_fetch();
	test_expiry();
	test_expiry_subscribed();
	test_delete_group();
	test_describe();
	test_many();
	return tap_done();
}
