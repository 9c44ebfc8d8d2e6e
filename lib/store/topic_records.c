/* Topics as records. */
#include "store/topic_records.h"

#include "store/records.h"

static bool
names_collide(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if ((*a == '.' ? '_' : *a) != (*b == '.' ? '_' : *b))
			return false;
	return *a == *b;
}

const struct image_topic *
topic_collision(const struct image *im, const char *name)
{
	for (struct map_entry *e = NULL; (e = map_next(&im->topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		if (names_collide(t->name, name))
			return t;
	}
	return NULL;
}

void
topic_draw_id(struct os *os, const struct image *im, struct uuid *id)
{
	uint8_t random[16];

	do
		os_random(os, random, sizeof(random));
	while (!uuid_from_random(id, random) || image_topic_by_id(im, id) != NULL);
}

int
topic_add_topic(
    const struct topic_records *to, const char *name, const struct uuid *id, struct err *err)
{
	struct topic_record r;

	wire_init(&wire_topic_record, &r);
	r.name = wire_str_of(name);
	r.topic_id = *id;
	return records_add_metadata(to->bb, &wire_topic_record, 0, &r, to->now_ms, err);
}

int
topic_add_partition(const struct topic_records *to, const struct uuid *id, int32_t number,
    const int32_t *replicas, const struct uuid *directories, size_t count, struct err *err)
{
	int version = image_partition_version(to->im);
	struct partition_record r;

	wire_init(&wire_partition_record, &r);
	r.partition_id = number;
	r.topic_id = *id;
	r.replicas = (struct wire_int32s){(int32_t *)(uintptr_t)replicas, (int32_t)count};
	r.isr = r.replicas;
	r.leader = replicas[0];
	r.leader_epoch = r.partition_epoch = 0;
	if (version >= 1)
		r.directories = (struct wire_uuids){(struct uuid *)(uintptr_t)directories, (int32_t)count};
	return records_add_metadata(to->bb, &wire_partition_record, version, &r, to->now_ms, err);
}

int
topic_add_config(const struct topic_records *to, int8_t type, const char *resource,
    const char *name, const char *value, struct err *err)
{
	struct config_record r;

	wire_init(&wire_config_record, &r);
	r.resource_type = type;
	r.resource_name = wire_str_of(resource);
	r.name = wire_str_of(name);
	r.value = wire_str_of(value);
	return records_add_metadata(to->bb, &wire_config_record, 0, &r, to->now_ms, err);
}

int
topic_add_removal(const struct topic_records *to, const struct uuid *id, struct err *err)
{
	struct remove_topic_record r;

	wire_init(&wire_remove_topic_record, &r);
	r.topic_id = *id;
	return records_add_metadata(to->bb, &wire_remove_topic_record, 0, &r, to->now_ms, err);
}
