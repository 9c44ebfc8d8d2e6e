/* The schema language and the interpreter, on a message that has one of each:
 * encodings byte by byte, what is refused, and the generator's complaints. */
#include <stdlib.h>

#include "tap.h"
#include "wire_test_gen.h"

static struct arena arena;
static struct err err;

static const struct wire_schema *const request = &wire_everything_request;

static struct everything_request
defaults(void)
{
	struct everything_request r;

	wire_init(request, &r);
	return r;
}

/* Version 3 of all defaults, cut before the count of tagged fields. */
static size_t
encode(int version, const struct everything_request *r, struct buf *b)
{
	buf_clear(b);
	if (wire_encode(request, version, r, b, &err) == -1)
		printf("# %s\n", err.text);
	return b->len;
}

static int
decode(int version, const struct buf *b, struct everything_request *r)
{
	return wire_decode_all(request, version, (struct slice){b->data, b->len}, &arena, r, &err);
}

static void
test_defaults(void)
{
	struct everything_request r = defaults();

	ok(r.yes && r.small == -3 && r.port == 9092 && r.crc == UINT32_MAX, "defaults of numbers");
	ok(r.long_ == INT64_MIN && r.ratio == 0.5, "of the smallest one and of a fraction");
	ok(r.words.len == -1 && r.client.len == 0 && r.int32s.count == 0,
	    "null only where it says so");
	ok(r.other_is_null && !r.inner_is_null && r.third.count == -1,
	    "the same for structs and arrays");
}

static void
test_encodings(void)
{
	struct everything_request r = defaults();
	struct buf b = BUF_INIT;

	r.client = wire_str_of("ab");
	encode(3, &r, &b);
	is_mem(b.data,
	    "\x00\x02"
	    "ab\x01\xfd\x00\x00\x23\x84",
	    10, "an inflexible string keeps its int16 length, numbers are big-endian");
	ok(b.len > 1 && b.data[b.len - 1] == 0, "tagged fields at their defaults are not there");

	r.early = 6;
	r.late = wire_str_of("z");
	r.inner_is_null = true;
	encode(3, &r, &b);
	is_mem(b.data + b.len - 12, "\x03\x01\x02\x00\x06\x02\x01\x00\x09\x02\x02z", 12,
	    "tagged fields stand by ascending tag; a null struct in one is a varint 0");
	r.inner_is_null = false;
	r.inner.x = 1;
	r.inner.more.port = 2;
	encode(3, &r, &b);
	is_mem(b.data + b.len - 16, "\x02\x0a\x01\x00\x00\x00\x01\x01\x00\x02\x00\x00", 12,
	    "another one is marked 1, counted in the size, with a section for each struct in it");

	r = defaults();
	encode(1, &r, &b);
	is_mem(b.data + b.len - 9, "\x00\x00\x00\x00\xff\x00\x00\x00\x00", 9,
	    "a null struct is one byte -1");
	r.other_is_null = false;
	r.other.port = 258;
	encode(1, &r, &b);
	is_mem(b.data + b.len - 9, "\x01\x00\x00\x01\x02\x00\x00\x00\x00", 9,
	    "one that is there has a 1");
	is_int(decode(1, &b, &r), 0, "reads back");
	is_int(r.other.port, 258, "with its content");
	buf_release(&b);
}

