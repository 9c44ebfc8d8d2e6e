#include "cli/tools.h"

#include <stddef.h>

/* Rows that several tools share: one letter, one meaning. */
#define ROWS_WHERE \
	{'b', "brokers", "HOST[:PORT],...", "brokers (also unix:PATH)", "Where", 0, 0, 0}, \
	    {'d', "dir", "DIR", "store directory (no daemon needed)", NULL, 0, 0, COMPLETE_DIR}
#define ROW_DIR \
	{'d', "dir", "DIR", "store directory (no daemon needed)", "Where", 0, 0, COMPLETE_DIR}, \
	    {'b', "brokers", "HOST", "brokers", NULL, 0, OPTION_HIDDEN, 0} /* refused in words */
#define ROW_TOPICS(text) {'t', "topic", "TOPIC", text, NULL, 0, OPTION_REPEAT, COMPLETE_TOPIC}
#define ROW_PARTITIONS(verbs) \
	{'p', "partition", "LIST", "partitions, such as 0,2-5 (-1: any)", NULL, verbs, \
	    OPTION_REPEAT, 0}
#define ROW_TIMEOUT(verbs) \
	{'m', "timeout", "SECS", "longest wait for a broker, a lock or a topic", NULL, verbs, 0, 0}
#define ROW_LOCK_TIMEOUT {'m', "timeout", "SECS", "longest wait for a broker or a lock", NULL, 0, 0, 0}
#define ROW_CONFIG \
	{'F', "config", "FILE", "configuration file ('none': none)", NULL, 0, 0, COMPLETE_FILE}
#define ROW_PROPERTY(text) {'X', "property", "NAME=VALUE", text, NULL, 0, OPTION_REPEAT, 0}
#define PROPERTY_TEXT "set a property ('list', 'dump': show them)"
#define ROWS_COMMON \
	{'q', "quiet", NULL, "say less: errors only", "Common", 0, 0, 0}, \
	    {'v', "verbose", NULL, "say more (-vv: more still)", NULL, 0, OPTION_REPEAT, 0}, \
	    {'V', "version", NULL, "print name and version", NULL, 0, 0, 0}, \
	    {'h', "help", NULL, "print this text", NULL, 0, 0, 0}
#define ROW_JSON(text, verbs) {'J', "json", NULL, text, NULL, verbs, 0, 0}
#define ROWS_TABLE \
	{OPT_HEADING, "heading", NULL, "print column names also into a pipe", "Output", 0, 0, 0}, \
	    {'J', "json", NULL, "one JSON object a row", NULL, 0, 0, 0}, \
	    {OPT_COLOR, "color", "[auto|always|never]", "colour (auto: on a terminal)", NULL, \
	        0, 0, 0}
#define ROW_IGNORED(letter) {letter, NULL, NULL, "", NULL, 0, OPTION_IGNORED, 0}
#define ROW_END {0, NULL, NULL, NULL, NULL, 0, 0, 0}

/* --- mq-produce ------------------------------------------------------------ */

static const struct option_spec produce_options[] = {
    ROWS_WHERE,
    {'t', "topic", "TOPIC", "topic to write to; made if it is not there", NULL, 0, 0,
        COMPLETE_TOPIC},
    {'p', "partition", "N", "partition (-1: the partitioner chooses)", NULL, 0, 0, 0},
    {OPT_PARTITIONER, "partitioner", "murmur2|crc32|fnv1a|rr|random",
        "how keys are placed (murmur2, as Java's)", NULL, 0, 0, 0},
    ROW_TIMEOUT(0),
    ROW_CONFIG,
    ROW_PROPERTY(PROPERTY_TEXT),

    {'D', "delimiter", "STR", "ends a record (\\n)", "Records in", 0, 0, 0},
    {'0', "zero-terminated", NULL, "a NUL byte ends a record", NULL, 0, 0, 0},
    {'w', "whole", NULL, "each file is one record", NULL, 0, 0, 0},
    {'J', "json", NULL, "each line is a JSON object, as mq-consume -J writes it", NULL, 0, 0, 0},
    {'K', "key-delimiter", "STR", "ends the key at the start of a record", NULL, 0, 0, 0},
    {OPT_KEY_OPTIONAL, "key-optional", NULL, "a record without key delimiter has no key", NULL,
        0, 0, 0},
    {'k', "key", "KEY", "key of all records that bring none", NULL, 0, 0, 0},
    {'H', "header", "NAME=VALUE", "header of all records", NULL, 0, OPTION_REPEAT, 0},
    {'Z', "null", "[STR]", "an empty value or key (or one that is STR) is null", NULL, 0, 0, 0},
    {OPT_SKIP_EMPTY, "skip-empty", NULL, "drop empty records", NULL, 0, 0, 0},
    {OPT_TS, "ts", "TIME", "timestamp of all records (now)", NULL, 0, 0, 0},

    {'a', "acks", "all|1|0", "wait until synced, written, or not at all (all)", "Writing", 0, 0,
        0},
    {'z', "compression", "CODEC[:LEVEL]", "none, gzip, snappy, lz4 or zstd", NULL, 0, 0, 0},
    {'B', "batch", "N,BYTES,DUR", "largest batch: records, bytes, time", NULL, 0, 0, 0},
    {OPT_ACK_FORMAT, "ack-format", "FMT", "print each acknowledged record", NULL, 0, 0, 0},
    {'E', "keep-going", NULL, "go on after bad records; ends with 3", NULL, 0, 0, 0},
    {'n', "dry-run", NULL, "read and check, write nothing", NULL, 0, 0, 0},
    ROWS_COMMON,
    ROW_IGNORED('P'),
    ROW_IGNORED('l'),
    ROW_END,
};

