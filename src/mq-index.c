/* mq-index: checks, rebuilds, shows and uses the indexes of segments. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/dump.h"
#include "cli/indexes.h"
#include "cli/tool.h"
#include "store/store.h"
#include "store/topic_config.h"
#include "programs.h"

#define INTERVAL "index.interval.bytes"

struct task {
	struct os *os;
	const struct options *options;
	struct places places;
	struct print print;
	struct point point;
	int64_t interval; /* -1: as the topic is configured */
	int64_t wait_ms;
	int64_t damaged;
	bool missed; /* a lookup found nothing */
};

/* --- what is asked for --------------------------------------------------------- */

static int
task_property(struct task *t, const char *text, struct err *err)
{
	const char *value = strchr(text, '=');

	if (value == NULL || strncmp(text, INTERVAL "=", strlen(INTERVAL) + 1) != 0)
		return err_set(err, ERR_INVALID, "-X: '%s' is not " INTERVAL "=BYTES", text);
	if (text_size(value + 1, 0, INT32_MAX, &t->interval) == -1)
		return err_set(err, ERR_INVALID, "-X: '%s' is no size", value + 1);
	return 0;
}

static int
task_configure(struct task *t, struct err *err)
{
	const struct options *o = t->options;
	const char *value;

	t->interval = -1;
	t->wait_ms = -1;
	if (options_seconds(o, 'm', 0, INT32_MAX, &t->wait_ms, err) == -1)
		return -1;
	for (size_t at = 0; (value = options_each(o, 'X', &at)) != NULL;)
		if (task_property(t, value, err) == -1)
			return -1;
	if (o->verb != INDEX_LOOKUP)
		return 0;
	value = options_value(o, 'o');
	if (value == NULL)
		return err_set(err, ERR_INVALID, "lookup: -o says what to look up");
	if (point_parse(&t->point, value, os_wall_ms(t->os), err) == -1)
		return -1;
	if (t->point.kind == POINT_END || t->point.kind == POINT_BEFORE)
		return err_set(err, ERR_INVALID, "-o: '%s' is behind all indexes; N, +N or @TIME", value);
	return 0;
}

/* A file stands for its segment: its directory, and its base. malloc'd. */
static char *
segments_of(struct task *t, const struct place *place, struct segments *s, struct err *err)
{
	const char *slash = strrchr(place->path, '/');
	char *dir;

	*s = (struct segments){.os = t->os, .only = -1};
	if (place->kind == PLACE_PARTITION) {
		dir = strdup(place->path);
	} else {
		s->only = dump_base_of(place->path);
		dir = slash == NULL ? strdup(".") : strndup(place->path, (size_t)(slash - place->path));
	}
	s->dir = dir;
	if (dir == NULL)
		err_nomem(err);
	return dir;
}

/* The settings of a partition that lies in a store, else Kafka's defaults. */
static struct mlog_config
config_of(struct task *t, const char *dir)
{
	char *whole = realpath(dir, NULL), *slash = whole != NULL ? strrchr(whole, '/') : NULL, *dash;
	struct mlog_config config;
	struct store_options so;
	struct store *store;
	struct err err;

	mlog_config_default(&config);
	if (slash != NULL && slash != whole && (dash = strrchr(slash, '-')) != NULL) {
		*slash = *dash = '\0';
		store_options_default(&so);
		so.read_only = true;
		store = store_open(t->os, whole, &so, &err);
		if (store != NULL)
			topic_config_resolve(store_image(store), slash + 1, &config);
		store_free(store);
	}
	free(whole);
	return config;
}

/* --- commands -------------------------------------------------------------------- */

static int
rebuild(struct task *t, const struct segments *s, struct err *err)
{
	bool dry = options_has(t->options, 'n');
	int64_t interval = t->interval != -1 ? t->interval
	                                     : config_of(t, s->dir).index_interval_bytes;
	struct partition_lock lock;
	int rc;

	if (!dry && index_lock(&lock, t->os, s->dir, t->wait_ms, err) == -1)
		return -1;
	rc = index_rebuild(s, interval, dry, &t->print, &t->damaged, err);
	if (!dry)
		partition_unlock_replaced(&lock);
	return rc;
}

static int
lookup(struct task *t, const struct segments *s, struct err *err)
{
	int rc = index_lookup(s, &t->point, &t->print, err);

	if (rc == 0) {
		report_warn("%s: nothing at or behind %s", s->dir, options_value(t->options, 'o'));
		t->missed = true;
	}
	return rc == -1 ? -1 : 0;
}

