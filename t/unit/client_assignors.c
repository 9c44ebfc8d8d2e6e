/* Tests of assignors: Kafka's ranges and turns, and what the sticky ones promise. */
#include <stdlib.h>

#include "client/assignors.h"
#include "tap.h"

#define MEMBERS_MAX 40

static struct arena arena;
static struct assignee members[MEMBERS_MAX];
static size_t member_count;
static struct assignable topics[8];
static size_t topic_count;
static const char *all_topics[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
static char ids[MEMBERS_MAX][8];

static void
begin(size_t count, size_t topic_n, int32_t partitions)
{
	member_count = count;
	topic_count = topic_n;
	for (size_t i = 0; i < count; i++) {
		snprintf(ids[i], sizeof(ids[i]), "m%02zu", i);
		members[i] = (struct assignee){
		    .id = ids[i], .topics = all_topics, .topic_count = topic_n, .generation = -1};
	}
	for (size_t i = 0; i < topic_n; i++)
		topics[i] = (struct assignable){all_topics[i], partitions};
}

static void
run(enum assignor a)
{
	struct err err;

	is_int(assign(a, members, member_count, topics, topic_count, &arena, &err), 0, "%s",
	    assignor_name(a));
}

static const char *
share(size_t m)
{
	static char text[2000];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < members[m].share_count; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s%d", i > 0 ? " " : "",
		    members[m].share[i].topic, members[m].share[i].partition);
	return text;
}

/* What everybody has got is what they own from now on. */
static void
keep(int32_t generation)
{
	for (size_t m = 0; m < member_count; m++) {
		members[m].owned = members[m].share;
		members[m].owned_count = members[m].share_count;
		members[m].generation = generation;
	}
}

static size_t
total(size_t *least, size_t *most)
{
	size_t sum = 0;

	*least = SIZE_MAX;
	*most = 0;
	for (size_t m = 0; m < member_count; m++) {
		sum += members[m].share_count;
		if (members[m].share_count < *least)
			*least = members[m].share_count;
		if (members[m].share_count > *most)
			*most = members[m].share_count;
	}
	return sum;
}

static size_t
moved(void)
{
	size_t n = 0;

	for (size_t m = 0; m < member_count; m++)
		for (size_t i = 0; i < members[m].share_count; i++) {
			size_t k = 0;

			while (
			    k < members[m].owned_count &&
			    (members[m].owned[k].partition != members[m].share[i].partition ||
				strcmp(members[m].owned[k].topic, members[m].share[i].topic) != 0))
				k++;
			n += k == members[m].owned_count;
		}
	return n;
}

static void
ranges_and_turns(void)
{
	static const char *only_b[] = {"b"};

	begin(2, 2, 3);
	run(ASSIGNOR_RANGE);
	is_str(share(0), "a0 a1 b0 b1", "range: the first of Kafka's example");
	is_str(share(1), "a2 b2", "and the second");
	run(ASSIGNOR_ROUNDROBIN);
	is_str(share(0), "a0 a2 b1", "round robin: the first of Kafka's example");
	is_str(share(1), "a1 b0 b2", "and the second");
	members[0].topics = only_b;
	members[0].topic_count = 1;
	run(ASSIGNOR_ROUNDROBIN);
	is_str(share(0), "b0 b2", "who does not want a topic is passed over");
	begin(2, 1, 3);
	members[1].instance = "i";
	run(ASSIGNOR_RANGE);
	is_str(members[0].instance, "i", "static members come first");
	is_int((intmax_t)members[0].share_count, 2, "and get more");
	begin(3, 1, 0);
	run(ASSIGNOR_RANGE);
	is_int((intmax_t)members[0].share_count, 0, "a topic that is not there");
}

