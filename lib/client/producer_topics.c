/* producer_topics: the topics that are written to: what the target says of one, and
 * which partition a record goes to. */
#include <stdlib.h>
#include <string.h>

#include "client/producer_impl.h"
#include "store/format.h"

void
producer_topic_free(struct producer *p, struct producer_topic *t)
{
	for (int32_t i = 0; i < t->count; i++) {
		os_timer_stop(p->target->os, &t->lanes[i].linger);
		if (t->lanes[i].open != NULL)
			flight_free(t->lanes[i].open);
	}
	free(t->lanes);
	free(t->name);
	free(t);
}

/* Where a batch of the topic is full. What does not compress grows a little. */
static void
topic_set_limits(const struct producer *p, struct producer_topic *t, int64_t bytes_max)
{
	size_t most;

	t->bytes_max = most = bytes_max > 0 ? (size_t)bytes_max : SIZE_MAX;
	if (t->codec != CODEC_NONE)
		most -= most / 100;
	t->batch_bytes = p->config.batch_bytes < most ? p->config.batch_bytes : most;
}

/* The topic's codec goes before the producer's; where they agree, the producer's
 * level stands, as a broker leaves such batches alone. */
static void
topic_set_codec(const struct producer *p, struct producer_topic *t,
    const struct target_topic *from)
{
	t->codec = p->config.codec;
	t->level = p->config.level;
	if (!from->has_codec || from->codec == t->codec)
		return;
	t->codec = from->codec;
	t->level = from->codec_level;
	os_note(p->target->os, OS_INFO, "topic %s: codec %s, not %s (compression.type)",
	    from->name, codec_name(t->codec), codec_name(p->config.codec));
}

static struct producer_topic *
topic_new(struct producer *p, const struct target_topic *from, struct err *err)
{
	const char *name = from->name;
	size_t count = from->partition_count;
	struct producer_topic *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		err_nomem(err);
		return NULL;
	}
	t->name = strdup(name);
	t->lanes = calloc(count, sizeof(*t->lanes));
	t->count = (int32_t)count;
	t->sticky = -1;
	topic_set_codec(p, t, from);
	topic_set_limits(p, t, from->batch_bytes_max);
	if (t->name == NULL || t->lanes == NULL ||
	    map_put(&p->topics, name, strlen(name), t, NULL) == -1) {
		free(t->name);
		free(t->lanes);
		free(t);
		err_nomem(err);
		return NULL;
	}
	for (int32_t i = 0; i < t->count; i++)
		t->lanes[i] = (struct lane){
		    .producer = p,
		    .topic = t,
		    .partition = i,
		    .linger = {.fire = lane_lingered, .ctx = &t->lanes[i]},
		};
	return t;
}

/* Asks the target for a topic, which it may make. */
static struct producer_topic *
topic_fetch(struct producer *p, const char *name, struct err *err)
{
	struct arena arena;
	struct metadata_call mc = {
	    .names = &name, .name_count = 1, .auto_create = true, .arena = &arena};
	struct producer_topic *t = NULL;

	if (strcmp(name, METADATA_TOPIC) == 0) {
		err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "%s is the metadata log", name);
		return NULL;
	}
	arena_init(&arena, 0);
	target_metadata(p->target, &mc);
	if (target_wait(p->target, &mc.call) == -1)
		*err = mc.call.err;
	else if (mc.topics[0].code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "no topic %s (auto.create.topics.enable is false)", name);
	else if (mc.topics[0].code == ERR_INVALID_TOPIC_EXCEPTION)
		err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "'%s' is no name of a topic", name);
	else if (mc.topics[0].code != 0)
		err_set(err, mc.topics[0].code, "topic %s: %s", name,
		    err_name(mc.topics[0].code));
	else if (mc.topics[0].internal)
		err_set(err, ERR_REFUSED, "topic %s is Kafka's own; records are not written to it", name);
	else if (mc.topics[0].partition_count == 0)
		err_set(err, ERR_LEADER_NOT_AVAILABLE, "topic %s has no partitions", name);
	else
		t = topic_new(p, &mc.topics[0], err);
	arena_release(&arena);
	return t;
}

struct producer_topic *
producer_topic(struct producer *p, const char *name, struct err *err)
{
	struct producer_topic *t = p->last;

	if (p->failure.code != 0) {
		*err = p->failure;
		return NULL;
	}
	if (t != NULL && strcmp(t->name, name) == 0)
		return t;
	t = map_get(&p->topics, name, strlen(name));
	if (t == NULL)
		t = topic_fetch(p, name, err);
	if (t != NULL)
		p->last = t;
	return t;
}

/* --- partitions ------------------------------------------------------------ */

/* Uniform enough: counts are far below 2^32. One partition needs no chance. */
static int32_t
draw(struct producer *p, int32_t count)
{
	uint32_t r;

	if (count == 1)
		return 0;
	os_random(p->target->os, &r, sizeof(r));
	return (int32_t)(r % (uint32_t)count);
}

int32_t
producer_topic_choose(struct producer *p, struct producer_topic *t, const struct record *rec)
{
	int32_t n = partition_for_key(p->config.partitioner, rec->key, rec->key_size, t->count);

	if (n >= 0)
		return n;
	switch (p->config.partitioner) {
	case PARTITION_RR:
		n = t->turn;
		t->turn = (t->turn + 1) % t->count;
		return n;
	case PARTITION_RANDOM:
		return draw(p, t->count);
	default:
		/* Sticky: the same partition until its batch leaves. */
		if (t->sticky == -1)
			t->sticky = draw(p, t->count);
		return t->sticky;
	}
}
