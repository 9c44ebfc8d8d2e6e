/* Metadata records, each applied to the image by one function. */
#include "store/image_impl.h"

#include <stdlib.h>
#include <string.h>

/* What one record's decoded form may take. */
#define RECORD_ARENA_MAX (256u << 20)

/* What records of an open metadata transaction may take in all. */
#define PENDING_MAX (256u << 20)

/* --- one function for each record ------------------------------------------ */

static int
apply_topic(struct image *im, const void *data, struct err *err)
{
	const struct topic_record *r = data;
	struct image_topic *t;

	if (image_topic_add(im, r->name.data, (size_t)r->name.len, &r->topic_id, err) == -1)
		return -1;
	t = image_topic_wanted(im, &r->topic_id, err);
	if (image_touched(im, t, err) == 0)
		return 0;
	image_topic_remove(im, t);
	return -1;
}

static int
apply_remove_topic(struct image *im, const void *data, struct err *err)
{
	const struct remove_topic_record *r = data;
	struct image_topic *t = image_topic_wanted(im, &r->topic_id, err);

	if (t == NULL || image_touched(im, t, err) == -1)
		return -1;
	image_topic_remove(im, t);
	return 0;
}

static int
ids_copy(struct image_ids *ids, const struct wire_int32s *from, struct err *err)
{
	return image_ids_copy(ids, from->items, from->count, err);
}

static int
apply_partition(struct image *im, const void *data, struct err *err)
{
	const struct partition_record *r = data;
	struct image_topic *t = image_topic_wanted(im, &r->topic_id, err);
	struct image_partition *p;

	if (t == NULL || (p = image_partition_make(im, t, r->partition_id, err)) == NULL)
		return -1;
	p->leader = r->leader;
	p->leader_epoch = r->leader_epoch;
	p->partition_epoch = r->partition_epoch;
	p->recovering = r->leader_recovery_state != 0;
	if (image_ids_set(&p->isr, &p->isr_count, r->isr.items, r->isr.count, err) == -1 ||
	    image_ids_set(
	        &p->replicas, &p->replica_count, r->replicas.items, r->replicas.count, err) == -1 ||
	    ids_copy(&p->elr, &r->eligible_leader_replicas, err) == -1 ||
	    ids_copy(&p->last_elr, &r->last_known_elr, err) == -1 ||
	    ids_copy(&p->adding, &r->adding_replicas, err) == -1 ||
	    ids_copy(&p->removing, &r->removing_replicas, err) == -1 ||
	    image_directories_set(p, r->directories.items, r->directories.count, err) == -1)
		return -1;
	return image_touched(im, t, err);
}

/* Lists that are null have not changed. */
static int
ids_change(struct image_ids *ids, const struct wire_int32s *from, struct err *err)
{
	return from->count >= 0 ? ids_copy(ids, from, err) : 0;
}

/* What of a change concerns neither who leads nor who is in sync. */
static int
change_rest(struct image_partition *p, const struct partition_change_record *r, struct err *err)
{
	if (r->leader_recovery_state >= 0)
		p->recovering = r->leader_recovery_state != 0;
	if (ids_change(&p->elr, &r->eligible_leader_replicas, err) == -1 ||
	    ids_change(&p->last_elr, &r->last_known_elr, err) == -1 ||
	    ids_change(&p->adding, &r->adding_replicas, err) == -1 ||
	    ids_change(&p->removing, &r->removing_replicas, err) == -1)
		return -1;
	if (r->directories.count < 0)
		return 0;
	return image_directories_set(p, r->directories.items, r->directories.count, err);
}

/* Absent fields have not changed. A new leader or a removed replica raises the
 * leader epoch (a smaller ISR did so before metadata.version 3.6, whose logs say
 * it by a leader field). */
static int
apply_partition_change(struct image *im, const void *data, struct err *err)
{
	const struct partition_change_record *r = data;
	struct image_topic *t = image_topic_wanted(im, &r->topic_id, err);
	struct image_partition *p;

	if (t == NULL)
		return -1;
	if (image_partition(t, r->partition_id) == NULL)
		return err_set(err, ERR_CORRUPT, "a change of %s-%d, which no record made", t->name,
		    r->partition_id);
	p = &t->partitions[r->partition_id];
	if (r->isr.count >= 0 &&
	    image_ids_set(&p->isr, &p->isr_count, r->isr.items, r->isr.count, err) == -1)
		return -1;
	if (r->replicas.count >= 0 &&
	    image_ids_set(&p->replicas, &p->replica_count, r->replicas.items, r->replicas.count,
	        err) == -1)
		return -1;
	/* What cannot be done twice comes last. */
	if (change_rest(p, r, err) == -1 || image_touched(im, t, err) == -1)
		return -1;
	if (r->leader != -2) {
		p->leader = r->leader;
		p->leader_epoch++;
	}
	p->partition_epoch++;
	return 0;
}

