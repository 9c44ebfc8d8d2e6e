/* A story that mqd's logs live through, for tests in which something goes wrong in it:
 * what they have told, and whether it is true afterwards. */
#ifndef LOGS_STORY_H
#define LOGS_STORY_H

#include "logs_test.h"

#define STEPS 24

/* What the logs have told so far. */
struct ledger {
	int64_t synced[2], start;
	int64_t sequence; /* of log b: the next */
	int appended;     /* done without error */
	bool failed_early; /* something was told although the directory had failed */
	int64_t frozen[2];
};

static void
note(struct node *n, struct ledger *g, struct plog **l)
{
	for (int i = 0; i < 2; i++) {
		if (n->failures > 0 && g->frozen[i] == -1)
			g->frozen[i] = l[i]->synced_offset;
		if (g->frozen[i] != -1 && l[i]->synced_offset > g->frozen[i])
			g->failed_early = true;
		if (l[i]->synced_offset > g->synced[i])
			g->synced[i] = l[i]->synced_offset;
	}
}

struct one_trim {
	struct plog_trim t;
	bool done;
};

static void
one_trim_done(struct plog_trim *t)
{
	((struct one_trim *)t->ctx)->done = true;
}

struct one_retain {
	struct plog_retain r;
	bool done;
};

static void
one_retain_done(struct plog_retain *r)
{
	((struct one_retain *)r->ctx)->done = true;
}

static void
do_trim(struct node *n, struct plog *l, struct ledger *g)
{
	struct one_trim o = {.t = {.offset = l->synced_offset / 2, .done = one_trim_done, .ctx = &o}};

	plog_trim(l, &o.t);
	if (node_turn(n, &o.done) && o.t.err.code == 0)
		g->start = l->start_offset;
}

static void
do_retain(struct node *n, struct plog *l)
{
	struct one_retain o = {.r = {.limit_offset = l->synced_offset, .done = one_retain_done,
	    .ctx = &o}};

	plog_retain(l, &o.r);
	(void)node_turn(n, &o.done);
}

/* A topic that is made, deleted, and made anew. */
static void
do_delete(struct node *n, int i)
{
	static const struct uuid other = {{9, 9}};
	struct plog *c = plog_new(n->s, "c", 0, i % 2 ? &other : &topic_id, &n->settings);

	if (c == NULL)
		return;
	append_one(n, c, (struct make){.value = 30}, NULL);
	if (!fault_is_dead(n->os))
		plog_delete(c);
}

/* Appends to both logs at once. -1: the process is dead. */
static int
do_append(struct node *n, struct plog **l, struct ledger *g, int i)
{
	struct one_append a, b;
	int ret;

	append_begin(l[0], &a, (struct make){.value = (size_t)(i * 37 % 200), .records = 1 + i % 3,
	    .codec = i % 5 == 0 ? CODEC_ZSTD : CODEC_NONE});
	append_begin(l[1], &b, (struct make){.value = (size_t)(i * 53 % 300), .producer = 5,
	    .sequence = (int32_t)g->sequence});
	ret = node_turn(n, &a.done) && node_turn(n, &b.done) ? 0 : -1;
	if (ret == 0) {
		g->appended += (a.a.code == 0) + (b.a.code == 0);
		if (b.a.code == 0)
			g->sequence++;
	}
	free(a.bytes);
	free(b.bytes);
	return ret;
}

static int
step(struct node *n, struct plog **l, struct ledger *g, int i)
{
	if (i % 8 == 5) /* idle logs are closed, and hints and points written */
		sim_advance_ms(n->disk, LOGS_IDLE_MS + 2 * LOGS_CHECKPOINT_MS);
	if (i % 8 == 6)
		do_trim(n, l[0], g);
	if (i % 8 == 7 && !fault_is_dead(n->os))
		do_retain(n, l[1]);
	if (i % 6 == 3 && !fault_is_dead(n->os))
		do_delete(n, i);
	if (fault_is_dead(n->os) || do_append(n, l, g, i) == -1)
		return -1;
	note(n, g, l);
	if (i % 3 == 0)
		node_settle(n);
	note(n, g, l);
	return 0;
}

