/* format: records out. */
#include "tap.h"

#include <stdlib.h>
#include <time.h>

#include "cli/format.h"
#include "cli/tools.h"

#define TEXT(s) .value = (const uint8_t *)(s), .value_size = sizeof(s) - 1
#define KEY(s) .key = (const uint8_t *)(s), .key_size = sizeof(s) - 1

static struct record plain = {
    .offset = 7, .timestamp = 1700000000123, KEY("k\"1"), TEXT("pay\nload")};
static struct record nothing = {
    .offset = 0, .timestamp = NO_TIMESTAMP, .key_size = -1, .value_size = -1};
static struct record binary = {
    .offset = INT64_MAX, .timestamp = -1500, KEY(""), TEXT("\x01\x02\xff\xfe")};
static struct buf header_bytes = BUF_INIT;

static const struct place place = {.topic = "t",
    .partition = 3,
    .broker = 1,
    .leader_epoch = 5,
    .producer_id = 1000,
    .producer_epoch = 2,
    .attributes = BATCH_TRANSACTIONAL | CODEC_ZSTD,
    .number = 42};

static void
headers_make(void)
{
	static const struct record_header all[] = {
	    {"a", 1, (const uint8_t *)"1", 1},
	    {"b", 1, NULL, -1},
	    {"a", 1, (const uint8_t *)"\xff", 1},
	};

	for (size_t i = 0; i < 3; i++)
		record_header_put(&header_bytes, &all[i]);
	plain.headers = (struct slice){header_bytes.data, header_bytes.len};
	plain.header_count = 3;
}

static void
formats(void)
{
	static const struct {
		const char *format;
		const struct record *rec;
		const char *want;
	} table[] = {
	    {"%s\\n", &plain, "pay\nload\n"},
	    {"%v %V %S %k %K", &plain, "pay\nload 8 8 k\"1 3"},
	    {"%T %t %p %o", &plain, "1700000000123 t 3 7"},
	    {"%e %x %y %i %%", &plain, "5 1000 2 42 %"},
	    {"%h", &plain, "a=1,b=NULL,a=\xff"},
	    {"%h{%k:%v{hex}; }|", &plain, "a:31; b:NULL; a:ff|"},
	    {"%h{<%k>}", &plain, "<a><b><a"},
	    {"%h{%k}", &plain, "aba"},
	    {"%h[a]{hex} %h[b]. %h[c].", &plain, "ff . ."},
	    {"%h", &nothing, ""},
	    {"%a{codec} %a{txn} %a{control} %a{tstype}", &plain, "zstd true false create"},
	    {"%s{hex}", &binary, "0102fffe"},
	    {"%s{base64}", &binary, "AQL//g=="},
	    {"%s{json}", &plain, "\"pay\\nload\""},
	    {"%k{json}", &plain, "\"k\\\"1\""},
	    {"%s{json}", &binary, "\"\\u0001\\u0002\xef\xbf\xbd\xef\xbf\xbd\""},
	    {"%s{quoted}", &plain, "\"pay\\nload\""},
	    {"%s{quoted} %k{quoted}", &binary, "\"\\x01\\x02\\xff\\xfe\" \"\""},
	    {"%s{json} %k{quoted} %s{hex}.", &nothing, "null null ."},
	    {"%s%k %S %K", &nothing, " -1 -1"},
	    {"%s{unpack[b B b B]}", &binary, "1 2 -1 254"},
	    {"%s{unpack[>h <H]}", &binary, "258 65279"},
	    {"%s{unpack[<i$]}", &binary, "-16842239"},
	    {"%s{unpack[I]}", &binary, "16973822"},
	    {"%s{unpack[b]}", &binary, "1"},
	    {"%s{unpack[cc s]}", &plain, "pa y\nload"},
	    {"%S{be32}%S{le32}%S{varint}%S{hex}", &plain, "...\b\b...\0208"},
	    {"%R", &nothing, "\xff\xff\xff\xff"},
	    {"%S{varint} %S{hex}", &nothing, "\x01 -1"},
	    {"%o{hex}", &binary, "7fffffffffffffff"},
	    {"%T{iso} %T{s} %T{us}", &plain,
		"2023-11-14T22:13:20.123Z 1700000000 1700000000123000"},
	    {"%T{strftime[%F %T %z]}", &plain, "2023-11-15 01:13:20 +0300"},
	    {"%T{iso} %T{s} %T{us} %T{strftime[%F]}", &nothing, "- -1 -1 -"},
	    {"%T{s} %T{us}", &binary, "-2 -1500000"},
	    {"\\t\\x41\\\\\\\"", &plain, "\tA\\\""},
	    {"", &plain, ""},
	    {"\xc3\xa9", &plain, "\xc3\xa9"},
	};
	struct buf out = BUF_INIT;

	setenv("TZ", "MSK-3", 1);
	tzset();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err err = {.text = ""};
		struct format *f = format_new("-f", table[i].format, NULL, &err);

		buf_clear(&out);
		if (!ok(f != NULL && format_run(f, table[i].rec, &place, &out, &err) == 0,
			"-f '%s' %s", table[i].format, err.text))
			continue;
		/* NUL bytes as dots, so that they can be written down */
		for (size_t n = 0; n < out.len; n++)
			if (out.data[n] == '\0')
				out.data[n] = '.';
		is_str(buf_cstr(&out), table[i].want, "prints what it should");
		format_free(f);
	}
	buf_release(&out);
}

