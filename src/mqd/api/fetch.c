/*
 * Fetch: batches from the leaders of their partitions (KIP-74, 227, 320, 392, 516).
 *
 * A fetch is tried: each partition is looked at in the session's order, and what is
 * there below the readable end is read, one partition after another, up to the
 * request's limits. If that is less than min_bytes, and nothing else is to be told, it
 * lets go of what it read and waits until enough may have come, or max_wait_ms is over.
 *
 * Records go out from where they lie: as slices of a file, or of what was read.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/api/api.h"
#include "mqd/api/fetch_sessions.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/config.h"
#include "mqd/replica/partition.h"
#include "wire_gen.h"

/* Records of one answer that are held in memory, and not in a file: the rest waits for
 * the next request. */
#define MEMORY_MAX (4 << 20)

/* What a partition takes in the answer, at most, without its aborted transactions. */
#define FETCH_PART_BYTES                                                                   \
	(sizeof(struct fetch_response_partition) + sizeof(struct fetch_response_topic) +   \
	    sizeof(struct reply_slice) + 4 * sizeof(void *))

struct part {
	struct fetch *fetch;
	struct fetch_entry *entry;
	struct partition *partition; /* NULL: none, `code` says why */
	struct partition_waiter waiter;
	int64_t bytes_seen; /* of its log, when it was looked at */
	int64_t end_seen;   /* what could be read then ended here */
	bool unread_seen;   /* more was there, that could not be read yet */
	int code;
	int64_t high_watermark, stable_end, start_offset;
	struct fetch_response_epoch_end diverging;
	struct fetch_response_leader leader; /* told with some errors */
	struct plog_job epoch_job; /* where the epoch ends that the client fetched last */
	struct epoch_entry epoch_end;
	int32_t leader_epoch;
	bool epoch_known; /* epoch_end is what the log says */
	bool unknown;     /* there is no such partition */
	struct fetch_read *read; /* NULL: nothing was read */
};

/* What was read lives until it was sent, longer than the request. */
struct fetch_read {
	struct plog_read read;
	struct fetch *fetch; /* NULL: the request is answered */
	struct part *part;
};

struct fetch {
	struct exchange *x;
	const struct fetch_request *in;
	struct fetch_context context;
	struct part *parts;
	size_t part_count;
	size_t at; /* the part that is being read */
	struct plog_job load;
	struct os_timer timer;
	size_t bytes, memory; /* read so far */
	size_t bytes_max;
	bool under_way; /* a read or load is */
	bool last;      /* whatever there is is the answer */
	bool waiting;
};

static void step(struct fetch *f);

/* --- the answer ----------------------------------------------------------------------- */

static void
read_free(struct fetch_read *r)
{
	plog_read_release(&r->read);
	free(r);
}

static void
slice_sent(void *ctx)
{
	read_free(ctx);
}

static void
let_go(struct fetch *f)
{
	for (size_t i = 0; i < f->part_count; i++) {
		if (f->parts[i].read != NULL)
			read_free(f->parts[i].read);
		f->parts[i].read = NULL;
		partition_wait_end(&f->parts[i].waiter);
	}
	os_timer_stop(f->x->broker->os, &f->timer);
	f->waiting = false;
}

static int
put_aborted(struct fetch *f, const struct part *p, struct fetch_response_partition *out)
{
	size_t count = p->read != NULL ? p->read->read.aborted_count : 0;

	out->aborted_transactions.items = NULL;
	/* Null is for those who did not ask; Kafka has empty ones with some errors. */
	out->aborted_transactions.count =
	    (f->in->isolation_level == 1 && p->code == 0) || p->unknown ? 0 : -1;
	if (count == 0)
		return 0;
	out->aborted_transactions.items =
	    exchange_array(f->x, count, sizeof(*out->aborted_transactions.items));
	if (out->aborted_transactions.items == NULL)
		return -1;
	out->aborted_transactions.count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		out->aborted_transactions.items[i].producer_id =
		    p->read->read.aborted_list[i].producer_id;
		out->aborted_transactions.items[i].first_offset =
		    p->read->read.aborted_list[i].first_offset;
	}
	return 0;
}

