/*
 * groups: hostile records in __consumer_offsets, and hostile files of members.
 * Listing, reading and deleting groups come to an end; what is committed
 * afterwards is read back.
 *
 * Input: which call fails; records: flags in a byte, then key and value as parts; or
 * member files: the flag, the file's name behind "mq.member." and its content as parts.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz.h"
#include "store/groups_impl.h"

#define INPUT_MAX 8192
#define PART "s/" OFFSETS_TOPIC "-0"

enum {
	RECORD_PRODUCER = 3,
	RECORD_TXN = 4,
	RECORD_CONTROL = 8,
	RECORD_TOMBSTONE = 16,
	RECORD_ENDS = 32,
	RECORD_MEMBER = 64,
	RECORD_RAW = 128, /* the key is bytes that are batches, repaired */
};

/* A store with two topics, made once. */
static struct sim_disk *
fresh_disk(void)
{
	static struct sim_disk *made;
	static char topic[] = "t", note[] = "";
	struct group_offset first = {.topic = topic, .metadata = note};
	struct store_topic_spec t = {.name = "t", .partitions = 2},
				offsets = {.name = OFFSETS_TOPIC, .partitions = 1};
	struct store_options options;
	struct machine m;
	struct store *s;
	struct err err;

	if (made == NULL) {
		machine_init(&m, NULL);
		store_options_default(&options);
		options.create = true;
		s = store_open(m.os, "s", &options, &err);
		if (s == NULL || store_create_topic(s, &t, &err) == -1 ||
		    store_create_topic(s, &offsets, &err) == -1)
			abort();
		/* A commit makes the partition's directory; the hint is of its log. */
		if (group_commit(s, "g", &first, 1, &err) == -1 ||
		    os_remove(m.os, PART "/mq.tail") == -1)
			abort();
		store_free(s);
		os_free(m.os);
		made = m.disk;
	}
	return sim_clone(made);
}

/* --- the log --------------------------------------------------------------------- */

struct log {
	struct buf bytes;
	struct batch_builder bb;
	int records;
};

static void
end_batch(struct log *l)
{
	struct batch b;
	struct err err;

	if (l->records > 0 && batch_builder_finish(&l->bb, &b, &err) == 0)
		buf_put(&l->bytes, b.bytes, (size_t)b.size);
	batch_builder_reset(&l->bb);
	l->records = 0;
}

static void
put_record(struct log *l, uint8_t flags, struct slice key, struct slice value)
{
	int16_t attributes = (flags & RECORD_TXN ? BATCH_TRANSACTIONAL : 0) |
	    (flags & RECORD_CONTROL ? BATCH_CONTROL : 0);
	struct record rec = {.timestamp = 1700000000000,
	    .key = key.data,
	    .key_size = (int32_t)key.len,
	    .value = value.data,
	    .value_size = flags & RECORD_TOMBSTONE ? -1 : (int32_t)value.len};
	struct err err;

	if (l->records > 0 &&
	    (l->bb.head.attributes != attributes ||
		l->bb.head.producer_id != (flags & RECORD_PRODUCER) - 1))
		end_batch(l);
	l->bb.head.attributes = attributes;
	l->bb.head.producer_id = (flags & RECORD_PRODUCER) - 1;
	if (batch_builder_add(&l->bb, &rec, &err) == 0)
		l->records++;
	if (flags & RECORD_ENDS)
		end_batch(l);
}

/* A member's file lives as long as `os`, another process, holds its lock. */
static void
put_member(struct machine *m, struct os *os, struct slice name, struct slice content)
{
	char *text = fuzz_string(name), path[512];
	int fd;

	if (strlen(text) > 0 && strlen(text) < 200 && strchr(text, '/') == NULL) {
		snprintf(path, sizeof(path), PART "/mq.member.%s", text);
		machine_write(m, path, content);
		fd = os_open(os, path, OS_WRITE);
		if (fd != -1 && name.len % 7 != 0)
			(void)os_lock(os, fd, OS_LOCK_EXCLUSIVE);
	}
	free(text);
}

