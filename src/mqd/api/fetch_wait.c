/* Fetch: waiting for what is not there yet. */
#include "mqd/api/fetch_impl.h"

/* Has it changed so that it must be told, or may enough have come? What has not moved
 * since it was looked at is not worth it: our own looking tells waiters, too. */
static bool
is_worth_looking(const struct fetch *f)
{
	int64_t bytes = (int64_t)f->bytes;
	bool any = false, unsure = f->in->min_bytes <= 1;

	for (size_t i = 0; i < f->part_count; i++) {
		const struct fetch_part *p = &f->parts[i];

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
	struct fetch_part *p = w->ctx;

	if (is_worth_looking(p->fetch))
		fetch_begin(p->fetch);
}

static void
time_is_up(struct os_timer *t)
{
	struct fetch *f = t->ctx;

	f->last = true;
	fetch_begin(f);
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

void
fetch_wait(struct fetch *f)
{
	int64_t spent_ms = (os_mono_ns(f->x->broker->os) - f->x->came_ns) / 1000000;

	fetch_let_go(f);
	/* While one part was read, others that were looked at before may have gone, or moved. */
	if (is_gone(f) || is_worth_looking(f)) {
		fetch_begin(f);
		return;
	}
	f->timer = (struct os_timer){.fire = time_is_up, .ctx = f};
	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];

		if (p->partition == NULL)
			continue;
		p->waiter = (struct partition_waiter){.woken = woken, .ctx = p};
		partition_wait(p->partition, &p->waiter);
	}
	os_timer_start(f->x->broker->os, &f->timer, f->in->max_wait_ms - spent_ms);
}