/* Of one topic, or of all (KIP-966). */
static int
apply_clear_elr(struct image *im, const void *data, struct err *err)
{
	const struct clear_elr_record *r = data;

	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;) {
		struct image_topic *t = e->value;

		if (r->topic_name.len > 0 && (e->key_len != (size_t)r->topic_name.len ||
		                                 memcmp(e->key, r->topic_name.data, e->key_len) != 0))
			continue;
		for (int32_t i = 0; i < t->partition_count; i++)
			if (image_ids_copy(&t->partitions[i].elr, NULL, 0, err) == -1 ||
			    image_ids_copy(&t->partitions[i].last_elr, NULL, 0, err) == -1)
				return -1;
		if (image_touched(im, t, err) == -1)
			return -1;
	}
	return 0;
}

static int
apply_config(struct image *im, const void *data, struct err *err)
{
	const struct config_record *r = data;
	const struct image_topic *t = NULL;

	if (image_config_set(im, r->resource_type, r->resource_name, r->name, r->value, err) == -1)
		return -1;
	if (r->resource_type == RESOURCE_TOPIC)
		t = map_get(&im->topics, r->resource_name.data, (size_t)r->resource_name.len);
	return image_touched(im, t, err);
}

static int
apply_feature(struct image *im, const void *data, struct err *err)
{
	const struct feature_level_record *r = data;

	if (image_feature_set(im, r->name.data, (size_t)r->name.len, r->feature_level, err) == -1)
		return -1;
	return image_touched(im, NULL, err);
}

static int
apply_producer_ids(struct image *im, const void *data, struct err *err)
{
	const struct producer_ids_record *r = data;

	(void)err;
	im->next_producer_id = r->next_producer_id;
	return 0;
}

static int
apply_unregister_broker(struct image *im, const void *data, struct err *err)
{
	(void)err;
	image_broker_remove(im, ((const struct unregister_broker_record *)data)->broker_id);
	return 0;
}

static int
apply_fence_broker(struct image *im, const void *data, struct err *err)
{
	(void)err;
	image_broker_fence(im, ((const struct fence_broker_record *)data)->id, true);
	return 0;
}

static int
apply_unfence_broker(struct image *im, const void *data, struct err *err)
{
	(void)err;
	image_broker_fence(im, ((const struct unfence_broker_record *)data)->id, false);
	return 0;
}

static int
apply_broker_change(struct image *im, const void *data, struct err *err)
{
	return image_broker_change(im, data, err);
}

/* By record type. A known record that is not here does not concern the image. */
static int (*const apply_table[])(struct image *im, const void *data, struct err *err) = {
	[UNREGISTER_BROKER_RECORD] = apply_unregister_broker,
	[TOPIC_RECORD] = apply_topic,
	[PARTITION_RECORD] = apply_partition,
	[CONFIG_RECORD] = apply_config,
	[PARTITION_CHANGE_RECORD] = apply_partition_change,
	[FENCE_BROKER_RECORD] = apply_fence_broker,
	[UNFENCE_BROKER_RECORD] = apply_unfence_broker,
	[REMOVE_TOPIC_RECORD] = apply_remove_topic,
	[FEATURE_LEVEL_RECORD] = apply_feature,
	[PRODUCER_IDS_RECORD] = apply_producer_ids,
	[BROKER_REGISTRATION_CHANGE_RECORD] = apply_broker_change,
	[CLEAR_ELR_RECORD] = apply_clear_elr,
};

/* --- records, transactions, batches ---------------------------------------- */

static int
apply_value(struct image *im, struct slice value, struct arena *a, struct err *err)
{
	struct wire_message m;
	int ret;

	arena_reset(a);
	if (metadata_record_decode(value, a, &m, err) == -1)
		return -1;
	if (m.type == REGISTER_BROKER_RECORD)
		return image_broker_set(im, value, err);
	if (image_other_apply(im, &m, value, &ret, err))
		return ret;
	if ((size_t)m.type >= sizeof(apply_table) / sizeof(apply_table[0]) ||
	    apply_table[m.type] == NULL)
		return 0;
	return apply_table[m.type](im, m.data, err);
}

/* Keeps a record's value back until the transaction ends. */
static int
pending_add(struct image *im, struct slice value, struct err *err)
{
	im->pending.limit = PENDING_MAX;
	buf_i32(&im->pending, (int32_t)value.len);
	buf_put(&im->pending, value.data, value.len);
	if (im->pending.failed)
		return err_set(err, ERR_NOMEM, "a metadata transaction takes more than %u bytes",
		    PENDING_MAX);
	return 0;
}

static int
pending_apply(struct image *im, struct arena *a, struct err *err)
{
	struct cursor c = cursor_of(im->pending.data, im->pending.len);

	while (cursor_left(&c) > 0) {
		size_t len = (size_t)cursor_i32(&c);
		struct slice value = {.data = cursor_bytes(&c, len), .len = len};

		if (apply_value(im, value, a, err) == -1)
			return -1;
	}
	return 0;
}

static void
pending_end(struct image *im)
{
	buf_clear(&im->pending);
	im->in_transaction = false;
}

/* The type of a metadata record without decoding it; -1 if it cannot be read. */
static int64_t
value_type(struct slice value)
{
	struct cursor c = cursor_of(value.data, value.len);
	uint32_t type;

	(void)cursor_uvarint(&c);
	type = cursor_uvarint(&c);
	return c.failed ? -1 : (int64_t)type;
}