/* A message with tagged fields 0, 5 and 200 that no schema knows. */
static void
test_unknown_tags(void)
{
	static const char tail[] =
	    "\x05\x00\x01Q\x01\x02\x00\x07\x05\x00\x09\x02\x02z\xc8\x01\x02QQ";
	struct everything_request r = defaults(), back;
	struct buf b = BUF_INIT, again = BUF_INIT;

	encode(2, &r, &b);
	b.len--;
	buf_put(&b, tail, sizeof(tail) - 1);
	is_int(decode(2, &b, &back), 0, "unknown tagged fields are passed over");
	ok(back.early == 7 && back.late.len == 1 && back.late.data[0] == 'z', "known ones among them are read");
	encode(2, &back, &again);
	ok(again.len == b.len && memcmp(again.data, b.data, b.len) == 0,
	    "and all are written again, in their places");
	back.early = 5;
	encode(2, &back, &again);
	is_int(again.len, b.len - 4, "a known one that was reset is gone, though it was kept");
	is_int(wire_encode(request, 1, &back, &again, &err), -1,
	    "a version without tagged fields refuses them");

	encode(2, &r, &b);
	b.len--;
	buf_put(&b, "\x02\x09\x02\x02z\x01\x02\x00\x07", 9);
	ok(decode(2, &b, &back) == 0 && back.early == 7, "the order of tags is not insisted upon");
	b.len -= 8;
	buf_put(&b, "\x09\x03\x02zz", 5);
	b.data[b.len - 6] = 1;
	ok(decode(2, &b, &back) == -1 && err.code == ERR_CORRUPT,
	    "a tagged field that does not fill its size is an error");
	buf_release(&b);
	buf_release(&again);
}

static void
test_versions(void)
{
	struct everything_request r = defaults();
	struct buf b = BUF_INIT;

	r.words = wire_str_of("lost");
	is_int(
	    wire_encode(request, 0, &r, &b, &err), 0, "an ignorable field is dropped in silence");
	is_int(decode(0, &b, &r), 0, "what is left");
	is_int(r.words.len, -1, "has its default there");
	r.gone = 1;
	is_int(wire_encode(request, 2, &r, &b, &err), -1, "one that is not ignorable is refused");
	is_str(err.text, "EverythingRequest v2: gone: has a value, but is not in this version",
	    "in one clear line");
	is_int(wire_encode(request, 4, &r, &b, &err), -1, "so is a version that is not there");
	is_int(err.code, ERR_UNSUPPORTED_VERSION, "with Kafka's code");
	is_int(wire_size(request, -1, &r, &err), -1, "also for sizes");
	buf_release(&b);
}

static void
test_refusals(void)
{
	static char long_text[WIRE_STRING_MAX + 1];
	struct everything_request r = defaults();
	struct wire_str null = wire_str_null();
	struct buf b = BUF_INIT;

	r.int32s.count = -1;
	is_int(wire_encode(request, 2, &r, &b, &err), 0, "null where the version allows it");
	is_int(wire_encode(request, 1, &r, &b, &err), -1, "and an error in another");
	ok(err.code == ERR_INVALID, "of that kind");
	r = defaults();
	r.names.items = &null;
	r.names.count = 1;
	is_int(wire_encode(request, 2, &r, &b, &err), -1, "a null among an array's strings is one");
	r = defaults();
	r.client = wire_str_of_mem(long_text, sizeof(long_text));
	is_int(wire_encode(request, 2, &r, &b, &err), -1, "so is a string above 32767 bytes");
	r.client.len--;
	is_int(wire_encode(request, 2, &r, &b, &err), 0, "which is the longest");
	b.limit = 100;
	buf_clear(&b);
	is_int(wire_encode(request, 2, &r, &b, &err), -1, "a buf over its limit is told");
	is_int(b.len, 0, "and left as it was");
	buf_release(&b);
}

