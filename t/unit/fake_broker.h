/*
 * fake_broker: a broker of one topic "t" for tests of clients: it keeps batches in
 * memory, sees to producers' sequences as Kafka does, and does what a test tells it:
 * fail, close connections after the work is done, know only old versions.
 *
 * All on one simulated process with the client: os_turn runs both.
 */
#ifndef FAKE_BROKER_H
#define FAKE_BROKER_H

#include <stdlib.h>
#include <string.h>

#include "log/batch.h"
#include "os/os_sim.h"
#include "tap.h"
#include "wire/frame.h"
#include "wire_gen.h"

#define FAKE_ADDRESS "127.0.0.1:9092"
#define FAKE_PARTITIONS 2
#define FAKE_BATCHES 512

struct fake_batch {
	uint8_t *bytes;
	size_t len;
	int64_t base_offset;
	int64_t id;
	int16_t epoch;
	int32_t first, last; /* sequences */
};

struct fake_log {
	struct fake_batch batches[FAKE_BATCHES];
	size_t count;
	int64_t end;
};

struct fake {
	struct os *os;
	struct os_listener door;
	struct fake_log logs[FAKE_PARTITIONS];
	const char *advertised;	     /* host; NULL: 127.0.0.1 */
	int api_versions_max;	     /* -1: ours */
	bool numbers_wildly; /* partitions of metadata */
	bool deletes_before_commit; /* the topic goes when a group commits, and stays away */
	bool gone;
	bool says_nothing_of_itself; /* error 35 comes with an empty list */
	int produce_code;	     /* for this many: */
	int produce_code_count;
	int close_after; /* the connection, without an answer, after every so many produces; 0 never
			  */
	bool forget_producers; /* once: as after an unclean election */
	int mute;	       /* answers to leave out */
	int produced, asked, greeted, connections;
	struct wire_str groups_seen;
};

struct fake_conn {
	struct fake *f;
	struct os_stream s;
	struct frame_reader in;
	uint8_t room[4096];
};

struct fake_out {
	struct os_send o;
	struct buf bytes;
};

static inline void
fake_sent(struct os_send *o, int why)
{
	struct fake_out *out = o->ctx;

	(void)why;
	buf_release(&out->bytes);
	free(out);
}

/* --- requests ---------------------------------------------------------------------- */

static inline int
fake_append(struct fake *f, struct fake_log *l, struct wire_bytes records, int64_t *offset)
{
	struct batch b;
	struct fake_batch *kept = &l->batches[l->count];

	if (batch_view(records.data, (size_t)records.len, &b) != BATCH_OK ||
	    batch_check(&b) != BATCH_OK)
		return ERR_CORRUPT_MESSAGE;
	for (size_t i = l->count; b.producer_id >= 0 && i-- > 0 && !f->forget_producers;) {
		const struct fake_batch *last = &l->batches[i];

		if (last->id != b.producer_id)
			continue;
		if (b.producer_epoch < last->epoch)
			return ERR_INVALID_PRODUCER_EPOCH;
		if (b.producer_epoch > last->epoch) {
			if (b.base_sequence != 0)
				return ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
			break;
		}
		for (size_t k = i + 1; k-- > 0 && k + 5 > i;)
			if (l->batches[k].first == b.base_sequence &&
			    l->batches[k].epoch == b.producer_epoch) {
				*offset = l->batches[k].base_offset;
				return 0;
			}
		if (b.base_sequence != last->last + 1)
			return ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
		break;
	}
	if (f->forget_producers) {
		f->forget_producers = false;
		return ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	}
	if (l->count == FAKE_BATCHES)
		return ERR_KAFKA_STORAGE_ERROR;
	kept->bytes = malloc((size_t)b.size);
	memcpy(kept->bytes, records.data, (size_t)b.size);
	kept->len = (size_t)b.size;
	batch_set_base_offset(kept->bytes, l->end);
	kept->base_offset = *offset = l->end;
	kept->id = b.producer_id;
	kept->epoch = b.producer_epoch;
	kept->first = b.base_sequence;
	kept->last = batch_last_sequence(&b);
	l->end += b.last_offset_delta + 1;
	l->count++;
	return 0;
}