static int
put_part(struct fetch *f, const struct part *p, struct fetch_response_partition *out)
{
	size_t len = p->read != NULL ? p->read->read.len : 0;

	*out = (struct fetch_response_partition){.partition_index = p->entry->partition,
	    .error_code = (int16_t)p->code, .high_watermark = p->high_watermark,
	    .last_stable_offset = p->stable_end, .log_start_offset = p->start_offset,
	    .diverging_epoch = p->diverging,
	    .current_leader = p->leader,
	    .snapshot_id = {.end_offset = -1, .epoch = -1}, .preferred_read_replica = -1};
	/* Data NULL: a hole, of which the slice tells. */
	out->records = (struct wire_bytes){len > 0 ? NULL : (const uint8_t *)"", (int32_t)len};
	return put_aborted(f, p, out);
}

static bool
same_topic(const struct fetch_entry *a, const struct fetch_entry *b)
{
	if (a->topic == NULL || b->topic == NULL)
		return a->topic == b->topic && uuid_equal(&a->topic_id, &b->topic_id);
	return a->topic_len == b->topic_len && memcmp(a->topic, b->topic, a->topic_len) == 0;
}

/* The parts that are to be told, in topics: neighbours of one topic share one. */
static int
put_parts(struct fetch *f, struct fetch_response *out, const struct part **told, size_t count)
{
	struct fetch_response_partition *items =
	    exchange_array(f->x, count, sizeof(*items));
	struct fetch_response_topic *t = NULL;

	out->responses.items = exchange_array(f->x, count, sizeof(*out->responses.items));
	if (items == NULL || out->responses.items == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct fetch_entry *e = told[i]->entry;

		if (i == 0 || !same_topic(told[i - 1]->entry, e)) {
			t = &out->responses.items[out->responses.count++];
			t->topic = wire_str_of_mem(e->topic != NULL ? e->topic : "", e->topic_len);
			t->topic_id = e->topic_id;
			t->partitions.items = &items[i];
		}
		t->partitions.count++;
		if (put_part(f, told[i], &items[i]) == -1)
			return -1;
	}
	return 0;
}

/* Which are to be told; moves those with records to the end of the session. */
static size_t
pick_told(struct fetch *f, const struct part **told)
{
	size_t count = 0;

	for (size_t i = 0; i < f->part_count; i++) {
		struct part *p = &f->parts[i];
		bool news = p->code != 0 || p->diverging.epoch >= 0;
		bool records = p->read != NULL && p->read->read.len > 0;

		if (fetch_context_answered(&f->context, p->entry, p->high_watermark,
			p->start_offset, records, news))
			told[count++] = p;
	}
	return count;
}

static void
reply(struct fetch *f)
{
	struct exchange *x = f->x;
	struct fetch_response *out = dispatch_response(x);
	const struct part **told = exchange_array(x, f->part_count, sizeof(*told));
	struct reply_slice *slices = exchange_array(x, f->part_count, sizeof(*slices));
	size_t count = 0, slice_count = 0;

	if (out == NULL || told == NULL || slices == NULL)
		goto nomem;
	count = pick_told(f, told);
	out->session_id = fetch_context_id(&f->context);
	if (put_parts(f, out, told, count) == -1)
		goto nomem;
	for (size_t i = 0; i < count; i++) {
		struct fetch_read *r = told[i]->read;

		if (r == NULL || r->read.len == 0)
			continue;
		x->broker->stats.bytes_out += (int64_t)r->read.len;
		slices[slice_count++] = (struct reply_slice){.data = r->read.data,
		    .fd = r->read.fd, .position = r->read.position, .len = r->read.len,
		    .sent = slice_sent, .ctx = r};
		((struct part *)(uintptr_t)told[i])->read = NULL; /* it is the slice's */
	}
	let_go(f);
	fetch_context_end(x->broker->fetch_sessions, &f->context);
	dispatch_reply_slices(x, out, slices, slice_count);
	return;
nomem:
	let_go(f);
	fetch_context_end(x->broker->fetch_sessions, &f->context);
	dispatch_close(x, "out of memory");
}

static void
reply_error(struct exchange *x, int code)
{
	struct fetch_response *out = dispatch_response(x);

	if (out == NULL || code == ERR_NOMEM) {
		dispatch_close(x, "out of memory");
		return;
	}
	out->error_code = (int16_t)code;
	dispatch_reply(x, out);
}

/* --- waiting --------------------------------------------------------------------------- */

static void
begin(struct fetch *f)
{
	let_go(f);
	f->at = 0;
	f->bytes = f->memory = 0;
	for (size_t i = 0; i < f->part_count; i++)
		f->parts[i].epoch_known = false;
	step(f);
}

/* Has it changed so that it must be told, or may enough have come? What has not moved
 * since it was looked at is not worth it: our own looking tells waiters, too. */