static int
run_place(struct task *t, const struct place *place, struct err *err)
{
	struct segments s;
	char *dir = segments_of(t, place, &s, err);
	int rc = -1;

	if (dir == NULL)
		return -1;
	if (place->kind == PLACE_FILE && s.only == -1)
		rc = err_set(err, ERR_INVALID, "%s: no file of a segment (if a topic is meant: -t)", place->path);
	else if (t->options->verb == INDEX_CHECK)
		rc = index_check(&s, &t->print, &t->damaged, err);
	else if (t->options->verb == INDEX_REBUILD)
		rc = rebuild(t, &s, err);
	else
		rc = lookup(t, &s, err);
	free(dir);
	return rc;
}

/* Two directories of one name are two replicas of one partition. */
static int
compare(struct task *t, struct err *err)
{
	const struct place *a = t->places.items, *b = a + 1;
	bool compacted;

	if (t->options->verb != INDEX_CHECK || t->places.count != 2 || t->options->operand_count != 2 ||
	    a->kind != PLACE_PARTITION || b->kind != PLACE_PARTITION ||
	    strcmp(segment_dir_name(a->path), segment_dir_name(b->path)) != 0)
		return 0;
	compacted = config_of(t, a->path).cleanup_compact || config_of(t, b->path).cleanup_compact;
	return index_compare(t->os, a->path, b->path, compacted, &t->print, &t->damaged, err);
}

static int
run_table(struct task *t)
{
	static const struct {
		const struct column *columns;
		size_t count;
	} tables[] = {
	    [INDEX_CHECK] = {index_check_columns, 5},
	    [INDEX_REBUILD] = {index_rebuild_columns, 6},
	    [INDEX_LOOKUP] = {index_lookup_columns, 7},
	};
	int verb = t->options->verb, status = places_find(&t->places);
	struct err err;

	if (print_init_stdout(&t->print, tables[verb].columns, tables[verb].count, t->options, &err) == -1)
		return report_fail(&err);
	for (size_t i = 0; i < t->places.count && signals_caught() == 0; i++) {
		/* A store's own files have no indexes. */
		if (t->places.items[i].by_store)
			continue;
		if (run_place(t, &t->places.items[i], &err) == 0)
			continue;
		status = report_fail(&err);
		/* Others would be waited for as long. */
		if (t->options->verb == INDEX_REBUILD && err.code == ERR_BUSY)
			break;
	}
	if (signals_caught() == 0 && compare(t, &err) == -1)
		status = report_fail(&err);
	if (print_end(&t->print, &err) == -1)
		status = report_fail(&err);
	if (status == EXIT_OK && (t->damaged > 0 || t->missed))
		status = EXIT_NO;
	return status;
}

/* The entries, as mq-dump-log prints them. */
static int
run_show(struct task *t)
{
	int status = places_find(&t->places);
	struct strings files = {0};
	struct dump d;
	struct err err;

	dump_init(&d, t->os);
	d.json = options_has(t->options, 'J');
	d.color = tool_color(t->options, 1);
	for (size_t i = 0; i < t->places.count; i++)
		if (place_files(t->os, &t->places.items[i], false, &files, &err) == -1)
			status = report_fail(&err);
	d.headings = files.count > 1;
	for (size_t i = 0; i < files.count && !dump_stopped(&d); i++) {
		enum dump_kind kind = dump_kind_of(files.items[i]);
		if (kind == DUMP_INDEX || kind == DUMP_TIME || kind == DUMP_TXN)
			if (dump_file(&d, files.items[i], &err) == -1)
				status = report_fail(&err);
	}
	if (d.failed)
		status = d.status;
	else if (status == EXIT_OK && d.damaged > 0)
		status = EXIT_NO;
	strings_release(&files);
	dump_release(&d);
	return status;
}

static int
run(struct os *os, const struct options *o)
{
	struct task t = {.os = os, .options = o};
	struct err err;
	int status;

	status = places_init(&t.places, os, o, false);
	if (status == -1 && task_configure(&t, &err) == -1)
		status = report_usage(&err);
	if (status == -1)
		status = o->verb == INDEX_SHOW ? run_show(&t) : run_table(&t);
	places_release(&t.places);
	return status;
}

int
mq_index(const struct options *o)
{
	return tool_run(o, run);
}