static int
apply_data_record(struct image *im, const struct record *r, struct arena *a, struct err *err)
{
	struct slice value = {.data = r->value, .len = r->value_size < 0 ? 0 : (size_t)r->value_size};
	int ret;

	switch (value_type(value)) {
	case BEGIN_TRANSACTION_RECORD:
		if (im->in_transaction)
			return err_set(err, ERR_CORRUPT, "a metadata transaction within another");
		im->in_transaction = true;
		return 0;
	case END_TRANSACTION_RECORD:
		if (!im->in_transaction)
			return err_set(err, ERR_CORRUPT, "the end of no metadata transaction");
		ret = pending_apply(im, a, err);
		pending_end(im);
		return ret;
	case ABORT_TRANSACTION_RECORD:
		if (!im->in_transaction)
			return err_set(err, ERR_CORRUPT, "the abort of no metadata transaction");
		pending_end(im);
		return 0;
	default:
		return im->in_transaction ? pending_add(im, value, err)
		                          : apply_value(im, value, a, err);
	}
}

static int
voters_set(struct image *im, size_t count, struct err *err)
{
	struct image_voter *list = calloc(count + 1, sizeof(*list));

	if (list == NULL)
		return err_nomem(err);
	free(im->voters);
	im->voters = list;
	im->voter_count = count;
	return 0;
}

static int
apply_voters(struct image *im, const struct voters_record *r, struct err *err)
{
	if (voters_set(im, (size_t)r->voters.count, err) == -1)
		return -1;
	for (size_t i = 0; i < im->voter_count; i++) {
		im->voters[i].id = r->voters.items[i].voter_id;
		im->voters[i].directory_id = r->voters.items[i].voter_directory_id;
	}
	return 0;
}

/* Under kraft.version 0 the voters are in no record of their own: each new
 * leader tells them. */
static int
apply_leader_change(struct image *im, const struct leader_change_message *r, struct err *err)
{
	if (image_feature(im, "kraft.version") > 0)
		return 0;
	if (voters_set(im, (size_t)r->voters.count, err) == -1)
		return -1;
	for (size_t i = 0; i < im->voter_count; i++)
		im->voters[i].id = r->voters.items[i].voter_id;
	return 0;
}

static int
apply_control_record(struct image *im, const struct record *r, struct arena *a, struct err *err)
{
	struct slice key = {.data = r->key, .len = r->key_size < 0 ? 0 : (size_t)r->key_size};
	struct slice value = {.data = r->value, .len = r->value_size < 0 ? 0 : (size_t)r->value_size};
	struct wire_message m;
	int type;

	type = control_key_decode(key, err);
	if (type == -1)
		return -1;
	if (type != CONTROL_LEADER_CHANGE && type != CONTROL_KRAFT_VERSION &&
	    type != CONTROL_KRAFT_VOTERS)
		return 0;
	arena_reset(a);
	if (control_value_decode(type, value, a, &m, err) == -1)
		return -1;
	if (type == CONTROL_LEADER_CHANGE)
		return apply_leader_change(im, m.data, err);
	if (type == CONTROL_KRAFT_VOTERS) {
		buf_clear(&im->voters_value);
		buf_put(&im->voters_value, value.data, value.len);
		return im->voters_value.failed ? err_nomem(err) : apply_voters(im, m.data, err);
	}
	return image_feature_set(im, "kraft.version", strlen("kraft.version"),
	    ((const struct k_raft_version_record *)m.data)->k_raft_version, err);
}

static int
apply_records(struct image *im, const struct batch *b, struct record_reader *rr, struct arena *a,
    struct err *err)
{
	struct record r;
	int got;

	if (record_reader_open(rr, b, err) == -1)
		return -1;
	while ((got = record_reader_next(rr, &r, err)) == 1) {
		int ret;

		if (r.offset < im->end_offset)
			continue;
		ret = batch_is_control(b) ? apply_control_record(im, &r, a, err)
		                          : apply_data_record(im, &r, a, err);
		if (ret == -1)
			return err_prefix(err, "metadata record %lld", (long long)r.offset);
		im->end_offset = r.offset + 1;
	}
	return got;
}

int
image_apply(struct image *im, const struct batch *b, struct err *err)
{
	struct record_reader rr = {0};
	struct arena a;
	int ret;

	if (batch_next_offset(b) <= im->end_offset)
		return 0;
	if (b->base_offset > im->end_offset)
		return err_set(err, ERR_CORRUPT, "metadata records %lld..%lld are missing",
		    (long long)im->end_offset, (long long)b->base_offset - 1);
	arena_init(&a, RECORD_ARENA_MAX);
	ret = apply_records(im, b, &rr, &a, err);
	record_reader_release(&rr);
	arena_release(&a);
	if (ret == -1)
		return -1;
	im->end_offset = batch_next_offset(b);
	im->epoch = b->leader_epoch;
	im->last_timestamp = b->max_timestamp;
	return 0;
}
