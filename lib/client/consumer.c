#include "client/consumer.h"

#include <stdlib.h>
#include <string.h>

#include "client/consumer_impl.h"
#include "log/producers.h"

/* With a group, the longest that a fetch may hold up a partition that another
 * member waits for. */
#define GROUP_WAIT_MS 100

void
consumer_config_default(struct consumer_config *c)
{
	*c = (struct consumer_config){
	    .unstored = POINT_BEGINNING,
	    .tail = -1,
	    .client_id = "mq",
	    .isolation = READ_COMMITTED,
	};
}

struct consumer *
consumer_new(struct target *t, const struct consumer_config *config, struct err *err)
{
	struct consumer *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	c->target = t;
	c->config = *config;
	return c;
}

void
consumer_free(struct consumer *c)
{
	if (c == NULL)
		return;
	consumer_stop(c);
	for (size_t i = 0; i < c->topic_count; i++) {
		free(c->topics[i]->name);
		free(c->topics[i]);
	}
	while (c->gone != NULL) {
		struct ctopic *t = c->gone;

		c->gone = t->next;
		free(t->name);
		free(t);
	}
	for (size_t i = 0; i < c->part_count; i++)
		free(c->parts[i]);
	free(c->topics);
	free(c->parts);
	free(c->asked);
	record_reader_release(&c->reader);
	free(c);
}

/* --- the group ------------------------------------------------------------- */

static void
on_assigned(void *ctx, const char *topic, int32_t partition)
{
	struct consumer *c = ctx;
	struct part *p = part_find(c, topic, partition);

	/* A partition that was added since; or one that -p leaves out. */
	for (size_t i = 0; i < c->topic_count && p == NULL; i++)
		if (c->topics[i]->all && strcmp(c->topics[i]->name, topic) == 0 &&
		    (p = part_add(c, c->topics[i], partition, &c->failure)) == NULL)
			return;
	if (p != NULL)
		p->state = PART_STARTING;
}

static void
on_revoke(void *ctx, const char *topic, int32_t partition)
{
	struct consumer *c = ctx;
	struct part *p = part_find(c, topic, partition);

	if (p != NULL && p->state != PART_IDLE)
		p->state = PART_REVOKING;
	else
		target_group_released(c->target, c->member, topic, partition);
}

static void
on_failed(void *ctx, const struct err *err)
{
	struct consumer *c = ctx;

	c->failure = *err;
}

static int
join(struct consumer *c, struct err *err)
{
	const char **names = calloc(c->topic_count + 1, sizeof(*names));
	struct target_member_events events = {
	    .assigned = on_assigned, .revoke = on_revoke, .failed = on_failed, .ctx = c};

	if (names == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->topic_count; i++)
		names[i] = c->topics[i]->name;
	c->member = target_group_join(c->target, c->config.group, c->config.client_id, names,
	    c->topic_count, &events, err);
	free(names);
	return c->member == NULL ? -1 : 0;
}

int
consumer_start(struct consumer *c, struct err *err)
{
	c->refreshed_ns = os_mono_ns(c->target->os);
	if (!consumer_has_end(c))
		target_watch_topics(c->target);
	if (consumer_resolve_ends(c, c->parts, c->part_count, err) == -1)
		return -1;
	c->started = true;
	if (c->config.group != NULL)
		return join(c, err);
	if (consumer_resolve_starts(c, c->parts, c->part_count, err) == -1)
		return -1;
	for (size_t i = 0; i < c->part_count; i++)
		c->parts[i]->state = PART_READING;
	return 0;
}

static bool
has_moved(const struct consumer *c)
{
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->state == PART_REVOKING || c->parts[i]->state == PART_STARTING)
			return true;
	return false;
}

static int commit(struct consumer *c, struct err *err);

/* Starts what was assigned and gives back what was taken, outside of any
 * callback. A topic's being deleted or made anew moves its partitions too, so that
 * is looked at first: nothing of the one may go on in the other. No part may be
 * dropped from here on: of what goes meanwhile consumer_step takes care. */
static int
settle_group(struct consumer *c, struct err *err)
{
	if (c->failure.code != 0) {
		*err = c->failure;
		return -1;
	}
	if (has_moved(c) && consumer_drop_deleted(c, true, err) == -1)
		return -1;
	for (size_t i = 0; i < c->part_count; i++) {
		struct part *p = c->parts[i];

		if (p->state == PART_REVOKING) {
			if (c->config.revoked != NULL)
				c->config.revoked(c->config.ctx, p->fetch.topic,
				    p->fetch.partition);
			if (!c->config.never_commits && commit(c, err) == -1)
				return -1;
			target_forget(c->target, &p->fetch);
			p->state = PART_IDLE;
			target_group_released(c->target, c->member, p->fetch.topic,
			    p->fetch.partition);
		} else if (p->state == PART_STARTING) {
			if (consumer_resolve_starts(c, &p, 1, err) == -1)
				return -1;
			p->told_end = false;
			/* Unless it was taken meanwhile. */
			if (p->state == PART_STARTING)
				p->state = PART_READING;
		}
	}
	return 0;
}

