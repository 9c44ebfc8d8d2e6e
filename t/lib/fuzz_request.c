/* Requests along their schemas. */
#include "lib/fuzz_request.h"

#include <assert.h>
#include <string.h>

#include "log/batch.h"
#include "wire/table.h"

#define ITEMS_MAX 300 /* of all arrays together */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct maker {
	struct cursor *c;
	const struct fuzz_facts *facts;
	struct arena *a;
	int version;
	int items;
	bool waits;
};

/* --- numbers ------------------------------------------------------------------------ */

/* Stand for what is in the facts. */
enum {
	THE_GENERATION = -1000001,
	THE_PRODUCER = -1000002,
	THE_EPOCH = -1000003,
	THE_SESSION = -1000004,
	THE_DEFAULT = -1000005,
};

#define NUMBERS_MAX 12
static const struct numbers {
	const char *name; /* the field's, or its end behind a '*' */
	size_t count;
	int64_t values[NUMBERS_MAX];
} numbers[] = {
    {"acks", 5, {-1, 1, 0, 2, -2}},
    {"replica_id", 4, {THE_DEFAULT, -1, 1, 0}},
    {"*_wait_ms", 6, {0, 500, 1, -1, FUZZ_WAIT_MS, INT32_MAX}},
    {"session_timeout_ms", 6, {10000, 6000, 30000, 0, -1, INT32_MAX}},
    {"rebalance_timeout_ms", 6, {10000, 1, 30000, 0, -1, INT32_MAX}},
    {"*timeout_ms", 6, {1000, 0, 1, FUZZ_WAIT_MS, -1, INT32_MAX}},
    {"min_bytes", 5, {1, 0, 1000, -1, INT32_MAX}},
    {"*max_bytes", 6, {1 << 20, 0, 1, 100, -1, INT32_MAX}},
    {"generation_id*", 5, {THE_GENERATION, -1, 0, 1, INT32_MAX}},
    {"member_epoch", 3, {THE_GENERATION, -1, 0}},
    {"producer_id", 4, {-1, THE_PRODUCER, 0, INT64_MAX}},
    {"producer_epoch", 5, {-1, THE_EPOCH, 0, INT16_MAX, -2}},
    {"session_id", 3, {0, THE_SESSION, 1}},
    {"session_epoch", 6, {-1, 0, 1, 2, INT32_MAX, -2}},
    {"timestamp", 10,
	{-1, -2, -3, 1700000000000, 0, -4, -5, -6, INT64_MAX, INT64_MIN}},
    {"*_leader_epoch", 5, {-1, 0, 1, 2, INT32_MAX}},
    {"leader_epoch", 5, {0, -1, 1, 2, INT32_MAX}},
    {"last_fetched_epoch", 4, {-1, 0, 1, INT32_MAX}},
    {"committed_offset", 5, {3, 0, -1, INT64_MAX, INT64_MIN}},
    {"*offset", 8, {0, 1, 4, 5, 100, -1, INT64_MAX, INT64_MIN}},
    {"num_partitions", 7, {1, -1, 2, 0, 5, -2, INT32_MAX}},
    {"count", 7, {3, 2, 1, 0, -1, 10, INT32_MAX}},
    {"replication_factor", 5, {1, -1, 2, 0, INT16_MAX}},
    {"resource_type*", 6, {2, 4, 8, 32, 16, 0}},
    {"config_operation", 5, {0, 1, 2, 3, 4}},
    {"key_type", 4, {0, 1, 2, -1}},
    {"broker_ids", 3, {1, 2, -1}},
    {"isolation_level", 3, {0, 1, 2}},
    {"partition*", 6, {0, 1, 2, -1, INT32_MAX, INT32_MIN}},
    {"index", 5, {0, 1, 2, -1, INT32_MAX}},
    {"", 9, {THE_DEFAULT, 0, 1, -1, 2, 100, INT32_MAX, INT64_MAX, INT64_MIN}},
};

/* A pattern may have a '*' at one end. */
static bool
is_named(const char *name, const char *pattern)
{
	size_t len = strlen(pattern), name_len = strlen(name);

	if (len > 0 && pattern[0] == '*')
		return name_len >= len - 1 && strcmp(name + name_len - (len - 1), pattern + 1) == 0;
	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(name, pattern, len - 1) == 0;
	return len == 0 || strcmp(name, pattern) == 0;
}

