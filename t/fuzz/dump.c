/*
 * dump: mq-dump-log over hostile files of every kind, repaired or as they are.
 * Every line of JSON must be JSON; one file's damage must not be another's.
 *
 * Input: which call fails, options, kind, topic and repairs in a byte each, -o as a part, a text
 * that stands for the base in a byte; then the file.
 */
#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/dump.h"
#include "cli/range.h"
#include "cli/report.h"
#include "lib/fuzz.h"

#define INPUT_MAX 16384
#define NOW 1700000000000

enum { DUMP_AS_JSON = 1, DUMP_COLOR = 2, DUMP_RECORDS = 4, DUMP_KEYS = 8, DUMP_DATA = 16,
	DUMP_VERIFY = 32, DUMP_BESIDE = 64 };

static const char *const names[] = {
    "%020lld.log", "%020lld-0000000003.checkpoint", "batches", "%020lld.index",
    "%020lld.timeindex", "%020lld.txnindex", "%020lld.snapshot", "leader-epoch-checkpoint",
    "cleaner-offset-checkpoint", "meta.properties", "quorum-state", "foreign"};

static int
output(void)
{
	static int fd = -1;

	if (fd == -1)
		fd = memfd_create("dump", MFD_CLOEXEC);
	if (fd == -1 || ftruncate(fd, 0) == -1 || lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return fd;
}

/* Each line an object with a type. */
static void
check_json(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)size + 1), *at = text, *end;

	if (pread(fd, text, (size_t)size, 0) != size)
		abort();
	text[size] = '\0';
	while ((end = memchr(at, '\n', (size_t)(text + size - at))) != NULL) {
		json_error_t why;
		json_t *line = json_loadb(at, (size_t)(end - at),
		    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

		if (line == NULL) {
			fprintf(stderr, "%s at %d: %.*s\n", why.text, why.position, (int)(end - at), at);
			abort();
		}
		assert(json_is_string(json_object_get(line, "type")));
		json_decref(line);
		at = end + 1;
	}
	assert(at == text + size);
	free(text);
}

/* As dump_file does it; it would not find a simulated file's topic. */
static int
dump_as(struct dump *d, const char *path, enum dump_topic topic, struct err *err)
{
	int fd, ret = -1;

	if (topic == TOPIC_USER)
		return dump_file(d, path, err);
	fd = os_open(d->os, path, OS_READ);
	if (fd == -1)
		return -1;
	d->path = path;
	d->kind = dump_kind_of(path);
	d->topic = topic;
	if (d->kind == DUMP_LOG || d->kind == DUMP_SNAPSHOT)
		ret = dump_log(d, fd, err);
	os_close(d->os, fd);
	dump_flush(d);
	return ret;
}

static void
dump_options(struct dump *d, uint8_t options)
{
	d->json = options & DUMP_AS_JSON;
	d->color = options & DUMP_COLOR;
	d->records = options & (DUMP_RECORDS | DUMP_KEYS | DUMP_DATA);
	d->keys = options & (DUMP_KEYS | DUMP_DATA);
	d->data = options & DUMP_DATA;
	d->verify = options & DUMP_VERIFY;
	d->headings = true;
}

static void
run(struct machine *m, uint8_t options, enum dump_topic topic, const char *range, char *path)
{
	struct dump d;
	struct err err;
	bool in_range = true;

	dump_init(&d, m->os);
	d.sink.fd = output();
	dump_options(&d, options);
	if (*range != '\0' && range_parse(&d.range, range, NOW, &err) == 0)
		in_range = dump_begin_range(&d, &path, 1, &err) == 0;
	if (in_range)
		(void)dump_as(&d, path, topic, &err);
	if (options & DUMP_BESIDE) {
		(void)dump_verify_dir(&d, "t-0", &err);
		(void)dump_verify_covers(dump_kind_of(path));
	}
	dump_flush(&d);
	if (d.json)
		check_json(d.sink.fd);
	dump_release(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint8_t fail = fuzz_byte(&c), options = fuzz_byte(&c), kind = fuzz_byte(&c), topic = fuzz_byte(&c) % 5;
	uint8_t repair = fuzz_byte(&c) ^ (REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	char *range = fuzz_string(fuzz_part(&c)), path[128] = "t-0/";
	int64_t base = fuzz_byte(&c);
	struct slice content = fuzz_rest(&c);
	const char *name = names[kind % (sizeof(names) / sizeof(names[0]))];
	uint8_t *copy = malloc(content.len + 1);
	struct machine m;

	if (size <= INPUT_MAX) {
		report_set_level(OS_ERROR);
		if (content.len > 0)
			memcpy(copy, content.data, content.len);
		if (*name == '%')
			snprintf(path + 4, sizeof(path) - 4, "%020lld%s", (long long)base,
			    strchr(name, 'd') + 1);
		else
			snprintf(path + 4, sizeof(path) - 4, "%s", name);
		if (kind % 12 <= 2)
			fuzz_repair_batches(copy, content.len, base, repair);
		if (kind % 12 == 6 && (repair & REPAIR_CRC))
			fuzz_repair_snapshot(copy, content.len);
		machine_init(&m, NULL);
		machine_write(&m, path, (struct slice){copy, content.len});
		machine_fail(&m, fail);
		run(&m, options, (enum dump_topic)topic, range, path);
		machine_release(&m);
	}
	free(range);
	free(copy);
	return 0;
}
