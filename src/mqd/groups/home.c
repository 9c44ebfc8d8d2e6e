/* The partitions of __consumer_offsets, and the groups in them. */
#include "mqd/groups/home.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "mqd/replica/partition.h"

/* A partition of the topic. */
struct room {
	struct home *home;
	int32_t number;
	bool led;             /* its groups are told so, or will be once the log is loaded */
	bool loading;         /* `load` is under way */
	bool again;           /* and is of a log that has gone */
	struct plog_job load; /* recovers the log, if need be */
};

struct home {
	struct broker *broker;
	struct room **rooms; /* owned */
	int32_t count;
	bool making;
	struct cluster_change make;
};

/* --- appending ------------------------------------------------------------------------ */

static struct partition *
partition_of(struct broker *b, int32_t number, int *code)
{
	return partitions_find(
	    b->partitions, GROUPS_TOPIC, strlen(GROUPS_TOPIC), NULL, number, code);
}

static void
append_done(struct partition_append *pa)
{
	struct groups_append *a = pa->ctx;

	a->code = pa->code;
	a->base_offset = pa->append.base_offset;
	a->done(a);
}

static void
append_refused(struct os_timer *t)
{
	struct groups_append *a = t->ctx;

	a->done(a);
}

static void
append(void *ctx, struct groups_append *a)
{
	struct broker *b = ctx;
	struct partition *p = partition_of(b, a->partition, &a->code);
	struct partition_append *pa = p != NULL ? calloc(1, sizeof(*pa)) : NULL;

	if (pa == NULL) {
		if (p != NULL)
			a->code = ERR_UNKNOWN_SERVER_ERROR;
		a->timer.fire = append_refused;
		a->timer.ctx = a;
		os_timer_start(b->os, &a->timer, 0);
		return;
	}
	a->own = pa;
	pa->append.bytes = a->bytes;
	pa->append.len = a->len;
	pa->append.origin = APPEND_COORDINATOR;
	pa->acks = -1;
	pa->done = append_done;
	pa->ctx = a;
	partition_append(p, pa);
}

/* --- leading -------------------------------------------------------------------------- */

static void settle_room(struct home *h, struct room *r);

static void
load_done(struct plog_job *j)
{
	struct room *r = j->ctx;
	struct broker *b = r->home->broker;

	r->loading = false;
	if (r->again) {
		r->again = r->led = false;
		settle_room(r->home, r);
		return;
	}
	if (!r->led)
		return;
	if (j->err.code == 0) {
		groups_elected(b->groups, r->number);
		return;
	}
	r->led = false;
	os_note(b->os, OS_ERROR, "groups of " GROUPS_TOPIC "-%d have no coordinator: %s", r->number,
	    j->err.text);
}

static void
settle_room(struct home *h, struct room *r)
{
	int code;
	struct partition *p = partition_of(h->broker, r->number, &code);

	if (p == NULL) {
		r->led = false;
		r->again = r->loading;
		groups_resigned(h->broker->groups, r->number);
		return;
	}
	if (r->led)
		return;
	r->led = true;
	if (r->loading)
		return;
	r->loading = true;
	memset(&r->load, 0, sizeof(r->load));
	r->load.done = load_done;
	r->load.ctx = r;
	plog_load(p->log, &r->load);
}

static int
make_rooms(struct home *h, int32_t count)
{
	struct room **grown;

	if (count <= h->count)
		return 0;
	assert(count > 0);
	grown = realloc(h->rooms, (size_t)count * sizeof(struct room *));
	if (grown == NULL)
		return -1;
	h->rooms = grown;
	for (; h->count < count; h->count++) {
		struct room *r = calloc(1, sizeof(*r));

		if (r == NULL)
			return -1;
		r->home = h;
		r->number = h->count;
		h->rooms[h->count] = r;
	}
	return 0;
}

static void
settle_all(struct home *h, const struct image *im)
{
	const struct image_topic *t = image_topic(im, GROUPS_TOPIC);
	int32_t count = t != NULL ? t->partition_count : 0;

	if (make_rooms(h, count) == -1 || groups_set_partitions(h->broker->groups, count) == -1) {
		os_note(h->broker->os, OS_ERROR, GROUPS_TOPIC ": no memory for its groups");
		return;
	}
	for (int32_t i = 0; i < h->count; i++)
		settle_room(h, h->rooms[i]);
}

void
home_changed(struct broker *b, const struct image *im, const char *topic,
    const struct uuid *topic_id)
{
	if (topic == NULL)
		return;
	if (strcmp(topic, GROUPS_TOPIC) == 0)
		settle_all(b->home, im);
	else if (image_topic_by_id(im, topic_id) == NULL)
		groups_topic_deleted(b->groups, wire_str_of(topic), topic_id);
}

/* --- the topic -------------------------------------------------------------------------- */

static int
prepare_topic(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct home *h = ch->ctx;
	struct broker *b = h->broker;
	static char policy[] = "cleanup.policy", compact[] = "compact";
	static char type[] = "compression.type", producer[] = "producer";
	static char segment[] = "segment.bytes";
	char bytes[24];
	const struct image_config configs[] = {{policy, compact}, {type, producer}, {segment, bytes}};
	struct topic_wish w = {.name = GROUPS_TOPIC,
	    .partitions = b->config->offsets_partitions,
	    .replicas = -1,
	    .configs = configs,
	    .config_count = 3};
	struct uuid id;

	if (image_topic(im, GROUPS_TOPIC) != NULL)
		return 0;
	snprintf(bytes, sizeof(bytes), "%" PRId64, b->config->offsets_segment_bytes);
	return controller_create_topic(im, &w, b->config->node_id, b->config->num_partitions, b->os,
	    r, &id, err);
}

static void
topic_made(struct cluster_change *ch)
{
	struct home *h = ch->ctx;

	h->making = false;
	if (ch->err.code != 0)
		os_note(h->broker->os, OS_ERROR, GROUPS_TOPIC " cannot be made: %s", ch->err.text);
}

void
home_make_topic(struct broker *b)
{
	struct home *h = b->home;

	if (h->making)
		return;
	h->making = true;
	h->make = (struct cluster_change){.prepare = prepare_topic, .done = topic_made, .ctx = h};
	cluster_change(b->cluster, &h->make);
}

/* --- life ---------------------------------------------------------------------------------- */

int
home_new(struct broker *b)
{
	const struct groups_options o = {.os = b->os,
	    .config = b->config,
	    .load_worker = WORKER_KEEP,
	    .append = append,
	    .ctx = b};

	b->home = calloc(1, sizeof(*b->home));
	if (b->home == NULL)
		return -1;
	b->home->broker = b;
	b->groups = groups_new(&o);
	return b->groups == NULL ? -1 : 0;
}

void
home_free(struct broker *b)
{
	struct home *h = b->home;

	if (b->groups != NULL)
		groups_free(b->groups);
	b->groups = NULL;
	if (h == NULL)
		return;
	for (int32_t i = 0; i < h->count; i++)
		free(h->rooms[i]);
	free(h->rooms);
	free(h);
	b->home = NULL;
}
