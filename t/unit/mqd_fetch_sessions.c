/* Fetch sessions: what is kept between requests, and for whom there is room. */
#include "mqd/api/fetch_sessions.h"

#include <string.h>

#include "base/error.h"
#include "os/os_sim.h"
#include "tap.h"
#include "wire_gen.h"

static struct sim_disk *disk;
static struct os *os;
static struct fetch_sessions *all;
static struct arena arena;

/* A request for the partitions 0 to count - 1 of topic "t", from offset 0 on. */
static struct fetch_request
ask(int32_t id, int32_t epoch, int count)
{
	static struct fetch_request_partition parts[16];
	static struct fetch_request_topic topic;
	struct fetch_request in;

	wire_init(&wire_fetch_request, &in);
	memset(parts, 0, sizeof(parts));
	for (int i = 0; i < count; i++)
		parts[i] = (struct fetch_request_partition){.partition = i,
		    .current_leader_epoch = -1, .last_fetched_epoch = -1,
		    .partition_max_bytes = 1000};
	topic = (struct fetch_request_topic){.topic = wire_str_of("t")};
	topic.partitions.items = parts;
	topic.partitions.count = count;
	in.session_id = id;
	in.session_epoch = epoch;
	in.topics.items = &topic;
	in.topics.count = count > 0;
	return in;
}

/* The whole of a request: its code, the session's id, and how many partitions. */
static int
once(const struct fetch_request *in, int version, int32_t *id)
{
	struct fetch_context c;
	struct fetch_entry *e;
	int code = fetch_context_begin(all, in, version, &arena, &c), count = 0;

	TAILQ_FOREACH(e, c.entries, link)
	count++;
	*id = fetch_context_id(&c);
	fetch_context_end(all, &c);
	return code != 0 ? -code : count;
}

static void
begin(size_t slots)
{
	disk = sim_disk_new();
	os = sim_os_new(disk, 1);
	all = fetch_sessions_new(os, slots);
	arena_init(&arena, 0);
}

static void
end(void)
{
	fetch_sessions_free(all);
	arena_release(&arena);
	os_free(os);
	sim_disk_free(disk);
}

static void
test_epochs(void)
{
	struct fetch_request in = ask(0, -1, 3);
	int32_t id, again;

	begin(10);
	ok(once(&in, 12, &id) == 3 && id == 0, "epoch -1: all partitions, no session");
	in = ask(0, 0, 3);
	ok(once(&in, 12, &id) == 3 && id > 0, "epoch 0: a session");
	in = ask(id, 1, 0);
	ok(once(&in, 12, &again) == 3 && again == id, "epoch 1: what the session has");
	ok(once(&in, 12, &again) == -ERR_INVALID_FETCH_SESSION_EPOCH && again == 0,
	    "the same epoch again is refused");
	in = ask(id, 2, 5);
	ok(once(&in, 12, &again) == 5, "partitions are added");
	in = ask(id, 3, 0);
	ok(once(&in, 13, &again) == -ERR_FETCH_SESSION_TOPIC_ID_ERROR,
	    "a session by names is not used by ids");
	in = ask(id + 1, 1, 0);
	ok(once(&in, 12, &again) == -ERR_FETCH_SESSION_ID_NOT_FOUND, "an unknown session");
	in = ask(id, -1, 1);
	ok(once(&in, 12, &again) == 1 && again == 0 && fetch_sessions_count(all) == 0,
	    "epoch -1 ends the session");
	end();
}

static void
test_forgotten(void)
{
	struct fetch_request in = ask(0, 0, 2);
	int32_t numbers[] = {0, 1}, id, again;
	struct fetch_request_forgotten_topic gone = {.topic = wire_str_of("t")};

	begin(10);
	once(&in, 12, &id);
	in = ask(id, 1, 0);
	gone.partitions = (struct wire_int32s){numbers, 1};
	in.forgotten_topics_data.items = &gone;
	in.forgotten_topics_data.count = 1;
	ok(once(&in, 12, &again) == 1 && again == id, "a partition is forgotten");
	in.session_epoch = 2;
	gone.partitions = (struct wire_int32s){numbers + 1, 1};
	ok(once(&in, 12, &again) == 0 && again == 0 && fetch_sessions_count(all) == 0,
	    "a session without partitions ends");
	end();
}

