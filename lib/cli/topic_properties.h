/*
 * topic_properties: -X as mq-topics create and alter take it: configurations of
 * the topic, by Kafka's names.
 */
#ifndef CLI_TOPIC_PROPERTIES_H
#define CLI_TOPIC_PROPERTIES_H

#include "base/arena.h"
#include "cli/options.h"
#include "client/target.h"

/* Reads each -X NAME=VALUE, checks it and gives it the form in which Kafka keeps
 * it (7d as 604800000). With `may_reset`, NAME alone has a NULL value. The list
 * lies in `arena`. "-X list" prints the table of all configurations instead.
 * Returns 0; 1 if something was printed, and that was all; -1: ERR_INVALID
 * (with the nearest name, or what is allowed), ERR_NOMEM. */
int topic_properties(const struct options *o, bool may_reset, struct arena *arena,
    const struct admin_config **list, size_t *count, struct err *err);

#endif