const struct tool_spec tool_produce = {
    .name = "mq-produce",
    .help = "write records from files or standard input to a topic",
    .operands = "[file ...]",
    .default_verb = -1,
    .options = produce_options,
    .complete = COMPLETE_FILE,
};

/* --- mq-consume ------------------------------------------------------------ */

static const struct option_spec consume_options[] = {
    ROWS_WHERE,
    ROW_TOPICS("topic, glob or ^regex"),
    ROW_PARTITIONS(0),
    {'G', "group", "GROUP", "read as a member of a group, commit its offsets", NULL, 0, 0,
        COMPLETE_GROUP},
    ROW_TIMEOUT(0),
    ROW_CONFIG,
    ROW_PROPERTY(PROPERTY_TEXT),

    {'o', "offset", "RANGE", "beginning, end, stored, N, +N, -N, A..B, @TIME, @T1..T2",
        "What to read", 0, OPTION_REPEAT, 0},
    {'e', "exit", NULL, "stop at the end as it is now", NULL, 0, 0, 0},
    {'c', "count", "N", "stop after N records", NULL, 0, 0, 0},
    {OPT_TAIL, "tail", "N", "the last N records, then stop", NULL, 0, 0, 0},
    {OPT_ISOLATION, "isolation", "read_committed|read_uncommitted",
        "of transactions (read_committed)", NULL, 0, 0, 0},
    {OPT_COMMIT, "commit", "after-write|end|never", "when offsets are committed (after-write)",
        NULL, 0, 0, 0},
    {'E', "keep-going", NULL, "go on after errors; ends with 3", NULL, 0, 0, 0},
    {OPT_FAIL_EMPTY, "fail-empty", NULL, "end with 1 if there was no record", NULL, 0, 0, 0},

    {'f', "format", "FMT", "print records by a format such as '%k %s\\n'", "Records out", 0, 0,
        0},
    {'J', "json", NULL, "one JSON object a record", NULL, 0, 0, 0},
    {'D', "delimiter", "STR", "printed after a record (\\n)", NULL, 0, 0, 0},
    {'0', "zero-terminated", NULL, "print a NUL byte after a record", NULL, 0, 0, 0},
    {'K', "key-delimiter", "STR", "print the key and STR before a record", NULL, 0, 0, 0},
    {'O', "print-offset", NULL, "print the offset before a record", NULL, 0, 0, 0},
    {'Z', "null", "[STR]", "print NULL (or STR) for null", NULL, 0, 0, 0},
    {'u', "unbuffered", NULL, "write each record at once", NULL, 0, 0, 0},
    ROWS_COMMON,
    ROW_IGNORED('C'),
    ROW_END,
};

const struct tool_spec tool_consume = {
    .name = "mq-consume",
    .help = "print the records of topics",
    .operands = "[topic ...]",
    .default_verb = -1,
    .options = consume_options,
    .complete = COMPLETE_TOPIC,
};

/* --- mq-topics ------------------------------------------------------------- */

#define T(verb) (1u << TOPICS_##verb)

