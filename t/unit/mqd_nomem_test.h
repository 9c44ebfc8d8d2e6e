/*
 * mqd_nomem_test: a broker whose memory fails at a call of malloc or its kin
 * (t/lib/fuzz_wrap.c), once or from that call on for a while; and what is there
 * afterwards, in a text that can be compared.
 *
 * The simulated machine's memory fails as well, but not where it writes (hold_writes.h).
 *
 * No call is left out, but by sanitized builds, which take a sample, unless MQ_SOAK is
 * set.
 */
#ifndef MQD_NOMEM_TEST_H
#define MQD_NOMEM_TEST_H

#include "base/array.h"
#include "hold_writes.h"
#include "lib/fuzz_request.h"

#define MEMORY_HOLD() fuzz_memory_hold()
#define MEMORY_RESUME(held) fuzz_memory_resume(held)
#include "mqd_broker_test.h"
#include "wire/table.h"

#define STICKY_MS 3000 /* so long memory is gone */
#define ANSWER_MS 60000

static const char *const settings[] = {"group.initial.rebalance.delay.ms=0",
    "offsets.topic.num.partitions=1", NULL};

static struct sim_disk *base; /* what every run begins with */

struct run {
	struct world w;
	struct client *c;
	struct fuzz_facts facts;
	struct arena arena;
	bool answered, good; /* the answer had no error in it */
};

/* --- requests ---------------------------------------------------------------------- */

/* A request that a broker has an answer to, of the newest version that there is up to
 * `version`. */
__attribute__((unused)) static void *
plain(struct run *r, int key, int version)
{
	struct cursor none = cursor_of("", 0);
	bool waits = false;

	return fuzz_request(&none, &r->facts, api_find(key), version, &r->arena, &waits);
}

/* Asks, and remembers what the broker gave out. */
static const void *
ask(struct run *r, int key, int version, const void *msg)
{
	const void *out = client_ask(r->c, key, version, msg);
	const struct join_group_response *join = out;
	const struct fetch_response *fetch = out;

	if (out == NULL)
		return NULL;
	if (key == 11) {
		snprintf(r->facts.member, sizeof(r->facts.member), "%.*s", (int)join->member_id.len,
		    join->member_id.data);
		r->facts.generation = join->generation_id;
	}
	if (key == 1)
		r->facts.session = fetch->session_id;
	return out;
}

__attribute__((unused)) static void
topic_ids(struct run *r)
{
	static const char *const names[] = {"t", "u", "__consumer_offsets"};
	const struct image *im = cluster_image(r->w.broker->cluster);

	for (size_t i = 0; i < COUNT(names); i++)
		if (image_topic(im, names[i]) != NULL)
			r->facts.topics[i] = image_topic(im, names[i])->id;
}

/* --- what is there ------------------------------------------------------------------- */

__attribute__((unused)) static void
say_log(struct run *r, struct client *c, const char *topic, int32_t number, struct buf *b)
{
	const struct fetch_response_partition *f = fetch_one(c, topic, number, 0, 0);

	(void)r;
	if (f == NULL)
		buf_printf(b, " %d: nothing", number);
	else if (f->error_code == ERR_OFFSET_OUT_OF_RANGE)
		f = fetch_one(c, topic, number, 3, 0);
	if (f != NULL)
		buf_printf(b, " %d: %lld-%lld (%d)", number, (long long)f->log_start_offset,
		    (long long)f->high_watermark, f->error_code);
}

__attribute__((unused)) static void
say_topic(struct run *r, struct client *c, const char *name, struct buf *b)
{
	const struct image_topic *t = image_topic(cluster_image(r->w.broker->cluster), name);

	if (t == NULL)
		return;
	buf_printf(b, "%s", name);
	for (const struct image_config *k = NULL; (k = image_config_next(&t->configs, k)) != NULL;)
		buf_printf(b, " %s=%s", k->name, k->value);
	for (int32_t i = 0; i < t->partition_count; i++)
		if (image_partition(t, i) != NULL && strcmp(name, "__consumer_offsets") != 0)
			say_log(r, c, name, i, b);
	buf_printf(b, "\n");
}

