/*
 * mq-produce: records from files or stdin, into a topic.
 *
 * The way of a record: input (bytes) -> framing (where one ends, what is its
 * key) -> producer (which partition, which batch) -> target.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/connect.h"
#include "cli/format.h"
#include "cli/framing.h"
#include "cli/sink.h"
#include "cli/times.h"
#include "cli/tool.h"
#include "base/text.h"
#include "client/producer.h"
#include "store/store.h"
#include "programs.h"

/* Records between two looks at the clock while input comes without a pause. */
#define CLOCK_EVERY 64

struct produce {
	const struct options *options;
	struct connection conn;
	struct producer *producer;
	struct producer_config config;
	struct framing framing;
	struct format *ack_format; /* NULL: none */
	bool keep_going, dry_run;
	bool stopped; /* by a batch that failed for good */
	const char *topic; /* -t; NULL: each record names its own */
	struct producer_topic *sole; /* that of -t, from its first record on */
	int64_t partition;
	int64_t fixed_time; /* --ts, or NO_TIMESTAMP: now */
	int64_t now_ms;
	int64_t count;  /* records read */
	int64_t acked;
	int64_t failed; /* records and files passed over, with -E */
	struct sink sink; /* acknowledgements */
	struct err out_err;
	char *topic_text; /* of a record that names its own */
	size_t topic_cap;
};

/* Errors that concern one record and leave the producer able to go on. A topic
 * or partition that is not there is the record's fault only if it named that. */
static bool
is_of_record(const struct produce *p, const struct err *err)
{
	if (p->stopped)
		return false;
	if (err->code == ERR_UNKNOWN_TOPIC_OR_PARTITION)
		return p->framing.kind == FRAMING_JSON && (p->topic == NULL || p->partition < 0);
	if (err->code == ERR_INVALID_TOPIC_EXCEPTION)
		return p->topic == NULL;
	return err->code == ERR_INVALID || err->code == ERR_TOO_LARGE ||
	    err->code == ERR_MESSAGE_TOO_LARGE || err->code == ERR_INVALID_RECORD ||
	    err->code == ERR_INVALID_TIMESTAMP;
}

/* --- acknowledgements ------------------------------------------------------ */

static void
on_acked(void *ctx, const struct producer_ack *ack)
{
	struct produce *p = ctx;
	struct record rec = {.key_size = -1, .value_size = -1, .timestamp = ack->timestamp};
	struct place at = {.topic = ack->topic,
	    .partition = ack->partition,
	    .broker = p->conn.target->node_id,
	    .leader_epoch = -1,
	    .producer_id = NO_PRODUCER,
	    .producer_epoch = -1};

	p->acked += ack->record_count;
	if (p->ack_format == NULL || p->out_err.code != 0)
		return;
	for (int32_t i = 0; i < ack->record_count; i++) {
		rec.offset = ack->base_offset + i;
		at.number = ack->inputs[i];
		if (format_run(p->ack_format, &rec, &at, &p->sink.out, &p->out_err) == -1)
			return;
	}
	sink_flush(&p->sink, &p->out_err);
}

static bool
on_failed(void *ctx, const struct producer_ack *which, const struct err *err)
{
	struct produce *p = ctx;

	p->failed += which->record_count;
	if (!p->keep_going || !is_of_record(p, err)) {
		p->stopped = true;
		return false;
	}
	report_error("record %lld%s: %s", (long long)which->inputs[0],
	    which->record_count > 1 ? " and those batched with it" : "", err->text);
	return true;
}

/* --- records --------------------------------------------------------------- */

static int64_t
timestamp(struct produce *p)
{
	if (p->fixed_time != NO_TIMESTAMP)
		return p->fixed_time;
	if (p->now_ms == NO_TIMESTAMP || p->count % CLOCK_EVERY == 0)
		p->now_ms = os_wall_ms(p->conn.os);
	return p->now_ms;
}

