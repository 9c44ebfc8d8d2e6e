#include "client/assignors.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[ASSIGNOR_COUNT] = {
    [ASSIGNOR_RANGE] = "range",
    [ASSIGNOR_ROUNDROBIN] = "roundrobin",
    [ASSIGNOR_STICKY] = "sticky",
    [ASSIGNOR_COOPERATIVE] = "cooperative-sticky",
};

const char *
assignor_name(enum assignor a)
{
	return names[a];
}

static int
parse(const char *const list[ASSIGNOR_COUNT], const char *name, size_t len, enum assignor *out)
{
	for (int i = 0; i < ASSIGNOR_COUNT; i++)
		if (strlen(list[i]) == len && memcmp(list[i], name, len) == 0) {
			*out = (enum assignor)i;
			return 0;
		}
	return -1;
}

int
assignor_parse(const char *name, size_t len, enum assignor *out)
{
	return parse(names, name, len, out);
}

int
assignor_parse_class(const char *name, size_t len, enum assignor *out)
{
	static const char *const classes[ASSIGNOR_COUNT] = {
	    [ASSIGNOR_RANGE] = "RangeAssignor",
	    [ASSIGNOR_ROUNDROBIN] = "RoundRobinAssignor",
	    [ASSIGNOR_STICKY] = "StickyAssignor",
	    [ASSIGNOR_COOPERATIVE] = "CooperativeStickyAssignor",
	};

	return parse(classes, name, len, out);
}

/* --- order -------------------------------------------------------------------- */

/* Kafka's: static members first, by instance; then by id. */
static int
by_member(const void *a, const void *b)
{
	const struct assignee *x = a, *y = b;

	if (x->instance != NULL && y->instance != NULL)
		return strcmp(x->instance, y->instance);
	if (x->instance != NULL || y->instance != NULL)
		return x->instance != NULL ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int
by_topic(const void *a, const void *b)
{
	return strcmp(((const struct assignable *)a)->name, ((const struct assignable *)b)->name);
}

/* All partitions, numbered through: topic after topic. */
struct field {
	struct assignee *members;
	size_t member_count;
	const struct assignable *topics;
	size_t topic_count;
	size_t *starts; /* number of each topic's partition 0; one more than topics */
	bool *wants;	/* [member * topic_count + topic] */
	int *owner;	/* of each partition: a member, or -1 */
	int *before;	/* who has it still: a member, -1 nobody, -2 several say so */
	size_t *load;	/* partitions of each member */
};

static bool
wants(const struct field *f, size_t member, size_t topic)
{
	return f->wants[member * f->topic_count + topic];
}

static size_t
partition_total(const struct field *f)
{
	return f->starts[f->topic_count];
}

static void
give(struct field *f, size_t partition, size_t member)
{
	if (f->owner[partition] >= 0)
		f->load[f->owner[partition]]--;
	f->owner[partition] = (int)member;
	f->load[member]++;
}

static int
field_init(struct field *f, struct arena *arena)
{
	size_t total = 0;

	f->starts = arena_array(arena, f->topic_count + 1, sizeof(*f->starts));
	f->wants = arena_array(arena, f->member_count * f->topic_count + 1, sizeof(*f->wants));
	f->load = arena_array(arena, f->member_count + 1, sizeof(*f->load));
	if (f->starts == NULL || f->wants == NULL || f->load == NULL)
		return -1;
	for (size_t t = 0; t < f->topic_count; t++) {
		f->starts[t] = total;
		total += (size_t)f->topics[t].partition_count;
	}
	f->starts[f->topic_count] = total;
	f->owner = arena_array(arena, total + 1, sizeof(*f->owner));
	if (f->owner == NULL)
		return -1;
	for (size_t i = 0; i < total; i++)
		f->owner[i] = -1;
	for (size_t m = 0; m < f->member_count; m++)
		for (size_t i = 0; i < f->members[m].topic_count; i++) {
			struct assignable key = {.name = f->members[m].topics[i]};
			const struct assignable *t =
			    bsearch(&key, f->topics, f->topic_count, sizeof(key), by_topic);

			if (t != NULL)
				f->wants[m * f->topic_count + (size_t)(t - f->topics)] = true;
		}
	return 0;
}

/* --- range, round robin ----------------------------------------------------------- */

static void
assign_ranges(struct field *f)
{
	for (size_t t = 0; t < f->topic_count; t++) {
		size_t parts = f->starts[t + 1] - f->starts[t], at = f->starts[t], takers = 0,
		       nth = 0;

		for (size_t m = 0; m < f->member_count; m++)
			takers += wants(f, m, t);
		for (size_t m = 0; m < f->member_count; m++) {
			size_t n;

			if (!wants(f, m, t))
				continue;
			n = parts / takers + (nth < parts % takers);
			nth++;
			while (n-- > 0)
				give(f, at++, m);
		}
	}
}

static void
assign_in_turn(struct field *f)
{
	size_t turn = 0;

	for (size_t t = 0; t < f->topic_count; t++)
		for (size_t i = f->starts[t]; i < f->starts[t + 1]; i++) {
			size_t tried = 0;

			while (tried < f->member_count && !wants(f, turn % f->member_count, t)) {
				turn++;
				tried++;
			}
			if (tried < f->member_count)
				give(f, i, turn++ % f->member_count);
		}
}

/* --- sticky ------------------------------------------------------------------------- */

/* Leaves everybody what they have. Of two who say so the one of the later generation
 * has it; neither, if they are of the same. */
static int
assign_owned(struct field *f, struct arena *arena)
{
	size_t total = partition_total(f);
	int64_t *since = arena_array(arena, total + 1, sizeof(*since));

	f->before = arena_array(arena, total + 1, sizeof(*f->before));
	if (since == NULL || f->before == NULL)
		return -1;
	for (size_t m = 0; m < f->member_count; m++) {
		const struct assignee *who = &f->members[m];

		for (size_t i = 0; i < who->owned_count; i++) {
			struct assignable key = {.name = who->owned[i].topic};
			const struct assignable *t =
			    bsearch(&key, f->topics, f->topic_count, sizeof(key), by_topic);
			size_t n;

			if (t == NULL || !wants(f, m, (size_t)(t - f->topics)) ||
			    who->owned[i].partition < 0 ||
			    who->owned[i].partition >= t->partition_count)
				continue;
			n = f->starts[t - f->topics] + (size_t)who->owned[i].partition;
			if (since[n] > who->generation + INT64_C(2) || f->owner[n] == (int)m)
				continue;
			if (since[n] == who->generation + INT64_C(2)) {
				if (f->owner[n] >= 0)
					f->load[f->owner[n]]--;
				f->owner[n] = -1;
				f->before[n] = -2;
				continue;
			}
			give(f, n, m);
			f->before[n] = 0;
			since[n] = who->generation + INT64_C(2); /* above the zero of "nobody" */
		}
	}
	for (size_t i = 0; i < total; i++)
		if (f->before[i] != -2)
			f->before[i] = f->owner[i];
	return 0;
}

/* Of those who want the topic, the one that has least; -1: nobody wants it. */
static int
idlest(const struct field *f, size_t topic)
{
	int best = -1;

	for (size_t m = 0; m < f->member_count; m++)
		if (wants(f, m, topic) && (best < 0 || f->load[m] < f->load[best]))
			best = (int)m;
	return best;
}

/* Moves partitions from those who have two more than somebody who could have them,
 * until there is none: each move makes the loads more even, so it ends. */
static void
even_out(struct field *f)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (size_t t = 0; t < f->topic_count; t++)
			for (size_t i = f->starts[t]; i < f->starts[t + 1]; i++) {
				int to = f->owner[i] >= 0 ? idlest(f, t) : -1;

				if (to < 0 || f->load[f->owner[i]] < f->load[to] + 2)
					continue;
				give(f, i, (size_t)to);
				moved = true;
			}
	}
}

