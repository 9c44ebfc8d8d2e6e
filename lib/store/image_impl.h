/*
 * image_impl: what image.c (the tables) and image_records.c (the records that
 * change them) share. Not for others.
 */
#ifndef STORE_IMAGE_IMPL_H
#define STORE_IMAGE_IMPL_H

#include "store/image.h"
#include "wire/record.h"

/* Kafka's resource types. */
#define RESOURCE_TOPIC 2
#define RESOURCE_BROKER 4

/* All of these return 0, or -1 with err ERR_NOMEM or ERR_CORRUPT. */

/* The topic of an id, or NULL with err. */
struct image_topic *image_topic_wanted(struct image *im, const struct uuid *id, struct err *err);

/* Adds a topic; it takes over configs that came before it. */
int image_topic_add(struct image *im, const char *name, size_t len, const struct uuid *id,
    struct err *err);
void image_topic_remove(struct image *im, struct image_topic *t);

/* Makes partition `number`, if it is not there, and returns it. ERR_CORRUPT for one
 * that leaves too many numbers below it unfilled. */
struct image_partition *image_partition_make(struct image *im, struct image_topic *t,
    int32_t number, struct err *err);

/* Replaces a list of broker ids by a copy. */
int image_ids_set(int32_t **list, size_t *count, const int32_t *from, int32_t from_count,
    struct err *err);

/* Sets a config of a resource; a null value takes it away. */
int image_config_set(struct image *im, int8_t type, struct wire_str resource, struct wire_str name,
    struct wire_str value, struct err *err);

int image_feature_set(struct image *im, const char *name, size_t len, int level, struct err *err);

#endif