static void
disk_fill(struct machine *m, struct os *other, struct cursor *c)
{
	struct log l = {.records = 0};

	batch_builder_init(&l.bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	while (cursor_left(c) > 0) {
		uint8_t flags = fuzz_byte(c);
		struct slice key = fuzz_part(c), value;

		if (flags & RECORD_RAW) {
			end_batch(&l);
			buf_put(&l.bytes, key.data, key.len);
			continue;
		}
		value = fuzz_part(c);
		if (flags & RECORD_MEMBER)
			put_member(m, other, key, value);
		else
			put_record(&l, flags, key, value);
	}
	end_batch(&l);
	batch_builder_release(&l.bb);
	fuzz_repair_batches(l.bytes.data, l.bytes.len, 0,
	    REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	machine_write(m, PART "/00000000000000000000.log", (struct slice){l.bytes.data, l.bytes.len});
	buf_release(&l.bytes);
}

/* --- use --------------------------------------------------------------------------- */

struct names {
	char *v[8];
	size_t count;
};

static int
take_name(void *ctx, const char *group)
{
	struct names *n = ctx;

	if (n->count < 8 && (n->v[n->count] = strdup(group)) != NULL)
		n->count++;
	return 0;
}

static void
look_at(struct store *s, const char *group)
{
	struct group_members members;
	struct group_offsets offsets;
	struct err err;

	if (group_committed(s, group, &offsets, &err) == 0) {
		for (size_t i = 0; i < offsets.count; i++) {
			const struct group_offset *o = &offsets.list[i];
			int64_t got = group_offsets_get(&offsets, o->topic, o->partition);

			assert(o->metadata != NULL && o->topic != NULL);
			assert(got == (o->known ? o->offset : GROUP_OFFSET_UNKNOWN));
		}
		group_offsets_release(&offsets);
	}
	if (group_members(s, group, &members, &err) == 0) {
		for (size_t i = 0; i < members.count; i++)
			fuzz_touch(members.list[i].client_id,
			    (int64_t)strlen(members.list[i].client_id));
		for (int p = 0; p < 3; p++)
			assert(assign_range(&members, "t", p, 3) < (int)members.count);
		group_members_release(&members);
	}
}

static void
commit(struct machine *m, struct store *s, const char *group)
{
	static char topic[] = "t", note[] = "note";
	struct group_offset o = {.topic = topic, .partition = 1, .offset = 77, .leader_epoch = 0,
	    .commit_time_ms = 5, .metadata = note};
	struct group_offsets now;
	struct err err;

	/* What a newer version wrote is refused before and after. */
	if (group_committed(s, group, &now, &err) == -1)
		return;
	group_offsets_release(&now);
	if (group_commit(s, group, &o, 1, &err) == -1)
		return;
	if (group_committed(s, group, &now, &err) == -1) {
		if (!machine_failed(m))
			fuzz_fail(&err);
		return;
	}
	assert(group_offsets_get(&now, "t", 1) == 77 || machine_failed(m));
	group_offsets_release(&now);
	if (group_delete_offsets(s, group, &o, 1, &err) == 0 &&
	    group_committed(s, group, &now, &err) == 0) {
		assert(group_offsets_get(&now, "t", 1) < 0 || machine_failed(m));
		group_offsets_release(&now);
	}
}

static void
use(struct machine *m)
{
	struct names names = {.count = 0};
	struct store_options options;
	struct store *s;
	struct err err;
	bool damaged;

	store_options_default(&options);
	options.lock_wait_ms = 0;
	s = store_open(m->os, "s", &options, &err);
	if (s == NULL) {
		assert(machine_failed(m));
		return;
	}
	group_list(s, take_name, &names, &damaged, &err);
	look_at(s, "g");
	commit(m, s, "g");
	for (size_t i = 0; i < names.count; i++) {
		look_at(s, names.v[i]);
		if (i > 0)
			commit(m, s, names.v[i]);
		group_delete(s, names.v[i], &err);
		free(names.v[i]);
	}
	store_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	struct machine m;
	struct os *other;
	uint16_t fail;

	if (size > INPUT_MAX)
		return 0;
	machine_init(&m, fresh_disk());
	other = sim_os_new(m.disk, 2);
	fail = fuzz_u16(&c);
	disk_fill(&m, other, &c);
	machine_fail(&m, fail);
	use(&m);
	os_free(other);
	machine_release(&m);
	return 0;
}
