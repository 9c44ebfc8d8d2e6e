/*
 * mq-consume: records out of topics, to stdout.
 *
 * The way of a record: consumer (which, from where to where) -> record_out
 * (format) -> sink (stdout, and what has really left) -> consumer_handled ->
 * commit.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/format.h"
#include "cli/range.h"
#include "cli/select.h"
#include "cli/sink.h"
#include "cli/tool.h"
#include "client/consumer.h"
#include "programs.h"

/* Bytes that are gathered before a write; what is there leaves earlier when
 * nothing more comes at once. */
#define WRITE_BYTES (256 << 10)

/* What one step may read, and the longest it may wait: signals and a closed
 * pipe are looked at in between. */
#define STEP_BYTES (1 << 20)
#define STEP_WAIT_MS 100

/* How often a group commits while records flow. */
#define COMMIT_NS 1000000000LL

/* The longest wait for a topic that is not there yet, without -m. */
#define TOPIC_WAIT_MS 60000

struct consume {
	const struct options *options;
	struct connection conn;
	struct consumer *consumer;
	struct consumer_config config;
	struct selection selection; /* the topics */
	struct partition_set partitions;
	struct format *format;
	struct sink sink;
	struct place place;
	enum choice_commit commit;
	bool follows;
	bool unbuffered;
	int64_t count, limit; /* records printed; -c or -1 */
	int64_t passed_over;  /* errors, with -E */
	int64_t committed_ns;
	struct sink_mark left; /* the newest of one partition, not handed on yet */
	int status; /* of words that mean no topic */
	struct err err;
};

/* --- records --------------------------------------------------------------- */

static int
on_record(void *ctx, const struct consumed *where, const struct record *rec)
{
	struct consume *c = ctx;

	c->place.topic = where->topic;
	c->place.partition = where->partition;
	c->place.number = c->count + 1;
	c->place.broker = c->conn.target->node_id;
	place_set_batch(&c->place, where->batch);
	if (format_run(c->format, rec, &c->place, &c->sink.out, &c->err) == -1)
		return err_prefix(&c->err, "%s-%d: offset %lld", where->topic, where->partition,
		    (long long)rec->offset);
	if (sink_mark(&c->sink, where->topic, where->partition, rec->offset, &c->err) == -1)
		return -1;
	c->count++;
	if ((c->unbuffered || c->sink.out.len >= WRITE_BYTES) &&
	    sink_flush(&c->sink, &c->err) == -1)
		return -1;
	return c->limit >= 0 && c->count >= c->limit ? 1 : 0;
}

/* Is a topic meant that was made while others are followed? */
static bool
on_new_topic(void *ctx, const char *topic, int32_t partition)
{
	struct consume *c = ctx;

	return selection_has(&c->selection, topic) && partition_set_has(&c->partitions, partition);
}

/* A topic that is named as such must stay; one of those that match may go. */
static bool
on_gone_topic(void *ctx, const char *topic)
{
	struct consume *c = ctx;

	for (size_t i = 0; i < c->selection.count; i++)
		if (c->selection.list[i].kind == PATTERN_NAME &&
		    strcmp(c->selection.list[i].text, topic) == 0)
			return false;
	return true;
}

static void
on_damage(void *ctx, const char *topic, int32_t partition, const struct err *err)
{
	struct consume *c = ctx;

	(void)topic;
	(void)partition;
	c->passed_over++;
	report_error("%s", err->text);
}

static void
on_at_end(void *ctx, const char *topic, int32_t partition, int64_t offset)
{
	(void)ctx;
	report_debug("%s-%d: at the end, offset %lld", topic, partition, (long long)offset);
}

/* --- commits --------------------------------------------------------------- */

static void
hand_on(struct consume *c)
{
	if (c->left.topic != NULL)
		consumer_handled(c->consumer, c->left.topic, c->left.partition, c->left.offset);
	c->left.topic = NULL;
}

static void
on_left(void *ctx, const struct sink_mark *m)
{
	struct consume *c = ctx;

	if (c->left.topic != NULL &&
	    (c->left.topic != m->topic || c->left.partition != m->partition))
		hand_on(c);
	c->left = *m;
}

/* Tells the consumer which records have left. */
static int
settle(struct consume *c, struct err *err)
{
	if (sink_settle(&c->sink, on_left, c, err) == -1)
		return -1;
	hand_on(c);
	return 0;
}

