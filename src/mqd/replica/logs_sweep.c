/*
 * At the start: directories that no handle will ask for. What a deletion has left
 * (-delete) is removed; a partition's that the metadata does not know, for its topic
 * was deleted and we did not come to it, is put away (-stray).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mqd/replica/logs_impl.h"

#define DELETE_SUFFIX "-delete"
#define HEX_DIGITS 32

/* A partition's directory. */
struct found {
	char *name; /* of its topic; owned */
	int32_t number;
	bool stray;
};

struct sweep {
	struct logs *logs;
	struct os_job os_job;
	struct found *found;
	size_t count, cap;
};

/* TOPIC-N.(32 hex)-delete */
static bool
is_deleted(const char *name)
{
	size_t len = strlen(name), suffix = strlen(DELETE_SUFFIX);
	const char *hex;

	if (len < suffix + HEX_DIGITS + 1 || strcmp(name + len - suffix, DELETE_SUFFIX) != 0)
		return false;
	hex = name + len - suffix - HEX_DIGITS;
	return hex[-1] == '.' && strspn(hex, "0123456789abcdef") == HEX_DIGITS;
}

/* Cuts TOPIC-N. -1: it is no partition's name, or the metadata log's. */
static int
split(char *name, int32_t *number)
{
	char *dash = strrchr(name, '-');
	int64_t n;

	if (dash == NULL || dash == name || strcmp(name, "__cluster_metadata-0") == 0 ||
	    text_int(dash + 1, 0, INT32_MAX, &n) == -1)
		return -1;
	*dash = '\0';
	*number = (int32_t)n;
	return 0;
}

static void
sweep_free(struct sweep *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->found[i].name);
	free(w->found);
	free(w);
}

/* --- on WORKER_KEEP ---------------------------------------------------------------------- */

static int
take_name(void *ctx, const char *name)
{
	struct sweep *w = ctx;
	struct found *more;

	if (strchr(name, '-') == NULL)
		return 0;
	if (w->count == w->cap) {
		more = reallocarray(w->found, w->cap * 2 + 16, sizeof(*more));
		if (more == NULL)
			return 1;
		w->found = more;
		w->cap = w->cap * 2 + 16;
	}
	w->found[w->count] = (struct found){.name = strdup(name)};
	if (w->found[w->count].name == NULL)
		return 1;
	w->count++;
	return 0;
}

static int
path_of(const struct logs *s, char path[STORE_PATH_MAX], const char *name)
{
	return snprintf(path, STORE_PATH_MAX, "%s/%s", s->dir, name) < STORE_PATH_MAX ? 0 : -1;
}

static void
remove_deleted(struct logs *s, const char *name)
{
	char path[STORE_PATH_MAX];
	struct err err;

	if (path_of(s, path, name) == 0 && directory_remove(s->os, path, &err) == -1)
		os_note(s->os, OS_WARN, "%s", err.text);
}

static void
find_run(struct os_job *j)
{
	struct sweep *w = j->ctx;
	size_t kept = 0;

	(void)os_list(w->logs->os, w->logs->dir, take_name, w);
	for (size_t i = 0; i < w->count; i++) {
		struct found f = w->found[i];

		if (is_deleted(f.name))
			remove_deleted(w->logs, f.name);
		else if (split(f.name, &f.number) == 0) {
			w->found[kept++] = f;
			continue;
		}
		free(f.name);
	}
	w->count = kept;
}

static void
put_away(struct logs *s, const struct found *f)
{
	char path[STORE_PATH_MAX], gone[STORE_PATH_MAX];
	struct os_stat st;
	struct uuid id;
	struct err err;
	int ret;

	if (snprintf(path, sizeof(path), "%s/%s-%d", s->dir, f->name, f->number) >=
	        (int)sizeof(path) ||
	    os_stat_path(s->os, path, &st) == -1 || !st.is_dir)
		return;
	ret = partition_id_read(s->os, path, &id, &err);
	if (ret != 1)
		os_random(s->os, id.bytes, sizeof(id.bytes));
	ret = partition_put_away(s->os, s->dir, f->name, f->number, &id, "stray", gone, &err);
	if (ret == 1)
		os_note(s->os, OS_WARN, "%s: of no topic: kept as %s", path, gone);
	if (ret == -1)
		os_note(s->os, OS_WARN, "%s", err.text);
}

static void
stray_run(struct os_job *j)
{
	struct sweep *w = j->ctx;

	for (size_t i = 0; i < w->count; i++)
		if (w->found[i].stray)
			put_away(w->logs, &w->found[i]);
}

/* --- on the loop ---------------------------------------------------------------------------- */

static void
stray_done(struct os_job *j)
{
	struct sweep *w = j->ctx;
	struct logs *s = w->logs;

	s->sweep = NULL;
	sweep_free(w);
	stop_pump(s);
}

/* What is asked for from now on is opened behind this on the same worker, so a topic
 * that comes meanwhile finds its directory gone, not half gone. */
static void
find_done(struct os_job *j)
{
	struct sweep *w = j->ctx;
	struct logs *s = w->logs;

	for (size_t i = 0; i < w->count; i++) {
		struct found *f = &w->found[i];

		f->stray = !s->options.known(s->options.ctx, f->name, f->number) &&
		    !gone_has(s, f->name, f->number);
	}
	w->os_job = (struct os_job){.run = stray_run, .done = stray_done, .ctx = w};
	os_work(s->os, WORKER_KEEP, &w->os_job);
}

void
sweep_start(struct logs *s)
{
	struct sweep *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return; /* at the next start */
	w->logs = s;
	w->os_job = (struct os_job){.run = find_run,
	    .done = s->options.known != NULL ? find_done : stray_done, .ctx = w};
	s->sweep = w;
	os_work(s->os, WORKER_KEEP, &w->os_job);
}

void
sweep_release(struct logs *s)
{
	if (s->sweep != NULL)
		sweep_free(s->sweep);
	s->sweep = NULL;
}
