/* Groups of a store: committed offsets, members, claims. */
#include "store/groups.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/os_real.h"
#include "os/os_sim.h"
#include "store/records.h"
#include "tap.h"

static struct store_options options;

static struct store *
open_store(struct os *os, const char *dir)
{
	struct err err = {0};
	struct store *s = store_open(os, dir, &options, &err);

	if (s == NULL)
		printf("# open: %s\n", err.text);
	return s;
}

static void
create(struct store *s, const char *topic, int32_t partitions)
{
	struct store_topic_spec spec = {.name = topic, .partitions = partitions};
	struct err err;

	if (store_create_topic(s, &spec, &err) == -1)
		printf("# create: %s\n", err.text);
}

static int
commit(struct store *s, const char *group, const char *topic, int32_t partition, int64_t offset)
{
	struct group_offset o = {.topic = (char *)(uintptr_t)topic,
	    .partition = partition,
	    .offset = offset,
	    .leader_epoch = 0,
	    .commit_time_ms = 7,
	    .metadata = (char *)(uintptr_t) "note"};
	struct err err = {0};

	if (group_commit(s, group, &o, 1, &err) == 0)
		return 0;
	return err.code;
}

static int64_t
committed(struct store *s, const char *group, const char *topic, int32_t partition)
{
	struct group_offsets o;
	struct err err;
	int64_t offset;

	if (group_committed(s, group, &o, &err) == -1) {
		printf("# committed: %s\n", err.text);
		return -2;
	}
	offset = group_offsets_get(&o, topic, partition);
	group_offsets_release(&o);
	return offset;
}

static char listed[512];

static int
take_group(void *ctx, const char *group)
{
	(void)ctx;
	snprintf(listed + strlen(listed), sizeof(listed) - strlen(listed), "%s,", group);
	return 0;
}

static const char *
groups(struct store *s)
{
	struct err err;
	bool damaged;

	listed[0] = '\0';
	if (group_list(s, take_group, NULL, &damaged, &err) == -1)
		return err_name(err.code);
	return listed;
}

static void
test_offsets(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1), *other = sim_os_new(disk, 2);
	struct store *s = open_store(os, "store"), *o = open_store(other, "store");
	struct group_offset two[2] = {{.topic = (char *)(uintptr_t) "t", .partition = 0}};
	struct group_offsets all;
	struct err err;

	create(s, "t", 3);
	is_int(committed(s, "g", "t", 0), -1, "at first nothing is committed");
	is_str(groups(s), "", "and there is no group");
	is_int(commit(s, "g", "t", 0, 5), 0, "an offset is committed");
	is_int(committed(s, "g", "t", 0), 5, "and read back");
	is_int(committed(o, "g", "t", 0), 5, "by another process too");
	is_int(commit(o, "g", "t", 0, 9), 0, "which commits another");
	commit(o, "g", "t", 2, 1);
	commit(s, "group-\xc3\xa9", "t", 1, 3);
	is_int(committed(s, "g", "t", 0), 9, "the last one counts");
	is_int(committed(s, "g", "t", 1), -1, "another group's does not");
	is_str(groups(s), "g,group-\xc3\xa9,", "groups are listed by name");
	group_committed(s, "g", &all, &err);
	ok(all.count == 2 && strcmp(all.list[0].metadata, "note") == 0 &&
	       all.list[0].commit_time_ms == 7 && all.list[1].partition == 2,
	    "all of a group's offsets come sorted, with what was said of them");
	group_offsets_release(&all);
	is_int(commit(s, "", "t", 0, 1), ERR_INVALID_GROUP_ID, "a group must have a name");
	is_int(commit(s, "\xff", "t", 0, 1), ERR_INVALID_GROUP_ID, "in UTF-8");

	is_int(group_delete_offsets(s, "g", two, 1, &err), 0, "one offset is deleted");
	is_int(committed(s, "g", "t", 0), -1, "and gone");
	is_int(committed(s, "g", "t", 2), 1, "the others stay");
	is_int(group_delete(s, "g", &err), 0, "a group is deleted");
	is_int(committed(s, "g", "t", 2), -1, "with all it had");
	is_int(group_delete(s, "g", &err), -1, "once");
	is_int(err.code, ERR_GROUP_ID_NOT_FOUND, "then it is not known");
	is_str(groups(s), "group-\xc3\xa9,", "nor listed");

	store_delete_topic(s, "t", &err);
	create(s, "t", 3);
	is_int(committed(s, "group-\xc3\xa9", "t", 1), -1,
	    "an offset of a deleted topic is none of its successor's");
	store_free(s);
	store_free(o);
	is_int((intmax_t)(sim_os_open_count(os) + sim_os_open_count(other)), 0,
	    "no descriptor is left");
	os_free(os);
	os_free(other);
	sim_disk_free(disk);
}

