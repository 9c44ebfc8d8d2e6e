/* Tests of the broker target: every record once and in order, whatever connections do. */
#include "client/target.h"
#include "fake_broker.h"

#define RECORDS 4

struct world {
	struct sim_net *net;
	struct sim_disk *disk;
	struct os *os;
	struct fake fake;
	struct target *target;
	char said[2000];
};

static void
on_note(void *ctx, enum os_level level, const char *text)
{
	struct world *w = ctx;

	(void)level;
	snprintf(w->said, sizeof(w->said), "%s", text);
}

static void
begin(struct world *w, uint64_t seed, const char *servers, int64_t timeout_ms)
{
	struct broker_options o = {.servers = servers,
	    .client_id = "test",
	    .version = "0.0",
	    .timeout_ms = timeout_ms,
	    .auto_create_topics = true};
	struct err err;

	*w = (struct world){.net = sim_net_new(seed), .disk = sim_disk_new()};
	sim_net_attach(w->net, w->disk, "localhost");
	w->os = sim_os_new(w->disk, seed);
	sim_os_set_note(w->os, on_note, w);
	fake_start(&w->fake, w->os);
	w->target = target_broker_new(w->os, &o, &err);
}

static void
end(struct world *w)
{
	target_free(w->target);
	fake_stop(&w->fake);
	while (os_turn(w->os, 1000) > 0)
		;
	is_int((intmax_t)sim_os_open_count(w->os), 0, "no descriptor is left");
	os_free(w->os);
	sim_disk_free(w->disk);
	sim_net_free(w->net);
}

/* --- producing ---------------------------------------------------------------- */

struct sent {
	struct produce_call call;
	struct batch_builder builder;
};

static void
send_batch(struct world *w, struct sent *s, int32_t partition, int first, enum target_acks acks)
{
	struct batch b;
	struct err err;

	batch_builder_init(&s->builder, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < RECORDS; i++) {
		char text[16];
		struct record r = {.timestamp = 1, .key_size = -1, .value = (uint8_t *)text};

		r.value_size = snprintf(text, sizeof(text), "%d", first + i);
		batch_builder_add(&s->builder, &r, &err);
	}
	batch_builder_finish(&s->builder, &b, &err);
	s->call = (struct produce_call){.topic = "t",
	    .partition = partition,
	    .bytes = (uint8_t *)(uintptr_t)b.bytes,
	    .len = (size_t)b.size,
	    .acks = acks};
	target_produce(w->target, &s->call);
}

/* The log of a partition holds 0, 1, 2, ... `count`, each once. */
static bool
log_is_whole(const struct fake_log *l, int count)
{
	struct record_reader reader;
	int next = 0;
	bool good = true;

	memset(&reader, 0, sizeof(reader));
	for (size_t i = 0; i < l->count; i++) {
		struct batch b;
		struct record r;
		struct err err;

		batch_view(l->batches[i].bytes, l->batches[i].len, &b);
		record_reader_open(&reader, &b, &err);
		while (record_reader_next(&reader, &r, &err) == 1) {
			char text[16];

			snprintf(text, sizeof(text), "%.*s", r.value_size, (const char *)r.value);
			good = good && atoi(text) == next++;
		}
	}
	record_reader_release(&reader);
	if (next != count)
		printf("# %d records, wanted %d\n", next, count);
	return good && next == count;
}

/* Sends `count` batches to each partition, all at once, and waits; how many failed. */
static int
send_all(struct world *w, int count, enum target_acks acks, struct err *why)
{
	struct sent *list = calloc((size_t)count * FAKE_PARTITIONS, sizeof(*list));
	int failed = 0;

	for (int i = 0; i < count; i++)
		for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
			send_batch(w, &list[i * FAKE_PARTITIONS + p], p, i * RECORDS, acks);
	for (int i = 0; i < count * FAKE_PARTITIONS; i++) {
		if (target_wait(w->target, &list[i].call.call) == -1) {
			*why = list[i].call.call.err;
			failed++;
		} else if (acks == ACKS_ALL &&
			   list[i].call.base_offset != i / FAKE_PARTITIONS * RECORDS) {
			failed++;
		}
		batch_builder_release(&list[i].builder);
	}
	free(list);
	return failed;
}