static bool
is_worth_looking(const struct fetch *f)
{
	int64_t bytes = (int64_t)f->bytes;
	bool any = false, unsure = f->in->min_bytes <= 1;

	for (size_t i = 0; i < f->part_count; i++) {
		const struct part *p = &f->parts[i];

		if (p->partition == NULL)
			continue;
		if (p->partition->deleted || p->partition->log->failed ||
		    p->partition->leader != f->x->broker->config->node_id ||
		    p->entry->offset < p->partition->log->start_offset)
			return true;
		if (partition_readable_end(p->partition, f->in->isolation_level) == p->end_seen)
			continue;
		any = true;
		unsure = unsure || p->unread_seen;
		bytes += p->partition->log->bytes - p->bytes_seen;
	}
	return any && (unsure || bytes >= f->in->min_bytes);
}

static void
woken(struct partition_waiter *w)
{
	struct part *p = w->ctx;

	if (is_worth_looking(p->fetch))
		begin(p->fetch);
}

static void
time_is_up(struct os_timer *t)
{
	struct fetch *f = t->ctx;

	f->last = true;
	begin(f);
}

static void
abandoned(struct exchange *x)
{
	struct fetch *f = x->state;

	f->last = true;
	/* What is under way comes back and then ends it. */
	if (!f->under_way)
		reply(f);
}

/* Is a partition that was looked at not the one that is there now? */
static bool
is_gone(const struct fetch *f)
{
	int code;

	for (size_t i = 0; i < f->part_count; i++) {
		const struct fetch_entry *e = f->parts[i].entry;

		if (f->parts[i].partition != NULL &&
		    partitions_find(f->x->broker->partitions, e->topic, e->topic_len, &e->topic_id,
			e->partition, &code) != f->parts[i].partition)
			return true;
	}
	return false;
}

static void
wait(struct fetch *f)
{
	int64_t spent_ms = (os_mono_ns(f->x->broker->os) - f->x->came_ns) / 1000000;

	let_go(f);
	/* While one part was read, others that were looked at before may have gone, or moved. */
	if (is_gone(f) || is_worth_looking(f)) {
		begin(f);
		return;
	}
	f->waiting = true;
	for (size_t i = 0; i < f->part_count; i++) {
		struct part *p = &f->parts[i];

		if (p->partition == NULL)
			continue;
		p->waiter = (struct partition_waiter){.woken = woken, .ctx = p};
		partition_wait(p->partition, &p->waiter);
	}
	os_timer_start(f->x->broker->os, &f->timer, f->in->max_wait_ms - spent_ms);
}

/* --- reading ---------------------------------------------------------------------------- */

static bool
is_follower(const struct fetch *f)
{
	return f->in->replica_id >= 0 || f->in->replica_state.replica_id >= 0;
}

/* What was asked for, of a partition that is here. */
static int
check_asked(const struct fetch *f, const struct part *p)
{
	/* Kafka's codes for them, strange as they are. */
	if (f->in->isolation_level < 0 || f->in->isolation_level > 1 || f->in->max_bytes < 0 ||
	    p->entry->bytes_max < 0)
		return ERR_UNKNOWN_SERVER_ERROR;
	if (p->entry->leader_epoch >= 0) {
		int code = partition_check_epoch(p->partition, p->entry->leader_epoch);

		if (code != 0)
			return code;
	}
	/* Nobody else has a replica of it. */
	return is_follower(f) ? ERR_NOT_LEADER_OR_FOLLOWER : 0;
}

/* Clients look for the leader that they are told (KIP-951). */
static void
tell_leader(const struct fetch *f, struct part *p)
{
	if (f->x->request.version < 16 ||
	    (p->code != ERR_NOT_LEADER_OR_FOLLOWER && p->code != ERR_FENCED_LEADER_EPOCH))
		return;
	p->leader.leader_id = p->partition->leader;
	p->leader.leader_epoch = p->partition->leader_epoch;
}

static void
look(struct fetch *f, struct part *p)
{
	struct partitions *all = f->x->broker->partitions;
	const struct fetch_entry *e = p->entry;

	p->high_watermark = p->stable_end = p->start_offset = -1;
	p->diverging = (struct fetch_response_epoch_end){.epoch = -1, .end_offset = -1};
	p->leader = (struct fetch_response_leader){.leader_id = -1, .leader_epoch = -1};
	p->partition =
	    partitions_find(all, e->topic, e->topic_len, &e->topic_id, e->partition, &p->code);
	p->unknown =
	    p->code == ERR_UNKNOWN_TOPIC_OR_PARTITION || p->code == ERR_UNKNOWN_TOPIC_ID;
	if (p->partition == NULL)
		return;
	p->code = check_asked(f, p);
	if (p->code != 0) {
		tell_leader(f, p);
		p->partition = NULL;
	} else {
		p->bytes_seen = p->partition->log->bytes;
		p->end_seen = partition_readable_end(p->partition, f->in->isolation_level);
		p->unread_seen = p->end_seen < p->partition->log->end_offset;
	}
}