static int
assign_sticky(struct field *f, struct arena *arena)
{
	if (assign_owned(f, arena) == -1)
		return -1;
	for (size_t t = 0; t < f->topic_count; t++)
		for (size_t i = f->starts[t]; i < f->starts[t + 1]; i++) {
			int to = f->owner[i] < 0 ? idlest(f, t) : -1;

			if (to >= 0)
				give(f, i, (size_t)to);
		}
	even_out(f);
	return 0;
}

/* What somebody else still has is given to nobody: its holder learns that it is to let
 * go of it, and joins again. */
static void
hold_back(struct field *f)
{
	for (size_t i = 0; i < partition_total(f); i++)
		if (f->owner[i] >= 0 && f->before[i] != -1 && f->before[i] != f->owner[i]) {
			f->load[f->owner[i]]--;
			f->owner[i] = -1;
		}
}

/* --- all of them ---------------------------------------------------------------------- */

/* From owners to shares. */
static int
share_out(struct field *f, struct arena *arena)
{
	for (size_t m = 0; m < f->member_count; m++) {
		f->members[m].share = arena_array(arena, f->load[m] + 1, sizeof(struct assigned));
		f->members[m].share_count = 0;
		if (f->members[m].share == NULL)
			return -1;
	}
	for (size_t t = 0; t < f->topic_count; t++)
		for (size_t i = f->starts[t]; i < f->starts[t + 1]; i++) {
			struct assignee *who;

			if (f->owner[i] < 0)
				continue;
			who = &f->members[f->owner[i]];
			who->share[who->share_count++] =
			    (struct assigned){f->topics[t].name, (int32_t)(i - f->starts[t])};
		}
	return 0;
}

int
assign(enum assignor a, struct assignee *members, size_t member_count, struct assignable *topics,
    size_t topic_count, struct arena *arena, struct err *err)
{
	struct field f = {.members = members,
	    .member_count = member_count,
	    .topics = topics,
	    .topic_count = topic_count};

	qsort(members, member_count, sizeof(*members), by_member);
	qsort(topics, topic_count, sizeof(*topics), by_topic);
	if (field_init(&f, arena) == -1)
		return err_nomem(err);
	switch (a) {
	case ASSIGNOR_RANGE:
		assign_ranges(&f);
		break;
	case ASSIGNOR_ROUNDROBIN:
		assign_in_turn(&f);
		break;
	case ASSIGNOR_STICKY:
	case ASSIGNOR_COOPERATIVE:
	case ASSIGNOR_COUNT:
		if (assign_sticky(&f, arena) == -1)
			return err_nomem(err);
		if (a == ASSIGNOR_COOPERATIVE)
			hold_back(&f);
		break;
	}
	return share_out(&f, arena) == -1 ? err_nomem(err) : 0;
}
