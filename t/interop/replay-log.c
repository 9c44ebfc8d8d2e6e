/*
 * replay-log DIR SOURCE [KEY=VALUE...]: appends to the partition DIR the batches
 * of the partition SOURCE that are beyond DIR's end, each as a producer's, in the
 * leader epoch and at the newest time that it has. The keys are segment.bytes,
 * segment.ms and index.interval.bytes. t/interop/full/state.bats compiles it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/mlog.h"
#include "log/reader.h"
#include "os/os_real.h"

static int
set(struct mlog_config *config, const char *setting)
{
	const char *value = strchr(setting, '=');
	const struct {
		const char *key;
		int64_t *to;
	} keys[] = {{"segment.bytes", &config->segment_bytes}, {"segment.ms", &config->segment_ms},
	    {"index.interval.bytes", &config->index_interval_bytes}};

	for (size_t i = 0; value != NULL && i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i].key);
		if ((size_t)(value - setting) == len && strncmp(setting, keys[i].key, len) == 0) {
			*keys[i].to = atoll(value + 1);
			return 0;
		}
	}
	return -1;
}

static int
append_all(struct mlog *log, struct reader *from, struct err *err)
{
	struct mlog_appended out;
	struct batch b;
	int r;

	if (reader_seek(from, mlog_end(log), err) == -1)
		return -1;
	while ((r = reader_next(from, &b, err)) == 1) {
		uint8_t *bytes = malloc((size_t)b.size);

		if (bytes == NULL)
			return err_nomem(err);
		memcpy(bytes, b.bytes, (size_t)b.size);
		r = mlog_append(log, bytes, (size_t)b.size, b.leader_epoch, b.max_timestamp, &out, err);
		free(bytes);
		if (r == -1)
			return -1;
	}
	return r == -1 ? -1 : mlog_sync(log, err);
}

int
main(int argc, char **argv)
{
	struct mlog_config config;
	struct reader *from = NULL;
	struct err err = {0};
	struct mlog log;
	struct os *os = os_real_new(&err);
	int r = -1;

	mlog_config_default(&config);
	for (int i = 3; i < argc; i++)
		if (set(&config, argv[i]) == -1)
			return 2;
	if (os == NULL || argc < 3)
		return 2;
	if (mlog_open(&log, os, argv[1], &config, &(struct mlog_open_args){.how = MLOG_CLEAN},
	    &err) == 0) {
		from = reader_open(os, argv[2], 0, &err);
		if (from != NULL)
			r = append_all(&log, from, &err);
		reader_free(from);
		mlog_release(&log);
	}
	os_free(os);
	if (r == -1)
		fprintf(stderr, "replay-log: %s\n", err.text);
	return r == -1;
}