__attribute__((unused)) static void
say_offset(struct run *r, struct client *c, const char *group, struct buf *b)
{
	struct offset_fetch_request in;
	struct offset_fetch_request_topic t = {.name = wire_str_of("t")};
	int32_t number = 0;
	const struct offset_fetch_response *out;

	(void)r;
	wire_init(&wire_offset_fetch_request, &in);
	t.partition_indexes.items = &number;
	t.partition_indexes.count = 1;
	in.group_id = wire_str_of(group);
	in.topics.items = &t;
	in.topics.count = 1;
	for (int i = 0; i < 100; i++) {
		out = client_ask(c, 9, 7, &in);
		if (out == NULL || out->error_code != ERR_COORDINATOR_LOAD_IN_PROGRESS)
			break;
		os_turn(r->w.os, 10);
	}
	if (out == NULL)
		buf_printf(b, "group %s: nothing\n", group);
	else if (out->topics.count == 1)
		buf_printf(b, "group %s: %d, %lld\n", group, out->error_code,
		    (long long)out->topics.items[0].partitions.items[0].committed_offset);
}

/* All that a request may have changed, as text. */
__attribute__((unused)) static char *
say_all(struct run *r)
{
	static const char *const names[] = {"__consumer_offsets", "new", "t", "u"};
	struct client *c = client_new(r->w.os, BROKER_ADDRESS);
	struct buf b = BUF_INIT;
	char *text;

	for (size_t i = 0; i < COUNT(names); i++)
		say_topic(r, c, names[i], &b);
	client_free(c);
	c = client_new(r->w.os, BROKER_ADDRESS);
	say_offset(r, c, "e", &b);
	say_offset(r, c, "g", &b);
	client_free(c);
	text = strdup(buf_cstr(&b));
	buf_release(&b);
	return text;
}

/* --- a run ---------------------------------------------------------------------------- */

__attribute__((unused)) static void
turn_for(struct run *r, int64_t ms)
{
	int64_t until = os_mono_ns(r->w.os) + ms * 1000000, now;

	while ((now = os_mono_ns(r->w.os)) < until)
		if (os_turn(r->w.os, (int)((until - now) / 1000000) + 1) == -1)
			return;
}

__attribute__((unused)) static void
run_begin(struct run *r, struct sim_disk *disk)
{
	*r = (struct run){0};
	arena_init(&r->arena, 0);
	world_init(&r->w, 7, disk, settings);
}

__attribute__((unused)) static void
no_note(void *ctx, enum os_level level, const char *text)
{
	(void)ctx;
	(void)level;
	if (getenv("MQ_NOTES") != NULL)
		printf("# %s\n", text);
}

__attribute__((unused)) static bool
start(struct run *r)
{
	bool good = world_start(&r->w);

	sim_os_set_note(r->w.os, no_note, NULL);
	hold_writes(r->w.os);
	return good;
}

__attribute__((unused)) static void
run_end(struct run *r)
{
	world_end(&r->w);
	arena_release(&r->arena);
}

/* Somebody is served: a record more, which can be read, and a topic more. */
__attribute__((unused)) static bool
is_served(struct run *r)
{
	static int names;
	char name[32];
	struct client *c = client_new(r->w.os, BROKER_ADDRESS);
	const struct produce_response_partition *p = produce_one(c, "keep", 0, -1, 1, "x");
	const struct fetch_response_partition *f = NULL;
	bool good = p != NULL && p->error_code == 0 && !r->w.broker->failed;

	if (good)
		f = fetch_one(c, "keep", 0, p->base_offset, 0);
	good = good && f != NULL && f->error_code == 0 && f->records.len > 0;
	client_free(c);
	snprintf(name, sizeof(name), "served-%d", names++);
	make_topic(&r->w, name, 1);
	return good && image_topic(cluster_image(r->w.broker->cluster), name) != NULL;
}

