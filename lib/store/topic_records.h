/*
 * topic_records: the records that make, change and delete a topic, put into a batch of
 * the metadata log. Pure; what is wanted has been checked by the caller, whose words a
 * refusal has: a tool's (admin.c), or Kafka's (a controller).
 */
#ifndef STORE_TOPIC_RECORDS_H
#define STORE_TOPIC_RECORDS_H

#include "log/batch.h"
#include "os/os.h"
#include "store/image.h"

/* Where records go. */
struct topic_records {
	const struct image *im; /* of the log as it is without them: tells their versions */
	struct batch_builder *bb;
	int64_t now_ms;
};

/* A topic of the image whose name differs from `name` in nothing but . and _, which
 * are the same in Kafka's metric names; NULL: none. */
const struct image_topic *topic_collision(const struct image *im, const char *name);

/* Draws the id of a new topic. */
void topic_draw_id(struct os *os, const struct image *im, struct uuid *id);

/* All return 0, or -1 with err. */
int topic_add_topic(const struct topic_records *to, const char *name, const struct uuid *id,
    struct err *err);

/* A new partition, led by the first of its replicas, all of which are in sync;
 * `directories` are theirs. */
int topic_add_partition(const struct topic_records *to, const struct uuid *id, int32_t number,
    const int32_t *replicas, const struct uuid *directories, size_t count, struct err *err);

/* One config of a resource; NULL takes it away. */
int topic_add_config(const struct topic_records *to, int8_t type, const char *resource,
    const char *name, const char *value, struct err *err);

int topic_add_removal(const struct topic_records *to, const struct uuid *id, struct err *err);

#endif
