/*
 * Messages out of hostile bytes (fuzz_check_message). Those of the network: frame.c.
 *
 * Input: the way in (see `decode`), a type, then the value of a record.
 */
#include "lib/fuzz.h"
#include "wire/record.h"

#define MEMORY_MAX (64u << 20)

static const struct wire_schema *const blobs[] = {
    &wire_consumer_protocol_subscription, &wire_consumer_protocol_assignment};

/* A blob as classic groups keep it: an int16 version, then the message. */
static int
decode_blob(const struct wire_schema *s, struct slice value, struct arena *a,
    struct wire_message *out, struct err *err)
{
	struct cursor c = cursor_of(value.data, value.len);

	*out = (struct wire_message){s, -1, cursor_i16(&c), arena_alloc(a, s->body->size)};
	return c.failed ? -1 : wire_decode(s, out->version, &c, a, out->data, err);
}

static int
decode(uint8_t way, int type, struct slice value, struct arena *a, struct wire_message *out,
    struct err *err)
{
	switch (way % 9) {
	case 0:
		return metadata_record_decode(value, a, out, err);
	case 1:
		return control_value_decode(type, value, a, out, err);
	case 2:
	case 3:
	case 4:
		return coordinator_key_decode(way % 9 - 2, value, a, out, err);
	case 5:
	case 6:
	case 7:
		return coordinator_value_decode(way % 9 - 5, type, value, a, out, err);
	default:
		return decode_blob(blobs[type % 2], value, a, out, err);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_message m;
	struct arena a;
	struct err err = {0};

	if (size < 2)
		return 0;
	arena_init(&a, MEMORY_MAX);
	if (decode(data[0], data[1], (struct slice){data + 2, size - 2}, &a, &m, &err) == 0)
		fuzz_check_message(m.schema, m.version, m.data);
	arena_release(&a);
	return 0;
}
