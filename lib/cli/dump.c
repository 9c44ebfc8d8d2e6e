/* Which kind a file is, and lines out. */
#include "cli/dump.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/signals.h"
#include "log/segment.h"

#define FLUSH_AT (64 << 10)      /* bytes */
#define DECODED_MAX (256 << 20) /* bytes that one record's messages may take */
#define BASE_DIGITS 20

void
dump_init(struct dump *d, struct os *os)
{
	memset(d, 0, sizeof(*d));
	d->os = os;
	sink_init(&d->sink, 1, false);
	arena_init(&d->arena, DECODED_MAX);
	d->from = INT64_MIN;
	d->to = INT64_MAX;
	d->from_ms = INT64_MIN;
	d->to_ms = INT64_MAX;
}

void
dump_release(struct dump *d)
{
	sink_release(&d->sink);
	arena_release(&d->arena);
	record_reader_release(&d->reader);
}

void
dump_flush(struct dump *d)
{
	struct err err;

	if (d->failed || d->sink.out.len == 0)
		return;
	if (sink_flush(&d->sink, &err) == 0)
		return;
	if (d->sink.closed)
		signals_raise(SIGPIPE);
	d->failed = true;
	d->status = report_fail(&err);
}

bool
dump_stopped(const struct dump *d)
{
	return d->failed || signals_caught() != 0;
}

/* --- lines -------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [DUMP_UNKNOWN] = "unknown",
    [DUMP_LOG] = "log",
    [DUMP_SNAPSHOT] = "snapshot",
    [DUMP_LOOSE] = "batches",
    [DUMP_INDEX] = "index",
    [DUMP_TIME] = "timeindex",
    [DUMP_TXN] = "txnindex",
    [DUMP_PRODUCERS] = "producers",
    [DUMP_EPOCHS] = "epochs",
    [DUMP_OFFSETS] = "offsets",
    [DUMP_PROPERTIES] = "properties",
    [DUMP_JSON] = "json",
};

static struct line *
line_anew(struct dump *d, const char *type, bool loud)
{
	d->line = (struct line){
	    .out = &d->sink.out, .json = d->json, .color = d->color, .file = d->path};
	line_begin(&d->line, type, loud);
	return &d->line;
}

/* Only before a line that belongs to the file, so that --verify is silent about
 * sound ones. JSON lines name their file themselves. */
static void
heading_put(struct dump *d)
{
	struct line *l;

	if (d->headed || !d->headings || d->json)
		return;
	l = line_anew(d, "file", false);
	line_name(l, "=path", d->path, strlen(d->path));
	line_word(l, "kind", kind_names[d->kind]);
	line_end(l, false);
	d->headed = true;
}

struct line *
dump_line(struct dump *d, const char *type, bool loud)
{
	heading_put(d);
	return line_anew(d, type, loud);
}

void
dump_line_end(struct dump *d, bool loud)
{
	line_end(&d->line, loud);
	if (d->sink.out.len >= FLUSH_AT)
		dump_flush(d);
}

void
dump_bad(struct dump *d, int64_t position, const char *why, const char *what)
{
	struct line *l = dump_line(d, "bad", true);

	line_int(l, "pos", position);
	line_word(l, "why", why);
	line_bytes(l, "what", what, (int64_t)strlen(what));
	dump_line_end(d, true);
	d->damaged++;
}

void
dump_note(struct dump *d, int64_t position, const char *why, const char *what)
{
	struct line *l = dump_line(d, "note", false);

	line_int(l, "pos", position);
	line_word(l, "why", why);
	line_bytes(l, "what", what, (int64_t)strlen(what));
	dump_line_end(d, false);
}

void
dump_torn(struct dump *d, int64_t position, int64_t bytes, const char *why)
{
	struct line *l = dump_line(d, "torn", false);

	line_int(l, "pos", position);
	line_int(l, "bytes", bytes);
	line_word(l, "why", why);
	dump_line_end(d, false);
	d->torn++;
}

/* --- kinds -------------------------------------------------------------------- */

static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

int64_t
dump_base_of(const char *path)
{
	const char *name = name_of(path);
	uint64_t value = 0;

	for (int i = 0; i < BASE_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9' || value > (uint64_t)INT64_MAX / 10)
			return -1;
		value = value * 10 + (uint64_t)(name[i] - '0');
	}
	return value > SEGMENT_BASE_MAX ? -1 : (int64_t)value;
}