static void
loaded(struct plog_job *j)
{
	struct fetch *f = j->ctx;
	struct part *p = &f->parts[f->at];

	f->under_way = false;
	/* The partition may be gone meanwhile. */
	look(f, p);
	if (p->partition != NULL && !p->partition->log->loaded) {
		p->code = ERR_KAFKA_STORAGE_ERROR;
		f->at++;
	}
	step(f);
}

static void
read_done(struct fetch_read *r)
{
	const struct plog_read *read = &r->read;
	struct fetch *f = r->fetch;
	struct part *p = r->part;

	f->under_way = false;
	p->code = read->code;
	if (p->code != 0)
		p->high_watermark = p->stable_end = p->start_offset = -1;
	f->bytes += read->len;
	if (read->data != NULL)
		f->memory += read->len;
	if (read->code != 0) {
		os_note(f->x->broker->os, OS_WARN, "%s", read->err.text);
		read_free(r);
	} else {
		p->read = r;
	}
	f->at++;
}

static void
read_later(struct plog_read *read)
{
	struct fetch_read *r = read->ctx;
	struct fetch *f = r->fetch;

	read_done(r);
	step(f);
}

/* Starts to read one part. True: it is done. */
static bool
read_part(struct fetch *f, struct part *p, int64_t limit, size_t room)
{
	struct fetch_read *r = calloc(1, sizeof(*r));
	size_t wanted = p->entry->bytes_max > 0 ? (size_t)p->entry->bytes_max : 0;
	size_t memory = f->memory < MEMORY_MAX ? MEMORY_MAX - f->memory : 0;

	if (r == NULL) {
		p->code = ERR_UNKNOWN_SERVER_ERROR;
		f->at++;
		return true;
	}
	wanted = wanted < memory ? wanted : memory;
	r->fetch = f;
	r->part = p;
	r->read = (struct plog_read){.offset = p->entry->offset, .limit_offset = limit,
	    .bytes_max = wanted < room ? wanted : room, .one_at_least = f->bytes == 0,
	    .aborted = f->in->isolation_level == 1, .ctx = r};
	r->read.done = read_later;
	f->under_way = true;
	if (plog_read(p->partition->log, &r->read) == 0)
		return false;
	read_done(r);
	return true;
}

/* On the writer. */
static int
read_epoch_end(struct plog_job *j, struct mlog *log, struct err *err)
{
	struct part *p = j->ctx;

	(void)err;
	p->epoch_end = partition_epoch_end(
	    &log->epochs, p->leader_epoch, p->entry->last_fetched_epoch, mlog_end(log));
	return 0;
}

static void
epoch_end_read(struct plog_job *j)
{
	struct part *p = j->ctx;
	struct fetch *f = p->fetch;

	f->under_way = false;
	p->epoch_known = true;
	if (j->err.code != 0)
		p->epoch_end = (struct epoch_entry){EPOCH_NONE, -1};
	step(f);
}

/* A client that says which epoch it fetched last has it held against the log (KIP-595).
 * False: it is not known yet, and is being read. */
static bool
check_last_epoch(struct fetch *f, struct part *p)
{
	const struct fetch_entry *e = p->entry;

	if (e->last_fetched_epoch < 0)
		return true;
	if (!p->epoch_known) {
		p->leader_epoch = p->partition->leader_epoch;
		/* Of a log that was never written. */
		p->epoch_end = partition_epoch_end(&(struct epochs){0}, p->leader_epoch,
		    e->last_fetched_epoch, p->partition->log->end_offset);
		p->epoch_job = (struct plog_job){.run = read_epoch_end, .done = epoch_end_read,
		    .look = true, .ctx = p};
		f->under_way = true;
		plog_run(p->partition->log, &p->epoch_job);
		return false;
	}
	if (p->epoch_end.epoch == EPOCH_NONE || e->offset < p->partition->log->start_offset) {
		p->code = ERR_OFFSET_OUT_OF_RANGE;
	} else if (p->epoch_end.epoch < e->last_fetched_epoch ||
	    p->epoch_end.start_offset < e->offset) {
		p->diverging.epoch = p->epoch_end.epoch;
		p->diverging.end_offset = p->epoch_end.start_offset;
	}
	return true;
}

