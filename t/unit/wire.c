/* Records that are messages: golden bytes of Kafka's. */
#include "wire/record.h"

#include <stdlib.h>

#include "tap.h"

static struct arena arena;
static struct err err;

static struct slice
from_hex(const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *data = arena_alloc(&arena, len);

	for (size_t i = 0; i < len; i++) {
		const char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		data[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return (struct slice){data, len};
}

static const char *
to_hex(const struct buf *b)
{
	char *hex = arena_alloc(&arena, b->len * 2 + 1);

	for (size_t i = 0; i < b->len; i++)
		sprintf(hex + 2 * i, "%02x", b->data[i]);
	return hex;
}

static const char *
text_of(const struct wire_message *m, bool json)
{
	struct buf b = BUF_INIT;
	const char *text;

	if (m->data == NULL)
		return err.text;
	if (json)
		wire_message_print_json(m, &b);
	else
		wire_message_print(m, &b);
	text = arena_strdup(&arena, buf_cstr(&b));
	buf_release(&b);
	return text;
}

/* --- golden bytes ----------------------------------------------------------- */

static void
test_metadata_golden(void)
{
	const char *hex = "010c00116d657461646174612e76657273696f6e001e00";
	struct feature_level_record r, *got;
	struct wire_message m;
	struct buf b = BUF_INIT;

	wire_init(&wire_feature_level_record, &r);
	r.name = wire_str_of("metadata.version");
	r.feature_level = 30;
	is_int(metadata_record_encode(&wire_feature_level_record, 0, &r, &b, &err), 0, "encodes");
	is_str(to_hex(&b), hex, "FeatureLevel has Kafka's bytes");

	is_int(metadata_record_decode(from_hex(hex), &arena, &m, &err), 0, "and reads back");
	is_int(m.type, FEATURE_LEVEL_RECORD, "its type");
	got = m.data;
	ok(got->name.len == 16 && got->feature_level == 30, "its content");
	is_str(text_of(&m, false), "name=metadata.version feature_level=30", "its text");
	is_str(
	    text_of(&m, true), "{\"name\":\"metadata.version\",\"featureLevel\":30}", "its JSON");

	is_int(metadata_record_decode(from_hex("010c000161001e0000"), &arena, &m, &err), -1,
	    "a byte behind a metadata record is an error");
	is_int(metadata_record_decode(from_hex("020c000161001e00"), &arena, &m, &err), -1,
	    "so is another frame version");
	is_int(err.code, ERR_UNSUPPORTED_VERSION, "of that kind");
	is_int(metadata_record_decode(from_hex("016300"), &arena, &m, &err), -1, "an unknown type");
	ok(err.code == ERR_UNSUPPORTED_VERSION && m.type == 99 && m.schema == NULL, "says which");
	is_int(
	    metadata_record_decode(from_hex("010c09"), &arena, &m, &err), -1, "an unknown version");
	ok(err.code == ERR_UNSUPPORTED_VERSION && m.version == 9 && m.data == NULL, "says which");
	buf_release(&b);
}

static void
test_offset_golden(void)
{
	const char *key = "000100016700017400000000";
	const char *value = "00040000000000000005ffffffff01000000000000000700";
	struct offset_commit_key k;
	struct offset_commit_value v;
	struct wire_message m;
	struct buf b = BUF_INIT;

	wire_init(&wire_offset_commit_key, &k);
	k.group = wire_str_of("g");
	k.topic = wire_str_of("t");
	coordinator_key_encode(&wire_offset_commit_key, &k, &b, &err);
	is_str(to_hex(&b), key, "an offset commit's key has Kafka's bytes");
	is_int(
	    coordinator_key_decode(COORDINATOR_GROUP, from_hex(key), &arena, &m, &err), 0, "back");
	is_str(text_of(&m, true), "{\"group\":\"g\",\"topic\":\"t\",\"partition\":0}", "its JSON");

	wire_init(&wire_offset_commit_value, &v);
	v.offset = 5;
	v.commit_timestamp = 7;
	buf_clear(&b);
	coordinator_value_encode(&wire_offset_commit_value, 4, &v, &b, &err);
	is_str(to_hex(&b), value, "and so has its value v4");
	is_int(
	    coordinator_value_decode(COORDINATOR_GROUP, m.type, from_hex(value), &arena, &m, &err),
	    0, "back");
	is_str(text_of(&m, false), "offset=5 leader_epoch=-1 metadata=\"\" commit_timestamp=7",
	    "its text has no expire_timestamp, which only v1 has, nor the unset tag");
	buf_release(&b);
}

static void
test_group_golden(void)
{
	const char *value = "00030008636f6e73756d657200000001ffffffff000000000000000700000000";
	const char *member = "000001010263026802027401000000010101000100";
	struct group_metadata_value g;
	struct consumer_group_member_metadata_value v, *got;
	struct wire_str topic = wire_str_of("t");
	struct wire_message m;
	struct buf b = BUF_INIT;

	wire_init(&wire_group_metadata_value, &g);
	g.protocol_type = wire_str_of("consumer");
	g.generation = 1;
	g.protocol = g.leader = wire_str_null();
	g.current_state_timestamp = 7;
	coordinator_value_encode(&wire_group_metadata_value, 3, &g, &b, &err);
	is_str(to_hex(&b), value, "an empty classic group has Kafka's bytes");

	wire_init(&wire_consumer_group_member_metadata_value, &v);
	ok(!v.classic_member_metadata_is_null, "a member is classic by default");
	v.client_id = wire_str_of("c");
	v.client_host = wire_str_of("h");
	v.subscribed_topic_names.items = &topic;
	v.subscribed_topic_names.count = 1;
	v.rebalance_timeout_ms = 1;
	v.classic_member_metadata_is_null = true;
	buf_clear(&b);
	coordinator_value_encode(&wire_consumer_group_member_metadata_value, 0, &v, &b, &err);
	is_str(to_hex(&b), member, "a KIP-848 member has Kafka's bytes: null as a tagged field");

	is_int(coordinator_value_decode(COORDINATOR_GROUP, CONSUMER_GROUP_MEMBER_METADATA_VALUE,
		   from_hex(member), &arena, &m, &err),
	    0, "back");
	got = m.data;
	ok(got->classic_member_metadata_is_null && got->subscribed_topic_names.count == 1,
	    "with its null struct");
	is_int(coordinator_value_decode(COORDINATOR_GROUP, CONSUMER_GROUP_MEMBER_METADATA_VALUE,
		   from_hex("0000010102630268020274010000000101"
			    "00"),
		   &arena, &m, &err),
	    0, "without the tag");
	got = m.data;
	ok(!got->classic_member_metadata_is_null, "the struct is there, empty");
	is_int(coordinator_value_decode(
		   COORDINATOR_GROUP, 3, from_hex("00000000000100ff"), &arena, &m, &err),
	    0, "bytes behind a coordinator value are passed over");
	is_int(coordinator_key_decode(COORDINATOR_GROUP, from_hex("00"), &arena, &m, &err), -1,
	    "a key of one byte is an error");
	is_int(coordinator_value_decode(COORDINATOR_GROUP, 1, from_hex("0009"), &arena, &m, &err),
	    -1, "a value of an unknown version is one");
	buf_release(&b);
}

static void
test_transaction_golden(void)
{
	const char *v0 =
	    "0000000000000000000100000000ea6000ffffffff0000000000000009ffffffffffffffff";
	const char *v1 = "0001000000000000000100000000ea6000000000000000000009ffffffffffffffff00";
	struct transaction_log_value v;
	struct wire_message m;
	struct buf b = BUF_INIT;

	wire_init(&wire_transaction_log_value, &v);
	v.producer_id = 1;
	v.transaction_timeout_ms = 60000;
	v.transaction_partitions.count = -1;
	v.transaction_last_update_timestamp_ms = 9;
	v.transaction_start_timestamp_ms = -1;
	coordinator_value_encode(&wire_transaction_log_value, 0, &v, &b, &err);
	is_str(to_hex(&b), v0, "a transaction v0 has Kafka's bytes");
	buf_clear(&b);
	coordinator_value_encode(&wire_transaction_log_value, 1, &v, &b, &err);
	is_str(to_hex(&b), v1, "and v1");
	is_int(coordinator_value_decode(COORDINATOR_TXN, 0, from_hex(v1), &arena, &m, &err), 0,
	    "back");
	is_int(((struct transaction_log_value *)m.data)->transaction_partitions.count, -1,
	    "null partitions");

	v.client_transaction_version = 2;
	buf_clear(&b);
	is_int(coordinator_value_encode(&wire_transaction_log_value, 0, &v, &b, &err), -1,
	    "a value that v0 cannot hold is refused");
	ok(err.code == ERR_UNSUPPORTED_VERSION && b.len == 0, "and nothing is written");
	buf_release(&b);
}

static void
test_control(void)
{
	struct leader_change_message l, *got;
	struct leader_change_message_voter voters[2];
	struct end_txn_marker marker;
	struct wire_message m;
	struct buf b = BUF_INIT;

	control_key_encode(CONTROL_COMMIT, &b);
	is_str(to_hex(&b), "00000001", "a commit marker's key");
	is_int(control_key_decode(from_hex("00000001"), &err), CONTROL_COMMIT, "reads back");
	is_int(control_key_decode(from_hex("00000063"), &err), 99, "an unknown type is told");
	is_int(control_key_decode(from_hex("000000"), &err), -1, "a short key is an error");

	buf_clear(&b);
	wire_init(&wire_end_txn_marker, &marker);
	marker.coordinator_epoch = 3;
	control_value_encode(&wire_end_txn_marker, 0, &marker, &b, &err);
	is_str(to_hex(&b), "000000000003", "a marker's value");
	is_int(control_value_decode(CONTROL_ABORT, from_hex("0001000000030005"), &arena, &m, &err),
	    0, "one of a newer version is read as the newest known");
	is_int(((struct end_txn_marker *)m.data)->coordinator_epoch, 3, "its epoch");

	buf_clear(&b);
	wire_init(&wire_leader_change_message, &l);
	memset(voters, 0, sizeof(voters));
	voters[0].voter_id = 1;
	voters[1].voter_id = 2;
	l.leader_id = 1;
	l.voters.items = voters;
	l.voters.count = 2;
	l.granting_voters.items = voters;
	l.granting_voters.count = 1;
	control_value_encode(&wire_leader_change_message, 0, &l, &b, &err);
	is_str(to_hex(&b),
	    "000000000001"
	    "03"
	    "0000000100"
	    "0000000200"
	    "02"
	    "0000000100"
	    "00",
	    "LeaderChange v0 is bare, its version its first field");
	is_int(control_value_decode(
		   CONTROL_LEADER_CHANGE, (struct slice){b.data, b.len}, &arena, &m, &err),
	    0, "it reads back");
	got = m.data;
	ok(got->voters.count == 2 && got->voters.items[1].voter_id == 2, "with its voters");
	is_str(text_of(&m, false),
	    "version=0 leader_id=1 voters=[{voter_id=1},{voter_id=2}] "
	    "granting_voters=[{voter_id=1}]",
	    "its text");
	buf_release(&b);
}

int
main(void)
{
	arena_init(&arena, 0);
	test_metadata_golden();
	test_offset_golden();
	test_group_golden();
	test_transaction_golden();
	test_control();
	arena_release(&arena);
	return tap_done();
}