/* --- many runs ---------------------------------------------------------------------- */

/* One request. */
struct scene {
	const char *name;
	int key, version; /* 0: the newest */
	void (*before)(struct run *r);
	void (*shape)(struct run *r, void *msg);
	bool error; /* even when all is well */
};

struct sum {
	int runs, wrong;
	char *before, *after;
};

__attribute__((unused)) static void
wrong(struct sum *s, const char *where, unsigned at, bool lasts, const char *why, const char *text)
{
	if (s->wrong++ < 5)
		printf("# %s: call %u%s: %s\n# %s\n", where, at, lasts ? " and on" : "", why, text);
}

/* Ends the process by a crash, or a stop, and looks what another one finds. */
__attribute__((unused)) static char *
again(struct run *r, bool crash, unsigned seed)
{
	char *text = NULL;

	if (crash)
		world_crash(&r->w, seed);
	else
		world_stop(&r->w);
	if (start(r)) {
		text = say_all(r);
		if (!is_served(r)) {
			free(text);
			text = NULL;
		}
		world_stop(&r->w);
	} else {
		os_free(r->w.os);
	}
	return text;
}

static unsigned calls; /* reached, in all */

static unsigned
step_of(unsigned at, bool lasts)
{
#ifdef __SANITIZE_ADDRESS__
	if (getenv("MQ_SOAK") == NULL)
		return 5 + (at + lasts) % 7;
#endif
	(void)at;
	(void)lasts;
	return 1;
}

/* Steps through the calls, once and lasting; the number that was reached. */
static unsigned
each_call(struct sum *s, const struct scene *e,
    bool (*one)(struct sum *s, const struct scene *e, unsigned at, bool lasts))
{
	unsigned at = 1;

	for (int lasts = 0; lasts < 2 && s->after != NULL; lasts++)
		for (at = 1 + (unsigned)lasts; one(s, e, at, lasts);)
			at += step_of(at, lasts);
	calls += at - 1;
	return at - 1;
}

__attribute__((unused)) static void
as_member(struct run *r, void *msg)
{
	struct offset_commit_request *in = msg;

	(void)r;
	in->topics.items[0].partitions.items[0].committed_offset = 2;
}

__attribute__((unused)) static void
as_nobody(struct run *r, void *msg)
{
	struct offset_commit_request *in = msg;

	as_member(r, msg);
	in->generation_id_or_member_epoch = -1;
	in->member_id = wire_str_of("");
}

/* --- the beginning --------------------------------------------------------------------- */

__attribute__((unused)) static void
commit_for_e(struct run *r)
{
	struct offset_commit_request *in = plain(r, 8, 9);
	const struct offset_commit_response *out = NULL;

	as_nobody(r, in);
	in->group_id = wire_str_of("e");
	for (int i = 0; i < 100; i++) {
		out = ask(r, 8, 9, in);
		if (out == NULL || out->topics.items[0].partitions.items[0].error_code == 0)
			break;
		turn_for(r, 100);
	}
}

/* The disk that all begin with; what is on it, as text. */
__attribute__((unused)) static char *
make_base(void)
{
	struct run r;
	char *text;

	run_begin(&r, sim_disk_new());
	if (!start(&r))
		return NULL;
	make_topic(&r.w, "t", 2);
	make_topic(&r.w, "u", 1);
	make_topic(&r.w, "keep", 1);
	topic_ids(&r);
	r.c = client_new(r.w.os, BROKER_ADDRESS);
	(void)produce_one(r.c, "t", 0, -1, 5, "value");
	(void)produce_one(r.c, "keep", 0, -1, 1, "value");
	(void)ask(&r, 10, 4, plain(&r, 10, 4));
	commit_for_e(&r);
	client_free(r.c);
	text = say_all(&r);
	world_stop(&r.w);
	base = sim_clone(r.w.disk);
	run_end(&r);
	printf("# %s", text);
	return text;
}

#endif
