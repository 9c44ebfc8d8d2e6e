/* When malloc fails at any call of building, sealing, checking and reading a
 * batch, that is said, and nothing breaks. */
#include "log/batch.h"

#include <stdlib.h>

#include "tap.h"

static struct err err;

/* Calls of malloc and its kin that still succeed; -1: all. */
static int calls_left = -1;
static bool failed;

#ifndef __SANITIZE_ADDRESS__ /* which has its own malloc: there the test only runs through */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *ptr, size_t size);

static bool
must_fail(void)
{
	if (calls_left > 0)
		calls_left--;
	failed = failed || calls_left == 0;
	return calls_left == 0;
}

void *
malloc(size_t size)
{
	return must_fail() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t nmemb, size_t size)
{
	return must_fail() ? NULL : __libc_calloc(nmemb, size);
}

void *
realloc(void *ptr, size_t size)
{
	return must_fail() ? NULL : __libc_realloc(ptr, size);
}
#endif

static char value[200000];

static int
build(struct batch_builder *bb, struct batch *b)
{
	struct record rec = {.key_size = -1, .value = (uint8_t *)value};

	for (int i = 0; i < 3; i++) {
		rec.value_size = i == 1 ? (int32_t)sizeof(value) : 100;
		if (batch_builder_add(bb, &rec, &err) == -1)
			return -1;
	}
	return batch_builder_finish(bb, b, &err);
}

/* The whole way once. Returns 0, or -1 with err. */
static int
run(enum codec codec)
{
	struct batch_builder bb;
	struct batch b;
	int rc;

	batch_builder_init(&bb, codec, CODEC_LEVEL_DEFAULT);
	rc = build(&bb, &b);
	if (rc == 0 && batch_check_records(&b, true, &err) != BATCH_OK)
		rc = -1;
	batch_builder_release(&bb);
	return rc;
}

/* The builder keeps what it had when an add fails. */
static void
test_add_keeps(void)
{
	struct record rec = {.key_size = -1, .value = (uint8_t *)value, .value_size = 100};
	struct batch_builder bb;
	struct batch b;
	int rc;

	batch_builder_init(&bb, CODEC_NONE, CODEC_LEVEL_DEFAULT);
	batch_builder_add(&bb, &rec, &err);
	rec.value_size = sizeof(value);
	calls_left = 1;
	rc = batch_builder_add(&bb, &rec, &err);
	calls_left = -1;
	ok(rc == (failed ? -1 : 0) && (rc == 0 || err.code == ERR_NOMEM), "an add may fail");
	ok(batch_builder_finish(&bb, &b, &err) == 0 && b.record_count == 2 + rc,
	    "and the builder holds what it held");
	batch_builder_release(&bb);
}

/* Snappy's C++ ends the process when memory is short while it compresses, so it
 * is not put to this test. */
int
main(void)
{
	static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_LZ4, CODEC_ZSTD};

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (char)(i * i >> 7);
	test_add_keeps();
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		int calls = 0, rc = 0, wrong = 0;

		do {
			failed = false;
			calls_left = ++calls;
			rc = run(codecs[i]);
			calls_left = -1;
			if (rc == -1 && err.code != ERR_NOMEM)
				wrong++;
		} while (failed);
		ok(rc == 0 && wrong == 0, "%s: each of %d allocations may fail",
		    codec_name(codecs[i]), calls - 1);
	}
	return tap_done();
}
