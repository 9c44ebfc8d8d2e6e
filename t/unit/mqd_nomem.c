/*
 * A broker whose memory fails while it serves a request of each API. The one who asked
 * gets an answer, or its connection ends. Afterwards the broker goes on. After a crash,
 * or a stop, and another start, things are as before the request, or as after it, and as
 * after it where the answer had no error.
 */
#include "mqd_nomem_test.h"

static struct wire_str a_name;

/* --- an answer ----------------------------------------------------------------------- */

static bool
has_error(const struct wire_struct *s, const void *msg)
{
	for (uint16_t i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];
		struct wire_array a = {NULL, 0};
		int16_t code;

		if (f->type == WIRE_INT16 && strcmp(f->name, "error_code") == 0) {
			memcpy(&code, wire_at(f, msg), sizeof(code));
			if (code != 0)
				return true;
		}
		if (f->type != WIRE_STRUCT)
			continue;
		if (f->array)
			a = wire_array_at(f, msg);
		else if (!wire_struct_is_null(f, msg) && has_error(f->fields, wire_at(f, msg)))
			return true;
		for (int32_t n = 0; n < a.count; n++)
			if (has_error(f->fields,
				(const char *)a.items + (size_t)n * wire_item_size(f)))
				return true;
	}
	return false;
}

/* Memory fails at call `at` of what follows, and comes back. True: so far it came. */
static bool
ask_and_fail(struct run *r, int key, int version, const void *msg, unsigned at, bool lasts)
{
	int64_t until;
	const void *out;
	bool failed;

	client_send(r->c, key, version, msg);
	while (r->c->stream.unsent > 0 && os_turn(r->w.os, 0) != -1)
		;
	fuzz_memory_fail(at, lasts);
	until = os_mono_ns(r->w.os) + STICKY_MS * 1000000LL;
	while (r->c->count == r->c->taken && !r->c->closed && os_mono_ns(r->w.os) < until)
		if (os_turn(r->w.os, 1000) == -1)
			break;
	failed = fuzz_memory_failed();
	fuzz_memory_hold();
	until = os_mono_ns(r->w.os) + ANSWER_MS * 1000000LL;
	while (r->c->count == r->c->taken && !r->c->closed && os_mono_ns(r->w.os) < until)
		if (os_turn(r->w.os, 1000) == -1)
			break;
	r->answered = r->c->count > r->c->taken || r->c->closed;
	out = r->c->count > r->c->taken ? client_take(r->c) : NULL;
	r->good = out != NULL && !has_error(api_find(key)->response->body, out);
	return failed;
}

/* --- scenes --------------------------------------------------------------------------- */

static void
join(struct run *r)
{
	(void)ask(r, 11, 3, plain(r, 11, 3));
}

static void
join_and_sync(struct run *r)
{
	join(r);
	(void)ask(r, 14, 4, plain(r, 14, 4));
}

static void
open_session(struct run *r)
{
	struct fetch_request *in = plain(r, 1, 17);

	in->session_epoch = 0;
	(void)ask(r, 1, 17, in);
}

static void
in_session(struct run *r, void *msg)
{
	struct fetch_request *in = msg;

	in->session_id = r->facts.session;
	in->session_epoch = 1;
	in->topics.items[0].topic_id = r->facts.topics[1];
}

static void
new_session(struct run *r, void *msg)
{
	(void)r;
	((struct fetch_request *)msg)->session_epoch = 0;
}

static void
waiting(struct run *r, void *msg)
{
	struct fetch_request *in = msg;

	(void)r;
	in->max_wait_ms = 500;
	in->min_bytes = 1 << 20;
}

static void
by_time(struct run *r, void *msg)
{
	(void)r;
	((struct list_offsets_request *)msg)->topics.items[0].partitions.items[0].timestamp =
	    1700000000000;
}

static void
unknown_topic(struct run *r, void *msg)
{
	struct metadata_request *in = msg;

	(void)r;
	in->topics.items[0] = (struct metadata_request_topic){.name = a_name};
	in->allow_auto_topic_creation = true;
}

static void
all_topics(struct run *r, void *msg)
{
	(void)r;
	((struct metadata_request *)msg)->topics.count = -1;
}

