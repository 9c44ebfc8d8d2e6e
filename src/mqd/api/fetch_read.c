/* Fetch: one partition is looked at, and read. */
#include <stdlib.h>

#include "mqd/api/fetch_impl.h"

/* Records of one answer that are held in memory, and not in a file: the rest waits for
 * the next request. */
#define MEMORY_MAX (4 << 20)

void
fetch_read_free(struct fetch_read *r)
{
	plog_read_release(&r->read);
	free(r);
}

static bool
is_follower(const struct fetch *f)
{
	return f->in->replica_id >= 0 || f->in->replica_state.replica_id >= 0;
}

/* What was asked for, of a partition that is here. */
static int
check_asked(const struct fetch *f, const struct fetch_part *p)
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
tell_leader(const struct fetch *f, struct fetch_part *p)
{
	if (f->x->request.version < 16 ||
	    (p->code != ERR_NOT_LEADER_OR_FOLLOWER && p->code != ERR_FENCED_LEADER_EPOCH))
		return;
	p->leader.leader_id = p->partition->leader;
	p->leader.leader_epoch = p->partition->leader_epoch;
}

static void
look(struct fetch *f, struct fetch_part *p)
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
	struct fetch_part *p = &f->parts[f->at];

	f->under_way = false;
	/* The partition may be gone meanwhile. */
	look(f, p);
	if (p->partition != NULL && !p->partition->log->loaded) {
		p->code = ERR_KAFKA_STORAGE_ERROR;
		f->at++;
	}
	fetch_step(f);
}

static void
read_done(struct fetch_read *r)
{
	const struct plog_read *read = &r->read;
	struct fetch *f = r->fetch;
	struct fetch_part *p = r->part;

	f->under_way = false;
	p->code = read->code;
	if (p->code != 0)
		p->high_watermark = p->stable_end = p->start_offset = -1;
	f->bytes += read->len;
	if (read->data != NULL)
		f->memory += read->len;
	if (read->code != 0) {
		os_note(f->x->broker->os, OS_WARN, "%s", read->err.text);
		fetch_read_free(r);
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
	fetch_step(f);
}

/* Starts to read one part. True: it is done. */
static bool
read_part(struct fetch *f, struct fetch_part *p, int64_t limit, size_t room)
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
	struct fetch_part *p = j->ctx;

	(void)err;
	p->epoch_end = partition_epoch_end(
	    &log->epochs, p->leader_epoch, p->entry->last_fetched_epoch, mlog_end(log));
	return 0;
}

static void
epoch_end_read(struct plog_job *j)
{
	struct fetch_part *p = j->ctx;
	struct fetch *f = p->fetch;

	f->under_way = false;
	p->epoch_known = true;
	if (j->err.code != 0)
		p->epoch_end = (struct epoch_entry){EPOCH_NONE, -1};
	fetch_step(f);
}

/* A client that says which epoch it fetched last has it held against the log (KIP-595).
 * False: it is not known yet, and is being read. */
static bool
check_last_epoch(struct fetch *f, struct fetch_part *p)
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
is_in_range(const struct fetch_part *p)
{
	const struct plog *l = p->partition->log;

	return p->entry->offset >= l->start_offset && p->entry->offset <= l->end_offset;
}

static void
note_ends(struct fetch_part *p)
{
	p->high_watermark = p->partition->high_watermark;
	p->stable_end = partition_stable_end(p->partition);
	p->start_offset = p->partition->log->start_offset;
}

/* One part. False: it goes on later. */
bool
fetch_try_part(struct fetch *f, struct fetch_part *p)
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