static const struct verb_spec topics_verbs[] = {
    {"list", "[topic ...]", "names"},
    {"describe", "[topic ...]", "partitions and configuration"},
    {"create", "topic ...", "make topics"},
    {"alter", "topic ...", "change configuration, add partitions"},
    {"delete", "topic ...", "delete topics"},
    {"trim", "topic ...", "delete the records before -o"},
    {"clean", "[topic ...]", "run retention and compaction now"},
    {"offsets", "[topic ...]", "offsets at -o (end)"},
    {"du", "[topic ...]", "bytes on disk"},
    {NULL, NULL, NULL},
};

static const struct option_spec topics_options[] = {
    ROWS_WHERE,
    ROW_TOPICS("topic, glob or ^regex, as an operand"),
    ROW_PARTITIONS(T(DESCRIBE) | T(TRIM) | T(CLEAN) | T(OFFSETS) | T(DU)),
    ROW_LOCK_TIMEOUT,
    ROW_CONFIG,
    ROW_PROPERTY("set a property; with create and alter: of the topic"),

    {OPT_PARTITIONS, "partitions", "N", "number of partitions", "Topics", T(CREATE) | T(ALTER), 0,
        0},
    {OPT_REPLICAS, "replicas", "N", "number of replicas (1)", NULL, T(CREATE), 0, 0},
    {OPT_IF_NOT_EXISTS, "if-not-exists", NULL, "a topic that is there is no error", NULL,
        T(CREATE), 0, 0},
    {'o', "offset", "POINT", "beginning, end, N, +N, -N or @TIME", NULL, T(TRIM) | T(OFFSETS), 0,
        0},
    {'n', "dry-run", NULL, "say what would be done", NULL,
        T(CREATE) | T(ALTER) | T(DELETE) | T(TRIM), 0, 0},
    {'y', "yes", NULL, "do not ask", NULL, T(DELETE), 0, 0},
    ROWS_TABLE,
    ROWS_COMMON,
    ROW_END,
};

#undef T

const struct tool_spec tool_topics = {
    .name = "mq-topics",
    .help = "list, make, change, trim and delete topics",
    .verbs = topics_verbs,
    .default_verb = TOPICS_LIST,
    .options = topics_options,
    .complete = COMPLETE_TOPIC,
};

/* --- mq-groups ------------------------------------------------------------- */

#define G(verb) (1u << GROUPS_##verb)

static const struct verb_spec groups_verbs[] = {
    {"list", "[group ...]", "names"},
    {"describe", "[group ...]", "state, members and offsets"},
    {"lag", "[group ...]", "how far behind, in records and in time"},
    {"seek", "group ...", "set committed offsets to -o"},
    {"delete", "group ...", "delete groups"},
    {NULL, NULL, NULL},
};

static const struct option_spec groups_options[] = {
    ROWS_WHERE,
    {'G', "group", "GROUP", "group, glob or ^regex, as an operand", NULL, 0, OPTION_REPEAT,
        COMPLETE_GROUP},
    {'t', "topic", "TOPIC", "only of this topic, glob or ^regex", NULL,
        G(DESCRIBE) | G(LAG) | G(SEEK), OPTION_REPEAT, COMPLETE_TOPIC},
    ROW_PARTITIONS(G(DESCRIBE) | G(LAG) | G(SEEK)),
    ROW_LOCK_TIMEOUT,
    ROW_CONFIG,
    ROW_PROPERTY(PROPERTY_TEXT),

    {OPT_MAX, "max", "LIMIT", "end with 1 above this lag, such as 1000 or 30s", "Groups", G(LAG),
        OPTION_REPEAT, 0},
    {'o', "offset", "POINT", "beginning, end, N, +N, -N or @TIME", NULL, G(SEEK), 0, 0},
    {OPT_FORCE, "force", NULL, "also while the group has members", NULL, G(SEEK), 0, 0},
    {'n', "dry-run", NULL, "say what would be done", NULL, G(SEEK) | G(DELETE), 0, 0},
    {'y', "yes", NULL, "do not ask", NULL, G(DELETE), 0, 0},
    ROWS_TABLE,
    ROWS_COMMON,
    ROW_END,
};

#undef G

const struct tool_spec tool_groups = {
    .name = "mq-groups",
    .help = "show consumer groups and their lag, set their offsets",
    .verbs = groups_verbs,
    .default_verb = GROUPS_LIST,
    .options = groups_options,
    .complete = COMPLETE_GROUP,
};

/* --- mq-dump-log ----------------------------------------------------------- */

