/*
 * image_impl: what image.c (the tables), image_brokers.c (those of brokers, and of
 * what is only kept), image_records.c (the records that change them) and
 * image_write.c (the records that they make) share. Not for others.
 */
#ifndef STORE_IMAGE_IMPL_H
#define STORE_IMAGE_IMPL_H

#include "store/image.h"

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

/* As image_ids_set; an empty list takes no memory. */
int image_ids_copy(struct image_ids *ids, const int32_t *from, int32_t from_count, struct err *err);
int image_directories_set(struct image_partition *p, const struct uuid *from, int32_t from_count,
    struct err *err);

/* Tells the watcher, if there is one. */
int image_touched(struct image *im, const struct image_topic *topic, struct err *err);

/* Sets a config of a resource; a null value takes it away. */
int image_config_set(struct image *im, int8_t type, struct wire_str resource, struct wire_str name,
    struct wire_str value, struct err *err);

int image_feature_set(struct image *im, const char *name, size_t len, int level, struct err *err);

/* --- image_brokers.c --------------------------------------------------------- */

/* A broker registers, with the record's own bytes; goes; changes. */
int image_broker_set(struct image *im, struct slice value, struct err *err);
void image_broker_remove(struct image *im, int32_t id);
int image_broker_change(
    struct image *im, const struct broker_registration_change_record *r, struct err *err);
void image_broker_fence(struct image *im, int32_t id, bool fenced);

/* Keeps a record's bytes, or forgets those that it takes back. False: it is none of
 * these. */
bool image_other_apply(
    struct image *im, const struct wire_message *m, struct slice value, int *ret, struct err *err);

void image_brokers_release(struct image *im);

#endif
