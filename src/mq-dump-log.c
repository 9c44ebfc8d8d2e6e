/* mq-dump-log: prints what lies in log files, byte for byte checked. */
#include <string.h>

#include "cli/dump.h"
#include "cli/places.h"
#include "cli/tool.h"
#include "programs.h"

struct task {
	struct dump dump;
	struct places places;
	int status; /* the worst so far */
};

static int
task_configure(struct task *t, const struct options *o, struct err *err)
{
	struct dump *d = &t->dump;
	const char *value;

	d->json = options_has(o, 'J');
	d->color = tool_color(o, 1);
	d->data = options_has(o, OPT_DATA);
	d->keys = d->data || options_has(o, OPT_KEYS);
	d->records = d->keys || options_has(o, OPT_RECORDS);
	d->verify = options_has(o, OPT_VERIFY);
	for (size_t at = 0; (value = options_each(o, 'o', &at)) != NULL;)
		if (range_parse(&d->range, value, os_wall_ms(d->os), err) == -1)
			return -1;
	if (d->range.from.kind == POINT_STORED || d->range.to.kind == POINT_STORED)
		return err_set(err, ERR_INVALID, "-o: 'stored' goes with a group (mq-consume -G)");
	return 0;
}

/* True if all offsets of this segment lie outside the range. */
static bool
skips(const struct dump *d, const struct strings *files, size_t i)
{
	if (!dump_has_range(d))
		return false;
	if (dump_base_of(files->items[i]) >= d->to)
		return true;
	return i + 1 < files->count && dump_base_of(files->items[i + 1]) <= d->from;
}

static void
dump_files(struct task *t, const struct strings *files, bool verified, struct err *err)
{
	struct dump *d = &t->dump;

	for (size_t i = 0; i < files->count && !dump_stopped(d); i++) {
		if (skips(d, files, i) ||
		    (verified && dump_verify_covers(dump_kind_of(files->items[i]))))
			continue;
		if (dump_file(d, files->items[i], err) == -1)
			t->status = report_fail(err);
	}
}

static int
dump_place(struct task *t, const struct place *place, struct err *err)
{
	struct dump *d = &t->dump;
	bool partition = place->kind == PLACE_PARTITION, range = dump_has_range(d);
	bool verified = partition && d->verify && !range;
	struct strings files = {0};
	int rc = place_files(d->os, place, partition && (range || (place->by_topic && !d->verify)),
	    &files, err);

	if (rc == 0 && range)
		rc = dump_begin_range(d, files.items, files.count, err);
	d->headings = d->headings || t->places.count > 1 || files.count > 1;
	if (rc == 0)
		dump_files(t, &files, verified, err);
	if (rc == 0 && verified && !dump_stopped(d))
		rc = dump_verify_dir(d, place->path, err);
	strings_release(&files);
	return rc;
}

static int
task_run(struct task *t, struct err *err)
{
	struct dump *d = &t->dump;

	for (size_t i = 0; i < t->places.count && !dump_stopped(d); i++)
		if (dump_place(t, &t->places.items[i], err) == -1)
			t->status = report_fail(err);
	report_info("%lld files, %lld batches, %lld records; %lld bad, %lld torn",
	    (long long)d->files, (long long)d->batches, (long long)d->record_count,
	    (long long)d->damaged, (long long)d->torn);
	if (d->failed)
		return d->status;
	return t->status == EXIT_OK && d->damaged > 0 ? EXIT_NO : t->status;
}

static int
run(struct os *os, const struct options *o)
{
	struct task t = {.status = EXIT_OK};
	struct err err;
	int status;

	dump_init(&t.dump, os);
	status = places_init(&t.places, os, o, true);
	if (status == -1 && task_configure(&t, o, &err) == -1)
		status = report_usage(&err);
	if (status == -1) {
		t.status = places_find(&t.places);
		status = task_run(&t, &err);
	}
	places_release(&t.places);
	dump_release(&t.dump);
	return status;
}

int
mq_dump_log(const struct options *o)
{
	return tool_run(o, run);
}
