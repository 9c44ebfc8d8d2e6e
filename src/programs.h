/*
 * programs: the tools' entries. All tools are one program under several names
 * (hard links), so that what they share is on disk and in memory once; main.c
 * looks at the name that it was called by.
 *
 * An entry runs with a command line that is parsed and an action of
 * OPTIONS_RUN; it returns the exit status and leaves nothing behind. Parsing,
 * the last flush of stdout and death by signal are main's.
 */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include "cli/options.h"

int mq_produce(const struct options *o);
int mq_consume(const struct options *o);
int mq_topics(const struct options *o);
int mq_groups(const struct options *o);
int mq_dump_log(const struct options *o);
int mq_index(const struct options *o);
int mqd(const struct options *o);

#endif
