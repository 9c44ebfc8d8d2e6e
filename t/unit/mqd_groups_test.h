/*
 * A coordinator of groups without broker or network, for tests: the log is memory,
 * time is the simulated machine's.
 */
#ifndef MQD_GROUPS_TEST_H
#define MQD_GROUPS_TEST_H

#include <stdlib.h>
#include <string.h>

#include "log/batch.h"
#include "mqd/groups/groups.h"
#include "os/os_sim.h"
#include "tap.h"

#define PARTITIONS 4

struct bench_append {
	struct groups_append *a;
	struct os_timer timer;
	struct bench_append *next;
};

static struct bench {
	struct sim_disk *disk;
	struct os *os;
	struct broker_config config;
	struct groups *gs;
	struct buf log[PARTITIONS];
	int64_t end[PARTITIONS];
	bool hold;    /* appends wait for release() */
	int fail;     /* they fail with this code */
	size_t appends;
	struct bench_append *held, **held_tail, *all;
} bench;

static inline void
bench_finish(struct bench_append *ba)
{
	struct groups_append *a = ba->a;
	struct batch b;

	a->code = bench.fail;
	if (a->code == 0) {
		batch_set_base_offset(a->bytes, bench.end[a->partition]);
		batch_set_leader_epoch(a->bytes, 0);
		batch_view(a->bytes, a->len, &b);
		a->base_offset = b.base_offset;
		bench.end[a->partition] = batch_next_offset(&b);
		buf_put(&bench.log[a->partition], a->bytes, a->len);
	}
	for (struct bench_append **at = &bench.all; *at != NULL; at = &(*at)->next)
		if (*at == ba) {
			*at = ba->next;
			break;
		}
	free(ba);
	a->done(a);
}

static inline void
bench_fire(struct os_timer *t)
{
	bench_finish(t->ctx);
}

static inline void
bench_append(void *ctx, struct groups_append *a)
{
	struct bench_append *ba = calloc(1, sizeof(*ba)), **at = &bench.all;

	(void)ctx;
	bench.appends++;
	ba->a = a;
	while (*at != NULL)
		at = &(*at)->next;
	*at = ba;
	ba->timer.fire = bench_fire;
	ba->timer.ctx = ba;
	if (!bench.hold)
		os_timer_start(bench.os, &ba->timer, 0);
}

/* Lets what is due happen. */
static inline void
settle(void)
{
	while (os_turn(bench.os, 0) > 0)
		;
}

static inline void
release(void)
{
	bench.hold = false;
	while (bench.all != NULL)
		bench_finish(bench.all);
	settle();
}

static inline void
pass_ms(int64_t ms)
{
	while (ms > 0) {
		int64_t step = ms > 100 ? 100 : ms;

		sim_advance_ms(bench.disk, step);
		settle();
		ms -= step;
	}
}

static inline void
bench_start(void)
{
	struct groups_options o = {.os = bench.os,
	    .config = &bench.config,
	    .load_worker = 3,
	    .append = bench_append};

	bench.gs = groups_new(&o);
	groups_set_partitions(bench.gs, PARTITIONS);
	for (int32_t i = 0; i < PARTITIONS; i++)
		groups_elected(bench.gs, i);
	settle();
}

static inline void
bench_up(void)
{
	bench = (struct bench){0};
	bench.disk = sim_disk_new();
	bench.os = sim_os_new(bench.disk, 1);
	bench.config = (struct broker_config){.dir = (char *)(uintptr_t) "d",
	    .offsets_partitions = PARTITIONS,
	    .offsets_retention_ms = 7 * 86400000LL,
	    .offsets_retention_check_ms = 600000,
	    .offset_metadata_max = 4096,
	    .group_min_session_ms = 6000,
	    .group_max_session_ms = 1800000,
	    .group_initial_delay_ms = 3000,
	    .group_max_size = INT32_MAX};
	for (int i = 0; i < PARTITIONS; i++)
		buf_init(&bench.log[i]);
	bench_start();
}