/* Appends a commit of group "g" within a transaction, or a marker. */
static void
append_txn(struct store *s, int64_t producer_id, int64_t offset, int marker)
{
	struct offset_commit_key key;
	struct offset_commit_value value;
	struct end_txn_marker end;
	struct batch_builder bb;
	struct mlog_appended out;
	struct batch b;
	struct err err;
	int ret;

	batch_builder_init(&bb, CODEC_NONE, 0);
	bb.head.producer_id = producer_id;
	bb.head.producer_epoch = 0;
	bb.head.base_sequence = marker == -1 ? 0 : -1;
	bb.head.attributes = BATCH_TRANSACTIONAL;
	wire_init(&wire_offset_commit_key, &key);
	wire_init(&wire_offset_commit_value, &value);
	key.group = wire_str_of("g");
	key.topic = wire_str_of("t");
	value.offset = offset;
	wire_init(&wire_end_txn_marker, &end);
	if (marker == -1)
		ret = records_add_group(&bb, &wire_offset_commit_key, &key,
		    &wire_offset_commit_value, 3, &value, 1700000000000, &err);
	else
		ret = records_add_control(&bb, marker, &wire_end_txn_marker, &end, 1700000000000, &err);
	if (ret == 0)
		ret = batch_builder_finish(&bb, &b, &err);
	if (ret == 0)
		ret = store_append(s, "__consumer_offsets", group_partition("g", 50),
		    (uint8_t *)(uintptr_t)b.bytes, (size_t)b.size, &out, &err);
	if (ret == -1)
		printf("# %s\n", err.text);
	batch_builder_release(&bb);
}

static void
test_transactions(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os, "store");

	create(s, "t", 1);
	commit(s, "g", "t", 0, 1);
	append_txn(s, 7, 10, -1);
	is_int(committed(s, "g", "t", 0), 1, "an offset in an open transaction does not count yet");
	append_txn(s, 8, 20, -1);
	append_txn(s, 8, 0, CONTROL_ABORT);
	is_int(committed(s, "g", "t", 0), 1, "one in an aborted transaction never does");
	append_txn(s, 7, 0, CONTROL_COMMIT);
	is_int(committed(s, "g", "t", 0), 10, "one in a committed transaction does");
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_transaction_order(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os, "store");
	struct group_offset one = {.topic = (char *)(uintptr_t) "t"};
	struct err err;

	create(s, "t", 1);
	commit(s, "g", "t", 0, 1);
	append_txn(s, 7, 10, -1);
	commit(s, "g", "t", 0, 30);
	append_txn(s, 7, 0, CONTROL_COMMIT);
	is_int(committed(s, "g", "t", 0), 30,
	    "a commit written behind a transaction's stays the newest when that ends");
	append_txn(s, 7, 40, -1);
	is_int(group_delete_offsets(s, "g", &one, 1, &err), 0, "an offset is deleted");
	append_txn(s, 7, 0, CONTROL_COMMIT);
	is_int(committed(s, "g", "t", 0), -1, "and with it what an open transaction had of it");
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