static void
as_newcomer(struct run *r, void *msg)
{
	struct join_group_request *in = msg;

	(void)r;
	in->group_id = wire_str_of("h");
	in->member_id = wire_str_of("");
}

static void
by_name(struct run *r, void *msg)
{
	(void)r;
	/* Offsets that groups have of a deleted topic go later, if they can. */
	((struct delete_topics_request *)msg)->topics.items[0] =
	    (struct delete_topics_request_topic){.name = wire_str_of("u")};
}

static void
to_three(struct run *r, void *msg)
{
	(void)r;
	((struct create_partitions_request *)msg)->topics.items[0].assignments.count = -1;
}

static void
with_names(struct run *r, void *msg)
{
	struct api_versions_request *in = msg;

	(void)r;
	in->client_software_name = a_name;
	in->client_software_version = a_name;
}

static void
new_topic(struct run *r, void *msg)
{
	static struct create_topics_request_config config;
	struct create_topics_request_topic *t =
	    ((struct create_topics_request *)msg)->topics.items;

	(void)r;
	config = (struct create_topics_request_config){
	    .name = wire_str_of("retention.ms"), .value = wire_str_of("-1")};
	t->name = a_name;
	t->num_partitions = 3;
	t->assignments.count = 0;
	t->configs.items = &config;
	t->configs.count = 1;
}

static void
from_three(struct run *r, void *msg)
{
	(void)r;
	((struct delete_records_request *)msg)->topics.items[0].partitions.items[0].offset = 3;
}

static void
a_setting(struct run *r, void *msg)
{
	struct alter_configs_request_config *c =
	    ((struct alter_configs_request *)msg)->resources.items[0].configs.items;

	(void)r;
	c->name = wire_str_of("max.message.bytes");
	c->value = wire_str_of("123456");
}

static void
one_setting(struct run *r, void *msg)
{
	struct incremental_alter_configs_request_config *c =
	    ((struct incremental_alter_configs_request *)msg)->resources.items[0].configs.items;

	(void)r;
	c->name = wire_str_of("max.message.bytes");
	c->value = wire_str_of("123456");
}

static void
group_e(struct run *r, void *msg)
{
	(void)r;
	((struct delete_groups_request *)msg)->groups_names.items[0] = wire_str_of("e");
}

static void
offsets_of_e(struct run *r, void *msg)
{
	(void)r;
	((struct offset_delete_request *)msg)->group_id = wire_str_of("e");
}

static const struct scene scenes[] = {
    {"Produce", 0, 0, NULL, NULL, false},
    {"Fetch", 1, 0, NULL, NULL, false},
    {"Fetch, a new session", 1, 0, NULL, new_session, false},
    {"Fetch, in a session", 1, 0, open_session, in_session, false},
    {"Fetch, waiting", 1, 0, NULL, waiting, false},
    {"ListOffsets", 2, 0, NULL, NULL, false},
    {"ListOffsets, by time", 2, 0, NULL, by_time, false},
    {"Metadata", 3, 0, NULL, NULL, false},
    {"Metadata, all", 3, 0, NULL, all_topics, false},
    {"Metadata, makes a topic", 3, 0, NULL, unknown_topic, true},
    {"OffsetCommit, of a member", 8, 0, join_and_sync, as_member, false},
    {"OffsetCommit, of nobody", 8, 0, NULL, as_nobody, false},
    {"OffsetFetch", 9, 0, join_and_sync, NULL, false},
    {"FindCoordinator", 10, 0, NULL, NULL, false},
    {"JoinGroup, for the first time", 11, 3, NULL, as_newcomer, false},
    {"JoinGroup, again", 11, 0, join_and_sync, NULL, false},
    {"Heartbeat", 12, 0, join_and_sync, NULL, false},
    {"LeaveGroup", 13, 0, join_and_sync, NULL, false},
    {"SyncGroup", 14, 0, join, NULL, false},
    {"DescribeGroups", 15, 0, join_and_sync, NULL, false},
    {"ListGroups", 16, 0, join_and_sync, NULL, false},
    {"ApiVersions", 18, 0, NULL, with_names, false},
    {"CreateTopics", 19, 0, NULL, new_topic, false},
    {"DeleteTopics", 20, 0, NULL, by_name, false},
    {"DeleteRecords", 21, 0, NULL, from_three, false},
    {"InitProducerId", 22, 0, NULL, NULL, false},
    {"OffsetForLeaderEpoch", 23, 0, NULL, NULL, false},
    {"DescribeConfigs", 32, 0, NULL, NULL, false},
    {"AlterConfigs", 33, 0, NULL, a_setting, false},
    {"DescribeLogDirs", 35, 0, NULL, NULL, false},
    {"CreatePartitions", 37, 0, NULL, to_three, false},
    {"DeleteGroups", 42, 0, NULL, group_e, false},
    {"ElectLeaders", 43, 0, NULL, NULL, true},
    {"IncrementalAlterConfigs", 44, 0, NULL, one_setting, false},
    {"OffsetDelete", 47, 0, NULL, offsets_of_e, false},
    {"DescribeCluster", 60, 0, NULL, NULL, false},
    {"DescribeProducers", 61, 0, NULL, NULL, false},
    {"ListConfigResources", 74, 0, NULL, NULL, false},
    {"DescribeTopicPartitions", 75, 0, NULL, NULL, false},
};