static inline void
fake_versions(struct fake *f, struct api_versions_response *r, struct arena *a)
{
	int32_t n = 0;

	r->api_keys.items = arena_array(a, 128, sizeof(r->api_keys.items[0]));
	for (const struct api *p = NULL; (p = api_next(p)) != NULL;)
		r->api_keys.items[n++] = (struct api_versions_response_range){.api_key = p->key,
		    .min_version = p->request->versions.min,
		    .max_version = (int16_t)(p->key == API_API_VERSIONS && f->api_versions_max >= 0
						 ? f->api_versions_max
						 : p->request->versions.max)};
	r->api_keys.count = f->says_nothing_of_itself ? 0 : n;
}

static inline void
fake_metadata(struct fake *f, struct metadata_response *r, struct arena *a)
{
	struct metadata_response_topic *t = arena_array(a, 1, sizeof(*t));
	static int32_t self[] = {1};

	r->brokers.items = arena_array(a, 1, sizeof(r->brokers.items[0]));
	r->brokers.count = 1;
	r->brokers.items[0] = (struct metadata_response_broker){.node_id = 1,
	    .host = wire_str_of(f->advertised != NULL ? f->advertised : "127.0.0.1"),
	    .port = 9092,
	    .rack = wire_str_null()};
	r->controller_id = 1;
	r->topics.items = t;
	r->topics.count = 1;
	t->name = wire_str_of("t");
	t->topic_id.bytes[15] = 7;
	t->topic_authorized_operations = INT32_MIN;
	t->partitions.items = arena_array(a, FAKE_PARTITIONS, sizeof(t->partitions.items[0]));
	t->partitions.count = FAKE_PARTITIONS;
	for (int32_t i = 0; i < FAKE_PARTITIONS; i++)
		t->partitions.items[i] = (struct metadata_response_partition){.partition_index = i,
		    .leader_id = 1,
		    .replica_nodes = {self, 1},
		    .isr_nodes = {self, 1}};
	if (f->gone) {
		t->error_code = ERR_UNKNOWN_TOPIC_OR_PARTITION;
		t->topic_id = (struct uuid){{0}};
		t->partitions.count = 0;
	}
	if (f->numbers_wildly)
		t->partitions.items[0].partition_index = INT32_MAX;
}

static inline void
fake_produce(
    struct fake *f, const struct produce_request *q, struct produce_response *r, struct arena *a)
{
	r->responses.items =
	    arena_array(a, (size_t)q->topic_data.count, sizeof(r->responses.items[0]));
	r->responses.count = q->topic_data.count;
	for (int32_t i = 0; i < q->topic_data.count; i++) {
		const struct produce_request_topic *from = &q->topic_data.items[i];
		struct produce_response_topic *to = &r->responses.items[i];

		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partition_responses.count = from->partition_data.count;
		to->partition_responses.items = arena_array(a, (size_t)from->partition_data.count,
		    sizeof(to->partition_responses.items[0]));
		for (int32_t k = 0; k < from->partition_data.count; k++) {
			const struct produce_request_partition *p = &from->partition_data.items[k];
			struct produce_response_partition *done = &to->partition_responses.items[k];

			*done = (struct produce_response_partition){.index = p->index,
			    .base_offset = -1,
			    .log_append_time_ms = -1,
			    .log_start_offset = 0,
			    .error_message = wire_str_null(),
			    .current_leader = {-1, -1, {NULL, 0}}};
			if (f->produce_code_count > 0) {
				f->produce_code_count--;
				done->error_code = (int16_t)f->produce_code;
			} else {
				done->error_code = (int16_t)fake_append(
				    f, &f->logs[p->index], p->records, &done->base_offset);
			}
		}
	}
}