/* Another group whose offsets lie in the same partition. */
static const char *
neighbour(const char *group)
{
	static char name[32];

	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		if (group_partition(name, 50) == group_partition(group, 50))
			return name;
	}
}

/* Gives the batch at `offset` of g's partition a codec that nobody knows, or bad
 * bytes. */
static void
damage(struct store *s, int64_t offset, bool codec)
{
	struct reader *r;
	int64_t base, position;
	uint8_t bytes[512];
	char path[128];
	struct batch b;
	struct err err;
	uint32_t crc;
	int fd;

	r = store_reader(s, "__consumer_offsets", group_partition("g", 50), &err);
	if (r == NULL || reader_seek(r, offset, &err) == -1 || reader_next(r, &b, &err) != 1) {
		printf("# %s\n", err.text);
		return;
	}
	reader_position(r, &base, &position);
	memcpy(bytes, b.bytes, (size_t)b.size);
	bytes[22] = (uint8_t)(bytes[22] | (codec ? 7 : 1));
	crc = crc32c(0, bytes + 21, (size_t)b.size - 21);
	for (int i = 0; i < 4 && codec; i++)
		bytes[17 + i] = (uint8_t)(crc >> (24 - 8 * i));
	snprintf(path, sizeof(path), "%s/%020lld.log",
	    store_partition_dir(s, "__consumer_offsets", group_partition("g", 50)),
	    (long long)base);
	fd = os_open(store_os(s), path, OS_WRITE);
	if (os_write_at(store_os(s), fd, bytes, (size_t)b.size, position) == -1)
		printf("# not damaged\n");
	os_close(store_os(s), fd);
	reader_free(r);
}

static void
test_damage(bool codec)
{
	const char *why = codec ? "of an unknown codec" : "with a bad checksum", *n;
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os, "store"), *o;
	struct group_offset one = {.topic = (char *)(uintptr_t) "t", .partition = 1};
	const struct group_offset *found;
	struct group_offsets all;
	struct err err;
	bool damaged;

	n = neighbour("g");
	create(s, "t", 3);
	commit(s, "g", "t", 0, 5);
	commit(s, n, "t", 0, 1);
	commit(s, "g", "t", 0, 9);
	commit(s, n, "t", 0, 2);
	commit(s, "g", "t", 1, 4);
	damage(s, 2, codec);
	o = open_store(os, "store");
	is_int(committed(o, "g", "t", 0), GROUP_OFFSET_UNKNOWN,
	    "behind a batch %s no older commit counts", why);
	is_int(committed(o, "g", "t", 1), 4, "one written later does");
	is_int(committed(o, "g", "t", 2), GROUP_OFFSET_UNKNOWN, "what is not there may be lost");
	is_int(committed(o, n, "t", 0), 2, "a group that has committed since goes on");
	group_committed(o, "g", &all, &err);
	found = group_offsets_find(&all, "t", 0);
	ok(found != NULL && !found->known && found->offset == 5 && all.damage != NULL &&
	       strstr(all.damage, "00000000000000000000.log: byte ") != NULL,
	    "the last that can be read is listed, and the damage: %s", all.damage);
	group_offsets_release(&all);
	listed[0] = '\0';
	ok(group_list(o, take_group, NULL, &damaged, &err) == 0 && damaged &&
	       strstr(listed, "g,") != NULL && strstr(listed, n) != NULL,
	    "groups are listed even so, and that some may be missing");
	commit(o, "g", "t", 0, 6);
	is_int(committed(o, "g", "t", 0), 6, "an offset that is committed anew counts");
	is_int(group_delete_offsets(o, "g", &one, 1, &err), 0, "one is deleted");
	is_int(committed(o, "g", "t", 1), -1, "and known to be");
	store_free(s);
	store_free(o);
	os_free(os);
	sim_disk_free(disk);
}

