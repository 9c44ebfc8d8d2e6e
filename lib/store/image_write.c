/* The records that make an image: what a snapshot holds. In the order of Kafka's
 * MetadataImage.write. */
#include <string.h>

#include "store/image_impl.h"

struct writer {
	const struct image *im;
	int (*add)(void *ctx, const struct buf *value, struct err *err);
	void *ctx;
	struct buf value;
};

static int
write_record(struct writer *w, const struct wire_schema *s, int version, const void *msg,
    struct err *err)
{
	buf_clear(&w->value);
	if (metadata_record_encode(s, version, msg, &w->value, err) == -1)
		return -1;
	return w->add(w->ctx, &w->value, err);
}

/* --- versions ---------------------------------------------------------------------- */

#define METADATA_3_4_IV0 8
#define METADATA_3_7_IV2 17
#define METADATA_4_0_IV1 23
#define METADATA_4_3_IV0 30

int
image_partition_version(const struct image *im)
{
	int level = image_feature(im, "metadata.version");

	return level >= METADATA_4_0_IV1 ? 2 : level >= METADATA_3_7_IV2 ? 1 : 0;
}

int
image_broker_version(const struct image *im)
{
	int level = image_feature(im, "metadata.version");

	if (level >= METADATA_4_3_IV0)
		return 4;
	return level >= METADATA_3_7_IV2 ? 3 : level >= METADATA_3_4_IV0 ? 2 : 1;
}

/* --- features, brokers ------------------------------------------------------------- */

static int
write_feature(struct writer *w, const char *name, int level, struct err *err)
{
	struct feature_level_record r;

	wire_init(&wire_feature_level_record, &r);
	r.name = wire_str_of(name);
	r.feature_level = (int16_t)level;
	return write_record(w, &wire_feature_level_record, 0, &r, err);
}

/* metadata.version comes first: it says how to read the rest. That of KRaft is in
 * the control records. */
static int
write_features(struct writer *w, struct err *err)
{
	int level = image_feature(w->im, "metadata.version");

	if (level > 0 && write_feature(w, "metadata.version", level, err) == -1)
		return -1;
	for (struct map_entry *e = NULL; (e = map_next(&w->im->features, e)) != NULL;) {
		const char *name = (const char *)e->key;

		if (strcmp(name, "metadata.version") == 0 || strcmp(name, "kraft.version") == 0)
			continue;
		if (write_feature(w, name, (int)((intptr_t)e->value - 1), err) == -1)
			return -1;
	}
	return 0;
}

static int
write_brokers(struct writer *w, struct err *err)
{
	int version = image_broker_version(w->im);

	for (struct map_entry *e = NULL; (e = map_next(&w->im->brokers, e)) != NULL;) {
		const struct image_broker *b = e->value;

		if (write_record(w, &wire_register_broker_record, version, b->record, err) == -1)
			return -1;
	}
	return 0;
}

/* --- topics, configs --------------------------------------------------------------- */

static struct wire_int32s
ids_of(const int32_t *ids, size_t count)
{
	return (struct wire_int32s){
	    .items = (int32_t *)(uintptr_t)ids, .count = (int32_t)count};
}

/* Null where there are none, so that a version without the field can be written. */
static struct wire_int32s
ids_or_null(const struct image_ids *ids)
{
	return (struct wire_int32s){
	    .items = ids->ids, .count = ids->count > 0 ? (int32_t)ids->count : -1};
}