static void
once_and_in_order(void)
{
	static const struct {
		const char *what;
		int close_after, code, code_count;
		bool forget;
		unsigned cuts;
	} kinds[] = {
	    {"a broker that is well", 0, 0, 0, false, 0},
	    {"answers that get lost with their connection", 3, 0, 0, false, 0},
	    {"a leader that moves", 0, ERR_NOT_LEADER_OR_FOLLOWER, 7, false, 0},
	    {"too few replicas", 0, ERR_NOT_ENOUGH_REPLICAS, 3, false, 0},
	    {"a broker that forgets its producers", 0, 0, 0, true, 0},
	    {"connections that are cut anywhere", 0, 0, 0, false, 20000},
	};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct world w;
			struct err why = {.text = ""};
			int failed;

			begin(&w, seed, FAKE_ADDRESS, -1);
			w.fake.close_after = kinds[k].close_after;
			w.fake.produce_code = kinds[k].code;
			w.fake.produce_code_count = kinds[k].code_count;
			w.fake.forget_producers = kinds[k].forget;
			sim_net_settings(w.net)->cuts_per_million = kinds[k].cuts;
			failed = send_all(&w, 40, ACKS_ALL, &why);
			is_int(failed, 0, "%s: all is acknowledged %s", kinds[k].what, why.text);
			ok(log_is_whole(&w.fake.logs[0], 40 * RECORDS) &&
				log_is_whole(&w.fake.logs[1], 40 * RECORDS),
			    "once and in order (seed %llu)", (unsigned long long)seed);
			end(&w);
		}
}

static void
refusals(void)
{
	struct world w;
	struct err why;

	begin(&w, 1, FAKE_ADDRESS, -1);
	w.fake.produce_code = ERR_INVALID_TIMESTAMP;
	w.fake.produce_code_count = 1;
	is_int(send_all(&w, 1, ACKS_ALL, &why), 1, "a batch that is refused for good");
	is_int(why.code, ERR_INVALID_TIMESTAMP, "is told of");
	is_int(
	    (intmax_t)(w.fake.logs[0].count + w.fake.logs[1].count), 1, "and the other is there");
	end(&w);

	begin(&w, 1, FAKE_ADDRESS, 2000);
	w.fake.produce_code = ERR_NOT_ENOUGH_REPLICAS;
	w.fake.produce_code_count = 1000000;
	is_int(send_all(&w, 1, ACKS_ALL, &why), 2,
	    "what goes on failing is given up when its time is up");
	is_int(why.code, ERR_BUSY, "as something to try later");
	end(&w);

	begin(&w, 1, FAKE_ADDRESS, -1);
	is_int(send_all(&w, 5, ACKS_NONE, &why), 0, "without acknowledgements");
	{
		struct call flush = {.done = NULL};

		target_flush(w.target, &flush);
		target_wait(w.target, &flush);
		while (w.fake.logs[1].count < 5 && os_turn(w.os, 1000) > 0)
			;
	}
	ok(log_is_whole(&w.fake.logs[0], 20), "all is sent");
	end(&w);
}

/* --- fetching ------------------------------------------------------------------- */

/* Reads both partitions up to their ends, from `offset`: how many records. */
static int
read_all(struct world *w, int64_t offset, struct err *err)
{
	struct fetch_part parts[FAKE_PARTITIONS];
	struct fetch_part *list[FAKE_PARTITIONS];
	struct fetch_call call = {.parts = list, .part_count = FAKE_PARTITIONS, .max_wait_ms = 0};
	int count = 0;
	bool more = true;

	for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
		parts[p] = (struct fetch_part){.topic = "t", .partition = p, .offset = offset};
		list[p] = &parts[p];
	}
	err->code = 0;
	while (more) {
		call.call = (struct call){.done = NULL};
		target_fetch(w->target, &call);
		if (target_wait(w->target, &call.call) == -1) {
			*err = call.call.err;
			break;
		}
		more = false;
		for (int32_t p = 0; p < FAKE_PARTITIONS; p++) {
			struct batch b;
			int64_t from = parts[p].offset;
			int got;

			while ((got = target_next(w->target, &parts[p], &b, err)) == 1) {
				count += (int)(batch_next_offset(&b) - from);
				from = parts[p].offset;
				more = true;
			}
			if (got == -1)
				more = false;
		}
	}
	for (int32_t p = 0; p < FAKE_PARTITIONS; p++)
		target_forget(w->target, &parts[p]);
	return count;
}

