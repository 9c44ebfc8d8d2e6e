/* Batches that Kafka's own classes built (t/data/batches): each is read as Kafka
 * reads it, and the builder makes the same bytes of its records. */
#include "log/batch.h"

#include <dirent.h>
#include <stdlib.h>

#include <jansson.h>

#include "tap.h"

#define DATA "t/data/batches"

static struct err err;

/* Standard base64, as Kafka's fixtures hold bytes. Returns the length. */
static int32_t
unbase64(const char *text, uint8_t *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0, have = 0;
	int32_t n = 0;

	for (; *text != '\0' && *text != '='; text++) {
		bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
		if ((have += 6) >= 8)
			out[n++] = (uint8_t)(bits >> (have -= 8));
	}
	return n;
}

static bool
same_bytes(const uint8_t *data, int32_t size, const json_t *want)
{
	uint8_t *bytes;
	bool same;

	if (json_is_null(want))
		return size == -1;
	bytes = malloc(json_string_length(want) + 1);
	same = unbase64(json_string_value(want), bytes) == size &&
	       (size == 0 || memcmp(bytes, data, (size_t)size) == 0);
	free(bytes);
	return same;
}

static int64_t
number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool
same_headers(const struct record *rec, const json_t *want)
{
	struct cursor at = cursor_of(rec->headers.data, rec->headers.len);
	struct record_header h;
	const json_t *header;
	size_t i;

	json_array_foreach(want, i, header)
	{
		const json_t *name = json_array_get(header, 0);

		if (record_header_next(&at, &h) != 1 ||
		    (size_t)h.name_size != json_string_length(name) ||
		    memcmp(h.name, json_string_value(name), (size_t)h.name_size) != 0 ||
		    !same_bytes(h.value, h.value_size, json_array_get(header, 1)))
			return false;
	}
	return record_header_next(&at, &h) == 0 && rec->header_count == (int32_t)i;
}

static bool
same_record(const struct batch *b, const struct record *rec, const json_t *want)
{
	int32_t sequence = b->base_sequence < 0 ? NO_SEQUENCE
	                                        : sequence_add(b->base_sequence,
						      (int32_t)(rec->offset - b->base_offset));

	return rec->offset == number(want, "offset") && rec->timestamp == number(want, "ts") &&
	       sequence == number(want, "sequence") &&
	       same_bytes(rec->key, rec->key_size, json_object_get(want, "key")) &&
	       same_bytes(rec->value, rec->value_size, json_object_get(want, "value")) &&
	       same_headers(rec, json_object_get(want, "headers"));
}

static bool
same_header(const struct batch *b, const json_t *want)
{
	const json_t *horizon = json_object_get(want, "deleteHorizonMs");

	return b->size == number(want, "size") && b->base_offset == number(want, "baseOffset") &&
	       batch_last_offset(b) == number(want, "lastOffset") &&
	       b->leader_epoch == number(want, "leaderEpoch") && b->crc == number(want, "crc") &&
	       b->attributes == number(want, "attributes") &&
	       strcmp(codec_name(batch_codec(b)),
		   json_string_value(json_object_get(want, "codec"))) == 0 &&
	       batch_is_append_time(b) ==
	           (strcmp(json_string_value(json_object_get(want, "tstype")), "append") == 0) &&
	       batch_is_transactional(b) == json_is_true(json_object_get(want, "transactional")) &&
	       batch_is_control(b) == json_is_true(json_object_get(want, "control")) &&
	       ((b->attributes & BATCH_DELETE_HORIZON) != 0) == json_is_integer(horizon) &&
	       (json_is_null(horizon) || b->base_timestamp == json_integer_value(horizon)) &&
	       b->max_timestamp == number(want, "maxTimestamp") &&
	       b->producer_id == number(want, "producerId") &&
	       b->producer_epoch == number(want, "producerEpoch") &&
	       b->base_sequence == number(want, "baseSequence") &&
	       batch_last_sequence(b) == number(want, "lastSequence") &&
	       b->record_count == number(want, "count");
}