/* The coordinator goes, and comes again with what the log has. */
static inline void
bench_restart(void)
{
	char path[80];

	groups_free(bench.gs);
	for (int i = 0; i < PARTITIONS; i++) {
		snprintf(path, sizeof(path), "d/" GROUPS_TOPIC "-%d/00000000000000000000.log", i);
		if (bench.log[i].len > 0)
			sim_write(bench.disk, path, bench.log[i].data, bench.log[i].len);
	}
	bench_start();
}

static inline void
bench_down(void)
{
	struct bench_append *ba;

	groups_free(bench.gs);
	while ((ba = bench.all) != NULL) {
		bench.all = ba->next;
		os_timer_stop(bench.os, &ba->timer);
		free(ba);
	}
	for (int i = 0; i < PARTITIONS; i++)
		buf_release(&bench.log[i]);
	os_free(bench.os);
	sim_disk_free(bench.disk);
}

/* --- calls ------------------------------------------------------------------------ */

/* A call and what it was told. */
struct call {
	struct groups_call c;
	struct arena arena;
	int told; /* how often */
	int code;
	int32_t generation;
	char member[128], leader[128], protocol[64], type[64], text[256];
	bool skip, protocol_null;
	int members;
	char names[16][128];
	int codes[16];
};

static inline void
take_text(char *to, size_t size, struct wire_str s)
{
	size_t len = s.len > 0 ? (size_t)s.len : 0;

	len = len < size - 1 ? len : size - 1;
	if (len > 0)
		memcpy(to, s.data, len);
	to[len] = '\0';
}

static inline struct call *
call_new(int version)
{
	struct call *k = calloc(1, sizeof(*k));

	arena_init(&k->arena, 0);
	k->c.ctx = k;
	k->c.arena = &k->arena;
	k->c.version = (int16_t)version;
	k->c.client_id = wire_str_of("client");
	k->c.client_host = wire_str_of("/127.0.0.1");
	return k;
}

/* One that waits still is abandoned, as by the end of its connection. */
static inline void
call_free(struct call *k)
{
	if (k->told == 0)
		groups_abandon(&k->c);
	arena_release(&k->arena);
	free(k);
}

static inline void
join_told(struct groups_call *c, const void *response)
{
	const struct join_group_response *r = response;
	struct call *k = c->ctx;

	k->told++;
	k->code = r->error_code;
	k->generation = r->generation_id;
	k->skip = r->skip_assignment;
	k->protocol_null = r->protocol_name.len < 0;
	take_text(k->member, sizeof(k->member), r->member_id);
	take_text(k->leader, sizeof(k->leader), r->leader);
	take_text(k->protocol, sizeof(k->protocol), r->protocol_name);
	take_text(k->type, sizeof(k->type), r->protocol_type);
	k->members = r->members.count;
	for (int i = 0; i < k->members && i < 16; i++)
		take_text(k->names[i], sizeof(k->names[i]), r->members.items[i].member_id);
}

static inline void
sync_told(struct groups_call *c, const void *response)
{
	const struct sync_group_response *r = response;
	struct call *k = c->ctx;

	k->told++;
	k->code = r->error_code;
	take_text(k->protocol, sizeof(k->protocol), r->protocol_name);
	take_text(k->text, sizeof(k->text),
	    (struct wire_str){(const char *)r->assignment.data, r->assignment.len});
}

static inline void
heartbeat_told(struct groups_call *c, const void *response)
{
	struct call *k = c->ctx;

	k->told++;
	k->code = ((const struct heartbeat_response *)response)->error_code;
}

