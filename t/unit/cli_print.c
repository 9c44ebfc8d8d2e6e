/* print: tables. */
#include "tap.h"

#include <stdlib.h>

#include "cli/print.h"

static const struct column columns[] = {{"topic", false}, {"offset", true}, {"isr", false}};

/* Two rows in a mode. The text is the caller's. */
static char *
printed(enum print_mode mode, bool heading, bool color, bool rows)
{
	static const int32_t isr[] = {1, 2};
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct print p;
	struct err err;

	print_init(&p, columns, 3, mode, heading, f, &err);
	p.color = color;
	if (rows) {
		print_text(&p, "caf\xc3\xa9\t1");
		print_int(&p, 7);
		print_ints(&p, isr, 2);
		print_row(&p, &err);
		print_text(&p, NULL);
		print_int(&p, -123456);
		print_ints(&p, isr, 0);
		print_row(&p, &err);
	}
	print_end(&p, &err);
	print_release(&p);
	fclose(f);
	return text;
}

static void
check(enum print_mode mode, bool heading, bool color, bool rows, const char *want, const char *what)
{
	char *text = printed(mode, heading, color, rows);

	is_str(text, want, "%s", what);
	free(text);
}

static void
seconds(void)
{
	static const struct column one[] = {{"seconds", true}};
	static const int64_t values[] = {0, 1, 12345, -1500, INT64_MIN};
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct print p;
	struct err err;

	print_init(&p, one, 1, PRINT_TSV, false, f, &err);
	for (size_t i = 0; i < 5; i++) {
		print_seconds(&p, values[i]);
		print_row(&p, &err);
	}
	print_end(&p, &err);
	print_release(&p);
	fclose(f);
	is_str(text, "0.000\n0.001\n12.345\n-1.500\n-9223372036854775.808\n", "seconds");
	free(text);
}

int
main(void)
{
	seconds();
	check(PRINT_TSV, false, false, true, "caf\xc3\xa9\\t1\t7\t1,2\n-\t-123456\t-\n", "TSV");
	check(PRINT_TSV, true, false, true,
	    "topic\toffset\tisr\ncaf\xc3\xa9\\t1\t7\t1,2\n-\t-123456\t-\n", "TSV with a heading");
	check(PRINT_ALIGNED, true, false, true,
	    "TOPIC     OFFSET  ISR\ncaf\xc3\xa9\\t1        7  1,2\n-        -123456  -\n",
	    "aligned, by characters");
	check(PRINT_ALIGNED, false, false, false, "", "no rows, no output");
	check(PRINT_ALIGNED, true, false, false, "", "nor a heading");
	check(PRINT_ALIGNED, true, true, true,
	    "\033[1mTOPIC     OFFSET  ISR\033[0m\ncaf\xc3\xa9\\t1        7  1,2\n-        -123456  "
	    "-\n",
	    "a coloured heading");
	check(PRINT_JSON, false, false, true,
	    "{\"topic\":\"caf\xc3\xa9\\t1\",\"offset\":7,\"isr\":[1,2]}\n"
	    "{\"topic\":null,\"offset\":-123456,\"isr\":[]}\n",
	    "JSON");
	return tap_done();
}
