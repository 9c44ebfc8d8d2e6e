/* Partitions: who may, up to where, and who waits. */
#include "mqd/replica/partition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/broker.h"
#include "mqd/config.h"
#include "store/image.h"
#include "store/topic_config.h"

/* The partitions of one topic that this broker has. */
struct topic {
	char *name; /* owned */
	struct uuid id;
	struct partition **partitions; /* by number; NULL: not here */
	int32_t count;
};

struct partitions {
	struct broker *broker;
	struct map by_name; /* -> struct topic, owned */
	struct map by_id;   /* 16 bytes -> the same */
};

/* --- ends -------------------------------------------------------------------------- */

int64_t
partition_stable_end(const struct partition *p)
{
	int64_t unstable = p->log->unstable_offset;

	return unstable >= 0 && unstable < p->high_watermark ? unstable : p->high_watermark;
}

int64_t
partition_readable_end(const struct partition *p, int8_t isolation_level)
{
	return isolation_level == 1 ? partition_stable_end(p) : p->high_watermark;
}

/* Frees it when it is deleted and nobody holds on to it. */
static void
settle(struct partition *p)
{
	if (!p->deleted || p->holds > 0 || p->waiters != NULL)
		return;
	free(p->topic);
	free(p);
}

void
partition_hold(struct partition *p)
{
	p->holds++;
}

void
partition_release(struct partition *p)
{
	p->holds--;
	settle(p);
}

static void
append_finish(struct partition_append *a, int code)
{
	struct partition *p = a->partition;

	a->code = code;
	a->done(a);
	partition_release(p);
}

/* Those that are committed now. They are in the order of their offsets. */
static void
finish_committed(struct partition *p)
{
	struct partition_append *a;

	while ((a = p->appends) != NULL && a->append.last_offset < p->high_watermark) {
		p->appends = a->next;
		append_finish(a, 0);
	}
}

static void
fail_appends(struct partition *p, int code)
{
	struct partition_append *a;

	while ((a = p->appends) != NULL) {
		p->appends = a->next;
		append_finish(a, code);
	}
}

/* Waiters may come and go while they are told: who comes is not told, and who was to be
 * the next and goes leaves that to the one behind. The caller holds `p`. */
static void
wake(struct partition *p)
{
	struct partition_waiter *w;

	for (p->told_next = p->waiters; (w = p->told_next) != NULL;) {
		p->told_next = w->next;
		w->woken(w);
	}
}

static void
moved(struct plog *l)
{
	struct partition *p = l->ctx;
	int64_t to = plog_is_synced(&l->settings) ? l->synced_offset : l->end_offset;

	p->holds++;
	if (to > p->high_watermark)
		p->high_watermark = to;
	finish_committed(p);
	if (l->failed)
		fail_appends(p, ERR_KAFKA_STORAGE_ERROR);
	wake(p);
	partition_release(p);
}

/* --- appends ----------------------------------------------------------------------- */

static void
appended(struct plog_append *append)
{
	struct partition_append *a = append->ctx;
	struct partition *p = a->partition;

	if (append->code != 0 || a->acks != -1) {
		append_finish(a, append->code);
		return;
	}
	if (p->deleted || append->last_offset < p->high_watermark) {
		append_finish(a, p->deleted ? ERR_UNKNOWN_TOPIC_OR_PARTITION : 0);
		return;
	}
	/* A duplicate's offsets are below those that wait: it is put before them. */
	struct partition_append **at = &p->appends;
	while (*at != NULL && (*at)->append.last_offset <= append->last_offset)
		at = &(*at)->next;
	a->next = *at;
	*at = a;
	if (p->log->failed)
		fail_appends(p, ERR_KAFKA_STORAGE_ERROR);
}

void
partition_append(struct partition *p, struct partition_append *a)
{
	a->partition = p;
	a->next = NULL;
	a->code = 0;
	a->append.leader_epoch = p->leader_epoch;
	a->append.internal_topic = p->internal;
	a->append.done = appended;
	a->append.ctx = a;
	p->holds++;
	plog_append(p->log, &a->append);
}

/* --- waiters ------------------------------------------------------------------------ */

void
partition_wait(struct partition *p, struct partition_waiter *w)
{
	w->partition = p;
	w->prev = NULL;
	w->next = p->waiters;
	if (w->next != NULL)
		w->next->prev = w;
	p->waiters = w;
}

void
partition_wait_end(struct partition_waiter *w)
{
	struct partition *p = w->partition;

	if (p == NULL)
		return;
	if (p->told_next == w)
		p->told_next = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		p->waiters = w->next;
	w->partition = NULL;
	settle(p);
}