static inline void
leave_told(struct groups_call *c, const void *response)
{
	const struct leave_group_response *r = response;
	struct call *k = c->ctx;

	k->told++;
	k->code = r->error_code;
	k->members = r->members.count;
	for (int i = 0; i < k->members && i < 16; i++) {
		take_text(k->names[i], sizeof(k->names[i]), r->members.items[i].member_id);
		k->codes[i] = r->members.items[i].error_code;
	}
}

static inline void
code_told(struct groups_call *c, const void *response)
{
	struct call *k = c->ctx;

	k->told++;
	k->code = *(const int16_t *)response;
}

/* Who joins, and how. */
struct who {
	const char *group, *member, *instance; /* NULL: g, "", none */
	const char *protocols;                 /* NULL: "range"; names with commas */
	const char *type;                      /* NULL: consumer */
	const char *topic;                     /* NULL: none; the subscription's */
	int session_ms, rebalance_ms;          /* 0: 10000, 60000 */
	int version;                           /* 0: 9; -1: 0 */
};

static inline struct wire_bytes
subscription(struct arena *a, const char *topic)
{
	size_t len = topic != NULL ? strlen(topic) : 0;
	struct buf b = BUF_INIT;
	char *p;

	buf_i16(&b, 0);
	buf_i32(&b, topic != NULL);
	if (topic != NULL) {
		buf_i16(&b, (int16_t)len);
		buf_put(&b, topic, len);
	}
	buf_i32(&b, -1);
	p = arena_memdup(a, b.data, b.len);
	len = b.len;
	buf_release(&b);
	return wire_bytes_of(p, len);
}

static inline struct call *
join_begin(struct who w)
{
	struct call *k = call_new(w.version == 0 ? 9 : w.version == -1 ? 0 : w.version);
	struct join_group_request *r = arena_alloc(&k->arena, sizeof(*r));
	const char *p = w.protocols != NULL ? w.protocols : "range";

	wire_init(&wire_join_group_request, r);
	r->group_id = wire_str_of(w.group != NULL ? w.group : "g");
	r->member_id = wire_str_of(w.member != NULL ? w.member : "");
	r->group_instance_id = wire_str_of(w.instance);
	r->protocol_type = wire_str_of(w.type != NULL ? w.type : "consumer");
	r->session_timeout_ms = w.session_ms != 0 ? w.session_ms : 10000;
	r->rebalance_timeout_ms = w.rebalance_ms != 0 ? w.rebalance_ms : 60000;
	r->protocols.items = arena_array(&k->arena, 8, sizeof(*r->protocols.items));
	while (*p != '\0') {
		size_t len = strcspn(p, ",");

		r->protocols.items[r->protocols.count].name = wire_str_of_mem(p, len);
		r->protocols.items[r->protocols.count++].metadata = subscription(&k->arena, w.topic);
		p += len + (p[len] == ',');
	}
	k->c.done = join_told;
	groups_join(bench.gs, &k->c, r);
	return k;
}

/* A dynamic member joins as clients do: asks for an id, then joins with it. */
static inline struct call *
join_two(struct who w)
{
	struct call *first = join_begin(w), *second;

	w.member = first->member;
	second = join_begin(w);
	call_free(first);
	return second;
}

static inline struct call *
sync_begin(const char *group, const char *member, int32_t generation, const char *const *assignments,
    int version)
{
	struct call *k = call_new(version);
	struct sync_group_request *r = arena_alloc(&k->arena, sizeof(*r));

	wire_init(&wire_sync_group_request, r);
	r->group_id = wire_str_of(group);
	r->member_id = wire_str_of(member);
	r->generation_id = generation;
	r->protocol_type = wire_str_of("consumer");
	r->protocol_name = wire_str_of("range");
	r->assignments.items = arena_array(&k->arena, 8, sizeof(*r->assignments.items));
	for (; assignments != NULL && assignments[0] != NULL; assignments += 2) {
		struct sync_group_request_assignment *a =
		    &r->assignments.items[r->assignments.count++];

		a->member_id = wire_str_of(assignments[0]);
		a->assignment = wire_bytes_of(assignments[1], strlen(assignments[1]));
	}
	k->c.done = sync_told;
	groups_sync(bench.gs, &k->c, r);
	return k;
}