/* The topic of a record: -t, else what the record says. */
static struct producer_topic *
topic_of(struct produce *p, const struct framed *f, struct err *err)
{
	if (p->sole != NULL)
		return p->sole;
	if (p->topic != NULL)
		return p->sole = producer_topic(p->producer, p->topic, err);
	if (f->topic.data == NULL) {
		err_set(err, ERR_INVALID, "no topic in the record, and no -t");
		return NULL;
	}
	if (memchr(f->topic.data, '\0', f->topic.len) != NULL) {
		err_set(err, ERR_INVALID_TOPIC_EXCEPTION, "a NUL byte in the name of the topic");
		return NULL;
	}
	if (f->topic.len + 1 > p->topic_cap) {
		char *more = realloc(p->topic_text, f->topic.len + 1);

		if (more == NULL) {
			err_nomem(err);
			return NULL;
		}
		p->topic_text = more;
		p->topic_cap = f->topic.len + 1;
	}
	memcpy(p->topic_text, f->topic.data, f->topic.len);
	p->topic_text[f->topic.len] = '\0';
	return producer_topic(p->producer, p->topic_text, err);
}

static int
send_record(struct produce *p, struct framed *f, struct err *err)
{
	struct producer_topic *topic;
	int32_t partition = p->partition >= 0 ? (int32_t)p->partition : f->partition;

	p->count++;
	if (f->record.timestamp == NO_TIMESTAMP || p->fixed_time != NO_TIMESTAMP)
		f->record.timestamp = timestamp(p);
	if (p->dry_run)
		return 0;
	topic = topic_of(p, f, err);
	if (topic != NULL &&
	    producer_send(p->producer, topic, partition, &f->record, p->count, err) == 0)
		return 0;
	if (is_of_record(p, err))
		err_prefix(err, "%s:%lld", p->framing.name, (long long)p->framing.line);
	return -1;
}

/* A bad record: told; passed over with -E, else the end. */
static int
bad_record(struct produce *p, const struct err *err)
{
	if (!p->keep_going || !is_of_record(p, err))
		return -1;
	p->failed++;
	report_error("%s", err->text);
	return 0;
}

/* Nothing to read now: what is batched leaves, and we wait for input or for what
 * is under way. */
static int
wait_for_input(struct produce *p, struct input *in, struct err *err)
{
	if (p->producer != NULL) {
		producer_pause(p->producer);
		if (producer_check(p->producer, err) == -1)
			return -1;
	}
	p->now_ms = NO_TIMESTAMP;
	if (os_real_turn_fd(p->conn.os, in->fd, POLLIN, -1) == -1)
		return err_sys(err, errno, "%s: waiting", in->name);
	return 0;
}

/* One input to its end. 0, or -1. */
static int
produce_input(struct produce *p, struct input *in, struct err *err)
{
	struct framed f;

	framing_begin(&p->framing, in->name);
	while (signals_caught() == 0 && p->out_err.code == 0) {
		switch (framing_read(&p->framing, in, 0, &f, err)) {
		case FRAMING_RECORD:
			if (send_record(p, &f, err) == -1 && bad_record(p, err) == -1)
				return -1;
			break;
		case FRAMING_BLOCKS:
			if (wait_for_input(p, in, err) == -1)
				return -1;
			break;
		case FRAMING_BAD:
			if (bad_record(p, err) == -1)
				return -1;
			break;
		case FRAMING_INTERRUPTED:
			break;
		case FRAMING_ENDED:
			return 0;
		case FRAMING_FAILED:
			return -1;
		}
	}
	return 0;
}

/* An input that cannot be opened: told; passed over with -E, else the end. */
static int
bad_input(struct produce *p, const struct err *err)
{
	if (!p->keep_going || err->code == ERR_NOMEM)
		return -1;
	p->failed++;
	report_error("%s", err->text);
	return 0;
}

static int
produce_inputs(struct produce *p, struct err *err)
{
	static const char *const only_stdin[] = {"-"};
	const char *const *paths = p->options->operands;
	size_t count = p->options->operand_count;

	if (count == 0) {
		paths = only_stdin;
		count = 1;
	}
	for (size_t i = 0; i < count && signals_caught() == 0; i++) {
		struct input in;
		int ret;

		if (input_open(&in, paths[i], err) == -1) {
			if (bad_input(p, err) == -1)
				return -1;
			continue;
		}
		ret = produce_input(p, &in, err);
		input_close(&in);
		if (ret == -1)
			return -1;
	}
	return 0;
}

/* --- setting up ------------------------------------------------------------ */

/* CODEC[:LEVEL], from -z or from the configuration. */
static int
read_codec(struct produce *p, const char *text, struct err *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	int64_t level;

	if (codec_parse(text, len, &p->config.codec) == -1)
		return err_set(err, ERR_INVALID,
		    "-z: '%s' is no codec; there are none, gzip, snappy, lz4 and zstd", text);
	if (colon == NULL)
		return 0;
	if (text_int(colon + 1, INT16_MIN, INT16_MAX, &level) == -1 ||
	    !codec_level_ok(p->config.codec, (int)level))
		return err_set(err, ERR_INVALID, "-z: '%s' is no level of %s", colon + 1,
		    codec_name(p->config.codec));
	p->config.level = (int)level;
	return 0;
}