static const struct {
	const char *text;
	enum dump_kind kind;
} suffixes[] = {
    {".log", DUMP_LOG},
    {".index", DUMP_INDEX},
    {".timeindex", DUMP_TIME},
    {".txnindex", DUMP_TXN},
    {".snapshot", DUMP_PRODUCERS},
}, names[] = {
    {"leader-epoch-checkpoint", DUMP_EPOCHS},
    {"recovery-point-offset-checkpoint", DUMP_OFFSETS},
    {"log-start-offset-checkpoint", DUMP_OFFSETS},
    {"replication-offset-checkpoint", DUMP_OFFSETS},
    {"cleaner-offset-checkpoint", DUMP_OFFSETS},
    {"meta.properties", DUMP_PROPERTIES},
    {"partition.metadata", DUMP_PROPERTIES},
    {"quorum-state", DUMP_JSON},
    {".kafka_cleanshutdown", DUMP_JSON},
    {"bootstrap.checkpoint", DUMP_SNAPSHOT},
};

/* The suffix may be followed by another one (".log.deleted", ".log.cut"). */
enum dump_kind
dump_kind_of(const char *path)
{
	const char *name = name_of(path), *rest = name + BASE_DIGITS;
	const char *point = strstr(name, ".checkpoint");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i].text) == 0)
			return names[i].kind;
	if (dump_base_of(path) == -1)
		return DUMP_UNKNOWN;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t len = strlen(suffixes[i].text);
		if (strncmp(rest, suffixes[i].text, len) == 0 &&
		    (rest[len] == '\0' || rest[len] == '.'))
			return suffixes[i].kind;
	}
	return *rest == '-' && point != NULL ? DUMP_SNAPSHOT : DUMP_UNKNOWN;
}

/* The directory's name says what its records are; a relative path may hide it. */
static enum dump_topic
topic_of(const char *path, enum dump_kind kind)
{
	static const struct {
		const char *name;
		enum dump_topic topic;
	} topics[] = {
	    {"__consumer_offsets-", TOPIC_GROUPS},
	    {"__transaction_state-", TOPIC_TXNS},
	    {"__share_group_state-", TOPIC_SHARES},
	    {"__cluster_metadata-", TOPIC_METADATA},
	};
	char *whole = realpath(path, NULL), *slash;
	enum dump_topic topic = kind == DUMP_SNAPSHOT ? TOPIC_METADATA : TOPIC_USER;

	if (whole == NULL)
		return topic;
	slash = strrchr(whole, '/');
	*slash = '\0';
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (strncmp(name_of(whole), topics[i].name, strlen(topics[i].name)) == 0)
			topic = topics[i].topic;
	free(whole);
	return topic;
}

/* Under a name that tells nothing: does it begin like a batch, if only of one of
 * Kafka's old formats? */
static enum dump_kind
kind_of_content(struct dump *d, int fd)
{
	uint8_t head[BATCH_HEADER];
	ssize_t got = os_read_at(d->os, fd, head, sizeof(head), 0);
	enum batch_fault fault;
	struct batch b;

	if (got <= 0)
		return DUMP_UNKNOWN;
	fault = batch_view_header(head, (size_t)got, &b);
	if (fault == BATCH_OK)
		return DUMP_LOOSE;
	return fault == BATCH_BAD_MAGIC && (b.magic == 0 || b.magic == 1) && b.base_offset >= 0
	    ? DUMP_LOOSE
	    : DUMP_UNKNOWN;
}

static int
dump_open_file(struct dump *d, int fd, struct err *err)
{
	switch (d->kind) {
	case DUMP_LOG:
	case DUMP_SNAPSHOT:
	case DUMP_LOOSE:
		return dump_log(d, fd, err);
	case DUMP_INDEX:
		return dump_offset_index(d, fd, err);
	case DUMP_TIME:
		return dump_time_index(d, fd, err);
	case DUMP_TXN:
		return dump_txn_index(d, fd, err);
	case DUMP_PRODUCERS:
		return dump_producers(d, err);
	case DUMP_EPOCHS:
		return dump_epochs(d, err);
	case DUMP_OFFSETS:
		return dump_offsets(d, err);
	case DUMP_PROPERTIES:
		return dump_properties(d, err);
	case DUMP_JSON:
		return dump_json(d, err);
	case DUMP_UNKNOWN:
		break;
	}
	return err_set(err, ERR_INVALID, "%s: neither named like a file of a log, nor does it "
	    "begin with a record batch (if a topic is meant: -t)", d->path);
}

int
dump_file(struct dump *d, const char *path, struct err *err)
{
	int fd = os_open(d->os, path, OS_READ), rc;

	if (fd == -1)
		return err_sys(err, errno, "%s", path);
	d->path = path;
	d->headed = false;
	d->kind = dump_kind_of(path);
	if (d->kind == DUMP_UNKNOWN)
		d->kind = kind_of_content(d, fd);
	d->topic = topic_of(path, d->kind);
	if (!d->verify && !dump_has_range(d))
		heading_put(d);
	rc = dump_open_file(d, fd, err);
	(void)os_close(d->os, fd);
	dump_flush(d);
	d->files++;
	return rc;
}