/* The offsets that the log has, also those that may not be read yet: who wrote them
 * knows them, and after a crash the high watermark is behind until the first sync. */
static bool
is_in_range(const struct part *p)
{
	const struct plog *l = p->partition->log;

	return p->entry->offset >= l->start_offset && p->entry->offset <= l->end_offset;
}

static void
note_ends(struct part *p)
{
	p->high_watermark = p->partition->high_watermark;
	p->stable_end = partition_stable_end(p->partition);
	p->start_offset = p->partition->log->start_offset;
}

/* One part. False: it goes on later. */
static bool
step_part(struct fetch *f, struct part *p)
{
	size_t room = f->bytes < f->bytes_max ? f->bytes_max - f->bytes : 0;
	int64_t limit;

	look(f, p);
	if (p->partition == NULL) {
		f->at++;
		return true;
	}
	if (!p->partition->log->loaded) {
		f->load = (struct plog_job){.done = loaded, .ctx = f};
		f->under_way = true;
		plog_load(p->partition->log, &f->load);
		return false;
	}
	if (!check_last_epoch(f, p))
		return false;
	if (p->diverging.epoch < 0 && !is_in_range(p))
		p->code = ERR_OFFSET_OUT_OF_RANGE;
	if (p->code == 0)
		note_ends(p);
	limit = partition_readable_end(p->partition, f->in->isolation_level);
	if (f->memory >= MEMORY_MAX)
		room = 0;
	if (p->code != 0 || p->diverging.epoch >= 0 || p->entry->offset >= limit ||
	    (room == 0 && f->bytes > 0)) {
		f->at++;
		return true;
	}
	return read_part(f, p, limit, room);
}

static bool
has_news(const struct fetch *f)
{
	for (size_t i = 0; i < f->part_count; i++)
		if (f->parts[i].code != 0 || f->parts[i].diverging.epoch >= 0)
			return true;
	return false;
}

static void
step(struct fetch *f)
{
	while (f->at < f->part_count)
		if (!step_part(f, &f->parts[f->at]))
			return;
	if (f->x->conn == NULL || f->last || f->part_count == 0 || f->in->max_wait_ms <= 0 || has_news(f) ||
	    (int64_t)f->bytes >= f->in->min_bytes)
		reply(f);
	else
		wait(f);
}

/* --- the request ------------------------------------------------------------------------- */

static int
lay_out(struct fetch *f)
{
	struct fetch_entry *e;
	size_t count = 0;

	TAILQ_FOREACH(e, f->context.entries, link)
	count++;
	/* A session's request is small however much it asks for. */
	view_make_room(f->x, count * (sizeof(*f->parts) + FETCH_PART_BYTES));
	f->parts = exchange_array(f->x, count, sizeof(*f->parts));
	if (f->parts == NULL)
		return -1;
	TAILQ_FOREACH(e, f->context.entries, link)
	{
		struct part *p = &f->parts[f->part_count++];

		p->fetch = f;
		p->entry = e;
	}
	return 0;
}

void
api_fetch(struct exchange *x)
{
	const struct fetch_request *in = x->body;
	struct broker *b = x->broker;
	struct fetch *f = arena_alloc(&x->arena, sizeof(*f));
	int code;

	if (f == NULL) {
		dispatch_close(x, "out of memory");
		return;
	}
	f->x = x;
	f->in = in;
	f->timer = (struct os_timer){.fire = time_is_up, .ctx = f};
	f->bytes_max = in->max_bytes > 0 ? (size_t)in->max_bytes : 0;
	if (f->bytes_max > (size_t)b->config->fetch_bytes_max)
		f->bytes_max = (size_t)b->config->fetch_bytes_max;
	code = fetch_context_begin(b->fetch_sessions, in, x->request.version, &x->arena, &f->context);
	if (code == 0 && lay_out(f) == -1)
		code = ERR_NOMEM;
	/* Before version 13 each partition is told so. */
	if (code == 0 && x->request.version >= 13 &&
	    (in->isolation_level < 0 || in->isolation_level > 1))
		code = ERR_UNKNOWN_SERVER_ERROR;
	if (code != 0) {
		fetch_context_end(b->fetch_sessions, &f->context);
		reply_error(x, code);
		return;
	}
	x->state = f;
	x->abandoned = abandoned;
	step(f);
}
