/* Fetch: the answer. Records go out from where they lie: as slices. */
#include <string.h>

#include "mqd/api/fetch_impl.h"
#include "mqd/api/view.h"

static void
slice_sent(void *ctx)
{
	fetch_read_free(ctx);
}

static int
put_aborted(struct fetch *f, const struct fetch_part *p, struct fetch_response_partition *out)
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
put_part(struct fetch *f, const struct fetch_part *p, struct fetch_response_partition *out)
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

/* A session's name may go with it before the answer is made. -1: no memory. */
static int
put_topic(struct fetch *f, const struct fetch_entry *e, struct fetch_response_topic *out)
{
	const char *name = e->topic != NULL ? e->topic : "";

	if (f->context.session != NULL) {
		view_make_room(f->x, e->topic_len + 64);
		name = arena_memdup(&f->x->arena, name, e->topic_len);
	}
	if (name == NULL)
		return -1;
	out->topic = wire_str_of_mem(name, e->topic_len);
	out->topic_id = e->topic_id;
	return 0;
}

/* The parts that are to be told, in topics: neighbours of one topic share one. */
static int
put_parts(struct fetch *f, struct fetch_response *out, const struct fetch_part **told, size_t count)
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
			if (put_topic(f, e, t) == -1)
				return -1;
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
pick_told(struct fetch *f, const struct fetch_part **told)
{
	size_t count = 0;

	for (size_t i = 0; i < f->part_count; i++) {
		struct fetch_part *p = &f->parts[i];
		bool news = p->code != 0 || p->diverging.epoch >= 0;
		bool records = p->read != NULL && p->read->read.len > 0;

		if (fetch_context_answered(&f->context, p->entry, p->high_watermark,
			p->start_offset, records, news))
			told[count++] = p;
	}
	return count;
}

void
fetch_reply(struct fetch *f)
{
	struct exchange *x = f->x;
	struct fetch_response *out = dispatch_response(x);
	const struct fetch_part **told = exchange_array(x, f->part_count, sizeof(*told));
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
		((struct fetch_part *)(uintptr_t)told[i])->read = NULL; /* it is the slice's */
	}
	fetch_let_go(f);
	fetch_context_end(x->broker->fetch_sessions, &f->context);
	dispatch_reply_slices(x, out, slices, slice_count);
	return;
nomem:
	fetch_let_go(f);
	fetch_context_end(x->broker->fetch_sessions, &f->context);
	dispatch_close(x, "out of memory");
}

void
fetch_reply_error(struct exchange *x, int code)
{
	struct fetch_response *out = dispatch_response(x);

	if (out == NULL || code == ERR_NOMEM) {
		dispatch_close(x, "out of memory");
		return;
	}
	out->error_code = (int16_t)code;
	dispatch_reply(x, out);
}