static void
test_news(void)
{
	struct fetch_request in = ask(0, 0, 2);
	struct fetch_context c;
	struct fetch_entry *e;
	int32_t id;

	begin(10);
	fetch_context_begin(all, &in, 12, &arena, &c);
	id = fetch_context_id(&c);
	ok(fetch_context_answered(&c, TAILQ_FIRST(c.entries), 5, 0, false, false),
	    "the first answer has all partitions");
	fetch_context_end(all, &c);
	in = ask(id, 1, 0);
	fetch_context_begin(all, &in, 12, &arena, &c);
	e = TAILQ_FIRST(c.entries);
	ok(!fetch_context_answered(&c, e, 5, 0, false, false), "one without news is left out");
	ok(fetch_context_answered(&c, e, 6, 0, false, false), "a high watermark that moved is news");
	ok(fetch_context_answered(&c, e, 6, 1, false, false), "so is the log's start");
	ok(fetch_context_answered(&c, e, 6, 1, false, true), "so is an error");
	ok(fetch_context_answered(&c, e, 6, 1, true, false) && TAILQ_LAST(c.entries, fetch_entries) == e,
	    "one with records is served last the next time");
	ok(fetch_context_begin(all, &(struct fetch_request){.session_id = id, .session_epoch = 2}, 12,
	       &arena, &(struct fetch_context){0}) == ERR_INVALID_FETCH_SESSION_EPOCH,
	    "while a request of a session is under way there is no second one");
	fetch_context_end(all, &c);
	end();
}

static void
test_slots(void)
{
	struct fetch_request two = ask(0, 0, 2);
	int32_t first, id;

	begin(1);
	once(&two, 12, &first);
	ok(once(&two, 12, &id) == 2 && id == 0, "no slot is left: full requests from now on");
	sim_advance_ms(disk, 121000);
	ok(once(&two, 12, &id) == 2 && id != 0 && id != first, "an idle session is replaced");
	struct fetch_request follower = ask(0, 0, 2);
	follower.replica_id = 2;
	ok(once(&follower, 12, &first) == 2 && first != 0, "a follower's replaces a consumer's");
	sim_advance_ms(disk, 1000);
	ok(once(&two, 12, &id) == 2 && id == 0, "but not the other way round");
	end();
}

/* However many partitions a session is asked for, what is kept of them is bounded. */
static void
test_many(void)
{
	static struct fetch_request_partition parts[FETCH_ENTRIES_PER_SLOT + 1];
	struct fetch_request in = ask(0, 0, 1);
	int32_t id, next;

	for (int i = 0; i <= FETCH_ENTRIES_PER_SLOT; i++)
		parts[i] = (struct fetch_request_partition){.partition = i};
	begin(1);
	in.topics.items[0].partitions.items = parts;
	in.topics.items[0].partitions.count = FETCH_ENTRIES_PER_SLOT + 1;
	ok(once(&in, 12, &id) == FETCH_ENTRIES_PER_SLOT + 1 && id == 0,
	    "who wants too many is served without a session");
	in.topics.items[0].partitions.count = FETCH_ENTRIES_PER_SLOT;
	ok(once(&in, 12, &id) == FETCH_ENTRIES_PER_SLOT && id != 0, "there is room for some");
	in = ask(id, 1, 1);
	in.topics.items[0].partitions.items = &parts[FETCH_ENTRIES_PER_SLOT];
	is_int(once(&in, 12, &next), -ERR_FETCH_SESSION_ID_NOT_FOUND, "none that grows beyond it");
	in = ask(0, 0, 16);
	ok(once(&in, 12, &id) == 16 && id != 0, "what it has kept is gone with it");
	end();
}

int
main(void)
{
	test_epochs();
	test_forgotten();
	test_news();
	test_slots();
	test_many();
	return tap_done();
}