/* What one process has read, another cuts away and writes anew. */
static void
test_cut(void)
{
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os, "store"), *o;
	char path[128];
	struct os_stat st;
	int fd;

	create(s, "t", 1);
	commit(s, "g", "t", 0, 1);
	snprintf(path, sizeof(path), "%s/00000000000000000000.log",
	    store_partition_dir(s, "__consumer_offsets", group_partition("g", 50)));
	(void)os_stat_path(os, path, &st);
	commit(s, "g", "t", 0, 2);
	o = open_store(os, "store");
	is_int(committed(o, "g", "t", 0), 2, "two commits are read");
	store_free(s);
	fd = os_open(os, path, OS_WRITE);
	(void)os_truncate(os, fd, st.size);
	os_close(os, fd);
	snprintf(path, sizeof(path), "%s/mq.tail",
	    store_partition_dir(o, "__consumer_offsets", group_partition("g", 50)));
	(void)os_remove(os, path);
	is_int(committed(o, "g", "t", 0), 1, "the second is cut off: the first counts again");
	s = open_store(os, "store");
	is_int(commit(s, "g", "t", 0, 3), 0, "another takes its place");
	is_int(committed(o, "g", "t", 0), 3, "and is seen");
	store_free(s);
	store_free(o);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_assign(void)
{
	static char t[] = "t", u[] = "u";
	char *only_t[] = {t}, *both[] = {t, u};
	struct group_member list[3] = {{.id = "a", .topics = both, .topic_count = 2},
	    {.id = "b", .topics = only_t, .topic_count = 1},
	    {.id = "c", .topics = both, .topic_count = 2}};
	struct group_members m = {.list = list, .count = 3};
	int got[8];

	for (int i = 0; i < 8; i++)
		got[i] = assign_range(&m, "t", i, 8);
	ok(got[0] == 0 && got[2] == 0 && got[3] == 1 && got[5] == 1 && got[6] == 2 && got[7] == 2,
	    "8 partitions go to 3 members as 3, 3, 2");
	ok(assign_range(&m, "u", 0, 2) == 0 && assign_range(&m, "u", 1, 2) == 2,
	    "only who wants a topic gets of it");
	is_int(assign_range(&m, "v", 0, 1), -1, "what nobody wants nobody gets");
	is_int(assign_range(&m, "t", 2, 2), -1, "a partition that is not there neither");
	ok(assign_range(&m, "t", 1, 2) == 1, "more members than partitions leaves some idle");
}

/* Polls until nothing more happens; gives back what it should when told. Notes
 * events as +N and -N. */
static const char *
drain(struct sim_disk *disk, struct membership *m)
{
	static char text[256];
	struct membership_event ev;
	struct err err;
	int got;

	text[0] = '\0';
	if (disk != NULL)
		sim_advance_ms(disk, 300);
	while ((got = membership_poll(m, &ev, &err)) == 1) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%c%d",
		    ev.kind == MEMBER_ASSIGNED ? '+' : '-', ev.partition);
		if (ev.kind == MEMBER_REVOKE)
			membership_released(m, ev.topic, ev.partition);
	}
	return got == 0 ? text : err_name(err.code);
}