/* What the configuration says; options come after it. */
static int
read_config(struct produce *p, struct err *err)
{
	const struct config *cf = &p->conn.config;
	const char *acks = config_text(cf, PROP_ACKS);
	const char *partitioner = config_text(cf, PROP_PARTITIONER);

	p->config.acks = strcmp(acks, "1") == 0 ? ACKS_LEADER :
	    strcmp(acks, "0") == 0 ? ACKS_NONE : ACKS_ALL;
	p->config.partitioner = strncmp(partitioner, "murmur2", 7) == 0 ? PARTITION_MURMUR2 :
	    strncmp(partitioner, "fnv1a", 5) == 0 ? PARTITION_FNV1A :
	    strcmp(partitioner, "rr") == 0 ? PARTITION_RR :
	    strcmp(partitioner, "random") == 0 ? PARTITION_RANDOM : PARTITION_CRC32;
	if (config_is_set(cf, PROP_BATCH_RECORDS))
		p->config.batch_records = (int32_t)config_number(cf, PROP_BATCH_RECORDS);
	if (config_is_set(cf, PROP_BATCH_BYTES))
		p->config.batch_bytes = (size_t)config_number(cf, PROP_BATCH_BYTES);
	if (config_is_set(cf, PROP_LINGER_MS))
		p->config.linger_ms = config_number(cf, PROP_LINGER_MS);
	if (read_codec(p, config_text(cf, PROP_COMPRESSION_TYPE), err) == -1)
		return -1;
	if (config_is_set(cf, PROP_COMPRESSION_LEVEL) &&
	    codec_level_ok(p->config.codec, (int)config_number(cf, PROP_COMPRESSION_LEVEL)))
		p->config.level = (int)config_number(cf, PROP_COMPRESSION_LEVEL);
	return 0;
}

/* N,BYTES,DUR: each may be empty or left out. */
static int
read_batch(struct produce *p, const char *text, struct err *err)
{
	char part[3][32] = {"", "", ""};
	const char *whole = text;
	int64_t records = 0, bytes = 0, linger = -1;

	for (int i = 0; i < 3 && text != NULL; i++) {
		const char *comma = strchr(text, ',');
		size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);

		if (len >= sizeof(part[i]) || (i == 2 && comma != NULL))
			return err_set(err, ERR_INVALID, "-B: '%s' is not N,BYTES,DUR", whole);
		memcpy(part[i], text, len);
		text = comma != NULL ? comma + 1 : NULL;
	}
	if (part[0][0] != '\0' && text_int(part[0], 1, INT32_MAX, &records) == -1)
		return err_set(err, ERR_INVALID, "-B: '%s' is no number of records", part[0]);
	if (part[1][0] != '\0' &&
	    text_size(part[1], BATCH_HEADER + 1, BATCH_SIZE_MAX, &bytes) == -1)
		return err_set(err, ERR_INVALID, "-B: '%s' is no size of a batch (62 to 100M)",
		    part[1]);
	if (part[2][0] != '\0' && text_duration_ms(part[2], 0, INT32_MAX, &linger) == -1)
		return err_set(err, ERR_INVALID, "-B: '%s' is no time such as 100ms", part[2]);
	if (records > 0)
		p->config.batch_records = (int32_t)records;
	if (bytes > 0)
		p->config.batch_bytes = (size_t)bytes;
	if (linger >= 0)
		p->config.linger_ms = linger;
	return 0;
}