static inline int
heartbeat(const char *group, const char *member, const char *instance, int32_t generation)
{
	struct call *k = call_new(4);
	struct heartbeat_request r;
	int code;

	wire_init(&wire_heartbeat_request, &r);
	r.group_id = wire_str_of(group);
	r.member_id = wire_str_of(member);
	r.group_instance_id = wire_str_of(instance);
	r.generation_id = generation;
	k->c.done = heartbeat_told;
	groups_heartbeat(bench.gs, &k->c, &r);
	code = k->told == 1 ? k->code : -1000;
	call_free(k);
	return code;
}

static inline struct call *
leave_begin(const char *group, const char *member, const char *instance, int version)
{
	struct call *k = call_new(version);
	struct leave_group_request *r = arena_alloc(&k->arena, sizeof(*r));

	wire_init(&wire_leave_group_request, r);
	r->group_id = wire_str_of(group);
	if (version < 3) {
		r->member_id = wire_str_of(member);
	} else {
		r->members.items = arena_array(&k->arena, 1, sizeof(*r->members.items));
		r->members.items[0].member_id = wire_str_of(member);
		r->members.items[0].group_instance_id = wire_str_of(instance);
		r->members.count = 1;
	}
	k->c.done = leave_told;
	groups_leave(bench.gs, &k->c, r);
	return k;
}

/* One offset. */
struct commit {
	const char *group, *member, *instance, *topic, *metadata; /* NULL: g, "", none, t, "" */
	int32_t generation; /* 0: -1 */
	int32_t partition;
	int64_t offset, retention_ms; /* 0: -1 */
	int version;                  /* 0: 9 */
	struct uuid topic_id;
};

static inline struct call *
commit_begin(struct commit o)
{
	struct call *k = call_new(o.version != 0 ? o.version : 9);
	struct offset_commit_request *r = arena_alloc(&k->arena, sizeof(*r));
	struct groups_commit_item *i = arena_alloc(&k->arena, sizeof(*i));

	wire_init(&wire_offset_commit_request, r);
	r->group_id = wire_str_of(o.group != NULL ? o.group : "g");
	r->member_id = wire_str_of(o.member != NULL ? o.member : "");
	r->group_instance_id = wire_str_of(o.instance);
	r->generation_id_or_member_epoch = o.generation != 0 ? o.generation : -1;
	r->retention_time_ms = o.retention_ms != 0 ? o.retention_ms : -1;
	*i = (struct groups_commit_item){.topic = wire_str_of(o.topic != NULL ? o.topic : "t"),
	    .topic_id = o.topic_id,
	    .partition = o.partition,
	    .offset = o.offset,
	    .leader_epoch = -1,
	    .metadata = wire_str_of(o.metadata)};
	k->c.done = code_told;
	groups_commit(bench.gs, &k->c, r, i, 1);
	k->codes[0] = i->code;
	return k;
}

static inline int
commit(struct commit o)
{
	struct call *k = commit_begin(o);
	int code;

	settle();
	code = k->told != 1 ? -1000 : k->code != 0 ? k->code : k->codes[0];
	call_free(k);
	return code;
}

static inline int64_t
offset_of(const char *group, const char *topic, int32_t partition)
{
	struct groups_offset o;

	groups_offset(bench.gs, wire_str_of(group), wire_str_of(topic), &uuid_zero, partition, &o);
	return o.offset;
}

static inline const char *
state_of(const char *group)
{
	static char text[64];
	struct describe_groups_response_group g;
	struct arena a;

	arena_init(&a, 0);
	groups_describe(bench.gs, &a, 5, wire_str_of(group), &g);
	take_text(text, sizeof(text), g.group_state);
	arena_release(&a);
	return text;
}

#endif
