/*
 * dump: mq-dump-log over hostile files of every kind, repaired or as they are.
 * Every line of JSON must be JSON; one file's damage must not be another's.
 *
 * Input: which call fails; options, kind, topic, repairs, and what lies beside the
 * file (a recovery point, the next segment, and how far from the base), in a byte
 * each; -o as a part; the base in a byte; then the file.
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

enum { BESIDE_POINT = 1, BESIDE_SEGMENT = 2 }; /* above: how far from the base */

static const struct {
	bool base; /* in front */
	const char *text;
} names[] = {{true, ".log"}, {true, "-0000000003.checkpoint"}, {false, "batches"}, {true, ".index"},
    {true, ".timeindex"}, {true, ".txnindex"}, {true, ".snapshot"},
    {false, "leader-epoch-checkpoint"}, {false, "cleaner-offset-checkpoint"},
    {false, "meta.properties"}, {false, "quorum-state"}, {false, "foreign"}};

/* By enum dump_topic. */
static const char *const dirs[] = {"s/t-0", "s/__consumer_offsets-0", "s/__transaction_state-0",
    "s/__share_group_state-0", "s/__cluster_metadata-0"};

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
run(struct machine *m, uint8_t options, const char *dir, const char *range, char *path)
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
		(void)dump_file(&d, path, &err);
	if (options & DUMP_BESIDE) {
		(void)dump_verify_dir(&d, dir, &err);
		(void)dump_verify_covers(dump_kind_of(path));
	}
	dump_flush(&d);
	fuzz_memory_hold(); /* for good */
	if (d.json && !fuzz_memory_failed())
		check_json(d.sink.fd);
	dump_release(&d);
}

/* What is told of a file depends on what lies beside it. */
static void
put_beside(struct machine *m, const char *dir, uint8_t beside, int64_t base)
{
	char path[128], text[128];

	if (beside & BESIDE_POINT) {
		snprintf(text, sizeof(text), "0\n1\n%.*s 0 %d\n", (int)strlen(dir) - 4, dir + 2,
		    beside >> 3);
		machine_write(m, "s/recovery-point-offset-checkpoint",
		    (struct slice){(const uint8_t *)text, strlen(text)});
	}
	if (beside & BESIDE_SEGMENT) {
		snprintf(path, sizeof(path), "%s/%020lld.log", dir, (long long)base + (beside >> 3));
		if (sim_size(m->disk, path) == -1)
			machine_write(m, path, (struct slice){NULL, 0});
	}
}

static void
repair(uint8_t *file, size_t len, unsigned kind, int64_t base, int how)
{
	if (kind <= 2)
		fuzz_repair_batches(file, len, base, how);
	if (kind == 6 && (how & REPAIR_CRC))
		fuzz_repair_snapshot(file, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_of(data, size);
	uint16_t fail = fuzz_u16(&c);
	uint8_t options = fuzz_byte(&c);
	unsigned kind = fuzz_byte(&c) % (sizeof(names) / sizeof(names[0]));
	const char *dir = dirs[fuzz_byte(&c) % (sizeof(dirs) / sizeof(dirs[0]))];
	int how = fuzz_byte(&c) ^ (REPAIR_FRAMES | REPAIR_CRC | REPAIR_OFFSETS);
	uint8_t beside = fuzz_byte(&c);
	char *range = fuzz_string(fuzz_part(&c)), path[128];
	int64_t base = fuzz_byte(&c);
	struct slice content = fuzz_rest(&c);
	uint8_t *copy = malloc(content.len + 1);
	struct machine m;

	if (size <= INPUT_MAX) {
		if (content.len > 0)
			memcpy(copy, content.data, content.len);
		snprintf(path, sizeof(path), names[kind].base ? "%s/%020lld%s" : "%s/%.0lld%s", dir,
		    names[kind].base ? (long long)base : 0LL, names[kind].text);
		repair(copy, content.len, kind, base, how);
		machine_init(&m, NULL);
		machine_write(&m, path, (struct slice){copy, content.len});
		put_beside(&m, dir, beside, base);
		machine_fail(&m, fail);
		run(&m, options, dir, range, path);
		machine_release(&m);
	}
	free(range);
	free(copy);
	return 0;
}
