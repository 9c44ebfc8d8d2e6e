/* consumer_topics: which topics and partitions there are to read, and what is added
 * to them while they are followed. */
#include <stdlib.h>
#include <string.h>

#include "client/consumer_impl.h"

/* How often a follower looks for partitions and topics that were added, and how soon
 * it looks again when it hears of a change. */
#define REFRESH_NS 1000000000LL
#define CHANGED_NS 50000000LL

bool
consumer_has_end(const struct consumer *c)
{
	return c->config.stop_at_end || c->config.range.to.kind != POINT_NONE;
}

struct part *
part_add(struct consumer *c, struct ctopic *t, int32_t number, struct err *err)
{
	struct part *p = calloc(1, sizeof(*p));

	if (c->part_count == c->part_cap) {
		size_t cap = c->part_cap * 2 + 8;
		struct part **more = realloc(c->parts, cap * sizeof(struct part *));

		if (more != NULL) {
			c->parts = more;
			c->part_cap = cap;
		}
	}
	if (p == NULL || c->part_count == c->part_cap) {
		free(p);
		err_nomem(err);
		return NULL;
	}
	*p = (struct part){.fetch = {.topic = t->name, .topic_id = t->id, .partition = number},
	    .of = t,
	    .to = c->started && consumer_has_end(c) ? 0 : -1,
	    .committed = -1};
	c->parts[c->part_count++] = p;
	return p;
}

/* The topic as the target knows it. */
static int
ask_topic(struct consumer *c, const char *name, struct arena *arena,
    const struct target_topic **out, struct err *err)
{
	struct metadata_call mc = {.names = &name, .name_count = 1, .arena = arena};

	target_metadata(c->target, &mc);
	if (target_wait(c->target, &mc.call) == -1) {
		*err = mc.call.err;
		return -1;
	}
	if (mc.topics[0].code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION, "no topic %s", name);
	if (mc.topics[0].code != 0)
		return err_set(err, mc.topics[0].code, "topic %s: %s", name,
		    err_name(mc.topics[0].code));
	/* cppcheck-suppress autoVariables ; the topics are the arena's, not the call's */
	*out = &mc.topics[0];
	return 0;
}

static struct ctopic *
topic_add(struct consumer *c, const char *name, struct err *err)
{
	struct ctopic *t = calloc(1, sizeof(*t));
	struct ctopic **list =
	    realloc(c->topics, (c->topic_count + 1) * sizeof(struct ctopic *));

	if (list != NULL)
		c->topics = list;
	if (t != NULL)
		t->name = strdup(name);
	if (t == NULL || list == NULL || t->name == NULL) {
		if (t != NULL)
			free(t->name);
		free(t);
		err_nomem(err);
		return NULL;
	}
	c->topics[c->topic_count++] = t;
	return t;
}

int
consumer_add(struct consumer *c, const char *topic, const int32_t *partitions,
    size_t partition_count, struct err *err)
{
	const struct target_topic *found;
	struct ctopic *t;
	struct arena arena;
	int ret = -1;

	arena_init(&arena, 0);
	if (ask_topic(c, topic, &arena, &found, err) == -1 ||
	    (t = topic_add(c, topic, err)) == NULL)
		goto out;
	t->id = found->id;
	t->all = partitions == NULL;
	if (t->all)
		partition_count = found->partition_count;
	for (size_t i = 0; i < partition_count; i++) {
		int32_t n = partitions == NULL ? found->partitions[i].number : partitions[i];

		if (n < 0 || (size_t)n >= found->partition_count) {
			err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
			    "topic %s has no partition %d, only 0 to %zu", topic, n,
			    found->partition_count - 1);
			goto out;
		}
		if (part_add(c, t, n, err) == NULL)
			goto out;
	}
	ret = 0;
out:
	arena_release(&arena);
	return ret;
}

struct part *
part_find(const struct consumer *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->fetch.partition == partition &&
		    (c->parts[i]->fetch.topic == topic ||
		        strcmp(c->parts[i]->fetch.topic, topic) == 0))
			return c->parts[i];
	return NULL;
}

/* A follower takes in the partitions of a topic that were added, from their
 * beginning. */
static int
take_partitions(struct consumer *c, struct ctopic *t, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int32_t n = (int32_t)i;
		struct part *p;

		if (part_find(c, t->name, n) != NULL ||
		    (t->late && !c->config.wants(c->config.ctx, t->name, n)))
			continue;
		p = part_add(c, t, n, err);
		if (p == NULL)
			return -1;
		/* The group may have given it to us before we knew of it, since a topic
		 * of that name was there before: it is to give it again. */
		if (c->member == NULL)
			p->state = PART_READING;
		else
			target_group_released(c->target, c->member, t->name, n);
	}
	return 0;
}

/* --- topics that are deleted ----------------------------------------------- */

/* What the group has given us of it goes back, to be given again if there is a
 * topic of that name. */
