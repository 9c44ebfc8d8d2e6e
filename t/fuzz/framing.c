/*
 * framing: input cut into records. Whole or in pieces of any size, the same
 * records and the same complaints must come out.
 *
 * Input: options in a byte, size of the pieces in a byte, texts of -D and -K as
 * parts; then what is to be cut.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/framing.h"
#include "cli/tools.h"
#include "lib/fuzz.h"

#define RECORD_MAX 200
#define ARGS_MAX 24

enum { OPT_DELIMITER = 1, OPT_NUL = 2, OPT_WHOLE = 4, OPT_JSON = 8, OPT_KEY = 16, OPT_FIXED = 32,
	OPT_NULL = 64, OPT_LAX = 128 };

struct args {
	char *argv[ARGS_MAX + 1];
	int argc;
};

static void
arg(struct args *a, const char *text)
{
	a->argv[a->argc++] = strdup(text);
}

static void
args_make(struct args *a, uint8_t options, const char *delimiter, const char *key)
{
	a->argc = 0;
	arg(a, "mq-produce");
	if (options & OPT_DELIMITER) {
		arg(a, "-D");
		arg(a, delimiter);
	}
	if (options & OPT_NUL)
		arg(a, "-0");
	if (options & OPT_WHOLE)
		arg(a, "-w");
	if (options & OPT_JSON)
		arg(a, "-J");
	if (options & OPT_KEY) {
		arg(a, "-K");
		arg(a, key);
	}
	if (options & OPT_FIXED) {
		arg(a, "-k");
		arg(a, key);
		arg(a, "-H");
		arg(a, delimiter);
	}
	if (options & OPT_NULL) {
		arg(a, "-Z");
		arg(a, "NULL");
	}
	if (options & OPT_LAX) {
		arg(a, "--key-optional");
		arg(a, "--skip-empty");
	}
	a->argv[a->argc] = NULL;
}

/* Of all that came out: records and errors, in their order. */
struct outcome_sum {
	uint32_t sum;
	int records, errors;
};

static uint32_t
add(uint32_t sum, const void *data, int32_t size)
{
	sum = crc32c(sum, &size, sizeof(size));
	return size > 0 ? crc32c(sum, data, (size_t)size) : sum;
}

static void
take(struct outcome_sum *o, const struct framed *in)
{
	const struct record *r = &in->record;

	assert(r->key_size >= -1 && r->value_size >= -1);
	o->sum = add(o->sum, r->key, r->key_size);
	o->sum = add(o->sum, r->value, r->value_size);
	o->sum = add(o->sum, r->headers.data, (int32_t)r->headers.len);
	o->sum = add(o->sum, in->topic.data, (int32_t)in->topic.len);
	o->sum = add(o->sum, &r->timestamp, sizeof(r->timestamp));
	o->records++;
}

/* Feeds the input in pieces of `step` bytes, as input.c does: what is not used
 * is shown again, with more behind it. */
static struct outcome_sum
cut(const struct options *options, struct slice input, size_t step)
{
	struct outcome_sum o = {0};
	struct framing f;
	struct framed rec;
	struct err err;
	size_t begin = 0, end = 0, used;
	int rc = framing_init(&f, options, RECORD_MAX, &err);

	if (rc == 0)
		framing_begin(&f, "stdin");
	while (rc == 0) {
		/* A copy of just these bytes, so that a read beyond them is seen. */
		uint8_t *window = malloc(end - begin + 1);
		bool is_last = end == input.len;

		if (end > begin)
			memcpy(window, input.data + begin, end - begin);
		rc = framing_next(&f, window, end - begin, is_last, &used, &rec, &err);
		assert(used <= end - begin);
		begin += used;
		if (rc == 1)
			take(&o, &rec);
		else if (rc == -1)
			o.errors++;
		free(window);
		if (rc == 0 && is_last)
			break;
		if (rc == 0)
			end = input.len - end > step ? end + step : input.len;
		rc = 0;
		assert(o.errors + o.records <= (int)input.len + 1);
	}
	framing_release(&f);
	return o;
}

/* The same from a file. */
static struct outcome_sum
cut_file(const struct options *options, struct slice input)
{
	static int fd = -1;
	struct input in = {.name = "stdin", .data = malloc(64), .cap = 64};
	struct outcome_sum o = {0};
	enum framing_event event = FRAMING_BAD;
	struct framing f;
	struct framed rec;
	struct err err;

	if (fd == -1)
		fd = memfd_create("input", MFD_CLOEXEC);
	if (fd == -1 || ftruncate(fd, 0) == -1 ||
	    pwrite(fd, input.data, input.len, 0) != (ssize_t)input.len ||
	    lseek(fd, 0, SEEK_SET) != 0)
		abort();
	in.fd = fd;
	if (framing_init(&f, options, RECORD_MAX, &err) == 0) {
		framing_begin(&f, "stdin");
		while (event == FRAMING_BAD || event == FRAMING_RECORD) {
			event = framing_read(&f, &in, -1, &rec, &err);
			if (event == FRAMING_RECORD)
				take(&o, &rec);
			else if (event == FRAMING_BAD)
				o.errors++;
		}
		assert(event == FRAMING_ENDED);
	}
	framing_release(&f);
	free(in.data);
	return o;
}

static void
check_same(struct outcome_sum a, struct outcome_sum b)
{
	assert(a.records == b.records && a.sum == b.sum && a.errors == b.errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t options = fuzz_byte(&c), step = fuzz_byte(&c);
	char *delimiter = fuzz_string(fuzz_part(&c)), *key = fuzz_string(fuzz_part(&c));
	struct slice input = fuzz_rest(&c);
	struct outcome_sum whole;
	struct options o;
	struct args a;
	struct err err;

	args_make(&a, options, delimiter, key);
	if (options_parse(&o, &tool_produce, a.argc, a.argv, &err) == 0) {
		whole = cut(&o, input, input.len + 1);
		check_same(whole, cut(&o, input, (size_t)step + 1));
		check_same(whole, cut_file(&o, input));
	}
	options_release(&o);
	for (int i = 0; i < a.argc; i++)
		free(a.argv[i]);
	free(delimiter);
	free(key);
	return 0;
}