static int64_t
make_int(struct maker *m, const struct wire_field *f)
{
	const struct numbers *n = numbers;
	uint8_t pick = fuzz_byte(m->c);
	int64_t v;

	while (!is_named(f->name, n->name))
		n++;
	v = n->values[pick % n->count];
	if (strstr(f->name, "_ms") != NULL && v > FUZZ_WAIT_MS)
		m->waits = true;
	switch (v) {
	case THE_GENERATION:
		return m->facts->generation;
	case THE_PRODUCER:
		return m->facts->producer_id;
	case THE_EPOCH:
		return m->facts->producer_epoch;
	case THE_SESSION:
		return m->facts->session;
	case THE_DEFAULT:
		return f->default_int;
	default:
		return v;
	}
}

/* --- strings ------------------------------------------------------------------------ */

#define NOTHING "\1null" /* where it may be */
#define MEMBER "\1member"

static const char *const topics[] = {"t", "u", "new", "__consumer_offsets", "", "other", "..",
    "__cluster_metadata", "a/b", "1"};
static const char *const groups[] = {"g", "h", "", "t"};
static const char *const members[] = {MEMBER, "", "nobody"};
static const char *const instances[] = {NOTHING, "i", "j", ""};
static const char *const resources[] = {
    "t", "1", "u", "", "2", "g", "__consumer_offsets", "x", "..", "a/b"};
static const char *const keys[] = {"retention.ms", "cleanup.policy", "min.insync.replicas",
    "flush.messages", "segment.bytes", "max.message.bytes", "compression.type",
    "message.timestamp.type", "log.retention.ms", "log.cleaner.threads", "node.id",
    "num.partitions", "no.such.key", "flush.ms", "retention.bytes", "segment.ms",
    "consumer.session.timeout.ms", "message.timestamp.before.max.ms", "delete.retention.ms",
    "min.cleanable.dirty.ratio", "preallocate", "leader.replication.throttled.replicas",
    "share.auto.offset.reset", "match", "interval.ms", "root", "min.compaction.lag.ms",
    "max.compaction.lag.ms", "remote.storage.enable", "compression.gzip.level"};
static const char *const values[] = {"1", "-1", "compact", "delete", "compact,delete", "1048576",
    "0", "LogAppendTime", "gzip", "", NOTHING, "9223372036854775807", "x", "uncompressed", "2",
    "0.5", "true", "0:1,1:1", "latest", "INFO", "client_id=x", "5000", "100000000000000000000"};
static const char *const protocols[] = {"range", "roundrobin", ""};
static const char *const protocol_types[] = {"consumer", "connect", ""};
static const char *const transactions[] = {NOTHING, "x", ""};
static const char *const words[] = {NOTHING, "", "Stable", "Empty", "classic", "reason"};

static const struct strings {
	const char *in;   /* part of the struct's name */
	const char *name; /* as in `numbers` */
	const char *const *values;
	size_t count;
} strings[] = {
    {"config", "name", keys, COUNT(keys)},
    {"", "configuration_keys", keys, COUNT(keys)},
    {"", "value", values, COUNT(values)},
    {"protocol", "name", protocols, COUNT(protocols)},
    {"", "protocol_name", protocols, COUNT(protocols)},
    {"", "protocol_type", protocol_types, COUNT(protocol_types)},
    {"", "resource_name", resources, COUNT(resources)},
    {"", "transactional_id", transactions, COUNT(transactions)},
    {"", "group_instance_id", instances, COUNT(instances)},
    {"", "member_id", members, COUNT(members)},
    {"", "group*", groups, COUNT(groups)},
    {"", "key", groups, COUNT(groups)},
    {"", "coordinator_keys", groups, COUNT(groups)},
    {"", "topic*", topics, COUNT(topics)},
    {"", "name", topics, COUNT(topics)},
    {"", "", words, COUNT(words)},
};

static struct wire_str
make_str(struct maker *m, const struct wire_struct *in, const struct wire_field *f)
{
	const struct strings *s = strings;
	uint8_t pick = fuzz_byte(m->c);
	const char *text;

	/* Any other text. */
	if (pick == 255) {
		size_t len = fuzz_byte(m->c);
		struct slice rest = fuzz_rest(m->c);

		len = len < rest.len ? len : rest.len;
		*m->c = cursor_of(rest.data + len, rest.len - len);
		return wire_str_of_mem((const char *)rest.data, len);
	}
	if (pick == 254) {
		static char longest[WIRE_STRING_MAX];

		memset(longest, 'l', sizeof(longest));
		return wire_str_of_mem(longest, (fuzz_byte(m->c) & 1) ? 249 : sizeof(longest));
	}
	while (strstr(in->name, s->in) == NULL || !is_named(f->name, s->name))
		s++;
	text = s->values[pick % s->count];
	if (strcmp(text, NOTHING) == 0)
		return wire_range_has(f->nullable, m->version) && !f->array ? wire_str_null()
									     : wire_str_of("");
	return wire_str_of(strcmp(text, MEMBER) == 0 ? m->facts->member : text);
}