/* --- following the metadata ----------------------------------------------------------- */

/* What the metadata says of a topic: looked up once for all its partitions. */
struct topic_says {
	struct plog_settings settings;
	int32_t min_isr;
};

static struct partition *
partition_new(struct partitions *ps, const struct topic_says *says, const struct topic *t,
    int32_t number)
{
	struct partition *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->topic = strdup(t->name);
	p->topic_id = t->id;
	p->number = number;
	p->leader = p->leader_epoch = -1;
	p->high_watermark = -1;
	p->internal = strcmp(t->name, "__consumer_offsets") == 0 ||
	    strcmp(t->name, "__transaction_state") == 0;
	if (p->topic != NULL)
		p->log = plog_new(ps->broker->logs, t->name, number, &t->id, &says->settings);
	if (p->log == NULL) {
		free(p->topic);
		free(p);
		return NULL;
	}
	p->log->moved = moved;
	p->log->ctx = p;
	return p;
}

/* Its topic is gone: whoever waits is told, and it goes when they have gone. */
static void
partition_end(struct partition *p)
{
	p->holds++;
	p->deleted = true;
	fail_appends(p, ERR_UNKNOWN_TOPIC_OR_PARTITION);
	wake(p);
	plog_delete(p->log);
	p->log = NULL;
	partition_release(p);
}

static void
topic_free(struct topic *t)
{
	free(t->partitions);
	free(t->name);
	free(t);
}

static void
topic_end(struct partitions *ps, struct topic *t)
{
	if (map_get(&ps->by_name, t->name, strlen(t->name)) == t)
		map_del(&ps->by_name, t->name, strlen(t->name));
	map_del(&ps->by_id, t->id.bytes, sizeof(t->id.bytes));
	for (int32_t i = 0; i < t->count; i++)
		if (t->partitions[i] != NULL)
			partition_end(t->partitions[i]);
	topic_free(t);
}

static struct topic *
topic_new(struct partitions *ps, const struct image_topic *from)
{
	struct topic *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->id = from->id;
	t->name = strdup(from->name);
	if (t->name == NULL || map_put(&ps->by_id, t->id.bytes, sizeof(t->id.bytes), t, NULL) == -1) {
		topic_free(t);
		return NULL;
	}
	if (map_put(&ps->by_name, t->name, strlen(t->name), t, NULL) == -1) {
		map_del(&ps->by_id, t->id.bytes, sizeof(t->id.bytes));
		topic_free(t);
		return NULL;
	}
	return t;
}

static int
topic_grow(struct topic *t, int32_t count)
{
	struct partition **bigger;

	if (count <= t->count)
		return 0;
	bigger = reallocarray(t->partitions, (size_t)count, sizeof(*bigger));
	if (bigger == NULL)
		return -1;
	memset(bigger + t->count, 0, (size_t)(count - t->count) * sizeof(*bigger));
	t->partitions = bigger;
	t->count = count;
	return 0;
}

static bool
has_replica(const struct image_partition *ip, int32_t node_id)
{
	for (size_t i = 0; i < ip->replica_count; i++)
		if (ip->replicas[i] == node_id)
			return true;
	return false;
}

/* Brings one partition up to what the metadata says. */
static int
follow(struct partitions *ps, const struct topic_says *says, struct topic *t, int32_t number,
    const struct image_partition *ip)
{
	struct partition *p = t->partitions[number];
	bool turned;

	if (p == NULL && !has_replica(ip, ps->broker->config->node_id))
		return 0;
	if (p == NULL && (p = partition_new(ps, says, t, number)) == NULL)
		return -1;
	t->partitions[number] = p;
	plog_set(p->log, &says->settings);
	p->upkeep = (struct partition_upkeep){
	    .uncleanable = p->upkeep.uncleanable, .version = p->upkeep.version + 1};
	turned = p->leader != ip->leader || p->leader_epoch != ip->leader_epoch;
	p->leader = ip->leader;
	p->leader_epoch = ip->leader_epoch;
	p->isr_count = ip->isr_count;
	p->min_isr = says->min_isr;
	/* More than there are would refuse every write (Partition.effectiveMinIsr). */
	if ((size_t)p->min_isr > ip->replica_count)
		p->min_isr = (int32_t)ip->replica_count;
	if (turned) {
		partition_hold(p);
		wake(p);
		partition_release(p);
	}
	return 0;
}

