/* What the tests of mqd's logs share: a simulated machine, logs on it, batches. */
#ifndef LOGS_TEST_H
#define LOGS_TEST_H

#include <stdlib.h>
#include <string.h>

#include "log/reader.h"
#include "mqd/replica/logs.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "tap.h"

#define T0 1700000000000

/* Memory that a test itself needs does not count where memory fails. */
#ifndef MEMORY_HOLD
#define MEMORY_HOLD() 0
#define MEMORY_RESUME(held) (void)(held)
#endif

struct node {
	struct sim_disk *disk;
	struct os *os;   /* what the logs use: a fault layer */
	struct logs *s;
	struct logs_options options;
	struct plog_settings settings;
	struct err err;
	int failures; /* told by `failed` */
	bool stopped, stop_bad;
	char notes[4096];
	uint64_t seed;
};

__attribute__((unused)) static const struct uuid topic_id = {{1, 2, 3}};

static void
node_note(void *ctx, enum os_level level, const char *text)
{
	struct node *n = ctx;
	size_t at = strlen(n->notes);

	(void)level;
	snprintf(n->notes + at, sizeof(n->notes) - at, "%s\n", text);
}

static void
node_failed(void *ctx, const struct err *err)
{
	struct node *n = ctx;

	(void)err;
	n->failures++;
}

/* A process on the disk, with logs in "d". */
__attribute__((unused)) static bool
node_start(struct node *n)
{
	unsigned held = MEMORY_HOLD();
	struct os *sim = sim_os_new(n->disk, ++n->seed);

	sim_os_set_note(sim, node_note, n);
	n->os = fault_new(sim);
	MEMORY_RESUME(held);
	n->failures = 0;
	n->stopped = n->stop_bad = false;
	n->notes[0] = '\0';
	n->options.dir = "d";
	n->options.failed = node_failed;
	n->options.ctx = n;
	n->options.metadata_epoch_before = n->options.metadata_epoch++;
	n->s = logs_new(n->os, &n->options, &n->err);
	return n->s != NULL;
}

__attribute__((unused)) static void
node_init(struct node *n, uint64_t seed)
{
	struct os *os;

	*n = (struct node){.disk = sim_disk_new(), .seed = seed * 1000};
	os = sim_os_new(n->disk, 1);
	if (os_mkdir(os, "d") == -1 || os_sync_dir(os, ".") == -1)
		printf("# no directory\n");
	os_free(os);
	n->settings = (struct plog_settings){.flush_messages = 1, .flush_ms = -1,
	    .before_max_ms = INT64_MAX, .after_max_ms = 3600000, .compression = PLOG_AS_PRODUCED};
	mlog_config_default(&n->settings.log);
}

/* Ends the process as kill -9 does. */
__attribute__((unused)) static void
node_kill(struct node *n)
{
	sim_os_kill(fault_inner(n->os));
	logs_free(n->s);
	n->s = NULL;
	os_free(n->os);
	n->os = NULL;
}

/* Turns the power off and on. */
__attribute__((unused)) static void
node_crash(struct node *n, uint64_t seed)
{
	struct sim_disk *image = sim_crash(n->disk, seed);

	node_kill(n);
	sim_disk_free(n->disk);
	n->disk = image;
}

__attribute__((unused)) static void
node_end(struct node *n)
{
	if (n->os != NULL)
		node_kill(n);
	sim_disk_free(n->disk);
}

/* Turns until something is so. False: it never is. */
__attribute__((unused)) static bool
node_turn(struct node *n, const bool *until)
{
	for (int i = 0; i < 100000 && !*until; i++)
		if (os_turn(n->os, 1000) == -1)
			return false;
	return *until;
}

/* Turns until nothing happens for a while. */
__attribute__((unused)) static void
node_settle(struct node *n)
{
	for (int i = 0; i < 100000 && os_turn(n->os, 50) > 0; i++)
		;
}

static void
node_is_stopped(void *ctx, const struct err *err)
{
	struct node *n = ctx;

	n->stopped = true;
	n->stop_bad = err != NULL;
	if (err != NULL)
		n->err = *err;
}

/* A clean stop, with the handles freed. True if it was one. */
__attribute__((unused)) static bool
node_stop(struct node *n, struct plog **handles, size_t count)
{
	logs_stop(n->s, node_is_stopped, n);
	if (!node_turn(n, &n->stopped))
		return false;
	for (size_t i = 0; i < count; i++)
		plog_free(handles[i]);
	node_settle(n);
	logs_free(n->s);
	n->s = NULL;
	is_int((intmax_t)fault_open_count(n->os), 0, "a stop leaves no descriptor open");
	os_free(n->os);
	n->os = NULL;
	return !n->stop_bad;
}

__attribute__((unused)) static struct plog *
node_plog(struct node *n, const char *topic)
{
	return plog_new(n->s, topic, 0, &topic_id, &n->settings);
}

/* --- batches ---------------------------------------------------------------------------- */

struct make {
	int records;
	size_t value; /* bytes of each value */
	int64_t timestamp;
	const char *key;
	enum codec codec;
	int64_t producer; /* 0: none */
	int16_t epoch;
	int32_t sequence;
	int16_t attributes;
};