static int
read_options(struct produce *p, struct err *err)
{
	static const enum target_acks acks[] = {
	    [CHOICE_ACKS_ALL] = ACKS_ALL, [CHOICE_ACKS_1] = ACKS_LEADER, [CHOICE_ACKS_0] = ACKS_NONE};
	static const enum partitioner partitioners[] = {[PARTITIONER_MURMUR2] = PARTITION_MURMUR2,
	    [PARTITIONER_CRC32] = PARTITION_CRC32,
	    [PARTITIONER_FNV1A] = PARTITION_FNV1A,
	    [PARTITIONER_RR] = PARTITION_RR,
	    [PARTITIONER_RANDOM] = PARTITION_RANDOM};
	const struct options *o = p->options;
	const char *ts = options_value(o, OPT_TS), *ack = options_value(o, OPT_ACK_FORMAT);

	producer_config_default(&p->config);
	if (read_config(p, err) == -1)
		return -1;
	if (options_has(o, 'a'))
		p->config.acks = acks[options_choice(o, 'a', CHOICE_ACKS_ALL)];
	if (options_has(o, OPT_PARTITIONER))
		p->config.partitioner =
		    partitioners[options_choice(o, OPT_PARTITIONER, PARTITIONER_MURMUR2)];
	p->config.acked = on_acked;
	p->config.failed = on_failed;
	p->config.ctx = p;
	p->keep_going = options_has(o, 'E');
	p->dry_run = options_has(o, 'n');
	p->topic = options_value(o, 't');
	p->partition = -1;
	p->fixed_time = p->now_ms = NO_TIMESTAMP;
	sink_init(&p->sink, STDOUT_FILENO, false);
	if (p->topic == NULL && !options_has(o, 'J'))
		return err_set(err, ERR_INVALID, "no topic; name one with -t");
	if (p->topic != NULL && !topic_name_ok(p->topic))
		return err_set(err, ERR_INVALID,
		    "-t: '%s' is no name of a topic (letters, digits, '.', '_' and '-')", p->topic);
	if (options_int(o, 'p', -1, INT32_MAX, &p->partition, err) == -1)
		return -1;
	if (ts != NULL &&
	    time_parse(ts, os_wall_ms(p->conn.os), TIME_NONE, &p->fixed_time) == -1)
		return err_set(err, ERR_INVALID, "--ts: '%s' is no time: %s", ts, TIME_FORMS);
	if (ts != NULL && p->fixed_time < 0)
		return err_set(err, ERR_INVALID, "--ts: '%s' is before 1970", ts);
	if (options_has(o, 'z') && read_codec(p, options_value(o, 'z'), err) == -1)
		return -1;
	if (options_has(o, 'B') && read_batch(p, options_value(o, 'B'), err) == -1)
		return -1;
	if (ack != NULL) {
		p->ack_format = format_new("--ack-format", ack, NULL, err);
		if (p->ack_format == NULL)
			return -1;
	}
	p->config.numbered = ack != NULL || p->keep_going;
	return framing_init(&p->framing, o, BATCH_SIZE_MAX, err);
}

/* --- running --------------------------------------------------------------- */

/* Also after bad input, and after a signal: what was read before is written and
 * acknowledged. */
static int
produce(struct produce *p)
{
	struct err err = {.code = 0}, after = {.code = 0};
	int status = EXIT_OK;

	if (!p->dry_run) {
		p->producer = producer_new(p->conn.target, &p->config, &err);
		if (p->producer == NULL)
			return report_fail(&err);
	}
	if (produce_inputs(p, &err) == -1) {
		report_error("%s", err.text);
		status = is_of_record(p, &err) ? EXIT_DATA : report_status(err.code);
	}
	if (p->producer != NULL && producer_flush(p->producer, &after) == -1 &&
	    status == EXIT_OK)
		status = report_fail(&after);
	if (status == EXIT_OK && p->out_err.code != 0)
		status = p->out_err.code == ERR_CLOSED ? EXIT_OK : report_fail(&p->out_err);
	if (p->out_err.code == ERR_CLOSED)
		signals_raise(SIGPIPE);
	report_info("%lld records read, %lld acknowledged", (long long)p->count,
	    (long long)p->acked);
	return status == EXIT_OK && p->failed > 0 ? EXIT_PARTLY : status;
}

static int
produce_main(struct produce *p)
{
	struct err err;
	int status = connection_init(&p->conn, p->options, CONNECT_WRITE, true);

	if (status != -1)
		return status;
	if (read_options(p, &err) == -1)
		return err.code == ERR_NOMEM ? report_fail(&err) : report_usage(&err);
	if (!p->dry_run && connection_open(&p->conn, &err) == -1)
		return report_fail(&err);
	return produce(p);
}

int
mq_produce(const struct options *o)
{
	struct produce p = {.options = o, .partition = -1};
	int status = produce_main(&p);

	producer_free(p.producer);
	framing_release(&p.framing);
	format_free(p.ack_format);
	free(p.topic_text);
	sink_release(&p.sink);
	connection_release(&p.conn);
	return status;
}
