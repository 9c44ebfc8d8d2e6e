/* framing, envelope, input: records in. */
#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/framing.h"
#include "cli/tools.h"

static struct framing
framing_of(const char *a, const char *b, const char *c)
{
	char name[] = "mq-produce";
	char *argv[] = {name, (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c};
	int argc = a == NULL ? 1 : b == NULL ? 2 : c == NULL ? 3 : 4;
	struct options o;
	struct framing f;
	struct err err = {.text = ""};

	if (options_parse(&o, &tool_produce, argc, argv, &err) == -1 ||
	    framing_init(&f, &o, 1000, &err) == -1)
		ok(false, "options: %s", err.text);
	options_release(&o);
	framing_begin(&f, "in");
	return f;
}

static void
part_put(struct buf *b, const uint8_t *data, int32_t size)
{
	if (size < 0)
		buf_str(b, "NULL");
	else
		buf_put(b, data, (size_t)size);
}

/* All records as "key=value;", fed in pieces of `step` bytes more at a time; bad
 * ones as "!text;". */
static const char *
cut(struct framing *f, const char *data, size_t len, size_t step, struct buf *b)
{
	size_t at = 0, have = 0;
	bool last = false;

	framing_begin(f, "in");
	buf_clear(b);
	for (;;) {
		struct framed r;
		struct err err;
		size_t used;
		int rc =
		    framing_next(f, (const uint8_t *)data + at, have - at, last, &used, &r, &err);

		at += used;
		if (rc == -1) {
			buf_printf(b, "!%s;", err.text);
		} else if (rc == 1) {
			part_put(b, r.record.key, r.record.key_size);
			buf_str(b, "=");
			part_put(b, r.record.value, r.record.value_size);
			buf_str(b, ";");
		} else if (last) {
			return buf_cstr(b);
		} else {
			have = have + step < len ? have + step : len;
			last = have == len;
		}
	}
}

static void
texts(void)
{
	static const struct {
		const char *a, *b, *c, *input, *want;
	} table[] = {
	    {NULL, NULL, NULL, "a\nb\n", "NULL=a;NULL=b;"},
	    {NULL, NULL, NULL, "a\nb", "NULL=a;NULL=b;"},
	    {NULL, NULL, NULL, "", ""},
	    {NULL, NULL, NULL, "\n\na\n", "NULL=;NULL=;NULL=a;"},
	    {"--skip-empty", NULL, NULL, "\n\na\n\n", "NULL=a;"},
	    {"-D", ", ", NULL, "a, b,c, , ", "NULL=a;NULL=b,c;NULL=;"},
	    {"-D", "\\x41", NULL, "1A2\nA", "NULL=1;NULL=2\n;"},
	    {"-w", NULL, NULL, "a\nb\n", "NULL=a\nb\n;"},
	    {"-w", NULL, NULL, "", "NULL=;"},
	    {"-K", ":", NULL, "k:v\nk2:v:w\n:\n", "k=v;k2=v:w;=;"},
	    {"-K", "::", NULL, "k::v\na:b::c\n", "k=v;a:b=c;"},
	    {"-K", ":", NULL, "k:v\nbad\nl:w\n",
		"k=v;!in:2: no key delimiter ':' (-K); use --key-optional for records without a "
		"key;l=w;"},
	    {"-K:", "--key-optional", NULL, "k:v\nw\n", "k=v;NULL=w;"},
	    {"-K:", "--key-optional", "-kd", "k:v\nw\n", "k=v;d=w;"},
	    {"-k", "key", NULL, "a\nb\n", "key=a;key=b;"},
	    {"-Z", NULL, NULL, "\na\n", "NULL=NULL;NULL=a;"},
	    {"-Z", "-K:", NULL, ":\nk:\n:v\n", "NULL=NULL;k=NULL;NULL=v;"},
	    {"--null=NIL", NULL, NULL, "NIL\n\n", "NULL=NULL;NULL=;"},
	    {"-wK", "\\n", NULL, "k\nv\nw", "k=v\nw;"},
	};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct framing f = framing_of(table[i].a, table[i].b, table[i].c);
		size_t len = strlen(table[i].input);
		bool same = true;

		is_str(cut(&f, table[i].input, len, 1000, &b), table[i].want, "%s %s cut",
		    table[i].a ? table[i].a : "lines", table[i].b ? table[i].b : "");
		for (size_t step = 1; step <= len; step++)
			same &= strcmp(cut(&f, table[i].input, len, step, &b), table[i].want) == 0;
		ok(same, "and the same in pieces of any size");
		framing_release(&f);
	}
	{
		struct framing f = framing_of("-0", NULL, NULL);

		is_str(cut(&f, "a\nb\0c\0", 6, 1, &b), "NULL=a\nb;NULL=c;", "-0");
		framing_release(&f);
	}
	buf_release(&b);
}

