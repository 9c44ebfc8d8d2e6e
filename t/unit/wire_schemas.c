/*
 * What holds for every schema at every version it has, those of the language's
 * tests included.
 *
 *   wire_schemas --samples     prints random messages instead, one a line: name,
 *                              version, bytes in hex, JSON (for t/interop)
 */
#include <stdlib.h>

#include "tap.h"
#include "wire_gen.h"
#include "wire_test_gen.h"

static struct arena arena;
static struct err err;

static uint64_t seed;

static uint32_t
chance(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static void random_struct(const struct wire_struct *s, int version, void *msg);

static size_t
item_size(const struct wire_field *f)
{
	static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 16, sizeof(struct wire_str),
	    sizeof(struct wire_bytes), sizeof(struct wire_bytes)};

	return f->type == WIRE_STRUCT ? f->fields->size : sizes[f->type];
}

static void
random_value(const struct wire_field *f, int version, void *at)
{
	size_t len = chance(4) == 0 ? chance(300) : chance(9);
	char *data;

	switch ((enum wire_type)f->type) {
	case WIRE_STRUCT:
		random_struct(f->fields, version, at);
		break;
	case WIRE_STRING:
	case WIRE_BYTES:
	case WIRE_RECORDS:
		data = arena_alloc(&arena, len);
		for (size_t i = 0; i < len; i++)
			data[i] = (char)chance(f->type == WIRE_STRING ? 128 : 256);
		if (f->type == WIRE_STRING)
			*(struct wire_str *)at = wire_str_of_mem(data, len);
		else
			*(struct wire_bytes *)at = wire_bytes_of(data, len);
		break;
	case WIRE_BOOL:
		*(bool *)at = chance(2);
		break;
	case WIRE_FLOAT64:
		*(double *)at = chance(1000) / 8.0;
		break;
	case WIRE_UUID:
		for (int i = 0; i < 16; i++)
			((uint8_t *)at)[i] = (uint8_t)chance(256);
		break;
	default:
		for (size_t i = 0; i < item_size(f); i++)
			((uint8_t *)at)[i] = (uint8_t)(chance(3) ? chance(256) : 0);
	}
}

/* Any content that the version can hold; what it cannot keeps its default. */
static void
random_struct(const struct wire_struct *s, int version, void *msg)
{
	for (int i = 0; i < s->field_count; i++) {
		const struct wire_field *f = &s->fields[i];
		char *at = (char *)msg + f->offset;
		bool null = wire_range_has(f->nullable, version) && chance(3) == 0;
		struct {
			void *items;
			int32_t count;
		} a = {NULL, -1};

		if (!wire_range_has(f->versions, version))
			continue;
		if (f->array && !null) {
			a.count = (int32_t)chance(4);
			a.items = arena_array(&arena, (size_t)a.count, item_size(f));
			for (int32_t n = 0; n < a.count; n++) {
				void *item = (char *)a.items + (size_t)n * item_size(f);

				/* A struct of defaults first: init it as a message of its own. */
				if (f->type == WIRE_STRUCT)
					wire_init(&(struct wire_schema){.body = f->fields}, item);
				random_value(f, version, item);
			}
		}
		if (f->array)
			memcpy(at, &a, sizeof(a));
		else if (null && f->type == WIRE_STRING)
			*(struct wire_str *)at = wire_str_null();
		else if (null && f->type != WIRE_STRUCT)
			*(struct wire_bytes *)at = (struct wire_bytes){NULL, -1};
		else if (!null && (f->tag == -1 || chance(2)))
			random_value(f, version, at);
		if (f->type == WIRE_STRUCT && !f->array && f->nullable.max >= f->nullable.min)
			*(bool *)((char *)msg + f->null_offset) = null;
	}
}

/* Encodes, decodes, encodes again: the bytes and the text must stay. */
static bool
round_trips(const struct wire_schema *s, int version, const void *msg, struct buf *b)
{
	void *back = arena_alloc(&arena, s->body->size);
	struct buf again = BUF_INIT, text = BUF_INIT, text_again = BUF_INIT;
	bool same;

	buf_clear(b);
	if (wire_encode(s, version, msg, b, &err) == -1 ||
	    wire_decode_all(s, version, (struct slice){b->data, b->len}, &arena, back, &err) ==
		-1 ||
	    wire_encode(s, version, back, &again, &err) == -1) {
		printf("# %s v%d: %s\n", s->name, version, err.text);
		buf_release(&again);
		return false;
	}
	wire_print_json(s, version, msg, &text);
	wire_print_json(s, version, back, &text_again);
	same = b->len == again.len && (b->len == 0 || memcmp(b->data, again.data, b->len) == 0) &&
	       strcmp(buf_cstr(&text), buf_cstr(&text_again)) == 0 &&
	       wire_size(s, version, msg, &err) == (int64_t)b->len;
	if (!same)
		printf("# %s v%d: %s\n# %s\n", s->name, version, buf_cstr(&text),
		    buf_cstr(&text_again));
	buf_release(&again);
	buf_release(&text);
	buf_release(&text_again);
	return same;
}