static void
formats_refused(void)
{
	static const struct {
		const char *format, *want;
	} table[] = {
	    {"%q", "-f: character 1: unknown token %q"},
	    {"ab%", "-f: character 3: nothing behind the %"},
	    {"%s{hexx}", "-f: character 4: unknown modifier 'hexx'"},
	    {"%s{hex", "-f: character 7: '}' is missing"},
	    {"%s{be32}", "-f: character 4: {be32} does not go with this token"},
	    {"%o{iso}", "-f: character 4: {iso} does not go with this token"},
	    {"%S{json}", "-f: character 4: {json} does not go with this token"},
	    {"%s{unpack[z]}", "-f: character 11: 'z' in a pack string (< > b B h H i I q Q c s $)"},
	    {"%s{unpack[]}", "-f: character 11: an empty pack string"},
	    {"%s{unpack[i}", "-f: character 10: [...]} is missing"},
	    {"%a", "-f: character 3: %a is followed by {codec}, {txn}, {control} or {tstype}"},
	    {"%a{x}", "-f: character 3: %a is followed by {codec}, {txn}, {control} or {tstype}"},
	    {"%h{,}", "-f: character 4: %h{...} needs %k or %v"},
	    {"%h{%k", "-f: character 3: '}' is missing"},
	    {"%h{%s}", "-f: character 1: unknown token %s (within %h{}: %k %v)"},
	    {"%h[]", "-f: character 3: %h[name]: the name or ']' is missing"},
	    {"a\\q", "-f: character 2: no such escape: '\\q' (\\n \\t \\r \\0 \\\\ \\xNN)"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err err = {.text = ""};
		struct format *f = format_new("-f", table[i].format, NULL, &err);

		ok(f == NULL, "-f '%s' is refused", table[i].format);
		is_str(err.text, table[i].want, "with its message");
		format_free(f);
	}
}

static void
records_refused(void)
{
	static const struct {
		const char *format, *want;
	} table[] = {
	    {"x%s{unpack[bq]}", "unpack: 'q' needs 8 bytes, 3 are left"},
	    {"x%s{unpack[h$]}", "unpack: 2 bytes are left over"},
	    {"x%o{be32}", "9223372036854775807 does not fit in 32 bits"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct err err = {.text = ""};
		struct format *f = format_new("-f", table[i].format, NULL, &err);

		is_int(format_run(f, &binary, &place, &out, &err), -1, "'%s' refuses a record",
		    table[i].format);
		is_str(err.text, table[i].want, "with its message");
		is_int((intmax_t)out.len, 0, "and prints no part of it");
		format_free(f);
	}
	buf_release(&out);
}

static void
options(void)
{
	static const struct {
		const char *words[4];
		const char *want;
	} table[] = {
	    {{"-q"}, "pay\nload\n"},
	    {{"-K", ":"}, "k\"1:pay\nload\n"},
	    {{"-OK", ": "}, "7: k\"1: pay\nload\n"},
	    {{"-O"}, "7\tpay\nload\n"},
	    {{"-D", "\\t"}, "pay\nload\t"},
	    {{"-D", ""}, "pay\nload"},
	    {{"-f", "%o", "-D", ";"}, "7"},
	    {{"-J"},
		"{\"topic\":\"t\",\"partition\":3,\"offset\":7,\"tstype\":\"create\",\"ts\":"
		"1700000000123,"
		"\"broker\":1,\"headers_b64\":[\"YQ==\",\"MQ==\",\"Yg==\",null,\"YQ==\",\"/w==\"],"
		"\"key\":\"k\\\"1\",\"payload\":\"pay\\nload\"}\n"},
	    {{"-J", "-K:"}, "-J and -K exclude each other"},
	    {{"-J", "-f%s"}, "-f and -J exclude each other"},
	    {{"-0", "-D,"}, "-D and -0 exclude each other"},
	    {{"-D", "\\"}, "-D: no such escape: '\\' (\\n \\t \\r \\0 \\\\ \\xNN)"},
	};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char name[] = "mq-consume", *argv[5] = {name};
		struct options o;
		struct err err = {.text = ""};
		struct format *f;
		int argc = 1;

		while (argc < 5 && table[i].words[argc - 1] != NULL) {
			argv[argc] = (char *)(uintptr_t)table[i].words[argc - 1];
			argc++;
		}
		options_parse(&o, &tool_consume, argc, argv, &err);
		f = format_from_options(&o, &err);
		buf_clear(&out);
		if (f != NULL)
			format_run(f, &plain, &place, &out, &err);
		is_str(f != NULL ? buf_cstr(&out) : err.text, table[i].want, "%s %s", argv[1],
		    argc > 2 ? argv[2] : "");
		format_free(f);
		options_release(&o);
	}
	buf_release(&out);
}

static void
nulls(void)
{
	struct buf out = BUF_INIT;
	struct err err;
	struct format *f = format_new("-f", "%k %s %s{hex} %s{json} %S %h", "NIL", &err);

	format_run(f, &nothing, &place, &out, &err);
	is_str(buf_cstr(&out), "NIL NIL NIL null -1 ", "a text for null");
	format_free(f);
	buf_clear(&out);
	f = format_new("-f", "%h{%k=%v,} %h[b]", "NIL", &err);
	format_run(f, &plain, &place, &out, &err);
	is_str(buf_cstr(&out), "a=1,b=NIL,a=\xff NIL", "also for null headers");
	format_free(f);
	buf_release(&out);
}

static void
damage(void)
{
	struct record r = plain;
	struct buf out = BUF_INIT;
	struct err err;

	for (size_t i = 0; i < 3; i++) {
		static const char *const all[] = {"x%h", "x%h[a]", "x%h{%k}"};
		struct format *f = format_new("-f", all[i], NULL, &err);

		r.headers.len = header_bytes.len - 1;
		is_int(format_run(f, &r, &place, &out, &err), -1, "'%s': cut headers", all[i]);
		is_int(err.code, ERR_CORRUPT, "are damage");
		is_int((intmax_t)out.len, 0, "and nothing is printed");
		format_free(f);
	}
	buf_release(&out);
}

int
main(void)
{
	headers_make();
	formats();
	formats_refused();
	records_refused();
	options();
	nulls();
	damage();
	buf_release(&header_bytes);
	return tap_done();
}