static void
part_drop(struct consumer *c, size_t i)
{
	struct part *p = c->parts[i];

	target_forget(c->target, &p->fetch);
	if (c->member != NULL && p->state != PART_IDLE)
		target_group_released(c->target, c->member, p->fetch.topic, p->fetch.partition);
	free(p);
	c->part_count--;
	memmove(&c->parts[i], &c->parts[i + 1], (c->part_count - i) * sizeof(struct part *));
}

static void
topic_drop(struct consumer *c, size_t i)
{
	struct ctopic *t = c->topics[i];

	for (size_t n = c->part_count; n-- > 0;)
		if (c->parts[n]->of == t)
			part_drop(c, n);
	c->topic_count--;
	memmove(&c->topics[i], &c->topics[i + 1],
	    (c->topic_count - i) * sizeof(struct ctopic *));
	t->next = c->gone;
	c->gone = t;
}

/* Looks at topics[i]: 0; 1: it was deleted and dropped, so that topics[i] is another;
 * -1. One of its name that was made since is not it: no offset of the one means
 * anything in the other. */
static int
refresh_topic(struct consumer *c, size_t i, struct err *err)
{
	struct ctopic *t = c->topics[i];
	const struct target_topic *found;
	bool deleted, anew = false;
	struct arena arena;
	int ret;

	arena_init(&arena, 0);
	ret = ask_topic(c, t->name, &arena, &found, err);
	deleted = ret == -1 && err->code == ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (ret == 0 && !uuid_is_zero(&t->id) && !uuid_equal(&found->id, &t->id)) {
		anew = true;
		ret = err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "topic %s was deleted, and made anew", t->name);
	}
	if (ret == 0 && t->all && !consumer_has_end(c))
		ret = take_partitions(c, t, found->partition_count, err);
	arena_release(&arena);
	if ((!deleted && !anew) || c->config.may_go == NULL ||
	    !c->config.may_go(c->config.ctx, t->name))
		return ret;
	os_note(c->target->os, OS_INFO, "topic %s was deleted%s", t->name,
	    anew ? ", and made anew" : "");
	topic_drop(c, i);
	return 1;
}

/* Has the group given or taken something of it that was not seen to yet? */
static bool
has_moved(const struct consumer *c, const struct ctopic *t)
{
	for (size_t i = 0; i < c->part_count; i++) {
		const struct part *p = c->parts[i];

		if (p->of == t && (p->state == PART_STARTING || p->state == PART_REVOKING))
			return true;
	}
	return false;
}

int
consumer_drop_deleted(struct consumer *c, bool moved_only, struct err *err)
{
	int dropped = 0;

	for (size_t i = 0; i < c->topic_count;) {
		int got = 0;

		if (!moved_only || has_moved(c, c->topics[i]))
			got = refresh_topic(c, i, err);
		if (got == -1)
			return -1;
		if (got == 1)
			dropped = 1;
		else
			i++;
	}
	return dropped;
}

/* --- topics that are made -------------------------------------------------- */

static bool
is_known(const struct consumer *c, const char *topic)
{
	for (size_t i = 0; i < c->topic_count; i++)
		if (strcmp(c->topics[i]->name, topic) == 0)
			return true;
	return false;
}

/* Takes a topic in that was not there at the start. */
static int
take_topic(struct consumer *c, const struct target_topic *found, struct err *err)
{
	struct ctopic *t = topic_add(c, found->name, err);

	if (t == NULL)
		return -1;
	t->id = found->id;
	t->all = t->late = true;
	if (take_partitions(c, t, found->partition_count, err) == -1)
		return -1;
	return c->member == NULL ? 0 : target_group_add_topic(c->target, c->member, t->name, err);
}

static bool
is_wanted(const struct consumer *c, const struct target_topic *t)
{
	for (size_t n = 0; n < t->partition_count; n++)
		if (c->config.wants(c->config.ctx, t->name, (int32_t)n))
			return true;
	return false;
}

static int
take_topics(struct consumer *c, struct err *err)
{
	struct metadata_call all = {.names = NULL};
	struct arena arena;
	int ret;

	arena_init(&arena, 0);
	all.arena = &arena;
	target_metadata(c->target, &all);
	ret = target_wait(c->target, &all.call);
	if (ret == -1)
		*err = all.call.err;
	for (size_t i = 0; i < all.topic_count && ret == 0; i++)
		if (!is_known(c, all.topics[i].name) && is_wanted(c, &all.topics[i]))
			ret = take_topic(c, &all.topics[i], err);
	arena_release(&arena);
	return ret;
}

int
consumer_refresh(struct consumer *c, struct err *err)
{
	int64_t now = os_mono_ns(c->target->os);

	if (now - c->refreshed_ns < (c->target->topics_changed ? CHANGED_NS : REFRESH_NS))
		return 0;
	c->refreshed_ns = now;
	c->target->topics_changed = false;
	if (consumer_drop_deleted(c, false, err) == -1)
		return -1;
	if (c->config.wants == NULL || consumer_has_end(c))
		return 0;
	return take_topics(c, err);
}