static void
test_bounds(void)
{
	/* 51 bytes that stand before the first array, and its count. */
	static const uint8_t huge[56] = {[51] = 0xff, 0xff, 0xff, 0xff, 0x07};
	struct everything_request r = defaults();
	struct arena small;
	struct buf b = BUF_INIT;
	size_t used = arena.used;
	int32_t numbers[100] = {0};

	ok(wire_decode_all(request, 2, (struct slice){huge, sizeof(huge)}, &arena, &r, &err) ==
		    -1 &&
		err.code == ERR_CORRUPT,
	    "a count of 2^31 is an error");
	is_str(
	    err.text, "EverythingRequest v2: bools: count 2147483646 with 0 bytes left", "told so");
	is_int(arena.used, used, "and takes no memory");

	r = defaults();
	r.int32s.items = numbers;
	r.int32s.count = 100;
	encode(2, &r, &b);
	arena_init(&small, 200);
	is_int(wire_decode_all(request, 2, (struct slice){b.data, b.len}, &small, &r, &err), -1,
	    "an arena that is too small");
	is_int(err.code, ERR_NOMEM, "is told from bytes that are wrong");
	arena_release(&small);

	buf_i8(&b, 0);
	is_int(
	    decode(2, &b, &r), -1, "a byte left over is an error where a whole message is wanted");
	struct cursor c = cursor_of(b.data, b.len);
	is_int(
	    wire_decode(request, 2, &c, &arena, &r, &err), 0, "and left to the caller elsewhere");
	is_int(cursor_left(&c), 1, "unread");
	buf_release(&b);
}

static void
test_print(void)
{
	struct everything_response r;
	struct everything_request q = defaults();
	struct buf b = BUF_INIT;

	wire_init(&wire_everything_response, &r);
	r.batches = wire_bytes_of("\xff\x00", 2);
	wire_print(&wire_everything_response, 3, &r, &b);
	is_str(buf_cstr(&b), "error_code=0 batches=/wA=", "bytes are base64");
	buf_clear(&b);
	q.client = wire_str_of("a \"b\"\n\x01\xff\xc3\xa4");
	wire_print_json(request, 3, &q, &b);
	ok(strncmp(buf_cstr(&b),
	       "{\"client\":\"a "
	       "\\\"b\\\"\\n\\u0001\xef\xbf\xbd\xc3\xa4\",\"yes\":true,\"small\":-3,",
	       52) == 0,
	    "JSON escapes what it must, and what is not UTF-8 becomes U+FFFD");
	ok(strstr(buf_cstr(&b), "\"ratio\":0.5,\"id\":\"AAAAAAAAAAAAAAAAAAAAAA\"") != NULL,
	    "fractions and ids");
	ok(strstr(buf_cstr(&b), "early") == NULL, "tagged fields at their defaults are left out");
	buf_clear(&b);
	wire_print(request, 3, &q, &b);
	ok(strncmp(buf_cstr(&b), "client=\"a \\\"b\\\"", 15) == 0,
	    "text quotes what is not a word");
	ok(strstr(buf_cstr(&b), " words=null blob=\"\" ") != NULL, "and tells null from empty");
	buf_release(&b);
}

/* --- the generator ----------------------------------------------------------- */

static const char *build; /* the build's directory */