static inline void
fake_fetch(struct fake *f, const struct fetch_request *q, struct fetch_response *r, struct arena *a)
{
	r->responses.items = arena_array(a, (size_t)q->topics.count, sizeof(r->responses.items[0]));
	r->responses.count = q->topics.count;
	for (int32_t i = 0; i < q->topics.count; i++) {
		const struct fetch_request_topic *from = &q->topics.items[i];
		struct fetch_response_topic *to = &r->responses.items[i];

		to->topic = from->topic;
		to->topic_id = from->topic_id;
		to->partitions.count = from->partitions.count;
		to->partitions.items =
		    arena_array(a, (size_t)from->partitions.count, sizeof(to->partitions.items[0]));
		for (int32_t k = 0; k < from->partitions.count; k++) {
			const struct fetch_request_partition *p = &from->partitions.items[k];
			struct fetch_response_partition *done = &to->partitions.items[k];
			struct fake_log *l = &f->logs[p->partition];
			struct buf all = BUF_INIT;

			*done = (struct fetch_response_partition){.partition_index = p->partition,
			    .error_code =
				(int16_t)(p->fetch_offset > l->end ? ERR_OFFSET_OUT_OF_RANGE : 0),
			    .high_watermark = l->end,
			    .last_stable_offset = l->end,
			    .log_start_offset = 0,
			    .diverging_epoch = {-1, -1, {NULL, 0}},
			    .current_leader = {-1, -1, {NULL, 0}},
			    .snapshot_id = {-1, -1, {NULL, 0}},
			    .aborted_transactions = {NULL, -1},
			    .preferred_read_replica = -1};
			/* Three batches at most, and half of the next. */
			for (size_t b = 0, n = 0; b < l->count && n < 4; b++) {
				if (l->batches[b].base_offset +
					    (l->batches[b].last - l->batches[b].first) <
					p->fetch_offset &&
				    l->batches[b].id >= 0)
					continue;
				buf_put(&all, l->batches[b].bytes,
				    n == 3 ? l->batches[b].len / 2 : l->batches[b].len);
				n++;
			}
			done->records = wire_bytes_of(arena_memdup(a, all.data, all.len), all.len);
			buf_release(&all);
		}
	}
}

static inline void
fake_list_offsets(struct fake *f, const struct list_offsets_request *q,
    struct list_offsets_response *r, struct arena *a)
{
	r->topics.items = arena_array(a, (size_t)q->topics.count, sizeof(r->topics.items[0]));
	r->topics.count = q->topics.count;
	for (int32_t i = 0; i < q->topics.count; i++) {
		const struct list_offsets_request_topic *from = &q->topics.items[i];
		struct list_offsets_response_topic *to = &r->topics.items[i];

		to->name = from->name;
		to->partitions.count = from->partitions.count;
		to->partitions.items =
		    arena_array(a, (size_t)from->partitions.count, sizeof(to->partitions.items[0]));
		for (int32_t k = 0; k < from->partitions.count; k++)
			to->partitions.items[k] = (struct list_offsets_response_partition){
			    .partition_index = from->partitions.items[k].partition_index,
			    .timestamp = -1,
			    .leader_epoch = -1,
			    .offset = from->partitions.items[k].timestamp == -2
					  ? 0
					  : f->logs[from->partitions.items[k].partition_index].end};
	}
}

static inline void
fake_coordinator(struct find_coordinator_response *r, struct arena *a)
{
	r->coordinators.items = arena_array(a, 1, sizeof(r->coordinators.items[0]));
	r->coordinators.count = 1;
	r->coordinators.items[0] = (struct find_coordinator_response_coordinator){
	    .key = wire_str_of("g"), .node_id = 1, .host = wire_str_of("127.0.0.1"), .port = 9092,
	    .error_message = wire_str_null()};
}

static inline void
fake_commit(struct fake *f, struct offset_commit_response *r, struct arena *a)
{
	struct offset_commit_response_topic *t = arena_array(a, 1, sizeof(*t));

	f->gone = f->gone || f->deletes_before_commit;
	r->topics.items = t;
	r->topics.count = 1;
	t->name = wire_str_of("t");
	t->partitions.items = arena_array(a, 1, sizeof(t->partitions.items[0]));
	t->partitions.count = 1;
	t->partitions.items[0].error_code = f->gone ? ERR_UNKNOWN_TOPIC_OR_PARTITION : 0;
}

/* --- connections --------------------------------------------------------------------- */

static inline void
fake_reply(struct fake_conn *c, const struct request *q, int version, const void *msg)
{
	struct fake_out *out = calloc(1, sizeof(*out));
	struct err err;

	if (c->f->mute > 0) {
		c->f->mute--;
		free(out);
		return;
	}
	if (response_encode(q->api, version, q->correlation_id, msg, &out->bytes, &err) == -1) {
		printf("# fake broker: %s\n", err.text);
		free(out);
		return;
	}
	out->o = (struct os_send){.data = out->bytes.data,
	    .len = out->bytes.len,
	    .fd = -1,
	    .done = fake_sent,
	    .ctx = out};
	os_stream_send(c->f->os, &c->s, &out->o);
}

