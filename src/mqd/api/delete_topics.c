/*
 * DeleteTopics: by name, or by id. Kafka's ControllerApis.deleteTopics, its texts and
 * its order of checks; one change for all that can go.
 */
#include "mqd/api/api.h"
#include "mqd/api/view.h"
#include "mqd/broker.h"
#include "mqd/cluster/cluster.h"
#include "mqd/config.h"
#include "wire_gen.h"

#define DISABLED_ERROR_SINCE 3 /* TOPIC_DELETION_DISABLED; before, INVALID_REQUEST */

/* What becomes of a topic of the request. */
enum { BY_NAME, BY_ID, REFUSED, DELETED, SILENT };

struct entry {
	struct wire_str name;
	struct uuid id;
	int what;
	int code;
	const char *text;
};

struct deletion {
	struct exchange *x;
	struct cluster_change ch;
	struct entry *entries;
	size_t count;
	struct delete_topics_response *response;
};

static void
refuse(struct entry *e, int code, const char *text)
{
	e->what = REFUSED;
	e->code = code;
	e->text = text;
}

/* --- what is asked for ---------------------------------------------------------------- */

static void
take(struct deletion *d, struct wire_str name, const struct uuid *id)
{
	struct entry *e = &d->entries[d->count++];
	bool has_id = !uuid_equal(id, &uuid_zero);

	*e = (struct entry){.name = name, .id = *id, .what = name.len >= 0 ? BY_NAME : BY_ID};
	if (name.len >= 0 && has_id)
		refuse(e, ERR_INVALID_REQUEST, "You may not specify both topic name and topic id.");
	else if (name.len < 0 && !has_id)
		refuse(e, ERR_INVALID_REQUEST, "Neither topic name nor id were specified.");
}

/* What is named twice is told of once, and stays. */
static int
mark_twice(struct deletion *d, int what, const char *text)
{
	struct map seen;
	int ret = 0;

	map_init(&seen);
	for (size_t i = 0; i < d->count && ret == 0; i++) {
		struct entry *e = &d->entries[i], *first;
		const void *key = what == BY_NAME ? (const void *)e->name.data : e->id.bytes;
		size_t len = what == BY_NAME ? (size_t)e->name.len : sizeof(e->id.bytes);

		if (e->what != what)
			continue;
		first = map_get(&seen, key, len);
		if (first == NULL) {
			ret = map_put(&seen, key, len, e, NULL);
			continue;
		}
		e->what = SILENT;
		refuse(first, ERR_INVALID_REQUEST, text);
	}
	map_release(&seen);
	return ret;
}

static int
take_all(struct deletion *d, const struct delete_topics_request *r)
{
	size_t room = (size_t)r->topics.count + (size_t)r->topic_names.count;

	d->entries = exchange_array(d->x, room, sizeof(*d->entries));
	if (d->entries == NULL)
		return -1;
	for (int32_t i = 0; i < r->topic_names.count; i++)
		take(d, r->topic_names.items[i], &uuid_zero);
	for (int32_t i = 0; i < r->topics.count; i++)
		take(d, r->topics.items[i].name, &r->topics.items[i].topic_id);
	return 0;
}

/* --- which there are -------------------------------------------------------------------- */