/* --- bytes --------------------------------------------------------------------------- */

/* Of topic "t": a subscription, an assignment. */
static const char subscription[] = "\0\1\0\0\0\1\0\1t\xff\xff\xff\xff\0\0\0\0";
static const char assignment[] = "\0\0\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\xff\xff\xff\xff";

static struct wire_bytes
make_bytes(struct maker *m, const struct wire_field *f)
{
	uint8_t pick = fuzz_byte(m->c);
	struct slice part;

	if (pick % 4 == 0)
		return strcmp(f->name, "assignment") == 0
		    ? wire_bytes_of(assignment, sizeof(assignment) - 1)
		    : wire_bytes_of(subscription, sizeof(subscription) - 1);
	if (pick % 4 == 1)
		return wire_bytes_of("", 0);
	part = fuzz_part(m->c);
	return wire_bytes_of(part.data, part.len);
}

enum {
	BATCH_EDIT = 1, /* bytes of it, the checksum made good again */
	BATCH_RAW = 2, /* records out of the input */
	BATCH_TWICE = 4,
	BATCH_CUT_SHORT = 8,
	BATCH_UNSEALED = 16,
	BATCH_IS_TXN = 32,
	BATCH_SEQUENCE = 64, /* one that does not follow */
};

static void
edit(struct maker *m, uint8_t *bytes, size_t len)
{
	for (int i = 1 + fuzz_byte(m->c) % 4; i > 0; i--) {
		size_t at = fuzz_u16(m->c) % len;

		bytes[at] = fuzz_byte(m->c);
	}
}

/* Again a batch, as far as lengths, magic and checksum tell. */
static void
reseal(uint8_t *bytes, size_t len)
{
	struct batch b;

	bytes[16] = BATCH_MAGIC;
	be32_put(bytes + 8, (uint32_t)(len - BATCH_PREFIX));
	if (batch_view(bytes, len, &b) == BATCH_OK)
		batch_seal(bytes, &b);
}

static void
fill(struct maker *m, struct batch_builder *bb, uint8_t shape)
{
	struct err err;

	for (int i = 0; i <= (shape >> 3) % 4; i++) {
		struct record rec = {.timestamp = 1700000000000 + i,
		    .key = (const uint8_t *)"k",
		    .key_size = shape & 0x80 ? 1 : -1,
		    .value = (const uint8_t *)"value",
		    .value_size = shape & 0x40 ? -1 : 5};

		assert(batch_builder_add(bb, &rec, &err) == 0);
	}
	if (shape & 0x20) {
		bb->head.producer_id = m->facts->producer_id;
		bb->head.producer_epoch = (int16_t)m->facts->producer_epoch;
		bb->head.base_sequence = m->facts->sequence;
	}
}

static struct wire_bytes
make_records(struct maker *m)
{
	uint8_t shape = fuzz_byte(m->c), how = fuzz_byte(m->c);
	struct batch_builder bb;
	struct batch b;
	struct err err;
	struct slice raw = {NULL, 0};
	uint8_t *out;
	size_t len;

	batch_builder_init(&bb, (enum codec)(shape % 8 % 5), CODEC_LEVEL_DEFAULT);
	fill(m, &bb, shape);
	if (how & BATCH_IS_TXN)
		bb.head.attributes |= BATCH_TRANSACTIONAL;
	if (how & BATCH_SEQUENCE)
		bb.head.base_sequence = (int8_t)fuzz_byte(m->c);
	if (batch_builder_finish(&bb, &b, &err) == -1) {
		batch_builder_release(&bb);
		return wire_bytes_of("", 0);
	}
	if (how & BATCH_RAW)
		raw = fuzz_part(m->c);
	len = (how & BATCH_RAW) ? BATCH_HEADER + raw.len : (size_t)b.size;
	out = arena_alloc(m->a, 2 * len);
	memcpy(out, b.bytes, (how & BATCH_RAW) ? BATCH_HEADER : len);
	if (raw.len > 0)
		memcpy(out + BATCH_HEADER, raw.data, raw.len);
	batch_builder_release(&bb);
	if (how & BATCH_EDIT)
		edit(m, out, len);
	if (!(how & BATCH_UNSEALED))
		reseal(out, len);
	if (how & BATCH_TWICE) {
		memcpy(out + len, out, len);
		len *= 2;
	}
	if (how & BATCH_CUT_SHORT)
		len = fuzz_u16(m->c) % (len + 1);
	return wire_bytes_of(out, len);
}