static void
fetches(void)
{
	struct err err;

	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct world w;

		begin(&w, seed, FAKE_ADDRESS, -1);
		send_all(&w, 30, ACKS_ALL, &err);
		is_int(read_all(&w, 0, &err), 30 * RECORDS * FAKE_PARTITIONS,
		    "all is read, to the end");
		is_int(read_all(&w, 50, &err), (30 * RECORDS - 50) * FAKE_PARTITIONS,
		    "from the middle of a batch too");
		sim_net_settings(w.net)->cuts_per_million = 20000;
		is_int(read_all(&w, 0, &err), 30 * RECORDS * FAKE_PARTITIONS,
		    "also over connections that are cut (seed %llu)", (unsigned long long)seed);
		is_int(read_all(&w, 30 * RECORDS, &err), 0, "nothing behind the end");
		is_int(read_all(&w, 5000, &err), 0, "nor far behind it");
		w.fake.logs[0].batches[3].bytes[BATCH_HEADER + 2] ^= 1;
		read_all(&w, 0, &err);
		is_int(err.code, ERR_CORRUPT, "a batch that was damaged on its way is told");
		end(&w);
	}
}

/* --- who cannot be reached --------------------------------------------------------- */

static void
unreachable(void)
{
	struct world w;
	struct err err;

	begin(&w, 1, "127.0.0.1:1,127.0.0.1:2", -1);
	is_int(read_all(&w, 0, &err), 0, "nobody there");
	is_int(err.code, ERR_BUSY, "is something to try later");
	is_str(err.text, "127.0.0.1:2: connection refused", "and told in words");
	end(&w);

	begin(&w, 1, FAKE_ADDRESS, -1);
	w.fake.advertised = "elsewhere";
	send_all(&w, 1, ACKS_ALL, &err);
	is_str(err.text,
	    "127.0.0.1:9092: connected, but broker 1 advertises elsewhere:9092, which cannot be "
	    "found "
	    "(fix its advertised address)",
	    "a broker that advertises an address of no use is told in words");
	is_int(err.code, ERR_BUSY, "as something to try later");
	end(&w);

	begin(&w, 1, FAKE_ADDRESS, 2000);
	w.fake.numbers_wildly = true;
	send_all(&w, 1, ACKS_ALL, &err);
	is_int(err.code, ERR_BUSY, "partitions with numbers that cannot be are none");
	end(&w);

	begin(&w, 1, "127.0.0.1:1," FAKE_ADDRESS, -1);
	is_int(send_all(&w, 1, ACKS_ALL, &err), 0, "one of the list is enough");
	end(&w);

	begin(&w, 1, FAKE_ADDRESS, -1);
	w.fake.api_versions_max = 0;
	is_int(send_all(&w, 3, ACKS_ALL, &err), 0, "an old way of greeting is enough");
	end(&w);
}

/* The coordinator knows before the metadata that the client has. */
static void
test_commit_of_deleted(void)
{
	static const char *const names[] = {"t"};
	struct arena arena;
	struct metadata_call m = {.names = names, .name_count = 1, .arena = &arena};
	struct group_position p = {
	    .topic = "t", .partition = 0, .offset = 1, .leader_epoch = -1, .commit_time_ms = -1};
	struct commit_call c = {.group = "g", .positions = &p, .position_count = 1};
	struct world w;

	begin(&w, 1, FAKE_ADDRESS, 20000);
	arena_init(&arena, 0);
	p.topic_id.bytes[15] = 7;
	target_metadata(w.target, &m);
	ok(target_wait(w.target, &m.call) == 0, "a topic is known");
	target_commit(w.target, &c);
	ok(target_wait(w.target, &c.call) == 0, "and committed of");
	w.fake.deletes_before_commit = true;
	c.call = (struct call){0};
	target_commit(w.target, &c);
	ok(target_wait(w.target, &c.call) == 0,
	    "of one that is deleted just then nothing is left to commit");
	arena_release(&arena);
	end(&w);
}

int
main(void)
{
	once_and_in_order();
	refusals();
	fetches();
	unreachable();
	test_commit_of_deleted();
	return tap_done();
}