static bool
stop(struct node *n, struct plog **l)
{
	logs_stop(n->s, node_is_stopped, n);
	if (!node_turn(n, &n->stopped))
		return false;
	plog_free(l[0]);
	plog_free(l[1]);
	node_settle(n);
	logs_free(n->s);
	n->s = NULL;
	return !n->stop_bad;
}

__attribute__((unused)) static void
settings(struct node *n)
{
	n->settings.log.segment_bytes = 1500;
	n->settings.log.index_interval_bytes = 300;
	n->settings.log.retention_bytes = 4000;
}

/* The whole story; true if it came to its end with a clean stop. */
__attribute__((unused)) static bool
work(struct node *n, struct ledger *g)
{
	struct plog *l[2];

	*g = (struct ledger){.frozen = {-1, -1}};
	l[0] = node_plog(n, "a");
	l[1] = node_plog(n, "b");
	if (l[0] == NULL || l[1] == NULL)
		return false;
	for (int i = 0; i < STEPS; i++)
		if (step(n, l, g, i) == -1)
			return false;
	note(n, g, l);
	return stop(n, l);
}

/* --- afterwards ----------------------------------------------------------------------------- */

/* Reads it all; NULL, or what is wrong. Below `synced` nothing may be missing; above,
 * a record that was never told synced may be, in front of a segment that is there.
 * `next` is the sequence that the producer's last batch calls for. */
static const char *
read_check(struct node *n, struct plog *l, int64_t synced, int32_t *next)
{
	struct one_read o = {0};
	int64_t offset = l->start_offset;
	struct batch b;

	for (;; plog_read_release(&o.r)) {
		if (read_one(n, l, &o, offset, 3000) != 0)
			return "cannot be read";
		if (o.r.len == 0)
			break;
		for (size_t at = 0; at < o.r.len; at += (size_t)b.size) {
			if (batch_view((const uint8_t *)o.r.data + at, o.r.len - at, &b) != BATCH_OK ||
			    batch_check(&b) != BATCH_OK)
				return "bad bytes";
			if (b.base_offset > offset && offset < synced)
				return "a hole";
			if (next != NULL && b.base_sequence != b.base_offset)
				return "a record twice, or not at all";
			if (next != NULL)
				*next = b.base_sequence + 1;
			offset = batch_next_offset(&b);
		}
	}
	plog_read_release(&o.r);
	return offset >= synced ? NULL : "ends early";
}

static const char *
check_log(struct node *n, struct plog *l, int64_t synced, int32_t *next)
{
	if (load_one(n, l) != 0)
		return "cannot be loaded";
	if (l->end_offset < synced)
		return "synced records are gone";
	return read_check(n, l, synced, next);
}

/* Starts on what is left. NULL, or what is wrong. */
__attribute__((unused)) static const char *
check(struct node *n, const struct ledger *g, bool again_too)
{
	struct make m = {.producer = 5};
	struct plog_append again;
	struct plog *l[2];
	const char *why;

	if (!node_start(n))
		return "no start";
	l[0] = node_plog(n, "a");
	l[1] = node_plog(n, "b");
	why = check_log(n, l[0], g->synced[0], NULL);
	if (why == NULL)
		why = check_log(n, l[1], g->synced[1], &m.sequence);
	if (why != NULL)
		return why;
	if (l[0]->start_offset < g->start)
		return "the start went back";
	/* Once more, on what that start has made of it. */
	if (!again_too) {
		node_kill(n);
		return check(n, g, true);
	}
	/* A producer that retries is not told that something is there that is not. */
	if (append_one(n, l[1], m, &again) != 0 || again.duplicate)
		return "the producer cannot go on";
	return n->failures > 0 ? "failed" : NULL;
}

__attribute__((unused)) static void
say(int *wrong, const char *why, struct node *n, uint64_t at, const char *where)
{
	if (why == NULL)
		return;
	if ((*wrong)++ < 5)
		printf("# call %d (%s): %s: %s\n# %s", (int)at, where, why, n->err.text, n->notes);
}

#endif
