/*
 * home: where the groups live: the partitions of __consumer_offsets that this broker
 * leads, as the metadata says.
 *
 * The one part of groups/ that knows a broker: it makes the topic when somebody first
 * asks for a coordinator, tells the groups which partitions are theirs, and appends
 * their records.
 */
#ifndef MQD_GROUPS_HOME_H
#define MQD_GROUPS_HOME_H

#include "mqd/broker.h"
#include "mqd/groups/groups.h"

struct image;

struct home;

/* Makes broker->groups. -1: no memory. */
int home_new(struct broker *b);

/* After the logs. */
void home_free(struct broker *b);

/* Follows the metadata, after the partitions have: a topic was made, changed or
 * deleted. */
void home_changed(struct broker *b, const struct image *im, const char *topic,
    const struct uuid *topic_id);

/* The topic is not there: makes it, with Kafka's configuration, if that is not under
 * way. */
void home_make_topic(struct broker *b);

#endif
