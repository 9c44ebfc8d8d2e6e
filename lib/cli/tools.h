/*
 * tools: the command lines of all tools, as data.
 *
 * A tool's main parses with its table and switches on the ids. Ids of options
 * that have a letter are that letter; the others are here.
 */
#ifndef CLI_TOOLS_H
#define CLI_TOOLS_H

#include "cli/options.h"

enum option_long {
	OPT_COLOR = 256,
	OPT_HEADING,
	/* mq-produce */
	OPT_KEY_OPTIONAL,
	OPT_SKIP_EMPTY,
	OPT_TS,
	OPT_PARTITIONER,
	OPT_ACK_FORMAT,
	/* mq-consume */
	OPT_TAIL,
	OPT_COMMIT,
	OPT_ISOLATION,
	OPT_FAIL_EMPTY,
	/* mq-topics */
	OPT_PARTITIONS,
	OPT_REPLICAS,
	OPT_IF_NOT_EXISTS,
	/* mq-groups */
	OPT_MAX,
	OPT_FORCE,
	/* mq-dump-log */
	OPT_RECORDS,
	OPT_KEYS,
	OPT_DATA,
	OPT_VERIFY,
	/* mqd */
	OPT_LISTEN,
	OPT_CHECK,
	OPT_EPHEMERAL,
	OPT_RUN,
};

/* Choices, in the order in which their tables name them. */
enum choice_color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum choice_acks { CHOICE_ACKS_ALL, CHOICE_ACKS_1, CHOICE_ACKS_0 };
enum choice_partitioner {
	PARTITIONER_MURMUR2,
	PARTITIONER_CRC32,
	PARTITIONER_FNV1A,
	PARTITIONER_RR,
	PARTITIONER_RANDOM,
};
enum choice_commit { COMMIT_AFTER_WRITE, COMMIT_END, COMMIT_NEVER };
enum choice_isolation { ISOLATION_COMMITTED, ISOLATION_UNCOMMITTED };

/* options.verb of the tools that have commands. */
enum topics_verb {
	TOPICS_LIST,
	TOPICS_DESCRIBE,
	TOPICS_CREATE,
	TOPICS_ALTER,
	TOPICS_DELETE,
	TOPICS_TRIM,
	TOPICS_CLEAN,
	TOPICS_OFFSETS,
	TOPICS_DU,
};
enum groups_verb { GROUPS_LIST, GROUPS_DESCRIBE, GROUPS_LAG, GROUPS_SEEK, GROUPS_DELETE };
enum index_verb { INDEX_CHECK, INDEX_REBUILD, INDEX_SHOW, INDEX_LOOKUP };

extern const struct tool_spec tool_produce, tool_consume, tool_topics, tool_groups, tool_dump_log,
    tool_index, tool_mqd;

/* All of them, ended by NULL. */
extern const struct tool_spec *const tools_all[];

#endif