void
partitions_changed(
    struct partitions *ps, const struct image *im, const char *topic, const struct uuid *topic_id)
{
	const struct image_topic *it;
	struct topic_says says;
	struct topic *t;

	if (topic == NULL)
		return;
	it = image_topic_by_id(im, topic_id);
	t = map_get(&ps->by_id, topic_id->bytes, sizeof(topic_id->bytes));
	if (it == NULL) {
		if (t != NULL)
			topic_end(ps, t);
		return;
	}
	if ((t == NULL && (t = topic_new(ps, it)) == NULL) ||
	    topic_grow(t, it->partition_count) == -1)
		goto nomem;
	plog_settings_resolve(im, t->name, &says.settings);
	says.min_isr = (int32_t)strtol(
	    topic_config_value(im, t->name, "min.insync.replicas", NULL), NULL, 10);
	for (int32_t i = 0; i < it->partition_count; i++)
		if (it->partitions[i].exists && follow(ps, &says, t, i, &it->partitions[i]) == -1)
			goto nomem;
	return;
nomem:
	/* What is missing is answered UNKNOWN_TOPIC_OR_PARTITION until the next change. */
	os_note(ps->broker->os, OS_ERROR, "%s: out of memory: not all partitions are served", topic);
}

/* --- looking up ------------------------------------------------------------------------ */

struct partition *
partitions_find(struct partitions *ps, const char *topic, size_t topic_len, const struct uuid *id,
    int32_t number, int *code)
{
	const struct topic *t = topic != NULL
	    ? map_get(&ps->by_name, topic, topic_len)
	    : map_get(&ps->by_id, id->bytes, sizeof(id->bytes));
	struct partition *p;

	if (t == NULL) {
		*code = topic != NULL ? ERR_UNKNOWN_TOPIC_OR_PARTITION : ERR_UNKNOWN_TOPIC_ID;
		return NULL;
	}
	if (number < 0 || number >= t->count) {
		*code = ERR_UNKNOWN_TOPIC_OR_PARTITION;
		return NULL;
	}
	p = t->partitions[number];
	*code = 0;
	if (p == NULL || p->leader != ps->broker->config->node_id)
		*code = ERR_NOT_LEADER_OR_FOLLOWER;
	else if (p->log->failed)
		*code = ERR_KAFKA_STORAGE_ERROR;
	return *code == 0 ? p : NULL;
}

int
partition_check_epoch(const struct partition *p, int32_t epoch)
{
	if (epoch == -1 || epoch == p->leader_epoch)
		return 0;
	return epoch < p->leader_epoch ? ERR_FENCED_LEADER_EPOCH : ERR_UNKNOWN_LEADER_EPOCH;
}

struct epoch_entry
partition_epoch_end(
    const struct epochs *e, int32_t leader_epoch, int32_t epoch, int64_t log_end)
{
	int32_t latest = epochs_latest(e);

	if (epoch == leader_epoch || (latest == EPOCH_NONE && epoch != EPOCH_NONE && epoch < leader_epoch))
		return (struct epoch_entry){epoch, log_end};
	if (latest != EPOCH_NONE && latest < epoch && epoch < leader_epoch)
		return (struct epoch_entry){latest, log_end};
	return epochs_end_of(e, epoch, log_end);
}

/* --- life ------------------------------------------------------------------------------- */

struct partitions *
partitions_new(struct broker *b)
{
	struct partitions *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return NULL;
	ps->broker = b;
	map_init(&ps->by_name);
	map_init(&ps->by_id);
	return ps;
}

void
partitions_free(struct partitions *ps)
{
	if (ps == NULL)
		return;
	for (struct map_entry *e = NULL; (e = map_next(&ps->by_id, e)) != NULL;) {
		struct topic *t = e->value;

		for (int32_t i = 0; i < t->count; i++) {
			if (t->partitions[i] == NULL)
				continue;
			free(t->partitions[i]->topic);
			free(t->partitions[i]);
		}
		topic_free(t);
	}
	map_release(&ps->by_name);
	map_release(&ps->by_id);
	free(ps);
}

int
partitions_each(struct partitions *ps, int (*each)(void *ctx, struct partition *p), void *ctx)
{
	int ret = 0;

	for (struct map_entry *e = NULL; ret == 0 && (e = map_next(&ps->by_id, e)) != NULL;) {
		const struct topic *t = e->value;

		for (int32_t i = 0; ret == 0 && i < t->count; i++)
			if (t->partitions[i] != NULL)
				ret = each(ctx, t->partitions[i]);
	}
	return ret;
}