static bool
interrupted(void)
{
	return signals_caught() != 0;
}

/* The group takes a partition away: what was read of it must be gone from here
 * before another member begins behind it. */
static void
on_revoked(void *ctx, const char *topic, int32_t partition)
{
	struct consume *c = ctx;

	report_info("%s-%d: handed over to another member", topic, partition);
	if (c->err.code != 0 || sink_flush(&c->sink, &c->err) == -1)
		return;
	sink_drain(&c->sink, -1, interrupted);
	settle(c, &c->err);
}

static int
commit_when_due(struct consume *c, struct err *err)
{
	int64_t now = os_mono_ns(c->conn.os);

	if (c->config.group == NULL || c->commit != COMMIT_AFTER_WRITE ||
	    now - c->committed_ns < COMMIT_NS)
		return 0;
	c->committed_ns = now;
	return settle(c, err) == -1 ? -1 : consumer_commit(c->consumer, err);
}

/* Commits what has left, whatever the reason for stopping. */
static int
commit_finally(struct consume *c, struct err *err)
{
	if (c->config.group == NULL || c->commit == COMMIT_NEVER)
		return 0;
	if (settle(c, err) == -1)
		return -1;
	return consumer_commit(c->consumer, err);
}

/* --- setting up ------------------------------------------------------------ */

static int
read_range(struct consume *c, struct err *err)
{
	const char *text;
	size_t at = 0;

	while ((text = options_each(c->options, 'o', &at)) != NULL)
		if (range_parse(&c->config.range, text, os_wall_ms(c->conn.os), err) == -1)
			return -1;
	at = 0;
	while ((text = options_each(c->options, 'p', &at)) != NULL)
		if (partition_set_parse(&c->partitions, text, err) == -1)
			return -1;
	if (c->config.range.from.kind == POINT_STORED && c->config.group == NULL)
		return err_set(err, ERR_INVALID, "-o stored: no group whose offsets are meant (-G)");
	if (c->config.range.to.kind == POINT_STORED)
		return err_set(err, ERR_INVALID, "-o: a range cannot end at 'stored'");
	return 0;
}

static enum target_isolation
read_isolation(const struct consume *c)
{
	const char *set = config_text(&c->conn.config, PROP_ISOLATION);

	switch (options_choice(c->options, OPT_ISOLATION, -1)) {
	case ISOLATION_COMMITTED:
		return READ_COMMITTED;
	case ISOLATION_UNCOMMITTED:
		return READ_UNCOMMITTED;
	}
	return strcmp(set, "read_uncommitted") == 0 ? READ_UNCOMMITTED : READ_COMMITTED;
}

/* Where a group begins that has committed nothing (auto.offset.reset). */
static enum point_kind
read_reset(const struct consume *c)
{
	const char *set = config_text(&c->conn.config, PROP_AUTO_OFFSET_RESET);

	if (strcmp(set, "none") == 0 || strcmp(set, "error") == 0)
		return POINT_NONE;
	return strcmp(set, "latest") == 0 || strcmp(set, "end") == 0 ||
	        strcmp(set, "largest") == 0 ? POINT_END : POINT_BEGINNING;
}

