/*
 * config_files: which configuration files there are.
 */
#ifndef CLI_CONFIG_FILES_H
#define CLI_CONFIG_FILES_H

#include "cli/config.h"

/* Reads -F (`option`, or NULL), else MQ_CONFIG, else /etc/mq/mq.conf and then the
 * user's file, each if it is there. */
int config_files_read(struct config *c, const char *option, struct err *err);

/* ${NAME:-~/fallback}/mq, allocated; NULL when memory fails or there is no home. */
char *config_home_path(const char *variable, const char *fallback);

#endif