/* --- delivering ------------------------------------------------------------ */

bool
part_is_aborted(const struct part *p, const struct batch *b)
{
	if (!batch_is_transactional(b))
		return false;
	for (size_t i = 0; i < p->fetch.aborted_count; i++) {
		const struct aborted_txn *a = &p->fetch.aborted[i];

		if (a->producer_id == b->producer_id && a->first_offset <= b->base_offset &&
		    b->base_offset <= a->last_offset)
			return true;
	}
	return false;
}

/* Gives the records of a batch out. 1: go on; 0: stop or at the end; -1. */
static int
deliver(struct consumer *c, struct part *p, const struct batch *b, int64_t position,
    struct err *err)
{
	struct consumed where = {
	    .topic = p->fetch.topic, .partition = p->fetch.partition, .batch = b};
	struct record rec;
	int got, told;

	if (batch_is_control(b) || part_is_aborted(p, b))
		return 1;
	if (record_reader_open(&c->reader, b, err) == -1)
		return -1;
	while ((got = record_reader_next(&c->reader, &rec, err)) == 1) {
		if (rec.offset < position)
			continue;
		if (p->to >= 0 && rec.offset >= p->to)
			return 1;
		if (p->skip > 0) {
			p->skip--;
			continue;
		}
		told = c->config.record(c->config.ctx, &where, &rec);
		if (told >= 0)
			p->delivered = rec.offset + 1;
		if (told != 0) {
			c->stopped = true;
			p->fetch.offset = p->delivered;
			return 0;
		}
	}
	return got == -1 ? -1 : 1;
}

/* An error of one partition: passed over with -E, healed, or for the caller. */
static int
part_error(struct consumer *c, struct part *p, struct err *err)
{
	if (err->code == ERR_OFFSET_OUT_OF_RANGE && p->fetch.offset < p->fetch.log_start) {
		os_note(c->target->os, OS_WARN,
		    "%s-%d: offsets %lld to %lld are no longer there; going on at %lld",
		    p->fetch.topic, p->fetch.partition, (long long)p->fetch.offset,
		    (long long)p->fetch.log_start - 1, (long long)p->fetch.log_start);
		p->fetch.offset = p->fetch.log_start;
		return 0;
	}
	if (c->config.skip_errors && (err->code == ERR_CORRUPT || err->code == ERR_CORRUPT_MESSAGE)) {
		if (c->config.damage != NULL)
			c->config.damage(c->config.ctx, p->fetch.topic, p->fetch.partition, err);
		return 0;
	}
	return -1;
}

static void
check_end(struct consumer *c, struct part *p)
{
	bool done = p->to >= 0 && p->fetch.offset >= p->to;

	if ((done || p->fetch.offset >= p->fetch.end) && !p->told_end) {
		p->told_end = true;
		if (c->config.at_end != NULL)
			c->config.at_end(c->config.ctx, p->fetch.topic, p->fetch.partition,
			    p->fetch.offset);
	}
	if (done) {
		target_forget(c->target, &p->fetch);
		p->state = PART_DONE;
	}
}

/* One batch of one partition. 1: there was something; 0: nothing; -1. */
static int
step_part(struct consumer *c, struct part *p, size_t *budget, struct err *err)
{
	int64_t position = p->fetch.offset;
	struct batch b;
	int got;

	if (p->to >= 0 && position >= p->to) {
		check_end(c, p);
		return 1;
	}
	if (!p->fetch.ready)
		return 0;
	got = target_next(c->target, &p->fetch, &b, err);
	if (got == 1) {
		p->told_end = false;
		*budget -= (size_t)b.size < *budget ? (size_t)b.size : *budget;
		got = deliver(c, p, &b, position, err) == -1 ? -1 : 1;
	}
	if (got == -1)
		return part_error(c, p, err) == -1 ? -1 : 1;
	check_end(c, p);
	return got;
}

/* Asks for more of every partition that is read. */
static int
fetch(struct consumer *c, int timeout_ms, struct err *err)
{
	struct fetch_call call = {.max_wait_ms = timeout_ms, .isolation = c->config.isolation};

	if (c->asked_cap < c->part_count) {
		struct fetch_part **more = realloc(c->asked, c->part_count * sizeof(*more));

		if (more == NULL)
			return err_nomem(err);
		c->asked = more;
		c->asked_cap = c->part_count;
	}
	call.parts = c->asked;
	for (size_t i = 0; i < c->part_count; i++)
		if (c->parts[i]->state == PART_READING)
			c->asked[call.part_count++] = &c->parts[i]->fetch;
	if (call.part_count == 0)
		return target_turn(c->target, timeout_ms, err);
	target_fetch(c->target, &call);
	if (target_wait(c->target, &call.call) == 0)
		return 0;
	*err = call.call.err;
	return -1;
}