/* --- along the schema ------------------------------------------------------------------ */

static void make_struct(struct maker *m, const struct wire_struct *s, void *msg);

static void
make_item(struct maker *m, const struct wire_struct *in, const struct wire_field *f, void *at)
{
	struct wire_bytes bytes;
	struct wire_str str;
	uint8_t pick;

	switch (f->type) {
	case WIRE_STRUCT:
		wire_init_struct(f->fields, at);
		make_struct(m, f->fields, at);
		break;
	case WIRE_STRING:
		str = make_str(m, in, f);
		memcpy(at, &str, sizeof(str));
		break;
	case WIRE_RECORDS:
	case WIRE_BYTES:
		bytes = f->type == WIRE_BYTES ? make_bytes(m, f) : make_records(m);
		memcpy(at, &bytes, sizeof(bytes));
		break;
	case WIRE_UUID:
		pick = fuzz_byte(m->c) % 5;
		memset(at, pick == 3 ? 0 : 'u', sizeof(struct uuid));
		if (pick < 3)
			memcpy(at, &m->facts->topics[pick], sizeof(struct uuid));
		break;
	case WIRE_BOOL:
		*(bool *)at = ((fuzz_byte(m->c) & 1) != 0) != (f->default_int != 0);
		break;
	default:
		wire_put_int((enum wire_type)f->type, (uint64_t)make_int(m, f), at);
		break;
	}
}

/* Arrays that a plain request leaves empty. */
static bool
is_rare(const struct wire_field *f)
{
	static const char *const names[] = {"forgotten_topics_data", "assignments", "states_filter",
	    "types_filter", "resource_types"};

	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(f->name, names[i]) == 0)
			return f->type != WIRE_STRUCT || strcmp(f->fields->name,
			    "sync_group_request_assignment") != 0;
	return false;
}

static void
make_array(struct maker *m, const struct wire_struct *in, const struct wire_field *f, void *at)
{
	static const int counts[] = {1, 0, 2, 3, 40};
	size_t size = wire_item_size(f);
	struct wire_array array;
	uint8_t pick = fuzz_byte(m->c);

	array.count = counts[(is_rare(f) ? pick + 1 : pick) % (int)COUNT(counts)];
	if (pick == 255 && wire_range_has(f->nullable, m->version))
		array.count = -1;
	if (m->items + array.count > ITEMS_MAX || cursor_done(m->c))
		array.count = array.count > 1 ? 1 : array.count;
	m->items += array.count > 0 ? array.count : 0;
	array.items = arena_array(m->a, array.count > 0 ? (size_t)array.count : 0, size);
	for (int32_t i = 0; i < array.count; i++)
		make_item(m, in, f, (char *)array.items + (size_t)i * size);
	memcpy(at, &array, sizeof(array));
}

static void
make_struct(struct maker *m, const struct wire_struct *s, void *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (!wire_range_has(f->versions, m->version))
			continue;
		/* Tagged: at its default for most clients. */
		if (f->tag >= 0 && (fuzz_byte(m->c) & 1) == 0)
			continue;
		if (f->array) {
			make_array(m, s, f, wire_at_mut(f, msg));
			continue;
		}
		if (f->type == WIRE_STRUCT && wire_range_has(f->nullable, m->version)) {
			bool *null = (bool *)((char *)msg + f->null_offset);

			*null = (fuzz_byte(m->c) & 1) == 0;
			if (*null)
				continue;
		}
		make_item(m, s, f, wire_at_mut(f, msg));
	}
}

void *
fuzz_request(struct cursor *c, const struct fuzz_facts *facts, const struct api *api, int version,
    struct arena *a, bool *waits)
{
	struct maker m = {.c = c, .facts = facts, .a = a, .version = version};
	void *msg = arena_alloc(a, api->request->body->size);

	wire_init(api->request, msg);
	make_struct(&m, api->request->body, msg);
	*waits = *waits || m.waits;
	return msg;
}
