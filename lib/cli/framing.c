#include "cli/framing.h"

#include <assert.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/tools.h"

/* --- from the options ------------------------------------------------------ */

/* Options that say where a record ends exclude each other. */
static int
kind_choose(struct framing *f, const struct options *o, struct err *err)
{
	const char *other = options_has(o, 'J') ? "-J" : options_has(o, '0') ? "-0" : "-D";

	if (options_has(o, 'D') && options_has(o, '0'))
		return err_set(err, ERR_INVALID, "-D and -0 exclude each other");
	f->kind = options_has(o, 'w')	? FRAMING_WHOLE
		  : options_has(o, 'J') ? FRAMING_JSON
					: FRAMING_DELIMITED;
	if (f->kind == FRAMING_WHOLE &&
	    (options_has(o, 'J') || options_has(o, '0') || options_has(o, 'D')))
		return err_set(err, ERR_INVALID, "-w and %s exclude each other", other);
	if (f->kind == FRAMING_JSON && options_has(o, 'K'))
		return err_set(err, ERR_INVALID, "-J and -K exclude each other");
	return 0;
}

static int
delimiter_read(struct buf *to, const char *text, const char *option, struct err *err)
{
	if (text == NULL)
		return 0;
	if (escape_parse(text, to, err) == -1)
		return err_prefix(err, "%s", option);
	if (to->len == 0)
		return err_set(err, ERR_INVALID, "%s: an empty delimiter", option);
	return 0;
}

/* "N=V"; without '=' the value is null, as in kcat. */
static int
header_add(struct framing *f, const char *text, struct err *err)
{
	const char *equals = strchrnul(text, '=');
	struct record_header h = {
	    .name = text, .name_size = (int32_t)(equals - text), .value_size = -1};

	if (h.name_size == 0)
		return err_set(err, ERR_INVALID, "-H: '%s' has no name", text);
	if (*equals == '=') {
		h.value = (const uint8_t *)equals + 1;
		h.value_size = (int32_t)strlen(equals + 1);
	}
	record_header_put(&f->headers, &h);
	f->header_count++;
	return f->headers.failed ? err_nomem(err) : 0;
}

int
framing_init(struct framing *f, const struct options *o, size_t record_bytes_max, struct err *err)
{
	const char *header;
	size_t at = 0;

	assert(record_bytes_max <= INT32_MAX);
	*f = (struct framing){.record_bytes_max = record_bytes_max};
	f->key_optional = options_has(o, OPT_KEY_OPTIONAL);
	f->skip_empty = options_has(o, OPT_SKIP_EMPTY);
	if ((f->key = options_value(o, 'k')) != NULL)
		f->key_size = strlen(f->key);
	if (options_has(o, 'Z')) {
		f->null_text = options_value(o, 'Z') != NULL ? options_value(o, 'Z') : "";
		f->null_size = strlen(f->null_text);
	}
	if (kind_choose(f, o, err) == -1)
		return -1;
	if (options_has(o, '0'))
		buf_put(&f->delimiter, "", 1);
	else if (!options_has(o, 'D'))
		buf_put(&f->delimiter, "\n", 1);
	else if (delimiter_read(&f->delimiter, options_value(o, 'D'), "-D", err) == -1)
		return -1;
	if (delimiter_read(&f->key_delimiter, options_value(o, 'K'), "-K", err) == -1)
		return -1;
	while ((header = options_each(o, 'H', &at)) != NULL)
		if (header_add(f, header, err) == -1)
			return -1;
	return f->delimiter.failed ? err_nomem(err) : 0;
}

void
framing_release(struct framing *f)
{
	buf_release(&f->delimiter);
	buf_release(&f->key_delimiter);
	buf_release(&f->headers);
	buf_release(&f->all_headers);
	envelope_release(&f->envelope);
}

void
framing_begin(struct framing *f, const char *name)
{
	f->name = name;
	f->line = 0;
	f->scanned = 0;
	f->discarding = false;
}

/* --- one record ------------------------------------------------------------ */

static const uint8_t *
bytes_find(const uint8_t *data, size_t len, const struct buf *what)
{
	if (what->len == 1)
		return memchr(data, what->data[0], len);
	return memmem(data, len, what->data, what->len);
}

static bool
is_null(const struct framing *f, const uint8_t *data, size_t len)
{
	return f->null_text != NULL && len == f->null_size && memcmp(data, f->null_text, len) == 0;
}

static int
no_key(const struct framing *f, struct err *err)
{
	struct buf shown = BUF_INIT;

	escape_put(&shown, f->key_delimiter.data, f->key_delimiter.len, '\'');
	err_set(err, ERR_INVALID,
	    "%s:%lld: no key delimiter '%s' (-K); use --key-optional for records without a key",
	    f->name, (long long)f->line, buf_cstr(&shown));
	buf_release(&shown);
	return -1;
}

/* Key and value of a record that is not JSON. */
static int
text_record(struct framing *f, const uint8_t *data, size_t len, struct framed *out, struct err *err)
{
	struct record *r = &out->record;

	r->key = (const uint8_t *)f->key;
	r->key_size = f->key != NULL ? (int32_t)f->key_size : -1;
	if (f->key_delimiter.len > 0) {
		const uint8_t *end = bytes_find(data, len, &f->key_delimiter);

		if (end == NULL && !f->key_optional)
			return no_key(f, err);
		if (end != NULL) {
			size_t key_len = (size_t)(end - data),
			       skip = key_len + f->key_delimiter.len;

			out->has_key = true;
			r->key = data;
			r->key_size = is_null(f, data, key_len) ? -1 : (int32_t)key_len;
			data += skip;
			len -= skip;
		}
	}
	r->value = data;
	r->value_size = is_null(f, data, len) ? -1 : (int32_t)len;
	r->headers = (struct slice){f->headers.data, f->headers.len};
	r->header_count = f->header_count;
	return 0;
}