/* Appends a sealed batch to an append's bytes, which the caller frees. */
__attribute__((unused)) static void
make_batch(struct plog_append *a, struct make m)
{
	struct batch_builder bb;
	struct batch b;
	struct err err;
	unsigned held = MEMORY_HOLD();
	uint8_t *value = calloc(1, m.value + 1);

	memset(value, 'v', m.value);
	batch_builder_init(&bb, m.codec, CODEC_LEVEL_DEFAULT);
	for (int i = 0; i < (m.records > 0 ? m.records : 1); i++) {
		struct record rec = {.timestamp = m.timestamp != 0 ? m.timestamp : T0 + i,
		    .key = (const uint8_t *)m.key,
		    .key_size = m.key != NULL ? (int32_t)strlen(m.key) : -1,
		    .value = value, .value_size = (int32_t)m.value};
		batch_builder_add(&bb, &rec, &err);
	}
	if (m.producer > 0) {
		bb.head.producer_id = m.producer;
		bb.head.producer_epoch = m.epoch;
		bb.head.base_sequence = m.sequence;
	}
	bb.head.attributes = m.attributes;
	if (batch_builder_finish(&bb, &b, &err) == -1)
		printf("# %s\n", err.text);
	*a = (struct plog_append){.len = (size_t)b.size, .bytes = malloc((size_t)b.size)};
	memcpy(a->bytes, b.bytes, a->len);
	batch_builder_release(&bb);
	free(value);
	MEMORY_RESUME(held);
}

/* --- one thing at a time ------------------------------------------------------------------ */

struct one_append {
	struct plog_append a;
	bool done;
	uint8_t *bytes;
};

static void
one_append_done(struct plog_append *a)
{
	((struct one_append *)a->ctx)->done = true;
}

/* Begins an append; `o` stays until it is done, then one_append_end. */
__attribute__((unused)) static void
append_begin(struct plog *l, struct one_append *o, struct make m)
{
	make_batch(&o->a, m);
	o->bytes = o->a.bytes;
	o->done = false;
	o->a.done = one_append_done;
	o->a.ctx = o;
	plog_append(l, &o->a);
}

/* Appends, and waits; Kafka's code. `out` may be NULL. */
__attribute__((unused)) static int
append_one(struct node *n, struct plog *l, struct make m, struct plog_append *out)
{
	struct one_append o;

	if (out != NULL)
		*out = (struct plog_append){0};
	append_begin(l, &o, m);
	if (!node_turn(n, &o.done)) {
		free(o.bytes);
		return -1000;
	}
	free(o.bytes);
	if (out != NULL)
		*out = o.a;
	return o.a.code;
}

struct one_read {
	struct plog_read r;
	bool done;
	bool at_once;
};

static void
one_read_done(struct plog_read *r)
{
	((struct one_read *)r->ctx)->done = true;
}

/* Reads, and waits; Kafka's code. The caller releases. */
__attribute__((unused)) static int
read_one(struct node *n, struct plog *l, struct one_read *o, int64_t offset, size_t bytes_max)
{
	int64_t limit = o->r.limit_offset > 0 ? o->r.limit_offset : INT64_MAX;
	bool aborted = o->r.aborted;

	o->r = (struct plog_read){.offset = offset, .limit_offset = limit, .bytes_max = bytes_max,
	    .one_at_least = true, .aborted = aborted, .done = one_read_done, .ctx = o};
	o->done = o->at_once = plog_read(l, &o->r) == 1;
	return node_turn(n, &o->done) ? o->r.code : -1000;
}

/* Reads all batches from `offset` on; the offset that follows, and how many records. */
__attribute__((unused)) static int64_t
read_all(struct node *n, struct plog *l, int64_t offset, int *records)
{
	struct one_read o = {0};
	struct batch b;

	for (*records = 0;; plog_read_release(&o.r)) {
		if (read_one(n, l, &o, offset, 65536) != 0 || o.r.len == 0)
			break;
		for (size_t at = 0; at < o.r.len; at += (size_t)b.size) {
			if (batch_view((const uint8_t *)o.r.data + at, o.r.len - at, &b) != BATCH_OK ||
			    batch_check(&b) != BATCH_OK || b.base_offset < offset) {
				plog_read_release(&o.r);
				return -1;
			}
			*records += b.record_count;
			offset = batch_next_offset(&b);
		}
	}
	plog_read_release(&o.r);
	return offset;
}

struct one_job {
	struct plog_job j;
	bool done;
};

static void
one_job_done(struct plog_job *j)
{
	((struct one_job *)j->ctx)->done = true;
}

__attribute__((unused)) static int
load_one(struct node *n, struct plog *l)
{
	struct one_job o = {.j = {.done = one_job_done, .ctx = &o}};

	plog_load(l, &o.j);
	return node_turn(n, &o.done) ? o.j.err.code : -1000;
}

__attribute__((unused)) static int
run_one(struct node *n, struct plog *l,
    int (*run)(struct plog_job *j, struct mlog *log, struct err *err), bool alone)
{
	struct one_job o = {.j = {.run = run, .done = one_job_done, .ctx = &o, .alone = alone}};

	plog_run(l, &o.j);
	return node_turn(n, &o.done) ? o.j.err.code : -1000;
}

/* Waits until all of a log is synced. */
__attribute__((unused)) static bool
wait_synced(struct node *n, struct plog *l)
{
	for (int i = 0; i < 100000 && l->synced_offset < l->end_offset; i++)
		if (os_turn(n->os, 1000) == -1)
			return false;
	return l->synced_offset == l->end_offset;
}

#endif