static void
test_members(void)
{
	static const char *const topics[] = {"t"};
	struct sim_disk *disk = sim_disk_new();
	struct os *os[2] = {sim_os_new(disk, 1), sim_os_new(disk, 2)};
	struct store *s[2] = {open_store(os[0], "store"), open_store(os[1], "store")};
	struct membership *a, *b, *first, *second;
	struct group_members all;
	struct membership_event ev;
	struct err err = {0};
	size_t held, waiting;

	create(s[0], "t", 4);
	a = membership_join(s[0], "my group", "client", topics, 1, &err);
	ok(a != NULL, "a member joins %s", err.text);
	is_str(drain(disk, a), "+0+1+2+3", "alone it gets all");
	group_members(s[1], "my group", &all, &err);
	ok(all.count == 1 && strcmp(all.list[0].client_id, "client") == 0 &&
	       all.list[0].topic_count == 1 && strcmp(all.list[0].topics[0], "t") == 0,
	    "others see it, and what it wants");
	group_members_release(&all);
	is_str(groups(s[1]), "my group,", "a group with a member is listed");
	is_int(group_delete(s[1], "my group", &err), -1, "and not deleted");
	is_int(err.code, ERR_NON_EMPTY_GROUP, "as Kafka says it");

	b = membership_join(s[1], "my group", "client", topics, 1, &err);
	store_refresh(s[1], &err);
	sim_advance_ms(disk, 300);
	is_int(membership_poll(b, &ev, &err), 0, "a second one waits for its share");
	membership_counts(b, &held, &waiting);
	ok(held == 0 && waiting == 2, "which the first still holds");
	first = strcmp(membership_id(a), membership_id(b)) < 0 ? a : b;
	second = first == a ? b : a;
	is_str(drain(disk, a), first == a ? "-2-3" : "-0-1", "until that gives up its surplus");
	is_str(drain(disk, b), first == b ? "+0+1" : "+2+3", "and then has it");
	is_str(drain(disk, a), "", "nothing more happens");
	(void)second;

	sim_os_kill(os[1]);
	is_str(drain(disk, a), first == a ? "+2+3" : "+0+1", "a killed member's share moves");
	group_members(s[0], "my group", &all, &err);
	is_int((intmax_t)all.count, 1, "it is no member any more");
	group_members_release(&all);
	store_add_partitions(s[0], "t", 5, &err);
	is_str(drain(disk, a), "+4", "a new partition is found");
	store_delete_topic(s[0], "t", &err);
	membership_counts(a, &held, &waiting);
	is_int((intmax_t)held, 5, "of a deleted topic");
	drain(disk, a);
	membership_counts(a, &held, &waiting);
	is_int((intmax_t)held, 0, "all is given up");
	membership_leave(a);
	membership_leave(b);
	is_str(groups(s[0]), "", "who leaves leaves nothing behind");
	store_free(s[0]);
	store_free(s[1]);
	os_free(os[0]);
	os_free(os[1]);
	sim_disk_free(disk);
}

/* A member's place among all, by id. */
static int
by_member_id(const void *a, const void *b)
{
	return strcmp(membership_id(*(struct membership *const *)a),
	    membership_id(*(struct membership *const *)b));
}

/* A dead member is noticed by the one before it; if that one is stopped, by the others. */
static void
test_stopped_before(void)
{
	static const char *const topics[] = {"t"};
	struct sim_disk *disk = sim_disk_new();
	struct os *os[3];
	struct store *s[3];
	struct membership *m[3], *order[3];
	size_t held, waiting;
	struct err err = {0};

	for (int i = 0; i < 3; i++) {
		os[i] = sim_os_new(disk, (uint64_t)i + 1);
		s[i] = open_store(os[i], "store");
		if (i == 0)
			create(s[0], "t", 6);
		m[i] = order[i] = membership_join(s[i], "g", "c", topics, 1, &err);
	}
	for (int i = 0; i < 9; i++)
		drain(disk, m[i % 3]);
	qsort(order, 3, sizeof(order[0]), by_member_id);
	for (int i = 0; i < 3; i++)
		if (m[i] == order[1])
			sim_os_kill(os[i]);
	for (int i = 0; i < 20; i++)
		drain(disk, order[2]);
	membership_counts(order[2], &held, &waiting);
	is_int((intmax_t)held, 3, "of a dead member and a stopped one the share of the dead is taken");
	for (int i = 0; i < 3; i++) {
		membership_leave(m[i]);
		store_free(s[i]);
		os_free(os[i]);
	}
	sim_disk_free(disk);
}

#define MANY 24

/* Lets all that live poll in turns; true once nothing more happens. Counts what
 * each holds. */
static bool
settle(struct sim_disk *disk, struct membership **m, size_t *held)
{
	size_t waiting;
	bool moved = true;

	for (int turn = 0; moved && turn < 100; turn++) {
		moved = false;
		for (int i = 0; i < MANY; i++)
			moved = (m[i] != NULL && drain(disk, m[i])[0] != '\0') || moved;
	}
	for (int i = 0; i < MANY; i++)
		if (m[i] != NULL)
			membership_counts(m[i], &held[i], &waiting);
	return !moved;
}