static void
sticky(enum assignor a)
{
	size_t least, most;

	begin(3, 2, 5);
	run(a);
	is_int((intmax_t)total(&least, &most), 10, "all are given");
	ok(most - least <= 1, "evenly");
	keep(1);
	run(a);
	is_int((intmax_t)moved(), 0, "nothing moves without need");
	/* One goes. */
	member_count = 2;
	run(a);
	is_int((intmax_t)total(&least, &most), 10, "what it had is given to the others");
	is_int((intmax_t)moved(), 3, "and nothing else moves");
	keep(2);
	/* Two come. */
	for (size_t i = 2; i < 4; i++) {
		snprintf(ids[i], sizeof(ids[i]), "n%02zu", i);
		members[i] = (struct assignee){
		    .id = ids[i], .topics = all_topics, .topic_count = 2, .generation = -1};
	}
	member_count = 4;
	run(a);
	if (a == ASSIGNOR_COOPERATIVE) {
		is_int((intmax_t)total(&least, &most), 6, "what moves is nobody's for a round");
		is_int((intmax_t)moved(), 0, "so nobody takes what another still has");
		keep(3);
		run(a);
	}
	is_int((intmax_t)total(&least, &most), 10, "then all are given");
	ok(most - least <= 1, "evenly again");
	ok(moved() <= 4, "with as few moves as that takes");
	/* Two say that they own the same. */
	begin(2, 1, 2);
	run(a);
	keep(5);
	members[1].owned = members[0].owned;
	members[1].owned_count = members[0].owned_count;
	members[1].generation = 4;
	run(a);
	is_int((intmax_t)members[0].share_count, 1, "of the later generation is who has it");
	is_int(members[0].share[0].partition, members[0].owned[0].partition, "and keeps it");
}

/* Members of different topics: nobody gets what it does not want, and no move would make
 * it more even. */
static void
mixed(void)
{
	static const char *ab[] = {"a", "b"}, *b[] = {"b"};
	bool good = true;

	begin(6, 2, 12);
	for (size_t m = 0; m < 6; m++) {
		members[m].topics = m < 2 ? ab : b;
		members[m].topic_count = m < 2 ? 2 : 1;
	}
	run(ASSIGNOR_STICKY);
	for (size_t m = 2; m < 6; m++)
		for (size_t i = 0; i < members[m].share_count; i++)
			good = good && strcmp(members[m].share[i].topic, "b") == 0;
	ok(good, "nobody gets what it does not want");
	is_int((intmax_t)members[0].share_count, 6, "those who alone want a topic share it");
	is_int((intmax_t)members[5].share_count, 3, "and the others the rest");
}

static void
blobs(void)
{
	static const struct assigned owned[] = {{"b", 2}, {"a", 1}, {"a", 0}};
	static const uint8_t garbage[] = {0, 1, 0, 0, 0, 9};
	struct assignee m = {.topics = all_topics,
	    .topic_count = 2,
	    .owned = owned,
	    .owned_count = 3,
	    .generation = 8};
	struct err err;

	for (int a = 0; a < ASSIGNOR_COUNT; a++) {
		bool is_sticky = a == ASSIGNOR_STICKY || a == ASSIGNOR_COOPERATIVE;
		struct buf b = BUF_INIT;
		struct assignee back = {.id = "x"};

		is_int(subscription_encode((enum assignor)a, &m, &b, &err), 0, "a subscription, %s",
		    assignor_name((enum assignor)a));
		is_int(subscription_decode(
			   (enum assignor)a, wire_bytes_of(b.data, b.len), &arena, &back, &err),
		    0, "is read again");
		is_int((intmax_t)back.topic_count, 2, "with its topics");
		is_str(back.topics[1], "b", "by name");
		is_int((intmax_t)back.owned_count, is_sticky ? 3 : 0, "and what is owned");
		is_int(back.generation, 8, "and since when");
		buf_release(&b);
	}
	{
		struct buf b = BUF_INIT;
		struct assigned *got;
		size_t count;

		assignment_encode(owned, 3, &b, &err);
		is_int(assignment_decode(wire_bytes_of(b.data, b.len), &arena, &got, &count, &err),
		    0, "an assignment is read again");
		ok(count == 3 && got[0].partition == 0 && strcmp(got[2].topic, "b") == 0,
		    "in order");
		is_int(
		    assignment_decode(wire_bytes_of(b.data, b.len - 1), &arena, &got, &count, &err),
		    -1, "a short one is not");
		is_int(assignment_decode(wire_bytes_of(NULL, 0), &arena, &got, &count, &err), 0,
		    "an empty blob is an empty share");
		is_int(subscription_decode(ASSIGNOR_RANGE, wire_bytes_of(garbage, sizeof(garbage)),
			   &arena, &members[0], &err),
		    -1, "garbage is no subscription");
		buf_release(&b);
	}
}

int
main(void)
{
	arena_init(&arena, 0);
	ranges_and_turns();
	sticky(ASSIGNOR_STICKY);
	sticky(ASSIGNOR_COOPERATIVE);
	mixed();
	blobs();
	arena_release(&arena);
	return tap_done();
}
