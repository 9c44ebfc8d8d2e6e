/* assignor_blobs: what members of a group say to each other, through the broker, which
 * does not look into it: an int16 version, and a message. */
#include <stdlib.h>
#include <string.h>

#include "client/assignors.h"
#include "wire_gen.h"

/* What a subscription is written as: 1 has what is owned, 2 the generation. Older
 * leaders pass over what they do not know. */
#define SUBSCRIPTION_VERSION 2
#define ASSIGNMENT_VERSION 0

static int
by_place(const void *a, const void *b)
{
	const struct assigned *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Partitions, topic by topic, as every one of these messages has them. */
struct by_topic {
	struct wire_str topic;
	struct wire_int32s partitions;
};

/* Groups a list; both results in the arena. */
static int
group(const struct assigned *from, size_t count, struct arena *a, struct by_topic **out,
    int32_t *topics)
{
	struct assigned *list = arena_array(a, count + 1, sizeof(*list));
	int32_t *parts = arena_array(a, count + 1, sizeof(*parts));

	*out = arena_array(a, count + 1, sizeof(**out));
	*topics = 0;
	if (list == NULL || parts == NULL || *out == NULL)
		return -1;
	if (count > 0)
		memcpy(list, from, count * sizeof(*list));
	qsort(list, count, sizeof(*list), by_place);
	for (size_t i = 0; i < count; i++) {
		parts[i] = list[i].partition;
		if (i == 0 || strcmp(list[i - 1].topic, list[i].topic) != 0)
			(*out)[(*topics)++] =
			    (struct by_topic){wire_str_of(list[i].topic), {&parts[i], 0}};
		(*out)[*topics - 1].partitions.count++;
	}
	return 0;
}

static int
encode(const struct wire_schema *s, int version, const void *msg, struct buf *out, struct err *err)
{
	buf_i16(out, (int16_t)version);
	if (out->failed)
		return err_nomem(err);
	return wire_encode(s, version, msg, out, err);
}

/* The version that the blob says, as far as we know versions. */
static int
decode(const struct wire_schema *s, struct wire_bytes blob, struct arena *a, void *msg,
    struct err *err)
{
	struct cursor c = cursor_of(blob.data, blob.len > 0 ? (size_t)blob.len : 0);
	int version = cursor_i16(&c);

	if (c.failed || version < 0)
		return err_set(err, ERR_CORRUPT, "%s: a blob of %d bytes", s->name, blob.len);
	if (version > s->versions.max)
		version = s->versions.max;
	return wire_decode(s, version, &c, a, msg, err); /* what follows is a later version's */
}

/* --- subscriptions ----------------------------------------------------------------- */

/* What Kafka's StickyAssignor keeps in user data: topics with partitions, and the
 * generation. Its cooperative one keeps the generation alone there. */
static void
put_user_data(enum assignor a, const struct assignee *m, const struct by_topic *owned,
    int32_t count, struct buf *out)
{
	if (a == ASSIGNOR_STICKY) {
		buf_i32(out, count);
		for (int32_t i = 0; i < count; i++) {
			buf_i16(out, (int16_t)owned[i].topic.len);
			buf_put(out, owned[i].topic.data, (size_t)owned[i].topic.len);
			buf_i32(out, owned[i].partitions.count);
			for (int32_t k = 0; k < owned[i].partitions.count; k++)
				buf_i32(out, owned[i].partitions.items[k]);
		}
	}
	buf_i32(out, m->generation);
}

int
subscription_encode(enum assignor a, const struct assignee *m, struct buf *out, struct err *err)
{
	struct consumer_protocol_subscription sub;
	struct by_topic *owned;
	struct arena arena;
	struct buf user = BUF_INIT;
	bool sticky = a == ASSIGNOR_STICKY || a == ASSIGNOR_COOPERATIVE;
	int32_t count;
	int ret = -1;

	arena_init(&arena, 0);
	wire_init(&wire_consumer_protocol_subscription, &sub);
	sub.topics.items = arena_array(&arena, m->topic_count + 1, sizeof(sub.topics.items[0]));
	if (sub.topics.items == NULL ||
	    group(m->owned, m->owned_count, &arena, &owned, &count) == -1 ||
	    (sub.owned_partitions.items = arena_array(
		 &arena, (size_t)count + 1, sizeof(sub.owned_partitions.items[0]))) == NULL) {
		err_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < m->topic_count; i++)
		sub.topics.items[i] = wire_str_of(m->topics[i]);
	sub.topics.count = (int32_t)m->topic_count;
	sub.generation_id = m->generation;
	if (a == ASSIGNOR_COOPERATIVE) {
		sub.owned_partitions.count = count;
		for (int32_t i = 0; i < count; i++)
			sub.owned_partitions.items[i] =
			    (struct consumer_protocol_subscription_topic_partition){
				.topic = owned[i].topic, .partitions = owned[i].partitions};
	}
	if (sticky && m->generation >= 0) {
		put_user_data(a, m, owned, count, &user);
		sub.user_data = wire_bytes_of(user.data, user.len);
		if (user.failed) {
			err_nomem(err);
			goto out;
		}
	}
	ret = encode(&wire_consumer_protocol_subscription, SUBSCRIPTION_VERSION, &sub, out, err);
out:
	buf_release(&user);
	arena_release(&arena);
	return ret;
}

/* A sticky member's user data; what cannot be read is as if nothing were owned. */
static int
take_user_data(struct wire_bytes user, struct arena *a, struct assignee *out)
{
	struct cursor c = cursor_of(user.data, user.len > 0 ? (size_t)user.len : 0);
	int32_t topics = cursor_i32(&c);
	struct assigned *owned = arena_array(a, cursor_left(&c) / 4 + 1, sizeof(*owned));
	size_t count = 0;

	if (owned == NULL)
		return -1;
	for (int32_t i = 0; i < topics && !c.failed; i++) {
		int16_t len = cursor_i16(&c);
		const uint8_t *name = len >= 0 ? cursor_bytes(&c, (size_t)len) : NULL;
		int32_t parts = name != NULL ? cursor_i32(&c) : 0;
		const char *topic = name != NULL ? arena_memdup(a, name, (size_t)len) : NULL;

		if (name == NULL)
			return 0;
		if (topic == NULL)
			return -1;
		for (int32_t k = 0; k < parts && cursor_left(&c) >= 4; k++)
			owned[count++] = (struct assigned){topic, cursor_i32(&c)};
	}
	if (c.failed || topics < 0)
		return 0;
	out->owned = owned;
	out->owned_count = count;
	if (cursor_left(&c) >= 4)
		out->generation = cursor_i32(&c);
	return 0;
}

static int
take_owned(const struct consumer_protocol_subscription *sub, struct arena *a, struct assignee *out)
{
	struct assigned *owned;
	size_t count = 0;

	for (int32_t i = 0; i < sub->owned_partitions.count; i++)
		count += (size_t)sub->owned_partitions.items[i].partitions.count;
	out->owned = owned = arena_array(a, count + 1, sizeof(*owned));
	if (owned == NULL)
		return -1;
	for (int32_t i = 0; i < sub->owned_partitions.count; i++) {
		const struct consumer_protocol_subscription_topic_partition *t =
		    &sub->owned_partitions.items[i];
		const char *topic = arena_memdup(a, t->topic.data, (size_t)t->topic.len);

		if (topic == NULL)
			return -1;
		for (int32_t k = 0; k < t->partitions.count; k++)
			owned[out->owned_count++] =
			    (struct assigned){topic, t->partitions.items[k]};
	}
	return 0;
}

int
subscription_decode(enum assignor a, struct wire_bytes blob, struct arena *arena,
    struct assignee *out, struct err *err)
{
	struct consumer_protocol_subscription sub;
	int ret = 0;

	if (decode(&wire_consumer_protocol_subscription, blob, arena, &sub, err) == -1)
		return -1;
	out->topic_count = (size_t)sub.topics.count;
	out->topics = arena_array(arena, out->topic_count + 1, sizeof(*out->topics));
	out->owned = NULL;
	out->owned_count = 0;
	out->generation = sub.generation_id;
	if (out->topics == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < out->topic_count; i++)
		if ((out->topics[i] = arena_memdup(
			 arena, sub.topics.items[i].data, (size_t)sub.topics.items[i].len)) == NULL)
			return err_nomem(err);
	if (a == ASSIGNOR_STICKY)
		ret = take_user_data(sub.user_data, arena, out);
	else if (a == ASSIGNOR_COOPERATIVE)
		ret = take_owned(&sub, arena, out);
	if (a == ASSIGNOR_COOPERATIVE && out->generation < 0 && sub.user_data.len >= 4)
		out->generation = (int32_t)be32_get(sub.user_data.data);
	return ret == -1 ? err_nomem(err) : 0;
}

/* --- assignments --------------------------------------------------------------------- */

int
assignment_encode(const struct assigned *share, size_t count, struct buf *out, struct err *err)
{
	struct consumer_protocol_assignment as;
	struct by_topic *list;
	struct arena arena;
	int32_t topics;
	int ret;

	arena_init(&arena, 0);
	wire_init(&wire_consumer_protocol_assignment, &as);
	if (group(share, count, &arena, &list, &topics) == -1 ||
	    (as.assigned_partitions.items = arena_array(
		 &arena, (size_t)topics + 1, sizeof(as.assigned_partitions.items[0]))) == NULL) {
		arena_release(&arena);
		return err_nomem(err);
	}
	as.assigned_partitions.count = topics;
	for (int32_t i = 0; i < topics; i++)
		as.assigned_partitions.items[i] =
		    (struct consumer_protocol_assignment_topic_partition){
			.topic = list[i].topic, .partitions = list[i].partitions};
	ret = encode(&wire_consumer_protocol_assignment, ASSIGNMENT_VERSION, &as, out, err);
	arena_release(&arena);
	return ret;
}

int
assignment_decode(struct wire_bytes blob, struct arena *arena, struct assigned **share,
    size_t *count, struct err *err)
{
	struct consumer_protocol_assignment as;
	size_t total = 0;

	*share = NULL;
	*count = 0;
	if (blob.len <= 0)
		return 0;
	if (decode(&wire_consumer_protocol_assignment, blob, arena, &as, err) == -1)
		return -1;
	for (int32_t i = 0; i < as.assigned_partitions.count; i++)
		total += (size_t)as.assigned_partitions.items[i].partitions.count;
	*share = arena_array(arena, total + 1, sizeof(**share));
	if (*share == NULL)
		return err_nomem(err);
	for (int32_t i = 0; i < as.assigned_partitions.count; i++) {
		const struct consumer_protocol_assignment_topic_partition *t =
		    &as.assigned_partitions.items[i];
		const char *topic = arena_memdup(arena, t->topic.data, (size_t)t->topic.len);

		if (topic == NULL)
			return err_nomem(err);
		for (int32_t k = 0; k < t->partitions.count; k++)
			(*share)[(*count)++] = (struct assigned){topic, t->partitions.items[k]};
	}
	return 0;
}