static inline void
fake_answer(struct fake_conn *c, const struct request *q, struct arena *a)
{
	struct fake *f = c->f;
	struct err err;
	void *body, *msg = arena_alloc(a, q->api->response->body->size);

	wire_init(q->api->response, msg);
	if (q->key == API_API_VERSIONS) {
		struct api_versions_response *r = msg;
		bool old = f->api_versions_max >= 0 && q->version > f->api_versions_max;

		f->greeted++;
		fake_versions(f, r, a);
		r->error_code = old ? ERR_UNSUPPORTED_VERSION : 0;
		fake_reply(c, q, old ? 0 : q->version, msg);
		return;
	}
	f->asked++;
	if ((body = request_decode_body(q, a, &err)) == NULL) {
		printf("# fake broker: %s\n", err.text);
		os_stream_close(f->os, &c->s, false);
		return;
	}
	switch (q->key) {
	case API_METADATA:
		fake_metadata(f, msg, a);
		break;
	case API_INIT_PRODUCER_ID:
		((struct init_producer_id_response *)msg)->producer_id = 4000;
		break;
	case API_PRODUCE:
		fake_produce(f, body, msg, a);
		if (f->close_after > 0 && ++f->produced % f->close_after == 0) {
			os_stream_close(f->os, &c->s, false);
			return;
		}
		break;
	case API_FETCH:
		fake_fetch(f, body, msg, a);
		break;
	case API_LIST_OFFSETS:
		fake_list_offsets(f, body, msg, a);
		break;
	case API_FIND_COORDINATOR:
		fake_coordinator(msg, a);
		break;
	case API_OFFSET_COMMIT:
		fake_commit(f, msg, a);
		break;
	default:
		break; /* an empty answer */
	}
	fake_reply(c, q, q->version, msg);
}

static inline size_t
fake_room(struct os_stream *s, void **to)
{
	struct fake_conn *c = s->ctx;

	*to = c->room;
	return sizeof(c->room);
}

static inline void
fake_bytes(struct os_stream *s, size_t len)
{
	struct fake_conn *c = s->ctx;
	const uint8_t *at = c->room;
	struct err err;

	while (len > 0) {
		ssize_t took = frame_feed(&c->in, at, len, &err);

		at += took;
		len -= (size_t)took;
		if (frame_ready(&c->in)) {
			struct buf frame = frame_take(&c->in);
			struct arena a;
			struct request q;

			arena_init(&a, 0);
			if (request_decode((struct slice){frame.data, frame.len}, &q, &err) == 0 ||
			    q.key == API_API_VERSIONS)
				fake_answer(c, &q, &a);
			arena_release(&a);
			buf_release(&frame);
		}
	}
}

static inline void
fake_closed(struct os_stream *s, int why)
{
	struct fake_conn *c = s->ctx;

	(void)why;
	frame_reader_release(&c->in);
	free(c);
}

static inline struct os_stream *
fake_accepted(struct os_listener *l, const char *peer)
{
	struct fake_conn *c = calloc(1, sizeof(*c));

	(void)peer;
	c->f = l->ctx;
	c->f->connections++;
	frame_reader_init(&c->in, 1 << 24);
	c->s = (struct os_stream){
	    .room = fake_room, .bytes = fake_bytes, .closed = fake_closed, .ctx = c};
	return &c->s;
}

static inline void
fake_start(struct fake *f, struct os *os)
{
	*f = (struct fake){.os = os, .api_versions_max = -1};
	f->door.accepted = fake_accepted;
	f->door.ctx = f;
	if (os_listen(os, &f->door, FAKE_ADDRESS) == -1)
		printf("# fake broker: cannot listen\n");
}

static inline void
fake_stop(struct fake *f)
{
	os_listen_stop(f->os, &f->door);
	for (size_t p = 0; p < FAKE_PARTITIONS; p++)
		for (size_t i = 0; i < f->logs[p].count; i++)
			free(f->logs[p].batches[i].bytes);
}

#endif