static void
test_read(const char *name, const struct batch *b, const json_t *want)
{
	struct record_reader r = {0};
	struct record rec;
	const json_t *record;
	size_t i, bad = 0;

	ok(same_header(b, want), "%s: its header is as Kafka reads it", name);
	is_int(batch_check_records(b, false, &err), BATCH_OK, "%s: it is in order", name);
	record_reader_open(&r, b, &err);
	json_array_foreach(json_object_get(want, "records"), i, record)
	{
		if (record_reader_next(&r, &rec, &err) != 1 || !same_record(b, &rec, record))
			bad++;
	}
	ok(bad == 0 && record_reader_next(&r, &rec, &err) == 0,
	    "%s: its %zu records are as Kafka reads them", name, i);
	record_reader_release(&r);
}

/* Everything behind the header, inflated. */
static void
inflate(const struct batch *b, struct buf *out)
{
	struct decompressor d = {0};
	ssize_t n;

	decompress_open(&d, batch_codec(b),
	    (struct slice){b->bytes + BATCH_HEADER, (size_t)b->size - BATCH_HEADER}, &err);
	do {
		buf_reserve(out, 65536);
		n = decompress_read(&d, out->data + out->len, out->cap - out->len, &err);
		out->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	decompress_release(&d);
}

/* The same header and records, built uncompressed. */
static void
test_build(const char *name, const struct batch *b)
{
	struct batch_builder bb;
	struct record_reader r = {0};
	struct record rec;
	struct batch built;
	struct buf records = BUF_INIT;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	bb.head = *b;
	bb.head.record_count = 0;
	batch_builder_set_range(&bb, b->base_offset, batch_last_offset(b));
	record_reader_open(&r, b, &err);
	while (record_reader_next(&r, &rec, &err) == 1)
		batch_builder_add_at(&bb, &rec, &err);
	batch_builder_finish(&bb, &built, &err);
	inflate(b, &records);
	ok(built.size - BATCH_HEADER == (int64_t)records.len &&
		memcmp(built.bytes + BATCH_HEADER, records.data, records.len) == 0,
	    "%s: its records are built as Kafka builds them", name);
	if (batch_codec(b) == CODEC_NONE)
		is_mem(built.bytes, b->bytes, BATCH_HEADER, "%s: so is its header", name);
	buf_release(&records);
	record_reader_release(&r);
	batch_builder_release(&bb);
}

static void
file_read(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	buf_clear(out);
	if (file == NULL)
		return;
	do {
		buf_reserve(out, 65536);
		n = fread(out->data + out->len, 1, 65536, file);
		out->len += n;
	} while (n > 0);
	fclose(file);
}

static void
test_file(const char *name)
{
	char path[512];
	struct buf bytes = BUF_INIT;
	struct batch b;
	json_t *want;

	snprintf(path, sizeof(path), DATA "/%s.bin", name);
	file_read(path, &bytes);
	snprintf(path, sizeof(path), DATA "/%s.json", name);
	want = json_load_file(path, 0, NULL);
	if (want == NULL) {
		/* Kafka's current reader does not read its old formats either. */
		is_int(batch_view(bytes.data, bytes.len, &b), BATCH_BAD_MAGIC,
		    "%s: an old format is told as such", name);
	} else if (ok(batch_view(bytes.data, bytes.len, &b) == BATCH_OK, "%s: is a batch", name)) {
		test_read(name, &b, want);
		/* Append time hides what the records' own was. */
		if (!batch_is_append_time(&b))
			test_build(name, &b);
	}
	json_decref(want);
	buf_release(&bytes);
}

int
main(void)
{
	struct dirent **entries;
	int n = scandir(DATA, &entries, NULL, alphasort);

	ok(n > 20, "there are batches of Kafka's to read");
	for (int i = 0; i < n; i++) {
		char *dot = strstr(entries[i]->d_name, ".bin");

		if (dot != NULL) {
			*dot = '\0';
			test_file(entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(n == -1 ? NULL : entries);
	return tap_done();
}