/* Decodes a copy that ends where its memory ends, so that sanitizers see a read
 * beyond it. */
static int
decode_copy(
    const struct wire_schema *s, int version, const uint8_t *data, size_t len, struct arena *a)
{
	uint8_t *copy = malloc(len ? len : 1);
	void *msg = arena_alloc(a, s->body->size);
	int rc;

	if (len > 0)
		memcpy(copy, data, len);
	rc = wire_decode_all(s, version, (struct slice){copy, len}, a, msg, &err);
	free(copy);
	return rc;
}

static bool
cuts_are_errors(const struct wire_schema *s, int version, const struct buf *b)
{
	struct arena a;
	bool good = true;

	arena_init(&a, 0);
	for (size_t len = 0; len < b->len && good; len++) {
		arena_reset(&a);
		good = decode_copy(s, version, b->data, len, &a) == -1 && err.code == ERR_CORRUPT;
	}
	arena_release(&a);
	return good;
}

/* Bytes overwritten at random: any answer is good, but it must come, and with
 * memory in proportion to the bytes. */
static bool
garbage_is_bounded(const struct wire_schema *s, int version, struct buf *b)
{
	static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
	size_t bound = s->body->size + 64 + 256 * b->len;
	struct arena a;
	bool good = true;

	arena_init(&a, 0);
	for (int i = 0; b->len > 0 && i < 40 && good; i++) {
		for (uint32_t n = chance(3) + 1; n > 0; n--)
			b->data[chance((uint32_t)b->len)] = nasty[chance(sizeof(nasty))];
		arena_reset(&a);
		decode_copy(s, version, b->data, b->len, &a);
		good = a.used <= bound;
	}
	arena_release(&a);
	return good;
}

static void
test_all(const struct wire_schema *const *schemas, int count)
{
	for (int i = 0; i < count; i++) {
		const struct wire_schema *s = schemas[i];
		bool defaults = true, content = true, cuts = true, garbage = true;

		for (int v = s->versions.min; v <= s->versions.max; v++) {
			struct buf b = BUF_INIT;

			arena_reset(&arena);
			seed = (uint64_t)i * 100 + (uint64_t)v;
			for (int n = 0; n < 20; n++) {
				void *msg = arena_alloc(&arena, s->body->size);

				wire_init(s, msg);
				if (n > 0)
					random_struct(s->body, v, msg);
				*(n ? &content : &defaults) &= round_trips(s, v, msg, &b);
				cuts &= cuts_are_errors(s, v, &b);
			}
			garbage = garbage && garbage_is_bounded(s, v, &b);
			buf_release(&b);
		}
		ok(defaults, "%s: defaults come back in every version", s->name);
		ok(content, "%s: so does any content", s->name);
		ok(cuts, "%s: cut short anywhere it is an error", s->name);
		ok(garbage, "%s: garbage takes memory in proportion", s->name);
	}
}

/* For a Kafka to read: whatever it cannot hold, it would refuse. */
static void
print_samples(void)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < wire_schema_count; i++) {
		const struct wire_schema *s = wire_schemas[i];

		for (int n = 8 * s->versions.min; n < 8 * (s->versions.max + 1); n++) {
			int v = n / 8;
			void *msg = arena_alloc(&arena, s->body->size);

			wire_init(s, msg);
			if (n % 8 != 0)
				random_struct(s->body, v, msg);
			buf_clear(&b);
			if (wire_encode(s, v, msg, &b, &err) == -1)
				printf("# %s\n", err.text);
			printf("%s\t%d\t", s->name, v);
			for (size_t k = 0; k < b.len; k++)
				printf("%02x", b.data[k]);
			buf_clear(&b);
			wire_print_json(s, v, msg, &b);
			printf("\t%s\n", buf_cstr(&b));
			arena_reset(&arena);
		}
	}
	buf_release(&b);
}

int
main(int argc, char **argv)
{
	bool samples = argc > 1 && strcmp(argv[1], "--samples") == 0;

	arena_init(&arena, 0);
	if (samples) {
		print_samples();
	} else {
		test_all(wire_schemas, wire_schema_count);
		test_all(wire_test_schemas, wire_test_schema_count);
	}
	arena_release(&arena);
	return samples ? 0 : tap_done();
}
