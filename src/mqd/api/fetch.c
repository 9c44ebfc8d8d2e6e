/*
 * Fetch: batches from the leaders of their partitions (KIP-74, 227, 320, 392, 516).
 *
 * A fetch is tried: each partition is looked at in the session's order, and what is
 * there below the readable end is read, one partition after another, up to the
 * request's limits. If that is less than min_bytes, and nothing else is to be told, it
 * lets go of what it read and waits until enough may have come, or max_wait_ms is over.
 *
 * Records go out from where they lie: as slices of a file, or of what was read into
 * memory.
 */
#include "mqd/api/fetch_impl.h"
#include "mqd/api/view.h"

/* What a partition takes in the answer, at most, without its aborted transactions. */
#define FETCH_PART_BYTES                                                                   \
	(sizeof(struct fetch_response_partition) + sizeof(struct fetch_response_topic) +   \
	    sizeof(struct reply_slice) + 4 * sizeof(void *))

/* --- its course ----------------------------------------------------------------------- */

void
fetch_let_go(struct fetch *f)
{
	for (size_t i = 0; i < f->part_count; i++) {
		if (f->parts[i].read != NULL)
			fetch_read_free(f->parts[i].read);
		f->parts[i].read = NULL;
		partition_wait_end(&f->parts[i].waiter);
	}
	os_timer_stop(f->x->broker->os, &f->timer);
}

void
fetch_begin(struct fetch *f)
{
	fetch_let_go(f);
	f->at = 0;
	f->bytes = f->memory = 0;
	for (size_t i = 0; i < f->part_count; i++)
		f->parts[i].epoch_known = false;
	fetch_step(f);
}

static bool
has_news(const struct fetch *f)
{
	for (size_t i = 0; i < f->part_count; i++)
		if (f->parts[i].code != 0 || f->parts[i].diverging.epoch >= 0)
			return true;
	return false;
}

void
fetch_step(struct fetch *f)
{
	while (f->at < f->part_count)
		if (!fetch_try_part(f, &f->parts[f->at]))
			return;
	if (f->x->conn == NULL || f->last || f->part_count == 0 || f->in->max_wait_ms <= 0 || has_news(f) ||
	    (int64_t)f->bytes >= f->in->min_bytes)
		fetch_reply(f);
	else
		fetch_wait(f);
}

static void
abandoned(struct exchange *x)
{
	struct fetch *f = x->state;

	f->last = true;
	/* What is under way comes back and then ends it. */
	if (!f->under_way)
		fetch_reply(f);
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
		struct fetch_part *p = &f->parts[f->part_count++];

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
		fetch_reply_error(x, code);
		return;
	}
	x->state = f;
	x->abandoned = abandoned;
	fetch_step(f);
}