static int
read_options(struct consume *c, struct err *err)
{
	const struct options *o = c->options;
	struct consumer_config *cf = &c->config;
	bool has_patterns = false;

	consumer_config_default(cf);
	cf->group = options_value(o, 'G');
	cf->stop_at_end = options_has(o, 'e') || options_has(o, OPT_TAIL);
	cf->skip_errors = options_has(o, 'E');
	cf->client_id = config_text(&c->conn.config, PROP_CLIENT_ID);
	cf->isolation = read_isolation(c);
	cf->unstored = read_reset(c);
	cf->record = on_record;
	cf->damage = on_damage;
	cf->at_end = on_at_end;
	cf->revoked = on_revoked;
	cf->ctx = c;
	c->commit = (enum choice_commit)options_choice(o, OPT_COMMIT, COMMIT_AFTER_WRITE);
	cf->never_commits = c->commit == COMMIT_NEVER;
	c->unbuffered = options_has(o, 'u');
	c->limit = -1;
	if (options_int(o, 'c', 0, INT64_MAX, &c->limit, err) == -1 ||
	    options_int(o, OPT_TAIL, 0, INT64_MAX, &cf->tail, err) == -1)
		return -1;
	if (cf->group != NULL && *cf->group == '\0')
		return err_set(err, ERR_INVALID, "-G: a group needs a name");
	if (cf->tail >= 0 && options_has(o, 'o'))
		return err_set(err, ERR_INVALID, "--tail and -o exclude each other");
	if (options_has(o, OPT_COMMIT) && cf->group == NULL)
		return err_set(err, ERR_INVALID, "--commit: there is no group (-G) to commit for");
	if (read_range(c, err) == -1 ||
	    selection_init(&c->selection, o, 't', SELECT_OPERANDS, "topic", err) == -1)
		return -1;
	for (size_t i = 0; i < c->selection.count; i++)
		has_patterns |= c->selection.list[i].kind != PATTERN_NAME;
	if (has_patterns) {
		cf->wants = on_new_topic;
		cf->may_go = on_gone_topic;
	}
	/* The group would give us others too, and nobody would read them. */
	if (cf->group != NULL && c->partitions.count > 0 && !c->partitions.any)
		return err_set(err, ERR_INVALID, "-p and -G exclude each other: a group shares out "
		    "all partitions among its members (leave out -p, or -G)");
	if (c->selection.count == 0)
		return err_set(err, ERR_INVALID, "no topic; name one with -t or as an operand");
	c->follows = !cf->stop_at_end && cf->range.to.kind == POINT_NONE;
	c->format = format_from_options(o, err);
	return c->format == NULL ? -1 : 0;
}

/* --- topics ---------------------------------------------------------------- */

static int
add_topic(struct consume *c, const struct target_topic *t, struct err *err)
{
	int32_t *wanted;
	size_t n = 0;
	int ret;

	if (c->partitions.any || c->partitions.count == 0)
		return consumer_add(c->consumer, t->name, NULL, 0, err);
	if (partition_set_beyond(&c->partitions, (int32_t)t->partition_count) >= 0)
		return err_set(err, ERR_UNKNOWN_TOPIC_OR_PARTITION,
		    "topic %s has no partition %d, only 0 to %zu", t->name,
		    partition_set_beyond(&c->partitions, (int32_t)t->partition_count),
		    t->partition_count - 1);
	wanted = calloc(t->partition_count + 1, sizeof(*wanted));
	if (wanted == NULL)
		return err_nomem(err);
	for (size_t i = 0; i < t->partition_count; i++)
		if (partition_set_has(&c->partitions, t->partitions[i].number))
			wanted[n++] = t->partitions[i].number;
	ret = consumer_add(c->consumer, t->name, wanted, n, err);
	free(wanted);
	return ret;
}

static int
ask_all(struct consume *c, struct metadata_call *mc, struct err *err)
{
	target_metadata(c->conn.target, mc);
	if (target_wait(c->conn.target, &mc->call) == 0)
		return 0;
	*err = mc->call.err;
	return -1;
}

/* The words that no topic answers to: a line for each, the status of the first. */
static int
tell_missing(const struct consume *c, const struct metadata_call *all)
{
	const char **names = calloc(all->topic_count + 1, sizeof(*names));
	struct outcome outcome = {.done = 0};

	for (size_t i = 0; i < all->topic_count && names != NULL; i++)
		names[i] = all->topics[i].name;
	selection_tell_unmatched(&c->selection, names, names != NULL ? all->topic_count : 0,
	    ERR_UNKNOWN_TOPIC_OR_PARTITION, &outcome);
	free(names);
	return outcome.status;
}

/* Once every word means a topic: adds them, each once. Else the first word without
 * one goes to `missing`; when nothing waits for it, they are told. */
static int
add_present(struct consume *c, const char **missing, struct err *err)
{
	struct metadata_call all = {.names = NULL};
	struct arena arena;
	int ret;

	arena_init(&arena, 0);
	all.arena = &arena;
	ret = ask_all(c, &all, err);
	for (size_t i = 0; i < all.topic_count && ret == 0; i++)
		selection_has(&c->selection, all.topics[i].name);
	*missing = selection_unmatched(&c->selection);
	if (ret == 0 && *missing != NULL && !c->follows)
		c->status = tell_missing(c, &all);
	for (size_t i = 0; i < all.topic_count && ret == 0 && *missing == NULL; i++)
		if (selection_has(&c->selection, all.topics[i].name))
			ret = add_topic(c, &all.topics[i], err);
	arena_release(&arena);
	return ret;
}