static int
write_partition(struct writer *w, const struct image_topic *t, int32_t number, struct err *err)
{
	const struct image_partition *p = &t->partitions[number];
	int version = image_partition_version(w->im);
	struct partition_record r;

	wire_init(&wire_partition_record, &r);
	r.partition_id = number;
	r.topic_id = t->id;
	r.replicas = ids_of(p->replicas, p->replica_count);
	r.isr = ids_of(p->isr, p->isr_count);
	r.removing_replicas = ids_of(p->removing.ids, p->removing.count);
	r.adding_replicas = ids_of(p->adding.ids, p->adding.count);
	r.leader = p->leader;
	r.leader_recovery_state = p->recovering ? 1 : 0;
	r.leader_epoch = p->leader_epoch;
	r.partition_epoch = p->partition_epoch;
	if (version >= 1) {
		r.directories.items = p->directories;
		r.directories.count = (int32_t)p->directory_count;
	}
	if (version >= 2) {
		r.eligible_leader_replicas = ids_or_null(&p->elr);
		r.last_known_elr = ids_or_null(&p->last_elr);
	}
	return write_record(w, &wire_partition_record, version, &r, err);
}

static int
write_topics(struct writer *w, struct err *err)
{
	struct topic_record r;

	for (struct map_entry *e = NULL; (e = map_next(&w->im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		wire_init(&wire_topic_record, &r);
		r.name = wire_str_of(t->name);
		r.topic_id = t->id;
		if (write_record(w, &wire_topic_record, 0, &r, err) == -1)
			return -1;
		for (int32_t i = 0; i < t->partition_count; i++)
			if (t->partitions[i].exists && write_partition(w, t, i, err) == -1)
				return -1;
	}
	return 0;
}

static int
write_config(struct writer *w, int8_t type, const char *resource, const struct image_configs *c,
    struct err *err)
{
	struct config_record r;

	for (const struct image_config *one = NULL; (one = image_config_next(c, one)) != NULL;) {
		wire_init(&wire_config_record, &r);
		r.resource_type = type;
		r.resource_name = wire_str_of(resource);
		r.name = wire_str_of(one->name);
		r.value = wire_str_of(one->value);
		if (write_record(w, &wire_config_record, 0, &r, err) == -1)
			return -1;
	}
	return 0;
}

static int
write_configs(struct writer *w, struct err *err)
{
	for (struct map_entry *e = NULL; (e = map_next(&w->im->configs, e)) != NULL;)
		if (write_config(w, (int8_t)e->key[0], (const char *)e->key + 1, e->value, err) == -1)
			return -1;
	for (struct map_entry *e = NULL; (e = map_next(&w->im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		if (write_config(w, RESOURCE_TOPIC, t->name, &t->configs, err) == -1)
			return -1;
	}
	return 0;
}

/* --- the rest ------------------------------------------------------------------------ */

static int
write_producer_ids(struct writer *w, struct err *err)
{
	struct producer_ids_record r;

	if (w->im->next_producer_id <= 0)
		return 0;
	wire_init(&wire_producer_ids_record, &r);
	r.broker_id = -1;
	r.next_producer_id = w->im->next_producer_id;
	return write_record(w, &wire_producer_ids_record, 0, &r, err);
}

static int
write_others(struct writer *w, int type, struct err *err)
{
	for (struct map_entry *e = NULL; (e = map_next(&w->im->others, e)) != NULL;)
		if (e->key[0] == type && w->add(w->ctx, e->value, err) == -1)
			return -1;
	return 0;
}

int
image_write(const struct image *im,
    int (*add)(void *ctx, const struct buf *value, struct err *err), void *ctx, struct err *err)
{
	struct writer w = {.im = im, .add = add, .ctx = ctx};
	int ret = -1;

	if (write_features(&w, err) == 0 && write_brokers(&w, err) == 0 &&
	    write_others(&w, REGISTER_CONTROLLER_RECORD, err) == 0 && write_topics(&w, err) == 0 &&
	    write_configs(&w, err) == 0 && write_others(&w, CLIENT_QUOTA_RECORD, err) == 0 &&
	    write_producer_ids(&w, err) == 0 &&
	    write_others(&w, ACCESS_CONTROL_ENTRY_RECORD, err) == 0 &&
	    write_others(&w, USER_SCRAM_CREDENTIAL_RECORD, err) == 0)
		ret = write_others(&w, DELEGATION_TOKEN_RECORD, err);
	buf_release(&w.value);
	return ret;
}