static void
limits(void)
{
	struct framing f = framing_of("-D", "::", NULL);
	struct buf b = BUF_INIT, in = BUF_INIT;
	bool same = true;

	for (int i = 0; i < 5000; i++)
		buf_str(&in, "x");
	buf_str(&in, "::b::");
	for (size_t step = 1; step <= 500; step++)
		same &= strcmp(cut(&f, (char *)in.data, in.len, step, &b),
			    "!in:1: a record of more than 1000 bytes;NULL=b;") == 0;
	ok(same, "a record that is too large is named, and passed over");
	is_str(cut(&f, (char *)in.data, in.len, in.len, &b),
	    "!in:1: a record of 5000 bytes; at most 1000 are taken;NULL=b;", "also in one piece");
	framing_release(&f);
	f = framing_of("-w", NULL, NULL);
	is_str(cut(&f, (char *)in.data, in.len, 7, &b),
	    "!in:1: a record of 1001 bytes; at most 1000 are taken;", "a whole input too");
	framing_release(&f);
	buf_release(&b);
	buf_release(&in);
}

static void
headers(void)
{
	struct framing f = framing_of("-Ha=1", "-H", "b");
	struct record_header h;
	struct framed r;
	struct cursor at;
	struct err err;
	size_t used;

	framing_next(&f, (const uint8_t *)"v\n", 2, false, &used, &r, &err);
	is_int(r.record.header_count, 2, "two fixed headers");
	at = cursor_of(r.record.headers.data, r.record.headers.len);
	is_int(record_header_next(&at, &h), 1, "the first");
	ok(h.name_size == 1 && h.name[0] == 'a' && h.value_size == 1 && h.value[0] == '1',
	    "is a=1");
	is_int(record_header_next(&at, &h), 1, "the second");
	ok(h.name_size == 1 && h.name[0] == 'b' && h.value_size == -1, "is b, null");
	is_int(record_header_next(&at, &h), 0, "and no more");
	framing_release(&f);
}

