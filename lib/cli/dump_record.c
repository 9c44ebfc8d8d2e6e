/* Records, and what their keys and values say where Kafka wrote them. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/dump.h"
#include "cli/envelope.h"
#include "wire/record.h"

static struct slice
key_of(const struct record *r)
{
	return (struct slice){r->key, r->key_size > 0 ? (size_t)r->key_size : 0};
}

static struct slice
value_of(const struct record *r)
{
	return (struct slice){r->value, r->value_size > 0 ? (size_t)r->value_size : 0};
}

/* --- decoding ----------------------------------------------------------------- */

static enum coordinator_log
coordinator_of(enum dump_topic topic)
{
	return topic == TOPIC_GROUPS ? COORDINATOR_GROUP
	    : topic == TOPIC_TXNS    ? COORDINATOR_TXN
				     : COORDINATOR_SHARE;
}

/* True if `out` is the key as a message. Null keys and those of users' topics
 * are bytes. */
static bool
key_decode(struct dump *d, const struct record *r, struct wire_message *out)
{
	struct err err;

	if (d->topic == TOPIC_USER || d->topic == TOPIC_METADATA || r->key_size < 0)
		return false;
	return coordinator_key_decode(
		   coordinator_of(d->topic), key_of(r), &d->arena, out, &err) == 0;
}

static bool
value_decode(struct dump *d, const struct record *r, int type, struct wire_message *out)
{
	struct err err;

	if (d->topic == TOPIC_USER || r->value_size < 0)
		return false;
	if (d->topic == TOPIC_METADATA)
		return metadata_record_decode(value_of(r), &d->arena, out, &err) == 0;
	return type >= 0 && coordinator_value_decode(coordinator_of(d->topic), type, value_of(r),
	    &d->arena, out, &err) == 0;
}

static void
message_put(struct dump *d, const char *key, const struct wire_message *m)
{
	struct line *l = &d->line;

	if (d->json) {
		line_json_key(l, key);
		buf_printf(l->out, "{\"type\":%d,\"name\":\"%s\",\"version\":%d,\"data\":", m->type,
		    m->schema->name, m->version);
		wire_message_print_json(m, l->out);
		buf_str(l->out, "}");
		return;
	}
	buf_printf(l->out, " %s=%s.%d{", key, m->schema->name, m->version);
	wire_message_print(m, l->out);
	buf_str(l->out, "}");
}

/* --- control records ---------------------------------------------------------- */

static const char *const control_names[] = {
    [CONTROL_ABORT] = "abort",
    [CONTROL_COMMIT] = "commit",
    [CONTROL_LEADER_CHANGE] = "leader-change",
    [CONTROL_SNAPSHOT_HEADER] = "snapshot-header",
    [CONTROL_SNAPSHOT_FOOTER] = "snapshot-footer",
    [CONTROL_KRAFT_VERSION] = "kraft-version",
    [CONTROL_KRAFT_VOTERS] = "kraft-voters",
};

static const char *
control_name(int type)
{
	if (type < 0 || (size_t)type >= sizeof(control_names) / sizeof(control_names[0]))
		return "?";
	return control_names[type];
}

const char *
dump_control_names(struct dump *d, const struct batch *b, char *text, size_t size)
{
	struct record r;
	struct err err;
	size_t used = 0;

	text[0] = '\0';
	if (!batch_is_control(b))
		return NULL;
	if (record_reader_open(&d->reader, b, &err) == -1)
		return "?";
	while (record_reader_next(&d->reader, &r, &err) == 1 && used < size) {
		int type = control_key_decode(key_of(&r), &err);
		int len = snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "",
		    control_name(type));
		used += (size_t)len;
	}
	return used > 0 ? text : "?";
}

/* --- printing ----------------------------------------------------------------- */

static void
headers_put(struct dump *d, const struct record *r)
{
	struct cursor at = cursor_of(r->headers.data, r->headers.len);
	struct record_header h;
	struct line *l = &d->line;
	bool base64;

	if (r->header_count == 0)
		return;
	if (!d->json) {
		while (record_header_next(&at, &h) == 1) {
			line_bytes(l, "h", h.name, h.name_size);
			line_text(l, ":");
			line_plain_bytes(l, h.value, h.value_size);
		}
		return;
	}
	base64 = envelope_headers_are_text(r) != 1;
	line_json_key(l, base64 ? "headers_b64" : "headers");
	envelope_headers_put(&d->sink.out, r, base64);
}

static void
content_put(struct dump *d, const struct record *r, int control)
{
	struct wire_message key, value;
	bool has_key = control < 0 && key_decode(d, r, &key), has_value;
	const char *name = d->json ? "payload" : "value";
	struct err err;

	if (has_key)
		message_put(d, "key", &key);
	else if (control < 0)
		line_bytes(&d->line, "key", r->key, r->key_size);
	if (!d->data)
		return;
	if (control >= 0)
		has_value = control_value_decode(control, value_of(r), &d->arena, &value, &err) == 0;
	else
		has_value = value_decode(d, r, has_key ? key.type : -1, &value);
	if (has_value)
		message_put(d, name, &value);
	else
		line_bytes(&d->line, name, r->value, r->value_size);
	headers_put(d, r);
}

static void
record_put(struct dump *d, const struct batch *b, const struct record *r)
{
	struct line *l = dump_line(d, "record", false);
	int32_t delta = (int32_t)(r->offset - b->base_offset);
	bool sequenced = b->base_sequence >= 0;
	int control = -1;
	struct err err;

	line_int(l, d->json ? "offset" : "=offset", r->offset);
	line_time(l, "ts", r->timestamp);
	line_opt(l, "seq", sequenced, sequenced ? sequence_add(b->base_sequence, delta) : 0);
	line_opt(l, "ksize", r->key_size >= 0, r->key_size);
	line_opt(l, "vsize", r->value_size >= 0, r->value_size);
	line_int(l, "hcount", r->header_count);
	if (batch_is_control(b)) {
		control = control_key_decode(key_of(r), &err);
		line_word(l, "ctl", control_name(control));
	}
	if (d->keys)
		content_put(d, r, control);
	arena_reset(&d->arena);
	dump_line_end(d, false);
}

int
dump_records(struct dump *d, const struct batch *b, struct err *err)
{
	struct record r;
	int rc;

	if (d->verify)
		return batch_check_records(b, false, err) == BATCH_OK ? 0 : -1;
	if (record_reader_open(&d->reader, b, err) == -1)
		return -1;
	while ((rc = record_reader_next(&d->reader, &r, err)) == 1 && !dump_stopped(d))
		if (r.offset >= d->from && r.offset < d->to)
			record_put(d, b, &r);
	return rc == -1 ? -1 : 0;
}