static bool
is_over(const struct consumer *c)
{
	if (c->stopped)
		return true;
	if (!consumer_has_end(c) ||
	    (c->member != NULL && !target_group_settled(c->target, c->member)))
		return false;
	for (size_t i = 0; i < c->part_count; i++) {
		const struct part *p = c->parts[i];

		if (p->state == PART_IDLE ? p->to < 0 : p->state != PART_DONE)
			return false;
	}
	return true;
}

static int
step(struct consumer *c, size_t budget, int timeout_ms, struct err *err)
{
	bool any = false;

	if (target_turn(c->target, 0, err) == -1 || settle_group(c, err) == -1)
		return -1;
	for (size_t idle = 0; idle < c->part_count && budget > 0 && !c->stopped;) {
		struct part *p = c->parts[c->turn++ % c->part_count];
		int got = p->state == PART_READING ? step_part(c, p, &budget, err) : 0;

		if (got == -1)
			return -1;
		idle = got == 1 ? 0 : idle + 1;
		any |= got == 1;
	}
	if (is_over(c))
		return 0;
	if (budget == 0)
		return 1;
	if (c->member != NULL && timeout_ms > GROUP_WAIT_MS)
		timeout_ms = GROUP_WAIT_MS;
	if (fetch(c, any ? 0 : timeout_ms, err) == -1 || consumer_refresh(c, err) == -1)
		return -1;
	return 1;
}

/* Did something fail because a topic went that may go? If one went that may not,
 * that is the error. */
static bool
is_passed_over(struct consumer *c, struct err *err)
{
	struct err why;
	int got = consumer_drop_deleted(c, false, &why);

	if (got == -1 && why.code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		*err = why;
	return got == 1;
}

int
consumer_step(struct consumer *c, size_t budget, int timeout_ms, struct err *err)
{
	int ret = step(c, budget, timeout_ms, err);

	return ret == -1 && is_passed_over(c, err) ? 1 : ret;
}

/* --- committing ------------------------------------------------------------ */

void
consumer_handled(struct consumer *c, const char *topic, int32_t partition, int64_t offset)
{
	/* Not by name: that may be another topic's by now. */
	for (size_t i = 0; i < c->part_count; i++) {
		struct part *p = c->parts[i];

		if (p->fetch.topic == topic && p->fetch.partition == partition &&
		    offset + 1 > p->handled)
			p->handled = offset + 1;
	}
}

/* What may be committed: past what follows the last handled record without
 * being anybody's, such as control batches; -1 if that is nothing new. An offset
 * that the log does not have is replaced at once: it may have it again later. */
static int64_t
part_to_commit(const struct part *p)
{
	int64_t at = p->handled;

	if (p->state != PART_READING && p->state != PART_REVOKING && p->state != PART_DONE)
		return -1;
	if (p->handled >= p->delivered && p->fetch.offset > at)
		at = p->fetch.offset;
	if (p->to >= 0 && at > p->to)
		at = p->to;
	return at > p->committed && (at > 0 || p->committed >= 0 || p->is_reset) ? at : -1;
}

static int
commit(struct consumer *c, struct err *err)
{
	struct group_position *pos;
	struct commit_call call;
	size_t n = 0;
	int ret = 0;

	if (c->config.group == NULL || !c->started)
		return 0;
	pos = calloc(c->part_count + 1, sizeof(*pos));
	if (pos == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < c->part_count; i++)
		if (part_to_commit(c->parts[i]) >= 0)
			pos[n++] = (struct group_position){
			    .topic = c->parts[i]->fetch.topic,
			    .topic_id = c->parts[i]->of->id,
			    .partition = c->parts[i]->fetch.partition,
			    .offset = part_to_commit(c->parts[i]),
			    .leader_epoch = -1,
			    .commit_time_ms = -1,
			};
	if (n > 0) {
		call = (struct commit_call){.group = c->config.group,
		    .member = c->member,
		    .positions = pos,
		    .position_count = n};
		target_commit(c->target, &call);
		ret = target_wait(c->target, &call.call);
		if (ret == -1)
			*err = call.call.err;
	}
	for (size_t i = 0; i < n && ret == 0; i++)
		part_find(c, pos[i].topic, pos[i].partition)->committed = pos[i].offset;
	free(pos);
	return ret;
}

int
consumer_commit(struct consumer *c, struct err *err)
{
	int ret = commit(c, err);

	return ret == -1 && is_passed_over(c, err) ? commit(c, err) : ret;
}

void
consumer_stop(struct consumer *c)
{
	for (size_t i = 0; i < c->part_count; i++)
		target_forget(c->target, &c->parts[i]->fetch);
	if (c->member != NULL)
		target_group_leave(c->target, c->member);
	c->member = NULL;
	c->started = false;
}