static const struct option_spec dump_log_options[] = {
    ROW_DIR,
    ROW_TOPICS("topic, as an operand that is never taken for a file"),
    ROW_PARTITIONS(0),
    ROW_CONFIG,
    ROW_PROPERTY(PROPERTY_TEXT),

    {'o', "offset", "RANGE", "only these offsets or times", "What to print", 0, OPTION_REPEAT, 0},
    {OPT_RECORDS, "records", NULL, "one line a record under its batch", NULL, 0, 0, 0},
    {OPT_KEYS, "keys", NULL, "their keys too", NULL, 0, 0, 0},
    {OPT_DATA, "data", NULL, "their values and headers too", NULL, 0, 0, 0},
    {OPT_VERIFY, "verify", NULL, "check everything, print only damage", NULL, 0, 0, 0},
    ROW_JSON("one JSON object a line", 0),
    {OPT_COLOR, "color", "[auto|always|never]", "colour (auto: on a terminal)", NULL, 0, 0, 0},
    ROWS_COMMON,
    ROW_END,
};

const struct tool_spec tool_dump_log = {
    .name = "mq-dump-log",
    .help = "print what lies in log files, byte for byte checked",
    .operands = "file|directory|topic[:partition] ...",
    .default_verb = -1,
    .options = dump_log_options,
    .complete = COMPLETE_LOG,
};

/* --- mq-index -------------------------------------------------------------- */

#define I(verb) (1u << INDEX_##verb)
#define INDEX_OPERANDS "file|directory|topic[:partition] ..."

static const struct verb_spec index_verbs[] = {
    {"check", INDEX_OPERANDS, "hold indexes against their segments"},
    {"rebuild", INDEX_OPERANDS, "write indexes anew"},
    {"show", INDEX_OPERANDS, "print the entries"},
    {"lookup", INDEX_OPERANDS, "find where -o lies"},
    {NULL, NULL, NULL},
};

static const struct option_spec index_options[] = {
    ROW_DIR,
    ROW_TOPICS("topic, as an operand that is never taken for a file"),
    ROW_PARTITIONS(0),
    ROW_TIMEOUT(I(REBUILD)),
    ROW_CONFIG,
    {'X', "property", "NAME=VALUE", "index.interval.bytes of the topic, if it is not in a store", NULL,
        I(REBUILD), OPTION_REPEAT, 0},

    {'o', "offset", "POINT", "offset N, +N or time @TIME to look up", "Indexes", I(LOOKUP), 0, 0},
    {'n', "dry-run", NULL, "say what would be done", NULL, I(REBUILD), 0, 0},
    ROWS_TABLE,
    ROWS_COMMON,
    ROW_END,
};

#undef I

const struct tool_spec tool_index = {
    .name = "mq-index",
    .help = "check, rebuild, show and use the indexes of segments",
    .verbs = index_verbs,
    .default_verb = -1,
    .options = index_options,
    .complete = COMPLETE_LOG,
};

/* --- mqd ------------------------------------------------------------------- */

static const struct option_spec mqd_options[] = {
    {'d', "dir", "DIR", "data directory", "Where", 0, 0, COMPLETE_DIR},
    {OPT_LISTEN, "listen", "ADDR", "HOST:PORT or unix:PATH, several with commas", NULL, 0,
        OPTION_REPEAT, 0},
    {'F', "config", "FILE", "mqd.conf or a server.properties ('none': none)", NULL, 0, 0,
        COMPLETE_FILE},
    ROW_PROPERTY("set a key of mqd.conf ('list': show them)"),

    {OPT_CHECK, "check", NULL, "say what would hold and what is ignored, start nothing", "What to do",
        0, 0, 0},
    {OPT_EPHEMERAL, "ephemeral", NULL,
        "a temporary broker: print BROKERS=..., end with stdin", NULL, 0, 0, 0},
    {OPT_RUN, "run", "CMD", "run a command with MQ_BROKERS set; end with its status", NULL,
        0, 0, COMPLETE_FILE},
    ROWS_COMMON,
    ROW_END,
};

const struct tool_spec tool_mqd = {
    .name = "mqd",
    .help = "serve a data directory to Kafka clients",
    .operands = "[argument ...]",
    .default_verb = -1,
    .options = mqd_options,
    .complete = COMPLETE_FILE,
};

const struct tool_spec *const tools_all[] = {&tool_produce, &tool_consume, &tool_topics,
    &tool_groups, &tool_dump_log, &tool_index, &tool_mqd, NULL};