static void
judge(struct sum *s, const struct scene *e, const struct run *r, unsigned at, bool lasts,
    const char *text)
{
	if (!r->answered)
		wrong(s, e->name, at, lasts, "neither an answer nor an end", "");
	if (text == NULL)
		wrong(s, e->name, at, lasts, "no start afterwards", "");
	else if (r->good && strcmp(text, s->after) != 0)
		wrong(s, e->name, at, lasts, "answered well, and not there", text);
	else if (strcmp(text, s->before) != 0 && strcmp(text, s->after) != 0)
		wrong(s, e->name, at, lasts, "neither as before nor as after", text);
}

/* `at` 0: all is well, and that is how it is afterwards. True: memory has failed. */
static bool
run_scene(struct sum *s, const struct scene *e, unsigned at, bool lasts)
{
	const struct api *api = api_find(e->key);
	int version = e->version > 0 ? e->version : api->request->versions.max;
	struct run r;
	bool failed;
	char *text;
	void *msg;

	run_begin(&r, sim_clone(base));
	if (!start(&r)) {
		wrong(s, e->name, at, lasts, "no start", "");
		return false;
	}
	topic_ids(&r);
	r.c = client_new(r.w.os, BROKER_ADDRESS);
	if (e->before != NULL)
		e->before(&r);
	msg = plain(&r, e->key, version);
	if (e->shape != NULL)
		e->shape(&r, msg);
	failed = ask_and_fail(&r, e->key, version, msg, at, lasts);
	if (at == 0 && (!r.answered || r.good == e->error))
		wrong(s, e->name, at, lasts, "not a good request", "");
	client_free(r.c);
	turn_for(&r, 200);
	if (!is_served(&r))
		wrong(s, e->name, at, lasts, "the broker does not go on", "");
	turn_for(&r, 1000);
	if (net_stats(r.w.broker->net).queued_bytes != 0)
		wrong(s, e->name, at, lasts, "memory of requests is kept", "");
	text = again(&r, at % 2 == 0, at);
	if (at == 0)
		s->after = text;
	else
		judge(s, e, &r, at, lasts, text);
	if (at != 0)
		free(text);
	run_end(&r);
	s->runs++;
	return failed;
}

static void
test_scene(const struct scene *e, const char *before)
{
	struct sum s = {.before = strdup(before)};
	unsigned reached;

	run_scene(&s, e, 0, false);
	reached = each_call(&s, e, run_scene);
	ok(s.wrong == 0 && s.after != NULL, "%s: whole or not at all at %u calls (%d runs)", e->name,
	    reached, s.runs);
	free(s.before);
	free(s.after);
}

int
main(void)
{
	char *before;

	a_name = wire_str_of("new");
	before = make_base();
	for (size_t i = 0; i < COUNT(scenes) && before != NULL; i++)
		test_scene(&scenes[i], before);
	printf("# %u calls of malloc and its kin reached\n", calls);
	sim_disk_free(base);
	free(before);
	return tap_done();
}