static void
conflicts(void)
{
	static const char *const table[][3] = {
	    {"-D,", "-0", "-D and -0 exclude each other"},
	    {"-w", "-0", "-w and -0 exclude each other"},
	    {"-w", "-J", "-w and -J exclude each other"},
	    {"-J", "-K:", "-J and -K exclude each other"},
	    {"-K", "", "-K: an empty delimiter"},
	    {"-D", "\\q", "-D: no such escape: '\\q' (\\n \\t \\r \\0 \\\\ \\xNN)"},
	    {"-H", "=v", "-H: '=v' has no name"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char name[] = "mq-produce";
		char *argv[] = {
		    name, (char *)(uintptr_t)table[i][0], (char *)(uintptr_t)table[i][1]};
		struct options o;
		struct framing f;
		struct err err = {.text = ""};

		options_parse(&o, &tool_produce, 3, argv, &err);
		is_int(framing_init(&f, &o, 1000, &err), -1, "%s %s", argv[1], argv[2]);
		is_str(err.text, table[i][2], "is refused");
		framing_release(&f);
		options_release(&o);
	}
}

/* --- envelopes --------------------------------------------------------------- */

static void
envelopes(void)
{
	static const struct {
		const char *json, *want;
	} table[] = {
	    {"{}", "NULL=NULL;"},
	    {"{\"key\":\"k\",\"payload\":\"v\"}", "k=v;"},
	    {" { \"value\" : \"v\" , \"key\" : null } \r", "NULL=v;"},
	    {"{\"payload\":\"\"}", "NULL=;"},
	    {"{\"payload\":\"a\\n\\t\\\"\\\\\\/\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}",
		"NULL=a\n\t\"\\/A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80;"},
	    {"{\"payload_b64\":\"aGk=\",\"key_b64\":\"\"}", "=hi;"},
	    {"{\"topic\":\"t\",\"partition\":0,\"offset\":7,\"tstype\":\"create\",\"ts\":"
	     "1700000000000,"
	     "\"broker\":1,\"headers\":[\"h\",\"v\"],\"key\":\"k\",\"payload\":\"v\"}",
		"k=v;"},
	    {"", ""},
	    {"  \t", ""},
	    {"{\"payload\":\"a\",\"value\":\"b\"}", "!in:1:16: \"value\" for the second time;"},
	    {"{\"key\":\"a\",\"key_b64\":\"\"}", "!in:1:12: \"key_b64\" for the second time;"},
	    {"{\"payoad\":\"a\"}", "!in:1:2: unknown key \"payoad\" (did you mean \"payload\"?);"},
	    {"{\"payload\":1}", "!in:1:12: '1' where a string or null should be;"},
	    {"{\"payload\":\"\\ud800x\"}", "!in:1:13: a lone surrogate \\ud800;"},
	    {"{\"payload\":\"\\udc00\"}", "!in:1:13: a lone surrogate \\udc00;"},
	    {"{\"payload\":\"\\u00g0\"}", "!in:1:13: \\u needs four hexadecimal digits;"},
	    {"{\"payload\":\"\\x\"}", "!in:1:13: no such escape;"},
	    {"{\"payload\":\"\xff\"}", "!in:1:13: not UTF-8;"},
	    {"{\"payload\":\"a\x01\"}",
		"!in:1:14: byte 0x01 where the rest of a string should be;"},
	    {"{\"payload\":\"a", "!in:1:14: the line ends where the rest of a string should be;"},
	    {"{\"payload_b64\":\"a\"}", "!in:1:16: not base64;"},
	    {"{} x", "!in:1:4: text behind the object;"},
	    {"[]", "!in:1:1: '[' where '{' should be;"},
	    {"{\"key\":\"k\",}", "!in:1:12: '}' where a key should be;"},
	    {"{\"key\" \"k\"}", "!in:1:8: '\"' where ':' should be;"},
	    {"{\"key\":\"k\" \"value\":\"v\"}", "!in:1:12: '\"' where ',' or '}' should be;"},
	    {"{\"ts\":1.5}", "!in:1:7: not an integer;"},
	    {"{\"ts\":-2}", "!in:1:7: -2 is out of range;"},
	    {"{\"ts\":01}", "!in:1:7: a number with leading zero;"},
	    {"{\"ts\":\"1969-12-31T23:59Z\"}", "!in:1:7: a time before 1970;"},
	    {"{\"ts\":\"soon\"}",
		"!in:1:7: not a time (milliseconds or 2024-01-15T10:00:00.123Z);"},
	    {"{\"partition\":2147483648}", "!in:1:14: 2147483648 is out of range;"},
	    {"{\"offset\":99999999999999999999999}",
		"!in:1:11: 99999999999999999999999 is out of range;"},
	    {"{\"tstype\":\"never\"}", "!in:1:11: tstype is create, logappend or unknown;"},
	    {"{\"headers\":{\"a\":\"1\",\"a\":\"2\"}}",
		"!in:1:21: a header twice in one object; use a list;"},
	    {"{\"headers\":[\"a\"]}", "!in:1:16: ']' where a header's value should be;"},
	    {"{\"headers\":[null,\"v\"]}", "!in:1:13: 'n' where a string should be;"},
	};
	struct framing f = framing_of("-J", NULL, NULL);
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		is_str(cut(&f, table[i].json, strlen(table[i].json), 1000, &b), table[i].want, "%s",
		    table[i].json);
	framing_release(&f);
	buf_release(&b);
}

/* The headers that `json` gives, as "n=v,". */
static const char *
headers_of(const char *json, struct buf *b)
{
	struct envelope e = {.text = BUF_INIT};
	struct record_header h;
	struct framed r;
	struct err err;
	struct cursor at;

	buf_clear(b);
	if (envelope_read(&e, (const uint8_t *)json, strlen(json), &r, &err) == -1) {
		envelope_release(&e);
		return "refused";
	}
	at = cursor_of(r.record.headers.data, r.record.headers.len);
	while (record_header_next(&at, &h) == 1) {
		part_put(b, (const uint8_t *)h.name, h.name_size);
		buf_str(b, "=");
		part_put(b, h.value, h.value_size);
		buf_str(b, ",");
	}
	envelope_release(&e);
	return buf_cstr(b);
}

static void
header_forms(void)
{
	struct buf b = BUF_INIT;

	is_str(
	    headers_of("{\"headers\":[\"a\",\"1\",\"b\",null]}", &b), "a=1,b=NULL,", "a flat list");
	is_str(headers_of("{\"headers\":[[\"a\",\"1\"],[\"a\",\"2\"]]}", &b), "a=1,a=2,", "pairs");
	is_str(
	    headers_of("{\"headers\":{\"a\":\"1\",\"b\":null}}", &b), "a=1,b=NULL,", "an object");
	is_str(headers_of("{\"headers_b64\":[\"YQ==\",\"/w==\"]}", &b), "a=\xff,", "base64");
	is_str(headers_of("{\"headers\":[]}", &b), "", "an empty list");
	is_str(headers_of("{\"headers\":{}}", &b), "", "an empty object");
	is_str(headers_of("{\"headers\":null}", &b), "", "null");
	is_str(headers_of("{\"headers\":[[\"a\",\"1\",\"2\"]]}", &b), "refused", "no triples");
	is_str(
	    headers_of("{\"headers\":[[\"a\",\"1\"],\"b\",\"2\"]}", &b), "refused", "no mixture");
	buf_release(&b);
}

/* --- what is written can be read: a property --------------------------------- */

static uint64_t seed = 42;

static uint32_t
chance(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

/* Bytes of a kind: text with everything that JSON escapes, or anything. */
static int32_t
bytes_make(struct buf *b)
{
	static const char *const words[] = {"a", "\"", "\\", "\n", "\x01", "\x7f", "\xc3\xa9",
	    "\xf0\x9f\x98\x80", "plain text ", "{\"k\":1}", "\xe2\x82\xac", "/"};
	int32_t before = (int32_t)b->len;
	uint32_t count = chance(12);
	bool any = chance(3) == 0;

	if (chance(6) == 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		if (any)
			buf_i8(b, (int8_t)chance(256));
		else if (chance(12) == 0)
			buf_i8(b, 0);
		else
			buf_str(b, words[chance(12)]);
	}
	return (int32_t)b->len - before;
}

static bool
same_bytes(const uint8_t *a, int32_t a_size, const uint8_t *b, int32_t b_size)
{
	return a_size == b_size && (a_size <= 0 || memcmp(a, b, (size_t)a_size) == 0);
}

static bool
identity_once(struct buf *json, struct buf *again)
{
	struct buf key = BUF_INIT, value = BUF_INIT, headers_made = BUF_INIT;
	struct record r = {
	    .offset = chance(1000), .timestamp = (int64_t)chance(1u << 31) * 1000 - 1};
	struct place at = {.topic = "t \"1\"", .partition = (int32_t)chance(100), .broker = 1};
	struct envelope e = {.text = BUF_INIT};
	struct framed back = {.partition = 0};
	struct err err = {.text = ""};
	bool good;

	r.key_size = bytes_make(&key);
	r.key = key.data;
	r.value_size = bytes_make(&value);
	r.value = value.data;
	for (uint32_t n = chance(4); n > 0; n--) {
		struct buf name = BUF_INIT, text = BUF_INIT;
		struct record_header h;

		h.name_size = bytes_make(&name);
		h.name_size = h.name_size < 0 ? 0 : h.name_size;
		h.name = name.data != NULL ? (const char *)name.data : "";
		h.value_size = bytes_make(&text);
		h.value = text.data;
		record_header_put(&headers_made, &h);
		r.header_count++;
		buf_release(&name);
		buf_release(&text);
	}
	r.headers = (struct slice){headers_made.data, headers_made.len};
	buf_clear(json);
	buf_clear(again);
	good = envelope_write(json, &r, &at, &err) == 0 &&
	       envelope_read(&e, json->data, json->len, &back, &err) == 0 &&
	       same_bytes(r.key, r.key_size, back.record.key, back.record.key_size) &&
	       same_bytes(r.value, r.value_size, back.record.value, back.record.value_size) &&
	       r.timestamp == back.record.timestamp && r.offset == back.record.offset &&
	       at.partition == back.partition && r.header_count == back.record.header_count &&
	       same_bytes(r.headers.data, (int32_t)r.headers.len, back.record.headers.data,
		   (int32_t)back.record.headers.len) &&
	       envelope_write(again, &back.record, &at, &err) == 0 && json->len == again->len &&
	       memcmp(json->data, again->data, json->len) == 0;
	if (!good)
		printf("# %s: %.*s\n", err.text, (int)json->len, (char *)json->data);
	envelope_release(&e);
	buf_release(&key);
	buf_release(&value);
	buf_release(&headers_made);
	return good;
}

static void
identity(void)
{
	struct buf json = BUF_INIT, again = BUF_INIT;
	bool good = true;

	for (int i = 0; i < 5000 && good; i++)
		good = identity_once(&json, &again);
	ok(good, "5000 random records come back from their envelopes as they were");
	buf_release(&json);
	buf_release(&again);
}

/* Cutting an envelope anywhere, or changing a byte, is never worse than an error. */
static void
mutations(void)
{
	static const char whole[] =
	    "{\"topic\":\"t\",\"partition\":0,\"offset\":7,\"ts\":1,\"headers\":"
	    "[\"h\",\"\\u00e9\"],\"key\":null,\"payload\":\"v\\n\"}";
	struct envelope e = {.text = BUF_INIT};
	bool cut_refused = true;
	struct framed r;
	struct err err;

	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		uint8_t *copy = malloc(len + 1); /* exact, for the sanitizer */

		memcpy(copy, whole, len);
		cut_refused &= envelope_read(&e, copy, len, &r, &err) == -1;
		free(copy);
	}
	ok(cut_refused, "an envelope that is cut anywhere is refused");
	for (int i = 0; i < 20000; i++) {
		uint8_t copy[sizeof(whole)];

		memcpy(copy, whole, sizeof(whole));
		for (uint32_t n = 1 + chance(3); n > 0; n--)
			copy[chance(sizeof(whole) - 1)] = (uint8_t)chance(256);
		envelope_read(&e, copy, sizeof(whole) - 1, &r, &err);
	}
	ok(true, "20000 damaged ones are read or refused");
	envelope_release(&e);
}

static void
inputs(void)
{
	char path[] = "/tmp/cli_framing.XXXXXX", *text = malloc(700000);
	int fd = mkstemp(path);
	struct framing f = framing_of(NULL, NULL, NULL);
	struct input in;
	struct framed r;
	struct err err;
	int64_t count = 0;
	bool good = true;
	enum framing_event event = FRAMING_ENDED;

	for (size_t i = 0; i < 700000; i++)
		text[i] = i % 700 == 699 ? '\n' : (char)('a' + i % 26);
	ok(write(fd, text, 700000) == 700000, "a file of 1000 lines");
	close(fd);
	is_int(input_open(&in, path, &err), 0, "is opened");
	framing_begin(&f, in.name);
	while ((event = framing_read(&f, &in, -1, &r, &err)) == FRAMING_RECORD) {
		good &= r.record.value_size == 699 &&
			memcmp(r.record.value, text + count * 700, 699) == 0;
		count++;
	}
	is_int(event, FRAMING_ENDED, "and read to its end");
	is_int(count, 1000, "giving 1000 records");
	ok(good, "with the right bytes");
	input_close(&in);
	unlink(path);
	is_int(input_open(&in, path, &err), -1, "a missing file");
	is_int(err.code, ERR_NOT_FOUND, "is not found");
	is_int(input_open(&in, "/", &err), -1, "a directory is no input");
	framing_release(&f);
	free(text);
}

int
main(void)
{
	texts();
	limits();
	headers();
	conflicts();
	envelopes();
	header_forms();
	identity();
	mutations();
	inputs();
	return tap_done();
}
