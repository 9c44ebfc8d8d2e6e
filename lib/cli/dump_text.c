/* The small text files beside the logs. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/dump.h"
#include "log/checkpoint.h"
#include "log/epochs.h"

#define TEXT_MAX (64 << 20) /* bytes */

/* Reads the file; damage that `parse` finds is a line, not an error. */
static int
content_read(struct dump *d, struct buf *content, struct err *err)
{
	return os_read_file(d->os, d->path, TEXT_MAX, content, err);
}

static int
damage(struct dump *d, struct err *err)
{
	if (err->code != ERR_CORRUPT)
		return -1;
	dump_bad(d, 0, "text", err->text);
	return 0;
}

int
dump_epochs(struct dump *d, struct err *err)
{
	struct buf content = BUF_INIT;
	struct epochs epochs;
	int rc = -1;

	epochs_init(&epochs);
	if (content_read(d, &content, err) == 0) {
		rc = 0;
		if (epochs_parse(&epochs, (const char *)content.data, content.len, err) == -1)
			rc = damage(d, err);
		for (size_t i = 0; i < epochs.count && !d->verify && rc == 0; i++) {
			struct line *l = dump_line(d, "epoch", false);
			line_int(l, d->json ? "epoch" : "=epoch", epochs.entries[i].epoch);
			line_int(l, "start", epochs.entries[i].start_offset);
			dump_line_end(d, false);
		}
	}
	epochs_release(&epochs);
	buf_release(&content);
	return rc;
}

int
dump_offsets(struct dump *d, struct err *err)
{
	struct buf content = BUF_INIT;
	struct checkpoint c;
	int rc = -1;

	checkpoint_init(&c);
	if (content_read(d, &content, err) == 0) {
		rc = 0;
		if (checkpoint_parse(&c, (const char *)content.data, content.len, err) == -1)
			rc = damage(d, err);
		for (size_t i = 0; i < c.count && !d->verify && rc == 0; i++) {
			const struct checkpoint_entry *e = &c.entries[i];
			struct line *l = dump_line(d, "point", false);
			line_name(l, d->json ? "topic" : "=topic", e->topic, strlen(e->topic));
			line_int(l, "partition", e->partition);
			line_int(l, "offset", e->offset);
			dump_line_end(d, false);
		}
	}
	checkpoint_release(&c);
	buf_release(&content);
	return rc;
}

static struct slice
trimmed(const char *from, const char *to)
{
	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	return (struct slice){(const uint8_t *)from, (size_t)(to - from)};
}

/* Java's properties as Kafka writes them here: NAME=VALUE, or NAME: VALUE in
 * partition.metadata; '#' begins a comment. */
static void
property_put(struct dump *d, const char *from, const char *to, int64_t position)
{
	struct slice whole = trimmed(from, to), name, value;
	size_t at = 0;

	if (whole.len == 0 || whole.data[0] == '#')
		return;
	while (at < whole.len && whole.data[at] != '=' && whole.data[at] != ':')
		at++;
	if (at == whole.len) {
		dump_bad(d, position, "text", "neither a comment nor NAME=VALUE");
		return;
	}
	if (d->verify)
		return;
	name = trimmed((const char *)whole.data, (const char *)whole.data + at);
	value = trimmed((const char *)whole.data + at + 1, (const char *)whole.data + whole.len);
	line_name(dump_line(d, "property", false), d->json ? "name" : "=name",
	    (const char *)name.data, name.len);
	line_bytes(&d->line, "value", value.data, (int64_t)value.len);
	dump_line_end(d, false);
}

int
dump_properties(struct dump *d, struct err *err)
{
	struct buf content = BUF_INIT;
	int rc = content_read(d, &content, err);
	const char *text = buf_cstr(&content), *at = text, *end = text + content.len;

	if (rc == 0 && content.failed)
		rc = err_nomem(err);
	while (rc == 0 && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline != NULL ? newline : end;

		property_put(d, at, stop, at - text);
		at = stop + 1;
	}
	buf_release(&content);
	return rc;
}

int
dump_json(struct dump *d, struct err *err)
{
	struct buf content = BUF_INIT;
	json_error_t error;
	json_t *root = NULL;
	char *text = NULL;
	int rc = content_read(d, &content, err);

	if (rc == 0) {
		root = json_loadb((const char *)content.data, content.len, 0, &error);
		if (root == NULL)
			dump_bad(d, error.position, "text", error.text);
	}
	if (root != NULL && !d->verify) {
		text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
		if (text != NULL) {
			line_json_key(dump_line(d, "json", false), "value");
			line_text(&d->line, " ");
			buf_str(&d->sink.out, text);
			dump_line_end(d, false);
		}
	}
	free(text);
	json_decref(root);
	buf_release(&content);
	return rc;
}
