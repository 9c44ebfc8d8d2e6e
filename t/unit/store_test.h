/* store_test: what the tests of stores share: records in and out, in few words. */
#ifndef STORE_TEST_H
#define STORE_TEST_H

#include <stdio.h>
#include <string.h>

#include "os/os_sim.h"
#include "store/store_impl.h"
#include "tap.h"

static struct store_options options;

static struct store *
open_store(struct os *os)
{
	struct err err = {0};
	struct store *s = store_open(os, "store", &options, &err);

	if (s == NULL)
		printf("# open: %s: %s\n", err_name(err.code), err.text);
	return s;
}

__attribute__((unused)) static int
create(struct store *s, const char *topic, int32_t partitions, struct err *err)
{
	struct store_topic_spec spec = {.name = topic, .partitions = partitions};

	err->text[0] = '\0';
	return store_create_topic(s, &spec, err);
}

/* Appends one record to a partition; its offset, or -1. */
__attribute__((unused)) static int64_t
append(struct store *s, const char *topic, int32_t partition, const char *text, struct err *err)
{
	struct record r = {.timestamp = os_wall_ms(store_os(s)),
	    .key_size = -1,
	    .value = (const uint8_t *)text,
	    .value_size = (int32_t)strlen(text)};
	struct mlog_appended out = {.base_offset = -1};
	struct batch_builder bb;
	struct batch b;
	int ret;

	err->code = 0;
	batch_builder_init(&bb, CODEC_NONE, 0);
	ret = batch_builder_add(&bb, &r, err);
	if (ret == 0)
		ret = batch_builder_finish(&bb, &b, err);
	if (ret == 0)
		ret = store_append(
		    s, topic, partition, (uint8_t *)(uintptr_t)b.bytes, (size_t)b.size, &out, err);
	batch_builder_release(&bb);
	return ret == 0 ? out.base_offset : -1;
}

/* All values of a partition, with a comma after each. */
__attribute__((unused)) static const char *
contents(struct store *s, const char *topic, int32_t partition)
{
	static char text[4096];
	struct record_reader rr = {0};
	struct err err = {0};
	struct reader *r = store_reader(s, topic, partition, &err);
	struct record rec;
	struct batch b;

	text[0] = '\0';
	if (r == NULL)
		return err.code == 0 ? "" : err_name(err.code);
	if (reader_seek(r, 0, &err) == -1)
		printf("# seek: %s\n", err.text);
	while (reader_next(r, &b, &err) == 1) {
		record_reader_open(&rr, &b, &err);
		while (record_reader_next(&rr, &rec, &err) == 1)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s,",
			    (int)rec.value_size, (const char *)rec.value);
	}
	record_reader_release(&rr);
	reader_free(r);
	return text;
}

#endif