/* All join before any looks; then half are killed, whatever they hold. */
static void
test_many(void)
{
	static const char *const topics[] = {"t"};
	struct sim_disk *disk = sim_disk_new();
	struct membership *m[MANY], *alive[MANY];
	struct store *s[MANY];
	struct os *os[MANY];
	size_t held[MANY] = {0}, all = 0, most = 0;
	struct err err = {0};

	for (int i = 0; i < MANY; i++) {
		os[i] = sim_os_new(disk, (uint64_t)i + 1);
		s[i] = open_store(os[i], "store");
		if (i == 0)
			create(s[0], "t", 2 * MANY);
		m[i] = alive[i] = membership_join(s[i], "g", "c", topics, 1, &err);
	}
	ok(settle(disk, alive, held), "%d members that join at once settle", MANY);
	for (int i = 0; i < MANY; i++) {
		all += held[i];
		most = held[i] > most ? held[i] : most;
	}
	ok(all == 2 * MANY && most == 2, "each with its two partitions");
	for (int i = 0; i < MANY; i += 2) {
		sim_os_kill(os[i]);
		alive[i] = NULL;
		held[i] = 0;
	}
	ok(settle(disk, alive, held), "half of them killed, the others settle");
	all = 0;
	for (int i = 0; i < MANY; i++)
		all += held[i];
	is_int((intmax_t)all, 2 * MANY, "and hold all");
	for (int i = 0; i < MANY; i++) {
		membership_leave(m[i]);
		store_free(s[i]);
		os_free(os[i]);
	}
	sim_disk_free(disk);
}

/* A stopped process keeps what it holds; however long it was, it goes on by looking
 * again. One whose file was removed is told. */
static void
test_stopped(void)
{
	static const char *const topics[] = {"t"};
	struct sim_disk *disk = sim_disk_new();
	struct os *os[2] = {sim_os_new(disk, 1), sim_os_new(disk, 2)};
	struct store *s[2] = {open_store(os[0], "store"), open_store(os[1], "store")};
	struct membership *a, *b;
	struct membership_event ev;
	struct err err = {0};
	char path[160];

	create(s[0], "t", 2);
	a = membership_join(s[0], "g", "c", topics, 1, &err);
	is_str(drain(disk, a), "+0+1", "a member has all");
	b = membership_join(s[1], "g", "c", topics, 1, &err);
	sim_advance_ms(disk, 3600000);
	is_str(drain(disk, b), "", "while it is stopped, another gets nothing");
	commit(s[0], "g", "t", 0, 5);
	commit(s[0], "g", "t", 1, 6);
	drain(disk, a);
	is_int((intmax_t)strlen(drain(disk, b)), 2, "once it goes on, half");
	is_int(committed(s[1], "g", "t", 0) + committed(s[1], "g", "t", 1), 11,
	    "from where it came to");
	snprintf(path, sizeof(path), "%s/mq.member.g.%s",
	    store_partition_dir(s[0], "__consumer_offsets", group_partition("g", 50)),
	    membership_id(a));
	is_int(os_remove(os[1], path), 0, "somebody removes its file");
	sim_advance_ms(disk, 300);
	is_int(membership_poll(a, &ev, &err), -1, "then it ends");
	is_int(err.code, ERR_UNKNOWN_MEMBER_ID, "as no member");
	membership_leave(a);
	membership_leave(b);
	for (int i = 0; i < 2; i++) {
		store_free(s[i]);
		os_free(os[i]);
	}
	sim_disk_free(disk);
}

