/* The cluster: its life, and what it tells. */
#include "mqd/cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqd/cluster/cluster_impl.h"

static int
path_in(char path[CLUSTER_PATH_MAX], const char *dir, const char *name, struct err *err)
{
	if (snprintf(path, CLUSTER_PATH_MAX, "%s/%s", dir, name) >= CLUSTER_PATH_MAX)
		return err_set(err, ERR_INVALID, "%s/%s: the path is too long", dir, name);
	return 0;
}

int
cluster_path(
    const struct cluster *c, char path[CLUSTER_PATH_MAX], const char *name, struct err *err)
{
	return path_in(path, c->dir, name, err);
}

int
cluster_metadata_path(
    const struct cluster *c, char path[CLUSTER_PATH_MAX], const char *name, struct err *err)
{
	return path_in(path, c->metadata_dir, name, err);
}

/* --- life ------------------------------------------------------------------------ */

/* A copy of a string that may be NULL; `ok` becomes false without memory. */
static const char *
copy(const char *s, bool *ok)
{
	char *own = s != NULL ? strdup(s) : NULL;

	*ok = *ok && (s == NULL || own != NULL);
	return own;
}

static struct cluster *
make(struct os *os, const struct cluster_options *o)
{
	struct cluster *c = calloc(1, sizeof(*c));
	size_t len = strlen(o->dir);
	bool ok = true;

	if (c == NULL)
		return NULL;
	c->os = os;
	c->starting_fd = c->lock_fd = -1;
	c->ids.reserve = -1;
	image_init(&c->image);
	map_init(&c->wanted);
	cluster_changes_init(c);
	c->options = *o;
	while (len > 1 && o->dir[len - 1] == '/')
		len--;
	c->dir = strndup(o->dir, len);
	if (asprintf(&c->metadata_dir, "%.*s/" METADATA_TOPIC "-0", (int)len, o->dir) == -1)
		c->metadata_dir = NULL;
	c->options.dir = c->dir;
	c->options.cluster_id = copy(o->cluster_id, &ok);
	c->options.host = copy(o->host != NULL ? o->host : "localhost", &ok);
	c->options.rack = copy(o->rack, &ok);
	if (ok && c->dir != NULL && c->metadata_dir != NULL)
		return c;
	cluster_free(c);
	return NULL;
}

struct cluster *
cluster_new(struct os *os, const struct cluster_options *o, struct err *err)
{
	struct cluster *c = make(os, o);

	if (c == NULL) {
		err_nomem(err);
		return NULL;
	}
	/* The longest path that is made in a store is far below this. */
	if (strlen(c->dir) > CLUSTER_PATH_MAX - 1024)
		err_set(err, ERR_INVALID, "%s: the path is too long", c->dir);
	else if (cluster_start(c, err) == 0) {
		cluster_watch(c);
		c->image.defaults = o->topic_defaults;
		return c;
	}
	cluster_free(c);
	return NULL;
}

void
cluster_announce(struct cluster *c)
{
	for (struct map_entry *e = NULL; (e = map_next(&c->image.topics, e)) != NULL;) {
		const struct image_topic *t = e->value;

		c->options.changed(c->options.ctx, t->name, &t->id);
	}
	c->options.changed(c->options.ctx, NULL, NULL);
	/* What was read may be worth a snapshot. */
	cluster_go_on(c);
}

void
cluster_free(struct cluster *c)
{
	if (c == NULL)
		return;
	cluster_changes_release(c);
	map_release(&c->wanted);
	if (c->log_open)
		mlog_release(&c->log);
	image_release(&c->image);
	if (c->lock_fd != -1)
		os_close(c->os, c->lock_fd);
	if (c->starting_fd != -1)
		os_close(c->os, c->starting_fd);
	free((char *)(uintptr_t)c->options.cluster_id);
	free((char *)(uintptr_t)c->options.host);
	free((char *)(uintptr_t)c->options.rack);
	free(c->metadata_dir);
	free(c->dir);
	free(c);
}

/* --- what it tells ----------------------------------------------------------------- */

const struct image *
cluster_image(const struct cluster *c)
{
	return &c->image;
}

const struct uuid *
cluster_id(const struct cluster *c)
{
	return &c->meta.cluster_id;
}

const char *
cluster_id_text(const struct cluster *c)
{
	return c->meta.cluster_id_text;
}

int32_t
cluster_epoch(const struct cluster *c)
{
	return c->epoch;
}

int32_t
cluster_epoch_before(const struct cluster *c)
{
	return c->epoch_before;
}

bool
cluster_was_clean(const struct cluster *c)
{
	return c->clean;
}

int64_t
cluster_broker_epoch(const struct cluster *c)
{
	return c->broker_epoch;
}