/* Waits for topics that are not there yet, when following. */
static int
add_topics(struct consume *c, struct err *err)
{
	int64_t wait_ms = c->conn.timeout_ms >= 0 ? c->conn.timeout_ms : TOPIC_WAIT_MS;
	int64_t give_up = os_mono_ns(c->conn.os) + wait_ms * 1000000;
	const char *missing;
	bool told = false;

	for (;;) {
		if (add_present(c, &missing, err) == -1)
			return -1;
		if (missing == NULL || !c->follows || interrupted())
			return 0;
		if (os_mono_ns(c->conn.os) >= give_up)
			return err_set(err, ERR_BUSY, "no topic %s after %g s", missing,
			    (double)wait_ms / 1000);
		if (!told)
			report_warn("no topic %s yet; waiting for it (-m)", missing);
		told = true;
		if (target_turn(c->conn.target, STEP_WAIT_MS, err) == -1)
			return -1;
	}
}

/* --- running --------------------------------------------------------------- */

/* Until the ranges are at their end, the reader has gone, or a signal came. */
static int
run(struct consume *c, struct err *err)
{
	int more = 1;

	if (c->limit == 0)
		return 0;
	if (consumer_start(c->consumer, err) == -1)
		return -1;
	c->committed_ns = os_mono_ns(c->conn.os);
	while (more == 1 && !interrupted()) {
		/* Nothing waits here while more is to come. */
		int wait_ms = c->sink.out.len > 0 ? 0 : STEP_WAIT_MS;

		more = consumer_step(c->consumer, STEP_BYTES, wait_ms, err);
		if (c->err.code != 0) {
			*err = c->err;
			return -1;
		}
		if (more == -1)
			return -1;
		if (sink_flush(&c->sink, err) == -1 || commit_when_due(c, err) == -1)
			return -1;
		if (sink_reader_gone(&c->sink))
			return err_set(err, ERR_CLOSED, REPORT_STDOUT ": the reader is gone");
	}
	if (c->config.group != NULL && !interrupted())
		sink_drain(&c->sink, -1, interrupted);
	return 0;
}

/* A range that was cut short by an error still prints what was read. */
static int
consume(struct consume *c)
{
	struct err err = {.code = 0}, after = {.code = 0};
	int status = EXIT_OK;
	bool closed;

	c->consumer = consumer_new(c->conn.target, &c->config, &err);
	if (c->consumer == NULL)
		return report_fail(&err);
	if (add_topics(c, &err) == -1)
		return report_fail(&err);
	if (c->status != EXIT_OK || interrupted())
		return c->status;
	if (run(c, &err) == -1)
		status = err.code == ERR_CLOSED ? EXIT_OK : report_fail(&err);
	if (!c->sink.closed && sink_flush(&c->sink, &after) == -1 && status == EXIT_OK)
		status = after.code == ERR_CLOSED ? EXIT_OK : report_fail(&after);
	closed = c->sink.closed;
	if (commit_finally(c, &after) == -1 && status == EXIT_OK)
		status = report_fail(&after);
	consumer_stop(c->consumer);
	if (closed && status == EXIT_OK)
		signals_raise(SIGPIPE);
	if (status == EXIT_OK && c->passed_over > 0)
		status = EXIT_PARTLY;
	if (status == EXIT_OK && c->count == 0 && options_has(c->options, OPT_FAIL_EMPTY))
		status = EXIT_NO;
	return status;
}

static int
consume_main(struct consume *c)
{
	struct err err;
	int status = connection_init(&c->conn, c->options, CONNECT_READ, true);

	if (status != -1)
		return status;
	if (read_options(c, &err) == -1)
		return err.code == ERR_NOMEM ? report_fail(&err) : report_usage(&err);
	c->conn.is_patient = c->follows;
	if (connection_open(&c->conn, &err) == -1)
		return report_fail(&err);
	sink_init(&c->sink, STDOUT_FILENO, c->config.group != NULL);
	return consume(c);
}

int
mq_consume(const struct options *o)
{
	struct consume c = {.options = o, .partitions = PARTITION_SET_INIT};
	int status = consume_main(&c);

	consumer_free(c.consumer);
	sink_release(&c.sink);
	format_free(c.format);
	selection_release(&c.selection);
	partition_set_release(&c.partitions);
	connection_release(&c.conn);
	return status;
}