static void
find_ids(struct deletion *d, const struct image *im)
{
	for (size_t i = 0; i < d->count; i++) {
		struct entry *e = &d->entries[i];
		const struct image_topic *t = e->what == BY_ID ? image_topic_by_id(im, &e->id) : NULL;

		if (e->what == BY_ID && t == NULL)
			refuse(e, ERR_UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
	}
}

/* A topic that is given by its id as well is not deleted at all; the answer says so for
 * the name. */
static int
find_names(struct deletion *d, const struct image *im)
{
	struct map by_id;
	int ret = 0;

	map_init(&by_id);
	for (size_t i = 0; i < d->count && ret == 0; i++) {
		struct entry *e = &d->entries[i];

		/* Twice by id counts, too. */
		if (e->name.len < 0 && e->what != SILENT && !uuid_equal(&e->id, &uuid_zero))
			ret = map_put(&by_id, e->id.bytes, sizeof(e->id.bytes), e, NULL);
	}
	for (size_t i = 0; i < d->count && ret == 0; i++) {
		struct entry *e = &d->entries[i], *other;
		const struct image_topic *t = e->what == BY_NAME ? view_topic(im, e->name) : NULL;

		if (e->what != BY_NAME)
			continue;
		if (t == NULL) {
			refuse(e, ERR_UNKNOWN_TOPIC_OR_PARTITION,
			    "This server does not host this topic-partition.");
			continue;
		}
		e->id = t->id;
		other = map_get(&by_id, t->id.bytes, sizeof(t->id.bytes));
		if (other == NULL)
			continue;
		if (other->what == BY_ID)
			other->what = SILENT;
		refuse(e, ERR_INVALID_REQUEST,
		    "The provided topic name maps to an ID that was already supplied.");
	}
	map_release(&by_id);
	return ret;
}

/* --- the change ----------------------------------------------------------------------------- */

static int
prepare(struct cluster_change *ch, const struct image *im, struct cluster_records *r,
    struct err *err)
{
	struct deletion *d = ch->ctx;

	find_ids(d, im);
	if (find_names(d, im) == -1)
		return err_nomem(err);
	for (size_t i = 0; i < d->count; i++) {
		struct entry *e = &d->entries[i];

		if (e->what != BY_NAME && e->what != BY_ID)
			continue;
		if (controller_delete_topic(im, &e->id, r, err) == -1)
			return -1;
		/* The image's name goes with the topic. */
		if (e->what == BY_ID)
			e->name = view_text(d->x, "%s", image_topic_by_id(im, &e->id)->name);
		e->what = DELETED;
	}
	return 0;
}

static void
answer(struct deletion *d)
{
	struct delete_topics_response *r = d->response;

	for (size_t i = 0; i < d->count; i++) {
		const struct entry *e = &d->entries[i];
		struct delete_topics_response_topic *to = &r->responses.items[r->responses.count];

		if (e->what == SILENT)
			continue;
		r->responses.count++;
		to->name = e->name;
		to->topic_id = e->id;
		to->error_code = (int16_t)e->code;
		to->error_message = wire_str_of(e->text);
	}
	dispatch_reply(d->x, r);
}

static void
done(struct cluster_change *ch)
{
	struct deletion *d = ch->ctx;

	for (size_t i = 0; i < d->count && ch->err.code != 0; i++) {
		struct entry *e = &d->entries[i];

		if (e->what != REFUSED && e->what != SILENT)
			refuse(e, ch->err.code, ch->err.text);
	}
	answer(d);
}

/* --- requests that may not be ------------------------------------------------------------------ */

/* All of them as they were asked for. */
static void
refuse_all(struct deletion *d, int code, const char *text)
{
	for (size_t i = 0; i < d->count; i++)
		refuse(&d->entries[i], code, text);
	answer(d);
}

void
api_delete_topics(struct exchange *x)
{
	const struct delete_topics_request *request = x->body;
	struct deletion *d = exchange_array(x, 1, sizeof(*d));

	if (d != NULL) {
		d->x = x;
		d->response = dispatch_response(x);
	}
	if (d == NULL || d->response == NULL || take_all(d, request) == -1 ||
	    (d->response->responses.items =
	            exchange_array(x, d->count, sizeof(*d->response->responses.items))) == NULL) {
		dispatch_close(x, "no memory");
		return;
	}
	if (!x->broker->config->delete_topics) {
		refuse_all(d,
		    x->request.version >= DISABLED_ERROR_SINCE ? ERR_TOPIC_DELETION_DISABLED
		                                               : ERR_INVALID_REQUEST,
		    "Topic deletion is disabled.");
		return;
	}
	if (request->timeout_ms <= 0) {
		refuse_all(d, ERR_REQUEST_TIMED_OUT, NULL);
		return;
	}
	if (mark_twice(d, BY_NAME, "Duplicate topic name.") == -1 ||
	    mark_twice(d, BY_ID, "Duplicate topic id.") == -1) {
		dispatch_close(x, "no memory");
		return;
	}
	d->ch = (struct cluster_change){.prepare = prepare, .done = done, .ctx = d};
	cluster_change(x->broker->cluster, &d->ch);
}