static int
json_record(struct framing *f, const uint8_t *data, size_t len, struct framed *out, struct err *err)
{
	struct record *r = &out->record;

	if (envelope_read(&f->envelope, data, len, out, err) == -1)
		return err->code == ERR_NOMEM ? -1
					      : err_prefix(err, "%s:%lld:%zu", f->name,
						    (long long)f->line, f->envelope.error_at + 1);
	if (!out->has_key && f->key != NULL) {
		r->key = (const uint8_t *)f->key;
		r->key_size = (int32_t)f->key_size;
	}
	if (f->header_count == 0)
		return 0;
	buf_clear(&f->all_headers);
	buf_put(&f->all_headers, r->headers.data, r->headers.len);
	buf_put(&f->all_headers, f->headers.data, f->headers.len);
	if (f->all_headers.failed)
		return err_nomem(err);
	r->headers = (struct slice){f->all_headers.data, f->all_headers.len};
	r->header_count += f->header_count;
	return 0;
}

/* JSON knows no empty line that could be a record. */
static bool
is_blank(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != ' ' && data[i] != '\t' && data[i] != '\r' && data[i] != '\n')
			return false;
	return true;
}

/* Returns 1, 0 if the record is to be passed over, or -1. */
static int
record_cut(struct framing *f, const uint8_t *data, size_t len, struct framed *out, struct err *err)
{
	f->line++;
	if (f->discarding) {
		f->discarding = false;
		return 0;
	}
	if (len > f->record_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
		    "%s:%lld: a record of %zu bytes; at most %zu are taken", f->name,
		    (long long)f->line, len, f->record_bytes_max);
	if (f->skip_empty && len == 0)
		return 0;
	if (f->kind == FRAMING_JSON && is_blank(data, len))
		return 0;
	out->record.offset = -1;
	out->record.timestamp = NO_TIMESTAMP;
	out->topic = (struct slice){NULL, 0};
	out->partition = -1;
	out->has_key = false;
	if (f->kind == FRAMING_JSON)
		return json_record(f, data, len, out, err) == -1 ? -1 : 1;
	return text_record(f, data, len, out, err) == -1 ? -1 : 1;
}

/* There is no delimiter yet. What is too large already is thrown away as it
 * comes, so that memory stays bounded. */
static int
record_wait(struct framing *f, size_t begin, size_t len, size_t *used, struct err *err)
{
	size_t have = len - begin;

	*used = begin;
	if (f->discarding) {
		size_t keep = f->delimiter.len - 1;

		*used = have > keep ? len - keep : begin;
		f->scanned = 0;
		return 0;
	}
	f->scanned = have >= f->delimiter.len ? have - (f->delimiter.len - 1) : 0;
	if (have <= f->record_bytes_max + f->delimiter.len)
		return 0;
	f->discarding = true;
	f->scanned = 0;
	*used = len - (f->delimiter.len - 1);
	return err_set(err, ERR_TOO_LARGE, "%s:%lld: a record of more than %zu bytes", f->name,
	    (long long)f->line + 1, f->record_bytes_max);
}

static int
whole_next(struct framing *f, const uint8_t *data, size_t len, bool is_last, size_t *used,
    struct framed *out, struct err *err)
{
	*used = 0;
	if (f->discarding || f->line > 0) {
		*used = len;
		return 0;
	}
	if (!is_last && len <= f->record_bytes_max)
		return 0;
	*used = len;
	return record_cut(f, data, len, out, err);
}

int
framing_next(struct framing *f, const uint8_t *data, size_t len, bool is_last, size_t *used,
    struct framed *out, struct err *err)
{
	size_t begin = 0;

	if (f->kind == FRAMING_WHOLE)
		return whole_next(f, data, len, is_last, used, out, err);
	while (begin < len) {
		const uint8_t *from = data + begin, *end;
		size_t record_len;
		int rc;

		end = bytes_find(from + f->scanned, len - begin - f->scanned, &f->delimiter);
		if (end == NULL && !is_last)
			return record_wait(f, begin, len, used, err);
		record_len = end != NULL ? (size_t)(end - from) : len - begin;
		begin += record_len + (end != NULL ? f->delimiter.len : 0);
		f->scanned = 0;
		rc = record_cut(f, from, record_len, out, err);
		if (rc != 0) {
			*used = begin;
			return rc;
		}
	}
	*used = begin;
	return 0;
}

enum framing_event
framing_read(
    struct framing *f, struct input *in, int timeout_ms, struct framed *out, struct err *err)
{
	for (;;) {
		bool was_ended = in->ended;
		size_t used;
		int rc = framing_next(
		    f, in->data + in->start, in->end - in->start, was_ended, &used, out, err);

		in->start += used;
		if (rc != 0)
			return rc == 1 ? FRAMING_RECORD : FRAMING_BAD;
		if (was_ended)
			return FRAMING_ENDED;
		switch (input_fill(in, timeout_ms, err)) {
		case INPUT_FAILED:
			return FRAMING_FAILED;
		case INPUT_BLOCKS:
			return FRAMING_BLOCKS;
		case INPUT_INTERRUPTED:
			return FRAMING_INTERRUPTED;
		case INPUT_ENDED:
		case INPUT_MORE:
			break;
		}
	}
}