/* A real process that joins, takes what it gets, says so and waits to be killed. */
static void
child(const char *dir, int out)
{
	static const char *const topics[] = {"t"};
	struct err err = {0};
	struct os *os = os_real_new(&err);
	struct store *s = open_store(os, dir);
	struct membership *m = membership_join(s, "g", "child", topics, 1, &err);

	if (m == NULL)
		_exit(1);
	drain(NULL, m);
	if (write(out, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

struct removal {
	struct os *os;
	const char *dir;
};

/* Removes a name below a directory, and what is in it. */
static int
remove_name(void *ctx, const char *name)
{
	const struct removal *r = ctx;
	struct removal inner = {.os = r->os};
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	if (os_remove(r->os, path) == 0)
		return 0;
	inner.dir = path;
	(void)os_list(r->os, path, remove_name, &inner);
	return os_rmdir(r->os, path) == 0 ? 0 : 1;
}

static void
test_killed(void)
{
	static const char *const topics[] = {"t"};
	char dir[] = "/tmp/mq-groups-XXXXXX", store[64], c;
	struct removal all = {.dir = dir};
	int64_t before;
	struct membership *m;
	struct err err = {0};
	size_t held = 0, waiting;
	struct store *s;
	struct os *os;
	int fds[2];
	pid_t pid;

	if (mkdtemp(dir) == NULL || pipe(fds) == -1) {
		ok(false, "a directory and a pipe");
		return;
	}
	snprintf(store, sizeof(store), "%s/store", dir);
	os = os_real_new(&err);
	s = open_store(os, store);
	create(s, "t", 2);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(store, fds[1]);
	ok(pid > 0 && read(fds[0], &c, 1) == 1, "a process has all partitions of a group");
	m = membership_join(s, "g", "parent", topics, 1, &err);
	drain(NULL, m);
	membership_counts(m, &held, &waiting);
	ok(held == 0 && waiting == 1, "another gets none while that one lives and holds on");
	kill(pid, SIGKILL);
	before = os_mono_ns(os);
	while (held < 2 && os_mono_ns(os) - before < 5000000000LL) {
		os_turn(os, 50);
		drain(NULL, m);
		membership_counts(m, &held, &waiting);
	}
	before = (os_mono_ns(os) - before) / 1000000;
	ok(held == 2 && before < 1000, "it has them all %d ms after the kill", (int)before);
	waitpid(pid, NULL, 0);
	membership_leave(m);
	store_free(s);
	close(fds[0]);
	close(fds[1]);
	all.os = os;
	if (os_list(os, dir, remove_name, &all) != 0 || os_rmdir(os, dir) == -1)
		printf("# %s is left\n", dir);
	os_free(os);
}

/* A member's file has a limit, so that the other members can read it. */
static void
test_full(void)
{
	static const char *const topics[] = {"t"};
	struct sim_disk *disk = sim_disk_new();
	struct os *os = sim_os_new(disk, 1);
	struct store *s = open_store(os, "store");
	struct group_members all = {0};
	struct membership *m;
	struct err err = {0};
	char topic[250];
	int ret = 0;

	create(s, "t", 1);
	m = membership_join(s, "g", "c", topics, 1, &err);
	for (int i = 0; i < 5000 && ret == 0; i++) {
		snprintf(topic, sizeof(topic), "%0249d", i);
		ret = membership_add_topic(m, topic, &err);
	}
	is_int(ret, -1, "a member cannot share in any number of topics");
	is_int(err.code, ERR_TOO_LARGE, "but it is told");
	is_int(group_members(s, "g", &all, &err), 0, "and the others can read what it shares in");
	is_int((intmax_t)all.count, 1, "as that of a member");
	group_members_release(&all);
	membership_leave(m);
	store_free(s);
	os_free(os);
	sim_disk_free(disk);
}

int
main(void)
{
	store_options_default(&options);
	options.create = true;
	test_offsets();
	test_transactions();
	test_transaction_order();
	test_damage(true);
	test_damage(false);
	test_cut();
	test_assign();
	test_members();
	test_stopped_before();
	test_many();
	test_stopped();
	test_full();
	test_killed();
	return tap_done();
}