/* What wire-gen says about a schema, after "FILE:". */
static const char *
complaint(const char *schema)
{
	static char said[512];
	char path[256], command[1024];
	const char *tmp = getenv("TMPDIR");
	FILE *f;

	snprintf(path, sizeof(path), "%s/wire_language.txt", tmp ? tmp : build);
	said[0] = '\0';
	if ((f = fopen(path, "w")) != NULL) {
		fputs(schema, f);
		fclose(f);
	}
	snprintf(command, sizeof(command), "'%s'/wire-gen --dump '%s' 2>&1", build, path);
	if ((f = popen(command, "r")) == NULL) // NOLINT(cert-env33-c): the program under test
		return "no wire-gen";
	if (fgets(said, sizeof(said), f) == NULL)
		said[0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	if (pclose(f) == 0)
		return "accepted";
	remove(path);
	return strncmp(said, path, strlen(path)) == 0 ? said + strlen(path) + 1 : said;
}

#define HEAD "data A  versions 0-2  flexible 1+\n"
#define API "api 1 A  versions 0  "
#define SECTIONS "request\n  x int8\nresponse\n  x int8\n"

static void
test_generator(void)
{
	static const struct {
		const char *schema, *want, *fact;
	} mistakes[] = {
	    {HEAD "  x  int32\n", "accepted", "a good schema"},
	    {"", "0: no message in this file", "an empty file"},
	    {"date A versions 0\n", "1: 'date' begins nothing that may stand here",
		"a wrong family"},
	    {"metadata A versions 0\n", "1: 'A' is not a metadata number", "a missing number"},
	    {"data a versions 0\n", "1: 'a' is not a name; want CamelCase", "a small name"},
	    {"data A\n", "1: A has no versions", "no versions"},
	    {"data A versions 0+\n", "1: a message's versions must end somewhere", "open versions"},
	    {"data A versions 3-1\n", "1: '3-1' is not a range of versions; want 3, 3-5 or 3+",
		"an upside-down range"},
	    {HEAD "  x\n", "2: the type of x is missing", "no type"},
	    {HEAD "  X int32\n", "2: 'X' is not a name; want snake_case", "a field in capitals"},
	    {HEAD "  x int32\n\n  x int8\n", "4: there is a field 'x' already", "a field twice"},
	    {HEAD "  x in32\n", "1: struct 'in32' has no fields (or is not known here)",
		"a type that nobody knows"},
	    {HEAD "    x int32\n", "2: a field that belongs to nothing: wrong indentation?",
		"a level too deep"},
	    {HEAD "   x int32\n", "2: indentation is two spaces a level, at most 8 levels",
		"three spaces"},
	    {HEAD "\tx int32\n", "2: a tab; indentation is two spaces a level", "a tab"},
	    {HEAD "  x int32 4+\n", "2: x is in no version of A", "versions that are not there"},
	    {HEAD "  x int32 tag 0\n", "2: x is tagged in versions that are not flexible",
		"a tag too early"},
	    {HEAD "  x int32 1+ tag 0\n  y int8 1+ tag 0\n", "3: tag 0 is x already",
		"a tag twice"},
	    {HEAD "  x int32?\n", "2: a int32 cannot be null", "a number that is null"},
	    {HEAD "  x int8 default 128\n", "2: '128' cannot be the default of x",
		"a default out of range"},
	    {HEAD "  x string default null\n", "2: x cannot be null, yet its default is",
		"a null default of what is never null"},
	    {HEAD "  x int8 defualt 1\n",
		"2: 'defualt' instead of tag, default, ignorable or inflexible", "a word misspelt"},
	    {HEAD "  x []y\n    z y\n", "3: struct 'y' contains itself", "a struct in itself"},
	    {HEAD "data B versions 0\n", "2: a second message in one file", "two messages"},
	    {API "on broker,controller forwarded\n" SECTIONS, "accepted", "a good API"},
	    {API "on brokers\n" SECTIONS,
		"1: 'brokers' are no listeners of a message of this family",
		"listeners that nobody knows"},
	    {"data A versions 0 on broker\n  x int8\n",
		"1: 'broker' are no listeners of a message of this family",
		"listeners of what is no API"},
	    {API "forwarded\n" SECTIONS,
		"1: 'forwarded' instead of versions, flexible, on or forwarded",
		"what is forwarded from nowhere"},
	    {API "on broker\nrequest\n  x int8\n", "2: ARequest is not followed by its response",
		"a request without a response"},
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		is_str(complaint(mistakes[i].schema), mistakes[i].want, "%s", mistakes[i].fact);
}

int
main(int argc, char **argv)
{
	char self[512];
	char *at = NULL;

	/* BUILD/t/unit/wire_language */
	snprintf(self, sizeof(self), "%s", argc > 0 ? argv[0] : "");
	for (int i = 0; i < 3; i++)
		if ((at = strrchr(self, '/')) != NULL)
			*at = '\0';
	build = at ? self : ".";

	arena_init(&arena, 0);
	test_defaults();
	test_encodings();
	test_unknown_tags();
	test_versions();
	test_refusals();
	test_bounds();
	test_print();
	test_generator();
	arena_release(&arena);
	return tap_done();
}
